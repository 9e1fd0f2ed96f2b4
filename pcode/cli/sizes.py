"""The options --size, --font-size and --dpi of commands that draw."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..base.errors import InputError
from ..plotting import style
from ..plotting.sizes import checked_dpi, checked_font_size, parsed_size


def asked_style(size: str | None, font_size: float | None) -> AbstractContextManager[None]:
    """The style of figures for the options --size and --font-size; none, if neither is given."""
    if size is None and font_size is None:
        return nullcontext()  # a recipe draws in its own style, as after a run and for the gallery
    if size is not None:
        parsed_size(size, "--size")
    if font_size is not None:
        checked_font_size(font_size, "--font-size")
    return style(size, font_size)


def asked_dpi(dpi: float | None, picture: Path) -> float | None:
    """What --dpi says of a picture, which has to be made of dots."""
    if dpi is None:
        return None
    found = checked_dpi(dpi, "--dpi")
    if picture.suffix.lower() != ".png":
        raise InputError("--dpi", f"is of a .png; {picture.name} is made of lines and text, not of dots")
    return found

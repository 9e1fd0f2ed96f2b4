"""Sizes of figures and of their text, such as a journal asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from matplotlib import rcParams

from ..base import checks
from ..base.errors import InputError

PER_INCH = {"mm": 25.4, "cm": 2.54, "in": 1.0}
PRESETS = {"one-column": "85mm", "two-columns": "175mm"}

# Inches between which the sides of a figure lie, and points between which its text does.
SMALLEST, LARGEST = 1.0, 40.0
FINEST, BROADEST = 4.0, 40.0

# Dots an inch between which a picture has to be.
COARSEST, DENSEST = 20.0, 2400.0

# Tick labels, legends and notes, as part of the size of the other text.
SMALL = 7.0 / 8.0

_SIZE = re.compile(r"(\d+\.?\d*|\.\d+)(?:\s*[xX]\s*(\d+\.?\d*|\.\d+))?\s*(mm|cm|in)")

# Width, and width and height, in inches, or names of these.
SizeOption = str | tuple[float, float] | None


@dataclass(frozen=True)
class Asked:
    """What a user asks of figures: width, height in inches and size of text in points; None for the usual."""

    width: float | None = None
    height: float | None = None
    font_size: float | None = None


_ASKED: ContextVar[Asked | None] = ContextVar("_ASKED", default=None)


def asked() -> Asked:
    """What is asked of figures here."""
    return _ASKED.get() or Asked()


@contextmanager
def asking(size: SizeOption, font_size: float | None) -> Iterator[Asked]:
    """Ask for a size and a size of text until the context ends; what is None stays as it is."""
    here = asked()
    width, height = (here.width, here.height) if size is None else parsed_size(size)
    points = here.font_size if font_size is None else checked_font_size(font_size)
    token = _ASKED.set(Asked(width, height, points))
    try:
        yield asked()
    finally:
        _ASKED.reset(token)


def parsed_size(size: Any, where: str = "size") -> tuple[float, float | None]:
    """Width and, where it is said, height in inches of a size such as "85mm", "85x60mm" or "one-column".

    Parameters
    ----------
    size : str or two floats
        A width or width x height with mm, cm or in; a preset; or, as for Matplotlib, two numbers in inches.
    where : str
        The argument to name in errors.

    Raises
    ------
    InputError
        If it is no such size, or too small or too large.
    """
    if isinstance(size, str):
        parts = _SIZE.fullmatch(PRESETS.get(size.strip(), size.strip()))
        if parts is None:
            what = f'must be such as "85mm", "85x60mm", "3.3in" or {" or ".join(PRESETS)}, not {size!r}'
            raise InputError(where, what)
        sides = [float(side) / PER_INCH[parts[3]] for side in parts.groups()[:2] if side]
    else:
        if not checks.is_many(size) or len(sides := list(size)) != 2:
            what = f'must be such as "85mm" or "85x60mm", or width and height in inches, not {size!r}'
            raise InputError(where, what)
        sides = [checks.number(where, side) for side in sides]
    for side in sides:
        if not SMALLEST <= side <= LARGEST:
            least, most, found = (f"{inches * 25.4:.4g} mm" for inches in (SMALLEST, LARGEST, side))
            what = f"sides must be {least} to {most}, not {found}"
            raise InputError(where, what)
    return sides[0], sides[1] if len(sides) == 2 else None


def checked_font_size(points: Any, where: str = "font_size") -> float:
    """`points`, if text can be so large; otherwise raise InputError."""
    found = checks.number(where, points)
    if not FINEST <= found <= BROADEST:
        raise InputError(where, f"must be {FINEST:g} to {BROADEST:g} points, not {found:g}")
    return found


def checked_dpi(dpi: Any, where: str = "dpi") -> float:
    """`dpi`, if a picture can have so many dots an inch; otherwise raise InputError."""
    found = checks.number(where, dpi)
    if not COARSEST <= found <= DENSEST:
        raise InputError(where, f"must be {COARSEST:g} to {DENSEST:g} dots an inch, not {found:g}")
    return found


def font_sizes(points: float) -> dict[str, float]:
    """Settings of Matplotlib for text of a size: small text is `SMALL` of it, titles are a little larger."""
    small, title = SMALL * points, 17.0 / 16.0 * points
    return {
        "font.size": points,
        "axes.labelsize": points,
        "axes.titlesize": title,
        "figure.titlesize": 9.0 / 8.0 * points,
        "figure.labelsize": points,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "legend.title_fontsize": small,
    }


def small_text() -> float:
    """Size in points of notes and of marks along curves."""
    return SMALL * float(rcParams["font.size"])


def figure_width(usual: float) -> float:
    """The width in inches that is asked for, or the `usual` one; for recipes that arrange panels by it."""
    return asked().width or usual


def figure_size(width: float, height: float) -> tuple[float, float]:
    """Width and height that are asked for, or the usual ones.

    Parameters
    ----------
    width, height : float
        The usual ones, in inches. Where only a width is asked for, the height follows its square root, since
        labels and ticks do not shrink.
    """
    wanted = asked()
    if wanted.width is None:
        return width, height
    return wanted.width, wanted.height or height * math.sqrt(wanted.width / width)

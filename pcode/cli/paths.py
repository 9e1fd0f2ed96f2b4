"""The paths that commands are given, checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..base import checks
from ..base.errors import InputError
from ..base.files import writable

PICTURES = (".png", ".svg", ".pdf")


def found_run(given: Path, kind: Literal["run", "sweep"] = "run") -> Path:
    """The file of a run, or of a sweep, given it or its folder.

    Raises
    ------
    InputError
        If there is none.
    """
    path = checks.path(kind, given)
    right = f"give the {kind}.nc of a {kind}, or its folder"
    if path.is_dir():
        if not (path / f"{kind}.nc").is_file():
            raise InputError(kind, f"is a folder without a {kind}.nc; {right}", str(given))
        return path / f"{kind}.nc"
    if not path.exists():
        beside = Path("results") / given
        hint = f"did you mean {beside}?" if (beside / f"{kind}.nc").is_file() else right
        raise InputError(kind, f"there is no such file; {hint}", str(given))
    return path


def check_target(path: Path, option: str, suffixes: Sequence[str]) -> None:
    """Raise InputError, naming the `option`, unless a file of one of the `suffixes` can be written there."""
    if path.suffix.lower() not in suffixes:
        *most, last = suffixes
        right = f"{', '.join(most)} or {last}" if most else last
        raise InputError(option, f"must end in {right}, not {path.suffix or 'nothing'!r}", str(path))
    folder = checks.path(option, path).parent
    if not folder.is_dir():
        raise InputError(option, "there is no such folder to write to; make it first", str(path.parent))
    if not os.access(folder, os.W_OK):
        what = "may not be written to; give a file in a folder that may"
        raise InputError(option, what, str(path.parent))
    writable(path, option)

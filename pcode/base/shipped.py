"""Files that ship with pcode: scenarios, figure recipes, pages of the documentation and studies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from .errors import InputError
from .near import nearest

Kind = Literal["scenarios", "plots", "docs", "docs/studies"]

_SUFFIX: dict[Kind, str] = {"scenarios": ".toml", "plots": ".py", "docs": ".md", "docs/studies": ".py"}
_CALLED: dict[Kind, str] = {
    "scenarios": "scenario",
    "plots": "recipe",
    "docs": "page",
    "docs/studies": "study",
}


def folder(kind: Kind) -> Path:
    """The folder of shipped files: inside the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_shipped" / kind
    return installed if installed.is_dir() else package.parent / kind


def names(kind: Kind) -> dict[str, Path]:
    """Shipped files of one kind, by name without suffix, in alphabetic order."""
    files = sorted(folder(kind).glob(f"*{_SUFFIX[kind]}"))
    return {file.stem: file for file in files if not file.stem.startswith("_")}


def ships(kind: Kind, path: Path) -> bool:
    """Whether a file is one that ships with pcode."""
    return path.resolve() in (one.resolve() for one in names(kind).values())


def find(kind: Kind, given: str, beside: Path | None = None) -> Path:
    """The file that a user means by `given`: a path, or the name of a shipped file.

    Parameters
    ----------
    kind : {"scenarios", "plots", "docs", "docs/studies"}
    given : str
        A path, or a shipped name. A path takes precedence, but for recipes, which are code: what has the
        name of a shipped one is the shipped one.
    beside : Path, optional
        The folder to which a path is relative; the current folder by default.

    Raises
    ------
    InputError
        If there is neither such a file nor such a name.
    """
    path = (beside or Path()) / given
    shipped = names(kind)
    if os.path.exists(path) and not os.path.isdir(path) and not (kind == "plots" and given in shipped):
        return path
    if given in shipped:
        return shipped[given]
    called = _CALLED[kind]
    close = nearest(Path(given).name.removesuffix(_SUFFIX[kind]), shipped)
    hint = f"did you mean the shipped {close}?" if close else f"give a path, or one of {', '.join(shipped)}"
    found = f"is a folder, not a {called}" if os.path.isdir(path) else f"there is no such {called}"
    raise InputError("", f"{found}; {hint}", given)

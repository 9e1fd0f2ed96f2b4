"""Figure recipes: files with a function ``figure(run, **options)``, found, checked and drawn.

Recipes of sweeps have a function ``figure(sweep, **options)``.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from matplotlib.figure import Figure

from ..base import checks, shipped
from ..base.errors import InputError
from ..base.options import checked_options
from ..base.reading import read_bytes, read_text
from ..run.result import Run
from ..run.sweep import Sweep


@dataclass(frozen=True)
class Recipe:
    """How to draw one figure of a run.

    Attributes
    ----------
    path : Path
        The file it stands in.
    figure : callable
        ``figure(run, **options)`` returns the Figure.
    suits : mapping of str to mapping of str to value, optional
        The module's ``SUITS``: the shipped scenarios to show it with, besides those that ask for it
        themselves; by their names, the options to do so with. In the module it may be a sequence of names.
    """

    path: Path
    figure: Callable[..., Figure]
    suits: Mapping[str, Mapping[str, Any]] | None = field(default=None, compare=False)

    @classmethod
    def load(cls, wanted: str, beside: Path | None = None, *, allow_code: bool = False) -> Recipe:
        """Load a recipe, which runs its file.

        Parameters
        ----------
        wanted : str
            A path to a ``.py`` file, or the name of a shipped recipe.
        beside : Path, optional
            The folder to which a path is relative; the current one where left out.
        allow_code : bool
            Whether a file that does not ship with pcode may be run.

        Raises
        ------
        InputError
            If there is no such recipe, it is code that is not allowed, or the file cannot be loaded or has no
            function `figure`.
        """
        path, source = _allowed(wanted, beside, allow_code)
        module = ModuleType(f"pcode_recipe_{path.stem}")
        module.__file__ = str(path)
        sys.modules[module.__name__] = module
        try:
            # Not imported: that would leave a compiled copy beside the user's file.
            exec(compile(source, path, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            raise InputError("", f"cannot be loaded: {_told(error, path)}", str(path)) from error
        figure = getattr(module, "figure", None)
        if not callable(figure):
            raise InputError("figure", "is missing; a recipe needs a function figure(run)", str(path))
        suits = getattr(module, "SUITS", None)
        if suits is not None and not isinstance(suits, Mapping):
            suits = {name: {} for name in suits}
        return cls(path, figure, suits)

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    @property
    def draws(self) -> Literal["run", "sweep"]:
        """What it draws: a sweep where the first argument of `figure` is called so, else a run."""
        return "sweep" if next(iter(inspect.signature(self.figure).parameters), "") == "sweep" else "run"

    def draw(self, run: Run | Sweep, options: Mapping[str, Any] | None = None) -> Figure:
        """The figure of `run`, which is a run or a sweep, as `draws` says.

        Raises
        ------
        InputError
            If the recipe has no such option, an option's value is of the wrong kind, or the
            recipe cannot draw this run.
        """
        if isinstance(run, Sweep) != (self.draws == "sweep"):
            given = "sweep" if isinstance(run, Sweep) else "run"
            raise InputError("", f"draws a {self.draws}, not a {given}", str(self.path))
        checked = checked_options(self.figure, options or {}, "the recipe", str(self.path))
        try:
            drawn = self.figure(run, **checked)
        except InputError as error:
            raise (error if error.source else error.in_file(str(self.path))) from None
        except Exception as error:
            raise InputError(
                "", f"cannot draw this {self.draws}: {_told(error, self.path)}", str(self.path)
            ) from error
        if not isinstance(drawn, Figure):
            what = f"must return a matplotlib Figure, not {type(drawn).__name__}"
            raise InputError("figure", what, str(self.path))
        return drawn


class Outline(NamedTuple):
    """What a recipe's text says of it, of which nothing has been run.

    Attributes
    ----------
    path : Path
    draws : {"run", "sweep"}
    """

    path: Path
    draws: Literal["run", "sweep"]

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem


def outline(wanted: str, beside: Path | None = None, *, allow_code: bool = False) -> Outline:
    """What there is to say of a recipe without running its file; the arguments are those of `Recipe.load`.

    Raises
    ------
    InputError
        If there is no such recipe, it is code that is not allowed, or it is no Python with a `figure`.
    """
    path, source = _allowed(wanted, beside, allow_code)
    try:
        parsed = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        told = f"cannot be loaded: {type(error).__name__}: {error}"
        raise InputError("", told, str(path)) from None
    functions = [one for one in parsed.body if isinstance(one, ast.FunctionDef) and one.name == "figure"]
    # It may come about otherwise, by an import for one.
    if not functions and b"figure" not in source:
        raise InputError("figure", "is missing; a recipe needs a function figure(run)", str(path))
    first = functions[-1].args if functions else None
    names = [one.arg for one in (*first.posonlyargs, *first.args)] if first else []
    return Outline(path, "sweep" if names[:1] == ["sweep"] else "run")


def check_allowed(wanted: str, beside: Path | None = None, *, allow_code: bool = False) -> None:
    """Raise InputError, as `Recipe.load` does, if there is no such recipe, or it is not allowed."""
    _allowed(wanted, beside, allow_code)


def _allowed(wanted: str, beside: Path | None, allow_code: bool) -> tuple[Path, bytes]:
    """The file of a recipe that may be run, and what is in it."""
    checks.path("recipe", wanted)
    path = shipped.find("plots", os.fsdecode(wanted), beside)
    if path.suffix == ".nc":
        what = "is a result, not a recipe; name the recipe first, then the result"
        raise InputError("", what, str(path))
    if not checks.flag("allow_code", allow_code) and not shipped.ships("plots", path):
        what = "is code, which does not ship with pcode; with --allow-code (allow_code=True) it is run"
        raise InputError("", what, str(path))
    return path, read_bytes(path)


def docstring(path: Path) -> str:
    """A recipe's docstring, which is its figure's caption, read without running the recipe."""
    try:
        return ast.get_docstring(ast.parse(read_text(path))) or ""
    except (InputError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def caption(path: Path) -> str:
    """The first line of a recipe's docstring."""
    return docstring(path).partition("\n")[0]


def _told(error: BaseException, path: Path) -> str:
    """An error of someone's recipe in one line, with the line of the recipe that it comes from."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    place = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{place}"

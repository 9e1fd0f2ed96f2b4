"""Figure recipes: files with a function ``figure(run, **options)``, found, checked and drawn.

Recipes of sweeps have a function ``figure(sweep, **options)``.
"""

from __future__ import annotations

import ast
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from matplotlib.figure import Figure

from ..base import shipped
from ..base.errors import InputError
from ..base.options import checked_options
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
    def load(cls, wanted: str, beside: Path | None = None) -> Recipe:
        """Load a recipe.

        Parameters
        ----------
        wanted : str
            A path to a ``.py`` file, or the name of a shipped recipe.
        beside : Path, optional
            The folder to which a path is relative; the current one where left out.

        Raises
        ------
        InputError
            If there is no such recipe, or the file cannot be loaded or has no function `figure`.
        """
        path = shipped.find("plots", wanted, beside)
        if path.suffix == ".nc":
            what = "is a result, not a recipe; name the recipe first, then the result"
            raise InputError("", what, str(path))
        module = ModuleType(f"pcode_recipe_{path.stem}")
        module.__file__ = str(path)
        sys.modules[module.__name__] = module
        try:
            # Not imported: that would leave a compiled copy beside the user's file.
            exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
        except Exception as error:
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


def docstring(path: Path) -> str:
    """A recipe's docstring, which is its figure's caption, read without running the recipe."""
    try:
        return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, SyntaxError, ValueError):
        return ""


def caption(path: Path) -> str:
    """The first line of a recipe's docstring."""
    return docstring(path).partition("\n")[0]


def _told(error: Exception, path: Path) -> str:
    """An error of someone's recipe in one line, with the line of the recipe that it comes from."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    place = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{place}"

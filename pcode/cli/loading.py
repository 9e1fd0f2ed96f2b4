"""What the commands that take a run, or a sweep, do first: open its file."""

from __future__ import annotations

from pathlib import Path

from ..base.errors import InputError
from ..model.importing import importable
from ..plotting.recipes import Recipe
from ..run.result import Run
from ..run.sweep import Sweep


def load_run(file: Path, allow_code: bool, presentation: int | None = None) -> Run:
    """The run in `file`, or one `presentation` of it, as a run of its own.

    With `allow_code` activations of its own are imported where they are found.

    Modules are looked for in the current folder and in that of the file, besides where Python looks.

    Raises
    ------
    InputError
        If it cannot be read, or an activation cannot be imported.
    """
    if not allow_code:
        run = Run.load(file)
    else:
        with importable([Path.cwd(), file.parent]):
            run = Run.load(file, allow_code=True)
    return run if presentation is None else run.presentation(presentation)


def load_drawn(recipe: Recipe, file: Path, allow_code: bool, presentation: int | None = None) -> Run | Sweep:
    """What `recipe` draws: the run in `file`, as `load_run` gives it, or the sweep.

    Raises
    ------
    InputError
        As for `load_run`; or if a presentation is asked of a sweep.
    """
    if recipe.draws == "run":
        return load_run(file, allow_code, presentation)
    if presentation is not None:
        raise InputError("--presentation", f"is of a run; {recipe.name} draws a sweep")
    return Sweep.load(file)

"""What the commands that take a run do first: open its file."""

from __future__ import annotations

from pathlib import Path

from ..model.importing import importable
from ..run.result import Run


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

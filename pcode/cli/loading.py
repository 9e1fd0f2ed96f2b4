"""What the commands that take a run do first: open its file."""

from __future__ import annotations

from pathlib import Path

from ..model.importing import importable
from ..run.result import Run


def load_run(file: Path, allow_code: bool) -> Run:
    """The run in `file`; with `allow_code` with activations of its own, imported where they are found.

    Modules are looked for in the current folder and in that of the file, besides where Python looks.

    Raises
    ------
    InputError
        If it cannot be read, or an activation cannot be imported.
    """
    if not allow_code:
        return Run.load(file)
    with importable([Path.cwd(), file.parent]):
        return Run.load(file, allow_code=True)

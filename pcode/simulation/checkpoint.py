"""Checkpoints: a run that has not ended as a file, from which it can go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..base import checks
from ..base.elsewhere import write_through
from ..base.errors import InputError
from ..base.files import replacing, writable
from ..run.reached import Marks, Reached, Standing, standing_of
from ..run.result import Run
from .notes import Notes

# Seconds between two checkpoints, if nothing else is said; and the part of the time that writing may take.
EVERY, SHARE = 60.0, 0.05


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is to be kept while it goes on.

    Parameters
    ----------
    path : path
        The file. It is written under another name and then renamed, so that there is a whole one at all
        times. When the run has ended it is left as it is; the result is for you to save.
    every : float
        Seconds between two, > 0; the first is written after so many. Fewer are written where that would take
        more than a twentieth of the time.
    about : mapping of str to str
        What to note in it besides.

    Raises
    ------
    InputError
        If no file can be written there, or `every` is out of range.
    """

    path: Path
    every: float = EVERY
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", writable(self.path, "checkpoint"))
        every = checks.number("checkpoint.every", self.every, above=0.0)
        object.__setattr__(self, "every", every)

    @classmethod
    def of(cls, given: Checkpoint | str | os.PathLike[str] | None) -> Checkpoint | None:
        """A checkpoint, a path alone, or None."""
        if given is None or isinstance(given, Checkpoint):
            return given
        return cls(checks.path("checkpoint", given))

    def write(self, run: Run) -> None:
        """Write what has become of the run so far."""
        with replacing(self.path, "checkpoint") as temporary:
            write_through(temporary, run.to_bytes())


class Keeper:
    """Keeps where a phase stands: in a file when that is due, and where the run is interrupted.

    What it is shown it only reads, so that the run is the same with and without it.

    Parameters
    ----------
    checkpoint : Checkpoint or None
    build : callable
        ``build(reached, marks)`` makes the result so far.
    marks : callable
        ``marks()`` says how much of the result there is.
    cut : callable
        ``cut(marks)`` takes away what came after.
    notes : Notes

    Attributes
    ----------
    interrupted : tuple of Reached and Marks, or None
        Where the run was interrupted.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        build: Callable[[Reached, Marks], Run],
        marks: Callable[[], Marks],
        cut: Callable[[Marks], None],
        notes: Notes,
    ) -> None:
        self._checkpoint, self._build, self.marks, self.cut = checkpoint, build, marks, cut
        self._notes = notes
        self._latest: tuple[Callable[[], Reached], Marks] | None = None
        self.interrupted: tuple[Reached, Marks] | None = None
        self._next = time.monotonic() + (checkpoint.every if checkpoint else 0.0)

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self._checkpoint is not None and time.monotonic() >= self._next

    def begins(self, reached: Callable[[], Reached]) -> None:
        """Note that the integration begins anew, at what ``reached()`` tells: it can go on there."""
        self._latest = reached, self.marks()

    def keep(self) -> None:
        """Write a checkpoint if it is time for one."""
        if self._latest is None or not self.due:
            return
        assert self._checkpoint is not None
        reached, marks = self._latest
        began = time.monotonic()
        try:
            self._checkpoint.write(self._build(reached(), marks))
        except (OSError, InputError) as error:  # a run is not lost for want of a checkpoint
            self._notes.add(f"no checkpoint was written to {self._checkpoint.path}: {checks.shown(error)}")
        ended = time.monotonic()
        self._next = ended + max(self._checkpoint.every, (ended - began) / SHARE)

    def stop(self) -> None:
        """Keep whence a run that is interrupted can be gone on with."""
        if self._latest is not None:
            reached, marks = self._latest
            self.interrupted = reached(), marks


def read_standing(path: str | os.PathLike[str], run: Run | None = None) -> Standing:
    """What a file says of a run that has not ended; `run` is what it holds, if it is read already.

    Raises
    ------
    InputError
        If it cannot be read, or the run in it has ended.
    """
    file = checks.path("resume", path)
    return standing_of(Run.load(file) if run is None else run, str(file))

"""The folder that a run is written to: claimed before anything is computed, until all is written."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..base.claims import claimed
from ..base.elsewhere import file_size_limit, free_space, room_elsewhere
from ..base.errors import InputError
from ..base.files import clear_left, save_files
from ..base.reading import told_size
from ..scenario.resuming import CHECKPOINT


class Output:
    """A folder for a result, held for this process while entered.

    Folders that were made for it, and nothing was written to, are taken away again.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        The files that will be written.
    force : bool
        Whether files of these names may be overwritten.

    Raises
    ------
    InputError
        When entered: if there is a result already, another process writes there, or the folder cannot be
        written.
    """

    def __init__(self, folder: Path, names: Sequence[str], force: bool) -> None:
        self.folder, self.names = folder, tuple(names)
        self._force = force
        self._stack = ExitStack()

    def __enter__(self) -> Output:
        with ExitStack() as stack:
            stack.enter_context(claimed(self.folder))
            self._check()
            try:
                with tempfile.TemporaryFile(dir=self.folder):
                    pass
            except OSError as error:
                what = f"cannot be written ({error.strerror}); give a folder that can be"
                raise InputError("--out", what, str(self.folder)) from None
            clear_left(self.folder, self.names)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _check(self) -> None:
        there = [name for name in self.names if (self.folder / name).exists()]
        if there and not self._force:
            what = f"holds {', '.join(there)} already; give --force to overwrite, or another folder"
            if CHECKPOINT in there:
                what = f"{what}, or go on with the run that is kept there: pcode resume {self.folder}"
            raise InputError("--out", what, str(self.folder))
        folders = [name for name in there if (self.folder / name).is_dir()]
        if folders:
            raise InputError(
                "--out", f"{folders[0]} is a folder there; give another folder", str(self.folder)
            )

    def check_room(self, most: int, least: Callable[[], int], checkpoints: bool = False) -> str:
        """Whether there is room for the result.

        Parameters
        ----------
        most : int
            How many bytes it takes at most.
        least : callable
            Returns how many it takes at least; called where there may be too little room.
        checkpoints : bool
            Whether the last checkpoint, as large as the result, stands beside it until that is whole.

        Returns
        -------
        str
            A warning where there may be too little, here and elsewhere; empty otherwise.

        Raises
        ------
        InputError
            If there is too little.
        """
        free, together = free_space(self.folder), (1 + checkpoints) * most
        rooms = {
            "the limit on a file's size (ulimit -f)": (file_size_limit(), most),
            "the free space there": (free, together),
        }
        for what, (room, needed) in rooms.items():
            if room is not None and room < needed and room < least():
                told = f"the result takes {told_size(least())} at least, {what} is {told_size(room)}"
                raise InputError("--out", f"{told}; make room, or give another folder", str(self.folder))
        if free is not None and free < together and not room_elsewhere(most):
            files = "the result and its checkpoint take" if checkpoints else "the result takes"
            takes = f"up to {told_size(together)}, the free space is {told_size(free)}"
            return f"{self.folder}: {files} {takes}"
        return ""

    def save(
        self,
        run: memoryview,
        report: dict[str, Any],
        commit: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Write run.nc and report.json, and take away pictures of an earlier result.

        Parameters
        ----------
        run : bytes
        report : dict
        commit : callable
            Makes the context in which earlier files are replaced.

        Raises
        ------
        InputError, OSError
            If they cannot be written. They are kept elsewhere if they can be, and the message says where.
        """
        paths = self.folder / "run.nc", self.folder / "report.json"

        @contextmanager
        def replaced() -> Iterator[None]:
            with commit():
                yield
                for name in self.names:
                    # One that cannot be drawn now would belie the run.
                    if Path(name).suffix not in (".nc", ".json"):
                        (self.folder / name).unlink(missing_ok=True)

        save_files(dict(zip(paths, (run, as_json(report)), strict=True)), replaced)

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write `values` to a file of the folder; errors are as for `save`."""
        save_files({self.folder / name: as_json(values)})


def as_json(values: dict[str, Any]) -> bytes:
    """A file of JSON."""
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()

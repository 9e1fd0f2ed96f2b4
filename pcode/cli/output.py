"""The folder that a run is written to: claimed before anything is computed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.files import replacing


class Output:
    """A folder for a result.

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
        If there is a result already, or the folder cannot be written.
    """

    def __init__(self, folder: Path, names: Sequence[str], force: bool) -> None:
        self.folder = folder
        self._made: list[Path] = []
        there = [name for name in names if (folder / name).exists()]
        if there and not force:
            what = (
                f"holds {', '.join(there)} already; give --force to overwrite, or another folder with --out"
            )
            raise InputError("--out", what, str(folder))
        folders = [name for name in there if (folder / name).is_dir()]
        if folders:
            raise InputError("--out", f"{folders[0]} is a folder there; give another folder", str(folder))
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            for path in reversed(missing):
                path.mkdir()
                self._made.append(path)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            self.release()
            what = f"cannot be written ({error.strerror}); give a folder that can be, with --out"
            raise InputError("--out", what, str(folder)) from None

    def release(self) -> None:
        """Take away the folders that were made, where nothing has been written to them."""
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir()

    def drop_pictures(self, names: Sequence[str]) -> None:
        """Take away pictures of an earlier result: one that cannot be drawn now would belie the run."""
        for name in names:
            if Path(name).suffix not in (".nc", ".json"):
                (self.folder / name).unlink(missing_ok=True)

    def write_json(self, name: str, values: dict[str, Any]) -> Path:
        """Write `values` to a file of the folder."""
        path = self.folder / name
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        return path

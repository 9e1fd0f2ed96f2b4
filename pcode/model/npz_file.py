"""Arrays of numbers from ``.npz`` files."""

from __future__ import annotations

import math
import os
import zipfile
from typing import IO, Any

import numpy as np

from ..base import checks
from ..base.errors import InputError, cut
from ..base.reading import UnreadableError, check_unpacked, opened
from .network import Array

# Most arrays that a file may hold.
MOST_ARRAYS = 10_000

RIGHT = "numpy.savez writes one"


def read_npz(path: str | os.PathLike[str], where: str) -> dict[str, Array]:
    """The arrays of an ``.npz`` file, read without pickle.

    What they take is known from the file's table and the arrays' headers before anything is allocated.

    Parameters
    ----------
    path : path
    where : str
        The key to name in errors.

    Raises
    ------
    InputError
        If the file does not exist, is not an ``.npz`` file, would take more than a file of its size may, or
        holds something other than numbers.
    """
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            return {name: _of_file(path, where, name, a) for name, a in _arrays(path, archive).items()}
    except UnreadableError as error:
        raise error.of_key(where, "give an .npz file") from None
    except InputError as error:
        raise InputError(where, error.what) from None
    except Exception:  # noqa: BLE001 - what zipfile, zlib and NumPy make of damaged bytes is up to them
        raise InputError(where, f"{path} is not an .npz file of plain numbers; {RIGHT}") from None


def _arrays(path: str | os.PathLike[str], archive: zipfile.ZipFile) -> dict[str, Any]:
    """The arrays of an archive, of whatever kind, once it is known that they can be held."""
    members = archive.infolist()
    if len(members) > MOST_ARRAYS:
        raise UnreadableError(f"holds {len(members):,} arrays; at most {MOST_ARRAYS:,} are read", path)
    strange = [member.filename for member in members if not member.filename.endswith(".npy")]
    if strange:
        what = f"{path} holds {checks.shown(strange[0])}, which is no array; {RIGHT}"
        raise InputError("", what)
    check_unpacked(sum(member.file_size for member in members), os.fstat(_handle(archive)).st_size, path)
    found = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        with archive.open(member) as content:
            found[name] = _array(path, name, content, member.file_size)
    return found


def _handle(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None
    return archive.fp.fileno()


def _array(path: str | os.PathLike[str], name: str, content: IO[bytes], size: int) -> Any:
    """One array, if its header promises as many numbers as there are bytes."""
    header = np.lib.format
    version = header.read_magic(content)
    read = header.read_array_header_1_0 if version == (1, 0) else header.read_array_header_2_0
    shape, columns, dtype = read(content)
    if dtype.hasobject:
        raise TypeError(name)
    promised, there = math.prod(shape) * dtype.itemsize, size - content.tell()
    if promised != there:
        what = f"promises {promised:,} bytes by its shape {checks.shown(shape)}, and has {there:,}"
        raise InputError("", f"array {cut(name, 40)} in {path} {what}; {RIGHT}")
    flat = np.frombuffer(content.read(promised), dtype) if promised else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if columns else "C")


def _of_file(path: str | os.PathLike[str], where: str, name: str, array: Any) -> Array:
    try:
        return checks.real_array(name, array)
    except InputError as error:
        raise InputError(where, f"array {cut(name, 40)} in {path} {error.what}") from None

"""Reading the NetCDF files of results: what is in a file is looked at before any of it is read.

NetCDF-4 is HDF5, in which a file may name other files, promise more than any memory holds, or have been
damaged in any byte. So its objects are gone through first: only ordinary groups and arrays, of numbers, texts
and flags, in sizes that a file of its size can have.
"""

from __future__ import annotations

import math
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import xarray as xr
from xarray.backends import H5NetCDFStore

from ..base import checks
from ..base.errors import InputError, cut
from ..base.reading import UnreadableError, check_unpacked, opened, told_size
from .heaps import check_heaps, check_types
from .netcdf import OTHERS

# The name that xarray gives the root group of a file.
ROOT = "/"

# Most objects, levels of groups, and bytes of a chunk, which is read as a whole.
MOST_OBJECTS, DEEPEST, MOST_CHUNK = 20_000, 4, 64_000_000

# HDF5's numbers of the filters deflate, shuffle and fletcher32, which NetCDF uses; and how many times smaller
# deflate can make something.
FILTERS, DEFLATE, PACKED = (1, 2, 3), 1, 1032

# Stored chunks that may unpack to more than is bearable are unpacked first, piece by piece.
SMALL_CHUNK = 240_000


def read_groups(path: Path, kind: str, right: str) -> dict[str, xr.Dataset]:
    """The datasets of a file, by the names of their groups.

    Parameters
    ----------
    path : Path
    kind : {"run", "ensemble", "sweep"}
        What it should be, to name in errors.
    right : str
        What to give, for errors.

    Raises
    ------
    InputError
        If the file does not exist, is not NetCDF-4, is damaged, or holds what no result has.
    """
    try:
        with opened(path) as file, warnings.catch_warnings(action="ignore"):
            size = os.fstat(file.fileno()).st_size
            _check(path, size)
            return _loaded(path)
    except UnreadableError as error:
        raise InputError(kind, f"{error.what}; {right}", str(path)) from None
    except Exception as error:  # noqa: BLE001 - three libraries, with whatever damaged bytes lead them to
        why = cut(" ".join(str(error).split()), 100) or type(error).__name__
        raise InputError(kind, f"cannot be read as a NetCDF file ({why}); {right}", str(path)) from None


@contextmanager
def reading(kind: str, path: Path) -> Iterator[None]:
    """A stretch in which a file's contents are taken over: whatever is wrong is so with the file.

    Raises
    ------
    InputError
        In place of any error, with the file's name.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - records of older versions are taken over before they are checked
        known = isinstance(error, InputError)
        why = f"{error.where}: {error.what}" if known else checks.shown(error)  # type: ignore[attr-defined]
        what = f"holds no {kind} that this version of pcode can read ({cut(why, 150)})"
        raise InputError(kind, what, str(path)) from None


class _File(h5netcdf.File):  # type: ignore[misc]
    """A file that counts as closed until it is open: else what is left of one that is none complains."""

    _closed = True


def _loaded(path: Path) -> dict[str, xr.Dataset]:
    with _File(path, "r") as file:
        named = {name: _dataset(group) for name, group in _groups(file, "")}
    named.pop(OTHERS, None)
    return {name.removeprefix(f"{OTHERS}/"): group for name, group in named.items()}


def _groups(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The groups of a file with their names, the file itself first."""
    yield name or ROOT, group
    for inner in group.groups:
        yield from _groups(group[inner], f"{name}/{inner}".lstrip("/"))


def _dataset(group: Any) -> xr.Dataset:
    # Not closed here: that would close the whole file.
    return xr.open_dataset(H5NetCDFStore(group), decode_times=False).load()


def _check(path: Path, size: int) -> None:
    """Raise UnreadableError if the file holds what no result holds, or more than one of its size can."""
    with h5py.File(path, "r") as file:
        check_types(path, size, file)
        arrays = list(_arrays(file, path, size))
        for array in arrays:
            _check_array(array, path)
        check_unpacked(sum(math.prod(one.shape) * one.dtype.itemsize for one in arrays), size, path)
        for array in arrays:
            if array.chunks is not None:
                _check_chunks(array, path)
        check_heaps(path, size, arrays)


def _arrays(group: h5py.Group, path: Path, size: int, depth: int = 0) -> Iterator[h5py.Dataset]:
    if depth > DEEPEST or len(group) > MOST_OBJECTS:
        raise UnreadableError("has groups in groups, or arrays, without end", path)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UnreadableError(f"has a link {cut(name, 40)!r} to something elsewhere", path)
        found = group[name]
        if isinstance(found, h5py.Group | h5py.Dataset):
            check_types(path, size, found)
        if isinstance(found, h5py.Group):
            yield from _arrays(found, path, size, depth + 1)
        elif isinstance(found, h5py.Dataset):
            yield found
        else:
            raise UnreadableError(f"has {cut(name, 40)!r}, which is no array", path)


def _check_array(array: h5py.Dataset, path: Path) -> None:
    name = cut(str(array.name), 40)
    if array.shape is None:
        raise UnreadableError(f"has an array {name} without a shape", path)
    if array.external is not None or array.is_virtual:
        raise UnreadableError(f"has an array {name} whose numbers are in another file", path)
    if h5py.check_string_dtype(array.dtype) is None and array.dtype.kind not in "biufcS":
        raise UnreadableError(f"has an array {name} of {cut(str(array.dtype), 40)}, not of numbers", path)
    chunk = math.prod(array.chunks or (0,)) * array.dtype.itemsize
    if chunk > MOST_CHUNK:
        what = (
            f"has an array {name} in chunks of {told_size(chunk)}; at most {told_size(MOST_CHUNK)} are read"
        )
        raise UnreadableError(what, path)


def _check_chunks(array: h5py.Dataset, path: Path) -> None:
    """Check that the filters are known, and no stored chunk unpacks to more than a chunk has."""
    plist = array.id.get_create_plist()
    filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    if not set(filters) <= set(FILTERS) or filters.count(DEFLATE) > 1:
        raise UnreadableError(f"has an array {cut(str(array.name), 40)} packed in an unknown way", path)
    whole = math.prod(array.chunks) * array.dtype.itemsize
    large: list[Any] = []

    def look(stored: Any) -> None:
        if stored.size > SMALL_CHUNK:
            large.append(stored)

    array.id.chunk_iter(look)
    for stored in large:
        if stored.size > whole + whole // 100 + 1024 or _bursts(array, stored, whole):
            raise UnreadableError(f"has an array {cut(str(array.name), 40)} with chunks too large", path)


def _bursts(array: h5py.Dataset, stored: Any, whole: int) -> bool:
    """Whether a stored chunk unpacks to more than a `whole` one and the checksum behind it."""
    if array.compression != "gzip" or whole * 2 > stored.size * PACKED:
        return False
    _, packed = array.id.read_direct_chunk(stored.chunk_offset)
    return len(zlib.decompressobj().decompress(packed, whole + 64)) > whole + 8

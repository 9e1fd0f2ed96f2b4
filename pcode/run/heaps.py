"""Lengths of texts in a file of HDF5, looked at before the library makes room for what they promise.

HDF5 keeps texts in heaps, and in their place a length, the address of the heap and an index in it. It takes
the length at its word: one damaged byte, and it fills 4 GB. Such places are in arrays of texts, and anywhere
among what a file says of its arrays; they are known by the addresses of the heaps.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.reading import UnreadableError, told_size

# How a heap begins; bytes of a text's place, and of its length there.
HEAP, PLACE, LENGTH = b"GCOL", 16, 4

# What is no longer than this is let through, whatever it is: other places in a file may look the same.
HARMLESS = 16_000_000

# The type of a list of references, 16 bytes a list, and what it says of the size of one of these. The library
# tells another size than it goes by.
OF_LISTS = re.compile(rb"[\x19\x29\x39]...\x10\x00\x00\x00[\x17\x27\x37]...(....)", re.DOTALL)

# HDF5's numbers of the filters deflate and shuffle.
DEFLATE, SHUFFLE = 1, 2


def check_heaps(path: Path, size: int, arrays: Sequence[h5py.Dataset]) -> None:
    """Raise UnreadableError if a text in the file of `size` bytes, with these `arrays`, is longer than it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        spans = list(_between(size, arrays))
        parts = [data[start:end] for start, end in spans]
        heaps = {
            start + found.start(): _indices(part, found.start())
            for (start, _), part in zip(spans, parts, strict=True)
            for found in re.finditer(HEAP, part)
        }
    for part in parts:
        for found in OF_LISTS.finditer(part):
            _check(int.from_bytes(found[1], "little"), size, path)
        for length in _lengths(part, heaps):
            _check(length, size, path)
    for array in arrays:
        if array.chunks is not None and _of_texts(array):
            for lengths in _packed(array):
                _check(int(lengths.max(initial=0)), size, path)


def _lengths(part: bytes, heaps: Mapping[int, set[int]]) -> Iterator[int]:
    """The lengths of texts in a part of a file: before the address of a heap, with an index behind it."""
    if not heaps:
        return
    addresses = re.compile(b"|".join(re.escape(struct.pack("<Q", at)) for at in heaps))
    for found in addresses.finditer(part, LENGTH, len(part) - LENGTH):
        length, at, index = struct.unpack_from("<IQI", part, found.start() - LENGTH)
        if index in heaps[at]:
            yield length


def _indices(part: bytes, start: int) -> set[int]:
    """The indices of what there is in a heap."""
    (whole,) = struct.unpack_from("<Q", part.ljust(start + 16, b"\0"), start + 8)
    found, at, end = set[int](), start + 16, min(start + whole, len(part))
    while at + 16 <= end:
        index, _, _, held = struct.unpack_from("<HHIQ", part, at)
        if index == 0:  # the rest is free
            break
        found.add(index)
        at += 16 + -(-held // 8) * 8
    return found


def _check(length: int, size: int, path: Path) -> None:
    if length > max(size, HARMLESS):
        raise UnreadableError(f"has a value of {told_size(length)} by its own account: it is damaged", path)


def _of_texts(array: h5py.Dataset) -> bool:
    return bool(array.dtype.kind == "O")


def check_types(path: Path, size: int, one: h5py.Group | h5py.Dataset) -> None:
    """Raise UnreadableError if an attribute, or an element of an array, exceeds the file."""
    types = [one.id.get_type()] if isinstance(one, h5py.Dataset) else []
    for k in range(h5py.h5a.get_num_attrs(one.id)):
        attribute = h5py.h5a.open(one.id, index=k)
        types.append(attribute.get_type())
        whole = attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size()
        _check(whole, size, path)
    for kind in types:
        parts = [kind]
        if isinstance(kind, h5py.h5t.TypeVlenID | h5py.h5t.TypeArrayID):
            parts.append(kind.get_super())
        if isinstance(kind, h5py.h5t.TypeCompoundID):
            parts += [kind.get_member_type(k) for k in range(kind.get_nmembers())]
        for part in parts:
            _check(part.get_size(), size, path)


def _between(size: int, arrays: Sequence[h5py.Dataset]) -> Iterator[tuple[int, int]]:
    """The parts of a file that are no numbers of an array."""
    held: list[tuple[int, int]] = []
    for array in arrays:
        if _of_texts(array):
            continue
        if array.chunks is not None:
            array.id.chunk_iter(lambda one: held.append((one.byte_offset, one.size)))
        elif array.id.get_offset() is not None:
            held.append((array.id.get_offset(), array.id.get_storage_size()))
    start = 0
    for begin, length in sorted(held):
        if begin > start:
            yield start, min(begin, size)
        start = max(start, begin + length)
    if start < size:
        yield start, size


def _packed(array: h5py.Dataset) -> Iterator[Any]:
    """The lengths of the texts in each chunk of an array, of the filters that NetCDF has for it."""
    plist = array.id.get_create_plist()
    filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    whole = PLACE * int(np.prod(array.chunks))
    chunks: list[Any] = []
    array.id.chunk_iter(lambda one: chunks.append((one.chunk_offset, one.filter_mask)))
    for at, skipped in chunks:
        _, content = array.id.read_direct_chunk(at)
        used = [one for k, one in enumerate(filters) if not skipped >> k & 1]
        if DEFLATE in used:
            content = zlib.decompressobj().decompress(content, whole + LENGTH)
        table = np.frombuffer(content[: len(content) // PLACE * PLACE], np.uint8)
        places = table.reshape(PLACE, -1).T if SHUFFLE in used else table.reshape(-1, PLACE)
        yield np.ascontiguousarray(places[:, :LENGTH]).view("<u4")

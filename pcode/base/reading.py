"""Reading files that a user names: ordinary ones only, and no larger than there is reason for.

A pipe, a device or a socket would be waited on, or read for ever; none of them is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from .errors import InputError

# Most bytes of a text: a scenario, a recipe, a record of a sweep; and of a table of numbers as text.
MOST_TEXT, MOST_TABLE = 4_000_000, 500_000_000

# A file may unpack to this many bytes whatever its size, and to so many times its size.
UNPACKED, TIMES = 250_000_000, 100


class UnreadableError(InputError):
    """A file that is not there, or that is not read.

    Parameters
    ----------
    what : str
        What is wrong with it.
    path : path
    missing : bool
        Whether there is none.
    """

    def __init__(self, what: str, path: str | os.PathLike[str], missing: bool = False) -> None:
        super().__init__("", what, os.fspath(path))
        self.missing = missing

    def of_key(self, where: str, right: str) -> InputError:
        """The error for the key, or argument, `where` that names the file; `right` is what to give."""
        missing = f"there is no file {self.source}"
        return InputError(where, missing if self.missing else f"{self.source} {self.what}; {right}")


@contextmanager
def opened(path: str | os.PathLike[str], most: int | None = None) -> Iterator[BinaryIO]:
    """The ordinary file at `path`, open for reading.

    Parameters
    ----------
    path : path
    most : int, optional
        Bytes that it may have.

    Raises
    ------
    UnreadableError
        If there is none, it is no ordinary file or too large, or may not be read.
    """
    try:
        # Looked at before it is opened, since opening alone does something to some devices; and after, since
        # it may be another one by then.
        _check(os.stat(path), path, most)
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except UnreadableError:
        raise
    except (OSError, ValueError) as error:
        raise _refused(error, path) from None
    with open(handle, "rb") as file:
        _check(os.fstat(handle), path, most)
        yield file


def read_bytes(path: str | os.PathLike[str], most: int = MOST_TEXT) -> bytes:
    """What is in the ordinary file at `path`; no more than its size, which those of /proc do not tell.

    Raises
    ------
    UnreadableError
        As for `opened`.
    """
    with opened(path, most) as file:
        try:
            return file.read(os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise _refused(error, path) from None


def read_text(path: str | os.PathLike[str], most: int = MOST_TEXT) -> str:
    """The text in UTF-8 in the ordinary file at `path`, with a byte order mark or without.

    Raises
    ------
    UnreadableError
        As for `opened`; or if it is not UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError("is not a text in UTF-8", path) from None


def check_ordinary(path: str | os.PathLike[str], most: int | None = None) -> None:
    """Raise UnreadableError, as `opened` does, unless the file can be read."""
    with opened(path, most):
        pass


def told_size(count: float) -> str:
    """A number of bytes in words."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e3:.3g} kB"


def most_unpacked(size: int) -> int:
    """Bytes that a file of `size` bytes may unpack to."""
    return max(UNPACKED, TIMES * size)


def check_unpacked(needed: int, size: int, path: str | os.PathLike[str]) -> None:
    """Raise UnreadableError if what a file of `size` bytes says that it holds, in bytes, is too much."""
    most = most_unpacked(size)
    if needed > most:
        what = f"would unpack to {told_size(needed)}; a file of its size may to {told_size(most)}"
        raise UnreadableError(what, path)


def _check(found: os.stat_result, path: str | os.PathLike[str], most: int | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise UnreadableError("is a folder", path)
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableError("is no ordinary file but a pipe, a device or a socket, which is not read", path)
    if most is not None and found.st_size > most:
        what = f"has {told_size(found.st_size)}, more than the {told_size(most)} that are read"
        raise UnreadableError(what, path)


def _refused(error: OSError | ValueError, path: str | os.PathLike[str]) -> UnreadableError:
    if isinstance(error, ValueError):  # a NUL, or what no name of a file can be made of
        return UnreadableError("is no name that a file can have", path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return UnreadableError("there is no such file", path, missing=True)
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnreadableError(f"may not be read ({error.strerror})", path)
    return UnreadableError(f"cannot be read ({error.strerror})", path)

"""Folders held by one process at a time.

On Linux and macOS the folder itself is locked: the lock goes with the process, however that ends, and there
is no file that could be left behind. Where there are no such locks a file stands for it, which the system
takes away with the process (Windows). On file systems that know neither, folders are not held.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from .at_once import undone_at_once
from .errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# The file that stands for the lock where folders cannot be locked.
MARK = ".pcode-claim"


# How often a folder is made again that others take away just as it is to be held.
TRIES = 100


@contextmanager
def claimed(folder: Path, where: str = "--out") -> Iterator[None]:
    """Hold `folder` for this process alone.

    It is made if need be, and taken away if nothing has been written to it by the end.

    Parameters
    ----------
    folder : Path
    where : str
        The argument to name in errors.

    Raises
    ------
    InputError
        If another process holds it, or it cannot be made.
    """
    made: list[Path] = []

    def take_away() -> None:
        for path in reversed(made):
            with suppress(OSError):  # something has been written to it
                path.rmdir()

    with ExitStack() as stack:
        stack.enter_context(undone_at_once(take_away))
        stack.callback(take_away)
        try:
            stack.enter_context(_held(folder, made))
        except (BlockingIOError, FileExistsError):
            what = "another process writes there; wait for it, or give another folder"
            raise InputError(where, what, str(folder)) from None
        except OSError as error:
            what = f"cannot be written ({error.strerror}); give a folder that can be"
            raise InputError(where, what, str(folder)) from None
        yield


def _held(folder: Path, made: list[Path]) -> AbstractContextManager[None]:
    """Make `folder` and hold it; the folders that were made are put into `made`."""
    for tries_left in reversed(range(TRIES)):
        made[:] = reversed([path for path in (folder, *folder.parents) if not path.exists()])
        try:
            for path in made:
                path.mkdir(exist_ok=True)
            return _lock(folder) if fcntl is not None else _mark(folder)
        except FileNotFoundError:  # whoever held it has taken it away
            if not tries_left:
                raise
    raise AssertionError


def _lock(folder: Path) -> AbstractContextManager[None]:
    """Lock the folder itself."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before may have taken it away, or made another of this name, before it was locked.
        if not os.path.samestat(os.stat(folder), os.fstat(handle)):
            raise FileNotFoundError(errno.ENOENT, "was taken away", str(folder))
    except (BlockingIOError, FileNotFoundError):
        os.close(handle)
        raise
    except OSError:  # a file system without locks
        pass
    return _closing(handle)


@contextmanager
def _closing(handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(handle)


def _mark(folder: Path) -> AbstractContextManager[None]:
    """Make a file that there can be one of; on Windows the system takes it away as it is closed."""
    mark = folder / MARK
    return _marked(mark, os.open(mark, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_TEMPORARY", 0)))


@contextmanager
def _marked(mark: Path, handle: int) -> Iterator[None]:
    with undone_at_once(mark.unlink):
        try:
            yield
        finally:
            if not hasattr(os, "O_TEMPORARY"):
                mark.unlink(missing_ok=True)
            os.close(handle)

"""Writing files without losing what they held, or what they were to hold, if writing fails."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from . import checks
from .at_once import undone_at_once
from .elsewhere import kept_elsewhere, write_through
from .errors import InputError, visible

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Names of files that are being written, as `_temporary` makes them; earlier versions had no `.part` in them.
_TEMPORARY = re.compile(r"\.(?P<stem>.+)-[a-z0-9_]{8}(?P<part>\.part)?(?P<suffix>\.[^.]+)?", re.DOTALL)


class UnsavedError(InputError):
    """An InputError that says where a result has been kept, which is told whole."""

    def __str__(self) -> str:
        return ": ".join(visible(part) for part in (self.source, self.where, self.what) if part)


class NotSavedError(OSError):
    """A result that could not be written where it was to go.

    Attributes
    ----------
    kept : Path or None
        The folder where it has been kept instead, if there was one with room.
    """

    def __init__(self, error: OSError, target: Path, kept: Path | None, told: str) -> None:
        why = error.strerror or str(error) or type(error).__name__
        super().__init__(error.errno or errno.EIO, f"{why}; {told}", str(target))
        self.kept = kept

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


@contextmanager
def replacing(path: str | os.PathLike[str], where: str = "path") -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` if the block ends without an error.

    The temporary name has the same suffix, since writers choose formats by it. Before it is renamed the file
    is brought to the disk, so that after a power failure too there is the older file or the whole new one.

    Parameters
    ----------
    path : str or path
        A leading ``~`` is expanded.
    where : str
        The argument to name in errors.

    Raises
    ------
    InputError
        If no file can be written there: `path` is not a path, is a folder, or lies in a folder that does not
        exist or is not writable.
    OSError
        If writing fails later on. It names `path`, not the temporary file.
    """
    target = writable(path, where)
    with _temporary(target, where) as temporary, _naming(target, temporary):
        yield temporary
        _to_disk(temporary)
        temporary.replace(target)
        _list_to_disk(target.parent)


def save_files(
    contents: Mapping[str | os.PathLike[str], bytes | memoryview],
    commit: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Write the files of a result, which is kept elsewhere if that fails.

    Parameters
    ----------
    contents : mapping of path to bytes
        All are written before the first takes the place of an older file.
    commit : callable, optional
        Makes the context in which older files are replaced.

    Raises
    ------
    InputError
        If a file cannot be written there; the message says where the result has been kept.
    NotSavedError
        If writing fails later on; likewise.
    """
    wanted = {checks.path("path", path): content for path, content in contents.items()}
    first, *_ = wanted
    try:
        _write_together(wanted, commit)
    except InputError as error:
        _, told = kept_elsewhere(wanted)
        raise UnsavedError(error.where, f"{error.what}; {told}", error.source) from None
    except OSError as error:
        kept, told = kept_elsewhere(wanted)
        failed = Path(error.filename) if error.filename in map(str, wanted) else first
        raise NotSavedError(error, failed, kept, told) from None


def _write_together(
    contents: Mapping[Path, bytes | memoryview], commit: Callable[[], AbstractContextManager[None]]
) -> None:
    with ExitStack() as stack:
        made: dict[Path, Path] = {}
        for path, content in contents.items():
            target = writable(path)
            temporary = stack.enter_context(_temporary(target, "path"))
            stack.enter_context(_naming(target, temporary))
            write_through(temporary, content)
            made[target] = temporary
        with commit():
            for target, temporary in made.items():
                temporary.replace(target)
        for folder in {target.parent for target in made}:
            _list_to_disk(folder)


@contextmanager
def _temporary(target: Path, where: str) -> Iterator[Path]:
    """A new file beside `target`, locked while this process writes it, which is not there afterwards."""
    name = f".{target.stem[:40]}-{secrets.token_hex(4)}.part{target.suffix}"
    temporary = target.with_name(name)

    def remove() -> None:
        temporary.unlink(missing_ok=True)

    with undone_at_once(remove):
        try:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            what = f"cannot be written ({error.strerror}); give a file in a folder that can be"
            raise InputError(where, what, str(target)) from None
        try:
            if fcntl is None:  # Windows renames no file that is open
                os.close(handle)
            else:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield temporary
        finally:
            with suppress(OSError):  # the folder may be gone, or not ours any more
                remove()
            if fcntl is not None:
                os.close(handle)


@contextmanager
def _naming(target: Path, temporary: Path) -> Iterator[None]:
    """Errors that name the temporary file name `target` instead."""
    try:
        yield
    except OSError as error:
        name = str(temporary)
        if name not in str(error):
            if error.errno is not None and error.filename is None:
                error.filename = str(target)
            raise
        if error.errno is None:
            raise OSError(str(error).replace(name, str(target))) from None
        raise OSError(error.errno, (error.strerror or "").replace(name, str(target)), str(target)) from None


def _to_disk(path: Path, flags: int = os.O_RDWR) -> None:
    """Have the system bring a file to the disk."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot be asked
            raise
    finally:
        os.close(handle)


def _list_to_disk(folder: Path) -> None:
    """Have the system bring a folder's list of files to the disk, where it may be asked."""
    if hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
        with suppress(PermissionError):
            _to_disk(folder, os.O_RDONLY | os.O_DIRECTORY)


def clear_left(folder: Path, names: Collection[str]) -> None:
    """Take away unfinished files that a process which was killed has left in `folder`.

    Parameters
    ----------
    folder : Path
    names : collection of str
        Files that are written there. Of earlier versions only unfinished ones of these are known.
    """
    own = {(Path(name).stem[:40], Path(name).suffix) for name in names}
    with suppress(OSError):
        for path in list(folder.iterdir()):
            found = _TEMPORARY.fullmatch(path.name)
            if found and (found["part"] or (found["stem"], found["suffix"] or "") in own):
                _remove_abandoned(path)


def _remove_abandoned(path: Path) -> None:
    """Take a file away unless a process is writing it."""
    with suppress(OSError):
        if fcntl is None:  # Windows takes away no file that is open
            path.unlink()
            return
        if not stat.S_ISREG(path.lstat().st_mode):
            return
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(handle)


def writable(path: str | os.PathLike[str], where: str = "path") -> Path:
    """`path`, its ``~`` expanded, if a file can be written there: its folder exists, and it is no device.

    Raises
    ------
    InputError
        If it cannot.
    """
    target = checks.path(where, path)
    try:
        if target.is_dir():
            raise InputError(where, "is a folder; give the name of a file in it", str(target))
        if target.exists() and not target.is_file():
            # A device or a pipe would be replaced, not written to.
            raise InputError(where, "is no ordinary file; give the name of one", str(target))
        if not target.parent.is_dir():
            what = f"there is no folder {target.parent} to write to; make it first"
            raise InputError(where, what, str(target))
    except OSError as error:  # such as a name too long, or a folder without permission to search it
        raise InputError(where, f"cannot be written ({error.strerror})", str(target)) from None
    return target

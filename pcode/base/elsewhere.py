"""Where a result goes that cannot be written where it was to go."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Bytes that are handed to the system at a time.
PIECE = 1 << 24

# Bytes of the longest name that any file system is sure to allow, less those of a piece's number.
LONGEST = 200


def write_through(path: Path, content: bytes | memoryview) -> None:
    """Write a file, and have the system bring it to the disk.

    Raises
    ------
    OSError
        If there is no room, or anything else is in the way.
    """
    with path.open("wb", buffering=0) as file:
        left = memoryview(content)
        while left:
            left = left[file.write(left[:PIECE]) or 0 :]
        os.fsync(file.fileno())


def file_size_limit() -> int | None:
    """The most bytes that the system lets this process write to one file; None where it sets no limit."""
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else int(limit)


def free_space(folder: Path) -> int | None:
    """How many bytes there is room for in a folder; None where the system does not tell."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.free if usage.total else None


def room_elsewhere(size: int) -> bool:
    """Whether there is a place for so many bytes that `kept_elsewhere` would take."""
    known = [free_space(place) for place in _places() if os.access(place, os.W_OK)]
    return any(free is None or free >= size for free in known)


def kept_elsewhere(contents: Mapping[Path, bytes | memoryview]) -> tuple[Path | None, str]:
    """Write files to a new folder, wherever there is room for them all.

    Tried are the system's folder for temporary files, the user's home, the current folder, and memory. Where
    only the limit on a file's size is in the way, files are kept in pieces.

    Returns
    -------
    Path or None
        The folder, if there is one.
    str
        What has become of them, in words.
    """
    for parent in _places():
        folder: Path | None = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="pcode-", dir=parent))
            named = {_name(path): content for path, content in contents.items()}
            whole = [_keep(folder / name, content) for name, content in named.items()]
            return folder, _told(folder, list(named), all(whole))
        except OSError:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
    return None, "and no other place has room to keep it"


def _name(path: Path) -> str:
    """The name that a file is kept by: its own, unless that is what is wrong with it."""
    return path.name if 0 < len(os.fsencode(path.name)) <= LONGEST else f"result{path.suffix[:10]}"


def _keep(path: Path, content: bytes | memoryview) -> bool:
    """Write a file, in pieces if need be; whether it is in one."""
    limit = file_size_limit()
    try:
        write_through(path, content)
    except OSError as error:
        if error.errno != errno.EFBIG or not limit:
            raise
        path.unlink()
        view = memoryview(content)
        for k, start in enumerate(range(0, len(view), limit)):
            write_through(path.with_name(f"{path.name}.{k:06}"), view[start : start + limit])
        return False
    return True


def _told(folder: Path, names: Sequence[str], whole: bool) -> str:
    if not whole:
        return f"it is kept in pieces in {folder}: cat {names[0]}.* > {names[0]}"
    if len(names) == 1:
        return f"it is kept as {folder / names[0]}"
    return f"{' and '.join(names)} are kept in {folder}"


def _places() -> Iterator[Path]:
    with suppress(OSError):
        yield Path(tempfile.gettempdir())
    with suppress(RuntimeError):
        yield Path.home()
    with suppress(OSError):
        yield Path.cwd()
    yield Path("/dev/shm")

"""Writing files so that nothing a user had is lost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import checks
from .errors import InputError


@contextmanager
def replacing(path: str | os.PathLike[str], where: str = "path") -> Iterator[Path]:
    """A temporary path beside `path`; it becomes `path` if the block ends without an error.

    The suffix is kept, since writers choose formats by it.

    Parameters
    ----------
    path : str or path
        A ``~`` at its beginning is expanded.
    where : str
        The argument to name in errors.

    Raises
    ------
    InputError
        If no file can be written there: `path` is none, is a folder, or lies in a folder that is not there
        or may not be written.
    OSError
        If writing fails later on. It names `path`, and not the temporary one.
    """
    target = writable(path, where)
    try:
        # A name of its own may be as long as the system allows; this one is longer.
        prefix = f".{target.stem[:40]}-"
        handle, name = tempfile.mkstemp(suffix=target.suffix, prefix=prefix, dir=target.parent)
    except OSError as error:
        what = f"cannot be written ({error.strerror}); give a file in a folder that can be"
        raise InputError(where, what, str(target)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read; results are ordinary files.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        if name not in str(error):
            raise
        if error.errno is None:
            raise OSError(str(error).replace(name, str(target))) from None
        raise OSError(error.errno, (error.strerror or "").replace(name, str(target)), str(target)) from None
    finally:
        temporary.unlink(missing_ok=True)


def writable(path: str | os.PathLike[str], where: str = "path") -> Path:
    """`path`, its ``~`` expanded, if it can be a file: its folder is there, and it is no folder or device.

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
            # A device or a pipe would not be written to, but replaced.
            raise InputError(where, "is no ordinary file; give the name of one", str(target))
        if not target.parent.is_dir():
            what = f"there is no folder {target.parent} to write to; make it first"
            raise InputError(where, what, str(target))
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise InputError(where, f"cannot be written ({error.strerror})", str(target)) from None
    return target

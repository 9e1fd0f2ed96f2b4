"""Writing files without losing what they held if writing fails."""

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
    """Yield a temporary path beside `path`, and rename it to `path` if the block ends without an error.

    The temporary name has the same suffix, since writers choose formats by it.

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
    try:
        # Cut short: the user's name may be as long as the system allows, and this one is longer.
        prefix = f".{target.stem[:40]}-"
        handle, name = tempfile.mkstemp(suffix=target.suffix, prefix=prefix, dir=target.parent)
    except OSError as error:
        what = f"cannot be written ({error.strerror}); give a file in a folder that can be"
        raise InputError(where, what, str(target)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read: give results the usual permissions.
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

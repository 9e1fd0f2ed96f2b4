"""Arrays of numbers from ``.npz`` files."""

from __future__ import annotations

import os
import zipfile
from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from .network import Array


def read_npz(path: str | os.PathLike[str], where: str) -> dict[str, Array]:
    """The arrays of an ``.npz`` file, read without pickle.

    Parameters
    ----------
    path : path
    where : str
        The key to name in errors.

    Raises
    ------
    InputError
        If the file does not exist, is not an ``.npz`` file, or holds something other than numbers.
    """
    try:
        # Opened here, because np.load leaves a file open if it cannot read it.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(where, f"there is no file {path}") from None
    except IsADirectoryError:
        raise InputError(where, f"{path} is a folder; give an .npz file") from None
    except PermissionError:
        raise InputError(where, f"{path} may not be read; give a file that you may read") from None
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile):
        raise InputError(
            where, f"{path} is not an .npz file of plain numbers; numpy.savez writes one"
        ) from None
    return {name: _of_file(path, where, name, array) for name, array in arrays.items()}


def _of_file(path: str | os.PathLike[str], where: str, name: str, array: Any) -> Array:
    try:
        return checks.real_array(name, array)
    except InputError as error:
        raise InputError(where, f"array {name} in {path} {error.what}") from None

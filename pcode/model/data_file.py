"""Samples from ``.npz`` and ``.csv`` files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from .csv_file import Places, read_csv
from .network import Array
from .npz_file import read_npz


def read_samples(
    path: Path, inputs: Sequence[str] | None, targets: Sequence[str] | None, labels: bool
) -> tuple[dict[str, Any], Places | None]:
    """Inputs and, if there are any, targets of a file, by these names; and where they stand in it.

    Parameters
    ----------
    path : Path
    inputs, targets : sequence of str, optional
        Names of columns or arrays, see `Data.load`.
    labels : bool
        Whether targets may be texts, in a ``.csv`` file.

    Raises
    ------
    InputError
        If the file does not exist, cannot be read, or holds something else.
    """
    for kind, named in (("inputs", inputs), ("targets", targets)):
        if named is not None:
            checks.listed(kind, named, "a list of names of columns or arrays")
    if targets is not None and inputs is None:
        raise InputError("inputs", "is missing; targets names columns, so name those of the inputs too")
    if path.suffix.lower() == ".npz":
        return _from_npz(read_npz(path, "file"), path, inputs, targets), None
    if path.suffix.lower() == ".csv":
        return read_csv(path, inputs, targets, ("targets",) if labels else ())
    raise InputError("file", f"{path} must be an .npz or a .csv file")


def _from_npz(
    arrays: Mapping[str, Array], path: Path, inputs: Sequence[str] | None, targets: Sequence[str] | None
) -> dict[str, Array]:
    """Inputs and targets from the arrays of a file."""
    if inputs is None and set(arrays) >= {"inputs"}:
        return {kind: arrays[kind] for kind in ("inputs", "targets") if kind in arrays}
    if inputs is None:
        inputs = ["inputs"]
    wanted = {"inputs": inputs} | ({} if targets is None else {"targets": targets})
    missing = [name for names in wanted.values() for name in names if name not in arrays]
    if missing:
        held = ", ".join(arrays) or "nothing"
        right = "give it inputs and targets, or name its arrays in both keys"
        what = f"{path} has no array {' nor '.join(dict.fromkeys(missing))} (it holds {held}); {right}"
        raise InputError("file", what)
    return {kind: _beside(path, [arrays[name] for name in names], names) for kind, names in wanted.items()}


def _beside(path: Path, arrays: Sequence[Array], names: Sequence[str]) -> Array:
    """Arrays side by side; one with a single dimension is a column."""
    tables = [array[:, np.newaxis] if array.ndim == 1 else array for array in arrays]
    if any(table.ndim != 2 or len(table) != len(tables[0]) for table in tables):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise InputError("file", f"{path} has arrays with other numbers of samples: {shapes}")
    return np.concatenate(tables, axis=1)

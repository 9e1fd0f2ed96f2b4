"""Data sets by name or from files, and their split into training and test samples."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.short import Short
from .csv_file import Places, read_csv
from .network import Array

# Upper bound on the number of samples, beyond any file.
MOST = 10**12

Part = Literal["train", "test", "all"]


@dataclass(frozen=True, eq=False)
class Data(Short):
    """Samples: inputs and, optionally, targets.

    Parameters
    ----------
    inputs : ndarray, shape (samples, n_0)
        Values for the input layer.
    targets : ndarray, shape (samples, n_n), or None
        Values for the output layer.
    train : int
        The first `train` rows are training samples, the rest test samples; all are training samples if left
        out.
    origin : sequence of int
        Row of the source that each sample comes from; its own row if left out.
    places : Places, optional
        Where the values stand in the file that they come from.

    Raises
    ------
    InputError
        If an array is ragged, empty or not of real numbers, or the two differ in their number of samples; if
        `train` or `origin` does not fit them.
    """

    inputs: Array
    targets: Array | None
    train: int
    origin: tuple[int, ...]
    places: Places | None

    def __init__(
        self,
        inputs: Any,
        targets: Any = None,
        train: int | None = None,
        origin: Sequence[int] | None = None,
        places: Places | None = None,
    ) -> None:
        object.__setattr__(self, "inputs", _table("inputs", inputs))
        object.__setattr__(self, "targets", None if targets is None else _table("targets", targets))
        count = len(self.inputs)
        if self.targets is not None and len(self.targets) != count:
            what = f"has {len(self.targets)} samples where inputs has {count}; give one row a sample"
            raise InputError("targets", what)
        of_train = count if train is None else checks.whole("train", train, least=0, most=count)
        object.__setattr__(self, "train", of_train)
        rows = range(count) if origin is None else checks.listed("origin", origin, "a list of rows")
        if len(rows) != count:
            raise InputError("origin", f"has {len(rows)} rows where inputs has {count} samples")
        object.__setattr__(self, "origin", tuple(checks.whole("origin", row, least=0) for row in rows))
        object.__setattr__(self, "places", places)

    def __len__(self) -> int:
        return len(self.inputs)

    def rows(self, part: Part) -> tuple[int, ...]:
        """Indices of the training or test samples, or of all; training samples come first."""
        checks.word("part", part, get_args(Part))
        bounds = {"train": (0, self.train), "test": (self.train, len(self)), "all": (0, len(self))}
        return tuple(range(*bounds[part]))

    @property
    def classes(self) -> bool:
        """Whether the targets are one-hot: a single 1 in every row, all else 0 (or all else -1)."""
        return self.targets is not None and _one_hot(self.targets)

    def split(self, train: int | None = None, test: int | None = None, seed: int = 0) -> Data:
        """Draw training and test samples at random, stratified by class if the targets are one-hot.

        Parameters
        ----------
        train, test : int, optional
            Number of each. With `train` alone there are no test samples; with `test` alone the rest are
            training samples; with neither, nothing is drawn and the data are returned as they are.
        seed : int
            Seed of the order in which they are drawn. With the same seed a larger `train` contains a smaller
            one.

        Raises
        ------
        InputError
            If there are too few samples.
        """
        train = None if train is None else checks.whole("train", train, least=0, most=MOST)
        test = None if test is None else checks.whole("test", test, least=0, most=MOST)
        seed = checks.whole("seed", seed, least=0)
        if train is None and test is None:
            return self
        of_test = test or 0
        of_train = len(self) - of_test if train is None else train
        if of_train < 0 or of_train + of_test > len(self):
            key = "test" if train is None else "train"
            asked = of_test + (train or 0)
            raise InputError(
                key, f"asks for {asked} samples, train and test together; the data has {len(self)}"
            )
        if of_train + of_test == 0:
            raise InputError("train", "leaves no sample at all; ask for 1 or more")
        order = self._order(np.random.default_rng(seed))[: of_train + of_test]
        targets = None if self.targets is None else self.targets[order]
        return Data(self.inputs[order], targets, of_train, [self.origin[k] for k in order], self.places)

    def place(self, name: str, row: int, column: int) -> str:
        """Where a value stands, in words; `name` is ``"inputs"`` or ``"targets"``."""
        source = self.origin[row]
        if self.places is None:
            return f"{name}, row {source}, value {column} (counted from 0)"
        return f"{self.places.columns[name][column]} in line {self.places.lines[source]}"

    def _order(self, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.intp]]:
        """A random order of the samples in which every contiguous part is stratified by class."""
        order = rng.permutation(len(self))
        if self.targets is None or not self.classes:
            return order
        labels = self.targets[order].argmax(axis=1)
        place = np.empty(len(self))
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            place[members] = (np.arange(members.size) + rng.random()) / members.size
        return order[np.argsort(place, kind="stable")]


def _xor() -> Data:
    inputs = [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    return Data(inputs, [[-1.0], [1.0], [1.0], [-1.0]])


def _digits() -> Data:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return Data(pixels / 16.0, np.eye(10)[labels])


DATA: Mapping[str, tuple[Callable[[], Data], str]] = {
    "xor": (_xor, "exclusive or, coded -1 and +1: 4 samples, 2 inputs, 1 target"),
    "digits": (
        _digits,
        "8x8 images of handwritten digits: 1797 samples, 64 inputs in [0, 1], 10 one-hot targets",
    ),
}


# Rows and columns of the images that the inputs of some data sets are.
IMAGES: Mapping[str, tuple[int, int]] = {"digits": (8, 8)}


def by_name(name: str) -> Data:
    """The data set called `name`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if not isinstance(name, str) or name not in DATA:
        raise InputError("name", f"no data set {name!r}; there are {', '.join(DATA)}")
    return DATA[name][0]()


def from_file(
    path: str | os.PathLike[str], inputs: Sequence[str] | None = None, targets: Sequence[str] | None = None
) -> Data:
    """Read samples from a file.

    Parameters
    ----------
    path : path
        A ``.csv`` file with a header, or an ``.npz`` file with one row a sample in each array. An empty cell
        is NaN.
    inputs, targets : sequence of str, optional
        Names of the columns, or arrays, that are inputs and targets, in their order. Left out, these are the
        columns whose names begin with ``input`` and ``target``, or the arrays ``inputs`` and, if it is there,
        ``targets``.

    Raises
    ------
    InputError
        If the file does not exist, cannot be read, or holds something else.
    """
    path = checks.path("file", path)
    for kind, named in (("inputs", inputs), ("targets", targets)):
        if named is not None:
            checks.listed(kind, named, "a list of names of columns or arrays")
    if targets is not None and inputs is None:
        raise InputError("inputs", "is missing; targets names columns, so name those of the inputs too")
    places = None
    if path.suffix.lower() == ".npz":
        columns: dict[str, Any] = _from_npz(read_npz(path, "file"), path, inputs, targets)
    elif path.suffix.lower() == ".csv":
        columns, places = read_csv(path, inputs, targets)
    else:
        raise InputError("file", f"{path} must be an .npz or a .csv file")
    try:
        return Data(**columns, places=places)
    except InputError as error:
        raise InputError("file", f"{path}: {error.where} {error.what}") from None


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


def _table(where: str, values: Any) -> Array:
    table = checks.real_array(where, values)
    if table.size == 0:
        raise InputError(where, "holds no values; give one row a sample")
    if table.ndim != 2:
        what = f"has shape {table.shape}; it must be (samples, values), one row a sample"
        raise InputError(where, what)
    return table


def _one_hot(targets: Array) -> bool:
    hot = targets == 1.0
    cold = (targets == 0.0).sum() or (targets == -1.0).sum()
    return bool((hot.sum(axis=1) == 1).all() and targets.shape[1] > 1 and cold == targets.size - len(targets))

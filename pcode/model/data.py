"""Samples to show to a network: where they come from, and what is made of them before they are shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from ..base.short import Short
from . import data_sets
from .csv_file import Places
from .data_file import read_samples
from .labels import Levels, checked_levels, encoded, hot, levels_of, named_classes
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
    levels : tuple of float, or None
        For one-hot targets, their value for all other classes and that for the class of a sample. Left out,
        0 and 1 and -1 and 1 are recognised; None where the targets name no classes.
    class_names : tuple of str, or None
        For one-hot targets, what the classes are called; "0", "1", ... if left out.
    mean, std : ndarray, shape (n_0,), or None
        What was subtracted from the inputs and what they were then divided by, see `standardise`.

    Raises
    ------
    InputError
        If an array is ragged, empty or not of real numbers, or the two differ in their number of samples; if
        another argument does not fit them.

    Examples
    --------
    >>> data = pcode.Data.named("digits").split(train=1437, test=360).with_levels(0.03, 0.97)
    >>> train = pcode.Phase("train", {0: data.train_inputs, 2: data.train_targets}, duration="20 s")
    """

    inputs: Array
    targets: Array | None
    train: int
    origin: tuple[int, ...]
    places: Places | None
    levels: Levels | None
    class_names: tuple[str, ...] | None
    mean: Array | None
    std: Array | None

    def __init__(
        self,
        inputs: Any,
        targets: Any = None,
        train: int | None = None,
        origin: Sequence[int] | None = None,
        places: Places | None = None,
        levels: Sequence[float] | None = None,
        class_names: Sequence[str] | None = None,
        mean: Any = None,
        std: Any = None,
    ) -> None:
        def keep(key: str, value: object) -> None:
            object.__setattr__(self, key, value)

        keep("inputs", _table("inputs", inputs))
        keep("targets", None if targets is None else _table("targets", targets))
        count = len(self.inputs)
        if self.targets is not None and len(self.targets) != count:
            what = f"has {len(self.targets)} samples where inputs has {count}; give one row a sample"
            raise InputError("targets", what)
        keep("train", count if train is None else checks.whole("train", train, least=0, most=count))
        rows = range(count) if origin is None else checks.listed("origin", origin, "a list of rows")
        if len(rows) != count:
            raise InputError("origin", f"has {len(rows)} rows where inputs has {count} samples")
        keep("origin", tuple(checks.whole("origin", row, least=0) for row in rows))
        keep("places", places)
        keep("levels", levels_of(self.targets) if levels is None else self._given_levels(levels))
        keep("class_names", self._named(class_names))
        for key, value in (("mean", mean), ("std", std)):
            keep(key, None if value is None else checks.real_array(key, value))

    def _given_levels(self, levels: Sequence[float]) -> Levels:
        given = checked_levels(levels)
        if self.targets is None or hot(self.targets, given) is None:
            raise InputError("levels", f"{given[0]:g} and {given[1]:g} are not those of one-hot targets here")
        return given

    def _named(self, class_names: Sequence[str] | None) -> tuple[str, ...] | None:
        if self.targets is None or self.levels is None:
            if class_names is not None:
                what = "goes with one-hot targets; make labels one-hot (one_hot = true), or leave it out"
                raise InputError("class_names", what)
            return None
        count = self.targets.shape[1]
        return tuple(map(str, range(count))) if class_names is None else named_classes(class_names, count)

    @classmethod
    def named(cls, name: str, /, **options: Any) -> Data:
        """The data set called `name`.

        Parameters
        ----------
        name : {"xor", "digits", "iris", "wine", "breast_cancer", "two_moons"}
            Those of scikit-learn, and exclusive or. Classes are one-hot, one output each, also where there
            are two of them. Pixels of digits are divided by 16; other inputs are as they were measured.
        **options
            For two_moons: `samples` (400), `noise`, the standard deviation of the points from their half
            circle (0.1), and `seed` of the noise (0).

        Raises
        ------
        InputError
            If there is none of that name, or it does not take the options.
        """
        inputs, targets, class_names = data_sets.named(name, options)
        return cls(inputs, targets, class_names=class_names)

    @classmethod
    def labelled(cls, inputs: Any, labels: Any, class_names: Sequence[str] | None = None) -> Data:
        """Samples with labels of classes, which become one-hot targets of 0 and 1.

        Parameters
        ----------
        inputs : array_like, shape (samples, n_0)
        labels : sequence of int or str, one a sample
        class_names : sequence of str, optional
            The classes in their order; labels are these names, or the numbers 0..k-1. Left out, the classes
            are the different labels in increasing order.

        Raises
        ------
        InputError
            If labels are no whole numbers or texts, or are not among the class names.
        """
        listed = checks.listed("labels", labels, "a list of labels, one a sample")
        targets, names = encoded("labels", listed, class_names)
        return cls(inputs, targets, class_names=names)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        inputs: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        *,
        one_hot: bool = False,
        class_names: Sequence[str] | None = None,
    ) -> Data:
        """Read samples from a file.

        Parameters
        ----------
        path : path
            A ``.csv`` file with a header, or an ``.npz`` file with one row a sample in each array. An empty
            cell is NaN.
        inputs, targets : sequence of str, optional
            Names of the columns, or arrays, that are inputs and targets, in their order. Left out, these are
            the columns whose names begin with ``input`` and ``target``, or the arrays ``inputs`` and, if it
            is there, ``targets``.
        one_hot : bool
            Whether the targets are a single column of labels of classes, whole numbers or (in a ``.csv``
            file) texts, which become one-hot; see `labelled`.
        class_names : sequence of str, optional
            Names of the classes.

        Raises
        ------
        InputError
            If the file does not exist, cannot be read, or holds something else.
        """
        one_hot = checks.flag("one_hot", one_hot)
        path = checks.path("file", path)
        columns, places = read_samples(path, inputs, targets, one_hot)
        if one_hot:
            try:
                encode = _OneHot(columns.get("targets"), places)
                columns["targets"], class_names = encode(class_names)
            except InputError as error:
                raise InputError(error.where, f"{path}: {error.what}") from None
        try:
            return cls(**columns, places=places, class_names=class_names)
        except InputError as error:
            if error.where == "class_names":
                raise
            raise InputError("file", f"{path}: {error.where} {error.what}") from None

    def __len__(self) -> int:
        return len(self.inputs)

    def rows(self, part: Part) -> tuple[int, ...]:
        """Indices of the training or test samples, or of all; training samples come first."""
        checks.word("part", part, get_args(Part))
        bounds = {"train": (0, self.train), "test": (self.train, len(self)), "all": (0, len(self))}
        return tuple(range(*bounds[part]))

    @property
    def train_inputs(self) -> Array:
        """Inputs of the training samples."""
        return self.inputs[: self.train]

    @property
    def test_inputs(self) -> Array:
        """Inputs of the test samples."""
        return self.inputs[self.train :]

    @property
    def train_targets(self) -> Array:
        """Targets of the training samples.

        Raises
        ------
        InputError
            If there are no targets.
        """
        return self._some_targets[: self.train]

    @property
    def test_targets(self) -> Array:
        """Targets of the test samples; see `train_targets`."""
        return self._some_targets[self.train :]

    @property
    def _some_targets(self) -> Array:
        if self.targets is None:
            raise InputError("targets", "there are none in these data; give them, one row a sample")
        return self.targets

    @property
    def classes(self) -> bool:
        """Whether the targets name classes: one-hot, a single upper level in every row, else the lower."""
        return self.levels is not None

    @property
    def labels(self) -> NDArray[np.intp]:
        """Number of the class of each sample, shape (samples,).

        Raises
        ------
        InputError
            If the targets name no classes.
        """
        if self.targets is None or self.levels is None:
            what = "name no classes: a single 1 in every row, else 0; make labels one-hot (one_hot = true)"
            raise InputError("targets", what)
        numbers: NDArray[np.intp] = self.targets.argmax(axis=1)
        return numbers

    def balance(self) -> dict[str, dict[str, int]]:
        """How many training and test samples there are of each class: ``{name: {"train": , "test": }}``.

        Raises
        ------
        InputError
            If the targets name no classes.
        """
        labels, names = self.labels, self.class_names or ()
        parts = {"train": labels[: self.train], "test": labels[self.train :]}
        counts = {part: np.bincount(of_part, minlength=len(names)) for part, of_part in parts.items()}
        return {name: {part: int(counts[part][k]) for part in parts} for k, name in enumerate(names)}

    def one_hot(self, class_names: Sequence[str] | None = None) -> Data:
        """The same with one-hot targets of 0 and 1, where they are a single column of labels of classes.

        Parameters
        ----------
        class_names : sequence of str, optional
            As for `labelled`.

        Raises
        ------
        InputError
            If they are not.
        """
        targets, names = _OneHot(self.targets, self.places, self.origin)(class_names)
        return replace(self, targets=targets, levels=None, class_names=names)

    def with_levels(self, low: float, high: float) -> Data:
        """The same with other levels of the one-hot targets, such as 0.03 and 0.97 for logistic outputs.

        Parameters
        ----------
        low, high : float
            Target of all other classes, and of the class of a sample; low < high.

        Raises
        ------
        InputError
            If the targets name no classes, or the levels are not in this order.
        """
        levels = checked_levels((low, high))
        if self.targets is None or self.levels is None:
            what = "are for one-hot targets, and these are not; make labels one-hot (one_hot = true)"
            raise InputError("levels", what)
        targets = np.where(self.targets == self.levels[1], levels[1], levels[0])
        return replace(self, targets=targets, levels=levels)

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
        return replace(
            self,
            inputs=self.inputs[order],
            targets=None if self.targets is None else self.targets[order],
            train=of_train,
            origin=[self.origin[k] for k in order],  # type: ignore[arg-type]
        )

    def standardise(self) -> Data:
        """The same with inputs of mean 0 and standard deviation 1 in each column of the training samples.

        Test samples are treated with the same numbers, which are kept as `mean` and `std`. A column that is
        constant in the training samples becomes 0, in the test samples as well.

        Raises
        ------
        InputError
            If there are no training samples, or one has an infinite value.
        """
        known = self.train_inputs
        if not len(known):
            raise InputError("standardise", "needs training samples, and there are none; see train")
        if np.isinf(known).any():
            row, column = np.argwhere(np.isinf(known))[0]
            where = self.place("inputs", int(row), int(column))
            raise InputError("standardise", f"{where} is {known[row, column]}; inputs must be finite")
        mean, std = _moments(known)
        old_mean, old_std = self._moments
        return replace(
            self, inputs=_scaled(self.inputs, mean, std), mean=old_mean + old_std * mean, std=old_std * std
        )

    @property
    def _moments(self) -> tuple[Array, Array]:
        """Mean and standard deviation that the inputs were standardised by; 0 and 1 if they were not."""
        if self.mean is None or self.std is None:
            return np.zeros(self.inputs.shape[1]), np.ones(self.inputs.shape[1])
        return self.mean, self.std

    def scaled(self, inputs: Any) -> Array:
        """Other inputs, such as were not known before, treated as these were by `standardise`.

        Parameters
        ----------
        inputs : array_like, shape (B, n_0)

        Raises
        ------
        InputError
            If they have another number of columns.
        """
        given = _table("inputs", inputs)
        if given.shape[1] != self.inputs.shape[1]:
            what = f"have {given.shape[1]} values a sample where the data have {self.inputs.shape[1]}"
            raise InputError("inputs", what)
        return given if self.mean is None else _scaled(given, *self._moments)

    def place(self, name: str, row: int, column: int) -> str:
        """Where a value stands, in words; `name` is ``"inputs"`` or ``"targets"``."""
        source = self.origin[row]
        if self.places is None:
            return f"{name}, row {source}, value {column} (counted from 0)"
        return f"{self.places.columns[name][column]} in line {self.places.lines[source]}"

    def _order(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """A random order of the samples in which every contiguous part is stratified by class."""
        order = rng.permutation(len(self))
        if not self.classes:
            return order
        labels = self.labels[order]
        place = np.empty(len(self))
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            place[members] = (np.arange(members.size) + rng.random()) / members.size
        return order[np.argsort(place, kind="stable")]


@dataclass(frozen=True)
class _OneHot:
    """Targets that are to be labels of classes."""

    targets: Any
    places: Places | None
    origin: Sequence[int] = ()

    def __call__(self, class_names: Sequence[str] | None) -> tuple[Array, tuple[str, ...]]:
        """One-hot targets, and the names of the classes."""
        if self.targets is None:
            raise InputError("one_hot", "needs targets, a single column of labels, and there are none")
        rows = [row if checks.is_many(row) else [row] for row in self.targets]
        widest = max(map(len, rows), default=0)
        if widest != 1:
            what = f"needs targets of a single column of labels; these have {widest} values a sample"
            raise InputError("one_hot", what)
        return encoded("one_hot", [row[0] for row in rows], class_names, self._place)

    def _place(self, row: int) -> str:
        source = self.origin[row] if self.origin else row
        return f"of sample {source}" if self.places is None else f"in line {self.places.lines[source]}"


def _moments(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column, of what is known of it; exactly 0 where it is constant."""
    there = ~np.isnan(values)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, values, 0.0).sum(axis=0) / count
    std = np.sqrt(np.where(there, (values - mean) ** 2, 0.0).sum(axis=0) / count)
    low = np.where(there, values, np.inf).min(axis=0)
    high = np.where(there, values, -np.inf).max(axis=0)
    return mean, np.where(high > low, std, 0.0)


def _scaled(values: Array, mean: Array, std: Array) -> Array:
    """`values` less `mean`, divided by `std`; 0 where that is 0, and NaN where a value is."""
    scaled: Array = (values - mean) / np.where(std > 0.0, std, 1.0)
    return np.where((std > 0.0) | np.isnan(values), scaled, 0.0)


def _table(where: str, values: Any) -> Array:
    table = checks.real_array(where, values)
    if table.size == 0:
        raise InputError(where, "holds no values; give one row a sample")
    if table.ndim != 2:
        what = f"has shape {table.shape}; it must be (samples, values), one row a sample"
        raise InputError(where, what)
    return table

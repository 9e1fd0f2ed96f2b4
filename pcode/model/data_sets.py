"""Data sets by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.near import did_you_mean
from .network import Array

# Samples of `two_moons`, at most.
MOST_MOONS = 10**7


class Samples(NamedTuple):
    """Inputs, shape (S, n_0), targets, shape (S, n_n), and names of the classes where targets are one-hot."""

    inputs: Array
    targets: Array
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class DataSet:
    """A data set that has a name.

    Attributes
    ----------
    make : callable
        Makes its samples; its keyword arguments are the options of the data set.
    about : str
        What it is, in one line.
    image_shape : tuple of int, optional
        Rows and columns of the images that its inputs are.
    """

    make: Callable[..., Samples]
    about: str
    image_shape: tuple[int, int] | None = None


def one_hot(labels: Any, names: Any) -> tuple[Array, tuple[str, ...]]:
    """One row for each label of 0..k-1, with a 1 in its place; and the k names as texts."""
    return np.eye(len(names))[labels], tuple(map(str, names))


def _xor() -> Samples:
    inputs = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    return Samples(inputs, np.array([[-1.0], [1.0], [1.0], [-1.0]]))


def _digits() -> Samples:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return Samples(pixels / 16.0, *one_hot(labels, range(10)))


def _of_sklearn(name: str) -> Callable[[], Samples]:
    def make() -> Samples:
        from sklearn import datasets

        loaded = getattr(datasets, f"load_{name}")()
        return Samples(loaded.data, *one_hot(loaded.target, loaded.target_names))

    return make


def _two_moons(samples: int = 400, noise: float = 0.1, seed: int = 0) -> Samples:
    from sklearn.datasets import make_moons

    samples = checks.whole("samples", samples, least=2, most=MOST_MOONS)
    noise = checks.number("noise", noise, least=0.0)
    seed = checks.whole("seed", seed, least=0, most=2**32 - 1)
    inputs, labels = make_moons(samples, noise=noise or None, random_state=seed)
    return Samples(inputs, *one_hot(labels, ("upper", "lower")))


DATA: Mapping[str, DataSet] = {
    "xor": DataSet(_xor, "exclusive or, coded -1 and +1: 4 samples, 2 inputs, 1 target"),
    "digits": DataSet(
        _digits,
        "8x8 images of handwritten digits: 1797 samples, 64 inputs in [0, 1], 10 one-hot targets",
        (8, 8),
    ),
    "iris": DataSet(
        _of_sklearn("iris"), "flowers of three species: 150 samples, 4 inputs (cm), 3 one-hot targets"
    ),
    "wine": DataSet(
        _of_sklearn("wine"),
        "chemistry of wines of three growers: 178 samples, 13 inputs of very different size (standardise), "
        "3 one-hot targets",
    ),
    "breast_cancer": DataSet(
        _of_sklearn("breast_cancer"),
        "nuclei of malignant and benign tumours: 569 samples, 30 inputs of very different size "
        "(standardise), 2 one-hot targets",
    ),
    "two_moons": DataSet(
        _two_moons,
        "two half circles that interleave: 2 inputs, 2 one-hot targets; options samples = 400, noise = 0.1, "
        "seed = 0",
    ),
}


def named(name: str, options: Mapping[str, Any] | None = None) -> Samples:
    """The samples of the data set called `name`.

    Raises
    ------
    InputError
        If there is none of that name, or it does not take the options.
    """
    if not isinstance(name, str) or name not in DATA:
        hint = did_you_mean(name, DATA, f"there are {', '.join(DATA)}")
        raise InputError("name", f"no data set {checks.shown(name)}; {hint}")
    make, given = DATA[name].make, {} if options is None else options
    checks.instance("options", given, Mapping, "a table of options, such as { noise = 0.2 }")
    known = list(inspect.signature(make).parameters)
    for key in given:
        if key not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise InputError("options", f"{name} has no option {checks.shown(key)}; it {takes}")
    try:
        return make(**given)
    except InputError as error:
        raise error.within("options") from None

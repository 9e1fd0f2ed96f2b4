"""Labels of classes, numbers or texts, as one-hot targets; and one-hot targets by their two levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from .network import Array

# More different labels than this are no classes.
MOST_CLASSES = 1_000

# Levels of one-hot targets that are found without being told.
USUAL_LEVELS = ((0.0, 1.0), (-1.0, 1.0))

Levels = tuple[float, float]


def encoded(
    where: str,
    labels: Sequence[Any],
    class_names: Sequence[str] | None = None,
    place: Callable[[int], str] = "of sample {}".format,
) -> tuple[Array, tuple[str, ...]]:
    """One-hot targets of labels, shape (S, k), and the names of the k classes.

    Parameters
    ----------
    where : str
        What to name in errors.
    labels : sequence of int, float or str
        One a sample; whole numbers or texts.
    class_names : sequence of str, optional
        The classes in their order; labels are these names, or the numbers 0..k-1. Left out, the classes are
        the different labels in increasing order.
    place : callable
        ``place(row)``, where the label of a row stands, in words.

    Raises
    ------
    InputError
        If labels are no whole numbers or texts, or not of the classes named, or all the same.
    """
    plain = [_label(where, place, row, label) for row, label in enumerate(labels)]
    if class_names is not None:
        names = named_classes(class_names)
        known = [_index(where, place, row, one, names) for row, one in enumerate(plain)]
        return np.eye(len(names))[known], names
    kinds = {type(one) for one in plain}
    if len(kinds) > 1:
        raise InputError(where, "are texts and numbers mixed; label all classes by numbers, or all by texts")
    found: list[Any] = sorted(set(plain))
    if len(found) < 2:
        what = f"are all {checks.shown(found[0])}" if found else "are none"
        raise InputError(where, f"{what}; classes need two different labels, or class_names")
    if len(found) > MOST_CLASSES:
        what = f"have {len(found):,} different values, which are no classes (at most {MOST_CLASSES:,})"
        raise InputError(where, what)
    order = {label: k for k, label in enumerate(found)}
    return np.eye(len(found))[[order[one] for one in plain]], tuple(map(str, found))


def named_classes(class_names: Any, count: int | None = None) -> tuple[str, ...]:
    """Names of classes, checked: different texts, two at least, and `count` of them."""
    listed = checks.listed("class_names", class_names, "a list of texts, one a class")
    names = tuple(checks.text("class_names", name) for name in listed)
    if len(set(names)) < len(names) or len(names) < 2:
        raise InputError("class_names", "must be two or more different texts, one a class")
    if count is not None and len(names) != count:
        what = f"has {len(names)} names where the targets have {count} values a sample; name each class once"
        raise InputError("class_names", what)
    return names


def levels_of(targets: Array | None) -> Levels | None:
    """The two levels of one-hot targets, of those that are usual; None where the targets name no classes."""
    if targets is None:
        return None
    return next((levels for levels in USUAL_LEVELS if hot(targets, levels) is not None), None)


def hot(targets: Array, levels: Levels) -> NDArray[np.bool_] | None:
    """Where one-hot targets have the upper level, once in every row; None if they are not of these levels."""
    low, high = levels
    found: NDArray[np.bool_] = targets == high
    single = targets.shape[1] > 1 and bool((found.sum(axis=1) == 1).all())
    return found if single and bool((found | (targets == low)).all()) else None


def checked_levels(levels: Any) -> Levels:
    """Two numbers, the first below the second; otherwise raise InputError."""
    right = "two numbers, the first below the second, such as [0.03, 0.97]"
    listed = checks.listed("levels", levels, right)
    if len(listed) != 2:
        raise InputError("levels", f"must be {right}, not {len(listed)} number{'s' * (len(listed) != 1)}")
    low, high = (checks.number("levels", one) for one in listed)
    if not low < high:
        raise InputError("levels", f"must be {right}, not {low:g} and {high:g}")
    return low, high


def _label(where: str, place: Callable[[int], str], row: int, label: Any) -> int | str:
    """A label as an int or a text without blanks around it."""
    given = checks.plain(label)
    if isinstance(given, str) and given.strip():
        return given.strip()
    if isinstance(given, int | float) and float(given).is_integer():
        return int(given)
    shown = "missing" if given is None or given != given or given == "" else checks.shown(given)
    what = f"the label {place(row)} is {shown}; labels of classes are whole numbers or texts"
    raise InputError(where, what)


def _index(
    where: str, place: Callable[[int], str], row: int, label: int | str, names: tuple[str, ...]
) -> int:
    if str(label) in names:
        return names.index(str(label))
    if isinstance(label, int) and 0 <= label < len(names):
        return label
    shown = f"the label {place(row)} is {checks.shown(label)}"
    raise InputError(where, f"{shown}, which is none of class_names, nor their number 0..{len(names) - 1}")

"""Where a rate over a plane is zero: every branch, on the curve itself, never joined across a gap.

A grid gives the branches, with a vertex on every edge of it that a branch crosses (see
`pcode.analysis.planes.grid`). Each vertex is then moved along its edge onto the zero, by the Illinois
method (Dowell and Jarratt 1971), which keeps it between two signs. Where the rate jumps from one sign to
the other without a zero, as where slaved nodes change their branch, it comes to none, and the curve is
parted there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...model.network import Array
from .grid import places_of_zeros, without_rounding

# Rates, in parts of those at the ends of its edge, at which a vertex is on the curve; and where it is not.
ON_CURVE = 1e-9
OFF_CURVE = 1e-4
MOST_STEPS = 40

Rate = Callable[[Array, Array], Array]


def zero_curves(x: Array, y: Array, values: Array, rate: Rate) -> tuple[Array, ...]:
    """The branches of the zeros of a function of two variables.

    Parameters
    ----------
    x, y : ndarray, shapes (X,), (Y,)
        The grid, evenly spaced.
    values : ndarray, shape (Y, X)
        The function on it; NaN where it has no value.
    rate : callable
        ``rate(points, cells)``, shapes (G, 2), (G, 2), gives values, shape (G,); `cells` are the indices
        (row, column) of the nearest point of the grid.

    Returns
    -------
    tuple of ndarray, shapes (V, 2)
        Vertices in order; a closed branch ends where it begins.
    """
    values = without_rounding(values)
    lines = [np.array(line) for line in places_of_zeros(values)]
    if not lines:
        return ()
    ends = np.cumsum([len(line) for line in lines])[:-1]
    polished, good = _polish(np.concatenate(lines), x, y, values, rate)
    branches: list[Array] = []
    for line, kept in zip(np.split(polished, ends), np.split(good, ends), strict=True):
        branches += _parted(line, kept)
    return tuple(branches)


def _polish(places: Array, x: Array, y: Array, values: Array, rate: Rate) -> tuple[Array, Any]:
    """Where on its edge of the grid, shape (V, 4), each vertex is on the zero, and whether there is one."""
    low, high = places[:, :2], places[:, 2:]
    a, b = np.zeros(len(places)), np.ones(len(places))
    fa, fb = values[tuple(low.T)], values[tuple(high.T)]
    size = np.maximum(np.abs(fa), np.abs(fb))
    begin = np.column_stack([x[low[:, 1]], y[low[:, 0]]])
    reach = np.column_stack([x[high[:, 1]], y[high[:, 0]]]) - begin

    share, found = _illinois(
        lambda which, s: rate(begin[which] + s[:, None] * reach[which], low[which]), a, b, fa, fb
    )
    with np.errstate(invalid="ignore"):
        return begin + share[:, None] * reach, np.abs(found) <= OFF_CURVE * size


def _illinois(
    f: Callable[[Any, Array], Array], a: Array, b: Array, fa: Array, fb: Array
) -> tuple[Array, Array]:
    """Where many functions are zero between `a` and `b`, and their values there.

    ``f(which, s)`` are the values of the functions with indices `which` at `s`.
    """
    a, b, fa, fb = a.copy(), b.copy(), fa.copy(), fb.copy()
    at_a = np.abs(fa) < np.abs(fb)
    s, fs = np.where(at_a, a, b), np.where(at_a, fa, fb)
    tol = ON_CURVE * np.maximum(np.abs(fa), np.abs(fb))
    going = np.isfinite(fa) & np.isfinite(fb) & (np.abs(fs) > tol)
    for k in range(MOST_STEPS):
        which = np.flatnonzero(going)
        if not which.size:
            break
        # Every third step halves the interval, which ends a slow approach, as to a jump.
        A, B, FA, FB = a[which], b[which], fa[which], fb[which]
        new = 0.5 * (A + B) if k % 3 == 2 else B - FB * (B - A) / np.where(FB == FA, 1.0, FB - FA)
        value = f(which, new)
        crossed = np.sign(value) != np.sign(FB)
        a[which] = np.where(crossed, B, A)
        fa[which] = np.where(crossed, FB, 0.5 * FA)
        b[which], fb[which] = new, value
        s[which], fs[which] = new, value
        going[which] = np.isfinite(value) & (np.abs(value) > tol[which]) & (np.abs(a - b)[which] > 1e-14)
    return s, fs


def _parted(line: Array, good: Any) -> list[Array]:
    """The stretches of a curve between vertices that are not on it."""
    if good.all():
        return [line]
    closed = bool((line[0] == line[-1]).all())
    if closed and good.any():  # begin where it is parted, so that no stretch is cut in two
        first = int(np.flatnonzero(~good)[0])
        line, good = np.roll(line[:-1], -first, axis=0), np.roll(good[:-1], -first)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(int), [0]])))
    pairs = edges.reshape(-1, 2)
    return [line[a:b] for a, b in pairs if b - a > 1]

"""Where a function on a grid is zero: at points of the grid, and where it changes its sign between them.

Marching squares tell positive values from all others. Where points of the grid are zero themselves, as a
whole row is on a straight curve, they see one side of it only, or cut a corner; so what runs along edges of
the grid is taken from the zeros there.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import contourpy
import numpy as np
import scipy

from ...model.network import Array

# Values that are 0 up to rounding: this part of the largest of those at the points next to them.
ROUNDING = 1e-9

# A point of the grid, or an edge between two: row and column of its lower end, and of its upper one.
Place = tuple[int, int, int, int]


def without_rounding(values: Array) -> Array:
    """`values`, shape (Y, X), 0 where they are nothing but rounding beside their neighbours."""
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    return np.where(
        size <= ROUNDING * scipy.ndimage.maximum_filter(size, 3, mode="nearest"), 0.0 * values, values
    )


def places_of_zeros(values: Array) -> list[list[Place]]:
    """The curves on which a function is zero, each as the places, in order, at which it meets the grid.

    Parameters
    ----------
    values : ndarray, shape (Y, X)
        NaN where the function has no value.
    """
    masked = np.ma.masked_invalid(values)
    if masked.mask.all() or not np.any(masked != 0.0):
        return []
    generator = contourpy.contour_generator(z=masked, name="serial", corner_mask=False)
    lines = [_places(np.asarray(line, float), values) for line in generator.lines(0.0)]
    zero = values == 0.0
    if not zero.any():
        return [line for line in lines if len(line) > 1]
    steps = {_ordered(a, b) for line in lines for a, b in pairwise(line) if a != b}
    return _chained({step for step in steps if not _cuts_corner(step, zero)} | _along_edges(zero))


def _places(line: Array, values: Array) -> list[Place]:
    """The places of the vertices of a contour, whose coordinates are columns and rows."""
    place = np.clip(line[:, ::-1], 0.0, np.array(values.shape) - 1.0)
    near = np.round(place)
    along = np.argmax(np.abs(place - near), axis=1)  # the direction of its edge: 0 up, 1 across
    low, high = near.astype(int), near.astype(int)
    each = np.arange(len(line))
    low[each, along] = np.floor(place[each, along])
    high[each, along] = np.minimum(low[each, along] + 1, np.array(values.shape)[along] - 1)
    for one, other in ((low, high), (high, low)):
        at_point = values[tuple(one.T)] == 0.0
        other[at_point] = one[at_point]
    return [tuple(ends) for ends in np.column_stack([low, high]).tolist()]


def _ordered(a: Place, b: Place) -> tuple[Place, Place]:
    return (a, b) if a < b else (b, a)


def _cuts_corner(step: tuple[Place, Place], zero: Any) -> bool:
    """Whether a step joins zeros across a cell of which another corner is zero as well."""
    (r, c, *rc), (s, d, *sd) = step
    diagonal = [r, c] == rc and [s, d] == sd and r != s and c != d
    return diagonal and bool(zero[r, d] or zero[s, c])


def _along_edges(zero: Any) -> set[tuple[Place, Place]]:
    """Edges of the grid between zeros, but for those within an area of zeros."""
    found = set()
    area = zero[1:, 1:] & zero[:-1, :-1] & zero[1:, :-1] & zero[:-1, 1:]
    area = np.pad(area, 1, mode="edge")  # beyond the grid as at its border
    across = zero[:, :-1] & zero[:, 1:] & ~(area[:-1, 1:-1] & area[1:, 1:-1])
    up = zero[:-1] & zero[1:] & ~(area[1:-1, :-1] & area[1:-1, 1:])
    for edges, (down, right) in ((across, (0, 1)), (up, (1, 0))):
        for r, c in np.argwhere(edges).tolist():
            found.add(((r, c, r, c), (r + down, c + right, r + down, c + right)))
    return found


def _chained(steps: set[tuple[Place, Place]]) -> list[list[Place]]:
    """Steps joined to curves as long as can be; they end where more than two meet."""
    next_to: dict[Place, set[Place]] = defaultdict(set)
    for a, b in sorted(steps):
        next_to[a].add(b)
        next_to[b].add(a)
    ends = [place for place, others in next_to.items() if len(others) != 2]
    stops = set(ends)
    curves = []
    for start in [*ends, *next_to]:  # those left after the ends are closed
        while next_to[start]:
            curve = [start]
            while len(curve) == 1 or not (curve[-1] in stops or curve[-1] == start):
                following = min(next_to[curve[-1]])
                next_to[curve[-1]].remove(following)
                next_to[following].remove(curve[-1])
                curve.append(following)
            curves.append(curve)
    return curves

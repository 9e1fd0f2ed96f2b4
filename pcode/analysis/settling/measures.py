"""Measures of a distance that falls: when it has settled, at which rate, and whether it rings.

They are taken of curves whose times resolve every swing; see `pcode.analysis.settling.path`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ...model.network import Array

# Rows, or swings where it rings, that a fit of a rate needs; and by how much its logarithm must fall.
FEWEST = 4
FEWEST_SWINGS = 3
FALL = 1.0

# Fit where a distance has fallen to this part of its largest, so that faster modes are gone; or, where
# too little of it is left, to the next.
FALLEN = (0.05, 0.5)

# Least part of the largest distance to fit: below it, a run's tolerance shows.
DEEPEST = 1e-5

# A dip counts as a swing where the logarithm of the distance falls and rises again by this much.
DIP = 0.2

# Root mean square in the logarithm, beyond which what is left beside the line is no exponential.
CROOKED = 0.1

# Part of their mean by which swings may differ in length and still have a period.
UNEVEN = 0.25


class Decay(NamedTuple):
    """An exponential fitted to a distance, or to its peaks where it rings; NaN where there is none.

    Attributes
    ----------
    rate : float
    start, end : float
        First and last time of what was fitted.
    height : float
        Height of the fitted line at its start.
    period : float
        Period of the ringing of the deviation itself, twice that of its size. NaN where it does
        not ring, or unevenly.
    swings : int
        Peaks of the distance above the floor after its largest; 0 where it does not ring.
    """

    rate: float = float("nan")
    start: float = float("nan")
    end: float = float("nan")
    height: float = float("nan")
    period: float = float("nan")
    swings: int = 0


def settling_time(t: Array, distance: Array, fraction: float) -> float:
    """When `distance`, shape (T,), has last been above `fraction` of its largest; NaN if it still is.

    Interpolated exponentially between the rising times `t`; 0 where it never was.
    """
    threshold = fraction * distance.max(initial=0.0)
    above = np.flatnonzero(distance > threshold)
    if not above.size:
        return 0.0
    k = int(above[-1])
    if k + 1 == t.size:
        return float("nan")
    before, after = (np.log(max(d, 1e-300) / threshold) for d in distance[k : k + 2])
    return float(t[k] + before / (before - after) * (t[k + 1] - t[k]))


def settling_bracket(t: Array, distance: Array, fraction: float) -> float:
    """The time between the two of `t` from which `settling_time` was interpolated; 0 where none was."""
    above = np.flatnonzero(distance > fraction * distance.max(initial=0.0))
    return float(t[above[-1] + 1] - t[above[-1]]) if above.size and above[-1] + 1 < t.size else 0.0


def decay_of(t: Array, distance: Array, floor: Array | float = 0.0, period: float = 0.0) -> Decay:
    """Exponential decay of `distance`, shape (T,), late but above `floor`.

    Least squares of its logarithm over the rising times `t`, from where it has fallen to a part of its
    largest to where it comes down to `floor`, or to `DEEPEST` of its largest, to stay there for half a
    `period`. Of a distance that rings, its peaks are taken.

    Parameters
    ----------
    t, distance : ndarray, shape (T,)
    floor : ndarray, shape (T,), or float
    period : float
        Period of the slowest mode, by its eigenvalue; 0 where it does not ring. No fit is made to
        less than half of it, which would be the slope of one swing.
    """
    if not distance.size or not distance.max() > 0.0:
        return Decay()
    largest = int(distance.argmax())
    limit = np.maximum(floor, DEEPEST * distance.max())
    stop = _falls_below(t, distance <= limit, largest, 0.5 * period)
    logarithm = np.log(np.maximum(distance[:stop], 1e-300))
    swings = largest + find_peaks(logarithm[largest:], prominence=DIP)[0]
    swings = swings[distance[swings] > np.broadcast_to(limit, distance.shape)[swings]]
    rings = swings.size > 0
    own_period = _period(t[swings]) if rings else float("nan")
    least = 0.0 if rings else 0.5 * period
    rows = swings if rings else np.arange(largest, stop)
    for fallen in FALLEN:
        below = rows[distance[rows] <= fallen * distance.max()]
        if below.size < (FEWEST_SWINGS if rings else FEWEST) or t[below[-1]] - t[below[0]] < least:
            continue
        slope, height = np.polyfit(t[below] - t[below[0]], logarithm[below], 1)
        off = logarithm[below] - height - slope * (t[below] - t[below[0]])
        if logarithm[below[0]] - logarithm[below[-1]] >= FALL and np.sqrt(np.mean(off**2)) <= CROOKED:
            start, end = float(t[below[0]]), float(t[below[-1]])
            return Decay(float(-slope), start, end, float(np.exp(height)), own_period, swings.size)
    return Decay(period=own_period, swings=swings.size)


def _falls_below(t: Array, below: NDArray[np.bool_], since: int, stay: float) -> int:
    """The first row from `since` on from which on `below` holds for the time `stay`; all rows where none."""
    edges = np.flatnonzero(np.diff(below[since:].astype(int), prepend=0, append=1 - int(below[-1])))
    starts = [since + int(k) for k in edges if since + k < t.size and below[since + int(k)]]
    for start in starts:
        again = np.flatnonzero(~below[start:])
        end = start + int(again[0]) if again.size else t.size - 1
        if t[end] - t[start] >= stay or not again.size:
            return start
    return int(t.size)


def _period(peaks: Array) -> float:
    """Twice the time from peak to peak; NaN of fewer than two such times, or where they are uneven."""
    gaps = np.diff(peaks)
    even = gaps.size > 1 and np.std(gaps) <= UNEVEN * gaps.mean()
    return float(2.0 * gaps.mean()) if even else float("nan")

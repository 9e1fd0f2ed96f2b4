"""Measures of a quantity that settles: when, at which rate, and how far beyond its rest it went."""

from __future__ import annotations

import numpy as np

from ..network import Array

# Rows that a fit of a rate needs.
FEWEST = 4

# Fit where a distance has fallen to this part of its largest, so that faster modes are gone; or, where
# too little of it is left, to the next.
FALLEN = (0.05, 0.5)

# Least part of the largest distance to fit: below it, a run's tolerance shows.
DEEPEST = 1e-5


def settling_time(t: Array, distance: Array, fraction: float, floor: Array | float = 0.0) -> float:
    """When `distance`, shape (T,), has last been above `fraction` of its largest; NaN if it still is.

    Interpolated exponentially between the rising times `t`; 0 where it never was. What is not above
    `floor` counts as settled.
    """
    threshold = np.maximum(fraction * distance.max(initial=0.0), np.broadcast_to(floor, distance.shape))
    above = np.flatnonzero(distance > threshold)
    if not above.size:
        return 0.0
    k = int(above[-1])
    if k + 1 == t.size:
        return float("nan")
    before, after = (
        np.log(distance[k] / threshold[k]),
        np.log(max(distance[k + 1], 1e-300) / threshold[k + 1]),
    )
    return float(t[k] + before / (before - after) * (t[k + 1] - t[k]))


def decay_rate(t: Array, distance: Array, floor: Array) -> float:
    """Rate of exponential decay of `distance`, shape (T,), fitted late but above `floor`; NaN for none.

    Least squares of its logarithm over the rising times `t`, from where it has fallen to a part of
    its largest to where it first comes down to `floor`, or to `DEEPEST` of its largest.
    """
    return float(decay_fit(t, distance, floor)[0])


def decay_fit(t: Array, distance: Array, floor: Array) -> Array:
    """The fit of `decay_rate`: rate, start and end of what was fitted, and the line's height at its start.

    Shape (4,); all NaN where there is too little to fit.
    """
    if not distance.size or not distance.max() > 0.0:
        return np.full(4, np.nan)
    largest = int(distance.argmax())
    low = np.flatnonzero(distance[largest:] <= np.maximum(floor, DEEPEST * distance.max())[largest:])
    stop = largest + int(low[0]) if low.size else t.size
    for fallen in FALLEN:
        below = np.flatnonzero(distance[largest:stop] <= fallen * distance.max())
        rows = np.arange(largest + below[0], stop) if below.size else np.empty(0, dtype=int)
        if rows.size >= FEWEST:
            slope, log_height = np.polyfit(t[rows] - t[rows[0]], np.log(distance[rows]), 1)
            return np.array([-slope, t[rows[0]], t[rows[-1]], np.exp(log_height)])
    return np.full(4, np.nan)


def overshoot(deviation: Array) -> float:
    """Farthest that a node went beyond its rest, over the largest first distance from it; NaN for none.

    `deviation`, shape (T, B, m), is that of each node from its rest.
    """
    if not deviation.size:
        return float("nan")
    first = deviation[0]
    scale = float(np.abs(first).max(initial=0.0))
    if not scale > 0.0:
        return float("nan")
    return max(0.0, float((-np.sign(first) * deviation).max()) / scale)

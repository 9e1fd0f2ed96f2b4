"""Times at which moving clamped nodes cross a kink of their activation.

The predictions of such a layer have a kink in time there, which the error estimate of a long step may miss:
so no step crosses it.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from scipy.interpolate import PPoly

from ..base._jax import jax
from ..model.clamp import SCAN_POINTS, Curve, Function
from ..model.network import Array, Network
from ..model.phase import Phase
from ..model.series import TimeSeries

# If there are more crossings, as in large batches, they are ignored: each matters little, and stopping at all
# of them would be expensive.
MOST = 2_000

# Most values of a function of time, or coefficients of a series, that are searched.
MOST_VALUES = 2 * 10**7

# Bisections of the time between two evaluations.
HALVINGS = 45


def crossings(network: Network, phase: Phase) -> Array:
    """Times, unsorted, at which clamped nodes of the phase cross kinks; empty if there are too many."""
    found = [np.empty(0)]
    for layer, sigma in enumerate(network.sigma):
        value = phase.clamp.get(layer)
        for kink in sigma.kinks:
            if isinstance(value, TimeSeries):
                found.append(_of_series(value, kink))
            elif isinstance(value, Curve):
                found.append(_of_curve(value, kink, phase.duration))
    times = np.concatenate(found)
    return times if times.size <= MOST else np.empty(0)


def _of_series(series: TimeSeries, kink: float) -> Array:
    pieces, held = series.pieces, ~np.isnan(series.values[0])
    inner = np.moveaxis(pieces.coefficients[1:-1], 1, 0)[::-1, :, held]
    if not inner.size or inner.size > MOST_VALUES:
        return np.empty(0)
    roots = PPoly(inner, pieces.edges).solve(kink, discontinuity=False, extrapolate=False)
    times = np.fromiter(chain.from_iterable(roots), float)
    known: Array = times[np.isfinite(times)]  # PPoly returns NaN for a node that stays at the kink
    return known


@partial(jax.jit, static_argnames="curve")
def _values(curve: Curve, times: Any) -> Any:
    return jax.vmap(curve.at)(times).reshape(times.size, -1)


def _of_curve(curve: Curve, kink: float, duration: float) -> Array:
    if _entries(curve) * SCAN_POINTS > MOST_VALUES:
        return np.empty(0)
    times = np.linspace(0.0, duration, SCAN_POINTS + 1)
    above = np.asarray(_values(curve, times)) > kink
    at, node = np.nonzero(above[1:] != above[:-1])
    if not 0 < at.size <= MOST:
        return np.empty(0)
    low, high, before = times[at], times[at + 1], above[at, node]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        values = np.asarray(_values(curve, middle))[np.arange(at.size), node]
        same = (values > kink) == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return high


def _entries(curve: Curve) -> int:
    rows = curve.rows if isinstance(curve, Function) else None
    return (rows or 1) * (curve.nodes or 1)

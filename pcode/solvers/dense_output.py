"""Values within a step by shorter steps of the same method from where it began.

The curves that come with methods of a high order hold a few of its digits only: where steps are longer than
tau their error is many times that of the steps. A shorter step is at least as good as the step itself, and
the steps themselves do not depend on what is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from ..model.network import Array

# Where more times than these are due within a step, it is so many, at Chebyshev's points, that are stepped
# to, and the polynomial through them and the step's ends gives the rest, so that the cost of saving is
# bounded. It needs no slopes, and its error is far below that of the step.
INNER = {"Radau": 3, "Kvaerno5": 3, "DOP853": 7, "Dopri8": 7}


class DenseOutput:
    """The unknowns within the last step.

    Parameters
    ----------
    method : str
        One of `INNER`.
    times : ndarray, shape (T,)
        All that are to be saved, rising.
    reach : callable
        ``reach(t)`` steps to a time within the last step; shape (N,).
    """

    def __init__(self, method: str, times: Array, reach: Callable[[float], Array]) -> None:
        self._at = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, INNER[method] + 1) / (INNER[method] + 1))
        self._times, self._reach = times, reach
        self._curve: Any = None

    def begin(self, t_before: float, t: float, y_before: Array, y: Array) -> None:
        """A step from (t_before, y_before) to (t, y) was kept."""
        self._step, self._ends, self._curve = (t_before, t), (y_before, y), None

    def __call__(self, t: float) -> Array:
        """The unknowns at `t`, shape (N,)."""
        before, after = self._step
        if t <= before:
            return self._ends[0]
        due = np.searchsorted(self._times, after) - np.searchsorted(self._times, before, side="right")
        if due <= self._at.size:
            return self._reach(t)
        if self._curve is None:
            inner = [self._reach(before + part * (after - before)) for part in self._at]
            nodes, values = [0.0, *self._at, 1.0], [self._ends[0], *inner, self._ends[1]]
            self._curve = scipy.interpolate.BarycentricInterpolator(nodes, values)
        y: Array = self._curve((t - before) / (after - before))
        return y

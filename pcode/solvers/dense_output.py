"""Values within a step, by shorter steps of the same method from the start of the step.

The interpolants that come with high-order methods are less accurate than the steps: for steps longer than tau
their error is many times larger. A shorter step is at least as accurate as the step itself, and the steps of
the integration do not depend on what is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from ..model.network import Array

# Most inner steps within a step. If more values are needed, inner steps to this many Chebyshev points and the
# polynomial through them and the ends give all values, which bounds the cost of saving. The error of the
# polynomial is far below that of the step.
INNER = {"Radau": 3, "Kvaerno5": 3, "DOP853": 7, "Dopri8": 7}


class DenseOutput:
    """The unknowns within the last step.

    Parameters
    ----------
    method : str
        A key of `INNER`.
    times : ndarray, shape (T,)
        All times to be saved, increasing.
    reach : callable
        ``reach(t)`` steps to a time `t` within the last step and returns the unknowns, shape (N,).
    """

    def __init__(self, method: str, times: Array, reach: Callable[[float], Array]) -> None:
        self._at = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, INNER[method] + 1) / (INNER[method] + 1))
        self._times, self._reach = times, reach
        self._curve: Any = None

    def begin(self, t_before: float, t: float, y_before: Array, y: Array) -> None:
        """Set the last step, from (t_before, y_before) to (t, y)."""
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

"""A record of a solver's accepted steps: end, length and order of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.float64]

# Most steps recorded in a run, so that the millions of an explicit method do not fill the result.
MOST = 20_000


class StepLog:
    """Records steps as they are taken, with their number bounded by `thinned`."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float]] = []

    def add(self, end: float, size: float, order: int | None) -> None:
        """Record a step of length `size` that ended at the time `end`; `order` is None if unknown."""
        self._rows.append((end, size, np.nan if order is None else float(order)))
        if len(self._rows) >= 2 * MOST:
            self._rows = [tuple(row) for row in thinned(self.steps, MOST).tolist()]

    @property
    def steps(self) -> Steps:
        """End, length and order (NaN if unknown) of the steps, shape (K, 3)."""
        return np.array(self._rows).reshape(-1, 3)


def thinned(steps: Steps, most: int) -> Steps:
    """At most `most` of the `steps`, shape (K, 3), in their order.

    The steps are divided into groups of neighbours, and the shortest and longest of each are kept, as are the
    first and the last step, so that a plot of them looks the same.

    Parameters
    ----------
    steps : ndarray, shape (K, 3)
    most : int
        At least 6.
    """
    count = len(steps)
    if count <= most:
        return steps
    group = -(-2 * count // (most - 4))
    sizes = steps[:, 1]
    whole = count // group * group
    parts = sizes[:whole].reshape(-1, group)
    first = np.arange(0, whole, group)
    chosen = [first + parts.argmin(axis=1), first + parts.argmax(axis=1), np.array([0, count - 1])]
    if whole < count:
        rest = sizes[whole:]
        chosen.append(whole + np.array([rest.argmin(), rest.argmax()]))
    kept: Steps = steps[np.unique(np.concatenate(chosen))]
    return kept

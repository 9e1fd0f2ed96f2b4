"""The steps that a solver kept: when each ended, how long it was, and of what order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.float64]

# Most steps of a run that are kept, so that an explicit method's millions do not fill the result.
MOST = 20_000


class StepLog:
    """Steps as they are taken, bounded in number; see `thinned`."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float]] = []

    def add(self, end: float, size: float, order: int | None) -> None:
        """Note a step of length `size` that ended at the time `end`; `order` is None where not known."""
        self._rows.append((end, size, np.nan if order is None else float(order)))
        if len(self._rows) >= 2 * MOST:
            self._rows = [tuple(row) for row in thinned(self.steps, MOST).tolist()]

    @property
    def steps(self) -> Steps:
        """End, length and order (NaN where not known) of the steps, shape (K, 3)."""
        return np.array(self._rows).reshape(-1, 3)


def thinned(steps: Steps, most: int) -> Steps:
    """No more than `most` of the `steps`, shape (K, 3), in their order.

    Of every so many neighbours the shortest and the longest are kept, and the first and the last of all,
    so that a picture of them looks the same.

    Parameters
    ----------
    steps : ndarray, shape (K, 3)
    most : int
        6 at least.
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

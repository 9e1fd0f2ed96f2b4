"""Windows of planes, as a user gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.errors import InputError

Limits = Sequence[float] | None


def checked_limits(where: str, limits: Limits) -> tuple[float, float] | None:
    """Two finite numbers, the lower one first, or None.

    Raises
    ------
    InputError
        With the key `where`, if it is anything else.
    """
    if limits is None:
        return None
    try:
        low, high = (float(limit) for limit in limits)
    except (TypeError, ValueError):
        low = high = np.nan
    if not low < high or not np.isfinite([low, high]).all():
        raise InputError(where, f"must be two numbers, the lower one first, not {limits!r}")
    return low, high

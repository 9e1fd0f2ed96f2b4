"""Files of older versions, read as what this one would have written."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

STEPS = ("step_time", "step_size", "step_order", "step_phase")


def upgraded(data: xr.Dataset, groups: Mapping[str, xr.Dataset]) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """The dataset and the groups of a file, of whatever version, as they are now."""
    steps = [name for name in STEPS if name in data.data_vars]
    if not steps:
        return data, dict(groups)
    # They stood among the other variables.
    return data.drop_vars(steps), {**groups, "solver": data[steps].drop_attrs(deep=False)}

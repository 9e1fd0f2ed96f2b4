"""Files of older versions, read as what this one would have written."""

from __future__ import annotations

import json
from collections.abc import Mapping

import xarray as xr

from .clamps import ClampArrays
from .clamps import upgraded as upgraded_clamps

STEPS = ("step_time", "step_size", "step_order", "step_phase")


def upgraded(data: xr.Dataset, groups: Mapping[str, xr.Dataset]) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """The dataset and the groups of a file, of whatever version, as they are now."""
    groups = dict(groups)
    steps = [name for name in STEPS if name in data.data_vars]
    if steps:  # they stood among the other variables
        data, groups["solver"] = data.drop_vars(steps), data[steps].drop_attrs(deep=False)
    return _with_clamps(data, groups)


def _with_clamps(data: xr.Dataset, groups: dict[str, xr.Dataset]) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """What was clamped as records with types, where it was words and masks as texts."""
    if not {"phases", "network"} <= set(data.attrs):
        return data, groups
    records = json.loads(data.attrs["phases"])
    if not any("clamped" in record for record in records):
        return data, groups
    arrays = ClampArrays()
    records = upgraded_clamps(records, json.loads(data.attrs["network"])["sizes"], arrays)
    return data.assign_attrs(phases=json.dumps(records)), groups | {"clamps": arrays.dataset()}

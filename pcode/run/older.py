"""Conversion of files of older versions to the current format.

Before `phase` was a coordinate, the end of a phase and the start of the next had the same time, `sample`
counted all rows of the data, with NaN where a phase did not show one, and the solver's steps were among the
other variables. Before probes were variables, the records of the phases alone had their values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ..model.network import Network
from ..model.variables import NODES
from .clamps import ClampArrays
from .clamps import upgraded as upgraded_clamps
from .dataset import node_coordinates, sample_numbers, weight_coordinates, with_both_numbers
from .probes import TIME, ProbeRow, function_attributes, is_free, probe_dataset

STEPS = ("step_time", "step_size", "step_order", "step_phase")


def upgraded(data: xr.Dataset, groups: Mapping[str, xr.Dataset]) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """The dataset and the groups of a file of any version, in the current format."""
    data, groups = _with_clamps(data, dict(groups))
    if "phase" in data.coords:
        return _with_probes(with_both_numbers(data)), groups
    network = Network(**json.loads(data.attrs["network"]))
    shown = {k: record["samples"] for k, record in enumerate(json.loads(data.attrs["phases"]))}
    steps = data[[name for name in STEPS if name in data.data_vars]].drop_attrs(deep=False)
    phase, weight_phase = (data[name].to_numpy().astype(np.int64) for name in ("phase", "weight_phase"))
    data = _only_shown(data.drop_vars([*steps.data_vars, "phase", "weight_phase"]), network.n, phase, shown)
    coordinates = node_coordinates(network, data["time"].to_numpy(), phase, shown)
    coordinates |= weight_coordinates(network, data["weight_time"].to_numpy(), weight_phase)
    data = _with_probes(data.assign_coords(coordinates))
    return data, groups | ({"solver": steps} if steps.data_vars else {})


def _with_probes(data: xr.Dataset) -> xr.Dataset:
    """Add the values of probes that only the records of the phases have."""
    records = json.loads(data.attrs["phases"])
    if TIME in data.dims or not any(record.get("probes") for record in records):
        return data
    rows: list[ProbeRow] = []
    shapes: dict[str, tuple[int, ...]] = {}
    for k, record in enumerate(records):
        found = {name: np.array(value, dtype=float) for name, value in record.get("probes", {}).items()}
        kept = {name: v for name, v in found.items() if shapes.setdefault(name, v.shape) == v.shape}
        free = {name: value for name, value in kept.items() if name not in data.variables}
        if free:
            rows.append(ProbeRow(k, record["t_end"], record["t_end"] - record["t_start"], -1, free))
    names = list(dict.fromkeys(name for row in rows for name in row.values if is_free(name)))
    described = {name: function_attributes(name) for name in names}
    probes = probe_dataset(Network(**json.loads(data.attrs["network"])), rows, described)
    return data.assign_coords(probes.coords).assign(probes.data_vars)


def _with_clamps(data: xr.Dataset, groups: dict[str, xr.Dataset]) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """Convert clamps that were described by words and encoded masks to records and arrays."""
    records = json.loads(data.attrs["phases"])
    if not any("clamped" in record for record in records):
        return data, groups
    arrays = ClampArrays()
    records = upgraded_clamps(records, json.loads(data.attrs["network"])["sizes"], arrays)
    return data.assign_attrs(phases=json.dumps(records)), groups | arrays.groups()


def _only_shown(
    data: xr.Dataset, n: int, phase: np.ndarray, shown: Mapping[int, Sequence[int]]
) -> xr.Dataset:
    """`data` with only the samples that each row's phase shows as columns of the nodes of layers 0..n."""
    numbers = sample_numbers(phase, shown)
    columns = np.maximum(numbers, 0)[:, :, np.newaxis]
    kept = {}
    names = [name for variable in NODES for name in variable.names(n)]
    for name in names:
        values = np.take_along_axis(data[name].to_numpy(), columns, axis=1)
        values[numbers < 0] = np.nan
        kept[name] = (data[name].dims, values, data[name].attrs)
    # What a user added along the rows of the data keeps them, under a name that is free.
    others = data.drop_vars([*names, "sample"])
    return others.rename(sample="data_row").assign(kept) if "sample" in others.dims else others.assign(kept)

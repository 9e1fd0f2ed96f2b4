"""The dataset of an ensemble, put together from its phases; `pcode.run.ensemble` says what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..model.network import Network
from ..model.variables import NODES
from .dataset import (
    ENERGIES,
    coordinates_of_nodes,
    strictly_increasing,
    time_units,
    weight_coordinates,
)
from .part import Part

# What a member has of each phase.
ENDS = ("status", "detail", "t_start", "t_end", "steps", "rejected")


def ensemble_dataset(network: Network, parts: Sequence[Part], members: Mapping[str, Any]) -> xr.Dataset:
    """The dataset of an ensemble.

    Parameters
    ----------
    network : Network
    parts : sequence of Part
        Its phases.
    members : mapping of str to variable
        Coordinates of the members.
    """
    width = max(len(part.samples) for part in parts)
    for part in parts:
        part.fill(network)
    variables: dict[str, Any] = {}
    for variable in (*NODES, *network.weight_variables):
        for layer in variable.layers(network.n):
            name = f"{variable}{layer}"
            about = {"long_name": variable.long_name(layer), "units": "dimensionless"}
            joined = _joined(parts, name, width if variable.of_nodes else 0)
            variables[name] = (("member", *variable.dims(layer)), joined, about)
    for name, long_name in ENERGIES.items():
        about = {"long_name": long_name, "units": "dimensionless"}
        variables[name] = (("member", "time", "layer"), _joined(parts, name), about)
    coordinates = {**members, **_times(network, parts, width)}
    return xr.Dataset(variables | _ends(network, parts), coordinates)


def _joined(parts: Sequence[Part], name: str, width: int = 0) -> Any:
    """The array `name` of all phases, with `width` columns for samples if that is not 0."""
    arrays = [part.arrays[name] for part in parts]
    if width:
        missing = [width - array.shape[2] for array in arrays]
        arrays = [
            np.pad(array, ((0, 0), (0, 0), (0, more), (0, 0)), constant_values=np.nan) if more else array
            for array, more in zip(arrays, missing, strict=True)
        ]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


def _times(network: Network, parts: Sequence[Part], width: int) -> dict[str, Any]:
    """The coordinates of time, of all members and of each."""
    starts = np.cumsum([0.0, *(part.node_times[-1] for part in parts)])[:-1]
    t, weight_t = (
        np.concatenate([t0 + getattr(part, name) for t0, part in zip(starts, parts, strict=True)])
        for name in ("node_times", "weight_times")
    )
    phase, weight_phase = (
        np.repeat(np.arange(len(parts)), [getattr(part, name).size for part in parts])
        for name in ("node_times", "weight_times")
    )
    numbers = np.full((t.size, width), -1, dtype=np.int64)
    for k, part in enumerate(parts):
        numbers[phase == k, : len(part.samples)] = part.samples
    own = np.concatenate([part.times(part.node_times) for part in parts], axis=1)
    own_weight = np.concatenate([part.times(part.weight_times) for part in parts], axis=1)
    about = {"units": time_units(network)}
    return {
        **coordinates_of_nodes(network, strictly_increasing(t), phase, numbers),
        **weight_coordinates(network, strictly_increasing(weight_t), weight_phase),
        "member_time": (("member", "time"), own, about | {"long_name": "time of a member's saved nodes"}),
        "member_weight_time": (
            ("member", "weight_time"),
            own_weight,
            about | {"long_name": "time of a member's saved weights"},
        ),
    }


def _ends(network: Network, parts: Sequence[Part]) -> dict[str, Any]:
    """How each phase ended for each member."""
    unit = {"units": time_units(network)}
    count = range(parts[0].begun.size)
    status = np.array([[str(part.status[k] or "") for part in parts] for k in count], dtype=object)
    detail = np.array([[part.why.get(k, "") for part in parts] for k in count], dtype=object)
    begun = np.stack([np.where(np.isnan(part.lasted), np.nan, part.begun) for part in parts], axis=1)
    lasted = np.stack([part.lasted for part in parts], axis=1)
    steps, rejected = (np.stack([getattr(part, name) for part in parts], axis=1) for name in ENDS[4:])
    told = {
        "status": (status, "how the phase ended; empty where it was not reached", {}),
        "detail": (detail, "details of the status, where there are any", {}),
        "t_start": (begun, "start of the phase", unit),
        "t_end": (begun + lasted, "end of the phase", unit),
        "steps": (steps, "accepted steps", {}),
        "rejected": (rejected, "rejected steps", {}),
    }
    dims = ("member", "phase_number")
    return {name: (dims, values, {"long_name": long} | more) for name, (values, long, more) in told.items()}

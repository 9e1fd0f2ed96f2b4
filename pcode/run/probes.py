"""The values of probes in a result: their rows as they are kept, and the dataset that is made of them.

A probe's variable has its name, and the dimension ``probe_time``; then ``layer`` where it is one number a
layer, or ``name_0``, ``name_1``, ... of its own for other arrays. A row is a moment at which one probe or
several were due; NaN says that this one was not, or had no value. ``probe_phase`` and ``probe_presentation``
are coordinates along ``probe_time``: the index of the phase, and that of the presentation, -1 in phases
without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..base.errors import InputError
from ..base.short import Short
from ..model.network import Array, Network
from ..model.variables import VARIABLES
from .dataset import ENERGIES, strictly_increasing, time_units

TIME, PHASE, PRESENTATION = "probe_time", "probe_phase", "probe_presentation"

# The group of a result that has the samples by which probes are judged.
SAMPLES = "probe_samples"

# Names that the result has already, or keeps for itself.
RESERVED = (
    "time", "weight_time", "sample", "layer", "phase", "weight_phase", "sample_number", "presentation",
    "weight_presentation", "member", "step", "solver", "clamps", "samples", "others",
    "reached", SAMPLES, *ENERGIES,
    TIME, PHASE, PRESENTATION,
)  # fmt: skip

# The attribute `probe` of those that are functions; that of others is their word.
FUNCTION = "function"

_OF_LAYERS = re.compile(f"(unit|{'|'.join(variable.name for variable in VARIABLES)})[0-9]+")


@dataclass
class ProbeRow(Short):
    """A moment at which probes were due.

    Attributes
    ----------
    phase : int
        Index of the phase.
    t : float
        Time of the run.
    elapsed : float
        Time since the phase began.
    presentation : int
        Index of the presentation; -1 in phases without.
    values : dict of str to ndarray
        By the probes' names.
    """

    phase: int
    t: float
    elapsed: float
    presentation: int
    values: dict[str, Array] = field(default_factory=dict)


def is_free(name: str) -> bool:
    """Whether the result has nothing of its own of this name."""
    return name not in RESERVED and not _OF_LAYERS.fullmatch(name)


def check_names(names: Sequence[str], functions: Sequence[str]) -> None:
    """Raise InputError if a probe cannot have one of these names, because of the result or another probe.

    Parameters
    ----------
    names, functions : sequence of str
        Of all probes, and of those that are functions, whose arrays have dimensions of their own.
    """
    for name in names:
        where = f"probes[{name}]"
        if not is_free(name):
            what = "is the name of a variable, a dimension or a group of the result; choose another"
            raise InputError(where, what)
        if "/" in name or name == "." or name != name.strip():
            what = "is no name for a variable of a file: . alone is none, leave out / and spaces at its ends"
            raise InputError(where, what)
        own = re.fullmatch(r"(.+)_[0-9]+", name)
        if own and own[1] in functions:
            raise InputError(where, f"is how an axis of the probe {own[1]!r} may be called; choose another")


def function_attributes(name: str, label: str | None = None) -> dict[str, Any]:
    """The attributes of a probe that is a function."""
    return {"long_name": f"probe {name}", "probe": FUNCTION, "label": label or name, "by_layer": False}


def probe_dataset(
    network: Network, rows: Sequence[ProbeRow], described: Mapping[str, Mapping[str, Any]]
) -> xr.Dataset:
    """The dataset of the probes.

    Parameters
    ----------
    network : Network
    rows : sequence of ProbeRow
        In the order of time. Of each probe all values have the same shape.
    described : mapping of str to mapping
        The attributes of each probe, by name; those without any value are left out of the dataset. With
        ``by_layer``, an entry that is no attribute, whether it is one number a layer.
    """
    variables: dict[str, Any] = {}
    for name, attributes in described.items():
        first = next((row.values[name] for row in rows if name in row.values), None)
        if first is None:
            continue
        values = np.full((len(rows), *first.shape), np.nan)
        for k, row in enumerate(rows):
            if name in row.values:
                values[k] = row.values[name]
        own = ["layer"] if attributes["by_layer"] else [f"{name}_{k}" for k in range(first.ndim)]
        attrs = {key: value for key, value in attributes.items() if key != "by_layer"}
        variables[name] = ((TIME, *own), values, attrs)
    if not variables:
        return xr.Dataset()
    times = {"long_name": "time of the probes", "units": time_units(network)}
    which = {"long_name": "index of the presentation; -1 in a phase without"}
    phase = np.array([row.phase for row in rows], dtype=np.int64)
    presentation = np.array([row.presentation for row in rows], dtype=np.int64)
    coordinates = {
        TIME: (TIME, strictly_increasing([row.t for row in rows]), times),
        PHASE: (TIME, phase, {"long_name": "index of the phase of the probes"}),
        PRESENTATION: (TIME, presentation, which),
    }
    return xr.Dataset(variables, coordinates)


def samples_dataset(sets: Mapping[int, tuple[Array, Array]]) -> xr.Dataset:
    """The samples that probes are judged by, each set with its number, the attribute `samples` of a probe."""
    variables = {}
    for k, pair in sets.items():
        for name, array in zip(("inputs", "targets"), pair, strict=True):
            about = {"long_name": f"{name} that probes are judged by", "units": "dimensionless"}
            variables[f"{name}{k}"] = ((f"row{k}", f"{name}_of{k}"), array, about)
    return xr.Dataset(variables)


def samples_of(group: xr.Dataset, k: int) -> tuple[Array, Array]:
    """Inputs and targets of the set of this number."""
    return group[f"inputs{k}"].to_numpy(), group[f"targets{k}"].to_numpy()


def probe_names(data: xr.Dataset) -> list[str]:
    """The names of the probes in the dataset of a run."""
    return [str(name) for name, variable in data.data_vars.items() if variable.dims[:1] == (TIME,)]


def points_of(data: xr.Dataset, name: str) -> tuple[Array, Array]:
    """Times, shape (R,), and values, shape (R, ...), of the rows in which a probe has a value."""
    values = data[name].to_numpy()
    there = np.isfinite(values).reshape(len(values), -1).any(axis=1)
    return data[TIME].to_numpy()[there], values[there]

"""The dataset of a sweep, made of what is kept of its points.

Over the axes' dimensions: `point`, the number of the point, which is that of its folder; `status`, that of
the run, ``error`` where there is none, and empty where the point is not done; `message`; `seconds` in all,
and the other values of `pcode.sweeps.summary`. With the dimension `phase` what each phase has of its own,
such as `settling_time` and `error`; with `layer` the last energies of the layers 1..n, NaN where a network
has fewer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from .. import __version__
from ..run.sweep import AXES, LAYER, PHASE, Sweep
from ..scenario import Scenario
from .axes import Axis
from .points import Point, toml

LONG_NAMES = {
    "status": "how the run ended",
    "unknowns": "unknowns of the largest phase",
    "t_end": "time at the end",
    "energy_final": "energy at the end",
    "energy_slaved_final": "energy with errors at rest, at the end",
    "energy_layer": "energy of the layer at the end",
    "energy_slaved_layer": "energy of the layer with errors at rest, at the end",
    "steps": "steps",
    "rejected": "rejected steps",
    "rhs_evaluations": "evaluations of the right-hand side",
    "jacobian_evaluations": "evaluations of the Jacobian",
    "compile_seconds": "time to compile (s)",
    "solve_seconds": "time to solve (s)",
    "seconds": "time of the point in all (s)",
    "computed": "how the point was computed",
    "settling_time": "settling time",
    "duration": "duration of the phase",
    "accuracy": "accuracy",
    "error": "largest error of an output",
}


def dataset(
    scenario: Scenario,
    axes: Sequence[Axis],
    points: Sequence[Point],
    kept: Mapping[int, Mapping[str, Any]],
) -> Sweep:
    """The sweep of a scenario.

    Parameters
    ----------
    scenario : Scenario
        That the points change.
    axes : sequence of Axis
    points : sequence of Point
        All of them, in order.
    kept : mapping
        By the points' numbers what is kept of them; those that are not done may be missing.

    Returns
    -------
    Sweep
    """
    dims = [axis.name for axis in axes]
    shape = tuple(map(len, axes))
    rows = [kept.get(point.number, {}) for point in points]
    of_runs = [_values(row) for row in rows]
    variables: dict[str, Any] = {"point": (dims, np.arange(len(points)).reshape(shape))}
    for name in _names(of_runs):
        variables[name] = (dims, _array([row.get(name) for row in of_runs]).reshape(shape))
    coordinates: dict[str, Any] = {}
    phases = _phase_names(rows)
    layers = max((len(col) for row in rows for col in _part(row, "layers").values()), default=0)
    for part, dim, size in (("phases", PHASE, len(phases)), ("layers", LAYER, layers)):
        columns = [_part(row, part) for row in rows]
        for name in _names(columns) if size else ():
            padded = [_padded(row.get(name, []), size) for row in columns]
            array = _array([value for row in padded for value in row]).reshape(*shape, size)
            # The total of the run has the plain name already.
            variables[name if name not in variables else f"{dim}_{name}"] = ([*dims, dim], array)
        if size:
            coordinates[dim] = phases if dim == PHASE else np.arange(1, layers + 1)
    for axis in axes:
        for k, key in enumerate(axis.keys):
            coordinates[key] = (axis.name, _coordinate([row[k] for row in axis.values]))
    attributes = {
        AXES: json.dumps([list(axis.keys) for axis in axes]),
        "title": scenario.file.title or scenario.name,
        "scenario": scenario.text,
        "scenario_file": scenario.path.name,
        "pcode_version": __version__,
    }
    data = xr.Dataset(variables, coordinates, attributes)
    unit = scenario.file.network.time_unit  # type: ignore[attr-defined]
    for called, variable in data.data_vars.items():
        variable.attrs["long_name"] = _long_name(str(called), unit)
    return Sweep(data)


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the whole run of a point."""
    if "error" in row:
        return {"status": "error", "message": row["error"]}
    if "summary" not in row:
        return {"status": ""}
    return {**row["summary"]["values"], "seconds": row.get("seconds")}


def _part(row: Mapping[str, Any], part: str) -> Mapping[str, list[Any]]:
    found: Mapping[str, list[Any]] = row.get("summary", {}).get(part, {})
    return found


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of all rows; those of runs are there also where no point is done."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _phase_names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the phases, by their indices where points or phases do not go by names."""
    found = [row["summary"]["phase_names"] for row in rows if "summary" in row]
    longest: list[str] = max(found, key=len, default=[])
    if all(names == longest[: len(names)] for names in found) and len(set(longest)) == len(longest):
        return longest
    return [str(k) for k in range(len(longest))]


def _padded(values: Sequence[Any], size: int) -> list[Any]:
    return [*values, *[None] * (size - len(values))]


def _array(values: Sequence[Any]) -> Any:
    """An array of texts ("" where there is none), of whole numbers or flags, or of floats with NaN."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, str) for value in known):
        return np.array([value or "" for value in values], dtype=object)
    for kind in (bool, int):
        if len(known) == len(values) and all(type(value) is kind for value in known):
            return np.array(values)
    return np.array([np.nan if value is None else float(value) for value in values])


def _coordinate(values: Sequence[Any]) -> Any:
    """The values of a key along its axis: numbers, or texts for whatever else there is."""
    for kinds in ((bool,), (int,), (int, float)):
        if all(type(value) in kinds for value in values):
            return np.array(values)
    return np.array([label(value) for value in values], dtype=object)


def label(value: Any) -> str:
    """A value of a key as a short text; sizes of layers as 2-8-1."""
    if isinstance(value, list) and value and all(type(entry) is int for entry in value):
        return "-".join(map(str, value))
    return value if isinstance(value, str) else toml(value)


def _long_name(name: str, unit: str | None) -> str:
    plain = name.removeprefix(f"{PHASE}_")
    told = LONG_NAMES.get(plain, name.replace("_", " "))
    timed = unit is not None and plain in ("t_end", "settling_time", "duration")
    return f"{told} ({unit})" if timed else told

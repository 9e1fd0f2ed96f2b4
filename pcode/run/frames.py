"""A run as data frames of pandas; see `Run.to_dataframe`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from ..model.network import Array
from ..model.variables import NODES, Variable
from .dataset import ENERGIES, time_units
from .probes import PHASE, TIME, probe_names
from .record import PhaseRecord
from .result import Run
from .select import Choice, PhaseChoice, choose_layers, choose_phases, choose_samples

# Most bytes of the numbers in a data frame.
MOST_BYTES = 2e9

Columns = dict[str, Any]


def to_dataframe(
    run: Run, what: str = "nodes", phase: PhaseChoice = None, layers: Choice = None, samples: Choice = None
) -> pd.DataFrame:
    """A part of `run` as a data frame; see `Run.to_dataframe`."""
    checks.word("what", what, FRAMES)
    chosen = choose_phases(run, phase)
    if samples is not None and what != "nodes":
        raise InputError("samples", f"goes with nodes only; {what} have no samples")
    if layers is not None and what in ("phases", "probes"):
        raise InputError("layers", f"goes with nodes, weights and energy only; {what} have no layers")
    kept = choose_layers(run, layers)
    frame = _nodes(run, chosen, kept, samples) if what == "nodes" else FRAMES[what](run, chosen, kept)
    times = [name for name in ("time", "t_start", "t_end", "duration") if name in frame]
    frame.attrs["units"] = dict.fromkeys(times, time_units(run.network))
    return frame


def _nodes(run: Run, phases: Sequence[int], layers: Sequence[int], samples: Choice) -> pd.DataFrame:
    """One row for each saved time and sample shown."""
    names = _arrays(run, NODES, layers)
    rows = _rows(run, "phase", phases)
    numbers = run.data["sample_number"].to_numpy()[rows]
    row, column = np.nonzero(np.isin(numbers, choose_samples(run, samples, phases)))
    _check_size(row.size, [run.network.sizes[layer] for _, layer in names.values()])
    values: Columns = {}
    for name in names:
        values |= _entries(name, run.data[name].to_numpy()[rows[row], column])
    index = _index(run, "time", "phase", rows[row])
    return pd.DataFrame(index | {"sample": numbers[row, column]} | values)


def _weights(run: Run, phases: Sequence[int], layers: Sequence[int]) -> pd.DataFrame:
    """One row for each saved time of the weights."""
    network, rows = run.network, _rows(run, "weight_phase", phases)
    names = _arrays(run, network.weight_variables, layers)
    shapes = [v.shape(network.sizes, layer, 0) for v, layer in names.values()]
    _check_size(rows.size, list(map(math.prod, shapes)))
    values: Columns = {}
    for name in names:
        values |= _entries(name, run.data[name].to_numpy()[rows])
    return pd.DataFrame(_index(run, "weight_time", "weight_phase", rows) | values)


def _energy(run: Run, phases: Sequence[int], layers: Sequence[int]) -> pd.DataFrame:
    """One row for each saved time and layer."""
    rows, columns = _rows(run, "phase", phases), [layer - 1 for layer in layers if layer > 0]
    _check_size(rows.size * len(columns), [1] * len(ENERGIES))
    values: Columns = _index(run, "time", "phase", np.repeat(rows, len(columns)))
    values["layer"] = np.tile(run.data["layer"].to_numpy()[columns], rows.size)
    for name in ENERGIES:
        values[name] = run.data[name].to_numpy()[rows][:, columns].ravel()
    return pd.DataFrame(values)


def _probes(run: Run, phases: Sequence[int], layers: Sequence[int]) -> pd.DataFrame:
    """One row for each moment at which probes were due; NaN where this one was not."""
    names = probe_names(run.data)
    if not names:
        raise InputError("what", "the run has no probes; give simulate some, or choose another table")
    rows = _rows(run, PHASE, phases)
    _check_size(rows.size, [math.prod(run.data[name].shape[1:]) for name in names])
    values: Columns = _index(run, TIME, PHASE, rows)
    for name in names:
        variable = run.data[name][rows]
        found = variable.to_numpy()
        if variable.dims[1:] == ("layer",):
            columns = zip(variable["layer"].to_numpy().tolist(), found.T, strict=True)
            values |= {f"{name}[{layer}]": column for layer, column in columns}
        else:
            values |= {name: found} if found.ndim == 1 else _entries(name, found)
    return pd.DataFrame(values)


def _phases(run: Run, phases: Sequence[int], layers: Sequence[int]) -> pd.DataFrame:
    """One row for each phase: how it ended, and the solver's work."""
    shows = any(record.presentation is not None for record in run.phases)
    return pd.DataFrame([_record(k, run.phases[k], shows) for k in phases])


FRAMES: dict[str, Callable[[Run, Sequence[int], Sequence[int]], pd.DataFrame]] = {
    "nodes": lambda run, phases, layers: _nodes(run, phases, layers, None),
    "weights": _weights,
    "energy": _energy,
    "probes": _probes,
    "phases": _phases,
}


def _record(index: int, record: PhaseRecord, shows: bool) -> Columns:
    """The row of a phase; `shows` says whether a phase of the run shows samples one after another."""
    known = ("t_start", "t_end", "duration", "learn", "until", "unknowns", "method")
    numbers = {name: value for name, value in record.probes.items() if isinstance(value, int | float)}
    row = {
        "phase": index,
        "phase_name": record.name,
        "status": str(record.status),
        **{name: getattr(record, name) for name in known},
        "samples": len(record.samples),
        **({"presented": record.presented, "at_limit": record.at_limit} if shows else {}),
        **asdict(record.stats),
    }
    return row | {f"probe_{name}" if name in row else name: value for name, value in numbers.items()}


def _rows(run: Run, phase: str, chosen: Sequence[int]) -> NDArray[np.intp]:
    """Saved rows of the chosen phases; `phase` is the coordinate that has their indices."""
    return np.flatnonzero(np.isin(run.data[phase].to_numpy(), chosen))


def _index(run: Run, time: str, phase: str, rows: NDArray[np.intp]) -> Columns:
    index = run.data[phase].to_numpy()[rows]
    names = np.array([record.name for record in run.phases], dtype=object)
    own = {"time": run.data[time].to_numpy()[rows], "phase": index, "phase_name": names[index]}
    shown = f"{phase.removesuffix('phase')}presentation"
    if shown in run.data.coords:
        own["presentation"] = run.data[shown].to_numpy()[rows]
    return own


def _arrays(
    run: Run, variables: Sequence[Variable], layers: Sequence[int]
) -> dict[str, tuple[Variable, int]]:
    """Variable and layer of each array of the chosen layers, by name."""
    return {
        f"{variable}{layer}": (variable, layer)
        for variable in variables
        for layer in variable.layers(run.network.n)
        if layer in layers
    }


def _entries(name: str, values: Array) -> Columns:
    """The entries of an array, shape (rows, ...), by names such as x1[0] or M0[2,1]."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    indices = np.ndindex(*values.shape[1:])
    return {f"{name}[{','.join(map(str, k))}]": column for k, column in zip(indices, flat.T, strict=True)}


def _check_size(rows: int, widths: Sequence[int]) -> None:
    size = 8.0 * rows * sum(widths)
    if size > MOST_BYTES:
        what = f"would take {size / 1e9:.3g} GB, more than the {MOST_BYTES / 1e9:g} GB allowed"
        raise InputError("what", f"{what}; choose phases, layers or samples, or take arrays from run.data")

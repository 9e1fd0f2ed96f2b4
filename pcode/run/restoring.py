"""From a result back to the rows that it was made of, so that a run can go on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import xarray as xr

from ..base.errors import InputError
from ..model.network import Array, Weights
from ..model.variables import NODES, WEIGHTS
from .dataset import ENERGIES, Rows
from .probes import PHASE, PRESENTATION, TIME, ProbeRow, probe_names
from .reached import Marks, Reached
from .result import Run


def node_rows(run: Run, count: int) -> list[Rows]:
    """The first `count` rows of the nodes, in blocks."""
    data, n = run.data.isel(time=slice(count)), run.network.n
    names = [name for variable in NODES for name in variable.names(n)]
    numbers = data["sample_number"].to_numpy()
    shown = [tuple(row[row >= 0].tolist()) for row in numbers]
    blocks = []
    for k, where, presentation in _blocks(data, "time", "phase", "presentation"):
        samples = shown[where.start]
        arrays = {name: data[name].to_numpy()[where, : len(samples)] for name in names}
        arrays |= {name: data[name].to_numpy()[where] for name in ENERGIES}
        blocks.append(Rows(k, data["time"].to_numpy()[where], arrays, samples, presentation))
    return blocks


def weight_rows(run: Run, count: int) -> list[Rows]:
    """The first `count` rows of the weights, in blocks."""
    data, n = run.data.isel(weight_time=slice(count)), run.network.n
    names = [name for variable in run.network.weight_variables for name in variable.names(n)]
    blocks = []
    for k, where, presentation in _blocks(data, "weight_time", "weight_phase", "weight_presentation"):
        arrays = {name: data[name].to_numpy()[where] for name in names}
        blocks.append(Rows(k, data["weight_time"].to_numpy()[where], arrays, presentation=presentation))
    return blocks


def _blocks(data: xr.Dataset, time: str, phase: str, presentation: str) -> Iterator[tuple[int, slice, int]]:
    """Phase, rows and presentation of each stretch of rows that have these in common."""
    index = data[phase].to_numpy()
    shown = data[presentation].to_numpy() if presentation in data.coords else np.full(index.size, -1)
    changes = np.flatnonzero((np.diff(index) != 0) | (np.diff(shown) != 0)) + 1
    edges = [0, *changes.tolist(), data.sizes[time]]
    for begin, end in pairwise(edges):
        if end > begin:
            yield int(index[begin]), slice(begin, end), int(shown[begin])


def probe_rows(run: Run, count: int) -> list[ProbeRow]:
    """The first `count` rows of the probes."""
    data = run.data
    if TIME not in data.coords:
        return []
    times, phases, shown = (data[name].to_numpy()[:count] for name in (TIME, PHASE, PRESENTATION))
    # Of no time in the phase, so that rows to come are others.
    rows = [
        ProbeRow(int(k), float(t), np.nan, int(presentation))
        for t, k, presentation in zip(times, phases, shown, strict=True)
    ]
    for name in probe_names(data):
        for row, value in zip(rows, data[name].to_numpy()[:count], strict=True):
            if not np.isnan(value).all():
                row.values[name] = np.array(value)
    return rows


def steps_of(run: Run, reached: Reached) -> dict[int, Array]:
    """The solver's steps, by phase, in the time of the run."""
    solver, last = run.solver, run.phases[-1]
    # Steps beyond are taken anew; of presentations, which have one row each, that of half a one.
    within = reached.elapsed if last.presentation is not None else reached.t
    found = np.stack([solver[f"step_{name}"].to_numpy() for name in ("time", "size", "order")], axis=1)
    phase = solver["step_phase"].to_numpy()
    kept = {int(k): found[phase == k] for k in np.unique(phase)}
    index = len(run.phases) - 1
    if index in kept:
        ends, sizes = kept[index][:, :2].T
        kept[index] = kept[index][(ends <= np.nextafter(last.t_start + within, np.inf)) & (sizes > 0.0)]
    return kept


def first_weights(run: Run) -> Weights:
    """The weights that the run started with.

    Raises
    ------
    InputError
        If it does not have them.
    """
    if not run.data.sizes["weight_time"]:
        raise InputError("", "has no weights of the start")
    first, n = run.data.isel(weight_time=0), run.network.n
    kept = {v.name: tuple(np.array(first[name]) for name in v.names(n)) for v in run.network.weight_variables}
    return Weights(**{v.name: kept.get(v.name) for v in WEIGHTS})  # type: ignore[arg-type]


def check_marks(run: Run, marks: Marks, source: str) -> None:
    """Raise InputError unless the result has as many rows as `marks` says."""
    found = (run.data.sizes["time"], run.data.sizes["weight_time"], run.data.sizes.get(TIME, 0))
    # Rows of probes are left out where no probe has ever had a value.
    wanted = (marks.nodes, marks.weights, marks.probes if probe_names(run.data) else 0)
    if any(have < want for have, want in zip(found, wanted, strict=True)) or not marks.nodes:
        raise InputError("", "has fewer rows than it says; run it anew", source)

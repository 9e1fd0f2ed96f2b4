"""One presentation of a phase that shows samples one after another, as a phase and as a run of its own.

Questions about the course of a phase, and pictures of it, are asked of one presentation: over several of them
a course does not go on, but jumps as the samples change.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.presentation import ramp_from
from .clamps import ClampArrays, ClampRecord, SeriesData
from .probes import PHASE, PRESENTATION
from .record import PhaseRecord
from .result import Run
from .select import ALONE, as_recorded, choose_phases, ends_only, listed, presentations_of, rows_of

# A presentation that was to last until rest, and lasts all but this part of its limit, has reached it.
NEAR = 1e-6


def presentation_record(run: Run, index: int, k: int) -> PhaseRecord:
    """The record of presentation `k` of a phase, as of a phase of its own."""
    record, rows = run.phases[index], rows_of(run, index, k)
    shown = record.presentation
    assert shown is not None
    times = as_recorded(record, run.data["time"].to_numpy()[rows])
    start, end = float(times[0]), float(times[-1])
    status = _status(record, k, end - start)
    name = f"{record.name}, presentation {k}"
    return replace(
        record,
        name=name,
        status=status,
        message=f"{name}, to t = {end:g}: {status.meaning}",
        t_start=start,
        t_end=end,
        until=shown.until,
        duration=shown.longest,
        clamp={layer: _clamp(record, one, k) for layer, one in record.clamp.items()},
        samples=run.samples_at(int(rows[0])),
        stats=_share(record),
        probes={},
        presentation=None,
        presented=0,
        at_limit=0,
    )


def presentation(run: Run, k: int | None = None, phase: int | str | None = None) -> Run:
    """One presentation of `run` as a run of its own; see `Run.presentation`."""
    index = _presenting(run, phase)
    kept = presentations_of(run, index)
    if not kept:
        what = f"{run.phases[index].name!r} was not begun, so nothing of it is known"
        raise InputError("phase", what)
    chosen = kept[-1] if k is None else checks.whole("presentation", k)
    if chosen not in kept:
        what = f"the nodes of {k} of {run.phases[index].name!r} were not kept"
        kept_are = f"those of {listed(kept)} were"
        raise InputError("presentation", f"{what}; {kept_are}, and [save] presentations says which are")
    return alone(run, index, chosen)


def presentation_at(run: Run, row: int) -> int | None:
    """The presentation that a saved `row` of the nodes shows, counted in its phase; None if there is none."""
    if "presentation" not in run.data.coords:
        return None
    k = int(run.data["presentation"][row])
    return None if k < 0 else k


def _presenting(run: Run, phase: int | str | None) -> int:
    """The phase meant, or the last that shows samples one after another."""
    if phase is not None:
        index = choose_phases(run, phase)[-1]
        if run.phases[index].presentation is None:
            what = f"{run.phases[index].name!r} shows its samples all at once, and has no presentations"
            raise InputError("phase", what)
        return index
    found = [k for k, record in enumerate(run.phases) if record.presentation is not None]
    if not found:
        raise InputError("presentation", "no phase of this run shows samples one after another; leave it out")
    return found[-1]


def alone(run: Run, index: int, k: int) -> Run:
    """Presentation `k` of a phase as the only phase of a run."""
    record, arrays = presentation_record(run, index, k), ClampArrays()
    data = run.data.isel(
        time=rows_of(run, index, k),
        weight_time=np.flatnonzero(
            (run.data["weight_phase"].to_numpy() == index) & (run.data["weight_presentation"].to_numpy() == k)
        ),
        sample=slice(len(record.samples)),
    ).drop_vars(["presentation", "weight_presentation"])
    phases = {"phase": "time", "weight_phase": "weight_time"}
    if PHASE in data.coords:
        probed = (data[PHASE].to_numpy() == index) & (data[PRESENTATION].to_numpy() == k)
        data = data.isel(probe_time=np.flatnonzero(probed))
        phases[PHASE] = "probe_time"
    zeros = {
        name: (dim, np.zeros(data.sizes[dim], np.int64), data[name].attrs) for name, dim in phases.items()
    }
    about = {"long_name": "sample: row of the data"}
    data = data.assign_coords(zeros | {"sample": ("sample", np.array(record.samples), about)})
    data = data.assign_attrs(
        {
            "phases": json.dumps([record.to_dict(arrays)]),
            "status": str(record.status),
            "message": record.message,
            ALONE: "ends" if ends_only(run, index) else "full",
        }
    )
    groups = {name: group for name, group in run.groups.items() if name not in ("clamps", "solver")}
    return Run(data, groups | arrays.groups() | _steps(run, index, record), run.network)


def _steps(run: Run, index: int, record: PhaseRecord) -> dict[str, Any]:
    """The solver's steps within a presentation, as far as they were kept."""
    if not run.solver:
        return {}
    ends, within = run.solver["step_time"].to_numpy(), 1e-9 * (record.t_end - record.t_start)
    there = (run.solver["step_phase"].to_numpy() == index) & (ends > record.t_start + within)
    kept = run.solver.isel(step=np.flatnonzero(there & (ends <= record.t_end + within)))
    zeros = np.zeros(kept.sizes["step"], np.int64)
    return {"solver": kept.assign(step_phase=("step", zeros, kept["step_phase"].attrs))}


def _status(record: PhaseRecord, k: int, lasted: float) -> Status:
    """How a presentation ended."""
    shown = record.presentation
    assert shown is not None
    if record.status.failed and k >= record.presented:
        return record.status
    if not shown.until:
        return Status.SUCCESS
    return Status.EQUILIBRIUM if lasted < shown.longest * (1.0 - NEAR) else Status.NOT_SETTLED


def _share(record: PhaseRecord) -> SolverStats:
    """The mean cost of a presentation."""
    stats, count = record.stats, max(record.presented, 1)

    def part(value: int | None) -> int | None:
        return None if value is None else round(value / count)

    return SolverStats(
        round(stats.steps / count),
        part(stats.rejected),
        part(stats.rhs_evaluations),
        part(stats.jacobian_evaluations),
        0.0,
        stats.solve_seconds / count,
    )


def _clamp(record: PhaseRecord, one: ClampRecord, k: int) -> ClampRecord:
    """How a layer was clamped in a presentation: at constant values, or on a ramp from those before."""
    shown = record.presentation
    assert shown is not None
    *before, rows = shown.rows(len(record.samples), max(k - 1, 0), k + 1)
    own = replace(one.of_samples(rows.tolist()), rows=None)
    if not (shown.ramp > 0.0 and before and one.rows is not None):
        return own
    new = one.rows[rows]
    begin = ramp_from(one.rows[before[0]], new)
    times: Array = np.array([0.0, shown.ramp])
    return replace(own, kind="time series", series=SeriesData(times, np.stack([begin, new]), "linear"))

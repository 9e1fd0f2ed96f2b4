"""The short account of a run, for people and for scripts: what report.json holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ..analysis.result import plain
from ..model.data import Data
from ..run.invariants import checks_of
from ..run.probes import points_of, probe_names
from ..run.record import PhaseRecord
from ..run.result import Run

# Points of a probe, and entries of an array that one is; larger arrays are in run.nc only.
MOST_POINTS, MOST_ENTRIES = 200, 100


def balance(data: Data) -> dict[str, Any]:
    """How many samples there are, and of each class, to train and to test."""
    counts = {"samples": len(data), "train": data.train, "test": len(data) - data.train}
    return counts | {"classes": data.balance() if data.classes else None}


def report(run: Run) -> dict[str, Any]:
    """What became of a run, as plain values for JSON.

    Returns
    -------
    dict
        ``status`` (the worst phase's), ``message``, ``method`` (taken) and ``method_reason``,
        ``unknowns`` (of the largest phase), ``energy_final`` (F summed over layers), ``title``,
        ``time_unit`` (None where times have none), ``notes`` (what is odd about it), ``data`` (None where
        the run was given none), with how many ``samples`` there are, to ``train`` and to ``test``, and of
        each of the ``classes`` (None where the targets name none), ``phases``, a list with ``name``,
        ``status``, ``message``, ``t_start``, ``t_end``, ``unknowns``, ``samples`` (how many), the solver's
        statistics, where samples are shown one after another how many ``presentations`` there were and how
        many of these were ``at_limit``, and ``accuracy`` or ``error`` and other probes at its end (as
        ``probe_NAME`` where the name is one of these); ``checks``, what must hold of any
        result and by how much it is off (see `pcode.run.invariants`); and ``probes``, by name their ``times``
        and ``values``: at most `MOST_POINTS` points of each, evenly spread, the first and the last included.
        What is not finite is None.
    """
    phases = [_phase(record) for record in run.phases]
    energy = run.data["energy"]
    values: dict[str, Any] = {
        "status": str(run.status),
        "message": run.message,
        "title": str(run.data.attrs.get("title", "")),
        "method": str(run.data.attrs.get("method", "")),
        "method_reason": str(run.data.attrs.get("method_reason", "")),
        "unknowns": max((record.unknowns for record in run.phases), default=0),
        "energy_final": float(energy.isel(time=-1).sum()) if energy.sizes["time"] else None,
        "time_unit": run.network.time_unit,
        "data": None if run.samples is None else balance(run.samples),
        "phases": phases,
        "notes": list(run.notes),
        "checks": checks_of(run),
        "probes": {name: _points(run, name) for name in probe_names(run.data) if _is_short(run, name)},
    }
    finite: dict[str, Any] = plain(values)
    return finite


def _phase(record: PhaseRecord) -> dict[str, Any]:
    own = {
        "name": record.name,
        "status": str(record.status),
        "message": record.message,
        "t_start": record.t_start,
        "t_end": record.t_end,
        "unknowns": record.unknowns,
        "samples": len(record.samples),
        **asdict(record.stats),
    }
    if record.presentation is not None:
        own |= {"presentations": record.presented, "at_limit": record.at_limit}
    short = {name: value for name, value in record.probes.items() if np.size(value) <= MOST_ENTRIES}
    return own | {f"probe_{name}" if name in own else name: value for name, value in short.items()}


def _is_short(run: Run, name: str) -> bool:
    return int(np.prod(run.data[name].shape[1:])) <= MOST_ENTRIES


def _points(run: Run, name: str) -> dict[str, Any]:
    """Times and values of a probe, at most `MOST_POINTS`."""
    times, values = points_of(run.data, name)
    if len(times) > MOST_POINTS:
        kept = np.linspace(0, len(times) - 1, MOST_POINTS).round().astype(int)
        times, values = times[kept], values[kept]
    return {"times": times.tolist(), "values": values.tolist()}

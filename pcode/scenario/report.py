"""The short account of a run, for people and for scripts: what report.json holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..analysis.result import plain
from ..model.data import Data
from ..run.result import Run


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
        each of the ``classes`` (None where the targets name none), and ``phases``, a list with ``name``,
        ``status``, ``message``, ``t_start``, ``t_end``, ``unknowns``, ``samples`` (how many), the solver's
        statistics, and ``accuracy`` or ``error``. What is not finite is None.
    """
    phases = [
        {
            "name": record.name,
            "status": str(record.status),
            "message": record.message,
            "t_start": record.t_start,
            "t_end": record.t_end,
            "unknowns": record.unknowns,
            "samples": len(record.samples),
            **asdict(record.stats),
            **record.probes,
        }
        for record in run.phases
    ]
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
    }
    finite: dict[str, Any] = plain(values)
    return finite

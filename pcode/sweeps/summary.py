"""A run in a few numbers: what a sweep keeps of each of its points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..analysis import ask
from ..analysis.result import plain
from ..base.errors import InputError
from ..base.status import Status
from ..run.record import PhaseRecord
from ..run.result import Run

# Lists of more numbers than this are curves, which a summary leaves out.
MOST_ENTRIES = 16


def summary(run: Run, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a run, as plain values for JSON.

    Parameters
    ----------
    run : Run
    answers : mapping
        As `answered` gives them.

    Returns
    -------
    dict
        ``values``: of the whole run, ``status``, ``message``, ``method``, ``unknowns``, ``t_end``,
        ``energy_final`` and ``energy_slaved_final``, ``steps``, ``rhs_evaluations``, ``compile_seconds``,
        ``solve_seconds``, numbers of answers by dotted names such as ``separation.order``, and
        ``unanswered``, why other questions have no answer; ``phases``: by name a list with one entry a
        phase; ``layers``: likewise for the layers 1..n; ``phase_names``. None stands for what there is not.
    """
    records, data = run.phases, run.data
    last = {name: data[name].isel(time=-1).to_numpy() for name in ("energy", "energy_slaved")}
    of_phases = _columns([_phase(record) for record in records])
    values = {
        "status": str(run.status),
        "message": run.message,
        "method": ", ".join(dict.fromkeys(record.method for record in records)),
        "unknowns": max((record.unknowns for record in records), default=0),
        "t_end": records[-1].t_end if records else None,
        **{f"{name}_final": float(energies.sum()) for name, energies in last.items()},
        **{name: _total(of_phases.get(name, ())) for name in (*COUNTS, *SECONDS)},
    }
    why = {question: answer["error"] for question, answer in answers.items() if "error" in answer}
    values["unanswered"] = "; ".join(f"{question}: {error}" for question, error in why.items())
    for question, answer in answers.items():
        values |= {f"{question}.{name}": value for name, value in _flat(answer).items()}
    kept: dict[str, Any] = plain(
        {
            "values": values,
            "phases": of_phases,
            "layers": {f"{name}_layer": list(energies) for name, energies in last.items()},
            "phase_names": [record.name for record in records],
        }
    )
    return kept


COUNTS = ("steps", "rejected", "rhs_evaluations", "jacobian_evaluations")
SECONDS = ("compile_seconds", "solve_seconds")


def answered(run: Run, questions: Sequence[str]) -> dict[str, Any]:
    """The answers to questions about a run, as plain values; ``{"error": ...}`` for one that has none."""
    values: dict[str, Any] = {}
    for question in questions:
        if run.status.failed:
            values[question] = {"error": f"not asked, since the run failed ({run.status})"}
            continue
        try:
            values[question] = ask(run, question).to_dict()
        except InputError as error:
            values[question] = {"error": str(error)}
    return values


def _phase(record: PhaseRecord) -> dict[str, Any]:
    """The numbers of a phase; `settling_time` is how long one took that ended at rest."""
    duration = record.t_end - record.t_start
    own: dict[str, Any] = {
        "phase_status": str(record.status),
        "duration": duration,
        "settling_time": duration if record.status is Status.EQUILIBRIUM else None,
        **asdict(record.stats),
    }
    for name, value in record.probes.items():
        free = f"probe_{name}" if name in own else name
        own |= {free: value} if np.ndim(value) == 0 else _flat({free: plain(np.asarray(value))})
    return own


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows of values as columns; None where a row has no such value."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _total(values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _flat(node: Any, name: str = "") -> dict[str, Any]:
    """The numbers and flags of nested plain values by dotted names, entries of short lists as ``name[k]``."""
    if isinstance(node, Mapping):
        inner = {f"{name}.{key}" if name else str(key): value for key, value in node.items()}
        return {k: v for key, value in inner.items() for k, v in _flat(value, key).items()}
    if isinstance(node, list):
        if len(node) > MOST_ENTRIES:
            return {}
        keys = [_key(entry, k, name) for k, entry in enumerate(node)]
        return {k: v for key, value in zip(keys, node, strict=True) for k, v in _flat(value, key).items()}
    number = isinstance(node, bool | int) or (isinstance(node, float) and math.isfinite(node))
    return {name: node} if number else {}


def _key(entry: Any, k: int, name: str) -> str:
    """The name of an entry of a list: that of the phase or the check that it tells of, or its index."""
    named = isinstance(entry, Mapping) and (entry.get("phase") or entry.get("name"))
    return f"{name}.{named}" if isinstance(named, str) else f"{name}[{k}]"

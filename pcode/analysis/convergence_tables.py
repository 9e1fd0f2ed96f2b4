"""The answer to `convergence` as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..base.tables import Column, Table
from .phase_convergence import PhaseConvergence
from .settling.drift_and_energy import EnergyCourse
from .words import in_latex

Phases = Sequence[PhaseConvergence]


def convergence_tables(fraction: float, phases: Phases, time: str, rate: str) -> dict[str, Table]:
    """The tables by name; `time` and `rate` are the units of times and rates."""
    return {
        "nodes": _nodes(fraction, phases, time, rate),
        "phases": _phases(fraction, phases, time, rate),
        "weights": _weights(phases, time),
        "energies": _energies(phases, time),
        "distances": _distances(phases, time),
    }


def _nodes(fraction: float, phases: Phases, time: str, rate: str) -> Table:
    """One row for each layer's value nodes, unless they are clamped, and for its error nodes."""
    rows = [(found, *row) for found in phases for row in _layers(found)]
    found, names, largest, settling, rates, period, overshoot, lag = (
        zip(*rows, strict=True) if rows else [()] * 8
    )
    return Table(
        f"nodes of a layer, settled at {100 * fraction:g}% of their largest distance from rest",
        (
            Column("phase", [one.phase for one in found], "phase"),
            Column("variable", names, "nodes", typeset=in_latex),
            Column("largest_distance", largest, "largest distance"),
            Column("settling_time", settling, r"$t_\mathrm{settle}$", time),
            Column("rate", rates, "rate", rate),
            Column("period", period, "period", time),
            Column("overshoot", overshoot, "overshoot"),
            Column("lag", lag, "lag"),
        ),
    )


def _layers(found: PhaseConvergence) -> Iterator[tuple[Any, ...]]:
    """Name, largest distance, settling time, rate, period, overshoot and lag of each layer's free nodes."""
    nan = np.full(found.error_largest.size, np.nan)
    values = zip(
        found.value_largest, found.value_settling, found.value_rate, found.value_period, found.overshoot,
        found.value_lag, strict=True,
    )  # fmt: skip
    errors = zip(
        found.error_largest, found.error_settling, found.error_rate, found.error_period, nan,
        found.error_lag, strict=True,
    )  # fmt: skip
    for layer, row in enumerate(values):
        if not np.isnan(found.value_largest[layer]):
            yield f"x{layer}", *map(float, row)
    for layer, row in enumerate(errors, 1):
        if found.at_rest:
            yield f"eps{layer}", *map(float, row)


def _phases(fraction: float, phases: Phases, time: str, rate: str) -> Table:
    """One row a phase: all of its nodes together."""

    def column(name: str, head: str, unit: str, values: list[Any]) -> Column:
        return Column(name, values, head, unit)

    return Table(
        f"phase; all nodes together, settled at {100 * fraction:g}% of their largest distance from rest",
        (
            column("phase", "phase", "", [p.phase for p in phases]),
            column("t_start", "start", time, [p.t_start for p in phases]),
            column("duration", "duration", time, [p.duration for p in phases]),
            column("settling_time", r"$t_\mathrm{settle}$", time, [_settling(p) for p in phases]),
            column("settling_accuracy", "accuracy", time, [p.accuracy for p in phases]),
            column("rate", "rate", rate, [p.rate for p in phases]),
            column("slowest_real", r"$\mathrm{Re}\,\lambda$", rate, [p.slowest.real for p in phases]),
            column("slowest_imaginary", r"$\mathrm{Im}\,\lambda$", rate, [p.slowest.imag for p in phases]),
            column("slowest_real_at_end", r"$\mathrm{Re}\,\lambda$ at the end", rate,
                   [p.slowest_end.real for p in phases]),
            column("fastest_real", r"fastest $\mathrm{Re}\,\lambda$", rate, [p.fastest.real for p in phases]),
            column("predicted_time", r"$t_\mathrm{settle}$ by $\lambda$", time,
                   [p.predicted for p in phases]),
        ),
    )  # fmt: skip


def _settling(found: PhaseConvergence) -> float:
    return found.settling if found.at_rest else float("nan")


def _weights(phases: Phases, time: str) -> Table:
    """One row for each M of a phase that learns."""
    rows = [
        (p.phase, f"M{k}", *(float(v[k]) for v in (d.change, d.fastest, d.fastest_at, d.last)))
        for p in phases
        for d in ([] if p.drift is None else [p.drift])
        for k in range(d.change.size)
    ]
    phase, names, change, fastest, at, last = zip(*rows, strict=True) if rows else [()] * 6
    return Table(
        "prediction weights of a link, their norm of change, and speeds per delta",
        (
            Column("phase", phase, "phase"),
            Column("variable", names, "weights", typeset=in_latex),
            Column("change", change, "change"),
            Column("fastest", fastest, r"largest per $\delta$"),
            Column("fastest_at", at, "at", time),
            Column("last", last, r"last per $\delta$"),
        ),
    )


def _energies(phases: Phases, time: str) -> Table:
    """One row for each energy of a phase."""
    rows: list[tuple[str, str, EnergyCourse]] = [
        (p.phase, name, course)
        for p in phases
        for name, course in (("energy", p.energy), ("energy_slaved", p.energy_slaved))
    ]
    courses = [course for _, _, course in rows]
    return Table(
        "energy, summed over layers, with error nodes as they are or slaved (at rest value)",
        (
            Column("phase", [phase for phase, _, _ in rows], "phase"),
            Column("energy", [name for _, name, _ in rows], "energy"),
            Column("first", [c.first for c in courses], "first"),
            Column("largest", [c.largest for c in courses], "largest"),
            Column("largest_at", [c.largest_at for c in courses], "largest at", time),
            Column("last", [c.last for c in courses], "last"),
            Column("rises_at", [c.rises_at for c in courses], "rises at", time),
        ),
    )


def _distances(phases: Phases, time: str) -> Table:
    """One row for each moment and each layer's nodes: the curves that are drawn."""
    rows = [
        (p.phase, float(t), name, float(distance))
        for p in phases
        for name, course in _courses(p)
        for t, distance in zip(p.times, course, strict=True)
    ]
    phase, t, names, distances = zip(*rows, strict=True) if rows else [()] * 4
    return Table(
        "distance of a layer's nodes from rest, root mean square over samples",
        (
            Column("phase", phase, "phase"),
            Column("time", t, "$t$", time),
            Column("variable", names, "nodes", typeset=in_latex),
            Column("distance", distances, "distance"),
        ),
    )


def _courses(found: PhaseConvergence) -> Iterator[tuple[str, Any]]:
    for layer, course in enumerate(found.value_distance.T):
        if not np.isnan(course).all():
            yield f"x{layer}", course
    for layer, course in enumerate(found.error_distance.T, 1):
        if not np.isnan(course).all():
            yield f"eps{layer}", course

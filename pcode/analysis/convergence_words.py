"""The answer to `convergence` in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .phase_convergence import PhaseConvergence
from .settling.drift_and_energy import EnergyCourse

# Statuses of a phase that ended as it should.
ENDED = ("success", "equilibrium", "not_settled")

# A rise of the Lyapunov function by this part of its largest value, or less, is rounding.
ROUNDING = 1e-9


def headline(fraction: float, phases: Sequence[PhaseConvergence], after_time: str) -> str:
    """When the nodes of each phase have settled, in one line."""
    lines = "; ".join(f"{found.phase}: {_when(found, after_time)}" for found in phases)
    return f"nodes, to {100 * fraction:g}% of their largest distance from rest: {lines}"


def phase_lines(found: PhaseConvergence, fraction: float, after_time: str) -> list[str]:
    """All lines about a phase."""
    ended = "" if found.status in ENDED else f" ({found.status})"
    lines = [
        f"phase {found.phase!r}, {'learning' if found.learn else 'weights held'}, "
        f"t = {found.t_start:g} to {found.t_start + found.duration:g}{after_time}{ended}; "
        "times since its start"
    ]
    if found.lost and found.at_rest:
        lines.append(f"  no equilibrium was found at {found.lost} of the moments looked at")
    if found.at_rest and not (found.leaves_rest or found.moving):
        lines += _layer_lines(found, after_time)
    if found.at_rest:
        lines.append(f"  all nodes: {_together(found)}; {_spectrum_words(found, fraction)}")
    lines += _lag_lines(found)
    if found.drift is not None:
        lines += [
            f"  M{k} drifts by {found.drift.change[k]:.3g}, at most {found.drift.fastest[k]:.3g} per delta "
            f"(t = {found.drift.fastest_at[k]:.3g}), {found.drift.last[k]:.2g} per delta at the end"
            for k in range(found.drift.change.size)
        ]
    lines.append(f"  energy F {_energy_words(found.energy)}; slaved, it {_energy_words(found.energy_slaved)}")
    if found.lyapunov is not None:
        V, rise = found.lyapunov, found.lyapunov_rise
        falls = "falls throughout" if rise <= ROUNDING else f"rises by {rise:.1e} of its largest value"
        lines.append(f"  Lyapunov function {falls}: {V[0]:.3g} to {V[-1]:.2g}")
    return lines + [f"  note: {note}" for note in found.notes]


def _when(found: PhaseConvergence, after_time: str) -> str:
    if not found.at_rest:
        return found.why_not
    if found.leaves_rest:
        return f"never, their rest is unstable{' at the end' if found.learn else ''}"
    if found.moving:
        largest = np.nanmax([*found.value_largest, *found.error_largest])
        return f"no settling time, for a clamp moves the nodes' rest; they are at most {largest:.3g} from it"
    if np.isnan(found.settling):
        return f"{_settled(found.settling, after_time)}{_farthest(found)}"
    return _settled(found.settling, after_time)


def _farthest(found: PhaseConvergence) -> str:
    """Which layer is farthest from having settled, at the end."""
    distances = np.concatenate([found.value_distance[-1], found.error_distance[-1]])
    largest = np.concatenate([found.value_largest, found.error_largest])
    late = np.isnan(np.concatenate([found.value_settling, found.error_settling])) & (largest > 0.0)
    if not late.any():
        return ""
    left = np.where(late, distances / np.where(largest > 0.0, largest, 1.0), -1.0)
    k = int(left.argmax())
    return f" ({_name(k, found)} still at {_percent(left[k])} at the end)"


def _layer_lines(found: PhaseConvergence, after_time: str) -> list[str]:
    lines = []
    for layer in range(found.overshoot.size):
        parts = []
        if not np.isnan(found.value_largest[layer]):
            parts.append(f"values {_settled(found.value_settling[layer], after_time)}")
            parts.append(_rate(found.value_rate[layer], found.value_period[layer], found.value_swings[layer]))
            if not np.isnan(found.overshoot[layer]):
                parts.append(f"overshoot {_percent(found.overshoot[layer])}")
        if layer > 0:
            parts.append(f"errors {_settled(found.error_settling[layer - 1], after_time)}")
            k = layer - 1
            parts.append(_rate(found.error_rate[k], found.error_period[k], found.error_swings[k]))
        if parts:
            lines.append(f"  layer {layer}  {', '.join(parts)}")
    return lines


def _settled(time: float, after_time: str) -> str:
    if np.isnan(time):
        return "not within the phase"
    return f"settled after {time:.3g}{after_time}" if time > 0.0 else "at rest from the start"


def _rate(rate: float, period: float = float("nan"), swings: int = 0) -> str:
    if not swings:
        return "no rate to fit" if np.isnan(rate) else f"rate {rate:.3g}"
    ringing = "ringing" if np.isnan(period) else f"ringing with the period {period:.3g}"
    if np.isnan(rate):
        return f"{ringing} ({swings} swing{'' if swings == 1 else 's'}, no rate to fit)"
    return f"{ringing}, its peaks fall at the rate {rate:.3g}"


def _together(found: PhaseConvergence) -> str:
    if found.leaves_rest:
        return "leave their rest"
    return _rate(found.rate)


def _spectrum_words(found: PhaseConvergence, fraction: float) -> str:
    slowest, ringing = found.slowest, ""
    if slowest.real > 0.0:
        ringing = ", unstable"
    if slowest.imag != 0.0:
        ringing += f", ringing with the period {2.0 * np.pi / abs(slowest.imag):.3g}"
    fastest = "" if np.isnan(found.fastest) else f"; fastest {found.fastest.real:.3g}"
    end = ""
    if found.learn:
        end = f" at the start, {found.slowest_end.real:.3g} at the end"
    alone = "" if np.isnan(found.predicted) else f" (alone, to {100 * fraction:g}% in {found.predicted:.3g})"
    return f"slowest eigenvalue {slowest.real:.3g}{ringing}{end}{alone}{fastest}"


def _lag_lines(found: PhaseConvergence) -> list[str]:
    """How far the nodes lag behind a rest that moves, at the end of a phase that learns."""
    if not found.learn or not found.at_rest or found.leaves_rest or found.moving:
        return []
    lags = np.concatenate([found.value_lag, found.error_lag])
    if not np.isfinite(lags).any():
        why = "cannot be told from what is left of the start"
        return [f"  lag behind the rest, which moves with the weights: {why}"]
    largest = np.concatenate([found.value_largest, found.error_largest])
    each = [
        f"{_name(k, found)} no more than rounding"
        if lags[k] == 0.0
        else f"{_name(k, found)} {lags[k]:.2g} ({100 * lags[k] / largest[k]:.2g}% of the largest distance)"
        for k in np.flatnonzero(np.isfinite(lags) & (largest > 0.0)).tolist()
    ]
    return [f"  lag behind the rest, which moves with the weights, at the end: {', '.join(each)}"]


def _name(k: int, found: PhaseConvergence) -> str:
    n = found.value_largest.size - 1
    return f"x{k}" if k <= n else f"eps{k - n}"


def _energy_words(course: EnergyCourse) -> str:
    if np.isnan(course.rises_at):
        return f"falls throughout, {course.first:.3g} to {course.last:.3g}"
    return (
        f"starts at {course.first:.3g}, rises at t = {course.rises_at:.2g} for the first time, is largest at "
        f"t = {course.largest_at:.3g} ({course.largest:.3g}) and ends at {course.last:.3g}"
    )


def _percent(part: float) -> str:
    """Two digits, and all of those before the point; nothing that vanishes has a sign."""
    percent = 100.0 * part
    return f"{percent:.0f}%" if percent >= 99.5 else f"{percent + 0.0:.2g}%"

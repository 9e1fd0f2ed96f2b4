"""How fast nodes settle and weights drift, phase by phase, and where the energies rise.

Nodes are measured from their rest: with the weights held, the equilibrium they come to; with weights
that learn, at each moment the equilibrium for the weights of that moment. The fitted rates stand beside
the eigenvalues of the nodes' Jacobian, the slowest of which is the rate in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..equilibrium import nodes_at_rest
from ..errors import InputError
from ..network import Array
from ..run import Run
from ..select import PhaseChoice, choose_phases, of_run
from ..state import State
from .courses import EnergyCourse, WeightDrift, drift_of, energy_of
from .equilibrium import rest_of
from .modes import Eigenvalues, node_eigenvalues
from .result import Result
from .settling import decay_fit, decay_rate, overshoot, settling_time
from .situation import Situation, weights_clock_error

Rows = NDArray[np.signedinteger[Any]]

# Residual of the nodes' rest.
TOLERANCE = 1e-10

# Units of tau within which nodes settle, as a rule: more moments are looked at there.
FAST = 40.0

# Nodes lag behind a rest that moves; a distance is that of settling where it is this many times larger.
ABOVE_LAG = 10.0


@dataclass(frozen=True)
class PhaseConvergence:
    """How one phase converged; times in the run's unit, since the phase's start.

    Attributes
    ----------
    phase : str
    learn : bool
    t_start, duration : float
        `duration` is what was had.
    at_rest : bool
        Whether an equilibrium was found to measure from; without one, and with tau = 0, where nodes
        are at rest at every instant, nothing of what follows on nodes has a value.
    lost : int
        Moments looked at for which none was found; they are left out.
    times : ndarray, shape (T,)
        The moments looked at.
    value_distance : ndarray, shape (T, n + 1)
        Root mean square over samples of |x^l - rest|, l = 0..n; NaN for clamped layers.
    error_distance : ndarray, shape (T, n)
        Likewise of eps^l, l = 1..n.
    value_settling, error_settling : ndarray, shapes (n + 1,), (n,)
        When the distance has fallen to `fraction` of its largest; NaN if it never did.
    value_rate, error_rate : ndarray, shapes (n + 1,), (n,)
        Fitted exponential rates; NaN where there is too little to fit, or the rest is unstable, so
        that nothing decays to it. There settling times and `overshoot` are NaN as well.
    value_fit, error_fit : ndarray, shapes (n + 1, 3), (n, 3)
        Start and end of what was fitted, and the height of the fitted line at its start.
    rate : float
        Fitted exponential rate of all nodes together.
    slowest, fastest : complex
        Eigenvalues of the nodes' Jacobian at rest, at the start of a learning phase, with the
        largest and the smallest real part; of large networks the latter is not known (NaN). Zeros, of
        a continuum of equilibria (fact 4), are left out.
    overshoot : ndarray, shape (n + 1,)
        How far a value node of the layer went beyond its rest, over the layer's largest first
        distance; dimensionless.
    drift : WeightDrift or None
        None where the weights are held.
    energy, energy_slaved : EnergyCourse
        With the error nodes as they are, and at their rest value.
    lyapunov : ndarray, shape (T,), or None
        V = 1/2 |x - x*|^2 + 1/2 |eps - eps*|^2, mean over samples, where it is a Lyapunov function
        (fact 3 of the model): a linear network with W = M^T, weights held and clamps constant.
    """

    phase: str
    learn: bool
    t_start: float
    duration: float
    at_rest: bool
    lost: int
    times: Array
    value_distance: Array
    error_distance: Array
    value_settling: Array
    error_settling: Array
    value_rate: Array
    error_rate: Array
    value_fit: Array
    error_fit: Array
    rate: float
    slowest: complex
    fastest: complex
    overshoot: Array
    drift: WeightDrift | None
    energy: EnergyCourse
    energy_slaved: EnergyCourse
    lyapunov: Array | None

    @property
    def leaves_rest(self) -> bool:
        """Whether the nodes' rest is unstable; in a learning phase, at its start."""
        return bool(self.slowest.real > 0.0)

    @property
    def settling(self) -> float:
        """When the last layer has settled; NaN if one has not."""
        return float(np.max([*self.value_settling[~np.isnan(self.value_distance[0])], *self.error_settling]))


@dataclass(frozen=True)
class Convergence(Result):
    """Answer to the question `convergence`.

    Attributes
    ----------
    fraction : float
        Part of its largest distance from rest at which a layer counts as settled.
    phases : tuple of PhaseConvergence
    """

    question: ClassVar[str] = "convergence"

    fraction: float
    phases: tuple[PhaseConvergence, ...]

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        settled = "; ".join(
            f"{found.phase}: {_settled(found.settling) if _settles(found) else _restless(found)}"
            for found in self.phases
        )
        told = [f"nodes, to {100 * self.fraction:g}% of their largest distance from rest: {settled}"]
        for found in self.phases:
            told += _phase_lines(found)
        return told


@of_run
def convergence(
    run: Run, /, phase: PhaseChoice = None, fraction: float = 0.01, points: int = 60
) -> Convergence:
    """Measure how nodes settle, weights drift and energies go.

    Parameters
    ----------
    run : Run
    phase : int, str or sequence of these, optional
        Index or name of the phases; all that were begun where left out.
    fraction : float
        Part of its largest distance from rest at which a layer counts as settled; in (0, 1).
    points : int
        Most moments of a learning phase to look at while the nodes settle, each with an equilibrium
        of its own; half as many are looked at later.

    Returns
    -------
    Convergence

    Raises
    ------
    InputError
        If there is no such phase, no time passed in it, or an option is out of range.
    """
    if not 0.0 < fraction < 1.0:
        raise InputError("fraction", f"must be between 0 and 1, not {fraction:g}")
    if points < 4:
        raise InputError("points", f"must be 4 or more, not {points}")
    lasting = [k for k in choose_phases(run, phase) if run.phases[k].t_end > run.phases[k].t_start]
    if not lasting:
        raise InputError("phase", "no time passed in it, so nothing converged; choose another phase")
    return Convergence(fraction, tuple(_phase(run, k, fraction, points) for k in lasting))


def _phase(run: Run, index: int, fraction: float, points: int) -> PhaseConvergence:
    record, rows = run.phases[index], np.flatnonzero(run.data["phase"].to_numpy() == index)
    end = Situation.at(run, int(rows[-1]))
    still = not (record.learn or end.moving)
    if not still:
        since = (run.data["time"].to_numpy()[rows] - record.t_start) / (run.network.tau or np.inf)
        early = since <= FAST
        rows = np.concatenate([_spread(rows[early], points), _spread(rows[~early], points // 2)])
    t = run.data["time"].to_numpy()[rows] - record.t_start
    limit = run.network.tau == 0.0  # nodes are at rest at every instant
    rests, found = ([], np.zeros(rows.size, bool)) if limit else _rests(run, rows, end if still else None)
    at_rest = bool(found.any())
    if at_rest:
        rows, t, rests = (
            rows[found],
            t[found],
            [rest for rest, kept in zip(rests, found, strict=True) if kept],
        )
    x, eps = _deviations(run, rows, rests if at_rest else None)
    values, errors = _distances(x), _distances(eps)
    for layer in end.phase.clamp:
        if end.clamped(layer):
            values[:, layer] = np.nan
    slowest, fastest = complex("nan"), complex("nan")
    if at_rest:
        moment = replace(end if still else Situation.at(run, int(rows[0])), state=rests[0])
        slowest, fastest = _extremes(node_eigenvalues(moment.problem()))
    together = np.sqrt(np.nansum(values**2, axis=1) + np.nansum(errors**2, axis=1))
    floor = np.zeros(t.size) if still or not at_rest else _floor(run, index, rows, t, rests, slowest)
    value_fit, error_fit = _fits(t, values, floor), _fits(t, errors, floor)
    value_settling = _each(lambda d: settling_time(t, d, fraction, floor), values)
    error_settling = _each(lambda d: settling_time(t, d, fraction, floor), errors)
    leaves = slowest.real > 0.0  # to an unstable rest nothing decays, and nothing goes beyond it
    if leaves:
        value_fit, error_fit = np.full_like(value_fit, np.nan), np.full_like(error_fit, np.nan)
        value_settling, error_settling = value_fit[:, 0], error_fit[:, 0]
    V = 0.5 * together**2 if still and at_rest and _has_lyapunov(end) else None
    return PhaseConvergence(
        phase=record.name,
        learn=record.learn,
        t_start=record.t_start,
        duration=record.t_end - record.t_start,
        at_rest=at_rest,
        lost=0 if limit else int((~found).sum()),
        times=t,
        value_distance=values,
        error_distance=errors,
        value_settling=value_settling,
        error_settling=error_settling,
        value_rate=value_fit[:, 0],
        error_rate=error_fit[:, 0],
        value_fit=value_fit[:, 1:],
        error_fit=error_fit[:, 1:],
        rate=decay_rate(t, together, floor) if at_rest and not leaves else float("nan"),
        slowest=slowest,
        fastest=fastest,
        overshoot=np.array(
            [overshoot(part) if at_rest and not (end.moving or leaves) else np.nan for part in x]
        ),
        drift=drift_of(run, index) if record.learn else None,
        energy=energy_of(run, index, "energy"),
        energy_slaved=energy_of(run, index, "energy_slaved"),
        lyapunov=V,
    )


def _spread(rows: Rows, most: int) -> Rows:
    """At most `most` of the rows, evenly, with the first and the last."""
    if rows.size <= most:
        return rows
    picked: Rows = rows[np.unique(np.linspace(0, rows.size - 1, most).round().astype(int))]
    return picked


def _rests(run: Run, rows: Rows, end: Situation | None) -> tuple[list[State], NDArray[np.bool_]]:
    """The nodes' rest at each of `rows`, and at which it was found; at all that of `end`, where given."""
    if end is not None:
        rest = rest_of(end, TOLERANCE)
        return [rest.state] * rows.size, np.full(rows.size, rest.found)
    states: list[State] = []
    found: list[bool] = []
    for row in rows:
        moment = Situation.at(run, int(row))
        # From the rest before, which is near where nodes ring far away from it; else from the nodes.
        before = [s for s, kept in zip(states, found, strict=True) if kept][-1:]
        starts = [moment.state, *(State(b.x, b.eps, moment.state.weights) for b in before)]
        for start in reversed(starts):
            rest = nodes_at_rest(replace(moment, state=start).problem(), tol=TOLERANCE)
            if rest.found:
                break
        states.append(rest.state)
        found.append(rest.found)
    return states, np.array(found)


def _deviations(run: Run, rows: Rows, rests: list[State] | None) -> tuple[list[Array], list[Array]]:
    """Deviations of x^l and eps^l from `rests` at `rows`, shapes (T, B, n_l); NaN where there are none."""
    samples = list(run.phases[int(run.data["phase"][int(rows[0])])].samples)
    n = run.network.n

    def part(name: str, k: int) -> Array:
        kept: Array = run.data[f"{name}{k}"].to_numpy()[rows][:, samples]
        if rests is None:
            return np.full_like(kept, np.nan)
        return kept - np.stack([np.asarray(rest.x[k] if name == "x" else rest.eps[k - 1]) for rest in rests])

    return [part("x", k) for k in range(n + 1)], [part("eps", k) for k in range(1, n + 1)]


def _distances(deviations: list[Array]) -> Array:
    """Root mean square over samples of the norm, shape (T, layers)."""
    return np.stack([np.sqrt((part**2).sum(axis=2).mean(axis=1)) for part in deviations], axis=1)


def _floor(run: Run, index: int, rows: Rows, t: Array, rests: list[State], slowest: complex) -> Array:
    """Distances, shape (T,), up to which nodes follow a rest that moves, as far as can be told.

    They lag behind by its speed over their slowest rate; and weights between saved times are known
    as well as if their time were off a little.
    """
    network = run.network
    flat = np.stack([np.concatenate([*rest.x, *rest.eps], axis=1) for rest in rests])
    steps = np.sqrt((np.diff(flat, axis=0) ** 2).sum(axis=2).mean(axis=1)) / np.maximum(np.diff(t), 1e-300)
    speed = np.append(steps, steps[-1:])
    stable = slowest.real < 0.0  # neither unknown nor unstable
    lag = -1.0 / slowest.real if stable else 2.0 * network.tau / min(network.nu)
    start = run.phases[index].t_start
    off = np.array([weights_clock_error(run, index, start + moment) for moment in t])
    floor: Array = ABOVE_LAG * speed * (lag + off)
    return floor


def _extremes(eigenvalues: Eigenvalues) -> tuple[complex, complex]:
    """Those with the largest and the smallest real part, zeros left out; NaN for what is not known."""
    values = eigenvalues.moving if eigenvalues.moving.size else eigenvalues.values
    smallest = complex(values[values.real.argmin()]) if eigenvalues.exact else complex("nan")
    return complex(values[values.real.argmax()]), smallest


def _has_lyapunov(situation: Situation) -> bool:
    weights = situation.state.weights
    linear = set(situation.network.activation) == {"identity"}
    return linear and all(np.allclose(M.T, W) for M, W in zip(weights.M, weights.feedback, strict=True))


def _each(measure: object, distances: Array) -> Array:
    """`measure` of each column; NaN where that is."""
    assert callable(measure)
    return np.array([np.nan if np.isnan(d).any() else measure(d) for d in distances.T])


def _fits(t: Array, distances: Array, floor: Array) -> Array:
    """`decay_fit` of each column, shape (layers, 4); NaN where that is."""
    none = np.full(4, np.nan)
    return np.stack([none if np.isnan(d).any() else decay_fit(t, d, floor) for d in distances.T])


def _settles(found: PhaseConvergence) -> bool:
    return found.at_rest and not found.leaves_rest


def _restless(found: PhaseConvergence) -> str:
    if found.leaves_rest:
        return f"never, their rest is unstable{' at the start' if found.learn else ''}"
    return "no equilibrium found" if found.lost else "always at rest (tau = 0)"


def _settled(time: float) -> str:
    return "not yet settled at the end" if np.isnan(time) else f"settled after {time:.3g}"


def _phase_lines(found: PhaseConvergence) -> list[str]:
    told = [
        f"phase {found.phase!r}, {'learning' if found.learn else 'weights held'}, "
        f"t = {found.t_start:g} to {found.t_start + found.duration:g}; times since its start"
    ]
    if found.lost:
        told.append(f"  no equilibrium was found at {found.lost} of the moments looked at")
    for layer in range(found.overshoot.size if found.at_rest and not found.leaves_rest else 0):
        parts = []
        if not np.isnan(found.value_distance[0, layer]):
            parts.append(f"values {_settled(found.value_settling[layer])}")
            parts.append(f"{_rate(found.value_rate[layer])}, overshoot {100 * found.overshoot[layer]:.2g}%")
        if layer > 0:
            parts.append(f"errors {_settled(found.error_settling[layer - 1])}")
            parts.append(_rate(found.error_rate[layer - 1]))
        if parts:
            told.append(f"  layer {layer}  {', '.join(parts)}")
    if found.at_rest:
        how = "leave their rest" if found.leaves_rest else _rate(found.rate)
        told.append(f"  all nodes: {how}; {_spectrum_line(found)}")
    if found.drift is not None:
        told += [
            f"  M{k} drifts by {found.drift.change[k]:.3g}, at most {found.drift.fastest[k]:.3g} per delta "
            f"(t = {found.drift.fastest_at[k]:.3g}), {found.drift.last[k]:.2g} per delta at the end"
            for k in range(found.drift.change.size)
        ]
    told.append(f"  energy F {_energy_words(found.energy)}; slaved, it {_energy_words(found.energy_slaved)}")
    if found.lyapunov is not None:
        V = found.lyapunov
        rise = np.diff(V).max(initial=0.0) / V.max() if V.max() > 0.0 else 0.0
        falls = "falls throughout" if rise <= 1e-9 else f"rises by {rise:.1e} of its largest value"
        told.append(f"  Lyapunov function {falls}: {V[0]:.3g} to {V[-1]:.2g}")
    return told


def _rate(rate: float) -> str:
    return "no rate to fit" if np.isnan(rate) else f"rate {rate:.3g}"


def _spectrum_line(found: PhaseConvergence) -> str:
    slowest, ringing = found.slowest, ""
    if slowest.real > 0.0:
        ringing = ", unstable"
    if slowest.imag != 0.0:
        ringing += f", ringing with the period {2.0 * np.pi / abs(slowest.imag):.3g}"
    fastest = "" if np.isnan(found.fastest) else f"; fastest {found.fastest.real:.3g}"
    return f"slowest eigenvalue {slowest.real:.3g}{ringing}{fastest}"


def _energy_words(course: EnergyCourse) -> str:
    if np.isnan(course.rises_at):
        return f"falls throughout, {course.first:.3g} to {course.last:.3g}"
    return (
        f"rises from t = {course.rises_at:.2g}: {course.first:.3g}, at most {course.largest:.3g} "
        f"(t = {course.largest_at:.3g}), {course.last:.3g} in the end"
    )

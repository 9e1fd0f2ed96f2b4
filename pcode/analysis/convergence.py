"""How fast nodes settle and weights drift, phase by phase, and where the energies rise.

Nodes are measured from their rest: with the weights held, the equilibrium they come to; with weights
that learn, at each moment the equilibrium for the weights of that moment. There they end by lagging behind
it, by a distance of first order in tau/delta, which is told under its own name. The fitted rates stand beside
the eigenvalues of the nodes' Jacobian, the slowest of which is the rate in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..errors import InputError
from ..network import Array
from ..run import Run
from ..select import PhaseChoice, choose_phases
from .convergence_words import headline, phase_lines
from .courses import EnergyCourse, WeightDrift, drift_of, energy_of
from .equilibrium import rest_of
from .infinity import unbounded
from .modes import Eigenvalues, node_eigenvalues
from .path import ACCURACY, NOISE, TOLERANCE, Path, follow
from .rates import check_fraction
from .result import Result
from .settling import DEEPEST, Decay, decay_of, settling_bracket, settling_time

# Nodes lag behind a rest that moves; a distance is that of settling where it is this many times larger.
ABOVE_LAG = 10.0


@dataclass(frozen=True)
class PhaseConvergence:
    """How one phase converged; times in the run's unit, since the phase's start.

    Attributes
    ----------
    phase : str
    learn : bool
    status : str
        How the phase ended.
    t_start, duration : float
        `duration` is what was had.
    at_rest : bool
        Whether an equilibrium was found to measure from; without one, and with tau = 0, where nodes
        are at rest at every instant, nothing of what follows on nodes has a value.
    why_not : str
        Why there is none.
    moving : bool
        Whether a clamp follows a time series, so that nodes follow a rest that it moves.
    lost : int
        Moments looked at for which none was found; they are left out.
    times : ndarray, shape (T,)
        Moments of the course, ends included.
    value_distance : ndarray, shape (T, n + 1)
        Root mean square over samples of |x^l - rest|, l = 0..n; NaN for clamped layers.
    error_distance : ndarray, shape (T, n)
        Likewise of eps^l, l = 1..n.
    value_largest, error_largest : ndarray, shapes (n + 1,), (n,)
        The largest distance in the phase.
    value_settling, error_settling : ndarray, shapes (n + 1,), (n,)
        The time after which the distance stays below `fraction` of its largest for the rest of the phase;
        NaN if it does not, or nothing settles: the rest is unstable, or a clamp moves. 0 where the largest
        is no more than rounding.
    accuracy : float
        How far off these times may be.
    value_lag, error_lag : ndarray, shapes (n + 1,), (n,)
        Of a phase that learns: the distance at its end, by when nodes lag behind a rest that moves; 0 where
        it is no more than rounding, NaN where what was left of the start may be as large: the phase is
        short, or its rest was unstable at first.
    value_rate, error_rate : ndarray, shapes (n + 1,), (n,)
        Fitted exponential rates, of the peaks where the distance rings; NaN where there is too little to
        fit, or the rest is unstable, so that nothing decays to it. There settling times and
        `overshoot` are NaN as well.
    value_period, error_period : ndarray, shapes (n + 1,), (n,)
        With which the deviation rings; NaN where it does not, or unevenly.
    value_swings, error_swings : ndarray of int, shapes (n + 1,), (n,)
        Peaks of the distance after its largest, above the lag and rounding; 0 where it does not ring.
    value_fit, error_fit : ndarray, shapes (n + 1, 3), (n, 3)
        Start and end of what was fitted, and the height of the fitted line at its start.
    rate : float
        Fitted exponential rate of all nodes together.
    slowest, fastest : complex
        Eigenvalues of the nodes' Jacobian at rest, at the start of a learning phase, with the
        largest and the smallest real part; of large networks the latter is not known (NaN). Zeros, of
        a continuum of equilibria (fact 4), are left out.
    slowest_end : complex
        Likewise at the end of the phase.
    predicted : float
        ln(1/fraction) over the slowest rate of decay: when a mode that decays with it alone has fallen to
        `fraction`, as `spectrum` tells it; NaN where the rest is unstable.
    overshoot : ndarray, shape (n + 1,)
        How far a value node of the layer went beyond its rest, over the layer's largest first
        distance; dimensionless. NaN of clamped layers, and where the start is at rest.
    drift : WeightDrift or None
        None where the weights are held.
    energy, energy_slaved : EnergyCourse
        With the error nodes as they are, and at their rest value.
    lyapunov : ndarray, shape (T,), or None
        V = 1/2 |x - x*|^2 + 1/2 |eps - eps*|^2, mean over samples, where it is a Lyapunov function
        (fact 3 of the model): a linear network with W = M^T, weights held and clamps constant.
    lyapunov_rise : float
        Its largest rise from a step to the next, over its largest value.
    notes : tuple of str
        What to mind.
    """

    phase: str
    learn: bool
    status: str
    t_start: float
    duration: float
    at_rest: bool
    why_not: str
    moving: bool
    lost: int
    times: Array
    value_distance: Array
    error_distance: Array
    value_largest: Array
    error_largest: Array
    value_settling: Array
    error_settling: Array
    accuracy: float
    value_lag: Array
    error_lag: Array
    value_rate: Array
    error_rate: Array
    value_period: Array
    error_period: Array
    value_swings: Array
    error_swings: Array
    value_fit: Array
    error_fit: Array
    rate: float
    slowest: complex
    fastest: complex
    slowest_end: complex
    predicted: float
    overshoot: Array
    drift: WeightDrift | None
    energy: EnergyCourse
    energy_slaved: EnergyCourse
    lyapunov: Array | None
    lyapunov_rise: float
    notes: tuple[str, ...]

    @property
    def leaves_rest(self) -> bool:
        """Whether the nodes' rest is unstable; in a learning phase, at its end."""
        return bool(self.slowest_end.real > 0.0)

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
        told = [headline(self.fraction, self.phases)]
        for found in self.phases:
            told += phase_lines(found, self.fraction)
        return told


def convergence(
    run: Run, /, phase: PhaseChoice = None, fraction: float = 0.01, points: int = 200
) -> Convergence:
    """Measure how nodes settle, weights drift and energies go.

    The phase is integrated anew, from the state in which it started, and settling times are read off
    its trajectory: right to 1e-3 of themselves, or of tau where that is more, whatever times the run kept.
    Larger networks (more than 20,000 unknowns) are read off the saved times, as well as those tell.

    Parameters
    ----------
    run : Run
    phase : int, str or sequence of these, optional
        Index or name of the phases; all that were begun where left out.
    fraction : float
        Part of its largest distance from rest at which a layer counts as settled; in (0, 1).
    points : int
        Most moments of the course that is kept in the answer and drawn. The figures do not hang on it.

    Returns
    -------
    Convergence

    Raises
    ------
    InputError
        If there is no such phase, no time passed in it, or an option is out of range.
    """
    check_fraction(fraction)
    if points < 4:
        raise InputError("points", f"must be 4 or more, not {points}")
    lasting = [k for k in choose_phases(run, phase) if run.phases[k].t_end > run.phases[k].t_start]
    if not lasting:
        raise InputError("phase", "no time passed in it, so nothing converged; choose another phase")
    return Convergence(fraction, tuple(_phase(run, k, fraction, points) for k in lasting))


def _phase(run: Run, index: int, fraction: float, points: int) -> PhaseConvergence:
    record, path = run.phases[index], follow(run, index, fraction)
    why_not = _why_no_rest(path)
    curve = _Curve.of(path, not why_not)
    stable = curve.slowest_end.real < 0.0 and not path.begin.moving
    settling, bracket = curve.settling(fraction) if stable else (np.full(curve.count, np.nan), 0.0)
    decays = curve.decays() if stable else [Decay()] * (curve.count + 1)
    n = run.network.n

    def split(values: Array) -> tuple[Array, Array]:
        return values[: n + 1], values[n + 1 :]

    fits = np.array(decays[:-1])
    value_settling, error_settling = split(settling)
    value_rate, error_rate = split(fits[:, 0])
    value_fit, error_fit = split(fits[:, 1:4])
    value_period, error_period = split(fits[:, 4])
    value_swings, error_swings = split(fits[:, 5].astype(int))
    value_largest, error_largest = split(curve.largest)
    value_lag, error_lag = split(curve.lag())
    shown = np.unique(np.linspace(0, path.t.size - 1, min(points, path.t.size)).round().astype(int))
    distances = curve.at_moments[shown]
    V = 0.5 * np.nansum(curve.at_moments**2, axis=1)
    has_lyapunov = not why_not and not (record.learn or path.begin.moving) and _has_lyapunov(path)
    rate = -curve.slowest_end.real
    return PhaseConvergence(
        phase=record.name,
        learn=record.learn,
        status=str(record.status),
        t_start=record.t_start,
        duration=record.t_end - record.t_start,
        at_rest=not why_not,
        why_not=why_not,
        moving=path.begin.moving,
        lost=len(path.every) - len(path.rests) if run.network.tau > 0.0 else 0,
        times=path.t[shown],
        value_distance=distances[:, : n + 1],
        error_distance=distances[:, n + 1 :],
        value_largest=value_largest,
        error_largest=error_largest,
        value_settling=value_settling,
        error_settling=error_settling,
        accuracy=_accuracy(settling, bracket, path),
        value_lag=value_lag,
        error_lag=error_lag,
        value_rate=value_rate,
        error_rate=error_rate,
        value_period=value_period,
        error_period=error_period,
        value_swings=value_swings,
        error_swings=error_swings,
        value_fit=value_fit,
        error_fit=error_fit,
        rate=decays[-1].rate,
        slowest=curve.slowest,
        fastest=curve.fastest,
        slowest_end=curve.slowest_end,
        predicted=-np.log(fraction) / rate if rate > 0.0 else float("nan"),
        overshoot=curve.overshoot if stable and curve.slowest.real < 0.0 else np.full(n + 1, np.nan),
        drift=drift_of(run, index, path) if record.learn else None,
        energy=energy_of(path, slaved=False),
        energy_slaved=energy_of(path, slaved=True),
        lyapunov=V[shown] if has_lyapunov else None,
        lyapunov_rise=float(np.diff(V).max(initial=0.0) / max(V.max(), 1e-300)),
        notes=path.notes + curve.notes(fraction),
    )


@dataclass(frozen=True, eq=False)
class _Curve:
    """Distances from rest, values of layers 0..n before errors of layers 1..n: K columns.

    Attributes
    ----------
    path : Path
    t, distance : ndarray, shapes (S,), (S, K)
        Between the moments as well. NaN of clamped layers, and where there is no rest.
    at_moments : ndarray, shape (T, K)
        At the moments of the path.
    overshoot : ndarray, shape (n + 1,)
    slowest, fastest, slowest_end : complex
        See `PhaseConvergence`.
    ringing : float
        The longest period with which a mode of the nodes rings visibly; 0 for none.
    """

    path: Path
    t: Array
    distance: Array
    at_moments: Array
    overshoot: Array
    slowest: complex
    fastest: complex
    slowest_end: complex
    ringing: float

    @classmethod
    def of(cls, path: Path, at_rest: bool) -> _Curve:
        """The distances along `path`."""
        n, nan = path.begin.n, complex("nan")
        if not at_rest:
            nothing = np.full((path.t.size, 2 * n + 1), np.nan)
            return cls(path, path.t, nothing, nothing, np.full(n + 1, np.nan), nan, nan, nan, 0.0)
        modes = [_modes(path, k) for k in ((0, -1) if path.begin.phase.learn else (-1,))]
        (slowest, fastest), (slowest_end, _) = _extremes(modes[0]), _extremes(modes[-1])
        lasting = -max(slowest.real, slowest_end.real)
        beyond = _Beyond()
        times, distances = [], []
        for t, parts in path.deviations(max(lasting, 0.0)):
            beyond.look_at(parts[: n + 1])
            times.append(t[: None if t[-1] == path.t[-1] else -1])
            distances.append(_distances(parts)[: times[-1].size])
        t, distance = np.concatenate(times), np.concatenate(distances)
        at_moments = _distances(path.deviations_at_moments())
        clamped = [layer for layer in path.begin.phase.clamp if path.begin.clamped(layer)]
        distance[:, clamped] = at_moments[:, clamped] = np.nan
        over = beyond.over(n + 1)
        over[clamped] = np.nan
        return cls(path, t, distance, at_moments, over, slowest, fastest, slowest_end, _ringing(modes))

    @property
    def count(self) -> int:
        """How many columns."""
        return int(self.distance.shape[1])

    @property
    def largest(self) -> Array:
        """The largest distances, shape (K,)."""
        largest: Array = self.distance.max(axis=0)
        return largest

    @property
    def resolved(self) -> Array:
        """The least distances that are told from rounding, shape (K,)."""
        state = self.path.end.state
        sizes = [np.sqrt((np.asarray(part) ** 2).sum(axis=1).mean()) for part in (*state.x, *state.eps)]
        return NOISE * (self.path.atol + self.path.rtol * np.array(sizes))

    def settling(self, fraction: float) -> tuple[Array, float]:
        """Settling times, shape (K,), and the longest time that one was interpolated over."""
        times, bracket = np.full(self.count, np.nan), 0.0
        for k in np.flatnonzero(np.isfinite(self.largest)):
            d = self.distance[:, k]
            if self.largest[k] <= self.resolved[k]:
                times[k] = 0.0
            elif fraction * self.largest[k] > self.resolved[k]:
                times[k] = settling_time(self.t, d, fraction)
                bracket = max(bracket, settling_bracket(self.t, d, fraction))
        return times, bracket

    def notes(self, fraction: float) -> tuple[str, ...]:
        """Where the integration does not tell as small a part as is asked for."""
        small = (self.largest > self.resolved) & (fraction * self.largest <= self.resolved)
        if not small.any():
            return ()
        n = self.path.begin.n
        names = [f"x{k}" if k <= n else f"eps{k - n}" for k in np.flatnonzero(small)]
        return (
            f"{', '.join(names)} start so near their rest that {100 * fraction:g}% of it is not told from "
            f"rounding; a larger fraction would be",
        )

    def decays(self) -> list[Decay]:
        """Fits of every column, and of all together."""
        floor = np.interp(self.t, self.path.t, self._lags())
        together = np.sqrt(np.nansum(self.distance**2, axis=1))
        columns = [*self.distance.T, together]
        return [Decay() if np.isnan(d).any() else decay_of(self.t, d, floor, self.ringing) for d in columns]

    def _lags(self) -> Array:
        """Distances, shape (T,), up to which nodes follow a rest that moves: its speed over their slowest rate."""
        return ABOVE_LAG * self.path.rest_speed() / max(-self.slowest_end.real, 1e-300)

    def lag(self) -> Array:
        """Distances at the end of a phase that learns, shape (K,), where what was left of the start is gone."""
        rate = -max(self.slowest.real, self.slowest_end.real)
        if not self.path.begin.phase.learn or not rate > 0.0:
            return np.full(self.count, np.nan)
        last = self.distance[-1]
        left = self.largest * np.exp(-rate * self.path.t[-1])
        told = np.where(left < 0.1 * last, last, np.nan)
        return np.where(np.maximum(left, last) <= self.resolved, 0.0, told)


class _Beyond:
    """How far nodes went beyond their rest, as parts of a path come by."""

    def __init__(self) -> None:
        self._first: list[Array] = []
        self._most: Array = np.zeros(0)

    def look_at(self, parts: list[Array]) -> None:
        """Go on with deviations, shapes (S, B, n_l), of layers 0..n."""
        if not self._first:
            self._first, self._most = [part[0] for part in parts], np.zeros(len(parts))
        pairs = zip(self._first, parts, strict=True)
        most = [float((-np.sign(first) * part).max(initial=0.0)) for first, part in pairs]
        self._most = np.maximum(self._most, most)

    def over(self, count: int) -> Array:
        """The farthest of each layer, over its largest first distance; NaN where that is 0."""
        scale = np.array([np.abs(first).max(initial=0.0) for first in self._first])
        return np.where(scale > 0.0, self._most / np.where(scale > 0.0, scale, 1.0), np.nan)


def _why_no_rest(path: Path) -> str:
    """Why there is no rest to measure from; nothing where there is one."""
    end = path.end
    if end.network.tau == 0.0:
        return "always at rest (tau = 0)"
    rest = rest_of(end, TOLERANCE)
    gone = unbounded(end, rest)
    if gone:
        return f"never, {gone}"
    return "" if path.rests else "no equilibrium found"


def _modes(path: Path, k: int) -> Eigenvalues:
    return node_eigenvalues(replace(path.moments[k].there, state=path.rests[k]).problem())


def _extremes(eigenvalues: Eigenvalues) -> tuple[complex, complex]:
    """Those with the largest and the smallest real part, zeros left out; NaN for what is not known."""
    values = eigenvalues.moving if eigenvalues.moving.size else eigenvalues.values
    smallest = complex(values[values.real.argmin()]) if eigenvalues.exact else complex("nan")
    return complex(values[values.real.argmax()]), smallest


def _ringing(modes: list[Eigenvalues]) -> float:
    """The longest period of those that are not over within half of it, as far as a fit goes down."""
    values = np.concatenate([part.moving for part in modes])
    seen = values[(np.pi * np.abs(values.real) < -np.log(DEEPEST) * np.abs(values.imag))]
    return float(2.0 * np.pi / np.abs(seen.imag).min()) if seen.size else 0.0


def _accuracy(settling: Array, bracket: float, path: Path) -> float:
    """How far off the settling times may be; read off saved times, by those around, and the largest between two."""
    known = settling[np.isfinite(settling)]
    if not known.size:
        return float("nan")
    anew = ACCURACY * max(float(known.max()), path.begin.network.tau)
    return anew if known.max() <= path.anew else max(anew, 2.0 * bracket)


def _distances(deviations: list[Array]) -> Array:
    """Root mean square over samples of the norm, shape (T, K)."""
    return np.stack([np.sqrt((part**2).sum(axis=2).mean(axis=1)) for part in deviations], axis=1)


def _has_lyapunov(path: Path) -> bool:
    weights = path.end.state.weights
    linear = set(path.end.network.activation) == {"identity"}
    return linear and all(np.allclose(M.T, W) for M, W in zip(weights.M, weights.feedback, strict=True))

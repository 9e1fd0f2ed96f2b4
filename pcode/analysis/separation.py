r"""Whether delta/tau is large enough for the weights to see nodes at rest only.

The weights of the full flow are compared with those of the singular limit, tau = 0, from the same start
and with the same data, for several tau/delta, over the slow time t/delta:

    distance(t/delta) = |w_full - w_limit| / max |w_limit - w(0)|,    w all of M and beta,

Euclidean norms: in parts of how far the weights move. In the initial layer, where the nodes go to
rest for the first time, the two differ by what the nodes do, so it is left out; the trace that it leaves
in the weights is not. By docs/model.md, "Slow manifold", the distance falls to first order in tau/delta, as
long as nodes are attracted by their equilibrium: the order is fitted, and tells whether this holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy

from ..base.errors import InputError
from ..base.tables import Table
from ..model.network import Array, Network, Weights
from ..model.phase import Phase
from ..model.state import State
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Snapshot, as_phase
from ..solvers import IVP, METHODS, Settings
from ..system.limit import SlowProblem, settled
from ..system.problem import make_problem
from .result import Result
from .separation_tables import separation_tables

ASKS = "whether delta/tau is large enough for the weights to see nodes at rest only"

# Ratios delta/tau that are tried, in parts of the run's own (or of the nearest in RANGE): where the
# phase has up to MANY unknowns, and above.
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
FEW_FACTORS = (0.5, 1.0, 2.0)
RANGE = (50.0, 2000.0)
MANY = 5_000

# Of the phase of a network with more than LARGE weights so many delta are compared, unless more is asked for.
LARGE = 20_000
LARGE_DURATION = 20.0

# Times compared, log-spaced over three decades.
TIMES, FEW_TIMES = 60, 30

# The initial layer, in units of the slowest node's time: what is left there then is below 1%.
LAYER = 5.0

# Distances that errors of integration may make, in units of rtol.
ERRORS = 100.0

# Above this distance the expansion in tau/delta says nothing yet; and an order this far from 1, nothing more.
FAR = 0.3
ORDER = 0.2

# Where the nodes of a sample are more than this, their slowest rate is taken as min(nu) / 2.
MOST_NODES = 1_000


@dataclass(frozen=True)
class Separation(Result):
    """Answer to the question `separation`; all of it is dimensionless.

    Attributes
    ----------
    phase : str
        The phase's name.
    duration : float
        How much of it was compared, in units of delta.
    tolerance : float
        Distance that the user allows.
    own_ratio : float or None
        The run's delta/tau; None where tau = 0.
    own_distance : float or None
        The largest distance there.
    enough : bool or None
        Whether it is no more than the tolerance.
    needed : float
        The delta/tau at which it is just that much.
    order, order_error : float
        Fitted order of the distance in tau/delta, and half of its 95% confidence interval (of
        Student's t); NaN where fewer than three ratios could be used.
    ratios : ndarray, shape (K,)
        delta/tau, rising.
    largest : ndarray, shape (K,)
        The largest distance, outside of the initial layer; NaN where the nodes are still in it.
    fitted : ndarray of bool, shape (K,)
        Whether it was used for the order.
    slow_time : ndarray, shape (T,)
        t/delta since the phase's start.
    distance : ndarray, shape (K, T)
        NaN in the initial layer.
    notes : tuple of str
        What to mind.
    """

    question: ClassVar[str] = "separation"

    phase: str
    duration: float
    tolerance: float
    own_ratio: float | None
    own_distance: float | None
    enough: bool | None
    needed: float
    order: float
    order_error: float
    ratios: Array
    largest: Array
    fitted: Array
    slow_time: Array
    distance: Array
    notes: tuple[str, ...] = ()

    def legend(self) -> tuple[str, ...]:
        """Nothing: there is no time in the lines."""
        return ()

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        rows = zip(self.ratios, self.largest, strict=True)
        if np.isfinite(self.order):
            order = f"{self.order:.3f} +- {self.order_error:.3f} (95%)"
            fit = f"order in tau/delta: {order}; in theory 1 as it goes to 0"
        else:
            fit = "order in tau/delta: not fitted, for want of three ratios"
        return [
            self._verdict(),
            f"phase {self.phase!r}, {self.duration:g} delta; distances in parts of how far the weights move:",
            "   delta/tau   largest distance",
            *(f"{ratio:12.6g}   {_percent(far)}" for ratio, far in rows),
            fit,
            *(f"note: {note}" for note in self.notes),
        ]

    def tables(self) -> dict[str, Table]:
        """The tables `ratios` and `distances`, the latter over slow time."""
        return separation_tables(self.ratios, self.largest, self.fitted, self.slow_time, self.distance)

    def _verdict(self) -> str:
        allowed, needed = f"{100 * self.tolerance:g}%", f"delta/tau = {float(f'{self.needed:.3g}'):g}"
        if self.own_ratio is None or self.own_distance is None:
            return f"{needed} is what it takes for {allowed} (this run has tau = 0)"
        own = f"delta/tau = {self.own_ratio:g}"
        if not np.isfinite(self.own_distance):
            return f"{own}: the nodes never come to rest in this time; {needed} is what {allowed} takes"
        far = f"{100 * self.own_distance:.2g}%"
        if self.enough:
            return (
                f"{own} is large enough for {allowed}: the weights stay within {far} of the singular limit "
                f"({needed} would do)"
            )
        return (
            f"{own} is too small for {allowed}: the weights depart from the singular limit by up to {far} "
            f"({needed} would do)"
        )


def _percent(distance: float) -> str:
    return f"{100 * distance:.3g}%" if np.isfinite(distance) else "not told: still in the initial layer"


@of_run
def separation(
    run: Run,
    phase: PhaseOption = None,
    tolerance: float = 0.01,
    ratios: list[float] | None = None,
    duration: float | None = None,
) -> Separation:
    """Compare the full flow of a learning phase with its singular limit, at several tau/delta.

    Parameters
    ----------
    run : Run
        Its network, its data, and where the phase starts.
    phase : int, str, optional
        A phase in which the weights learn; the first one where left out.
    tolerance : float
        Distance from the limit to be allowed, in parts of how far the weights move, in (0, 1).
    ratios : list of float, optional
        delta/tau to try besides the run's own; around it where left out.
    duration : float, optional
        How much of the phase to compare, in units of delta. Where left out all of it, or with more
        than 20,000 weights the first 20 delta.

    Returns
    -------
    Separation

    Raises
    ------
    InputError
        If no phase learns, a clamp of it follows a function, the limit does not exist, or an option is wrong.
    """
    start = Snapshot.start(*as_phase(run, _learning(run, phase))[:2])
    phase_as_run = start.phase_as_run("separation")
    _check_tolerance(tolerance)
    network, delta = start.network, _delta(start)
    large = sum(a * b for a, b in network.links) > LARGE
    many = large or start.record.unknowns > MANY
    tried = _ratios(start, ratios, many)
    lasted = _duration(start, duration, large)
    chosen = replace(phase_as_run, duration=lasted * delta, until=None)
    settings = Settings(*((1e-6, 1e-9) if many else (1e-8, 1e-11)))
    notes = []
    if isinstance(network.delta, tuple):
        notes.append(f"delta is that of the fastest link that learns, {delta:g}")
    if large and duration is None and lasted == LARGE_DURATION:
        notes.append(f"only the first {lasted:g} delta are compared; for more give a duration")
    times = np.geomspace(1e-3, 1.0, FEW_TIMES if many else TIMES) * chosen.duration
    limit, slowest, ended = _limit(network, chosen, start.state, times, settings)
    if ended:
        notes.append(f"the limit ends early: {ended}")
    times = times[: len(limit)]
    scale = _path(start, limit)
    distance = np.full((len(tried), times.size), np.nan)
    for k, ratio in enumerate(tried):
        full = replace(network, tau=delta / ratio)
        weights, failed = _weights(make_problem(full, chosen, start.state), times, settings)
        if failed:
            notes.append(f"at delta/tau = {ratio:g} the full flow ends early: {failed}")
        for row, (t, w) in enumerate(zip(times, weights, strict=False)):
            if t >= LAYER * full.longest_tau / slowest:
                distance[k, row] = np.linalg.norm(w - limit[row]) / scale
    return _answer(start, lasted, tolerance, tried, times / delta, distance, settings, notes)


def _path(start: Snapshot, limit: Array) -> float:
    """How far the weights of the limit, shape (T, count), move from their start."""
    first = _vector(start.state.weights)
    path = float(np.linalg.norm(limit - first, axis=1).max())
    if path <= 1e-6 * (1.0 + float(np.linalg.norm(first))):
        what = f"the weights hardly move in {start.record.name!r}"
        raise InputError("phase", f"{what}: there is nothing to compare; choose another")
    return path


def _answer(
    start: Snapshot,
    duration: float,
    tolerance: float,
    ratios: Array,
    slow_time: Array,
    distance: Array,
    settings: Settings,
    notes: Sequence[str],
) -> Separation:
    """The largest distances, their order, and what they say."""
    tau, delta = start.network.longest_tau, _delta(start)
    largest = np.array([np.nan if np.isnan(d).all() else float(np.nanmax(d)) for d in distance])
    seen = np.isfinite(largest)
    if not seen.any():
        what = "in none of these ratios do the nodes come to rest within the phase; say a longer duration"
        raise InputError("ratios", f"{what}, or larger ratios")
    fitted = seen & (largest < FAR) & (largest > ERRORS * settings.rtol)
    order, error = fit_order(1.0 / ratios[fitted], largest[fitted])
    minded = list(notes)
    if np.isfinite(order) and abs(order - 1.0) > max(ORDER, error):
        minded.append(
            "the order is not 1: in these ratios the weights are not yet (or no longer) slow enough"
        )
    if (largest[seen] <= ERRORS * settings.rtol).any():
        minded.append(f"distances below {ERRORS * settings.rtol:g} are errors of integration as well")
    own = delta / tau if tau > 0.0 else None
    own_distance = None if own is None else float(largest[np.argmin(np.abs(ratios - own))])
    return Separation(
        phase=start.record.name,
        duration=duration,
        tolerance=tolerance,
        own_ratio=own,
        own_distance=own_distance,
        enough=None if own_distance is None or np.isnan(own_distance) else own_distance <= tolerance,
        needed=needed_ratio(ratios[seen], largest[seen], tolerance),
        order=order,
        order_error=error,
        ratios=ratios,
        largest=largest,
        fitted=fitted,
        slow_time=slow_time,
        distance=distance,
        notes=tuple(minded),
    )


def fit_order(steps: Array, errors: Array) -> tuple[float, float]:
    """Order p of ``errors ~ C steps^p``, shapes (K,), and half of its 95% confidence interval.

    A straight line through the logarithms by least squares, with Student's t for the few points;
    both are NaN for fewer than three.
    """
    if steps.size < 3:
        return float("nan"), float("nan")
    line = scipy.stats.linregress(np.log(steps), np.log(errors))
    return float(line.slope), float(scipy.stats.t.ppf(0.975, steps.size - 2) * line.stderr)


def needed_ratio(ratios: Array, largest: Array, tolerance: float) -> float:
    """delta/tau at which the largest distance is `tolerance`, shapes (K,), ratios rising.

    Between two ratios by the line through the logarithms, and beyond them by first order.
    """
    enough = largest <= tolerance
    if enough.all():
        return float(ratios[0] * largest[0] / tolerance)
    last = int(np.flatnonzero(~enough)[-1])  # from the next on all are within
    if last == ratios.size - 1:
        return float(ratios[last] * largest[last] / tolerance)
    near, far = np.log(largest[last]), np.log(max(largest[last + 1], 1e-300))
    share = (near - np.log(tolerance)) / (near - far)
    return float(ratios[last] * (ratios[last + 1] / ratios[last]) ** share)


def _limit(
    network: Network, phase: Phase, state: State, times: Array, settings: Settings
) -> tuple[Array, float, str]:
    """Weights of the singular limit at `times`, the nodes' slowest rate times tau, and why it ended early."""
    limit = replace(network, tau=0.0)
    whole = make_problem(limit, phase, state, reduce=False)
    try:
        rest = settled(whole)
    except InputError as error:
        why = error.what.replace("tau = 0 they must", "tau = 0 the nodes must").split(";")[0]
        what = f"there is no singular limit to compare with: {why}"
        raise InputError("phase", f"{what}; ask of a phase whose nodes come to a stable rest") from None
    problem = SlowProblem(make_problem(limit, phase, rest))
    slowest = min(network.nu) / 2.0
    nodes = problem.structure.layout.node_count // problem.structure.layout.batch
    if nodes <= MOST_NODES:
        few = np.arange(problem.structure.layout.batch if nodes <= 100 else 1, dtype=np.int64)
        rate = -problem.abscissa(0.0, problem.y0, few).rate
        slowest = rate if rate > 1e-3 * slowest else slowest  # a continuum of equilibria has rate 0
    weights, failed = _weights(problem, times, settings)
    if not len(weights):
        raise InputError("phase", f"the singular limit ends at once: {failed}")
    return weights, slowest, failed


def _weights(problem: IVP, times: Array, settings: Settings) -> tuple[Array, str]:
    """M and beta at those of `times` that are reached, shape (T, count); and why not at all of them."""
    rows: list[Array] = []

    def save(k: int, t: float, y: Array) -> None:
        rows.append(_vector(problem.state(t, y).weights))

    solution = METHODS["auto"].solve(problem, times, settings, save, lambda *_: False)
    return np.array(rows), (solution.detail or solution.status.meaning) if solution.status.failed else ""


def _vector(weights: Weights) -> Array:
    """M and beta as one vector."""
    return np.concatenate([np.ravel(a) for a in (*weights.M, *weights.beta)])


def _learning(run: Run, phase: PhaseOption) -> int | str:
    if phase is not None:
        if not Snapshot.start(run, phase).record.learn:
            what = f"the weights are held in {phase!r}; choose a phase in which they learn, or leave it out"
            raise InputError("phase", what)
        return phase
    learning = [k for k, record in enumerate(run.phases) if record.learn]
    if not learning:
        what = "no phase of it learns, so there is no slow flow to compare; ask of a run that trains"
        raise InputError("run", what)
    return learning[0]


def _delta(start: Snapshot) -> float:
    """Delta of the fastest link that learns."""
    return min(start.network.deltas_of(start.record.learn))


def _ratios(start: Snapshot, ratios: Sequence[float] | None, many: bool) -> Array:
    """delta/tau to try, rising."""
    own = _delta(start) / start.network.longest_tau if not start.network.limit else None
    if ratios is None:
        centre = float(np.clip(own or 200.0, *RANGE))
        ratios = [factor * centre for factor in (FEW_FACTORS if many else FACTORS)]
    if not ratios or not all(np.isfinite(ratio) and ratio > 0.0 for ratio in ratios):
        raise InputError("ratios", f"must list delta/tau to try, each more than 0, not {ratios!r}")
    return np.unique([*map(float, ratios), *([] if own is None else [own])])


def _check_tolerance(tolerance: float) -> None:
    if not 0.0 < tolerance < 1.0:
        raise InputError("tolerance", f"must be a part between 0 and 1, such as 0.01, not {tolerance:g}")


def _duration(start: Snapshot, duration: float | None, large: bool) -> float:
    """How much of the phase to compare, in units of delta."""
    record, delta = start.record, _delta(start)
    if duration is not None:
        if not (np.isfinite(duration) and duration > 0.0):
            raise InputError("duration", f"must be more than 0, in units of delta, not {duration:g}")
        return float(duration)
    lasted = (record.t_end - record.t_start or record.duration) / delta
    return min(lasted, LARGE_DURATION) if large else lasted

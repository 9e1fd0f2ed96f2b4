r"""Whether two time scales are far enough apart: weights and nodes, or values and errors.

The weights of the full flow are compared with those of the singular limit, tau = 0, from the same start
and with the same data, for several tau/delta, over the slow time t/delta:

    distance(t/delta) = |w_full - w_limit| / max |w_limit - w(0)|,    w all of M and beta,

Euclidean norms: in parts of how far the weights move. In the initial layer, where the nodes go to
rest for the first time, the two differ by what the nodes do, so it is left out; the trace that it leaves
in the weights is not. By docs/model.md, "Slow manifold", the distance falls to first order in tau/delta, as
long as nodes are attracted by their equilibrium: the order is fitted, and tells whether this holds. Likewise
the value nodes are compared with those with slaved errors, tau_eps = 0, over t/tau (`pair` = "errors"); see
`pcode.analysis.separated`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, get_args

import numpy as np
import scipy

from ..base import checks
from ..base.errors import InputError
from ..base.tables import Table
from ..model.network import Array
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Snapshot, as_phase
from ..solvers import Settings
from ..system.problem import make_problem
from .result import Result
from .separated import PAIRS, Limit, Pair, PairName, course_of, limit_of, own_ratio, slow_time, with_ratio
from .separation_tables import separation_tables

ASKS = "whether delta/tau is large enough for the weights to see nodes at rest only; tau/tau_eps likewise"

# Ratios that are tried, in parts of the run's own (or of the nearest in RANGE): where the phase has up to
# MANY unknowns, and above.
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
FEW_FACTORS = (0.5, 1.0, 2.0)
RANGE = (50.0, 2000.0)
MANY = 5_000

# Of the phase of a network with more than LARGE weights so many delta are compared, and of values so many
# tau, unless more is asked for.
LARGE = 20_000
LARGE_DURATION = {"weights": 20.0, "errors": 200.0}

# Times compared, log-spaced over three decades.
TIMES, FEW_TIMES = 60, 30

# Distances that errors of integration may make, in units of rtol.
ERRORS = 100.0

# Above this distance the expansion in tau/delta says nothing yet; and an order this far from 1, nothing more.
FAR = 0.3
ORDER = 0.2


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
    pair : {"weights", "errors"}
        What was compared: with "errors" read tau/tau_eps for delta/tau above, and tau for delta.
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
    pair: PairName = "weights"

    def legend(self) -> tuple[str, ...]:
        """Nothing: there is no time in the lines."""
        return ()

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        rows, pair = zip(self.ratios, self.largest, strict=True), PAIRS[self.pair]
        if np.isfinite(self.order):
            order = f"{self.order:.3f} +- {self.order_error:.3f} (95%)"
            fit = f"order in {pair.inverse}: {order}; in theory 1 as it goes to 0"
        else:
            fit = f"order in {pair.inverse}: not fitted, for want of three ratios"
        slow = pair.ratio.split("/")[0]
        far = f"distances in parts of how far {pair.compared} move"
        return [
            self._verdict(),
            f"phase {self.phase!r}, {self.duration:g} {slow}; {far}:",
            f"{pair.ratio:>12}   largest distance",
            *(f"{ratio:12.6g}   {_percent(far)}" for ratio, far in rows),
            fit,
            *(f"note: {note}" for note in self.notes),
        ]

    def tables(self) -> dict[str, Table]:
        """The tables `ratios` and `distances`, the latter over slow time."""
        courses = self.slow_time, self.distance
        return separation_tables(PAIRS[self.pair], self.ratios, self.largest, self.fitted, *courses)

    def _verdict(self) -> str:
        pair = PAIRS[self.pair]
        allowed, needed = f"{100 * self.tolerance:g}%", f"{pair.ratio} = {float(f'{self.needed:.3g}'):g}"
        if self.own_ratio is None or self.own_distance is None:
            return f"{needed} is what it takes for {allowed} ({pair.without})"
        own = f"{pair.ratio} = {self.own_ratio:g}"
        if not np.isfinite(self.own_distance):
            what = "the nodes never come to rest in this time"
            return f"{own}: {what}; {needed} is what {allowed} takes"
        far = f"{100 * self.own_distance:.2g}%"
        if self.enough:
            return (
                f"{own} is large enough for {allowed}: {pair.compared} stay within {far} of {pair.limit} "
                f"({needed} would do)"
            )
        return (
            f"{own} is too small for {allowed}: {pair.compared} depart from {pair.limit} by up to {far} "
            f"({needed} would do)"
        )


def _percent(distance: float) -> str:
    return f"{100 * distance:.3g}%" if np.isfinite(distance) else "not told: still in the initial layer"


@of_run
def separation(
    run: Run,
    phase: PhaseOption = None,
    pair: PairName = "weights",
    tolerance: float = 0.01,
    ratios: list[float] | None = None,
    duration: float | None = None,
) -> Separation:
    """Compare the full flow of a phase with its limit, at several ratios of two time constants.

    Parameters
    ----------
    run : Run
        Its network, its data, and where the phase starts.
    phase : int, str, optional
        A phase in which the weights learn; the first one where left out. With "errors" any phase; where none
        learns, the first.
    pair : {"weights", "errors"}
        Weights and nodes: delta/tau, and the weights beside those of the singular limit, tau = 0. Or values
        and errors: tau/tau_eps, and the value nodes beside those with slaved errors, tau_eps = 0.
    tolerance : float
        Distance from the limit to be allowed, in parts of how far the weights (values) move, in (0, 1).
    ratios : list of float, optional
        delta/tau (tau/tau_eps) to try besides the run's own; around it where left out.
    duration : float, optional
        How much of the phase to compare, in units of delta (tau). Where left out all of it, or with more
        than 20,000 weights the first 20 delta; of values the first 200 tau.

    Returns
    -------
    Separation

    Raises
    ------
    InputError
        If no phase learns, a clamp of it follows a function, the limit does not exist, or an option is wrong.
    """
    checks.word("pair", pair, get_args(PairName))
    asked = PAIRS[pair]
    index = _learning(run, phase) if pair == "weights" else _any(run, phase)
    start = Snapshot.start(*as_phase(run, index)[:2])
    phase_as_run = start.phase_as_run("separation")
    _check_tolerance(tolerance)
    network, slow = start.network, slow_time(asked, start)
    if pair == "errors" and network.limit:
        what = "with tau = 0 nodes are always at rest, and their errors too; ask of a run with tau > 0"
        raise InputError("pair", what)
    large = sum(a * b for a, b in network.links) > LARGE
    many = large or start.record.unknowns > MANY
    own = own_ratio(asked, start)
    tried = _ratios(asked, own, ratios, many)
    lasted = _duration(asked, start, duration, large)
    chosen = replace(phase_as_run, duration=lasted * slow, until=None)
    settings = Settings(*((1e-6, 1e-9) if many else (1e-8, 1e-11)))
    notes = _notes(asked, start, lasted, duration, large)
    times = np.geomspace(1e-3, 1.0, FEW_TIMES if many else TIMES) * chosen.duration
    limit = limit_of(asked, network, chosen, start.state, times, settings)
    if limit.ended:
        notes.append(f"the limit ends early: {limit.ended}")
    times = times[: len(limit.course)]
    scale = _path(asked, start, limit)
    distance = np.full((len(tried), times.size), np.nan)
    # Distances of values are largest soon after the initial layer: for an order all need the same span.
    others = tried[tried != own] if pair == "errors" else tried[:0]
    common = limit.layer(with_ratio(asked, start, float(others[0]))) if others.size else 0.0
    for k, ratio in enumerate(tried):
        full = with_ratio(asked, start, ratio)
        course, failed = course_of(asked, make_problem(full, chosen, start.state), times, settings)
        if failed:
            notes.append(f"at {asked.ratio} = {ratio:g} the full flow ends early: {failed}")
        for row, (t, there) in enumerate(zip(times, course, strict=False)):
            if t >= max(common, limit.layer(full)):
                distance[k, row] = np.linalg.norm(there - limit.course[row]) / scale
    name, compared = start.record.name, (tried, times / slow, distance)
    return _answer(name, asked, own, lasted, tolerance, compared, settings, notes)


def _notes(pair: Pair, start: Snapshot, lasted: float, duration: float | None, large: bool) -> list[str]:
    network, notes = start.network, []
    several = isinstance(network.delta if pair.name == "weights" else network.tau, tuple)
    if several and pair.name == "weights":
        notes.append(f"delta is that of the fastest link that learns, {slow_time(pair, start):g}")
    if pair.name == "errors" and np.isfinite(network.errors_faster) and len({*network.taus_eps}) > 1:
        notes.append("tau/tau_eps is the smallest of the layers; the proportions are kept")
    most = LARGE_DURATION[pair.name]
    if duration is None and lasted == most and (large or pair.name == "errors"):
        slow = pair.ratio.split("/")[0]
        notes.append(f"only the first {lasted:g} {slow} are compared; for more give a duration")
    return notes


def _path(pair: Pair, start: Snapshot, limit: Limit) -> float:
    """How far the limit moves from its start."""
    path = float(np.linalg.norm(limit.course - limit.first, axis=1).max())
    if path <= 1e-6 * (1.0 + float(np.linalg.norm(limit.first))):
        what = f"{pair.compared} hardly move in {start.record.name!r}"
        raise InputError("phase", f"{what}: there is nothing to compare; choose another")
    return path


def _answer(
    phase: str,
    pair: Pair,
    own: float | None,
    duration: float,
    tolerance: float,
    compared: tuple[Array, Array, Array],
    settings: Settings,
    notes: Sequence[str],
) -> Separation:
    """The largest distances, their order, and what they say; `compared` are ratios, times and distances."""
    ratios, slow_time, distance = compared
    largest = np.array([np.nan if np.isnan(d).all() else float(np.nanmax(d)) for d in distance])
    seen = np.isfinite(largest)
    if not seen.any():
        what = "in none of these ratios do the nodes come to rest within the phase; say a longer duration"
        raise InputError("ratios", f"{what}, or larger ratios")
    fitted = seen & (largest < FAR) & (largest > ERRORS * settings.rtol)
    if pair.name == "errors":  # the run's own initial layer may be longer than that of the others
        span = np.isfinite(distance).sum(axis=1)
        fitted &= span == span.max()
    order, error = fit_order(1.0 / ratios[fitted], largest[fitted])
    minded = list(notes)
    if np.isfinite(order) and abs(order - 1.0) > max(ORDER, error):
        slow = "the weights are not yet (or no longer) slow enough"
        slow = slow if pair.name == "weights" else "the errors are not yet fast enough"
        minded.append(f"the order is not 1: in these ratios {slow}")
    if (largest[seen] <= ERRORS * settings.rtol).any():
        minded.append(f"distances below {ERRORS * settings.rtol:g} are errors of integration as well")
    own_distance = None if own is None else float(largest[np.argmin(np.abs(ratios - own))])
    return Separation(
        phase=phase,
        pair=pair.name,
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


def _any(run: Run, phase: PhaseOption) -> int | str:
    """The phase asked for, or the first that learns, or the first."""
    learning = [k for k, record in enumerate(run.phases) if record.learn]
    return phase if phase is not None else (learning or [0])[0]


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


def _ratios(pair: Pair, own: float | None, ratios: Sequence[float] | None, many: bool) -> Array:
    """The ratios to try, rising."""
    if ratios is None:
        centre = float(np.clip(own or 200.0, *RANGE))
        ratios = [factor * centre for factor in (FEW_FACTORS if many else FACTORS)]
    if not ratios or not all(np.isfinite(ratio) and ratio > 0.0 for ratio in ratios):
        raise InputError("ratios", f"must list {pair.ratio} to try, each more than 0, not {ratios!r}")
    return np.unique([*map(float, ratios), *([] if own is None else [own])])


def _check_tolerance(tolerance: float) -> None:
    if not 0.0 < tolerance < 1.0:
        raise InputError("tolerance", f"must be a part between 0 and 1, such as 0.01, not {tolerance:g}")


def _duration(pair: Pair, start: Snapshot, duration: float | None, large: bool) -> float:
    """How much of the phase to compare, in units of the slow time constant."""
    record, slow = start.record, slow_time(pair, start)
    if duration is not None:
        if not (np.isfinite(duration) and duration > 0.0):
            unit = pair.ratio.split("/")[0]
            raise InputError("duration", f"must be more than 0, in units of {unit}, not {duration:g}")
        return float(duration)
    lasted = (record.t_end - record.t_start or record.duration) / slow
    return min(lasted, LARGE_DURATION[pair.name]) if large or pair.name == "errors" else lasted

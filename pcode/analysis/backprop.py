r"""How near a network's errors and the flow of its weights are to backpropagation.

The reference is the plain feedforward network of the same M and beta, with the loss
L = mean_b 1/2 |y - f(x^0)|^2, differentiated automatically. By docs/model.md, "Backpropagation", with
W = M^T, no decay of the nodes and nodes at rest, as the output variance nu^n grows:

    nu^n eps^l                          ->  -B dL/dmu^l    (the descent direction of each sample's loss)
    nu^n mean_b[sigma(x^l)^T eps^{l+1}] ->  -dL/dM^l       (delta dM^l/dt, its decay left out)

where there are connections. So angles go to 0 and relative sizes, |left| / |right|, to 1. Of W and M^T the
angle and |W| / |M| are given: they are alike in tied networks, and where learned feedback started at the
transpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from ..base._jax import jnp
from ..base.errors import InputError
from ..base.tables import Table
from ..base.vectors import in_layers, norm
from ..model.dynamics import Constants
from ..model.network import Array
from ..model.phase import Save
from ..model.state import State
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Snapshot, TimeOption, as_phase, last_phase, resting_moments, spread
from ..simulation import simulate
from ..system.loss import hebbian, loss_and_gradients
from ..system.problem import make_problem, predicting
from ..system.rest import Rest, nodes_at_rest
from .backprop_tables import course_table, layer_table, ratio_table, variance_table
from .backprop_words import LEGEND, headline, layer_lines, ratio_lines, variance_lines
from .gradients import Comparison, compare
from .result import Result
from .words import counted

ASKS = "how near the errors and the weights' flow are to backpropagation's gradients"

CourseAt = Literal["state", "rest"]

# Factors on the output variance, and on tau/delta, that are tried.
VARIANCES = (1.0, 10.0, 100.0, 1e3, 1e4)
RATIOS = (10.0, 1.0, 0.1)

# Unknowns, and seconds that the phase took, beyond which other ratios tau/delta, each a simulation, are
# tried on request only; and steps after which such a simulation is given up, unless one was requested.
MOST_UNKNOWNS = 20_000
MOST_SECONDS = 5.0
MOST_STEPS = 20_000

# What simulates the phase again, and why it may not be done without being asked for.
AGAIN = "a simulation with another tau/delta"
LONG = "being long simulations"

# Saved times of the nodes for a course of them; of fewer, the weights' times are taken.
FEWEST = 10

# Root mean square of the gradient below which angles say little but rounding and residuals.
VANISHED = 1e-9


@dataclass(frozen=True)
class Backprop(Result):
    """Answer to the question `backprop`.

    Attributes
    ----------
    phase : str
        The phase's name.
    t : float
        The moment, in the run's time.
    samples : int
    nu : float
        Output variance nu^n of the run.
    loss : float
        L of the feedforward network at the moment.
    rest, now : Comparison, arrays of shape (n,)
        The comparison with the nodes at rest for the weights of the moment, and with the nodes as they are.
    residual : float
        max |tau dz/dt| / (1 + |z|) of the nodes taken as at rest.
    course_at : {"state", "rest"}
        How the nodes of `course` are: as they were, or, where few times of theirs were saved, at rest for
        the weights of the times at which those were.
    times : ndarray, shape (T,)
        Saved times of the phase, in the run's time: of the nodes, or of the weights.
    course : Comparison, arrays of shape (T, n)
        The comparison at these times.
    t_start : float
        When the phase started.
    variances : ndarray, shape (V,)
        Output variances nu^n.
    by_variance : Comparison, arrays of shape (V, n)
        At rest, with the same weights.
    ratios : ndarray, shape (R,)
        tau/delta.
    ratio_angle, ratio_lag : ndarray, shape (R, n)
        After one delta of the phase, simulated from its start with the nodes at rest: the angle of
        the weights' flow to the gradient, in degrees; and |flow - flow at rest| / |flow at rest|.
    notes : tuple of str
        What to mind.
    """

    question: ClassVar[str] = "backprop"

    phase: str
    t: float
    samples: int
    nu: float
    loss: float
    rest: Comparison
    now: Comparison
    residual: float
    course_at: CourseAt
    times: Array
    course: Comparison
    t_start: float
    variances: Array
    by_variance: Comparison
    ratios: Array
    ratio_angle: Array
    ratio_lag: Array
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        samples = counted(range(self.samples))
        where = f"phase {self.phase!r}, t = {self.t:g}{self.after_time}, {samples}, loss {self.loss:.3g}"
        return [
            headline(self.rest, self.nu),
            *layer_lines(where, self.rest, self.now),
            *variance_lines(self.variances, self.by_variance),
            *ratio_lines(self.ratios, self.ratio_angle, self.ratio_lag),
            *(f"note: {note}" for note in self.notes),
        ]  # fmt: skip

    def legend(self) -> tuple[str, ...]:
        """What the figures of a layer are."""
        return LEGEND

    def tables(self) -> dict[str, Table]:
        """The tables `layers`, `variances`, `ratios` and `course`."""
        return {
            "layers": layer_table(self.rest, self.now),
            "variances": variance_table(self.variances, self.by_variance),
            "ratios": ratio_table(self.ratios, self.ratio_angle, self.ratio_lag),
            "course": course_table(self.times, self.course, self.time_unit),
        }


@of_run
def backprop(
    run: Run,
    /,
    phase: PhaseOption = None,
    time: TimeOption = None,
    variances: list[float] | None = None,
    ratios: list[float] | None = None,
    points: int = 200,
) -> Backprop:
    """Compare the errors and the weights' flow with the gradient of the squared error.

    Parameters
    ----------
    run : Run
    phase : int, str, optional
        A phase with both ends clamped; the last such one where left out.
    time : float or str, optional
        The moment, in the run's time; the end of the phase where left out.
    variances : list of float, optional
        Output variances nu^n to try at rest; up to 10^4 times that of the run where left out.
    ratios : list of float, optional
        Ratios tau/delta to try, each a simulation; ten times, once and a tenth of that of the run
        where left out and the network is small.
    points : int
        Most moments of the course along the phase.

    Returns
    -------
    Backprop

    Raises
    ------
    InputError
        If no phase has both ends clamped and all hidden layers free, or an option is out of range.
    """
    if phase is None and time is None:
        phase = last_phase(run, (0, run.network.n))
        if phase is None:
            what = "none has both ends clamped, so there is no target to learn; ask of a run that trains"
            raise InputError("phase", what)
    run, phase, time = as_phase(run, phase, time)
    snapshot = Snapshot.of(run, phase, time)
    _check(snapshot)
    _check_positive(variances=variances, ratios=ratios)
    if variances is not None and not len(variances):
        raise InputError("variances", "must be positive numbers, one at least, not []")
    if points < 2:
        raise InputError("points", f"must be 2 or more, not {points}")
    network, nu = snapshot.network, snapshot.network.nu[-1]
    rest = nodes_at_rest(snapshot.problem())
    tried = np.array([nu * factor for factor in VARIANCES] if variances is None else sorted(variances))
    by_variance = _stack(_at_rest_with(snapshot, float(value), rest.state) for value in tried)
    course_at, course = _course(run, snapshot, points)
    shrunk, notes = _ratios(snapshot, ratios), _notes(snapshot, rest) + _few(course_at, course)
    could = snapshot.phase.learn and snapshot.reproducible and not network.limit
    if ratios is None and not shrunk and could:
        why = "for clamps move and the phase is shorter than delta" if _too_short(snapshot) else LONG
        notes += (f"other tau/delta were not tried, {why}; ratios=[0.01, 0.001] tries them",)
    lagging = [_lag(run, snapshot, ratio, ratios is not None) for ratio in shrunk]
    return Backprop(
        phase=snapshot.phase.name,
        t=snapshot.t,
        samples=snapshot.batch,
        nu=nu,
        loss=loss_and_gradients(network, snapshot.state.weights, snapshot.inputs, snapshot.targets)[0],
        rest=_compared(snapshot, rest.state),
        now=_compared(snapshot, snapshot.state),
        residual=float(rest.residual.max()),
        course_at=course_at,
        times=np.array([moment.t for moment in course]),
        course=_stack(_compared(moment, moment.state) for moment in course),
        t_start=snapshot.record.t_start,
        variances=tried,
        by_variance=by_variance,
        ratios=np.array(shrunk),
        ratio_angle=np.array([angles for angles, _ in lagging]).reshape(len(shrunk), network.n),
        ratio_lag=np.array([lag for _, lag in lagging]).reshape(len(shrunk), network.n),
        notes=notes,
    )


def _compared(snapshot: Snapshot, state: State) -> Comparison:
    """The comparison in a `state` of the snapshot's phase."""
    return compare(snapshot.network, state, predicting(snapshot.network, snapshot.phase, state))


def _at_rest_with(snapshot: Snapshot, nu: float, start: State) -> Comparison:
    """The comparison at rest, with the output variance `nu`; Newton starts at `start`."""
    network = replace(snapshot.network, nu=(*snapshot.network.nu[:-1], nu))
    # nu^n eps^n changes little as nu^n does.
    eps = tuple(e * snapshot.network.nu[-1] / nu for e in start.eps)
    rest = nodes_at_rest(make_problem(network, snapshot.phase, start._replace(eps=eps), reduce=False))
    return compare(network, rest.state, predicting(network, snapshot.phase, rest.state))


def _lag(run: Run, snapshot: Snapshot, ratio: float, patient: bool) -> tuple[Array, Array]:
    """Angle of the flow to the gradient, and its lag behind that of nodes at rest, after one delta.

    NaN where that takes too long, unless `patient`, or fails.
    """
    begin = Snapshot.start(run, snapshot.index)
    # Another tau, not another delta: clamps that move keep their pace relative to the weights.
    delta = _delta(begin)
    network = begin.network.with_longest_tau(delta * ratio)
    as_run = begin.phase_as_run(AGAIN).showing(range(begin.batch))
    phase = replace(as_run, duration=delta, learn=as_run.learn or True, until=None)
    start = nodes_at_rest(begin.problem()).state
    x, eps = (tuple(map(np.asarray, part)) for part in start[:2])
    weights = begin.state.weights
    nodes = State(x, eps, weights)
    most = 1_000_000 if patient else MOST_STEPS
    again = simulate(network, [phase], weights=weights, nodes=nodes, save=Save(2, 2), max_steps=most)
    if again.status.failed:
        return np.full(network.n, np.nan), np.full(network.n, np.nan)
    after = again.state
    end = begin.holding(begin.t + delta, after)
    rest = nodes_at_rest(replace(end, network=network).problem(learn=phase.learn, until=None)).state
    masked = Constants.of(network).masked
    of_both = ((predicting(network, phase, state), state.eps) for state in (after, rest))
    flow, settled = (masked(hebbian(at, eps, network.activation)) for at, eps in of_both)
    lag = in_layers(lambda a, b: norm(a - b, jnp) / norm(b, jnp), flow, settled)
    return compare(network, after, predicting(network, phase, after)).flow_angle, np.asarray(lag)


def _delta(snapshot: Snapshot) -> float:
    """Delta of the fastest link that learns."""
    return min(snapshot.network.deltas_of(snapshot.record.learn))


def _ratios(snapshot: Snapshot, ratios: Sequence[float] | None) -> list[float]:
    network = snapshot.network
    if ratios is not None:
        snapshot.phase_as_run(AGAIN)
        if network.limit:
            raise InputError("ratios", "there is no tau/delta to change: with tau = 0 nodes are at rest")
        return sorted(map(float, ratios), reverse=True)
    record = snapshot.record
    quick = record.unknowns <= MOST_UNKNOWNS and record.stats.solve_seconds <= MOST_SECONDS
    if not quick or not snapshot.reproducible or network.limit or not snapshot.phase.learn:
        return []
    if _too_short(snapshot):
        return []
    return [factor * network.longest_tau / _delta(snapshot) for factor in RATIOS]


def _too_short(snapshot: Snapshot) -> bool:
    """Whether clamps move for less than the one delta after which other tau/delta are compared."""
    return snapshot.moving and snapshot.record.duration < _delta(snapshot)


def _notes(snapshot: Snapshot, rest: Rest) -> tuple[str, ...]:
    network, weights, notes = snapshot.network, snapshot.state.weights, [*snapshot.notes]
    if not rest.found:
        notes.append(f"the nodes were not brought to rest: residual {float(rest.residual.max()):.1e}")
    if not snapshot.phase.learn:
        notes.append("the weights are held; their flow is the one that they would follow")
    elif isinstance(snapshot.phase.learn, tuple):
        held = [f"M{k}" for k in range(network.n) if f"M{k}" not in snapshot.phase.learn]
        if held:
            what = "is held; its flow is that it" if len(held) == 1 else "are held; their flow is that they"
            notes.append(f"{', '.join(held)} {what} would follow")
    if network.mask is not None:
        notes.append("flow and gradient are compared where there are connections only")
    if isinstance(network.delta, tuple):
        notes.append("delta is that of the fastest link that learns")
    if snapshot.fixed:
        notes.append("predictions are fixed: with W = M^T, errors at rest are backpropagation's at any nu")
    if network.node_decay > 0.0:
        notes.append("the value nodes decay, so that the errors at rest are not backpropagation's recursion")
    if network.weight_decay > 0.0:
        notes.append("the weights decay; their flow is told without that")
    if any(not np.allclose(M.T, W) for M, W in zip(weights.M, weights.feedback, strict=True)):
        grows = "" if snapshot.fixed else " as nu^n grows"
        notes.append(f"W is not M^T, so that angles need not vanish{grows}")
    _, _, by_M = loss_and_gradients(network, weights, snapshot.inputs, snapshot.targets)
    if max(float(np.sqrt(np.mean(g**2))) for g in by_M) < VANISHED:
        notes.append("the gradient has all but vanished: its direction is rounding; ask at an earlier time")
    return tuple(notes)


def _check(snapshot: Snapshot) -> None:
    """Raise InputError unless the phase is that of a feedforward network with data at both ends."""
    _ = snapshot.inputs, snapshot.targets
    hidden = [layer for layer in snapshot.phase.clamp if 0 < layer < snapshot.n]
    if hidden:
        what = (
            f"layer {hidden[0]} is clamped in {snapshot.record.name!r}, where backpropagation knows "
            f"free hidden layers only; choose a phase with the two ends clamped"
        )
        raise InputError("phase", what)


def _check_positive(**options: Sequence[float] | None) -> None:
    for name, values in options.items():
        if values is not None and not all(np.isfinite(v) and v > 0.0 for v in values):
            raise InputError(name, f"must be positive numbers, not {list(values)}")


def _course(run: Run, snapshot: Snapshot, points: int) -> tuple[CourseAt, list[Snapshot]]:
    """At most `points` moments of the phase, its ends among them, and how their nodes are."""
    rows = np.flatnonzero(run.data["phase"].to_numpy() == snapshot.index)
    if rows.size >= FEWEST or not snapshot.reproducible or snapshot.network.limit:
        return "state", [Snapshot.at(run, int(row)) for row in spread(rows, points)]
    moments = resting_moments(run, snapshot.index, points)
    resting: list[Snapshot] = []
    start = moments[-1].state
    for moment in reversed(moments):  # from the end, where the nodes are nearest to their rest
        begun = replace(moment, state=start._replace(weights=moment.state.weights))
        rest = nodes_at_rest(begun.problem())
        if rest.found:
            start = rest.state
            resting.append(replace(moment, state=rest.state))
    return ("rest", resting[::-1]) if resting else ("state", [Snapshot.at(run, int(row)) for row in rows])


def _few(course_at: CourseAt, course: list[Snapshot]) -> tuple[str, ...]:
    """What to mind of the course, where few times were saved."""
    if course_at == "rest":
        return (
            f"few times of the nodes were saved: the course is that of nodes at rest for the weights of "
            f"{len(course)} saved times",
        )
    if len(course) < FEWEST:
        return (f"the course has the {len(course)} moments that were saved; more [save] nodes tell more",)
    return ()


def _stack(comparisons: Iterable[Comparison]) -> Comparison:
    listed = list(comparisons)
    return Comparison(*(np.stack(parts) for parts in zip(*listed, strict=True)))

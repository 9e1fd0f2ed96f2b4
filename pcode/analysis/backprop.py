r"""How near a network's errors and the flow of its weights are to backpropagation.

The yardstick is the plain feedforward network of the same M and beta, with the loss
L = mean_b 1/2 |y - f(x^0)|^2, differentiated automatically. By facts 1 and 2 of the model, with
W = M^T, no decay of the nodes and nodes at rest, as the output variance nu^n grows:

    nu^n eps^l                          ->  -B dL/dmu^l    (the descent direction of each sample's loss)
    nu^n mean_b[sigma(x^l)^T eps^{l+1}] ->  -dL/dM^l       (delta dM^l/dt, its decay left out)

so angles go to 0 and relative sizes, |left| / |right|, to 1. Of W and M^T the angle and |W| / |M|
are told: they are alike in tied networks, and where learned feedback started at the transpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from ..base._jax import jnp
from ..base.errors import InputError
from ..model.network import Array
from ..model.phase import Phase, Save
from ..model.state import State
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Situation, last_phase, resting_moments, spread
from ..simulation import simulate
from ..system.problem import make_problem
from ..system.rest import Rest, nodes_at_rest
from .gradients import Comparison, compare, hebbian, loss_and_gradients
from .result import Result
from .vectors import in_layers, norm

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

# Saved times of the nodes for a course of them; of fewer, the weights' times are taken.
FEWEST = 10

# Root mean square of the gradient below which angles say little but rounding and residuals.
VANISHED = 1e-9

# Angles below this, in degrees, are rounding, and told as 0.
ROUNDING = 1e-9


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
        With the nodes at rest for the weights of the moment, and as they are.
    residual : float
        max |tau dz/dt| / (1 + |z|) of the nodes taken as at rest.
    course_at : {"state", "rest"}
        How the nodes of `course` are: as they were, or, where few times of theirs were saved, at rest for
        the weights of the times at which those were.
    times : ndarray, shape (T,)
        Saved times of the phase, in the run's time: of the nodes, or of the weights.
    course : Comparison, arrays of shape (T, n)
        Along the phase.
    t_start : float
        When it started.
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
        rest, now = self.rest, self.now
        samples = f"{self.samples} sample{'s' * (self.samples != 1)}"
        told = [
            f"at rest the weights' flow is {_within(rest.flow_angle)} the gradient's descent, "
            f"the errors {_within(rest.error_angle).split(' degrees')[0]} (nu^n = {self.nu:g})",
            f"phase {self.phase!r}, t = {self.t:g}, {samples}, loss {self.loss:.3g}; "
            f"angle in degrees and relative size, nodes at rest (as they are):",
        ]
        told += [
            f"  layer {k + 1}  eps {_pair(rest[0:2], k)} ({_pair(now[0:2], k)})"
            f"   M{k} flow {_pair(rest[2:4], k)} ({_pair(now[2:4], k)})"
            f"   W{k} to M{k}^T {_pair(rest[4:6], k)}"
            for k in range(len(rest.error_angle))
        ]
        if self.variances.size > 1:
            angles = (
                f"{nu:g}: {_most(a)}"
                for nu, a in zip(self.variances, self.by_variance.flow_angle, strict=True)
            )
            told.append(f"as nu^n grows, largest angle of the flow: {', '.join(angles)}")
        for ratio, angles, lag in zip(self.ratios, self.ratio_angle, self.ratio_lag, strict=True):
            if np.isnan(lag).all():
                told.append(f"tau/delta = {ratio:.3g}: the simulation failed, or took too many steps")
                continue
            told.append(
                f"tau/delta = {ratio:.3g}: after one delta the flow is {_within(angles)} the gradient's "
                f"descent, and lags behind that of nodes at rest by {_short(100 * np.nanmax(lag))}%"
            )
        return told + [f"note: {note}" for note in self.notes]


@of_run
def backprop(
    run: Run,
    /,
    phase: PhaseOption = None,
    time: float | None = None,
    variances: list[float] | None = None,
    ratios: list[float] | None = None,
    points: int = 40,
) -> Backprop:
    """Compare the errors and the weights' flow with the gradient of the squared error.

    Parameters
    ----------
    run : Run
    phase : int, str, optional
        A phase with both ends clamped; the last such one where left out.
    time : float, optional
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
    situation = Situation.of(run, phase, time)
    _check(situation)
    _check_positive(variances=variances, ratios=ratios)
    if variances is not None and not len(variances):
        raise InputError("variances", "must be positive numbers, one at least, not []")
    if points < 2:
        raise InputError("points", f"must be 2 or more, not {points}")
    network, nu = situation.network, situation.network.nu[-1]
    rest = nodes_at_rest(situation.problem())
    tried = np.array([nu * factor for factor in VARIANCES] if variances is None else sorted(variances))
    by_variance = _stack(_at_rest_with(situation, float(value), rest.state) for value in tried)
    course_at, course = _course(run, situation, points)
    shrunk, notes = _ratios(situation, ratios), _notes(situation, rest) + _few(course_at, course)
    if ratios is None and not shrunk and situation.phase.learn and not situation.moving and network.tau:
        notes += ("other tau/delta were not tried, being long simulations; ratios=[0.01, 0.001] tries them",)
    lagging = [_lag(run, situation, ratio, ratios is not None) for ratio in shrunk]
    return Backprop(
        phase=situation.phase.name,
        t=situation.t,
        samples=situation.batch,
        nu=nu,
        loss=loss_and_gradients(network, situation.state.weights, situation.inputs, situation.targets)[0],
        rest=compare(network, rest.state),
        now=compare(network, situation.state),
        residual=float(rest.residual.max()),
        course_at=course_at,
        times=np.array([moment.t for moment in course]),
        course=_stack(compare(network, moment.state) for moment in course),
        t_start=situation.record.t_start,
        variances=tried,
        by_variance=by_variance,
        ratios=np.array(shrunk),
        ratio_angle=np.array([angles for angles, _ in lagging]).reshape(len(shrunk), network.n),
        ratio_lag=np.array([lag for _, lag in lagging]).reshape(len(shrunk), network.n),
        notes=notes,
    )


def _at_rest_with(situation: Situation, nu: float, start: State) -> Comparison:
    """The comparison at rest, with the output variance `nu`; Newton starts at `start`."""
    network = replace(situation.network, nu=(*situation.network.nu[:-1], nu))
    # nu^n eps^n changes little as nu^n does.
    eps = tuple(e * situation.network.nu[-1] / nu for e in start.eps)
    rest = nodes_at_rest(make_problem(network, situation.phase, start._replace(eps=eps), reduce=False))
    return compare(network, rest.state)


def _lag(run: Run, situation: Situation, ratio: float, patient: bool) -> tuple[Array, Array]:
    """Angle of the flow to the gradient, and its lag behind that of nodes at rest, after one delta.

    NaN where that takes too long, unless `patient`, or fails.
    """
    begin = Situation.start(run, situation.index)
    network = replace(begin.network, delta=begin.network.tau / ratio)
    phase = Phase(begin.phase.name, begin.phase.clamp, duration=network.delta)
    start = nodes_at_rest(begin.problem()).state
    x, eps = (tuple(map(np.asarray, part)) for part in start[:2])
    weights = begin.state.weights
    nodes = State(x, eps, weights)
    most = 1_000_000 if patient else MOST_STEPS
    again = simulate(network, [phase], weights=weights, nodes=nodes, save=Save(2, 2), max_steps=most)
    if again.status.failed:
        return np.full(network.n, np.nan), np.full(network.n, np.nan)
    after = again.state
    rest = nodes_at_rest(make_problem(network, phase, after, reduce=False)).state
    flow, settled = (hebbian(state.x, state.eps, network.activation) for state in (after, rest))
    lag = in_layers(lambda a, b: norm(a - b, jnp) / norm(b, jnp), flow, settled)
    return compare(network, after).flow_angle, np.asarray(lag)


def _ratios(situation: Situation, ratios: Sequence[float] | None) -> list[float]:
    network = situation.network
    if ratios is not None:
        situation.require_constant("a simulation with another tau/delta")
        if network.tau == 0.0:
            raise InputError("ratios", "there is no tau/delta to change: with tau = 0 nodes are at rest")
        return sorted(map(float, ratios), reverse=True)
    record = situation.record
    quick = record.unknowns <= MOST_UNKNOWNS and record.stats.solve_seconds <= MOST_SECONDS
    if not quick or situation.moving or network.tau == 0.0 or not situation.phase.learn:
        return []
    return [factor * network.tau / network.delta for factor in RATIOS]


def _notes(situation: Situation, rest: Rest) -> tuple[str, ...]:
    network, weights, notes = situation.network, situation.state.weights, []
    if not rest.found:
        notes.append(f"the nodes were not brought to rest: residual {float(rest.residual.max()):.1e}")
    if not situation.phase.learn:
        notes.append("the weights are held; their flow is the one that they would follow")
    if network.node_decay > 0.0:
        notes.append("the value nodes decay, so that the errors at rest are not backpropagation's recursion")
    if network.weight_decay > 0.0:
        notes.append("the weights decay; their flow is told without that")
    if any(not np.allclose(M.T, W) for M, W in zip(weights.M, weights.feedback, strict=True)):
        notes.append("W is not M^T, so that angles need not vanish as nu^n grows")
    _, _, by_M = loss_and_gradients(network, weights, situation.inputs, situation.targets)
    if max(float(np.sqrt(np.mean(g**2))) for g in by_M) < VANISHED:
        notes.append("the gradient has all but vanished: its direction is rounding; ask at an earlier time")
    return tuple(notes)


def _check(situation: Situation) -> None:
    """Raise InputError unless the phase is that of a feedforward network with data at both ends."""
    _ = situation.inputs, situation.targets
    hidden = [layer for layer in situation.phase.clamp if 0 < layer < situation.n]
    if hidden:
        what = (
            f"layer {hidden[0]} is clamped in {situation.record.name!r}, where backpropagation knows "
            f"free hidden layers only; choose a phase with the two ends clamped"
        )
        raise InputError("phase", what)


def _check_positive(**options: Sequence[float] | None) -> None:
    for name, values in options.items():
        if values is not None and not all(np.isfinite(v) and v > 0.0 for v in values):
            raise InputError(name, f"must be positive numbers, not {list(values)}")


def _course(run: Run, situation: Situation, points: int) -> tuple[CourseAt, list[Situation]]:
    """At most `points` moments of the phase, its ends among them, and how their nodes are."""
    rows = np.flatnonzero(run.data["phase"].to_numpy() == situation.index)
    if rows.size >= FEWEST or situation.moving or situation.network.tau == 0.0:
        return "state", [Situation.at(run, int(row)) for row in spread(rows, points)]
    moments = resting_moments(run, situation.index, points)
    resting: list[Situation] = []
    start = moments[-1].state
    for moment in reversed(moments):  # from the end, where the nodes are nearest to their rest
        begun = replace(moment, state=start._replace(weights=moment.state.weights))
        rest = nodes_at_rest(begun.problem())
        if rest.found:
            start = rest.state
            resting.append(replace(moment, state=rest.state))
    return ("rest", resting[::-1]) if resting else ("state", [Situation.at(run, int(row)) for row in rows])


def _few(course_at: CourseAt, course: list[Situation]) -> tuple[str, ...]:
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


def _within(angles: Array) -> str:
    """How far the angles go, in words: being within a right angle says something, being beyond it not."""
    far = bool((angles[np.isfinite(angles)] > 90.0).any())
    return f"{'up to' if far else 'within'} {_most(angles)} degrees {'off' if far else 'of'}"


def _most(angles: Array) -> str:
    known = angles[np.isfinite(angles)]
    return _short(known.max()) if known.size else "unknown"


def _short(number: float) -> str:
    if number < ROUNDING:
        return "0"
    return f"{number:.2g}" if number < 99.5 else f"{number:.0f}"


def _pair(parts: Sequence[Array], k: int) -> str:
    turned, size = parts[0][k], parts[1][k]
    return f"{_short(turned)}, {size:.2g}" if np.isfinite(turned) else "none"

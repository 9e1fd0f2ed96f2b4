"""What a solver is, and the loop shared by those that advance one step at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import scipy

from ..base.errors import InputError
from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from ..system.problem import Problem
from .causes import clocks, hopeless
from .floor import Floor
from .progress import Pace
from .settings import IVP, Settings, has_nodes
from .steps import StepLog, Steps

__all__ = [
    "IVP", "OnSave", "OnStep", "Settings", "Solution", "Solver", "Stepper", "coupled", "integrate",
    "refuse_above", "refuse_without_nodes",
]  # fmt: skip

# A value that has grown by this factor over the largest one at the start has diverged.
DIVERGED = 1e8

# The energy of larger values than this, and what a Newton iteration multiplies, may be beyond all numbers.
LARGEST = 1e100

# Guesses, by the quick curve through a step, at the moment at which a node passes a kink.
MOST_GUESSES = 6

# Where within a step it is looked whether a node has gone over a kink and come back.
INSIDE = np.array([0.2, 0.4, 0.6, 0.8])

# What a solver calls with what it reached: at each time to save, and now and then between two steps.
OnSave = Callable[[int, float, Array], None]
OnStep = Callable[[float, float, Array], bool]


@dataclass(frozen=True)
class Solution:
    """How the integration of a problem ended.

    Attributes
    ----------
    status : Status
    t : float
        The time reached, in the problem's own time.
    y : ndarray, shape (N,)
        The unknowns there.
    stats : SolverStats
    method, reason : str
        The solver that was chosen, and why, where there was a choice.
    detail : str
        What there is to say of the status, where it is more than what it always means.
    steps : ndarray, shape (K, 3)
        Time at the end, length, and order (NaN where not known) of the steps; see `StepLog`.
    """

    status: Status
    t: float
    y: Array
    stats: SolverStats
    method: str = ""
    reason: str = ""
    detail: str = ""
    steps: Steps = field(default_factory=lambda: StepLog().steps, repr=False)

    def timed(self, compile_seconds: float, since: float) -> Solution:
        """The same, with the time to compile and that which has passed `since` then."""
        spent = time.perf_counter() - since
        stats = replace(self.stats, compile_seconds=compile_seconds, solve_seconds=spent)
        return replace(self, stats=stats)


class Solver(Protocol):
    """An adaptive method for `Problem`."""

    @property
    def name(self) -> str:
        """As users ask for it."""

    @property
    def implicit(self) -> bool:
        """Whether steps far longer than tau stay stable."""

    def check(self, layout: Layout) -> None:
        """Raise InputError, with the reason, if the method is unsuitable for so many unknowns."""

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """Integrate `problem` from its start to its end, or until it is at rest.

        Parameters
        ----------
        problem : IVP
        times : ndarray, shape (T,)
            Rising times in (0, problem.duration] at which to save.
        settings : Settings
        save : callable
            ``save(k, t, y)`` is called in turn for every ``t = times[k]`` that is reached; `y`,
            shape (N,), may be overwritten later.
        watch : callable
            ``watch(t, step, y)`` is called now and then; the solver stops where it is, with
            status `interrupted`, when it returns True.
        """


class Stepper(Protocol):
    """A method in the course of an integration.

    Attributes
    ----------
    t_before, t : float
        Start and end of the last step that was kept.
    y : ndarray, shape (N,)
        The unknowns at `t`.
    steps : int
        Steps kept so far.
    order : int or None
        Of the last step; None where it is not known.
    """

    t_before: float
    t: float
    y: Array
    steps: int
    order: int | None

    def advance(self, until: float) -> Status | None:
        """Take a step; return why it failed, or None.

        No step goes over one of the stops of the problem's `course`. It may be several steps, as long as
        only the last one reaches `until` or comes to rest.
        """

    def restart(self, problem: IVP) -> None:
        """Go on with `problem`, the same with another right-hand side, from its `start` and `y0`."""

    def ends(self) -> Sequence[float]:
        """The ends of the steps that the last `advance` kept; the last of them is `t`."""

    def interpolate(self, t: float) -> Array:
        """The unknowns, shape (N,), at a time within the last step."""

    def draw(self, t: float) -> Array:
        """The same, quickly: on the curve through the step where `interpolate` takes steps of its own."""

    def stats(self) -> SolverStats:
        """Steps and evaluations so far."""


def integrate(
    stepper: Stepper, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep
) -> Solution:
    """Advance `stepper` to the end of `problem`, saving on the way; see `Solver.solve`."""
    bound, pace, floor = divergence_bound(problem), _pace(problem, settings), Floor(problem, settings)
    saved, log = 0, StepLog()
    t, y, detail = 0.0, problem.y0, ""
    status = Status.EQUILIBRIUM if at_rest(problem, t, y) else None
    while status is None and t < problem.duration:
        if stepper.steps >= settings.max_steps:
            status = Status.MAX_STEPS
        elif watch(t, t - stepper.t_before, y):
            status = Status.INTERRUPTED
        else:
            status = stepper.advance(min(times[saved], problem.end) if saved < times.size else problem.end)
        if status is not None:
            break
        event = switching(problem, stepper, settings) if problem.kinked else None
        last, y = (stepper.t, stepper.y) if event is None else (event.start, event.y0)
        for end in (*(end for end in stepper.ends() if end < last), last):
            log.add(end, end - t, stepper.order)
            t = end
        if not np.abs(y).max(initial=0.0) < bound:
            status = Status.DIVERGED
        elif event is None and t >= problem.settles_from:
            status, t, y, detail = _settled(problem, stepper, floor)
        status = status or pace.look(stepper.steps, t, stepper.t_before)
        while saved < times.size and times[saved] <= t:
            save(saved, times[saved], stepper.interpolate(times[saved]))
            saved += 1
        if status is None and (event is not None or problem.end == t < problem.duration):
            try:
                problem = _following(problem, event, t, y)
            except InputError as error:  # no rest of the nodes, which they must have with tau = 0
                status, detail = Status.NONLINEAR_FAILURE, str(error)
                break
            stepper.restart(problem)
            floor.problem = problem
            status = Status.EQUILIBRIUM if at_rest(problem, t, y) else None
    if status is None and (found := floor.at_end(t, y)):
        y, detail = found.y, found.message
        status = Status.EQUILIBRIUM if found.settled else Status.NOT_SETTLED
    elif status is Status.MAX_STEPS and stepper.steps < settings.max_steps:
        detail = pace.message
    return Solution(status or Status.SUCCESS, t, y, stepper.stats(), detail=detail, steps=log.steps)


def _settled(problem: IVP, stepper: Stepper, floor: Floor) -> tuple[Status | None, float, Array, str]:
    """Whether the last step came to rest, which is to end the phase: status, time, unknowns, detail."""
    assert problem.settle_tol is not None
    t, y = stepper.t, stepper.y
    residual = problem.residual(t, y)
    if residual <= problem.settle_tol:
        t = max(_time_of_rest(problem, stepper), problem.settles_from)
        return Status.EQUILIBRIUM, t, stepper.interpolate(t), ""
    found = floor.look(stepper.steps, t, y, residual)
    if found is None:
        return None, t, y, ""
    return Status.EQUILIBRIUM if found.settled else Status.NOT_SETTLED, t, found.y, found.message


def _following(problem: IVP, event: Problem | None, t: float, y: Array) -> IVP:
    """The problem from (t, y) on: in other modes after an `event`, and beyond the step of a clamp."""
    following = problem if event is None else event
    return following.beyond(t, y) if problem.end == t < problem.duration else following


def next_stop(problem: IVP, t: float) -> float:
    """The time after `t` that no step may go over."""
    stops = problem.course.stops
    return float(stops[np.searchsorted(stops, t, side="right")])


def switching(problem: IVP, stepper: Stepper, settings: Settings) -> Problem | None:
    """The problem from where in the last step a node first passed a kink, or was to leave one; else None.

    Nodes that do so together within the tolerance switch together, at the end of the step where that will do.
    """
    assert has_nodes(problem)
    tolerance = kink_tolerance(settings)
    share = kink_share(stepper.t - stepper.t_before, problem)

    def beyond(t: float, curve: Callable[[float], Array] = stepper.interpolate) -> float:
        return problem.excess(t, curve(t), share) - tolerance

    late = beyond(stepper.t)
    at = stepper.t_before + INSIDE * (stepper.t - stepper.t_before)
    inside = problem.excesses(at, np.stack([stepper.draw(t) for t in at]), share) > tolerance
    # A node may have gone over its kink and come back.
    ends = [t for t in (*at[inside], *[stepper.t] * (late > 0.0)) if t == stepper.t or beyond(t) > 0.0]
    if not ends:
        return None
    t = ends[0]
    if (t < stepper.t or late > tolerance) and beyond(stepper.t_before) < 0.0:
        t = _moment(beyond, lambda t: beyond(t, stepper.draw), (stepper.t_before, t), tolerance)
    return problem.switched(t, stepper.interpolate(t), share, 0.01 * tolerance)


def _moment(
    beyond: Callable[[float], float],
    roughly: Callable[[float], float],
    span: tuple[float, float],
    tolerance: float,
) -> float:
    """When within `span` the function `beyond` has risen to 0, within the tolerance.

    It may be expensive, and `roughly` is nearly the same and cheap: each guess is a root of `roughly`,
    shifted by the difference between the two at the guess before.
    """
    least = 0.0
    for _ in range(MOST_GUESSES):
        if not roughly(span[0]) < least < roughly(span[1]):
            break
        guess = scipy.optimize.brentq(
            lambda t, least=least: roughly(t) - least, *span, xtol=1e-15, rtol=1e-14
        )
        off = beyond(guess)
        if abs(off) <= 0.5 * tolerance:
            return float(guess)
        least -= off
    return float(scipy.optimize.brentq(beyond, *span, xtol=1e-15, rtol=1e-14, disp=False))


def kink_tolerance(settings: Settings) -> float:
    """How far a node may be beyond a kink when that is noticed: far below what the tolerances leave."""
    return max(settings.atol, 1e-3 * settings.rtol)


def kink_share(step: Any, problem: Problem) -> Any:
    """`share` of `pcode.system.kinks.excess` for the end of a step."""
    return np.minimum(1.0, step / float(problem.constants.tau))


def _pace(problem: IVP, settings: Settings) -> Pace:
    duration = problem.duration if problem.settle_tol is None or hopeless(problem) else None
    return Pace(min(clocks(problem).values()), duration, settings.max_steps, hopeless(problem))


def divergence_bound(problem: IVP) -> float:
    """The size beyond which the unknowns of `problem` have diverged."""
    given = (problem.y0, *map(np.asarray, problem.parameters.clamp))
    sizes = (float(np.nanmax(np.abs(a), initial=0.0)) for a in given)
    return min(LARGEST, DIVERGED * max(1.0, problem.course.largest, *sizes))


def at_rest(problem: IVP, t: float, y: Array) -> bool:
    """Whether `problem` is to end when at rest, and is."""
    tol = problem.settle_tol
    return tol is not None and t >= problem.settles_from and problem.residual(t, y) <= tol


def _time_of_rest(problem: IVP, stepper: Stepper) -> float:
    """When, in the last step, the residual fell to settle_tol: so that it does not depend on the steps."""
    assert problem.settle_tol is not None
    tolerance, before, after = problem.settle_tol, stepper.t_before, stepper.t

    def excess(t: float) -> float:
        return math.log(max(problem.residual(t, stepper.interpolate(t)), 1e-300) / tolerance)

    if excess(before) <= 0.0 or excess(after) > 0.0:  # the interpolant is off by a rounding error
        return after
    t: float = scipy.optimize.brentq(excess, before, after, xtol=1e-12 * after, rtol=1e-6)
    return t


def refuse_above(name: str, layout: Layout, largest: int, why: str) -> None:
    """Raise InputError if there are more than `largest` unknowns."""
    if layout.size > largest:
        what = f"{name} {why}: too much for {layout.size:,} unknowns (at most {largest:,}); use cvode"
        raise InputError("method", what)


def coupled(problem: IVP, name: str) -> Problem:
    """`problem`, if it is the coupled system with its Jacobian; else an InputError."""
    refuse_without_nodes(name, problem.layout)
    assert has_nodes(problem)
    return problem


def refuse_without_nodes(name: str, layout: Layout) -> None:
    """Raise InputError where the nodes are no unknowns, but the weights are: tau = 0."""
    if layout.size and not layout.nodes:
        what = f"{name} works on the coupled equations, and with tau = 0 the weights alone are left"
        raise InputError("method", f"{what}; use auto, DOP853 or RK45")

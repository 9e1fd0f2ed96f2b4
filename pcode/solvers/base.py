"""The interface of a solver, and the loop over steps that all of them share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import scipy

from ..base.errors import ComputationError, InputError, cut, visible
from ..base.short import Short
from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from ..system.problem import Problem
from .causes import badly_scaled, largest_value, timescales
from .floor import Floor
from .progress import Pace
from .settings import IVP, Settings, has_nodes
from .steps import StepLog, Steps

__all__ = [
    "IVP", "OnSave", "OnStep", "Settings", "Solution", "Solver", "Stepper", "coupled", "integrate",
    "refuse_above", "refuse_without_nodes", "uncomputable",
]  # fmt: skip

# The solution has diverged if a value exceeds the largest one at the start by this factor.
DIVERGED = 1e8

# The energy, or products in a Newton iteration, may overflow for values larger than this.
LARGEST = 1e100

# Most guesses, by the cheap interpolant, of the time at which a node passes a kink.
MOST_GUESSES = 6

# After so many steps the integration begins anew. What it then does follows from the state alone, so that a
# run that goes on from there after an interruption takes the same steps as one that was never interrupted.
RENEWED = 1_000

# Most characters of what a function of the user's says when it raises.
MOST_TOLD = 150

# Parts of a step at which it is checked whether a node has passed a kink and come back.
INSIDE = np.array([0.2, 0.4, 0.6, 0.8])

# Callbacks of a solver: at each time to save, and between two steps.
OnSave = Callable[[int, float, Array], None]
OnStep = Callable[[float, float, Array], bool]


@dataclass(frozen=True)
class Solution(Short):
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
        The solver that was chosen, and why; empty if there was no choice.
    detail : str
        Details of the status, where there is more to say than its usual meaning.
    steps : ndarray, shape (K, 3)
        End, length and order (NaN if unknown) of the steps; see `StepLog`.
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
        """The same with the compile time, and the time elapsed `since` then as solve time."""
        spent = time.perf_counter() - since
        stats = replace(self.stats, compile_seconds=compile_seconds, solve_seconds=spent)
        return replace(self, stats=stats)


class Solver(Protocol):
    """An adaptive method for `Problem`."""

    @property
    def name(self) -> str:
        """Its name in `METHODS`."""

    @property
    def implicit(self) -> bool:
        """Whether it is stable with steps much longer than tau."""

    def check(self, layout: Layout) -> None:
        """Raise InputError, with the reason, if the method is unsuitable for these unknowns."""

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """Integrate `problem` from its start to its end, or until it is at rest.

        Parameters
        ----------
        problem : IVP
        times : ndarray, shape (T,)
            Increasing times in (0, problem.duration] at which to save.
        settings : Settings
        save : callable
            ``save(k, t, y)`` is called in order for every ``t = times[k]`` that is reached; `y`, shape (N,),
            may be overwritten later.
        watch : callable
            ``watch(t, step, y)`` is called between steps; if it returns True the solver stops there, with
            status `interrupted`.
        """


class Stepper(Protocol):
    """A method that is advanced one step at a time.

    Attributes
    ----------
    t_before, t : float
        Start and end of the last accepted step.
    y : ndarray, shape (N,)
        The unknowns at `t`.
    steps : int
        Number of accepted steps.
    order : int or None
        Order of the last step; None if unknown.
    """

    t_before: float
    t: float
    y: Array
    steps: int
    order: int | None

    def advance(self, until: float) -> Status | None:
        """Take a step; return the status if it failed, else None.

        No step crosses a stop of the problem's `schedule`. Several steps may be taken at once, as long as
        only the last one reaches `until` or comes to rest.
        """

    def restart(self, problem: IVP) -> None:
        """Continue with `problem`, which has another right-hand side, from its `start` and `y0`."""

    def ends(self) -> Sequence[float]:
        """Ends of the steps accepted in the last call of `advance`; the last one is `t`."""

    def interpolate(self, t: float) -> Array:
        """The unknowns, shape (N,), at a time within the last step."""

    def draw(self, t: float) -> Array:
        """The same by a cheap interpolant, where `interpolate` takes steps of its own."""

    def stats(self) -> SolverStats:
        """Steps and evaluations so far."""


def integrate(
    stepper: Stepper, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep
) -> Solution:
    """Advance `stepper` to the end of `problem`, saving on the way; see `Solver.solve`."""
    bound, pace, floor = divergence_bound(problem), _pace(problem, settings), Floor(problem, settings)
    saved, log = 0, StepLog()
    t, y, detail = problem.start, problem.y0, ""
    _begins(settings, problem, stepper, log)
    begun = 0  # steps at the last begin
    status = Status.EQUILIBRIUM if at_rest(problem, t, y) else None
    try:
        while status is None and t < problem.duration:
            if stepper.steps >= settings.max_steps:
                status = Status.MAX_STEPS
            elif watch(t, t - stepper.t_before, y):
                status = Status.INTERRUPTED
            else:
                status = stepper.advance(
                    min(times[saved], problem.end) if saved < times.size else problem.end
                )
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
                save(saved, times[saved], _exact(problem, stepper.interpolate(times[saved])))
                saved += 1
            tired = stepper.steps - begun >= RENEWED and t < problem.duration
            if status is None and (event is not None or tired or problem.end == t < problem.duration):
                try:
                    problem = _following(problem, event, t, y)
                    problem = (
                        problem.renewed(t, problem.y0 if problem.start == t else y) if tired else problem
                    )
                except InputError as error:  # tau = 0, and the nodes have no equilibrium after a jump
                    status, detail = Status.NONLINEAR_FAILURE, str(error)
                    break
                stepper.restart(problem)
                begun = stepper.steps if tired else begun
                floor = Floor(problem, settings, begun) if tired else floor.on(problem)
                if tired:
                    _begins(settings, problem, stepper, log)
                status = Status.EQUILIBRIUM if at_rest(problem, t, y) else None
        found = floor.at_end(t, y) if status is None else None
    except (ComputationError, MemoryError) as error:  # from a function of the user's, for one
        status, detail, found = Status.NONLINEAR_FAILURE, uncomputable(error), None
    if found:
        y, detail = found.y, found.message
        status = Status.EQUILIBRIUM if found.settled else Status.NOT_SETTLED
    elif status is Status.MAX_STEPS and stepper.steps < settings.max_steps:
        detail = pace.message
    y = _exact(problem, y)
    return Solution(status or Status.SUCCESS, t, y, stepper.stats(), detail=detail, steps=log.steps)


def uncomputable(error: ComputationError | MemoryError) -> str:
    """Why the rates, or what is derived from them, could not be computed."""
    if isinstance(error, MemoryError):
        why = f"there is not enough memory{f': {error}' if str(error) else ''}"
    else:
        why = error.what
    return f"the rates could not be computed here: {cut(visible(why), MOST_TOLD)}"


def _exact(problem: IVP, y: Array) -> Array:
    """`y` with the nodes that are held at a kink exactly there."""
    return problem.at_kinks(y) if problem.kinked and has_nodes(problem) else y


def _settled(problem: IVP, stepper: Stepper, floor: Floor) -> tuple[Status | None, float, Array, str]:
    """Whether the phase ends because the last step came to rest: status or None, time, unknowns, detail."""
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
    """The problem from (t, y) on: with new modes after an `event`, on the next interval after a jump."""
    following = problem if event is None else event
    return following.after_jump(t, y) if problem.end == t < problem.duration else following


def _begins(settings: Settings, problem: IVP, stepper: Stepper, log: StepLog) -> None:
    """Tell who wants to know it that the integration begins, with `problem`."""
    if settings.begins is not None:
        stats = stepper.stats()
        settings.begins(problem.start, problem.y0, lambda: (stats, log.steps))


def next_stop(problem: IVP, t: float) -> float:
    """The next time after `t` that no step may cross."""
    stops = problem.schedule.stops
    return float(stops[np.searchsorted(stops, t, side="right")])


def switching(problem: IVP, stepper: Stepper, settings: Settings) -> Problem | None:
    """The problem from the time in the last step at which a node first passed or left a kink, if one did.

    Nodes that do so at the same time, within the tolerance, switch together; at the end of the step if that
    is within the tolerance.
    """
    assert has_nodes(problem)
    tolerance = kink_tolerance(settings)
    share = kink_share(stepper.t - stepper.t_before, np.asarray(problem.constants.tau))

    def excess(t: float, curve: Callable[[float], Array] = stepper.interpolate) -> float:
        return problem.excess(t, curve(t), share) - tolerance

    late = excess(stepper.t)
    at = stepper.t_before + INSIDE * (stepper.t - stepper.t_before)
    inside = problem.excesses(at, np.stack([stepper.draw(t) for t in at]), share) > tolerance
    # A node may have passed its kink and come back.
    ends = [t for t in (*at[inside], *[stepper.t] * (late > 0.0)) if t == stepper.t or excess(t) > 0.0]
    if not ends:
        return None
    t = ends[0]
    if (t < stepper.t or late > tolerance) and excess(stepper.t_before) < 0.0:
        t = _switching_time(excess, lambda t: excess(t, stepper.draw), (stepper.t_before, t), tolerance)
    return problem.switched(t, stepper.interpolate(t), share, 0.01 * tolerance)


def _switching_time(
    excess: Callable[[float], float],
    cheap_excess: Callable[[float], float],
    span: tuple[float, float],
    tolerance: float,
) -> float:
    """The time in `span` at which `excess` has risen to 0, within the tolerance.

    `excess` may be expensive, and `cheap_excess` approximates it: each guess is a root of the latter, shifted
    by the difference between the two at the guess before.
    """
    least = 0.0
    for _ in range(MOST_GUESSES):
        if not cheap_excess(span[0]) < least < cheap_excess(span[1]):
            break
        guess = scipy.optimize.brentq(
            lambda t, least=least: cheap_excess(t) - least, *span, xtol=1e-15, rtol=1e-14
        )
        off = excess(guess)
        if abs(off) <= 0.5 * tolerance:
            return float(guess)
        least -= off
    return float(scipy.optimize.brentq(excess, *span, xtol=1e-15, rtol=1e-14, disp=False))


def kink_tolerance(settings: Settings) -> float:
    """How far beyond a kink a node may be when its mode is changed: far below the solver's errors."""
    return max(settings.atol, 1e-3 * settings.rtol)


def kink_share(step: Any, tau: Any, xp: Any = np) -> Any:
    """The argument `share` of `pcode.system.kinks.excess`, shape (n+1,), for the end of a step."""
    return xp.minimum(1.0, step / tau)


def _pace(problem: IVP, settings: Settings) -> Pace:
    duration = problem.duration if problem.settle_tol is None or badly_scaled(problem) else None
    shortest, scaled = min(timescales(problem).values()), badly_scaled(problem)
    return Pace(shortest, duration, settings.max_steps, scaled, problem.start)


def divergence_bound(problem: IVP) -> float:
    """The absolute value above which the unknowns of `problem` count as diverged."""
    return min(LARGEST, DIVERGED * max(1.0, problem.schedule.largest, largest_value(problem)))


def at_rest(problem: IVP, t: float, y: Array) -> bool:
    """Whether `problem` is to end when at rest, and is."""
    tol = problem.settle_tol
    return tol is not None and t >= problem.settles_from and problem.residual(t, y) <= tol


def _time_of_rest(problem: IVP, stepper: Stepper) -> float:
    """Time in the last step at which the residual fell to settle_tol, so as not to depend on the steps."""
    assert problem.settle_tol is not None
    tolerance, before, after = problem.settle_tol, stepper.t_before, stepper.t

    def excess(t: float) -> float:
        return math.log(max(problem.residual(t, stepper.interpolate(t)), 1e-300) / tolerance)

    if excess(before) <= 0.0 or excess(after) > 0.0:  # by a rounding error of the interpolant
        return after
    t: float = scipy.optimize.brentq(excess, before, after, xtol=1e-12 * after, rtol=1e-6)
    return t


def refuse_above(name: str, layout: Layout, largest: int, why: str) -> None:
    """Raise InputError if there are more than `largest` unknowns."""
    if layout.size > largest:
        what = f"{name} {why}: too much for {layout.size:,} unknowns (at most {largest:,}); use cvode"
        raise InputError("method", what)


def coupled(problem: IVP, name: str) -> Problem:
    """`problem`, if it is the coupled system with its Jacobian; otherwise raise InputError."""
    refuse_without_nodes(name, problem.layout)
    assert has_nodes(problem)
    return problem


def refuse_without_nodes(name: str, layout: Layout) -> None:
    """Raise InputError if only the weights are unknowns, as with tau = 0."""
    if layout.size and not layout.nodes:
        what = f"{name} works on the coupled equations, and with tau = 0 the weights alone are left"
        raise InputError("method", f"{what}; use auto, DOP853 or RK45")

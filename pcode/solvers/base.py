"""What a solver is, and the loop shared by those that advance one step at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import scipy

from ..errors import InputError
from ..network import Array
from ..problem import Problem
from ..singular import SlowProblem
from ..state import Layout
from ..status import SolverStats, Status
from ..steps import StepLog, Steps
from .causes import clocks, hopeless
from .floor import Floor
from .progress import Pace
from .settings import IVP, Settings

__all__ = [
    "IVP", "Save", "Settings", "Solution", "Solver", "Stepper", "Watch", "coupled", "march", "refuse_above",
    "refuse_without_nodes",
]  # fmt: skip

# A value that has grown by this factor over the largest one at the start has diverged.
DIVERGED = 1e8

# The energy of larger values than this, and what a Newton iteration multiplies, may be beyond all numbers.
LARGEST = 1e100

Save = Callable[[int, float, Array], None]
Watch = Callable[[float, float, Array], bool]


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

    def solve(self, problem: IVP, times: Array, settings: Settings, save: Save, watch: Watch) -> Solution:
        """Integrate `problem` from its start to its end, or until it is at rest.

        Parameters
        ----------
        problem : Problem or SlowProblem
        times : ndarray, shape (T,)
            Rising times in (0, problem.duration] at which to save.
        settings : Settings
        save : callable
            ``save(k, t, y)`` is called in turn for every ``t = times[k]`` that is reached; `y`,
            shape (N,), is only lent.
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

        It may be several steps, as long as only the last one reaches `until` or comes to rest.
        """

    def ends(self) -> Sequence[float]:
        """The ends of the steps that the last `advance` kept; the last of them is `t`."""

    def interpolate(self, t: float) -> Array:
        """The unknowns, shape (N,), at a time within the last step."""

    def stats(self) -> SolverStats:
        """Steps and evaluations so far."""


def march(
    stepper: Stepper, problem: IVP, times: Array, settings: Settings, save: Save, watch: Watch
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
            status = stepper.advance(times[saved] if saved < times.size else problem.duration)
        if status is not None:
            break
        for end in stepper.ends():
            log.add(end, end - t, stepper.order)
            t = end
        t, y = stepper.t, stepper.y
        unrest = math.inf if problem.settle_tol is None else problem.unrest(t, y)
        if not np.abs(y).max(initial=0.0) < bound:
            status = Status.DIVERGED
        elif problem.settle_tol is not None and unrest <= problem.settle_tol:
            t = _time_of_rest(problem, stepper)
            y = stepper.interpolate(t)
            status = Status.EQUILIBRIUM
        elif problem.settle_tol is not None and (found := floor.look(stepper.steps, t, y, unrest)):
            y, detail = found.y, found.message
            status = Status.EQUILIBRIUM if found.settled else Status.NOT_SETTLED
        else:
            status = pace.look(stepper.steps, t, stepper.t_before)
        while saved < times.size and times[saved] <= t:
            save(saved, times[saved], stepper.interpolate(times[saved]))
            saved += 1
    if status is None and (found := floor.at_end(t, y)):
        y, detail = found.y, found.message
        status = Status.EQUILIBRIUM if found.settled else Status.NOT_SETTLED
    elif status is Status.MAX_STEPS and stepper.steps < settings.max_steps:
        detail = pace.message
    return Solution(status or Status.SUCCESS, t, y, stepper.stats(), detail=detail, steps=log.steps)


def _pace(problem: IVP, settings: Settings) -> Pace:
    duration = problem.duration if problem.settle_tol is None or hopeless(problem) else None
    return Pace(min(clocks(problem).values()), duration, settings.max_steps, hopeless(problem))


def divergence_bound(problem: IVP) -> float:
    """The size beyond which the unknowns of `problem` have diverged."""
    given = (problem.y0, *map(np.asarray, problem.parameters.clamp))
    return min(LARGEST, DIVERGED * max(1.0, *(float(np.nanmax(np.abs(a), initial=0.0)) for a in given)))


def at_rest(problem: IVP, t: float, y: Array) -> bool:
    """Whether `problem` is to end when at rest, and is."""
    return problem.settle_tol is not None and problem.unrest(t, y) <= problem.settle_tol


def _time_of_rest(problem: IVP, stepper: Stepper) -> float:
    """When, in the last step, the unrest fell to settle_tol: so that it does not hang on the steps."""
    assert problem.settle_tol is not None
    tolerance, before, after = problem.settle_tol, stepper.t_before, stepper.t

    def excess(t: float) -> float:
        return math.log(max(problem.unrest(t, stepper.interpolate(t)), 1e-300) / tolerance)

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
    if isinstance(problem, SlowProblem):
        refuse_without_nodes(name, problem.layout)
    assert isinstance(problem, Problem)
    return problem


def refuse_without_nodes(name: str, layout: Layout) -> None:
    """Raise InputError where the nodes are no unknowns, but the weights are: tau = 0."""
    if layout.size and not layout.nodes:
        what = f"{name} works on the coupled equations, and with tau = 0 the weights alone are left"
        raise InputError("method", f"{what}; use auto, DOP853 or RK45")

"""Integration in the singular limit, where the nodes follow the weights and may lose their equilibrium."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from ..system.limit import NEUTRAL, LostEquilibrium, SlowProblem, instability
from .base import IVP, OnSave, OnStep, Settings, Solution, Stepper, integrate, next_stop
from .settings import has_slaved_nodes

# Bisections of the last step to locate where a stable equilibrium was lost, to 1e-6 of the step.
HALVINGS = 20

# Smallest step along moving clamps, relative to the duration.
SMALLEST = 1e-12


class _Following:
    """A `Stepper` of the weights that checks after each step whether the nodes' equilibrium is stable."""

    def __init__(self, stepper: Stepper, problem: SlowProblem) -> None:
        self._stepper, self._problem = stepper, problem
        self.t_before, self.t, self.y, self.steps = stepper.t_before, stepper.t, stepper.y, stepper.steps
        self.order = stepper.order
        self.lost: LostEquilibrium | None = None

    def restart(self, problem: IVP) -> None:
        assert has_slaved_nodes(problem)
        self._problem = problem
        self._stepper.restart(problem)
        self.t_before, self.t, self.y = self._stepper.t_before, self._stepper.t, self._stepper.y

    def advance(self, until: float) -> Status | None:
        if self.lost is not None:
            return Status.NONLINEAR_FAILURE
        status = self._stepper.advance(until)
        if status is not None:
            if not self._problem.lost_branch:
                return status
            self.lost = LostEquilibrium(self.t, _FOLD)
            return Status.NONLINEAR_FAILURE
        stepper = self._stepper
        self.t_before, self.t, self.y, self.steps = stepper.t_before, stepper.t, stepper.y, stepper.steps
        self.order = stepper.order
        if not self._problem.still:
            self._check()
        return None

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

    def interpolate(self, t: float) -> Array:
        return self.y if t == self.t else self._stepper.interpolate(t)

    def draw(self, t: float) -> Array:
        return self.interpolate(t)

    def stats(self) -> SolverStats:
        return self._stepper.stats()

    def _check(self) -> None:
        """Cut the step where the nodes' equilibrium ceased to be stable, if it did."""
        problem = self._problem
        suspects = problem.suspects(self.t, self.y)
        found = problem.abscissa(self.t, self.y, suspects)
        if found.rate <= NEUTRAL:
            problem.keep(self.t, self.y)
            return
        stable, lost = self.t_before, self.t
        for _ in range(HALVINGS):
            middle = 0.5 * (stable + lost)
            tried = problem.abscissa(middle, self.interpolate(middle), suspects)
            if tried.rate > NEUTRAL:
                lost, found = middle, tried
            else:
                stable = middle
        self.y = self._stepper.interpolate(stable)
        self.t = stable
        problem.keep(self.t, self.y)
        how = f"the equilibrium of the nodes lost stability {instability(found)}"
        self.lost = LostEquilibrium(stable, f"{how}; {_UNSTABLE}")


_FOLD = (
    "the equilibrium that the nodes were at came to an end (a fold: Newton's method finds none near, "
    "however short the step); the weights of the limit tau = 0 cannot go on from here, those of a "
    "network with tau > 0 would after a jump of the nodes"
)

_UNSTABLE = "nodes with tau > 0 would leave it here, and the limit tau = 0 says nothing of what then comes"


class _Resting:
    """The `Stepper` of a problem without unknowns: only nodes at rest, or slaved errors, follow clamps."""

    def __init__(self, problem: IVP) -> None:
        self.steps = 0
        self.order: int | None = None
        self.restart(problem)

    def restart(self, problem: IVP) -> None:
        self._problem = problem
        self.t_before = self.t = problem.start
        self.y = problem.y0

    def advance(self, until: float) -> Status | None:
        problem = self._problem
        still = has_slaved_nodes(problem) and problem.still
        until = problem.duration if still else min(until, next_stop(problem, self.t))
        step = until - self.t
        while has_slaved_nodes(problem) and not problem.reaches(self.t + step, self.y):
            step /= 2.0
            if step < SMALLEST * problem.duration:
                problem.lost_branch = True
                return Status.STEP_TOO_SMALL
        self.t_before, self.t = self.t, until if self.t + step >= until else self.t + step
        self.steps += 1
        return None

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

    def interpolate(self, t: float) -> Array:
        return self.y

    def draw(self, t: float) -> Array:
        return self.interpolate(t)

    def stats(self) -> SolverStats:
        return SolverStats(steps=self.steps, rejected=None, rhs_evaluations=None, jacobian_evaluations=None)


@dataclass(frozen=True)
class RestingSolver:
    """The solver where there are no unknowns: weights held, and nodes at rest (tau = 0) or all clamped."""

    name: str = "newton"
    implicit: bool = True

    def check(self, layout: Layout) -> None:
        """Suitable for any number of nodes."""

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        began, why = (
            time.perf_counter(),
            "values are clamped, errors slaved and weights held: nothing moves by itself",
        )
        if has_slaved_nodes(problem):
            why = "tau = 0 and the weights are held: the nodes are at rest at once"
            with problem.spent.paused():
                problem.reaches(problem.start, problem.y0)
        compiled = time.perf_counter()
        solution = integrate_slowly(_Resting(problem), problem, times, settings, save, watch)
        return replace(solution.timed(compiled - began, compiled), method=self.name, reason=why)


def integrate_slowly(
    stepper: Stepper, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep
) -> Solution:
    """`integrate`; in the singular limit the nodes' stability is checked after every step."""
    if not has_slaved_nodes(problem):
        return integrate(stepper, problem, times, settings, save, watch)
    following = _Following(stepper, problem)
    solution = integrate(following, problem, times, settings, save, watch)
    return solution if following.lost is None else replace(solution, detail=following.lost.message)

"""The choice of a method by the structure of the problem and its timescales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..model.network import Array
from ..model.state import Layout
from ..system.problem import Problem
from .base import IVP, OnSave, OnStep, Settings, Solution, Solver
from .settings import has_nodes

# Fewer steps than this are done before a method that is compiled as a whole has been.
FEW_STEPS = 150

# An implicit method takes several hundred steps to follow the nodes down to the slow manifold; so many of an
# explicit one are less work. For up to SMALL unknowns the time goes into calls rather than arithmetic, and of
# those a step of an implicit method needs more.
MANY_STEPS, MANY_SMALL_STEPS, SMALL = 600, 1500, 3_000

# Length of step, times the largest rate, at which the methods are stable: a little within the ends of their
# stability regions on the real axis, 6.39 and 3.51 (Hairer and Wanner 1996, IV.2).
STABLE_STEP = {"DOP853": 6.0, "Tsit5": 3.3}

# After this many of its slowest rates' times a network that settles has settled to 1e-6.
SETTLING = 14.0


@dataclass(frozen=True)
class AutoSolver:
    """Takes an explicit method for short and easy problems, an implicit one for all others.

    The number of steps that an explicit method needs is the length of the problem times its
    fastest rate, over the length of a stable step.

    Attributes
    ----------
    solvers : mapping of str to Solver
        Those of `explicit` and cvode, by name.
    """

    solvers: Mapping[str, Solver]
    name: str = "auto"
    implicit: bool = True

    def check(self, layout: Layout) -> None:
        """Suitable for any number of unknowns."""

    def choose(self, problem: IVP) -> tuple[Solver, str]:
        """The solver for `problem`, and why."""
        if not has_nodes(problem):
            return self.solvers["DOP853"], "tau = 0: only the weights move, and they are not stiff"
        with np.errstate(all="ignore"):
            fastest = fastest_rate(problem)
        if not np.isfinite(fastest):
            return self.solvers["cvode"], "rates at the start are too large to be computed"
        length, how = problem.duration, "lasts"
        if problem.settle_tol is not None and not problem.layout.learn:
            # The nodes' errors are damped by nu / 2, or more slowly where they do not ring.
            damping = float(np.min(problem.constants.nu)) / float(problem.constants.tau)
            settled = SETTLING / min(damping / 2.0, fastest)
            if problem.schedule.constant_from + settled < length:
                length, how = problem.schedule.constant_from + settled, "should settle in"
        name, steps = explicit(length * fastest, problem.layout.size, problem.schedule.stops.size)
        told = f"{how} {length:.3g}, rates up to {fastest:.3g}: {steps:.2g} explicit steps are"
        if name is None:
            return self.solvers["cvode"], f"{told} more work than an implicit method"
        return self.solvers[name], f"{told} less work than an implicit method"

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        solver, reason = self.choose(problem)
        solution = solver.solve(problem, times, settings, save, watch)
        return replace(solution, method=solver.name, reason=reason)


def explicit(length: float, size: int, stops: int = 0) -> tuple[str | None, float]:
    """The explicit method for a problem of `size` unknowns, and how many steps it would take.

    Where clamps make any method stop more often than that, the cheapest step is the best.

    Parameters
    ----------
    length : float
        Of the problem, in units of its fastest rate.
    size : int
    stops : int
        Times that no step may go over.

    Returns
    -------
    tuple of str or None, and float
        None where any explicit method is more work than an implicit one.
    """
    steps = length / STABLE_STEP["DOP853"]
    if max(steps, stops) <= FEW_STEPS:
        return "DOP853", steps
    steps = length / STABLE_STEP["Tsit5"]
    most = stops + (MANY_SMALL_STEPS if size <= SMALL else MANY_STEPS)
    return ("Tsit5" if steps <= most else None), steps


def fastest_rate(problem: Problem, iterations: int = 20) -> float:
    """Size of the largest eigenvalue of the Jacobian at the start, by power iteration."""
    v = np.random.default_rng(0).standard_normal(problem.y0.size)
    sizes = []
    for _ in range(iterations):
        v = problem.jacobian_action(0.0, problem.y0, v / (np.linalg.norm(v) or 1.0))
        sizes.append(float(np.linalg.norm(v)))
    # The size goes up and down where the largest eigenvalues are a complex pair.
    return float(np.exp(np.mean(np.log(np.maximum(sizes[iterations // 2 :], 1e-300)))))

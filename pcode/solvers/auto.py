"""Automatic choice of a method, by the size of the problem and its timescales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..model.network import Array
from ..model.state import Layout
from ..system.problem import Problem
from .base import IVP, OnSave, OnStep, Settings, Solution, Solver
from .settings import has_nodes

# For so few steps SciPy's method of high order is preferred to diffrax's, which is to be compiled.
FEW_STEPS = 150

# An implicit method takes several hundred steps to follow the nodes to the slow manifold; up to this many
# steps of an explicit one are less work. With at most SMALL unknowns the time is spent in function calls
# rather than arithmetic, and an implicit step needs more calls.
MANY_STEPS, MANY_SMALL_STEPS, SMALL = 600, 1500, 3_000

# From this many problems on, a loop of compiled code takes less time, compilation included.
MANY_PROBLEMS = 20

# Step times largest rate at which the methods are stable: slightly below the ends of their stability
# intervals on the real axis, 6.39 and 3.51 (Hairer and Wanner 1996, IV.2).
STABLE_STEP = {"DOP853": 6.0, "Tsit5": 3.3}

# Number of time constants of the slowest mode after which a network has settled to 1e-6.
SETTLING = 14.0


@dataclass(frozen=True)
class AutoSolver:
    """Chooses cvode, which needs no compiler, or a loop of compiled code for many short problems.

    cvode's first steps are those of Adams methods, which are no more work than those of explicit methods. So
    a phase takes it no longer than these, even where theirs are few. The choice depends on the problem alone,
    and so never on what was compiled before.

    Attributes
    ----------
    solvers : mapping of str to Solver
        The methods to choose from, by name: those of `explicit`, and cvode.
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
        return self.solvers[
            "cvode"
        ], "its steps are explicit at first, implicit where stiff, and not compiled"

    def choose_for_many(self, problem: IVP, count: int) -> tuple[Solver, str]:
        """The solver for `count` problems such as this one, and why.

        Where few explicit steps will do Tsit5, which takes many problems in one loop of compiled code, unless
        there are so few that compiling takes longer.
        """
        if count < MANY_PROBLEMS or not has_nodes(problem):
            return self.choose(problem)
        few, estimate = few_explicit_steps(problem)
        if not few:
            return self.choose(problem)[0], f"each {estimate}"
        return self.solvers["Tsit5"], f"each {estimate}, and {count} presentations go in one loop"

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        solver, reason = self.choose(problem)
        solution = solver.solve(problem, times, settings, save, watch)
        return replace(solution, method=solver.name, reason=reason)


def few_explicit_steps(problem: Problem) -> tuple[bool, str]:
    """Whether few steps of an explicit method cover `problem`, and how many, in words.

    Their number is estimated as duration times fastest rate, divided by `STABLE_STEP`.
    """
    with np.errstate(all="ignore"):
        fastest = fastest_rate(problem)
    if not np.isfinite(fastest):
        return False, "begins with rates that are too large to be computed"
    length, how = problem.duration, "lasts"
    if problem.settle_tol is not None and not problem.layout.learn:
        # The nodes are damped at the rate nu / (2 tau), or more slowly if they do not oscillate.
        c = problem.constants
        damping = float(np.min(c.nu)) / float(max(c.longest_tau, np.max(c.tau_eps)))
        settled = SETTLING / min(damping / 2.0, fastest)
        if problem.schedule.constant_from + settled < length:
            length, how = problem.schedule.constant_from + settled, "should settle in"
    name, steps = explicit(length * fastest, problem.layout.size, problem.schedule.stops.size)
    estimate = f"{how} {length:.3g}, rates up to {fastest:.3g}: {steps:.2g} explicit steps are"
    return name is not None, f"{estimate} {'more work than an implicit method' if name is None else 'few'}"


def explicit(length: float, size: int, stops: int = 0) -> tuple[str | None, float]:
    """The explicit method for a problem of `size` unknowns, and the number of its steps.

    If there are more stops than steps, every method takes about that many, and cheap steps are best.

    Parameters
    ----------
    length : float
        Duration of the problem times its fastest rate.
    size : int
    stops : int
        Number of times that no step may cross.

    Returns
    -------
    tuple of str or None, and float
        None if any explicit method is more work than an implicit one.
    """
    steps = length / STABLE_STEP["DOP853"]
    if max(steps, stops) <= FEW_STEPS:
        return "DOP853", steps
    steps = length / STABLE_STEP["Tsit5"]
    most = stops + (MANY_SMALL_STEPS if size <= SMALL else MANY_STEPS)
    return ("Tsit5" if steps <= most else None), steps


def fastest_rate(problem: Problem, iterations: int = 20) -> float:
    """Largest absolute value of an eigenvalue of the Jacobian at the start, by power iteration."""
    v, sizes = np.random.default_rng(0).standard_normal(problem.y0.size), []
    for _ in range(iterations):
        size = float(np.linalg.norm(v))
        v = problem.jacobian_action(0.0, problem.y0, v / (size or 1.0))
        sizes.append(float(np.linalg.norm(v)))
    # A mean, because the norms oscillate if the largest eigenvalues are a complex pair.
    return float(np.exp(np.mean(np.log(np.maximum(sizes[iterations // 2 :], 1e-300)))))

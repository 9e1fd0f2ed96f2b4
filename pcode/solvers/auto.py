"""The choice of a method by the structure of the problem and its timescales."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..network import Array
from ..problem import Problem
from ..singular import SlowProblem
from ..state import Layout
from .base import IVP, Save, Settings, Solution, Solver, Watch

# Where an explicit method needs fewer steps than this it beats an implicit one, which takes several
# hundred to follow the nodes down to the slow manifold.
FEW_STEPS = 150

# Length of step, times the largest rate, at which DOP853 is still stable (Hairer et al. 1993, IV.2).
STABLE = 6.0

# After this many of its slowest rates' times a network that settles has settled to 1e-6.
SETTLING = 14.0


@dataclass(frozen=True)
class AutoSolver:
    """Takes `explicit` for short and easy problems, `implicit` for all others.

    The number of steps that an explicit method needs is the length of the problem times its
    fastest rate, over the length of a stable step.
    """

    implicit_solver: Solver
    explicit_solver: Solver
    name: str = "auto"
    implicit: bool = True

    def check(self, layout: Layout) -> None:
        """Suitable for any number of unknowns."""

    def choose(self, problem: IVP) -> tuple[Solver, str]:
        """The solver for `problem`, and why."""
        if isinstance(problem, SlowProblem):
            return self.explicit_solver, "tau = 0: only the weights move, and they are not stiff"
        fastest = fastest_rate(problem)
        length, how = problem.duration, "lasts"
        if problem.settle_tol is not None and not problem.layout.learn:
            # The nodes' errors are damped by nu / 2, or more slowly where they do not ring.
            damping = float(np.min(problem.parameters.nu)) / float(problem.parameters.tau)
            settled = SETTLING / min(damping / 2.0, fastest)
            if settled < length:
                length, how = settled, "should settle in"
        steps = length * fastest / STABLE
        told = f"{how} {length:.3g}, rates up to {fastest:.3g}: {steps:.2g} steps of an explicit method"
        if steps <= FEW_STEPS:
            return self.explicit_solver, f"{told} are less work than an implicit one"
        return self.implicit_solver, f"{told} are more work than an implicit one"

    def solve(self, problem: IVP, times: Array, settings: Settings, save: Save, watch: Watch) -> Solution:
        """See `Solver.solve`."""
        solver, reason = self.choose(problem)
        solution = solver.solve(problem, times, settings, save, watch)
        return replace(solution, method=solver.name, reason=reason)


def fastest_rate(problem: Problem, iterations: int = 20) -> float:
    """Size of the largest eigenvalue of the Jacobian at the start, by power iteration."""
    v = np.random.default_rng(0).standard_normal(problem.y0.size)
    sizes = []
    for _ in range(iterations):
        v = problem.jacobian_action(0.0, problem.y0, v / (np.linalg.norm(v) or 1.0))
        sizes.append(float(np.linalg.norm(v)))
    # The size goes up and down where the largest eigenvalues are a complex pair.
    return float(np.exp(np.mean(np.log(np.maximum(sizes[iterations // 2 :], 1e-300)))))

"""SciPy's methods: BDF, Radau, LSODA, RK45, DOP853."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import scipy.integrate

from ..network import Array
from ..problem import Problem
from ..state import Layout
from ..status import SolverStats, Status
from .base import Save, Settings, Solution, Watch, march, refuse_above

# A dense Jacobian of 10,000 unknowns takes 0.8 GB; its factors, complex in Radau, take three times that.
LARGEST_DENSE = 10_000


class _Stepper:
    """One of SciPy's `OdeSolver` objects, as a `Stepper`."""

    def __init__(self, solver: Any) -> None:
        self._solver = solver
        self._interpolant: Any = None
        self.t_before = self.t = 0.0
        self.y: Array = solver.y
        self.steps = 0

    def advance(self, until: float) -> Status | None:
        self._interpolant = None
        try:
            # LSODA reports its failures as warnings, and again in its status.
            with warnings.catch_warnings(action="ignore", category=UserWarning):
                self._solver.step()
        except (ValueError, ZeroDivisionError, OverflowError):
            # The linear algebra refuses what is not finite.
            return Status.DIVERGED
        if self._solver.status == "failed":
            return Status.STEP_TOO_SMALL
        self.t_before, self.t, self.y = self.t, float(self._solver.t), self._solver.y
        self.steps += 1
        return None

    def interpolate(self, t: float) -> Array:
        if t == self.t:
            return self.y
        if self._interpolant is None:
            self._interpolant = self._solver.dense_output()
        y: Array = self._interpolant(t)
        return y

    def stats(self) -> SolverStats:
        return SolverStats(
            steps=self.steps,
            rejected=None,
            rhs_evaluations=int(self._solver.nfev),
            jacobian_evaluations=int(self._solver.njev),
        )


@dataclass(frozen=True)
class SciPySolver:
    """A method of `scipy.integrate`; the implicit ones get the exact dense Jacobian."""

    name: str
    implicit: bool

    def check(self, layout: Layout) -> None:
        """Refuse implicit methods where the dense Jacobian would not fit."""
        if self.implicit:
            refuse_above(self.name, layout, LARGEST_DENSE, "factors a dense Jacobian")

    def solve(self, problem: Problem, times: Array, settings: Settings, save: Save, watch: Watch) -> Solution:
        """See `Solver.solve`."""
        options: dict[str, Any] = {"rtol": settings.rtol, "atol": settings.atol}
        began = time.perf_counter()
        problem.rhs(0.0, problem.y0)
        if self.implicit:
            options["jac"] = problem.jacobian
            problem.jacobian(0.0, problem.y0)
        compiled = time.perf_counter()
        method = getattr(scipy.integrate, self.name)
        stepper = _Stepper(method(problem.rhs, 0.0, problem.y0, problem.duration, **options))
        return march(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

"""SUNDIALS' CVODE: BDF of variable order and step, matrix-free Newton-GMRES."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sksundae.cvode import CVODE, CVODEJacTimes

from ..network import Array
from ..problem import Problem
from ..state import Layout
from ..status import SolverStats, Status
from .base import Save, Settings, Solution, Watch, march

# CVODE's own default of 5 Krylov vectors fails on stiff weight-node systems.
KRYLOV_DIM = 30

_FAILURES = {
    -2: Status.STEP_TOO_SMALL,
    -3: Status.STEP_TOO_SMALL,
    -4: Status.NONLINEAR_FAILURE,
    -6: Status.NONLINEAR_FAILURE,
    -7: Status.NONLINEAR_FAILURE,
    -10: Status.DIVERGED,
    -11: Status.DIVERGED,
    -16: Status.NONLINEAR_FAILURE,
}


class _Stepper:
    """CVODE in one-step mode, as a `Stepper`."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.t_before = self.t = 0.0
        self.y = problem.y0
        self.steps = 0
        self._end = problem.duration
        self._evaluations = {"rhs": 0, "jacobian": 0}

        def rhs(t: float, y: Array, dy: Array) -> None:
            self._evaluations["rhs"] += 1
            dy[:] = problem.rhs(t, y)

        def jacobian_action(t: float, y: Array, dy: Array, v: Array, out: Array) -> None:
            self._evaluations["jacobian"] += 1
            out[:] = problem.jacobian_action(t, y, v)

        self._cvode = CVODE(
            rhs,
            method="BDF",
            rtol=settings.rtol,
            atol=settings.atol,
            linsolver="gmres",
            krylov_dim=min(KRYLOV_DIM, problem.y0.size),
            jactimes=CVODEJacTimes(None, jacobian_action),
        )
        self._cvode.init_step(0.0, problem.y0)

    def advance(self, until: float) -> Status | None:
        result: Any = self._cvode.step(self._end, "onestep", self._end)
        if result.status < 0:
            return _FAILURES.get(result.status, Status.NONLINEAR_FAILURE)
        self.t_before, self.t, self.y = self.t, float(result.t), result.y
        self.steps += 1
        return None

    def interpolate(self, t: float) -> Array:
        if t == self.t:
            return self.y
        # Asked for a time it has passed, CVODE evaluates the last step's polynomial.
        y: Array = self._cvode.step(t, "normal").y
        return y

    def stats(self) -> SolverStats:
        return SolverStats(
            steps=self.steps,
            rhs_evaluations=self._evaluations["rhs"],
            jacobian_evaluations=self._evaluations["jacobian"],
        )


@dataclass(frozen=True)
class CVODESolver:
    """CVODE's BDF with matrix-free GMRES on the exact Jacobian action (Hindmarsh et al. 2005)."""

    name: str = "cvode"
    implicit: bool = True

    def check(self, layout: Layout) -> None:
        """Suitable for any number of unknowns."""

    def solve(self, problem: Problem, times: Array, settings: Settings, save: Save, watch: Watch) -> Solution:
        """See `Solver.solve`."""
        began = time.perf_counter()
        problem.rhs(0.0, problem.y0)
        problem.jacobian_action(0.0, problem.y0, problem.y0)
        compiled = time.perf_counter()
        stepper = _Stepper(problem, settings)
        return march(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

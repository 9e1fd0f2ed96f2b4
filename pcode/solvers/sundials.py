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


class _OrderTrial:
    """Decides between BDF of order up to 5 and up to 2, by trying.

    Nodes whose errors are little damped ring: their eigenvalues lie near the imaginary axis,
    where BDF of order 3 to 5 is unstable for long steps (Hairer and Wanner 1996, section V.1). It
    then creeps with short steps along a smooth solution, long after the ringing is over. Order 2
    is stable there, but less accurate. So where steps have not grown for a while, the other order
    has a trial, and stays if its steps are longer; fruitless trials become ever rarer.
    """

    PATIENCE, TRIAL = 100, 100  # steps

    def __init__(self) -> None:
        self.order = 5
        self._patience, self._count = self.PATIENCE, 0
        self._step = 0.0  # when the count began
        self._on_trial = False

    def switch(self, step: float) -> bool:
        """Take note of a step; True if `order` has changed with it."""
        self._count += 1
        if self._count < (self.TRIAL if self._on_trial else self._patience):
            return False
        won, grown, was_trial = step > 1.5 * self._step, step > 2.0 * self._step, self._on_trial
        self._count, self._step = 0, step
        if was_trial:
            self._patience = self.PATIENCE if won else 2 * self._patience
            self._on_trial, change = False, not won
        else:
            self._on_trial = change = not grown
        if change:
            self.order = 7 - self.order
        return change


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

        self._rhs = rhs
        self._options = {
            "method": "BDF",
            "rtol": settings.rtol,
            "atol": settings.atol,
            "linsolver": "gmres",
            "krylov_dim": min(KRYLOV_DIM, problem.y0.size),
            "jactimes": CVODEJacTimes(None, jacobian_action),
        }
        self._orders = _OrderTrial()
        self._begin()

    def _begin(self) -> None:
        self._cvode = CVODE(self._rhs, max_order=self._orders.order, **self._options)
        self._cvode.init_step(self.t, self.y)

    def advance(self, until: float) -> Status | None:
        if self._orders.switch(self.t - self.t_before):
            self._begin()
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

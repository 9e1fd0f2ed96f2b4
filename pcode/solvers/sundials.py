"""SUNDIALS' CVODE: BDF of variable order and step, matrix-free Newton-GMRES."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from sksundae.cvode import CVODE, CVODEJacTimes, CVODEPrecond

from ..network import Array
from ..problem import Problem
from ..state import Layout
from ..status import SolverStats, Status
from .base import Save, Settings, Solution, Watch, march

# CVODE's own default of 5 Krylov vectors fails on stiff weight-node systems.
KRYLOV_DIM = 30

# Nodes ring where nu is small beside the weights, with eigenvalues of up to several times more imaginary
# than real part. There order 5, stable only up to 52 degrees from the negative axis, creeps with short
# steps along smooth solutions; order 4, stable up to 73 degrees, hardly ever (Hairer and Wanner 1996, V.2).
MAX_ORDER = 4

# Up to this many unknowns a dense factorisation costs less than the steps it saves.
LARGEST_EXACT = 200

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


class _Preconditioner:
    """The structured solve of (I - gamma J) z = r: all of J but the weight-borne coupling.

    That is small for steps far below delta, and GMRES has it in a few vectors. Without a
    preconditioner GMRES needs many, and the residual it leaves excites nodes that ring, so that
    steps stay short long after the ringing is over.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._point = problem.linearise(0.0, problem.y0)
        self._factors = problem.factor(self._point, 1.0)
        self.solve(0.0, problem.y0, problem.y0, problem.y0, np.empty_like(problem.y0), 1.0, 0.0, 1)

    def setup(self, t: float, y: Array, dy: Array, jok: int, jnew: list[int], gamma: float) -> None:
        jnew[0] = 0 if jok else 1
        if not jok:
            self._point = self._problem.linearise(t, y.copy())  # y is only lent
        self._factors = self._problem.factor(self._point, gamma)

    def solve(
        self, t: float, y: Array, dy: Array, r: Array, z: Array, gamma: float, delta: float, side: int
    ) -> None:
        z[:] = self._problem.solve(self._factors, r)


class _ExactPreconditioner:
    """(I - gamma J)^{-1} whole, by a dense factorisation, for small systems."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._jacobian = problem.jacobian(0.0, problem.y0)
        self._factors: Any = None

    def setup(self, t: float, y: Array, dy: Array, jok: int, jnew: list[int], gamma: float) -> None:
        jnew[0] = 0 if jok else 1
        if not jok:
            self._jacobian = self._problem.jacobian(t, y)
        self._factors = lu_factor(np.eye(y.size) - gamma * self._jacobian, check_finite=False)

    def solve(
        self, t: float, y: Array, dy: Array, r: Array, z: Array, gamma: float, delta: float, side: int
    ) -> None:
        z[:] = lu_solve(self._factors, r, check_finite=False)


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

        small = problem.y0.size <= LARGEST_EXACT
        preconditioner = _ExactPreconditioner(problem) if small else _Preconditioner(problem)
        self._cvode = CVODE(
            rhs,
            method="BDF",
            max_order=MAX_ORDER,
            rtol=settings.rtol,
            atol=settings.atol,
            linsolver="gmres",
            krylov_dim=min(KRYLOV_DIM, problem.y0.size),
            jactimes=CVODEJacTimes(None, jacobian_action),
            precond=CVODEPrecond(preconditioner.setup, preconditioner.solve),
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
            rejected=None,
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
        stepper = _Stepper(problem, settings)
        compiled = time.perf_counter()
        return march(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

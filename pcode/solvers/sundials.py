"""SUNDIALS' CVODE: BDF of variable order and step."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from ..network import Array
from ..problem import Problem
from ..state import Layout
from ..status import SolverStats, Status
from .base import IVP, Save, Settings, Solution, Watch, coupled, march, refuse_without_nodes
from .linear import linear_solver

# Nodes that ring have eigenvalues of up to several times more imaginary than real part. Orders 4 and 5
# are not stable for all steps there (Hairer and Wanner 1996, V.2), and CVODE then may hold a step that is
# at the border for thousands of steps, though the solution is smooth. After this many steps
# none of which was longer it is begun anew, at order 1, which damps the ringing.
PATIENCE = 40

# Length of a step over gamma, for orders 1 to 5: with the fixed leading coefficient of CVODE's BDF it is
# 1 + 1/2 + ... + 1/q, which tells the order, for which there is no other way to ask (Hindmarsh et al. 2005).
_BY_ORDER = tuple(accumulate(1.0 / order for order in range(1, 6)))

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
        from sksundae.cvode import CVODE, CVODEJacTimes, CVODEPrecond  # takes a third of a second

        self.t_before = self.t = 0.0
        self.y = problem.y0
        self.steps = 0
        self.order: int | None = None
        self._no_longer, self._level = 0, 0.0
        self._patience, self._step_before = PATIENCE, 0.0
        self._end = problem.duration
        self._evaluations = 0

        def rhs(t: float, y: Array, dy: Array) -> None:
            self._evaluations += 1
            dy[:] = problem.rhs(t, y)

        self._linear = linear = linear_solver(problem, settings)
        self._cvode = CVODE(
            rhs,
            method="BDF",
            rtol=settings.rtol,
            atol=settings.atol,
            linsolver="gmres",
            krylov_dim=1,
            jactimes=CVODEJacTimes(None, linear.jacobian_action),
            precond=CVODEPrecond(linear.setup, linear.solve),
        )
        self._cvode.init_step(0.0, problem.y0)

    def advance(self, until: float) -> Status | None:
        if self._no_longer >= self._patience:
            self._begin_anew()
        self._linear.gamma = np.nan
        result: Any = self._cvode.step(self._end, "onestep", self._end)
        if result.status >= 0 and result.t == self.t:
            # After an interpolation CVODE first comes back to where it stands.
            result = self._cvode.step(self._end, "onestep", self._end)
        if result.status < 0:
            return _FAILURES.get(result.status, Status.NONLINEAR_FAILURE)
        self.t_before, self.t, self.y = self.t, float(result.t), result.y
        self.steps += 1
        self._look_at_step(self.t - self.t_before)
        self.order = self._order()
        return None

    def _order(self) -> int | None:
        """Order of the last step, from the gamma of its linear systems; see `_BY_ORDER`.

        None where CVODE had none to solve, as the prediction was good enough.
        """
        length = (self.t - self.t_before) / self._linear.gamma
        near = (order for order, known in enumerate(_BY_ORDER, 1) if abs(length / known - 1.0) < 0.02)
        return next(near, None)

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

    def _look_at_step(self, step: float) -> None:
        """Count the steps that are no longer than one before, and not much shorter."""
        if 0.5 * self._level <= step <= (1.0 + 1e-6) * self._level:
            self._no_longer += 1
        else:
            self._level, self._no_longer = step, 0

    def _begin_anew(self) -> None:
        # Where the last time did not lead to longer steps, they may be what the solution needs.
        helped = self._level > 2.0 * self._step_before
        self._patience = PATIENCE if helped else 2 * self._patience
        self._step_before, self._no_longer = self._level, 0
        self._cvode.init_step(self.t, self.y)

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
            rhs_evaluations=self._evaluations,
            jacobian_evaluations=self._linear.linearised,
        )


@dataclass(frozen=True)
class CVODESolver:
    """CVODE's BDF (Hindmarsh et al. 2005), its linear systems solved by `linear`."""

    name: str = "cvode"
    implicit: bool = True

    def check(self, layout: Layout) -> None:
        """Suitable for any number of unknowns, nodes among them."""
        refuse_without_nodes(self.name, layout)

    def solve(self, problem: IVP, times: Array, settings: Settings, save: Save, watch: Watch) -> Solution:
        """See `Solver.solve`."""
        problem = coupled(problem, self.name)
        began = time.perf_counter()
        problem.rhs(0.0, problem.y0)
        stepper = _Stepper(problem, settings)
        compiled = time.perf_counter()
        return march(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

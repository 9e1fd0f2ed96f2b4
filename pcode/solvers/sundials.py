"""SUNDIALS' CVODE, with Adams methods while the problem is not stiff, then BDF."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from ..system.problem import Problem
from .base import IVP, OnSave, OnStep, Settings, Solution, coupled, integrate, next_stop, refuse_without_nodes
from .linear import linear_solver
from .progress import Counted, NoProgressError, silenced

# An integration starts with Adams methods, which need far fewer steps than BDF while the nodes oscillate.
# They are used until stability rather than accuracy limits the step: at order 6, gamma times a rate must be
# below 0.39 (Hairer and Wanner 1996, V.1). It is estimated from the corrections of the nodes
# (`LinearSolver.stiffness`); BDF takes over when the geometric mean of the LATEST estimates is above STIFF.
STIFF = 0.3
LATEST = 15

# Highest orders. Adams methods of order above 6 would be unstable before the test above notices.
MOST = {"Adams": 6, "BDF": 5}

# Orders 4 and 5 of BDF are not A-stable, so not stable for all steps if nodes oscillate (Hairer and Wanner
# 1996, V.2). CVODE may then keep to a step at the border of stability for thousands of steps, though the
# solution is smooth. After this many steps without a longer one it is restarted at order 1, which damps the
# oscillation.
PATIENCE = 40

# gamma divided by the step, for orders 1 to 5 of BDF: 1 / (1 + 1/2 + ... + 1/q) with CVODE's fixed leading
# coefficient (Hindmarsh et al. 2005).
BDF_GAMMAS = 1.0 / np.cumsum(1.0 / np.arange(1, MOST["BDF"] + 1))

# Nodes, as parts of a step counted back from its end, and weights of Gauss quadrature over the step.
_AT, _WEIGHTS = np.polynomial.legendre.leggauss(MOST["Adams"] // 2)
_AT, _WEIGHTS = 0.5 - 0.5 * _AT[:, None], 0.5 * _WEIGHTS

_FAILURES = {
    -2: Status.STEP_TOO_SMALL,
    -3: Status.STEP_TOO_SMALL,
    -4: Status.NONLINEAR_FAILURE,
    -6: Status.NONLINEAR_FAILURE,
    -7: Status.NONLINEAR_FAILURE,
    -10: Status.DIVERGED,
    -11: Status.DIVERGED,
    -16: Status.NONLINEAR_FAILURE,
    -27: Status.STEP_TOO_SMALL,
}


def adams_gammas(t: float, past: Array) -> Array:
    """Gamma divided by the step, for Adams methods of orders 1 to K and a step that ends at `t`, shape (K,).

    For order q it is the mean over the step of the polynomial that is 1 at its end and 0 at the q - 1 times
    before (Hairer, Norsett and Wanner 1993, III.5).

    Parameters
    ----------
    t : float
    past : array, shape (K,)
        Minus infinity, the start of the step, and earlier starts; minus infinity where there are none.
    """
    means: Array = _WEIGHTS @ (1.0 - _AT * ((t - past[1]) / (t - past))).cumprod(axis=1)
    return means


# SUNDIALS reads these names when it begins, and else logs to the terminal, with the path of its source. Set
# for good: other threads begin at other times.
for _kind in ("WARNING", "ERROR"):
    os.environ.setdefault(f"SUNLOGGER_{_kind}_FILENAME", os.devnull)


class _Stepper:
    """CVODE in one-step mode, as a `Stepper`."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.t_before = self.t = problem.start
        self.y = problem.y0
        self.steps = 0
        self.order: int | None = None
        self._problem, self._settings = problem, settings
        self._linear = linear_solver(problem, settings)
        self._counted = Counted()
        self._evaluations = 0
        self._not_growing, self._reference_step = 0, 0.0
        self._patience, self._step_before = PATIENCE, 0.0
        self._begin("Adams")

    def _begin(self, family: str) -> None:
        """Start CVODE at the current (t, y), at order 1, with the methods of this `family`."""
        from sksundae.cvode import CVODE, CVODEJacTimes, CVODEPrecond  # takes a third of a second

        problem, settings, linear = self._problem, self._settings, self._linear

        def rhs(t: float, y: Array, dy: Array) -> None:
            self._evaluations += 1
            self._counted.add()
            dy[:] = problem.rhs(t, y)

        self._family = family
        self._cvode = CVODE(
            rhs,
            method=family,
            max_order=MOST[family],
            rtol=settings.rtol,
            atol=settings.atol,
            linsolver="gmres",
            krylov_dim=1,
            jactimes=CVODEJacTimes(None, linear.jacobian_action),
            precond=CVODEPrecond(linear.setup, linear.solve),
        )
        with silenced():
            self._cvode.init_step(self.t, self.y)
        self._past = np.full(MOST[family], -np.inf)  # see `adams_gammas`
        self._past[1] = self.t
        self._stiffness: deque[float] = deque(maxlen=LATEST)
        linear.watches_stiffness = family == "Adams"

    def restart(self, problem: IVP) -> None:
        self._problem = self._linear.problem = coupled(problem, "cvode")
        self.t_before = self.t = problem.start
        self.y = problem.y0
        self._not_growing, self._reference_step = 0, 0.0
        self._patience, self._step_before = PATIENCE, 0.0
        self._begin("Adams")

    def advance(self, until: float) -> Status | None:
        if self._family == "Adams" and self._is_stiff():
            self._begin("BDF")
        elif self._family == "BDF" and self._not_growing >= self._patience:
            self._restart_at_order_1()
        self._linear.gamma = self._linear.stiffness = np.nan
        result = self._step()
        if isinstance(result, Status):
            return result
        self.t_before, self.t, self.y = self.t, float(result.t), result.y
        self.steps += 1
        self.order = self._order()
        self._look_at_step(self.t - self.t_before)
        return None

    def _step(self) -> Any:
        """Take a step: CVODE's result, or the status if it failed."""
        end = next_stop(self._problem, self.t)
        self._counted.begin()
        try:
            with silenced():
                result = self._cvode.step(end, "onestep", end)
                if result.status >= 0 and result.t == self.t:
                    # After an interpolation CVODE first returns to its current time.
                    result = self._cvode.step(end, "onestep", end)
        except NoProgressError:
            return Status.STEP_TOO_SMALL
        except RuntimeError as error:
            if "CVode" not in str(error):
                raise
            return Status.STEP_TOO_SMALL  # the end is too close to the current time
        if result.status < 0:
            return _FAILURES.get(result.status, Status.NONLINEAR_FAILURE)
        return result if result.t > self.t else Status.STEP_TOO_SMALL

    def _is_stiff(self) -> bool:
        """Whether the nodes' latest corrections show that stability limits the steps of Adams methods."""
        return len(self._stiffness) == LATEST and math.prod(self._stiffness) > STIFF**LATEST

    def _order(self) -> int | None:
        """Order of the last step, inferred from the gamma of its linear systems, as CVODE does not report it.

        None if there was no linear system, because the prediction was good enough.
        """
        known = adams_gammas(self.t, self._past) if self._family == "Adams" else BDF_GAMMAS
        share = self._linear.gamma / (self.t - self.t_before)
        near = (np.abs(known - share) < 1e-3 * known).nonzero()[0]
        return int(near[0]) + 1 if near.size else None

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

    def _look_at_step(self, step: float) -> None:
        """Record the end and stiffness of an Adams step; count BDF steps no longer than a reference."""
        if self._family == "Adams":
            self._past[2:] = self._past[1:-1]
            self._past[1] = self.t
            if self._linear.stiffness > 0.0:
                self._stiffness.append(self._linear.stiffness)
        elif 0.5 * self._reference_step <= step <= (1.0 + 1e-6) * self._reference_step:
            self._not_growing += 1
        else:
            self._reference_step, self._not_growing = step, 0

    def _restart_at_order_1(self) -> None:
        # If the last restart did not lead to longer steps, the solution may need short ones: wait longer.
        helped = self._reference_step > 2.0 * self._step_before
        self._patience = PATIENCE if helped else 2 * self._patience
        self._step_before, self._not_growing = self._reference_step, 0
        self._begin("BDF")

    def interpolate(self, t: float) -> Array:
        if t == self.t:
            return self.y
        # For a time that it has passed, CVODE evaluates the last step's interpolant.
        self._counted.begin()
        with silenced():
            y: Array = self._cvode.step(t, "normal").y
        return y

    def draw(self, t: float) -> Array:
        return self.interpolate(t)

    def stats(self) -> SolverStats:
        return SolverStats(
            steps=self.steps,
            rejected=None,
            rhs_evaluations=self._evaluations,
            jacobian_evaluations=self._linear.linearised,
        )


@dataclass(frozen=True)
class CVODESolver:
    """CVODE's Adams methods and BDF (Hindmarsh et al. 2005), with linear systems solved by `linear`."""

    name: str = "cvode"
    implicit: bool = True

    def check(self, layout: Layout) -> None:
        """Suitable for any number of unknowns, but not for tau = 0."""
        refuse_without_nodes(self.name, layout)

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        problem = coupled(problem, self.name)
        began = time.perf_counter()
        with problem.spent.paused():  # not a part of the steps
            problem.rhs(problem.start, problem.y0)
        stepper = _Stepper(problem, settings)
        compiled = time.perf_counter()
        return integrate(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

"""SUNDIALS' CVODE: Adams' methods, then BDF, of variable order and step."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
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

# From its start a solution is followed by Adams' methods, which need far fewer steps than BDF while the nodes
# ring, until stability rather than the solution bounds their steps: at order 6, gamma times a rate is to be
# below 0.39 (Hairer and Wanner 1996, V.1). The rate is that of what there was to be corrected in the nodes
# (`LinearSolver.stiffness`); BDF takes over when the geometric mean of the latest of these is above STIFF.
STIFF = 0.3
LATEST = 15

# Highest orders. Of more than 6, Adams' methods would be unstable before they are found out.
MOST = {"Adams": 6, "BDF": 5}

# Orders 4 and 5 of BDF are not stable for all steps where nodes ring (Hairer and Wanner 1996, V.2), and CVODE
# then may hold a step that is at the border for thousands of steps, though the solution is smooth. After this
# many steps none of which was longer it is begun anew, at order 1, which damps the ringing.
PATIENCE = 40

# gamma over the length of a step, for orders 1 to 5 of BDF: with CVODE's fixed leading coefficient it is
# 1 / (1 + 1/2 + ... + 1/q) (Hindmarsh et al. 2005).
BDF_GAMMAS = 1.0 / np.cumsum(1.0 / np.arange(1, MOST["BDF"] + 1))

# Gauss's quadrature over a step, at parts of it back from its end.
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
    """For orders 1 to K of Adams' methods, gamma over the length of a step that ends at `t`, shape (K,).

    It is the mean over the step of the polynomial that is 1 at its end and 0 at the q - 1 ends before
    (Hairer, Norsett and Wanner 1993, III.5).

    Parameters
    ----------
    t : float
    past : array, shape (K,)
        Minus infinity, the start of the step, and the ends before it, minus infinity where there are none.
    """
    means: Array = _WEIGHTS @ (1.0 - _AT * ((t - past[1]) / (t - past))).cumprod(axis=1)
    return means


@contextmanager
def _unlogged() -> Iterator[None]:
    """Have SUNDIALS, which asks the environment when it begins, log no warnings to the terminal."""
    before = os.environ.get("SUNLOGGER_WARNING_FILENAME")
    os.environ["SUNLOGGER_WARNING_FILENAME"] = before or os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ["SUNLOGGER_WARNING_FILENAME"]


class _Stepper:
    """CVODE in one-step mode, as a `Stepper`."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.t_before = self.t = 0.0
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
        """Begin where it stands, at order 1, with the methods of this `family`."""
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
        with _unlogged():
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
        """What CVODE tells of a step, or why it took none."""
        end = next_stop(self._problem, self.t)
        self._counted.begin()
        try:
            with silenced():
                result = self._cvode.step(end, "onestep", end)
                if result.status >= 0 and result.t == self.t:
                    # After an interpolation CVODE first comes back to where it stands.
                    result = self._cvode.step(end, "onestep", end)
        except NoProgressError:
            return Status.STEP_TOO_SMALL
        except RuntimeError as error:
            if "CVode" not in str(error):
                raise
            return Status.STEP_TOO_SMALL  # it can no longer tell the end from where it stands
        if result.status < 0:
            return _FAILURES.get(result.status, Status.NONLINEAR_FAILURE)
        return result if result.t > self.t else Status.STEP_TOO_SMALL

    def _is_stiff(self) -> bool:
        """Whether the nodes' latest corrections were of rates that Adams' methods have no long steps for."""
        return len(self._stiffness) == LATEST and math.prod(self._stiffness) > STIFF**LATEST

    def _order(self) -> int | None:
        """Order of the last step, from the gamma of its linear systems; there is no other way to ask.

        None where CVODE had none to solve, as the prediction was good enough.
        """
        known = adams_gammas(self.t, self._past) if self._family == "Adams" else BDF_GAMMAS
        share = self._linear.gamma / (self.t - self.t_before)
        near = (np.abs(known - share) < 1e-3 * known).nonzero()[0]
        return int(near[0]) + 1 if near.size else None

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

    def _look_at_step(self, step: float) -> None:
        """Note an Adams step's end and stiffness; count BDF's steps that are no longer than one before."""
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
        # Where the last time did not lead to longer steps, they may be what the solution needs.
        helped = self._reference_step > 2.0 * self._step_before
        self._patience = PATIENCE if helped else 2 * self._patience
        self._step_before, self._not_growing = self._reference_step, 0
        self._begin("BDF")

    def interpolate(self, t: float) -> Array:
        if t == self.t:
            return self.y
        # Asked for a time it has passed, CVODE evaluates the last step's polynomial.
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
    """CVODE's Adams' methods and BDF (Hindmarsh et al. 2005), their linear systems solved by `linear`."""

    name: str = "cvode"
    implicit: bool = True

    def check(self, layout: Layout) -> None:
        """Suitable for any number of unknowns, nodes among them."""
        refuse_without_nodes(self.name, layout)

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        problem = coupled(problem, self.name)
        began = time.perf_counter()
        problem.rhs(0.0, problem.y0)
        stepper = _Stepper(problem, settings)
        compiled = time.perf_counter()
        return integrate(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

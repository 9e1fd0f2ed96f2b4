"""SciPy's methods: BDF, Radau, LSODA, RK45, DOP853."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy

from ..errors import InputError
from ..network import Array
from ..state import Layout
from ..status import SolverStats, Status
from .base import IVP, Save, Settings, Solution, Watch, coupled, next_stop, refuse_above, refuse_without_nodes
from .slow import march_slowly

# These take a sparse Jacobian, and factor it with SuperLU.
TAKE_SPARSE = ("BDF", "Radau")

# From so many unknowns on the sparse Jacobian is faster than the dense one, whose factors and solves cost
# N^3 and N^2: at 800 unknowns three times with BDF, seven times with Radau.
SPARSE_FROM = 200

# Of the method whose object does not tell; that of LSODA varies, and it does not tell either.
ORDERS = {"Radau": 5}

# Entries of the factors: 12 bytes each, and 20 more for the complex ones of Radau, so 2 GB.
LARGEST_FILL = 64_000_000

# A dense Jacobian of 10,000 unknowns takes 0.8 GB, and so do its factors.
LARGEST_DENSE = 10_000


class _Stepper:
    """One of SciPy's `OdeSolver` objects, as a `Stepper`."""

    def __init__(self, make: Callable[[IVP], Any], problem: IVP) -> None:
        self._make = make
        self.steps = 0
        self.order: int | None = None
        self._evaluations = self._jacobians = 0  # of the solvers before this one
        self._begin(problem)

    def _begin(self, problem: IVP) -> None:
        self._problem, self._solver = problem, self._make(problem)
        self._interpolant: Any = None
        self.t_before = self.t = problem.start
        self.y: Array = self._solver.y

    def restart(self, problem: IVP) -> None:
        self._evaluations += int(self._solver.nfev)
        self._jacobians += int(self._solver.njev)
        self._begin(problem)

    def _go_on(self) -> None:
        """From one stop towards the next, with all that the method remembers."""
        end = next_stop(self._problem, self.t)
        self._solver.t_bound, self._solver.status = end, "running"
        if isinstance(self._solver, scipy.integrate.LSODA):
            self._solver._lsoda_solver._integrator.rwork[0] = end  # as its constructor does

    def advance(self, until: float) -> Status | None:
        if self._solver.status == "finished":
            self._go_on()
        self._interpolant = None
        # That of BDF is, after a step, of the one to come.
        order = getattr(self._solver, "order", ORDERS.get(type(self._solver).__name__))
        try:
            # LSODA reports its failures as warnings, and again in its status.
            # BDF's first step subtracts memory not yet set, which may hold anything; it makes no use of that.
            with (
                warnings.catch_warnings(action="ignore", category=UserWarning),
                np.errstate(invalid="ignore"),
            ):
                self._solver.step()
        except (ValueError, ZeroDivisionError, OverflowError):
            # The linear algebra refuses what is not finite.
            return Status.DIVERGED
        except RuntimeError as error:
            if "singular" not in str(error):
                raise
            return Status.NONLINEAR_FAILURE  # SuperLU met such a matrix
        if self._solver.status == "failed":
            return Status.STEP_TOO_SMALL
        self.t_before, self.t, self.y = self.t, float(self._solver.t), self._solver.y
        self.steps += 1
        self.order = order
        return None

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

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
            rhs_evaluations=self._evaluations + int(self._solver.nfev),
            jacobian_evaluations=self._jacobians + int(self._solver.njev),
        )


@dataclass(frozen=True)
class SciPySolver:
    """A method of `scipy.integrate`; the implicit ones get the exact Jacobian, sparse where that pays."""

    name: str
    implicit: bool

    def check(self, layout: Layout) -> None:
        """Refuse implicit methods where the factors of the Jacobian would not fit."""
        if self.implicit:
            refuse_without_nodes(self.name, layout)
        if self.name in TAKE_SPARSE:
            fill = largest_fill(layout)
            if fill > LARGEST_FILL:
                many = f"up to {fill / 1e6:,.0f} million entries for {layout.size:,} unknowns"
                most = f"at most {LARGEST_FILL // 1_000_000} million"
                raise InputError("method", f"{self.name} factors a Jacobian: {many} ({most}); use cvode")
        elif self.implicit:
            refuse_above(self.name, layout, LARGEST_DENSE, "factors a dense Jacobian")

    def solve(self, problem: IVP, times: Array, settings: Settings, save: Save, watch: Watch) -> Solution:
        """See `Solver.solve`."""
        began = time.perf_counter()
        problem.rhs(problem.start, problem.y0)
        if self.implicit:
            self._jacobian(problem)(problem.start, problem.y0)
        compiled = time.perf_counter()
        stepper = _Stepper(partial(self._begun, settings), problem)
        return march_slowly(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

    def _begun(self, settings: Settings, problem: IVP) -> Any:
        """SciPy's solver at the start of `problem`, on its way to the first stop."""
        options: dict[str, Any] = {"rtol": settings.rtol, "atol": settings.atol}
        if self.implicit:
            options["jac"] = self._jacobian(problem)
        method: Any = getattr(scipy.integrate, self.name)
        end = next_stop(problem, problem.start)
        return method(problem.rhs, problem.start, problem.y0, end, **options)

    def _jacobian(self, problem: IVP) -> Callable[[float, Array], Any]:
        problem = coupled(problem, self.name)
        sparse = self.name in TAKE_SPARSE and problem.layout.size >= SPARSE_FROM
        return problem.sparse_jacobian if sparse else problem.jacobian


def largest_fill(layout: Layout) -> int:
    """Most entries that the factors of the Jacobian have for its nodes.

    Weights couple to nodes only, so that eliminating them leaves the nodes; all of these are coupled
    where the weights learn, and those of a sample where they do not.
    """
    coupled = layout.node_count if layout.learn else layout.node_count // layout.batch
    return layout.node_count * coupled

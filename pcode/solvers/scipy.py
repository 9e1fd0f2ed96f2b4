"""SciPy's methods: BDF, Radau, LSODA, RK45, DOP853."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy

from ..base.errors import ComputationError, InputError
from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from .base import (
    IVP,
    OnSave,
    OnStep,
    Settings,
    Solution,
    coupled,
    next_stop,
    refuse_above,
    refuse_without_nodes,
)
from .dense_output import INNER, DenseOutput
from .progress import Counted, NoProgressError, silenced
from .slow import integrate_slowly

# Methods that accept a sparse Jacobian, which they factor with SuperLU.
TAKE_SPARSE = ("BDF", "Radau")

# From this many unknowns the sparse Jacobian is faster than the dense one, whose factors and solves cost
# N^3 and N^2: for 800 unknowns by a factor of 3 with BDF and 7 with Radau.
SPARSE_FROM = 200

# SciPy's own lower bound; it replaces a smaller rtol by this, with a warning.
LEAST_RTOL = 100.0 * float(np.finfo(float).eps)

# Orders of methods whose object has no `order`. LSODA's varies and is not available.
ORDERS = {"Radau": 5}

# Most entries of the factors. They take 12 bytes each, and 20 more for Radau's complex ones: 2 GB.
LARGEST_FILL = 64_000_000

# Most unknowns with a dense Jacobian: it takes 0.8 GB then, and its factors as much.
LARGEST_DENSE = 10_000


class _Stepper:
    """One of SciPy's `OdeSolver` objects, as a `Stepper`."""

    def __init__(
        self, name: str, problem: IVP, times: Array, options: Callable[[IVP], dict[str, Any]]
    ) -> None:
        self._method, self._options = getattr(scipy.integrate, name), options
        self._counted = Counted()
        self._dense = DenseOutput(name, times, self._reach) if name in INNER else None
        self.steps = 0
        self.order: int | None = None
        self._evaluations = self._jacobians = 0  # by earlier SciPy objects, before a restart
        self._begin(problem)

    def _begin(self, problem: IVP) -> None:
        options = self._options(problem)
        if "jac" in options:
            options = options | {"jac": self._counted.of(options["jac"])}
        self._make = partial(self._method, self._counted.of(problem.rhs), **options)
        self._counted.begin()
        with silenced():  # its constructor evaluates the rates, which may overflow
            self._solver = self._make(problem.start, problem.y0, next_stop(problem, problem.start))
        self._problem = problem
        self._interpolant: Any = None
        self.t_before = self.t = problem.start
        self.y = self._y_before = problem.y0

    def restart(self, problem: IVP) -> None:
        self._evaluations += int(self._solver.nfev)
        self._jacobians += int(self._solver.njev)
        self._begin(problem)

    def _go_on(self) -> None:
        """Continue from one stop to the next without a restart."""
        end = next_stop(self._problem, self.t)
        self._solver.t_bound, self._solver.status = end, "running"
        if isinstance(self._solver, scipy.integrate.LSODA):
            self._solver._lsoda_solver._integrator.rwork[0] = end  # as in SciPy's constructor

    def advance(self, until: float) -> Status | None:
        if self._solver.status == "finished":
            self._go_on()
        self._interpolant = None
        # Read before the step, because BDF's attribute is the order of the next step.
        order = getattr(self._solver, "order", ORDERS.get(type(self._solver).__name__))
        status = self._step(self._solver)
        if status is not None:
            return status
        self.t_before, self._y_before = self.t, self.y
        self.t, self.y = float(self._solver.t), self._solver.y
        self.steps += 1
        self.order = order
        if self._dense is not None:
            self._dense.begin(self.t_before, self.t, self._y_before, self.y)
        return None

    def _step(self, solver: Any) -> Status | None:
        """Take a step with `solver`; the status if it failed, else None."""
        self._counted.begin()
        try:
            # LSODA warns of failures besides its status. BDF's first step computes with uninitialised memory,
            # which may warn too; the result is not used.
            with silenced():
                solver.step()
        except NoProgressError:
            return Status.STEP_TOO_SMALL
        except ComputationError:
            raise
        except (ValueError, ZeroDivisionError, OverflowError):
            # Raised by linear algebra routines for values that are not finite.
            return Status.DIVERGED
        except RuntimeError as error:
            if "singular" not in str(error):
                raise
            return Status.NONLINEAR_FAILURE  # SuperLU found the matrix singular
        return Status.STEP_TOO_SMALL if solver.status == "failed" else None

    def ends(self) -> tuple[float, ...]:
        return (self.t,)

    def interpolate(self, t: float) -> Array:
        if t == self.t:
            return self.y
        return self.draw(t) if self._dense is None else self._dense(t)

    def _reach(self, t: float) -> Array:
        """The unknowns at `t` by steps, usually one, of the same method from the start of the last step."""
        with self._aside():
            self._counted.begin()
            with silenced():
                solver = self._make(self.t_before, self._y_before, t, first_step=t - self.t_before)
            while solver.status == "running" and self._step(solver) is None:
                pass
        self._evaluations += int(solver.nfev)
        self._jacobians += int(solver.njev)
        y: Array = solver.y
        return y if solver.t == t and np.isfinite(y).all() else self.draw(t)

    def _aside(self) -> AbstractContextManager[None]:
        """Evaluations in it are for what is looked at."""
        return self._problem.spent.paused()

    def draw(self, t: float) -> Array:
        """The unknowns at `t` by SciPy's own dense output."""
        if self._interpolant is None:
            self._counted.begin()  # DOP853 evaluates rates for it
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
    """A method of `scipy.integrate`; implicit ones get the exact Jacobian, sparse where that is faster."""

    name: str
    implicit: bool

    def check(self, layout: Layout) -> None:
        """Refuse implicit methods for tau = 0, and if the Jacobian or its factors would be too large."""
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

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        began = time.perf_counter()
        with problem.spent.paused():  # not a part of the steps
            problem.rhs(problem.start, problem.y0)
            if self.implicit:
                self._jacobian(problem)(problem.start, problem.y0)
        compiled = time.perf_counter()
        stepper = _Stepper(self.name, problem, settings.saved_of(times), partial(self._options, settings))
        solution = integrate_slowly(stepper, problem, times, settings, save, watch)
        return solution.timed(compiled - began, compiled)

    def _options(self, settings: Settings, problem: IVP) -> dict[str, Any]:
        """SciPy's options for `problem`."""
        options: dict[str, Any] = {"rtol": max(settings.rtol, LEAST_RTOL), "atol": settings.atol}
        return options | ({"jac": self._jacobian(problem)} if self.implicit else {})

    def _jacobian(self, problem: IVP) -> Callable[[float, Array], Any]:
        problem = coupled(problem, self.name)
        layout, structure = problem.layout, problem.structure
        # The sparse Jacobian covers the same variables as the elimination.
        sparse = self.name in TAKE_SPARSE and layout.size >= SPARSE_FROM and structure.elimination.exact
        if structure.fixed and layout.learn:  # predictions depend on all weights below
            why = "factors a Jacobian that is dense where predictions are fixed and weights learn"
            refuse_above(self.name, layout, LARGEST_DENSE, why)
            sparse = False
        return problem.sparse_jacobian if sparse else problem.jacobian


def largest_fill(layout: Layout) -> int:
    """Upper bound on the entries of the factors of the Jacobian after elimination of the weights.

    Weights couple to nodes only, so the nodes are left. If the weights learn all nodes are then coupled to
    each other, otherwise only those of the same sample.
    """
    coupled = layout.node_count if layout.learn else layout.node_count // layout.batch
    return layout.node_count * coupled

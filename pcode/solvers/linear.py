"""The linear systems of CVODE's Newton iterations, (I - gamma J) z = r, solved outside CVODE.

CVODE's own GMRES would need a callback for each product with J and each preconditioning, and many passes over
vectors. Instead, the preconditioner solves the system: when CVODE applies it to the right-hand side,
`LinearSolver.solve` returns the solution. The preconditioned matrix is then shown to CVODE as the identity,
so that its GMRES ends after one vector.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import scipy

from ..base._jax import jax, jnp
from ..model.network import Array
from ..system.coupled import System
from ..system.krylov import Operator, few_iterations, gcr
from ..system.problem import Problem, compiled
from .base import Settings

# Up to this many unknowns I - gamma J is factored as a dense matrix: that takes a tenth of a millisecond, and
# little is to be compiled. For more, LAPACK would also start threads, which slow down everything else.
SMALL = 199

# Krylov vectors kept, and most iterations.
VECTORS = 8
MOST_ITERATIONS = 60

# Iterations that usually suffice for gamma/delta between SLIGHT and STRONG.
FEW = 2

# Residual of a linear system, as a part of what CVODE allows. With 1, the slow flow of the weights, where the
# systems are hard, takes 1.5 times as many steps; below 0.1 nothing is gained.
LINEAR_SHARE = 0.1

# The weight-borne coupling is of the size of gamma/delta. Below SLIGHT the structured solve alone suffices
# for CVODE's Newton iterations. Above STRONG the coupling dominates and has inner Krylov iterations of its
# own, on vectors of the weights only, which for many samples are much shorter than those of all unknowns.
SLIGHT, STRONG = 1e-3, 0.3


class LinearSolver(ABC):
    """The preconditioner and the product with J that CVODE is given.

    Attributes
    ----------
    linearised : int
        Number of evaluations of J.
    gamma : float
        gamma of the last system solved.
    stiffness : float
        |gamma J z| / |z| for the nodes in the last system solved: gamma times the rate of the correction z.
    watches_stiffness : bool
        Whether `stiffness` is computed.
    problem : Problem
        The problem whose Jacobian J is.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.linearised = 0
        self.gamma = self.stiffness = math.nan
        self.watches_stiffness = False
        self._node_count = problem.layout.node_count
        self._solved = False

    def setup(self, t: float, y: Array, dy: Array, jok: int, jnew: list[int], gamma: float) -> None:
        """Evaluate J, even if `jok` allows an old one, which would need more iterations and smaller steps."""
        jnew[0] = 1
        self._linearise(t, y.copy(), gamma)  # CVODE overwrites y later
        self.linearised += 1

    def jacobian_action(self, t: float, y: Array, dy: Array, v: Array, out: Array) -> None:
        """Return 0, so that I - gamma J is the identity to CVODE."""
        out[:] = 0.0
        self._solved = True

    def solve(
        self, t: float, y: Array, dy: Array, r: Array, z: Array, gamma: float, delta: float, side: int
    ) -> None:
        """Solve; `delta` bounds the Euclidean norm of the residual in units of the tolerances."""
        if self._solved:
            z[:] = r
            self._solved = False
            return
        self.gamma = gamma
        z[:] = self._solution(t, y, r, gamma, LINEAR_SHARE * delta / math.sqrt(y.size))
        if self.watches_stiffness:
            r, z = r[: self._node_count], z[: self._node_count]
            self.stiffness = math.sqrt((r - z) @ (r - z) / (z @ z or math.nan))

    @abstractmethod
    def _linearise(self, t: float, y: Array, gamma: float) -> None:
        """Evaluate J at (t, y); the next systems have about this gamma."""

    @abstractmethod
    def _solution(self, t: float, y: Array, r: Array, gamma: float, enough: float) -> Array:
        """The z with (I - gamma J) z = r; `enough` bounds the residual, root mean square in tolerances."""


def linear_solver(problem: Problem, settings: Settings) -> LinearSolver:
    """The linear solver for `problem`, compiled."""
    return Dense(problem) if problem.y0.size <= SMALL else Structured(problem, settings)


class Dense(LinearSolver):
    """I - gamma J as a matrix, for few unknowns."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._identity = np.eye(problem.y0.size)
        self._linearise(0.0, problem.y0, 0.0)

    def _linearise(self, t: float, y: Array, gamma: float) -> None:
        self._J = self.problem.jacobian(t, y)
        self._factor(gamma)

    def _factor(self, gamma: float) -> None:
        self._factored = gamma
        self._LU, self._pivots, _ = scipy.linalg.lapack.dgetrf(self._identity - gamma * self._J)

    def _solution(self, t: float, y: Array, r: Array, gamma: float, enough: float) -> Array:
        if gamma != self._factored:
            self._factor(gamma)
        z: Array = scipy.linalg.lapack.dgetrs(self._LU, self._pivots, r)[0]
        return z


class Structured(LinearSolver):
    """The structured elimination and Krylov iterations, in one compiled call.

    The structured solve leaves out the weight-borne coupling, which is small for steps much shorter than
    delta, and its factors may be some steps old. The Krylov iterations, with the exact Jacobian at the
    current point, correct both.
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)
        self._settings = settings
        # If the weights are held there is no weight-borne coupling.
        self._delta = delta = problem.layout.shortest(problem.constants.delta)
        self._linearise(0.0, problem.y0, 1.0)
        for gamma in (0.0, 0.5 * (SLIGHT + STRONG) * delta, delta) if problem.layout.learn else (0.0,):
            self._solution(0.0, problem.y0, problem.y0, gamma, math.inf)  # to compile it

    def _linearise(self, t: float, y: Array, gamma: float) -> None:
        # Linearises and factors: both cost little more than factoring alone.
        self._factors = self.problem.factor(t, y, gamma)

    def _solution(self, t: float, y: Array, r: Array, gamma: float, enough: float) -> Array:
        problem, tolerances = self.problem, (self._settings.rtol, self._settings.atol)
        part = gamma / self._delta
        if part < SLIGHT and problem.structure.elimination.exact:
            return problem.solve(self._factors, r)
        at = (problem.system, self._factors, t, y, r, gamma)
        if part < STRONG:
            z, left = _solve_mostly(*at, *tolerances)
            if float(left) <= enough:
                return np.asarray(z)
        within = enough if part > STRONG else math.inf
        return np.asarray(_solve(*at, enough, within, *tolerances))


@compiled
def _solve_mostly(
    system: System, factors: Any, t: Any, y: Any, r: Any, gamma: Any, rtol: Any, atol: Any
) -> tuple[Any, Any]:
    """The z after a few iterations for (I - gamma J) z = r, and its residual in units of the tolerances."""
    weight, matrix = _measures(system, t, y, gamma, rtol, atol)

    def precondition(r: Any) -> Any:
        return system.solve(factors, r)

    return few_iterations(lambda v: precondition(matrix(v)), precondition(r), weight, FEW)


@compiled
def _solve(
    system: System,
    factors: Any,
    t: Any,
    y: Any,
    r: Any,
    gamma: Any,
    enough: Any,
    enough_within: Any,
    rtol: Any,
    atol: Any,
) -> Any:
    """The z with (I - gamma J) z = r, to a residual of `enough` times the tolerances.

    The preconditioner includes the weight-borne coupling to a residual of `enough_within`.
    """
    weight, matrix = _measures(system, t, y, gamma, rtol, atol)

    @jax.jit  # so that its two uses are traced once
    def precondition(r: Any) -> Any:
        return system.solve_coupled(factors, r, weight, enough_within)

    return gcr(
        lambda v: precondition(matrix(v)), precondition(r), weight, 0.0, enough, VECTORS, MOST_ITERATIONS
    )


def _measures(system: System, t: Any, y: Any, gamma: Any, rtol: Any, atol: Any) -> tuple[Any, Operator]:
    """1 / tolerances at y, shape (N,), and the action of I - gamma J there."""
    action = system.action(t, y)
    return 1.0 / (rtol * jnp.abs(y) + atol), lambda v: v - gamma * action(v)

"""The linear systems of CVODE's Newton iterations, (I - gamma J) z = r, solved outside it.

CVODE's own GMRES would take a call for each product with J and each preconditioning, and a dozen passes
over vectors besides. So CVODE is given the answer by way of the preconditioner: asked to apply
it to the right-hand side, `LinearSolver.solve` solves, and what CVODE sees from then on is the
identity, with which its GMRES ends after one vector.
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

# Up to so many unknowns the whole of I - gamma J is factored: a tenth of a millisecond, and far less to
# compile. Beyond, LAPACK would also call for threads, which hold up all else.
SMALL = 199

# Directions kept by the Krylov iterations, and most iterations.
VECTORS = 8
MOST_ITERATIONS = 60

# Iterations that mostly do between the two.
FEW = 2

# Residual of a linear system, as a share of what CVODE allows. At 1 the weights' slow flow, where the
# system is hard, takes half as many steps again; below 0.1 nothing is gained.
LINEAR_SHARE = 0.1

# Where gamma/delta is below SLIGHT the weight-borne coupling is too: the structured solve alone will do for
# CVODE's Newton iterations. Above STRONG, where it decides, Krylov iterations of their own take care of it,
# on vectors of the weights only, which for many samples are far shorter than those of all unknowns.
SLIGHT, STRONG = 1e-3, 0.3


class LinearSolver(ABC):
    """What CVODE takes for its preconditioner and its product with J.

    Attributes
    ----------
    linearised : int
        How often J was taken.
    gamma : float
        Of the last system solved.
    stiffness : float
        Size of gamma J z over that of z, both of the nodes alone, there: gamma times the rate of what was to
        be corrected.
    watches_stiffness : bool
    problem : Problem
        Whose J it is.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.linearised = 0
        self.gamma = self.stiffness = math.nan
        self.watches_stiffness = False
        self._node_count = problem.layout.node_count
        self._solved = False

    def setup(self, t: float, y: Array, dy: Array, jok: int, jnew: list[int], gamma: float) -> None:
        """Linearise, whatever `jok` says: an old J would take more iterations and smaller steps."""
        jnew[0] = 1
        self._linearise(t, y.copy(), gamma)  # CVODE overwrites y later
        self.linearised += 1

    def jacobian_action(self, t: float, y: Array, dy: Array, v: Array, out: Array) -> None:
        """Of the system as CVODE sees it, I - gamma J = I."""
        out[:] = 0.0
        self._solved = True

    def solve(
        self, t: float, y: Array, dy: Array, r: Array, z: Array, gamma: float, delta: float, side: int
    ) -> None:
        """`delta` bounds the Euclidean norm of the residual, each unknown in units of its tolerance."""
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
        """Take J at (t, y); what is asked next will be of about this gamma."""

    @abstractmethod
    def _solution(self, t: float, y: Array, r: Array, gamma: float, enough: float) -> Array:
        """The z with (I - gamma J) z = r; `enough` bounds the residual's mean in units of the tolerances."""


def linear_solver(problem: Problem, settings: Settings) -> LinearSolver:
    """The one that suits `problem`, all that it needs compiled."""
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
    """By the structured elimination and Krylov iterations, in one compiled call.

    The structured solve leaves out the weight-borne coupling, which is small for steps far below
    delta, and its factors are some steps old; the iterations, with the exact Jacobian where CVODE
    stands, have what is left.
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)
        self._settings = settings
        # Where weights do not move nothing is borne by them.
        self._delta = delta = float(problem.constants.delta) if problem.layout.learn else math.inf
        self._linearise(0.0, problem.y0, 1.0)
        for gamma in (0.0, 0.5 * (SLIGHT + STRONG) * delta, delta) if problem.layout.learn else (0.0,):
            self._solution(0.0, problem.y0, problem.y0, gamma, math.inf)  # compiles what it will need

    def _linearise(self, t: float, y: Array, gamma: float) -> None:
        # To do both costs little more than to factor alone.
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
    """The z with (I - gamma J) z = r as far as few iterations come, and its residual over the tolerances."""
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

    The structured solve within takes care of the weight-borne coupling to `enough_within`.
    """
    weight, matrix = _measures(system, t, y, gamma, rtol, atol)

    @jax.jit  # traced once for both its uses
    def precondition(r: Any) -> Any:
        return system.solve_coupled(factors, r, weight, enough_within)

    return gcr(
        lambda v: precondition(matrix(v)), precondition(r), weight, 0.0, enough, VECTORS, MOST_ITERATIONS
    )


def _measures(system: System, t: Any, y: Any, gamma: Any, rtol: Any, atol: Any) -> tuple[Any, Operator]:
    """One over the tolerances at y, shape (N,), and the action of I - gamma J there."""
    action = system.action(t, y)
    return 1.0 / (rtol * jnp.abs(y) + atol), lambda v: v - gamma * action(v)

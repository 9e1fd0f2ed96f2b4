"""The linear systems of CVODE's Newton iterations, (I - gamma J) z = r, solved outside CVODE.

CVODE's own GMRES would need a callback for each product with J and each preconditioning, and many passes over
vectors. Instead, the preconditioner solves the system: when CVODE applies it to the right-hand side,
`LinearSolver.solve` returns the solution. The preconditioned matrix is then shown to CVODE as the identity,
so that its GMRES ends after one vector.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from ..base._jax import compiled
from ..base.evaluated import EACH, PART
from ..model.network import Array
from ..system.coupled import System
from ..system.krylov import conjugate_residuals, few_iterations, size_of
from ..system.problem import Problem
from .base import Settings

# Up to this many unknowns I - gamma J is factored as a dense matrix: that takes a tenth of a millisecond, and
# little is to be compiled. For more, LAPACK would also start threads, which slow down everything else.
SMALL = 199

# Krylov vectors kept, and most iterations.
VECTORS = 8
MOST_ITERATIONS = 60

# Iterations that are compiled together; most systems need no more. Seconds counted for one on the host: for
# its calls, and for each unknown. Its calls take 1e-4, but with so much a small network would wait for the
# compiler in runs that last no longer than it does.
FEW, CALLS, PASSES = 2, 3e-5, 2e-8

# Layers above which they are not compiled together: XLA's time grows faster than the number of layers, and
# large arrays leave little to gain.
DEEP = 12

# Krylov vectors kept in the iterations for the weight-borne coupling.
COUPLED_VECTORS = 20

# Residual of a linear system, as a part of what CVODE allows. With 1, the slow flow of the weights, where the
# systems are hard, takes 1.5 times as many steps; below 0.1 nothing is gained.
LINEAR_SHARE = 0.1

# The weight-borne coupling is of the size of gamma/delta. Below SLIGHT the structured solve alone suffices
# for CVODE's Newton iterations. Above STRONG the coupling dominates and has inner Krylov iterations of its
# own, on vectors of the weights only, which for many samples are much shorter than those of all unknowns.
SLIGHT, STRONG = 1e-3, 0.3


Solve = Callable[[Array], Array]


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
    """The linear solver for `problem`."""
    return Dense(problem) if problem.y0.size <= SMALL else Structured(problem, settings)


class Dense(LinearSolver):
    """I - gamma J as a matrix, for few unknowns."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._identity = np.eye(problem.y0.size)

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
    """The structured elimination and Krylov iterations.

    The structured solve leaves out the weight-borne coupling, which is small for steps much shorter than
    delta, and its factors may be some steps old. The Krylov iterations, with the exact Jacobian at the
    current point, correct both.
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)
        self._settings = settings
        self._factored = math.nan
        self._size = math.inf  # of the structured solve, see `Bound.size`
        # If the weights are held there is no weight-borne coupling.
        self._delta = problem.layout.shortest(problem.constants.delta)

    def _linearise(self, t: float, y: Array, gamma: float) -> None:
        # Linearises and factors: both cost little more than factoring alone.
        self._factors, self._factored = self.problem.factor(t, y, gamma), gamma

    def _solve(self, r: Array) -> Array:
        d = np.asarray(self._factors(r))
        self._size = self._factors.size
        return d

    def _solution(self, t: float, y: Array, r: Array, gamma: float, enough: float) -> Array:
        problem, part = self.problem, gamma / self._delta
        if part < SLIGHT and problem.structure.elimination.exact:
            return self._solve(r)
        weight = 1.0 / (self._settings.rtol * np.abs(y) + self._settings.atol)
        if part < STRONG and self._worth_compiling():
            z, left = _iterated(self._factors.first, t, y, r, gamma, weight)
            if float(left) <= enough:
                return np.asarray(z)

        def precondition(r: Array) -> Array:
            if part < STRONG:
                return self._solve(r)
            return solve_coupled(problem, self._solve, self._factored, r, weight, enough)

        def operator(v: Array) -> Array:
            if part < STRONG:
                problem.spent.on(_iterated)[0] += CALLS + PASSES * v.size
            return precondition(v - gamma * problem.jacobian_action(t, y, v))

        solution: Array = conjugate_residuals(
            operator, precondition(r), weight, enough, VECTORS, MOST_ITERATIONS
        )
        return solution

    def _worth_compiling(self) -> bool:
        """Whether iterations on the host have cost enough for a function that does a few in one call.

        As in `pcode.base.evaluated` that is counted, never timed.
        """
        if self.problem.layout.n > DEEP:
            return False
        # The product with J has about as many operations as the structured solve.
        return self.problem.spent.on(_iterated)[0] > PART * EACH * 2 * self._size


@compiled()
def _iterated(at: tuple[System, Any], t: Any, y: Any, r: Any, gamma: Any, weight: Any) -> tuple[Any, Any]:
    """The z after a few iterations for (I - gamma J) z = r, and its residual in units of the tolerances."""
    system, factors = at
    action = system.action(t, y)

    def operator(v: Any) -> Any:
        return system.solve(factors, v - gamma * action(v))

    return few_iterations(operator, system.solve(factors, r), weight, FEW)


def solve_coupled(problem: Problem, solve: Solve, a: float, r: Array, weight: Array, enough: float) -> Array:
    """The structured solve of (I - a J) d = r with the weight-borne coupling.

    A change w of the weights changes the nodes, and these change the weights by c (r_w + s(w)), affine in w.
    The structured solve uses w = c r_w in the nodes' equations. If that is not accurate enough, Krylov
    iterations solve the fixed-point equation w = c (r_w + s(w)); their vectors have the length of the
    weights.

    Parameters
    ----------
    problem : Problem
    solve : callable
        The structured solve, ``problem.factor(t, y, a)``.
    a : float
    r : ndarray, shape (N,)
    weight : ndarray, shape (N,)
        The norm of v is the root mean square of v * weight over the weights.
    enough : float
        Residual to reach, in this norm.
    """
    layout, constants = problem.layout, problem.constants
    k, d = layout.node_count, np.asarray(solve(r))
    if not layout.learn:
        return d
    # The inverse of the weights' diagonal block.
    of_links = [1.0 / (1.0 + a * one.weight_decay / one.delta) for one in constants.links]
    weight, c = weight[k:], layout.of_links(np.array(of_links))
    if not size_of(d[k:] - c * r[k:], weight) > enough:
        return d

    def through(r_nodes: Array, w: Array) -> Array:
        """The d for the right-hand side r_nodes of the nodes if the weights change by `w`."""
        return np.asarray(solve(np.concatenate([r_nodes, w / c])))

    def rest(w: Array) -> Array:
        """Residual of the equation, its constant term left out: w - c s(w)."""
        return 2.0 * w - through(np.zeros(k), w)[k:]

    w = c * r[k:]
    w = w + conjugate_residuals(rest, d[k:] - w, weight, enough, COUPLED_VECTORS, MOST_ITERATIONS)
    return np.concatenate([through(r[:k], w)[:k], w])

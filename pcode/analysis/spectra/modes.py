"""Eigenvalues: all of them where the system is small, those at its ends where it is large.

Those at the ends are found by Arnoldi's method (ARPACK; Lehoucq, Sorensen and Yang 1998): the largest from
the Jacobian's action, those nearest to zero from the structured solve (shift and invert), and the
rightmost ones, which decide stability, from the flow exp(J t), whose largest eigenvalues they give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from ...base.short import Short
from ...model.network import Array
from ...system.problem import Problem
from .jacobians import NodeSystem, SlowSystem

Complex = NDArray[np.complex128]

# Most work of dense eigenvalues, in cubes of a matrix's rows: about 3 seconds.
MOST_WORK = 4e8

# Below this part of the largest one an eigenvalue of the nodes counts as zero, and below this part of
# 1/delta one of the weights: what learns so slowly is the trace of errors not yet quite learned away.
NEUTRAL = 1e-8
NEUTRAL_WEIGHTS = 1e-4

# Most of those of a symmetric matrix: about 10 seconds.
MOST_SYMMETRIC_WORK = 2e10

# Part of the matrix by which it may differ from its transpose and still be symmetric.
SYMMETRY = 1e-9

# Eigenvalues that are sought at each end, iterations for them, and their relative accuracy.
SOUGHT = 8
ITERATIONS = 60
ACCURACY = 1e-7

# Times of the fastest rate after which the flow is asked for what is left.
FLOW_TIMES = 10.0


@dataclass(frozen=True, eq=False)
class Eigenvalues(Short):
    """Eigenvalues of a Jacobian, in one over the unit of time.

    Attributes
    ----------
    values : ndarray of complex, shape (K,)
    exact : bool
        Whether these are all; else those that Arnoldi's method found at the ends.
    count : int
        How many there are in all.
    still : float
        Eigenvalues of this size or less count as zero.
    samples : ndarray of int, shape (K,)
        The sample, 0..B-1, that each eigenvalue belongs to; -1 where it belongs to no single one.
    """

    values: Complex
    exact: bool
    count: int
    still: float
    samples: NDArray[np.int64]

    @property
    def moving(self) -> Complex:
        """Those that are not zero."""
        chosen: Complex = self.values[np.abs(self.values) > self.still]
        return chosen

    @property
    def neutral(self) -> int:
        """How many of `values` are zero."""
        return int(self.values.size - self.moving.size)


def still_below(values: Complex) -> float:
    """The size below which an eigenvalue of nodes counts as zero, from all of theirs."""
    return NEUTRAL * float(np.abs(values).max(initial=0.0))


def node_eigenvalues(problem: Problem, most_work: float = MOST_WORK) -> Eigenvalues:
    """Eigenvalues of the nodes at the start of `problem`, weights held.

    Samples are not coupled while the weights are held: each has eigenvalues of its own.
    """
    system = NodeSystem(problem)
    count = int(system.free.sum())
    if len(system.free) * float(system.size) ** 3 <= most_work:
        found = [np.linalg.eigvals(block).astype(complex) for block in system.blocks()]
        samples = np.repeat(np.arange(len(found)), [len(values) for values in found])
        values = np.concatenate(found)
        return Eigenvalues(values, True, count, still_below(values), samples)
    values = _node_ends(system)
    return Eigenvalues(values, False, count, still_below(values), np.full(values.size, -1))


def slow_eigenvalues(problem: Problem, most_work: float = MOST_WORK) -> Eigenvalues:
    """Eigenvalues of the weights on the slow manifold, at a start of `problem` where the nodes rest.

    With W = M^T the matrix is symmetric, or similar to a symmetric one where the links' deltas differ, that
    of a gradient flow (docs/model.md, "Slow manifold"), and all eigenvalues of a larger one can be had.
    """
    system = SlowSystem(problem)
    work = float(system.size) ** 3
    transposed = problem.layout.feedback == "tied" and not problem.structure.offset
    values = np.empty(0, complex)
    if work <= most_work or (transposed and most_work > 0.0 and work <= MOST_SYMMETRIC_WORK):
        # Similar to S, and symmetric where S is that of a gradient flow with a clock for each link.
        clocks = np.sqrt(system.clocks)
        matrix = system.matrix() * clocks[:, None] / clocks
        if np.abs(matrix - matrix.T).max() <= SYMMETRY * np.abs(matrix).max():
            values = np.linalg.eigvalsh(0.5 * (matrix + matrix.T)).astype(complex)
        elif work <= most_work:
            values = np.linalg.eigvals(matrix).astype(complex)
    if not values.size:
        ends = [_arnoldi(system.action, system.size, which) for which in ("LM", "LR")]
        values = _distinct(np.concatenate(ends))
    exact = values.size == system.size
    still = NEUTRAL_WEIGHTS / problem.layout.shortest(problem.constants.delta)
    return Eigenvalues(values, exact, system.size, still, np.full(values.size, -1))


def full_eigenvalues(problem: Problem, most_work: float = MOST_WORK) -> Eigenvalues:
    """Eigenvalues of nodes and weights together: all, or the largest ones where there are too many."""
    size = problem.layout.size
    free = np.ones(size, bool)
    free[: problem.layout.node_count] = NodeSystem(problem).flat_free
    free &= problem.layout.gains(problem.constants.mask) != 0.0
    still = NEUTRAL_WEIGHTS / problem.layout.shortest(problem.constants.delta)
    count = int(free.sum())
    if float(size) ** 3 > most_work:
        action = _inside(free, lambda v: problem.jacobian_action(0.0, problem.y0, v))
        values = _distinct(_arnoldi(action, count, "LM"))
        return Eigenvalues(values, False, count, still, np.full(values.size, -1))
    J = problem.jacobian(0.0, problem.y0)
    values = np.linalg.eigvals(J[np.ix_(free, free)]).astype(complex)
    return Eigenvalues(values, True, values.size, still, np.full(values.size, -1))


def _node_ends(system: NodeSystem) -> Complex:
    """The largest, the smallest and the rightmost eigenvalues of the nodes of all samples."""
    free = system.flat_free
    size, action = int(free.sum()), _inside(free, system.action)
    largest = _arnoldi(action, size, "LM")
    fastest = float(np.abs(largest).max())
    shift = 1e-4 * fastest
    smallest = shift + 1.0 / _arnoldi(_inside(free, system.inverse(shift)), size, "LM")
    time = FLOW_TIMES / fastest
    last = _arnoldi(_inside(free, lambda v: system.propagate(v, time, fastest)), size, "LM", of=action)
    return _distinct(np.concatenate([largest, smallest, last]))


def _inside(free: Any, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The same linear map among those unknowns that are `free`."""

    def restricted(v: Array) -> Array:
        whole = np.zeros(free.size)
        whole[free] = v
        inner: Array = function(whole)[free]
        return inner

    return restricted


def _arnoldi(
    action: Callable[[Array], Array], size: int, which: str, of: Callable[[Array], Array] | None = None
) -> Complex:
    """Some eigenvalues of `action`; with `of`, those that its eigenvectors have there."""
    operator = LinearOperator((size, size), matvec=lambda v: action(np.ravel(v)), dtype=float)
    start = np.random.default_rng(0).standard_normal(size)
    options = {"k": min(SOUGHT, size - 2), "v0": start, "tol": ACCURACY, "maxiter": ITERATIONS}
    try:
        values, vectors = eigs(operator, which=which, **options)
    except ArpackNoConvergence as error:
        values, vectors = error.eigenvalues, error.eigenvectors
    if of is None:
        return np.asarray(values, complex)
    images = [of(u.real) + 1j * of(u.imag) for u in vectors.T]
    return np.array([np.vdot(u, image) for u, image in zip(vectors.T, images, strict=True)], complex)


def _distinct(values: Complex) -> Complex:
    """`values`, each once, with the conjugates that belong to them."""
    kept: list[complex] = []
    scale = np.abs(values).max(initial=0.0)
    for value in np.concatenate([values, values.conj()]):
        if all(abs(value - other) > 1e-6 * scale for other in kept):
            kept.append(complex(value))
    return np.array(kept, complex)

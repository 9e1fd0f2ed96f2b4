"""Nodes at rest for given weights and clamps.

Pseudo-transient continuation (Kelley and Keyes 1998): implicit Euler steps of length h along the
nodes' own flow,

    (I / h - tau J) d = tau dz/dt,

longer as the rates fall, until they are steps of Newton's method (h infinite). With the weights held
nothing ties the samples of a batch to each other, so each has a step of its own, and the
elimination of `pcode.newton` solves its linear system exactly with matrices of a layer's size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import newton
from ._jax import jax, jnp
from .network import Array
from .problem import Problem
from .state import State
from .system import Parameters, Structure, linearise, vector_field

# A step is kept if the rates grow by no more than this factor; a step of Newton's method only if
# they fall. From a step that is refused on, h is this much shorter.
GROWTH = 4.0
SHORTER = 10.0

# 1/h after a step of Newton's method that is refused.
FIRST_INVERSE_STEP = 1.0

# A step of Newton's method is taken for one that would go on for ever, and refused, where the
# rates do not fall below this part of what they were.
NEWTON_FALL = 0.9


@dataclass(frozen=True)
class Rest:
    """Where the nodes came to rest, or how far they came.

    Attributes
    ----------
    state : State
        The nodes, and the weights that were held.
    residual : ndarray, shape (B,)
        max |tau dz/dt| / (1 + |z|) over the nodes z of each sample; dimensionless.
    iterations : int
        Most steps that a sample took.
    found : bool
        Whether every sample reached the residual asked for.
    """

    state: State
    residual: Array
    iterations: int
    found: bool


def nodes_at_rest(
    problem: Problem, tol: float = 1e-12, max_iterations: int = 200, step: float = math.inf
) -> Rest:
    """Bring the nodes to an equilibrium near the start of `problem`.

    Parameters
    ----------
    problem : Problem
        Says what is clamped, at which values, the weights and where to start; whether the
        weights learn is of no account. Not reduced (`make_problem(..., reduce=False)`).
    tol : float
        Residual to reach, dimensionless.
    max_iterations : int
        Most steps.
    step : float
        First step h, in units of tau. Infinite, Newton's method goes first, and each sample for
        which it fails goes on with steps along the flow: the equilibrium may then be an unstable
        one. A step of about 1 follows the flow from the start to the equilibrium it leads to.

    Returns
    -------
    Rest
    """
    start = problem.state(problem.start, problem.y0)
    held = holding_weights(problem)
    # Where the nodes rest does not hang on tau, which may be 0.
    parameters = held.parameters._replace(tau=jnp.ones(()))
    y, residual, iterations = rest(
        held.y0, parameters, held.structure, tol, max_iterations, 1.0 / step, held.start
    )
    residuals = np.asarray(residual)
    state = State(*held.nodes(held.start, np.asarray(y)), start.weights)
    return Rest(state, residuals, int(iterations), bool((residuals <= tol).all()))


def holding_weights(problem: Problem) -> Problem:
    """`problem`, not reduced, with the weights held at their start: only nodes are unknowns."""
    start = problem.state(problem.start, problem.y0)
    layout = replace(problem.layout, learn=False)
    structure = problem.structure._replace(layout=layout)
    parameters = problem.parameters._replace(held=start.weights)
    return replace(problem, structure=structure, parameters=parameters, y0=layout.pack(start))


class _Carry(NamedTuple):
    """Where the iterations stand: unknowns, tau dz/dt, 1/h of each sample and steps taken."""

    y: Any
    g: Any
    inverse_step: Any
    k: Any


@partial(jax.jit, static_argnames="structure")
def rest(
    y0: Any,
    p: Parameters,
    structure: Structure,
    tol: Any,
    max_iterations: Any,
    inverse_step: Any,
    t: Any = 0.0,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Nodes at rest, each sample's residual, shape (B,), and the steps taken.

    A pure function of its arguments but `structure`, whose layout has nodes only. `y0`, shape (N,), is the
    start, `inverse_step` the first 1/h, in units of 1/tau, and `t` the time at which the clamps are held.
    """
    layout = structure.layout

    def field(y: Any) -> Any:
        return p.tau * vector_field(t, y, p, structure)

    def residual(y: Any, g: Any) -> Any:
        return jnp.max(layout.rows(jnp.abs(g) / (1.0 + jnp.abs(y)), jnp), axis=1)

    def size(g: Any) -> Any:
        return jnp.linalg.norm(layout.rows(g, jnp), axis=1)

    def going(c: _Carry) -> Any:
        return (c.k < max_iterations) & ~(residual(c.y, c.g) <= tol).all()

    def step(c: _Carry) -> _Carry:
        point = linearise(t, c.y, p, structure)
        factors = newton.factor(point, p.tau, p, structure, c.inverse_step[:, None])
        tried = c.y + newton.solve(factors, c.g, p, structure)
        g_tried = field(tried)
        before, after = size(c.g), size(g_tried)
        # A step that blows up, or makes the rates much larger, is taken back and shortened.
        bound = jnp.where(c.inverse_step > 0.0, GROWTH, NEWTON_FALL) * before
        good = jnp.isfinite(after) & (after < bound)
        longer = jnp.clip(after / jnp.maximum(before, 1e-300), 0.1, 2.0) * c.inverse_step
        shorter = jnp.maximum(SHORTER * c.inverse_step, FIRST_INVERSE_STEP)
        moved = good & (residual(c.y, c.g) > tol)
        moved = layout.flat(jnp.broadcast_to(moved[:, None], layout.rows(c.y, jnp).shape), jnp)
        return _Carry(
            jnp.where(moved, tried, c.y),
            jnp.where(moved, g_tried, c.g),
            jnp.where(good, longer, shorter),
            c.k + 1,
        )

    begin = _Carry(y0, field(y0), jnp.full(layout.batch, inverse_step, dtype=float), jnp.zeros((), int))
    end = jax.lax.while_loop(going, step, begin)
    return end.y, residual(end.y, end.g), end.k

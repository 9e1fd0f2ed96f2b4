"""Nodes at rest for given weights and clamps.

Pseudo-transient continuation (Kelley and Keyes 1998): implicit Euler steps of length h along the
nodes' own flow,

    (I / h - tau J) d = tau dz/dt,

longer as the rates fall, until they are steps of Newton's method (h infinite). With the weights held
nothing ties the samples of a batch to each other, so each has a step of its own, and the
elimination of `pcode.system.elimination` solves its linear system exactly with matrices of a layer's size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from ..model.network import Array
from ..model.state import State
from . import elimination as newton
from . import kinks
from .coupled import Parameters, Structure, linearise, vector_field
from .problem import Problem

# A step is kept if the rates grow by no more than this factor; a step of Newton's method only if
# they fall. From a step that is refused on, h is this much shorter.
GROWTH = 4.0
SHORTER = 10.0

# 1/h after a step of Newton's method that is refused.
FIRST_INVERSE_STEP = 1.0

# A step of Newton's method is taken for one that would go on for ever, and refused, where the
# rates do not fall below this part of what they were.
NEWTON_FALL = 0.9

# How long nodes are followed, and in which steps, in units of tau; and the residual that is near rest.
FOLLOWED, STEP, NEAR = 60.0, 0.02, 1e-3

# So many steps of Newton's method may let nodes pass kinks; after that it may go round in a circle.
MOST_PASSING = 20


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
        one. A step of about 1 follows the flow from the start to the equilibrium it leads to; where
        activations have kinks, which mostly make several, the flow itself is integrated first.

    Returns
    -------
    Rest
    """
    start = problem.state(problem.start, problem.y0)
    held = holding_weights(problem)
    # Where the nodes rest does not hang on tau, which may be 0.
    parameters = held.parameters._replace(tau=jnp.ones(()))
    y0, t = held.y0, held.start
    if held.kinked and math.isfinite(step):
        y0, parameters = followed(y0, parameters, held.structure, t)
    y, residual, iterations = rest(y0, parameters, held.structure, tol, max_iterations, 1.0 / step, t)
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


@partial(jax.jit, static_argnames="structure")
def followed(y0: Any, p: Parameters, structure: Structure, t: Any) -> tuple[Any, Parameters]:
    """The nodes, and their modes, some time along their flow: until they are near rest, or FOLLOWED is over.

    By the classical Runge-Kutta method with a fixed step, modes being looked at after each: to know
    to which of several equilibria they go, this need not be accurate. Where it fails, `y0`.
    """

    def field(y: Any, p: Parameters) -> Any:
        return p.tau * vector_field(t, y, p, structure)

    def going(carry: Any) -> Any:
        y, p, k = carry
        return (k < FOLLOWED / STEP) & (
            jnp.max(jnp.abs(field(y, p)) / (1.0 + jnp.abs(y)), initial=0.0) > NEAR
        )

    def step(carry: Any) -> Any:
        y, p, k = carry
        k1 = field(y, p)
        k2 = field(y + 0.5 * STEP * k1, p)
        k3 = field(y + 0.5 * STEP * k2, p)
        y = y + STEP / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + field(y + STEP * k3, p))
        y, mode, _ = kinks.switched(t, y, p, structure, 1.0, 0.0)
        return y, p._replace(mode=mode), k + 1

    y, after, _ = jax.lax.while_loop(going, step, step((y0, p, 0)))
    good = jnp.isfinite(y).all()
    kept: tuple[Any, Parameters] = jax.tree.map(
        lambda new, old: jnp.where(good, new, old), (y, after), (y0, p)
    )
    return kept


class _Carry(NamedTuple):
    """Where the iterations stand: unknowns, tau dz/dt, 1/h of each sample, steps taken and nodes' modes."""

    y: Any
    g: Any
    inverse_step: Any
    k: Any
    mode: Any


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

    def field(y: Any, p: Parameters) -> Any:
        return p.tau * vector_field(t, y, p, structure)

    def residual(y: Any, g: Any) -> Any:
        return jnp.max(layout.rows(jnp.abs(g) / (1.0 + jnp.abs(y)), jnp), axis=1)

    def size(g: Any) -> Any:
        return jnp.linalg.norm(layout.rows(g, jnp), axis=1)

    def going(c: _Carry) -> Any:
        return (c.k < max_iterations) & ~(residual(c.y, c.g) <= tol).all()

    def step(c: _Carry) -> _Carry:
        q = p._replace(mode=c.mode)
        point = linearise(t, c.y, q, structure)
        factors = newton.factor(point, q.tau, q, structure, c.inverse_step[:, None])
        tried = c.y + newton.solve(factors, c.g, q, structure)
        g_tried = field(tried, q)
        before, after = size(c.g), size(g_tried)
        # A step that blows up, or makes the rates much larger, is taken back and shortened.
        bound = jnp.where(c.inverse_step > 0.0, GROWTH, NEWTON_FALL) * before
        good = jnp.isfinite(after) & (after < bound)
        longer = jnp.clip(after / jnp.maximum(before, 1e-300), 0.1, 2.0) * c.inverse_step
        shorter = jnp.maximum(SHORTER * c.inverse_step, FIRST_INVERSE_STEP)
        moved = good & (residual(c.y, c.g) > tol)
        moved = layout.flat(jnp.broadcast_to(moved[:, None], layout.rows(c.y, jnp).shape), jnp)
        y, inverse_step = jnp.where(moved, tried, c.y), jnp.where(good, longer, shorter)
        if c.mode is None:
            return _Carry(y, jnp.where(moved, g_tried, c.g), inverse_step, c.k + 1, None)
        y, mode = kinks.settled(y, q, structure)
        circles = (c.k >= MOST_PASSING) & (inverse_step == 0.0) & kinks.differ(mode, c.mode, layout.batch)
        inverse_step = jnp.where(circles, FIRST_INVERSE_STEP, inverse_step)
        return _Carry(y, field(y, p._replace(mode=mode)), inverse_step, c.k + 1, mode)

    steps = jnp.full(layout.batch, inverse_step, dtype=float)
    begin = _Carry(y0, field(y0, p), steps, jnp.zeros((), int), p.mode)
    end = jax.lax.while_loop(going, step, begin)
    return end.y, residual(end.y, end.g), end.k

"""Nodes at rest for given weights and clamps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ._jax import jax, jnp
from .network import Array
from .problem import Problem
from .state import Layout, State
from .system import Parameters, Structure, vector_field


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


def nodes_at_rest(problem: Problem, tol: float = 1e-12, max_iterations: int = 200) -> Rest:
    """Bring the nodes to the equilibrium to which they lead from the start of `problem`.

    Pseudo-transient continuation (Kelley and Keyes 1998): implicit Euler steps along the nodes'
    own flow, longer as the rates fall, until they are Newton steps. With the weights held
    nothing ties the samples of a batch to each other, so each has its own step and its own
    dense system in its m nodes.

    Parameters
    ----------
    problem : Problem
        Says what is clamped, at which values, the weights and where to start; whether the
        weights learn is of no account. Not reduced (`make_problem(..., reduce=False)`).
    tol : float
        Residual to reach, dimensionless.
    max_iterations : int
        Most steps.

    Returns
    -------
    Rest
    """
    start = problem.state(0.0, problem.y0)
    layout = replace(problem.layout, learn=False)
    structure = problem.structure._replace(layout=layout)
    # Where the nodes rest does not hang on tau, which may be 0.
    parameters = problem.parameters._replace(held=start.weights, tau=jnp.ones(()))
    y, residual, iterations = _rest(layout.pack(start), parameters, structure, tol, max_iterations)
    held = replace(problem, structure=structure, parameters=parameters)
    state = held.state(0.0, np.asarray(y))
    residuals = np.asarray(residual)
    return Rest(state, residuals, int(iterations), bool((residuals <= tol).all()))


_Carry = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


@partial(jax.jit, static_argnames="structure")
def _rest(
    y0: Any, p: Parameters, structure: Structure, tol: float, max_iterations: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    layout = structure.layout

    def field(Z: jax.Array) -> jax.Array:
        rates: jax.Array = p.tau * _rows(vector_field(0.0, _flat(Z, layout), p, structure), layout)
        return rates

    def residual(Z: jax.Array, g: jax.Array) -> jax.Array:
        return jnp.max(jnp.abs(g) / (1.0 + jnp.abs(Z)), axis=1, initial=0.0)

    def going(carry: _Carry) -> jax.Array:
        Z, g, _, k = carry
        return (k < max_iterations) & (residual(Z, g) > tol).any()

    def step(carry: _Carry) -> _Carry:
        Z, g, h, k = carry
        # One direction serves all samples at once: column j of every sample's Jacobian.
        directions = jnp.broadcast_to(jnp.eye(Z.shape[1])[:, None, :], (Z.shape[1], *Z.shape))
        columns = jax.vmap(lambda v: jax.jvp(field, (Z,), (v,))[1])(directions)
        J = jnp.transpose(columns, (1, 2, 0))
        system = jnp.eye(Z.shape[1]) / h[:, None, None] - J
        tried = Z + jnp.linalg.solve(system, g[..., None])[..., 0]
        g_tried = field(tried)
        before, after = jnp.linalg.norm(g, axis=1), jnp.linalg.norm(g_tried, axis=1)
        # A step that blows up, or makes the rates much larger, is taken back and shortened.
        good = jnp.isfinite(after) & (after < 4.0 * before)
        grown = jnp.clip(before / jnp.maximum(after, 1e-300), 0.5, 10.0) * h
        moved = good[:, None] & (residual(Z, g) > tol)[:, None]
        return (
            jnp.where(moved, tried, Z),
            jnp.where(moved, g_tried, g),
            jnp.where(good, grown, h / 10.0),
            k + 1,
        )

    Z = _rows(y0, layout)
    begin = (Z, field(Z), jnp.ones(Z.shape[0]), jnp.zeros((), int))
    Z, g, _, iterations = jax.lax.while_loop(going, step, begin)
    return _flat(Z, layout), residual(Z, g), iterations


def _rows(y: jax.Array, layout: Layout) -> jax.Array:
    """The nodes in `y`, shape (B m,), as one row a sample, shape (B, m)."""
    return jnp.concatenate(list(layout.views(y).values()), axis=1)


def _flat(Z: jax.Array, layout: Layout) -> jax.Array:
    """The inverse of `_rows`."""
    ends = np.cumsum([shape[1] for shape in layout.shapes.values()])[:-1]
    return jnp.concatenate([part.ravel() for part in jnp.split(Z, ends, axis=1)])

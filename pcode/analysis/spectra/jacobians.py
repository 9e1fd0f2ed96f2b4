r"""The Jacobians of the nodes, of the weights on the slow manifold, and of all together.

With the unknowns in two groups, nodes z and weights w, J = [[J_zz, J_zw], [J_wz, J_ww]]. J_zz falls
apart into one block a sample. On the slow manifold, nodes at rest, the weights have the Jacobian

    S = J_ww - J_wz J_zz^{-1} J_zw,

the Schur complement of the nodes: the limit tau/delta -> 0 of the slow part of J (Fenichel 1979).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ...base._jax import jax, jnp
from ...model.network import Array
from ...system import elimination as newton
from ...system.abscissa import jacobians, movable
from ...system.coupled import Parameters, Structure, linearise, vector_field
from ...system.problem import Problem
from ...system.rest import holding_weights


@partial(jax.jit, static_argnames="structure")
def _schur_action(y: Any, v: Any, p: Parameters, structure: Structure, factors: newton.Factors) -> Any:
    """S v, shape (N_w,), with `factors` those of tau J_zz."""
    k = structure.layout.node_count
    nodes = _nodes_only(structure)

    def action(d: Any) -> Any:
        return jax.jvp(lambda z: vector_field(0.0, z, p, structure), (y,), (d,))[1]

    moved = action(jnp.concatenate([jnp.zeros(k), v]))
    follow = newton.solve(factors, p.tau * moved[:k], p, nodes)
    return moved[k:] + action(jnp.concatenate([follow, jnp.zeros_like(v)]))[k:]


@partial(jax.jit, static_argnames="structure")
def _schur_matrix(y: Any, p: Parameters, structure: Structure, factors: newton.Factors) -> Any:
    """S, shape (N_w, N_w)."""
    size = structure.layout.size - structure.layout.node_count

    def column(k: Any) -> Any:
        return _schur_action(y, jnp.zeros(size).at[k].set(1.0), p, structure, factors)

    return jax.lax.map(column, jnp.arange(size), batch_size=32).T


@partial(jax.jit, static_argnames="structure")
def _newton_factors(y: Any, p: Parameters, structure: Structure) -> newton.Factors:
    return newton.factor(linearise(0.0, y, p, structure), p.tau, p, structure, 0.0)


@partial(jax.jit, static_argnames=("structure", "count"))
def _propagated(y: Any, v: Any, p: Parameters, structure: Structure, h: Any, count: int) -> Any:
    """`count` steps of the classical Runge-Kutta method of length `h` along dv/dt = J v."""
    _, action = jax.linearize(lambda z: vector_field(0.0, z, p, structure), y)

    def step(_: Any, v: Any) -> Any:
        k1 = action(v)
        k2 = action(v + 0.5 * h * k1)
        k3 = action(v + 0.5 * h * k2)
        k4 = action(v + h * k3)
        return v + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    return jax.lax.fori_loop(0, count, step, v)


@dataclass(frozen=True, eq=False)
class NodeSystem:
    """The nodes at a state, weights held, linearised.

    Parameters
    ----------
    problem : Problem
        Not reduced, or reduced: what is asked of it is where it starts.
    """

    problem: Problem

    @cached_property
    def held(self) -> Problem:
        """The same, with the weights held."""
        if not self.problem.layout.learn:
            return self.problem
        return _held(self.problem)

    @cached_property
    def free(self) -> Any:
        """Which of each sample's m nodes are free, shape (B, m)."""
        held = self.held
        moves = movable(held.parameters, held.structure)
        return np.asarray(held.layout.rows(moves, jnp)) > 0.0

    @property
    def size(self) -> int:
        """m, the nodes of a sample."""
        return int(self.free.shape[1])

    def blocks(self) -> list[Array]:
        """The Jacobian of every sample's free nodes."""
        held = self.held
        every = np.arange(held.layout.batch)
        blocks = np.asarray(jacobians(0.0, held.y0, held.parameters, held.structure, every))
        return [block[np.ix_(mask, mask)] for block, mask in zip(blocks, self.free, strict=True)]

    @cached_property
    def flat_free(self) -> Any:
        """Which of the N node unknowns are free, shape (N,)."""
        return self.held.layout.flat(self.free)

    def action(self, v: Array) -> Array:
        """J v, shape (N,)."""
        return self.held.jacobian_action(0.0, self.held.y0, v)

    def inverse(self, shift: float) -> Any:
        """The function r -> (J - shift)^{-1} r, by the structured elimination; `shift` > 0."""
        factors = self.held.factor(0.0, self.held.y0, 1.0 / shift)
        return lambda r: -self.held.solve(factors, r) / shift

    def propagate(self, v: Array, time: float, fastest: float) -> Array:
        """exp(J time) v, nearly: by steps that are short beside 1/`fastest`."""
        count = max(1, int(np.ceil(2.0 * fastest * time)))
        held = self.held
        return np.asarray(_propagated(held.y0, v, held.parameters, held.structure, time / count, count))


@dataclass(frozen=True, eq=False)
class SlowSystem:
    """The weights with the nodes slaved to them, linearised at a state of rest.

    Parameters
    ----------
    problem : Problem
        Whose weights learn; reduced or not.
    """

    problem: Problem

    @property
    def size(self) -> int:
        """Number of weights that are unknowns."""
        layout = self.problem.layout
        return layout.size - layout.node_count

    @cached_property
    def _factors(self) -> newton.Factors:
        k = self.problem.layout.node_count
        held = _held(self.problem)
        return _newton_factors(self.problem.y0[:k], held.parameters, held.structure)  # type: ignore[no-any-return]

    def action(self, v: Array) -> Array:
        """S v, shape (N_w,)."""
        problem = self.problem
        return np.asarray(_schur_action(problem.y0, v, problem.parameters, problem.structure, self._factors))

    def matrix(self) -> Array:
        """S, shape (N_w, N_w)."""
        problem = self.problem
        return np.asarray(_schur_matrix(problem.y0, problem.parameters, problem.structure, self._factors))


def _held(problem: Problem) -> Problem:
    """`problem`, in its own unknowns, with the weights held."""
    if problem.structure == problem.reduction.structure:
        return holding_weights(problem)
    t, structure = 0.0, problem.structure
    state = linearise(t, problem.y0, problem.parameters, structure).state
    weights = jax.tree.map(np.asarray, state.weights)
    if weights.W is None:
        weights = weights._replace(W=tuple(M.T for M in weights.M))
    held = _nodes_only(structure)
    parameters = problem.parameters._replace(held=weights)
    y0 = problem.y0[: structure.layout.node_count]
    return replace(problem, structure=held, parameters=parameters, y0=y0)


def _nodes_only(structure: Structure) -> Structure:
    """The structure of the same nodes, with weights that are held as they are."""
    layout = replace(structure.layout, learn=False, feedback="fixed")
    return structure._replace(layout=layout, gap=False)

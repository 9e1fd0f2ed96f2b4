r"""The Jacobians of the nodes, of the weights on the slow manifold, and of all together.

With the unknowns in two groups, nodes z and weights w, J = [[J_zz, J_zw], [J_wz, J_ww]]. J_zz falls
apart into one block a sample. On the slow manifold, nodes at rest, the weights have the Jacobian

    S = J_ww - J_wz J_zz^{-1} J_zw,

the Schur complement of the nodes: the limit tau/delta -> 0 of the slow part of J (Fenichel 1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from ...base._jax import Alone, jax, jnp
from ...model.network import Array
from ...system.abscissa import jacobians
from ...system.coupled import System
from ...system.elimination import solve_exactly
from ...system.problem import Problem
from ...system.runge_kutta import rk4_step


@Alone
@jax.jit
def _schur_action(system: System, held: System, y: Any, v: Any, factors: Any) -> Any:
    """S v, shape (N_w,), with `factors` those of -tau J_zz, and `held` the nodes' own system."""
    k, tau = system.layout.node_count, system.constants.longest_tau
    action = system.action(0.0, y)
    moved = action(jnp.concatenate([jnp.zeros(k), v]))
    follow = solve_exactly(held, 0.0, y[:k], factors, tau * moved[:k], tau, 0.0)
    return moved[k:] + action(jnp.concatenate([follow, jnp.zeros_like(v)]))[k:]


@Alone
@jax.jit
def _schur_matrix(system: System, held: System, y: Any, factors: Any, there: Any) -> Any:
    """The columns `there` of S, shape (N_w, K)."""
    size = system.layout.size - system.layout.node_count

    def column(k: Any) -> Any:
        return _schur_action(system, held, y, jnp.zeros(size).at[k].set(1.0), factors)

    return jax.lax.map(column, there, batch_size=32).T


@Alone
@jax.jit
def _newton_factors(held: System, z: Any) -> Any:
    return held.factor(held.linearise(0.0, z), held.constants.longest_tau, 0.0)


@Alone
@partial(jax.jit, static_argnames="count")
def _propagated(system: System, y: Any, v: Any, h: Any, count: int) -> Any:
    """`count` steps of the classical Runge-Kutta method of length `h` along dv/dt = J v."""
    action = system.action(0.0, y)

    def step(_: Any, v: Any) -> Any:
        return rk4_step(action, v, h)

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
        return self.problem.hold() if self.problem.layout.learn else self.problem

    @cached_property
    def free(self) -> Any:
        """Which of each sample's m nodes are free, shape (B, m)."""
        held = self.held
        return np.asarray(held.layout.rows(held.system.free_mask(), jnp)) > 0.0

    @property
    def size(self) -> int:
        """m, the nodes of a sample."""
        return int(self.free.shape[1])

    def blocks(self) -> list[Array]:
        """The Jacobian of every sample's free nodes."""
        held = self.held
        every = np.arange(held.layout.batch)
        blocks = np.asarray(jacobians(held.system, 0.0, held.y0, every))
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
        held, a = self.held, 1.0 / shift
        solve = held.factor_exactly(0.0, held.y0, a)
        return lambda r: -a * np.asarray(solve(r))

    def propagate(self, v: Array, time: float, fastest: float) -> Array:
        """exp(J time) v, nearly: by steps that are short beside 1/`fastest`."""
        count = max(1, int(np.ceil(2.0 * fastest * time)))
        held = self.held
        return np.asarray(_propagated(held.system, held.y0, v, time / count, count))


@dataclass(frozen=True, eq=False)
class SlowSystem:
    """The weights with the nodes slaved to them, linearised at a state of rest.

    Parameters
    ----------
    problem : Problem
        Whose weights learn; reduced or not.
    """

    problem: Problem

    @cached_property
    def there(self) -> Any:
        """Which of the unknown weights there are: not those that a mask leaves out."""
        return self._gains != 0.0

    @cached_property
    def _gains(self) -> Any:
        problem = self.problem
        return problem.layout.gains(problem.constants.mask)[problem.layout.node_count :]

    @property
    def size(self) -> int:
        """Number N_w of weights that are unknowns, without those that a mask leaves out."""
        return int(self.there.sum())

    @property
    def clocks(self) -> Array:
        """The time constant of each of these, shape (N_w,), over its gain in a reduced system."""
        deltas, there = self.problem.layout.of_links(np.asarray(self.problem.constants.delta)), self.there
        clocks: Array = deltas[there] / self._gains[there]
        return clocks

    @cached_property
    def _held(self) -> Problem:
        return self.problem.hold()

    @cached_property
    def _factors(self) -> Any:
        return _newton_factors(self._held.there, self._held.y0)

    def action(self, v: Array) -> Array:
        """S v, shape (N_w,)."""
        problem, whole = self.problem, np.zeros(self.there.size)
        whole[self.there] = v
        moved = _schur_action(problem.there, self._held.there, problem.y0, whole, self._factors)
        inner: Array = np.asarray(moved)[self.there]
        return inner

    def matrix(self) -> Array:
        """S, shape (N_w, N_w)."""
        problem, there = self.problem, np.flatnonzero(self.there)
        held = self._held.there
        return np.asarray(_schur_matrix(problem.there, held, problem.y0, self._factors, there))[there]

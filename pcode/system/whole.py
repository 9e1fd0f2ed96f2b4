"""The nodes of each sample as one matrix, for networks of few nodes.

The equations are those of `pcode.system.chain`. With the unknown nodes of a sample in one row z they are
z A = r, and A is inverted as a whole. For few nodes that takes less time than the chain, which consists of
many operations on small arrays, and it is exact whatever the pivots are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..base._jax import jnp
from ..model.dynamics import Layers
from .coupled import System
from .derivatives import Point


class Whole(NamedTuple):
    """A^{-1} of each sample, shape (B, m, m); the rows of A are those of x^l where free, then of eps^l."""

    inverse: Any


def node_count(system: System) -> int:
    """The number m of nodes that are solved for in a sample."""
    layout = system.layout
    free = sum(size for size, moves in zip(layout.sizes, layout.free, strict=True) if moves)
    return int(free + sum(layout.sizes[1:]))


def factor(system: System, point: Point, a: Any, one: Any) -> Whole:
    """Factor the nodes' block of (one I - a J), `one` of shape (B, 1)."""
    layout, weights = system.layout, point.state.weights
    n, batch, free = layout.n, layout.batch, layout.free
    blocks: dict[tuple[str, str], Any] = {}

    def diagonal(values: Any, size: int) -> Any:
        return jnp.broadcast_to(values, (batch, size))[:, :, None] * jnp.eye(size)

    for k, size in enumerate(layout.sizes):
        value, moves = point.value[k], free[k]
        if moves:
            D = jnp.where(point.free[k] > 0.0, one - a * value.x, 1.0)
            blocks[f"x{k}", f"x{k}"] = diagonal(D, size)
        if k > 0:
            error = point.error[k - 1]
            blocks[f"e{k}", f"e{k}"] = diagonal(system.dynamic[k - 1] * one - a * error.eps, size)
            if moves:
                blocks[f"x{k}", f"e{k}"] = diagonal(-a * error.x, size)
                blocks[f"e{k}", f"x{k}"] = diagonal(-a * value.eps, size)
        if k < n and moves:
            M, above = weights.M[k], point.error[k]
            if not system.structure.fixed:
                ahead = point.slope[k][:, :, None] * M
                blocks[f"x{k}", f"e{k + 1}"] = ahead * (-a * above.input)[:, None, :]
            back = jnp.broadcast_to(a * value.input, (batch, size))
            blocks[f"e{k + 1}", f"x{k}"] = -weights.feedback[k] * back[:, None, :]
    names = [f"x{k}" for k in range(n + 1) if free[k]] + [f"e{k}" for k in range(1, n + 1)]
    sizes = {name: layout.sizes[int(name[1:])] for name in names}

    def column(to: str) -> Any:
        rows = (blocks.get((of, to), jnp.zeros((batch, sizes[of], sizes[to]))) for of in names)
        return jnp.concatenate(list(rows), axis=1)

    return Whole(jnp.linalg.inv(jnp.concatenate([column(name) for name in names], axis=2)))


def solve(nodes: Whole, P: Layers, q: Layers, free: tuple[bool, ...]) -> tuple[Layers, Layers]:
    """Values of layers 0..n and errors of layers 1..n, shapes (B, n_l); see `chain.solve`."""
    moving = [q_l for q_l, moves in zip(q, free, strict=True) if moves]
    r = jnp.concatenate([*moving, *P], axis=1)
    z = jnp.einsum("bi,bij->bj", r, nodes.inverse)
    parts, at = [], 0
    for part in (*moving, *P):
        parts.append(z[:, at : at + part.shape[1]])
        at += part.shape[1]
    found = iter(parts)
    d_x = tuple(next(found) if moves else q_l for q_l, moves in zip(q, free, strict=True))
    return d_x, tuple(found)

"""Inverses of many small matrices without LAPACK, for compiled code that works on many members at once."""

from __future__ import annotations

from typing import Any

from ..base._jax import jax, jnp


def written_out(matrices: Any) -> Any:
    """The inverses of matrices, shape (..., n, n), by Gauss-Jordan elimination with partial pivoting.

    Every operation is elementwise or a sum over an axis, so that it is the same for all matrices. Where one
    is singular, its inverse is not finite.
    """
    n = matrices.shape[-1]
    if n == 1:
        return 1.0 / matrices
    eye = jnp.broadcast_to(jnp.eye(n, dtype=matrices.dtype), matrices.shape)
    rows = jnp.concatenate([matrices, eye], axis=-1)

    def eliminate(k: Any, carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        rows, used, order = carry
        column = jnp.sum(jnp.where(jnp.arange(2 * n) == k, rows, 0.0), axis=-1)
        size = jnp.where(used, -1.0, jnp.abs(column))
        # The first of the largest; none is larger than what is not a number.
        largest = size == jnp.max(size, axis=-1, keepdims=True)
        pivot = largest & (jnp.cumsum(largest, axis=-1) == 1)
        row = jnp.sum(jnp.where(pivot[..., None], rows, 0.0), axis=-2, keepdims=True)
        row = row / jnp.sum(jnp.where(pivot, column, 0.0), axis=-1)[..., None, None]
        rows = jnp.where(pivot[..., None], row, rows - column[..., None] * row)
        return rows, used | pivot, order + k * pivot

    begun = rows, jnp.zeros(matrices.shape[:-1], bool), jnp.zeros(matrices.shape[:-1], int)
    rows, _, order = jax.lax.fori_loop(0, n, eliminate, begun)
    # Row i of what is left belongs at order[i].
    places = order[..., None, :] == jnp.arange(n)[:, None]
    return jnp.sum(jnp.where(places[..., None], rows[..., None, :, n:], 0.0), axis=-2)

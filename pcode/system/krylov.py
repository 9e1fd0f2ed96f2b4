"""Generalised conjugate residuals: a Krylov method with a weighted norm that compiles to little code."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp

Operator = Callable[[Any], Any]

# If the stored vectors have at most this many entries, they are allocated at once. That is cheap then, and
# the operator, which takes seconds to compile, appears once in the compiled code instead of twice.
SMALL = 50_000


class _Carry(NamedTuple):
    k: Any  # iterations done
    d: Any  # solution so far
    r: Any  # residual
    size: Any  # norm of r
    directions: Any
    images: Any  # images of the directions, weighted and orthonormal


def norm_of(v: Any, weight: Any) -> Any:
    """Root mean square of v * weight, shapes (N,)."""
    return jnp.sqrt(jnp.mean((v * weight) ** 2))


def conjugate_residuals(
    operator: Operator, r: Any, weight: Any, enough: float, vectors: int, limit: int
) -> Any:
    """`gcr` in NumPy, for an operator that is a function of NumPy's arrays and cannot be traced."""
    d, kept = np.zeros_like(r), deque[tuple[Any, Any]](maxlen=vectors)
    for _ in range(limit):
        direction, image = r, operator(r) * weight
        for earlier, of_earlier in kept:
            overlap = of_earlier @ image
            direction, image = direction - overlap * earlier, image - overlap * of_earlier
        square = image @ image
        # If the operator is singular the image can be 0: the iterate then does not change.
        scale = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
        image, direction = scale * image, scale * direction
        part = image @ (r * weight)
        d, r = d + part * direction, r - part * image / weight
        kept.append((direction, image))
        if not size_of(r, weight) > enough:
            break
    return d


def size_of(v: Any, weight: Any) -> float:
    """`norm_of` in NumPy."""
    scaled = v * weight
    return math.sqrt(scaled @ scaled / scaled.size)


def few_iterations(operator: Operator, r: Any, weight: Any, count: int) -> tuple[Any, Any]:
    """The d, shape (N,), of `gcr` after `count` iterations, and the norm of the residual.

    It has no control flow, which on short vectors would take longer than an iteration. But it takes longer to
    compile, as the operator appears in it `count` times.
    """
    d, kept = jnp.zeros_like(r), list[tuple[Any, Any]]()
    operator = jax.jit(operator)
    for _ in range(count):
        direction, image = r, operator(r) * weight
        for earlier, of_earlier in kept:
            overlap = of_earlier @ image
            direction, image = direction - overlap * earlier, image - overlap * of_earlier
        direction, image, d, r = _advanced(d, r, direction, image, weight)
        kept.append((direction, image))
    return d, norm_of(r, weight)


def _advanced(d: Any, r: Any, direction: Any, image: Any, weight: Any) -> tuple[Any, Any, Any, Any]:
    """Direction and image, normalised, and the solution and the residual updated along them."""
    square = image @ image
    # If the operator is singular the image can be 0: the iterate then does not change.
    scale = jnp.where(square > 0.0, jax.lax.rsqrt(square), 0.0)
    image, direction = scale * image, scale * direction
    part = image @ (r * weight)
    return direction, image, d + part * direction, r - part * image / weight


def gcr(
    operator: Operator, r: Any, weight: Any, rtol: float, atol: Any, vectors: int, limit: int | None = None
) -> Any:
    """The d with operator(d) = r, by generalised conjugate residuals.

    In exact arithmetic its iterates are those of GMRES (Eisenstat, Elman and Schultz 1983), but the residual
    is available as a vector, and its norm can be a weighted one. `operator` and `r` should be preconditioned,
    so that the norm measures the error of d.

    Parameters
    ----------
    operator : callable
        A linear map of vectors, shapes (N,).
    r : array, shape (N,)
    weight : array, shape (N,)
        The norm of v is the root mean square of v * weight.
    rtol, atol : scalar
        It ends when the norm of the residual is below ``rtol * norm_of(r, weight)`` or `atol`.
    vectors : int
        Number of directions kept; the oldest is dropped when there are more.
    limit : int, optional
        Most iterations; `vectors` by default.
    """
    limit = vectors if limit is None else limit
    operator = jax.jit(operator)  # traced once for the two places where it is applied

    def image_of(direction: Any) -> Any:
        return operator(direction) * weight

    def orthogonal(c: _Carry, direction: Any, image: Any) -> tuple[Any, Any]:
        def against(j: Any, pair: tuple[Any, Any]) -> tuple[Any, Any]:
            direction, image = pair
            overlap = c.images[j] @ image
            return direction - overlap * c.directions[j], image - overlap * c.images[j]

        pair: tuple[Any, Any] = jax.lax.fori_loop(0, jnp.minimum(c.k, vectors), against, (direction, image))
        return pair

    def iterate(c: _Carry) -> _Carry:
        direction, image = orthogonal(c, c.r, image_of(c.r))
        direction, image, d, r = _advanced(c.d, c.r, direction, image, weight)
        slot = c.k % vectors
        kept = c.directions.at[slot].set(direction), c.images.at[slot].set(image)
        return _Carry(c.k + 1, d, r, norm_of(r, weight), *kept)

    def going_on(direction: Any, image: Any, d: Any, r: Any) -> Any:
        none = jnp.zeros((vectors, r.size))
        start = _Carry(
            jnp.ones((), int), d, r, norm_of(r, weight), none.at[0].set(direction), none.at[0].set(image)
        )
        return jax.lax.while_loop(unfinished, iterate, start).d

    def unfinished(c: _Carry) -> Any:
        return (c.k == 0) | ((c.k < limit) & (c.size > enough))

    size = norm_of(r, weight)
    enough = jnp.maximum(rtol * size, atol)
    start = _Carry(jnp.zeros((), int), jnp.zeros_like(r), r, size, None, None)
    if vectors * r.size <= SMALL:
        room = jnp.zeros((vectors, r.size))
        start = start._replace(directions=room, images=room)
        return jax.lax.while_loop(unfinished, iterate, start).d
    # One vector is often enough: memory for more is allocated only if needed.
    first = _advanced(start.d, r, r, image_of(r), weight)
    return jax.lax.cond(norm_of(first[3], weight) > enough, going_on, lambda *done: done[2], *first)

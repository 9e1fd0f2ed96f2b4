"""A Krylov method for (I - a J) d = r that compiles to little code and knows when it is good enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .._jax import jax, jnp

Operator = Callable[[Any], Any]


class _Carry(NamedTuple):
    k: Any  # iterations done
    d: Any  # solution so far
    r: Any  # what is left of the right-hand side
    size: Any  # norm of r
    directions: Any
    images: Any  # of the directions, weighted and orthonormal


def gcr(
    operator: Operator, r: Any, weight: Any, rtol: float, atol: float, vectors: int, limit: int | None = None
) -> Any:
    """The d with operator(d) = r, by generalised conjugate residuals.

    In exact arithmetic its iterates are those of GMRES (Eisenstat, Elman and Schultz 1983), but the
    residual is at hand as a vector, and its norm can be any weighted one. `operator` and `r` are
    to be preconditioned, so that the norm measures the error of d rather than of its image.

    Parameters
    ----------
    operator : callable
        A linear map of vectors, shapes (N,).
    r : array, shape (N,)
    weight : array, shape (N,)
        The norm of v is the root mean square of v * weight.
    rtol, atol : float
        It ends when the norm of what is left of `r` is below ``rtol * norm(r)`` or `atol`.
    vectors : int
        How many directions are kept; the oldest goes when there are more.
    limit : int, optional
        Most iterations; `vectors` if not given.
    """
    limit = vectors if limit is None else limit

    def norm(v: Any) -> Any:
        return jnp.sqrt(jnp.mean((v * weight) ** 2))

    def going(c: _Carry) -> Any:
        return (c.k < limit) & (c.size > enough)

    def iterate(c: _Carry) -> _Carry:
        direction, image = c.r, operator(c.r) * weight
        overlap = c.images @ image
        image = image - overlap @ c.images
        direction = direction - overlap @ c.directions
        square = image @ image
        # Where the operator is singular nothing is left of an image: the iterate then stays.
        scale = jnp.where(square > 0.0, jax.lax.rsqrt(square), 0.0)
        image, direction = scale * image, scale * direction
        part = image @ (c.r * weight)
        r = c.r - part * image / weight
        return _Carry(
            c.k + 1,
            c.d + part * direction,
            r,
            norm(r),
            c.directions.at[c.k % vectors].set(direction),
            c.images.at[c.k % vectors].set(image),
        )

    size = norm(r)
    enough = jnp.maximum(rtol * size, atol)
    none = jnp.zeros((vectors, r.size))
    start = _Carry(jnp.zeros((), int), jnp.zeros_like(r), r, size, none, none)
    return jax.lax.while_loop(going, iterate, start).d

"""Norms of arrays, and how two of them compare as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jax import jnp


def angle(a: Any, b: Any, xp: Any = np) -> Any:
    """Angle between two arrays of the same shape, taken as vectors, in degrees; NaN where one is 0.

    By Kahan's formula, which is exact to rounding for small angles too; `xp` is NumPy or JAX's NumPy.
    """
    a, b = a / norm(a, xp), b / norm(b, xp)
    return xp.degrees(2.0 * xp.arctan2(norm(a - b, xp), norm(a + b, xp)))


def norm(a: Any, xp: Any = np) -> Any:
    """Euclidean norm of an array of any shape."""
    return xp.sqrt(xp.sum(a**2))


def largest(*arrays: Any) -> float:
    """Largest absolute value in several arrays, NaN left out; 0 if there is none."""
    # `np.nanmax` takes three times as long for small arrays.
    return max(float(np.fmax.reduce(np.abs(a), axis=None, initial=0.0)) for a in arrays)


def in_layers(function: Any, a: Any, b: Any) -> Any:
    """``function(a[l], b[l])`` for every layer, as one JAX array, shape (n,)."""
    return jnp.stack([function(a_l, b_l) for a_l, b_l in zip(a, b, strict=True)])

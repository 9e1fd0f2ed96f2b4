"""Checks of a function that is to be an activation: that it is elementwise, differentiable and real."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base._jax import jax, jnp
from ..base.errors import InputError, cut

Elementwise = Callable[[Any], Any]
Values = NDArray[np.float64]

# Where functions are looked at: 0, and some values on both sides that are no special ones, in no order.
POINTS = np.array([[1.27, -3.1, 0.0], [2.9, 0.41, -0.83]])

# Relative difference up to which two values count as the same.
SAME = 1e-9

# Range and number of the points between which jumps are searched, and halvings until two are neighbours.
REACH, SEARCHED, HALVINGS = 10.0, 2001, 80

JAX_NUMPY = "write it with the functions of jax.numpy, and with jnp.where in place of if"


def check_function(name: str, f: Elementwise, given: Any) -> None:
    """Check that `f` can be traced and maps each entry of a float64 array to a real number by itself.

    Parameters
    ----------
    name : str
        Its name, for errors.
    f : callable
        Array to array.
    given : callable
        The user's function, to find its like in `jax.numpy`.

    Raises
    ------
    InputError
        If it does not.
    """
    f = jax.jit(f)
    values = _traced(name, f, given)
    if not hasattr(values, "dtype") or values.shape != POINTS.shape:
        shape = getattr(values, "shape", None)
        got = f"shape {shape}" if shape is not None else f"a value of type {type(values).__name__}"
        what = f"gives {got} for an array of shape {POINTS.shape}; it must keep the shape"
        raise InputError("f", f"{name} {what}")
    if values.dtype != np.float64:
        what = f"gives {values.dtype} for float64; it must give real numbers of the same precision"
        raise InputError("f", f"{name} {what}")
    for at, value in np.ndenumerate(np.asarray(values)):
        alone = np.asarray(f(POINTS[at].reshape(1, 1)))
        if alone.shape != (1, 1) or not same(float(alone[0, 0]), float(value)):
            what = "is not elementwise: an entry of its result depends on other entries, or on their number"
            raise InputError("f", f"{name} {what}; it must map each value by itself")
    at_zero = float(np.asarray(values)[POINTS == 0.0][0])
    if not np.isfinite(at_zero):
        raise InputError("f", f"{name} is {at_zero} at x = 0; it must be finite there")
    jumps = _jumps(f)
    if jumps:
        what = f"jumps at x = {told(jumps)}; an activation must be continuous (its slope may jump, see kinks)"
        raise InputError("f", f"{name} {what}")


def _traced(name: str, f: Elementwise, given: Any) -> Any:
    """The values of `f`, a compiled function, at `POINTS`."""
    try:
        return f(POINTS)
    except InputError:
        raise
    except Exception as error:
        like = getattr(jnp, getattr(given, "__name__", ""), None)
        right = f"use jax.numpy.{given.__name__}" if callable(like) else JAX_NUMPY
        reason = cut(" ".join(str(error).split()).partition(". ")[0], 60)
        what = f"{name} cannot be traced by JAX ({type(error).__name__}: {reason}); {right}"
        raise InputError("f", what) from error


def check_slopes(name: str, df: Elementwise, d2f: Elementwise) -> None:
    """Raise InputError if sigma' is not finite at a point where the function is probed."""
    for function, symbol in ((df, "sigma'"), (d2f, "sigma''")):
        values = np.asarray(jax.jit(function)(POINTS))
        bad = ~np.isfinite(values)
        if bad.any():
            what = f"is {values[bad][0]} at x = {POINTS[bad][0]:g}; it must be finite"
            raise InputError("f", f"{symbol} of {name} {what}")


def check_derivative(where: str, f: Elementwise, derivative: Elementwise) -> None:
    """Raise InputError if `derivative` is not that of `f`, by JAX, away from special points."""
    points = POINTS[POINTS != 0.0]
    found = np.asarray(derivative(points))
    right = np.asarray(jax.jvp(f, (jnp.asarray(points),), (jnp.ones(points.shape),))[1])
    if found.shape != points.shape:
        raise InputError(where, f"gives shape {found.shape} for shape {points.shape}; it must keep the shape")
    wrong = ~np.isclose(found, right, rtol=1e-6, atol=1e-9)
    if wrong.any():
        x, got, wanted = (part[wrong][0] for part in (points, found, right))
        raise InputError(
            where, f"is not the derivative: at x = {x:g} it is {got:g}, and should be {wanted:g}"
        )


def kinks_of(df: Elementwise) -> tuple[float, ...]:
    """The points from -10 to 10 at which the slope jumps, as far as a search on a grid finds them."""
    return _jumps(df)


def _jumps(f: Elementwise) -> tuple[float, ...]:
    """Points at which `f` jumps: between two neighbouring numbers it changes as much as before."""
    f = jax.jit(f)
    grid = np.linspace(-REACH, REACH, SEARCHED) + 1e-3 / math.e  # so that no point is a round number
    values = np.asarray(f(grid))
    with np.errstate(invalid="ignore"):
        change = np.abs(np.diff(values))
    usual = np.median(change[np.isfinite(change)]) if np.isfinite(change).any() else 0.0
    at = np.flatnonzero(np.isfinite(change) & (change > 4.0 * usual + 1e-6))
    low, high, f_low, f_high = grid[at], grid[at + 1], values[at], values[at + 1]
    for _ in range(HALVINGS if at.size else 0):
        middle = 0.5 * (low + high)
        f_middle = np.asarray(f(np.resize(middle, SEARCHED)))[: at.size]  # one shape, compiled once
        left = np.abs(f_middle - f_low) > np.abs(f_high - f_middle)
        high, f_high = np.where(left, middle, high), np.where(left, f_middle, f_high)
        low, f_low = np.where(left, low, middle), np.where(left, f_low, f_middle)
    jumped = np.abs(f_high - f_low) > 0.1 * change[at]
    return tuple(sorted({_short(float(x)) for x in low[jumped]}))


def _short(x: float) -> float:
    """The short number that is `x` but for rounding: a jump at 0.5 is found at it or right beside it."""
    short = 0.0 if abs(x) < 1e-20 else float(f"{x:.12g}")
    return short if abs(short - x) <= 1e-14 * max(1.0, abs(x)) else x


def told(points: Sequence[float]) -> str:
    """Points in words, the first few of many."""
    words = [f"{x:.15g}" for x in points[:6]]
    return f"{', '.join(words)}, ..." if len(points) > 6 else " and ".join(words)


def values_of(f: Elementwise) -> list[float | None]:
    """Values of `f` by which a file knows it again; None where not finite."""
    values = np.asarray(f(POINTS)).ravel().tolist()
    return [value if np.isfinite(value) else None for value in values]


def differing(f: Elementwise, values: Sequence[float | None]) -> tuple[float | None, ...] | None:
    """The first point at which `f` has not these `values`: the point, its value, and the one in `values`."""
    for x, found, kept in zip(POINTS.ravel().tolist(), values_of(f), values, strict=False):
        if (found is None) != (kept is None):
            return x, found, kept
        if found is not None and kept is not None and not same(found, kept):
            return x, found, kept
    return None


def same(a: float, b: float) -> bool:
    """Whether two values are equal but for rounding."""
    return a == b or (np.isnan(a) and np.isnan(b)) or abs(a - b) <= SAME * max(1.0, abs(a), abs(b))

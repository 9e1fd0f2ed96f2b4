"""Curves of equilibria by pseudo-arclength continuation (Keller 1977).

The zeros of G(u), m equations in m + 1 unknowns u = (z, w), are curves. From a point u with unit tangent
T the next one is sought in the plane that is one step s ahead,

    G(v) = 0,   T . (v - u - s T) = 0,

by Newton's method. The matrix of this system is regular where the curve turns back in w, so a fold is
passed like any other point: there the tangent's last component changes its sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from ...model.network import Array

# Lengths of steps in scaled units, most points of one curve, and Newton's method.
SHORTEST, FIRST, LONGEST = 1e-6, 2e-3, 1e-2
MOST_POINTS = 1500
MOST_ITERATIONS, ACCURACY = 8, 1e-11


@dataclass(frozen=True, eq=False)
class Curve:
    """A stretch of a curve of zeros.

    Attributes
    ----------
    points : ndarray, shape (V, m + 1)
    folds : ndarray of int
        Which of the points are folds: there the last unknown turns back.
    closed : bool
    """

    points: Array
    folds: Any
    closed: bool


@dataclass(frozen=True)
class Equations:
    """Equations G(u) = 0 with their Jacobian, and what counts as a unit of each unknown.

    Attributes
    ----------
    G : callable
        Array of shape (m + 1,) to one of shape (m,).
    jacobian : callable
        To one of shape (m, m + 1).
    scale : ndarray, shape (m + 1,)
    inside : callable
        Whether a point is still to be followed.
    """

    G: Callable[[Array], Array]
    jacobian: Callable[[Array], Array]
    scale: Array
    inside: Callable[[Array], bool]

    def scaled_jacobian(self, u: Array) -> Array:
        """By unknowns in their units."""
        return self.jacobian(u) * self.scale

    def tangent(self, u: Array, before: Array) -> Array:
        """Unit tangent of the curve at `u`, in scaled units, in the sense of `before`."""
        bordered = np.vstack([self.scaled_jacobian(u), before])
        right = np.zeros(u.size)
        right[-1] = 1.0
        try:
            T = np.linalg.solve(bordered, right)
        except np.linalg.LinAlgError:
            return before
        return T / np.linalg.norm(T)

    def corrected(self, guess: Array, T: Array) -> tuple[Array | None, int]:
        """The zero in the plane through `guess` across `T`, and the iterations; None where none is near."""
        u = guess
        for k in range(MOST_ITERATIONS):
            bordered = np.vstack([self.scaled_jacobian(u), T])
            right = np.append(-self.G(u), T @ ((guess - u) / self.scale))
            try:
                step = np.linalg.solve(bordered, right)
            except np.linalg.LinAlgError:
                return None, k
            u = u + step * self.scale
            if not np.isfinite(u).all() or np.abs(step).max() > 1.0:
                return None, k
            if np.abs(step).max() < ACCURACY:
                return u, k + 1
        return (u, MOST_ITERATIONS) if np.abs(step).max() < 1e-8 else (None, MOST_ITERATIONS)


def follow(system: Equations, start: Array) -> Curve:
    """The curve through the zero `start`, both ways, until it leaves or closes.

    Parameters
    ----------
    system : Equations
    start : ndarray, shape (m + 1,)
    """
    any_sense = np.zeros(start.size)
    _, _, V = np.linalg.svd(system.scaled_jacobian(start))
    first = system.tangent(start, V[-1] if V.size else any_sense)
    ahead, folds_ahead, closed = _half(system, start, first)
    if closed:
        return Curve(np.array([*ahead, ahead[0]]), np.array(folds_ahead, dtype=int), True)
    back, folds_back, _ = _half(system, start, -first)
    points = np.array([*back[:0:-1], *ahead])
    offset = len(back) - 1
    folds = [offset - k for k in folds_back] + [offset + k for k in folds_ahead]
    return Curve(points, np.array(sorted(folds), dtype=int), False)


def _half(system: Equations, start: Array, T: Array) -> tuple[list[Array], list[int], bool]:
    """The points from `start` on in the sense of `T`, which are folds, and whether it came back."""
    points, folds = [start], []
    u, first, step = start, T, FIRST
    while len(points) < MOST_POINTS:
        v, iterations = system.corrected(u + step * T * system.scale, T)
        if v is not None:
            T_next = system.tangent(v, T)
        if v is None or T_next @ T < 0.97:  # a turn of 14 degrees: the curve would look broken
            step *= 0.5
            if step < SHORTEST:
                break
            continue
        if T[-1] * T_next[-1] < 0.0:
            fold = _fold(system, u, T, step)
            if fold is not None:
                folds.append(len(points))
                points.append(fold)
        points.append(v)
        if not system.inside(v):
            break
        gone = np.linalg.norm((v - start) / system.scale)
        if len(points) > 10 and gone < 1.5 * step and T_next @ first > 0.9:
            return points, folds, True
        u, T = v, T_next
        step = float(np.clip(step * (1.3 if iterations <= 4 else 0.7), SHORTEST, LONGEST))
    return points, folds, False


def _fold(system: Equations, u: Array, T: Array, step: float) -> Array | None:
    """The point within a step from `u` at which the curve turns back in its last unknown."""

    def ahead(s: float) -> float:
        v, _ = system.corrected(u + s * T * system.scale, T)
        return float("nan") if v is None else float(system.tangent(v, T)[-1])

    try:
        s = scipy.optimize.brentq(ahead, 0.0, step, xtol=1e-13, rtol=1e-12)
    except ValueError:  # signs that do not differ: it is at an end of the step
        return None
    return system.corrected(u + s * T * system.scale, T)[0]

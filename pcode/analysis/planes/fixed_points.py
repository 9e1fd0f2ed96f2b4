"""Points of a plane where both rates are zero: all in a window, with their kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...base._jax import jax
from ...base.short import Short
from ...model.network import Array
from ...system.abscissa import LARGEST_DENSE, nodes_a_sample, spectral_abscissa
from ...system.coupled import System
from .field import Field
from .grid import without_rounding

Kind = Literal["node", "focus", "centre", "saddle", "degenerate"]

# Most cells of the grid from which Newton's method starts, its steps, and how far one may go, in windows.
MOST_STARTS = 400
MOST_STEPS = 30
LONGEST = 0.1

# Rates that count as zero, in parts of what is usual in the window; two points nearer than this are one.
ZERO = 1e-8
SAME = 1e-5

# Real parts, and determinants, below this part of the size of the eigenvalues count as zero.
FLAT = 1e-6

# Where no rate changes by more than this within a time constant, nothing moves the plane but what is left of
# errors that have vanished.
STILL = 1e-9

_residual = jax.jit(System.residual)


@dataclass(frozen=True, eq=False)
class FixedPoint(Short):
    """A point where both rates are zero.

    Attributes
    ----------
    point : ndarray, shape (2,)
    kind : {"node", "focus", "centre", "saddle", "degenerate"}
        By the eigenvalues of the rates of the two coordinates; degenerate where these are zero but for
        rounding.
    stable : bool
        Whether both have negative real parts: of the two coordinates among themselves.
    eigenvalues : ndarray of complex, shape (2,)
    eigenvectors : ndarray of complex, shape (2, 2)
        In columns.
    slaved : ndarray, shape (K,)
    residual : float
        Largest |tau dz/dt| / (1 + |z|) of all nodes there: where it is not small, nodes that are held are
        not at rest, and it is an equilibrium of the two coordinates only.
    growth : float or None
        Largest real part of the eigenvalues of all nodes there, in one over the unit of time, where these
        are at rest.
    """

    point: Array
    kind: Kind
    stable: bool
    eigenvalues: Any
    eigenvectors: Any
    slaved: Array
    residual: float = np.nan
    growth: float | None = None

    @property
    def name(self) -> str:
        """Kind and stability in words."""
        if self.kind in ("saddle", "centre", "degenerate"):
            return "centre" if self.kind == "centre" else f"{self.kind}"
        return f"{'stable' if self.stable else 'unstable'} {self.kind}"


def kind_of(eigenvalues: Any) -> tuple[Kind, bool]:
    """Kind and stability of a fixed point of the plane, from its two eigenvalues."""
    size = float(np.abs(eigenvalues).max())
    real, imaginary = np.real(eigenvalues), np.imag(eigenvalues)
    if size == 0.0 or np.abs(eigenvalues).min() <= FLAT * size:
        return "degenerate", False
    stable = bool((real < -FLAT * size).all())
    if np.abs(imaginary).max() > FLAT * size:
        return ("centre" if np.abs(real).max() <= FLAT * size else "focus"), stable
    return ("saddle" if real.min() < 0.0 < real.max() else "node"), stable


def fixed_points(
    field: Field, x: Array, y: Array, rates: Array, slaved: Array, scale: Array
) -> tuple[FixedPoint, ...]:
    """All points in a window where both rates are zero.

    Newton's method from every cell of the grid over which both rates change their sign.

    Parameters
    ----------
    field : Field
    x, y : ndarray, shapes (X,), (Y,)
    rates : ndarray, shape (Y, X, 2)
        On the grid.
    slaved : ndarray, shape (Y, X, K)
    scale : ndarray, shape (2,)
        The usual size of the rates.
    """
    cells = _cells(rates)
    if len(cells) > MOST_STARTS:
        cells = cells[:: -(-len(cells) // MOST_STARTS)]
    if not len(cells):
        return ()
    widths = np.array([x[-1] - x[0], y[-1] - y[0]])
    low, high = np.array([x[0], y[0]]), np.array([x[-1], y[-1]])
    starts = np.column_stack(
        [0.5 * (x[cells[:, 1]] + x[cells[:, 1] + 1]), 0.5 * (y[cells[:, 0]] + y[cells[:, 0] + 1])]
    )
    points, guess, found = _newton(field, starts, slaved[tuple(cells.T)], widths, scale)
    inside = found & ((points >= low - 1e-9 * widths) & (points <= high + 1e-9 * widths)).all(axis=1)
    kept = _distinct(points / widths, inside)
    if not kept.size:
        return ()
    jacobians = field.jacobians(points[kept], guess[kept], widths)
    made = []
    for k, J in zip(kept, jacobians, strict=True):
        if not np.isfinite(J).all():
            continue
        values, vectors = np.linalg.eig(J)
        moves = np.abs(field.clocks[:, None] * J).max() > STILL
        kind, stable = kind_of(values) if moves else ("degenerate", False)
        made.append(FixedPoint(points[k], kind, stable, values, vectors, guess[k]))
    return tuple(sorted(made, key=lambda one: tuple(one.point)))


def _cells(rates: Array) -> Any:
    """Row and column of the cells over which both rates change their sign, shape (C, 2)."""
    rates = np.stack([without_rounding(rates[:, :, k]) for k in range(2)], axis=-1)
    corners = np.stack([rates[:-1, :-1], rates[1:, :-1], rates[:-1, 1:], rates[1:, 1:]])
    with np.errstate(invalid="ignore"):
        changes = (corners.min(axis=0) <= 0.0) & (corners.max(axis=0) >= 0.0)
    return np.argwhere(changes.all(axis=-1))


def _newton(
    field: Field, points: Array, guess: Array, widths: Array, scale: Array
) -> tuple[Array, Array, Any]:
    """Points where the rates are zero, their slaved nodes, and whether Newton's method came to one."""
    points, guess = points.copy(), guess.copy()
    going = np.ones(len(points), bool)
    found = np.zeros(len(points), bool)
    for _ in range(MOST_STEPS):
        which = np.flatnonzero(going)
        if not which.size:
            break
        rates, slaved = field.rates(points[which], guess[which])
        guess[which] = slaved
        finite = np.isfinite(rates).all(axis=1)
        size = np.abs(rates / scale).max(axis=1)
        jacobians = field.jacobians(points[which], guess[which], widths)
        singular: Any = ~np.isfinite(jacobians).all(axis=(1, 2)) | ~finite
        J = np.where(singular[:, None, None], np.eye(2), jacobians) * widths / scale[:, None]
        # The pseudo-inverse: along a curve of equilibria J has no inverse.
        step = -np.einsum("gij,gj->gi", np.linalg.pinv(J, rcond=1e-9), np.nan_to_num(rates) / scale)
        length = np.abs(step).max(axis=1)
        step *= np.minimum(1.0, LONGEST / np.maximum(length, 1e-300))[:, None]
        at = (size <= ZERO) & (length <= 1e-2 * SAME) & finite
        found[which] = at
        going[which] = ~at & ~singular
        moved = which[~at & ~singular]
        points[moved] += (step * widths)[~at & ~singular]
    return points, guess, found


def _distinct(points: Array, valid: Any) -> Any:
    """Indices of those of the `valid` points, shape (G, 2), that are not the same as one before."""
    kept: list[int] = []
    for k in np.flatnonzero(valid):
        if all(np.abs(points[k] - points[j]).max() > SAME for j in kept):
            kept.append(int(k))
    return np.array(kept, dtype=int)


def rest_and_abscissa(system: System, z: Array) -> tuple[float, float | None]:
    """How far from rest the nodes `z`, shape (N,), are, and their spectral abscissa.

    Parameters
    ----------
    system : System
        Of the nodes alone, the weights held.
    z : ndarray, shape (N,)

    Returns
    -------
    float
        max |tau dz/dt| / (1 + |z|).
    float or None
        Largest real part of their eigenvalues, in one over the unit of time; None where there are too
        many for that.
    """
    residual = float(_residual(system, 0.0, z))
    layout = system.layout
    if layout.batch * nodes_a_sample(layout) ** 3 > LARGEST_DENSE:
        return residual, None
    samples = np.arange(layout.batch, dtype=np.int64)
    rate = spectral_abscissa(system.in_units_of_tau, 0.0, z, samples).rate
    return residual, rate / float(system.constants.longest_tau)

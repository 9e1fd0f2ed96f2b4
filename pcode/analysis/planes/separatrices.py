"""Separatrices: the curves along which a plane's flow comes to a saddle and leaves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from ...base.short import Short
from ...model.network import Array
from .field import Field
from .fixed_points import FixedPoint

# How far from the saddle a curve begins, in windows; how far beyond the window it is followed; how long.
BEGIN = 1e-4
MARGIN = 0.5
LONGEST = 12.0

# Evaluations of the flow for one curve, which ends with them: most take a tenth. Where the flow turns round
# at once, as at a curve of equilibria, steps could become ever shorter.
MOST_EVALUATIONS = 3_000

# A curve has come to an equilibrium where it is this near, in windows.
ARRIVED = 2e-3


@dataclass(frozen=True, eq=False)
class Separatrix(Short):
    """One half of a saddle's stable or unstable manifold in the plane.

    Attributes
    ----------
    points : ndarray, shape (V, 2)
        In the direction of the flow.
    stable : bool
        Whether it is of the stable manifold: the border between two basins.
    """

    points: Array
    stable: bool


def separatrices(
    field: Field, points: tuple[FixedPoint, ...], low: Array, high: Array
) -> tuple[Separatrix, ...]:
    """The stable and unstable manifolds of the saddles among `points`, in the window from `low` to `high`.

    From beside the saddle along its eigenvectors, backwards in time for the stable one, by arc length.
    """
    widths = high - low
    found = []
    for saddle in points:
        if saddle.kind != "saddle":
            continue
        order = np.argsort(saddle.eigenvalues.real)
        for column, stable in ((order[0], True), (order[1], False)):
            vector = np.real(saddle.eigenvectors[:, column]) / widths
            vector /= np.linalg.norm(vector)
            for sign in (1.0, -1.0):
                others = [one.point for one in points if one is not saddle]
                curve = _followed(field, saddle, sign * vector, low, widths, -1.0 if stable else 1.0, others)
                found.append(Separatrix(curve[::-1] if stable else curve, stable))
    return tuple(found)


def _followed(
    field: Field,
    saddle: FixedPoint,
    vector: Array,
    low: Array,
    widths: Array,
    sense: float,
    others: list[Array],
) -> Array:
    """The curve from a saddle along `vector` (in windows), with the flow or (`sense` -1) against it."""
    begin = (saddle.point - low) / widths
    targets = np.array([(other - low) / widths for other in others]).reshape(-1, 2)

    def direction(_: float, q: Array) -> Array:
        rates = field.rates((low + q * widths)[None], saddle.slaved[None])[0]
        scaled: Array = sense * rates[0] / widths
        size = float(np.linalg.norm(scaled))
        return scaled / size if np.isfinite(size) and size > 0.0 else np.zeros(2)

    # Exact to a hundredth of a dot. Implicit, as the flow of nodes beside weights is stiff.
    solver = scipy.integrate.LSODA(
        direction, 0.0, begin + BEGIN * vector, LONGEST, rtol=1e-5, atol=1e-7, max_step=0.02
    )
    curve = [begin, solver.y]
    while solver.status == "running" and solver.nfev < MOST_EVALUATIONS:
        solver.step()
        curve.append(solver.y)
        near = np.linalg.norm(targets - solver.y, axis=1) if len(targets) else np.array([np.inf])
        if near.min() <= ARRIVED:
            curve.append(targets[near.argmin()])
            break
        if np.abs(solver.y - 0.5).max() > 0.5 + MARGIN:
            break
    return low + np.array(curve) * widths

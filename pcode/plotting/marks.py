"""Marks along a trajectory in a plane: arrow heads, and dots at round times."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from ..model.network import Array

# Arrow heads along a trajectory, and the room of a label, in parts of the window.
ARROWS = 3
LABEL_ROOM = np.array([0.13, 0.07])

# What a round time begins with.
ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0)


def in_window(ax: Axes, path: Array) -> Array:
    """Points, shape (..., 2), in parts of the window of `ax`."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    return (path - np.array([x0, y0])) / np.array([x1 - x0, y1 - y0])  # type: ignore[no-any-return]


def lengths(ax: Axes, path: Array) -> Array:
    """Length of the path, shape (T, 2), up to each of its points, in windows."""
    steps = np.linalg.norm(np.diff(in_window(ax, path), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def arrow_heads(ax: Axes, path: Array, color: Any) -> None:
    """Arrow heads along the path, shape (T, 2), at equal parts of its length."""
    if len(path) < 2:
        return
    length = lengths(ax, path)
    if not length[-1] > 0.05:
        return
    for share in (np.arange(ARROWS) + 0.5) / ARROWS:
        at = share * length[-1]
        near = (at - 2e-3 * length[-1], at + 2e-3 * length[-1])
        x, y = (np.interp(near, length, path[:, k]).tolist() for k in range(2))
        look: dict[str, Any] = {"linewidth": 0.0, "shrinkA": 0.0, "shrinkB": 0.0, "zorder": 3.5}
        ends: dict[str, Any] = {"posA": (x[0], y[0]), "posB": (x[1], y[1])}
        ax.add_patch(FancyArrowPatch(**ends, arrowstyle="-|>", mutation_scale=9.0, color=color, **look))


def round_times(since: Array, length: Array, count: int = 5) -> list[float]:
    """Round times at which a path is at about equal parts of its length.

    Parameters
    ----------
    since : ndarray, shape (T,)
        Times since the start, rising.
    length : ndarray, shape (T,)
        Of the path up to there.
    count : int
        About so many.
    """
    found: list[float] = []
    for share in np.arange(1, count + 1) / (count + 1):
        t = float(np.interp(share * length[-1], length, since))
        if not t > 0.0 or not length[-1] > 0.0:
            continue
        power = 10.0 ** math.floor(math.log10(t))
        near = min(ROUND, key=lambda m: abs(math.log(m * power / t)))
        value = float(f"{near * power:g}")
        if value <= since[-1] and value not in found:
            found.append(value)
    return found


def time_marks(
    ax: Axes, path: Array, since: Array, times: list[float], symbol: str, color: Any, taken: Any = ()
) -> list[Array]:
    """Dots on the path at `times`, labelled in units of `symbol`, where there is room; the places used.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path, since : ndarray, shapes (T, 2), (T,)
    times : list of float
    symbol : str
        In mathtext.
    color
        Of the dots.
    taken : sequence of ndarray
        Places, in parts of the window, where labels are already.
    """
    placed = list(taken)
    for value in times:
        at = np.array([np.interp(value, since, path[:, k]) for k in range(2)])
        spot = in_window(ax, at)
        if (spot < 0.02).any() or (spot > 0.98).any():
            continue
        if any(np.abs((spot - other) / LABEL_ROOM).max() < 1.0 for other in placed):
            continue
        placed.append(spot)
        ax.plot(
            *at[:, None], linestyle="none", marker="o", markersize=2.8, color=color, zorder=4.0, gid="time"
        )
        right = spot[0] < 0.85
        ax.annotate(
            f"${number(value)}\\,{symbol}$", (at[0], at[1]), (4 if right else -4, 4),
            textcoords="offset points", fontsize=6.5,
            ha="left" if right else "right", va="bottom", zorder=6.0, annotation_clip=True,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )  # fmt: skip
    return placed


def number(value: float) -> str:
    """A number in mathtext: powers of ten for large and small ones."""
    if 1e-3 <= value < 1e4:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    digits = f"{float(mantissa):g}"
    power = f"10^{{{int(exponent)}}}"
    return power if digits == "1" else rf"{digits}\times {power}"

"""The map of where nodes are stable as W leaves M^T."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from ..network import Array
from ..select import check_flags
from .style import NEUTRAL, axes_or_new

if TYPE_CHECKING:
    from ..analysis.stability import Stability

# Light to dark in this order, so that a grey copy tells them apart.
# Colour and name of what becomes of the nodes.
LOOKS = {
    "stable": ("#eef3f7", "stable"),
    "real": ("#E69F00", "unstable, real"),
    "oscillation": ("#0072B2", "unstable, oscillation"),
    "lost": ("#444444", "equilibrium lost"),
}


def stability(answer: Stability, /, *, legend: bool = True, ax: Axes | None = None, **kwargs: Any) -> Axes:
    r"""Where nodes are stable, over the mix of the feedback and the gain of all weights.

    Each cell is one pair of weights :math:`gM` and
    :math:`W = g((1 - m)M^\top + mR)`, coloured after what grows there; the line is the border
    found by bisection, the star the oscillation on it that was simulated. Where there is but one gain, the
    largest real part of the node eigenvalues is drawn against the mix.

    Parameters
    ----------
    answer : pcode.analysis.stability.Stability
    legend : bool
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.pcolormesh`, or of `Axes.plot` where there is but one gain.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If an option is none of those allowed.
    """
    check_flags(legend=legend)
    with axes_or_new(ax) as ax:
        if answer.gains.size > 1:
            _map(ax, answer, legend, kwargs)
            ax.set_ylabel("gain of all weights, $g$")
        else:
            _ray(ax, answer, legend, kwargs)
            ax.set_ylabel(r"largest $\mathrm{Re}\,\lambda$ of the nodes")
        other = {"negated": r"-M^\top", "random": r"R", "own": r"W"}[answer.against]
        ax.set_xlabel(f"share $m$ of ${other}$ in the feedback")
    return ax


def _map(ax: Axes, answer: Stability, legend: bool, style: dict[str, Any]) -> None:
    looks = list(LOOKS.values())
    codes = np.vectorize(list(LOOKS).index)(answer.kinds)
    given: dict[str, Any] = {
        "cmap": ListedColormap([color for color, _ in looks]),
        "norm": BoundaryNorm(np.arange(len(looks) + 1) - 0.5, len(looks)),
        "rasterized": True,
    }
    ax.pcolormesh(_edges(answer.mixes), _edges(answer.gains), codes, **(given | style))
    handles: list[Any] = [
        Patch(facecolor=looks[k][0], edgecolor=NEUTRAL, linewidth=0.4, label=looks[k][1])
        for k in np.unique(codes)
    ]
    if answer.border:
        found = {point.gain: point.mix for point in answer.border}
        # A gain at which nothing is lost interrupts the line.
        mixes = [found.get(gain, np.nan) for gain in answer.gains]
        handles += ax.plot(mixes, answer.gains, color="black", linewidth=1.2, marker=".", label="border")
    if answer.simulated is not None:
        handles += ax.plot(
            [answer.simulated.mix],
            [answer.simulated.gain],
            linestyle="none",
            marker="*",
            markersize=9.0,
            markerfacecolor="white",
            markeredgecolor="black",
            label="simulated",
        )
    if legend:
        ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _ray(ax: Axes, answer: Stability, legend: bool, style: dict[str, Any]) -> None:
    ax.axhline(0.0, color=NEUTRAL, linewidth=0.8, zorder=0.5)
    ax.plot(answer.mixes, answer.growth[0], color="black", linewidth=0.8, zorder=1.0)
    for kind, (color, name) in LOOKS.items():
        there = answer.kinds[0] == kind
        if there.any() and kind != "lost":
            given: dict[str, Any] = {
                "linestyle": "none",
                "marker": "o",
                "markeredgecolor": "black",
                "color": color,
            }
            ax.plot(answer.mixes[there], answer.growth[0][there], **(given | {"label": name} | style))
    if legend:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _edges(centres: Array) -> Array:
    """Edges of cells around `centres`, two or more."""
    middles = 0.5 * (centres[1:] + centres[:-1])
    ends = centres[[0, -1]] + np.array([-0.5, 0.5]) * (centres[1] - centres[0], centres[-1] - centres[-2])
    edges: Array = np.concatenate([ends[:1], middles, ends[1:]])
    return edges

"""The map of where nodes are stable as W leaves M^T."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from ..analysis.result import of_answer
from ..model.network import Array
from .clock import in_mathtext
from .legends import LegendPlace, check_legend, place_legend
from .style import NEUTRAL, axes_or_new
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.stability import Stability

ARTISTS: Artists = {
    "map": QuadMesh,
    "border": Line2D,
    "simulated": Line2D,
    "growth": Line2D,
    "points": Line2D,
    "zero": Line2D,
    "note": Text,
    "legend": Legend,
}

# Points along a side of the map, and the least rate that is one.
FINE = 241
TINY = 1e-12

# Colour and name of what becomes of the nodes, light to dark, so that they differ in a grey copy too.
LOOKS = {
    "stable": ("#eef3f7", "stable"),
    "real": ("#E69F00", "unstable, real"),
    "oscillation": ("#0072B2", "unstable, oscillation"),
    "lost": ("#444444", "equilibrium lost"),
}


@draws(ARTISTS)
@of_answer
def stability(
    answer: Stability,
    /,
    *,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Where nodes are stable, over the mix of the feedback and the gain of all weights.

    Weights are :math:`gM` and :math:`W = g((1 - m)M^\top + mR)`. Colours say what grows there; between those
    that were looked at, and the border, the rate of growth is interpolated. The line is the border
    found by bisection, the star the oscillation on it that was simulated. Where there is but one gain, the
    largest real part of the node eigenvalues is drawn against the mix.

    Parameters
    ----------
    answer : pcode.analysis.stability.Stability
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``map``, ``border``, ``simulated`` and ``note``, or, with one gain, ``growth``, ``points`` and
        ``zero``; and ``legend``.
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
    check_legend(legend)
    look = Styles(styles, ARTISTS, **{"map" if answer.gains.size > 1 else "points": kwargs})
    with axes_or_new(ax) as ax:
        if answer.gains.size > 1:
            handles = _map(ax, answer, look)
            ax.set_ylabel("gain of all weights, $g$")
        else:
            handles = _ray(ax, answer, look)
            rate = f"1/{in_mathtext(answer.time_unit)}"
            ax.set_ylabel(rf"largest $\mathrm{{Re}}\,\lambda$ of the nodes ({rate})")
        other = {"negated": r"-M^\top", "random": r"R", "own": r"W"}[answer.against]
        ax.set_xlabel(f"share $m$ of ${other}$ in the feedback")
        if "legend" in look:
            place_legend(ax, legend, handles, **look.of("legend"))
    return ax


def _map(ax: Axes, answer: Stability, look: Styles) -> list[Any]:
    looks = list(LOOKS.values())
    mixes, gains = (np.linspace(v[0], v[-1], FINE) for v in (answer.mixes, answer.gains))
    codes = _codes(answer, mixes, gains)
    given: dict[str, Any] = {
        "cmap": ListedColormap([color for color, _ in looks]),
        "norm": BoundaryNorm(np.arange(len(looks) + 1) - 0.5, len(looks)),
        "rasterized": True,
    }
    if "map" in look:
        ax.pcolormesh(mixes, gains, codes, **look.of("map", **given))
    there = np.unique(codes)
    if there.size == 1 and "note" in look:
        note = look.of("note", ha="center", va="center", color=NEUTRAL)
        ax.text(0.5, 0.5, f"{looks[there[0]][1]}\nwherever looked at", transform=ax.transAxes, **note)
    ax.set_xlim(mixes[0], mixes[-1])
    ax.set_ylim(gains[0], gains[-1])
    handles: list[Any] = [
        Patch(facecolor=looks[k][0], edgecolor=NEUTRAL, linewidth=0.4, label=looks[k][1])
        for k in (there if "map" in look else ())
    ]
    if answer.border and "border" in look:
        found = {point.gain: point.mix for point in answer.border}
        # A gain at which nothing is lost interrupts the line.
        line = [found.get(gain, np.nan) for gain in answer.gains]
        black = look.of("border", color="black", linewidth=1.2, marker=".", label="border")
        handles += ax.plot(line, answer.gains, **black)
    if answer.simulated is not None and "simulated" in look:
        star: dict[str, Any] = {"linestyle": "none", "marker": "*", "markersize": 9.0}
        star |= {"markerfacecolor": "white", "markeredgecolor": "black", "label": "simulated"}
        handles += ax.plot([answer.simulated.mix], [answer.simulated.gain], **look.of("simulated", **star))
    return handles


def _ray(ax: Axes, answer: Stability, look: Styles) -> list[Any]:
    handles: list[Any] = []
    if "zero" in look:
        ax.axhline(0.0, **look.of("zero", color=NEUTRAL, linewidth=0.8, zorder=0.5))
    if "growth" in look:
        line = look.of("growth", color="black", linewidth=0.8, zorder=1.0)
        ax.plot(answer.mixes, answer.growth[0], **line)
    for kind, (color, name) in LOOKS.items():
        there = answer.kinds[0] == kind
        if there.any() and kind != "lost" and "points" in look:
            given: dict[str, Any] = {
                "linestyle": "none",
                "marker": "o",
                "markeredgecolor": "black",
                "color": color,
            }
            points = look.of("points", **given, label=name)
            handles += ax.plot(answer.mixes[there], answer.growth[0][there], **points)
    return handles


def _codes(answer: Stability, mixes: Array, gains: Array) -> Array:
    """Indices into `LOOKS`, shape (gains, mixes), on a finer grid than was looked at.

    Stable is where the rate of growth is negative: it is interpolated between the weights that were looked at
    and the points of the border, where it is 0. What grows elsewhere is what does at the nearest weights
    at which something does.
    """
    codes = np.vectorize(list(LOOKS).index)(answer.kinds)
    # Rounding decides the sign of no growth at all; where the equilibrium is lost there is no rate.
    growth = np.where(codes == 0, np.minimum(answer.growth, -TINY), np.fmax(answer.growth, TINY))
    border = {point.gain: point.mix for point in answer.border}
    along = [_interpolated(mixes, answer.mixes, row, border.get(gain))
             for gain, row in zip(answer.gains, growth, strict=True)]  # fmt: skip
    rates = np.array([np.interp(gains, answer.gains, column) for column in np.transpose(along)]).T
    rows, columns = np.nonzero(codes)
    if not rows.size:
        return np.zeros(rates.shape, int)
    size = (answer.mixes[-1] - answer.mixes[0], answer.gains[-1] - answer.gains[0])
    known = np.column_stack([answer.mixes[columns], answer.gains[rows]]) / size
    wanted = np.stack(np.meshgrid(mixes, gains), axis=-1) / size
    nearest = scipy.spatial.cKDTree(known).query(wanted)[1]
    return np.where(rates < 0.0, 0, codes[rows, columns][nearest])


def _interpolated(mixes: Array, known: Array, growth: Array, border: float | None) -> Array:
    """The growth along a ray at `mixes`, 0 on the border."""
    if border is not None:
        place = int(np.searchsorted(known, border))
        known, growth = np.insert(known, place, border), np.insert(growth, place, 0.0)
    found: Array = np.interp(mixes, known, growth)
    return found

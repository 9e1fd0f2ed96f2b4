"""Where nodes with noise went in the plane of two of them, over the contours of the energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..analysis.stationarity.plane import EnergyPlane, energy_plane
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption
from .labels import node_symbol
from .legends import LegendPlace, check_legend, place_legend
from .marks import note_above
from .style import axes_or_new
from .styles import Artists, Styles, StylesOption, draws

ARTISTS: Artists = {"contours": QuadContourSet, "samples": Line2D, "note": Text, "legend": Legend}

# Contours of the energy above its least value, in temperatures.
LEVELS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@draws(ARTISTS)
@of_run
def samples(
    run: Run,
    /,
    x: str | None = None,
    y: str | None = None,
    *,
    phase: PhaseOption = None,
    burn_in: float = 0.0,
    legend: LegendPlace = True,
    note: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""The saved states of a run with noise in the plane of two value nodes, over contours of the energy.

    The energy is U = F_b + lambda_x/2 :math:`|x|^2` of one sample, with errors at rest; where errors are
    slaved, W = M^T and there is one temperature T, states have the density exp(-U/T).

    Parameters
    ----------
    run : Run
        The run to draw.
    x, y : str, optional
        The nodes, such as ``x1[0]``, or ``x1[0,3]`` of sample 3; the first two free ones where left out.
    phase : int or str, optional
        The last where left out.
    burn_in : float
        For how long after the start of the phase states are not drawn.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    note : bool
        Whether to write above the Axes that other free nodes are held at their means for the contours.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``contours``, ``samples``, ``note`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where left out.
    **kwargs
        To `Axes.plot`, for the states.

    Returns
    -------
    matplotlib.axes.Axes
        Coordinates are dimensionless.

    Raises
    ------
    InputError
        If there are no such nodes, they are clamped, or of two samples.
    """
    check_legend(legend)
    look = Styles(styles, ARTISTS, samples=kwargs)
    plane = energy_plane(run, x, y, phase, burn_in)
    with axes_or_new(ax) as ax:
        _draw(ax, plane, look)
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
        if note and plane.others:
            held = f"contours: {plane.others} other free node{'s' * (plane.others > 1)} at the mean"
            note_above(ax, held, look)
    return ax


def _draw(ax: Axes, plane: EnergyPlane, look: Styles) -> None:
    if "samples" in look:
        given = {
            "linestyle": "none",
            "marker": ".",
            "markersize": 2.0,
            "color": "#0072B2",
            "alpha": 0.4,
            "label": f"states of {plane.phase!r}",
        }
        ax.plot(*plane.values.T, **look.of("samples", **given))
    if "contours" in look:
        unit = plane.temperature or float(np.median(plane.energy)) / LEVELS[-2]
        levels = unit * np.array(LEVELS)
        given = {"colors": "#D55E00", "linewidths": 0.9, "levels": levels}
        lines = ax.contour(plane.x, plane.y, plane.energy, **look.of("contours", **given))
        in_units = ", ".join(f"{level:g}" for level in LEVELS) + " $T$"
        told = in_units if plane.temperature else ", ".join(f"{level:.2g}" for level in levels)
        as_drawn: dict[str, Any] = {
            "color": lines.get_edgecolor()[0],
            "linewidth": np.ravel(lines.get_linewidth())[0],
        }
        ax.plot([], [], **as_drawn, label=f"energy, {told} above its least value")
    ax.set_xlabel(node_symbol(plane.names[0]))
    ax.set_ylabel(node_symbol(plane.names[1]))

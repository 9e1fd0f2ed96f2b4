r"""A number of a sweep over two of the keys that were swept, as colour.

Each cell is a point of the sweep, or the mean over all points that differ in nothing shown, such as the seed
of the weights. Axes and colours are logarithmic where the values suggest it. Cells are white where nothing is
known: the point is not done, its run failed, or it has no such number, as a phase that did not settle has no
settling time. An axis may be $\delta/\tau$ where one of the two was swept.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Sweep, plotting

# Inches.
WIDTH, HEIGHT = 5.0, 3.8

# Drawn of sweeps, not of runs.
SUITS: dict[str, dict[str, object]] = {}


def figure(
    sweep: Sweep,
    value: str | None = None,
    x: str | None = None,
    y: str | None = None,
    phase: str | int | None = None,
    layer: int | None = None,
    log_x: bool | None = None,
    log_y: bool | None = None,
    log_value: bool | None = None,
    label: str | None = None,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw a number over two swept keys.

    Parameters
    ----------
    sweep : Sweep
    value : str, optional
        A number of the sweep, such as steps or separation.own_distance.
    x, y : str, optional
        Swept keys, or the ends of such, such as delta; or delta/tau, or tau/delta.
    phase : str or int, optional
        Of which phase, where there is a number for each; the last that has one where left out.
    layer : int, optional
        Likewise of which of the layers 1..n.
    log_x, log_y, log_value : bool, optional
        Whether axes and colours are logarithmic; as suits the values where left out.
    label : str, optional
        What to write beside the colours; what the sweep says of the number where left out.
    styles : table
        By the name of an artist of `pcode.plotting.sweep_map`, keywords of Matplotlib, or false.
    """
    asked = {"x": x, "y": y, "phase": phase, "layer": layer}
    scales = {"log_x": log_x, "log_y": log_y, "log_value": log_value}
    with plotting.style():
        fig = plotting.figure(plotting.figure_width(WIDTH), HEIGHT)
        plotting.sweep_map(sweep, value, ax=fig.subplots(), styles=styles, label=label, **asked, **scales)
    return fig

r"""A number of a sweep against what was swept, with its mean and spread over all else, such as seeds.

Each line is the mean over the points that differ in nothing shown, such as the seed of the weights. The band
around it is the interval in which that mean is with 95% (a bootstrap of 1000 draws), or, if asked for, one
standard deviation to both sides, or the range from the least value to the largest. Dotted lines, if asked
for, are fitted power laws; the legend tells their slopes. With several numbers there is a panel for each,
over the same axis, which may be $\delta/\tau$ or $\tau/\delta$ where one of the two was swept. Runs whose
integration failed are left out.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Sweep, plotting

# Inches.
WIDTH, PANEL = 5.4, 2.9

# In a line beside a panel.
LETTERS = 32

# Drawn of sweeps, not of runs.
SUITS: dict[str, dict[str, object]] = {}


def figure(
    sweep: Sweep,
    y: str | list[str] | None = None,
    x: str | None = None,
    hue: str | None = None,
    phase: str | int | None = None,
    layer: int | None = None,
    spread: str = "ci",
    fit: bool = False,
    log_x: bool | None = None,
    log_y: bool | None = None,
    label: str | list[str] | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw a number, or several, against a swept key.

    Parameters
    ----------
    sweep : Sweep
    y : str or list of str, optional
        Numbers of the sweep, such as settling_time or separation.own_distance; a panel for each.
    x : str, optional
        A swept key, or the end of one, such as delta; or delta/tau, or tau/delta.
    hue : str, optional
        Another one, with a line for each value; the next swept key where left out, "none" for none.
    phase : str or int, optional
        Of which phase, where there is a number for each; the last that has one where left out.
    layer : int, optional
        Likewise of which of the layers 1..n.
    spread : {"ci", "sd", "range", "none"}
        Over all other points: 95% interval of the mean, standard deviation, least and largest, or none.
    fit : bool
        Whether to fit power laws.
    log_x, log_y : bool, optional
        Whether axes are logarithmic; as suits the values where left out.
    label : str or list of str, optional
        What to write beside the panels; what the sweep says of the numbers where left out.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.sweep_lines`, keywords of Matplotlib, or false.
    """
    wanted = y if isinstance(y, list) else [y]
    labels = label if isinstance(label, list) else [label or ""]
    asked = {"x": x, "hue": hue, "phase": phase, "layer": layer, "spread": spread, "fit": fit}
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        fig = plotting.figure(width, max(3.4, PANEL * len(wanted)))
        axes = fig.subplots(len(wanted), 1, squeeze=False, sharex=True)[:, 0]
        for k, (ax, one) in enumerate(zip(axes, wanted, strict=True)):
            place = legend if k == 0 or fit else False
            plotting.sweep_lines(
                sweep, one, ax=ax, log_x=log_x, log_y=log_y, legend=place, styles=styles, **asked
            )
            own = labels[k] if k < len(labels) else ""
            ax.set_ylabel(plotting.in_lines(own or ax.get_ylabel(), LETTERS))
        for ax in axes[:-1]:
            ax.set_xlabel("")
    return fig

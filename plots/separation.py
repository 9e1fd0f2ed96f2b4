r"""How far the weights are from the singular limit, in which nodes are at rest at every instant.

Above, the largest distance of the weights of the full flow from those of the limit tau/delta -> 0, in
parts of how far the weights move, for several ratios of the time constants tau of the nodes and delta of
the weights: dots, with the fitted line, whose slope is the order in tau/delta. In theory it is 1 as
tau/delta goes to 0. Grey lines are the distance allowed and the ratio of this run. Below, the distance
along the phase, a line for each ratio, from the end of the initial layer on, in which the nodes first
come to rest. With pair = "errors" the two time scales are those of values and errors: the distance is that
of the value nodes from their course with slaved errors, tau_eps = 0, for several tau_eps/tau. All axes are
logarithmic.
"""

from __future__ import annotations

from typing import Literal

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

# Inches; a narrow figure is as high, with labels in several lines.
WIDTH, NARROW = 5.6, 5.0

SUITS = ("separation",)


def figure(
    run: Run,
    phase: int | str | None = None,
    pair: Literal["weights", "errors"] = "weights",
    tolerance: float = 0.01,
    ratios: list[float] | None = None,
    duration: float | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the distance against tau/delta and against time.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of a phase in which the weights learn; the first one where left out.
    pair : {"weights", "errors"}
        Weights and nodes, or values and errors.
    tolerance : float
        Distance to be allowed, in parts of how far the weights (values) move.
    ratios : list of float, optional
        delta/tau (tau/tau_eps) to try besides the run's own.
    duration : float, optional
        How much of the phase to compare, in units of delta (tau).
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.separation`, keywords of Matplotlib, or false.
    """
    asked = {"phase": phase, "pair": pair, "tolerance": tolerance, "ratios": ratios, "duration": duration}
    answer = analysis.ask(run, "separation", asked)
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        fig = plotting.figure(width, 5.2)
        upper, lower = fig.subplots(2, 1)
        answer.plot(upper, legend=legend, styles=styles)
        answer.plot(lower, against="time", legend=legend, styles=styles)
        for ax in fig.axes if width < NARROW else ():
            ax.set_ylabel(plotting.in_lines(ax.get_ylabel()))
    return fig

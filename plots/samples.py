r"""Where nodes with noise went in the plane of two of them, over the contours of the energy.

Blue dots are the states at the saved times of one phase, in the plane of two free value nodes of one
sample. Orange lines are contours of its energy U = F_b + lambda_x/2 |x|^2, with the errors at rest, at 0.5,
1, 2, 4, 8 and 16 temperatures T above the least value in the window. Where errors are slaved (tau_eps = 0),
W = M^T and there is one temperature, states have the density exp(-U/T): many inside of the inner lines,
hardly any outside of the outer ones. Where more than two value nodes are free, the others are held at their
means for the contours, and a line above says so.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, plotting

SUITS = ("sampling",)


def figure(
    run: Run,
    x: str | None = None,
    y: str | None = None,
    phase: int | str | None = None,
    burn_in: float = 0.0,
    legend: plotting.LegendPlace = "below",
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the states over the energy.

    Parameters
    ----------
    run : Run
    x, y : str, optional
        The nodes, such as x1[0], or x1[0,3] of sample 3; the first two free ones where left out.
    phase : int or str, optional
        Index or name of the phase; the last where left out.
    burn_in : float
        For how long after its start states are not drawn.
    legend : bool or {"right", "below", "inside"}
        Where to put the legend, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.samples`, keywords of Matplotlib, or false.
    """
    with plotting.style():
        fig = plotting.figure(5.0, 4.4)
        options = {"phase": phase, "burn_in": burn_in, "legend": legend, "styles": styles}
        plotting.samples(run, x, y, ax=fig.subplots(), **options)
    return fig

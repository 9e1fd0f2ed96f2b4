r"""Eigenvalues along a phase: how fast nodes and weights go, whether stably, and which steps would be stable.

Above, the complex plane: rates of growth to the right, of decay to the left, angular frequencies up and
down, all times tau, the time constant of the nodes. Blue dots are the eigenvalues of the nodes with
weights held, for every sample, orange diamonds those of the weights on the slow manifold, where the nodes
are at rest, at some moments of a phase, the paler the earlier; grey crosses those of the whole system at
the end of the phase, where there are few enough of them. The vertical line at 0 is the border of
stability. The real axis is logarithmic on both sides of a narrow strip about 0, in which neutral directions
lie. Dotted and dashed outlines are the stability regions of the explicit Euler method and of RK45, for the
longest steps h with which all eigenvalues that decay are in them; a circle is no circle on such an
axis. Below, the fastest and the slowest rate of decay of nodes and of weights at these moments.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import InputError, Run, analysis, plotting

# Inches; a narrow figure is as high, with labels in several lines.
WIDTH, NARROW = 6.8, 5.0

SUITS = ("timescales", "unstable_feedback", "xor")


def figure(
    run: Run,
    phase: int | str | None = None,
    moments: int = 12,
    at: str = "rest",
    regions: bool = True,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw eigenvalues over the complex plane, and rates against time.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of the phase; the last that learns where left out, or else the last.
    moments : int
        How many saved times of the phase, 2 or more.
    at : {"rest", "state"}
        Whether the nodes are brought to rest for the weights of each moment, or taken as they were.
    regions : bool
        Whether to draw the stability regions.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.spectrum`, keywords of Matplotlib, or false.
    """
    index = plotting.moving_phase(run, phase)
    if moments < 2:
        raise InputError("moments", f"must be 2 or more, not {moments}")
    answer = analysis.ask(run, "spectrum", {"phase": index, "moments": moments, "at": at})
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        fig = plotting.figure(width, 6.2 if width < NARROW else 5.4)
        plane, rates = fig.subplots(2, 1, height_ratios=[3.0, 2.0])
        look = {"legend": legend, "styles": styles}
        plotting.spectrum(answer, "plane", regions=regions, ax=plane, **look)
        plotting.spectrum(answer, "time", ax=rates, **look)
        fig.suptitle(f"phase {answer.phase}, {len(answer.times)} moments", fontsize="medium")
        for ax in fig.axes if width < NARROW else ():
            ax.set_ylabel(plotting.in_lines(ax.get_ylabel()))
    return fig

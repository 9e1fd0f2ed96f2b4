r"""Trajectories of the nodes, from the start of a phase to its end.

One panel for each sample. All its value and error nodes together are a point, and its path through one
phase of the run is shown in the two directions in which it varies most, the principal components of its
saved times; the axes say which part of the variance each has. Or the axes are chosen nodes, x^l_i for a
value and eps^l_i for an error. Colour is the time since the phase's start, in units of tau (ms or s where
the run has a unit), the time constant of the nodes (of delta where tau = 0). Where the phase lasts more
than 100 tau, or half of the path lies in its first tenth, it is logarithmic, so that the fast way of the
nodes to their rest and the slow one that they are then carried by the weights are both seen. A white
circle marks the start, a black square the end. Panels have axes of their own, except where the components
are those of all samples together, each about its own mean. Of more than nine samples, some are shown. Of
a phase that shows samples one after another one presentation is shown, by default the last that was kept,
which is named.
"""

from __future__ import annotations

import math

from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from pcode import Run, plotting

SUITS = ("digits", "textbook", "xor")

MOST = 9

# Inches; in a narrow figure there are two panels side by side at most.
WIDTH, NARROW = 7.2, 5.0


def figure(
    run: Run,
    nodes: list[str] | None = None,
    samples: int | list[int] | None = None,
    phase: int | str | None = None,
    together: bool = False,
    log_time: bool | None = None,
    clock: str | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the path of each sample's nodes, a panel for each sample.

    Parameters
    ----------
    run : Run
    nodes : list of str, optional
        Two or three nodes to be the axes, such as "x1[0]" for a value and "eps2[3]" for an error;
        principal components where left out.
    samples : int or list of int, optional
        Rows of the data to draw; nine at most where left out.
    phase : int or str, optional
        Index or name of the phase to draw; the last that learns where left out, or else the last. Of one
        that shows samples one after another the last presentation that was kept is drawn.
    together : bool
        Whether the components are those of all samples together, each about its own mean.
    log_time : bool, optional
        Whether time is logarithmic in the colours.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of time; see `value_nodes`.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend of the two marks, if at all; above all panels where left out.
    styles : table
        By the name of an artist of `pcode.plotting.trajectory`, keywords of Matplotlib, or false.
    """
    index = plotting.moving_phase(run, phase)
    plotting.check_in_full(run, index)
    run, index, _ = plotting.as_phase(run, index)
    shown = plotting.choose_samples(run, samples, [index])
    if samples is None and len(shown) > MOST:
        shown = tuple(shown[round(k * (len(shown) - 1) / (MOST - 1))] for k in range(MOST))
    space = {"projection": "3d"} if nodes is not None and len(nodes) == 3 else {}
    options = {"phase": index, "together": together, "log_time": log_time, "clock": clock}
    with plotting.style():
        width = plotting.figure_width(4.6 if len(shown) == 1 else WIDTH)
        narrow = width < NARROW and len(shown) > 1
        columns = 1 if len(shown) == 1 else 2 if len(shown) in (2, 4) or narrow else 3
        rows = math.ceil(len(shown) / columns)
        tall = 1.55 if narrow else 2.9 if columns == 2 else 2.3
        height = 3.4 if columns == 1 else tall * rows + (0.8 if narrow else 0.3)
        fig = plotting.figure(width, height)
        grid = fig.subplots(rows, columns, squeeze=False, sharex=together, sharey=together, subplot_kw=space)
        panels = list(grid.flat)
        options["styles"] = ({"colorbar": {"location": "bottom"}} if narrow else {}) | dict(styles or {})
        for ax, sample in zip(panels, shown, strict=False):
            bar = panels if ax is panels[0] else False
            plotting.trajectory(run, sample, nodes, colorbar=bar, legend=False, ax=ax, **options)
            if ax.collections:  # one bar for all, unless the paths are left out
                options["log_time"] = isinstance(ax.collections[0].norm, LogNorm)
            ax.set_title(f"sample {sample}")
            ax.locator_params(nbins=6 if columns == 1 else 4 if narrow else 5)
            if narrow:
                ax.set_xlabel(ax.get_xlabel().replace(" of variance", ""))
                ax.set_ylabel(ax.get_ylabel().replace(" of variance", ""))
            if together and not space:
                ax.label_outer()
        for ax in panels[len(shown) :]:
            ax.set_axis_off()
        if plotting.presentation_name(run, index):
            fig.supylabel(plotting.presentation_name(run, index))
        plotting.figure_legend(fig, legend, *panels[0].get_legend_handles_labels())
    return fig

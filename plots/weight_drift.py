r"""Weights drift from where they started, on the slow clock.

Departure of each weight from its value at the start of the run, against time in units of delta (ms or s
where the run has a unit), the time constant of the weights: in turn the prediction weights M^(l-1), the
feedback weights W^(l-1) and the biases beta^l of the prediction of layer l, in a wide figure a row for
each l. Where there are few weights each has a line (with a legend of the first and the last where the
lines run from dark to light in the order of the weights); otherwise the median, the middle half, the
middle 90% and the extremes over the weights are shown. Kinds of weights without an equation of their own
are left out: W where it is tied to the transpose of M, or fixed. At the bottom, the Frobenius norms of
these departures: solid for M, broad and pale for W, dotted for beta, with one colour and marker for each
l. Vertical lines mark where a phase of the run ends and the next begins. Of a network with more than six
layers, some are shown; nodes are counted from 0.
"""

from __future__ import annotations

import math

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pcode import InputError, Run, plotting

# Inches; in a narrow figure panels stand in two columns, with symbols for labels.
WIDTH, NARROW = 7.2, 5.0


def figure(
    run: Run,
    layers: int | list[int] | None = None,
    phase: int | str | list[int | str] | None = None,
    log_time: bool = False,
    clock: str | None = None,
    how: str = "auto",
    legend: bool = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw each weight's departure from its start, and their norms below.

    Parameters
    ----------
    run : Run
    layers : int or list of int, optional
        The predicted layers l whose weights to draw, 1..n.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    log_time : bool
        Whether every phase has a logarithmic time axis of its own.
    clock : {"delta", "tau", "time"} or str, optional
        Unit of the time axis; see `value_nodes`.
    how : {"auto", "lines", "bands", "heatmap"}
        How to draw the weights of a link.
    legend : bool
        Whether to name lines above each panel, and norms beside theirs.
    styles : table
        By the name of an artist of `pcode.plotting.weight_drift` or `weight_norms`, keywords of Matplotlib,
        or false.
    """
    plotting.check_extent(run, phase)
    if not any(run.phases[k].learn for k in plotting.choose_phases(run, phase)):
        raise InputError("phase", "weights are held in the phases to draw; choose one in which they learn")
    shown = plotting.choose_layers(run, layers, first=1, most=6)
    kinds = plotting.weight_kinds(run)
    time = {"phase": phase, "log_time": log_time, "clock": clock}
    of_weights, of_norms = plotting.styles_for(styles, plotting.weight_drift, plotting.weight_norms)
    links = [(kind, layer if kind == "beta" else layer - 1) for layer in shown for kind in kinds]
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        columns = len(kinds) if width >= NARROW else 2
        rows = math.ceil(len(links) / columns)
        fig = plotting.figure(width, 2.6 + 1.9 * len(shown) if width >= NARROW else 1.9 + 1.4 * rows)
        grid = fig.add_gridspec(rows + 1, columns, height_ratios=[1.0] * rows + [1.2])
        top, shared = None, None
        for k, (kind, link) in enumerate(links):
            ax = top = fig.add_subplot(grid[k // columns, k % columns], sharex=top)
            plain = {"how": how, "legend": False, "phase_names": False, "styles": of_weights}
            plotting.weight_drift(run, link, kind, ax=ax, **plain, **time)
            _make_compact(ax, _NAMES[kind], k + columns >= len(links), width < NARROW)
            shared = (_legend(ax, width < NARROW) if legend else None) or shared
        norms = fig.add_subplot(grid[-1, :])
        plotting.weight_norms(run, layers=list(shown), legend=legend, styles=of_norms, ax=norms, **time)
        if width < NARROW:
            norms.set_ylabel(plotting.symbol_of(norms.get_ylabel()))
        if shared is not None:
            plotting.figure_legend(fig, True, *shared)
    return fig


_NAMES = {"M": "prediction weights", "W": "feedback weights", "beta": "biases"}


def _make_compact(ax: Axes, name: str, last: bool, narrow: bool) -> None:
    """Shorten the label of a small panel, and leave the time to the lowest."""
    symbol = ax.get_ylabel().splitlines()[-1].split(", ")[-1]
    if "$" in symbol:
        ax.set_ylabel(symbol if narrow else f"{name}\n{symbol}")
    if narrow:
        ax.locator_params(nbins=3)
    ax.tick_params(labelbottom=last)
    ax.set_xlabel(ax.get_xlabel() if last else "")


def _legend(ax: Axes, narrow: bool) -> tuple[list[Artist], list[str]] | None:
    """Name the lines of a panel above it; give back a legend that is the same for all panels."""
    handles, labels = ax.get_legend_handles_labels()
    if "median" in labels:
        return handles, labels
    if len(handles) > 1:
        tight = {"handlelength": 1.2, "columnspacing": 0.6, "handletextpad": 0.3, "borderpad": 0.1}
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3 if narrow else 4}
        ax.legend(handles, labels, **place, **tight)
    return None

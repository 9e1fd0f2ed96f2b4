r"""Value nodes and error nodes of every layer converge to their rest.

Left, the value nodes x^l; right, the error nodes eps^l; one row for each layer l, against time in units
of tau (ms or s where the run has a unit), the time constant of the nodes. Where a layer has few nodes and
the data few samples, each curve is one node for one sample: nodes have colours and dashes, their samples
shades of these, from dark and broad to light and thin. Otherwise the median, the middle half, the middle
90% and the extremes over nodes and samples are shown. Curves join the saved times: an oscillation that is
faster shows its size, not its course. Vertical lines mark where a phase of the run ends and the next
begins; in a phase in which a layer is clamped its value nodes stay at what they are clamped to. The value
nodes of a layer that is clamped to constants in every phase have no panel, which a line over their errors
says, and such a layer without errors has no row. A logarithmic time axis counts time from the start of
every phase. Nodes, samples and layers are counted from 0; of a network with more than six layers, some
are shown. Where a phase shows samples one after another curves do not go on from one presentation to
another: those of which all was kept, by default the first and the last, have a logarithmic axis each; of
others points are the ends. Vertical lines through such points are the middle half and the middle 90%.
Samples have shades of their own where few are shown.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pcode import Run, plotting

# Inches; a narrow figure has symbols for labels.
WIDTH, NARROW = 7.2, 5.0


def figure(
    run: Run,
    layers: int | list[int] | None = None,
    phase: int | str | list[int | str] | None = None,
    presentations: int | list[int] | None = None,
    samples: int | list[int] | None = None,
    log_time: bool | None = None,
    clock: str | None = None,
    how: str = "auto",
    clamped: bool | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw value nodes beside error nodes, a row for each layer.

    Parameters
    ----------
    run : Run
    layers : int or list of int, optional
        The layers to draw, 0..n.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    presentations : int or list of int, optional
        Which to draw of a phase that shows samples one after another; the first and the last on axes of
        their own where all of their nodes were kept, else the ends of all that were kept, where left out.
    samples : int or list of int, optional
        Rows of the data to draw.
    log_time : bool, optional
        Whether every phase, or presentation, has a logarithmic time axis of its own; where it is not said,
        they have one if a phase lasts more than 100 tau or presentations were kept in full, and tau is not 0.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of the time axis; by default the run's own where it has one, else tau (delta where tau = 0).
    how : {"auto", "lines", "bands", "heatmap"}
        How to draw the nodes of a layer.
    clamped : bool, optional
        Whether to draw value nodes that are clamped to constants throughout; only of `layers` that are
        given, where it is not said.
    legend : bool or {"right", "below", "inside"}
        Where each row has its legend, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.value_nodes`, keywords of Matplotlib, or false.
    """
    plotting.check_extent(run, phase)
    if log_time is None:
        log_time = plotting.suits_log_time(run, phase)
    clamped = layers is not None if clamped is None else clamped
    first = 0 if clamped or _moves(run, 0, phase) else 1
    shown = plotting.choose_layers(run, layers, first=0 if layers is not None else first, most=6)
    options = {"samples": samples, "phase": phase, "presentations": presentations}
    options |= {"log_time": log_time, "clock": clock, "how": how}
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        narrow = width < NARROW
        fig = plotting.figure(width, 0.6 + (1.3 if narrow else 1.65) * len(shown))
        grid = _panels(fig, [clamped or _moves(run, layer, phase) for layer in shown])
        for row, (layer, (left, right)) in enumerate(zip(shown, grid, strict=True)):
            kept = options | {"legend": False, "phase_names": row == 0, "styles": styles}
            if left is not None:
                plotting.value_nodes(run, layer, ax=left, **kept)
            if layer > 0:
                plotting.error_nodes(run, layer, ax=right, **kept)
            else:
                right.set_axis_off()
            if left is None:
                _say_clamped(right, run, layer, phase)
        named: list[str] = []
        differ = len({_coloured(ax) for row in grid for ax in row if ax is not None} - {""}) > 1
        for left, right in grid:
            _compact([ax for ax in (left, right) if ax is not None], narrow)
            named = _row_legend(left, right, legend, narrow, named, differ)
        if narrow:
            fig.supxlabel(next(ax.get_xlabel() for ax in fig.axes if ax.axison))
        _time_labels(grid, narrow)
    return fig


def _panels(fig: Figure, values: list[bool]) -> list[tuple[Axes | None, Axes]]:
    """A row for each layer; where no values are drawn the panel above takes the place of theirs."""
    grid = fig.add_gridspec(len(values), 2 if any(values) else 1)
    rows: list[tuple[Axes | None, Axes]] = []
    first = None
    for row, shown in enumerate(values):
        below = next((k for k in range(row + 1, len(values)) if values[k]), len(values))
        left = fig.add_subplot(grid[row:below, 0], sharex=first) if shown else None
        first = first or left
        right = fig.add_subplot(grid[row, -1], sharex=first)
        first = first or right
        rows.append((left, right))
    return rows


def _compact(panels: list[Axes], narrow: bool) -> None:
    """Symbols for labels where panels are small; as many ticks in any size, so that a layout has room."""
    for ax in panels:
        if narrow:
            ax.set_ylabel(plotting.symbol_of(ax.get_ylabel()))
        if isinstance(ax.yaxis.get_major_locator(), MaxNLocator):
            ax.locator_params(axis="y", nbins=4 if narrow else 6)


def _time_labels(grid: list[tuple[Axes | None, Axes]], narrow: bool) -> None:
    """Times at the lowest panel of each column only; a narrow figure names them once."""
    for column in zip(*grid, strict=True):
        panels = [ax for ax in column if ax is not None]
        for ax in panels:
            lowest = ax is panels[-1]
            ax.tick_params(labelbottom=lowest)
            ax.set_xlabel(ax.get_xlabel() if lowest and not narrow else "")


def _moves(run: Run, layer: int, phase: int | str | list[int | str] | None) -> bool:
    """Whether any node of the layer is free in one of the phases, or has a clamp that moves or changes."""
    chosen = plotting.choose_phases(run, phase)
    if any(layer not in run.phases[k].clamp or not run.phases[k].clamp[layer].still for k in chosen):
        return True
    if len({run.phases[k].samples for k in chosen}) > 1:
        return False  # other samples have other values
    index = run.data["phase"].to_numpy()
    if any(run.phases[k].presentation is not None for k in chosen):
        return False
    starts = [np.flatnonzero(index == k)[0] for k in chosen if (index == k).any()]
    values = run.data[f"x{layer}"].to_numpy()[starts]
    return any(not np.array_equal(one, values[0], equal_nan=True) for one in values)


def _say_clamped(ax: Axes, run: Run, layer: int, phase: int | str | list[int | str] | None) -> None:
    """Over the errors of a layer, what flat lines beside them would say."""
    drawn = np.isin(run.data["phase"].to_numpy(), plotting.choose_phases(run, phase))
    values = run.data[f"x{layer}"].to_numpy()[drawn]
    shown = values[np.isfinite(values)]
    at = f" at {shown[0]:.4g}" if values[0].size == 1 and shown.size and np.ptp(shown) == 0.0 else ""
    if any(run.phases[k].presentation is not None for k in plotting.choose_phases(run, phase)):
        at = at or " to the samples shown"
    ax.set_title(f"$x^{{{layer}}}$ is clamped{at}", loc="right", color="0.45", fontsize=plotting.small_text())


def _coloured(ax: Axes) -> str:
    """What colours tell apart: nodes, or samples of a single node; empty where there is but one line."""
    labels = ax.get_legend_handles_labels()[1]
    return "" if len(labels) < 2 else "samples" if labels[0].startswith("sample") else "nodes"


def _row_legend(
    left: Axes | None, right: Axes, place: plotting.LegendPlace, narrow: bool, above: list[str], differ: bool
) -> list[str]:
    """One legend for a row, unless the row above has the same: a node has the same line on both sides.

    Where colours `differ` in meaning from row to row, it says which they have.
    """
    entries = [ax.get_legend_handles_labels() for ax in (left, right) if ax is not None and ax.axison]
    handles, labels = entries[-1]
    if len(entries) == 2:
        pairs = zip(entries[0][1], labels, strict=True)
        labels = [value if value == error else f"{value}, {error}" for value, error in pairs]
    if place is True and (len(handles) == 1 or labels == above):
        return labels  # the labels of the axes say what it is, or the legend above
    row = [ax for ax in (left, right) if ax is not None and ax.axison]
    if place is True and narrow:
        place = "below"
    aligned = row[0].get_subplotspec().rowspan == row[-1].get_subplotspec().rowspan
    row = row if aligned else row[-1:]
    meant = {"title": f"colours: {_coloured(right)}"} if differ and _coloured(right) else {}
    plotting.place_legend(row[0 if place == "below" else -1], place, handles, labels, across=row, **meant)
    return labels

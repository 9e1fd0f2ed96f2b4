r"""Value nodes and error nodes of every layer converge to their rest.

Left, the value nodes x^l; right, the error nodes eps^l; one row for each layer l, against time in
units of tau, the time constant of the nodes. Where a layer has few nodes and the data few
samples, each curve is one node for one sample; otherwise the median, the middle half, the middle
90% and the extremes over nodes and samples are shown. Curves join the saved times: an oscillation
that is faster shows its size, not its course. Vertical lines mark where a phase of the run
ends and the next begins; in a phase in which a layer is clamped its value nodes stay at what they
are clamped to, and layers that are clamped from beginning to end and have no error nodes are left
out. A logarithmic time axis counts time from the start of every phase. Nodes, samples and layers are
counted from 0; of a network with more than six layers, some are shown.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pcode import Run, plotting


def figure(
    run: Run,
    layers: int | list[int] | None = None,
    phase: int | str | list[int | str] | None = None,
    samples: int | list[int] | None = None,
    log_time: bool | None = None,
    clock: str | None = None,
    how: str = "auto",
) -> Figure:
    """Draw value nodes beside error nodes, a row for each layer.

    Parameters
    ----------
    run : Run
    layers : int or list of int, optional
        The layers to draw, 0..n.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    samples : int or list of int, optional
        Rows of the data to draw.
    log_time : bool, optional
        Whether every phase has a logarithmic time axis of its own; where it is not said, they
        have one if a phase lasts more than 100 tau and tau is not 0.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of the time axis; where it is not said, tau, or delta where tau = 0.
    how : {"auto", "lines", "bands", "heatmap"}
        How to draw the nodes of a layer.
    """
    plotting.check_extent(run, phase)
    if log_time is None:
        log_time = plotting.suits_log_time(run, phase)
    first = 0 if _moves(run, 0, phase) else 1
    shown = plotting.choose_layers(run, layers, first=0 if layers is not None else first, most=6)
    options = {"samples": samples, "phase": phase, "log_time": log_time, "clock": clock, "how": how}
    with plotting.style():
        fig = Figure(figsize=(7.2, 0.6 + 1.65 * len(shown)), layout="constrained")
        grid = fig.subplots(len(shown), 2, squeeze=False, sharex=True)
        for row, (layer, (left, right)) in enumerate(zip(shown, grid, strict=True)):
            kept = options | {"legend": False, "phase_names": row == 0}
            plotting.value_nodes(run, layer, ax=left, **kept)
            if layer > 0:
                plotting.error_nodes(run, layer, ax=right, **kept)
            else:
                right.set_axis_off()
            _row_legend(left, right)
            for ax in (left, right):
                inner = row < len(shown) - 1
                ax.tick_params(labelbottom=not inner)
                ax.set_xlabel("" if inner else ax.get_xlabel())
    return fig


def _moves(run: Run, layer: int, phase: int | str | list[int | str] | None) -> bool:
    """Whether any node of the layer is free, or has a clamp that moves, in one of the phases."""
    phases = [run.phases[k] for k in plotting.choose_phases(run, phase)]
    return any(layer not in record.clamp or not record.clamp[layer].still for record in phases)


def _row_legend(left: Axes, right: Axes) -> None:
    """One legend for a row: a node has the same line on both sides."""
    handles, values = left.get_legend_handles_labels()
    _, errors = right.get_legend_handles_labels()
    pairs = zip(values, errors or values, strict=True)
    labels = [value if value == error else f"{value}, {error}" for value, error in pairs]
    if handles and right.axison:
        right.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif handles:
        right.legend(handles, labels, loc="upper left")

r"""Fast and slow at a glance: nodes on the clock tau, weights on the clock delta.

Left, what is fast: the value nodes x^l and the error nodes eps^l of one layer, and the energy F with the
error nodes as they are, against time since the start of a phase in units of tau (ms or s where the run
has a unit), the time constant of the nodes (of delta where tau = 0), on a logarithmic axis. Dashed lines
mark one delta, where the weights begin to tell. Right, what is slow: the departure of the prediction
weights M^(l-1) of that layer from their start, the norms of the departures of all weights, and the energy
with the error nodes at their rest value, against time in units of delta, the time constant of the
weights, in the phases in which they learn. Lines are single nodes or weights; where there are many, their
median, middle half, middle 90% and extremes. Energies are means over the batch; below 1e-14 of the
largest, where rounding begins, they are left out. The left one rises from 0 where the errors start at 0,
since they take time to build up; the right one falls once the nodes have settled, if W = M^T, nothing
decays and no clamp moves: nodes and weights then follow its slope downwards. Solid vertical lines mark
where a phase of the run ends and the next begins. Where a phase shows samples one after another curves do
not go on from one presentation to another: those of which all was kept, by default the first and the
last, have a logarithmic axis each; of others points are the ends.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pcode import Run, plotting

# Inches; in a narrow figure what is slow stands below what is fast, with symbols for labels.
WIDTH, NARROW = 7.2, 5.0


def figure(
    run: Run,
    layer: int | None = None,
    phase: int | str | list[int | str] | None = None,
    presentations: int | list[int] | None = None,
    samples: int | list[int] | None = None,
    how: str = "auto",
    legend: plotting.LegendPlace = True,
) -> Figure:
    """Draw one page: nodes on the left, weights on the right, energies below.

    Parameters
    ----------
    run : Run
    layer : int, optional
        The layer to draw, 1..n; the last hidden one where left out.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    presentations : int or list of int, optional
        Which to draw of a phase that shows samples one after another; the first and the last on axes of
        their own where all of their nodes were kept, else the ends of all that were kept, where left out.
    samples : int or list of int, optional
        Rows of the data whose nodes to draw.
    how : {"auto", "lines", "bands", "heatmap"}
        How to draw nodes and weights.
    legend : bool or {"right", "below", "inside"}
        Where to put the legend of each panel, if at all.
    """
    plotting.check_extent(run, phase)
    layer = max(1, run.network.n - 1) if layer is None else layer
    shows = [run.phases[k].presentation is not None for k in plotting.choose_phases(run, phase)]
    log_time = not all(shows) or plotting.suits_log_time(run, phase)
    fast_time = {"log_time": log_time, "presentations": presentations}
    nodes = {"samples": samples, "phase": phase, "how": how, "legend": False} | fast_time
    energy = {"phase_names": False, "remark": True, "legend": legend}
    learning = [k for k in plotting.choose_phases(run, phase) if run.phases[k].learn]
    # A test of some tau after many delta would be a spike at the end.
    slowly = {"phase": learning or phase, "legend": legend and bool(learning)}
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        narrow = width < NARROW
        fig = plotting.figure(width, 9.2 if narrow else 6.6)
        fast, slow = _panels(fig, narrow)
        plotting.value_nodes(run, layer, ax=fast[0], **nodes)
        plotting.error_nodes(run, layer, ax=fast[1], phase_names=False, **nodes)
        plotting.energy(run, "dynamic", phase=phase, ax=fast[2], **fast_time, **energy)
        plotting.weight_drift(run, layer - 1, "M", how=how, ax=slow[0], **slowly)
        plotting.weight_norms(run, phase_names=False, ax=slow[1], **slowly)
        clock = "time" if run.network.time_unit else "delta"
        plotting.energy(
            run,
            "slaved",
            clock=clock,
            ax=slow[2],
            **(energy | {"phase": slowly["phase"], "presentations": presentations}),
        )
        if legend:
            _name_nodes(fast, "right" if legend is True else legend)
        _say_once(fast[0], slow[0])
        _say_once(fast[2], slow[2])
        _mark_delta(run, fast, phase)
        if not learning:
            _say_held(slow[:2])
        for ax in (*fast[:2], *slow[:2]):
            ax.tick_params(labelbottom=False)
            ax.set_xlabel("")
        for ax in (*fast, *slow) if narrow else ():
            ax.set_ylabel(plotting.symbol_of(ax.get_ylabel()))
        fig.suptitle(_title(run, narrow))
    return fig


def _panels(fig: Figure, narrow: bool) -> tuple[list[Axes], list[Axes]]:
    """The panels of what is fast and of what is slow: side by side, or the one below the other."""
    axes = fig.subplots(*((6, 1) if narrow else (3, 2)))
    fast, slow = (axes[:3], axes[3:]) if narrow else axes.T
    for column in (fast, slow):
        for ax in column[1:]:
            ax.sharex(column[0])
    return list(fast), list(slow)


def _say_held(panels: list[Axes]) -> None:
    """Say why nothing moves, in place of ticks for it."""
    for ax in panels:
        ax.set_yticks([0.0])
        ax.text(0.5, 0.6, "weights held", transform=ax.transAxes, ha="center")


def _name_nodes(panels: list[Axes], place: plotting.LegendPlace) -> None:
    """Name the nodes, which look alike in both panels, at the first one, and their samples at the second."""
    handles, values = panels[0].get_legend_handles_labels()
    errors = panels[1].get_legend_handles_labels()[1]
    both = [
        f"{value}, {error}" if value != error else value for value, error in zip(values, errors, strict=True)
    ]
    entries = list(zip(handles, both, strict=True))
    nodes = [entry for entry in entries if entry[1] not in values]
    others = [entry for entry in entries if entry[1] in values]
    if len(nodes) == 1:
        nodes = []  # the labels of the axes say what it is
    for ax, named in zip(panels, (nodes or others, others if nodes else []), strict=False):
        if named:
            plotting.place_legend(ax, place, *zip(*named, strict=True))


def _say_once(first: Axes, second: Axes) -> None:
    """Take away a legend that says what another one says."""
    texts = [[text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []
             for ax in (first, second)]  # fmt: skip
    if texts[1] and texts[0] == texts[1]:
        second.get_legend().remove()


def _mark_delta(run: Run, panels: list[Axes], phase: int | str | list[int | str] | None) -> None:
    """Mark one delta after the start of every phase in which the weights learn."""
    network = run.network
    unit = plotting.TimeAxis.of(run, "time", phase, None, log_time=True).unit
    phases = [run.phases[k] for k in plotting.choose_phases(run, phase)]
    phases = [p for p in phases if p.presentation is None]
    delta = min(network.deltas)
    starts = [p.t_start for p in phases if p.learn and p.t_start + delta < p.t_end]
    for ax in panels:
        for k, start in enumerate(starts):
            at = (start + delta) / unit
            ax.axvline(at, color="0.45", linewidth=0.8, linestyle="--", zorder=0.5)
            if k == 0 and ax is panels[0]:  # in the others it would stand on curves
                ax.annotate(r"$\delta$", (at, 1.0), (2, -1), va="top", color="0.45",
                            xycoords=ax.get_xaxis_transform(), textcoords="offset points")  # fmt: skip


def _title(run: Run, narrow: bool) -> str:
    network, unit = run.network, run.network.time_unit
    nu = sorted(set(network.nu))
    spread = f"{nu[0]:g}" if len(nu) == 1 else f"{nu[0]:g} to {nu[-1]:g}"
    layers = "-".join(map(str, network.sizes))
    samples = run.sample_count
    batch = f"{samples} sample" + "s" * (samples > 1)
    errors = (r"$\tau_\varepsilon$", network.own_taus_eps)
    named = (r"$\tau$", network.taus), errors, (r"$\delta$", network.deltas)
    times = ",  ".join(f"{name} = {_span(values, unit)}" for name, values in named if values)
    first = f"{layers}, {batch}:" + ("\n" if narrow else "  ")
    return rf"{first}{times},  $\nu$ = {spread}"


def _span(times: tuple[float, ...], unit: str | None) -> str:
    """A time constant, or the smallest and the largest of several."""
    first, last = (plotting.time_text(t, unit) for t in (min(times), max(times)))
    return first if first == last else f"{first} to {last}"

r"""Fast and slow at a glance: nodes on the clock tau, weights on the clock delta.

Left, what is fast: the value nodes x^l and the error nodes eps^l of one layer, and the energy F with
the error nodes as they are, against time since the start of a phase in units of tau, the
time constant of the nodes (of delta where tau = 0), on a logarithmic axis. Dashed lines mark one
delta, where the weights begin to tell. Right, what is slow: the departure of the prediction weights
M^(l-1) of that layer from their start, the norms of the departures of all weights, and the energy
with the error nodes at their rest value, against time in units of delta, the time constant of the
weights, in the phases in which they learn. Lines are single nodes or weights; where there are many, their
median, middle half, middle 90% and extremes. Energies are means over the batch; below 1e-14 of the largest,
where rounding begins, they are left out. The left one rises from 0 where the errors start at 0, since they
take time to build up; the right one falls from when they have caught up, if W = M^T, nothing decays and
no clamp moves: nodes and weights then follow its slope downwards. Solid vertical lines mark where a phase of
the run ends and the next begins.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pcode import Run, plotting


def figure(
    run: Run,
    layer: int | None = None,
    phase: int | str | list[int | str] | None = None,
    samples: int | list[int] | None = None,
    how: str = "auto",
) -> Figure:
    """Draw one page: nodes on the left, weights on the right, energies below.

    Parameters
    ----------
    run : Run
    layer : int, optional
        The layer to draw, 1..n; the last hidden one where left out.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    samples : int or list of int, optional
        Rows of the data whose nodes to draw.
    how : {"auto", "lines", "bands", "heatmap"}
        How to draw nodes and weights.
    """
    plotting.check_extent(run, phase)
    layer = max(1, run.network.n - 1) if layer is None else layer
    nodes = {"samples": samples, "phase": phase, "log_time": True, "how": how}
    with plotting.style():
        fig = Figure(figsize=(7.2, 6.6), layout="constrained")
        fast, slow = fig.subplots(3, 2, sharex="col").T
        plotting.value_nodes(run, layer, ax=fast[0], **nodes)
        plotting.error_nodes(run, layer, ax=fast[1], phase_names=False, **nodes)
        slow_clock = "time" if run.network.time_unit else "delta"
        energy = {"phase_names": False, "remark": True}
        plotting.energy(run, "dynamic", phase=phase, log_time=True, ax=fast[2], **energy)
        learning = [k for k in plotting.choose_phases(run, phase) if run.phases[k].learn]
        # A test of some tau after many delta would be a spike at the end.
        slowly = {"phase": learning or phase}
        plotting.weight_drift(run, layer - 1, "M", how=how, ax=slow[0], **slowly)
        plotting.weight_norms(run, phase_names=False, ax=slow[1], **slowly)
        plotting.energy(run, "slaved", clock=slow_clock, ax=slow[2], **slowly, **energy)
        _say_once([fast[0], fast[1], slow[0]])
        _say_once([fast[2], slow[2]])
        _mark_delta(run, list(fast), phase)
        if not learning:
            for ax in slow[:2]:
                ax.text(0.5, 0.6, "weights held", transform=ax.transAxes, ha="center")
        for ax in (*fast[:2], *slow[:2]):
            ax.tick_params(labelbottom=False)
            ax.set_xlabel("")
        fig.suptitle(_title(run))
    return fig


def _say_once(panels: list[Axes]) -> None:
    """Take away legends that say what the first one says, as those of bands do."""
    first, *rest = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in panels]
    for ax, texts in zip(panels[1:], rest, strict=True):
        if texts == first:
            ax.get_legend().remove()


def _mark_delta(run: Run, panels: list[Axes], phase: int | str | list[int | str] | None) -> None:
    """Mark one delta after the start of every phase in which the weights learn."""
    network = run.network
    unit = plotting.TimeAxis.of(run, "time", phase, None, log_time=True).unit
    phases = [run.phases[k] for k in plotting.choose_phases(run, phase)]
    starts = [p.t_start for p in phases if p.learn and p.t_start + network.delta < p.t_end]
    for ax in panels:
        for k, start in enumerate(starts):
            at = (start + network.delta) / unit
            ax.axvline(at, color="0.45", linewidth=0.8, linestyle="--", zorder=0.5)
            if k == 0 and ax is panels[0]:  # in the others it would stand on curves
                ax.annotate(r"$\delta$", (at, 1.0), (2, -1), va="top", color="0.45",
                            xycoords=ax.get_xaxis_transform(), textcoords="offset points")  # fmt: skip


def _title(run: Run) -> str:
    network = run.network
    nu = sorted(set(network.nu))
    spread = f"{nu[0]:g}" if len(nu) == 1 else f"{nu[0]:g} to {nu[-1]:g}"
    layers = "-".join(map(str, network.sizes))
    samples = run.sample_count
    batch = f"{samples} sample" + "s" * (samples > 1)
    tau, delta = (plotting.time_text(t, network.time_unit) for t in (network.tau, network.delta))
    return rf"{layers}, {batch}:  $\tau$ = {tau},  $\delta$ = {delta},  $\nu$ = {spread}"

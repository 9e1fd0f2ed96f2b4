r"""Nodes at a kink of their activation, and the slopes sigma' with which they hear of the errors above.

Above, the value nodes x^l of a layer against time; below, the slopes sigma'(x^l) of the same nodes. Where
sigma' jumps, as that of relu does at 0, both sides can push a node onto the kink. It then stays there,
and its slope is the mix of the two one-sided values, s_- + alpha (s_+ - s_-), at which nothing moves it:
sigma'(x) (eps^{l+1} W^l) = eps^l + lambda_x x (Filippov's convention). For relu the slope is alpha
itself. The node is let go when the slope reaches either of the one-sided values. Grey lines mark the
kinks above and the one-sided values below. Time is in units of tau (ms or s where the run has a unit),
the time constant of the nodes. Where a phase shows samples one after another curves do not go on from one
presentation to another: those of which all was kept, by default the first and the last, have a
logarithmic axis each; of others points are the ends.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import InputError, Run, plotting

# Inches; a narrow figure has symbols for labels.
WIDTH, NARROW = 6.0, 4.0


def figure(
    run: Run,
    layer: int | None = None,
    phase: int | str | list[int | str] | None = None,
    presentations: int | list[int] | None = None,
    samples: int | list[int] | None = None,
    log_time: bool | None = None,
    clock: str | None = None,
    how: str = "auto",
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the value nodes of a layer over the slopes of its activation.

    Parameters
    ----------
    run : Run
    layer : int, optional
        The layer, 0..n-1; the first one above the input whose activation has a kink where left out.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    presentations : int or list of int, optional
        Which to draw of a phase that shows samples one after another; the first and the last on axes of
        their own where all of their nodes were kept, else the ends of all that were kept, where left out.
    samples : int or list of int, optional
        Rows of the data to draw.
    log_time : bool, optional
        Whether every phase, or presentation, has a logarithmic time axis of its own; where it is not said,
        only presentations that were kept in full have one.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of the time axis; by default the run's own where it has one, else tau (delta where tau = 0).
    how : {"auto", "lines", "bands", "heatmap"}
        How to draw the nodes.
    legend : bool or {"right", "below", "inside"}
        Where to put the legend, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.value_nodes`, keywords of Matplotlib, or false.
    """
    plotting.check_extent(run, phase)
    shows = any(run.phases[k].presentation is not None for k in plotting.choose_phases(run, phase))
    activations = run.network.sigma
    if layer is None:
        kinked = [k for k, sigma in enumerate(activations) if sigma.kinks]
        if not kinked:
            names = ", ".join(map(str, activations))
            what = f"no activation of this network has a kink ({names}); relu and leaky_relu have"
            raise InputError("layer", what)
        layer = next((k for k in kinked if k > 0), kinked[0])
    if log_time is None:
        log_time = shows and plotting.suits_log_time(run, phase)
    options = {
        "samples": samples,
        "phase": phase,
        "presentations": presentations,
        "log_time": log_time,
        "clock": clock,
        "how": how,
    }
    options["styles"] = styles
    with plotting.style():
        fig = plotting.figure(WIDTH, 4.4)
        upper, lower = fig.subplots(2, 1, sharex=True)
        plotting.value_nodes(run, layer, ax=upper, legend=legend, **options)
        plotting.activation_slopes(run, layer, ax=lower, legend=False, phase_names=False, **options)
        sigma = activations[layer]
        for kink in sigma.kinks:
            upper.axhline(kink, color="0.6", linewidth=0.8, zorder=0)
            for slope in sigma.slopes(kink):
                lower.axhline(float(slope), color="0.6", linewidth=0.8, zorder=0)
        upper.tick_params(labelbottom=False)
        upper.set_xlabel("")
        for ax in (upper, lower) if fig.get_figwidth() < NARROW else ():
            ax.set_ylabel(plotting.symbol_of(ax.get_ylabel()))
    return fig

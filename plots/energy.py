r"""The energy F of every layer, with error nodes as they are and at their rest value.

Above, F = 1/2 sum_l nu^l <|eps^l|^2> with the error nodes as they move: from eps = 0 it starts at 0,
rises, and may oscillate on its way to rest. Below, F = 1/2 sum_l <|x^l - mu^l|^2> / nu^l, the energy that
it would be if the error nodes were at rest for the present values x and predictions mu. That F falls is
shown in textbooks for errors at rest at every instant: with W = M^T, no decay and clamps that do not
move, nodes and weights then follow its slope downwards. Errors with an equation of their own lag behind,
so here the energies fall once the nodes have settled, and need not fall before; above each panel stands
what holds for this run. Thin lines are the terms of the layers l = 1..n, the broad grey line is their
sum; <> is the mean over the batch. Time is in the run's unit, or if it has none in units of tau, the time
constant of the nodes (of delta where tau = 0), and vertical lines mark where a phase of the run ends and
the next begins; on a logarithmic axis it is counted from the start of every phase. Energies are on a
logarithmic axis where they span more than two decades; zeros, such as that at the start, are then left
out, and so are the depth of a passing zero and rounding, which begins below 1e-14 of the largest energy.
Where a phase shows samples one after another curves do not go on from one presentation to another: those
of which all was kept, by default the first and the last, have a logarithmic axis each; of others points
are the ends.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, plotting

# Inches; a narrow figure is as high, with symbols for labels.
WIDTH, NARROW = 6.0, 5.0


def figure(
    run: Run,
    layers: int | list[int] | None = None,
    phase: int | str | list[int | str] | None = None,
    presentations: int | list[int] | None = None,
    log_time: bool | None = None,
    log_y: bool | None = None,
    clock: str | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the dynamic energy over the slaved one.

    Parameters
    ----------
    run : Run
    layers : int or list of int, optional
        The layers to draw, 1..n.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    presentations : int or list of int, optional
        Which to draw of a phase that shows samples one after another; the first and the last on axes of
        their own where all of their nodes were kept, else the ends of all that were kept, where left out.
    log_time : bool, optional
        Whether every phase, or presentation, has a logarithmic time axis of its own; where it is not said,
        they have one if a phase lasts more than 100 tau or presentations were kept in full, and tau is not 0.
    log_y : bool, optional
        Whether energies have a logarithmic axis.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of the time axis; by default the run's own where it has one, else tau (delta where tau = 0).
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.energy`, keywords of Matplotlib, or false.
    """
    plotting.check_extent(run, phase)
    if log_time is None:
        log_time = plotting.suits_log_time(run, phase)
    options = {
        "layers": layers,
        "phase": phase,
        "presentations": presentations,
        "log_time": log_time,
        "log_y": log_y,
        "clock": clock,
    }
    options |= {"remark": True, "styles": styles}
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        fig = plotting.figure(width, 4.8)
        upper, lower = fig.subplots(2, 1, sharex=True)
        plotting.energy(run, "dynamic", ax=upper, legend=legend, **options)
        plotting.energy(run, "slaved", ax=lower, legend=False, phase_names=False, **options)
        upper.tick_params(labelbottom=False)
        upper.set_xlabel("")
        for ax in (upper, lower) if width < NARROW else ():
            ax.set_ylabel(plotting.symbol_of(ax.get_ylabel()))
    return fig

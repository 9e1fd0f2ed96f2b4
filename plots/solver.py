r"""The solver's view of a run: how long its steps are, of what order, and what each phase costs.

At the top the length h of every step that the solver kept, against time, both in units of tau (ms or s
where the run has a unit), the time constant of the nodes (of delta where tau = 0): short while something
moves fast, long where all is smooth. Dotted grey lines are tau and delta, the time constant of the
weights. Vertical lines mark where a phase of the run ends and the next begins, stars where one ended
because all was at rest; a logarithmic time axis counts from the start of every phase. Below it the order
of the steps, where it is known; methods of one order have a straight line. At the bottom the work of each
phase: steps, evaluations of the right-hand side, and Jacobians, which are evaluations of the matrix or
linearisations. Of more than 20,000 steps the shortest and the longest of every few neighbours are shown.
The first steps of a phase, within the line where it starts, may be shorter than the panel shows. Of a
phase that shows samples one after another the mean length in each presentation is shown.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, plotting

SUITS = ("digits", "timescales")


def figure(
    run: Run,
    phase: int | str | list[int | str] | None = None,
    log_time: bool | None = None,
    clock: str | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the steps' lengths and orders against time, and the work of each phase below.

    Parameters
    ----------
    run : Run
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    log_time : bool, optional
        Whether every phase has a logarithmic time axis of its own; where it is not said, they
        have one if a phase lasts more than 100 tau, tau is not 0 and none shows samples one after another.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of time; by default the run's own where it has one, else tau (delta where tau = 0).
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.step_sizes`, `step_orders` or `solver_work`, keywords of
        Matplotlib, or false.
    """
    plotting.check_extent(run, phase)
    if log_time is None:
        shows = any(run.phases[k].presentation is not None for k in plotting.choose_phases(run, phase))
        log_time = not shows and plotting.suits_log_time(run, phase)
    ordered = plotting.knows_order(run, phase)
    time = {"phase": phase, "log_time": log_time, "clock": clock}
    bars = 0.55 * len(plotting.choose_phases(run, phase)) + 0.7
    heights = [2.4, 1.3, bars] if ordered else [2.4, bars]
    drawing = (plotting.step_sizes, plotting.step_orders, plotting.solver_work)
    of_sizes, of_orders, of_work = plotting.styles_for(styles, *drawing)
    with plotting.style():
        fig = plotting.figure(6.4, sum(heights) + 0.2)
        steps, *orders, work = fig.subplots(len(heights), 1, height_ratios=heights)
        plotting.step_sizes(run, ax=steps, legend=legend, styles=of_sizes, **time)
        for ax in orders:
            plotting.step_orders(run, ax=ax, phase_names=False, styles=of_orders, **time)
            steps.tick_params(labelbottom=False)
            steps.set_xlabel("")
        plotting.solver_work(run, phase=phase, legend=legend, styles=of_work, ax=work)
    return fig

r"""How the nodes come to rest, and how fast.

For each phase in which the nodes have an equilibrium, the distances of their values x^l (solid) and
errors eps^l (dotted) from it, by layer l, root mean squares over the samples, against time since the
phase's start, in the unit in which tau, the time constant of the nodes, is given. Where the weights
learn, the equilibrium is that for the weights of the moment, behind which the nodes lag in the end. Thin
black lines fall at the fitted exponential rates, where a distance rings along its peaks; grey dashes at the
rate of the slowest eigenvalue, where it is known. Of more than three such phases the last three are shown.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

# Inches; a narrow figure is higher, for the legends below its panels.
WIDTH, NARROW = 5.6, 5.0

SUITS = ("textbook",)


def figure(
    run: Run,
    phase: int | str | list[int | str] | None = None,
    fraction: float = 0.01,
    log_time: bool = False,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the distances from rest, a panel for each phase.

    Parameters
    ----------
    run : Run
    phase : int, str or list of these, optional
        Index or name of the phases.
    fraction : float
        Part of its largest distance at which a layer counts as settled.
    log_time : bool
        Whether time is logarithmic.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.convergence`, keywords of Matplotlib, or false.
    """
    answer = analysis.ask(run, "convergence", {"phase": phase, "fraction": fraction})
    shown = [k for k, found in enumerate(answer.phases) if found.at_rest][-3:] or [0]
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        fig = plotting.figure(width, 0.4 + (2.9 if width < NARROW else 2.4) * len(shown))
        for ax, k in zip(fig.subplots(len(shown), 1, squeeze=False).flat, shown, strict=True):
            answer.plot(ax, phase=k, log_time=log_time, legend=legend, styles=styles)
            ax.set_title(f"phase {answer.phases[k].phase}")
    return fig

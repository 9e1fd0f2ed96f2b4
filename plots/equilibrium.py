r"""Where the nodes come to rest, in every equilibrium that was found.

The values x^l_i at rest, node by node and layer by layer, for one sample and for the weights of one
moment, a series of marks for each equilibrium: filled where it is stable, open where the nodes would
leave it, along a real eigenvalue or in an oscillation. Equilibria are searched for from the state of the
run along the flow of the nodes, whose time constant is tau, and from random starts, so that there may be
more. The sample is one with the most equilibria.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

SUITS: dict[str, dict[str, object]] = {
    "slow_manifold": {"time": 0.0, "starts": 16, "spread": 4.0},  # before the fold: three
    "unstable_feedback": {},
}


def figure(
    run: Run,
    phase: int | str | None = None,
    time: float | str | None = None,
    sample: int | None = None,
    starts: int = 8,
    spread: float = 1.0,
    seed: int = 0,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the values at rest.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of the phase.
    time : float or str, optional
        The moment; the end of the phase where left out.
    sample : int, optional
        The row of the data to draw.
    starts : int
        How many random starts to try.
    spread : float
        Their standard deviation about the state.
    seed : int
        Of the random starts.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.equilibrium`, keywords of Matplotlib, or false.
    """
    asked = {"phase": phase, "time": time, "starts": starts, "spread": spread, "seed": seed}
    answer = analysis.ask(run, "equilibrium", asked)
    with plotting.style():
        fig = plotting.figure(6.4, 3.2)
        answer.plot(fig.subplots(), sample=sample, legend=legend, styles=styles)
    return fig

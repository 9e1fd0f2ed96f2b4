r"""Where the nodes are stable as the feedback leaves the transpose of the prediction weights.

The feedback weights W are mixed, with the share m, from the transposed prediction weights and what the
horizontal axis names; all weights are multiplied by the gain g. Colours say what becomes of the nodes at
rest, weights held: stable, unstable by a real eigenvalue or by an oscillation, or without an
equilibrium, on a grid of weights and, between them, by the rate of growth interpolated. The line with a dot
at every gain is the border, found by bisection; the star is an oscillation on it that was simulated. With one
gain only, the largest rate of growth of the nodes is drawn against the share, in one over the unit in
which tau, their time constant, is given.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

SUITS = ("unstable_feedback",)


def figure(
    run: Run,
    phase: int | str | None = None,
    time: float | str | None = None,
    against: str = "negated",
    mixes: list[float] | None = None,
    gains: list[float] | None = None,
    samples: int | None = None,
    seed: int = 0,
    check: bool = False,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the map of stability.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of the phase whose weights, clamps and nodes are taken.
    time : float or str, optional
        The moment; the end of the phase where left out.
    against : {"negated", "random", "own"}
        What is mixed in: -M^T, a random matrix, or the W of the moment.
    mixes, gains : list of float, optional
        Shares m, rising from 0, and gains g.
    samples : int, optional
        How many samples to look at.
    seed : int
        Of the random matrix.
    check : bool
        Whether an oscillation on the border is simulated.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.stability`, keywords of Matplotlib, or false.
    """
    asked = {"phase": phase, "time": time, "against": against, "mixes": mixes, "gains": gains}
    answer = analysis.ask(run, "stability", asked | {"samples": samples, "seed": seed, "check": check})
    with plotting.style():
        fig = plotting.figure(5.6, 3.4)
        answer.plot(fig.subplots(), legend=legend, styles=styles)
    return fig

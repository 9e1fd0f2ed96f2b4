r"""Marginal densities of nodes with noise, beside those of the theory.

Filled histograms are the value nodes x^l_i at the saved times of one phase, after a burn-in that the title
tells; their area is 1. Lines of the same colour are the marginal densities of the stationary law, where
theory knows it: with errors slaved (tau_eps = 0), W = M^T and one temperature T that of Gibbs, exp(-U/T)
with U the energy of a sample and the decay of its nodes, else in linear networks the normal law whose
covariance solves Lyapunov's equation. The title also says how many independent values the saved ones are
worth, which depend on each other over the autocorrelation time. With noise tau dx^l gains sqrt(2 tau T) dw.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

SUITS = ("sampling",)


def figure(
    run: Run,
    phase: int | str | None = None,
    burn_in: float | str | None = None,
    nodes: list[str] | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the densities.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of the phase; the last where left out.
    burn_in : float or str, optional
        For how long after its start values do not count; a tenth of the phase where left out.
    nodes : list of str, optional
        The nodes, such as ["x1[0]"], or ["x1[0,3]"] of sample 3; the first few free ones where left out.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.stationary`, keywords of Matplotlib, or false.
    """
    answer = analysis.ask(run, "stationary", {"phase": phase, "burn_in": burn_in, "nodes": nodes})
    with plotting.style():
        fig = plotting.figure(6.4, 3.6)
        ax = answer.plot(fig.subplots(), legend=legend, styles=styles)
        least, most = answer.effective_size.min(), answer.effective_size.max()
        worth = f"worth {least:,.0f} to {most:,.0f} independent values"
        told = f"{answer.count:,} times after a burn-in of {answer.burn_in:g}{answer.after_time}"
        ax.set_title(f"phase {answer.phase}: {told},\n{worth}", fontsize="medium")
    return fig

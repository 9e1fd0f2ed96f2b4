r"""Whether the run can be trusted: each check beside its threshold.

Each row is a check of the run that applies to it. equilibrium: the largest rate at the end of a phase that
came to rest, held against the settle_tol asked for. energy: the energy at rest beside its closed form, of a
linear network. tolerance and solver: the largest difference of nodes and weights, over 1 + their size, from
the phase integrated again, at a tenth of the tolerance and by a second solver, held against 100 times
rtol. feedback: the difference of W - M^T from what theory says is left of it. The point is the figure, the
bar the most that passes, with their numbers, on one logarithmic axis; a figure to the left of its bar has
passed, and a cross marks one that has not. A figure of 0 stands at the left end. Where the phase is long or
large, its first 20 tau are integrated again, tau being the time constant of the nodes.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

SUITS = ("xor",)


def figure(
    run: Run,
    phase: int | str | None = None,
    span: float | None = None,
    method: str | None = None,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the figures of the checks beside their thresholds.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of the phase to integrate again.
    span : float, optional
        For how long.
    method : str, optional
        The second solver.
    styles : table
        By the name of an artist of `pcode.plotting.certificate`, keywords of Matplotlib, or false.
    """
    answer = analysis.ask(run, "certificate", {"phase": phase, "span": span, "method": method})
    with plotting.style():
        fig = plotting.figure(5.6, 3.0)
        answer.plot(fig.subplots(), styles=styles)
    return fig

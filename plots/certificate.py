r"""Whether the run can be trusted: each check beside its threshold.

Each row is a check of the run: of its equilibria, of what theory says is conserved, or against a tighter
tolerance and a second solver. The point is its figure, the bar the threshold, on one logarithmic axis; a
figure to the left of its bar has passed, and a cross marks one that has not. A figure of 0 stands at the
left end. Differences of solvers are measured in units of what the tolerances allow; the integrations are
of some 20 tau, with tau the time constant of the nodes, where the phase is long or large.
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
    """
    answer = analysis.ask(run, "certificate", {"phase": phase, "span": span, "method": method})
    with plotting.style():
        fig = Figure(figsize=(5.6, 3.0), layout="constrained")
        answer.plot(fig.subplots())
    return fig

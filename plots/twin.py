r"""A network beside itself trained by backpropagation.

The curve of a probe, such as the accuracy on samples held back, for three learners that start from the same
weights and see the same samples in the same order for as long: the predictive coding network of the run; the
plain feedforward network trained by the gradient flow of its loss,
$\delta \dot M = -(1/\nu^n)\, \partial L/\partial M - \lambda M$; and the same trained by SGD, one step of
that size times the time shown for each presentation. A phase that shows all its samples at once has no curve
of SGD. Time is in units of delta, or in ms or s where the run has a unit.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

SUITS = ("online",)


def figure(
    run: Run,
    probe: str | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw what a probe saw of the run and of its twins.

    Parameters
    ----------
    run : Run
    probe : str, optional
        The name of a probe of accuracy, loss or error; where left out an accuracy, if there is one.
    legend : bool or {"right", "below", "inside"}
        Where to put the legend, if at all; inside where it is not said.
    styles : table
        By the name of an artist of `pcode.plotting.twin`, keywords of Matplotlib, or false.
    """
    answer = analysis.ask(run, "twin")
    place = "inside" if legend is True else legend
    with plotting.style():
        fig = plotting.figure(4.8, 3.2)
        answer.plot(fig.subplots(), probe=probe, legend=place, styles=styles)
    return fig

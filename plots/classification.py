r"""Which classes a network takes for which.

A row for each class of the data and a column for each class that samples are taken for, that of the
largest output. Numbers are counts of samples; a cell without a number has none. Colours are shares of the
samples of the class, so that each row adds up to 1 and the diagonal shows the recall, the share that is
right. Outputs are those of nodes at rest with layer 0 clamped to the inputs, with the weights of the end of
the run.
"""

from __future__ import annotations

from typing import Literal

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

SUITS = ("digits",)


def figure(
    run: Run,
    part: Literal["train", "test", "all"] | None = None,
    method: Literal["equilibrium", "feedforward"] = "equilibrium",
    phase: int | str | None = None,
    time: float | str | None = None,
    numbers: Literal["count", "share"] = "count",
    colorbar: bool = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the confusion matrix.

    Parameters
    ----------
    run : Run
    part : {"train", "test", "all"}, optional
        Which samples of the data; those to test on where left out, or all where there are none.
    method : {"equilibrium", "feedforward"}
        Outputs of nodes at rest, or of the feedforward pass.
    phase : int or str, optional
        Index or name of the phase whose weights are meant.
    time : float or str, optional
        The moment whose weights are meant; the end of the phase where left out.
    numbers : {"count", "share"}
        Whether to write how many samples, or their share of the class in percent.
    colorbar : bool
        Whether there is a colour bar.
    styles : table
        By the name of an artist of `pcode.plotting.classification`, keywords of Matplotlib, or false.
    """
    asked = {"part": part, "method": method, "phase": phase, "time": time}
    answer = analysis.ask(run, "classification", asked)
    with plotting.style():
        fig = plotting.figure(4.8, 4.0)
        answer.plot(fig.subplots(), numbers=numbers, colorbar=colorbar, styles=styles)
    return fig

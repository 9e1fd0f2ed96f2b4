r"""How near the errors and the flow of the weights are to the gradients of backpropagation.

Above, along a phase with both ends clamped: the angle, for each layer l, between the flow of the
prediction weights M^(l-1) and minus the gradient of half the squared error of the feedforward network
(solid lines), and between the error nodes eps^l and minus its gradient with respect to the prediction of
the layer (dotted), with the nodes as they are (or at rest, as the axis then says, where few times of them
were saved), against time, in the unit in which tau, the time constant
of the nodes, is given. Below, the same with the nodes at rest, as the variance nu^n of the output grows: in
theory the angle goes to 0 as 1/nu^n, if the feedback W is the transpose of M; what is left where it is not
is the feedback's doing. The grey line is the variance of this run. Of a single weight or node and sample the
angle is 0 or 180 degrees.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting

# Inches; a narrow figure is as high, with labels in several lines.
WIDTH, NARROW = 5.6, 5.0

SUITS = ("alignment", "separation", "xor")


def figure(
    run: Run,
    phase: int | str | None = None,
    time: float | str | None = None,
    variances: list[float] | None = None,
    points: int = 200,
    log_time: bool | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the angles along the phase and against the output variance.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of a phase with both ends clamped; the last such one where left out.
    time : float or str, optional
        The moment at which the variance is changed; the end of the phase where left out.
    variances : list of float, optional
        Output variances to try; 17 up to 10^4 times that of the run where left out.
    points : int
        Most moments of the course.
    log_time : bool, optional
        Whether time is logarithmic.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.backprop`, keywords of Matplotlib, or false.
    """
    if variances is None:
        variances = [run.network.nu[-1] * 10.0 ** (k / 4.0) for k in range(17)]
    # No other tau/delta: each would be a simulation, and is not drawn.
    ratios = [] if not run.network.limit else None
    asked = {"phase": phase, "time": time, "variances": variances, "ratios": ratios, "points": points}
    answer = analysis.ask(run, "backprop", asked)
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        fig = plotting.figure(width, 5.2)
        upper, lower = fig.subplots(2, 1)
        answer.plot(upper, log_time=log_time, legend=legend, styles=styles)
        answer.plot(lower, against="variance", legend=False, styles=styles)
        for ax in fig.axes if width < NARROW else ():
            ax.set_ylabel(plotting.in_lines(ax.get_ylabel()))
    return fig

"""How near errors and weights' flow are to backpropagation's gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes

from ..analysis.result import of_answer
from ..model.network import Array
from ..model.variables import EPS, M
from ..run.select import check_flags, check_word
from .style import NEUTRAL, axes_or_new, line_style, outside_legend

if TYPE_CHECKING:
    from ..analysis.backprop import Backprop
    from ..analysis.gradients import Comparison

# Angles, in degrees, that are 0 up to rounding: an axis would magnify it, or, logarithmic, have no place.
NOTHING = 1e-6

# Of fewer moments than this, points are drawn as well as lines.
FEW = 10

Against = Literal["time", "variance"]


@of_answer
def backprop(
    answer: Backprop,
    /,
    against: Against = "time",
    *,
    log_time: bool | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Angles to the gradient of the feedforward network, by layer.

    Solid lines are the flow of the weights :math:`M^{l-1}` towards layer l, beside
    :math:`-\partial L/\partial M^{l-1}`; dotted ones the errors :math:`\varepsilon^l`, beside
    :math:`-\partial L/\partial\mu^l`.

    Parameters
    ----------
    answer : pcode.analysis.backprop.Backprop
    against : {"time", "variance"}
        Along the phase, with the nodes as they are, or at rest where few times of them were saved (the
        answer's `course_at`; the axis says so); or with the nodes at rest, as the output variance
        grows. A line of the run's own variance is drawn there.
    log_time : bool, optional
        Whether time, counted from the phase's start, is logarithmic; where it is not said, it is
        if the saved times span more than a factor of 100.
    legend : bool
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.plot`.

    Returns
    -------
    matplotlib.axes.Axes
        Angles in degrees.

    Raises
    ------
    InputError
        If an option is none of those allowed.
    """
    check_word("against", against, ("time", "variance"))
    check_flags(legend=legend, log_time=bool(log_time))
    by_time = against == "time"
    t = answer.times - answer.t_start
    if log_time is None:
        log_time = t.size > 2 and t[-1] > 100.0 * t[1]
    marks = {"marker": "."} if (t if by_time else answer.variances).size < FEW else {}
    with axes_or_new(ax) as ax:
        if by_time:
            _draw(ax, t, answer.course, marks | kwargs)
            ax.set_xlabel("time since start of phase, $t - t_0$ (unit of $\\tau$)")
            if log_time:
                ax.set_xscale("log")
            ax.set_ylim(bottom=0.0)
        else:
            _draw(ax, answer.variances, answer.by_variance, marks | kwargs)
            ax.axvline(answer.nu, color=NEUTRAL, linewidth=0.8, zorder=0.5)
            small: dict[str, Any] = {"fontsize": "small", "textcoords": "offset points", "color": NEUTRAL}
            ax.annotate("this run", (answer.nu, 0.0), (3, 3), xycoords=ax.get_xaxis_transform(), **small)
            ax.set_xlabel(r"output variance, $\nu^n$")
            ax.set_xscale("log")
            if ax.dataLim.y1 > NOTHING:
                ax.set_yscale("log")
        if not ax.dataLim.y1 > NOTHING:
            ax.set_ylim(-0.05, 1.0)
        resting = by_time and answer.course_at == "rest"
        ax.set_ylabel(f"angle to the gradient{', nodes at rest' if resting else ''} (degrees)")
        if not np.isfinite(ax.dataLim.get_points()).all():
            ax.text(0.5, 0.5, "no angle is defined: the gradient vanishes", ha="center", color=NEUTRAL,
                    transform=ax.transAxes)  # fmt: skip
        if legend:
            outside_legend(ax)
    return ax


def _draw(ax: Axes, where: Array, found: Comparison, style: dict[str, Any]) -> None:
    n = found.flow_angle.shape[-1]
    for k in range(n):
        color = line_style(k, n)["color"]
        flow = {"color": color, "linestyle": "-", "label": f"flow of ${M.label(k)}$"}
        errors = {"color": color, "linestyle": ":", "label": f"${EPS.label(k + 1)}$"}
        for angles, given in ((found.flow_angle, flow), (found.error_angle, errors)):
            shown = np.where(np.isfinite(angles[:, k]), angles[:, k], np.nan)
            ax.plot(where, shown, **(given | style))

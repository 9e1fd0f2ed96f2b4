"""How near errors and weights' flow are to backpropagation's gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..analysis.result import of_answer
from ..model.network import Array
from ..model.variables import EPS, M
from ..run.select import check_flags, check_word
from .clock import time_since_start
from .legends import LegendPlace, check_legend, place_legend
from .sizes import small_text
from .style import NEUTRAL, axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.backprop import Backprop
    from ..analysis.gradients import Comparison

ARTISTS: Artists = {
    "flow": Line2D,
    "errors": Line2D,
    "own": Line2D,
    "own_name": Text,
    "legend": Legend,
}

# Angles, in degrees, that are 0 up to rounding: an axis would magnify it, or, logarithmic, have no place.
NOTHING = 1e-6

# Of fewer moments than this, points are drawn as well as lines.
FEW = 10

Against = Literal["time", "variance"]


@draws(ARTISTS)
@of_answer
def backprop(
    answer: Backprop,
    /,
    against: Against = "time",
    *,
    log_time: bool | None = None,
    legend: LegendPlace = True,
    styles: StylesOption = None,
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
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``flow``, ``errors``, ``own`` (the line of the run's own variance), ``own_name`` and ``legend``.
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
    check_flags(log_time=bool(log_time))
    check_legend(legend)
    look = Styles(styles, ARTISTS, flow=kwargs, errors=kwargs)
    by_time = against == "time"
    t = answer.times - answer.t_start
    if log_time is None:
        log_time = t.size > 2 and t[-1] > 100.0 * t[1]
    marks = {"marker": "."} if (t if by_time else answer.variances).size < FEW else {}
    with axes_or_new(ax) as ax:
        if by_time:
            unit, label = time_since_start(t[-1], answer.time_unit)
            _draw(ax, t / unit, answer.course, marks, look)
            ax.set_xlabel(label)
            if log_time:
                ax.set_xscale("log")
            ax.set_ylim(bottom=0.0)
        else:
            _draw(ax, answer.variances, answer.by_variance, marks, look)
            flat = not ax.dataLim.y1 > NOTHING
            if "own" in look:
                ax.axvline(answer.nu, **look.of("own", color=NEUTRAL, linewidth=0.8, zorder=0.5))
            if "own_name" in look:
                small = look.of("own_name", fontsize=small_text(), color=NEUTRAL)
                at: dict[str, Any] = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points"}
                high = 0.5 if flat else 0.0  # not on a curve along the bottom
                ax.annotate("this run", (answer.nu, high), (3, 3), **at, **small)
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
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _draw(ax: Axes, where: Array, found: Comparison, marks: dict[str, Any], look: Styles) -> None:
    n = found.flow_angle.shape[-1]
    for k in range(n):
        color = line_style(k, n)["color"]
        flow = {"color": color, "linestyle": "-", "label": f"flow of ${M.label(k)}$"}
        errors = {"color": color, "linestyle": ":", "label": f"${EPS.label(k + 1)}$"}
        for name, angles, given in (
            ("flow", found.flow_angle, flow),
            ("errors", found.error_angle, errors),
        ):
            if name in look:
                shown = np.where(np.isfinite(angles[:, k]), angles[:, k], np.nan)
                ax.plot(where, shown, **look.of(name, **given, **marks))

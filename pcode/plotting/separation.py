"""How far the weights of the full flow are from the singular limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from ..analysis.result import of_answer
from ..run.select import check_flags, check_word
from .style import NEUTRAL, axes_or_new, line_style, outside_legend

if TYPE_CHECKING:
    from ..analysis.separation import Separation

# Decades from which on only powers of ten are labelled.
MANY = 1.7

Against = Literal["ratio", "time"]


@of_answer
def separation(
    answer: Separation,
    /,
    against: Against = "ratio",
    *,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Distance of the weights from the limit :math:`\tau = 0`, in parts of how far they move.

    Against :math:`\tau/\delta`, the largest distance of each flow with the fitted line, whose slope is
    the order; grey lines are the tolerance and the run's own ratio. Against time, a line for
    each flow from the end of its initial layer on.

    Parameters
    ----------
    answer : pcode.analysis.separation.Separation
    against : {"ratio", "time"}
    legend : bool
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.plot`, for the distances.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes logarithmic and dimensionless.

    Raises
    ------
    InputError
        If an option is none of those allowed.
    """
    check_word("against", against, ("ratio", "time"))
    check_flags(legend=legend)
    with axes_or_new(ax) as ax:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylabel("relative distance from the limit")
        if against == "time":
            _over_time(ax, answer, kwargs)
        else:
            _over_ratio(ax, answer, kwargs)
        if legend:
            outside_legend(ax)
    return ax


def _over_ratio(ax: Axes, answer: Separation, style: dict[str, Any]) -> None:
    steps = 1.0 / answer.ratios
    given = {"marker": "o", "linestyle": "none", "label": "full flow"}
    ax.plot(steps, answer.largest, **(line_style(0, 1) | given | style))
    if np.isfinite(answer.order):
        used = steps[answer.fitted]
        middle = np.exp(np.mean(np.log(used)))
        height = np.exp(np.mean(np.log(answer.largest[answer.fitted])))
        ends = np.array([used.min() / 1.3, used.max() * 1.3])
        slope = rf"slope ${answer.order:.3f} \pm {answer.order_error:.3f}$"
        line = height * (ends / middle) ** answer.order
        ax.plot(ends, line, color=line_style(0, 1)["color"], linewidth=0.8, label=slope, zorder=1.0)
    _mark(ax, f"{100 * answer.tolerance:g}% allowed", y=answer.tolerance)
    if answer.own_ratio is not None:
        _mark(ax, "this run", x=1.0 / answer.own_ratio)
    decades = np.log10(steps.max() / steps.min())
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < MANY else (1.0,), numticks=20))
    ax.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(r"$\tau / \delta$")


def _over_time(ax: Axes, answer: Separation, style: dict[str, Any]) -> None:
    count = answer.ratios.size
    for k, (ratio, distance) in enumerate(zip(answer.ratios, answer.distance, strict=True)):
        given = {"label": rf"$\delta/\tau = {ratio:g}$"}
        ax.plot(answer.slow_time, distance, **(line_style(k, count) | given | style))
    _mark(ax, f"{100 * answer.tolerance:g}% allowed", y=answer.tolerance, left=True)
    ax.set_xlabel(r"slow time since start of phase, $(t - t_0) / \delta$")


def _mark(ax: Axes, text: str, *, x: float | None = None, y: float | None = None, left: bool = False) -> None:
    """A grey line with its name: across at `y`, or upright at `x`."""
    line: dict[str, Any] = {"color": NEUTRAL, "linewidth": 0.8, "zorder": 0.5}
    small: dict[str, Any] = {"color": NEUTRAL, "fontsize": "small", "textcoords": "offset points"}
    if y is not None:
        ax.axhline(y, **line)
        across = ax.get_yaxis_transform()
        at, offset, side = (0.0, 3, "left") if left else (1.0, -3, "right")
        ax.annotate(text, (at, y), (offset, 2), xycoords=across, ha=side, va="bottom", **small)
    if x is not None:
        ax.axvline(x, **line)
        upright = ax.get_xaxis_transform()
        ax.annotate(text, (x, 0.0), (3, 3), xycoords=upright, ha="left", va="bottom", **small)

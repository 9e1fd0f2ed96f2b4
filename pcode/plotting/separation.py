"""How far the weights of the full flow are from the singular limit, or its values from slaved errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from ..analysis.result import of_answer
from ..analysis.separated import PAIRS
from ..run.select import check_word
from .legends import LegendPlace, check_legend, place_legend
from .sizes import small_text
from .style import NEUTRAL, axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.separation import Separation

ARTISTS: Artists = {
    "distances": Line2D,
    "fit": Line2D,
    "marks": Line2D,
    "mark_names": Text,
    "legend": Legend,
}

# Decades from which on only powers of ten are labelled.
MANY = 1.7

Against = Literal["ratio", "time"]

_LIMITS = {"weights": "the limit", "errors": "slaved errors"}


@draws(ARTISTS)
@of_answer
def separation(
    answer: Separation,
    /,
    against: Against = "ratio",
    *,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Distance of the weights from the limit :math:`\tau = 0`, in parts of how far they move.

    Or, if that was asked, of the values from slaved errors, against :math:`\tau_\varepsilon/\tau`. Against
    :math:`\tau/\delta`, the largest distance of each flow with the fitted line, whose slope is
    the order; grey lines are the tolerance and the run's own ratio. Against time, a line for
    each flow from the end of its initial layer on.

    Parameters
    ----------
    answer : pcode.analysis.separation.Separation
    against : {"ratio", "time"}
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``distances``, ``fit``, ``marks`` (the tolerance and the run's own ratio), ``mark_names`` and
        ``legend``.
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
    check_legend(legend)
    look = Styles(styles, ARTISTS, distances=kwargs)
    with axes_or_new(ax) as ax:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylabel(f"relative distance from {_LIMITS[answer.pair]}")
        if against == "time":
            _over_time(ax, answer, look)
        else:
            _over_ratio(ax, answer, look)
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _over_ratio(ax: Axes, answer: Separation, look: Styles) -> None:
    steps = 1.0 / answer.ratios
    given = {"marker": "o", "linestyle": "none", "label": "full flow"}
    if "distances" in look:
        ax.plot(steps, answer.largest, **look.of("distances", **(line_style(0, 1) | given)))
    if np.isfinite(answer.order) and "fit" in look:
        used = steps[answer.fitted]
        middle = np.exp(np.mean(np.log(used)))
        height = np.exp(np.mean(np.log(answer.largest[answer.fitted])))
        ends = np.array([used.min() / 1.3, used.max() * 1.3])
        slope = rf"slope ${answer.order:.3f} \pm {answer.order_error:.3f}$"
        line = height * (ends / middle) ** answer.order
        thin = {"color": line_style(0, 1)["color"], "linewidth": 0.8, "zorder": 1.0}
        ax.plot(ends, line, **look.of("fit", **thin, label=slope))
    _mark(ax, look, f"{100 * answer.tolerance:g}% allowed", y=answer.tolerance)
    if answer.own_ratio is not None:
        _mark(ax, look, "this run", x=1.0 / answer.own_ratio)
    decades = np.log10(steps.max() / steps.min())
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < MANY else (1.0,), numticks=20))
    ax.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    slow, fast = PAIRS[answer.pair].symbols
    ax.set_xlabel(rf"${fast} / {slow}$")


def _over_time(ax: Axes, answer: Separation, look: Styles) -> None:
    count, (slow, fast) = answer.ratios.size, PAIRS[answer.pair].symbols
    for k, (ratio, distance) in enumerate(zip(answer.ratios, answer.distance, strict=True)):
        given = {"label": rf"${slow}/{fast} = {ratio:g}$"}
        if "distances" in look:
            ax.plot(answer.slow_time, distance, **look.of("distances", **(line_style(k, count) | given)))
    _mark(ax, look, f"{100 * answer.tolerance:g}% allowed", y=answer.tolerance, left=True)
    ax.set_xlabel(rf"slow time since start of phase, $(t - t_0) / {slow}$")


def _mark(
    ax: Axes, look: Styles, text: str, *, x: float | None = None, y: float | None = None, left: bool = False
) -> None:
    """A grey line with its name: across at `y`, or upright at `x`."""
    across, upright = ax.get_yaxis_transform(), ax.get_xaxis_transform()
    if "marks" in look:
        line = look.of("marks", color=NEUTRAL, linewidth=0.8, zorder=0.5)
        if y is not None:
            ax.axhline(y, **line)
        if x is not None:
            ax.axvline(x, **line)
    if "mark_names" in look:
        side = "right" if y is not None and not left else "left"
        small = look.of("mark_names", color=NEUTRAL, fontsize=small_text(), ha=side, va="bottom")
        at, offset, where = ((0.0 if left else 1.0), y), (3 if left else -3, 2), across
        if x is not None:
            at, offset, where = (x, 0.0), (3, 3), upright
        ax.annotate(text, at, offset, xycoords=where, textcoords="offset points", **small)

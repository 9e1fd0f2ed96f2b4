"""The checks of a certificate, each beside its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..analysis.result import of_answer
from ..base.errors import InputError
from ..model.network import Array
from .labels import in_lines
from .marks import number
from .sizes import small_text
from .style import NEUTRAL, axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.certificate import Certificate

ARTISTS: Artists = {"points": Line2D, "thresholds": Line2D, "distances": Line2D, "numbers": Text}

# Figures of 0, which have no place on a logarithmic axis, stand this far below the least threshold.
ZERO = 1e-3

# Room for a number beside the outermost marks, in inches, and between these, in decades at least.
ROOM = 0.72
LEAST_SPAN = 2.0

# Labels of the axis at most, and the part of it at both ends in which there is none.
MOST_DECADES, EDGE = 7, 0.06

MARKS = {"pass": "o", "fail": "X"}


@draws(ARTISTS)
@of_answer
def certificate(
    answer: Certificate, /, *, styles: StylesOption = None, ax: Axes | None = None, **kwargs: Any
) -> Axes:
    """Figure of every check that has one, as a point beside its threshold, a bar, both with their numbers.

    Crosses mark failures.

    Parameters
    ----------
    answer : pcode.analysis.certificate.Certificate
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``points``, ``thresholds``, ``distances`` (the lines between the two) and ``numbers``.
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.plot`, for the points.

    Returns
    -------
    matplotlib.axes.Axes
        Figures are dimensionless, on a logarithmic axis; one of 0 stands at its left end.

    Raises
    ------
    InputError
        If no check has a figure beside a threshold.
    """
    checks = [c for c in answer.checks if np.isfinite(c.figure) and c.threshold > 0.0]
    if not checks:
        raise InputError(
            "certificate", "no check has a number to draw beside a threshold; its lines tell why"
        )
    positive = [v for c in checks for v in (c.figure, c.threshold) if v > 0.0]
    least = ZERO * min(positive)
    look = Styles(styles, ARTISTS, points=kwargs)
    with axes_or_new(ax) as ax:
        for row, c in enumerate(checks):
            figure = c.figure if c.figure > 0.0 else least
            grey: dict[str, Any] = {"color": NEUTRAL, "linestyle": "-", "zorder": 1}
            if "distances" in look:
                ax.plot([figure, c.threshold], [row, row], **look.of("distances", linewidth=0.8, **grey))
            if "thresholds" in look:
                bar = look.of("thresholds", linewidth=2.0, **grey)
                ax.plot([c.threshold] * 2, [row - 0.3, row + 0.3], **bar)
            if "points" in look:
                color = line_style(0 if c.verdict == "pass" else 1, 2)["color"]
                given: dict[str, Any] = {"color": color, "marker": MARKS[c.verdict], "linestyle": "none"}
                ax.plot([figure], [row], **look.of("points", **given))
            if "numbers" in look:
                below = figure <= c.threshold
                digits = next((n for n in (2, 3, 4) if f"{c.figure:.{n}g}" != f"{c.threshold:.{n}g}"), 5)
                _number(ax, c.figure, digits, (figure, row), below, look)
                _number(ax, c.threshold, digits, (c.threshold, row), not below, look)
        ax.set_xscale("log")
        shown = [*positive, *(least for c in checks if not c.figure > 0.0)]
        low, high = np.log10([min(shown), max(shown)])
        share = min(ROOM * ax.figure.dpi / ax.get_window_extent().width, 0.35)
        room = max(high - low, LEAST_SPAN) * share / (1.0 - 2.0 * share)
        ax.set_xlim(10.0 ** (low - room), 10.0 ** (high + room))
        ax.set_xticks(10.0 ** _decades(low - room, high + room))
        ax.set_yticks(range(len(checks)), [c.name for c in checks])
        ax.set_ylim(len(checks) - 0.5, -0.5)
        label = "figure (point) and the most that passes (bar), dimensionless"
        letter = 0.55 * float(ax.xaxis.label.get_fontsize()) / 72.0 * ax.figure.dpi
        ax.set_xlabel(in_lines(label, int(ax.get_window_extent().width / letter)))
    return ax


def _decades(low: float, high: float) -> Array:
    """Powers of ten to label, a few, none so near to an end that its label reaches beyond it."""
    inside = EDGE * (high - low)
    decades = np.arange(np.ceil(low + inside), np.floor(high - inside) + 1.0)
    kept: Array = decades[:: max(1, -(-decades.size // MOST_DECADES))]
    return kept


def _number(ax: Axes, value: float, digits: int, at: tuple[float, float], left: bool, look: Styles) -> None:
    """Write `value` to the left or the right of a mark."""
    away, align = (-6, "right") if left else (6, "left")
    text = f"${number(float(f'{value:.{digits}g}'), digits) if value else 0}$"
    given = look.of("numbers", ha=align, va="center", fontsize=small_text())
    ax.annotate(text, at, (away, 0), textcoords="offset points", **given)

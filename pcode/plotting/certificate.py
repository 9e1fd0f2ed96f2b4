"""The checks of a certificate, each beside its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from ..analysis.result import of_answer
from ..base.errors import InputError
from .style import NEUTRAL, axes_or_new, line_style

if TYPE_CHECKING:
    from ..analysis.certificate import Certificate

# Figures of 0, which have no place on a logarithmic axis, stand this far below the least threshold.
ZERO = 1e-3

MARKS = {"pass": "o", "fail": "X"}


@of_answer
def certificate(answer: Certificate, /, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Figure of every check that has one, as a point beside its threshold, a bar; crosses mark failures.

    Parameters
    ----------
    answer : pcode.analysis.certificate.Certificate
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
    with axes_or_new(ax) as ax:
        for row, c in enumerate(checks):
            figure = c.figure if c.figure > 0.0 else least
            grey: dict[str, Any] = {"color": NEUTRAL, "linestyle": "-", "zorder": 1}
            ax.plot([figure, c.threshold], [row, row], linewidth=0.8, **grey)
            ax.plot([c.threshold] * 2, [row - 0.3, row + 0.3], linewidth=2.0, **grey)
            color = line_style(0 if c.verdict == "pass" else 1, 2)["color"]
            given: dict[str, Any] = {"color": color, "marker": MARKS[c.verdict], "linestyle": "none"}
            ax.plot([figure], [row], **(given | kwargs))
        ax.set_xscale("log")
        ax.set_yticks(range(len(checks)), [c.name for c in checks])
        ax.set_ylim(len(checks) - 0.5, -0.5)
        ax.set_xlabel("figure (point) and threshold (bar), dimensionless")
    return ax

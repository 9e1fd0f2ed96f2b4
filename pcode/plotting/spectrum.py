"""Eigenvalues of nodes and weights in the complex plane, and their rates along a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from ..errors import InputError
from ..select import check_flags, check_word
from .style import NEUTRAL, axes_or_new, line_style, outside_legend

if TYPE_CHECKING:
    from ..analysis.rates import Rates
    from ..analysis.spectrum import Spectrum

Against = Literal["plane", "time"]

# Room on a logarithmic axis beside the smallest and the largest eigenvalue, in factors.
ROOM = 3.0

# Time is logarithmic where it spans more than this factor.
SPAN = 100.0

RATES = (
    ("node_fastest", "nodes, fastest", 0, "-"),
    ("node_slowest", "nodes, slowest", 0, "--"),
    ("weight_fastest", "weights, fastest", 1, "-"),
    ("weight_slowest", "weights, slowest", 1, "--"),
)


def spectrum(
    answer: Spectrum,
    /,
    against: Against = "plane",
    *,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Eigenvalues in the complex plane; or rates along the run.

    Parameters
    ----------
    answer : pcode.analysis.spectrum.Spectrum
    against : {"plane", "time"}
        The eigenvalues, times :math:`\tau`, over the complex plane: real parts on an axis that is
        logarithmic on both sides of a narrow strip around 0, in which the neutral ones lie. Those of
        the nodes are dots, those of the weights on the slow manifold diamonds, and those of both
        together crosses. Or the fastest and slowest rates against time, where the answer has a course.
    legend : bool
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.plot`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If an option is none of those allowed, or there is no course to draw.
    """
    check_word("against", against, ("plane", "time"))
    check_flags(legend=legend)
    with axes_or_new(ax) as ax:
        if against == "plane":
            _plane(ax, answer, kwargs)
        else:
            _course(ax, answer, kwargs)
        if legend:
            outside_legend(ax)
    return ax


def _plane(ax: Axes, answer: Spectrum, style: dict[str, Any]) -> None:
    fast, slow = line_style(0, 2)["color"], line_style(1, 2)["color"]
    parts: list[tuple[Any, dict[str, Any]]] = [
        (answer.nodes, {"marker": "o", "color": fast, "label": "nodes"}),
        (answer.weights, {"marker": "D", "color": slow, "label": "weights, nodes at rest"}),
        (
            answer.full,
            {"marker": "+", "color": NEUTRAL, "label": "both together", "markersize": 8.0, "zorder": 1},
        ),
    ]
    ax.axvline(0.0, color=NEUTRAL, linewidth=0.8, zorder=0.5)
    sizes: list[float] = []
    for part, given in parts:
        if part is None:
            continue
        values = answer.tau * np.where(np.abs(part.values) > part.still, part.values, 0.0)
        sizes += np.abs(values.real[values.real != 0.0]).tolist()
        look: dict[str, Any] = {"linestyle": "none", "markersize": 3.5} | given | style
        ax.plot(values.real, values.imag, **look)
    if sizes:
        _logarithmic(ax, min(sizes), max(sizes))
    ax.set_xlabel(r"rate of growth, $\tau\,\mathrm{Re}\,\lambda$")
    ax.set_ylabel(r"angular frequency, $\tau\,\mathrm{Im}\,\lambda$")
    height = max(abs(end) for end in ax.get_ylim())
    ax.set_ylim(-height, height)


def _logarithmic(ax: Axes, least: float, largest: float) -> None:
    """Make the axis of real parts logarithmic down to `least` on both sides, with few enough ticks."""
    # The first line is that at 0.
    right = max(float(np.max(line.get_xdata())) for line in ax.get_lines()[1:])
    ax.set_xscale("symlog", linthresh=least / ROOM, linscale=0.5)
    # A strip on the unstable side stays in sight.
    ax.set_xlim(-largest * ROOM, max(ROOM * right, least / ROOM))
    lowest, highest = math.ceil(math.log10(least / 2.0)), math.floor(math.log10(largest * ROOM))
    decades = 10.0 ** np.arange(highest, lowest - 1, -max(1, math.ceil((highest - lowest) / 4)))
    ax.set_xticks(np.concatenate([-decades, [0.0], decades[decades <= ROOM * right]]), minor=False)
    ax.xaxis.set_minor_locator(NullLocator())


def _course(ax: Axes, answer: Spectrum, style: dict[str, Any]) -> None:
    if not answer.course:
        what = 'has no rates along the run; ask for some, e.g. --set moments=20, or draw against = "plane"'
        raise InputError("against", what)
    t = answer.times - answer.times[0]
    for name, label, k, dashes in RATES:
        rates = np.array([_value(rates, name) for rates in answer.course])
        if np.isfinite(rates).any():
            given = {"color": line_style(k, 2)["color"], "linestyle": dashes, "label": label, "marker": "."}
            ax.plot(t, rates, **(given | style))
    ax.set_yscale("log")
    if t.size > 2 and t[-1] > SPAN * t[1]:
        ax.set_xscale("log")
    ax.set_xlabel(r"time since start of phase, $t - t_0$ (unit of $\tau$)")
    ax.set_ylabel(r"rate (1/unit of $\tau$)")


def _value(rates: Rates, name: str) -> float:
    value = getattr(rates, name)
    return float("nan") if value is None else value

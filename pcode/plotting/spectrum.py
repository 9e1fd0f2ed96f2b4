"""Eigenvalues of nodes and weights in the complex plane, and their rates along a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ..analysis.result import of_answer
from ..base.errors import InputError
from ..run.select import check_flags, check_word
from .clock import in_mathtext, time_since_start
from .legends import LegendPlace, check_legend, place_legend
from .style import NEUTRAL, axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.spectra.modes import Eigenvalues
    from ..analysis.spectra.rates import Rates
    from ..analysis.spectrum import Spectrum

Against = Literal["plane", "time"]

POINTS = ("nodes", "weights", "together", "earlier", "rates")
ARTISTS: Artists = dict.fromkeys((*POINTS, "axis", "euler", "rk45"), Line2D) | {"legend": Legend}

# Room on a logarithmic axis beside the smallest and the largest eigenvalue, in factors.
ROOM = 3.0

# Time is logarithmic where it spans more than this factor.
SPAN = 100.0

# Points beyond which a scatter is a burden to a vector file, and becomes an image in it.
MOST_POINTS = 5_000

# How pale the eigenvalues of the first moment are.
PALEST = 0.75

RATES = (
    ("node_fastest", "nodes, fastest", 0, "-"),
    ("node_slowest", "nodes, slowest", 0, "--"),
    ("weight_fastest", "weights, fastest", 1, "-"),
    ("weight_slowest", "weights, slowest", 1, "--"),
)


@draws(ARTISTS)
@of_answer
def spectrum(
    answer: Spectrum,
    /,
    against: Against = "plane",
    *,
    regions: bool = True,
    legend: LegendPlace = True,
    styles: StylesOption = None,
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
        together crosses. Where the answer has a course, those of earlier moments are there too, the
        paler the earlier. Or the fastest and slowest rates against time, where the answer has a course.
    regions : bool
        Whether to draw, over the plane, the stability regions of explicit Euler and RK45, each for the
        longest step for which it has in it all eigenvalues that decay.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``nodes``, ``weights`` and ``together`` (eigenvalues), ``earlier`` (those of earlier moments),
        ``axis`` (the line at 0), ``euler``, ``rk45``, ``rates`` and ``legend``.
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
    check_flags(regions=regions)
    check_legend(legend)
    look = Styles(styles, ARTISTS, **dict.fromkeys(POINTS, kwargs))
    with axes_or_new(ax) as ax:
        if against == "plane":
            _plane(ax, answer, regions, look)
        else:
            _course(ax, answer, look)
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _plane(ax: Axes, answer: Spectrum, regions: bool, look: Styles) -> None:
    fast, slow = line_style(0, 2)["color"], line_style(1, 2)["color"]
    looks: tuple[dict[str, Any], ...] = ({"marker": "o", "color": fast}, {"marker": "D", "color": slow})
    if "axis" in look:
        ax.axvline(0.0, **look.of("axis", color=NEUTRAL, linewidth=0.8, zorder=0.5))
    sizes: list[float] = []
    earlier = [parts for parts in answer.course_parts[:-1] if parts is not None]
    for k, parts in enumerate(earlier if "earlier" in look else ()):
        pale = PALEST * (1.0 - k / len(earlier))
        for part, own in zip(parts, looks, strict=True):
            given = own | {"color": _paler(own["color"], pale), "zorder": 1.5 + 0.4 * k / len(earlier)}
            sizes += _dots(ax, answer, part, look.of("earlier", **given))
    together = {"marker": "+", "color": NEUTRAL, "label": "both together", "markersize": 8.0, "zorder": 1}
    first, second = (own | {"zorder": 2.0} for own in looks)
    for name, part, given in (
        ("nodes", answer.nodes, first | {"label": "nodes"}),
        ("weights", answer.weights, second | {"label": "weights, nodes at rest"}),
        ("together", answer.full, together),
    ):
        if name in look:
            sizes += _dots(ax, answer, part, look.of(name, **given))
    if sizes:
        _logarithmic(ax, min(sizes), max(sizes))
    if regions:
        _regions(ax, answer, look)
    ax.set_xlabel(r"rate of growth, $\tau\,\mathrm{Re}\,\lambda$")
    ax.set_ylabel(r"angular frequency, $\tau\,\mathrm{Im}\,\lambda$")
    height = max(abs(end) for end in ax.get_ylim())
    ax.set_ylim(-height, height)


def _dots(ax: Axes, answer: Spectrum, part: Eigenvalues | None, look: dict[str, Any]) -> list[float]:
    """Draw eigenvalues; the sizes of their real parts that are not 0."""
    if part is None or not part.values.size:
        return []
    values = answer.tau * np.where(np.abs(part.values) > part.still, part.values, 0.0)
    base: dict[str, Any] = {"linestyle": "none", "markersize": 3.5, "rasterized": values.size > MOST_POINTS}
    ax.plot(values.real, values.imag, **(base | {"label": "_nolegend_"} | look))
    sizes: list[float] = np.abs(values.real[values.real != 0.0]).tolist()
    return sizes


def _paler(color: str, share: float) -> tuple[float, float, float]:
    """A mixture of a colour and so much white."""
    red, green, blue = ((1.0 - share) * value + share for value in to_rgb(color))
    return red, green, blue


def _regions(ax: Axes, answer: Spectrum, look: Styles) -> None:
    """Outline where explicit methods are stable at the longest step stable at all moments."""
    from ..analysis.spectra.rates import EULER, RK45, stability_border

    moments = [answer.rates, *answer.course]
    methods = (("Euler", EULER, "step_euler", ":"), ("RK45", RK45, "step_rk45", "--"))
    low, high = ax.get_xlim()
    for name, stability, which, dashes in methods:
        steps = [step for rates in moments if (step := getattr(rates, which)) is not None]
        if steps and name.lower() in look:
            h = min(steps) / answer.tau
            border = stability_border(stability) / h
            outline = np.concatenate([border[::-1], border.conj()])
            label = rf"stable for {name}, $h = {h:.2g}\,\tau$"
            line: dict[str, Any] = {"color": NEUTRAL, "linestyle": dashes, "linewidth": 1.0, "zorder": 0.8}
            ax.plot(outline.real, outline.imag, **look.of(name.lower(), **line, label=label))
            low = min(low, 1.2 * float(outline.real.min()))
    ax.set_xlim(low, high)


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


def _course(ax: Axes, answer: Spectrum, look: Styles) -> None:
    if not answer.course:
        what = 'has no rates along the run; ask for some, e.g. --set moments=20, or draw against = "plane"'
        raise InputError("against", what)
    unit, time_label = time_since_start(answer.times[-1] - answer.times[0], answer.time_unit)
    t = (answer.times - answer.times[0]) / unit
    for name, label, k, dashes in RATES:
        rates = np.array([_value(rates, name) for rates in answer.course])
        if np.isfinite(rates).any() and "rates" in look:
            given = {"color": line_style(k, 2)["color"], "linestyle": dashes, "label": label, "marker": "."}
            ax.plot(t, rates, **look.of("rates", **given))
    ax.set_yscale("log")
    low, high = ax.dataLim.intervaly
    if 0.0 < low <= high:
        # Whole decades, so that some are labelled.
        ax.set_ylim(10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high) + 1e-9))
    if t.size > 2 and t[-1] > SPAN * t[1]:
        ax.set_xscale("log")
    ax.set_xlabel(time_label)
    ax.set_ylabel(f"rate of decay (1/{in_mathtext(answer.time_unit)})")


def _value(rates: Rates, name: str) -> float:
    value = getattr(rates, name)
    return float("nan") if value is None else value

"""The value nodes at rest, in every equilibrium that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from ..analysis.result import of_answer
from ..base.errors import InputError
from .legends import LegendPlace, check_legend, place_legend
from .style import NEUTRAL, axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.equilibrium import Equilibrium, Found

ARTISTS: Artists = {"points": Line2D, "zero": Line2D, "borders": Line2D, "legend": Legend}

TOLD = {
    "stable": "stable",
    "unstable": "unstable, real",
    "oscillating": "unstable, oscillation",
    "neutral": "neutral",
    "unknown": "unknown stability",
}


@draws(ARTISTS)
@of_answer
def equilibrium(
    answer: Equilibrium,
    /,
    sample: int | None = None,
    *,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Values :math:`x^l_i` at rest of one sample, one curve for each of its equilibria.

    Parameters
    ----------
    answer : pcode.analysis.equilibrium.Equilibrium
    sample : int, optional
        A row of the data; one with the most equilibria where left out.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``points``, ``zero`` and ``borders`` (between layers), and ``legend``.
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.plot`.

    Returns
    -------
    matplotlib.axes.Axes
        Stable equilibria have filled markers, others open ones.

    Raises
    ------
    InputError
        If no equilibrium was found, or there is no such sample.
    """
    check_legend(legend)
    look = Styles(styles, ARTISTS, points=kwargs)
    shown = _of_sample(answer, sample)
    sizes = [layer.size for layer in shown[0].x]
    starts = np.cumsum([0, *sizes])
    small = max(sizes) <= 40
    with axes_or_new(ax) as ax:
        for start in starts[1:-1] if "borders" in look else ():
            ax.axvline(start - 0.5, **look.of("borders", color=NEUTRAL, linewidth=0.6, zorder=0.5))
        if "zero" in look:
            ax.axhline(0.0, **look.of("zero", color=NEUTRAL, linewidth=0.4, zorder=0.4))
        for k, found in enumerate(shown if "points" in look else ()):
            own = line_style(k, len(shown))
            given = own | {
                "linestyle": "none",
                "marker": ("o", "s", "D", "^", "v", "P")[k % 6] if small else ".",
                "markersize": 5.0 if small else 2.0,
                "markerfacecolor": own["color"] if found.kind in ("stable", "neutral") else "white",
                "label": f"equilibrium {k + 1}: {TOLD[found.kind]}",
            }
            # Side by side where several would hide one another.
            shift = 0.5 * (k - (len(shown) - 1) / 2.0) / len(shown)
            ax.plot(np.arange(starts[-1]) + shift, np.concatenate(found.x), **look.of("points", **given))
        ax.set_xticks(0.5 * (starts[:-1] + starts[1:] - 1), [f"layer {layer}" for layer in range(len(sizes))])
        ax.tick_params(axis="x", length=0.0)
        ax.set_xlim(-0.6, starts[-1] - 0.4)
        ax.set_xlabel(f"value nodes, by layer (sample {shown[0].sample})")
        ax.set_ylabel("value at rest, $x^l_i$")
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _of_sample(answer: Equilibrium, sample: int | None) -> list[Found]:
    """The equilibria of `sample`, or of one with the most."""
    if not answer.equilibria:
        raise InputError("sample", "no equilibrium was found, so there is nothing to draw")
    by_sample: dict[int, list[Found]] = {}
    for found in answer.equilibria:
        by_sample.setdefault(found.sample, []).append(found)
    if sample is None:
        sample = max(by_sample, key=lambda name: len(by_sample[name]))
    if sample not in by_sample:
        raise InputError("sample", f"there is no sample {sample} here; there are {sorted(by_sample)}")
    return by_sample[sample]

"""Marginal densities of nodes with noise, beside those of the theory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from ..analysis.result import of_answer
from ..base.errors import InputError
from .labels import node_symbol
from .legends import LegendPlace, check_legend, place_legend
from .style import axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.stationary import Marginal, Stationary

ARTISTS: Artists = {"seen": StepPatch, "theory": Line2D, "legend": Legend}

# Most histograms that are filled; of more the outlines are drawn.
FILLED = 2


@draws(ARTISTS)
@of_answer
def stationary(
    answer: Stationary,
    /,
    nodes: list[str] | None = None,
    *,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Densities of value nodes :math:`x^l_i`: histograms of the run, and curves of the law beside it.

    Parameters
    ----------
    answer : pcode.analysis.stationary.Stationary
    nodes : list of str, optional
        Some of the nodes of its `marginals`, such as ["x1[0,3]"]; all where left out.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``seen``, ``theory`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.stairs`, for the histograms.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the answer has no such node.
    """
    check_legend(legend)
    look = Styles(styles, ARTISTS, seen=kwargs)
    shown, several = _chosen(answer, nodes), len(answer.samples) > 1
    with axes_or_new(ax) as ax:
        for k, one in enumerate(shown):
            line, symbol = line_style(k, len(shown)), node_symbol(one.name, sample=several)
            color = line["color"]
            if "seen" in look:
                seen: dict[str, Any] = {"fill": True, "label": f"{symbol}, seen"}
                if len(shown) <= FILLED:
                    seen |= {"color": color, "alpha": 0.35}
                else:  # many fills on top of one another could not be told apart
                    seen |= {"facecolor": (color, 0.1), "edgecolor": color, "linewidth": 1.0}
                    seen |= {"linestyle": line["linestyle"]}
                ax.stairs(one.density, one.edges, **look.of("seen", **seen))
            if "theory" in look and one.at.size:
                near = one.expected > 1e-4 * one.expected.max()
                drawn = line | {"label": f"{symbol}, {answer.law}"}
                ax.plot(one.at[near], one.expected[near], **look.of("theory", **drawn))
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("value $x^l_i$")
        ax.set_ylabel("density")
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _chosen(answer: Stationary, nodes: list[str] | None) -> list[Marginal]:
    if nodes is None:
        return list(answer.marginals)
    by_name = {one.name: one for one in answer.marginals}
    missing = [name for name in nodes if name not in by_name]
    if missing:
        raise InputError("nodes", f"the answer has no density of {missing[0]!r}, but of {', '.join(by_name)}")
    return [by_name[name] for name in nodes]

"""Legends: right of an Axes, below it or inside, where they leave the data their room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.transforms import Bbox, BboxBase

from ..base import checks
from ..base.errors import InputError

# Where a legend stands; True: right, or below where it would take more than `SHARE` of the width there.
LegendPlace = Literal["right", "below", "inside"] | bool

PLACES = ("right", "below", "inside")
SHARE = 0.25

# Entries that a legend beside a small panel has room for, one below the other.
ROWS = 9


def check_legend(legend: object) -> None:
    """Raise InputError unless `legend` is a place for a legend, true or false."""
    if not isinstance(checks.plain(legend), bool) and legend not in PLACES:
        what = f'must be "right", "below", "inside", true or false, not {checks.shown(legend)}'
        raise InputError("legend", what)


def place_legend(
    ax: Axes,
    place: LegendPlace = True,
    handles: Sequence[Any] | None = None,
    labels: Sequence[str] | None = None,
    **keywords: Any,
) -> Legend | None:
    """Put a legend of an Axes where `place` says; give it back, or None where there is nothing to put there.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    place : {"right", "below", "inside"} or bool
        True: right, or below where it would take more than a quarter of the width there.
    handles, labels : sequence, optional
        Those of the Axes where left out.
    **keywords
        To `Axes.legend`, over those of the place; with ``loc`` or ``bbox_to_anchor`` the place is theirs.
    """
    if handles is None:
        handles, labels = ax.get_legend_handles_labels()
    labels = [str(one.get_label()) for one in handles] if labels is None else list(labels)
    if not handles or place is False:
        return None
    if keywords.keys() & {"loc", "bbox_to_anchor"}:
        return ax.legend(handles, labels, **keywords)
    if place == "inside":
        framed: dict[str, Any] = {"loc": "best", "frameon": True}
        return ax.legend(handles, labels, **(framed | keywords))
    columns = {"ncols": math.ceil(len(handles) / ROWS)}
    beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} | columns
    if place != "below":
        legend = ax.legend(handles, labels, **(beside | keywords))
        if place == "right" or _width(legend) <= SHARE * _room(ax):
            return legend
        legend.remove()
    return _below(ax, handles, labels, keywords)


def figure_legend(
    fig: Figure, place: LegendPlace, handles: Sequence[Any], labels: Sequence[str], **keywords: Any
) -> Legend | None:
    """Put one legend for all panels of a figure with a constrained layout; see `place_legend`.

    True is above all panels, "inside" within the last one.
    """
    handles, labels = list(handles), list(labels)
    if not handles or place is False:
        return None
    if place == "inside":
        return place_legend(fig.axes[-1], place, handles, labels, **keywords)
    if place == "right":
        return fig.legend(handles, labels, **({"loc": "outside right upper"} | keywords))
    columns = fitting_columns(fig, handles, labels, fig.bbox.width, keywords)
    where = "lower" if place == "below" else "upper"
    given: dict[str, Any] = {"loc": f"outside {where} center", "ncols": columns}
    return fig.legend(handles, labels, **(given | keywords))


def fitting_columns(
    parent: Axes | Figure,
    handles: Sequence[Any],
    labels: Sequence[str],
    width: float,
    keywords: dict[str, Any],
) -> int:
    """Columns of a legend that a `width` in pixels has room for, one at least; no more than its rows need."""
    single = Legend(parent, handles, labels, **(keywords | {"ncols": 1}))
    single.set_figure(cast(Figure, parent.figure))
    em = single.prop.get_size_in_points() / 72.0 * cast(Figure, parent.figure).dpi
    texts = np.array([text.get_window_extent().width for text in single.get_texts()])
    entry = texts + (single.handlelength + single.handletextpad) * em
    count = len(entry)

    def taken(columns: int) -> float:
        widest = sum(part.max() for part in np.array_split(entry, columns))
        return float(widest + ((columns - 1) * single.columnspacing + 2.0 * single.borderpad) * em)

    most = next((k for k in range(count, 1, -1) if taken(k) <= width), 1)
    return math.ceil(count / math.ceil(count / most))


class LegendBelow(Legend):
    """A legend right below an Axes, its ticks and its labels, wherever the layout moves these."""

    def get_bbox_to_anchor(self) -> BboxBase:
        """The Axes with its ticks and labels, as far as they stand left of it and below."""
        ax = self.axes
        boxes = [axis.get_tightbbox() for axis in (ax.xaxis, ax.yaxis) if axis.get_visible() and ax.axison]
        seen = [box for box in boxes if box is not None]
        left, low = min([ax.bbox.x0, *(b.x0 for b in seen)]), min([ax.bbox.y0, *(b.y0 for b in seen)])
        gap = 0.3 * rcParams["font.size"] / 72.0 * cast(Figure, ax.figure).dpi
        return Bbox([[left, low - gap], [ax.bbox.x1, low - gap]])


def _below(ax: Axes, handles: Sequence[Any], labels: Sequence[str], keywords: dict[str, Any]) -> Legend:
    columns = fitting_columns(ax, handles, labels, _room(ax), keywords)
    given: dict[str, Any] = {"loc": "upper center", "ncols": columns} | keywords
    ax.legend(handles, labels, **given)
    legend = LegendBelow(ax, handles, labels, **given)
    # As Axes.legend does; there is no public way to give an Axes a legend of another class.
    legend._remove_method = ax.get_legend()._remove_method  # type: ignore[attr-defined, union-attr]
    ax.legend_ = legend
    return legend


def _width(legend: Legend) -> float:
    return legend.get_window_extent().width


def _room(ax: Axes) -> float:
    """The width in pixels that an Axes and what stands beside it have in a figure that is laid out."""
    width = cast(Figure, ax.figure).bbox.width
    spec = ax.get_subplotspec()
    if spec is None:
        return ax.bbox.width
    grid = spec.get_gridspec()
    shares = np.array(grid.get_width_ratios(), dtype=float)
    whole = spec.get_topmost_subplotspec()
    outer = 1.0 if whole is spec else _share(whole)
    return float(width * outer * shares[spec.colspan].sum() / shares.sum())


def _share(spec: Any) -> float:
    shares = np.array(spec.get_gridspec().get_width_ratios(), dtype=float)
    return float(shares[spec.colspan].sum() / shares.sum())

"""Legends: right of an Axes, below it or inside, where they leave the data their room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import SubplotSpec
from matplotlib.legend import Legend
from matplotlib.transforms import Bbox, BboxBase

from ..base import checks
from ..base.errors import InputError

# Where a legend stands; True: right, or below where it would take more than `SHARE` of the width there.
LegendPlace = Literal["right", "below", "inside"] | bool

PLACES = ("right", "below", "inside")
SHARE = 0.25

# Above all marks and their labels.
ABOVE = 7.0

# Inches between the labels of an Axes and a legend below them.
GAP = 0.03

# Part of the height of an Axes, with what stands above and below it, that a legend beside it may have, and
# the height of an entry in letters.
HEIGHT, ENTRY = 0.7, 1.35


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
    across: Sequence[Axes] = (),
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
    across : sequence of Axes
        A row of Axes, below all of which a legend may stand.
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
        framed: dict[str, Any] = {"loc": "best", "frameon": True, "framealpha": 1.0}
        inside = ax.legend(handles, labels, **(framed | keywords))
        inside.set_zorder(ABOVE)
        return inside
    row = list(across) or [ax]
    beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    beside |= {"ncols": math.ceil(len(handles) / _rows(ax))}
    if place != "below":
        legend = ax.legend(handles, labels, **(beside | keywords))
        if place == "right" or legend.get_window_extent().width <= SHARE * _room(row):
            return legend
        legend.remove()
    return _below(row, handles, labels, keywords)


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
    """A legend right below a row of Axes, their ticks and labels, wherever the layout moves these.

    Parameters
    ----------
    row : sequence of matplotlib.axes.Axes
        It belongs to the first.
    **options
        Of `matplotlib.legend.Legend`.
    """

    def __init__(self, row: Sequence[Axes], **options: Any) -> None:
        self._row = tuple(row)
        super().__init__(row[0], **options)

    def get_bbox_to_anchor(self) -> BboxBase:
        """A line below the row, as long as the Axes with the ticks and labels on their left."""
        shown = [ax for ax in self._row if ax.axison]
        seen = [axis.get_tightbbox() for ax in shown for axis in (ax.xaxis, ax.yaxis) if axis.get_visible()]
        boxes: list[BboxBase] = [box for box in seen if box is not None]
        boxes += [ax.bbox for ax in self._row]
        low = min(box.y0 for box in boxes) - GAP * self.axes.figure.dpi
        ends = min(box.x0 for box in boxes), max(ax.bbox.x1 for ax in self._row)
        return Bbox([[ends[0], low], [ends[1], low]])

    def get_tightbbox(self, renderer: Any = None) -> Bbox | None:
        """What a layout is to keep free for it: its height, but no width beyond that of its first Axes."""
        box = super().get_tightbbox(renderer)
        if box is None or len(self._row) == 1:
            return box
        return Bbox([[self.axes.bbox.x0, box.y0], [self.axes.bbox.x1, box.y1]])


def _below(row: Sequence[Axes], handles: Sequence[Any], labels: Sequence[str], keywords: Any) -> Legend:
    ax = row[0]
    columns = fitting_columns(ax, handles, labels, _room(row), keywords)
    given: dict[str, Any] = {"loc": "upper center", "ncols": columns} | keywords
    usual = ax.legend(handles, labels, **given)
    legend = LegendBelow(row, handles=handles, labels=labels, **given)
    # As Axes.legend does; there is no public way to give an Axes a legend of another class.
    legend._remove_method = usual._remove_method  # type: ignore[attr-defined]
    ax.legend_ = legend
    return legend


def width_left(ax: Axes) -> float:
    """The width in pixels that an Axes will have between its labels and a legend to its right."""
    labels, legend = ax.yaxis.get_tightbbox(), ax.get_legend()
    left = ax.bbox.x0 - labels.x0 if labels is not None else 0.0
    right = 0.0
    if legend is not None and legend.get_bbox_to_anchor().x0 >= ax.bbox.x1:
        right = legend.get_window_extent().width
    return _room([ax]) - left - right


def _room(row: Sequence[Axes]) -> float:
    """The width in pixels that a row of Axes, with what stands beside them, has in a figure laid out."""
    spec = row[0].get_subplotspec()
    if spec is None:
        return sum(ax.bbox.width for ax in row)
    width = cast(Figure, row[0].figure).bbox.width
    outer = spec.get_topmost_subplotspec()
    whole = 1.0 if outer is spec else _share([outer])
    specs = [ax.get_subplotspec() for ax in row]
    return float(width * whole * _share([one for one in specs if one is not None]))


def _rows(ax: Axes) -> int:
    """How many entries a legend beside an Axes has room for, one below the other; one at least."""
    dpi = cast(Figure, ax.figure).dpi
    letter = FontProperties(size=rcParams["legend.fontsize"]).get_size_in_points() / 72.0 * dpi
    return max(1, int(HEIGHT * height_of(ax) / (ENTRY * letter)))


def height_of(ax: Axes) -> float:
    """The height in pixels that an Axes, with what stands above and below it, has in a figure laid out."""
    spec = ax.get_subplotspec()
    if spec is None:
        return float(ax.bbox.height)
    shares = np.array(spec.get_gridspec().get_height_ratios(), dtype=float)
    return float(cast(Figure, ax.figure).bbox.height * shares[spec.rowspan].sum() / shares.sum())


def _share(specs: Sequence[SubplotSpec]) -> float:
    """The part of the width of their grid that cells of one row have."""
    shares = np.array(specs[0].get_gridspec().get_width_ratios(), dtype=float)
    return float(sum(shares[spec.colspan].sum() for spec in specs) / shares.sum())

"""Labels of marks along a path, put where they hide neither the path nor other marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from ..model.network import Array

# On which side of a dot its label is, and how many points away, in turn.
SIDES = ((1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
AWAY = (2.5, 4.0, 6.0, 8.0)

# Free points around a label.
MARGIN = 1.0

ALIGNED: tuple[dict[int, Any], dict[int, Any]] = (
    {1: "left", 0: "center", -1: "right"},
    {1: "bottom", 0: "center", -1: "top"},
)


class MarkPlaces(Artist):
    """Places the labels of an Axes as it is drawn, when the layout is known; it draws nothing itself.

    A label without a place that is free is left out, and so is a mark, with its label, over another marker.
    """

    zorder = -10.0  # before what it places

    def __init__(self) -> None:
        super().__init__()
        self.set_in_layout(False)
        self._paths: list[Array] = []
        self._marks: list[tuple[Line2D, Annotation | None]] = []

    @classmethod
    def of(cls, ax: Axes) -> MarkPlaces:
        """That of an Axes, which has one at most."""
        found = next((one for one in ax.artists if isinstance(one, cls)), None)
        if found is None:
            found = cls()
            ax.add_artist(found)
            found.set_clip_path(None)
        return found

    def keep_free(self, path: Array) -> None:
        """Have labels stay off a path, shape (T, 2)."""
        self._paths.append(path)

    def add(self, dot: Line2D, label: Annotation | None) -> None:
        """Have a dot, and its label if it has one, placed."""
        self._marks.append((dot, label))

    def draw(self, renderer: Any) -> None:
        """Place the labels."""
        ax = self.axes
        if not isinstance(ax, Axes):
            return
        own = [dot for dot, _ in self._marks]
        others = list(_markers([line for line in ax.get_lines() if line not in own]))
        taken = [*others, *_markers(own)]
        legend = ax.get_legend()
        if legend is not None and legend.get_visible():
            taken.append(legend.get_window_extent(renderer))
        paths = [Path(ax.transData.transform(path)) for path in self._paths]
        for dot, label in self._marks:
            (box,) = _markers([dot])
            dot.set_visible(not any(box.overlaps(other) for other in others))
            if label is not None:
                label.set_visible(dot.get_visible() and _place(label, renderer, ax.bbox, taken, paths))
                if label.get_visible():
                    taken.append(label.get_window_extent(renderer))
        self.stale = False


def _markers(lines: list[Line2D]) -> Iterator[Bbox]:
    """What the markers of lines cover, in pixels."""
    for line in lines:
        if line.get_marker() in ("None", "none", " ", "", None):
            continue
        reach = 0.5 * (line.get_markersize() + line.get_markeredgewidth()) / 72.0 * line.figure.dpi
        for x, y in line.get_transform().transform(np.column_stack(line.get_data())):
            yield Bbox.from_extents(x - reach, y - reach, x + reach, y + reach)


def _within(box: Bbox, window: Any) -> bool:
    low, high = box.min >= window.min, box.max <= window.max
    return bool(low.all() and high.all())


def _place(label: Annotation, renderer: Any, window: Any, taken: list[Bbox], paths: list[Path]) -> bool:
    """Move a label to the first place beside its dot that is free; say whether there is one."""
    label.set_visible(True)
    patch = label.get_bbox_patch()
    for away in AWAY:
        for right, up in SIDES:
            label.xyann = (away * right, away * up)
            label.set(ha=ALIGNED[0][right], va=ALIGNED[1][up])
            text = label.get_window_extent(renderer)
            if patch is not None:
                label.update_bbox_position_size(renderer)
                text = Bbox.union([text, patch.get_window_extent(renderer)])
            box = text.padded(renderer.points_to_pixels(MARGIN))
            if not _within(text, window) or any(box.overlaps(other) for other in taken):
                continue
            if not any(path.intersects_bbox(box, filled=False) for path in paths):
                return True
    return False

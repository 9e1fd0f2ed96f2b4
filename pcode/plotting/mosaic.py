"""Images of one shape side by side in one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from matplotlib.path import Path
from numpy.typing import NDArray

from ..model.network import Array

# Of more images than this only as many, evenly chosen, are shown.
MOST_IMAGES = 64

FRAMES = "0.35"


@dataclass(frozen=True)
class Mosaic:
    """Images side by side, row by row, without room between.

    Attributes
    ----------
    total : int
        Number of images.
    shape : tuple of int
        Rows and columns of each.
    columns : int
        Images side by side.
    """

    total: int
    shape: tuple[int, int]
    columns: int

    @classmethod
    def fitting(cls, total: int, shape: tuple[int, int], proportions: float = 1.0) -> Mosaic:
        """The mosaic that comes nearest to a panel, width over height, with few places left empty."""
        count = min(total, MOST_IMAGES)

        def badness(columns: int) -> float:
            rows = math.ceil(count / columns)
            off = math.log(columns * shape[1] / (rows * shape[0]) / proportions)
            return abs(off) + (rows * columns - count) / count

        return cls(total, shape, min(range(1, count + 1), key=badness))

    @property
    def count(self) -> int:
        """Number of images shown."""
        return min(self.total, MOST_IMAGES)

    @property
    def chosen(self) -> NDArray[np.intp]:
        """Which are shown."""
        return np.linspace(0, self.total - 1, self.count).round().astype(np.intp)

    @property
    def rows(self) -> int:
        """Images one below the other."""
        return math.ceil(self.count / self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the picture, in pixels."""
        return self.rows * self.shape[0], self.columns * self.shape[1]

    def picture(self, images: Array) -> Array:
        """One array of the `images` that are shown, of shape (total, pixels); 0 where there is none."""
        places = np.zeros((self.rows * self.columns, *self.shape))
        places[: self.count] = images[self.chosen].reshape(self.count, *self.shape)
        in_rows = places.reshape(self.rows, self.columns, *self.shape).transpose(0, 2, 1, 3)
        return in_rows.reshape(self.size)

    def within(self, left: float, right: float, top: float) -> tuple[float, float, float]:
        """Left and right edge, and upper one, of the largest picture with square pixels within these."""
        high, wide = self.size
        half = min(0.5 * (right - left), top * wide / high)
        middle = 0.5 * (left + right)
        return middle - half, middle + half, half * high / wide

    def put_on(self, ax: Axes, image: AxesImage, frames: Mapping[str, Any] | None) -> None:
        """Clip `image`, which shows the picture on `ax`, to the images that there are.

        Each gets a frame with the keywords `frames` of `LineCollection`, unless that is None.
        """
        left, right, bottom, top = image.get_extent()
        full, rest = divmod(self.count, self.columns)
        x, y = np.linspace(left, right, self.columns + 1), np.linspace(top, bottom, self.rows + 1)
        steps = [(left, top), (right, top), (right, y[full])]
        steps += [(x[rest], y[full]), (x[rest], bottom), (left, bottom)] if rest else [(left, bottom)]
        image.set_clip_path(Path([*steps, steps[0]], closed=True), ax.transData)
        if frames is not None:
            ax.add_collection(self.frames(left, right, bottom, top, **frames), autolim=False)

    def frames(self, left: float, right: float, bottom: float, top: float, **style: Any) -> LineCollection:
        """A thin frame about each image of a picture with these edges."""
        x, y = np.linspace(left, right, self.columns + 1), np.linspace(top, bottom, self.rows + 1)
        outlines = []
        for k in range(self.count):
            row, column = divmod(k, self.columns)
            across, down = x[[column, column + 1]], y[[row, row + 1]]
            outlines.append(np.column_stack([across[[0, 1, 1, 0, 0]], down[[0, 0, 1, 1, 0]]]))
        look: dict[str, Any] = {"color": FRAMES, "linewidth": 0.4, "zorder": 2.5, "gid": "frames"}
        return LineCollection(outlines, **(look | style))

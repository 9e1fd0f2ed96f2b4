"""Where the nodes, layers and links of a network stand in its drawing: geometry alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..model.network import Array

# Nodes beyond which a layer is a block with a strip of colours, no longer a column of circles.
MOST_CIRCLES = 20

# Lengths, in units of the distance between two nodes of the fullest layer.
RADIUS = 0.4
LEAST_DISTANCE = 2.0  # between layers
LARGEST_GAP = 1.5  # between nodes of a layer
LEAST_BLOCK = 6.0  # height of a block
IMAGE_WIDTH = 0.6  # most, in parts of the distance between layers
LANE = 0.5  # between the lines of M and of W, in radii

# Height of a drawing over its width; of a small one.
FLATNESS = 0.42
COMPACT = 0.8


@dataclass(frozen=True)
class Column:
    """One layer of the drawing.

    Attributes
    ----------
    layer : int
        l, 0..n.
    size : int
        Number of nodes n_l.
    x : float
        Where its middle stands.
    y : ndarray, shape (n_l,)
        Heights of its nodes, the first on top; of a block, of the rows of its strip.
    block : bool
        Whether it is a block.
    half : float
        Half the width of what is drawn: of a circle or a block.
    image : tuple of int, or None
        Rows and columns, where it is a block that is an image.
    """

    layer: int
    size: int
    x: float
    y: Array
    block: bool
    half: float
    image: tuple[int, int] | None = None

    @property
    def top(self) -> float:
        """Upper edge of what is drawn."""
        if self.image is not None:
            rows, columns = self.image
            return self.half * rows / columns
        return float(self.y[0]) + (0.5 * self.step if self.block else RADIUS)

    @property
    def step(self) -> float:
        """Height of a row of the strip."""
        return float(self.y[0] - self.y[-1]) / max(self.size - 1, 1)

    @property
    def points(self) -> Array:
        """Middles of its nodes, shape (n_l, 2)."""
        return np.column_stack([np.full(self.size, self.x), self.y])


def columns(
    sizes: Sequence[int], flatness: float = FLATNESS, image: tuple[int, int] | None = None
) -> tuple[Column, ...]:
    """The layers, left to right, of a network with these numbers of nodes; layer 0 may be an `image`."""
    circles = [size for size in sizes[image is not None :] if size <= MOST_CIRCLES]
    has_block = len(circles) < len(sizes)
    height = float(max([*circles, LEAST_BLOCK if has_block else 1.0]))
    distance = max(LEAST_DISTANCE, height / flatness / (len(sizes) - 1))
    half = max(RADIUS, 0.05 * height)
    cols = [
        Column(layer, size, layer * distance, _heights(size, height), size > MOST_CIRCLES,
               half if size > MOST_CIRCLES else RADIUS)
        for layer, size in enumerate(sizes)
    ]  # fmt: skip
    if image is not None:
        rows, across = image
        wide = min(0.5 * IMAGE_WIDTH * distance, 0.5 * height * across / rows)
        cols[0] = replace(cols[0], x=half - wide, block=True, half=wide, image=image)
    return tuple(cols)


def _heights(size: int, height: float) -> Array:
    """Heights of the nodes of one layer, about 0."""
    if size > MOST_CIRCLES:
        step = height / size
    else:
        step = min(LARGEST_GAP, max(1.0, (height - 1.0) / max(size - 1, 1)))
    return np.array([step * (0.5 * (size - 1) - row) for row in range(size)])


def half_discs(points: Array, lower: bool) -> Array:
    """Outlines of the upper or the lower halves of circles about `points`, shape (n, 34, 2)."""
    angles = np.linspace(0.0, np.pi, 33) + (np.pi if lower else 0.0)
    arc = RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])
    outlines: Array = points[:, None, :] + np.concatenate([arc, arc[:1]])
    return outlines


def discs(points: Array) -> Array:
    """Outlines of circles about `points`, shape (n, 65, 2)."""
    angles = np.linspace(0.0, 2.0 * np.pi, 65)
    outlines: Array = points[:, None, :] + RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])
    return outlines


def lines(left: Column, right: Column, lane: float) -> Array:
    """One straight line for each pair of nodes of two layers, shape (n_l, n_{l+1}, 2, 2).

    Moved across its direction by `lane` radii: upwards where it is positive.
    """
    a, b = np.broadcast_arrays(left.points[:, None, :], right.points[None, :, :])
    along = b - a
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1) / np.linalg.norm(along, axis=-1)[..., None]
    shift = lane * RADIUS * across
    segments: Array = np.stack([a + shift, b + shift], axis=2)
    return segments


def beam(left: Column, right: Column) -> Array:
    """The outline of the band between two layers, shape (4, 2)."""
    a, b = left.x + left.half, right.x - right.half
    return np.array([[a, left.top], [b, right.top], [b, -right.top], [a, -left.top]])


def picture(left: Column, right: Column) -> tuple[float, float, float]:
    """Left and right edge, and upper one, of the picture of the weights between two layers.

    It stands within their `beam`.
    """
    a, b = left.x + left.half, right.x - right.half
    middle, half = 0.5 * (a + b), 0.35 * (b - a)
    if left.image is None:
        top = min(left.top, right.top)
        half = min(half, top)
    else:
        top = min(left.top + share * (right.top - left.top) for share in (0.15, 0.85))
    return middle - half, middle + half, top


def pairs(cols: Sequence[Column]) -> tuple[tuple[int, Column, Column], ...]:
    """The links l = 0..n-1, each with its two layers."""
    return tuple((k, left, right) for k, (left, right) in enumerate(pairwise(cols)))

"""Input layers whose nodes are the pixels of an image, row by row."""

from __future__ import annotations

from typing import Any

from ..base import checks
from ..base.errors import InputError

IMAGE_SHAPE = "image_shape"


def image_shape(value: Any, size: int, where: str = IMAGE_SHAPE) -> tuple[int, int]:
    """Check the shape of the images that a layer of `size` nodes shows.

    Parameters
    ----------
    value : sequence of two int
        Rows and columns.
    size : int
        Number of nodes of layer 0, the number of pixels.
    where : str
        The key or argument to name in errors.

    Raises
    ------
    InputError
        If it is not a pair of positive whole numbers, or their product is not `size`.
    """
    right = f"two whole numbers, rows and columns, such as {_nearest_square(size)}"
    listed = checks.listed(where, value, right)
    if len(listed) != 2:
        raise InputError(where, f"must be {right}, not {len(listed)} number{'s' * (len(listed) != 1)}")
    rows, columns = (checks.whole(where, one, least=1) for one in listed)
    if rows * columns != size:
        what = f"{rows} x {columns} are {rows * columns} pixels, but layer 0 has {size} nodes"
        raise InputError(where, f"{what}; give rows and columns whose product is {size}, such as "
                         f"{_nearest_square(size)}")  # fmt: skip
    return rows, columns


def _nearest_square(size: int) -> list[int]:
    """The factors of `size` that are nearest to one another."""
    rows = next(k for k in range(int(size**0.5), 0, -1) if size % k == 0)
    return [rows, size // rows]

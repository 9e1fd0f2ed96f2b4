"""Masks: which connections of a link there are."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError

_PACKED = re.compile(r"(\d+)x(\d+):([A-Za-z0-9+/=]*)")


class LinkMask:
    """Which connections of a link there are: immutable, hashable, and equal where its entries are.

    Parameters
    ----------
    there : array_like of bool, shape (n_l, n_{l+1})

    Attributes
    ----------
    there : ndarray of bool, shape (n_l, n_{l+1})
        Not to be written to. ``np.asarray(mask, dtype=float)`` gives 0 and 1.
    """

    __slots__ = ("_bits", "there")

    def __init__(self, there: NDArray[np.bool_]) -> None:
        self.there: NDArray[np.bool_] = np.array(there, dtype=bool)
        self.there.setflags(write=False)
        self._bits = np.packbits(self.there).tobytes()

    @property
    def shape(self) -> tuple[int, ...]:
        """(n_l, n_{l+1}), the shape of M^l."""
        return self.there.shape

    @property
    def density(self) -> float:
        """The part of the connections that there are."""
        return float(self.there.mean())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = self.there if dtype is None else self.there.astype(dtype)
        return array.copy() if copy and array is self.there else array

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LinkMask):
            return NotImplemented
        return self.shape == other.shape and self._bits == other._bits

    def __hash__(self) -> int:
        return hash((self.shape, self._bits))

    def __reduce__(self) -> tuple[Any, ...]:
        return LinkMask, (np.array(self.there),)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<mask {rows}x{columns}, {100.0 * self.density:.3g}% there>"

    def packed(self) -> str:
        """As one text, for files: its shape, and a bit for each entry in base64."""
        return f"{self.shape[0]}x{self.shape[1]}:{base64.b64encode(self._bits).decode()}"

    @classmethod
    def unpacked(cls, where: str, text: str) -> LinkMask:
        """The inverse of `packed`.

        Raises
        ------
        InputError
            Naming `where`, if it is no such text.
        """
        found = _PACKED.fullmatch(text)
        if found is not None:
            rows, columns, bits = int(found[1]), int(found[2]), base64.b64decode(found[3])
            if len(bits) == -(-rows * columns // 8):
                entries = np.unpackbits(np.frombuffer(bits, np.uint8), count=rows * columns)
                return cls(entries.reshape(rows, columns).astype(bool))
        raise InputError(where, f"must be an array of 0 and 1, not {checks.shown(text)}")


def link_mask(where: str, value: Any, shape: tuple[int, int]) -> LinkMask | None:
    """The mask of a link with this `shape` of M; None where all connections are there.

    Raises
    ------
    InputError
        Naming `where`, if it is of another shape, or has entries other than 0 and 1.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = LinkMask.unpacked(where, value)
    if isinstance(value, LinkMask):
        there = value.there
    else:
        boolean = getattr(getattr(value, "dtype", None), "kind", "") == "b"
        array = np.asarray(value) if boolean else checks.real_array(where, value)
        there = array.astype(bool)
        if there.shape == shape and (array != there).any():
            other = array[array != there][0]
            raise InputError(where, f"must hold 0 and 1 only, not {other:g}")
    if there.shape != shape:
        raise InputError(where, f"has shape {there.shape}; it must be {shape}, that of the link's M")
    return None if there.all() else LinkMask(there)


def random_masks(
    sizes: Sequence[int], density: float | Sequence[float], seed: int | np.random.Generator = 0
) -> tuple[LinkMask | None, ...]:
    """Random sparse connections: every node gets the same number of inputs from the layer below.

    Parameters
    ----------
    sizes : sequence of int
        n_0..n_n, as for `Network`.
    density : float, or sequence of float
        Part of the inputs that a node has, from 0 to 1: one for all links, or one for each of the links
        0..n-1. A node has ``round(density * n_l)`` inputs, drawn without replacement, at least one unless the
        density is 0. With 1 the link is dense, and its mask None.
    seed : int or numpy.random.Generator

    Returns
    -------
    tuple of LinkMask or None, one a link
        For ``Network(sizes, mask=...)``.

    Raises
    ------
    InputError
        If a density is not from 0 to 1, or they are not one a link.
    """
    given = checks.listed("sizes", sizes, "a list of numbers of nodes")
    links = list(pairwise(checks.whole("sizes", size, least=1) for size in given))
    wanted = tuple(density) if checks.is_many(density) else (density,) * len(links)  # type: ignore[arg-type]
    if len(wanted) != len(links):
        what = f"has {len(wanted)} values; give one, or one for each of the links 0..{len(links) - 1}"
        raise InputError("density", what)
    parts = [checks.number("density", part, least=0.0, most=1.0) for part in wanted]
    if not isinstance(seed, np.random.Generator):
        seed = np.random.default_rng(checks.whole("seed", seed, least=0))
    return tuple(_drawn(seed, *link, part) for link, part in zip(links, parts, strict=True))


def _drawn(rng: np.random.Generator, lower: int, upper: int, density: float) -> LinkMask | None:
    count = max(round(density * lower), 1 if density > 0.0 else 0)
    ranks = rng.permuted(np.tile(np.arange(lower)[:, np.newaxis], upper), axis=0)
    there = ranks < count
    return None if there.all() else LinkMask(there)

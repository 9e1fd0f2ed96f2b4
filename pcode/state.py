"""The state of a network, and its unknowns as one flat vector with named views."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .network import Array, Feedback, Weights


class State(NamedTuple):
    """Values of all variables at one instant.

    Attributes
    ----------
    x : tuple of ndarray, shapes (B, n_l)
        Value nodes of layers l = 0..n, clamped ones included.
    eps : tuple of ndarray, shapes (B, n_l)
        Error nodes of layers l = 1..n.
    weights : Weights
    """

    x: tuple[Array, ...]
    eps: tuple[Array, ...]
    weights: Weights


@dataclass(frozen=True)
class Layout:
    """Which variables are unknowns, and where each stands in the flat vector.

    The order is: value nodes of the layers that are not wholly clamped, error nodes of all
    layers, and, where the weights learn, M, W (where it has an equation of its own) and beta.

    Parameters
    ----------
    sizes : tuple of int
        n_0..n_n.
    batch : int
        Number B of samples.
    free : tuple of bool
        For each layer 0..n, whether any of its value nodes is free.
    learn : bool
        Whether the weights are unknowns.
    feedback : {"tied", "learned", "fixed"}
    nodes : bool
        Whether the nodes are unknowns. In the singular limit, tau = 0, they follow from the weights.
    """

    sizes: tuple[int, ...]
    batch: int
    free: tuple[bool, ...]
    learn: bool
    feedback: Feedback
    nodes: bool = True

    @property
    def n(self) -> int:
        """Number of the last layer."""
        return len(self.sizes) - 1

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every unknown array, by the name it has in results, in the vector's order."""
        links = list(pairwise(self.sizes))
        shapes: dict[str, tuple[int, ...]] = {}
        if self.nodes:
            shapes |= {f"x{k}": (self.batch, size) for k, size in enumerate(self.sizes) if self.free[k]}
            shapes |= {f"eps{k}": (self.batch, size) for k, size in enumerate(self.sizes) if k}
        if self.learn:
            shapes |= {f"M{k}": link for k, link in enumerate(links)}
            if self.feedback == "learned":
                shapes |= {f"W{k}": link[::-1] for k, link in enumerate(links)}
            shapes |= {f"beta{k}": (size,) for k, size in enumerate(self.sizes) if k}
        return shapes

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where every unknown array stands in the flat vector."""
        ends = np.cumsum([0, *map(math.prod, self.shapes.values())]).tolist()
        return {name: slice(a, b) for name, a, b in zip(self.shapes, ends, ends[1:], strict=False)}

    @property
    def size(self) -> int:
        """Number N of unknowns."""
        return sum(map(math.prod, self.shapes.values()))

    @cached_property
    def node_count(self) -> int:
        """How many of the unknowns are nodes; they come first."""
        nodes = (shape for name, shape in self.shapes.items() if name[0] in "xe")
        return sum(map(math.prod, nodes))

    def views(self, y: Any) -> dict[str, Any]:
        """The unknown arrays in the flat vector `y` (NumPy or JAX), by name."""
        return {name: y[self.slices[name]].reshape(shape) for name, shape in self.shapes.items()}

    def rows(self, y: Any, xp: Any = np) -> Any:
        """The nodes in `y`, shape (N,), as one row a sample, shape (B, m)."""
        return xp.concatenate([part for name, part in self.views(y).items() if name[0] in "xe"], axis=1)

    def flat(self, rows: Any, xp: Any = np) -> Any:
        """The inverse of `rows`: the nodes as a vector, shape (B m,)."""
        ends = np.cumsum([shape[1] for name, shape in self.shapes.items() if name[0] in "xe"])
        return xp.concatenate([xp.ravel(part) for part in xp.split(rows, ends[:-1], axis=1)])

    def unpack(self, y: Any, held: State) -> State:
        """The whole state: the unknowns from `y`, shape (N,), the rest from `held`."""
        named = self.views(y)

        def pick(name: str, first: int, otherwise: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(named.get(f"{name}{k}", other) for k, other in enumerate(otherwise, first))

        weights = held.weights
        W = weights.W if weights.W is None else pick("W", 0, weights.W)
        return State(
            pick("x", 0, held.x),
            pick("eps", 1, held.eps),
            Weights(pick("M", 0, weights.M), W, pick("beta", 1, weights.beta)),
        )

    def pack(self, state: State, xp: Any = np) -> Any:
        """The flat vector of unknowns, shape (N,), of `state`; `xp` is NumPy or JAX's NumPy."""
        x, eps, (M, W, beta) = state
        groups = (("x", 0, x), ("eps", 1, eps), ("M", 0, M), ("W", 0, W or ()), ("beta", 1, beta))
        named = {f"{name}{k}": a for name, first, arrays in groups for k, a in enumerate(arrays, first)}
        return xp.concatenate([xp.ravel(named[name]) for name in self.shapes] or [xp.zeros(0)])

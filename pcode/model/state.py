"""The state of a network, and its layout as one flat vector of unknowns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..base.short import short_repr
from .network import Array, Feedback, Weights
from .variables import EPS, NODES, VARIABLES, WEIGHTS, Variable, X


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

    def __repr__(self) -> str:
        return short_repr(self)

    def arrays(self) -> dict[str, Any]:
        """All arrays, by their names in results, such as eps2."""
        return {
            f"{variable}{layer}": array
            for variable in VARIABLES
            for layer, array in enumerate(variable.of(self), variable.first)
        }

    def mapped(self, function: Callable[[str, Any], Any]) -> State:
        """The state with ``function(name, array)`` in place of every array."""

        def of(variable: Variable) -> tuple[Any, ...]:
            arrays = enumerate(variable.of(self), variable.first)
            return tuple(function(f"{variable}{layer}", array) for layer, array in arrays)

        given = {v.name: of(v) for v in WEIGHTS if getattr(self.weights, v.name) is not None}
        nodes = {v.name: of(v) for v in NODES}
        return self._replace(**nodes, weights=self.weights._replace(**given))


@dataclass(frozen=True)
class Layout:
    """Which variables are unknowns, and where each is in the flat vector.

    The order is: value nodes of the layers that are not fully clamped, error nodes of all layers, and, if the
    weights learn, M, W (if it has an equation of its own) and beta.

    Parameters
    ----------
    sizes : tuple of int
        n_0..n_n.
    batch : int
        Number B of samples.
    free : tuple of bool
        For each layer 0..n, whether any of its value nodes is free.
    learn : bool or tuple of str
        Whether the weights are unknowns, or the names of those that are, such as M1.
    feedback : {"tied", "learned", "fixed"}
    nodes : bool
        Whether the nodes are unknowns. In the singular limit, tau = 0, the weights determine them.
    follows : tuple of int
        With `learned` feedback, links whose W is known from M, see `pcode.system.reduction`.
    slaved : tuple of int
        Layers whose errors are slaved to the values (tau_eps = 0), and so are no unknowns.
    """

    sizes: tuple[int, ...]
    batch: int
    free: tuple[bool, ...]
    learn: bool | tuple[str, ...]
    feedback: Feedback
    nodes: bool = True
    follows: tuple[int, ...] = ()
    slaved: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Number of the last layer."""
        return len(self.sizes) - 1

    def changed(self, **changes: Any) -> Layout:
        """The same with other values of these parameters; see `shared`."""
        return shared(replace(self, **changes))

    def is_unknown(self, variable: Variable, layer: int) -> bool:
        """Whether the array of `variable` in a `layer` is among the unknowns."""
        if variable.of_nodes:
            return self.nodes and (self.free[layer] if variable.clampable else layer not in self.slaved)
        if isinstance(self.learn, tuple):
            return f"{variable}{layer}" in self.learn
        return self.learn and variable.feedback in (None, self.feedback)

    def feedback_moves(self, link: int) -> str | None:
        """The unknown array that determines W of a `link`: its own, or M; None if it is held."""
        own, M = f"W{link}", f"M{link}"
        if own in self.arrays:
            return own
        return M if (self.feedback == "tied" or link in self.follows) and M in self.arrays else None

    @property
    def learning_links(self) -> tuple[int, ...]:
        """The links of which some weights are unknowns."""
        found = {variable.link(layer) for variable, layer in self.arrays.values() if not variable.of_nodes}
        return tuple(sorted(found))

    def shortest(self, delta: Any) -> float:
        """The smallest of `delta`, shape (n,), of the links that learn; infinite if none does."""
        return min((float(delta[link]) for link in self.learning_links), default=math.inf)

    def of_links(self, values: Any, xp: Any = np) -> Any:
        """A vector over the unknown weights, with the entry of `values`, shape (n,), of each one's link."""
        return xp.concatenate(
            [
                xp.full(math.prod(self.shapes[name]), values[variable.link(layer)])
                for name, (variable, layer) in self.arrays.items()
                if not variable.of_nodes
            ]
            or [xp.zeros(0)]
        )

    def gains(self, mask: Any, xp: Any = np) -> Any:
        """The entries of `mask`, as in `Constants`, of weights, and 1 of all other unknowns, shape (N,).

        Weights for which it is 0 do not exist.
        """
        gains = []
        for name, (variable, layer) in self.arrays.items():
            of = mask[layer] if mask and len(variable.axes) == 2 else None
            if of is None:
                gains.append(xp.ones(math.prod(self.shapes[name])))
            else:
                gains.append(xp.ravel(of if variable.axes == (0, 1) else of.T))
        return xp.concatenate(gains or [xp.zeros(0)])

    def clocks(self, tau: Any, tau_eps: Any, delta: Any, xp: Any = np) -> Any:
        """The time constant of each unknown, shape (N,), from those of layers and links, see `Constants`."""
        of = {X: tau, EPS: tau_eps}
        nodes = [self.arrays[name] for name in self.node_names]
        clocks = [of[variable][layer - variable.first] for variable, layer in nodes]
        counts = [math.prod(self.shapes[name]) for name in self.node_names]
        return xp.concatenate([*map(xp.full, counts, clocks), self.of_links(delta, xp)])

    @cached_property
    def arrays(self) -> dict[str, tuple[Variable, int]]:
        """Variable and layer of every unknown array, by its name in results, in the order of the vector."""
        return {
            f"{variable}{layer}": (variable, layer)
            for variable in VARIABLES
            for layer in variable.layers(self.n)
            if self.is_unknown(variable, layer)
        }

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every unknown array, by name."""
        return {
            name: variable.shape(self.sizes, layer, self.batch)
            for name, (variable, layer) in self.arrays.items()
        }

    @cached_property
    def node_names(self) -> tuple[str, ...]:
        """Names of the unknown arrays of nodes."""
        return tuple(name for name, (variable, _) in self.arrays.items() if variable.of_nodes)

    @cached_property
    def weight_names(self) -> tuple[str, ...]:
        """Names of the unknown arrays of weights."""
        return tuple(name for name, (variable, _) in self.arrays.items() if not variable.of_nodes)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Slice of the flat vector that holds each unknown array."""
        ends = np.cumsum([0, *map(math.prod, self.shapes.values())]).tolist()
        return {name: slice(a, b) for name, a, b in zip(self.shapes, ends, ends[1:], strict=False)}

    @property
    def size(self) -> int:
        """Number N of unknowns."""
        return sum(map(math.prod, self.shapes.values()))

    @cached_property
    def node_count(self) -> int:
        """Number of unknowns that are nodes; they come first in the vector."""
        return sum(math.prod(self.shapes[name]) for name in self.node_names)

    def views(self, y: Any) -> dict[str, Any]:
        """The unknown arrays in the flat vector `y` (NumPy or JAX), by name."""
        return {name: y[self.slices[name]].reshape(shape) for name, shape in self.shapes.items()}

    def rows(self, y: Any, xp: Any = np) -> Any:
        """The nodes in `y`, shape (N,), as an array with one row a sample, shape (B, m)."""
        views = self.views(y)
        return xp.concatenate([views[name] for name in self.node_names], axis=1)

    def flat(self, rows: Any, xp: Any = np) -> Any:
        """Inverse of `rows`: the nodes as a vector, shape (B m,)."""
        ends = np.cumsum([self.shapes[name][1] for name in self.node_names])
        return xp.concatenate([xp.ravel(part) for part in xp.split(rows, ends[:-1], axis=1)])

    def unpack(self, y: Any, held: State) -> State:
        """The whole state: the unknowns from `y`, shape (N,), the rest from `held`."""
        named = self.views(y)
        return held.mapped(lambda name, array: named.get(name, array))

    def pack(self, state: State, xp: Any = np) -> Any:
        """The flat vector of unknowns, shape (N,), of `state`; `xp` is NumPy or JAX's NumPy."""
        named = state.arrays()
        return xp.concatenate([xp.ravel(named[name]) for name in self.shapes] or [xp.zeros(0)])


@lru_cache(maxsize=1024)
def shared(layout: Layout) -> Layout:
    """The first of all equal layouts, which has computed what others would compute again."""
    return layout

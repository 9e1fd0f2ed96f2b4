"""The table of variables: the one place that says that x, eps, M, W and beta exist, and what each is.

Where an unknown stands in the state vector, what a result holds, what a coordinate or an axis is called:
all of it is read here. A variable's name is that of its field in `State` or in `Weights`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..base.errors import InputError

Group = Literal["node", "weight"]

# The time along which a result saves the variables of a group.
TIME: dict[Group, str] = {"node": "time", "weight": "weight_time"}


@dataclass(frozen=True)
class Variable:
    """A kind of variable: an array for each of some layers.

    Attributes
    ----------
    name : str
        As in results, before the number of the layer.
    group : {"node", "weight"}
        Nodes have a row for each sample and change with tau; weights are shared and change with delta.
    first : int
        Number of the first layer that has one.
    axes : tuple of int
        Which layer's nodes each axis counts: 0 for the variable's own layer, 1 for the one above.
    symbol : str
        In mathtext, without the dollar signs.
    one : str
        What an entry is, for labels.
    many : str
        What the array of layer `{0}` holds; `{1}` is the layer above.
    clampable : bool
        Whether clamps hold it.
    feedback : str or None
        The kind of feedback with which alone it has an equation of its own; None where it always has.
    """

    name: str
    group: Group
    first: int
    axes: tuple[int, ...]
    symbol: str
    one: str
    many: str
    clampable: bool = False
    feedback: str | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def of_nodes(self) -> bool:
        """Whether it is one of the nodes'."""
        return self.group == "node"

    @property
    def time(self) -> str:
        """The dimension of time along which results save it."""
        return TIME[self.group]

    def layers(self, n: int) -> range:
        """The layers that have one, in a network whose last layer is `n`."""
        return range(self.first, n + 1 - max(self.axes))

    def names(self, n: int) -> list[str]:
        """The names of its arrays in results, such as M0, M1."""
        return [f"{self.name}{layer}" for layer in self.layers(n)]

    def shape(self, sizes: Sequence[int], layer: int, batch: int) -> tuple[int, ...]:
        """The shape of its array of a `layer`, for `batch` samples."""
        entries = tuple(sizes[layer + axis] for axis in self.axes)
        return (batch, *entries) if self.of_nodes else entries

    def dims(self, layer: int) -> tuple[str, ...]:
        """The dimensions of its array of a `layer` in results."""
        units = tuple(f"unit{layer + axis}" for axis in self.axes)
        return (self.time, "sample", *units) if self.of_nodes else (self.time, *units)

    def long_name(self, layer: int) -> str:
        """What its array of a `layer` holds, in words."""
        return self.many.format(layer, layer + 1)

    def label(self, layer: int, index: Sequence[int] = ()) -> str:
        """The symbol of a layer's array, or of its entry at `index`, in mathtext without dollar signs."""
        entry = ",".join(map(str, index)) if max(index, default=0) > 9 else "".join(map(str, index))
        return f"{self.symbol}^{{{layer}}}" + (f"_{{{entry}}}" if index else "")

    def of(self, state: Any) -> tuple[Any, ...]:
        """Its arrays in a `State`, one a layer; none where the state has none, as W of tied feedback."""
        arrays = getattr(state if self.of_nodes else state.weights, self.name)
        return () if arrays is None else tuple(arrays)


X = Variable("x", "node", 0, (0,), "x", "value node", "value nodes of layer {0}", clampable=True)
EPS = Variable("eps", "node", 1, (0,), r"\varepsilon", "error node", "error nodes of layer {0}")
M = Variable(
    "M", "weight", 0, (0, 1), "M", "prediction weight", "prediction weights from layer {0} to layer {1}"
)
W = Variable(
    "W",
    "weight",
    0,
    (1, 0),
    "W",
    "feedback weight",
    "feedback weights from layer {1} to layer {0}",
    feedback="learned",
)
BETA = Variable("beta", "weight", 1, (0,), r"\beta", "bias", "bias of the prediction of layer {0}")

# In the order of the state vector: nodes first, then weights.
VARIABLES = (X, EPS, M, W, BETA)
NODES = tuple(variable for variable in VARIABLES if variable.of_nodes)
WEIGHTS = tuple(variable for variable in VARIABLES if not variable.of_nodes)

BY_NAME = {variable.name: variable for variable in VARIABLES}

_ARRAY = re.compile(f"({'|'.join(BY_NAME)})([0-9]+)")


_ENTRY = re.compile(rf"({'|'.join(BY_NAME)})([0-9]+)\[\s*([0-9]+)\s*(?:,\s*([0-9]+)\s*)?\]")


def parsed_entry(name: object) -> tuple[Variable, int, tuple[int, ...]] | None:
    """The variable, the layer and the numbers in brackets of an entry's name, such as x1[0] or M0[2,1].

    A node has one number, its own, or two, the second that of a sample; a weight has one for each axis.
    None if it is no such name.
    """
    found = _ENTRY.fullmatch(name.strip()) if isinstance(name, str) else None
    if found is None:
        return None
    variable, numbers = BY_NAME[found[1]], tuple(int(part) for part in found.groups()[2:] if part)
    if not variable.of_nodes and len(numbers) != len(variable.axes):
        return None
    return variable, int(found[2]), numbers


def parsed(name: str) -> tuple[Variable, int]:
    """The variable and the layer of an array's name, such as eps2.

    Raises
    ------
    InputError
        If it is none.
    """
    found = _ARRAY.fullmatch(name)
    if found is None:
        raise InputError("name", f"must be the name of an array, such as x1 or M0, not {name!r}")
    return BY_NAME[found[1]], int(found[2])

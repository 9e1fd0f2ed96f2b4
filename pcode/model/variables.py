"""The table of variables: the one place that lists x, eps, M, W and beta and says what each is.

The state vector, the datasets of results, the names of coordinates and the labels of plots all follow from
it. A variable's name is that of its field in `State` or in `Weights`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..base.errors import InputError

Group = Literal["node", "weight"]

# The time dimension of each group in results.
TIME: dict[Group, str] = {"node": "time", "weight": "weight_time"}


@dataclass(frozen=True)
class Variable:
    """A kind of variable, with one array for each of a range of layers.

    Attributes
    ----------
    name : str
        Name in results, where the number of the layer follows it.
    group : {"node", "weight"}
        Nodes have a row for each sample and time constant tau; weights are shared by the samples and have
        time constant delta.
    first : int
        The first layer that has such an array.
    axes : tuple of int
        The layer whose nodes each axis counts: 0 for the array's own layer, 1 for the one above.
    symbol : str
        Symbol in mathtext, without dollar signs.
    one : str
        Name of a single entry, for labels.
    many : str
        Description of the array of layer `{0}`; `{1}` is the layer above.
    clampable : bool
        Whether it can be clamped.
    feedback : str or None
        The only kind of feedback with which it has an equation of its own; None if it always has one.
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
        """Whether it belongs to the nodes."""
        return self.group == "node"

    @property
    def time(self) -> str:
        """Its time dimension in results."""
        return TIME[self.group]

    def layers(self, n: int) -> range:
        """The layers that have an array, in a network whose last layer is `n`."""
        return range(self.first, n + 1 - max(self.axes))

    def link(self, layer: int) -> int:
        """The link, 0..n-1, to which the array of a `layer` belongs, for weights."""
        return layer - self.first

    def names(self, n: int) -> list[str]:
        """Names of its arrays in results, such as M0, M1."""
        return [f"{self.name}{layer}" for layer in self.layers(n)]

    def shape(self, sizes: Sequence[int], layer: int, batch: int) -> tuple[int, ...]:
        """Shape of its array in a `layer`, for `batch` samples."""
        entries = tuple(sizes[layer + axis] for axis in self.axes)
        return (batch, *entries) if self.of_nodes else entries

    def dims(self, layer: int) -> tuple[str, ...]:
        """Dimensions of its array in a `layer` in results."""
        units = tuple(f"unit{layer + axis}" for axis in self.axes)
        return (self.time, "sample", *units) if self.of_nodes else (self.time, *units)

    def long_name(self, layer: int) -> str:
        """Description of its array in a `layer`."""
        return self.many.format(layer, layer + 1)

    def label(self, layer: int, index: Sequence[int] = ()) -> str:
        """Symbol of its array in a `layer`, or of the entry at `index`, in mathtext without dollar signs."""
        entry = ",".join(map(str, index)) if max(index, default=0) > 9 else "".join(map(str, index))
        return f"{self.symbol}^{{{layer}}}" + (f"_{{{entry}}}" if index else "")

    def of(self, state: Any) -> tuple[Any, ...]:
        """Its arrays in a `State`, one a layer; empty if the state has none, as for W with tied feedback."""
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
    """Variable, layer and indices of an entry's name, such as x1[0] or M0[2,1]; None if it is no such name.

    A node has one index, or two of which the second is the sample; a weight has one for each axis.
    """
    found = _ENTRY.fullmatch(name.strip()) if isinstance(name, str) else None
    if found is None:
        return None
    variable, numbers = BY_NAME[found[1]], tuple(int(part) for part in found.groups()[2:] if part)
    if not variable.of_nodes and len(numbers) != len(variable.axes):
        return None
    return variable, int(found[2]), numbers


def parsed(name: str) -> tuple[Variable, int]:
    """Variable and layer of an array's name, such as eps2.

    Raises
    ------
    InputError
        If it is no such name.
    """
    found = _ARRAY.fullmatch(name)
    if found is None:
        raise InputError("name", f"must be the name of an array, such as x1 or M0, not {name!r}")
    return BY_NAME[found[1]], int(found[2])

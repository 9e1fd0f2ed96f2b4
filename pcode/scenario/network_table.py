"""The ``[network]`` table of a scenario file: it has the fields of `Network`, as they are declared there."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Tag, create_model

from ..base.units import EXAMPLE
from ..model import fields
from ..model.network import Network
from .forms import Table, either, one_or_list, time

Part = Annotated[float, Field(ge=0.0, le=1.0)]


class MaskTable(Table):
    """Which connections there are: at random, or from a file."""

    density: (
        Annotated[
            Annotated[Part, Tag("number")] | Annotated[list[Part], Tag("list")],
            either("a number, or a list with one number for each of the links 0..n-1"),
        ]
        | None
    ) = None
    """Part of its possible inputs that a node gets, from 0 to 1: one for all links, or one for each of the
    links 0..n-1, 1 for a dense one. Each node of the upper layer has the same number, at least one."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draw."""
    file: str | None = None
    """In place of density: an .npz file with arrays mask0, mask1, ... of 0 and 1, of the shapes
    (n_l, n_{l+1}) of M; a link whose array is left out is dense."""


def described(kind: type) -> dict[str, str]:
    """What the docstring of a class says first about each parameter, by name."""
    entry = re.compile(r"^(\w+) : .*\n((?: {4}.*\n)+)", re.MULTILINE)
    entries = entry.findall(f"{inspect.getdoc(kind) or ''}\n")
    return {name: re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0] for name, text in entries}


def annotation(declared: fields.Field[Any, Any]) -> Any:
    """The type of a field in a scenario file, with its bounds."""
    match declared:
        case fields.Sizes():
            return Annotated[
                list[Annotated[int, Field(ge=declared.least)]], Field(min_length=declared.shortest)
            ]
        case fields.OptionalTimeConstants():
            return _times(declared) | None
        case fields.TimeConstants():
            return _times(declared)
        case fields.Flag():
            return bool
        case fields.Masks():
            return MaskTable | None
        case fields.TimeConstant():
            return time(_number(declared.above, declared.least))
        case fields.TimeUnit():
            return str | None
        case fields.Number():
            return _number(declared.above, declared.least)
        case fields.PerLayer():
            number = _number(declared.above, None)
            return one_or_list(number, "number", "a number", "one number", "layers 1..n")
        case fields.Activations():
            return one_or_list(str, "text", "a name", "one name", "layers 0..n-1")
        case fields.Choice():
            return Literal[*sorted(declared.words, key=lambda word: word != declared.default)]
    raise TypeError(f"{declared.name}: no form in scenario files for a {type(declared).__name__}")


def _times(declared: fields.TimeConstants) -> Any:
    number = _number(declared.above, declared.least)
    places = "links 0..n-1" if declared.first is None else f"layers {declared.first}..n"
    each: Any = Annotated[list[time(number)], Tag("list")]  # type: ignore[misc]
    forms: Any = Annotated[number, Tag("number")] | Annotated[str, Tag("text")] | each
    return Annotated[forms, either(f"{EXAMPLE}; or a list with one for each of the {places}")]


def _number(above: float | None, least: float | None) -> Any:
    return Annotated[float, Field(gt=above, ge=least, allow_inf_nan=False)]


def _network_table() -> type[Table]:
    about = described(Network)
    keys: dict[str, Any] = {
        name: (
            annotation(declared),
            Field(... if declared.required else declared.default, description=about.get(name)),
        )
        for name, declared in Network.declared().items()
    }
    return create_model(
        "NetworkTable", __base__=Table, __doc__="The network, without its weights and data.", **keys
    )


if TYPE_CHECKING:
    NetworkTable = Table
else:
    NetworkTable = _network_table()

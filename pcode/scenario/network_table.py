"""The ``[network]`` table of a scenario file: it has the fields of `Network`, as they are declared there."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Tag, create_model

from ..model import fields
from ..model.network import Network
from .forms import Table, either, time


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
        case fields.TimeConstant():
            return time(_number(declared.above, declared.least))
        case fields.TimeUnit():
            return str | None
        case fields.Number():
            return _number(declared.above, declared.least)
        case fields.PerLayer():
            return _one_or_list(_number(declared.above, None), "number", "a number", "one number", "1..n")
        case fields.Activations():
            return _one_or_list(str, "text", "a name", "one name", "0..n-1")
        case fields.Choice():
            return Literal[*sorted(declared.words, key=lambda word: word != declared.default)]
    raise TypeError(f"{declared.name}: no form in scenario files for a {type(declared).__name__}")


def _number(above: float | None, least: float | None) -> Any:
    return Annotated[float, Field(gt=above, ge=least, allow_inf_nan=False)]


def _one_or_list(entry: Any, tag: str, one: str, each: str, layers: str) -> Any:
    right = f"{one}, or a list with {each} for each of the layers {layers}"
    forms = Annotated[entry, Tag(tag)] | Annotated[list[entry], Tag("list")]
    return Annotated[forms, either(right)]


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

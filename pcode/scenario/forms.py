"""What the tables of a scenario file are made of: kinds of values, and a base that knows no other keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from ..base.units import EXAMPLE

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Rows = list[list[float]]


def kind_of(value: Any) -> str:
    """Tell the forms of a value apart, so that one error tells about the form that was meant."""
    kinds: dict[type, str] = {str: "text", list: "list", dict: "table"}
    return kinds.get(type(value), "number")


def either(accepted: str, kind: Callable[[Any], str] = kind_of) -> Discriminator:
    """One of several forms, told apart by `kind`; `accepted` says in errors what is right."""
    return Discriminator(kind, custom_error_type="either", custom_error_message=f"must be {accepted}")


def time(number: Any) -> Any:
    """The type of a time: a number of the type `number`, or a text with a unit."""
    return Annotated[Annotated[number, Tag("number")] | Annotated[str, Tag("text")], either(EXAMPLE)]


def one_or_list(entry: Any, tag: str, one: str, each: str, of: str) -> Any:
    """The type of a value for all layers or links, or a list of one for each `of` them."""
    right = f"{one}, or a list with {each} for each of the {of}"
    forms = Annotated[entry, Tag(tag)] | Annotated[list[entry], Tag("list")]
    return Annotated[forms, either(right)]


class Table(BaseModel):
    """A table of the file: no unknown keys, no conversions but from whole numbers to floats."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

"""What the attributes of a result's file must be, which are texts of JSON: typed, and as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..base import documents
from ..base.errors import InputError, cut, unsafe
from ..base.status import Status

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Place = Annotated[list[Any], Field(min_length=2, max_length=2)]
StatusName = Annotated[str, Field(pattern=f"^({'|'.join(Status)})$")]


class _Kept(BaseModel):
    """A part of a record. Keys that are not known are left for whoever takes the record to refuse."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Stats(_Kept):
    steps: Count = 0
    rejected: Count | None = 0
    rhs_evaluations: Count | None = 0
    jacobian_evaluations: Count | None = 0
    compile_seconds: Finite = 0.0
    solve_seconds: Finite = 0.0


class _Series(_Kept):
    at: Place
    kind: Literal["linear", "cubic"]


class _Clamp(_Kept):
    kind: Literal["constant", "time series", "expression", "function"]
    text: Any = None
    mask: Place | None = None
    series: _Series | None = None
    rows: Place | None = None


class _Phase(_Kept):
    name: Text
    status: StatusName
    message: str
    t_start: Finite
    t_end: Finite
    learn: bool | list[str]
    until: Literal["equilibrium"] | None
    duration: Positive
    clamp: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], _Clamp] | None = None
    samples: Annotated[list[Count], Field(min_length=1)]
    unknowns: Count
    method: str
    method_reason: str = ""
    stats: _Stats
    probes: dict[str, Any] = {}
    settle_tol: Positive = 1e-6
    predictions: Literal["free", "fixed"] = "free"
    presentation: dict[str, Any] | None = None
    presented: Count = 0
    at_limit: Count = 0


_PHASES = TypeAdapter(Annotated[list[_Phase], Field(min_length=1)])
_NOTES = TypeAdapter(list[str])
_NETWORK = TypeAdapter(dict[str, Any])

# Attributes that are texts where they are there; JSON in `_JSON`.
TEXTS = (
    "message", "method", "method_asked", "method_reason", "title", "scenario", "scenario_file", "time_unit",
)  # fmt: skip
# A scenario's own text, comments included, and the name of its file: may have odd characters.
OF_FILES = ("scenario", "scenario_file")
_JSON: dict[str, TypeAdapter[Any]] = {"network": _NETWORK, "phases": _PHASES, "notes": _NOTES}


def check_attributes(attributes: Mapping[Any, Any]) -> None:
    """Raise InputError unless the attributes of a run, or of an ensemble, are those that are written."""
    for name in ("network", "phases", "status", "message"):
        if name not in attributes:
            raise InputError(name, "is missing among its attributes")
    for name, adapter in _JSON.items():
        if name in attributes:
            _check_json(name, attributes[name], adapter)
    for name in TEXTS:
        if name in attributes and not isinstance(attributes[name], str):
            raise InputError(name, f"must be a text, not {type(attributes[name]).__name__}")
    if attributes["status"] not in list(map(str, Status)):
        raise InputError("status", f"must be one of {', '.join(map(str, Status))}")
    for name in [name for name in ("rtol", "atol") if name in attributes]:
        value = attributes[name]
        if not isinstance(value, float | np.floating) or not 0.0 < value < np.inf:
            raise InputError(name, "must be a positive number")


def check_texts(*groups: xr.Dataset) -> None:
    """Raise InputError if a name or a text has a character that does something to a terminal.

    And unless what variables say of themselves for figures are texts.
    """
    for data in groups:
        _check_safe(data)
        _check_described(data)


def _check_safe(data: xr.Dataset) -> None:
    texts: list[tuple[Any, Any]] = [("", name) for name in (*data.variables, *data.dims)]
    for place, attributes in [("", data.attrs), *((n, v.attrs) for n, v in data.variables.items())]:
        for name, value in attributes.items():
            if not place and name in OF_FILES:
                continue
            if isinstance(value, bytes):
                raise InputError(f"{place}.{name}".strip("."), "is an attribute that is no text")
            values = value if isinstance(value, list | tuple) else [value]
            texts += [(f"{place}.{name}", one) for one in (name, *values) if isinstance(one, str)]
    for name, variable in data.variables.items():
        if variable.dtype.kind in "OUT":
            texts += [(name, one) for one in variable.to_numpy().ravel().tolist() if isinstance(one, str)]
    for place, text in texts:
        if unsafe(str(text)):
            what = f"has the character {unsafe(str(text))!a}, which does something to a terminal"
            raise InputError(str(place).strip(".") or "a name", what)


def _check_described(data: xr.Dataset) -> None:
    for name, variable in data.variables.items():
        for key in ("long_name", "units", "label", "probe"):
            if not isinstance(variable.attrs.get(key, ""), str):
                raise InputError(f"{name}.{key}", "is an attribute that must be a text")


def _check_json(name: str, text: Any, adapter: TypeAdapter[Any]) -> None:
    if not isinstance(text, str):
        raise InputError(name, f"must be a text of JSON, not {type(text).__name__}")
    try:
        adapter.validate_python(documents.from_json(text))
    except InputError as error:
        raise error.within(name) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, (name, *first["loc"])))
        raise InputError(cut(where, 80), f"{first['msg'][:1].lower()}{first['msg'][1:]}") from None

"""Records of what was clamped in a phase, and their arrays as a dataset beside the result.

Kinds and expressions are part of the records of the phases. Masks of clamped nodes and time series are stored
as arrays in the group `clamps` of a result, identical ones only once: for each shape and layer there is one
variable, whose first dimension counts the different arrays.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..base.short import short_repr
from ..model.clamp import curve_at
from ..model.expression import Expression
from ..model.network import Array
from ..model.phase import Clamp, Phase
from ..model.series import SeriesKind, TimeSeries

Mask = NDArray[np.bool_]
ClampKind = Literal["constant", "time series", "expression", "function"]

# Keys of older files in the records of their phases.
OLDER_KEYS = ("clamped", "clamped_nodes", "expressions")

# Where an array is stored: the variable in the group, and the index along its first dimension.
Place = tuple[str, int]


class SeriesData(NamedTuple):
    """The arguments of a `TimeSeries`."""

    t: Array
    values: Array
    kind: SeriesKind

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True, eq=False)
class ClampRecord:
    """How a layer was clamped in a phase.

    Attributes
    ----------
    layer : int
    kind : {"constant", "time series", "expression", "function"}
    mask : ndarray of bool, shape (B, n_l) or (1, n_l), or None
        Which nodes are clamped, a single row where it is the same for all samples; None where all are.
    series : SeriesData or None
        For the kind "time series", the arguments of `TimeSeries`: t, shape (T,), values, shape (T, B, n_l),
        and "linear" or "cubic".
    expression : Expression or None
        For the kind "expression", the expression.
    mask_known : bool
        False if some nodes were free and the file, of an older version, does not say which.
    rows : ndarray, shape (samples, n_l), or None
        The values themselves, where a phase shows its samples one after another; else they are among the
        saved nodes.
    """

    layer: int
    kind: ClampKind
    mask: Mask | None = None
    series: SeriesData | None = None
    expression: Expression | None = None
    mask_known: bool = True
    rows: Array | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClampRecord) and self._contents() == other._contents()

    def __hash__(self) -> int:
        return hash((self.layer, self.kind))

    def _contents(self) -> tuple[Any, ...]:
        """Its contents as values that can be compared."""
        series = self.series and (self.series.t.tolist(), repr(self.series.values.tolist()), self.series.kind)
        mask = None if self.mask is None else self.mask.tolist()
        rows = None if self.rows is None else repr(self.rows.tolist())
        return self.layer, self.kind, mask, series, self.expression, self.mask_known, rows

    @property
    def whole(self) -> bool:
        """Whether all nodes of the layer are clamped."""
        return self.mask is None and self.mask_known

    @property
    def moves(self) -> bool:
        """Whether the clamped values change in time."""
        return self.kind != "constant"

    @property
    def still(self) -> bool:
        """Whether all nodes of the layer are clamped to constant values."""
        return self.whole and not self.moves

    @property
    def reproducible(self) -> bool:
        """Whether the clamp can be reconstructed exactly."""
        known = {
            "constant": True,
            "time series": self.series,
            "expression": self.expression,
            "function": None,
        }
        return bool(known[self.kind]) and self.mask_known

    @property
    def follows(self) -> str:
        """What the layer follows, in words."""
        return f"layer {self.layer} follows {'an' if self.kind == 'expression' else 'a'} {self.kind}"

    @property
    def lost(self) -> str:
        """What a run keeps of a clamp that cannot be reconstructed, in words."""
        older = "" if self.kind == "function" else " by an older version"
        return f"of which a run{older} keeps the values at its saved times only"

    def held(self, x: Array) -> Array:
        """The clamp as a constant with the layer's values `x`, shape (B, n_l); NaN where a node is free."""
        return x if self.mask is None else np.where(self.mask, x, np.nan)

    def value(self, x: Array, t: float | None = None) -> Array:
        """The clamp at the phase's own time `t`, shape (B, n_l), given `x`, its values at a time nearby.

        At a step it has the values before it, as saved rows do, but at the start those after it.

        If the clamp is constant or cannot be reconstructed, or `t` is None, the values are those of `x`.
        """
        if t is None or not (self.moves and self.reproducible):
            return self.held(x)
        moving = self.again(x)
        side: Literal["left", "right"] = "left" if t > 0.0 else "right"
        now = moving.at(t, side) if isinstance(moving, TimeSeries) else curve_at(moving, t)  # type: ignore[arg-type]
        return np.array(np.broadcast_to(now, x.shape))

    def of_samples(self, rows: list[int]) -> ClampRecord:
        """The record for some of the samples."""
        mask = self.mask if self.mask is None or len(self.mask) == 1 else self.mask[rows]
        series = self.series and self.series._replace(values=self.series.values[:, rows])
        own = None if self.rows is None else self.rows[rows]
        return replace(self, mask=mask, series=series, rows=own)

    def again(self, x: Array) -> Clamp:
        """The clamp, reconstructed; `x`, shape (B, n_l), are the layer's values at the start of the phase.

        A function cannot be reconstructed: it becomes a constant with its values at the start.
        """
        return TimeSeries(*self.series) if self.series else self.expression or self.held(x)

    def to_dict(self, arrays: ClampArrays | None = None) -> dict[str, Any]:
        """The record as plain values for JSON; its arrays are put into `arrays`, and are lost without it."""
        values: dict[str, Any] = {"kind": self.kind}
        if self.expression is not None:
            values["text"] = self.expression.text
        if not self.whole:
            kept = arrays is not None and self.mask is not None
            values["mask"] = arrays.put_mask(self.layer, self.mask) if kept else None  # type: ignore[union-attr,arg-type]
        if self.series is not None and arrays is not None:
            values["series"] = arrays.put_series(self.layer, self.series)
        if self.rows is not None and arrays is not None:
            values["rows"] = arrays.put_rows(self.layer, self.rows)
        return values

    @classmethod
    def from_dict(cls, layer: int, values: Mapping[str, Any], arrays: ClampArrays) -> ClampRecord:
        """The inverse of `to_dict`."""
        mask = arrays.mask(values["mask"]) if values.get("mask") else None
        return cls(
            layer,
            values["kind"],
            mask,
            arrays.series(values["series"]) if "series" in values else None,
            Expression(values["text"]) if "text" in values else None,
            mask_known="mask" not in values or mask is not None,
            rows=arrays.rows(values["rows"]) if "rows" in values else None,
        )


def clamp_records(phase: Phase, sizes: tuple[int, ...], batch: int) -> dict[int, ClampRecord]:
    """The records of the clamps of `phase`, by layer, of a network with these `sizes`."""
    return {layer: _record(phase, layer, (batch, sizes[layer])) for layer in sorted(phase.clamp)}


def _record(phase: Phase, layer: int, shape: tuple[int, int]) -> ClampRecord:
    value = phase.clamp[layer]
    free = np.isnan(phase.clamp_at(layer, 0.0))
    mask = None
    if free.any():
        mask = ~np.broadcast_to(free, shape)
        mask = mask[:1] if (mask == mask[:1]).all() else mask
    if isinstance(value, TimeSeries):
        return ClampRecord(layer, "time series", mask, SeriesData(value.t, value.values, value.kind))
    if isinstance(value, Expression):
        return ClampRecord(layer, "expression", mask, expression=value)
    if phase.presentation is not None:
        return ClampRecord(layer, "constant", mask, rows=np.asarray(value))
    return ClampRecord(layer, "constant" if isinstance(value, np.ndarray) else "function", mask)


class ClampArrays:
    """The arrays of clamp records, without duplicates.

    Parameters
    ----------
    dataset : xarray.Dataset, optional
        The dataset to read them from, as returned by `dataset`.
    """

    def __init__(self, dataset: xr.Dataset | None = None) -> None:
        self._dataset = xr.Dataset() if dataset is None else dataset
        # Names of variables, by "mask" or "series", layer and shapes of the arrays.
        self._names: dict[tuple[Any, ...], str] = {}
        self._stacks: dict[str, list[tuple[NDArray[Any], ...]]] = {}
        self._places: dict[tuple[Any, ...], Place] = {}
        # Places of series by the ids of their arrays; these stay valid because the series are kept here.
        self._known: dict[tuple[int, int, int], tuple[SeriesData, Place]] = {}
        self._read: dict[str, NDArray[Any]] = {}

    def put_mask(self, layer: int, mask: Mask) -> Place:
        """Store a mask of a layer, and return its place."""
        return self._put("mask", layer, mask)

    def put_series(self, layer: int, series: SeriesData) -> dict[str, Any]:
        """Store a time series of a layer, and return its place and kind."""
        key = layer, id(series.t), id(series.values)
        if key not in self._known:
            self._known[key] = series, self._put("series", layer, series.t, series.values)
        return {"at": self._known[key][1], "kind": series.kind}

    def put_rows(self, layer: int, rows: Array) -> Place:
        """Store the clamped values of a layer for all samples, and return their place."""
        return self._put("rows", layer, rows)

    def _put(self, what: str, layer: int, *arrays: NDArray[Any]) -> Place:
        alike = what, layer, *(array.shape for array in arrays)
        name = self._names.setdefault(alike, f"{what}{len(self._names)}")
        stack = self._stacks.setdefault(name, [])
        key = name, *(sha256(array.tobytes()).digest() for array in arrays)
        if key not in self._places:
            self._places[key] = name, len(stack)
            stack.append(arrays)
        return self._places[key]

    def dataset(self) -> xr.Dataset:
        """All stored arrays, for the group `clamps` of a result."""
        variables: dict[str, Any] = {}
        for (what, layer, *_), name in self._names.items():
            item, time, sample, unit = f"{name}_item", f"{name}_time", f"{name}_sample", f"unit{layer}"
            parts = [np.stack(part) for part in zip(*self._stacks[name], strict=True)]
            if what == "mask":
                about = {"long_name": f"whether each node of layer {layer} is clamped"}
                variables[name] = (item, sample, unit), parts[0], about
                continue
            if what == "rows":
                about = {"long_name": f"clamped values of layer {layer}, one row a sample of the phase"}
                variables[name] = (item, sample, unit), parts[0], about | {"units": "dimensionless"}
                continue
            about = {"long_name": f"breakpoints of time series of layer {layer}, in the phase's own time"}
            variables[f"{name}_t"] = (item, time), parts[0], about
            about = {"long_name": f"values of time series of layer {layer}", "units": "dimensionless"}
            variables[name] = (item, time, sample, unit), parts[1], about
        return xr.Dataset(variables)

    def groups(self) -> dict[str, xr.Dataset]:
        """The group `clamps` of a result; empty if there is nothing to store."""
        return {"clamps": self.dataset()} if self._names else {}

    def mask(self, place: Place) -> Mask | None:
        """The mask at a place; None if the dataset lacks it."""
        mask = self._at(place)
        return None if mask is None else mask.astype(bool)

    def rows(self, place: Place) -> Array | None:
        """The clamped values at a place; None if the dataset lacks them."""
        return self._at(place)

    def series(self, where: Mapping[str, Any]) -> SeriesData | None:
        """The time series at the place that `put_series` returned; None if the dataset lacks it."""
        name, k = where["at"]
        t, values = self._at((f"{name}_t", k)), self._at((name, k))
        return None if t is None or values is None else SeriesData(t, values, where["kind"])

    def _at(self, place: Place) -> NDArray[Any] | None:
        name, k = place
        if name in self._dataset and name not in self._read:
            self._read[name] = self._dataset[name].to_numpy()
        found: NDArray[Any] | None = self._read[name][k] if name in self._read else None
        return found


def upgraded(
    records: list[dict[str, Any]], sizes: tuple[int, ...], arrays: ClampArrays
) -> list[dict[str, Any]]:
    """Convert the phases' records of a file that was written before there were records of clamps.

    In such a file `clamped` has a word for each layer, such as "time series, partly"; `clamped_nodes` has
    encoded masks, unless the file is older still; and `expressions` has the expressions. Time series were not
    kept.
    """
    converted = []
    for record in records:
        if "clamped" not in record:
            converted.append(record)
            continue
        words, masks, texts = (record.get(key, {}) for key in OLDER_KEYS)
        clamp = {}
        for key, word in words.items():
            layer, (kind, partly, _) = int(key), word.partition(", partly")
            mask = _unpacked(masks[key], sizes[layer]) if key in masks else None
            expression = Expression(texts[key]) if key in texts else None
            known = not partly or mask is not None
            clamp[key] = ClampRecord(layer, kind, mask, None, expression, known).to_dict(arrays)
        kept = {key: value for key, value in record.items() if key not in OLDER_KEYS}
        converted.append(kept | {"clamp": clamp})
    return converted


def _unpacked(text: str, nodes: int) -> Mask:
    """Decode a mask of an older file: its number of rows, and its compressed bits in base64."""
    rows, _, packed = text.partition(":")
    bits = np.unpackbits(np.frombuffer(zlib.decompress(b64decode(packed)), dtype=np.uint8))
    return bits[: int(rows) * nodes].reshape(int(rows), nodes).astype(bool)

"""The dataset of a run: the layout of `run.data`, and its construction from saved rows.

Dimensions
    ``time``, the saved times of the nodes; ``weight_time``, those of the weights; ``sample``; ``unit0`` to
    ``unitn``, the nodes of a layer; ``layer``, 1..n.

Variables
    The arrays of `pcode.model.variables`: ``x0`` to ``xn`` and ``eps1`` to ``epsn`` (time, sample, unit_l),
    clamped layers too; ``M0``.., ``W0``.. (absent with tied feedback) and ``beta1``.. along ``weight_time``;
    ``energy`` and ``energy_slaved`` (time, layer), the terms of F. Probes along ``probe_time``, see
    `pcode.run.probes`.

Coordinates
    ``time`` and ``weight_time`` strictly increase. Where two phases meet both the end of the first and the
    start of the second are saved; the latter has the next larger float as its time,
    ``np.nextafter(t, np.inf)``. The same holds wherever two rows would have the same time, as in a phase that
    ends at once. The records of the phases have the exact times.

    ``phase`` (time) and ``weight_phase`` (weight_time) are the index of the phase in which a row was saved.

    A row holds only the samples that its phase shows: column k is the k-th of them, and columns beyond the
    last are NaN. There are as many columns as the phase with most samples needs. ``sample_number`` (time,
    sample) is the row of the data that each column shows, -1 where there is none. If all phases show the same
    samples, ``sample`` is an index coordinate with these numbers; otherwise it has no index.

    If a phase shows its samples one after another, a row holds those of one presentation, and
    ``presentation`` (time) and ``weight_presentation`` (weight_time) number them from 0 in each phase; -1 in
    phases of the other kind, and for weights saved between the presentations that are kept.

    All times are numbers in one unit. The attribute ``units`` of the coordinates of time names it, and
    ``time_unit`` of the dataset, which is absent if the network has no unit.

All floating point numbers are float64, all integers int64; every variable has a ``long_name``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..base.short import Short
from ..model.network import Array, Network
from ..model.variables import NODES, Variable

# Units of time where the network has none: that of tau, which is also that of delta.
TIME_UNITS = "unit of tau"
TIME_UNITS_OF_LIMIT = "unit of delta"

ENERGIES = {
    "energy": "energy F by layer, error nodes as they are",
    "energy_slaved": "energy F by layer, error nodes at rest value",
}

Integers = NDArray[np.int64]


@dataclass
class Rows(Short):
    """The saved rows of one phase, or of one of its presentations, of the nodes or of the weights.

    Attributes
    ----------
    phase : int
        Index of the phase.
    t : ndarray, shape (R,)
        Times of the run, never decreasing.
    arrays : dict of str to ndarray, shapes (R, ...)
        Saved values by their names in results; those of nodes have shape (R, B, n_l).
    samples : tuple of int
        The samples that are shown, for rows of nodes.
    presentation : int
        Index of the presentation; -1 if the phase has none.
    """

    phase: int
    t: Array
    arrays: dict[str, Array]
    samples: tuple[int, ...] = ()
    presentation: int = -1


def node_dataset(network: Network, rows: Sequence[Rows]) -> xr.Dataset:
    """The dataset of the nodes: the variables along ``time``.

    The arrays of `rows` are replaced by views of the result, so that nothing is held twice.
    """
    width = max((len(part.samples) for part in rows), default=0)
    variables = _arrays(NODES, network, rows, width)
    for name, long_name in ENERGIES.items():
        variables[name] = _variable(("time", "layer"), _joined(rows, name), long_name)
    t = np.concatenate([np.empty(0), *(part.t for part in rows)])
    numbers = np.full((t.size, width), -1, dtype=np.int64)
    start = 0
    for part in rows:
        numbers[start : start + part.t.size, : len(part.samples)] = part.samples
        start += part.t.size
    coordinates = coordinates_of_nodes(network, t, _per_row(rows, "phase"), numbers)
    return xr.Dataset(variables, coordinates | _presentations(rows, "presentation", "time"))


def weight_dataset(network: Network, rows: Sequence[Rows]) -> xr.Dataset:
    """The dataset of the weights: the variables along ``weight_time``; see `node_dataset`."""
    t = np.concatenate([np.empty(0), *(part.t for part in rows)])
    coordinates = weight_coordinates(network, t, _per_row(rows, "phase"))
    coordinates |= _presentations(rows, "weight_presentation", "weight_time")
    return xr.Dataset(_arrays(network.weight_variables, network, rows), coordinates)


def node_coordinates(
    network: Network, t: ArrayLike, phase: Integers, shown: Mapping[int, Sequence[int]]
) -> dict[str, Any]:
    """The coordinates of rows of nodes.

    Parameters
    ----------
    network : Network
    t : array_like, shape (T,)
        Times, never decreasing.
    phase : ndarray, shape (T,)
        Index of each row's phase.
    shown : mapping of int to sequence of int
        The samples that each phase shows.
    """
    return coordinates_of_nodes(network, t, phase, sample_numbers(phase, shown))


def coordinates_of_nodes(
    network: Network, t: ArrayLike, phase: Integers, numbers: Integers
) -> dict[str, Any]:
    """The same with the samples that each row shows, shape (T, K), -1 where there is none."""
    coordinates = {
        **_times(network, "time", "phase", "nodes", t, phase),
        "sample_number": (
            ("time", "sample"),
            numbers,
            {"long_name": "row of the data that a column shows; -1 where it shows none"},
        ),
        "layer": ("layer", np.arange(1, network.n + 1), {"long_name": "layer"}),
    }
    if len(numbers) and (numbers == numbers[0]).all() and (numbers >= 0).all():
        coordinates["sample"] = ("sample", numbers[0].copy(), {"long_name": "sample: row of the data"})
    return coordinates


def weight_coordinates(network: Network, t: ArrayLike, phase: Integers) -> dict[str, Any]:
    """The coordinates of rows of weights at times `t` in the phases with index `phase`, shapes (T,)."""
    return _times(network, "weight_time", "weight_phase", "weights", t, phase)


def sample_numbers(phase: Integers, shown: Mapping[int, Sequence[int]]) -> Integers:
    """The rows of the data that the columns of each saved row show, -1 where none; shape (T, K)."""
    saved = np.unique(phase)
    width = max((len(shown[k]) for k in saved.tolist()), default=0)
    table = np.full((saved.size, width), -1, dtype=np.int64)
    for row, k in zip(table, saved.tolist(), strict=True):
        row[: len(shown[k])] = shown[k]
    return table[np.searchsorted(saved, phase)]


def strictly_increasing(times: ArrayLike) -> Array:
    """Non-decreasing `times`, with each that does not exceed the one before replaced by the next float."""
    t = np.array(times, dtype=float)
    for k in np.flatnonzero(np.diff(t) <= 0.0).tolist():
        while k + 1 < t.size and t[k + 1] <= t[k]:
            t[k + 1] = np.nextafter(t[k], np.inf)
            k += 1
    return t


def time_units(network: Network) -> str:
    """The unit of all times of a result.

    A short name, such as s or ms: from a long one, such as seconds, xarray would make timedeltas.
    """
    if network.time_unit is not None:
        return network.time_unit
    return TIME_UNITS if not network.limit else TIME_UNITS_OF_LIMIT


def _times(
    network: Network, time: str, phase: str, what: str, t: ArrayLike, index: Integers
) -> dict[str, Any]:
    units = time_units(network)
    return {
        time: (time, strictly_increasing(t), {"long_name": f"time of the saved {what}", "units": units}),
        phase: (time, index, {"long_name": f"index of the phase of the saved {what}"}),
    }


# The coordinates that number presentations, and their dimensions.
NUMBERS = {"presentation": "time", "weight_presentation": "weight_time"}
_NUMBER = {"long_name": "index of the presentation in its phase; -1 where there is none"}


def with_both_numbers(data: xr.Dataset) -> xr.Dataset:
    """A dataset of nodes and weights with both coordinates that number presentations, where it has one.

    Of a run that ended early there may be rows of the nodes alone.
    """
    missing = [name for name in NUMBERS if name not in data.coords]
    if len(missing) != 1:
        return data
    none = {name: (NUMBERS[name], np.full(data.sizes[NUMBERS[name]], -1), _NUMBER) for name in missing}
    return data.assign_coords(none)


def _presentations(rows: Sequence[Rows], name: str, time: str) -> dict[str, Any]:
    """The coordinate that numbers presentations; empty where there are none."""
    index = _per_row(rows, "presentation")
    return {name: (time, index, _NUMBER)} if (index >= 0).any() else {}


def _per_row(rows: Sequence[Rows], what: str) -> Integers:
    """The `what` of each block, once for each of its rows."""
    index = np.array([getattr(part, what) for part in rows], dtype=np.int64)
    return np.repeat(index, [part.t.size for part in rows])


def _arrays(
    kinds: Sequence[Variable], network: Network, rows: Sequence[Rows], width: int = 0
) -> dict[str, tuple[Any, ...]]:
    return {
        f"{variable}{layer}": _variable(
            variable.dims(layer), _joined(rows, f"{variable}{layer}", width), variable.long_name(layer)
        )
        for variable in kinds
        for layer in variable.layers(network.n)
    }


def _variable(dims: tuple[str, ...], values: Array, long_name: str) -> tuple[Any, ...]:
    return dims, values, {"long_name": long_name, "units": "dimensionless"}


def _joined(rows: Sequence[Rows], name: str, width: int = 0) -> Array:
    """The array `name` of all rows, padded to `width` columns if that is not 0; `rows` become views of it."""
    arrays = [part.arrays[name] for part in rows]
    if len(arrays) == 1:
        return arrays[0]
    first = arrays[0].shape[1:]
    whole = np.empty((sum(map(len, arrays)), width, *first[1:]) if width else (sum(map(len, arrays)), *first))
    start = 0
    for part, values in zip(rows, arrays, strict=True):
        own = whole[start : start + len(values)]
        if width:
            own[:, values.shape[1] :] = np.nan
            own = own[:, : values.shape[1]]
        own[:] = values
        part.arrays[name] = own
        start += len(values)
    return whole

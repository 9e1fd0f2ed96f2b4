"""The result of a sweep: a dataset of summaries, with the swept values as dimensions."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..base import checks, documents
from ..base.errors import InputError
from ..base.files import save_files
from ..base.html import table
from ..base.near import did_you_mean
from ..base.status import Status
from .netcdf import netcdf_bytes
from .reading import ROOT, read_groups, reading
from .schema import check_texts

# The attribute that tells the dataset of a sweep.
AXES = "sweep_axes"

# Dimensions besides those of the axes.
PHASE, LAYER = "phase", "layer"


class Sweep:
    """The result of `pcode.sweep`.

    Parameters
    ----------
    data : xarray.Dataset
        With one dimension an axis, called as its first key, such as ``network.delta``, whose coordinates are
        the values of the axis' keys; and ``phase`` and ``layer`` where a variable has one number each. See
        `pcode.sweeps.dataset` for the variables.
    """

    def __init__(self, data: xr.Dataset) -> None:
        checks.instance("data", data, xr.Dataset, "the xarray.Dataset of a sweep")
        if AXES not in data.attrs:
            raise InputError("data", "is no dataset of a sweep; give one that pcode.sweep made")
        self.data = data

    @property
    def axes(self) -> tuple[tuple[str, ...], ...]:
        """The keys of each axis; the first is its dimension's name."""
        return tuple(tuple(keys) for keys in json.loads(self.data.attrs[AXES]))

    @property
    def keys(self) -> tuple[str, ...]:
        """All swept keys."""
        return tuple(key for keys in self.axes for key in keys)

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions of the axes."""
        return tuple(keys[0] for keys in self.axes)

    @property
    def statuses(self) -> dict[str, int]:
        """How many points have each status: `error` where there is no run, empty where one is not done."""
        return dict(Counter(self.data["status"].to_numpy().ravel().tolist()))

    @property
    def numbers(self) -> tuple[str, ...]:
        """The variables that are numbers."""
        return tuple(str(name) for name, one in self.data.data_vars.items() if one.dtype.kind in "fiub")

    def find(self, given: str, known: tuple[str, ...], where: str) -> str:
        """The one of the `known` names that is meant: itself, or the only one that ends in ``.given``.

        Raises
        ------
        InputError
            If there is none, or several.
        """
        ends = [name for name in known if name.endswith(f".{given}")]
        if given in known or len(ends) == 1:
            return given if given in known else ends[0]
        if ends:
            raise InputError(where, f"{given!r} may be {' or '.join(ends)}; give one of these")
        hint = did_you_mean(given, known, f"there are {', '.join(known)}")
        raise InputError(where, f"the sweep has no {checks.shown(given)}; {hint}")

    def to_dataframe(self) -> pd.DataFrame:
        """The sweep as a data frame of pandas, one row a point.

        Returns
        -------
        pandas.DataFrame
            With a column for each swept key and each variable; of those with a number for each phase or layer
            one column each, such as ``error[test]`` and ``energy_layer[1]``.
        """
        data, dims = self.data, self.dims
        shape = tuple(data.sizes[dim] for dim in dims)
        columns: dict[str, Any] = {}
        for dim, keys in zip(dims, self.axes, strict=True):
            along = [1] * len(dims)
            along[dims.index(dim)] = -1
            for key in keys:
                values = data[key].to_numpy().reshape(along)
                columns[key] = np.broadcast_to(values, shape).ravel()
        for name, variable in data.data_vars.items():
            more = [dim for dim in variable.dims if dim not in dims]
            ordered = variable.transpose(*dims, *more)
            if not more:
                columns[str(name)] = ordered.to_numpy().ravel()
                continue
            for k, label in enumerate(data[more[0]].to_numpy().tolist()):
                columns[f"{name}[{label}]"] = ordered.isel({more[0]: k}).to_numpy().ravel()
        return pd.DataFrame(columns)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sweep to a NetCDF file, first under a temporary name.

        Raises
        ------
        InputError
            If no file can be written there, or something added to `data` cannot be stored.
        OSError
            If writing fails later on, such as on a full disk.

        In both cases the sweep is kept elsewhere if it can be, and the message says where.
        """
        save_files({path: netcdf_bytes(self.data, {})})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Sweep:
        """Read a sweep.

        Parameters
        ----------
        path : path
            The sweep.nc of a sweep, or its folder.

        Raises
        ------
        InputError
            If the file does not exist, cannot be read, or holds no sweep.
        """
        file = checks.path("path", path)
        right = "give the sweep.nc of a sweep, or its folder"
        if file.is_dir():
            file = file / "sweep.nc"
        groups = read_groups(file, "sweep", right)
        data = groups[ROOT]
        if AXES not in data.attrs:
            raise InputError("sweep", f"holds no sweep of pcode; {right}", str(file))
        with reading("sweep", file):
            check_texts(data)
            _check(data)
        return cls(data)

    def _told(self) -> tuple[str, list[tuple[str, str, str]]]:
        """What it is, in words, and for each axis its keys, how many values, and the first and the last."""
        count = self.data["status"].size
        told = ", ".join(f"{many} {status or 'not done'}" for status, many in self.statuses.items())
        rows = []
        for keys in self.axes:
            values = self.data[keys[0]].to_numpy()
            size = f"{values.size} value{'s' * (values.size != 1)}"
            rows.append((", ".join(keys), size, " to ".join(_label(values[end]) for end in (0, -1))))
        return f"{count:,} point{'s' * (count != 1)}: {told}", rows

    def __repr__(self) -> str:
        told, rows = self._told()
        lines = [f"  {keys}: {size}, {ends}" for keys, size, ends in rows]
        return "\n".join([f"<pcode.Sweep of {told}>", *lines])

    def _repr_html_(self) -> str:
        """The sweep as an HTML table for notebooks, with a row for each axis."""
        told, rows = self._told()
        return table(f"Sweep of {told}", ("axis", "values", "from, to"), rows)


def _check(data: xr.Dataset) -> None:
    """Raise InputError unless the variables are those of a sweep over its axes."""
    for name in (AXES, "title", "scenario"):
        if not isinstance(data.attrs.get(name, ""), str):
            raise InputError(name, "must be a text")
    axes = documents.from_json(data.attrs[AXES])
    texts = isinstance(axes, list) and all(isinstance(keys, list) and keys for keys in axes)
    if not texts or not axes or not all(isinstance(key, str) for keys in axes for key in keys):
        raise InputError(AXES, "must be lists of keys, one a dimension")
    dims = [keys[0] for keys in axes]
    for keys in axes:
        for key in keys:
            if key not in data.coords or data[key].dims != (keys[0],) or not data[key].size:
                raise InputError(key, f"must be the values along the dimension {keys[0]}")
    if len(set(dims)) < len(dims):
        raise InputError(AXES, "must have other keys for each dimension")
    for called, one in data.data_vars.items():
        name = str(called)
        more = [dim for dim in one.dims if dim not in dims]
        if set(dims) - set(one.dims) or more not in ([], [PHASE], [LAYER]):
            raise InputError(
                str(name), f"must have the dimensions {', '.join(dims)}, and phase or layer at most"
            )
        if one.dtype.kind not in "biufOUT":
            raise InputError(name, f"must be numbers, flags or texts, not {one.dtype}")
    if "status" not in data.data_vars or set(data["status"].dims) != set(dims):
        raise InputError("status", f"is missing, or is no array ({', '.join(dims)})")
    unknown = set(data["status"].to_numpy().ravel().tolist()) - {"", "error", *map(str, Status)}
    if unknown:
        raise InputError("status", f"must be one of error, {', '.join(map(str, Status))}, or empty")


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)

"""The bytes of NetCDF files, made in memory.

The HDF5 library is never given a file on a disk to write: where that is full, the library ends the process.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import h5netcdf
import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore

from ..base import checks
from ..base.errors import InputError
from ..base.reading import most_unpacked

# The parent in a file of groups that are not a run's own: a group at the root must not have the name of a
# variable or a dimension there.
OTHERS = "others"

# A file that unpacks to nearly as many times its size as is read is written without compression: it would be
# refused like one that was made to fill the memory.
PART = 0.9

# Bytes that a file takes besides its arrays, at most, as a part of these and as so many for each variable.
_MORE, _EACH = 0.1, 100_000


def netcdf_bytes(data: xr.Dataset, groups: Mapping[str, xr.Dataset]) -> memoryview:
    """The bytes of a NetCDF file.

    Parameters
    ----------
    data : xarray.Dataset
        What is at the file's root.
    groups : mapping of str to xarray.Dataset
        Its groups, by their paths in the file.

    Raises
    ------
    InputError
        If something cannot be stored.
    MemoryError
        If the file might be larger than the memory.
    """
    datasets = [data, *groups.values()]
    _reserve(datasets)
    made = _made(data, groups)
    if sum(one.nbytes for one in datasets) > PART * most_unpacked(len(made)):
        made = _made(data, groups, compressed=False)
    return made


def _made(data: xr.Dataset, groups: Mapping[str, xr.Dataset], compressed: bool = True) -> memoryview:
    made = io.BytesIO()
    with h5netcdf.File(made, "w") as file:
        _write_group(data, file, None, compressed)
        for name, group in groups.items():
            _write_group(group, file, name, compressed)
    return made.getbuffer()


def _reserve(datasets: list[xr.Dataset]) -> None:
    """Raise MemoryError if there is no room for the bytes: in the midst of writing the library cannot."""
    size = sum((1.0 + _MORE) * one.nbytes + _EACH * (len(one.variables) + 1) for one in datasets)
    np.empty(int(size), dtype=np.uint8)


def _write_group(data: xr.Dataset, file: h5netcdf.File, group: str | None, compressed: bool) -> None:
    """Write `data` at the root of a file, or as a group of it."""
    compress: dict[Any, Any] = {
        name: {"zlib": True, "complevel": 1, "shuffle": True}
        for name, variable in data.variables.items()
        if compressed and variable.size > 1000
    }
    try:
        # Not `to_netcdf`, which gives no lock to a file in memory where Dask's workers run.
        _stored(data).dump_to_store(H5NetCDFStore(file, group=group), encoding=compress)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        where = "data" if group is None else f"groups[{group.removeprefix(f'{OTHERS}/')}]"
        raise InputError(where, f"cannot be stored in a NetCDF file ({checks.shown(error)})") from error


def _stored(data: xr.Dataset) -> xr.Dataset:
    """`data` with texts and integers as files can hold them."""
    changed = data.copy()
    changed.attrs = _each_stored(data.attrs)
    for name, variable in data.variables.items():
        changed[name].attrs = _each_stored(variable.attrs)
        if variable.dtype.kind in "OU":
            given = variable.to_numpy().ravel().tolist()
            kept = [as_stored(value) for value in given]
            if kept != given:  # of integers some are too large for any type of a file's: all become texts
                texts = np.array([_text(str(value)) for value in kept], dtype=object)
                changed[name] = (variable.dims, texts.reshape(variable.shape), changed[name].attrs)
    return changed


def _each_stored(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: as_stored(value) for name, value in attributes.items()}


def as_stored(value: Any) -> Any:
    """An attribute as files can hold it, if there is a plain way to.

    Integers beyond 64 bits become texts; a NUL character and half a surrogate pair become their escapes.
    """
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return _digits(value)
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    return value.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python turns so many digits into no text
        return hex(value)


def unstorable(data: xr.Dataset) -> str:
    """Why a file cannot hold a dataset, found by writing and reading its first entries; empty if it can."""
    whole = {dim for variable in data.variables.values() if variable.dtype == object for dim in variable.dims}
    try:
        first = data.isel({dim: slice(0, 1) for dim in data.dims if dim not in whole})
        with warnings.catch_warnings(action="ignore"):
            written = netcdf_bytes(xr.Dataset(), {"first": first})
            with xr.open_dataset(written, engine="h5netcdf", group="first", decode_times=False) as back:
                back.load()
    except Exception as error:  # noqa: BLE001 - three libraries, with exceptions of their own
        cause = error.__cause__ if isinstance(error, InputError) else error
        return " ".join(str(cause).split()).partition(". ")[0][:120] or type(cause).__name__
    return ""


# Attributes of runs of scenarios.
SCENARIO = ("title", "scenario", "scenario_file", "seed")


def plain(name: str, value: Any) -> bool:
    """Whether an attribute is one of a scenario's that files can hold as it is, which need not be tried."""
    return name in SCENARIO and type(value) in (str, int) and as_stored(value) == value


def refused(attributes: dict[str, Any]) -> str:
    """Why a file cannot hold these attributes, found by writing and reading them; empty if it can."""
    masked = [name for name, value in attributes.items() if checks.masked(value)]
    try:
        with warnings.catch_warnings(action="ignore"):
            written = xr.Dataset(attrs=attributes).to_netcdf(engine="h5netcdf")
            with xr.open_dataset(written, engine="h5netcdf", decode_times=False) as back:
                lost = set(attributes) - set(back.attrs)
    except Exception as error:  # noqa: BLE001 - three libraries, with exceptions of their own
        # The first sentence: xarray's messages go on with a list of types.
        return " ".join(str(error).split()).partition(". ")[0][:120] or type(error).__name__
    if lost:
        return "its name has another meaning there"
    return "it has masked entries" if masked else ""

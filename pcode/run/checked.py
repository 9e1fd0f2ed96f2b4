"""The datasets of a result, checked where a file has been read: whoever draws or asks can rely on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..base.errors import InputError
from ..base.status import Status
from ..model.network import Network
from ..model.series import TimeSeries
from ..model.variables import NODES
from .clamps import ClampArrays, ClampRecord
from .dataset import ENERGIES
from .probes import FUNCTION, PHASE, PRESENTATION, SAMPLES, TIME, probe_names, samples_of
from .record import PhaseRecord
from .samples import data_of

Groups = Mapping[str, xr.Dataset]

# Dimensions, NumPy's kind of numbers.
Form = tuple[tuple[str, ...], str]

SHOWN = ("presentation", "weight_presentation")
ENDS = {"status": "OUT", "detail": "OUT", "t_start": "f", "t_end": "f", "steps": "i", "rejected": "i"}
STEPS = {"step_time": "f", "step_size": "f", "step_order": "fi", "step_phase": "i"}


def check_run(data: xr.Dataset, groups: Groups, network: Network, records: Sequence[PhaseRecord]) -> None:
    """Check the datasets of a run.

    Parameters
    ----------
    data : xarray.Dataset
    groups : mapping of str to xarray.Dataset
    network : Network
    records : sequence of PhaseRecord

    Raises
    ------
    InputError
        Naming what is missing, misshapen, or in contradiction to something else.
    """
    check_arrays(data, network)
    check_times(data, "time", "phase", records)
    check_times(data, "weight_time", "weight_phase", records)
    _check_presentations(data, records)
    _check_samples(data, records)
    if not any(record.status.failed for record in records):
        _check_finite(data, network)
    _check_probes(data, groups, len(records))
    check_groups(groups, network, records)


def check_ensemble(data: xr.Dataset, groups: Groups, network: Network) -> None:
    """Check the datasets of an ensemble, but for what concerns one member alone; see `check_run`."""
    arrays = ClampArrays(groups.get("clamps"))
    records = [PhaseRecord.from_dict(one, arrays) for one in json.loads(data.attrs["phases"])]
    check_arrays(data, network, ("member",))
    check_times(data, "time", "phase", records)
    check_times(data, "weight_time", "weight_phase", records)
    check_groups(groups, network, records)
    if data.sizes.get("phase_number") != len(records):
        raise InputError("phase_number", f"must have one place for each of the {len(records)} phases")
    for name, kinds in ENDS.items():
        check_form(data, name, ("member", "phase_number"), kinds)
    check_form(data, "phase_name", ("phase_number",), "OUT")
    for time in ("time", "weight_time"):
        check_form(data, f"member_{time}", ("member", time), "f")
    if "seed" in data.coords:
        check_form(data, "seed", ("member",), "iuOUT")  # texts where they have more than 64 bits
    unknown = set(data["status"].to_numpy().ravel().tolist()) - {"", *map(str, Status)}
    if unknown:
        raise InputError("status", f"must be one of {', '.join(map(str, Status))}, or empty")


def check_arrays(data: xr.Dataset, network: Network, more: tuple[str, ...] = ()) -> None:
    """Check that all arrays of a network are there with their dimensions; `more` come before these."""
    sizes = {f"unit{layer}": size for layer, size in enumerate(network.sizes)} | {"layer": network.n}
    for dim, size in sizes.items():
        if data.sizes.get(dim) != size:
            raise InputError(dim, f"must be a dimension of size {size}, not {data.sizes.get(dim, 'none')}")
    forms: dict[str, Form] = {
        f"{variable}{layer}": ((*more, *variable.dims(layer)), "f")
        for variable in (*NODES, *network.weight_variables)
        for layer in variable.layers(network.n)
    }
    forms |= dict.fromkeys(ENERGIES, ((*more, "time", "layer"), "f"))
    forms |= {
        "time": (("time",), "f"),
        "weight_time": (("weight_time",), "f"),
        "phase": (("time",), "i"),
        "weight_phase": (("weight_time",), "i"),
        "sample_number": (("time", "sample"), "i"),
        "layer": (("layer",), "i"),
    }
    for name, form in forms.items():
        check_form(data, name, *form)
    if data["layer"].to_numpy().tolist() != list(range(1, network.n + 1)):
        raise InputError("layer", f"must be 1 to {network.n}")
    if "sample" in data.coords:
        check_form(data, "sample", ("sample",), "i")


def check_form(data: xr.Dataset, name: str, dims: tuple[str, ...], kinds: str) -> None:
    """Raise InputError unless there is an array of this name, with these dimensions, of such numbers."""
    if name not in data.variables:
        raise InputError(name, f"is missing; there must be an array ({', '.join(dims)})")
    found = data[name]
    if found.dims != dims:
        raise InputError(name, f"must have the dimensions ({', '.join(dims)}), not {found.dims}")
    if found.dtype.kind not in kinds or (kinds == "f" and found.dtype != np.float64):
        raise InputError(
            name, f"must be of {'float64' if kinds == 'f' else 'whole numbers'}, not {found.dtype}"
        )


def check_times(data: xr.Dataset, time: str, phase: str, records: Sequence[PhaseRecord]) -> None:
    """Check that times increase, and that their rows are of the phases, in turn."""
    t, index = data[time].to_numpy(), data[phase].to_numpy()
    if not t.size:
        raise InputError(time, "has no rows")
    if not np.isfinite(t).all() or not (np.diff(t) > 0.0).all():
        raise InputError(time, "must be finite, and increase")
    if (np.diff(index) < 0).any() or not 0 <= index[0] <= index[-1] < len(records):
        raise InputError(phase, f"must be the indices, in turn, of the {len(records)} phases")
    for k in sorted(set(range(len(records))) - set(index.tolist())):
        if records[k].presentation is None and not records[k].status.failed:  # one that failed may have none
            raise InputError(phase, f"has no row of the phase {k}")


def _check_presentations(data: xr.Dataset, records: Sequence[PhaseRecord]) -> None:
    """Check the numbers of presentations, which are there with phases that have some."""
    there = [name for name in SHOWN if name in data.variables]
    if len(there) == 1:
        raise InputError(there[0], f"must be there with {' and '.join(SHOWN)}, or neither")
    for name, dim, phase in zip(there, ("time", "weight_time"), ("phase", "weight_phase"), strict=False):
        check_form(data, name, (dim,), "i")
        index, shown = data[phase].to_numpy(), data[name].to_numpy()
        for k, record in enumerate(records):
            own = shown[index == k]
            count = 0 if record.presentation is None else record.presentation.count(len(record.samples))
            if own.size and not -1 <= own.min() <= own.max() < max(count, 0):
                raise InputError(name, f"must be -1 or the number of one of the {count} of phase {k}")


def _check_samples(data: xr.Dataset, records: Sequence[PhaseRecord]) -> None:
    """Check that each row shows samples of its phase, and nothing beyond the last."""
    numbers, index = data["sample_number"].to_numpy(), data["phase"].to_numpy()
    there = numbers >= 0
    if (numbers < -1).any() or (np.diff(there.astype(int), axis=1) > 0).any():
        raise InputError("sample_number", "must be rows of the data, and -1 beyond the last that is shown")
    for k in np.unique(index).tolist():
        record, own = records[k], numbers[index == k]
        if record.presentation is None:
            shown = np.full(numbers.shape[1], -1)
            if len(record.samples) <= shown.size:
                shown[: len(record.samples)] = record.samples
            fits = bool((own == shown).all()) and len(record.samples) <= shown.size
        else:
            fits = bool(np.isin(own[own >= 0], record.samples).all()) and bool((own[:, :1] >= 0).all())
        if not fits:
            raise InputError("sample_number", f"must be the samples of phase {k}, as its record has them")


def _check_finite(data: xr.Dataset, network: Network) -> None:
    """Check that what is shown, and the weights, are numbers; rows of a run that failed may not be."""
    shown = data["sample_number"].to_numpy() >= 0
    for variable in NODES:
        for name in variable.names(network.n):
            if not np.isfinite(data[name].to_numpy()[shown]).all():
                raise InputError(name, "must be finite where a sample is shown")
    for name in [name for v in network.weight_variables for name in v.names(network.n)] + list(ENERGIES):
        if not np.isfinite(data[name].to_numpy()).all():
            raise InputError(name, "must be finite")


def _check_probes(data: xr.Dataset, groups: Groups, phases: int) -> None:
    """Check the values of probes, and the samples that they were judged by."""
    names = probe_names(data)
    if TIME not in data.dims:
        return
    for name, kinds in ((TIME, "f"), (PHASE, "i"), (PRESENTATION, "i")):
        check_form(data, name, (TIME,), kinds)
    t, index = data[TIME].to_numpy(), data[PHASE].to_numpy()
    if not np.isfinite(t).all() or not (np.diff(t) > 0.0).all():
        raise InputError(TIME, "must be finite, and increase")
    if index.size and not 0 <= index.min() <= index.max() < phases:
        raise InputError(PHASE, f"must be indices of the {phases} phases")
    for name in names:
        found = data[name]
        if found.dtype != np.float64:
            raise InputError(name, f"must be of float64, not {found.dtype}")
        if "layer" in found.dims[1:] and found.dims[1:] != ("layer",):
            raise InputError(name, "must have one number a layer, or dimensions of its own")
        if str(found.attrs.get("probe", FUNCTION)) != FUNCTION and found.dims[1:] not in ((), ("layer",)):
            raise InputError(name, "must be one number, or one a layer")
        if "samples" in found.attrs:
            _check_judged(name, found.attrs["samples"], groups)


def _check_judged(name: str, k: Any, groups: Groups) -> None:
    held = groups.get(SAMPLES, xr.Dataset())
    if not isinstance(k, int | np.integer) or not {f"inputs{k}", f"targets{k}"} <= set(held.data_vars):
        raise InputError(f"{name}.samples", f"must be the number of a set of samples in {SAMPLES}")
    pair = samples_of(held, int(k))
    if any(one.ndim != 2 or one.dtype != np.float64 for one in pair) or len(pair[0]) != len(pair[1]):
        raise InputError(f"{SAMPLES}.inputs{k}", "must be rows of numbers, as many as targets")


def check_groups(groups: Groups, network: Network, records: Sequence[PhaseRecord]) -> None:
    """Check the groups of the solver's steps, of the clamps and of the samples."""
    solver = groups.get("solver", xr.Dataset())
    for name, kinds in STEPS.items() if solver.variables else ():
        check_form(solver, name, ("step",), kinds)
    index = solver["step_phase"].to_numpy() if solver.variables else np.zeros(0, int)
    if index.size and not 0 <= index.min() <= index.max() < len(records):
        raise InputError("solver.step_phase", f"must be indices of the {len(records)} phases")
    if "samples" in groups:
        try:
            data_of(groups["samples"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("samples", f"must be the data of the run ({error})") from None
    for k, record in enumerate(records):
        for layer, clamp in record.clamp.items():
            where = f"phases.{k}.clamp.{layer}"
            if layer > network.n:
                raise InputError(where, f"is of no layer; there are 0 to {network.n}")
            _check_clamp(where, clamp, len(record.samples), network.sizes[layer])


def _check_clamp(where: str, clamp: ClampRecord, samples: int, size: int) -> None:
    """Check the arrays of a clamp of a layer of `size` nodes."""
    if clamp.mask is not None and clamp.mask.shape not in ((1, size), (samples, size)):
        raise InputError(where, f"has a mask of shape {clamp.mask.shape}; it must be ({samples}, {size})")
    if clamp.rows is not None and clamp.rows.shape != (samples, size):
        raise InputError(where, f"has values of shape {clamp.rows.shape}; they must be ({samples}, {size})")
    if clamp.series is not None:
        if clamp.series.values.shape[1:] not in ((1, size), (samples, size)):
            raise InputError(where, f"has a time series of shape {clamp.series.values.shape[1:]}")
        try:
            TimeSeries(*clamp.series)
        except InputError as error:
            raise error.within(where) from None

"""From the tables of a scenario file to the network, the weights, the data and the phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError
from ..model import variables
from ..model.data import Data
from ..model.expression import Expression
from ..model.importing import importable, imported
from ..model.labels import checked_levels
from ..model.masks import link_mask, random_masks
from ..model.network import Array, FeedbackInit, Network, Weights
from ..model.npz_file import read_npz
from ..model.phase import Phase
from ..model.presentation import Presentation
from ..model.series import TimeSeries
from ..model.variables import Variable
from .network_table import MaskTable, NetworkTable
from .schema import DataTable, PhaseTable, SeriesTable, WeightsTable


def build_network(table: NetworkTable, folder: Path, allow_code: bool = False) -> Network:
    """The network of a scenario.

    Parameters
    ----------
    table : NetworkTable
    folder : Path
        The scenario's folder, whose modules can be imported.
    allow_code : bool
        Whether an activation ``module:name`` may be imported.

    Raises
    ------
    InputError
        If a value is wrong, or code is asked for that is not allowed.
    """
    values = table.model_dump()
    given = values["activation"]
    entries = [given] if isinstance(given, str) else given
    with importable([folder]):
        found = [_activation(entry, allow_code) for entry in entries]
    if table.mask is not None:  # type: ignore[attr-defined]
        try:
            values["mask"] = _masks(table.mask, values["sizes"], folder)  # type: ignore[attr-defined]
        except InputError as error:
            raise error.within("mask") from None
    return Network(**values | {"activation": found[0] if isinstance(given, str) else found})


def _masks(table: MaskTable, sizes: Sequence[int], folder: Path) -> Sequence[Any]:
    """The mask of each link, drawn or from a file; None for a dense link."""
    if (table.file is None) == (table.density is None):
        raise InputError("", "must have one of density and file")
    if table.file is None:
        density: Any = table.density
        return random_masks(sizes, density, table.seed)
    path = folder / table.file
    arrays = read_npz(path, "file")
    names = [f"mask{link}" for link in range(len(sizes) - 1)]
    strange = [name for name in arrays if name not in names]
    if strange:
        what = f"{path} holds {', '.join(strange)}; it may hold {', '.join(names)}, one for each link"
        raise InputError("file", what)
    masks: list[Any] = []
    for name, shape in zip(names, pairwise(sizes), strict=True):
        try:
            masks.append(link_mask(name, arrays.get(name), shape))
        except InputError as error:
            raise InputError("file", f"array {error.where} in {path} {error.what}") from None
    return masks


def _activation(entry: str, allow_code: bool) -> Any:
    """An activation by name, or what stands at ``module:name``."""
    if ":" not in entry:
        return entry
    if not allow_code:
        what = f'"{entry}" is code outside of this file; with --allow-code it is imported'
        raise InputError("activation", f"{what}, from this file's folder or where Python looks else")
    return imported("activation", entry)


def build_weights(table: WeightsTable, network: Network, folder: Path) -> Weights:
    """The weights that a scenario starts with.

    Raises
    ------
    InputError
        If a key does not go with `init`, or an array is missing or misshapen.
    """
    for init, keys in {"file": ["file"], "given": ["M", "beta"]}.items():
        for key in keys:
            if table.init != init and getattr(table, key) is not None:
                raise InputError(key, f'goes with init = "{init}" only; init is "{table.init}"')
    if isinstance(table.W, list) and table.init != "given":
        raise InputError("W", f'lists matrices, which goes with init = "given" only; init is "{table.init}"')
    if table.init == "file":
        return _weights_from_file(table, network, folder)
    if table.init == "given":
        return _given_weights(table, network)
    assert not isinstance(table.W, list)
    return network.init_weights(table.seed, table.init, table.scale, table.W or "transpose")


def _given_weights(table: WeightsTable, network: Network) -> Weights:
    if table.M is None:
        raise InputError("M", 'is missing; with init = "given", give one matrix for each link')
    tied = Network(**network.to_dict() | {"feedback": "tied"})
    listed: dict[str, Any] = {name: getattr(table, name) for name in ("M", "beta")}
    # What the table does not list starts at zero.
    given = tied.init_weights(0, "zeros")._replace(**{k: v for k, v in listed.items() if v is not None})
    W: Any = table.W
    if W is None or isinstance(W, str):
        given = tied.check_weights(given)
        W = _feedback(table, network, given.M)
    return network.check_weights(given._replace(W=W))


def _weights_from_file(table: WeightsTable, network: Network, folder: Path) -> Weights:
    if table.file is None:
        raise InputError("file", 'is missing; with init = "file", name an .npz file')
    path = folder / table.file
    arrays = read_npz(path, "file")
    # The file need not hold what the table says how to start.
    kinds = [v for v in network.weight_variables if v.feedback is None or table.W is None]
    optional = (variables.BETA, variables.W)
    given = [v for v in kinds if v not in optional or not arrays.keys().isdisjoint(v.names(network.n))]
    wanted = {f"{v}{layer}": v.shape(network.sizes, layer, 0) for v in given for layer in v.layers(network.n)}
    problems = _missing(path, wanted, arrays)
    for name in [name for name in wanted if name in arrays]:
        array, shape = arrays[name], wanted[name]
        if array.shape != shape:
            problems.append(f"array {name} in {path} has shape {array.shape}; it must be {shape}")
        elif not np.isfinite(array).all():
            problems.append(f"array {name} in {path} has entries that are not finite")
    if not problems:
        problems = _misnamed(path, [v for v in kinds if v not in given], arrays, network)
    if problems:
        raise InputError("file", "; ".join(problems))
    groups: dict[str, Any] = {v.name: tuple(arrays[name] for name in v.names(network.n)) for v in given}
    # Biases that are left out are 0, and W is the transpose of M.
    groups.setdefault("beta", tuple(map(np.zeros, network.sizes[1:])))
    groups.setdefault("W", _feedback(table, network, groups["M"]))
    return network.check_weights(Weights(**groups))


def _missing(path: Path, wanted: Mapping[str, tuple[int, ...]], arrays: Mapping[str, Any]) -> list[str]:
    """What to say of the arrays that a weights file lacks."""
    lacking = [f"array {name}, which must have shape {wanted[name]}" for name in wanted if name not in arrays]
    held = ", ".join(arrays) or "nothing"
    return [f"{path} has no {', nor '.join(lacking)}; it holds {held}"] if lacking else []


def _misnamed(
    path: Path, left_out: Sequence[Variable], arrays: Mapping[str, Any], network: Network
) -> list[str]:
    """What to say of arrays of unknown names, where others are left out that may be meant."""
    known = {name for variable in variables.WEIGHTS for name in variable.names(network.n)}
    strange = [name for name in arrays if name not in known]
    if not strange or not left_out:
        return []
    names = ", ".join(name for variable in left_out for name in variable.names(network.n))
    right = f"leave them out, or call them {names} if they are meant for these"
    return [f"{path} holds {', '.join(strange)}, which this network has not; {right}"]


def _feedback(table: WeightsTable, network: Network, M: Sequence[Array]) -> tuple[Array, ...] | None:
    """Feedback weights at the transpose of `M`, or drawn; None where they are tied."""
    if network.feedback == "tied":
        return None
    if table.W == "independent":
        start: FeedbackInit = "independent"
        return network.init_weights(table.seed, "normal", table.scale, start).W
    return tuple(np.ascontiguousarray(m.T) for m in M)


def build_data(table: DataTable, folder: Path) -> Data:
    """The samples of a scenario, split into those to train and to test on.

    Raises
    ------
    InputError
        If there is not exactly one source, or it cannot be read.
    """
    columns = {key: getattr(table, key) for key in ("inputs", "targets") if _are_names(getattr(table, key))}
    sources = [
        key for key in ("name", "file", "inputs") if getattr(table, key) is not None and key not in columns
    ]
    if columns and sources != ["file"]:
        key = next(iter(columns))
        raise InputError(key, 'names columns, which goes with file = "..." alone; give the file they are in')
    if len(sources) != 1:
        found = " and ".join(sources) or "none of them"
        raise InputError("", f"must have one of name, file, or inputs (with targets); it has {found}")
    if table.targets is not None and sources != ["inputs"] and "targets" not in columns:
        what = f"goes with inputs only; {sources[0]} brings its own targets"
        named = ", whose columns it may name" if sources == ["file"] else ""
        raise InputError("targets", f"{what}{named}")
    if table.options is not None and table.name is None:
        raise InputError("options", f"goes with a data set by name only; {sources[0]} has none")
    data = _samples(table, folder, columns).split(table.train, table.test, table.seed)
    if table.standardise:
        data = data.standardise()
    if table.levels is not None:
        data = data.with_levels(*checked_levels(table.levels))
    return data


def _samples(table: DataTable, folder: Path, columns: Mapping[str, Any]) -> Data:
    """The samples of the only source that is given."""
    if table.name is not None:
        for key in ("one_hot", "class_names"):
            if getattr(table, key):
                raise InputError(
                    key, f"goes with a file or with targets only; {table.name} knows its classes"
                )
        return Data.named(table.name, **table.options or {})
    if table.file is not None:
        labels: Any = {"one_hot": table.one_hot, "class_names": table.class_names}
        return Data.load(folder / table.file, **columns, **labels)
    if table.one_hot:
        return Data(table.inputs, table.targets).one_hot(table.class_names)
    return Data(table.inputs, table.targets, class_names=table.class_names)


def _are_names(value: Any) -> bool:
    """Whether a key of [data] names columns of a file, rather than holding numbers."""
    return bool(value) and all(isinstance(entry, str) for entry in value)


@dataclass(frozen=True)
class Shown:
    """The data of a scenario, and what its keys are called there.

    Parameters
    ----------
    data : Data
    table : DataTable
    """

    data: Data
    table: DataTable

    def values(self, kind: str, rows: Sequence[int], layer: int, network: Network) -> Array:
        """Inputs or targets of the samples `rows`, for `layer`.

        Raises
        ------
        InputError
            If there are none, they do not fit the layer, or are not finite.
        """
        name = "inputs" if kind == "input" else "targets"
        where = self._where(name)
        array = self.data.inputs if kind == "input" else self.data.targets
        if array is None:
            raise InputError(
                where, "there are no targets, which a clamped output needs; add them, one row a sample"
            )
        size = network.sizes[layer] if layer <= network.n else array.shape[1]
        if array.shape[1] != size:
            what = f"{name} have {array.shape[1]} values a sample, but layer {layer} has {size} nodes"
            raise InputError(where, f"{what}; make data and network.sizes agree")
        shown = array[list(rows)]
        if not np.isfinite(shown).all():
            row, column = np.argwhere(~np.isfinite(shown))[0]
            place, value = self.data.place(name, rows[row], column), shown[row, column]
            empty = " (an empty cell)" if self.data.places is not None and np.isnan(value) else ""
            place = place if self.table.file is None else f"{place} of {self.table.file}"
            raise InputError(where, f"{place} is {value}{empty}; a sample to be shown must be finite")
        return shown

    def _where(self, name: str) -> str:
        if self.table.file is None and self.table.inputs is not None:
            return f"data.{name}"
        return "data.file" if self.table.file is not None else "data.name"


def build_phase(index: int, table: PhaseTable, network: Network, shown: Shown | None, folder: Path) -> Phase:
    """One phase of a scenario, with the values of its clamps.

    Raises
    ------
    InputError
        If a clamp asks for data that is not there, or does not fit the network.
    """
    here = f"phase.{index}"
    wanted = _wanted(table, network)
    uses_data = table.data is not None or any(value in ("input", "output") for value in wanted.values())
    rows: tuple[int, ...] | None = None
    if uses_data:
        if shown is None:
            key = "data" if table.data is not None else "clamp"
            raise InputError(f"{here}.{key}", "asks for data, but there is none; add [data]")
        part = table.data or "train"
        rows = shown.data.rows(part)
        if not rows:
            raise InputError(
                f"{here}.data", f'there are no samples of "{part}"; say how many with data.{part}'
            )
    clamp: dict[int, Any] = {}
    for layer, value in wanted.items():
        if value in ("input", "output"):
            assert shown is not None
            assert rows is not None
            clamp[layer] = shown.values(value, rows, layer, network)
        else:
            try:
                clamp[layer] = _clamp(value, folder, len(rows or (0,)))
            except InputError as error:
                raise error.within(f"{here}.clamp.{layer}") from None
    try:
        phase = Phase(
            table.name or f"phase {index}",
            clamp,
            duration=table.duration,
            learn=table.learn,
            until=table.until,
            settle_tol=table.settle_tol,
            samples=rows,
            presentation=_presentation(table),
            nodes=table.nodes,
            predictions=table.predictions,
        )
        phase = phase.in_unit_of(network)
        phase.check(network)
    except InputError as error:
        raise error.within(here) from None
    return phase


def _presentation(table: PhaseTable) -> Presentation | None:
    """How a phase shows its samples, if one after another."""
    if table.presentation is None:
        return None
    if table.duration is not None:
        what = "goes with no presentation, whose hold says how long the phase lasts; leave one of them out"
        raise InputError("duration", what)
    try:
        return Presentation(**table.presentation.model_dump())
    except InputError as error:
        raise error.within("presentation") from None


def _clamp(value: Any, folder: Path, samples: int) -> Any:
    """A clamp that is given in the file itself, or as a file of its own."""
    if isinstance(value, SeriesTable):
        return _series(value, folder, samples)
    try:
        one_a_node = isinstance(value, list) and not any(isinstance(entry, list) for entry in value)
        return Expression(value) if isinstance(value, str) or (value and one_a_node) else value
    except InputError as error:
        what = f'must be "input" or "output" (of the data), or an expression: {error.what}'
        raise InputError("", what) from None


def _series(table: SeriesTable, folder: Path, samples: int) -> TimeSeries:
    """The time series that a table gives, or names the file of."""
    given = [name for name in ("t", "values") if getattr(table, name) is not None]
    if table.file is not None and given:
        raise InputError(given[0], "stands in the file; leave it out, or leave out file")
    if table.file is not None:
        file = folder / table.file
        series = TimeSeries.load(file, table.kind, samples=samples, time_unit=table.time_unit)
        if np.isnan(series.values).all():
            raise InputError("file", f"{file} holds no values; give one for one node at least")
        return series
    for name in ("t", "values"):
        if name not in given:
            raise InputError(name, "is missing; give t and values, or file")
    return TimeSeries(table.t, table.values, table.kind, table.time_unit)  # type: ignore[arg-type]


def _wanted(table: PhaseTable, network: Network) -> dict[int, Any]:
    """What each clamped layer is to be held at."""
    if isinstance(table.clamp, dict):
        return {int(layer): value for layer, value in table.clamp.items()}
    ends = {0: "input", network.n: "output"}
    return {layer: what for layer, what in ends.items() if table.clamp in ("both", what)}

"""The result of a run: a labelled dataset, its NetCDF file, and the records of the phases."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..base import checks
from ..base.errors import InputError, unsafe
from ..base.files import save_files
from ..base.html import table
from ..base.lazy import loaded
from ..base.status import Status
from ..base.units import suffix
from ..model.data import Data
from ..model.fields import Activatable
from ..model.network import Array, Network, Weights
from ..model.state import State
from ..model.variables import NODES, WEIGHTS
from .activations import with_activations
from .checked import check_run
from .clamps import ClampArrays
from .netcdf import OTHERS, netcdf_bytes, plain, refused
from .older import upgraded
from .reading import ROOT, read_groups, reading
from .record import PhaseRecord
from .samples import data_of
from .schema import OF_FILES, check_attributes, check_texts

# Names of the attributes that a run itself sets.
OWN = (
    "network", "phases", "status", "message", "method", "method_asked", "method_reason", "rtol", "atol",
    "solver_statistics", "versions", "notes", "time_unit", "of_presentation",
)  # fmt: skip


class Run:
    """The result of `pcode.simulate`.

    Everything is in `data` and `groups`; the other attributes are derived from these, so that a run loaded
    from a file is the run that was saved.

    Parameters
    ----------
    data : xarray.Dataset
        With dims `time`, `weight_time`, `sample`, `unit0..unitn`, `layer`; variables `x0..xn`,
        `eps1..epsn`, `M0..`, `W0..` (absent when tied), `beta1..`, `energy` and `energy_slaved`;
        of probes their own, along `probe_time` (see `pcode.run.probes`);
        coordinates `phase`, `weight_phase` and `sample_number` (see `pcode.run.dataset`); and
        attributes with the network, the phases, the solver's settings and, if there was one, the
        scenario's text.
    groups : mapping of str to xarray.Dataset, optional
        Datasets with dimensions of their own, by the name of their group in the file: `solver`, the solver's
        steps; `clamps`, the masks and time series of the phases' clamps; `samples`, the data that the run was
        given; `reached`, where a run stands that was interrupted; and those of observers, by name.
    network : Network, optional
        The network, whose activations of your own the attributes cannot hold; made from these if left out.
    """

    def __init__(
        self,
        data: xr.Dataset,
        groups: Mapping[str, xr.Dataset] | None = None,
        network: Network | None = None,
    ) -> None:
        checks.instance("data", data, xr.Dataset, "the xarray.Dataset of a run")
        self.data = data
        self.groups = checked_groups(groups)
        if network is not None:
            checks.instance("network", network, Network, "a pcode.Network")
        # Replaced, so that its unit of time is given: all numbers of a run are in it.
        self._network = None if network is None else replace(network)

    @property
    def solver(self) -> xr.Dataset:
        """The solver's steps: `step_time`, `step_size`, `step_order` and `step_phase`, each (step,).

        Empty in files of versions that did not keep them.
        """
        return self.groups.get("solver", xr.Dataset())

    @cached_property
    def network(self) -> Network:
        """The network that was simulated."""
        return self._network or Network(**json.loads(self.data.attrs["network"]))

    @cached_property
    def phases(self) -> tuple[PhaseRecord, ...]:
        """The records of the phases; phases that were never reached are left out."""
        arrays = ClampArrays(self.groups.get("clamps"))
        records = json.loads(self.data.attrs["phases"])
        return tuple(PhaseRecord.from_dict(record, arrays) for record in records)

    @cached_property
    def samples(self) -> Data | None:
        """The data that the run was given, such as those of its scenario; None where it was given none."""
        kept = self.groups.get("samples")
        return None if kept is None else data_of(kept)

    @property
    def status(self) -> Status:
        """The worst status of the phases."""
        return Status(self.data.attrs["status"])

    @property
    def message(self) -> str:
        """The meaning of the status, with the phase that caused it."""
        return str(self.data.attrs["message"])

    @property
    def tolerances(self) -> tuple[float, float]:
        """The tolerances `rtol` and `atol` of the solver.

        Raises
        ------
        InputError
            If they are not among the attributes.
        """
        for name in ("rtol", "atol"):
            if name not in self.data.attrs:
                raise InputError(f"run.{name}", "is not among the attributes; give a run as it was saved")
        return float(self.data.attrs["rtol"]), float(self.data.attrs["atol"])

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on anything unusual in the run, such as a probe that raised; one line each."""
        return tuple(json.loads(self.data.attrs.get("notes", "[]")))

    @property
    def sample_count(self) -> int:
        """Number of different samples in all phases together."""
        return len({sample for record in self.phases for sample in record.samples})

    @property
    def state(self) -> State:
        """The last state: the nodes of the samples that were shown last, and the weights."""
        return State(**self.nodes_at(-1), weights=self.weights)

    def nodes_at(self, row: int) -> dict[str, tuple[Array, ...]]:
        """The arrays x and eps, by these names, at a saved `row`, of the samples that it shows."""
        there = self.data.isel(time=row, sample=slice(len(self.samples_at(row))))
        return {v.name: tuple(np.array(there[name]) for name in v.names(self.network.n)) for v in NODES}

    def samples_at(self, row: int) -> tuple[int, ...]:
        """The rows of the data that a saved `row` of the nodes shows."""
        numbers = self.data["sample_number"].to_numpy()[row]
        return tuple(numbers[numbers >= 0].tolist())

    @property
    def weights(self) -> Weights:
        """The last weights."""
        last = self.data.isel(weight_time=-1)
        n, kinds = self.network.n, self.network.weight_variables
        kept = {v.name: tuple(np.array(last[name]) for name in v.names(n)) for v in kinds}
        return Weights(**{v.name: kept.get(v.name) for v in WEIGHTS})  # type: ignore[arg-type]

    @property
    def plot(self) -> Any:
        """Plots of this run, as methods; see `pcode.plotting`."""
        return loaded("plots of a run")(self)

    def presentation(self, k: int | None = None, phase: int | str | None = None) -> Run:
        """One presentation of a phase that shows samples one after another, as a run with that phase alone.

        Whatever can be drawn or asked of a run can so be drawn and asked of a presentation.

        Parameters
        ----------
        k : int, optional
            Which, counted in its phase from 0; the last that was kept where left out.
        phase : int or str, optional
            Index or name of the phase; the last that shows samples one after another where left out.

        Raises
        ------
        InputError
            If there is no such phase, or the nodes of this presentation were not kept.
        """
        one: Run = loaded("a presentation of a run")(self, k, phase)
        return one

    def to_dataframe(
        self,
        what: str = "nodes",
        *,
        phase: int | str | Sequence[int | str] | None = None,
        layers: int | Sequence[int] | None = None,
        samples: int | Sequence[int] | None = None,
    ) -> pd.DataFrame:
        """A part of the run as a data frame of pandas.

        Parameters
        ----------
        what : {"nodes", "weights", "energy", "probes", "phases"}
            - ``"nodes"``: one row for each saved time and sample, with the columns `time`, `phase` (index in
              `phases`), `phase_name`, `sample` (row of the data), and one for each node: ``x0[0]``, ...,
              ``eps1[0]``, ...
            - ``"weights"``: one row for each saved time of the weights, with `time`, `phase`, `phase_name`,
              and one for each weight: ``M0[0,0]``, ..., ``W0[0,0]``, ..., ``beta1[0]``, ...
            - ``"energy"``: one row for each saved time and layer, with `time`, `phase`, `phase_name`,
              `layer`, `energy` and `energy_slaved`.
            - ``"probes"``: one row for each moment at which probes were due, with `time`, `phase`,
              `phase_name`, `presentation` (-1 in phases without) and one for each probe, NaN where others
              were due: ``acc``, or for arrays ``angle[1]`` (of layer 1), ``mine[0,1]``.
            - ``"phases"``: one row for each phase, with its status, the solver's work and its probes.

            Where a phase shows samples one after another there is a column `presentation` as well (-1 in
            other phases), and phases have `presented` and `at_limit`.
        phase : int, str, sequence of these, optional
            Only these phases, by index or name.
        layers : int, sequence of int, optional
            Only these layers; for M and W the lower layer of the link.
        samples : int, sequence of int, optional
            Only these samples, for nodes.

        Returns
        -------
        pandas.DataFrame
            The unit of time is in ``attrs["units"]``.

        Raises
        ------
        InputError
            If there is no such part, or it is too large for a data frame.

        Examples
        --------
        One row for each value, as seaborn takes it:

        >>> nodes = run.to_dataframe("nodes", phase="train", layers=1)
        >>> nodes.melt(["time", "phase", "phase_name", "sample"], var_name="node")
        """
        frame: pd.DataFrame = loaded("data frames of a run")(self, what, phase, layers, samples)
        return frame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run to a NetCDF file, first under a temporary name.

        Raises
        ------
        InputError
            If no file can be written there, or something added to `data` or a group cannot be stored.
        OSError
            If writing fails later on, such as on a full disk.

        In both cases the run is kept elsewhere if it can be, and the message says where.
        """
        save_files({path: self.to_bytes()})

    def to_bytes(self) -> memoryview:
        """The bytes of the NetCDF file that `save` writes.

        Raises
        ------
        InputError
            If something added to `data` or a group cannot be stored.
        """
        named = {name if name in OWN_GROUPS else f"{OTHERS}/{name}": one for name, one in self.groups.items()}
        return netcdf_bytes(self.data, named)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        activation: Activatable | Sequence[Activatable] | None = None,
        allow_code: bool = False,
    ) -> Run:
        """Read a run that `save` wrote.

        An activation of your own is kept in a file by its name and import path. To open the file imports
        nothing. What has to compute with the network, such as a phase plane, needs the function.

        Parameters
        ----------
        path : path
        activation : callable or Activation, or a sequence, optional
            The function that the run was made with, which is given the kinks that the file tells; or one
            entry for each of the layers 0..n-1, names included, as for `Network`.
        allow_code : bool
            Import such functions by their import paths, which runs the code of their modules.

        Raises
        ------
        InputError
            If the file does not exist, cannot be read, or holds no run of pcode, or one that is damaged or
            contradicts itself; if an activation cannot be imported, or is not the one of the run.
        """
        allow_code = checks.flag("allow_code", allow_code)
        path = checks.path("path", path)
        if path.is_dir():
            raise InputError("run", "is a folder; give the run.nc in it", str(path))
        loaded = read_groups(path, "run", "give the run.nc of a run")
        data = loaded.pop(ROOT)
        if not {"network", "phases", "status"} <= set(data.attrs):
            raise InputError("run", "holds no run of pcode; give the run.nc of a run", str(path))
        with reading("run", path):
            check_attributes(data.attrs)
            run = cls(*upgraded(data, loaded))
            check_texts(run.data, *run.groups.values())
            check_run(run.data, run.groups, run.network, run.phases)
        try:
            return cls(run.data, run.groups, with_activations(run.network, activation, allow_code))
        except InputError as error:
            raise error.in_file(str(path)) from None

    def __repr__(self) -> str:
        layers = "-".join(map(str, self.network.sizes))
        count = self.sample_count
        unit = suffix(self.network.time_unit)
        lines = [f"<pcode.Run {layers}, {count} sample{'s' * (count != 1)}: {self.status}>"]
        for record in self.phases:
            span = f"t = {record.t_start:g} to {record.t_end:g}{unit}"
            work = f"{record.told}{record.stats.steps} steps ({record.method})"
            lines.append(f"  {record.name}: {record.status}, {span}, {work}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        """The run as an HTML table for notebooks, with a row for each phase."""
        network, count = self.network, self.sample_count
        unit = suffix(network.time_unit)
        caption = (
            f"Run of a network {'-'.join(map(str, network.sizes))}, {count} sample{'s' * (count != 1)}, "
            f"tau = {network.tau_text}{unit}, delta = {network.delta_text}{unit}, "
            f"{network.feedback} feedback: {self.status}"
        )
        head = ("phase", "status", "t", "weights", "method", "steps")
        rows = [
            (r.name, f"{r.status}{', ' * bool(r.told)}{r.told.removesuffix(', ')}",
             f"{r.t_start:g} to {r.t_end:g}{unit}", _learning(r.learn),
             r.method, f"{r.stats.steps:,}")
            for r in self.phases
        ]  # fmt: skip
        return table(caption, head, rows)


def _learning(learn: bool | tuple[str, ...]) -> str:
    """Whether weights learned, in words."""
    return f"{', '.join(learn)} learn" if isinstance(learn, tuple) else "learn" if learn else "held"


def storable(attributes: Any) -> dict[str, Any]:
    """A user's attributes, checked: whether a NetCDF file can hold them beside those of a run.

    Parameters
    ----------
    attributes : mapping of str to value, or None

    Raises
    ------
    InputError
        If it is not a mapping, a name is one of the run's own, or a value cannot be stored.
    """
    given = {} if attributes is None else attributes
    checks.instance("attributes", given, Mapping, "a mapping from names to values")
    for name in given:
        checks.text("attributes", name)
        if name in OWN:
            raise InputError(f"attributes[{name}]", "is the name of one of the run's own; choose another")
        if isinstance(given[name], str) and name not in OF_FILES and unsafe(given[name]):
            what = f"has the character {unsafe(given[name])!a}, which can do something to a terminal"
            raise InputError(f"attributes[{name}]", f"{what}; leave it out")
    kept = {name: checks.plain(value) for name, value in given.items()}
    # A scenario's are not tried, which takes imports of half a second where Dask is installed.
    tried = {name: value for name, value in kept.items() if not plain(name, value)}
    if tried and refused(tried):
        for name, value in tried.items():
            why = refused({name: value})
            if why:
                what = f"cannot be stored in a NetCDF file ({why}); give a text, a number or a list of these"
                raise InputError(f"attributes[{name}]", what)
    return kept


# Names of the groups that every run has; in a file all others have a parent.
REACHED = "reached"
OWN_GROUPS = ("solver", "clamps", "samples", "probe_samples", REACHED)


def checked_groups(groups: Mapping[str, xr.Dataset] | None) -> dict[str, xr.Dataset]:
    """The groups that a result is given; InputError unless they are datasets by name."""
    given = {} if groups is None else groups
    checks.instance("groups", given, Mapping, "a mapping from names to datasets")
    for name, group in given.items():
        checks.instance(f"groups[{name}]", group, xr.Dataset, "an xarray.Dataset")
    return dict(given)

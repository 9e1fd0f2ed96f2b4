"""The result of an ensemble: one dataset with an axis of members, and its members as runs.

Dimensions, variables and coordinates are those of a run (`pcode.run.dataset`), with a dimension ``member``
in front. Where a member ends a phase early, because it is at rest or fails, the last row of the phase is
where it ended, and rows between are NaN. ``time`` and ``weight_time`` are those of a member whose phases all
last their full time, ``member_time`` (member, time) and ``member_weight_time`` those of each, NaN where it
has no row. Of each member and phase, dimension ``phase_number``, there are ``status`` (empty where the phase
was not reached), ``detail``, ``t_start``, ``t_end``, ``steps`` and ``rejected``.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..base import checks
from ..base.errors import InputError
from ..base.files import save_files
from ..base.status import SolverStats, Status
from ..model.fields import Activatable
from ..model.network import Network, Weights
from .activations import with_activations
from .checked import check_ensemble, check_run
from .clamps import ClampArrays
from .dataset import coordinates_of_nodes, time_units, weight_coordinates
from .ensemble_dataset import ENDS
from .netcdf import netcdf_bytes
from .reading import ROOT, read_groups, reading
from .record import PhaseRecord
from .result import Run, checked_groups
from .schema import check_attributes, check_texts

# The numbers of a network that may differ between members: arguments of compiled code.
OVER = ("tau", "tau_eps", "delta", "nu", "weight_decay", "node_decay")

# Most bytes of the numbers in a data frame.
MOST_BYTES = 2e9


class Ensemble:
    """The result of `pcode.simulate_many`.

    Parameters
    ----------
    data : xarray.Dataset
        As of a run, with the dimension `member` in front; see `pcode.run.ensemble`.
    groups : mapping of str to xarray.Dataset, optional
        `clamps`, the masks and time series of the phases' clamps.
    network : Network, optional
        The network, whose activations of your own the attributes cannot hold; made from these if left out.
    """

    def __init__(
        self,
        data: xr.Dataset,
        groups: Mapping[str, xr.Dataset] | None = None,
        network: Network | None = None,
    ) -> None:
        checks.instance("data", data, xr.Dataset, "the xarray.Dataset of an ensemble")
        if "member" not in data.dims:
            raise InputError("data", "has no dimension member; give the dataset of an ensemble")
        self.data = data
        self.groups = checked_groups(groups)
        self._network = None if network is None else replace(network)
        # The file that it was read from, whose members are checked when they are taken out.
        self._source: Path | None = None

    def __len__(self) -> int:
        return int(self.data.sizes["member"])

    @cached_property
    def network(self) -> Network:
        """The network, with the numbers that it was given before members changed some."""
        return self._network or Network(**json.loads(self.data.attrs["network"]))

    @cached_property
    def status(self) -> tuple[Status, ...]:
        """The worst status of the phases of each member."""
        return tuple(
            Status.worst([Status(one) for one in row if one])
            for row in self.data["status"].to_numpy().tolist()
        )

    def network_of(self, k: int) -> Network:
        """The network of member `k`."""
        k, given = self._number(k), dict[str, Any]()
        for name in OVER:
            if name in self.data.coords:
                values = self.data[name].to_numpy()[k].tolist()
                given[name] = tuple(values) if isinstance(values, list) else values
        return replace(self.network, **given)

    def weights(self, k: int) -> Weights:
        """The last weights of member `k`."""
        return self.member(k).weights

    def member(self, k: int) -> Run:
        """Member `k` as a run, of which everything can be drawn and asked that can be of one.

        Raises
        ------
        InputError
            If there is no such member, or it has no row because nothing of it could be begun.
        """
        k = self._number(k)
        if self._source is None:
            return self._member(k)
        with reading("ensemble", self._source):
            run = self._member(k)
            check_run(run.data, run.groups, run.network, run.phases)
            return run

    def _member(self, k: int) -> Run:
        own = self.data.isel(member=k)
        nodes, weights = (
            np.flatnonzero(np.isfinite(own[name].to_numpy()))
            for name in ("member_time", "member_weight_time")
        )
        if not nodes.size or not weights.size:
            raise InputError("member", f"{k} has no saved row: {self._message(k)}")
        network = self.network_of(k)
        own = own.isel(time=nodes, weight_time=weights)
        numbers = own["sample_number"].to_numpy()
        node = coordinates_of_nodes(network, own["member_time"].to_numpy(), own["phase"].to_numpy(), numbers)
        weight = weight_coordinates(
            network, own["member_weight_time"].to_numpy(), own["weight_phase"].to_numpy()
        )
        arrays = {name: own[name].variable for name in own.data_vars if name not in ENDS}
        width = int((numbers >= 0).sum(axis=1).max())
        data = xr.Dataset(arrays).isel(sample=slice(width)).assign_coords(node | weight)
        return Run(data.assign_attrs(self._attributes(k, network)), self.groups, network)

    def _number(self, k: int) -> int:
        number = checks.whole("member", k)
        if not -len(self) <= number < len(self):
            raise InputError("member", f"there is no member {number}; there are 0 to {len(self) - 1}")
        return number % len(self)

    def _records(self, k: int) -> list[PhaseRecord]:
        """The records of member `k`, of the phases that it reached."""
        common = json.loads(self.data.attrs["phases"])
        arrays, own = ClampArrays(self.groups.get("clamps")), self.data.isel(member=k)
        records = []
        for number, values in enumerate(common):
            found = {name: own[name].to_numpy().tolist()[number] for name in ENDS}
            if not found["status"]:
                break
            status, t_end = Status(found["status"]), float(found["t_end"])
            told = found["detail"] or status.meaning
            records.append(
                replace(
                    PhaseRecord.from_dict(values, arrays),
                    status=status,
                    message=f"phase {values['name']!r}, to t = {t_end:g}: {told}",
                    t_start=float(found["t_start"]),
                    t_end=t_end,
                    stats=SolverStats(found["steps"], found["rejected"], None, None),
                )
            )
        return records

    def _message(self, k: int) -> str:
        records = self._records(k)
        worst = Status.worst([record.status for record in records])
        return [record.message for record in records if record.status is worst][-1]

    def _attributes(self, k: int, network: Network) -> dict[str, Any]:
        """The attributes of the run of member `k`."""
        records, arrays = self._records(k), ClampArrays(self.groups.get("clamps"))
        total = sum((record.stats for record in records), SolverStats())
        names = {field: getattr(network, field) for field in OVER}
        changed = {f: list(v) if isinstance(v, tuple) else v for f, v in names.items()}
        return {
            **self.data.attrs,
            "network": json.dumps(json.loads(self.data.attrs["network"]) | changed),
            "phases": json.dumps([record.to_dict(arrays) for record in records]),
            "status": str(Status.worst([record.status for record in records])),
            "message": self._message(k),
            "solver_statistics": json.dumps(
                {"steps": total.steps, "rejected": total.rejected, "rhs_evaluations": None}
                | {"jacobian_evaluations": None, "compile_seconds": 0.0, "solve_seconds": 0.0}
            ),
        }

    def to_dataframe(self, what: str = "members", *, members: Sequence[int] | None = None) -> pd.DataFrame:
        """A part of the ensemble as a data frame of pandas.

        Parameters
        ----------
        what : {"members", "nodes", "weights", "energy"}
            - ``"members"``: one row for each member and phase, with its seed, the values in which members
              differ, `status`, `t_start`, `t_end`, `steps`, `rejected`, and the `energy` at its end.
            - the others as by `Run.to_dataframe`, with a column `member` in front.
        members : sequence of int, optional
            Only these.

        Raises
        ------
        InputError
            If there is no such part or member, or it is too large for a data frame.
        """
        checks.word("what", what, ("members", "nodes", "weights", "energy"))
        chosen = (
            range(len(self)) if members is None else checks.listed("members", members, "a list of numbers")
        )
        numbers = [self._number(k) for k in chosen]
        if what == "members":
            return self._summary(numbers)
        size = self.data.nbytes * len(numbers) / len(self)
        if size > MOST_BYTES:
            raise InputError("what", f"would take about {size / 1e9:.3g} GB; choose fewer members")
        frames = []
        for k in numbers:
            if np.isfinite(self.data["member_time"].to_numpy()[k]).any():
                frame = self.member(k).to_dataframe(what)
                frame.insert(0, "member", k)
                frames.append(frame)
        if not frames:
            raise InputError("members", "none of these has a saved row; choose others")
        return pd.concat(frames, ignore_index=True)

    def _summary(self, numbers: Sequence[int]) -> pd.DataFrame:
        """One row for each member and phase that it reached."""
        data = self.data.isel(member=list(numbers))
        names = data["phase_name"].to_numpy().tolist()
        known = [name for name in ("seed", *OVER) if name in data.coords]
        rows = []
        for row, k in enumerate(numbers):
            own: dict[str, Any] = {"member": k}
            for name in known:
                values = data[name].to_numpy()[row].tolist()
                each = values if isinstance(values, list) else [values]
                own |= {name if each is not values else f"{name}[{j}]": v for j, v in enumerate(each)}
            for number, name in enumerate(names):
                ends = {end: data[end].to_numpy()[row].tolist()[number] for end in ENDS}
                if not ends["status"]:
                    break
                last = np.flatnonzero(data["phase"].to_numpy() == number)[-1]
                energy = float(data["energy"].to_numpy()[row, last].sum())
                rows.append(own | {"phase": number, "phase_name": name} | ends | {"energy": energy})
        frame = pd.DataFrame(rows).drop(columns="detail")
        frame.attrs["units"] = dict.fromkeys(("t_start", "t_end"), time_units(self.network))
        return frame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ensemble to a NetCDF file, first under a temporary name.

        Raises
        ------
        InputError
            If no file can be written there, or something added to `data` or a group cannot be stored.
        OSError
            If writing fails later on, such as on a full disk.

        In both cases the ensemble is kept elsewhere if it can be, and the message says where.
        """
        save_files({path: netcdf_bytes(self.data, self.groups)})

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        activation: Activatable | Sequence[Activatable] | None = None,
        allow_code: bool = False,
    ) -> Ensemble:
        """Read an ensemble that `save` wrote; for activations of your own see `Run.load`.

        Raises
        ------
        InputError
            If the file does not exist, cannot be read, or holds no ensemble.
        """
        allow_code = checks.flag("allow_code", allow_code)
        path = checks.path("path", path)
        right = "give a file that Ensemble.save wrote"
        loaded = read_groups(path, "ensemble", right)
        data = loaded.pop(ROOT)
        if "member" not in data.dims or not {"network", "phases"} <= set(data.attrs):
            raise InputError("ensemble", f"holds no ensemble of pcode; {right}", str(path))
        with reading("ensemble", path):
            check_attributes(data.attrs)
            check_texts(data, *loaded.values())
            kept = cls(data, loaded)
            check_ensemble(data, loaded, kept.network)
        try:
            found = cls(data, loaded, with_activations(kept.network, activation, allow_code))
        except InputError as error:
            raise error.in_file(str(path)) from None
        found._source = path
        return found

    def __repr__(self) -> str:
        layers = "-".join(map(str, self.network.sizes))
        found = ", ".join(f"{count} {status}" for status, count in Counter(map(str, self.status)).items())
        return f"<pcode.Ensemble {layers}, {len(self)} member{'s' * (len(self) != 1)}: {found}>"

"""What a simulation keeps of a run, and the result that is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from ..model.data import Data
from ..model.network import Network
from ..model.phase import Save
from ..run.clamps import ClampArrays
from ..run.dataset import node_dataset, weight_dataset, with_both_numbers
from ..run.reached import Marks, Reached, Standing, reached_dataset
from ..run.record import PhaseRecord
from ..run.restoring import check_marks, first_weights, node_rows, probe_rows, steps_of, weight_rows
from ..run.result import REACHED, Run
from ..run.samples import dataset_of
from ..solvers import Settings
from .arguments import oddities
from .attributes import attributes_of
from .callbacks import Callbacks
from .trajectory import NodeTrajectory, SolverSteps, WeightTrajectory


class Kept:
    """What a simulation keeps of a run.

    Parameters
    ----------
    network : Network
    save : Save
    method : str
    settings : Settings
    callbacks : Callbacks
    attributes : mapping of str to value
    data : Data or None

    Attributes
    ----------
    nodes, weights
        The trajectories.
    steps : SolverSteps
    """

    def __init__(
        self,
        network: Network,
        save: Save,
        method: str,
        settings: Settings,
        callbacks: Callbacks,
        attributes: Mapping[str, Any],
        data: Data | None,
    ) -> None:
        self._network, self._method, self._settings = network, method, settings
        self._callbacks, self._attributes, self._data = callbacks, dict(attributes), data
        self.nodes, self.weights = NodeTrajectory(network, save), WeightTrajectory(network, save)
        self.steps = SolverSteps(network)

    @property
    def trajectories(self) -> tuple[NodeTrajectory, WeightTrajectory]:
        """Those of the nodes and of the weights."""
        return self.nodes, self.weights

    def marks(self) -> Marks:
        """How much there is so far."""
        return self._callbacks.probes.marks(self.nodes.count, self.weights.count)

    def cut(self, marks: Marks) -> None:
        """Drop what came after `marks`."""
        self.nodes.cut(marks.nodes)
        self.weights.cut(marks.weights)
        self._callbacks.probes.cut(marks)

    def forget(self, phase: int) -> None:
        """Drop what there is of the phase with this index, which was not finished."""
        for keeper in (*self.trajectories, self._callbacks.probes):
            keeper.forget(phase)

    def result(self, records: Sequence[PhaseRecord]) -> Run:
        """The result of the phases that have ended, which have these `records`."""
        count = len(records)
        nodes, weights = self.nodes.dataset(count), self.weights.dataset(count)
        return self._run(records, nodes, weights, self.steps.dataset())

    def partial(
        self,
        records: Sequence[PhaseRecord],
        reached: Reached,
        marks: Marks,
        made_of: Mapping[str, Any],
        about: Mapping[str, str],
    ) -> Run:
        """The result so far in the phase of the last of `records`, with where it stands."""
        nodes = node_dataset(self._network, self.nodes.so_far())
        weights = weight_dataset(self._network, self.weights.so_far())
        steps = self.steps.with_more(len(records) - 1, records[-1].t_start, reached.steps).dataset()
        run = self._run(records, nodes, weights, steps)
        groups = run.groups | {REACHED: reached_dataset(reached, marks, made_of, about)}
        return Run(run.data, groups, self._network)

    def _run(
        self, records: Sequence[PhaseRecord], nodes: xr.Dataset, weights: xr.Dataset, steps: xr.Dataset
    ) -> Run:
        calls, clamps = self._callbacks, ClampArrays()
        kept = {name: observer.dataset() for name, observer in calls.observers.items()}
        groups = {name: dataset for name, dataset in kept.items() if dataset is not None}
        own = attributes_of(self._network, records, self._method, self._settings, clamps)
        own["notes"] = json.dumps([*self._oddities(records), *calls.notes.lines])
        given = {} if self._data is None else {"samples": dataset_of(self._data, self._network)}
        probes = calls.probes.dataset(len(records))
        data = nodes.assign_coords({**weights.coords, **probes.coords})
        data = with_both_numbers(data.assign({**weights.data_vars, **probes.data_vars}))
        given |= calls.probes.groups()
        groups = {"solver": steps, **clamps.groups(), **given, **groups}
        return Run(data.assign_attrs(own | self._attributes), groups, self._network)

    def _oddities(self, records: Iterable[PhaseRecord]) -> list[str]:
        return oddities(self._network, (record.learn for record in records))

    def restore(self, standing: Standing, source: str) -> list[PhaseRecord]:
        """Begin with what a file has kept of a run; the records of its phases that had ended."""
        run, marks = standing.run, standing.marks
        check_marks(run, marks, source)
        self.nodes.restore(node_rows(run, marks.nodes))
        self.weights.restore(weight_rows(run, marks.weights))
        self.steps.restore(steps_of(run, standing.reached))
        self._callbacks.probes.restore(probe_rows(run, marks.probes), first_weights(run), marks)
        odd = self._oddities(run.phases)
        for line in run.notes:
            if line not in odd:
                self._callbacks.notes.add(line)
        return list(run.phases[:-1])


def with_before(record: PhaseRecord, before: PhaseRecord | None) -> PhaseRecord:
    """The record of a phase that was gone on with: its cost is that of both parts."""
    if before is None:
        return record
    return replace(record, stats=before.stats + record.stats)

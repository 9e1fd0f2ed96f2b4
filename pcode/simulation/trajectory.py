"""The trajectory of a run: the observers that keep nodes and weights, and the record of solver steps."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np
import xarray as xr

from ..model.network import Array, Network
from ..model.phase import Phase, Save
from ..model.variables import NODES, WEIGHTS, Variable
from ..run.dataset import ENERGIES, Rows, node_dataset, time_units, weight_dataset
from ..solvers.steps import MOST, Steps, thinned
from .observer import Moment

# Steps kept of a phase if the run has too many phases to keep more.
FEWEST_STEPS = 6

# What no presentation, and no phase without any, is called.
NO_BLOCK = -2

# Most saved times of the weights within a presentation whose nodes are kept in full.
MOST_WITHIN = 12


class _Trajectory:
    """Saved rows, phase after phase; memory is allocated for one phase at a time."""

    def __init__(self, network: Network, save: Save, kinds: Sequence[Variable]) -> None:
        self._network, self._save = network, save
        self._names = [name for variable in kinds for name in variable.names(network.n)]
        self._rows: list[Rows] = []
        self._expected = self._filled = 0
        self._block = NO_BLOCK  # the presentation of the last rows
        self._kept: frozenset[int] = frozenset()

    def _times(self, count: int, phase: Phase) -> Array:
        network = self._network
        times = self._save.times(count, phase.duration, network.shortest_tau, min(network.deltas))
        self._expected = times.size
        return times

    def _add(self, moment: Moment, arrays: dict[str, Array]) -> None:
        """Keep a row of `arrays`, given by their names in results."""
        shown = -1 if moment.presentation is None else moment.presentation
        if not self._rows or (self._rows[-1].phase, self._block) != (moment.index, shown):
            self._close()
            room = {name: np.empty((self._expected, *array.shape)) for name, array in arrays.items()}
            t, kept = np.empty(self._expected), shown if shown in self._kept else -1
            self._rows.append(Rows(moment.index, t, room, moment.samples, kept))
            self._filled, self._block = 0, shown
        rows, k = self._rows[-1], self._filled
        rows.t[k] = moment.t
        for name, array in arrays.items():
            rows.arrays[name][k] = array
        self._filled += 1

    def _of_phases(self, count: int | None) -> list[Rows]:
        """The rows of the first `count` phases; those of a phase that is being run are left as they are."""
        if count is None or not self._rows or self._rows[-1].phase < count:
            self._close()
            return self._rows
        return self._rows[:-1]

    def reach(self, moment: Moment) -> None:
        """Keep a moment at which a phase ends early, unless it is kept already."""
        begun = bool(self._rows) and self._rows[-1].phase == moment.index and self._filled > 0
        if begun and self._rows[-1].t[self._filled - 1] >= moment.t:
            return
        if moment.presentation is not None and self._block != moment.presentation:
            self._kept |= {moment.presentation}
            self.expect(1)
        self.observe(moment)

    def observe(self, moment: Moment) -> None:
        """Keep a row."""
        raise NotImplementedError

    def expect(self, rows: int) -> None:
        """Say how many rows the next presentation has, at most."""
        self._expected = rows

    def _close(self) -> None:
        """Free the memory of rows that were not filled, as when a phase ended early."""
        if self._rows and self._filled < self._rows[-1].t.size:
            rows, k = self._rows[-1], self._filled
            rows.t = rows.t[:k].copy()
            rows.arrays = {name: array[:k].copy() for name, array in rows.arrays.items()}

    @property
    def count(self) -> int:
        """Number of rows so far."""
        return sum(part.t.size for part in self._rows[:-1]) + (self._filled if self._rows else 0)

    def cut(self, count: int) -> None:
        """Drop all rows but the first `count`."""
        while self._rows and (over := self.count - count) > 0:
            if over < self._filled:
                self._filled -= over
                return
            self._rows.pop()
            self._filled = self._rows[-1].t.size if self._rows else 0
            self._block = NO_BLOCK

    def so_far(self) -> list[Rows]:
        """The rows so far, those of the phase that is being run included; to be read only."""
        found = [replace(part, arrays=dict(part.arrays)) for part in self._rows]
        if found:
            last, k = found[-1], self._filled
            arrays = {name: array[:k] for name, array in last.arrays.items()}
            found[-1] = replace(last, t=last.t[:k], arrays=arrays)
        return found

    def restore(self, rows: list[Rows]) -> None:
        """Begin with rows that were kept before; those to come go on from there."""
        self._rows, self._block = rows, NO_BLOCK
        self._filled = rows[-1].t.size if rows else 0

    def forget(self, phase: int) -> None:
        """Drop the rows of the phase with this index, which was not finished."""
        while self._rows and self._rows[-1].phase == phase:
            self._rows.pop()
            self._filled = self._rows[-1].t.size if self._rows else 0


class NodeTrajectory(_Trajectory):
    """The observer that keeps values, errors and energies at the times that `Save` says."""

    def __init__(self, network: Network, save: Save) -> None:
        super().__init__(network, save, NODES)

    def times(self, phase: Phase) -> Array:
        """Saved times of the nodes."""
        return self._times(self._save.nodes, phase)

    def within(self, phase: Phase) -> dict[int, Array]:
        """Saved times of each presentation that is kept, in its own time."""
        assert phase.presentation is not None
        kept = self._save.kept(phase.presentation.count(phase.batch or 1))
        self._kept = frozenset(kept.tolist())
        lasts, network = phase.presentation.longest, self._network
        count = self._save.nodes if self._save.presentation_nodes == "full" else 2
        return dict.fromkeys(
            kept.tolist(), self._save.times(count, lasts, network.shortest_tau, min(network.deltas))
        )

    def observe(self, moment: Moment) -> None:
        """Keep a row."""
        nodes = (array for variable in NODES for array in getattr(moment, variable.name))
        arrays = dict(zip(self._names, nodes, strict=True))
        self._add(moment, arrays | dict(zip(ENERGIES, moment.energies, strict=True)))

    def dataset(self, phases: int | None = None) -> xr.Dataset:
        """The rows so far, or those of the first `phases`."""
        return node_dataset(self._network, self._of_phases(phases))


class WeightTrajectory(_Trajectory):
    """The observer that keeps the weights at the times that `Save` says."""

    def __init__(self, network: Network, save: Save) -> None:
        super().__init__(network, save, network.weight_variables)

    def times(self, phase: Phase) -> Array:
        """Saved times of the weights; the ends of the phase if they are held."""
        return self._times(self._save.weights, phase) if phase.learn else self._ends(phase)

    def within(self, phase: Phase) -> dict[int, Array]:
        """Saved times of each presentation for which some are kept, in its own time.

        The weights of presentations whose nodes are kept are known at their ends, or at `MOST_WITHIN` times
        where the nodes are kept in full: analyses of these nodes need them.
        """
        assert phase.presentation is not None
        save, network = self._save, self._network
        count, lasts = phase.presentation.count(phase.batch or 1), phase.presentation.longest

        def times(most: int) -> Array:
            return save.times(most, lasts, network.shortest_tau, min(network.deltas))

        kept = save.kept(count).tolist()
        self._kept = frozenset(kept)
        most = min(save.weights, MOST_WITHIN) if save.presentation_nodes == "full" and phase.learn else 2
        found = dict.fromkeys(kept, times(most))
        if not phase.learn:
            return found
        each = (save.weights - 1) // count
        if each >= 1:
            every = times(each + 1)
            return {k: max(every, found.get(k, every), key=len) for k in range(count)}
        return {k: np.array([lasts]) for k in save.spread(save.weights - 1, count)} | found

    def _ends(self, phase: Phase) -> Array:
        self._expected = 2
        return np.array([0.0, phase.duration])

    def observe(self, moment: Moment) -> None:
        """Keep a row."""
        weights = (array for variable in WEIGHTS for array in variable.of(moment.state))
        self._add(moment, dict(zip(self._names, weights, strict=True)))

    def dataset(self, phases: int | None = None) -> xr.Dataset:
        """The rows so far, or those of the first `phases`."""
        return weight_dataset(self._network, self._of_phases(phases))


class SolverSteps:
    """The steps that the solver took, phase after phase."""

    def __init__(self, network: Network) -> None:
        self._units = {"units": time_units(network)}
        self._steps: dict[int, Steps] = {}

    def add(self, phase: int, t_start: float, steps: Steps) -> None:
        """Keep the `steps`, shape (K, 3), see `StepLog`, of the phase that began at `t_start`."""
        steps = steps + np.array([t_start, 0.0, 0.0])
        if phase in self._steps:  # a phase that is gone on with
            steps = np.concatenate([self._steps[phase], steps])
        self._steps[phase] = thinned(steps, MOST)

    def with_more(self, phase: int, t_start: float, steps: Steps) -> SolverSteps:
        """The same with more `steps`, as for `add`; this one is left as it is."""
        other = copy(self)
        other._steps = dict(self._steps)
        other.add(phase, t_start, steps)
        return other

    def restore(self, steps: dict[int, Steps]) -> None:
        """Begin with steps that were kept before, by phase, in the time of the run."""
        self._steps = steps

    def dataset(self) -> xr.Dataset:
        """The steps so far."""
        whole = sum(map(len, self._steps.values())) <= MOST
        share = max(FEWEST_STEPS, MOST // max(1, len(self._steps)))
        kept = {k: steps if whole else thinned(steps, share) for k, steps in self._steps.items()}
        time, size, order = np.concatenate([np.empty((0, 3)), *kept.values()]).T
        phase = np.repeat(np.array([*kept], dtype=np.int64), [len(steps) for steps in kept.values()])
        of = "of the solver's step"
        variables = {
            "step_time": ("step", time, {"long_name": "time at the end of the solver's step"} | self._units),
            "step_size": ("step", size, {"long_name": f"length {of}"} | self._units),
            "step_order": ("step", order, {"long_name": f"order {of}", "units": "dimensionless"}),
            "step_phase": ("step", phase, {"long_name": f"index of the phase {of}"}),
        }
        return xr.Dataset(variables)

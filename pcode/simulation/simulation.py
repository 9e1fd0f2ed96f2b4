"""`Simulation`: from a network, its weights and phases to a `Run`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ..base import checks, programs
from ..base.errors import InputError
from ..base.threads import one_thread
from ..base.units import suffix
from ..model.data import Data
from ..model.images import IMAGE_SHAPE, image_shape
from ..model.network import Network, Weights
from ..model.phase import NodeStart, Phase, Save
from ..model.state import State
from ..run.reached import Marks, Reached, Standing
from ..run.record import PhaseRecord
from ..run.result import Run, storable
from ..solvers import Settings
from .arguments import check_nodes, settings_of, weights_of
from .callbacks import Callbacks, Progress
from .checkpoint import Checkpoint, Keeper, read_standing
from .fingerprint import check_same, fingerprint, of_phase
from .integration import Integration
from .interrupts import interruptible
from .kept import Kept, with_before
from .noise import check_method, seed_of, step_of
from .observer import Observer
from .plan import Extent, Plan, check_next, checked_save, phase_of, phases_of, plan
from .presenting import Presenting
from .probe import Context, Probe
from .start import starting_state

# A function is called when a phase ends.
Probed = Probe | Callable[[State, Context], Any]


class Simulation:
    """A network with its state and time: a run that can be continued.

    Parameters
    ----------
    network : Network
    weights, nodes, method, rtol, atol, max_steps, step, seed, save, data, probes, attributes, progress, stop
        See `pcode.simulate`.
    observers : mapping of str to Observer, optional
        Observers by name. The `dataset` of each becomes the group of that name in the result. One that raises
        is not called again, which is noted in `Run.notes`.

    Raises
    ------
    InputError
        If anything asked for cannot be done.

    Examples
    --------
    >>> simulation = pcode.Simulation(network, weights=weights)
    >>> while simulation.advance(train).probes["error"] > 0.01:
    ...     pass
    >>> simulation.result.save("run.nc")
    """

    def __init__(
        self,
        network: Network,
        *,
        weights: Weights,
        nodes: NodeStart | State = "feedforward",
        method: str = "auto",
        rtol: float = 1e-6,
        atol: float = 1e-9,
        max_steps: int = 1_000_000,
        step: float | str | None = None,
        seed: int = 0,
        save: Save | None = None,
        data: Data | None = None,
        probes: Mapping[str, Probed] | None = None,
        attributes: Mapping[str, Any] | None = None,
        progress: Callable[[Progress], Any] | None = None,
        stop: Callable[[], Any] | None = None,
        observers: Mapping[str, Observer] | None = None,
    ) -> None:
        programs.room.check()
        self._save = checked_save(network, save, method)
        self._network, self._method = network, method
        _ = network.sigma  # not those of a file whose functions are not loaded
        self._settings = settings_of(rtol, atol, max_steps, step_of(network, step), seed_of(seed))
        check_method(network, method, self._settings)
        self._weights = weights_of(network, weights)
        check_nodes(nodes)
        self._nodes = nodes
        if data is not None:
            checks.instance("data", data, Data, "a pcode.Data, or left out")
        self._data = data
        self._callbacks = Callbacks(probes, network, self._save, progress, stop, observers)
        self._attributes = storable(attributes)
        if IMAGE_SHAPE in self._attributes:
            image_shape(self._attributes[IMAGE_SHAPE], network.sizes[0], f"attributes[{IMAGE_SHAPE}]")
        self._state: State | None = None
        self._extent = Extent()
        self._shown: tuple[int, ...] = ()  # the samples of the state
        self._records: list[PhaseRecord] = []
        how = (self._callbacks, self._attributes, self._data)
        self._kept = Kept(network, self._save, method, self._settings, *how)
        self._phases: list[Phase] = []  # all that are known
        self._checkpoint: Checkpoint | None = None
        self._standing: Standing | None = None  # from which the next phase goes on
        self._interrupted: tuple[Reached, Marks] | None = None
        self._result: Run | None = None

    def __repr__(self) -> str:
        layers, unit = "-".join(map(str, self._network.sizes)), suffix(self._network.time_unit)
        count = len(self._records)
        ended = f", the last: {self._records[-1].status}" if count else ""
        return f"<pcode.Simulation {layers}, t = {self.t:g}{unit}, {count} phase{'s' * (count != 1)}{ended}>"

    @property
    def network(self) -> Network:
        """The network."""
        return self._network

    @property
    def settings(self) -> Settings:
        """Tolerances of the solver, and its most steps in a phase."""
        return self._settings

    @property
    def t(self) -> float:
        """The time reached."""
        return self._records[-1].t_end if self._records else 0.0

    @property
    def state(self) -> State | None:
        """The state reached; None before the first phase, whose clamps determine where nodes start."""
        return self._state

    @property
    def weights(self) -> Weights:
        """The weights reached."""
        return self._weights if self._state is None else self._state.weights

    @property
    def phases(self) -> tuple[PhaseRecord, ...]:
        """The records of the phases so far."""
        return tuple(self._records)

    @property
    def result(self) -> Run:
        """The run so far: all phases that have ended.

        Its arrays are shared with later results: copy them before changing them.

        Raises
        ------
        InputError
            If no phase has been run.
        """
        if not self._records:
            raise InputError("phases", "there is none; a run needs one at least")
        if self._result is None:
            if self._interrupted is None:
                self._result = self._kept.result(self._records)
            else:
                self._result = self._partial(self._records, *self._interrupted)
        return self._result

    def check(self, phases: Iterable[Phase]) -> Plan:
        """Check that the run can be continued with `phases`, without computing anything.

        Raises
        ------
        InputError
            As `run` would.
        """
        return plan(self._network, phases, self._save, self._method, self._extent, self._settings)

    def advance(self, phase: Phase) -> PhaseRecord:
        """Run one more phase from the current state.

        Returns
        -------
        PhaseRecord
            Also if the phase failed: the state is then the one reached.

        Raises
        ------
        InputError
            If the phase cannot be run; the simulation is then unchanged.
        """
        phase = phase_of(self._network, phase, "phase")
        check_next(self._network, phase, self._save, self._method, self._extent, "phase", self._settings)
        self._callbacks.reports.phases = None
        self._phases = [*self._phases, phase]
        with self._computing() as stopped:
            return self._advance(phase, stopped)

    def run(
        self,
        phases: Iterable[Phase],
        *,
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> Run:
        """Run more phases from the current state, until one fails.

        Parameters
        ----------
        phases : iterable of Phase
            A list is checked as a whole before anything is computed. From an iterator, such as a generator,
            phases are taken one at a time, so that it may use `state` between them.
        checkpoint, resume
            See `pcode.simulate`. They go with a list of phases, the latter also with a new simulation only.

        Returns
        -------
        Run
            The run so far, earlier phases included.

        Raises
        ------
        InputError
            If a phase cannot be run. The phases before it are in `result`, and the simulation can be
            continued.
        """
        reports = self._callbacks.reports
        self._checkpoint = Checkpoint.of(checkpoint)
        if checks.is_many(phases) and not isinstance(phases, Collection):
            for name, given in (("checkpoint", checkpoint), ("resume", resume)):
                if given is not None:
                    raise InputError(
                        name, "goes with a list of phases: they must be known when a run goes on"
                    )
            reports.phases, coming = None, self._checked_in_turn(phases)
        else:
            listed = phases_of(self._network, phases)
            self.check(listed)
            self._phases = [*self._phases, *listed]
            reports.phases = len(self._records) + len(listed)
            coming = iter(listed if resume is None else self._resumed(resume, listed))
        with self._computing() as stopped:
            for phase in coming:
                if self._advance(phase, stopped).status.failed:
                    break
        return self.result

    def _checked_in_turn(self, phases: Iterable[Phase]) -> Iterator[Phase]:
        for k, given in enumerate(phases):
            phase = phase_of(self._network, given, f"phases[{k}]")
            how = (self._save, self._method, self._extent, f"phases[{k}]", self._settings)
            check_next(self._network, phase, *how)
            self._phases = [*self._phases, phase]
            yield phase

    def _resumed(self, path: str | os.PathLike[str], phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        """Take over what a file has kept of the run of `phases`; those of them that have not ended."""
        if self._records or self._state is not None:
            raise InputError("resume", "goes with a new simulation: this one has run phases already")
        if self._callbacks.observers:
            raise InputError("resume", "does not go with observers: what they kept is not in the file")
        standing, source = read_standing(path), str(path)
        check_same(standing.made_of, self._made_of(), source)
        records = self._kept.restore(standing, source)
        extent = self._extent
        for phase in phases[: len(records)]:
            extent = extent.with_phase(phase, self._save)
        self._records, self._extent, self._standing = records, extent, standing
        return phases[len(records) :]

    def _made_of(self) -> dict[str, Any]:
        """What the run is made of, see `fingerprint`."""
        probes = self._callbacks.probes.described()
        how = (self._method, self._settings, self._save, self._data, probes)
        made = fingerprint(self._network, self._weights, self._nodes, *how)
        return made | {"phases": [of_phase(phase) for phase in self._phases]}

    def _partial(self, records: list[PhaseRecord], reached: Reached, marks: Marks) -> Run:
        """The result so far of a run that has not ended."""
        about = {} if self._checkpoint is None else self._checkpoint.about
        return self._kept.partial(records, reached, marks, self._made_of(), about)

    def _keeper(self, integration: Integration, before: PhaseRecord | None) -> Keeper:
        """Who keeps where a phase stands; `before` is its record if it is gone on with."""

        def build(reached: Reached, marks: Marks) -> Run:
            record = with_before(integration.standing_record(reached), before)
            record = replace(record, probes=dict(self._callbacks.probes.values))
            return self._partial([*self._records, record], replace(reached, stats=record.stats), marks)

        kept, notes = self._kept, self._callbacks.notes
        return Keeper(self._checkpoint, build, kept.marks, kept.cut, notes)

    def _advance(self, phase: Phase, stopped: Callable[[], bool]) -> PhaseRecord:
        """Run one more phase, which has been checked."""
        extent = self._extent.with_phase(phase, self._save)
        phase, index, calls = phase.showing(extent.shown), len(self._records), self._callbacks
        how = (self._network, phase, index, self.t, self._method, self._settings)
        shows = phase.presentation is not None
        integration = Presenting(*how, phase.nodes or self._nodes) if shows else Integration(*how)
        first = integration.first
        standing, self._standing = self._standing, None
        begun = before = None
        if standing is not None:
            begun = standing.reached
            before = replace(standing.run.phases[-1], stats=begun.stats)
        self._result = self._interrupted = None
        try:
            if begun is None:
                from_ = (self.weights, self._state, self._shown)
                start = starting_state(self._network, first, first.samples or (), self._nodes, *from_)
            else:
                start = begun.state
        except InputError as error:
            if not self._records:
                raise
            record = integration.not_started(str(error))  # not raised, so as not to lose earlier phases
            self._records.append(record)
            return record
        observers: list[Observer] = [*calls.probes.observers, *calls.observers.values()]
        keeper = self._keeper(integration, before)
        try:
            given = (start, self._kept.trajectories, observers, calls.reports, stopped, keeper, begun)
            with one_thread():
                record, state, steps, shown = integration.run(*given)
        except BaseException:
            self._kept.forget(index)
            raise
        record = with_before(replace(record, probes=dict(calls.probes.values)), before)
        if keeper.interrupted is not None:
            reached, marks = keeper.interrupted
            stats = reached.stats if before is None else before.stats + reached.stats
            self._interrupted = replace(reached, stats=stats, steps=np.empty((0, 3))), marks
        self._kept.steps.add(index, self.t, steps)
        self._extent, self._state, self._shown = extent, state, shown
        self._records.append(record)
        self._result = None  # also what was asked for from within the phase
        return record

    @contextmanager
    def _computing(self) -> Iterator[Callable[[], bool]]:
        """Yield the function that tells whether to stop. Overflow shows in the status, not in warnings."""
        with interruptible(self._callbacks.stopped) as stopped, np.errstate(all="ignore"):
            yield stopped

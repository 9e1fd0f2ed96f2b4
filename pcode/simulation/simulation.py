"""Phases in turn, from a network and its weights to a `Run`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..model.network import Network, Weights
from ..model.phase import NodeStart, Phase, Save
from ..model.state import State
from ..run.clamps import ClampArrays
from ..run.result import PhaseRecord, Run, storable
from ..solvers import Settings
from .arguments import check_nodes, oddities, settings_of, weights_of
from .attributes import attributes_of
from .callbacks import Callbacks, Progress
from .integration import Integration
from .interrupts import interruptible
from .observer import Observer
from .plan import Extent, Plan, check_next, checked_save, phases_of, plan
from .start import starting_state
from .trajectory import NodeTrajectory, SolverSteps, WeightTrajectory

Probe = Callable[[State, Phase], Any]


class Simulation:
    """A network, its state and its clock: a run that can go on.

    Parameters
    ----------
    network : Network
    weights, nodes, method, rtol, atol, max_steps, save, probes, attributes, progress, stop
        See `pcode.simulate`.
    observers : mapping of str to Observer, optional
        What else looks on. What one keeps, its `dataset`, stands in the group of its name in the result.
        One that raises is not shown more, and that is noted in `Run.notes`.

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
        save: Save | None = None,
        probes: Mapping[str, Probe] | None = None,
        attributes: Mapping[str, Any] | None = None,
        progress: Callable[[Progress], Any] | None = None,
        stop: Callable[[], Any] | None = None,
        observers: Mapping[str, Observer] | None = None,
    ) -> None:
        self._save = checked_save(network, save, method)
        self._network, self._method = network, method
        self._settings = settings_of(rtol, atol, max_steps)
        self._weights = weights_of(network, weights)
        check_nodes(nodes)
        self._nodes = nodes
        self._callbacks = Callbacks(probes, progress, stop, observers)
        self._attributes = storable(attributes)
        self._state: State | None = None
        self._extent = Extent()
        self._records: list[PhaseRecord] = []
        self._trajectories = NodeTrajectory(network, self._save), WeightTrajectory(network, self._save)
        self._steps = SolverSteps(network)
        self._result: Run | None = None

    @property
    def network(self) -> Network:
        """The network."""
        return self._network

    @property
    def settings(self) -> Settings:
        """Tolerances and most steps of the solver."""
        return self._settings

    @property
    def t(self) -> float:
        """The time reached."""
        return self._records[-1].t_end if self._records else 0.0

    @property
    def state(self) -> State | None:
        """The state reached; None before the first phase, which decides where nodes start."""
        return self._state

    @property
    def weights(self) -> Weights:
        """The weights reached."""
        return self._weights if self._state is None else self._state.weights

    @property
    def phases(self) -> tuple[PhaseRecord, ...]:
        """What became of each phase so far."""
        return tuple(self._records)

    @property
    def result(self) -> Run:
        """The run so far.

        Its arrays are not copies: a later result has the same, so change copies of them only.

        Raises
        ------
        InputError
            If no phase was run yet.
        """
        if not self._records:
            raise InputError("phases", "there is none; a run needs one at least")
        if self._result is None:
            self._result = self._made()
        return self._result

    def check(self, phases: Iterable[Phase]) -> Plan:
        """Check that the run can go on with `phases`, without computing anything.

        Raises
        ------
        InputError
            As `run` would.
        """
        return plan(self._network, phases, self._save, self._method, self._extent)

    def advance(self, phase: Phase) -> PhaseRecord:
        """Run one more phase from where the simulation stands.

        Returns
        -------
        PhaseRecord
            Also where the phase failed: the state is then what was reached.

        Raises
        ------
        InputError
            If the phase cannot be run; the simulation stands where it stood.
        """
        check_next(self._network, phase, self._save, self._method, self._extent, "phase")
        self._callbacks.reports.phases = None
        with self._computing() as stopped:
            return self._advance(phase, stopped)

    def run(self, phases: Iterable[Phase]) -> Run:
        """Run more phases from where the simulation stands, until one fails.

        Parameters
        ----------
        phases : iterable of Phase
            A list is checked as a whole before anything is computed. Of an iterator, such as a generator,
            one phase is taken after the other, so that it may look at `state` between two phases.

        Returns
        -------
        Run
            The run so far, earlier phases included.

        Raises
        ------
        InputError
            If a phase cannot be run. What was reached before is in `result`, and the simulation can go on.
        """
        reports = self._callbacks.reports
        if checks.is_many(phases) and not isinstance(phases, Collection):
            reports.phases, coming = None, self._checked_in_turn(phases)
        else:
            listed = phases_of(phases)
            self.check(listed)
            reports.phases, coming = len(self._records) + len(listed), iter(listed)
        with self._computing() as stopped:
            for phase in coming:
                if self._advance(phase, stopped).status.failed:
                    break
        return self.result

    def _checked_in_turn(self, phases: Iterable[Phase]) -> Iterator[Phase]:
        for k, phase in enumerate(phases):
            check_next(self._network, phase, self._save, self._method, self._extent, f"phases[{k}]")
            yield phase

    def _advance(self, phase: Phase, stopped: Callable[[], bool]) -> PhaseRecord:
        """One more phase, checked already."""
        extent = self._extent.with_phase(phase, self._save)
        phase, index, calls = phase.showing(extent.shown), len(self._records), self._callbacks
        integration = Integration(self._network, phase, index, self.t, self._method, self._settings)
        before = (self.weights, self._state, self._extent.shown)
        self._result = None
        try:
            start = starting_state(self._network, phase, extent.shown, self._nodes, *before)
        except InputError as error:
            if not self._records:
                raise
            record = integration.not_started(str(error))  # what came before must not be lost
            self._records.append(record)
            return record
        observers: list[Observer] = [calls.probes, *calls.observers.values()]
        try:
            record, state, steps = integration.run(
                start, self._trajectories, observers, calls.reports, stopped
            )
        except BaseException:
            for trajectory in self._trajectories:
                trajectory.forget(index)
            raise
        self._steps.add(index, self.t, steps)
        self._extent, self._state = extent, state
        record = replace(record, probes=calls.probes.values)
        self._records.append(record)
        return record

    @contextmanager
    def _computing(self) -> Iterator[Callable[[], bool]]:
        """The question whether to stop; what overflows shows in the status, and in no warning of NumPy's."""
        with interruptible(self._callbacks.stopped) as stopped, np.errstate(all="ignore"):
            yield stopped

    def _made(self) -> Run:
        nodes, weights = (trajectory.dataset() for trajectory in self._trajectories)
        kept = {name: observer.dataset() for name, observer in self._callbacks.observers.items()}
        groups = {name: dataset for name, dataset in kept.items() if dataset is not None}
        notes = oddities(self._network, (record.learn for record in self._records))
        clamps = ClampArrays()
        own = attributes_of(self._network, self._records, self._method, self._settings, clamps)
        own["notes"] = json.dumps([*notes, *self._callbacks.notes.lines])
        data = nodes.assign_coords(weights.coords).assign(weights.data_vars)
        groups = {"solver": self._steps.dataset(), **clamps.groups(), **groups}
        return Run(data.assign_attrs(own | self._attributes), groups)


def simulate(
    network: Network,
    phases: Iterable[Phase],
    *,
    weights: Weights,
    nodes: NodeStart | State = "feedforward",
    method: str = "auto",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 1_000_000,
    save: Save | None = None,
    probes: Mapping[str, Probe] | None = None,
    attributes: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], Any] | None = None,
    stop: Callable[[], Any] | None = None,
) -> Run:
    """Integrate the coupled equations of values, errors and weights, phase after phase.

    Parameters
    ----------
    network : Network
    phases : iterable of Phase
        Run one after the other. Where one begins, newly clamped nodes jump to their values and
        newly freed ones go on from where they were.
    weights : Weights
        To start from, see `Network.init_weights`.
    nodes : {"feedforward", "zero", "equilibrium"} or State
        Where the nodes of samples that were not shown in the phase before start: at the
        feedforward pass or at zero, with eps = 0, or at rest. A State is for the first phase. With
        tau = 0 all nodes are at once at the equilibrium to which they lead from there.
    method : str
        A solver's name, see `pcode.METHODS`; "auto" chooses one for each phase and says why.
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown; from 2.2e-14 to 1e-2, and
        more than 0 up to 1e-2.
    max_steps : int
        Most steps of a phase.
    save : Save, optional
        Which times to save.
    probes : mapping of str to callable, optional
        Functions of the state and the phase, called at the end of every phase. What they return, a number
        or an array, is kept in the phase's record; None is not. A probe that raises has no value there.
    attributes : mapping of str to value, optional
        Kept as attributes of the result besides its own: texts, numbers, or lists of these.
    progress : callable, optional
        Called with a `Progress` ten times a second at most; not again once it has raised.
    stop : callable, optional
        Asked between steps; when it returns True, or raises, the run ends with status `interrupted`. Left
        out, the first Ctrl-C does so, and a second one ends at once.

    Returns
    -------
    Run
        Also where a phase failed or was interrupted: then with what was reached. What is odd about it,
        such as a probe that raised, stands in its `notes`.

    Raises
    ------
    InputError
        If anything asked for cannot be done; nothing has been computed then.
    """
    simulation = Simulation(
        network,
        weights=weights,
        nodes=nodes,
        method=method,
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        save=save,
        probes=probes,
        attributes=attributes,
        progress=progress,
        stop=stop,
    )
    return simulation.run(phases_of(phases))

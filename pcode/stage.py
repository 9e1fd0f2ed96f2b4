"""One phase on its way: what the solver is asked, what is saved, what is reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from . import solvers
from .errors import InputError
from .network import Array, Network
from .phase import Phase, Save, TimeSeries
from .problem import layout_of, make_problem
from .recording import Recorder
from .run import PhaseRecord, pack_mask
from .singular import SlowProblem, settled
from .state import State
from .status import SolverStats, Status

# Seconds between two reports of progress.
REPORT_EVERY = 0.1


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    phase, phases : int
        Index of the phase, and how many there are.
    name : str
        The phase's name.
    t, duration, step : float
        Time in the phase, how long it may last, and the solver's step; in the unit of tau and delta.
    energy : float
        F with the error nodes as they are, summed over layers; dimensionless.
    """

    phase: int
    phases: int
    name: str
    t: float
    duration: float
    step: float
    energy: float


class Watch:
    """Looks in on a solver: reports progress, and asks whether to stop."""

    def __init__(
        self,
        index: int,
        count: int,
        phase: Phase,
        progress: Callable[[Progress], None] | None,
        stopped: Callable[[], bool],
    ) -> None:
        self._index, self._count, self._phase = index, count, phase
        self._progress, self._stopped = progress, stopped
        self._reported = -REPORT_EVERY

    def on(self, problem: solvers.IVP, start: float) -> Callable[[float, float, Array], bool]:
        """The solver's callback for a stretch of the phase that begins at `start`."""

        def watch(t: float, step: float, y: Array) -> bool:
            now = time.monotonic()
            if self._progress is not None and now - self._reported >= REPORT_EVERY:
                self._reported = now
                phase, energy = self._phase, float(problem.energies(t, y)[0].sum())
                self._progress(
                    Progress(self._index, self._count, phase.name, start + t, phase.duration, step, energy)
                )
            return self._stopped()

        return watch


@dataclass(frozen=True)
class Stage:
    """One phase of a run: where it stands in it, and how to integrate it."""

    network: Network
    phase: Phase
    shown: tuple[int, ...]
    index: int
    t_start: float
    method: str
    settings: solvers.Settings
    save: Save

    def run(self, state: State, recorder: Recorder, watch: Watch) -> tuple[PhaseRecord, State]:
        """Integrate from `state`, breakpoint by breakpoint; the record, and the state reached."""
        phase, solver = self.phase, solvers.by_name(self.method)
        times, of_nodes, of_weights = self._times()
        stats, status, t = SolverStats(), Status.SUCCESS, 0.0
        chosen: dict[str, str] = {}
        detail = ""
        for start, end in pairwise((0.0, *phase.breakpoints, phase.duration)):
            try:
                problem = self._problem(state, start, end)
            except InputError as error:  # no rest of the nodes, which they must have with tau = 0
                status, detail = Status.NONLINEAR_FAILURE, str(error)
                break
            if problem.layout.size == 0:
                solver = solvers.RESTING
            save = partial(self._save, recorder, problem, start)
            if start == 0.0:
                save(0.0, problem.y0)
            due = np.flatnonzero((times > start) & (times <= end))
            solution = solvers.attempt(
                solver,
                problem,
                times[due] - start,
                self.settings,
                # The loop's own values: the solver is done with them before the next turn.
                lambda k, s, y, save=save, due=due: save(s, y, of_nodes[due[k]], of_weights[due[k]]),  # type: ignore[misc]
                watch.on(problem, start),
            )
            status, t, stats = solution.status, start + solution.t, stats + solution.stats
            detail = solution.detail
            recorder.save_steps(self.index, self.t_start + start, solution.steps)
            chosen.setdefault(solution.method or self.method, solution.reason or "asked for")
            state = problem.state(solution.t, solution.y)
            if status is not Status.SUCCESS:
                save(solution.t, solution.y)
                break
        if status is Status.SUCCESS and phase.until == "equilibrium":
            status = Status.NOT_SETTLED
        told = f"phase {phase.name!r}, to t = {self.t_start + t:g}: {detail or status.meaning}"
        record = self._record(status, told, t, stats)
        reasons = "; ".join(chosen.values())
        return replace(record, method=", ".join(chosen), method_reason=reasons), state

    def _problem(self, state: State, start: float, end: float) -> solvers.IVP:
        """The stretch of the phase from `start` to `end`, beginning at `state`."""
        network, phase = self.network, self.phase
        if network.tau > 0.0:
            return make_problem(network, phase, state, (start, end))
        if start > 0.0:  # the nodes of the phase's own start are at rest already
            state = settled(make_problem(network, phase, state, (start, end), reduce=False))
        return SlowProblem(make_problem(network, phase, state, (start, end)))

    def never_begun(self, why: str) -> PhaseRecord:
        """The record of a phase for which no start was found."""
        told = f"phase {self.phase.name!r} was not begun: {why}"
        return self._record(Status.NONLINEAR_FAILURE, told, 0.0, SolverStats())

    def _times(self) -> tuple[Array, Any, Any]:
        """Times to save, and for each whether it is one of the nodes and one of the weights."""
        duration, tau, delta = self.phase.duration, self.network.tau, self.network.delta
        nodes = self.save.times(self.save.nodes, duration, tau, delta)
        ends = np.array([0.0, duration])
        weights = self.save.times(self.save.weights, duration, tau, delta) if self.phase.learn else ends
        times = np.union1d(nodes, weights)
        return times, np.isin(times, nodes), np.isin(times, weights)

    def _save(
        self,
        recorder: Recorder,
        problem: solvers.IVP,
        start: float,
        t: float,
        y: Array,
        nodes: bool = True,
        weights: bool = True,
    ) -> None:
        now = self.t_start + start + t
        if nodes:
            recorder.save_nodes(now, self.index, self.shown, problem.nodes(t, y), problem.energies(t, y))
        if weights:
            recorder.save_weights(now, self.index, problem.state(t, y).weights)

    def _record(self, status: Status, message: str, t: float, stats: SolverStats) -> PhaseRecord:
        layout = layout_of(self.network, self.phase, len(self.shown))
        clamped = {
            str(layer): ("time series" if isinstance(value, TimeSeries) else "constant")
            + (", partly" if layout.free[layer] else "")
            for layer, value in sorted(self.phase.clamp.items())
        }
        masks = {
            str(layer): pack_mask(~np.isnan(self.phase.clamp_at(layer, 0.0)))
            for layer in sorted(self.phase.clamp)
            if layout.free[layer]
        }
        return PhaseRecord(
            name=self.phase.name,
            status=status,
            message=message,
            t_start=self.t_start,
            t_end=self.t_start + t,
            learn=self.phase.learn,
            until=self.phase.until,
            duration=self.phase.duration,
            clamped=clamped,
            samples=self.shown,
            unknowns=layout.size,
            method=self.method,
            method_reason="asked for",
            stats=stats,
            settle_tol=self.phase.settle_tol,
            clamped_nodes=masks,
        )

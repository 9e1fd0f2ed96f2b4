"""One phase on its way: what the solver is asked, what is saved, what is reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .. import solvers
from ..base.status import SolverStats, Status
from ..model.network import Array, Network
from ..model.phase import Phase, Save
from ..model.state import State
from ..run.clamps import clamp_records
from ..run.result import PhaseRecord
from ..system.limit import SlowProblem
from ..system.problem import layout_of, make_problem
from .recording import Recorder

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

    def on(self, problem: solvers.IVP) -> Callable[[float, float, Array], bool]:
        """The solver's callback."""

        def watch(t: float, step: float, y: Array) -> bool:
            now = time.monotonic()
            if self._progress is not None and now - self._reported >= REPORT_EVERY:
                self._reported = now
                phase, energy = self._phase, float(problem.energies(t, y)[0].sum())
                self._progress(
                    Progress(self._index, self._count, phase.name, t, phase.duration, step, energy)
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
        """Integrate from `state`; the record, and the state reached."""
        phase, solver = self.phase, solvers.by_name(self.method)
        times, of_nodes, of_weights = self._times()
        coupled = make_problem(self.network, phase, state)
        problem: solvers.IVP = coupled if self.network.tau > 0.0 else SlowProblem(coupled)
        if problem.layout.size == 0:
            solver = solvers.RESTING
        save = partial(self._save, recorder, problem)
        finite = [save(0.0, problem.y0)]

        def save_kth(k: int, t: float, y: Array) -> None:
            finite.append(save(t, y, of_nodes[k + 1], of_weights[k + 1]))

        with np.errstate(over="ignore", invalid="ignore"):  # it shows in what is saved
            solution = solvers.attempt(solver, problem, times[1:], self.settings, save_kth, watch.on(problem))
        recorder.save_steps(self.index, self.t_start, solution.steps)
        status, t, detail = solution.status, solution.t, solution.detail
        if status is not Status.SUCCESS:
            finite.append(save(t, solution.y))
        if status is Status.SUCCESS and phase.until == "equilibrium":
            status = Status.NOT_SETTLED
        if not all(finite) and not status.failed:
            status, detail = Status.DIVERGED, "values that were saved are not finite"
        told = f"phase {phase.name!r}, to t = {self.t_start + t:g}: {detail or status.meaning}"
        record = self._record(status, told, t, solution.stats)
        chosen = {"method": solution.method or self.method, "method_reason": solution.reason or "asked for"}
        return replace(record, **chosen), problem.state(t, solution.y)  # type: ignore[arg-type]

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
        t: float,
        y: Array,
        nodes: bool = True,
        weights: bool = True,
    ) -> bool:
        """Save what there is at (t, y); whether all of it is finite."""
        now, finite = self.t_start + t, bool(np.isfinite(y).all())
        if nodes:
            values, energies = problem.nodes(t, y), problem.energies(t, y)
            recorder.save_nodes(now, self.index, self.shown, values, energies)
            finite = finite and all(np.isfinite(part).all() for part in (*values[0], *values[1], *energies))
        if weights:
            recorder.save_weights(now, self.index, problem.state(t, y).weights)
        return finite

    def _record(self, status: Status, message: str, t: float, stats: SolverStats) -> PhaseRecord:
        layout = layout_of(self.network, self.phase, len(self.shown))
        return PhaseRecord(
            name=self.phase.name,
            status=status,
            message=message,
            t_start=self.t_start,
            t_end=self.t_start + t,
            learn=self.phase.learn,
            until=self.phase.until,
            duration=self.phase.duration,
            clamp=clamp_records(self.phase, self.network.sizes, len(self.shown)),
            samples=self.shown,
            unknowns=layout.size,
            method=self.method,
            method_reason="asked for",
            stats=stats,
            settle_tol=self.phase.settle_tol,
        )

"""The integration of one phase: it runs the solver, calls the observers, and makes the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .. import solvers
from ..base.evaluated import Spent
from ..base.status import SolverStats, Status
from ..model.network import Array, Network
from ..model.phase import Phase
from ..model.state import State
from ..run.clamps import clamp_records
from ..run.reached import Reached
from ..run.record import PhaseRecord
from ..solvers.steps import Steps
from ..system.limit import SlowProblem
from ..system.problem import layout_of, make_problem
from .callbacks import Reports
from .checkpoint import Keeper
from .observer import Moment, Observer, Schedule


class Keeping(NamedTuple):
    """Who keeps where a phase stands, and ``standing(t, y, stats, steps)``, which says so."""

    keeper: Keeper
    standing: Callable[[float, Array, SolverStats, Steps], Reached]
    from_start: bool = True  # whether it can be gone on with from the start


def problem_of(
    network: Network, phase: Phase, state: State, spent: Spent | None = None, start: float = 0.0
) -> solvers.IVP:
    """What a solver is given of `phase`, from `state` on; with tau = 0 the weights alone are unknowns.

    `start` is the phase's own time at `state`.
    """
    coupled = make_problem(network, phase, state, spent=spent, start=start)
    return coupled if not network.limit else SlowProblem(coupled)


def integrated(
    problem: solvers.IVP,
    solver: solvers.Solver,
    schedule: Schedule,
    settings: solvers.Settings,
    moment: Callable[..., Moment],
    reports: Reports,
    stopped: Callable[[], bool],
    keeping: Keeping | None = None,
) -> tuple[solvers.Solution, bool]:
    """Have a problem integrated and its observers called.

    Parameters
    ----------
    problem : IVP
    solver : Solver
    schedule : Schedule
        The observers and their times.
    settings : Settings
    moment : callable
        ``moment(t, y, step)`` makes what observers are shown.
    reports : Reports
        An observer that is also called between steps whenever it is due.
    stopped : callable
        Whether to stop.
    keeping : Keeping, optional
        Who keeps where it stands.

    Returns
    -------
    tuple of Solution and bool
        The solution, and whether all values that observers were shown are finite.
    """
    began = time.perf_counter()

    def begins(t: float, y: Array, so_far: Callable[[], tuple[SolverStats, Steps]]) -> None:
        assert keeping is not None
        if t == problem.start and not keeping.from_start:
            return
        seconds = time.perf_counter() - began

        def reached() -> Reached:
            stats, steps = so_far()
            with problem.spent.paused():  # so that the run is the same without it
                stats = replace(stats, solve_seconds=seconds)
                return keeping.standing(t, y, stats, steps[steps[:, 0] <= t])

        keeping.keeper.begins(reached)

    settings = replace(settings, saved=schedule.saved, begins=begins if keeping else None)
    finite = [schedule.start(lambda: moment(problem.start, problem.y0))]

    def save(k: int, t: float, y: Array) -> None:
        finite.append(schedule.due(k, lambda: moment(t, y)))

    def watch(t: float, step: float, y: Array) -> bool:
        if reports.due:
            reports.observe(moment(t, y, step))
        if keeping is not None:
            keeping.keeper.keep()
        return stopped()

    solver = solvers.RESTING if problem.layout.size == 0 else solver
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is detected in the saved values
        solution = solvers.attempt(solver, problem, schedule.times, settings, save, watch)
    if keeping is not None and solution.status is Status.INTERRUPTED:
        keeping.keeper.stop()
    finite.append(schedule.end(lambda: moment(solution.t, solution.y)))
    return solution, all(finite)


@dataclass(frozen=True)
class Integration:
    """One phase of a run, and how to integrate it.

    Attributes
    ----------
    network : Network
    phase : Phase
        The phase, with its samples given.
    index : int
        Index of the phase in the run.
    t_start : float
        Its start in the run's time.
    method : str
    settings : Settings
    """

    network: Network
    phase: Phase
    index: int
    t_start: float
    method: str
    settings: solvers.Settings

    @property
    def shown(self) -> tuple[int, ...]:
        """The samples that the phase shows."""
        return self.phase.samples or ()

    @property
    def first(self) -> Phase:
        """What is integrated first: the phase."""
        return self.phase

    def run(
        self,
        state: State,
        trajectories: Sequence[Observer],
        observers: Sequence[Observer],
        reports: Reports,
        stopped: Callable[[], bool],
        keeper: Keeper,
        begun: Reached | None = None,
    ) -> tuple[PhaseRecord, State, Steps, tuple[int, ...]]:
        """Integrate from `state`, and call the observers at their times.

        Parameters
        ----------
        state : State
        trajectories, observers : sequence of Observer
            The observers that keep the trajectory, and others; see `Settings.saved`.
        reports : Reports
            An observer that is also called between steps whenever it is due.
        stopped : callable
            Whether to stop.
        keeper : Keeper
            Keeps where the phase stands.
        begun : Reached, optional
            Where it stood, at `state`, if it is gone on with.

        Returns
        -------
        tuple of PhaseRecord, State, ndarray and tuple of int
            The record, the state reached, the solver's steps, and the samples of the state.
        """
        phase, at = self.phase, None if begun is None else begun.at
        problem = problem_of(self.network, phase, state, start=at or 0.0)
        solver, method, reason = self._solver(problem, begun)
        schedule = Schedule(trajectories, [*observers, reports], phase, at)

        def moment(t: float, y: Array, step: float = np.nan) -> Moment:
            return Moment(problem, t, y, phase, self.index, self.t_start, step)

        def standing(t: float, y: Array, stats: SolverStats, steps: Steps) -> Reached:
            how: dict[str, Any] = {"method": method, "reason": reason, "steps": steps}
            return Reached(problem.state(t, y), self.shown, t, stats, **how)

        called = (moment, reports, stopped, Keeping(keeper, standing))
        settings = replace(self.settings, path=(self.index,))
        solution, finite = integrated(problem, solver, schedule, settings, *called)
        status, t, detail = solution.status, solution.t, solution.detail
        if status is Status.SUCCESS and phase.until == "equilibrium":
            status = Status.NOT_SETTLED
        if not finite and not status.failed:
            status, detail = Status.DIVERGED, "values that were saved are not finite"
        message = f"phase {phase.name!r}, to t = {self.t_start + t:g}: {detail or status.meaning}"
        record = self._record(status, message, t, solution.stats)
        chosen: dict[str, Any] = {
            "method": solution.method or method,
            "method_reason": solution.reason or reason,
        }
        return replace(record, **chosen), problem.state(t, solution.y), solution.steps, self.shown

    def _solver(self, problem: solvers.IVP, begun: Reached | None) -> tuple[solvers.Solver, str, str]:
        """The solver, its name, and why it was chosen; that which was taken before if there was one."""
        if begun is not None and begun.method in solvers.METHODS:
            return solvers.by_name(begun.method), begun.method, begun.reason
        solver = solvers.by_name(self.method)
        if isinstance(solver, solvers.AutoSolver) and problem.layout.size:
            chosen, reason = solver.choose(problem)
            return solver, chosen.name, reason
        return solver, self.method, "asked for"

    def standing_record(self, reached: Reached) -> PhaseRecord:
        """The record of the phase as far as it has come."""
        message = (
            f"phase {self.phase.name!r}, to t = {self.t_start + reached.t:g}: {Status.INTERRUPTED.meaning}"
        )
        record = self._record(Status.INTERRUPTED, message, reached.t, reached.stats)
        return replace(
            record,
            method=reached.method,
            method_reason=reached.reason,
            presented=reached.presented,
            at_limit=reached.at_limit,
        )

    def not_started(self, why: str) -> PhaseRecord:
        """The record of a phase for which no starting state was found."""
        message = f"phase {self.phase.name!r} was not begun: {why}"
        return self._record(Status.NONLINEAR_FAILURE, message, 0.0, SolverStats())

    def _record(self, status: Status, message: str, t: float, stats: SolverStats) -> PhaseRecord:
        phase = self.phase
        layout = layout_of(self.network, phase, phase.batch_shown or len(self.shown))
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
            predictions=phase.predictions,
            presentation=phase.presentation,
        )

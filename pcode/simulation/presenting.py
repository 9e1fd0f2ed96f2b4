"""The integration of a phase that shows its samples one after another.

Methods of diffrax integrate many presentations in one call of compiled code (`pcode.solvers.sequence`). All
other methods, and presentations in which something out of the ordinary happens, take the general loop that
phases take. What is saved and what observers see never decides which of the two is taken, so that they do not
change the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import solvers
from ..base.errors import ComputationError, InputError
from ..base.status import SolverStats, Status
from ..model.dynamics import Constants
from ..model.network import Array
from ..model.phase import NodeStart, Phase
from ..model.state import State
from ..run.reached import Reached
from ..run.record import PhaseRecord
from ..solvers import RENEWED, sequence
from ..solvers.stepping import Kind
from ..solvers.steps import Steps
from ..system.problem import structure_of
from ..system.showing import Showing
from .callbacks import Reports
from .checkpoint import Keeper
from .course import Calls, Course, StateSource, in_numpy, resized
from .integration import Keeping, integrated, problem_of
from .looks import Looks, Part
from .observer import Moment, Observer, Shown
from .start import next_start
from .turns import Turns

# Fewer presentations than this are not worth compiling a loop of their own.
FEWEST = 4

# Most presentations in one call of compiled code, and how long a call should last, in seconds.
MOST, SPELL = 256, 0.2


@dataclass(frozen=True)
class Presenting(Turns):
    """A phase with a presentation, and how to integrate it.

    Attributes
    ----------
    nodes : {"feedforward", "zero", "equilibrium"} or State
        Where nodes start that nothing came before.
    """

    nodes: NodeStart | State = "feedforward"

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
        """Integrate from `state`, in which the first presentation starts; see `Integration.run`."""
        looks = Looks(self.phase, trajectories, observers)
        reports.times(self.phase)
        if begun is None:
            course = Course(state, self.samples(0))
            chosen = self._chosen(problem_of(self.network, self.one(0), state))
            solver, course.method, course.reason = chosen
        else:
            course, solver = Course.from_reached(begun), solvers.by_name(begun.method)
            looks.passed(course.elapsed)
        kind = Kind(solver.name, False) if self._loops(solver) else None
        calls = Calls(looks, reports, stopped, keeper)
        if begun is not None and begun.begun:
            self._take(course, solver, calls, begun.part, begun)
        while course.k < self.count and not course.status.failed:
            if course.k > 0 and course.since == 0:
                keeper.begins(course.standing())
            halted = stopped()
            if halted and course.k > 0:
                keeper.stop()
                course.status = Status.INTERRUPTED
                break
            if course.k > 0:
                keeper.keep()
            if kind is None or halted:  # stopped before all else: the general loop keeps the start
                self._take(course, solver, calls)
            else:
                self._take_many(course, solver, kind, calls)
        if course.status.failed and course.elapsed > 0.0:
            self._keep_reached(course, trajectories)
        return self._recorded(course)

    def _keep_reached(self, course: Course, trajectories: Sequence[Any]) -> None:
        """Have the state kept in which the phase ends early."""
        last = course.k if course.within else course.k - 1
        here = replace(course, k=last)
        moment = self._standing(here, course.state, 0.0)
        for trajectory in trajectories:
            trajectory.reach(moment)

    def _recorded(self, course: Course) -> tuple[PhaseRecord, State, Steps, tuple[int, ...]]:
        status = course.status
        if not status.failed and self.presentation.until:
            status = Status.NOT_SETTLED if course.at_limit else Status.EQUILIBRIUM
        said = course.detail or status.meaning
        if course.at_limit and not course.detail:
            limit = f"reached the limit of {self.presentation.longest:g} before they were at rest"
            said = f"{course.at_limit} of {course.k} presentations {limit}; {status.meaning}"
        if status.failed:
            said = f"presentation {course.k} of {self.count}: {said}"
        message = f"phase {self.phase.name!r}, to t = {self.t_start + course.elapsed:g}: {said}"
        record = self._record(status, message, course.elapsed, course.stats)
        record = replace(
            record,
            method=course.method,
            method_reason=course.reason,
            presented=course.k,
            at_limit=course.at_limit,
        )
        steps = np.array(course.steps).reshape(-1, 3)
        return record, course.state, steps, course.shown

    def _chosen(self, problem: solvers.IVP) -> tuple[solvers.Solver, str, str]:
        """The solver of all presentations, its name, and why it was chosen."""
        solver = solvers.by_name(self.method)
        if isinstance(solver, solvers.AutoSolver):
            chosen, reason = solver.choose_for_many(problem, self.count)
            return chosen, chosen.name, reason
        return solver, self.method, "asked for"

    def _loops(self, solver: solvers.Solver) -> bool:
        """Whether presentations can be integrated in a loop of compiled code."""
        known = isinstance(solver, solvers.DiffraxSolver) and not solver.shipped
        possible = not self.network.limit and self.presentation.nodes != "equilibrium"
        return known and possible and self.count >= FEWEST

    def _begin(self, course: Course, phase: Phase) -> State:
        """The state in which the next presentation, `phase`, starts."""
        if course.k == 0:
            return course.state
        return next_start(self.network, phase, self.presentation.nodes, self.nodes, course.state)

    def _moment(self, course: Course, source: Any, at: float, y: Array, step: float = np.nan) -> Moment:
        shown = Shown(course.k, self.samples(course.k), course.elapsed)
        return Moment(source, at, y, self.phase, self.index, self.t_start, step, shown)

    def _take(
        self,
        course: Course,
        solver: solvers.Solver,
        calls: Calls,
        part: Part = "all",
        begun: Reached | None = None,
    ) -> None:
        """Integrate the next presentation in the general loop, for those who look at a `part` of it.

        If that is between its ends, the course does not go on from there, and it is not interrupted: compiled
        code, which takes it after this, would not be either. One that has `begun` is gone on with.
        """
        phase, at = self.one(course.k), None if begun is None else begun.at
        try:
            start = self._begin(course, phase) if begun is None else begun.state
        except InputError as error:
            course.status, course.detail = Status.NONLINEAR_FAILURE, str(error)
            return
        spent = None if part == "between" else course.spent
        problem = problem_of(self.network, phase, start, spent, at or 0.0)
        schedule = calls.looks.schedule(course.k, course.elapsed, phase, part, at)

        def moment(t: float, y: Array, step: float = np.nan) -> Moment:
            return self._moment(course, problem, t, y, step)

        between = course.standing() if part != "between" else None

        def standing(t: float, y: Array, stats: SolverStats, _: Steps) -> Reached:
            assert between is not None
            before = between()
            within: dict[str, Any] = {"at": t, "begun": True, "part": part, "stats": before.stats + stats}
            return replace(
                before, state=problem.state(t, y), samples=self.samples(before.presented), **within
            )

        from_start = course.k == 0 or at is not None
        keeping = None if part == "between" else Keeping(calls.keeper, standing, from_start)
        stopped = calls.stopped if part != "between" else (lambda: False)
        called = (moment, calls.reports, stopped, keeping)
        settings = replace(self.settings, path=(self.index, course.k))
        solution, finite = integrated(problem, solver, schedule, settings, *called)
        if part == "between":
            return
        course.stats += solution.stats
        course.state = problem.state(solution.t, solution.y)
        course.taken(RENEWED if at else solution.stats.steps)
        status = solution.status
        if not finite and not status.failed:
            status, detail = Status.DIVERGED, "values that were saved are not finite"
        else:
            detail = solution.detail
        at_rest = status is Status.EQUILIBRIUM
        mean = (solution.t - (at or 0.0)) / max(1, solution.stats.steps)
        self._ended(course, np.array([solution.t]), np.array([mean]), np.array([at_rest]), calls)
        if status.failed:
            course.k -= 1  # it did not end
            course.status, course.detail, course.within = status, detail, True

    def _ended(self, course: Course, lasted: Array, step: Array, at_rest: Any, calls: Calls) -> None:
        """Note that the next presentations lasted so long, with mean steps `step`."""
        shown = self.presentation
        course.shown = self.samples(course.k + lasted.size - 1)
        if shown.until:
            course.at_limit += int((~np.asarray(at_rest)).sum())
            ends = course.elapsed + np.cumsum(lasted)
        else:
            # A product, since a sum of many would be off by rounding.
            ends = np.minimum((course.k + 1 + np.arange(lasted.size)) * shown.longest, self.phase.duration)
            if lasted[-1] < shown.longest:
                ends[-1] = course.elapsed + lasted.sum()
        course.steps += list(np.stack([ends, step, np.full(ends.size, np.nan)], axis=1))
        course.k += lasted.size
        course.elapsed = float(ends[-1])
        calls.looks.passed(course.elapsed)

    def _take_many(self, course: Course, solver: solvers.Solver, kind: Kind, calls: Calls) -> None:
        """Integrate presentations in compiled code, up to the end of the next at which someone looks."""
        looks = calls.looks
        looked = looks.next(course.k, course.elapsed)
        if looked == course.k:
            phase, before = self.one(course.k), calls.keeper.marks()
            # Always by the same means, so that what is saved does not depend on who looks later.
            start = looks.schedule(course.k, course.elapsed, phase, "start")
            start.start(lambda: self._standing(course, self._inserted(course, phase), 0.0))
            if looks.schedule(course.k, course.elapsed, phase, "between").times.size > 1:
                self._take(course, solver, calls, "between")
                if course.status is Status.INTERRUPTED:  # as if this presentation had not been begun
                    calls.keeper.cut(before)
                    calls.keeper.stop()
                if course.status.failed:
                    return
        size = self.rows(course.k).size
        last = min(looked, self.count - 1)
        if last > course.k and not looks.ends_only(last, self._begins(course, last)):
            last -= 1  # to stop where it begins
        most = min(MOST, last - course.k + 1)
        if course.seconds:
            most = max(1, min(most, int(SPELL / course.seconds)))
        rows: list[Array] = []
        while len(rows) < most and self.rows(course.k + len(rows)).size == size:
            rows.append(self.rows(course.k + len(rows)))
        first = course.k
        try:
            stuck = self._loop(course, kind, np.array(rows), calls)
        except ComputationError:  # the general loop finds out where, and keeps what was reached
            stuck = True
        if stuck and not course.status.failed:
            self._take(course, solver, calls, "end" if course.k == first == looked else "all")

    def _begins(self, course: Course, k: int) -> float:
        """When presentation `k` begins, at the latest."""
        longest = self.presentation.longest
        return course.elapsed + (k - course.k) * longest if self.presentation.until else k * longest

    def _inserted(self, course: Course, phase: Phase) -> State:
        """The start of the next presentation, with clamped values in their places."""
        start = self._begin(course, phase)
        x = list(map(np.array, start.x))
        for layer in phase.clamp:
            value = phase.clamp_at(layer, 0.0)
            x[layer] = np.where(np.isnan(value), x[layer], value)
        return start._replace(x=tuple(x))

    def _standing(self, course: Course, state: State, at: float) -> Moment:
        sums = np.array([float(np.sum(array)) for array in state.arrays().values()])
        source = StateSource(self.network, self.one(course.k), state)
        return self._moment(course, source, at, sums)

    def _loop(self, course: Course, kind: Kind, rows: Array, calls: Calls) -> bool:
        """Integrate the presentations of `rows`, shape (K, B); whether the loop ended before its last."""
        count, size = rows.shape
        anew = course.k == 0 or size != len(course.shown)
        state = course.state
        if anew:
            state = self._begin(course, self.one(course.k))
        before = self.clamped_before(course.k) or tuple(np.full_like(x, np.nan) for x in state.x)
        before = tuple(resized(size, values) for values in before)
        if size not in course.fixed:
            course.fixed[size] = self._fixed(state)
        fixed = course.fixed[size]
        K = MOST if size == self.presentation.size else 1
        padded = np.zeros((K, size), dtype=np.int64)
        count = min(count, K)
        padded[:count] = rows[:count]

        def shown(most: int) -> sequence.Progress:
            given = (self._clamps_there, padded, most, anew, self.settings.max_steps, state, before)
            made: sequence.Progress = sequence.show(kind, *fixed, *given)
            return made

        if size not in course.compiled:
            began = time.perf_counter()
            shown(0)
            spent = time.perf_counter() - began
            course.stats += SolverStats(compile_seconds=spent)
            course.compiled.add(size)
        began = time.perf_counter()
        reached = shown(count)
        spent = time.perf_counter() - began
        done = int(reached.shown)
        steps, rejected = sequence.counts(reached)
        course.stats += SolverStats(steps, rejected, None, None, solve_seconds=spent)
        if done:
            course.seconds = spent / done
            course.state = State(*in_numpy(reached.state))
            self._look(course, reached, done, calls)
        return bool(reached.stuck)

    def _look(self, course: Course, reached: sequence.Progress, done: int, calls: Calls) -> None:
        """Note the presentations that have ended, and call those who look at the end of the last."""
        lasted = sequence.lengths(reached)
        steps = np.maximum(1, np.asarray(reached.steps)[:done])
        looks, reports, last = calls.looks, calls.reports, course.k + done - 1
        begun = course.elapsed + float(lasted[:-1].sum())
        if not self.presentation.until:
            begun = last * self.presentation.longest
        here = replace(course, k=last, elapsed=begun)
        if looks.next(last, begun) == last:
            phase = self.one(last)
            end = lambda: self._standing(here, course.state, float(lasted[-1]))  # noqa: E731
            if not looks.schedule(last, begun, phase).end(end):
                course.status, course.detail = Status.DIVERGED, "values that were saved are not finite"
        if reports.due:
            reports.observe(self._standing(here, course.state, float(lasted[-1])))
        self._ended(course, lasted, lasted / steps, np.asarray(reached.settled)[:done], calls)

    def _fixed(self, state: State) -> tuple[bool, Showing, sequence.Rules]:
        """What presentations of the same size have in common."""
        shown, network, settings = self.presentation, self.network, self.settings
        # Of all samples together: a layer has free nodes if one of them has.
        structure = structure_of(network, self.phase, len(state.x[0]))
        weights = state.weights
        apart = weights.W is not None and any(
            bool((np.asarray(W) != np.asarray(M).T).any()) for M, W in zip(weights.M, weights.W, strict=True)
        )
        rests = shown.until is not None
        showing = Showing(
            structure,
            shown.nodes,
            shown.ramp > 0.0,
            not (rests and bool(self.phase.learn)),
            apart,
            Constants.of(network),
            np.asarray(shown.ramp),
        )
        return (
            rests,
            showing,
            sequence.rules(settings, shown.longest, self.phase.settle_tol if rests else None),
        )

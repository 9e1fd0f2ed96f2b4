"""How far the nodes of a phase are from their rest, at times close enough to read settling times off.

A run keeps few times of a phase, and log-spaced ones: rings and the moment of settling fall between them.
Here the phase is integrated anew from the state in which it started, with tolerances at least as tight
as the run's, and looked at after each of the solver's steps, which follow whatever moves. Between the ends
of a step the nodes are interpolated by the cubic that has their values and rates (Hermite's), whose
error, of the fourth order in the step, is far below the part of the distance that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...base.short import Short
from ...base.status import Status
from ...model.network import Array
from ...model.state import State
from ...run.result import Run
from ...run.select import times_of
from ...run.snapshot import Snapshot, spread
from ...solvers import METHODS
from ...solvers.base import Settings
from ...system.problem import Problem, make_problem
from ...system.rest import nodes_at_rest
from ..at_rest import rest_of

# Settling times are right to this part of themselves, or of tau where that is more.
ACCURACY = 1e-3

# Residual of the nodes' rest.
TOLERANCE = 1e-10

# Larger networks are not integrated anew, nor for more steps than keep so many values.
MOST_UNKNOWNS = 20_000
MOST_VALUES = 2e7
MOST_STEPS = 20_000

# Relative tolerance per part of the distance that is asked for, and the tightest that CVODE keeps.
FINER = 1e-6
TIGHTEST = 1e-12

# Interpolated moments a step, and steps that are interpolated at a time.
WITHIN, TOGETHER = 16, 100

# Rows of a phase that is too large to integrate anew: while the nodes settle, and later.
EARLY_ROWS, LATE_ROWS = 60, 30

# Units of tau within which nodes settle, as a rule.
FAST = 40.0

# A distance of this many times the tolerance, or less, cannot be distinguished from rounding.
NOISE = 10.0

Flags = NDArray[np.bool_]
Rows = NDArray[np.signedinteger[Any]]


class Moment(NamedTuple):
    """A moment of a phase.

    Attributes
    ----------
    there : Snapshot
    rate : State or None
        d/dt of the nodes (and weights); None at saved times of the run.
    speed : ndarray, shape (n,)
        Norm of delta dM/dt, M^0..M^{n-1}; 0 where the weights are held.
    energy, energy_slaved : float
        Summed over layers.
    """

    there: Snapshot
    rate: State | None
    speed: Array
    energy: float
    energy_slaved: float


@dataclass(frozen=True, eq=False)
class Path(Short):
    """Moments of a phase with the nodes' rest at each of them.

    Attributes
    ----------
    every : tuple of Moment
        All that were looked at.
    moments : tuple of Moment
        Those at which a rest was found; all where none was at any.
    t : ndarray, shape (T,)
        Times of `moments`, since the phase's start.
    rests : tuple of State
        The nodes' rest for the weights of each moment; empty where none was found at any.
    rtol, atol : float
        Tolerances of the integration.
    anew : float
        The time up to which the phase was integrated anew; 0 where it was not.
    jumps : ndarray
        Times, since the phase's start, at which a clamp steps, and with it the rest.
    notes : tuple of str
        What to mind.
    """

    every: tuple[Moment, ...]
    moments: tuple[Moment, ...]
    t: Array
    rests: tuple[State, ...]
    rtol: float
    atol: float
    anew: float
    jumps: Array
    notes: tuple[str, ...]

    @property
    def begin(self) -> Snapshot:
        """The first moment."""
        return self.moments[0].there

    @property
    def end(self) -> Snapshot:
        """The last moment."""
        return self.moments[-1].there

    def deviations(self, slowest: float) -> Iterator[tuple[Array, list[Array]]]:
        """Nodes less their rest, with moments between the ends of steps, some steps at a time.

        Parameters
        ----------
        slowest : float
            Rate of decay of the slowest node. Steps longer than one over it are those of nodes that
            follow their rest, and straight lines do; the solver's rounding would spoil their slopes.

        Yields
        ------
        ndarray, shape (K,)
            Times; each call goes on from the last one of the call before.
        list of ndarray, shapes (K, B, n_l)
            The deviations of x^0..x^n and eps^1..eps^n.
        """
        u, du = self._deviations()
        steps = np.diff(self.t)
        known = np.array([moment.rate is not None for moment in self.moments])
        cubic = known[:-1] & known[1:] & (steps * slowest < 1.0) & ~self._beside_jumps()
        for k in range(0, steps.size, TOGETHER):
            rows = slice(k, min(k + TOGETHER, steps.size) + 1)
            here = slice(k, rows.stop - 1)
            t, parts = self.t[rows], []
            s = np.arange(WITHIN) / WITHIN
            fine = np.append((t[:-1, None] + s * steps[here, None]).ravel(), t[-1])
            for a, b in zip(u, du, strict=True):
                parts.append(_between(a[rows], b[rows], steps[here], cubic[here], s))
            yield fine, parts
        if not steps.size:
            yield self.t, u

    def _beside_jumps(self) -> Flags:
        """Which of the T - 1 legs have a slope of the rest at an end that a step of a clamp spoils."""
        beside = np.zeros(max(self.t.size - 1, 0), bool)
        for k in np.searchsorted(self.t, self.jumps, side="right"):
            beside[max(k - 2, 0) : k + 1] = True
        return beside

    def _deviations(self) -> tuple[list[Array], list[Array]]:
        """Nodes less their rest, shapes (T, B, n_l), and the rates of that; 0 where not known."""
        rests = [(*rest.x, *rest.eps) for rest in self.rests]
        still = all(rest is self.rests[0] for rest in self.rests)
        u, du = [], []
        for k in range(len(rests[0])):
            rest = np.stack([np.asarray(parts[k]) for parts in rests])
            u.append(np.stack([_nodes(moment.there.state)[k] for moment in self.moments]) - rest)
            rate = [np.zeros_like(rest[0]) if m.rate is None else _nodes(m.rate)[k] for m in self.moments]
            moves = 0.0 if still or self.t.size < 2 else np.gradient(rest, self.t, axis=0)
            du.append(np.stack(rate) - moves)
        return u, du

    def deviations_at_moments(self) -> list[Array]:
        """Nodes less their rest at the moments: x^0..x^n and eps^1..eps^n, shapes (T, B, n_l)."""
        return self._deviations()[0]

    def rest_speed(self) -> Array:
        """How fast the rest moves, root mean square over samples, shape (T,)."""
        if all(rest is self.rests[0] for rest in self.rests) or self.t.size < 2:
            return np.zeros(self.t.size)
        flat = np.stack([np.concatenate(_nodes(rest), axis=1) for rest in self.rests])
        speed: Array = np.sqrt((np.gradient(flat, self.t, axis=0) ** 2).sum(axis=2).mean(axis=1))
        return speed


def _nodes(state: State) -> list[Array]:
    return [np.asarray(part) for part in (*state.x, *state.eps)]


def _between(a: Array, b: Array, steps: Array, cubic: Flags, s: Array) -> Array:
    """Values at the parts `s` of each step, and at the end of the last: Hermite's cubic, or a straight line.

    `a` and `b`, shapes (K + 1, B, m), are values and rates at the ends of K `steps`.
    """
    s = s[:, None, None]
    h = steps[:, None, None, None]
    first, last = a[:-1, None], a[1:, None]
    curved = (
        (1.0 + 2.0 * s) * (1.0 - s) ** 2 * first
        + s**2 * (3.0 - 2.0 * s) * last
        + h * s * (1.0 - s) * ((1.0 - s) * b[:-1, None] - s * b[1:, None])
    )
    straight = (1.0 - s) * first + s * last
    inner = np.where(cubic[:, None, None, None], curved, straight)
    return np.concatenate([inner.reshape(-1, *a.shape[1:]), a[-1:]])


def follow(run: Run, index: int, fraction: float) -> Path:
    """The phase with this index, followed closely enough for distances down to `fraction` of the largest."""
    begin = Snapshot.start(run, index)
    record, notes = begin.record, []
    moments: list[Moment] = []
    rtol, atol = run.tolerances
    if begin.moving:
        notes.append(f"{begin.follows}: no settling time is told, for the nodes' rest moves with it")
    reason = _unfit(begin)
    if reason is None:
        rtol = max(min(rtol, FINER * fraction), TIGHTEST)
        atol = min(atol, 1e-3 * rtol)
        moments, status = _integrated(begin, rtol, atol)
        if status is not Status.SUCCESS:
            reached = moments[-1].there.t - record.t_start
            reason = f"integrated anew to t = {reached:.3g} only ({status}): later, saved times are looked at"
    anew = moments[-1].there.t - record.t_start if moments else 0.0
    if reason is not None:
        saved = _saved(run, index, anew)
        notes.append(f"{reason} ({len(saved)} of them)")
        moments += saved
    rests = _rests([moment.there for moment in moments]) if not begin.network.limit else []
    kept = [k for k, rest in enumerate(rests) if rest is not None] or list(range(len(moments)))
    return Path(
        every=tuple(moments),
        moments=tuple(moments[k] for k in kept),
        t=np.array([moments[k].there.t for k in kept]) - record.t_start,
        rests=tuple(rest for rest in rests if rest is not None),
        rtol=rtol,
        atol=atol,
        anew=anew,
        jumps=begin.phase_as_run("convergence").schedule.jumps if begin.reproducible else np.empty(0),
        notes=tuple(notes),
    )


def _unfit(begin: Snapshot) -> str | None:
    """Why the phase is not to be integrated anew; None where it is."""
    record = begin.record
    if not begin.reproducible:
        return f"{begin.irreproducible}: nodes are measured at saved times"
    if record.status.failed and record.status is not Status.INTERRUPTED:
        return f"the phase ended early ({record.status}): its saved times are looked at"
    if record.unknowns > MOST_UNKNOWNS:
        return (
            f"{record.unknowns:,} unknowns are too many to integrate the phase anew (at most "
            f"{MOST_UNKNOWNS:,}): settling times are read off saved times"
        )
    return "tau = 0: its saved times are looked at" if begin.network.limit else None


def _integrated(begin: Snapshot, rtol: float, atol: float) -> tuple[list[Moment], Status]:
    """Moments after each step from `begin` to the end of its phase."""
    had = begin.record.t_end - begin.record.t_start
    phase = replace(begin.phase_as_run("convergence"), until=None, duration=had)
    problem = make_problem(begin.network, phase, begin.state, reduce=False)
    visited = [(0.0, problem.y0)]

    def watch(t: float, step: float, y: Array) -> bool:
        if t > visited[-1][0]:
            visited.append((t, y.copy()))
        return False

    most = int(min(MOST_STEPS, MOST_VALUES / problem.layout.size))
    settings = Settings(rtol, atol, most)
    solution = METHODS["cvode"].solve(problem, np.array([had]), settings, lambda *_: None, watch)
    watch(solution.t, 0.0, solution.y)
    moments = []
    for t, y in visited:
        there = begin.holding(begin.record.t_start + t, problem.state(t, y))
        energies = (float(part.sum()) for part in problem.energies(t, y))
        # Beyond a step of a clamp, `problem` has its rates no more.
        held = there.problem(until=None) if begin.moving else problem
        rate = _rate(held, *((0.0, held.y0) if begin.moving else (t, y)), begin.state)
        moments.append(Moment(there, rate, _speed(rate, begin), *energies))
    return moments, solution.status


def _rate(problem: Problem, t: float, y: Array, like: State) -> State:
    """d/dt of the whole state, 0 of what is no unknown."""
    nothing = like.mapped(lambda _, array: np.zeros_like(array))
    return problem.layout.unpack(problem.in_modes_of(t, y).rhs(t, y), nothing)


def _speed(rate: State, there: Snapshot) -> Array:
    deltas: Array = np.array(there.network.deltas)
    norms: Array = np.array([np.linalg.norm(M) for M in rate.weights.M])
    return deltas * norms


def _saved(run: Run, index: int, after: float) -> list[Moment]:
    """Saved moments of the phase later than `after`: all where the rest stays, else some."""
    record, rows = run.phases[index], np.flatnonzero(run.data["phase"].to_numpy() == index)
    since = times_of(run, index) - record.t_start
    rows, since = rows[(since > after) | (after == 0.0)], since[(since > after) | (after == 0.0)]
    if record.learn or record.moving:
        early = since <= FAST * (run.network.longest_tau or np.inf)
        rows = np.concatenate([spread(rows[early], EARLY_ROWS), spread(rows[~early], LATE_ROWS)])
    energies = [run.data[name].to_numpy().sum(axis=1) for name in ("energy", "energy_slaved")]
    moments = []
    for row in rows:
        there = Snapshot.at(run, int(row))
        problem = there.problem()
        speed = _speed(_rate(problem, 0.0, problem.y0, there.state), there)
        moments.append(Moment(there, None, speed, *(float(E[row]) for E in energies)))
    return moments


def _rests(moments: list[Snapshot]) -> list[State | None]:
    """The nodes' rest at each of the moments, None where none was found.

    That to which they go at the end, followed back in time: early on they may be nearer to another one.
    """
    end = moments[-1]
    rest = rest_of(end, TOLERANCE)
    found = rest.state if rest.found else None
    if not (end.phase.learn or end.moving):
        return [found] * len(moments)
    rests: list[State | None] = [found]
    for moment in reversed(moments[:-1]):
        starts = (
            [moment.state]
            if found is None
            else [State(found.x, found.eps, moment.state.weights), moment.state]
        )
        for start in starts:
            rest = nodes_at_rest(replace(moment, state=start).problem(), tol=TOLERANCE)
            if rest.found:
                break
        found = rest.state if rest.found else found
        rests.append(rest.state if rest.found else None)
    return rests[::-1]

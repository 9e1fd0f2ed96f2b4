"""The integration of one phase by many members, in chunks of compiled code that all cores work on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import solvers
from ..base._jax import jax
from ..base.status import Status
from ..model.clamp import ClampSchedule
from ..model.dynamics import Constants
from ..model.network import Array, Network
from ..model.phase import Phase
from ..model.series import TimeSeries
from ..model.state import State
from ..model.variables import NODES
from ..run.dataset import ENERGIES
from ..run.part import Part
from ..solvers.auto import few_explicit_steps
from ..solvers.base import kink_tolerance
from ..solvers.lanes import calls_lapack
from ..solvers.many_rows import Reached, integrated
from ..solvers.members import STATUSES, Members, Span, Static
from ..solvers.stepping import Kind
from ..system.coupled import Elimination, System
from ..system.crossings import crossings
from ..system.elimination import ChainElimination
from ..system.problem import given_nodes, make_problem, structure_of

# Members side by side on a processor: enough to make little of the cost of calling a kernel, and few enough
# that what they need stays in its cache.
SLOTS, SLOT_UNKNOWNS = 16, 4_000

# Matrices of at most this many rows are inverted without LAPACK, for all members at once; LAPACK takes one at
# a time.
SMALL_MATRIX = 16

# Most members in a chunk, and most bytes of the unknowns that it saves: on a processor, and on an
# accelerator, where all members of a chunk are side by side.
CHUNK, CHUNK_BYTES = 128, 1e8
LARGE_CHUNK, LARGE_CHUNK_BYTES = 1024, 4e9


@dataclass(frozen=True)
class Together:
    """How members are integrated.

    Attributes
    ----------
    method : str
        One of diffrax's methods, or auto.
    settings : Settings
    """

    method: str
    settings: solvers.Settings

    def integrate(
        self,
        phase: Phase,
        part: Part,
        networks: Sequence[Network],
        states: dict[int, State],
        stopped: Callable[[], bool],
    ) -> None:
        """Integrate a phase, and put what is reached and saved into `part`.

        Parameters
        ----------
        phase : Phase
            With its samples given.
        part : Part
        networks : sequence of Network
            Of all members.
        states : dict of int to State
            Where members start, by member; others are left out.
        stopped : callable
            Whether to stop; members that have not begun then are `interrupted`.
        """
        if not states:
            part.method, part.reason = self.method, "no member is left"
            return
        part.method, part.reason = self._chosen(phase, networks, states)
        work = _Work(self, phase, part, networks, states)
        chunks = work.chunks()
        began = time.perf_counter()
        work.compile(chunks[0])
        compiled = time.perf_counter()
        part.compile_seconds = compiled - began

        def one(chunk: list[int]) -> None:
            if stopped():
                part.stand(chunk, Status.INTERRUPTED, states)
            else:
                work.run(chunk)

        with ThreadPoolExecutor(work.threads) as pool:
            list(pool.map(one, chunks))
        part.solve_seconds = time.perf_counter() - compiled

    def _chosen(self, phase: Phase, networks: Sequence[Network], states: dict[int, State]) -> tuple[str, str]:
        """The method, and why: the implicit one if a member needs it, of those with outermost constants."""
        if self.method != "auto":
            return self.method, "asked for"
        found = []
        for k in _outermost(networks, list(states)):
            few, reason = few_explicit_steps(make_problem(networks[k], phase, states[k]))
            found.append(("Tsit5" if few else "Kvaerno5", reason))
        return next((one for one in found if one[0] != "Tsit5"), found[0])


def _threads() -> int:
    """How many chunks are integrated at the same time: a core each, at most as many as OMP_NUM_THREADS."""
    if not _on_cpu():
        return 1
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    cap = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(cap)) if cap.isdecimal() and int(cap) > 0 else cores


def _on_cpu() -> bool:
    return bool(jax.default_backend() == "cpu")


def _outermost(networks: Sequence[Network], members: list[int]) -> list[int]:
    """Of `members` the first, and those with the smallest and the largest of the numbers in rates."""
    chosen = [networks[k] for k in members]
    numbers = np.array(
        [(one.shortest_tau, one.shortest_delta, min(one.nu), one.node_decay) for one in chosen]
    )
    found = {0, *numbers.argmin(axis=0).tolist(), *numbers.argmax(axis=0).tolist()}
    return [members[k] for k in sorted(found)]


class _Interval(NamedTuple):
    """An interval between two jumps of the clamps, with the stops and the times to save in it."""

    begin: float
    end: float
    stops: Array
    times: Array


class _Work:
    """A phase that is integrated by members in chunks."""

    def __init__(
        self,
        how: Together,
        phase: Phase,
        part: Part,
        networks: Sequence[Network],
        states: dict[int, State],
    ) -> None:
        self.settings, self.phase, self.part = how.settings, phase, part
        self.networks, self.states = networks, states
        network, batch = networks[0], len(phase.samples or ())
        self.schedule: ClampSchedule = phase.schedule.with_stops(crossings(network, phase))
        self.clamp = given_nodes(network, phase, batch)
        layers = [phase.clamp.get(layer) for layer in range(network.n + 1)]
        pieces = tuple(value.pieces if isinstance(value, TimeSeries) else None for value in layers)
        self.pieces = pieces if any(part is not None for part in pieces) else ()
        self.rests = phase.until == "equilibrium" and self.schedule.constant_from < phase.duration
        # Layer by layer that is faster here than for all nodes of a sample at once.
        elimination = ChainElimination(whole=0, small=SMALL_MATRIX if _on_cpu() else 0)
        structure = structure_of(network, phase, batch)._replace(elimination=elimination)
        self.times = np.union1d(part.node_times, part.weight_times)
        self.intervals = self._intervals()
        self.size = structure.layout.size
        apart = any(
            one.weights.W is not None
            and any(bool((W != M.T).any()) for M, W in zip(one.weights.M, one.weights.W, strict=True))
            for one in states.values()
        )
        # Rest is judged by the rates of the variables themselves, not of their reduced form.
        reduce = not (self.rests and bool(phase.learn))
        alone = (
            _on_cpu() and solvers.by_name(part.method).implicit and self._calls_lapack(structure.elimination)
        )
        self.threads = 1 if alone else _threads()
        slots = SLOTS if self.size * SLOTS <= SLOT_UNKNOWNS else max(1, SLOT_UNKNOWNS // self.size)
        room = self._room()
        kind = Kind(part.method, False, True)
        side_by_side = min(room, slots) if _on_cpu() else room
        self.how = Static(kind, structure, reduce, apart, self.rests, side_by_side, alone)
        self.room = room

    def _calls_lapack(self, elimination: Elimination) -> bool:
        """Whether steps do so, by the factors that an implicit method needs."""
        first = next(iter(self.states))
        problem = make_problem(self.networks[first], self.phase, self.states[first])
        system = System(problem.structure._replace(elimination=elimination), problem.parameters)
        return calls_lapack(lambda y: system.factor(system.linearise(0.0, y), 1.0), problem.y0)

    def _intervals(self) -> list[_Interval]:
        edges, stops, times = [0.0, *self.schedule.jumps.tolist()], self.schedule.stops, self.times
        return [
            _Interval(
                begin,
                end,
                stops[(stops > begin) & (stops <= end)],
                np.array([begin, *times[(times > begin) & (times < end)], end]),
            )
            for begin, end in pairwise([*edges, self.phase.duration])
        ]

    def _room(self) -> int:
        """How many members a chunk has, a power of two, so that code is compiled for few of these."""
        most, memory = (CHUNK, CHUNK_BYTES) if _on_cpu() else (LARGE_CHUNK, LARGE_CHUNK_BYTES)
        fit = max(1, int(memory / (8.0 * self.times.size * max(1, self.size))))
        each = -(-len(self.states) // self.threads)
        return 1 << (max(1, min(most, fit, each)) - 1).bit_length()

    def chunks(self) -> list[list[int]]:
        """The members of each chunk."""
        members = list(self.states)
        return [members[k : k + self.room] for k in range(0, len(members), self.room)]

    def compile(self, chunk: list[int]) -> None:
        """Have everything compiled, by integrating nothing."""
        interval = self.intervals[0]
        self._reached(self._members(chunk, interval, None), interval, 0)

    def run(self, chunk: list[int]) -> None:
        """Integrate a chunk of members, from jump to jump of the clamps."""
        members, y, steps = chunk, None, tuple(np.zeros((2, len(chunk)), int))
        for interval in self.intervals:
            reached = self._reached(self._members(members, interval, y, *steps), interval, len(members))
            reached = jax.tree.map(partial(_first, len(members)), reached)
            self._keep(members, reached, interval)
            going = reached.status == STATUSES.index(Status.SUCCESS)
            members = [k for k, on in zip(members, going.tolist(), strict=True) if on]
            y, steps = reached.y[going], (reached.steps[going], reached.rejected[going])
            if not members:
                break

    def _members(self, members: list[int], interval: _Interval, y: Any, *steps: Array) -> Members:
        """What differs between members, as arrays for a whole chunk: the last is repeated."""
        rows = np.minimum(np.arange(self.room), len(members) - 1)
        numbers = [members[row] for row in rows.tolist()]

        def stacked(*ones: Any) -> Any:
            return np.stack([np.asarray(one, float) for one in ones])

        constants = [Constants.of(self.networks[k]) for k in numbers]
        bare = jax.tree.map(stacked, *(one._replace(mask=()) for one in constants))
        states = jax.tree.map(stacked, *(self.states[k] for k in numbers))
        if y is None and len(self.intervals) > 1:  # so that code for all intervals is the same
            first = members[0]
            problem = make_problem(self.networks[first], self.phase, self.states[first])
            y = np.zeros((len(members), problem.layout.size))
        taken, rejected = steps or np.zeros((2, len(members)), int)
        return Members(
            bare._replace(mask=constants[0].mask),
            states,
            None if y is None else np.asarray(y)[rows],
            taken[rows],
            rejected[rows],
        )

    def _reached(self, members: Members, interval: _Interval, count: int) -> Reached:
        """What is reached in an interval between two jumps."""
        schedule, settings = self.schedule, self.settings
        begin, end = interval.begin, interval.end
        last = self.rests and end == self.phase.duration
        numbers = {
            "begin": begin,
            "end": end,
            "rtol": settings.rtol,
            "atol": settings.atol,
            "max_steps": settings.max_steps,
            "settle_tol": self.phase.settle_tol,
            "settles_from": max(begin, schedule.constant_from) if last else np.inf,
            "kink_tolerance": kink_tolerance(settings),
            "largest": schedule.largest,
        }
        most = max(one.times.size for one in self.intervals)
        span = Span(
            clamp=self.clamp,
            pieces=tuple(one and one.between(begin, end) for one in self.pieces),
            stops=_padded(interval.stops, max(one.stops.size for one in self.intervals), end),
            times=np.append(_padded(interval.times[:-1], most - 1, np.inf), end),
            **{name: np.asarray(float(value)) for name, value in numbers.items()},
            count=np.asarray(count),
        )
        where = (
            _padded(_places(own, interval.times, most), max(self._places_of(own)), most - 1)
            for own in (self.part.node_times, self.part.weight_times)
        )
        return integrated(self.how, members, span, *where)

    def _places_of(self, own: Array) -> list[int]:
        return [_places(own, one.times, one.times.size).size for one in self.intervals]

    def _keep(self, members: list[int], reached: Reached, interval: _Interval) -> None:
        """Put what was reached in an interval into the part."""
        part, n, times, end = self.part, len(reached.x) - 1, interval.times, interval.end
        kept = zip(NODES, (reached.x, reached.eps), strict=True)
        nodes: dict[str, Any] = {
            name: array for v, arrays in kept for name, array in zip(v.names(n), arrays, strict=True)
        }
        nodes |= dict(zip(ENERGIES, reached.energies, strict=True))
        weights = State((), (), reached.weights).arrays()
        ended = np.flatnonzero(reached.status != STATUSES.index(Status.SUCCESS))
        early = [members[k] for k in ended.tolist()]
        for own, arrays in ((part.node_times, nodes), (part.weight_times, weights)):
            saved = times[_places(own, times, times.size)]
            # Where an interval begins at a jump, the values before it are those that are kept.
            first, last = int(interval.begin > 0.0 and times[0] in own), saved.size - 1
            rows = np.searchsorted(own, saved)
            part.keep(members, {k: a[:, first:last] for k, a in arrays.items()}, rows[first:last])
            ends = {k: a[:, last : last + 1] for k, a in arrays.items()}
            if end in own:
                going = np.setdiff1d(np.arange(len(members)), ended)
                on = [members[k] for k in going.tolist()]
                part.keep(on, {k: a[going] for k, a in ends.items()}, rows[last:])
            part.keep(early, {k: a[ended] for k, a in ends.items()}, np.array([-1]))
        states = [jax.tree.map(lambda a, row=row: a[row], reached.state) for row in range(len(members))]
        status = [STATUSES[one] for one in reached.status.tolist()]
        if self.phase.until == "equilibrium" and end == self.phase.duration:
            status = [Status.NOT_SETTLED if one is Status.SUCCESS else one for one in status]
        found = {"lasted": reached.t, "steps": reached.steps, "rejected": reached.rejected, "states": states}
        part.ended(members, status, found)


def _first(count: int, values: Any) -> Any:
    return np.asarray(values)[:count]


def _places(wanted: Array, times: Array, most: int) -> NDArray[np.intp]:
    """Where the wanted times are among those saved, and the last, which is put behind `most` - 1 others."""
    return np.append(np.flatnonzero(np.isin(times[:-1], wanted)), most - 1)


def _padded(values: Any, size: int, value: float) -> Any:
    """`values` with `value` behind them, so that there are `size` of them."""
    return np.pad(values, (0, size - len(values)), constant_values=value)

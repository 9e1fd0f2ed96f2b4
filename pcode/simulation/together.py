"""The integration of one phase by many members, in chunks of compiled code that all cores work on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

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
from ..solvers.auto import AutoSolver
from ..solvers.many import STATUSES, Members, Span, Static
from ..solvers.many_rows import Reached, integrated
from ..solvers.stepping import Kind
from ..system.crossings import crossings
from ..system.problem import given_nodes, make_problem, structure_of

# Members side by side on a processor: enough to make little of the cost of calling a kernel, and few enough
# that what they need stays in its cache.
SLOTS, SLOT_UNKNOWNS = 8, 2_000

# Most members in a chunk, and most bytes of the unknowns that it saves: on a processor, and on an
# accelerator, where all members of a chunk are side by side.
CHUNK, CHUNK_BYTES = 128, 1e8
LARGE_CHUNK, LARGE_CHUNK_BYTES = 1024, 4e9

# The method that is taken where `auto` would take another.
TOGETHER = {"DOP853": "Tsit5", "cvode": "Kvaerno5"}


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

        with ThreadPoolExecutor(_threads()) as pool:
            list(pool.map(one, chunks))
        part.solve_seconds = time.perf_counter() - compiled

    def _chosen(self, phase: Phase, networks: Sequence[Network], states: dict[int, State]) -> tuple[str, str]:
        """The method, and why: the implicit one if a member needs it, of those with outermost constants."""
        auto = solvers.by_name("auto")
        if self.method != "auto" or not isinstance(auto, AutoSolver):
            return self.method, "asked for"
        found = []
        for k in _outermost(networks, list(states)):
            solver, reason = auto.choose(make_problem(networks[k], phase, states[k]))
            found.append((TOGETHER.get(solver.name, solver.name), reason))
        return next((one for one in found if one[0] != "Tsit5"), found[0])


def _threads() -> int:
    """How many chunks are integrated at the same time."""
    return len(os.sched_getaffinity(0)) if _on_cpu() and hasattr(os, "sched_getaffinity") else 1


def _on_cpu() -> bool:
    return bool(jax.default_backend() == "cpu")


def _outermost(networks: Sequence[Network], members: list[int]) -> list[int]:
    """Of `members` the first, and those with the smallest and the largest of the numbers in rates."""
    numbers = np.array(
        [(one.tau, one.shortest_delta, min(one.nu), one.node_decay) for one in (networks[k] for k in members)]
    )
    found = {0, *numbers.argmin(axis=0).tolist(), *numbers.argmax(axis=0).tolist()}
    return [members[k] for k in sorted(found)]


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
        structure = structure_of(network, phase, batch)
        self.times = np.union1d(part.node_times, part.weight_times)
        self.size = structure.layout.size
        apart = any(
            one.weights.W is not None
            and any(bool((W != M.T).any()) for M, W in zip(one.weights.M, one.weights.W, strict=True))
            for one in states.values()
        )
        # Rest is judged by the rates of the variables themselves, not of their reduced form.
        reduce = not (self.rests and bool(phase.learn))
        slots = SLOTS if self.size * SLOTS <= SLOT_UNKNOWNS else max(1, SLOT_UNKNOWNS // self.size)
        room = self._room()
        kind = Kind(part.method, False, True)
        self.how = Static(kind, structure, reduce, apart, self.rests, min(room, slots) if _on_cpu() else room)
        self.room = room

    def _room(self) -> int:
        """How many members a chunk has, a power of two, so that code is compiled for few of these."""
        most, memory = (CHUNK, CHUNK_BYTES) if _on_cpu() else (LARGE_CHUNK, LARGE_CHUNK_BYTES)
        fit = max(1, int(memory / (8.0 * self.times.size * max(1, self.size))))
        each = -(-len(self.states) // _threads())
        return 1 << (max(1, min(most, fit, each)) - 1).bit_length()

    def chunks(self) -> list[list[int]]:
        """The members of each chunk."""
        members = list(self.states)
        return [members[k : k + self.room] for k in range(0, len(members), self.room)]

    def compile(self, chunk: list[int]) -> None:
        """Have everything compiled, by integrating nothing."""
        begin = 0.0
        y = None
        while begin < self.phase.duration:
            end = self.schedule.interval(begin, "right")[1]
            y = self._reached(self._members(chunk, y), begin, end, 0)[0].y
            begin = end

    def run(self, chunk: list[int]) -> None:
        """Integrate a chunk of members, from jump to jump of the clamps."""
        begin, members, y = 0.0, chunk, None
        steps = np.zeros(len(chunk), int), np.zeros(len(chunk), int)
        while begin < self.phase.duration and members:
            end = self.schedule.interval(begin, "right")[1]
            given = self._members(members, y, *steps)
            reached, times = self._reached(given, begin, end, len(members))
            reached = jax.tree.map(partial(_first, len(members)), reached)
            self._keep(members, reached, times, end)
            going = reached.status == STATUSES.index(Status.SUCCESS)
            members = [k for k, on in zip(members, going.tolist(), strict=True) if on]
            y, steps = reached.y[going], (reached.steps[going], reached.rejected[going])
            begin = end

    def _members(self, members: list[int], y: Any, *steps: Array) -> Members:
        """What differs between members, as arrays for a whole chunk: the last is repeated."""
        numbers = [*members, *[members[-1]] * (self.room - len(members))]

        def stacked(*ones: Any) -> Any:
            return np.stack([np.asarray(one, float) for one in ones])

        constants = [Constants.of(self.networks[k]) for k in numbers]
        bare = jax.tree.map(stacked, *(one._replace(mask=()) for one in constants))
        states = jax.tree.map(stacked, *(self.states[k] for k in numbers))
        rows = np.minimum(np.arange(self.room), len(members) - 1)
        none = np.zeros(len(members), int)
        taken, rejected = steps or (none, none)
        return Members(
            bare._replace(mask=constants[0].mask),
            states,
            None if y is None else np.asarray(y)[np.minimum(rows, len(y) - 1)],
            taken[rows],
            rejected[rows],
        )

    def _reached(self, members: Members, begin: float, end: float, count: int) -> tuple[Reached, Array]:
        """What is reached in an interval between two jumps, and the times that are saved in it."""
        part, schedule, settings = self.part, self.schedule, self.settings
        times = self.times[(self.times > begin) & (self.times < end)]
        times = np.array([begin, *times, end])
        stops = schedule.stops[(schedule.stops > begin) & (schedule.stops <= end)]
        last = self.rests and end == self.phase.duration
        pieces = tuple(one and one.between(begin, end) for one in self.pieces)
        numbers = {
            "rtol": settings.rtol,
            "atol": settings.atol,
            "max_steps": settings.max_steps,
            "settle_tol": self.phase.settle_tol,
            "settles_from": max(begin, schedule.constant_from) if last else np.inf,
            "largest": schedule.largest,
        }
        span = Span(
            clamp=self.clamp,
            pieces=pieces,
            begin=np.asarray(begin),
            end=np.asarray(end),
            stops=stops,
            times=times,
            **{name: np.asarray(float(value)) for name, value in numbers.items()},
            count=np.asarray(count),
        )
        where = (_places(part.node_times, times), _places(part.weight_times, times))
        return integrated(self.how, members, span, *where), times

    def _keep(self, members: list[int], reached: Reached, times: Array, end: float) -> None:
        """Put what was reached in an interval into the part."""
        part, n = self.part, len(reached.x) - 1
        kept = zip(NODES, (reached.x, reached.eps), strict=True)
        nodes: dict[str, Any] = {
            name: array for v, arrays in kept for name, array in zip(v.names(n), arrays, strict=True)
        }
        nodes |= dict(zip(ENERGIES, reached.energies, strict=True))
        weights = State((), (), reached.weights).arrays()
        on = reached.status == STATUSES.index(Status.SUCCESS)
        for own, arrays in ((part.node_times, nodes), (part.weight_times, weights)):
            rows = np.searchsorted(own, times[_places(own, times)])
            # Where an interval begins at a jump, the values before it are those that are kept.
            inner = slice(int(times[0] > 0.0 and times[0] in own), rows.size - (end not in own))
            part.keep(members, {k: a[:, inner] for k, a in arrays.items()}, rows[inner])
            ended = np.flatnonzero(~on)
            early = [members[k] for k in ended.tolist()]
            if early:
                part.keep(early, {k: a[ended, -1:] for k, a in arrays.items()}, np.array([-1]))
                if end in own and end < self.phase.duration:
                    gone = {k: np.full_like(a[ended, -1:], np.nan) for k, a in arrays.items()}
                    part.keep(early, gone, rows[-1:])
        states = [jax.tree.map(lambda a, row=row: a[row], reached.state) for row in range(len(members))]
        status = [STATUSES[one] for one in reached.status.tolist()]
        if self.phase.until == "equilibrium" and end == self.phase.duration:
            status = [Status.NOT_SETTLED if one is Status.SUCCESS else one for one in status]
        found = {"lasted": reached.t, "steps": reached.steps, "rejected": reached.rejected, "states": states}
        part.ended(members, status, found)


def _first(count: int, values: Any) -> Any:
    return np.asarray(values)[:count]


def _places(wanted: Array, times: Array) -> NDArray[np.intp]:
    """Where the wanted times, and the last, are among those saved."""
    places: NDArray[np.intp] = np.flatnonzero(
        np.isin(times, wanted) | (np.arange(times.size) == times.size - 1)
    )
    return places

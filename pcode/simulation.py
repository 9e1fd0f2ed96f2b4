"""Phases in turn, from a network and its weights to a `Run`."""

from __future__ import annotations

import json
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from itertools import pairwise
from typing import Any

import numpy as np

from . import solvers
from .equilibrium import nodes_at_rest
from .errors import InputError
from .network import Array, Network, Weights
from .phase import NodeStart, Phase, Save, TimeSeries
from .plan import plan
from .problem import Problem, feedforward, given_nodes, make_problem
from .recording import Recorder
from .run import PhaseRecord, Run
from .state import Layout, State
from .status import SolverStats, Status

Probe = Callable[[State, Phase], float | None]

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
        Time in the phase, how long it may last, and the solver's step; in the unit of tau.
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


def simulate(
    network: Network,
    phases: Sequence[Phase],
    *,
    weights: Weights,
    nodes: NodeStart | State = "feedforward",
    method: str = "cvode",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 1_000_000,
    save: Save | None = None,
    probes: Mapping[str, Probe] | None = None,
    attributes: Mapping[str, str | float] | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Run:
    """Integrate the coupled equations of values, errors and weights, phase after phase.

    Parameters
    ----------
    network : Network
    phases : sequence of Phase
        Run one after the other. Where one begins, newly clamped nodes jump to their values and
        newly freed ones go on from where they were.
    weights : Weights
        To start from, see `Network.init_weights`.
    nodes : {"feedforward", "zero", "equilibrium"} or State
        Where the nodes of samples that were not shown in the phase before start: at the
        feedforward pass or at zero, with eps = 0, or at rest. A State is for the first phase.
    method : str
        A solver's name, see `pcode.METHODS`.
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown.
    max_steps : int
        Most steps from one breakpoint of a phase to the next.
    save : Save, optional
        Which times to save.
    probes : mapping of str to callable, optional
        Functions of the state and the phase, called at the end of every phase; what they return
        other than None is kept in the phase's record.
    attributes : mapping, optional
        Kept as attributes of the result besides its own.
    progress : callable, optional
        Called with a `Progress` ten times a second at most.
    stop : callable, optional
        Asked between steps; when it returns True the run ends with status `interrupted`. Left
        out, the first Ctrl-C does so, and a second one ends at once.

    Returns
    -------
    Run
        Also where a phase failed or was interrupted: then with what was reached.

    Raises
    ------
    InputError
        If anything asked for cannot be done; nothing has been computed then.
    """
    save = save or Save()
    made = plan(network, phases, save, method)
    settings = _settings(rtol, atol, max_steps)
    weights = network.check_weights(weights)
    recorder = Recorder(network, made.sample_count, made.node_rows, made.weight_rows)
    records: list[PhaseRecord] = []
    state: State | None = None
    shown_before: tuple[int, ...] = ()
    with _interruptible(stop) as stopped:
        for index, (phase, shown) in enumerate(zip(phases, made.samples, strict=True)):
            state = _start(network, phase, shown, nodes, weights, state, shown_before)
            watch = _Watch(index, len(phases), phase, progress, stopped)
            t_start = records[-1].t_end if records else 0.0
            stage = _Stage(network, phase, shown, index, t_start, method, settings, save)
            record, state = stage.run(state, recorder, watch)
            records.append(_with_probes(record, state, phase, shown, probes or {}))
            weights, shown_before = state.weights, shown
            if record.status.failed:
                break
    return Run(recorder.dataset(_attributes(network, records, method, settings) | dict(attributes or {})))


@dataclass(frozen=True)
class _Stage:
    """One phase of a run: where it stands in it, and how to integrate it."""

    network: Network
    phase: Phase
    shown: tuple[int, ...]
    index: int
    t_start: float
    method: str
    settings: solvers.Settings
    save: Save

    def run(self, state: State, recorder: Recorder, watch: _Watch) -> tuple[PhaseRecord, State]:
        """Integrate from `state`, breakpoint by breakpoint; the record, and the state reached."""
        phase, solver = self.phase, solvers.by_name(self.method)
        times, is_node_time, is_weight_time = self._times()
        stats = SolverStats()
        status, t = Status.SUCCESS, 0.0
        problem = None
        for start, end in pairwise((0.0, *phase.breakpoints, phase.duration)):
            problem = make_problem(self.network, phase, state, (start, end))
            if start == 0.0:
                self._save(recorder, problem, 0.0, 0.0, problem.y0, True, True)
            due = np.flatnonzero((times > start) & (times <= end))

            def keep(
                k: int, s: float, y: Array, problem: Problem = problem, start: float = start, due: Any = due
            ) -> None:
                self._save(recorder, problem, start, s, y, is_node_time[due[k]], is_weight_time[due[k]])

            solution = solver.solve(
                problem, times[due] - start, self.settings, keep, watch.on(problem, start)
            )
            status, t, stats = solution.status, start + solution.t, stats + solution.stats
            state = problem.state(solution.t, solution.y)
            if status is not Status.SUCCESS:
                self._save(recorder, problem, start, solution.t, solution.y, True, True)
                break
        if status is Status.SUCCESS and phase.until == "equilibrium":
            status = Status.NOT_SETTLED
        assert problem is not None
        return self._record(status, t, problem.layout, stats), state

    def _times(self) -> tuple[Array, Any, Any]:
        duration, tau = self.phase.duration, self.network.tau
        nodes = self.save.times(self.save.nodes, duration, tau)
        ends = np.array([0.0, duration])
        weights = self.save.times(self.save.weights, duration, tau) if self.phase.learn else ends
        times = np.union1d(nodes, weights)
        return times, np.isin(times, nodes), np.isin(times, weights)

    def _save(
        self,
        recorder: Recorder,
        problem: Problem,
        start: float,
        t: float,
        y: Array,
        nodes: bool,
        weights: bool,
    ) -> None:
        if not (nodes or weights):
            return
        state, now = problem.state(t, y), self.t_start + start + t
        if nodes:
            recorder.save_nodes(now, self.index, self.shown, state, problem.energies(t, y))
        if weights:
            recorder.save_weights(now, self.index, state)

    def _record(self, status: Status, t: float, layout: Layout, stats: SolverStats) -> PhaseRecord:
        clamped = {
            str(layer): ("time series" if isinstance(value, TimeSeries) else "constant")
            + (", partly" if layout.free[layer] else "")
            for layer, value in sorted(self.phase.clamp.items())
        }
        return PhaseRecord(
            name=self.phase.name,
            status=status,
            message=f"phase {self.phase.name!r}, to t = {self.t_start + t:g}: {status.meaning}",
            t_start=self.t_start,
            t_end=self.t_start + t,
            learn=self.phase.learn,
            until=self.phase.until,
            duration=self.phase.duration,
            clamped=clamped,
            samples=self.shown,
            unknowns=layout.size,
            method=self.method,
            stats=stats,
        )


class _Watch:
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

    def on(self, problem: Problem, start: float) -> Callable[[float, float, Array], bool]:
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


def _start(
    network: Network,
    phase: Phase,
    shown: tuple[int, ...],
    nodes: NodeStart | State,
    weights: Weights,
    state: State | None,
    shown_before: tuple[int, ...],
) -> State:
    """The state in which `phase` starts, clamps not yet put in."""
    batch = len(shown)
    if state is None and isinstance(nodes, State):
        return _given_start(network, nodes, weights, batch)
    where = "feedforward" if isinstance(nodes, State) else nodes
    fresh = _fresh_start(network, phase, where, weights, batch)
    if state is None:
        return fresh
    # Samples that stay carry on from where they were.
    stay = [(new, shown_before.index(s)) for new, s in enumerate(shown) if s in shown_before]
    for here, there in zip((*fresh.x, *fresh.eps), (*state.x, *state.eps), strict=True):
        for new, old in stay:
            here[new] = there[old]
    return fresh


def _fresh_start(network: Network, phase: Phase, where: str, weights: Weights, batch: int) -> State:
    given = given_nodes(network, phase, batch)
    if where == "zero":
        x = tuple(np.nan_to_num(value) for value in given)
    elif where in ("feedforward", "equilibrium"):
        x = feedforward(network, weights, given)
    else:
        raise InputError("nodes", f"must be feedforward, zero, equilibrium or a State, not {where!r}")
    state = State(x, tuple(np.zeros((batch, size)) for size in network.sizes[1:]), weights)
    if where != "equilibrium":
        return state
    rest = nodes_at_rest(
        make_problem(network, phase, state, (0.0, min((*phase.breakpoints, phase.duration))))
    )
    if not rest.found:
        what = (
            f"no equilibrium was reached from the feedforward pass in phase {phase.name!r} "
            f"(largest residual {rest.residual.max():.1e}); start at feedforward or zero"
        )
        raise InputError("nodes", what)
    x, eps = (tuple(map(np.array, part)) for part in rest.state[:2])
    return State(x, eps, weights)


def _given_start(network: Network, nodes: State, weights: Weights, batch: int) -> State:
    parts = (("x", 0, nodes.x, network.sizes), ("eps", 1, nodes.eps, network.sizes[1:]))
    for name, first, arrays, sizes in parts:
        if len(arrays) != len(sizes):
            raise InputError(f"nodes.{name}", f"has {len(arrays)} layers; must have {len(sizes)}")
        for layer, (array, size) in enumerate(zip(arrays, sizes, strict=True), first):
            if np.shape(array) != (batch, size):
                what = f"layer {layer} has shape {np.shape(array)}; must be {(batch, size)}"
                raise InputError(f"nodes.{name}", what)
            if not np.isfinite(array).all():
                raise InputError(f"nodes.{name}", f"layer {layer} has values that are not finite")
    x, eps = (tuple(np.array(a, dtype=np.float64) for a in part) for part in nodes[:2])
    return State(x, eps, weights)


def _with_probes(
    record: PhaseRecord, state: State, phase: Phase, shown: tuple[int, ...], probes: Mapping[str, Probe]
) -> PhaseRecord:
    phase = phase.showing(shown)
    values = {name: probe(state, phase) for name, probe in probes.items()}
    return replace(record, probes={name: v for name, v in values.items() if v is not None})


def _settings(rtol: float, atol: float, max_steps: int) -> solvers.Settings:
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not (isinstance(value, int | float) and 0.0 < value < 1.0):
            raise InputError(name, f"must be a number between 0 and 1, not {value!r}")
    if not isinstance(max_steps, int) or isinstance(max_steps, bool) or max_steps < 1:
        raise InputError("max_steps", f"must be a whole number of 1 or more, not {max_steps!r}")
    return solvers.Settings(float(rtol), float(atol), max_steps)


def _attributes(
    network: Network, records: Sequence[PhaseRecord], method: str, settings: solvers.Settings
) -> dict[str, str | float]:
    status = Status.worst([record.status for record in records])
    told = [record.message for record in records if record.status is status]
    total = sum((record.stats for record in records), SolverStats())
    packages = ("pcode-sim", "numpy", "scipy", "jax", "diffrax", "scikit-sundae", "xarray")
    versions = {"python": platform.python_version()}
    for package in packages:
        with suppress(metadata.PackageNotFoundError):  # a checkout that is not installed
            versions[package] = metadata.version(package)
    return {
        "network": json.dumps(network.to_dict()),
        "phases": json.dumps([record.to_dict() for record in records]),
        "status": str(status),
        "message": told[-1],
        "method": method,
        "rtol": settings.rtol,
        "atol": settings.atol,
        "solver_statistics": json.dumps(asdict(total)),
        "versions": json.dumps(versions),
    }


@contextmanager
def _interruptible(stop: Callable[[], bool] | None) -> Iterator[Callable[[], bool]]:
    """`stop`, or else a question that the first Ctrl-C answers with yes."""
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if stop is not None or not default or threading.current_thread() is not threading.main_thread():
        yield stop or (lambda: False)
        return
    asked = threading.Event()

    def ask(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

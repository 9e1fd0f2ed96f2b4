"""Phases in turn, from a network and its weights to a `Run`."""

from __future__ import annotations

import json
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cache
from importlib import metadata

from . import solvers
from .errors import InputError
from .network import Network, Weights
from .phase import NodeStart, Phase, Save
from .plan import Plan, plan
from .recording import Recorder
from .run import PhaseRecord, Run
from .stage import Progress, Stage, Watch
from .start import starting_state
from .state import State
from .status import SolverStats, Status

__all__ = ["Plan", "Probe", "Progress", "plan", "simulate"]

Probe = Callable[[State, Phase], float | None]


def simulate(
    network: Network,
    phases: Sequence[Phase],
    *,
    weights: Weights,
    nodes: NodeStart | State = "feedforward",
    method: str = "auto",
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
        feedforward pass or at zero, with eps = 0, or at rest. A State is for the first phase. With
        tau = 0 all nodes are at once at the equilibrium to which they lead from there.
    method : str
        A solver's name, see `pcode.METHODS`; "auto" chooses one for each phase and says why.
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown.
    max_steps : int
        Most steps of a phase.
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
            t_start = records[-1].t_end if records else 0.0
            stage = Stage(network, phase, shown, index, t_start, method, settings, save)
            try:
                state = starting_state(network, phase, shown, nodes, weights, state, shown_before)
            except InputError as error:
                if not records:
                    raise
                records.append(stage.never_begun(str(error)))  # what came before must not be lost
                break
            watch = Watch(index, len(phases), phase, progress, stopped)
            record, state = stage.run(state, recorder, watch)
            records.append(_with_probes(record, state, phase, shown, probes or {}))
            weights, shown_before = state.weights, shown
            if record.status.failed:
                break
    return Run(recorder.dataset(_attributes(network, records, method, settings) | dict(attributes or {})))


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
    return {
        "network": json.dumps(network.to_dict()),
        "phases": json.dumps([record.to_dict() for record in records]),
        "status": str(status),
        "message": told[-1],
        "method": ", ".join(dict.fromkeys(record.method for record in records)),
        "method_asked": method,
        "method_reason": "; ".join(f"{record.name}: {record.method_reason}" for record in records),
        "rtol": settings.rtol,
        "atol": settings.atol,
        "solver_statistics": json.dumps(asdict(total)),
        "versions": json.dumps(_versions()),
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


@cache
def _versions() -> dict[str, str]:
    """Of Python and of what the numbers come from."""
    versions = {"python": platform.python_version()}
    for package in ("pcode-sim", "numpy", "scipy", "jax", "diffrax", "scikit-sundae", "xarray"):
        with suppress(metadata.PackageNotFoundError):  # a checkout that is not installed
            versions[package] = metadata.version(package)
    return versions

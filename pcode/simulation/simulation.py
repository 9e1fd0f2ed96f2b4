"""Phases in turn, from a network and its weights to a `Run`."""

from __future__ import annotations

import json
import platform
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np

from ..base.errors import InputError
from ..base.status import SolverStats, Status
from ..model.network import Network, Weights
from ..model.phase import NodeStart, Phase, Save
from ..model.state import State
from ..run.clamps import ClampArrays
from ..run.result import PhaseRecord, Run
from .plan import Plan, plan
from .recording import Recorder
from .request import Request, request
from .stage import Progress, Stage, Watch
from .start import starting_state

__all__ = ["Plan", "Probe", "Progress", "plan", "simulate"]

Probe = Callable[[State, Phase], Any]


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
    asked = request(
        network,
        phases,
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
    # What overflows is told by the status, and by no warning of NumPy's.
    with _interruptible(asked.callbacks.stopped) as stopped, np.errstate(all="ignore"):
        return _carry_out(asked, stopped)


def _carry_out(asked: Request, stopped: Callable[[], bool]) -> Run:
    """The phases in turn."""
    network, made, calls = asked.network, asked.plan, asked.callbacks
    recorder = Recorder(network, made.sample_count, made.node_rows, made.weight_rows)
    records: list[PhaseRecord] = []
    weights, state = asked.weights, None
    shown_before: tuple[int, ...] = ()
    for index, (phase, shown) in enumerate(zip(asked.phases, made.samples, strict=True)):
        t_start = records[-1].t_end if records else 0.0
        stage = Stage(network, phase, shown, index, t_start, asked.method, asked.settings, asked.save)
        try:
            state = starting_state(network, phase, shown, asked.nodes, weights, state, shown_before)
        except InputError as error:
            if not records:
                raise
            records.append(stage.never_begun(str(error)))  # what came before must not be lost
            break
        watch = Watch(index, len(asked.phases), phase, calls.report, stopped)
        record, state = stage.run(state, recorder, watch)
        records.append(replace(record, probes=calls.probed(state, phase.showing(shown))))
        weights, shown_before = state.weights, shown
        if record.status.failed:
            break
    arrays = ClampArrays()
    data = recorder.dataset(_attributes(asked, records, arrays) | asked.attributes)
    groups = {"solver": recorder.solver(), "clamps": arrays.dataset()}
    return Run(data, {name: group for name, group in groups.items() if group.variables})


def _attributes(
    asked: Request, records: Sequence[PhaseRecord], arrays: ClampArrays
) -> dict[str, str | float]:
    status = Status.worst([record.status for record in records])
    told = [record.message for record in records if record.status is status]
    total = sum((record.stats for record in records), SolverStats())
    return {
        "network": json.dumps(asked.network.to_dict()),
        "phases": json.dumps([record.to_dict(arrays) for record in records]),
        "status": str(status),
        "message": told[-1],
        "method": ", ".join(dict.fromkeys(record.method for record in records)),
        "method_asked": asked.method,
        "method_reason": "; ".join(f"{record.name}: {record.method_reason}" for record in records),
        "rtol": asked.settings.rtol,
        "atol": asked.settings.atol,
        "solver_statistics": json.dumps(asdict(total)),
        "versions": json.dumps(_versions()),
        "notes": json.dumps([*asked.notes, *asked.callbacks.notes]),
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

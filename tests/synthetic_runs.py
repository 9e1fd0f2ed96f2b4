"""Runs written down in closed form, so that plots can be tested without a solver."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from pcode.base.status import SolverStats, Status
from pcode.model.network import Network
from pcode.model.phase import Save
from pcode.run.clamps import ClampRecord
from pcode.run.dataset import node_coordinates, sample_numbers, weight_coordinates
from pcode.run.record import PhaseRecord
from pcode.run.result import Run


@dataclass(frozen=True)
class Stage:
    """A phase of a synthetic run; `rows` cuts it off after so many saved times."""

    name: str = "train"
    duration: float = 4000.0
    samples: tuple[int, ...] = (0, 1, 2, 3)
    learn: bool = True
    clamped: tuple[int, ...] = (0, -1)
    status: Status = Status.SUCCESS
    rows: int | None = None


TRAIN = Stage()
TEST = Stage("test", 50.0, learn=False, clamped=(0,), status=Status.EQUILIBRIUM)
AT_ONCE = Stage("test", 0.0, learn=False, clamped=(0,), status=Status.EQUILIBRIUM)

Variables = dict[str, tuple[Any, ...]]


def synthetic_run(
    sizes: tuple[int, ...] = (2, 8, 1),
    stages: Sequence[Stage] = (TRAIN, TEST),
    *,
    tau: float = 1.0,
    delta: float = 200.0,
    nu: float = 0.1,
    feedback: Any = "learned",
    nodes: int = 80,
    weights: int = 30,
) -> Run:
    """Nodes that relax with tau and weights that saturate with delta, in the layout of a result."""
    network = Network(sizes, tau=tau, delta=delta, nu=nu, feedback=feedback)
    save = Save(nodes=nodes, weights=weights)
    rng = np.random.default_rng(0)
    node_rows = [_times(save, nodes, stage, tau) for stage in stages]
    weight_rows = [_times(save, weights if stage.learn else 2, stage, tau) for stage in stages]
    starts = np.cumsum([0.0, *(rows[-1] for rows in node_rows)])
    t, phase = _clock(node_rows, starts)
    weight_t, weight_phase = _clock(weight_rows, starts)
    data: Variables = _node_variables(network, stages, t, np.concatenate(node_rows), phase, rng)
    learns = np.array([stages[k].learn for k in weight_phase[1:]], dtype=float)
    learned = np.concatenate([[0.0], np.cumsum(np.diff(weight_t) * learns)])
    data |= _weight_variables(network, 1.0 - np.exp(-learned / delta), rng)
    squares = [np.nanmean((data[f"eps{k}"][1] ** 2).sum(axis=2), axis=1) for k in range(1, network.n + 1)]
    energies = 0.5 * nu * np.stack(squares, axis=1)
    slaved = energies + 0.1 * np.exp(-t / delta)[:, None] / np.arange(1, network.n + 1)
    data["energy"] = _variable(("time", "layer"), energies, "energy F by layer, error nodes as they are")
    at_rest = "energy F by layer, error nodes at rest value"
    data["energy_slaved"] = _variable(("time", "layer"), slaved, at_rest)
    coords = node_coordinates(network, t, phase, {k: stage.samples for k, stage in enumerate(stages)})
    coords |= weight_coordinates(network, weight_t, weight_phase)
    status = Status.worst([stage.status for stage in stages])
    records = [_record(network, stage, *span) for stage, span in zip(stages, pairwise(starts), strict=True)]
    attrs = {
        "network": json.dumps(network.to_dict()),
        "phases": json.dumps([record.to_dict() for record in records]),
        "status": str(status),
        "message": status.meaning,
    }
    return Run(xr.Dataset(data, coords, attrs), {"solver": xr.Dataset(_step_variables(stages, starts))})


@cache
def xor() -> Run:
    """2-8-1, four samples, trained and tested."""
    return synthetic_run((2, 8, 1), (TRAIN, TEST))


@cache
def single() -> Run:
    """3-5-2, one sample, one phase, tau = 2 and delta = 50."""
    return synthetic_run((3, 5, 2), (Stage(samples=(0,)),), tau=2.0, delta=50.0)


@cache
def wide() -> Run:
    """4-500-10, trained on three samples and tested on four others."""
    stages = Stage(samples=(0, 1, 2)), Stage("test", 50.0, samples=(3, 4, 5, 6), learn=False, clamped=(0,))
    return synthetic_run((4, 500, 10), stages, nodes=30, weights=8)


def _times(save: Save, count: int, stage: Stage, tau: float) -> np.ndarray:
    times = save.times(count, stage.duration, tau) if stage.duration > 0.0 else np.zeros(2)
    return times[: stage.rows]


def _clock(rows: list[np.ndarray], starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    t = np.concatenate([start + own for start, own in zip(starts, rows, strict=False)])
    return t, np.repeat(np.arange(len(rows)), [own.size for own in rows])


def _variable(dims: tuple[str, ...], values: np.ndarray, long_name: str) -> tuple[Any, ...]:
    return dims, values, {"long_name": long_name, "units": "dimensionless"}


def _record(network: Network, stage: Stage, start: float, end: float) -> PhaseRecord:
    layers = [layer % (network.n + 1) for layer in stage.clamped]
    clamp = {layer: ClampRecord(layer, "constant") for layer in layers}
    return PhaseRecord(
        stage.name, stage.status, stage.status.meaning, float(start), float(end), stage.learn, None,
        stage.duration, clamp, stage.samples, 100, "cvode", "asked for",
        SolverStats(steps=10),
    )  # fmt: skip


def _node_variables(
    network: Network,
    stages: Sequence[Stage],
    t: np.ndarray,
    since: np.ndarray,
    phase: np.ndarray,
    rng: np.random.Generator,
) -> Variables:
    samples = 1 + max(sample for stage in stages for sample in stage.samples)
    numbers = sample_numbers(phase, {k: stage.samples for k, stage in enumerate(stages)})
    rows = np.arange(t.size)[:, None]

    def shown(values: np.ndarray) -> np.ndarray:
        """`values` of all samples as a result holds them: those that a row's phase shows."""
        return np.where(numbers[:, :, None] >= 0, values[rows, numbers], np.nan)

    fast = (1.0 - np.exp(-since / network.tau))[:, None, None]
    slow = (1.0 - np.exp(-t / network.delta))[:, None, None]
    ringing = np.cos(2.0 * since / network.tau) * np.exp(-0.5 * since / network.tau)
    course = (1.0 - ringing)[:, None, None] * (1.0 - slow)
    data: Variables = {}
    for layer, size in enumerate(network.sizes):
        dims = ("time", "sample", f"unit{layer}")
        first, jump, drift = rng.normal(size=(3, samples, size))
        clamps = np.array([layer in {c % (network.n + 1) for c in stage.clamped} for stage in stages])
        held = clamps[phase][:, None, None]
        x = np.where(held, np.sign(first), first + jump * fast + 0.5 * drift * slow)
        data[f"x{layer}"] = _variable(dims, shown(x), f"value nodes of layer {layer}")
        if layer:
            eps = rng.normal(size=(samples, size)) * course
            data[f"eps{layer}"] = _variable(dims, shown(eps), f"error nodes of layer {layer}")
    return data


def _step_variables(stages: Sequence[Stage], starts: np.ndarray) -> Variables:
    """Ten steps a phase, each twice as long as the one before, of order 2."""
    sizes, phases, times = [], [], []
    for k, (stage, start) in enumerate(zip(stages, starts, strict=False)):
        if stage.duration > 0.0:
            sizes.append(stage.duration * 2.0 ** np.arange(10) / (2.0**10 - 1.0))
            times.append(start + np.cumsum(sizes[-1]))
            phases.append(np.full(10, k))
    unit = {"units": "unit of tau"}
    time, size, phase = (np.concatenate([np.empty(0), *parts]) for parts in (times, sizes, phases))
    return {
        "step_time": ("step", time, {"long_name": "time at the end of the solver's step"} | unit),
        "step_size": ("step", size, {"long_name": "length of the solver's step"} | unit),
        "step_phase": ("step", phase.astype(int), {"long_name": "index of the phase of the solver's step"}),
        "step_order": _variable(("step",), np.full(time.size, 2.0), "order of the solver's step"),
    }


def _weight_variables(network: Network, rise: np.ndarray, rng: np.random.Generator) -> Variables:
    data: Variables = {}
    for k, (a, b) in enumerate(pairwise(network.sizes)):
        M = rng.normal(size=(a, b)) + rise[:, None, None] * rng.normal(size=(a, b))
        dims = ("weight_time", f"unit{k}", f"unit{k + 1}")
        data[f"M{k}"] = _variable(dims, M, f"prediction weights from layer {k} to layer {k + 1}")
        if network.feedback != "tied":
            kept = M if network.feedback == "learned" else np.repeat(M[:1], rise.size, axis=0)
            W = kept.transpose(0, 2, 1)
            name = f"feedback weights from layer {k + 1} to layer {k}"
            data[f"W{k}"] = _variable((dims[0], dims[2], dims[1]), W, name)
        beta = rise[:, None] * rng.normal(size=b)
        data[f"beta{k + 1}"] = _variable((dims[0], dims[2]), beta, f"bias of the prediction of layer {k + 1}")
    return data

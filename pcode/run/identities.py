"""What the equations say exactly of the saved rows of a run: its energies, and how nodes settle.

The energy identity. F and its slaved form are functions of the state alone, so that those which were saved
must be those of the saved nodes and weights, to rounding. The rate of neither has a sign in general: F rises
from eps = 0, and its balance with what flows is an integral over time, known no better than the rows are
dense. So nothing is said of it here.

How nodes settle. In a linear network with W = M^T, free predictions, weights held and clamps constant, the
rates of the nodes obey the same linear equations as the distance from rest: each sample by itself,
d/dt sum_l (tau^l |dx^l/dt|^2 + tau_eps^l |deps^l/dt|^2)
    = -2 sum_l (nu^l |deps^l/dt|^2 + lambda_x |dx^l/dt|^2),
see docs/model.md, "Lyapunov function". So that sum never rises from one row to a later one, however far
apart they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..base.errors import ComputationError
from ..model.network import Array, Network, Weights
from ..model.state import State
from ..system.problem import energies_of
from .record import PhaseRecord
from .result import Run
from .select import as_recorded
from .snapshot import Snapshot

# Most products that are formed for a check, and most rows of a phase that it looks at.
WORK, MOST_ROWS = 2e8, 64

Rows = NDArray[np.intp]


def energy_off(run: Run) -> float:
    """How far the saved terms of F are off those of the saved error nodes, relative to 1 + the largest."""
    there = run.data["sample_number"].to_numpy() >= 0
    terms = []
    for layer, nu in enumerate(run.network.nu, 1):
        eps = np.where(there[:, :, None], run.data[f"eps{layer}"].to_numpy(), 0.0)
        with np.errstate(all="ignore"):
            terms.append(0.5 * nu * np.einsum("tbi,tbi->t", eps, eps) / there.sum(axis=1))
    return _off(run.data["energy"].to_numpy(), np.stack(terms, axis=1))


def slaved_off(run: Run) -> float | str:
    """The same of the slaved energy, in rows whose weights were saved too; or why there is none."""
    saved, off = run.data["energy_slaved"].to_numpy(), []
    try:
        for k, record in enumerate(run.phases):
            for row, weights in _with_weights(run, k, record):
                state = State(*_nodes(run, row), weights)
                fixed = record.predictions == "fixed"
                at = replace(Snapshot.at(run, row), state=state).predicting if fixed else state.x
                off.append(_off(saved[row], energies_of(run.network, state, at)[1]))
    except ComputationError as error:
        return f"the activation cannot be computed with ({error.what})"
    return max(off) if off else "no row has the weights of its time"


def settling_off(run: Run) -> float | str:
    """By how much the rates of nodes rise between saved rows, where they cannot; or why that is not known.

    Relative to 1 + the largest value, and to the largest of 1, the variances and the weights, by which
    errors of the nodes become errors of their rates.
    """
    network, off = run.network, []
    if any(str(sigma) != "identity" for sigma in network.sigma):
        return "the network is not linear"
    if network.limit:
        return "tau = 0: the nodes are at rest at all times"
    if network.noisy:
        return "noise moves the nodes"
    for k, record in enumerate(run.phases):
        still = all(not clamp.moves and clamp.mask_known for clamp in record.clamp.values())
        free = record.predictions == "free"
        if record.learn is False and record.presentation is None and still and free:
            rows = np.flatnonzero(run.data["phase"].to_numpy() == k)
            held = np.flatnonzero(run.data["weight_phase"].to_numpy() == k)
            weights = _weights(run, int(held[0])) if held.size else None
            if rows.size > 1 and weights is not None and _symmetric(weights):
                off.append(_rise(run, record, _few(rows, run, len(record.samples)), weights))
    return max(off) if off else "no phase has W = M^T, weights held, free predictions and constant clamps"


def _with_weights(run: Run, k: int, record: PhaseRecord) -> Iterator[tuple[int, Weights]]:
    """Rows of the nodes in a phase, with the weights of the same time."""
    phase, weight_phase = (run.data[name].to_numpy() for name in ("phase", "weight_phase"))
    rows, weight_rows = np.flatnonzero(phase == k), np.flatnonzero(weight_phase == k)
    if record.learn is False and weight_rows.size:
        at = np.full(rows.size, weight_rows[0])
    else:
        t, weight_t = (
            as_recorded(record, run.data[name].to_numpy()[own])
            for name, own in (("time", rows), ("weight_time", weight_rows))
        )
        _, which, at = np.intersect1d(t, weight_t, return_indices=True)
        rows, at = rows[which], weight_rows[at]
    for row in _few(np.arange(rows.size), run, len(record.samples)).tolist():
        yield int(rows[row]), _weights(run, int(at[row]))


def _few(rows: Rows, run: Run, batch: int) -> Rows:
    """Some of these rows, evenly spread with both ends, such that the work is bounded."""
    sizes = run.network.sizes
    each = batch * sum(a * b for a, b in pairwise(sizes))
    most = int(min(MOST_ROWS, max(2.0, WORK / each)))
    places = np.linspace(0, rows.size - 1, min(most, rows.size)).round().astype(int)
    few: Rows = rows[np.unique(places)]
    return few


def _nodes(run: Run, row: int) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    count, n = int((run.data["sample_number"].to_numpy()[row] >= 0).sum()), run.network.n
    x, eps = (
        tuple(run.data[f"{name}{layer}"].to_numpy()[row, :count] for layer in range(first, n + 1))
        for name, first in (("x", 0), ("eps", 1))
    )
    return x, eps


def _weights(run: Run, row: int) -> Weights:
    arrays: dict[str, tuple[Array, ...] | None] = {"W": None}
    for variable in run.network.weight_variables:
        names = variable.names(run.network.n)
        arrays[variable.name] = tuple(run.data[name].to_numpy()[row] for name in names)
    return Weights(**arrays)  # type: ignore[arg-type]


def _symmetric(weights: Weights) -> bool:
    """Whether W = M^T, to rounding."""
    return weights.W is None or all(
        np.allclose(W, M.T, rtol=1e-12, atol=1e-14) for M, W in zip(weights.M, weights.W, strict=True)
    )


def _rise(run: Run, record: PhaseRecord, rows: Rows, weights: Weights) -> float:
    states = [_nodes(run, row) for row in rows.tolist()]
    sizes = np.array([_rates(run.network, record, *state, weights) for state in states])
    largest = max(
        (np.abs(a).max(initial=0.0) for state in states for part in state for a in part), default=0.0
    )
    steep = max(1.0, *run.network.nu, *(float(np.linalg.norm(M)) for M in weights.M))
    steep *= np.sqrt(run.network.longest_tau / run.network.shortest_tau)
    with np.errstate(all="ignore"):
        rises = np.diff(sizes, axis=0) / ((1.0 + largest) * steep)
    return float(np.max(rises[np.isfinite(rises)], initial=0.0))


def _rates(
    network: Network, record: PhaseRecord, x: tuple[Array, ...], eps: tuple[Array, ...], weights: Weights
) -> Array:
    """Root of the mean of tau |dx/dt|^2 and tau_eps |deps/dt|^2, times the largest tau, shape (B,).

    Of each sample of a linear network; slaved errors, which have no rates, do not count.
    """
    total, count, longest = np.zeros(len(x[0])), 0, network.longest_tau
    for layer, values in enumerate(x):
        clamp = record.clamp.get(layer)
        if clamp is None or clamp.mask is not None:
            rate = -network.node_decay * values
            if layer > 0:
                rate = rate - eps[layer - 1]
            if layer < network.n:
                rate = rate + eps[layer] @ weights.M[layer].T
            free = True if clamp is None or clamp.mask is None else ~clamp.mask
            total += longest / network.taus[layer] * np.where(free, rate**2, 0.0).sum(axis=1)
            count += values.shape[1]
        if layer > 0 and layer not in network.slaved:
            mu = x[layer - 1] @ weights.M[layer - 1] + weights.beta[layer - 1]
            rate = values - mu - network.nu[layer - 1] * eps[layer - 1]
            total += longest / network.taus_eps[layer - 1] * (rate**2).sum(axis=1)
            count += values.shape[1]
    size: Array = np.sqrt(total / count)
    return size


def _off(values: Array, right: Array) -> float:
    with np.errstate(all="ignore"):
        distance = np.abs(values - right) / (1.0 + np.max(np.abs(right), initial=0.0))
    return float(np.max(distance[np.isfinite(distance)], initial=0.0))

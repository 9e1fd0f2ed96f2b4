"""The state in which a phase starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..model.network import Array, Network, Weights
from ..model.phase import NodeStart, Phase
from ..model.presentation import Nodes
from ..model.state import State
from ..system.limit import settled
from ..system.problem import feedforward, given_nodes, make_problem
from ..system.rest import nodes_at_rest


def starting_state(
    network: Network,
    phase: Phase,
    shown: tuple[int, ...],
    nodes: NodeStart | State,
    weights: Weights,
    state: State | None,
    shown_before: tuple[int, ...],
) -> State:
    """The state in which `phase` starts, before clamped values are inserted.

    Samples that the phase before showed continue from `state`; the others start as `nodes` says, and so do
    all if the phase has `nodes` of its own. With tau = 0 all nodes start at the equilibrium to which their
    flow leads from there.

    Raises
    ------
    InputError
        If `nodes` is not a valid start, does not fit, or is "equilibrium" and none is reached; if tau = 0
        and no stable equilibrium is reached.
    """
    if phase.nodes is not None:
        nodes, shown_before = phase.nodes, ()
    start = _continued_nodes(network, phase, shown, nodes, weights, state, shown_before)
    if not network.limit:
        return start
    return settled(make_problem(network, phase, start, reduce=False))


def next_start(network: Network, phase: Phase, nodes: Nodes, first: NodeStart | State, state: State) -> State:
    """The state in which a presentation starts after one that reached `state`.

    Parameters
    ----------
    network : Network
    phase : Phase
        The presentation as a phase.
    nodes : {"carry", "feedforward", "zero", "equilibrium"}
        See `Presentation`.
    first : {"feedforward", "zero", "equilibrium"} or State
        Where rows start that the presentation before lacks.
    state : State

    Raises
    ------
    InputError
        As `starting_state`.
    """
    weights, batch = state.weights, len(phase.samples or ())
    if nodes != "carry":
        start = new_start(network, phase, nodes, weights, batch)
    else:
        kept = min(batch, len(state.x[0]))
        if kept == len(state.x[0]) == batch and not network.limit:
            return state
        start = state
        if kept < batch:
            start = new_start(
                network, phase, "feedforward" if isinstance(first, State) else first, weights, batch
            )
        x, eps = (
            tuple(np.concatenate([a[:kept], b[kept:batch]]) for a, b in zip(old, new, strict=True))
            for old, new in zip(state[:2], start[:2], strict=True)
        )
        start = State(x, eps, weights)
    return start if not network.limit else settled(make_problem(network, phase, start, reduce=False))


def _continued_nodes(
    network: Network,
    phase: Phase,
    shown: tuple[int, ...],
    nodes: NodeStart | State,
    weights: Weights,
    state: State | None,
    shown_before: tuple[int, ...],
) -> State:
    """The nodes as they were in `state` or, for samples not shown before, as `nodes` says."""
    batch = len(shown)
    if state is None and isinstance(nodes, State):
        return _given_start(network, nodes, weights, batch)
    rows_before = {} if state is None else {sample: row for row, sample in enumerate(shown_before)}
    stay = [row for row, sample in enumerate(shown) if sample in rows_before]
    where = "feedforward" if isinstance(nodes, State) else nodes
    start = new_start(network, phase, where if len(stay) < batch else "zero", weights, batch)
    if state is not None:
        rows = [rows_before[shown[row]] for row in stay]
        for new, old in zip((*start.x, *start.eps), (*state.x, *state.eps), strict=True):
            new[stay] = old[rows]
    return start


def new_start(network: Network, phase: Phase, where: str, weights: Weights, batch: int) -> State:
    """Nodes that start anew, as `where` says, B = `batch` of them.

    Raises
    ------
    InputError
        If it is "equilibrium", and none is reached.
    """
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
    # step=1.0 follows the flow: the start should be the equilibrium that the nodes themselves would reach.
    rest = nodes_at_rest(make_problem(network, phase, state, reduce=False), step=1.0)
    if not rest.found:
        what = (
            f"no equilibrium was reached from the feedforward pass in phase {phase.name!r} "
            f"(largest residual {rest.residual.max():.1e}); start at feedforward or zero"
        )
        raise InputError("nodes", what)
    x, eps = (tuple(map(np.array, part)) for part in rest.state[:2])
    return State(x, eps, weights)


def _given_start(network: Network, nodes: State, weights: Weights, batch: int) -> State:
    x = _given_layers("nodes.x", nodes.x, 0, network.sizes, batch)
    eps = _given_layers("nodes.eps", nodes.eps, 1, network.sizes[1:], batch)
    return State(x, eps, weights)


def _given_layers(
    where: str, values: Any, first: int, sizes: tuple[int, ...], batch: int
) -> tuple[Array, ...]:
    given = checks.listed(where, values, f"a list of {len(sizes)} arrays, one a layer")
    if len(given) != len(sizes):
        raise InputError(where, f"has {len(given)} layers; must have {len(sizes)}")
    arrays = tuple(checks.real_array(f"{where}[{k}]", value) for k, value in enumerate(given))
    for layer, (array, size) in enumerate(zip(arrays, sizes, strict=True), first):
        if array.shape != (batch, size):
            what = f"layer {layer} has shape {array.shape}; must be {(batch, size)}"
            raise InputError(where, f"{what}, a row for each sample that is shown first")
        if not np.isfinite(array).all():
            raise InputError(where, f"layer {layer} has values that are not finite")
    return arrays

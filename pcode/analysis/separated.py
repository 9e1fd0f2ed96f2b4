"""The two pairs of time scales whose separation is asked for, and the flows that are compared for each.

Weights and nodes: the weights of the full flow beside those of the singular limit, tau = 0. Values and
errors: the value nodes beside those with slaved errors, tau_eps = 0. The distance is a norm, in parts of how
far that which is compared moves in the limit. The initial layer, in which what is fast comes to its rest
value, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..base.errors import InputError
from ..model.network import Array, Network, Weights
from ..model.phase import Phase
from ..model.state import State
from ..run.snapshot import Snapshot
from ..solvers import IVP, METHODS, Settings
from ..system.abscissa import spectral_abscissa
from ..system.limit import SlowProblem, settled
from ..system.problem import make_problem

PairName = Literal["weights", "errors"]

# The initial layer, in units of the time of what is fast: what is left there then is below 1%.
LAYER = 5.0

# Where the nodes of a sample are more than this, their slowest rate is taken as min(nu) / 2.
MOST_NODES = 1_000


@dataclass(frozen=True)
class Pair:
    """Two time constants, in words.

    Attributes
    ----------
    name : {"weights", "errors"}
    ratio, inverse : str
        Slow over fast, and fast over slow.
    compared, limit : str
        What is compared, and with which limit.
    without : str
        What is said of a run in the limit.
    symbols : tuple of str
        Of the slow and the fast time constant, in mathtext without dollar signs.
    column : str
        Name of the ratio in tables.
    """

    name: PairName
    ratio: str
    inverse: str
    compared: str
    limit: str
    without: str
    symbols: tuple[str, str]
    column: str


PAIRS: dict[str, Pair] = {
    "weights": Pair(
        "weights",
        "delta/tau",
        "tau/delta",
        "the weights",
        "the singular limit",
        "this run has tau = 0",
        (r"\delta", r"\tau"),
        "delta_over_tau",
    ),
    "errors": Pair(
        "errors",
        "tau/tau_eps",
        "tau_eps/tau",
        "the values",
        "slaved errors",
        "the errors of this run are slaved",
        (r"\tau", r"\tau_\varepsilon"),
        "tau_over_tau_eps",
    ),
}


@dataclass(frozen=True)
class Limit:
    """The flow in the limit, with which others are compared.

    Attributes
    ----------
    course : ndarray, shape (T, count)
        What is compared, at the times that are reached.
    first : ndarray, shape (count,)
        At the start.
    ended : str
        Why it ended early; empty if it did not.
    layer : callable
        The length of the initial layer for a network.
    """

    course: Array
    first: Array
    ended: str
    layer: Callable[[Network], float]


def limit_of(
    pair: Pair, network: Network, phase: Phase, state: State, times: Array, settings: Settings
) -> Limit:
    """The limit of a pair, from `state`.

    Raises
    ------
    InputError
        If there is none: no stable rest of the nodes, or it ends at once.
    """
    if pair.name == "weights":
        return _singular(network, phase, state, times, settings)
    slaved = make_problem(network.with_errors_faster(np.inf), phase, state)
    course, ended = course_of(pair, slaved, times, settings)
    if not len(course):
        raise InputError("phase", f"the flow with slaved errors ends at once: {ended}")

    def layer(full: Network) -> float:
        """Errors decay at the rates nu / tau_eps."""
        return LAYER * max(tau / nu for tau, nu in zip(full.taus_eps, full.nu, strict=True))

    return Limit(course, _read(pair, slaved, 0.0, slaved.y0), ended, layer)


def _singular(network: Network, phase: Phase, state: State, times: Array, settings: Settings) -> Limit:
    """The weights of the singular limit."""
    limit = network.with_longest_tau(0.0)
    whole = make_problem(limit, phase, state, reduce=False)
    try:
        rest = settled(whole)
    except InputError as error:
        why = error.what.replace("tau = 0 they must", "tau = 0 the nodes must").split(";")[0]
        what = f"there is no singular limit to compare with: {why}"
        raise InputError("phase", f"{what}; ask of a phase whose nodes come to a stable rest") from None
    problem = SlowProblem(make_problem(limit, phase, rest))
    course, ended = course_of(PAIRS["weights"], problem, times, settings)
    if not len(course):
        raise InputError("phase", f"the singular limit ends at once: {ended}")
    slowest = _slowest_rate(network, phase, rest)
    return Limit(course, _vector(state.weights), ended, lambda full: LAYER * full.longest_tau / slowest)


def _slowest_rate(network: Network, phase: Phase, rest: State) -> float:
    """The slowest rate of the nodes at rest, in units of one over the largest tau."""
    one = network.with_longest_tau(1.0)
    held = make_problem(one, phase, rest, reduce=False).hold()
    nodes, batch = held.layout.node_count // held.layout.batch, held.layout.batch
    slowest = min(network.nu) / 2.0
    if nodes > MOST_NODES:
        return slowest
    few = np.arange(batch if nodes <= 100 else 1, dtype=np.int64)
    rate = -spectral_abscissa(held.system, 0.0, held.y0, few).rate
    return rate if rate > 1e-3 * slowest else slowest  # a continuum of equilibria has rate 0


def course_of(pair: Pair, problem: IVP, times: Array, settings: Settings) -> tuple[Array, str]:
    """What is compared, at those of `times` that are reached, shape (T, count), and why not at all."""
    rows: list[Array] = []

    def save(k: int, t: float, y: Array) -> None:
        rows.append(_read(pair, problem, t, y))

    solution = METHODS["auto"].solve(problem, times, settings, save, lambda *_: False)
    return np.array(rows), (solution.detail or solution.status.meaning) if solution.status.failed else ""


def _read(pair: Pair, problem: IVP, t: float, y: Array) -> Array:
    """M and beta, or the value nodes, as one vector."""
    if pair.name == "weights":
        return _vector(problem.state(t, y).weights)
    return np.concatenate([np.ravel(x_l) for x_l in problem.nodes(t, y)[0]])


def _vector(weights: Weights) -> Array:
    return np.concatenate([np.ravel(a) for a in (*weights.M, *weights.beta)])


def own_ratio(pair: Pair, start: Snapshot) -> float | None:
    """The run's own ratio; None if it is in the limit."""
    network = start.network
    if pair.name == "weights":
        return None if network.limit else slow_time(pair, start) / network.longest_tau
    return None if network.limit or np.isinf(network.errors_faster) else network.errors_faster


def slow_time(pair: Pair, start: Snapshot) -> float:
    """The slow time constant: delta of the fastest link that learns, or the largest tau."""
    network = start.network
    return min(network.deltas_of(start.record.learn)) if pair.name == "weights" else network.longest_tau


def with_ratio(pair: Pair, start: Snapshot, ratio: float) -> Network:
    """The network of a run with another ratio, by another tau or another tau_eps."""
    network = start.network
    if pair.name == "weights":
        return network.with_longest_tau(slow_time(pair, start) / ratio)
    return network.with_errors_faster(ratio)

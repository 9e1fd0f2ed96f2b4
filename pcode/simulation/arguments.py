"""The arguments of a simulation, each taken as what it must be, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..model.network import Network, Weights
from ..model.phase import NodeStart
from ..model.state import State
from ..solvers import Settings

# Below a hundred rounding errors no step can be judged; SciPy would take this in place of less.
LEAST_RTOL = 100.0 * float(np.finfo(np.float64).eps)

# Tolerances bound a step's error only where it is small. Beyond this stable networks were seen to diverge
# (at 0.1, with five of eight methods), or to end at 13 times the right values (at 0.03).
LARGEST_TOLERANCE = 1e-2

# More steps than any run takes.
MOST_STEPS = 10**15


def settings_of(rtol: float, atol: float, max_steps: int) -> Settings:
    """What a user sets of a solver, within the bounds in which tolerances mean something.

    Raises
    ------
    InputError
        If one is out of them, or no number.
    """
    loose = f"beyond {LARGEST_TOLERANCE:g} a step's error is not bounded any more"
    relative, absolute = checks.number("rtol", rtol), checks.number("atol", atol, above=0.0)
    if not LEAST_RTOL <= relative <= LARGEST_TOLERANCE:
        right = f"must be from {LEAST_RTOL:.2g} to {LARGEST_TOLERANCE:g}, not {relative:g}"
        raise InputError("rtol", f"{right}; below that rounding errors are larger, {loose}")
    if absolute > LARGEST_TOLERANCE:
        raise InputError("atol", f"must be at most {LARGEST_TOLERANCE:g}, not {absolute:g}; {loose}")
    return Settings(relative, absolute, checks.whole("max_steps", max_steps, least=1, most=MOST_STEPS))


def weights_of(network: Network, weights: Any) -> Weights:
    """The weights to start from.

    Raises
    ------
    InputError
        If they do not fit the network.
    """
    try:
        return network.check_weights(weights)
    except InputError as error:
        raise (error if error.where == "weights" else error.within("weights")) from None


def check_nodes(nodes: Any) -> None:
    """Raise InputError unless `nodes` says where nodes start."""
    if isinstance(nodes, State):
        return
    try:
        checks.word("nodes", nodes, get_args(NodeStart))
    except InputError:
        known = ", ".join(get_args(NodeStart))
        raise InputError("nodes", f"must be {known} or a State, not {checks.shown(nodes)}") from None


def oddities(network: Network, learning: Iterable[bool]) -> list[str]:
    """What is possible, but odd enough to be said, where phases are `learning` or not: one line each."""
    if network.tau > network.delta and any(learning):
        clocks = f"delta = {network.delta:g} is less than tau = {network.tau:g}"
        return [f"{clocks}: the weights are faster than the nodes, which do not settle between their changes"]
    return []

"""Checks of the arguments of a simulation, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, get_args

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.near import hint
from ..model.activation import Activation
from ..model.activations import ACTIVATIONS
from ..model.network import Network, Weights
from ..model.phase import NodeStart
from ..model.probing import kinks_of, told
from ..model.state import State
from ..solvers import Settings

# Below 100 rounding errors a step's error cannot be estimated; SciPy has the same lower bound.
LEAST_RTOL = 100.0 * float(np.finfo(np.float64).eps)

# Tolerances bound a step's error only if it is small. With larger ones stable networks diverged (at 0.1, with
# five of eight methods), or ended at 13 times the right values (at 0.03).
LARGEST_TOLERANCE = 1e-2

# Upper bound on max_steps, beyond any run.
MOST_STEPS = 10**15


def settings_of(rtol: float, atol: float, max_steps: int) -> Settings:
    """The settings of a solver, if tolerances are within bounds in which they are meaningful.

    Raises
    ------
    InputError
        If a value is out of bounds, or not a number.
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
    """Raise InputError unless `nodes` is a `NodeStart` or a `State`."""
    if isinstance(nodes, State):
        return
    try:
        checks.word("nodes", nodes, get_args(NodeStart))
    except InputError:
        known = ", ".join(get_args(NodeStart))
        what = f"must be {known} or a State, not {checks.shown(nodes)}"
        raise InputError("nodes", f"{what}{hint(nodes, get_args(NodeStart))}") from None


def oddities(network: Network, learning: Iterable[bool | tuple[str, ...]]) -> list[str]:
    """Notes on unusual parameters, one line each; `learning` says of each phase whether its weights learn."""
    notes = [note for one in dict.fromkeys(network.sigma) for note in _undeclared_kinks(one)]
    slowest = max(network.longest_tau, *network.taus_eps)
    if slowest > network.shortest_delta and any(learning):
        name = "tau" if slowest == network.longest_tau else "tau_eps"
        clocks = f"delta = {network.shortest_delta:g} is less than {name} = {slowest:g}"
        notes.append(
            f"{clocks}: the weights are faster than the nodes, which do not settle between their changes"
        )
    return notes


@lru_cache(maxsize=256)
def _undeclared_kinks(sigma: Activation) -> tuple[str, ...]:
    """A note on kinks of a user's activation that it does not declare."""
    if ACTIVATIONS.get(sigma.name) is sigma:
        return ()
    found = [kink for kink in kinks_of(sigma.df) if not np.isclose(kink, sigma.kinks, rtol=1e-9).any()]
    if not found:
        return ()
    what = f"the slope of {sigma} jumps at {told(found)}, which its kinks do not tell"
    at = ", ".join(f"{kink:.15g}" for kink in sorted({*sigma.kinks, *found}))
    return (f"{what}: nodes there are not followed exactly; with pcode.Activation(f, kinks=[{at}]) they are",)

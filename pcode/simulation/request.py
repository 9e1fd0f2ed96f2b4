"""What a run is asked to do, checked before anything is computed: by `simulate` and by `pcode check`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..model.network import Network, Weights
from ..model.phase import NodeStart, Phase, Save
from ..model.state import State
from ..run.result import storable
from ..solvers import Settings
from .callbacks import Callbacks
from .plan import Plan, phases_of, plan

# Below a hundred rounding errors no step can be judged; SciPy would take this in place of less.
LEAST_RTOL = 100.0 * float(np.finfo(np.float64).eps)

# Tolerances bound a step's error only where it is small. Beyond this stable networks were seen to diverge
# (at 0.1, with five of eight methods), or to end at 13 times the right values (at 0.03).
LARGEST_TOLERANCE = 1e-2

# More steps than any run takes.
MOST_STEPS = 10**15


@dataclass(frozen=True)
class Request:
    """What a run is asked to do.

    Attributes
    ----------
    network : Network
    phases : tuple of Phase
    weights : Weights
    nodes : {"feedforward", "zero", "equilibrium"} or State
    method : str
    settings : Settings
    save : Save
    callbacks : Callbacks
    attributes : dict
    plan : Plan
    notes : tuple of str
        What is possible, but odd enough to be said.
    """

    network: Network
    phases: tuple[Phase, ...]
    weights: Weights
    nodes: NodeStart | State
    method: str
    settings: Settings
    save: Save
    callbacks: Callbacks
    attributes: dict[str, Any]
    plan: Plan
    notes: tuple[str, ...]


def request(
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
    probes: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
    progress: Callable[..., Any] | None = None,
    stop: Callable[[], Any] | None = None,
) -> Request:
    """The arguments of `pcode.simulate`, each taken as what it must be.

    Raises
    ------
    InputError
        If anything asked for cannot be done, as far as that can be known without computing.
    """
    save = Save() if save is None else save
    listed = phases_of(phases)
    made = plan(network, listed, save, method)
    settings = settings_of(rtol, atol, max_steps)
    try:
        checked = network.check_weights(weights)
    except InputError as error:
        raise (error if error.where == "weights" else error.within("weights")) from None
    if not isinstance(nodes, State):
        try:
            checks.word("nodes", nodes, get_args(NodeStart))
        except InputError:
            known = ", ".join(get_args(NodeStart))
            raise InputError("nodes", f"must be {known} or a State, not {checks.shown(nodes)}") from None
    callbacks = Callbacks(probes, progress, stop)
    kept, notes = storable(attributes), tuple(oddities(network, listed))
    return Request(network, listed, checked, nodes, method, settings, save, callbacks, kept, made, notes)


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


def oddities(network: Network, phases: Iterable[Phase]) -> list[str]:
    """What is possible, but odd enough to be said: one line each."""
    if network.tau > network.delta and any(phase.learn for phase in phases):
        clocks = f"delta = {network.delta:g} is less than tau = {network.tau:g}"
        return [f"{clocks}: the weights are faster than the nodes, which do not settle between their changes"]
    return []

"""Checks of what noise on the nodes needs of a method and of a phase, before anything is computed."""

from __future__ import annotations

from .. import solvers
from ..base import checks
from ..base.errors import InputError
from ..model.network import Network
from ..model.phase import Phase
from ..model.state import Layout
from ..solvers import Settings, StochasticSolver

# Largest seed: that of JAX's keys.
MOST_SEED = 2**63 - 1

# The keys of a phase that errors name; others are those of the network or the solver.
PHASE_KEYS = ("until", "presentation.hold")

_STOCHASTIC = ", ".join(name for name, one in solvers.METHODS.items() if isinstance(one, StochasticSolver))


def step_of(network: Network, step: object) -> float | None:
    """The length of fixed steps in the unit of the network, or None.

    Raises
    ------
    InputError
        If it is not a positive time.
    """
    if step is None:
        return None
    length = network.time("step", step)
    return checks.number("step", length, above=0.0)


def seed_of(seed: object) -> int:
    """The seed of the noise; raises InputError if it is not a whole number of 0 or more."""
    return checks.whole("seed", seed, least=0, most=MOST_SEED)


def check_method(network: Network, method: str, settings: Settings) -> None:
    """Raise InputError unless `method` goes with the network's noise, and with fixed steps if asked for."""
    solver = solvers.by_name(method)
    stochastic = isinstance(solver, StochasticSolver)
    if network.noisy and not stochastic and method != "auto":
        what = f"{method} has no noise, and temperature is above 0; use auto, or one of {_STOCHASTIC}"
        raise InputError("method", what)
    if settings.step is None:
        if isinstance(solver, StochasticSolver) and not solver.adaptive:
            raise InputError("step", f"is left out, and {method} has fixed steps: give one, such as 0.1 tau")
    elif not stochastic and not network.noisy:
        what = f"goes with methods for noise ({_STOCHASTIC}); {method} chooses its steps: leave it out"
        raise InputError("step", what)


def check_phase(network: Network, phase: Phase, layout: Layout, method: str, settings: Settings) -> None:
    """Raise InputError if a phase asks for what there is not with noise.

    With noise, nodes do not come to rest. Methods for noise hold no node at a kink of its activation, which
    it leaves at once if it has noise itself.
    """
    stochastic = isinstance(solvers.by_name(method), StochasticSolver)
    presented = phase.presentation is not None and phase.presentation.until is not None
    if (network.noisy or stochastic) and (phase.until == "equilibrium" or presented):
        key = "presentation.hold" if presented else "until"
        what = 'is "equilibrium", where nodes with noise never are (temperature is above 0); give a time'
        if not network.noisy:
            what = f'is "equilibrium", which {method}, made for noise, does not look for; take another method'
        raise InputError(key, what)
    if not network.noisy and not stochastic:
        return
    if settings.step is not None and settings.step > (longest := _longest(phase)):
        what = f"must be at most {longest:g}, how long {phase.name!r} lasts, not {settings.step:g}"
        raise InputError("step", what)
    for layer, (sigma, T) in enumerate(zip(network.sigma, network.temperatures, strict=False)):
        if sigma.kinks and layout.free[layer] and T == 0.0:
            what = f"{sigma} of layer {layer} has a kink, at which nodes without noise may be held"
            right = "give the layer a temperature too, or a smooth activation"
            raise InputError("network.temperature", f"{what}, and methods for noise hold none; {right}")


def _longest(phase: Phase) -> float:
    """How long the phase, or one of its presentations, lasts."""
    shown = phase.presentation
    return float(phase.duration if shown is None else shown.longest)

"""The integration methods by name: one interface to SUNDIALS, SciPy and diffrax.

A solver sees an initial value problem, never the network. It imports `system` and rooms below.
"""

from __future__ import annotations

from ..base.errors import InputError
from ..base.near import hint
from .attempt import attempt
from .auto import AutoSolver
from .base import IVP, RENEWED, Settings, Solution, Solver
from .diffrax import DiffraxSolver
from .scipy import SciPySolver
from .slow import RestingSolver
from .stochastic import StochasticSolver
from .sundials import CVODESolver

__all__ = [
    "IVP", "METHODS", "RENEWED", "RESTING", "AutoSolver", "DiffraxSolver", "Settings", "Solution", "Solver",
    "StochasticSolver", "about", "attempt", "by_name",
]  # fmt: skip

_ALL: tuple[Solver, ...] = (
    CVODESolver(),
    SciPySolver("BDF", implicit=True),
    SciPySolver("Radau", implicit=True),
    SciPySolver("LSODA", implicit=True),
    SciPySolver("RK45", implicit=False),
    SciPySolver("DOP853", implicit=False),
    DiffraxSolver("Kvaerno5", implicit=True),
    DiffraxSolver("Kvaerno3", implicit=True),
    DiffraxSolver("Tsit5", implicit=False),
    DiffraxSolver("Dopri8", implicit=False),
)

METHODS: dict[str, Solver] = {solver.name: solver for solver in _ALL}
_STOCHASTIC = (
    StochasticSolver("ShARK", adaptive=True),
    StochasticSolver("SPaRK", adaptive=True),
    StochasticSolver("SRA1", adaptive=True),
    StochasticSolver("EulerHeun", adaptive=False),
)
METHODS |= {solver.name: solver for solver in _STOCHASTIC}
METHODS["auto"] = AutoSolver(dict(METHODS))

# Used when there are no unknowns; users cannot choose it.
RESTING: Solver = RestingSolver()


def about(name: str) -> str:
    """What kind of method it is, in a few words."""
    solver = METHODS[name]
    if isinstance(solver, AutoSolver):
        return "chooses an explicit or an implicit method for each phase (the default)"
    if isinstance(solver, StochasticSolver):
        return f"for noise, with {'adaptive or ' if solver.adaptive else ''}fixed steps (step); explicit"
    return "implicit" if solver.implicit else "explicit"


def by_name(name: str) -> Solver:
    """The solver called `name`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in METHODS:
        known = f"there are {', '.join(METHODS)}{hint(name, METHODS)}"
        raise InputError("method", f"no method {name!r}; {known}")
    return METHODS[name]

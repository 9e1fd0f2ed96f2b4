"""What solvers are given."""

from __future__ import annotations

from dataclasses import dataclass

from ..system.limit import SlowProblem
from ..system.problem import Problem

# What a solver integrates: the coupled system, or with tau = 0 the weights alone.
IVP = Problem | SlowProblem


@dataclass(frozen=True)
class Settings:
    """What a user sets of a solver.

    Attributes
    ----------
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown.
    max_steps : int
        Most steps of a phase.
    """

    rtol: float = 1e-6
    atol: float = 1e-9
    max_steps: int = 1_000_000

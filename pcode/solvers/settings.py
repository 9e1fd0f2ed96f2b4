"""What solvers are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from ..system.limit import SlowProblem
from ..system.problem import Problem

# What a solver integrates: the coupled system, or with tau = 0 the weights alone.
IVP = Problem | SlowProblem


def has_nodes(problem: IVP) -> TypeGuard[Problem]:
    """Whether nodes are among the unknowns, so that it has a Jacobian and a structured solve."""
    return problem.layout.nodes


def has_slaved_nodes(problem: IVP) -> TypeGuard[SlowProblem]:
    """Whether nodes follow the weights at every instant, so that their equilibrium may be lost."""
    return not problem.layout.nodes


@dataclass(frozen=True)
class Settings:
    """What a user sets of a solver.

    Attributes
    ----------
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown.
    max_steps : int
        Most steps from one saved joint of a phase to the next.
    """

    rtol: float = 1e-6
    atol: float = 1e-9
    max_steps: int = 1_000_000

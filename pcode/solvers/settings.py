"""What solvers are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeGuard

from ..model.network import Array
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
    """How to solve a problem.

    Attributes
    ----------
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown.
    max_steps : int
        Most steps of a phase.
    saved : ndarray or None
        Those of the times to be looked at that are saved in any case; all where None. How values within a
        step are found may depend on how many of these it has, see `DenseOutput`, but on no others: so that to
        look on changes nothing.
    """

    rtol: float = 1e-6
    atol: float = 1e-9
    max_steps: int = 1_000_000
    saved: Array | None = field(default=None, compare=False)

    def saved_of(self, times: Array) -> Array:
        """Which of the `times` to be looked at are saved."""
        return times if self.saved is None else self.saved

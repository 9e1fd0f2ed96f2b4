"""What is passed to a solver: the kinds of problem, and the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from ..model.network import Array
from ..system.limit import SlowProblem
from ..system.problem import Problem

# What a solver integrates: the coupled system, or with tau = 0 the weights alone.
IVP = Problem | SlowProblem


def has_nodes(problem: IVP) -> TypeGuard[Problem]:
    """Whether nodes are among the unknowns, so that the problem has a Jacobian and a structured solve."""
    return problem.layout.nodes


def has_slaved_nodes(problem: IVP) -> TypeGuard[SlowProblem]:
    """Whether the nodes are at equilibrium at every instant (tau = 0), which they may lose."""
    return not problem.layout.nodes


@dataclass(frozen=True)
class Settings:
    """How to solve a problem.

    Attributes
    ----------
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown.
    max_steps : int
        Most steps of a phase, or of each of its presentations.
    step : float or None
        Length of the steps of methods for noise; None for adaptive ones.
    seed : int
        Of the noise.
    path : tuple of int
        What the noise of this integration has of its own: the index of the phase, and of the presentation.
    saved : ndarray or None
        Those of the times to be saved that belong to the trajectory, without those of observers; None for
        all. Interpolation within a step may depend on their number (see `DenseOutput`), but not on the
        others, so that observers do not change the result.
    begins : callable or None
        ``begins(t, y, so_far)`` is called where the integration begins, at its start and anew after it, so
        that one that begins there takes the same steps; ``so_far()`` returns the cost and the steps up to
        there.
    """

    rtol: float = 1e-6
    atol: float = 1e-9
    max_steps: int = 1_000_000
    step: float | None = None
    seed: int = 0
    path: tuple[int, ...] = field(default=(), compare=False)
    saved: Array | None = field(default=None, compare=False)
    begins: Callable[[float, Array, Callable[[], Any]], None] | None = field(default=None, compare=False)

    def saved_of(self, times: Array) -> Array:
        """Those of `times` that belong to the trajectory."""
        return times if self.saved is None else self.saved

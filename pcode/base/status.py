"""How a phase ended and what it cost, the same for all solvers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a phase or a run ended, the same for all solvers; `meaning` explains each."""

    SUCCESS = "success"
    EQUILIBRIUM = "equilibrium"
    NOT_SETTLED = "not_settled"
    INTERRUPTED = "interrupted"
    MAX_STEPS = "max_steps"
    STEP_TOO_SMALL = "step_too_small"
    NONLINEAR_FAILURE = "nonlinear_failure"
    DIVERGED = "diverged"

    @property
    def meaning(self) -> str:
        """What happened, what usually causes it, and what to try."""
        return _MEANING[self]

    @property
    def failed(self) -> bool:
        """Whether the integration ended before it had done what was asked."""
        return _RANK[self] >= _RANK[Status.INTERRUPTED]

    @staticmethod
    def worst(statuses: list[Status]) -> Status:
        """The status of a run whose phases ended with these; `success` if there are none."""
        return max(statuses, key=_RANK.__getitem__, default=Status.SUCCESS)


_MEANING = {
    Status.SUCCESS: "the phase ran for its whole duration",
    Status.EQUILIBRIUM: "all rates fell to settle_tol and the phase ended there",
    Status.NOT_SETTLED: (
        "the duration was over before all rates fell to settle_tol: the network is still moving, "
        "slowly or in an oscillation; give it a longer duration, or look at its rates"
    ),
    Status.INTERRUPTED: "the run was stopped from outside; it holds what was reached",
    Status.MAX_STEPS: (
        "the solver used up max_steps, or was far from enough of them: an explicit method on a stiff system "
        "needs a step for every fraction of tau, an implicit one many where nodes ring or rtol is tight"
    ),
    Status.STEP_TOO_SMALL: (
        "steps became so short that they lead nowhere: the solution changes too abruptly, as it does just "
        "before it diverges, or something in the problem is too fast for its other timescales"
    ),
    Status.NONLINEAR_FAILURE: (
        "the implicit step's equations could not be solved: usually because a solution grows without "
        "bound, or because rtol is too loose; try a tighter rtol or another method. With tau = 0: the nodes "
        "lost their stable equilibrium"
    ),
    Status.DIVERGED: (
        "a value grew beyond all bounds: feedback W far from M^T can make the nodes unstable, as can "
        "weights that learn without decay from a growing activation; look at where it starts to grow"
    ),
}

_RANK = {
    status: rank
    for rank, status in enumerate(
        (
            Status.SUCCESS,
            Status.EQUILIBRIUM,
            Status.NOT_SETTLED,
            Status.INTERRUPTED,
            Status.MAX_STEPS,
            Status.STEP_TOO_SMALL,
            Status.NONLINEAR_FAILURE,
            Status.DIVERGED,
        )
    )
}


@dataclass(frozen=True)
class SolverStats:
    """The cost of a phase.

    Attributes
    ----------
    steps : int
        Accepted steps.
    rejected : int or None
        Rejected steps; None where the solver does not count them.
    rhs_evaluations, jacobian_evaluations : int or None
        Evaluations of the right-hand side, and of the Jacobian or its action on a vector; None where the
        solver does not count them.
    compile_seconds, solve_seconds : float
        Wall time of compilation, and of everything else.
    """

    steps: int = 0
    rejected: int | None = 0
    rhs_evaluations: int | None = 0
    jacobian_evaluations: int | None = 0
    compile_seconds: float = 0.0
    solve_seconds: float = 0.0

    def __add__(self, other: SolverStats) -> SolverStats:
        """The cost of both together; None for a count that either lacks."""

        def total(a: Any, b: Any) -> Any:
            return None if a is None or b is None else a + b

        names = (one.name for one in fields(self))
        return SolverStats(*(total(getattr(self, name), getattr(other, name)) for name in names))

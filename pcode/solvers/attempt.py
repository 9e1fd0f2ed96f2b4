"""Run a solver, and explain a failure by its status, the method and likely causes."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from ..base.errors import ComputationError
from ..base.status import SolverStats, Status
from ..model.network import Array
from .base import LARGEST, OnSave, OnStep, Solution, Solver, uncomputable
from .causes import badly_scaled, causes, largest_value
from .progress import silenced
from .settings import IVP, Settings


def attempt(
    solver: Solver, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep
) -> Solution:
    """`Solver.solve`, with advice in `Solution.detail` if it fails.

    It is not tried if rates or energies would overflow at the start. Where the rates cannot be computed at
    all there, the solution ends where it begins.
    """
    try:
        return _attempt(solver, problem, times, settings, save, watch)
    except ComputationError as error:
        failed = Status.NONLINEAR_FAILURE
        return Solution(failed, problem.start, problem.y0, SolverStats(), detail=uncomputable(error))


def _attempt(
    solver: Solver, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep
) -> Solution:
    began = time.perf_counter()
    with silenced(), problem.spent.paused():
        size, finite = largest_value(problem), bool(np.isfinite(problem.rhs(problem.start, problem.y0)).all())
    # The first evaluation traces and may compile: the solver, which begins after it, cannot count that.
    first = SolverStats(compile_seconds=time.perf_counter() - began)
    if size >= LARGEST or not finite:
        what = (
            f"the rates at the start, where the largest value is {size:.3g}, are beyond what can be computed"
        )
        return Solution(Status.DIVERGED, problem.start, problem.y0, first, detail=f"{what}; {_SCALE}")
    solution = solver.solve(problem, times, settings, save, watch)
    solution = replace(solution, stats=solution.stats + first)
    if not solution.status.failed or solution.status is Status.INTERRUPTED or _has_own_detail(solution):
        return solution
    largest = problem.schedule.largest
    if largest >= LARGEST:
        what = f"{_WHAT[Status.DIVERGED]}: a clamp reaches {largest:.3g}"
        return replace(solution, status=Status.DIVERGED, detail=f"{what}; {_SCALE}")
    return replace(solution, detail=_advice(solver, problem, settings, solution))


_SCALE = "scale the data to about 1, and tau, delta and nu to numbers that belong to it"


def _has_own_detail(solution: Solution) -> bool:
    return bool(solution.detail) and solution.status is not Status.MAX_STEPS


def _advice(solver: Solver, problem: IVP, settings: Settings, solution: Solution) -> str:
    """What happened, its likely cause, and what to try."""
    what = _WHAT[solution.status]
    if solution.detail:
        what = solution.detail
    found = causes(problem)
    if found:
        other = "" if solver.implicit or badly_scaled(problem) else "; or use an implicit method (cvode)"
        return f"{what}: {'; '.join(found)}{other}"
    if solution.status is Status.DIVERGED:
        return Status.DIVERGED.meaning
    return f"{what}; {_try(solver.implicit, solution, settings)}"


_WHAT = {
    Status.MAX_STEPS: "the solver used up max_steps",
    Status.STEP_TOO_SMALL: "steps became so short that they lead nowhere",
    Status.NONLINEAR_FAILURE: "the implicit step's equations could not be solved",
    Status.DIVERGED: "a value grew beyond all bounds",
}


def _try(implicit: bool, solution: Solution, settings: Settings) -> str:
    """What to try, of a method that is `implicit` or not."""
    if solution.status is Status.MAX_STEPS:
        return _MORE_STEPS if implicit else _STIFF
    if solution.status is Status.NONLINEAR_FAILURE:
        return _TIGHTER
    return f"{_ABRUPT}{_SMALL_TOLERANCE if settings.rtol < TIGHT else ''}" + (
        "" if implicit else f"; {_STIFF}"
    )


# Below this rtol rounding errors are nearly as large as the tolerance.
TIGHT = 1e-12

_STIFF = (
    "an explicit method on a stiff system needs a step for every fraction of tau; use an implicit method "
    "(cvode)"
)
_MORE_STEPS = (
    "the method is made for stiff systems already: nodes that go on ringing, or a tight rtol, need many "
    "steps; loosen rtol and atol, shorten the phase, or raise max_steps"
)
_TIGHTER = (
    "usually a solution grows without bound, or rtol is too loose; look at the last state, try a tighter "
    "rtol or another method"
)
_ABRUPT = (
    "the solution changes too abruptly for any step, as it does just before it diverges; look at the last "
    "state"
)
_SMALL_TOLERANCE = ", and loosen rtol: rounding errors alone are nearly as large"

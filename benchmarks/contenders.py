"""What a competent user would put together without pcode's solvers, on the same vector field.

All of them take the whole system of a `pcode.system.problem.Problem`, none of its unknowns reduced away, with
compiled right-hand sides and exact Jacobians. The vector field and its derivatives are pcode's own, so that
what is compared is how the equations are solved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.integrate
from numpy.typing import NDArray
from sksundae.cvode import CVODE, CVODEJacTimes

from pcode import solvers
from pcode.base.errors import InputError
from pcode.model.network import Network, Weights
from pcode.model.phase import Phase
from pcode.simulation.start import starting_state
from pcode.system.coupled import System
from pcode.system.problem import Problem, make_problem

Array = NDArray[np.float64]

MAX_STEPS = 10_000_000


@dataclass(frozen=True)
class Answer:
    """What a contender found.

    Attributes
    ----------
    y : ndarray, shape (T, N)
        The unknowns at the times asked for.
    steps : int or None
        Steps kept.
    rejected : int or None
        Steps thrown away; None where the steps kept cannot be told from them.
    """

    y: Array
    steps: int | None
    rejected: int | None = None


class Failed(Exception):  # noqa: N818 (an outcome to be reported, more than an error)
    """A contender gave up, with its reason."""


Contender = Callable[[Problem, Array, float, float], Answer]


def whole_problem(network: Network, phase: Phase, weights: Weights) -> Problem:
    """The initial value problem of `phase` from pcode's default start, with all of its unknowns."""
    shown = tuple(range(phase.batch or 1))
    state = starting_state(network, phase, shown, "feedforward", weights, None, ())
    return make_problem(network, phase, state, reduce=False)


def scipy_ivp(name: str, jacobian: bool, problem: Problem, times: Array, rtol: float, atol: float) -> Answer:
    """`scipy.integrate.solve_ivp` with an exact dense Jacobian where the method takes one."""
    taken = 0

    class Counting(getattr(scipy.integrate, name)):  # type: ignore[misc]
        def step(self) -> str | None:
            nonlocal taken
            taken += 1
            told: str | None = super().step()
            return told

    options = {"jac": problem.jacobian} if jacobian else {}
    span = (0.0, problem.duration)
    found = scipy.integrate.solve_ivp(
        problem.rhs, span, problem.y0, method=Counting, t_eval=times, rtol=rtol, atol=atol, **options
    )
    if not found.success:
        raise Failed(found.message)
    return Answer(found.y.T, taken)


def cvode(problem: Problem, times: Array, rtol: float, atol: float, **options: Any) -> Answer:
    """CVODE's BDF, called once for all times, with linear algebra by `options`."""
    tried: list[float] = [-1.0]

    def rhs(t: float, y: Array, dy: Array) -> None:
        if t != tried[-1]:
            tried.append(t)
        dy[:] = problem.rhs(t, y)

    # It stops after 500 steps between two outputs unless told otherwise, and does not raise when it fails.
    solver = CVODE(rhs, method="BDF", rtol=rtol, atol=atol, max_num_steps=MAX_STEPS, **options)
    found = solver.solve(times, problem.y0)
    if not found.success:
        raise Failed(str(found.message))
    # CVODE's counters are not passed on: each step it tries evaluates at a time of its own.
    return Answer(np.asarray(found.y), len(tried) - 1)


def cvode_dense(problem: Problem, times: Array, rtol: float, atol: float) -> Answer:
    """With LAPACK's dense factors of the exact Jacobian; SUNDIALS' own where the system is small."""

    def jacobian(t: float, y: Array, dy: Array, J: Array) -> None:
        J[:] = problem.jacobian(t, y)

    linsolver = "lapackdense" if problem.y0.size > 100 else "dense"
    return cvode(problem, times, rtol, atol, linsolver=linsolver, jacfn=jacobian)


def cvode_gmres(vectors: int, problem: Problem, times: Array, rtol: float, atol: float) -> Answer:
    """With GMRES on the exact Jacobian action, and no preconditioner."""

    def action(t: float, y: Array, dy: Array, v: Array, out: Array) -> None:
        out[:] = problem.jacobian_action(t, y, v)

    krylov = {"linsolver": "gmres", "krylov_dim": min(vectors, problem.y0.size)}
    return cvode(problem, times, rtol, atol, jactimes=CVODEJacTimes(None, action), **krylov)


def diffrax_solve(name: str, problem: Problem, times: Array, rtol: float, atol: float) -> Answer:
    """`diffrax.diffeqsolve`, compiled, with its default root finder and a PID controller."""
    import jax

    ends = (problem.duration, times, problem.y0, problem.parameters, rtol, atol)
    y, steps, rejected, success = jax.block_until_ready(_diffeqsolve()(*ends, name, problem.structure))
    if not success:
        raise Failed("diffrax did not reach the end")
    return Answer(np.asarray(y), int(steps), int(rejected))


def _diffeqsolve() -> Any:
    global _compiled
    if _compiled is None:
        import jax

        _compiled = jax.jit(_traced, static_argnames=("name", "structure"))
    return _compiled


_compiled: Any = None


def _traced(
    end: Any, times: Any, y0: Any, p: Any, rtol: Any, atol: Any, name: str, structure: Any
) -> tuple[Any, Any, Any, Any]:
    import diffrax

    found = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, args: System(structure, args).rhs(t, y)),
        getattr(diffrax, name)(),
        0.0,
        end,
        None,
        y0,
        p,
        stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
        saveat=diffrax.SaveAt(ts=times),
        max_steps=MAX_STEPS,
        adjoint=diffrax.ForwardMode(),  # no derivatives are taken: the loop need not keep its steps
        throw=False,
    )
    stats = found.stats
    success = found.result == diffrax.RESULTS.successful
    return found.ys, stats["num_accepted_steps"], stats["num_rejected_steps"], success


def pcode_unreduced(name: str, problem: Problem, times: Array, rtol: float, atol: float) -> Answer:
    """One of pcode's methods on the whole system; a reference for others, not a contender."""
    solver = solvers.by_name(name)
    try:
        solver.check(problem.layout)
    except InputError as error:
        raise Failed(str(error)) from None
    rows = [problem.y0]
    settings = solvers.Settings(rtol, atol, MAX_STEPS)
    found = solver.solve(
        problem, times[1:], settings, lambda k, t, y: rows.append(np.array(y)), lambda *_: False
    )
    if len(rows) != times.size:
        raise Failed(found.status.meaning)
    return Answer(np.array(rows), found.stats.steps, found.stats.rejected)


GENERIC: Mapping[str, Contender] = {
    "SciPy BDF": partial(scipy_ivp, "BDF", True),
    "SciPy Radau": partial(scipy_ivp, "Radau", True),
    "SciPy LSODA": partial(scipy_ivp, "LSODA", True),
    "SciPy RK45": partial(scipy_ivp, "RK45", False),
    "SciPy DOP853": partial(scipy_ivp, "DOP853", False),
    "diffrax Kvaerno5": partial(diffrax_solve, "Kvaerno5"),
    "diffrax Kvaerno3": partial(diffrax_solve, "Kvaerno3"),
    "diffrax Tsit5": partial(diffrax_solve, "Tsit5"),
    "diffrax Dopri8": partial(diffrax_solve, "Dopri8"),
    "CVODE dense": cvode_dense,
    "GMRES(30)": partial(cvode_gmres, 30),
    "GMRES(60)": partial(cvode_gmres, 60),
}

# Not contenders: they are there to be compared with.
FOR_REFERENCE: Mapping[str, Contender] = {
    "Kvaerno5, whole system": partial(pcode_unreduced, "Kvaerno5"),
}

"""diffrax's methods: Kvaerno5, Kvaerno3, Tsit5, Dopri8."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._jax import jax, jnp
from ..network import Array
from ..problem import Problem
from ..state import Layout
from ..status import SolverStats, Status
from ..system import Parameters, Structure, unrest, vector_field
from .base import Save, Settings, Solution, Watch, march, refuse_above

# A dense Jacobian of this many unknowns and its factors take 0.4 GB, and seconds to factor.
LARGEST_DENSE = 5_000

# Steps taken between two returns from compiled code: enough to make the return's cost small.
BURST = 64


class _Carry(NamedTuple):
    """Where a diffrax integration stands between two steps."""

    t_before: Any  # start of the last step that was kept
    t: Any
    t_next: Any  # end of the step to try next
    y: Any
    solver_state: Any
    controller_state: Any
    made_jump: Any
    dense_info: Any  # of the last step that was kept
    steps: Any
    rejected: Any


def _parts(name: str, structure: Structure, rtol: Any, atol: Any) -> tuple[Any, Any, Any]:
    import diffrax  # takes half a second: only for those who use it

    controller = diffrax.PIDController(rtol=rtol, atol=atol)
    method = getattr(diffrax, name)
    solver = (
        # As shipped: the root finder takes the tolerances of the step size controller.
        method(root_finder=diffrax.VeryChord(rtol=rtol, atol=atol, norm=controller.norm))  # type: ignore[arg-type]
        if issubclass(method, diffrax.AbstractImplicitSolver)
        else method()
    )
    term = diffrax.ODETerm(lambda t, y, args: vector_field(t, y, args, structure))
    return solver, controller, term


@partial(jax.jit, static_argnames=("name", "structure"))
def _begin(name: str, structure: Structure, y0: Any, t1: Any, p: Parameters, rtol: Any, atol: Any) -> _Carry:
    solver, controller, term = _parts(name, structure, rtol, atol)
    order = solver.error_order(term)
    t0, none, jump = jnp.zeros(()), jnp.zeros((), int), jnp.zeros((), bool)
    t_next, controller_state = controller.init(term, t0, t1, y0, None, p, solver.func, order)
    t_next = jnp.minimum(t_next, t1)
    solver_state = solver.init(term, t0, t_next, y0, p)
    shapes = jax.eval_shape(lambda: solver.step(term, t0, t_next, y0, p, solver_state, jump)[2])
    dense_info = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return _Carry(t0, t0, t_next, y0, solver_state, controller_state, jump, dense_info, none, none)


@partial(jax.jit, static_argnames=("name", "structure"))
def _burst(
    name: str,
    structure: Structure,
    carry: _Carry,
    until: Any,
    t1: Any,
    most: Any,
    settle_tol: Any,
    p: Parameters,
    rtol: Any,
    atol: Any,
) -> _Carry:
    """Step until `until` is reached, or the system is at rest, or `most` steps have been tried."""
    solver, controller, term = _parts(name, structure, rtol, atol)
    order = solver.error_order(term)
    first = carry.steps + carry.rejected

    def going(c: _Carry) -> Any:
        tried = c.steps + c.rejected - first
        able = jnp.isfinite(c.y).all() & (c.t_next > c.t)
        moving = unrest(c.t, c.y, p, structure) > settle_tol
        return (tried == 0) | ((c.t < until) & (tried < most) & able & moving)

    def step(c: _Carry) -> _Carry:
        y, y_error, dense_info, solver_state, _ = solver.step(
            term, c.t, c.t_next, c.y, p, c.solver_state, c.made_jump
        )
        y_error = jnp.where(jnp.isnan(y_error), jnp.inf, y_error)
        keep, t, t_next, made_jump, controller_state, _ = controller.adapt_step_size(
            c.t, c.t_next, c.y, y, p, y_error, order, c.controller_state
        )

        def kept(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)

        return _Carry(
            t_before=kept(c.t, c.t_before),
            t=jnp.minimum(t, t1),
            t_next=jnp.minimum(t_next, t1),
            y=kept(y, c.y),
            solver_state=kept(solver_state, c.solver_state),
            controller_state=controller_state,
            made_jump=kept(jnp.asarray(made_jump), c.made_jump),
            dense_info=kept(dense_info, c.dense_info),
            steps=c.steps + keep,
            rejected=c.rejected + ~keep,
        )

    last: _Carry = jax.lax.while_loop(going, step, carry)
    return last


@partial(jax.jit, static_argnames=("name", "structure"))
def _interpolate(name: str, structure: Structure, c: _Carry, t: Any, rtol: Any, atol: Any) -> Any:
    solver, _, _ = _parts(name, structure, rtol, atol)
    return solver.interpolation_cls(t0=c.t_before, t1=c.t, **c.dense_info).evaluate(t)


class _Stepper:
    """A diffrax method, stepped by hand in compiled bursts, as a `Stepper`."""

    def __init__(self, name: str, problem: Problem, settings: Settings) -> None:
        self._problem, self._settings = problem, settings
        self._static = (name, problem.structure)
        self._tolerances = (settings.rtol, settings.atol)
        self._settle_tol = -1.0 if problem.settle_tol is None else problem.settle_tol
        self._carry = _begin(
            *self._static, problem.y0, problem.duration, problem.parameters, *self._tolerances
        )
        self._read()

    def _read(self) -> None:
        carry = self._carry
        self.t_before, self.t, self.y = float(carry.t_before), float(carry.t), np.asarray(carry.y)
        self.steps, self.rejected = int(carry.steps), int(carry.rejected)

    def advance(self, until: float) -> Status | None:
        self._carry = self._burst(until, min(BURST, self._settings.max_steps - self.steps))
        self._read()
        if float(self._carry.t_next) <= self.t < self._problem.duration:
            return Status.STEP_TOO_SMALL
        return None

    def _burst(self, until: float, most: int) -> _Carry:
        problem = self._problem
        ends = (float(until), problem.duration, most, self._settle_tol)
        carry: _Carry = _burst(*self._static, self._carry, *ends, problem.parameters, *self._tolerances)
        return carry

    def compile(self) -> None:
        """Have everything compiled, without moving."""
        jax.block_until_ready(self._burst(0.0, 1))
        self.interpolate(0.0)

    def interpolate(self, t: float) -> Array:
        if t == self.t and self.t > 0.0:
            return self.y
        return np.asarray(_interpolate(*self._static, self._carry, float(t), *self._tolerances))

    def stats(self) -> SolverStats:
        # diffrax does not count the evaluations inside its nonlinear solves.
        return SolverStats(
            steps=self.steps, rejected=self.rejected, rhs_evaluations=None, jacobian_evaluations=None
        )


@dataclass(frozen=True)
class DiffraxSolver:
    """A method of diffrax (Kidger 2021) with its PID controller and, if implicit, its root finder."""

    name: str
    implicit: bool

    def check(self, layout: Layout) -> None:
        """Refuse implicit methods where the dense Jacobian would not fit."""
        if self.implicit:
            refuse_above(self.name, layout, LARGEST_DENSE, "factors a dense Jacobian")

    def solve(self, problem: Problem, times: Array, settings: Settings, save: Save, watch: Watch) -> Solution:
        """See `Solver.solve`."""
        began = time.perf_counter()
        stepper = _Stepper(self.name, problem, settings)
        stepper.compile()
        compiled = time.perf_counter()
        return march(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

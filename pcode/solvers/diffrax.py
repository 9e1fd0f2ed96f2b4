"""diffrax's methods: Kvaerno5, Kvaerno3, Tsit5, Dopri8."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import IN_ORDER, jax, jnp
from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from ..system import kinks
from ..system.coupled import Parameters, Structure, System
from ..system.problem import Problem
from .base import (
    INSIDE,
    IVP,
    OnSave,
    OnStep,
    Settings,
    Solution,
    coupled,
    integrate,
    kink_share,
    kink_tolerance,
    next_stop,
    refuse_above,
    refuse_without_nodes,
)
from .dense_output import INNER, DenseOutput

# For this many unknowns a dense Jacobian and its factors take 0.4 GB, and factoring takes seconds.
LARGEST_DENSE = 5_000

ORDERS = {"Kvaerno5": 5, "Kvaerno3": 3, "Tsit5": 5, "Dopri8": 8}

# Most steps in one call of compiled code: enough to make the cost of a call negligible.
BURST = 64


class _Kind(NamedTuple):
    """A method, and whether it uses diffrax's own root finder."""

    name: str
    shipped: bool


class _Carry(NamedTuple):
    """The state of a diffrax integration between two steps."""

    t_before: Any  # start of the last accepted step
    t: Any
    t_next: Any  # end of the step to try next
    y: Any
    solver_state: Any
    controller_state: Any
    made_jump: Any
    dense_info: Any  # of the last accepted step
    solver_state_before: Any  # at the start of that step
    steps: Any
    rejected: Any
    ends: Any  # ends of the steps accepted in the last burst, shape (BURST,)


class _Tolerances(NamedTuple):
    """Tolerances, and the number of variables that each unknown represents, shape (N,)."""

    rtol: Any
    atol: Any
    stands_for: Any

    def norm(self, v: Any) -> Any:
        """Root mean square over all variables of the model, whether they are unknowns or not."""
        return jnp.sqrt(jnp.average(v**2, weights=self.stands_for))


def _parts(kind: _Kind, structure: Structure, tolerances: _Tolerances) -> tuple[Any, Any, Any]:
    import diffrax  # here because the import takes half a second

    from .structured_root import StructuredNewton

    # As in diffrax, the root finder uses the tolerances of the step size controller.
    options = {"rtol": tolerances.rtol, "atol": tolerances.atol, "norm": tolerances.norm}
    controller = diffrax.PIDController(**options)
    method = getattr(diffrax, kind.name)
    if not issubclass(method, diffrax.AbstractImplicitSolver):
        solver = method()
    elif kind.shipped:
        solver = method(root_finder=diffrax.VeryChord(**options))
    else:
        solver = method(root_finder=StructuredNewton(structure, **options))
    term = diffrax.ODETerm(lambda t, y, args: System(structure, args).rhs(t, y))
    return solver, controller, term


@partial(jax.jit, static_argnames=("kind", "structure"), compiler_options=IN_ORDER)
def _begin(
    kind: _Kind, structure: Structure, y0: Any, t0: Any, t1: Any, p: Parameters, tolerances: _Tolerances
) -> _Carry:
    solver, controller, term = _parts(kind, structure, tolerances)
    order = solver.error_order(term)
    t0, none, jump = jnp.asarray(t0, float), jnp.zeros((), int), jnp.zeros((), bool)
    t_next, controller_state = controller.init(term, t0, t1, y0, None, p, solver.func, order)
    t_next = jnp.minimum(t_next, t1)
    solver_state = solver.init(term, t0, t_next, y0, p)
    shapes = jax.eval_shape(lambda: solver.step(term, t0, t_next, y0, p, solver_state, jump)[2])
    dense_info = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    before = (dense_info, solver_state)
    ends = jnp.zeros(BURST)
    return _Carry(t0, t0, t_next, y0, solver_state, controller_state, jump, *before, none, none, ends)


def _largest_excess(solver: Any, system: System, c: _Carry) -> Any:
    """Largest `kinks.excess` at the end of the last step or within it."""
    step = c.t - c.t_before
    share = kink_share(step, system.constants.tau, jnp)
    curve = solver.interpolation_cls(t0=c.t_before, t1=c.t, **c.dense_info)

    def within(t: Any) -> Any:
        return kinks.excess(system, t, curve.evaluate(t), share, 1.0)

    inside = jnp.where(step > 0.0, jax.vmap(within)(c.t_before + INSIDE * step).max(), -jnp.inf)
    return jnp.maximum(inside, kinks.excess(system, c.t, c.y, share))


def _step(method: tuple[Any, Any, Any], p: Parameters, stops: Any, index: Any, c: _Carry) -> _Carry:
    """Try a step; `index` is the number of steps accepted in this burst, `stops` as for `_burst`."""
    solver, controller, term = method
    order = solver.error_order(term)
    y, y_error, dense_info, solver_state, _ = solver.step(
        term, c.t, c.t_next, c.y, p, c.solver_state, c.made_jump
    )
    y_error = jnp.where(jnp.isnan(y_error), jnp.inf, y_error)
    keep, t, t_next, made_jump, controller_state, _ = controller.adapt_step_size(
        c.t, c.t_next, c.y, y, p, y_error, order, c.controller_state
    )

    t1 = stops[jnp.minimum(jnp.searchsorted(stops, t, side="right"), stops.size - 1)]

    def kept(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)

    return _Carry(
        t_before=kept(c.t, c.t_before),
        t=t,
        t_next=jnp.minimum(t_next, t1),
        y=kept(y, c.y),
        solver_state=kept(solver_state, c.solver_state),
        controller_state=controller_state,
        made_jump=kept(jnp.asarray(made_jump), c.made_jump),
        dense_info=kept(dense_info, c.dense_info),
        solver_state_before=kept(c.solver_state, c.solver_state_before),
        steps=c.steps + keep,
        rejected=c.rejected + ~keep,
        # A rejected step's end is overwritten by the next step.
        ends=c.ends.at[index].set(t),
    )


@partial(jax.jit, static_argnames=("kind", "structure"), compiler_options=IN_ORDER)
def _burst(
    kind: _Kind,
    structure: Structure,
    carry: _Carry,
    until: Any,
    stops: Any,
    most: Any,
    settle_tol: Any,
    settles_from: Any,
    kink_tolerance: Any,
    p: Parameters,
    tolerances: _Tolerances,
) -> _Carry:
    """Step until `until` is reached, all is at rest, a node reaches a kink, or `most` steps are tried.

    No step crosses one of the times `stops`; they are padded by repeating the last one.
    """
    method = _parts(kind, structure, tolerances)
    solver = method[0]
    first, kept_before, system = carry.steps + carry.rejected, carry.steps, System(structure, p)

    def moving(c: _Carry) -> Any:
        """Whether the residual is above settle_tol; evaluated only if needed, as it costs a stage."""
        return jax.lax.cond(
            (settle_tol >= 0.0) & (c.t >= settles_from),
            lambda: system.residual(c.t, c.y) > settle_tol,
            lambda: jnp.array(True),
        )

    def going(c: _Carry) -> Any:
        tried = c.steps + c.rejected - first
        able = jnp.isfinite(c.y).all() & (c.t_next > c.t)
        if p.mode is not None:
            able &= _largest_excess(solver, system, c) <= kink_tolerance
        return (tried == 0) | ((c.t < until) & (tried < most) & able & moving(c))

    def step(c: _Carry) -> _Carry:
        return _step(method, p, stops, c.steps - kept_before, c)

    last: _Carry = jax.lax.while_loop(going, step, carry)
    return last


@partial(jax.jit, static_argnames=("kind", "structure", "quick"), compiler_options=IN_ORDER)
def _interpolate(
    kind: _Kind,
    structure: Structure,
    c: _Carry,
    t: Any,
    p: Parameters,
    tolerances: _Tolerances,
    quick: bool = False,
) -> Any:
    """The unknowns at a time within the last accepted step; if `quick`, by diffrax's interpolant."""
    import diffrax

    solver, _, term = _parts(kind, structure, tolerances)
    between = solver.interpolation_cls(t0=c.t_before, t1=c.t, **c.dense_info).evaluate(t)
    if quick or kind.name not in INNER:
        return between
    y0, no_jump = c.dense_info["y0"], jnp.zeros((), bool)
    y, _, _, _, result = solver.step(term, c.t_before, t, y0, p, c.solver_state_before, no_jump)
    return jnp.where(diffrax.is_okay(result) & jnp.isfinite(y).all(), y, between)


class _Stepper:
    """A diffrax method as a `Stepper`, with bursts of steps in compiled code."""

    def __init__(self, kind: _Kind, problem: Problem, times: Array, settings: Settings) -> None:
        self._settings = settings
        # For these methods diffrax's interpolant is of lower order than the steps.
        self._dense = DenseOutput(kind.name, times, self._drawn) if kind.name in INNER else None
        self._static = (kind, problem.structure)
        self._tolerances = _Tolerances(settings.rtol, settings.atol, problem.stands_for)
        self.order: int | None = ORDERS[kind.name]
        self._taken = 0
        self._kink_tolerance = kink_tolerance(settings)
        self._settle_tol = -1.0 if problem.settle_tol is None else problem.settle_tol
        # Padded to a power of two, so that code is compiled for few different lengths.
        stops = problem.schedule.stops
        more = (1 << (stops.size - 1).bit_length()) - stops.size
        self._stops = np.pad(stops, (0, more), constant_values=problem.duration)
        self._begin(problem)

    def _begin(self, problem: Problem, **counts: Any) -> None:
        """Start from the start of `problem`, with these `counts` of steps so far."""
        self._problem = problem
        span = (problem.start, next_stop(problem, problem.start))
        carry: _Carry = _begin(*self._static, problem.y0, *span, problem.parameters, self._tolerances)
        self._carry = carry._replace(**counts)
        self._read()

    def restart(self, problem: IVP) -> None:
        before = self._carry
        self._begin(coupled(problem, self._static[0].name), steps=before.steps, rejected=before.rejected)

    def _read(self) -> None:
        carry = self._carry
        self.t_before, self.t, self.y = float(carry.t_before), float(carry.t), np.asarray(carry.y)
        self.steps, self.rejected = int(carry.steps), int(carry.rejected)
        if self._dense is not None:
            self._dense.begin(self.t_before, self.t, np.asarray(carry.dense_info["y0"]), self.y)

    def advance(self, until: float) -> Status | None:
        before = self.steps
        self._carry = self._burst(until, min(BURST, self._settings.max_steps - self.steps))
        self._read()
        self._taken = self.steps - before
        if not float(self._carry.t_next) > self.t and self.t < self._problem.duration:
            return Status.STEP_TOO_SMALL
        return None

    def ends(self) -> list[float]:
        ends: list[float] = np.asarray(self._carry.ends)[: self._taken].tolist()
        return ends

    def _burst(self, until: float, most: int) -> _Carry:
        problem = self._problem
        ends = (float(until), self._stops, most, self._settle_tol, float(problem.settles_from))
        how = (self._kink_tolerance, problem.parameters, self._tolerances)
        carry: _Carry = _burst(*self._static, self._carry, *ends, *how)
        return carry

    def compile(self) -> None:
        """Compile everything, without advancing."""
        jax.block_until_ready(self._burst(0.0, 1))
        self._drawn(0.0)

    def interpolate(self, t: float) -> Array:
        if t == self.t and self.t > self._problem.start:
            return self.y
        return self._drawn(t) if self._dense is None else self._dense(t)

    def _drawn(self, t: float, quick: bool = False) -> Array:
        parameters = self._problem.parameters
        # A float, because another type would trigger another compilation.
        at = (self._carry, float(t), parameters, self._tolerances)
        return np.asarray(_interpolate(*self._static, *at, quick=quick))

    def draw(self, t: float) -> Array:
        return self._drawn(t, quick=True) if self._dense is not None else self.interpolate(t)

    def stats(self) -> SolverStats:
        # Unknown: diffrax does not count the evaluations inside its nonlinear solves.
        return SolverStats(
            steps=self.steps, rejected=self.rejected, rhs_evaluations=None, jacobian_evaluations=None
        )


@dataclass(frozen=True)
class DiffraxSolver:
    """A method of diffrax (Kidger 2021) with its PID controller.

    Attributes
    ----------
    name : str
    implicit : bool
    shipped : bool
        Solve implicit stages as diffrax itself does, by a dense factorisation, instead of by the structured
        solve (`pcode.solvers.structured_root`). For comparison.
    """

    name: str
    implicit: bool
    shipped: bool = False

    def check(self, layout: Layout) -> None:
        """Refuse the limit tau = 0, and a dense Jacobian that is too large."""
        refuse_without_nodes(self.name, layout)
        if self.implicit and self.shipped:
            refuse_above(self.name, layout, LARGEST_DENSE, "factors a dense Jacobian")

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        problem = coupled(problem, self.name)
        began = time.perf_counter()
        saved = settings.saved_of(times)
        stepper = _Stepper(_Kind(self.name, self.shipped), problem, saved, settings)
        stepper.compile()
        compiled = time.perf_counter()
        return integrate(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

"""diffrax's methods: Kvaerno5, Kvaerno3, Tsit5, Dopri8."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base._jax import compiled, jax, jnp
from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from ..system.coupled import Parameters, Structure, System
from ..system.problem import Problem
from .base import (
    IVP,
    OnSave,
    OnStep,
    Settings,
    Solution,
    coupled,
    integrate,
    kink_tolerance,
    next_stop,
    refuse_above,
    refuse_without_nodes,
)
from .dense_output import INNER, DenseOutput
from .stepping import BURST, Carry, Kind, Tolerances, begin, interpolate, largest_excess, padded, parts, step

# For this many unknowns a dense Jacobian and its factors take 0.4 GB, and factoring takes seconds.
LARGEST_DENSE = 5_000

ORDERS = {"Kvaerno5": 5, "Kvaerno3": 3, "Tsit5": 5, "Dopri8": 8}

# A step of these takes seconds to compile. So values within a step come from the code that takes all steps,
# although a function of its own would need a tenth of the time less for a small network.
SLOW_TO_COMPILE = ("Kvaerno5",)

_begin = compiled(static_argnames=("kind", "structure"))(begin)
_interpolate = compiled(static_argnames=("kind", "structure", "quick"))(interpolate)


@compiled(static_argnames=("kind", "structure"))
def _burst(
    kind: Kind,
    structure: Structure,
    carry: Carry,
    until: Any,
    stops: Any,
    most: Any,
    settle_tol: Any,
    settles_from: Any,
    kink_tolerance: Any,
    p: Parameters,
    tolerances: Tolerances,
) -> Carry:
    """Step until `until` is reached, all is at rest, a node reaches a kink, or `most` steps are tried.

    No step crosses one of the times `stops`; they are padded by repeating the last one.
    """
    method = parts(kind, structure, tolerances)
    solver = method[0]
    first, kept_before, system = carry.steps + carry.rejected, carry.steps, System(structure, p)

    def moving(c: Carry) -> Any:
        """Whether the residual is above settle_tol; evaluated only if needed, as it costs a stage."""
        return jax.lax.cond(
            (settle_tol >= 0.0) & (c.t >= settles_from),
            lambda: system.residual(c.t, c.y) > settle_tol,
            lambda: jnp.array(True),
        )

    def going(c: Carry) -> Any:
        tried = c.steps + c.rejected - first
        able = jnp.isfinite(c.y).all() & (c.t_next > c.t)
        if p.mode is not None:
            able &= largest_excess(solver, system, c) <= kink_tolerance
        return (tried == 0) | ((c.t < until) & (tried < most) & able & moving(c))

    def one(c: Carry) -> Carry:
        return step(method, p, stops, c.steps - kept_before, c)

    last: Carry = jax.lax.while_loop(going, one, carry)
    return last


class _Stepper:
    """A diffrax method as a `Stepper`, with bursts of steps in compiled code."""

    def __init__(self, kind: Kind, problem: Problem, times: Array, settings: Settings) -> None:
        self._settings = settings
        # For these methods diffrax's interpolant is of lower order than the steps.
        reach = self._reached if kind.name in SLOW_TO_COMPILE else self._drawn
        self._dense = DenseOutput(kind.name, times, reach) if kind.name in INNER else None
        self._static = (kind, problem.structure)
        self._tolerances = Tolerances(settings.rtol, settings.atol, problem.stands_for)
        self.order: int | None = ORDERS[kind.name]
        self._taken = 0
        self._kink_tolerance = kink_tolerance(settings)
        self._settle_tol = -1.0 if problem.settle_tol is None else problem.settle_tol
        self._stops = padded(problem.schedule.stops, problem.duration)
        self._begin(problem)

    def _begin(self, problem: Problem, **counts: Any) -> None:
        """Start from the start of `problem`, with these `counts` of steps so far."""
        self._problem = problem
        span = (problem.start, next_stop(problem, problem.start))
        carry: Carry = _begin(*self._static, problem.y0, *span, problem.there.parameters, self._tolerances)
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
        self._carry = self._burst(self._carry, until, min(BURST, self._settings.max_steps - self.steps))
        self._read()
        self._taken = self.steps - before
        if not float(self._carry.t_next) > self.t and self.t < self._problem.duration:
            return Status.STEP_TOO_SMALL
        return None

    def ends(self) -> list[float]:
        ends: list[float] = np.asarray(self._carry.ends)[: self._taken].tolist()
        return ends

    def _burst(self, carry: Carry, until: float, most: int) -> Carry:
        problem = self._problem
        ends = (float(until), self._stops, most, self._settle_tol, float(problem.settles_from))
        how = (self._kink_tolerance, problem.there.parameters, self._tolerances)
        last: Carry = _burst(*self._static, carry, *ends, *how)
        return last

    def compile(self) -> None:
        """Compile everything, without advancing."""
        jax.block_until_ready(self._burst(self._carry, 0.0, 1))
        if self._static[0].name not in SLOW_TO_COMPILE:
            self._drawn(0.0)

    def interpolate(self, t: float) -> Array:
        if t == self.t and self.t > self._problem.start:
            return self.y
        return self._drawn(t) if self._dense is None else self._dense(t)

    def _drawn(self, t: float, quick: bool = False) -> Array:
        parameters = self._problem.there.parameters
        # A float, because another type would trigger another compilation.
        at = (self._carry, float(t), parameters, self._tolerances)
        return np.asarray(_interpolate(*self._static, *at, quick=quick))

    def _reached(self, t: float) -> Array:
        """Where a step from the start of the last one to `t` ends, by the code that takes all steps.

        Should it be rejected, which a step that is shorter than an accepted one hardly ever is, a function of
        its own takes it all the same.
        """
        c = self._carry
        start = {"t": c.t_before, "y": c.dense_info["y0"], "solver_state": c.solver_state_before}
        begun = c._replace(**start, t_next=np.float64(t), made_jump=np.bool_(False))
        ended = self._burst(begun, t, 1)
        return np.asarray(ended.y) if int(ended.steps) > self.steps else self._drawn(t)

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
        stepper = _Stepper(Kind(self.name, self.shipped), problem, saved, settings)
        stepper.compile()
        compiled = time.perf_counter()
        return integrate(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

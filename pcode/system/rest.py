"""Equilibria of the nodes for given weights and clamps, by pseudo-transient continuation.

The method (Kelley and Keyes 1998) takes implicit Euler steps of length h along the nodes' flow,

    (I / h - tau J) d = tau dz/dt,

with h growing as the rates fall, until they are steps of Newton's method (h infinite). With the weights held
the samples of a batch are uncoupled, so each has its own step length, and the structured elimination solves
its linear system exactly with matrices of a layer's size. If some nodes are also held, as in a phase plane, a
dense matrix is used (`pcode.analysis.planes.field`).

To follow a moving equilibrium (`stay`), steps are those of Newton's method, and it is checked that they
contract (Deuflhard 2004, section 2.1), so that the nodes stay on their branch of equilibria.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from ..base.evaluated import Evaluated
from ..base.short import Short
from ..model.network import Array
from ..model.state import State
from . import kinks
from .coupled import System
from .elimination import solve_exactly
from .problem import Problem
from .runge_kutta import rk4_step

# A step is accepted if the rates grow by less than the factor GROWTH; a step of Newton's method, only if they
# fall below NEWTON_FALL times what they were. After a rejected step h is SHORTER times shorter.
GROWTH, NEWTON_FALL, SHORTER = 4.0, 0.9, 10.0

# 1/h changes in proportion to the rates, by factors from FALL to RISE; FIRST_INVERSE_STEP is 1/h after a
# rejected step of Newton's method.
FALL, RISE, FIRST_INVERSE_STEP = 0.1, 2.0, 1.0

# To stay on a branch, each correction must be CONTRACTION times the last one or less, unless it is at the
# level of ROUNDING. MOST_STAYING is the most corrections; two or three are usual. The step is LONG, in units
# of tau, instead of infinite: that costs a relative error of 1e-6 in each correction, and in a continuum of
# equilibria it keeps the nodes near their start.
CONTRACTION, ROUNDING, MOST_STAYING, LONG = 0.5, 1e-9, 12, 1e6

# Residuals, max |tau dz/dt| / (1 + |z|), that count as rest: FOLLOWING where nodes follow the weights in the
# singular limit, far below what the weights' tolerances need; AT_REST elsewhere.
FOLLOWING, AT_REST = 1e-11, 1e-12

# Most steps to an equilibrium from an arbitrary start.
MOST_STEPS = 200

# Duration and step of the explicit integration in `followed`, in units of tau, and the residual at which it
# ends early.
FOLLOWED, STEP, NEAR = 60.0, 0.02, 1e-3

# After this many steps a change of modes in a step of Newton's method is taken for a cycle, and h made
# finite.
MOST_PASSING = 20


class Flow(NamedTuple):
    """A dynamical system whose equilibrium is sought.

    Attributes
    ----------
    rates : callable
        ``rates(z, mode)``: tau dz/dt, shape (N,).
    correction : callable
        ``correction(z, mode, g, inverse_step)``: the d with (inverse_step I - tau J) d = g, where
        `inverse_step` has shape (B,).
    rows : callable
        Reshapes a vector, shape (N,), to rows, shape (B, m), each with its own step length.
    flat : callable
        Inverse of `rows`.
    settled : callable
        ``settled(z, mode)``: z and the modes after a step, see `kinks.settled`.
    """

    rates: Callable[[Any, Any], Any]
    correction: Callable[[Any, Any, Any, Any], Any]
    rows: Callable[[Any], Any]
    flat: Callable[[Any], Any]
    settled: Callable[[Any, Any], tuple[Any, Any]]


class _Carry(NamedTuple):
    """State of the iterations: g = tau dz/dt, 1/h of each row, size of the last correction, steps so far."""

    z: Any
    g: Any
    mode: Any
    inverse_step: Any
    size: Any
    k: Any
    contracts: Any


def brought_to_rest(
    flow: Flow, z: Any, mode: Any, tol: Any, most: Any, inverse_step: Any, stay: bool = False
) -> tuple[Any, Any, Any]:
    """The equilibrium, shape (N,), the residual of each row, shape (B,), and the number of steps.

    Parameters
    ----------
    flow : Flow
    z : array, shape (N,)
        Where to start.
    mode : tuple of arrays or None
        The nodes' modes at the start.
    tol : scalar
        Residual to reach.
    most : scalar
        Most steps.
    inverse_step : scalar
        The first 1/h, in units of 1/tau; 0 for steps of Newton's method.
    stay : bool
        Stop, with an infinite residual, if corrections do not contract; `inverse_step` is then constant.
    """

    def residual(z: Any, g: Any) -> Any:
        return jnp.max(flow.rows(jnp.abs(g) / (1.0 + jnp.abs(z))), axis=1, initial=0.0)

    def norm(g: Any) -> Any:
        return jnp.linalg.norm(flow.rows(g), axis=1)

    def going(c: _Carry) -> Any:
        return (c.k < most) & ~(residual(c.z, c.g) <= tol).all() & c.contracts

    def staying(c: _Carry) -> _Carry:
        d = flow.correction(c.z, c.mode, c.g, c.inverse_step)
        size = jnp.max(jnp.abs(d) / (1.0 + jnp.abs(c.z)), initial=0.0)
        contracts = size <= jnp.maximum(CONTRACTION * c.size, ROUNDING)
        z, mode = flow.settled(c.z + d, c.mode)
        if mode is not None:
            # A change of modes changes the equations, so the size of earlier corrections is no measure.
            size = jnp.where(kinks.differ(mode, c.mode, len(c.inverse_step)).any(), jnp.inf, size)
            contracts = contracts | jnp.isinf(size)
        return _Carry(z, flow.rates(z, mode), mode, c.inverse_step, size, c.k + 1, contracts)

    def step(c: _Carry) -> _Carry:
        tried = c.z + flow.correction(c.z, c.mode, c.g, c.inverse_step)
        g_tried = flow.rates(tried, c.mode)
        before, after = norm(c.g), norm(g_tried)
        # A step that overflows, or makes the rates much larger, is rejected and shortened.
        bound = jnp.where(c.inverse_step > 0.0, GROWTH, NEWTON_FALL) * before
        good = jnp.isfinite(after) & (after < bound)
        longer = jnp.clip(after / jnp.maximum(before, 1e-300), FALL, RISE) * c.inverse_step
        shorter = jnp.maximum(SHORTER * c.inverse_step, FIRST_INVERSE_STEP)
        moved = good & (residual(c.z, c.g) > tol)
        moved = flow.flat(jnp.broadcast_to(moved[:, None], flow.rows(c.z).shape))
        z, inverse_step = jnp.where(moved, tried, c.z), jnp.where(good, longer, shorter)
        if c.mode is None:
            g = jnp.where(moved, g_tried, c.g)
            return c._replace(z=z, g=g, inverse_step=inverse_step, k=c.k + 1)
        z, mode = flow.settled(z, c.mode)
        circles = (
            (c.k >= MOST_PASSING) & (inverse_step == 0.0) & kinks.differ(mode, c.mode, len(inverse_step))
        )
        inverse_step = jnp.where(circles, FIRST_INVERSE_STEP, inverse_step)
        g = flow.rates(z, mode)
        return c._replace(z=z, g=g, mode=mode, inverse_step=inverse_step, k=c.k + 1)

    steps = jnp.full(flow.rows(z).shape[0], inverse_step, dtype=float)
    begin = _Carry(z, flow.rates(z, mode), mode, steps, jnp.inf, jnp.zeros((), int), jnp.array(True))
    end = jax.lax.while_loop(going, staying if stay else step, begin)
    left = residual(end.z, end.g)
    return end.z, jnp.where(end.contracts, left, jnp.inf), end.k


def node_flow(system: System, t: Any) -> Flow:
    """The flow of the nodes of `system`, whose weights are held, with the clamps as at time `t`.

    `system` is one with unit clocks.
    """
    layout = system.layout

    def correction(z: Any, mode: Any, g: Any, inverse_step: Any) -> Any:
        there, one = system.changed(mode=mode), inverse_step[:, None]
        factors = there.factor(there.linearise(t, z), 1.0, one)
        return solve_exactly(there, t, z, factors, g, 1.0, one)

    return Flow(
        rates=lambda z, mode: system.changed(mode=mode).rhs(t, z),
        correction=correction,
        rows=lambda v: layout.rows(v, jnp),
        flat=lambda rows: layout.flat(rows, jnp),
        settled=lambda z, mode: kinks.settled(system.changed(mode=mode), t, z),
    )


def holding(system: System, t: Any, y: Any) -> System:
    """The equations of the nodes alone, with the weights and modes of the state `y`."""
    held = system.hold(system.without_modes.state(t, y).weights)
    return held.changed(mode=kinks.modes_of(held, t, y[: system.layout.node_count]))


def _rest(
    system: System, y0: Any, tol: Any, most: Any, inverse_step: Any, t: Any = 0.0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Nodes at rest, shape (N,), each sample's residual, shape (B,), and the number of steps.

    Parameters
    ----------
    system : System
        The nodes alone, with the weights held.
    y0 : array, shape (N,)
        Where to start.
    tol, most, inverse_step : scalar
        See `brought_to_rest`.
    t : scalar
        Time at which the clamps are evaluated.
    """
    return brought_to_rest(node_flow(system, t), y0, system.parameters.mode, tol, most, inverse_step)


rest = Evaluated(_rest)


def near(system: System, t: Any, z: Any) -> tuple[Any, Any]:
    """Nodes at rest near `z`, on the same branch of equilibria, and the largest residual.

    NaN if Newton's method does not contract to one.
    """
    mode = system.parameters.mode
    ways = (FOLLOWING, MOST_STAYING, 1.0 / LONG)
    z, residual, _ = brought_to_rest(node_flow(system, t), z, mode, *ways, stay=True)
    largest = jnp.max(residual, initial=0.0)
    return jnp.where(largest <= FOLLOWING, z, jnp.nan), largest


@dataclass(frozen=True)
class Rest(Short):
    """The result of a search for an equilibrium of the nodes.

    Attributes
    ----------
    state : State
        The nodes, and the weights that were held.
    residual : ndarray, shape (B,)
        max |tau dz/dt| / (1 + |z|) over the nodes z of each sample; dimensionless.
    iterations : int
        Number of steps, until the slowest sample was at rest.
    found : bool
        Whether every sample reached the tolerance.
    """

    state: State
    residual: Array
    iterations: int
    found: bool


def nodes_at_rest(
    problem: Problem, tol: float = AT_REST, max_iterations: int = MOST_STEPS, step: float = math.inf
) -> Rest:
    """Bring the nodes to an equilibrium near the start of `problem`.

    Parameters
    ----------
    problem : Problem
        Gives the clamps, the weights and the start; whether the weights learn does not matter. Not reduced
        (`make_problem(..., reduce=False)`).
    tol : float
        Residual to reach, dimensionless.
    max_iterations : int
        Most steps.
    step : float
        First step h, in units of the nodes' time constant, which is taken to be one. If infinite, Newton's
        method is tried first, and samples for which it fails continue with finite steps: the equilibrium may
        be unstable. A step of about 1 follows the flow from the start to the equilibrium to which it leads;
        if activations have kinks, and so often several equilibria, the flow is integrated first.

    Returns
    -------
    Rest
    """
    weights = problem.state(problem.start, problem.y0).weights
    held, t = problem.hold().with_unit_clocks(), problem.start
    y0, system = held.y0, held.system
    if held.kinked and math.isfinite(step):
        y0, system = followed(system, y0, t)
    y, residual, iterations = rest(system, y0, tol, max_iterations, 1.0 / step, t)
    residuals = np.asarray(residual)
    state = State(*held.nodes(t, np.asarray(y)), weights)
    return Rest(state, residuals, int(iterations), bool((residuals <= tol).all()))


def _followed(system: System, y0: Any, t: Any) -> tuple[Any, System]:
    """The nodes and their modes after integration along the flow, until near rest or for a time FOLLOWED.

    By the classical Runge-Kutta method with a fixed step, and a check of modes after each step: it only has
    to find out which of several equilibria is reached, and need not be accurate. If it fails, `y0`.
    """

    def going(carry: Any) -> Any:
        y, system, k = carry
        return (k < FOLLOWED / STEP) & (system.residual(t, y) > NEAR)

    def step(carry: Any) -> Any:
        y, system, k = carry
        y = rk4_step(lambda y: system.rhs(t, y), y, STEP)
        y, mode, _ = kinks.switched(system, t, y, jnp.ones(system.layout.n + 1), 0.0)
        return y, system.changed(mode=mode), k + 1

    y, after, _ = jax.lax.while_loop(going, step, step((y0, system, 0)))
    good = jnp.isfinite(y).all()
    kept: tuple[Any, System] = jax.tree.map(
        lambda new, old: jnp.where(good, new, old), (y, after), (y0, system)
    )
    return kept


followed = Evaluated(_followed)

"""Nodes at rest for given weights and clamps: the one way in which they are brought there.

Pseudo-transient continuation (Kelley and Keyes 1998): implicit Euler steps of length h along the
nodes' own flow,

    (I / h - tau J) d = tau dz/dt,

longer as the rates fall, until they are steps of Newton's method (h infinite). With the weights held
nothing ties the samples of a batch to each other, so each has a step of its own, and the structured
elimination solves its linear system exactly with matrices of a layer's size. Nodes of which some are held
besides, as those of a phase plane, are solved for with a dense matrix (`pcode.analysis.planes.field`).

Where nodes follow an equilibrium that moves (`stay`), steps are those of Newton's method and are held to
contract (Deuflhard 2004, section 2.1), so that they stay on the branch of equilibria they were on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from ..model.network import Array
from ..model.state import State
from . import kinks
from .coupled import System
from .elimination import solve_exactly
from .problem import Problem

# A step is kept if the rates grow by no more than this factor; a step of Newton's method only if
# they fall to this part of what they were. From a step that is refused on, h is this much shorter.
GROWTH, NEWTON_FALL, SHORTER = 4.0, 0.9, 10.0

# Factors between which 1/h follows the rates, and 1/h after a step of Newton's method that is refused.
FALL, RISE, FIRST_INVERSE_STEP = 0.1, 2.0, 1.0

# How much smaller than the last one each correction must be to stay on a branch, unless it is at the level of
# rounding errors; most of them, where mostly two or three do; and the step, in units of tau, that stands for
# Newton's there: it loses no more than a factor 1e-6, and where equilibria form a continuum it stays near.
CONTRACTION, ROUNDING, MOST_STAYING, LONG = 0.5, 1e-9, 12, 1e6

# Residuals, max |tau dz/dt| / (1 + |z|), that count as rest where nodes follow the weights at every instant,
# which is far below what the weights' tolerances ask; and elsewhere.
FOLLOWING, AT_REST = 1e-11, 1e-12

# Most steps to a rest of which nothing is known.
MOST_STEPS = 200

# How long nodes are followed, and in which steps, in units of tau; and the residual that is near rest.
FOLLOWED, STEP, NEAR = 60.0, 0.02, 1e-3

# So many steps of Newton's method may let nodes pass kinks; after that it may go round in a circle.
MOST_PASSING = 20


class Flow(NamedTuple):
    """What is brought to rest.

    Attributes
    ----------
    rates : callable
        ``rates(z, mode)``: tau dz/dt, shape (N,).
    correction : callable
        ``correction(z, mode, g, inverse_step)``: the d with (inverse_step I - tau J) d = g, where
        `inverse_step` has shape (B,).
    rows : callable
        A vector, shape (N,), as rows, shape (B, m), that have steps of their own.
    flat : callable
        The inverse of `rows`.
    settled : callable
        ``settled(z, mode)``: z and the modes after a step, see `kinks.settled`.
    """

    rates: Callable[[Any, Any], Any]
    correction: Callable[[Any, Any, Any, Any], Any]
    rows: Callable[[Any], Any]
    flat: Callable[[Any], Any]
    settled: Callable[[Any, Any], tuple[Any, Any]]


class _Carry(NamedTuple):
    """Where the iterations stand: tau dz/dt, 1/h of each row, size of the last correction, steps taken."""

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
    """Z at rest, shape (N,), the residual of each row, shape (B,), and the steps taken.

    Parameters
    ----------
    flow : Flow
    z : array, shape (N,)
        Where to start.
    mode : tuple of arrays or None
        The nodes' modes there.
    tol : scalar
        Residual to reach.
    most : scalar
        Most steps.
    inverse_step : scalar
        The first 1/h, in units of 1/tau; 0 for steps of Newton's method.
    stay : bool
        End where corrections do not contract; `inverse_step` then stays as it is.
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
            # Other equations from here on: what came before says nothing of how these contract.
            size = jnp.where(kinks.differ(mode, c.mode, len(c.inverse_step)).any(), jnp.inf, size)
            contracts = contracts | jnp.isinf(size)
        return _Carry(z, flow.rates(z, mode), mode, c.inverse_step, size, c.k + 1, contracts)

    def step(c: _Carry) -> _Carry:
        tried = c.z + flow.correction(c.z, c.mode, c.g, c.inverse_step)
        g_tried = flow.rates(tried, c.mode)
        before, after = norm(c.g), norm(g_tried)
        # A step that blows up, or makes the rates much larger, is taken back and shortened.
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
    """The nodes of `system`, which holds the weights, with the clamps held at time `t`."""
    layout, tau = system.layout, system.constants.tau

    def correction(z: Any, mode: Any, g: Any, inverse_step: Any) -> Any:
        there, one = system.changed(mode=mode), inverse_step[:, None]
        factors = there.factor(there.linearise(t, z), tau, one)
        return solve_exactly(there, t, z, factors, g, tau, one)

    return Flow(
        rates=lambda z, mode: tau * system.changed(mode=mode).rhs(t, z),
        correction=correction,
        rows=lambda v: layout.rows(v, jnp),
        flat=lambda rows: layout.flat(rows, jnp),
        settled=lambda z, mode: kinks.settled(system.changed(mode=mode), z),
    )


def holding(system: System, t: Any, y: Any) -> System:
    """The equations of the nodes alone, with the weights held as in `y`; their modes are those of `y`."""
    held = system.hold(system.without_modes.state(t, y).weights)
    return held.changed(mode=kinks.modes_of(held, t, y[: system.layout.node_count]))


@jax.jit
def rest(
    system: System, y0: Any, tol: Any, most: Any, inverse_step: Any, t: Any = 0.0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Nodes at rest, shape (N,), each sample's residual, shape (B,), and the steps taken.

    Parameters
    ----------
    system : System
        Of nodes alone, the weights held.
    y0 : array, shape (N,)
        Where to start.
    tol, most, inverse_step : scalar
        See `brought_to_rest`.
    t : scalar
        The time at which the clamps are held.
    """
    return brought_to_rest(node_flow(system, t), y0, system.parameters.mode, tol, most, inverse_step)


def near(system: System, t: Any, z: Any) -> tuple[Any, Any]:
    """Nodes at rest near `z`, on the branch of equilibria that it is at, and the largest residual.

    NaN where Newton's method leaves it.
    """
    mode = system.parameters.mode
    ways = (FOLLOWING, MOST_STAYING, 1.0 / LONG)
    z, residual, _ = brought_to_rest(node_flow(system, t), z, mode, *ways, stay=True)
    largest = jnp.max(residual, initial=0.0)
    return jnp.where(largest <= FOLLOWING, z, jnp.nan), largest


@dataclass(frozen=True)
class Rest:
    """Where the nodes came to rest, or how far they came.

    Attributes
    ----------
    state : State
        The nodes, and the weights that were held.
    residual : ndarray, shape (B,)
        max |tau dz/dt| / (1 + |z|) over the nodes z of each sample; dimensionless.
    iterations : int
        Most steps that a sample took.
    found : bool
        Whether every sample reached the residual asked for.
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
        Says what is clamped, at which values, the weights and where to start; whether the
        weights learn is of no account. Not reduced (`make_problem(..., reduce=False)`).
    tol : float
        Residual to reach, dimensionless.
    max_iterations : int
        Most steps.
    step : float
        First step h, in units of tau. Infinite, Newton's method goes first, and each sample for
        which it fails goes on with steps along the flow: the equilibrium may then be an unstable
        one. A step of about 1 follows the flow from the start to the equilibrium it leads to; where
        activations have kinks, which mostly make several, the flow itself is integrated first.

    Returns
    -------
    Rest
    """
    weights = problem.state(problem.start, problem.y0).weights
    held, t = problem.hold().with_unit_tau(), problem.start
    y0, system = held.y0, held.system
    if held.kinked and math.isfinite(step):
        y0, system = followed(system, y0, t)
    y, residual, iterations = rest(system, y0, tol, max_iterations, 1.0 / step, t)
    residuals = np.asarray(residual)
    state = State(*held.nodes(t, np.asarray(y)), weights)
    return Rest(state, residuals, int(iterations), bool((residuals <= tol).all()))


@jax.jit
def followed(system: System, y0: Any, t: Any) -> tuple[Any, System]:
    """The nodes, and their modes, some time along their flow: until they are near rest, or FOLLOWED is over.

    By the classical Runge-Kutta method with a fixed step, modes being looked at after each: to know
    to which of several equilibria they go, this need not be accurate. Where it fails, `y0`.
    """
    tau = system.constants.tau

    def going(carry: Any) -> Any:
        y, system, k = carry
        residual = jnp.max(jnp.abs(tau * system.rhs(t, y)) / (1.0 + jnp.abs(y)), initial=0.0)
        return (k < FOLLOWED / STEP) & (residual > NEAR)

    def step(carry: Any) -> Any:
        y, system, k = carry
        k1 = tau * system.rhs(t, y)
        k2 = tau * system.rhs(t, y + 0.5 * STEP * k1)
        k3 = tau * system.rhs(t, y + 0.5 * STEP * k2)
        k4 = tau * system.rhs(t, y + STEP * k3)
        y = y + STEP / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        y, mode, _ = kinks.switched(system, t, y, 1.0, 0.0)
        return y, system.changed(mode=mode), k + 1

    y, after, _ = jax.lax.while_loop(going, step, step((y0, system, 0)))
    good = jnp.isfinite(y).all()
    kept: tuple[Any, System] = jax.tree.map(
        lambda new, old: jnp.where(good, new, old), (y, after), (y0, system)
    )
    return kept

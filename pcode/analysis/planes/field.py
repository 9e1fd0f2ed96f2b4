"""The rates of a pair of coordinates over their plane, the rest held or slaved.

At a point q of the plane the unknowns are y = y0 + sum_k (q_k - q0_k) direction_k. Those that are *held* stay
so; nodes that are *slaved* are brought to rest for each point,

    0 = tau dz/dt (q, z),

by implicit Euler steps along their own flow that grow into those of Newton's method (see
`pcode.system.rest`): with a dense Jacobian of the slaved nodes alone, or, where all nodes are slaved to
two coordinates of the weights, by the structured elimination, sample by sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...base._jax import Alone, jax, jnp
from ...model.network import Array
from ...model.state import Layout
from ...system import kinks
from ...system.coupled import System
from ...system.rest import AT_REST, FOLLOWING, Flow, brought_to_rest, holding, rest
from .coordinates import Chart

# Most nodes that may be slaved with a dense Jacobian.
MOST_DENSE = 150

# Most steps to the rest of slaved nodes.
MOST_STEPS = 60

# Points of a batch, for numbers of unknowns this large.
BATCH_WORK = 2e6

# Step of finite differences, in parts of the window: fourth order, so errors are of size 1e-12.
STEP = 1e-3


class Base(NamedTuple):
    """Where the plane stands: y0, q0, directions (N, 2), projectors (2, N), slaved indices, unit scales."""

    y0: Any
    q0: Any
    directions: Any
    projectors: Any
    slaved: Any


@Alone
@partial(jax.jit, static_argnames="everything")
def _evaluate(system: System, points: Any, guess: Any, base: Base, everything: bool) -> Any:
    """Rates of the two coordinates, shape (G, 2), slaved nodes, (G, K), and their residuals, (G,)."""

    def at_point(q: Any, z: Any) -> Any:
        y = base.y0 + base.directions @ (q - base.q0)
        if base.slaved.size:
            settle = _all_nodes if everything else settled
            z, residual = settle(system, y, z, base.slaved)
            y = y.at[base.slaved].set(z)
        else:
            residual = jnp.zeros(())
        # As it is, on whichever side of a kink the point lies.
        return base.projectors @ system.without_modes.rhs(0.0, y), z, residual

    return jax.vmap(at_point)(points, guess)


def settled(system: System, y: Any, z: Any, slaved: Any, inverse_step: Any = 1.0) -> tuple[Any, Any]:
    """Nodes `slaved` at rest, from `z`, all else as in `y`; and their residual.

    With an `inverse_step` of 0 by Newton's method.
    """
    kinked, system = system.structure.kinked, system.with_unit_clocks

    def rates(z: Any, mode: Any = None) -> Any:
        y_z = y.at[slaved].set(z)
        found = kinks.folded(system, y_z)[1] if kinked else system.rhs(0.0, y_z)
        return found[slaved]

    def correction(z: Any, mode: Any, g: Any, inverse_step: Any) -> Any:
        J = jax.jacfwd(rates)(z)
        return jnp.linalg.solve(inverse_step[0] * jnp.eye(z.size) - J, g)

    flow = Flow(rates, correction, rows=lambda v: v[None], flat=lambda rows: rows[0], settled=lambda *s: s)
    if kinked:
        y = kinks.unfolded(system, y.at[slaved].set(z))
        z = y[slaved]
    z, residual, _ = brought_to_rest(flow, z, None, AT_REST, MOST_STEPS, inverse_step)
    if kinked:
        z = kinks.folded(system, y.at[slaved].set(z))[0][slaved]
    return z, residual[0]


def _all_nodes(system: System, y: Any, z: Any, slaved: Any) -> tuple[Any, Any]:
    """All nodes at rest, from `z`, and the largest residual, by the structured elimination."""
    held = holding(system, 0.0, y.at[slaved].set(z)).with_unit_clocks
    z, residual, _ = rest(held, z, FOLLOWING, MOST_STEPS, 1.0)
    return z, jnp.max(residual) * (AT_REST / FOLLOWING)


@dataclass(frozen=True, eq=False)
class Field:
    """The rates over a plane.

    Parameters
    ----------
    chart : Chart
        Of two coordinates.
    slaved : ndarray of int, shape (K,)
        Which of the unknowns are brought to rest at every point.
    """

    chart: Chart
    slaved: Any

    @property
    def origin(self) -> Array:
        """The point of the plane that y0 is at, shape (2,)."""
        return self.chart.read(self.chart.y0)

    @property
    def clocks(self) -> Array:
        """Time constants of the two coordinates, shape (2,), in units of time."""
        chart = self.chart
        network, learn = chart.snapshot.network, chart.snapshot.record.learn
        return np.array([one.clock(network, learn) for one in chart.coordinates])

    @property
    def everything(self) -> bool:
        """Whether all nodes are slaved to weights."""
        weights = all(one.of_weights for one in self.chart.coordinates)
        return weights and self.slaved.size == self.layout.node_count

    @property
    def layout(self) -> Layout:
        """Of the unknowns."""
        return self.chart.problem.layout

    @property
    def work(self) -> float:
        """A measure of what a point costs: a number of multiplications or so."""
        layout, K = self.layout, float(self.slaved.size)
        weights = sum(a * b for a, b in zip(layout.sizes, layout.sizes[1:], strict=False))
        pass_over: float = float(layout.batch * weights + layout.size)
        if self.everything:
            # Many small operations, whose overhead outweighs what they compute.
            solves = float(layout.batch * layout.n * min(max(layout.sizes), 64) ** 2)
            return 3e3 * (pass_over + solves)
        return pass_over * (1.0 + 8.0 * K) + 8.0 * K * K * K

    @property
    def start(self) -> Array:
        """Slaved nodes of y0, shape (K,)."""
        start: Array = self.chart.y0[self.slaved]
        return start

    def rates(self, points: Array, guess: Array | None = None) -> tuple[Array, Array]:
        """Rates of the two coordinates, shape (G, 2), in one over the unit of time, and slaved nodes, (G, K).

        Parameters
        ----------
        points : ndarray, shape (G, 2)
        guess : ndarray, shape (G, K), optional
            Where the slaved nodes start; those of y0 where left out.

        Notes
        -----
        NaN where slaved nodes come to no rest.
        """
        chart, K = self.chart, self.slaved.size
        count = len(points)
        batch = _batch(self.work, self.layout.size)
        padded = -(-count // batch) * batch if count else 0
        if guess is None:
            guess = np.broadcast_to(self.start, (count, K))
        q = np.concatenate([points, np.broadcast_to(self.origin, (padded - count, 2))])
        z = np.concatenate([guess, np.broadcast_to(self.start, (padded - count, K))])
        base = Base(chart.y0, self.origin, chart.directions, chart.projectors, self.slaved)
        found, slaved = np.empty((padded, 2)), np.empty((padded, K))
        for a in range(0, padded, batch):
            part = slice(a, a + batch)
            r, s, residual = _evaluate(chart.problem.there, q[part], z[part], base, self.everything)
            found[part] = np.where((np.asarray(residual) <= AT_REST)[:, None], np.asarray(r), np.nan)
            slaved[part] = np.asarray(s)
        return found[:count], slaved[:count]

    def unknowns(self, point: Array, slaved: Array) -> Array:
        """All unknowns, shape (N,), at a point, with its slaved nodes."""
        y = self.chart.y0 + self.chart.directions @ (point - self.origin)
        y[self.slaved] = slaved
        return y

    def jacobians(self, points: Array, guess: Array, widths: Array) -> Array:
        """d(rates)/dq at points, shape (G, 2, 2), by fourth-order differences, steps in parts of `widths`."""
        count = len(points)
        offsets = np.array([-2.0, -1.0, 1.0, 2.0])
        factors = np.array([1.0, -8.0, 8.0, -1.0]) / 12.0
        moved = np.repeat(points[None], 8, axis=0).reshape(2, 4, count, 2)
        steps = STEP * widths
        for k in range(2):
            moved[k, :, :, k] += offsets[:, None] * steps[k]
        there, _ = self.rates(moved.reshape(-1, 2), np.tile(guess, (8, 1)))
        slopes = np.einsum("o,kogc->kgc", factors, there.reshape(2, 4, count, 2)) / steps[:, None, None]
        return np.transpose(slopes, (1, 2, 0))


def _batch(work: float, size: int) -> int:
    """Points of one call: one number for all calls of a field, so that little is compiled."""
    most = BATCH_WORK / max(size, 1.0, min(work, 1e6) / 50.0)
    return int(2 ** int(np.clip(np.floor(np.log2(most)), 3, 8)))

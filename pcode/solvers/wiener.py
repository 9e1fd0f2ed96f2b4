"""The Wiener processes that drive the nodes, as paths that a seed determines; imported only where needed.

A path belongs to a seed, a phase and a presentation. For adaptive steps it is diffrax's `VirtualBrownianTree`
over the phase: whatever steps ask for, they get parts of the same path. For fixed steps it consists of cells,
one for each step, with a key of its own each. What a whole cell brings is drawn at once, which takes a tree
over the phase many times as long, and parts of a cell come from a tree over that cell.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import diffrax
import equinox

from ..base._jax import jax, jnp

# Parts to which a tree resolves the time that it covers: of a cell, and of the shortest time constant.
OF_CELL, OF_TAU = 2.0**-10, 1e-6

# How far from the end of a cell, in cells, a time may be that is meant to be there.
ROUNDING = 1e-6


class NodeNoise(diffrax.AbstractTerm[Any, Any]):
    """The term g dw of the value nodes, which come first among the unknowns; the others have no noise.

    Attributes
    ----------
    amplitude : array, shape (m,)
        g, of the value nodes.
    path : Whole, Cell or Tree
    others : int
        Number of the other unknowns.
    """

    amplitude: Any
    path: Any
    others: int = equinox.field(static=True)

    def vf(self, t: Any, y: Any, args: Any) -> Any:
        """The amplitudes g, shape (m,)."""
        return self.amplitude

    def contr(self, t0: Any, t1: Any, use_levy: bool = False, **kwargs: Any) -> Any:
        """The increment of w from t0 to t1, shape (m,); with `use_levy` together with its Levy area."""
        increment = self.path.increment(t0, t1)
        return increment if use_levy else increment.W

    def prod(self, vf: Any, control: Any) -> Any:
        """G dw, shape (N,)."""
        return jnp.pad(vf * control, (0, self.others))


class Unchecked(diffrax.VirtualBrownianTree):
    """The tree without its check of times, for which compiled code calls Python, and cannot be cached."""

    def _evaluate(self, r: Any) -> Any:
        return self._evaluate_leaf(self.key, r, self.shape)


class Shape(NamedTuple):
    """What increments consist of.

    Attributes
    ----------
    processes : int
        Number m of Wiener processes.
    area : bool
        Whether the method needs their space-time Levy areas.
    """

    processes: int
    area: bool

    def tree(self, key: Any, end: Any, tol: Any) -> Any:
        """The tree from 0 to `end`."""
        kind = diffrax.SpaceTimeLevyArea if self.area else diffrax.BrownianIncrement
        made: Any = Unchecked
        return made(0.0, end, tol, (self.processes,), key, kind)


class Tree(NamedTuple):
    """The path of a phase for adaptive steps.

    Attributes
    ----------
    shape : Shape
    key : array
    duration, tol : scalar
        The end of the path, and the time to which it is resolved.
    """

    shape: Shape
    key: Any
    duration: Any
    tol: Any

    def increment(self, t0: Any, t1: Any) -> Any:
        """What it brings from `t0` to `t1`."""
        tree = self.shape.tree(self.key, self.duration, self.tol)
        return tree.evaluate(
            jnp.clip(t0, 0.0, self.duration), jnp.clip(t1, 0.0, self.duration), use_levy=True
        )


class Cells(NamedTuple):
    """The path of a phase for fixed steps.

    Attributes
    ----------
    shape : Shape
    key : array
    step : scalar
        The length of a cell.
    """

    shape: Shape
    key: Any
    step: Any

    def cell(self, t: Any) -> Any:
        """The number of the cell in which a step begins at `t`."""
        return jnp.floor(t / self.step + ROUNDING).astype(int)

    def of_unit(self, k: Any) -> Any:
        """The tree of cell `k`, as if cells were of length 1."""
        return self.shape.tree(jax.random.fold_in(self.key, k), 1.0, OF_CELL)

    def scaled(self, dt: Any, W: Any, H: Any) -> Any:
        """An increment, from one as if cells were of length 1."""
        root = jnp.sqrt(self.step)
        if self.shape.area:
            return diffrax.SpaceTimeLevyArea(dt=self.step * dt, W=root * W, H=root * H)
        return diffrax.BrownianIncrement(dt=self.step * dt, W=root * W)


class Whole(Cells):
    """The same, asked for whole cells only."""

    def increment(self, t0: Any, t1: Any) -> Any:
        """What it brings in the cell from `t0` to `t1`: as its tree would say of its ends, drawn as there."""
        key, shape = self.of_unit(self.cell(t0)).key, (self.shape.processes,)
        if not self.shape.area:
            return self.scaled(1.0, jax.random.normal(jax.random.split(key, 2)[1], shape), None)
        _, of_w, of_h = jax.random.split(key, 3)
        H = jax.random.normal(of_h, shape) / jnp.sqrt(12.0)
        return self.scaled(1.0, jax.random.normal(of_w, shape), H)


class Part(Cells):
    """The same, asked for a part of a cell."""

    def increment(self, t0: Any, t1: Any) -> Any:
        """What it brings from `t0` to `t1`, both in the same cell."""
        k = self.cell(t0)
        a, b = (jnp.clip(t / self.step - k, 0.0, 1.0) for t in (t0, t1))
        found: Any = self.of_unit(k).evaluate(a, b, use_levy=True)
        return self.scaled(found.dt, found.W, found.H if self.shape.area else None)

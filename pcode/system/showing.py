"""A presentation as an initial value problem, made inside compiled code.

The presentations of a phase differ in the clamped values and in the state in which they start. All else is
shared: the network, what is clamped, what learns, the length of a ramp. Everything here is pure and can be
traced, so that thousands of presentations are integrated in one loop without returning to Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ..base._jax import jax, jnp
from ..model import dynamics
from ..model.clamp import Pieces
from ..model.presentation import Nodes, ramp_from
from ..model.state import State
from .coupled import Parameters, Structure, System
from .crossings import MOST
from .kinks import starting
from .reduction import Reduction, reduce_feedback, reduce_input

Layers = tuple[Any, ...]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["constants", "ramp"],
    meta_fields=["structure", "nodes", "ramped", "reduce", "apart"],
)
@dataclass(frozen=True, eq=False)
class Showing:
    """What all presentations of a phase with the same number of samples have in common.

    Parameters
    ----------
    structure : Structure
        Of the system without reductions.
    nodes : {"carry", "feedforward", "zero"}
        Where nodes start.
    ramped : bool
        Whether clamps go linearly to their new values.
    reduce : bool
        Whether to leave out unknowns that follow from others, see `pcode.system.reduction`.
    apart : bool
        Whether W may differ from M^T.
    constants : Constants
    ramp : scalar
        How long they take.
    """

    structure: Structure
    nodes: Nodes
    ramped: bool
    reduce: bool
    apart: bool
    constants: Any
    ramp: Any

    def start(self, state: State, clamp: Layers, xp: Any = jnp) -> State:
        """The state in which a presentation with these clamps starts, shapes (B, n_l), after `state`.

        Clamped values are not inserted yet.
        """
        x, eps, weights = state
        if self.nodes == "zero":
            x = tuple(xp.where(xp.isnan(value), 0.0, value) for value in clamp)
        elif self.nodes == "feedforward":
            x = dynamics.feedforward(clamp, weights.M, weights.beta, self.structure.sigma)
        if self.nodes != "carry":
            eps = tuple(xp.zeros_like(e) for e in eps)
        return State(x, eps, weights)

    def stops(self, clamp: Layers, before: Layers, hold: Any) -> Any:
        """Times that no step may cross, increasing: the ends of the ramp and of the presentation.

        And those at which a clamped value on its ramp passes a kink of its activation.
        """
        if not self.ramped:
            return jnp.stack([hold])
        times = [jnp.stack([self.ramp])]
        layers = zip(self.structure.sigma, self.structure.clamped, clamp, before, strict=False)
        for sigma, clamped, new, old in layers:
            few = new.size * len(sigma.kinks) <= MOST
            for kink in sigma.kinks if clamped and few else ():
                share = (kink - old) / jnp.where(new == old, jnp.nan, new - old)
                times.append(jnp.ravel(jnp.where((share > 0.0) & (share < 1.0), share, 1.0)) * self.ramp)
        return jnp.append(jnp.sort(jnp.concatenate(times)), hold)

    def problem(self, state: State, clamp: Layers, before: Layers) -> tuple[System, Any, Reduction]:
        """The reduced system of a presentation, its unknowns at the start, and how the state follows.

        Parameters
        ----------
        state : State
            Where it starts.
        clamp, before : tuple of arrays, shapes (B, n_l)
            Clamped values of layers 0..n, NaN where free, and those of the presentation before; where the
            latter are NaN there is no ramp.
        """
        structure, first = self.structure, clamp
        pieces: tuple[Pieces | None, ...] = ()
        if self.ramped:
            first = tuple(ramp_from(old, new, jnp) for old, new in zip(before, clamp, strict=True))
            pieces = tuple(
                _line(a, b, self.ramp) if clamped else None
                for a, b, clamped in zip(first, clamp, structure.clamped, strict=True)
            )
        system = System(structure, Parameters(self.constants, first, state.weights, pieces))
        reduction = Reduction(system)
        if self.reduce:
            system, state, reduction = reduce_feedback(system, state, reduction, self.apart)
            system, state, reduction = reduce_input(system, state, reduction, jnp)
        y0 = system.layout.pack(state, jnp)
        return starting(system, 0.0, y0), y0, reduction


def _line(begin: Any, end: Any, ramp: Any) -> Pieces:
    """From `begin` to `end` in the time `ramp`, and constant then."""
    begin, end = (jnp.where(jnp.isnan(end), 0.0, value) for value in (begin, end))
    none = jnp.zeros_like(end)
    coefficients = jnp.stack(
        [jnp.stack([begin, none]), jnp.stack([begin, (end - begin) / ramp]), jnp.stack([end, none])]
    )
    edges, origin = jnp.stack([0.0 * ramp, ramp]), jnp.stack([0.0 * ramp, 0.0 * ramp, ramp])
    return Pieces(edges, origin, coefficients, jnp.asarray(0), jnp.asarray(2))

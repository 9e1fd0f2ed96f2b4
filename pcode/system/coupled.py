"""The equations of a phase as one vector field dy/dt = f(t, y), in pure functions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from ..model import activations, dynamics
from ..model.clamp import Curve, Pieces, curve_at
from ..model.dynamics import Layers
from ..model.network import Weights
from ..model.state import Layout, State


class Structure(NamedTuple):
    """What the compiled code depends on: nothing in it is a number that a user would sweep.

    Attributes
    ----------
    layout : Layout
    activation : tuple of str
        Names of sigma, layers 0..n-1.
    clamped : tuple of bool
        For each layer 0..n, whether any of its value nodes is clamped.
    gap : bool
        Whether W follows M at a distance of its own; see `pcode.system.reduction`.
    curves : tuple of Function, Expression or None
        For each layer 0..n, the function of time that its clamp follows, if it does; empty where none does.
    """

    layout: Layout
    activation: tuple[str, ...]
    clamped: tuple[bool, ...]
    gap: bool = False
    curves: tuple[Curve | None, ...] = ()

    @property
    def sigma(self) -> tuple[activations.Activation, ...]:
        """The activations themselves."""
        return tuple(map(activations.by_name, self.activation))


class Parameters(NamedTuple):
    """What the vector field takes besides t and y; all of it may change without recompiling.

    Attributes
    ----------
    tau, delta, weight_decay, node_decay : scalar
    nu : shape (n,)
    clamp : tuple of arrays, shapes (B, n_l)
        Clamped values at t = 0; NaN where a node is free.
    held : Weights
        What is no unknown of the weights; with `Structure.gap`, its W is W - M^T at t = 0.
    pieces : tuple of Pieces or None
        For each layer 0..n, the time series that its clamp follows, if it does; empty where none does.
    mode : tuple of arrays or None, shapes (B, n_l), or None
        Where the value nodes of layers 0..n-1 stand among the kinks of their activation, see
        `pcode.model.activations.Activation`; None for layers without kinks. None for all: every
        activation is taken as it is, and no node is held.
    """

    tau: Any
    delta: Any
    weight_decay: Any
    node_decay: Any
    nu: Any
    clamp: tuple[Any, ...]
    held: Weights
    pieces: tuple[Pieces | None, ...] = ()
    mode: tuple[Any, ...] | None = None


def clamps_at(t: Any, p: Parameters, structure: Structure, xp: Any = jnp) -> Layers:
    """Clamped values at time `t`, shapes (B, n_l), l = 0..n; meaningless where a node is free."""
    clamps = list(p.clamp)
    for layer, pieces in enumerate(p.pieces):
        if pieces is not None:
            clamps[layer] = pieces.at(t, xp)
    for layer, curve in enumerate(structure.curves):
        if curve is not None:
            values = curve_at(curve, t) if xp is np else curve.at(t)
            clamps[layer] = xp.broadcast_to(values, p.clamp[layer].shape)
    return tuple(clamps)


def state_at(t: Any, y: Any, p: Parameters, structure: Structure, xp: Any = jnp) -> State:
    """The whole state at time `t` from the unknowns `y`, shape (N,), clamps put in."""
    held = State(p.clamp, p.clamp[1:], p.held)
    x, eps, weights = structure.layout.unpack(y, held)
    now = clamps_at(t, p, structure, xp)
    clamps = zip(x, p.clamp, now, structure.clamped, structure.layout.free, strict=True)
    x = tuple(
        (xp.where(xp.isnan(begin), x_l, value) if free else value) if clamped else x_l
        for x_l, begin, value, clamped, free in clamps
    )
    x = tuple(
        x_l if at is None else xp.where(xp.isnan(at), x_l, at)
        for x_l, at in zip(x, held_at(p, structure, xp), strict=True)
    )
    if structure.gap:
        # Fact 5 of the theory: W - M^T decays as exp(-lambda t / delta), whatever happens.
        shrunk = xp.exp(-p.weight_decay * t / p.delta)
        links = zip(weights.M, p.held.W or (), strict=True)
        weights = weights._replace(W=tuple(M.T + shrunk * gap for M, gap in links))
    return State(x, eps, weights)


def held_at(p: Parameters, structure: Structure, xp: Any = jnp) -> tuple[Any, ...]:
    """The kinks at which value nodes are held, NaN where not, shapes (B, n_l); None where no node is."""
    if p.mode is None:
        return (None,) * len(p.clamp)
    layers = zip(structure.sigma, p.mode, strict=True)
    return (*(None if mode is None else s.held_at(mode, xp) for s, mode in layers), None)


def activations_at(p: Parameters, structure: Structure) -> dynamics.Sigma:
    """Activations of layers 0..n-1, each node's on the piece that its mode names."""
    if p.mode is None:
        return structure.sigma
    layers = zip(structure.sigma, p.mode, strict=True)
    return tuple(s if mode is None else s.within(mode) for s, mode in layers)


def vector_field(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    """dy/dt, shape (N,): all equations of the model for the unknowns `y`."""
    x, eps, weights = state_at(t, y, p, structure)
    M, _, beta = weights
    W, sigma, layout = weights.feedback, activations_at(p, structure), structure.layout
    mu = dynamics.predictions(x, M, beta, sigma)
    dx = dynamics.value_rates(x, eps, W, sigma, p.tau, p.node_decay)
    dx = tuple(
        rate if moves is None else jnp.where(moves, rate, 0.0)
        for rate, moves in zip(dx, movable(p, structure), strict=True)
    )
    deps = dynamics.error_rates(x, eps, mu, p.nu, p.tau)
    slow = (p.delta, p.weight_decay)
    dweights = Weights(
        dynamics.prediction_weight_rates(x, eps, M, sigma, *slow),
        dynamics.feedback_weight_rates(x, eps, W, sigma, *slow),
        dynamics.bias_rates(eps, beta, *slow),
    )
    rates: jax.Array = layout.pack(State(dx, deps, dweights), jnp)
    return rates


def unrest(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    """How far from rest: max |tau dz/dt| / (1 + |z|), with delta for weights; a scalar."""
    rates = vector_field(t, y, p, structure)
    nodes = jnp.arange(y.size) < structure.layout.node_count
    return jnp.max(jnp.abs(jnp.where(nodes, p.tau, p.delta) * rates) / (1.0 + jnp.abs(y)), initial=0.0)


class Point(NamedTuple):
    """The system at the state where it is linearised; all that depends on that state alone.

    Attributes
    ----------
    state : State
    sigma, slope : tuple of arrays, shapes (B, n_l)
        sigma(x^l) and, at free nodes, sigma'(x^l) (0 at clamped ones), l = 0..n-1.
    curvature : tuple of arrays, shapes (B, n_l)
        sigma''(x^l) (eps^{l+1} W^l), l = 0..n-1.
    free : tuple of arrays, shapes (B, n_l)
        1 at value nodes that move, 0 at those clamped or held at a kink, l = 0..n.
    """

    state: State
    sigma: Layers
    slope: Layers
    curvature: Layers
    free: Layers


def movable(p: Parameters, structure: Structure) -> tuple[Any, ...]:
    """Which value nodes are neither clamped nor held at a kink, shapes (B, n_l); None where all are."""
    layers = zip(p.clamp, structure.clamped, held_at(p, structure), strict=True)
    masks = (
        [jnp.isnan(v) for v, there in ((value, clamped), (at, at is not None)) if there]
        for value, clamped, at in layers
    )
    return tuple(mask[0] & mask[-1] if mask else None for mask in masks)


def free_nodes(p: Parameters, structure: Structure) -> Layers:
    """1 at value nodes that move, 0 at those clamped or held at a kink, l = 0..n, shapes (B, n_l)."""
    return tuple(
        jnp.ones(value.shape) if moves is None else jnp.where(moves, 1.0, 0.0)
        for value, moves in zip(p.clamp, movable(p, structure), strict=True)
    )


def linearise(t: Any, y: Any, p: Parameters, structure: Structure) -> Point:
    """The point (t, y), y of shape (N,), where the system is linearised."""
    state = state_at(t, y, p, structure)
    x, eps, weights = state
    W, sigma = weights.feedback, activations_at(p, structure)
    free = free_nodes(p, structure)
    below = list(zip(sigma, x, free, strict=False))
    return Point(
        state=state,
        sigma=tuple(s.f(x_l) for s, x_l, _ in below),
        slope=tuple(s.df(x_l) * f for s, x_l, f in below),
        curvature=tuple(
            s.d2f(x_l) * (e @ W_l) * f for (s, x_l, f), e, W_l in zip(below, eps, W, strict=True)
        ),
        free=free,
    )

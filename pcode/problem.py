"""One smooth stretch of a phase, ready to integrate: vector field, Jacobian, start and span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import activations, dynamics
from ._jax import jax, jnp
from .network import Array, Network, Weights
from .phase import Phase
from .state import Layout, State


class Structure(NamedTuple):
    """What the compiled code depends on: nothing in it is a number that a user would sweep.

    Attributes
    ----------
    layout : Layout
    activation : tuple of str
        Names of sigma, layers 0..n-1.
    clamped : tuple of bool
        For each layer 0..n, whether any of its value nodes is clamped.
    """

    layout: Layout
    activation: tuple[str, ...]
    clamped: tuple[bool, ...]

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
    clamp, slope : tuple of arrays, shapes (B, n_l)
        Clamped values at t = 0 and their rate of change; NaN and 0 where a node is free.
    held : Weights
        The weights; where they are unknowns, only shapes matter.
    """

    tau: Any
    delta: Any
    weight_decay: Any
    node_decay: Any
    nu: Any
    clamp: tuple[Any, ...]
    slope: tuple[Any, ...]
    held: Weights


def state_at(t: Any, y: Any, p: Parameters, structure: Structure, xp: Any = jnp) -> State:
    """The whole state at time `t` from the unknowns `y`, shape (N,), clamps put in."""
    held = State(p.clamp, p.clamp[1:], p.held)
    x, eps, weights = structure.layout.unpack(y, held)
    clamps = zip(x, p.clamp, p.slope, structure.clamped, strict=True)
    x = tuple(
        xp.where(xp.isnan(value), x_l, value + slope * t) if clamped else x_l
        for x_l, value, slope, clamped in clamps
    )
    return State(x, eps, weights)


def vector_field(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    """dy/dt, shape (N,): all equations of the model for the unknowns `y`."""
    x, eps, weights = state_at(t, y, p, structure)
    M, _, beta = weights
    W, sigma, layout = weights.feedback, structure.sigma, structure.layout
    mu = dynamics.predictions(x, M, beta, sigma)
    dx = dynamics.value_rates(x, eps, W, sigma, p.tau, p.node_decay)
    dx = tuple(
        jnp.where(jnp.isnan(value), rate, 0.0) if clamped else rate
        for rate, value, clamped in zip(dx, p.clamp, structure.clamped, strict=True)
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


@partial(jax.jit, static_argnames="structure")
def _rhs(t: Any, y: Any, p: Parameters, structure: Structure) -> Any:
    return vector_field(t, y, p, structure)


@partial(jax.jit, static_argnames="structure")
def _jacobian_action(t: Any, y: Any, v: Any, p: Parameters, structure: Structure) -> Any:
    return jax.jvp(lambda z: vector_field(t, z, p, structure), (y,), (v,))[1]


@partial(jax.jit, static_argnames="structure")
def _jacobian(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    _, action = jax.linearize(lambda z: vector_field(t, z, p, structure), y)

    def column(k: Any) -> Any:
        return action(jnp.zeros_like(y).at[k].set(1.0))

    # In batches, so that the work space stays small beside the result.
    columns: jax.Array = jax.lax.map(column, jnp.arange(y.size), batch_size=256)
    return columns.T


def unrest(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    """How far from rest: max |tau dz/dt| / (1 + |z|), with delta for weights; a scalar."""
    rates = vector_field(t, y, p, structure)
    nodes = jnp.arange(y.size) < structure.layout.node_count
    return jnp.max(jnp.abs(jnp.where(nodes, p.tau, p.delta) * rates) / (1.0 + jnp.abs(y)), initial=0.0)


@partial(jax.jit, static_argnames="structure")
def _unrest(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    return unrest(t, y, p, structure)


@partial(jax.jit, static_argnames="structure")
def _energies(t: Any, y: Any, p: Parameters, structure: Structure) -> tuple[jax.Array, jax.Array]:
    x, eps, (M, _, beta) = state_at(t, y, p, structure)
    mu = dynamics.predictions(x, M, beta, structure.sigma)
    return dynamics.energy(eps, p.nu), dynamics.energy_slaved(x, mu, p.nu)


@partial(jax.jit, static_argnames="activation")
def _feedforward(given: Any, weights: Weights, activation: tuple[str, ...]) -> dynamics.Layers:
    sigma = tuple(map(activations.by_name, activation))
    return dynamics.feedforward(given, weights.M, weights.beta, sigma)


def feedforward(network: Network, weights: Weights, given: tuple[Array, ...]) -> tuple[Array, ...]:
    """x^0..x^n of `dynamics.feedforward`, shapes (B, n_l), with NaN in `given` where a node is free."""
    return tuple(map(np.array, _feedforward(given, weights, network.activation)))


@dataclass(frozen=True, eq=False)
class Problem:
    """One smooth stretch of a phase as an initial value problem dy/dt = f(t, y).

    Attributes
    ----------
    structure : Structure
    parameters : Parameters
    y0 : ndarray, shape (N,)
        Unknowns at t = 0, the start of the stretch.
    duration : float
        Its length.
    settle_tol : float or None
        End it when `unrest` has fallen to this; None where it is not to end early.
    """

    structure: Structure
    parameters: Parameters
    y0: Array
    duration: float
    settle_tol: float | None = None

    @property
    def layout(self) -> Layout:
        """Where the unknowns stand in y."""
        return self.structure.layout

    def rhs(self, t: float, y: Array) -> Array:
        """dy/dt, shape (N,)."""
        return np.asarray(_rhs(float(t), y, self.parameters, self.structure))

    def jacobian_action(self, t: float, y: Array, v: Array) -> Array:
        """J v, shape (N,), with J the exact Jacobian of `rhs` at (t, y)."""
        return np.asarray(_jacobian_action(float(t), y, v, self.parameters, self.structure))

    def jacobian(self, t: float, y: Array) -> Array:
        """J, shape (N, N), for systems small enough for that."""
        return np.asarray(_jacobian(float(t), y, self.parameters, self.structure))

    def unrest(self, t: float, y: Array) -> float:
        """How far from rest: max |tau dz/dt| / (1 + |z|), with delta for weights; dimensionless."""
        return float(_unrest(float(t), y, self.parameters, self.structure))

    def energies(self, t: float, y: Array) -> tuple[Array, Array]:
        """Terms of F with the error nodes as they are, and at their rest value; shapes (n,)."""
        dynamic, slaved = _energies(float(t), y, self.parameters, self.structure)
        return np.asarray(dynamic), np.asarray(slaved)

    def state(self, t: float, y: Array) -> State:
        """The whole state, clamps put in."""
        parameters = jax.tree.map(np.asarray, self.parameters)
        return state_at(t, y, parameters, self.structure, np)


def layout_of(network: Network, phase: Phase, batch: int) -> Layout:
    """Which variables are unknowns in `phase`, shown `batch` samples."""
    free = tuple(
        layer not in phase.clamp or bool(np.isnan(phase.clamp_at(layer, 0.0)).any())
        for layer in range(network.n + 1)
    )
    return Layout(network.sizes, batch, free, phase.learn, network.feedback)


def given_nodes(network: Network, phase: Phase, batch: int, t: float = 0.0) -> tuple[Array, ...]:
    """Clamped values of layers 0..n at the phase's own time `t`, shapes (B, n_l); NaN where free."""
    return tuple(
        phase.clamp_at(layer, t) if layer in phase.clamp else np.full((batch, size), np.nan)
        for layer, size in enumerate(network.sizes)
    )


def make_problem(
    network: Network, phase: Phase, state: State, span: tuple[float, float] | None = None
) -> Problem:
    """The stretch `span` of `phase`, in its own time and free of breakpoints, starting at `state`.

    Left out, `span` is the whole of a phase whose clamps are constant or have no breakpoint.
    """
    start, end = span or (0.0, phase.duration)
    batch = state.x[0].shape[0]
    layout = layout_of(network, phase, batch)
    clamp = given_nodes(network, phase, batch, start)
    slope = tuple(
        np.nan_to_num((phase.clamp_at(layer, end, "left") - value) / (end - start))
        if layer in phase.clamp
        else np.zeros_like(value)
        for layer, value in enumerate(clamp)
    )
    parameters = Parameters(
        tau=network.tau,
        delta=network.delta,
        weight_decay=network.weight_decay,
        node_decay=network.node_decay,
        nu=np.array(network.nu),
        clamp=clamp,
        slope=slope,
        held=state.weights,
    )
    clamped = tuple(layer in phase.clamp for layer in range(network.n + 1))
    still = end == phase.duration and not any(s.any() for s in slope)
    return Problem(
        structure=Structure(layout, network.activation, clamped),
        parameters=jax.tree.map(partial(jnp.asarray, dtype=float), parameters),
        y0=layout.pack(state),
        duration=end - start,
        settle_tol=phase.settle_tol if phase.until == "equilibrium" and still else None,
    )

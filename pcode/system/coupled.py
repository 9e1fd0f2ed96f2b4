"""The equations of a phase as one system dy/dt = f(t, y)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..base._jax import jax, jnp
from ..model import dynamics
from ..model.activation import Activation
from ..model.activations import Entry, activation_of
from ..model.clamp import Curve, Pieces, curve_at
from ..model.dynamics import Constants, Layers
from ..model.network import Weights
from ..model.state import Layout, State
from .derivatives import ForwardPass, Partials, Point, error_rate, fixed_rate, free_rate, partials


class Structure(NamedTuple):
    """The static part of a system, on which compiled code depends; a parameter sweep does not change it.

    Attributes
    ----------
    layout : Layout
    activation : tuple of str or Activation
        sigma by name, or itself, layers 0..n-1.
    clamped : tuple of bool
        For each layer 0..n, whether any of its value nodes is clamped.
    elimination : Elimination
        How (I - a J) d = r is solved.
    offset : tuple of int
        Links whose W is M^T plus a known offset; see `pcode.system.reduction`.
    curves : tuple of Function, Expression or None
        For each layer 0..n, the function of time to which it is clamped, or None; empty if all are None.
    fixed : bool
        Whether predictions and slopes are those of the forward pass of the weights, see `Phase.predictions`.
    """

    layout: Layout
    activation: tuple[Entry, ...]
    clamped: tuple[bool, ...]
    elimination: Elimination
    offset: tuple[int, ...] = ()
    curves: tuple[Curve | None, ...] = ()
    fixed: bool = False

    @property
    def sigma(self) -> tuple[Activation, ...]:
        """The activations themselves."""
        return tuple(map(activation_of, self.activation))

    @property
    def kinks(self) -> tuple[tuple[float, ...], ...]:
        """The values at which the rates of a node of layers 0..n-1 jump: the kinks of its activation.

        None with fixed predictions, where no rate depends on sigma of a node.
        """
        return tuple(() if self.fixed else sigma.kinks for sigma in self.sigma)

    @property
    def kinked(self) -> bool:
        """Whether there are such values."""
        return any(self.kinks)


class Parameters(NamedTuple):
    """What the right-hand side depends on besides t and y; all of it may change without recompilation.

    Attributes
    ----------
    constants : Constants
        Time constants, variances, decays and masks of the network.
    clamp : tuple of arrays, shapes (B, n_l)
        Clamped values at t = 0; NaN where a node is free.
    held : Weights
        The weights that are not unknowns; in the links of `Structure.offset`, W here is W - M^T at t = 0.
    pieces : tuple of Pieces or None
        For each layer 0..n, the time series to which it is clamped, or None; empty if all are None.
    mode : tuple of arrays or None, shapes (B, n_l), or None
        The modes of the value nodes of layers 0..n-1 (see `pcode.model.activation.Activation`), None for
        layers without kinks. None instead of the tuple: activations are used unchanged, and no node is held
        at a kink.
    """

    constants: Constants
    clamp: tuple[Any, ...]
    held: Weights
    pieces: tuple[Pieces | None, ...] = ()
    mode: tuple[Any, ...] | None = None


class Elimination(Protocol):
    """A direct solver of (I - a J) d = r that uses the structure of J.

    If it is not exact, it is the preconditioner of iterations with the exact action of J.
    """

    @property
    def exact(self) -> bool:
        """Whether it is exact for the nodes with the weights held."""

    def factor(self, system: System, point: Point, a: Any, one: Any = 1.0) -> Any:
        """Factors of (one I - a J) at `point`; `one` a scalar or, with weights held, of shape (B, 1)."""

    def solve(self, system: System, factors: Any, r: Any) -> Any:
        """The d, shape (N,), with (I - a J) d = r, without the weight-borne coupling if weights learn."""


@partial(jax.tree_util.register_dataclass, data_fields=["parameters"], meta_fields=["structure"])
@dataclass(frozen=True, eq=False)
class System:
    """The coupled equations of a phase: dy/dt = rhs(t, y) for the unknowns y, shape (N,).

    It is immutable, and its methods are pure functions that JAX can trace. As a pytree its parameters are the
    leaves and its structure is static.

    Parameters
    ----------
    structure : Structure
    parameters : Parameters
    """

    structure: Structure
    parameters: Parameters

    @property
    def layout(self) -> Layout:
        """The layout of the unknowns in y."""
        return self.structure.layout

    @property
    def constants(self) -> Constants:
        """Time constants, variances and decays."""
        return self.parameters.constants

    @property
    def exact(self) -> bool:
        """Whether `solve` is exact: if the weights are held, and the elimination is exact for the nodes."""
        return self.structure.elimination.exact and not self.layout.learn

    def changed(self, **parameters: Any) -> System:
        """The same with other `parameters`."""
        return System(self.structure, self.parameters._replace(**parameters))

    def with_constants(self, **constants: Any) -> System:
        """The same with other `constants`."""
        return self.changed(constants=self.constants._replace(**constants))

    @property
    def with_unit_clocks(self) -> System:
        """The same with 1 in place of tau and tau_eps, which may be 0: equilibria do not depend on them."""
        c = self.constants
        return self.with_constants(tau=0.0 * c.tau + 1.0, tau_eps=0.0 * c.tau_eps + 1.0)  # NumPy's or JAX's

    @property
    def in_units_of_tau(self) -> System:
        """The same with time in units of the largest tau; of 1 in the singular limit, where tau = 0."""
        c = self.constants
        unit = c.longest_tau
        return self.with_constants(
            tau=jnp.where(unit > 0.0, c.tau / unit, 1.0), tau_eps=jnp.where(unit > 0.0, c.tau_eps / unit, 1.0)
        )

    @property
    def without_modes(self) -> System:
        """The same with every activation unchanged and no node held at a kink."""
        return self.changed(mode=None)

    def hold(self, weights: Weights) -> System:
        """The equations of the nodes alone, with `weights` held."""
        layout = self.layout.changed(learn=False, follows=())
        structure = self.structure._replace(layout=layout, offset=())
        return System(structure, self.parameters._replace(held=weights))

    def clamps(self, t: Any, xp: Any = jnp) -> Layers:
        """Clamped values at time `t`, shapes (B, n_l), l = 0..n; undefined where a node is free."""
        p = self.parameters
        clamps = list(p.clamp)
        for layer, pieces in enumerate(p.pieces):
            if pieces is not None:
                clamps[layer] = pieces.at(t, xp)
        for layer, curve in enumerate(self.structure.curves):
            if curve is not None:
                values = curve_at(curve, t) if xp is np else curve.at(t)
                clamps[layer] = xp.broadcast_to(values, p.clamp[layer].shape)
        return tuple(clamps)

    def state(self, t: Any, y: Any) -> State:
        """The full state at time `t` from the unknowns `y`, shape (N,), clamped values included."""
        return self.with_slaved(self.without_slaved(t, y, jnp))

    def without_slaved(self, t: Any, y: Any, xp: Any) -> State:
        """The same by NumPy or JAX's NumPy, with slaved errors left at any value; see `with_slaved`."""
        p, structure = self.parameters, self.structure
        x, eps, weights = self.layout.unpack(y, State(p.clamp, p.clamp[1:], p.held))
        now = self.clamps(t, xp)
        clamps = zip(x, p.clamp, now, structure.clamped, self.layout.free, strict=True)
        x = tuple(
            (xp.where(xp.isnan(begin), x_l, value) if free else value) if clamped else x_l
            for x_l, begin, value, clamped, free in clamps
        )
        x = tuple(
            x_l if at is None else xp.where(xp.isnan(at), x_l, at)
            for x_l, at in zip(x, self.held_at(xp), strict=True)
        )
        if structure.offset:
            # W - M^T decays as exp(-lambda t / delta) on every trajectory, see `pcode.system.reduction`.
            shrunk = xp.exp(-self.constants.weight_decay * t / self.constants.delta)
            links = enumerate(zip(weights.M, weights.W or (), strict=True))
            W = (M.T + shrunk[k] * W if k in structure.offset else W for k, (M, W) in links)
            weights = weights._replace(W=tuple(W))
        return State(x, eps, weights)

    def with_slaved(self, state: State) -> State:
        """`state` with the errors that are slaved to its values."""
        slaved = self.layout.slaved
        if not slaved:
            return state
        x, eps, weights = state
        mu = dynamics.predictions(self.predicting(state), weights.M, weights.beta, self.sigma)
        nu = dynamics.variances(state, self.constants)
        layers = enumerate(zip(x[1:], eps, mu, nu, strict=True), start=1)
        return state._replace(
            eps=tuple(
                dynamics.slaved_error(x_l, mu_l, nu_l) if layer in slaved else eps_l
                for layer, (x_l, eps_l, mu_l, nu_l) in layers
            )
        )

    def predicting(self, state: State) -> Layers:
        """The values at which predictions and slopes are evaluated in a `state`, shapes (B, n_l), l = 0..n.

        Those of the state or, with fixed predictions, of the forward pass of its weights, in which clamped
        nodes stand at their clamps.
        """
        x, _, weights = state
        if not self.structure.fixed:
            return x
        given = (
            jnp.full(x_l.shape, jnp.nan) if free is None else jnp.where(free, jnp.nan, x_l)
            for x_l, free in zip(x, self.free(), strict=True)
        )
        return dynamics.feedforward(tuple(given), weights.M, weights.beta, self.sigma)

    def held_at(self, xp: Any = jnp) -> tuple[Any, ...]:
        """The kinks at which value nodes are held, NaN where not, shapes (B, n_l); None where none can be."""
        mode = self.parameters.mode
        if mode is None:
            return (None,) * len(self.parameters.clamp)
        layers = zip(self.structure.sigma, mode, strict=True)
        return (*(None if mode is None else s.held_at(mode, xp) for s, mode in layers), None)

    @property
    def sigma(self) -> dynamics.Sigma:
        """Activations of layers 0..n-1, restricted to the pieces given by the nodes' modes."""
        mode = self.parameters.mode
        if mode is None:
            return self.structure.sigma
        layers = zip(self.structure.sigma, mode, strict=True)
        return tuple(s if mode is None else s.within(mode) for s, mode in layers)

    def free(self) -> tuple[Any, ...]:
        """Which value nodes are neither clamped nor held at a kink, shapes (B, n_l); None where all are."""
        layers = zip(self.parameters.clamp, self.structure.clamped, self.held_at(), strict=True)
        masks = (
            [jnp.isnan(v) for v, there in ((value, clamped), (at, at is not None)) if there]
            for value, clamped, at in layers
        )
        return tuple(mask[0] & mask[-1] if mask else None for mask in masks)

    def free_values(self) -> Layers:
        """1 at value nodes that move, 0 at those clamped or held at a kink, l = 0..n, shapes (B, n_l)."""
        return tuple(
            jnp.ones(value.shape) if free is None else jnp.where(free, 1.0, 0.0)
            for value, free in zip(self.parameters.clamp, self.free(), strict=True)
        )

    @property
    def dynamic(self) -> tuple[float, ...]:
        """1 for layers whose errors have an equation of their own, 0 where they are slaved, l = 1..n.

        In I - a J it takes the place of I.
        """
        return tuple(float(layer not in self.layout.slaved) for layer in range(1, self.layout.n + 1))

    def free_mask(self) -> Any:
        """1 at each unknown node that moves, 0 at those clamped or held at a kink, shape (B m,)."""
        eps: Layers = tuple(map(jnp.ones_like, self.parameters.clamp[1:]))
        nodes = self.layout.changed(learn=False)
        return nodes.pack(State(self.free_values(), eps, self.parameters.held), jnp)

    def rhs(self, t: Any, y: Any) -> Any:
        """dy/dt, shape (N,): all equations of the model for the unknowns `y`."""
        state = self.state(t, y)
        rates = dynamics.rates(state, self.predicting(state), self.sigma, self.constants)
        dx: Layers = tuple(
            rate if free is None else jnp.where(free, rate, 0.0)
            for rate, free in zip(rates.x, self.free(), strict=True)
        )
        return self.layout.pack(rates._replace(x=dx), jnp)

    def noise(self) -> Any:
        """What multiplies dw in dx of the unknown value nodes, which come first in y; 0 where clamped."""
        layers = zip(dynamics.noise_amplitudes(self.constants), self.free_values(), strict=True)
        of = [jnp.ravel(amplitude * free) for amplitude, free in layers]
        return jnp.concatenate(
            [*(one for one, free in zip(of, self.layout.free, strict=True) if free), jnp.zeros(0)]
        )

    def residual(self, t: Any, y: Any) -> Any:
        """Distance from rest: max |tau dz/dt| / (1 + |z|), each z with its own time constant; a scalar."""
        scaled = self.layout.clocks(*self.constants.times, jnp) * self.rhs(t, y)
        return jnp.max(jnp.abs(scaled) / (1.0 + jnp.abs(y)), initial=0.0)

    def action(self, t: Any, y: Any) -> Callable[[Any], Any]:
        """The function v -> J v, shapes (N,), with J the exact Jacobian of `rhs` at (t, y)."""
        _, action = jax.linearize(lambda z: self.rhs(t, z), y)
        return action

    def linearise(self, t: Any, y: Any) -> Point:
        """The derivatives at (t, y), y of shape (N,), from which the Jacobian is made."""
        state = self.state(t, y)
        x, eps, weights = state
        fixed, at = self.structure.fixed, self.predicting(state)
        sigma, c, free, masks = self.sigma, self.constants, self.free_values(), self.free()
        h = (*dynamics.feedback_signals(eps, weights.feedback), 0.0)
        mu, nu = dynamics.predictions(at, weights.M, weights.beta, sigma), dynamics.variances(state, c)
        value, bend = [], []
        for s, tau, *given, at_l in zip((*sigma, None), c.tau, x, (0.0, *eps), h, at, strict=True):
            if fixed:
                *found, by_at = partials(partial(fixed_rate, s, tau, c), *given, at_l)
                bend.append(by_at)
            else:
                found = [*partials(partial(free_rate, s, tau, c), *given)]
            value.append(Partials(*found))
        error = (
            Partials(*partials(partial(error_rate, nu_l, tau_l), x_l, eps_l, mu_l))
            for nu_l, tau_l, x_l, eps_l, mu_l in zip(nu, c.tau_eps, x[1:], eps, mu, strict=True)
        )
        below = list(zip(sigma, at, free, strict=False))
        slope = tuple(s.df(at_l) * f for s, at_l, f in below)
        bends = tuple(d * f for d, f in zip(bend, free[:-1], strict=False))
        return Point(
            state=state,
            sigma=tuple(s.f(at_l) for s, at_l, _ in below),
            slope=(jnp.zeros((1, 1)),) * len(below) if fixed else slope,
            value=tuple(
                found if mask is None else Partials(*(jnp.where(mask, d, 0.0) for d in found))
                for found, mask in zip(value, masks, strict=True)
            ),
            error=tuple(
                found if mask is None else found._replace(x=jnp.where(mask, found.x, 0.0))
                for found, mask in zip(error, masks[1:], strict=True)
            ),
            free=free,
            forward=ForwardPass(slope, bends) if fixed else None,
        )

    def factor(self, point: Point, a: Any, one: Any = 1.0) -> Any:
        """Factors of (one I - a J) at `point`, for `solve`; see `Elimination`."""
        return self.structure.elimination.factor(self, point, a, one)

    def solve(self, factors: Any, r: Any) -> Any:
        """The d, shape (N,), with (I - a J) d = r by the elimination; see `exact`."""
        return self.structure.elimination.solve(self, factors, r)

"""Exact reductions: the same solution from fewer unknowns.

Feedback. `learned` W obeys delta d(W - M^T)/dt = -lambda (W - M^T) where both learn, so W is M^T plus an
offset that is constant, or decays as exp(-lambda t / delta). It needs no unknowns of its own.

Input. Weights fed by a layer clamped to constant values move in the span of its B rows only:
delta dM^0/dt = sigma(x^0)^T eps^1 / B - lambda M^0. With sigma(x^0)^T = Q R, Q of shape (n_0, B) and
orthonormal, Q^T M^0 obeys the equation of a network whose layer 0 has B nodes held at R^T and
activation `identity`, and the rest (I - Q Q^T) M^0 decays as exp(-lambda t / delta). Q being
orthonormal, tolerances mean the same in both. If the batch is no smaller than the layer, layer 0 keeps its
size, but sigma(x^0) is computed once, not at every evaluation; likewise if the link has a mask.

A single sample. With s = |sigma(x^0)|, layer 0 is one node at s, with the weights sigma(x^0) M^0 / s. With a
mask, column j moves by k_j = sum_i mask_ij sigma_i^2 in place of s^2, so that k_j / s^2 takes the place of
the mask (`narrow`); M^0 follows (`widen`), as each column moves along its masked sigma(x^0).

First prediction. If M^0, W^0 and beta^1 are held as well, mu^1 = sigma(x^0) M^0 + beta^1 is constant. It
takes the place of the bias, with a row for each sample, and layer 0 becomes a single node at 0 with zero
weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from ..base.evaluated import Evaluated, Static
from ..model import variables
from ..model.activations import activation_of
from ..model.network import Array, Weights
from ..model.state import Layout, State
from .coupled import System

Reduced = tuple[System, State, "Reduction"]


@dataclass(frozen=True, eq=False)
class Reduction:
    """How the full state follows from that of the reduced system.

    Parameters
    ----------
    system : System
        The full system.
    offset : tuple of ndarray or None, shapes (n_{l+1}, n_l), optional
        W - M^T at t = 0 of the links whose W was left out.
    input : ndarray, shape (B, n_0), optional
        x^0, if layer 0 was replaced.
    basis : ndarray, shape (n_0, B), optional
        Q, if layer 0 was replaced by a narrower one.
    rest : ndarray, shape (n_0, n_1), optional
        (I - Q Q^T) M^0 at t = 0.
    single : Single, optional
        What a single sample's M^0 follows from, if layer 0 was replaced by one node.
    """

    system: System
    offset: tuple[Array | None, ...] | None = None
    input: Array | None = None
    basis: Array | None = None
    rest: Array | None = None
    single: Single | None = None

    def stands_for(self, layout: Layout, xp: Any = np) -> Any:
        """Number of variables of the full system that each unknown of `layout` represents, shape (N,).

        M represents W too if that was left out, and the coordinates in the basis represent all of M^0, in
        equal parts; a weight that a mask leaves out is none. An error norm with these weights is as strict as
        that of the full system.
        """
        full = self.system.layout
        there = xp.asarray(full.gains(self.system.constants.mask, xp) != 0.0, dtype=float)
        counts = []
        for name, (variable, layer) in layout.arrays.items():
            meant, size = there[full.slices[name]], math.prod(layout.shapes[name])
            if layout.shapes[name] != full.shapes[name]:
                meant = xp.full(size, meant.sum() / size)
            follows = variable is variables.M and layout.feedback_moves(layer) == name
            counts.append(meant * (2.0 if follows and f"W{layer}" in full.arrays else 1.0))
        return xp.concatenate(counts or [xp.zeros(0)])

    def nodes(self, state: State) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """All value and error nodes, from those of the reduced `state`."""
        return (state.x[0] if self.input is None else self.input, *state.x[1:]), state.eps

    def weights(self, t: Any, reduced: Weights, xp: Any = np) -> Weights:
        """All weights at time `t`, from those of the reduced system; `xp` is NumPy or JAX's NumPy."""
        held, c, full = self.system.parameters.held, self.system.constants, self.system.layout
        if not full.learn:
            return held
        shrunk = xp.exp(-c.weight_decay * t / c.delta)
        M, W = list(reduced.M), list(held.W or ())
        if self.single is not None:
            M[0] = xp.asarray(_widened(self.single, M[0], shrunk[0]))
        elif self.basis is not None and self.rest is not None:
            M[0] = shrunk[0] * self.rest + self.basis @ M[0]
        for link in range(len(W)):
            offset = None if self.offset is None else self.offset[link]
            if offset is not None:
                W[link] = M[link].T + shrunk[link] * offset
            elif f"W{link}" in full.arrays and reduced.W is not None:
                W[link] = reduced.W[link]
        return reduced._replace(
            M=tuple(one if f"M{k}" in full.arrays else held.M[k] for k, one in enumerate(M)),
            W=None if held.W is None else tuple(W),
            beta=tuple(
                one if f"beta{k}" in full.arrays else held.beta[k - 1]
                for k, one in enumerate(reduced.beta, start=1)
            ),
        )


class Narrow(NamedTuple):
    """Link 0 for a single sample, its input layer replaced by one node with activation `identity`.

    Attributes
    ----------
    x : array, shape (1, 1)
        The node's value s = |sigma(x^0)|; 0 if that is 0.
    M : array, shape (1, n_1)
        sigma(x^0) M^0 / s.
    mask : array, shape (1, n_1), or None
        What takes the place of the mask, k_j / s^2; None for a dense link.
    """

    x: Any
    M: Any
    mask: Any


def narrow(M0: Any, sigma: Any, mask: Any = None) -> Narrow:
    """The link of one node that predicts what M^0 does, and learns as it does.

    A pure function of arrays, which JAX can trace, like its inverse `widen`.

    Parameters
    ----------
    M0 : array, shape (n_0, n_1)
        M^0, 0 where the mask is.
    sigma : array, shape (1, n_0)
        sigma(x^0), constant.
    mask : array, shape (n_0, n_1), optional
    """
    square = jnp.sum(sigma**2)
    s = jnp.sqrt(square)
    safe = jnp.where(s > 0.0, s, 1.0)
    gain = None if mask is None else (sigma**2 @ mask) / safe**2
    return Narrow(s[None, None], (sigma @ M0) / safe, gain)


def widen(M: Any, began: Narrow, M0: Any, sigma: Any, mask: Any, shrunk: Any) -> Any:
    """M^0 at a time t, shape (n_0, n_1), from the weights of the one node.

    Parameters
    ----------
    M : array, shape (1, n_1)
        The weights of the one node at time t.
    began : Narrow
        `narrow(M0, sigma, mask)`.
    M0 : array, shape (n_0, n_1)
        M^0 at t = 0.
    sigma, mask
        As for `narrow`.
    shrunk : scalar
        exp(-lambda t / delta^0).
    """
    # M^0(t) = shrunk M^0(0) + mask * sigma^T A, where the columns of s M say what A is.
    s = began.x
    k = s**2 if mask is None else s**2 * began.mask
    A = jnp.where(k > 0.0, s * (M - shrunk * began.M) / jnp.where(k > 0.0, k, 1.0), 0.0)
    learned = sigma.T * A
    return shrunk * M0 + (learned if mask is None else mask * learned)


class Single(NamedTuple):
    """The arguments of `widen` that stay the same."""

    began: Narrow
    M0: Any
    sigma: Any
    mask: Any


_narrowed = Evaluated(narrow)
_widened = Evaluated(
    lambda single, M, shrunk: widen(M, single.began, single.M0, single.sigma, single.mask, shrunk)
)
_predicted = Evaluated(lambda sigma, M, beta: sigma @ M + beta)  # mu^1, shape (B, n_1)
_sigma_of = Evaluated(lambda activation, x: activation_of(activation.value).f(x))


# What decays is given by its value at the phase's start, which must not overflow: so many time constants
# later it is taken as it is.
MOST_DECAYED = 300.0


def reducible(system: System, start: float) -> bool:
    """Whether a phase can be reduced that goes on at its own time `start`."""
    c = system.constants
    return start == 0.0 or float(np.max(c.weight_decay * start / c.delta)) <= MOST_DECAYED


def _grown(system: System, start: float) -> Any:
    """By what the parts of each link that only decay were larger at the phase's start than at `start`."""
    c = system.constants
    return np.exp(c.weight_decay * start / c.delta)


def reduce_feedback(
    system: System, state: State, reduction: Reduction, apart: bool | None = None, start: float = 0.0
) -> Reduced:
    """Leave out `learned` W, which follows from M where both learn.

    Where arrays are traced, `apart` must say whether W may differ from M^T. `start` is the phase's own time
    at `state`.
    """
    layout, weights, structure = system.layout, state.weights, system.structure
    links, unknown = range(layout.n), layout.arrays
    follow = tuple(k for k in links if f"W{k}" in unknown and f"M{k}" in unknown)
    if not follow or weights.W is None:
        return system, state, reduction
    pairs = enumerate(zip(weights.M, weights.W, strict=True))
    offset = tuple(W - M.T if k in follow else None for k, (M, W) in pairs)
    if start > 0.0:
        grown = _grown(system, start)
        offset = tuple(None if off is None else grown[k] * off for k, off in enumerate(offset))
    learn = layout.learn
    if isinstance(learn, tuple):
        learn = tuple(name for name in learn if name not in {f"W{k}" for k in follow})
    W: tuple[Array, ...] | None = tuple(
        own if off is None else off for own, off in zip(weights.W, offset, strict=True)
    )
    if len(follow) == layout.n:
        if apart is None:
            apart = any(part is not None and bool(part.any()) for part in offset)
        W = W if apart else None
        structure = structure._replace(
            layout=layout.changed(feedback="tied", learn=learn), offset=follow if apart else ()
        )
        state = state._replace(weights=weights._replace(W=None))
    else:
        structure = structure._replace(layout=layout.changed(learn=learn, follows=follow), offset=follow)
    held = system.parameters.held._replace(W=W)
    reduced = System(structure, system.parameters._replace(held=held))
    return reduced, state, replace(reduction, offset=offset)


def reduce_input(
    system: System, state: State, reduction: Reduction, xp: Any = np, start: float = 0.0
) -> Reduced:
    """Replace a layer 0 clamped to constant values by its prediction, its activation, or B nodes.

    With JAX's NumPy as `xp`, arrays may be traced. `start` is the phase's own time at `state`.
    """
    structure, parameters, layout = system.structure, system.parameters, system.layout
    moves = any(moving and moving[0] is not None for moving in (parameters.pieces, structure.curves))
    if layout.free[0] or moves:
        return system, state, reduction
    given = xp.asarray(parameters.clamp[0])
    sigma = xp.asarray(_sigma_of(Static(structure.activation[0]), given))
    reduction = replace(reduction, input=given)
    if layout.arrays.keys().isdisjoint(("M0", "W0", "beta1")):
        return _predict_first(system, state, reduction, sigma, xp)
    structure = structure._replace(activation=("identity", *structure.activation[1:]))
    mask = (parameters.constants.mask or (None,))[0] if "M0" in layout.arrays else None
    whole = layout.batch >= layout.sizes[0] or "W0" in layout.arrays
    if whole or (mask is not None and layout.batch > 1):
        parameters = parameters._replace(clamp=(sigma, *parameters.clamp[1:]))
        return System(structure, parameters), state._replace(x=(sigma, *state.x[1:])), reduction
    M0, W0 = state.weights.M[0], np.zeros((layout.sizes[1], layout.batch))  # W^0 tells no node anything
    if layout.batch == 1:
        began = jax.tree.map(xp.asarray, _narrowed(M0, sigma, mask))
        x, narrowed, gain = began
        if start > 0.0:
            grown = _grown(system, start)[0]
            began, M0 = began._replace(M=grown * began.M), grown * M0
        reduction = replace(reduction, single=Single(began, M0, sigma, mask))
    else:
        Q, R = xp.linalg.qr(sigma.T)
        x, narrowed, gain = R.T, Q.T @ M0, None
        rest = M0 - Q @ narrowed
        if start > 0.0:
            rest = _grown(system, start)[0] * rest
        reduction = replace(reduction, basis=Q, rest=rest)

    def with_narrow(weights: Weights) -> Weights:
        W = weights.W if weights.W is None else (W0, *weights.W[1:])
        return weights._replace(M=(narrowed, *weights.M[1:]), W=W)

    constants = parameters.constants
    if constants.mask:
        constants = constants._replace(mask=(gain, *constants.mask[1:]))
    return (
        System(
            structure._replace(layout=layout.changed(sizes=(layout.batch, *layout.sizes[1:]))),
            parameters._replace(
                constants=constants,
                clamp=(x, *parameters.clamp[1:]),
                held=with_narrow(parameters.held),
            ),
        ),
        State((x, *state.x[1:]), state.eps, with_narrow(state.weights)),
        reduction,
    )


def _predict_first(system: System, state: State, reduction: Reduction, sigma: Array, xp: Any = np) -> Reduced:
    """Replace beta^1 by mu^1, shape (B, n_1), of the clamped activations `sigma`; M^0 and beta^1 are held."""
    structure, parameters, layout = system.structure, system.parameters, system.layout

    def predicted(weights: Weights) -> Weights:
        mu = xp.asarray(_predicted(sigma, weights.M[0], weights.beta[0]))
        nothing = np.zeros((1, layout.sizes[1]))
        W = weights.W if weights.W is None else (nothing.T, *weights.W[1:])
        return weights._replace(M=(nothing, *weights.M[1:]), W=W, beta=(mu, *weights.beta[1:]))

    none, constants = np.zeros((layout.batch, 1)), parameters.constants
    if constants.mask:
        constants = constants._replace(mask=(None, *constants.mask[1:]))
    return (
        System(
            structure._replace(
                layout=layout.changed(sizes=(1, *layout.sizes[1:])),
                activation=("identity", *structure.activation[1:]),
            ),
            parameters._replace(
                constants=constants, clamp=(none, *parameters.clamp[1:]), held=predicted(parameters.held)
            ),
        ),
        State((none, *state.x[1:]), state.eps, predicted(state.weights)),
        reduction,
    )

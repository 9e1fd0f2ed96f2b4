"""Exact reductions: the same solution from fewer unknowns.

Feedback. `learned` W obeys delta d(W - M^T)/dt = -lambda (W - M^T), so W is M^T plus an offset that is
constant, or decays as exp(-lambda t / delta). It needs no unknowns of its own.

Input. Weights fed by a layer clamped to constant values move in the span of its B rows only:
delta dM^0/dt = sigma(x^0)^T eps^1 / B - lambda M^0. With sigma(x^0)^T = Q R, Q of shape (n_0, B) and
orthonormal, Q^T M^0 obeys the equation of a network whose layer 0 has B nodes held at R^T and
activation `identity`, and the rest (I - Q Q^T) M^0 decays as exp(-lambda t / delta). Q being
orthonormal, tolerances mean the same in both. If the batch is no smaller than the layer, layer 0 keeps its
size, but sigma(x^0) is computed once, not at every evaluation.

First prediction. If the weights are held as well, mu^1 = sigma(x^0) M^0 + beta^1 is constant. It takes the
place of the bias, with a row for each sample, and layer 0 becomes a single node at 0 with zero weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..base._jax import jax
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
    offset : tuple of ndarray, shapes (n_{l+1}, n_l), optional
        W - M^T at t = 0, if W was left out.
    input : ndarray, shape (B, n_0), optional
        x^0, if layer 0 was replaced.
    basis : ndarray, shape (n_0, B), optional
        Q, if layer 0 was replaced by a narrower one.
    rest : ndarray, shape (n_0, n_1), optional
        (I - Q Q^T) M^0 at t = 0.
    """

    system: System
    offset: tuple[Array, ...] | None = None
    input: Array | None = None
    basis: Array | None = None
    rest: Array | None = None

    def stands_for(self, layout: Layout) -> Array:
        """Number of variables of the full system that each unknown of `layout` represents, shape (N,).

        M represents W too if that was left out, and the coordinates in the basis represent all of M^0, in
        equal parts. An error norm with these weights is as strict as that of the full system.
        """
        full = self.system.layout.shapes
        counts = np.ones(layout.size)
        for name, (variable, layer) in layout.arrays.items():
            meant = math.prod(full[name])
            if variable is variables.M and f"W{layer}" not in layout.shapes:
                meant += math.prod(full.get(f"W{layer}", (0,)))
            counts[layout.slices[name]] = meant / math.prod(layout.shapes[name])
        return counts

    def nodes(self, state: State) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """All value and error nodes, from those of the reduced `state`."""
        return (state.x[0] if self.input is None else self.input, *state.x[1:]), state.eps

    def weights(self, t: Any, reduced: Weights, xp: Any = np) -> Weights:
        """All weights at time `t`, from those of the reduced system; `xp` is NumPy or JAX's NumPy."""
        held, c = self.system.parameters.held, self.system.constants
        if not self.system.layout.learn:
            return held
        shrunk = xp.exp(-c.weight_decay * t / c.delta)
        M, W = reduced.M, reduced.W
        if self.basis is not None and self.rest is not None:
            # Not by NumPy, whose BLAS threads go on spinning for a while and take a core from the solver.
            M = (xp.asarray(_expand(self.rest, self.basis, M[0], shrunk)), *M[1:])
        if self.offset is not None:
            W = tuple(m.T + shrunk * offset for m, offset in zip(M, self.offset, strict=True))
        elif self.system.layout.feedback == "fixed":
            W = held.W
        return reduced._replace(M=M, W=W)


@jax.jit
def _expand(rest: Any, basis: Any, M: Any, shrunk: Any) -> jax.Array:
    """M^0, shape (n_0, n_1), from its coordinates `M` in `basis`."""
    M0: jax.Array = shrunk * rest + basis @ M
    return M0


@jax.jit
def _predicted(sigma: Any, M: Any, beta: Any) -> jax.Array:
    """mu^1, shape (B, n_1)."""
    mu: jax.Array = sigma @ M + beta
    return mu


def reduce_feedback(system: System, state: State, reduction: Reduction, apart: bool | None = None) -> Reduced:
    """Leave out `learned` W, which follows from M.

    Where arrays are traced, `apart` must say whether W may differ from M^T.
    """
    layout, weights = system.layout, state.weights
    if not (layout.learn and layout.feedback == "learned") or weights.W is None:
        return system, state, reduction
    offset = tuple(W - M.T for M, W in zip(weights.M, weights.W, strict=True))
    if apart is None:
        apart = any(bool(part.any()) for part in offset)
    return (
        System(
            system.structure._replace(layout=replace(layout, feedback="tied"), offset=apart),
            system.parameters._replace(held=weights._replace(W=offset if apart else None)),
        ),
        state._replace(weights=weights._replace(W=None)),
        replace(reduction, offset=offset),
    )


def reduce_input(system: System, state: State, reduction: Reduction, xp: Any = np) -> Reduced:
    """Replace a layer 0 clamped to constant values by its prediction, its activation, or B nodes.

    With JAX's NumPy as `xp`, arrays may be traced.
    """
    structure, parameters, layout = system.structure, system.parameters, system.layout
    moves = any(moving and moving[0] is not None for moving in (parameters.pieces, structure.curves))
    if layout.free[0] or moves:
        return system, state, reduction
    given = xp.asarray(parameters.clamp[0])
    sigma = xp.asarray(activation_of(structure.activation[0]).f(given))
    reduction = replace(reduction, input=given)
    if not layout.learn:
        return _predict_first(system, state, reduction, sigma, xp)
    structure = structure._replace(activation=("identity", *structure.activation[1:]))
    if layout.batch >= layout.sizes[0]:
        parameters = parameters._replace(clamp=(sigma, *parameters.clamp[1:]))
        return System(structure, parameters), state._replace(x=(sigma, *state.x[1:])), reduction
    Q, R = xp.linalg.qr(sigma.T)

    def narrowed(weights: Weights) -> Weights:
        M0 = Q.T @ weights.M[0]
        W = weights.W if weights.W is None else (weights.W[0] @ Q, *weights.W[1:])
        return weights._replace(M=(M0, *weights.M[1:]), W=W)

    M0 = state.weights.M[0]
    return (
        System(
            structure._replace(layout=replace(layout, sizes=(layout.batch, *layout.sizes[1:]))),
            parameters._replace(clamp=(R.T, *parameters.clamp[1:]), held=narrowed(parameters.held)),
        ),
        State((R.T, *state.x[1:]), state.eps, narrowed(state.weights)),
        replace(reduction, basis=Q, rest=M0 - Q @ (Q.T @ M0)),
    )


def _predict_first(system: System, state: State, reduction: Reduction, sigma: Array, xp: Any = np) -> Reduced:
    """Replace beta^1 by mu^1, shape (B, n_1), of the clamped activations `sigma`; the weights are held."""
    structure, parameters, layout = system.structure, system.parameters, system.layout

    def predicted(weights: Weights) -> Weights:
        mu = xp.asarray(_predicted(sigma, weights.M[0], weights.beta[0]))
        nothing = np.zeros((1, layout.sizes[1]))
        W = weights.W if weights.W is None else (nothing.T, *weights.W[1:])
        return weights._replace(M=(nothing, *weights.M[1:]), W=W, beta=(mu, *weights.beta[1:]))

    none = np.zeros((layout.batch, 1))
    return (
        System(
            structure._replace(
                layout=replace(layout, sizes=(1, *layout.sizes[1:])),
                activation=("identity", *structure.activation[1:]),
            ),
            parameters._replace(clamp=(none, *parameters.clamp[1:]), held=predicted(parameters.held)),
        ),
        State((none, *state.x[1:]), state.eps, predicted(state.weights)),
        reduction,
    )

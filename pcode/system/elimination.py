"""The structured solve of (I - a J) d = r, J the Jacobian of the whole system.

The weights are eliminated first: apart from a diagonal they couple to the nodes only. What they
give back to the nodes (the *weight-borne coupling*, of relative size a/delta) is left out of the
node system, so the solve is exact up to that, and a Krylov method has the rest. What remains is, for each
sample on its own, a chain of layers (`pcode.system.chain`). Nothing is of the size of the weights.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from ..base._jax import jax, jnp
from ..model.dynamics import Layers
from ..model.network import Weights
from ..model.state import State
from . import chain
from .coupled import Parameters, Point, Structure, free_nodes
from .krylov import gcr

# Directions kept by the Krylov iterations for the weight-borne coupling, and most iterations.
VECTORS = 20
MOST_ITERATIONS = 60


class Factors(NamedTuple):
    """(I - a J), eliminated; what `solve` needs and cannot know itself, for solvers hand it about.

    Attributes
    ----------
    sigma, eps : tuples of arrays
        As in `Point`, and its errors.
    nodes : chain.Chain
    """

    sigma: Layers
    eps: Layers
    nodes: chain.Chain

    @property
    def slope(self) -> Layers:
        """As in `Point`."""
        return tuple(layer.link.S for layer in self.nodes.layers[1:])  # type: ignore[union-attr]


def factor(point: Point, a: Any, p: Parameters, structure: Structure, one: Any = 1.0) -> Factors:
    """Eliminate (one I - a J); `one` is a scalar or has shape (B, 1).

    Where the weights are unknowns it must be 1.
    """
    return Factors(point.sigma, point.state.eps, chain.factor(point, a, p, structure, one))


@partial(jax.jit, static_argnames="structure")  # traced once for all places where others apply it
def solve(factors: Factors, r: Any, p: Parameters, structure: Structure) -> Any:
    """The d with (I - a J) d = r, shapes (N,), up to the weight-borne coupling."""
    layout = structure.layout
    nothing = jax.tree.map(jnp.zeros_like, State(p.clamp, p.clamp[1:], p.held))
    right, free = layout.unpack(r, nothing), free_nodes(p, structure)
    P, q = _sources(factors, right, p, structure)
    q = tuple(q_l * f for q_l, f in zip(q, free, strict=True))
    d_x, d_eps = chain.solve(factors.nodes, P, q, free, layout.free)
    d_weights = (
        _weights(factors, d_x, d_eps, right.weights, p, structure) if layout.learn else nothing.weights
    )
    # A clamped node of a layer that has free ones has no rate: d = r there.
    kept = zip(d_x, right.x, free, strict=True)
    d_x = tuple(jnp.where(f > 0.0, d, r_l) for d, r_l, f in kept)
    return layout.pack(State(d_x, d_eps, d_weights), jnp)


def solve_coupled(
    factors: Factors, r: Any, p: Parameters, structure: Structure, weight: Any, enough: Any
) -> Any:
    """The d with (I - a J) d = r, shapes (N,), the weight-borne coupling included.

    A change w of the weights makes the nodes answer, and they change the weights: by c (r_w + s(w)),
    affine in w. `solve` takes w = c r_w for the nodes; where what comes back differs, Krylov
    iterations find the w that comes back as it is. Their vectors are of the size of the weights.

    Parameters
    ----------
    factors : Factors
    r : array, shape (N,)
    p, structure : Parameters, Structure
    weight : array, shape (N,)
        The norm of v is the root mean square of v * weight over the weights.
    enough : scalar
        The residual that may be left, in this norm.
    """
    layout, k = structure.layout, structure.layout.node_count
    d = solve(factors, r, p, structure)
    if not layout.learn:
        return d
    weight = weight[k:]
    c = 1.0 / (1.0 + factors.nodes.alpha * p.tau * p.weight_decay / p.delta)

    def through(r_nodes: Any, w: Any) -> Any:
        """The d that the nodes make of r_nodes when the weights change by `w`."""
        return solve(factors, jnp.concatenate([r_nodes, w / c]), p, structure)

    def rest(w: Any) -> Any:
        """What differs between a change of the weights and what comes back of it."""
        return 2.0 * w - through(jnp.zeros(k), w)[k:]

    def coupled(d: Any) -> Any:
        w0 = c * r[k:]
        w = w0 + gcr(rest, d[k:] - w0, weight, 0.0, enough, VECTORS, MOST_ITERATIONS)
        return jnp.concatenate([through(r[:k], w)[:k], w])

    missing = jnp.sqrt(jnp.mean(((d[k:] - c * r[k:]) * weight) ** 2))
    return jax.lax.cond(missing > enough, coupled, lambda d: d, d)


def _sources(factors: Factors, r: State, p: Parameters, structure: Structure) -> tuple[Layers, Layers]:
    """P and q: what stands on the right of the nodes' equations, the weights eliminated."""
    alpha, layout = factors.nodes.alpha, structure.layout
    P, q = list(r.eps), list(r.x)
    if not layout.learn:
        return tuple(P), tuple(q)
    c = 1.0 / (1.0 + alpha * p.tau * p.weight_decay / p.delta)
    r_M, r_W, r_beta = r.weights
    r_feedback: Layers = tuple(m.T for m in r_M) if layout.feedback == "tied" or r_W is None else r_W
    for layer in range(layout.n):
        P[layer] = P[layer] - alpha * c * (factors.sigma[layer] @ r_M[layer] + r_beta[layer])
        if layout.feedback != "fixed" and layout.free[layer]:
            heard = factors.eps[layer] @ r_feedback[layer]
            q[layer] = q[layer] + alpha * c * factors.slope[layer] * heard
    return tuple(P), tuple(q)


def _weights(
    factors: Factors, d_x: Layers, d_eps: Layers, r: Weights, p: Parameters, structure: Structure
) -> Weights:
    """Change of the weights, with what the nodes send them."""
    a, layout = factors.nodes.alpha * p.tau, structure.layout
    c = 1.0 / (1.0 + a * p.weight_decay / p.delta)
    gain = a * c / (p.delta * layout.batch)
    sent = []
    for layer in range(layout.n):
        hebb = factors.sigma[layer].T @ d_eps[layer]
        if layout.free[layer]:
            hebb += (factors.slope[layer] * d_x[layer]).T @ factors.eps[layer]
        sent.append(gain * hebb)
    W = None if r.W is None else tuple(c * r_l + h.T for r_l, h in zip(r.W, sent, strict=True))
    return Weights(
        tuple(c * r_l + h for r_l, h in zip(r.M, sent, strict=True)),
        W,
        tuple(c * r_l + gain * d.sum(axis=0) for r_l, d in zip(r.beta, d_eps, strict=True)),
    )

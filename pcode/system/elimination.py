"""The structured solve of (I - a J) d = r, J the Jacobian of the whole system.

The weights are eliminated first: their block is diagonal, and they couple to the nodes only. Their Schur
complement in the node system (the *weight-borne coupling*, of relative size a/delta) is left out. So the
solve is exact up to that, and a Krylov method does the rest. What remains is a chain of layers
(`pcode.system.chain`) for each sample on its own. No matrix has the number of weights as its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..base._jax import jax, jnp
from ..model.dynamics import Layers
from ..model.network import Weights
from ..model.state import State
from ..model.variables import BETA, EPS, VARIABLES, M, W, X
from . import chain
from . import whole as whole_nodes
from .coupled import System
from .derivatives import ForwardPass, Point
from .krylov import gcr

# Krylov vectors kept and most iterations for systems that the elimination does not solve exactly, and the
# relative residual to reach.
REFINED, MOST_REFINED, REFINED_RTOL = 100, 500, 1e-12


class Factors(NamedTuple):
    """Factors of I - a J, with all that `solve` needs besides the system.

    Attributes
    ----------
    a : scalar
    sigma, eps : tuples of arrays
        sigma(x^l), l = 0..n-1, and eps^l, l = 1..n, at the point of linearisation.
    links : tuple of chain.Link
        Couplings of layers l and l + 1, l = 0..n-1.
    nodes : chain.Chain or whole_nodes.Whole
        Factors of the node system.
    forward : ForwardPass or None
        With fixed predictions, how these depend on the weights below.
    """

    a: Any
    sigma: Layers
    eps: Layers
    links: tuple[chain.Link, ...]
    nodes: chain.Chain | whole_nodes.Whole
    forward: ForwardPass | None = None


@dataclass(frozen=True)
class ChainElimination:
    """The elimination of weights, errors and values, in this order; see `coupled.Elimination`.

    Attributes
    ----------
    whole : int
        If B m^3 is at most this, with m nodes to be solved for in a sample, they are not eliminated layer by
        layer but at once (`pcode.system.whole`): a factorisation of a million takes about a millisecond.
    small : int
        Matrices of layers with at most this many rows are inverted without LAPACK, see
        `pcode.system.inverse`.
    """

    whole: int = 1_000_000
    small: int = 0

    @property
    def exact(self) -> bool:
        """Whether it eliminates all variables of the model.

        It is then exact to rounding; in layers so large that they are solved in single precision
        (`chain.LARGEST_DOUBLE`), and where a pivot is kept from zero, to about six digits.
        """
        return set(VARIABLES) == {X, EPS, M, W, BETA}

    def factor(self, system: System, point: Point, a: Any, one: Any = 1.0) -> Factors:
        """Factor (one I - a J); if the weights are unknowns `one` must be 1."""
        links = chain.links(system, point, a)
        one = jnp.broadcast_to(one, (system.layout.batch, 1))
        if system.layout.batch * whole_nodes.node_count(system) ** 3 <= self.whole:
            nodes: Any = whole_nodes.factor(system, point, a, one)
        else:
            nodes = chain.factor(system, point, a, one, links, self.small)
        return Factors(jnp.asarray(a), point.sigma, point.state.eps, links, nodes, point.forward)

    def solve(self, system: System, factors: Factors, r: Any) -> Any:
        """The d with (I - a J) d = r, shapes (N,), up to the weight-borne coupling."""
        return _solve(system, factors, r)


def solve_exactly(system: System, t: Any, y: Any, factors: Any, r: Any, a: Any, one: Any = 1.0) -> Any:
    """The d, shape (N,), with (one I - a J) d = r, J at (t, y), the weights held.

    If the elimination is not exact it is the preconditioner of iterations with the exact Jacobian action.
    """
    if system.exact:
        return system.solve(factors, r)
    action, layout = system.action(t, y), system.layout
    of_each = jnp.broadcast_to(one, (layout.batch, 1))
    one = layout.flat(jnp.broadcast_to(of_each, layout.rows(y, jnp).shape), jnp)
    b = system.solve(factors, r)
    return gcr(
        lambda v: system.solve(factors, one * v - a * action(v)),
        b,
        jnp.ones_like(b),
        REFINED_RTOL,
        0.0,
        REFINED,
        MOST_REFINED,
    )


@jax.jit  # so that callers which apply it several times trace it once
def _solve(system: System, factors: Factors, r: Any) -> Any:
    layout, p = system.layout, system.parameters
    nothing = jax.tree.map(jnp.zeros_like, State(p.clamp, p.clamp[1:], p.held))
    right, free = layout.unpack(r, nothing), system.free()
    P, q, ahead = _sources(system, factors, right)
    q = tuple(
        q_l if f is None else jnp.where(f, q_l, 0.0) if moves else q_l * 0.0
        for q_l, f, moves in zip(q, free, layout.free, strict=True)
    )
    solve_nodes: Any = whole_nodes.solve if isinstance(factors.nodes, whole_nodes.Whole) else chain.solve
    d_x, d_eps = solve_nodes(factors.nodes, P, q, layout.free)
    d_weights = (
        _weights(system, factors, d_x, d_eps, ahead, right.weights) if layout.learn else nothing.weights
    )
    # A clamped node of a partly clamped layer has rate 0: d = r there.
    kept = zip(d_x, right.x, free, strict=True)
    d_x = tuple(d if f is None else jnp.where(f, d, r_l) for d, r_l, f in kept)
    return layout.pack(State(d_x, d_eps, d_weights), jnp)


def decayed(system: System, a: Any) -> list[Any]:
    """For each link the factor c = 1 / (1 + a lambda / delta), the inverse of its weights' diagonal block."""
    return [1.0 / (1.0 + a * c.weight_decay / c.delta) for c in system.constants.links]


def _sources(system: System, factors: Factors, r: State) -> tuple[Layers, Layers, Layers]:
    """P and q, the right-hand sides of the nodes' equations after elimination of the weights.

    And sigma'(x^l) times the change of x^l in the forward pass, l = 0..n-1, if predictions are fixed.
    """
    layout, P, q = system.layout, list(r.eps), list(r.x)
    if not layout.learn:
        return tuple(P), tuple(q), ()
    weights, forward = r.weights, factors.forward  # 0 where they are held
    ahead: list[Any] = []
    x: Any = 0.0
    links = zip(factors.links, decayed(system, factors.a), strict=True)
    for layer, (link, c) in enumerate(links):
        mu: Any = weights.beta[layer]
        if f"M{layer}" in layout.arrays:
            mu = factors.sigma[layer] @ weights.M[layer] + mu
        mu = c * mu
        if forward is not None:
            ahead.append(forward.slope[layer] * x)
            q[layer] = q[layer] + factors.a * forward.bend[layer] * x
            mu = mu + ahead[layer] @ link.M
        P[layer], x = P[layer] - link.u * mu, mu
        moves = layout.feedback_moves(layer)
        if moves is not None and layout.free[layer]:
            W = weights.W[layer] if moves == f"W{layer}" and weights.W is not None else weights.M[layer].T
            q[layer] = q[layer] + link.b * (c * (factors.eps[layer] @ W))
    return tuple(P), tuple(q), tuple(ahead)


def _weights(
    system: System, factors: Factors, d_x: Layers, d_eps: Layers, ahead: Layers, r: Weights
) -> Weights:
    """The change of the weights, given that of the nodes, and of fixed predictions."""
    layout, constants, c = system.layout, system.constants, decayed(system, factors.a)
    gains = [factors.a * c_l / (delta * layout.batch) for c_l, delta in zip(c, constants.delta, strict=True)]
    hebbian = []
    for layer, link in enumerate(factors.links):
        term = factors.sigma[layer].T @ d_eps[layer]
        if link.s is not None:
            term += (link.s * d_x[layer]).T @ factors.eps[layer]
        elif ahead:
            term += ahead[layer].T @ factors.eps[layer]
        hebbian.append(term)
    sent = [gain * term for gain, term in zip(gains, constants.masked(tuple(hebbian)), strict=True)]
    # What is held is left out where the vector is packed.
    dW = None if r.W is None else tuple(c_l * W + h.T for c_l, W, h in zip(c, r.W, sent, strict=True))
    betas = zip(c, r.beta, gains, d_eps, strict=True)
    return r._replace(
        M=tuple(c_l * M + h for c_l, M, h in zip(c, r.M, sent, strict=True)),
        W=dW,
        beta=tuple(c_l * beta + gain * d.sum(axis=0) for c_l, beta, gain, d in betas),
    )

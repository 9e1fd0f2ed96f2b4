r"""The structured solve of (I - a J) d = r, J the Jacobian of the whole system.

The weights are eliminated first: apart from a diagonal they couple to the nodes only. What they
give back to the nodes (the *weight-borne coupling*, of relative size a/delta) is left out of the
node system, so the solve is exact up to that, and a Krylov method has the rest.

Values and errors then form a chain, x^0 - eps^1 - x^1 - eps^2 - ... - x^n, for each sample on its
own: every layer's own block is diagonal, eps^l and x^l are tied one to one, and x^l and eps^{l+1}
by M^l and W^l. Eliminating from layer 0 upwards leaves in each eps^{l+1} the n_{l+1} x n_{l+1} matrix

    T^{l+1} = (1 + alpha nu^{l+1}) I + alpha^2 W^l S^l (H^l)^{-1} S^l M^l,    alpha = a / tau,

with S^l = diag sigma'(x^l) and H^l what x^l answers to. So a wide layer below a narrow one costs a
matrix of the narrow one's size (this is the Woodbury identity), and nothing is of the size of the weights.
A last layer that is wider than the one below is solved with matrices of the narrower one's size as well.

In the notation of a row vector for each sample, layer l obeys

    eps T - alpha f x = p,    D x + alpha f eps = q,

with D = 1 + alpha lambda_x - alpha sigma''(x) (eps^{l+1} W^l), f = 1 where a node is free and 0
where it is clamped, p and q what comes from r, from the weights and from the layers beside. Both
unknowns follow from one factorisation, of N = T D + alpha^2 f:

    eps = (alpha f q + p D) N^{-1},    x = (D (q - alpha f eps) + alpha f (eps T - p)) / (D^2 + alpha^2 f),

a combination of the two equations that is safe when D is near zero, and when alpha is.

Any multiple of the identity will do in place of I, one for each sample: with none of it, and the
weights held, the same elimination solves -aJ d = r exactly, a step of Newton's method towards rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ._jax import jax, jnp
from .dynamics import Layers
from .network import Weights
from .state import State
from .system import Parameters, Structure, state_at

# Smallest pivot, relative to its terms, that is divided by.
SMALLEST_PIVOT = 1e-8


# Beyond this many numbers the matrices of a layer are in single precision, which halves work and
# memory: the solve is then good to six digits, and iterations on the exact Jacobian have the rest.
LARGEST_DOUBLE = 2_000_000


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
        1 at free value nodes, 0 at clamped ones, l = 0..n.
    """

    state: State
    sigma: Layers
    slope: Layers
    curvature: Layers
    free: Layers


class Wide(NamedTuple):
    """N^{-1} of a last layer that is wider than the one below, by Woodbury's identity.

    N = E + A M D, with E a diagonal, so
    N^{-1} = E^{-1} - E^{-1} A (I + M D E^{-1} A)^{-1} M D E^{-1}.

    Attributes
    ----------
    E_inverse : array, shape (B, n_n)
    A : array, shape (B, n_n, n_{n-1})
        alpha^2 W S H^{-1} S of the layer below.
    K_inverse : array, shape (B, n_{n-1}, n_{n-1})
        (I + M D E^{-1} A)^{-1}.
    M : array, shape (n_{n-1}, n_n)
    D_over_E : array, shape (B, n_n)
    """

    E_inverse: Any
    A: Any
    K_inverse: Any
    M: Any
    D_over_E: Any


class Factors(NamedTuple):
    """(I - a J), eliminated; what `solve` needs.

    Attributes
    ----------
    point : Point
    a : scalar
    one : array, shape (B, 1)
        What stands for 1 in I, a number a sample.
    D : tuple of arrays, shapes (B, n_l)
        Layers 0..n.
    T : tuple of arrays, shapes (B, n_l), or None
        Layers 1..n; None where T is no diagonal: its action follows from the layers below.
    N_inverse : tuple of arrays, shapes (B, n_l) where diagonal, else (B, n_l, n_l); or Wide
        Layers 1..n.
    """

    point: Point
    a: Any
    one: Any
    D: Layers
    T: Layers
    N_inverse: Layers


def linearise(t: Any, y: Any, p: Parameters, structure: Structure) -> Point:
    """The point (t, y), y of shape (N,), where the system is linearised."""
    state = state_at(t, y, p, structure)
    x, eps, weights = state
    W, sigma = weights.feedback, structure.sigma
    free: Layers = tuple(
        jnp.where(jnp.isnan(value), 1.0, 0.0) if clamped else jnp.ones(x_l.shape)
        for x_l, value, clamped in zip(x, p.clamp, structure.clamped, strict=True)
    )
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


def factor(point: Point, a: Any, p: Parameters, structure: Structure, one: Any = 1.0) -> Factors:
    """Eliminate (one I - a J), layer by layer; `one` is a scalar or has shape (B, 1).

    Where the weights are unknowns it must be 1.
    """
    layout = structure.layout
    n, alpha = layout.n, a / p.tau
    one = jnp.broadcast_to(jnp.asarray(one), (layout.batch, 1))
    M, W = point.state.weights.M, point.state.weights.feedback
    D = [_own(point, 0, alpha, one, p)]
    T: list[Any] = []
    inverses: list[Any] = []
    for layer in range(1, n + 1):
        rest = one + alpha * p.nu[layer - 1]
        f, D_l = point.free[layer], _own(point, layer, alpha, one, p)
        T_l = jnp.broadcast_to(rest, f.shape)
        if layout.free[layer - 1]:
            wide = layer == n and layout.sizes[n] > layout.sizes[n - 1]
            kind = jnp.float32 if f.size * min(M[layer - 1].shape) > LARGEST_DOUBLE else f.dtype
            M_l, eye = M[layer - 1].astype(kind), jnp.eye(f.shape[1], dtype=kind)
            A = _heard(point, layer - 1, alpha, D, T, inverses, W[layer - 1].astype(kind))
            if wide:
                inverse: Any = _wide(A, M_l, D_l, rest * D_l + alpha**2 * f)
            else:
                T_l = rest.astype(kind)[:, :, None] * eye + A @ M_l
                own = (alpha**2 * f).astype(kind)[:, None, :] * eye
                inverse = jnp.linalg.inv(T_l * D_l.astype(kind)[:, None, :] + own)
        else:
            N = _safe(T_l * D_l + alpha**2 * f, T_l * jnp.abs(D_l) + alpha**2)
            inverse = 1.0 / N
        D.append(D_l)
        T.append(T_l)
        inverses.append(inverse)
    diagonal = tuple(
        T_l if T_l.ndim == 2 and not isinstance(inverse, Wide) else None
        for T_l, inverse in zip(T, inverses, strict=True)
    )
    return Factors(point, a, one, tuple(D), diagonal, tuple(inverses))


def _own(point: Point, layer: int, alpha: Any, one: Any, p: Parameters) -> Any:
    """D of a layer; 1 at clamped nodes."""
    f = point.free[layer]
    D = jnp.where(f > 0.0, one + alpha * p.node_decay, 1.0)
    if layer < len(point.curvature):
        D = D - alpha * point.curvature[layer]
    return _safe(D, jnp.ones_like(D)) if layer == 0 else D


def _wide(A: Any, M: Any, D: Any, E: Any) -> Wide:
    """N^{-1} for N = E + A M D. E is positive in a last layer, whose values predict nothing."""
    E_inverse = 1.0 / E
    D_over_E = D * E_inverse
    K = jnp.eye(len(M), dtype=A.dtype) + (M * D_over_E.astype(A.dtype)[:, None, :]) @ A
    return Wide(E_inverse, A, jnp.linalg.inv(K), M, D_over_E)


def _heard(
    point: Point,
    below: int,
    alpha: Any,
    D: list[Any],
    T: list[Any],
    inverses: list[Any],
    W: Any,
) -> Any:
    """alpha^2 W S H^{-1} S of the layer `below`, shape (B, n_{l+1}, n_l), where x is eliminated."""
    S, f, D_l = (part.astype(W.dtype) for part in (point.slope[below], point.free[below], D[below]))
    if below == 0:
        answer = S / D_l * S
    elif T[below - 1].ndim == 2:
        # H^{-1} of diagonal blocks
        answer = S * T[below - 1] * inverses[below - 1] * S
    else:
        rows = W * S[:, None, :]  # (B, n_{l+1}, n_l)
        eps = alpha * (rows * f[:, None, :]) @ inverses[below - 1]
        D_, f_ = D_l[:, None, :], f[:, None, :]
        x = D_ * (rows - alpha * f_ * eps) + alpha * f_ * (eps @ T[below - 1])
        x = x / (D_**2 + alpha**2 * f_)
        return alpha**2 * x * S[:, None, :]
    return alpha**2 * W * answer.astype(W.dtype)[:, None, :]


def _safe(pivot: Any, size: Any) -> Any:
    """`pivot`, kept away from zero: the solve is then inexact there, but finite."""
    least = SMALLEST_PIVOT * size
    return jnp.where(jnp.abs(pivot) < least, jnp.where(pivot < 0.0, -least, least), pivot)


def solve(factors: Factors, r: Any, p: Parameters, structure: Structure) -> Any:
    """The d with (I - a J) d = r, shapes (N,), up to the weight-borne coupling."""
    layout = structure.layout
    nothing = jax.tree.map(jnp.zeros_like, factors.point.state)
    right = layout.unpack(r, nothing)
    P, q = _sources(factors, right, p, structure)
    d_x, d_eps = _nodes(factors, P, q, p, structure)
    d_weights = (
        _weights(factors, d_x, d_eps, right.weights, p, structure) if layout.learn else nothing.weights
    )
    # A clamped node of a layer that has free ones has no rate: d = r there.
    kept = zip(d_x, right.x, factors.point.free, strict=True)
    d_x = tuple(jnp.where(f > 0.0, d, r_l) for d, r_l, f in kept)
    return layout.pack(State(d_x, d_eps, d_weights), jnp)


def _sources(factors: Factors, r: State, p: Parameters, structure: Structure) -> tuple[list[Any], list[Any]]:
    """P and q: what stands on the right of the nodes' equations, the weights eliminated."""
    point, a, layout = factors.point, factors.a, structure.layout
    P, q = list(r.eps), [r_l * f for r_l, f in zip(r.x, point.free, strict=True)]
    if not layout.learn:
        return P, q
    alpha, c = a / p.tau, 1.0 / (1.0 + a * p.weight_decay / p.delta)
    r_M, r_W, r_beta = r.weights
    r_feedback: Layers = tuple(m.T for m in r_M) if layout.feedback == "tied" or r_W is None else r_W
    for layer in range(layout.n):
        P[layer] = P[layer] - alpha * c * (point.sigma[layer] @ r_M[layer] + r_beta[layer])
        if layout.feedback != "fixed" and layout.free[layer]:
            heard = point.state.eps[layer] @ r_feedback[layer]
            q[layer] = q[layer] + alpha * c * point.slope[layer] * heard
    return P, q


def _nodes(
    factors: Factors, P: list[Any], q: list[Any], p: Parameters, structure: Structure
) -> tuple[Layers, Layers]:
    """X of layers 0..n and eps of layers 1..n that solve the nodes' equations."""
    point, layout, alpha = factors.point, structure.layout, factors.a / p.tau
    n, weights = layout.n, point.state.weights
    M, W = weights.M, weights.feedback
    # Upwards: what each layer passes on if nothing above it moved.
    for layer in range(n):
        if layout.free[layer]:
            _, x = _layer(factors, layer, True, alpha, P[layer - 1] if layer else None, q[layer], p)
            P[layer] = P[layer] - alpha * (point.slope[layer] * x) @ M[layer]
    # Downwards: each layer, what is above it known.
    d_x: list[Any] = []
    d_eps: list[Any] = []
    for layer in range(n, -1, -1):
        if layer < n and layout.free[layer]:
            q[layer] = q[layer] + alpha * point.slope[layer] * (d_eps[0] @ W[layer])
        below = P[layer - 1] if layer else None
        eps, x = _layer(factors, layer, layout.free[layer], alpha, below, q[layer], p)
        d_x.insert(0, x)
        if layer > 0:
            d_eps.insert(0, eps)
    return tuple(d_x), tuple(d_eps)


def _layer(
    factors: Factors, layer: int, free: bool, alpha: Any, P: Any, q: Any, p: Parameters
) -> tuple[Any, Any]:
    """Errors and values of a layer, shapes (B, n_l), from the right of its two equations.

    `free` says whether any of its value nodes is.
    """
    D, f = factors.D[layer], factors.point.free[layer]
    if layer == 0:  # it has no errors
        return None, q / D
    eps = _times(alpha * f * q + P * D, factors.N_inverse[layer - 1])
    if not free:  # f = 0 throughout
        return eps, q / D
    eps_T = _times_T(factors, layer, alpha, eps, p)
    x = (D * (q - alpha * f * eps) + alpha * f * (eps_T - P)) / (D**2 + alpha**2 * f)
    return eps, x


def _times_T(factors: Factors, layer: int, alpha: Any, eps: Any, p: Parameters) -> Any:
    """The row eps T: what reaches eps^l if it moves, through the layers below."""
    T, point = factors.T[layer - 1], factors.point
    if T is not None:
        return eps * T
    S, weights = point.slope[layer - 1], point.state.weights
    heard = alpha * S * (eps @ weights.feedback[layer - 1])
    _, x = _layer(factors, layer - 1, True, alpha, 0.0, heard, p)
    return (factors.one + alpha * p.nu[layer - 1]) * eps + alpha * (S * x) @ weights.M[layer - 1]


def _weights(
    factors: Factors, d_x: Layers, d_eps: Layers, r: Weights, p: Parameters, structure: Structure
) -> Weights:
    """Change of the weights, with what the nodes send them."""
    point, a, layout = factors.point, factors.a, structure.layout
    c = 1.0 / (1.0 + a * p.weight_decay / p.delta)
    gain = a * c / (p.delta * layout.batch)
    sent = []
    for layer in range(layout.n):
        hebb = point.sigma[layer].T @ d_eps[layer]
        if layout.free[layer]:
            hebb += (point.slope[layer] * d_x[layer]).T @ point.state.eps[layer]
        sent.append(gain * hebb)
    W = None if r.W is None else tuple(c * r_l + h.T for r_l, h in zip(r.W, sent, strict=True))
    return Weights(
        tuple(c * r_l + h for r_l, h in zip(r.M, sent, strict=True)),
        W,
        tuple(c * r_l + gain * d.sum(axis=0) for r_l, d in zip(r.beta, d_eps, strict=True)),
    )


def _times(rows: Any, matrix: Any) -> Any:
    """Each sample's row vector times its matrix, or its diagonal."""
    if isinstance(matrix, Wide):
        scaled = rows * matrix.E_inverse
        inner = jnp.einsum("bi,bij->bj", scaled.astype(matrix.A.dtype), matrix.A)
        inner = jnp.einsum("bi,bij->bj", inner, matrix.K_inverse)
        return scaled - ((inner @ matrix.M) * matrix.D_over_E).astype(rows.dtype)
    if matrix.ndim == 2:
        return rows * matrix
    return jnp.einsum("bi,bij->bj", rows.astype(matrix.dtype), matrix).astype(rows.dtype)

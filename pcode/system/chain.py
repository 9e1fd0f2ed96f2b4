r"""Values and errors of each sample: a chain over the layers, eliminated layer by layer.

It is x^0 - eps^1 - x^1 - eps^2 - ... - x^n: every layer's own block of I - a J is diagonal, eps^l and x^l
are tied one to one, and x^l and eps^{l+1} by M^l and W^l. In the notation of a row vector for each sample,
with alpha = a / tau and S^l = diag sigma'(x^l), layer l obeys

    eps T - alpha f x = p,    D x + alpha f eps = q,

with D = 1 + alpha lambda_x - alpha sigma''(x) (eps^{l+1} W^l), f = 1 where a node is free and 0 where
it is clamped, p and q what comes from the right-hand side and from the layers beside. Eliminating from
layer 0 upwards leaves in T what the layers below answer, H^{-1} of the layer next below:

    T^{l+1} = (1 + alpha nu^{l+1}) + alpha^2 W^l S^l (H^l)^{-1} S^l M^l,    H = D + alpha^2 f T^{-1} f.

Both unknowns of a layer follow from one factorisation, of N = T D + alpha^2 f:

    eps = (alpha f q + p D) N^{-1},    x = (D (q - alpha f eps) + alpha f (eps T - p)) / (D^2 + alpha^2 f),

a combination of the two equations that is safe when D is near zero, and when alpha is.

A matrix of a layer's size is made for each sample, but only of the smaller of two layers that are
joined. Where the lower is the wider, that is N of the upper one as it stands. Where it is the narrower, N
is a diagonal and a term of the lower one's rank, and by the identity of Woodbury

    N = Lambda + alpha^2 W S H^{-1} S M D,    Lambda = (1 + alpha nu) D + alpha^2 f,
    N^{-1} = Lambda^{-1} - Lambda^{-1} W S G S M D Lambda^{-1},    G = alpha^2 (1 + H^{-1} K)^{-1} H^{-1},
    K = alpha^2 S M D Lambda^{-1} W S,

with G of the lower layer's size. Lambda is kept from zero, which makes the solve inexact there.

Any multiple of the identity will do in place of I, one for each sample, as `one` in the code: with none
of it, and the weights held, the same elimination solves -aJ d = r exactly, a step of Newton's method
towards rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..base._jax import jax, jnp
from ..model.dynamics import Layers
from .coupled import Parameters, Point, Structure

# Smallest pivot, relative to its terms, that is divided by.
SMALLEST_PIVOT = 1e-8

# Beyond this many numbers the matrices of a layer are in single precision, which halves work and
# memory: the solve is then good to six digits, and iterations on the exact Jacobian have the rest.
LARGEST_DOUBLE = 2_000_000


class Link(NamedTuple):
    """What ties a layer to the next above it.

    Attributes
    ----------
    M : array, shape (n_l, n_{l+1})
    W : array, shape (n_{l+1}, n_l), or None where it is M^T
    S : array, shape (B, n_l)
        sigma'(x^l) where a node is free, else 0.
    """

    M: Any
    W: Any
    S: Any

    @property
    def feedback(self) -> Any:
        """W."""
        return self.M.T if self.W is None else self.W

    def heard(self, eps: Any) -> Any:
        """(eps W) S of rows `eps`."""
        return (eps @ self.feedback) * _each(self.S, eps)

    def told(self, x: Any) -> Any:
        """(x S) M of rows `x`."""
        return (x * _each(self.S, x)) @ self.M


class LowRank(NamedTuple):
    """N^{-1} = Lambda^{-1} - Lambda^{-1} W S G S M D Lambda^{-1}, of a layer above a narrower one.

    Attributes
    ----------
    over : array, shape (B, n_l)
        1 / Lambda.
    G : array, shape (B, n_{l-1}, n_{l-1})
    """

    over: Any
    G: Any


class Layer(NamedTuple):
    """A layer, what is below it eliminated.

    Attributes
    ----------
    link : Link or None
        To the layer below; None for layer 0, which has no errors, so that `T` and `N_inverse` are None too.
    D : array, shape (B, n_l)
    f : array, shape (B, n_l)
        Not kept in a `Chain`: it is no more than `system.free_nodes`.
    T : array, shape (B, n_l) where diagonal, else (B, n_l, n_l), or Through, or None
        Not kept in a `Chain` unless diagonal: its action follows from the layers below.
    N_inverse : array, shape (B, n_l) where diagonal, else (B, n_l, n_l), or LowRank
    """

    link: Link | None
    D: Any
    f: Any
    T: Any
    N_inverse: Any


class Through(NamedTuple):
    """T as 1 + alpha nu, shape (B, 1), and H^{-1} of the layer below, shape (B, n_{l-1}, n_{l-1})."""

    rest: Any
    H_inverse: Any


class Chain(NamedTuple):
    """The chain, eliminated: what `solve` needs.

    Attributes
    ----------
    alpha : scalar
        a / tau.
    rest : array, shape (n, B, 1)
        1 + alpha nu^l, layers 1..n.
    layers : tuple of Layer
    """

    alpha: Any
    rest: Any
    layers: tuple[Layer, ...]


def factor(point: Point, a: Any, p: Parameters, structure: Structure, one: Any = 1.0) -> Chain:
    """Eliminate the nodes' part of (one I - a J) from layer 0 upwards; `one` may have shape (B, 1)."""
    alpha, weights = a / p.tau, point.state.weights
    one = jnp.broadcast_to(one, (structure.layout.batch, 1))
    rest = one + alpha * p.nu[:, None, None]
    D = _safe(_own(point, 0, alpha, one, p), 1.0)
    layers = [Layer(None, D, point.free[0], None, None)]
    links = map(Link, weights.M, weights.W or (None,) * structure.layout.n, point.slope)
    for k, link in enumerate(links, start=1):
        D, f = _own(point, k, alpha, one, p), point.free[k]
        Lambda = _safe(rest[k - 1] * D + alpha**2 * f, rest[k - 1] * jnp.abs(D) + alpha**2)
        if structure.layout.free[k - 1]:
            layers.append(_above(layers[-1], link, D, f, Lambda, rest[k - 1], alpha))
        else:
            layers.append(Layer(link, D, f, jnp.broadcast_to(rest[k - 1], f.shape), 1.0 / Lambda))
    return Chain(alpha, rest, tuple(map(_kept, layers)))


def _kept(layer: Layer) -> Layer:
    """What of it goes into a `Chain`."""
    keeps_T = layer.T is not None and _diagonal(layer.T)
    return layer._replace(f=None, T=layer.T if keeps_T else None)


def _own(point: Point, k: int, alpha: Any, one: Any, p: Parameters) -> Any:
    """D of layer `k`; 1 at clamped nodes."""
    D = jnp.where(point.free[k] > 0.0, one + alpha * p.node_decay, 1.0)
    return D - alpha * point.curvature[k] if k < len(point.curvature) else D


def _above(below: Layer, link: Link, D: Any, f: Any, Lambda: Any, rest: Any, alpha: Any) -> Layer:
    """The layer that `link` ties to `below`, some of whose nodes are free."""
    lower, upper = link.M.shape
    smaller = min(lower, upper)
    kind = jnp.float32 if len(f) * smaller**2 > LARGEST_DOUBLE else f.dtype
    small = _cast(link, kind)
    D_, f_, over, rest_, alpha_ = _cast((D, f, 1.0 / Lambda, rest, alpha), kind)
    eye = jnp.eye(smaller, dtype=kind)
    if lower < upper:
        H_inverse = _answer(below, jnp.broadcast_to(eye, (len(f), *eye.shape)), alpha)
        G = _small(small, H_inverse, D_ * over, alpha_)
        return Layer(link, D, f, Through(rest, H_inverse), LowRank(1.0 / Lambda, G))
    rows = small.feedback * small.S[:, None, :]
    T = rest_[:, :, None] * eye + alpha_**2 * small.told(_answer(below, rows, alpha))
    N = T * D_[:, None, :] + (alpha_**2 * f_)[:, None, :] * eye
    return Layer(link, D, f, T, jnp.linalg.inv(N))


def _small(link: Link, H_inverse: Any, ratio: Any, alpha: Any) -> Any:
    """G, shape (B, n_l, n_l), with `ratio` = D / Lambda of the upper layer."""

    def one(sample: tuple[Any, Any, Any]) -> Any:
        S, H_inverse, ratio = sample
        K = alpha**2 * ((S[:, None] * link.M * ratio) @ link.feedback) * S
        return alpha**2 * jnp.linalg.solve(jnp.eye(S.size, dtype=S.dtype) + H_inverse @ K, H_inverse)

    # One sample after another: for all at once S M would be of the size of the weights, B times.
    return jax.lax.map(one, (link.S, H_inverse, ratio))


def _answer(layer: Layer, rows: Any, alpha: Any) -> Any:
    """Rows H^{-1}: the x with D x + alpha f eps = rows and eps T = alpha f x; shapes (B, k, n_l)."""
    D, f, alpha = (_each(v, rows) for v in _cast((layer.D, layer.f, alpha), rows.dtype))
    if layer.T is None:
        return rows / D
    if _diagonal(layer.T):
        return rows * _each((layer.T * layer.N_inverse).astype(rows.dtype), rows)
    eps = _over_N(layer, alpha * f * rows)
    return (D * (rows - alpha * f * eps) + alpha * f * _times_T(layer, eps, alpha)) / (D**2 + alpha**2 * f)


def _times_T(layer: Layer, eps: Any, alpha: Any) -> Any:
    """Rows eps T, while T is at hand."""
    if not isinstance(layer.T, Through):
        return _product(eps, layer.T)
    link = _cast(layer.link, eps.dtype)
    answered = link.told(_product(link.heard(eps), layer.T.H_inverse))
    return _each(layer.T.rest.astype(eps.dtype), eps) * eps + alpha**2 * answered


def _over_N(layer: Layer, rows: Any) -> Any:
    """Rows N^{-1}, shapes (B, n_l) or (B, k, n_l)."""
    inverse = layer.N_inverse
    if not isinstance(inverse, LowRank):
        return _product(rows, inverse)
    link, over, D = _cast((layer.link, inverse.over, layer.D), rows.dtype)
    rows = rows * _each(over, rows)
    return rows - link.told(_product(link.heard(rows), inverse.G)) * _each(D * over, rows)


def solve(chain: Chain, P: Layers, q: Layers, f: Layers, free: tuple[bool, ...]) -> tuple[Layers, Layers]:
    """Values of layers 0..n and errors of layers 1..n, shapes (B, n_l), that solve the nodes' equations.

    Parameters
    ----------
    chain : Chain
    P, q : tuples of arrays, shapes (B, n_l)
        Right-hand sides, of the errors of layers 1..n and of the values of layers 0..n (0 where clamped).
    f : tuple of arrays, shapes (B, n_l)
        See `system.free_nodes`.
    free : tuple of bool
        Whether any value node of a layer is free.
    """
    layers = tuple(layer._replace(f=f_l) for layer, f_l in zip(chain.layers, f, strict=True))
    chain = chain._replace(layers=layers)
    alpha, p, right = chain.alpha, [jnp.zeros(()), *P], list(q)
    n = len(layers) - 1
    # Upwards: what each layer passes on if nothing above it moved.
    for k in range(n):
        if free[k]:
            _, x = _nodes(chain, k, True, p[k], right[k])
            p[k + 1] = p[k + 1] - alpha * layers[k + 1].link.told(x)  # type: ignore[union-attr]
    # Downwards: each layer, what is above it known.
    d_x: list[Any] = []
    d_eps: list[Any] = []
    for k in range(n, -1, -1):
        if k < n and free[k]:
            right[k] = right[k] + alpha * layers[k + 1].link.heard(d_eps[0])  # type: ignore[union-attr]
        eps, x = _nodes(chain, k, free[k], p[k], right[k])
        d_x.insert(0, x)
        if k > 0:
            d_eps.insert(0, eps)
    return tuple(d_x), tuple(d_eps)


def _nodes(chain: Chain, k: int, free: bool, p: Any, q: Any) -> tuple[Any, Any]:
    """Errors and values of layer `k` from the right of its two equations."""
    layer, alpha = chain.layers[k], chain.alpha
    D, f = layer.D, layer.f
    if layer.link is None:
        return None, q / D
    eps = _over_N(layer, alpha * f * q + p * D)
    if not free:  # f = 0 throughout
        return eps, q / D
    eps_T = eps * layer.T if layer.T is not None else _through_below(chain, k, eps)
    return eps, (D * (q - alpha * f * eps) + alpha * f * (eps_T - p)) / (D**2 + alpha**2 * f)


def _through_below(chain: Chain, k: int, eps: Any) -> Any:
    """The row eps T: what reaches eps^k if it moves, through the layers below."""
    link: Any = chain.layers[k].link
    _, x = _nodes(chain, k - 1, True, 0.0, chain.alpha * link.heard(eps))
    return chain.rest[k - 1] * eps + chain.alpha * link.told(x)


def _safe(pivot: Any, size: Any) -> Any:
    """`pivot`, kept away from zero: the solve is then inexact there, but finite."""
    least = SMALLEST_PIVOT * size
    return jnp.where(jnp.abs(pivot) < least, jnp.where(pivot < 0.0, -least, least), pivot)


def _product(rows: Any, matrix: Any) -> Any:
    """Each sample's rows times its matrix, or its diagonal, in the precision of the matrix."""
    given = rows.astype(matrix.dtype)
    if _diagonal(matrix):
        return (given * _each(matrix, given)).astype(rows.dtype)
    product = jnp.einsum("bi,bij->bj", given, matrix) if given.ndim == 2 else given @ matrix
    return product.astype(rows.dtype)


def _diagonal(matrix: Any) -> bool:
    return not isinstance(matrix, Through) and matrix.ndim == 2


def _each(vector: Any, rows: Any) -> Any:
    """A vector a sample, shape (B, n), to go with `rows`, shape (B, n) or (B, k, n)."""
    return vector[:, None, :] if vector.ndim == 2 and rows.ndim == 3 else vector


def _cast(tree: Any, kind: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), tree)

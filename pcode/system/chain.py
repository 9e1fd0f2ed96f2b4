r"""Block elimination of the nodes of each sample, which form a chain over the layers.

The chain is x^0 - eps^1 - x^1 - eps^2 - ... - x^n: in I - a J every layer's own block is diagonal, eps^l and
x^l are coupled entry by entry, and x^l and eps^{l+1} through M^l and W^l. With the derivatives of the rates
v = dx/dt and e = deps/dt as in `Point`, and with a row vector for each sample, layer l obeys

    eps T - g x = p,    D x + h eps = q,

with D = 1 - a dv/dx, g = a de/dx, h = -a dv/deps. p and q come from the right-hand side and from the
neighbouring layers: forward the row x s M u to the errors above, s = sigma'(x), u = -a de/dmu; backward the
row eps W b to the values below, b = a dv/d(eps W). (For tau dx/dt = sigma'(x) * (eps W) - eps - lambda_x x
and tau deps/dt = x - mu - nu eps these are a/tau times f, f, 1 and sigma'(x) f, with f = 1 where a node is
free and 0 where it is clamped, and D = 1 + (a/tau) (lambda_x - sigma''(x) (eps W)).) Eliminating from layer 0
upwards puts the Schur complement of all layers below into T:

    T^{l+1} = (1 - a de/deps) + W b (H^l)^{-1} s M u,    H = D + g T^{-1} h.

Both unknowns of a layer follow from one factorisation, of N = T D + g h:

    eps = (g q + p D) N^{-1},    x = (D (q - h eps) + g (eps T - p)) / (D^2 + g^2),

a combination of the two equations that is well conditioned also where D or g is near zero.

For each sample a matrix is factored, but only of the size of the smaller of two neighbouring layers. If the
lower layer is the wider one, that matrix is N of the upper layer itself. If it is the narrower one, N is a
diagonal plus a term of the lower layer's rank, and by the Woodbury identity

    N = Lambda + W b H^{-1} s M u D,    Lambda = (1 - a de/deps) D + g h,
    N^{-1} = Lambda^{-1} - Lambda^{-1} W b G s M u D Lambda^{-1},    G = (1 + H^{-1} K)^{-1} H^{-1},
    K = s M u D Lambda^{-1} W b,

with G of the lower layer's size. Lambda is kept away from zero, which makes the solve inexact there.

Slaved errors (tau_eps = 0) obey x - mu - nu eps = 0 in place of a rate: in their rows I is 0, J is the
derivative of that, and p is 0.

With fixed predictions s = 0: the errors hear nothing of the values below, and every T is diagonal.

I may be replaced by a multiple of the identity, one for each sample (`one` in the code): with the multiple 0,
and the weights held, the same elimination solves -aJ d = r, a step of Newton's method towards rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..base._jax import jax, jnp
from ..model.dynamics import Layers
from .coupled import System
from .derivatives import Point
from .inverse import written_out

# Smallest pivot, relative to its terms, that is divided by.
SMALLEST_PIVOT = 1e-8

# If the matrices of a layer have more entries than this they are in single precision, which halves work and
# memory: the solve is then good to six digits, and iterations with the exact Jacobian do the rest.
LARGEST_DOUBLE = 2_000_000


class Link(NamedTuple):
    """The coupling of a layer to the next one above.

    Attributes
    ----------
    M : array, shape (n_l, n_{l+1})
    W : array, shape (n_{l+1}, n_l), or None where it is M^T
    s, b : array, shape (B, n_l) or (1, 1), or None
        Of the lower layer: sigma'(x^l) and a dv^l/d(eps W), 0 where a node is clamped; None where all are.
        s is None too where predictions are fixed, and do not depend on the values.
    u : array, shape (B, n_{l+1}) or (1, 1)
        Of the upper layer: -a de^{l+1}/dmu.
    """

    M: Any
    W: Any
    s: Any
    b: Any
    u: Any

    @property
    def feedback(self) -> Any:
        """The feedback weights, shape (n_{l+1}, n_l)."""
        return self.M.T if self.W is None else self.W

    def backward(self, eps: Any) -> Any:
        """Rows eps W b."""
        return (eps @ self.feedback) * _each(self.b, eps)

    def forward(self, x: Any) -> Any:
        """Rows x s M u."""
        if self.s is None:
            return 0.0
        return ((x * _each(self.s, x)) @ self.M) * _each(self.u, x)


class LowRank(NamedTuple):
    """N^{-1} = Lambda^{-1} - Lambda^{-1} W b G s M u D Lambda^{-1} of a layer above a narrower one.

    Attributes
    ----------
    over : array, shape (B, n_l)
        1 / Lambda.
    G : array, shape (B, n_{l-1}, n_{l-1})
    """

    over: Any
    G: Any


class Pair(NamedTuple):
    """Both unknowns of a layer at once: the row (eps, x) is the row (p, q) times a matrix.

    Attributes
    ----------
    inverse : array, shape (B, 2 n_l, 2 n_l)
    """

    inverse: Any


class Layer(NamedTuple):
    """A layer, with all layers below it eliminated.

    Attributes
    ----------
    D : array, shape (B, n_l)
    g, h : array, shape (B, n_l) or (1, 1), or None
        None for layer 0, which has no errors, and where no value node is free.
    own : array, shape (B, n_l) or (B, 1), or None
        1 - a de/deps; None for layer 0, and so are those that follow.
    link : Link or None
        Coupling to the layer below.
    T : array, shape (B, n_l) where diagonal, else (B, n_l, n_l), or Through, or None
        Not kept in a `Chain` unless diagonal: its action can be had from the layers below.
    N_inverse : array, shape (B, n_l) where diagonal, else (B, n_l, n_l), or LowRank; in a `Chain` also Pair
    """

    D: Any
    g: Any = None
    h: Any = None
    own: Any = None
    link: Link | None = None
    T: Any = None
    N_inverse: Any = None


class Through(NamedTuple):
    """T, held as 1 - a de/deps, shape (B, n_l), and H^{-1} of the layer below, (B, n_{l-1}, n_{l-1})."""

    own: Any
    H_inverse: Any


class Chain(NamedTuple):
    """The factors that `solve` needs: one `Layer` for each of 0..n."""

    layers: tuple[Layer, ...]


def links(system: System, point: Point, a: Any) -> tuple[Link, ...]:
    """The couplings of layers l and l + 1, l = 0..n-1, in I - a J."""
    weights, free = point.state.weights, system.layout.free
    W = weights.W or (None,) * system.layout.n

    def link(k: int) -> Link:
        s, b = (point.slope[k], a * point.value[k].input) if free[k] else (None, None)
        s = None if system.structure.fixed else s
        return Link(weights.M[k], W[k], s, b, -a * point.error[k].input)

    return tuple(map(link, range(system.layout.n)))


def factor(
    system: System, point: Point, a: Any, one: Any, couplings: tuple[Link, ...], small: int = 0
) -> Chain:
    """Factor the nodes' block of (one I - a J) from layer 0 upwards; `one` has shape (B, 1).

    Matrices of at most `small` rows are inverted without LAPACK.
    """
    free = system.layout.free

    def D_of(k: int) -> Any:
        return jnp.where(point.free[k] > 0.0, one - a * point.value[k].x, 1.0)

    layers = [Layer(_safe(D_of(0), 1.0))]
    for k in range(1, system.layout.n + 1):
        v, e, link = point.value[k], point.error[k - 1], couplings[k - 1]
        g, h = (a * e.x, -a * v.eps) if free[k] else (None, None)
        layer = Layer(D_of(k), g, h, system.dynamic[k - 1] * one - a * e.eps, link)
        N, size = layer.own * layer.D, layer.own * jnp.abs(layer.D)
        Lambda = _safe(N, size) if g is None else _safe(N + g * h, size + g**2)
        if link.s is not None:
            layers.append(_above(layers[-1], layer, link, Lambda, small))
        else:
            layers.append(layer._replace(T=layer.own, N_inverse=1.0 / Lambda))
    return Chain(tuple(map(_kept, layers)))


def _kept(layer: Layer) -> Layer:
    """`layer` without what a `Chain` need not store."""
    if layer.T is None or isinstance(layer.T, Through):
        return layer._replace(T=None)
    if _diagonal(layer.T):
        return layer._replace(own=None)  # it is T
    if layer.g is None:
        return layer._replace(T=None)
    return layer._replace(T=None, N_inverse=_pair(layer))


def _pair(layer: Layer) -> Pair:
    """The formulas for eps and x as one matrix, so that a solve is one product."""
    T, N_inverse, size = layer.T, layer.N_inverse, layer.T.shape[-1]
    shape, kind = T.shape[:2], T.dtype
    D, g, h = (jnp.broadcast_to(v, shape).astype(kind) for v in (layer.D, layer.g, layer.h))
    square, eye = D**2 + g**2, jnp.eye(size, dtype=kind)
    from_eps = T * (g / square)[:, None, :] - (h * D / square)[:, None, :] * eye
    of_p, of_q = D[:, :, None] * N_inverse, g[:, :, None] * N_inverse
    x_of_p = of_p @ from_eps - (g / square)[:, None, :] * eye
    x_of_q = of_q @ from_eps + (D / square)[:, None, :] * eye
    rows = jnp.concatenate([of_p, x_of_p], axis=2), jnp.concatenate([of_q, x_of_q], axis=2)
    return Pair(jnp.concatenate(rows, axis=1))


def _above(below: Layer, layer: Layer, link: Link, Lambda: Any, written: int) -> Layer:
    """`layer` with T and N^{-1}, where some nodes of the layer `below` are free."""
    lower, upper = link.M.shape
    smaller, batch = min(lower, upper), len(Lambda)
    kind = jnp.float32 if batch * smaller**2 > LARGEST_DOUBLE else Lambda.dtype
    small = _cast(link, kind)
    D, own, over = _cast((layer.D, layer.own, 1.0 / Lambda), kind)
    eye = jnp.eye(smaller, dtype=kind)
    if lower < upper:
        H_inverse = _over_H(below, jnp.broadcast_to(eye, (batch, *eye.shape)))
        G = _small(small, H_inverse, D * over, written)
        return layer._replace(T=Through(layer.own, H_inverse), N_inverse=LowRank(1.0 / Lambda, G))
    rows = small.feedback * small.b[:, None, :]
    T = own[:, :, None] * eye + small.forward(_over_H(below, rows))
    N = T * D[:, None, :]
    if layer.g is not None:
        N = N + (layer.g * layer.h).astype(kind)[:, None, :] * eye
    return layer._replace(T=T, N_inverse=_inverse(N, written))


def _inverse(matrices: Any, written: int) -> Any:
    return written_out(matrices) if matrices.shape[-1] <= written else jnp.linalg.inv(matrices)


def _small(link: Link, H_inverse: Any, ratio: Any, written: int) -> Any:
    """G, shape (B, n_l, n_l), with `ratio` = D / Lambda of the upper layer."""

    def one(sample: tuple[Any, ...]) -> Any:
        s, b, u, H_inverse, ratio = sample
        K = ((s[:, None] * link.M * (u * ratio)) @ link.feedback) * b
        matrix = jnp.eye(s.size, dtype=s.dtype) + H_inverse @ K
        if s.size <= written:
            return written_out(matrix) @ H_inverse
        return jnp.linalg.solve(matrix, H_inverse)

    # One sample at a time: for all at once s M would take B times the memory of the weights.
    s, b = (jnp.broadcast_to(v, (len(ratio), link.M.shape[0])) for v in (link.s, link.b))
    return jax.lax.map(one, (s, b, jnp.broadcast_to(link.u, ratio.shape), H_inverse, ratio))


def _over_H(layer: Layer, rows: Any) -> Any:
    """Rows H^{-1}: the x with D x + h eps = rows and eps T = g x; shapes (B, k, n_l)."""
    D = _each(layer.D.astype(rows.dtype), rows)
    if layer.T is None:
        return rows / D
    if _diagonal(layer.T):
        return rows * _each((layer.T * layer.N_inverse).astype(rows.dtype), rows)
    g, h = (_each(v, rows) for v in _cast((layer.g, layer.h), rows.dtype))
    eps = _over_N(layer, g * rows)
    return (D * (rows - h * eps) + g * _times_T(layer, eps)) / (D**2 + g**2)


def _times_T(layer: Layer, eps: Any) -> Any:
    """Rows eps T, while T is still stored."""
    if not isinstance(layer.T, Through):
        return _product(eps, layer.T)
    link = _cast(layer.link, eps.dtype)
    answered = link.forward(_product(link.backward(eps), layer.T.H_inverse))
    return _each(layer.T.own.astype(eps.dtype), eps) * eps + answered


def _over_N(layer: Layer, rows: Any) -> Any:
    """Rows N^{-1}, shapes (B, n_l) or (B, k, n_l)."""
    inverse = layer.N_inverse
    if not isinstance(inverse, LowRank):
        return _product(rows, inverse)
    link, over, D = _cast((layer.link, inverse.over, layer.D), rows.dtype)
    rows = rows * _each(over, rows)
    return rows - link.forward(_product(link.backward(rows), inverse.G)) * _each(D * over, rows)


def solve(chain: Chain, P: Layers, q: Layers, free: tuple[bool, ...]) -> tuple[Layers, Layers]:
    """Values of layers 0..n and errors of layers 1..n, shapes (B, n_l), that solve the nodes' equations.

    Parameters
    ----------
    chain : Chain
    P, q : tuples of arrays, shapes (B, n_l)
        Right-hand sides of the equations of the errors, layers 1..n, and of the values, layers 0..n (0 where
        clamped).
    free : tuple of bool
        Whether any value node of a layer is free.
    """
    layers, p, right = chain.layers, [jnp.zeros(()), *P], list(q)
    n = len(layers) - 1
    # Forward substitution: the contribution of each layer to the next, without what comes from above.
    for k in range(n):
        if free[k]:
            _, x = _nodes(layers, k, True, p[k], right[k])
            p[k + 1] = p[k + 1] - _link(layers, k + 1).forward(x)
    # Back substitution: each layer, once those above are known.
    d_x: list[Any] = []
    d_eps: list[Any] = []
    for k in range(n, -1, -1):
        if k < n and free[k]:
            right[k] = right[k] + _link(layers, k + 1).backward(d_eps[0])
        eps, x = _nodes(layers, k, free[k], p[k], right[k])
        d_x.insert(0, x)
        if k > 0:
            d_eps.insert(0, eps)
    return tuple(d_x), tuple(d_eps)


def _link(layers: tuple[Layer, ...], k: int) -> Link:
    link = layers[k].link
    assert link is not None
    return link


def _nodes(layers: tuple[Layer, ...], k: int, free: bool, p: Any, q: Any) -> tuple[Any, Any]:
    """Errors and values of layer `k` from the right-hand sides of its two equations."""
    layer = layers[k]
    D, g, h = layer.D, layer.g, layer.h
    if layer.link is None:
        return None, q / D
    if not free:  # g = h = 0
        return _over_N(layer, p * D), q / D
    if isinstance(layer.N_inverse, Pair):
        both = _product(jnp.concatenate([jnp.broadcast_to(p, q.shape), q], axis=1), layer.N_inverse.inverse)
        return both[:, : q.shape[1]], both[:, q.shape[1] :]
    eps = _over_N(layer, g * q + p * D)
    eps_T = eps * layer.T if layer.T is not None else _through_below(layers, k, eps)
    return eps, (D * (q - h * eps) + g * (eps_T - p)) / (D**2 + g**2)


def _through_below(layers: tuple[Layer, ...], k: int, eps: Any) -> Any:
    """The row eps T, through the layers below."""
    link = _link(layers, k)
    _, x = _nodes(layers, k - 1, True, 0.0, link.backward(eps))
    return layers[k].own * eps + link.forward(x)


def _safe(pivot: Any, size: Any) -> Any:
    """`pivot`, kept away from zero: the solve is then inexact there, but finite."""
    least = SMALLEST_PIVOT * size
    return jnp.where(jnp.abs(pivot) < least, jnp.where(pivot < 0.0, -least, least), pivot)


def _product(rows: Any, matrix: Any) -> Any:
    """Each sample's rows times its matrix, or a diagonal one, in the precision of the matrix."""
    given = rows.astype(matrix.dtype)
    if _diagonal(matrix):
        return (given * _each(matrix, given)).astype(rows.dtype)
    product = jnp.einsum("bi,bij->bj", given, matrix) if given.ndim == 2 else given @ matrix
    return product.astype(rows.dtype)


def _diagonal(matrix: Any) -> bool:
    return not isinstance(matrix, Through) and matrix.ndim == 2


def _each(vector: Any, rows: Any) -> Any:
    """One vector a sample, shape (B, n), made to broadcast with `rows`, shape (B, n) or (B, k, n)."""
    return vector[:, None, :] if vector.ndim == 2 and rows.ndim == 3 else vector


def _cast(tree: Any, kind: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), tree)

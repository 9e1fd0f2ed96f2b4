r"""The equations of the model, and nothing else.

Every function is pure and takes and returns tuples with one array a layer, in the order of the
README's section "The model": ``x`` for layers 0..n, ``eps``, ``beta`` and ``nu`` for 1..n, ``M``,
``W`` and ``sigma`` for 0..n-1. Vectors are rows: ``x[l]`` has shape (B, n_l). The equations are
those of Bogacz (2017), eqs. 53-54, and Whittington and Bogacz (2017), with feedback weights W,
biases, decays and a mean over the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base._jax import jax, jnp
from .activations import Activation

Layers = tuple[Any, ...]  # of arrays, NumPy's or JAX's
Sigma = Sequence[Activation]


def predictions(x: Layers, M: Layers, beta: Layers, sigma: Sigma) -> Layers:
    """mu^l = sigma(x^{l-1}) M^{l-1} + beta^l, for l = 1..n."""
    links = zip(x, M, beta, sigma, strict=False)
    return tuple(s.f(x_l) @ M_l + beta_l for x_l, M_l, beta_l, s in links)


def value_rates(
    x: Layers, eps: Layers, W: Layers, sigma: Sigma, tau: jax.Array, node_decay: jax.Array
) -> Layers:
    """dx^l/dt for l = 0..n, as if every value node were free.

    tau dx^l/dt = sigma'(x^l) * (eps^{l+1} W^l) - eps^l - lambda_x x^l; there is no eps^0, and
    nothing above layer n.
    """
    n = len(x) - 1
    rates = []
    for layer in range(n + 1):
        rate = -node_decay * x[layer]
        if layer < n:
            rate += sigma[layer].df(x[layer]) * (eps[layer] @ W[layer])  # eps[layer] is eps^{l+1}
        if layer > 0:
            rate -= eps[layer - 1]
        rates.append(rate / tau)
    return tuple(rates)


def error_rates(x: Layers, eps: Layers, mu: Layers, nu: jax.Array, tau: jax.Array) -> Layers:
    """deps^l/dt for l = 1..n: tau deps^l/dt = x^l - mu^l - nu^l eps^l."""
    layers = zip(x[1:], eps, mu, nu, strict=True)
    return tuple((x_l - mu_l - nu_l * eps_l) / tau for x_l, eps_l, mu_l, nu_l in layers)


def prediction_weight_rates(
    x: Layers, eps: Layers, M: Layers, sigma: Sigma, delta: jax.Array, decay: jax.Array
) -> Layers:
    """dM^l/dt for l = 0..n-1: delta dM^l/dt = mean_b[sigma(x^l)^T eps^{l+1}] - lambda M^l."""
    batch = x[0].shape[0]
    links = zip(x, eps, M, sigma, strict=False)
    return tuple((s.f(x_l).T @ eps_l / batch - decay * M_l) / delta for x_l, eps_l, M_l, s in links)


def feedback_weight_rates(
    x: Layers, eps: Layers, W: Layers, sigma: Sigma, delta: jax.Array, decay: jax.Array
) -> Layers:
    """dW^l/dt for l = 0..n-1: delta dW^l/dt = mean_b[(eps^{l+1})^T sigma(x^l)] - lambda W^l."""
    batch = x[0].shape[0]
    links = zip(x, eps, W, sigma, strict=False)
    return tuple((eps_l.T @ s.f(x_l) / batch - decay * W_l) / delta for x_l, eps_l, W_l, s in links)


def bias_rates(eps: Layers, beta: Layers, delta: jax.Array, decay: jax.Array) -> Layers:
    """dbeta^l/dt for l = 1..n: delta dbeta^l/dt = mean_b[eps^l] - lambda beta^l."""
    layers = zip(eps, beta, strict=True)
    return tuple((eps_l.mean(axis=0) - decay * beta_l) / delta for eps_l, beta_l in layers)


def energy(eps: Layers, nu: jax.Array) -> jax.Array:
    """Terms 1/2 nu^l mean_b |eps^l|^2 of the energy F, shape (n,)."""
    terms = (0.5 * nu_l * (e**2).sum(axis=1).mean() for e, nu_l in zip(eps, nu, strict=True))
    return jnp.stack(list(terms))


def energy_slaved(x: Layers, mu: Layers, nu: jax.Array) -> jax.Array:
    """Terms 1/2 mean_b |x^l - mu^l|^2 / nu^l: F with the errors at their rest value, shape (n,)."""
    terms = (
        0.5 * ((x_l - mu_l) ** 2).sum(axis=1).mean() / nu_l
        for x_l, mu_l, nu_l in zip(x[1:], mu, nu, strict=True)
    )
    return jnp.stack(list(terms))


def feedforward(given: Layers, M: Layers, beta: Layers, sigma: Sigma) -> Layers:
    """x^0..x^n with every value node at its prediction, except where `given` holds a number.

    NaN in `given`, shapes (B, n_l), marks a node that is not given; nothing predicts layer 0,
    and such a node is 0 there. With only layer 0 given this is the plain feedforward pass.
    """
    x = [jnp.where(jnp.isnan(given[0]), 0.0, given[0])]
    for given_l, M_l, beta_l, s in zip(given[1:], M, beta, sigma, strict=True):
        mu = s.f(x[-1]) @ M_l + beta_l
        x.append(jnp.where(jnp.isnan(given_l), mu, given_l))
    return tuple(x)

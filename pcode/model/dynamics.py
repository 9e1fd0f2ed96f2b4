r"""The equations of the model, and nothing else.

Every function is pure and takes and returns tuples with one array a layer, in the order of the
README's section "The model": ``x`` for layers 0..n, ``eps``, ``beta`` and ``nu`` for 1..n, ``M``,
``W`` and ``sigma`` for 0..n-1. Vectors are rows: ``x[l]`` has shape (B, n_l). The equations are
those of Bogacz (2017), eqs. 53-54, and Whittington and Bogacz (2017), with feedback weights W,
biases, decays and a mean over the batch.

Layers are coupled by `predictions` and `feedback_signals`. The rest of the nodes' equations is elementwise,
`value_rate` and `error_rate`: the linear algebra of `pcode.system` differentiates these two functions, so an
elementwise term need only be added here.

Predictions and slopes are had from the values x, or, in a phase of fixed predictions (Rosenbaum 2022), from
those of the `feedforward` pass of the present weights. So the functions below that need mu, sigma(x^l) or
sigma'(x^l) take these values, ``at``, apart from the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from .activation import Activation
from .network import Network, Weights
from .state import State

Layers = tuple[Any, ...]  # of arrays, NumPy's or JAX's
Sigma = Sequence[Activation]


class Constants(NamedTuple):
    """The constants of a network that the equations use, with the names that they have in `Network`.

    They are arguments of compiled code, so changing them does not recompile it.

    Attributes
    ----------
    tau : array, shape (n+1,)
        Of the value nodes of layers l = 0..n.
    tau_eps : array, shape (n,)
        Of the error nodes of layers l = 1..n; of slaved ones tau of their layer, which then only scales
        their equation.
    delta : array, shape (n,)
        Of the links l = 0..n-1.
    nu : array, shape (n,)
    weight_decay, node_decay : array, shape ()
    mask : tuple of array or None, shapes (n_l, n_{l+1})
        Factors of the hebbian terms of M^l, and transposed of W^l: 1 where there is a connection and 0 where
        not; None for a dense link. Empty if all are. In a reduced system (`pcode.system.reduction`) other
        numbers.
    temperature : array, shape (n+1,)
        Of the noise in layers l = 0..n.
    """

    tau: Any
    tau_eps: Any
    delta: Any
    nu: Any
    weight_decay: Any
    node_decay: Any
    mask: tuple[Any, ...] = ()
    temperature: Any = 0.0

    @classmethod
    def of(cls, network: Network) -> Constants:
        """The constants of `network`."""
        errors, masks = zip(network.taus_eps, network.taus[1:], strict=True), network.mask or ()
        each: dict[str, Any] = {
            "tau": np.asarray(network.taus, dtype=float),
            "tau_eps": np.array([own or tau for own, tau in errors]),
            "delta": np.asarray(network.deltas, dtype=float),
            "mask": tuple(None if one is None else np.asarray(one, dtype=float) for one in masks),
            "temperature": np.asarray(network.temperatures, dtype=float),
        }
        for name in cls._fields:
            if name not in each:
                each[name] = np.asarray(getattr(network, name), dtype=float)
        return cls(**each)

    @property
    def times(self) -> tuple[Any, Any, Any]:
        """tau, tau_eps and delta, for `Layout.clocks`."""
        return self.tau, self.tau_eps, self.delta

    @property
    def longest_tau(self) -> Any:
        """The largest tau, where one number is needed."""
        return self.tau.max()

    @property
    def links(self) -> list[Constants]:
        """The constants of each link, with its own delta."""
        return [self._replace(delta=delta) for delta in self.delta]

    def masked(self, terms: Layers) -> Layers:
        """Hebbian terms of M^l, l = 0..n-1, where there are connections; 0 elsewhere."""
        masks = self.mask or (None,) * len(terms)
        return tuple(t if mask is None else mask * t for t, mask in zip(terms, masks, strict=True))


def predictions(x: Layers, M: Layers, beta: Layers, sigma: Sigma) -> Layers:
    """mu^l = sigma(x^{l-1}) M^{l-1} + beta^l, for l = 1..n."""
    links = zip(x, M, beta, sigma, strict=False)
    return tuple(s.f(x_l) @ M_l + beta_l for x_l, M_l, beta_l, s in links)


def feedback_signals(eps: Layers, W: Layers) -> Layers:
    """h^l = eps^{l+1} W^l, for l = 0..n-1."""
    return tuple(eps_l @ W_l for eps_l, W_l in zip(eps, W, strict=True))


def value_rate(x: Any, eps: Any, feedback: Any, tau: Any, c: Constants) -> Any:
    """dx^l/dt of a free value node: tau dx^l/dt = sigma'(x^l) * h^l - eps^l - lambda_x x^l.

    Parameters
    ----------
    x, eps : array or 0
        x^l and eps^l; 0 in place of eps^0, which does not exist.
    feedback : array or 0
        sigma'(x^l) * h^l; 0 for l = n, the last layer.
    tau : scalar
        That of layer l.
    c : Constants
    """
    return (feedback - eps - c.node_decay * x) / tau


def noise_amplitudes(c: Constants) -> Any:
    """sqrt(2 T^l / tau^l), l = 0..n: what multiplies dw in dx^l where tau dx^l has sqrt(2 tau T^l) dw."""
    return jnp.sqrt(2.0 * jnp.asarray(c.temperature) / c.tau)


def error_rate(x: Any, eps: Any, mu: Any, nu: Any, tau_eps: Any) -> Any:
    """deps^l/dt: tau_eps deps^l/dt = x^l - mu^l - nu^l eps^l."""
    return (x - mu - nu * eps) / tau_eps


def slaved_error(x: Any, mu: Any, nu: Any) -> Any:
    """eps^l = (x^l - mu^l) / nu^l, with tau_eps = 0."""
    return (x - mu) / nu


def weight_rate(hebbian: Any, w: Any, c: Constants) -> Any:
    """dw/dt of M, W or beta: delta dw/dt = mean_b[hebbian term] - lambda w, `c` those of the link."""
    return (hebbian - c.weight_decay * w) / c.delta


def hebbian_terms(x: Layers, eps: Layers, sigma: Sigma) -> Layers:
    """mean_b[sigma(x^l)^T eps^{l+1}], for l = 0..n-1: the learning signal of M^l; transposed, of W^l.

    That of a dense link; see `Constants.masked`. With fixed predictions, x is that of the forward pass.
    """
    batch = x[0].shape[0]
    links = zip(x, eps, sigma, strict=False)
    return tuple(s.f(x_l).T @ eps_l / batch for x_l, eps_l, s in links)


def variances(state: State, c: Constants) -> Any:
    """nu^l, for l = 1..n."""
    return c.nu


def rates(state: State, at: Layers, sigma: Sigma, c: Constants) -> State:
    """The rates of all variables, with every value node treated as free.

    Parameters
    ----------
    state : State
    at : tuple of array, shapes (B, n_l)
        Where predictions and slopes are evaluated: ``state.x``, or with fixed predictions the forward pass.
    sigma : sequence of Activation
    c : Constants
    """
    x, eps, weights = state
    mu, nu = predictions(at, weights.M, weights.beta, sigma), variances(state, c)
    h = feedback_signals(eps, weights.feedback)
    feedback = (*(s.df(x_l) * h_l for s, x_l, h_l in zip(sigma, at, h, strict=False)), 0.0)
    dx = tuple(value_rate(*layer, c) for layer in zip(x, (0.0, *eps), feedback, c.tau, strict=True))
    deps = tuple(error_rate(*layer) for layer in zip(x[1:], eps, mu, nu, c.tau_eps, strict=True))
    return State(dx, deps, weight_rates(state, at, sigma, c))


def weight_rates(state: State, at: Layers, sigma: Sigma, c: Constants) -> Weights:
    """The rates of the weights; the arguments are those of `rates`."""
    _, eps, weights = state
    M, W, beta = weights.M, weights.W, weights.beta
    links, hebbian = c.links, c.masked(hebbian_terms(at, eps, sigma))
    transposed, means = (term.T for term in hebbian), (e.mean(axis=0) for e in eps)
    return Weights(
        M=tuple(map(weight_rate, hebbian, M, links)),
        W=W and tuple(map(weight_rate, transposed, W, links)),
        beta=tuple(map(weight_rate, means, beta, links)),
    )


def energy(eps: Layers, nu: Any) -> jax.Array:
    """Terms 1/2 nu^l mean_b |eps^l|^2 of the energy F, shape (n,)."""
    terms = (0.5 * (nu_l * e**2).sum(axis=1).mean() for e, nu_l in zip(eps, nu, strict=True))
    return jnp.stack(list(terms))


def energy_slaved(x: Layers, mu: Layers, nu: Any) -> jax.Array:
    """Terms 1/2 mean_b |x^l - mu^l|^2 / nu^l: F with the errors at their rest value, shape (n,)."""
    terms = (
        0.5 * ((x_l - mu_l) ** 2 / nu_l).sum(axis=1).mean()
        for x_l, mu_l, nu_l in zip(x[1:], mu, nu, strict=True)
    )
    return jnp.stack(list(terms))


def energies(state: State, at: Layers, sigma: Sigma, c: Constants) -> tuple[jax.Array, jax.Array]:
    """The terms of F in a state, with the error nodes as they are, and at their rest value; shapes (n,).

    Predictions are evaluated at ``at``, see `rates`.
    """
    x, eps, weights = state
    mu, nu = predictions(at, weights.M, weights.beta, sigma), variances(state, c)
    return energy(eps, nu), energy_slaved(x, mu, nu)


def feedforward(given: Layers, M: Layers, beta: Layers, sigma: Sigma) -> Layers:
    """x^0..x^n with every value node at its prediction, except where `given` holds a number.

    NaN in `given`, shapes (B, n_l), marks a node that is not given. Layer 0 has no prediction: such a node is
    0 there. With only layer 0 given this is the usual feedforward pass.
    """
    x = [jnp.where(jnp.isnan(given[0]), 0.0, given[0])]
    for given_l, M_l, beta_l, s in zip(given[1:], M, beta, sigma, strict=True):
        mu = s.f(x[-1]) @ M_l + beta_l
        x.append(jnp.where(jnp.isnan(given_l), mu, given_l))
    return tuple(x)

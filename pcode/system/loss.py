r"""The loss of the plain feedforward network, its gradients, and the flow of the weights beside them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..base._jax import jax, jnp
from ..base.evaluated import Evaluated, Static
from ..base.vectors import angle, in_layers, norm
from ..model import dynamics
from ..model.activations import Entry, activation_of
from ..model.network import Array, Network, Weights


def loss_and_gradients(
    network: Network, weights: Weights, inputs: Array, targets: Array
) -> tuple[float, tuple[Array, ...], tuple[Array, ...]]:
    """L = mean_b 1/2 |y - f(x^0)|^2 of the plain feedforward network, and its gradients.

    Parameters
    ----------
    network : Network
    weights : Weights
    inputs, targets : ndarray, shapes (B, n_0), (B, n_n)

    Returns
    -------
    float
        L, dimensionless.
    tuple of ndarray, shapes (B, n_l)
        dL/dmu^l with respect to each sample's predictions, l = 1..n.
    tuple of ndarray, shapes (n_l, n_{l+1})
        dL/dM^l, l = 0..n-1; 0 where there is no connection.
    """
    plain = weights._replace(W=None)
    loss, by_mu, by_M = gradients(plain, inputs, targets, network.activation)
    by_M = dynamics.Constants.of(network).masked(by_M)
    return float(loss), tuple(map(np.asarray, by_mu)), tuple(map(np.asarray, by_M))


def gradients(
    weights: Weights, inputs: Any, targets: Any, activation: tuple[Entry, ...]
) -> tuple[Any, Any, Any]:
    """The same for arrays and activations as traced functions take them; `weights` without W."""
    found: tuple[Any, Any, Any] = _GRADIENTS(Static(activation), weights, inputs, targets)
    return found


def _gradients(activation: Static, weights: Weights, inputs: Any, targets: Any) -> tuple[Any, Any, Any]:
    sigma = tuple(map(activation_of, activation.value))
    batch = inputs.shape[0]
    given = (inputs, *(jnp.full((batch, M.shape[1]), jnp.nan) for M in weights.M))

    def loss(offsets: Any, M: Any) -> Any:
        # An offset to each sample's prediction: its gradient is that by mu.
        beta = tuple(b + offset for b, offset in zip(weights.beta, offsets, strict=True))
        output = dynamics.feedforward(given, M, beta, sigma)[-1]
        return 0.5 * jnp.sum((targets - output) ** 2) / batch

    nothing = tuple(jnp.zeros(layer.shape) for layer in given[1:])
    value, (by_mu, by_M) = jax.value_and_grad(loss, argnums=(0, 1))(nothing, weights.M)
    return value, by_mu, by_M


def hebbian(x: Any, eps: Any, activation: tuple[Entry, ...]) -> Any:
    """mean_b[sigma(x^l)^T eps^{l+1}], l = 0..n-1: delta dM^l/dt without its decay.

    With fixed predictions x is that of the forward pass.
    """
    return dynamics.hebbian_terms(x, eps, tuple(map(activation_of, activation)))


_GRADIENTS = Evaluated(_gradients)


def outputs(weights: Weights, inputs: Any, activation: tuple[Entry, ...]) -> Any:
    """f(x^0), the outputs of the plain feedforward network, shape (B, n_n); `weights` without W."""
    return _OUTPUTS(Static(activation), weights, inputs)


def _outputs(activation: Static, weights: Weights, inputs: Any) -> Any:
    batch = inputs.shape[0]
    given = (inputs, *(jnp.full((batch, M.shape[1]), jnp.nan) for M in weights.M))
    return dynamics.feedforward(given, weights.M, weights.beta, tuple(map(activation_of, activation.value)))[
        -1
    ]


_OUTPUTS = Evaluated(_outputs)


def flow_beside_gradient(
    x: Any, eps: Any, at: Any, weights: Weights, c: dynamics.Constants, activation: tuple[Entry, ...]
) -> tuple[Any, Any]:
    """Angle in degrees and relative size of the weights' flow beside backpropagation, shapes (n,).

    Between nu^n mean_b[sigma(x^l)^T eps^{l+1}] and -dL/dM^l, for the inputs x^0 and the targets x^n.

    Parameters
    ----------
    x, eps : tuple of array, shapes (B, n_l)
    at : tuple of array, shapes (B, n_l)
        Where predictions are evaluated: x, or with fixed predictions the forward pass.
    weights : Weights
        Without W.
    c : Constants
        nu^n is the last of its variances; of masked links only the connections count that are there.
    activation : tuple
    """
    found: tuple[Any, Any] = _FLOW(Static(activation), x, eps, at, weights, c)
    return found


def _flow(
    activation: Static, x: Any, eps: Any, at: Any, weights: Weights, c: dynamics.Constants
) -> tuple[Any, Any]:
    _, _, by_M = _gradients(activation, weights, x[0], x[-1])
    descent = tuple(-g for g in c.masked(by_M))
    flow = tuple(c.nu[-1] * term for term in c.masked(hebbian(at, eps, activation.value)))
    turned = in_layers(partial(angle, xp=jnp), flow, descent)
    return turned, in_layers(lambda a, b: norm(a, jnp) / norm(b, jnp), flow, descent)


_FLOW = Evaluated(_flow)

r"""The reference of `backprop`: gradients of the plain feedforward network, and a state compared with them.

With L = mean_b 1/2 |y - f(x^0)|^2, mu^l the predictions of the feedforward pass and B the batch:

    nu^n eps^l                           is compared with  -B dL/dmu^l
    nu^n mean_b[sigma(x^l)^T eps^{l+1}]  is compared with  -dL/dM^l, where there are connections
    W^l                                  is compared with  (M^l)^T
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from ..base.short import short_repr
from ..base.vectors import angle, in_layers, norm
from ..model.activations import Entry
from ..model.dynamics import Constants
from ..model.network import Array, Network
from ..model.state import State
from ..system.loss import gradients, hebbian


class Comparison(NamedTuple):
    """Errors, flow and feedback compared with backpropagation; angles in degrees, sizes dimensionless.

    Entry k of the last axis is layer k + 1 for errors, the link from layer k to k + 1 for the rest.

    Attributes
    ----------
    error_angle, error_size : ndarray, shape (..., n)
        Between nu^n eps^l and -B dL/dmu^l, all samples as one vector.
    flow_angle, flow_size : ndarray, shape (..., n)
        Between nu^n mean_b[sigma(x^l)^T eps^{l+1}] and -dL/dM^l.
    feedback_angle, feedback_size : ndarray, shape (..., n)
        Between W^l and the transpose of M^l.
    """

    error_angle: Array
    error_size: Array
    flow_angle: Array
    flow_size: Array
    feedback_angle: Array
    feedback_size: Array

    def __repr__(self) -> str:
        return short_repr(self)


def compare(network: Network, state: State, at: tuple[Array, ...] | None = None) -> Comparison:
    """Compare errors, flow and feedback of a state, both of whose ends are data, with backpropagation.

    With fixed predictions, `at` is the forward pass; else the values of the state.
    """
    at = state.x if at is None else at
    found = _compare(state, at, network.nu[-1], Constants.of(network), network.activation)
    return Comparison(*(np.asarray(part) for part in found))


@partial(jax.jit, static_argnames="activation")
def _compare(
    state: State, at: tuple[Any, ...], nu: Any, c: Constants, activation: tuple[Entry, ...]
) -> tuple[Any, ...]:
    x, eps, weights = state
    batch = x[0].shape[0]
    plain = weights._replace(W=None)
    _, by_mu, by_M = gradients(plain, x[0], x[-1], activation)
    descent = tuple(-batch * g for g in by_mu), tuple(-g for g in c.masked(by_M))
    flow = c.masked(hebbian(at, eps, activation))
    found = tuple(nu * e for e in eps), tuple(nu * part for part in flow)

    def size(a: Any, b: Any) -> Any:
        return norm(a, jnp) / norm(b, jnp)

    turned = partial(angle, xp=jnp)
    pairs = (*zip(found, descent, strict=True), (weights.feedback, tuple(M.T for M in weights.M)))
    return tuple(in_layers(measure, a, b) for a, b in pairs for measure in (turned, size))

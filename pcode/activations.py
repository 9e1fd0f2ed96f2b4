"""The activations sigma, each with the derivatives that the equations and their Jacobian use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ._jax import jax, jnp
from .errors import InputError

Elementwise = Callable[[Any], Any]  # NumPy's arrays or JAX's


class Activation(NamedTuple):
    """An elementwise function sigma of the value nodes, with its first two derivatives.

    Attributes
    ----------
    name : str
        The name under which networks and scenario files ask for it.
    f, df, d2f : callable
        sigma, sigma' and sigma'', array to array of the same shape.
    """

    name: str
    f: Elementwise
    df: Elementwise
    d2f: Elementwise


def _dtanh(x: jax.Array) -> jax.Array:
    return 1.0 - jnp.tanh(x) ** 2


def _d2tanh(x: jax.Array) -> jax.Array:
    return -2.0 * jnp.tanh(x) * _dtanh(x)


def _dlogistic(x: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


def _d2logistic(x: jax.Array) -> jax.Array:
    return _dlogistic(x) * (1.0 - 2.0 * jax.nn.sigmoid(x))


# relu has no derivative at 0; 0 is taken there, as the field does.
_ALL = (
    Activation("identity", lambda x: x, jnp.ones_like, jnp.zeros_like),
    Activation("tanh", jnp.tanh, _dtanh, _d2tanh),
    Activation("logistic", jax.nn.sigmoid, _dlogistic, _d2logistic),
    Activation(
        "relu",
        lambda x: jnp.maximum(x, 0.0),
        lambda x: jnp.where(x > 0.0, 1.0, 0.0),
        jnp.zeros_like,
    ),
    Activation("softplus", jax.nn.softplus, jax.nn.sigmoid, _dlogistic),
    Activation("square", lambda x: x**2, lambda x: 2.0 * x, lambda x: jnp.full_like(x, 2.0)),
)

ACTIVATIONS: dict[str, Activation] = {activation.name: activation for activation in _ALL}


def by_name(name: str) -> Activation:
    """The activation called `name`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return ACTIVATIONS[name]
    except (KeyError, TypeError):
        known = ", ".join(ACTIVATIONS)
        raise InputError("activation", f"no activation {name!r}; there are {known}") from None

"""The shipped activations by name, and what an entry of `Network.activation` may be."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ..base import checks
from ..base._jax import jax, jnp
from ..base.errors import InputError
from .activation import Activation
from .saved_activation import SavedActivation


# By hand, because JAX's derivatives are less exact at large x (0 instead of exp(-x) beyond x = 37), and that
# of softplus takes eight times as long.
def _dlogistic(x: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


def _d2logistic(x: jax.Array) -> jax.Array:
    return _dlogistic(x) * (1.0 - 2.0 * jax.nn.sigmoid(x))


# Slope of leaky_relu below 0, as in PyTorch and JAX.
LEAK = 0.01

_ALL = (
    Activation.unchecked("identity", lambda x: x),
    Activation.unchecked("tanh", jnp.tanh),
    Activation.unchecked("logistic", jax.nn.sigmoid, _dlogistic, _d2logistic),
    # Not jnp.maximum, whose derivative at 0 is 1/2 in JAX. NaN stays NaN.
    Activation.unchecked("relu", lambda x: jnp.where(x <= 0.0, 0.0, x), kinks=(0.0,)),
    Activation.unchecked("leaky_relu", lambda x: jnp.where(x > 0.0, x, LEAK * x), kinks=(0.0,)),
    Activation.unchecked("softplus", jax.nn.softplus, jax.nn.sigmoid, _dlogistic),
    Activation.unchecked("square", lambda x: x**2),
)

# An entry of `Network.activation`: a shipped name, or an activation of the user's own.
Entry = str | Activation | SavedActivation

# Read-only: programs are compiled for names, and would go on with the old function of a name.
ACTIVATIONS: Mapping[str, Activation] = MappingProxyType({activation.name: activation for activation in _ALL})


# Other words for them, in small letters without spaces, hyphens and underscores.
_SYNONYMS = {
    "sigmoid": "logistic",
    "sigm": "logistic",
    "expit": "logistic",
    "linear": "identity",
    "id": "identity",
    "none": "identity",
    "rectifier": "relu",
    "rectifiedlinear": "relu",
    "rectlinear": "relu",
    "lrelu": "leaky_relu",
    "hyperbolictangent": "tanh",
    "smoothrelu": "softplus",
    "quadratic": "square",
    "squared": "square",
}


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
        hint = _hint(name) if isinstance(name, str) else ""
        raise InputError("activation", f"no activation {name!r}{hint}; there are {known}") from None


def _hint(name: str) -> str:
    """What may be meant by a name that is not known."""
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    words = _SYNONYMS | {known.replace("_", ""): known for known in ACTIVATIONS}
    if plain in words:
        return f" (did you mean {words[plain]}?)"
    if ":" in name:
        return " (in Python give the function itself; module:name is for scenario files)"
    for module, place in ((jax.nn, "jax.nn"), (jnp, "jax.numpy")):
        if name.isidentifier() and callable(getattr(module, name, None)):
            right = f'in Python give the function {place}.{name} itself, in a scenario "{place}:{name}"'
            return f" ({right} with --allow-code)"
    if not name.isidentifier():
        return " (in Python give a function in jax.numpy, such as lambda v: v / (1 + jnp.abs(v)))"
    close = get_close_matches(plain, words, n=1, cutoff=0.75)
    return f" (did you mean {words[close[0]]}?)" if close else ""


def activation_of(entry: Entry) -> Activation:
    """The activation of an entry of `Network.activation`.

    Raises
    ------
    InputError
        If it is one that was saved and not loaded.
    """
    if isinstance(entry, Activation):
        return entry
    if isinstance(entry, SavedActivation):
        raise entry.not_loaded()
    return by_name(entry)


def entry_of(where: str, value: Any, right: str) -> Entry:
    """`value` as an entry of `Network.activation`: a name, or an activation of the user's own.

    Parameters
    ----------
    where : str
        The argument to name in errors.
    value : str, callable, Activation, or a mapping as `Activation.to_dict` gives it
    right : str
        What it must be, for the error message.

    Raises
    ------
    InputError
        If it is none of these, or an unknown name.
    """
    if isinstance(value, SavedActivation):
        return value
    if isinstance(value, Mapping):
        return SavedActivation.from_dict(where, value)
    if isinstance(value, Activation):
        return value.name if ACTIVATIONS.get(value.name) is value else value
    if isinstance(value, str):
        by_name(value)
        return str(value)
    if not callable(value):
        raise InputError(where, f"must be {right}, not {checks.shown(value)}")
    try:
        return _of_function(value) if _hashable(value) else Activation(value)
    except InputError as error:
        raise InputError(where, error.what) from None


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


# Checks take a moment; a program may make many networks with one function.
_of_function = lru_cache(maxsize=256)(Activation)


def to_plain(entry: Any) -> Any:
    """An entry of `Network.activation` for JSON."""
    return entry.to_dict() if isinstance(entry, Activation | SavedActivation) else str(entry)

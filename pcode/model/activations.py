"""Activations sigma, with the derivatives that the equations and their Jacobian use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from ..base._jax import jax, jnp
from ..base.errors import InputError

Elementwise = Callable[[Any], Any]  # NumPy's arrays or JAX's


# Distance from a kink, a few units of rounding, at which sigma' is evaluated for its one-sided value.
BESIDE = 4.5e-16


@dataclass(frozen=True, init=False)
class Activation:
    """An elementwise function sigma of the value nodes, with its first two derivatives.

    Parameters
    ----------
    name : str
        Its name in networks and scenario files.
    f : callable
        sigma, written with JAX's functions: array to array of the same shape.
    df, d2f : callable, optional
        sigma' and sigma''; by automatic differentiation if left out.
    kinks : tuple of float
        Points where sigma' jumps, in increasing order; sigma itself is continuous. At a kink `df` must return
        the left-hand derivative, as is usual for relu. A node can stay at a kink as in a sliding mode, with
        a mix of both one-sided derivatives, see `pcode.system.kinks`.

    Notes
    -----
    m kinks divide the line into m + 1 pieces. The *mode* of a value node, an integer, says where it is: 2 j
    on piece j (j = 0..m from below), 2 j - 1 if it is held at kink j (j = 1..m), and -1 where sigma is used
    unchanged. For relu: 0 below 0, 1 held at 0, 2 above.
    """

    name: str
    f: Elementwise
    df: Elementwise
    d2f: Elementwise
    kinks: tuple[float, ...]

    def __init__(
        self,
        name: str,
        f: Elementwise,
        df: Elementwise | None = None,
        d2f: Elementwise | None = None,
        kinks: tuple[float, ...] = (),
    ) -> None:
        df = df or _derivative(f)
        for field, value in zip(fields(self), (name, f, df, d2f or _derivative(df), kinks), strict=True):
            object.__setattr__(self, field.name, value)

    def within(self, mode: Any) -> Activation:
        """Sigma on the piece that `mode`, shape of x, gives, continued by its tangents beyond the ends.

        So a node that has just passed a kink sees no jump until its mode is changed.
        """
        lowest, highest = self._interval(mode)

        def f(x: Any) -> Any:
            inside = jnp.clip(x, lowest, highest)
            return self.f(inside) + self.df(inside) * (x - inside)

        def df(x: Any) -> Any:
            return self.df(jnp.clip(x, lowest, highest))

        def d2f(x: Any) -> Any:
            return jnp.where((x < lowest) | (x > highest), 0.0, self.d2f(x))

        return Activation(self.name, f, df, d2f, self.kinks)

    def _interval(self, mode: Any) -> tuple[Any, Any]:
        """Ends of each node's piece, moved inwards by rounding."""
        lowest, highest = jnp.full_like(mode, -jnp.inf), jnp.full_like(mode, jnp.inf)
        for j, kink in enumerate(self.kinks, start=1):
            lowest = jnp.where(mode >= 2 * j, kink + _beside(kink), lowest)
        for j, kink in reversed(list(enumerate(self.kinks, start=1))):
            highest = jnp.where((mode >= 0) & (mode <= 2 * j - 2), kink - _beside(kink), highest)
        return lowest, highest

    def held_at(self, mode: Any, xp: Any = jnp) -> Any:
        """The kink at which each node is held, NaN where it is free; shape of `mode`."""
        at = xp.full_like(mode, xp.nan)
        for j, kink in enumerate(self.kinks, start=1):
            at = xp.where(mode == 2 * j - 1, kink, at)
        return at

    def slopes(self, kink: float) -> tuple[float, float]:
        """The values of sigma' just below and just above a kink."""
        beside = jnp.array([kink - _beside(kink), kink + _beside(kink)])
        below, above = self.df(beside)
        return below, above


def _beside(kink: float) -> float:
    return BESIDE * max(1.0, abs(kink))


def _derivative(f: Elementwise) -> Elementwise:
    """The derivative of an elementwise function, by JAX."""

    def df(x: Any) -> Any:
        x = jnp.asarray(x)
        return jax.jvp(f, (x,), (jnp.ones_like(x),))[1]

    return df


# By hand, because JAX's derivatives are less exact at large x (0 instead of exp(-x) beyond x = 37), and that
# of softplus takes eight times as long.
def _dlogistic(x: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


def _d2logistic(x: jax.Array) -> jax.Array:
    return _dlogistic(x) * (1.0 - 2.0 * jax.nn.sigmoid(x))


# Slope of leaky_relu below 0, as in PyTorch and JAX.
LEAK = 0.01

_ALL = (
    Activation("identity", lambda x: x),
    Activation("tanh", jnp.tanh),
    Activation("logistic", jax.nn.sigmoid, _dlogistic, _d2logistic),
    # Not jnp.maximum, whose derivative at 0 is 1/2 in JAX. NaN stays NaN.
    Activation("relu", lambda x: jnp.where(x <= 0.0, 0.0, x), kinks=(0.0,)),
    Activation("leaky_relu", lambda x: jnp.where(x > 0.0, x, LEAK * x), kinks=(0.0,)),
    Activation("softplus", jax.nn.softplus, jax.nn.sigmoid, _dlogistic),
    Activation("square", lambda x: x**2),
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

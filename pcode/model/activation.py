"""An activation: an elementwise function sigma, with the derivatives that the equations use."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Sequence
from typing import Any

from ..base import checks
from ..base._jax import jax, jnp
from ..base.errors import InputError
from . import probing
from .importing import import_path

Elementwise = Callable[[Any], Any]  # NumPy's arrays or JAX's


# Distance from a kink, a few units of rounding, at which sigma' is evaluated for its one-sided value.
BESIDE = 4.5e-16


class Activation:
    """An elementwise function sigma of the value nodes, with its first two derivatives.

    Parameters
    ----------
    f : callable
        sigma, written with `jax.numpy`: array to array of the same shape, each entry by itself.
    name : str, optional
        What to call it in results and messages; by default the function's own name.
    kinks : sequence of float, optional
        The values of x at which sigma' jumps; sigma itself is continuous. By default those that a search from
        -10 to 10 finds; an empty list for none. A node can stay at a kink as in a
        sliding mode, with a mix of both one-sided derivatives, see `pcode.system.kinks`.
    df, d2f : callable, optional
        sigma' and sigma''; by automatic differentiation if left out.

    Attributes
    ----------
    name : str
    f, df, d2f : callable
        sigma, sigma' and sigma''. At a kink the derivatives are those from below.
    kinks : tuple of float
        In increasing order.
    function : callable
        `f` as it was given.

    Raises
    ------
    InputError
        If `f` is not elementwise, cannot be traced by JAX, does not give real float64 numbers, jumps, or has
        no finite slope; if sigma' does not jump at a kink; if `df` or `d2f` is not the derivative.

    Notes
    -----
    Two activations are equal if they have the same name and kinks and their functions are the same objects:
    nothing is compiled anew for a network with the same `f`. A function that is defined again is another one.

    m kinks divide the line into m + 1 pieces. The *mode* of a value node, an integer, says where it is: 2 j
    on piece j (j = 0..m from below), 2 j - 1 if it is held at kink j (j = 1..m), and -1 where sigma is used
    unchanged. For relu: 0 below 0, 1 held at 0, 2 above.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import pcode
    >>> hard = pcode.Activation(lambda x: jnp.clip(x, -1.0, 1.0), name="hard_tanh", kinks=[-1.0, 1.0])
    >>> network = pcode.Network((2, 8, 1), activation=["identity", hard])
    """

    name: str
    f: Elementwise
    df: Elementwise
    d2f: Elementwise
    kinks: tuple[float, ...]
    function: Elementwise
    _values: list[float | None] | None

    def __init__(
        self,
        f: Elementwise,
        *,
        name: str | None = None,
        kinks: Sequence[float] | None = None,
        df: Elementwise | None = None,
        d2f: Elementwise | None = None,
    ) -> None:
        checks.function("f", f)
        self._own = (f, df, d2f)
        called = name_of(f) if name is None else checks.text("name", name)
        at = () if kinks is None else _increasing(kinks)

        def own(x: Any) -> Any:
            return f(jnp.asarray(x))

        probing.check_function(called, own, f)
        slope, bend = _derivatives(own, df, d2f)
        for where, given, function, derivative in (("df", df, own, slope), ("d2f", d2f, slope, bend)):
            if given is not None:
                probing.check_derivative(where, function, derivative)
        probing.check_slopes(called, slope, bend)
        if kinks is None:
            at = probing.kinks_of(slope)
        self._fill(called, *_ruled(own, slope, bend, at), at, f)
        self._check_kinks()
        self._values = probing.values_of(self.f)  # now, as later it may raise

    @classmethod
    def unchecked(
        cls,
        name: str,
        f: Elementwise,
        df: Elementwise | None = None,
        d2f: Elementwise | None = None,
        kinks: tuple[float, ...] = (),
    ) -> Activation:
        """An activation made as it is; at a kink `f` and `df` must have their derivatives from below."""
        made = cls.__new__(cls)
        made._own = (f, df, d2f)
        made._fill(name, f, *_derivatives(f, df, d2f), kinks, f)
        return made

    def _check_kinks(self) -> None:
        """Raise InputError unless the slope jumps at each kink."""
        for kink in self.kinks:
            below, above = map(float, self.slopes(kink))
            if not math.isfinite(below) or not math.isfinite(above):
                sides = f"is {below} just below {kink:g} and {above} above; both must be finite"
                raise InputError("kinks", f"the slope of {self} {sides}")
            if probing.same(below, above):
                found = probing.kinks_of(self.df)
                right = f"it jumps at {probing.told(found)}" if found else "leave it out"
                sides = f"does not jump at {kink:g}, it is {below:g} on both sides; {right}"
                raise InputError("kinks", f"the slope of {self} {sides}")

    def _fill(self, *values: Any) -> None:
        self.name, self.f, self.df, self.d2f, self.kinks, self.function = values
        self._values = None
        self._key = (self.name, self.kinks, *map(_identity, self._own))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Activation) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __deepcopy__(self, _: Any) -> Activation:
        return self  # nothing in it changes

    def __reduce__(self) -> Any:
        return _again, (self.name, self.kinks, *self._own)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        kinks = f", kinks={list(self.kinks)}" if self.kinks else ""
        return f"<pcode.Activation {self.name}{kinks}>"

    def to_dict(self) -> dict[str, Any]:
        """What a file keeps of it: its name, kinks, import path (None if it has none), and a few values."""
        return {
            "name": self.name,
            "function": import_path(self.function, self),
            "kinks": list(self.kinks),
            "values": probing.values_of(self.f) if self._values is None else self._values,
        }

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

        return Activation.unchecked(self.name, f, df, d2f, self.kinks)

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


def _derivatives(
    f: Elementwise, df: Elementwise | None, d2f: Elementwise | None
) -> tuple[Elementwise, Elementwise]:
    df = df or _derivative(f)
    return df, d2f or _derivative(df)


def _ruled(
    f: Elementwise, df: Elementwise, d2f: Elementwise, kinks: tuple[float, ...]
) -> tuple[Elementwise, Elementwise, Elementwise]:
    """The same functions, of which JAX too takes these derivatives, and at the kinks those from below.

    JAX's own derivative of `jnp.maximum` at equal arguments is 1/2, and that of others may be anything there;
    its derivatives in reverse are NaN where a branch of `jnp.where` that is not taken has none.
    """

    def below(x: Any) -> Any:
        x = jnp.asarray(x)
        for kink in kinks:
            x = jnp.where(x == kink, kink - _beside(kink), x)
        return x

    def with_derivative(function: Elementwise, derivative: Elementwise) -> Elementwise:
        ruled = jax.custom_jvp(function)
        ruled.defjvp(lambda x, dx: (ruled(x[0]), derivative(x[0]) * dx[0]))
        return lambda x: ruled(jnp.asarray(x))

    def bend(x: Any) -> Any:
        return d2f(below(x))

    slope = with_derivative(lambda x: df(below(x)), bend)
    return with_derivative(f, slope), slope, bend


def _increasing(kinks: Any) -> tuple[float, ...]:
    given = checks.listed("kinks", kinks, "a list of the values of x at which the slope jumps")
    at = tuple(sorted(checks.number("kinks", kink) + 0.0 for kink in given))
    if len(set(at)) < len(at):
        raise InputError("kinks", f"must differ, not {', '.join(f'{kink:g}' for kink in at)}")
    return at


def name_of(f: Any) -> str:
    """What a function calls itself."""
    inner = getattr(f, "func", f)  # of functools.partial
    return str(getattr(inner, "__name__", None) or type(f).__name__)


def _identity(f: Any) -> Any:
    """A key that is the same for the same function; a method is made anew each time it is looked up."""
    return f if isinstance(f, types.MethodType) else id(f)


def _again(name: str, kinks: tuple[float, ...], f: Any, df: Any, d2f: Any) -> Activation:
    """The inverse of `Activation.__reduce__`."""
    return Activation(f, name=name, kinks=kinks, df=df, d2f=d2f)

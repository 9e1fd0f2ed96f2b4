"""What the Jacobian is made of: derivatives of the equations at a state, without the products of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jax.extend.core import Var

from ..base._jax import jax, jnp
from ..model import dynamics
from ..model.activation import Activation
from ..model.dynamics import Constants, Layers
from ..model.state import State


class Partials(NamedTuple):
    """Partial derivatives of an elementwise rate, shapes (B, n_l), or (1, 1) where constant.

    Attributes
    ----------
    x, eps : array
        With respect to the node's own value and error.
    input : array
        With respect to its input from the neighbouring layer: h^l for a value node, mu^l for an error node.
    """

    x: Any
    eps: Any
    input: Any


class ForwardPass(NamedTuple):
    """How fixed predictions and slopes depend on the weights, through the values of the forward pass.

    Attributes
    ----------
    slope : tuple of arrays, shapes (B, n_l)
        sigma'(x^l) of nodes that stand at their prediction, 0 at clamped ones, l = 0..n-1.
    bend : tuple of arrays, shapes (B, n_l), or (1, 1) where 0
        Derivatives of dx^l/dt with respect to that value, l = 0..n-1; 0 at clamped nodes.
    """

    slope: Layers
    bend: Layers


class Point(NamedTuple):
    """What the Jacobian needs to know of the state at which the system is linearised.

    Attributes
    ----------
    state : State
    sigma, slope : tuple of arrays, shapes (B, n_l)
        sigma(x^l) and, at free nodes, sigma'(x^l) (0 at clamped ones), l = 0..n-1. With fixed predictions,
        sigma of the forward pass, and 0 of shape (1, 1): predictions do not depend on the nodes.
    value : tuple of Partials
        Derivatives of dx^l/dt at free nodes (0 at clamped ones), l = 0..n.
    error : tuple of Partials
        Derivatives of deps^l/dt, with respect to free values (0 for clamped ones), l = 1..n; for slaved
        errors, which have no rate, of x^l - mu^l - nu^l eps^l = 0.
    free : tuple of arrays, shapes (B, n_l)
        1 at value nodes that move, 0 at those clamped or held at a kink, l = 0..n.
    forward : ForwardPass or None
        With fixed predictions, how these depend on the weights.
    """

    state: State
    sigma: Layers
    slope: Layers
    value: tuple[Partials, ...]
    error: tuple[Partials, ...]
    free: Layers
    forward: ForwardPass | None = None


def free_rate(sigma: Activation | None, tau: Any, c: Constants, x: Any, eps: Any, h: Any) -> Any:
    """dx^l/dt as a function of x^l, eps^l and h^l."""
    return dynamics.value_rate(x, eps, 0.0 if sigma is None else sigma.df(x) * h, tau, c)


def fixed_rate(sigma: Activation | None, tau: Any, c: Constants, x: Any, eps: Any, h: Any, at: Any) -> Any:
    """dx^l/dt as a function of x^l, eps^l, h^l and the value of the forward pass."""
    return dynamics.value_rate(x, eps, 0.0 if sigma is None else sigma.df(at) * h, tau, c)


def error_rate(nu: Any, tau_eps: Any, x: Any, eps: Any, mu: Any) -> Any:
    """deps^l/dt as a function of x^l, eps^l and mu^l."""
    return dynamics.error_rate(x, eps, mu, nu, tau_eps)


def partials(rate: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
    """Derivatives of an elementwise function by each of its arguments, by one jvp each in direction ones.

    Those that depend on no argument have one entry: most do not, and an array of the size of the nodes for
    each would take longer to compile and to pass on.
    """

    def by(k: int, at: tuple[Any, ...]) -> Any:
        def along(argument: Any) -> Any:
            return rate(*at[:k], argument, *at[k + 1 :])

        return jax.jvp(along, (at[k],), (jnp.ones_like(at[k]),))[1]

    shape, count = jnp.broadcast_shapes(*map(jnp.shape, arguments)), len(arguments)
    whole = tuple(jnp.broadcast_to(a, shape).astype(float) for a in arguments)
    single = (jnp.zeros((1, 1)),) * count
    traced = jax.make_jaxpr(lambda *at: [by(k, at) for k in range(count)])(*single)
    return tuple(by(k, whole if depends else single) for k, depends in enumerate(_dependent(traced.jaxpr)))


def _dependent(jaxpr: Any) -> list[bool]:
    """Which outputs of a traced function depend on its arguments."""
    reached = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if not reached.isdisjoint(v for v in equation.invars if isinstance(v, Var)):
            reached.update(equation.outvars)
    return [isinstance(v, Var) and v in reached for v in jaxpr.outvars]

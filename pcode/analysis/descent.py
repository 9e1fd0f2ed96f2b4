r"""Learning of the plain feedforward network by backpropagation, in continuous time and in steps.

With L = mean_b 1/2 \|y - f(x^0)\|^2 of the samples shown, nu^n the variance of the output, and for weights
that learn (nu^n times their flow at rest comes near to minus the gradient of L as nu^n grows, see
docs/model.md):

    gradient flow    delta^l dM^l/dt = -(1/nu^n) dL/dM^l - lambda M^l, likewise for beta
    SGD              M^l <- M^l - (T/delta^l) ((1/nu^n) dL/dM^l + lambda M^l) for samples shown for a time T
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base._jax import compiled, jax, jnp
from ..model.activations import Entry
from ..model.dynamics import Constants
from ..model.network import Array, Network, Weights
from ..system.loss import gradients

# Most presentations in one call of compiled code, and most steps in one of them.
MOST, MOST_STEPS = 64, 100_000


class Rates(NamedTuple):
    """What a gradient is multiplied by; numbers that compiled code takes as arguments.

    Attributes
    ----------
    constants : Constants
    M, beta : tuple of scalar
        1 for each array that learns, else 0; layers 0..n-1 and 1..n.
    """

    constants: Constants
    M: tuple[Any, ...]
    beta: tuple[Any, ...]

    @classmethod
    def of(cls, network: Network, learn: bool | tuple[str, ...]) -> Rates:
        """The rates of a phase with this `learn`."""

        def gate(name: str) -> float:
            known = learn is True or (isinstance(learn, tuple) and name in learn)
            return float(known and (network.bias or not name.startswith("beta")))

        n = network.n
        return cls(
            Constants.of(network),
            tuple(gate(f"M{k}") for k in range(n)),
            tuple(gate(f"beta{k}") for k in range(1, n + 1)),
        )


def descent(weights: Weights, inputs: Any, targets: Any, rates: Rates, activation: tuple[Entry, ...]) -> Any:
    """dM/dt and dbeta/dt of the gradient flow, as `Weights` without W."""
    c = rates.constants
    _, by_mu, by_M = gradients(weights, inputs, targets, activation)
    by_M, by_beta = c.masked(by_M), tuple(part.sum(axis=0) for part in by_mu)

    def rate(gate: Any, gradient: Any, w: Any, link: Constants) -> Any:
        return gate * (-gradient / c.nu[-1] - link.weight_decay * w) / link.delta

    return Weights(
        tuple(map(rate, rates.M, by_M, weights.M, c.links)),
        None,
        tuple(map(rate, rates.beta, by_beta, weights.beta, c.links)),
    )


@compiled(static_argnames=("activation", "method"))
def _flowed(
    weights: Weights,
    inputs: Any,
    targets: Any,
    rows: Any,
    lasts: Any,
    count: Any,
    rates: Rates,
    tolerances: Any,
    activation: tuple[Entry, ...],
    method: str,
) -> tuple[Weights, Any]:
    """The weights after `count` presentations of `rows`, shape (K, B), and whether all went well."""
    import diffrax

    def field(t: Any, w: Any, samples: Any) -> Any:
        inputs, targets = samples
        return descent(w, inputs, targets, rates, activation)

    def going(carry: Any) -> Any:
        _, k, good = carry
        return (k < count) & good

    def one(carry: Any) -> Any:
        w, k, _ = carry
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            getattr(diffrax, method)(),
            0.0,
            lasts[k],
            None,
            w,
            (inputs[rows[k]], targets[rows[k]]),
            stepsize_controller=diffrax.PIDController(*tolerances),
            max_steps=MOST_STEPS,
            throw=False,
        )
        w = jax.tree.map(lambda part: part[-1], solution.ys)
        fine = jnp.stack([jnp.isfinite(part).all() for part in jax.tree.leaves(w)]).all()
        return w, k + 1, fine & (solution.result == diffrax.RESULTS.successful)

    reached, _, good = jax.lax.while_loop(going, one, (weights, jnp.asarray(0), jnp.asarray(True)))
    return reached, good


@compiled(static_argnames="activation")
def _stepped(
    weights: Weights,
    inputs: Any,
    targets: Any,
    rows: Any,
    lasts: Any,
    count: Any,
    rates: Rates,
    activation: tuple[Entry, ...],
) -> Weights:
    """The weights after one step for each of `count` presentations."""

    def one(k: Any, w: Weights) -> Weights:
        rate = descent(w, inputs[rows[k]], targets[rows[k]], rates, activation)
        stepped: Weights = jax.tree.map(lambda part, d: part + lasts[k] * d, w, rate)
        return stepped

    reached: Weights = jax.lax.fori_loop(0, count, one, weights)
    return reached


class Learner:
    """The plain network, as it learns from presentations in turn.

    Parameters
    ----------
    network : Network
    weights : Weights
        Where it starts.
    method : str or None
        The method of diffrax for the gradient flow; None for SGD.
    rtol, atol : float
        Its tolerances.

    Attributes
    ----------
    weights : Weights
        What is reached, without W; NaN from where it could not be computed.
    """

    def __init__(
        self, network: Network, weights: Weights, method: str | None, rtol: float, atol: float
    ) -> None:
        self._network, self._method = network, method
        self._tolerances = (np.asarray(rtol), np.asarray(atol))
        self.weights = weights._replace(W=None)

    @property
    def in_steps(self) -> bool:
        """Whether it learns by SGD."""
        return self._method is None

    def learn(
        self, learn: bool | tuple[str, ...], inputs: Array, targets: Array, rows: list[Any], lasts: Array
    ) -> None:
        """Learn from the samples of `rows`, those of each shown for its time in `lasts`."""
        rates, k = Rates.of(self._network, learn), 0
        while k < len(rows):
            size, end = len(rows[k]), k
            while end < min(len(rows), k + MOST) and len(rows[end]) == size:
                end += 1
            padded, times = np.zeros((MOST, size), dtype=np.int64), np.ones(MOST)
            padded[: end - k], times[: end - k] = np.stack(rows[k:end]), lasts[k:end]
            self._advance((inputs, targets, padded, times, end - k, rates))
            k = end

    def _advance(self, given: tuple[Any, ...]) -> None:
        activation = self._network.activation
        if self._method is None:
            reached = _stepped(self.weights, *given, activation=activation)
        else:
            reached, good = _flowed(
                self.weights, *given, self._tolerances, activation=activation, method=self._method
            )
            if not good:
                reached = jax.tree.map(lambda part: np.full(part.shape, np.nan), reached)
        self.weights = jax.tree.map(np.asarray, reached)

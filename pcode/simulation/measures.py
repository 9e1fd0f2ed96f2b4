r"""What probes know how to measure, by word.

In the formulas f is the feedforward pass of the present weights, and the flow of the weights is that of the
nodes *as they are*, at rest or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..base import checks
from ..base._jax import jnp
from ..base.errors import InputError
from ..base.short import Short
from ..base.vectors import angle, norm
from ..model.dynamics import Constants
from ..model.network import Array, Network, Weights
from ..model.phase import Phase
from ..model.state import State
from ..system.loss import flow_beside_gradient, outputs
from ..system.problem import predicting
from .observer import Moment


@dataclass(frozen=True, eq=False)
class Samples(Short):
    """Inputs with targets to judge by.

    Parameters
    ----------
    inputs : ndarray, shape (B, n_0)
    targets : ndarray, shape (B, n_n)
    """

    inputs: Array
    targets: Array

    @classmethod
    def of(cls, given: Any) -> Samples:
        """Those of an object with `inputs` and `targets`, such as a data set, or of a pair of arrays.

        Raises
        ------
        InputError
            If it is neither, or an array is no table of finite numbers with one row a sample.
        """
        if isinstance(given, Samples):
            return given
        pair: Any = given
        if hasattr(given, "inputs") and hasattr(given, "targets"):
            pair = (given.inputs, given.targets)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            right = "a pair of arrays, (inputs, targets), or a data set with both"
            raise InputError("", f"must be {right}, not {checks.shown(given)}")
        if pair[1] is None:
            raise InputError("", "has no targets to judge by; add them, one row a sample")
        inputs, targets = (_table(name, part) for name, part in zip(("inputs", "targets"), pair, strict=True))
        if len(inputs) != len(targets):
            raise InputError("targets", f"has {len(targets)} samples where inputs has {len(inputs)}")
        return cls(inputs, targets)

    def check(self, network: Network) -> None:
        """Raise InputError unless the samples fit the ends of `network`."""
        ends = {"inputs": (self.inputs, 0), "targets": (self.targets, network.n)}
        for name, (array, layer) in ends.items():
            if array.shape[1] != network.sizes[layer]:
                what = f"has {array.shape[1]} values a sample; layer {layer} has {network.sizes[layer]} nodes"
                raise InputError(name, what)

    @cached_property
    def on_device(self) -> Any:
        """The inputs as an array of JAX's."""
        return jnp.asarray(self.inputs)

    @cached_property
    def classes(self) -> Array:
        """The class that each sample's targets name, shape (B,)."""
        return self.classified(self.targets)

    def classified(self, values: Array) -> Array:
        """The classes that outputs name, shape (B,): which is largest or, of one, the side of the middle."""
        if values.shape[1] > 1:
            found: Array = values.argmax(axis=1)
            return found
        above: Array = values[:, 0] > 0.5 * (self.targets.min() + self.targets.max())
        return above

    def check_classes(self) -> None:
        """Raise InputError unless the targets name classes."""
        low, *high = np.unique(self.targets)
        marked = (self.targets != low).sum(axis=1)
        if len(high) != 1 or (self.targets.shape[1] > 1 and not (marked == 1).all()):
            what = (
                "names no classes: each row of targets must have one value that is high, and all others low"
            )
            raise InputError("", f"{what} (of one output, two different values); try loss or error")


def _table(name: str, values: Any) -> Array:
    array = checks.real_array(name, values)
    if array.ndim != 2 or not array.size:
        raise InputError(name, f"has shape {array.shape}; must be (samples, nodes)")
    if not np.isfinite(array).all():
        raise InputError(name, "has values that are not finite")
    return array


class Glance:
    """A moment as probes look at it; what several of them need is computed once.

    Parameters
    ----------
    moment : Moment
    network : Network
    start : Weights
        Weights at the start of the run.
    """

    def __init__(self, moment: Moment, network: Network, start: Weights) -> None:
        self.moment, self.network, self.start = moment, network, start
        self._outputs: dict[int, Array] = {}

    @property
    def weights(self) -> Weights:
        """The present weights."""
        return self.moment.weights

    def output(self, samples: Samples) -> Array:
        """The feedforward pass of the samples, shape (B, n_n)."""
        known = self._outputs.get(id(samples.inputs))
        if known is None:
            plain, activation = self.weights._replace(W=None), self.network.activation
            known = np.asarray(outputs(plain, samples.on_device, activation))
            self._outputs[id(samples.inputs)] = known
        return known

    @cached_property
    def beside_gradient(self) -> tuple[Array, Array]:
        """Angle and relative size of the weights' flow beside the gradient; NaN unless both ends are held."""
        network, moment = self.network, self.moment
        if not all(_held(moment, layer) for layer in (0, network.n)):
            nothing = np.full(network.n, np.nan)
            return nothing, nothing
        plain = self.weights._replace(W=None)
        at = predicting(network, _shown(moment), State(moment.x, moment.eps, plain))
        c = Constants.of(network)
        found = flow_beside_gradient(moment.x, moment.eps, at, plain, c, network.activation)
        turned, size = map(np.asarray, found)
        return turned, size


def _shown(moment: Moment) -> Phase:
    """The phase, with the samples that are shown now."""
    phase = moment.phase
    if moment.presentation is None or phase.samples is None:
        return phase
    rows = [phase.samples.index(sample) for sample in moment.samples]
    clamp: Any = {layer: np.asarray(value)[rows] for layer, value in phase.clamp.items()}
    return phase.with_clamps(clamp, moment.samples)


def _held(moment: Moment, layer: int) -> bool:
    """Whether all nodes of a layer are clamped."""
    if layer not in moment.phase.clamp:
        return False
    return not np.isnan(moment.phase.clamp_at(layer, moment.elapsed)).any()


@dataclass(frozen=True)
class Measure:
    """Something that probes know how to measure.

    Attributes
    ----------
    of : callable
        ``of(glance, samples)`` returns a number, or one number a layer; `samples` is None if it needs
        none.
    long_name : str
    units : str
    by_layer : bool
        Whether it is one number a layer; of links, that of M^l stands at layer l + 1.
    of_samples : bool
        Whether it is judged by samples.
    """

    of: Callable[[Glance, Any], Any]
    long_name: str
    units: str = "dimensionless"
    by_layer: bool = False
    of_samples: bool = False


def _accuracy(glance: Glance, samples: Samples) -> float:
    return float((samples.classified(glance.output(samples)) == samples.classes).mean())


def _loss(glance: Glance, samples: Samples) -> float:
    return float(0.5 * ((samples.targets - glance.output(samples)) ** 2).sum(axis=1).mean())


def _error(glance: Glance, samples: Samples) -> float:
    return float(np.abs(samples.targets - glance.output(samples)).max())


def _feedback_angle(glance: Glance, samples: None) -> Array:
    weights = glance.weights
    pairs = zip(weights.feedback, weights.M, strict=True)
    return np.array([angle(W, M.T) for W, M in pairs])


def _norms(glance: Glance, samples: None) -> Array:
    return np.array([norm(M) for M in glance.weights.M])


def _changes(glance: Glance, samples: None) -> Array:
    pairs = zip(glance.weights.M, glance.start.M, strict=True)
    return np.array([norm(M - before) for M, before in pairs])


MEASURES = {
    "accuracy": Measure(_accuracy, "accuracy", of_samples=True),
    "loss": Measure(_loss, "loss, mean of 1/2 |y - f(x)|^2", of_samples=True),
    "error": Measure(_error, "largest distance of an output from its target", of_samples=True),
    "energy": Measure(lambda g, _: g.moment.energies[0].sum(), "energy F, error nodes as they are"),
    "energy_slaved": Measure(lambda g, _: g.moment.energies[1].sum(), "energy F, error nodes at rest value"),
    "gradient_angle": Measure(
        lambda g, _: g.beside_gradient[0],
        "angle of the flow of M to backpropagation's descent",
        "degrees",
        True,
    ),
    "gradient_size": Measure(
        lambda g, _: g.beside_gradient[1],
        "size of the flow of M relative to backpropagation's",
        by_layer=True,
    ),
    "feedback_angle": Measure(_feedback_angle, "angle between W and the transpose of M", "degrees", True),
    "norms": Measure(_norms, "norm of M", by_layer=True),
    "changes": Measure(_changes, "norm of the change of M from its start", by_layer=True),
}

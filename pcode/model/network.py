"""`Network`, with its layers, time constants and variances, and its `Weights`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError, together
from ..base.short import short_repr
from .activation import Activation
from .activations import activation_of
from .clocks import Clocks
from .fields import (
    Activations,
    Choice,
    Field,
    Flag,
    Masks,
    Number,
    OptionalTimeConstants,
    PerLayer,
    Sizes,
    Temperatures,
    TimeConstants,
    TimeUnit,
)
from .masks import LinkMask
from .torch_weights import linear_layers
from .variables import BETA, WEIGHTS, Variable

Array = NDArray[np.float64]
Feedback = Literal["tied", "learned", "fixed"]
WeightInit = Literal["normal", "uniform", "zeros"]
FeedbackInit = Literal["transpose", "independent"]


class Weights(NamedTuple):
    """The weights of a network; entry k of each tuple belongs to the link from layer k to k + 1.

    Attributes
    ----------
    M : tuple of ndarray, shapes (n_l, n_{l+1})
        Prediction (forward) weights of layers l = 0..n-1.
    W : tuple of ndarray, shapes (n_{l+1}, n_l), or None
        Feedback weights; None where they are tied to the transpose of `M`.
    beta : tuple of ndarray, shapes (n_l,)
        Biases of the predictions of layers l = 1..n.

    Notes
    -----
    The arrays are not checked here but by `Network.check_weights`, which `simulate` calls.
    """

    M: tuple[Array, ...]
    W: tuple[Array, ...] | None
    beta: tuple[Array, ...]

    @classmethod
    def from_torch(
        cls,
        state_dict: Mapping[str, Any],
        network: Network | None = None,
        W: Sequence[Any] | None = None,
    ) -> Weights:
        """The weights of a PyTorch model of fully connected layers.

        Parameters
        ----------
        state_dict : mapping of str to tensor
            ``model.state_dict()``: layers in the order in which they follow, each with a ``weight`` of shape
            (outputs, inputs), which is transposed, and a ``bias``, 0 where there is none. Arrays will do for
            tensors; PyTorch is not needed.
        network : Network, optional
            The network that they are for: its sizes are checked, and tied feedback has no W.
        W : sequence of array, optional
            Feedback weights, shapes (n_{l+1}, n_l); the transposes of M where left out.

        Raises
        ------
        InputError
            If there are other layers, or they do not fit each other or the network.

        Notes
        -----
        Here an activation comes before the weights, layer 0 included, and not after. ``Linear, Tanh, Linear``
        in PyTorch is ``activation=["identity", "tanh"]``.
        """
        M, beta = linear_layers(state_dict)
        if network is not None:
            checks.instance("network", network, Network, "a pcode.Network")
        if W is None and (network is None or network.feedback != "tied"):
            W = tuple(np.ascontiguousarray(one.T) for one in M)
        if network is None:
            network = Network((M[0].shape[0], *(one.shape[1] for one in M)))
        given: Any = W
        return network.check_weights(cls(M, given, beta))

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def feedback(self) -> tuple[Array, ...]:
        """The feedback weights in use: `W`, or the transpose of `M` where they are tied."""
        return self.W if self.W is not None else tuple(M.T for M in self.M)


@dataclass(frozen=True)
class Network(Clocks):
    """A predictive coding network, without its weights and without data.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of nodes of the layers 0 (input) to n (output). Two layers at least.
    activation : str, callable or Activation, or a sequence of these
        The function sigma of the value nodes: one for all, or one for each of the layers 0..n-1. Names are
        those of `pcode.ACTIVATIONS`; a function of your own is written with `jax.numpy`, see
        `pcode.Activation`.
    tau : float, str or pint.Quantity, or a sequence of these
        Time constant of value and error nodes: a number in your unit of time, or a time with a unit such as
        "10 ms"; 0: nodes at rest at every instant. One for all, or one for each of the layers 0..n. With 0,
        the singular limit, the weights alone are unknowns; then it is 0 for all layers.
    delta : float, str or pint.Quantity, or a sequence of these
        Time constant of the weights, likewise, normally much larger than tau: one for all, or one for each of
        the links l = 0..n-1, for M^l, W^l and beta^{l+1}.
    nu : float or sequence of float
        Variance of a layer (not a precision): one for all, or one for each of the layers 1..n. Dimensionless,
        > 0.
    weight_decay : float
        Decay lambda of M, W and beta. Dimensionless, >= 0.
    node_decay : float
        Decay lambda_x of the value nodes. Dimensionless, >= 0.
    feedback : {"learned", "tied", "fixed"}
        W follows its own equation, is M transposed at all times, or stays as it is.
    bias : bool
        Whether predictions have biases; without, beta is 0 and no unknown.
    mask : sequence of array_like or None, shapes (n_l, n_{l+1}), optional
        Which connections there are; all where left out. For each of the links 0..n-1 an array of 0 and 1, or
        None for all. Where it is 0, M^l and the transpose of W^l are 0 and stay so. See `pcode.random_masks`.
    time_unit : str, optional
        Unit of all times of a run, such as "ms". By default that of the first time constant that has one; all
        times must then be given with a unit. Where none has, the unit is left open.
    tau_eps : float, str or pint.Quantity, or a sequence of these, optional
        Time constant of the error nodes, where it is not tau: one for all, or one for each of the layers
        1..n. Where it is 0, errors are slaved to the values, eps^l = (x^l - mu^l) / nu^l at every instant,
        and are no unknowns. With tau = 0 it can only be 0.
    temperature : float or sequence of float
        Temperature T of the noise on free value nodes: one for all, or one for each of the layers 0..n. 0: no
        noise. tau dx^l gains sqrt(2 tau T^l) dw, w a Wiener process of each node and sample. In the unit of
        the energy, dimensionless, >= 0.

    Raises
    ------
    InputError
        If a value is of the wrong kind, out of range or of the wrong length.

    Notes
    -----
    `activation` and `nu` are kept as tuples with one entry a layer: names of shipped activations, and an
    `Activation` for each function of your own; `tau`, `tau_eps` and `delta` as numbers in `time_unit`, or as
    tuples if the layers or links differ (`taus`, `taus_eps` and `deltas` always are tuples); `mask` as a
    tuple of `LinkMask` or None. Networks are equal if their functions are the same objects. The equations are
    those of Whittington and Bogacz (2017) with error nodes of their own (Bogacz 2017, eqs. 53-54), see the
    README.

    The ``[network]`` table of scenario files has these fields; the first sentence about each describes it
    there.
    """

    # Checked in this order: all but the first may need the number of layers.
    sizes: Sizes = Sizes()
    activation: Activations = Activations("tanh")
    tau: TimeConstants = TimeConstants(1.0, least=0.0, means="nodes always at rest", first=0)
    delta: TimeConstants = TimeConstants(200.0, above=0.0)
    nu: PerLayer = PerLayer(1.0, plural="variances")
    weight_decay: Number = Number(0.0, least=0.0)
    node_decay: Number = Number(0.0, least=0.0)
    feedback: Choice[Feedback] = Choice("learned", get_args(Feedback))
    bias: Flag = Flag(True)
    mask: Masks = Masks()
    time_unit: TimeUnit = TimeUnit()
    tau_eps: OptionalTimeConstants = OptionalTimeConstants(least=0.0, means="errors slaved", first=1)
    temperature: Temperatures = Temperatures(0.0)

    def __post_init__(self) -> None:
        """Bring the time constants into one unit."""
        super().__post_init__()
        if self.limit and self.noisy:
            what = "must be 0 with tau = 0: nodes that are always at rest have no noise"
            raise InputError("temperature", f"{what}; or set tau above 0")

    def __repr__(self) -> str:
        """The arguments that make it, without None and 0; one value where all layers share it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in values.items():
            if name != "sizes" and isinstance(value, tuple) and len(set(value)) == 1:
                values[name] = value[0]
        if self.bias:
            del values["bias"]
        zero_tells = ("tau", "tau_eps", "bias")
        told = (f"{k}={v!r}" for k, v in values.items() if v is not None and (k in zero_tells or v != 0.0))
        return f"Network({', '.join(told)})"

    @classmethod
    def declared(cls) -> dict[str, Field[Any, Any]]:
        """The declarations of the fields, by name."""
        return {field.name: vars(cls)[field.name] for field in fields(cls)}

    @property
    def n(self) -> int:
        """Number of the last layer; the layers are 0..n."""
        return len(self.sizes) - 1

    @property
    def sigma(self) -> tuple[Activation, ...]:
        """The activations themselves, for layers 0..n-1.

        Raises
        ------
        InputError
            If one was saved in a file, and is not loaded; see `pcode.Run.load`.
        """
        return tuple(map(activation_of, self.activation))

    @property
    def links(self) -> tuple[tuple[int, int], ...]:
        """Shapes (n_l, n_{l+1}) of M^l, for l = 0..n-1."""
        return tuple(pairwise(self.sizes))

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The temperature of the noise in each layer, l = 0..n."""
        given = self.temperature
        return given if isinstance(given, tuple) else (given,) * (self.n + 1)

    @property
    def noisy(self) -> bool:
        """Whether there is noise in any layer."""
        return any(self.temperatures)

    @property
    def masks(self) -> tuple[LinkMask | None, ...]:
        """The mask of each link, l = 0..n-1; None where all connections are there."""
        return self.mask or (None,) * self.n

    @property
    def weight_variables(self) -> tuple[Variable, ...]:
        """The variables that are weights of this network: with tied feedback W is not among them."""
        return tuple(v for v in WEIGHTS if v.feedback is None or self.feedback != "tied")

    @cached_property
    def learnable(self) -> tuple[str, ...]:
        """Names of the arrays of weights that have an equation of their own, such as M0, in their order."""
        kinds = [v for v in WEIGHTS if v.feedback in (None, self.feedback) and (self.bias or v is not BETA)]
        return tuple(name for variable in kinds for name in variable.names(self.n))

    def to_dict(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values but for activations of your own."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.mask is not None:
            values["mask"] = tuple(one and one.packed() for one in self.mask)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def init_weights(
        self,
        rng: int | np.random.Generator,
        init: WeightInit = "normal",
        scale: float = 1.0,
        W: FeedbackInit = "transpose",
    ) -> Weights:
        """Draw weights to start from; the biases start at 0.

        Parameters
        ----------
        rng : int or numpy.random.Generator
            Seed, or generator, of the random numbers.
        init : {"normal", "uniform", "zeros"}
            Normal with standard deviation ``scale / sqrt(fan_in)``, uniform between plus and
            minus that, or all zero. The fan-in of M^l is n_l, that of W^l is n_{l+1}; with a mask, of each
            node, the number of connections that there are.
        scale : float
            Dimensionless, >= 0.
        W : {"transpose", "independent"}
            Start feedback at M^T, or draw it in the same way. Tied feedback has no W.

        Raises
        ------
        InputError
            If an argument is not one of these.
        """
        checks.word("init", init, get_args(WeightInit))
        checks.word("W", W, get_args(FeedbackInit))
        # Above 1e150 the drawn numbers or their sums could overflow.
        scale = checks.number("scale", scale, least=0.0, most=1e150)
        generator = _generator(rng)

        def draw(there: Array | None, fan_in: int, fan_out: int) -> Array:
            spread = scale / math.sqrt(fan_in)
            if init == "normal":
                drawn = spread * generator.standard_normal((fan_in, fan_out))
            elif init == "uniform":
                drawn = generator.uniform(-spread, spread, (fan_in, fan_out))
            else:
                return np.zeros((fan_in, fan_out))
            if there is None:
                return drawn
            fewer: Array = there * math.sqrt(fan_in) / np.sqrt(np.maximum(there.sum(axis=0), 1.0))
            return drawn * fewer

        there = tuple(None if mask is None else np.asarray(mask, dtype=float) for mask in self.masks)
        masked = tuple(zip(there, self.links, strict=True))
        M = tuple(draw(mask, lower, upper) for mask, (lower, upper) in masked)
        feedback: tuple[Array, ...] | None = None
        if self.feedback != "tied":
            feedback = (
                tuple(np.ascontiguousarray(m.T) for m in M)
                if W == "transpose"
                else tuple(
                    draw(None if mask is None else mask.T, upper, lower) for mask, (lower, upper) in masked
                )
            )
        beta = tuple(np.zeros(size) for size in self.sizes[1:])
        return Weights(M=M, W=feedback, beta=beta)

    def check_weights(self, weights: Weights) -> Weights:
        """`weights` as float64 arrays, if they belong to this network.

        Raises
        ------
        InputError
            Naming every array that is missing, misshapen or not finite, or not 0 where there is no connection
            or no bias.
        """
        right = "Weights(M=..., W=..., beta=...), as Network.init_weights or Weights.from_torch make them"
        checks.instance("weights", weights, Weights, right)
        kept: dict[str, Any] = {}
        wrong: list[InputError] = []
        for variable in WEIGHTS:
            name, arrays = variable.name, getattr(weights, variable.name)
            if variable in self.weight_variables:
                if arrays is None and variable.feedback:
                    what = f"is missing; {self.feedback} feedback needs one {name} a link"
                    wrong.append(InputError(name, what))
                else:
                    kept[name] = _arrays(variable, arrays, self.sizes, wrong)
                    wrong += () if wrong else self._superfluous(variable, kept[name])
            elif arrays is not None:
                what = f"tied feedback has no {name}; leave it out, or set feedback to fixed or learned"
                wrong.append(InputError(name, what))
        if wrong:
            raise together(wrong)
        return Weights(**{"W": None} | kept)

    def _superfluous(self, variable: Variable, arrays: tuple[Array, ...]) -> Iterator[InputError]:
        """Errors that name the weights that are not 0 where the network has none: of each array the first."""
        for layer, array in zip(variable.layers(self.n), arrays, strict=True):
            there: Any = True
            why, right = "the network has no biases", "set bias to true"
            if variable is BETA:
                there = self.bias
            elif len(variable.axes) == 2:
                mask = self.masks[layer]
                there = True if mask is None else mask.there if variable.axes == (0, 1) else mask.there.T
                why, right = "the mask says that there is no connection", "change the mask"
            wrong = np.argwhere((array != 0.0) & np.logical_not(there))
            if wrong.size:
                place = ",".join(map(str, wrong[0]))
                what = f"is {array[tuple(wrong[0])]:g}, but {why}; make it 0, or {right}"
                yield InputError(f"{variable}{layer}[{place}]", what)


def _generator(rng: Any) -> np.random.Generator:
    if isinstance(rng, np.random.Generator | np.random.BitGenerator | np.random.SeedSequence):
        return np.random.default_rng(rng)
    try:
        return np.random.default_rng(checks.whole("rng", rng, least=0))
    except InputError:
        what = "must be a whole number of 0 or more, or a numpy.random.Generator"
        raise InputError("rng", f"{what}, not {checks.shown(rng)}") from None


def _arrays(
    variable: Variable, values: Sequence[Any], sizes: tuple[int, ...], wrong: list[InputError]
) -> tuple[Array, ...]:
    """The arrays of a variable, one a link; what is not of its shape or not finite is put into `wrong`."""
    layers = variable.layers(len(sizes) - 1)
    arrays = []
    try:
        given = checks.listed(variable.name, values, f"a list of {len(layers)} arrays, one a link")
        if len(given) != len(layers):
            raise InputError(variable.name, f"has {len(given)} arrays; this network needs {len(layers)}")
    except InputError as error:
        wrong.append(error)
        return ()
    for layer, value in zip(layers, given, strict=True):
        try:
            arrays.append(_array(f"{variable}{layer}", value, variable.shape(sizes, layer, 0)))
        except InputError as error:
            wrong.append(error)
    return tuple(arrays)


def _array(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """`value` as an array of this shape with finite entries."""
    array = checks.real_array(name, value)
    if array.shape != shape:
        raise InputError(name, f"has shape {array.shape}; it must be {shape}")
    if not np.isfinite(array).all():
        raise InputError(name, "has entries that are not finite")
    return array

"""The network: layers, time constants, variances; and its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from . import activations

Array = NDArray[np.float64]
Feedback = Literal["tied", "learned", "fixed"]
WeightInit = Literal["normal", "uniform", "zeros"]
FeedbackInit = Literal["transpose", "independent"]

# Rates are 1 / tau and 1 / delta, times what moves.
SHORTEST = 1e-150

# Beyond this many weights not even one copy of them fits the memory of a large machine (80 GB).
MOST_WEIGHTS = 10**10


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
    Whether they are real numbers of the right shapes is looked at where a network is there to say so:
    `Network.check_weights`, and so `simulate`.
    """

    M: tuple[Array, ...]
    W: tuple[Array, ...] | None
    beta: tuple[Array, ...]

    @property
    def feedback(self) -> tuple[Array, ...]:
        """The feedback weights in use: `W`, or the transpose of `M` where they are tied."""
        return self.W if self.W is not None else tuple(M.T for M in self.M)


@dataclass(frozen=True)
class Network:
    """A predictive coding network, without its weights and without data.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of nodes n_0..n_n of the layers 0 (input) to n (output); two layers at least.
    activation : str or sequence of str
        sigma by name, one for all layers or one for each of the layers 0..n-1.
    tau : float
        Time constant of value and error nodes, >= 0, in the user's unit of time. 0 is the singular
        limit: nodes at equilibrium at every instant, and the weights alone move (`pcode.system.limit`).
    delta : float
        Time constant of the weights, > 0, in the same unit; normally much larger than `tau`.
    nu : float or sequence of float
        Variance of a layer, > 0, one for all or one for each of the layers 1..n. Dimensionless.
    weight_decay, node_decay : float
        lambda of M, W and beta, and lambda_x of the value nodes, >= 0. Dimensionless.
    feedback : {"learned", "tied", "fixed"}
        W learned by its own equation, W = M^T at all times, or W constant.

    Raises
    ------
    InputError
        If a value is of the wrong kind, out of range or of the wrong length.

    Notes
    -----
    `activation` and `nu` are kept as tuples with one entry a layer. The equations are those of
    Whittington and Bogacz (2017) with error nodes of their own (Bogacz 2017, eqs. 53-54), see
    the README.
    """

    sizes: tuple[int, ...]
    activation: tuple[str, ...] = ("tanh",)
    tau: float = 1.0
    delta: float = 200.0
    nu: tuple[float, ...] = (1.0,)
    weight_decay: float = 0.0
    node_decay: float = 0.0
    feedback: Feedback = "learned"

    # Written by hand so that type checkers know the looser types that the constructor takes.
    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str] = "tanh",
        tau: float = 1.0,
        delta: float = 200.0,
        nu: float | Sequence[float] = 1.0,
        weight_decay: float = 0.0,
        node_decay: float = 0.0,
        feedback: Feedback = "learned",
    ) -> None:
        def keep(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        keep("sizes", _sizes(sizes))
        right = f"a name, or a list of one for each of the layers 0..{self.n - 1}"
        one = (activation,) * self.n if isinstance(activation, str) else None
        names = one or checks.listed("activation", activation, right)
        if len(names) != self.n:
            what = f"has {len(names)} names; give one, or one for each of the layers 0..{self.n - 1}"
            raise InputError("activation", what)
        for name in names:
            checks.instance("activation", name, str, right)
        keep("activation", tuple(activations.by_name(name).name for name in names))
        keep("tau", checks.number("tau", tau))
        if self.tau < 0.0:
            raise InputError("tau", f"must be 0 (nodes always at rest) or more, not {self.tau:g}")
        keep("delta", checks.number("delta", delta, above=0.0))
        for name in ("tau", "delta"):
            if 0.0 < getattr(self, name) < SHORTEST:
                what = f"must be {SHORTEST:g} or more, not {getattr(self, name):g}: rates would overflow"
                raise InputError(name, what)
        keep("nu", self._per_layer("nu", nu))
        if min(self.nu) <= 0.0:
            raise InputError("nu", f"variances must be positive, not {min(self.nu):g}")
        for name, decay in (("weight_decay", weight_decay), ("node_decay", node_decay)):
            keep(name, checks.number(name, decay, least=0.0))
        keep("feedback", checks.word("feedback", feedback, get_args(Feedback)))

    def _per_layer(self, where: str, value: Any) -> tuple[float, ...]:
        """One number for each of the layers 1..n, from one for all or from n."""
        values = tuple(value) if checks.is_many(value) else (value,) * self.n
        if len(values) != self.n:
            what = f"has {len(values)} values; give one, or one for each of the layers 1..{self.n}"
            raise InputError(where, what)
        return tuple(checks.number(where, one) for one in values)

    @property
    def n(self) -> int:
        """Number of the last layer; the layers are 0..n."""
        return len(self.sizes) - 1

    @property
    def links(self) -> tuple[tuple[int, int], ...]:
        """Shapes (n_l, n_{l+1}) of M^l, for l = 0..n-1."""
        return tuple(pairwise(self.sizes))

    def to_dict(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
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
            minus that, or all zero. The fan-in of M^l is n_l, that of W^l is n_{l+1}.
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
        # Beyond this the drawn numbers themselves, or their sums, would be infinite.
        scale = checks.number("scale", scale, least=0.0, most=1e150)
        generator = _generator(rng)

        def draw(fan_in: int, fan_out: int) -> Array:
            spread = scale / math.sqrt(fan_in)
            if init == "normal":
                return spread * generator.standard_normal((fan_in, fan_out))
            if init == "uniform":
                return generator.uniform(-spread, spread, (fan_in, fan_out))
            return np.zeros((fan_in, fan_out))

        M = tuple(draw(lower, upper) for lower, upper in self.links)
        feedback: tuple[Array, ...] | None = None
        if self.feedback != "tied":
            feedback = (
                tuple(np.ascontiguousarray(m.T) for m in M)
                if W == "transpose"
                else tuple(draw(upper, lower) for lower, upper in self.links)
            )
        return Weights(M, feedback, tuple(np.zeros(size) for size in self.sizes[1:]))

    def check_weights(self, weights: Weights) -> Weights:
        """`weights` as float64 arrays, if they belong to this network.

        Raises
        ------
        InputError
            Naming the array that is missing, misshapen or not finite.
        """
        right = "Weights(M=..., W=..., beta=...), as Network.init_weights makes them"
        checks.instance("weights", weights, Weights, right)
        M = _arrays("M", weights.M, self.links, 0)
        beta = _arrays("beta", weights.beta, [(size,) for size in self.sizes[1:]], 1)
        if self.feedback == "tied":
            if weights.W is not None:
                raise InputError(
                    "W", "tied feedback has no W; leave it out, or set feedback to fixed or learned"
                )
            return Weights(M, None, beta)
        if weights.W is None:
            raise InputError("W", f"is missing; {self.feedback} feedback needs one W a link")
        return Weights(M, _arrays("W", weights.W, [(b, a) for a, b in self.links], 0), beta)


def _sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    given = tuple(sizes) if checks.is_many(sizes) else ()
    if len(given) < 2:
        raise InputError("sizes", "must list the numbers of nodes of two layers at least")
    try:
        kept = tuple(checks.whole("sizes", size, least=1) for size in given)
    except InputError as error:
        raise InputError("sizes", error.what.replace("a whole number", "whole numbers")) from None
    if max(kept) > MOST_WEIGHTS:
        what = f"ask for a layer of more than {MOST_WEIGHTS:.0e} nodes; use smaller layers"
        raise InputError("sizes", what)
    weights = sum(a * b for a, b in pairwise(kept))
    if weights > MOST_WEIGHTS:
        what = f"ask for {weights:.1e} weights, {weights * 8 / 1e9:.0f} GB a copy; use smaller layers"
        raise InputError("sizes", what)
    return kept


def _generator(rng: Any) -> np.random.Generator:
    if isinstance(rng, np.random.Generator | np.random.BitGenerator | np.random.SeedSequence):
        return np.random.default_rng(rng)
    try:
        return np.random.default_rng(checks.whole("rng", rng, least=0))
    except InputError:
        what = "must be a whole number of 0 or more, or a numpy.random.Generator"
        raise InputError("rng", f"{what}, not {checks.shown(rng)}") from None


def _arrays(
    name: str, values: Sequence[Any], shapes: Sequence[tuple[int, ...]], first: int
) -> tuple[Array, ...]:
    given = checks.listed(name, values, f"a list of {len(shapes)} arrays, one a link")
    if len(given) != len(shapes):
        raise InputError(name, f"has {len(given)} arrays; this network needs {len(shapes)}")
    arrays = []
    for k, (value, shape) in enumerate(zip(given, shapes, strict=True), start=first):
        array = checks.real_array(f"{name}{k}", value)
        if array.shape != shape:
            raise InputError(f"{name}{k}", f"has shape {array.shape}; it must be {shape}")
        if not np.isfinite(array).all():
            raise InputError(f"{name}{k}", "has entries that are not finite")
        arrays.append(array)
    return tuple(arrays)

"""`Phase`: what is clamped, whether weights learn, and for how long; and `Save`: at which times to save."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ..base import checks
from ..base.errors import InputError
from .clamp import (
    ClampSchedule,
    Curve,
    Function,
    Pieces,
    constant_schedule,
    curve_at,
    curve_schedule,
    phase_schedule,
    pieces_through,
)
from .expression import Expression
from .network import Array, Network

NodeStart = Literal["feedforward", "zero", "equilibrium"]
Spacing = Literal["log", "linear"]
SeriesKind = Literal["linear", "cubic"]

# Upper bound on saved times and samples, beyond any memory.
MOST_ROWS = 10**12


@dataclass(frozen=True, eq=False)
class TimeSeries:
    """Values that a clamped layer follows: interpolated between breakpoints, constant beyond them.

    Parameters
    ----------
    t : array_like, shape (T,)
        Breakpoints in the phase's own time, never decreasing; a time given twice is a jump.
    values : array_like, shape (T, B, n_l)
        Values at the breakpoints. NaN leaves a node free; it must then be NaN at every breakpoint.
    kind : {"linear", "cubic"}
        Interpolation: straight lines, or `scipy.interpolate.CubicSpline`, one for each interval between
        jumps.

    Raises
    ------
    InputError
        If the shapes disagree, times decrease, a node is free at some breakpoints only, or there is no such
        kind; if values between breakpoints overflow.
    """

    t: Array
    values: Array
    kind: SeriesKind

    def __init__(self, t: ArrayLike, values: ArrayLike, kind: SeriesKind = "linear") -> None:
        times, series = checks.real_array("t", t), checks.real_array("values", values)
        if times.ndim != 1 or times.size < 1:
            raise InputError("t", "must be a list of times")
        if not np.isfinite(times).all() or (np.diff(times) < 0.0).any():
            raise InputError("t", "must be finite and never decrease")
        if (times[2:] == times[:-2]).any():
            raise InputError("t", "gives a time more than twice; a step needs it twice")
        if series.ndim != 3 or len(series) != times.size:
            what = f"have shape {series.shape}; must be ({times.size}, samples, nodes), one a time"
            raise InputError("values", what)
        if np.isinf(series).any():
            raise InputError("values", "must be finite, or NaN for a free node")
        if (np.isnan(series) != np.isnan(series[:1])).any():
            raise InputError("values", "a node must be free (NaN) at all times or at none")
        if kind not in get_args(SeriesKind):
            raise InputError("kind", f"must be linear or cubic, not {kind!r}")
        object.__setattr__(self, "t", times)
        object.__setattr__(self, "values", series)
        object.__setattr__(self, "kind", kind)
        _ = self.pieces

    @cached_property
    def pieces(self) -> Pieces:
        """The same as piecewise polynomials."""
        pieces = pieces_through(self.t, np.nan_to_num(self.values), self.kind == "cubic")
        # A bound on the values: the sum of all terms, taken with the same sign, at the ends of the pieces.
        coefficients = pieces.coefficients
        largest = np.maximum(coefficients.max(axis=(2, 3)), -coefficients.min(axis=(2, 3)))
        lengths = np.diff(pieces.edges, prepend=pieces.edges[0], append=pieces.edges[-1])
        with np.errstate(over="ignore", invalid="ignore"):
            powers = lengths[:, None] ** np.arange(coefficients.shape[1])
            finite = np.isfinite((largest * powers).sum(axis=1))
        if not finite.all():
            k = int(np.argmin(finite))
            between = f"between t = {pieces.edges[k - 1]:g} and {pieces.edges[k]:g}"
            raise InputError("values", f"overflow {between}; take smaller values, or times further apart")
        return pieces

    @cached_property
    def schedule(self) -> ClampSchedule:
        """When it changes."""
        t, pieces = self.t, self.pieces
        twice = np.flatnonzero(t[1:] == t[:-1])
        before, after = (np.nan_to_num(self.values[k]) for k in (twice, twice + 1))
        jumps = t[twice][(before != after).any(axis=(1, 2))]
        moves = (pieces.coefficients[:, 1:] != 0.0).any(axis=(1, 2, 3))
        ends = np.append(pieces.edges[moves[:-1].nonzero()[0]], jumps)
        largest = float(np.nanmax(np.abs(self.values), initial=0.0))
        return ClampSchedule(t, jumps, float(ends.max(initial=0.0)), largest)

    def at(self, t: float, side: Literal["left", "right"] = "right") -> Array:
        """Values at time `t`, shape (B, n_l); at a jump those before ("left") or after ("right") it."""
        pieces = self.pieces.between(t if side == "right" else -np.inf, np.inf if side == "right" else t)
        values: Array = np.where(np.isnan(self.values[0]), np.nan, pieces.at(t, np))
        return values


# What a clamp is, and what may be given for it.
Clamp = Array | TimeSeries | Curve
Clampable = ArrayLike | Clamp | Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Phase:
    """One part of a run, with one set of clamps.

    Parameters
    ----------
    name : str
        Its name in results and figures.
    clamp : mapping of int to array_like, shape (B, n_l), TimeSeries, Expression or callable
        Values of the clamped layers, by layer. NaN leaves that node free. A callable ``f(t)``, in
        `jax.numpy`, returns the values at the phase's own time t, shape (B, n_l), or (n_l,) for all
        samples alike. What a function of time does in less than a 4,096th of the phase may be missed.
    duration : float
        How long it lasts, > 0, in the unit of tau; with `until` the longest it may last.
    learn : bool
        Whether the weights learn; otherwise they are held.
    until : {None, "equilibrium"}
        End the phase when max |tau dz/dt| / (1 + |z|) over the nodes, and over weights that learn with delta
        in place of tau, has fallen to `settle_tol`; with tau = 0 only the weights count.
    settle_tol : float
        Tolerance for `until`; dimensionless, > 0.
    samples : sequence of int, optional
        Which rows of the data the phase shows, one for each of the B rows of its clamps. By default these are
        the samples of the previous phase if its batch is of the same size, else samples not shown before. The
        nodes of a sample that the previous phase showed go on from where they were.

    Raises
    ------
    InputError
        If a value is of the wrong type or out of range, or the clamps differ in batch size.
    """

    name: str
    clamp: Mapping[int, Clamp]
    duration: float
    learn: bool = True
    until: Literal["equilibrium"] | None = None
    settle_tol: float = 1e-6
    samples: tuple[int, ...] | None = None

    def __init__(
        self,
        name: str,
        clamp: Mapping[int, Clampable] | None = None,
        *,
        duration: float,
        learn: bool = True,
        until: Literal["equilibrium"] | None = None,
        settle_tol: float = 1e-6,
        samples: Sequence[int] | None = None,
    ) -> None:
        def keep(key: str, value: object) -> None:
            object.__setattr__(self, key, value)

        keep("name", checks.text("name", name))
        given: Any = {} if clamp is None else clamp
        checks.instance("clamp", given, Mapping, "a mapping from layers to values, such as {0: X, 2: Y}")
        keep("clamp", {_layer(layer): _clamp(layer, v) for layer, v in given.items()})
        keep("duration", checks.number("duration", duration, above=0.0))
        keep("learn", checks.flag("learn", learn))
        if until is not None and not (isinstance(until, str) and until == "equilibrium"):
            raise InputError("until", f"must be 'equilibrium' or left out, not {checks.shown(until)}")
        keep("until", until)
        keep("settle_tol", checks.number("settle_tol", settle_tol, above=0.0))
        rows = () if samples is None else checks.listed("samples", samples, "a list of rows of the data")
        shown = tuple(checks.whole("samples", row, least=0, most=MOST_ROWS) for row in rows)
        keep("samples", None if samples is None else shown)
        self._check_batch()
        for layer, value in self.clamp.items():
            if isinstance(value, Curve):
                try:
                    _schedule(value, self.duration)
                except InputError as error:
                    raise error.within(f"clamp[{layer}]") from None

    def _check_batch(self) -> None:
        batches = {layer: _rows(value) for layer, value in self.clamp.items()}
        shown = self.samples
        if shown is not None and (len(set(shown)) < len(shown) or min(shown, default=-1) < 0):
            raise InputError("samples", "must be different whole numbers of 0 or more, one at least")
        for layer, batch in batches.items():
            if batch not in (None, self.batch):
                what = f"has {batch} samples where this phase has {self.batch}"
                raise InputError(f"clamp[{layer}]", what)

    @property
    def batch(self) -> int | None:
        """Number B of samples; None if neither the clamps nor `samples` determine it."""
        if self.samples is not None:
            return len(self.samples)
        rows = map(_rows, self.clamp.values())
        return next((batch for batch in rows if batch is not None), None)

    def showing(self, samples: Sequence[int]) -> Phase:
        """The same phase, showing these `samples`."""
        return replace(self, samples=tuple(samples))

    @property
    def schedule(self) -> ClampSchedule:
        """When its clamps change."""
        return phase_schedule(
            [_schedule(value, self.duration) for value in self.clamp.values()], self.duration
        )

    def clamp_at(self, layer: int, t: float, side: Literal["left", "right"] = "right") -> Array:
        """Clamp of `layer` at the phase's own time `t`; NaN where free.

        Its shape is (B, n_l) or, for a function of time, one that broadcasts to it.
        """
        value = self.clamp[layer]
        if isinstance(value, Curve):
            return curve_at(value, t)
        return value.at(t, side) if isinstance(value, TimeSeries) else value

    def check(self, network: Network) -> None:
        """Raise InputError if a clamp names a layer or a size that `network` does not have."""
        for layer, value in self.clamp.items():
            if np.isnan(self.clamp_at(layer, 0.0)).all():
                what = "holds nothing: every value is NaN, which leaves its node free; leave the layer out"
                raise InputError(f"clamp[{layer}]", what)
            if not 0 <= layer <= network.n:
                what = f"there is no layer {layer}; the layers are 0..{network.n}"
                raise InputError(f"clamp[{layer}]", what)
            nodes = _nodes(value)
            if nodes not in (None, network.sizes[layer]):
                what = f"has {nodes} values a sample; layer {layer} has {network.sizes[layer]} nodes"
                raise InputError(f"clamp[{layer}]", what)


@dataclass(frozen=True)
class Save:
    """Which times of a phase to save.

    Parameters
    ----------
    nodes : int
        Number of saved times of value and error nodes in each phase, both ends included; at least 2.
    weights : int
        The same for the weights; a phase that does not learn saves them at its two ends.
    spacing : {"log", "linear"}
        Log-spaced from 1e-2 tau after the start of the phase (with tau = 0, from 1e-3 delta), or
        evenly spaced.
    memory : float
        Most bytes that the result may take; if it would take more, the run is refused.
    """

    nodes: int = 400
    weights: int = 100
    spacing: Spacing = "log"
    memory: float = 4e9

    def __post_init__(self) -> None:
        for key in ("nodes", "weights"):
            count = checks.whole(key, getattr(self, key), least=2, most=MOST_ROWS)
            object.__setattr__(self, key, count)
        checks.word("spacing", self.spacing, get_args(Spacing))
        object.__setattr__(self, "memory", checks.number("memory", self.memory, above=0.0))

    def times(self, count: int, duration: float, tau: float, delta: float = 0.0) -> Array:
        """`count` strictly increasing times from 0 to `duration`, both included."""
        first = 1e-2 * tau or 1e-3 * delta
        if count == 2 or self.spacing == "linear" or first >= duration:
            return np.linspace(0.0, duration, count)
        times = np.concatenate([[0.0], np.geomspace(first, duration, count - 1)])
        times[-1] = duration
        return times


def _layer(layer: Any) -> int:
    try:
        return checks.whole("clamp", layer)
    except InputError:
        raise InputError("clamp", f"layers are whole numbers, not {checks.shown(layer)}") from None


def _clamp(layer: Any, value: Any) -> Clamp:
    if isinstance(value, TimeSeries | Curve):
        return value
    if callable(value):
        try:
            return Function(value)
        except InputError as error:
            raise error.within(f"clamp[{layer}]") from None
    if isinstance(value, str):
        instead = "an array, or pcode.Expression(text) for an expression"
        raise InputError(f"clamp[{layer}]", f"must be {instead}, not {checks.shown(value)}")
    array = checks.real_array(f"clamp[{layer}]", value)
    if array.ndim != 2 or array.shape[0] < 1:
        what = f"has shape {array.shape}; must be (samples, nodes)"
        raise InputError(f"clamp[{layer}]", what)
    if np.isinf(array).any():
        raise InputError(f"clamp[{layer}]", "must be finite, or NaN for a free node")
    return array


def _rows(value: Clamp) -> int | None:
    """Number of samples of a clamp; None if all share the same values."""
    if isinstance(value, Expression):
        return None
    if isinstance(value, Function):
        return value.rows
    return int(value.values.shape[1] if isinstance(value, TimeSeries) else value.shape[0])


def _nodes(value: Clamp) -> int | None:
    """Number of nodes of a clamp; None if it fits any number."""
    if isinstance(value, Curve):
        return value.nodes
    return int((value.values if isinstance(value, TimeSeries) else value).shape[-1])


def _schedule(value: Clamp, duration: float) -> ClampSchedule:
    """When a clamp changes; a function of time is evaluated over the whole phase to find out."""
    if isinstance(value, Curve):
        return curve_schedule(value, duration)
    return value.schedule if isinstance(value, TimeSeries) else constant_schedule(value)

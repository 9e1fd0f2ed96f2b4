"""A phase: what is clamped, whether the weights learn, and for how long; and when to save it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from . import checks
from .errors import InputError
from .network import Array, Network

NodeStart = Literal["feedforward", "zero", "equilibrium"]
Spacing = Literal["log", "linear"]

# Rows that no memory holds.
MOST_ROWS = 10**12


@dataclass(frozen=True, eq=False)
class TimeSeries:
    """Values that a clamped layer follows: linear between breakpoints, held beyond them.

    Parameters
    ----------
    t : array_like, shape (T,)
        Breakpoints in the phase's own time, never decreasing; a time given twice is a step.
    values : array_like, shape (T, B, n_l)
        Values at the breakpoints. NaN leaves a node free, and then at every breakpoint.

    Raises
    ------
    InputError
        If the two disagree, times run back, or a node is free at some breakpoints only.
    """

    t: Array
    values: Array

    def __init__(self, t: ArrayLike, values: ArrayLike) -> None:
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
        object.__setattr__(self, "t", times)
        object.__setattr__(self, "values", series)

    def at(self, t: float, side: Literal["left", "right"] = "right") -> Array:
        """Values at time `t`, shape (B, n_l); at a step those before or after it."""
        k = int(np.searchsorted(self.t, t, side="right" if side == "right" else "left"))
        before, after = max(k - 1, 0), min(k, self.t.size - 1)
        gap = self.t[after] - self.t[before]
        weight = (t - self.t[before]) / gap if gap > 0.0 else 0.0
        values: Array = (1.0 - weight) * self.values[before] + weight * self.values[after]
        return values


@dataclass(frozen=True, eq=False)
class Phase:
    """One stretch of a run under one set of clamps.

    Parameters
    ----------
    name : str
        What to call it in results and figures.
    clamp : mapping of int to array_like, shape (B, n_l), or TimeSeries
        Values of the clamped layers, by layer. NaN leaves that node free.
    duration : float
        How long it lasts, > 0, in the unit of tau; with `until` the longest it may last.
    learn : bool
        Whether the weights move; where they do not they are no unknowns.
    until : {None, "equilibrium"}
        End the phase when all rates have fallen to `settle_tol`: max |tau dz/dt| / (1 + |z|)
        over the nodes, and with delta in place of tau over weights that learn; over the
        weights alone with tau = 0.
    settle_tol : float
        Dimensionless, > 0.
    samples : sequence of int, optional
        Which rows of the data the phase shows, one for each of the B rows of its clamps. Left
        out, it shows the samples of the phase before where the batch is of the same size, else
        samples not seen before. A sample shown in the phase before goes on from where it was.

    Raises
    ------
    InputError
        If a value is of the wrong kind or out of range, or the clamps differ in batch size.
    """

    name: str
    clamp: Mapping[int, Array | TimeSeries]
    duration: float
    learn: bool = True
    until: Literal["equilibrium"] | None = None
    settle_tol: float = 1e-6
    samples: tuple[int, ...] | None = None

    def __init__(
        self,
        name: str,
        clamp: Mapping[int, ArrayLike | TimeSeries] | None = None,
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

    def _check_batch(self) -> None:
        batches = {layer: _rows(value) for layer, value in self.clamp.items()}
        shown = self.samples
        if shown is not None and (len(set(shown)) < len(shown) or min(shown, default=-1) < 0):
            raise InputError("samples", "must be different whole numbers of 0 or more, one at least")
        for layer, batch in batches.items():
            if batch != self.batch:
                what = f"has {batch} samples where this phase has {self.batch}"
                raise InputError(f"clamp[{layer}]", what)

    @property
    def batch(self) -> int | None:
        """Number B of samples, or None where neither clamps nor `samples` say it."""
        if self.samples is not None:
            return len(self.samples)
        return next((_rows(value) for value in self.clamp.values()), None)

    def showing(self, samples: Sequence[int]) -> Phase:
        """The same phase, with the samples said that it shows."""
        return replace(self, samples=tuple(samples))

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Times inside the phase at which a clamp has a kink or a step."""
        series = [value.t for value in self.clamp.values() if isinstance(value, TimeSeries)]
        times = np.unique(np.concatenate([np.empty(0), *series]))
        return tuple(float(t) for t in times if 0.0 < t < self.duration)

    def clamp_at(self, layer: int, t: float, side: Literal["left", "right"] = "right") -> Array:
        """Clamp of `layer` at the phase's own time `t`, shape (B, n_l); NaN where free."""
        value = self.clamp[layer]
        return value.at(t, side) if isinstance(value, TimeSeries) else value

    def check(self, network: Network) -> None:
        """Raise InputError if a clamp names a layer or a size that `network` does not have."""
        for layer, value in self.clamp.items():
            if np.isnan(value.values if isinstance(value, TimeSeries) else value).all():
                what = "holds nothing: every value is NaN, which leaves its node free; leave the layer out"
                raise InputError(f"clamp[{layer}]", what)
            if not 0 <= layer <= network.n:
                what = f"there is no layer {layer}; the layers are 0..{network.n}"
                raise InputError(f"clamp[{layer}]", what)
            nodes = (value.values if isinstance(value, TimeSeries) else value).shape[-1]
            if nodes != network.sizes[layer]:
                what = f"has {nodes} values a sample; layer {layer} has {network.sizes[layer]} nodes"
                raise InputError(f"clamp[{layer}]", what)


@dataclass(frozen=True)
class Save:
    """Which times of a phase to save.

    Parameters
    ----------
    nodes : int
        Saved times a phase for value and error nodes, both ends included; 2 at least.
    weights : int
        Likewise for the weights; a phase that does not learn saves them at its two ends.
    spacing : {"log", "linear"}
        Log-spaced from 1e-2 tau after the start of the phase (with tau = 0, from 1e-3 delta), or
        evenly spaced.
    memory : float
        Bytes that the result may take; a larger one is refused before the run.
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
        """`count` times from 0 to `duration`, both included, strictly rising."""
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


def _clamp(layer: Any, value: ArrayLike | TimeSeries) -> Array | TimeSeries:
    if isinstance(value, TimeSeries):
        return value
    array = checks.real_array(f"clamp[{layer}]", value)
    if array.ndim != 2 or array.shape[0] < 1:
        what = f"has shape {array.shape}; must be (samples, nodes)"
        raise InputError(f"clamp[{layer}]", what)
    if np.isinf(array).any():
        raise InputError(f"clamp[{layer}]", "must be finite, or NaN for a free node")
    return array


def _rows(value: Array | TimeSeries) -> int:
    return int(value.values.shape[1] if isinstance(value, TimeSeries) else value.shape[0])

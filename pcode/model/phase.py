"""`Phase`: what is clamped, whether weights learn, and for how long; and `Save`: at which times to save."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base import checks, units
from ..base.errors import InputError
from ..base.near import hint
from ..base.short import Short
from .clamp import (
    ClampSchedule,
    Curve,
    Function,
    constant_schedule,
    curve_at,
    curve_schedule,
    phase_schedule,
)
from .expression import Expression
from .network import Array, Network
from .presentation import Presentation, size_within
from .series import TimeSeries
from .variables import BETA, W

NodeStart = Literal["feedforward", "zero", "equilibrium"]
Predictions = Literal["free", "fixed"]
Spacing = Literal["log", "linear"]
PresentationNodes = Literal["ends", "full"]

# Upper bound on saved times and samples, beyond any memory.
MOST_ROWS = 10**12


# What a clamp is, and what may be given for it.
Clamp = Array | TimeSeries | Curve
Clampable = ArrayLike | Clamp | Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Phase(Short):
    """One part of a run, with one set of clamps.

    Parameters
    ----------
    name : str
        Its name in results and figures.
    clamp : mapping of int to array_like, shape (B, n_l), TimeSeries, Expression or callable
        Values of the clamped layers, by layer. NaN leaves that node free. A callable ``f(t)``, in
        `jax.numpy`, returns the values at the phase's own time t, shape (B, n_l), or (n_l,) for all
        samples alike. What a function of time does in less than a 4,096th of the phase may be missed.
    duration : float, str or pint.Quantity
        How long it lasts, > 0: a number in the unit of tau, or a time with a unit such as "10 ms"; with
        `until` the longest it may last. With `presentation`, left out: it follows from that.
    learn : bool or sequence of str
        Whether the weights learn; otherwise they are held. Or the names of those that do, such as
        ``["M1", "beta2"]``: M0.., W0.. (with `learned` feedback), beta1.. The others are held.
    until : {None, "equilibrium"}
        End the phase when max |tau dz/dt| / (1 + |z|) over the nodes, and over weights that learn with delta
        in place of tau, has fallen to `settle_tol`; with tau = 0 only the weights count.
    settle_tol : float
        Tolerance for `until`; dimensionless, > 0.
    samples : sequence of int, optional
        Which rows of the data the phase shows, one for each of the B rows of its clamps. By default these are
        the samples of the previous phase if its batch is of the same size, else samples not shown before. The
        nodes of a sample that the previous phase showed go on from where they were.
    time_unit : str, optional
        Unit of the duration. By default that of the duration as it is given, or else that of the network.
    presentation : Presentation, optional
        Show the rows of the clamps one after another, instead of all at once. All clamps are then arrays.
    nodes : {None, "feedforward", "zero", "equilibrium"}
        Where all nodes start. By default samples that the phase before showed go on from where they were,
        also those whose input or output is clamped no more, and others start as `pcode.simulate` is told.
    predictions : {"free", "fixed"}
        Whether predictions mu^l, sigma(x^l) and sigma'(x^l) are those of the present values x, or fixed:
        those of the forward pass of the present weights, from layer 0 at its clamp, in every equation. A
        clamped hidden node stands at its clamp there. Errors at rest are then backpropagation's at any nu.

    Raises
    ------
    InputError
        If a value is of the wrong type or out of range, or the clamps differ in batch size.

    Notes
    -----
    The time t of expressions and functions is a number in the unit of the network.
    """

    name: str
    clamp: Mapping[int, Clamp]
    duration: float
    learn: bool | tuple[str, ...] = True
    until: Literal["equilibrium"] | None = None
    settle_tol: float = 1e-6
    samples: tuple[int, ...] | None = None
    time_unit: str | None = None
    presentation: Presentation | None = None
    nodes: NodeStart | None = None
    predictions: Predictions = "free"

    def __init__(
        self,
        name: str,
        clamp: Mapping[int, Clampable] | None = None,
        *,
        duration: units.TimeLike | None = None,
        learn: bool | Sequence[str] = True,
        until: Literal["equilibrium"] | None = None,
        settle_tol: float = 1e-6,
        samples: Sequence[int] | None = None,
        time_unit: str | None = None,
        presentation: Presentation | None = None,
        nodes: NodeStart | None = None,
        predictions: Predictions = "free",
    ) -> None:
        def keep(key: str, value: object) -> None:
            object.__setattr__(self, key, value)

        keep("name", checks.text("name", name))
        given: Any = {} if clamp is None else clamp
        checks.instance("clamp", given, Mapping, "a mapping from layers to values, such as {0: X, 2: Y}")
        keep("clamp", {_layer(layer): _clamp(layer, v) for layer, v in given.items()})
        if nodes is not None:
            checks.word("nodes", nodes, get_args(NodeStart))
        keep("nodes", nodes)
        keep("predictions", checks.word("predictions", predictions, get_args(Predictions)))
        keep("learn", _learn(learn))
        if until is not None and not (isinstance(until, str) and until == "equilibrium"):
            raise InputError("until", f"must be 'equilibrium' or left out, not {checks.shown(until)}")
        keep("until", until)
        keep("settle_tol", checks.number("settle_tol", settle_tol, above=0.0))
        rows = () if samples is None else checks.listed("samples", samples, "a list of rows of the data")
        shown = tuple(checks.whole("samples", row, least=0, most=MOST_ROWS) for row in rows)
        keep("samples", None if samples is None else shown)
        self._check_batch()
        if presentation is not None:
            self._check_presentation(presentation)
        keep("presentation", presentation)
        unit, lasts = self._lasting(duration, time_unit)
        keep("duration", lasts)
        keep("time_unit", unit)
        # Their times are in the unit of the network, which is not known if the phase has another.
        if unit is None:
            self.check_curves()

    def with_clamps(self, clamp: dict[int, Clamp], samples: tuple[int, ...]) -> Phase:
        """The same phase with other clamps and samples, which must be right: they are not checked."""
        made = copy(self)
        object.__setattr__(made, "clamp", clamp)
        object.__setattr__(made, "samples", samples)
        return made

    def _check_presentation(self, presentation: Presentation) -> None:
        checks.instance("presentation", presentation, Presentation, "a pcode.Presentation, or left out")
        for layer, value in self.clamp.items():
            if not isinstance(value, np.ndarray):
                what = "changes in time, which does not go with a presentation: give one row a sample"
                raise InputError(f"clamp[{layer}]", what)
        if not self.clamp:
            what = "has no data to show: clamp layers to arrays with one row a sample"
            raise InputError("presentation", what)
        size_within(presentation, self.batch or 1)
        if self.until is not None:
            what = 'does not go with a presentation; say hold = "equilibrium" there, with a limit'
            raise InputError("until", what)

    def _lasting(self, duration: units.TimeLike | None, time_unit: str | None) -> tuple[str | None, float]:
        """The unit of the duration, and how long the phase lasts at most."""
        own = None if time_unit is None else units.unit("time_unit", time_unit)
        shown = self.presentation
        if duration is None:
            if shown is None:
                raise InputError(
                    "duration", "is missing; say how long the phase lasts, or give a presentation"
                )
            return shown.time_unit, shown.longest * shown.count(self.batch or 1)
        unit, lasting = units.common(own, {"duration": units.time("duration", duration)}, "")
        lasts = checks.number("duration", lasting["duration"], above=0.0)
        if shown is not None and (unit, lasts) != self._lasting(None, None):
            what = "follows from the presentation, hold times number of presentations; leave it out"
            raise InputError("duration", what)
        return unit, lasts

    def check_curves(self) -> None:
        """Raise InputError if a function of time is not finite at some time of the phase."""
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

    @property
    def batch_shown(self) -> int | None:
        """Number of samples shown at the same time, at most; None if nothing determines it."""
        return self.batch if self.presentation is None else self.presentation.size

    def showing(self, samples: Sequence[int]) -> Phase:
        """The same phase, showing these `samples`."""
        return replace(self, samples=tuple(samples))

    def in_unit_of(self, network: Network) -> Phase:
        """The same phase with its times in the unit of `network`.

        Raises
        ------
        InputError
            If some times have a unit and others have none, and the network does not say which these have.
        """
        series = {k: value for k, value in self.clamp.items() if isinstance(value, TimeSeries)}
        own = {"duration": self.time_unit}
        if self.presentation is not None:
            own = {"presentation.hold": self.presentation.time_unit}
        own |= {f"clamp[{k}].t": value.time_unit for k, value in series.items() if value.t.any()}
        unit = network.time_unit
        for where, given in own.items():
            network.check_unit(where, given)
        if unit is None or set(own.values()) <= {None, unit}:
            return self
        if self.presentation is not None:
            shown = self.presentation.in_unit(unit)
            return replace(self, presentation=shown, duration=None, time_unit=None)  # type: ignore[arg-type]
        clamp = {**self.clamp, **{k: value.in_unit(unit) for k, value in series.items()}}
        duration = units.converted(self.duration, self.time_unit or unit, unit)
        return replace(self, clamp=clamp, duration=duration, time_unit=unit)

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
        """Raise InputError if the phase does not fit `network`; its times must be in the network's unit."""
        if isinstance(self.learn, tuple):
            for name in self.learn:
                if name not in network.learnable:
                    raise InputError("learn", _no_equation(name, network))
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
        if self.predictions == "fixed" and not self._whole_input:
            part = "leaves some of it free" if 0 in self.clamp else "leaves layer 0 free"
            what = f"'fixed' takes those of the forward pass from layer 0, and the phase {part}"
            raise InputError("predictions", f"{what}; clamp all of layer 0, or say 'free'")
        if self.time_unit is not None:
            self.check_curves()

    @property
    def _whole_input(self) -> bool:
        """Whether every node of layer 0 is clamped."""
        return 0 in self.clamp and not np.isnan(self.clamp_at(0, 0.0)).any()


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
    presentations : int or sequence of int
        Of a phase with a `Presentation`, how many presentations keep their nodes, the first and the last
        included, evenly spread; or which of them, counted from 0, besides the last. With them their weights
        are kept. Weights are saved otherwise at the ends of presentations, at most `weights` of them spread
        as `spacing` says, or `weights` times in all where there are fewer presentations.
    presentation_nodes : {"ends", "full"}
        Whether these keep their nodes at their two ends, or at `nodes` times.
    """

    nodes: int = 400
    weights: int = 100
    spacing: Spacing = "log"
    memory: float = 4e9
    presentations: int | Sequence[int] = 20
    presentation_nodes: PresentationNodes = "ends"

    def __post_init__(self) -> None:
        for key in ("nodes", "weights"):
            count = checks.whole(key, getattr(self, key), least=2, most=MOST_ROWS)
            object.__setattr__(self, key, count)
        checks.word("spacing", self.spacing, get_args(Spacing))
        checks.word("presentation_nodes", self.presentation_nodes, get_args(PresentationNodes))
        kept: Any = self.presentations
        if checks.is_many(kept):
            listed = checks.listed("presentations", kept, "a number, or a list of numbers of presentations")
            kept = tuple(sorted({checks.whole("presentations", k, least=0, most=MOST_ROWS) for k in listed}))
            if not kept:
                raise InputError("presentations", "is an empty list; give a number, or at least one of them")
        else:
            kept = checks.whole("presentations", kept, least=1, most=MOST_ROWS)
        object.__setattr__(self, "presentations", kept)
        object.__setattr__(self, "memory", checks.number("memory", self.memory, above=0.0))

    def kept(self, count: int) -> NDArray[np.int64]:
        """Which of `count` presentations keep their nodes, in increasing order.

        Raises
        ------
        InputError
            If one of those asked for does not exist.
        """
        if isinstance(self.presentations, int):
            spread = np.linspace(0, count - 1, min(self.presentations, count))
            return np.unique(np.append(spread.round().astype(np.int64), count - 1))
        beyond = [k for k in self.presentations if k >= count]
        if beyond:
            what = f"there is no presentation {beyond[0]}; a phase has the presentations 0 to {count - 1}"
            raise InputError("save.presentations", what)
        return np.unique(np.array([*self.presentations, count - 1], dtype=np.int64))

    def spread(self, most: int, count: int) -> list[int]:
        """At most `most` of `count` presentations, the last included, spread as `spacing` says."""
        most = min(most, count)
        if self.spacing == "linear":
            found: list[int] = np.linspace(0, count, most + 1)[1:].round().astype(int).tolist()
            return [k - 1 for k in found]
        # In a constant ratio, but at least 1 apart, so that all are different.
        found = [1] if most > 1 else []
        while len(found) < most - 1:
            ratio = (count / found[-1]) ** (1.0 / (most - len(found)))
            found.append(max(found[-1] + 1, round(found[-1] * ratio)))
        return [k - 1 for k in (*found, count)]

    def times(self, count: int, duration: float, tau: float, delta: float = 0.0) -> Array:
        """`count` strictly increasing times from 0 to `duration`, both included."""
        first = 1e-2 * tau or 1e-3 * delta
        if count == 2 or self.spacing == "linear" or first >= duration:
            return np.linspace(0.0, duration, count)
        times = np.concatenate([[0.0], np.geomspace(first, duration, count - 1)])
        times[-1] = duration
        return times


def _learn(value: Any) -> bool | tuple[str, ...]:
    """Whether the weights learn, or the names of those that do."""
    if not checks.is_many(value):
        try:
            return checks.flag("learn", value)
        except InputError:
            right = 'true or false, or a list of names such as ["M1", "beta2"]'
            raise InputError("learn", f"must be {right}, not {checks.shown(value)}") from None
    names = tuple(value)
    if not names:
        raise InputError("learn", "lists nothing; with false all weights are held")
    for name in names:
        if not isinstance(name, str):
            raise InputError("learn", f"must list names such as M1 or beta2, not {checks.shown(name)}")
    return tuple(dict.fromkeys(map(str, names)))


def _no_equation(name: str, network: Network) -> str:
    """Why the weights of this name do not learn in `network`, and which do."""
    known = network.learnable
    why = f"names {name}, which this network has not"
    if network.feedback != "learned" and name in W.names(network.n):
        why = f"names {name}, which has no equation of its own with {network.feedback} feedback"
    elif not network.bias and name in BETA.names(network.n):
        why = f"names {name}, but the network has no biases"
    return f"{why}; there are {', '.join(known)}{hint(name, known)}"


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

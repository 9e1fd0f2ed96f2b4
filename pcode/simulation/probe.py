"""`Probe`: what to look at in the course of a run, and when; and the `Context` of its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from ..base.short import Short
from ..model.network import Array, Network
from ..model.phase import Phase, Save
from ..run.probes import function_attributes
from .measures import MEASURES, Measure, Samples
from .observer import Moment
from .trajectory import WeightTrajectory

At = Literal["ends", "weights"]

# How the functions are called.
CALL = "probe(state, context)"

# Most times of a phase; of more, so many are taken, evenly spread.
MOST_TIMES = 100_000


class Context:
    """The moment at which a probe looks at a run, as its function is passed it.

    It has all that its `Phase` has as well, such as ``context.name``, ``context.clamp``, ``context.duration``
    and ``context.samples``, the rows of the data that the phase shows.

    Attributes
    ----------
    t, elapsed : float
        Time of the run, and since the phase began.
    phase : Phase
        The phase, with its samples given.
    index : int
        Index of the phase in the run.
    presentation : int or None
        In a phase with a `Presentation`, the index of the one that is shown, from 0.
    pass_ : int or None
        The index of the pass that this belongs to.
    shown : tuple of int
        The rows of the data that the state shows: those of the presentation, or of the phase.
    network : Network
    """

    def __init__(self, moment: Moment, network: Network) -> None:
        self.t, self.elapsed = moment.t, moment.elapsed
        self.phase, self.index, self.presentation = moment.phase, moment.index, moment.presentation
        self.shown, self.network = moment.samples, network

    @property
    def pass_(self) -> int | None:
        """The index of the pass."""
        shown = self.phase.presentation
        if shown is None or self.presentation is None:
            return None
        return self.presentation // shown.per_pass(self.phase.batch or 1)

    def __getattr__(self, name: str) -> Any:
        if "phase" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.phase, name)

    def __repr__(self) -> str:
        at = "" if self.presentation is None else f", presentation {self.presentation}"
        return f"<context of a probe: t = {self.t:g} in phase {self.index} ({self.phase.name!r}){at}>"


@dataclass(frozen=True, eq=False)
class Probe(Short):
    r"""Something to look at in the course of a run, without any change to it.

    Parameters
    ----------
    what : str or callable
        One of

        - ``"accuracy"``: the share of the samples of `data` whose class is named by the largest output (of a
          single output, by its side of the middle between the two targets); outputs are those of the
          feedforward pass f of the present weights;
        - ``"loss"``: the mean over the samples of :math:`\frac12 |y - f(x)|^2`; ``"error"``: the largest
          :math:`|y - f(x)|`;
        - ``"energy"``, ``"energy_slaved"``: F summed over layers, with the errors as they are, and at their
          rest value for the present values;
        - ``"gradient_angle"``, ``"gradient_size"``: angle and relative size of :math:`\nu^n` times the flow
          :math:`\langle\sigma(x^l)^\top \varepsilon^{l+1}\rangle` of the nodes as they are, beside minus
          the gradient of the loss of the samples now shown; NaN where an end is free;
        - ``"feedback_angle"``: between :math:`W^l` and the transpose of :math:`M^l`; ``"norms"``: of
          :math:`M^l`; ``"changes"``: norms of its change since the start of the run.

        Those of links have one number a layer, that of :math:`M^l` at layer l + 1. Or a function
        ``f(state, context)`` that returns a number or an array; None is no value. See `Context`.
    data : pair of array_like, or an object with `inputs` and `targets`, optional
        The samples that accuracy, loss and error are judged by.
    presentations : int, optional
        Look at the end of every so many presentations, counted in each phase.
    deltas : float, optional
        Look every so many times delta (the largest, if several), counted from the start of each phase.
    at : {"ends", "weights"}, optional
        Look at the end of every pass; or at the times at which the weights are saved. By default "ends".
        With each of these a probe is also looked at when a phase starts and ends.
    label : str, optional
        What to call it in figures; by default its name.

    Raises
    ------
    InputError
        If a value is of the wrong kind or out of range, or two do not go together.
    """

    what: str | Callable[..., Any]
    data: Samples | None
    presentations: int | None
    deltas: float | None
    at: At | None
    label: str | None

    def __init__(
        self,
        what: str | Callable[..., Any],
        *,
        data: Any = None,
        presentations: int | None = None,
        deltas: float | None = None,
        at: At | None = None,
        label: str | None = None,
    ) -> None:
        def keep(key: str, value: object) -> None:
            object.__setattr__(self, key, value)

        if isinstance(what, str):
            checks.word("what", what, MEASURES)
        else:
            checks.function("what", what, CALL)
        keep("what", what)
        keep("data", self._samples(data))
        when = {"presentations": presentations, "deltas": deltas, "at": at}
        given = [key for key, value in when.items() if value is not None]
        if len(given) > 1:
            raise InputError(given[1], f"does not go with {given[0]}: give one of {', '.join(when)}, or none")
        if presentations is not None:
            presentations = checks.whole("presentations", presentations, least=1)
        keep("presentations", presentations)
        keep("deltas", None if deltas is None else checks.number("deltas", deltas, above=0.0))
        if at is not None:
            checks.word("at", at, get_args(At))
        keep("at", at)
        keep("label", None if label is None else checks.text("label", label))

    def _samples(self, data: Any) -> Samples | None:
        measure = self.measure
        if measure is None or not measure.of_samples:
            if data is not None:
                judged = ", ".join(word for word, one in MEASURES.items() if one.of_samples)
                raise InputError("data", f"goes with {judged} only; leave it out")
            return None
        if data is None:
            raise InputError("data", f"is missing; {self.what} needs samples, (inputs, targets), to judge by")
        try:
            samples = Samples.of(data)
            if self.what == "accuracy":
                samples.check_classes()
        except InputError as error:
            raise error.within("data") from None
        return samples

    @property
    def measure(self) -> Measure | None:
        """What a word stands for; None for a function."""
        return MEASURES[self.what] if isinstance(self.what, str) else None

    @property
    def when(self) -> str:
        """When it looks, in words."""
        if self.presentations is not None:
            count = self.presentations
            return "every presentation" if count == 1 else f"every {count:,} presentations"
        if self.deltas is not None:
            return f"every {self.deltas:g} delta"
        return "whenever weights are saved" if self.at == "weights" else "at the ends of phases and passes"

    def check(self, network: Network) -> None:
        """Raise InputError unless its samples fit `network`."""
        if self.data is not None:
            try:
                self.data.check(network)
            except InputError as error:
                raise error.within("data") from None

    def attributes(self, name: str) -> dict[str, Any]:
        """The attributes of its variable in a result, and ``by_layer``; see `pcode.run.probes`."""
        measure = self.measure
        if measure is None:
            return function_attributes(name, self.label)
        named = {"long_name": measure.long_name, "units": measure.units, "probe": self.what}
        return named | {"label": self.label or name, "by_layer": measure.by_layer}

    def times(self, phase: Phase, network: Network, save: Save) -> Array:
        """Times since the start of `phase` at which it looks, besides the ends of presentations."""
        ends = np.array([0.0, phase.duration])
        delta = float(np.max(network.delta))
        if self.deltas is not None:
            count = np.floor(phase.duration / (self.deltas * delta))
            if count > MOST_TIMES:
                return np.linspace(0.0, phase.duration, MOST_TIMES)
            return np.union1d(ends, self.deltas * delta * np.arange(count + 1.0))
        if self.at == "weights" and phase.learn:
            trajectory, shown = WeightTrajectory(network, save), phase.presentation
            if shown is None:
                return trajectory.times(phase)
            if shown.until is None:
                lasts, within = shown.longest, trajectory.within(phase)
                inside = [k * lasts + t[(t > 0.0) & (t < lasts)] for k, t in within.items()]
                return np.unique(np.concatenate([ends, *inside]))
        return ends

    def in_turn(self, phase: Phase, network: Network, save: Save) -> NDArray[np.int64]:
        """The indices of the presentations at whose ends it looks; the last is the end of the phase."""
        shown, nothing = phase.presentation, np.empty(0, dtype=np.int64)
        if shown is None or self.deltas is not None:
            return nothing
        batch = phase.batch or 1
        if self.at == "weights":
            if not phase.learn:
                return nothing
            within = WeightTrajectory(network, save).within(phase)
            saved = [k for k, t in within.items() if t[-1] == shown.longest and k < shown.count(batch) - 1]
            return np.array(sorted(saved), dtype=np.int64)
        every = shown.per_pass(batch) if self.presentations is None else self.presentations
        return np.arange(every - 1, shown.count(batch) - 1, every, dtype=np.int64)

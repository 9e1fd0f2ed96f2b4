"""Observers, which are called at chosen times of a run, and the moments that they are passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ..base.errors import ComputationError
from ..model.network import Array, Weights
from ..model.phase import Phase
from ..model.state import State

Layers = tuple[Array, ...]


class Source(Protocol):
    """What knows nodes, weights and energies from a time and unknowns, such as a problem."""

    def nodes(self, t: float, y: Array) -> tuple[Layers, Layers]:
        """All value nodes and all error nodes."""

    def state(self, t: float, y: Array) -> State:
        """Nodes and weights."""

    def energies(self, t: float, y: Array) -> tuple[Array, Array]:
        """Terms of F with the error nodes as they are, and at their rest value."""


class Shown(NamedTuple):
    """One presentation of a phase.

    Attributes
    ----------
    presentation : int
        Its index in the phase.
    samples : tuple of int
        The rows of the data that it shows.
    begun : float
        When it began, in the phase's own time.
    """

    presentation: int
    samples: tuple[int, ...]
    begun: float


class Moment:
    """A moment of a run, as it is passed to observers.

    Its properties are computed when they are first used. All arrays are read-only; copy them to change them.

    Attributes
    ----------
    t : float
        Time of the run.
    elapsed : float
        Time since the phase began.
    phase : Phase
        The phase, with its samples given.
    index : int
        Index of the phase in the run.
    step : float
        Length of the solver's last step if the moment is between two steps; else NaN.
    presentation : int or None
        In a phase with a `Presentation`, the index of the one that is shown, from 0; else None. At the end of
        one it is still that one.
    samples : tuple of int
        The rows of the data that are shown, B of them.
    """

    def __init__(
        self,
        source: Source,
        at: float,
        y: Array,
        phase: Phase,
        index: int,
        t_start: float,
        step: float = np.nan,
        shown: Shown | None = None,
    ) -> None:
        self.elapsed = at if shown is None else shown.begun + at
        self.t, self.step = t_start + self.elapsed, step
        self.phase, self.index = phase, index
        self.presentation = None if shown is None else shown.presentation
        self.samples: tuple[int, ...] = (phase.samples or ()) if shown is None else shown.samples
        self._source, self._at, self._y = source, at, np.array(y)  # a copy, as solvers reuse y

    def __repr__(self) -> str:
        return (
            f"<pcode.Moment t = {self.t:g}, {self.elapsed:g} into phase {self.index} ({self.phase.name!r})>"
        )

    @property
    def x(self) -> Layers:
        """Value nodes of layers 0..n, shapes (B, n_l), clamped ones included."""
        return self._nodes[0]

    @property
    def eps(self) -> Layers:
        """Error nodes of layers 1..n, shapes (B, n_l)."""
        return self._nodes[1]

    @property
    def weights(self) -> Weights:
        """The weights."""
        return self.state.weights

    @cached_property
    def energies(self) -> tuple[Array, Array]:
        """Terms of F, shapes (n,): with the error nodes as they are, and at their rest value.

        NaN where they cannot be computed, because a function of the user's raises.
        """
        try:
            dynamic, slaved = map(_read_only, self._source.energies(self._at, self._y))
        except ComputationError:
            dynamic = slaved = _read_only(np.full(len(self.eps), np.nan))
        return dynamic, slaved

    @cached_property
    def state(self) -> State:
        """Nodes and weights."""
        x, eps, weights = self._source.state(self._at, self._y)
        kept = (None if arrays is None else _all_read_only(arrays) for arrays in weights)
        return State(_all_read_only(x), _all_read_only(eps), Weights(*kept))  # type: ignore[arg-type]

    @cached_property
    def _nodes(self) -> tuple[Layers, Layers]:
        if "state" in self.__dict__:
            return self.state.x, self.state.eps
        x, eps = self._source.nodes(self._at, self._y)
        return _all_read_only(x), _all_read_only(eps)

    @property
    def finite(self) -> bool:
        """Whether the unknowns are finite and, if they are known, the energies and nodes.

        With tau = 0 the nodes are no unknowns.
        """
        nodes = [array for layers in self.__dict__.get("_nodes", ()) for array in layers]
        arrays = (self._y, *self.__dict__.get("energies", ()), *nodes)
        return all(bool(np.isfinite(array).all()) for array in arrays)


@runtime_checkable
class Observer(Protocol):
    """Is called at times that it chooses, and keeps what it likes of the run.

    Any object with these three methods is an observer. The solver interpolates to its times, so that its
    steps are the same with and without observers.

    In a phase with a `Presentation`, an observer may also have a method ``presentations(phase)``, which
    returns the indices of the presentations at whose ends it is to be called, besides its times.
    """

    def times(self, phase: Phase) -> ArrayLike:
        """Times of `phase` at which `observe` is to be called, counted from the phase's start.

        0 is the start, and ``phase.duration`` means the end, even if the phase ends earlier. Times that the
        phase does not reach are left out.
        """

    def observe(self, moment: Moment) -> Any:
        """Called with each moment, in the order of time."""

    def dataset(self) -> xr.Dataset | None:
        """What was kept so far, for the result's group with the observer's name; None for nothing."""


class Schedule:
    """At which times of a phase which observers are called.

    Parameters
    ----------
    trajectories, observers : sequence of Observer
        The observers that keep the trajectory, and others, in the order in which they are called.
    phase : Phase
    begun : float, optional
        The phase's own time up to which they have been called already, its start included.

    Attributes
    ----------
    times, saved : ndarray
        All times after the start, and those of `trajectories`; both include the end.
    """

    def __init__(
        self,
        trajectories: Sequence[Observer],
        observers: Sequence[Observer],
        phase: Phase,
        begun: float | None = None,
    ) -> None:
        def times_of(of: Sequence[Observer]) -> list[tuple[Observer, Array]]:
            found = [(observer, np.asarray(observer.times(phase), float)) for observer in of]
            return found if begun is None else [(one, times[times > begun]) for one, times in found]

        def inside(of: list[tuple[Observer, Array]]) -> Array:
            if not of:
                return np.empty(0)
            whole = np.unique(np.concatenate([times for _, times in of]))
            return whole[(whole > 0.0) & (whole < phase.duration)]

        first = times_of(trajectories)
        self._duration = phase.duration
        self._observers = first + [(one, times) for one, times in times_of(observers) if times.size]
        # The end is among the solver's times, but observers are called for it when the phase has ended.
        self.saved: Array = np.append(inside(first), phase.duration)
        self.times: Array = np.append(inside(self._observers), phase.duration)
        due = self.times[:-1]
        masks = [(observer, np.isin(due, times)) for observer, times in self._observers]
        self._at_time = [[observer for observer, mask in masks if mask[k]] for k in range(due.size)]

    def start(self, show: Callable[[], Moment]) -> bool:
        """Call the observers of the start; whether the values are finite."""
        return self._show(show, [observer for observer, own in self._observers if (own == 0.0).any()])

    def due(self, k: int, show: Callable[[], Moment]) -> bool:
        """Call the observers of ``times[k]``; whether the values are finite."""
        return k >= len(self._at_time) or self._show(show, self._at_time[k])

    def end(self, show: Callable[[], Moment]) -> bool:
        """Call the observers of the end; whether the values are finite."""
        end = self._duration
        return self._show(show, [observer for observer, own in self._observers if (own == end).any()])

    @staticmethod
    def _show(show: Callable[[], Moment], observers: list[Observer]) -> bool:
        if not observers:
            return True
        moment = show()
        for observer in observers:
            observer.observe(moment)
        return moment.finite


def _all_read_only(arrays: Sequence[Any]) -> Layers:
    return tuple(map(_read_only, arrays))


def _read_only(array: Any) -> Array:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view

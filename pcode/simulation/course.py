"""The course of a phase that shows its samples one after another: what has become of it so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..base.evaluated import Spent
from ..base.status import SolverStats, Status
from ..model.network import Array, Network
from ..model.phase import Phase
from ..model.state import State
from ..run.reached import Reached
from ..solvers import RENEWED
from ..system.problem import energies_of, predicting
from .callbacks import Reports
from .checkpoint import Keeper
from .looks import Looks


class StateSource:
    """A state in a phase as a source of moments."""

    def __init__(self, network: Network, phase: Phase, state: State) -> None:
        self._network, self._phase, self._state = network, phase, state

    def nodes(self, t: float, y: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """All value and error nodes."""
        return self._state.x, self._state.eps

    def state(self, t: float, y: Array) -> State:
        """The state."""
        return self._state

    def energies(self, t: float, y: Array) -> tuple[Array, Array]:
        """Terms of F with the error nodes as they are, and at their rest value."""
        at = predicting(self._network, self._phase, self._state)
        return energies_of(self._network, self._state, at)


@dataclass
class Course:
    """What has become of a phase so far.

    Attributes
    ----------
    state : State
        What was reached.
    shown : tuple of int
        The samples that it shows.
    k : int
        How many presentations have ended.
    elapsed : float
        Time since the phase began.
    stats : SolverStats
    steps : list of ndarray, shape (3,)
        End, mean step and NaN, one for each presentation.
    status, detail
        See `Solution`.
    at_limit : int
        How many reached their limit before they were at rest.
    within : bool
        Whether it ended within a presentation.
    seconds : float
        How long one took in compiled code.
    fixed : dict of int to object
        What presentations of a size have in common.
    method, reason : str
        The solver, and why it was chosen.
    spent : Spent
        How long functions have been evaluated by NumPy, in all presentations together since it was renewed.
    since : int
        Steps since then.
    """

    state: State
    shown: tuple[int, ...] = ()
    k: int = 0
    elapsed: float = 0.0
    stats: SolverStats = field(default_factory=SolverStats)
    steps: list[Array] = field(default_factory=list)
    status: Status = Status.SUCCESS
    detail: str = ""
    at_limit: int = 0
    within: bool = False
    seconds: float = 0.0
    method: str = ""
    reason: str = ""
    compiled: set[int] = field(default_factory=set)
    fixed: dict[int, Any] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    since: int = 0

    def taken(self, steps: int) -> None:
        """Note that a presentation took so many steps; after many it goes on as if it began anew."""
        self.since += steps
        if self.since >= RENEWED:
            self.spent, self.since = Spent(), 0

    @classmethod
    def from_reached(cls, reached: Reached) -> Course:
        """The course of a phase that is gone on with."""
        return cls(
            reached.state,
            reached.samples,
            k=reached.presented,
            elapsed=reached.elapsed,
            at_limit=reached.at_limit,
            method=reached.method,
            reason=reached.reason,
        )

    def standing(self) -> Callable[[], Reached]:
        """What tells, also later, where the phase stands now, between two presentations."""
        now = replace(self, steps=[])
        steps, count = self.steps, len(self.steps)
        return lambda: replace(now, steps=steps[:count]).reached

    @property
    def reached(self) -> Reached:
        """Where the phase stands, between two presentations."""
        steps = np.array(self.steps).reshape(-1, 3)
        return Reached(
            self.state,
            self.shown,
            0.0,
            self.stats,
            self.method,
            self.reason,
            begun=False,
            presented=self.k,
            at_limit=self.at_limit,
            elapsed=self.elapsed,
            steps=steps,
        )


@dataclass(frozen=True)
class Calls:
    """Who is called on the way."""

    looks: Looks
    reports: Reports
    stopped: Callable[[], bool]
    keeper: Keeper


def resized(size: int, values: Array) -> Array:
    """The first `size` rows; NaN in those that are not there."""
    resized = np.full((size, values.shape[1]), np.nan)
    kept = min(size, len(values))
    resized[:kept] = values[:kept]
    return resized


def in_numpy(state: Any) -> Any:
    """The same with arrays of NumPy."""
    x, eps, weights = state
    kept = (None if part is None else tuple(map(np.asarray, part)) for part in weights)
    return tuple(map(np.asarray, x)), tuple(map(np.asarray, eps)), type(weights)(*kept)

"""One phase of an ensemble: what its members reached and saved in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.short import Short
from ..base.status import Status
from ..model.network import Array, Network
from ..model.state import State
from ..model.variables import NODES, parsed
from .dataset import ENERGIES


@dataclass(eq=False)
class Part(Short):
    """One phase of an ensemble of C members.

    Attributes
    ----------
    samples : tuple of int
        The samples that it shows.
    node_times, weight_times : ndarray, shapes (R,) and (S,)
        Times to save, in the phase's own time; the last is its duration, and stands for its end.
    begun : ndarray, shape (C,)
        When each member began, in its run's time.
    lasted : ndarray, shape (C,)
        How long it lasted for each; NaN where it was not run.
    status : list of Status or None
    steps, rejected : ndarray, shape (C,)
        Steps of each.
    why : dict of int to str
        Details of the status of members, where there is more to say than its usual meaning.
    arrays : dict of str to ndarray
        Saved values by their names in results, shapes (C, R, ...) or (C, S, ...); NaN where there is no row.
    states : dict of int to State
        What members reached.
    method, reason : str
    compile_seconds, solve_seconds : float
    """

    samples: tuple[int, ...]
    node_times: Array
    weight_times: Array
    begun: Array
    method: str = ""
    reason: str = ""
    compile_seconds: float = 0.0
    solve_seconds: float = 0.0
    arrays: dict[str, Array] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    why: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = self.begun.size
        self.lasted = np.full(count, np.nan)
        self.status: list[Status | None] = [None] * count
        self._kept = np.zeros(count, bool)
        self.steps, self.rejected = np.zeros(count, int), np.zeros(count, int)
        self._lock = threading.Lock()  # chunks of members are integrated in threads

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which members failed, shape (C,)."""
        return np.array([one is not None and one.failed for one in self.status])

    def times(self, own: Array) -> Array:
        """Times in the run of each member at which rows were saved, shape (C, R), NaN where there is none."""
        t = np.where(own <= self.lasted[:, None], own, np.nan)
        t[:, -1] = self.lasted
        t[~self._kept] = np.nan
        return t + self.begun[:, None]

    def ended(self, members: Sequence[int], status: Sequence[Status], reached: Mapping[str, Any]) -> None:
        """Note how members ended.

        Parameters
        ----------
        members : sequence of int
        status : sequence of Status
        reached : mapping
            Of each member `lasted`, `steps`, `rejected`, and its state as `states`.
        """
        at = np.array(members, dtype=int)
        with self._lock:
            for name in ("lasted", "steps", "rejected"):
                getattr(self, name)[at] = reached[name]
            for k, one, state in zip(members, status, reached["states"], strict=True):
                self.status[k] = one
                self.states[k] = state

    def stand(
        self, members: Sequence[int], status: Status, states: Mapping[int, State] = MappingProxyType({})
    ) -> None:
        """Note that members stay where they are, with this status."""
        with self._lock:
            for k in members:
                self.status[k], self.lasted[k] = status, 0.0
        for k in members if states else ():
            arrays = {name: np.asarray(array)[None, None] for name, array in states[k].arrays().items()}
            self.keep([k], arrays, np.array([-1]))

    def keep(self, members: Sequence[int], arrays: Mapping[str, Array], rows: NDArray[Any]) -> None:
        """Keep rows of members.

        Parameters
        ----------
        members : sequence of int
        arrays : mapping of str to array, shapes (members, rows, ...)
        rows : ndarray of int
            Which rows of the phase they are; -1 is the last.
        """
        at = np.ix_(np.array(members, dtype=int), rows)
        with self._lock:
            self._kept[np.array(members, dtype=int)] = True
            for name, values in arrays.items():
                self._fill(name, values.shape[2:])
                self.arrays[name][at] = values

    def fill(self, network: Network) -> None:
        """Have NaN for what no member reached."""
        for variable in (*NODES, *network.weight_variables):
            for layer in variable.layers(network.n):
                shape = variable.shape(network.sizes, layer, len(self.samples))
                self._fill(f"{variable}{layer}", shape)
        for name in ENERGIES:
            self._fill(name, (network.n,))

    def _fill(self, name: str, shape: tuple[int, ...]) -> None:
        if name not in self.arrays:
            self.arrays[name] = np.full(self._shape(name, shape), np.nan)

    def _shape(self, name: str, one: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an array whose rows have the shape `one`."""
        of_nodes = name in ENERGIES or parsed(name)[0].of_nodes
        times = self.node_times if of_nodes else self.weight_times
        return (self.begun.size, times.size, *one)

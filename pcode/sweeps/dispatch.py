"""Hands out the points to the workers of a cluster, those of one structure together.

A worker has the point that it runs and the next one, or points that are computed together in place of one
(`pcode.sweeps.together`); all else stays here. So workers that are killed cost the
points in flight, which go to others, new workers join at once, and a worker is given points of the structure
that it has compiled for as long as there are any.
"""

from __future__ import annotations

import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from .cluster import GONE, Cluster, WorkersLostError
from .points import Point
from .task import compute
from .together import compute_together

Group = tuple[Point, ...]

# Points that a worker has at a time.
AHEAD = 2

# Seconds between looks at which workers there are, and for results where none comes.
LOOK, WAIT = 1.0, 0.2

# Seconds for a result to be fetched from a worker, before others are looked after.
FETCH = 10.0


class Dispatcher:
    """The points that are still to be run, and those that workers have.

    Parameters
    ----------
    cluster : Cluster
    groups : sequence of tuple of Point
        Points that are computed together, most of them alone.
    structures : mapping of int to str
        By the points' numbers.
    arguments : callable
        The arguments of `compute` for a point, or those of `compute_together`.
    retries : int
        How often a point that raises is tried again.

    Attributes
    ----------
    cluster : Cluster
    """

    def __init__(
        self,
        cluster: Cluster,
        groups: Sequence[Group],
        structures: Mapping[int, str],
        arguments: Callable[[Group], Mapping[str, Any]],
        retries: int = 1,
    ) -> None:
        self.cluster, self._arguments, self._retries = cluster, arguments, retries
        self._structures, self._waiting = structures, dict[str, deque[Group]]()
        for group in groups:
            self._wait(group)
        self._compiled: dict[str, str] = {}
        self._flying: dict[Any, tuple[Group, str]] = {}
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: list[str] = []
        self._looked = -LOOK

    def results(self, stop: Callable[[], bool]) -> Iterator[tuple[Point, dict[str, Any]]]:
        """Points as they end, with what `compute` returned of each, or an ``error`` alone.

        Parameters
        ----------
        stop : callable
            Whether to leave off; points in flight are given up.

        Raises
        ------
        WorkersLostError
            If the scheduler is gone, or the workers end as soon as they start.
        """
        try:
            while (self._waiting or self._flying) and not stop():
                self._hand_out()
                try:
                    future = self._ended.get(timeout=WAIT)
                except queue.Empty:
                    continue
                outcome = self._outcome(future)
                if outcome is None:
                    future.add_done_callback(self._ended.put)
                    continue
                group, _ = self._flying.pop(future)
                yield from self._each(group, outcome)
        finally:
            if self._flying and not self.cluster.lost():
                with suppress(OSError):
                    self.cluster.client.cancel(list(self._flying), force=True)

    def _wait(self, group: Group) -> None:
        self._waiting.setdefault(self._structures[group[0].number], deque()).append(group)

    def _each(self, group: Group, outcome: Any) -> Iterator[tuple[Point, dict[str, Any]]]:
        """The points of a group that has ended; if it raised an error, each is tried alone in place of it."""
        if isinstance(outcome, list):
            yield from zip(group, outcome, strict=True)
        elif len(group) == 1:
            yield group[0], outcome
        else:
            for point in group:
                self._wait((point,))

    def _hand_out(self) -> None:
        if self.cluster.lost():
            raise WorkersLostError(GONE)
        if time.monotonic() - self._looked > LOOK:
            self._workers, self._looked = self.cluster.workers(), time.monotonic()
        # Those that a lost worker had are with others now, where Dask has put them.
        loads = Counter(address for _, address in self._flying.values())
        for _ in range(AHEAD):
            for address in self._workers:
                if (
                    self._waiting
                    and loads[address] < AHEAD
                    and loads[address] == min(loads[other] for other in self._workers)
                ):
                    self._submit(self._next(address), address)
                    loads[address] += 1

    def _next(self, address: str) -> Group:
        """The next points for a worker: of the structure it has compiled, or of the one with most to do."""
        structure = self._compiled.get(address)
        if structure not in self._waiting:
            shared = Counter(self._compiled[other] for other in self._workers if other in self._compiled)
            structure = max(self._waiting, key=lambda one: len(self._waiting[one]) / (1 + shared[one]))
            self._compiled[address] = structure
        assert structure is not None
        groups = self._waiting[structure]
        group = groups.popleft()
        if not groups:
            del self._waiting[structure]
        return group

    def _submit(self, group: Group, address: str) -> None:
        together = len(group) > 1
        future = self.cluster.client.submit(
            compute_together if together else compute,
            **self._arguments(group),
            key=f"pcode-point-{group[0].number}-{time.monotonic_ns()}",
            workers=[address],
            allow_other_workers=True,
            retries=0 if together else self._retries,
        )
        self._flying[future] = group, address
        future.add_done_callback(self._ended.put)

    def _outcome(self, future: Any) -> Any:
        """What has become of a point, or of each; None where it went with its worker, to be run anew."""
        try:
            return future.result(timeout=FETCH)
        except Exception as error:  # noqa: BLE001 - whatever a run raises, and what Dask does where workers die
            if isinstance(error, TimeoutError) and future.status in ("pending", "finished", "lost"):
                return None
            if future.status != "error":  # cancelled, or the connection has gone as the result was on its way
                raise WorkersLostError(GONE) from None
            return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]}

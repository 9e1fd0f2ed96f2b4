"""Hands out the points to the workers of a cluster, those of one structure together.

A worker has the point that it runs and the next one; all else stays here. So workers that are killed cost the
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
    points : sequence of Point
    structures : mapping of int to str
        By the points' numbers.
    arguments : callable
        The arguments of `compute` for a point.
    retries : int
        How often a point that raises is tried again.

    Attributes
    ----------
    cluster : Cluster
    """

    def __init__(
        self,
        cluster: Cluster,
        points: Sequence[Point],
        structures: Mapping[int, str],
        arguments: Callable[[Point], Mapping[str, Any]],
        retries: int = 1,
    ) -> None:
        self.cluster, self._arguments, self._retries = cluster, arguments, retries
        self._waiting: dict[str, deque[Point]] = {}
        for point in points:
            self._waiting.setdefault(structures[point.number], deque()).append(point)
        self._compiled: dict[str, str] = {}
        self._flying: dict[Any, tuple[Point, str]] = {}
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
                point, _ = self._flying.pop(future)
                yield point, outcome
        finally:
            if self._flying and not self.cluster.lost():
                with suppress(OSError):
                    self.cluster.client.cancel(list(self._flying), force=True)

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

    def _next(self, address: str) -> Point:
        """The next point for a worker: of the structure it has compiled, or of the one with most to do."""
        structure = self._compiled.get(address)
        if structure not in self._waiting:
            shared = Counter(self._compiled[other] for other in self._workers if other in self._compiled)
            structure = max(self._waiting, key=lambda one: len(self._waiting[one]) / (1 + shared[one]))
            self._compiled[address] = structure
        assert structure is not None
        points = self._waiting[structure]
        point = points.popleft()
        if not points:
            del self._waiting[structure]
        return point

    def _submit(self, point: Point, address: str) -> None:
        future = self.cluster.client.submit(
            compute,
            **self._arguments(point),
            key=f"pcode-point-{point.number}-{time.monotonic_ns()}",
            workers=[address],
            allow_other_workers=True,
            retries=self._retries,
        )
        self._flying[future] = point, address
        future.add_done_callback(self._ended.put)

    def _outcome(self, future: Any) -> dict[str, Any] | None:
        """What has become of a point; None where its result went with its worker, and others run it anew."""
        try:
            found: dict[str, Any] = future.result(timeout=FETCH)
        except Exception as error:  # noqa: BLE001 - whatever a run raises, and what Dask does where workers die
            if isinstance(error, TimeoutError) and future.status in ("pending", "finished", "lost"):
                return None
            if future.status != "error":  # cancelled, or the connection has gone as the result was on its way
                raise WorkersLostError(GONE) from None
            return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]}
        return found

"""At which presentations of a phase, and when in them, observers are to be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..model.network import Array
from ..model.phase import Phase
from .observer import Moment, Observer, Schedule

# All of a presentation, all but its end, or its end.
Part = Literal["all", "start", "between", "end"]

# Times nearer to the end of a presentation than this part of it are that end.
NEAR = 1e-9


class Appointed:
    """An observer that is called at given times."""

    def __init__(self, observer: Observer, times: Array) -> None:
        self._observer, self._times = observer, times

    def times(self, phase: Phase) -> Array:
        """The given times."""
        return self._times

    def observe(self, moment: Moment) -> Any:
        """Call the observer."""
        return self._observer.observe(moment)

    def dataset(self) -> None:
        """Return None: the observer itself has what it keeps."""


class Looks:
    """The times of observers, sorted by the presentations in which they are.

    Parameters
    ----------
    phase : Phase
        A phase with a presentation.
    trajectories : sequence of NodeTrajectory or WeightTrajectory
        They say for each presentation when they look.
    observers : sequence of Observer
        Their times count from the start of the phase; see `Observer`.
    """

    def __init__(self, phase: Phase, trajectories: Sequence[Any], observers: Sequence[Observer]) -> None:
        shown = phase.presentation
        assert shown is not None
        self.count, self._longest, self._rests = shown.count(phase.batch or 1), shown.longest, shown.until
        self._duration = phase.duration
        self._within = [(one, one.within(phase)) for one in trajectories]
        self._ends = [(one, frozenset(_indices(one, phase, self.count))) for one in observers]
        self._pending = [(one, _times(one, phase)) for one in observers]
        known = {k for _, times in self._within for k in times} | {k for _, ends in self._ends for k in ends}
        self._known = np.array(sorted(known), dtype=np.int64)

    def next(self, k: int, elapsed: float) -> int:
        """The first presentation from `k` on, which begins at `elapsed`, with a look; `count` if none has."""
        later = self._known[np.searchsorted(self._known, k) :]
        soonest = int(later[0]) if later.size else self.count
        for _, times in self._pending:
            if times.size:
                soonest = min(soonest, self._holding(float(times[0]), k, elapsed))
        return soonest

    def _holding(self, t: float, k: int, elapsed: float) -> int:
        """The presentation in which time `t` of the phase is or, if their lengths vary, one before it."""
        if t >= self._duration:
            return self.count - 1
        ahead = (t - elapsed) / self._longest - NEAR
        return min(max(k, k + int(np.floor(ahead))), self.count - 1)

    def ends_only(self, k: int, begun: float) -> bool:
        """Whether all looks at presentation `k`, which begins at `begun` at the latest, are at its end."""
        end = self._longest * (1.0 - NEAR)
        if any((within[k] < end).any() for _, within in self._within if k in within):
            return False
        return not any(times.size and times[0] < begun + end for _, times in self._pending)

    def schedule(
        self, k: int, elapsed: float, phase: Phase, part: Part = "all", begun: float | None = None
    ) -> Schedule:
        """Who looks when in a `part` of presentation `k`, `phase`, which begins at `elapsed`.

        Up to its own time `begun`, if that is given, they have looked already.
        """
        first, others = [], []
        for trajectory, within in self._within:
            if k in within:
                trajectory.expect(within[k].size)
                first.append(Appointed(trajectory, self._cut(within[k], part)))
        for (one, ends), (_, times) in zip(self._ends, self._pending, strict=True):
            last = k in ends or (k == self.count - 1 and (times >= self._duration).any())
            if not last and (not times.size or times[0] > elapsed + self._longest * (1.0 + NEAR)):
                continue
            own = times - elapsed
            own = own[own <= self._longest * (1.0 + NEAR)]
            own = np.where(own >= self._longest * (1.0 - NEAR), self._longest, own)
            own = np.union1d(own, [self._longest] if last else [])
            if own.size:
                others.append(Appointed(one, self._cut(own, part)))
        return Schedule(first, others, phase, begun)

    def _cut(self, times: Array, part: Part) -> Array:
        parts = {"start": times <= 0.0, "end": times >= self._longest}
        if part == "between":
            return times[~(parts["start"] | parts["end"])]
        return times if part == "all" else times[parts[part]]

    def passed(self, elapsed: float) -> None:
        """Forget the times up to `elapsed`, at which a presentation has ended."""
        reached = elapsed + NEAR * self._longest
        self._pending = [(one, times[times > reached]) for one, times in self._pending]


def _indices(observer: Observer, phase: Phase, count: int) -> list[int]:
    """The presentations at whose ends an observer wants to be called."""
    asked = getattr(observer, "presentations", None)
    return [] if asked is None else [int(k) for k in asked(phase) if 0 <= k < count]


def _times(observer: Observer, phase: Phase) -> Array:
    times = np.unique(np.asarray(observer.times(phase), dtype=float))
    return times[(times >= 0.0) & (times <= phase.duration)]

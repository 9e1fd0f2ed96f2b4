"""Detect integrations that make no progress, within a step or over many, and silence libraries' warnings."""

from __future__ import annotations

import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..base.status import Status

# Most evaluations of rates and Jacobians in one step. Halving a step from the length of a problem down to
# rounding, with a dozen evaluations each time, takes about 600.
MOST_EVALUATIONS = 2_000

# There is no progress if CRAWLING steps together last less than CRAWL times the smallest of tau, delta and
# the duration. Steps at the start are as short, but they grow by factors.
CRAWLING, CRAWL = 200, 1e-9

# From FORECAST steps that are no longer than as many before, the number of steps needed is extrapolated; if
# it exceeds TOO_MANY times `max_steps`, the integration ends. The second values are for badly scaled
# problems.
FORECAST, TOO_MANY = (1_000, 300), (1e3, 1.0)


class NoProgressError(Exception):
    """Raised in a step that does not end."""


class Counted:
    """Counts the evaluations in a step, and ends one that does not end by itself."""

    def __init__(self) -> None:
        self._calls = 0

    def begin(self) -> None:
        """Start counting for a new step."""
        self._calls = 0

    def add(self) -> None:
        """Count an evaluation.

        Raises
        ------
        NoProgressError
            If the step has made too many.
        """
        self._calls += 1
        if self._calls > MOST_EVALUATIONS:
            raise NoProgressError

    def of(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """`f`, counted."""

        def counted(*args: Any) -> Any:
            self.add()
            return f(*args)

        return counted


class Pace:
    """Monitors the progress of the steps.

    Parameters
    ----------
    shortest : float
        The smallest of the duration and of tau and delta, where these apply.
    duration : float or None
        Duration of the problem; None if it may end early.
    max_steps : int
    badly_scaled : bool
        Whether the problem is, see `pcode.solvers.causes`.
    start : float
        The time at which the integration begins.
    """

    def __init__(
        self,
        shortest: float,
        duration: float | None,
        max_steps: int,
        badly_scaled: bool,
        start: float = 0.0,
    ) -> None:
        self._shortest, self._duration, self._max_steps = shortest, duration, max_steps
        self._many, self._too_many = FORECAST[badly_scaled], TOO_MANY[badly_scaled] * max_steps
        self._ends: deque[tuple[int, float]] = deque([(0, start)])
        self._window: deque[tuple[int, float]] = deque([(0, start)])
        self._needed = 0.0

    @property
    def message(self) -> str:
        """Why the integration ended before `max_steps`."""
        return (
            f"at this pace it would take some {self._needed:.0e} steps, and max_steps = {self._max_steps:,}"
        )

    def look(self, steps: int, t: float, t_before: float) -> Status | None:
        """The status with which to end, or None, after `steps` steps to `t`, the last from `t_before`."""
        if not t > t_before:
            return Status.STEP_TOO_SMALL
        first, since = self._ends[0]
        if steps - first >= CRAWLING:
            growing = t - t_before > 0.5 * (t - since)
            if t - since < CRAWL * self._shortest and not growing:
                return Status.STEP_TOO_SMALL
            self._ends = deque([(steps, t)])
        return self._forecast(steps, t)

    def _forecast(self, steps: int, t: float) -> Status | None:
        if self._duration is None or steps - self._window[-1][0] < self._many:
            return None
        self._window.append((steps, t))
        if len(self._window) < 3:
            return None
        (n0, t0), (n1, t1), (n2, t2) = self._window
        self._window.popleft()
        before, now = (t1 - t0) / (n1 - n0), (t2 - t1) / (n2 - n1)
        self._needed = (self._duration - t) / max(now, 1e-300)
        return Status.MAX_STEPS if self._needed > self._too_many and now < 2.0 * before else None


class _FilteredStdout:
    """Standard output without what some threads write."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.out: Any = None

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() in self.threads else int(self.out.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.out, name)


_filtered, _lock = _FilteredStdout(), threading.Lock()


@contextmanager
def silenced() -> Iterator[None]:
    """Suppress what libraries print or warn of in this thread: the statuses say the same."""
    me = threading.get_ident()
    with _lock:
        if not _filtered.threads:
            _filtered.out, sys.stdout = sys.stdout, _filtered
        outer = me in _filtered.threads
        _filtered.threads.add(me)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        with _lock:
            if not outer:
                _filtered.threads.remove(me)
            if not _filtered.threads and sys.stdout is _filtered:
                sys.stdout = _filtered.out

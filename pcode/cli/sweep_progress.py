"""How far a sweep is, on stderr: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..sweeps import SweepProgress
from .ending import say
from .progress import on_terminal

# Seconds between lines where stderr is no terminal.
BETWEEN = 10.0


class Estimate:
    """How long a sweep will take, from how fast points have ended since the first did.

    Those that ended first have compiled what the others use. Times are in seconds.
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def left(self, now: float, done: int, total: int) -> float | None:
        """Seconds left, or None where that is not known yet."""
        if self._first is None:
            self._first = now, done
            return None
        began, before = self._first
        if done <= before or now <= began:
            return None
        return (total - done) * (now - began) / (done - before)


def span(seconds: float) -> str:
    """A time in words, such as 40 s, 3 min or 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def told(now: SweepProgress, left: float | None) -> str:
    """How far a sweep is, in words."""
    failed = f", {now.failed} failed" if now.failed else ""
    estimate = f", about {span(left)} left" if left is not None and now.done < now.total else ""
    return f"{now.done} of {now.total} points{failed}{estimate}"


@contextmanager
def sweep_bar() -> Iterator[Callable[[SweepProgress], None]]:
    """A function to tell the progress of a sweep to."""
    estimate = Estimate()
    with _bar() as show:

        def tell(now: SweepProgress) -> None:
            if now.point is None:
                board = f", dashboard {now.dashboard}" if now.dashboard else ""
                many = f"{now.workers} worker{'s' * (now.workers != 1)}"
                begun = f"pcode: {now.total - now.done} of {now.total} points to run, {many}{board}"
                say(begun, err=True)
                show(now, told(now, None))
            else:
                show(now, told(now, estimate.left(time.monotonic(), now.done, now.total)))

        yield tell


@contextmanager
def _bar() -> Iterator[Callable[[SweepProgress, str], None]]:
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(bar_width=24), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with on_terminal(Progress(*columns, console=Console(stderr=True))) as bars:
        task = bars.add_task("")

        def show(now: SweepProgress, words: str) -> None:
            bars.update(task, completed=now.done, total=now.total, description=words)

        yield show


def _lines() -> Callable[[SweepProgress, str], None]:
    last = [time.monotonic()]

    def show(now: SweepProgress, words: str) -> None:
        if time.monotonic() - last[0] >= BETWEEN and now.point is not None:
            last[0] = time.monotonic()
            say(f"pcode: {words}", err=True)

    return show

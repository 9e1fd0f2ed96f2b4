"""Cases, each under a limit of time and memory, and what became of them."""

from __future__ import annotations

import math
import re
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import ClassVar

# Seconds that a case may compute, and how many times as long it may wait where others compute too; bytes that
# it may take; and characters of a message.
SECONDS, WAITS, MEMORY, LETTERS = 5.0, 6.0, 1e9, 300

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Hung(BaseException):
    """A case has taken longer than it may."""


@dataclass
class Tally:
    """What became of the cases of one part.

    Attributes
    ----------
    outcomes : Counter
        How many were read, refused, ...
    failures : list of str
        Those that should not be, each with what leads to it.
    slowest : float
        Seconds of the slowest case.
    loud : bool
        Whether failures are printed; of the class, for all.
    deadline : float
        Of `time.monotonic`, after which cases are counted as not reached; of the class, for all.
    """

    loud: ClassVar[bool] = False
    deadline: ClassVar[float] = math.inf

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def case(self, name: str, act: Callable[[], str], seconds: float = SECONDS) -> None:
        """Carry out one case: `act` says what became of it, and raises if that should not be."""
        if time.monotonic() > self.deadline:
            self.outcomes["not reached"] += 1
            return
        began, before = time.perf_counter(), peak()
        try:
            with limited(seconds):
                self.outcomes[act()] += 1
        except Hung:
            self.fail(f"{name}: takes more than {seconds} s: {_innermost()}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - which are what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
            self.fail(f"{name}: {type(error).__name__} at {place}: {str(error)[:200]!a}")
        self.slowest = max(self.slowest, time.perf_counter() - began)
        if peak() - before > MEMORY:
            self.fail(f"{name}: takes {(peak() - before) / 1e9:.2g} GB")

    def fail(self, what: str) -> None:
        """Note a failure, and say so at once where `loud`, as a part may not come to its end."""
        self.failures.append(what)
        if self.loud:
            print(f"  {what}", flush=True)  # noqa: T201

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return f"{told}; the slowest took {self.slowest:.2f} s; {len(self.failures)} failed"


_last: list[traceback.FrameSummary] = []


def _innermost() -> str:
    return ", ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno}" for f in _last[-4:])


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """A stretch that `Hung` ends after some time, where it is in Python by then."""
    began, computed = time.perf_counter(), time.process_time()

    def stop(_: int, frame: FrameType | None) -> None:
        waited = time.perf_counter() - began
        if time.process_time() - computed < 0.9 * seconds and waited < WAITS * seconds:
            signal.setitimer(signal.ITIMER_REAL, 0.2 * seconds)
            return
        _last[:] = traceback.extract_stack(frame)
        raise Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # Ignored first: `stop` might set the timer anew, for which there would be no handler any more.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def peak() -> float:
    """The most bytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)


def check_line(line: str, *names: str) -> None:
    """Raise ValueError unless an error is told as it should be: in one short line with these names in it."""
    if "\n" in line.rstrip("\n") or not line.strip():
        raise ValueError(f"not one line: {line[:300]!a}")
    if len(line.rstrip("\n")) > LETTERS:
        raise ValueError(f"{len(line)} letters: {line[:100]!a}")
    if CONTROL.search(line.rstrip("\n")):
        raise ValueError(f"control characters: {line!a}")
    for name in names:
        if name not in line:
            raise ValueError(f"{name} is not named: {line!a}")

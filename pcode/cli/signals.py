"""SIGINT and SIGTERM: end a run so that what was reached is kept, and all else at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal


class Stopped(BaseException):
    """Raised where a signal arrives and nothing is to be kept."""


class Signals:
    """While entered, catches SIGINT and SIGTERM.

    Attributes
    ----------
    received : int or None
        The first signal that came.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._count = 0
        self._mode: Literal["nothing", "computing", "saving"] = "nothing"
        self._before: dict[int, Any] = {}
        self._unraisable_before = sys.unraisablehook

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._before[signum] = signal.signal(signum, self._handle)
        self._unraisable_before = sys.unraisablehook
        sys.unraisablehook = self._unraisable
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        sys.unraisablehook = self._unraisable_before

    def _unraisable(self, error: sys.UnraisableHookArgs) -> None:
        # In a callback of the garbage collector `Stopped` gets no further; `received` is set all the same.
        if not isinstance(error.exc_value, Stopped):
            self._unraisable_before(error)

    def stop(self) -> bool:
        """Whether a signal has come."""
        return self.received is not None

    @contextmanager
    def keeping(self, mode: Literal["computing", "saving"]) -> Iterator[None]:
        """A stretch in which a first signal only sets `received`; a second one ends the process.

        Where results are saved, it does so after the file begun has been taken away again.
        """
        self._mode = mode
        try:
            yield
        finally:
            self._mode = "nothing"

    def _handle(self, signum: int, _: FrameType | None) -> None:
        self._count += 1
        self.received = self.received or signum
        if self._count >= (2 if self._mode == "computing" else 3):
            # Compiled code may be under way that no exception can leave.
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # a progress bar hides the cursor
            os._exit(128 + self.received)
        if self._mode == "nothing" or self._count > 1:
            raise Stopped

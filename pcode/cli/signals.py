"""SIGINT, SIGTERM and SIGHUP: end a run so that what was reached is kept, and all else at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..base.at_once import undo_all

# Those that are caught, where the system has them.
CAUGHT = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(BaseException):
    """Raised where a signal arrives, nothing is to be kept, and the process is not the command's own."""


class Signals:
    """While entered, catches SIGINT, SIGTERM and SIGHUP.

    A second signal ends the process at once, wherever it is: what is being written is taken away before.

    Parameters
    ----------
    own_process : bool
        Whether the process is there for the command alone. Then it ends with the first signal where nothing
        is to be kept, and signals that come after the block change nothing any more.

    Attributes
    ----------
    received : int or None
        The first signal that came.
    """

    def __init__(self, own_process: bool = False) -> None:
        self.received: int | None = None
        self._own = own_process
        self._keeping = self._held = self._due = self._ending = False
        self._before: dict[int, Any] = {}
        self._unraisable_before = sys.unraisablehook

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for signum in CAUGHT:
                # What nohup has set stays: the command is to outlive its terminal.
                if signum in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(signum) != signal.SIG_IGN:
                    self._before[signum] = signal.signal(signum, self._handle)
        self._unraisable_before = sys.unraisablehook
        sys.unraisablehook = self._unraisable
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, signal.SIG_IGN if self._own else handler)
        sys.unraisablehook = self._unraisable_before

    def _unraisable(self, error: sys.UnraisableHookArgs) -> None:
        # In a callback of the garbage collector `Stopped` gets no further; `received` is set all the same.
        if not isinstance(error.exc_value, Stopped):
            self._unraisable_before(error)

    def stop(self) -> bool:
        """Whether a signal has come."""
        return self.received is not None

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """A stretch in which a first signal only sets `received`: what was reached is to be saved in it."""
        self._keeping = True
        try:
            yield
        finally:
            self._keeping = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """A short stretch that is gone through to its end before the process may end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self._due:
                self._end()

    def _handle(self, signum: int, _: FrameType | None) -> None:
        first = self.received is None
        self.received = self.received or signum
        if first and self._keeping:
            return
        if first and not self._own:
            raise Stopped
        if self._held:
            self._due = True
        else:
            self._end()

    def _end(self) -> None:
        """End the process. Compiled code may be under way that no exception can leave."""
        if self._ending:  # one more signal, while what follows is under way
            return
        self._ending = True
        try:
            undo_all()
            if os.isatty(2):
                os.write(2, b"\x1b[?25h\n")  # a progress bar hides the cursor
        finally:
            os._exit(128 + (self.received or 0))

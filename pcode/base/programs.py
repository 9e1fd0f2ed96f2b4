"""What compiled and traced programs may take of the memory: they are dropped when it is more.

A program is kept for each size of network, for the next run of it. In a process that goes through many sizes
they would be kept for ever. They are dropped together, since JAX drops no single one, and made anew where
they are needed again. How much they take cannot be asked; so what the process has grown by counts, and where
that turns out to be something else, such as the user's results, more growth is waited for.
"""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

from . import evaluated
from ._jax import jax
from .memory import give_back

# Bytes by which the process may grow before programs are dropped, once a first run has loaded what all need.
ROOM = 40e6

# After fewer runs than this, programs are dropped that are still in use: then there may be more of them, up
# to so many times the room.
SOON, TIMES = 10, 12

_STATM = Path("/proc/self/statm")


class Room:
    """The memory that programs may take.

    Parameters
    ----------
    room : float
        Bytes by which the process may grow.
    """

    def __init__(self, room: float = ROOM) -> None:
        self._least = self._room = room
        self._floor: float | None = None
        self._runs = 0
        self._lock = threading.Lock()

    def check(self) -> bool:
        """Drop programs if the process has grown by more than it may; return whether it was so."""
        now, self._runs = resident(), self._runs + 1
        if self._floor is None:
            self._floor = now if self._runs > 1 else None
            return False
        if now - self._floor <= self._room or not self._lock.acquire(blocking=False):
            return False
        try:
            give_back()
            if resident() - self._floor <= self._room:  # it was memory that is free
                return False
            drop()
            left = resident()
            # Where that was no use, something else grows, and dropping programs time and again would be slow.
            if now - left < 0.5 * self._room:
                self._room *= 2.0
            elif self._runs < SOON:
                self._room = min(2.0 * self._room, TIMES * self._least)
            else:
                self._room = self._least
            self._floor, self._runs = max(left, self._floor), 0
            return True
        finally:
            self._lock.release()


def drop() -> None:
    """Drop all programs, and give their memory back to the system."""
    evaluated.forget()
    jax.clear_caches()
    gc.collect()
    give_back()


def resident() -> float:
    """Bytes of memory that the process has; 0 where the system does not tell."""
    try:
        return float(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0.0


room = Room()

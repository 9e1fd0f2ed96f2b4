"""What must not stay behind where the process ends at once, without the blocks around it being left.

A second Ctrl-C ends the process in the middle of anything, compiled code included, so that no ``finally`` is
reached. What a block has made and would take away again is told here while the block lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_UNDO: dict[object, Callable[[], object]] = {}


@contextmanager
def undone_at_once(undo: Callable[[], object]) -> Iterator[None]:
    """While entered, `undo` is called if the process ends at once; not when the block is left."""
    key = object()
    _UNDO[key] = undo
    try:
        yield
    finally:
        _UNDO.pop(key, None)


def undo_all() -> None:
    """Take away what there is to be taken away, the latest first."""
    for undo in reversed(list(_UNDO.values())):
        with suppress(OSError):
            undo()

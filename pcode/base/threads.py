"""Threads of the linear algebra that NumPy and SciPy call."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """Products of matrices on one thread, which for those of an integration is fastest.

    They are many and small. Several threads would wait for each other, and spin meanwhile, which takes a core
    from all else.
    """
    limited: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limited


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()

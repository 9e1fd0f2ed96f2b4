"""What stands in an upper room but is reached from objects of a lower one, such as ``run.plot``.

`pcode/__init__.py` registers how each is loaded, so that no room names one above it and nothing is imported
before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_loaders: dict[str, Callable[[], Any]] = {}


def register(name: str, load: Callable[[], Any]) -> None:
    """Let `load`, a function without arguments, give what is asked for by `name`."""
    _loaders[name] = load


def loaded(name: str) -> Any:
    """What was registered by `name`."""
    return _loaders[name]()

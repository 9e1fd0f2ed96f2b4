"""A registry for what is reached from a module that it imports, such as ``run.plot``.

`pcode/__init__.py` registers how each is loaded, so that no room imports one above it, no modules import one
another, and nothing is imported before it is needed.
"""

from __future__ import annotations

# That of typing, see `pcode/__init__.py`.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_loaders: dict[str, Callable[[], Any]] = {}


def register(name: str, load: Callable[[], Any]) -> None:
    """Register `load`, a function without arguments that returns the object called `name`."""
    _loaders[name] = load


def loaded(name: str) -> Any:
    """Load the object that was registered as `name`."""
    return _loaders[name]()

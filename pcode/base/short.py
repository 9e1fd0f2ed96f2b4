"""Short representations: objects that hold arrays show their shapes, not thousands of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

# Entries of an array or a list that are shown one by one, and letters of anything else.
FEW, LETTERS = 6, 80


class Short:
    """Mixin for dataclasses: their `repr` has the shapes of arrays, and the lengths of long lists."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Set here, or the decorator `dataclass` of the subclass would make one that shows everything.
        if "__repr__" not in vars(cls):
            cls.__repr__ = short_repr  # type: ignore[method-assign]


def short_repr(value: Any) -> str:
    """The `repr` of a dataclass or a named tuple, with `summary` of each of its fields."""
    names = value._fields if hasattr(value, "_fields") else [field.name for field in fields(value)]
    known = {name: getattr(value, name) for name in names}
    shown = (f"{name}={summary(part)}" for name, part in known.items() if part is not None)
    return f"{type(value).__name__}({', '.join(shown)})"


def summary(value: Any) -> str:
    """A value in few letters: the shape of an array, such as ``<4x2>``, and the length of a list."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        few = len(shape) < 2 and getattr(value, "size", FEW + 1) <= FEW and hasattr(value, "tolist")
        return repr(value.tolist()) if few else f"<{_product(shape)}>"
    if isinstance(value, Mapping):
        shown = (f"{key!r}: {summary(item)}" for key, item in value.items())
        return f"{{{', '.join(shown)}}}" if len(value) <= FEW else f"<{len(value):,} entries>"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return _listed(value)
    text = " ".join(repr(value).split())
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 3]}..."


def _listed(values: list[Any] | tuple[Any, ...]) -> str:
    if values and all(isinstance(getattr(value, "shape", None), tuple) for value in values):
        shapes = [_product(value.shape) for value in values]
        return f"<{', '.join(shapes if len(shapes) <= FEW else [*shapes[:2], '...', shapes[-1]])}>"
    if len(values) > FEW:
        return f"<{len(values):,} entries>"
    inside = ", ".join(map(summary, values))
    return f"[{inside}]" if isinstance(values, list) else f"({inside}{',' * (len(values) == 1)})"


def _product(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))

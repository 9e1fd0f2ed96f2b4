"""Phrases and symbols that several answers share."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.variables import parsed, parsed_entry


def counted(samples: Sequence[int]) -> str:
    """How many samples, in words."""
    return f"{len(samples)} sample" + ("" if len(samples) == 1 else "s")


def in_latex(name: str) -> str:
    """The symbol of an array or an entry, such as eps2 or x1[0], in LaTeX."""
    variable, layer, index = parsed_entry(name) or (*parsed(name), ())
    return f"${variable.label(layer, index)}$"

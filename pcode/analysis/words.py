"""Phrases that several answers share."""

from __future__ import annotations

from collections.abc import Sequence


def counted(samples: Sequence[int]) -> str:
    """How many samples, in words."""
    return f"{len(samples)} sample" + ("" if len(samples) == 1 else "s")

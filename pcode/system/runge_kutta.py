"""The classical Runge-Kutta method, for where a few steps of a fixed length will do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rk4_step(rate: Callable[[Any], Any], y: Any, h: Any) -> Any:
    """`y` after a step of length `h` along dy/dt = rate(y), shapes (N,); of order 4 (Kutta 1901)."""
    k1 = rate(y)
    k2 = rate(y + 0.5 * h * k1)
    k3 = rate(y + 0.5 * h * k2)
    k4 = rate(y + h * k3)
    return y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

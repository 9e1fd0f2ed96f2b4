"""The answer to `backprop` in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model.network import Array
from .gradients import Comparison

# Angles below this, in degrees, are rounding, and given as 0.
ROUNDING = 1e-9

# What the figures of a layer are.
LEGEND = (
    "each pair: angle in degrees between two arrays, and length of the first over that of the second "
    "(0, 1 if alike); nodes at rest, and in brackets as they are",
    "eps: nu^n eps^l and backpropagation's -B dL/dmu^l; M flow: nu^n delta dM^l/dt without decay and "
    "-dL/dM^l; W to M^T: W^l and the transpose of M^l",
)


def headline(rest: Comparison, nu: float) -> str:
    """How near errors and flow are at rest, in one line."""
    return (
        f"at rest the weights' flow is {_within(rest.flow_angle)} the gradient's descent, "
        f"the errors {_within(rest.error_angle).split(' degrees')[0]} (nu^n = {nu:g})"
    )


def layer_lines(about: str, rest: Comparison, now: Comparison) -> list[str]:
    """The comparison layer by layer, with the nodes at rest and as they are."""
    return [
        f"{about}; angle in degrees and relative size, nodes at rest (as they are):",
        *(
            f"  layer {k + 1}  eps {_pair(rest[0:2], k)} ({_pair(now[0:2], k)})"
            f"   M{k} flow {_pair(rest[2:4], k)} ({_pair(now[2:4], k)})"
            f"   W{k} to M{k}^T {_pair(rest[4:6], k)}"
            for k in range(len(rest.error_angle))
        ),
    ]


def variance_lines(variances: Array, by_variance: Comparison) -> list[str]:
    """The largest angle of the flow for several output variances."""
    if variances.size < 2:
        return []
    angles = (f"{nu:g}: {_most(a)}" for nu, a in zip(variances, by_variance.flow_angle, strict=True))
    return [f"as nu^n grows, largest angle of the flow: {', '.join(angles)}"]


def ratio_lines(ratios: Array, ratio_angle: Array, ratio_lag: Array) -> list[str]:
    """Angle and lag of the flow for several tau/delta."""
    lines = []
    for ratio, angles, lag in zip(ratios, ratio_angle, ratio_lag, strict=True):
        if np.isnan(lag).all():
            lines.append(f"tau/delta = {ratio:.3g}: the simulation failed, or took too many steps")
            continue
        lines.append(
            f"tau/delta = {ratio:.3g}: after one delta the flow is {_within(angles)} the gradient's "
            f"descent, and lags behind that of nodes at rest by {_short(100 * np.nanmax(lag))}%"
        )
    return lines


def _within(angles: Array) -> str:
    """How far the angles go, in words: being within a right angle says something, being beyond it not."""
    far = bool((angles[np.isfinite(angles)] > 90.0).any())
    return f"{'up to' if far else 'within'} {_most(angles)} degrees {'off' if far else 'of'}"


def _most(angles: Array) -> str:
    known = angles[np.isfinite(angles)]
    return _short(known.max()) if known.size else "unknown"


def _short(number: float) -> str:
    if number < ROUNDING:
        return "0"
    return f"{number:.2g}" if number < 99.5 else f"{number:.0f}"


def _pair(parts: Sequence[Array], k: int) -> str:
    turned, size = parts[0][k], parts[1][k]
    return f"{_short(turned)}, {size:.2g}" if np.isfinite(turned) else "none"

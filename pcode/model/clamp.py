"""Clamps that change in time: piecewise polynomials, and functions of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy

from ..base._jax import jax, jnp
from ..base.errors import InputError
from ..base.vectors import largest
from .expression import Expression
from .network import Array

# A function of time is evaluated at the ends of this many equal parts of a phase before anything runs.
SCAN_POINTS = 4_096

# Number of successive refinements in search of a pole, and the factor by which a function must grow at each.
ZOOMS, POLE = 3, 8.0

# A function's total variation over a phase is divided into this many equal parts; no step crosses an end of
# one.
PARTS = 64


class Pieces(NamedTuple):
    """A clamp as a piecewise polynomial in t, with K pieces of which the first and the last are constant.

    Attributes
    ----------
    edges : array, shape (K - 1,)
        Where one piece ends and the next begins.
    origin : array, shape (K,)
        Each piece is a polynomial in t - origin.
    coefficients : array, shape (K, D + 1, B, n_l)
        Coefficients of the powers 0..D; 0 where a node is free.
    first, last : scalar
        Indices of the first and last piece in use. They restrict evaluation to the interval between two
        jumps, and so decide whether the value before or after a jump is returned at its time.
    """

    edges: Any
    origin: Any
    coefficients: Any
    first: Any
    last: Any

    def at(self, t: Any, xp: Any = jnp) -> Any:
        """Values at time `t`, shape (B, n_l)."""
        # The default method is a loop, which XLA does not fuse with anything.
        how = {} if xp is np else {"method": "scan_unrolled"}
        edges, origin, coefficients = map(xp.asarray, (self.edges, self.origin, self.coefficients))
        k = xp.clip(xp.searchsorted(edges, t, side="right", **how), self.first, self.last).astype(int)
        powers, s = coefficients[k], t - origin[k]
        value = powers[-1]
        for d in range(len(powers) - 2, -1, -1):
            value = value * s + powers[d]
        return value

    def between(self, begin: float, end: float) -> Pieces:
        """Restricted to `begin`..`end`: the values after a jump at `begin` and before a jump at `end`."""
        edges = np.asarray(self.edges)
        first = np.searchsorted(edges, begin, side="right")
        last = np.searchsorted(edges, end, side="left")
        # Float arrays, because another type would trigger another compilation.
        return self._replace(first=np.array(first, float), last=np.array(max(first, last), float))


class Function:
    """A clamp as a function of the phase's own time, which JAX can trace.

    Parameters
    ----------
    f : callable
        ``f(t)`` returns shape (B, n_l), or (n_l,) for all samples alike. A node for which it is NaN is free,
        and must be so at all times.

    Raises
    ------
    InputError
        If JAX cannot trace it, or it returns something else.
    """

    def __init__(self, f: Callable[[Any], Any]) -> None:
        self.f = f
        if len(self.shape) not in (1, 2) or 0 in self.shape:
            what = f"returns shape {self.shape} at time t; must be (samples, nodes), or (nodes,)"
            raise InputError("", what)

    # By the identity of the function, so that compiled code is reused.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Function) and self.f is other.f

    def __hash__(self) -> int:
        return hash(id(self.f))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        try:
            made = jax.eval_shape(lambda t: jnp.asarray(self.f(t)), jnp.zeros(()))
        except Exception as error:
            lines = str(error).strip().splitlines()
            reason = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
            what = f"fails when JAX traces it ({reason}); must be a function f(t) in jax.numpy"
            raise InputError("", what) from error
        if not (jnp.issubdtype(made.dtype, jnp.floating) or jnp.issubdtype(made.dtype, jnp.integer)):
            raise InputError("", f"returns {made.dtype} at time t; must be real numbers")
        shape: tuple[int, ...] = made.shape
        return shape

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.shape[-1]

    @property
    def rows(self) -> int | None:
        """Number of samples; None if all share the same values."""
        return self.shape[0] if len(self.shape) == 2 else None

    def at(self, t: Any) -> Any:
        """Values at time `t` of the phase."""
        return jnp.asarray(self.f(t)).astype(float)


Curve = Function | Expression


@partial(jax.jit, static_argnames="curve")
def _at(curve: Curve, t: Any) -> Any:
    return curve.at(t)


def curve_at(curve: Curve, t: float) -> Array:
    """Values of `curve` at time `t`: shape (B, n_l), (n_l,) or (1,)."""
    return np.asarray(_at(curve, float(t)))


@partial(jax.jit, static_argnames="curve")
def _scan(curve: Curve, times: Any) -> tuple[Any, Any, Any]:
    """At each time: the change since the time before, the size, and whether the clamped values are finite."""
    begin = curve.at(times[0])
    free = jnp.asarray(curve.free) if isinstance(curve, Expression) else jnp.isnan(begin)

    def step(before: Any, t: Any) -> tuple[Any, Any]:
        now = curve.at(t)
        right = (jnp.isfinite(now) | free) & (jnp.isnan(now) | ~free)
        moved, size = (jnp.max(jnp.where(free, 0.0, jnp.abs(v))) for v in (now - before, now))
        return now, (moved, size, right.all())

    found: tuple[Any, Any, Any] = jax.lax.scan(step, begin, times)[1]
    return found


@dataclass(frozen=True, eq=False)
class ClampSchedule:
    """When the clamps of a phase change, in the phase's own time.

    Attributes
    ----------
    stops : ndarray
        Increasing times in (0, duration], the last of which is the end; no solver step crosses one. They are
        the jumps and kinks of time series, and times at which a function has moved by a given amount.
    jumps : ndarray
        The stops before the end at which a clamp jumps.
    constant_from : float
        Time from which all clamps are constant.
    largest : float
        Largest absolute value of a clamp.
    """

    stops: Array
    jumps: Array
    constant_from: float
    largest: float

    def with_stops(self, times: Array) -> ClampSchedule:
        """The same with additional stops; those outside the phase are left out."""
        inside = times[(times > 0.0) & (times < self.stops[-1])]
        return replace(self, stops=np.union1d(self.stops, inside)) if inside.size else self

    def interval(self, t: float, side: str) -> tuple[float, float]:
        """The interval between two jumps that contains `t`; at a jump, `side` ("left" or "right") chooses."""
        k = int(np.searchsorted(self.jumps, t, side="left" if side == "left" else "right"))
        begin = float(self.jumps[k - 1]) if k else 0.0
        return begin, float(self.jumps[k] if k < self.jumps.size else self.stops[-1])


def phase_schedule(schedules: Sequence[ClampSchedule], duration: float) -> ClampSchedule:
    """The schedule of a phase of this `duration`, from those of its clamps."""
    return ClampSchedule(
        np.append(_inside([schedule.stops for schedule in schedules], duration), duration),
        _inside([schedule.jumps for schedule in schedules], duration),
        max((0.0, *(schedule.constant_from for schedule in schedules))),
        max((0.0, *(schedule.largest for schedule in schedules))),
    )


def _inside(times: Sequence[Array], duration: float) -> Array:
    """All of several `times` between 0 and `duration`, each once."""
    if not any(some.size for some in times):
        return np.empty(0)
    whole = np.unique(np.concatenate(times))
    return whole[(whole > 0.0) & (whole < duration)]


def constant_schedule(values: Array) -> ClampSchedule:
    """The schedule of a constant clamp."""
    none = np.empty(0)
    return ClampSchedule(none, none, 0.0, largest(values))


def curve_schedule(curve: Curve, duration: float) -> ClampSchedule:
    """The schedule of a function of time, from its values at evenly spaced times.

    Raises
    ------
    InputError
        If it is not finite, or leaves a node free at some times only.
    """
    times = np.linspace(0.0, duration, SCAN_POINTS + 1)
    moved, size, right = map(np.asarray, _scan(curve, times))
    if not right.all():
        t = times[np.argmin(right)]
        row = curve_at(curve, t).ravel()
        wrong = row[~np.isfinite(row)]
        found = f"is {wrong[0]:g} at t = {t:g}" if wrong.size else f"leaves another node free at t = {t:g}"
        what = f"{found} of a phase from t = 0 to {duration:g}; must be finite at all times of the phase"
        raise InputError("", what)
    _refuse_pole(curve, times, size)
    travelled = np.cumsum(moved)
    if travelled[-1] == 0.0:
        return ClampSchedule(np.empty(0), np.empty(0), 0.0, float(size.max()))
    # Where the clamp is constant steps grow long; the stops keep them from skipping a later change.
    parts = np.searchsorted(travelled, travelled[-1] * np.arange(PARTS) / PARTS, side="right")
    last = int(np.flatnonzero(moved)[-1])
    constant_from = times[last] if last < SCAN_POINTS else np.inf
    stops = np.unique(np.append(times[np.maximum(parts - 1, 0)], times[last]))
    return ClampSchedule(stops, np.empty(0), float(constant_from), float(size.max()))


def _refuse_pole(curve: Curve, times: Array, size: Array) -> None:
    """Raise InputError if the function keeps growing when its maximum is resolved ever more finely.

    If a time is exactly a pole, as 1/2 is of tan(pi t), rounding gives a value there far above those at
    neighbouring times, however close: so these are compared too.
    """
    for _ in range(ZOOMS):
        top, before = int(size.argmax()), float(size.max())
        times = np.linspace(times[max(top - 1, 0)], times[min(top + 1, SCAN_POINTS)], SCAN_POINTS + 1)
        size = np.asarray(_scan(curve, times)[1])
        top = int(size.argmax())
        beside = max(size[max(top - 1, 0) : top].max(initial=0.0), size[top + 1 : top + 2].max(initial=0.0))
        if size[top] <= POLE * min(before, beside):
            return
    t = times[SCAN_POINTS // 2]
    what = f"grows beyond all bounds near t = {t:g}; must be finite at all times of the phase"
    raise InputError("", what)


def pieces_through(t: Array, values: Array, cubic: bool) -> Pieces:
    """The curve through `values`, shape (T, B, n_l), at the times `t`; a time given twice is a jump.

    Piecewise linear, or a cubic spline between each two jumps; constant beyond the ends. The caller has to
    check for overflow.
    """
    bounds = [0, *(np.flatnonzero(t[1:] == t[:-1]) + 1).tolist(), t.size]
    intervals = [slice(a, b) for a, b in pairwise(bounds) if b - a > 1]
    curve = _spline if cubic else _lines
    with np.errstate(all="ignore"):
        inner = [curve(t[part], values[part]) for part in intervals]
    degree = 3 if cubic else 1
    held = np.zeros((2, degree + 1, *values.shape[1:]))
    held[:, 0] = values[[0, -1]]
    begins = [t[part][:-1] for part in intervals]
    return Pieces(
        edges=np.unique(t),
        origin=np.concatenate([t[:1], *begins, t[-1:]]),
        coefficients=np.concatenate([held[:1], *inner, held[1:]]),
        first=np.zeros(()),
        last=np.array(np.unique(t).size, float),
    )


def _lines(t: Array, values: Array) -> Array:
    slopes = np.diff(values, axis=0) / np.diff(t)[:, None, None]
    return np.stack([values[:-1], slopes], axis=1)


def _spline(t: Array, values: Array) -> Array:
    """Coefficients of SciPy's CubicSpline; NaN if it fails, as when values overflow."""
    try:
        highest_first = scipy.interpolate.CubicSpline(t, values).c
    except (ValueError, np.linalg.LinAlgError):
        return np.full((t.size - 1, 4, *values.shape[1:]), np.nan)
    found: Array = np.moveaxis(highest_first[::-1], 0, 1)
    return found

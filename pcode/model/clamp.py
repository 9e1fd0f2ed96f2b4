"""Clamps that move: polynomials in time, piece by piece, and functions of time."""

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
from .expression import Expression
from .network import Array

# Times, evenly spread over a phase, at which a function is looked at before anything runs.
LOOKS = 4_096

# Looks closer and closer, and by how much a function is larger at each where it has a pole.
ZOOMS, POLE = 3, 8.0

# Parts of equal movement that a function's course is divided into; no step goes over an end of one.
PARTS = 64


class Pieces(NamedTuple):
    """A clamp that is a polynomial in t on each of K pieces in turn; the first and the last are constant.

    Attributes
    ----------
    edges : array, shape (K - 1,)
        Where one piece ends and the next begins.
    origin : array, shape (K,)
        Time from which each piece's polynomial counts.
    coefficients : array, shape (K, D + 1, B, n_l)
        Of the powers 0..D; 0 where a node is free.
    first, last : scalar
        Numbers of the pieces between the steps beside which time now stands: at a step it is these that say
        whether the value before or after it is meant.
    """

    edges: Any
    origin: Any
    coefficients: Any
    first: Any
    last: Any

    def at(self, t: Any, xp: Any = jnp) -> Any:
        """Values at time `t`, shape (B, n_l)."""
        # The default would be a loop, which XLA does not fuse with anything.
        how = {} if xp is np else {"method": "scan_unrolled"}
        k = xp.clip(xp.searchsorted(self.edges, t, side="right", **how), self.first, self.last).astype(int)
        powers, s = self.coefficients[k], t - self.origin[k]
        value = powers[-1]
        for d in range(len(powers) - 2, -1, -1):
            value = value * s + powers[d]
        return value

    def between(self, begin: float, end: float) -> Pieces:
        """The same, from `begin` to `end`; at steps there, after the one and before the other."""
        edges = np.asarray(self.edges)
        first = np.searchsorted(edges, begin, side="right")
        last = np.searchsorted(edges, end, side="left")
        # Arrays: numbers of another type would be compiled for once more.
        return self._replace(first=np.array(first, float), last=np.array(max(first, last), float))


class Function:
    """A clamp as a function of the phase's own time, which JAX can trace.

    Parameters
    ----------
    f : callable
        ``f(t)`` returns shape (B, n_l), or (n_l,) for all samples alike. NaN leaves a node free, and then
        at all times.

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

    # By the function itself: what was compiled for it serves wherever it is used.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Function) and self.f is other.f

    def __hash__(self) -> int:
        return hash(id(self.f))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of what it returns."""
        try:
            made = jax.eval_shape(lambda t: jnp.asarray(self.f(t)), jnp.zeros(()))
        except Exception as error:
            lines = str(error).strip().splitlines()
            told = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
            what = f"fails when JAX traces it ({told}); must be a function f(t) in jax.numpy"
            raise InputError("", what) from error
        if not (jnp.issubdtype(made.dtype, jnp.floating) or jnp.issubdtype(made.dtype, jnp.integer)):
            raise InputError("", f"returns {made.dtype} at time t; must be real numbers")
        shape: tuple[int, ...] = made.shape
        return shape

    @property
    def nodes(self) -> int:
        """How many nodes it is for."""
        return self.shape[-1]

    @property
    def rows(self) -> int | None:
        """How many samples it is for; None where it is for all alike."""
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
def _looks(curve: Curve, times: Any) -> tuple[Any, Any, Any]:
    """At each time: how far it is from the value before, its size, and whether the right ones are finite."""
    begin = curve.at(times[0])
    free = jnp.asarray(curve.free) if isinstance(curve, Expression) else jnp.isnan(begin)

    def look(before: Any, t: Any) -> tuple[Any, Any]:
        now = curve.at(t)
        right = (jnp.isfinite(now) | free) & (jnp.isnan(now) | ~free)
        moved, size = (jnp.max(jnp.where(free, 0.0, jnp.abs(v))) for v in (now - before, now))
        return now, (moved, size, right.all())

    found: tuple[Any, Any, Any] = jax.lax.scan(look, begin, times)[1]
    return found


@dataclass(frozen=True, eq=False)
class Course:
    """When the clamps of a phase move, in its own time.

    Attributes
    ----------
    stops : ndarray
        Rising times in (0, duration], the last is its end; no step goes over one of them. They are the
        steps and the kinks of time series, and what a function's course is divided by.
    jumps : ndarray
        Those of them before the end at which a clamp steps.
    still_from : float
        From when on no clamp moves.
    largest : float
        Largest size of a clamped value.
    """

    stops: Array
    jumps: Array
    still_from: float
    largest: float

    def stopping(self, times: Array) -> Course:
        """The same, with further times that no step goes over; those beyond its end are left out."""
        inside = times[(times > 0.0) & (times < self.stops[-1])]
        return replace(self, stops=np.union1d(self.stops, inside)) if inside.size else self

    def stretch(self, t: float, side: str) -> tuple[float, float]:
        """Begin and end of the stretch without steps that `t` is in; at a step that before or after it."""
        k = int(np.searchsorted(self.jumps, t, side="left" if side == "left" else "right"))
        begin = float(self.jumps[k - 1]) if k else 0.0
        return begin, float(self.jumps[k] if k < self.jumps.size else self.stops[-1])


def course_of(courses: Sequence[Course], duration: float) -> Course:
    """That of a phase of this `duration`, from those of its clamps, which know nothing of it."""
    inside = [np.unique(np.concatenate([np.empty(0), *times])) for times in (
        [course.stops for course in courses], [course.jumps for course in courses]
    )]  # fmt: skip
    stops, jumps = (times[(times > 0.0) & (times < duration)] for times in inside)
    return Course(
        np.append(stops, duration),
        jumps,
        max((0.0, *(course.still_from for course in courses))),
        max((0.0, *(course.largest for course in courses))),
    )


def course_of_constant(values: Array) -> Course:
    """That of a clamp that does not move."""
    none = np.empty(0)
    return Course(none, none, 0.0, float(np.nanmax(np.abs(values), initial=0.0)))


def course_of_curve(curve: Curve, duration: float) -> Course:
    """The course of a function of time, as far as `LOOKS` looks at it tell.

    Raises
    ------
    InputError
        If it is not finite, or leaves a node free at some times only.
    """
    times = np.linspace(0.0, duration, LOOKS + 1)
    moved, size, right = map(np.asarray, _looks(curve, times))
    if not right.all():
        t = times[np.argmin(right)]
        row = curve_at(curve, t).ravel()
        wrong = row[~np.isfinite(row)]
        told = f"is {wrong[0]:g} at t = {t:g}" if wrong.size else f"leaves another node free at t = {t:g}"
        what = f"{told} of a phase from t = 0 to {duration:g}; must be finite at all times of the phase"
        raise InputError("", what)
    _refuse_pole(curve, times, size)
    travelled = np.cumsum(moved)
    if travelled[-1] == 0.0:
        return Course(np.empty(0), np.empty(0), 0.0, float(size.max()))
    # Steps grow long where nothing moves: these see to it that they do not go over where it then does.
    parts = np.searchsorted(travelled, travelled[-1] * np.arange(PARTS) / PARTS, side="right")
    last = int(np.flatnonzero(moved)[-1])
    still_from = times[last] if last < LOOKS else np.inf
    stops = np.unique(np.append(times[np.maximum(parts - 1, 0)], times[last]))
    return Course(stops, np.empty(0), float(still_from), float(size.max()))


def _refuse_pole(curve: Curve, times: Array, size: Array) -> None:
    """Raise InputError where the function is larger the closer one looks at where it is largest.

    Where a look falls onto the pole itself, as that of tan(pi t) at 1/2, rounding leaves a number there
    that no look beside it comes near, however close.
    """
    for _ in range(ZOOMS):
        top, before = int(size.argmax()), float(size.max())
        times = np.linspace(times[max(top - 1, 0)], times[min(top + 1, LOOKS)], LOOKS + 1)
        size = np.asarray(_looks(curve, times)[1])
        top = int(size.argmax())
        beside = max(size[max(top - 1, 0) : top].max(initial=0.0), size[top + 1 : top + 2].max(initial=0.0))
        if size[top] <= POLE * min(before, beside):
            return
    what = f"grows beyond all bounds near t = {times[LOOKS // 2]:g}; must be finite at all times of the phase"
    raise InputError("", what)


def pieces_through(t: Array, values: Array, cubic: bool) -> Pieces:
    """The curve through `values`, shape (T, B, n_l), at the times `t`, in which a time given twice is a step.

    Lines from one time to the next, or cubic splines from one step to the next; constant beyond the ends.
    What overflows is left for the caller to find.
    """
    bounds = [0, *(np.flatnonzero(t[1:] == t[:-1]) + 1).tolist(), t.size]
    stretches = [slice(a, b) for a, b in pairwise(bounds) if b - a > 1]
    curve = _spline if cubic else _lines
    with np.errstate(all="ignore"):
        inner = [curve(t[part], values[part]) for part in stretches]
    degree = 3 if cubic else 1
    held = np.zeros((2, degree + 1, *values.shape[1:]))
    held[:, 0] = values[[0, -1]]
    begins = [t[part][:-1] for part in stretches]
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
    """Those of SciPy's CubicSpline; NaN where it finds none, as where values overflow."""
    try:
        highest_first = scipy.interpolate.CubicSpline(t, values).c
    except (ValueError, np.linalg.LinAlgError):
        return np.full((t.size - 1, 4, *values.shape[1:]), np.nan)
    found: Array = np.moveaxis(highest_first[::-1], 0, 1)
    return found

"""The distances of a phase's nodes from their rest, closely in time, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...model.network import Array
from ..spectra.modes import Eigenvalues, node_eigenvalues
from .measures import DEEPEST, Decay, decay_of, settling_bracket, settling_time
from .path import NOISE, Path

# Nodes lag behind a rest that moves; a distance is that of settling where it is this many times larger.
ABOVE_LAG = 10.0

# The start is forgotten after this many times the time constant of the slowest mode.
FORGOTTEN = 10.0


@dataclass(frozen=True, eq=False)
class Curve:
    """Distances from rest, values of layers 0..n before errors of layers 1..n: K columns.

    Attributes
    ----------
    path : Path
    t, distance : ndarray, shapes (S,), (S, K)
        Between the moments as well. NaN of clamped layers, and where there is no rest.
    at_moments : ndarray, shape (T, K)
        At the moments of the path.
    overshoot : ndarray, shape (n + 1,)
    slowest, fastest, slowest_end : complex
        See `PhaseConvergence`.
    ringing : float
        The longest period with which a mode of the nodes rings visibly; 0 for none.
    """

    path: Path
    t: Array
    distance: Array
    at_moments: Array
    overshoot: Array
    slowest: complex
    fastest: complex
    slowest_end: complex
    ringing: float

    @classmethod
    def of(cls, path: Path, at_rest: bool) -> Curve:
        """The distances along `path`."""
        n, nan = path.begin.n, complex("nan")
        if not at_rest:
            nothing = np.full((path.t.size, 2 * n + 1), np.nan)
            return cls(path, path.t, nothing, nothing, np.full(n + 1, np.nan), nan, nan, nan, 0.0)
        modes = [_modes(path, k) for k in ((0, -1) if path.begin.phase.learn else (-1,))]
        (slowest, fastest), (slowest_end, _) = _extremes(modes[0]), _extremes(modes[-1])
        lasting = -max(slowest.real, slowest_end.real)
        beyond = _Beyond()
        times, distances = [], []
        for t, parts in path.deviations(max(lasting, 0.0)):
            beyond.look_at(parts[: n + 1])
            times.append(t[: None if t[-1] == path.t[-1] else -1])
            distances.append(_distances(parts)[: times[-1].size])
        t, distance = np.concatenate(times), np.concatenate(distances)
        at_moments = _distances(path.deviations_at_moments())
        clamped = [layer for layer in path.begin.phase.clamp if path.begin.clamped(layer)]
        distance[:, clamped] = at_moments[:, clamped] = np.nan
        made = cls(path, t, distance, at_moments, np.empty(0), slowest, fastest, slowest_end, _ringing(modes))
        over = np.full(n + 1, np.nan) if made.starts_at_rest else beyond.over(made.resolved[: n + 1])
        over[clamped] = np.nan
        return replace(made, overshoot=over)

    @property
    def count(self) -> int:
        """How many columns."""
        return int(self.distance.shape[1])

    @property
    def largest(self) -> Array:
        """The largest distances, shape (K,)."""
        largest: Array = self.distance.max(axis=0)
        return largest

    @property
    def resolved(self) -> Array:
        """The least distances that can be distinguished from rounding, shape (K,)."""
        state = self.path.end.state
        sizes = [np.sqrt((np.asarray(part) ** 2).sum(axis=1).mean()) for part in (*state.x, *state.eps)]
        return NOISE * (self.path.atol + self.path.rtol * np.array(sizes))

    @property
    def starts_at_rest(self) -> bool:
        """Whether the nodes start no farther from their rest than they lag behind it as it moves.

        Then there is no settling to measure, only that lag.
        """
        if not self.path.begin.phase.learn:
            return False
        start, free = self.distance[0], np.isfinite(self.largest)
        # Not the lag of the first moments, between which the rest has hardly moved.
        later = FORGOTTEN / max(-self.slowest_end.real, 1e-300)
        lag = np.interp(later, self.path.t, self._lags()) / ABOVE_LAG
        lags_only = np.sqrt((start[free] ** 2).sum()) <= lag
        return bool(lags_only or (start[free] <= self.resolved[free]).all())

    def settling(self, fraction: float) -> tuple[Array, float]:
        """Settling times, shape (K,), and the longest time that one was interpolated over."""
        times, bracket = np.full(self.count, np.nan), 0.0
        if self.starts_at_rest:
            return np.where(np.isfinite(self.largest), 0.0, np.nan), bracket
        for k in np.flatnonzero(np.isfinite(self.largest)):
            d = self.distance[:, k]
            if self.largest[k] <= self.resolved[k]:
                times[k] = 0.0
            elif fraction * self.largest[k] > self.resolved[k]:
                times[k] = settling_time(self.t, d, fraction)
                bracket = max(bracket, settling_bracket(self.t, d, fraction))
        return times, bracket

    def notes(self, fraction: float) -> tuple[str, ...]:
        """Notes on nodes for which the integration does not resolve as small a part as is asked for."""
        small = (self.largest > self.resolved) & (fraction * self.largest <= self.resolved)
        if self.starts_at_rest or not small.any():
            return ()
        n = self.path.begin.n
        names = [f"x{k}" if k <= n else f"eps{k - n}" for k in np.flatnonzero(small)]
        return (
            f"{', '.join(names)} start so near their rest that {100 * fraction:g}% of it is not told from "
            f"rounding; a larger fraction would be",
        )

    def decays(self) -> list[Decay]:
        """Fits of every column, and of all together."""
        if self.starts_at_rest:
            return [Decay()] * (self.count + 1)
        floor = np.interp(self.t, self.path.t, self._lags())
        together = np.sqrt(np.nansum(self.distance**2, axis=1))
        columns = [*self.distance.T, together]
        return [Decay() if np.isnan(d).any() else decay_of(self.t, d, floor, self.ringing) for d in columns]

    def _lags(self) -> Array:
        """Distances, shape (T,), by which nodes lag: the speed of their rest over their slowest rate."""
        return ABOVE_LAG * self.path.rest_speed() / max(-self.slowest_end.real, 1e-300)

    def lag(self) -> Array:
        """Distances at the end of a phase that learns, shape (K,), where the start is forgotten."""
        rate = -max(self.slowest.real, self.slowest_end.real)
        if not self.path.begin.phase.learn or not rate > 0.0:
            return np.full(self.count, np.nan)
        last = self.distance[-1]
        left = self.largest * np.exp(-rate * self.path.t[-1])
        told = np.where(left < 0.1 * last, last, np.nan)
        return np.where(np.maximum(left, last) <= self.resolved, 0.0, told)


class _Beyond:
    """How far nodes went beyond their rest, as parts of a path come by."""

    def __init__(self) -> None:
        self._first: list[Array] = []
        self._most: Array = np.zeros(0)

    def look_at(self, parts: list[Array]) -> None:
        """Go on with deviations, shapes (S, B, n_l), of layers 0..n."""
        if not self._first:
            self._first, self._most = [part[0] for part in parts], np.zeros(len(parts))
        pairs = zip(self._first, parts, strict=True)
        most = [float((-np.sign(first) * part).max(initial=0.0)) for first, part in pairs]
        self._most = np.maximum(self._most, most)

    def over(self, resolved: Array) -> Array:
        """The farthest of each layer, over its largest first distance; NaN where that is not `resolved`."""
        scale = np.array([np.abs(first).max(initial=0.0) for first in self._first])
        far = scale > resolved
        return np.where(far, self._most / np.where(far, scale, 1.0), np.nan)


def _modes(path: Path, k: int) -> Eigenvalues:
    return node_eigenvalues(replace(path.moments[k].there, state=path.rests[k]).problem())


def _extremes(eigenvalues: Eigenvalues) -> tuple[complex, complex]:
    """Those with the largest and the smallest real part, zeros left out; NaN for what is not known."""
    values = eigenvalues.moving if eigenvalues.moving.size else eigenvalues.values
    smallest = complex(values[values.real.argmin()]) if eigenvalues.exact else complex("nan")
    return complex(values[values.real.argmax()]), smallest


def _ringing(modes: list[Eigenvalues]) -> float:
    """The longest period of those that are not over within half of it, as far as a fit goes down."""
    values = np.concatenate([part.moving for part in modes])
    seen = values[(np.pi * np.abs(values.real) < -np.log(DEEPEST) * np.abs(values.imag))]
    return float(2.0 * np.pi / np.abs(seen.imag).min()) if seen.size else 0.0


def _distances(deviations: list[Array]) -> Array:
    """Root mean square over samples of the norm, shape (T, K)."""
    return np.stack([np.sqrt((part**2).sum(axis=2).mean(axis=1)) for part in deviations], axis=1)

"""Moments of time series of values that depend on each other, and how many independent values they are worth.

The integrated autocorrelation time is T_int = dt (1 + 2 sum_k rho_k), so that the mean over a time T has the
variance of T / T_int independent values. The sum ends at the first lag of WINDOW times its own result
(Sokal 1997, section 3): further correlations are noise.
"""

from __future__ import annotations

import numpy as np

from ...model.network import Array

# Lags up to which correlations are added, in integrated autocorrelation times.
WINDOW = 5.0

# Most numbers to transform at once.
CHUNK = 4_000_000


def autocorrelation_times(values: Array, dt: float) -> Array:
    """Integrated autocorrelation times, at least `dt`, of series `values`, shape (K, ...); shape (...)."""
    count = len(values)
    series = values.reshape(count, -1)
    size = max(1, CHUNK // (2 * count))
    parts = (_times(series[:, k : k + size], dt) for k in range(0, series.shape[1], size))
    found: Array = np.concatenate([*parts, np.zeros(0)]).reshape(values.shape[1:])
    return found


def _times(series: Array, dt: float) -> Array:
    count = len(series)
    padded = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(series - series.mean(axis=0), n=padded, axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, n=padded, axis=0)[:count]
    variance = covariance[0]
    rho = covariance / np.where(variance > 0.0, variance, 1.0)
    sums = 2.0 * np.cumsum(rho, axis=0) - 1.0
    enough = np.arange(count)[:, np.newaxis] >= WINDOW * sums
    enough[-1] = True
    ends = np.argmax(enough, axis=0)
    chosen = np.take_along_axis(sums, ends[np.newaxis], axis=0)[0]
    times: Array = dt * np.maximum(chosen, 1.0)
    return times


def covariances(values: Array) -> Array:
    """Covariance of series of B samples with m nodes each, shapes (K, B, m) and (B, m, m)."""
    off = values - values.mean(axis=0)
    found: Array = np.einsum("kbi,kbj->bij", off, off, optimize=True) / len(values)
    return found

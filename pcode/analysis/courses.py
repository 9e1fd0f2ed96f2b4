"""How the weights drifted and the energies went in a phase of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..network import Array
from ..run import Run

# A rise of an energy by less than this many times rtol of its largest value is not told from rounding.
NOISE = 10.0


@dataclass(frozen=True)
class EnergyCourse:
    """How an energy, summed over layers, went in a phase; dimensionless.

    Attributes
    ----------
    first, last, largest : float
    largest_at : float
        When, since the phase's start.
    rise : float
        Sum of its rises between saved times.
    rises_at : float
        When, since the phase's start, it first begins to rise; NaN if it never does.
    """

    first: float
    last: float
    largest: float
    largest_at: float
    rise: float
    rises_at: float


@dataclass(frozen=True)
class WeightDrift:
    """How the prediction weights M^0..M^{n-1} moved in a phase; arrays of shape (n,).

    Attributes
    ----------
    change : ndarray
        Norm of the change, dimensionless.
    fastest, last : ndarray
        Norm of delta dM/dt between saved times: the largest, and that at the end.
    fastest_at : ndarray
        When, since the phase's start.
    """

    change: Array
    fastest: Array
    last: Array
    fastest_at: Array


def drift_of(run: Run, index: int) -> WeightDrift:
    """How the weights moved in the phase with this index."""
    rows = np.flatnonzero(run.data["weight_phase"].to_numpy() == index)
    t = run.data["weight_time"].to_numpy()[rows] - run.phases[index].t_start
    change, fastest, last, fastest_at = [], [], [], []
    for k in range(run.network.n):
        M = run.data[f"M{k}"].to_numpy()[rows].reshape(rows.size, -1)
        gaps = np.diff(t)
        kept = gaps > 0.0
        speed = run.network.delta * np.linalg.norm(np.diff(M, axis=0)[kept], axis=1) / gaps[kept]
        change.append(np.linalg.norm(M[-1] - M[0]))
        fastest.append(speed.max())
        last.append(speed[-1])
        fastest_at.append(0.5 * (t[1:] + t[:-1])[kept][speed.argmax()])
    return WeightDrift(*(np.array(part) for part in (change, fastest, last, fastest_at)))


def energy_of(run: Run, index: int, name: str) -> EnergyCourse:
    """How the energy called `name` in the run's data went in the phase with this index."""
    rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
    t = run.data["time"].to_numpy()[rows] - run.phases[index].t_start
    E = run.data[name].to_numpy()[rows].sum(axis=1)
    steps = np.diff(E)
    rising = np.flatnonzero(steps > NOISE * float(run.data.attrs["rtol"]) * np.abs(E).max())
    return EnergyCourse(
        first=float(E[0]),
        last=float(E[-1]),
        largest=float(E.max()),
        largest_at=float(t[E.argmax()]),
        rise=float(steps[rising].sum()),
        rises_at=float(t[rising[0]]) if rising.size else float("nan"),
    )

"""How the weights drifted and the energies went in a phase of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.short import Short
from ...model.network import Array
from ...run.result import Run
from .path import Path

# A rise of an energy by less than this many times rtol of its largest value may be rounding.
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
        Sum of its rises between the moments looked at.
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
class WeightDrift(Short):
    """How the prediction weights M^0..M^{n-1} moved in a phase; arrays of shape (n,).

    Attributes
    ----------
    change : ndarray
        Norm of the change, dimensionless.
    fastest, last : ndarray
        Norm of delta dM/dt: the largest, and that at the end.
    fastest_at : ndarray
        When, since the phase's start.
    """

    change: Array
    fastest: Array
    last: Array
    fastest_at: Array


def drift_of(run: Run, index: int, path: Path) -> WeightDrift:
    """How the weights moved in the phase with this index, whose moments are those of `path`."""
    rows = np.flatnonzero(run.data["weight_phase"].to_numpy() == index)
    t = times_of(path)
    speed = np.stack([moment.speed for moment in path.every])
    ends = [run.data[f"M{k}"].to_numpy()[rows[[0, -1]]] for k in range(run.network.n)]
    return WeightDrift(
        change=np.array([np.linalg.norm(last - first) for first, last in ends]),
        fastest=speed.max(axis=0),
        last=speed[-1],
        fastest_at=t[speed.argmax(axis=0)],
    )


def energy_of(path: Path, slaved: bool) -> EnergyCourse:
    """How the energy went, with the error nodes as they are or, `slaved`, at their rest value."""
    t = times_of(path)
    E = np.array([moment.energy_slaved if slaved else moment.energy for moment in path.every])
    steps = np.diff(E)
    rising = np.flatnonzero(steps > NOISE * path.rtol * np.abs(E).max())
    begins = int(rising[0]) if rising.size else 0
    while begins > 0 and steps[begins - 1] > 0.0:  # by little at first, as from 0
        begins -= 1
    return EnergyCourse(
        first=float(E[0]),
        last=float(E[-1]),
        largest=float(E.max()),
        largest_at=float(t[E.argmax()]),
        rise=float(steps[rising].sum()),
        rises_at=float(t[begins]) if rising.size else float("nan"),
    )


def times_of(path: Path) -> Array:
    """Times of all moments of `path`, since the phase's start."""
    return np.array([moment.there.t for moment in path.every]) - path.every[0].there.record.t_start

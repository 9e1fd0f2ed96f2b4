"""The run's path through a plane, with points between saved times where a jump falls between two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.network import Array
from ...model.state import State
from ...model.variables import parsed
from ...run.result import Run
from ...run.snapshot import Snapshot
from ...solvers import METHODS
from ...solvers.base import Settings
from .coordinates import Chart

# A leg of the path is coarse if it is longer than this part of the window, and bent by more than this angle
# against a neighbour. It is integrated anew, into so many parts, where that is a jump and not how the whole
# path was saved: at most this part of all legs; and in networks that are not too large.
APART, BENT, PARTS, JUMP, MOST_UNKNOWNS = 0.03, 0.15, 40, 0.01, 3000

SETTINGS = Settings(1e-6, 1e-9, 3000)


def finer_path(
    run: Run, made: Chart, times: Array, path: Array, widths: Array, whole: bool = False
) -> tuple[Array, Array]:
    """Saved times, shape (T,), and the path, shape (T, 2), with more of both where the path is coarse.

    Parameters
    ----------
    run : Run
    made : Chart
    times, path : ndarray, shapes (T,), (T, 2)
        As `Chart.path` gives them.
    widths : ndarray, shape (2,)
        Of the window.
    whole : bool
        Whether all legs are to be integrated anew.
    """
    legs = np.arange(len(path) - 1) if whole else _coarse(path / widths)
    jumps = whole or 0 < legs.size <= JUMP * len(path)
    can_be = not run.network.limit and not made.snapshot.moving and times[-1] > times[0]
    if not (jumps and can_be) or made.problem.layout.size > MOST_UNKNOWNS:
        return times, path
    first = int(np.flatnonzero(run.data["phase"].to_numpy() == made.snapshot.index)[0])
    between = [_between(run, made, first + leg, times[leg + 1] - times[leg], whole) for leg in legs]
    places = np.concatenate([np.full(len(t), leg + 1) for leg, (t, _) in zip(legs, between, strict=True)])
    added = np.concatenate([times[leg] + t for leg, (t, _) in zip(legs, between, strict=True)])
    points = np.concatenate([points for _, points in between])
    return np.insert(times, places, added), np.insert(path, places, points, axis=0)


def _coarse(path: Array) -> NDArray[np.intp]:
    """Legs that are long and bent against a neighbour, in a path in parts of the window."""
    steps = np.diff(path, axis=0)
    with np.errstate(invalid="ignore"):
        long = np.linalg.norm(steps, axis=1) > APART
    turns = np.diff(np.arctan2(steps[:, 1], steps[:, 0]))
    bent = np.abs((turns + np.pi) % (2.0 * np.pi) - np.pi) > BENT
    return np.flatnonzero(long & (np.append(bent, False) | np.insert(bent, 0, False)))


def _between(run: Run, made: Chart, row: int, duration: float, whole: bool) -> tuple[Array, Array]:
    """Times after a saved row, shape (P,), and the path there, shape (P, 2), up to the next saved row."""
    snapshot = Snapshot.at(run, row)
    problem = snapshot.problem(duration=duration, until=None)
    samples = [snapshot.record.samples.index(sample) for sample in made.snapshot.record.samples]
    points: list[Array] = []

    def save(k: int, t: float, y: Array) -> None:
        points.append(_read(made, problem.state(t, y), samples))

    times = np.linspace(0.0, duration, PARTS + 1)[1:-1]
    if whole:  # nodes settle within it, fast at first
        times = np.linspace(0.0, duration, 5 * PARTS + 1)[1:-1]
        early = np.geomspace(min(0.1 * run.network.shortest_tau, times[0]), times[-1], PARTS)
        times = np.union1d(times, early[:-1])
    METHODS["cvode"].solve(problem, times, SETTINGS, save, lambda *_: False)
    return times[: len(points)], np.array(points).reshape(-1, 2)


def _read(made: Chart, state: State, samples: list[int]) -> Array:
    """The coordinates of a state, shape (2,)."""
    found, arrays = np.zeros(len(made.coordinates)), state.arrays()
    for name, part in made.problem.layout.slices.items():
        read = made.projectors[:, part]
        if read.any():
            values = arrays[name][samples] if parsed(name)[0].of_nodes else arrays[name]
            found += read @ (np.ravel(values) - made.reference[part])
    return found

"""The trajectory of one weight and one node from the start of a phase, at times close enough to see a jump.

A run saves few times, and log-spaced ones: a jump of the nodes late in a phase falls between two of
them. Here the phase is integrated anew, at any delta/tau, and again with more times wherever two points
of the curve are far apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...base.errors import InputError
from ...base.short import Short
from ...model.network import Array
from ...model.state import State
from ...run.result import Run
from ...run.snapshot import PhaseOption, Snapshot, TimeOption, as_phase
from ...solvers import METHODS
from ...solvers.base import Settings
from ...system.problem import make_problem
from ..planes.coordinates import Coordinate

# Networks of more unknowns take too long for a picture.
MOST_UNKNOWNS = 3000

# Times at first, at most, and passes; how far apart points may be, in parts of the extent.
FIRST_TIMES, MOST_TIMES, PASSES, APART = 300, 20_000, 4, 0.01

# Nodes that ring for ever are followed for so many steps only.
MOST_STEPS = 3000

SETTINGS = Settings(1e-6, 1e-9, MOST_STEPS)


@dataclass(frozen=True, eq=False)
class Trajectory(Short):
    """A weight and a node over time.

    Attributes
    ----------
    ratio : float
        delta/tau.
    t : ndarray, shape (T,)
        Since the phase's start, in units of tau.
    weight, node : ndarray, shape (T,)
    """

    ratio: float
    t: Array
    weight: Array
    node: Array

    def fast(self, width: float, height: float) -> Array:
        """Whether each of the T - 1 legs is fast, in a window of this width and height.

        In units of the window it is faster than the geometric mean of 1/tau and 1/delta.
        """
        legs = np.hypot(np.diff(self.weight) / width, np.diff(self.node) / height)
        speed = legs / np.maximum(np.diff(self.t), 1e-300)
        return np.asarray(speed > self.ratio**-0.5)


def trajectory(
    run: Run,
    weight: Coordinate,
    node: Coordinate,
    ratio: float | None = None,
    phase: PhaseOption = None,
    time: TimeOption = None,
) -> Trajectory:
    """Integrate a phase of a run anew, and take one weight and one node.

    Parameters
    ----------
    run : Run
    weight, node : Coordinate
    ratio : float, optional
        delta/tau, by another tau; the run's own where left out.
    phase : int or str, optional
        As for `Snapshot.of`.
    time : float or str, optional
        Of a phase that shows samples one after another it means the presentation; see `as_phase`.

    Raises
    ------
    InputError
        If the network is too large for that, a clamp follows a function, or no time can be integrated.
    """
    start = Snapshot.start(*as_phase(run, phase, time)[:2])
    phase_as_run = start.phase_as_run("a trajectory at another delta/tau")
    network = start.network
    if ratio is not None and not start.record.learn:
        what = f"weights are held in {start.record.name!r}, so delta tells nothing; leave ratios out"
        raise InputError("ratios", what)
    delta = min(network.deltas_of(start.record.learn))
    if ratio is None:
        ratio = delta / network.longest_tau if not network.limit else 1e4
    if not np.isfinite(ratio) or not ratio > 0.0:
        raise InputError("ratios", f"must be numbers delta/tau above 0, not {ratio!r}")
    network = network.with_longest_tau(delta / ratio)
    problem = make_problem(network, replace(phase_as_run, until=None), start.state)
    if problem.layout.size > MOST_UNKNOWNS:
        what = f"{problem.layout.size:,} unknowns are too many to integrate anew; leave it out"
        raise InputError("ratios", what)
    sample = 0 if node.sample is None else start.record.samples.index(node.sample)
    times = np.geomspace(
        min(1e-2 * network.shortest_tau, 1e-3 * problem.duration), problem.duration, FIRST_TIMES
    )
    begin = _pick(problem.state(0.0, problem.y0), weight, node, sample)
    path = begin[None]
    for _ in range(PASSES):
        rows = [begin]

        def save(k: int, t: float, y: Array, rows: list[Array] = rows) -> None:
            rows.append(_pick(problem.state(t, y), weight, node, sample))

        solution = METHODS["cvode"].solve(problem, times, SETTINGS, save, lambda *_: False)
        path = np.array(rows)
        finer = _finer(np.append(0.0, times)[: len(path)], path)
        if solution.status.failed or finer.size == len(path) - 1 or finer.size > MOST_TIMES:
            break
        times = finer
    if len(path) < 2:
        raise InputError("ratios", f"at delta/tau = {ratio:g} the integration fails at once; try another")
    t = np.append(0.0, times)[: len(path)] / network.longest_tau
    return Trajectory(ratio, t, path[:, 0], path[:, 1])


def _pick(state: State, weight: Coordinate, node: Coordinate, sample: int) -> Array:
    """The weight and the node in a state, shape (2,)."""
    arrays = state.arrays()
    return np.array([arrays[weight.array][weight.index], arrays[node.array][sample, node.index[0]]])


def _finer(times: Array, path: Array) -> Array:
    """The times after the first, with more where two points of the path are far apart."""
    extent = np.maximum(np.ptp(path, axis=0), 1e-300)
    legs = np.linalg.norm(np.diff(path, axis=0) / extent, axis=1)
    parts = np.clip(np.ceil(legs / APART), 1, 200).astype(int)
    pieces = [np.linspace(a, b, n + 1)[1:] for a, b, n in zip(times[:-1], times[1:], parts, strict=True)]
    finer: Array = np.concatenate(pieces)
    return finer

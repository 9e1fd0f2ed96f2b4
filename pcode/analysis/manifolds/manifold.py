"""The critical manifold: where the nodes of a sample rest, as a function of one weight.

The limit tau/delta -> 0 of the slow manifold, which the full flow falls onto and drifts along (Fenichel 1979;
docs/model.md, "Slow manifold"). Its branches are followed through their folds, where a stable branch
ends and the nodes have to jump. Other weights are held at their values of a moment of the run;
`learned` W goes with M.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base._jax import Alone, jax
from ...base.errors import InputError
from ...base.short import Short
from ...model.network import Array
from ...run.result import Run
from ...run.select import of_run, presentation_name
from ...run.snapshot import PhaseOption, Snapshot, TimeOption, as_phase
from ...system.coupled import System
from ...system.problem import Problem
from ..at_rest import with_positive_tau
from ..planes.coordinates import Coordinate, checked_coordinate, labelled, moving_problem, values_along
from ..planes.field import settled
from ..planes.window import checked_limits
from .choice import phase_meant, telling_pair
from .continuation import Curve, Equations, follow

# Nodes of a sample that can be followed with dense matrices.
MOST_NODES = 60

# Values of the weight at which equilibria are sought, starts at each, and most curves.
PLACES, STARTS, MOST_CURVES = 9, 16, 8

# A start this near a curve, in scaled units, is on it.
ON_CURVE = 5e-3

# How far beyond their usual size nodes are followed, and the part of the weight's course shown around it.
FAR, MARGIN = 10.0, 0.2

# Largest real part of the eigenvalues, in units of 1/tau, at which nodes count as stable.
LEAST_DECAY = -1e-9

# Places along the run at which nodes are brought to rest, and the unknowns with which they no longer are.
RESTS, MOST_ALONG = 100, 20_000


@dataclass(frozen=True, eq=False)
class Branch(Short):
    """A curve of equilibria of the nodes.

    Attributes
    ----------
    weight, node : ndarray, shape (V,)
        The weight, and the node that is drawn.
    growth : ndarray, shape (V,)
        Spectral abscissa of the nodes, in units of 1/tau: stable where it is below 0.
    folds : ndarray of int
        Which of the points are folds.
    turns : ndarray of int
        Points after which an oscillation begins or ceases to grow (Hopf).
    """

    weight: Array
    node: Array
    growth: Array
    folds: Any
    turns: Any

    @property
    def stable(self) -> Any:
        """Whether the nodes are stable at each point; a fold itself belongs to the stable side."""
        stable = self.growth < LEAST_DECAY
        for k in self.folds:
            stable[k] = stable[max(k - 1, 0)] or stable[min(k + 1, stable.size - 1)]
        return stable


@dataclass(frozen=True, eq=False)
class CriticalManifold(Short):
    """The critical manifold over one weight, and the run for comparison.

    Attributes
    ----------
    weight, node : Coordinate
        What is on the axes.
    index : int
        Index of the phase in the run.
    t : float
        The moment whose other weights are held.
    branches : tuple of Branch
    low, high : float
        The weight's window.
    times, trajectory : ndarray, shapes (T,), (T, 2)
        The run: weight and node at saved times of the phase.
    along : ndarray, shape (R, 2)
        The weight, and the node at rest for all weights and clamps of the run, at some of these times: what
        the trajectory follows where other weights, or clamps, move as well.
    others : int
        How many other weights there are.
    tau, delta : float
    moving : bool
        Whether a clamp of the phase moves: the branches are those with it held at its value of `t`.
    presentation : str
        The presentation in which all this is, of a phase that shows samples one after another.
    """

    weight: Coordinate
    node: Coordinate
    index: int
    t: float
    branches: tuple[Branch, ...]
    low: float
    high: float
    times: Array
    trajectory: Array
    along: Array
    others: int
    tau: float
    delta: float
    moving: bool = False
    presentation: str = ""

    @property
    def held(self) -> str:
        """What moves along the run but is held at `t` for the branches, in words; nothing as a rule."""
        parts = ["other weights"] * (self.others > 0) + ["moving clamps"] * self.moving
        return " and ".join(parts)

    @property
    def folds(self) -> Array:
        """Weight and node at all folds in the window, shape (F, 2)."""
        found = [(b.weight[k], b.node[k]) for b in self.branches for k in b.folds]
        points = np.array(found).reshape(-1, 2)
        return points[(points[:, 0] >= self.low) & (points[:, 0] <= self.high)]


@Alone
@jax.jit
def _settle(system: System, W: Any, Z: Any, inverse_step: Any, y0: Any, place: Any, nodes: Any) -> Any:
    """Nodes at rest, shape (G, m), from `Z`, for values `W`, shape (G,), of the unknown at `place`."""

    def one(w: Any, z: Any, h: Any) -> Any:
        return settled(system, y0.at[place].set(w), z, nodes, h)

    return jax.vmap(one)(W, Z, inverse_step)


@Alone
@jax.jit
def _settle_along(system: System, Y: Any, Z: Any, clamps: Any, nodes: Any) -> Any:
    """Nodes at rest, shape (G, m), from `Z`, for the weights in `Y`, shape (G, N), and the clamps there."""
    return jax.vmap(lambda y, z, clamp: settled(system.changed(clamp=clamp), y, z, nodes))(Y, Z, clamps)


@Alone
@jax.jit
def _rates(u: Any, system: System, y0: Any, place: Any, nodes: Any) -> Any:
    y = y0.at[nodes].set(u[:-1]).at[place].set(u[-1])
    return system.with_unit_clocks.rhs(0.0, y)[nodes]


@Alone
@jax.jit
def _jacobian(u: Any, system: System, y0: Any, place: Any, nodes: Any) -> Any:
    return jax.jacfwd(_rates)(u, system, y0, place, nodes)


@of_run
def critical_manifold(
    run: Run,
    weight: str | None = None,
    node: str | None = None,
    *,
    phase: PhaseOption = None,
    time: TimeOption = None,
    limits: Sequence[float] | None = None,
    seed: int = 0,
) -> CriticalManifold:
    """Follow the equilibria of a sample's nodes over one weight.

    Parameters
    ----------
    run : Run
    weight, node : str, optional
        Such as ``M0[0,0]`` or ``beta1[0]``, and ``x1[0]`` or ``eps1[0]``; ``x1[0,3]`` of sample 3. Where
        left out the prediction weight that moves most, and a node that depends on it.
    phase, time
        The moment whose other weights are held, see `Snapshot.of`; the end of the last phase that
        learns where left out.
    limits : two floats, optional
        The weight's window; around its course in the run where left out.
    seed : int
        Seed of the starts from which equilibria are sought.

    Raises
    ------
    InputError
        If there is no such weight, node or moment, there are too many nodes, or none comes to rest.
    """
    phase = phase_meant(run, phase)
    index = Snapshot.of(run, phase, time).index
    run, phase, time = as_phase(run, phase, time)
    weight, node, _ = telling_pair(run, weight, node, phase)
    window = checked_limits("limits", limits)
    snapshot = with_positive_tau(Snapshot.of(run, phase, time))
    on, of = Coordinate.parse("weight", weight), Coordinate.parse("node", node)
    if not on.of_weights or not on.single:
        raise InputError("weight", f"must be a weight such as M0[0,0] or beta1[0], not {weight!r}")
    if of.of_weights or not of.single:
        raise InputError("node", f"must be a node such as x1[0] or eps1[0], not {node!r}")
    on = checked_coordinate(snapshot, "weight", on, moves=False)
    of = checked_coordinate(snapshot, "node", of)
    alone = snapshot.of_samples((int(of.sample or 0),))
    problem = moving_problem(alone, True, (on,))
    layout, y0 = problem.layout, problem.y0
    if not np.isfinite(y0).all():
        raise InputError("time", f"the state at t = {snapshot.t:g} is not finite; choose an earlier time")
    _refuse_kinks(problem)
    nodes = np.flatnonzero(problem.free_nodes)
    if nodes.size > MOST_NODES:
        what = f"the {nodes.size} nodes of a sample cannot be followed; {MOST_NODES} at most can"
        raise InputError("run", what)
    place = layout.slices[on.array].start + int(np.ravel_multi_index(on.index, layout.shapes[on.array]))
    shown = layout.slices[of.array].start + of.index[0]
    times, trajectory = _course(run, alone, on, of)
    low, high = window or _window(trajectory[:, 0], float(y0[place]))
    rest = (problem.there, y0, place, nodes)
    found = _starts(rest, low, high, seed)
    if not len(found):
        raise InputError("node", f"the nodes come to rest nowhere for {on.name} from {low:g} to {high:g}")
    curves = _followed(rest, found, low, high)
    at = int(np.flatnonzero(nodes == shown)[0])
    branches = tuple(_branch(curve, at, rest) for curve in curves)
    return CriticalManifold(
        weight=on,
        node=labelled(of, snapshot),
        index=index,
        t=snapshot.t,
        branches=branches,
        low=low,
        high=high,
        times=times,
        trajectory=trajectory,
        along=_rests_along(run, alone, trajectory, on, of),
        others=int(np.count_nonzero(layout.gains(problem.constants.mask)[layout.node_count :])) - 1,
        tau=run.network.longest_tau,
        delta=on.delta(run.network, snapshot.record.learn) or 1.0,
        moving=snapshot.moving,
        presentation=presentation_name(run, snapshot.index),
    )


def _course(run: Run, snapshot: Snapshot, on: Coordinate, of: Coordinate) -> tuple[Array, Array]:
    """Saved times of the phase, and the weight and the node at them, shape (T, 2)."""
    rows = np.flatnonzero(run.data["phase"].to_numpy() == snapshot.index)
    shape = run.data[on.array].shape[1:]
    weight = values_along(run, snapshot, on.array, rows)[:, np.ravel_multi_index(on.index, shape)]
    node = values_along(run, snapshot, of.array, rows)[:, of.index[0]]
    return run.data["time"].to_numpy()[rows], np.column_stack([weight, node])


def _refuse_kinks(problem: Problem) -> None:
    """Raise InputError if an activation has kinks, where equilibria have no derivative by the weight."""
    kinked = [sigma.name for sigma in problem.structure.sigma if sigma.kinks]
    if kinked:
        where = f"equilibria cannot be followed over the kinks of {kinked[0]}"
        raise InputError("run", f"{where}; use softplus for a picture of them")


def _rests_along(run: Run, snapshot: Snapshot, course: Array, on: Coordinate, of: Coordinate) -> Array:
    """The weight, and the node at rest for all weights of the run, along the phase, shape (R, 2)."""
    problem = moving_problem(snapshot, True, feedback=True)
    layout = problem.layout
    rows = np.flatnonzero(run.data["phase"].to_numpy() == snapshot.index)
    finite = np.isfinite(course).all(axis=1)
    if layout.size > MOST_ALONG or finite.sum() < 2:
        return np.empty((0, 2))
    rows, course = rows[finite], course[finite]
    steps = np.abs(np.diff(course[:, 0])) / max(np.ptp(course[:, 0]), 1e-300)
    length = np.append(0.0, np.cumsum(steps))
    picked = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], RESTS)).clip(0, rows.size - 1))
    Y = np.concatenate([values_along(run, snapshot, name, rows[picked]) for name in layout.shapes], axis=1)
    _refuse_kinks(problem)
    nodes = np.flatnonzero(problem.free_nodes)
    clamps = tuple(_clamped_along(run, snapshot, layer, rows[picked]) for layer in range(snapshot.n + 1))
    z, residual = _settle_along(problem.there, Y, Y[:, nodes], clamps, nodes)
    at = int(np.flatnonzero(nodes == layout.slices[of.array].start + of.index[0])[0])
    rests = np.where(np.asarray(residual) < 1e-9, np.asarray(z)[:, at], np.nan)
    return np.column_stack([course[picked, 0], rests])


def _clamped_along(run: Run, snapshot: Snapshot, layer: int, rows: Any) -> Array:
    """Clamped values of a layer at saved rows, shape (T, 1, n_l); NaN where a node is free."""
    values = values_along(run, snapshot, f"x{layer}", rows)
    return np.where(snapshot.free(layer), np.nan, values)[:, None]


def _window(course: Array, now: float) -> tuple[float, float]:
    seen = np.append(course[np.isfinite(course)], now)
    low, high = float(seen.min()), float(seen.max())
    width = max(high - low, 0.5 * max(abs(low), abs(high)), 1e-3)
    middle = 0.5 * (low + high)
    return middle - (0.5 + MARGIN) * width, middle + (0.5 + MARGIN) * width


def _starts(rest: Any, low: float, high: float, seed: int) -> Array:
    """Equilibria for some values of the weight, shape (F, m + 1), stable ones first."""
    system, y0, place, nodes = rest
    rng = np.random.default_rng(seed)
    here = y0[nodes]
    size = np.maximum(1.0, np.abs(here))
    Z = here + 1.5 * size * rng.standard_normal((PLACES * STARTS, nodes.size))
    Z[::STARTS] = here
    W = np.repeat(np.linspace(low, high, PLACES), STARTS)
    # Every second one by Newton's method, which finds unstable equilibria as well.
    newton = np.arange(W.size) % 2 == 1
    z, residual = _settle(system, W, Z, np.where(newton, 0.0, 1.0), y0, place, nodes)
    found = np.column_stack([np.asarray(z), W])
    good = (np.asarray(residual) < 1e-9) & np.isfinite(found).all(axis=1)
    good &= np.abs(found[:, :-1]).max(axis=1) < FAR * size.max() * 10.0
    order = np.concatenate([np.flatnonzero(good & ~newton), np.flatnonzero(good & newton)])
    starts: Array = found[order]
    return starts


def _followed(rest: Any, starts: Array, low: float, high: float) -> list[Curve]:
    """The curves through the starts, each once."""
    _, _, _, nodes = rest
    usual = np.maximum(1.0, np.abs(starts[:, :-1]).max(axis=0))
    scale = np.append(np.full(nodes.size, float(usual.max())), high - low)

    def inside(u: Array) -> bool:
        return bool(low <= u[-1] <= high and (np.abs(u[:-1]) <= FAR * usual).all())

    curve_system = Equations(
        lambda u: np.asarray(_rates(u, *rest)),
        lambda u: np.asarray(_jacobian(u, *rest)),
        scale,
        inside,
    )
    curves: list[Curve] = []
    for start in starts:
        if len(curves) == MOST_CURVES:
            break
        if not any(_near(curve.points / scale, start / scale) for curve in curves):
            curves.append(follow(curve_system, start))
    return [curve for curve in curves if len(curve.points) > 2]


def _near(points: Array, start: Array) -> bool:
    """Whether `start` is on the polygon through the points."""
    if len(points) < 2:
        return bool(np.linalg.norm(points - start, axis=1).min() < ON_CURVE)
    legs = np.diff(points, axis=0)
    share = np.einsum("vk,vk->v", start - points[:-1], legs) / np.maximum((legs**2).sum(axis=1), 1e-300)
    feet = points[:-1] + np.clip(share, 0.0, 1.0)[:, None] * legs
    return bool(np.linalg.norm(feet - start, axis=1).min() < ON_CURVE)


def _branch(curve: Curve, at: int, rest: Any) -> Branch:
    """The curve as it is drawn, with the stability of its points."""
    J = np.stack([np.asarray(_jacobian(u, *rest))[:, :-1] for u in curve.points])
    values = np.linalg.eigvals(J)
    rightmost = np.take_along_axis(values, values.real.argmax(axis=1)[:, None], axis=1)[:, 0]
    growth = rightmost.real
    turning = np.abs(rightmost.imag) > 1e-6
    crosses = (growth[:-1] < 0.0) != (growth[1:] < 0.0)
    turns = np.flatnonzero(crosses & turning[:-1] & turning[1:])
    return Branch(curve.points[:, -1], curve.points[:, at], growth, curve.folds, turns)

"""The phase plane of two coordinates of a run: rates, nullclines, equilibria, separatrices, trajectory.

Of all the rest, nodes are either *held* at their values at a moment of the run, or *slaved*: at every
point of the plane they are at rest. Weights that are no coordinate are held; `learned` W goes with M,
from which it keeps its distance (docs/model.md, "Feedback that learns").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ...base import checks
from ...base._jax import jnp
from ...base.errors import InputError
from ...base.short import Short
from ...base.units import suffix
from ...model.network import Array
from ...run.result import Run
from ...run.select import ends_only, presentation_name
from ...run.snapshot import PhaseOption, Snapshot, TimeOption, as_phase, last_phase
from ...system.rest import holding
from .coordinates import Chart, Coordinate, chart
from .field import MOST_DENSE, Field
from .fixed_points import FixedPoint, fixed_points, rest_and_abscissa
from .nullclines import zero_curves
from .path import finer_path
from .separatrices import Separatrix, separatrices
from .window import Limits, checked_limits

OtherNodes = Literal["held", "slaved"] | Mapping[str, Literal["held", "slaved"]]

# Points along a side of the grid, and the work that may go into it.
FINEST, COARSEST, WORK = 161, 25, 4e9

# The part of a trajectory's extent that is shown around it, of nodes and of weights; and how far beyond its
# usual size a trajectory has run away.
MARGIN, MARGIN_WEIGHTS = 0.25, 0.4
RUNAWAY = 1e3

# A vertex of one nullcline at which the other rate is below this part of its usual size is on both.
BOTH = 1e-6

# Residual of nodes that may count as being at rest at a fixed point of the plane.
NEAR_REST = 1e-7


@dataclass(frozen=True, eq=False)
class PhasePlane(Short):
    """What there is to see in the plane of two coordinates.

    Attributes
    ----------
    coordinates : tuple of two Coordinate
        The coordinates.
    phase : str
    t : float
        The moment whose values are held, in the run's time.
    rest : str
        What became of all other unknowns, in words.
    x, y : ndarray, shapes (X,), (Y,)
        The grid.
    rates : ndarray, shape (Y, X, 2)
        Of the two coordinates, in one over the unit of time; NaN where slaved nodes come to no rest.
    nullclines : two tuples of ndarray, shapes (V, 2)
        Every branch on which the first, and the second, does not move.
    continua : tuple of ndarray, shapes (V, 2)
        Curves on which neither does: equilibria that are not isolated.
    equilibria : tuple of FixedPoint
        All isolated ones in the window.
    separatrices : tuple of Separatrix
    times : ndarray, shape (T,)
        Saved times of the phase, and others where a jump falls between two of them.
    trajectory : ndarray, shape (T, 2)
        The run, projected onto the plane.
    now : ndarray, shape (2,)
        Where it is at the moment `t`; where the plane was laid through if that is an equilibrium.
    tau, delta : float
        Of the network, in the run's unit of time.
    time_unit : str or None
        The run's unit of time.
    moves : bool
        Whether anything that is held moves along the run, so that the field is that of the moment.
    """

    coordinates: tuple[Coordinate, ...]
    phase: str
    t: float
    rest: str
    x: Array
    y: Array
    rates: Array
    nullclines: tuple[tuple[Array, ...], tuple[Array, ...]]
    continua: tuple[Array, ...]
    equilibria: tuple[FixedPoint, ...]
    separatrices: tuple[Separatrix, ...]
    times: Array
    trajectory: Array
    now: Array
    tau: float
    delta: float
    time_unit: str | None
    moves: bool


def phase_plane(
    run: Run,
    x: str,
    y: str,
    *,
    rest: OtherNodes = "slaved",
    phase: PhaseOption = None,
    time: TimeOption = None,
    xlim: Limits = None,
    ylim: Limits = None,
    resolution: int | None = None,
    finer: bool = True,
) -> PhasePlane:
    """Rates, nullclines, equilibria and separatrices in the plane of two coordinates of a run.

    Parameters
    ----------
    run : Run
    x, y : str
        The coordinates by name; see `pcode.analysis.planes.coordinates`.
    rest : {"slaved", "held"} or mapping
        What becomes of the other nodes: slaved, each at rest for every point of the plane; or held at
        their values of the moment. A mapping says it by array, such as ``{"eps1": "slaved"}``; what it
        leaves out is held.
    phase, time
        The moment, see `Snapshot.of`. Where left out the end of a phase: for weights the last that learns,
        for nodes the first one.
    xlim, ylim : two floats, optional
        The window; around the run's trajectory and near equilibria where left out.
    resolution : int, optional
        Points along a side of the grid, 11 to 401; as many as its cost allows where left out.
    finer : bool
        Whether a jump between two saved times is integrated anew for the trajectory.

    Raises
    ------
    InputError
        If there is no such coordinate, moment or window, or too many nodes to be slaved.
    """
    parsed = [Coordinate.parse(where, name) for where, name in (("x", x), ("y", y))]
    if phase is None and time is None:
        phase = last_phase(run, learn=True) if any(one.of_weights for one in parsed) else 0
    run, phase, time = as_phase(run, phase, time)
    snapshot = Snapshot.of(run, phase, time)
    made = chart(run, snapshot, (("x", x), ("y", y)))
    field = Field(made, slaved_nodes(made, rest))
    times, trajectory = made.path(run)
    unknown = len(times) == 2 and ends_only(run, snapshot.index)
    if finer and unknown:
        times, trajectory = finer_path(run, made, times, trajectory, np.ones(2), whole=True)
    sides = _resolution(field, resolution)
    low, high = _window(field, trajectory, checked_limits("xlim", xlim), checked_limits("ylim", ylim))
    if finer and not unknown:
        times, trajectory = finer_path(run, made, times, trajectory, high - low)
    if len(times) == 2 and ends_only(run, snapshot.index):
        times, trajectory = times[:0], trajectory[:0]  # nothing is known of the way from end to end
    xs, ys = np.linspace(low[0], high[0], sides), np.linspace(low[1], high[1], sides)
    rates, slaved = on_grid(field, xs, ys)
    if not np.isfinite(rates).any():
        what = "nodes come to rest nowhere in the window; take rest = held, or another window"
        raise InputError("rest", what)
    scale = _usual(rates)
    nullclines = tuple(_nullcline(field, xs, ys, rates, slaved, k) for k in range(2))
    continua = _continua(field, nullclines[0], scale)
    points = fixed_points(field, xs, ys, rates, slaved, scale)
    if continua:
        points = tuple(point for point in points if not _on(point.point, continua, high - low))
    points = tuple(_in_the_whole(field, point) for point in points)
    return PhasePlane(
        coordinates=made.coordinates,
        phase=snapshot.record.name,
        t=snapshot.t,
        rest=_told(field, made, presentation_name(run, snapshot.index)),
        x=xs,
        y=ys,
        rates=rates,
        nullclines=nullclines,  # type: ignore[arg-type]
        continua=continua,
        equilibria=points,
        separatrices=separatrices(field, points, low, high),
        times=times,
        trajectory=trajectory,
        now=field.origin,
        tau=run.network.longest_tau,
        delta=min(run.network.deltas_of(snapshot.record.learn)),
        time_unit=run.network.time_unit,
        moves=bool(snapshot.record.learn) or snapshot.moving or field.slaved.size < other_nodes(made).size,
    )


def on_grid(field: Field, x: Array, y: Array) -> tuple[Array, Array]:
    """Rates, shape (Y, X, 2), and slaved nodes, shape (Y, X, K), on a grid."""
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    rates, slaved = field.rates(points)
    return rates.reshape(y.size, x.size, 2), slaved.reshape(y.size, x.size, -1)


def other_nodes(made: Chart) -> Any:
    """Indices of the free nodes among the unknowns that are no coordinate."""
    free = made.problem.free_nodes
    if all(one.single for one in made.coordinates):
        free = free & ~made.directions.any(axis=1)
    return np.flatnonzero(free)


def may_be_slaved(made: Chart, count: int) -> bool:
    """Whether so many nodes can be brought to rest at every point; all can over a plane of weights."""
    every = all(one.of_weights for one in made.coordinates) and count == made.problem.layout.node_count
    return count <= MOST_DENSE or every


def slaved_nodes(made: Chart, rest: OtherNodes) -> Any:
    """Which unknowns are slaved.

    Raises
    ------
    InputError
        If `rest` is none of the words, or there are too many, or the coordinates are made of them.
    """
    names = made.problem.layout.node_names
    if isinstance(rest, str):
        said: dict[str, str] = dict.fromkeys(names, rest)
    else:
        unknown = [name for name in rest if name not in names]
        if unknown:
            raise InputError(
                "rest", f"there are no nodes {unknown[0]!r} that move here; there are {', '.join(names)}"
            )
        said = dict.fromkeys(names, "held") | {name: str(word) for name, word in rest.items()}
    for word in said.values():
        checks.word("rest", word, ("slaved", "held"))
    nodes = other_nodes(made)
    asked = np.zeros(made.problem.layout.size, bool)
    for name, word in said.items():
        asked[made.problem.layout.slices[name]] = word == "slaved"
    chosen = nodes[asked[nodes]]
    if not chosen.size:
        return chosen
    x, y = made.coordinates
    if x.kind in ("pc", "mode"):
        raise InputError("rest", f"must be held in the plane of {x.name} and {y.name}")
    if not may_be_slaved(made, chosen.size):
        what = f"{chosen.size} nodes cannot be slaved at every point ({MOST_DENSE} at most); take rest = held"
        raise InputError("rest", what)
    return chosen


def _resolution(field: Field, asked: int | None) -> int:
    if asked is not None:
        wanted = checks.plain(asked)
        if not isinstance(wanted, int) or isinstance(wanted, bool) or not 11 <= wanted <= 401:
            what = f"must be a whole number from 11 to 401, not {checks.shown(asked)}"
            raise InputError("resolution", what)
        return wanted
    fits = np.sqrt(WORK / (400.0 + field.work))
    return int(np.clip(fits, COARSEST, FINEST))


def _window(
    field: Field, trajectory: Array, xlim: tuple[float, float] | None, ylim: tuple[float, float] | None
) -> tuple[Array, Array]:
    """Lower and upper ends: around the trajectory, and around equilibria not far from it."""
    seen = np.vstack([trajectory[np.isfinite(trajectory).all(axis=1)], field.origin])
    usual = np.median(np.abs(seen), axis=0) + np.abs(seen[0])
    seen = seen[(np.abs(seen) <= RUNAWAY * (usual + usual.max())).all(axis=1)]
    low, high = seen.min(axis=0), seen.max(axis=0)
    size = np.maximum(np.abs(low), np.abs(high)).max()
    least = 0.05 * size if size > 0.0 else 1.0
    widths = np.maximum(high - low, np.maximum(least, 0.02 * (high - low).max()))
    middle = 0.5 * (low + high)
    margin = MARGIN_WEIGHTS if all(one.of_weights for one in field.chart.coordinates) else MARGIN
    low, high = middle - (0.5 + margin) * widths, middle + (0.5 + margin) * widths
    if xlim is None and ylim is None:
        low, high = _with_equilibria(field, low, high)
    for k, limits in enumerate((xlim, ylim)):
        if limits is not None:
            low[k], high[k] = limits
    return low, high


def _with_equilibria(field: Field, low: Array, high: Array) -> tuple[Array, Array]:
    """A window made larger, by no more than its own width on each side, for the equilibria next to it."""
    widths = high - low
    wide = np.linspace(low - widths, high + widths, 41)
    if field.work * wide.shape[0] ** 2 > WORK:
        return low, high
    rates, slaved = on_grid(field, wide[:, 0], wide[:, 1])
    if not np.isfinite(rates).any():
        return low, high
    found = fixed_points(field, wide[:, 0], wide[:, 1], rates, slaved, _usual(rates))
    for one in found if len(found) <= 9 else ():
        low = np.minimum(low, one.point - 0.1 * widths)
        high = np.maximum(high, one.point + 0.1 * widths)
    return low, high


def _usual(rates: Array) -> Array:
    """The usual size of the rates, shape (2,)."""
    sizes = np.nanmedian(np.abs(rates.reshape(-1, 2)), axis=0)
    return np.where(sizes > 0.0, sizes, max(float(sizes.max()), 1e-300))


def _nullcline(field: Field, x: Array, y: Array, rates: Array, slaved: Array, k: int) -> tuple[Array, ...]:
    def rate(points: Array, cells: Array) -> Array:
        found: Array = field.rates(points, slaved[tuple(cells.T)])[0][:, k]
        return found

    return zero_curves(x, y, rates[:, :, k], rate)


def _continua(field: Field, branches: tuple[Array, ...], scale: Array) -> tuple[Array, ...]:
    """Stretches of the first nullcline on which the second rate is zero as well."""
    found: list[Array] = []
    for branch in branches:
        rates, _ = field.rates(branch)
        both = np.abs(rates[:, 1]) <= BOTH * scale[1]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], both.astype(int), [0]]))).reshape(-1, 2)
        found += [branch[a:b] for a, b in edges if b - a >= 5]
    return tuple(found)


def _on(point: Array, curves: tuple[Array, ...], widths: Array) -> bool:
    """Whether a point is on one of the curves, up to 1% of the window."""
    return any(np.linalg.norm((curve - point) / widths, axis=1).min() < 0.01 for curve in curves)


def _in_the_whole(field: Field, point: FixedPoint) -> FixedPoint:
    """`point`, with what all nodes do there, weights held."""
    problem = field.chart.problem
    y = field.unknowns(point.point, point.slaved)
    held = holding(problem.system, 0.0, jnp.asarray(y))
    residual, growth = rest_and_abscissa(held, y[: problem.layout.node_count])
    return replace(point, residual=residual, growth=growth if residual <= NEAR_REST else None)


def _told(field: Field, made: Chart, presentation: str) -> str:
    """What became of all the rest, in words, and of which `presentation`, if there are any."""
    nodes, K = other_nodes(made).size, field.slaved.size
    t = f"t = {made.snapshot.t:.6g}{suffix(made.snapshot.network.time_unit)}"
    told = []
    if nodes and nodes == K:
        told.append(
            "all other nodes at rest" if not all(w.of_weights for w in made.coordinates) else "nodes at rest"
        )
    elif nodes and K:
        told.append(f"{K} of the other nodes at rest, {nodes - K} held as at {t}")
    elif nodes:
        held = (
            "in the nodes' eigenplane at rest"
            if made.coordinates[0].kind == "mode"
            else f"other nodes held as at {t}"
        )
        told.append(held)
    other = "other weights" if any(one.of_weights for one in made.coordinates) else "weights"
    clamps = " and moving clamps" if made.snapshot.moving else ""
    told.append(f"{other}{clamps} held as at {t}")
    return ", ".join([*told, *([presentation] if presentation else [])])

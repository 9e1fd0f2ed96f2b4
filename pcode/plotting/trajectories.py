"""Paths of the nodes through their own space: chosen nodes, or principal components."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from ..base import checks
from ..base.errors import InputError
from ..model.network import Array
from ..model.variables import NODES, Variable, parsed_entry
from ..run.result import Run
from ..run.select import (
    check_extent,
    check_flags,
    check_in_full,
    check_layer,
    choose_phases,
    choose_samples,
    of_run,
    suits_log_time,
)
from ..run.snapshot import as_phase
from .clock import Clock, TimeAxis
from .legends import LegendPlace, check_legend, place_legend
from .series import LARGEST, flat_axis
from .style import axes_or_new
from .styles import Artists, Styles, StylesOption, draws

Nodes = Sequence[str] | None

# Most samples, and most of their points, from which to find components; of more, every k-th is taken.
MOST_SAMPLES = 100
MOST_POINTS = 2_000

ARTISTS: Artists = {
    "path": LineCollection,
    "start": Line2D,
    "end": Line2D,
    "colorbar": Colorbar,
    "legend": Legend,
}


@dataclass(frozen=True, eq=False)
class Path:
    """The way of the nodes of one sample through one phase.

    Attributes
    ----------
    t : ndarray, shape (T,)
        Time since the phase's start, in units of the clock.
    points : ndarray, shape (T, D)
        In two or three coordinates.
    labels : tuple of str
        What the coordinates are.
    clock : str
        What `t` is.
    """

    t: Array
    points: Array
    labels: tuple[str, ...]
    clock: str


@draws(ARTISTS)
@of_run
def trajectory(
    run: Run,
    /,
    sample: int | None = None,
    nodes: Nodes = None,
    *,
    together: bool = False,
    phase: int | str | None = None,
    log_time: bool | None = None,
    clock: Clock | None = None,
    colorbar: bool | Sequence[Axes] = True,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Path of the nodes of one sample through their space, with time as colour.

    A circle marks where the path starts, a square where it ends.

    Parameters
    ----------
    run : Run
        The run to draw.
    sample : int, optional
        A row of the data; the first that the phase shows where left out.
    nodes : sequence of str, optional
        Two or three nodes for coordinates, each as layer and number: "x1[0]" is :math:`x^1_0`,
        "eps2[3]" is :math:`\varepsilon^2_3`. Where left out, the coordinates are the first two principal
        components of all nodes, values and errors, with the saved times weighed alike.
    together : bool
        Whether the components are those of all samples of the phase taken together, each about
        its own mean, so that their paths can be compared, rather than of this one alone.
    phase : int or str, optional
        Index or name of the phase to draw; the last that learns where left out, or else the last. Of one that
        shows samples one after another the last presentation that was kept is drawn.
    log_time : bool, optional
        Whether time since the phase's start is logarithmic in the colours; where it is not
        said, it is if the phase lasts more than 100 tau, or half of the path lies in its first tenth.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of time; tau where left out, or delta where tau = 0.
    colorbar : bool or sequence of Axes
        Whether to put a colour bar beside the Axes; or all those beside which it is to stand.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend of the two marks, if at all. True is below the Axes where there is a colour
        bar to its right; else to the right, or below where it would take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``path``, ``start``, ``end``, ``colorbar`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        Where to draw, with ``projection="3d"`` for three nodes; a new figure where left out.
    **kwargs
        To the collection of lines, e.g. ``linewidth`` or ``cmap``.

    Returns
    -------
    matplotlib.axes.Axes
        Coordinates are dimensionless.

    Raises
    ------
    InputError
        If an option is none of those allowed, the run has no such node, sample or phase, or no time
        passed in it.
    """
    check_flags(together=together)
    check_legend(legend)
    look = Styles(styles, ARTISTS, path=kwargs)
    check_flags(log_time=False if log_time is None else log_time)
    index = moving_phase(run, phase)
    check_in_full(run, index)
    run, index, _ = as_phase(run, index)
    if checks.is_many(sample):
        raise InputError("sample", f"must be the number of one sample, not {checks.shown(sample)}")
    shown = choose_samples(run, sample, [index])
    path = _path(run, index, shown[0], nodes, together, clock)
    logarithmic = suits_log_time(run, index) or _early(path) if log_time is None else log_time
    with axes_or_new(ax, **({"projection": "3d"} if len(path.labels) == 3 else {})) as ax:
        _draw(ax, path, logarithmic, colorbar, look)
        if "legend" in look:
            beside = colorbar is not False and "colorbar" in look
            place_legend(ax, "below" if legend is True and beside else legend, **look.of("legend"))
    return ax


@of_run
def moving_phase(run: Run, phase: int | str | None = None) -> int:
    """Find the phase to draw: the one meant, the last that learns, or else the last.

    Parameters
    ----------
    run : Run
    phase : int, str or None
        Index or name.

    Raises
    ------
    InputError
        If there is no such phase, or no time passed in it.
    """
    if phase is None:
        lasting = [k for k, record in enumerate(run.phases) if record.t_end > record.t_start]
        learning = [k for k in lasting if run.phases[k].learn]
        phase = (learning or lasting or [len(run.phases) - 1])[-1]
    elif checks.is_many(phase):
        what = f"must be the index or the name of one phase, not {checks.shown(phase)}"
        raise InputError("phase", what)
    check_extent(run, phase)
    return choose_phases(run, phase)[-1]


def principal_components(values: Array, count: int = 2) -> tuple[Array, Array]:
    """Directions of largest variance (Jolliffe 2002, ch. 1).

    Parameters
    ----------
    values : ndarray, shape (T, K)
        T points, each of the same weight.
    count : int
        How many directions.

    Returns
    -------
    directions : ndarray, shape (K, count)
        Of unit length, 0 where there are fewer; each with its largest entry positive.
    shares : ndarray, shape (count,)
        Part of the whole variance along each; 0 where the points do not differ.
    """
    apart = values - values.mean(axis=0)
    size = np.abs(apart).max(initial=0.0) or 1.0
    _, spread, directions = np.linalg.svd(apart / size, full_matrices=False)
    total = float(np.sum(spread**2)) or 1.0
    found = np.zeros((count, values.shape[1]))
    shares = np.zeros(count)
    kept = min(count, spread.size)
    found[:kept], shares[:kept] = directions[:kept], spread[:kept] ** 2 / total
    largest = found[np.arange(count), np.abs(found).argmax(axis=1)]
    return (found * np.where(largest < 0.0, -1.0, 1.0)[:, None]).T, shares


def _path(run: Run, index: int, sample: int, nodes: Nodes, together: bool, clock: Clock | None) -> Path:
    axis = TimeAxis.of(run, "time", index, clock, log_time=True)
    (stretch,) = axis.stretches
    t = stretch.t - stretch.start
    shown = run.phases[index].samples
    column = shown.index(sample)
    if nodes is not None:
        parsed = [_node(run, name) for name in _several(nodes)]
        points = np.stack(
            [
                run.data[f"{variable}{layer}"].to_numpy()[stretch.rows, column, unit]
                for variable, layer, unit in parsed
            ],
            axis=1,
        )
        labels = tuple(f"${variable.label(layer, [unit])}$" for variable, layer, unit in parsed)
        return Path(t, _drawable(points), labels, axis.label)
    of = range(len(shown)) if together else (column,)
    directions, shares = principal_components(_cloud(run, stretch.rows, of))
    whole = _whole(run, stretch.rows, column)
    centre = _about_mean(whole)[1]
    points = (whole - centre) @ directions
    names = tuple(f"PC {k + 1}: {100 * share:.3g}% of variance" for k, share in enumerate(shares))
    return Path(t, points, names, axis.label)


def _early(path: Path) -> bool:
    """Whether half of the path, by its length, lies in the first tenth of its time."""
    kept = np.isfinite(path.points).all(axis=1)
    t, points = path.t[kept], path.points[kept]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return bool(steps[t[1:] <= 0.1 * path.t[-1]].sum() > 0.5 * steps.sum())


def _cloud(run: Run, rows: slice, columns: Sequence[int]) -> Array:
    """Points of the paths of samples, shape (T, K), each about its mean, from which to find components."""
    columns = columns[:: math.ceil(len(columns) / MOST_SAMPLES)]
    every = math.ceil(len(columns) * (rows.stop - rows.start) / MOST_POINTS)
    points = [_about_mean(_whole(run, slice(rows.start, rows.stop, every), one))[0] for one in columns]
    cloud: Array = np.concatenate(points)
    if not len(cloud):
        raise InputError("samples", "have no finite values to draw in this phase; choose another phase")
    return cloud


def _about_mean(values: Array) -> tuple[Array, Array]:
    """The finite rows of `values` less their mean, and the mean."""
    finite = values[np.isfinite(values).all(axis=1)]
    mean: Array = finite.mean(axis=0) if len(finite) else np.zeros(values.shape[1])
    return finite - mean, mean


def _whole(run: Run, rows: slice, column: int) -> Array:
    """All value and error nodes of the sample in a `column`, shape (T, K)."""
    names = [name for variable in NODES for name in variable.names(run.network.n)]
    return _drawable(np.concatenate([run.data[name].to_numpy()[rows, column] for name in names], axis=1))


def _several(nodes: Any) -> list[str]:
    named = list(nodes) if isinstance(nodes, Sequence) and not isinstance(nodes, str) else [nodes]
    if len(named) not in (2, 3):
        raise InputError("nodes", f'must be two or three nodes, e.g. ["x1[0]", "eps1[0]"], not {nodes!r}')
    return named


def _node(run: Run, name: object) -> tuple[Variable, int, int]:
    """The variable, the layer and the number in it of the node that `name` means."""
    found = parsed_entry(name)
    if found is None or not found[0].of_nodes or len(found[2]) > 1:
        what = f'"x1[0]" (value) or "eps1[0]" (error), the layer and the number in it, not {name!r}'
        raise InputError("nodes", f"must be named like {what}")
    variable, layer, (unit,) = found
    check_layer("nodes", layer, variable.first, run.network.n)
    size = run.network.sizes[layer]
    if unit >= size:
        raise InputError("nodes", f"layer {layer} has nodes 0 to {size - 1}, and no {unit}")
    return variable, layer, unit


def _drawable(values: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= LARGEST, values, np.nan)


def _draw(ax: Axes, path: Path, log_time: bool, colorbar: bool | Sequence[Axes], look: Styles) -> None:
    there = np.isfinite(path.points).all(axis=1)
    t, points = path.t[there], path.points[there]
    space = len(path.labels) == 3
    if space and not hasattr(ax, "set_zlabel"):
        raise InputError("ax", 'must have projection="3d" for three nodes')
    if space:
        ax.locator_params(nbins=4)
    if not len(t):
        raise InputError("nodes", "hold no finite values to draw in this phase; choose another phase")
    later = path.t[path.t > 0.0]
    low = float(later[0]) if log_time else 0.0
    norm = (LogNorm if log_time else Normalize)(low, max(float(path.t[-1]), low))
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    when = np.sqrt(np.maximum(t[:-1], low) * t[1:]) if log_time else 0.5 * (t[:-1] + t[1:])
    given: dict[str, Any] = {"cmap": "viridis", "norm": norm, "array": when, "linewidth": 1.4}
    given = look.of("path", **given, capstyle="round")
    if space:
        from mpl_toolkits.mplot3d.art3d import Line3DCollection

        lines: LineCollection = Line3DCollection(pieces, **given)
    else:
        lines = LineCollection(list(pieces), **given)
    # Points that do not show give the axes their limits.
    ax.plot(*points.T, linestyle="none", label="_nolegend_")
    if "path" in look:
        ax.add_collection(lines)
    for k, name, marker, face in ((0, "start", "o", "white"), (-1, "end", "s", "black")):
        mark: dict[str, Any] = {
            "marker": marker,
            "color": "black",
            "linestyle": "none",
            "zorder": 3,
            "clip_on": False,
        }
        if name in look:
            ax.plot(*points[[k]].T, **look.of(name, **mark, label=name, markersize=5.0, markerfacecolor=face))
    _dress(ax, path, lines, colorbar if "path" in look and "colorbar" in look else False, look)


def _dress(
    ax: Axes, path: Path, lines: LineCollection, colorbar: bool | Sequence[Axes], look: Styles
) -> None:
    for which, label in zip("xyz", path.labels, strict=False):
        getattr(ax, f"set_{which}label")(label)
    flat_axis(ax, "x")
    flat_axis(ax, "y")
    if colorbar:
        beside = ax if isinstance(colorbar, bool) else colorbar
        pad: dict[str, Any] = {"pad": 0.1} if len(path.labels) == 3 else {}
        ax.figure.colorbar(lines, ax=beside, **look.of("colorbar", label=path.clock, **pad))

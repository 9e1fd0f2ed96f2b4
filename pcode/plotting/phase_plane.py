"""The phase plane of two coordinates of a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..analysis.planes.fixed_points import FixedPoint
from ..analysis.planes.plane import OtherNodes, PhasePlane
from ..analysis.planes.plane import phase_plane as compute
from ..analysis.planes.window import Limits
from ..model.network import Array
from ..run.result import Run
from ..run.select import check_flags, of_run
from ..run.snapshot import PhaseOption, TimeOption
from .marks import arrow_heads, lengths, round_times, time_marks
from .style import axes_or_new

# First and second nullcline, stable and unstable separatrices, the field.
FIRST: dict[str, Any] = {"color": "#0072B2", "linestyle": "-"}
SECOND: dict[str, Any] = {"color": "#D55E00", "linestyle": (0, (6, 1.5))}
STABLE: dict[str, Any] = {"color": "#009E73", "linestyle": (0, (1, 1))}
UNSTABLE: dict[str, Any] = {"color": "#CC79A7", "linestyle": (0, (3, 1, 1, 1))}
FIELD = "0.72"

# Markers by kind: filled where stable.
MARKERS = {"node": "o", "focus": "s", "centre": "D", "saddle": "X", "degenerate": "*"}

# Points of streamlines along a side.
FLOW_SIDE = 41


@of_run
def phase_plane(
    run: Run,
    /,
    x: str,
    y: str,
    *,
    rest: OtherNodes = "slaved",
    phase: PhaseOption = None,
    time: TimeOption = None,
    xlim: Limits = None,
    ylim: Limits = None,
    resolution: int | None = None,
    trajectory: bool = True,
    marks: bool = True,
    legend: bool = True,
    note: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""The phase plane of two coordinates: field, nullclines, equilibria, separatrices, trajectory.

    Grey streamlines are the rates of the two coordinates; on a nullcline one of them is zero, and where
    both are, every equilibrium in the window has a marker of its kind, filled where it is stable. The run is
    projected onto the plane, with dots at round times.

    Parameters
    ----------
    run : Run
        The run to draw.
    x, y : str
        The coordinates: ``x1[0]`` or ``eps1[0]`` for a node (``x1[0,3]`` of sample 3), ``M0[2,1]``,
        ``W0[1,2]`` or ``beta1[0]`` for a weight, ``pc1`` and ``pc2`` for principal components of a
        sample's nodes, ``wpc1`` and ``wpc2`` of the weights, ``mode1`` and ``mode2`` for the nodes'
        slowest or growing eigenvectors at their equilibrium.
    rest : {"slaved", "held"} or mapping
        Other nodes at rest for every point of the plane, or held at their values of the moment; by array in
        a mapping, such as ``{"eps1": "slaved"}``. A line of text over the Axes says which.
    phase : int or str, optional
        Phase of the moment; for weights the last that learns, for nodes the first where left out.
    time : float, optional
        The moment whose values are held, in the run's time; the end of the phase where left out.
    xlim, ylim : two floats, optional
        The window; around the trajectory and the equilibria next to it where left out.
    resolution : int, optional
        Points along a side of the grid on which nullclines are sought.
    trajectory, marks, legend, note : bool
        Whether to draw the run, its marks of time, a legend to the right, and what became of the rest.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where left out.
    **kwargs
        To `Axes.plot`, for the trajectory.

    Returns
    -------
    matplotlib.axes.Axes
        Coordinates are dimensionless.

    Raises
    ------
    InputError
        If there is no such coordinate, moment or window, or too many nodes to be slaved.
    """
    check_flags(trajectory=trajectory, marks=marks, legend=legend, note=note)
    plane = compute(run, x, y, rest=rest, phase=phase, time=time, xlim=xlim, ylim=ylim, resolution=resolution)
    with axes_or_new(ax) as ax:
        draw_plane(ax, plane, trajectory=trajectory, marks=marks, legend=legend, note=note, style=kwargs)
    return ax


def draw_plane(
    ax: Axes,
    plane: PhasePlane,
    *,
    trajectory: bool,
    marks: bool,
    legend: bool,
    note: bool,
    style: dict[str, Any],
) -> None:
    """Put a plane that has been computed on `ax`."""
    ax.set_xlim(plane.x[0], plane.x[-1])
    ax.set_ylim(plane.y[0], plane.y[-1])
    ax.set_xlabel(plane.coordinates[0].label)
    ax.set_ylabel(plane.coordinates[1].label)
    _flow(ax, plane)
    handles = _curves(ax, plane)
    if trajectory:
        handles += _trajectory(ax, plane, marks, style)
    handles += _equilibria(ax, plane)
    if legend and handles:
        ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if note:
        ax.set_title(plane.rest, loc="left", fontsize=7, color="0.3")


def _flow(ax: Axes, plane: PhasePlane) -> None:
    """Streamlines of the field, in grey."""
    step = max(1, math.ceil((plane.x.size - 1) / FLOW_SIDE))
    x, y = (
        np.linspace(plane.x[0], plane.x[-1], plane.x.size),
        np.linspace(plane.y[0], plane.y[-1], plane.y.size),
    )
    u, v = np.moveaxis(plane.rates, -1, 0)
    masked = [np.ma.masked_invalid(part[::step, ::step]) for part in (u, v)]
    if all(np.ma.getmaskarray(masked[0]).ravel()):
        return
    # Streamlines depend on the direction only: sizes of 1 keep those of slow places as smooth as others.
    width, height = x[-1] - x[0], y[-1] - y[0]
    size = np.ma.hypot(masked[0] / width, masked[1] / height)
    size[np.ma.getdata(size) <= 0.0] = 1.0
    along = (x[::step], y[::step], masked[0] / size, masked[1] / size)
    ax.streamplot(*along, color=FIELD, linewidth=_widths(size), density=1.1, arrowsize=0.6,
                  arrowstyle="->", zorder=0.5)  # fmt: skip
    ax.set_xlim(plane.x[0], plane.x[-1])
    ax.set_ylim(plane.y[0], plane.y[-1])


def _widths(size: Any) -> Array:
    """Widths of streamlines: broader where the flow is fast, by the logarithm of its speed."""
    speed = np.log10(np.maximum(size.filled(1.0), 1e-300))
    slow, fast = np.quantile(speed, [0.05, 0.95])
    return 0.3 + 0.8 * np.clip((speed - slow) / max(fast - slow, 0.5), 0.0, 1.0)  # type: ignore[no-any-return]


def _curves(ax: Axes, plane: PhasePlane) -> list[Any]:
    """Nullclines, continua of equilibria and separatrices, each branch a line; one entry for each kind."""
    handles = []
    for branches, look, one in zip(plane.nullclines, (FIRST, SECOND), plane.coordinates, strict=True):
        label = rf"$\mathrm{{d}}{one.symbol}/\mathrm{{d}}t = 0$"
        handles += _lines(ax, branches, look | {"linewidth": 1.3, "zorder": 2.0}, label)
    handles += _lines(
        ax,
        plane.continua,
        {"color": "black", "linewidth": 3.0, "alpha": 0.35, "zorder": 1.8},
        "equilibria: a whole curve",
    )
    for stable, look, label in (
        (True, STABLE, "separatrix: stable manifold"),
        (False, UNSTABLE, "unstable manifold of saddle"),
    ):
        curves = [one.points for one in plane.separatrices if one.stable is stable]
        handles += _lines(ax, curves, look | {"linewidth": 1.3, "zorder": 2.2}, label)
    return handles


def _lines(ax: Axes, curves: Any, look: dict[str, Any], label: str) -> list[Line2D]:
    lines: list[Line2D] = []
    for curve in curves:
        lines += ax.plot(*curve.T, **look, label="_nolegend_" if lines else label)
    return lines[:1]


def _equilibria(ax: Axes, plane: PhasePlane) -> list[Any]:
    """A marker for every equilibrium, filled where it is stable in the plane; one entry for each kind."""
    handles: dict[str, Any] = {}
    for point in plane.equilibria:
        label = _name(point)
        face = "black" if point.stable else "white"
        (handle,) = ax.plot(
            *point.point[:, None], linestyle="none", marker=MARKERS[point.kind], markersize=6.5,
            markerfacecolor=face, markeredgecolor="black", markeredgewidth=1.0, zorder=5.0,
            label="_nolegend_" if label in handles else label,
        )  # fmt: skip
        handles.setdefault(label, handle)
    return list(handles.values())


def _name(point: FixedPoint) -> str:
    """The kind of an equilibrium, with what all nodes make of it."""
    if point.growth is None or (point.growth > 0.0) is not point.stable:
        return point.name
    if point.stable:
        return f"{point.name} here;\nunstable for free nodes"
    return point.name


def _trajectory(ax: Axes, plane: PhasePlane, marks: bool, style: dict[str, Any]) -> list[Any]:
    """The run, with arrows along it, a ring where it starts and dots at round times."""
    kept = np.isfinite(plane.trajectory).all(axis=1)
    path, t = plane.trajectory[kept], plane.times[kept]
    if not len(path):
        return []
    given: dict[str, Any] = {
        "color": "black",
        "linewidth": 1.1,
        "linestyle": "-",
        "zorder": 3.0,
        "label": "run",
    }
    now = int(np.searchsorted(t, plane.t, side="right"))
    handles: list[Any] = list(ax.plot(*path[:now].T, **(given | style)))
    if now < len(path):
        faint = {"alpha": 0.35, "label": "_nolegend_"}
        ax.plot(*path[max(now - 1, 0) :].T, **(given | style | faint))
        # Smaller than the markers of equilibria, and over them: the run is soon at one.
        dot: dict[str, Any] = {"marker": "o", "markersize": 4.0, "markerfacecolor": "#F0E442"}
        handles += ax.plot(*path[max(now - 1, 0)][:, None], linestyle="none", markeredgecolor="black",
                           markeredgewidth=0.6, label="run at this moment", zorder=5.5, **dot)  # fmt: skip
    ax.plot(*path[:1].T, linestyle="none", marker="o", markersize=4.0, markerfacecolor="white",
            markeredgecolor="black", zorder=4.0, gid="start")  # fmt: skip
    color = handles[0].get_color()
    arrow_heads(ax, path, color)
    if marks and len(path) > 1:
        slow = plane.tau == 0.0 or any(one.of_weights for one in plane.coordinates)
        since = (t - t[0]) / (plane.delta if slow else plane.tau)
        chosen = round_times(since, lengths(ax, path))
        time_marks(ax, path, since, chosen, r"\delta" if slow else r"\tau", color)
    return handles

"""The phase plane of two coordinates of a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.streamplot import StreamplotSet
from matplotlib.text import Text

from ..analysis.planes.fixed_points import FixedPoint
from ..analysis.planes.plane import OtherNodes, PhasePlane
from ..analysis.planes.plane import phase_plane as compute
from ..analysis.planes.window import Limits
from ..model.network import Array
from ..run.result import Run
from ..run.select import check_flags, of_run
from ..run.snapshot import PhaseOption, TimeOption
from .legends import LegendPlace, check_legend, place_legend
from .marks import ALONG, arrow_heads, lengths, note_above, round_times, start_mark, time_marks
from .style import axes_or_new
from .styles import Artists, Styles, StylesOption, draws

# First and second nullcline, stable and unstable separatrices, the field.
FIRST: dict[str, Any] = {"color": "#0072B2", "linestyle": "-"}
SECOND: dict[str, Any] = {"color": "#D55E00", "linestyle": (0, (6, 1.5))}
STABLE: dict[str, Any] = {"color": "#009E73", "linestyle": (0, (1, 1))}
UNSTABLE: dict[str, Any] = {"color": "#CC79A7", "linestyle": (0, (3, 1, 1, 1))}
FIELD = "0.72"

ARTISTS: Artists = {
    "flow": StreamplotSet,
    **dict.fromkeys(
        ("nullcline_x", "nullcline_y", "continua", "stable_manifold", "unstable_manifold"), Line2D
    ),
    **dict.fromkeys(("stable_equilibria", "unstable_equilibria", "run", "run_later", "now"), Line2D),
    **ALONG,
    "note": Text,
    "legend": Legend,
}

# Markers by kind: filled where stable.
MARKERS = {"node": "o", "focus": "s", "centre": "D", "saddle": "X", "degenerate": "*"}

# Points of streamlines along a side.
FLOW_SIDE = 41


@draws(ARTISTS)
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
    legend: LegendPlace = True,
    note: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""The phase plane of two coordinates: field, nullclines, equilibria, separatrices, trajectory.

    Grey streamlines are the rates of the two coordinates; on a nullcline one of them is zero, and where
    both are, every equilibrium in the window has a marker of its kind, filled where it is stable. The run is
    projected onto the plane, with dots at round times since the phase's start, in the run's unit of time, or,
    where it has none, in units of tau, or of delta where a weight is a coordinate.

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
    time : float or str, optional
        The moment whose values are held, in the run's time, and at which a yellow dot marks the run; the end
        of the phase, without a mark, where left out.
    xlim, ylim : two floats, optional
        The window; around the trajectory and the equilibria next to it where left out.
    resolution : int, optional
        Points along a side of the grid on which nullclines are sought.
    trajectory, marks, note : bool
        Whether to draw the run, its marks of time, and what became of the rest.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``flow`` (keywords of `Axes.streamplot`), ``nullcline_x`` and ``nullcline_y`` (where the first and the
        second coordinate are still), ``continua``, ``stable_manifold`` and ``unstable_manifold`` of saddles,
        ``stable_equilibria``, ``unstable_equilibria``, ``run``, ``run_later`` (after the moment),
        ``now``, ``start``, ``arrows``, ``times``, ``time_labels``, ``note`` and ``legend``.
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
    check_flags(trajectory=trajectory, marks=marks, note=note)
    check_legend(legend)
    look = Styles(styles, ARTISTS, run=kwargs, run_later=kwargs)
    plane = compute(run, x, y, rest=rest, phase=phase, time=time, xlim=xlim, ylim=ylim, resolution=resolution)
    with axes_or_new(ax) as ax:
        mark = time is not None
        draw_plane(
            ax, plane, trajectory=trajectory, mark=mark, marks=marks, legend=legend, note=note, look=look
        )
    return ax


def draw_plane(
    ax: Axes,
    plane: PhasePlane,
    *,
    trajectory: bool,
    mark: bool,
    marks: bool,
    legend: LegendPlace,
    note: bool,
    look: Styles,
) -> None:
    """Put a plane that has been computed on `ax`.

    Where `mark` is true the run has a dot at the plane's moment even if it ends there.
    """
    ax.set_xlim(plane.x[0], plane.x[-1])
    ax.set_ylim(plane.y[0], plane.y[-1])
    ax.set_xlabel(plane.coordinates[0].label)
    ax.set_ylabel(plane.coordinates[1].label)
    if "flow" in look:
        _flow(ax, plane, look)
    handles = _curves(ax, plane, look)
    if trajectory:
        handles += _trajectory(ax, plane, mark, marks, look)
    handles += _equilibria(ax, plane, look)
    if "legend" in look:
        place_legend(ax, legend, handles, **look.of("legend"))
    if note:
        note_above(ax, plane.rest, look)


def _flow(ax: Axes, plane: PhasePlane, look: Styles) -> None:
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
    drawn: dict[str, Any] = {"color": FIELD, "linewidth": _widths(size), "density": 1.1, "zorder": 0.5}
    ax.streamplot(*along, **look.of("flow", **drawn, arrowsize=0.6, arrowstyle="->"))
    ax.set_xlim(plane.x[0], plane.x[-1])
    ax.set_ylim(plane.y[0], plane.y[-1])


def _widths(size: Any) -> Array:
    """Widths of streamlines: broader where the flow is fast, by the logarithm of its speed."""
    speed = np.log10(np.maximum(size.filled(1.0), 1e-300))
    slow, fast = np.quantile(speed, [0.05, 0.95])
    return 0.3 + 0.8 * np.clip((speed - slow) / max(fast - slow, 0.5), 0.0, 1.0)  # type: ignore[no-any-return]


def _curves(ax: Axes, plane: PhasePlane, look: Styles) -> list[Any]:
    """Nullclines, continua of equilibria and separatrices, each branch a line; one entry for each kind."""
    handles = []
    kinds = zip(
        ("nullcline_x", "nullcline_y"), plane.nullclines, (FIRST, SECOND), plane.coordinates, strict=True
    )
    for name, branches, drawn, one in kinds:
        label = rf"$\mathrm{{d}}{one.symbol}/\mathrm{{d}}t = 0$"
        handles += _lines(ax, branches, look, name, drawn | {"linewidth": 1.3, "zorder": 2.0, "label": label})
    whole: dict[str, Any] = {"color": "black", "linewidth": 3.0, "alpha": 0.35, "zorder": 1.8}
    handles += _lines(ax, plane.continua, look, "continua", whole | {"label": "equilibria: a whole curve"})
    for stable, name, drawn, label in (
        (True, "stable_manifold", STABLE, "separatrix: stable manifold"),
        (False, "unstable_manifold", UNSTABLE, "unstable manifold of saddle"),
    ):
        curves = [one.points for one in plane.separatrices if one.stable is stable]
        handles += _lines(ax, curves, look, name, drawn | {"linewidth": 1.3, "zorder": 2.2, "label": label})
    return handles


def _lines(ax: Axes, curves: Any, look: Styles, name: str, drawn: dict[str, Any]) -> list[Line2D]:
    lines: list[Line2D] = []
    for curve in curves if name in look else ():
        lines += ax.plot(*curve.T, **(look.of(name, **drawn) | ({"label": "_nolegend_"} if lines else {})))
    return lines[:1]


def _equilibria(ax: Axes, plane: PhasePlane, look: Styles) -> list[Any]:
    """A marker for every equilibrium, filled where it is stable in the plane; one entry for each kind.

    They stand under the run, which may spiral closely around one.
    """
    handles: dict[str, Any] = {}
    for point in plane.equilibria:
        label = _name(point)
        name = "stable_equilibria" if point.stable else "unstable_equilibria"
        if name not in look:
            continue
        mark: dict[str, Any] = {"linestyle": "none", "marker": MARKERS[point.kind], "markersize": 6.5}
        mark |= {"markerfacecolor": "black" if point.stable else "white", "markeredgecolor": "black"}
        mark |= {"markeredgewidth": 1.0, "zorder": 2.6}
        mark |= {"label": "_nolegend_" if label in handles else label}
        (handle,) = ax.plot(*point.point[:, None], **look.of(name, **mark))
        handles.setdefault(label, handle)
    return list(handles.values())


def _name(point: FixedPoint) -> str:
    """The kind of an equilibrium, with what all nodes make of it."""
    if point.growth is None or (point.growth > 0.0) is not point.stable:
        return point.name
    if point.stable:
        return f"{point.name} here;\nunstable for free nodes"
    return point.name


def _trajectory(ax: Axes, plane: PhasePlane, mark: bool, marks: bool, look: Styles) -> list[Any]:
    """The run, with arrows along it, a ring where it starts and dots at round times."""
    kept = np.isfinite(plane.trajectory).all(axis=1)
    path, t = plane.trajectory[kept], plane.times[kept]
    if not len(path):
        return []
    black: dict[str, Any] = {"color": "black", "linewidth": 1.1, "linestyle": "-", "zorder": 3.0}
    given = look.of("run", **black, label="run")
    now = int(np.searchsorted(t, plane.t, side="right"))
    handles: list[Any] = list(ax.plot(*path[:now].T, **given)) if "run" in look else []
    here = path[max(now - 1, 0) :]
    if now < len(path) and "run_later" in look:
        ax.plot(*here.T, **look.of("run_later", **(given | {"alpha": 0.35, "label": "_nolegend_"})))
    if (mark or now < len(path)) and "now" in look:
        handles += _mark_moment(ax, here, look)
    start_mark(ax, path, look, zorder=4.0)
    arrow_heads(ax, path, given["color"], look)
    if marks and len(path) > 1:
        slow = plane.tau == 0.0 or any(one.of_weights for one in plane.coordinates)
        unit, symbol = plane.time_unit, r"\delta" if slow else r"\tau"
        since = (t - t[0]) / (1.0 if unit else plane.delta if slow else plane.tau)
        chosen = round_times(since, lengths(ax, path), unit=unit)
        time_marks(ax, path, since, chosen, symbol, given["color"], look, unit=unit)
    return handles


def _mark_moment(ax: Axes, path: Array, look: Styles) -> list[Line2D]:
    """A yellow dot where the path begins: smaller than equilibria and over them: the run is soon at one."""
    dot: dict[str, Any] = {
        "linestyle": "none",
        "marker": "o",
        "markersize": 4.0,
        "markerfacecolor": "#F0E442",
    }
    dot |= {"markeredgecolor": "black", "markeredgewidth": 0.6, "zorder": 5.5}
    return ax.plot(*path[:1].T, **look.of("now", **dot, label="run at this moment"))

"""The critical manifold over one weight, and curves that fall onto it and drift along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..analysis.manifolds.manifold import CriticalManifold, critical_manifold
from ..analysis.manifolds.trajectory import Trajectory, trajectory
from ..base.errors import InputError
from ..base.units import suffix
from ..model.network import Array
from ..run.result import Run
from ..run.select import check_flags, of_run
from ..run.snapshot import PhaseOption, TimeOption
from .legends import LegendPlace, check_legend, place_legend
from .marks import ALONG, arrow_heads, lengths, note_above, number, round_times, start_mark, time_marks
from .style import axes_or_new
from .styles import Artists, Styles, StylesOption, draws

STABLE = {"color": "#9a9a9a", "linewidth": 3.2, "linestyle": "-", "solid_capstyle": "butt"}
UNSTABLE = {"color": "#9a9a9a", "linewidth": 1.4, "linestyle": (0, (2.5, 1.5))}

# Fast and slow parts of one trajectory; colours of several, from small to large delta/tau.
FAST, SLOW = "#D55E00", "#0072B2"
SEVERAL = ("#E69F00", "#D55E00", "#882255", "#0072B2", "#009E73")
FAST_WIDTH, SLOW_WIDTH = 0.9, 1.9

ARTISTS: Artists = {
    **dict.fromkeys(("stable", "unstable", "folds", "hopf", "slow", "fast", "at_rest"), Line2D),
    **ALONG,
    "note": Text,
    "legend": Legend,
}


@draws(ARTISTS)
@of_run
def slow_manifold(
    run: Run,
    /,
    weight: str | None = None,
    node: str | None = None,
    *,
    ratios: Sequence[float] | None = None,
    phase: PhaseOption = None,
    time: TimeOption = None,
    limits: Sequence[float] | None = None,
    manifold: CriticalManifold | None = None,
    marks: bool = True,
    legend: LegendPlace = True,
    note: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""The critical manifold over a weight, and the trajectory: fast onto it, slow along it.

    Broad grey curves are the equilibria of the nodes for each value of the weight, solid where these are
    stable and dashed where not, with diamonds at folds. On top the trajectory, integrated anew from the
    start of the phase, so that jumps are seen: broad where it is slow, thin where it is fast, that is
    faster, in units of the window, than :math:`1/\sqrt{\tau\delta}`.

    Parameters
    ----------
    run : Run
        The run to draw.
    weight, node : str, optional
        Such as ``M0[0,0]`` and ``x1[0]``; the prediction weight that moves most, and the node that
        it predicts, where left out.
    ratios : sequence of float, optional
        Several :math:`\delta/\tau`, each with a trajectory and a colour; the run's own where left out.
    phase : int or str, optional
        The last that learns, where left out.
    time : float or str, optional
        The moment of the run whose other weights are held; the end of the phase where left out.
    limits : two floats, optional
        The weight's window.
    manifold : pcode.analysis.manifolds.manifold.CriticalManifold, optional
        What `critical_manifold` gave for this run, where it is to be drawn more than once; `weight`, `node`,
        `time` and `limits` are of no account then.
    marks, note : bool
        Whether to draw marks of time (of a single trajectory), and what is held of all that moves.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``stable`` and ``unstable`` (stretches of the manifold), ``folds``, ``hopf``, ``slow`` and ``fast``
        (stretches of the trajectories), ``at_rest`` (for the weights of the run), ``start``, ``arrows``,
        ``times``, ``time_labels``, ``note`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where left out.
    **kwargs
        To `Axes.plot`, for the curves.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes are dimensionless.

    Raises
    ------
    InputError
        If there is no such weight or node, it is too large, or no equilibrium is found.
    """
    check_flags(marks=marks, note=note)
    check_legend(legend)
    look = Styles(styles, ARTISTS, slow=kwargs, fast=kwargs)
    if manifold is None:
        manifold = critical_manifold(run, weight, node, phase=phase, time=time, limits=limits)
    curves = _followed(run, manifold, ratios)
    low, high = _heights(manifold, curves)
    with axes_or_new(ax) as ax:
        ax.set_xlim(manifold.low, manifold.high)
        ax.set_ylim(low, high)
        ax.set_xlabel(manifold.weight.label)
        ax.set_ylabel(manifold.node.label)
        handles = _manifold(ax, manifold, look)
        if ratios is None:
            handles += _single(ax, manifold, curves[0], marks, run.network.time_unit, look)
        else:
            handles += _several(ax, curves, look)
        if "legend" in look:
            place_legend(ax, legend, handles, **look.of("legend"))
        if note and (manifold.held or manifold.presentation):
            t = f"{manifold.t:.6g}{suffix(run.network.time_unit)}"
            held = f"{manifold.held} held as at t = {t}" if manifold.held else ""
            note_above(ax, ", ".join(filter(None, [held, manifold.presentation])), look)
    return ax


def _followed(run: Run, manifold: CriticalManifold, ratios: Sequence[float] | None) -> list[Trajectory]:
    """Trajectories: integrated anew, or as saved where the network is too large for that."""
    at = manifold.index, manifold.t
    if ratios is not None:
        if isinstance(ratios, str) or not 1 <= len(ratios) <= len(SEVERAL):
            raise InputError("ratios", f"must list one to {len(SEVERAL)} numbers delta/tau, not {ratios!r}")
        return [trajectory(run, manifold.weight, manifold.node, ratio, *at) for ratio in sorted(ratios)]
    try:
        return [trajectory(run, manifold.weight, manifold.node, None, *at)]
    except InputError:
        if len(manifold.times) < 3:
            raise
        kept = np.isfinite(manifold.trajectory).all(axis=1)
        tau = manifold.tau or manifold.delta / 1e4
        t = (manifold.times[kept] - manifold.times[0]) / tau
        return [Trajectory(manifold.delta / tau, t, *manifold.trajectory[kept].T)]


def _heights(manifold: CriticalManifold, curves: list[Trajectory]) -> tuple[float, float]:
    """Ends of the node's axis: around the curves, and what there is of the manifold nearby."""
    seen = np.concatenate([one.node for one in curves] + [manifold.folds[:, 1]])
    seen = seen[np.isfinite(seen)]
    points = np.concatenate([branch.node for branch in manifold.branches])
    if not seen.size:
        seen = points
    reach = max(float(np.ptp(seen)), 0.1 * float(np.abs(seen).max()), 1e-6)
    near = points[(points > seen.min() - 0.6 * reach) & (points < seen.max() + 0.6 * reach)]
    everything = np.concatenate([seen, near])
    margin = 0.08 * max(float(np.ptp(everything)), 1e-6)
    return float(everything.min()) - margin, float(everything.max()) + margin


def _manifold(ax: Axes, manifold: CriticalManifold, look: Styles) -> list[Any]:
    """Stable and unstable stretches of every branch, folds and Hopf points."""
    handles: dict[str, Line2D] = {}

    def add(name: str, x: Any, y: Any, drawn: dict[str, Any], label: str) -> None:
        if name in look:
            given = look.of(name, **drawn, label="_nolegend_" if label in handles else label)
            (line,) = ax.plot(x, y, **given)
            handles.setdefault(label, line)

    for branch in manifold.branches:
        stable = branch.stable
        edges = np.flatnonzero(np.diff(stable.astype(int))) + 1
        for part in np.split(np.arange(stable.size), edges):
            reach = slice(max(part[0] - 1, 0) if not stable[part[0]] else part[0],
                          part[-1] + (1 if stable[part[0]] else 2))  # fmt: skip
            name = "stable" if stable[part[0]] else "unstable"
            drawn = (STABLE if stable[part[0]] else UNSTABLE) | {"zorder": 1.0}
            add(name, branch.weight[reach], branch.node[reach], drawn, f"equilibria, {name}")
        mark = {"linestyle": "none", "markeredgecolor": "black", "markerfacecolor": "white", "zorder": 4.0}
        for name, at, shape, label in (
            ("folds", branch.folds, {"marker": "D", "markersize": 5.0}, "fold"),
            ("hopf", branch.turns, {"marker": "^", "markersize": 5.5}, "oscillation sets in (Hopf)"),
        ):
            if at.size:
                add(name, branch.weight[at], branch.node[at], mark | shape, label)
    return [handles[label] for label in sorted(handles, key=lambda one: (one[0] != "e", one))]


def _single(
    ax: Axes, manifold: CriticalManifold, one: Trajectory, marks: bool, unit: str | None, look: Styles
) -> list[Any]:
    """One trajectory, its slow and fast parts in colours of their own, with arrows and marks of time."""
    slow: dict[str, Any] = {"color": SLOW, "linewidth": SLOW_WIDTH, "zorder": 3.0, "solid_capstyle": "round"}
    fast: dict[str, Any] = {"color": FAST, "linewidth": FAST_WIDTH, "zorder": 3.1}
    handles: list[Any] = []
    if manifold.held and len(manifold.along) and "at_rest" in look:
        dotted: dict[str, Any] = {
            "color": "black",
            "linewidth": 0.9,
            "linestyle": (0, (1, 1.2)),
            "zorder": 3.6,
        }
        handles += ax.plot(
            *manifold.along.T, **look.of("at_rest", **dotted, label="at rest, weights of the run")
        )
    moves = bool(np.ptp(one.weight) > 0.0)
    if moves:
        handles += _parts(ax, one, slow, fast, ("slow", "fast"), look)
    elif "fast" in look:  # no weight moves, so nothing is slow
        handles += ax.plot(one.weight, one.node, **look.of("fast", **fast, label="run"))
    path = np.column_stack([one.weight, one.node])
    start_mark(ax, path, look, zorder=4.5)
    arrow_heads(ax, path, "black", look)
    if marks and manifold.tau > 0.0:
        tau = manifold.tau if unit else 1.0
        if not moves:  # so delta tells nothing
            chosen = round_times(tau * one.t, lengths(ax, path), unit=unit)
            time_marks(ax, path, tau * one.t, chosen, r"\tau", "black", look, unit=unit)
            return handles
        _both_clocks(ax, one, path, tau, unit, look)
    return handles


def _both_clocks(ax: Axes, one: Trajectory, path: Array, tau: float, unit: str | None, look: Styles) -> None:
    """Marks of time in units of tau up to the geometric mean of tau and delta, then of delta.

    Or both in the run's unit of time, in which `tau` is given.
    """
    length = lengths(ax, path)
    early = one.t <= np.sqrt(one.ratio)
    placed: list[Array] = []
    if early.sum() > 1 and length[early][-1] > 0.1:
        since = tau * one.t[early]
        chosen = round_times(since, length[early], 2, unit)
        placed = time_marks(ax, path[early], since, chosen, r"\tau", "black", look, unit=unit)
    late = ~early
    if late.sum() > 1:
        since = tau * one.t[late] if unit else one.t[late] / one.ratio
        chosen = round_times(since, length[late] - length[late][0], 6, unit)
        time_marks(ax, path[late], since, chosen, r"\delta", "black", look, placed, unit)


def _several(ax: Axes, curves: list[Trajectory], look: Styles) -> list[Any]:
    """A trajectory for each delta/tau, in a colour of its own."""
    handles = []
    pick = np.linspace(0, len(SEVERAL) - 1, len(curves)).round().astype(int) if len(curves) > 1 else [3]
    for k, one in zip(pick, curves, strict=True):
        given = {"color": SEVERAL[k], "zorder": 3.0}
        label = rf"$\delta/\tau = {number(one.ratio)}$"
        slow, fast = given | {"linewidth": 1.7}, given | {"linewidth": 0.8}
        lines = _parts(ax, one, slow, fast, (label, ""), look)
        arrow_heads(ax, np.column_stack([one.weight, one.node]), SEVERAL[k], look)
        handles += [Line2D([], [], **look.of("slow", **slow, label=label))] if lines else []
    start_mark(ax, np.column_stack([curves[0].weight, curves[0].node]), look, zorder=4.5)
    return handles


def _parts(
    ax: Axes,
    one: Trajectory,
    slow: dict[str, Any],
    fast: dict[str, Any],
    labels: tuple[str, str],
    look: Styles,
) -> list[Any]:
    """The stretches of a trajectory that are slow, and those that are fast; one entry for each kind."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    quick = one.fast(x1 - x0, y1 - y0)
    handles: dict[str, Any] = {}
    if not quick.size:
        return []
    for part in np.split(np.arange(quick.size), np.flatnonzero(np.diff(quick.astype(int))) + 1):
        name, drawn, label = ("fast", fast, labels[1]) if quick[part[0]] else ("slow", slow, labels[0])
        if name not in look:
            continue
        legs = slice(part[0], part[-1] + 2)
        given = look.of(name, **drawn, linestyle="-", label=label)
        if label in handles or not label:
            given["label"] = "_nolegend_"
        (line,) = ax.plot(one.weight[legs], one.node[legs], **given)
        handles.setdefault(label, line)
    return [handles[label] for label in labels if label in handles]

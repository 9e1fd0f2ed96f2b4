"""The critical manifold over one weight, and curves that fall onto it and drift along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..analysis.manifolds.manifold import CriticalManifold, critical_manifold
from ..analysis.manifolds.trajectory import Trajectory, trajectory
from ..base.errors import InputError
from ..model.network import Array
from ..run.result import Run
from ..run.select import check_flags, of_run
from ..run.snapshot import PhaseOption, TimeOption
from .marks import arrow_heads, lengths, number, round_times, time_marks
from .style import axes_or_new

STABLE = {"color": "#9a9a9a", "linewidth": 3.2, "linestyle": "-", "solid_capstyle": "butt"}
UNSTABLE = {"color": "#9a9a9a", "linewidth": 1.4, "linestyle": (0, (2.5, 1.5))}

# Fast and slow parts of one trajectory; colours of several, from small to large delta/tau.
FAST, SLOW = "#D55E00", "#0072B2"
SEVERAL = ("#E69F00", "#D55E00", "#882255", "#0072B2", "#009E73")
FAST_WIDTH, SLOW_WIDTH = 0.9, 1.9


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
    legend: bool = True,
    note: bool = True,
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
    time : float, optional
        The moment of the run whose other weights are held; the end of the phase where left out.
    limits : two floats, optional
        The weight's window.
    manifold : pcode.analysis.manifolds.manifold.CriticalManifold, optional
        What `critical_manifold` gave for this run, where it is to be drawn more than once; `weight`, `node`,
        `time` and `limits` are of no account then.
    marks, legend, note : bool
        Whether to draw marks of time (of a single trajectory), a legend, and what is held of all that moves.
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
    check_flags(marks=marks, legend=legend, note=note)
    if manifold is None:
        manifold = critical_manifold(run, weight, node, phase=phase, time=time, limits=limits)
    curves = _followed(run, manifold, ratios)
    low, high = _heights(manifold, curves)
    with axes_or_new(ax) as ax:
        ax.set_xlim(manifold.low, manifold.high)
        ax.set_ylim(low, high)
        ax.set_xlabel(manifold.weight.label)
        ax.set_ylabel(manifold.node.label)
        handles = _manifold(ax, manifold)
        if ratios is None:
            handles += _single(ax, manifold, curves[0], marks, kwargs)
        else:
            handles += _several(ax, manifold, curves, kwargs)
        if legend:
            ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        if note and manifold.held:
            ax.set_title(
                f"{manifold.held} held as at t = {manifold.t:.6g}", loc="left", fontsize=7, color="0.3"
            )
    return ax


def _followed(run: Run, manifold: CriticalManifold, ratios: Sequence[float] | None) -> list[Trajectory]:
    """Trajectories: integrated anew, or as saved where the network is too large for that."""
    if ratios is not None:
        if isinstance(ratios, str) or not 1 <= len(ratios) <= len(SEVERAL):
            raise InputError("ratios", f"must list one to {len(SEVERAL)} numbers delta/tau, not {ratios!r}")
        return [
            trajectory(run, manifold.weight, manifold.node, ratio, manifold.index) for ratio in sorted(ratios)
        ]
    try:
        return [trajectory(run, manifold.weight, manifold.node, None, manifold.index)]
    except InputError:
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


def _manifold(ax: Axes, manifold: CriticalManifold) -> list[Any]:
    """Stable and unstable stretches of every branch, folds and Hopf points."""
    handles: dict[str, Line2D] = {}

    def add(x: Any, y: Any, look: dict[str, Any], label: str) -> None:
        (line,) = ax.plot(x, y, **look, label="_nolegend_" if label in handles else label)
        handles.setdefault(label, line)

    for branch in manifold.branches:
        stable = branch.stable
        edges = np.flatnonzero(np.diff(stable.astype(int))) + 1
        for part in np.split(np.arange(stable.size), edges):
            reach = slice(max(part[0] - 1, 0) if not stable[part[0]] else part[0],
                          part[-1] + (1 if stable[part[0]] else 2))  # fmt: skip
            look = STABLE if stable[part[0]] else UNSTABLE
            label = "equilibria, stable" if stable[part[0]] else "equilibria, unstable"
            add(branch.weight[reach], branch.node[reach], look | {"zorder": 1.0}, label)
        marker = {"linestyle": "none", "markeredgecolor": "black", "zorder": 4.0}
        at = branch.folds
        if at.size:
            look = {"marker": "D", "markersize": 5.0, "markerfacecolor": "white"}
            add(branch.weight[at], branch.node[at], marker | look, "fold")
        if branch.turns.size:
            look = {"marker": "^", "markersize": 5.5, "markerfacecolor": "white"}
            add(
                branch.weight[branch.turns],
                branch.node[branch.turns],
                marker | look,
                "oscillation sets in (Hopf)",
            )
    return [handles[label] for label in sorted(handles, key=lambda one: (one[0] != "e", one))]


def _single(
    ax: Axes, manifold: CriticalManifold, one: Trajectory, marks: bool, style: dict[str, Any]
) -> list[Any]:
    """One trajectory, its slow and fast parts in colours of their own, with arrows and marks of time."""
    given: dict[str, Any] = {"color": SLOW, "linewidth": SLOW_WIDTH, "zorder": 3.0, "solid_capstyle": "round"}
    quick: dict[str, Any] = {"color": FAST, "linewidth": FAST_WIDTH, "zorder": 3.1}
    handles = list(
        ax.plot(*manifold.along.T, color="black", linewidth=0.9, linestyle=(0, (1, 1.2)), zorder=3.6,
                label="at rest, weights of the run")
    ) if manifold.held and len(manifold.along) else []  # fmt: skip
    if np.ptp(one.weight) > 0.0:
        handles += _parts(ax, one, given | style, quick | style, ("slow", "fast"))
    else:  # no weight moves, so nothing is slow
        handles += ax.plot(one.weight, one.node, **(quick | {"label": "run"} | style))
    path = np.column_stack([one.weight, one.node])
    start: dict[str, Any] = {
        "linestyle": "none",
        "marker": "o",
        "markersize": 4.0,
        "markerfacecolor": "white",
    }
    ax.plot(*path[:1].T, **start, markeredgecolor="black", zorder=4.5, gid="start")
    arrow_heads(ax, path, "black")
    if marks and manifold.tau > 0.0:
        if not np.ptp(one.weight) > 0.0:  # no weight moves, so delta tells nothing
            time_marks(ax, path, one.t, round_times(one.t, lengths(ax, path)), r"\tau", "black")
            return handles
        _both_clocks(ax, one, path)
    return handles


def _both_clocks(ax: Axes, one: Trajectory, path: Array) -> None:
    """Marks of time in units of tau up to the geometric mean of tau and delta, then of delta."""
    length = lengths(ax, path)
    early = one.t <= np.sqrt(one.ratio)
    placed: list[Array] = []
    if early.sum() > 1 and length[early][-1] > 0.1:
        chosen = round_times(one.t[early], length[early], 2)
        placed = time_marks(ax, path[early], one.t[early], chosen, r"\tau", "black")
    late = ~early
    if late.sum() > 1:
        since = one.t[late] / one.ratio
        chosen = round_times(since, length[late] - length[late][0], 6)
        time_marks(ax, path[late], since, chosen, r"\delta", "black", placed)


def _several(
    ax: Axes, manifold: CriticalManifold, curves: list[Trajectory], style: dict[str, Any]
) -> list[Any]:
    """A trajectory for each delta/tau, in a colour of its own."""
    handles = []
    pick = np.linspace(0, len(SEVERAL) - 1, len(curves)).round().astype(int) if len(curves) > 1 else [3]
    for k, one in zip(pick, curves, strict=True):
        given = {"color": SEVERAL[k], "zorder": 3.0}
        label = rf"$\delta/\tau = {number(one.ratio)}$"
        lines = _parts(
            ax, one, given | {"linewidth": 1.7} | style, given | {"linewidth": 0.8} | style, (label, "")
        )
        arrow_heads(ax, np.column_stack([one.weight, one.node]), SEVERAL[k])
        handles += [Line2D([], [], color=SEVERAL[k], linewidth=1.7, label=label)] if lines else []
    ax.plot(curves[0].weight[:1], curves[0].node[:1], linestyle="none", marker="o", markersize=4.0,
            markerfacecolor="white", markeredgecolor="black", zorder=4.5, gid="start")  # fmt: skip
    return handles


def _parts(
    ax: Axes, one: Trajectory, slow: dict[str, Any], fast: dict[str, Any], labels: tuple[str, str]
) -> list[Any]:
    """The stretches of a trajectory that are slow, and those that are fast; one entry for each kind."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    quick = one.fast(x1 - x0, y1 - y0)
    handles: dict[str, Any] = {}
    if not quick.size:
        return []
    for part in np.split(np.arange(quick.size), np.flatnonzero(np.diff(quick.astype(int))) + 1):
        label = labels[1] if quick[part[0]] else labels[0]
        legs = slice(part[0], part[-1] + 2)
        look = (fast if quick[part[0]] else slow) | {"linestyle": "-"}
        (line,) = ax.plot(one.weight[legs], one.node[legs], **(look | {"label": label or "_nolegend_"}))
        if label in handles or not label:
            line.set_label("_nolegend_")
        handles.setdefault(label, line)
    return [handles[label] for label in labels if label in handles]

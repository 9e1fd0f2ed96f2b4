"""What the solver did: how long its steps were, of what order, and what each phase cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ..base.errors import InputError
from ..base.status import Status
from ..model.network import Array
from ..run.result import Run
from ..run.select import PhaseChoice, check_flags, choose_phases, of_run
from .clock import Clock, TimeAxis
from .legends import LegendPlace, check_legend, place_legend
from .series import ON_TIME, finish, joined
from .style import NEUTRAL, axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

# Steps longer than this part of their phase's first saved time are where its logarithmic axis begins.
EARLY = 1e-2

# Inches from which on an Axes has room for a legend beside it.
WIDE = 3.5

# Steps show that end later than this part of where a logarithm of time begins, or of a linear axis.
SHOWN, SLIVER = 0.1, 2e-3

SIZES: Artists = {
    "steps": Line2D,
    "constants": Line2D,
    "constant_names": Text,
    "rest": Line2D,
    **ON_TIME,
}
ORDERS: Artists = {"steps": Line2D, "phases": Line2D, "phase_names": Text}
WORK_ARTISTS: Artists = {"bars": Rectangle, "numbers": Text, "legend": Legend}

WORK = (
    ("steps", "steps"),
    ("rhs_evaluations", "right-hand sides"),
    ("jacobian_evaluations", "Jacobians"),
)


@draws(SIZES)
@of_run
def step_sizes(
    run: Run,
    /,
    *,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    legend: LegendPlace = True,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Length of the solver's steps against time.

    Grey lines are the time constants :math:`\tau` and :math:`\delta`; stars mark where a phase
    ended because all was at rest.

    Parameters
    ----------
    run : Run
        The run to draw.
    phase : int, str or sequence of these, optional
        Index or name of the phases to draw; all where left out.
    log_time : bool
        Whether every phase has a logarithmic axis of its own, counted from its start.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of both axes; tau where left out, or delta where tau = 0.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if there is a mark to explain. True is to the right of the Axes, or below it
        where it would take more than a quarter of the width.
    phase_names : bool
        Whether to write the names of the phases above it; where they start is always marked.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``steps``, ``constants`` (lines of tau and delta), ``constant_names``, ``rest`` (stars), ``phases``,
        ``phase_names`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.
    **kwargs
        To `Axes.plot`, for the steps.

    Returns
    -------
    matplotlib.axes.Axes
        Times in units of the clock, lengths on a logarithmic axis.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run holds no steps of such a phase.
    """
    check_flags(phase_names=phase_names)
    check_legend(legend)
    look = Styles(styles, SIZES, steps=kwargs)
    axis = _axis(run, phase, log_time, clock)
    unit = axis.unit
    sizes = run.solver["step_size"].to_numpy() / unit
    t, h = joined(axis.stretches, [np.append(np.nan, sizes[_steps(s.rows)]) for s in axis.stretches])
    rests = [s.end for s in axis.stretches if s.record.status is Status.EQUILIBRIUM]
    with axes_or_new(ax) as ax:
        network = run.network
        errors = (r"$\tau_\varepsilon$", network.own_taus_eps)
        named = ((r"$\tau$", network.taus), errors, (r"$\delta$", network.deltas))
        for name, value in ((name, value) for name, values in named for value in dict.fromkeys(values)):
            if np.nanmin(h) / 3.0 < value / unit < 3.0 * np.nanmax(h):
                _mark_constant(ax, name, value / unit, look)
        if "steps" in look:
            given = line_style(0, 1) | {"drawstyle": "steps-pre", "linewidth": 1.0, "label": "_nolegend_"}
            ax.plot(t, h, **look.of("steps", **given))
        if rests and "rest" in look:
            star: dict[str, Any] = {"linestyle": "none", "marker": "*", "markersize": 7.0, "color": "black"}
            star |= {"clip_on": False, "transform": ax.get_xaxis_transform(), "zorder": 3}
            ax.plot(rests, np.full(len(rests), 0.03), **look.of("rest", **star, label="at rest"))
        ax.set_yscale("log")
        ax.set_ylim(bottom=_lowest(axis, sizes) / 3.0)
        mark = {"tau": r"h / \tau", "delta": r"h / \delta", "time": "h"}[axis.clock]
        of = f" ({axis.name})" if axis.name else ""
        means = any(s.record.presentation is not None for s in axis.stretches)
        what = "length of step (mean of a presentation)" if means else "length of step"
        finish(ax, axis, f"{what}, ${mark}${of}", False, phase_names, look)
        if "legend" in look:
            low: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.3)}  # below the names
            beside = legend is True and ax.get_window_extent().width > WIDE * ax.figure.dpi
            place = "below" if legend is True and not beside else legend
            place_legend(ax, place, **look.of("legend", **(low if beside else {})))
    return ax


def _mark_constant(ax: Axes, name: str, value: float, look: Styles) -> None:
    """A grey line at a time constant, with its name to the right."""
    if "constants" in look:
        ax.axhline(value, **look.of("constants", color=NEUTRAL, linewidth=0.8, linestyle=":", zorder=0.5))
    if "constant_names" in look:
        given = look.of("constant_names", textcoords="offset points", va="center", color=NEUTRAL)
        ax.annotate(name, (1.0, value), (3, 0), xycoords=ax.get_yaxis_transform(), **given)


@draws(ORDERS)
@of_run
def step_orders(
    run: Run,
    /,
    *,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Order of the solver's steps against time, where it is known.

    Parameters
    ----------
    run : Run
        The run to draw.
    phase, log_time, clock, phase_names, styles, ax, **kwargs
        As for `step_sizes`; the artists are ``steps``, ``phases`` and ``phase_names``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run holds no order of a step of such a phase.
    """
    check_flags(phase_names=phase_names)
    look = Styles(styles, ORDERS, steps=kwargs)
    axis = _axis(run, phase, log_time, clock)
    order = run.solver["step_order"].to_numpy()
    t, q = joined(axis.stretches, [np.append(np.nan, order[_steps(s.rows)]) for s in axis.stretches])
    if not np.isfinite(q).any():
        raise InputError("run", "holds no order of its steps, as its method does not tell one")
    with axes_or_new(ax) as ax:
        if "steps" in look:
            given = line_style(0, 1) | {"drawstyle": "steps-pre", "linewidth": 1.0}
            ax.plot(t, q, **look.of("steps", **given))
        ax.set_ylim(0.5, np.nanmax(q) + 0.5)
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        finish(ax, axis, "order", False, phase_names, look)
    return ax


@of_run
def knows_order(run: Run, phase: PhaseChoice = None) -> bool:
    """Say whether the order of any step in the phases meant is known.

    Parameters
    ----------
    run : Run
    phase : int, str, sequence of these, or None
        As for `choose_phases`.

    Raises
    ------
    InputError
        If the run has no such phase.
    """
    if "step_order" not in run.solver:
        return False
    chosen = np.isin(run.solver["step_phase"].to_numpy(), choose_phases(run, phase))
    return bool(np.isfinite(run.solver["step_order"].to_numpy()[chosen]).any())


@draws(WORK_ARTISTS)
@of_run
def solver_work(
    run: Run,
    /,
    *,
    phase: PhaseChoice = None,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Work of the solver in each phase: steps, evaluations of the right-hand side, and Jacobians.

    Parameters
    ----------
    run : Run
        The run to draw.
    phase : int, str or sequence of these, optional
        Index or name of the phases to draw; all where left out.
    legend, styles
        As for `step_sizes`; the artists are ``bars``, ``numbers`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where left out.
    **kwargs
        To `Axes.barh`.

    Returns
    -------
    matplotlib.axes.Axes
        A group of bars for each phase, with their numbers, on a logarithmic axis.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such phase.
    """
    check_legend(legend)
    look = Styles(styles, WORK_ARTISTS, bars=kwargs)
    records = [run.phases[k] for k in choose_phases(run, phase)]
    height = 0.8 / len(WORK)
    largest = 1.0
    with axes_or_new(ax) as ax:
        for k, (name, told) in enumerate(WORK):
            counts = [getattr(record.stats, name) for record in records]
            rows = np.arange(len(records)) + (k - 0.5 * (len(WORK) - 1)) * height
            given = {"height": height, "color": line_style(k, len(WORK))["color"], "label": told}
            if "bars" in look:
                ax.barh(rows, [count or np.nan for count in counts], **look.of("bars", **given))
            for row, count in zip(rows, counts if "numbers" in look else (), strict=False):
                text = "not told" if count is None else f"{count:,}"
                small = look.of("numbers", va="center", fontsize="small", color=NEUTRAL)
                ax.annotate(text, (count or 1.0, row), (2, 0), textcoords="offset points", **small)
            largest = max(largest, *(count or 0 for count in counts))
        ax.set_xscale("log")
        ax.set_xlim(1.0, 4.0 * largest)
        ax.set_yticks(range(len(records)), [f"{record.name}\n({record.method})" for record in records])
        ax.set_ylim(len(records) - 0.5, -0.5)
        ax.set_xlabel("number in the phase")
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _axis(run: Run, phase: PhaseChoice, log_time: bool, clock: Clock | None) -> TimeAxis:
    """The time axis of the phases, with the ends of their steps, after their start, for times.

    Rows of a stretch are those of its steps and the one before.
    """
    if "step_time" not in run.solver:
        raise InputError(
            "run", "holds no steps of the solver, as files of older versions do not; run it anew"
        )
    axis = TimeAxis.of(run, "time", phase, clock, log_time)
    unit = axis.unit
    index, ends = run.solver["step_phase"].to_numpy(), run.solver["step_time"].to_numpy()
    phases = run.data["phase"].to_numpy()
    stretches = []
    for stretch in axis.stretches:
        own = np.flatnonzero(index == phases[stretch.rows.start])
        if own.size:
            # The last step may have led beyond the end of the phase, when all was at rest before.
            t = np.append(stretch.start, np.minimum(ends[own[0] : own[-1] + 1] / unit, stretch.end))
            first = min(stretch.first, max(t[1] - t[0], EARLY * stretch.first))
            stretches.append(replace(stretch, t=t, rows=slice(own[0] - 1, own[-1] + 1), first=first))
    if not stretches:
        raise InputError("phase", "the solver took no step there; choose a phase in which time passed")
    return replace(axis, stretches=tuple(stretches))


def _lowest(axis: TimeAxis, sizes: Array) -> float:
    """The shortest step that shows: the first ones of a phase stand within the line where it starts."""
    shown = []
    for stretch in axis.stretches:
        since = stretch.t[1:] - stretch.start
        least = SHOWN * stretch.first if axis.log_time else SLIVER * (stretch.end - stretch.start)
        shown.append(sizes[_steps(stretch.rows)][since >= least])
    return float(np.min(np.concatenate(shown)))


def _steps(rows: slice) -> slice:
    return slice(rows.start + 1, rows.stop)

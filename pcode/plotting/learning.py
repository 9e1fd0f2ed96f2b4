"""What probes saw in the course of a run: accuracy, loss, angles and others against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from ..base import checks
from ..base.errors import InputError
from ..base.near import hint
from ..model.network import Array
from ..model.variables import M
from ..run.probes import FUNCTION, PHASE, PRESENTATION, TIME, points_of, probe_names
from ..run.result import Run
from ..run.select import PhaseChoice, check_flags, of_run
from ..simulation.measures import MEASURES
from .clock import Clock, TimeAxis
from .legends import LegendPlace, check_legend
from .series import LARGEST, MOST_LINES, ON_TIME, finish, flat_axis
from .sizes import small_text
from .style import axes_or_new, distinct, line_style
from .styles import Artists, Styles, StylesOption, draws

# Further curves, by what they are called: times of the run, shape (R,), and values, shape (R,) or (R, n).
Others = Mapping[str, tuple[ArrayLike, ArrayLike]]

ARTISTS: Artists = {"curves": Line2D, "others": Line2D, **ON_TIME}

# What an axis shows, by the word of its probes; else it is their long name.
LABELS = {
    "loss": r"loss, $\frac{1}{2}\langle|y - f(x)|^2\rangle$",
    "error": "largest error",
    "energy": "energy $F$",
    "energy_slaved": r"energy $F$, $\varepsilon$ at rest",
    "gradient_angle": "angle of flow to gradient",
    "gradient_size": "size of flow over gradient",
    "feedback_angle": r"angle of $W$ to $M^\top$",
    "norms": "norm of $M$",
    "changes": "norm of change of $M$",
}
# Curves with no more points than this have a mark for each.
FEW = 25
# Losses and the like have a logarithmic axis if they span more than this factor.
SPAN = 20.0
# Of a logarithmic axis that spans less than this factor, 2 and 5 are labelled as well as 1.
FEW_DECADES = 200.0
# The first part of the time, in which energies rise from 0 and such, does not decide on the scale.
PASSING = 0.01
# Joints of phases beyond which they are not marked.
MOST_JOINTS = 20
# Inches from the time axis to that of presentations below it, in heights of its letters.
BELOW = 3.6

# Of these, measured in the nodes as they are, the end of a phase says nothing of the start of the next.
OF_NODES = ("energy", "energy_slaved", "gradient_angle", "gradient_size")
ENERGIES = ("energy", "energy_slaved")
ANGLES = ("gradient_angle", "feedback_angle")
NEVER_LOG = ("accuracy", *ANGLES, FUNCTION)


@dataclass(frozen=True)
class _Curve:
    """One curve: its name in the legend, and its points, in the run's time."""

    label: str
    t: Array
    values: Array
    phase: NDArray[np.int64]


@of_run
def probe_groups(run: Run, probes: str | Sequence[str] | None = None) -> list[list[str]]:
    """The probes of a run, those together that go on one Axes: of one measure, one number each.

    Parameters
    ----------
    run : Run
    probes : str or sequence of str, optional
        The probes to take. Where left out, all but large arrays and those with fewer than three values, such
        as what is noted at the ends of phases only, where others have more.

    Raises
    ------
    InputError
        If the run has no probes, or not these.
    """
    if probes is not None:
        enough = _checked(run, probes, alike=False)
    else:
        names = [name for name in probe_names(run.data) if run.data[name][0].size <= MOST_LINES]
        if not names:
            what = "has no probes to draw; give simulate some, or a scenario a table [probes]"
            raise InputError("run", what)
        counts = {name: len(points_of(run.data, name)[0]) for name in names}
        enough = [name for name in names if counts[name] > 2] or names
    groups: dict[Any, list[str]] = {}
    order = list(MEASURES)
    for name in sorted(enough, key=lambda name: _place(order, run.data[name])):
        variable = run.data[name]
        word = variable.attrs.get("probe", FUNCTION)
        alone = word == FUNCTION or variable.ndim > 1
        groups.setdefault(name if alone else ("energy",) if word in ENERGIES else (word,), []).append(name)
    return list(groups.values())


def _place(order: Sequence[str], variable: xr.DataArray) -> int:
    """Where a probe stands: accuracies first, functions last."""
    word = variable.attrs.get("probe")
    return order.index(word) if word in order else len(order)


@draws(ARTISTS)
@of_run
def learning_curve(
    run: Run,
    /,
    probes: str | Sequence[str],
    *,
    others: Others | None = None,
    called: str | None = None,
    log_y: bool | None = None,
    presentations: bool = True,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    legend: LegendPlace = True,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""What a probe saw, or several of one unit, against time.

    Parameters
    ----------
    run : Run
        The run to draw.
    probes : str or sequence of str
        Names of its probes. Of one that has a number for each link there is a curve for each.
    others : mapping of str to (times, values), optional
        Further curves by what they are called, such as those of another run: times in that of this run, shape
        (R,), and values, shape (R,) or (R, n).
    called : str, optional
        What to call the run's own curve in the legend, where it is one; its name or label by default.
    log_y : bool, optional
        Whether the values have a logarithmic axis; where it is not said, they have one if they are neither
        accuracies nor angles, and span more than a decade or so.
    presentations : bool
        Whether to count passes, or presentations where there is but one, on a second scale below, where
        a phase has a `Presentation`.
    phase, log_time, clock, legend, phase_names, styles, ax, **kwargs
        As for `value_nodes`, with delta in place of tau for the clock; the keywords go to `Axes.plot`. The
        artists are ``curves``, ``others``, ``phases``, ``phase_names`` and ``legend``.

    Returns
    -------
    matplotlib.axes.Axes
        Units are those of the probes, times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such probe or phase.
    """
    names = _checked(run, probes)
    check_flags(phase_names=phase_names, presentations=presentations, log_y=bool(log_y))
    check_legend(legend)
    look = Styles(styles, ARTISTS, curves=kwargs, others=kwargs)
    axis = _axis(run, phase, clock, log_time)
    curves = [curve for name in names for curve in _curves(run, name, len(names) > 1)]
    further = _further(others)
    if called is not None:
        checks.text("called", called)
        curves = [replace(curve, label=called) for curve in curves] if len(curves) == 1 else curves
    measured = {str(run.data[name].attrs.get("probe", FUNCTION)) for name in names}
    if len(curves) + len(further) == 1 and legend in (True, "inside"):
        legend = False  # the label of the axis says what it is
    parted = bool(measured & set(OF_NODES)) or (FUNCTION in measured and any(map(_goes_on, curves)))
    with axes_or_new(ax) as ax:
        _draw(ax, axis, [*curves, *further], len(curves), parted, look)
        _scale(ax, axis, [*curves, *further], measured, log_y)
        finish(ax, _few_joints(axis), _label(run, names), legend, phase_names, look)
        if presentations and not log_time:
            _count_presentations(ax, run, axis)
    return ax


def _checked(run: Run, probes: Any, alike: bool = True) -> list[str]:
    """The names of probes that the run has, of one unit if they are to be `alike`."""
    known = probe_names(run.data)
    names = [probes] if isinstance(probes, str) else list(checks.listed("probes", probes, "names of probes"))
    if not names:
        raise InputError("probes", "is an empty list; give the name of a probe")
    for name in names:
        if name not in known:
            have = f"it has {', '.join(known)}" if known else "it has none"
            what = f"there is no probe {checks.shown(name)} in this run; {have}"
            raise InputError("probes", f"{what}{hint(name, known)}")
        if run.data[name][0].size > MOST_LINES:
            raise InputError("probes", f"{name} has {run.data[name][0].size:,} entries; too many for curves")
    units = {run.data[name].attrs.get("units") for name in names}
    if alike and len(units) > 1:
        raise InputError(
            "probes", f"{', '.join(names)} have different units; draw each on an Axes of its own"
        )
    return names


def _axis(run: Run, phase: PhaseChoice, clock: Clock | None, log_time: bool) -> TimeAxis:
    """The time axis, with each phase from its start to its end."""
    axis = TimeAxis.of(run, TIME, phase, clock, log_time)
    spans = []
    for stretch in axis.stretches:
        ends = np.array([stretch.record.t_start, stretch.record.t_end]) / axis.unit
        spans.append(replace(stretch, t=ends))
    return replace(axis, stretches=tuple(spans))


def _few_joints(axis: TimeAxis) -> TimeAxis:
    """The axis, as one stretch if it has so many phases that their joints would hide the curves."""
    if len(axis.stretches) <= MOST_JOINTS or axis.log_time:
        return axis
    first, last = axis.stretches[0], axis.stretches[-1]
    return replace(axis, stretches=(replace(first, t=np.array([first.start, last.end])),))


def _curves(run: Run, name: str, several: bool) -> list[_Curve]:
    """The curves of a probe, one for each of its entries."""
    variable = run.data[name]
    there = np.isfinite(variable.to_numpy()).reshape(len(variable), -1).any(axis=1)
    t, phase = variable[TIME].to_numpy()[there], variable[PHASE].to_numpy()[there]
    values = variable.to_numpy()[there]
    if variable.ndim == 1:
        return [_Curve(_called(run, name), t, values, phase)]
    links = variable.dims[1:] == ("layer",)
    indices = list(np.ndindex(*values.shape[1:]))
    called = [f"${M.label(k[0])}$" if links else f"[{','.join(map(str, k))}]" for k in indices]
    before = f"{_called(run, name)} " if several else ""
    parts = zip(indices, called, strict=True)
    return [_Curve(f"{before}{label}", t, values[:, *k], phase) for k, label in parts]


def _goes_on(curve: _Curve) -> bool:
    """Whether there is more than one value of a phase."""
    return bool((np.diff(curve.phase) == 0).any())


def _called(run: Run, name: str) -> str:
    """What a probe is called in a legend: its label, or its name where another has the same."""
    word = run.data[name].attrs.get("probe")
    like = [one for one in probe_names(run.data) if run.data[one].attrs.get("probe") == word]
    labels = [run.data[one].attrs.get("label", one) for one in like]
    own = str(run.data[name].attrs.get("label", name))
    return own if labels.count(own) == 1 else name


def _further(others: Any) -> list[_Curve]:
    given = {} if others is None else others
    checks.instance("others", given, Mapping, "a mapping from names to pairs of times and values")
    curves = []
    for name, pair in given.items():
        where = f"others[{name}]"
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(where, f"must be a pair, (times, values), not {checks.shown(pair)}")
        t, values = (checks.real_array(where, part) for part in pair)
        if t.ndim != 1 or values.shape[:1] != t.shape or values.ndim > 2:
            shapes = f"{t.shape} and {values.shape}"
            raise InputError(where, f"has shapes {shapes}; must be (R,) and (R,) or (R, n)")
        columns = values.reshape(len(t), -1).T
        names = [name] if values.ndim == 1 else [f"{name} ${M.label(k)}$" for k in range(len(columns))]
        phase = np.zeros(len(t), dtype=np.int64)
        curves += [_Curve(one, t, column, phase) for one, column in zip(names, columns, strict=True)]
    return curves


def _draw(ax: Axes, axis: TimeAxis, curves: Sequence[_Curve], own: int, parted: bool, look: Styles) -> None:
    """Draw the curves; those of the run itself are the first `own`."""
    low, high = axis.stretches[0].start, axis.stretches[-1].end
    for k, curve in enumerate(curves):
        name = "curves" if k < own else "others"
        if name not in look:
            continue
        t = curve.t / axis.unit
        slack = 1e-9 * max(abs(low), abs(high), 1e-300)
        inside = (t >= low - slack) & (t <= high + slack)
        t, values, phase = t[inside], curve.values[inside], curve.phase[inside]
        with np.errstate(invalid="ignore"):
            values = np.where(np.abs(values) <= LARGEST, values, np.nan)
        if parted:
            joints = np.flatnonzero(np.diff(phase)) + 1
            t, values = np.insert(t, joints, t[joints]), np.insert(values, joints, np.nan)
        labelled = len(curves) <= distinct() or k in (0, len(curves) - 1)
        given: dict[str, Any] = line_style(k, len(curves))
        given |= {"label": curve.label if labelled else "_nolegend_"}
        if len(t) <= FEW:
            given |= {"marker": "o", "markersize": 3.0}
        ax.plot(t, values, **look.of(name, **given))


def _scale(
    ax: Axes, axis: TimeAxis, curves: Sequence[_Curve], measured: set[str], log_y: bool | None
) -> None:
    """The scale of the values, and its ticks."""
    t, values = (np.concatenate([getattr(curve, name) for curve in curves]) for name in ("t", "values"))
    start, end = axis.stretches[0].start, axis.stretches[-1].end
    telling = np.isfinite(values) & (t / axis.unit >= start + PASSING * (end - start))
    values = values[telling if telling.any() else np.isfinite(values)]
    positive = values[values > 0.0]
    if log_y is None:
        spans = positive.size > 1 and positive.max() > SPAN * positive.min()
        log_y = spans and (values >= 0.0).all() and not measured & set(NEVER_LOG)
    if log_y and positive.size:
        ax.set_yscale("log")
        ax.set_ylim(bottom=max(ax.get_ylim()[0], 0.7 * float(positive.min())))
        low, high = ax.get_ylim()
        if high < FEW_DECADES * low:
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        return
    if measured == {"accuracy"}:
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        if values.size:
            ax.set_ylim(top=min(1.02, ax.get_ylim()[1]))
    elif measured <= set(ANGLES) and values.size:
        ax.set_ylim(bottom=0.0, top=max(ax.get_ylim()[1], 10.0))
    else:
        flat_axis(ax, "y")


def _label(run: Run, names: Sequence[str]) -> str:
    """The label of the axis: what the probes measure, and its unit."""
    words = dict.fromkeys(_measured(run.data[name], name) for name in names)
    several = LABELS["energy"] if _energies(run, names) else ", ".join(names)
    label = next(iter(words)) if len(words) == 1 else several
    own = str(run.data[names[0]].attrs.get("label", names[0]))
    if len(names) == 1 and own != names[0] and own != label:
        label = f"{label}, {own}"
    unit = str(run.data[names[0]].attrs.get("units", ""))
    return f"{label} ({unit})" if unit not in ("", "1", "dimensionless") else label


def _measured(variable: xr.DataArray, name: str) -> str:
    word = variable.attrs.get("probe", FUNCTION)
    if word == FUNCTION:
        return str(variable.attrs.get("label", name))
    return LABELS.get(word, str(variable.attrs.get("long_name", name)))


def _energies(run: Run, names: Sequence[str]) -> bool:
    return all(run.data[name].attrs.get("probe") in ENERGIES for name in names)


def _count_presentations(ax: Axes, run: Run, axis: TimeAxis) -> None:
    """A second scale below the time axis, which counts passes, or presentations if there is one pass."""
    shown = [s.record for s in axis.stretches if s.record.presentation is not None and s.record.presented]
    if not shown or not axis.lasts:
        return
    each = {one.presentation.per_pass(len(one.samples)) for one in shown if one.presentation}
    passes = len(each) == 1 and sum(one.presented for one in shown) >= 2 * min(each)
    per = float(min(each)) if passes else 1.0
    t, count = _presented(run, axis)
    place = ax.figure.dpi_scale_trans + ScaledTranslation(0.0, 0.0, ax.transAxes)  # type: ignore[arg-type]

    def forward(x: Any) -> Any:
        return _interpolated(x, t, count / per)

    def inverse(n: Any) -> Any:
        return _interpolated(n, count / per, t)

    below = -BELOW * small_text() / 72.0
    second = ax.secondary_xaxis(below, functions=(forward, inverse), transform=place)
    second.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=2))
    second.set_xlabel("passes through the samples" if passes else "presentations")


def _interpolated(x: Any, xs: Array, ys: Array) -> Array:
    """Linear interpolation, with the mean slope outside."""
    outside = np.asarray(x) - np.clip(x, xs[0], xs[-1])
    return np.asarray(np.interp(x, xs, ys) + outside * (ys[-1] - ys[0]) / (xs[-1] - xs[0]))


def _presented(run: Run, axis: TimeAxis) -> tuple[Array, Array]:
    """Times in units of the axis, and how many presentations had ended, both strictly increasing."""
    times, counts = [], []
    index, shown = run.data[PHASE].to_numpy(), run.data[PRESENTATION].to_numpy()
    before = 0.0
    for stretch in axis.stretches:
        record = stretch.record
        times.append(stretch.start)
        counts.append(before)
        if record.presentation is not None and record.presentation.until:
            # Their lengths vary; where probes looked, at the ends of most, their number is known.
            rows = np.flatnonzero((index == run.phases.index(record)) & (shown > 0))
            times += (run.data[TIME].to_numpy()[rows] / axis.unit).tolist()
            counts += (before + shown[rows] + 1.0).tolist()
        before += record.presented
        times.append(stretch.end)
        counts.append(before)
    t, n = np.maximum.accumulate(times), np.maximum.accumulate(np.minimum(counts, before))
    kept = np.append(np.diff(t) > 0.0, True)
    t, n = t[kept], n[kept]
    # Where no samples are shown in turn, the count stands still: a slope of next to nothing can be inverted.
    return t, n + 1e-9 * before * np.arange(len(n))

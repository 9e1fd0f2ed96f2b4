"""Many curves over time on one Axes: as lines, as quantile bands, or as a heat map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection, QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import (
    AutoLocator,
    FixedFormatter,
    FixedLocator,
    MaxNLocator,
    ScalarFormatter,
    SymmetricalLogLocator,
)

from ..base.errors import InputError
from ..model.network import Array
from ..run.select import check_flags, check_word
from .clock import Stretch, TimeAxis
from .labels import in_lines, symbol_of
from .legends import LegendBelow, LegendPlace, check_legend, height_of, place_legend
from .style import NEUTRAL, axes_or_new, distinct, line_style, member_style, show_broken_math
from .styles import ENTRIES, Artists, Styles, StylesOption

# What there is on every time axis, and what `draw` puts on one.
ON_TIME: Artists = {"phases": Line2D, "phase_names": Text, "legend": Legend}
ARTISTS: Artists = {
    "lines": Line2D,
    "dots": Line2D,
    "median": Line2D,
    "bands": FillBetweenPolyCollection,
    "extremes": Line2D,
    "heatmap": QuadMesh,
    "colorbar": Colorbar,
    **ON_TIME,
    ENTRIES: Line2D,
}

How = Literal["auto", "lines", "bands", "heatmap"]

# Curves beyond which lines are no longer legible, and groups beyond which bands overlap.
MOST_LINES = 36
MOST_BANDS = 2

# Points beyond which lines are a burden to a vector file, and become an image in it.
MOST_VERTICES = 200_000

# Size of the points that mark the ends of presentations, in points.
ENDS = 2.5

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

# Values of a failed run beyond so many times their median size get an axis that is logarithmic there.
RUNAWAY = 1000.0

# Part of the height of an Axes for the label of its y axis, letters of its lines where one is too long for
# that, in turn, and inches for names and a title above the Axes.
LABEL_PART, FEWER_LETTERS, ABOVE = 0.9, (24, 16, 12), 0.3

# Room beyond a constant and beyond 0, in parts of the distance.
FLAT_MARGIN = 0.15

# A difference of values of order 1 that is nothing but rounding.
ROUNDING = 1e-14

# A diverging run ends in numbers whose differences overflow; no axis can show them beside the rest.
LARGEST = 1e100


@dataclass(frozen=True)
class Curves:
    """Curves in groups, each with the same members, such as nodes with their samples.

    Attributes
    ----------
    values : ndarray, shape (T, groups, members)
        Along the saved times of the run; NaN where there is nothing.
    label : str
        Of the quantity.
    groups_are, members_are : str
        What one of them is called, e.g. "node" and "sample".
    group_label : callable
        Label of a group, by its index.
    member_label : callable
        Label of a member, by its index.
    continuous : bool
        Whether they go on from phase to phase without a jump.
    names : callable
        Names of a curve, by its group and its member, by which styles may speak of it.
    """

    values: Array
    label: str
    groups_are: str
    members_are: str
    group_label: Callable[[int], str]
    member_label: Callable[[int], str]
    continuous: bool = False
    names: Callable[[int, int], tuple[str, ...]] = lambda group, member: ()

    @property
    def count(self) -> int:
        """Number of curves."""
        _, groups, members = self.values.shape
        return int(groups * members)

    def over(self, stretch: Stretch) -> Array:
        """Take the values over one phase, shape (T, groups, members); NaN for what cannot be drawn."""
        values = self.values[stretch.rows]
        with np.errstate(invalid="ignore"):
            drawable = np.abs(values) <= LARGEST
        return values if drawable.all() else np.where(drawable, values, np.nan)


def draw(
    ax: Axes | None,
    axis: TimeAxis,
    curves: Curves,
    how: How,
    legend: LegendPlace,
    phase_names: bool,
    styles: StylesOption,
    keywords: dict[str, Any],
) -> Axes:
    """Put `curves` on `ax`, or on a new one, mark the phases and label the axes.

    The `keywords` go to lines, medians and heat maps; `styles` to the artists that are `ARTISTS`.
    """
    check_word("how", how, ("auto", "lines", "bands", "heatmap"))
    check_flags(phase_names=phase_names)
    check_legend(legend)
    if how == "auto":
        how = "lines" if curves.count <= MOST_LINES else "bands"
    look = Styles(styles, ARTISTS, **{"median" if how == "bands" else how: keywords})
    if curves.count == 1 and legend is True:
        legend = False  # the label of the axis says what it is
    with axes_or_new(ax) as ax:
        {"lines": _lines, "bands": _bands, "heatmap": _heatmap}[how](ax, axis, curves, look)
        if how != "heatmap":
            fit(ax, axis.stretches, [curves.over(s) for s in axis.stretches])
        finish(ax, axis, curves.groups_are if how == "heatmap" else curves.label, legend, phase_names, look)
    return ax


def finish(
    ax: Axes,
    axis: TimeAxis,
    label: str,
    legend: LegendPlace,
    phase_names: bool,
    styles: Styles | None = None,
) -> None:
    """Label the y axis, apply the time axis, mark the phases, and put a legend beside."""
    styles = styles or Styles(None, ON_TIME)
    ax.set_ylabel(label)
    axis.apply(ax)
    axis.mark_phases(ax, phase_names, styles)
    if "legend" in styles:
        place_legend(ax, legend, **styles.of("legend"))
    _fit_label(ax, label)


def _fit_label(ax: Axes, label: str) -> None:
    """Label the y axis, in more lines or by its symbol alone where the label is longer than the axis."""
    show_broken_math(ax)
    labels, legend = ax.xaxis.get_tightbbox(), ax.get_legend()
    beside = 0.0 if labels is None else labels.height
    beside += legend.get_window_extent().height if isinstance(legend, LegendBelow) else 0.0
    beside += ABOVE * ax.figure.dpi if ax.texts or ax.get_title() else 0.0
    room = LABEL_PART * (height_of(ax) - beside)
    for text in (label, *(in_lines(label, letters) for letters in FEWER_LETTERS), symbol_of(label)):
        ax.set_ylabel(text)
        show_broken_math(ax.yaxis.label)
        if ax.yaxis.label.get_window_extent().height <= room:
            return


def joined(stretches: Sequence[Stretch], parts: Sequence[Array]) -> tuple[Array, Array]:
    """Join times, shape (T,), and values, shape (T, ...), with a NaN between phases to part the curves."""
    times: list[Array] = []
    values: list[Array] = []
    for stretch, part in zip(stretches, parts, strict=True):
        if times:
            times.append(stretch.t[:1])
            values.append(np.full((1, *part.shape[1:]), np.nan))
        times.append(stretch.t)
        values.append(part)
    return np.concatenate(times), np.concatenate(values)


def dot_instants(
    ax: Axes,
    stretches: Sequence[Stretch],
    lines: Sequence[Line2D],
    continuous: bool = False,
    named: Sequence[Line2D] = (),
) -> None:
    """Mark the phases that ended as they began, where what `joined` gave draws no line.

    Likewise the ends of presentations of which nothing else was kept. Where there is nothing but these the
    lines themselves become points, for a legend to show.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    stretches : sequence of Stretch
    lines : sequence of matplotlib.lines.Line2D
        The lines drawn of what `joined` gave.
    continuous : bool
        Whether the quantity goes on from phase to phase without a jump, so that such a phase
        shows nothing new where there is any other.
    named : sequence of matplotlib.lines.Line2D
        Others that stand for them in a legend.
    """
    lasting = [stretch.end > stretch.start for stretch in stretches]
    if all(lasting) or (continuous and any(lasting)):
        return
    small: dict[str, Any] = (
        {"markersize": ENDS} if any(stretch.presentation is not None for stretch in stretches) else {}
    )
    if small and not any(lasting):
        for line in (*lines, *named):
            line.set(marker="o", linestyle="none", **small)
        return
    ends = np.cumsum([stretch.t.size + 1 for stretch in stretches]) - 2
    rows = [int(end) for end, lasts in zip(ends, lasting, strict=True) if not lasts]
    for line in lines:
        t, values = (np.asarray(data)[rows] for data in line.get_data())
        ax.plot(t, values, "o", color=line.get_color(), label="_nolegend_", **small)


def fit(ax: Axes, stretches: Sequence[Stretch], parts: Sequence[Array]) -> None:
    """Fit the y axis to curves that are flat up to rounding, or that run away as a phase fails.

    The first get an axis that does not magnify the rounding; the others one that is linear up to the
    size that they had before, and logarithmic beyond.
    """
    if any(stretch.record.status.failed for stretch in stretches):
        sizes = [np.abs(part[np.isfinite(part)]) for part in parts]
        usual = float(np.median(np.concatenate(sizes))) if any(size.size for size in sizes) else 0.0
        if usual > 0.0 and max(size.max(initial=0.0) for size in sizes) > RUNAWAY * usual:
            linear_to = float(10.0 ** np.ceil(np.log10(usual)))
            ax.set_yscale("symlog", linthresh=linear_to, linscale=2.0)
            ticks = SymmetricalLogLocator(base=10.0, linthresh=linear_to)
            ticks.set_params(numticks=7)
            ax.yaxis.set_major_locator(ticks)
            return
    flat_axis(ax, "y")


class FlatTicks(FixedLocator):
    """The ticks of an axis whose data are constant."""


def flat_axis(ax: Axes, which: Literal["x", "y"]) -> None:
    """Give an axis of data that are constant up to rounding a range from 0 to beyond it, and a tick there."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = axis.get_data_interval()
    size = max(abs(low), abs(high))
    if not np.isfinite(size) or high - low > max(1e-6 * size, ROUNDING):
        if isinstance(axis.get_major_locator(), FlatTicks):  # of what was drawn here before
            axis.set_major_locator(AutoLocator())
            axis.set_major_formatter(ScalarFormatter())
            ax.autoscale(True, axis=which)
        return
    shared = ax.get_shared_x_axes() if which == "x" else ax.get_shared_y_axes()
    if len(shared.get_siblings(ax)) > 1:
        return
    value = 0.5 * (low + high)
    if size <= ROUNDING:
        value = size = 0.0
    reach = (min(value, 0.0), max(value, 0.0)) if size > 0.0 else (-1.0, 1.0)
    margin = FLAT_MARGIN * (reach[1] - reach[0])
    (ax.set_xlim if which == "x" else ax.set_ylim)(reach[0] - margin, reach[1] + margin)
    ticks = sorted({0.0, float(f"{value:.4g}")})
    axis.set_major_locator(FlatTicks(ticks))
    axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))


def _lines(ax: Axes, axis: TimeAxis, curves: Curves, styles: Styles) -> None:
    t, values = joined(axis.stretches, [curves.over(s) for s in axis.stretches])
    _, groups, members = values.shape
    by_member = groups == 1 and members > 1
    kinds = members if by_member else groups
    name = curves.member_label if by_member else curves.group_label
    labelled = set(range(kinds)) if kinds <= distinct() else {0, kinds - 1}
    thin: dict[str, Any] = {"linewidth": 0.8} if curves.count > distinct() else {}
    heavy = {"rasterized": True} if values.size > MOST_VERTICES else {}
    lines: list[Line2D] = []
    named: list[Line2D] = []
    for group, member in np.ndindex(groups, members):
        kind = member if by_member else group
        label = name(kind) if kind in labelled and (by_member or member == 0) else "_nolegend_"
        names = ("lines", *curves.names(group, member))
        if all(one in styles for one in names):
            given = line_style(kind, kinds) | thin | heavy
            if not by_member and members > 1:
                if label != "_nolegend_":
                    named += ax.plot([], [], **styles.of(*names[:2], **given, label=label))
                label = "_nolegend_"
                given |= member_style(given["color"], member, members, kinds)
            lines += ax.plot(t, values[:, group, member], **styles.of(*names, **given, label=label))
    if groups > 1 and members > 1 and "lines" in styles:
        named += _name_members(ax, curves, kinds)
    if "dots" in styles:
        dot_instants(ax, axis.stretches, lines, curves.continuous, named)


def _name_members(ax: Axes, curves: Curves, kinds: int) -> list[Line2D]:
    """Entries of a legend for the members of every group: lines without points, in grey."""
    members = curves.values.shape[2]
    named = range(members) if members <= distinct() else (0, members - 1)
    lines: list[Line2D] = []
    for member in named:
        look: dict[str, Any] = {"color": NEUTRAL, "linestyle": "-"}
        look |= member_style(NEUTRAL, member, members, kinds)
        lines += ax.plot([], [], **look, label=curves.member_label(member))
    return lines


def _bands(ax: Axes, axis: TimeAxis, curves: Curves, styles: Styles) -> None:
    groups, members = curves.values.shape[1:]
    if members > 1 and 1 < groups <= MOST_BANDS:
        for group in range(groups):
            _band(ax, axis, curves, slice(group, group + 1), line_style(group, groups), styles)
        return
    _band(ax, axis, curves, slice(None), line_style(0, 1), styles)


def _band(
    ax: Axes, axis: TimeAxis, curves: Curves, groups: slice, look: dict[str, Any], styles: Styles
) -> None:
    """Draw the median and nested bands of the `groups` taken together."""
    alone = groups == slice(None)
    spread = [_quantiles(curves.over(s)[:, groups]) for s in axis.stretches]
    t, q = joined(axis.stretches, spread)
    least, low, lower, median, upper, high, most = q.T
    label = "median" if alone else curves.group_label(groups.start)
    middle = styles.of("median", **look, label=label)
    color = middle["color"]
    if "median" in styles:
        dot_instants(ax, axis.stretches, ax.plot(t, median, **middle), curves.continuous)
    share = _share(0) if alone or groups.start == 0 else "_nolegend_"
    if axis.presented and not any(stretch.end > stretch.start for stretch in axis.stretches):
        if "bands" in styles:
            shade = styles.of("bands", color=color, zorder=1.5)
            thin: dict[str, Any] = {"linewidth": 0.8, "label": share}
            broad: dict[str, Any] = {"linewidth": 2.2, "alpha": 0.5, "label": _share(1)}
            ax.vlines(t, low, high, **(thin | shade))
            ax.vlines(t, lower, upper, **(broad | shade))
        return
    if "bands" in styles:
        shade = styles.of("bands", color=color, linewidth=0.0, zorder=1.5)
        if alone:
            half: dict[str, Any] = {"alpha": 0.35, "label": _share(1)}
            ax.fill_between(t, lower, upper, **(half | shade))
        most_of: dict[str, Any] = {"alpha": 0.18, "label": share}
        ax.fill_between(t, low, high, **(most_of | shade))
        for stretch, at_once in zip(axis.stretches, spread, strict=True):
            if not stretch.end > stretch.start and not curves.continuous:
                ax.vlines(stretch.end, at_once[-1, 1], at_once[-1, -2], color=shade["color"], linewidth=0.8)
    if alone and "extremes" in styles:
        edge = styles.of("extremes", color=color, linewidth=0.6, linestyle=":", label="extremes")
        ax.plot(t, least, **edge)
        ax.plot(t, most, **(edge | {"label": "_nolegend_"}))


def _share(k: int) -> str:
    return f"{QUANTILES[k]:.0%} to {QUANTILES[-1 - k]:.0%}"


def _quantiles(values: Array) -> Array:
    """Minimum, `QUANTILES` and maximum over all but the first axis, shape (T, 7); NaN for none."""
    q = np.array([0.0, *QUANTILES, 1.0])
    result = np.full((len(values), q.size), np.nan)
    for row, all_at_once in zip(result, values, strict=True):
        finite = all_at_once[np.isfinite(all_at_once)]
        if finite.size:
            row[:] = np.quantile(finite, q)
    return result


def _heatmap(ax: Axes, axis: TimeAxis, curves: Curves, styles: Styles) -> None:
    members = curves.values.shape[2]
    if any(s.presentation is not None and not s.end > s.start for s in axis.stretches):
        what = "must not be heatmap where only the ends of presentations were kept; take lines or bands"
        raise InputError("how", what)
    parts = [_mean(curves.over(s)) for s in axis.stretches]
    finite = np.concatenate([part[np.isfinite(part)] for part in parts])
    limits = {"vmin": finite.min(), "vmax": finite.max()} if finite.size else {}
    rows = np.arange(curves.values.shape[1] + 1) - 0.5
    mesh = None
    for stretch, part in zip(axis.stretches, parts, strict=True):
        if stretch.end > stretch.start and "heatmap" in styles:
            middles = 0.5 * (stretch.t[1:] + stretch.t[:-1])
            borders = np.concatenate([stretch.t[:1], middles, stretch.t[-1:]])
            mesh = ax.pcolormesh(borders, rows, part.T, **styles.of("heatmap", rasterized=True, **limits))
    ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if mesh is not None and "colorbar" in styles:
        mean = f"\nmean over {curves.members_are}s" if members > 1 else ""
        ax.figure.colorbar(mesh, ax=ax, **styles.of("colorbar", label=curves.label + mean))


def _mean(values: Array) -> Array:
    """Mean over the members that are there, shape (T, groups); NaN for none."""
    there = np.isfinite(values)
    count = there.sum(axis=2)
    total = np.where(there, values, 0.0).sum(axis=2)
    mean: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean

"""Time axes: in a time constant or a unit of time, linear, or logarithmic from the start of every phase."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator
from matplotlib.transforms import ScaledTranslation, blended_transform_factory
from numpy.typing import NDArray

from ..base import units
from ..base.errors import InputError
from ..model.network import Array
from ..run.record import PhaseRecord
from ..run.result import Run
from ..run.select import (
    PHASE_OF,
    Choice,
    PhaseChoice,
    as_recorded,
    check_flags,
    check_in_full,
    check_word,
    choose_phases,
    choose_presentations,
    ends_only,
    presentations_of,
    rows_of,
    times_of,
)
from .sizes import small_text
from .style import NEUTRAL
from .styles import Styles

# What times are counted in: "tau", "delta", "time" for the run's unit, shown as ms or s as suits the axis; or
# one unit, such as "ms".
Clock = str
CLOCKS = ("tau", "delta", "time")

# A logarithmic axis shows many units; this many time constants are to be read in one that suits.
READ_IN = 10.0

# Widths on a logarithmic axis, in decades: from a phase's start to its first saved time, and
# between two phases that do not follow one another.
START_WIDTH = 0.5
GAP_WIDTH = 0.5

# Width of a linear piece beside logarithmic ones, in decades.
LINEAR_WIDTH = 4.0

# The course of a presentation that is shorter than this part of its phase would not be seen beside it.
SEEN = 0.01

# Names that could be shorter must leave room: a layout that is still to be found narrows an Axes.
NAMES_ROOM = 1.5

# Part of the width to leave after a last phase that ended as it began.
INSTANT_ROOM = 0.02

# Least room for the label of a tick, in inches.
TICK_ROOM = 0.31


@dataclass(frozen=True)
class Stretch:
    """The saved rows of one phase, or of one of its presentations.

    Attributes
    ----------
    record : PhaseRecord
        Of the phase.
    rows : slice
        Where its rows stand along the time dimension.
    t : ndarray, shape (T,)
        Their times, in units of the clock.
    first : float
        Its first saved time after its start, counted from there in units of the clock; 0 where
        it has no extent in time.
    presentation : int or None
        Which presentation it is. Of one whose course was not kept, or would not be seen, it is the end.
    whole : tuple of float or None
        Start and end of the phase, if it is one of many presentations on the clock of the phase.
    """

    record: PhaseRecord
    rows: slice
    t: Array
    first: float
    presentation: int | None = None
    whole: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """The phase's name, with how it failed."""
        status = self.record.status
        return f"{self.record.name} ({status})" if status.failed else self.record.name

    @property
    def own(self) -> bool:
        """Whether it is a presentation with an axis of its own."""
        return self.presentation is not None and self.whole is None

    @property
    def start(self) -> float:
        """When it starts, in units of the clock."""
        return float(self.t[0])

    @property
    def end(self) -> float:
        """When it ends, in units of the clock."""
        return float(self.t[-1])


@dataclass(frozen=True)
class TimeAxis:
    """The stretches to draw and the axis they are drawn on.

    Attributes
    ----------
    stretches : tuple of Stretch
        At least one.
    clock : {"tau", "delta", "time"}
        What times are counted in; "time" is a unit of time.
    log_time : bool
        Whether every stretch has a logarithmic axis of its own, counted from its start.
    unit : float
        One unit of the axis, in the run's time.
    name : str
        What the unit of time is called, such as ms.
    """

    stretches: tuple[Stretch, ...]
    clock: Clock
    log_time: bool
    unit: float
    name: str

    @classmethod
    def of(
        cls,
        run: Run,
        dim: str,
        phase: PhaseChoice,
        clock: Clock | None,
        log_time: bool,
        presentations: Choice | Literal["together"] = "together",
    ) -> TimeAxis:
        """Take the rows along `dim`, "time", "weight_time" or "probe_time", of the phases meant.

        A phase that shows samples one after another is one stretch, `presentations` "together", or one for
        each of these; None for all that were kept or, if these were kept in full and time is logarithmic,
        the first and the last, each on an axis of its own. Ends alone have a linear axis in any case.

        Without a clock it is "time" if the run has a unit of time; else tau for nodes, or delta where
        tau = 0, and delta for weights and probes.

        Raises
        ------
        InputError
            If an option is none of those allowed, or nothing was saved in these phases.
        """
        check_flags(log_time=log_time)
        own, chosen = _chosen(run, clock, dim), choose_phases(run, phase)
        unit, name = _unit(run, own, [times_of(run, k, dim) for k in chosen], dim, log_time)
        index = run.data[PHASE_OF[dim]].to_numpy()
        if presentations != "together":
            _check_presented(run, chosen, presentations)
        stretches: list[Stretch] = []
        for k in chosen:
            rows = np.flatnonzero(index == k)
            if presentations != "together" and presentations_of(run, k):
                parts = _presented(run, k, presentations, unit, log_time)
                stretches += parts
            elif rows.size:
                since = times_of(run, k)
                later = since[since > since[0]] - since[0] if since.size else since
                t = times_of(run, k, dim) / unit
                first = float(later[0]) / unit if later.size and t[-1] > t[0] else 0.0
                stretches.append(Stretch(run.phases[k], slice(rows[0], rows[-1] + 1), t, first))
        if not stretches:
            raise InputError("phase", "nothing was saved there; choose a phase that the run reached")
        return cls(tuple(stretches), own if own in CLOCKS else "time", log_time, unit, name)

    @property
    def lasts(self) -> bool:
        """Whether it has an extent in time."""
        return self.stretches[-1].end > self.stretches[0].start

    @property
    def label(self) -> str:
        """What the axis shows."""
        unit = {"tau": r" / \tau", "delta": r" / \delta", "time": ""}[self.clock]
        suffix = f" ({self.name})" if self.name else ""
        if self.log_time and self.presented:
            own = [s.own for s in self.stretches]
            of = "presentation" if all(own) else "each" if any(own) else "phase"
            return f"time since start of {of}, $(t - t_0){unit}${suffix}"
        if not self.log_time or (len(self.stretches) == 1 and self.stretches[0].start == 0.0):
            return f"time, $t{unit}${suffix}"
        return f"time since start of phase, $(t - t_0){unit}${suffix}"

    @property
    def presented(self) -> bool:
        """Whether some of it are presentations."""
        return any(stretch.presentation is not None for stretch in self.stretches)

    @property
    def _phases(self) -> list[tuple[Stretch, float, float]]:
        """What is to be named, with start and end: phases, or on axes of their own presentations."""
        named: list[tuple[Stretch, float, float]] = []
        for s in self.stretches:
            if s.whole is None or not named or named[-1][0].whole != s.whole:
                named.append((s, *(s.whole or (s.start, s.end))))
        return named

    def _names(self) -> list[list[str]]:
        """Names for what is to be named, in forms that take less and less room."""
        shown = [stretch for stretch, *_ in self._phases]
        alone = {id(s.record) for s in shown if s.own}
        forms = ["presentation {}{}", "presentation\n{}{}", "no. {}{}"]
        if len(alone) > 1:
            forms = ["{name}, presentation {}{}", "{name},\npresentation {}{}", "{name}\nno. {}{}"]

        def name(s: Stretch, form: str) -> str:
            failed = s.record.status.failed and s.presentation == s.record.presented
            ended = f" ({s.record.status})" if failed else ""
            return form.format(s.presentation, ended, name=s.record.name) if s.own else s.name

        return [[name(s, form) for s in shown] for form in (forms if alone else forms[:1])]

    @property
    def _extent(self) -> tuple[float, float]:
        """Where it begins and ends, in units of the clock."""
        return self._phases[0][1], self._phases[-1][2]

    def apply(self, ax: Axes) -> None:
        """Give `ax` this scale, these limits, ticks and label."""
        ax.set_xlabel(self.label)
        lower, upper = self._extent
        if not upper > lower:
            margin = 0.5 * (abs(lower) or 1.0)
            ax.set_xlim(lower - margin, lower + margin)
            return
        if self.log_time:
            scale = PhaseScale(self.stretches)
            ax.set_xscale("function", functions=(scale.forward, scale.inverse))
            width = ax.get_window_extent().width / ax.figure.dpi
            major, labels, minor = scale.ticks(max(2, math.floor(width / TICK_ROOM)))
            ax.xaxis.set_major_locator(FixedLocator(major))
            ax.xaxis.set_major_formatter(FixedFormatter(labels))
            ax.xaxis.set_minor_locator(FixedLocator(minor))
            if not self.stretches[-1].end > self.stretches[-1].start:
                upper = float(scale.inverse(np.array(scale.width * (1.0 + INSTANT_ROOM))))
        elif not self._phases[-1][2] > self._phases[-1][1]:
            upper += INSTANT_ROOM * (upper - lower)
        ax.set_xlim(lower, upper)

    def mark_phases(self, ax: Axes, names: bool, styles: Styles) -> None:
        """Lines where phases start, and over the Axes their names, with how they failed."""
        for _, start, _ in self._phases[1:] if "phases" in styles else ():
            ax.axvline(start, **styles.of("phases", color=NEUTRAL, linewidth=0.8, zorder=0.5))
        if not names or "phase_names" not in styles or not self._phases[-1][2] > self._phases[0][1]:
            return
        to_axes = ax.transScale + ax.transLimits
        ends = np.array([(end, 0.0) for _, *both in self._phases for end in both])
        x = to_axes.transform(np.column_stack([ends[:, 0], np.full(len(ends), ax.get_ylim()[0])]))[:, 0]
        size = small_text()
        letter = 0.62 * size / 72.0 / (ax.get_window_extent().width / ax.figure.dpi)
        *longer, last = self._names()
        for texts in (*longer, last):
            widths = [letter * (max(map(len, text.split("\n"))) + 1) for text in texts]
            centres = _apart(0.5 * (x[::2] + x[1::2]), widths)
            if centres and (texts is last or NAMES_ROOM * sum(widths) <= 1.0):
                _keep_titles_above(ax, 1.4 * max(text.count("\n") + 1 for text in texts) * size / 72.0)
                break
        back = to_axes.inverted()
        for text, centre in zip(texts, centres, strict=False):
            at = back.transform((centre, 0.0))[0]
            look = styles.of(
                "phase_names", ha="center", va="bottom", fontsize=size, color=NEUTRAL, gid="phase"
            )
            ax.text(at, 1.01, text, transform=ax.get_xaxis_transform(), **look)


def _check_presented(run: Run, phases: Sequence[int], presentations: Choice | Literal["together"]) -> None:
    """Raise InputError if what happened within presentations is to be shown, and was not kept."""
    for k in phases:
        if not presentations_of(run, k):
            check_in_full(run, k)
    if presentations is not None and not any(presentations_of(run, k) for k in phases):
        what = "no phase to draw shows samples one after another; leave it out"
        raise InputError("presentations", what)


def _presented(
    run: Run, index: int, presentations: Choice | Literal["together"], unit: float, log_time: bool
) -> list[Stretch]:
    """The presentations of a phase, one by one."""
    assert not isinstance(presentations, str)
    record, kept = run.phases[index], choose_presentations(run, index, presentations)
    alone = log_time and not ends_only(run, index)
    if presentations is None and alone:
        kept = (kept[0], kept[-1]) if len(kept) > 1 else kept
    shown = record.presentation
    assert shown is not None
    seen = alone or shown.longest >= SEEN * (record.t_end - record.t_start)
    whole = None if alone else (record.t_start / unit, record.t_end / unit)
    stretches = []
    for k in kept:
        rows = rows_of(run, index, k)
        if rows.size <= 2 or not seen:
            rows = rows[-1:]
        t = as_recorded(record, run.data["time"].to_numpy()[rows]) / unit
        later = t[t > t[0]]
        first = float(later[0] - t[0]) if later.size else 0.0
        stretches.append(Stretch(record, slice(rows[0], rows[-1] + 1), t, first, k, whole))
    return stretches


def _chosen(run: Run, clock: Clock | None, dim: str) -> Clock:
    """The clock asked for, or the default."""
    network = run.network
    if clock is None:
        slow = dim != "time" or network.limit
        return "time" if network.time_unit else "delta" if slow else "tau"
    if clock == "tau" and network.limit:
        raise InputError("clock", "must be delta or time: with tau = 0 nodes have no time of their own")
    if network.time_unit is None or clock in CLOCKS or not isinstance(clock, str):
        check_word("clock", clock, CLOCKS)
        return clock
    return units.unit("clock", clock)


def _unit(run: Run, clock: Clock, times: Sequence[Array], dim: str, log_time: bool) -> tuple[float, str]:
    """One unit of the clock in the run's time, and its name, which tau and delta need not have."""
    network = run.network
    if clock in ("tau", "delta"):
        several = clock == "tau" and isinstance(network.tau, tuple)
        name = r"the largest $\tau$" if several else ""
        return (network.longest_tau if clock == "tau" else network.shortest_delta), name
    if network.time_unit is None:
        name = str(run.data[dim].attrs.get("units", ""))
        return 1.0, in_mathtext(name)
    if clock == "time":
        lasting = [float(t[-1] - (t[0] if log_time else 0.0)) for t in times if t.size]
        slow = network.shortest_delta
        constant = slow if dim != "time" else network.longest_tau or slow
        extent = min(max(lasting, default=0.0), READ_IN * constant if log_time else np.inf)
        clock = units.readable(extent or constant, network.time_unit)
    return float(units.converted(1.0, clock, network.time_unit)), clock


def in_mathtext(unit: str) -> str:
    """A unit with the symbols of time constants for their names."""
    return unit.replace("of tau", r"of $\tau$").replace("of delta", r"of $\delta$")


def time_since_start(extent: float, unit: str) -> tuple[float, str]:
    """For an axis of times since a phase's start: one unit of it in the run's time, and its label.

    Parameters
    ----------
    extent : float
        The longest time to show, in the run's time.
    unit : str
        That of the run's time, such as ms, "unit of tau" or "unit of delta", as answers have it.
    """
    if unit.startswith("unit of"):
        return 1.0, f"time since start of phase, $t - t_0$ ({in_mathtext(unit)})"
    name = units.readable(extent, unit)
    return float(units.converted(1.0, name, unit)), f"time since start of phase, $t - t_0$ ({name})"


def _keep_titles_above(ax: Axes, height: float) -> None:
    """Have titles of an Axes, whenever they are set, stand a `height` in inches above it.

    Titles stand above all Axes within theirs: an invisible one takes this room.
    """
    inches = ax.figure.dpi_scale_trans + ScaledTranslation(0.0, 1.0, ax.transAxes)  # type: ignore[arg-type]
    place = blended_transform_factory(ax.transAxes, inches)
    ax.inset_axes((0.0, 0.0, 1.0, height), transform=place, visible=False).set_in_layout(False)


def _apart(centres: Array, widths: Sequence[float]) -> list[float]:
    """Centres of labels moved apart within 0..1; none where they do not fit."""
    if sum(widths) > 1.0:
        return []
    placed: list[float] = []
    edge = 0.0
    for centre, width in zip(centres, widths, strict=True):
        placed.append(max(float(centre), edge + 0.5 * width))
        edge = placed[-1] + 0.5 * width
    edge = 1.0
    for k in reversed(range(len(placed))):
        placed[k] = min(placed[k], edge - 0.5 * widths[k])
        edge = placed[k] - 0.5 * widths[k]
    return placed


class PhaseScale:
    """A scale on which the time since its start is logarithmic in every phase.

    Decades have the same width in all phases; a phase's start, where the logarithm has no value,
    stands `START_WIDTH` before its first saved time, with a linear piece between. A phase of presentations
    that are points is linear altogether, and `LINEAR_WIDTH` wide.

    Parameters
    ----------
    stretches : sequence of Stretch
        One at least has an extent in time.
    """

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        parts = [
            (s.start, s.end, s.first, START_WIDTH) for s in stretches if s.whole is None and s.first > 0.0
        ]
        wholes = {s.whole for s in stretches if s.whole is not None}
        parts += [(start, end, end - start, LINEAR_WIDTH) for start, end in wholes]
        self._starts, self._ends, self._firsts, self._begins = np.array(sorted(parts)).T
        self._ratios = (self._ends - self._starts) / self._firsts
        self._widths = self._begins + np.log10(self._ratios)
        # From a part's end to the next's start; where that follows at once, or there is none, its own length.
        self._pauses = self._ends - self._starts
        pauses = self._starts[1:] - self._ends[:-1]
        apart = pauses > 0.0
        self._pauses[:-1][apart] = pauses[apart]
        steps = self._widths[:-1] + GAP_WIDTH * apart
        self._offsets = np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def width(self) -> float:
        """Width of all phases together, in decades."""
        return float(self._offsets[-1] + self._widths[-1])

    def forward(self, t: Array) -> Array:
        """Return positions, in decades, of times `t`."""
        t = np.asarray(t, dtype=float)
        k = _last_at_most(self._starts, t)
        s = (t - self._starts[k]) / self._firsts[k]
        inside = self._begins[k] * np.minimum(s, 1.0) + np.log10(np.clip(s, 1.0, self._ratios[k]))
        after = np.maximum(t - self._ends[k], 0.0) / self._pauses[k]
        return np.asarray(self._offsets[k] + inside + GAP_WIDTH * after)

    def inverse(self, u: Array) -> Array:
        """Return the times at positions `u`."""
        u = np.asarray(u, dtype=float)
        k = _last_at_most(self._offsets, u)
        v = u - self._offsets[k]
        begin = self._begins[k]
        power = 10.0 ** (np.clip(v, begin, self._widths[k]) - begin)
        inside = self._firsts[k] * np.where(v < begin, v / begin, power)
        after = np.maximum(v - self._widths[k], 0.0) / GAP_WIDTH
        return np.asarray(self._starts[k] + inside + self._pauses[k] * after)

    def ticks(self, most: int) -> tuple[list[float], list[str], list[float]]:
        """Return labelled ticks, `most` of them or so, their labels, and ticks without."""
        room = self.width / most
        step = max(1, math.ceil(room))
        major, minor = [], []
        taken: list[float] = []

        def label(u: float, t: float, text: str) -> None:
            if all(abs(u - other) >= 0.9 * room for other in taken):
                taken.append(u)
                major.append((t, text))
            else:
                minor.append(t)

        for k, start in enumerate(self._starts):
            if k == 0 or min(self._widths[k - 1 : k + 1]) > 2.0 * room:
                label(float(self._offsets[k]), float(start), "0")
        for start, end, first in zip(self._starts, self._ends, self._firsts, strict=True):
            if end - start <= first:
                few = MaxNLocator(max(1, min(4, int(LINEAR_WIDTH / (2.0 * room)))), steps=[1, 2, 2.5, 5, 10])
                for t in few.tick_values(0.0, first)[1:]:
                    if t <= first:
                        label(float(self.forward(np.array(start + t))), float(start + t), f"{t:g}")
                continue
            low = math.ceil(math.log10(first) - 1e-9)
            high = math.floor(math.log10(end - start) + 1e-9)
            for power in range(low, high + 1):
                t = float(min(start + 10.0**power, end))
                if power % step == 0:
                    label(float(self.forward(np.array(t))), t, f"$10^{{{power}}}$")
                else:
                    minor.append(t)
        major.sort()
        return [t for t, _ in major], [text for _, text in major], minor


def _last_at_most(edges: Array, values: Array) -> NDArray[np.intp]:
    """For each of `values`, which of the ascending `edges` is the last not beyond it; 0 before the first."""
    return np.maximum(np.searchsorted(edges, values, side="right") - 1, 0)

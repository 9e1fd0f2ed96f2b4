"""Selection of layers, phases and samples of a run, with checks that it has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from ..base.near import hint
from ..model.network import Array
from .record import PhaseRecord
from .result import Run

PhaseChoice = int | str | Sequence[int | str] | None
Choice = int | Sequence[int] | None

# By the dimensions of time of a result, the coordinates that have the index of the phase.
PHASE_OF = {"time": "phase", "weight_time": "weight_phase", "probe_time": "probe_phase"}

# The attribute of a run that is one presentation: what was kept of it, "ends" or "full".
ALONE = "of_presentation"

# Decorator of functions whose first argument must be a run.
of_run = checks.first_is(Run, "a pcode.Run, as simulate and Run.load give it")


@of_run
def choose_phases(run: Run, phase: PhaseChoice = None) -> tuple[int, ...]:
    """Find the indices of the selected phases, in their order.

    Parameters
    ----------
    run : Run
    phase : int, str, sequence of these, or None
        Index into ``run.phases`` (negative indices count from the end), or a name, which selects all phases
        of that name; None selects every phase.

    Raises
    ------
    InputError
        If the run has no such phase.
    """
    names = [record.name for record in run.phases]
    if phase is None:
        return tuple(range(len(names)))
    chosen: set[int] = set()
    for one in _listed("phase", phase, "an index or a name, or a list of them"):
        index = _whole(one)
        if index is not None:
            found = [index % len(names)] if -len(names) <= index < len(names) else []
        else:
            found = [k for k, name in enumerate(names) if isinstance(one, str) and name == one]
        if not found:
            have = ", ".join(f"{k} ({name})" for k, name in enumerate(names))
            what = f"there is no phase {checks.shown(one)} in this run; it has {have}"
            raise InputError("phase", f"{what}{hint(one, names)}")
        chosen.update(found)
    return tuple(sorted(chosen))


@of_run
def check_extent(run: Run, phase: PhaseChoice = None) -> None:
    """Raise InputError unless time passes in one of the selected phases, so that there is something to plot.

    Parameters
    ----------
    run : Run
    phase : int, str, sequence of these, or None
        As for `choose_phases`.

    Raises
    ------
    InputError
        If the run has no such phase, or none of them has two different saved times.
    """
    chosen = choose_phases(run, phase)
    if not any(run.phases[k].t_end > run.phases[k].t_start for k in chosen):
        ends = ", ".join(f"{run.phases[k].name}: {run.phases[k].status}" for k in chosen)
        raise InputError("run", f"no time passed in the phases to draw ({ends}); draw another phase or run")


@of_run
def suits_log_time(run: Run, phase: PhaseChoice = None) -> bool:
    """Whether convergence would be invisible on a linear axis: a phase of constant clamps lasts over 100 tau.

    Where a phase shows samples one after another, whether what happens within a presentation was kept: a
    logarithmic axis counts from the start of each. With tau = 0 there is no convergence: nodes are at
    equilibrium at every instant. Where a clamp moves, what follows it goes on for the whole phase.

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
    chosen = choose_phases(run, phase)
    if any(presentations_of(run, k) and not ends_only(run, k) for k in chosen):
        return not run.network.limit
    records = [run.phases[k] for k in chosen if run.phases[k].presentation is None]
    still = [one for one in records if all(clamp.kind == "constant" for clamp in one.clamp.values())]
    tau = run.network.longest_tau
    return tau > 0.0 and any(record.t_end - record.t_start > 100.0 * tau for record in still)


def presentations_of(run: Run, index: int) -> tuple[int, ...]:
    """The presentations of a phase whose nodes were kept, in turn; none if it shows its samples at once."""
    if "presentation" not in run.data.coords or run.phases[index].presentation is None:
        return ()
    kept = run.data["presentation"].to_numpy()[run.data["phase"].to_numpy() == index]
    return tuple(np.unique(kept[kept >= 0]).tolist())


def rows_of(run: Run, index: int, k: int) -> NDArray[np.intp]:
    """The saved rows of the nodes that show presentation `k` of a phase."""
    there = run.data["phase"].to_numpy() == index
    return np.flatnonzero(there & (run.data["presentation"].to_numpy() == k))


def presentation_name(run: Run, index: int) -> str:
    """The name of a phase that is one presentation, see `Run.presentation`; empty of any other."""
    return run.phases[index].name if ALONE in run.data.attrs else ""


def ends_only(run: Run, index: int) -> bool:
    """Whether of the presentations of a phase, or of the one that it is, only the ends were kept.

    What the nodes did between is then not known.
    """
    if ALONE in run.data.attrs:
        return bool(run.data.attrs[ALONE] == "ends")
    kept = presentations_of(run, index)
    return bool(kept) and all(rows_of(run, index, k).size <= 2 for k in kept)


@of_run
def check_in_full(run: Run, phase: PhaseChoice = None, where: str = "run") -> None:
    """Raise InputError if in one of the selected phases `ends_only` holds.

    Parameters
    ----------
    run : Run
    phase : int, str, sequence of these, or None
        As for `choose_phases`.
    where : str
        The key to name.
    """
    for index in choose_phases(run, phase):
        if ends_only(run, index):
            name = run.phases[index].name
            of = f"of {name!r}" if ALONE in run.data.attrs else f"of the presentations of {name!r}"
            what = f"the course of the nodes is needed, but {of} the ends alone were kept"
            raise InputError(where, f'{what}; run it anew with presentation_nodes = "full" in [save]')


@of_run
def choose_presentations(run: Run, index: int, presentations: Choice = None) -> tuple[int, ...]:
    """Find the selected presentations of a phase, in their order; None selects all whose nodes were kept.

    Raises
    ------
    InputError
        If the nodes of one were not kept.
    """
    kept = presentations_of(run, index)
    if presentations is None:
        return kept
    chosen: set[int] = set()
    for one in _listed("presentations", presentations, "the number of a presentation, or a list of them"):
        number = _whole(one)
        if number is None or number not in kept:
            what = f"the nodes of {checks.shown(one)} were not kept in {run.phases[index].name!r}"
            raise InputError("presentations", f"{what}; those of {listed(kept)} were")
        chosen.add(number)
    return tuple(sorted(chosen))


@of_run
def choose_layers(
    run: Run, layers: Choice = None, *, first: int = 0, last: int | None = None, most: int | None = None
) -> tuple[int, ...]:
    """Find the selected layers, in their order.

    Parameters
    ----------
    run : Run
    layers : int, sequence of int, or None
        None selects every layer from `first` to `last`.
    first : int
        The lowest layer that has the quantity: 0 for value nodes, 1 for error nodes.
    last : int, optional
        The highest layer that has it; n by default, n-1 for M and W.
    most : int, optional
        With ``layers=None``, at most this many (2 or more), evenly spread from the first to the last.

    Raises
    ------
    InputError
        If the network has no such layer.
    """
    last = run.network.n if last is None else last
    if layers is None:
        every = tuple(range(first, last + 1))
        if most is None or len(every) <= most:
            return every
        return tuple(every[round(k * (len(every) - 1) / (most - 1))] for k in range(most))
    listed = _listed("layers", layers, "the number of a layer, or a list of them")
    return tuple(sorted({check_layer("layers", layer, first, last) for layer in listed}))


@of_run
def choose_samples(run: Run, samples: Choice, phases: Sequence[int]) -> tuple[int, ...]:
    """Find the selected samples, in their order, among those that the `phases` show.

    Parameters
    ----------
    run : Run
    samples : int, sequence of int, or None
        Rows of the data; None selects all that are shown.
    phases : sequence of int
        Indices into ``run.phases``.

    Raises
    ------
    InputError
        If none of the phases shows such a sample.
    """
    shown = {sample for k in phases for sample in run.phases[k].samples}
    if samples is None:
        return tuple(sorted(shown))
    chosen: set[int] = set()
    for sample in _listed("samples", samples, "the number of a sample, or a list of them"):
        row = _whole(sample)
        if row is None or row not in shown:
            what = f"sample {checks.shown(sample)} is not shown here; {_spans(sorted(shown))} are"
            raise InputError("samples", what)
        chosen.add(row)
    return tuple(sorted(chosen))


def times_of(run: Run, index: int, dim: str = "time") -> Array:
    """The saved times of a phase along `dim`, one of `PHASE_OF`, consistent with its record.

    In ``run.data`` times strictly increase, so that the first of a phase is a rounding error later than the
    end of the one before. Here it is the start of the phase, and in a phase that ends at once all times are
    equal.
    """
    record = run.phases[index]
    rows = run.data[PHASE_OF[dim]].to_numpy() == index
    return as_recorded(record, run.data[dim].to_numpy()[rows])


def as_recorded(record: PhaseRecord, t: Array) -> Array:
    """Saved times `t` of a phase, without the shifts that make the times of a run strictly increase."""
    at_start = np.abs(t - record.t_start) <= 4.0 * np.spacing(record.t_start)
    own: Array = np.where(at_start, record.t_start, np.clip(t, record.t_start, record.t_end))
    return own


def of_samples(run: Run, values: Array, samples: Sequence[int]) -> Array:
    """The columns of `values` that belong to `samples`, in this order, for every saved row of the nodes.

    Parameters
    ----------
    run : Run
    values : ndarray, shape (time, sample, ...)
        Laid out as the nodes in ``run.data``, where the columns of a row are the samples of its phase.
    samples : sequence of int
        Rows of the data, all different.

    Returns
    -------
    ndarray, shape (time, len(samples), ...)
        NaN where a row does not show a sample.
    """
    numbers = run.data["sample_number"].to_numpy()
    if len(numbers) and (numbers == numbers[0]).all() and set(samples) <= set(numbers[0].tolist()):
        columns = [numbers[0].tolist().index(sample) for sample in samples]
        return values if columns == list(range(values.shape[1])) else values[:, columns]
    found = np.full((len(values), len(samples), *values.shape[2:]), np.nan)
    order = np.argsort(samples)
    row, column = np.nonzero(np.isin(numbers, samples))
    place = order[np.searchsorted(np.asarray(samples)[order], numbers[row, column])]
    found[row, place] = values[row, column]
    return found


def check_layer(where: str, layer: Any, first: int, last: int) -> int:
    """`layer`, if it is an integer from `first` to `last`; otherwise raise InputError."""
    number = _whole(layer)
    if number is None or not first <= number <= last:
        raise InputError(where, f"must be a layer from {first} to {last}, not {checks.shown(layer)}")
    return number


def check_flags(**flags: object) -> None:
    """Raise InputError, naming it, if one of the `flags` is not a bool."""
    for where, value in flags.items():
        checks.flag(where, value)


def check_word(where: str, value: object, words: Sequence[str]) -> None:
    """Raise InputError unless `value` is one of `words`."""
    if not isinstance(value, str) or value not in words:
        what = f"must be one of {', '.join(words)}, not {checks.shown(value)}{hint(value, words)}"
        raise InputError(where, what)


def _whole(value: object) -> int | None:
    """`value` as an int, or None if it is not an integer."""
    try:
        return checks.whole("", value)
    except InputError:
        return None


def _listed(where: str, value: Any, right: str) -> list[Any]:
    """`value` as a non-empty list."""
    listed = list(value) if checks.is_many(value) else [value]
    if not listed:
        raise InputError(where, f"must be {right}, not an empty list")
    return listed


def listed(numbers: Sequence[int]) -> str:
    """The numbers in words, the first few and the last of many."""
    if len(numbers) <= 6:
        return ", ".join(map(str, numbers))
    return f"{', '.join(map(str, numbers[:4]))}, ..., {numbers[-1]}"


def _spans(numbers: Sequence[int]) -> str:
    """Increasing numbers in short form: 0..3, 7, 9..12."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join("..".join(map(str, span)) for span in spans)

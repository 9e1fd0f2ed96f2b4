"""What is meant of a run: layers, phases and samples, checked against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import InputError
from .run import Run

PhaseChoice = int | str | Sequence[int | str] | None
Choice = int | Sequence[int] | None


def choose_phases(run: Run, phase: PhaseChoice = None) -> tuple[int, ...]:
    """Find the indices of the phases meant, in their order.

    Parameters
    ----------
    run : Run
    phase : int, str, sequence of these, or None
        Index into ``run.phases`` (negative ones count from the end), or a name, which means all
        phases of that name; None means every phase.

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
        if _whole(one):
            found = [one % len(names)] if -len(names) <= one < len(names) else []
        else:
            found = [k for k, name in enumerate(names) if name == one]
        if not found:
            have = ", ".join(f"{k} ({name})" for k, name in enumerate(names))
            raise InputError("phase", f"there is no phase {one!r} in this run; it has {have}")
        chosen.update(found)
    return tuple(sorted(chosen))


def check_extent(run: Run, phase: PhaseChoice = None) -> None:
    """Raise InputError unless the phases meant have an extent in time, so that there is a course to draw.

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


def suits_log_time(run: Run, phase: PhaseChoice = None) -> bool:
    """Say whether the nodes' convergence would vanish on a linear axis: one of the phases lasts over 100 tau.

    With tau = 0 there is no convergence: nodes follow the weights.

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
    records = [run.phases[k] for k in choose_phases(run, phase)]
    tau = run.network.tau
    return tau > 0.0 and any(record.t_end - record.t_start > 100.0 * tau for record in records)


def choose_layers(
    run: Run, layers: Choice = None, *, first: int = 0, most: int | None = None
) -> tuple[int, ...]:
    """Find the layers meant, in their order.

    Parameters
    ----------
    run : Run
    layers : int, sequence of int, or None
        None means every layer from `first`.
    first : int
        The lowest layer that has what is to be drawn: 0 for value nodes, 1 for error nodes.
    most : int, optional
        With ``layers=None``, no more than this many (2 at least): the first, the last and some
        evenly between.

    Raises
    ------
    InputError
        If the network has no such layer.
    """
    last = run.network.n
    if layers is None:
        every = tuple(range(first, last + 1))
        if most is None or len(every) <= most:
            return every
        return tuple(every[round(k * (len(every) - 1) / (most - 1))] for k in range(most))
    chosen = _listed("layers", layers, "the number of a layer, or a list of them")
    for layer in chosen:
        check_layer("layers", layer, first, last)
    return tuple(sorted(set(chosen)))


def choose_samples(run: Run, samples: Choice, phases: Sequence[int]) -> tuple[int, ...]:
    """Find the samples meant, in their order, of those that the `phases` show.

    Parameters
    ----------
    run : Run
    samples : int, sequence of int, or None
        Rows of the data; None means every one shown.
    phases : sequence of int
        Indices into ``run.phases``.

    Raises
    ------
    InputError
        If none of the phases shows such a sample.
    """
    shown = sorted({sample for k in phases for sample in run.phases[k].samples})
    if samples is None:
        return tuple(shown)
    chosen = _listed("samples", samples, "the number of a sample, or a list of them")
    for sample in chosen:
        if not _whole(sample) or sample not in shown:
            raise InputError("samples", f"sample {sample!r} is not shown here; {_spans(shown)} are")
    return tuple(sorted(set(chosen)))


def check_layer(where: str, layer: Any, first: int, last: int) -> None:
    """Raise InputError unless `layer` is a whole number from `first` to `last`."""
    if not _whole(layer) or not first <= layer <= last:
        raise InputError(where, f"must be a layer from {first} to {last}, not {layer!r}")


def check_flags(**flags: object) -> None:
    """Raise InputError, with its name, if one of the `flags` is neither true nor false."""
    for where, value in flags.items():
        if not isinstance(value, bool):
            raise InputError(where, f"must be true or false, not {value!r}")


def check_word(where: str, value: object, words: Sequence[str]) -> None:
    """Raise InputError unless `value` is one of `words`."""
    if value not in words:
        raise InputError(where, f"must be one of {', '.join(words)}, not {value!r}")


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _listed(where: str, value: Any, right: str) -> list[Any]:
    """Make `value` a list with something in it."""
    many = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
    listed = list(value) if many else [value]
    if not listed:
        raise InputError(where, f"must be {right}, not an empty list")
    return listed


def _spans(numbers: Sequence[int]) -> str:
    """Write rising numbers in few words: 0..3, 7, 9..12."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join("..".join(map(str, span)) for span in spans)

"""What a run learned from, in turn: which samples, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.short import Short
from ..model.network import Array
from ..run.record import PhaseRecord
from ..run.result import Run


@dataclass(frozen=True, eq=False)
class Showings(Short):
    """The presentations of a phase that learned; a phase without counts as one that shows all its samples.

    Attributes
    ----------
    index : int
        Index of the phase.
    record : PhaseRecord
    inputs, targets : ndarray, shapes (S, n_0), (S, n_n)
        Clamped values of layers 0 and n.
    rows : list of ndarray of int
        The rows that each presentation shows.
    ends : ndarray, shape (P,)
        When each ended, in the run's time.
    """

    index: int
    record: PhaseRecord
    inputs: Array
    targets: Array
    rows: list[NDArray[np.int64]]
    ends: Array

    @property
    def starts(self) -> Array:
        """When each began."""
        return np.append(self.record.t_start, self.ends[:-1])


def showings(run: Run) -> list[Showings]:
    """What each phase that learned showed, in turn.

    Raises
    ------
    InputError
        If one of them did not hold both ends at known constant values, or it is not known how long it showed
        each sample.
    """
    return [_showings(run, k, record) for k, record in enumerate(run.phases) if record.learn]


def _showings(run: Run, index: int, record: PhaseRecord) -> Showings:
    ends = []
    for layer in (0, run.network.n):
        one = record.clamp.get(layer)
        if one is None or not one.still:
            what = f"{record.name!r} learned while layer {layer} was not held at constant values"
            right = "a gradient needs inputs and targets; compare a run whose learning phases hold both ends"
            raise InputError("phase", f"{what}; {right}")
        ends.append(one)
    shown = record.presentation
    if shown is None:
        row = int(np.flatnonzero(run.data["phase"].to_numpy() == index)[0])
        x = run.nodes_at(row)["x"]
        rows = [np.arange(len(x[0]))]
        return Showings(index, record, x[0], x[-1], rows, np.array([record.t_end]))
    values = [one.rows for one in ends]
    if any(part is None for part in values):
        raise InputError(
            "run", f"does not hold what {record.name!r} showed; give the run.nc as it was written"
        )
    rows = shown.rows(len(record.samples), 0, record.presented)
    given: list[Any] = values
    return Showings(index, record, given[0], given[1], rows, _ends(run, index, record))


def _ends(run: Run, index: int, record: PhaseRecord) -> Array:
    """When the presentations of a phase ended."""
    shown, count = record.presentation, record.presented
    assert shown is not None
    if shown.until is None:
        return np.minimum(record.t_start + shown.longest * np.arange(1.0, count + 1.0), record.t_end)
    steps = run.solver
    known: Array = steps["step_time"].to_numpy()[steps["step_phase"].to_numpy() == index]
    if known.size != count:
        what = f"does not hold how long each of the {count:,} presentations of {record.name!r} lasted"
        raise InputError("run", f"{what}; there are too many that end at rest: hold them for a fixed time")
    return known

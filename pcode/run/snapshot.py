"""A snapshot of a run, with all that is needed to compute from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.short import Short
from ..base.units import suffix
from ..model.network import Array, Network
from ..model.phase import Clamp, Phase
from ..model.state import State
from ..system.problem import Problem, make_problem, predicting
from .clamps import Mask
from .presented import alone, presentation_at, presentation_record
from .record import PhaseRecord
from .result import Run
from .select import as_recorded, choose_phases
from .weights import weights_at

PhaseOption = int | str | None
TimeOption = float | str | None


# Why a phase is not integrated anew.
NOISE = "there is noise on the nodes"


@dataclass(frozen=True, eq=False)
class Snapshot(Short):
    """A phase of a run, and the state at one of its saved times.

    Attributes
    ----------
    network : Network
    phase : Phase
        The phase with constant clamps: those that move are held at their values at this time; see
        `phase_as_run` for the original phase. `samples` gives the rows of the data that it shows. Of a phase
        that shows samples one after another it is the presentation at this time.
    state : State
        The state of the samples shown.
    index, row : int
        Index of the phase in the run, and row along the run's `time`.
    t : float
        Time of the snapshot, in the run's time.
    record : PhaseRecord
    """

    network: Network
    phase: Phase
    state: State
    index: int
    row: int
    t: float
    record: PhaseRecord

    @classmethod
    def of(cls, run: Run, phase: PhaseOption = None, time: TimeOption = None) -> Snapshot:
        """The snapshot of a run at `time`.

        Parameters
        ----------
        run : Run
        phase : int, str, optional
            Index of a phase, or a name (the last phase of that name); by default the phase that contains
            `time`, or the last that was started.
        time : float or str, optional
            In the run's time, or with a unit, such as "5 s"; the nearest saved time of the nodes is used. By
            default the end of the phase.

        Raises
        ------
        InputError
            If there is no such phase or time, or the run lacks what is needed.
        """
        return cls.at(run, _row(run, phase, time))

    @classmethod
    def at(cls, run: Run, row: int) -> Snapshot:
        """The snapshot at the run's saved `row` along `time`.

        Raises
        ------
        InputError
            If the run lacks the weights, or does not say which nodes were clamped.
        """
        index, t = int(run.data["phase"][row]), float(run.data["time"][row])
        record, network = _record_at(run, index, row), run.network
        _check_masks(record)
        state = State(**run.nodes_at(row), weights=weights_at(run, index, t, presentation_at(run, row)))
        clamp = {layer: one.held(state.x[layer]) for layer, one in record.clamp.items()}
        own = float(as_recorded(record, np.array(t)))
        return cls(network, _phase(record, clamp), state, index, row, own, record)

    @classmethod
    def start(cls, run: Run, phase: PhaseOption = None) -> Snapshot:
        """The snapshot at the start of a phase; see `of`."""
        index = _phase_index(run, phase, None)
        return cls.of(run, index, run.phases[index].t_start)

    @classmethod
    def at_weights(cls, run: Run, index: int, row: int) -> Snapshot:
        """The snapshot at `row` along the run's `weight_time`, with the nodes at their nearest saved time.

        For analyses of nodes at rest, which depend only on the weights and the clamps, in runs with few saved
        times of the nodes. `row` and `t` of the snapshot are those of the weights, and the clamps are held at
        their values at that time, as far as these are known.
        """
        rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
        t = float(run.data["weight_time"][row])
        near = rows[np.abs(run.data["time"].to_numpy()[rows] - t).argmin()]
        there = cls.at(run, int(near))
        own = float(as_recorded(run.phases[index], np.array(t))) - there.record.t_start
        x = list(there.state.x)
        for layer, one in there.record.clamp.items():
            now = one.value(x[layer], own)
            x[layer] = np.where(np.isnan(now), x[layer], now)
        state = State(tuple(x), there.state.eps, weights_at(run, index, t))
        return replace(there.holding(t, state), row=row)

    def holding(self, t: float, state: State) -> Snapshot:
        """The same phase at time `t` of the run, in `state`, with clamps held at their values in `state`."""
        clamp = {layer: one.held(np.asarray(state.x[layer])) for layer, one in self.record.clamp.items()}
        return replace(self, phase=replace(self.phase, clamp=clamp), state=state, t=t)

    def of_samples(self, samples: tuple[int, ...]) -> Snapshot:
        """The same snapshot with only these `samples` (rows of the data)."""
        rows = [self.record.samples.index(sample) for sample in samples]
        x, eps = (tuple(layer[rows] for layer in part) for part in self.state[:2])
        state = State(x, eps, self.state.weights)
        clamp = {layer: one.of_samples(rows) for layer, one in self.record.clamp.items()}
        record = replace(self.record, samples=samples, clamp=clamp)
        held = {layer: one.held(x[layer]) for layer, one in clamp.items()}
        return replace(self, phase=_phase(record, held), state=state, record=record)

    @property
    def n(self) -> int:
        """Number of the last layer."""
        return self.network.n

    @property
    def batch(self) -> int:
        """Number B of samples."""
        return int(self.state.x[0].shape[0])

    @property
    def moving(self) -> bool:
        """Whether a clamp of the phase moves, so that `phase` is valid for this time only."""
        return self.record.moving

    @property
    def reproducible(self) -> bool:
        """Whether the original phase can be reconstructed, see `phase_as_run`; with noise it is not."""
        return self.record.reproducible and not self.network.noisy

    @property
    def irreproducible(self) -> str:
        """Why the original phase cannot be reconstructed, in words."""
        if self.network.noisy:
            return NOISE
        lost = [one for one in self.record.clamp.values() if not one.reproducible]
        return " and ".join(f"{one.follows}, {one.lost}" for one in lost)

    @property
    def follows(self) -> str:
        """What the moving clamps follow, in words."""
        return " and ".join(one.follows for one in self.record.clamp.values() if one.moves)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for an analysis, if moving clamps are held in it."""
        return (f"{self.follows}: held at its value of t = {self.t:g}",) if self.moving else ()

    def phase_as_run(self, question: str) -> Phase:
        """The original phase, with its moving clamps; `question` is the name of the analysis, for errors.

        Raises
        ------
        InputError
            If a moving clamp cannot be reconstructed, as a function of time.
        """
        if not self.reproducible:
            right = "choose another phase, or run it with a time series or an expression"
            if self.network.noisy:
                right = "run it with temperature = 0"
            why = f"but in {self.record.name!r} {self.irreproducible}"
            raise InputError("phase", f"{question} needs the phase as it was, {why}; {right}")
        x = self.state.x
        return _phase(self.record, {layer: one.again(x[layer]) for layer, one in self.record.clamp.items()})

    def free(self, layer: int) -> Mask:
        """Which nodes of a layer are free, shape (B, n_l)."""
        shape = self.batch, self.network.sizes[layer]
        clamped = layer in self.phase.clamp
        return np.isnan(self.phase.clamp_at(layer, 0.0)) if clamped else np.ones(shape, bool)

    def clamped(self, layer: int) -> bool:
        """Whether all nodes of `layer` are clamped."""
        return not self.free(layer).any()

    @property
    def inputs(self) -> Array:
        """Values of layer 0, shape (B, n_0).

        Raises
        ------
        InputError
            If it is not clamped.
        """
        if not self.clamped(0):
            what = f"layer 0 is not clamped in {self.record.name!r}; choose a phase that is shown inputs"
            raise InputError("phase", what)
        return self.state.x[0]

    @property
    def targets(self) -> Array:
        """Values that layer n is clamped to, shape (B, n_n).

        Raises
        ------
        InputError
            If it is not clamped.
        """
        if not self.clamped(self.n):
            what = (
                f"there is no target: layer {self.n} is not clamped in {self.record.name!r}; "
                f"choose a phase with both ends clamped"
            )
            raise InputError("phase", what)
        return self.state.x[-1]

    @property
    def predicting(self) -> tuple[Array, ...]:
        """The values at which predictions and slopes are evaluated, layers 0..n: x, or the forward pass."""
        return predicting(self.network, self.phase, self.state)

    @property
    def fixed(self) -> bool:
        """Whether predictions are fixed at the forward pass."""
        return self.phase.predictions == "fixed"

    def problem(self, reduce: bool = False, **changes: Any) -> Problem:
        """The phase as an initial value problem that starts at this moment.

        Parameters
        ----------
        reduce : bool
            See `pcode.system.problem.make_problem`.
        **changes
            Fields of the phase to replace, e.g. ``learn=False``.
        """
        return make_problem(self.network, replace(self.phase, **changes), self.state, reduce=reduce)


def as_phase(run: Run, phase: PhaseOption = None, time: TimeOption = None) -> tuple[Run, int, float | None]:
    """A run in which the phase meant has a single course, the index of the phase in it, and the time.

    Of a phase that shows samples one after another it has one presentation, in place of the phase: the one
    that was kept nearest to `time`, or the last; see `Run.presentation`. Any other run is as it was.

    Parameters
    ----------
    run : Run
    phase, time
        As for `Snapshot.of`.
    """
    row = _row(run, phase, time)
    index, k = int(run.data["phase"][row]), presentation_at(run, row)
    if k is None:
        return run, index, None if time is None else run.network.time("time", time)
    return alone(run, index, k), 0, None if time is None else float(run.data["time"][row])


def resting_moments(run: Run, index: int, most: int) -> list[Snapshot]:
    """At most `most` snapshots of a phase for analyses of nodes at rest, its ends included.

    They are at saved times of the nodes, or of the weights if more of these were saved. If a clamp moves and
    cannot be reconstructed they are at times of the nodes, the only ones at which its values are known.
    """
    rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
    of_weights = np.flatnonzero(run.data["weight_phase"].to_numpy() == index)
    if rows.size >= min(most, of_weights.size) or not run.phases[index].reproducible:
        return [Snapshot.at(run, int(row)) for row in spread(rows, most)]
    return [Snapshot.at_weights(run, index, int(row)) for row in spread(of_weights, most)]


def spread(rows: NDArray[np.signedinteger[Any]], most: int) -> NDArray[np.signedinteger[Any]]:
    """At most `most` of the rows, evenly spread, with the first and the last."""
    picked: NDArray[np.signedinteger[Any]] = rows[
        np.unique(np.linspace(0, rows.size - 1, min(most, rows.size)).round().astype(int))
    ]
    return picked


def last_phase(run: Run, clamped: tuple[int, ...] = (), learn: bool | None = None) -> int | None:
    """Index of the last started phase in which the layers `clamped` are fully clamped; None if there is none.

    With `learn` given, only phases in which some weights learn count, or only those in which none does.
    """
    started = set(run.data["phase"].to_numpy().tolist())
    for index in reversed(range(len(run.phases))):
        record = run.phases[index]
        whole = {layer for layer, one in record.clamp.items() if one.whole}
        if index in started and set(clamped) <= whole and learn in (None, bool(record.learn)):
            return index
    return None


def _row(run: Run, phase: PhaseOption, time: TimeOption) -> int:
    """The saved row of the nodes that `Snapshot.of` means."""
    t = None if time is None else run.network.time("time", time)
    index = _phase_index(run, phase, t)
    rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
    if not rows.size:
        raise InputError("phase", f"{run.phases[index].name!r} was not begun, so nothing of it is known")
    times = run.data["time"].to_numpy()
    return int(rows[-1] if t is None else rows[np.abs(times[rows] - t).argmin()])


def _phase_index(run: Run, phase: PhaseOption, time: float | None) -> int:
    started = run.data["phase"].to_numpy()
    if not started.size:
        raise InputError("run", "holds no saved times; give the result of a run that was begun")
    if phase is not None:
        index = choose_phases(run, phase)[-1]
        record = run.phases[index]
        if time is not None and not _has(run, index, time):
            span = f"{record.t_start:g} to {record.t_end:g}{suffix(run.network.time_unit)}"
            raise InputError("time", f"phase {record.name!r} lasts from {span}, and has no t = {time:g}")
        return index
    if time is None:
        return int(started[-1])
    for index in reversed(range(len(run.phases))):
        if index in started and _has(run, index, time):
            return index
    last = f"{run.phases[-1].t_end:g}{suffix(run.network.time_unit)}"
    raise InputError("time", f"the run lasts from 0 to {last}, and has no t = {time:g}")


def _has(run: Run, index: int, time: float) -> bool:
    """Whether `time` lies in a phase, or is one of its saved times: after an end at once these are later."""
    record = run.phases[index]
    saved = run.data["time"].to_numpy()[run.data["phase"].to_numpy() == index]
    return bool(record.t_start <= time <= max(record.t_end, saved.max(initial=-np.inf)))


def _record_at(run: Run, index: int, row: int) -> PhaseRecord:
    """The record of the phase or, if it shows samples one after another, of the presentation, as a phase."""
    k = presentation_at(run, row)
    return run.phases[index] if k is None else presentation_record(run, index, k)


def _phase(record: PhaseRecord, clamp: Mapping[int, Clamp]) -> Phase:
    """The phase of a record, with these clamps."""
    return Phase(
        record.name,
        clamp,
        duration=record.duration,
        learn=record.learn,
        until=record.until,  # type: ignore[arg-type]
        settle_tol=record.settle_tol,
        samples=record.samples,
        predictions=record.predictions,
    )


def _check_masks(record: PhaseRecord) -> None:
    """Raise InputError if it is not known which nodes were clamped."""
    for layer, one in record.clamp.items():
        if not one.mask_known:
            what = f"does not tell which nodes of layer {layer} were clamped in {record.name!r}; run it anew"
            raise InputError("run", what)

"""A moment of a run, with all that is needed to go on computing from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..model.network import Array, Network, Weights
from ..model.phase import Phase
from ..model.state import State
from ..system.problem import Problem, make_problem
from .result import PhaseRecord, Run, unpack_mask
from .select import choose_phases

PhaseOption = int | str | None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a phase of a run was, and the state at one of its saved times.

    Attributes
    ----------
    network : Network
    phase : Phase
        With its clamps, as constants: those that move are held at their values of this moment.
        `samples` says which rows of the data it shows.
    state : State
        Of the samples shown.
    index, row : int
        Of the phase in the run, and of the moment along the run's `time`.
    t : float
        The moment, in the run's time.
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
    def of(cls, run: Run, phase: PhaseOption = None, time: float | None = None) -> Snapshot:
        """The moment of a run at `time`.

        Parameters
        ----------
        run : Run
        phase : int, str, optional
            Index of a phase, or name (the last one of that name); the last that was begun where
            left out, or the one that `time` falls into.
        time : float, optional
            In the run's time; the nearest saved time of the nodes is taken, and the end of the
            phase where left out.

        Raises
        ------
        InputError
            If there is no such phase or time, or the run lacks what is needed.
        """
        index = _phase_index(run, phase, time)
        rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
        if not rows.size:
            raise InputError("phase", f"{run.phases[index].name!r} was not begun, so nothing of it is known")
        times = run.data["time"].to_numpy()
        return cls.at(run, int(rows[-1] if time is None else rows[np.abs(times[rows] - time).argmin()]))

    @classmethod
    def at(cls, run: Run, row: int) -> Snapshot:
        """The moment of the run's saved `row` along `time`.

        Raises
        ------
        InputError
            If the run lacks the weights, or which nodes were clamped.
        """
        index, t = int(run.data["phase"][row]), float(run.data["time"][row])
        record, network = run.phases[index], run.network
        nodes = run.data.isel(time=row, sample=list(record.samples))
        x = tuple(np.array(nodes[f"x{k}"]) for k in range(network.n + 1))
        eps = tuple(np.array(nodes[f"eps{k}"]) for k in range(1, network.n + 1))
        phase = Phase(
            record.name,
            {int(layer): _clamp(record, layer, x[int(layer)]) for layer in record.clamped},
            duration=record.duration,
            learn=record.learn,
            until=record.until,  # type: ignore[arg-type]
            settle_tol=record.settle_tol,
            samples=record.samples,
        )
        state = State(x, eps, weights_at(run, index, t))
        return cls(network, phase, state, index, row, t, record)

    @classmethod
    def start(cls, run: Run, phase: PhaseOption = None) -> Snapshot:
        """The moment at which a phase started; see `of`."""
        index = _phase_index(run, phase, None)
        return cls.of(run, index, run.phases[index].t_start)

    @classmethod
    def at_weights(cls, run: Run, index: int, row: int) -> Snapshot:
        """The moment of `row` along the run's `weight_time`, with the nodes of the nearest time they have.

        For what is asked of nodes at rest, which hang on the weights alone: where few times of the nodes were
        saved. `row`, `t` of the answer are those of the weights.
        """
        rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
        t = float(run.data["weight_time"][row])
        near = rows[np.abs(run.data["time"].to_numpy()[rows] - t).argmin()]
        there = cls.at(run, int(near))
        return replace(there, state=there.state._replace(weights=weights_at(run, index, t)), row=row, t=t)

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
        """Whether a clamp of the phase moves, so that `phase` holds for this moment only."""
        return bool(self._moving())

    def _moving(self) -> dict[str, str]:
        """What the clamps that move follow, by layer."""
        kinds = {layer: kind.removesuffix(", partly") for layer, kind in self.record.clamped.items()}
        return {layer: kind for layer, kind in kinds.items() if kind != "constant"}

    @property
    def followed(self) -> str:
        """What the clamps that move follow, in words."""
        moving = self._moving()
        a = {"time series": "a", "function": "a", "expression": "an"}
        layers = " and ".join(f"layer {k} follows {a[kind]} {kind}" for k, kind in moving.items())
        kept = set(moving.values()) - {"expression"}
        return layers + (", of which a run keeps the saved values only" if kept else "")

    def require_constant(self, question: str) -> None:
        """Raise InputError, for `question`, if a clamp of the phase moves."""
        if self.moving:
            what = (
                f"{question} needs a phase with constant clamps; in {self.record.name!r} {self.followed}; "
                f"choose another phase"
            )
            raise InputError("phase", what)

    def clamped(self, layer: int) -> bool:
        """Whether all nodes of `layer` are clamped."""
        value = self.phase.clamp.get(layer)
        return value is not None and not bool(np.isnan(self.phase.clamp_at(layer, 0.0)).any())

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

    def problem(self, reduce: bool = False, **changes: Any) -> Problem:
        """The phase as an initial value problem that starts at this moment.

        Parameters
        ----------
        reduce : bool
            See `pcode.system.problem.make_problem`.
        **changes
            Of the phase, e.g. ``learn=False``.
        """
        return make_problem(self.network, replace(self.phase, **changes), self.state, reduce=reduce)


def resting_moments(run: Run, index: int, most: int) -> list[Snapshot]:
    """At most `most` moments of a phase for questions of nodes at rest, its ends among them.

    Saved times of the nodes, or of the weights where more of those were saved; where a clamp moves, those of
    the nodes, for its values are known at them alone.
    """
    rows = np.flatnonzero(run.data["phase"].to_numpy() == index)
    of_weights = np.flatnonzero(run.data["weight_phase"].to_numpy() == index)
    if rows.size >= min(most, of_weights.size) or Snapshot.at(run, int(rows[0])).moving:
        return [Snapshot.at(run, int(row)) for row in spread(rows, most)]
    return [Snapshot.at_weights(run, index, int(row)) for row in spread(of_weights, most)]


def spread(rows: NDArray[np.signedinteger[Any]], most: int) -> NDArray[np.signedinteger[Any]]:
    """At most `most` of the rows, evenly, with the first and the last."""
    picked: NDArray[np.signedinteger[Any]] = rows[
        np.unique(np.linspace(0, rows.size - 1, min(most, rows.size)).round().astype(int))
    ]
    return picked


def last_phase(run: Run, clamped: tuple[int, ...] = (), learn: bool | None = None) -> int | None:
    """Index of the last phase begun in which the layers `clamped` are, wholly; None if there is none.

    With `learn`, only of those whose weights learn, or are held.
    """
    begun = set(run.data["phase"].to_numpy().tolist())
    for index in reversed(range(len(run.phases))):
        record = run.phases[index]
        whole = {int(layer) for layer, kind in record.clamped.items() if "partly" not in kind}
        if index in begun and set(clamped) <= whole and learn in (None, record.learn):
            return index
    return None


def weights_at(run: Run, phase: int, t: float) -> Weights:
    """Weights at time `t` of the phase with index `phase`.

    Those saved where there are any at `t`, as at both ends of a phase; between saved times the
    cubic through the four nearest.

    Raises
    ------
    InputError
        If the run holds no weights.
    """
    network = run.network
    kinds = [("M", 0), ("beta", 1)] + ([("W", 0)] if network.feedback != "tied" else [])
    names = {kind: [f"{kind}{k + first}" for k in range(network.n)] for kind, first in kinds}
    missing = [name for group in names.values() for name in group if name not in run.data]
    if missing:
        raise InputError("run", f"holds no weights {', '.join(missing)}; give the run.nc as it was written")
    rows = np.flatnonzero(run.data["weight_phase"].to_numpy() == phase)
    times = run.data["weight_time"].to_numpy()[rows]
    near, share = _lagrange(times, t)

    def arrays(kind: str) -> tuple[Array, ...]:
        picked = (run.data[name].isel(weight_time=rows[near]).to_numpy() for name in names[kind])
        return tuple(np.tensordot(share, values, axes=1) for values in picked)

    return Weights(arrays("M"), arrays("W") if "W" in names else None, arrays("beta"))


def _lagrange(times: Array, t: float) -> tuple[Any, Array]:
    """Which of the rising `times` to combine, and with which factors, for the value at `t`."""
    exact = np.flatnonzero(times == t)
    if exact.size or times.size == 1:
        return exact[-1:] if exact.size else np.array([0]), np.ones(1)
    last = int(np.clip(np.searchsorted(times, t) + 2, min(4, times.size), times.size))
    near = np.arange(max(0, last - 4), last)
    return near, _factors(times[near], t)


def _factors(times: Array, t: float) -> Array:
    """What to multiply the values at `times` with for that of the polynomial through them at `t`."""
    return np.array([np.prod([(t - b) / (a - b) for b in times if b != a]) for a in times])


def _phase_index(run: Run, phase: PhaseOption, time: float | None) -> int:
    begun = run.data["phase"].to_numpy()
    if not begun.size:
        raise InputError("run", "holds no saved times; give the result of a run that was begun")
    if phase is not None:
        index = choose_phases(run, phase)[-1]
        record = run.phases[index]
        if time is not None and not record.t_start <= time <= record.t_end:
            span = f"{record.t_start:g} to {record.t_end:g}"
            raise InputError("time", f"phase {record.name!r} lasts from {span}, and has no t = {time:g}")
        return index
    if time is None:
        return int(begun[-1])
    for index in reversed(range(len(run.phases))):
        if run.phases[index].t_start <= time <= run.phases[index].t_end and index in begun:
            return index
    raise InputError("time", f"the run lasts from 0 to {run.phases[-1].t_end:g}, and has no t = {time:g}")


def _clamp(record: PhaseRecord, layer: str, x: Array) -> Array:
    """Clamped values of a layer, shape (B, n_l), NaN where a node is free, from its values `x`."""
    if "partly" not in record.clamped[layer]:
        return x
    if layer not in record.clamped_nodes:
        what = f"does not tell which nodes of layer {layer} were clamped in {record.name!r}; run it anew"
        raise InputError("run", what)
    return np.where(unpack_mask(record.clamped_nodes[layer], (x.shape[0], x.shape[1])), x, np.nan)

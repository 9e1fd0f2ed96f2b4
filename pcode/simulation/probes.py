"""The observers that call probes, and the rows that are kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..base import checks
from ..base.errors import InputError
from ..model.network import Array, Network, Weights
from ..model.phase import Phase, Save
from ..model.state import State
from ..run.probes import FUNCTION, SAMPLES, ProbeRow, check_names, probe_dataset, samples_dataset
from ..run.reached import Marks
from ..run.record import ProbeValue
from .measures import Glance
from .notes import Notes
from .observer import Moment, Observer
from .probe import CALL, Context, Probe


class Probes:
    """The probes of a simulation, and the rows of their values.

    A probe that raises, or returns something other than None or real numbers, has no value there.

    Parameters
    ----------
    probes : mapping of str to Probe or callable, or None
        A function is looked at when a phase ends.
    network : Network
    save : Save
    notes : Notes

    Attributes
    ----------
    values : dict of str to float or list
        What the probes were at the end of the phase.
    latest : dict of str to float
        The latest values of those that are numbers.

    Raises
    ------
    InputError
        If one of them is neither a probe nor a function, or has a name or samples that do not go.
    """

    def __init__(self, probes: Any, network: Network, save: Save, notes: Notes) -> None:
        given = {} if probes is None else probes
        checks.instance("probes", given, Mapping, "a mapping from names to probes")
        self._probes: dict[str, Probe] = {}
        self.observers: list[Observer] = []
        for name, probe in given.items():
            checks.text("probes", name)
            where = f"probes[{name}]"
            if not isinstance(probe, Probe):
                checks.function(where, probe, CALL)
            known = probe if isinstance(probe, Probe) else Probe(probe)
            try:
                known.check(network)
            except InputError as error:
                raise error.within(where) from None
            self._probes[name] = known
            self.observers.append(_Watch(self, name, known, plain=known is not probe))
        functions = [name for name, probe in self._probes.items() if probe.measure is None]
        check_names(list(self._probes), functions)
        self.network, self.save, self._notes = network, save, notes
        self._rows: list[ProbeRow] = []
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._glance: Glance | None = None
        self._start: Weights | None = None
        self._failed: set[tuple[str, int]] = set()
        self._bytes = 0
        self.values: dict[str, ProbeValue] = {}
        self.latest: dict[str, float] = {}

    def glance(self, moment: Moment) -> Glance:
        """What the probes see at a moment; shared by those that look at the same one."""
        if self._glance is None or self._glance.moment is not moment:
            if self._start is None:
                self._start = moment.weights
            self._glance = Glance(moment, self.network, self._start)
        return self._glance

    def keep(self, name: str, moment: Moment, found: Array) -> None:
        """Keep a value."""
        row, shape = self._row(moment), self._shapes.setdefault(name, found.shape)
        if shape != found.shape:
            shapes = f"an array of shape {found.shape} where it was {shape} before"
            self._notes.add(
                f"probe {name!r} returned {shapes}; of one shape only the first are in the result"
            )
        elif self._bytes + found.nbytes > self.save.memory:
            limit = f"{self.save.memory / 1e9:.3g} GB allowed"
            self._notes.add(f"the values of probes take more than the {limit}; those after are not kept")
        else:
            self._bytes += found.nbytes
            row.values[name] = found
        there = bool(np.isfinite(found).any())
        if there:
            self.values[name] = found.tolist()
        if found.ndim == 0 and there:
            self.latest[name] = float(found)

    def _row(self, moment: Moment) -> ProbeRow:
        presentation = -1 if moment.presentation is None else moment.presentation
        last = self._rows[-1] if self._rows else None
        key = (moment.index, moment.elapsed, presentation)
        if last is None or (last.phase, last.elapsed, last.presentation) != key:
            last = ProbeRow(moment.index, moment.t, moment.elapsed, presentation)
            self._rows.append(last)
        return last

    def fail(self, name: str, moment: Moment, what: str) -> None:
        """Note, once a phase, that a probe has no value."""
        if (name, moment.index) not in self._failed:
            self._failed.add((name, moment.index))
            self._notes.add(f"{what}; no value is kept")

    def dataset(self, phases: int) -> xr.Dataset:
        """The rows of the first `phases`."""
        rows = [row for row in self._rows if row.phase < phases]
        described = {name: probe.attributes(name) for name, probe in self._probes.items()}
        for name, (k, _) in self._judging().items():
            described[name]["samples"] = k
        return probe_dataset(self.network, rows, described)

    def groups(self) -> dict[str, xr.Dataset]:
        """The group `probe_samples` of a result; empty if no probe is judged by samples."""
        judging = dict(self._judging().values())
        return {SAMPLES: samples_dataset(judging)} if judging else {}

    def _judging(self) -> dict[str, tuple[int, tuple[Array, Array]]]:
        """The samples that probes are judged by, by the probes' names, each set of them with a number."""
        sets: list[tuple[Array, Array]] = []
        found: dict[str, tuple[int, tuple[Array, Array]]] = {}
        for name, probe in self._probes.items():
            if probe.data is None:
                continue
            own = (probe.data.inputs, probe.data.targets)
            same = (k for k, one in enumerate(sets) if all(map(np.array_equal, one, own)))
            k = next(same, len(sets))
            sets += [own] * (k == len(sets))
            found[name] = (k, own)
        return found

    def described(self) -> dict[str, str]:
        """What each probe is, and when it looks, by name."""
        return {
            name: f"{probe.what if isinstance(probe.what, str) else FUNCTION}, {probe.when}"
            for name, probe in self._probes.items()
        }

    def marks(self, nodes: int, weights: int) -> Marks:
        """How much there is so far, beside so many rows of nodes and weights."""
        latest = tuple(self._rows[-1].values) if self._rows else ()
        return Marks(nodes, weights, len(self._rows), latest, tuple(sorted(self._failed)))

    def cut(self, marks: Marks) -> None:
        """Drop what came after `marks`."""
        self._rows = self._rows[: marks.probes]
        if self._rows:
            last = self._rows[-1]
            last.values = {name: value for name, value in last.values.items() if name in marks.latest}
        self._count()

    def restore(self, rows: list[ProbeRow], start: Weights, marks: Marks) -> None:
        """Begin with rows that were kept before, in a run that began with the weights `start`."""
        self._rows, self._start, self._failed = rows, start, set(marks.failed)
        self.cut(marks)
        self.latest = {name: float(value) for name, value in self._last_values() if value.ndim == 0}

    def _last_values(self) -> list[tuple[str, Array]]:
        return [(name, value) for row in self._rows for name, value in row.values.items()]

    def forget(self, phase: int) -> None:
        """Drop the rows of the phase with this index, which was not finished."""
        self._rows = [row for row in self._rows if row.phase != phase]
        self._count()

    def _count(self) -> None:
        kept = [(name, value) for row in reversed(self._rows) for name, value in row.values.items()]
        self._shapes = {name: value.shape for name, value in kept}
        self._bytes = sum(value.nbytes for row in self._rows for value in row.values.values())


class _Watch:
    """The observer of one probe.

    Parameters
    ----------
    probes : Probes
    name : str
    probe : Probe
    plain : bool
        Whether it was given as a function, which is called when a phase ends.
    """

    def __init__(self, probes: Probes, name: str, probe: Probe, plain: bool) -> None:
        self._probes, self._name, self._probe, self._plain = probes, name, probe, plain

    def times(self, phase: Phase) -> Array:
        """The probe's times."""
        self._probes.values.pop(self._name, None)
        if self._plain:
            return np.array([phase.duration])
        return self._probe.times(phase, self._probes.network, self._probes.save)

    def presentations(self, phase: Phase) -> NDArray[np.int64]:
        """The presentations at whose ends it looks."""
        if self._plain:
            return np.empty(0, dtype=np.int64)
        return self._probe.in_turn(phase, self._probes.network, self._probes.save)

    def observe(self, moment: Moment) -> None:
        """Measure, or call the function."""
        self._probes.values.pop(self._name, None)
        at = "at the end of" if self._plain else f"at t = {moment.t:g} in"
        where = f"probe {self._name!r} {at} phase {moment.phase.name!r}"
        try:
            found = self._value(moment)
            if found is not None:
                self._probes.keep(self._name, moment, np.array(checks.real_array(where, found)))
        except InputError as error:
            self._probes.fail(self._name, moment, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            called = f" (it is called as {CALL})" if isinstance(error, TypeError) else ""
            self._probes.fail(self._name, moment, f"{where} raised {checks.shown(error)}{called}")

    def _value(self, moment: Moment) -> Any:
        measure, glance = self._probe.measure, self._probes.glance(moment)
        if measure is not None:
            return measure.of(glance, self._probe.data)
        # A copy, so that a probe cannot change the run through its arguments.
        assert callable(self._probe.what)
        return self._probe.what(_copied(moment.state), Context(moment, self._probes.network))

    def dataset(self) -> None:
        """Return None: the values are kept by all probes together."""


def _copied(state: State) -> State:
    return state.mapped(lambda _, array: np.array(array))

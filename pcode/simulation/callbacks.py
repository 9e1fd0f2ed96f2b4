"""A user's functions and observers, guarded so that an error in them does not lose the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..base import checks
from ..base.errors import InputError
from ..model.network import Array, Network
from ..model.phase import Phase, Save
from ..run.netcdf import unstorable
from ..run.result import OWN_GROUPS
from .notes import Notes
from .observer import Moment, Observer
from .probes import Probes

# Seconds between two reports of progress.
REPORT_EVERY = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    phase : int
        Index of the phase.
    phases : int or None
        Number of phases; None if unknown, as when they come from a generator.
    name : str
        The phase's name.
    t, duration, step : float
        Time in the phase, its duration, and the solver's last step; in the unit of tau and delta.
    energy : float
        F with the error nodes as they are, summed over layers; dimensionless.
    presentation, presentations : int or None
        Index of the presentation that is shown, and their number, in a phase with a `Presentation`.
    probes : mapping of str to float
        The latest values of the probes that are numbers.
    """

    phase: int
    phases: int | None
    name: str
    t: float
    duration: float
    step: float
    energy: float
    presentation: int | None = None
    presentations: int | None = None
    probes: Mapping[str, float] = field(default_factory=dict)


class Reports:
    """The observer that reports progress between steps, at most ten times a second.

    The user's function is not called again once it has raised.
    """

    def __init__(self, progress: Any, notes: Notes, probes: Probes) -> None:
        if progress is not None:
            checks.function("progress", progress, "progress(report)")
        self._progress: Callable[[Progress], Any] | None = progress
        self._notes, self._probes = notes, probes
        self._latest = -np.inf
        self.phases: int | None = None

    def times(self, phase: Phase) -> Array:
        """No times: the clock decides when to report, see `due`."""
        self._latest = -np.inf  # the start of a phase is always reported
        return np.empty(0)

    @property
    def due(self) -> bool:
        """Whether it is time for a report."""
        return self._progress is not None and time.monotonic() - self._latest >= REPORT_EVERY

    def observe(self, moment: Moment) -> None:
        """Call the user's function."""
        if self._progress is None:
            return
        self._latest = time.monotonic()
        phase, energy = moment.phase, float(moment.energies[0].sum())
        at = (phase.name, moment.elapsed, phase.duration, moment.step, energy)
        shown = None if phase.presentation is None else phase.presentation.count(phase.batch or 1)
        of_probes = (moment.presentation, shown, dict(self._probes.latest))
        try:
            self._progress(Progress(moment.index, self.phases, *at, *of_probes))
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self._progress = None
            raised = f"progress raised {checks.shown(error)} in phase {phase.name!r}"
            self._notes.add(f"{raised}; it was not called again")

    def dataset(self) -> None:
        """Return None: nothing is kept."""


class Guarded:
    """A user's observer. Once it has raised it is not called again, and a note is kept."""

    def __init__(self, name: str, observer: Observer, notes: Notes) -> None:
        self._name, self._observer, self._notes = name, observer, notes
        self._failed = False

    def times(self, phase: Phase) -> Array:
        """The observer's times."""
        where = f"observer {self._name!r} in its times of phase {phase.name!r}"
        if self._failed:
            return np.empty(0)
        try:
            times = checks.real_array(where, self._observer.times(phase))
            if times.ndim > 1:
                raise InputError(where, f"has an array of shape {times.shape}; it must be a list of times")
            return np.atleast_1d(times)
        except InputError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self._fail(f"{where} raised {checks.shown(error)}")
        return np.empty(0)

    def presentations(self, phase: Phase) -> Array:
        """The presentations at whose ends the observer is to be called; none if it does not say."""
        asked = getattr(self._observer, "presentations", None)
        where = f"observer {self._name!r} in its presentations of phase {phase.name!r}"
        if asked is None or self._failed:
            return np.empty(0)
        try:
            return np.atleast_1d(checks.real_array(where, asked(phase)))
        except InputError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self._fail(f"{where} raised {checks.shown(error)}")
        return np.empty(0)

    def observe(self, moment: Moment) -> None:
        """Call the observer."""
        if self._failed:
            return
        try:
            self._observer.observe(moment)
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            where = f"observer {self._name!r} at t = {moment.t:g} in phase {moment.phase.name!r}"
            self._fail(f"{where} raised {checks.shown(error)}")

    def dataset(self) -> xr.Dataset | None:
        """The observer's dataset; None if it has none, or raises."""
        where = f"observer {self._name!r}"
        try:
            kept = self._observer.dataset()
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self._notes.add(f"{where} raised {checks.shown(error)} when asked for its dataset; none is kept")
            return None
        if kept is None:
            return None
        if isinstance(kept, xr.Dataset):
            why = unstorable(kept)
            if why:
                self._notes.add(f"{where} gave a dataset that no file can hold ({why}); none is kept")
            return None if why else kept
        right = "must give an xarray.Dataset or None"
        self._notes.add(f"{where} {right}, not {checks.shown(kept)}; nothing is kept")
        return None

    def _fail(self, what: str) -> None:
        self._failed = True
        self._notes.add(f"{what}; it was not shown more")


class Callbacks:
    """The functions and observers that a user gives to a simulation.

    If `stop` raises, or its value has no truth value, the run is stopped: nothing else could end it then.

    Parameters
    ----------
    probes : mapping of str to Probe or callable, or None
    network : Network
    save : Save
    progress, stop : callable or None
    observers : mapping of str to Observer, or None

    Attributes
    ----------
    notes : Notes
        What went wrong.
    probes : Probes
    reports : Reports
    observers : dict of str to Guarded

    Raises
    ------
    InputError
        If one of them is not a function, or not an observer.
    """

    def __init__(
        self, probes: Any, network: Network, save: Save, progress: Any, stop: Any, observers: Any = None
    ) -> None:
        self.notes = Notes()
        self.probes = Probes(probes, network, save, self.notes)
        self.reports = Reports(progress, self.notes, self.probes)
        if stop is not None:
            checks.function("stop", stop, "stop()")
        self._stop = stop
        given = {} if observers is None else observers
        checks.instance("observers", given, Mapping, "a mapping from names to observers")
        for name, observer in given.items():
            checks.text("observers", name)
            if name in OWN_GROUPS or "/" in name or name == ".":
                own = ", ".join(OWN_GROUPS)
                what = f"is no name for an observer: {own} are the result's own, . and / have a meaning"
                raise InputError(f"observers[{name}]", what)
            right = "an observer, with methods times(phase), observe(moment) and dataset()"
            checks.instance(f"observers[{name}]", observer, Observer, right)
        self.observers = {name: Guarded(name, observer, self.notes) for name, observer in given.items()}

    @property
    def stopped(self) -> Callable[[], bool] | None:
        """The user's `stop`, guarded; None if there is none."""
        return None if self._stop is None else self._stopped

    def _stopped(self) -> bool:
        try:
            return bool(self._stop())
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self.notes.add(f"stop raised {checks.shown(error)}, so the run was ended")
            return True

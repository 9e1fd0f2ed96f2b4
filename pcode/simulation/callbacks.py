"""A user's functions in the course of a run: what goes wrong in them costs nothing that was reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..model.network import Weights
from ..model.phase import Phase
from ..model.state import State
from ..run.result import ProbeValue


class Callbacks:
    """Probes, and the functions to report to and to ask whether to stop.

    A probe that raises, or returns what is neither None nor real numbers, has no value there.
    `progress` is not called again once it has raised. A `stop` that raises, or answers neither yes
    nor no, counts as yes: nothing else could end the run then. Each is noted once.

    Parameters
    ----------
    probes : mapping of str to callable, or None
    progress, stop : callable or None

    Attributes
    ----------
    notes : list of str
        What went wrong.

    Raises
    ------
    InputError
        If one of them is no function.
    """

    def __init__(self, probes: Any, progress: Any, stop: Any) -> None:
        given = {} if probes is None else probes
        checks.instance("probes", given, Mapping, "a mapping from names to functions")
        for name, probe in given.items():
            checks.text("probes", name)
            checks.function(f"probes[{name}]", probe)
        for where, function in (("progress", progress), ("stop", stop)):
            if function is not None:
                checks.function(where, function)
        self.notes: list[str] = []
        self._probes: Mapping[str, Callable[[State, Phase], Any]] = dict(given)
        self._progress, self._stop = progress, stop

    @property
    def report(self) -> Callable[[Any], None] | None:
        """The function to report to, if there is one."""
        return None if self._progress is None else self._report

    @property
    def stopped(self) -> Callable[[], bool] | None:
        """The function to ask whether to stop, if there is one."""
        return None if self._stop is None else self._stopped

    def probed(self, state: State, phase: Phase) -> dict[str, ProbeValue]:
        """The values of the probes at the end of `phase`."""
        values: dict[str, ProbeValue] = {}
        for name, probe in self._probes.items():
            where = f"probe {name!r} at the end of phase {phase.name!r}"
            try:
                # Its own copy: what a probe does to its arguments is not to reach the run.
                found = probe(_copied(state), phase)
                if found is not None:
                    values[name] = checks.real_array(where, found).tolist()
            except InputError as error:
                self._note(f"{error}; no value is kept")
            except Exception as error:  # noqa: BLE001 - whatever a user's function raises
                self._note(f"{where} raised {checks.shown(error)}; no value is kept")
        return values

    def _report(self, now: Any) -> None:
        if self._progress is None:
            return
        try:
            self._progress(now)
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self._progress = None
            raised = f"progress raised {checks.shown(error)} in phase {now.name!r}"
            self._note(f"{raised}; it was not called again")

    def _stopped(self) -> bool:
        try:
            return bool(self._stop())
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self._note(f"stop raised {checks.shown(error)}, so the run was ended")
            return True

    def _note(self, what: str) -> None:
        if what not in self.notes:
            self.notes.append(what)


def _copied(state: State) -> State:
    def copies(arrays: Any) -> Any:
        return None if arrays is None else tuple(map(np.array, arrays))

    M, W, beta = state.weights
    return State(copies(state.x), copies(state.eps), Weights(copies(M), copies(W), copies(beta)))

"""What a worker does: one point of a sweep, a single run."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from ..run.result import Run
    from ..scenario import Scenario

# A worker may have several threads; a run has its process for itself.
ALONE = threading.Lock()


def compute(
    text: str, path: str, changes: list[str], allow_code: bool = False, keep_run: bool = False
) -> dict[str, Any]:
    """Run one point.

    Parameters
    ----------
    text : str
        The scenario's text.
    path : str
        The scenario's file, to whose folder paths in it are relative.
    changes : list of str
        What the point changes, as for ``--set``.
    allow_code : bool
        See `Scenario.load`.
    keep_run : bool
        Whether to return the run as well.

    Returns
    -------
    dict
        ``summary``; ``seconds`` it took, of which the run's own are in the summary; and with `keep_run`
        ``report`` and ``run``, the bytes of its NetCDF file.
    """
    # Imported where it is needed: the process that hands out the points need not load JAX for it.
    from ..scenario import Scenario

    with ALONE:
        began = time.perf_counter()
        scenario = Scenario.parse(text, Path(path), changes, allow_code=allow_code)
        run = scenario.simulate(stop=_never)
        done = outcome(scenario, run, "single run", keep_run)
        done["seconds"] = time.perf_counter() - began
        return done


def outcome(scenario: Scenario, run: Run, computed: str, keep_run: bool = False) -> dict[str, Any]:
    """What is kept of a point, without the seconds it took; `computed` says how it was."""
    from ..scenario import report
    from .summary import answered, summary

    answers = answered(run, scenario.questions)
    told = summary(run, answers)
    done: dict[str, Any] = {"summary": told | {"values": told["values"] | {"computed": computed}}}
    if keep_run:
        done["report"] = report(run) | ({"analysis": answers} if answers else {})
        done["run"] = bytes(run.to_bytes())
    return done


def _never() -> bool:
    return False


def about_worker() -> tuple[str, int]:
    """The version of pcode that a worker has, and its process."""
    return __version__, os.getpid()

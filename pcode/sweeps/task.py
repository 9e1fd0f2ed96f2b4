"""What a worker does: one point of a sweep, a single run."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from .. import __version__

# A worker may have several threads; a run has its process for itself.
_ALONE = threading.Lock()


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
    from ..scenario import Scenario, report
    from .summary import answered, summary

    with _ALONE:
        began = time.perf_counter()
        scenario = Scenario.parse(text, Path(path), changes, allow_code=allow_code)
        run = scenario.simulate(stop=_never)
        answers = answered(run, scenario.questions)
        done: dict[str, Any] = {"summary": summary(run, answers)}
        if keep_run:
            done["report"] = report(run) | ({"analysis": answers} if answers else {})
            done["run"] = bytes(run.to_bytes())
        done["seconds"] = time.perf_counter() - began
        return done


def _never() -> bool:
    return False


def about_worker() -> tuple[str, int]:
    """The version of pcode that a worker has, and its process."""
    return __version__, os.getpid()

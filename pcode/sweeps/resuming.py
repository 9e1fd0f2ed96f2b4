"""`pcode.resume`: go on with a sweep or with a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..base import checks
from ..run.result import Run
from ..run.sweep import Sweep
from ..scenario.resuming import Unfinished
from ..simulation import Checkpoint
from .cluster import ANSWER
from .folder import ASKED
from .running import resume_sweep


def resume(
    out: str | os.PathLike[str],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    timeout: float = ANSWER,
    retries: int = 1,
    progress: Callable[[Any], Any] | None = None,
    stop: Callable[[], bool] | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    allow_code: bool = False,
) -> Sweep | Run:
    """Go on with a sweep, or with the run of a scenario, that was interrupted.

    Parameters
    ----------
    out : path
        The folder of a sweep, or that of a run; or the file of a run, ``checkpoint.nc`` or ``run.nc``.
    workers, scheduler, timeout, retries
        As for `sweep`. Points that are done are not run again; those that had raised an error are.
    progress, stop
        As for `sweep`, or for `simulate`.
    checkpoint
        As for `simulate`, for a run.
    allow_code : bool
        Whether code that the scenario names, such as an activation ``module:name``, may be run.

    Returns
    -------
    Sweep or Run
        The whole run, as if it had not been interrupted. It is not saved.

    Raises
    ------
    InputError
        If there is neither, it has ended, or what it was made of has changed; or as for `sweep`.
    """
    path, allow = checks.path("out", out), checks.flag("allow_code", allow_code)
    if path.is_dir() and (path / ASKED).exists():
        ways: dict[str, Any] = {"progress": progress, "stop": stop, "retries": retries, "timeout": timeout}
        return resume_sweep(path, workers=workers, scheduler=scheduler, allow_code=allow, **ways)
    found = Unfinished.find(path, allow_code=allow)
    return found.go_on(progress, stop, Checkpoint.of(checkpoint))

"""`pcode.sweep`, and going on with one: what is asked for is checked, run, kept, and made one dataset."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ..base import checks
from ..base.errors import InputError
from ..base.status import Status
from ..run.sweep import Sweep
from ..scenario import Scenario
from .axes import axes_of
from .cluster import ANSWER, check_installed, connected, cores
from .dataset import dataset
from .dispatch import Dispatcher
from .folder import Asked, SweepFolder
from .points import Point, check_points, points_of
from .together import groups_left


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep is.

    Attributes
    ----------
    done, total : int
        Points that have ended, among them those of an earlier start; and all.
    failed : int
        Those of `done` without a run, or with one whose integration failed.
    point : Point or None
        The one that has ended last; None at the beginning.
    dashboard : str
        The address of Dask's dashboard; empty where there is none.
    workers : int
        How many processes there were at the beginning.
    """

    done: int
    total: int
    failed: int
    point: Point | None
    dashboard: str
    workers: int


Tell = Callable[[SweepProgress], None]


def sweep(
    scenario: str | os.PathLike[str] | Scenario,
    over: Any = None,
    *,
    out: str | os.PathLike[str],
    changes: Sequence[str] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    timeout: float = ANSWER,
    retries: int = 1,
    keep_runs: bool = False,
    force: bool = False,
    allow_code: bool = False,
    progress: Tell | None = None,
    stop: Callable[[], bool] | None = None,
) -> Sweep:
    """Run a scenario at many points, each a single run.

    Parameters
    ----------
    scenario : str, path or Scenario
        A scenario file, or the name of a shipped one.
    over : list or mapping, optional
        The axes; their combinations are the points. Each is a text, such as ``network.delta=1e1:1e6:11:log``
        or ``weights.seed=0:9``, or a mapping from keys to values. Keys of one mapping, or parted by ``,,`` in
        a text, change together. In place of the list, a mapping each key of which is an axis. Left out, the
        scenario's table ``[sweep]`` says it.
    out : path
        The folder to write to: ``sweep.nc``, and what is kept of each point below ``runs``.
    changes : sequence of str
        Changes to the scenario for all points, such as ``network.nu=0.5``.
    workers : int, optional
        How many processes of this machine to use; one a core where left out. Each computes with one thread.
    scheduler : str, optional
        The address of a Dask scheduler to use in their place, such as ``tcp://host:8786``. Its workers need
        pcode, and the files that the scenario names, at the same paths.
    timeout : float
        How long that scheduler has to answer. In seconds, > 0.
    retries : int
        How often a point that raises an error is tried again before that is recorded; a run whose
        integration fails has a status, and is not tried again.
    keep_runs : bool
        Whether to keep the run of each point, ``run.nc`` and ``report.json``.
    force : bool
        Whether to begin anew in a folder that holds a sweep.
    allow_code : bool
        See `Scenario.load`.
    progress : callable, optional
        Called with a `SweepProgress` at the beginning and after each point.
    stop : callable, optional
        Asked again and again whether to leave off; `pcode.resume` then goes on.

    Returns
    -------
    Sweep
        Points that were not reached, or raised, have NaN and tell it by their `status`.

    Raises
    ------
    InputError
        If a key is not there, a range is empty, the scenario refuses a value, the scheduler does not answer
        or Dask is not installed. Nothing has been run by then.
    WorkersLostError
        If the scheduler or its workers are gone in the course of the sweep; what is done is kept.
    """
    asked = ask_for(scenario, over, changes=changes, keep_runs=keep_runs, allow_code=allow_code)
    folder = SweepFolder(checks.path("out", out))
    force = checks.flag("force", force)
    return _run(asked, folder, _Ways(workers, scheduler, timeout, retries, progress, stop), anew=force)


def resume_sweep(
    out: str | os.PathLike[str],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    timeout: float = ANSWER,
    retries: int = 1,
    allow_code: bool = False,
    progress: Tell | None = None,
    stop: Callable[[], bool] | None = None,
) -> Sweep:
    """Go on with a sweep that was interrupted; points that are done are not run again.

    Parameters
    ----------
    out : path
        The folder of the sweep.
    workers, scheduler, timeout, retries, progress, stop
        As for `sweep`. Points that had raised an error are tried again.
    allow_code : bool
        See `Scenario.load`: what the folder says of it does not count, which may come from elsewhere.

    Returns
    -------
    Sweep

    Raises
    ------
    InputError
        If the folder holds no sweep, or as for `sweep`.
    """
    folder = SweepFolder(checks.path("out", out))
    return _run(
        folder.read_asked(allow_code),
        folder,
        _Ways(workers, scheduler, timeout, retries, progress, stop),
        anew=None,
    )


def ask_for(
    scenario: str | os.PathLike[str] | Scenario,
    over: Any = None,
    *,
    changes: Sequence[str] = (),
    keep_runs: bool = False,
    allow_code: bool = False,
    where: str = "over",
) -> Asked:
    """What a sweep is asked for, of the arguments of `sweep`; `where` names `over` in errors.

    Raises
    ------
    InputError
        If the axes are wrong, or none are given.
    """
    if isinstance(scenario, Scenario):
        base = scenario
        if changes:
            base = Scenario.parse(base.text, base.path, changes, allow_code=base.allow_code)
    else:
        base = Scenario.load(scenario, changes, allow_code=allow_code)
    table = base.file.sweep
    if over is None and table is not None:
        try:
            axes = axes_of(table.over, "sweep.over")
            points_of(axes, "sweep.over")
        except InputError as error:
            raise error.in_file(str(base.path)) from None
    elif over is None:
        raise InputError(where, "names no axis; give one, such as network.delta=1e1:1e6:11:log")
    else:
        axes = axes_of(over, where)
        points_of(axes, where)
    keep = checks.flag("keep_runs", keep_runs) or (table is not None and table.keep_runs)
    return Asked(base, axes, keep)


@dataclass(frozen=True)
class _Ways:
    """How to run a sweep."""

    workers: int | None
    scheduler: str | None
    timeout: float
    retries: int
    progress: Tell | None
    stop: Callable[[], bool] | None

    def check(self) -> None:
        if self.workers is not None:
            checks.whole("workers", self.workers, least=1)
        if self.scheduler is not None:
            checks.text("scheduler", self.scheduler)
        if self.workers is not None and self.scheduler is not None:
            raise InputError("workers", "are those of the scheduler where one is given; give one of both")
        checks.number("timeout", self.timeout, above=0.0)
        checks.whole("retries", self.retries, least=0)
        for name in ("progress", "stop"):
            if getattr(self, name) is not None:
                checks.function(name, getattr(self, name))
        check_installed()

    def stopped(self) -> bool:
        try:
            return self.stop is not None and bool(self.stop())
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            told = f"stop raised {checks.shown(error)}, so the sweep was ended"
            warnings.warn(told, RuntimeWarning, stacklevel=2)
            return True


def _run(asked: Asked, folder: SweepFolder, ways: _Ways, anew: bool | None) -> Sweep:
    """Run what is not done: in the folder of a sweep, or in a new one if `anew` says whether to overwrite."""
    ways.check()
    if anew is not None:
        folder.check(anew)
    with folder.locked():
        if anew is not None:
            folder.check(anew)  # another process may just have ended
        return _run_held(asked, folder, ways, anew)


def _run_held(asked: Asked, folder: SweepFolder, ways: _Ways, anew: bool | None) -> Sweep:
    """Run what is not done in a folder that is held. Points are checked before anything is written."""
    points = points_of(asked.axes)
    kept: dict[int, dict[str, Any]] = {} if anew is not None else folder.read_points(points)
    kept = {number: one for number, one in kept.items() if "error" not in one}
    left = [point for point in points if point.number not in kept]
    structures = check_points(asked.scenario, left, ways.stopped)
    groups = [(point,) for point in left] if asked.keep_runs else groups_left(asked.scenario, points, kept)
    if len(structures) < len(left):  # stopped, with nothing to keep
        return dataset(asked.scenario, asked.axes, points, kept)
    count = min(ways.workers or cores(), len(left))
    with ExitStack() as stack:
        cluster = stack.enter_context(connected(ways.scheduler, count, ways.timeout)) if left else None
        if anew is not None:
            folder.begin(asked)
        try:
            if cluster is not None:
                dispatcher = Dispatcher(cluster, groups, structures, _Arguments(asked), ways.retries)
                _keep_points(dispatcher, folder, ways, left, kept)
        finally:
            swept = dataset(asked.scenario, asked.axes, points, kept)
            swept.save(folder.result)
    return swept


class _Arguments:
    """The arguments of `compute` for a point of a sweep, or of `compute_together` for several."""

    def __init__(self, asked: Asked) -> None:
        self._asked, self._path = asked, str(asked.scenario.path.absolute())

    def __call__(self, group: Sequence[Point]) -> dict[str, Any]:
        base = self._asked.scenario
        shared = {"text": base.text, "path": self._path, "allow_code": base.allow_code}
        if len(group) > 1:
            return shared | {"changes": [point.changes for point in group]}
        return shared | {"changes": group[0].changes, "keep_run": self._asked.keep_runs}


def _keep_points(
    dispatcher: Dispatcher,
    folder: SweepFolder,
    ways: _Ways,
    points: Sequence[Point],
    kept: dict[int, dict[str, Any]],
) -> None:
    """Run `points`, and put what is kept of each into `kept` and the folder."""
    tell = _Telling(ways.progress)
    total, failed = len(points) + len(kept), sum(map(has_failed, kept.values()))
    cluster = dispatcher.cluster
    there = cluster.expected()
    tell(SweepProgress(len(kept), total, failed, None, cluster.dashboard, there))
    for point, outcome in dispatcher.results(ways.stopped):
        folder.write_point(point, outcome)
        kept[point.number] = {key: outcome[key] for key in outcome if key not in ("run", "report")}
        failed += has_failed(outcome)
        tell(SweepProgress(len(kept), total, failed, point, cluster.dashboard, there))


class _Telling:
    """A user's `progress`, which is not called again once it has raised, and is warned of then."""

    def __init__(self, progress: Tell | None) -> None:
        self._progress = progress

    def __call__(self, now: SweepProgress) -> None:
        if self._progress is None:
            return
        try:
            self._progress(now)
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            self._progress = None
            told = f"progress raised {checks.shown(error)}; it was not called again, the sweep goes on"
            warnings.warn(told, RuntimeWarning, stacklevel=2)


def has_failed(kept: Mapping[str, Any]) -> bool:
    """Whether a point has no run, or one whose integration failed."""
    return "error" in kept or Status(kept["summary"]["values"]["status"]).failed

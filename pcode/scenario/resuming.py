"""Going on with the run of a scenario that was interrupted, and repeating one, from its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import InputError
from ..run.reached import Standing, standing_of
from ..run.restoring import first_weights
from ..run.result import Run
from ..simulation import Checkpoint, Progress
from .core import Scenario

CHECKPOINT, RESULT = "checkpoint.nc", "run.nc"


@dataclass(frozen=True)
class Unfinished:
    """A run of a scenario that has not ended, and its file.

    Attributes
    ----------
    scenario : Scenario
    file : Path
        The checkpoint, or the result of a run that was interrupted.
    """

    scenario: Scenario
    file: Path

    @classmethod
    def find(cls, path: Path, *, allow_code: bool = False) -> Unfinished:
        """The run in a folder, or in a file.

        Raises
        ------
        InputError
            If there is none, it has ended, or it is not that of a scenario.
        """
        file = _latest(path) if path.is_dir() else path
        standing = _standing(file)
        about = standing.about
        if not {"scenario", "path"} <= set(about):
            what = "holds a run of pcode.simulate, not of a scenario: call that again with its arguments"
            raise InputError("", f"{what} and resume=, this file", str(file))
        there = Path(about["path"])
        if standing.run.data.attrs.get("scenario") != about["scenario"]:
            raise InputError("", "its scenario was changed after it was written; run it anew", str(file))
        return cls(Scenario.parse(about["scenario"], there, allow_code=allow_code), file)

    def go_on(
        self,
        progress: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Run:
        """Run what is left of it, see `Scenario.simulate`."""
        return self.scenario.simulate(progress, stop, checkpoint=checkpoint, resume=self.file)


def _latest(folder: Path) -> Path:
    """The file of a folder that was written last."""
    there = [folder / name for name in (RESULT, CHECKPOINT) if (folder / name).is_file()]
    if not there:
        right = "give the folder of a sweep, as pcode sweep --out made it, or of a run"
        what = f"holds no sweep; {right}: without {CHECKPOINT} or {RESULT} there is nothing to resume"
        raise InputError("", what, str(folder))
    return max(there, key=lambda file: file.stat().st_mtime_ns)


def _standing(file: Path) -> Standing:
    if not file.exists():
        raise InputError(
            "",
            "there is no such folder; give the folder of a sweep, as pcode sweep --out made it, or of a run",
            str(file),
        )
    return standing_of(Run.load(file), str(file))


def repeated(file: Path, changes: list[str], *, allow_code: bool = False) -> Scenario:
    """The scenario of a result, to run it again.

    Data, weights and masks of files that it names are taken from the result, and all else that it names is
    looked for beside it.

    Raises
    ------
    InputError
        If it is not the result of a scenario.
    """
    run = Run.load(file)
    text, name = run.data.attrs.get("scenario"), run.data.attrs.get("scenario_file")
    if not isinstance(text, str) or not isinstance(name, str):
        what = (
            "is not the result of a scenario, so it does not say how to repeat it; call pcode.simulate again"
        )
        raise InputError("", what, str(file))
    scenario = Scenario.parse(text, file.parent / Path(name).name, changes, allow_code=allow_code)
    kept = scenario.__dict__
    if not any(change.partition(".")[0].strip() in ("data", "weights", "network") for change in changes):
        if scenario.file.data is not None and scenario.file.data.file is not None and run.samples is not None:
            kept["data"] = run.samples
        if scenario.file.weights.init == "file":
            kept["weights"] = first_weights(run)
        mask = scenario.file.network.mask  # type: ignore[attr-defined]
        if mask is not None and mask.file is not None:
            kept["network"] = run.network
    return scenario

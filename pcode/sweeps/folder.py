"""The folder of a sweep: what was asked, what is done, and who writes there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..base import checks
from ..base.claims import claimed
from ..base.errors import InputError
from ..base.files import clear_left, replacing
from ..base.reading import UnreadableError, read_text
from ..scenario import Scenario
from .axes import Axis
from .kept import PointRecord, SweepRecord
from .points import Point

ASKED, TEXT, RESULT, RUNS = "sweep.json", "scenario.toml", "sweep.nc", "runs"
# A file that earlier versions left.
LOCK = ".lock"

POINT, REPORT, RUN = "point.json", "report.json", "run.nc"


@dataclass(frozen=True)
class Asked:
    """What a sweep was asked for.

    Attributes
    ----------
    scenario : Scenario
        That all points change.
    axes : tuple of Axis
    keep_runs : bool
        Whether the run of each point is kept.
    """

    scenario: Scenario
    axes: tuple[Axis, ...]
    keep_runs: bool = False


class SweepFolder:
    """A folder that a sweep is written to.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def result(self) -> Path:
        """The file of the sweep's dataset."""
        return self.path / RESULT

    def check(self, force: bool) -> None:
        """Raise InputError if there is a sweep already that `force` does not allow to overwrite."""
        there = [name for name in (ASKED, RESULT) if (self.path / name).exists()]
        if there and not force:
            what = f"holds {' and '.join(there)} already; pcode resume {self.path} goes on with it"
            raise InputError("--out", f"{what}, --force begins anew", str(self.path))
        if self.path.exists() and not self.path.is_dir():
            raise InputError("--out", "is there and no folder; give a folder", str(self.path))

    def begin(self, asked: Asked) -> None:
        """Take away an earlier sweep, and write what is asked for, so that `read_asked` finds it."""
        with _writing(self.path):
            self._clear()
        scenario = asked.scenario
        values = {
            "pcode": __version__,
            "scenario": str(scenario.path.absolute()),
            "axes": [axis.to_dict() for axis in asked.axes],
            "keep_runs": asked.keep_runs,
            "allow_code": scenario.allow_code,
        }
        self._write(TEXT, scenario.text)
        self._write(ASKED, _json(values))

    def _clear(self) -> None:
        for name in (ASKED, TEXT, RESULT):
            (self.path / name).unlink(missing_ok=True)
        for folder in self._point_folders():
            for name in (POINT, REPORT, RUN):
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # something else is in it
                folder.rmdir()

    def _point_folders(self) -> list[Path]:
        return sorted(path for path in (self.path / RUNS).glob("*") if path.name.isdecimal())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, which is made if need be, for this process alone.

        Unfinished files that a process which was killed has left there are taken away.

        Raises
        ------
        InputError
            If another process holds it, or it cannot be written.
        """
        with claimed(self.path):
            with suppress(OSError):
                (self.path / LOCK).unlink()
            clear_left(self.path, (ASKED, TEXT, RESULT))
            for folder in self._point_folders():
                clear_left(folder, (POINT, REPORT, RUN))
            yield

    def read_asked(self, allow_code: bool = False) -> Asked:
        """What was asked for.

        Parameters
        ----------
        allow_code : bool
            Whether the scenario may name code.

        Raises
        ------
        InputError
            If the folder holds no sweep that can be read.
        """
        right = "give the folder of a sweep, as pcode sweep --out made it"
        try:
            kept = SweepRecord.read(self.path / ASKED)
            text = read_text(self.path / TEXT)
        except UnreadableError as error:
            if not error.missing:
                raise
            what = "holds no sweep" if self.path.is_dir() else "there is no such folder"
            raise InputError("", f"{what}; {right}", str(self.path)) from None
        except InputError as error:
            what = f"holds no sweep that can be read ({error.what}); {right}"
            raise InputError(error.where, what, error.source) from None
        scenario = Scenario.parse(text, checks.path(ASKED, kept.scenario), allow_code=allow_code)
        return Asked(scenario, tuple(axis.axis() for axis in kept.axes), kept.keep_runs)

    def _folder(self, number: int) -> Path:
        return self.path / RUNS / f"{number:04d}"

    def write_point(self, point: Point, kept: Mapping[str, Any]) -> None:
        """Write what has become of a point.

        Parameters
        ----------
        point : Point
        kept : mapping
            As `compute` returns it, or with an ``error`` alone.
        """
        folder = self._folder(point.number)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{RUNS}/{folder.name}"
        if "run" in kept:
            with replacing(folder / RUN) as temporary:
                temporary.write_bytes(kept["run"])
            self._write(f"{name}/{REPORT}", _json(kept["report"]))
        own = {"point": point.number, "values": dict(point.values)}
        # The last of its files: what has it is done.
        told = own | {key: value for key, value in kept.items() if key not in ("run", "report")}
        self._write(f"{name}/{POINT}", json.dumps(told) + "\n")

    def read_points(self, points: Sequence[Point]) -> dict[int, dict[str, Any]]:
        """What is kept of points, by number; without those that cannot be read or have other values."""
        found = {}
        for point in points:
            try:
                read = PointRecord.read(self._folder(point.number) / POINT)
            except InputError:
                continue
            kept = {key: value for key, value in read.model_dump().items() if value is not None}
            # As texts, in which also NaN equals itself.
            if json.dumps(kept["values"]) == json.dumps(dict(point.values)):
                found[point.number] = kept
        return found

    def _write(self, name: str, text: str) -> None:
        with replacing(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2) + "\n"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"cannot be written ({error.strerror}); give a folder that can be"
        raise InputError("--out", what, str(path)) from None

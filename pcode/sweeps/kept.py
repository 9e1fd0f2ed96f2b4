"""The records of a sweep's folder, typed: what was asked for, and what is kept of each point."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..base import checks, documents
from ..base.errors import InputError
from ..base.reading import MOST_TABLE, read_bytes
from ..base.status import Status
from .axes import Axis

Scalar = bool | int | float | str | None
Number = bool | int | float | None

T = TypeVar("T", bound="Record")


class Record(BaseModel):
    """A file of JSON: other keys than are known are left alone."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    @classmethod
    def read(cls: type[T], path: Path) -> T:
        """The record in a file.

        Raises
        ------
        InputError
            If it cannot be read, is not JSON, or holds something else.
        """
        try:
            return cls.model_validate(documents.from_json(read_bytes(path, MOST_TABLE)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where, what = ".".join(map(str, first["loc"])), first["msg"]
            raise InputError(where, f"{what[:1].lower()}{what[1:]}", str(path)) from None
        except InputError as error:
            raise (error if error.source else error.in_file(str(path))) from None


class AxisRecord(Record):
    """An axis: its keys, and for each place one value a key."""

    keys: list[str] = Field(min_length=1)
    values: list[list[Any]] = Field(min_length=1)

    @model_validator(mode="after")
    def _as_many(self) -> AxisRecord:
        if any(len(row) != len(self.keys) for row in self.values):
            raise ValueError("each row must have one value a key")
        return self

    def axis(self) -> Axis:
        """The axis."""
        return Axis.from_dict(self.model_dump())


class SweepRecord(Record):
    """What a sweep was asked for, besides the scenario."""

    scenario: str
    axes: list[AxisRecord] = Field(min_length=1)
    keep_runs: bool = False


def _status(value: dict[str, Scalar]) -> dict[str, Scalar]:
    checks.word("status", value.get("status"), [str(status) for status in Status])
    return value


class SummaryRecord(Record):
    """The numbers of a run, see `pcode.sweeps.summary`."""

    values: Annotated[dict[str, Scalar], AfterValidator(_status)]
    phases: dict[str, list[Scalar]]
    layers: dict[str, list[Number]]
    phase_names: list[str]

    @model_validator(mode="after")
    def _as_many(self) -> SummaryRecord:
        if any(len(column) != len(self.phase_names) for column in self.phases.values()):
            raise ValueError("each column must have one value a phase")
        return self


class PointRecord(Record):
    """What has become of a point: the summary of its run, or an error."""

    point: int
    values: dict[str, Any]
    summary: SummaryRecord | None = None
    error: str | None = None
    seconds: float | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> PointRecord:
        if (self.summary is None) == (self.error is None):
            raise ValueError("must have one of summary and error")
        return self

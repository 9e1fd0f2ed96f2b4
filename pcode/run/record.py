"""The record of a phase of a run: what it was, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..base.short import Short
from ..base.status import SolverStats, Status
from ..model.phase import Predictions
from ..model.presentation import Presentation
from .clamps import ClampArrays, ClampRecord

# The value of a probe: a number, or an array as nested lists.
ProbeValue = float | list[Any]


@dataclass(frozen=True)
class PhaseRecord(Short):
    """A phase of a run: what it was, and how it ended.

    Attributes
    ----------
    name : str
    status : Status
    message : str
        The meaning of the status, with details of this phase.
    t_start, t_end : float
        Start and end in the run's time.
    learn : bool or tuple of str
        Whether the weights learned, or the names of those that did.
    until : str or None
        "equilibrium" if the phase was to end there.
    duration : float
        The duration asked for; the phase lasted `t_end - t_start`.
    clamp : dict of int to ClampRecord
        How each clamped layer was clamped, see `pcode.run.clamps`.
    samples : tuple of int
        The rows of the data that the phase shows.
    unknowns : int
        Number N of unknowns of its equations.
    method, method_reason : str
        The solver, and why it was chosen.
    stats : SolverStats
    probes : dict of str to float, or to nested lists of float
        Values of the probes at its end; arrays as lists.
    settle_tol : float
        Residual at which the phase counts as settled, see `Phase`.
    predictions : {"free", "fixed"}
        Whether predictions were those of the values, or of the forward pass, see `Phase`.
    presentation : Presentation or None
        How samples were shown one after another, if they were.
    presented, at_limit : int
        How many presentations there were, and how many of these reached the limit of their time before they
        were at rest.
    """

    name: str
    status: Status
    message: str
    t_start: float
    t_end: float
    learn: bool | tuple[str, ...]
    until: str | None
    duration: float
    clamp: Mapping[int, ClampRecord]
    samples: tuple[int, ...]
    unknowns: int
    method: str
    method_reason: str
    stats: SolverStats
    probes: dict[str, ProbeValue] = field(default_factory=dict)
    settle_tol: float = 1e-6
    predictions: Predictions = "free"
    presentation: Presentation | None = None
    presented: int = 0
    at_limit: int = 0

    @property
    def moving(self) -> bool:
        """Whether a clamp moves."""
        return any(one.moves for one in self.clamp.values())

    @property
    def reproducible(self) -> bool:
        """Whether the phase can be reconstructed with its clamps as they were."""
        return all(one.reproducible for one in self.clamp.values())

    @property
    def told(self) -> str:
        """How many presentations there were, in words, with a comma behind; empty in other phases."""
        if self.presentation is None:
            return ""
        limit = f", {self.at_limit:,} of them to the limit" if self.at_limit else ""
        return f"{self.presented:,} presentation{'s' * (self.presented != 1)}{limit}, "

    def to_dict(self, arrays: ClampArrays | None = None) -> dict[str, Any]:
        """The record as plain values for JSON; arrays of clamps are put into `arrays`, or left out."""
        clamp = {str(layer): one.to_dict(arrays) for layer, one in self.clamp.items()}
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        shown = {"presentation": self.presentation and self.presentation.to_dict()}
        return own | shown | {"samples": list(self.samples), "stats": asdict(self.stats), "clamp": clamp}

    @classmethod
    def from_dict(cls, values: dict[str, Any], arrays: ClampArrays | None = None) -> PhaseRecord:
        """The inverse of `to_dict`; fields that older files lack have their defaults."""
        kept = ClampArrays() if arrays is None else arrays
        clamp = {
            int(layer): ClampRecord.from_dict(int(layer), one, kept) for layer, one in values["clamp"].items()
        }
        return cls(
            **{"method_reason": ""}
            | values
            | {
                "status": Status(values["status"]),
                "learn": tuple(values["learn"]) if isinstance(values["learn"], list) else values["learn"],
                "samples": tuple(values["samples"]),
                "stats": SolverStats(**values["stats"]),
                "clamp": clamp,
                "presentation": Presentation(**shown) if (shown := values.get("presentation")) else None,
            }
        )

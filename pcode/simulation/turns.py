"""The presentations of a phase, each as a phase of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..base.evaluated import on_device
from ..model.network import Array
from ..model.phase import Phase
from ..model.presentation import Presentation, ramp_from
from ..model.series import TimeSeries
from .integration import Integration


@dataclass(frozen=True)
class Turns(Integration):
    """A phase with a presentation, and what it shows in turn."""

    @property
    def presentation(self) -> Presentation:
        """How samples are shown."""
        assert self.phase.presentation is not None
        return self.phase.presentation

    @cached_property
    def count(self) -> int:
        """Number of presentations."""
        return self.presentation.count(len(self.shown))

    @cached_property
    def clamps(self) -> tuple[Array, ...]:
        """Clamped values of layers 0..n for all samples, shapes (S, n_l); NaN where free."""
        clamp: Any = self.phase.clamp
        sizes = enumerate(self.network.sizes)
        return tuple(clamp.get(k, np.full((len(self.shown), size), np.nan)) for k, size in sizes)

    @cached_property
    def _clamps_there(self) -> Any:
        """The same as arrays of JAX, which need not be converted at each call of compiled code."""
        return on_device(self.clamps)

    def rows(self, k: int) -> Array:
        """The rows of the phase that presentation `k` shows."""
        each = self.presentation.per_pass(len(self.shown))
        rows: Array = self._pass_rows(k // each)[k % each]
        return rows

    def _pass_rows(self, number: int) -> list[Any]:
        kept = self.__dict__.get("_pass")
        if kept is None or kept[0] != number:
            each = self.presentation.per_pass(len(self.shown))
            made = self.presentation.rows(len(self.shown), number * each, (number + 1) * each)
            kept = self.__dict__["_pass"] = (number, made)
        rows: list[Any] = kept[1]
        return rows

    def samples(self, k: int) -> tuple[int, ...]:
        """The rows of the data that presentation `k` shows."""
        return tuple(self.shown[row] for row in self.rows(k).tolist())

    def clamped_before(self, k: int) -> tuple[Array, ...] | None:
        """Clamped values of layers 0..n in the presentation before `k`; None before the first."""
        if k == 0:
            return None
        rows = self.rows(k - 1)
        return tuple(values[rows] for values in self.clamps)

    @cached_property
    def _pattern(self) -> Phase:
        """A presentation as a phase of its own, but for its samples and their clamped values."""
        phase, shown = self.phase, self.presentation
        return Phase(
            phase.name,
            duration=shown.longest,
            learn=phase.learn,
            until=shown.until,
            settle_tol=phase.settle_tol,
            predictions=phase.predictions,
            time_unit=phase.time_unit,
        )

    def one(self, k: int) -> Phase:
        """Presentation `k` as a phase of its own."""
        rows, shown, phase = self.rows(k), self.presentation, self.phase
        clamp: dict[int, Any] = {layer: self.clamps[layer][rows] for layer in phase.clamp}
        before = self.clamped_before(k) if shown.ramp > 0.0 else None
        if before is not None:
            times = np.array([0.0, shown.ramp])
            for layer, new in clamp.items():
                begin = ramp_from(before[layer], new)
                clamp[layer] = TimeSeries(times, np.stack([begin, new]), time_unit=phase.time_unit)
        return self._pattern.with_clamps(clamp, self.samples(k))

    @property
    def first(self) -> Phase:
        """What is integrated first: the first presentation."""
        return replace(self.one(0), nodes=self.phase.nodes)

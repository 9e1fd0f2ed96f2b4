"""How large the error nodes of each layer are at the end of every phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..model.network import Array
from ..model.variables import EPS
from ..run.result import Run
from .result import Result

ASKS = "how large the errors of each layer are at the end of every phase"


@dataclass(frozen=True, eq=False)
class Errors(Result):
    """Answer to the question `errors`.

    Attributes
    ----------
    phases : tuple of str
    sizes : ndarray, shape (phases, n)
        Root mean square over nodes and samples, of layers 1..n.
    """

    question: ClassVar[str] = "errors"

    phases: tuple[str, ...]
    sizes: Array

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        rows = zip(self.phases, self.sizes, strict=True)
        return [
            f"{phase!r} ends with errors of {', '.join(f'{e:.3g}' for e in sizes)}" for phase, sizes in rows
        ]


def errors(run: Run) -> Errors:
    """Answer the question `errors` for `run`."""
    phase = run.data["phase"].to_numpy()
    last = [int(np.flatnonzero(phase == k)[-1]) for k in range(len(run.phases))]
    ends = [[run.data[name].to_numpy()[row] for name in EPS.names(run.network.n)] for row in last]
    sizes = np.array([[np.sqrt(np.nanmean(eps**2)) for eps in layers] for layers in ends])
    return Errors(tuple(record.name for record in run.phases), sizes)

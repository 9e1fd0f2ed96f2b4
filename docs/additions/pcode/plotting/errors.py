"""The errors left at the end of every phase, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from ..analysis.result import of_answer
from ..model.variables import EPS
from .style import axes_or_new

if TYPE_CHECKING:
    from ..analysis.errors import Errors


@of_answer
def errors(answer: Errors, /, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Root mean square of the errors against the layer, a line for each phase."""
    with axes_or_new(ax) as ax:
        for phase, sizes in zip(answer.phases, answer.sizes, strict=True):
            ax.plot(range(1, len(sizes) + 1), sizes, **{"marker": "o", "label": phase} | kwargs)
        ax.set_xlabel("layer")
        ax.set_ylabel(rf"root mean square of ${EPS.symbol}$")
        ax.legend()
    return ax

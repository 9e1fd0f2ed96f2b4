"""The result of a run: its dataset and file, selection from it, and snapshots from which to compute.

Nothing here knows how it was computed: it imports `system` and rooms below, but no solver.
"""

from .record import PhaseRecord
from .result import Run

__all__ = ["PhaseRecord", "Run"]

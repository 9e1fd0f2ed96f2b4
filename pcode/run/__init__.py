"""The result of a run: its dataset and file, what of it is meant, and a moment of it to compute with.

What made it is not known here: it imports `system` and what is below, no solver.
"""

from .result import PhaseRecord, Run

__all__ = ["PhaseRecord", "Run"]

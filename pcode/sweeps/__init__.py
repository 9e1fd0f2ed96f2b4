"""Sweeps: a scenario run at many points, in processes of this machine or of a cluster.

From the values of its axes to points, each a single run, and to one dataset of their summaries. It imports
`scenario` and what is below, and Dask where a sweep is run.
"""

from __future__ import annotations

from .cluster import WorkersLostError
from .folder import SweepFolder
from .points import check_points, points_of
from .resuming import resume
from .running import SweepProgress, ask_for, resume_sweep, sweep

__all__ = [
    "SweepFolder",
    "SweepProgress",
    "WorkersLostError",
    "ask_for",
    "check_points",
    "points_of",
    "resume",
    "resume_sweep",
    "sweep",
]

"""Simulation of phases one after the other: their starts, observers, and the resulting run.

It imports `run`, `solvers` and rooms below.
"""

from .callbacks import Progress
from .checkpoint import EVERY, Checkpoint
from .ensemble import simulate_many
from .observer import Moment, Observer
from .plan import Plan, plan
from .probe import Context, Probe
from .run_phases import simulate
from .simulation import Simulation

__all__ = [
    "EVERY",
    "Checkpoint",
    "Context",
    "Moment",
    "Observer",
    "Plan",
    "Probe",
    "Progress",
    "Simulation",
    "plan",
    "simulate",
    "simulate_many",
]

"""Phases in turn: where each starts, what is looked at on the way, and the run made of it.

It imports `run`, `solvers` and what is below.
"""

from .callbacks import Progress
from .observer import Moment, Observer
from .plan import Plan, plan
from .simulation import Probe, Simulation, simulate

__all__ = ["Moment", "Observer", "Plan", "Probe", "Progress", "Simulation", "plan", "simulate"]

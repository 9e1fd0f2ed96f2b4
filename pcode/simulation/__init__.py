"""Phases in turn: where each starts, what is looked at on the way, and the run made of it.

It imports `run`, `solvers` and what is below.
"""

from .plan import Plan, plan
from .simulation import Probe, simulate
from .stage import Progress

__all__ = ["Plan", "Probe", "Progress", "plan", "simulate"]

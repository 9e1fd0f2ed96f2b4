"""pcode: continuous-time simulation of predictive coding networks.

The value, error and weight equations of a network are one system of ordinary differential
equations, with a fast time constant tau for the nodes and a slow one delta for the weights, and
are integrated as one state vector by adaptive stiff solvers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .activations import ACTIVATIONS
    from .errors import InputError
    from .expression import Expression
    from .network import Network, Weights
    from .phase import Phase, Save, TimeSeries
    from .run import PhaseRecord, Run
    from .simulation import Progress, simulate
    from .solvers import METHODS
    from .state import State
    from .status import SolverStats, Status

__all__ = [
    "ACTIVATIONS",
    "METHODS",
    "Expression",
    "InputError",
    "Network",
    "Phase",
    "PhaseRecord",
    "Progress",
    "Run",
    "Save",
    "SolverStats",
    "State",
    "Status",
    "TimeSeries",
    "Weights",
    "simulate",
]

_HOME = {
    "ACTIVATIONS": "activations",
    "METHODS": "solvers",
    "Expression": "expression",
    "InputError": "errors",
    "Network": "network",
    "Phase": "phase",
    "PhaseRecord": "run",
    "Progress": "simulation",
    "Run": "run",
    "Save": "phase",
    "SolverStats": "status",
    "State": "state",
    "Status": "status",
    "TimeSeries": "phase",
    "Weights": "network",
    "simulate": "simulation",
}


def __getattr__(name: str) -> Any:
    # JAX takes a second to import: `pcode --help` should not wait for it.
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

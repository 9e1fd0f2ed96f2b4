"""pcode: continuous-time simulation of predictive coding networks.

The value, error and weight equations of a network are one system of ordinary differential
equations, with a fast time constant tau for the nodes and a slow one delta for the weights, and
are integrated as one state vector by adaptive stiff solvers.
"""

from __future__ import annotations

from importlib import import_module

from .base.lazy import register

__version__ = "0.1.0"

# That of typing, whose import takes most of the time until a command can answer to signals.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from . import analysis, plotting, scenario
    from .analysis.twin import twin
    from .base.errors import InputError
    from .base.status import SolverStats, Status
    from .model.activation import Activation
    from .model.activations import ACTIVATIONS
    from .model.data import Data
    from .model.expression import Expression
    from .model.masks import random_masks
    from .model.network import Network, Weights
    from .model.phase import Phase, Save
    from .model.presentation import Presentation
    from .model.series import TimeSeries
    from .model.state import State
    from .run.ensemble import Ensemble
    from .run.predict import predict
    from .run.record import PhaseRecord
    from .run.result import Run
    from .run.sweep import Sweep
    from .simulation import Checkpoint, Moment, Observer, Probe, Progress, Simulation, simulate, simulate_many
    from .solvers import METHODS
    from .sweeps import resume, sweep

__all__ = [
    "ACTIVATIONS",
    "METHODS",
    "Activation",
    "Checkpoint",
    "Data",
    "Ensemble",
    "Expression",
    "InputError",
    "Moment",
    "Network",
    "Observer",
    "Phase",
    "PhaseRecord",
    "Presentation",
    "Probe",
    "Progress",
    "Run",
    "Save",
    "Simulation",
    "SolverStats",
    "State",
    "Status",
    "Sweep",
    "TimeSeries",
    "Weights",
    "analysis",
    "plotting",
    "predict",
    "random_masks",
    "resume",
    "scenario",
    "simulate",
    "simulate_many",
    "sweep",
    "twin",
]

_HOME = {
    "ACTIVATIONS": "model.activations",
    "METHODS": "solvers",
    "Activation": "model.activation",
    "Checkpoint": "simulation",
    "Data": "model.data",
    "Ensemble": "run.ensemble",
    "Expression": "model.expression",
    "InputError": "base.errors",
    "Moment": "simulation",
    "Network": "model.network",
    "Observer": "simulation",
    "Phase": "model.phase",
    "PhaseRecord": "run.record",
    "Presentation": "model.presentation",
    "Probe": "simulation",
    "Progress": "simulation",
    "Run": "run.result",
    "Save": "model.phase",
    "Simulation": "simulation",
    "SolverStats": "base.status",
    "State": "model.state",
    "Status": "base.status",
    "Sweep": "run.sweep",
    "TimeSeries": "model.series",
    "Weights": "model.network",
    "predict": "run.predict",
    "random_masks": "model.masks",
    "resume": "sweeps",
    "simulate": "simulation",
    "simulate_many": "simulation",
    "sweep": "sweeps",
    "twin": "analysis.twin",
}

# Rooms that are imported when they are first used, as in ``pcode.plotting.STYLE``.
_ROOMS = ("analysis", "plotting", "scenario")

# What a module reaches of others that import it.
register("plots of a run", lambda: import_module(".plotting", __name__).RunPlots)
register("data frames of a run", lambda: import_module(".run.frames", __name__).to_dataframe)
register("a presentation of a run", lambda: import_module(".run.presented", __name__).presentation)
register("figures of answers", lambda: import_module(".plotting", __name__).FIGURES)


def __getattr__(name: str) -> Any:
    # JAX takes a second to import: `pcode --help` should not wait for it.
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

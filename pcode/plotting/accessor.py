"""`run.plot`: the axes-level functions as methods of a run."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from matplotlib.axes import Axes

from ..run.result import Run
from .energies import energy
from .images import receptive_fields
from .learning import learning_curve
from .matrices import feedback_angle, feedback_scatter, weight_matrix
from .network import network
from .nodes import activation_slopes, error_nodes, value_nodes
from .phase_plane import phase_plane
from .samples import samples
from .slow_manifold import slow_manifold
from .solver import solver_work, step_orders, step_sizes
from .trajectories import trajectory
from .weights import weight_drift, weight_norms

P = ParamSpec("P")

_RUN_ENTRY = re.compile(r"^run : Run.*\n(    .*\n)+", re.MULTILINE)


def _method(function: Callable[Concatenate[Run, P], Axes]) -> Callable[Concatenate[RunPlots, P], Axes]:
    """Make a method of `function`: the run of a `RunPlots` is its first argument."""

    @functools.wraps(function)
    def method(self: RunPlots, /, *args: P.args, **kwargs: P.kwargs) -> Axes:
        return function(self._run, *args, **kwargs)

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    signature = inspect.signature(function)
    rest = list(signature.parameters.values())[1:]
    method.__signature__ = signature.replace(parameters=[own, *rest])  # type: ignore[attr-defined]
    method.__doc__ = _RUN_ENTRY.sub("", inspect.getdoc(function) or "", count=1)
    return method


class RunPlots:
    """Plots of one run, each one quantity on one Axes; see the functions of `pcode.plotting`.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    value_nodes = _method(value_nodes)
    error_nodes = _method(error_nodes)
    activation_slopes = _method(activation_slopes)
    weight_drift = _method(weight_drift)
    weight_norms = _method(weight_norms)
    energy = _method(energy)
    learning_curve = _method(learning_curve)
    weight_matrix = _method(weight_matrix)
    receptive_fields = _method(receptive_fields)
    feedback_scatter = _method(feedback_scatter)
    feedback_angle = _method(feedback_angle)
    solver_work = _method(solver_work)
    step_orders = _method(step_orders)
    step_sizes = _method(step_sizes)
    trajectory = _method(trajectory)
    network = _method(network)
    phase_plane = _method(phase_plane)
    samples = _method(samples)
    slow_manifold = _method(slow_manifold)

    def __repr__(self) -> str:
        names = ", ".join(name for name in vars(type(self)) if not name.startswith("_"))
        return f"<plots of a run: {names}>"

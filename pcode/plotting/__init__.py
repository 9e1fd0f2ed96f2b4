"""Figures of a run: functions that put one quantity on one Axes, and the style they are drawn in.

Every function takes a `Run` first, returns the `matplotlib.axes.Axes` that it drew on, and changes no
setting of Matplotlib; `sweep_lines` and `sweep_map` take a `Sweep`. They are methods of ``run.plot`` as well.
`STYLE` is the path of the style sheet, for ``matplotlib.pyplot.style.use``; `style` is the same as a context.
The room imports `analysis` and what is below.
"""

from ..analysis.manifolds.manifold import critical_manifold
from ..analysis.planes.choice import last_finite, telling_plane
from ..base.units import text as time_text
from ..run.select import (
    check_extent,
    check_in_full,
    choose_layers,
    choose_phases,
    choose_samples,
    presentation_name,
    suits_log_time,
)
from ..run.snapshot import as_phase
from ..run.weights import departure_from_transpose
from .accessor import RunPlots
from .animation import animate
from .answers import FIGURES
from .backprop import backprop
from .certificate import certificate
from .classification import classification
from .clock import TimeAxis
from .convergence import convergence
from .energies import energy, energy_remark
from .equilibrium import equilibrium
from .images import image_shape_of, receptive_fields
from .labels import in_lines, symbol_of
from .learning import learning_curve, probe_groups
from .legends import LegendPlace, figure_legend, place_legend
from .matrices import feedback_angle, feedback_scatter, weight_matrix
from .moments import film_moments, film_phase, moment_text, node_plane
from .network import network, network_key
from .nodes import activation_slopes, error_nodes, value_nodes
from .output import save_figure
from .phase_plane import phase_plane
from .samples import samples
from .separation import separation
from .sizes import figure_width, small_text
from .slow_manifold import slow_manifold
from .solver import knows_order, solver_work, step_orders, step_sizes
from .spectrum import spectrum
from .stability import stability
from .stationary import stationary
from .style import STYLE, figure, style
from .styles import StylesOption, styles_for
from .sweeps import sweep_lines, sweep_map
from .trajectories import moving_phase, principal_components, trajectory
from .weights import weight_drift, weight_kinds, weight_norms

__all__ = [
    "FIGURES",
    "STYLE",
    "LegendPlace",
    "RunPlots",
    "StylesOption",
    "TimeAxis",
    "activation_slopes",
    "animate",
    "as_phase",
    "backprop",
    "certificate",
    "check_extent",
    "check_in_full",
    "choose_layers",
    "choose_phases",
    "choose_samples",
    "classification",
    "convergence",
    "critical_manifold",
    "departure_from_transpose",
    "energy",
    "energy_remark",
    "equilibrium",
    "error_nodes",
    "feedback_angle",
    "feedback_scatter",
    "figure",
    "figure_legend",
    "figure_width",
    "film_moments",
    "film_phase",
    "image_shape_of",
    "in_lines",
    "knows_order",
    "last_finite",
    "learning_curve",
    "moment_text",
    "moving_phase",
    "network",
    "network_key",
    "node_plane",
    "phase_plane",
    "place_legend",
    "presentation_name",
    "principal_components",
    "probe_groups",
    "receptive_fields",
    "samples",
    "save_figure",
    "separation",
    "slow_manifold",
    "small_text",
    "solver_work",
    "spectrum",
    "stability",
    "stationary",
    "step_orders",
    "step_sizes",
    "style",
    "styles_for",
    "suits_log_time",
    "sweep_lines",
    "sweep_map",
    "symbol_of",
    "telling_plane",
    "time_text",
    "trajectory",
    "value_nodes",
    "weight_drift",
    "weight_kinds",
    "weight_matrix",
    "weight_norms",
]

"""Value nodes and error nodes of one layer, and slopes of its activation, against time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..analysis.mixes import slopes_along
from ..model.variables import EPS, X
from ..run.result import Run
from ..run.select import Choice, PhaseChoice, check_layer, choose_phases, choose_samples, of_run, of_samples
from .clock import Clock, TimeAxis
from .labels import label_of
from .legends import LegendPlace
from .series import ARTISTS, Curves, How, draw
from .styles import StylesOption, draws


@draws(ARTISTS)
@of_run
def value_nodes(
    run: Run,
    /,
    layer: int,
    *,
    samples: Choice = None,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    how: How = "auto",
    legend: LegendPlace = True,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Value nodes :math:`x^l` of one layer against time.

    Parameters
    ----------
    run : Run
        The run to draw.
    layer : int
        l, 0..n.
    samples : int or sequence of int, optional
        Rows of the data; all that the phases show where left out.
    phase : int, str or sequence of these, optional
        Index or name of the phases to draw; all where left out.
    log_time : bool
        Whether every phase has a logarithmic axis of its own, counted from its start.
    clock : {"tau", "delta", "time"} or str, optional
        Unit of the time axis: a time constant, the run's unit of time, shown as ms or s as suits the axis, or
        a unit by name. "time" where left out if the run has a unit, else tau, or delta where tau = 0.
    how : {"auto", "lines", "bands", "heatmap"}
        One line for each node and sample; their quantiles, which are those over nodes and samples
        together, or, with two nodes and several samples, those of each node over the
        samples; or a map with a row for each node, the mean over the samples. "auto" draws lines
        where there are 36 at most, else bands.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    phase_names : bool
        Whether to write the names of the phases above it; where they start is always marked.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``lines``, ``dots`` (phases without extent), ``median``, ``bands``, ``extremes``, ``heatmap``,
        ``colorbar``, ``phases`` (where they start), ``phase_names``, ``legend``, and single curves by
        their node, such as ``x1[0]``, or ``x1[0,3]`` of sample 3.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where left out.
    **kwargs
        To `Axes.plot`, for lines and medians, or to `Axes.pcolormesh`.

    Returns
    -------
    matplotlib.axes.Axes
        Values are dimensionless, times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such layer, sample or phase.
    """
    check_layer("layer", layer, 0, run.network.n)
    axis = TimeAxis.of(run, "time", phase, clock, log_time)
    curves = _curves(run, f"{X}{layer}", X.label(layer), samples, phase)
    return draw(ax, axis, curves, how, legend, phase_names, styles, kwargs)


@draws(ARTISTS)
@of_run
def error_nodes(
    run: Run,
    /,
    layer: int,
    *,
    samples: Choice = None,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    how: How = "auto",
    legend: LegendPlace = True,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Error nodes :math:`\varepsilon^l` of one layer against time.

    Parameters
    ----------
    run : Run
        The run to draw.
    layer : int
        l, 1..n.
    samples, phase, log_time, clock, how, legend, phase_names, styles, ax, **kwargs
        As for `value_nodes`.

    Returns
    -------
    matplotlib.axes.Axes
        Errors are dimensionless, times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such layer, sample or phase.
    """
    check_layer("layer", layer, 1, run.network.n)
    axis = TimeAxis.of(run, "time", phase, clock, log_time)
    curves = _curves(run, f"{EPS}{layer}", EPS.label(layer), samples, phase)
    return draw(ax, axis, curves, how, legend, phase_names, styles, kwargs)


@draws(ARTISTS)
@of_run
def activation_slopes(
    run: Run,
    /,
    layer: int,
    *,
    samples: Choice = None,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    how: How = "auto",
    legend: LegendPlace = True,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Slopes :math:`\sigma'(x^l)` of one layer against time: of a node held at a kink the mix that holds it.

    Parameters
    ----------
    run : Run
        The run to draw.
    layer : int
        l, 0..n-1.
    samples, phase, log_time, clock, how, legend, phase_names, styles, ax, **kwargs
        As for `value_nodes`.

    Returns
    -------
    matplotlib.axes.Axes
        Slopes are dimensionless, times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such layer, sample or phase.
    """
    check_layer("layer", layer, 0, run.network.n - 1)
    axis = TimeAxis.of(run, "time", phase, clock, log_time)
    symbol = rf"\sigma'({X.label(layer)})"
    curves = _curves(run, f"{X}{layer}", symbol, samples, phase)
    chosen = choose_samples(run, samples, choose_phases(run, phase))
    slopes = np.moveaxis(of_samples(run, slopes_along(run, layer), chosen), 1, 2)
    label = rf"slopes of layer {layer}, ${symbol}$"
    return draw(
        ax, axis, replace(curves, values=slopes, label=label), how, legend, phase_names, styles, kwargs
    )


def _curves(run: Run, name: str, symbol: str, samples: Choice, phase: PhaseChoice) -> Curves:
    """Take the nodes of the variable `name`: a group for each, with the samples as members."""
    chosen = choose_samples(run, samples, choose_phases(run, phase))
    variable = run.data[name]
    return Curves(
        values=np.moveaxis(of_samples(run, variable.to_numpy(), chosen), 1, 2),
        label=label_of(variable, symbol),
        groups_are="node",
        members_are="sample",
        group_label=lambda node: f"${symbol}_{{{node}}}$",
        member_label=lambda k: f"sample {chosen[k]}",
        names=lambda node, k: (f"{name}[{node}]", f"{name}[{node},{chosen[k]}]"),
    )

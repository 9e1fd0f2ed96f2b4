"""Value nodes and error nodes of one layer, and slopes of its activation, against time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..analysis.mixes import slopes_along
from ..base.errors import InputError
from ..model.network import Array
from ..model.variables import EPS, X
from ..run.result import Run
from ..run.select import Choice, PhaseChoice, check_layer, choose_samples, listed, of_run, of_samples
from .clock import Clock, TimeAxis
from .labels import label_of
from .legends import LegendPlace
from .series import ARTISTS, Curves, How, draw
from .style import distinct
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
    presentations: Choice = None,
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
    presentations : int or sequence of int, optional
        Which presentations to draw of phases that show samples one after another; where left out all that
        were kept or, with `log_time` and where these were kept in full, the first and the last. Curves do not
        go on from one to another. Points are their ends, where no more was kept, or more would not be seen on
        the clock of the phase. Samples are not told apart where many are shown.
    log_time : bool
        Whether every phase, or presentation, has a logarithmic axis of its own, counted from its start;
        points have a linear one in any case.
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
    axis = TimeAxis.of(run, "time", phase, clock, log_time, presentations)
    curves = _curves(run, f"{X}{layer}", X.label(layer), samples, axis)
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
    presentations: Choice = None,
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
    samples, phase, presentations, log_time, clock, how, legend, phase_names, styles, ax, **kwargs
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
    axis = TimeAxis.of(run, "time", phase, clock, log_time, presentations)
    curves = _curves(run, f"{EPS}{layer}", EPS.label(layer), samples, axis)
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
    presentations: Choice = None,
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
    samples, phase, presentations, log_time, clock, how, legend, phase_names, styles, ax, **kwargs
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
    axis = TimeAxis.of(run, "time", phase, clock, log_time, presentations)
    symbol = rf"\sigma'({X.label(layer)})"
    curves = _curves(run, f"{X}{layer}", symbol, samples, axis, slopes_along(run, layer))
    curves = replace(curves, label=rf"slopes of layer {layer}, ${symbol}$")
    return draw(ax, axis, curves, how, legend, phase_names, styles, kwargs)


def _curves(
    run: Run, name: str, symbol: str, samples: Choice, axis: TimeAxis, values: Array | None = None
) -> Curves:
    """Take the nodes of the variable `name`, or `values` of them: a group for each, samples as members."""
    variable = run.data[name]
    values = variable.to_numpy() if values is None else values
    chosen = _samples(run, samples, axis)
    if chosen is None:
        members = np.moveaxis(values, 1, 2)
        member_label = lambda k: f"sample {k} of those shown"  # noqa: E731
    else:
        members = np.moveaxis(of_samples(run, values, chosen), 1, 2)
        member_label = lambda k: f"sample {chosen[k]}"  # noqa: E731
    return Curves(
        values=members,
        label=label_of(variable, symbol),
        groups_are="node",
        members_are="sample",
        group_label=lambda node: f"${symbol}_{{{node}}}$",
        member_label=member_label,
        names=lambda node, k: (f"{name}[{node}]", *([f"{name}[{node},{chosen[k]}]"] if chosen else [])),
    )


def _samples(run: Run, samples: Choice, axis: TimeAxis) -> tuple[int, ...] | None:
    """The samples to draw; None for all that are shown, not told apart, if presentations show many."""
    records = [stretch.record for stretch in axis.stretches]
    phases = [k for k, record in enumerate(run.phases) if any(record is one for one in records)]
    chosen = choose_samples(run, samples, phases)
    if not axis.presented:
        return chosen
    numbers = run.data["sample_number"].to_numpy()
    there = {number for stretch in axis.stretches for number in numbers[stretch.rows].ravel().tolist()}
    shown = tuple(sorted(there - {-1}))
    if samples is None:
        return shown if len(shown) <= distinct() else None
    if not set(chosen) & set(shown):
        few = listed(shown)
        be = "is" if len(chosen) == 1 else "are"
        what = f"{listed(chosen)} {be} not shown in the presentations to draw; {few} are"
        raise InputError("samples", f"{what}; choose among these, or other presentations")
    return chosen

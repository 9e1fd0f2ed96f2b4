"""The energy F of every layer against time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..model.network import Array
from ..run.result import Run
from ..run.select import (
    Choice,
    PhaseChoice,
    check_flags,
    check_word,
    choose_layers,
    choose_phases,
    of_run,
)
from ..run.weights import departure_from_transpose
from .clock import Clock, PhaseScale, TimeAxis
from .labels import label_of
from .legends import LegendPlace, check_legend
from .series import LARGEST, ON_TIME, dot_instants, finish, fit, joined
from .sizes import small_text
from .style import NEUTRAL, axes_or_new, distinct, line_style
from .styles import Artists, Styles, StylesOption, draws

Which = Literal["dynamic", "slaved"]

VARIABLES = {"dynamic": "energy", "slaved": "energy_slaved"}
TERMS = {
    "dynamic": r"\frac{1}{2}\nu^l\langle|\varepsilon^l|^2\rangle",
    "slaved": r"\frac{1}{2}\langle|x^l-\mu^l|^2\rangle/\nu^l",
}

ARTISTS: Artists = {"total": Line2D, "layers": Line2D, "dots": Line2D, "remark": Text, **ON_TIME}

# W is M^T where they differ by no more than this part of the largest weight.
ROUNDING = 1e-6

# Energies up to this are the rounding of errors that are 0.
NOTHING = 1e-28

# A logarithmic axis is chosen where the sum of the energies spans more than this factor, without the lowest
# values, over no more than this part of the width: what rises from 0 at once needs no decades of its own.
SPAN, PASSING = 20.0, 0.05

# Such an axis ends above what a curve shows over less than this part of the width, and above this
# part of the largest energy: a zero crossed in passing, and rounding, would fill the picture.
SLIVER = 0.01
DEPTH = 1e-14


@of_run
def energy_remark(run: Run, which: Which = "dynamic", phase: PhaseChoice = None) -> str:
    r"""Whether the energy of a run falls, and why, in a few words to write above it.

    With errors that lag behind the values (:math:`\tau_\varepsilon > 0`) neither energy needs to fall. With
    errors at rest, :math:`W = M^\top`, clamps that do not move and no decay, nodes and weights follow the
    slope of F downwards. So do the weights where errors lag, once the nodes have settled. With predictions
    fixed at the forward pass they follow that of the loss instead. Where samples are
    shown one after another, it jumps from one presentation to another, and the words say that instead.

    Parameters
    ----------
    run : Run
    which : {"dynamic", "slaved"}
        As for `energy`.
    phase : int, str or sequence of these, optional
        Index or name of the phases meant; all where left out.

    Raises
    ------
    InputError
        If `which` is neither, or the run has no such phase.
    """
    check_word("which", which, tuple(VARIABLES))
    network, phases = run.network, choose_phases(run, phase)
    records = [run.phases[k] for k in phases]
    if any(record.presentation is not None for record in records):
        return "$F$ of the samples shown at a time"
    learning = any(record.learn for record in records)
    slaved = len(network.slaved) == network.n
    lagging = which == "dynamic" and not (network.limit or slaved)
    hindered = {
        "predictions are fixed": any(record.predictions == "fixed" for record in records),
        r"$W \neq M^\top$": not departure_from_transpose(run, phase) <= ROUNDING,
        "weights decay": network.weight_decay > 0.0 and learning,
        "nodes decay": network.node_decay > 0.0,
        "clamps move": any(record.moving for record in records),
    }
    reasons = [why for why, holds in hindered.items() if holds]
    if reasons:
        reasons = [r"$\varepsilon$ lags behind $x$"] * lagging + reasons
        return f"$F$ may rise: {', '.join(reasons)}"
    if lagging:
        return r"$F$ may rise while $\varepsilon$ catches up with $x$"
    if network.limit:
        return "$F$ falls within a phase, nodes at rest" if learning else "$F$ with nodes at rest"
    if slaved:
        return r"$F$ falls within a phase, $\varepsilon$ slaved to $x$"
    return f"$F$ may ring while nodes settle{', then falls' if learning else ''}"


@draws(ARTISTS)
@of_run
def energy(
    run: Run,
    /,
    which: Which = "dynamic",
    *,
    layers: Choice = None,
    total: bool = True,
    log_y: bool | None = None,
    phase: PhaseChoice = None,
    presentations: Choice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    legend: LegendPlace = True,
    phase_names: bool = True,
    remark: bool = False,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Energy of every layer, and of all together, against time.

    Parameters
    ----------
    run : Run
        The run to draw.
    which : {"dynamic", "slaved"}
        :math:`\frac12 \sum_l \nu^l |\varepsilon^l|^2` with the error nodes as they are, or
        :math:`\frac12 \sum_l |x^l - \mu^l|^2/\nu^l`, with the error nodes at their rest value;
        means over the batch.
    layers : int or sequence of int, optional
        l, 1..n; all where left out.
    total : bool
        Whether to draw the sum over all layers as well, where there are several.
    log_y : bool, optional
        Whether energies have a logarithmic axis, without the zeros; where it is not said, they
        have one if their sum, but for what it passes through at once, spans more than a decade or so.
    phase, presentations, log_time, clock, legend, phase_names, styles, ax, **kwargs
        As for `value_nodes`; the keywords go to `Axes.plot`. The artists are ``total``, ``layers``,
        ``dots``, ``remark``, ``phases``, ``phase_names`` and ``legend``.
    remark : bool
        Whether to write above the Axes whether this energy falls, and why; see `energy_remark`.

    Returns
    -------
    matplotlib.axes.Axes
        Energies are dimensionless, times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such layer or phase.
    """
    check_word("which", which, tuple(VARIABLES))
    chosen = choose_layers(run, layers, first=1)
    check_flags(total=total, log_y=False if log_y is None else log_y)
    check_flags(phase_names=phase_names, remark=remark)
    check_legend(legend)
    look = Styles(styles, ARTISTS, total=kwargs, layers=kwargs)
    axis = TimeAxis.of(run, "time", phase, clock, log_time, presentations)
    variable = run.data[VARIABLES[which]]
    t, values = joined(axis.stretches, [variable.to_numpy()[s.rows] for s in axis.stretches])
    curves = _curves(values, chosen, total and run.network.n > 1)
    with axes_or_new(ax) as ax:
        logarithmic = _draw(ax, axis, t, curves, log_y, look)
        finish(ax, axis, label_of(variable, TERMS[which]), legend, phase_names, look)
        if remark and "remark" in look:
            text = look.of("remark", fontsize=small_text(), color=NEUTRAL, pad=4.0, loc="left")
            ax.set_title(energy_remark(run, which, phase), **text)
        if logarithmic:
            _cut_off(ax, t, np.stack([curve for curve, *_ in curves]))
    return ax


def _draw(
    ax: Axes,
    axis: TimeAxis,
    t: Array,
    curves: Sequence[tuple[Array, str, dict[str, Any]]],
    log_y: bool | None,
    look: Styles,
) -> bool:
    """Put the curves over the times `t` on `ax`; say whether it has become logarithmic."""
    values = np.stack([curve for curve, *_ in curves])
    alone = [curve for curve, name, _ in curves if name == "layers"]
    logarithmic = _spans(axis, t, np.sum(alone, axis=0)) if log_y is None else log_y
    for curve, name, given in curves:
        shown = np.where(curve > 0.0, curve, np.nan) if logarithmic else curve
        lines = ax.plot(t, shown, **look.of(name, **given)) if name in look else []
        if "dots" in look:
            dot_instants(ax, axis.stretches, lines)
    if logarithmic:
        ax.set_yscale("log")
    else:
        fit(ax, axis.stretches, [values])
    return logarithmic


def _spans(axis: TimeAxis, t: Array, energy: Array) -> bool:
    """Whether an energy over the times `t` spans more than `SPAN`, but for what it passes through at once."""
    place = PhaseScale(axis.stretches).forward(t) if axis.log_time and axis.lasts else t
    width = np.abs(np.gradient(place)) if t.size > 1 else np.ones(t.size)
    shown = np.flatnonzero(energy > 0.0)
    if not shown.size:
        return False
    rising = shown[np.argsort(energy[shown])]
    seen = np.cumsum(width[rising])
    lowest = energy[rising[np.argmax(seen >= PASSING * seen[-1])]]
    return bool(energy[rising[-1]] > SPAN * lowest)


def _curves(values: Array, layers: Sequence[int], total: bool) -> list[tuple[Array, str, dict[str, Any]]]:
    """Take the curves of `values`, shape (T, n); say which artist each is, and how it is drawn."""
    n = values.shape[1]
    with np.errstate(invalid="ignore"):
        values = np.where(np.abs(values) <= LARGEST, values, np.nan)
        values = np.where(np.abs(values) <= NOTHING, 0.0, values)
    labelled = layers if len(layers) <= distinct() else (layers[0], layers[-1])
    curves: list[tuple[Array, str, dict[str, Any]]] = []
    if total:
        broad = {"color": NEUTRAL, "linestyle": "-", "linewidth": 3.0, "alpha": 0.4, "label": "all layers"}
        curves.append((values.sum(axis=1), "total", broad))
    for layer in layers:
        label = f"layer {layer}" if layer in labelled else "_nolegend_"
        curves.append((values[:, layer - 1], "layers", line_style(layer - 1, n) | {"label": label}))
    return curves


def _cut_off(ax: Axes, t: Array, curves: Array) -> None:
    """Fit a logarithmic axis to what shows; what does not is said at `SLIVER` and `DEPTH`."""
    if t.size < 2:
        return
    points = np.column_stack([t, np.ones(t.size)])
    width = np.abs(np.gradient((ax.transScale + ax.transLimits).transform(points)[:, 0]))
    largest, lowest = 0.0, []
    for curve in curves:
        shown = np.flatnonzero(curve > 0.0)
        if shown.size:
            rising = shown[np.argsort(curve[shown])]
            seen = np.cumsum(width[rising])
            lowest.append(curve[rising[np.argmax(seen > min(SLIVER, 0.5 * seen[-1]))]])
            largest = max(largest, curve[rising[-1]])
    if lowest:
        bottom = max(DEPTH * largest, 0.3 * min(lowest))
        low, high = ax.get_ylim()
        ax.set_ylim(max(bottom, low), min(high, largest * (largest / bottom) ** 0.08))

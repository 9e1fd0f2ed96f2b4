"""How far the weights have drifted from where they started."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..base.errors import InputError
from ..model.network import Array
from ..model.variables import BY_NAME, WEIGHTS, M, Variable, W, parsed
from ..run.result import Run
from ..run.select import Choice, PhaseChoice, check_flags, check_layer, check_word, choose_layers, of_run
from .clock import Clock, TimeAxis
from .labels import label_of
from .legends import LegendPlace, check_legend
from .series import ARTISTS, LARGEST, ON_TIME, Curves, How, dot_instants, draw, finish, joined
from .style import axes_or_new, distinct, line_style
from .styles import Artists, Styles, StylesOption, draws

Kind = Literal["M", "W", "beta"]

NORM_LABEL = r"norm of the change, $\Vert \cdot(t) - \cdot(0) \Vert$"
MARKERS = "osD^vPX*"

# From one marker of a curve to the next, in parts of the diagonal of the Axes.
MARKED = 0.2
# The artists of `weight_norms`.
NORMS: Artists = {"M": Line2D, "W": Line2D, "beta": Line2D, **ON_TIME}


@of_run
def weight_kinds(run: Run) -> tuple[Kind, ...]:
    """Say which kinds of weights have an equation of their own, and so can drift."""
    own = {parsed(name)[0] for name in run.network.learnable}
    return tuple(v.name for v in WEIGHTS if v in own)  # type: ignore[misc]


@draws(ARTISTS)
@of_run
def weight_drift(
    run: Run,
    /,
    layer: int,
    kind: Kind = "M",
    *,
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
    r"""Departure of each weight of one link from its start, against slow time.

    Parameters
    ----------
    run : Run
        The run to draw.
    layer : int
        l of :math:`M^l` and :math:`W^l`, 0..n-1, or of :math:`\beta^l`, 1..n.
    kind : {"M", "W", "beta"}
        Prediction weights, feedback weights or biases.
    phase, log_time, clock, how, legend, phase_names, styles, ax, **kwargs
        As for `value_nodes`, with weights in place of nodes and samples, and delta in place of tau for the
        clock. Single curves have names such as ``M0[2,1]`` and ``beta1[0]``.
        The departure is from the start of the run, whatever the phases drawn.

    Returns
    -------
    matplotlib.axes.Axes
        Departures are dimensionless, times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such weights or phase.
    """
    weight = _weight(run, kind)
    layers = weight.layers(run.network.n)
    check_layer("layer", layer, layers[0], layers[-1])
    axis = TimeAxis.of(run, "weight_time", phase, clock, log_time)
    variable = run.data[f"{kind}{layer}"]
    shape = variable.shape[1:]
    symbol = weight.label(layer)

    def name(k: int) -> str:
        return f"${symbol}_{{{','.join(map(str, np.unravel_index(k, shape)))}}}$"

    curves = Curves(
        values=_departure(run, f"{kind}{layer}").reshape(variable.shape[0], -1, 1),
        label=label_of(variable, rf"{symbol}(t) - {symbol}(0)", "change of"),
        groups_are="weight",
        members_are="weight",
        group_label=name,
        member_label=name,
        continuous=True,
        names=lambda k, _: (f"{kind}{layer}[{','.join(map(str, np.unravel_index(k, shape)))}]",),
    )
    return draw(ax, axis, curves, how, legend, phase_names, styles, kwargs)


@draws(NORMS)
@of_run
def weight_norms(
    run: Run,
    /,
    kinds: Kind | Sequence[Kind] | None = None,
    *,
    layers: Choice = None,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    legend: LegendPlace = True,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Norms of the departure of the weights from their start, by layer, against slow time.

    A layer l has one colour and one marker, which are shared by :math:`M^{l-1}`, :math:`W^{l-1}` and
    :math:`\beta^l`, the weights of its prediction. M is a solid line, W a broad pale
    one, which shows on both sides of M where the two drift alike, beta a dotted one.

    Parameters
    ----------
    run : Run
        The run to draw.
    kinds : {"M", "W", "beta"} or sequence of these, optional
        Which weights; all that have an equation of their own where left out.
    layers : int or sequence of int, optional
        Predicted layers l, 1..n; all where left out.
    phase, log_time, clock, legend, phase_names, styles, ax, **kwargs
        As for `weight_drift`; the keywords go to `Axes.plot`. The artists are ``M``, ``W``, ``beta``,
        ``phases``, ``phase_names`` and ``legend``.

    Returns
    -------
    matplotlib.axes.Axes
        Frobenius norms, dimensionless; times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such weights, layer or phase.
    """
    wanted = weight_kinds(run) if kinds is None else [kinds] if isinstance(kinds, str) else kinds
    weights = [_weight(run, kind) for kind in wanted]
    chosen = choose_layers(run, layers, first=1)
    check_flags(phase_names=phase_names)
    check_legend(legend)
    look = Styles(styles, NORMS, M=kwargs, W=kwargs, beta=kwargs)
    axis = TimeAxis.of(run, "weight_time", phase, clock, log_time)
    named = chosen if len(chosen) <= distinct() else (chosen[0], chosen[-1])
    with axes_or_new(ax) as ax:
        for weight, layer in product(weights, chosen):
            k = layer - 1 + weight.first
            norms = _norms(_departure(run, f"{weight}{k}"))
            t, values = joined(axis.stretches, [norms[s.rows] for s in axis.stretches])
            label = f"${weight.label(k)}$" if layer in named else "_nolegend_"
            given = _norm_style(weight, layer - 1, run.network.n, t.size) | {"label": label}
            if weight.name in look:
                lines = ax.plot(t, values, **look.of(weight.name, **given))
                dot_instants(ax, axis.stretches, lines, continuous=True)
        finish(ax, axis, NORM_LABEL, legend, phase_names, look)
    return ax


def _weight(run: Run, kind: Any) -> Variable:
    """The variable that `kind` names, if the run has such weights."""
    check_word("kind", kind, [weight.name for weight in WEIGHTS])
    held = [weight.name for weight in run.network.weight_variables]
    if kind not in held:
        words = f"{', '.join(held[:-1])} or {held[-1]}"
        raise InputError("kind", f"must be {words}: with tied feedback W is the transpose of M")
    return BY_NAME[kind]


def _departure(run: Run, name: str) -> Array:
    values = run.data[name].to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        departure: Array = values - values[:1]
    return departure


def _norms(departure: Array) -> Array:
    """Frobenius norm of every row, shape (T,); NaN where it cannot be drawn."""
    flat = departure.reshape(len(departure), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        norms: Array = np.sqrt(np.einsum("tk,tk->t", flat, flat))
        return np.where(norms <= LARGEST, norms, np.nan)


def _norm_style(weight: Variable, k: int, count: int, points: int) -> dict[str, Any]:
    color = line_style(k, count)["color"]
    if weight is W:
        return {"color": color, "linestyle": "-", "linewidth": 4.0, "alpha": 0.3, "solid_capstyle": "butt"}
    # Even along the curve as drawn, and shifted from layer to layer, so that like curves show all markers.
    first = 0.5 * MARKED * (1.0 + k / max(count, 2))
    marks = {"marker": MARKERS[k % len(MARKERS)], "markevery": (first, MARKED) if points > 1 else 1}
    return {"color": color, "linestyle": "-" if weight is M else ":"} | marks

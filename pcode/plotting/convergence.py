"""How nodes come to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from ..analysis.result import of_answer
from ..base.errors import InputError
from ..model.variables import EPS, X
from ..run.select import check_flags
from .clock import time_since_start
from .legends import LegendPlace, check_legend, place_legend
from .style import NEUTRAL, axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.convergence import Convergence
    from ..analysis.phase_convergence import PhaseConvergence

DISTANCE = "distance from rest"

ARTISTS: Artists = {
    "values": Line2D,
    "errors": Line2D,
    "fits": Line2D,
    "slowest": Line2D,
    "legend": Legend,
}

# Distances below this part of the largest are rounding, as at a start at rest.
DEEPEST = 1e-8


@draws(ARTISTS)
@of_answer
def convergence(
    answer: Convergence,
    /,
    phase: int | str | None = None,
    *,
    log_time: bool = False,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Distances of the nodes of every layer from their rest, against time since the phase's start.

    Solid lines are value nodes, dotted ones error nodes; thin black lines fall at the fitted rates, where
    they were fitted (of a distance that rings, along its peaks), and grey dashes at the slowest
    eigenvalue's rate, where it is known.

    Parameters
    ----------
    answer : pcode.analysis.convergence.Convergence
    phase : int or str, optional
        Index into ``answer.phases``, or name; that whose errors start farthest from rest where
        left out.
    log_time : bool
        Whether time is logarithmic; linear, it ends a while after the nodes have settled.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is to the right of the Axes, or below it where it would
        take more than a quarter of the width.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``values``, ``errors``, ``fits``, ``slowest`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.plot`.

    Returns
    -------
    matplotlib.axes.Axes
        Distances are dimensionless, root mean squares over the samples.

    Raises
    ------
    InputError
        If there is no such phase, or no equilibrium was found in it.
    """
    check_flags(log_time=log_time)
    check_legend(legend)
    look = Styles(styles, ARTISTS, values=kwargs, errors=kwargs)
    found = _chosen(answer, phase)
    if found.settling == 0.0:
        return _nothing(ax, answer.time_unit)
    t = found.times
    shown = t > 0.0 if log_time else t <= 2.5 * (found.settling if found.settling > 0.0 else t[-1])
    unit, label = time_since_start(float(np.max(t, where=shown, initial=0.0)), answer.time_unit)
    with axes_or_new(ax) as ax:
        for name, variable, distances, dashes in (
            ("values", X, found.value_distance, "-"),
            ("errors", EPS, found.error_distance, ":"),
        ):
            for layer, distance in enumerate(distances.T, start=variable.first):
                color = line_style(layer, _layers(found))["color"]
                given = {"color": color, "linestyle": dashes, "label": f"${variable.label(layer)}$"}
                d = np.where(distance > 0.0, distance, np.nan)
                if np.isfinite(d[shown]).any() and name in look:
                    ax.plot(t[shown] / unit, d[shown], **look.of(name, **given))
        limits = ax.get_xlim()
        if "fits" in look:
            _draw_fits(ax, found, look, unit, answer.after_time and f" ({answer.rate_unit})")
        ax.set_xlim(limits)
        if found.slowest.real < 0.0 and "slowest" in look:
            largest = np.nanmax(np.concatenate([found.value_distance, found.error_distance], axis=1))
            lasting = shown & (found.slowest.real * t > -25.0)
            falling = largest * np.exp(found.slowest.real * t[lasting])
            dashed: dict[str, Any] = {"color": NEUTRAL, "linestyle": "--", "linewidth": 1.0, "zorder": 0.5}
            ax.plot(t[lasting] / unit, falling, **look.of("slowest", **dashed, label="slowest\neigenvalue"))
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, DEEPEST * high), high)
        if log_time:
            ax.set_xscale("log")
        ax.set_xlabel(label)
        ax.set_ylabel(DISTANCE)
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _nothing(ax: Axes | None, unit: str) -> Axes:
    """An axes that says that there is no distance to draw."""
    with axes_or_new(ax) as ax:
        ax.text(0.5, 0.5, "at rest from the start", ha="center", color=NEUTRAL, transform=ax.transAxes)
        ax.set_xlabel(time_since_start(1.0, unit)[1])
        ax.set_ylabel(DISTANCE)
        ax.set_xticks([])
        ax.set_yticks([])
    return ax


def _draw_fits(ax: Axes, found: PhaseConvergence, look: Styles, unit: float, of_rates: str) -> None:
    """Thin lines where distances were fitted, unless the nodes leave their rest."""
    rates = np.concatenate([found.value_rate, found.error_rate])
    fits = np.concatenate([found.value_fit, found.error_fit])
    good = np.isfinite(rates) & (rates > 0.0)
    if found.slowest.real > 0.0 or not good.any():
        return
    ends = f"{rates[good].min():.3g}", f"{rates[good].max():.3g}"
    label = "fitted rates\n" + (ends[0] if ends[0] == ends[1] else " to ".join(ends)) + of_rates
    for rate, (start, end, height) in zip(rates[good], fits[good], strict=True):
        t = np.linspace(start, end, 50)
        line = height * np.exp(-rate * (t - start))
        thin: dict[str, Any] = {"color": "black", "linestyle": "-", "linewidth": 0.6, "zorder": 2.5}
        ax.plot(t / unit, line, **look.of("fits", **thin, label=label))
        label = "_nolegend_"


def _layers(found: PhaseConvergence) -> int:
    """Number of layers 0..n."""
    return int(found.value_distance.shape[1])


def _chosen(answer: Convergence, phase: int | str | None) -> PhaseConvergence:
    phases = answer.phases
    names = ", ".join(f"{k} ({found.phase})" for k, found in enumerate(phases))
    if isinstance(phase, str):
        chosen = [found for found in phases if found.phase == phase]
    elif phase is None:
        far = [found for found in phases if found.at_rest]
        chosen = sorted(far, key=lambda found: -float(np.nanmax(found.error_distance[0])))
    else:
        chosen = [phases[phase]] if -len(phases) <= phase < len(phases) else []
    if not chosen:
        raise InputError("phase", f"no such phase with an equilibrium; the answer has {names}")
    if not chosen[0].at_rest:
        told = f"there is no equilibrium in {chosen[0].phase!r}, from which to measure: {chosen[0].why_not}"
        raise InputError("phase", told)
    return chosen[0]

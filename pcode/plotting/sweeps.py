"""Figures of a sweep: a number along an axis, mean and spread over the others; and over two axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from ..base import checks
from ..base.errors import InputError
from ..run.pooling import Along, along, number, pooled, power_law, spread, usual_axes, usual_number
from ..run.sweep import Sweep
from .legends import LegendPlace, check_legend, place_legend
from .style import axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

LINES: Artists = {"lines": Line2D, "spread": PolyCollection, "fit": Line2D, "legend": Legend}
MAP: Artists = {"mesh": QuadMesh, "colorbar": Colorbar}

# Values that span more than this factor are shown on a logarithmic scale.
WIDE = 30.0

of_sweep = checks.first_is(Sweep, "a pcode.Sweep, as pcode.sweep or Sweep.load gives it")

_SYMBOLS = {
    "network.delta": r"$\delta$",
    "network.tau": r"$\tau$",
    "network.tau_eps": r"$\tau_\varepsilon$",
    "network.nu": r"$\nu$",
    "network.weight_decay": r"$\lambda$",
    "network.node_decay": r"$\lambda_x$",
    "delta/tau": r"$\delta/\tau$",
    "tau/delta": r"$\tau/\delta$",
    "network.sizes": "sizes of layers",
}


@draws(LINES)
@of_sweep
def sweep_lines(
    sweep: Sweep,
    /,
    y: str | None = None,
    *,
    x: str | None = None,
    hue: str | None = None,
    phase: str | int | None = None,
    layer: int | None = None,
    spread: str = "ci",
    fit: bool = False,
    log_x: bool | None = None,
    log_y: bool | None = None,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """A number against what was swept: its mean over all other axes, with the spread, a line for each `hue`.

    Parameters
    ----------
    sweep : Sweep
    y : str, optional
        A number of the sweep, such as ``settling_time``, or the end of its name.
    x : str, optional
        A swept key or the end of one, such as ``delta``, or ``delta/tau`` or ``tau/delta``; the first with
        several values that is no seed where left out.
    hue : str, optional
        Another one, with a line for each value; the next where left out, ``"none"`` for none.
    phase : str or int, optional
        Of which phase, where there is a number for each; the last that has one where left out.
    layer : int, optional
        Likewise of which of the layers 1..n.
    spread : {"ci", "sd", "range", "none"}
        Over all other axes: the interval in which the mean is with 95% (bootstrap), one standard deviation
        to both sides, the least and the largest value, or none.
    fit : bool
        Whether to fit a power law to each line; its slope, with a 95% interval, is in the legend.
    log_x, log_y : bool, optional
        Whether axes are logarithmic; as suits the values where left out.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``lines``, ``spread``, ``fit`` and ``legend``.
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.plot`, for the lines.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the sweep has no such number, key or phase, or nothing was swept but seeds.
    """
    check_legend(legend)
    look = Styles(styles, LINES, lines=kwargs)
    y = usual_number(sweep) if y is None else y
    across, lines = _chosen(sweep, x, hue)
    found = number(sweep, y, phase, layer, "y")
    values = pooled(found, across.dim, *([] if lines is None else [lines.dim]))
    values = values if lines is not None else values[:, np.newaxis]
    with axes_or_new(ax) as ax:
        places = _places(ax, across, log_x)
        names = [""] if lines is None else [_named(lines, k) for k in range(values.shape[1])]
        for k, name in enumerate(names):
            _line(ax, across, places, values[:, k], (name, k, len(names)), spread, fit, look)
        _scale_y(ax, values, log_y)
        ax.set_xlabel(_axis_label(across))
        ax.set_ylabel(_with_phase(found))
        if "legend" in look and ax.get_legend_handles_labels()[0]:
            title = {} if lines is None else {"title": _axis_label(lines)}
            place_legend(ax, legend, **look.of("legend", **title))
    return ax


def _chosen(sweep: Sweep, x: str | None, hue: str | None) -> tuple[Along, Along | None]:
    """What is across, and what each line is of."""
    usual = usual_axes(sweep)
    if x is None and not usual:
        what = "nothing was swept but seeds, or single values; give x, such as"
        raise InputError("x", f"{what} {sweep.keys[0]}")
    across = usual[0] if x is None else along(sweep, x, "x")
    if hue == "none":
        return across, None
    if hue is not None:
        lines = along(sweep, hue, "hue")
        if lines.dim == across.dim:
            raise InputError("hue", f"{hue} changes together with {across.name}; give another, or none")
        return across, lines
    others = [one for one in usual if one.dim != across.dim]
    return across, others[0] if others else None


def _line(
    ax: Axes,
    across: Along,
    places: Any,
    values: Any,
    named: tuple[str, int, int],
    how: str,
    fit: bool,
    look: Styles,
) -> None:
    """One line, with its spread and its fit; `named` has its label, its index and how many there are."""
    label, k, count = named
    mean, low, high = spread(values, how)
    order = np.argsort(places, kind="stable")
    given = line_style(k, count) | {"marker": "o", "markersize": 3.5}
    law = power_law(np.asarray(across.values, dtype=float), mean) if fit and across.numeric else None
    told = "" if law is None else rf"slope ${law.slope:.3f} \pm {law.error:.3f}$"
    own = label or ("_nolegend_" if told else "")
    if "lines" in look:
        ax.plot(places[order], mean[order], **look.of("lines", **given, label=own or None))
    if "spread" in look and how != "none" and values.shape[-1] > 1:
        band = {"color": given["color"], "alpha": 0.2, "linewidth": 0.0}
        ax.fill_between(places[order], low[order], high[order], **look.of("spread", **band))
    if law is not None and "fit" in look:
        ends = np.array([across.values.min(), across.values.max()], dtype=float)
        thin = {"color": given["color"], "linewidth": 0.8, "linestyle": ":", "zorder": 1.0, "label": told}
        ax.plot(ends, law.factor * ends**law.slope, **look.of("fit", **thin))


@draws(MAP)
@of_sweep
def sweep_map(
    sweep: Sweep,
    /,
    value: str | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    phase: str | int | None = None,
    layer: int | None = None,
    log_x: bool | None = None,
    log_y: bool | None = None,
    log_value: bool | None = None,
    label: str | None = None,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """A number over two of the axes of a sweep, as colour: its mean over all others.

    Parameters
    ----------
    sweep : Sweep
    value : str, optional
        A number of the sweep, such as ``steps``, or the end of its name.
    x, y : str, optional
        Swept keys or the ends of such, or ``delta/tau`` or ``tau/delta``; the first two with several values
        that are no seeds where left out.
    phase, layer
        As for `sweep_lines`.
    log_x, log_y, log_value : bool, optional
        Whether axes and colours are logarithmic; as suits the values where left out.
    label : str, optional
        Of the colours; what the sweep says of the number where left out.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are ``mesh``
        and ``colorbar``.
    ax : matplotlib.axes.Axes, optional
        One on a new figure where left out.
    **kwargs
        Of `Axes.pcolormesh`.

    Returns
    -------
    matplotlib.axes.Axes
        White where nothing is known.

    Raises
    ------
    InputError
        If the sweep has no such number, key or phase, or fewer than two axes to show.
    """
    look = Styles(styles, MAP, mesh=kwargs)
    value = usual_number(sweep) if value is None else value
    across, up = _two(sweep, x, y)
    found = number(sweep, value, phase, layer, "value")
    mean = spread(pooled(found, up.dim, across.dim), "none").mean
    with axes_or_new(ax) as ax:
        places = _places(ax, across, log_x)
        heights = _places(ax, up, log_y, "y")
        right, top = np.argsort(places, kind="stable"), np.argsort(heights, kind="stable")
        known = mean[np.isfinite(mean)]
        log = _is_wide(known) if log_value is None else log_value
        norm = LogNorm() if log and known.size and known.min() > 0 else None
        if "mesh" in look:
            given = {"cmap": "cividis", "norm": norm, "rasterized": True}
            edges = [_edges(places[right], ax.get_xscale()), _edges(heights[top], ax.get_yscale())]
            mesh = ax.pcolormesh(*edges, mean[np.ix_(top, right)], **look.of("mesh", **given))
            if "colorbar" in look:
                told = {"label": label or _with_phase(found)}
                ax.figure.colorbar(mesh, ax=ax, **look.of("colorbar", **told))
        ax.set_xlabel(_axis_label(across))
        ax.set_ylabel(_axis_label(up))
    return ax


def _two(sweep: Sweep, x: str | None, y: str | None) -> tuple[Along, Along]:
    """What is across and what is upwards."""
    given = [along(sweep, one, where) for one, where in ((x, "x"), (y, "y")) if one is not None]
    usual = [one for one in usual_axes(sweep) if one.dim not in [other.dim for other in given]]
    if len(given) + len(usual) < 2:
        raise InputError("y", "fewer than two axes have several values and are no seeds; give x and y")
    across = given.pop(0) if x is not None else usual.pop(0)
    up = given.pop(0) if y is not None else usual.pop(0)
    if across.dim == up.dim:
        raise InputError("y", f"{up.name} changes together with {across.name}; give another")
    return across, up


def _places(ax: Axes, one: Along, log: bool | None, axis: str = "x") -> Any:
    """Where the values stand along an axis, whose scale and, for texts, ticks are set."""
    if not one.numeric:
        places = np.arange(one.values.size, dtype=float)
        setter = ax.set_xticks if axis == "x" else ax.set_yticks
        setter(places, [str(value) for value in one.values])
        return places
    if one.even_in_log if log is None else log:
        if one.values.min() <= 0:
            raise InputError(f"log_{axis}", f"{one.name} has values of 0 or less; give false")
        (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    return np.asarray(one.values, dtype=float)


def _edges(places: Any, scale: str) -> Any:
    """Edges of cells around places that rise, in the middle between them on this scale."""
    at = np.log(places) if scale == "log" else places
    if at.size == 1:
        edges = np.array([at[0] - 0.5, at[0] + 0.5])
    else:
        inner = (at[1:] + at[:-1]) / 2
        edges = np.concatenate([[2 * at[0] - inner[0]], inner, [2 * at[-1] - inner[-1]]])
    return np.exp(edges) if scale == "log" else edges


def _is_wide(known: Any) -> bool:
    return bool(known.size and known.min() > 0 and known.max() > WIDE * known.min())


def _scale_y(ax: Axes, values: Any, log: bool | None) -> None:
    known = values[np.isfinite(values)]
    if _is_wide(known) if log is None else log:
        ax.set_yscale("log")


def _named(lines: Along, k: int) -> str:
    value = lines.values[k]
    return f"{value:g}" if lines.numeric else str(value)


def _axis_label(one: Along) -> str:
    return _SYMBOLS.get(one.name, one.name)


def _with_phase(found: Any) -> str:
    """The long name of a number, with the phase or the layer that it is of."""
    label = str(found.attrs.get("long_name", found.name))
    phase = f", phase {found['phase'].item()}" if "phase" in found.coords else ""
    return f"{label}{phase}" + (f", layer {found['layer'].item()}" if "layer" in found.coords else "")

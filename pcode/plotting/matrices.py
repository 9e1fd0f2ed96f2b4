"""Weights as matrices, and how the feedback weights compare with the prediction weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..base import checks
from ..base.errors import InputError
from ..model.network import Array
from ..model.variables import BY_NAME
from ..run.result import Run
from ..run.select import (
    Choice,
    PhaseChoice,
    check_flags,
    check_layer,
    check_word,
    choose_layers,
    choose_phases,
    of_run,
)
from .clock import Clock, TimeAxis
from .legends import LegendPlace, check_legend, place_legend
from .series import LARGEST, ON_TIME, dot_instants, finish, joined
from .sizes import small_text
from .style import NEUTRAL, axes_or_new, distinct, line_style
from .styles import Artists, Styles, StylesOption, draws

When = Literal["before", "after", "change"]
MatrixKind = Literal["M", "W"]

MATRIX: Artists = {"matrix": AxesImage, "numbers": Text, "colorbar": Colorbar}
SCATTER: Artists = {"before": Line2D, "after": Line2D, "transpose": Line2D, "legend": Legend}
ANGLES: Artists = {"lines": Line2D, "dots": Line2D, **ON_TIME}

# A diverging map whose two ends differ in hue for the colour-blind too; white is 0.
DIVERGING = "RdBu_r"

# Of weights that are no numbers, or too large to draw.
NOTHING = "0.7"

# Points beyond which a scatter is a burden to a vector file, and becomes an image in it.
MOST_POINTS = 5_000

# Angles in degrees below which an axis would magnify rounding; it has the ticks of a right angle then.
LEAST_ANGLE = 1e-4
RIGHT_ANGLE = (0.0, 30.0, 60.0, 90.0)

# Most nodes along a side of a matrix whose weights are written on it, and which colours are light: by the
# shares of red, green and blue in the brightness (ITU-R BT.601).
MOST_NUMBERS = 3
LUMA, LIGHT = (0.299, 0.587, 0.114), 0.5

# Most ticks along a side of a matrix.
MOST_TICKS = 4


@draws(MATRIX)
@of_run
def weight_matrix(
    run: Run,
    /,
    layer: int,
    kind: MatrixKind = "M",
    when: When = "after",
    *,
    phase: PhaseChoice = None,
    largest: float | None = None,
    colorbar: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Weights of one link as a matrix of colours, white where a weight is 0, grey where it is no number.

    Parameters
    ----------
    run : Run
        The run to draw.
    layer : int
        l of :math:`M^l` or :math:`W^l`, 0..n-1.
    kind : {"M", "W"}
        Prediction weights, a row for each node of layer l, or feedback weights, a row for each
        node of layer l+1.
    when : {"before", "after", "change"}
        At the start of the phases, at their end, or the difference.
    phase : int, str or sequence of these, optional
        Index or name of the phases meant; all where left out.
    largest : float, optional
        The weight that has the darkest colour; the largest of the three matrices where left out,
        so that they share their scale.
    colorbar : bool
        Whether to put a colour bar beside the Axes.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``matrix``, ``numbers`` (of small ones) and ``colorbar``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where left out.
    **kwargs
        To `Axes.imshow`.

    Returns
    -------
    matplotlib.axes.Axes
        Weights are dimensionless.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such weights or phase.
    """
    check_word("when", when, ("before", "after", "change"))
    check_flags(colorbar=colorbar)
    matrices = three_moments(run, layer, kind, phase)
    largest = scale_of(matrices) if largest is None else checks.number("largest", largest, above=0.0)
    look = Styles(styles, MATRIX, matrix=kwargs)
    first, last = (layer + axis for axis in BY_NAME[kind].axes)
    with axes_or_new(ax) as ax:
        given = look.of("matrix", cmap=DIVERGING, vmin=-largest, vmax=largest, aspect="auto")
        image = ax.imshow(drawable(matrices[when]), **given)
        image.set_visible("matrix" in look)
        ax.set_facecolor(NOTHING)  # shows where there is no number
        if matrices[when].size and max(matrices[when].shape) <= MOST_NUMBERS and "numbers" in look:
            _write_numbers(ax, matrices[when], image, look)
        rows, columns = matrices[when].shape
        ax.set_yticks(_nodes(rows))
        ax.set_xticks(_nodes(columns))
        ax.set_ylabel(f"node of layer {first}")
        ax.set_xlabel(f"node of layer {last}")
        if colorbar and "colorbar" in look:
            what = "change of " if when == "change" else ""
            label = f"{what}${BY_NAME[kind].label(layer)}$"
            ax.figure.colorbar(image, ax=ax, **look.of("colorbar", label=label))
    return ax


@draws(SCATTER)
@of_run
def feedback_scatter(
    run: Run,
    /,
    layer: int,
    *,
    phase: PhaseChoice = None,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Feedback weights :math:`W^l_{ji}` against prediction weights :math:`M^l_{ij}`, a point for each pair.

    Open circles are the weights at the start of the phases, dots those at their end; on the line
    :math:`W = M^\top`.

    Parameters
    ----------
    run : Run
        The run to draw.
    layer : int
        l, 0..n-1.
    phase : int, str or sequence of these, optional
        Index or name of the phases meant; all where left out.
    legend : bool or {"right", "below", "inside"}
        Where to put a legend, if at all. True is above the Axes.
    styles, ax, **kwargs
        As for `weight_matrix`; the keywords go to `Axes.plot`, for the points. The artists are ``before``,
        ``after``, ``transpose`` (the line) and ``legend``.

    Returns
    -------
    matplotlib.axes.Axes
        Weights are dimensionless.

    Raises
    ------
    InputError
        If an option is none of those allowed, feedback is tied, or the run has no such layer or phase.
    """
    check_legend(legend)
    look = Styles(styles, SCATTER, before=kwargs, after=kwargs)
    ends = [_ends(run, layer, kind, phase) for kind in ("M", "W")]
    largest = 1.1 * max(_size(matrix) for pair in ends for matrix in pair) or 1.0
    color = line_style(0, 1)["color"]
    looks: tuple[dict[str, Any], ...] = (
        {
            "label": "before",
            "marker": "o",
            "markerfacecolor": "none",
            "color": NEUTRAL,
            "markeredgewidth": 0.6,
        },
        {"label": "after", "marker": ".", "color": color, "markeredgewidth": 0.0, "markersize": 5.0},
    )
    with axes_or_new(ax) as ax:
        if "transpose" in look:
            line = look.of("transpose", color=NEUTRAL, linewidth=0.8, zorder=0.5)
            ax.axline((0.0, 0.0), slope=1.0, **line)
        for (M, W), given in zip(zip(*ends, strict=True), looks, strict=True):
            name = given["label"]
            if name in look:
                points = {"linestyle": "none", "rasterized": M.size > MOST_POINTS} | given
                ax.plot(drawable(M).ravel(), drawable(W).T.ravel(), **look.of(name, **points))
        ax.set_xlim(-largest, largest)
        ax.set_ylim(-largest, largest)
        ax.locator_params(nbins=4)
        ax.set_xlabel(rf"$M^{{{layer}}}_{{ij}}$")
        ax.set_ylabel(rf"$W^{{{layer}}}_{{ji}}$")
        if "legend" in look:
            above = (
                {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2} if legend is True else {}
            )
            place_legend(ax, legend, **look.of("legend", **above))
    return ax


@draws(ANGLES)
@of_run
def feedback_angle(
    run: Run,
    /,
    layers: Choice = None,
    *,
    phase: PhaseChoice = None,
    log_time: bool = False,
    clock: Clock | None = None,
    legend: LegendPlace = True,
    phase_names: bool = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""Angle between the prediction weights and the transposed feedback weights, against slow time.

    Taken as vectors, :math:`\cos\theta^l = \langle M^l, (W^l)^\top\rangle / (\Vert M^l\Vert \Vert W^l\Vert)`.

    Parameters
    ----------
    run : Run
        The run to draw.
    layers : int or sequence of int, optional
        Links l, 0..n-1; all where left out.
    phase, log_time, clock, legend, phase_names, styles, ax, **kwargs
        As for `weight_norms`; the artists are ``lines``, ``dots``, ``phases``, ``phase_names`` and
        ``legend``.

    Returns
    -------
    matplotlib.axes.Axes
        Angles in degrees, 0 where :math:`W = M^\top`; times in units of the clock.

    Raises
    ------
    InputError
        If an option is none of those allowed, feedback is tied, or the run has no such layer or phase.
    """
    check_flags(phase_names=phase_names)
    check_legend(legend)
    look = Styles(styles, ANGLES, lines=kwargs)
    n = run.network.n
    chosen = choose_layers(run, layers, last=n - 1)
    for layer in chosen:
        _check_link(run, layer, "W")
    axis = TimeAxis.of(run, "weight_time", phase, clock, log_time)
    named = chosen if len(chosen) <= distinct() else (chosen[0], chosen[-1])
    with axes_or_new(ax) as ax:
        for layer in chosen:
            theta = angles(run.data[f"M{layer}"].to_numpy(), run.data[f"W{layer}"].to_numpy())
            t, values = joined(axis.stretches, [theta[s.rows] for s in axis.stretches])
            label = rf"$\theta^{{{layer}}}$" if layer in named else "_nolegend_"
            given = line_style(layer, n) | {"label": label}
            lines = ax.plot(t, values, **look.of("lines", **given)) if "lines" in look else []
            if "dots" in look:
                dot_instants(ax, axis.stretches, lines, continuous=True)
        top = ax.dataLim.y1
        if not top > LEAST_ANGLE:
            top = RIGHT_ANGLE[-1]
            ax.set_yticks(RIGHT_ANGLE)
        ax.set_ylim(-0.04 * top, 1.08 * top)
        finish(ax, axis, r"angle of $W$ to $M^\top$ (degrees)", legend, phase_names, look)
    return ax


def angles(M: Array, W: Array) -> Array:
    """Angle in degrees between M, shape (T, a, b), and the transpose of W, shape (T, b, a), for each T.

    By Kahan's formula, which is exact for small angles too; NaN where one of the two is 0.
    """
    a, b = (_unit(v.reshape(len(v), -1)) for v in (M, W.transpose(0, 2, 1)))
    theta: Array = 2.0 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))
    return np.degrees(theta)


def _unit(v: Array) -> Array:
    """Rows of `v` divided by their norm; NaN where that is 0 or cannot be drawn."""
    v = drawable(v)
    with np.errstate(invalid="ignore", divide="ignore"):
        v = v / np.abs(v).max(axis=1, keepdims=True)
        unit: Array = v / np.linalg.norm(v, axis=1, keepdims=True)
    return unit


def _write_numbers(ax: Axes, matrix: Array, image: AxesImage, look: Styles) -> None:
    """Write each weight of a small matrix where it stands, dark on light and light on dark."""
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            brightness = float(np.dot(image.to_rgba(np.array([value]))[0, :3], LUMA))
            color = "white" if brightness < LIGHT else "black"
            text = look.of("numbers", color=color, ha="center", va="center", fontsize=small_text())
            ax.text(column, row, f"{value:.2g}", **text)


def three_moments(run: Run, layer: int, kind: MatrixKind, phase: PhaseChoice) -> dict[When, Array]:
    """The weights of a link before and after the phases meant, and their change."""
    before, after = _ends(run, layer, kind, phase)
    with np.errstate(over="ignore", invalid="ignore"):
        return {"before": before, "after": after, "change": after - before}


def scale_of(matrices: Mapping[When, Array]) -> float:
    """The weight that has the darkest colour in all `matrices`."""
    return max(_size(matrix) for matrix in matrices.values()) or 1.0


def _check_link(run: Run, layer: int, kind: object) -> None:
    check_word("kind", kind, ("M", "W"))
    if kind == "W" and run.network.feedback == "tied":
        raise InputError("kind", "must be M: with tied feedback W is the transpose of M")
    check_layer("layer", layer, 0, run.network.n - 1)


def _ends(run: Run, layer: int, kind: MatrixKind, phase: PhaseChoice) -> tuple[Array, Array]:
    """The weights of a link at the start of the first and at the end of the last phase meant."""
    _check_link(run, layer, kind)
    rows = np.flatnonzero(np.isin(run.data["weight_phase"].to_numpy(), choose_phases(run, phase)))
    if not rows.size:
        raise InputError("phase", "nothing was saved there; choose a phase that the run reached")
    weights = run.data[f"{kind}{layer}"]
    return weights[rows[0]].to_numpy(), weights[rows[-1]].to_numpy()


def _nodes(count: int) -> Array:
    """Nodes to put a tick at: a few round numbers of 0..count-1."""
    step = next(s for p in range(9) for s in (10**p, 2 * 10**p, 5 * 10**p) if s * MOST_TICKS >= count)
    return np.arange(0, count, step)


def drawable(values: Array) -> Array:
    """`values`, NaN where they are beyond what can be drawn."""
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= LARGEST, values, np.nan)


def _size(values: Array) -> float:
    """The largest size among the values that can be drawn, 0 if there is none."""
    shown = drawable(values)
    return float(np.abs(shown[np.isfinite(shown)]).max(initial=0.0))

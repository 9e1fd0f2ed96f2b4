"""The network itself: nodes coloured by their values, links by their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar

from ..base import checks, units
from ..base.errors import InputError
from ..model.images import image_shape as checked_shape
from ..model.network import Array, Network, Weights
from ..model.variables import EPS, X
from ..run.result import Run
from ..run.select import check_flags, choose_samples, listed, of_run
from ..run.snapshot import PhaseOption, Snapshot, TimeOption
from .diagram import COMPACT, FLATNESS, columns
from .drawing import ARTISTS, KEY_ABOVE, Drawing, Scales, add_bars, link_kinds
from .images import image_shape_of
from .series import LARGEST
from .style import axes_or_new
from .styles import Artists, Styles, StylesOption, draws

# How far beyond their median the values of a run that failed may go and still set its colours.
RUNAWAY = 100.0

KEY: Artists = {"colorbars": Colorbar}


@dataclass(frozen=True)
class Moment:
    """What a drawing shows: the nodes of one sample, and the weights.

    Attributes
    ----------
    x : tuple of ndarray, shapes (n_l,), or None
        Value nodes of the layers 0..n; None where only the network is drawn.
    eps : tuple of ndarray, shapes (n_l,), or None
        Error nodes of the layers 1..n.
    weights : Weights or None
    clamped : tuple of ndarray of bool, shapes (n_l,)
        Which value nodes are clamped.
    title : str
    """

    x: tuple[Array, ...] | None
    eps: tuple[Array, ...] | None
    weights: Weights | None
    clamped: tuple[Array, ...]
    title: str

    @classmethod
    def of(
        cls, run: Run, phase: PhaseOption = None, time: TimeOption = None, sample: int | None = None
    ) -> Moment:
        """The moment of a run; see `network`.

        Raises
        ------
        InputError
            If there is no such phase, time or sample.
        """
        now = Snapshot.of(run, phase, time)
        shown = now.record.samples
        chosen = shown[0] if sample is None else choose_samples(run, sample, (now.index,))[0]
        if chosen not in shown:
            what = f"{chosen} is not shown in {now.record.name!r}, which shows {listed(shown)}; leave it out"
            raise InputError("sample", what)
        row = shown.index(chosen)
        clamped = tuple(
            ~np.isnan(now.phase.clamp_at(layer, 0.0)[row])
            if layer in now.phase.clamp
            else np.zeros(size, bool)
            for layer, size in enumerate(run.network.sizes)
        )
        return cls(
            tuple(x[row] for x in now.state.x),
            tuple(eps[row] for eps in now.state.eps),
            now.state.weights,
            clamped,
            f"{now.record.name}, {clock_text(run, now.t)}, sample {chosen}",
        )


@of_run
def clock_text(run: Run, t: float) -> str:
    """A time of the run in words: in a unit of time if the run has one, else in tau, or delta from one on."""
    tau, delta, unit = run.network.longest_tau, run.network.shortest_delta, run.network.time_unit
    if t == 0.0:
        return "$t$ = 0"
    if unit:
        return f"$t$ = {units.text(float(f'{t:.3g}'), unit)}"
    value, unit = (t / tau, r"\tau") if tau > 0.0 and t < delta else (t / delta, r"\delta")
    return rf"$t$ = {float(f'{value:.3g}'):g} ${unit}$"


@of_run
def scales(run: Run) -> Scales:
    """The largest value, error and weight of a run, for colours that mean the same at all times."""
    n, failed = run.network.n, run.status.failed
    links = [v for v in run.network.weight_variables if len(v.axes) == 2]
    return Scales(
        _largest(run, X.names(n), failed),
        _largest(run, EPS.names(n), failed),
        _largest(run, [name for variable in links for name in variable.names(n)], failed),
    )


@draws(ARTISTS)
@checks.first_is((Run, Network), "a pcode.Run or a pcode.Network")
def network(
    run: Run | Network,
    /,
    *,
    phase: PhaseOption = None,
    time: TimeOption = None,
    sample: int | None = None,
    weights: Weights | None = None,
    feedback: bool | None = None,
    bars: bool = True,
    title: bool = True,
    compact: bool = False,
    image_shape: tuple[int, int] | None = None,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    r"""The network at one moment: nodes coloured by their values, links by their weights.

    Layers stand side by side, layer 0 on the left. Each node is a circle cut in two: the upper
    half is its value :math:`x`, the lower one its error :math:`\varepsilon`; layer 0 has no errors.
    A thick outline marks a clamped value. Lines are weights, the stronger the wider: solid
    for :math:`M`, with which a value predicts the next layer, and dashed beside it for :math:`W`,
    with which an error is fed back. A layer of more than 20 nodes is a block with a row for each node,
    values left and errors right, and its M is a picture with a row for each node of the layer to its left.
    Where layer 0 is known to show images, it is drawn as one, and so are the weights to each node of layer 1.

    Parameters
    ----------
    run : Run or Network
        The run to draw, or a network by itself, whose nodes have no colours.
    phase : int or str, optional
        Index or name of the phase; that of `time`, or the last where left out.
    time : float or str, optional
        In the run's time; the nearest saved one is drawn, and the end of the phase where left out.
    sample : int, optional
        Row of the data; the first that the phase shows where left out.
    weights : Weights, optional
        Of a network by itself; a run has its own.
    feedback : bool, optional
        Whether to draw W; where it is not said, unless it is tied or there are many lines.
    bars : bool
        Whether to put colour bars to the right. Colours mean the same at all times of a run.
    title : bool
        Whether to write phase, time and sample, or the sizes, above.
    compact : bool
        Whether the picture is small: taller than usual for its width, without the names of layers.
    image_shape : tuple of int, optional
        Rows and columns of the images that layer 0 shows; what a run says where left out.
    styles : mapping of str to mapping or bool, optional
        By the name of an artist, keywords of Matplotlib for it, or False to leave it out. There are
        ``values``, ``errors``, ``M`` and ``W`` (lines; the linewidth is that of the strongest),
        ``matrices``, ``frames`` (of images), ``beams``, ``labels``, ``title`` and ``colorbars``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where left out.
    **kwargs
        To `matplotlib.collections.PolyCollection`, for the nodes.

    Returns
    -------
    matplotlib.axes.Axes
        Without ticks. Values, errors and weights are dimensionless.

    Raises
    ------
    InputError
        If an option is none of those allowed, or the run has no such phase, time or sample.
    """
    check_flags(
        bars=bars, title=title, compact=compact, **({} if feedback is None else {"feedback": feedback})
    )
    if isinstance(run, Run):
        if weights is not None:
            raise InputError("weights", "are those of the run; give them with a Network only")
        net, moment, scale = run.network, Moment.of(run, phase, time, sample), scales(run)
        image = image_shape_of(run, image_shape)
    else:
        for where, value in (("phase", phase), ("time", time), ("sample", sample)):
            if value is not None:
                raise InputError(where, "belongs to a run; a network by itself has none")
        net = run
        if weights is not None:
            net.check_weights(weights)
        image = None if image_shape is None else checked_shape(image_shape, net.sizes[0])
        moment = _by_itself(net, weights)
        scale = Scales(1.0, 1.0, _size(() if weights is None else (*weights.M, *weights.feedback)))
    look = Styles(styles, ARTISTS, values=kwargs, errors=kwargs)
    with axes_or_new(ax) as ax:
        W = _draw_feedback(net, feedback)
        cols = columns(net.sizes, COMPACT if compact else FLATNESS, image)
        drawing = Drawing(ax, cols, moment.clamped, scale, W, look, named=not compact)
        drawing.show(moment.x, moment.eps, moment.weights)
        if bars:
            drawing.add_bars(nodes=moment.x is not None)
        if title:
            drawing.add_title(moment.title)
    return ax


@draws(KEY)
@of_run
def network_key(
    run: Run,
    /,
    *,
    feedback: bool | None = None,
    short: bool = False,
    styles: StylesOption = None,
    ax: Axes | None = None,
) -> Axes:
    """Colour bars for several drawings of one run, in an Axes of their own; about half an inch will do.

    Parameters
    ----------
    run : Run
        The run to draw.
    feedback : bool, optional
        As for `network`.
    short : bool
        Whether to leave out which half of a node shows what.
    styles
        As for `network`; the only artist is ``colorbars``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where left out.

    Returns
    -------
    matplotlib.axes.Axes
        Dimensionless values, errors and weights.

    Raises
    ------
    InputError
        If W is asked for where feedback is tied.
    """
    kinds = link_kinds(
        columns(run.network.sizes, image=image_shape_of(run)), _draw_feedback(run.network, feedback)
    )
    with axes_or_new(ax) as ax:
        ax.set_axis_off()
        bars = Styles(styles, KEY)
        add_bars(ax, scales(run), nodes=True, kinds=kinds, y=KEY_ABOVE, short=short, styles=bars)
    return ax


def _by_itself(net: Network, weights: Weights | None) -> Moment:
    clamped = tuple(np.zeros(size, bool) for size in net.sizes)
    return Moment(None, None, weights, clamped, "-".join(map(str, net.sizes)))


def _draw_feedback(net: Network, wanted: bool | None) -> bool | None:
    """Whether to draw W; None for where few lines allow it."""
    if wanted and net.feedback == "tied":
        raise InputError("feedback", "must be false: with tied feedback W is the transpose of M")
    return False if net.feedback == "tied" else wanted


def _largest(run: Run, names: list[str], failed: bool) -> float:
    return _size([run.data[name].to_numpy() for name in names], failed)


def _size(arrays: Any, failed: bool = False) -> float:
    """The largest absolute value, of those that are no runaways where a run failed; 1 where all are 0."""
    sizes = [np.abs(values[np.isfinite(values)]) for values in arrays]
    sizes = [size[size <= LARGEST] for size in sizes]
    largest = max((float(size.max(initial=0.0)) for size in sizes), default=0.0)
    if failed and largest > 0.0:
        usual = float(np.median(np.concatenate([size.ravel() for size in sizes])))
        largest = min(largest, RUNAWAY * usual) if usual > 0.0 else largest
    return largest or 1.0

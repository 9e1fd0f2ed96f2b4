"""A probe of a run beside what it would have seen of the same network trained by backpropagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from ..analysis.result import of_answer
from ..base import units
from ..base.errors import InputError
from ..base.near import hint
from .legends import LegendPlace, check_legend, place_legend
from .style import axes_or_new, line_style
from .styles import Artists, Styles, StylesOption, draws

if TYPE_CHECKING:
    from ..analysis.twin import Twin, TwinCurve

ARTISTS: Artists = {"run": Line2D, "flow": Line2D, "sgd": Line2D, "legend": Legend}

LABELS = {"run": "predictive coding", "flow": "gradient flow", "sgd": "SGD"}

# Curves with no more points than this have a mark for each.
FEW = 25


@draws(ARTISTS)
@of_answer
def twin(
    answer: Twin,
    /,
    probe: str | None = None,
    *,
    legend: LegendPlace = True,
    styles: StylesOption = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """What a probe saw of predictive coding, of gradient flow, and of SGD, against time.

    Parameters
    ----------
    answer : pcode.analysis.twin.Twin
    probe : str, optional
        The name of the probe; by default the first that is one number, an accuracy if there is one.
    legend, styles, ax, **kwargs
        As for `convergence`; the artists are ``run``, ``flow``, ``sgd`` and ``legend``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If an option is none of those allowed, or the answer has no such curve.
    """
    check_legend(legend)
    curve = _chosen(answer, probe)
    look = Styles(styles, ARTISTS, run=kwargs, flow=kwargs, sgd=kwargs)
    unit, name = _unit(answer, curve)
    with axes_or_new(ax) as ax:
        for k, (artist, label) in enumerate(LABELS.items()):
            values = getattr(curve, artist)
            if artist not in look or not np.isfinite(values).any():
                continue
            given: dict[str, Any] = line_style(k, len(LABELS)) | {"label": label}
            if curve.t.size <= FEW:
                given |= {"marker": "o", "markersize": 3.0}
            ax.plot(curve.t / unit, values, **look.of(artist, **given))
        ax.set_xlabel(name)
        of = "" if curve.label in (curve.name, curve.measure) else f", {curve.label}"
        ax.set_ylabel(f"{curve.measure}{of}")
        if curve.measure == "accuracy":
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        if "legend" in look:
            place_legend(ax, legend, **look.of("legend"))
    return ax


def _chosen(answer: Twin, probe: str | None) -> TwinCurve:
    """The curve to draw."""
    known = {curve.name: curve for curve in answer.curves if curve.run.ndim == 1}
    if not known:
        what = "has no curve: the run has no probe of accuracy, loss or error; give simulate one"
        raise InputError("answer", what)
    if probe is None:
        accuracies = [curve for curve in known.values() if curve.measure == "accuracy"]
        return (accuracies or list(known.values()))[0]
    if probe not in known:
        have = ", ".join(known)
        raise InputError("probe", f"there is no curve of {probe!r}; there are {have}{hint(probe, known)}")
    return known[probe]


def _unit(answer: Twin, curve: TwinCurve) -> tuple[float, str]:
    """One unit of the time axis in the run's time, and its label."""
    own = answer.time_unit
    if own.startswith("unit of"):
        return answer.delta, r"time, $t/\delta$"
    name = units.readable(float(curve.t[-1]), own)
    return float(units.converted(1.0, name, own)), f"time, $t$ ({name})"

r"""The network itself, before and after: nodes coloured by their values, links by their weights.

Each node is a circle cut in two: its upper half is the value x, its lower half the error eps, for one
sample of the data; layer 0, on the left, has no errors. Red is positive, blue negative, white zero; grey
means that there is no such number. A thick outline marks a clamped value. Lines between two layers are
weights, the stronger the wider, orange where positive and purple where negative: solid for M, by which a
value predicts the next layer, and, where there are few, dashed beside it for W, by which an error is fed
back. A layer of more than 20 nodes is a block with one row for each node, values on the left and errors on
the right, and its M is a picture with one row for each node of the layer on its left and one column for
each node of the layer on its right. Where layer 0 is known to show images, it is drawn as one, and so are the
weights from it to each node of layer 1. Above, a moment early in a phase: where weights learn, one when the
nodes have had 20 tau to settle and, with delta much larger, the weights have hardly moved; else its start.
Below, its end. Colours mean the same in both.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pcode import InputError, Run, plotting

# Inches; a narrow figure has short names of its colour bars.
WIDTH, NARROW = 7.2, 5.0

SUITS = ("digits", "textbook", "unstable_feedback", "xor")


def figure(
    run: Run,
    time: float | str | list[float | str] | None = None,
    phase: int | str | None = None,
    sample: int | None = None,
    feedback: bool | None = None,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the network at one moment or several, one below the other.

    Parameters
    ----------
    run : Run
    time : float or list of float, optional
        Moments in the run's time; 20 tau after the start of the phase and its end where left out.
    phase : int or str, optional
        Index or name of the phase; the first that learns, or else the last, where left out.
    sample : int, optional
        Row of the data; the first that the phase shows where left out.
    feedback : bool, optional
        Whether to draw W; where it is not said, unless it is tied or there are many lines.
    styles : table
        By the name of an artist of `pcode.plotting.network`, keywords of Matplotlib, or false.
    """
    if time is None:
        chosen, moments = _two_moments(run, phase)
    else:
        chosen, moments = phase, list(np.atleast_1d(time))
    if not 1 <= len(moments) <= MOST:
        raise InputError("time", f"must be 1 to {MOST} moments, not {len(moments)}")
    sizes = [min(size, 16) for size in run.network.sizes]
    height = min(3.0, 1.1 + 0.25 * max(sizes))
    of_network, of_key = plotting.styles_for(styles, plotting.network, plotting.network_key)
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        narrow = width < NARROW
        height = max(height * width / WIDTH, 0.45 * height + 0.5)
        fig = plotting.figure(width, height * len(moments) + KEY)
        *panels, key = fig.subplots(len(moments) + 1, 1, height_ratios=[height] * len(moments) + [KEY])
        for ax, moment in zip(panels, moments, strict=True):
            shown = {"phase": chosen, "time": float(moment), "sample": sample, "feedback": feedback}
            plotting.network(run, bars=False, styles=of_network, ax=ax, **shown)
        plotting.network_key(run, feedback=feedback, short=narrow, styles=of_key, ax=key)
    return fig


MOST = 6
KEY = 0.5


def _two_moments(run: Run, phase: int | str | None) -> tuple[int, list[float]]:
    """A phase, with a time early in it and its end."""
    begun = [k for k in range(len(run.phases)) if k in run.data["phase"].values]
    if phase is None:
        learns = [k for k in begun if run.phases[k].learn]
        chosen = learns[0] if learns else begun[-1] if begun else 0
    else:
        chosen = plotting.choose_phases(run, phase)[-1]
    record = run.phases[chosen]
    start, end = record.t_start, record.t_end
    early = start + 20.0 * run.network.longest_tau if record.learn else start
    return chosen, [min(early, end), end] if end > start else [end]

r"""Settling and learning in a strip of moments: the nullclines drift as the weights learn.

Each column is a moment of one phase; a narrow figure has them in several rows. Above, the plane of two nodes,
for one sample: grey streamlines are their rates, with the weights as they are at that moment, and the colours
are their nullclines, solid where the first node does not move and dashed where the second does not; the
other nodes are at rest for every point of the plane, or held as they are where the text in the corner says
so. Markers are equilibria: circle for a node, square for a focus, diamond for a centre, cross for a saddle,
filled where stable. Dotted is the stable manifold of a saddle, dash-dotted its unstable one. The run so far
is black, from its ring on, what follows is pale, and a yellow dot is the run at that moment; a jump between
two saved times is integrated anew. Within a few tau it falls to the equilibrium; the weights, which move on
the slow time delta, then carry the equilibrium along. Below it, the network at that moment: upper halves of
the circles are values, lower halves errors, thick outlines mark clamped values, and lines are weights M
(dashed: W), the stronger the wider. Layers of more than 20 nodes are strips, and their M a picture. Of a
phase that shows samples one after another one presentation is shown, by default the last that was kept, which
is named.
"""

from __future__ import annotations

import math
from typing import Any

from matplotlib.figure import Figure

from pcode import InputError, Run, plotting

# Inches: of the whole, of one that has room for few words only, and of a column.
WIDTH, NARROW, NARROWEST = 7.2, 5.0, 1.3

SUITS = ("slow_manifold", "timescales", "xor")


def figure(
    run: Run,
    moments: int = 5,
    times: list[float] | None = None,
    x: str | None = None,
    y: str | None = None,
    rest: str | None = None,
    phase: int | str | None = None,
    sample: int | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the phase plane over the network, a column for each moment.

    Parameters
    ----------
    run : Run
    moments : int
        How many, 2 to 6; the first is the phase's start and the last its end.
    times : list of float, optional
        The moments themselves, in the run's time.
    x, y : str, optional
        Coordinates of the plane, such as x1[0] and eps2[0]; two nodes that suit the run where left out.
    rest : {"slaved", "held"}, optional
        Other nodes at rest for every point of the plane, or held as they are.
    phase : int or str, optional
        Index or name of the phase; the first that learns, or else the last, where left out. Of one that
        shows samples one after another one presentation is shown: that of `times`, or the last that was kept.
    sample : int, optional
        Whose nodes the network shows, a row of the data; the first where left out.
    legend : bool or {"right", "below", "inside"}
        Where to put the legend of the planes, if at all; above all where left out.
    styles : table
        By the name of an artist of `pcode.plotting.phase_plane`, keywords of Matplotlib, or false.
    """
    count = moments if times is None else len(times)
    if not 2 <= count <= 6:
        raise InputError("moments" if times is None else "times", f"must be 2 to 6 moments, not {count}")
    if (x is None) is not (y is None):
        raise InputError(
            "y" if y is None else "x", "must be given too, as the other coordinate is; or neither"
        )
    chosen = plotting.film_phase(run, phase)
    plotting.check_in_full(run, chosen)
    run, chosen, _ = plotting.as_phase(run, chosen, times[0] if times else None)
    if x is None or y is None:
        x, y, found = plotting.node_plane(run, chosen)
        rest = rest or found
    rest = rest or "slaved"
    shown = times if times is not None else plotting.film_moments(run, count, chosen, "log")
    window = _window(run, x, y, rest, chosen)
    drawn = {"phase": chosen, "sample": sample, "bars": False, "title": False, "compact": True}
    plain = {"phase": chosen, "rest": rest, "resolution": 41, "marks": False, "legend": False, "note": False}
    with plotting.style():
        width = plotting.figure_width(WIDTH if count > 3 else 1.6 + 1.6 * count)
        columns = min(count, max(1, int(width / NARROWEST)))
        blocks = math.ceil(count / columns)
        tall = _tallness(run, drawn) * (width / columns - 0.2)
        fig = plotting.figure(width, 0.9 + blocks * (width / columns + 0.35 + tall))
        grid = fig.add_gridspec(
            2 * blocks + 1, columns, height_ratios=[width / columns, tall] * blocks + [0.45]
        )
        for k, time in enumerate(shown):
            row, column = 2 * (k // columns), k % columns
            plane, net = fig.add_subplot(grid[row, column]), fig.add_subplot(grid[row + 1, column])
            plotting.phase_plane(run, x, y, time=time, styles=styles, ax=plane, **plain, **window)
            plotting.network(run, time=time, ax=net, **drawn)
            plane.set_title(plotting.moment_text(run, chosen, time))
            plane.locator_params(nbins=4)  # the same in any size, so that the layout leaves room for them
            if column:
                plane.set_ylabel("")
                plane.tick_params(labelleft=False)
            if k == 0 and rest == "held":
                plane.text(0.03, 0.97, "other nodes held", transform=plane.transAxes, va="top",
                           fontsize=plotting.small_text())  # fmt: skip
        if plotting.presentation_name(run, chosen):
            fig.supylabel(plotting.presentation_name(run, chosen))
        plotting.network_key(run, short=width < NARROW, ax=fig.add_subplot(grid[-1, :]))
        entries = {line.get_label(): line for ax in fig.axes for line in ax.get_lines()}
        named = [label for label in entries if not label.startswith("_")]
        plotting.figure_legend(fig, legend, [entries[label] for label in named], named)
    return fig


def _tallness(run: Run, options: dict[str, Any]) -> float:
    """Height of a drawing of the network, for a width of 1."""
    ax = Figure().add_subplot()
    plotting.network(run, ax=ax, **options)
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    return (y1 - y0) / (x1 - x0)


def _window(run: Run, x: str, y: str, rest: str, phase: int) -> dict[str, tuple[float, float]]:
    """One window for all moments: that of the phase's end, which holds the whole of the run."""
    with plotting.style():
        ax = Figure().add_subplot()
        end = plotting.last_finite(run, phase)
        plotting.phase_plane(run, x, y, rest=rest, phase=phase, time=end, resolution=25, ax=ax)
    return {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}

r"""Weights as matrices: before, after, and what has changed.

One row for each link l. From left to right the weights at the start of the run, at its end, and the
difference: a matrix with a row for each node of the one layer and a column for each node of the other.
Where the input layer is known to show images, the weights of its link are one image for each node of
layer 1, side by side and row by row. Blue is negative, red positive, white 0, grey no number; the three
share the scale of the colour bar. Next to them each feedback weight W^l_ji against its counterpart
M^l_ij, before (open circles) and after (dots); on the grey line W is the transpose of M. At the bottom
the angle between M^l and the transposed W^l, taken as vectors, against time in units of delta (ms or s
where the run has a unit), the time constant of the weights: 0 degrees where they are parallel, 90 where
they have nothing to do with each other. Vertical lines mark where a phase ends and the next begins. Where
W is the transpose of M at all times, a line says so in place of scatter and angle; where weights are
held, their end and change are left out. Of a network with more than four links, some are shown; nodes are
counted from 0.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pcode import Run, plotting

# Inches; in a narrow figure the scatters stand below the matrices.
WIDTH, NARROW = 7.2, 5.0

SUITS = ("alignment", "digits")


def figure(
    run: Run,
    layers: int | list[int] | None = None,
    kind: str = "M",
    phase: int | str | list[int | str] | None = None,
    log_time: bool = False,
    clock: str | None = None,
    legend: plotting.LegendPlace = True,
) -> Figure:
    """Draw the matrices of every link, scatter and angle of W and M, a row for each link.

    Parameters
    ----------
    run : Run
    layers : int or list of int, optional
        The links l to draw, 0..n-1.
    kind : {"M", "W"}
        Prediction or feedback weights as matrices.
    phase : int, str or list of these, optional
        Index or name of the phases from whose start to whose end to go.
    log_time : bool
        Whether every phase has a logarithmic time axis of its own.
    clock : {"delta", "tau", "time"} or str, optional
        Unit of the time axis; see `value_nodes`.
    legend : bool or {"right", "below", "inside"}
        Where to put the legends of scatter and angle, if at all.
    """
    plotting.check_extent(run, phase)
    shown = plotting.choose_layers(run, layers, last=run.network.n - 1, most=4)
    apart = plotting.departure_from_transpose(run, phase, shown)
    compared = not apart <= ROUNDING  # nor where it is no number
    learned = any(run.phases[k].learn for k in plotting.choose_phases(run, phase))
    moments = ("before", "after", "change") if learned else ("before",)
    images = plotting.image_shape_of(run) is not None
    with plotting.style():
        scatters = compared and plotting.figure_width(WIDTH) >= NARROW
        widths = [1.0] * len(moments) + [0.06] + [1.2] * scatters
        heights = [1.4 if images and link == 0 else 1.0 for link in shown]
        rows = [sum(heights)] + [1.0] * compared + [1.0] * (compared and not scatters)
        fig = plotting.figure(max(4.8, 1.3 * sum(widths) + 0.7), 1.7 * sum(rows) + 0.3)
        parts = fig.add_gridspec(len(rows), 1, height_ratios=rows)
        grid = parts[0].subgridspec(len(shown), len(widths), width_ratios=widths, height_ratios=heights)
        beside = None if scatters else parts[1].subgridspec(1, max(2, len(shown))) if compared else None
        for row, link in enumerate(shown):
            panels = [fig.add_subplot(grid[row, column]) for column in range(len(widths))]
            _matrices(run, link, kind, moments, panels[: len(moments) + 1], phase, images and link == 0)
            if not scatters and plotting.figure_width(WIDTH) < NARROW:
                for ax in panels[: len(moments)][::2]:  # one label has the room of three
                    ax.set_xlabel("")
            if row == 0:
                for ax, moment in zip(panels, moments, strict=False):
                    ax.set_title(moment if learned else "weights, held")
            if compared:
                ax = panels[-1] if beside is None else fig.add_subplot(beside[row])
                plotting.feedback_scatter(run, link, phase=phase, legend=row == 0 and legend, ax=ax)
        if compared:
            ax = fig.add_subplot(parts[-1])
            time = {"phase": phase, "log_time": log_time, "clock": clock, "legend": legend}
            plotting.feedback_angle(run, list(shown), ax=ax, **time)
        else:
            fig.supxlabel(_alike(run, apart), fontsize=plotting.small_text())
    return fig


# W is M^T where no entry differs by more than this part of the largest weight.
ROUNDING = 1e-6


def _alike(run: Run, apart: float) -> str:
    """Why there is no scatter and no angle."""
    if run.network.feedback == "tied":
        return r"$W = M^\top$ at all times: feedback is tied"
    to = "exactly" if apart == 0.0 else rf"to {apart:.0e} of the largest weight"
    return rf"$W = M^\top$ at all times, {to}: the angle between them is 0"


def _matrices(
    run: Run,
    link: int,
    kind: str,
    moments: tuple[str, ...],
    panels: list[Axes],
    phase: object,
    images: bool,
) -> None:
    """Draw the weights of a link at these moments, with one colour bar for all in the last panel."""
    *matrices, bar = panels
    for ax, when in zip(matrices, moments, strict=True):
        if images:
            plotting.receptive_fields(run, kind, when, phase=phase, colorbar=False, ax=ax)
        else:
            plotting.weight_matrix(run, link, kind, when, phase=phase, colorbar=False, ax=ax)
        if ax is not matrices[0]:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
    # As many ticks whatever the height, which the layout is still to find.
    ticks = MaxNLocator(5, symmetric=True)
    bar.figure.colorbar(matrices[-1].images[0], cax=bar, label=f"${kind}^{{{link}}}$", ticks=ticks)

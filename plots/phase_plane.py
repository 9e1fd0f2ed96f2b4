r"""The phase plane of two unknowns of a run: flow, nullclines, equilibria and the run itself.

Grey streamlines are the rates of the two coordinates, broader where these are fast (by the logarithm of
the speed); colours are their nullclines, every branch in the window: solid where the first coordinate
does not move, dashed where the second does not. Where both are still every equilibrium in the window has
a marker of its kind (circle: node, square: focus, diamond: centre, cross: saddle), filled where it is
stable in the plane; the legend says where it is not so once all nodes are free. Where both nullclines are
one, on the broad grey curve, every point is an equilibrium. Dotted is the stable manifold of a saddle,
the border between two basins, dash-dotted its unstable one. The black line is the run, projected onto the
plane from its ring on, with dots at round times since the phase's start in the run's unit of time, or
else in units of tau, or of delta where a weight is a coordinate. The line over each panel says what
became of all other unknowns: nodes are at rest for every point of the plane, or held, as other weights
are, at their values of a moment; where that is not the end of the phase, a yellow dot shows the run at
that moment and what follows is pale. Nodes have several equilibria where a nullcline folds back; those at
rest are in the one that they reach from where they were at that moment, so that a run in another crosses
the streamlines. With several `times` the rest is followed along the run, a panel for each, and the flow
is that of the moment. Of a phase that shows samples one after another one presentation is shown, by
default the last that was kept, which is named.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pcode import InputError, Run, plotting

# Inches below which there are two panels side by side at most.
NARROW = 5.0

SUITS: dict[str, dict[str, object]] = {
    "slow_manifold": {"x": "M0[0,0]", "y": "x1[0]", "times": 4474.0},  # in the fold
    "textbook": {},
    "timescales": {},
    "unstable_feedback": {},
    "xor": {},
}


def figure(
    run: Run,
    x: str | None = None,
    y: str | None = None,
    rest: str | dict[str, str] | None = None,
    phase: int | str | None = None,
    times: float | str | list[float | str] | None = None,
    xlim: list[float] | None = None,
    ylim: list[float] | None = None,
    resolution: int | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the phase plane of two coordinates.

    Parameters
    ----------
    run : Run
    x, y : str, optional
        The coordinates, such as x1[0] and eps1[0] (nodes), x1[0,3] (of sample 3), M0[2,1] and beta1[0]
        (weights), pc1 and pc2 (principal components of a sample's nodes), wpc1 and wpc2 (of the
        weights), mode1 and mode2 (eigenvectors of the nodes at rest); two that suit the run where both
        are left out.
    rest : {"slaved", "held"} or table of these by array, optional
        Other nodes at rest for every point of the plane, or held as they were; slaved where left out and
        possible.
    phase : int or str, optional
        Index or name of the phase.
    times : float, str or list of these, optional
        Moments whose values are held, in the run's time, a panel for each; the phase's end where left out.
    xlim, ylim : two floats, optional
        The window.
    resolution : int, optional
        Points along a side of the grid on which nullclines are sought.
    legend : bool or {"right", "below", "inside"}
        Where to put the legend, if at all.
    styles : table
        By the name of an artist of `pcode.plotting.phase_plane`, keywords of Matplotlib, or false.
    """
    if (x is None) is not (y is None):
        raise InputError(
            "y" if y is None else "x", "must be given too, as the other coordinate is; or neither"
        )
    if x is None or y is None:
        chosen = plotting.telling_plane(run, phase)
        x, y, phase = chosen.x, chosen.y, chosen.phase
        rest = rest or chosen.rest
    rest = rest or ("held" if x.startswith(("pc", "mode")) else "slaved")
    moments = times if isinstance(times, list) else [times]
    if not 1 <= len(moments) <= 6:
        raise InputError("times", f"must be one to six moments, not {len(moments)}")
    with plotting.style():
        alone = len(moments) == 1
        width = plotting.figure_width(6.0 if alone else 2.1 + 2.5 * min(len(moments), 3))
        columns = min(len(moments), 3 if width >= NARROW else 2)
        rows = -(-len(moments) // columns)
        panel = width / columns
        height = 3.7 if alone and width >= NARROW else 0.6 + (0.95 if alone else 0.85) * panel * rows
        fig = plotting.figure(width, height)
        panels = fig.subplots(rows, columns, squeeze=False).ravel()
        window = {"xlim": xlim, "ylim": ylim}
        for ax, moment in zip(panels, moments, strict=False):
            plotting.phase_plane(
                run, x, y, rest=rest, phase=phase, time=moment, resolution=resolution, note=alone,
                legend=legend if alone else False, styles=styles, ax=ax, **window,
            )  # fmt: skip
            window = {"xlim": list(ax.get_xlim()), "ylim": list(ax.get_ylim())}
            if moment is not None and not alone:
                t = run.network.time("times", moment)
                ax.set_title(f"t = {plotting.time_text(t, run.network.time_unit)}")
        for ax in panels[len(moments) :]:
            ax.set_axis_off()
        if not alone:
            _finish(fig, list(panels[: len(moments)]), columns, legend)
    return fig


def _finish(fig: Figure, panels: list[Axes], columns: int, legend: plotting.LegendPlace) -> None:
    """One legend for all panels, and labels at the outer ones only."""
    entries = {}
    for k, ax in enumerate(panels):
        entries |= {line.get_label(): line for line in ax.get_lines() if line.get_label()[0] != "_"}
        ax.set_ylabel("" if k % columns else ax.get_ylabel())
        ax.set_xlabel("" if k + columns < len(panels) else ax.get_xlabel())
    plotting.figure_legend(fig, legend, list(entries.values()), list(entries))

r"""Settling and learning in a strip of moments: the nullclines drift as the weights learn.

Each column is a moment of one phase. Above, the plane of two nodes, for one sample: grey streamlines are
their rates, with the weights as they are at that moment, and the colours are their nullclines, solid where
the first node does not move and dashed where the second does not; the other nodes are at rest for every
point of the plane, or held as they are where the text in the corner says so. Markers are equilibria: circle
for a node, square for a focus, diamond for a centre, cross for a saddle, filled where stable. The run so
far is black, from its ring on, what follows is pale, and a yellow dot is the run at that moment. Within a
few tau it falls to the equilibrium; the weights, which move on the slow time delta, then carry the
equilibrium along. Below, the network at that moment: upper halves of the circles are values, lower halves
errors, thick outlines mark clamped values, and lines are weights M (dashed: W), the stronger the wider.
Layers of more than 20 nodes are strips, and their M a picture.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import InputError, Run, plotting

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
        Index or name of the phase; the first that learns, or else the last, where left out.
    sample : int, optional
        Whose nodes the network shows, a row of the data; the first where left out.
    """
    count = moments if times is None else len(times)
    if not 2 <= count <= 6:
        raise InputError("moments" if times is None else "times", f"must be 2 to 6 moments, not {count}")
    if (x is None) is not (y is None):
        raise InputError(
            "y" if y is None else "x", "must be given too, as the other coordinate is; or neither"
        )
    chosen = plotting.film_phase(run, phase)
    if x is None or y is None:
        x, y, found = plotting.node_plane(run, chosen)
        rest = rest or found
    rest = rest or "slaved"
    shown = times if times is not None else plotting.film_moments(run, count, chosen, "log")
    window = _window(run, x, y, rest, chosen)
    with plotting.style():
        fig = Figure(figsize=(1.6 + 1.6 * count, 4.4), layout="constrained")
        grid = fig.add_gridspec(3, count, height_ratios=[2.2, 1.5, 0.5])
        for k, time in enumerate(shown):
            plane, net = fig.add_subplot(grid[0, k]), fig.add_subplot(grid[1, k])
            plotting.phase_plane(run, x, y, rest=rest, phase=chosen, time=time, resolution=41, marks=False,
                                 legend=False, note=False, ax=plane, **window)  # fmt: skip
            plotting.network(run, phase=chosen, time=time, sample=sample, bars=False, title=False,
                             compact=True, ax=net)  # fmt: skip
            plane.set_title(plotting.moment_text(run, chosen, time))
            plane.locator_params(nbins=4)  # the same in any size, so that the layout leaves room for them
            if k:
                plane.set_ylabel("")
                plane.tick_params(labelleft=False)
            elif rest == "held":
                plane.text(0.03, 0.97, "other nodes held", transform=plane.transAxes, va="top", fontsize=6)
        plotting.network_key(run, ax=fig.add_subplot(grid[2, :]))
        entries = {line.get_label(): line for ax in fig.axes for line in ax.get_lines()}
        named = [label for label in entries if not label.startswith("_")]
        fig.legend([entries[label] for label in named], named, loc="outside upper center", ncols=5)
    return fig


def _window(run: Run, x: str, y: str, rest: str, phase: int) -> dict[str, tuple[float, float]]:
    """One window for all moments: that of the phase's end, which holds the whole of the run."""
    with plotting.style():
        ax = Figure().add_subplot()
        end = plotting.last_finite(run, phase)
        plotting.phase_plane(run, x, y, rest=rest, phase=phase, time=end, resolution=25, ax=ax)
    return {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}

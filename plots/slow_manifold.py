r"""Fast onto the critical manifold, slow along it, and over its folds.

Broad grey curves are the critical manifold: the equilibria of the nodes of one sample over one weight,
solid where they are stable and dashed where not; diamonds are folds, where a stable branch ends, and
triangles places where an oscillation sets in. Other weights are held at their values of the moment that
the line over the panel names. As they move too, the dotted curve shows where the node would rest for all
weights of the run: that is what the trajectory falls onto. First, the run from its ring on, integrated
anew so that jumps are seen: thin and red where it is fast, broad and blue where it is slow, that is
slower, in units of the window, than 1/sqrt(tau delta); dots are times since the phase's start, in the
run's unit of time, or else in units of tau or delta. Second, the same for several delta/tau, broad where
slow and thin where fast: the larger it is, the more closely the trajectory keeps to the manifold, up to
its folds. Where weights are held, or a network has more than 3,000 unknowns, there is no second panel,
and such a network shows its saved times. Of a phase that shows samples one after another one
presentation is shown, by default the last that was kept, which is named.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from pcode import InputError, Run, plotting

# Inches; in a narrow figure one panel stands over the other.
WIDTH, NARROW = 7.2, 5.0

SUITS = ("slow_manifold", "timescales")


def figure(
    run: Run,
    weight: str | None = None,
    node: str | None = None,
    ratios: list[float] | None = None,
    phase: int | str | None = None,
    time: float | str | None = None,
    limits: list[float] | None = None,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw the critical manifold with the run, and with trajectories at several delta/tau.

    Parameters
    ----------
    run : Run
    weight, node : str, optional
        Such as M0[0,0] and x1[0]; the prediction weight that moves most, and a node that depends on it,
        where left out.
    ratios : list of float, optional
        delta/tau of the trajectories on the right, five at most; three below the run's own where left out.
    phase : int or str, optional
        Index or name of the phase; the last that learns where left out.
    time : float or str, optional
        The moment whose other weights are held, in the run's time; the phase's end where left out.
    limits : two floats, optional
        Ends of the weight's axis.
    legend : bool or {"right", "below", "inside"}
        Where to put the legend, if at all; above both panels where left out.
    styles : table
        By the name of an artist of `pcode.plotting.slow_manifold`, keywords of Matplotlib, or false.
    """
    network = run.network
    own = min(network.deltas) / network.longest_tau if not network.limit else 1e4
    asked = ratios or [own / 100.0, own / 10.0, own]
    manifold = plotting.critical_manifold(run, weight, node, phase=phase, time=time, limits=limits)
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        side_by_side = width >= NARROW
        fig = plotting.figure(width, 3.6 if side_by_side else 5.2)
        left, right = fig.subplots(*((1, 2) if side_by_side else (2, 1)), sharex=True)
        plain = {"manifold": manifold, "legend": False, "styles": styles}
        plotting.slow_manifold(run, **plain, ax=left)
        try:
            plotting.slow_manifold(run, **plain, ratios=asked, note=False, ax=right)
        except InputError as error:
            if ratios is not None or error.where != "ratios":
                raise
            fig.delaxes(right)
            left.set_subplotspec(fig.add_gridspec(1, 1)[0])
            panels = [left]
        else:
            (right.set_ylabel if side_by_side else left.set_xlabel)("")
            low, high = zip(left.get_ylim(), right.get_ylim(), strict=True)
            for ax in (left, right):
                ax.set_ylim(min(low), max(high))
            panels = [left, right]
        entries = {}
        for ax in panels:
            entries |= {line.get_label(): line for line in ax.get_lines() if line.get_label()[0] != "_"}
        plotting.figure_legend(fig, legend, list(entries.values()), list(entries))
    return fig

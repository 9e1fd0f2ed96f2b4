r"""What the probes of a run saw, against slow time: learning curves.

A panel for each kind of probe. Accuracy, loss and error are those of the feedforward pass of the weights as
they are at that moment, on samples that the legend names. Energies are F, summed over layers. The angle of
the flow of M is that between what moves the weights from layer l to l + 1 with the nodes as they are, and
minus the gradient of the loss of the samples then shown, backpropagation's; its size is that of nu^n times
the first over the second; both are there only while both ends are held. The angle between W and the transpose
of M says how far the feedback is from backpropagation's. Each of these has a curve for each link M^l.
Functions of one's own have a panel each. Time is in units of delta, the time constant of the weights (in ms
or s where the run has a unit), and vertical lines mark where a phase of the run ends and the next begins;
where samples are shown in turn, the scale below counts presentations, or passes through all samples. A curve
with few values has a mark for each. Losses, energies, sizes and norms are on a logarithmic axis where they
span more than a decade or so after the first hundredth of the time. Probes with fewer than three values are
left out where there are others. With the option twin, panels of accuracy, loss and error also have the curves
of the same network trained by backpropagation from the same samples: by the gradient flow of its loss, and by
SGD with one step a presentation.
"""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from pcode import Run, analysis, plotting
from pcode.analysis.twin import Twin

# Inches; a figure that is not narrow has panels in two columns where there are more than three.
WIDTH, NARROW = 6.9, 5.0


def figure(
    run: Run,
    probes: str | list[str] | None = None,
    phase: int | str | list[int | str] | None = None,
    log_time: bool = False,
    log_y: bool | None = None,
    clock: str | None = None,
    presentations: bool = True,
    twin: bool = False,
    legend: plotting.LegendPlace = True,
    styles: plotting.StylesOption = None,
) -> Figure:
    """Draw a panel for each kind of probe.

    Parameters
    ----------
    run : Run
    probes : str or list of str, optional
        Names of the probes to draw; all where left out.
    phase : int, str or list of these, optional
        Index or name of the phases to draw.
    log_time : bool
        Whether every phase has a logarithmic time axis of its own.
    log_y : bool, optional
        Whether values have a logarithmic axis; as suits each panel where left out.
    clock : {"delta", "tau", "time"} or str, optional
        Unit of the time axis; by default the run's own where it has one, else delta.
    presentations : bool
        Whether to count presentations or passes below, where there are any.
    twin : bool
        Whether to draw what the same network learns by backpropagation, see `pcode.twin`.
    legend : bool or {"right", "below", "inside"}
        Where to put legends, if at all; inside the panels where it is not said.
    styles : table
        By the name of an artist of `pcode.plotting.learning_curve`, keywords of Matplotlib, or false.
    """
    wanted = [probes] if isinstance(probes, str) else probes
    groups = plotting.probe_groups(run, wanted)
    answer = analysis.ask(run, "twin") if twin else None
    options = {"phase": phase, "log_time": log_time, "log_y": log_y, "clock": clock}
    options |= {"legend": "inside" if legend is True else legend}
    with plotting.style():
        width = plotting.figure_width(WIDTH)
        columns = 1 if width < NARROW or len(groups) < 4 else 2
        rows = math.ceil(len(groups) / columns)
        fig = plotting.figure(width, 0.7 + (1.55 if width >= NARROW else 1.25) * rows)
        axes = fig.subplots(rows, columns, sharex=True, squeeze=False)
        for k, group in enumerate(groups):
            ax = axes[k // columns, k % columns]
            lowest = k + columns >= len(groups)
            names, count = k < columns, presentations and k // columns == rows - 1
            given = options | {"phase_names": names, "presentations": count, "styles": styles}
            if isinstance(answer, Twin) and len(group) == 1:
                given |= {"others": answer.others(group[0]), "called": "predictive coding"}
            plotting.learning_curve(run, group, ax=ax, **given)
            ax.tick_params(labelbottom=lowest)
            ax.set_xlabel(ax.get_xlabel() if lowest else "")
        for k in range(len(groups), rows * columns):
            axes[k // columns, k % columns].remove()
    return fig

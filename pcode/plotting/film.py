"""A phase of a run as moving pictures: the phase plane, the energy and the network, frame by frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.planes.choice import ChosenPlane, last_finite, plane_of_nodes
from ..analysis.planes.plane import PhasePlane
from ..analysis.planes.plane import phase_plane as compute
from ..base.errors import InputError
from ..model.network import Array
from ..run.result import Run
from ..run.select import check_in_full
from ..run.snapshot import as_phase
from .clock import TimeAxis
from .diagram import columns
from .drawing import ARTISTS as NETWORK
from .drawing import Drawing, add_bars
from .energies import energy
from .images import image_shape_of
from .moments import film_phase, moment_text
from .network import Moment, scales
from .phase_plane import ARTISTS, draw_plane
from .style import NEUTRAL, style
from .styles import Styles

# Points along a side of the grid on which each frame seeks its nullclines.
RESOLUTION = 41

# Inches; 864 x 480 dots, even as films need them.
SIZE, DPI = (7.2, 4.0), 120


def _last_plane(run: Run, plane: ChosenPlane) -> PhasePlane:
    """A plane at the phase's end, or, of a run that diverged, at the last moment when all was finite."""
    end = last_finite(run, plane.phase)
    return compute(run, plane.x, plane.y, rest=plane.rest, phase=plane.phase, time=end, resolution=RESOLUTION)


class Film:
    """A figure that shows one moment of a phase after another.

    Parameters
    ----------
    run : Run
    x, y : str, optional
        Coordinates of the phase plane, see `phase_plane`; two nodes that suit the run where left out.
    rest : {"slaved", "held"}, optional
        Other nodes at rest for every point of the plane, or held at their values of the moment.
    phase : int or str, optional
        The first that learns, or else the last, where left out. Of one that shows samples one after another
        it is the last presentation that was kept.
    sample : int, optional
        Whose nodes the network shows, a row of the data; the first where left out.

    Raises
    ------
    InputError
        If there is no such coordinate, phase or sample, or no time passed in the phase.
    """

    def __init__(
        self,
        run: Run,
        x: str | None = None,
        y: str | None = None,
        rest: Literal["slaved", "held"] | None = None,
        phase: int | str | None = None,
        sample: int | None = None,
    ) -> None:
        if (x is None) is not (y is None):
            what = "must be given too, as the other coordinate is; or neither"
            raise InputError("y" if y is None else "x", what)
        chosen_phase = film_phase(run, phase)
        check_in_full(run, chosen_phase, "phase")
        run, self.phase, _ = as_phase(run, chosen_phase)
        self.run, self.sample = run, sample
        if x is None or y is None:
            chosen = plane_of_nodes(run, self.phase)
            self._plane = chosen if rest is None else chosen._replace(rest=rest)
        else:
            rest = rest or ("held" if x.startswith(("pc", "mode")) else "slaved")
            self._plane = ChosenPlane(x, y, rest, self.phase)
        last = _last_plane(run, self._plane)
        self._window = {"xlim": (last.x[0], last.x[-1]), "ylim": (last.y[0], last.y[-1])}
        self._last = last
        with style():
            self.figure = Figure(figsize=SIZE, dpi=DPI)
            self.figure.set_layout_engine("none")
            self._build()

    def _build(self) -> None:
        """Lay the figure out by hand: frames must not shift."""
        run, net = self.run, self.run.network
        now = Moment.of(run, self.phase, sample=self.sample)
        self._left = self.figure.add_axes((0.11, 0.27, 0.38, 0.60))
        above = self.figure.add_axes((0.64, 0.62, 0.34, 0.27))
        log_time = not net.limit
        energy(run, "slaved", phase=self.phase, log_time=log_time, legend=False, phase_names=False, ax=above)
        self._unit = TimeAxis.of(run, "time", self.phase, None, log_time).unit
        above.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, fontsize=6, columnspacing=1.0)
        above.set_ylabel("energy $F$\n(errors at rest value)", fontsize=7)
        self._clock = above.axvline(0.0, color="#D55E00", linewidth=1.2, gid="now")
        below, key = (
            self.figure.add_axes((0.575, 0.2, 0.395, 0.27)),
            self.figure.add_axes((0.56, 0.0, 0.43, 0.1)),
        )
        cols, look = columns(net.sizes, image=image_shape_of(run)), Styles(None, NETWORK)
        self._drawing = Drawing(below, cols, now.clamped, scales(run), None, look)
        key.set_axis_off()
        add_bars(key, scales(run), nodes=True, kinds=self._drawing.kinds, y=0.28, short=True)

    def show(self, time: float) -> None:
        """Draw the moment of the phase at `time`, in the run's time."""
        run = self.run
        with style():
            now = Moment.of(run, self.phase, time, self.sample)
            self._drawing.show(now.x, now.eps, now.weights)
            self._clock.set_xdata([time / self._unit, time / self._unit])
            self._left.clear()
            # Ticks are made when they are drawn, where the style may be another.
            self._left.tick_params(labelsize=7, width=0.6, length=3.0)
            self._show_plane(time)
            record = run.phases[self.phase]
            since = moment_text(run, self.phase, time)
            self.figure.suptitle(f"{record.name}: {since}", x=0.02, y=0.97, ha="left")

    def _show_plane(self, time: float) -> None:
        ax, plane = self._left, self._plane
        try:
            given: dict[str, Any] = {
                "phase": self.phase,
                "time": time,
                "resolution": RESOLUTION,
                "finer": False,
                **self._window,
            }
            computed = compute(self.run, plane.x, plane.y, rest=plane.rest, **given)
            computed = replace(computed, times=self._last.times, trajectory=self._last.trajectory)
        except InputError as error:
            ax.text(0.5, 0.5, "no plane at this moment", ha="center", transform=ax.transAxes, color=NEUTRAL)
            ax.set_xlabel(str(error.where))
            ax.set_xticks([])
            ax.set_yticks([])
            return
        draw_plane(
            ax,
            computed,
            trajectory=True,
            mark=True,
            marks=False,
            legend=False,
            note=False,
            look=Styles(None, ARTISTS),
        )
        ax.yaxis.set_label_coords(-0.17, 0.5)
        others = "other nodes at rest" if plane.rest == "slaved" else "other nodes held"
        ax.set_title(f"{others}, weights as they are now", fontsize=7, loc="left", color="0.3")
        handles: dict[str, Any] = {}
        for line in ax.get_lines():
            if isinstance(line, Line2D) and not str(line.get_label()).startswith("_"):
                handles.setdefault(str(line.get_label()), line)
        ax.legend(handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(-0.12, -0.2), ncols=2,
                  fontsize=6)  # fmt: skip

    def pixels(self) -> Array:
        """The figure as it stands, shape (height, width, 3), bytes."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(self.figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]

"""A phase of a run as moving pictures: the phase plane, the energy and the network, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.planes.plane import PhasePlane
from ..analysis.planes.plane import phase_plane as compute
from ..base.errors import InputError
from ..model.network import Array
from ..run.result import Run
from ..run.select import check_extent, choose_phases, of_run
from ..run.snapshot import last_phase
from .diagram import columns
from .drawing import Drawing, add_bars
from .energies import energy
from .network import Moment, clock_text, scales
from .phase_plane import draw_plane
from .series import LARGEST
from .style import NEUTRAL, style

# The part of the frames in which nodes settle, from 0.1 tau to 20 tau, logarithmically.
SETTLING = 0.3
FIRST, SETTLED = 0.1, 20.0

# Points along a side of the grid on which each frame seeks its nullclines.
RESOLUTION = 41

# Inches; 864 x 480 dots, even as films need them.
SIZE, DPI = (7.2, 4.0), 120


@dataclass(frozen=True)
class Plane:
    """Two coordinates of nodes, and what becomes of the other nodes."""

    x: str
    y: str
    rest: Literal["slaved", "held"]


@of_run
def film_phase(run: Run, phase: int | str | None = None) -> int:
    """Index of the phase to show: the one meant, or the first that learns, or else the last begun.

    Raises
    ------
    InputError
        If there is no such phase, or no time passed in it.
    """
    if phase is not None:
        chosen = choose_phases(run, phase)[-1]
    else:
        begun = sorted(set(run.data["phase"].to_numpy().tolist()))
        learns = [k for k in begun if run.phases[k].learn]
        chosen = int((learns or begun[-1:] or [last_phase(run) or 0])[0])
    check_extent(run, chosen)
    return chosen


@of_run
def film_moments(
    run: Run, count: int, phase: int | str | None = None, slow: Literal["linear", "log"] = "linear"
) -> list[float]:
    """Saved times of a phase that tell it in `count` pictures, in the run's time.

    The first is the phase's start, and the last its end. Where its weights learn, nearly a third of those
    between are spread over the logarithm of time, up to 20 tau, so that the fast settling of the
    nodes is seen; the others evenly over slow time, or, for a few pictures, over its logarithm. Where nothing
    learns all are spread over the logarithm.

    Parameters
    ----------
    run : Run
    count : int
        2 at least. Where few times are saved some come twice.
    phase : int or str, optional
        The first that learns, or else the last, where left out.
    slow : {"linear", "log"}

    Raises
    ------
    InputError
        If there is no such phase, or no time passed in it.
    """
    chosen = film_phase(run, phase)
    record, tau = run.phases[chosen], run.network.tau
    times = run.data["time"].to_numpy()[run.data["phase"].to_numpy() == chosen]
    length = float(times[-1] - times[0])
    settled = min(SETTLED * tau, length)
    between = count - 1
    if not record.learn and tau > 0.0:
        wanted = np.geomspace(min(FIRST * tau, 0.1 * length), length, between)
    elif settled == 0.0 or settled >= 0.5 * length:
        wanted = np.linspace(0.0, length, count)[1:]
    else:
        spread = np.geomspace if slow == "log" else np.linspace
        fast = max(1, round(SETTLING * between))
        early = np.geomspace(min(FIRST * tau, 0.5 * settled), settled, fast)
        if fast == 1:
            early = np.array([settled])
        wanted = np.concatenate([early, spread(settled, length, between - fast + 1)[1:]])
    since = times - times[0]
    rows = [0, *(int(np.abs(since - t).argmin()) for t in wanted)]
    return [float(times[row]) for row in rows]


@of_run
def moment_text(run: Run, phase: int, time: float) -> str:
    """A time of the run in words, counted from the start of a phase, in tau or delta.

    Parameters
    ----------
    run : Run
    phase : int
        Index of the phase.
    time : float
        In the run's time.
    """
    return clock_text(run, time - run.phases[phase].t_start)


@of_run
def node_plane(run: Run, phase: int | str | None = None) -> tuple[str, str, str]:
    """Two nodes in whose plane the nullclines drift as weights learn, and what becomes of the other nodes.

    The two value nodes of the last hidden layer that move most, for the first sample, or the only one
    and the error above it, with the other nodes at rest for every point of the plane; in large networks the
    node that moves most and its own error, the others held.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        The first that learns, or else the last, where left out.

    Returns
    -------
    x, y : str
        For `phase_plane`.
    rest : {"slaved", "held"}

    Raises
    ------
    InputError
        If no two nodes suit, or there is no such phase.
    """
    plane, _ = _first_plane(run, film_phase(run, phase))
    return plane.x, plane.y, plane.rest


def _first_plane(run: Run, phase: int) -> tuple[Plane, PhasePlane]:
    """The first plane that can be computed, as it is at the phase's end."""
    for plane in _candidates(run, phase):
        try:
            return plane, _last_plane(run, plane, phase)
        except InputError:
            continue
    what = "no plane of two nodes suits this run by itself; name two, such as x1[0] and eps1[0]"
    raise InputError("x", what)


def _last_plane(run: Run, plane: Plane, phase: int) -> PhasePlane:
    """A plane at the phase's end, or, of a run that went astray, at the last moment when all was finite."""
    end = last_finite(run, phase)
    return compute(run, plane.x, plane.y, rest=plane.rest, phase=phase, time=end, resolution=RESOLUTION)


@of_run
def last_finite(run: Run, phase: int) -> float:
    """The last saved time of a phase at which all its nodes are finite; its end where there is none.

    Parameters
    ----------
    run : Run
    phase : int
        Index of the phase.
    """
    rows = np.flatnonzero(run.data["phase"].to_numpy() == phase)
    samples = slice(len(run.phases[phase].samples))
    names = [f"x{k}" for k in range(run.network.n + 1)] + [f"eps{k}" for k in range(1, run.network.n + 1)]
    finite = np.ones(rows.size, bool)
    for name in names:
        nodes = run.data[name].isel(time=rows, sample=samples).to_numpy()
        with np.errstate(invalid="ignore"):
            finite &= (np.abs(nodes) <= LARGEST).all(axis=(1, 2))
    chosen = rows[finite][-1] if finite.any() else rows[-1]
    return float(run.data["time"][chosen])


def _candidates(run: Run, phase: int) -> list[Plane]:
    sizes, n = run.network.sizes, run.network.n
    few = sum(sizes) * len(run.phases[phase].samples) <= MOST_SLAVED
    planes = []
    if n > 1:
        a, b = _liveliest(run, phase, n - 1)
        x = f"x{n - 1}[{a}]"
        if few:
            planes.append(Plane(x, f"eps{n}[0]" if a == b else f"x{n - 1}[{b}]", "slaved"))
        # With errors held, values would hardly have a field of their own.
        planes.append(Plane(x, f"eps{n - 1}[{a}]", "held"))
    pairs = [(f"x{n}[0]", f"eps{n}[0]"), (f"eps{n}[0]", f"eps{n}[1]"), ("x0[0]", "eps1[0]")]
    return planes + [Plane(x, y, "held") for x, y in pairs]


# Nodes, all samples together, beyond which others are held: to slave them for every frame takes long.
MOST_SLAVED = 60


def _liveliest(run: Run, phase: int, layer: int) -> tuple[int, int]:
    """The two value nodes of a layer that move most for the first sample; one twice if there is one."""
    rows = np.flatnonzero(run.data["phase"].to_numpy() == phase)
    course = run.data[f"x{layer}"].isel(time=rows, sample=0).to_numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        extent = np.nan_to_num(course.max(axis=0) - course.min(axis=0), nan=0.0, posinf=0.0)
    order = np.argsort(-extent, kind="stable")[:2].tolist()
    first_unit, last_unit = sorted((order[0], order[-1]))
    return int(first_unit), int(last_unit)


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
        The first that learns, or else the last, where left out.
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
        self.run, self.phase, self.sample = run, film_phase(run, phase), sample
        if x is None or y is None:
            self._plane, last = _first_plane(run, self.phase)
            if rest is not None:
                self._plane = Plane(self._plane.x, self._plane.y, rest)
        else:
            self._plane = Plane(x, y, rest or ("held" if x.startswith(("pc", "mode")) else "slaved"))
            last = _last_plane(run, self._plane, self.phase)
        self._window = {"xlim": (last.x[0], last.x[-1]), "ylim": (last.y[0], last.y[-1])}
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
        log_time = net.tau > 0.0
        energy(run, "slaved", phase=self.phase, log_time=log_time, legend=False, phase_names=False, ax=above)
        above.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, fontsize=6, columnspacing=1.0)
        above.set_ylabel("energy $F$\n(errors at rest value)", fontsize=7)
        self._clock = above.axvline(0.0, color="#D55E00", linewidth=1.2, gid="now")
        below, key = (
            self.figure.add_axes((0.575, 0.2, 0.395, 0.27)),
            self.figure.add_axes((0.56, 0.0, 0.43, 0.1)),
        )
        self._drawing = Drawing(below, columns(net.sizes), now.clamped, scales(run), None, {})
        key.set_axis_off()
        add_bars(key, scales(run), nodes=True, kinds=self._drawing.kinds, y=0.28, short=True)

    def show(self, time: float) -> None:
        """Draw the moment of the phase at `time`, in the run's time."""
        run, net = self.run, self.run.network
        unit = net.tau or net.delta
        with style():
            now = Moment.of(run, self.phase, time, self.sample)
            self._drawing.show(now.x, now.eps, now.weights)
            self._clock.set_xdata([time / unit, time / unit])
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
                **self._window,
            }
            computed = compute(self.run, plane.x, plane.y, rest=plane.rest, **given)
        except InputError as error:
            ax.text(0.5, 0.5, "no plane at this moment", ha="center", transform=ax.transAxes, color=NEUTRAL)
            ax.set_xlabel(str(error.where))
            ax.set_xticks([])
            ax.set_yticks([])
            return
        draw_plane(ax, computed, trajectory=True, marks=False, legend=False, note=False, style={})
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

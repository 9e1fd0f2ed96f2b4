"""Which phase and which moments of a run to show in pictures, and in which plane of nodes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..analysis.planes.choice import plane_of_nodes
from ..run.result import Run
from ..run.select import as_recorded, check_extent, check_in_full, choose_phases, of_run
from ..run.snapshot import as_phase, last_phase
from .network import clock_text

# The part of the frames in which nodes settle, from 0.1 tau to 20 tau, logarithmically.
SETTLING = 0.3
FIRST, SETTLED = 0.1, 20.0


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
    learns all are spread over the logarithm. Where samples are shown one after another, the phase is the last
    presentation that was kept.

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
    check_in_full(run, chosen, "phase")
    run, chosen, _ = as_phase(run, chosen)
    record, tau = run.phases[chosen], run.network.longest_tau
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
    """A time of the run in words, counted from the start of a phase, or presentation, in tau or delta.

    Parameters
    ----------
    run : Run
    phase : int
        Index of the phase.
    time : float
        In the run's time.
    """
    run, index, _ = as_phase(run, phase, time)
    record = run.phases[index]
    return clock_text(run, float(as_recorded(record, np.array(time))) - record.t_start)


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
    plane = plane_of_nodes(run, film_phase(run, phase))
    return plane.x, plane.y, plane.rest

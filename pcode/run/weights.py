"""The weights of a run between its saved times."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import InputError
from ..model.network import Array, Weights
from .result import Run
from .select import Choice, PhaseChoice, choose_layers, choose_phases, of_run


def weights_at(run: Run, phase: int, t: float, presentation: int | None = None) -> Weights:
    """Weights at time `t` of the phase with index `phase`.

    At saved times, such as both ends of a phase, the saved weights; between them a cubic interpolation
    through four neighbouring times, of the same `presentation` if one is given.

    Raises
    ------
    InputError
        If the run holds no weights.
    """
    network = run.network
    names = {variable.name: variable.names(network.n) for variable in network.weight_variables}
    missing = [name for group in names.values() for name in group if name not in run.data]
    if missing:
        raise InputError("run", f"holds no weights {', '.join(missing)}; give the run.nc as it was written")
    there = run.data["weight_phase"].to_numpy() == phase
    if presentation is not None:
        there &= run.data["weight_presentation"].to_numpy() == presentation
    rows = np.flatnonzero(there)
    times = run.data["weight_time"].to_numpy()[rows]
    near, share = _lagrange(times, t)

    def at_t(name: str) -> Array:
        values: Array = np.tensordot(share, run.data[name].isel(weight_time=rows[near]).to_numpy(), axes=1)
        return values

    return Weights(**{"W": None} | {kind: tuple(map(at_t, group)) for kind, group in names.items()})  # type: ignore[arg-type]


@of_run
def departure_from_transpose(run: Run, phase: PhaseChoice = None, layers: Choice = None) -> float:
    r"""Largest :math:`|W^l - (M^l)^\top|` at saved times, in parts of the largest weight of the link.

    Parameters
    ----------
    run : Run
    phase : int, str or sequence of these, optional
        Index or name of the phases meant; all where left out.
    layers : int or sequence of int, optional
        Links l, 0..n-1; all where left out.

    Returns
    -------
    float
        0 where feedback is tied.

    Raises
    ------
    InputError
        If the run has no such phase or link.
    """
    if run.network.feedback == "tied":
        return 0.0
    rows = np.isin(run.data["weight_phase"].to_numpy(), choose_phases(run, phase))
    largest = 0.0
    for layer in choose_layers(run, layers, last=run.network.n - 1):
        M, W = (run.data[f"{kind}{layer}"].to_numpy()[rows] for kind in "MW")
        with np.errstate(over="ignore", invalid="ignore"):
            apart = float(np.abs(W - M.transpose(0, 2, 1)).max(initial=0.0))
        size = float(np.abs(M).max(initial=0.0))
        largest = np.maximum(largest, 0.0 if apart == 0.0 else apart / size if size else np.inf)
    return float(largest)


def _lagrange(times: Array, t: float) -> tuple[Any, Array]:
    """Indices into the increasing `times`, and the weights of the values there, to interpolate to `t`."""
    exact = np.flatnonzero(times == t)
    if exact.size or times.size == 1:
        return exact[-1:] if exact.size else np.array([0]), np.ones(1)
    last = int(np.clip(np.searchsorted(times, t) + 2, min(4, times.size), times.size))
    near = np.arange(max(0, last - 4), last)
    return near, _factors(times[near], t)


def _factors(times: Array, t: float) -> Array:
    """Lagrange's basis polynomials of `times` at `t`."""
    return np.array([np.prod([(t - b) / (a - b) for b in times if b != a]) for a in times])

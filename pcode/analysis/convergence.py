"""How fast nodes settle and weights drift, phase by phase, and where the energies rise.

Nodes are measured from their rest: with the weights held, the equilibrium they come to; with weights
that learn, at each moment the equilibrium for the weights of that moment. There they end by lagging behind
it, by a distance of first order in tau/delta, which is reported as a lag. The fitted rates are reported
together with the eigenvalues of the nodes' Jacobian, the slowest of which is the rate in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..base.errors import InputError
from ..base.tables import Table
from ..model.network import Array
from ..run.result import Run
from ..run.select import PhaseChoice, choose_phases, of_run
from ..run.snapshot import as_phase
from .at_rest import rest_of
from .convergence_tables import convergence_tables
from .convergence_words import headline, phase_lines
from .infinity import unbounded
from .phase_convergence import PhaseConvergence
from .result import Result
from .settling.distances import Curve
from .settling.drift_and_energy import drift_of, energy_of
from .settling.measures import Decay
from .settling.path import ACCURACY, TOLERANCE, Path, follow
from .spectra.rates import check_fraction

ASKS = "how fast nodes settle and weights drift, and where the energies rise"


@dataclass(frozen=True)
class Convergence(Result):
    """Answer to the question `convergence`.

    Attributes
    ----------
    fraction : float
        Part of its largest distance from rest at which a layer counts as settled.
    phases : tuple of PhaseConvergence
    """

    question: ClassVar[str] = "convergence"

    fraction: float
    phases: tuple[PhaseConvergence, ...]

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        lines = [headline(self.fraction, self.phases, self.after_time)]
        for found in self.phases:
            lines += phase_lines(found, self.fraction, self.after_time)
        return lines

    def tables(self) -> dict[str, Table]:
        """The tables `nodes`, `phases`, `weights`, `energies` and `distances`."""
        return convergence_tables(self.fraction, self.phases, self.time_unit, self.rate_unit)


@of_run
def convergence(
    run: Run, /, phase: PhaseChoice = None, fraction: float = 0.01, points: int = 400
) -> Convergence:
    """Measure how nodes settle, weights drift and energies go.

    The phase is integrated anew, from the state in which it started, and settling times are read off
    its trajectory: right to 1e-3 of themselves, or of tau where that is more, whatever times the run kept.
    Larger networks (more than 20,000 unknowns) are read off the saved times, as well as those allow.

    Parameters
    ----------
    run : Run
    phase : int, str or sequence of these, optional
        Index or name of the phases; all that were begun where left out.
    fraction : float
        Part of its largest distance from rest at which a layer counts as settled; in (0, 1).
    points : int
        Most moments of the course that is kept in the answer and drawn. The figures do not depend on it.

    Returns
    -------
    Convergence

    Raises
    ------
    InputError
        If there is no such phase, no time passed in it, or an option is out of range.
    """
    check_fraction(fraction)
    if points < 4:
        raise InputError("points", f"must be 4 or more, not {points}")
    lasting = [k for k in choose_phases(run, phase) if run.phases[k].t_end > run.phases[k].t_start]
    if not lasting:
        raise InputError("phase", "no time passed in it, so nothing converged; choose another phase")
    return Convergence(fraction, tuple(_phase(run, k, fraction, points) for k in lasting))


def _phase(run: Run, index: int, fraction: float, points: int) -> PhaseConvergence:
    run, index, _ = as_phase(run, index)
    record, path = run.phases[index], follow(run, index, fraction)
    why_not = _why_no_rest(path)
    curve = Curve.of(path, not why_not)
    stable = curve.slowest_end.real < 0.0 and not path.begin.moving
    settling, bracket = curve.settling(fraction) if stable else (np.full(curve.count, np.nan), 0.0)
    decays = curve.decays() if stable else [Decay()] * (curve.count + 1)
    n = run.network.n

    def split(values: Array) -> tuple[Array, Array]:
        return values[: n + 1], values[n + 1 :]

    fits = np.array(decays[:-1])
    value_settling, error_settling = split(settling)
    value_rate, error_rate = split(fits[:, 0])
    value_fit, error_fit = split(fits[:, 1:4])
    value_period, error_period = split(fits[:, 4])
    value_swings, error_swings = split(fits[:, 5].astype(int))
    value_largest, error_largest = split(curve.largest)
    value_lag, error_lag = split(curve.lag())
    # Between saved rows there is nothing more to be shown.
    t, distances = (curve.t, curve.distance) if path.anew else (path.t, curve.at_moments)
    shown = np.unique(np.linspace(0, t.size - 1, min(points, t.size)).round().astype(int))
    distances = distances[shown]
    clocks = np.array([*run.network.taus, *run.network.taus_eps]) / (run.network.longest_tau or 1.0)
    V = 0.5 * np.nansum(clocks * curve.at_moments**2, axis=1)
    has_lyapunov = not why_not and not (record.learn or path.begin.moving) and _has_lyapunov(path)
    rate = -curve.slowest_end.real
    return PhaseConvergence(
        phase=record.name,
        learn=bool(record.learn),
        status=str(record.status),
        t_start=record.t_start,
        duration=record.t_end - record.t_start,
        at_rest=not why_not,
        why_not=why_not,
        moving=path.begin.moving,
        lost=len(path.every) - len(path.rests) if not run.network.limit else 0,
        times=t[shown],
        value_distance=distances[:, : n + 1],
        error_distance=distances[:, n + 1 :],
        value_largest=value_largest,
        error_largest=error_largest,
        value_settling=value_settling,
        error_settling=error_settling,
        accuracy=_accuracy(settling, bracket, path),
        value_lag=value_lag,
        error_lag=error_lag,
        value_rate=value_rate,
        error_rate=error_rate,
        value_period=value_period,
        error_period=error_period,
        value_swings=value_swings,
        error_swings=error_swings,
        value_fit=value_fit,
        error_fit=error_fit,
        rate=decays[-1].rate,
        slowest=curve.slowest,
        fastest=curve.fastest,
        slowest_end=curve.slowest_end,
        predicted=-np.log(fraction) / rate if rate > 0.0 else float("nan"),
        overshoot=curve.overshoot if stable and curve.slowest.real < 0.0 else np.full(n + 1, np.nan),
        drift=drift_of(run, index, path) if record.learn else None,
        energy=energy_of(path, slaved=False),
        energy_slaved=energy_of(path, slaved=True),
        lyapunov=0.5 * np.nansum(clocks * distances**2, axis=1) if has_lyapunov else None,
        lyapunov_rise=float(np.diff(V).max(initial=0.0) / max(V.max(), 1e-300)),
        notes=path.notes + curve.notes(fraction),
    )


def _why_no_rest(path: Path) -> str:
    """Why there is no rest to measure from; nothing where there is one."""
    end = path.end
    if end.network.limit:
        return "always at rest (tau = 0)"
    rest = rest_of(end, TOLERANCE)
    gone = unbounded(end, rest)
    if gone:
        return f"never, {gone}"
    return "" if path.rests else "no equilibrium found"


def _accuracy(settling: Array, bracket: float, path: Path) -> float:
    """How far off settling times may be; of saved times, the largest distance is not quite known either."""
    known = settling[np.isfinite(settling)]
    if not known.size:
        return float("nan")
    anew = ACCURACY * max(float(known.max()), path.begin.network.longest_tau)
    return anew if known.max() <= path.anew else max(anew, 2.0 * bracket)


def _has_lyapunov(path: Path) -> bool:
    weights = path.end.state.weights
    linear = set(path.end.network.activation) == {"identity"} and not path.end.fixed
    return linear and all(np.allclose(M.T, W) for M, W in zip(weights.M, weights.feedback, strict=True))

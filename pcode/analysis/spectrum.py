"""The rates of nodes and weights at a moment of a run or along it: the spectrum of the Jacobian."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Situation, last_phase, resting_moments, spread
from .equilibrium import rest_of
from .infinity import unbounded
from .result import Result, plain
from .spectra.modes import MOST_WORK, Eigenvalues, full_eigenvalues, node_eigenvalues, slow_eigenvalues
from .spectra.rates import Rates, advice, check_fraction, rates_of

ASKS = "the rates of nodes and weights: stiffness, ringing, stable steps, settling times"

Where = Literal["rest", "state"]

Pair = tuple[Eigenvalues, Eigenvalues | None]

# Residual of the nodes that counts as rest.
AT_REST = 1e-9


@dataclass(frozen=True, eq=False)
class Spectrum(Result):
    """Answer to the question `spectrum`.

    Attributes
    ----------
    phase : str
    t : float
        The moment, in the run's time.
    at : {"rest", "state"}
        Whether the nodes were brought to rest first, or taken as they were.
    tau, delta : float
        Of the network.
    duration : float
        Of the phase.
    nodes : Eigenvalues
        Of the nodes, weights held.
    weights : Eigenvalues or None
        Of the weights on the slow manifold, where they learn.
    full : Eigenvalues or None
        Of nodes and weights together, where the weights learn.
    left_out : int
        Weights whose course needs no equation of its own: each has the eigenvalue -lambda/delta.
    left_out_rate : float
        lambda/delta.
    rates : Rates
    fraction : float
        Part of its start to which what decays at a rate has fallen at the predicted times.
    solver, reason : str
        What the figures suggest.
    times : ndarray, shape (T,)
        Moments along the phase, where asked for.
    course : tuple of Rates
        At those moments.
    course_parts : tuple of (Eigenvalues, Eigenvalues or None) or None
        Of the nodes and of the weights at those moments; None where the nodes find no rest.
    """

    question: ClassVar[str] = "spectrum"

    phase: str
    t: float
    at: str
    tau: float
    delta: float
    duration: float
    nodes: Eigenvalues = field(repr=False)
    weights: Eigenvalues | None = field(repr=False)
    full: Eigenvalues | None = field(repr=False)
    left_out: int
    left_out_rate: float
    rates: Rates
    fraction: float
    solver: str
    reason: str
    times: Any = field(repr=False)
    course: tuple[Rates, ...] = field(repr=False)
    course_parts: tuple[Pair | None, ...] = field(default=(), repr=False)

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        r = self.rates
        where = f"{self.phase!r}, t = {self.t:g}, nodes {'at rest' if self.at == 'rest' else 'as they were'}"
        told = []
        if r.node_growth is not None:
            period = r.node_growth_period
            turning = "" if period is None else f", as an oscillation of period {period:.3g}"
            told.append(f"the nodes are unstable: they leave rest at rate {r.node_growth:.3g}{turning}")
        weights = f"; weights at {_range(r.weight_slowest, r.weight_fastest)}" if self.weights else ""
        decaying = "nodes decay" if r.node_growth is None else "their other modes decay"
        told.append(f"{decaying} at {_range(r.node_slowest, r.node_fastest)}{weights}")
        told[0] += f" ({where})"
        if r.weight_growth is not None:
            told.append(f"the weights are leaving a saddle of what they learn, at rate {r.weight_growth:.3g}")
        told.append(self._ringing())
        gap = "" if r.gap is None else f"spectral gap (slowest node over fastest weight) {r.gap:.3g}; "
        steps = f"explicit Euler {_told(r.step_euler)}, RK45 {_told(r.step_rk45)}"
        told.append(f"{gap}stiffness ratio {_told(r.stiffness)}; longest stable step: {steps}")
        nodes = _told(r.node_settling) if r.node_growth is None else "never"
        weights = _told(r.weight_settling) if r.weight_growth is None else "beyond this prediction"
        settling = f", weights {weights}" if self.weights else ""
        told.append(f"predicted time to settle to {100 * self.fraction:g}%: nodes {nodes}{settling}")
        told.append(f"solver: {self.solver} ({self.reason})")
        told += self._remarks()
        return told

    def _ringing(self) -> str:
        r = self.rates
        if r.ring_period is None:
            return "no ringing"
        damping = f"decay {r.ring_decay:.3g}, damping ratio {r.damping_ratio:.2g}"
        return f"ringing: period {r.ring_period:.3g}, {damping}"

    def _remarks(self) -> list[str]:
        told = []
        still = self.left_out if not self.left_out_rate else 0
        if self.weights is not None and self.weights.neutral + still:
            least = "" if self.weights.exact else "at least "
            slow = f" (slower than {self.weights.still:.3g})" if self.weights.neutral else ""
            neutral, of = self.weights.neutral + still, self.weights.count + self.left_out
            told.append(f"{least}{neutral:,} of {of:,} directions of the weights are neutral{slow}")
        if self.nodes.neutral:
            least = "" if self.nodes.exact else "at least "
            many = f"{self.nodes.neutral} direction{'s' * (self.nodes.neutral != 1)}"
            told.append(f"neutral of the nodes: {least}{many}, as of a continuum of equilibria")
        parts = [("nodes", self.nodes), ("weights", self.weights), ("both together", self.full)]
        ends = [
            f"{name} ({part.values.size} of {part.count:,})"
            for name, part in parts
            if part and not part.exact
        ]
        if ends:
            told.append(f"by Arnoldi's method, at the ends of the spectrum only: {', '.join(ends)}")
        return told

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values; eigenvalues as pairs [real, imaginary]."""
        values = super().to_dict()
        del values["course_parts"]
        for name in ("nodes", "weights", "full"):
            part = getattr(self, name)
            if part is not None:
                values[name] = plain({"values": part.values, "exact": part.exact, "count": part.count})
        return values


@of_run
def spectrum(
    run: Run,
    phase: PhaseOption = None,
    time: float | None = None,
    at: Where = "rest",
    moments: int = 0,
    fraction: float = 0.01,
    exact: bool = False,
) -> Spectrum:
    """Eigenvalues of the nodes, of the weights on the slow manifold and of both, and what they imply.

    Parameters
    ----------
    run : Run
    phase, time
        The moment, see `Situation.of`; the end of the last phase that learns where left out.
    at : {"rest", "state"}
        Bring the nodes to rest for the weights of the moment, or take them as they were.
    moments : int
        Saved times along the phase at which the rates are told as well; none if 0.
    fraction : float
        What has fallen to this part of its start has settled; in (0, 1). A prediction: when the slowest
        mode has, as in `convergence`.
    exact : bool
        Insist on all eigenvalues, where else of a large network those at the ends would do.

    Returns
    -------
    Spectrum

    Raises
    ------
    InputError
        If there is no such moment, tau is 0, the nodes have no rest at it, or there are too many
        eigenvalues to have them all where that is asked for.
    """
    if at not in ("rest", "state"):
        raise InputError("at", f"must be rest or state, not {at!r}")
    saved = max(run.data.sizes["time"], run.data.sizes["weight_time"])
    moments = min(checks.whole("moments", moments), saved)  # there are no more
    if moments < 0:
        raise InputError("moments", f"must be 0 or more, not {moments}")
    if phase is None and time is None:
        phase = last_phase(run, learn=True)
    situation = Situation.of(run, phase, time)
    if situation.network.tau == 0.0:
        raise InputError(
            "run", "with tau = 0 the nodes have no rates; ask for the spectrum of a run with tau > 0"
        )
    check_fraction(fraction)
    if exact:
        _check_size(situation)
    nodes, weights, full, rates = _rates_at(situation, at, fraction)
    times, course, parts = _along(run, situation, at, fraction, moments)
    solver, reason = advice(rates, situation.phase.duration, situation.record.unknowns)
    network = situation.network
    return Spectrum(
        phase=situation.record.name,
        t=situation.t,
        at=at,
        tau=network.tau,
        delta=network.delta,
        duration=situation.phase.duration,
        nodes=nodes,
        weights=weights,
        full=full,
        left_out=_left_out(situation),
        left_out_rate=network.weight_decay / network.delta,
        rates=rates,
        fraction=fraction,
        solver=solver,
        reason=reason,
        times=times,
        course=course,
        course_parts=parts,
    )


def _check_size(situation: Situation) -> None:
    """Raise InputError if there are too many eigenvalues to have them all."""
    layout = situation.problem(reduce=True, until=None).layout
    batch = 1 if situation.phase.learn else layout.batch  # held weights tie no sample to another
    size = layout.size // batch
    most = int((MOST_WORK / batch) ** (1.0 / 3.0))
    if size > most:
        each = "" if batch == 1 else f" a sample, {batch} samples"
        what = (
            f"{situation.record.name!r} has {size:,} unknowns{each}, too many for all their eigenvalues (at "
            f"most {most:,}); leave exact out for those at the ends of the spectrum"
        )
        raise InputError("exact", what)


Parts = tuple[Eigenvalues, Eigenvalues | None, Eigenvalues | None, Rates]


def _rates_at(situation: Situation, at: Where, fraction: float) -> Parts:
    """Eigenvalues of nodes, weights and both at a moment, and the rates."""
    if at == "rest":
        rest = rest_of(situation, AT_REST)
        gone = unbounded(situation, rest)
        if gone:
            raise InputError(
                "at", f'{gone}; choose another phase, or at = "state" for the nodes as they were'
            )
        if not rest.found:
            what = (
                f"the nodes find no rest for the weights of t = {situation.t:g} (residual "
                f'{rest.residual.max():.1e}); choose another time, or at = "state" for the nodes as they were'
            )
            raise InputError("at", what)
        situation = replace(situation, state=rest.state)
    problem = situation.problem(reduce=True, until=None)
    nodes = node_eigenvalues(problem)
    if not situation.phase.learn:
        return nodes, None, None, rates_of(nodes, None, None, fraction)
    weights, full = slow_eigenvalues(problem), full_eigenvalues(problem)
    known = weights
    if _left_out(situation):
        own = np.append(weights.values, -situation.network.weight_decay / situation.network.delta)
        known = replace(weights, values=own)
    return nodes, weights, full, rates_of(nodes, known, full, fraction)


def _left_out(situation: Situation) -> int:
    """How many weights the exact reductions of `pcode.system.reduction` leave out."""
    if not situation.phase.learn:
        return 0
    whole = situation.problem(until=None).layout
    reduced = situation.problem(reduce=True, until=None).layout
    return (whole.size - whole.node_count) - (reduced.size - reduced.node_count)


def _along(
    run: Run, situation: Situation, at: Where, fraction: float, moments: int
) -> tuple[Any, tuple[Rates, ...], tuple[Pair | None, ...]]:
    """Rates and eigenvalues at saved times of the phase; where the nodes find no rest, none."""
    if not moments:
        return np.empty(0), (), ()
    times: list[float] = []
    course: list[Rates] = []
    parts: list[Pair | None] = []
    for there in _moments(run, situation, at, moments):
        try:
            nodes, weights, _, rates = _rates_at(there, at, fraction)
            parts.append((nodes, weights))
        except InputError:
            rates = Rates()
            parts.append(None)
        times.append(there.t)
        course.append(rates)
    return np.array(times), tuple(course), tuple(parts)


def _moments(run: Run, situation: Situation, at: Where, most: int) -> list[Situation]:
    if at == "rest":
        return resting_moments(run, situation.index, most)
    rows = np.flatnonzero(run.data["phase"].to_numpy() == situation.index)
    return [Situation.at(run, int(row)) for row in spread(rows, most)]


def _range(slowest: float | None, fastest: float | None) -> str:
    """Slowest rate of decay, and the largest eigenvalue, which may owe its size to ringing."""
    rate = "unknown rates" if slowest is None else f"rates from {slowest:.3g} on"
    return f"{rate} (largest |lambda| {_told(fastest)})"


def _told(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"

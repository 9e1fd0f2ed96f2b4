"""The rates of nodes and weights at a moment of a run or along it: the spectrum of the Jacobian."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.tables import Table
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Snapshot, TimeOption, as_phase, last_phase, resting_moments, spread
from ..system.problem import Problem
from .at_rest import rest_of
from .infinity import unbounded
from .result import Result, plain
from .spectra.modes import MOST_WORK, Eigenvalues, full_eigenvalues, node_eigenvalues, slow_eigenvalues
from .spectra.rates import Rates, advice, check_fraction, rates_of
from .spectrum_tables import course_table, eigenvalue_table, rate_table

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
        Time constants of the network.
    duration : float
        How long the phase was to last.
    nodes : Eigenvalues
        Those of the nodes, with the weights held.
    weights : Eigenvalues or None
        Those of the weights on the slow manifold, where they learn.
    full : Eigenvalues or None
        Those of nodes and weights together, where the weights learn.
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
        Eigenvalues of the nodes and of the weights at those moments; None where the nodes find no rest.
    notes : tuple of str
        What to mind.
    samples : tuple of int
        The rows of the data.
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
    notes: tuple[str, ...] = ()
    samples: tuple[int, ...] = ()

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        r = self.rates
        nodes = "at rest" if self.at == "rest" else "as they were"
        where = f"{self.phase!r}, t = {self.t:g}{self.after_time}, nodes {nodes}"
        lines = []
        if r.node_growth is not None:
            period = r.node_growth_period
            turning = "" if period is None else f", as an oscillation of period {period:.3g}"
            lines.append(f"the nodes are unstable: they leave rest at rate {r.node_growth:.3g}{turning}")
        weights = f"; weights at {_range(r.weight_slowest, r.weight_fastest)}" if self.weights else ""
        decaying = "nodes decay" if r.node_growth is None else "their other modes decay"
        lines.append(f"{decaying} at {_range(r.node_slowest, r.node_fastest)}{weights}")
        lines[0] += f" ({where})"
        if r.weight_growth is not None:
            lines.append(
                f"the weights are leaving a saddle of what they learn, at rate {r.weight_growth:.3g}"
            )
        lines.append(self._ringing())
        gap = "" if r.gap is None else f"spectral gap (slowest node over fastest weight) {r.gap:.3g}; "
        steps = f"explicit Euler {_in_words(r.step_euler)}, RK45 {_in_words(r.step_rk45)}"
        lines.append(f"{gap}stiffness ratio {_in_words(r.stiffness)}; longest stable step: {steps}")
        nodes = _in_words(r.node_settling) if r.node_growth is None else "never"
        weights = _in_words(r.weight_settling) if r.weight_growth is None else "beyond this prediction"
        settling = f", weights {weights}" if self.weights else ""
        lines.append(f"predicted time to settle to {100 * self.fraction:g}%: nodes {nodes}{settling}")
        lines.append(f"solver: {self.solver} ({self.reason})")
        lines += self._remarks()
        return lines + [f"note: {note}" for note in self.notes]

    def _ringing(self) -> str:
        r = self.rates
        if r.ring_period is None:
            return "no ringing"
        damping = f"decay {r.ring_decay:.3g}, damping ratio {r.damping_ratio:.2g}"
        return f"ringing: period {r.ring_period:.3g}, {damping}"

    def _remarks(self) -> list[str]:
        lines = []
        still = self.left_out if not self.left_out_rate else 0
        if self.weights is not None and self.weights.neutral + still:
            least = "" if self.weights.exact else "at least "
            slow = f" (slower than {self.weights.still:.3g})" if self.weights.neutral else ""
            neutral, of = self.weights.neutral + still, self.weights.count + self.left_out
            lines.append(f"{least}{neutral:,} of {of:,} directions of the weights are neutral{slow}")
        if self.nodes.neutral:
            least = "" if self.nodes.exact else "at least "
            many = f"{self.nodes.neutral} direction{'s' * (self.nodes.neutral != 1)}"
            lines.append(f"neutral of the nodes: {least}{many}, as of a continuum of equilibria")
        parts = [("nodes", self.nodes), ("weights", self.weights), ("both together", self.full)]
        ends = [
            f"{name} ({part.values.size} of {part.count:,})"
            for name, part in parts
            if part and not part.exact
        ]
        if ends:
            lines.append(f"by Arnoldi's method, at the ends of the spectrum only: {', '.join(ends)}")
        return lines

    def tables(self) -> dict[str, Table]:
        """The tables `eigenvalues`, of nodes and weights; `both`, of both together; `rates`; and `course`."""
        units = self.time_unit, self.rate_unit
        given = self.samples, self.fraction, *units
        return {
            "eigenvalues": eigenvalue_table({"nodes": self.nodes, "weights": self.weights}, *given),
            "both": eigenvalue_table({"both": self.full}, *given),
            "rates": rate_table(self.rates, *units),
            "course": course_table(self.times, self.course, *units),
        }

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
    time: TimeOption = None,
    at: Where = "rest",
    moments: int = 0,
    fraction: float = 0.01,
    exact: bool = False,
) -> Spectrum:
    """Eigenvalues of the nodes, of the weights on the slow manifold and of both, and what they imply.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of a phase; the one that contains `time`, or the last that learns, where left out.
    time : float or str, optional
        The moment, in the run's time; the end of the phase where left out.
    at : {"rest", "state"}
        Bring the nodes to rest for the weights of the moment, or take them as they were.
    moments : int
        Saved times along the phase at which the rates are computed as well; none if 0.
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
    checks.word("at", at, get_args(Where))
    saved = max(run.data.sizes["time"], run.data.sizes["weight_time"])
    moments = min(checks.whole("moments", moments), saved)  # there are no more
    if moments < 0:
        raise InputError("moments", f"must be 0 or more, not {moments}")
    if phase is None and time is None:
        phase = last_phase(run, learn=True)
    run, phase, time = as_phase(run, phase, time)
    snapshot = Snapshot.of(run, phase, time)
    if snapshot.network.limit:
        raise InputError(
            "run", "with tau = 0 the nodes have no rates; ask for the spectrum of a run with tau > 0"
        )
    check_fraction(fraction)
    if exact:
        _check_size(snapshot)
    nodes, weights, full, rates = _rates_at(snapshot, at, fraction)
    times, course, parts = _along(run, snapshot, at, fraction, moments)
    solver, reason = advice(rates, snapshot.phase.duration, snapshot.record.unknowns)
    network = snapshot.network
    return Spectrum(
        phase=snapshot.record.name,
        t=snapshot.t,
        at=at,
        tau=network.longest_tau,
        delta=min(network.deltas_of(snapshot.record.learn)),
        duration=snapshot.phase.duration,
        nodes=nodes,
        weights=weights,
        full=full,
        left_out=sum(_left_out(snapshot)),
        left_out_rate=network.weight_decay / max(network.deltas_of(snapshot.record.learn)),
        rates=rates,
        fraction=fraction,
        solver=solver,
        reason=reason,
        times=times,
        course=course,
        course_parts=parts,
        notes=snapshot.notes,
        samples=tuple(snapshot.record.samples),
    )


def _check_size(snapshot: Snapshot) -> None:
    """Raise InputError if there are too many eigenvalues to have them all."""
    layout = snapshot.problem(reduce=True, until=None).layout
    batch = 1 if snapshot.phase.learn else layout.batch  # held weights tie no sample to another
    size = layout.size // batch
    most = int((MOST_WORK / batch) ** (1.0 / 3.0))
    if size > most:
        each = "" if batch == 1 else f" a sample, {batch} samples"
        what = (
            f"{snapshot.record.name!r} has {size:,} unknowns{each}, too many for all their eigenvalues (at "
            f"most {most:,}); leave exact out for those at the ends of the spectrum"
        )
        raise InputError("exact", what)


Parts = tuple[Eigenvalues, Eigenvalues | None, Eigenvalues | None, Rates]


def _rates_at(snapshot: Snapshot, at: Where, fraction: float) -> Parts:
    """Eigenvalues of nodes, weights and both at a moment, and the rates."""
    if at == "rest":
        rest = rest_of(snapshot, AT_REST)
        gone = unbounded(snapshot, rest)
        if gone:
            raise InputError(
                "at", f'{gone}; choose another phase, or at = "state" for the nodes as they were'
            )
        if not rest.found:
            what = (
                f"the nodes find no rest for the weights of t = {snapshot.t:g} (residual "
                f'{rest.residual.max():.1e}); choose another time, or at = "state" for the nodes as they were'
            )
            raise InputError("at", what)
        snapshot = replace(snapshot, state=rest.state)
    problem = snapshot.problem(reduce=True, until=None)
    nodes = node_eigenvalues(problem)
    if not snapshot.phase.learn:
        return nodes, None, None, rates_of(nodes, None, None, fraction)
    weights, full = slow_eigenvalues(problem), full_eigenvalues(problem)
    known, network = weights, snapshot.network
    left_out = zip(_left_out(snapshot), network.deltas, strict=False)
    own = {-network.weight_decay / delta for count, delta in left_out if count}
    if own:
        known = replace(weights, values=np.append(weights.values, sorted(own)))
    return nodes, weights, full, rates_of(nodes, known, full, fraction)


def _left_out(snapshot: Snapshot) -> list[int]:
    """How many weights of each link the exact reductions of `pcode.system.reduction` leave out."""
    if not snapshot.phase.learn:
        return []
    whole, reduced = (_weights_of(snapshot.problem(reduce=reduce, until=None)) for reduce in (False, True))
    return [a - b for a, b in zip(whole, reduced, strict=True)]


def _weights_of(problem: Problem) -> list[int]:
    """How many weights of each link are unknowns, without those that a mask leaves out."""
    layout = problem.layout
    there = layout.gains(problem.constants.mask) != 0.0
    counts = [0] * layout.n
    for name in layout.weight_names:
        variable, layer = layout.arrays[name]
        counts[variable.link(layer)] += int(there[layout.slices[name]].sum())
    return counts


def _along(
    run: Run, snapshot: Snapshot, at: Where, fraction: float, moments: int
) -> tuple[Any, tuple[Rates, ...], tuple[Pair | None, ...]]:
    """Rates and eigenvalues at saved times of the phase; where the nodes find no rest, none."""
    if not moments:
        return np.empty(0), (), ()
    times: list[float] = []
    course: list[Rates] = []
    parts: list[Pair | None] = []
    for there in _moments(run, snapshot, at, moments):
        try:
            nodes, weights, _, rates = _rates_at(there, at, fraction)
            parts.append((nodes, weights))
        except InputError:
            rates = Rates()
            parts.append(None)
        times.append(there.t)
        course.append(rates)
    return np.array(times), tuple(course), tuple(parts)


def _moments(run: Run, snapshot: Snapshot, at: Where, most: int) -> list[Snapshot]:
    if at == "rest":
        return resting_moments(run, snapshot.index, most)
    rows = np.flatnonzero(run.data["phase"].to_numpy() == snapshot.index)
    return [Snapshot.at(run, int(row)) for row in spread(rows, most)]


def _range(slowest: float | None, fastest: float | None) -> str:
    """Slowest rate of decay, and the largest eigenvalue, which may owe its size to ringing."""
    rate = "unknown rates" if slowest is None else f"rates from {slowest:.3g} on"
    return f"{rate} (largest |lambda| {_in_words(fastest)})"


def _in_words(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"

"""How far the feedback W may be from M^T before the nodes become unstable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np

from ..base.errors import InputError
from ..base.tables import Column, Table
from ..model.network import Array, Network
from ..model.phase import Phase, Save
from ..model.state import State
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Snapshot, TimeOption
from ..simulation import simulate
from .at_rest import with_positive_tau
from .result import Result
from .spectra.border import KINDS, BorderPoint, Look, WeightPlane, border_along, others, ray
from .spectra.jacobians import NodeSystem
from .words import counted

ASKS = "how far W may be from M^T before the nodes become unstable"

Against = Literal["negated", "random", "own"]

# Most work of dense eigenvalues, in cubes of a sample's nodes: less than 10 seconds.
MOST_WORK = 1e9

# Samples, gains and mixes that are looked at where a user does not say.
SAMPLES = 4
GAINS = 20
MIXES = 21

# Looks that the bisection of one ray may take.
BISECTION = 14

# Periods over which an oscillation on the border is followed, and how far it starts from rest.
PERIODS = 8
AMPLITUDE = 1e-4


@dataclass(frozen=True)
class Simulated:
    """An oscillation on the border, compared with a simulation of it.

    Attributes
    ----------
    mix, gain : float
    frequency : float
        Angular frequency that the eigenvalue predicts, in one over the unit of time.
    measured : float
        That of the simulated nodes.
    growth : float
        By how much the amplitude changes in a period, relative to itself; 0 on the border.
    """

    mix: float
    gain: float
    frequency: float
    measured: float
    growth: float


@dataclass(frozen=True, eq=False)
class Stability(Result):
    """Answer to the question `stability`.

    The weights are M -> gain M and W -> gain ((1 - mix) M^T + mix R).

    Attributes
    ----------
    phase : str
    t : float
        The moment whose M and beta are taken, in the run's time.
    samples : tuple of int
        The rows of the data that were looked at.
    against : {"negated", "random", "own"}
        What R is: -M^T, a random matrix of the norm of M, or the W of that moment.
    mixes : ndarray, shape (K,)
    distances : ndarray, shape (K,)
        |W - M^T| / |M| at the mixes.
    gains : ndarray, shape (G,)
    kinds : ndarray of str, shape (G, K)
        "stable", "real" or "oscillation" after what grows, "lost" where no equilibrium was found.
    growth : ndarray, shape (G, K)
        Spectral abscissa of the nodes, their largest Re lambda, in one over the unit of time.
    border : tuple of BorderPoint
        Where each ray from mix 0 loses stability first.
    simulated : Simulated or None
        An oscillation on the border, checked; None where there is none.
    notes : tuple of str
        What to mind.
    """

    question: ClassVar[str] = "stability"

    phase: str
    t: float
    samples: tuple[int, ...]
    against: str
    mixes: Array
    distances: Array
    gains: Array
    kinds: Any = field(repr=False)
    growth: Array = field(repr=False)
    border: tuple[BorderPoint, ...] = field(repr=False)
    simulated: Simulated | None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        R = {"negated": "-M^T", "random": "a random matrix of the norm of M", "own": "the run's own W"}
        where = f"{self.phase!r}, t = {self.t:g}{self.after_time}, {counted(self.samples)}"
        lines = [f"{self._headline()} (W mixed with {R[self.against]}; {where})"]
        share = {kind: f"{float((self.kinds == kind).mean()):.0%}" for kind in KINDS}
        lost = "" if share["lost"] == "0%" else f"; for {share['lost']} the equilibrium was lost"
        lines.append(
            f"of {self.kinds.size} weights looked at, {share['stable']} are stable, {share['real']} unstable "
            f"by a real eigenvalue, {share['oscillation']} by an oscillation (Hopf){lost}"
        )
        if self.simulated is not None:
            s = self.simulated
            lines.append(
                f"oscillation on the border at gain {s.gain:.4g}, mix {s.mix:.5g}: angular frequency "
                f"{s.frequency:.5g} by its eigenvalue, {s.measured:.5g} simulated, "
                f"amplitude {s.growth:+.1e} a period"
            )
        return lines + [f"note: {note}" for note in self.notes]

    def tables(self) -> dict[str, Table]:
        """The tables `border`, with a row for each gain, and `map`, with one for each of the weights."""
        gains, mixes, rate = self.gains.tolist(), self.mixes.tolist(), self.rate_unit
        distance = r"$|W - M^\top|/|M|$"
        crossed = {point.gain: point for point in self.border}
        found = [crossed.get(gain) for gain in gains]
        none = float("nan")
        border = (
            Column("gain", gains, "gain"),
            Column("mix", [p.mix if p else none for p in found], "mix"),
            Column("distance", [p.distance if p else none for p in found], distance),
            Column("kind", [p.kind if p else self.kinds[k, 0] for k, p in enumerate(found)], "beyond"),
            Column("angular_frequency", [p.frequency if p else none for p in found], r"$\omega$", rate),
        )
        every = (
            Column("gain", np.repeat(gains, len(mixes)).tolist(), "gain"),
            Column("mix", mixes * len(gains), "mix"),
            Column("distance", self.distances.tolist() * len(gains), distance),
            Column("kind", self.kinds.ravel().tolist(), "kind"),
            Column("growth", self.growth.ravel().tolist(), r"$\max\,\mathrm{Re}\,\lambda$", rate),
        )
        about = (
            "gain of the weights, with the border of stability as W leaves M^T; none where there is no mix"
        )
        return {"border": Table(about, border), "map": Table("gain and mix of the weights", every)}

    def _headline(self) -> str:
        row = int(np.abs(self.gains - 1.0).argmin())
        gain = float(self.gains[row])
        own = next((point for point in self.border if point.gain == gain), None)
        at = "" if gain == 1.0 else f" at gain {gain:g}"
        if own is not None:
            by = {
                "real": "they leave rest along a real eigenvector",
                "oscillation": f"an oscillation of angular frequency {own.frequency:.4g} grows (Hopf)",
                "lost": "their equilibrium is gone (a fold)",
            }
            where = f"|W - M^T|/|M| = {own.distance:.4g} (mix {own.mix:.4g})"
            return f"nodes are stable up to {where}{at}; beyond, {by[own.kind]}"
        if self.kinds[row, 0] == "lost":
            return f"no equilibrium of the nodes was reached at W = M^T{at}"
        if self.kinds[row, 0] != "stable":
            return f"nodes are not stable at W = M^T already{at}"
        return f"nodes are stable all the way to |W - M^T|/|M| = {self.distances[-1]:.4g}{at}"


@of_run
def stability(
    run: Run,
    phase: PhaseOption = None,
    time: TimeOption = None,
    against: Against = "negated",
    mixes: Sequence[float] | None = None,
    gains: Sequence[float] | None = None,
    samples: int | None = None,
    seed: int = 0,
    check: bool = True,
) -> Stability:
    """Map the stability of the nodes as W leaves M^T and as all weights grow.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of a phase; the one that contains `time`, or the last, where left out.
    time : float or str, optional
        The moment whose M, beta, clamps and nodes are taken, in the run's time; the end of the phase where
        left out.
    against : {"negated", "random", "own"}
        What is mixed into the feedback: -M^T, a random matrix of the norm of M link by link, or
        the W of the moment.
    mixes : sequence of float, optional
        Shares of it, rising from 0 (W = M^T); 0 to 1 in 20 steps where left out.
    gains : sequence of float, optional
        Factors on M and W, > 0; 0.1 to 2 where left out, or 1 alone where a map would take too long.
    samples : int, optional
        How many samples of the phase to look at; the map is that of the worst of them.
    seed : int
        Seed of the random matrix.
    check : bool
        Whether an oscillation on the border is simulated.

    Returns
    -------
    Stability

    Raises
    ------
    InputError
        If the nodes of a sample are too many, or an option is out of range.
    """
    if seed < 0:
        raise InputError("seed", f"must be 0 or more, not {seed}")
    snapshot = with_positive_tau(Snapshot.of(run, phase, time))
    shares = _rising("mixes", mixes, np.linspace(0.0, 1.0, MIXES))
    if shares[0] != 0.0 or shares.size < 2:
        raise InputError("mixes", "must be two or more numbers that rise from 0, where W = M^T")
    count, factors = _extent(snapshot, samples, gains, shares.size)
    plane, state = _plane(snapshot, count, against, seed)
    rays = [ray(plane, float(gain), shares, state) for gain in factors]
    crossings = [found for looks in rays if (found := border_along(plane, looks)) is not None]
    simulated = _simulated(plane, crossings) if check else None
    return Stability(
        phase=snapshot.record.name,
        t=snapshot.t,
        samples=tuple(snapshot.record.samples[:count]),
        against=against,
        mixes=shares,
        distances=np.array([plane.distance(float(mix)) for mix in shares]),
        gains=factors,
        kinds=np.array([[look.kind for look in looks] for looks in rays]),
        growth=np.array([[look.value.real for look in looks] for looks in rays]),
        border=tuple(point for point, _ in crossings),
        simulated=simulated,
        notes=snapshot.notes,
    )


def _rising(key: str, values: Sequence[float] | None, otherwise: Array) -> Array:
    array = otherwise if values is None else np.array(values, dtype=float)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all() or (np.diff(array) <= 0.0).any():
        raise InputError(key, "must be numbers that rise")
    return array


def _extent(
    snapshot: Snapshot, samples: int | None, gains: Sequence[float] | None, mixes: int
) -> tuple[int, Array]:
    """How many samples to look at, and at which gains, so that it takes seconds."""
    if samples is not None and not 1 <= samples <= snapshot.batch:
        raise InputError("samples", f"must be from 1 to {snapshot.batch}, not {samples}")
    m = NodeSystem(snapshot.problem(learn=False, until=None)).size
    looks = MOST_WORK / float(m) ** 3
    one_ray = mixes + BISECTION
    if looks < one_ray:
        most = int((MOST_WORK / one_ray) ** (1.0 / 3.0))
        what = (
            f"{snapshot.record.name!r} has {m:,} nodes a sample, too many for all their eigenvalues at "
            f"{one_ray} weights (at most {most:,}); choose a phase with more layers clamped, or fewer mixes"
        )
        raise InputError("phase", what)
    if gains is not None:
        factors = _rising("gains", gains, np.empty(0))
        if factors[0] <= 0.0:
            raise InputError("gains", f"must be positive, not {factors[0]:g}")
    else:
        many = np.linspace(0.1, 2.0, GAINS).round(3)
        factors = many if looks >= many.size * one_ray else np.ones(1)
    most = max(1, int(looks / (factors.size * one_ray)))
    return samples or min(SAMPLES, snapshot.batch, most), factors


def _plane(snapshot: Snapshot, count: int, against: Against, seed: int) -> tuple[WeightPlane, State]:
    """The plane for the first `count` samples, and their nodes."""
    few = snapshot.of_samples(snapshot.record.samples[:count])
    phase = replace(few.phase, learn=False, until=None, samples=tuple(range(count)))
    weights = few.state.weights
    network = replace(snapshot.network, feedback="fixed")
    return WeightPlane(network, phase, weights, others(weights, against, seed, network.masks)), few.state


def _simulated(plane: WeightPlane, crossings: list[tuple[BorderPoint, Look]]) -> Simulated | None:
    """The oscillation on the border whose gain is nearest to 1, simulated from near its equilibrium."""
    turning = [found for found in crossings if found[0].kind == "oscillation" and found[0].frequency > 0.0]
    if not turning:
        return None
    point, look = min(turning, key=lambda found: abs(np.log(found[0].gain)))
    problem = plane.problem(look.rest.state)
    system = NodeSystem(problem)
    blocks = system.blocks()
    decompositions = [np.linalg.eig(block) for block in blocks]
    worst = int(np.argmax([values.real.max() for values, _ in decompositions]))
    values, vectors = decompositions[worst]
    mode = vectors[:, np.argmax(values.real)].real
    rows = np.zeros(system.free.shape)
    rows[worst, system.free[worst]] = AMPLITUDE * mode / np.abs(mode).max()
    rest = problem.y0
    y0 = rest + problem.layout.flat(rows)
    seen = int(np.abs(rows[worst]).argmax())
    shapes = problem.layout.shapes
    nodes = [(name, unit) for name in problem.layout.node_names for unit in range(shapes[name][1])]
    start = problem.state(0.0, y0)
    t, z = _followed(plane.network, plane.phase, start, point.frequency, worst, *nodes[seen])
    centre = float(problem.layout.rows(rest)[worst, seen])
    measured, growth = oscillation(t, z - centre)
    return Simulated(point.mix, point.gain, point.frequency, measured, growth)


def _followed(
    network: Network, phase: Phase, start: State, frequency: float, b: int, name: str, unit: int
) -> tuple[Array, Array]:
    """Times, and one node of sample `b`, over some periods of a simulation from `start`."""
    duration = PERIODS * 2.0 * np.pi / frequency
    held = replace(phase, duration=duration)
    run = simulate(
        network,
        [held],
        weights=start.weights,
        nodes=start,
        rtol=1e-9,
        atol=1e-13,
        save=Save(nodes=64 * PERIODS + 1, weights=2, spacing="linear"),
    )
    return run.data["time"].to_numpy(), run.data[name].to_numpy()[:, b, unit]


def oscillation(t: Array, z: Array) -> tuple[float, float]:
    """Angular frequency of an oscillation around 0, and its relative growth in a period.

    The frequency from the upward crossings of 0, each by linear interpolation; the growth from the
    largest values between them.
    """
    up = np.flatnonzero((z[:-1] < 0.0) & (z[1:] >= 0.0))
    if up.size < 3:
        return float("nan"), float("nan")
    crossings = t[up] - z[up] * (t[up + 1] - t[up]) / (z[up + 1] - z[up])
    turns = up.size - 1
    tops = [np.abs(z[a:b]).max() for a, b in pairwise(up)]
    frequency = 2.0 * np.pi * turns / (crossings[-1] - crossings[0])
    growth = (tops[-1] / tops[0]) ** (1.0 / (turns - 1)) - 1.0
    return float(frequency), float(growth)

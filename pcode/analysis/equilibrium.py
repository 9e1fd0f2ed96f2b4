"""Where the nodes rest for the weights of a moment: whether stably, alone, or along a continuum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.short import Short
from ..base.tables import Table
from ..model.network import Array
from ..model.state import State
from ..run.result import Run
from ..run.select import of_run
from ..run.snapshot import PhaseOption, Snapshot, TimeOption
from ..system.problem import feedforward, given_nodes
from ..system.rest import Rest, nodes_at_rest
from .at_rest import rest_of, with_positive_tau
from .equilibrium_tables import equilibrium_table, sample_table
from .infinity import Unbounded, unbounded
from .result import Result, plain
from .spectra.jacobians import NodeSystem
from .spectra.modes import MOST_WORK, Eigenvalues, node_eigenvalues, still_below
from .words import counted

ASKS = "where the nodes come to rest, whether stably, and in how many places"

Start = Literal["state", "feedforward", "zero"]
Kind = Literal["stable", "unstable", "oscillating", "neutral", "unbounded", "unknown"]

# Two rests nearer to each other than this, relative to 1 + their size, are the same.
SAME = 1e-5

# Errors at rest that are none.
OPEN = 1e-8

# Other starts than these many take days.
MOST_STARTS = 100_000

IN_WORDS: dict[Kind, str] = {
    "stable": "stable",
    "unstable": "unstable: a real eigenvalue is positive",
    "oscillating": "unstable: an oscillation grows (Hopf)",
    "neutral": "neutral: nothing grows, some directions do not return",
    "unbounded": "none at finite values",
    "unknown": "of unknown stability",
}


@dataclass(frozen=True, eq=False)
class Found(Short):
    """One equilibrium of one sample.

    Attributes
    ----------
    sample : int
        The row of the data.
    x : tuple of ndarray, shapes (n_l,)
        Value nodes of layers 0..n.
    kind : {"stable", "unstable", "oscillating", "neutral", "unbounded", "unknown"}
    """

    sample: int
    x: tuple[Array, ...]
    kind: Kind


@dataclass(frozen=True, eq=False)
class Equilibrium(Result):
    """Answer to the question `equilibrium`.

    Attributes
    ----------
    phase : str
    t : float
        The moment whose weights are held, in the run's time.
    start : str
        Where the nodes started from.
    samples : tuple of int
        The B rows of the data.
    residual : ndarray, shape (B,)
        max |tau dz/dt| / (1 + |z|) over the nodes of each sample; dimensionless.
    tol : float
        The residual asked for.
    iterations : int
    kind : {"stable", "unstable", "oscillating", "neutral", "unbounded", "unknown"}
        The worst of all samples; unbounded where values grow for ever while their rates fall, unknown where
        no rest was found otherwise.
    unbounded : Unbounded
        The layers that do, and the samples in which they do; none as a rule.
    rightmost : complex
        The node eigenvalue of the largest real part there that is not zero, in one over the unit of
        time; where tau is 0, in 1/tau.
    exact : bool
        Whether all eigenvalues were computed, not just those at the ends.
    zero_eigenvalues : int
        Most zero eigenvalues of a sample.
    continuum : bool
        Whether the equilibria of a sample form a continuum, as where layer 0 is free and wider than
        the next one.
    starts : int
        How many other starts were tried.
    distinct : ndarray of int, shape (B,), or None
        How many different equilibria were found of each sample; None along a continuum.
    equilibria : tuple of Found
        All of them.
    state : State
        The nodes at rest, or as far as they came.
    notes : tuple of str
        What to mind.
    """

    question: ClassVar[str] = "equilibrium"

    phase: str
    t: float
    start: str
    samples: tuple[int, ...]
    residual: Array
    tol: float
    iterations: int
    kind: Kind
    unbounded: Unbounded
    rightmost: complex
    exact: bool
    zero_eigenvalues: int
    continuum: bool
    starts: int
    distinct: Any
    equilibria: tuple[Found, ...] = field(repr=False)
    state: State = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether every sample came to rest, at finite values."""
        return bool((self.residual <= self.tol).all()) and not self.unbounded

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        return self._answer() + [f"note: {note}" for note in self.notes]

    def _answer(self) -> list[str]:
        where = f"weights of t = {self.t:g}{self.after_time} in phase {self.phase!r}, {counted(self.samples)}"
        largest = f"largest residual {self.residual.max():.1e}"
        if self.unbounded:
            return [
                f"no equilibrium at finite values: {self.unbounded} ({where})",
                "rates fall for ever, and a residual tells nothing; node_decay > 0 gives a finite rest",
            ]
        if not self.found:
            lost = int((self.residual > self.tol).sum())
            return [f"no equilibrium was reached for {lost} of the samples ({where}; {largest})"]
        lines = [f"equilibrium, {IN_WORDS[self.kind]} ({where}; {largest}, {self.iterations} iterations)"]
        if np.isfinite(self.rightmost):
            period = f", period {2 * np.pi / abs(self.rightmost.imag):.3g}" if self.rightmost.imag else ""
            some = "" if self.exact else ", of those at the ends of the spectrum"
            lines.append(f"rightmost node eigenvalue: {_in_words(self.rightmost)}{period}{some}")
        if self.continuum:
            least = "" if self.exact else "at least "
            lines.append(
                f"a continuum of equilibria: {least}{self.zero_eigenvalues} zero eigenvalues a sample, for "
                f"the clamps leave so many directions of the values open; node_decay > 0 singles one out"
            )
        elif self.zero_eigenvalues:
            lines.append(f"degenerate: up to {self.zero_eigenvalues} zero eigenvalues a sample")
        if self.distinct is not None and self.starts:
            most = int(self.distinct.max())
            many = int((self.distinct == most).sum())
            lines.append(
                f"from {self.starts} other starts: "
                + (
                    "no other equilibrium was found"
                    if most == 1
                    else f"up to {most} equilibria a sample (so many of {many} samples)"
                )
            )
        return lines

    def tables(self) -> dict[str, Table]:
        """The tables `equilibria`, with the value nodes of each, and `samples`."""
        equilibria = [(found.sample, found.kind, found.x) for found in self.equilibria]
        samples = sample_table(self.samples, self.residual, self.distinct)
        return {"equilibria": equilibrium_table(equilibria), "samples": samples}

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values; the nodes themselves are left out."""
        values = super().to_dict()
        del values["state"], values["equilibria"]
        kinds = [found.kind for found in self.equilibria]
        counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
        return values | {"found": self.found, "equilibria_by_kind": plain(counts)}


@of_run
def equilibrium(
    run: Run,
    phase: PhaseOption = None,
    time: TimeOption = None,
    start: Start = "state",
    starts: int = 8,
    spread: float = 1.0,
    seed: int = 0,
    tol: float = 1e-10,
) -> Equilibrium:
    """Bring the nodes to rest with the weights of a moment, and look at the equilibrium.

    Parameters
    ----------
    run : Run
    phase : int or str, optional
        Index or name of a phase; the one that contains `time`, or the last, where left out.
    time : float or str, optional
        The moment, in the run's time; the end of the phase where left out.
    start : {"state", "feedforward", "zero"}
        Where the nodes start: as they were, at the feedforward pass, or at zero. From there they are
        followed along their own flow, and by Newton's method where that comes to no rest.
    starts : int
        Other starts to try, >= 0: free value nodes displaced at random. Every second one goes along
        the flow; the others by Newton's method, which finds unstable equilibria as well.
    spread : float
        Standard deviation of the displacements, > 0; dimensionless.
    seed : int
        Seed of the displacements.
    tol : float
        Residual to reach, dimensionless.

    Returns
    -------
    Equilibrium

    Raises
    ------
    InputError
        If there is no such phase or time, or an option is out of range.
    """
    checks.word("start", start, get_args(Start))
    starts = checks.whole("starts", starts)
    if starts < 0:
        raise InputError("starts", f"must be 0 or more, not {starts}")
    if starts > MOST_STARTS:
        raise InputError("starts", f"must be at most {MOST_STARTS:,}, not {checks.shown(starts)}")
    for key, value in (("spread", spread), ("tol", tol)):
        if not (value > 0.0 and np.isfinite(value)):
            raise InputError(key, "must be positive")
    if seed < 0:
        raise InputError("seed", f"must be 0 or more, not {seed}")
    snapshot = with_positive_tau(Snapshot.of(run, phase, time))
    begun = replace(snapshot, state=_started(snapshot, start))
    rest = rest_of(begun, tol)
    there = replace(snapshot, state=rest.state)
    gone = unbounded(begun, rest)
    found = bool((rest.residual <= tol).all()) and not gone
    eigenvalues = node_eigenvalues(there.problem(learn=False, until=None)) if found else None
    kind, rightmost, zeros = _judged(eigenvalues)
    structural = _free_directions(snapshot)
    continuum = found and (structural > 0 or (zeros > 0 and _open(there)))
    many = Equilibria(snapshot, tol) if found else None
    if many is not None:
        many.add(rest)
        if not continuum:
            for other in _displaced(begun, starts, spread, seed, tol):
                many.add(other)
    return Equilibrium(
        phase=snapshot.record.name,
        t=snapshot.t,
        start=start,
        samples=tuple(snapshot.record.samples),
        residual=rest.residual,
        tol=tol,
        iterations=rest.iterations,
        kind="unbounded" if gone else kind,
        unbounded=gone,
        rightmost=rightmost,
        exact=eigenvalues is not None and eigenvalues.exact,
        zero_eigenvalues=max(zeros, structural if continuum else 0),
        continuum=continuum,
        starts=0 if continuum or many is None else starts,
        distinct=None if continuum or many is None else many.distinct,
        equilibria=() if many is None else many.found,
        state=rest.state,
        notes=snapshot.notes,
    )


class Equilibria:
    """Different equilibria of each sample, as they are found."""

    def __init__(self, snapshot: Snapshot, tol: float) -> None:
        self._snapshot, self._tol = snapshot, tol
        self._known: list[list[Array]] = [[] for _ in range(snapshot.batch)]
        self.found: tuple[Found, ...] = ()

    @property
    def distinct(self) -> Any:
        """How many of each sample, shape (B,)."""
        return np.array([len(known) for known in self._known])

    def add(self, rest: Rest) -> None:
        """Take those equilibria of `rest` that are not known."""
        z = np.concatenate([*rest.state.x, *rest.state.eps], axis=1)
        new = [b for b, row in enumerate(z) if rest.residual[b] <= self._tol and self._is_new(b, row)]
        if not new:
            return
        system = NodeSystem(replace(self._snapshot, state=rest.state).problem(learn=False, until=None))
        small = len(new) * float(system.size) ** 3 <= MOST_WORK / 8.0
        blocks = system.blocks() if small else None
        for b in new:
            self._known[b].append(z[b])
            values = None if blocks is None else np.linalg.eigvals(blocks[b]).astype(complex)
            own = (
                None
                if values is None
                else Eigenvalues(values, True, values.size, still_below(values), np.full(values.size, b))
            )
            x = tuple(layer[b] for layer in rest.state.x)
            self.found += (Found(self._snapshot.record.samples[b], x, _judged(own)[0]),)

    def _is_new(self, b: int, row: Array) -> bool:
        size = SAME * (1.0 + np.abs(row).max())
        return all(np.abs(row - other).max() > size for other in self._known[b])


def _judged(eigenvalues: Eigenvalues | None) -> tuple[Kind, complex, int]:
    """What the node eigenvalues say: the kind, the rightmost that is not zero, most zeros of a sample."""
    if eigenvalues is None or not eigenvalues.values.size:
        return "unknown", complex("nan+nanj"), 0
    zero = np.abs(eigenvalues.values) <= eigenvalues.still
    zeros = np.bincount(eigenvalues.samples[zero] + 1, minlength=1).max() if zero.any() else 0
    moving = eigenvalues.values[~zero & (eigenvalues.values.imag >= 0.0)]
    if not moving.size:
        return "neutral", complex(0.0), int(zeros)
    rightmost = complex(moving[np.argmax(moving.real)])
    if rightmost.real > eigenvalues.still:
        return ("oscillating" if rightmost.imag else "unstable"), rightmost, int(zeros)
    return ("neutral" if zeros else "stable"), rightmost, int(zeros)


def _free_directions(snapshot: Snapshot) -> int:
    """Dimensions that a continuum of equilibria has at least: free nodes of layer 0 beyond those of layer 1.

    At rest without decay of the nodes sigma'(x^0) * (eps^1 W^0) = 0, so eps^1 = 0 where W^0 is of
    full rank, and then layer 0 has but its n_1 predictions to give; see docs/model.md, "Eigenvalues of the
    nodes".
    """
    if snapshot.network.node_decay > 0.0:
        return 0
    free = snapshot.free(0).sum(axis=1)
    return max(0, int(free.max()) - snapshot.network.sizes[1])


def _open(snapshot: Snapshot) -> bool:
    """Whether zero eigenvalues at rest are a continuum's, not those of a degenerate equilibrium.

    Those of a linear network are. Else eps = 0 must hold, x = mu(x), with more free values than errors.
    """
    if set(snapshot.network.activation) == {"identity"}:
        return True
    free = sum(snapshot.free(layer).sum(axis=1) for layer in range(snapshot.n + 1))
    still = max(float(np.abs(eps).max()) for eps in snapshot.state.eps) < OPEN
    return still and bool((free > sum(snapshot.network.sizes[1:])).any())


def _started(snapshot: Snapshot, start: Start) -> State:
    """The state with the nodes where `start` says."""
    if start == "state":
        return snapshot.state
    weights = snapshot.state.weights
    given = given_nodes(snapshot.network, snapshot.phase, snapshot.batch)
    from_zero = start == "zero"
    x = tuple(map(np.nan_to_num, given)) if from_zero else feedforward(snapshot.network, weights, given)
    return State(x, tuple(np.zeros_like(eps) for eps in snapshot.state.eps), weights)


def _displaced(snapshot: Snapshot, starts: int, spread: float, seed: int, tol: float) -> Iterator[Rest]:
    """Rests from starts with the free value nodes displaced."""
    rng = np.random.default_rng(seed)
    for k in range(starts):
        x = tuple(
            np.where(snapshot.free(layer), x_l + spread * rng.standard_normal(x_l.shape), x_l)
            for layer, x_l in enumerate(snapshot.state.x)
        )
        state = State(x, tuple(np.zeros_like(eps) for eps in snapshot.state.eps), snapshot.state.weights)
        problem = replace(snapshot, state=state).problem(learn=False, until=None)
        yield nodes_at_rest(problem, tol, step=np.inf if k % 2 else 1.0)


def _in_words(value: complex) -> str:
    return f"{value.real:.4g}" + (f" +- {value.imag:.4g}i" if value.imag else "")

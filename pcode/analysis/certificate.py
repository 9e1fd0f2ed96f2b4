"""Whether a run can be trusted: each check with its figure and its threshold.

What a run kept is compared with the theory of the model, and its last learning phase (or another)
is integrated again: at a tenth of the tolerance, by a solver of another library, and with an equation
of its own for every variable, since the invariant of learned feedback (docs/model.md, "Feedback that
learns") holds by construction where a run derives W from M.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from .. import solvers
from ..base.errors import InputError
from ..base.status import Status
from ..base.tables import Column, Table
from ..model.network import Array
from ..model.state import State
from ..run.result import Run
from ..run.select import of_run, times_of
from ..run.snapshot import PhaseOption, Snapshot, as_phase, last_phase
from ..simulation.arguments import LEAST_RTOL
from ..solvers.auto import STABLE_STEP, fastest_rate
from ..system.limit import SlowProblem
from ..system.problem import feedforward, given_nodes, make_problem
from .at_rest import with_positive_tau
from .result import Result

ASKS = "whether the run can be trusted: residuals, invariants, a second solver"

# Times, and what to do with the index of each, the value nodes and the error nodes there.
Comparing = tuple[Array, Callable[[int, tuple[Array, ...], tuple[Array, ...]], None]]

Verdict = Literal["pass", "fail", "not applicable"]

# Solutions agree where they differ by no more than this many times rtol, relative to 1 + their size.
AGREEMENT = 100.0

# A phase of more unknowns, or that took longer, is integrated again for its first units of tau only.
MOST_UNKNOWNS = 20_000
MOST_SECONDS = 10.0
FIRST_PART = 20.0

# An explicit method is the second solver where it needs no more steps; SciPy's Radau where there are no
# more nodes.
EXPLICIT_STEPS = 2000
RADAU_NODES = 1000

# The closed form of the equilibrium's energy is for nodes as near to rest as this.
NEAR_REST = 1e-3


@dataclass(frozen=True)
class Check:
    """One line of a certificate.

    Attributes
    ----------
    name : str
    verdict : {"pass", "fail", "not applicable"}
    figure, threshold : float
        What was found, dimensionless, and the most that passes; NaN where not applicable.
    about : str
        What the figure is, or why there is none.
    """

    name: str
    verdict: Verdict
    figure: float
    threshold: float
    about: str


@dataclass(frozen=True)
class Certificate(Result):
    """Answer to the question `certificate`.

    Attributes
    ----------
    phase : str
        The phase that was integrated again.
    span : float
        For how long, from its start, in the run's unit of time.
    whole : bool
        Whether that is all of it.
    checks : tuple of Check
    """

    question: ClassVar[str] = "certificate"

    phase: str
    span: float
    whole: bool
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.verdict != "fail" for check in self.checks)

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        counts = {word: sum(c.verdict == word for c in self.checks) for word in ("pass", "fail")}
        rest = len(self.checks) - sum(counts.values())
        part = "" if self.whole else f" (its first {self.span:g} only)"
        lines = [
            f"{'passed' if self.passed else 'FAILED'}: {counts['pass']} of {len(self.checks) - rest} checks "
            f"pass, {rest} not applicable; phase {self.phase!r} integrated again{part}"
        ]
        for c in self.checks:
            figure = "" if c.verdict == "not applicable" else f"{c.figure:.2g}, at most {c.threshold:.2g}: "
            lines.append(f"  {c.verdict:<14}  {c.name:<12}  {figure}{c.about}")
        return lines

    def tables(self) -> dict[str, Table]:
        """The table `checks`."""

        def column(name: str, align: str = "") -> Column:
            return Column(name, [getattr(check, name) for check in self.checks], name, align=align)

        short = map(column, ("name", "verdict", "figure", "threshold"))
        named = (*short, column("about", r"p{0.45\linewidth}"))
        return {
            "checks": Table("check of the run; it passes where the figure is at most the threshold", named)
        }

    def to_dict(self) -> dict[str, object]:
        """The answer as plain values, for JSON."""
        return super().to_dict() | {"passed": self.passed}


@of_run
def certificate(
    run: Run, /, phase: PhaseOption = None, span: float | None = None, method: str | None = None
) -> Certificate:
    """Check a run against theory, a tighter tolerance and a second solver.

    Parameters
    ----------
    run : Run
    phase : int, str, optional
        The phase to integrate again; the last that learns, or else the last, where left out.
    span : float, optional
        For how long, from its start; left out, the whole phase, or of a large or long one the first
        20 tau.
    method : str, optional
        The second solver; one of another library where left out.

    Returns
    -------
    Certificate

    Raises
    ------
    InputError
        If there is no such phase or method, or the span is not within the phase.
    """
    if phase is None:
        phase = last_phase(run, learn=True)
    whole, (run, phase, _) = run, as_phase(run, phase)
    start = Snapshot.start(run, phase)
    record = start.record
    lasted = record.t_end - record.t_start
    if span is not None and not 0.0 < span <= lasted:
        raise InputError("span", f"must be more than 0 and at most {lasted:g}, how long the phase lasted")
    large = record.unknowns > MOST_UNKNOWNS or record.stats.solve_seconds > MOST_SECONDS
    if span is None:
        span = min(lasted, FIRST_PART * run.network.longest_tau) if large else lasted
    end = Snapshot.of(run, start.index, record.t_start + span)
    span = end.t - start.t  # a saved time, so that there is something to compare with
    checks = [_status(whole), _residual(whole), _energy(Snapshot.of(run, start.index))]
    checks += _repeats(run, start, end, span, method)
    return Certificate(record.name, span, bool(span == lasted), tuple(checks))


def equilibrium_energy(snapshot: Snapshot) -> float:
    """F* of a linear network clamped at both ends, W = M^T, lambda_x = 0: docs/model.md, "Energy at rest".

    F* = 1/2 mean_b[r S^-1 r^T] with r = y - (feedforward output) and S = nu^n I +
    sum_l nu^l P_l^T P_l over l = 1..n-1, P_l = M^l M^{l+1} ... M^{n-1}. With fixed predictions
    F* = 1/2 mean_b[r S r^T] / (nu^n)^2: there nu^n eps^n = r, and eps^l = eps^n P_l^T.
    """
    network, weights = snapshot.network, snapshot.state.weights
    given = given_nodes(network, snapshot.phase, snapshot.batch)
    plain = (given[0], *(np.full_like(value, np.nan) for value in given[1:]))
    r = snapshot.targets - feedforward(network, weights, plain)[-1]
    P = np.eye(network.sizes[-1])
    S = network.nu[-1] * P
    for M, nu in zip(reversed(weights.M[1:]), reversed(network.nu[:-1]), strict=True):
        P = M @ P
        S = S + nu * P.T @ P
    of_r = r @ S / network.nu[-1] ** 2 if snapshot.fixed else np.linalg.solve(S, r.T).T
    return float(0.5 * np.mean(np.sum(r * of_r, axis=1)))


def difference(a: Iterable[Array], b: Iterable[Array]) -> float:
    """Largest |a - b| / (1 + |b|) over two lists of arrays; dimensionless."""
    return max(
        float(np.max(np.abs(one - other) / (1.0 + np.abs(other)))) for one, other in zip(a, b, strict=True)
    )


def _status(run: Run) -> Check:
    failed = [record.name for record in run.phases if record.status.failed]
    about = (
        f"{run.status}: {', '.join(failed)}" if failed else "phases that ended before what was asked of them"
    )
    return _check("status", float(len(failed)), 0.0, about)


def _residual(run: Run) -> Check:
    ended = [k for k, record in enumerate(run.phases) if record.status is Status.EQUILIBRIUM]
    if not ended:
        return _none("equilibrium", "no phase ended at an equilibrium")
    snapshot = with_positive_tau(Snapshot.of(run, ended[-1]))
    problem = snapshot.problem()
    # The end is where the rate crosses settle_tol, as near as a root can be found.
    threshold = 1.01 * snapshot.phase.settle_tol
    about = f"largest rate at the end of {snapshot.phase.name!r}, max |tau dz/dt| / (1 + |z|)"
    return _check("equilibrium", problem.residual(0.0, problem.y0), threshold, about)


def _energy(end: Snapshot) -> Check:
    name, network, weights = "energy", end.network, end.state.weights
    pairs = zip(weights.M, weights.feedback, strict=True)
    wanting = {
        "the network is not linear": set(network.activation) != {"identity"},
        "it is not clamped at both ends alone": set(end.phase.clamp) != {0, end.n}
        or not (end.clamped(0) and end.clamped(end.n)),
        "W is not M^T": any(not np.allclose(M.T, W, rtol=1e-9, atol=1e-12) for M, W in pairs),
        "value nodes decay": network.node_decay > 0.0,
    }
    for why, there in wanting.items():
        if there:
            return _none(name, f"no closed form of the energy at rest: {why}")
    problem = with_positive_tau(end).problem(learn=False)
    residual = problem.residual(0.0, problem.y0)
    if residual > NEAR_REST:
        return _none(name, f"the nodes of {end.phase.name!r} were not near rest at its end ({residual:.1e})")
    found, expected = float(problem.energies(0.0, problem.y0)[0].sum()), equilibrium_energy(end)
    # Roots, which are of the size of the errors: so that small energies are judged alike.
    off = abs(np.sqrt(found) - np.sqrt(expected)) / (1.0 + np.sqrt(expected))
    about = f"sqrt F beside sqrt F* of the closed form (docs/model.md, 'Energy at rest'), F* = {expected:.6g}"
    return _check(name, float(off), AGREEMENT * max(residual, 1e-12), about)


def _repeats(run: Run, start: Snapshot, end: Snapshot, span: float, method: str | None) -> Iterator[Check]:
    """The phase integrated again: tighter, by a second solver, and with W on its own."""
    names = ("tolerance", "solver", "feedback")
    why = _no_repeat(start, span)
    if why is not None:
        yield from (_none(name, why) for name in names)
        return
    rtol, atol = run.tolerances
    own = start.record.method.split(",")[0]
    second = method or _second(own, start, span)
    whole = bool(end.t == end.record.t_end)
    threshold, ends = AGREEMENT * rtol, ", weights at the end" if whole else ""
    repeats = {"tolerance": (own, 0.1), "solver": (second, 1.0)}
    for name, (used, factor) in repeats.items():
        off, compare = _beside(run, start, span)
        tight = max(factor * rtol, LEAST_RTOL)
        status, state = integrate(start, span, used, tight, factor * atol, compare=compare)
        if status.failed:
            yield Check(name, "fail", float("nan"), threshold, f"{used} ended with {status}")
            continue
        at = f" (most at t = {start.t + compare[0][int(np.argmax(off))]:g})" if off else ""
        if whole:
            off.append(difference(_weight_list(end.state), _weight_list(state)))
        beside = f"{own} at a tenth of the tolerance" if name == "tolerance" else used
        yield _check(name, max(off), threshold, f"nodes at saved times{at}{ends}, beside {beside}")
    yield _feedback(start, span, own, rtol, atol)


def _feedback(start: Snapshot, span: float, method: str, rtol: float, atol: float) -> Check:
    """W - M^T after `span`, where W has an equation of its own, beside what the equations say of it."""
    name, network, learn = "feedback", start.network, start.phase.learn
    if network.feedback != "learned" or not learn:
        return _none(name, "no invariant to test: W does not learn")
    names = learn if isinstance(learn, tuple) else network.learnable
    both = [k for k in range(network.n) if {f"M{k}", f"W{k}"} <= {*names}]
    if not both:
        return _none(name, "no invariant to test: of no link both M and W learn")
    status, state = integrate(start, span, method, rtol, atol, reduce=False)
    if status.failed or state.weights.W is None or start.state.weights.W is None:
        return Check(name, "fail", float("nan"), AGREEMENT * rtol, f"with W on its own: {status}")
    shrunk = np.exp(-network.weight_decay * span / np.array(network.deltas))
    first, last = start.state.weights, state.weights
    links = list(zip(first.M, start.state.weights.W, last.M, state.weights.W, shrunk, strict=True))
    off = [
        np.max(np.abs((W - M.T) - left * (W0 - M0.T)) / (1.0 + np.abs(W)))
        for M0, W0, M, W, left in (links[k] for k in both)
    ]
    about = (
        f"W - M^T after {span:g}, with an equation for W that runs replace by M's, beside "
        f"exp(-lambda t/delta) times the first (docs/model.md, 'Feedback that learns')"
    )
    return _check(name, float(max(off)), AGREEMENT * rtol, about)


def integrate(
    start: Snapshot,
    span: float,
    method: str,
    rtol: float,
    atol: float,
    reduce: bool = True,
    compare: Comparing | None = None,
) -> tuple[Status, State]:
    """Integrate a phase from its start for the time `span`; how that ended, and the state reached.

    `compare` has times to stop at, since the start, and a function of their index and the nodes there.
    """
    phase = replace(start.phase_as_run("a second integration"), duration=span, until=None)
    coupled = make_problem(start.network, phase, start.state, reduce=reduce)
    problem = coupled if not start.network.limit else SlowProblem(coupled)
    solver = solvers.by_name(method)
    solver.check(problem.layout)
    times, look = compare if compare is not None else (np.array([span]), lambda k, x, eps: None)

    def save(k: int, t: float, y: Array) -> None:
        look(k, *problem.nodes(t, y))

    solution = solver.solve(problem, times, solvers.Settings(rtol, atol), save, lambda *_: False)
    return solution.status, problem.state(solution.t, solution.y)


def _beside(run: Run, start: Snapshot, span: float) -> tuple[list[float], Comparing]:
    """A list that fills with differences from the nodes of `run`, and what fills it; see `integrate`."""
    rows = np.flatnonzero(run.data["phase"].to_numpy() == start.index)
    times = times_of(run, start.index) - start.t
    kept = (times > 0.0) & (times <= span)
    samples, n = slice(len(start.record.samples)), start.n
    names = [*(f"x{k}" for k in range(n + 1)), *(f"eps{k}" for k in range(1, n + 1))]
    off: list[float] = []

    def look(k: int, x: tuple[Array, ...], eps: tuple[Array, ...]) -> None:
        saved = run.data[names].isel(time=rows[kept][k], sample=samples)
        off.append(difference((saved[name].to_numpy() for name in names), (*x, *eps)))

    return off, (times[kept], look)


def _weight_list(state: State) -> list[Array]:
    return [*state.weights.M, *state.weights.feedback, *state.weights.beta]


def _no_repeat(start: Snapshot, span: float) -> str | None:
    """Why a phase cannot be integrated again, if so."""
    if not start.reproducible:
        return f"in {start.phase.name!r} {start.irreproducible}"
    if start.record.status.failed:
        return f"{start.phase.name!r} failed ({start.record.status})"
    if not span > 0.0:
        return f"no time passed in {start.phase.name!r}"
    if start.network.limit and not start.phase.learn:
        return f"nothing moves in {start.phase.name!r}: tau = 0, weights held"
    return None


def _second(own: str, start: Snapshot, span: float) -> str:
    """A solver of another library than `own`, that is up to the phase; with tau = 0, of another order."""
    if start.network.limit:
        return "RK45" if own == "DOP853" else "DOP853"
    if own != "cvode":
        return "cvode"
    problem = start.problem(reduce=True)
    if span * fastest_rate(problem) / STABLE_STEP["DOP853"] <= EXPLICIT_STEPS:
        return "DOP853"
    return "Radau" if problem.layout.node_count <= RADAU_NODES else "Kvaerno5"


def _check(name: str, figure: float, threshold: float, about: str) -> Check:
    return Check(name, "pass" if figure <= threshold else "fail", figure, threshold, about)


def _none(name: str, why: str) -> Check:
    return Check(name, "not applicable", float("nan"), float("nan"), why)

"""What is measured: networks, their data, who takes part, and what is to be reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import goals
from .case import LEARNING, SHELL, Case
from .goals import Goal

# The strongest of what could be put together without pcode: matrix-free, but with no preconditioner.
KRYLOV = ("GMRES(30)", "GMRES(60)")
# Where delta/tau is small a step of theirs may be long enough.
EXPLICIT = ("diffrax Tsit5", "SciPy DOP853")
OURS = ("cvode", "Kvaerno5", "Kvaerno3", "auto")


@dataclass(frozen=True)
class Benchmark(Case):
    """A case, and what is to be reached in it.

    Attributes
    ----------
    goals : tuple of Goal
    """

    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Suite:
    """Cases, what is to be reached over several of them, and whether to time the command line.

    Attributes
    ----------
    cases : tuple of Benchmark
    across : tuple of Goal over cases
    shell : bool
        Whether to time ``pcode run xor`` too.
    learning : bool
        Whether to measure learning from samples in turn, see `benchmarks.learning`.
    """

    cases: tuple[Benchmark, ...]
    across: tuple[goals.Flat | goals.Growth, ...] = ()
    shell: bool = False
    learning: bool = False

    def only(self, patterns: Iterable[str]) -> Suite:
        """The suite with those cases alone whose names begin with one of `patterns`."""
        begin = tuple(patterns)
        cases = tuple(case for case in self.cases if case.name.startswith(begin))
        shell = self.shell and SHELL.startswith(begin)
        names = {case.name for case in cases}
        across = tuple(goal for goal in self.across if names.issuperset(goal.cases))
        return Suite(cases, across, shell, self.learning and LEARNING.startswith(begin))


# Times faster than the better of GMRES(30) and GMRES(60), for delta/tau; "never slower" is once.
_OVER_KRYLOV = {1e2: 1.0, 1e4: 2.0, 1e6: 10.0}


@dataclass(frozen=True)
class _Extra:
    """What a case of a family has besides what all of them have."""

    methods: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    references: tuple[str, ...] = ()


def _ratio_name(ratio: float) -> str:
    return f"{ratio:.0e}".replace("e+0", "e")


def _ratios(
    sizes: tuple[int, ...], batch: int, all_of_them: _Extra, extra: dict[float, _Extra]
) -> list[Benchmark]:
    """The cases of one network, one for each delta/tau."""
    network, cases = "-".join(map(str, sizes)), []
    for ratio, factor in _OVER_KRYLOV.items():
        more = extra.get(ratio, _Extra())
        methods = (*more.methods, *all_of_them.methods, *KRYLOV, *OURS)
        over_krylov = goals.Faster("cvode", KRYLOV, factor)
        cases.append(
            Benchmark(
                name=f"{network}@{_ratio_name(ratio)}",
                sizes=sizes,
                batch=batch,
                ratio=ratio,
                methods=methods,
                references=more.references or all_of_them.references,
                goals=(over_krylov, *all_of_them.goals, *more.goals, goals.NearBest("auto", 1.5)),
            )
        )
    return cases


def _small() -> list[Benchmark]:
    shipped = (
        goals.Faster("cvode", ("SciPy BDF",), 10.0),
        goals.Faster("cvode", ("diffrax Kvaerno5",), 40.0),
        goals.Faster("Kvaerno5", ("diffrax Kvaerno5",), 40.0),
        goals.Faster("Kvaerno3", ("diffrax Kvaerno3",), 40.0),
        goals.NoMoreSteps("Kvaerno5", "diffrax Kvaerno5"),
        goals.NoMoreSteps("Kvaerno3", "diffrax Kvaerno3"),
    )
    dense = ("SciPy BDF", "CVODE dense")
    # Implicit methods as diffrax ships them take minutes here: at one ratio only.
    at_1e4 = _Extra(("diffrax Tsit5", "diffrax Kvaerno5", "diffrax Kvaerno3"), shipped)
    explicit = _Extra(EXPLICIT)
    return _ratios((8, 16, 8, 4), 4, _Extra(dense, (), ("Radau",)), {1e2: explicit, 1e4: at_1e4})


def _middle() -> list[Benchmark]:
    goal = goals.Faster("cvode", ("SciPy BDF",), 400.0)
    # What needs a dense Jacobian takes many minutes, or the time limit.
    dense = ("SciPy BDF", "diffrax Kvaerno5", "CVODE dense")
    both = _Extra((), (), ("Kvaerno5", "GMRES(60)"))
    extra = {1e2: _Extra(EXPLICIT, (), ("DOP853",)), 1e4: _Extra(dense, (goal,))}
    return _ratios((64, 32, 10), 32, both, extra)


def _large() -> list[Benchmark]:
    every = (goals.Within("cvode", 3.0), goals.Memory("cvode", 1500.0))
    both = _Extra((), every, ("Kvaerno5", "GMRES(60)"))
    dense = ("SciPy BDF", "diffrax Kvaerno5", "CVODE dense")  # refused: no memory holds the Jacobian
    extra = {1e2: _Extra(EXPLICIT), 1e4: _Extra(dense)}
    return _ratios((784, 128, 10), 64, both, extra)


def _clocks(cases: Iterable[Benchmark]) -> list[Benchmark]:
    """Fast and slaved errors on the networks of `cases`: no slower than errors with the values' clock."""
    return [
        Benchmark(
            f"{case.network}, {named}@{_ratio_name(case.ratio)}",
            case.sizes,
            case.batch,
            case.ratio,
            ("cvode",),
            goals=(goals.NoSlower("cvode", case, 1.2),),
            tau_eps=tau_eps,
        )
        for case in cases
        for named, tau_eps in (("tau_eps 1e-6", 1e-6), ("slaved", 0.0))
    ]


def _largest() -> Benchmark:
    limits = (goals.Within("cvode", 90.0), goals.Memory("cvode", 4000.0))
    return Benchmark("784-512-256-10@1e4", (784, 512, 256, 10), 128, 1e4, ("cvode",), goals=limits)


def _family() -> list[Benchmark]:
    """784-h-10 with N from 1e4 to 1e6, evenly on a logarithmic axis."""
    return [
        Benchmark(
            f"family-784-{h}-10@1e4",
            (784, h, 10),
            64,
            1e4,
            ("cvode",),
            ("Kvaerno5",) if h < 100 else (),  # beyond that a reference takes longer than it is worth
        )
        for h in (6, 18, 58, 186, 582)
    ]


def _digits() -> Benchmark:
    reach = (goals.Within("cvode", 12.0), goals.Accuracy("cvode", 0.96))
    return Benchmark(
        "digits@1e3",
        (64, 32, 10),
        1437,
        1e3,
        (*KRYLOV, "cvode"),
        ("Kvaerno5",),
        rtol=1e-4,
        horizon=1000.0,
        data="digits",
        goals=reach,
    )


def full() -> Suite:
    """Everything that is to be reached."""
    networks = [_small(), _middle(), _large()]
    family = _family()
    flat = [goals.Flat("cvode", tuple(case.name for case in cases), 1.5) for cases in networks]
    growth = goals.Growth("cvode", tuple(case.name for case in family), 1.1)
    clocks = _clocks(cases[1] for cases in networks)
    cases = (*(case for cases in networks for case in cases), *clocks, _largest(), *family, _digits())
    return Suite(cases, (*flat, growth), shell=True, learning=True)


def quick() -> Suite:
    """Two tiny networks, to prove that it all runs; their ratios mean nothing."""
    methods = ("SciPy BDF", "diffrax Kvaerno5", "CVODE dense", "GMRES(30)", "cvode", "Kvaerno5", "auto")
    reach = (goals.Faster("cvode", ("GMRES(30)",), 1.0), goals.NearBest("auto", 1.5))
    first = Benchmark("3-5-2@1e2", (3, 5, 2), 2, 1e2, methods, ("Radau",), horizon=5.0, goals=reach)
    second = Benchmark("2-3-1@1e4", (2, 3, 1), 2, 1e4, ("GMRES(30)", "cvode"), ("Radau",), horizon=5.0)
    return Suite((first, second), (goals.Growth("cvode", (second.name, first.name), 1.1),))

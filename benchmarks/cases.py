"""What is measured: networks, their data, who takes part, and what is to be reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from . import goals
from .goals import Goal

Data = Literal["random", "digits", "timescales"]

# The strongest of what could be put together without pcode: matrix-free, but with no preconditioner.
KRYLOV = ("GMRES(30)", "GMRES(60)")
# Where delta/tau is small a step of theirs may be long enough.
EXPLICIT = ("diffrax Tsit5", "SciPy DOP853")
OURS = ("cvode", "Kvaerno5", "Kvaerno3", "auto")


@dataclass(frozen=True)
class Case:
    """One network with its data, horizon and tolerance, and the methods that are to solve it.

    Both ends are clamped, the feedback is learned, sigma is tanh, nu = tau = 1.

    Attributes
    ----------
    name : str
        The network, and delta/tau after an @.
    sizes : tuple of int
        n_0..n_n.
    batch : int
        Number of samples.
    ratio : float
        delta/tau.
    methods : tuple of str
        In the order of the table; see `contenders.GENERIC` for those that are not pcode's.
    references : tuple of str
        Tight-tolerance references, see `references.REFERENCES`; a method is compared with the first
        of another family than its own.
    goals : tuple of Goal
        What is to be reached.
    rtol : float
        Relative tolerance; the absolute one is a thousandth of it.
    horizon : float
        Length of the run, in units of delta.
    data : {"random", "digits", "timescales"}
        Normal numbers; all images but 360, which are held back; or those of the shipped scenario.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    ratio: float
    methods: tuple[str, ...]
    references: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    rtol: float = 1e-6
    horizon: float = 20.0
    data: Data = "random"

    @property
    def network(self) -> str:
        """The case's name without delta/tau."""
        return self.name.partition("@")[0]

    @property
    def unknowns(self) -> int:
        """Number N of unknowns, none of them reduced away."""
        links = sum(a * b for a, b in pairwise(self.sizes))
        free, errors = sum(self.sizes[1:-1]), sum(self.sizes[1:])
        return self.batch * (free + errors) + 2 * links + errors


@dataclass(frozen=True)
class Suite:
    """Cases, what is to be reached over several of them, and whether to time the command line.

    Attributes
    ----------
    cases : tuple of Case
    across : tuple of Goal over cases
    shell : bool
        Whether to time ``pcode run xor`` too.
    """

    cases: tuple[Case, ...]
    across: tuple[goals.Flat | goals.Growth, ...] = ()
    shell: bool = False

    def only(self, patterns: Iterable[str]) -> Suite:
        """The suite with those cases alone whose names begin with one of `patterns`."""
        begin = tuple(patterns)
        cases = tuple(case for case in self.cases if case.name.startswith(begin))
        shell = self.shell and SHELL.startswith(begin)
        names = {case.name for case in cases}
        across = tuple(goal for goal in self.across if names.issuperset(goal.cases))
        return Suite(cases, across, shell)


SHELL = "pcode run xor"

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
) -> list[Case]:
    """The cases of one network, one for each delta/tau."""
    network, cases = "-".join(map(str, sizes)), []
    for ratio, factor in _OVER_KRYLOV.items():
        more = extra.get(ratio, _Extra())
        methods = (*more.methods, *all_of_them.methods, *KRYLOV, *OURS)
        over_krylov = goals.Faster("cvode", KRYLOV, factor)
        cases.append(
            Case(
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


def _small() -> list[Case]:
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


def _middle() -> list[Case]:
    goal = goals.Faster("cvode", ("SciPy BDF",), 400.0)
    # What needs a dense Jacobian takes many minutes, or the time limit.
    dense = ("SciPy BDF", "diffrax Kvaerno5", "CVODE dense")
    both = _Extra((), (), ("Kvaerno5", "GMRES(60)"))
    extra = {1e2: _Extra(EXPLICIT, (), ("DOP853",)), 1e4: _Extra(dense, (goal,))}
    return _ratios((64, 32, 10), 32, both, extra)


def _large() -> list[Case]:
    every = (goals.Within("cvode", 3.0), goals.Memory("cvode", 1500.0))
    both = _Extra((), every, ("Kvaerno5", "GMRES(60)"))
    dense = ("SciPy BDF", "diffrax Kvaerno5", "CVODE dense")  # refused: no memory holds the Jacobian
    extra = {1e2: _Extra(EXPLICIT), 1e4: _Extra(dense)}
    return _ratios((784, 128, 10), 64, both, extra)


def _largest() -> Case:
    limits = (goals.Within("cvode", 90.0), goals.Memory("cvode", 4000.0))
    return Case("784-512-256-10@1e4", (784, 512, 256, 10), 128, 1e4, ("cvode",), (), limits)


def _family() -> list[Case]:
    """784-h-10 with N from 1e4 to 1e6, evenly on a logarithmic axis."""
    return [
        Case(
            f"family-784-{h}-10@1e4",
            (784, h, 10),
            64,
            1e4,
            ("cvode",),
            ("Kvaerno5",) if h < 100 else (),  # beyond that a reference takes longer than it is worth
        )
        for h in (6, 18, 58, 186, 582)
    ]


def _digits() -> Case:
    reach = (goals.Within("cvode", 12.0), goals.Accuracy("cvode", 0.96))
    return Case(
        "digits@1e3",
        (64, 32, 10),
        1437,
        1e3,
        (*KRYLOV, "cvode"),
        ("Kvaerno5",),
        reach,
        rtol=1e-4,
        horizon=1000.0,
        data="digits",
    )


def full() -> Suite:
    """Everything that is to be reached."""
    networks = [_small(), _middle(), _large()]
    family = _family()
    flat = [goals.Flat("cvode", tuple(case.name for case in cases), 1.5) for cases in networks]
    growth = goals.Growth("cvode", tuple(case.name for case in family), 1.1)
    cases = (*(case for cases in networks for case in cases), _largest(), *family, _digits())
    return Suite(cases, (*flat, growth), shell=True)


def quick() -> Suite:
    """Two tiny networks, to prove that it all runs; their ratios mean nothing."""
    methods = ("SciPy BDF", "diffrax Kvaerno5", "CVODE dense", "GMRES(30)", "cvode", "Kvaerno5", "auto")
    reach = (goals.Faster("cvode", ("GMRES(30)",), 1.0), goals.NearBest("auto", 1.5))
    first = Case("3-5-2@1e2", (3, 5, 2), 2, 1e2, methods, ("Radau",), reach, horizon=5.0)
    second = Case("2-3-1@1e4", (2, 3, 1), 2, 1e4, ("GMRES(30)", "cvode"), ("Radau",), (), horizon=5.0)
    return Suite((first, second), (goals.Growth("cvode", (second.name, first.name), 1.1),))

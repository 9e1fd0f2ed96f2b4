"""Runs that are interrupted at random instants and gone on with, against the uninterrupted ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import pcode
from pcode.solvers import StochasticSolver, base

from .tally import Tally

# Methods for noise look for no rest, and are resumed along their own paths in tests/test_noise.py.
DETERMINISTIC = [name for name, one in pcode.METHODS.items() if not isinstance(one, StochasticSolver)]

RTOL = 1e-6

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])

# Seconds that a case may take, which is several runs.
SECONDS = 120.0


@dataclass(frozen=True)
class Case:
    """The arguments of `pcode.simulate`, and what is special about them."""

    name: str
    network: pcode.Network
    phases: list[pcode.Phase]
    method: str = "cvode"
    more: dict[str, Any] = field(default_factory=dict)

    def simulate(self, **ways: Any) -> pcode.Run:
        """Its run; `ways` are more arguments of `pcode.simulate`."""
        weights = self.network.init_weights(0, W="independent")
        given = {"weights": weights, "method": self.method, "rtol": RTOL, "atol": 1e-9} | self.more
        return pcode.simulate(self.network, self.phases, **given, **ways)


def network(activation: str = "tanh", **options: Any) -> pcode.Network:
    """A small network."""
    given = {"tau": 1.0, "delta": 20.0, "nu": 0.5, "weight_decay": 0.01} | options
    return pcode.Network((2, 4, 1), activation, **given)


def shown(**options: Any) -> pcode.Phase:
    """A phase that shows samples one after another."""
    presentation = pcode.Presentation(**{"size": 2, "hold": 3.0, "passes": 3, "order": "shuffled"} | options)
    return pcode.Phase("shown", {0: X, 2: Y}, presentation=presentation)


def cases(method: str) -> Iterator[Case]:
    """Short runs of all kinds that a method can do."""
    rest = pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=300.0)
    train = pcode.Phase("train", {0: X, 2: Y}, duration=30.0)
    yield Case("constant clamps, then to rest", network(), [train, rest], method)
    jumps = pcode.TimeSeries([0.0, 6.0, 6.0, 12.0], [X, X, 1.0 - X, X])
    partly = np.where([[True], [False], [True], [False]], Y, np.nan)
    series = pcode.Phase("series", {0: jumps, 2: partly}, duration=20.0, learn=["M1", "beta1"])
    yield Case("time series, a list of what learns, nodes clamped in part", network(), [series], method)
    wave = pcode.Phase("wave", {0: pcode.Expression(["sin(t)", "0.5"]), 2: Y}, duration=15.0)
    probes = {"norms": pcode.Probe("norms", at="weights"), "x": lambda state, context: state.x[1]}
    yield Case("functions of time, probes, kinks", network("relu"), [wave], method, {"probes": probes})
    mask = [np.array([[1, 0, 1, 0], [0, 1, 1, 1]], bool), None]
    ramps = shown(ramp=0.5)
    save = pcode.Save(nodes=40, presentations=3, presentation_nodes="full")
    masked = network(mask=mask, nu=(0.5, 1.0))
    yield Case("presentations with ramps", masked, [ramps, rest], method, {"save": save})
    anew = shown(hold="equilibrium", limit=40.0, nodes="zero", order="given", size=3)
    judged = {"probes": {"loss": pcode.Probe("loss", data=(X, Y), presentations=2)}}
    yield Case("presentations until rest", network("relu"), [anew], method, judged)


def limit(method: str) -> Iterator[Case]:
    """Runs of the limit tau = 0."""
    train = pcode.Phase("train", {0: X, 2: Y}, duration=30.0)
    yield Case("tau = 0", network(tau=0.0), [train], method)
    jumps = pcode.TimeSeries([0.0, 6.0, 6.0, 12.0], [X, X, 1.0 - X, X])
    series = pcode.Phase("series", {0: jumps, 2: Y}, duration=20.0)
    yield Case("tau = 0, time series", network(tau=0.0), [series, shown()], method)


class Stops:
    """Stops a run after so many questions whether to stop."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        """Whether it is to stop."""
        self.left -= 1
        return self.left < 0


def questions(case: Case) -> int:
    """How often a run is asked whether to stop."""
    never = Stops(10**9)
    case.simulate(stop=never)
    return 10**9 - never.left


def interrupted(case: Case, afters: list[int], file: Path) -> pcode.Run:
    """The run of a case, interrupted after each of so many questions and gone on with from the file."""
    run = case.simulate(stop=Stops(afters[0]))
    for after in [*afters[1:], None]:
        if run.status != "interrupted":
            break
        run.save(file)
        run = case.simulate(resume=file, stop=None if after is None else Stops(after))
    return run


def check_same(run: pcode.Run, whole: pcode.Run) -> None:
    """Assert that a run that was gone on with is the uninterrupted one, within 10 rtol, and in order.

    It takes the same steps, but by LSODA, whose code keeps more than it can be begun with.
    """
    same_steps = "LSODA" not in {record.method for record in whole.phases}
    assert list(run.data.variables) == list(whole.data.variables), "variables"
    for name, values in whole.data.variables.items():
        own = run.data[name]
        assert own.dims == values.dims
        np.testing.assert_allclose(own, values, rtol=10 * RTOL, atol=10 * RTOL, err_msg=str(name))
        assert dict(own.attrs) == dict(values.attrs)
    assert (np.diff(run.data["time"]) > 0.0).all()
    assert list(run.groups) == list(whole.groups)
    assert not same_steps or run.solver.sizes == whole.solver.sizes, "steps"
    assert run.data.attrs.keys() == whole.data.attrs.keys()
    for name in ("status", "method", "method_reason", "notes", "network"):
        assert run.data.attrs[name] == whole.data.attrs[name], name
    assert len(run.phases) == len(whole.phases)
    for one, other in zip(run.phases, whole.phases, strict=True):
        assert (one.name, one.status) == (other.name, other.status)
        np.testing.assert_allclose((one.t_start, one.t_end), (other.t_start, other.t_end), rtol=10 * RTOL)
        own, theirs = ((r.stats.steps, r.presented, r.at_limit) for r in (one, other))
        assert own[1:] == theirs[1:], one.name
        assert not same_steps or own[0] == theirs[0], one.name
        assert one.probes.keys() == other.probes.keys(), one.name


def resumes(count: int, seed: int) -> Tally:
    """Interrupt so many runs of random cases at random instants, one to three times each."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for k in range(seed, seed + count):
            rng = np.random.default_rng(k)
            case = random_case(rng)

            def act(case: Case = case, rng: np.random.Generator = rng) -> str:
                with renewed(int(rng.integers(5, 60))):
                    whole, most = case.simulate(), questions(case)
                    afters = rng.integers(0, most, int(rng.integers(1, 4))).tolist()
                    check_same(interrupted(case, afters, Path(folder) / "run.nc"), whole)
                return case.method

            tally.case(f"{k}: {case.method}, {case.name}", act, SECONDS)
    return tally


@contextmanager
def renewed(steps: int) -> Iterator[None]:
    """A stretch in which integrations begin anew after so many steps: runs go on from there."""
    before, base.RENEWED = base.RENEWED, steps
    try:
        yield
    finally:
        base.RENEWED = before


def random_case(rng: np.random.Generator) -> Case:
    """A case of a random method."""
    method = str(rng.choice([name for name in DETERMINISTIC if name != "auto"]))
    of_limit = method in ("RK45", "DOP853") and rng.random() < 0.3
    found = list(limit(method) if of_limit else cases(method))
    return found[int(rng.integers(len(found)))]

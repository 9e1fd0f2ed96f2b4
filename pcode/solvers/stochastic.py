"""diffrax's methods for noise on the nodes: ShARK, SPaRK, SRA1 and EulerHeun.

The noise is additive and the same at all times, so that Ito's and Stratonovich's equations are the same.
Steps are adaptive, or all of one length. No node is held at a kink of its activation: noise takes it away
from there at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..base._jax import compiled, jax, jnp
from ..base.status import SolverStats, Status
from ..model.network import Array
from ..model.state import Layout
from ..system.coupled import Parameters, Structure, System
from ..system.problem import Problem
from .base import IVP, OnSave, OnStep, Settings, Solution, coupled, integrate, next_stop, refuse_without_nodes
from .stepping import BURST, Carry, Tolerances, begun, padded, step

# Gains of the controller of adaptive steps, on the last error and the one before: smoother than for equations
# without noise, whose steps may follow every error (as diffrax's documentation recommends).
GAINS: dict[str, Any] = {"pcoeff": 0.1, "icoeff": 0.3}

# Evaluations of the rates in a step.
STAGES = {"ShARK": 2, "SRA1": 2, "SPaRK": 3, "EulerHeun": 1}

# The first of adaptive steps, in units of the shortest time constant.
FIRST = 1e-2

# How far a time may be from a whole number of steps that is meant, in steps.
NEAR = 1e-6


def _method(name: str, structure: Structure, p: Parameters, path: Any) -> tuple[Any, Any]:
    """The method and its equation; as diffrax calls them, solver and terms."""
    import diffrax  # here because the import takes half a second

    from .wiener import NodeNoise

    amplitude = System(structure, p).noise()
    drift = diffrax.ODETerm(lambda t, y, args: System(structure, args).rhs(t, y))
    noise = NodeNoise(amplitude, path, structure.layout.size - amplitude.size)
    kind = getattr(diffrax, name)
    solver = kind() if name == "EulerHeun" else kind(scan_kind="lax")
    return solver, diffrax.MultiTerm(drift, noise)


def _shape(name: str, structure: Structure, p: Parameters) -> Any:
    from .wiener import Shape

    return Shape(System(structure, p).noise().size, name != "EulerHeun")


@compiled(static_argnames=("name", "structure"))
def _steps(
    name: str, structure: Structure, y: Any, first: Any, count: Any, length: Any, key: Any, p: Parameters
) -> tuple[Any, Any, Any]:
    """Take `count` steps after the first `first` ones, or fewer if the unknowns are not finite.

    Returns how many were taken, and the unknowns before the last of them and after it.
    """
    from .wiener import Whole

    solver, terms = _method(name, structure, p, Whole(_shape(name, structure, p), key, length))

    def going(carry: tuple[Any, Any, Any]) -> Any:
        k, _, y = carry
        return (k < count) & jnp.isfinite(y).all()

    def one(carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        k, _, y = carry
        t0, t1 = (first + k) * length, (first + k + 1) * length
        return k + 1, y, solver.step(terms, t0, t1, y, p, None, False)[0]

    taken: tuple[Any, Any, Any] = jax.lax.while_loop(going, one, (jnp.zeros((), int), y, y))
    return taken


@compiled(static_argnames=("name", "structure"))
def _part(
    name: str, structure: Structure, y: Any, t0: Any, t1: Any, length: Any, key: Any, p: Parameters
) -> Any:
    """The unknowns at `t1`, by one step from `t0`, both within what would be one step."""
    from .wiener import Part

    solver, terms = _method(name, structure, p, Part(_shape(name, structure, p), key, length))
    return solver.step(terms, t0, t1, y, p, None, False)[0]


class _Fixed:
    """Steps of one length, as a `Stepper`; they are shorter before a time that no step may cross."""

    order: int | None = None

    def __init__(self, name: str, problem: Problem, settings: Settings) -> None:
        assert settings.step is not None
        self._static, self._length, self._most = (name, problem.structure), settings.step, settings.max_steps
        self._key, self.steps = path_key(settings), 0
        self._begin(problem)

    def _begin(self, problem: Problem) -> None:
        self._problem = problem
        self.t_before = self.t = problem.start
        self.y = self._y_before = np.asarray(problem.y0)
        self._ends: list[float] = []

    def restart(self, problem: IVP) -> None:
        self._begin(without_modes(problem, self._static[0]))

    @property
    def _how(self) -> tuple[Any, ...]:
        return self._length, self._key, self._problem.there.parameters

    def advance(self, until: float) -> Status | None:
        length, stop = self._length, next_stop(self._problem, self.t)
        done = round(self.t / length)
        if abs(self.t / length - done) > NEAR:  # after a stop between two ends of steps
            self._short(min((np.floor(self.t / length) + 1.0) * length, stop))
            return None
        whole = int((stop - self.t) / length + NEAR)
        if whole < 1:
            self._short(stop)
            return None
        wanted = max(1, int(np.ceil((until - self.t) / length - NEAR)))
        count = min(wanted, whole, BURST, self._most - self.steps)
        taken, before, y = _steps(*self._static, self.y, done, count, *self._how)
        taken = int(taken)
        self._ends = [(done + k) * length for k in range(1, taken + 1)]
        if abs(self._ends[-1] - stop) <= NEAR * length:
            self._ends[-1] = stop
        self.t_before = self._ends[-2] if taken > 1 else self.t
        self._take(self._ends[-1], np.asarray(before), np.asarray(y), taken)
        return None

    def _short(self, end: float) -> None:
        y = _part(*self._static, self.y, self.t, end, *self._how)
        self.t_before, self._ends = self.t, [end]
        self._take(end, self.y, np.asarray(y), 1)

    def _take(self, t: float, before: Array, y: Array, count: int) -> None:
        self.t, self._y_before, self.y = t, before, y
        self.steps += count

    def ends(self) -> Sequence[float]:
        return self._ends

    def compile(self, times: Array) -> None:
        """Compile what will be needed, without advancing."""
        jax.block_until_ready(_steps(*self._static, self.y, 0, 0, *self._how))
        parts = np.concatenate([times, self._problem.schedule.stops]) / self._length
        if (np.abs(parts - np.round(parts)) > NEAR).any():
            _part(*self._static, self.y, 0.0, 0.5 * self._length, *self._how)

    def interpolate(self, t: float) -> Array:
        if abs(t - self.t) <= NEAR * self._length:
            return self.y
        if t <= self.t_before:
            return self._y_before
        return np.asarray(_part(*self._static, self._y_before, self.t_before, float(t), *self._how))

    def draw(self, t: float) -> Array:
        return self.interpolate(t)

    def stats(self) -> SolverStats:
        return _stats(self._static[0], self.steps, 0)


def _stats(name: str, steps: int, rejected: int) -> SolverStats:
    return SolverStats(steps, rejected, STAGES[name] * (steps + rejected), 0)


class _Path(NamedTuple):
    """The path of adaptive steps, as `wiener.Tree` has it, and the first step."""

    key: Any
    duration: Any
    tol: Any
    first: Any


def _parts(
    name: str, structure: Structure, p: Parameters, path: _Path, tolerances: Tolerances
) -> tuple[Any, Any, Any]:
    """As `stepping.parts`: the method, its controller of steps, and its equation."""
    import diffrax

    from .wiener import Tree

    tree = Tree(_shape(name, structure, p), path.key, path.duration, path.tol)
    solver, terms = _method(name, structure, p, tree)
    options: dict[str, Any] = {"rtol": tolerances.rtol, "atol": tolerances.atol, "norm": tolerances.norm}
    return solver, diffrax.PIDController(**options, **GAINS), terms


@compiled(static_argnames=("name", "structure"))
def _begin(
    name: str, structure: Structure, y0: Any, t0: Any, t1: Any, p: Parameters, path: _Path, tol: Tolerances
) -> Carry:
    return begun(_parts(name, structure, p, path, tol), y0, t0, t1, p, path.first)


@compiled(static_argnames=("name", "structure"))
def _burst(
    name: str,
    structure: Structure,
    carry: Carry,
    until: Any,
    stops: Any,
    most: Any,
    p: Parameters,
    path: _Path,
    tol: Tolerances,
) -> Carry:
    """Step until `until` is reached or `most` steps are tried; no step crosses one of the times `stops`."""
    method = _parts(name, structure, p, path, tol)
    first, kept_before = carry.steps + carry.rejected, carry.steps

    def going(c: Carry) -> Any:
        tried = c.steps + c.rejected - first
        able = jnp.isfinite(c.y).all() & (c.t_next > c.t)
        return (tried == 0) | ((c.t < until) & (tried < most) & able)

    last: Carry = jax.lax.while_loop(going, lambda c: step(method, p, stops, c.steps - kept_before, c), carry)
    return last


@compiled(static_argnames=("name", "structure"))
def _reach(
    name: str, structure: Structure, c: Carry, t: Any, p: Parameters, path: _Path, tol: Tolerances
) -> Any:
    """The unknowns at `t` in the last step, by a shorter one along the same path."""
    solver, _, terms = _parts(name, structure, p, path, tol)
    return solver.step(terms, c.t_before, t, c.dense_info["y0"], p, None, False)[0]


class _Adaptive:
    """Adaptive steps, as a `Stepper`."""

    order: int | None = None

    def __init__(self, name: str, problem: Problem, settings: Settings) -> None:
        from .wiener import OF_TAU

        self._static, self._most = (name, problem.structure), settings.max_steps
        self._tolerances = Tolerances(settings.rtol, settings.atol, problem.stands_for)
        tau = _shortest(problem)
        self._path = _Path(path_key(settings), problem.duration, OF_TAU * tau, FIRST * tau)
        self._stops = padded(problem.schedule.stops, problem.duration)
        self._begin(problem)

    def _begin(self, problem: Problem, **counts: Any) -> None:
        self._problem = problem
        span = (problem.start, next_stop(problem, problem.start))
        carry: Carry = _begin(*self._static, problem.y0, *span, *self._how)
        self._carry = carry._replace(**counts)
        self._read()

    @property
    def _how(self) -> tuple[Any, ...]:
        return self._problem.there.parameters, self._path, self._tolerances

    def restart(self, problem: IVP) -> None:
        before = self._carry
        self._begin(without_modes(problem, self._static[0]), steps=before.steps, rejected=before.rejected)

    def _read(self) -> None:
        c = self._carry
        self.t_before, self.t, self.y = float(c.t_before), float(c.t), np.asarray(c.y)
        self.steps = int(c.steps)

    def advance(self, until: float) -> Status | None:
        before = self.steps
        self._carry = self._burst(until, min(BURST, self._most - self.steps))
        self._read()
        self._taken = self.steps - before
        if not float(self._carry.t_next) > self.t and self.t < self._problem.duration:
            return Status.STEP_TOO_SMALL
        return None

    def _burst(self, until: float, most: int) -> Carry:
        carry: Carry = _burst(*self._static, self._carry, float(until), self._stops, most, *self._how)
        return carry

    def ends(self) -> Sequence[float]:
        ends: list[float] = np.asarray(self._carry.ends)[: self._taken].tolist()
        return ends

    def compile(self, times: Array) -> None:
        """Compile what will be needed, without advancing."""
        jax.block_until_ready(self._burst(0.0, 1))
        _reach(*self._static, self._carry, float(self.t), *self._how)

    def interpolate(self, t: float) -> Array:
        if t == self.t:
            return self.y
        return np.asarray(_reach(*self._static, self._carry, float(t), *self._how))

    def draw(self, t: float) -> Array:
        return self.interpolate(t)

    def stats(self) -> SolverStats:
        return _stats(self._static[0], self.steps, int(self._carry.rejected))


def path_key(settings: Settings) -> Any:
    """The key of the random numbers of what is integrated."""
    key = jax.random.key(settings.seed)
    for number in settings.path:
        key = jax.random.fold_in(key, number)
    return key


def without_modes(problem: IVP, name: str) -> Problem:
    """The coupled problem with no node held at a kink."""
    problem = coupled(problem, name)
    return replace(problem, system=problem.system.without_modes) if problem.kinked else problem


def _shortest(problem: Problem) -> float:
    """The smallest time constant of a node."""
    clocks = problem.layout.clocks(*problem.constants.times)
    return float(np.min(clocks[: problem.layout.node_count], initial=np.inf))


@dataclass(frozen=True)
class StochasticSolver:
    """A method of diffrax for additive noise (Foster et al. 2023, Roessler 2010).

    Attributes
    ----------
    name : str
    adaptive : bool
        Whether it estimates the errors of its steps.
    """

    name: str
    adaptive: bool
    implicit: bool = False

    def check(self, layout: Layout) -> None:
        """Refuse the limit tau = 0."""
        refuse_without_nodes(self.name, layout)

    def solve(self, problem: IVP, times: Array, settings: Settings, save: OnSave, watch: OnStep) -> Solution:
        """See `Solver.solve`."""
        problem = without_modes(problem, self.name)
        began = time.perf_counter()
        kind = _Adaptive if settings.step is None else _Fixed
        stepper = kind(self.name, problem, settings)
        stepper.compile(times)
        compiled = time.perf_counter()
        return integrate(stepper, problem, times, settings, save, watch).timed(compiled - began, compiled)

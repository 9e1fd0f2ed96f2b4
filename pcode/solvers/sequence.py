"""Presentations one after another, in one loop of compiled code, by diffrax's methods.

Each is integrated with steps chosen anew, exactly as if it were a phase of its own, and the next starts from
what it reaches. Whatever is out of the ordinary in one, such as a step that fails, ends the loop before that
presentation, and `pcode.simulation.presenting` hands it to the general loop of `base.integrate`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base._jax import compiled, jax, jnp
from ..model.network import Array
from ..model.state import State
from ..system import kinks
from ..system.coupled import Parameters, Structure, System
from ..system.showing import Layers, Showing
from .base import DIVERGED, INSIDE, LARGEST, kink_share, kink_tolerance
from .settings import Settings
from .stepping import Carry, Kind, Tolerances, begin, interpolate, largest_excess, parts
from .stepping import step as stepped

# Most guesses at the time of an event within a step. Every second one halves the interval: `kinks.excess` may
# be a million times as steep on one side of its root.
MOST_GUESSES, HALVE_EVERY = 104, 2

# How near the logarithm of the residual must be to that of settle_tol.
REST_RTOL = 1e-6


class Rules(NamedTuple):
    """When steps are accepted and presentations end; numbers that compiled code takes as arguments.

    Attributes
    ----------
    rtol, atol : float
    hold : float
        How long each presentation lasts, at most.
    settle_tol : float
        Residual at which one ends; negative if it is to last its full time.
    kink_tolerance : float
        See `base.kink_tolerance`.
    """

    rtol: Any
    atol: Any
    hold: Any
    settle_tol: Any
    kink_tolerance: Any


class Progress(NamedTuple):
    """How far a sequence has come.

    Attributes
    ----------
    state : State
        What the last presentation reached.
    before : tuple of arrays, shapes (B, n_l)
        Clamped values of that presentation, layers 0..n; NaN where there was none.
    shown : scalar
        Number of presentations that ended as they should.
    stuck : scalar
        Whether the next one has to be integrated by the general loop.
    ends : array, shape (K,)
        How long each lasted.
    steps, rejected : array, shape (K,)
        Steps of each.
    settled : array, shape (K,)
        Whether each ended at rest.
    """

    state: State
    before: Layers
    shown: Any
    stuck: Any
    ends: Any
    steps: Any
    rejected: Any
    settled: Any


class _Run(NamedTuple):
    """A presentation that is being integrated."""

    carry: Carry
    p: Parameters
    at_rest: Any
    lost: Any


@compiled(static_argnames=("kind", "rests"))
def show(
    kind: Kind,
    rests: bool,
    showing: Showing,
    rules: Rules,
    data: Layers,
    rows: Any,
    count: Any,
    given: Any,
    most: Any,
    state: State,
    before: Layers,
) -> Progress:
    """Integrate presentations in turn.

    Parameters
    ----------
    kind : Kind
        The method.
    rests : bool
        Whether presentations end at rest.
    showing : Showing
    rules : Rules
    data : tuple of arrays, shapes (S, n_l)
        Clamped values of all samples, NaN where free.
    rows : array, shape (K, B)
        Samples of each presentation.
    count : scalar
        Number of presentations, at most K.
    given : scalar
        Whether `state` is where the first of them starts, and not where the one before ended.
    most : scalar
        Most steps of each.
    state : State
    before : tuple of arrays, shapes (B, n_l)
    """

    def clamp_of(k: Any) -> Layers:
        return tuple(values[rows[k]] for values in data)

    def going(c: Progress) -> Any:
        return (c.shown < count) & ~c.stuck

    def one(c: Progress) -> Progress:
        k, clamp = c.shown, clamp_of(c.shown)
        first = given & (k == 0)
        start = jax.tree.map(lambda a, b: jnp.where(first, a, b), c.state, showing.start(c.state, clamp))
        end, t, run = _present(kind, rests, showing, rules, start, clamp, c.before, most)
        good = ~run.lost
        kept, clamps = jax.tree.map(
            lambda new, old: jnp.where(good, new, old), (end, clamp), (c.state, c.before)
        )
        return Progress(
            kept,
            clamps,
            k + good,
            run.lost,
            c.ends.at[k].set(t),
            c.steps.at[k].set(run.carry.steps),
            c.rejected.at[k].set(run.carry.rejected),
            c.settled.at[k].set(run.at_rest),
        )

    none, whole = jnp.zeros(len(rows)), jnp.zeros(len(rows), int)
    begun = Progress(
        state, before, jnp.asarray(0), jnp.asarray(False), none, whole, whole, jnp.zeros(len(rows), bool)
    )
    reached: Progress = jax.lax.while_loop(going, one, begun)
    return reached


def _present(
    kind: Kind,
    rests: bool,
    showing: Showing,
    rules: Rules,
    start: State,
    clamp: Layers,
    before: Layers,
    most: Any,
) -> tuple[State, Any, _Run]:
    """The state that a presentation reaches, how long it lasted, and its integration."""
    system, y0, reduction = showing.problem(start, clamp, before)
    structure = system.structure
    tolerances = Tolerances(rules.rtol, rules.atol, reduction.stands_for(system.layout, jnp))
    stops = showing.stops(clamp, before, rules.hold)
    constant_from = showing.ramp if showing.ramped else 0.0
    bound = _bound(y0, clamp, before)

    def moving(t: Any, y: Any, p: Parameters) -> Any:
        there = System(structure, p)
        return (t < constant_from) | (there.residual(t, y) > rules.settle_tol)

    def going(run: _Run) -> Any:
        return (run.carry.t < rules.hold) & ~run.at_rest & ~run.lost

    def step(run: _Run) -> _Run:
        c, p = stepped(parts(kind, structure, tolerances), run.p, stops, 0, run.carry), run.p
        lost = (c.steps + c.rejected >= most) & (c.t < rules.hold)
        lost |= ~(c.t_next > c.t) & (c.t < rules.hold)
        if p.mode is not None:
            c, p = _switched(kind, structure, rules, tolerances, stops, c, p)
        lost |= ~(jnp.abs(c.y).max(initial=0.0) < bound)
        still = ~moving(c.t, c.y, p) if rests else jnp.asarray(False)
        return _Run(c, p, still, lost)

    begun = begin(kind, structure, y0, 0.0, stops[0], system.parameters, tolerances)
    at_rest = ~moving(0.0, y0, system.parameters) if rests else jnp.asarray(False)
    fine = jnp.isfinite(system.rhs(0.0, y0)).all()
    run: _Run = jax.lax.while_loop(going, step, _Run(begun, system.parameters, at_rest, ~fine))
    c, p = run.carry, run.p
    t, y = c.t, c.y
    if rests:
        t, y = _at_rest(kind, structure, rules, tolerances, constant_from, c, p, run.at_rest)
        # To come to rest may take more than steps, see `floor`.
        run = run._replace(lost=run.lost | ~run.at_rest)
    reached = System(structure, p).state(t, y)
    end = State(*reduction.nodes(reached), reduction.weights(t, reached.weights, jnp))
    return end, t, run


def _bound(y0: Any, clamp: Layers, before: Layers) -> Any:
    """The absolute value above which the unknowns count as diverged, as `base.divergence_bound`."""
    sizes = [jnp.nanmax(jnp.abs(a), initial=0.0) for a in (y0, *clamp, *before)]
    largest = jnp.nan_to_num(jnp.stack(sizes)).max()
    return jnp.minimum(LARGEST, DIVERGED * jnp.maximum(1.0, largest))


def _root(f: Any, low: Any, high: Any, enough: Any) -> Any:
    """A time from `low` to `high` at which |f| is at most `enough`; `f` is negative before, positive after.

    By the Illinois variant of the false position (Dowell and Jarratt 1971), with a halving where that would
    leave the interval, and for every second guess. If none comes near, the end of the interval to which these
    lead, to rounding.
    """

    def going(carry: Any) -> Any:
        _, value, ends, k = carry
        return (jnp.abs(value) > enough) & (k < MOST_GUESSES) & (ends[1] > ends[0])

    def guess(carry: Any) -> Any:
        _, _, (a, b, fa, fb, side), k = carry
        middle = 0.5 * (a + b)
        crossing = b - fb * (b - a) / (fb - fa)
        t = jnp.where((crossing > a) & (crossing < b) & (k % HALVE_EVERY > 0), crossing, middle)
        value = f(t)
        late = value > 0.0
        # Twice on the same side: the value at the other end counts half.
        fa = jnp.where(late, jnp.where(side > 0, 0.5 * fa, fa), value)
        fb = jnp.where(late, value, jnp.where(side < 0, 0.5 * fb, fb))
        a, b = jnp.where(late, a, t), jnp.where(late, t, b)
        return t, value, (a, b, fa, fb, jnp.where(late, 1, -1)), k + 1

    begun = (low, high, f(low), f(high), jnp.asarray(0))
    t, value, ends, _ = jax.lax.while_loop(going, guess, (high, jnp.asarray(jnp.inf), begun, jnp.asarray(1)))
    return jnp.where(jnp.abs(value) <= enough, t, ends[1])


def _at_rest(
    kind: Kind,
    structure: Structure,
    rules: Rules,
    tolerances: Tolerances,
    constant_from: Any,
    c: Carry,
    p: Parameters,
    at_rest: Any,
) -> tuple[Any, Any]:
    """Time and unknowns at which the last step came to rest, or its end if it did not."""
    there = System(structure, p)

    def within(t: Any) -> Any:
        return interpolate(kind, structure, c, t, p, tolerances)

    def found() -> tuple[Any, Any]:
        def fallen(t: Any) -> Any:
            return jnp.log(rules.settle_tol) - jnp.log(jnp.maximum(there.residual(t, within(t)), 1e-300))

        t = _root(fallen, jnp.maximum(c.t_before, constant_from), c.t, REST_RTOL)
        return t, within(t)

    reached: tuple[Any, Any] = jax.lax.cond(at_rest & (c.t > c.t_before), found, lambda: (c.t, c.y))
    return reached


def _switched(
    kind: Kind,
    structure: Structure,
    rules: Rules,
    tolerances: Tolerances,
    stops: Any,
    c: Carry,
    p: Parameters,
) -> tuple[Carry, Parameters]:
    """The integration with new modes, from where a node first passed or left a kink in the last step.

    See `base.switching`, which does the same between calls of a solver.
    """
    system, solver = System(structure, p), parts(kind, structure, tolerances)[0]

    def switch() -> tuple[Carry, Parameters]:
        share = kink_share(c.t - c.t_before, system.constants.tau, jnp)
        t, found = _time_of_switch(kind, structure, rules, tolerances, c, p, share)
        y = jnp.where(t < c.t, interpolate(kind, structure, c, t, p, tolerances), c.y)
        after, mode, changed = kinks.switched(system, t, y, share, 0.01 * rules.kink_tolerance)
        new = p._replace(mode=mode)
        end = stops[jnp.minimum(jnp.searchsorted(stops, t, side="right"), stops.size - 1)]
        again = begin(kind, structure, after, t, end, new, tolerances)
        again = again._replace(t=t, t_before=t, steps=c.steps, rejected=c.rejected)
        chosen: tuple[Carry, Parameters] = jax.tree.map(
            lambda a, b: jnp.where(found & changed, a, b), (again, new), (c, p)
        )
        return chosen

    beyond = largest_excess(solver, system, c) > rules.kink_tolerance
    result: tuple[Carry, Parameters] = jax.lax.cond(beyond & (c.t > c.t_before), switch, lambda: (c, p))
    return result


def _time_of_switch(
    kind: Kind,
    structure: Structure,
    rules: Rules,
    tolerances: Tolerances,
    c: Carry,
    p: Parameters,
    share: Any,
) -> tuple[Any, Any]:
    """When a node first was a tolerance beyond its kink in the last step, and whether one was at all."""
    system, tolerance = System(structure, p), rules.kink_tolerance

    def within(t: Any) -> Any:
        return jnp.where(t < c.t, interpolate(kind, structure, c, t, p, tolerances), c.y)

    def excess(t: Any, fastest: float = kinks.FASTEST) -> Any:
        return kinks.excess(system, t, within(t), share, fastest) - tolerance

    def passed(t: Any) -> Any:
        # Not enlarged, as what is interpolated has small errors.
        return (excess(t, 1.0) > 0.0) & (excess(t) > 0.0)

    late = excess(c.t)
    at = jnp.append(c.t_before + INSIDE * (c.t - c.t_before), c.t)
    found = jnp.append(jax.lax.map(passed, at[:-1]), late > 0.0)
    t = at[jnp.argmax(found)]
    sought = ((t < c.t) | (late > tolerance)) & (excess(c.t_before) < 0.0)
    time = jax.lax.cond(sought, lambda: _root(excess, c.t_before, t, 0.5 * tolerance), lambda: t)
    return time, found.any()


def rules(settings: Settings, hold: float, settle_tol: float | None) -> Rules:
    """The rules of presentations that last `hold` at most, or until their residual is `settle_tol`."""
    tol = -1.0 if settle_tol is None else settle_tol
    given = (settings.rtol, settings.atol, hold, tol, kink_tolerance(settings))
    return Rules(*(np.asarray(value, dtype=float) for value in given))


def counts(reached: Progress) -> tuple[int, int]:
    """Steps and rejected steps of the presentations that ended as they should."""
    shown = int(reached.shown)
    return int(np.asarray(reached.steps)[:shown].sum()), int(np.asarray(reached.rejected)[:shown].sum())


def lengths(reached: Progress) -> Array:
    """How long each of them lasted."""
    return np.asarray(reached.ends)[: int(reached.shown)]

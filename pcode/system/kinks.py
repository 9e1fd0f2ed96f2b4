r"""Value nodes at the kinks of their activation: solutions in the sense of Filippov.

Where sigma' jumps, so does the rate of that value node, and no other. With h = eps^{l+1} W^l its rates just
below and above a kink k are

    tau dx/dt = s_- h - eps^l - lambda_x k    and    s_+ h - eps^l - lambda_x k,

s_- and s_+ the one-sided values of sigma'. If the first is positive and the second negative, the node is
driven onto the kink from both sides and stays there (a sliding mode): by Filippov's convention (Filippov
1988, section 4) sigma' is then the mix s_- + alpha (s_+ - s_-), alpha in [0, 1], at which the rate is 0. Such
a node is *held*: it is treated as clamped to k for as long as the two rates point at each other.

Between two changes of the nodes' modes (see `Activation`) the equations are smooth, and a solver sees no
jump. After each step `excess` tells whether a node has passed a kink or must be released. If so, the step is
cut off there, and the integration restarts with new modes (`switched`).

With fixed predictions (`Structure.fixed`) no rate depends on sigma of a node, and there are no modes. sigma'
of the forward pass jumps where this crosses a kink, as weights or clamps move: then dx/dt jumps, while the
rates of errors and weights, and so the speed of the crossing, do not. No node is held, and steps that adapt
pass such a time as they do any other jump of a rate.
"""

from __future__ import annotations

from typing import Any

from ..base._jax import jax, jnp
from ..model.dynamics import value_rate
from ..model.state import State
from .coupled import System
from .runge_kutta import rk4_step

# Rates at a kink, times tau, below this count as zero when a state decides whether a node is held.
AT_REST = 1e-9

# Length, in units of the smaller time constant, and number of steps that show where a node at rest goes.
MOMENT, MOMENTS = 1e-3, 4

# Bound on the ratio of a node's rates on the two sides of a kink.
FASTEST = 1e6


def rates_at(system: System, kink: float, layer: int, state: State) -> tuple[Any, Any]:
    """Rates tau dx/dt of the nodes of `layer` just below and just above a kink, shapes (B, n_l)."""
    below, above = system.structure.sigma[layer].slopes(kink)
    h = state.eps[layer] @ state.weights.feedback[layer]  # eps[layer] is eps^{l+1}
    eps = state.eps[layer - 1] if layer > 0 else 0.0
    c = system.constants
    return value_rate(kink, eps, below * h, 1.0, c), value_rate(kink, eps, above * h, 1.0, c)


def modes_of(system: System, t: Any, y: Any, later: Any = None) -> tuple[Any, ...] | None:
    """The modes of the value nodes in the state `y`, shape (N,); None if no free node has a kink.

    A node exactly at a kink is held if both its rates there point at the kink; otherwise it moves to the side
    to which they point. If its rate on the lower side is 0, the unknowns `later`, a moment after `y`, decide.
    """
    structure = system.structure
    kinked = tuple(bool(at) and free for at, free in zip(structure.kinks, system.layout.free, strict=False))
    if not any(kinked):
        return None
    plain, clamp = system.without_modes, system.parameters.clamp
    state = plain.state(t, y)
    after = state if later is None else plain.state(t, later)
    modes: list[Any] = []
    for layer, (sigma, has) in enumerate(zip(structure.sigma, kinked, strict=True)):
        if not has:
            modes.append(None)
            continue
        x = state.x[layer]
        mode = 2.0 * sum(jnp.where(x > kink, 1.0, 0.0) for kink in sigma.kinks)
        for j, kink in enumerate(sigma.kinks, start=1):
            below, above = rates_at(system, kink, layer, state)
            still = (jnp.abs(below) <= AT_REST) & (above >= -AT_REST)  # may stay at rest on the lower side
            rises = after.x[layer] > kink
            pressed = rates_at(system, kink, layer, after)[1] <= 0.0
            stays = jnp.where(still, rises & pressed, (below >= -AT_REST) & (above <= AT_REST))
            up = jnp.where(still, rises, (above > AT_REST) & (above >= -below))
            mode = jnp.where(x == kink, jnp.where(stays, 2 * j - 1, jnp.where(up, 2 * j, 2 * j - 2)), mode)
        modes.append(jnp.where(jnp.isnan(clamp[layer]), mode, -1.0) if structure.clamped[layer] else mode)
    return tuple(modes)


def shortly_after(system: System, t: Any, y: Any) -> Any:
    """The unknowns a moment later, shape (N,), in the modes of `system`, to see where nodes at rest go."""
    h = MOMENT * jnp.min(jnp.concatenate(system.constants.times))

    def step(_: Any, y: Any) -> Any:
        return rk4_step(lambda y: system.rhs(t, y), y, h)

    return jax.lax.fori_loop(0, MOMENTS, step, y)


def starting(system: System, t: Any, y: Any) -> System:
    """`system` with the modes of the nodes in the state `y`, at a start; see `problem.with_modes`."""
    plain = system.without_modes
    mode = modes_of(plain, t, y)
    if mode is None:
        return system
    moving = system.changed(mode=mode)
    return system.changed(mode=modes_of(plain, t, y, shortly_after(moving, t, y)))


def _overshoot(
    system: System, layer: int, state: State, share: Any, fastest: float = FASTEST
) -> tuple[Any, Any, Any]:
    """How far each node of `layer` is beyond what its mode allows, its next mode, and the kink reached.

    The first, see `excess`, is positive where a mode no longer applies. Shapes (B, n_l).
    """
    modes, x = system.parameters.mode, state.x[layer]
    assert modes is not None
    mode = modes[layer]
    far: Any = jnp.full_like(x, -jnp.inf)
    after: Any = mode
    met: Any = x
    for j, kink in enumerate(system.structure.sigma[layer].kinks, start=1):
        below, above = rates_at(system, kink, layer, state)
        over, under, held = mode == 2 * j, mode == 2 * j - 2, mode == 2 * j - 1
        stays = (below >= 0.0) & (above <= 0.0)
        # If the rates point away from each other, a node that arrives from one side leaves on the other.
        up = jnp.where(over, below >= 0.0, jnp.where(under, above > 0.0, above >= -below))
        to = jnp.where(stays, 2 * j - 1, jnp.where(up, 2 * j, 2 * j - 2))
        past = jnp.where(over, kink - x, x - kink)
        missed = past * jnp.where(past > 0.0, _change(over, stays, below, above, fastest), 1.0)
        d = jnp.where(held, share[layer] * jnp.maximum(-below, above), missed)
        d = jnp.where(over | under | held, d, -jnp.inf)
        after = jnp.where(d > jnp.maximum(far, 0.0), to, after)
        met = jnp.where(d > jnp.maximum(far, 0.0), kink, met)
        far = jnp.maximum(far, d)
    return far, after, met


def _change(over: Any, stays: Any, below: Any, above: Any, fastest: float) -> Any:
    """Ratio of a node's change of rate at a kink to its rate before, at least 1.

    It bounds the error of switching late: a node that passes a kink slowly may then be driven away fast.
    """
    old, new = jnp.where(over, above, below), jnp.where(stays, 0.0, jnp.where(over, below, above))
    return jnp.clip(jnp.abs(new - old) / jnp.maximum(jnp.abs(old), 1e-300), 1.0, fastest)


def excess(system: System, t: Any, y: Any, share: Any, fastest: float = FASTEST) -> Any:
    """The largest error of a node from not having changed its mode; negative if no mode has to change.

    For a node on a piece it is the distance beyond the kink, times the ratio of its change of rate there to
    its rate before; for a held node, `share` times the tau dx/dt with which it would leave. With `share`,
    shape (n+1,), the length of a step over tau, that is an upper bound. With `fastest` = 1 distances are not
    enlarged, as is needed if `y` is interpolated within a step and has small errors.
    """
    state = system.state(t, y)
    layers = [layer for layer, mode in enumerate(system.parameters.mode or ()) if mode is not None]
    return jnp.stack([jnp.max(_overshoot(system, layer, state, share, fastest)[0]) for layer in layers]).max()


def switched(system: System, t: Any, y: Any, share: Any, least: Any) -> tuple[Any, tuple[Any, ...], Any]:
    """The unknowns, shape (N,), and the modes with which to go on, and whether any mode has changed.

    Nodes whose `excess` is more than `least` change their modes, and are set to the kink.
    """
    state = system.state(t, y)
    x: list[Any] = list(state.x)
    modes = list(system.parameters.mode or ())
    for layer, mode in enumerate(modes):
        if mode is not None:
            far, after, met = _overshoot(system, layer, state, share)
            modes[layer] = jnp.where(far > least, after, mode)
            x[layer] = jnp.where(modes[layer] != mode, met, x[layer])
    changed = differ(tuple(modes), system.parameters.mode or (), system.layout.batch).any()
    return system.layout.pack(State(tuple(x), state.eps, state.weights), jnp), tuple(modes), changed


def settled(system: System, t: Any, y: Any) -> tuple[Any, tuple[Any, ...] | None]:
    """The unknowns and the modes after an iteration towards rest.

    A node that has passed a kink is held there, and a held node is released if its rates do not both point at
    the kink. With Newton's method this is an active-set strategy, that is a semismooth Newton method
    (Hintermueller, Ito and Kunisch 2003).
    """
    before = system.parameters.mode
    if before is None:
        return y, None
    state = system.state(t, y)
    x: list[Any] = list(state.x)
    modes = list(before)
    for layer, mode in enumerate(before):
        if mode is None:
            continue
        for j, kink in enumerate(system.structure.sigma[layer].kinks, start=1):
            below, above = rates_at(system, kink, layer, state)
            passed = ((mode == 2 * j) & (x[layer] < kink)) | ((mode == 2 * j - 2) & (x[layer] > kink))
            left = jnp.where(above > jnp.maximum(-below, 0.0), 2 * j, jnp.where(below < 0.0, 2 * j - 2, mode))
            modes[layer] = jnp.where(passed, 2 * j - 1, jnp.where(mode == 2 * j - 1, left, modes[layer]))
            x[layer] = jnp.where(passed, kink, x[layer])
    return system.layout.pack(State(tuple(x), state.eps, state.weights), jnp), tuple(modes)


def differ(mode: Any, other: Any, batch: int) -> Any:
    """Which samples have a node with different modes in the two, shape (B,)."""
    pairs = [(a, b) for a, b in zip(mode, other, strict=True) if a is not None]
    return sum((jnp.any(a != b, axis=1) for a, b in pairs), start=jnp.zeros(batch, bool))


def mixes(system: System, t: Any, y: Any) -> tuple[Any, ...]:
    """The mix alpha of the held nodes of layers 0..n-1, NaN where a node is not held, shapes (B, n_l)."""
    state = system.state(t, y)
    found: list[Any] = []
    for layer, at in enumerate(system.held_at()[:-1]):
        alpha = jnp.full_like(state.x[layer], jnp.nan)
        for kink in system.structure.sigma[layer].kinks if at is not None else ():
            below, above = rates_at(system, kink, layer, state)
            alpha = jnp.where(at == kink, below / (below - above), alpha)
        found.append(alpha)
    return tuple(found)


def unfolded(system: System, y: Any) -> Any:
    """The unknowns, shape (N,), with u = x + (number of kinks below x) in place of x.

    In this coordinate a kink is an interval of length 1: at kink j (from 1) at x = k, alpha goes from 0 to 1
    as u goes from k + j - 1 to k + j. Rates are continuous in u (`folded`), so Newton's method can pass
    kinks.
    """
    views = system.layout.views(y)
    for layer, at in enumerate(system.structure.kinks):
        if f"x{layer}" in views:
            x = views[f"x{layer}"]
            views[f"x{layer}"] = x + sum(jnp.where(x > kink, 1.0, 0.0) for kink in at)
    return jnp.concatenate([jnp.ravel(part) for part in views.values()])


def folded(system: System, u: Any) -> tuple[Any, Any]:
    """Inverse of `unfolded`: the unknowns, and their rates with the alpha given by `u`, shapes (N,)."""
    system, layout = system.without_modes, system.layout
    views, mixed = layout.views(u), {}
    for layer, jumps in enumerate(system.structure.kinks):
        if f"x{layer}" in views and jumps:
            at = views[f"x{layer}"]
            views[f"x{layer}"] = at - sum(jnp.clip(at - (k + j), 0.0, 1.0) for j, k in enumerate(jumps))
            mixed[layer] = at
    y = jnp.concatenate([jnp.ravel(part) for part in views.values()])
    rates, state, free = layout.views(system.rhs(0.0, y)), system.state(0.0, y), system.free_values()
    for layer, at in mixed.items():
        for j, kink in enumerate(system.structure.sigma[layer].kinks):
            alpha = at - (kink + j)
            below, above = rates_at(system, kink, layer, state)
            held = (alpha >= 0.0) & (alpha <= 1.0) & (free[layer] > 0.0)
            rates[f"x{layer}"] = jnp.where(
                held, (below + alpha * (above - below)) / system.constants.tau[layer], rates[f"x{layer}"]
            )
    return y, jnp.concatenate([jnp.ravel(part) for part in rates.values()])

"""Steps of diffrax's methods as pure functions, for loops in compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base._jax import jax, jnp
from ..model.network import Array
from ..system import kinks
from ..system.coupled import Parameters, Structure, System
from .base import INSIDE, kink_share
from .dense_output import INNER

# Most steps in one call of compiled code: enough to make the cost of a call negligible.
BURST = 64


def padded(stops: Array, duration: float) -> Array:
    """Times that no step may cross, padded to a power of two: code is compiled for few different lengths."""
    more = (1 << (stops.size - 1).bit_length()) - stops.size
    return np.pad(stops, (0, more), constant_values=duration)


class Kind(NamedTuple):
    """A method, and how its implicit stages are solved.

    Attributes
    ----------
    name : str
    shipped : bool
        By diffrax's own root finder.
    together : bool
        With a fixed number of Krylov vectors, for integrations that take their steps together.
    """

    name: str
    shipped: bool
    together: bool = False


class Carry(NamedTuple):
    """The state of a diffrax integration between two steps."""

    t_before: Any  # start of the last accepted step
    t: Any
    t_next: Any  # end of the step to try next
    y: Any
    solver_state: Any
    controller_state: Any
    made_jump: Any
    dense_info: Any  # of the last accepted step
    solver_state_before: Any  # at the start of that step
    steps: Any
    rejected: Any
    ends: Any  # ends of the steps accepted in the last burst, shape (BURST,)


class Tolerances(NamedTuple):
    """Tolerances, and the number of variables that each unknown represents, shape (N,)."""

    rtol: Any
    atol: Any
    stands_for: Any

    def norm(self, v: Any) -> Any:
        """Root mean square over all variables of the model, whether they are unknowns or not."""
        return jnp.sqrt(jnp.average(v**2, weights=self.stands_for))


def parts(kind: Kind, structure: Structure, tolerances: Tolerances) -> tuple[Any, Any, Any]:
    """The method, its controller of steps, and its equation; as diffrax calls them, solver and term."""
    import diffrax  # here because the import takes half a second

    from .structured_root import StructuredNewton

    # As in diffrax, the root finder uses the tolerances of the step size controller.
    options = {"rtol": tolerances.rtol, "atol": tolerances.atol, "norm": tolerances.norm}
    controller = diffrax.PIDController(**options)
    method = getattr(diffrax, kind.name)
    if not issubclass(method, diffrax.AbstractImplicitSolver):
        solver = method()
    elif kind.shipped:
        solver = method(root_finder=diffrax.VeryChord(**options))
    else:
        solver = method(root_finder=StructuredNewton(structure, **options, together=kind.together))
    term = diffrax.ODETerm(lambda t, y, args: System(structure, args).rhs(t, y))
    return solver, controller, term


def begin(
    kind: Kind, structure: Structure, y0: Any, t0: Any, t1: Any, p: Parameters, tolerances: Tolerances
) -> Carry:
    """An integration that starts at (t0, y0) and whose first step does not pass t1."""
    return begun(parts(kind, structure, tolerances), y0, t0, t1, p)


def begun(method: tuple[Any, Any, Any], y0: Any, t0: Any, t1: Any, p: Parameters, first: Any = None) -> Carry:
    """The same with a `method`, as `parts` makes one; `first` is the first step's length, if it is known."""
    solver, controller, term = method
    order = solver.error_order(term)
    t0, none, jump = jnp.asarray(t0, float), jnp.zeros((), int), jnp.zeros((), bool)
    t_next, controller_state = controller.init(term, t0, t1, y0, first, p, solver.func, order)
    t_next = jnp.minimum(t_next, t1)
    solver_state = solver.init(term, t0, t_next, y0, p)
    shapes = jax.eval_shape(lambda: solver.step(term, t0, t_next, y0, p, solver_state, jump)[2])
    dense_info = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    before = (dense_info, solver_state)
    ends = jnp.zeros(BURST)
    return Carry(t0, t0, t_next, y0, solver_state, controller_state, jump, *before, none, none, ends)


def largest_excess(solver: Any, system: System, c: Carry) -> Any:
    """Largest `kinks.excess` at the end of the last step or within it."""
    step = c.t - c.t_before
    share = kink_share(step, system.constants.tau, jnp)
    curve = solver.interpolation_cls(t0=c.t_before, t1=c.t, **c.dense_info)

    def within(t: Any) -> Any:
        return kinks.excess(system, t, curve.evaluate(t), share, 1.0)

    inside = jnp.where(step > 0.0, jax.vmap(within)(c.t_before + INSIDE * step).max(), -jnp.inf)
    return jnp.maximum(inside, kinks.excess(system, c.t, c.y, share))


def step(method: tuple[Any, Any, Any], p: Parameters, stops: Any, index: Any, c: Carry) -> Carry:
    """Try a step; `index` is the number of steps accepted in this burst, `stops` as for `_burst`."""
    solver, _, term = method
    tried = solver.step(term, c.t, c.t_next, c.y, p, c.solver_state, c.made_jump)
    return judged(method, p, stops, index, c, tried)


def judged(
    method: tuple[Any, Any, Any], p: Parameters, stops: Any, index: Any, c: Carry, tried: tuple[Any, ...]
) -> Carry:
    """The integration after a step that was `tried`, which is accepted or not; see `step`."""
    solver, controller, term = method
    order = solver.error_order(term)
    y, y_error, dense_info, solver_state, _ = tried
    y_error = jnp.where(jnp.isnan(y_error), jnp.inf, y_error)
    keep, t, t_next, made_jump, controller_state, _ = controller.adapt_step_size(
        c.t, c.t_next, c.y, y, p, y_error, order, c.controller_state
    )

    t1 = stops[jnp.minimum(jnp.searchsorted(stops, t, side="right"), stops.size - 1)]

    def kept(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)

    return Carry(
        t_before=kept(c.t, c.t_before),
        t=t,
        t_next=jnp.minimum(t_next, t1),
        y=kept(y, c.y),
        solver_state=kept(solver_state, c.solver_state),
        controller_state=controller_state,
        made_jump=kept(jnp.asarray(made_jump), c.made_jump),
        dense_info=kept(dense_info, c.dense_info),
        solver_state_before=kept(c.solver_state, c.solver_state_before),
        steps=c.steps + keep,
        rejected=c.rejected + ~keep,
        # A rejected step's end is overwritten by the next step.
        ends=c.ends.at[index].set(t),
    )


def interpolate(
    kind: Kind,
    structure: Structure,
    c: Carry,
    t: Any,
    p: Parameters,
    tolerances: Tolerances,
    quick: bool = False,
) -> Any:
    """The unknowns at a time within the last accepted step; if `quick`, by diffrax's interpolant."""
    import diffrax

    solver, _, term = parts(kind, structure, tolerances)
    between = solver.interpolation_cls(t0=c.t_before, t1=c.t, **c.dense_info).evaluate(t)
    if quick or kind.name not in INNER:
        return between
    y0, no_jump = c.dense_info["y0"], jnp.zeros((), bool)
    y, _, _, _, result = solver.step(term, c.t_before, t, y0, p, c.solver_state_before, no_jump)
    return jnp.where(diffrax.is_okay(result) & jnp.isfinite(y).all(), y, between)

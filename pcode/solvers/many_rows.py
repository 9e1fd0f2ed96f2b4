"""What many integrations reach and save, as arrays with an axis of members; see `pcode.solvers.many`."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from ..base._jax import IN_ORDER, compiled, jax, jnp, told
from ..model import dynamics
from ..model.dynamics import Constants
from ..model.state import State
from .lanes import side_by_side
from .many import Loop, problem_of
from .members import Members, Span, Static


class Reached(NamedTuple):
    """What the members reached, and their saved rows; all with a first axis with one entry a member.

    Attributes
    ----------
    y, t, status, steps, rejected
        See `Ended`.
    state : State
        Nodes and weights at the end.
    x, eps : tuples of arrays, shapes (C, R, B, n_l)
        Saved nodes; R rows.
    energies : tuple of two arrays, shapes (C, R, n)
        Terms of F with the error nodes as they are, and at their rest value.
    weights : Weights
        Saved weights, with shapes (C, S, ...); S rows.
    """

    y: Any
    t: Any
    status: Any
    steps: Any
    rejected: Any
    state: State
    x: Any
    eps: Any
    energies: Any
    weights: Any


def integrate(how: Static, members: Members, span: Span, nodes: Any, weights: Any) -> Reached:
    """Integrate `members` over `span`, and save.

    Parameters
    ----------
    how : Static
    members : Members
    span : Span
    nodes, weights : arrays, shapes (R,) and (S,)
        Which of the times to save are those of the nodes, and which those of the weights.
    """
    loop = Loop(how, members, span)
    ended = side_by_side(loop.run, how.slots)()
    masks = members.constants.mask

    def saved(constants: Constants, start: State, y: Any, t: Any, rows: Any) -> tuple[Any, ...]:
        constants = constants._replace(mask=masks)
        system, _, reduction = problem_of(how, constants, start, span)
        times = span.times.at[-1].set(t)

        def weights_of(t: Any, y: Any) -> Any:
            return reduction.weights(t, system.state(t, y).weights, jnp)

        def nodes_at(k: Any) -> Any:
            state = system.state(times[k], rows[k])
            energies = dynamics.energies(state, system.predicting(state), system.sigma, constants)
            found = *reduction.nodes(state), energies
            return _where_saved(rows[k], found)

        def weights_at(k: Any) -> Any:
            return _where_saved(rows[k], weights_of(times[k], rows[k]))

        end = State(*reduction.nodes(system.state(t, y)), weights_of(t, y))
        return end, jax.vmap(nodes_at)(nodes), jax.vmap(weights_at)(weights)

    bare = members.constants._replace(mask=())
    state, (x, eps, energies), kept = jax.vmap(saved)(bare, members.state, ended.y, ended.t, ended.rows)
    ends = (ended.y, ended.t, ended.status, ended.steps, ended.rejected)
    return Reached(*ends, state, x, eps, energies, kept)


def _where_saved(row: Any, found: Any) -> Any:
    """What was found in a row, NaN where a member had ended before; also clamped nodes and held weights."""
    return jax.tree.map(lambda a: jnp.where(jnp.isnan(row).all(), jnp.nan, a), found)


_in_order = told(partial(jax.jit, static_argnames="how", compiler_options=IN_ORDER)(integrate))
_alone = compiled(static_argnames="how")(integrate)
_as_scheduled = told(partial(jax.jit, static_argnames="how")(integrate))


def integrated(how: Static, members: Members, span: Span, nodes: Any, weights: Any) -> Reached:
    """`integrate`, compiled once for each `how` and for each shape of what it is given."""
    # The order of kernels is an option of the CPU alone.
    on_cpu = _alone if how.alone else _in_order
    function = on_cpu if jax.default_backend() == "cpu" else _as_scheduled
    reached: Reached = function(how, members, span, nodes, weights)
    return reached

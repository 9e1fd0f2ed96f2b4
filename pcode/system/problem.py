"""A phase, ready to integrate: rhs, Jacobian, structured solve, start, span."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

from ..base._jax import IN_ORDER, jax, jnp
from ..model import activations, dynamics
from ..model.clamp import Course, Curve
from ..model.network import Array, Network, Weights
from ..model.phase import Phase, TimeSeries
from ..model.state import Layout, State
from . import elimination as newton
from . import kinks, sparse
from .coupled import Parameters, Point, Structure, linearise, state_at, unrest, vector_field
from .crossings import crossings
from .reduction import Reduction, reduce_feedback, reduce_input


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _rhs(t: Any, y: Any, p: Parameters, structure: Structure) -> Any:
    return vector_field(t, y, p, structure)


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _jacobian_action(t: Any, y: Any, v: Any, p: Parameters, structure: Structure) -> Any:
    return jax.jvp(lambda z: vector_field(t, z, p, structure), (y,), (v,))[1]


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _jacobian(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    _, action = jax.linearize(lambda z: vector_field(t, z, p, structure), y)

    def column(k: Any) -> Any:
        return action(jnp.zeros_like(y).at[k].set(1.0))

    # In batches, so that the work space stays small beside the result.
    columns: jax.Array = jax.lax.map(column, jnp.arange(y.size), batch_size=256)
    return columns.T


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _unrest(t: Any, y: Any, p: Parameters, structure: Structure) -> jax.Array:
    return unrest(t, y, p, structure)


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _excess(t: Any, y: Any, p: Parameters, structure: Structure, share: Any) -> jax.Array:
    found: jax.Array = kinks.excess(t, y, p, structure, share)
    return found


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _excesses(t: Any, y: Any, p: Parameters, structure: Structure, share: Any) -> jax.Array:
    found: jax.Array = jax.vmap(lambda t, y: kinks.excess(t, y, p, structure, share, 1.0))(t, y)
    return found


_switched = jax.jit(kinks.switched, static_argnames="structure")
_soon = jax.jit(kinks.soon, static_argnames="structure")
_modes_of = jax.jit(kinks.modes_of, static_argnames="structure")
_mixes = jax.jit(kinks.mixes, static_argnames="structure")


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _energies(t: Any, y: Any, p: Parameters, structure: Structure) -> tuple[jax.Array, jax.Array]:
    x, eps, (M, _, beta) = state_at(t, y, p, structure)
    mu = dynamics.predictions(x, M, beta, structure.sigma)
    return dynamics.energy(eps, p.nu), dynamics.energy_slaved(x, mu, p.nu)


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _linearise(t: Any, y: Any, p: Parameters, structure: Structure) -> Point:
    return linearise(t, y, p, structure)


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _factor(t: Any, y: Any, a: Any, p: Parameters, structure: Structure) -> newton.Factors:
    return newton.factor(linearise(t, y, p, structure), a, p, structure)


@partial(jax.jit, static_argnames="structure", compiler_options=IN_ORDER)
def _solve(factors: newton.Factors, r: Any, p: Parameters, structure: Structure) -> Any:
    return newton.solve(factors, r, p, structure)


@partial(jax.jit, static_argnames="activation")
def _feedforward(given: Any, weights: Weights, activation: tuple[str, ...]) -> dynamics.Layers:
    sigma = tuple(map(activations.by_name, activation))
    return dynamics.feedforward(given, weights.M, weights.beta, sigma)


def feedforward(network: Network, weights: Weights, given: tuple[Array, ...]) -> tuple[Array, ...]:
    """x^0..x^n of `dynamics.feedforward`, shapes (B, n_l), with NaN in `given` where a node is free."""
    return tuple(map(np.array, _feedforward(given, weights, network.activation)))


@dataclass(frozen=True, eq=False)
class Problem:
    """A phase as an initial value problem dy/dt = f(t, y), t its own time.

    Where a clamp steps, f does. The problem holds for one stretch between two steps, and `beyond` makes
    that of the next.

    Attributes
    ----------
    structure : Structure
    parameters : Parameters
    y0 : ndarray, shape (N,)
        Unknowns at `start`.
    duration : float
        The end of the phase.
    settle_tol : float or None
        End it when `unrest` has fallen to this; None where it is not to end early.
    reduction : Reduction
        How the full state follows from the unknowns.
    course : Course
        When the clamps move.
    start : float
        Where the stretch begins.
    """

    structure: Structure
    parameters: Parameters
    y0: Array
    duration: float
    settle_tol: float | None
    reduction: Reduction
    course: Course
    start: float = 0.0

    @property
    def layout(self) -> Layout:
        """Where the unknowns stand in y."""
        return self.structure.layout

    @cached_property
    def stands_for(self) -> Array:
        """How many of the model's variables each unknown stands for, shape (N,)."""
        return self.reduction.stands_for(self.layout)

    @property
    def end(self) -> float:
        """Where the stretch ends: the next step of a clamp, or the end of the phase."""
        return self.course.stretch(self.start, "right")[1]

    @property
    def settles_from(self) -> float:
        """From when on `settle_tol` counts: no clamp moves any more; infinite where that is not to come."""
        asked = self.settle_tol is not None and self.end == self.duration
        return max(self.start, self.course.still_from) if asked else np.inf

    def beyond(self, t: float, y: Array) -> Problem:
        """The problem from the end `t` of this stretch on, where the unknowns are `y`."""
        stretch = self.course.stretch(t, "right")
        return replace(self, start=t, y0=y, parameters=within(self.parameters, stretch))

    def unreduced(self, t: float, y: Array) -> Problem:
        """The problem from (t, y) on with nothing left out; at a step of a clamp that after it."""
        whole, stretch = self.reduction, self.course.stretch(t, "right")
        y0 = whole.structure.layout.pack(self.state(t, y))
        parameters = _on_device(within(whole.parameters, stretch))
        return replace(
            self,
            structure=whole.structure,
            parameters=with_modes(t, y0, parameters, whole.structure),
            y0=y0,
            reduction=Reduction(whole.parameters, whole.structure),
            start=t,
        )

    def _read(self, p: Parameters, t: float) -> Parameters:
        """`p` for reading values at `t`: at a step of a clamp those before it, but at `start` those after."""
        if not self.course.jumps.size:
            return p
        return within(p, self.course.stretch(t, "right" if t == self.start else "left"))

    def rhs(self, t: float, y: Array) -> Array:
        """dy/dt, shape (N,)."""
        return np.asarray(_rhs(float(t), y, self.parameters, self.structure))

    def jacobian_action(self, t: float, y: Array, v: Array) -> Array:
        """J v, shape (N,), with J the exact Jacobian of `rhs` at (t, y)."""
        return np.asarray(_jacobian_action(float(t), y, v, self.parameters, self.structure))

    def jacobian(self, t: float, y: Array) -> Array:
        """J, shape (N, N), for systems small enough for that."""
        return np.asarray(_jacobian(float(t), y, self.parameters, self.structure))

    def sparse_jacobian(self, t: float, y: Array) -> csc_matrix:
        """J, shape (N, N), its zeros left out."""
        point = jax.tree.map(np.asarray, _linearise(float(t), y, self.parameters, self.structure))
        return sparse.jacobian(point, self._numpy_parameters, self.structure)

    @property
    def kinked(self) -> bool:
        """Whether a free node can meet a kink of its activation, see `pcode.system.kinks`."""
        return self.parameters.mode is not None

    def in_modes_of(self, t: float, y: Array) -> Problem:
        """The same problem, its nodes in the modes that they have in the state `y`."""
        if not self.kinked:
            return self
        return replace(self, parameters=with_modes(t, y, self.parameters, self.structure))

    def excess(self, t: float, y: Array, share: float) -> float:
        """The largest amount by which a node is beyond what its mode allows, see `kinks.excess`."""
        return float(_excess(float(t), y, self.parameters, self.structure, float(share)))

    def excesses(self, t: Array, y: Array, share: float) -> Array:
        """Distances beyond the kinks at K times `t`, shape (K,), with `y`, shape (K, N), of a drawn curve."""
        return np.asarray(_excesses(t, y, self.parameters, self.structure, float(share)))

    def switched(self, t: float, y: Array, share: float, least: float) -> Problem | None:
        """The problem from (t, y) on in other modes, see `kinks.switched`; None if these hold."""
        how = (float(share), float(least))
        y_after, mode, changed = _switched(float(t), y, self.parameters, self.structure, *how)
        if not changed:
            return None
        parameters = self.parameters._replace(mode=mode)
        return replace(self, start=t, y0=np.asarray(y_after), parameters=parameters)

    def factor(self, t: float, y: Array, a: float) -> newton.Factors:
        """(I - a J) at (t, y), eliminated, for `solve`."""
        made: newton.Factors = _factor(float(t), y, float(a), self.parameters, self.structure)
        return made

    def solve(self, factors: newton.Factors, r: Array) -> Array:
        """The d, shape (N,), with (I - a J) d = r up to the weight-borne coupling."""
        return np.asarray(_solve(factors, r, self.parameters, self.structure))

    def unrest(self, t: float, y: Array) -> float:
        """How far from rest: max |tau dz/dt| / (1 + |z|), with delta for weights; dimensionless."""
        return float(_unrest(float(t), y, self.parameters, self.structure))

    def energies(self, t: float, y: Array) -> tuple[Array, Array]:
        """Terms of F with the error nodes as they are, and at their rest value; shapes (n,)."""
        dynamic, slaved = _energies(float(t), y, self._read(self._as_it_is, t), self.structure)
        return np.asarray(dynamic), np.asarray(slaved)

    def nodes(self, t: float, y: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """All value nodes, clamped ones included, and all error nodes."""
        state = self._state(t, y)
        return self.reduction.nodes(state)

    def state(self, t: float, y: Array) -> State:
        """The whole state, clamps put in."""
        state = self._state(t, y)
        return State(*self.reduction.nodes(state), self.reduction.weights(t, state.weights))

    def _state(self, t: float, y: Array) -> State:
        """The state of the reduced system."""
        return state_at(t, y, self._read(self._numpy_parameters, t), self.structure, np)

    @cached_property
    def _as_it_is(self) -> Parameters:
        """For what does not depend on modes, so that it holds for all of an integration."""
        return self.parameters._replace(mode=None)

    @cached_property
    def _numpy_parameters(self) -> Parameters:
        return jax.tree.map(np.asarray, self._as_it_is)  # type: ignore[no-any-return]


def layout_of(network: Network, phase: Phase, batch: int) -> Layout:
    """Which variables are unknowns in `phase`, shown `batch` samples; with tau = 0 no nodes are."""
    free = tuple(
        layer not in phase.clamp or bool(np.isnan(phase.clamp_at(layer, 0.0)).any())
        for layer in range(network.n + 1)
    )
    return Layout(network.sizes, batch, free, phase.learn, network.feedback, network.tau > 0.0)


def given_nodes(network: Network, phase: Phase, batch: int, t: float = 0.0) -> tuple[Array, ...]:
    """Clamped values of layers 0..n at the phase's own time `t`, shapes (B, n_l); NaN where free."""
    return tuple(
        np.array(np.broadcast_to(phase.clamp_at(layer, t) if layer in phase.clamp else np.nan, (batch, size)))
        for layer, size in enumerate(network.sizes)
    )


def within(p: Parameters, stretch: tuple[float, float]) -> Parameters:
    """`p`, its clamps those of the `stretch` between two steps."""
    return p._replace(pieces=tuple(part and part.between(*stretch) for part in p.pieces))


def _on_device(p: Parameters) -> Parameters:
    return jax.tree.map(partial(jnp.asarray, dtype=float), p)  # type: ignore[no-any-return]


def make_problem(network: Network, phase: Phase, state: State, reduce: bool = True) -> Problem:
    """`phase`, starting at `state`.

    With `reduce`, unknowns whose course is known from the others' are left out (`pcode.system.reduction`).
    With tau = 0 nodes have no rates; `pcode.system.limit` takes what is left.
    """
    batch, course = state.x[0].shape[0], phase.course.stopping(crossings(network, phase))
    clamps = [phase.clamp.get(layer) for layer in range(network.n + 1)]
    series = tuple(value.pieces if isinstance(value, TimeSeries) else None for value in clamps)
    curves = tuple(value if isinstance(value, Curve) else None for value in clamps)
    parameters = Parameters(
        tau=network.tau,
        delta=network.delta,
        weight_decay=network.weight_decay,
        node_decay=network.node_decay,
        nu=np.array(network.nu),
        clamp=given_nodes(network, phase, batch),
        held=state.weights,
        pieces=series if any(series) else (),
    )
    parameters = within(parameters, course.stretch(0.0, "right"))
    clamped = tuple(layer in phase.clamp for layer in range(network.n + 1))
    layout = replace(layout_of(network, phase, batch), nodes=True)
    structure = Structure(layout, network.activation, clamped, curves=curves if any(curves) else ())
    comes_to_rest = phase.until == "equilibrium" and course.still_from < phase.duration
    settle_tol = phase.settle_tol if comes_to_rest else None
    reduction = Reduction(parameters, structure)
    # Whether all is at rest is asked of the variables themselves, not of their reduced form.
    if reduce and (settle_tol is None or not phase.learn):
        for step in (reduce_feedback, reduce_input):
            structure, parameters, state, reduction = step(structure, parameters, state, reduction)
    y0 = structure.layout.pack(state)
    return Problem(
        structure=structure,
        parameters=with_modes(0.0, y0, _on_device(parameters), structure),
        y0=y0,
        duration=phase.duration,
        settle_tol=settle_tol,
        reduction=reduction,
        course=course,
    )


def with_modes(t: float, y: Any, p: Parameters, structure: Structure) -> Parameters:
    """The parameters with the modes that the nodes have in the state `y`, see `kinks.modes_of`."""
    if not any(sigma.kinks for sigma in structure.sigma):
        return p
    plain = p._replace(mode=None)
    p = p._replace(mode=_modes_of(t, y, plain, structure))
    x = structure.layout.views(np.asarray(y))
    if any(np.isin(x.get(f"x{k}", ()), sigma.kinks).any() for k, sigma in enumerate(structure.sigma)):
        ticking = p._replace(tau=jnp.where(p.tau > 0.0, p.tau, 1.0))
        later = _soon(t, y, ticking, structure)
        p = p._replace(mode=_modes_of(t, y, plain, structure, later))
    return p

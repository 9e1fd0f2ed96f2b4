"""A phase as an initial value problem: right-hand side, Jacobian, structured solve, start and end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

from ..base._jax import compiled, jax, jnp
from ..base.evaluated import Bound, Evaluated, Spent, Static, on_device
from ..base.short import Short
from ..model import dynamics
from ..model.activations import activation_of
from ..model.clamp import ClampSchedule, Curve
from ..model.network import Array, Network, Weights
from ..model.phase import Phase
from ..model.series import TimeSeries
from ..model.state import Layout, State, shared
from . import kinks, sparse
from .coupled import Parameters, Structure, System
from .crossings import crossings
from .elimination import ChainElimination, solve_exactly
from .reduction import Reduction, reduce_feedback, reduce_input, reducible


def _action(system: System, t: Any, y: Any, v: Any) -> Any:
    return jax.jvp(lambda z: system.rhs(t, z), (y,), (v,))[1]


def _columns(system: System, t: Any, y: Any) -> Any:
    """The Jacobian, for few unknowns."""
    return jax.vmap(system.action(t, y))(jnp.eye(y.size)).T


@compiled()
def _many_columns(system: System, t: Any, y: Any) -> jax.Array:
    action = system.action(t, y)

    def column(k: Any) -> Any:
        return action(jnp.zeros_like(y).at[k].set(1.0))

    # In batches, so that the workspace stays small compared with the result.
    columns: jax.Array = jax.lax.map(column, jnp.arange(y.size), batch_size=256)
    return columns.T


# Up to so many unknowns the Jacobian is had from all columns at once.
FEW_COLUMNS = 256


def _energies(system: System, state: State) -> Any:
    return dynamics.energies(state, system.predicting(state), system.sigma, system.constants)


_RHS = Evaluated(System.rhs)
_ACTION = Evaluated(_action)
_JACOBIAN = Evaluated(_columns)
_RESIDUAL = Evaluated(System.residual)
_EXCESS = Evaluated(kinks.excess)
_EXCESSES = Evaluated(
    lambda system, t, y, share: jax.vmap(lambda t, y: kinks.excess(system, t, y, share, 1.0))(t, y)
)


def _exactly(at: tuple[System, Any, Any, Any, Any], r: Any) -> Any:
    system, t, y, factors, a = at
    return solve_exactly(system, t, y, factors, r, a)


_SOLVE_EXACTLY = Evaluated(_exactly)
_SWITCHED = Evaluated(kinks.switched)
_SHORTLY_AFTER = Evaluated(kinks.shortly_after)
_MODES_OF = Evaluated(kinks.modes_of)
_SLAVED_ERRORS = Evaluated(lambda system, state: system.with_slaved(state).eps)
_ENERGIES = Evaluated(lambda system, t, y: _energies(system, system.state(t, y)))
_LINEARISE = Evaluated(System.linearise)
_FACTOR = Evaluated(lambda system, t, y, a: system.factor(system.linearise(t, y), a))
_SOLVE = Evaluated(lambda at, r: at[0].solve(at[1], r))


def _sigma(activation: Static) -> dynamics.Sigma:
    return tuple(map(activation_of, activation.value))


_ENERGIES_OF = Evaluated(lambda activation, state, at, c: dynamics.energies(state, at, _sigma(activation), c))
_FEEDFORWARD = Evaluated(
    lambda activation, given, weights: dynamics.feedforward(
        given, weights.M, weights.beta, _sigma(activation)
    )
)


def energies_of(network: Network, state: State, at: tuple[Array, ...] | None = None) -> tuple[Array, Array]:
    """Terms of F in a `state`, with the error nodes as they are, and at their rest value; shapes (n,).

    Predictions are evaluated `at` these values, see `predicting`; by default those of the state.
    """
    plain, c = state._replace(weights=state.weights._replace(W=None)), dynamics.Constants.of(network)
    where = state.x if at is None else at
    dynamic, slaved = _ENERGIES_OF(Static(network.activation), plain, where, c)
    return np.asarray(dynamic), np.asarray(slaved)


def predicting(network: Network, phase: Phase, state: State) -> tuple[Array, ...]:
    """The values at which predictions and slopes are evaluated, l = 0..n; see `System.predicting`.

    The clamped values are those in the `state`.
    """
    if phase.predictions == "free":
        return state.x
    given = given_nodes(network, phase, len(state.x[0]))
    clamped = (np.where(np.isnan(value), np.nan, x) for value, x in zip(given, state.x, strict=True))
    return feedforward(network, state.weights, tuple(clamped))


def feedforward(network: Network, weights: Weights, given: tuple[Array, ...]) -> tuple[Array, ...]:
    """x^0..x^n of `dynamics.feedforward`, shapes (B, n_l), with NaN in `given` where a node is free."""
    return tuple(map(np.array, _FEEDFORWARD(Static(network.activation), given, weights)))


@dataclass(frozen=True, eq=False)
class Problem(Short):
    """A phase as an initial value problem dy/dt = f(t, y), t the phase's own time.

    f jumps where a clamp does. So a problem is for one interval between two jumps, and `after_jump` returns
    that for the next interval.

    Attributes
    ----------
    system : System
        f, its Jacobian and its linear algebra.
    y0 : ndarray, shape (N,)
        Unknowns at `start`.
    duration : float
        The end of the phase.
    settle_tol : float or None
        End the phase when the residual has fallen to this; None if it is to last its full duration.
    reduction : Reduction
        How the full state follows from the unknowns.
    schedule : ClampSchedule
        When the clamps change.
    start : float
        Begin of the interval.
    spent : Spent
        How long functions have been evaluated by NumPy; problems that follow from this one share it.
    """

    system: System
    y0: Array
    duration: float
    settle_tol: float | None
    reduction: Reduction
    schedule: ClampSchedule
    start: float = 0.0
    spent: Spent = field(default_factory=Spent)

    @cached_property
    def there(self) -> System:
        """The system with JAX's arrays, for functions that are compiled."""
        system: System = on_device(self.system)
        return system

    def on(self, function: Evaluated, system: System | None = None) -> Bound:
        """A function of the system and other arguments, for this system."""
        if system is None:
            return function.bind(self.system, self.spent, lambda: self.there)
        return function.bind(system, self.spent)

    @property
    def layout(self) -> Layout:
        """The layout of the unknowns in y."""
        return self.system.layout

    @property
    def structure(self) -> Structure:
        """What the compiled code depends on."""
        return self.system.structure

    @property
    def parameters(self) -> Parameters:
        """What may change without recompiling."""
        return self.system.parameters

    @property
    def constants(self) -> dynamics.Constants:
        """Time constants, variances and decays."""
        return self.system.constants

    @cached_property
    def stands_for(self) -> Array:
        """Number of variables of the full system that each unknown represents, shape (N,)."""
        counts: Array = self.reduction.stands_for(self.layout)
        return counts

    @property
    def end(self) -> float:
        """End of the interval: the next jump of a clamp, or the end of the phase."""
        return self.schedule.interval(self.start, "right")[1]

    @property
    def settles_from(self) -> float:
        """Time from which `settle_tol` applies: when all clamps are constant. Infinite if it does not."""
        asked = self.settle_tol is not None and self.end == self.duration
        return max(self.start, self.schedule.constant_from) if asked else np.inf

    def after_jump(self, t: float, y: Array) -> Problem:
        """The problem on the next interval, from (t, y), `t` the end of this one."""
        system = within(self.system, self.schedule.interval(t, "right"))
        return replace(self, start=t, y0=y, system=system)

    def renewed(self, t: float, y: Array) -> Problem:
        """The same from (t, y) on, `t` within the interval, as if nothing had been evaluated yet."""
        return replace(self, start=t, y0=np.array(y), spent=Spent())

    def unreduced(self, t: float, y: Array) -> Problem:
        """The problem from (t, y) on without reductions; if `t` is a jump, that after it."""
        whole = self.reduction.system
        y0 = whole.layout.pack(self.state(t, y))
        system = within(whole, self.schedule.interval(t, "right"))
        system = with_modes(system, t, y0)
        return replace(self, system=system, y0=y0, reduction=Reduction(whole), start=t)

    def hold(self) -> Problem:
        """The problem of the nodes alone, with the weights held at their values at the start."""
        weights = self._state(self.start, self.y0).weights
        system = self.system.hold(weights)
        return replace(self, system=system, y0=self.y0[: self.layout.node_count])

    def with_unit_clocks(self) -> Problem:
        """The same with 1 in place of tau and tau_eps, for results that do not depend on them."""
        return replace(self, system=self.system.with_unit_clocks)

    @cached_property
    def free_nodes(self) -> Any:
        """Which of the N unknowns are nodes that are not clamped, shape (N,)."""
        free = np.zeros(self.layout.size, bool)
        free[: self.layout.node_count] = np.asarray(self._without_modes.free_mask()) > 0.0
        return free

    def _read(self, system: System, t: float) -> System:
        """`system` for evaluation at `t`: before a jump of a clamp at `t`, but after one at `start`."""
        if not self.schedule.jumps.size:
            return system
        return within(system, self.schedule.interval(t, "right" if t == self.start else "left"))

    @cached_property
    def _rhs(self) -> Bound:
        return self.on(_RHS)

    def rhs(self, t: float, y: Array) -> Array:
        """dy/dt, shape (N,)."""
        return np.asarray(self._rhs(np.float64(t), y))

    @cached_property
    def _action(self) -> Bound:
        return self.on(_ACTION)

    def jacobian_action(self, t: float, y: Array, v: Array) -> Array:
        """J v, shape (N,), with J the exact Jacobian of `rhs` at (t, y)."""
        return np.asarray(self._action(np.float64(t), y, v))

    @cached_property
    def _jacobian(self) -> Bound:
        return self.on(_JACOBIAN)

    def jacobian(self, t: float, y: Array) -> Array:
        """J as a dense array, shape (N, N); for small systems."""
        if y.size > FEW_COLUMNS:
            return np.asarray(_many_columns(self.there, float(t), y))
        return np.asarray(self._jacobian(np.float64(t), y))

    def sparse_jacobian(self, t: float, y: Array) -> csc_matrix:
        """J as a sparse matrix, shape (N, N)."""
        point = jax.tree.map(np.asarray, self.on(_LINEARISE)(np.float64(t), y))
        return sparse.jacobian(self._without_modes, point)

    @property
    def noisy(self) -> bool:
        """Whether there is noise on value nodes, so that `rhs` is the drift of a stochastic equation."""
        return bool(np.any(np.asarray(self.constants.temperature) > 0.0))

    @property
    def kinked(self) -> bool:
        """Whether a free node can reach a kink of its activation, see `pcode.system.kinks`."""
        return self.parameters.mode is not None

    def in_modes_of(self, t: float, y: Array) -> Problem:
        """The same problem with the modes of the nodes in the state `y`."""
        return replace(self, system=with_modes(self.system, t, y)) if self.kinked else self

    @cached_property
    def _excess(self) -> Bound:
        return self.on(_EXCESS)

    @cached_property
    def _excesses(self) -> Bound:
        return self.on(_EXCESSES)

    def excess(self, t: float, y: Array, share: Array) -> float:
        """How far a node is beyond what its mode allows, see `kinks.excess`."""
        return float(self._excess(np.float64(t), y, share))

    def excesses(self, t: Array, y: Array, share: Array) -> Array:
        """Distances beyond the kinks at K times `t`, shape (K,), for interpolated `y`, shape (K, N)."""
        return np.asarray(self._excesses(t, y, share))

    def switched(self, t: float, y: Array, share: Array, least: float) -> Problem | None:
        """The problem from (t, y) on with new modes, see `kinks.switched`; None if no mode changes."""
        y_after, mode, changed = self.on(_SWITCHED)(np.float64(t), y, share, np.float64(least))
        if not changed:
            return None
        return replace(self, start=t, y0=np.asarray(y_after), system=self.system.changed(mode=mode))

    def at_kinks(self, y: Array) -> Array:
        """The unknowns with held nodes exactly at their kinks, which solvers keep but for rounding."""
        y = np.array(y)
        views = self.system.layout.views(y)
        for layer, at in enumerate(self.system.held_at(np)):
            if at is not None:
                x = views[f"x{layer}"]
                x[...] = np.where(np.isnan(at), x, at)
        return y

    @cached_property
    def _factor(self) -> Bound:
        return self.on(_FACTOR)

    @cached_property
    def _residual(self) -> Bound:
        return self.on(_RESIDUAL)

    def factor(self, t: float, y: Array, a: float) -> Bound:
        """The function r -> d, shapes (N,), with (I - a J) d = r up to the weight-borne coupling.

        J is that at (t, y). The function may share memory with y.
        """
        factors = self._factor(np.float64(t), y, np.float64(a))
        return _SOLVE.bind((self.system, factors), self.spent, lambda: (self.there, factors))

    def factor_exactly(self, t: float, y: Array, a: float) -> Bound:
        """The function r -> d, shapes (N,), with (I - a J) d = r, J at (t, y), with the weights held."""
        t, a = np.float64(t), np.float64(a)
        at = t, y, self._factor(t, y, a), a
        return _SOLVE_EXACTLY.bind((self.system, *at), self.spent, lambda: (self.there, *at))

    def residual(self, t: float, y: Array) -> float:
        """Distance from rest: max |tau dz/dt| / (1 + |z|), each z with its time constant; dimensionless."""
        return float(self._residual(np.float64(t), y))

    @cached_property
    def _energies(self) -> Bound:
        return self.on(_ENERGIES, self._without_modes)

    def energies(self, t: float, y: Array) -> tuple[Array, Array]:
        """Terms of F with the error nodes as they are, and at their rest value; shapes (n,)."""
        system = self._read(self._without_modes, t)
        function = self._energies if system is self._without_modes else self.on(_ENERGIES, system)
        with self.spent.paused():  # they are looked at only
            dynamic, slaved = function(np.float64(t), y)
        return np.asarray(dynamic), np.asarray(slaved)

    def nodes(self, t: float, y: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """All value nodes, clamped ones included, and all error nodes."""
        return self.reduction.nodes(self._state(t, y))

    def state(self, t: float, y: Array) -> State:
        """The full state, clamped values included."""
        state = self._state(t, y)
        return State(*self.reduction.nodes(state), self.reduction.weights(t, state.weights))

    def _state(self, t: float, y: Array) -> State:
        """The state of the reduced system."""
        system = self._read(self._without_modes, t)
        state = system.without_slaved(t, y, np)
        if not self.layout.slaved:
            return state
        with self.spent.paused():  # it is looked at only
            eps = self.on(_SLAVED_ERRORS, system)(state)
        return state._replace(eps=tuple(map(np.asarray, eps)))

    @cached_property
    def _without_modes(self) -> System:
        """The system for results that do not depend on modes; the same during all of an integration."""
        return self.system.without_modes


def layout_of(network: Network, phase: Phase, batch: int) -> Layout:
    """Which variables are unknowns in `phase` with `batch` samples; with tau = 0 no nodes are."""
    free = tuple(
        layer not in phase.clamp or bool(np.isnan(phase.clamp_at(layer, 0.0)).any())
        for layer in range(network.n + 1)
    )
    learn = learning(network, phase)
    nodes, slaved = not network.limit, network.slaved
    return shared(Layout(network.sizes, batch, free, learn, network.feedback, nodes, slaved=slaved))


def learning(network: Network, phase: Phase) -> bool | tuple[str, ...]:
    """`Layout.learn` of a phase: the names of the weights that learn; True if that is all that can."""
    learn, can = phase.learn, network.learnable
    if not learn:
        return False
    names = tuple(name for name in can if name in learn) if isinstance(learn, tuple) else can
    return True if network.bias and names == can else names


def given_nodes(network: Network, phase: Phase, batch: int, t: float = 0.0) -> tuple[Array, ...]:
    """Clamped values of layers 0..n at the phase's own time `t`, shapes (B, n_l); NaN where free."""
    return tuple(
        np.array(np.broadcast_to(phase.clamp_at(layer, t), (batch, size)))
        if layer in phase.clamp
        else np.full((batch, size), np.nan)
        for layer, size in enumerate(network.sizes)
    )


def within(system: System, interval: tuple[float, float]) -> System:
    """`system` with its clamps restricted to an `interval` between two jumps."""
    pieces = system.parameters.pieces
    return (
        system.changed(pieces=tuple(part and part.between(*interval) for part in pieces))
        if pieces
        else system
    )


def in_numpy(system: System) -> System:
    """`system` with NumPy's arrays of floating-point numbers as parameters."""
    made: System = jax.tree.map(partial(np.asarray, dtype=float), system)
    return made


def make_problem(
    network: Network,
    phase: Phase,
    state: State,
    reduce: bool = True,
    spent: Spent | None = None,
    start: float = 0.0,
) -> Problem:
    """`phase` as an initial value problem that starts at `state`.

    With `reduce`, unknowns that follow from others are left out (`pcode.system.reduction`). With tau = 0 the
    nodes have no rates: `pcode.system.limit` makes a problem for the weights from this one. `spent` is that
    of earlier problems, if this one goes on counting. `start` is the phase's own time at `state`.
    """
    phase = phase.in_unit_of(network)
    schedule = phase.schedule.with_stops(crossings(network, phase))
    system = within(coupled_system(network, phase, state), schedule.interval(start, "right"))
    comes_to_rest = phase.until == "equilibrium" and schedule.constant_from < phase.duration
    settle_tol = phase.settle_tol if comes_to_rest else None
    reduction = Reduction(system)
    # Rest is judged by the rates of the variables themselves, not of their reduced form.
    if reduce and (settle_tol is None or not phase.learn) and reducible(system, start):
        system, state, reduction = reduce_feedback(system, state, reduction, start=start)
        system, state, reduction = reduce_input(system, state, reduction, start=start)
    y0 = system.layout.pack(state)
    system = with_modes(in_numpy(system), start, y0)
    counted = Spent() if spent is None else spent
    return Problem(system, y0, phase.duration, settle_tol, reduction, schedule, start, counted)


def structure_of(network: Network, phase: Phase, batch: int) -> Structure:
    """The static part of the equations of `network` in `phase`, without reductions, with `batch` samples.

    With tau = 0 the nodes are unknowns too.
    """
    layers = range(network.n + 1)
    curves = tuple(value if isinstance(value := phase.clamp.get(layer), Curve) else None for layer in layers)
    return Structure(
        layout=layout_of(network, phase, batch).changed(nodes=True),
        activation=network.activation,
        clamped=tuple(layer in phase.clamp for layer in layers),
        elimination=ChainElimination(),
        curves=curves if any(curves) else (),
        fixed=phase.predictions == "fixed",
    )


def coupled_system(network: Network, phase: Phase, state: State) -> System:
    """The equations of `network` in `phase`, without reductions; with tau = 0 the nodes are unknowns too."""
    batch = state.x[0].shape[0]
    clamps = [phase.clamp.get(layer) for layer in range(network.n + 1)]
    series = tuple(value.pieces if isinstance(value, TimeSeries) else None for value in clamps)
    parameters = Parameters(
        constants=dynamics.Constants.of(network),
        clamp=given_nodes(network, phase, batch),
        held=state.weights,
        pieces=series if any(series) else (),
    )
    return System(structure_of(network, phase, batch), parameters)


def with_modes(system: System, t: float, y: Any) -> System:
    """`system` with the modes of the nodes in the state `y`, see `kinks.modes_of`."""
    if not system.structure.kinked:
        return system
    plain = system.without_modes
    t = np.float64(t)
    system = system.changed(mode=_MODES_OF(plain, t, y))
    x = system.layout.views(np.asarray(y))
    if any(np.isin(x.get(f"x{k}", ()), at).any() for k, at in enumerate(system.structure.kinks)):
        moving = system if system.constants.longest_tau > 0.0 else system.with_unit_clocks
        later = _SHORTLY_AFTER(moving, t, y)
        system = system.changed(mode=_MODES_OF(plain, t, y, later))
    return system

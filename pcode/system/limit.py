"""The singular limit tau = 0: the weights move, and the nodes are at equilibrium at every instant.

With tau = 0 the equations of the nodes are algebraic: they determine the nodes z for given weights w, and
only the equations of the weights are left to integrate:

    0 = G(z, w),    dw/dt = F(z(w), w).

This is the flow on the slow manifold. The full system follows it, to first order in tau/delta, for as long as
the equilibrium z(w) is stable (Tikhonov 1952, Fenichel 1979). So stability is checked after each step, and
the integration ends where it is lost.

z(w) is found by Newton's method from the previous nodes, with a test of contraction so that they stay on
their branch of equilibria (`rest.near`). If it fails for any step, however short, the branch ends in a fold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..base._jax import jnp
from ..base.errors import ComputationError, InputError
from ..base.evaluated import Bound, Evaluated, Spent
from ..model.clamp import ClampSchedule
from ..model.dynamics import Constants
from ..model.network import Array
from ..model.state import Layout, State
from . import kinks
from .abscissa import Abscissa, Indices, spectral_abscissa, suspects
from .coupled import Parameters, Structure, System
from .problem import Problem
from .reduction import Reduction
from .rest import FOLLOWING, holding, near, nodes_at_rest

# Nodes are unstable if their spectral abscissa, in units of 1/tau, is above this. Along a continuum of
# equilibria it is nearer to 0.
NEUTRAL = 1e-8


def nodes_near(system: System, t: Any, w: Any, z: Any) -> tuple[Any, Any]:
    """Nodes at rest for the weights `w`, and their residual; NaN where Newton's method leaves `z`.

    Parameters
    ----------
    system : System
        The coupled system, with tau = 1: the equilibrium does not depend on tau.
    t : scalar
    w : array
        The unknown weights; empty if they are held.
    z : array
        Where to start: the unknown nodes of a nearby equilibrium.
    """
    return near(holding(system, t, jnp.concatenate([z, w])), t, z)


def _slow_rates(system: System, t: Any, w: Any, z: Any) -> Any:
    """dw/dt with the nodes at rest near `z`."""
    z, _ = nodes_near(system, t, w, z)
    # Modes can be left out, because the weights' rates do not contain sigma'.
    return system.without_modes.rhs(t, jnp.concatenate([z, w]))[system.layout.node_count :]


def _slow_residual(system: System, t: Any, w: Any, z: Any) -> Any:
    z, _ = nodes_near(system, t, w, z)
    y = jnp.concatenate([z, w])
    return system.changed(mode=kinks.modes_of(system, t, y)).residual(t, y)


_NODES_NEAR = Evaluated(nodes_near)
_HOLDING = Evaluated(holding)
_RATES = Evaluated(_slow_rates)
_RESIDUAL = Evaluated(_slow_residual)


def instability(found: Abscissa) -> str:
    """The kind of instability, in words."""
    how = (
        f"an oscillation (Hopf, angular frequency {found.frequency:.4g}/tau)"
        if found.frequency > 1e-6
        else "a real eigenvalue (a fold, or a branching of equilibria)"
    )
    return f"by {how} in sample {found.sample}"


def settled(problem: Problem) -> State:
    """The start of `problem` with its nodes at the equilibrium to which their flow leads.

    Parameters
    ----------
    problem : Problem
        Not reduced.

    Raises
    ------
    InputError
        If no equilibrium is reached, it is unstable, or the weights learn and it is one of a continuum.
    """
    rest = nodes_at_rest(problem, FOLLOWING, step=1.0)
    if not rest.found:
        what = (
            "with tau = 0 they must be at rest, and no equilibrium is reached from where they start "
            f"(largest residual {rest.residual.max():.1e}); use tau > 0"
        )
        raise InputError("nodes", what)
    slow = SlowProblem(replace(problem, y0=problem.layout.pack(rest.state)))
    samples = slow.suspects(problem.start, slow.y0)
    if problem.layout.free[0] and not samples.size:
        samples = np.zeros(1, dtype=np.int64)  # a free input may rest anywhere in a continuum
    found = slow.abscissa(problem.start, slow.y0, samples)
    if problem.layout.learn and abs(found.rate) <= NEUTRAL:
        what = (
            "with tau = 0 the weights must decide where they rest, and here they rest anywhere in a "
            "continuum of equilibria (an eigenvalue is 0, as where layer 0 is free and the widest)"
        )
        raise InputError("nodes", f"{what}; set node_decay, or use tau > 0")
    if found.rate > NEUTRAL:
        what = "with tau = 0 they must be at rest, and the equilibrium that they reach is unstable"
        raise InputError("nodes", f"{what} {instability(found)}; use tau > 0")
    return rest.state


@dataclass(frozen=True)
class LostEquilibrium:
    """How the nodes lost their stable equilibrium.

    Attributes
    ----------
    t : float
        The time up to which there was one, in the problem's own time.
    message : str
        How it was lost, and what that means.
    """

    t: float
    message: str


class SlowProblem:
    """A phase in the singular limit: an initial value problem for the weights.

    Solvers use it in place of `Problem`. It stores the nodes of the last two accepted steps (`keep`), and
    Newton's method starts from their linear inter- or extrapolation. Between two calls of `keep`, `rhs` is a
    pure function of (t, y).

    Parameters
    ----------
    problem : Problem
        The coupled system, its nodes at rest at the start.
    """

    def __init__(self, problem: Problem) -> None:
        self._coupled = problem.with_unit_clocks()
        self._bound: dict[Evaluated, Bound] = {}
        self._bound_to: Problem | None = None
        self.duration = problem.duration
        self.settle_tol = problem.settle_tol
        self._begin(problem.start, problem.y0)
        self._vectors: Array | None = None
        self.lost_branch = False

    def _begin(self, t: float, y: Array) -> None:
        """Start from the unknowns `y` of the coupled system, with the nodes at rest."""
        count = self._coupled.layout.node_count
        self.y0: Array = y[count:]
        self._kept: tuple[tuple[float, Array], tuple[float, Array]] = ((t, y[:count]), (t, y[:count]))

    def after_jump(self, t: float, y: Array) -> SlowProblem:
        """Move on to after a jump of a clamp at `t`, at which the nodes jump to their new equilibrium.

        The object is changed and returned, where `Problem.after_jump` returns another: who saves nodes reads
        them from it.

        Raises
        ------
        InputError
            If there is none; see `settled`.
        """
        rest = settled(self._coupled.unreduced(t, self._whole(t, y)))
        nodes = self._coupled.layout.changed(learn=False).pack(rest)
        self._coupled = self._coupled.after_jump(t, np.concatenate([nodes, y]))
        self._begin(t, self._coupled.y0)
        return self

    def renewed(self, t: float, y: Array) -> SlowProblem:
        """The same from (t, y) on, `t` within the interval; the object is changed, as by `after_jump`."""
        self._coupled = self._coupled.renewed(t, self._whole(t, y))
        self._begin(t, self._coupled.y0)
        return self

    @property
    def schedule(self) -> ClampSchedule:
        """When the clamps change."""
        return self._coupled.schedule

    @property
    def start(self) -> float:
        """Begin of the current interval between two jumps of a clamp."""
        return self._coupled.start

    @property
    def end(self) -> float:
        """End of that interval."""
        return self._coupled.end

    @property
    def settles_from(self) -> float:
        """Time from which `settle_tol` applies."""
        return self._coupled.settles_from

    @property
    def spent(self) -> Spent:
        """That of the coupled problem."""
        return self._coupled.spent

    @property
    def system(self) -> System:
        """The coupled system, with 1 in place of tau and tau_eps."""
        return self._coupled.system

    @property
    def structure(self) -> Structure:
        """The structure of the coupled system."""
        return self._coupled.structure

    @property
    def parameters(self) -> Parameters:
        """The parameters of the coupled system, with 1 in place of tau and tau_eps."""
        return self._coupled.parameters

    @property
    def constants(self) -> Constants:
        """The constants of the coupled system, with 1 in place of tau and tau_eps."""
        return self._coupled.constants

    @property
    def reduction(self) -> Reduction:
        """How the full state follows from the unknowns of the coupled system."""
        return self._coupled.reduction

    @cached_property
    def layout(self) -> Layout:
        """The layout of the unknown weights in y."""
        return self._coupled.layout.changed(nodes=False)

    @property
    def kinked(self) -> bool:
        """Whether steps may have to end at a kink; never, as the nodes are not integrated."""
        return False

    @property
    def still(self) -> bool:
        """Whether nothing moves: the weights are held and the clamps are constant."""
        return self.y0.size == 0 and self.schedule.constant_from <= self.start

    def _on(self, function: Evaluated) -> Bound:
        """A function of the coupled system and other arguments, for the present system."""
        if self._bound_to is not self._coupled:
            self._bound, self._bound_to = {}, self._coupled
        if function not in self._bound:
            self._bound[function] = self._coupled.on(function)
        return self._bound[function]

    def rhs(self, t: float, y: Array) -> Array:
        """dw/dt, shape (N,); NaN if the nodes have no equilibrium nearby."""
        rates = np.asarray(self._on(_RATES)(np.float64(t), y, self._guess(t)))
        self.lost_branch = not np.isfinite(rates).all()
        return rates

    def residual(self, t: float, y: Array) -> float:
        """Distance from rest: max |delta dw/dt| / (1 + |w|); the nodes are always at rest."""
        return float(self._on(_RESIDUAL)(np.float64(t), y, self._guess(t)))

    def energies(self, t: float, y: Array) -> tuple[Array, Array]:
        """Terms of F as in `Problem.energies`; the two are equal, as the error nodes are at rest."""
        return self._coupled.energies(t, self._whole(t, y))

    def nodes(self, t: float, y: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """All value nodes, clamped ones included, and all error nodes."""
        return self._coupled.nodes(t, self._whole(t, y))

    def state(self, t: float, y: Array) -> State:
        """The full state, with the nodes at rest."""
        return self._coupled.state(t, self._whole(t, y))

    def reaches(self, t: float, y: Array) -> bool:
        """Whether the current branch of equilibria extends to (t, y)."""
        return bool(np.isfinite(self._nodes(t, y)).all())

    def keep(self, t: float, y: Array) -> None:
        """Store the nodes at (t, y), an accepted step, as a start for the next ones."""
        self._kept = (self._kept[1], (t, self._nodes(t, y)))

    def suspects(self, t: float, y: Array) -> Indices:
        """Indices of samples whose nodes may be unstable; see `abscissa.suspects`."""
        z = self._nodes(t, y)
        samples, self._vectors = suspects(self._held(t, z, y), t, z, self._vectors)
        return samples

    def abscissa(self, t: float, y: Array, samples: Indices) -> Abscissa:
        """Spectral abscissa of the nodes of `samples` at their equilibrium at (t, y)."""
        z = self._nodes(t, y)
        return spectral_abscissa(self._held(t, z, y), t, z, samples)

    def _held(self, t: float, z: Array, y: Array) -> System:
        held: System = self._on(_HOLDING)(np.float64(t), np.concatenate([z, y]))
        return held

    def _guess(self, t: float) -> Array:
        (t0, z0), (t1, z1) = self._kept
        if t1 <= t0:
            return z1
        return z1 + (t - t1) / (t1 - t0) * (z1 - z0)

    def _nodes(self, t: float, y: Array) -> Array:
        return np.asarray(self._on(_NODES_NEAR)(np.float64(t), y, self._guess(t))[0])

    def _whole(self, t: float, y: Array) -> Array:
        try:
            z = self._nodes(t, y)
        except ComputationError:  # where it ends; the nodes of the last step are known
            last, z = self._kept[1]
            z = z if last == t or self.still else np.full_like(z, np.nan)
        return np.concatenate([z, y])

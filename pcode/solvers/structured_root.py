"""The implicit stages of diffrax's methods, by Newton-Krylov iterations with the structured solve.

diffrax hands a root finder the equation of a stage, F(k) = k - f(t, y + a k) = 0 with k = dy/dt the
unknown and a = (coefficient) x (step). Its Jacobian is I - a J, which `pcode.system.elimination` solves but
for the weight-borne coupling; the Krylov iterations on the exact Jacobian action have that.

The contact points with diffrax, which documents none of them, are the arguments of the stage's
equation (`_Stage`) and the calls of `init`: once for a stage of coefficient 0, then where the
Jacobian is due, its result coming back as ``options["init_state"]``. They are those of diffrax 0.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import optimistix as optx

from ..base._jax import jax, jnp
from ..system.coupled import Structure, System
from ..system.krylov import gcr

# Krylov vectors, and the relative residual at which they are enough.
VECTORS = 8
LINEAR_RTOL = 1e-4

# The change of k, in units of its tolerance, that is expected of the next iteration when the last
# one is accepted; as in diffrax's VeryChord.
KAPPA = 1e-2

# Krylov residual, in units of the tolerance, that is too small to matter beside KAPPA.
LINEAR_ATOL = 0.1 * KAPPA

# A change, in units of the tolerance, that is nothing but rounding; as in VeryChord.
ROUNDING = 1e-13


class _Stage(NamedTuple):
    """The arguments of a stage's equation, in diffrax's order."""

    index: Any
    coefficient: Any
    field: Any
    product: Any
    t: Any
    y: Any  # what the stages before make of y; the stage's own is y + a k
    parameters: Any
    step: Any

    @property
    def a(self) -> Any:
        return self.coefficient * self.step


class _Progress(eqx.Module):
    """Where the iterations on a stage stand.

    Attributes
    ----------
    factors : pytree
        Of I - a J where the step's first implicit stage began; all its stages have the same a.
    change, change_before : scalar
        Norm of the last change of k and of the one before, in units of the tolerance.
    iterations : scalar
    """

    factors: Any
    change: Any
    change_before: Any
    iterations: Any


class StructuredNewton(optx.AbstractRootFinder[Any, Any, Any, Any]):
    """Newton's method for the stages, each linear system solved by preconditioned Krylov iterations.

    The criterion of convergence is that of diffrax's VeryChord. But the Jacobian's action is that at
    the iterate, not at the step's start, for it costs no more: iterations converge where those of
    VeryChord do not, and fewer steps are rejected. Only the preconditioner is kept for a step.

    Parameters
    ----------
    structure : Structure
    rtol, atol : float
        Those of the step size controller.
    norm : callable
        That of the step size controller.
    """

    structure: Structure = eqx.field(static=True)
    rtol: Any
    atol: Any
    norm: Callable[[Any], Any]

    def init(
        self,
        fn: Callable[..., Any],
        y: Any,
        args: Any,
        options: dict[str, Any],
        f_struct: Any,
        aux_struct: Any,
        tags: frozenset[object],
    ) -> _Progress:
        """Factor at k = `y`, or take what was factored before."""
        if "init_state" in options:
            given: _Progress = options["init_state"]
            return given
        stage = _Stage(*args)

        def made() -> Any:
            system = self._system(stage)
            return system.factor(system.linearise(stage.t, stage.y + stage.a * y), stage.a)

        def empty() -> Any:
            shapes = jax.eval_shape(made)
            return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

        # An explicit stage needs no factors; diffrax asks for them once a step.
        factors = jax.lax.cond(stage.coefficient > 0.0, made, empty)
        return _Progress(factors, jnp.array(jnp.inf), jnp.array(1.0), jnp.array(0))

    def step(
        self,
        fn: Callable[..., Any],
        y: Any,
        args: Any,
        options: dict[str, Any],
        state: _Progress,
        tags: frozenset[object],
    ) -> tuple[Any, _Progress, Any]:
        """One iteration from k = `y`."""
        stage = _Stage(*args)

        def precondition(r: Any) -> Any:
            d = self._system(stage).solve(state.factors, r)
            return jnp.where(stage.coefficient > 0.0, d, r)

        residual, action, aux = jax.linearize(lambda k: fn(k, args), y, has_aux=True)
        # What is left by the Krylov method must be small in k = dy/dt, as diffrax measures the
        # change, and also in what a long step makes of it.
        weight = jnp.maximum(1.0 / self._tolerance(y), stage.a / self._tolerance(stage.y + stage.a * y))
        change = gcr(
            lambda v: precondition(action(v)),
            precondition(residual),
            weight,
            LINEAR_RTOL,
            LINEAR_ATOL,
            VECTORS,
        )
        new = y - change
        size = self.norm(change / self._tolerance(new))
        return new, _Progress(state.factors, size, state.change, state.iterations + 1), aux

    def _system(self, stage: _Stage) -> System:
        return System(self.structure, stage.parameters)

    def _tolerance(self, y: Any) -> Any:
        return self.atol + self.rtol * jnp.abs(y)

    def terminate(
        self,
        fn: Callable[..., Any],
        y: Any,
        args: Any,
        options: dict[str, Any],
        state: _Progress,
        tags: frozenset[object],
    ) -> tuple[Any, Any]:
        """Whether to end, and how: when the next change, by the rate of the last, is below KAPPA."""
        rate = state.change / state.change_before
        expected = state.change * rate / (1.0 - rate)
        small = state.change < ROUNDING
        converged = small | ((expected > 0.0) & (expected < KAPPA))
        ended = (state.iterations >= 2) & (converged | ~jnp.isfinite(rate) | (rate > 2.0))
        result = optx.RESULTS.where(
            ended & ~converged, optx.RESULTS.nonlinear_divergence, optx.RESULTS.successful
        )
        return ended, result

    def postprocess(
        self,
        fn: Callable[..., Any],
        y: Any,
        aux: Any,
        args: Any,
        options: dict[str, Any],
        state: _Progress,
        tags: frozenset[object],
        result: Any,
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Nothing is left to do."""
        return y, aux, {}

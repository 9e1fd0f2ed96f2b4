"""The implicit stages of diffrax's methods, by Newton-Krylov iterations with the structured solve.

diffrax passes the equation of a stage to a root finder. For a term whose vector field is cheap, as that of
`ODETerm` is, the unknown is the stage's rate k: F(k) = k - f(t, y + a k) = 0, a = (coefficient) x (step). Its
Jacobian is I - a J, which `pcode.system.elimination` solves up to the weight-borne coupling; Krylov
iterations with the exact Jacobian action do the rest.

This relies on internals of diffrax 0.7. The stage's equation has the eight arguments of `_Stage`, whose order
is not documented. `init` is called once a step for a stage of coefficient 0; then at the stage where the
Jacobian is due, which for ESDIRK methods such as Kvaerno's is the second; and for every stage, the explicit
first one included, with the latest of these results as ``options["init_state"]``, a documented option.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import optimistix as optx

from ..base._jax import jax, jnp
from ..system.coupled import Structure, System
from ..system.krylov import few_iterations, gcr

# Most Krylov vectors, and the relative residual to reach.
VECTORS = 8
LINEAR_RTOL = 1e-4

# Krylov vectors where many integrations take their steps together: all would wait for the one that needs
# most, and another Newton iteration makes up for a less exact solution.
VECTORS_TOGETHER = 3

# Iterations have converged if the expected next change of k, in units of its tolerance, is below this; as in
# diffrax's VeryChord.
KAPPA = 1e-2

# Krylov residual, in units of the tolerance, that is negligible compared with KAPPA.
LINEAR_ATOL = 0.1 * KAPPA

# A change, in units of the tolerance, below the level of rounding errors; as in VeryChord.
ROUNDING = 1e-13


class _Stage(NamedTuple):
    """The arguments of a stage's equation, in diffrax's order."""

    index: Any
    coefficient: Any
    field: Any
    product: Any
    t: Any
    y: Any  # y without this stage's contribution, which is a k
    parameters: Any
    step: Any

    @property
    def a(self) -> Any:
        return self.coefficient * self.step


class _Progress(eqx.Module):
    """State of the iterations on a stage.

    Attributes
    ----------
    factors : pytree
        Factors of I - a J at the start of the step's first implicit stage; all its stages have the same a.
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

    The convergence criterion is that of diffrax's VeryChord. But the Jacobian action is taken at the current
    iterate, not at the start of the step, since it costs no more: it converges in cases in which VeryChord
    does not, and fewer steps are rejected. Only the preconditioner is kept for a step.

    Parameters
    ----------
    structure : Structure
    rtol, atol : float
        Tolerances of the step size controller.
    norm : callable
        Norm of the step size controller.
    together : bool
        Whether many integrations are in one compiled loop: then each linear system has the same number of
        Krylov iterations, `VECTORS_TOGETHER`.
    """

    structure: Structure = eqx.field(static=True)
    rtol: Any
    atol: Any
    norm: Callable[[Any], Any]
    together: bool = eqx.field(static=True, default=False)

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
        """Factor at k = `y`, or reuse the factors in ``options["init_state"]``."""
        if "init_state" in options:
            given: _Progress = options["init_state"]
            return given
        stage = _Stage(*args)

        def factored() -> Any:
            system = self._system(stage)
            return system.factor(system.linearise(stage.t, stage.y + stage.a * y), stage.a)

        def empty() -> Any:
            shapes = jax.eval_shape(factored)
            return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

        # An explicit stage needs no factors, but diffrax calls `init` for it once a step.
        factors = jax.lax.cond(stage.coefficient > 0.0, factored, empty)
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
        # The Krylov residual must be small in k = dy/dt, which is how diffrax measures the change, and in its
        # contribution a k to y, which is larger in a long step.
        weight = jnp.maximum(1.0 / self._tolerance(y), stage.a / self._tolerance(stage.y + stage.a * y))
        right = precondition(residual)

        def preconditioned(v: Any) -> Any:
            return precondition(action(v))

        if self.together:
            change, _ = few_iterations(preconditioned, right, weight, VECTORS_TOGETHER)
        else:
            change = gcr(preconditioned, right, weight, LINEAR_RTOL, LINEAR_ATOL, VECTORS)
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
        """Whether to end, and the result: converged if the extrapolated next change is below KAPPA."""
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
        """Return the root unchanged."""
        return y, aux, {}

"""The solution of a problem as a differentiable function of all that it depends on.

A step of an implicit method is differentiated by the implicit function theorem, stage by stage.
With f_i = f(t_i, Y_i), Y_i = y_0 + h sum_j<i a_ij f_j + a f_i,

    (I - a J_i) df_i = J_i (dY_i - a df_i) + df/dt dt + df/dp dp,

and in reverse mode the same with the transposed matrix. diffrax itself factors the N x N matrix I - a J for
each stage; here the structured solve, or its transpose, preconditions Krylov iterations with the exact
Jacobian action. So no N x N matrix is needed in forward or reverse mode. Step lengths are held constant, as
in diffrax: the derivative is that of the discrete solution.

For example, the gradient with respect to the first weights of the distance of the hidden layer from a target
(with ``reduce=False`` every variable is an unknown of its own)::

    problem = make_problem(network, phase, state, reduce=False)
    layout = problem.layout

    def loss(y0):
        y = final_unknowns(problem.structure, problem.parameters, y0, problem.duration)
        return jnp.sum((layout.views(y)["x1"] - target) ** 2)

    layout.views(jax.grad(loss)(problem.y0))["M0"]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import diffrax

from ..base._jax import jax, jnp
from ..base.errors import InputError
from ..system.coupled import Parameters, Structure, System
from ..system.krylov import gcr
from .diffrax import ORDERS
from .structured_root import StructuredNewton

METHODS = tuple(ORDERS)

# Relative residual of the linear systems of a derivative, Krylov vectors kept, most iterations.
LINEAR_RTOL = 1e-10
VECTORS = 20
MOST = 200


def final_unknowns(
    structure: Structure,
    parameters: Parameters,
    y0: Any,
    duration: Any,
    *,
    method: str = "Kvaerno5",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 4096,
) -> jax.Array:
    """The unknowns after `duration`, a pure function for `jax.grad`, `jax.jit` and `jax.vmap`.

    Gradients are by reverse mode with checkpoints: memory grows with the square root of `max_steps`, and time
    is a few times that of the solution. Clamps may change in time, but not jump.

    Parameters
    ----------
    structure : Structure
        ``problem.structure``.
    parameters : Parameters
        tau, delta, nu, decays, clamped data and held weights: ``problem.parameters``, or others.
    y0 : array, shape (N,)
        Unknowns at the start, learning weights included: ``problem.y0``, or others. See
        ``structure.layout.slices`` and ``.views`` for the place of each variable in it.
    duration : scalar
    method : {"Kvaerno5", "Kvaerno3", "Tsit5", "Dopri8"}
    rtol, atol : float
        Relative and absolute tolerance of a step's local error in every unknown.
    max_steps : int
        Most steps; it is an error to need more.

    Returns
    -------
    array, shape (N,)

    Raises
    ------
    InputError
        If there is no such method, or an activation has kinks.
    """
    if method not in METHODS:
        raise InputError("method", f"no differentiable method {method!r}; there are {', '.join(METHODS)}")
    kinked = [sigma.name for sigma in structure.sigma if sigma.kinks]
    if kinked:
        what = f"solutions cannot be differentiated where nodes pass the kinks of {kinked[0]}; use softplus"
        raise InputError("structure", what)
    controller = diffrax.PIDController(rtol=rtol, atol=atol)
    implicit = {"Kvaerno5": _Kvaerno5, "Kvaerno3": _Kvaerno3}
    if method in implicit:
        finder = StructuredNewton(structure=structure, rtol=rtol, atol=atol, norm=controller.norm)
        solver: Any = implicit[method](root_finder=finder)
    else:
        solver = getattr(diffrax, method)()
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(partial(_field, structure)),
        solver,
        t0=0.0,
        t1=duration,
        dt0=None,
        y0=jnp.asarray(y0, float),
        args=jax.tree.map(partial(jnp.asarray, dtype=float), parameters),
        saveat=diffrax.SaveAt(t1=True),
        stepsize_controller=controller,
        max_steps=max_steps,
    )
    assert solution.ys is not None
    last: jax.Array = solution.ys[0]
    return last


def _field(structure: Structure, t: Any, y: Any, p: Parameters) -> Any:
    return System(structure, p).rhs(t, y)


class _Differentiable:
    """Mixin for an implicit method of diffrax: its step, with derivatives through the structured solve.

    The step is taken without differentiation, and then evaluated again from its stages with `_stage`, which
    has their derivatives.
    """

    tableau: Any
    root_finder: Any

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: Any, made_jump: Any
    ) -> tuple[Any, Any, Any, Any, Any]:
        """See `diffrax.AbstractSolver.step`."""
        inputs = jax.lax.stop_gradient((t0, t1, y0, args, solver_state))
        _, error, dense, _, result = super().step(terms, *inputs, made_jump)  # type: ignore[misc]
        h = t1 - t0
        # The stages of a failed step may be NaN. It is not used, but 0 times NaN would be NaN in a gradient.
        stages = dense["k"] / jax.lax.stop_gradient(h)
        stages = jnp.where(jnp.isfinite(stages).all() & (result == diffrax.RESULTS.successful), stages, 0.0)
        first, f0 = solver_state
        f0 = jnp.where(first | made_jump, terms.vf(t0, y0, args), f0)
        y1, stages = self._again(t0, h, y0, args, f0, stages)
        dense = {"y0": y0, "y1": y1, "k": h * stages}
        return y1, error, dense, (False, stages[-1]), result

    def _again(self, t0: Any, h: Any, y0: Any, p: Any, f0: Any, found: Any) -> tuple[Any, Any]:
        """The end of a step and its stages, shape (s, N), differentiable, from the stages `found`."""
        tableau, structure = self.tableau, self.root_finder.structure
        s = len(tableau.b_sol)
        a = h * tableau.a_diagonal[1]
        lower = jnp.array([[*row, *([0.0] * (s - len(row)))] for row in tableau.a_lower])

        def stage(stages: Any, known: Any) -> tuple[Any, Any]:
            row, c, f, k = known
            base = y0 + h * (row @ stages)
            f = _stage(structure, f, t0 + c * h, a, base, p)
            return stages.at[k].set(f), base + a * f

        start = jnp.zeros_like(found).at[0].set(f0)
        knowns = (lower, jnp.asarray(tableau.c), found[1:], jnp.arange(1, s))
        stages, ends = jax.lax.scan(stage, start, knowns)
        return ends[-1], stages  # the methods are stiffly accurate: the last stage is the end


class _Kvaerno5(_Differentiable, diffrax.Kvaerno5):
    """Kvaerno5 with derivatives through the structured solve."""


class _Kvaerno3(_Differentiable, diffrax.Kvaerno3):
    """Kvaerno3 with derivatives through the structured solve."""


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _stage(structure: Structure, f: Any, t: Any, a: Any, base: Any, p: Parameters) -> Any:
    """`f`, which satisfies f = field(t, base + a f), with derivatives by the implicit function theorem."""
    return f


@_stage.defjvp
def _stage_jvp(structure: Structure, primals: Any, tangents: Any) -> tuple[Any, Any]:
    f, t, a, base, p = primals
    _, *given = tangents
    Y = base + a * f
    _, change = jax.jvp(
        lambda t, a, base, p: _field(structure, t, base + a * f, p), (t, a, base, p), tuple(given)
    )
    system = System(structure, p)
    action = system.action(t, Y)

    def solve(matrix: Callable[[Any], Any], r: Any, transpose: bool = False) -> Any:
        factors = system.factor(system.linearise(t, Y), a)

        def precondition(r: Any) -> Any:
            return system.solve(factors, r)

        if transpose:
            forwards = jax.linear_transpose(precondition, r)

            def precondition(r: Any) -> Any:
                return forwards(r)[0]

        b = precondition(r)
        return gcr(lambda v: precondition(matrix(v)), b, jnp.ones_like(b), LINEAR_RTOL, 0.0, VECTORS, MOST)

    df = jax.lax.custom_linear_solve(
        lambda v: v - a * action(v), change, solve, partial(solve, transpose=True)
    )
    return f, df

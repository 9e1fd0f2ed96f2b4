"""The root finder for diffrax's implicit stages, against diffrax's own and against other solvers."""

import diffrax
import jax.numpy as jnp
import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.model.state import State
from pcode.solvers import METHODS, Settings
from pcode.solvers.diffrax import DiffraxSolver
from pcode.solvers.stepping import Kind, Tolerances, parts
from pcode.solvers.structured_root import _Stage
from pcode.system.problem import make_problem


def problem_of(sizes, batch, ratio, reduce=True):
    """Both ends clamped to random numbers, horizon 20 delta."""
    rng = np.random.default_rng(0)
    network = pcode.Network(sizes=sizes, activation="tanh", tau=1.0, delta=ratio, nu=1.0)
    clamp = {k: rng.standard_normal((batch, sizes[k])) for k in (0, len(sizes) - 1)}
    phase = pcode.Phase("train", clamp, duration=20.0 * ratio)
    x = tuple(clamp.get(k, np.zeros((batch, size))) for k, size in enumerate(sizes))
    eps = tuple(np.zeros((batch, size)) for size in sizes[1:])
    return make_problem(network, phase, State(x, eps, network.init_weights(0)), reduce=reduce)


def solved(solver, problem, rtol=1e-6):
    solution = solver.solve(
        problem,
        np.array([problem.duration]),
        Settings(rtol, 1e-3 * rtol),
        lambda k, t, y: None,
        lambda t, step, y: False,
    )
    assert solution.status == "success"
    return np.array(solution.y), solution.stats


@pytest.mark.parametrize("method", ["Kvaerno3", "Kvaerno5"])
def test_it_takes_no_more_steps_than_the_shipped_root_finder_and_ends_at_the_same_place(method):
    problem = problem_of((3, 4, 2), 2, 1e4)
    y, ours = solved(DiffraxSolver(method, implicit=True), problem)
    shipped_y, shipped = solved(DiffraxSolver(method, implicit=True, shipped=True), problem)
    assert ours.steps <= shipped.steps
    assert ours.rejected <= shipped.rejected
    np.testing.assert_allclose(y, shipped_y, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_saved_times_are_as_accurate_as_the_steps_which_do_not_hang_on_them():
    """Between the ends of Kvaerno5's steps diffrax's own cubic is off by many times the tolerance."""
    problem = problem_of((3, 4, 2), 2, 1e4)
    times = np.geomspace(1e-2, problem.duration, 60)
    rows = {}
    for method, rtol in (("Kvaerno5", 1e-6), ("Radau", 1e-10)):
        kept = []
        solution = METHODS[method].solve(
            problem,
            times,
            Settings(rtol, 1e-3 * rtol),
            lambda k, t, y, kept=kept: kept.append(np.array(y)),
            lambda t, step, y: False,
        )
        rows[method] = np.array(kept)
        if method == "Kvaerno5":
            _, at_the_end_only = solved(METHODS[method], problem)
            assert (solution.stats.steps, solution.stats.rejected) == (
                at_the_end_only.steps,
                at_the_end_only.rejected,
            )
    assert np.abs(rows["Kvaerno5"] - rows["Radau"]).max() < 3e-6


def test_networks_far_beyond_a_dense_factorisation_are_solved():
    problem = problem_of((64, 32, 10), 32, 1e4, reduce=False)
    assert problem.y0.size == 7146
    y, stats = solved(METHODS["Kvaerno5"], problem)
    assert stats.steps < 300
    reference, _ = solved(METHODS["cvode"], problem, rtol=1e-8)
    np.testing.assert_allclose(y, reference, rtol=5e-5, atol=5e-5)


def test_it_handles_partly_clamped_layers_moving_clamps_and_feedback_far_from_the_transpose():
    rng = np.random.default_rng(3)
    network = pcode.Network(
        sizes=(4, 5, 3),
        activation=["tanh", "softplus"],
        delta=50.0,
        nu=[0.3, 2.0],
        weight_decay=0.1,
        node_decay=0.05,
        feedback="fixed",
    )
    inputs = rng.standard_normal((2, 4))
    inputs[rng.random((2, 4)) < 0.4] = np.nan
    moving = pcode.TimeSeries([0.0, 60.0], rng.standard_normal((2, 2, 3)))
    phase = pcode.Phase("train", {0: inputs, 2: moving}, duration=60.0)
    weights = network.init_weights(0, scale=0.5, W="independent")
    runs = [
        pcode.simulate(network, [phase], weights=weights, method=method, rtol=rtol, atol=1e-3 * rtol)
        for method, rtol in (("Kvaerno3", 1e-6), ("DOP853", 1e-10))
    ]
    for name in ("x0", "x1", "eps1", "eps2", "M0", "M1", "beta2"):
        ours, exact = (run.data[name].values for run in runs)
        np.testing.assert_allclose(ours, exact, rtol=5e-5, atol=5e-5)


def test_the_shipped_variant_refuses_what_would_not_fit():
    layout = problem_of((64, 32, 10), 32, 1e4, reduce=False).layout
    DiffraxSolver("Kvaerno5", implicit=True).check(layout)
    with pytest.raises(InputError, match=r"method: Kvaerno5 factors a dense Jacobian: too much for 7,146"):
        DiffraxSolver("Kvaerno5", implicit=True, shipped=True).check(layout)


class Spy(diffrax.VeryChord):
    """Notes what diffrax hands to a root finder."""

    def init(self, fn, y, args, options, *rest, **named):
        seen.append(("init_state" in options, _Stage(*args), y, fn(y, args)[0]))
        return super().init(fn, y, args, options, *rest, **named)


seen = []


def test_diffrax_hands_over_the_stage_as_the_root_finder_expects_it():
    """diffrax documents none of this: whoever raises its version's upper bound looks here first."""

    def f(t, y, scale):
        return -scale * y**2 + jnp.sin(t)

    y0, t0, t1, scale = map(jnp.array, ([1.0, 2.0], 0.5, 0.75, 3.0))
    solver = diffrax.Kvaerno3(root_finder=Spy(rtol=1e-6, atol=1e-9))
    term = diffrax.ODETerm(f)
    seen.clear()
    solver.step(term, t0, t1, y0, scale, solver.init(term, t0, t1, y0, scale), False)
    # First with nothing implicit, where the values are at hand; then, while diffrax traces its
    # loop over the stages, where the Jacobian is due and where the equation is to be solved.
    assert {given for given, *_ in seen} == {False, True}
    given, stage, k, residual = seen[0]
    assert not given
    assert stage.coefficient == 0.0
    assert stage.t == t0
    assert stage.step == t1 - t0
    np.testing.assert_allclose(residual, k - f(t0, y0, scale), atol=1e-12)
    for _, stage, k, residual in seen[1:]:
        assert stage.coefficient.shape == stage.parameters.shape == ()
        assert stage.y.shape == k.shape == residual.shape == y0.shape


def test_a_stage_is_solved_where_its_equation_says():
    """One step by hand: k_i = f(t_i, y_0 + h sum_j a_ij k_j), by diffrax's own tableau."""
    problem = problem_of((3, 4, 2), 2, 1e2)

    solver, _, term = parts(
        Kind("Kvaerno3", False), problem.structure, Tolerances(1e-12, 1e-14, problem.stands_for)
    )
    y0, p, t0, h = jnp.asarray(problem.y0), problem.parameters, jnp.array(0.0), jnp.array(0.7)
    found = solver.step(term, t0, h, y0, p, solver.init(term, t0, h, y0, p), False)
    k, h = np.array(found[2]["k"]) / 0.7, 0.7
    tableau = solver.tableau
    rows = [np.zeros(0), *tableau.a_lower]
    for i, (row, c) in enumerate(zip(rows, [0.0, *tableau.c], strict=True)):
        y = problem.y0 + h * (row @ k[:i] + tableau.a_diagonal[i] * k[i])
        np.testing.assert_allclose(k[i], problem.rhs(c * h, y), atol=1e-9)

"""The linear systems of CVODE, against dense linear algebra on the finite-difference Jacobian."""

import re

import numpy as np
import pytest

import pcode
from pcode.model.state import State
from pcode.solvers import METHODS, linear, sundials
from pcode.solvers.base import Settings
from pcode.solvers.linear import SMALL, Dense, Structured, linear_solver
from pcode.system.problem import make_problem
from tests.test_newton import finite_difference_jacobian

DELTA = 10.0


def posed(feedback, learn, sizes=(2, 4, 3), batch=3):
    rng = np.random.default_rng(0)
    network = pcode.Network(sizes=sizes, tau=1.0, delta=DELTA, weight_decay=0.1, feedback=feedback)

    def arrays(*shapes):
        return tuple(map(rng.standard_normal, shapes))

    W = None if feedback == "tied" else arrays(*((b, a) for a, b in network.links))
    weights = pcode.Weights(arrays(*network.links), W, arrays(*sizes[1:]))
    state = State(arrays(*((batch, n) for n in sizes)), arrays(*((batch, n) for n in sizes[1:])), weights)
    clamp = {0: state.x[0], len(sizes) - 1: state.x[-1]}
    phase = pcode.Phase("any", clamp, duration=1.0, learn=learn)
    return make_problem(network, phase, state), rng


@pytest.mark.parametrize("kind", [Dense, Structured])
@pytest.mark.parametrize(
    ("feedback", "learn"), [("learned", True), ("tied", True), ("fixed", True), ("fixed", False)]
)
def test_a_system_is_solved_also_for_another_gamma_than_that_of_the_factors(kind, feedback, learn):
    problem, rng = posed(feedback, learn)
    y = problem.y0
    J = finite_difference_jacobian(problem, 0.0)
    solver = kind(problem) if kind is Dense else kind(problem, Settings())
    unused = np.zeros_like(y)
    for gamma in DELTA * np.array([0.01, 0.1, 1.0]):
        new = [0]
        solver.setup(0.0, y, unused, 1, new, gamma)
        assert new == [1]
        # Where no weight moves the structured solve stands alone, and is of the gamma of its factors.
        for asked in (gamma, 1.2 * gamma) if learn or kind is Dense else (gamma,):
            r, z, once_more = rng.standard_normal(y.size), np.empty_like(y), np.empty_like(y)
            solver.solve(0.0, y, unused, r, z, asked, 1e-3, 1)
            assert solver.gamma == asked
            expected = np.linalg.solve(np.eye(y.size) - asked * J, r)
            np.testing.assert_allclose(z, expected, atol=1e-6 * np.abs(expected).max())
            # What CVODE's GMRES makes of it: the product of z with the matrix, preconditioned, is z.
            solver.jacobian_action(0.0, y, unused, z, unused)
            solver.solve(0.0, y, unused, z - asked * unused, once_more, asked, 1e-3, 1)
            np.testing.assert_array_equal(once_more, z)
    assert solver.linearised == 3


@pytest.mark.parametrize("learn", [True, False])
def test_iterations_that_are_compiled_after_many_solve_the_same_systems(learn, monkeypatch):
    problem, rng = posed("learned", learn)
    solver, y, taken = Structured(problem, Settings()), problem.y0, []
    iterated = linear._iterated
    monkeypatch.setattr(linear, "_iterated", lambda *given: taken.append(1) or iterated(*given))
    J, unused, found = finite_difference_jacobian(problem, 0.0), np.zeros_like(y), np.empty_like(y)
    gamma = 0.02 * DELTA
    solver.setup(0.0, y, unused, 1, [0], gamma)
    for _ in range(1_000):
        r = rng.standard_normal(y.size)
        solver.solve(0.0, y, unused, r, found, gamma, 1e-3, 1)
        expected = np.linalg.solve(np.eye(y.size) - gamma * J, r)
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    # Systems of a phase in which no weight moves need no iterations.
    assert 100 < len(taken) < 1_000 if learn else not taken


@pytest.mark.parametrize("kind", [Dense, Structured])
@pytest.mark.parametrize("learn", [True, False])
def test_stiffness_is_gamma_times_the_rate_of_what_is_corrected_in_the_nodes(kind, learn):
    problem, rng = posed("tied", learn)
    y, gamma, k = problem.y0, 0.02 * DELTA, problem.layout.node_count
    J = finite_difference_jacobian(problem, 0.0)
    solver = kind(problem) if kind is Dense else kind(problem, Settings())
    solver.setup(0.0, y, y, 1, [0], gamma)
    z, found, unused = rng.standard_normal(y.size), np.empty_like(y), np.zeros_like(y)
    r = z - gamma * (J @ z)
    solver.solve(0.0, y, unused, r, found, gamma, 1e-3, 1)
    assert np.isnan(solver.stiffness)  # not asked for
    solver.jacobian_action(0.0, y, unused, found, unused)
    solver.solve(0.0, y, unused, found, found, gamma, 1e-3, 1)
    solver.watches_stiffness = True
    solver.solve(0.0, y, unused, r, found, gamma, 1e-3, 1)
    expected = np.linalg.norm((gamma * (J @ z))[:k]) / np.linalg.norm(z[:k])
    assert solver.stiffness == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("width", "kind"), [(4, Dense), (40, Structured)])
def test_few_unknowns_are_solved_for_as_a_whole_and_many_by_structure(width, kind):
    problem, _ = posed("tied", True, sizes=(2, width, 3))
    assert (problem.y0.size <= SMALL) == (kind is Dense)
    assert type(linear_solver(problem, Settings())) is kind


@pytest.mark.parametrize("width", [4, 40])
def test_cvode_asks_for_a_solution_a_product_and_a_solution_again_in_this_order(width, monkeypatch):
    """What the trick with the preconditioner depends on; scikit-sundae and SUNDIALS promise nothing of it.

    s: setup, p: a system to solve, j: the product, i: the identity, which is asked for as a solution.
    """
    problem, _ = posed("learned", True, sizes=(2, width, 3))
    calls, unsolved = [], []

    class Seen(Dense if problem.y0.size <= SMALL else Structured):
        def setup(self, t, y, dy, jok, jnew, gamma):
            calls.append("s")
            super().setup(t, y, dy, jok, jnew, gamma)

        def jacobian_action(self, t, y, dy, v, out):
            calls.append("j")
            super().jacobian_action(t, y, dy, v, out)

        def solve(self, t, y, dy, r, z, gamma, delta, side):
            calls.append("i" if self._solved else "p")
            unsolved.append(delta > 0.0)
            super().solve(t, y, dy, r, z, gamma, delta, side)

    def seen(problem, settings):
        return Seen(problem) if problem.y0.size <= SMALL else Seen(problem, settings)

    monkeypatch.setattr(sundials, "linear_solver", seen)
    end = np.array([problem.duration])
    solution = METHODS["cvode"].solve(problem, end, Settings(), lambda *_: None, lambda *_: False)
    assert solution.status == "success"
    assert re.fullmatch("(s|pji)+", "".join(calls))
    assert calls.count("p") > solution.stats.steps / 2
    assert all(unsolved)  # a bound on the residual was given each time

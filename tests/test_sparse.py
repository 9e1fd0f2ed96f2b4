"""The sparse Jacobian, against automatic differentiation, and as SciPy's methods use it."""

from dataclasses import replace
from itertools import pairwise

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pcode
from pcode import InputError
from pcode.base.status import Status
from pcode.simulation.start import starting_state
from pcode.solvers import METHODS, Settings
from pcode.system.problem import layout_of, make_problem
from tests.situations import situations


def trained(sizes, batch, rng, duration, learn=True, **options):
    """A network and a phase with both ends clamped to random samples, from the default start."""
    network = pcode.Network(sizes, **{"delta": 1000.0, "nu": 1.0} | options)
    clamp = {layer: rng.standard_normal((batch, sizes[layer])) for layer in (0, network.n)}
    phase = pcode.Phase("train", clamp, duration=duration, learn=learn)
    weights = network.init_weights(rng)
    state = starting_state(network, phase, tuple(range(batch)), "feedforward", weights, None, ())
    return network, phase, state


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(situations(), st.booleans())
def test_it_is_the_derivative_of_the_vector_field_for_every_kind_of_network(situation, reduce):
    network, phase, state, t = situation
    problem = make_problem(network, phase, state, reduce=reduce)
    derivative = jax.jit(jax.jacfwd(lambda y: problem.system.rhs(t, y)))
    expected = np.asarray(derivative(problem.y0))
    found = problem.sparse_jacobian(t, problem.y0)
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found.toarray(), expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max(initial=1.0)
    )


def test_it_stores_what_the_equations_name_and_nothing_else(rng):
    """Counted from the equations of a fully connected 3-5-4-2 with learned W, all of x^1, x^2 free."""
    sizes, B = (3, 5, 4, 2), 2
    problem = make_problem(*trained(sizes, B, rng, 1.0), reduce=False)
    links = list(pairwise(sizes))
    free_links = sum(a * b for a, b in links[1:])  # those from a layer whose values are free
    all_links = sum(a * b for a, b in links)
    values, errors, biases = B * sum(sizes[1:-1]), B * sum(sizes[1:]), sum(sizes[1:])
    node_node = 3 * values + errors + 2 * B * free_links
    # eps by M and beta; x by W; M and W by eps, and by x where that is free; beta by eps
    node_weight = B * all_links + errors + B * free_links
    weight_node = 2 * B * (all_links + free_links) + errors
    decay = 2 * all_links + biases
    assert problem.sparse_jacobian(0.0, problem.y0).nnz == node_node + node_weight + weight_node + decay


@pytest.mark.slow
@pytest.mark.parametrize("method", ["BDF", "Radau"])
@pytest.mark.parametrize("learn", [True, False])
def test_a_solution_with_it_is_that_with_the_dense_jacobian(method, learn, rng, monkeypatch):
    problem = make_problem(*trained((6, 8, 4, 3), 3, rng, 300.0, learn))
    times, found = np.geomspace(0.1, 300.0, 12), {}
    for size in (1, 10_000):
        monkeypatch.setattr("pcode.solvers.scipy.SPARSE_FROM", size)
        rows = []
        solution = METHODS[method].solve(
            problem,
            times,
            Settings(1e-6, 1e-9),
            lambda k, t, y, rows=rows: rows.append(y.copy()),
            lambda *_: False,
        )
        assert solution.status is Status.SUCCESS
        found[size] = np.array(rows), solution.stats.steps
    assert found[1][1] == found[10_000][1]
    np.testing.assert_allclose(found[1][0], found[10_000][0], atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["BDF", "Radau"])
def test_many_weights_and_few_nodes_are_solved_to_the_tolerance(method, rng):
    network, phase, state = trained((200, 100, 10), 2, rng, 3.0)
    assert layout_of(network, phase, 2).size == 42_530
    runs = [
        pcode.simulate(network, [phase], weights=state.weights, method=name, rtol=rtol, atol=1e-3 * rtol)
        for name, rtol in ((method, 1e-6), ("DOP853", 1e-9))
    ]
    assert runs[0].status == "success"
    for name in ("x1", "eps2", "M0", "W1", "beta2"):
        found, exact = (run.data[name].values[-1] for run in runs)
        np.testing.assert_allclose(found, exact, atol=1e-4)


@pytest.mark.parametrize("method", ["BDF", "Radau"])
def test_so_many_nodes_that_the_factors_would_not_fit_are_refused_with_the_reason(method):
    phase = pcode.Phase("train", {0: np.zeros((64, 784))}, duration=1.0)
    layout = layout_of(pcode.Network((784, 128, 10)), phase, 64)
    with pytest.raises(
        InputError, match=r"method: .* up to 312 million entries for .* unknowns .*; use cvode"
    ):
        METHODS[method].check(layout)
    # Held weights leave the samples uncoupled: 64 blocks of 276 nodes.
    METHODS[method].check(replace(layout, learn=False))

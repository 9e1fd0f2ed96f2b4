"""Nodes at rest: against closed forms and the plain flow."""

import numpy as np
import pytest
from scipy.optimize import brentq

import pcode
from pcode import InputError
from pcode.system.problem import make_problem
from pcode.system.rest import nodes_at_rest
from tests import reference


def start(network, phase, weights):
    batch = phase.batch or 1
    x = tuple(np.zeros((batch, size)) for size in network.sizes)
    state = pcode.State(x, x[1:], network.check_weights(weights))
    return make_problem(network, phase, state, reduce=False)


def test_the_textbook_rest_is_the_root_of_its_cubic(textbook):
    network, [phase], weights = textbook
    run = pcode.simulate(network, [phase], weights=weights, nodes="equilibrium", rtol=1e-9)
    root = brentq(lambda v: 2 * v**3 - 3 * v - 3, 1.0, 3.0, xtol=1e-15)
    assert run.data["x1"].values[0, 0, 0] == pytest.approx(root, rel=1e-12)
    assert np.ptp(run.data["x1"].values) < 1e-6


def test_a_linear_network_rests_where_linear_algebra_says(rng):
    """Ends clamped, W = M^T, 3-2-2: the hidden layer solves the normal equations of its two links."""
    network = pcode.Network(sizes=(3, 2, 2), activation="identity", nu=(0.5, 2.0), feedback="tied")
    M = tuple(rng.standard_normal(link) for link in network.links)
    X, Y = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    phase = pcode.Phase("rest", {0: X, 2: Y}, duration=1.0, learn=False)
    rest = nodes_at_rest(start(network, phase, pcode.Weights(M, None, (np.zeros(2), np.zeros(2)))))
    # minimise |v - X M0|^2 / 0.5 + |Y - v M1|^2 / 2
    v = np.linalg.solve(np.eye(2) / 0.5 + M[1] @ M[1].T / 2.0, (X @ M[0] / 0.5 + Y @ M[1].T / 2.0).T).T
    assert rest.found
    assert rest.residual.max() <= 1e-12
    np.testing.assert_allclose(rest.state.x[1], v, atol=1e-10)
    np.testing.assert_allclose(rest.state.eps[1], (Y - v @ M[1]) / 2.0, atol=1e-10)


def test_with_only_the_input_clamped_rest_is_the_feedforward_pass(rng):
    network = pcode.Network(sizes=(3, 6, 4, 2))
    weights = network.init_weights(rng)
    X = rng.standard_normal((7, 3))
    rest = nodes_at_rest(start(network, pcode.Phase("test", {0: X}, duration=1.0), weights))
    assert rest.found
    np.testing.assert_allclose(
        rest.state.x[3], reference.feedforward(network, X, weights.M, weights.beta), atol=1e-10
    )


def test_it_is_the_rest_to_which_the_flow_leads(rng):
    network = pcode.Network(sizes=(2, 6, 5, 1), nu=1.0, feedback="tied")
    weights = network.init_weights(rng, scale=0.5)
    clamp = {0: rng.standard_normal((6, 2)), 3: rng.standard_normal((6, 1))}
    settle = pcode.Phase("settle", clamp, duration=1e4, learn=False, until="equilibrium", settle_tol=1e-9)
    by_flow = pcode.simulate(network, [settle], weights=weights, rtol=1e-9, atol=1e-11)
    by_newton = pcode.simulate(network, [settle], weights=weights, nodes="equilibrium", rtol=1e-9, atol=1e-11)
    assert by_newton.phases[0].t_end == 0.0  # it starts at rest, and ends there
    for a, b in zip(by_flow.state.x, by_newton.state.x, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def restless():
    """1-1 with W = 1 and M = 0: the error (1 - 0)/nu drives x^0 for ever; there is no equilibrium."""
    network = pcode.Network(sizes=(1, 1), activation="identity", feedback="fixed")
    weights = pcode.Weights(M=([[0.0]],), W=([[1.0]],), beta=([0.0],))
    return network, weights, pcode.Phase("restless", {1: [[1.0]]}, duration=1.0, learn=False)


def test_a_start_at_rest_that_does_not_exist_is_refused_before_anything_runs():
    network, weights, phase = restless()
    assert not nodes_at_rest(start(network, phase, weights)).found
    with pytest.raises(InputError, match=r"nodes: no equilibrium was reached .* start at"):
        pcode.simulate(network, [phase], weights=weights, nodes="equilibrium")


def test_where_a_later_phase_finds_no_start_the_earlier_ones_are_kept():
    network, weights, _ = restless()
    calm = pcode.Phase("calm", {0: [[1.0]], 1: [[1.0]]}, duration=5.0, learn=False)
    two = pcode.Phase("restless", {1: [[1.0], [1.0]]}, duration=1.0, learn=False)
    run = pcode.simulate(network, [calm, two], weights=weights, nodes="equilibrium")
    assert [record.status for record in run.phases] == ["success", "nonlinear_failure"]
    assert run.data["time"].values[-1] == run.phases[1].t_end == 5.0
    assert "was not begun: nodes: no equilibrium" in run.message
    assert run.state.x[0] == [[1.0]]


def test_the_weights_are_held_though_the_phase_learns(xor):
    network, [train], weights = xor
    problem = start(network, train, weights)
    rest = nodes_at_rest(problem)
    assert rest.found
    for a, b in zip(rest.state.weights.M, weights.M, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("clamped", [(0, 3), (0,), (3,), (1, 3)])
def test_newton_converges_as_fast_as_newton_does(clamped, rng):
    """A handful of steps to rounding: only with the exact Jacobian of a curved network."""
    network = pcode.Network(sizes=(3, 6, 5, 2), nu=(0.5, 1.0, 2.0), node_decay=0.1, feedback="fixed")
    weights = network.init_weights(rng, scale=0.8)
    clamp = {layer: 0.5 * rng.standard_normal((4, network.sizes[layer])) for layer in clamped}
    rest = nodes_at_rest(start(network, pcode.Phase("p", clamp, duration=1.0, learn=False), weights))
    assert rest.found
    assert rest.iterations <= 7


def test_samples_that_settle_at_once_are_not_held_up_by_those_that_do_not(rng):
    """Every sample has its own step: the batch rests where each sample alone does."""
    network = pcode.Network(sizes=(2, 6, 2), nu=0.3, feedback="tied")
    weights = network.init_weights(rng, scale=3.0)
    X, Y = 3.0 * rng.standard_normal((6, 2)), 3.0 * rng.standard_normal((6, 2))
    together = nodes_at_rest(start(network, pcode.Phase("p", {0: X, 2: Y}, duration=1.0), weights), step=1.0)
    assert together.found
    for b in range(6):
        phase = pcode.Phase("p", {0: X[b : b + 1], 2: Y[b : b + 1]}, duration=1.0)
        alone = nodes_at_rest(start(network, phase, weights), step=1.0)
        np.testing.assert_allclose(alone.state.x[1][0], together.state.x[1][b], atol=1e-9)

"""What the theory of the model says must be seen, one fact a test."""

import numpy as np
import pytest
import scipy.linalg
from scipy.optimize import brentq

import pcode
from pcode.system.problem import make_problem
from tests import reference
from tests.methods import DETERMINISTIC

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def linear_network(rng, sizes=(3, 4, 2), nu=1.3, tau=0.8, **options):
    """A linear network with random tied weights, small enough not to be stiff."""
    network = pcode.Network(sizes=sizes, activation="identity", tau=tau, nu=nu, feedback="tied", **options)
    M = tuple(rng.standard_normal(link) / np.sqrt(link[0]) for link in network.links)
    return network, pcode.Weights(M, None, tuple(rng.standard_normal(s) for s in sizes[1:]))


def node_matrix(network, weights):
    """D = d(x - mu)/dx_free and the node system's matrix, for layer 0 and n clamped, worked out here.

    For a row of free values v (layers 1..n-1) and of errors e (layers 1..n), with W = M^T:
    tau dv/dt = -e D^T, tau de/dt = v D - nu e + constant.
    """
    sizes, n = network.sizes, network.n
    D = np.zeros((sum(sizes[1:-1]), sum(sizes[1:])))
    rows = np.cumsum([0, *sizes[1:-1]])
    columns = np.cumsum([0, *sizes[1:]])
    for k in range(1, n):
        here = slice(rows[k - 1], rows[k])
        D[here, columns[k - 1] : columns[k]] = np.eye(sizes[k])
        D[here, columns[k] : columns[k + 1]] = -weights.M[k]
    nu = np.repeat(network.nu, sizes[1:])
    A = np.block([[np.zeros((len(D), len(D))), -D], [D.T, -np.diag(nu)]]) / network.tau
    return D, A


def test_the_node_jacobian_has_the_eigenvalues_of_the_closed_form(rng):
    for nu in (0.05, 0.7, 5.0):
        network, weights = linear_network(rng, sizes=(2, 3, 4, 2), nu=nu)
        phase = pcode.Phase("held", {0: np.ones((1, 2)), 3: np.zeros((1, 2))}, duration=1.0, learn=False)
        state = pcode.State(
            tuple(np.zeros((1, s)) for s in network.sizes),
            tuple(np.zeros((1, s)) for s in network.sizes[1:]),
            weights,
        )
        problem = make_problem(network, phase, state, reduce=False)
        found = np.linalg.eigvals(problem.jacobian(0.0, problem.y0))
        s = np.linalg.svd(node_matrix(network, weights)[0], compute_uv=False)
        root = np.sqrt(nu**2 - 4 * s**2 + 0j)
        expected = np.concatenate([(-nu + root) / 2, (-nu - root) / 2, [-nu] * 2]) / network.tau
        assert len(found) == len(expected)
        for value in expected:
            assert np.abs(found - value).min() < 1e-9


@pytest.mark.parametrize("method", DETERMINISTIC)
def test_a_linear_network_with_held_weights_follows_the_matrix_exponential(method, rng):
    network, weights = linear_network(rng)
    X, Y = rng.standard_normal((2, 3)), rng.standard_normal((2, 2))
    phase = pcode.Phase("held", {0: X, 2: Y}, duration=15.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, method=method, rtol=1e-8, atol=1e-10)
    _, A = node_matrix(network, weights)
    M, _, beta = weights
    mu1 = X @ M[0] + beta[0]
    for b in range(2):
        constant = np.concatenate([np.zeros(4), -mu1[b], Y[b] - beta[1]]) / network.tau
        rest = np.linalg.solve(A, -constant)
        start = np.concatenate([mu1[b], np.zeros(6)])
        for row in range(0, run.data.sizes["time"], 37):
            t = float(run.data["time"][row])
            expected = rest + scipy.linalg.expm(A * t) @ (start - rest)
            found = np.concatenate([run.data[name].values[row, b] for name in ("x1", "eps1", "eps2")])
            np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_lyapunov_function_of_a_linear_network_falls_while_its_energy_rises(rng):
    network, weights = linear_network(rng, nu=0.3)
    phase = pcode.Phase(
        "held", {0: rng.standard_normal((1, 3)), 2: [[1.0, -1.0]]}, duration=60.0, learn=False
    )
    run = pcode.simulate(network, [phase], weights=weights, **TIGHT)
    z = np.concatenate([run.data[name].values[:, 0] for name in ("x1", "eps1", "eps2")], axis=1)
    V = 0.5 * ((z - z[-1]) ** 2).sum(axis=1)
    assert (np.diff(V) <= 1e-9 * V[0]).all()
    F = run.data["energy"].sum("layer").values
    assert F[0] == 0.0
    assert (F[1:] > 0.0).all()
    slaved = run.data["energy_slaved"].sum("layer").values
    assert F[-1] == pytest.approx(slaved[-1], rel=1e-5)


def test_at_rest_the_errors_obey_the_recursion_of_backpropagation(rng):
    network = pcode.Network(sizes=(3, 5, 4, 2), nu=(0.5, 1.0, 2.0), feedback="tied")
    weights = network.init_weights(rng)
    X, Y = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    phase = pcode.Phase(
        "settle", {0: X, 3: Y}, duration=1e4, learn=False, until="equilibrium", settle_tol=1e-9
    )
    run = pcode.simulate(network, [phase], weights=weights, **TIGHT)
    assert run.status == "equilibrium"
    x, eps, (M, _, beta) = run.state
    for k in (1, 2, 3):
        mu = np.tanh(x[k - 1]) @ M[k - 1] + beta[k - 1]
        np.testing.assert_allclose(eps[k - 1], (x[k] - mu) / network.nu[k - 1], atol=1e-8)
    for k in (1, 2):
        back = (1 - np.tanh(x[k]) ** 2) * (eps[k] @ M[k].T)
        np.testing.assert_allclose(eps[k - 1], back, atol=1e-8)


def test_the_weight_flow_at_rest_tends_to_the_gradient_of_backpropagation(rng):
    sizes, B = (3, 5, 2), 4
    X, Y = rng.standard_normal((B, 3)), rng.standard_normal((B, 2))
    distance = []
    for nu_out in (1e2, 1e3, 1e4):
        network = pcode.Network(sizes=sizes, nu=(1.0, nu_out), feedback="tied")
        M, _, beta = weights = network.init_weights(rng=3)
        phase = pcode.Phase("settle", {0: X, 2: Y}, duration=1.0, learn=False)
        run = pcode.simulate(network, [phase], weights=weights, nodes="equilibrium", **TIGHT)
        x, eps, _ = run.state
        # Backpropagation by hand: tanh on layers 0 and 1, linear output, loss 1/2 |y - output|^2.
        h = np.tanh(X) @ M[0] + beta[0]
        e2 = Y - (np.tanh(h) @ M[1] + beta[1])
        e1 = (1 - np.tanh(h) ** 2) * (e2 @ M[1].T)
        minus_gradient = (np.tanh(X).T @ e1 / B, np.tanh(h).T @ e2 / B)
        flow = (nu_out * np.tanh(X).T @ eps[0] / B, nu_out * np.tanh(x[1]).T @ eps[1] / B)
        distance.append(max(np.abs(a - b).max() for a, b in zip(flow, minus_gradient, strict=True)))
    assert distance[0] < 0.05
    assert distance[1] == pytest.approx(distance[0] / 10, rel=0.1)  # the pull of the output is of order 1/nu
    assert distance[2] == pytest.approx(distance[1] / 10, rel=0.1)


@pytest.mark.parametrize("method", ["cvode", "Radau", "Dopri8"])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_learned_feedback_keeps_its_distance_from_the_transpose_or_loses_it_with_decay(method, decay, rng):
    network = pcode.Network(sizes=(3, 5, 2), delta=50.0, weight_decay=decay, feedback="learned")
    weights = network.init_weights(rng, scale=0.5, W="independent")
    clamp = {0: rng.standard_normal((4, 3)), 2: rng.standard_normal((4, 2))}
    run = pcode.simulate(
        network,
        [pcode.Phase("train", clamp, duration=200.0)],
        weights=weights,
        method=method,
        rtol=1e-8,
        atol=1e-11,
    )
    t = run.data["weight_time"].values[:, None, None]
    for k in range(2):
        apart = run.data[f"W{k}"].values - run.data[f"M{k}"].values.transpose(0, 2, 1)
        np.testing.assert_allclose(apart, apart[0] * np.exp(-decay * t / 50.0), atol=1e-6)
        assert np.abs(run.data[f"M{k}"].values[-1] - weights.M[k]).max() > 0.01  # something was learned


def test_learned_feedback_that_starts_at_the_transpose_is_tied_feedback(xor):
    learned, phases, weights = xor
    tied = pcode.Network(**learned.to_dict() | {"feedback": "tied"})
    a = pcode.simulate(learned, phases, weights=weights, rtol=1e-9, atol=1e-12)
    b = pcode.simulate(tied, phases, weights=weights._replace(W=None), rtol=1e-9, atol=1e-12)
    assert "W0" not in b.data
    for name in b.data.data_vars:
        np.testing.assert_allclose(a.data[name], b.data[name], atol=1e-6, err_msg=name)


def test_fixed_feedback_stays_as_it_was(xor):
    network, phases, weights = xor
    fixed = pcode.Network(**network.to_dict() | {"feedback": "fixed"})
    run = pcode.simulate(fixed, phases, weights=weights)
    for k in range(2):
        assert (run.data[f"W{k}"].values == weights.W[k]).all()


@pytest.mark.parametrize("method", DETERMINISTIC)
def test_the_textbook_scenario_rings_down_to_the_root_of_its_cubic(method, textbook):
    network, [phase], weights = textbook
    run = pcode.simulate(network, [phase], weights=weights, method=method, rtol=1e-8, atol=1e-10)
    v = run.data["x1"].values[:, 0, 0]
    root = brentq(lambda v: 2 * v**3 - 3 * v - 3, 1.0, 3.0, xtol=1e-14)
    assert v[0] == 3.0
    assert v[-1] == pytest.approx(root, abs=1e-6)
    crossings = np.count_nonzero(np.diff(np.sign(v - root)[np.abs(v - root) > 1e-6]))
    assert crossings >= 3


def test_the_test_phase_ends_at_the_feedforward_pass(xor):
    network, [train], weights = xor
    test = pcode.Phase("test", {0: train.clamp[0]}, duration=1e4, learn=False, until="equilibrium")
    run = pcode.simulate(network, [train, test], weights=weights)
    M, _, beta = run.weights
    assert [record.status for record in run.phases] == ["success", "equilibrium"]
    output = reference.feedforward(network, train.clamp[0], M, beta)
    np.testing.assert_allclose(run.state.x[2], output, atol=1e-4)
    assert max(np.abs(eps).max() for eps in run.state.eps) < 1e-5


def test_a_batch_of_equal_samples_moves_as_one_sample_does(timescales):
    network, [phase], weights = timescales
    many = pcode.Phase("train", {k: np.repeat(v, 5, axis=0) for k, v in phase.clamp.items()}, duration=3000.0)
    one_run = pcode.simulate(network, [phase], weights=weights, **TIGHT)
    many_run = pcode.simulate(network, [many], weights=weights, **TIGHT)
    for name in ("M0", "M1", "W0", "beta2", "energy"):
        np.testing.assert_allclose(many_run.data[name], one_run.data[name], atol=1e-8, err_msg=name)
    for b in range(5):
        np.testing.assert_allclose(many_run.data["x1"][:, b], one_run.data["x1"][:, 0], atol=1e-8)


def against_the_transpose(m):
    """Linear 1-1-1-1, nu = tau = 1, W = -M^T, ends clamped: a Hopf bifurcation at |m| = 1/sqrt(2)."""
    network = pcode.Network(sizes=(1, 1, 1, 1), activation="identity", nu=1.0, feedback="fixed")
    weights = pcode.Weights(M=([[m]],) * 3, W=([[-m]],) * 3, beta=([0.0],) * 3)
    phase = pcode.Phase("held", {0: [[1.0]], 3: [[-1.0]]}, duration=100.0, learn=False)
    return network, phase, network.check_weights(weights)


def test_feedback_against_the_transpose_has_its_hopf_point_where_theory_says():
    network, phase, weights = against_the_transpose(1 / np.sqrt(2))
    ones = tuple(np.ones((1, 1)) for _ in range(4))
    problem = make_problem(network, phase, pcode.State(ones, ones[1:], weights), reduce=False)
    eigenvalues = np.linalg.eigvals(problem.jacobian(0.0, problem.y0))
    for expected in (1j / np.sqrt(2), -1j / np.sqrt(2)):
        assert np.abs(eigenvalues - expected).min() < 1e-9
    assert np.abs(eigenvalues.real).max() <= 1.0 + 1e-9


@pytest.mark.parametrize(("m", "grows"), [(0.6, False), (0.8, True)])
def test_on_either_side_of_the_hopf_point_the_nodes_ring_down_or_up(m, grows):
    network, phase, weights = against_the_transpose(m)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(spacing="linear", nodes=2000))
    x = run.data["x1"].values[:, 0, 0]
    assert bool(np.ptp(x[1500:]) > np.ptp(x[500:1000])) is grows


def test_node_decay_selects_the_generated_input_of_the_closed_form(rng):
    """Orchard and Sun 2019: x^0 = y (M^T M + lambda_x nu I)^{-1} M^T for one linear layer, beta = 0."""
    network = pcode.Network(sizes=(4, 2), activation="identity", nu=0.7, node_decay=0.1, feedback="tied")
    M, y = rng.standard_normal((4, 2)), rng.standard_normal((3, 2))
    weights = pcode.Weights((M,), None, (np.zeros(2),))
    phase = pcode.Phase("generate", {1: y}, duration=1e4, learn=False, until="equilibrium", settle_tol=1e-8)
    run = pcode.simulate(network, [phase], weights=weights, **TIGHT)
    expected = y @ np.linalg.solve(M.T @ M + 0.1 * 0.7 * np.eye(2), M.T)
    assert run.status == "equilibrium"
    np.testing.assert_allclose(run.state.x[0], expected, atol=1e-6)


@pytest.mark.parametrize("feedback", ["tied", "learned"])
def test_weight_decay_selects_the_minimum_norm_solution(feedback, rng):
    """Fact 9: a linear layer learns (A^T A / (B nu) + lambda I)^{-1} A^T Y / (B nu), A the inputs and a 1.

    That tends to the pseudo-inverse's solution as lambda does to 0. Without decay what the weights
    started with outside the span of the inputs stays.
    """
    B, nu = 3, 0.7
    X, Y = rng.standard_normal((B, 5)), rng.standard_normal((B, 2))
    A = np.hstack([X, np.ones((B, 1))])
    least = np.linalg.pinv(A) @ Y
    start = np.vstack([rng.standard_normal((5, 2)), np.zeros((1, 2))])
    apart = []
    for decay in (1e-2, 1e-3, 0.0):
        network = pcode.Network((5, 2), "identity", delta=10.0, nu=nu, weight_decay=decay, feedback=feedback)
        W = (start[:5].T,) if feedback == "learned" else None
        weights = pcode.Weights((start[:5],), W, (start[5],))
        phase = pcode.Phase("learn", {0: X, 1: Y}, duration=1e6, until="equilibrium", settle_tol=1e-9)
        run = pcode.simulate(network, [phase], weights=weights, rtol=1e-8, atol=1e-11)
        assert run.status == "equilibrium"
        found = np.vstack([run.weights.M[0], run.weights.beta])
        ridge = np.linalg.solve(A.T @ A / (B * nu) + decay * np.eye(6), A.T @ Y / (B * nu))
        expected = ridge if decay else least + start - np.linalg.pinv(A) @ A @ start
        np.testing.assert_allclose(found, expected, atol=1e-5)
        apart.append(np.abs(found - least).max())
    assert apart[1] == pytest.approx(apart[0] / 10, rel=0.2)
    assert apart[2] > 0.1


def test_the_equilibrium_energy_of_a_linear_network_is_the_closed_form(rng):
    network, weights = linear_network(rng, sizes=(3, 4, 5, 2), nu=(0.5, 2.0, 1.5))
    M, _, beta = weights
    X, Y = rng.standard_normal((3, 3)), rng.standard_normal((3, 2))
    phase = pcode.Phase("settle", {0: X, 3: Y}, duration=1.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, nodes="equilibrium", **TIGHT)
    r = Y - reference.feedforward(network, X, M, beta)
    S = 1.5 * np.eye(2) + 0.5 * (M[1] @ M[2]).T @ (M[1] @ M[2]) + 2.0 * M[2].T @ M[2]
    expected = 0.5 * np.mean(np.einsum("bi,ij,bj->b", r, np.linalg.inv(S), r))
    for name in ("energy", "energy_slaved"):
        assert float(run.data[name][-1].sum()) == pytest.approx(expected, rel=1e-7)

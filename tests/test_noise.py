"""Noise on the nodes: laws of linear networks, orders of the methods, and paths that a seed determines."""

import diffrax
import jax
import numpy as np
import pytest
import scipy

import pcode
from pcode.solvers.wiener import Unchecked

T = 0.2
NU = (0.5, 1.5)
LINEAR = pcode.Network((2, 3, 2), "identity", tau_eps=0.0, nu=NU, node_decay=0.1, temperature=T)
BOTH = {0: [1.0, -1.0], 2: [0.5, 0.0]}


def linear(samples=400, **changes):
    """A linear network, its weights, and a phase in which both ends of so many equal samples are held."""
    options = {"duration": 60.0, "learn": False, "nodes": "zero"} | changes.pop("phase", {})
    network = LINEAR if not changes else pcode.Network(**LINEAR.to_dict() | changes)
    clamp = {layer: np.tile(value, (samples, 1)) for layer, value in BOTH.items()}
    return network, network.init_weights(0), pcode.Phase("noise", clamp, **options)


def brownian(samples, temperature=0.5, **phase):
    """A free output whose error hardly pulls it: x = sqrt(2 T) w, up to 1e-9."""
    network = pcode.Network((1, 1), "identity", tau_eps=0.0, nu=1e9, temperature=[0.0, temperature])
    options = {"duration": 1.0, "learn": False, "nodes": "zero"} | phase
    return network, network.init_weights(0, "zeros"), pcode.Phase("w", {0: np.zeros((samples, 1))}, **options)


def run(network, weights, phase, nodes=46, **options):
    save = pcode.Save(nodes=nodes, weights=2, spacing="linear")
    return pcode.simulate(network, [phase], weights=weights, **{"save": save, "step": 0.05} | options)


def D(M):
    """d(x^1 - mu^1, x^2 - mu^2)/dx^1, shape (3, 5), rows as everywhere."""
    return np.hstack([np.eye(3), -M[1]])


def check_covariance(values, expected, slowest):
    """Covariance of values, shape (K, B, m), dt apart by 4/3: within 4 standard errors of `expected`.

    Times further apart than the autocorrelation time 2 / slowest count once for each of these.
    """
    K, B, m = values.shape
    size = B * K * min(1.0, (60.0 / 45) * slowest / 2.0)
    found = np.cov(values.reshape(-1, m).T)
    variance = np.diag(expected)
    error = np.sqrt((np.outer(variance, variance) + expected**2) / size)
    assert size > 3000
    assert (np.abs(found - expected) < 4.0 * error).all(), (found - expected) / error


def test_with_slaved_errors_a_linear_network_has_the_covariance_T_over_H():
    network, weights, phase = linear()
    inverse_nu = np.diag(np.repeat(1.0 / np.array(NU), (3, 2)))
    H = D(weights.M) @ inverse_nu @ D(weights.M).T + 0.1 * np.eye(3)
    x1 = run(network, weights, phase).data.x1.values[10:]
    check_covariance(x1, T * np.linalg.inv(H), np.linalg.eigvalsh(H).min())


def test_with_a_tau_and_a_temperature_of_each_layer_the_covariance_solves_lyapunovs_equation():
    tau, Ts = (1.0, 0.5, 2.0), (0.0, 0.3, 0.1)
    network, weights, phase = linear(tau=tau, tau_eps=[0.8, 1.2], temperature=Ts)
    clamp = {0: phase.clamp[0]}  # the output is free too
    phase = pcode.Phase("noise", clamp, duration=60.0, learn=False, nodes="zero")
    M = weights.M[1]
    A = np.zeros((10, 10))  # of x1, x2, eps1, eps2, as columns
    A[:3, 5:8], A[:3, 8:], A[:3, :3] = -np.eye(3) / 0.5, M / 0.5, -0.1 * np.eye(3) / 0.5
    A[3:5, 8:], A[3:5, 3:5] = -np.eye(2) / 2.0, -0.1 * np.eye(2) / 2.0
    A[5:8, :3], A[5:8, 5:8] = np.eye(3) / 0.8, -NU[0] * np.eye(3) / 0.8
    A[8:, :3], A[8:, 3:5], A[8:, 8:] = -M.T / 1.2, np.eye(2) / 1.2, -NU[1] * np.eye(2) / 1.2
    Q = np.diag([2 * 0.3 / 0.5] * 3 + [2 * 0.1 / 2.0] * 2 + [0.0] * 5)
    expected = scipy.linalg.solve_continuous_lyapunov(A, -Q)
    data = run(network, weights, phase).data
    values = np.concatenate([data[name].values[10:] for name in ("x1", "x2", "eps1", "eps2")], axis=2)
    check_covariance(values, expected, -np.linalg.eigvals(A).real.max())


def ornstein_uhlenbeck(method, step):
    """Stationary variance of dx = -x dt + sqrt(2) dw by a method, and its standard error."""
    network = pcode.Network((1, 1), "identity", tau_eps=0.0, temperature=1.0)
    phase = pcode.Phase("x", {0: np.zeros((20_000, 1))}, duration=32.0, learn=False)
    data = run(network, network.init_weights(0), phase, nodes=21, method=method, step=step).data
    values = data.x1.values[5:]
    return values.var(), np.sqrt(2.0 / (0.79 * values.size))  # 1.6 apart: T_int is 1.25 of that at most


# Variances of the chains that the methods make of it, of step z, from their published tableaus: Euler and
# Maruyama's; and ShARK's, whose step is (1 - z + z^2/2) x + (1 - z/2) W - (z - z^2/2) H, with var H = z/6.
CHAINS = {
    "EulerHeun": lambda z: 1.0 / (1.0 - z / 2.0),
    "ShARK": lambda z: 2.0 * (1 - z / 2) ** 2 * (1 + z**2 / 12) / (2 - 2 * z + z**2 - z**3 / 4),
}


@pytest.mark.parametrize(("method", "order"), [("EulerHeun", 1), ("ShARK", 2)])
def test_the_variance_converges_with_the_weak_order_of_the_method_as_the_step_is_halved(method, order):
    found = [ornstein_uhlenbeck(method, step) for step in (0.8, 0.4)]
    for (variance, error), step in zip(found, (0.8, 0.4), strict=True):
        assert abs(variance - CHAINS[method](step)) < 4.0 * error
    off = [abs(variance - 1.0) for variance, _ in found]
    assert off[1] > 4.0 * found[1][1]  # it is seen above the noise
    assert np.log2(off[0] / off[1]) > order - 0.15


@pytest.mark.parametrize("method", ["SPaRK", "SRA1"])
def test_other_methods_of_higher_order_have_the_variance_of_the_exact_solution(method):
    variance, error = ornstein_uhlenbeck(method, 0.1)
    assert abs(variance - 1.0) < 4.0 * error + 0.1**2 / 4.0


def test_without_temperature_the_run_is_that_of_a_deterministic_method():
    network, weights, phase = linear(3, temperature=0.0, phase={"duration": 5.0})
    exact = run(network, weights, phase, method="cvode", rtol=1e-10, atol=1e-12, step=None).data
    for options, off in (({"step": 0.01}, 1e-3), ({"step": None, "rtol": 1e-6, "atol": 1e-8}, 1e-5)):
        data = run(network, weights, phase, method="ShARK", **options).data
        np.testing.assert_allclose(data.x1, exact.x1, atol=off)


@pytest.mark.parametrize("step", [0.1, None])
def test_a_seed_determines_the_path_and_phases_have_paths_of_their_own(step):
    network, weights, phase = linear(3, phase={"duration": 2.0})
    given = {"weights": weights, "step": step, "rtol": 1e-2, "atol": 1e-2}
    first, same = (pcode.simulate(network, [phase, phase], **given, seed=4).data.x1 for _ in range(2))
    other = pcode.simulate(network, [phase, phase], **given, seed=5).data.x1
    np.testing.assert_array_equal(first, same)
    assert abs(first - other).max() > 0.1
    half = len(first) // 2
    assert abs(first.values[:half] - first.values[half:]).max() > 0.1


def test_adaptive_steps_of_any_tolerance_follow_the_same_path_whatever_is_saved():
    values = [
        run(*brownian(5), nodes=nodes, step=None, rtol=rtol, atol=rtol, method=method).data.x1.values
        for nodes, rtol, method in ((5, 1e-2, "ShARK"), (9, 1e-3, "ShARK"), (9, 1e-2, "SPaRK"))
    ]
    np.testing.assert_allclose(values[0], values[1][::2], atol=1e-7)
    np.testing.assert_allclose(values[1], values[2], atol=1e-7)
    assert np.abs(values[0][-1]).max() > 0.1


@pytest.mark.parametrize("step", [0.25, None])
def test_increments_are_those_of_a_wiener_process_within_steps_too(step):
    # Saved times fall within steps of 1/4: with 2 T = 1 the covariance at times s and t is min(s, t).
    B = 4000 if step is None else 20_000
    found = run(*brownian(B), nodes=8, step=step, rtol=1e-2, atol=1e-2)
    t, w = found.data.time.values[1:], found.data.x1.values[1:, :, 0]
    expected = np.minimum.outer(t, t)
    error = np.sqrt((np.outer(t, t) + expected**2) / B)
    assert (np.abs(np.cov(w) - expected) < 4.5 * error).all()


def test_what_is_saved_does_not_change_a_path_of_fixed_steps():
    few, many = (run(*brownian(5), nodes=nodes, step=0.25).data.x1.values for nodes in (5, 33))
    np.testing.assert_array_equal(few, many[::8])


def test_the_tree_is_diffraxs_and_a_whole_cell_is_what_it_says_of_its_ends():
    key, area = jax.random.key(3), diffrax.SpaceTimeLevyArea
    own, shipped = (
        kind(0.0, 2.0, 1e-3, (4,), key, area) for kind in (Unchecked, diffrax.VirtualBrownianTree)
    )
    for ends in ((0.0, 2.0), (0.3, 1.1)):
        a, b = (tree.evaluate(*ends, use_levy=True) for tree in (own, shipped))
        np.testing.assert_array_equal(a.W, b.W)
        np.testing.assert_array_equal(a.H, b.H)
    from pcode.solvers.wiener import Part, Shape, Whole

    for levy in (True, False):
        whole, part = (kind(Shape(4, levy), key, 0.5).increment(1.5, 2.0) for kind in (Whole, Part))
        np.testing.assert_allclose(whole.W, part.W, rtol=1e-9)
        np.testing.assert_allclose(getattr(whole, "H", 0.0), getattr(part, "H", 0.0), rtol=1e-6, atol=1e-12)


def test_while_weights_learn_what_the_equations_say_of_the_feedback_stays_true():
    network = pcode.Network((2, 3, 1), "tanh", tau_eps=0.0, delta=5.0, weight_decay=0.2, temperature=0.3)
    weights = network.init_weights(1, W="independent")
    clamp = {0: np.ones((4, 2)), 2: np.zeros((4, 1))}
    phase = pcode.Phase("learn", clamp, duration=10.0)
    found = run(network, weights, phase)
    for M0, W0, M, W in zip(weights.M, weights.W, found.weights.M, found.weights.W, strict=True):
        np.testing.assert_allclose(W - M.T, np.exp(-0.2 * 10.0 / 5.0) * (W0 - M0.T), atol=1e-9)
    still = run(pcode.Network(**network.to_dict() | {"temperature": 0.0}), weights, phase, method="ShARK")
    assert np.abs(found.weights.M[0] - still.weights.M[0]).max() > 1e-3  # the noise reaches the weights


def test_at_a_kink_of_relu_nodes_with_noise_have_the_density_of_gibbs():
    network = pcode.Network((1, 1, 1), ["identity", "relu"], tau_eps=0.0, temperature=0.5, feedback="tied")
    weights = pcode.Weights((np.ones((1, 1)),) * 2, None, (np.zeros(1),) * 2)
    clamp = {0: np.full((3000, 1), 0.2), 2: np.full((3000, 1), -1.0)}
    x = run(network, weights, pcode.Phase("x", clamp, duration=30.0, learn=False), nodes=16).data.x1.values[
        4:
    ]
    density = lambda x: np.exp(-((x - 0.2) ** 2 + (-1.0 - max(x, 0.0)) ** 2) / (2.0 * 0.5))  # noqa: E731
    norm, mean, second = (
        scipy.integrate.quad(lambda x, k=k: x**k * density(x), -6.0, 6.0, points=[0.0])[0] for k in range(3)
    )
    mean, variance = mean / norm, second / norm - (mean / norm) ** 2
    size = 0.5 * x.size  # 2 tau apart
    assert abs(x.mean() - mean) < 4.0 * np.sqrt(variance / size)
    assert abs(x.var() - variance) < 4.0 * variance * np.sqrt(2.0 / size) + 0.01 * variance


def test_samples_in_turn_each_have_a_path_of_their_own():
    network, weights, _ = linear()
    clamp = {layer: np.tile(value, (6, 1)) for layer, value in BOTH.items()}
    shown = pcode.Presentation(size=2, hold=1.0, nodes="zero")
    phase = pcode.Phase("turns", clamp, learn=False, presentation=shown)
    one, same = (pcode.simulate(network, [phase], weights=weights, step=0.1, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.data.x1, same.data.x1)
    ends = one.data.x1.values[1::2, :2]
    assert len(ends) == 3
    assert np.abs(ends[0] - ends[1]).max() > 0.1
    assert one.phases[0].method == "ShARK"


def test_an_interrupted_run_goes_on_along_the_same_path(tmp_path):
    network, weights, phase = linear(2, phase={"duration": 300.0})
    save = pcode.Save(nodes=301, spacing="linear")
    given = {"weights": weights, "step": 0.1, "seed": 7, "save": save}
    whole = pcode.simulate(network, [phase], **given)
    calls = iter(range(10_000))
    part = pcode.simulate(network, [phase], **given, stop=lambda: next(calls) > 150)
    assert part.status == "interrupted"
    part.save(tmp_path / "part.nc")
    rest = pcode.simulate(network, [phase], **given, resume=tmp_path / "part.nc")
    np.testing.assert_array_equal(rest.data.x1, whole.data.x1)
    with pytest.raises(pcode.InputError, match="the noise has another seed"):
        pcode.simulate(network, [phase], **given | {"seed": 8}, resume=tmp_path / "part.nc")


def test_a_clamp_that_jumps_between_two_steps_is_met_at_its_time():
    # x follows the clamp: dx = -(x - 1) dt after t = 0.33, up to noise of 1e-6.
    network = pcode.Network((1, 1), "identity", tau_eps=0.0, temperature=1e-12)
    weights = pcode.Weights((np.ones((1, 1)),), (np.ones((1, 1)),), (np.zeros(1),))
    jump = pcode.TimeSeries([0.0, 0.33, 0.33, 2.0], [[[0.0]], [[0.0]], [[1.0]], [[1.0]]])
    phase = pcode.Phase("jump", {0: jump}, duration=2.0, learn=False, nodes="zero")
    data = run(network, weights, phase, step=0.01, nodes=41).data
    exact = np.where(data.time > 0.33, 1.0 - np.exp(-(data.time.values - 0.33)), 0.0)
    np.testing.assert_allclose(data.x1.values[:, 0, 0], exact, atol=1e-4)

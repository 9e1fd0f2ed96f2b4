"""The singular limit tau = 0: against closed forms, and equations solved on their own."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import pcode
from pcode import InputError
from pcode.scenario import Scenario
from pcode.system.abscissa import spectral_abscissa, suspects
from pcode.system.limit import settled
from pcode.system.problem import make_problem
from tests.conftest import XOR_X, XOR_Y

TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def linear_chain(**options):
    """1-1-1, linear, both ends held: F* of "Energy at rest" from the weights m0, m1 and the biases."""
    options = {"feedback": "tied", "tau": 0.0, "delta": 50.0, "nu": (0.7, 1.6)} | options
    network = pcode.Network((1, 1, 1), "identity", **options)
    phase = pcode.Phase("learn", {0: [[1.0], [-0.5]], 2: [[0.8], [0.3]]}, duration=200.0)
    W = None if network.feedback == "tied" else ([[0.6]], [[-0.4]])
    return network, phase, pcode.Weights(([[0.6]], [[-0.4]]), W, ([0.1], [0.2]))


def equilibrium_energy(w, nu):
    """F* = mean_b r^2 / (2 S), r = y - (m0 x + b1) m1 - b2, S = nu2 + nu1 m1^2 ("Energy at rest")."""
    m0, m1, b1, b2 = w
    x, y = np.array([1.0, -0.5]), np.array([0.8, 0.3])
    r = y - (m0 * x + b1) * m1 - b2
    return np.mean(r**2) / (2.0 * (nu[1] + nu[0] * m1**2))


def central_difference(f, w, h=1e-6):
    return np.array([(f(w + h * e) - f(w - h * e)) / (2.0 * h) for e in np.eye(w.size)])


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_the_weights_descend_the_energy_of_nodes_at_rest(weight_decay):
    network, phase, weights = linear_chain(weight_decay=weight_decay)
    run = pcode.simulate(network, [phase], weights=weights, **TIGHT)

    def flow(t, w):
        gradient = central_difference(lambda v: equilibrium_energy(v, network.nu), w)
        return (-gradient - weight_decay * w) / network.delta

    alone = solve_ivp(
        flow, (0.0, 200.0), [0.6, -0.4, 0.1, 0.2], "RK45", run.data["weight_time"], rtol=1e-9, atol=1e-11
    )
    for name, expected in zip(("M0", "M1", "beta1", "beta2"), alone.y, strict=True):
        np.testing.assert_allclose(run.data[name].values.ravel(), expected, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("feedback", ["tied", "learned"])
def test_the_energy_is_the_closed_form_at_every_saved_time(feedback):
    network, phase, weights = linear_chain(feedback=feedback)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=60, weights=60))
    names = ("M0", "M1", "beta1", "beta2")
    w = np.column_stack([run.data[name].values.reshape(60) for name in names])
    expected = [equilibrium_energy(row, network.nu) for row in w]
    np.testing.assert_allclose(run.data["energy"].sum("layer"), expected, atol=1e-9)
    np.testing.assert_allclose(run.data["energy_slaved"], run.data["energy"], atol=1e-9)


def test_learned_feedback_keeps_its_distance_from_the_transpose_or_loses_it_exponentially():
    """Fact 5 is exact for any tau."""
    network, phase, weights = linear_chain(feedback="learned", weight_decay=0.2)
    weights = weights._replace(W=([[0.9]], [[0.1]]))
    run = pcode.simulate(network, [phase], weights=weights)
    shrunk = np.exp(-0.2 * run.data["weight_time"].values / network.delta)
    for k, gap in enumerate((0.3, 0.5)):
        found = run.data[f"W{k}"].values.ravel() - run.data[f"M{k}"].values.ravel()
        np.testing.assert_allclose(found, gap * shrunk, atol=1e-12)


@pytest.mark.parametrize("method", ["RK45", "DOP853", "auto"])
def test_the_full_flow_comes_near_to_first_order_in_tau_over_delta(method):
    """Fact 8: halving tau halves the distance, outside of the initial layer."""
    network, phase, weights = linear_chain()

    def reached(tau, method):
        options = network.to_dict() | {"tau": tau}
        run = pcode.simulate(
            pcode.Network(**options), [phase], weights=weights, nodes="equilibrium", method=method, **TIGHT
        )
        return np.concatenate([m.ravel() for m in run.weights.M])

    limit = reached(0.0, method)
    far, near = (np.linalg.norm(reached(tau, "cvode") - limit) for tau in (0.5, 0.25))
    assert far / near == pytest.approx(2.0, rel=0.02)


def test_testing_phases_are_at_rest_at_once_with_the_feedforward_pass_as_output():
    network = pcode.Network((2, 8, 1), tau=0.0, delta=1000.0)
    train = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=3e4)
    test = pcode.Phase("test", {0: XOR_X}, duration=500.0, learn=False, until="equilibrium")
    stay = pcode.Phase("stay", {0: XOR_X}, duration=500.0, learn=False)
    run = pcode.simulate(network, [train, test, stay], weights=network.init_weights(rng=0, scale=1.5))
    assert [record.status for record in run.phases] == ["success", "equilibrium", "success"]
    assert run.phases[1].t_end == run.phases[1].t_start
    assert run.phases[1].unknowns == 0
    assert run.phases[2].t_end == run.phases[2].t_start + 500.0
    assert "at rest at once" in run.phases[1].method_reason
    M, _, beta = run.weights
    out = np.tanh(np.tanh(XOR_X) @ M[0] + beta[0]) @ M[1] + beta[1]
    for k, record in enumerate(run.phases[1:], 1):
        rows = run.data["phase"].values == k
        assert run.data["time"].values[rows][-1] == pytest.approx(record.t_end, rel=1e-14)
        np.testing.assert_allclose(run.data["x2"].values[rows][-1], out, atol=1e-9)
    for name in ("eps1", "eps2"):
        assert np.abs(run.data[name].values[-1]).max() < 1e-9


def test_learning_until_equilibrium_ends_where_the_weights_rest():
    network, phase, weights = linear_chain(weight_decay=0.3)
    phase = pcode.Phase("learn", phase.clamp, duration=1e5, until="equilibrium", settle_tol=1e-7)
    run = pcode.simulate(network, [phase], weights=weights, **TIGHT)
    assert run.status == "equilibrium"
    w = np.array([float(a.ravel()[0]) for a in (*run.weights.M, *run.weights.beta)])
    gradient = central_difference(lambda v: equilibrium_energy(v, network.nu), w)
    rates = np.abs(-gradient - 0.3 * w) / (1.0 + np.abs(w))
    assert rates.max() == pytest.approx(1e-7, rel=0.05)


def against_the_transpose():
    """Linear 1-1-1-1 with fixed feedback of the other sign: the weights learn their way to the border."""
    network = pcode.Network((1, 1, 1, 1), "identity", tau=0.0, delta=100.0, feedback="fixed")
    weights = pcode.Weights(([[-0.9]], [[-2.0]], [[0.6]]), ([[0.0]], [[0.9]], [[1.3]]), ([0.0],) * 3)
    return network, pcode.Phase("learn", {0: [[1.0]], 3: [[-2.6]]}, duration=100.0), weights


def chain_jacobian(m1, m2, w1, w2):
    """Of (x1, x2, eps1, eps2, eps3), tau = nu = 1."""
    return np.array(
        [[0, 0, -1, w1, 0], [0, 0, 0, -1, w2], [1, 0, -1, 0, 0], [-m1, 1, 0, -1, 0], [0, -m2, 0, 0, -1]]
    )


def hopf_solved_alone():
    """When, and with which weights and frequency, the nodes of `against_the_transpose` get unstable."""

    def flow(t, w):
        m0, m1, m2, b1, b2, b3 = w
        J = chain_jacobian(m1, m2, 0.9, 1.3)
        x1, x2, e1, e2, e3 = np.linalg.solve(J, -np.array([0.0, 0.0, -m0 - b1, -b2, -2.6 - b3]))
        return np.array([e1, x1 * e2, x2 * e3, e1, e2, e3]) / 100.0

    def border(t, w):
        return np.linalg.eigvals(chain_jacobian(w[1], w[2], 0.9, 1.3)).real.max()

    border.terminal = True
    found = solve_ivp(
        flow, (0.0, 100.0), [-0.9, -2.0, 0.6, 0.0, 0.0, 0.0], rtol=1e-10, atol=1e-12, events=border
    )
    w = found.y[:, -1]
    eigenvalues = np.linalg.eigvals(chain_jacobian(w[1], w[2], 0.9, 1.3))
    return found.t[-1], w, abs(eigenvalues[eigenvalues.real.argmax()].imag)


def test_a_hopf_bifurcation_on_the_way_ends_the_phase_where_it_happens():
    network, phase, weights = against_the_transpose()
    run = pcode.simulate(network, [phase], weights=weights, **TIGHT)
    t, w, frequency = hopf_solved_alone()
    assert run.status == "nonlinear_failure"
    assert run.phases[0].t_end == pytest.approx(t, rel=1e-4)
    assert float(run.data["weight_time"][-1]) == run.phases[0].t_end  # what was reached is kept
    np.testing.assert_allclose([float(m[0, 0]) for m in run.weights.M], w[:3], atol=1e-5)
    assert f"lost stability by an oscillation (Hopf, angular frequency {frequency:.2f}" in run.message


def test_the_iteration_for_large_networks_sees_it_too(monkeypatch):
    monkeypatch.setattr("pcode.system.abscissa.LARGEST_DENSE", 0)
    network, phase, weights = against_the_transpose()
    run = pcode.simulate(network, [phase], weights=weights, **TIGHT)
    t, _, frequency = hopf_solved_alone()
    assert run.status == "nonlinear_failure"
    assert run.phases[0].t_end == pytest.approx(t, rel=0.02)  # it may be some steps late
    assert f"(Hopf, angular frequency {frequency:.2f}" in run.message


def well(nu, learn):
    """1-1-1, the second link square: a double well for x^1, tilted by an input that moves from -1 to 3.

    At rest (x - a) = 2 x (1 - x^2), a the input: the nodes start in the well of negative x. It ends
    in a fold at 6 x^2 = 1. The nodes' characteristic polynomial, with c = 2 (1 - x^2) / nu, is
    (s + nu) [(s - c) (s + nu) + 1 + 4 x^2]: a Hopf bifurcation at c = nu, if that comes first.
    """
    network = pcode.Network((1, 1, 1), ("identity", "square"), tau=0.0, delta=1e7, nu=nu, feedback="tied")
    ramp = pcode.TimeSeries([0.0, 100.0], [[[-1.0]], [[3.0]]])
    weights = pcode.Weights(([[1.0]], [[1.0]]), None, ([0.0], [0.0]))
    phase = pcode.Phase("tilt", {0: ramp, 2: [[1.0]]}, duration=100.0, learn=learn)
    zero = np.zeros((1, 1))
    start = pcode.State((zero, zero - 1.0, zero), (zero, zero), weights)
    return pcode.simulate(network, [phase], weights=weights, nodes=start, save=pcode.Save(60, 60, "linear"))


def rest_in_the_well(t):
    """x^1 of `well` at time t."""
    a = -1.0 + t / 25.0
    return brentq(lambda x: (x - a) - 2.0 * x * (1.0 - x**2), -3.0, -1.0 / np.sqrt(6.0), xtol=1e-14)


@pytest.mark.parametrize("learn", [False, True])
def test_a_moving_clamp_is_followed_as_far_as_the_fold(learn):
    run = well(2.0, learn)
    x = -1.0 / np.sqrt(6.0)
    fold = 25.0 * (1.0 + 2.0 * x**3 - x)
    assert run.status == "nonlinear_failure"
    assert run.phases[0].t_end == pytest.approx(fold, rel=1e-4)
    assert "fold" in run.message  # by the eigenvalue, or by Newton's method, whichever sees it first
    times = run.data["time"].values
    before = times < 0.9 * fold
    expected = [rest_in_the_well(t) for t in times[before]]
    np.testing.assert_allclose(run.data["x1"].values[before, 0, 0], expected, atol=1e-4 if learn else 1e-9)


@pytest.mark.parametrize("learn", [False, True])
def test_a_well_that_starts_to_ring_is_left_at_its_hopf_point(learn):
    """With nu = 1 at x^2 = 1/2, where a = 0; the frequency is sqrt(2)."""
    run = well(1.0, learn)
    assert run.status == "nonlinear_failure"
    assert run.phases[0].t_end == pytest.approx(25.0, rel=1e-4)
    assert "lost stability by an oscillation (Hopf, angular frequency 1.414/tau)" in run.message


def test_nodes_that_cannot_start_at_a_stable_equilibrium_are_refused():
    network = pcode.Network((1, 1, 1, 1), "identity", tau=0.0, feedback="fixed")
    weights = pcode.Weights(([[0.8]],) * 3, ([[-0.8]],) * 3, ([0.0],) * 3)
    phase = pcode.Phase("held", {0: [[1.0]], 3: [[-1.0]]}, duration=1.0, learn=False)
    with pytest.raises(InputError, match=r"nodes: .*unstable by an oscillation .*; use tau > 0"):
        pcode.simulate(network, [phase], weights=weights)


def test_a_continuum_of_equilibria_has_no_limit_unless_the_weights_are_held_or_nodes_decay(rng):
    """Fact 4: the input free and wider than the next layer; node decay selects one equilibrium."""
    network = pcode.Network((4, 3, 2), "identity", tau=0.0, delta=100.0)
    weights, target = network.init_weights(rng), rng.standard_normal((3, 2))
    learn = pcode.Phase("learn", {2: target}, duration=100.0)
    with pytest.raises(
        InputError, match=r"nodes: .*continuum of equilibria .*; set node_decay, or use tau > 0"
    ):
        pcode.simulate(network, [learn], weights=weights)
    held = pcode.Phase("held", {2: target}, duration=100.0, learn=False)
    run = pcode.simulate(network, [held], weights=weights)
    assert np.abs(run.state.eps[0]).max() < 1e-9
    decaying = pcode.Network((4, 3, 2), "identity", tau=0.0, delta=100.0, node_decay=0.1)
    assert pcode.simulate(decaying, [learn], weights=weights).status == "success"


def test_with_partly_clamped_layers_and_jumping_clamps_the_full_flow_comes_near_to_first_order(rng):
    target = rng.standard_normal((3, 2))
    shown = rng.standard_normal((3, 4))
    shown[:, 1] = np.nan
    series = pcode.TimeSeries([0.0, 50.0, 50.0, 100.0], np.stack([shown, 2 * shown, -shown, shown]))
    phase = pcode.Phase("learn", {0: series, 2: target}, duration=150.0)

    def reached(tau):
        network = pcode.Network((4, 3, 2), tau=tau, delta=100.0, node_decay=0.1, weight_decay=0.05)
        run = pcode.simulate(network, [phase], weights=network.init_weights(rng=1), rtol=1e-8, atol=1e-10)
        return np.concatenate([m.ravel() for m in run.weights.M])

    limit = reached(0.0)
    far, near = (np.linalg.norm(reached(tau) - limit) for tau in (0.04, 0.02))
    assert far / near == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("method", ["cvode", "BDF", "LSODA", "Kvaerno5", "Tsit5"])
def test_methods_for_the_coupled_equations_say_that_they_do_not_fit(method):
    network, phase, weights = linear_chain()
    with pytest.raises(InputError, match=rf"method: {method} works on .*; use auto, DOP853 or RK45"):
        pcode.simulate(network, [phase], weights=weights, method=method)


def test_only_the_weights_count_as_unknowns():
    network, phase, weights = linear_chain()
    run = pcode.simulate(network, [phase], weights=weights)
    assert run.phases[0].unknowns == 4
    assert run.phases[0].method == "DOP853"
    assert "tau = 0" in run.phases[0].method_reason


def test_saved_times_start_at_a_fraction_of_delta():
    network, phase, weights = linear_chain()
    run = pcode.simulate(network, [phase], weights=weights)
    assert float(run.data["time"][1]) == pytest.approx(1e-3 * network.delta)
    assert run.data["time"].attrs["units"] == "unit of delta"


def test_a_run_in_the_limit_is_saved_loaded_and_drawn(tmp_path):
    network, phase, weights = linear_chain()
    run = pcode.simulate(network, [phase], weights=weights)
    run.save(tmp_path / "run.nc")
    loaded = pcode.Run.load(tmp_path / "run.nc")
    assert loaded.network == network
    assert loaded.plot.value_nodes(1).get_xlabel() == r"time, $t / \delta$"
    assert loaded.plot.energy().get_xlabel() == r"time, $t / \delta$"


def test_a_scenario_can_ask_for_the_limit():
    scenario = Scenario.load("timescales", ["network.tau=0", "save.nodes=20", "save.weights=20"])
    run = scenario.simulate()
    assert run.status == "success"
    full = Scenario.load("timescales", ["network.delta=1e5", "phase.0.duration=1e6"]).simulate()
    np.testing.assert_allclose(run.weights.M[0], full.weights.M[0], atol=1e-4)


def test_a_scenario_with_a_method_for_the_coupled_equations_names_its_key():
    scenario = Scenario.load("xor", ["network.tau=0"])
    with pytest.raises(InputError, match=r"solver\.method: cvode works on .*; use auto, DOP853 or RK45"):
        _ = scenario.plan


def test_the_growth_of_a_disturbance_is_the_eigenvalue_of_theory():
    """Fact 6: at |m| = 1/sqrt(2), W = -M^T, a pair of eigenvalues +-i/sqrt(2)."""
    m = 1.0 / np.sqrt(2.0)
    network = pcode.Network((1, 1, 1, 1), "identity", feedback="fixed")
    weights = pcode.Weights(([[m]],) * 3, ([[-m]],) * 3, ([0.0],) * 3)
    phase = pcode.Phase("held", {0: [[1.0]], 3: [[-1.0]]}, duration=1.0, learn=False)
    ones = tuple(np.ones((1, 1)) for _ in range(4))
    problem = make_problem(network, phase, pcode.State(ones, ones[1:], network.check_weights(weights)))
    growth = spectral_abscissa(problem.system, 0.0, problem.y0, np.array([0]))
    np.testing.assert_allclose(growth[:2], [0.0, m], atol=1e-9)


def test_the_iteration_for_large_networks_finds_a_sample_that_is_unstable(monkeypatch, rng):
    network = pcode.Network((3, 4, 2), nu=0.1, feedback="tied")
    weights = network.init_weights(rng, scale=2.0)
    phase = pcode.Phase("held", {0: rng.standard_normal((6, 3))}, duration=1.0, learn=False)
    x = tuple(rng.standard_normal((6, size)) for size in network.sizes)
    eps = tuple(rng.standard_normal((6, size)) for size in network.sizes[1:])
    problem = make_problem(network, phase, pcode.State(x, eps, weights), reduce=False)
    args = (problem.system, 0.0, problem.y0)
    rates = [spectral_abscissa(*args, np.array([b])).rate for b in range(6)]
    assert min(rates) < 0.0 < max(rates)
    monkeypatch.setattr("pcode.system.abscissa.LARGEST_DENSE", 0)
    samples, vector = suspects(*args, None)
    for _ in range(20):
        samples, vector = suspects(*args, vector)
    assert [rates[b] > 0.0 for b in samples] == [True]


def test_settled_nodes_have_no_rates(xor):
    network, [train], weights = xor
    limit = pcode.Network(**network.to_dict() | {"tau": 0.0})
    zero = tuple(np.zeros((4, size)) for size in network.sizes)
    state = settled(make_problem(limit, train, pcode.State(zero, zero[1:], weights), reduce=False))
    problem = make_problem(network, train, state, reduce=False)
    rates = problem.rhs(0.0, problem.y0)[: problem.layout.node_count]
    assert np.abs(rates).max() < 1e-9

"""Settling, rates, overshoot, drift and energies, beside closed forms of small linear networks."""

import numpy as np
import pytest
from scipy.optimize import brentq

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.analysis.convergence import convergence
from pcode.analysis.settling.measures import decay_of, settling_time

TIGHT = {"rtol": 1e-10, "atol": 1e-13, "method": "DOP853"}


def held(nu, m=1.2, tau=1.0, duration=60.0, activation="identity", W=None):
    """1-1-1, both ends clamped, weights held: x^1 is an oscillator, s = sqrt(1 + m^2), damping nu.

    tau^2 x'' + tau nu x' + s^2 (x - x*) = 0 with x(0) = mu^1 and x'(0) = 0, eliminating the errors.
    """
    feedback = "tied" if W is None else "fixed"
    network = pcode.Network((1, 1, 1), activation, tau=tau, nu=nu, feedback=feedback)
    weights = pcode.Weights(([[0.5]], [[m]]), None if W is None else ([[0.5]], [[W]]), ([0.1], [0.0]))
    phase = pcode.Phase("held", {0: [[1.0]], 2: [[2.0]]}, duration=duration, learn=False)
    save = pcode.Save(nodes=2, weights=2)  # the answer does not depend on what is kept
    return pcode.simulate(network, [phase], weights=weights, save=save, **TIGHT)


@pytest.mark.parametrize("tau", [1.0, 0.25])
def test_a_ringing_node_overshoots_as_the_damped_oscillator_does(tau):
    nu, s = 0.8, np.sqrt(1.0 + 1.2**2)
    found = convergence(held(nu, tau=tau, duration=60.0 * tau)).phases[0]
    assert found.overshoot[1] == pytest.approx(np.exp(-np.pi * nu / np.sqrt(4 * s**2 - nu**2)), rel=1e-4)
    assert found.slowest.real == pytest.approx(-nu / 2 / tau, rel=1e-9)
    assert abs(found.slowest.imag) == pytest.approx(np.sqrt(4 * s**2 - nu**2) / 2 / tau, rel=1e-9)
    assert found.fastest.real == pytest.approx(-nu / tau, rel=1e-9)
    # Its peaks fall at the real part of the eigenvalue, and it rings with the imaginary one.
    assert found.value_rate[1] == pytest.approx(nu / 2 / tau, rel=1e-3)
    assert found.value_period[1] == pytest.approx(4 * np.pi * tau / np.sqrt(4 * s**2 - nu**2), rel=1e-3)


def test_an_overdamped_node_settles_when_the_closed_form_does_and_at_the_slow_eigenvalue_s_rate():
    nu, s2 = 5.0, 1.0 + 1.2**2
    found = convergence(held(nu), fraction=0.02).phases[0]
    slow, fast = (0.5 * (nu + sign * np.sqrt(nu**2 - 4 * s2)) for sign in (-1, 1))

    def distance(t):  # over the first one
        return (fast * np.exp(-slow * t) - slow * np.exp(-fast * t)) / (fast - slow)

    assert found.value_settling[1] == pytest.approx(brentq(lambda t: distance(t) - 0.02, 0, 50), rel=1e-4)
    assert found.overshoot[1] == pytest.approx(0.0, abs=1e-9)
    assert found.value_rate[1] == pytest.approx(slow, rel=1e-2)
    assert found.rate == pytest.approx(slow, rel=1e-2)
    assert found.slowest.real == pytest.approx(-slow, rel=1e-9)
    assert np.isnan(found.value_rate[0])  # clamped
    assert np.isnan(found.value_settling[2])


def test_the_energy_rises_from_zero_while_the_lyapunov_function_falls():
    """Fact 3: dV/dt = -(1/tau) sum_l nu^l |eps^l - eps*^l|^2; here V is integrated from that."""
    nu = 0.8
    run = held(nu)
    found = convergence(run, points=2000).phases[0]
    assert found.energy.first == 0.0
    assert found.energy.rises_at == 0.0
    assert found.energy.largest > found.energy.last > 0.0
    V = found.lyapunov
    assert (np.diff(V) <= 1e-12 * V[0]).all()
    lost = nu * np.sum(found.error_distance**2, axis=1)
    assert V[0] - V[-1] == pytest.approx(np.trapezoid(lost, found.times), rel=1e-3)


@pytest.mark.parametrize("run_with", [{"activation": "tanh"}, {"W": 0.7}])
def test_no_lyapunov_function_is_told_where_theory_gives_none(run_with):
    assert convergence(held(1.0, **run_with)).phases[0].lyapunov is None


def test_an_unstable_network_has_no_settling_time():
    """Fact 6: 1-1-1 with weights m and w on the second link has s^2 + nu s + 1 + m w: here 1 + m w < 0."""
    run = held(1.0, m=1.2, W=-1.0, duration=30.0)
    found = convergence(run).phases[0]
    assert found.slowest.real == pytest.approx(0.5 * (-1.0 + np.sqrt(1.0 + 0.8)), rel=1e-9)
    assert np.isnan(found.settling)
    assert np.isnan([found.rate, found.overshoot[1], found.value_rate[1]]).all()  # nothing decays
    assert convergence(run).lines()[0].endswith("held: never, their rest is unstable")


def test_nodes_that_learn_from_an_unstable_rest_have_no_settling_time():
    """Fact 6: W = -M^T with |m| > 1/sqrt(2)."""
    network = pcode.Network((1, 1, 1, 1), "identity", delta=1e4, feedback="learned")
    weights = pcode.Weights(([[1.0]],) * 3, ([[-1.0]],) * 3, ([0.0],) * 3)
    phase = pcode.Phase("learn", {0: [[1.0]], 3: [[0.5]]}, duration=5.0)
    answer = convergence(pcode.simulate(network, [phase], weights=weights))
    assert np.isnan(answer.phases[0].settling)
    assert answer.lines()[0].endswith("learn: never, their rest is unstable at the end")


def test_nodes_of_a_learning_phase_are_measured_from_the_rest_of_the_moment():
    """With delta large nodes settle as with the weights held, and then follow the drift at no distance."""
    network = pcode.Network((1, 1, 1), "identity", delta=1e5, nu=5.0, feedback="learned")
    weights = pcode.Weights(([[0.5]], [[1.2]]), ([[0.5]], [[1.2]]), ([0.1], [0.0]))
    phase = pcode.Phase("train", {0: [[1.0]], 2: [[2.0]]}, duration=3e5)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(400, 100))
    found = convergence(run, fraction=0.02, points=200).phases[0]
    still = convergence(held(5.0), fraction=0.02).phases[0]
    assert found.value_settling[1] == pytest.approx(still.value_settling[1], rel=2e-2)
    assert found.rate == pytest.approx(still.rate, rel=0.1)
    assert found.slowest.real == pytest.approx(still.slowest.real, rel=1e-3)
    moved = run.data["M1"].values
    assert found.drift.change[1] == pytest.approx(abs(moved[-1] - moved[0]).item(), rel=1e-12)
    flow = np.abs(run.data["x1"].values * run.data["eps2"].values).max()  # delta dM^1/dt
    assert found.drift.fastest[1] == pytest.approx(flow, rel=2e-2)
    assert found.lyapunov is None


def test_nodes_that_start_at_rest_only_lag_and_need_no_time_to_settle():
    """They start at the fixed point, found to 1e-9: what is left of it is no distance to overshoot."""
    network = pcode.Network((1, 2, 1), "tanh", delta=200.0)
    clamp = {0: [[0.5]], 2: [[1.0]]}
    rest = pcode.Phase("rest", clamp, learn=False, until="equilibrium", duration=500.0, settle_tol=1e-9)
    learn = pcode.Phase("learn", clamp, duration=2000.0)
    run = pcode.simulate(network, [rest, learn], weights=network.init_weights(rng=1))
    settled, learned = convergence(run).phases
    assert settled.overshoot[1] > 0.0
    assert np.isnan(learned.overshoot).all()
    assert learned.value_settling[1] == 0.0
    np.testing.assert_array_equal(learned.error_settling, 0.0)
    assert "learn: at rest from the start" in convergence(run).lines()[0]


def limit():
    """The same network in the singular limit: F falls ("Slow manifold"), and nodes have no time."""
    network = pcode.Network((1, 1, 1), "identity", tau=0.0, delta=100.0, feedback="tied")
    weights = pcode.Weights(([[0.5]], [[1.2]]), None, ([0.1], [0.0]))
    phase = pcode.Phase("train", {0: [[1.0]], 2: [[2.0]]}, duration=300.0)
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(40, 40))


def test_in_the_singular_limit_the_weights_drift_down_the_energy_and_nodes_do_not_settle():
    answer = convergence(limit())
    found = answer.phases[0]
    assert not found.at_rest
    assert np.isnan(found.energy.rises_at)
    assert found.energy.last < found.energy.first
    assert (found.drift.change > 0.0).all()
    assert "always at rest (tau = 0)" in str(answer)
    with pytest.raises(InputError, match="phase: no such phase with an equilibrium"):
        answer.plot()


def test_measures_of_a_known_decay_are_those_of_its_formula():
    t = np.linspace(0.0, 20.0, 401)
    d = 3.0 * np.exp(-0.7 * t)
    assert settling_time(t, d, 0.01) == pytest.approx(np.log(100.0) / 0.7, rel=1e-9)
    fit = decay_of(t, d)
    assert fit.rate == pytest.approx(0.7, rel=1e-9)
    assert fit.height == pytest.approx(3.0 * np.exp(-0.7 * fit.start), rel=1e-9)
    assert fit.start == pytest.approx(np.log(20.0) / 0.7, abs=0.05)  # where it has fallen to a twentieth
    assert fit.start < fit.end <= 20.0
    assert np.isnan(settling_time(t, np.cos(t) ** 2, 0.01))
    assert np.isnan(decay_of(t, np.zeros(401)).rate)
    # What is below the floor is not fitted.
    assert decay_of(t, d + 1e-3, np.full(401, 0.02)).rate == pytest.approx(0.7, rel=0.05)


@pytest.mark.parametrize("phase", [0.0, 1.0, 2.0])
def test_of_a_ringing_curve_the_peaks_are_fitted_and_the_period_is_told(phase):
    t = np.linspace(0.0, 40.0, 8001)
    d = np.abs(np.exp(-0.3 * t) * np.cos(2.0 * t + phase))
    fit = decay_of(t, d, period=np.pi)
    assert fit.rate == pytest.approx(0.3, rel=1e-3)
    assert fit.period == pytest.approx(np.pi, rel=1e-3)
    # Its settling is that of the last swing above, as five lines of NumPy have it.
    assert settling_time(t, d, 0.01) == pytest.approx(t[np.flatnonzero(d > 0.01 * d.max())[-1]], abs=0.01)


def test_no_rate_is_fitted_to_one_swing_or_to_what_is_no_exponential():
    t = np.linspace(0.0, 3.7, 400)  # half a period and a lag that hides the rest
    swing = np.abs(np.exp(-0.44 * t) * np.cos(0.83 * t))
    assert np.isnan(decay_of(t, swing, 0.02, period=7.54).rate)
    assert np.isnan(decay_of(t, 1.0 / (1.0 + 30.0 * t) ** 2).rate)


@pytest.fixture(scope="module")
def two_phases():
    X, Y = np.array([[0.5, -1.0]]), np.array([[0.3]])
    network = pcode.Network((2, 3, 1), delta=50.0)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=20.0),
        pcode.Phase("move", {0: pcode.TimeSeries([0.0, 5.0], [X, -X])}, duration=5.0, learn=False),
    ]
    return pcode.simulate(network, phases, weights=network.init_weights(0), save=pcode.Save(40, 20))


def test_every_phase_that_lasted_is_told(two_phases):
    answer = ask(two_phases, "convergence")
    assert [found.phase for found in answer.phases] == ["train", "move"]
    assert answer.phases[1].drift is None
    assert np.isnan(answer.phases[1].overshoot).all()  # its rest moves with the clamp
    values = answer.to_dict()
    assert values["phases"][0]["drift"]["change"] == answer.phases[0].drift.change.tolist()
    assert len(values["phases"][0]["slowest"]) == 2
    assert str(answer).startswith("nodes, to 1% of their largest distance from rest: train: ")


def test_a_phase_or_an_option_that_is_not_there_is_refused(two_phases):
    with pytest.raises(InputError, match="phase: there is no phase 7 in this run"):
        convergence(two_phases, phase=7)
    with pytest.raises(InputError, match="fraction: must be between 0 and 1, not 1"):
        convergence(two_phases, fraction=1.0)
    with pytest.raises(InputError, match="points: must be 4 or more, not 1"):
        convergence(two_phases, points=1)


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e6])
def test_a_large_clamped_input_does_not_put_its_nodes_at_rest(scale):
    """Scaling the input up and its weights down by the same factor changes nothing that follows."""
    out, first = 0.5 * 0.7 - 0.3 * 0.4, np.array([[0.5, -0.3]]) / scale
    weights = pcode.Weights((first, np.array([[0.7], [0.4]])), None, (np.zeros(2), np.zeros(1)))
    network = pcode.Network((1, 2, 1), "identity", delta=1e6 * scale**2, feedback="tied", nu=2.0)
    phase = pcode.Phase("learn", {0: [[scale]], 2: [[out + 1e-3]]}, duration=60.0)
    run = pcode.simulate(network, [phase], weights=weights, method="cvode", atol=1e-12)
    found = convergence(run).phases[0]
    assert found.value_settling[1] == pytest.approx(5.0695, rel=1e-3)  # by eigenvectors of its linear system

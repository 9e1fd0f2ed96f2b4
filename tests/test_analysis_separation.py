"""The full flow beside the singular limit: against equations solved on their own, and exact power laws."""

import json

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.analysis.separation import fit_order, needed_ratio, separation
from tests.conftest import XOR_X, XOR_Y

X, Y, NU = np.array([1.0, -0.5]), np.array([0.8, 0.3]), (0.7, 1.6)


def chain(tau=0.5, duration=200.0, **options):
    """1-1-1, linear, tied, both ends held, two samples; delta = 50."""
    network = pcode.Network((1, 1, 1), "identity", tau=tau, delta=50.0, nu=NU, feedback="tied", **options)
    phase = pcode.Phase("learn", {0: X[:, None], 2: Y[:, None]}, duration=duration)
    weights = pcode.Weights(([[0.6]], [[-0.4]]), None, ([0.1], [0.2]))
    return network, phase, weights


@pytest.fixture(scope="module")
def run():
    network, phase, weights = chain()
    return pcode.simulate(network, [phase], weights=weights)


def full_flow(tau, times):
    """M and beta of `chain`, shape (4, T), its equations written down anew."""

    def rates(t, z):
        x, e1, e2, (m0, m1, b1, b2) = z[:2], z[2:4], z[4:6], z[6:]
        nodes = [m1 * e2 - e1, x - m0 * X - b1 - NU[0] * e1, Y - m1 * x - b2 - NU[1] * e2]
        weights = [np.mean(X * e1), np.mean(x * e2), np.mean(e1), np.mean(e2)]
        return np.concatenate([*(np.array(nodes) / tau), np.array(weights) / 50.0])

    x = 0.6 * X + 0.1
    z = np.concatenate([x, np.zeros(4), [0.6, -0.4, 0.1, 0.2]])
    return solve_ivp(rates, (0.0, 200.0), z, "Radau", times, rtol=1e-9, atol=1e-12).y[6:]


def limit(times):
    """The weights with the nodes at rest, by the hidden value that two linear equations give."""

    def rates(t, w):
        m0, m1, b1, b2 = w
        mu = m0 * X + b1
        x = (mu / NU[0] + m1 * (Y - b2) / NU[1]) / (1.0 / NU[0] + m1**2 / NU[1])
        e1, e2 = (x - mu) / NU[0], (Y - m1 * x - b2) / NU[1]
        return np.array([np.mean(X * e1), np.mean(x * e2), np.mean(e1), np.mean(e2)]) / 50.0

    return solve_ivp(rates, (0.0, 200.0), [0.6, -0.4, 0.1, 0.2], "DOP853", times, rtol=1e-10, atol=1e-12).y


def test_the_distances_are_those_of_equations_solved_alone(run):
    answer = separation(run, ratios=[50.0])
    times = 50.0 * answer.slow_time
    slow = limit(times)
    path = np.linalg.norm(slow - np.array([[0.6], [-0.4], [0.1], [0.2]]), axis=0).max()
    for ratio, distance in zip(answer.ratios, answer.distance, strict=True):
        expected = np.linalg.norm(full_flow(50.0 / ratio, times) - slow, axis=0) / path
        seen = np.isfinite(distance)
        assert seen[-1]
        assert not seen[0]  # the initial layer
        np.testing.assert_allclose(distance[seen], expected[seen], rtol=1e-3, atol=1e-7)


def test_the_distance_falls_to_first_order(run):
    answer = separation(run, ratios=[200.0, 400.0, 800.0, 1600.0])
    assert answer.order == pytest.approx(1.0, abs=0.02)
    assert answer.order_error < 0.05
    assert answer.fitted.all()


def test_the_verdict_follows_from_the_runs_own_ratio(run):
    far = separation(run).own_distance
    loose, strict = separation(run, tolerance=1.2 * far), separation(run, tolerance=0.5 * far)
    assert loose.enough
    assert not strict.enough
    assert str(loose).startswith("delta/tau = 100 is large enough for")
    assert str(strict).startswith("delta/tau = 100 is too small for")
    assert loose.needed < 100.0 < strict.needed
    assert separation(run, tolerance=0.5 * far, ratios=[strict.needed]).largest.min() == pytest.approx(
        0.5 * far, rel=0.02
    )


def test_a_run_in_the_limit_is_told_what_ratio_it_stands_for(run):
    network, phase, weights = chain(tau=0.0)
    at_rest = pcode.simulate(network, [phase], weights=weights)
    answer = separation(at_rest)
    assert answer.own_ratio is answer.own_distance is answer.enough is None
    assert str(answer).startswith(f"delta/tau = {float(f'{answer.needed:.3g}'):g} is what it takes for 1%")
    # It starts with nodes at rest, the other run with the feedforward pass: the same order of magnitude.
    assert answer.needed == pytest.approx(separation(run).needed, rel=1.0)


@pytest.mark.slow
def test_feedback_that_is_learned_and_several_layers_do_not_change_the_order():
    network = pcode.Network((2, 5, 3, 1), delta=300.0)
    phase = pcode.Phase("learn", {0: XOR_X, 3: XOR_Y}, duration=1500.0)
    run = pcode.simulate(network, [phase], weights=network.init_weights(rng=1))
    assert separation(run).order == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0])
def test_the_order_of_a_power_law_is_its_exponent(order):
    steps = np.array([1e-3, 2e-3, 5e-3, 1e-2])
    found, error = fit_order(steps, 3.0 * steps**order)
    assert found == pytest.approx(order, abs=1e-10)
    assert error < 1e-6


def test_the_interval_of_the_order_is_that_of_the_textbook():
    """Least squares on (0, 0), (1, 1), (2, 1): slope 1/2, standard error sqrt(1/12), t = 12.706."""
    slope, half = fit_order(np.exp([0.0, 1.0, 2.0]), np.exp([0.0, 1.0, 1.0]))
    assert slope == pytest.approx(0.5)
    assert half == pytest.approx(12.7062 * np.sqrt(1.0 / 12.0), rel=1e-5)


def test_two_ratios_are_too_few_for_an_order():
    assert np.isnan(fit_order(np.array([0.1, 0.2]), np.array([1.0, 2.0]))).all()


@pytest.mark.parametrize("tolerance", [0.1, 0.013, 0.001])
def test_the_ratio_needed_is_that_of_the_power_law(tolerance):
    ratios = np.array([50.0, 100.0, 400.0])
    assert needed_ratio(ratios, 2.0 / ratios, tolerance) == pytest.approx(2.0 / tolerance)


def test_the_answer_is_plain_json(run):
    values = json.loads(json.dumps(ask(run, "separation", {"tolerance": 0.02}).to_dict(), allow_nan=False))
    assert values["question"] == "separation"
    assert values["tolerance"] == 0.02
    assert values["distance"][0][0] is None  # in the initial layer


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tolerance": 0.0}, "tolerance: must be a part between 0 and 1"),
        ({"ratios": []}, "ratios: must list delta/tau to try"),
        ({"ratios": [-1.0]}, "ratios: must list delta/tau to try"),
        ({"duration": 0.0}, "duration: must be more than 0, in units of delta"),
        ({"duration": 1e-3, "ratios": [1.0]}, "ratios: in none of these ratios do the nodes come to rest"),
    ],
)
def test_options_that_make_no_sense_are_refused(run, options, told):
    with pytest.raises(InputError, match=told):
        separation(run, **options)


def test_runs_without_a_slow_flow_are_refused():
    network, phase, weights = chain()
    held = pcode.Phase("held", phase.clamp, duration=10.0, learn=False)
    run = pcode.simulate(network, [held], weights=weights)
    with pytest.raises(InputError, match="run: no phase of it learns"):
        separation(run)
    with pytest.raises(InputError, match="phase: the weights are held in 'held'"):
        separation(run, phase="held")


def test_where_the_limit_does_not_exist_that_is_told():
    """W = -M^T beyond the Hopf point: the nodes never rest."""
    network = pcode.Network((1, 1, 1, 1), "identity", delta=100.0, feedback="fixed")
    weights = pcode.Weights(([[0.8]],) * 3, ([[-0.8]],) * 3, ([0.0],) * 3)
    phase = pcode.Phase("learn", {0: [[1.0]], 3: [[-1.0]]}, duration=10.0)
    run = pcode.simulate(network, [phase], weights=weights)
    with pytest.raises(
        InputError,
        match=r"phase: there is no singular limit .*unstable by an oscillation.* in sample 0; ask of a phase",
    ):
        separation(run)


def test_where_the_limit_ends_on_the_way_that_is_told_and_the_rest_compared():
    """The weights learn their way to a Hopf bifurcation (see test_singular) at t = 0.00563 delta."""
    network = pcode.Network((1, 1, 1, 1), "identity", delta=1e4, feedback="fixed")
    weights = pcode.Weights(([[-0.9]], [[-2.0]], [[0.6]]), ([[0.0]], [[0.9]], [[1.3]]), ([0.0],) * 3)
    phase = pcode.Phase("learn", {0: [[1.0]], 3: [[-2.6]]}, duration=100.0)
    run = pcode.simulate(network, [phase], weights=weights)
    answer = separation(run, ratios=[500.0, 3e4])
    assert answer.slow_time[-1] <= 0.00564
    assert any("ends early" in note and "Hopf" in note for note in answer.notes)
    assert np.isnan(answer.largest[0])  # 500 is too small for the nodes to rest before that
    assert "500   not told: still in the initial layer" in str(answer)
    assert np.isfinite(answer.largest[-1])


def test_a_function_as_a_clamp_is_refused():
    network, _, weights = chain()
    ramp = pcode.Phase("ramp", {0: lambda t: (1.0 + t) * X[:, None], 2: Y[:, None]}, duration=10.0)
    run = pcode.simulate(network, [ramp], weights=weights)
    why = (
        "separation needs the phase as it was, but in 'ramp' layer 0 follows a function, of which a run keeps"
    )
    with pytest.raises(InputError, match=why):
        separation(run)


def test_the_picture_has_the_fitted_slope_the_tolerance_and_the_runs_own_ratio(run):
    answer = separation(run)
    ax = answer.plot()
    points, line = ax.get_lines()[:2]
    np.testing.assert_allclose(points.get_xdata(), 1.0 / answer.ratios)
    np.testing.assert_allclose(points.get_ydata(), answer.largest)
    slope = np.diff(np.log(line.get_ydata())) / np.diff(np.log(line.get_xdata()))
    np.testing.assert_allclose(slope, answer.order)
    assert ax.get_xlabel() == r"$\tau / \delta$"
    assert {text.get_text() for text in ax.texts} == {"1% allowed", "this run"}
    assert any(rf"{answer.order:.3f}" in text.get_text() for text in ax.get_legend().get_texts())


def test_over_time_there_is_a_line_for_each_ratio(run):
    answer = separation(run)
    ax = answer.plot(against="time")
    for line, ratio, distance in zip(ax.get_lines(), answer.ratios, answer.distance, strict=False):
        assert f"{ratio:g}" in line.get_label()
        np.testing.assert_array_equal(line.get_ydata(), distance)
    with pytest.raises(InputError, match="against: must be"):
        answer.plot(against="space")

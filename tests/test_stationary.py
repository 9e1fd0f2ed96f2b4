"""The question `stationary`: moments of series whose law is known, and the theory beside a run."""

import numpy as np
import pytest
import scipy

import pcode
from pcode import analysis, plotting
from pcode.analysis.stationarity.moments import autocorrelation_times, covariances
from pcode.analysis.stationarity.plane import energy_plane
from pcode.scenario import Scenario

BIMODAL = ["phase.0.duration=600.0", "save.nodes=1201", "plots.recipes=[]"]


@pytest.fixture(scope="module")
def bimodal():
    return Scenario.load("sampling", BIMODAL).simulate()


@pytest.fixture(scope="module")
def linear():
    """Of a linear network whose errors have an equation of their own, with two samples."""
    options = {"nu": [1.0, 2.0], "temperature": [0.0, 0.2, 0.0], "feedback": "fixed"}
    network = pcode.Network((1, 2, 1), "identity", **options)
    weights = network.init_weights(0, W="independent")
    clamp = {0: np.array([[1.0], [-1.0]]), 2: np.array([[0.5], [0.0]])}
    phase = pcode.Phase("noise", clamp, duration=1000.0, learn=False)
    save = pcode.Save(nodes=2001, weights=2, spacing="linear")
    return pcode.simulate(network, [phase], weights=weights, step=0.1, save=save, seed=2)


def test_the_autocorrelation_time_of_an_autoregressive_series_is_the_known_one():
    rng, count = np.random.default_rng(0), 200_000
    for phi in (0.0, 0.5, 0.9):
        x = scipy.signal.lfilter([1.0], [1.0, -phi], rng.standard_normal(count))
        expected = (1 + phi) / (1 - phi)
        # Relative standard error sqrt(2 (2 M + 1) / K) with a window of M lags (Sokal 1997, eq. 3.19).
        error = np.sqrt(2.0 * (2.0 * 5.0 * expected + 1.0) / count)
        assert abs(autocorrelation_times(x, 0.5) / (0.5 * expected) - 1.0) < 4.0 * error


def test_covariances_are_those_of_numpy_for_each_sample():
    values = np.random.default_rng(0).standard_normal((50, 2, 3))
    for b, found in enumerate(covariances(values)):
        np.testing.assert_allclose(found, np.cov(values[:, b].T, bias=True), atol=1e-14)


def test_a_posterior_with_two_modes_is_crossed_and_has_the_moments_of_gibbs(bimodal):
    answer = analysis.ask(bimodal, "stationary")
    nu, T, decay = 0.5, 0.2, 0.1  # of the shipped scenario

    def density(y, x):
        U = (y - x**2) ** 2 / (2 * nu) + (1 - y) ** 2 / (2 * nu) + decay * (x**2 + y**2) / 2
        return np.exp(-U / T)

    def mean(f):
        return scipy.integrate.dblquad(lambda y, x: f(x, y) * density(y, x), -3, 3, -3, 4, epsabs=1e-7)[0]

    norm = mean(lambda x, y: 1.0)
    second, above = mean(lambda x, y: x**2) / norm, mean(lambda x, y: y) / norm
    assert answer.law == "Gibbs"
    np.testing.assert_allclose(answer.expected_variance[0, 0], second, rtol=1e-4)
    np.testing.assert_allclose(answer.expected_mean[0], [0.0, above], atol=1e-4)
    error = np.sqrt(answer.variance[0] / answer.effective_size[0])
    assert (np.abs(answer.mean[0] - [0.0, above]) < 4.0 * error).all()
    x = bimodal.data.x0.values[:, 0, 0]
    side = np.sign(x[np.abs(x) > 0.5])
    assert np.count_nonzero(np.diff(side)) >= 10
    assert "burn-in 60" in "\n".join(answer.lines())


def test_marginal_densities_are_normalised_and_those_of_the_theory_too(bimodal):
    for one in analysis.ask(bimodal, "stationary").marginals:
        assert (one.density * np.diff(one.edges)).sum() == pytest.approx(1.0)
        assert np.trapezoid(one.expected, one.at) == pytest.approx(1.0)
        beside = np.interp(0.5 * (one.edges[1:] + one.edges[:-1]), one.at, one.expected)
        assert (np.abs(one.density - beside) * np.diff(one.edges)).sum() < 0.5  # of 2 at most


def test_with_errors_of_their_own_the_answer_has_lyapunovs_covariance(linear):
    answer = analysis.ask(linear, "stationary")
    weights = linear.weights
    M, W = weights.M[1], weights.W
    A = np.zeros((5, 5))  # of x1, eps1, eps2, as columns
    A[:2, 2:4], A[:2, 4:] = -np.eye(2), W[1].T
    A[2:4, :2], A[2:4, 2:4] = np.eye(2), -np.eye(2)
    A[4:, :2], A[4:, 4:] = -M.T, -2.0
    expected = scipy.linalg.solve_continuous_lyapunov(A, -np.diag([0.4, 0.4, 0.0, 0.0, 0.0]))[:2, :2]
    assert answer.law == "Lyapunov"
    for b in range(2):
        np.testing.assert_allclose(answer.expected_covariance[b], expected, rtol=1e-9)
        right = np.array([1.0, -1.0])[b], np.array([0.5, 0.0])[b]
        rest = np.linalg.solve(A, [0, 0, *(right[0] * weights.M[0][0]), -right[1]])
        np.testing.assert_allclose(answer.expected_mean[b], rest[:2], atol=1e-9)
    assert max(answer.mean_off, answer.variance_off) < 4.0


def test_the_answer_says_why_there_is_no_law_beside_it():
    network = pcode.Network((1, 2, 1), "tanh", temperature=0.1)
    clamp = {0: [[1.0]], 2: [[0.0]]}
    save = pcode.Save(nodes=41, spacing="linear")
    for learn, why in ((True, "the weights learn"), (False, "errors are not slaved")):
        phase = pcode.Phase("noise", clamp, duration=20.0, learn=learn)
        run = pcode.simulate(network, [phase], weights=network.init_weights(0), step=0.1, save=save)
        answer = analysis.ask(run, "stationary")
        assert answer.law == "unknown"
        assert why in answer.why
        assert answer.expected_mean is None
        assert "nan" not in answer.lines()[0]


def test_the_answer_has_tables_and_goes_to_json(linear):
    answer = analysis.ask(linear, "stationary", {"nodes": ["x1[1,1]"], "burn_in": 100.0})
    nodes, pairs = (answer.to_dataframe(name) for name in ("nodes", "covariance"))
    assert list(nodes["node"]) == ["x1[0,0]", "x1[1,0]", "x1[0,1]", "x1[1,1]"]
    assert len(pairs) == 2 * 3
    np.testing.assert_allclose(pairs["covariance"][0], nodes["variance"][0])
    told = answer.to_dict()
    assert told["burn_in"] == 100.0
    assert told["marginals"][0]["name"] == "x1[1,1]"


def test_what_cannot_be_answered_is_refused_in_one_line(bimodal, linear):
    def refused(run, options, where, what):
        with pytest.raises(pcode.InputError, match=what) as error:
            analysis.ask(run, "stationary", options)
        assert error.value.where == where
        assert len(str(error.value)) <= 300

    refused(linear, {"burn_in": 1000.0}, "burn_in", "how long the phase lasted")
    refused(linear, {"burn_in": 995.0}, "run", "only 11 times")
    refused(linear, {"nodes": ["x0[0]"]}, "nodes", "no free value node")
    network = pcode.Network((1, 1), temperature=0.1)
    weights, phase = network.init_weights(0), pcode.Phase("log", {0: [[1.0]]}, duration=20.0, learn=False)
    uneven = pcode.simulate(network, [phase], weights=weights, step=0.5)
    refused(uneven, {}, "run", "not evenly spaced")
    still = pcode.simulate(pcode.Network((1, 1)), [phase], weights=weights)
    refused(still, {}, "run", "no noise")
    held = pcode.Phase("held", {0: [[1.0]], 1: [[0.0]]}, duration=20.0, learn=False)
    refused(
        pcode.simulate(network, [held], weights=weights, step=0.5), {}, "phase", "all value nodes are clamped"
    )


def test_the_figure_has_a_histogram_and_a_curve_for_each_density(bimodal):
    answer = analysis.ask(bimodal, "stationary")
    ax = answer.plot()
    assert len(ax.patches) == len(ax.lines) == 2
    np.testing.assert_array_equal(ax.patches[0].get_data().values, answer.marginals[0].density)
    assert len(answer.plot(nodes=["x1[0,0]"]).lines) == 1
    with pytest.raises(pcode.InputError, match="nodes"):
        answer.plot(nodes=["x2[0,0]"])


def test_the_plane_of_samples_has_the_states_and_the_energy_of_the_equations(bimodal):
    plane = energy_plane(bimodal)
    x, y = np.meshgrid(plane.x, plane.y)
    U = (y - x**2) ** 2 + (1 - y) ** 2 + 0.05 * (x**2 + y**2)
    np.testing.assert_allclose(plane.energy, U - U.min(), atol=1e-12)
    ax = plotting.samples(bimodal)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), bimodal.data.x0.values[:, 0, 0])
    for options, where in (({"x": "x2[0]"}, "x"), ({"y": "x0[0]"}, "y"), ({"y": "M0[0,0]"}, "y")):
        with pytest.raises(pcode.InputError) as error:
            plotting.samples(bimodal, **options)
        assert error.value.where == where


def test_other_questions_about_a_run_with_noise_do_not_integrate_it_without(bimodal):
    answer = analysis.ask(bimodal, "certificate")
    repeated = {one.name: one for one in answer.checks if one.name in ("tolerance", "solver")}
    assert all(one.verdict == "not applicable" for one in repeated.values())
    assert "noise" in repeated["solver"].about


def test_with_fixed_predictions_each_node_has_the_variance_of_its_own_error():
    """Slaved errors: dx = (c - (x - mu)/nu) dt + sqrt(2 T) dw, c constant: variance T nu, mean mu + nu c."""
    nu, T = 0.7, 0.1
    network = pcode.Network((1, 2, 1), tau_eps=0.0, nu=[nu, 2.0], temperature=T)
    weights = network.init_weights(0)
    X, Y = np.array([[1.0], [-0.4]]), np.array([[0.5], [0.1]])
    phase = pcode.Phase("noise", {0: X, 2: Y}, duration=400.0, learn=False, predictions="fixed")
    save = pcode.Save(nodes=801, weights=2, spacing="linear")
    run = pcode.simulate(network, [phase], weights=weights, step=0.05, save=save, seed=1)
    answer = analysis.ask(run, "stationary")
    assert answer.law == "Lyapunov"
    np.testing.assert_allclose(answer.expected_covariance, np.tile(T * nu * np.eye(2), (2, 1, 1)), rtol=1e-10)
    mu = np.tanh(X) @ weights.M[0]
    eps = (Y - np.tanh(mu) @ weights.M[1]) / 2.0
    mean = mu + nu * (1.0 - np.tanh(mu) ** 2) * (eps @ weights.M[1].T)
    np.testing.assert_allclose(answer.expected_mean, mean, rtol=1e-8)
    assert answer.mean_off < 4.0
    assert answer.variance_off < 4.0
    plane = energy_plane(run, "x1[0,1]", "x1[1,1]")
    at = np.stack(np.meshgrid(plane.x, plane.y), axis=2)
    U = 0.5 * ((at - mu[1]) ** 2).sum(axis=2) / nu
    np.testing.assert_allclose(plane.energy, U - U.min(), rtol=1e-9, atol=1e-9)


def test_the_temperature_of_a_clamped_layer_has_no_part_in_the_law(bimodal):
    hot = Scenario.load("sampling", [*BIMODAL, "network.temperature=[0.2,0.2,5.0]"]).simulate()
    found, one = (analysis.ask(run, "stationary") for run in (hot, bimodal))
    np.testing.assert_array_equal(found.mean, one.mean)
    np.testing.assert_array_equal(found.expected_variance, one.expected_variance)


def test_contours_where_the_nodes_have_no_temperature_are_not_told_in_temperatures():
    network = pcode.Network((1, 2, 1), tau_eps=0.0, temperature=[0.2, 0.0, 0.0])
    phase = pcode.Phase("noise", {2: [[0.5]]}, duration=20.0, learn=False)
    run = pcode.simulate(network, [phase], weights=network.init_weights(0), step=0.05)
    texts = {T: plotting.samples(run, *nodes).get_legend().get_texts()[1].get_text()
             for T, nodes in {0.0: ("x1[0]", "x1[1]"), 0.2: ("x0[0]", "x1[0]")}.items()}  # fmt: skip
    assert "$T$" not in texts[0.0]
    assert "$T$" in texts[0.2]
    assert plotting.samples(run).get_title(loc="left") == "contours: 1 other free node at the mean"

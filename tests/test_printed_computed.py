"""Numbers that answers print and have to compute first: beside the model's equations written down anew."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pcode
from pcode import Run
from pcode.analysis import ask
from pcode.analysis import separation as module
from tests.test_analysis_separation import chain, full_flow, limit

# --- backprop: a linear 2-1-1, W = M^T, two samples -----------------------------------------------

X, Y = np.array([[1.0, -0.5], [0.4, 2.0]]), np.array([[1.5], [-0.7]])
NU, TAU, DELTA = (0.7, 1.6), 0.5, 20.0
START = np.array([0.6, -0.3, 0.8, 0.1, -0.2])  # M^0 (two), M^1, beta^1, beta^2


def nodes_at_rest(w):
    """x^1, eps^1 and eps^2 at rest: eps^l = (x^l - mu^l)/nu^l and eps^1 = eps^2 M^1."""
    M0, m1, b1, b2 = w[:2], w[2], w[3], w[4]
    mu = X @ M0 + b1
    x = (mu / NU[0] + m1 * (Y[:, 0] - b2) / NU[1]) / (1.0 / NU[0] + m1**2 / NU[1])
    return x, (x - mu) / NU[0], (Y[:, 0] - m1 * x - b2) / NU[1]


def flow(x, e1, e2):
    """mean_b[sigma(x^l)^T eps^{l+1}] of both links, and the means of eps."""
    return np.concatenate([X.T @ e1 / 2.0, [np.mean(x * e2), np.mean(e1), np.mean(e2)]])


def after_one_delta(ratio):
    """x^1, eps^1, eps^2 and the weights after one delta = tau/ratio, from the nodes' rest."""
    delta = TAU / ratio

    def rates(t, z):
        x, e1, e2, w = z[:2], z[2:4], z[4:6], z[6:]
        M0, m1, b1, b2 = w[:2], w[2], w[3], w[4]
        nodes = [m1 * e2 - e1, x - X @ M0 - b1 - NU[0] * e1, Y[:, 0] - m1 * x - b2 - NU[1] * e2]
        return np.concatenate([np.concatenate(nodes) / TAU, flow(x, e1, e2) / delta])

    z = np.concatenate([*nodes_at_rest(START), START])
    z = solve_ivp(rates, (0.0, delta), z, "Radau", rtol=1e-9, atol=1e-12).y[:, -1]
    return z[:2], z[2:4], z[4:6], z[6:]


def losses(w):
    """Of each sample, 1/2 |y - f(x^0)|^2."""
    return 0.5 * (Y[:, 0] - ((X @ w[:2] + w[3]) * w[2] + w[4])) ** 2


def descent_of_M0(w):
    """-dL/dM^0 by central differences, exact for a square."""
    h = 0.1
    return -np.array([(losses(w + h * e) - losses(w - h * e)).mean() / (2.0 * h) for e in np.eye(5)[:2]])


@pytest.fixture(scope="module")
def trained():
    network = pcode.Network((2, 1, 1), "identity", tau=TAU, delta=DELTA, nu=NU, feedback="tied")
    weights = pcode.Weights((START[:2, None], START[2:3, None]), None, (START[3:4], START[4:]))
    phase = pcode.Phase("learn", {0: X, 2: Y}, duration=30.0)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(5, 5))
    return run, ask(run, "backprop")


def test_the_lag_and_the_angle_of_backprop_are_those_of_the_equations_integrated_alone(trained):
    """By default at ten times, once and a tenth of the run's own tau/delta, 0.025."""
    answer = trained[1]
    assert answer.ratios.tolist() == pytest.approx([0.25, 0.025, 0.0025])
    told = [line for line in answer.lines() if "lags behind" in line]
    for k, ratio in enumerate([0.25, 0.025, 0.0025]):
        x, e1, e2, w = after_one_delta(ratio)
        now, rest = flow(x, e1, e2)[:3], flow(*nodes_at_rest(w))[:3]
        links = (slice(0, 2), slice(2, 3))
        lag = [np.linalg.norm((now - rest)[at]) / np.linalg.norm(rest[at]) for at in links]
        np.testing.assert_allclose(answer.ratio_lag[k], lag, rtol=2e-2, atol=1e-6)
        g, descent = now[:2], descent_of_M0(w)
        angle = np.degrees(np.arccos(g @ descent / np.linalg.norm(g) / np.linalg.norm(descent)))
        assert answer.ratio_angle[k, 0] == pytest.approx(angle, rel=1e-3)
        assert told[k].startswith(f"tau/delta = {ratio:.3g}: after one delta the flow is within ")
        assert float(told[k].split(" by ")[1].rstrip("%")) == pytest.approx(100 * max(lag), rel=0.06)


def test_backprop_tells_the_loss_of_the_feedforward_network_the_variance_and_the_moment(trained):
    run, answer = trained
    last = run.weights
    w = np.concatenate([a.ravel() for a in (*last.M, *last.beta)])
    assert answer.loss == pytest.approx(losses(w).mean(), rel=1e-10)
    assert f"phase 'learn', t = 30, 2 samples, loss {losses(w).mean():.3g};" in answer.lines()[1]
    assert answer.lines()[0].endswith("(nu^n = 1.6)")
    np.testing.assert_allclose(answer.variances, [1.6, 16.0, 160.0, 1600.0, 16000.0])


# --- separation -----------------------------------------------------------------------------------


def test_the_headline_of_separation_has_the_distance_of_equations_solved_alone():
    """delta/tau = 50/0.5 and 200/50 delta; from the end of the initial layer on."""
    network, phase, weights = chain()
    answer = ask(pcode.simulate(network, [phase], weights=weights), "separation", {"ratios": [100.0]})
    times = 50.0 * answer.slow_time
    slow = limit(times)
    path = np.linalg.norm(slow - np.array([[0.6], [-0.4], [0.1], [0.2]]), axis=0).max()
    apart = np.linalg.norm(full_flow(0.5, times) - slow, axis=0) / path
    largest = apart[np.isfinite(answer.distance[0])].max()
    head, second = answer.lines()[:2]
    assert head.startswith("delta/tau = 100 is ")
    told = float(head.split("%: ")[1].split("%")[0].split()[-1])
    assert told == pytest.approx(100.0 * largest, rel=0.051)  # two digits
    assert answer.needed == pytest.approx(100.0 * largest / 0.01, rel=1e-3)  # by first order
    assert second.startswith("phase 'learn', 4 delta; ")


# --- certificate ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settled():
    """A linear 2-1-1, tied, held, from its start to its rest."""
    network = pcode.Network((2, 1, 1), "identity", tau=TAU, delta=DELTA, nu=NU, feedback="tied")
    weights = pcode.Weights((START[:2, None], START[2:3, None]), None, (START[3:4], START[4:]))
    phase = pcode.Phase(
        "hold", {0: X, 2: Y}, duration=500.0, learn=False, until="equilibrium", settle_tol=1e-5
    )
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(30, 2))


def test_the_figures_of_a_certificate_are_those_of_the_equations(settled):
    checks = {check.name: check for check in ask(settled, "certificate").checks}
    x, e1, e2 = (settled.data[name].values[-1, :, 0] for name in ("x1", "eps1", "eps2"))
    M0, m1, b1, b2 = START[:2], START[2], START[3], START[4]
    z = np.concatenate([x, e1, e2])
    rates = np.concatenate([m1 * e2 - e1, x - X @ M0 - b1 - NU[0] * e1, Y[:, 0] - m1 * x - b2 - NU[1] * e2])
    rest = checks["equilibrium"]
    assert rest.figure == pytest.approx(np.max(np.abs(rates) / (1.0 + np.abs(z))), rel=1e-6)
    assert rest.threshold == pytest.approx(1.01e-5)
    # Fact 7: F* from the nodes at rest; the figure compares roots.
    ends = nodes_at_rest(START)
    F, least = (0.5 * np.mean(NU[0] * a**2 + NU[1] * b**2) for a, b in ((e1, e2), ends[1:]))
    energy = checks["energy"]
    assert energy.figure == pytest.approx(abs(np.sqrt(F) - np.sqrt(least)) / (1.0 + np.sqrt(least)), rel=1e-5)
    assert energy.threshold == pytest.approx(100.0 * rest.figure)
    assert energy.about.endswith(f"F* = {least:.6g}")
    assert (checks["tolerance"].threshold, checks["solver"].threshold) == pytest.approx((1e-4, 1e-4))
    assert (checks["status"].figure, checks["status"].threshold) == (0.0, 0.0)


def test_a_certificate_tells_by_how_much_and_when_a_value_is_off(settled):
    """0.3 more than the integration again finds, relative to 1 + its size, and 0.2 elsewhere."""
    data = settled.data.copy(deep=True)
    t, value = float(data["time"][9]), float(data["x1"][9, 1, 0])
    data["x1"][9, 1, 0] += 0.3
    data["eps1"][12, 0, 0] += 0.01
    for name, beside in (("tolerance", "at a tenth of the tolerance"), ("solver", "")):
        check = next(c for c in ask(Run(data), "certificate").checks if c.name == name)
        assert check.verdict == "fail"
        assert check.figure == pytest.approx(0.3 / (1.0 + abs(value)), rel=1e-4)
        assert f"(most at t = {t:g})" in check.about
        assert beside in check.about


# --- W - M^T at the saved times of a run ----------------------------------------------------------


def test_feedback_at_saved_times_leaves_the_transpose_as_fact_5_says_over_all_phases():
    """exp(-lambda t/delta), t the time in which the weights learn: not that of the phase in between."""
    network = pcode.Network((2, 3, 1), tau=1.0, delta=10.0, weight_decay=0.4)
    rng = np.random.default_rng(7)
    X, Y = rng.standard_normal((2, 2)), rng.standard_normal((2, 1))
    moving = pcode.TimeSeries([0.0, 4.0, 9.0], np.stack([X, -X, 2.0 * X]))
    phases = [
        pcode.Phase("first", {0: moving, 2: Y}, duration=9.0),
        pcode.Phase("held", {0: X}, duration=5.0, learn=False),
        pcode.Phase("again", {0: X, 2: Y}, duration=12.0),
    ]
    weights = network.init_weights(rng, W="independent")
    run = pcode.simulate(network, phases, weights=weights, save=pcode.Save(9, 9))
    t = run.data["weight_time"].values
    learned = np.where(t <= 9.0, t, np.where(t <= 14.0, 9.0, t - 5.0))
    assert learned[-1] == pytest.approx(21.0)
    for k in range(2):
        gap = run.data[f"W{k}"].values - run.data[f"M{k}"].values.transpose(0, 2, 1)
        expected = np.exp(-0.4 * learned / 10.0)[:, None, None] * (weights.W[k] - weights.M[k].T)
        np.testing.assert_allclose(gap, expected, rtol=1e-9, atol=1e-12)


# --- equilibrium ----------------------------------------------------------------------------------


def test_the_rightmost_eigenvalue_and_its_period_are_those_of_the_matrix_of_the_nodes(settled):
    m = START[2]
    A = np.array([[0.0, -1.0, m], [1.0, -NU[0], 0.0], [-m, 0.0, -NU[1]]]) / TAU  # x^1, eps^1, eps^2
    values = np.linalg.eigvals(A)
    right = values[np.argmax(values.real)]
    assert abs(right.imag) > 0.1
    answer = ask(settled, "equilibrium", {"starts": 0})
    assert answer.lines()[1] == (
        f"rightmost node eigenvalue: {right.real:.4g} +- {abs(right.imag):.4g}i, "
        f"period {2.0 * np.pi / abs(right.imag):.3g}"
    )
    x, e1, e2 = nodes_at_rest(START)
    for found, expected in zip((answer.state.x[1], *answer.state.eps), (x, e1, e2), strict=True):
        np.testing.assert_allclose(found[:, 0], expected, atol=1e-9)
    assert answer.lines()[0].startswith("equilibrium, stable (weights of t = ")


def test_what_such_feedback_does_to_the_nodes_is_what_the_equations_with_a_w_of_its_own_say():
    """1-1-1, linear: W - M^T comes into dx/dt, so the run's x^1 and M are beside a system that carries W."""
    tau, delta, decay = 1.0, 10.0, 0.6
    network = pcode.Network((1, 1, 1), "identity", tau=tau, delta=delta, weight_decay=decay)
    weights = pcode.Weights(([[0.5]], [[0.8]]), ([[0.5]], [[2.0]]), ([0.0], [0.0]))
    phase = pcode.Phase("learn", {0: [[1.0]], 2: [[1.5]]}, duration=25.0)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(20, 20), rtol=1e-9, atol=1e-12)

    def rates(t, z):
        x, e1, e2, m0, m1, w1, b1, b2 = z
        nodes = [w1 * e2 - e1, x - m0 - b1 - e1, 1.5 - m1 * x - b2 - e2]
        slow = [e1 - decay * m0, x * e2 - decay * m1, x * e2 - decay * w1, e1 - decay * b1, e2 - decay * b2]
        return np.array([*nodes, *(rate * tau / delta for rate in slow)]) / tau

    t = run.data["time"].values
    z = [0.5, 0.0, 0.0, 0.5, 0.8, 2.0, 0.0, 0.0]
    found = solve_ivp(rates, (0.0, 25.0), z, "DOP853", t, rtol=1e-11, atol=1e-13).y
    np.testing.assert_allclose(run.data["x1"].values[:, 0, 0], found[0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(run.data["eps2"].values[:, 0, 0], found[2], rtol=1e-6, atol=1e-8)
    assert run.weights.M[1][0, 0] == pytest.approx(found[4, -1], rel=1e-6)
    assert run.weights.W[1][0, 0] == pytest.approx(found[5, -1], rel=1e-6)


def test_a_certificate_tells_how_far_from_rest_the_nodes_ended():
    network = pcode.Network((2, 1, 1), "identity", tau=TAU, delta=DELTA, nu=NU, feedback="tied")
    weights = pcode.Weights((START[:2, None], START[2:3, None]), None, (START[3:4], START[4:]))
    phase = pcode.Phase("hold", {0: X, 2: Y}, duration=0.6, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(5, 2))
    x, e1, e2 = (run.data[name].values[-1, :, 0] for name in ("x1", "eps1", "eps2"))
    M0, m1, b1, b2 = START[:2], START[2], START[3], START[4]
    z = np.concatenate([x, e1, e2])
    rates = np.concatenate([m1 * e2 - e1, x - X @ M0 - b1 - NU[0] * e1, Y[:, 0] - m1 * x - b2 - NU[1] * e2])
    unrest = np.max(np.abs(rates) / (1.0 + np.abs(z)))
    energy = next(c for c in ask(run, "certificate").checks if c.name == "energy")
    assert energy.about == f"the nodes of 'hold' were not near rest at its end ({unrest:.1e})"


@pytest.mark.parametrize(
    ("largest", "lasts", "options", "told"),
    [
        (20_000, 20.0, {}, False),  # a small network, all of whose phase is compared
        (1, 30.0, {}, True),
        (1, 30.0, {"duration": 20.0}, False),  # as was asked
    ],
)
def test_separation_says_where_it_compares_a_part_of_the_phase_only(
    monkeypatch, largest, lasts, options, told
):
    monkeypatch.setattr(module, "LARGE", largest)
    network, phase, weights = chain(duration=50.0 * lasts)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(5, 5))
    answer = ask(run, "separation", {"ratios": [100.0]} | options)
    assert answer.duration == 20.0
    assert answer.lines()[1].startswith("phase 'learn', 20 delta; ")
    note = "only the first 20 delta are compared; for more give a duration"
    assert (note in answer.notes) is told

"""Phases: clamps, joints, time series, samples, and starts."""

from itertools import pairwise

import numpy as np
import pytest

import pcode
from pcode import InputError, Phase, Save, TimeSeries


def decaying_node():
    """Layer 0 free and driven by node decay alone: tau dx/dt = -x when nothing is above it to hear."""
    network = pcode.Network(sizes=(1, 1), activation="identity", tau=2.0, node_decay=1.0, feedback="fixed")
    weights = pcode.Weights(M=([[0.0]],), W=([[0.0]],), beta=([0.0],))
    return network, weights


def driven_error():
    """1-1, both ends clamped, held: tau deps/dt = x^1(t) - nu eps, a first-order lag of the clamp."""
    network = pcode.Network(sizes=(1, 1), activation="identity", tau=0.5, nu=2.0, feedback="tied")
    weights = pcode.Weights(M=([[0.0]],), W=None, beta=([0.0],))
    return network, weights


def lag(times, t, u, tau=0.5, nu=2.0):
    """eps of `driven_error` for the clamp u, linear between the points (t, u), at `times`; exact."""
    found = np.zeros_like(times)
    eps = 0.0
    k = nu / tau
    for start, end, a, b in zip(t, t[1:], u, u[1:], strict=False):
        if end == start:
            continue
        slope = (b - a) / (end - start)

        def solution(s, eps=eps, a=a, slope=slope):
            # tau e' = a + slope s - nu e, e(0) = eps
            particular = (a + slope * s) / nu - slope * tau / nu**2
            return particular + (eps - a / nu + slope * tau / nu**2) * np.exp(-k * s)

        inside = (times >= start) & (times <= end)
        found[inside] = solution(times[inside] - start)
        eps = solution(end - start)
    return found


@pytest.mark.parametrize("method", ["cvode", "BDF", "RK45", "Kvaerno5"])
def test_a_time_series_is_followed_through_kinks_and_steps(method):
    network, weights = driven_error()
    t = [0.0, 1.0, 1.0, 3.0, 3.01, 6.0]
    u = [0.0, 1.0, -2.0, -2.0, 5.0, 0.0]
    series = TimeSeries(t, np.reshape(u, (6, 1, 1)))
    phase = Phase("drive", {0: [[0.0]], 1: series}, duration=6.0, learn=False)
    run = pcode.simulate(
        network,
        [phase],
        weights=weights,
        method=method,
        rtol=1e-9,
        atol=1e-11,
        save=Save(300, spacing="linear"),
    )
    times = run.data["time"].values
    np.testing.assert_allclose(run.data["eps1"].values[:, 0, 0], lag(times, t, u), atol=1e-7)
    smooth = np.abs(times - 1.0) > 1e-9
    clamp = np.interp(times[smooth], t, u)
    np.testing.assert_allclose(run.data["x1"].values[smooth, 0, 0], clamp, atol=1e-12)


@pytest.mark.parametrize("method", ["cvode", "Radau", "DOP853", "Kvaerno5"])
def test_a_short_pulse_late_in_a_quiet_phase_is_not_stepped_over(method):
    network, weights = driven_error()
    t = [0.0, 5000.0, 5000.0, 5000.01, 5000.01, 10000.0]
    u = [0.0, 0.0, 100.0, 100.0, 0.0, 0.0]
    phase = Phase(
        "pulse", {0: [[0.0]], 1: TimeSeries(t, np.reshape(u, (6, 1, 1)))}, duration=1e4, learn=False
    )
    run = pcode.simulate(network, [phase], weights=weights, method=method, save=Save(20001, spacing="linear"))
    eps = run.data["eps1"].values[:, 0, 0]
    expected = lag(run.data["time"].values, t, u)
    assert expected.max() > 0.1
    np.testing.assert_allclose(eps, expected, rtol=1e-3, atol=1e-6)


def test_a_series_that_goes_on_moving_is_not_at_rest_and_one_that_stops_is():
    network, weights = driven_error()
    moving = TimeSeries([0.0, 100.0], [[[0.0]], [[1e-9]]])
    still = TimeSeries([0.0, 1.0], [[[0.0]], [[1.0]]])
    for series, status in ((moving, "not_settled"), (still, "equilibrium")):
        phase = Phase("p", {0: [[0.0]], 1: series}, duration=100.0, learn=False, until="equilibrium")
        assert pcode.simulate(network, [phase], weights=weights).status == status


def test_a_freed_node_goes_on_from_where_it_was_and_a_clamped_one_jumps():
    network, weights = decaying_node()
    phases = [
        Phase("hold", {0: [[3.0]]}, duration=1.0, learn=False),
        Phase("free", {}, duration=4.0, learn=False),
        Phase("hold again", {0: [[-1.0]]}, duration=1.0, learn=False),
    ]
    run = pcode.simulate(network, phases, weights=weights, rtol=1e-9, atol=1e-12)
    t, x, phase = (run.data[name].values for name in ("time", "x0", "phase"))
    free = phase == 1
    np.testing.assert_allclose(x[free, 0, 0], 3.0 * np.exp(-(t[free] - 1.0) / 2.0), rtol=1e-7)
    assert (x[phase == 0] == 3.0).all()
    assert (x[phase == 2] == -1.0).all()


def test_phases_join_at_an_instant_saved_on_both_sides_the_second_at_the_next_float(xor):
    network, [train], weights = xor
    test = Phase("test", {0: train.clamp[0]}, duration=50.0, learn=False)
    run = pcode.simulate(network, [train, test, train], weights=weights)
    for clock, index in (("time", "phase"), ("weight_time", "weight_phase")):
        t, phase = run.data[clock].values, run.data[index].values
        assert sorted(set(phase)) == [0, 1, 2]
        assert (np.diff(t) > 0.0).all()
        for k, joint in ((0, 300.0), (1, 350.0)):
            assert t[phase == k][-1] == joint
            assert t[phase == k + 1][0] == np.nextafter(joint, np.inf)
    for before, after in pairwise(run.phases):
        assert before.t_end == after.t_start
    joint = int(np.flatnonzero(run.data["phase"].values == 1)[0])
    for name in ("x1", "eps1", "eps2"):
        before, after = run.data[name].values[joint - 1], run.data[name].values[joint]
        assert (before == after).all()
    assert int((run.data["weight_phase"] == 1).sum()) == 2  # its two ends: it does not learn


def test_two_phases_in_a_row_are_one_long_phase(timescales):
    network, [phase], weights = timescales
    halves = [Phase("a", phase.clamp, duration=1500.0), Phase("b", phase.clamp, duration=1500.0)]
    one = pcode.simulate(network, [phase], weights=weights, rtol=1e-9, atol=1e-12)
    two = pcode.simulate(network, halves, weights=weights, rtol=1e-9, atol=1e-12)
    for a, b in zip(
        (*one.state.x, *one.state.eps, *one.weights.M),
        (*two.state.x, *two.state.eps, *two.weights.M),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_single_nodes_can_be_clamped_beside_free_ones(rng):
    """Completion in a linear 3-2 network with free and clamped inputs: the free ones minimise |y - x M|^2."""
    network = pcode.Network(sizes=(3, 2), activation="identity", feedback="tied")
    M, y = rng.standard_normal((3, 2)), rng.standard_normal((1, 2))
    weights = pcode.Weights((M,), None, (np.zeros(2),))
    given = np.array([[0.5, np.nan, 2.0]])
    phase = Phase(
        "complete", {0: given, 1: y}, duration=1e4, learn=False, until="equilibrium", settle_tol=1e-9
    )
    run = pcode.simulate(network, [phase], weights=weights, rtol=1e-10, atol=1e-12)
    best = (y - given[:, [0, 2]] @ M[[0, 2]]) @ M[1] / (M[1] @ M[1])
    np.testing.assert_allclose(run.state.x[0], [[0.5, best[0], 2.0]], atol=1e-7)
    assert (run.data["x0"].values[:, 0, [0, 2]] == [0.5, 2.0]).all()


def test_samples_that_stay_carry_on_and_others_start_at_the_feedforward_pass(rng):
    network = pcode.Network(sizes=(2, 3, 1), feedback="tied")
    weights = network.init_weights(rng)
    X, Y = rng.standard_normal((4, 2)), rng.standard_normal((4, 1))
    first = Phase("first", {0: X[:2], 2: Y[:2]}, duration=5.0, learn=False, samples=[0, 1])
    second = Phase("second", {0: X[1:], 2: Y[1:]}, duration=5.0, learn=False, samples=[1, 2, 3])
    run = pcode.simulate(network, [first, second], weights=weights)
    assert dict(run.data.sizes)["sample"] == 3
    assert run.sample_count == 4
    rows = np.flatnonzero(run.data["phase"].values == 1)
    end, start = rows[0] - 1, rows[0]
    numbers = run.data["sample_number"].values
    assert (numbers[: end + 1] == [0, 1, -1]).all()
    assert (numbers[rows] == [1, 2, 3]).all()
    assert (run.data["eps1"].values[start, 0] == run.data["eps1"].values[end, 1]).all()
    hidden = np.tanh(X[2:]) @ weights.M[0]
    np.testing.assert_allclose(run.data["x1"].values[start, 1:], hidden, rtol=1e-12)
    assert (run.data["eps1"].values[start, 1:] == 0.0).all()
    assert np.isfinite(run.data["x1"].values[rows]).all()
    assert np.isnan(run.data["x1"].values[: end + 1, 2]).all()
    assert run.state.x[1].shape == (3, 3)


def test_samples_carry_on_in_whatever_order_they_are_shown(rng):
    network = pcode.Network(sizes=(2, 3, 1), feedback="tied")
    X, Y = rng.standard_normal((3, 2)), rng.standard_normal((3, 1))
    first = Phase("first", {0: X, 2: Y}, duration=5.0, learn=False, samples=[5, 2, 9])
    second = Phase("second", {0: X, 2: Y}, duration=5.0, learn=False, samples=[9, 7, 5])
    run = pcode.simulate(network, [first, second], weights=network.init_weights(rng))
    start = int(np.flatnonzero(run.data["phase"].values == 1)[0])
    for name in ("x1", "eps1", "eps2"):
        before, after = run.data[name].values[start - 1], run.data[name].values[start]
        assert (before != 0.0).all()
        np.testing.assert_array_equal(after[[0, 2]], before[[2, 0]])
    assert (run.data["eps1"].values[start, 1] == 0.0).all()


def test_without_labels_a_batch_of_another_size_is_new_samples(rng):
    network = pcode.Network(sizes=(2, 1), feedback="tied")
    weights = network.init_weights(rng)
    phases = [Phase(str(B), {0: np.ones((B, 2))}, duration=1.0) for B in (2, 3, 3)]
    run = pcode.simulate(network, phases, weights=weights)
    assert [record.samples for record in run.phases] == [(0, 1), (2, 3, 4), (2, 3, 4)]


@pytest.mark.parametrize(
    ("nodes", "hidden"), [("feedforward", [[np.tanh(0.5) * 2.0 + 0.1]]), ("zero", [[0.0]])]
)
def test_nodes_start_where_they_are_told(nodes, hidden):
    network = pcode.Network(sizes=(1, 1, 1))
    weights = pcode.Weights(M=([[2.0]], [[1.0]]), W=([[2.0]], [[1.0]]), beta=([0.1], [0.0]))
    phase = Phase("p", {0: [[0.5]], 2: [[1.0]]}, duration=1.0)
    run = pcode.simulate(network, [phase], weights=weights, nodes=nodes)
    np.testing.assert_allclose(run.data["x1"].values[0], hidden, rtol=1e-14)
    assert run.data["x0"].values[0, 0, 0] == 0.5
    assert (run.data["eps1"].values[0] == 0.0).all()


def test_a_free_input_starts_at_zero():
    network = pcode.Network(sizes=(2, 1), activation="logistic")
    weights = network.init_weights(0)
    run = pcode.simulate(network, [Phase("p", {1: [[1.0]]}, duration=1.0)], weights=weights)
    assert (run.data["x0"].values[0] == 0.0).all()


def test_a_run_can_go_on_from_a_state(xor):
    network, [train], weights = xor
    first = pcode.simulate(network, [train], weights=weights, rtol=1e-9, atol=1e-12)
    again = pcode.simulate(network, [train], weights=first.weights, nodes=first.state, rtol=1e-9, atol=1e-12)
    both = pcode.simulate(network, [train, train], weights=weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(again.state.x[1], both.state.x[1], atol=1e-6)
    np.testing.assert_allclose(again.weights.M[0], both.weights.M[0], atol=1e-6)


def test_the_default_times_are_log_spaced_from_a_hundredth_of_tau():
    times = Save().times(400, 1e6, tau=10.0)
    assert times.size == 400
    assert times[0] == 0.0
    assert times[1] == pytest.approx(0.1)
    assert times[-1] == 1e6
    ratios = times[2:] / times[1:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


def test_a_phase_shorter_than_a_hundredth_of_tau_is_saved_evenly():
    np.testing.assert_allclose(Save().times(3, 1e-3, tau=1.0), [0.0, 5e-4, 1e-3])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"duration": 0.0}, "duration: must be positive, not 0"),
        ({"duration": float("nan")}, "duration: must be finite"),
        ({"duration": "long"}, "duration: must be a number"),
        ({"clamp": {0: [1.0, 2.0]}}, r"clamp\[0\]: has shape \(2,\); must be \(samples, nodes\)"),
        ({"clamp": {0: [[1.0]], 1: [[1.0], [2.0]]}}, r"clamp\[1\]: has 2 samples where this phase has 1"),
        ({"clamp": {0: [[np.inf]]}}, r"clamp\[0\]: must be finite"),
        ({"clamp": {"in": [[1.0]]}}, "clamp: layers are whole numbers, not 'in'"),
        ({"clamp": {0: "sin(t)"}}, r"clamp\[0\]: must be an array, or pcode.Expression\(text\)"),
        ({"clamp": {0: [["a"]]}}, r"clamp\[0\]: holds text; it must be real numbers"),
        ({"until": "rest"}, "until: must be 'equilibrium' or left out"),
        ({"settle_tol": 0.0}, "settle_tol: must be positive"),
        ({"learn": 1}, "learn: must be true or false"),
        ({"samples": [0, 0]}, "samples: must be different whole numbers"),
        ({"clamp": {0: [[1.0]]}, "samples": [0, 1]}, r"clamp\[0\]: has 1 samples where this phase has 2"),
    ],
)
def test_a_phase_that_makes_no_sense_is_refused_with_what_would(arguments, said):
    with pytest.raises(InputError, match=said):
        Phase("p", **{"duration": 1.0} | arguments)


@pytest.mark.parametrize(
    ("t", "values", "said"),
    [
        ([0.0, 1.0], np.zeros((3, 1, 1)), "values: have shape"),
        ([1.0, 0.0], np.zeros((2, 1, 1)), "t: must be finite and never decrease"),
        ([0.0, 0.0, 0.0], np.zeros((3, 1, 1)), "t: gives a time more than twice"),
        ([], np.zeros((0, 1, 1)), "t: must be a list of times"),
        ([0.0, 1.0], [[[np.nan]], [[1.0]]], "values: a node must be free"),
    ],
)
def test_a_time_series_that_makes_no_sense_is_refused(t, values, said):
    with pytest.raises(InputError, match=said):
        TimeSeries(t, values)


@pytest.mark.parametrize(
    ("clamp", "said"),
    [
        ({3: [[1.0]]}, r"phases\[1\]\.clamp\[3\]: there is no layer 3; the layers are 0\.\.2"),
        ({0: [[1.0]]}, r"phases\[1\]\.clamp\[0\]: has 1 values a sample; layer 0 has 2 nodes"),
    ],
)
def test_a_clamp_that_does_not_fit_the_network_is_refused(clamp, said, xor):
    network, [train], weights = xor
    with pytest.raises(InputError, match=said):
        pcode.simulate(network, [train, Phase("bad", clamp, duration=1.0)], weights=weights)


def test_no_phase_is_refused(xor):
    network, _, weights = xor
    with pytest.raises(InputError, match="phases: there is none"):
        pcode.simulate(network, [], weights=weights)


@pytest.mark.parametrize(("save", "key"), [(Save(nodes=10**7), "nodes"), (Save(weights=10**8), "weights")])
def test_a_result_beyond_the_memory_allowed_is_refused_with_its_size_and_the_setting(save, key, xor):
    network, phases, weights = xor
    with pytest.raises(InputError, match=rf"save\.{key}: the result would take .* GB, more than the 4 GB"):
        pcode.simulate(network, phases, weights=weights, save=save)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ("rest", "nodes: must be feedforward, zero, equilibrium or a State"),
        (pcode.State((np.zeros((4, 2)),), (), None), r"nodes\.x: has 1 layers; must have 3"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(nodes, said, xor):
    network, phases, weights = xor
    with pytest.raises(InputError, match=said):
        pcode.simulate(network, phases, weights=weights, nodes=nodes)

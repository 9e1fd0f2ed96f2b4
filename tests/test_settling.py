"""Settling times beside those read off a dense trajectory; the lag; and answers with nothing under them."""

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.analysis.convergence import convergence
from pcode.analysis.convergence_words import _percent
from pcode.analysis.settling.path import ACCURACY, follow
from pcode.model.state import State
from tests.trajectories import Reference, settled_at

RNG = np.random.default_rng(3)
X, Y = RNG.standard_normal((3, 2)), RNG.standard_normal((3, 1))


def random_run(feedback, activation, learn, nu=0.6, delta=30.0, duration=60.0, save=None):
    network = pcode.Network((2, 3, 1), activation, delta=delta, nu=nu, feedback=feedback)
    phase = pcode.Phase("train", {0: X, 2: Y}, duration=duration, learn=learn)
    return pcode.simulate(network, [phase], weights=network.init_weights(4), save=save or pcode.Save(2, 2))


@pytest.mark.parametrize(
    ("feedback", "activation", "learn", "nu"),
    [
        ("tied", "tanh", True, 0.6),
        ("learned", "logistic", True, 0.6),
        ("fixed", "softplus", True, 2.0),
        ("fixed", "tanh", False, 1.5),
        ("learned", "identity", False, 3.0),
    ],
)
def test_settling_times_are_those_of_a_dense_trajectory(feedback, activation, learn, nu):
    run = random_run(feedback, activation, learn, nu)
    found = convergence(run, fraction=0.02).phases[0]
    t = np.linspace(0.0, 60.0, 6001)
    distances = Reference(run).distances(t)
    told = {f"x{k}": v for k, v in enumerate(found.value_settling)}
    told |= {f"eps{k}": v for k, v in enumerate(found.error_settling, 1)}
    largest = {f"x{k}": v for k, v in enumerate(found.value_largest)}
    largest |= {f"eps{k}": v for k, v in enumerate(found.error_largest, 1)}
    for name, distance in distances.items():
        assert largest[name] == pytest.approx(distance.max(), rel=1e-3)
        at = settled_at(t, distance, 0.02)
        assert told[name] == pytest.approx(at, rel=ACCURACY, abs=0.011, nan_ok=True)
        if learn:
            lag = found.value_lag[1] if name == "x1" else found.error_lag[int(name[-1]) - 1]
            assert np.isnan(lag) or lag == pytest.approx(distance[-1], rel=1e-3, abs=1e-9)
    assert found.accuracy == pytest.approx(ACCURACY * max(np.nanmax(list(told.values())), 1.0))


def test_the_figures_hang_neither_on_the_number_of_points_nor_on_what_was_saved():
    runs = [random_run("learned", "tanh", True, save=save) for save in (pcode.Save(2, 2), pcode.Save(400, 9))]
    answers = [str(convergence(run, points=points)) for run in runs for points in (4, 300)]
    assert len(set(answers)) == 1
    assert "nan" not in answers[0]


def test_a_layer_that_ends_farther_from_its_rest_than_asked_has_not_settled():
    """However it lags: with delta = 5 the rest moves about as fast as the nodes follow."""
    run = random_run("learned", "tanh", True, delta=5.0, duration=20.0)
    answer = convergence(run)
    found = answer.phases[0]
    t = np.linspace(0.0, 20.0, 2001)
    left = {name: d[-1] / d.max() for name, d in Reference(run).distances(t).items()}
    worst = max(left, key=left.get)
    assert left[worst] > 0.01
    assert np.isnan(found.settling)
    told = f"train: not within the phase ({worst} still at {100 * left[worst]:.2g}% at the end)"
    assert answer.lines()[0].endswith(told)


@pytest.mark.parametrize("delta", [100.0, 1000.0])
def test_the_lag_behind_the_moving_rest_is_of_first_order_in_tau_over_delta(delta):
    """1-1, clamped: eps* = (y - m x - beta)/nu; it lags by tau/nu |deps*/dt| = (x^2 + 1) eps/(nu^2 delta)."""
    network = pcode.Network((1, 1), "identity", nu=2.0, delta=delta, feedback="tied")
    phase = pcode.Phase("train", {0: [[1.5]], 1: [[2.0]]}, duration=40.0)
    run = pcode.simulate(network, [phase], weights=pcode.Weights(([[0.5]],), None, ([0.1],)))
    answer = convergence(run)
    first = (1.5**2 + 1.0) * run.state.eps[0][0, 0] / (2.0**2 * delta)
    assert answer.phases[0].error_lag[0] == pytest.approx(first, rel=3.0 / delta)
    part = 100 * answer.phases[0].error_lag[0] / answer.phases[0].error_largest[0]
    assert f"at the end: eps1 {answer.phases[0].error_lag[0]:.2g} ({part:.2g}% of the largest" in str(answer)


def test_where_the_start_is_not_forgotten_lagging_is_not_told_from_settling():
    answer = convergence(random_run("tied", "tanh", True, duration=2.0))
    assert np.isnan(answer.phases[0].error_lag).all()
    assert (
        "lag behind the rest, which moves with the weights: cannot be told from what is left of the start"
        in str(answer)
    )


@pytest.mark.parametrize("fraction", [0.01, 1e-4])
def test_convergence_and_spectrum_agree_where_one_mode_is_all_there_is(fraction):
    """Linear, held, from a start along the slowest eigenvector, a real one: exp(-rate t)."""
    nu, m = 5.0, 1.2
    network = pcode.Network((1, 1, 1), "identity", nu=nu, feedback="tied")
    weights = pcode.Weights(([[0.5]], [[m]]), None, ([0.1], [0.0]))
    # x^1, eps^1, eps^2
    A = np.array([[0.0, -1.0, m], [1.0, -nu, 0.0], [-m, 0.0, -nu]])
    b = np.array([0.0, -0.6, 2.0])
    values, vectors = np.linalg.eig(A)
    slow = int(values.real.argmax())
    z = np.linalg.solve(A, -b) + 0.7 * vectors[:, slow].real
    start = State(([[1.0]], [[z[0]]], [[2.0]]), ([[z[1]]], [[z[2]]]), weights)
    start = State(*(tuple(map(np.array, part)) for part in start[:2]), weights)
    phase = pcode.Phase("held", {0: [[1.0]], 2: [[2.0]]}, duration=60.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, nodes=start, rtol=1e-10, atol=1e-13)
    expected = np.log(1.0 / fraction) / -values[slow].real
    found = convergence(run, fraction=fraction).phases[0]
    answer = ask(run, "spectrum", {"fraction": fraction})
    assert found.settling == pytest.approx(expected, rel=ACCURACY)
    assert found.predicted == pytest.approx(expected, rel=1e-9)
    assert answer.rates.node_settling == pytest.approx(expected, rel=1e-9)
    told = f"predicted time to settle to {100 * fraction:g}%: nodes {expected:.3g}"
    assert told in answer.lines()
    assert f"(alone, to {100 * fraction:g}% in {expected:.3g})" in str(convergence(run, fraction=fraction))


def test_nodes_that_start_at_their_rest_are_told_to_and_not_measured():
    network = pcode.Network((2, 3, 1))
    phase = pcode.Phase("test", {0: X}, duration=20.0, learn=False)
    answer = convergence(pcode.simulate(network, [phase], weights=network.init_weights(4)))
    assert answer.lines()[0].endswith("test: at rest from the start")
    assert answer.plot().texts[0].get_text() == "at rest from the start"


def test_a_run_driven_by_a_time_series_has_no_settling_time():
    t = np.linspace(0.0, 30.0, 61)
    network = pcode.Network((2, 3, 1))
    sine = pcode.TimeSeries(t, np.sin(t)[:, None, None] * X[None])
    phase = pcode.Phase("sine", {0: sine}, duration=30.0, learn=False)
    answer = convergence(pcode.simulate(network, [phase], weights=network.init_weights(4)))
    found = answer.phases[0]
    assert found.moving
    assert np.isnan([*found.value_settling, *found.error_settling, found.rate, *found.overshoot]).all()
    farthest = max(np.nanmax(found.value_distance), np.nanmax(found.error_distance))
    assert "sine: no settling time, for a clamp moves the nodes' rest; they are" in answer.lines()[0]
    assert f"at most {farthest:.3g} from it" in answer.lines()[0]
    assert found.notes[0].startswith("layer 0 follows a time series: no settling time is told")


def test_a_phase_that_is_followed_is_followed_from_its_start_to_its_end():
    run = random_run("tied", "tanh", True, duration=3.0)
    path = follow(run, 0, 0.01)
    assert (path.begin.t, path.end.t) == (run.phases[0].t_start, run.phases[0].t_end) == (0.0, 3.0)
    np.testing.assert_allclose(path.end.state.weights.M[1], run.state.weights.M[1], rtol=1e-4)


def test_of_a_clamp_that_is_kept_it_is_not_said_that_its_saved_values_are_all_that_is():
    network = pcode.Network((1, 2, 1), "identity")
    phase = pcode.Phase("sine", {0: pcode.Expression("sin(t)"), 2: [[1.0]]}, duration=20.0, learn=False)
    found = convergence(pcode.simulate(network, [phase], weights=network.init_weights(4))).phases[0]
    assert found.notes[0].startswith("layer 0 follows an expression: no settling time is told")
    assert "keeps" not in found.notes[0]


def test_what_is_too_large_to_integrate_anew_is_read_off_saved_times_as_well_as_they_tell(monkeypatch):
    monkeypatch.setattr("pcode.analysis.settling.path.MOST_UNKNOWNS", 3)
    save = pcode.Save(60, 30)
    run = random_run("tied", "tanh", False, nu=1.5, save=save)
    found = convergence(run, fraction=0.02).phases[0]
    t = np.linspace(0.0, 60.0, 6001)
    for name, distance in Reference(run).distances(t).items():
        told = found.value_settling[1] if name == "x1" else found.error_settling[int(name[-1]) - 1]
        assert told == pytest.approx(settled_at(t, distance, 0.02), abs=found.accuracy + 0.01)
    times = run.data["time"].values
    assert ACCURACY * found.settling < found.accuracy <= 2.0 * np.diff(times).max()
    assert (
        "are too many to integrate the phase anew (at most 3): settling times are read off" in found.notes[0]
    )


def recall(activation, targets, sizes=None, **options):
    sizes = sizes or (1, 1)
    network = pcode.Network(sizes, activation, nu=1.0, feedback="tied", **options)
    links = len(sizes) - 1
    weights = pcode.Weights(([[1.0]],) * links, None, ([0.0],) * links)
    phase = pcode.Phase("recall", {links: targets}, duration=100.0, learn=False)
    return pcode.simulate(network, [phase], weights=weights)


@pytest.mark.parametrize(
    ("activation", "target"), [("logistic", 2.0), ("logistic", 1.0), ("tanh", -1.0), ("softplus", -0.5)]
)
def test_a_rest_at_infinity_is_told_with_its_layer(activation, target):
    """No finite x^0 gives a target at or beyond the bound: x^0 grows as ln t, and its rates vanish."""
    run = recall(activation, [[target]])
    answer = ask(run, "equilibrium")
    assert not answer.found
    assert answer.unbounded.layers == (0,)
    assert answer.kind == "unbounded"
    assert answer.lines()[0].startswith("no equilibrium at finite values: the values of layer 0 grow without")
    assert "recall: never, the values of layer 0 grow without bound" in convergence(run).lines()[0]
    with pytest.raises(InputError, match="at: the values of layer 0 grow without bound"):
        ask(run, "spectrum")


def test_of_several_samples_those_without_a_finite_rest_are_counted():
    run = recall(("identity", "tanh"), [[2.0], [0.5]], (1, 1, 1))
    answer = ask(run, "equilibrium")
    assert answer.unbounded.layers == (0, 1)
    assert answer.unbounded.samples.tolist() == [True, False]
    assert "for 1 of 2 samples" in answer.lines()[0]


@pytest.mark.parametrize(
    ("activation", "target", "decay", "expected"),
    [
        ("logistic", 0.9, 0.0, np.log(0.9 / 0.1)),
        ("tanh", 0.97, 0.0, np.arctanh(0.97)),
        ("tanh", 2.0, 0.3, None),
    ],
)
def test_a_finite_rest_near_saturation_is_no_rest_at_infinity(activation, target, decay, expected):
    answer = ask(recall(activation, [[target]], node_decay=decay), "equilibrium", {"starts": 0})
    assert answer.found
    assert answer.kind == "stable"
    if expected is not None:
        assert answer.state.x[0][0, 0] == pytest.approx(expected, rel=1e-4)


def test_where_few_times_of_the_nodes_were_saved_their_course_is_at_rest_at_those_of_the_weights():
    coarse, fine = (random_run("learned", "tanh", True, save=pcode.Save(n, 12)) for n in (2, 40))
    answer = ask(coarse, "backprop", {"ratios": []})
    assert answer.course_at == "rest"
    np.testing.assert_allclose(answer.times, coarse.data["weight_time"].values)
    for k in (0, 11):  # where the fine run has the same times
        told = ask(fine, "backprop", {"ratios": [], "time": float(answer.times[k])}).rest.flow_angle
        np.testing.assert_allclose(answer.course.flow_angle[k], told, rtol=1e-3, atol=1e-4)
    assert "course is that of nodes at rest for the weights of 12 saved times" in answer.notes[-1]
    ax = answer.plot()
    assert ax.get_ylabel() == "angle to the gradient, nodes at rest (degrees)"
    drawn = [line for line in ax.get_lines() if np.isfinite(line.get_ydata()).sum() == 12]
    assert len(drawn) == 4
    assert ask(fine, "backprop", {"ratios": []}).course_at == "state"


def test_the_rates_along_a_phase_are_those_of_the_weights_where_few_times_of_the_nodes_were_saved():
    """Fact 4 of the model at every saved time of the weights: all that rings decays at nu/(2 tau)."""
    run = random_run("tied", "identity", True, nu=0.6, save=pcode.Save(2, 7))
    answer = ask(run, "spectrum", {"moments": 7})
    np.testing.assert_allclose(answer.times, run.data["weight_time"].values)
    for row, rates in enumerate(answer.course):
        s2 = 1.0 + np.sum(run.data["M1"].values[row] ** 2)  # the largest singular value, of (I, M^1)^T
        assert rates.node_fastest == pytest.approx(np.sqrt(s2), rel=1e-6)


@pytest.mark.parametrize(
    ("part", "told"), [(1.0, "100%"), (2.5, "250%"), (-0.0, "0%"), (0.0612, "6.1%"), (2.7e-5, "0.0027%")]
)
def test_parts_are_told_in_percent_without_exponents_or_a_sign_of_nothing(part, told):
    assert _percent(part) == told

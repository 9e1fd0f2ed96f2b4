"""Integrations that lead nowhere end soon, with a status and advice that fit, and print and raise nothing."""

import time

import numpy as np
import pytest

import pcode
from pcode.base.status import Status
from pcode.solvers.progress import CRAWLING, MOST_EVALUATIONS, Counted, NoProgressError, Pace

QUICK = ["cvode", "BDF", "Radau", "LSODA", "RK45", "DOP853", "Tsit5", "auto"]


def attempt(method, scale=1.0, learn=True, duration=10.0, rtol=1e-6, **options):
    rng = np.random.default_rng(0)
    network = pcode.Network((3, 4, 2), activation="tanh", **{"tau": 1.0, "delta": 100.0} | options)
    clamp = {0: scale * rng.standard_normal((3, 3)), 2: scale * rng.standard_normal((3, 2))}
    phase = pcode.Phase("p", clamp, duration=duration, learn=learn)
    save = pcode.Save(nodes=10, weights=5)
    weights = network.init_weights(0)
    return pcode.simulate(network, [phase], weights=weights, method=method, save=save, rtol=rtol)


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("method", QUICK)
@pytest.mark.parametrize(
    ("problem", "named"),
    [
        ({"nu": 1e300}, "nu = 1e+300"),
        ({"scale": 1e20}, "scale the data"),
        ({"scale": 1e150}, "scale the data"),
        ({"scale": 1e300}, "scale the data"),
    ],
)
def test_what_cannot_be_integrated_ends_soon_and_names_the_cause(problem, named, method, learn, capfd):
    began = time.monotonic()
    run = attempt(method, learn=learn, **problem)
    assert time.monotonic() - began < 60.0  # some of it to compile
    assert run.status.failed
    assert named in run.message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", ["cvode", "RK45", "DOP853", "Tsit5", "auto"])  # others do it
def test_a_tau_far_from_all_other_times_is_named(method):
    run = attempt(method, tau=1e-140)
    assert run.status.failed
    assert "another unit of time" in run.message


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("method", QUICK)
@pytest.mark.parametrize("problem", [{"nu": 1e-300}, {"nu": 1e-12}, {"delta": 1e300}, {"tau": 1e300}])
def test_what_only_looks_hopeless_is_integrated_and_all_that_is_saved_is_finite(problem, method, learn):
    run = attempt(method, learn=learn, **problem)
    assert run.status is Status.SUCCESS
    assert all(np.isfinite(run.data[name]).all() for name in ("x1", "eps2", "M0", "energy", "energy_slaved"))


@pytest.mark.parametrize("method", ["RK45", "DOP853", "Tsit5"])
def test_explicit_methods_that_are_out_of_steps_are_told_of_cvode_and_implicit_ones_are_not(method):
    def message(method):
        network = pcode.Network((3, 4, 2), activation="tanh", delta=1e6)
        clamp = {0: np.eye(3), 2: np.ones((3, 2))}
        phase = pcode.Phase("p", clamp, duration=1e3)
        run = pcode.simulate(network, [phase], weights=network.init_weights(0), method=method, max_steps=20)
        assert run.status is Status.MAX_STEPS
        return run.message

    assert "cvode" in message(method)
    assert "cvode" not in message("cvode")
    assert "raise max_steps" in message("cvode")


def test_weights_that_are_faster_than_the_nodes_are_named():
    """mean |x^0|^2 / (nu delta) = 9 10^4 / 100: the weights correct their errors 900 times faster."""
    network = pcode.Network((1, 1, 1), activation="identity", delta=100.0)
    phase = pcode.Phase("p", {0: [[300.0]], 2: [[1.0]]}, duration=1e4)
    weights = network.init_weights(0)
    run = pcode.simulate(network, [phase], weights=weights, method="RK45", max_steps=50)
    assert run.status is Status.MAX_STEPS
    assert "weights are faster than the nodes, by a factor of about 9e+02" in run.message


def test_a_step_may_not_evaluate_for_ever():
    counted = Counted()
    f = counted.of(lambda t: t)
    for _ in range(MOST_EVALUATIONS):
        f(0.0)
    with pytest.raises(NoProgressError):
        f(0.0)
    counted.begin()
    assert f(1.0) == 1.0


def test_steps_that_only_begin_short_are_let_on_and_those_that_stay_so_are_not():
    growing, t = Pace(1.0, 1.0, 10**6, False), 0.0
    for k in range(1, 60):
        t, before = t + 1e-14 * 2.0**k, t
        assert growing.look(k, t, before) is None
    crawling = Pace(1.0, 1.0, 10**6, False)
    told = [crawling.look(k, k * 1e-14, (k - 1) * 1e-14) for k in range(1, CRAWLING + 1)]
    assert told == [None] * (CRAWLING - 1) + [Status.STEP_TOO_SMALL]


def test_a_pace_that_would_take_far_more_than_max_steps_is_given_up():
    pace = Pace(1.0, 1e6, 1_000, False)
    told = [pace.look(k, 0.1 * k, 0.1 * (k - 1)) for k in range(1, 2_001)]
    assert told[-1] is Status.MAX_STEPS
    assert not any(told[:-1])
    assert "1e+07 steps" in pace.message  # 1e6 at 0.1 a step


def test_a_pace_that_keeps_within_max_steps_is_let_on_however_hopeless_the_problem():
    pace = Pace(1.0, 100.0, 1_000, True)  # 1,000 steps of 0.1
    assert not any(pace.look(k, 0.1 * k, 0.1 * (k - 1)) for k in range(1, 1_001))
    slower = Pace(1.0, 1e4, 1_000, True)  # 100,000
    assert any(slower.look(k, 0.1 * k, 0.1 * (k - 1)) for k in range(1, 1_001))


@pytest.mark.parametrize("method", ["cvode", "BDF", "DOP853"])
@pytest.mark.parametrize("decay", ["node_decay", "weight_decay"])
def test_a_decay_beyond_all_measure_is_named(method, decay):
    run = attempt(method, **{decay: 1e200})
    assert run.status.failed
    assert f"{decay} = 1e+200" in run.message
    assert "feedback W" not in run.message

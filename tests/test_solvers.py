"""Every solver against every other, its error against its tolerance, and how it ends when it must."""

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.base.status import Status
from tests.conftest import STRUCTURED
from tests.methods import DETERMINISTIC

NODES_AND_WEIGHTS = ("x1", "eps1", "eps2", "M0", "M1", "beta1", "beta2")
SAVE = pcode.Save(nodes=60, weights=60)


def difference(a, b):
    """Largest difference of two runs, relative to 1 + the size of the variable."""
    return max(
        float(
            np.abs(a.data[name].values - b.data[name].values).max() / (1 + np.abs(b.data[name].values).max())
        )
        for name in NODES_AND_WEIGHTS
    )


@pytest.fixture(scope="module")
def references():
    """Runs at a tight tolerance, one for each problem, made when first asked for."""
    return {}


def reference_run(references, name, problem):
    if name not in references:
        network, phases, weights = problem
        references[name] = pcode.simulate(
            network, phases, weights=weights, method="DOP853", rtol=1e-12, atol=1e-13, save=SAVE
        )
    return references[name]


@pytest.mark.parametrize("problem", ["textbook", "timescales", "xor"])
@pytest.mark.parametrize("method", [*DETERMINISTIC, STRUCTURED], indirect=True)
def test_every_solver_agrees_with_every_other_at_two_tolerances(method, problem, references, request):
    network, phases, weights = request.getfixturevalue(problem)
    exact = reference_run(references, problem, (network, phases, weights))
    errors = []
    for rtol in (1e-5, 1e-7):
        run = pcode.simulate(
            network, phases, weights=weights, method=method, rtol=rtol, atol=1e-3 * rtol, save=SAVE
        )
        assert run.status == "success"
        errors.append(difference(run, exact))
        # Within half of 100 rtol of the truth, so within 100 rtol of each other.
        assert errors[-1] < 50 * rtol
    assert errors[1] < 0.2 * errors[0]


def test_explicit_and_implicit_are_told_apart():
    explicit = {name for name in DETERMINISTIC if not pcode.METHODS[name].implicit}
    assert explicit == {"RK45", "DOP853", "Tsit5", "Dopri8"}


@pytest.mark.parametrize("method", ["RK45", "BDF", "cvode", STRUCTURED, "Tsit5"], indirect=True)
def test_a_run_out_of_steps_says_so_and_keeps_what_it_reached(method, xor):
    network, phases, weights = xor
    run = pcode.simulate(network, phases, weights=weights, method=method, max_steps=20)
    assert run.status is Status.MAX_STEPS
    assert run.phases[0].stats.steps <= 20
    assert 0.0 < run.phases[0].t_end < 300.0
    assert run.data["time"][-1] == run.data["weight_time"][-1] == run.phases[0].t_end
    assert np.isfinite(run.data["x1"]).all()
    assert "max_steps" in run.message


@pytest.mark.parametrize(
    "method",
    ["RK45", "DOP853", "BDF", "Radau", "LSODA", "cvode", STRUCTURED, "Tsit5", "Kvaerno3"],
    indirect=True,
)
def test_nodes_that_are_unstable_end_as_diverged(method):
    """Linear 1-1-1 with m w = -4: by "Unstable feedback" a positive eigenvalue, so exponential growth."""
    network = pcode.Network(sizes=(1, 1, 1), activation="identity", feedback="fixed")
    weights = pcode.Weights(M=([[1.0]], [[2.0]]), W=([[1.0]], [[-2.0]]), beta=([0.0], [0.0]))
    phase = pcode.Phase("held", {0: [[1.0]], 2: [[-1.0]]}, duration=1e4, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, method=method)
    assert run.status is Status.DIVERGED
    assert run.phases[0].t_end < 100.0
    # Growth to 1e8 at the rate of the unstable root of (s + 1)(s^2 + s + 1 - 4).
    rate = (-1 + np.sqrt(13)) / 2
    assert run.phases[0].t_end == pytest.approx(np.log(1e8) / rate, rel=0.25)


@pytest.mark.parametrize("method", ["RK45", "BDF", "cvode", STRUCTURED, "Tsit5"], indirect=True)
def test_a_blow_up_in_finite_time_ends_as_a_failure_with_its_reason(method):
    """A value node that feeds on itself: tau dx/dt grows like x^3 with a square activation."""
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="fixed")
    weights = pcode.Weights(M=([[1.0]], [[1.0]]), W=([[1.0]], [[-5.0]]), beta=([0.0], [0.0]))
    phase = pcode.Phase("held", {0: [[2.0]], 2: [[0.0]]}, duration=1e3, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, method=method)
    assert run.status in (Status.DIVERGED, Status.STEP_TOO_SMALL, Status.NONLINEAR_FAILURE)
    assert run.status.failed
    assert run.phases[0].t_end < 50.0


@pytest.mark.parametrize("method", ["LSODA"], indirect=True)
def test_a_network_too_large_for_a_dense_jacobian_is_refused_with_the_reason(method):
    network = pcode.Network(sizes=(200, 100, 10))
    phase = pcode.Phase("train", {0: np.zeros((2, 200)), 2: np.zeros((2, 10))}, duration=1.0)
    with pytest.raises(InputError, match=r"method: .* dense Jacobian: too much for 42,530 unknowns"):
        pcode.simulate(network, [phase], weights=network.init_weights(0), method=method)


def test_an_unknown_method_is_refused_with_the_known_ones(xor):
    network, phases, weights = xor
    with pytest.raises(InputError, match="no method 'euler'; there are cvode, BDF"):
        pcode.simulate(network, phases, weights=weights, method="euler")


@pytest.mark.parametrize("settings", [{"rtol": 0.0}, {"rtol": -1e-3}, {"atol": 2.0}, {"max_steps": 0}])
def test_settings_out_of_range_are_refused(settings, xor):
    network, phases, weights = xor
    with pytest.raises(InputError, match=next(iter(settings))):
        pcode.simulate(network, phases, weights=weights, **settings)


@pytest.mark.parametrize("method", [*DETERMINISTIC, STRUCTURED], indirect=True)
def test_a_phase_that_settles_ends_where_the_rates_fall_to_the_tolerance(method, textbook):
    network, [phase], weights = textbook
    settle = pcode.Phase(
        "settle", phase.clamp, duration=1e3, learn=False, until="equilibrium", settle_tol=1e-4
    )
    run = pcode.simulate(network, [settle], weights=weights, method=method, rtol=1e-8, atol=1e-10)
    assert run.status is Status.EQUILIBRIUM
    v, e1, e2 = (run.data[name].values[-1, 0, 0] for name in ("x1", "eps1", "eps2"))
    rates = np.abs([2 * v * e2 - e1, v - 3 - e1, 2 - v**2 - e2])
    unrest = (rates / (1 + np.abs([v, e1, e2]))).max()
    assert unrest == pytest.approx(1e-4, rel=0.02)


@pytest.mark.parametrize("method", ["cvode", STRUCTURED, "RK45", "Tsit5"], indirect=True)
def test_a_phase_that_does_not_settle_in_time_says_so_and_the_run_goes_on(method, textbook):
    network, [phase], weights = textbook
    hasty = pcode.Phase("hasty", phase.clamp, duration=2.0, learn=False, until="equilibrium")
    run = pcode.simulate(network, [hasty, phase], weights=weights, method=method)
    assert [record.status for record in run.phases] == ["not_settled", "success"]
    assert run.status is Status.NOT_SETTLED
    assert not run.status.failed
    assert run.phases[1].t_end == 42.0


@pytest.mark.parametrize("method", ["cvode", STRUCTURED, "RK45", "Kvaerno5"], indirect=True)
def test_a_stop_from_outside_ends_the_run_with_what_it_reached(method, xor):
    network, phases, weights = xor
    asked = []

    def stop():
        asked.append(None)
        return len(asked) > 30

    run = pcode.simulate(network, phases * 2, weights=weights, method=method, stop=stop)
    assert run.status is Status.INTERRUPTED
    assert len(run.phases) == 1
    assert 0.0 < run.data["time"][-1] < 300.0


@pytest.mark.parametrize("rtol", [1e-6, 1.3e-6, 2e-6])
def test_cvode_does_not_creep_beside_ringing_nodes(rtol):
    # The weights move on the scale of delta and the nodes are slaved to them, so that a method of order 4
    # or more needs a number of steps that grows as rtol^(-1/5), whatever delta/tau is.
    rng = np.random.default_rng(0)
    clamp = {0: rng.standard_normal((32, 64)), 2: rng.standard_normal((32, 10))}
    steps = []
    for delta in (1e4, 1e6):
        network = pcode.Network(sizes=(64, 32, 10), tau=1.0, delta=delta, nu=1.0)
        phase = pcode.Phase("train", clamp, duration=20.0 * delta)
        weights = network.init_weights(rng=0)
        run = pcode.simulate(network, [phase], weights=weights, method="cvode", rtol=rtol, atol=1e-3 * rtol)
        steps.append(run.phases[0].stats.steps)
    assert max(steps) < 2 * min(steps) < 2000


@pytest.mark.parametrize("method", [*DETERMINISTIC, STRUCTURED], indirect=True)
def test_how_many_steps_are_taken_does_not_hang_on_how_many_times_are_saved(method, timescales):
    network, phases, weights = timescales
    steps = [
        pcode.simulate(
            network, phases, weights=weights, method=method, save=pcode.Save(nodes=many, weights=2)
        ).phases[0].stats.steps
        for many in (2, 500)
    ]  # fmt: skip
    assert steps[0] == steps[1]

"""Whatever goes wrong in the right-hand side, a run ends with a status, in one line, and can be read."""

from __future__ import annotations

import numpy as np
import pytest

import pcode
from soak.faults import KINDS, SIGMA, Fault, commanded, disturbed, faulty, phases, undisturbed

# Explicit and implicit ones of SUNDIALS and SciPy; the soak has all.
METHODS = ("cvode", "BDF", "RK45")


@pytest.mark.parametrize("method", METHODS)
def test_a_fault_at_any_evaluation_ends_the_run_with_a_status_or_is_got_over(method, tmp_path):
    rng = np.random.default_rng(METHODS.index(method))
    _, most, _ = undisturbed(method, "held")
    for kind in rng.choice(list(KINDS), 3, replace=False).tolist():
        fault = Fault(kind, int(rng.integers(1, most + 1)), bool(rng.random() < 0.5))
        disturbed(method, "held", fault, tmp_path / "run.nc")


def test_what_was_reached_before_a_function_raised_is_that_of_the_undisturbed_run(tmp_path):
    whole, most, _ = undisturbed("RK45", "held")
    network, given = phases("held")
    with faulty(Fault("ValueError", most // 2, lasts=True)):
        run = pcode.simulate(
            network, given, weights=network.init_weights(0), method="RK45", save=pcode.Save(20, 10)
        )
    assert run.status == "nonlinear_failure"
    assert "ValueError: odd value" in run.message
    assert run.phases[-1].stats.steps > 0
    run.save(tmp_path / "run.nc")
    read = pcode.Run.load(tmp_path / "run.nc", activation=SIGMA)
    same = np.flatnonzero(np.isin(read.data["time"], whole.data["time"]))
    assert same.size > 10
    before = whole.data["x1"].to_numpy()[np.isin(whole.data["time"], read.data["time"])]
    np.testing.assert_array_equal(read.data["x1"].to_numpy()[same], before)


def test_a_function_that_raises_from_the_first_evaluation_is_refused_in_one_line():
    network, given = phases("held")
    with (
        faulty(Fault("ZeroDivisionError", 1, lasts=True)),
        pytest.raises(pcode.InputError, match=r"ZeroDivisionError: division by zero") as caught,
    ):
        pcode.simulate(network, given, weights=network.init_weights(0))
    assert "\n" not in str(caught.value)


def test_presentations_and_the_limit_end_with_a_status_too(tmp_path):
    for method, kind in (("Tsit5", "in turn"), ("RK45", "limit")):
        _, most, _ = undisturbed(method, kind)
        fault = Fault("RuntimeError", 3 * most // 4, lasts=True)
        assert disturbed(method, kind, fault, tmp_path / "run.nc") == "nonlinear_failure"


def test_the_command_saves_what_was_reached_and_says_why_in_one_line(tmp_path):
    _, most, _ = undisturbed("cvode", "held")
    assert commanded("cvode", Fault("MemoryError", most // 2, lasts=True), tmp_path) == "exit code 1"
    assert commanded("cvode", Fault("ValueError", 1, lasts=True), tmp_path) == "exit code 2"


def test_members_of_an_ensemble_with_a_function_that_raises_are_refused_in_one_line():
    network, (train, _) = phases("held")
    with (
        faulty(Fault("ValueError", 40, lasts=True)),
        pytest.raises(pcode.InputError, match=r"ValueError: odd value"),
    ):
        pcode.simulate_many(network, [train], seeds=[0, 1])

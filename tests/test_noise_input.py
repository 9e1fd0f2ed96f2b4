"""What noise needs of a network, a method and a phase: all else is refused in one line naming the key."""

import numpy as np
import pytest

import pcode
from pcode.scenario import Scenario
from tests.small_scenario import refused

NOISY = """
[network]
sizes = [1, 1]
temperature = 0.1
[[phase]]
name = "noise"
clamp = { 0 = [[1.0]] }
duration = 10.0
[solver]
step = 0.1
seed = 3
"""


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ("network.temperature=-0.1", "network.temperature", "0"),
        ("network.temperature=[0.1]", "network.temperature", "layers 0..1"),
        ("network.temperature='warm'", "network.temperature", "number"),
        ("network.tau=0.0", "network.temperature", "tau above 0"),
        ("solver.method='cvode'", "solver.method", "ShARK"),
        ("solver.method='Tsit5'", "solver.method", "ShARK"),
        ("solver.step=0.0", "solver.step", "0"),
        ("solver.step=11.0", "solver.step", "how long"),
        ("solver.step='1 ms'", "solver.step", "unit"),
        ("solver.seed=-1", "solver.seed", "0"),
        ("phase.0.until='equilibrium'", "phase.0.until", "never"),
        ("network.temperature=0.0", "solver.step", "leave it out"),
    ],
)
def test_a_scenario_is_refused_in_one_line_that_names_the_key(tmp_path, change, where, what):
    error = refused(tmp_path, NOISY, change)
    assert where in str(error)
    assert what in str(error)
    assert len(str(error).replace(str(tmp_path), "")) <= 300


def test_a_method_that_does_not_estimate_errors_needs_a_step(tmp_path):
    error = refused(tmp_path, NOISY.replace("step = 0.1\n", ""), "solver.method='EulerHeun'")
    assert "solver.step" in str(error)


def simulate(network, phase, **options):
    return pcode.simulate(network, [phase], weights=network.init_weights(0), **options)


def test_presentations_until_rest_and_kinks_without_noise_are_refused():
    clamp = {0: np.ones((2, 1)), 1: np.zeros((2, 1))}
    shown = pcode.Presentation(size=1, hold="equilibrium", limit=5.0)
    with pytest.raises(pcode.InputError, match=r"presentation\.hold"):
        simulate(pcode.Network((1, 1), temperature=0.1), pcode.Phase("p", clamp, presentation=shown))
    network = pcode.Network((1, 1, 1), ["identity", "relu"], temperature=[0.0, 0.0, 0.1])
    with pytest.raises(pcode.InputError, match="kink") as error:
        simulate(network, pcode.Phase("p", {0: [[1.0]]}, duration=1.0))
    assert error.value.where == "network.temperature"


def test_many_members_are_refused_and_told_what_would_do():
    phase = pcode.Phase("p", {0: [[1.0]]}, duration=1.0)
    with pytest.raises(pcode.InputError, match="simulate, one member at a time"):
        pcode.simulate_many(pcode.Network((1, 1), temperature=0.1), [phase], seeds=range(2))


def test_the_network_tells_its_temperature_and_older_files_have_none():
    network = pcode.Network((2, 3), temperature=[0.1, 0.2])
    assert "temperature=(0.1, 0.2)" in repr(network)
    assert "temperature" not in repr(pcode.Network((2, 3)))
    assert pcode.Network(**network.to_dict()) == network
    older = network.to_dict()
    del older["temperature"]
    assert pcode.Network(**older).temperatures == (0.0, 0.0)
    assert pcode.Network((2, 3), temperature=[0.2, 0.2]).temperature == 0.2


def test_a_step_may_have_a_unit_and_the_result_says_step_and_seed(tmp_path):
    network = pcode.Network((1, 1), tau="10 ms", delta="1 s", temperature=0.1)
    phase = pcode.Phase("p", {0: [[1.0]]}, duration="0.1 s", learn=False)
    run = simulate(network, phase, step="1 ms", seed=5)
    assert run.phases[0].stats.steps == 100
    run.save(tmp_path / "run.nc")
    attributes = pcode.Run.load(tmp_path / "run.nc").data.attrs
    assert (attributes["step"], attributes["noise_seed"]) == (1.0, 5)
    assert "noise" in attributes["method_reason"]


def test_a_result_is_repeated_along_the_same_path(tmp_path):
    from pcode.scenario.resuming import repeated

    (tmp_path / "s.toml").write_text(NOISY)
    run = Scenario.load(tmp_path / "s.toml").simulate()
    run.save(tmp_path / "run.nc")
    np.testing.assert_array_equal(repeated(tmp_path / "run.nc", []).simulate().data.x1, run.data.x1)


def test_too_many_steps_are_answered_with_what_to_try():
    network = pcode.Network((1, 1), temperature=1.0)
    phase = pcode.Phase("p", {0: [[1.0]]}, duration=10.0, learn=False)
    run = simulate(network, phase, max_steps=50, rtol=1e-4)
    assert run.status == "max_steps"
    assert "give a step" in run.message

"""The examples of the README that no other test runs."""

import re
from pathlib import Path

import numpy as np
from synthetic_runs import TRAIN, synthetic_run

import pcode
from pcode.cli import main
from pcode.scenario import Scenario

TEXT = (Path(__file__).parents[1] / "README.md").read_text()


def example(part):
    """The names that the example with this `part` defines."""
    (code,) = (block for block in re.findall("```python\n(.*?)```", TEXT, re.DOTALL) if part in block)
    names = {}
    exec(code, names)
    return names


def test_the_example_of_own_parts_starts_at_the_weights_of_pytorch_and_can_be_loaded(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = example("def softsign")
    run, state = names["run"], names["state_dict"]
    assert str(run.status) == "success"
    np.testing.assert_array_equal(run.data["M0"][0], state["0.weight"].T)
    np.testing.assert_array_equal(run.data["W1"][0], state["2.weight"])
    assert run.data["time"].attrs["units"] == "ms"
    loaded = pcode.Run.load("own.nc", activation=names["softsign"])
    at_rest = pcode.analysis.ask(loaded, "equilibrium")
    assert at_rest.found


def test_the_example_of_a_slider_draws_a_phase_plane_for_each_variance(monkeypatch):
    names = example("ipywidgets")
    ax = names["settle"](nu=0.5)
    assert ax.get_xlim() == (0.5, 2.5)


def test_the_scenario_of_the_example_is_read(tmp_path):
    text, _ = re.findall("```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "s.toml").write_text(text)
    np.savez(tmp_path / "weights.npz", M0=np.ones((2, 3)), M1=np.ones((3, 2)))
    (tmp_path / "recorded.csv").write_text("trial,left,right,lick,hold\n1,0.5,1,0,1\n")
    scenario = Scenario.load(tmp_path / "s.toml")
    assert scenario.network.time_unit == "ms"
    assert (scenario.network.tau, scenario.network.delta) == (10.0, 5000.0)
    np.testing.assert_array_equal(scenario.phases[0].clamp[0], [[0.5, 1.0]])
    np.testing.assert_array_equal(scenario.phases[0].clamp[2], [[0.0, 1.0]])
    np.testing.assert_allclose(scenario.phases[1].clamp_at(0, 50.0), [1.0, 0.5], rtol=1e-15)
    np.testing.assert_array_equal(scenario.weights.W[1], np.ones((2, 3)))


def test_the_example_of_samples_in_turn_runs_as_the_readme_says(capsys):
    names = example("pcode.Presentation")
    run = names["run"]
    assert (run.status, run.phases[0].presented) == (pcode.Status.SUCCESS, 1437)
    assert run.data["test"].sizes["probe_time"] == 11  # the start and ten a pass
    assert run.data["test"][-1] > 0.7
    assert "SGD" in capsys.readouterr().out


def test_the_scenario_of_samples_in_turn_is_read(tmp_path):
    _, text = re.findall("```toml\n(.*?)```", TEXT, re.DOTALL)
    before = '[network]\nsizes = [64, 32, 10]\n[data]\nname = "digits"\ntest = 360\n'
    (tmp_path / "s.toml").write_text(before + text)
    scenario = Scenario.load(tmp_path / "s.toml")
    assert scenario.phases[0].duration == 3 * 1437 * 20.0
    assert [probe.what for probe in scenario.probes.values() if hasattr(probe, "what")][:2] == [
        "accuracy",
        "loss",
    ]
    assert scenario.save.presentation_nodes == "ends"


def test_the_example_of_a_run_that_goes_on_holds_all_its_phases_and_what_the_observer_kept(capsys):
    names = example("class OutputErrors")
    run = names["run"]
    assert len(run.phases) == 80
    kept = run.groups["output"]
    assert kept.sizes["t"] == 80 * 5
    assert kept["eps"][-1] == run.data["eps2"][-1, 0, 0]
    assert np.isfinite(kept["eps"]).all()
    assert capsys.readouterr().out.startswith("success ")


def test_the_styles_of_the_example_are_taken_by_the_phase_plane(tmp_path):
    (said,) = re.findall(r"--set '(styles=.*?)' --set legend=below", TEXT)
    run = synthetic_run((1, 1, 1), (TRAIN,))
    run.save(tmp_path / "run.nc")
    target = tmp_path / "plane.pdf"
    options = ["--size", "one-column", "--font-size", "8", "--set", said, "--set", "legend=below"]
    assert main(["plot", "phase_plane", str(tmp_path / "run.nc"), "-o", str(target), *options]) == 0
    assert target.read_bytes().startswith(b"%PDF")

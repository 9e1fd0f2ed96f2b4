"""Scenario files: what they say is what is simulated."""

from __future__ import annotations

import inspect
import json
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from small_scenario import SMALL, all_inputs, load, weight_arrays, with_weights

from pcode import Expression, Run, TimeSeries, predict
from pcode.base import shipped
from pcode.model.network import Network
from pcode.scenario import Scenario, json_schema, report
from pcode.scenario.template import TEMPLATE
from pcode.scenario.text import apply

# --- what the file says -------------------------------------------------------------------------

DESIGNED = """\
title = "XOR, learned by the coupled flow"
[network]
sizes = [2, 8, 1]
activation = ["tanh", "identity"]
tau = 1.0
delta = 200
nu = [0.1, 0.2]
feedback = "learned"
[weights]
init = "normal"
scale = 0.5
seed = 7
W = "independent"
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
data = "train"
learn = true
duration = 4000.0
[[phase]]
name = "test"
clamp = "input"
learn = false
until = "equilibrium"
settle_tol = 1e-4
duration = 500
[solver]
method = "BDF"
rtol = 1e-5
atol = 1e-8
max_steps = 5000
[save]
nodes = 40
weights = 10
spacing = "linear"
memory_gb = 0.5
[plots]
recipes = ["node_convergence"]
formats = ["png", "svg"]
"""


def test_every_key_of_the_file_reaches_what_is_simulated(tmp_path: Path) -> None:
    scenario = load(tmp_path, DESIGNED)
    assert scenario.network == Network((2, 8, 1), ("tanh", "identity"), 1.0, 200.0, (0.1, 0.2))
    expected = scenario.network.init_weights(rng=7, scale=0.5, W="independent")
    for mine, theirs in zip(scenario.weights, expected, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    train, test = scenario.phases
    patterns, targets = [[-1, -1], [-1, 1], [1, -1], [1, 1]], [[-1], [1], [1], [-1]]
    np.testing.assert_array_equal(train.clamp[0], patterns)
    np.testing.assert_array_equal(train.clamp[2], targets)
    assert (train.name, train.duration, train.learn, train.until) == ("train", 4000.0, True, None)
    assert list(test.clamp) == [0]
    assert (test.name, test.duration, test.learn, test.until) == ("test", 500.0, False, "equilibrium")
    assert (test.settle_tol, test.samples) == (1e-4, (0, 1, 2, 3))
    save = scenario.save
    assert (save.nodes, save.weights, save.spacing, save.memory) == (40, 10, "linear", 0.5e9)
    solver, plots = scenario.file.solver, scenario.file.plots
    assert (solver.method, solver.rtol, solver.atol, solver.max_steps) == ("BDF", 1e-5, 1e-8, 5000)
    assert (plots.recipes, plots.formats) == (["node_convergence"], ["png", "svg"])


def test_what_is_left_out_is_as_in_the_python_interface(tmp_path: Path) -> None:
    scenario = load(tmp_path, SMALL)
    assert scenario.network == Network((2, 3, 1))
    assert scenario.phases[0].learn is True
    assert (scenario.save.nodes, scenario.save.weights, scenario.save.spacing) == (400, 100, "log")
    assert (scenario.file.solver.method, scenario.file.start.nodes) == ("auto", "feedforward")


def test_train_and_test_rows_follow_one_another(tmp_path: Path) -> None:
    text = SMALL + 'learn = false\n[[phase]]\nclamp = "input"\ndata = "test"\nduration = 1.0\n'
    text += '[[phase]]\nclamp = "output"\ndata = "all"\nduration = 1.0\n'
    scenario = load(tmp_path, text, "data.train=1", "data.test=2")
    train, test, everything = scenario.phases
    assert (train.samples, test.samples, everything.samples) == ((0,), (1, 2), (0, 1, 2))
    assert test.name == "phase 1"
    np.testing.assert_array_equal(test.clamp[0], all_inputs(scenario)[1:])
    np.testing.assert_array_equal(everything.clamp[2], scenario.data.targets)


def test_a_clamp_may_hold_any_layer_at_data_rows_or_a_time_series(tmp_path: Path) -> None:
    clamp = """\
[[phase]]
clamp = { 0 = "input", 1 = [[0.5, nan, 1], [1, nan, 1], [1, nan, 1], [1, nan, 1]] }
duration = 1.0
[[phase]]
duration = 2.0
[phase.clamp]
2 = { t = [0.0, 1.0], values = [[[1.0]], [[2.0]]] }
"""
    scenario = load(tmp_path, SMALL + clamp)
    _, mixed, series = scenario.phases
    np.testing.assert_array_equal(mixed.clamp[0], all_inputs(scenario))
    np.testing.assert_array_equal(mixed.clamp[1][0], [0.5, math.nan, 1.0])
    assert mixed.samples == (0, 1, 2, 3)
    held = series.clamp[2]
    assert isinstance(held, TimeSeries)
    assert (held.t.tolist(), held.values[:, 0, 0].tolist(), series.samples) == ([0, 1], [1, 2], None)


def test_a_clamp_may_be_an_expression_one_a_node_or_a_cubic_series(tmp_path: Path) -> None:
    clamp = """\
[[phase]]
clamp = { 0 = "sin(2*pi*t/50)", 1 = ["t/2", 0.5, nan], 2 = "output" }
duration = 1.0
[[phase]]
duration = 2.0
clamp = { 2 = { t = [0.0, 1.0, 2.0], values = [[[1.0]], [[2.0]], [[0.0]]], kind = "cubic" } }
"""
    scenario = load(tmp_path, SMALL + clamp, "phase.1.learn=false")
    _, moving, spline = scenario.phases
    assert moving.clamp[0] == Expression("sin(2*pi*t/50)")
    assert moving.clamp[1] == Expression(["t/2", 0.5, math.nan])
    assert moving.samples == (0, 1, 2, 3)
    assert isinstance(spline.clamp[2], TimeSeries)
    assert spline.clamp[2].at(0.5)[0, 0] == pytest.approx(1.875)  # 1 + 5 t / 2 - 3 t^2 / 2
    run = scenario.simulate()
    run.save(tmp_path / "run.nc")
    record = Run.load(tmp_path / "run.nc").phases[1]
    assert {k: one.kind for k, one in record.clamp.items()} == {
        0: "expression",
        1: "expression",
        2: "constant",
    }
    assert [one.whole for one in record.clamp.values()] == [True, False, True]
    assert record.clamp[0].expression == Expression("sin(2*pi*t/50)")
    assert record.clamp[1].expression == moving.clamp[1]
    rows = run.data["phase"].values == 1
    t = run.data["time"].values[rows] - record.t_start
    for sample in range(4):
        np.testing.assert_allclose(
            run.data["x0"].values[rows, sample, 1], np.sin(2 * np.pi * t / 50), atol=1e-12
        )
        np.testing.assert_allclose(run.data["x1"].values[rows, sample, 0], t / 2, atol=1e-12)


def test_data_may_be_given_in_the_file_or_beside_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=[[1.0, 2.0]], targets=[[3.0]])
    (tmp_path / "d.csv").write_text("input0,input1,target0\n1,2,3\n")
    for source in (
        'file = "d.npz"',
        'file = "d.csv"',
        "inputs = [[1, 2]]\ntargets = [[3]]",
    ):
        scenario = load(tmp_path, SMALL.replace('name = "xor"', source))
        np.testing.assert_array_equal(scenario.phases[0].clamp[0], [[1, 2]])
        np.testing.assert_array_equal(scenario.phases[0].clamp[2], [[3]])


def test_a_phase_without_data_needs_none(tmp_path: Path) -> None:
    scenario = load(tmp_path, "[network]\nsizes = [1, 1]\n[[phase]]\nduration = 1.0\n")
    assert scenario.phases[0].clamp == {}


def test_weights_come_from_a_file_beside_the_scenario(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **weight_arrays())
    weights = load(tmp_path, with_weights('init = "file"\nfile = "w.npz"')).weights
    assert [a.flat[0] for group in weights for a in group] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def test_a_file_without_feedback_will_do_where_it_is_tied_or_said_to_be_the_transpose(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **weight_arrays(feedback=False))
    text = with_weights('init = "file"\nfile = "w.npz"\nW = "transpose"')
    weights = load(tmp_path, text).weights
    assert weights.W is not None
    np.testing.assert_array_equal(weights.W[0], weights.M[0].T)
    tied = with_weights('init = "file"\nfile = "w.npz"').replace("sizes", 'feedback = "tied"\nsizes')
    assert load(tmp_path, tied).weights.W is None


@pytest.mark.parametrize("feedback", ["learned", "fixed", "tied"])
def test_a_weights_file_may_leave_out_feedback_and_biases(tmp_path: Path, feedback: str) -> None:
    arrays = weight_arrays()
    np.savez(tmp_path / "w.npz", **{name: arrays[name] for name in ("M0", "M1")})
    text = with_weights('init = "file"\nfile = "w.npz"').replace("sizes", f'feedback = "{feedback}"\nsizes')
    weights = load(tmp_path, text).weights
    np.testing.assert_array_equal(weights.M[0], arrays["M0"])
    assert [beta.tolist() for beta in weights.beta] == [[0, 0, 0], [0]]
    if feedback == "tied":
        assert weights.W is None
    else:
        assert weights.W is not None
        np.testing.assert_array_equal(weights.W[0], arrays["M0"].T)


def test_feedback_that_the_file_leaves_out_may_be_drawn(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **weight_arrays(feedback=False))
    weights = load(tmp_path, with_weights('init = "file"\nfile = "w.npz"\nW = "independent"')).weights
    assert weights.W is not None
    assert not np.allclose(weights.W[0], weights.M[0].T)


def test_weights_may_be_given_in_the_file(tmp_path: Path) -> None:
    given = 'init = "given"\nM = [[[1, 2, 3], [4, 5, 6]], [[1], [2], [3]]]'
    weights = load(tmp_path, with_weights(given)).weights
    assert weights.W is not None
    np.testing.assert_array_equal(weights.M[0], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(weights.W[0], [[1, 4], [2, 5], [3, 6]])
    assert [beta.tolist() for beta in weights.beta] == [[0, 0, 0], [0]]
    more = given + "\nW = [[[0, 0], [0, 0], [0, 7]], [[0, 8, 0]]]\nbeta = [[1, 2, 3], [4]]"
    weights = load(tmp_path, with_weights(more)).weights
    assert weights.W is not None
    assert (weights.W[0][2, 1], weights.W[1][0, 1], weights.beta[1][0]) == (7, 8, 4)


# --- shipped scenarios, the template, the schema ----------------------------------------------------


def test_the_scenarios_ship() -> None:
    listed = {"alignment", "digits", "separation", "slow_manifold", "textbook", "timescales", "xor"}
    assert listed | {"unstable_feedback"} <= set(shipped.names("scenarios"))


@pytest.mark.parametrize("name", shipped.names("scenarios"))
def test_a_shipped_scenario_is_valid_and_has_a_title(name: str) -> None:
    scenario = Scenario.load(name)
    assert scenario.plan.result_bytes < 1e9
    assert scenario.weights
    assert scenario.file.title
    Draft202012Validator(json_schema()).validate(tomllib.loads(scenario.text))


def test_the_template_is_valid_also_with_every_key_uncommented(tmp_path: Path) -> None:
    assert load(tmp_path, TEMPLATE).plan
    everything, count = re.subn(r"(?m)^# (\[\w+\]|\w+ = )", r"\1", TEMPLATE)
    assert count >= 10
    scenario = load(tmp_path, everything)
    assert scenario.plan
    assert scenario.weights
    assert (scenario.phases[0].samples, scenario.file.plots.formats) == ((0, 1, 2), ["png"])


def test_the_schema_is_valid_and_describes_every_key() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    tables = [schema, *schema["$defs"].values()]
    undescribed = [
        key for table in tables for key, entry in table["properties"].items() if "description" not in entry
    ]
    assert not undescribed
    assert all(table["additionalProperties"] is False for table in tables)


def test_the_network_table_has_the_arguments_of_network_with_their_defaults() -> None:
    keys = json_schema()["$defs"]["NetworkTable"]["properties"]
    parameters = inspect.signature(Network).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default not in (one.empty, None)}
    assert list(keys) == [one.name for one in parameters]
    assert {name: key["default"] for name, key in keys.items() if "default" in key} == defaults


@pytest.mark.parametrize(
    "change",
    [
        "network.tau=-1",
        "network.delta=0",
        "network.nu=0.0",
        "network.nu=[1.0, -1.0]",
        "network.node_decay=-1",
        "network.feedback=none",
        "network.sizes=[3]",
        "network.sizes=[3, 0]",
        "network.tua=1",
        "phase=[]",
        "phase.0.clamp={x=[[1.0]]}",
        "network.activation=tan",
        "solver.method=no",
    ],
)
def test_the_schema_refuses_what_pcode_refuses(change: str) -> None:
    document = tomllib.loads(apply(SMALL, [change]))
    assert not Draft202012Validator(json_schema()).is_valid(document)


# --- running ----------------------------------------------------------------------------------------


def test_the_textbook_scenario_comes_to_rest_where_the_two_errors_balance() -> None:
    run = Scenario.load("textbook").simulate()
    roots = np.roots([2.0, 0.0, -3.0, -3.0])
    (root,) = roots[abs(roots.imag) < 1e-9].real
    assert float(run.data.x1[-1, 0, 0]) == pytest.approx(root, abs=1e-3)
    assert float(run.data.eps1[-1, 0, 0]) == pytest.approx(root - 3.0, abs=1e-3)


def test_in_the_alignment_scenario_the_feedback_decays_to_the_transpose_while_the_network_learns() -> None:
    run = Scenario.load("alignment").simulate()
    network, t = run.network, run.data.weight_time.to_numpy()
    in_train = run.data.weight_phase.to_numpy() == 0
    for k in range(network.n):
        M, W = run.data[f"M{k}"].to_numpy(), run.data[f"W{k}"].to_numpy()
        gap = W - M.transpose(0, 2, 1)
        left = np.exp(-network.weight_decay * t / network.delta)[:, None, None] * gap[0]
        np.testing.assert_allclose(gap[in_train], left[in_train], atol=1e-9)
        cosines = (M * W.transpose(0, 2, 1)).sum(axis=(1, 2))
        cosines /= np.linalg.norm(M, axis=(1, 2)) * np.linalg.norm(W, axis=(1, 2))
        assert abs(np.degrees(np.arccos(cosines[0])) - 90.0) < 5.0
        assert np.degrees(np.arccos(cosines[-1])) < 2.0
    inputs = run.data.x0[-1].to_numpy()
    wanted = -np.sign(inputs[:, 0] * inputs[:, 1])  # exclusive or, coded -1 and +1
    np.testing.assert_array_equal(np.sign(run.data.x2[-1, :, 0]), wanted)


def test_a_run_carries_its_scenario_and_reports_on_every_phase(tmp_path: Path) -> None:
    text = SMALL + '[[phase]]\nname = "test"\nclamp = "input"\nlearn = false\nduration = 1.0\n'
    scenario = load(tmp_path, text, "save.nodes=5", "save.weights=5")
    run = scenario.simulate()
    assert run.data.attrs["scenario"] == scenario.text
    assert (run.data.attrs["title"], run.data.attrs["seed"]) == ("small", 0)
    told = json.loads(json.dumps(report(run), allow_nan=False))
    assert (told["status"], told["method"]) == ("success", "cvode")
    # Both ends held: 4 samples of 3 values and 4 errors; M, W: 2 x 3 + 3 each, beta: 4.
    assert told["unknowns"] == 4 * (3 + 3 + 1) + 2 * (6 + 3) + 4
    assert told["energy_final"] == pytest.approx(float(run.data.energy[-1].sum()))
    assert [phase["name"] for phase in told["phases"]] == ["train", "test"]
    for phase, (start, end) in zip(told["phases"], [(0.0, 1.0), (1.0, 2.0)], strict=True):
        assert (phase["status"], phase["t_start"], phase["t_end"]) == ("success", start, end)
        assert phase["steps"] > 0
        assert phase["rhs_evaluations"] > 0
        assert min(phase["compile_seconds"], phase["solve_seconds"]) >= 0.0
    output = run.data.x2.isel(time=-1).values
    assert told["phases"][1]["error"] == pytest.approx(abs(output - [[-1], [1], [1], [-1]]).max())
    trained = predict(run, all_inputs(scenario), method="feedforward")
    assert told["phases"][0]["error"] == pytest.approx(abs(trained - [[-1], [1], [1], [-1]]).max())

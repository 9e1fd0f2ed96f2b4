"""Probes: what they measure, when, and that they leave the run as it is."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import pcode
from pcode import InputError, Phase, Presentation, Probe, Save, Simulation
from pcode.model.data import Data
from pcode.scenario.report import MOST_POINTS, report

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [0.5, 0.2]])
CLASSES = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
NETWORK = pcode.Network(sizes=(2, 4, 2), delta=50.0, nu=(0.5, 2.0))
WEIGHTS = NETWORK.init_weights(0)
FEW = Save(nodes=6, weights=7)
TRAIN = Phase("train", {0: X, 2: CLASSES}, duration=200.0)
TEST = Phase("test", {0: X}, duration=30.0, learn=False)
SHOWN = Phase(
    "shown", {0: X, 2: CLASSES}, presentation=Presentation(size=2, hold=5.0, passes=3, order="shuffled")
)


def run_with(probes, phases=(TRAIN, TEST), network=NETWORK, weights=WEIGHTS, **options):
    return pcode.simulate(network, list(phases), weights=weights, probes=probes, **{"save": FEW} | options)


def forward(x, weights):
    for M, beta in zip(weights.M, weights.beta, strict=True):
        x = np.tanh(x) @ M + beta
    return x


class Weighing:
    """A probe's function that keeps the states that it is passed."""

    def __init__(self):
        self.states, self.contexts = [], []

    def __call__(self, state, context):
        self.states.append(state)
        self.contexts.append(context)
        return len(self.states)


# What they measure.


def test_accuracy_loss_and_error_are_those_of_the_feedforward_pass_on_the_samples_given():
    seen, other = Weighing(), (X[1:] + 0.3, CLASSES[1:])
    words = {word: Probe(word, data=other, deltas=1.0) for word in ("accuracy", "loss", "error")}
    run = run_with(words | {"seen": Probe(seen, deltas=1.0)})
    outputs = [forward(other[0], state.weights) for state in seen.states]
    right = [(f.argmax(axis=1) == CLASSES[1:].argmax(axis=1)).mean() for f in outputs]
    losses = [0.5 * ((CLASSES[1:] - f) ** 2).sum(axis=1).mean() for f in outputs]
    errors = [np.abs(CLASSES[1:] - f).max() for f in outputs]
    assert len(outputs) == 7
    np.testing.assert_allclose(run.data["accuracy"], right, rtol=1e-12)
    np.testing.assert_allclose(run.data["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose(run.data["error"], errors, rtol=1e-12)


def test_the_accuracy_of_one_output_counts_the_side_of_the_middle_of_its_two_targets():
    network = pcode.Network(sizes=(1, 1), activation="identity", feedback="tied")
    weights = pcode.Weights(M=([[1.0]],), W=None, beta=([0.0],))
    data = ([[0.1], [0.6], [0.4], [0.9]], [[0.0], [1.0], [1.0], [1.0]])
    phase = Phase("look", {0: [[0.0]]}, duration=1.0, learn=False)
    run = run_with({"acc": Probe("accuracy", data=data)}, [phase], network, weights)
    assert run.data["acc"].values.tolist() == [0.75, 0.75]


def test_energies_norms_and_changes_are_those_of_the_state():
    words = ("energy", "energy_slaved", "norms", "changes", "feedback_angle")
    seen = Weighing()
    probes = {f"p_{word}": Probe(word, deltas=2.0) for word in words} | {"seen": Probe(seen, deltas=2.0)}
    weights = NETWORK.init_weights(0, W="independent")
    run = run_with(probes, weights=weights)
    for k, state in enumerate(seen.states):
        row = run.data.isel(probe_time=k)
        squares = [(eps**2).sum(axis=1).mean() for eps in state.eps]
        assert row["p_energy"] == pytest.approx(0.5 * (0.5 * squares[0] + 2.0 * squares[1]), rel=1e-12)
        mu = [
            np.tanh(x) @ M + beta
            for x, M, beta in zip(state.x, state.weights.M, state.weights.beta, strict=False)
        ]
        gaps = [((x - m) ** 2).sum(axis=1).mean() for x, m in zip(state.x[1:], mu, strict=True)]
        assert row["p_energy_slaved"] == pytest.approx(0.5 * (gaps[0] / 0.5 + gaps[1] / 2.0), rel=1e-10)
        for layer in (0, 1):
            M, W = state.weights.M[layer], state.weights.W[layer]
            start = weights.M[layer]
            cosine = (M * W.T).sum() / np.linalg.norm(M) / np.linalg.norm(W)
            assert row["p_norms"][layer] == pytest.approx(np.linalg.norm(M), rel=1e-12)
            assert row["p_changes"][layer] == pytest.approx(np.linalg.norm(M - start), abs=1e-12)
            assert row["p_feedback_angle"][layer] == pytest.approx(np.degrees(np.arccos(cosine)), rel=1e-9)


def test_angle_and_size_of_the_flow_are_those_to_the_gradient_by_finite_differences():
    seen = Weighing()
    probes = {
        "angle": Probe("gradient_angle", deltas=4.0),
        "size": Probe("gradient_size", deltas=4.0),
        "seen": Probe(seen, deltas=4.0),
    }
    run = run_with(probes)
    state = seen.states[1]
    for layer in (0, 1):
        M = state.weights.M[layer]
        descent = np.zeros_like(M)
        for index in np.ndindex(*M.shape):
            losses = []
            for step in (1e-6, -1e-6):
                moved = [m.copy() for m in state.weights.M]
                moved[layer][index] += step
                f = forward(state.x[0], state.weights._replace(M=tuple(moved)))
                losses.append(0.5 * ((state.x[2] - f) ** 2).sum(axis=1).mean())
            descent[index] = -(losses[0] - losses[1]) / 2e-6
        flow = 2.0 * np.tanh(state.x[layer]).T @ state.eps[layer] / len(X)
        cosine = (flow * descent).sum() / np.linalg.norm(flow) / np.linalg.norm(descent)
        row = run.data.isel(probe_time=1)
        assert row["angle"][layer] == pytest.approx(np.degrees(np.arccos(cosine)), rel=1e-6)
        assert row["size"][layer] == pytest.approx(np.linalg.norm(flow) / np.linalg.norm(descent), rel=1e-6)


def test_with_fixed_and_transposed_feedback_at_rest_and_a_large_variance_the_flow_is_the_gradient():
    network = pcode.Network(sizes=(2, 4, 2), delta=1e6, nu=(1.0, 1e4), feedback="tied")
    probes = {"angle": Probe("gradient_angle"), "size": Probe("gradient_size")}
    phase = Phase("train", {0: X, 2: CLASSES}, duration=1e3)
    run = run_with(probes, [phase], network, WEIGHTS._replace(W=None))
    assert (run.data["angle"][-1] < 0.1).all()
    np.testing.assert_allclose(run.data["size"][-1], 1.0, atol=1e-3)


def test_where_an_end_is_free_or_nothing_flows_there_is_no_angle_to_the_gradient():
    run = run_with({"angle": Probe("gradient_angle"), "size": Probe("gradient_size")})
    assert np.isnan(run.data["angle"][0]).all()  # all errors are 0 there
    assert np.isfinite(run.data["angle"][1]).all()
    of_test = run.data["probe_phase"] == 1
    assert np.isnan(run.data["angle"][of_test]).all()
    assert np.isnan(run.data["size"][of_test]).all()
    assert "angle" not in run.phases[1].probes
    assert run.notes == ()


# When.


def test_probes_look_at_the_ends_every_so_many_delta_and_when_weights_are_saved():
    run = run_with(
        {
            "ends": Probe("norms"),
            "deltas": Probe("norms", deltas=1.5),
            "saved": Probe("norms", at="weights"),
            "function": lambda state, context: context.t,
        }
    )
    times = {name: run.data["probe_time"][np.isfinite(np.atleast_2d(run.data[name].T)[0])]
             for name in ("ends", "deltas", "saved", "function")}  # fmt: skip
    joint = np.nextafter(200.0, np.inf)
    np.testing.assert_array_equal(times["ends"], [0.0, 200.0, joint, 230.0])
    np.testing.assert_array_equal(times["deltas"], [0.0, 75.0, 150.0, 200.0, joint, 230.0])
    np.testing.assert_allclose(times["saved"], run.data["weight_time"], rtol=1e-15)
    np.testing.assert_array_equal(times["function"], [200.0, 230.0])
    assert run.data["probe_phase"].values.tolist().count(1) == 2
    assert (run.data["probe_presentation"] == -1).all()
    assert (np.diff(run.data["probe_time"]) > 0.0).all()


def test_probes_look_at_the_ends_of_presentations_and_of_passes():
    """Three passes of three presentations of 5 each, the last of a pass of one sample alone."""
    seen = Weighing()
    run = run_with(
        {
            "ends": Probe("norms"),
            "second": Probe("norms", presentations=2),
            "seen": Probe(seen, presentations=1),
        },
        [SHOWN, TEST],
    )
    rows = np.isfinite(run.data["ends"][:, 0]) & (run.data["probe_phase"] == 0)
    np.testing.assert_allclose(run.data["probe_time"][rows], [0.0, 15.0, 30.0, 45.0])
    assert run.data["probe_presentation"][rows].values.tolist() == [0, 2, 5, 8]
    rows = np.isfinite(run.data["second"][:, 0]) & (run.data["probe_phase"] == 0)
    assert run.data["probe_presentation"][rows].values.tolist() == [0, 1, 3, 5, 7, 8]
    rows = SHOWN.presentation.rows(5)
    for context, state in zip(seen.contexts[1:10], seen.states[1:10], strict=True):
        shown = rows[context.presentation]
        assert context.shown == tuple(shown)
        assert (context.pass_, context.samples) == (context.presentation // 3, (0, 1, 2, 3, 4))
        np.testing.assert_array_equal(state.x[0], X[shown])
    assert seen.contexts[-1].pass_ is None


def test_in_a_phase_of_presentations_a_probe_looks_where_weights_are_saved_and_at_times_between():
    run = run_with(
        {"saved": Probe("norms", at="weights"), "deltas": Probe("norms", deltas=0.14)},
        [SHOWN],
        method="Tsit5",
    )
    saved = run.data["probe_time"][np.isfinite(run.data["saved"][:, 0])].to_numpy()
    assert {0.0, 5.0, 45.0} <= set(np.round(saved, 9))
    assert set(np.round(saved, 9)) <= set(np.round(run.data["weight_time"].to_numpy(), 9))
    between = run.data["probe_time"][np.isfinite(run.data["deltas"][:, 0])]
    np.testing.assert_allclose(between, [*np.arange(0.0, 45.0, 7.0), 45.0], rtol=1e-12)


# That they leave the run as it is.

EVERYTHING = {
    "accuracy": Probe("accuracy", data=(X, CLASSES), presentations=1),
    "loss": Probe("loss", data=(X, CLASSES), deltas=0.07),
    "F": Probe("energy", at="weights"),
    "angle": Probe("gradient_angle", presentations=2),
    "ends": Probe("feedback_angle"),
    "own": Probe(lambda state, context: [state.x[1].fill(7.0) or 1.0], deltas=0.03),
    "fails": Probe(lambda state, context: 1 / 0, deltas=0.2),
}


@pytest.mark.parametrize("method", ["cvode", "DOP853", "Tsit5", "Kvaerno3"])
def test_with_and_without_probes_the_run_is_the_same_bit_by_bit(method):
    phases = [SHOWN, TEST, TRAIN]
    with_probes, plain = run_with(EVERYTHING, phases, method=method), run_with(None, phases, method=method)
    for name in plain.data.variables:
        np.testing.assert_array_equal(with_probes.data[name], plain.data[name], err_msg=str(name))
    assert [r.stats.steps for r in with_probes.phases] == [r.stats.steps for r in plain.phases]
    xr.testing.assert_identical(with_probes.solver, plain.solver)


def test_a_probe_that_raises_costs_its_values_and_is_noted_once_a_phase():
    def now_and_then(state, context):
        if 20.0 < context.elapsed < 180.0:
            raise ValueError("boom")
        return context.elapsed

    run = run_with({"p": Probe(now_and_then, deltas=1.0), "q": Probe("norms", deltas=1.0)}, [TRAIN])
    assert run.status == "success"
    np.testing.assert_array_equal(run.data["p"], [0.0, np.nan, np.nan, np.nan, 200.0])
    assert np.isfinite(run.data["q"]).all()
    assert run.notes == ("probe 'p' at t = 50 in phase 'train' raised ValueError('boom'); no value is kept",)
    assert run.phases[0].probes["p"] == 200.0


def test_an_array_whose_shape_changes_costs_the_probe_and_not_the_run():
    few = Phase("few", {0: X[:2]}, duration=1.0, samples=[0, 1], learn=False)
    run = run_with({"x": lambda state, context: state.x[2]}, [TRAIN, few])
    assert run.data["x"].dims == ("probe_time", "x_0", "x_1")
    assert run.data["x"].shape == (2, 5, 2)
    assert np.isnan(run.data["x"][1]).all()
    assert np.shape(run.phases[1].probes["x"]) == (2, 2)
    (note,) = run.notes
    assert "probe 'x' returned an array of shape (2, 2) where it was (5, 2) before" in note


# The result.


def test_probes_are_variables_with_names_units_and_dims_and_go_through_a_file(tmp_path):
    run = run_with(EVERYTHING, [SHOWN, TEST], network=NETWORK)
    data = run.data
    assert data["angle"].dims == ("probe_time", "layer")
    assert data["own"].dims == ("probe_time", "own_0")
    assert data["loss"].dims == ("probe_time",)
    assert data["angle"].attrs["units"] == "degrees"
    judging = run.groups["probe_samples"]
    assert data["loss"].attrs["samples"] == data["accuracy"].attrs["samples"] == 0
    np.testing.assert_array_equal(judging["inputs0"], X)
    assert all(variable.attrs["long_name"] for variable in data.variables.values())
    assert data["probe_time"].attrs["units"] == data["time"].attrs["units"]
    assert {data[name].dtype for name in ("probe_phase", "probe_presentation")} == {np.dtype(np.int64)}
    run.save(tmp_path / "run.nc")
    loaded = pcode.Run.load(tmp_path / "run.nc")
    xr.testing.assert_identical(loaded.data, data)
    assert [record.probes for record in loaded.phases] == [record.probes for record in run.phases]


def test_a_run_without_probes_has_no_time_of_probes():
    assert "probe_time" not in run_with(None).data.dims
    assert "probe_time" not in run_with({"none": lambda state, context: None}).data.dims


def test_a_simulation_goes_on_with_its_probes_and_counts_changes_from_its_start():
    simulation = Simulation(
        NETWORK, weights=WEIGHTS, save=FEW, probes={"moved": Probe("changes", deltas=1.0)}
    )
    first = simulation.run([TRAIN]).data["moved"]
    run = simulation.run([TRAIN])
    np.testing.assert_array_equal(run.data["moved"][:5], first)
    apart = np.linalg.norm(run.weights.M[0] - WEIGHTS.M[0])
    assert run.data["moved"][-1, 0] == pytest.approx(apart, rel=1e-12)
    assert run.data["moved"][5, 0] == pytest.approx(float(first[-1, 0]), rel=1e-12)


def test_the_context_has_what_its_phase_has_and_where_the_run_is():
    contexts = []
    run_with({"c": lambda state, context: contexts.append(context)})
    context = contexts[1]
    assert (context.name, context.duration, context.learn) == ("test", 30.0, False)
    assert (context.t, context.elapsed, context.index) == (230.0, 30.0, 1)
    assert (context.presentation, context.pass_, context.shown) == (None, None, (0, 1, 2, 3, 4))
    assert context.phase.name == "test"
    assert context.network == NETWORK
    assert "phase 1 ('test')" in repr(context)
    with pytest.raises(AttributeError):
        _ = context.nothing


def test_the_data_frame_of_probes_has_a_column_for_each_of_their_numbers():
    frame = run_with(EVERYTHING, [SHOWN, TEST]).to_dataframe("probes")
    known = ["time", "phase", "phase_name", "presentation", "accuracy", "loss", "F", "angle[1]", "angle[2]"]
    assert list(frame)[:9] == known
    assert "own[0]" in frame
    of_test = run_with(EVERYTHING, [SHOWN, TEST]).to_dataframe("probes", phase="test")
    assert set(of_test["phase_name"]) == {"test"}
    with pytest.raises(InputError, match="no probes"):
        run_with(None).to_dataframe("probes")


def test_the_report_has_the_last_values_of_each_phase_and_thinned_curves():
    probes = {"fine": Probe("energy", deltas=0.01), "angle": Probe("gradient_angle"), "steps": Probe("norms"),
              "large": lambda state, context: np.zeros((11, 11))}  # fmt: skip
    run = run_with(probes)
    found = report(run)
    assert found["phases"][0]["fine"] == run.phases[0].probes["fine"]
    assert found["phases"][0]["steps"] == run.phases[0].stats.steps
    assert found["phases"][0]["probe_steps"] == run.phases[0].probes["steps"]
    assert "large" not in found["probes"]
    curve = found["probes"]["fine"]
    assert len(curve["times"]) == len(curve["values"]) == MOST_POINTS < run.data.sizes["probe_time"]
    assert (curve["times"][0], curve["times"][-1]) == (0.0, 230.0)
    assert (np.diff(curve["times"]) > 0.0).all()
    assert len(found["probes"]["angle"]["times"]) == 1
    assert report(run_with(None))["probes"] == {}


def test_progress_has_the_latest_values_and_the_presentation():
    reports = []
    run_with({"norms": Probe("norms", deltas=1.0), "F": Probe("energy", deltas=0.1)}, progress=reports.append)
    assert set(reports[-1].probes) <= {"F"}
    assert reports[-1].presentation is None
    run_with({"F": Probe("energy", presentations=1)}, [SHOWN], progress=reports.append, method="cvode")
    assert reports[-1].presentations == 9
    assert 0 <= reports[-1].presentation < 9


# What is refused.


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"what": "acuracy"}, "what: must be accuracy, loss, "),
        ({"what": "acuracy"}, "did you mean accuracy?"),
        ({"what": 3}, "what: must be a function, to be called as probe(state, context), not 3"),
        ({"what": "loss"}, "data: is missing; loss needs samples"),
        ({"what": "norms", "data": (X, CLASSES)}, "data: goes with accuracy, loss, error only"),
        ({"what": "loss", "data": "test"}, "data: must be a pair of arrays, (inputs, targets)"),
        ({"what": "loss", "data": (X, CLASSES[:2])}, "data.targets: has 2 samples where inputs has 5"),
        ({"what": "loss", "data": (X, CLASSES[0])}, "data.targets: has shape (2,)"),
        ({"what": "loss", "data": (X * np.nan, CLASSES)}, "data.inputs: has values that are not finite"),
        ({"what": "loss", "data": Data(X)}, "data: has no targets"),
        ({"what": "accuracy", "data": (X, X)}, "data: names no classes"),
        ({"what": "norms", "presentations": 0}, "presentations: must be a whole number of 1 or more, not 0"),
        ({"what": "norms", "deltas": 0.0}, "deltas: must be positive, not 0"),
        ({"what": "norms", "at": "start"}, "at: must be ends or weights, not 'start'"),
        ({"what": "norms", "at": "ends", "deltas": 1.0}, "at: does not go with deltas"),
    ],
)
def test_a_wrong_probe_is_refused_with_what_would_be_right(given, told):
    with pytest.raises(InputError) as error:
        Probe(**given)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("probes", "told"),
    [
        ({"x1": Probe("norms")}, "probes[x1]: is the name of a variable"),
        ({"energy": Probe("norms")}, "probes[energy]: is the name of a variable"),
        ({"phase": lambda state, context: 1.0}, "probes[phase]: is the name of a variable"),
        ({"unit3": Probe("norms")}, "probes[unit3]: is the name of a variable"),
        ({"a/b": Probe("norms")}, "probes[a/b]: is no name for a variable of a file"),
        ({"f": max, "f_0": Probe("norms")}, "probes[f_0]: is how an axis of the probe 'f' may be called"),
        ({"l": Probe("loss", data=(X[:, :1], CLASSES))}, "probes[l].data.inputs: has 1 values a sample"),
    ],
)
def test_names_and_samples_that_do_not_go_with_the_result_are_refused(probes, told):
    with pytest.raises(InputError) as error:
        run_with(probes)
    assert str(error.value).startswith(told)


def test_a_data_set_may_be_given_as_it_is_and_a_probe_shows_few_words():
    data = Data.named("digits").split(50, 50)
    probe = Probe("accuracy", data=data, deltas=2.0, label="all")
    assert repr(probe).startswith("Probe(what='accuracy', data=Samples(inputs=<100x64>, targets=<100x10>)")
    assert probe.when == "every 2 delta"

"""The question `classification`: counts and averages as scikit-learn has them, tables and figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from test_tables import check_compilable

import pcode
from pcode import Data, InputError, Run, plotting
from pcode.analysis import ask
from pcode.analysis.classification import Classification
from pcode.cli import main
from pcode.plotting.recipes import Recipe
from pcode.scenario import report

NAMES = ("cat", "a_dog", "50%", "eel")


def answer_of(true: list[int], taken: list[int], **options: Any) -> Classification:
    """The answer for samples whose outputs, here the inputs, are largest for the classes `taken`."""
    k = len(NAMES)
    network = pcode.Network((k, k), "identity", feedback="tied")
    inputs = np.eye(k)[taken] + 0.1
    weights = pcode.Weights((np.eye(k),), None, (np.zeros(k),))
    phase = pcode.Phase("test", {0: inputs}, learn=False, duration=1e-3)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(2, 2))
    data = Data(inputs, np.eye(k)[true], class_names=NAMES)
    answer = ask(run, "classification", {"data": data} | options)
    assert isinstance(answer, Classification)
    return answer


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=7, max_size=7))
def test_counts_and_averages_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, taken = (list(part) for part in zip(*pairs, strict=True))
    answer = answer_of(true, taken)
    np.testing.assert_array_equal(answer.confusion, metrics.confusion_matrix(true, taken, labels=range(4)))
    told = metrics.classification_report(
        true, taken, labels=range(4), target_names=NAMES, output_dict=True, zero_division=0.0
    )
    for k, name in enumerate(NAMES):
        mine = (answer.precision[k], answer.recall[k], answer.f1[k], answer.support[k])
        expected = [told[name][key] for key in ("precision", "recall", "f1-score", "support")]
        np.testing.assert_allclose(mine, expected, rtol=1e-14)
    occurring = metrics.classification_report(true, taken, output_dict=True, zero_division=0.0)["macro avg"]
    macro = (answer.macro_precision, answer.macro_recall, answer.macro_f1)
    np.testing.assert_allclose(macro, [occurring[key] for key in ("precision", "recall", "f1-score")])
    assert answer.accuracy == pytest.approx(metrics.accuracy_score(true, taken))


@pytest.fixture(scope="module")
def answer() -> Classification:
    return answer_of([0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 2, 2])


def test_the_lines_say_what_counts(answer: Classification) -> None:
    lines = answer.lines()
    assert lines[0].startswith("4 of 6 samples right, accuracy 0.6667; means over classes: precision 0.722")
    assert "differ by at most" in lines[1]
    assert lines[1].endswith("same class for all")
    assert lines[2] == "most confused: cat taken for a_dog (1), a_dog taken for 50% (1)"
    assert [line.split() for line in lines if line.strip().startswith("a_dog")] == [
        ["a_dog", "0.667", "0.667", "0.667", "3"]
    ]


def test_the_tables_are_tidy_and_latex_can_set_them(answer: Classification) -> None:
    frame = answer.to_dataframe()
    assert list(frame) == ["class", "precision", "recall", "f1", "support"]
    assert frame["support"].tolist() == [2, 3, 1, 0]
    confusion = answer.to_dataframe("confusion").set_index("class")
    assert confusion.loc["cat", "as a_dog"] == 1
    assert answer.to_dataframe("samples")["right"].tolist() == [True, False, True, True, False, True]
    assert answer.to_dataframe("averages")["accuracy"][0] == pytest.approx(4 / 6)
    for name in answer.tables():
        check_compilable(answer.to_latex(name))
    head, *_ = check_compilable(answer.to_latex("confusion"))
    assert head == ["class", "cat", r"a\_dog", r"50\%", "eel"]
    assert json.dumps(answer.to_dict())
    assert len(repr(answer)) < 3000


# --- on runs ------------------------------------------------------------------------------------

FLOWERS = """\
[network]
sizes = [4, 3]
activation = "tanh"
delta = 50.0
node_decay = 0.02
[data]
name = "iris"
train = 90
test = 60
standardise = true
levels = [-0.9, 0.9]
[[phase]]
name = "train"
clamp = "both"
duration = 200.0
[save]
nodes = 5
weights = 3
[plots]
recipes = ["classification"]
[analysis]
questions = ["classification"]
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("flowers")
    (folder / "flowers.toml").write_text(FLOWERS)
    assert main(["run", str(folder / "flowers.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_a_run_keeps_the_data_of_its_scenario(result: Path) -> None:
    kept = Run.load(result / "run.nc").samples
    expected = Data.named("iris").split(90, 60).standardise().with_levels(-0.9, 0.9)
    assert kept is not None
    for name in ("inputs", "targets", "mean", "std"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(expected, name))
    for name in ("train", "origin", "levels", "class_names"):
        assert getattr(kept, name) == getattr(expected, name)


def test_the_report_has_the_balance_of_classes_and_the_answer(result: Path) -> None:
    told = json.loads((result / "report.json").read_text())
    assert told["data"]["samples"] == 150
    classes = told["data"]["classes"]
    assert classes == Data.named("iris").split(90, 60).balance()
    assert set(classes) == {"setosa", "versicolor", "virginica"}
    assert told["analysis"]["classification"]["accuracy"] > 0.6
    assert told["phases"][0]["accuracy"] > 0.6
    assert (result / "classification.png").exists()


def test_which_samples_and_whose_weights_are_chosen(result: Path) -> None:
    run = Run.load(result / "run.nc")
    data = run.samples
    assert data is not None
    for options, weights, rows in (
        ({}, run.weights, data.rows("test")),
        ({"part": "train", "method": "feedforward"}, run.weights, data.rows("train")),
        ({"part": "all", "time": 0.0}, None, data.rows("all")),
    ):
        found = ask(run, "classification", options)
        first = pcode.Weights(*([run.data[f"{name}"][0].to_numpy()] for name in ("M0", "W0", "beta1")))
        inputs = data.inputs[list(rows)]
        both = [
            pcode.predict(run.network, weights or first, inputs, method=method)
            for method in ("equilibrium", "feedforward")
        ]
        output = both[options.get("method") == "feedforward"]
        assert found.samples == rows
        assert found.accuracy == (output.argmax(axis=1) == data.labels[list(rows)]).mean()
        assert found.difference == pytest.approx(np.abs(both[0] - both[1]).max())
        assert found.difference > 1e-4  # node_decay moves the rest


def test_runs_of_python_keep_data_that_are_given(tmp_path: Path) -> None:
    network = pcode.Network((1, 2), "identity", feedback="tied")
    phase = pcode.Phase("test", {0: [[1.0]]}, learn=False, duration=1e-3)
    weights = network.init_weights(0)
    for data in (Data([[1.0], [2.0]], [[0, 1], [1, 0]], train=1), Data([[1.0, 5.0]], train=0), Data([[1.0]])):
        run = pcode.simulate(network, [phase], weights=weights, data=data)
        run.save(tmp_path / "run.nc")
        loaded = Run.load(tmp_path / "run.nc")
        assert set(loaded.groups) == {"solver", "samples"}
        xr.testing.assert_identical(loaded.groups["samples"], run.groups["samples"])
        assert loaded.samples is not None
        np.testing.assert_array_equal(loaded.samples.inputs, data.inputs)
        assert report(loaded)["data"]["samples"] == len(data)
    assert pcode.simulate(network, [phase], weights=weights).samples is None
    with pytest.raises(InputError, match=r"data: must be a pcode\.Data"):
        pcode.simulate(network, [phase], weights=weights, data=[[1.0]])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, "data: the run was given none; simulate"),
        (Data([[1.0]], [[0.5]]), "data: has targets that name no classes"),
        (Data([[1.0, 2.0]], [[0, 1]]), "data: has inputs of 2 values; layer 0 has 1 nodes"),
        (Data([[1.0]], [[0, 0, 1]]), "data: has targets of 3 values; layer 1 has 2 nodes"),
    ],
)
def test_what_cannot_be_classified_is_told(data: Data | None, told: str) -> None:
    network = pcode.Network((1, 2), "identity", feedback="tied")
    phase = pcode.Phase("test", {0: [[1.0]]}, learn=False, duration=1e-3)
    run = pcode.simulate(network, [phase], weights=network.init_weights(0), data=data)
    with pytest.raises(InputError, match=told):
        ask(run, "classification")


def test_a_part_without_samples_is_told(result: Path) -> None:
    data = Data([[0.0] * 4] * 2, [[1, 0, 0], [0, 1, 0]])
    with pytest.raises(InputError, match='part: there are no samples of "test"'):
        ask(Run.load(result / "run.nc"), "classification", {"part": "test", "data": data})


def test_check_tells_the_balance_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.toml").write_text(FLOWERS)
    assert main(["check", str(tmp_path / "s.toml")]) == 0
    (line,) = (one for one in capsys.readouterr().out.splitlines() if one.startswith("data "))
    assert line == (
        "data     150 samples: 90 to train, 60 to test; classes: setosa 30 + 20, versicolor 30 + 20, "
        "virginica 30 + 20"
    )
    assert main(["check", "digits"]) == 0
    (line,) = (one for one in capsys.readouterr().out.splitlines() if one.startswith("data "))
    assert line.startswith("data     300 samples: 100 to train, 200 to test; 10 classes, ")


# --- the figure ---------------------------------------------------------------------------------


def test_the_figure_has_a_row_for_each_class_and_a_number_in_each_cell_that_is_not_empty(
    answer: Classification,
) -> None:
    ax = answer.plot()
    (image,) = ax.get_images()
    np.testing.assert_allclose(
        image.get_array(), [[0.5, 0.5, 0, 0], [0, 2 / 3, 1 / 3, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    )
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(0, 0): "1", (1, 0): "1", (1, 1): "2", (2, 1): "1", (2, 2): "1"}
    assert [label.get_text() for label in ax.get_yticklabels()] == list(NAMES)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("class", "taken for")
    shares = answer.plot(numbers="share", colorbar=False)
    assert {text.get_text() for text in shares.texts} == {"50", "67", "33", "100"}
    with pytest.raises(InputError, match="numbers: must be one of count, share"):
        answer.plot(numbers="percent")


def test_styles_reach_the_artists(answer: Classification) -> None:
    ax = answer.plot(styles={"numbers": {"color": "red"}, "matrix": {"cmap": "Greens"}, "colorbar": False})
    assert {text.get_color() for text in ax.texts} == {"red"}
    assert ax.get_images()[0].get_cmap().name == "Greens"
    assert len(ax.figure.axes) == 1
    bare = answer.plot(styles={"matrix": False, "numbers": False})
    assert not bare.texts
    assert not bare.get_images()[0].get_visible()


def test_ten_classes_are_readable_in_one_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = Data.named("digits").split(train=100, test=1000)
    network = pcode.Network((64, 10), "identity", feedback="tied")
    M = np.linalg.lstsq(data.train_inputs, data.train_targets + 0.1 * rng.normal(size=(100, 10)), rcond=1e-2)[
        0
    ]
    weights = pcode.Weights((M,), None, (np.zeros(10),))
    phase = pcode.Phase("test", {0: data.test_inputs[:1]}, learn=False, duration=1e-3)
    run = pcode.simulate(network, [phase], weights=weights, data=data)
    with plotting.style(size="85mm", font_size=8):
        fig = Recipe.load("classification").draw(run, {})
    fig.draw_without_rendering()
    assert fig.get_size_inches()[0] == pytest.approx(85.0 / 25.4)
    box, width = fig.get_tightbbox(), fig.get_size_inches()[0]
    assert box.x0 >= -0.01
    assert box.x1 <= width + 0.01
    boxes = [text.get_window_extent() for text in fig.axes[0].texts]
    assert len(boxes) > 30
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])

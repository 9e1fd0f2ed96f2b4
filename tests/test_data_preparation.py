"""Data made ready: classes as one-hot targets and their levels, standardised inputs, public names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from pcode import Data, InputError


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_named_sets_are_those_of_scikit_learn_with_its_names_of_classes(name: str) -> None:
    data, real = Data.named(name), getattr(datasets, f"load_{name}")()
    np.testing.assert_array_equal(data.inputs, real.data)
    np.testing.assert_array_equal(data.labels, real.target)
    assert data.class_names == tuple(real.target_names)
    assert data.targets.shape == (len(real.target), len(real.target_names))


def test_two_moons_are_those_of_scikit_learn_and_take_its_options() -> None:
    points, labels = datasets.make_moons(30, noise=0.3, random_state=5)
    data = Data.named("two_moons", samples=30, noise=0.3, seed=5)
    np.testing.assert_array_equal(data.inputs, points)
    np.testing.assert_array_equal(data.labels, labels)
    # Without noise the upper moon is the half circle around (0, 0).
    still = Data.named("two_moons", noise=0.0)
    assert len(still) == 400
    upper = still.inputs[still.labels == still.class_names.index("upper")]
    np.testing.assert_allclose(np.hypot(*upper.T), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(Data.named("two_moons").inputs, Data.named("two_moons").inputs)


def test_parts_can_be_shown_by_short_names() -> None:
    data = Data.named("iris").split(train=100, test=50, seed=1)
    np.testing.assert_array_equal(data.train_inputs, data.inputs[list(data.rows("train"))])
    np.testing.assert_array_equal(data.test_targets, data.targets[list(data.rows("test"))])
    assert (len(data.train_targets), len(data.test_inputs)) == (100, 50)
    with pytest.raises(InputError, match="targets: there are none"):
        _ = Data([[1.0]]).train_targets


def test_the_balance_counts_each_class_in_each_part() -> None:
    data = Data.labelled(np.zeros((7, 1)), ["a", "b", "a", "a", "b", "a", "b"])
    assert data.balance() == {"a": {"train": 4, "test": 0}, "b": {"train": 3, "test": 0}}
    split = data.split(train=4, test=3)
    counts = split.balance()
    for part in ("train", "test"):
        assert sum(of[part] for of in counts.values()) == len(split.rows(part))
    assert sum(counts["a"].values()) == 4


# --- levels -------------------------------------------------------------------------------------


def test_levels_replace_0_and_1_and_classes_stay_known() -> None:
    plain = Data.named("iris")
    data = plain.with_levels(0.03, 0.97)
    np.testing.assert_array_equal(data.targets, np.where(plain.targets == 1.0, 0.97, 0.03))
    assert (data.classes, data.levels, data.class_names) == (True, (0.03, 0.97), plain.class_names)
    np.testing.assert_array_equal(data.labels, plain.labels)
    np.testing.assert_array_equal(data.with_levels(0, 1).targets, plain.targets)
    split = data.split(train=6, test=3)
    assert (split.levels, split.class_names) == (data.levels, data.class_names)
    assert {tuple(of.values()) for of in split.balance().values()} == {(2, 1)}


def test_targets_of_minus_1_and_1_are_one_hot_too_and_levels_can_be_told() -> None:
    assert Data([[0.0], [0.0]], [[-1, 1], [1, -1]]).levels == (-1.0, 1.0)
    odd = [[0.1, 0.8], [0.8, 0.1]]
    assert not Data([[0.0], [0.0]], odd).classes
    assert Data([[0.0], [0.0]], odd, levels=(0.1, 0.8)).labels.tolist() == [1, 0]
    with pytest.raises(InputError, match="levels: 0 and 1 are not those"):
        Data([[0.0], [0.0]], odd, levels=(0, 1))


@pytest.mark.parametrize("levels", [(1, 0), (0.5, 0.5), (0, float("nan")), (0, "1")])
def test_levels_are_two_numbers_in_order(levels: tuple[float, float]) -> None:
    with pytest.raises(InputError) as caught:
        Data.named("iris").with_levels(*levels)
    assert caught.value.where == "levels"


def test_levels_are_for_classes() -> None:
    with pytest.raises(InputError, match=r"levels: are for one-hot targets"):
        Data.named("xor").with_levels(0.1, 0.9)


# --- standardising ------------------------------------------------------------------------------


def test_inputs_are_standardised_by_the_training_samples_as_scikit_learn_does() -> None:
    data = Data.named("wine").split(train=100, test=78, seed=2)
    scaler = StandardScaler().fit(data.train_inputs)
    made = data.standardise()
    np.testing.assert_allclose(made.train_inputs, scaler.transform(data.train_inputs), atol=1e-12)
    np.testing.assert_allclose(made.test_inputs, scaler.transform(data.test_inputs), atol=1e-12)
    np.testing.assert_allclose(made.mean, scaler.mean_)
    np.testing.assert_allclose(made.std, scaler.scale_)
    np.testing.assert_allclose(made.scaled(data.inputs), made.inputs, atol=1e-12)
    np.testing.assert_array_equal(data.scaled(data.inputs), data.inputs)


def test_a_column_that_is_constant_in_training_becomes_0_everywhere() -> None:
    # Three times 0.1 has a mean that is not 0.1: by rounding alone its spread would not be 0.
    data = Data([[0.1, 1], [0.1, 2], [0.1, 3], [7, 4]], train=3).standardise()
    np.testing.assert_array_equal(data.inputs[:, 0], np.zeros(4))
    np.testing.assert_allclose(data.inputs[:, 1], (np.array([1, 2, 3, 4]) - 2) / np.sqrt(2 / 3))
    assert data.std[0] == 0.0


@given(arrays(float, (6, 3), elements=st.floats(-1e6, 1e6).map(lambda v: round(v, 3))))
def test_standardised_training_samples_have_mean_0_and_deviation_1_or_0(values: np.ndarray) -> None:
    made = Data(values).standardise()
    np.testing.assert_allclose(made.inputs.mean(axis=0), 0.0, atol=1e-8)
    spread = made.inputs.std(axis=0)
    assert np.all(np.isclose(spread, 1.0) | (spread == 0.0))


def test_standardising_again_keeps_how_it_follows_from_the_first_inputs() -> None:
    raw = Data.named("iris").split(train=90, test=60)
    twice = raw.standardise().split(train=40, seed=3).standardise()
    np.testing.assert_allclose(twice.scaled(raw.inputs[:1]), (raw.inputs[:1] - twice.mean) / twice.std)
    back = twice.inputs * twice.std + twice.mean
    np.testing.assert_allclose(back, raw.inputs[[raw.origin.index(k) for k in twice.origin]], atol=1e-12)


def test_what_is_not_known_stays_so_and_does_not_count() -> None:
    made = Data([[1.0], [np.nan], [3.0]]).standardise()
    np.testing.assert_allclose(made.inputs[:, 0], [-1.0, np.nan, 1.0])


def test_inputs_that_cannot_be_standardised_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("input0,input1\n1,2\n3,inf\n")
    with pytest.raises(InputError, match="standardise: input1 in line 3 is inf"):
        Data.load(tmp_path / "d.csv").standardise()
    with pytest.raises(InputError, match="standardise: needs training samples"):
        Data([[1.0]], train=0).standardise()


# --- labels -------------------------------------------------------------------------------------


def test_labels_become_one_hot_in_their_order() -> None:
    data = Data.labelled([[0.0]] * 4, [10, 2, 10, 3])
    assert data.class_names == ("2", "3", "10")
    np.testing.assert_array_equal(data.targets, [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    named = Data.labelled([[0.0]] * 3, ["no", "yes", " no "], ["yes", "no", "perhaps"])
    np.testing.assert_array_equal(named.targets, [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    # By number, also where a class has no sample.
    numbered = Data.labelled([[0.0]] * 2, np.array([2, 0]), ["a", "b", "c"])
    assert numbered.labels.tolist() == [2, 0]
    assert Data([[0.0]] * 2, [[1.0], [0.0]]).one_hot().labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "names", "told"),
    [
        ([0, 1.5], None, "sample 1 is 1.5; labels of classes are whole numbers or texts"),
        ([0, float("nan")], None, "sample 1 is missing"),
        (["a", 1], None, "texts and numbers mixed"),
        ([1, 1], None, "are all 1; classes need two different labels"),
        (list(range(2000)), None, "2,000 different values"),
        (["a", "d"], ["a", "b"], r"sample 1 is 'd', which is none of class_names, nor their number 0\.\.1"),
        ([0, 2], ["a", "b"], "sample 1 is 2"),
    ],
)
def test_labels_that_name_no_classes_are_refused(labels: list[object], names: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Data.labelled([[0.0]] * len(labels), labels, names)


@pytest.mark.parametrize("names", [["a"], ["a", "a"], "ab", ["a", 1], ["a", "b", "c", "d"]])
def test_names_of_classes_are_different_texts_one_each(names: object) -> None:
    with pytest.raises(InputError, match="class_names"):
        Data([[0.0]] * 2, [[0, 1, 0], [1, 0, 0]], class_names=names)  # type: ignore[arg-type]


def test_a_column_of_labels_in_a_file_becomes_one_hot(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("length,kind\n1,setosa\n2, virginica\n3,setosa\n")
    data = Data.load(tmp_path / "d.csv", ["length"], ["kind"], one_hot=True)
    assert data.class_names == ("setosa", "virginica")
    assert data.labels.tolist() == [0, 1, 0]
    np.savez(tmp_path / "d.npz", inputs=np.ones((3, 2)), targets=np.array([4, 7, 4]))
    numbered = Data.load(tmp_path / "d.npz", one_hot=True, class_names=None)
    assert (numbered.class_names, numbered.labels.tolist()) == (("4", "7"), [0, 1, 0])


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("input0,target0\n1,a\n2,\n", "one_hot", "the label in line 3 is missing"),
        ("input0,target0,target1\n1,a,b\n", "one_hot", "a single column of labels; these have 2 values"),
        ("input0\n1\n", "one_hot", "needs targets"),
        ("input0,target0\nx,a\n", "file", "input0 in line 2 .* must be a number, not 'x'"),
    ],
)
def test_a_file_without_such_labels_is_refused(tmp_path: Path, text: str, where: str, told: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        Data.load(tmp_path / "d.csv", one_hot=True)
    assert caught.value.where == where
    assert "d.csv" in str(caught.value)

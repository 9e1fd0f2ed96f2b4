"""Data sets: named ones, files, and the split into samples to train and to test on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from pcode import InputError
from pcode.model.data import Data


def test_xor_is_one_where_exactly_one_input_is_one() -> None:
    data = Data.named("xor")
    truth = {tuple(x): y[0] for x, y in zip(data.inputs.tolist(), data.targets.tolist(), strict=True)}
    assert truth == {(-1, -1): -1, (-1, 1): 1, (1, -1): 1, (1, 1): -1}
    assert not data.classes


def test_digits_are_the_real_ones_with_pixels_from_0_to_1_and_one_hot_classes() -> None:
    data, real = Data.named("digits"), load_digits()
    np.testing.assert_allclose(data.inputs * 16.0, real.data)
    assert (data.inputs.min(), data.inputs.max()) == (0.0, 1.0)
    assert (data.targets.argmax(axis=1) == real.target).all()
    assert (data.targets.sum(axis=1) == 1.0).all()
    assert data.classes


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="xor, digits"):
        Data.named("mnist")


def numbered(count: int, classes: int = 0) -> Data:
    """Samples that can be told apart: sample k has the input k."""
    targets = np.eye(classes)[np.arange(count) % classes] if classes else None
    return Data(np.arange(count, dtype=float)[:, None], targets)


def test_without_numbers_all_samples_stay_as_they_stand_to_train_on() -> None:
    data = numbered(5).split(seed=3)
    assert data.inputs[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert (data.rows("train"), data.rows("test")) == ((0, 1, 2, 3, 4), ())


def test_where_only_test_is_given_the_rest_is_to_train_on() -> None:
    data = numbered(10).split(test=3)
    assert (data.rows("train"), data.rows("test")) == (tuple(range(7)), (7, 8, 9))


def test_where_only_train_is_given_none_are_to_test_on() -> None:
    data = numbered(10).split(train=3)
    assert (len(data), data.rows("test"), data.rows("all")) == (3, (), (0, 1, 2))


@given(st.integers(1, 40), st.integers(0, 5), st.integers(0, 99), st.data())
def test_a_split_shows_no_sample_twice_and_keeps_inputs_and_targets_together(
    count: int, classes: int, seed: int, draw: st.DataObject
) -> None:
    train = draw.draw(st.integers(0, count))
    test = draw.draw(st.integers(0 if train else 1, count - train)) if train < count else 0
    data = numbered(count, classes).split(train, test, seed)
    samples = data.inputs[:, 0].astype(int)
    assert len(set(samples)) == train + test == len(data)
    assert (len(data.rows("train")), len(data.rows("test"))) == (train, test)
    assert list(data.origin) == samples.tolist()
    if classes:
        assert (data.targets.argmax(axis=1) == samples % classes).all()


def test_a_split_hangs_on_its_seed_alone() -> None:
    once, again, other = (numbered(50).split(20, 20, seed).inputs for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


def test_each_class_comes_in_proportion() -> None:
    # 1,797 digits hold 174 to 183 of each class: 100 samples must hold 9, 10 or 11 of each.
    data = Data.named("digits").split(train=100, test=200, seed=0)
    labels = data.targets.argmax(axis=1)
    for part, expected in (("train", 10), ("test", 20)):
        counts = np.bincount(labels[list(data.rows(part))], minlength=10)
        assert abs(counts - expected).max() <= 2, counts


def test_a_larger_training_set_adds_to_a_smaller_one() -> None:
    digits = Data.named("digits")
    small, large = (digits.split(train=train, seed=5).inputs for train in (50, 80))
    np.testing.assert_array_equal(large[:50], small)


def test_more_samples_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match=r"train.*11.*10") as caught:
        numbered(10).split(train=8, test=3)
    assert caught.value.where == "train"
    with pytest.raises(InputError, match="test"):
        numbered(10).split(test=11)


def test_classes_are_told_from_other_targets() -> None:
    inputs = [[0.0], [0.0]]
    assert Data(inputs, [[0, 1], [1, 0]]).classes
    assert Data(inputs, [[-1, 1], [1, -1]]).classes
    assert not Data(inputs, [[1, 1], [1, 0]]).classes
    assert not Data(inputs, [[0.5, 1], [1, 0]]).classes
    assert not Data(inputs, [[1], [1]]).classes
    assert not Data(inputs).classes


def test_an_npz_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    inputs, targets = np.arange(6.0).reshape(3, 2), np.array([[1], [2], [3]])
    np.savez(tmp_path / "d.npz", inputs=inputs, targets=targets)
    data = Data.load(tmp_path / "d.npz")
    np.testing.assert_array_equal(data.inputs, inputs)
    np.testing.assert_array_equal(data.targets, targets)


def test_a_csv_file_takes_inputs_and_targets_by_the_names_of_its_columns(tmp_path: Path) -> None:
    text = "\ufefftarget, input_b,input_a\n 1,2.5,3\n\n4,-5e-1,\n"
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    data = Data.load(tmp_path / "d.csv")
    np.testing.assert_array_equal(data.inputs, [[2.5, 3.0], [-0.5, np.nan]])
    np.testing.assert_array_equal(data.targets, [[1.0], [4.0]])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "header"),
        ("a,b\n1,2\n", "header.*a, b"),
        ("input0,extra\n1,2\n", "header"),
        ("target0\n1\n", "header"),
        ("input0,target0\n", "holds no values"),
        ("input0,target0\n1,2\n3\n", "line 3 .* 1 cells; the header has 2"),
        ("input0,target0\n1,two\n", "target0 in line 2 .* 'two'"),
    ],
)
def test_a_csv_file_that_is_none_is_refused_with_the_place(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        Data.load(tmp_path / "d.csv")
    assert "d.csv" in str(caught.value)


NAMED = {"inputs": ["age", "dose"], "targets": ["response"]}


def test_columns_of_any_names_are_taken_by_name_and_others_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "d.CSV").write_text("dose,name,age,response\n2,Ann,1,3\n5,Bo,4,6\n")
    data = Data.load(tmp_path / "d.CSV", **NAMED)
    np.testing.assert_array_equal(data.inputs, [[1.0, 2.0], [4.0, 5.0]])
    np.testing.assert_array_equal(data.targets, [[3.0], [6.0]])
    assert Data.load(tmp_path / "d.CSV", inputs=["age"]).targets is None


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffage,dose,response\r\n1,2,3\r\n",
        "sep=,\nage,dose,response\n1,2,3\n",
        '"age","dose","response"\n"1","2","3"\n',
        'age, "dose", response\n1, "2", 3\n',
        "age,dose,response,,\n1,2,3,,\n",
        "\n\nage,dose,response\n \n1,2,3\n\n",
        "age,dose,response\r1,2,3\r",
        "age,dose,response\n1.0,2e0,+3",
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.csv").write_bytes(text.encode())
    data = Data.load(tmp_path / "d.csv", **NAMED)
    assert (data.inputs.tolist(), data.targets.tolist()) == ([[1.0, 2.0]], [[3.0]])


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("age;dose;response\n1;2;3\n", "file", r"uses ';' between columns \(line 1: .*save it with ','"),
        (
            "age;dose;response\n1,5;2;3\n",
            "file",
            r"uses ';' .*decimal comma \(1,5 in line 2\).*'\.' in numbers",
        ),
        ('"age";"dose";"response"\n"1,5";"2";"3"\n', "file", "uses ';' .*decimal comma"),
        ("sep=;\nage;dose;response\n1;2;3\n", "file", "uses ';' between columns"),
        ("age\tdose\tresponse\n1\t2\t3\n", "file", "uses tabs between columns"),
        ('age,dose,response\n"1,5",2,3\n', "file", "age in line 2 of .* has a decimal comma: 1,5"),
        ('age,dose,response\n1,2,"1,234.5"\n', "file", "response in line 2 .* comma in a number: 1,234.5"),
        ("age,dose,response\n1,5,2,0,3,1\n", "file", "line 2 .* 6 cells; the header has 3; a decimal comma"),
        ("age,dose,response\n1,NA,3\n", "file", "dose in line 2 of .* must be a number, not 'NA'"),
        ("age,dose,response\n1,2,3\n1,2\n", "file", "line 3 of .* has 2 cells; the header has 3"),
        ('age,dose,response\n1,"2,3\n', "file", "line 2 of .* cannot be read .*quotes"),
        ("1,2,3\n4,5,6\n", "inputs", "no column 'age' nor 'dose' nor 'response'.*a header is missing"),
        ("age,Dose,resp\n1,2,3\n", "inputs", "'dose' nor 'response'; its columns are age, Dose, resp"),
        ("age,dose,resp\n1,2,3\n", "targets", "no column 'response'; its columns are age, dose, resp"),
        ("age,dose,age,response\n1,2,3,4\n", "inputs", "has 2 columns 'age'"),
        ("\n", "file", "is empty; it must have a header"),
        ("age,dose,response\n", "file", "holds no values"),
        ("gr\xf6sse\n1\n", "file", "is not a text in UTF-8"),
    ],
)
def test_a_csv_file_of_named_columns_is_refused_with_the_place(
    tmp_path: Path, text: str, where: str, told: str
) -> None:
    (tmp_path / "d.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=told) as caught:
        Data.load(tmp_path / "d.csv", **NAMED)
    assert caught.value.where == where
    assert "d.csv" in str(caught.value)


def test_numbers_without_a_header_are_told_so(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("1,2\n3,4\n")
    with pytest.raises(InputError, match="has no header: it begins with 1, 2"):
        Data.load(tmp_path / "d.csv")


def test_names_are_given_for_inputs_too_and_once_each(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="inputs: is missing; targets names columns"):
        Data.load(tmp_path / "d.csv", targets=["b"])
    with pytest.raises(InputError, match="inputs: names 'a' twice"):
        Data.load(tmp_path / "d.csv", inputs=["a", "a"])


def test_arrays_of_any_names_are_taken_by_name(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz", age=np.arange(3.0), pixels=np.ones((3, 2)), y=np.zeros((3, 1)), short=np.ones(2)
    )
    data = Data.load(tmp_path / "d.npz", inputs=["pixels", "age"], targets=["y"])
    np.testing.assert_array_equal(data.inputs, [[1, 1, 0], [1, 1, 1], [1, 1, 2]])
    assert data.targets.shape == (3, 1)
    with pytest.raises(InputError, match=r"no array dose nor response \(it holds age, pixels, y, short\)"):
        Data.load(tmp_path / "d.npz", **NAMED)
    with pytest.raises(InputError, match=r"other numbers of samples: age \(3,\), short \(2,\)"):
        Data.load(tmp_path / "d.npz", inputs=["age", "short"])


class Trap:
    """When unpickled, makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_npz_files_are_read_without_pickle(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.array([Trap(tmp_path / "sprung")], dtype=object))
    with pytest.raises(InputError, match="plain numbers"):
        Data.load(tmp_path / "d.npz")
    assert not (tmp_path / "sprung").exists()


def test_files_that_hold_no_samples_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    np.savez(tmp_path / "text.npz", inputs=np.array([["a"]]))
    np.savez(tmp_path / "flat.npz", inputs=np.ones(3))
    np.savez(tmp_path / "uneven.npz", inputs=np.ones((3, 1)), targets=np.ones((2, 1)))
    np.save(tmp_path / "array.npy", np.ones((2, 2)))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    (tmp_path / "noise.npz").write_bytes(b"PK\x03\x04 not a zip file")
    (tmp_path / "data.txt").write_text("1 2 3")
    for name, told in {
        "other.npz": "no array inputs .*holds x",
        "text.npz": "real numbers",
        "flat.npz": r"shape \(3,\)",
        "uneven.npz": "2 samples where inputs has 3",
        "array.npz": "not an .npz file",
        "noise.npz": "not an .npz file",
        "data.txt": ".npz or a .csv",
        "none.npz": "no file",
        "none.csv": "no file",
    }.items():
        with pytest.raises(InputError, match=told) as caught:
            Data.load(tmp_path / name)
        assert name in str(caught.value)


@pytest.mark.parametrize("values", [[[1, 2], [3]], [1, 2], [[]], [], [["a"]]])
def test_samples_must_be_a_table_of_numbers(values: list[object]) -> None:
    with pytest.raises(InputError) as caught:
        Data(values)
    assert caught.value.where == "inputs"


@pytest.mark.parametrize("text", ["input0,target0,\n1,2,\n,\n", "input0,input1,,,\n1,2,,\n3,4,,,\n"])
def test_blank_cells_at_the_ends_of_lines_of_other_lengths_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(InputError, match=r"cells; the header has|must begin with a header of"):
        Data.load(tmp_path / "d.csv")


def test_one_array_with_a_single_dimension_is_a_column(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", pixels=np.ones((3, 2)), age=np.arange(3.0))
    read = Data.load(tmp_path / "d.npz", ["pixels"], ["age"])
    np.testing.assert_array_equal(read.targets, [[0.0], [1.0], [2.0]])


def test_names_of_columns_are_a_list(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", age=np.arange(3.0))
    with pytest.raises(InputError, match="inputs: must be a list of names"):
        Data.load(tmp_path / "d.npz", "age")  # type: ignore[arg-type]

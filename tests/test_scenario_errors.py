"""Scenario files that are wrong: every error is told under its key, with what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_scenario import SMALL, load, refused, weight_arrays, with_weights


def test_an_error_names_file_key_and_what_would_be_right(tmp_path: Path) -> None:
    error = refused(tmp_path, SMALL.replace("sizes", "tua = 1.0\nsizes"))
    assert str(error) == f"{tmp_path / 'small.toml'}: network.tua: unknown key; did you mean tau?"


def test_a_misspelt_key_is_told_before_the_one_that_is_missing_for_it(tmp_path: Path) -> None:
    error = refused(tmp_path, SMALL.replace("duration", "duraton"))
    assert (error.where, error.what) == ("phase.0.duraton", "unknown key; did you mean duration?")


def test_a_key_of_another_table_is_sent_there(tmp_path: Path) -> None:
    assert refused(tmp_path, SMALL.replace("sizes", 'method = "BDF"\nsizes')).what.endswith("in [solver]")


def test_a_key_that_resembles_none_is_answered_with_all(tmp_path: Path) -> None:
    what = refused(tmp_path, SMALL + "[save]\nqqq = 1\n").what
    assert all(key in what for key in ("nodes", "weights", "spacing", "memory_gb"))


@pytest.mark.parametrize(
    ("change", "key", "right"),
    [
        ("network.sizes=[2]", "network.sizes", "2 entries at least"),
        ("network.sizes=[2, 2.5, 1]", "network.sizes.1", "a whole number"),
        ("network.sizes=[2, true, 1]", "network.sizes.1", "a whole number"),
        ("network.nu=[1.0]", "network.nu", "one for each of the layers 1..2"),
        ("network.nu=true", "network.nu", "a number"),
        ("network.nu=[1.0, -1.0]", "network.nu.1", "more than 0, not -1"),
        ("network.tau=nan", "network.tau", "finite"),
        ("network.delta=inf", "network.delta", "finite"),
        ("network.activation=[3, 4]", "network.activation.0", "a text in quotes"),
        ("network=3", "network", "a table"),
        ("phase={}", "phase", "[[phase]]"),
        ("phase.0.learn=1", "phase.0.learn", "true or false"),
        ("phase.0.clamp=boht", "phase.0.clamp", '"both", "input", "output" or "none"'),
        ("phase.0.clamp=3", "phase.0.clamp", '"both", "input", "output", "none", or a table'),
        ("phase.0.clamp={0='inputs'}", "phase.0.clamp.0", '"input" or "output"'),
        ("phase.0.clamp={0='log(t)'}", "phase.0.clamp.0", "is -inf at t = 0"),
        ("phase.0.clamp={0='sinn(t)'}", "phase.0.clamp.0", "did you mean sin?"),
        ("phase.0.clamp={1=['t', 't']}", "phase.0.clamp.1", "has 2 values a sample; layer 1 has 3 nodes"),
        ("phase.0.clamp={1=['t', true, 1]}", "phase.0.clamp.1.1", "must be a number"),
        (
            "phase.0.clamp={1={t=[0.0, 1.0], values=[[[1.0]], [[2.0]]], kind='cubical'}}",
            "phase.0.clamp.1.kind",
            '"linear" or "cubic"',
        ),
        ("phase.0.clamp={top='input'}", "phase.0.clamp.top", "whole numbers"),
        ("phase.0.clamp={1=[[1.0], [1.0, 2.0]]}", "phase.0.clamp.1", "regular"),
        (
            "phase.0.clamp={0='input', 1=[[1.0, 2.0, 3.0]]}",
            "phase.0.clamp.1",
            "1 samples where this phase has 4",
        ),
        ("phase.0.clamp={1={t=[1.0, 0.0], values=[[[1.0]]]}}", "phase.0.clamp.1.t", "never decrease"),
        ("phase.0.clamp={1={t=[1.0], value=[[[1.0]]]}}", "phase.0.clamp.1.value", "did you mean values?"),
        ("phase.0.data=test", "phase.0.data", "data.test"),
        ("phase.0.until=rest", "phase.0.until", "equilibrium"),
        ("weights.init=given", "weights.M", "one matrix for each link"),
        ("weights.init=file", "weights.file", ".npz"),
        ("weights.M=[[[1.0]]]", "weights.M", 'init = "given"'),
        ("weights.W=[[[1.0]]]", "weights.W", 'init = "given"'),
        ("weights.file=w.npz", "weights.file", 'init = "file"'),
        ("weights.seed=-1", "weights.seed", "0 or more"),
        ("data.name=mnist", "data.name", '"breast_cancer" or "two_moons"'),
        ("data.name=irs", "data.name", "did you mean iris?"),
        ("data.options={noise=0.2}", "data.options", "xor has no option 'noise'; it takes none"),
        ("data={name='two_moons', options={noise=-1}}", "data.options.noise", "0 or more"),
        ("data={name='two_moons', options={moons=3}}", "data.options", "takes samples, noise, seed"),
        ("data={inputs=[[1, 2]], targets=[[1]], options={seed=1}}", "data.options", "by name only"),
        ("data.levels=[0.1, 0.9]", "data.levels", "one-hot"),
        ("data={name='iris', levels=[0.9, 0.1]}", "data.levels", "the first below the second"),
        ("data={name='iris', levels=[0.5]}", "data.levels", "not 1 number"),
        ("data={name='iris', train=0, test=9, standardise=true}", "data.standardise", "training samples"),
        ("data.one_hot=true", "data.one_hot", "with a file or with targets only"),
        ("data.class_names=['a', 'b']", "data.class_names", "xor knows"),
        ("data={inputs=[[1, 2]], targets=[[0.5]], one_hot=true}", "data.one_hot", "sample 0 is 0.5; labels"),
        (
            "data={inputs=[[1, 2]], targets=[[1]], class_names=['a', 'b']}",
            "data.class_names",
            "one_hot = true",
        ),
        ("data={inputs=[[1, 2]], one_hot=true}", "data.one_hot", "needs targets"),
        ("data.inputs=[[1.0, 2.0]]", "data", "one of name, file, or inputs"),
        ("data.targets=[[1.0]]", "data.targets", "inputs only"),
        ("data.train=5", "data.train", "the data has 4"),
        ("data={inputs=[[1.0, 2.0]]}", "data.targets", "no targets"),
        ("data={}", "data", "one of name, file, or inputs"),
        ("solver.method=bdf", "solver.method", "BDF"),
        ("solver.rtol=0", "solver.rtol", "more than 0"),
        ("solver.max_steps=0", "solver.max_steps", "1 or more"),
        ("save.nodes=1", "save.nodes", "2 or more"),
        ("save.memory_gb=1e-6", "save.nodes", "GB allowed"),
        ("plots.formats=['gif']", "plots.formats.0", '"png", "svg" or "pdf"'),
        ("start.nodes=rest", "start.nodes", '"feedforward", "zero" or "equilibrium"'),
    ],
)
def test_a_wrong_value_is_refused_under_its_key(tmp_path: Path, change: str, key: str, right: str) -> None:
    error = refused(tmp_path, SMALL, change)
    assert error.where == key
    assert right in error.what
    assert "small.toml" in str(error)


def test_a_clamp_on_data_needs_data(tmp_path: Path) -> None:
    error = refused(tmp_path, SMALL.replace('[data]\nname = "xor"\n', ""))
    assert (error.where, error.what) == ("phase.0.clamp", "asks for data, but there is none; add [data]")


def test_numbers_that_are_not_finite_are_refused_only_where_they_are_to_be_shown(tmp_path: Path) -> None:
    samples = "inputs = [[1, 2], [3, nan], [5, 6]]\ntargets = [[1], [2], [inf]]"
    text = SMALL.replace('name = "xor"', samples)
    error = refused(tmp_path, text)
    assert error.where == "data.inputs"
    assert "row 1, value 1" in error.what
    seeds = [seed for seed in range(20) if drawn(tmp_path, text, seed) == (0,)]
    assert seeds, "no seed draws the one sample that is finite"
    assert load(tmp_path, text, "data.train=1", f"data.seed={seeds[0]}").phases


def drawn(folder: Path, text: str, seed: int) -> tuple[int, ...]:
    scenario = load(folder, text, "data.train=1", f"data.seed={seed}")
    assert scenario.data is not None
    return scenario.data.origin


def test_the_row_named_for_a_drawn_sample_is_that_of_the_source(tmp_path: Path) -> None:
    text = SMALL.replace('name = "xor"', "inputs = [[1, 2], [3, nan], [5, 6]]\ntargets = [[1], [2], [3]]")
    for seed in range(3):
        error = refused(tmp_path, text, "data.train=3", f"data.seed={seed}")
        assert "row 1, value 1" in error.what


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"M1": None}, "no array M1, which must have shape (3, 1)"),
        ({"beta2": None}, "no array beta2"),
        ({"W1": None}, "no array W1"),
        ({"M0": np.ones((3, 2))}, "array M0 in {file} has shape (3, 2); it must be (2, 3)"),
        (
            {"W0": np.array([[np.nan, 0], [0, 0], [0, 0]])},
            "array W0 in {file} has entries that are not finite",
        ),
        ({"beta1": np.array(["a", "b", "c"])}, "array beta1 in {file} holds text"),
    ],
)
def test_a_weights_file_is_refused_with_the_array_at_fault(
    tmp_path: Path, broken: dict[str, Any], told: str
) -> None:
    held = {name: array for name, array in (weight_arrays() | broken).items() if array is not None}
    np.savez(tmp_path / "w.npz", **held)
    error = refused(tmp_path, with_weights('init = "file"\nfile = "w.npz"'))
    assert error.where == "weights.file"
    assert told.format(file=tmp_path / "w.npz") in error.what


def test_all_that_is_wrong_with_a_weights_file_is_told_at_once(tmp_path: Path) -> None:
    held = {
        "M0": np.ones((3, 2)),
        "W0": np.ones((2, 2)),
        "W1": np.full((1, 3), np.inf),
        "beta2": np.ones(1),
        "epoch": np.array(3),
    }
    np.savez(tmp_path / "w.npz", **held)
    error = refused(tmp_path, with_weights('init = "file"\nfile = "w.npz"'))
    assert error.where == "weights.file"
    for told in (
        "has no array M1, which must have shape (3, 1), nor array beta1, which must have shape (3,)",
        "it holds M0, W0, W1, beta2, epoch",
        "array M0 in {file} has shape (3, 2); it must be (2, 3)",
        "array W0 in {file} has shape (2, 2); it must be (3, 2)",
        "array W1 in {file} has entries that are not finite",
    ):
        assert told.format(file=tmp_path / "w.npz") in error.what


def test_arrays_that_may_be_misnamed_biases_or_feedback_are_not_passed_over(tmp_path: Path) -> None:
    M = {name: weight_arrays()[name] for name in ("M0", "M1")}
    np.savez(tmp_path / "w.npz", **M, b1=np.ones(3), b2=np.ones(1))
    error = refused(tmp_path, with_weights('init = "file"\nfile = "w.npz"'))
    assert "holds b1, b2, which this network has not" in error.what
    assert "call them W0, W1, beta1, beta2" in error.what


def test_all_that_is_wrong_with_given_weights_is_told_at_once(tmp_path: Path) -> None:
    given = 'init = "given"\nM = [[[1, 2, 3]], [[1], [2]]]\nbeta = [[1, 2, 3], [4, 5]]'
    error = refused(tmp_path, with_weights(given))
    assert error.where == "weights.M0"
    assert "has shape (1, 3); it must be (2, 3); M1 has shape (2, 1); it must be (3, 1)" in error.what
    assert "beta2 has shape (2,); it must be (1,)" in error.what

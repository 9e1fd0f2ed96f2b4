"""The axes of a sweep: ranges are NumPy's, lists are TOML's, and what is neither is refused in one line."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from pcode import InputError
from pcode.sweeps.axes import Axis, axes_of, values_of
from pcode.sweeps.points import points_of, toml


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("0:9", np.arange(10)),
        ("-2:2", np.arange(-2, 3)),
        ("3:3", [3]),
        ("0.5:2:4", np.linspace(0.5, 2.0, 4)),
        ("1:0:5", np.linspace(1.0, 0.0, 5)),
        ("1e1:1e6:11:log", np.logspace(1.0, 6.0, 11)),
        ("1e-3:1e-5:3:log", np.logspace(-3.0, -5.0, 3)),
        ("8:64:4:log", np.logspace(3, 6, 4, base=2)),
        ("1:10:4", np.linspace(1, 10, 4)),
        ("0.1; 1 ;1e2", [0.1, 1, 100.0]),
        (" 7 ", [7]),
    ],
)
def test_numbers_of_a_range_are_those_of_numpy(written, values):
    found = values_of(written)
    assert found == pytest.approx(list(values), rel=1e-14)


@pytest.mark.parametrize("first", [1e-3, 0.1, 3.0])
@pytest.mark.parametrize("last", [1e-5, 0.3, 7e6])
@pytest.mark.parametrize("log", ["", ":log"])
def test_the_ends_of_a_range_are_as_written(first, last, log):
    found = values_of(f"{first}:{last}:7{log}")
    assert (found[0], found[-1], len(found)) == (first, last, 7)


@pytest.mark.parametrize("written", ["0:9", "1:10:4", "8:64:4:log", "1:1000:4:log"])
def test_whole_values_between_whole_ends_are_whole_numbers(written):
    assert {type(value) for value in values_of(written)} == {int}


def test_values_that_are_not_whole_stay_as_they_are():
    assert values_of("1:2:3") == [1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("tanh;relu", ["tanh", "relu"]),
        ("[2,8,1];[2,8,8,1]", [[2, 8, 1], [2, 8, 8, 1]]),
        ('"10 ms";"5 s"', ["10 ms", "5 s"]),
        ("10 ms;5 s", ["10 ms", "5 s"]),
        ('"a;b";c', ["a;b", "c"]),
        ('"0:9"', ["0:9"]),
        ("mine:f;tanh", ["mine:f", "tanh"]),
        ("true;false", [True, False]),
        ("['M0'];true", [["M0"], True]),
    ],
)
def test_a_list_has_values_of_toml_or_texts(written, values):
    assert values_of(written) == values


def test_keys_parted_by_two_commas_are_one_axis():
    axis = Axis.parse("network.tau=1;2;3,,phase.0.duration=10:30:3")
    assert axis.keys == ("network.tau", "phase.0.duration")
    assert axis.values == ((1, 10), (2, 20), (3, 30))


def test_points_are_all_combinations_with_the_last_axis_fastest():
    points = points_of(axes_of(["network.tau=1;2,,network.nu=3;4", "weights.seed=0:1"]))
    rows = [(point.number, *point.values.values()) for point in points]
    assert rows == [(0, 1, 3, 0), (1, 1, 3, 1), (2, 2, 4, 0), (3, 2, 4, 1)]


def test_python_takes_arrays_and_mappings():
    wanted = axes_of(["network.delta=1e1:1e3:3:log", "weights.seed=0:2"])
    told = axes_of([{"network.delta": np.logspace(1, 3, 3)}, {"weights.seed": range(3)}])
    assert told == wanted
    assert axes_of({"network.delta": "1e1:1e3:3:log", "weights.seed": np.arange(3)}) == wanted
    paired = axes_of([{"network.tau": [1, 2], "network.sizes": [(2, 3), np.array([2, 4])]}])
    assert paired[0].values == ((1, [2, 3]), (2, [2, 4]))


def test_an_axis_is_the_same_after_json():
    (axis,) = axes_of(["network.sizes=[2,8,1];[2,8,8,1],,network.tau=0.1;0.30000000000000004"])
    assert Axis.from_dict(axis.to_dict()) == axis


@pytest.mark.parametrize("value", [1e16, 1e-300, 0.1 + 0.2, 3, True, "a;b", [2, 8, 1], {"density": 0.3}])
def test_values_come_back_from_their_toml(value):
    assert tomllib.loads(f"v = {toml(value)}")["v"] == value


@pytest.mark.parametrize(
    ("over", "what"),
    [
        ("network.delta", "must be KEY=RANGE"),
        ("=1:2", "must be KEY=RANGE"),
        ("network..tau=1:2", "must be KEY=RANGE"),
        ("weights.seed=5:3", "weights.seed: '5:3' is empty"),
        ("weights.seed=0:1.5", "counts whole numbers"),
        ("weights.seed=0:x", "'x' is no number"),
        ("network.tau=0:inf:3", "'inf' is no number"),
        ("network.tau=1:2:0", "is empty"),
        ("network.tau=1:2:-3", "is empty"),
        ("network.tau=1:2:1", "both ends are included"),
        ("network.tau=1:2:2.5", "must be a whole number"),
        ("network.tau=1:2:3:lin", "is no range"),
        ("network.tau=1:2:3:log:4", "is no range"),
        ("network.tau=0:2:3:log", "more than 0"),
        ("network.tau=-1:2:3:log", "more than 0"),
        ("network.tau=", "empty place"),
        ("network.tau=1;;2", "empty place"),
        ("network.tau=1:10000000", "more than 1,000,000 values"),
        ("network.tau=1:2:10000000", "more than 1,000,000 values"),
        ("network.tau=1;2,,network.nu=1;2;3", "network.tau has 2, network.nu has 3"),
        ("network.tau=1;2,,network.tau=1;2", "is there twice"),
        ("title=1;2", "must be a key of a table"),
        ("sweep.keep_runs=true;false", "is of the sweep itself"),
    ],
)
def test_what_is_no_axis_is_refused(over, what):
    with pytest.raises(InputError, match=r"^--over: ") as caught:
        points_of(axes_of([over], "--over"), "--over")
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("over", "what"),
    [
        ([], "names no axis"),
        (3, "must be a list of texts"),
        ([3], "must be a text"),
        ([{}], "has no values"),
        ({"network.tau": []}, "network.tau: has no values"),
        ({"network.tau": 3}, "network.tau: must be a list of values"),
        ({"network.tau": [object()]}, "network.tau: has a value that is no number"),
        ({"network.tau": [1j]}, "network.tau: has a value that is no number"),
        (["network.tau=1:2", "network.tau=1:2"], "network.tau is there twice"),
        (["network.sizes=[2,1]", "network.sizes.1=1:2"], "set the same"),
        (["weights.seed=0:999", "data.seed=0:999"], "makes 1,000,000 points"),
    ],
)
def test_axes_that_do_not_go_together_are_refused(over, what):
    with pytest.raises(InputError) as caught:
        points_of(axes_of(over))
    assert caught.value.where == "over"
    assert what in caught.value.what

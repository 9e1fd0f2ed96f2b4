"""The dataset of a run follows xarray's ways: select, interpolate, group, concatenate."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import pcode
from pcode.run.dataset import strictly_increasing
from pcode.run.select import of_samples, times_of

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
Y = np.array([[-1.0], [1.0], [1.0], [-1.0]])
NETWORK = pcode.Network(sizes=(2, 3, 1), delta=50.0, nu=0.5)
FEW = pcode.Save(nodes=12, weights=6)
TRAIN = pcode.Phase("train", {0: X, 2: Y}, duration=20.0)
TEST = pcode.Phase("test", {0: X}, duration=10.0, learn=False)


def simulated(phases, seed=0, **options):
    return pcode.simulate(NETWORK, phases, weights=NETWORK.init_weights(seed), save=FEW, **options)


@pytest.fixture(scope="module")
def run():
    return simulated([TRAIN, TEST])


def test_the_nearest_saved_time_can_be_selected_also_at_a_joint(run):
    assert run.data.sel(time=20.0, method="nearest")["phase"] == 0
    assert run.data.sel(time=np.nextafter(20.0, np.inf), method="nearest")["phase"] == 1
    assert run.data.sel(weight_time=20.0, method="nearest")["weight_phase"] == 0
    near = run.data.sel(time=12.3, method="nearest")
    times = run.data["time"].to_numpy()
    assert near["time"] == times[np.abs(times - 12.3).argmin()]


def test_nodes_and_weights_can_be_interpolated_in_time(run):
    t = [0.5, 13.0, 25.0]
    between = run.data[["x1", "M0"]].interp(time=t, weight_time=t)
    for name, time in (("x1", "time"), ("M0", "weight_time")):
        values = run.data[name].to_numpy().reshape(run.data.sizes[time], -1)
        expected = [np.interp(t, run.data[time], column) for column in values.T]
        found = between[name].to_numpy().reshape(3, -1)
        np.testing.assert_allclose(found, np.transpose(expected), rtol=1e-12)
    assert run.data.interp(time=t).sizes["time"] == 3


def test_rows_can_be_grouped_by_phase(run):
    ends = run.data.groupby("phase").map(lambda own: own.isel(time=-1, drop=True))
    assert ends["phase"].to_numpy().tolist() == [0, 1]
    np.testing.assert_array_equal(ends["x2"].isel(phase=1), run.state.x[2])
    kept = run.data.groupby("weight_phase").map(lambda own: own["M0"].max("weight_time") - own["M0"][0])
    assert (kept.sel(weight_phase=1) == 0.0).all()
    assert (kept.sel(weight_phase=0) != 0.0).any()


def test_samples_have_their_numbers_as_an_index_where_all_phases_show_the_same():
    phases = [
        pcode.Phase("a", {0: X[:2], 2: Y[:2]}, duration=1.0, samples=[7, 3]),
        pcode.Phase("b", {0: X[:2]}, duration=1.0, samples=[7, 3], learn=False),
    ]
    run = simulated(phases)
    assert run.data["sample"].to_numpy().tolist() == [7, 3]
    assert (run.data["sample_number"] == [7, 3]).all()
    np.testing.assert_array_equal(run.data["x0"].sel(sample=3)[0], X[1])
    other = simulated([*phases, pcode.Phase("c", {0: X[:2]}, duration=1.0, samples=[3, 7], learn=False)])
    assert "sample" not in other.data.indexes


def test_rows_hold_no_more_samples_than_a_phase_shows():
    phases = [
        pcode.Phase("p", {0: X[k : k + 1], 2: Y[k : k + 1]}, duration=1.0, samples=[k]) for k in (0, 1, 2, 3)
    ]
    run = simulated(phases)
    assert run.data.sizes["sample"] == 1
    assert run.data["x1"].shape == (4 * 12, 1, 3)
    np.testing.assert_array_equal(run.data["sample_number"][:, 0], run.data["phase"])
    for k in range(4):
        np.testing.assert_array_equal(run.data["x0"][run.data["phase"] == k, 0], np.tile(X[k], (12, 1)))
    wanted = of_samples(run, run.data["x0"].to_numpy(), (2, 0))
    rows = run.data["phase"].to_numpy()
    np.testing.assert_array_equal(wanted[rows == 2, 0], np.tile(X[2], (12, 1)))
    np.testing.assert_array_equal(wanted[rows == 0, 1], np.tile(X[0], (12, 1)))
    assert np.isnan(wanted[rows != 2, 0]).all()
    assert np.isnan(wanted[rows != 0, 1]).all()


def test_runs_over_seeds_can_be_concatenated():
    runs = [simulated([TRAIN, TEST], seed, method="cvode") for seed in range(3)]
    assert len({run.solver.sizes["step"] for run in runs}) > 1
    stacked = xr.concat([run.data for run in runs], dim="seed")
    assert stacked["x1"].dims == ("seed", *runs[0].data["x1"].dims)
    for seed, run in enumerate(runs):
        for name in ("x1", "eps2", "M0", "energy"):
            np.testing.assert_array_equal(stacked[name].sel(seed=seed), run.data[name])
    assert stacked["phase"].dims == ("time",)
    spread = stacked["M0"].std("seed").isel(weight_time=-1)
    expected = np.std([run.weights.M[0] for run in runs], axis=0)
    np.testing.assert_allclose(spread, expected, rtol=1e-12)


def test_a_phase_that_ends_at_once_has_times_that_increase_and_one_time_of_its_own():
    rest = {"duration": 500.0, "learn": False, "until": "equilibrium"}
    phases = [
        pcode.Phase("a", {0: X}, settle_tol=1e-6, **rest),
        pcode.Phase("b", {0: X}, settle_tol=2e-6, **rest),
        TEST,
    ]
    run = simulated(phases)
    assert run.phases[1].t_start == run.phases[1].t_end
    assert int((run.data["phase"] == 1).sum()) == 2
    assert (np.diff(run.data["time"]) > 0.0).all()
    assert (np.diff(run.data["weight_time"]) > 0.0).all()
    assert set(times_of(run, 1)) == set(times_of(run, 1, "weight_time")) == {run.phases[1].t_end}
    assert times_of(run, 2)[0] == run.phases[2].t_start


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0.0, 1.0, 2.0], [0, 0, 0]),
        ([0.0, 1.0, 1.0, 1.0, 2.0], [0, 0, 1, 2, 0]),
        ([0.0, 0.0], [0, 1]),
        ([], []),
    ],
)
def test_a_time_that_comes_again_is_the_next_float(times, expected):
    made = strictly_increasing(times)
    for t, given, steps in zip(made, times, expected, strict=True):
        for _ in range(steps):
            given = np.nextafter(given, np.inf)
        assert t == given


def test_times_so_close_that_the_next_float_is_beyond_them_still_increase():
    t = 2.0**60
    made = strictly_increasing([t, t, t, np.nextafter(t, np.inf), t * 2.0])
    assert (np.diff(made) > 0.0).all()
    assert made[-1] == 2.0 * t


def test_groups_are_written_to_the_same_file_and_read_back(run, tmp_path):
    more = xr.Dataset({"kept": ("k", np.arange(3.0), {"long_name": "what was kept"})})
    pcode.Run(run.data, run.groups | {"more": more}).save(tmp_path / "run.nc")
    loaded = pcode.Run.load(tmp_path / "run.nc")
    assert set(loaded.groups) == {"solver", "more"}
    xr.testing.assert_identical(loaded.groups["more"], more)
    with xr.open_datatree(tmp_path / "run.nc", engine="h5netcdf", decode_times=False) as tree:
        assert set(tree.children) == {"solver", "others"}
        xr.testing.assert_identical(tree["others/more"].to_dataset(inherit=False), more)
        assert tree["solver"].sizes["step"] == run.solver.sizes["step"]


def test_a_group_that_cannot_be_stored_is_named_and_no_file_is_left(run, tmp_path):
    bad = xr.Dataset({"kept": ("k", np.array([object()]))})
    with pytest.raises(pcode.InputError, match=r"groups\[more\]: cannot be stored"):
        pcode.Run(run.data, {"more": bad}).save(tmp_path / "run.nc")
    assert list(tmp_path.iterdir()) == []

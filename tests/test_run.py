"""The result: its names and shapes, its file, and that nothing is lost."""

import json

import numpy as np
import pytest
import xarray as xr

import pcode
from pcode import InputError, Run


@pytest.fixture(scope="module")
def run():
    network = pcode.Network(
        sizes=(2, 4, 3, 1), delta=50.0, nu=(0.5, 1.0, 2.0), activation=("tanh", "relu", "logistic")
    )
    rng = np.random.default_rng(5)
    X, Y = rng.standard_normal((3, 2)), rng.standard_normal((3, 1))
    phases = [
        pcode.Phase("train", {0: X, 3: Y}, duration=20.0),
        pcode.Phase("test", {0: X[:2]}, duration=500.0, learn=False, until="equilibrium", samples=[3, 4]),
    ]
    return pcode.simulate(
        network,
        phases,
        weights=network.init_weights(rng),
        method="cvode",
        save=pcode.Save(nodes=30, weights=10),
        probes={"output": lambda state, phase: float(state.x[3].mean()), "none": lambda state, phase: None},
        attributes={"title": "a run", "seed": 5},
    )


def test_the_dataset_has_the_promised_names_and_dims(run):
    data = run.data
    units = {"unit0", "unit1", "unit2", "unit3"}
    assert set(data.dims) == {"time", "weight_time", "probe_time", "sample", "layer"} | units
    for k, size in enumerate((2, 4, 3, 1)):
        assert data[f"x{k}"].dims == ("time", "sample", f"unit{k}")
        assert data.sizes[f"unit{k}"] == size
    for k in (1, 2, 3):
        assert data[f"eps{k}"].dims == ("time", "sample", f"unit{k}")
        assert data[f"M{k - 1}"].dims == ("weight_time", f"unit{k - 1}", f"unit{k}")
        assert data[f"W{k - 1}"].dims == ("weight_time", f"unit{k}", f"unit{k - 1}")
        assert data[f"beta{k}"].dims == ("weight_time", f"unit{k}")
    assert data["energy"].dims == data["energy_slaved"].dims == ("time", "layer")
    assert {"phase", "weight_phase", "sample_number"} <= set(data.coords)
    assert data["phase"].dims == ("time",)
    assert data["weight_phase"].dims == ("weight_time",)
    assert data["sample_number"].dims == ("time", "sample")
    assert {data[name].dtype for name in ("phase", "weight_phase", "sample_number")} == {np.dtype(np.int64)}
    assert data["layer"].values.tolist() == [1, 2, 3]
    assert data.sizes["sample"] == 3
    assert run.sample_count == 5
    assert all(variable.attrs["long_name"] for variable in data.variables.values())
    assert all(data[name].dtype == np.float64 for name in ("x1", "eps2", "M0", "energy"))


def test_rows_hold_the_samples_shown_with_their_numbers_and_nan_beyond_them(run):
    shown = {0: [0, 1, 2], 1: [3, 4, -1]}
    phase = run.data["phase"].values
    for k, samples in shown.items():
        assert (run.data["sample_number"].values[phase == k] == samples).all()
        there = np.array(samples) >= 0
        for name in ("x0", "x2", "eps3"):
            values = run.data[name].values[phase == k]
            assert np.isfinite(values[:, there]).all()
            assert np.isnan(values[:, ~there]).all()
    assert "sample" not in run.data.coords
    for name in ("M0", "W2", "beta1", "energy", "energy_slaved"):
        assert np.isfinite(run.data[name]).all()


def test_clamped_layers_are_in_the_result(run):
    train = run.data.isel(time=run.data["phase"].values == 0, sample=slice(0, 3))
    assert (train["x0"] == train["x0"][0]).all()
    assert (train["x3"] == train["x3"][0]).all()


def test_a_phase_that_ends_early_saves_its_end(run):
    record = run.phases[1]
    assert record.status == "equilibrium"
    assert record.t_end < 520.0
    assert run.data["time"].values[-1] == run.data["weight_time"].values[-1]
    # Beyond its end by no more than keeps times increasing, as its start is its end.
    assert 0.0 <= run.data["time"].values[-1] - record.t_end <= 2.0 * np.spacing(record.t_end)


def test_probes_and_attributes_are_kept(run):
    assert run.phases[1].probes == {"output": pytest.approx(float(run.state.x[3].mean()), rel=1e-12)}
    assert run.data.attrs["title"] == "a run"
    assert run.data.attrs["seed"] == 5
    versions = json.loads(run.data.attrs["versions"])
    assert versions["numpy"] == np.__version__
    assert run.data.attrs["method"] == "cvode"
    assert json.loads(run.data.attrs["solver_statistics"])["steps"] == sum(r.stats.steps for r in run.phases)


def test_a_run_that_is_loaded_is_the_run_that_was_saved(run, tmp_path):
    run.save(tmp_path / "run.nc")
    loaded = Run.load(tmp_path / "run.nc")
    xr.testing.assert_identical(loaded.data, run.data)
    assert list(loaded.groups) == ["solver"]
    xr.testing.assert_identical(loaded.solver, run.solver)
    assert loaded.network == run.network
    assert loaded.phases == run.phases
    assert (loaded.status, loaded.message) == (run.status, run.message)
    for a, b in zip((*loaded.state.x, *loaded.weights.M), (*run.state.x, *run.weights.M), strict=True):
        np.testing.assert_array_equal(a, b)
    assert list(tmp_path.iterdir()) == [tmp_path / "run.nc"]


def test_a_save_that_fails_leaves_the_older_file_as_it_was(run, tmp_path, monkeypatch):
    path = tmp_path / "run.nc"
    path.write_bytes(b"precious")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        run.save(path)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_no_run_is_refused_with_what_would_be_right(tmp_path):
    with pytest.raises(InputError, match=r"gone\.nc: run: there is no such file"):
        Run.load(tmp_path / "gone.nc")
    (tmp_path / "text.nc").write_text("not netcdf")
    with pytest.raises(InputError, match=r"text\.nc: run: cannot be read as a NetCDF file"):
        Run.load(tmp_path / "text.nc")
    xr.Dataset({"a": ("t", np.arange(3.0))}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"other\.nc: run: holds no run of pcode"):
        Run.load(tmp_path / "other.nc")


def test_other_tools_read_the_file(run, tmp_path):
    h5py = pytest.importorskip("h5py")
    run.save(tmp_path / "run.nc")
    with h5py.File(tmp_path / "run.nc") as file:
        np.testing.assert_array_equal(file["M1"][()], run.data["M1"].values)


def test_the_repr_tells_network_status_and_phases(run):
    text = repr(run)
    assert "2-4-3-1" in text
    assert "train: success" in text
    assert "test: equilibrium" in text


def test_statistics_of_two_stretches_add_and_the_unknown_stays_unknown():
    known = pcode.SolverStats(steps=3, rejected=1, rhs_evaluations=10, solve_seconds=0.5)
    unknown = pcode.SolverStats(steps=2, rejected=0, rhs_evaluations=None, solve_seconds=0.25)
    total = known + unknown
    assert (total.steps, total.rejected, total.rhs_evaluations, total.solve_seconds) == (5, 1, None, 0.75)

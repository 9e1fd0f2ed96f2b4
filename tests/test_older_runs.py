"""Files of older versions are read as what this one would have written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from older_runs import DATA, RUNS

import pcode
from pcode.plotting.recipes import Recipe

# What depends on when and where a run was made, or on the solver's way.
OWN = ("phases", "solver_statistics", "versions")


@pytest.fixture(scope="module", params=sorted(RUNS))
def both(request):
    """A run as it was saved by an older version, and the same run anew."""
    return pcode.Run.load(DATA / f"{request.param}.nc"), RUNS[request.param]()


def test_an_older_file_has_the_dimensions_coordinates_and_names_of_a_new_run(both):
    old, new = both
    assert dict(old.data.sizes) == dict(new.data.sizes)
    assert set(old.data.coords) == set(new.data.coords)
    assert set(old.data.data_vars) == set(new.data.data_vars)
    for name, variable in new.data.variables.items():
        assert old.data[name].dims == variable.dims
        assert old.data[name].dtype == variable.dtype
        assert old.data[name].attrs == variable.attrs
    assert set(old.solver.variables) == set(new.solver.variables)
    assert old.solver["step_size"].attrs == new.solver["step_size"].attrs


def test_an_older_file_has_the_values_of_a_new_run(both):
    old, new = both
    for name in new.data.variables:
        np.testing.assert_allclose(old.data[name], new.data[name], rtol=1e-6, atol=1e-8, err_msg=str(name))
    for name in ("phase", "weight_phase", "sample_number"):
        np.testing.assert_array_equal(old.data[name], new.data[name])
    assert (np.diff(old.data["time"]) > 0.0).all()
    assert (np.diff(old.data["weight_time"]) > 0.0).all()
    np.testing.assert_allclose(old.solver["step_time"][-1], new.solver["step_time"][-1], rtol=1e-6)


def test_an_older_file_has_the_phases_and_attributes_of_a_new_run(both):
    old, new = both
    for one, other in zip(old.phases, new.phases, strict=True):
        assert one.t_end == pytest.approx(other.t_end, rel=1e-6)
        assert one.probes == pytest.approx(other.probes, rel=1e-6)
        same = {"t_start": 0.0, "t_end": 0.0, "stats": pcode.SolverStats(), "probes": {}, "message": ""}
        assert replace(one, **same) == replace(other, **same)
    assert {name: value for name, value in old.data.attrs.items() if name not in OWN}.keys() == {
        name for name in new.data.attrs if name not in OWN
    }
    assert (old.network, old.status, old.notes) == (new.network, new.status, new.notes)
    np.testing.assert_allclose(old.state.x[1], new.state.x[1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(old.weights.M[0], new.weights.M[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("recipe", ["node_convergence", "weight_drift", "energy", "solver", "overview"])
def test_an_older_file_can_be_drawn(both, recipe):
    old, _ = both
    assert Recipe.load(recipe).draw(old).get_axes()


def test_an_older_file_that_is_saved_anew_is_a_new_file(both, tmp_path):
    old, _ = both
    old.save(tmp_path / "run.nc")
    again = pcode.Run.load(tmp_path / "run.nc")
    assert again.data.identical(old.data)
    assert again.solver.identical(old.solver)


def test_what_a_user_added_to_an_older_file_is_still_there(tmp_path):
    """Along the rows of the data, which are no columns any more, it keeps its values."""
    name = sorted(RUNS)[0]
    with xr.open_dataset(DATA / f"{name}.nc", engine="h5netcdf", decode_times=False) as file:
        data = file.load()
    rows = np.arange(data.sizes["sample"])
    data = data.assign(
        label=("sample", rows), score=(("time", "sample"), np.ones((data.sizes["time"], rows.size)))
    )
    data.to_netcdf(tmp_path / "more.nc", engine="h5netcdf")
    run = pcode.Run.load(tmp_path / "more.nc")
    np.testing.assert_array_equal(run.data["label"], rows)
    assert run.data["score"].shape == (data.sizes["time"], rows.size)
    np.testing.assert_array_equal(run.data["x1"], pcode.Run.load(DATA / f"{name}.nc").data["x1"])

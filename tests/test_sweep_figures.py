"""Figures of sweeps: means, spreads and slopes are those of NumPy and SciPy; marks stand where values are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PolyCollection, QuadMesh
from scipy import stats

from pcode import InputError, Sweep, plotting
from pcode.cli import main
from pcode.plotting.recipes import Recipe
from pcode.run.pooling import along, power_law, spread

DELTAS, SEEDS = [10.0, 100.0, 1000.0, 10000.0], range(6)


def made(status="success"):
    """A sweep over delta, activations and seeds, whose values follow from these."""
    delta, seed = np.array(DELTAS), np.array(SEEDS)
    noise = np.random.default_rng(0).normal(1.0, 0.1, (4, 2, 6))
    steps = 3.0 * delta[:, None, None] ** -0.5 * noise
    statuses = np.full((4, 2, 6), status, dtype=object)
    dims = ("network.delta", "network.activation", "weights.seed")
    data = xr.Dataset(
        {
            "point": (dims, np.arange(48).reshape(4, 2, 6)),
            "status": (dims, statuses),
            "steps": (dims, steps, {"long_name": "steps"}),
            "error": ((*dims, "phase"), np.stack([np.full_like(steps, np.nan), steps], axis=-1)),
            "energy_layer": ((*dims, "layer"), np.stack([steps, 2 * steps], axis=-1)),
        },
        {
            "network.delta": delta,
            "network.activation": np.array(["tanh", "relu"], dtype=object),
            "weights.seed": seed,
            "network.nu": ("network.delta", [4.0, 3.0, 2.0, 1.0]),
            "phase": ["train", "test"],
            "layer": [1, 2],
        },
        {
            "sweep_axes": json.dumps(
                [["network.delta", "network.nu"], ["network.activation"], ["weights.seed"]]
            ),
            "title": "made up",
            "scenario": "[network]\ntau = 0.5\n",
        },
    )
    return Sweep(data)


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_a_line_is_the_mean_over_seeds():
    sweep = made()
    ax = plotting.sweep_lines(sweep, "steps")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    for k, name in enumerate(["tanh", "relu"]):
        x, y = lines(ax)[name].get_data()
        np.testing.assert_array_equal(x, DELTAS)
        np.testing.assert_allclose(y, sweep.data["steps"].to_numpy()[:, k].mean(axis=-1), rtol=1e-14)
    assert ax.get_xlabel() == r"$\delta$"
    assert ax.get_ylabel() == "steps"


def test_spreads_are_those_of_numpy_and_scipy():
    values = np.random.default_rng(1).normal(5.0, 2.0, (3, 40))
    mean, low, high = spread(values, "sd")
    np.testing.assert_allclose(mean, values.mean(axis=-1))
    np.testing.assert_allclose((high - low) / 2, values.std(axis=-1, ddof=1))
    mean, low, high = spread(values, "ci")
    for row, a, b in zip(values, low, high, strict=True):
        interval = stats.bootstrap((row,), np.mean, method="percentile", rng=3).confidence_interval
        # Two bootstraps with some thousand draws agree within their own scatter.
        assert (a, b) == pytest.approx(interval, abs=0.1 * (b - a))
    _, low, high = spread(values, "range")
    np.testing.assert_array_equal([low, high], [values.min(axis=-1), values.max(axis=-1)])


def test_what_is_not_known_is_left_out_of_the_mean():
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [2.0, np.nan, np.nan]])
    for how in ("ci", "sd", "range", "none"):
        mean, low, high = spread(values, how)
        np.testing.assert_array_equal(mean, [2.0, np.nan, 2.0])
        assert (low[2], high[2]) == (2.0, 2.0)


def test_slopes_of_power_laws_are_found():
    x = np.array(DELTAS)
    law = power_law(x, 3.0 * x**-0.5)
    assert (law.slope, law.factor, law.error) == pytest.approx((-0.5, 3.0, 0.0), abs=1e-12)
    assert power_law(x[:2], x[:2]) is None
    assert power_law(x, -x) is None


def test_a_fit_is_drawn_and_told_in_the_legend():
    ax = plotting.sweep_lines(made(), "steps", hue="none", fit=True, spread="sd")
    (told,) = [name for name in lines(ax) if "slope" in name]
    slope = float(told.split("$")[1].split(r"\pm")[0])
    assert slope == pytest.approx(-0.5, abs=0.02)
    assert len([one for one in ax.collections if isinstance(one, PolyCollection)]) == 1


def test_a_ratio_takes_what_was_not_swept_from_the_scenario():
    found = along(made(), "delta/tau", "x")
    np.testing.assert_array_equal(found.values, np.array(DELTAS) / 0.5)
    ax = plotting.sweep_lines(made(), "steps", x="tau/delta", hue="activation")
    np.testing.assert_allclose(np.sort(lines(ax)["tanh"].get_xdata()), np.sort(0.5 / np.array(DELTAS)))


def test_keys_that_change_together_and_texts_can_be_across():
    ax = plotting.sweep_lines(made(), "steps", x="nu", spread="none")
    np.testing.assert_array_equal(lines(ax)["tanh"].get_xdata(), [1.0, 2.0, 3.0, 4.0])
    ax = plotting.sweep_lines(made(), "steps", x="activation", hue="nu")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["tanh", "relu"]
    assert set(lines(ax)) == {"1", "2", "3", "4"}


def test_a_phase_or_a_layer_is_chosen():
    sweep = made()
    assert plotting.sweep_lines(sweep, "error").get_ylabel() == "error, phase test"
    one, two = (lines(plotting.sweep_lines(sweep, "energy_layer", layer=k)) for k in (1, 2))
    np.testing.assert_allclose(two["relu"].get_ydata(), 2 * one["relu"].get_ydata())


def test_runs_that_failed_are_left_out():
    sweep = made()
    sweep.data["status"][0, 0, 1:] = "diverged"
    ax = plotting.sweep_lines(sweep, "steps")
    assert lines(ax)["tanh"].get_ydata()[0] == sweep.data["steps"].to_numpy()[0, 0, 0]
    with pytest.raises(InputError, match="not known at any point that has not failed"):
        plotting.sweep_lines(made("max_steps"), "steps")


def test_a_map_has_a_cell_for_each_pair_of_values():
    sweep = made()
    ax = plotting.sweep_map(sweep, "steps")
    (mesh,) = [one for one in ax.collections if isinstance(one, QuadMesh)]
    wanted = sweep.data["steps"].mean("weights.seed").transpose("network.activation", "network.delta")
    np.testing.assert_allclose(mesh.get_array().reshape(2, 4), wanted.to_numpy(), rtol=1e-14)
    assert ax.get_xscale() == "log"
    edges = mesh.get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, 10.0 ** np.array([0.5, 1.5, 2.5, 3.5, 4.5]))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["tanh", "relu"]


@pytest.mark.parametrize("name", ["sweep_lines", "sweep_map"])
def test_every_artist_can_be_left_out_and_is_told_of(name):
    function = getattr(plotting, name)
    for artist in function.artists:
        assert f"``{artist}``" in function.__doc__
        ax = function(made(), "steps", styles={artist: False})
        assert ax.figure.axes


@pytest.mark.parametrize(
    ("options", "where", "what"),
    [
        ({"y": "stepps"}, "y", "did you mean steps?"),
        ({"y": "status"}, "y", "has no 'status'"),
        ({"x": "tau"}, "x", "has no 'tau'"),
        ({"x": "delta/nu"}, "x", "has no 'delta/nu'"),
        ({"x": "delta", "hue": "nu"}, "hue", "changes together with"),
        ({"y": "error", "phase": "tset"}, "phase", "did you mean test?"),
        ({"y": "energy_layer", "layer": 3}, "layer", "one of 1..2"),
        ({"spread": "se"}, "spread", 'must be'),
        ({"legend": "left"}, "legend", "must be"),
        ({"styles": {"line": {}}}, "styles", "there is no artist"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told_in_one_line(options, where, what):
    with pytest.raises(InputError) as caught:
        plotting.sweep_lines(made(), **options)
    assert caught.value.where == where
    assert what in caught.value.what


def test_a_sweep_of_seeds_alone_has_nothing_to_be_across():
    sweep = made()
    data = sweep.data.isel({"network.delta": [0], "network.activation": [0]})
    with pytest.raises(InputError, match="nothing was swept but seeds"):
        plotting.sweep_lines(Sweep(data), "steps")
    with pytest.raises(InputError, match="fewer than two axes"):
        plotting.sweep_map(Sweep(data), "steps")


def test_figures_of_sweeps_refuse_what_is_none():
    for function in (plotting.sweep_lines, plotting.sweep_map):
        with pytest.raises(InputError, match=r"must be a pcode\.Sweep"):
            function(3)
    with pytest.raises(InputError, match="draws a sweep, not a run"):
        Recipe.load("sweep_lines").draw("anything but a sweep")
    with pytest.raises(InputError, match="draws a run, not a sweep"):
        Recipe.load("energy").draw(made())


def test_recipes_draw_a_file_by_the_command(tmp_path, capsys):
    made().save(tmp_path / "sweep.nc")
    for command in (
        ["sweep_lines", str(tmp_path), "--set", 'y=["steps", "error"]', "--set", "fit=true"],
        ["sweep_map", str(tmp_path / "sweep.nc"), "--set", "value=steps", "--size", "one-column"],
    ):
        assert main(["plot", *command]) == 0
        assert (tmp_path / f"{command[0]}.png").stat().st_size > 5_000
    assert main(["plot", "energy", str(tmp_path)]) == 2
    assert "without a run.nc" in capsys.readouterr().err
    assert main(["plot", "sweep_map", str(tmp_path), "--presentation", "1"]) == 2
    assert "--presentation: is of a run" in capsys.readouterr().err


def test_recipes_of_sweeps_are_not_for_the_figures_of_runs(tmp_path, capsys):
    from sweep_cluster import TINY

    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace("recipes = []", 'recipes = ["sweep_lines"]'))
    assert main(["check", str(path)]) == 2
    assert "plots.recipes.0: sweep_lines draws sweeps" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.nc", "text.nc", "run.nc"])
def test_a_file_without_a_sweep_is_told_in_one_line(name, tmp_path):
    (tmp_path / "text.nc").write_text("no NetCDF")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"^\S*nc: sweep: .*give the sweep.nc of a sweep"):
        Sweep.load(Path(tmp_path) / name)

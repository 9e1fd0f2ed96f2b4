"""What the plots show: curves, bands, maps, labels and legends, held against the dataset."""

from __future__ import annotations

import numpy as np
import pytest
from artists import curves, drawn, legend_texts
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from synthetic_runs import TRAIN, Stage, single, synthetic_run, wide, xor

import pcode
from pcode import InputError, Status, plotting
from pcode.plotting.recipes import Recipe

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(("variable", "name"), [("x1", "value_nodes"), ("eps1", "error_nodes")])
def test_few_nodes_of_one_sample_are_a_line_each_with_the_values_of_the_dataset(variable, name):
    ax = getattr(plotting, name)(single(), 1)
    lines = curves(ax)
    assert len(lines) == 5
    for node, line in enumerate(lines):
        t, values = drawn(line)
        np.testing.assert_allclose(t, single().data["time"] / 2.0)
        np.testing.assert_array_equal(values, single().data[variable][:, 0, node])


def test_nodes_are_named_by_their_symbol_and_index():
    assert legend_texts(plotting.value_nodes(single(), 1)) == [f"$x^{{1}}_{{{k}}}$" for k in range(5)]
    errors = legend_texts(plotting.error_nodes(single(), 2))
    assert errors == [r"$\varepsilon^{2}_{0}$", r"$\varepsilon^{2}_{1}$"]


def test_samples_of_a_single_node_are_told_apart():
    assert legend_texts(plotting.value_nodes(xor(), 2)) == [f"sample {k}" for k in range(4)]


def test_several_nodes_and_samples_give_every_node_one_hue_and_one_entry_and_every_sample_a_shade():
    ax = plotting.value_nodes(xor(), 1, how="lines")
    assert len(curves(ax)) == 8 * 4
    texts = legend_texts(ax)
    assert len(texts) == 8 + 4
    assert texts[8:] == [f"sample {k}" for k in range(4)]
    looks = np.array([to_rgb(line.get_color()) for line in curves(ax)]).reshape(8, 4, 3)
    dashes = np.array([line.get_linestyle() for line in curves(ax)]).reshape(8, 4)
    assert all(len(set(node)) == 1 for node in dashes)
    # From sample to sample, the shades of a node become lighter.
    assert (np.diff(looks.sum(axis=2), axis=1) > 0.15).all()
    assert len({tuple(look) for look in looks.reshape(-1, 3).round(6)}) == 8 * 4


def test_samples_are_told_apart_where_nodes_are_so_many_that_they_have_shades():
    run = synthetic_run((2, 9, 1), (Stage(samples=(0, 1, 2, 3)),))
    ax = plotting.value_nodes(run, 1)
    assert len(curves(ax)) == 9 * 4
    assert len({(line.get_color(), line.get_linestyle()) for line in curves(ax)}) == 9 * 4
    assert legend_texts(ax)[-4:] == [f"sample {k}" for k in range(4)]


def test_a_line_is_broken_where_one_phase_gives_way_to_the_next():
    rows = int((xor().data["phase"] == 0).sum())
    for line in curves(plotting.value_nodes(xor(), 2)):
        assert np.isnan(line.get_ydata()[rows])
        assert np.isfinite(np.delete(line.get_ydata(), rows)).all()


def test_labels_come_from_the_attributes_of_the_dataset():
    data = single().data.copy()
    data["x1"].attrs = {"long_name": "membrane potential", "units": "mV"}
    ax = plotting.value_nodes(type(single())(data), 1)
    assert "membrane potential" in ax.get_ylabel()
    assert "(mV)" in ax.get_ylabel()
    assert "$x^{1}$" in ax.get_ylabel()
    assert "dimensionless" not in plotting.value_nodes(single(), 1).get_ylabel()


def test_samples_that_a_phase_does_not_show_are_not_drawn():
    ax = plotting.value_nodes(wide(), 2, phase="test", samples=[4], how="lines")
    assert len(curves(ax)) == 10
    with pytest.raises(InputError, match=r"sample 1 is not shown here; 3..6 are"):
        plotting.value_nodes(wide(), 2, phase="test", samples=1)


@pytest.mark.parametrize("name", ["value_nodes", "error_nodes"])
def test_500_nodes_are_quantile_bands_and_never_500_lines(name):
    ax = getattr(plotting, name)(wide(), 1)
    assert len(ax.get_lines()) < 6
    assert legend_texts(ax) == ["median", "25% to 75%", "5% to 95%", "extremes"]


def test_the_bands_are_the_quantiles_over_the_nodes_and_samples_that_a_phase_shows():
    ax = plotting.value_nodes(wide(), 1, phase="train")
    values = wide().data["x1"][wide().data["phase"] == 0, :3].to_numpy().reshape(30, -1)
    median, least, most = (line.get_ydata() for line in curves(ax))
    np.testing.assert_allclose(median, np.median(values, axis=1))
    np.testing.assert_allclose([least, most], [values.min(axis=1), values.max(axis=1)])
    for band, q in zip(ax.collections, [(0.25, 0.75), (0.05, 0.95)], strict=True):
        corners = band.get_paths()[0].vertices
        low, high = np.quantile(values[0], q)
        at_start = corners[corners[:, 0] == 0.0, 1]
        assert (at_start.min(), at_start.max()) == pytest.approx((low, high))


def test_a_thousand_samples_of_two_nodes_are_a_band_for_each_node():
    run = synthetic_run((2, 2, 1), (Stage(samples=tuple(range(1000))),), nodes=20, weights=5)
    ax = plotting.error_nodes(run, 1)
    assert len(curves(ax)) == 2
    medians = run.data["eps1"].median("sample")
    for node, line in enumerate(curves(ax)):
        np.testing.assert_allclose(line.get_ydata(), medians[:, node])


def test_a_heat_map_has_a_row_for_every_node_and_the_mean_over_the_samples():
    ax = plotting.value_nodes(wide(), 1, how="heatmap", phase="train")
    (mesh,) = [artist for artist in ax.collections if isinstance(artist, QuadMesh)]
    expected = wide().data["x1"][wide().data["phase"] == 0, :3].mean("sample")
    np.testing.assert_allclose(mesh.get_array(), expected.T)
    assert mesh.get_rasterized()
    colorbar_label = ax.figure.axes[-1].get_ylabel()
    assert "value nodes of layer 1" in colorbar_label
    assert "mean over samples" in colorbar_label


def test_the_legend_stands_beside_the_data():
    ax = plotting.value_nodes(xor(), 1)
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1
    assert plotting.value_nodes(xor(), 1, legend=False).get_legend() is None


def test_weights_depart_from_zero_by_what_they_have_changed():
    ax = plotting.weight_drift(xor(), 1, "M")
    change = xor().data["M1"] - xor().data["M1"][0]
    assert len(curves(ax)) == 8
    for k, line in enumerate(curves(ax)):
        t, values = drawn(line)
        np.testing.assert_allclose(values, change[:, k, 0])
        np.testing.assert_allclose(t, xor().data["weight_time"] / 200.0)
        assert values[0] == 0.0
    assert r"$M^{1}_{0,0}$" in legend_texts(ax)
    assert "$M^{1}(t) - M^{1}(0)$" in ax.get_ylabel()


def test_the_departure_is_from_the_start_of_the_run_whatever_phase_is_drawn():
    ax = plotting.weight_drift(xor(), 2, "beta", phase="test")
    expected = (xor().data["beta2"] - xor().data["beta2"][0])[xor().data["weight_phase"] == 1, 0]
    (line,) = ax.get_lines()
    np.testing.assert_allclose(line.get_ydata(), expected)


def test_many_weights_are_bands():
    ax = plotting.weight_drift(wide(), 0)
    assert legend_texts(ax)[0] == "median"
    change = wide().data["M0"] - wide().data["M0"][0]
    expected = [np.median(row) for row in change.to_numpy()]
    np.testing.assert_allclose(drawn(curves(ax)[0])[1], expected, atol=1e-12)


def test_norms_are_frobenius_norms_of_the_departure():
    ax = plotting.weight_norms(xor())
    named = {line.get_label(): line for line in curves(ax)}
    names = {"$M^{0}$": "M0", "$M^{1}$": "M1", "$W^{0}$": "W0", "$W^{1}$": "W1"}
    names |= {r"$\beta^{1}$": "beta1", r"$\beta^{2}$": "beta2"}
    assert set(named) == set(names) == set(legend_texts(ax))
    for label, name in names.items():
        change = (xor().data[name] - xor().data[name][0]).to_numpy()
        expected = np.linalg.norm(change.reshape(len(change), -1), axis=1)
        np.testing.assert_allclose(drawn(named[label])[1], expected)


@pytest.mark.parametrize(("feedback", "kinds"), [("learned", "MWb"), ("tied", "Mb"), ("fixed", "Mb")])
def test_norms_are_of_the_weights_that_have_an_equation(feedback, kinds):
    ax = plotting.weight_norms(synthetic_run((2, 3, 1), (TRAIN,), feedback=feedback))
    assert {text.strip("$\\")[0] for text in legend_texts(ax)} == set(kinds)


def test_tied_feedback_has_no_weights_of_its_own_to_draw():
    with pytest.raises(InputError, match="must be M or beta"):
        plotting.weight_drift(synthetic_run((2, 3, 1), (TRAIN,), feedback="tied"), 0, "W")


@pytest.mark.parametrize(("which", "variable"), [("dynamic", "energy"), ("slaved", "energy_slaved")])
def test_energies_are_those_of_the_dataset_by_layer_and_together(which, variable):
    ax = plotting.energy(xor(), which)
    named = {line.get_label(): line for line in curves(ax)}
    assert list(named) == ["all layers", "layer 1", "layer 2"] == legend_texts(ax)
    values = xor().data[variable].to_numpy()
    columns = {"layer 1": values[:, 0], "layer 2": values[:, 1], "all layers": values.sum(axis=1)}
    for label, expected in columns.items():
        np.testing.assert_allclose(drawn(named[label])[1], expected[expected > 0])


def test_the_two_energies_are_named_apart():
    assert "as they are" in plotting.energy(xor(), "dynamic").get_ylabel().replace("\n", " ")
    assert "at rest value" in plotting.energy(xor(), "slaved").get_ylabel().replace("\n", " ")


def test_an_energy_that_is_said_to_fall_falls_and_one_hindered_names_its_reasons():
    X, Y = np.array([[1.0], [-0.5]]), np.array([[0.3], [0.8]])
    learn = pcode.Phase("learn", clamp={0: X, 2: Y}, duration=400.0)

    def simulated(**options):
        net = pcode.Network((1, 3, 1), delta=100.0, nu=1.0, **options)
        save = pcode.Save(nodes=40, weights=10)
        start = net.init_weights(rng=1, W="independent" if net.feedback == "fixed" else "transpose")
        return pcode.simulate(net, [learn], weights=start, save=save)

    limit = simulated(tau=0.0, feedback="tied")
    assert plotting.energy_remark(limit, "slaved") == plotting.energy_remark(limit, "dynamic")
    assert plotting.energy_remark(limit, "slaved") == "$F$ falls within a phase, nodes at rest"
    assert (np.diff(limit.data["energy_slaved"].sum("layer")) < 0.0).all()
    lagging = simulated(feedback="learned")
    dynamic, slaved = (lagging.data[name].sum("layer").to_numpy() for name in ("energy", "energy_slaved"))
    assert "may rise" in plotting.energy_remark(lagging, "dynamic")
    assert np.diff(dynamic).max() > 0.0
    assert plotting.energy_remark(lagging, "slaved") == "$F$ may ring while nodes settle, then falls"
    late = lagging.data["time"].to_numpy() > 20.0
    assert (np.diff(slaved[late]) < 0.0).all()
    held = pcode.Phase("held", clamp={0: X, 2: Y}, duration=20.0, learn=False)
    net = pcode.Network((1, 3, 1), nu=0.1, feedback="tied")
    ringing = pcode.simulate(net, [held], weights=net.init_weights(rng=1))
    assert plotting.energy_remark(ringing, "slaved") == "$F$ may ring while nodes settle"
    assert np.diff(ringing.data["energy_slaved"].sum("layer")).max() > 0.0
    hindered = simulated(feedback="fixed", weight_decay=0.1, node_decay=0.1)
    said = plotting.energy_remark(hindered, "slaved")
    assert said == r"$F$ may rise: $W \neq M^\top$, weights decay, nodes decay"
    lag = r"$\varepsilon$ lags behind $x$, "
    assert plotting.energy_remark(hindered, "dynamic") == said.replace("rise: ", f"rise: {lag}")


def test_energies_over_many_decades_have_a_logarithmic_axis_that_leaves_out_zeros():
    assert (xor().data["energy"][0] == 0.0).all()
    ax = plotting.energy(xor())
    assert ax.get_yscale() == "log"
    assert all((drawn(line)[1] > 0).all() for line in curves(ax))
    assert ax.get_ylim()[0] > 0.0
    assert plotting.energy(xor(), log_y=False).get_yscale() == "linear"


def test_energies_of_one_size_have_a_linear_axis():
    data = single().data.copy()
    data["energy"] = data["energy"] * 0.0 + 3.0
    ax = plotting.energy(type(single())(data))
    assert ax.get_yscale() == "linear"
    low, high = ax.get_ylim()
    assert low < 3.0 < high


@pytest.mark.parametrize("log_y", [None, True, False])
def test_energies_that_are_zero_throughout_can_be_drawn(log_y):
    data = single().data.copy()
    data["energy"] = data["energy"] * 0.0
    ax = plotting.energy(type(single())(data), log_y=log_y)
    ax.figure.draw_without_rendering()
    assert len(curves(ax)) == 3


def test_one_link_has_no_sum_over_layers():
    assert legend_texts(plotting.energy(synthetic_run((3, 2), (TRAIN,)))) == ["layer 1"]


def test_many_layers_go_from_dark_to_light_with_the_first_and_the_last_named():
    ax = plotting.energy(synthetic_run((2,) * 13, (TRAIN,), nodes=20, weights=5), total=False)
    assert len(curves(ax)) == 12
    assert legend_texts(ax) == ["layer 1", "layer 12"]
    lightness = [sum(to_rgb(line.get_color())) for line in curves(ax)]
    assert (np.diff(lightness) > 0).all()


def test_a_runaway_does_not_hide_what_went_before_it():
    run = synthetic_run((1, 2, 1), (Stage(status=Status.DIVERGED, samples=(0,)),))
    run.data["x1"][-3:] *= 1e9
    ax = plotting.value_nodes(run, 1)
    ordinary = np.abs(run.data["x1"][:-3]).max()
    low, high = ax.transData.transform([(0.0, 0.0), (0.0, float(ordinary))])[:, 1]
    assert (high - low) / ax.get_window_extent().height > 0.05


def test_a_clamped_layer_is_flat_on_an_axis_that_does_not_magnify_rounding():
    data = single().data.copy()
    data["x0"] = data["x0"] * 0.0 + 1.0 + 1e-15 * np.arange(data.sizes["time"])[:, None, None]
    low, high = plotting.value_nodes(type(single())(data), 0).get_ylim()
    assert high - low > 0.05


@pytest.mark.parametrize("log_time", [False, True])
@pytest.mark.parametrize(("factor", "scale"), [(0.85, "linear"), (0.3, "linear"), (1e-3, "log")])
def test_the_energy_has_a_logarithmic_axis_where_what_is_seen_of_its_sum_spans_decades(
    factor, scale, log_time
):
    run = synthetic_run((1, 1, 1), (Stage(samples=(0,)),))
    data = run.data.copy()
    t = data["time"].to_numpy() - float(data["time"][0])
    # Layer 1 rises from 0 at once, while the sum falls by the factor.
    total = 0.4 * factor ** (t / t[-1])
    first = 0.1 * total * (1.0 - np.exp(-t / (1e-4 * t[-1])))
    data["energy"] = data["energy"].copy(data=np.stack([first, total - first], axis=1))
    changed = type(run)(data)
    assert plotting.energy(changed, log_time=log_time).get_yscale() == scale
    assert plotting.energy(changed, log_time=log_time, log_y=True).get_yscale() == "log"
    assert plotting.energy(changed, log_time=log_time, log_y=False).get_yscale() == "linear"


@pytest.mark.parametrize("samples", [2, 3, 4, 5])
def test_the_colour_of_a_node_in_the_legend_is_that_of_one_of_its_curves(samples):
    run = synthetic_run((2, 3, 2), (Stage(samples=tuple(range(samples))),))
    ax = plotting.value_nodes(run, 1)
    handles, labels = ax.get_legend_handles_labels()
    shown = {to_rgb(line.get_color()) for line in curves(ax)}
    named = [to_rgb(one.get_color()) for one, label in zip(handles, labels, strict=True) if "$" in label]
    assert len(named) == 3
    assert set(named) <= shown
    assert len(shown) == 3 * samples


def test_legends_say_what_colours_mean_where_that_differs_from_row_to_row():
    recipe = Recipe.load("node_convergence")
    for sizes, samples, expected in (
        ((2, 3, 1), (0, 1), {"colours: nodes", "colours: samples"}),
        ((2, 3, 2), (0, 1), {""}),
        ((2, 3, 1), (0,), {""}),
    ):
        fig = recipe.draw(synthetic_run(sizes, (Stage(samples=samples),)))
        legends = [ax.get_legend() for ax in fig.axes if ax.get_legend() is not None]
        assert {legend.get_title().get_text() for legend in legends} == expected

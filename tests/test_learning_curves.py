"""Learning curves: what probes saw, against slow time."""

from __future__ import annotations

import numpy as np
import pytest
from artists import drawn, legend_texts, phase_names
from matplotlib.axes import Axes

import pcode
from pcode import InputError, Phase, Presentation, Probe, Save, plotting
from pcode.plotting.recipes import Recipe

pytestmark = pytest.mark.filterwarnings("error")

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
Y = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
NETWORK = pcode.Network(sizes=(2, 4, 2), delta=50.0)
TRAIN = Phase("train", {0: X, 2: Y}, duration=1000.0)
TEST = Phase("test", {0: X}, duration=100.0, learn=False)
PROBES = {
    "acc": Probe("accuracy", data=(X[:3], Y[:3]), deltas=1.0, label="train"),
    "acc_test": Probe("accuracy", data=(X, Y), deltas=2.0, label="test"),
    "F": Probe("energy", deltas=1.0),
    "at_rest": Probe("energy_slaved", deltas=1.0),
    "loss": Probe("loss", data=(X, Y), deltas=1.0),
    "angle": Probe("gradient_angle", deltas=1.0),
    "mine": Probe(lambda state, context: state.x[1][0], deltas=1.0),
    "noted": lambda state, context: 1.0,
}


def simulated(probes=PROBES, phases=(TRAIN, TEST), network=NETWORK):
    save = Save(nodes=4, weights=4)
    return pcode.simulate(network, list(phases), weights=network.init_weights(0), probes=probes, save=save)


@pytest.fixture(scope="module")
def run():
    return simulated()


def lines(ax: Axes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The curves by their labels, without the gaps."""
    own = [line for line in ax.get_lines() if not line.get_label().startswith("_")]
    return {line.get_label(): drawn(line) for line in own}


def scales(ax: Axes) -> list[Axes]:
    """Second scales of an Axes."""
    return [child for child in ax.child_axes if hasattr(child, "set_functions")]


def test_a_curve_has_the_values_of_its_probe_against_time_in_delta(run):
    ax = plotting.learning_curve(run, ["acc", "acc_test"])
    found = lines(ax)
    assert list(found) == ["train", "test"] == legend_texts(ax)
    for name, label in (("acc", "train"), ("acc_test", "test")):
        there = np.isfinite(run.data[name].to_numpy())
        np.testing.assert_allclose(found[label][0], run.data["probe_time"][there] / 50.0, rtol=1e-12)
        np.testing.assert_array_equal(found[label][1], run.data[name][there])
    assert ax.get_ylabel() == "accuracy"
    assert r"\delta" in ax.get_xlabel()
    assert ax.get_xlim() == (0.0, 22.0)
    assert phase_names(ax) == ["train", "test"]
    assert ax.yaxis.get_major_formatter()(0.5) in ("50%", "50.0%")


def test_a_probe_of_links_has_a_curve_for_each_and_is_not_joined_over_phases(run):
    ax = plotting.learning_curve(run, "angle")
    assert list(lines(ax)) == ["$M^{0}$", "$M^{1}$"]
    assert "(degrees)" in ax.get_ylabel()
    np.testing.assert_array_equal(lines(ax)["$M^{1}$"][1], run.data["angle"][1:21, 1])
    ax = plotting.learning_curve(run, "F")
    (line,) = [line for line in ax.get_lines() if len(line.get_xdata()) > 2]
    assert np.isnan(line.get_ydata()).sum() == 1  # between the phases
    assert legend_texts(ax) == []


def test_losses_that_span_much_have_a_logarithmic_axis_unless_it_is_said_otherwise():
    fast = simulated(
        {"loss": Probe("loss", data=(X, Y), deltas=5.0)}, [Phase("t", {0: X, 2: Y}, duration=2e4)]
    )
    assert fast.data["loss"][-1] < fast.data["loss"][1] / 20.0
    assert plotting.learning_curve(fast, "loss").get_yscale() == "log"
    assert plotting.learning_curve(fast, "loss", log_y=False).get_yscale() == "linear"


def test_further_curves_stand_beside_those_of_the_run(run):
    t = np.linspace(0.0, 1000.0, 5)
    ax = plotting.learning_curve(run, "loss", others={"SGD": (t, np.exp(-t / 100.0))})
    found = lines(ax)
    assert list(found) == ["loss", "SGD"] == legend_texts(ax)
    np.testing.assert_allclose(found["SGD"][0], t / 50.0)
    ax = plotting.learning_curve(
        run, "angle", others={"twin": (t, np.ones((5, 2)))}, styles={"others": {"lw": 3}}
    )
    assert list(lines(ax))[2:] == ["twin $M^{0}$", "twin $M^{1}$"]
    assert [line.get_linewidth() == 3.0 for line in ax.get_lines()[:4]] == [False, False, True, True]


def test_passes_are_counted_on_a_second_scale():
    shown = Phase("shown", {0: X, 2: Y}, presentation=Presentation(size=2, hold=10.0, passes=3))
    run = simulated({"norm": Probe("norms", presentations=1)}, [shown, TEST])
    ax = plotting.learning_curve(run, "norm")
    (second,) = scales(ax)
    assert second.get_xlabel() == "passes through the samples"
    ax.figure.draw_without_rendering()
    low, high = second.get_xlim()
    assert (low, high) == pytest.approx((0.0, 3.0), abs=1e-6)
    assert scales(plotting.learning_curve(run, "norm", presentations=False)) == []
    once = Phase("once", {0: X, 2: Y}, presentation=Presentation(size=1, hold="equilibrium", limit=500.0))
    run = simulated({"norm": Probe("norms", presentations=1)}, [once])
    (second,) = scales(plotting.learning_curve(run, "norm"))
    assert second.get_xlabel() == "presentations"


def test_probes_of_one_measure_share_a_panel_and_those_at_the_ends_alone_are_left_out(run):
    assert plotting.probe_groups(run) == [
        ["acc", "acc_test"],
        ["loss"],
        ["F", "at_rest"],
        ["angle"],
        ["mine"],
    ]
    assert plotting.probe_groups(run, "noted") == [["noted"]]
    assert plotting.probe_groups(simulated({"noted": PROBES["noted"]})) == [["noted"]]


@pytest.mark.parametrize("size", [None, "one-column", "two-columns"])
def test_the_recipe_has_a_panel_for_each_kind_of_probe(run, size):
    with plotting.style(size=size):
        fig = Recipe.load("learning_curves").draw(run)
    fig.draw_without_rendering()
    assert [ax.get_ylabel().split(",")[0].split("\n")[0] for ax in fig.axes][:2] == ["accuracy", "loss"]
    assert len(fig.axes) == 5
    fig = Recipe.load("learning_curves").draw(run, {"probes": ["loss"], "phase": "train"})
    assert len(fig.axes) == 1


def test_a_run_that_failed_or_has_instants_only_is_drawn(run):
    ends = simulated({"noted": PROBES["noted"]}, [TEST])
    (line,) = plotting.learning_curve(ends, "noted").get_lines()
    assert drawn(line)[0].tolist() == [2.0]
    Recipe.load("learning_curves").draw(ends).draw_without_rendering()
    many = simulated({"noted": PROBES["noted"]}, [TEST] * 30)
    ax = plotting.learning_curve(many, "noted")
    assert len(phase_names(ax)) <= 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"probes": "los"}, "probes: there is no probe 'los' in this run; it has acc, acc_test"),
        ({"probes": "los"}, "did you mean loss?"),
        ({"probes": ["loss", "angle"]}, "probes: loss, angle have different units"),
        ({"probes": []}, "probes: is an empty list"),
        ({"probes": "loss", "others": {"x": 3}}, "others[x]: must be a pair, (times, values), not 3"),
        ({"probes": "loss", "others": {"x": ([1.0], [1.0, 2.0])}}, "others[x]: has shapes (1,) and (2,)"),
        ({"probes": "loss", "clock": "hours"}, "clock"),
        ({"probes": "loss", "styles": {"lines": {}}}, "styles: there is no artist 'lines' here"),
    ],
)
def test_wrong_options_are_refused(run, options, told):
    with pytest.raises(InputError) as error:
        plotting.learning_curve(run, **options)
    assert told in str(error.value)


def test_a_run_without_probes_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"has no probes to draw; give simulate some"):
        Recipe.load("learning_curves").draw(simulated(None))


def test_it_is_a_method_of_the_plots_of_a_run_and_each_artist_can_be_left_out(run):
    ax = run.plot.learning_curve(["acc", "acc_test"])
    whole = len(ax.get_children())
    for artist in plotting.learning_curve.artists:
        if artist != "others":
            without = run.plot.learning_curve(["acc", "acc_test"], styles={artist: False})
            assert len(without.get_children()) < whole

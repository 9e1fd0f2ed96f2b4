"""The pictures of phase planes and of the slow manifold, on every kind of run."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from artists import legend_texts
from matplotlib.figure import Figure
from synthetic_runs import Stage, synthetic_run
from test_recipes import RUNS, load

import pcode
from pcode import InputError, Status
from pcode.plotting.recipes import Recipe

pytestmark = pytest.mark.filterwarnings("error")

RECIPES = ("phase_plane", "slow_manifold")
KINDS = ("500 nodes in a layer", "1,000 samples, tied", "one link, fixed feedback")


def inside(fig):
    """Whether nothing is cut off."""
    fig.draw_without_rendering()
    width, height = fig.get_size_inches()
    box = fig.get_tightbbox()
    return box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01


@pytest.fixture(scope="module")
def textbook():
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="tied")
    phase = pcode.Phase("look", {0: [[1.0]], 2: [[3.0]]}, duration=20.0, learn=False)
    weights = pcode.Weights(M=([[0.5]], [[1.0]]), W=None, beta=([0.0], [0.0]))
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=60))


@pytest.fixture(scope="module")
def learning():
    network = pcode.Network(sizes=(1, 1, 1), delta=300.0)
    phase = pcode.Phase("learn", {0: [[1.0]], 2: [[0.8]]}, duration=1500.0)
    weights = pcode.Weights(([[0.5]], [[0.5]]), ([[0.5]], [[0.5]]), ([0.0], [0.0]))
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=80, weights=40))


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_or_one_line_for_every_kind_of_run(name, kind):
    before, refused = mpl.rcParams.copy(), ""
    try:
        fig = load(name).figure(RUNS[kind]())
    except InputError as error:
        refused = str(error)
    else:
        assert inside(fig)
    assert mpl.rcParams.copy() == before
    assert "\n" not in refused
    assert name == "slow_manifold" or not refused


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_runs_that_failed_or_hold_no_number_give_a_picture_or_one_line(name):
    failed = synthetic_run((2, 3, 1), (Stage(status=Status.DIVERGED, rows=2),))
    nan = synthetic_run((2, 3, 1), (Stage(),), nodes=20, weights=8)
    nan.data["x1"][-3:] = np.nan
    refused = ""
    for run in (failed, nan):
        try:
            assert inside(load(name).figure(run))
        except InputError as error:
            refused = str(error)
        assert "\n" not in refused


def test_every_branch_and_every_kind_of_equilibrium_is_drawn_and_named(textbook):
    ax = textbook.plot.phase_plane("x1[0]", "eps2[0]", xlim=(-5, 5), ylim=(-4, 6))
    texts = legend_texts(ax)
    assert texts[:2] == [
        r"$\mathrm{d}x^{1}_{0}/\mathrm{d}t = 0$",
        r"$\mathrm{d}\varepsilon^{2}_{0}/\mathrm{d}t = 0$",
    ]
    assert {"stable focus", "saddle"} <= set(texts)
    assert ax.get_xlabel() == "value node $x^{1}_{0}$"
    assert ax.get_ylabel() == r"error node $\varepsilon^{2}_{0}$"
    assert ax.get_title("left") == "all other nodes at rest, weights held as at t = 20"
    markers = [line for line in ax.get_lines() if line.get_marker() in ("s", "X")]
    roots = np.sort(np.roots([2, 0, -5, -0.5]).real)
    np.testing.assert_allclose(sorted(float(line.get_xdata()[0]) for line in markers), roots, atol=1e-7)
    filled = {line.get_marker(): line.get_markerfacecolor() for line in markers}
    assert filled == {"s": "black", "X": "white"}
    first = [line for line in ax.get_lines() if line.get_color() == "#0072B2" and line.get_linestyle() == "-"]
    assert len(first) == 2  # a branch on each side of x = 0
    (run,) = [line for line in ax.get_lines() if line.get_label() == "run"]
    np.testing.assert_array_equal(run.get_xdata(), textbook.data["x1"][:, 0, 0])


def test_marks_of_time_stand_on_the_trajectory_at_round_times(textbook):
    ax = textbook.plot.phase_plane("x1[0]", "eps2[0]", resolution=21)
    dots = [line for line in ax.get_lines() if line.get_gid() == "time"]
    texts = [text.get_text() for text in ax.texts]
    assert len(dots) == len(texts) >= 2
    t = textbook.data["time"].values
    for dot, text in zip(dots, texts, strict=True):
        at = float(text.split(r"\,")[0].strip("$"))
        assert float(dot.get_xdata()[0]) == pytest.approx(
            np.interp(at, t, textbook.data["x1"].values[:, 0, 0])
        )
        assert text.endswith(r"\tau$")


def test_at_an_earlier_moment_the_run_is_marked_there_and_pale_from_there_on(textbook):
    t = float(textbook.data["time"][30])
    ax = textbook.plot.phase_plane("x1[0]", "eps2[0]", time=t, resolution=21, xlim=(-1, 3), ylim=(-3, 4))
    (now,) = [line for line in ax.get_lines() if line.get_label() == "run at this moment"]
    assert float(now.get_xdata()[0]) == pytest.approx(float(textbook.data["x1"][30, 0, 0]))
    (pale,) = [line for line in ax.get_lines() if line.get_alpha() == 0.35]
    assert len(pale.get_xdata()) == textbook.data.sizes["time"] - 30


def test_several_moments_share_their_window_and_their_legend(textbook):
    fig = load("phase_plane").figure(textbook, x="x1[0]", y="eps2[0]", times=[0.5, 2.0, 20.0], resolution=21)
    assert [ax.get_title() for ax in fig.axes] == ["t = 0.5", "t = 2", "t = 20"]
    assert len({ax.get_xlim() for ax in fig.axes}) == 1
    assert len(fig.legends) == 1
    assert inside(fig)


def test_weights_that_learn_are_drawn_on_their_own_clock_with_their_curve_of_rests(learning):
    fig = load("phase_plane").figure(learning, resolution=31)
    (ax,) = fig.axes
    assert "equilibria: a whole curve" in legend_texts(ax)
    assert all(text.get_text().endswith(r"\delta$") for text in ax.texts)
    assert inside(fig)


def test_the_manifold_is_drawn_with_fast_and_slow_and_with_several_ratios(learning):
    fig = load("slow_manifold").figure(learning, ratios=[10.0, 300.0])
    left, right = fig.axes
    assert left.get_ylim() == right.get_ylim()
    labels = [text.get_text() for text in fig.legends[0].get_texts()]
    assert {"equilibria, stable", "fast", "slow"} <= set(labels)
    assert [label for label in labels if "delta" in label] == [
        r"$\delta/\tau = 10$",
        r"$\delta/\tau = 300$",
    ]
    widths = {line.get_label(): line.get_linewidth() for line in left.get_lines()}
    assert widths["fast"] < widths["slow"] < widths["equilibria, stable"]
    assert inside(fig)


def test_held_weights_have_one_panel_without_a_slow_part(textbook):
    fig = load("slow_manifold").figure(textbook, weight="M1[0,0]", limits=[0.2, 2.0])
    (ax,) = fig.axes
    labels = {line.get_label() for line in ax.get_lines()}
    assert "run" in labels
    assert not {"fast", "slow"} & labels
    with pytest.raises(InputError, match="held") as caught:
        load("slow_manifold").figure(textbook, ratios=[10.0])
    assert caught.value.where == "ratios"


def test_both_are_methods_of_a_run_and_take_an_axes_and_keywords(learning):
    ax = Figure().add_subplot()
    drawn = learning.plot.phase_plane("x1[0]", "eps2[0]", ax=ax, color="red", resolution=21)
    assert drawn is ax
    assert [line.get_color() for line in ax.get_lines() if line.get_label() == "run"] == ["red"]
    ax = Figure().add_subplot()
    assert learning.plot.slow_manifold("M1[0,0]", "x1[0]", ax=ax, linewidth=0.2, legend=False) is ax
    assert {line.get_linewidth() for line in ax.get_lines() if line.get_label() in ("fast", "slow")} == {0.2}


@pytest.mark.parametrize(
    ("name", "options", "where"),
    [
        ("phase_plane", {"x": "x1[0]"}, "y"),
        ("phase_plane", {"y": "x1[0]"}, "x"),
        ("phase_plane", {"times": []}, "times"),
        ("phase_plane", {"phase": "training"}, "phase"),
        ("phase_plane", {"resolution": 9999}, "resolution"),
        ("slow_manifold", {"weight": "x1[0]"}, "weight"),
        ("slow_manifold", {"ratios": [-1.0]}, "ratios"),
        ("slow_manifold", {"limits": [1.0]}, "limits"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line_that_names_it(learning, name, options, where):
    with pytest.raises(InputError) as caught:
        load(name).figure(learning, **options)
    assert caught.value.where == where
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipes_keep_to_the_rules_of_recipes(name):
    import test_recipes

    test_recipes.test_the_docstring_is_a_caption_that_says_what_is_shown(name)
    test_recipes.test_every_option_has_a_default_and_a_type(name)
    test_recipes.test_recipes_use_the_public_interface_only(name)


def test_a_plane_whose_separatrices_end_on_a_curve_of_equilibria_is_drawn():
    """The resting weights of the smallest tied network form a curve, at which the flow turns round."""
    network = pcode.Network((1, 1, 1), delta=500.0, feedback="tied")
    phase = pcode.Phase("learn", {0: [[1.0]], 2: [[1.0]]}, duration=2000.0)
    run = pcode.simulate(network, [phase], weights=network.init_weights(rng=0), save=pcode.Save(60, 20))
    assert Recipe.load("phase_plane").draw(run).axes[0].lines

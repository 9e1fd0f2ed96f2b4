"""The shipped figure recipes, on every kind of run that they may be asked about."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from artists import legend_texts
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from PIL import Image
from synthetic_runs import AT_ONCE, TEST, TRAIN, Stage, synthetic_run

import pcode
from pcode import InputError, Status, plotting
from pcode.cli.gallery import lighten
from pcode.plotting.recipes import Recipe

pytestmark = pytest.mark.filterwarnings("error")

PLOTS = Path(__file__).parent.parent / "plots"
RECIPES = (
    "energy",
    "filmstrip",
    "network",
    "node_convergence",
    "overview",
    "solver",
    "trajectories",
    "weight_drift",
    "weights",
)
GENERATE = Stage("generate", 300.0, learn=False, clamped=(-1,))
HELD = Stage("look", 30.0, samples=(0,), learn=False)


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", PLOTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def many(count: int, first: int = 0) -> tuple[int, ...]:
    return tuple(range(first, first + count))


RUNS = {
    "1-1-1, one sample": lambda: synthetic_run((1, 1, 1), (Stage(samples=(0,)),), nodes=40, weights=10),
    "2-8-1, four samples, two phases": lambda: synthetic_run((2, 8, 1), (TRAIN, TEST)),
    "64-32-10, other samples to test": lambda: synthetic_run(
        (64, 32, 10),
        (Stage(samples=many(20)), Stage("test", 50.0, samples=many(40, 20), learn=False, clamped=(0,))),
        nodes=20,
        weights=10,
    ),
    "500 nodes in a layer": lambda: synthetic_run((3, 500, 2), (TRAIN,), nodes=20, weights=6),
    "1,000 samples, tied": lambda: synthetic_run(
        (2, 3, 1), (Stage(samples=many(1000)),), nodes=20, weights=6, feedback="tied"
    ),
    "12 links": lambda: synthetic_run((2,) * 13, (TRAIN,), nodes=20, weights=6),
    "one link, fixed feedback": lambda: synthetic_run((3, 2), (TRAIN,), tau=0.5, feedback="fixed"),
    "a free input": lambda: synthetic_run((6, 3, 2), (TRAIN, GENERATE), nodes=40, weights=10),
    "a test that ends at once": lambda: synthetic_run((2, 3, 2), (TRAIN, AT_ONCE), nodes=40, weights=10),
    "ten phases": lambda: synthetic_run((2, 3, 1), (TRAIN, TEST) * 5, nodes=20, weights=6),
    "stopped half-way": lambda: synthetic_run(
        (2, 3, 1), (TRAIN, Stage("more", status=Status.MAX_STEPS, rows=9))
    ),
    "stopped after one step": lambda: synthetic_run((2, 3, 1), (Stage(status=Status.DIVERGED, rows=2),)),
    "six decades": lambda: synthetic_run((1, 2, 1), (Stage(duration=1e7), TEST), delta=1e6),
}
SLOW = {"12 links", "ten phases", "one link, fixed feedback", "stopped after one step", "six decades"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=[pytest.mark.slow] * (kind in SLOW), id=kind) for kind in RUNS],
)
def run(request):
    return RUNS[request.param]()


@pytest.fixture(scope="module")
def xor():
    return RUNS["2-8-1, four samples, two phases"]()


# Five phase planes a figure take their time.
HEAVY = ("filmstrip",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in HEAVY)) for name in RECIPES]
)
def test_every_recipe_draws_every_run_with_nothing_cut_off_and_no_tick_on_another(run, name):
    before = mpl.rcParams.copy()
    fig = load(name).figure(run)
    fig.set_dpi(160)
    fig.draw_without_rendering()
    assert mpl.rcParams.copy() == before
    width, height = fig.get_size_inches()
    box = fig.get_tightbbox()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01
    for ax in fig.axes:
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            boxes = [text.get_window_extent() for text in labels if text.get_text() and text.get_visible()]
            inside = [b for b in boxes if ax.get_window_extent().padded(5).overlaps(b)]
            assert not any(one.overlaps(other) for one, other in combinations(inside, 2))
        assert len(ax.get_lines()) < 60


@pytest.mark.parametrize("kind", ["2-8-1, four samples, two phases", "64-32-10, other samples to test"])
@pytest.mark.parametrize("name", RECIPES)
def test_pictures_of_a_gallery_have_150_dots_an_inch_and_less_than_300_kb(kind, name, tmp_path):
    fig = load(name).figure(RUNS[kind]())
    plotting.save_figure(fig, tmp_path / "figure.png")
    lighten(tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert image.width >= 150 * fig.get_figwidth()
    assert (tmp_path / "figure.png").stat().st_size < 300_000


@pytest.mark.parametrize("name", RECIPES)
def test_no_recipe_leaves_a_figure_open(xor, name):
    import matplotlib.pyplot as plt

    plt.close("all")
    assert isinstance(load(name).figure(xor), Figure)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", RECIPES)
def test_the_docstring_is_a_caption_that_says_what_is_shown(name):
    module = load(name)
    first, blank, rest = module.__doc__.split("\n", 2)
    assert first.endswith(".")
    assert blank == ""
    assert rest.count(". ") + rest.count(".\n") >= 3
    assert "delta" in rest or "tau" in rest


@pytest.mark.parametrize("name", RECIPES)
def test_every_option_has_a_default_and_a_type(name):
    _, *options = inspect.signature(load(name).figure, eval_str=True).parameters.values()
    assert options
    for option in options:
        assert option.default is not inspect.Parameter.empty
        assert option.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_use_the_public_interface_only(name):
    tree = ast.parse((PLOTS / f"{name}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pcode":
            assert node.module == "pcode"
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_")
            if isinstance(node.value, ast.Name) and node.value.id == "plotting":
                assert node.attr in plotting.__all__


# A moment needs no course in time.
MOMENTS = ("network",)


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in MOMENTS])
def test_a_run_in_which_no_time_passed_is_refused_in_one_line(name):
    run = synthetic_run((2, 3, 1), (Stage(status=Status.NONLINEAR_FAILURE, rows=1),))
    with pytest.raises(InputError, match="no time passed") as caught:
        load(name).figure(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", MOMENTS)
def test_a_moment_is_drawn_of_a_run_in_which_no_time_passed(name):
    run = synthetic_run((2, 3, 1), (Stage(status=Status.NONLINEAR_FAILURE, rows=1),))
    fig = load(name).figure(run)
    assert [ax.get_title() for ax in fig.axes if ax.get_title()] == ["train, $t$ = 0, sample 0"]


def test_weights_that_are_held_have_no_drift_to_show(xor):
    held = synthetic_run((1, 1, 1), (HELD,))
    with pytest.raises(InputError, match="held"):
        load("weight_drift").figure(held)
    with pytest.raises(InputError, match="held"):
        load("weight_drift").figure(xor, phase="test")


def test_the_overview_says_where_weights_are_held():
    fig = load("overview").figure(synthetic_run((1, 1, 1), (HELD,)))
    assert [text.get_text() for ax in fig.axes for text in ax.texts].count("weights held") == 2


@pytest.mark.parametrize(
    ("name", "options", "where"),
    [
        ("node_convergence", {"layers": [3]}, "layers"),
        ("node_convergence", {"layers": 1.5}, "layers"),
        ("node_convergence", {"phase": "training"}, "phase"),
        ("node_convergence", {"samples": [9]}, "samples"),
        ("node_convergence", {"how": "dots"}, "how"),
        ("node_convergence", {"clock": "hours"}, "clock"),
        ("node_convergence", {"log_time": "yes"}, "log_time"),
        ("weight_drift", {"layers": [0]}, "layers"),
        ("weight_drift", {"log_time": 3}, "log_time"),
        ("energy", {"log_y": "yes"}, "log_y"),
        ("energy", {"layers": "all"}, "layers"),
        ("filmstrip", {"moments": 9}, "moments"),
        ("filmstrip", {"times": [1.0]}, "times"),
        ("filmstrip", {"x": "x1[0]"}, "y"),
        ("network", {"time": []}, "time"),
        ("network", {"sample": 9}, "samples"),
        ("overview", {"layer": 0}, "layer"),
        ("overview", {"layer": [1, 2]}, "layer"),
        ("overview", {"phase": 7}, "phase"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line_that_names_it(xor, name, options, where):
    with pytest.raises(InputError) as caught:
        load(name).figure(xor, **options)
    assert caught.value.where == where
    assert "\n" not in str(caught.value)


def test_nodes_are_shown_layer_by_layer_values_left_and_errors_right(xor):
    fig = load("node_convergence").figure(xor)
    labels = [ax.get_ylabel().split("\n")[0] for ax in fig.axes]
    assert labels == [f"{kind} nodes of layer {layer}" for layer in (1, 2) for kind in ("value", "error")]
    assert [ax.get_xlabel() == "" for ax in fig.axes] == [True, True, False, False]


def test_a_free_input_has_a_row_of_its_own_and_a_clamped_one_has_none(xor):
    free = load("node_convergence").figure(RUNS["a free input"]())
    assert free.axes[0].get_ylabel().replace("\n", " ").startswith("value nodes of layer 0")
    assert len([ax for ax in free.axes if ax.axison]) == 4  # the output is clamped throughout
    whole = load("node_convergence").figure(RUNS["a free input"](), clamped=True)
    assert len([ax for ax in whole.axes if ax.axison]) == 5
    chosen = load("node_convergence").figure(xor, layers=[0, 2])
    assert chosen.axes[0].get_ylabel().replace("\n", " ").startswith("value nodes of layer 0")


def test_time_is_logarithmic_on_request_and_where_convergence_would_vanish_otherwise(xor):
    figure = load("node_convergence").figure
    short = synthetic_run((1, 1, 1), (HELD,))
    scales = [
        figure(*arguments, **options).axes[0].get_xscale()
        for arguments, options in [
            ((xor,), {}),
            ((xor,), {"log_time": False}),
            ((short,), {}),
            ((short,), {"log_time": True}),
        ]
    ]
    assert scales == ["function", "linear", "linear", "function"]


def test_options_choose_phase_samples_layers_and_clock(xor):
    fig = load("node_convergence").figure(
        xor, layers=2, phase="train", samples=[1, 3], clock="delta", log_time=False, how="lines"
    )
    left, right = fig.axes
    assert len(left.get_lines()) == len(right.get_lines()) == 2
    assert left.get_xlim() == pytest.approx((0.0, 20.0))
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["sample 1", "sample 3"]


def test_a_heat_map_serves_for_nodes_and_weights():
    run = RUNS["500 nodes in a layer"]()
    for name, maps in (("node_convergence", 4), ("weight_drift", 6)):
        fig = load(name).figure(run, how="heatmap")
        meshes = [artist for ax in fig.axes for artist in ax.collections if isinstance(artist, QuadMesh)]
        assert len([mesh for mesh in meshes if mesh.get_rasterized()]) >= maps


def test_weights_have_a_panel_for_each_kind_and_link_and_their_norms_stand_below(xor):
    fig = load("weight_drift").figure(xor)
    *panels, norms = fig.axes
    kinds = [ax.get_ylabel().split("\n")[0] for ax in panels]
    assert kinds == ["prediction weights", "feedback weights", "biases"] * 2
    symbols = [ax.get_ylabel().split("\n")[1] for ax in panels[:2]]
    assert symbols == ["$M^{0}(t) - M^{0}(0)$", "$W^{0}(t) - W^{0}(0)$"]
    assert all(ax.get_xlim() == panels[0].get_xlim() == norms.get_xlim() for ax in panels)
    assert len(norms.get_legend().get_texts()) == 6


def test_the_two_energies_stand_one_over_the_other_on_one_time_axis(xor):
    upper, lower = load("energy").figure(xor).axes
    assert "as they are" in upper.get_ylabel().replace("\n", " ")
    assert "at rest value" in lower.get_ylabel().replace("\n", " ")
    assert upper.get_xlim() == lower.get_xlim()
    assert upper.get_shared_x_axes().joined(upper, lower)


def test_the_overview_has_the_fast_clock_left_and_the_slow_one_right(xor):
    fig = load("overview").figure(xor)
    labels = [ax.get_xlabel() for ax in fig.axes if ax.get_xlabel()]
    assert len(fig.axes) == 6
    assert r"\tau" in labels[0]
    assert r"\delta" in labels[1]
    title = fig.get_suptitle()
    for said in ("2-8-1", "4 samples", r"$\tau$ = 1", r"$\delta$ = 200", r"$\nu$ = 0.1"):
        assert said in title


def test_the_slow_panels_of_the_overview_end_where_learning_does(xor):
    fast, slow = load("overview").figure(xor).axes[::2], load("overview").figure(xor).axes[1::2]
    end = xor.phases[0].t_end / xor.network.delta
    assert [ax.get_xlim() for ax in slow] == [pytest.approx((0.0, end))] * 3
    assert fast[0].get_xlim()[1] == pytest.approx(xor.phases[1].t_end / xor.network.tau)


def test_the_overview_names_nodes_and_errors_and_says_what_bands_are_once(xor):
    few = load("overview").figure(xor).axes
    assert legend_texts(few[0]) == [rf"$x^{{1}}_{{{k}}}$, $\varepsilon^{{1}}_{{{k}}}$" for k in range(8)]
    assert legend_texts(few[2]) == [f"sample {k}" for k in range(4)]
    many = load("overview").figure(RUNS["500 nodes in a layer"]()).axes
    assert "median" in legend_texts(many[0])
    assert legend_texts(many[2]) == []


def test_the_overview_and_the_energies_say_which_energy_falls_and_why(xor):
    for name in ("overview", "energy"):
        said = [ax.get_title(loc="left") for ax in load(name).figure(xor).axes][-2:]
        assert said[0].startswith("$F$ may rise while")


def test_the_overview_marks_delta_on_the_clock_of_the_nodes(xor):
    fig = load("overview").figure(xor)
    dashed = [line for line in fig.axes[0].get_lines() if list(line.get_xdata()) == [200.0, 200.0]]
    assert len(dashed) == 1


def test_recipes_draw_a_run_of_the_simulator_that_was_saved_and_loaded(tmp_path):
    network = pcode.Network(sizes=(2, 4, 1), delta=50.0, nu=0.5)
    X, Y = np.array([[1.0, -1.0], [-1.0, 0.5]]), np.array([[0.5], [-0.5]])
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=200.0),
        pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=200.0),
    ]
    pcode.simulate(network, phases, weights=network.init_weights(0)).save(tmp_path / "run.nc")
    run = pcode.Run.load(tmp_path / "run.nc")
    for name in RECIPES:
        plotting.save_figure(load(name).figure(run), tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_a_clamp_that_changes_from_phase_to_phase_has_its_panel_and_one_that_does_not_its_own_value():
    network = pcode.Network((1, 1, 1))
    clamps = ({0: [[0.5]], 2: [[1.0]]}, {0: [[0.5]], 2: [[2.0]]})
    phases = [pcode.Phase(f"p{k}", clamp, duration=5.0, learn=False) for k, clamp in enumerate(clamps)]
    run = pcode.simulate(network, phases, weights=network.init_weights(rng=0))
    recipe = Recipe.load("node_convergence")

    def told(**options):
        axes = recipe.draw(run, options).axes
        return {ax.get_title(loc="right") for ax in axes}, len(axes)

    both, panels = told()
    assert not any("clamped" in text for text in both)
    second, fewer = told(phase=1)
    assert any("clamped at 2" in text for text in second)
    assert fewer == panels - 1

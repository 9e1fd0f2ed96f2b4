"""Artists by name, legends where they are wanted, and figures of a size that is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from artists import curves, legend_texts
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from synthetic_runs import TEST, TRAIN, Stage, single, synthetic_run, xor

import pcode
from pcode import InputError, plotting
from pcode.cli import main
from pcode.plotting.recipes import Recipe
from pcode.plotting.style import StyledFigure, axes_or_new
from pcode.plotting.styles import Styles

pytestmark = pytest.mark.filterwarnings("error")

PLOTS = Path(__file__).parents[1] / "plots"

# What each function draws with here, and artists that are then on its Axes.
DRAWN = {
    "value_nodes": ((1,), ("lines", "phases", "phase_names", "legend")),
    "error_nodes": ((1,), ("lines", "phases", "phase_names", "legend")),
    "activation_slopes": ((0,), ("lines", "phases", "phase_names", "legend")),
    "weight_drift": ((0,), ("lines", "phases", "phase_names", "legend")),
    "weight_norms": ((), ("M", "W", "beta", "phases", "phase_names", "legend")),
    "trajectory": ((), ("path", "start", "end", "colorbar", "legend")),
}


@pytest.fixture(scope="module")
def run():
    """The textbook scenario, 1-1-1, which has equilibria of all kinds in its plane."""
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="tied")
    phase = pcode.Phase("look", {0: [[1.0]], 2: [[3.0]]}, duration=20.0, learn=False)
    weights = pcode.Weights(M=([[0.5]], [[1.0]]), W=None, beta=([0.0], [0.0]))
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=200))


def artists(ax: Axes) -> int:
    """How many artists there are on the Axes of a figure, ticks aside."""
    shown = [one for panel in ax.figure.axes for one in panel.get_children() if one.get_visible()]
    return len([one for one in shown if not (isinstance(one, Text) and not one.get_text())])


@pytest.mark.parametrize(
    ("name", "artist"), [(name, one) for name, (_, all_) in DRAWN.items() for one in all_]
)
def test_every_artist_can_be_left_out_by_its_name(name, artist):
    function, arguments = getattr(plotting, name), DRAWN[name][0]
    whole = function(xor(), *arguments)
    without = function(xor(), *arguments, styles={artist: False})
    assert artists(without) < artists(whole)
    assert artist in function.__doc__ or "As for" in function.__doc__


@pytest.mark.parametrize("name", DRAWN)
def test_the_docstring_of_a_function_or_of_its_like_names_every_artist(name):
    function = getattr(plotting, name)
    told = function.__doc__ + plotting.value_nodes.__doc__
    assert all(f"``{artist}``" in told for artist in function.artists)


def test_keywords_reach_the_artist_that_they_name_and_no_other():
    ax = plotting.value_nodes(
        single(), 1, styles={"lines": {"lw": 3.0}, "legend": {"ncols": 2}, "x1[2]": {"c": "black"}}
    )
    assert {line.get_linewidth() for line in curves(ax)} == {3.0}
    assert [line.get_color() for line in curves(ax)].count("black") == 1
    assert curves(ax)[2].get_color() == "black"
    assert len(legend_texts(ax)) == 5


def test_a_curve_of_one_sample_or_one_weight_goes_by_its_own_name():
    ax = plotting.value_nodes(xor(), 1, how="lines", styles={"x1[2,3]": {"color": "red"}})
    assert [line.get_color() == "red" for line in curves(ax)] == [k == 2 * 4 + 3 for k in range(32)]
    ax = plotting.weight_drift(xor(), 0, styles={"M0[1, 3]": False})
    assert len(curves(ax)) == 2 * 8 - 1


def test_short_and_long_names_of_a_keyword_are_one_and_styles_go_before_keywords():
    ax = plotting.value_nodes(single(), 1, c="red", linewidth=2.0, styles={"lines": {"color": "blue"}})
    assert {line.get_color() for line in curves(ax)} == {"blue"}
    assert {line.get_linewidth() for line in curves(ax)} == {2.0}
    with pytest.raises(InputError, match="lines"):
        plotting.value_nodes(single(), 1, styles={"lines": {"c": "red", "color": "blue"}})


def test_the_plane_takes_styles_for_each_of_its_artists(run):
    looks = {
        "nullcline_x": {"color": "red"},
        "nullcline_y": {"color": "green"},
        "run": {"color": "blue", "linewidth": 2.5},
        "stable_equilibria": {"markersize": 9.0},
        "unstable_equilibria": {"marker": "D"},
        "stable_manifold": False,
        "flow": False,
        "note": {"color": "purple"},
    }
    window = {"xlim": (-5, 5), "ylim": (-4, 6), "resolution": 61}
    ax = run.plot.phase_plane("x1[0]", "eps2[0]", styles=looks, **window)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert lines["run"].get_color() == "blue"
    assert lines["run"].get_linewidth() == 2.5
    red = {label for label, line in lines.items() if line.get_color() == "red"}
    assert red - {"_nolegend_"} == {r"$\mathrm{d}x^{1}_{0}/\mathrm{d}t = 0$"}
    assert lines["stable focus"].get_markersize() == 9.0
    assert lines["saddle"].get_marker() == "D"
    assert "separatrix: stable manifold" not in lines
    assert not ax.collections  # no streamlines
    assert ax.get_title("left") != ""
    # Under the run, which winds around them.
    assert lines["stable focus"].get_zorder() < lines["run"].get_zorder()


@pytest.mark.parametrize(
    ("styles", "said"),
    [
        ({"line": {}}, "lines"),
        ({"x9": {}}, "x1[0]"),
        ({"lines": "red"}, "keywords"),
        ({"lines": 3}, "keywords"),
        ({"lines": {1: 2}}, "keywords"),
        ("lines", "names of artists"),
        ([("lines", {})], "names of artists"),
    ],
)
def test_what_styles_no_artist_is_refused_in_one_line_with_the_names_there_are(styles, said):
    for function, arguments in ((plotting.value_nodes, (1,)), (plotting.weight_drift, (0,))):
        with pytest.raises(InputError) as caught:
            function(xor(), *arguments, styles=styles)
        assert caught.value.where == "styles"
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_recipe_gives_each_function_its_artists_and_refuses_what_none_has():
    recipe = Recipe.load(str(PLOTS / "weight_drift.py"))
    fig = recipe.draw(xor(), {"styles": {"W": False, "lines": {"color": "red"}}})
    *panels, norms = fig.axes
    assert {line.get_color() for ax in panels for line in curves(ax)} == {"red"}
    assert not [text for text in legend_texts(norms) if "W" in text]
    with pytest.raises(InputError, match="there is no artist 'path'"):
        recipe.draw(xor(), {"styles": {"path": False}})


def test_a_legend_stands_right_of_the_data_below_or_inside():
    places = {}
    for place in ("right", "below", "inside"):
        ax = plotting.value_nodes(single(), 1, legend=place)
        ax.figure.draw_without_rendering()
        places[place] = ax.get_legend().get_window_extent(), ax.get_window_extent(), ax.xaxis.get_tightbbox()
    legend, frame, _ = places["right"]
    assert legend.x0 >= frame.x1
    legend, frame, labels = places["below"]
    assert legend.y1 <= labels.y0
    assert legend.y0 >= 0.0
    legend, frame, _ = places["inside"]
    assert frame.x0 <= legend.x0 <= legend.x1 <= frame.x1
    assert plotting.value_nodes(single(), 1, legend="inside").get_legend().get_frame_on()
    assert plotting.value_nodes(single(), 1, legend=False).get_legend() is None


def test_a_legend_below_has_the_columns_that_the_width_takes():
    counts = []
    for width in (2.0, 3.5, 9.0):
        ax = Figure(figsize=(width, 3.0), layout="constrained").add_subplot()
        plotting.value_nodes(single(), 1, legend="below", ax=ax)
        ax.figure.draw_without_rendering()
        box = ax.get_legend().get_window_extent()
        assert box.x0 >= 0.0
        assert box.x1 <= ax.figure.bbox.width
        rows = {round(text.get_window_extent().y0) for text in ax.get_legend().get_texts()}
        counts.append(len(rows))
    assert counts[0] > counts[-1] == 1


def test_a_legend_goes_below_by_itself_where_it_would_take_more_than_a_quarter_of_the_width(run):
    window = {"xlim": (-5, 5), "ylim": (-4, 6), "resolution": 31}
    below = []
    for size in ("85mm", "250mm"):
        with plotting.style(size=size, font_size=8):
            ax = run.plot.phase_plane("x1[0]", "eps2[0]", **window)
        fig = ax.figure
        fig.draw_without_rendering()
        assert ax.get_window_extent().width > 0.65 * fig.bbox.width
        below.append(ax.get_legend().get_window_extent().y1 < ax.get_window_extent().y0)
    assert below == [True, False]


@pytest.mark.parametrize("legend", ["left", None, 1, "Right"])
def test_a_place_that_is_none_is_refused_in_one_line(legend):
    with pytest.raises(InputError) as caught:
        plotting.weight_norms(xor(), legend=legend)
    assert caught.value.where == "legend"


@pytest.mark.parametrize(
    ("size", "inches"),
    [
        ("85mm", (3.346, None)),
        ("8.5cm", (3.346, None)),
        ("85x60mm", (3.346, 2.362)),
        ("85 x 60 mm", (3.346, 2.362)),
        ("3.3in", (3.3, None)),
        ("one-column", (3.346, None)),
        ("two-columns", (6.890, None)),
        ((3.0, 2.0), (3.0, 2.0)),
    ],
)
def test_a_size_is_a_width_or_a_width_and_a_height(size, inches):
    with plotting.style(size=size):
        fig = plotting.energy(xor()).figure
    width, height = fig.get_size_inches()
    assert width == pytest.approx(inches[0], abs=1e-3)
    if inches[1] is not None:
        assert height == pytest.approx(inches[1], abs=1e-3)


@pytest.mark.parametrize(
    "size", ["85", "85 pt", "mm", "-85mm", "0mm", "5m", "wide", "85x60x10mm", 85, (1,), "1mm", "9000mm"]
)
def test_a_size_that_is_none_is_refused_in_one_line(size):
    with pytest.raises(InputError) as caught, plotting.style(size=size):
        pass
    assert caught.value.where == "size"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("points", [0, -8, 1.0, 500, float("nan"), "8pt"])
def test_a_size_of_text_that_cannot_be_read_is_refused(points):
    with pytest.raises(InputError) as caught, plotting.style(font_size=points):
        pass
    assert caught.value.where == "font_size"


RECIPES = ("node_convergence", "weight_drift", "trajectories", "sliding")
PLANES = ("phase_plane", "slow_manifold", "filmstrip")
ONE = (
    synthetic_run((2, 1), (TRAIN,)),
    synthetic_run((1, 1, 1), (Stage(samples=(0,)), TEST)),
    synthetic_run((2, 8, 1), (TRAIN, TEST)),
)


def drawn(name, run, **options):
    recipe = Recipe.load(str(PLOTS / f"{name}.py"))
    if name == "sliding":
        options["layer"] = 0
    return recipe.draw(run, options)


@pytest.mark.parametrize("size", ["one-column", "two-columns"])
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("run", ONE, ids=["2-1", "1-1-1", "2-8-1"])
def test_recipes_are_laid_out_for_the_width_with_text_of_the_size_asked_for(name, run, size):
    with plotting.style(size=size, font_size=9):
        fig = drawn(name, run)
    check_layout(fig, {"one-column": 85.0, "two-columns": 175.0}[size], 9.0)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["one-column", "two-columns"])
@pytest.mark.parametrize("name", PLANES)
def test_planes_are_laid_out_for_the_width_with_text_of_the_size_asked_for(run, name, size):
    options = {"slow_manifold": {"weight": "M1[0,0]", "limits": [0.2, 2.0]}}.get(name, {})
    with plotting.style(size=size, font_size=8):
        fig = drawn(name, run, **options)
    check_layout(fig, {"one-column": 85.0, "two-columns": 175.0}[size], 8.0)


def check_layout(fig: Figure, width: float, points: float) -> None:
    """Check that a figure has its width, text of its size, nothing cut off and no text over another."""
    fig.draw_without_rendering()
    assert fig.get_figwidth() * 25.4 == pytest.approx(width)
    box, (right, top) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 >= -0.02
    assert box.y0 >= -0.02
    assert box.x1 <= right + 0.02
    assert box.y1 <= top + 0.02
    texts = [one for one in fig.findobj(Text) if one.get_text().strip() and one.get_visible()]
    assert min(text.get_fontsize() for text in texts) >= 7.0 / 8.0 * points - 1e-9
    labels = [axis.label for ax in fig.axes if ax.axison for axis in (ax.xaxis, ax.yaxis)]
    boxes = [label.get_window_extent() for label in labels if label.get_text() and label.get_visible()]
    for k, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:k])


def test_text_stays_text_in_files_that_the_user_saves(tmp_path):
    ax = plotting.energy(xor())
    ax.figure.savefig(tmp_path / "energy.svg")
    assert "layer 1</text>" in (tmp_path / "energy.svg").read_text()
    ax.figure.savefig(tmp_path / "energy.pdf")
    assert b"/Subtype /Type3" not in (tmp_path / "energy.pdf").read_bytes()


def test_ticks_keep_the_size_of_the_style_when_they_are_drawn_outside_of_it():
    with plotting.style(font_size=12):
        ax = plotting.energy(xor())
    ax.figure.draw_without_rendering()
    sizes = {label.get_fontsize() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    assert sizes == {10.5}
    assert ax.xaxis.label.get_fontsize() == 12.0


def test_the_command_draws_a_journal_size_and_refuses_others_with_exit_code_2(tmp_path, capsys):
    xor().save(tmp_path / "run.nc")
    base = ["plot", "node_convergence", str(tmp_path / "run.nc"), "-o", str(tmp_path / "a.svg")]
    styled = ["--set", 'styles={lines={color="black"}, phase_names=false}']
    assert main([*base, "--size", "85mm", "--font-size", "8", *styled]) == 0
    written = (tmp_path / "a.svg").read_text()
    width = float(re.search(r'width="([\d.]+)pt"', written)[1])
    assert width == pytest.approx(85.0 / 25.4 * 72.0, abs=0.1)
    assert ">train</text>" not in written
    capsys.readouterr()
    for bad, said in (
        (["--size", "85"], "--size"),
        (["--size", "tiny"], "one-column"),
        (["--font-size", "0.5"], "--font-size"),
        (["--set", "styles={lins={}}"], "lines"),
        (["--set", 'legend="left"'], "legend"),
    ):
        assert main([*base, *bad]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1


def test_a_constant_has_an_axis_with_zero_and_a_tick_that_says_its_value():
    data = single().data.copy()
    data["x0"] = data["x0"] * 0.0 + 2.0
    ax = plotting.value_nodes(type(single())(data), 0)
    low, high = ax.get_ylim()
    assert low <= 0.0 < 2.0 < high
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "2"]


def test_a_direction_in_which_nothing_moves_has_the_tick_zero_and_no_rounding():
    run = synthetic_run((2, 1), (Stage(samples=(0,)),))
    ax = drawn("trajectories", run).axes[0]
    ax.figure.draw_without_rendering()
    assert ax.get_ylim()[1] - ax.get_ylim()[0] > 1.0
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0"]


def test_a_network_of_one_clamped_link_has_its_errors_across_the_figure():
    fig = drawn("node_convergence", synthetic_run((2, 1), (Stage(samples=(0,)),)))
    (ax,) = fig.axes
    fig.draw_without_rendering()
    assert ax.get_window_extent().width > 0.8 * fig.bbox.width


def test_one_curve_needs_no_legend_unless_it_is_asked_for():
    run = synthetic_run((1, 1, 1), (Stage(samples=(0,)),))
    assert plotting.value_nodes(run, 1).get_legend() is None
    assert plotting.value_nodes(run, 1, legend="right").get_legend() is not None


def test_a_layer_that_is_clamped_throughout_has_no_panel_of_flat_lines():
    run = synthetic_run((1, 1, 1), (Stage(samples=(0,)),))
    fig = drawn("node_convergence", run)
    assert [ax.get_ylabel().split("\n")[0] for ax in fig.axes] == [
        "value nodes of layer 1",
        "error nodes of layer 1",
        "error nodes of layer 2",
    ]
    assert "clamped" in fig.axes[2].get_title("right")
    assert np.all([ax.get_xlabel() for ax in (fig.axes[0], fig.axes[2])])


@pytest.mark.parametrize("size", ["25.4mm", "2.54cm", "1in", "1016mm", "101.6cm", "40in"])
def test_sizes_at_the_bounds_are_taken_in_every_unit(size):
    from pcode.plotting.sizes import parsed_size

    assert parsed_size(size)[0] in (1.0, 40.0)


@pytest.mark.parametrize(
    ("keywords", "where", "said"),
    [
        ({"unit": "ms"}, "unit", ("lines (Line2D)", "value_nodes itself has", "clock")),
        ({"colour": "red"}, "colour", ("lines (Line2D)", "did you mean color?")),
        ({"cmap": "viridis"}, "cmap", ("lines (Line2D)",)),
        ({"how": "heatmap", "linewidt": 1.0}, "linewidt", ("heatmap (QuadMesh)", "did you mean linewidth?")),
        ({"color": "reddish"}, "color", ("'reddish'",)),
        ({"lw": "thick"}, "linewidth", ("'thick'",)),
        ({"xdata": [1.0]}, "xdata", ("lines (Line2D)",)),
        ({"styles": {"lines": {"colour": "red"}}}, "styles", ("lines (Line2D)", "'colour'", "color?")),
        ({"styles": {"x1[0]": {"width": 1.0}}}, "styles", ("x1[0] (Line2D)", "'width'")),
        ({"styles": {"legend": {"column": 2}}}, "styles", ("legend (a legend)", "'column'")),
        ({"styles": {"phase_names": {"size": "huge"}}}, "styles", ("phase_names: fontsize", "'huge'")),
        ({"styles": {"colorbar": {"lable": "a"}}}, "styles", ("a colour bar", "did you mean label?")),
        ({"styles": {"bands": {"color": 3}}}, "styles", ("bands: color",)),
    ],
)
def test_a_keyword_that_no_artist_takes_is_refused_before_anything_is_drawn(keywords, where, said):
    ax = Figure().add_subplot()
    with pytest.raises(InputError) as caught:
        plotting.value_nodes(single(), 1, ax=ax, **keywords)
    assert caught.value.where == where
    assert all(word in str(caught.value) for word in said)
    assert "\n" not in str(caught.value)
    assert not ax.has_data()
    assert ax.get_ylabel() == ""


FUNCTIONS = [one for one in vars(plotting).values() if hasattr(one, "artists")]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_every_artist_has_keywords_and_refuses_one_that_is_none(function):
    for name in function.artists:
        with pytest.raises(InputError, match="zzz"):
            Styles({name: {"zzz": 1}}, function.artists)
        if name not in ("flow", "colorbar", "colorbars", "legend"):
            Styles({name: {"alpha": 0.5, "zorder": 3.0}}, function.artists)
    for name, keywords in (
        ("flow", {"density": 2.0, "linewidth": 1.0}),
        ("colorbar", {"shrink": 0.5, "pad": 0.1, "label": "x", "location": "right"}),
        ("legend", {"loc": "upper left", "ncols": 2, "title": "a", "frameon": True, "fontsize": 6}),
        ("bars", {"height": 0.5, "color": "red"}),
        ("matrix", {"vmin": -1.0, "interpolation": "nearest"}),
        ("heatmap", {"vmax": 1.0, "shading": "flat"}),
        ("arrows", {"mutation_scale": 5.0, "arrowstyle": "->"}),
        ("bands", {"step": "mid", "fc": "red"}),
    ):
        if name in function.artists and (name != "flow" or function is plotting.phase_plane):
            Styles({name: keywords}, function.artists)


def test_a_picture_that_could_not_be_finished_is_not_left_for_pyplot_to_show():
    import matplotlib.pyplot as plt

    def drawn_in_half():
        with axes_or_new(None) as ax:
            ax.plot([0.0, 1.0])
            raise InputError("here", "fails")

    plt.close("all")
    with pytest.raises(InputError):
        drawn_in_half()
    assert not plt.get_fignums()


def test_a_constant_beside_other_curves_fixes_no_axis_of_theirs():
    run = synthetic_run((2, 3, 1), (TRAIN,))
    one, other = Figure().subplots(1, 2, sharey=True)
    run.plot.value_nodes(0, ax=one)
    run.plot.value_nodes(1, ax=other)
    low, high = other.get_ylim()
    shown = np.concatenate([line.get_ydata() for line in other.lines])
    assert low <= np.nanmin(shown)
    assert np.nanmax(shown) <= high
    alone = Figure().add_subplot()
    run.plot.value_nodes(0, ax=alone)
    run.plot.value_nodes(1, ax=alone)
    low, high = alone.get_ylim()
    assert low <= np.nanmin(shown)
    assert np.nanmax(shown) <= high
    assert len(alone.get_yticks()) > 2


def test_a_trajectory_in_space_has_the_style_of_the_others_and_is_pyplot_s_where_that_is_in_use():
    run = synthetic_run((2, 3, 1), (TRAIN,))
    ax = run.plot.trajectory(0, ["x1[0]", "x1[1]", "eps1[0]"])
    assert ax.name == "3d"
    assert isinstance(ax.figure, StyledFigure)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x1[99]", r"there is no x1\[99\] in this run; x1 has indices 0..2"),
        ("x7[0]", r"there is no x7\[0\] in this run; there are x0, x1, x2"),
        ("eps0[0]", r"there is no eps0\[0\] in this run; there are eps1, eps2"),
        ("x1[0,9]", r"x1\[0,9\]: the run does not show sample 9"),
    ],
)
def test_a_style_of_a_curve_that_the_run_does_not_have_is_refused(name, said):
    run = synthetic_run((2, 3, 1), (TRAIN,))
    with pytest.raises(InputError, match=said):
        run.plot.value_nodes(1, styles={name: {"color": "red"}})
    with pytest.raises(InputError, match=said):
        Recipe.load("node_convergence").draw(run, {"styles": {name: False}})

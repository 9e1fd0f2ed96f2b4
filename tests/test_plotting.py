"""The manners of the plots: they change nothing, refuse what is wrong, and write files."""

from __future__ import annotations

import inspect
import subprocess
import sys
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from artists import curves, drawn
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from synthetic_runs import TRAIN, Stage, single, synthetic_run, xor

from pcode import InputError, Status, plotting

pytestmark = pytest.mark.filterwarnings("error")

FUNCTIONS = {
    "value_nodes": (1,),
    "error_nodes": (1,),
    "weight_drift": (0,),
    "weight_norms": (),
    "energy": (),
}


def new_axes() -> Axes:
    return Figure(figsize=(5.0, 3.0), layout="constrained").add_subplot()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_draws_on_the_axes_given_and_returns_it(name):
    ax = new_axes()
    assert getattr(plotting, name)(xor(), *FUNCTIONS[name], ax=ax) is ax
    assert curves(ax)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_makes_its_own_figure_where_no_axes_is_given(name):
    ax = getattr(plotting, name)(xor(), *FUNCTIONS[name])
    assert isinstance(ax.figure, Figure)
    assert ax.figure.axes == [ax]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_changes_a_setting_or_leaves_more_than_its_last_figure_open(name):
    import matplotlib.pyplot as plt

    plt.close("all")
    plt.get_backend()  # which is found when it is first asked for
    before = mpl.rcParams.copy()
    made = [getattr(plotting, name)(xor(), *FUNCTIONS[name], log_time=True).figure for _ in range(3)]
    assert mpl.rcParams.copy() == before
    assert [plt.figure(number) for number in plt.get_fignums()] == made[-1:]
    plt.close("all")


def test_importing_the_plots_imports_no_pyplot_and_changes_no_setting():
    code = (
        "import sys, matplotlib; before = matplotlib.rcParams.copy(); import pcode.plotting; "
        "assert matplotlib.rcParams.copy() == before; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_keywords_of_matplotlib_reach_the_lines(name):
    ax = getattr(plotting, name)(single(), *FUNCTIONS[name], color="tab:pink", linewidth=3.5)
    assert {line.get_color() for line in curves(ax)} == {"tab:pink"}
    assert {line.get_linewidth() for line in curves(ax)} == {3.5}


def test_no_two_curves_of_the_style_are_told_apart_by_hue_alone():
    cycle = list(mpl.rc_params_from_file(plotting.STYLE, use_default_template=False)["axes.prop_cycle"])
    assert len({entry["color"] for entry in cycle}) == len(cycle) >= 8
    for one, other in combinations(cycle, 2):
        lightness = [np.dot(to_rgb(entry["color"]), (0.2126, 0.7152, 0.0722)) for entry in (one, other)]
        assert one["linestyle"] != other["linestyle"] or abs(lightness[0] - lightness[1]) > 0.2


def test_the_style_sheet_is_one_that_pyplot_can_use():
    import matplotlib.pyplot as plt

    with plt.style.context(plotting.STYLE):
        assert mpl.rcParams["svg.fonttype"] == "none"
        assert mpl.rcParams["savefig.dpi"] >= 150


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("how", ["linear", "log"])
def test_a_single_saved_time_is_drawn_as_dots(name, how):
    run = synthetic_run((2, 3, 1), (Stage(status=Status.STEP_TOO_SMALL, rows=1),))
    ax = getattr(plotting, name)(run, *FUNCTIONS[name], log_time=how == "log")
    ax.figure.draw_without_rendering()
    assert any(line.get_linestyle() == "None" for line in ax.get_lines())


def test_a_single_saved_energy_can_have_a_logarithmic_axis():
    run = synthetic_run((2, 3, 1), (Stage(status=Status.STEP_TOO_SMALL, rows=1),))
    ax = plotting.energy(run, "slaved", log_y=True)
    ax.figure.draw_without_rendering()
    assert ax.get_yscale() == "log"


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_no_axis_can_show_are_left_out(name, bad):
    run = synthetic_run((2, 3, 1), (Stage(status=Status.DIVERGED, rows=60),))
    for variable in run.data.data_vars.values():
        if variable.dtype == float:
            variable[-1] = bad
    ax = getattr(plotting, name)(run, *FUNCTIONS[name])
    ax.figure.draw_without_rendering()
    assert all(np.abs(drawn(line)[1]).max() < 1e100 for line in curves(ax))
    assert all(drawn(line)[1].size >= 20 for line in curves(ax))


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda run: plotting.value_nodes(run, 3), "layer"),
        (lambda run: plotting.value_nodes(run, -1), "layer"),
        (lambda run: plotting.value_nodes(run, "hidden"), "layer"),
        (lambda run: plotting.value_nodes(run, True), "layer"),
        (lambda run: plotting.error_nodes(run, 0), "layer"),
        (lambda run: plotting.weight_drift(run, 2), "layer"),
        (lambda run: plotting.weight_drift(run, 0, "beta"), "layer"),
        (lambda run: plotting.weight_drift(run, 0, "V"), "kind"),
        (lambda run: plotting.weight_norms(run, ["M", "V"]), "kind"),
        (lambda run: plotting.weight_norms(run, layers=[0]), "layers"),
        (lambda run: plotting.energy(run, "free"), "which"),
        (lambda run: plotting.energy(run, layers=[]), "layers"),
        (lambda run: plotting.energy(run, log_y="yes"), "log_y"),
        (lambda run: plotting.energy(run, phase="tset"), "phase"),
        (lambda run: plotting.energy(run, phase=2), "phase"),
        (lambda run: plotting.energy(run, phase=1.5), "phase"),
        (lambda run: plotting.energy(run, clock="hour"), "clock"),
        (lambda run: plotting.value_nodes(run, 1, log_time=1), "log_time"),
        (lambda run: plotting.value_nodes(run, 1, how="dots"), "how"),
        (lambda run: plotting.value_nodes(run, 1, legend=None), "legend"),
        (lambda run: plotting.value_nodes(run, 1, samples=[0, 9]), "samples"),
        (lambda run: plotting.value_nodes(run, 1, samples="all"), "samples"),
    ],
)
def test_wrong_options_are_refused_in_one_line_that_names_them(call, where):
    with pytest.raises(InputError) as caught:
        call(xor())
    assert caught.value.where == where
    assert "\n" not in str(caught.value)


def test_a_wrong_option_leaves_the_axes_as_it_was():
    ax = new_axes()
    with pytest.raises(InputError):
        plotting.value_nodes(xor(), 1, how="dots", ax=ax)
    assert not ax.has_data()


def test_whole_numbers_of_numpy_serve_as_layers_phases_and_samples():
    ax = plotting.value_nodes(xor(), np.int64(1), phase=np.int64(0), samples=np.array([0, 2]))
    assert len(curves(ax)) == 16


def test_the_layers_shown_of_a_deep_network_include_the_first_and_the_last():
    run = synthetic_run((1,) * 20, (TRAIN,), nodes=5, weights=3)
    layers = plotting.choose_layers(run, most=6)
    assert len(set(layers)) == 6
    assert layers[0] == 0
    assert layers[-1] == 19


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_run_offers_the_functions_as_methods(name):
    method = getattr(xor().plot, name)
    assert name in dir(xor().plot)
    assert "run" not in inspect.signature(method).parameters
    assert "Parameters" in method.__doc__
    assert "run : Run" not in method.__doc__
    ax, expected = method(*FUNCTIONS[name]), getattr(plotting, name)(xor(), *FUNCTIONS[name])
    for one, other in zip(ax.get_lines(), expected.get_lines(), strict=True):
        np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())


def test_a_png_has_150_dots_an_inch_at_least(tmp_path):
    ax = plotting.energy(xor())
    plotting.save_figure(ax.figure, tmp_path / "energy.PNG")
    with Image.open(tmp_path / "energy.PNG") as image:
        assert image.format == "PNG"
        assert image.width >= 150 * ax.figure.get_figwidth()


def test_a_crowded_png_stays_small(tmp_path):
    fig = Figure(figsize=(7.0, 7.0), layout="constrained")
    noise = np.random.default_rng(0).normal(size=(200, 200))
    fig.add_subplot().pcolormesh(noise)
    plotting.save_figure(fig, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["dpi"] == pytest.approx((160, 160), abs=0.1)
    assert (tmp_path / "a.png").stat().st_size < 300_000


def test_an_svg_keeps_its_text_as_text(tmp_path):
    plotting.save_figure(plotting.energy(xor()).figure, tmp_path / "energy.svg")
    assert "layer 1</text>" in (tmp_path / "energy.svg").read_text()


def test_a_pdf_keeps_its_text_as_text_in_a_truetype_font(tmp_path):
    plotting.save_figure(plotting.energy(xor()).figure, tmp_path / "energy.pdf")
    written = (tmp_path / "energy.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert b"/Subtype /Type3" not in written
    assert b"/FontFile2" in written


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_file(tmp_path, suffix):
    files = [tmp_path / f"{k}.{suffix}" for k in range(2)]
    for file in files:
        plotting.save_figure(plotting.value_nodes(xor(), 1).figure, file)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("name", ["figure", "figure.jpg", "figure.png.txt"])
def test_a_format_that_is_none_of_png_svg_pdf_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf"):
        plotting.save_figure(plotting.energy(xor()).figure, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


class Broken(Artist):
    def draw(self, renderer):
        raise ValueError("no way to draw this")


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file_as_it_was(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    fig = Figure()
    fig.add_artist(Broken())
    with pytest.raises(ValueError, match="no way to draw this"):
        plotting.save_figure(fig, tmp_path / "old.png")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("old.png", b"old")]

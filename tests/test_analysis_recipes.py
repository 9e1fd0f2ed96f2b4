"""The recipes of the questions of the analysis, the spectrum's regions, and tables for notebooks."""

from __future__ import annotations

import ast
import inspect
from html.parser import HTMLParser

import numpy as np
import pytest
from artists import legend_texts
from matplotlib.figure import Figure
from synthetic_runs import TRAIN, Stage, synthetic_run
from test_recipes import PLOTS, load

import pcode
from pcode import InputError, Status, plotting
from pcode.analysis import ask
from pcode.analysis.spectra.rates import EULER, RK45, stability_border
from pcode.cli import main

pytestmark = pytest.mark.filterwarnings("error")

RECIPES = ("backprop", "certificate", "convergence", "equilibrium", "separation", "spectrum", "stability")
QUICK = {
    "certificate": {"span": 5.0},
    "separation": {"ratios": [50.0, 100.0], "duration": 2.0},
    "spectrum": {"moments": 3},
    "stability": {"mixes": [0.0, 0.5, 1.0], "gains": [0.5, 1.0]},
}
X, Y = np.array([[1.0, -1.0], [-1.0, 0.5]]), np.array([[0.5], [-0.5]])


@pytest.fixture(scope="module")
def run():
    network = pcode.Network(sizes=(2, 3, 1), delta=50.0, nu=1.0)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=200.0),
        pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=200.0),
    ]
    return pcode.simulate(network, phases, weights=network.init_weights(0), save=pcode.Save(30, 15))


@pytest.fixture(scope="module")
def generating():
    """Only the output is clamped, and the weights are held: little can be asked of it."""
    network = pcode.Network(sizes=(2, 3, 1), delta=50.0, nu=1.0, node_decay=0.1)
    phase = pcode.Phase("generate", {2: Y}, learn=False, duration=20.0)
    return pcode.simulate(network, [phase], weights=network.init_weights(0), save=pcode.Save(10, 2))


@pytest.mark.parametrize("name", RECIPES)
def test_every_question_with_a_figure_has_a_recipe_that_draws_it_with_nothing_cut_off(run, name):
    fig = load(name).figure(run, **QUICK.get(name, {}))
    assert isinstance(fig, Figure)
    fig.draw_without_rendering()
    width, height = fig.get_size_inches()
    box = fig.get_tightbbox()
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01
    for ax in fig.axes:
        assert ax.get_xlabel()


@pytest.mark.parametrize("name", RECIPES)
def test_what_cannot_be_asked_of_a_run_is_told_in_one_line(generating, name):
    if name in ("equilibrium", "spectrum", "convergence", "certificate", "stability"):
        assert isinstance(load(name).figure(generating, **QUICK.get(name, {})), Figure)
    else:
        with pytest.raises(InputError) as caught:
            load(name).figure(generating)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_of_questions_have_captions_and_typed_options(name):
    module = load(name)
    first, blank, rest = module.__doc__.split("\n", 2)
    assert first.endswith(".")
    assert blank == ""
    assert rest.count(". ") + rest.count(".\n") >= 3
    assert "tau" in rest
    _, *options = inspect.signature(module.figure, eval_str=True).parameters.values()
    assert all(option.default is not inspect.Parameter.empty for option in options)
    assert all(option.annotation is not inspect.Parameter.empty for option in options)
    imported = [node for node in ast.walk(ast.parse((PLOTS / f"{name}.py").read_text()))
                if isinstance(node, ast.ImportFrom)]  # fmt: skip
    assert {node.module for node in imported if node.module.startswith("pcode")} == {"pcode"}


def test_pcode_plot_takes_questions_by_name_with_their_options(run, tmp_path, capsys):
    run.save(tmp_path / "run.nc")
    target = str(tmp_path / "separation.png")
    options = ["--set", "ratios=[50.0,100.0]", "--set", "duration=2.0"]
    assert main(["plot", "separation", str(tmp_path / "run.nc"), "-o", target, *options]) == 0
    assert capsys.readouterr().out.strip() == target
    assert main(["plot", "separation", str(tmp_path / "run.nc"), "--set", "tolerance=2.0"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "tolerance" in told


def test_a_run_that_failed_at_once_is_told_in_one_line():
    failed = synthetic_run((2, 3, 1), (Stage(status=Status.NONLINEAR_FAILURE, rows=1),))
    with pytest.raises(InputError, match="no time passed"):
        load("spectrum").figure(failed)
    with pytest.raises(InputError, match="moments"):
        load("spectrum").figure(synthetic_run((1, 1, 1), (TRAIN,)), moments=1)


def test_the_stability_region_of_euler_is_a_circle_and_that_of_rk45_ends_at_its_published_border():
    """Hairer and Wanner 1996, IV.2: |1 + z| <= 1, and for Dormand and Prince's method -3.307 <= z."""
    border = stability_border(EULER, 50)
    np.testing.assert_allclose(np.abs(1.0 + border), 1.0, atol=1e-6)
    assert border[0].real == pytest.approx(-2.0)
    assert stability_border(RK45, 2)[0].real == pytest.approx(-3.3066, abs=1e-3)
    assert (border.imag >= 0.0).all()


def test_eigenvalues_of_all_moments_lie_within_the_regions_that_are_drawn(run):
    answer = ask(run, "spectrum", {"moments": 4, "phase": "train"})
    ax = plotting.spectrum(answer)
    labels = legend_texts(ax)
    assert labels[:2] == ["nodes", "weights, nodes at rest"]
    assert sum(label.startswith("stable for") for label in labels) == 2
    points = [line for line in ax.get_lines() if line.get_marker() in ("o", "D")]
    assert len(points) == 2 * 4
    euler = next(line for line in ax.get_lines() if "Euler" in str(line.get_label()))
    h = -2.0 / np.min(euler.get_xdata())
    for line in points:
        values = np.asarray(line.get_xdata()) + 1j * np.asarray(line.get_ydata())
        assert (np.abs(1.0 + h * values[values.real < 0.0]) <= 1.0 + 1e-6).all()
    assert len(plotting.spectrum(answer, regions=False).get_lines()) == len(ax.get_lines()) - 2
    assert "course_parts" not in answer.to_dict()


class Cells(HTMLParser):
    """Collects the rows of a table and whether its tags close."""

    def __init__(self):
        super().__init__()
        self.open, self.rows, self.caption = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1].append(data)


def parsed(text):
    cells = Cells()
    cells.feed(text)
    assert cells.open == []
    return cells


def test_a_run_shows_itself_as_a_table_with_a_row_for_each_phase(run):
    found = parsed(run._repr_html_())
    assert "2-3-1, 2 samples" in found.caption
    assert [row[0] for row in found.rows] == ["phase", "train", "test"]
    assert found.rows[2][1] == "equilibrium"
    assert found.rows[1][-1] == f"{run.phases[0].stats.steps:,}"


def test_an_answer_shows_its_lines_as_a_table(run):
    answer = ask(run, "equilibrium")
    found = parsed(answer._repr_html_())
    assert [row[0] for row in found.rows] == [line.strip() for line in answer.lines()]


def test_names_of_phases_cannot_break_the_table():
    stage = Stage("a <b> & c")
    assert parsed(synthetic_run((1, 1, 1), (stage,))._repr_html_()).rows[1][0] == "a <b> & c"


def test_the_style_sheet_serves_pyplot_and_the_plots_of_a_run_are_found_by_name(run):
    import matplotlib.style

    with matplotlib.style.context(plotting.STYLE):
        assert isinstance(run.plot.energy(), matplotlib.axes.Axes)
    drawing = {"value_nodes", "error_nodes", "energy", "trajectory", "step_sizes", "weight_matrix"}
    assert drawing <= set(dir(run.plot))
    assert all(name in repr(run.plot) for name in drawing)

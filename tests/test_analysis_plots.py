"""Pictures of answers: their curves are the answer's numbers, their axes say what they are."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

import pcode
from pcode import InputError, plotting
from pcode.analysis import Result, ask
from pcode.analysis.certificate import Certificate, Check


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(6)
    X, Y = rng.standard_normal((3, 2)), rng.standard_normal((3, 1))
    network = pcode.Network((2, 3, 1), delta=300.0, nu=4.0)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=600.0),
        pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=200.0),
    ]
    return pcode.simulate(network, phases, weights=network.init_weights(1), save=pcode.Save(60, 30))


@pytest.fixture(scope="module")
def answers(run):
    options = {"backprop": {"ratios": []}}
    return {name: ask(run, name, options.get(name)) for name in ("backprop", "convergence", "certificate")}


def curve(ax, label):
    (line,) = [line for line in ax.get_lines() if line.get_label() == label]
    return line


def test_angles_are_drawn_against_time_and_against_the_output_variance(answers):
    answer = answers["backprop"]
    ax = answer.plot()
    line = curve(ax, "flow of $M^{1}$")
    np.testing.assert_array_equal(line.get_xdata(), answer.times - answer.times[0])
    np.testing.assert_array_equal(line.get_ydata(), answer.course.flow_angle[:, 1])
    assert ax.get_ylabel() == "angle to the gradient (degrees)"
    ax = plotting.backprop(answer, "variance", color="red")
    line = curve(ax, r"$\varepsilon^{2}$")
    np.testing.assert_array_equal(line.get_xdata(), answer.variances)
    np.testing.assert_array_equal(line.get_ydata(), answer.by_variance.error_angle[:, 1])
    assert line.get_color() == "red"
    assert ax.get_xscale() == ax.get_yscale() == "log"
    with pytest.raises(InputError, match="against: must be one of time, variance, not 'nu'"):
        plotting.backprop(answer, "nu")


def test_distances_from_rest_are_drawn_with_the_slowest_eigenvalue(answers):
    answer = answers["convergence"]
    found = answer.phases[0]
    ax = answer.plot(phase="train", log_time=True)
    shown = found.times > 0.0
    np.testing.assert_array_equal(curve(ax, "$x^{1}$").get_ydata(), found.value_distance[shown, 1])
    np.testing.assert_array_equal(curve(ax, r"$\varepsilon^{2}$").get_ydata(), found.error_distance[shown, 1])
    falling = curve(ax, "slowest\neigenvalue")
    slope = np.polyfit(falling.get_xdata(), np.log(falling.get_ydata()), 1)[0]
    assert slope == pytest.approx(found.slowest.real, rel=1e-9)
    assert "$x^{0}$" not in [line.get_label() for line in ax.get_lines()]  # clamped
    with pytest.raises(InputError, match="phase: no such phase with an equilibrium; the answer has 0 "):
        answer.plot(phase="x")


def test_fitted_lines_fall_at_the_fitted_rates_where_the_distances_were_fitted(answers):
    found = answers["convergence"].phases[1]
    ax = answers["convergence"].plot(phase="test")
    thin = [line for line in ax.get_lines() if line.get_linewidth() == 0.6]
    rates = np.concatenate([found.value_rate, found.error_rate])
    starts = np.concatenate([found.value_fit, found.error_fit])[:, 0]
    shown = np.isfinite(rates)
    assert len(thin) == shown.sum() > 0
    for line, rate, start in zip(thin, rates[shown], starts[shown], strict=True):
        t, d = line.get_data()
        assert t[0] == start
        np.testing.assert_allclose(np.diff(np.log(d)), -rate * np.diff(t), rtol=1e-6)
    ends = f"{rates[shown].min():.3g}", f"{rates[shown].max():.3g}"
    assert thin[0].get_label() == "fitted rates\n" + " to ".join(dict.fromkeys(ends))


def test_every_check_with_a_figure_has_a_row(answers):
    answer = answers["certificate"]
    ax = answer.plot()
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == ["equilibrium", "tolerance", "solver", "feedback"]
    points = [line for line in ax.get_lines() if line.get_marker() in ("o", "X")]
    solver = next(check for check in answer.checks if check.name == "solver")
    assert points[rows.index("solver")].get_xdata()[0] == solver.figure


def test_a_check_says_its_number_and_the_most_that_passes_where_they_stand():
    checks = (
        Check("equilibrium", "pass", 0.0, 1e-6, ""),
        Check("tolerance", "fail", 3.14159e-3, 1e-4, ""),
        Check("solver", "pass", 9.21e-7, 2.5e-4, ""),
    )
    ax = plotting.certificate(Certificate("train", 1.0, True, checks))
    ax.figure.draw_without_rendering()
    said = [text.get_text() for text in ax.texts]
    assert said == [
        "$0$",
        "$10^{-6}$",
        "$0.0031$",
        "$10^{-4}$",
        r"$9.2\times 10^{-7}$",
        r"$2.5\times 10^{-4}$",
    ]
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    inside = ax.get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def test_a_course_of_angles_has_as_many_points_as_a_curve_needs(run):
    saved = int((run.data["phase"] == 0).sum())
    assert ask(run, "backprop", {"ratios": [], "variances": [1.0]}).times.size == min(saved, 200)


@pytest.mark.parametrize("question", ["backprop", "convergence", "certificate"])
def test_an_axes_that_is_given_is_drawn_on_and_settings_stay(answers, question):
    before = dict(rcParams)
    ax = Figure().add_subplot()
    assert answers[question].plot(ax) is ax
    assert dict(rcParams) == before
    assert ax.get_lines()


def test_an_answer_without_a_figure_says_which_questions_have_one():
    class Mood(Result):
        question = "mood"

    with pytest.raises(InputError, match="question: there is no figure of mood; there are those of backprop"):
        Mood().plot()

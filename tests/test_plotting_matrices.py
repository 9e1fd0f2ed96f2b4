"""Weights as matrices, feedback against prediction weights, and their angle."""

from __future__ import annotations

import numpy as np
import pytest
from artists import curves, drawn, legend_texts
from matplotlib.figure import Figure
from synthetic_runs import TEST, Stage, synthetic_run, xor

from pcode import InputError, plotting
from pcode.plotting.matrices import angles

pytestmark = pytest.mark.filterwarnings("error")


def image(ax):
    (one,) = ax.images
    return one


def test_the_three_matrices_are_start_end_and_difference_on_one_scale_about_zero():
    run = xor()
    M = run.data["M0"].to_numpy()
    shown = {}
    for when in ("before", "after", "change"):
        shown[when] = image(run.plot.weight_matrix(0, when=when))
    np.testing.assert_array_equal(shown["before"].get_array(), M[0])
    np.testing.assert_array_equal(shown["after"].get_array(), M[-1])
    np.testing.assert_array_equal(shown["change"].get_array(), M[-1] - M[0])
    limits = {one.get_clim() for one in shown.values()}
    largest = max(np.abs(M[0]).max(), np.abs(M[-1]).max(), np.abs(M[-1] - M[0]).max())
    assert limits == {(-largest, largest)}


def test_feedback_weights_have_their_own_shape_and_axes():
    run = xor()
    ax = run.plot.weight_matrix(1, "W")
    assert image(ax).get_array().shape == (1, 8)
    assert ax.get_ylabel() == "node of layer 2"
    assert ax.get_xlabel() == "node of layer 1"
    assert [tick for tick in ax.get_yticks() if tick != 0] == []


def test_a_phase_in_which_weights_are_held_has_no_change():
    ax = xor().plot.weight_matrix(0, when="change", phase="test")
    assert not np.any(image(ax).get_array())


def test_a_scale_that_is_given_and_keywords_of_matplotlib_are_kept():
    ax = Figure().add_subplot()
    assert plotting.weight_matrix(xor(), 0, largest=9.0, colorbar=False, ax=ax, cmap="PuOr") is ax
    assert image(ax).get_clim() == (-9.0, 9.0)
    assert image(ax).get_cmap().name == "PuOr"
    assert len(ax.figure.axes) == 1


def test_the_scatter_pairs_each_feedback_weight_with_its_counterpart():
    run = synthetic_run((3, 4), (Stage(),), feedback="fixed")
    before, after = (line for line in run.plot.feedback_scatter(0).get_lines() if line.get_marker() in "o.")
    M, W = run.data["M0"].to_numpy(), run.data["W0"].to_numpy()
    for line, row in ((before, 0), (after, -1)):
        for i in range(3):
            for j in range(4):
                assert (M[row, i, j], W[row, j, i]) in set(zip(*line.get_data(), strict=True))


def test_the_angle_is_that_of_a_rotation_in_the_plane():
    theta = np.array([0.0, 1e-10, 0.3, 0.5 * np.pi, np.pi])
    M = np.zeros((5, 1, 2))
    M[:, 0, 0] = 3.0
    W = 0.01 * np.stack([np.cos(theta), np.sin(theta)], axis=1)[:, :, None]
    np.testing.assert_allclose(angles(M, W), np.degrees(theta), rtol=1e-9, atol=1e-18)


def test_the_angle_to_a_matrix_of_zeros_or_of_numbers_too_large_is_left_out():
    M, W = np.ones((3, 1, 2)), np.ones((3, 2, 1))
    M[1], W[2, 0, 0] = 0.0, 1e200
    np.testing.assert_array_equal(np.isnan(angles(M, W)), [False, True, True])


def test_learned_feedback_that_starts_as_the_transpose_stays_at_angle_zero():
    """Fact 5 of the model."""
    ax = xor().plot.feedback_angle()
    assert legend_texts(ax) == [r"$\theta^{0}$", r"$\theta^{1}$"]
    for line in curves(ax):
        t, theta = drawn(line)
        assert np.abs(theta).max() < 1e-5
        assert t[-1] == pytest.approx(xor().data["weight_time"].to_numpy()[-1] / 200.0)
    assert ax.get_ylim()[1] >= 90.0  # rounding does not fill the picture


@pytest.mark.parametrize(
    ("function", "arguments", "where"),
    [
        ("weight_matrix", {"layer": 2}, "layer"),
        ("weight_matrix", {"layer": 0, "kind": "beta"}, "kind"),
        ("weight_matrix", {"layer": 0, "when": "now"}, "when"),
        ("weight_matrix", {"layer": 0, "largest": -1.0}, "largest"),
        ("weight_matrix", {"layer": 0, "largest": "much"}, "largest"),
        ("weight_matrix", {"layer": 0, "phase": "x"}, "phase"),
        ("feedback_scatter", {"layer": -1}, "layer"),
        ("feedback_angle", {"layers": [2]}, "layers"),
    ],
)
def test_wrong_options_are_named(function, arguments, where):
    with pytest.raises(InputError) as caught:
        getattr(plotting, function)(xor(), **arguments)
    assert caught.value.where == where


def test_tied_feedback_has_nothing_to_compare():
    run = synthetic_run((2, 3, 1), (Stage(), TEST), feedback="tied")
    for draw in (run.plot.feedback_scatter, run.plot.feedback_angle):
        with pytest.raises(InputError, match="tied"):
            draw(0)

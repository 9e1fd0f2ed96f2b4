"""Paths of the nodes: coordinates, principal components, time as colour."""

from __future__ import annotations

import numpy as np
import pytest
from artists import legend_texts
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from synthetic_runs import TEST, TRAIN, Stage, synthetic_run, xor

from pcode import InputError, Status, plotting
from pcode.plotting import principal_components

pytestmark = pytest.mark.filterwarnings("error")


def marks(ax):
    return {line.get_label(): line.get_xydata()[0] for line in ax.get_lines() if line.get_label()[0] != "_"}


def test_components_of_an_ellipse_are_its_axes():
    """Of points (3 cos, sin) the variances are 9/2 and 1/2, so the shares 0.9 and 0.1."""
    phi = 2.0 * np.pi * np.arange(100) / 100
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    points = np.stack([3.0 * np.cos(phi), np.sin(phi)], axis=1) @ turn + [5.0, -7.0]
    directions, shares = principal_components(points)
    np.testing.assert_allclose(directions.T, [[0.6, 0.8], [0.8, -0.6]], atol=1e-12)
    np.testing.assert_allclose(shares, [0.9, 0.1], atol=1e-12)


def test_points_on_a_line_have_one_component_and_those_that_do_not_move_none():
    directions, shares = principal_components(np.outer(np.arange(5.0), [3.0, 4.0]))
    np.testing.assert_allclose(directions[:, 0], [0.6, 0.8])
    np.testing.assert_allclose(shares, [1.0, 0.0], atol=1e-15)
    np.testing.assert_array_equal(principal_components(np.ones((4, 1)))[1], [0.0, 0.0])


def test_chosen_nodes_are_the_axes_and_the_ends_are_marked():
    run = xor()
    ax = run.plot.trajectory(2, ["x1[3]", "eps2[0]"], phase="train")
    rows = run.data["phase"].to_numpy() == 0
    x, eps = run.data["x1"].to_numpy()[rows, 2, 3], run.data["eps2"].to_numpy()[rows, 2, 0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x^{1}_{3}$", r"$\varepsilon^{2}_{0}$")
    np.testing.assert_array_equal(marks(ax)["start"], [x[0], eps[0]])
    np.testing.assert_array_equal(marks(ax)["end"], [x[-1], eps[-1]])
    (path,) = ax.collections
    np.testing.assert_array_equal([piece[0] for piece in path.get_segments()], np.stack([x, eps], 1)[:-1])
    assert legend_texts(ax) == ["start", "end"]


def test_colours_are_times_since_the_start_of_the_phase_logarithmic_where_it_is_long():
    run = xor()
    (long,) = run.plot.trajectory(0, phase="train").collections
    assert isinstance(long.norm, LogNorm)
    assert (long.norm.vmin, long.norm.vmax) == pytest.approx((0.01, 4000.0))
    assert np.all(np.diff(long.get_array()) > 0.0)


@pytest.mark.parametrize(("power", "logarithmic"), [(1.0, False), (0.5, False), (0.2, True)])
def test_colours_of_a_short_phase_are_logarithmic_where_half_of_the_path_lies_in_its_first_tenth(
    power, logarithmic
):
    run = xor()  # from 0 to 1 as the power of the time: 0.1, 0.32 or 0.63 of it in the first tenth
    rows = np.flatnonzero(run.data["phase"].to_numpy() == 1)
    t = run.data["time"].to_numpy()[rows]
    run.data["x1"][rows, 0, 0] = run.data["x1"][rows, 0, 1] = ((t - t[0]) / (t[-1] - t[0])) ** power
    (short,) = run.plot.trajectory(0, ["x1[0]", "x1[1]"], phase="test").collections
    assert isinstance(short.norm, LogNorm) is logarithmic
    assert short.norm.vmax == pytest.approx(50.0)


def test_axes_of_components_say_their_shares_which_are_those_of_the_covariance():
    run = xor()
    ax = run.plot.trajectory(1, phase="train")
    rows = run.data["phase"].to_numpy() == 0
    names = ("x0", "x1", "x2", "eps1", "eps2")
    whole = np.concatenate([run.data[name].to_numpy()[rows, 1] for name in names], axis=1)
    values = np.sort(np.linalg.eigvalsh(np.cov(whole.T)))[::-1]
    shares = 100.0 * values / values.sum()
    assert ax.get_xlabel() == f"PC 1: {shares[0]:.3g}% of variance"
    assert ax.get_ylabel() == f"PC 2: {shares[1]:.3g}% of variance"


def test_components_of_all_samples_are_the_same_for_each():
    run = xor()
    labels = {run.plot.trajectory(k, together=True).get_xlabel() for k in range(4)}
    assert len(labels) == 1
    assert labels != {run.plot.trajectory(0).get_xlabel()}


def test_three_nodes_are_drawn_in_space():
    ax = xor().plot.trajectory(0, ["x1[0]", "x1[1]", "eps1[0]"])
    assert ax.name == "3d"
    assert ax.get_zlabel() == r"$\varepsilon^{1}_{0}$"
    with pytest.raises(InputError, match="projection"):
        xor().plot.trajectory(0, ["x1[0]", "x1[1]", "eps1[0]"], ax=Figure().add_subplot())


def test_the_last_phase_that_learns_is_drawn_or_else_the_last_that_lasts():
    assert plotting.moving_phase(xor()) == 0
    assert plotting.moving_phase(synthetic_run((1, 1, 1), (TEST, TEST))) == 1
    failed = synthetic_run((2, 3, 1), (TRAIN, Stage("more", status=Status.DIVERGED, rows=1)))
    assert plotting.moving_phase(failed) in (0, 1)


def test_values_that_are_no_numbers_are_left_out():
    run = synthetic_run((2, 3, 1), (TRAIN,))
    run.data["x1"].to_numpy()[40:] = np.nan
    ax = run.plot.trajectory(0)
    assert len(ax.collections[0].get_segments()) == 39
    run.data["x1"].to_numpy()[:] = np.nan
    with pytest.raises(InputError, match="no finite values"):
        run.plot.trajectory(0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nodes": ["x1[0]"]}, "nodes: must be two or three"),
        ({"nodes": ["x1", "x1[0]"]}, "nodes: must be named like"),
        ({"nodes": ["x1.0", "x1[0]"]}, 'nodes: must be named like "x1[0]"'),
        ({"nodes": ["M0[0,0]", "x1[0]"]}, "nodes: must be named like"),
        ({"nodes": ["eps0[0]", "x1[0]"]}, "nodes: must be a layer from 1 to 2"),
        ({"nodes": ["x1[8]", "x1[0]"]}, "nodes: layer 1 has nodes 0 to 7, and no 8"),
        ({"nodes": 3}, "nodes: must be two or three"),
        ({"sample": [0, 1]}, "sample: must be the number of one sample"),
        ({"sample": 4}, "samples: sample 4"),
        ({"phase": "x"}, "phase: there is no phase 'x'"),
        ({"phase": ["train", "test"]}, "phase: must be the index or the name of one phase"),
        ({"together": 1}, "together: must be true or false"),
    ],
)
def test_wrong_options_are_told_in_one_line(options, said):
    with pytest.raises(InputError) as caught:
        xor().plot.trajectory(**options)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)

"""Zero curves, fixed points of the plane and continuation, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from pcode.analysis.manifolds.continuation import Equations, follow
from pcode.analysis.planes.fixed_points import kind_of
from pcode.analysis.planes.nullclines import zero_curves


def curves_of(function, n=41, reach=2.0):
    x = np.linspace(-reach, reach, n)
    y = np.linspace(-reach, reach, n + 2)
    X, Y = np.meshgrid(x, y)
    return zero_curves(x, y, function(X, Y), lambda points, cells: function(points[:, 0], points[:, 1]))


def test_a_circle_is_one_closed_branch_with_every_vertex_on_it():
    (circle,) = curves_of(lambda x, y: x**2 + y**2 - 1.3)
    assert (circle[0] == circle[-1]).all()
    np.testing.assert_allclose((circle**2).sum(axis=1), 1.3, rtol=1e-8)


def test_the_two_branches_of_a_hyperbola_stay_two():
    branches = curves_of(lambda x, y: x * y - 0.2)
    assert len(branches) == 2
    for branch in branches:
        assert (np.sign(branch[:, 0]) == np.sign(branch[0, 0])).all()
        np.testing.assert_allclose(branch.prod(axis=1), 0.2, rtol=1e-8)


def test_a_closed_and_an_open_branch_are_both_found():
    # Elliptic curve y^2 = x^3 - x: an oval for -1 <= x <= 0, and an open branch from x = 1 on.
    branches = curves_of(lambda x, y: x**3 - x - y**2, n=81)
    closed = [bool((branch[0] == branch[-1]).all()) for branch in branches]
    assert sorted(closed) == [False, True]
    (oval,) = [branch for branch, is_closed in zip(branches, closed, strict=True) if is_closed]
    assert oval[:, 0].max() < 1e-3
    assert oval[:, 0].min() > -1.001


@pytest.mark.parametrize(
    "function",
    [lambda x, y: np.where(x + 0.1 * y < 0.013, -1.0, 1.0), lambda x, y: 1.0 / (x + 0.1 * y - 0.013)],
    ids=["a jump", "a pole"],
)
def test_a_change_of_sign_without_a_zero_is_no_curve(function):
    assert curves_of(function) == ()


def test_a_curve_is_parted_where_the_function_has_no_value():
    branches = curves_of(lambda x, y: np.where(np.abs(x) < 0.3, np.nan, y - 0.5 * x - 0.01))
    assert len(branches) == 2
    assert max(branches[0][:, 0].min(), branches[1][:, 0].min()) > 0.25


def test_a_curve_is_parted_where_it_jumps_from_one_branch_to_another():
    branches = curves_of(lambda x, y: y - np.where(x < 0.013, -1.0, 1.0))
    assert len(branches) == 2
    for branch in branches:
        assert np.ptp(branch[:, 1]) < 1e-6


def length(branches):
    return sum(np.linalg.norm(np.diff(branch, axis=0), axis=1).sum() for branch in branches)


# With 41 x 43 points from -2 to 2, x = 0, y = 0 and x = y = 0 are a column, a row and a point of the grid.
STRAIGHT = {
    "a row": (lambda x, y: y, 4.0),
    "a row of rounding": (lambda x, y: np.where(y == 0.0, 3e-17 * np.sin(40.0 * x), y), 4.0),
    "a column": (lambda x, y: x * (3.0 + y), 4.0),
    "the first row": (lambda x, y: y + 2.0, 4.0),
    "the last column": (lambda x, y: x - 2.0, 4.0),
    "a row that is touched": (lambda x, y: y**2, 4.0),
    "a row and a column": (lambda x, y: x * y, 8.0),
    "the border of an area": (lambda x, y: np.maximum(x, 0.0), 4.0),
    "half of a row": (lambda x, y: np.where(x > 0.04, np.nan, y), 2.0),
    "a row that ends at another": (lambda x, y: np.where(y >= 0.0, y * (x - 0.1), y), 6.0),
}


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("function", "expected"), STRAIGHT.values(), ids=STRAIGHT.keys())
def test_a_curve_along_points_of_the_grid_is_there_once_and_whole(function, expected, sign):
    branches = curves_of(lambda x, y: sign * function(x, y))
    assert length(branches) == pytest.approx(expected, abs=1e-9)
    points = np.concatenate(branches)
    np.testing.assert_allclose(function(*points.T), 0.0, atol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_diagonal_through_points_of_the_grid_is_one_branch(sign):
    x = np.linspace(-1.0, 1.0, 41)
    X, Y = np.meshgrid(x, x)
    (branch,) = zero_curves(x, x, sign * (Y - X), lambda q, cells: sign * (q[:, 1] - q[:, 0]))
    np.testing.assert_allclose(branch[:, 0], branch[:, 1], atol=1e-12)
    assert length([branch]) == pytest.approx(2.0 * np.sqrt(2.0))


def test_a_circle_through_points_of_the_grid_is_one_closed_branch():
    (circle,) = curves_of(lambda x, y: x**2 + y**2 - 1.0)  # through (1, 0) and (0, 1), among others
    assert (circle[0] == circle[-1]).all()
    np.testing.assert_allclose((circle**2).sum(axis=1), 1.0, rtol=1e-8)
    assert length([circle]) == pytest.approx(2.0 * np.pi, rel=2e-3)


def test_where_everything_is_zero_there_is_no_curve():
    assert curves_of(lambda x, y: 0.0 * x) == ()


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[-1.0, 0.0], [0.0, -2.0]], ("node", True)),
        ([[1.0, 0.0], [0.0, 2.0]], ("node", False)),
        ([[-0.1, 1.0], [-1.0, -0.1]], ("focus", True)),
        ([[0.1, 1.0], [-1.0, 0.1]], ("focus", False)),
        ([[0.0, 1.0], [-1.0, 0.0]], ("centre", False)),
        ([[0.0, 1.0], [1.0, 0.0]], ("saddle", False)),
        ([[-1.0, 1.0], [1.0, -1.0]], ("degenerate", False)),
    ],
)
def test_the_kind_of_a_fixed_point_follows_from_trace_and_determinant(matrix, expected):
    assert kind_of(np.linalg.eigvals(np.array(matrix))) == expected


def test_continuation_passes_both_folds_of_a_cubic_where_its_slope_is_zero():
    # w = z^3 - z turns at z = -+1/sqrt(3), w = +-2/(3 sqrt(3)).
    system = Equations(
        lambda u: np.array([u[0] ** 3 - u[0] - u[1]]),
        lambda u: np.array([[3 * u[0] ** 2 - 1, -1.0]]),
        np.ones(2),
        lambda u: bool(np.abs(u[0]) < 2.0),
    )
    curve = follow(system, np.array([0.0, 0.0]))
    np.testing.assert_allclose(curve.points[:, 1], curve.points[:, 0] ** 3 - curve.points[:, 0], atol=1e-9)
    folds = curve.points[curve.folds]
    folds = folds[np.argsort(folds[:, 0])]
    np.testing.assert_allclose(folds[:, 0], [-1 / np.sqrt(3), 1 / np.sqrt(3)], atol=1e-7)
    np.testing.assert_allclose(folds[:, 1], [2 / 3**1.5, -2 / 3**1.5], atol=1e-10)
    assert not curve.closed
    assert np.abs(curve.points[[0, -1], 0]).min() >= 2.0


def test_continuation_closes_a_circle_and_finds_the_two_places_where_it_turns():
    system = Equations(
        lambda u: np.array([u @ u - 1.0]),
        lambda u: 2.0 * u[None],
        np.ones(2),
        lambda u: True,
    )
    curve = follow(system, np.array([np.cos(0.3), np.sin(0.3)]))
    assert curve.closed
    np.testing.assert_allclose(np.linalg.norm(curve.points, axis=1), 1.0, atol=1e-9)
    length = np.linalg.norm(np.diff(curve.points, axis=0), axis=1).sum()
    assert length == pytest.approx(2 * np.pi, rel=1e-3)
    np.testing.assert_allclose(np.sort(curve.points[curve.folds, 1]), [-1.0, 1.0], atol=1e-9)

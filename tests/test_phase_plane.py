"""Phase planes of networks whose nullclines and equilibria are known in closed form."""

from __future__ import annotations

import re

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis.planes.plane import phase_plane


def two_nodes(m, w, nu, y=1.0):
    """Linear 1-1, layer 1 clamped at y: x^0 and eps^1 are all there is."""
    network = pcode.Network(sizes=(1, 1), activation="identity", nu=nu, feedback="fixed")
    weights = pcode.Weights(([[m]],), ([[w]],), ([0.0],))
    phase = pcode.Phase("hold", {1: [[y]]}, duration=2.0, learn=False)
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=30))


def seen(u, m=1.0, prior=3.0, duration=20.0):
    """The textbook scenario with light u: at rest 2 m^2 v^3 + (1 - 2 u m) v - prior = 0."""
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="tied")
    phase = pcode.Phase("look", {0: [[1.0]], 2: [[u]]}, duration=duration, learn=False)
    weights = pcode.Weights(M=([[prior]], [[m]]), W=None, beta=([0.0], [0.0]))
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=60, spacing="linear"))


def learning(a=0.4, b=0.5, y=0.8, nu=1.3):
    """Linear 1-1-1 that learns, input 1, output clamped at y."""
    network = pcode.Network(sizes=(1, 1, 1), activation="identity", nu=nu, delta=100.0, feedback="learned")
    phase = pcode.Phase("learn", {0: [[1.0]], 2: [[y]]}, duration=50.0)
    weights = pcode.Weights(([[a]], [[b]]), ([[a]], [[b]]), ([0.0], [0.0]))
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=40, weights=20))


@pytest.mark.parametrize(("m", "nu"), [(1.0, 0.5), (0.3, 1.0)])
def test_two_linear_nodes_have_straight_nullclines_and_the_eigenvalues_of_fact_4(m, nu):
    plane = phase_plane(two_nodes(m, m, nu), "x0[0]", "eps1[0]", xlim=(-2, 5), ylim=(-1, 1.1))
    (first,), (second,) = plane.nullclines
    np.testing.assert_allclose(first[:, 1], 0.0, atol=1e-9)  # tau dx/dt = m eps
    np.testing.assert_allclose(second[:, 1], (1.0 - m * second[:, 0]) / nu, atol=1e-8)
    (point,) = plane.equilibria
    np.testing.assert_allclose(point.point, [1.0 / m, 0.0], atol=1e-8)
    root = np.sqrt(nu**2 - 4 * m**2 + 0j)
    expected = np.array([(-nu + root) / 2, (-nu - root) / 2])
    np.testing.assert_allclose(np.sort_complex(point.eigenvalues), np.sort_complex(expected), atol=1e-7)
    assert point.name == ("stable focus" if m > nu / 2 else "stable node")


def test_feedback_of_the_wrong_sign_makes_a_saddle_whose_separatrices_are_its_eigenvectors():
    m, w, nu = 1.0, -2.0, 1.0
    plane = phase_plane(two_nodes(m, w, nu), "x0[0]", "eps1[0]", xlim=(-1, 3), ylim=(-2, 2))
    (saddle,) = plane.equilibria
    assert saddle.kind == "saddle"
    np.testing.assert_allclose(saddle.point, [1.0, 0.0], atol=1e-9)
    J = np.array([[0.0, w], [-m, -nu]])
    values, vectors = np.linalg.eig(J)
    assert len(plane.separatrices) == 4
    for one in plane.separatrices:
        line = vectors[:, values.argmin() if one.stable else values.argmax()]
        away = one.points - saddle.point
        np.testing.assert_allclose(away[:, 0] * line[1] - away[:, 1] * line[0], 0.0, atol=1e-4)
        ends = np.linalg.norm(away[[0, -1]], axis=1)
        assert (ends[0] > ends[1]) is np.bool_(one.stable)  # in the direction of the flow
        assert ends.max() > 1.0  # to the window's edge


@pytest.mark.parametrize(
    ("error", "kinds"),
    [(1.0, ["node", "node", "saddle", "saddle"]), (1e-13, ["degenerate"] * 4)],
    ids=["at work", "vanished"],
)
def test_where_errors_have_vanished_rounding_is_not_told_as_a_saddle(error, kinds):
    """Both x^1 held up by eps^1 = eps^2 / 2: tau dx/dt = eps^2 (sech^2 x - 1/2), zero at 4 points."""
    network = pcode.Network(sizes=(1, 2, 1), feedback="tied")
    weights = pcode.Weights(([[0.0, 0.0]], [[1.0], [1.0]]), None, ([0.0, 0.0], [0.0]))
    x, eps = ([[1.0]], [[0.5, 0.5]], [[0.0]]), ([[error / 2, error / 2]], [[error]])
    start = pcode.State(tuple(map(np.array, x)), tuple(map(np.array, eps)), network.check_weights(weights))
    phase = pcode.Phase("hold", {0: x[0], 2: x[2]}, duration=1.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, nodes=start)
    plane = phase_plane(run, "x1[0]", "x1[1]", rest="held", time=0.0, xlim=(-2, 2), ylim=(-2, 2))
    assert sorted(point.kind for point in plane.equilibria) == kinds
    root = np.arccosh(np.sqrt(2.0))
    np.testing.assert_allclose(np.abs([point.point for point in plane.equilibria]), root, atol=1e-7)
    assert len(plane.separatrices) == 4 * kinds.count("saddle")


def test_the_textbook_plane_has_the_branches_and_the_root_of_its_closed_form():
    plane = phase_plane(seen(2.0), "x1[0]", "eps2[0]", xlim=(-3, 4), ylim=(-4, 4))
    first, second = plane.nullclines
    # eps^1 slaved is v - 3: 2 v eps^2 - (v - 3) = 0 has a branch on each side of v = 0.
    assert len(first) == 2
    for branch in first:
        v, e = branch.T
        assert (np.sign(v) == np.sign(v[0])).all()
        np.testing.assert_allclose(2 * v * e, v - 3, atol=1e-7)
    assert len(second) == 1
    np.testing.assert_allclose(second[0][:, 1], 2 - second[0][:, 0] ** 2, atol=1e-7)
    (point,) = plane.equilibria
    roots = np.roots([2, 0, -3, -3])
    real = roots[np.abs(roots.imag) < 1e-9].real
    np.testing.assert_allclose(point.point[0], real, atol=1e-9)
    assert point.stable
    assert point.residual < 1e-9


def test_three_equilibria_are_the_roots_of_the_cubic_with_the_saddle_in_the_middle():
    plane = phase_plane(seen(3.0, prior=0.5), "x1[0]", "eps2[0]", xlim=(-5, 5), ylim=(-4, 6))
    roots = np.sort(np.roots([2, 0, -5, -0.5]).real)
    np.testing.assert_allclose([one.point[0] for one in plane.equilibria], roots, atol=1e-8)
    assert [one.kind == "saddle" for one in plane.equilibria] == [False, True, False]
    assert [one.stable for one in plane.equilibria] == [True, False, True]
    for one in plane.equilibria:  # the growth of all three nodes, from their Jacobian written down
        v, e = one.point
        J = np.array([[2 * e, -1, 2 * v], [1, -1, 0], [-2 * v, 0, -1]])
        assert one.growth == pytest.approx(np.linalg.eigvals(J).real.max(), abs=1e-8)
    assert sorted(one.stable for one in plane.separatrices) == [False, False, True, True]
    ends = [one.points[-1] for one in plane.separatrices if not one.stable]
    found = sorted(end[0] for end in ends)
    np.testing.assert_allclose(found, roots[[0, 2]], atol=1e-8)  # each half comes to one of the others


def test_the_window_grows_to_show_equilibria_next_to_the_trajectory():
    run = seen(2.0, duration=0.2)  # from v = 3 it has not come as far as the rest at 1.57
    assert run.data["x1"].min() > 2.0 > 1.57
    (point,) = phase_plane(run, "x1[0]", "eps2[0]").equilibria
    assert point.point[0] == pytest.approx(1.5674684, abs=1e-6)


def test_held_nodes_keep_their_values_of_the_moment():
    run = seen(2.0)
    row = 7
    t = float(run.data["time"][row])
    held = float(run.data["eps1"][row, 0, 0])
    plane = phase_plane(run, "x1[0]", "eps2[0]", rest="held", time=t, xlim=(0.5, 4), ylim=(-3, 3))
    (branch,) = plane.nullclines[0]
    v, e = branch.T
    np.testing.assert_allclose(2 * v * e, held, atol=1e-7)
    assert "held" in plane.rest
    told = re.findall(r"held as at t = ([\d.]+)", plane.rest)
    assert [float(value) for value in told] == pytest.approx([t, t], rel=1e-5)  # the nodes and the weights


def test_each_array_may_be_slaved_or_held_by_itself():
    run = seen(2.0)
    both = phase_plane(run, "x1[0]", "eps2[0]", rest={"eps1": "slaved"}, resolution=21)
    slaved = phase_plane(run, "x1[0]", "eps2[0]", resolution=21)
    np.testing.assert_allclose(both.rates, slaved.rates)
    with pytest.raises(InputError, match="no nodes 'eps7'"):
        phase_plane(run, "x1[0]", "eps2[0]", rest={"eps7": "slaved"})


def test_weights_with_slaved_nodes_move_as_the_closed_form_and_rest_on_a_curve():
    nu, y = 1.3, 0.8
    plane = phase_plane(
        learning(nu=nu, y=y), "M0[0,0]", "M1[0,0]", time=0.0, xlim=(0.2, 1.6), ylim=(0.2, 1.6)
    )
    a, b = np.meshgrid(plane.x, plane.y)
    top = (y - a * b) / (nu * (1 + b**2))  # eps^2 at rest; eps^1 = b eps^2, and x^1 = a + nu eps^1
    np.testing.assert_allclose(plane.rates[..., 0], b * top / 100.0, atol=1e-12)
    np.testing.assert_allclose(plane.rates[..., 1], (a + nu * b * top) * top / 100.0, atol=1e-12)
    (curve,) = plane.continua
    np.testing.assert_allclose(curve.prod(axis=1), y, atol=1e-8)
    assert plane.equilibria == ()


def test_learned_feedback_goes_with_the_weights_and_fixed_feedback_does_not():
    run = learning()
    x = {"rest": "held", "time": 0.0, "xlim": (0.0, 1.0), "ylim": (0.0, 1.0), "resolution": 21}
    plane = phase_plane(run, "x1[0]", "M1[0,0]", **x)
    e1, e2 = (float(run.data[name][0, 0, 0]) for name in ("eps1", "eps2"))
    expected = np.broadcast_to((plane.y * e2 - e1)[:, None], (21, 21))  # W = M, at every point
    np.testing.assert_allclose(plane.rates[..., 0], expected, atol=1e-12)
    with_w = phase_plane(run, "x1[0]", "W1[0,0]", **x)
    np.testing.assert_allclose(with_w.rates[..., 0], expected, atol=1e-12)


def test_the_trajectory_is_the_run_itself():
    run = seen(2.0)
    plane = phase_plane(run, "x1[0]", "eps1[0]", resolution=21)
    np.testing.assert_array_equal(plane.trajectory[:, 0], run.data["x1"][:, 0, 0])
    np.testing.assert_array_equal(plane.trajectory[:, 1], run.data["eps1"][:, 0, 0])
    np.testing.assert_array_equal(plane.times, run.data["time"])


def test_principal_components_hold_the_run_and_its_rates():
    run = seen(2.0)
    plane = phase_plane(run, "pc1", "pc2", rest="held", resolution=21)
    nodes = np.concatenate([run.data[name][:, 0] for name in ("x1", "eps1", "eps2")], axis=1)
    nodes = nodes - nodes.mean(axis=0)
    sizes = np.linalg.svd(nodes, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(plane.trajectory, axis=0), sizes[:2], rtol=1e-9)


def test_in_the_plane_of_the_modes_the_eigenvalues_are_those_of_the_nodes():
    network = pcode.Network(sizes=(1, 1, 1, 1), activation="tanh", feedback="fixed")
    weights = pcode.Weights(([[0.8]],) * 3, ([[-0.8]],) * 3, ([0.0],) * 3)
    phase = pcode.Phase("hold", {0: [[0.0]], 3: [[0.0]]}, duration=30.0, learn=False)
    nodes = pcode.State(
        tuple(np.full((1, 1), v) for v in (0.0, 0.1, 0.0, 0.0)),
        (np.zeros((1, 1)),) * 3,
        network.check_weights(weights),
    )
    run = pcode.simulate(network, [phase], weights=weights, nodes=nodes, save=pcode.Save(nodes=50))
    plane = phase_plane(run, "mode1", "mode2", rest="held")
    # At 0, tanh' = 1: the linear network of "Unstable feedback", with characteristic polynomial
    m, w = 0.8, -0.8
    J = np.array(
        [[0, 0, -1, w, 0], [0, 0, 0, -1, w], [1, 0, -1, 0, 0], [-m, 1, 0, -1, 0], [0, -m, 0, 0, -1.0]]
    )
    values = np.linalg.eigvals(J)
    expected = values[np.argsort(-values.real)][:2]
    (point,) = [one for one in plane.equilibria if np.abs(one.point).max() < 1e-6]
    np.testing.assert_allclose(np.sort_complex(point.eigenvalues), np.sort_complex(expected), atol=1e-6)
    assert point.name == "unstable focus"


@pytest.mark.parametrize(
    ("x", "y", "options", "where", "what"),
    [
        ("x1", "eps1[0]", {}, "x", "coordinate such as"),
        ("x9[0]", "eps1[0]", {}, "x", "no x9"),
        ("x1[4]", "eps1[0]", {}, "x", "out of range"),
        ("x1[0,3]", "eps1[0]", {}, "x", "sample 3"),
        ("x1[0]", "x0[0]", {}, "y", "clamped"),
        ("x1[0]", "x1[0]", {}, "y", "another"),
        ("x1[0]", "pc2", {}, "y", "one kind"),
        ("M0[0,0]", "M1[0,0]", {}, "x", "held"),
        ("M0[0]", "M1[0,0]", {}, "x", "coordinate such as"),
        ("x1[0]", "eps1[0]", {"rest": "frozen"}, "rest", "slaved or held"),
        ("pc1", "pc2", {"rest": "slaved"}, "rest", "held"),
        ("x1[0]", "eps1[0]", {"xlim": (2, 1)}, "xlim", "lower one first"),
        ("x1[0]", "eps1[0]", {"ylim": "wide"}, "ylim", "two numbers"),
        ("x1[0]", "eps1[0]", {"resolution": 3}, "resolution", "11 to 401"),
        ("x1[0]", "eps1[0]", {"time": 99.0}, "time", "no t = 99"),
    ],
)
def test_what_makes_no_plane_is_refused_in_one_line_that_names_it(x, y, options, where, what):
    with pytest.raises(InputError, match=what) as caught:
        phase_plane(seen(2.0, duration=1.0), x, y, **options)
    assert caught.value.where == where
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("activation", ["tanh", lambda v: v / (1.0 + abs(v))], ids=["tanh", "softsign"])
@pytest.mark.parametrize("ylim", [(-0.1, 0.1), (-0.1, 0.07), (0.0, 0.1), (-0.1, 0.0)])
def test_the_nullcline_of_a_free_output_is_the_whole_line_on_which_errors_vanish(activation, ylim):
    # Layer 2 is free and at rest, so that eps2 = 0 and tau dx1/dt = -eps1 (model, "The equations").
    network = pcode.Network((2, 1, 1), activation)
    phase = pcode.Phase("test", {0: [[0.7, -0.4]]}, learn=False, until="equilibrium", duration=100.0)
    run = pcode.simulate(network, [phase], weights=network.init_weights(3))
    at = float(run.data["x1"][-1, 0, 0])
    plane = phase_plane(run, "x1[0]", "eps1[0]", xlim=(at - 0.1, at + 0.1), ylim=ylim, resolution=41)
    (line,) = plane.nullclines[0]
    np.testing.assert_allclose(line[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(np.sort(line[[0, -1], 0]), [at - 0.1, at + 0.1], atol=1e-9)
    (rest,) = plane.equilibria
    np.testing.assert_allclose(rest.point, [at, 0.0], atol=1e-9)

"""The critical manifold and trajectories beside it, against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

import pcode
from pcode import InputError
from pcode.analysis.manifolds.manifold import critical_manifold
from pcode.analysis.manifolds.trajectory import trajectory
from pcode.scenario import Scenario

LIGHT, PRIOR = 4.0, 3.0


@pytest.fixture(scope="module")
def textbook():
    """Light 4: at rest 2 m^2 v^3 + (1 - 8 m) v - 3 = 0, m = M^1, which has a fold over m."""
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="tied")
    phase = pcode.Phase("look", {0: [[1.0]], 2: [[LIGHT]]}, duration=20.0, learn=False)
    weights = pcode.Weights(M=([[PRIOR]], [[1.0]]), W=None, beta=([0.0], [0.0]))
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=50))


@pytest.fixture(scope="module")
def jump():
    path = Path(__file__).parent.parent / "scenarios" / "slow_manifold.toml"
    return Scenario.load(path, ["save.nodes=300", "save.weights=100"]).simulate()


def cubic(m):
    return [2 * m**2, 0.0, 1 - 2 * LIGHT * m, -PRIOR]


def discriminant(m):
    """Of v^3 + p v + q: zero where two roots meet."""
    p, q = (1 - 2 * LIGHT * m) / (2 * m**2), -PRIOR / (2 * m**2)
    return 4 * p**3 + 27 * q**2


def test_every_branch_over_the_weight_is_found_and_lies_on_the_cubic(textbook):
    found = critical_manifold(textbook, "M1[0,0]", "x1[0]", limits=(0.1, 1.5))
    for branch in found.branches:
        for m, v in zip(branch.weight, branch.node, strict=True):
            assert np.polyval(cubic(m), v) == pytest.approx(0.0, abs=1e-7)
    for m in (0.2, 0.45, 0.9, 1.4):
        roots = np.roots(cubic(m))
        real = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
        crossings = []
        for branch in found.branches:
            side = np.sign(branch.weight - m)
            for k in np.flatnonzero(side[:-1] * side[1:] < 0):
                a, b = branch.weight[k : k + 2]
                v = branch.node[k : k + 2]
                crossings.append(v[0] + (m - a) / (b - a) * (v[1] - v[0]))
        np.testing.assert_allclose(np.sort(crossings), real, atol=1e-3)


def test_the_fold_is_where_the_discriminant_of_the_cubic_is_zero(textbook):
    found = critical_manifold(textbook, "M1[0,0]", "x1[0]", limits=(0.1, 1.5))
    at = brentq(discriminant, 0.3, 0.9, xtol=1e-14)
    assert len(found.folds) == 1
    assert found.folds[0, 0] == pytest.approx(at, abs=1e-9)
    double = -np.sqrt(-(1 - 2 * LIGHT * at) / (6 * at**2))  # where the cubic's slope is zero
    assert found.folds[0, 1] == pytest.approx(double, abs=1e-6)


def test_between_two_stable_branches_the_middle_one_is_unstable(textbook):
    found = critical_manifold(textbook, "M1[0,0]", "x1[0]", limits=(0.1, 1.5))
    for branch in found.branches:
        for k in range(0, branch.weight.size, 7):
            m, v = branch.weight[k], branch.node[k]
            e = LIGHT - m * v**2
            # Nodes v, eps^1, eps^2 with W = M^T = m, written down.
            J = np.array([[2 * m * e, -1, 2 * m * v], [1, -1, 0], [-2 * m * v, 0, -1]])
            assert branch.growth[k] == pytest.approx(np.linalg.eigvals(J).real.max(), abs=1e-6)


def test_the_scenario_has_the_two_folds_of_its_closed_form_and_the_run_jumps_at_the_outer_one(jump):
    found = critical_manifold(jump, time=0.0, limits=(-0.1, 0.45))
    assert (found.weight.name, found.node.name) == ("M0[0,0]", "x1[0]")
    slope = lambda x: 1 + 9 / np.cosh(x) ** 2 * (1 / np.cosh(x) ** 2 - 2 * np.tanh(x) ** 2)  # noqa: E731
    inner, outer = brentq(slope, 0.1, 1.2), brentq(slope, 1.2, 3.0)
    expected = [[(x + 9 * np.tanh(x) / np.cosh(x) ** 2) / 10, x] for x in (outer, inner)]
    folds = found.folds[np.argsort(found.folds[:, 0])]
    np.testing.assert_allclose(folds, expected, atol=1e-7)
    weights = []
    for ratio in (300.0, 3000.0, 20000.0):
        one = trajectory(jump, found.weight, found.node, ratio)
        assert one.node[-1] < 0.3  # it has jumped, and drifted on
        weights.append(float(np.interp(-1.0, -one.node, one.weight)))  # where it passes x = 1
    # The slower the weights, the nearer to the fold the node lets go, and never before it.
    assert weights[0] < weights[1] < weights[2] < expected[0][0]
    assert expected[0][0] - weights[2] < 0.02


def test_a_jump_is_seen_as_fast_at_nearly_constant_weight_and_the_rest_as_slow(jump):
    found = critical_manifold(jump, "M0[0,0]", "x1[0]")
    one = trajectory(jump, found.weight, found.node)
    fast = one.fast(0.4, 4.0)
    late = one.t[1:] > 100.0
    jumping = fast & late
    assert 0.5 < one.node[1:][jumping].max() < 2.0
    assert np.ptp(one.weight[1:][jumping]) < 0.01
    assert np.ptp(one.node[1:][jumping]) > 1.0
    assert fast[late].sum() < jumping.size
    steps = np.hypot(np.diff(one.weight) / np.ptp(one.weight), np.diff(one.node) / np.ptp(one.node))
    assert steps.max() < 0.05  # close enough together to be a curve


def test_the_dotted_curve_is_at_rest_for_the_weights_of_the_run(jump):
    found = critical_manifold(jump, "M0[0,0]", "x1[0]")
    weight, node = found.along.T
    late = np.flatnonzero(node < 0.35)
    assert late.size > 10
    data = jump.data
    order = np.argsort(data["M0"].values[:, 0, 0])
    follow = {
        name: np.interp(weight, data["M0"].values[order, 0, 0], data[name].values[order].ravel())
        for name in ("M1", "beta1", "beta2")
    }
    m = follow["M1"]
    slope = 1 / np.cosh(node) ** 2
    back = m * slope * (-m * np.tanh(node) - follow["beta2"])
    rest = node - 10 * weight - follow["beta1"] - back
    assert np.abs(rest[late]).max() < 2e-2


def test_weights_that_are_held_have_a_manifold_and_no_other_delta(textbook):
    found = critical_manifold(textbook, "M0[0,0]", "x1[0]")
    held = trajectory(textbook, found.weight, found.node)
    assert np.ptp(held.weight) == 0.0
    assert held.node[-1] == pytest.approx(float(textbook.data["x1"][-1, 0, 0]), abs=1e-5)
    with pytest.raises(InputError, match="held"):
        trajectory(textbook, found.weight, found.node, 100.0)


@pytest.mark.parametrize(
    ("weight", "node", "options", "where"),
    [
        ("x1[0]", "x1[0]", {}, "weight"),
        ("M0[0,0]", "M1[0,0]", {}, "node"),
        ("M0[0,1]", "x1[0]", {}, "weight"),
        ("W0[0,0]", "x1[0]", {}, "weight"),
        ("M0[0,0]", "x2[0]", {}, "node"),
        ("M0[0,0]", "x1[0]", {"limits": (1.0, 0.0)}, "limits"),
        ("M0[0,0]", "x1[0]", {"time": -3.0}, "time"),
    ],
)
def test_what_has_no_manifold_is_refused_in_one_line_that_names_it(textbook, weight, node, options, where):
    with pytest.raises(InputError) as caught:
        critical_manifold(textbook, weight, node, **options)
    assert caught.value.where == where
    assert "\n" not in str(caught.value)

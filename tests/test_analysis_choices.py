"""What the analyses decide for themselves: on continua, telling coordinates, lost equilibria, lone rates."""

import json
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis import Snapshot, ask
from pcode.analysis.manifolds.choice import telling_pair
from pcode.analysis.planes import choice
from pcode.analysis.planes.choice import plane_of_nodes, telling_plane
from pcode.analysis.planes.coordinates import Coordinate, checked_coordinate, modes, values_along
from pcode.analysis.planes.nullclines import _parted
from pcode.analysis.planes.plane import phase_plane
from pcode.analysis.separation import needed_ratio
from pcode.analysis.spectra import border
from pcode.analysis.spectra.modes import Eigenvalues
from pcode.analysis.spectra.rates import rates_of
from tests.synthetic_runs import TRAIN, synthetic_run


def held(network, clamp, weights):
    phase = pcode.Phase("hold", clamp, duration=0.5, learn=False)
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=5, weights=2))


def test_rests_of_a_nonlinear_network_are_a_continuum_too_where_no_error_is_left_and_more_values_are_free():
    """tanh 2-2-1, the output held: x^1 on the line where tanh(x^1) M^1 = y, and x^0 that predicts it."""
    network = pcode.Network((2, 2, 1), feedback="tied")
    M = ([[1.0, 0.3], [-0.2, 0.8]], [[1.0], [0.7]])
    run = held(network, {2: [[0.4]]}, pcode.Weights(M, None, ([0.0, 0.0], [0.0])))
    answer = ask(run, "equilibrium")
    assert answer.continuum
    assert answer.zero_eigenvalues == 1  # 4 free values, 3 errors
    x = answer.state.x[1][0]
    assert np.tanh(x) @ [1.0, 0.7] == pytest.approx(0.4, abs=1e-8)


def test_a_root_that_is_threefold_is_degenerate_and_no_continuum():
    """g(v) = v^2, prior 0, observation 1/4, nu = 2 and 1: F' = 2 v^3, the outer rests meet the middle one."""
    network = pcode.Network((1, 1, 1), "square", nu=(2.0, 1.0), feedback="tied")
    weights = pcode.Weights(([[0.0]], [[1.0]]), None, ([0.0], [0.0]))
    answer = ask(held(network, {0: [[1.0]], 2: [[0.25]]}, weights), "equilibrium", {"starts": 0})
    assert answer.found
    assert (answer.continuum, answer.zero_eigenvalues, answer.kind) == (False, 1, "neutral")
    assert answer.lines()[-1] == "degenerate: up to 1 zero eigenvalues a sample"


@pytest.mark.parametrize(
    ("weight", "node"),
    [
        ("M0[1,2]", "x1[2]"),  # what it predicts
        ("M1[2,0]", "x1[2]"),  # what it predicts is held: what it predicts from
        ("W1[0,2]", "x1[2]"),  # what it feeds back to
        ("W0[2,1]", None),  # that is held, so the first error
        ("beta1[2]", "x1[2]"),
        ("beta2[0]", "eps2[0]"),  # x^2 is held
    ],
)
def test_the_node_beside_a_weight_is_one_that_depends_on_it(weight, node):
    """2-3-1, both ends held."""
    run = synthetic_run((2, 3, 1), (TRAIN,), nodes=10, weights=5)
    assert telling_pair(run, weight) == (weight, node or "eps1[0]", 0)


def test_the_weight_that_moves_most_is_told_with_its_node():
    run = synthetic_run((2, 3, 1), (TRAIN,), nodes=10, weights=5)
    run.data["M1"][-1, 1, 0] = run.data["M1"][0, 1, 0] + 50.0
    assert telling_pair(run) == ("M1[1,0]", "x1[1]", 0)
    run.data["M0"][-1, 1, 2] = run.data["M0"][0, 1, 2] - 60.0
    assert telling_pair(run) == ("M0[1,2]", "x1[2]", 0)


@pytest.mark.parametrize("turns", [False, True])
def test_nodes_that_move_along_a_line_have_no_two_principal_components(turns):
    """1-2-1 with the input and the output held; all nodes in step, or one of them not."""
    run = synthetic_run((1, 2, 1), (TRAIN,), nodes=12, weights=5)
    s = np.linspace(0.0, 1.0, 12)
    for name, size in (("x1", 2), ("eps1", 2), ("eps2", 1)):
        run.data[name][:] = s[:, None, None] * np.arange(1.0, size + 1.0)
    if turns:
        run.data["x1"][:, :, 0] = np.cos(6.0 * s)[:, None]
        assert phase_plane(run, "pc1", "pc2", rest="held", resolution=11).coordinates[0].kind == "pc"
    else:
        with pytest.raises(InputError, match="moves along a line at most"):
            phase_plane(run, "pc1", "pc2", rest="held", resolution=11)


def test_where_the_equilibrium_is_lost_that_counts_as_growth():
    class Plane:
        def look(self, mix, gain, near):
            return border.Look(mix, gain, "lost", complex("nan"), None)

    assert border._abscissa(Plane(), 1.0, None, 0.3) > 0.0


def test_the_gap_and_the_stiffness_are_ratios_of_rates_whatever_these_are():
    """Slowest node 1/2, fastest weight 1, slowest 1/4, largest eigenvalue 3; Euler to 2 |Re|/|lambda|^2."""

    def of(*values):
        return Eigenvalues(np.array(values, complex), True, len(values), 1e-9, np.zeros(len(values), int))

    rates = rates_of(of(-0.5 + 2j, -0.5 - 2j, -3.0), of(-1.0, -0.25), None, 0.01)
    assert (rates.node_slowest, rates.node_fastest) == (0.5, 3.0)
    assert (rates.weight_slowest, rates.weight_fastest) == (0.25, 1.0)
    assert (rates.gap, rates.stiffness) == (0.5, 12.0)
    assert rates.step_euler == pytest.approx(2 * 0.5 / 4.25)
    assert (rates.ring_period, rates.ring_decay) == (pytest.approx(np.pi), 0.5)
    assert rates.damping_ratio == pytest.approx(0.5 / np.sqrt(4.25))
    grows = rates_of(of(0.5 + 2j, 0.5 - 2j, -1.0), of(0.125, -1.0), None, 0.01)
    assert (grows.node_growth, grows.node_growth_period) == (0.5, pytest.approx(np.pi))
    assert grows.weight_growth == 0.125
    assert (grows.node_settling, grows.weight_settling) == (None, None)
    assert (grows.gap, grows.stiffness) == (1.0, pytest.approx(np.sqrt(4.25)))


def test_an_equilibrium_in_the_first_cell_of_a_window_is_found():
    """Linear 1-1, the output held at 1, nu = 1/2: at rest x^0 = 1 and eps^1 = 0."""
    network = pcode.Network((1, 1), "identity", nu=0.5, feedback="tied")
    run = held(network, {1: [[1.0]]}, pcode.Weights(([[1.0]],), None, ([0.0],)))
    plane = phase_plane(run, "x0[0]", "eps1[0]", xlim=(0.9, 4.0), ylim=(-0.05, 2.0), resolution=11)
    (point,) = plane.equilibria
    np.testing.assert_allclose(point.point, [1.0, 0.0], atol=1e-8)


def test_a_closed_curve_is_parted_where_it_is_left_and_no_stretch_is_cut_in_two():
    square = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0], [0.0, 1.0], [0.0, 0.0]])
    (line,) = _parted(square, np.array([True, True, False, True, True, True, True]))
    np.testing.assert_array_equal(line, square[[3, 4, 5, 0, 1]])
    first, second = _parted(square[:-1], np.array([True, True, False, True, True, True]))  # an open one
    np.testing.assert_array_equal(first, square[:2])
    np.testing.assert_array_equal(second, square[3:6])


def test_the_modes_of_nodes_that_do_not_turn_are_the_two_slowest_eigenvectors():
    """Linear 1-1-1 with the ends held, nu = 20: three real eigenvalues of x^1, eps^1 and eps^2."""
    network = pcode.Network((1, 1, 1), "identity", nu=20.0, feedback="tied")
    run = held(network, {0: [[1.0]], 2: [[0.5]]}, pcode.Weights(([[1.0]], [[2.0]]), None, ([0.0], [0.0])))
    pair, _ = modes(Snapshot.of(run).problem(until=None))
    values, vectors = np.linalg.eig(np.array([[0.0, -1.0, 2.0], [1.0, -20.0, 0.0], [-2.0, 0.0, -20.0]]))
    expected = vectors[:, np.argsort(-values.real)[:2]]
    for found, vector in zip(pair, expected.T, strict=True):
        assert abs(found @ vector) == pytest.approx(1.0, abs=1e-9)


def test_weights_that_were_saved_once_are_taken_as_they_are():
    run = synthetic_run((2, 3, 1), (replace(TRAIN, rows=1),), nodes=10, weights=5)
    found = values_along(run, Snapshot.of(run), "M0", np.array([0]))
    np.testing.assert_array_equal(found, run.data["M0"].values.reshape(1, -1))


def test_a_coordinate_of_a_sample_is_that_of_its_column_wherever_that_is():
    stage = replace(TRAIN, samples=(5, 3, 0, 4))
    run = synthetic_run((2, 3, 1), (stage,), nodes=10, weights=5)
    alone = Snapshot.of(run).of_samples((3,))
    found = values_along(run, alone, "x1", np.arange(10))
    np.testing.assert_array_equal(found, run.data["x1"].values[:, 1])


@pytest.mark.parametrize(
    ("sizes", "axes"), [((1, 1, 1), ("M0[0,0]", "M1[0,0]")), ((2, 3, 1), ("wpc1", "wpc2"))]
)
def test_without_being_asked_a_plane_of_weights_is_of_single_ones_in_a_chain_only(sizes, axes):
    run = synthetic_run(sizes, (TRAIN,), nodes=10, weights=5)
    run.data["M0"][:, 0, 0] += np.cos(np.arange(5.0))  # so that the weights do not move along a line
    plane = telling_plane(run)
    assert (plane.x, plane.y) == axes


@pytest.mark.parametrize("clamped", [0, 1])
def test_a_plane_that_is_chosen_keeps_off_clamped_nodes(clamped):
    """1-2-1, the ends and one hidden node held: what moves are the other hidden node and the errors."""
    hidden = [[0.3, np.nan]] if clamped == 0 else [[np.nan, 0.3]]
    network = pcode.Network((1, 2, 1), "identity", feedback="tied")
    weights = pcode.Weights(([[0.5, -0.8]], [[0.4], [0.9]]), None, ([0.0, 0.0], [0.0]))
    run = held(network, {0: [[1.0]], 1: hidden, 2: [[0.5]]}, weights)
    for plane in (telling_plane(run), plane_of_nodes(run, 0)):
        assert f"x1[{clamped}]" not in plane
        assert not {"x0[0]", "x2[0]"} & set(plane[:2])
        found = phase_plane(run, plane.x, plane.y, rest=plane.rest, phase=plane.phase, resolution=11)
        assert np.isfinite(found.rates).any()


@pytest.mark.parametrize("chosen", [telling_plane, lambda run: plane_of_nodes(run, 0)])
def test_what_goes_wrong_in_choosing_a_plane_is_not_taken_for_one_that_does_not_suit(chosen, monkeypatch):
    def broken(*_):
        raise InputError("clamp", "is not what it must be")

    for used in ("chart", "moving_problem"):
        monkeypatch.setattr(choice, used, broken)
    with pytest.raises(InputError, match="clamp: is not what it must be"):
        chosen(synthetic_run((2, 3, 1), (replace(TRAIN, learn=False),), nodes=10, weights=5))


@pytest.mark.parametrize("kind", ["moving", "tau = 0"])
def test_other_ratios_are_not_tried_where_there_is_no_phase_to_simulate_again(kind):
    """Of a function only saved values are kept, and without tau there is no tau/delta to change."""
    network = pcode.Network((1, 1, 1), "identity", tau=0.0 if kind == "tau = 0" else 1.0, delta=20.0)
    x0 = (lambda t: jnp.stack([1.0 + t / 5.0])) if kind == "moving" else [[1.0]]
    phase = pcode.Phase("learn", {0: x0, 2: [[0.5]]}, duration=25.0)
    weights = pcode.Weights(([[0.5]], [[0.8]]), ([[0.5]], [[0.8]]), ([0.0], [0.0]))
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(5, 5))
    answer = ask(run, "backprop", {"variances": [1.0]})
    assert answer.ratios.size == 0
    assert not any("after one delta" in line for line in answer.lines())
    with pytest.raises(
        InputError, match="layer 0 follows a function" if kind == "moving" else "there is no tau/delta"
    ):
        ask(run, "backprop", {"ratios": [0.1]})


@pytest.mark.parametrize(
    "name", ["x3[0]", "eps0[0]", "eps3[0]", "M2[0,0]", "W2[0,0]", "beta0[0]", "beta3[0]", "x1[3]", "M0[2,0]"]
)
def test_a_coordinate_that_a_network_has_not_is_refused(name):
    """2-3-1: layers 0 to 2, links 0 and 1."""
    snapshot = Snapshot.of(synthetic_run((2, 3, 1), (TRAIN,), nodes=10, weights=5))
    with pytest.raises(InputError, match=r"^x: "):
        checked_coordinate(snapshot, "x", Coordinate.parse("x", name))


@pytest.mark.parametrize("why", ["seconds", "unknowns", ""])
def test_of_a_phase_that_was_long_to_solve_or_is_large_a_certificate_repeats_the_first_20_tau(why):
    """tau = 1/2 and a phase of 30: of saved times the nearest to 10, or all."""
    network = pcode.Network((1, 1, 1), "identity", tau=0.5, delta=20.0, feedback="tied")
    phase = pcode.Phase("learn", {0: [[1.0]], 2: [[0.5]]}, duration=30.0)
    weights = pcode.Weights(([[0.5]], [[0.8]]), None, ([0.0], [0.0]))
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(31, 5, "linear"))
    (record,) = (record.to_dict() for record in run.phases)
    record["stats"]["solve_seconds"] = 10.1 if why == "seconds" else 0.1
    record["unknowns"] = 20_001 if why == "unknowns" else 7
    run.data.attrs["phases"] = json.dumps([record])
    answer = ask(pcode.Run(run.data), "certificate")
    assert (answer.span, answer.whole) == ((10.0, False) if why else (30.0, True))
    assert answer.lines()[0].endswith("integrated again" + " (its first 10 only)" * bool(why))


@pytest.mark.parametrize(
    ("largest", "needed"),
    [
        ([0.04, 0.015, 0.001], 200.0 * 2.0 ** (np.log(1.5) / np.log(15.0))),  # by the line through logarithms
        ([0.005, 0.02, 0.001], 200.0 * 2.0 ** (np.log(2.0) / np.log(20.0))),  # from there on all are within
        ([0.005, 0.001, 0.0001], 50.0),  # below all that were tried, by first order
        ([0.5, 0.3, 0.1], 4000.0),  # above them
    ],
)
def test_the_ratio_that_is_needed_where_distances_follow_no_power(largest, needed):
    assert needed_ratio(np.array([100.0, 200.0, 400.0]), np.array(largest), 0.01) == pytest.approx(needed)


def test_separation_is_the_same_for_feedback_that_is_tied_and_that_learns_from_the_transpose():
    """Fact 5: without decay such a W stays M^T. More inputs than samples, so that both are solved reduced."""
    X, Y = np.array([[1.0, -0.5, 0.2], [0.4, 0.8, -1.0]]), np.array([[0.5], [-0.3]])
    found = []
    for feedback in ("tied", "learned"):
        network = pcode.Network((3, 2, 1), tau=0.5, delta=50.0, feedback=feedback)
        phase = pcode.Phase("learn", {0: X, 2: Y}, duration=100.0)
        run = pcode.simulate(network, [phase], weights=network.init_weights(3), save=pcode.Save(5, 5))
        found.append(ask(run, "separation", {"ratios": [100.0]}))
    np.testing.assert_allclose(found[0].largest, found[1].largest, rtol=1e-4)
    assert found[0].needed == pytest.approx(found[1].needed, rel=1e-4)

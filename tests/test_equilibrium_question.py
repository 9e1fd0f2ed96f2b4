"""The question `equilibrium`: against roots, closed forms and "Eigenvalues of the nodes"."""

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.plotting.equilibrium import equilibrium as draw
from tests.test_equilibrium import restless


def run_of(network, phase, weights):
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=5, weights=2))


@pytest.fixture(scope="module")
def double_well():
    """1-1-1, g(v) = v^2, prior 0, observation 2: F' = 2 v^3 - 3 v, so v = 0 and v = +-sqrt(3/2)."""
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="tied")
    weights = pcode.Weights(M=([[0.0]], [[1.0]]), W=None, beta=([0.0], [0.0]))
    phase = pcode.Phase("look", {0: [[1.0]], 2: [[2.0]]}, duration=0.5, learn=False)
    return run_of(network, phase, weights)


def test_all_three_rests_of_a_double_well_are_found_and_the_middle_one_is_unstable(double_well):
    answer = ask(double_well, "equilibrium", {"starts": 24, "spread": 2.0})
    assert answer.distinct.tolist() == [3]
    found = sorted((float(found.x[1][0]), found.kind) for found in answer.equilibria)
    assert [kind for _, kind in found] == ["stable", "unstable", "stable"]
    np.testing.assert_allclose([v for v, _ in found], [-np.sqrt(1.5), 0.0, np.sqrt(1.5)], atol=1e-8)
    assert answer.to_dict()["equilibria_by_kind"] == {"unstable": 1, "stable": 2}
    assert "up to 3 equilibria a sample" in str(answer)


def test_its_figure_has_a_curve_for_each_rest_and_open_markers_for_what_is_unstable(double_well):
    answer = ask(double_well, "equilibrium", {"starts": 24, "spread": 2.0})
    ax = draw(answer)
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) == 3]
    assert sorted(line.get_markerfacecolor() == "white" for line in curves) == [False, False, True]
    with pytest.raises(InputError, match="sample: there is no sample 5"):
        draw(answer, sample=5)


def generating(node_decay):
    network = pcode.Network(
        sizes=(5, 3, 2), activation="identity", nu=0.7, node_decay=node_decay, feedback="tied"
    )
    phase = pcode.Phase("generate", {2: [[1.0, -1.0], [0.5, 0.0]]}, duration=5.0, learn=False)
    return run_of(network, phase, network.init_weights(rng=3))


def test_an_input_wider_than_the_next_layer_has_a_continuum_of_rests():
    answer = ask(generating(0.0), "equilibrium")
    assert answer.found
    assert answer.continuum
    assert answer.zero_eigenvalues == 3  # 5 + 3 free values and 3 + 2 errors: the null space of 8 in 5
    assert answer.kind == "neutral"
    assert answer.distinct is None
    assert "a continuum of equilibria" in str(answer)


def test_decay_of_the_nodes_singles_out_one_of_them():
    answer = ask(generating(0.1), "equilibrium", {"spread": 3.0})
    assert not answer.continuum
    assert answer.zero_eigenvalues == 0
    assert answer.kind == "stable"
    assert answer.distinct.tolist() == [1, 1]


@pytest.mark.parametrize(("m", "kind"), [(0.69, "stable"), (0.72, "oscillating")])
def test_the_chain_with_negated_feedback_is_unstable_beyond_one_over_root_two(m, kind):
    network = pcode.Network(sizes=(1, 1, 1, 1), activation="identity", feedback="fixed")
    M = ([[m]],) * 3
    weights = pcode.Weights(M, tuple(-np.array(link) for link in M), ([0.0],) * 3)
    phase = pcode.Phase("held", {0: [[1.0]], 3: [[0.5]]}, duration=1.0, learn=False)
    answer = ask(run_of(network, phase, weights), "equilibrium", {"starts": 2})
    assert answer.kind == kind
    assert abs(answer.rightmost.imag) == pytest.approx(np.sqrt(0.5), rel=0.02)
    assert answer.found
    assert answer.distinct.tolist() == [1]


def test_where_there_is_no_rest_that_is_the_answer():
    network, weights, phase = restless()
    answer = ask(run_of(network, phase, weights), "equilibrium")
    assert not answer.found
    assert answer.kind == "unknown"
    assert str(answer).startswith("no equilibrium was reached for 1 of the samples")
    assert answer.to_dict()["rightmost"] == [None, None]
    with pytest.raises(InputError, match="nothing to draw"):
        draw(answer)


def test_wrong_options_are_told_in_one_line(double_well):
    for options, told in (
        ({"start": "here"}, "start: "),
        ({"starts": -1}, "starts: must be 0 or more"),
        ({"spread": 0.0}, "spread: must be positive"),
        ({"tol": float("inf")}, "tol: must be positive"),
        ({"seed": -1}, "seed: must be 0 or more, not -1"),
        ({"phase": "learn"}, "phase: "),
    ):
        with pytest.raises(InputError, match=told):
            ask(double_well, "equilibrium", options)

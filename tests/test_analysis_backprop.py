"""How near to backpropagation (docs/model.md, "Backpropagation"), by closed forms and finite differences."""

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.analysis.backprop import backprop
from pcode.analysis.gradients import compare
from pcode.base.vectors import angle
from pcode.model.state import State
from pcode.system.loss import loss_and_gradients
from pcode.system.problem import make_problem
from pcode.system.rest import nodes_at_rest
from tests import reference


def network_and_data(rng, activation="identity", nu=1.0, feedback="tied", sizes=(3, 4, 3, 2), **options):
    network = pcode.Network(sizes, activation, delta=500.0, nu=nu, feedback=feedback, **options)
    weights = network.init_weights(rng)
    weights = weights._replace(beta=tuple(0.3 * rng.standard_normal(b.shape) for b in weights.beta))
    return network, weights, rng.standard_normal((5, sizes[0])), rng.standard_normal((5, sizes[-1]))


def at_rest(network, weights, X, Y):
    phase = pcode.Phase("train", {0: X, network.n: Y}, duration=1.0, learn=False)
    x = (X, *(np.zeros((len(X), size)) for size in network.sizes[1:-1]), Y)
    start = State(x, tuple(np.zeros((len(X), size)) for size in network.sizes[1:]), weights)
    rest = nodes_at_rest(make_problem(network, phase, start, reduce=False))
    assert rest.found
    return rest.state


def degrees(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b), -1.0, 1.0)))


def relative_size(a, b):
    return np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize("activation", ["tanh", "logistic", "softplus", "square"])
def test_the_gradient_is_that_of_finite_differences_of_the_loss(activation, rng):
    network, weights, X, Y = network_and_data(rng, activation)

    def loss(M, beta):
        output = reference.feedforward(network, X, M, beta)
        return 0.5 * ((Y - output) ** 2).sum() / len(X)

    value, by_mu, by_M = loss_and_gradients(network, weights, X, Y)
    assert value == pytest.approx(loss(weights.M, weights.beta), rel=1e-12)
    h = 1e-5
    for layer in range(network.n):
        for place in np.ndindex(weights.M[layer].shape):
            up, down = ([M.copy() for M in weights.M] for _ in range(2))
            up[layer][place] += h
            down[layer][place] -= h
            slope = (loss(up, weights.beta) - loss(down, weights.beta)) / (2 * h)
            assert by_M[layer][place] == pytest.approx(slope, rel=1e-5, abs=1e-7)
        # A bias moves the prediction of every sample, so its gradient is the sum of theirs.
        for j in range(network.sizes[layer + 1]):
            up, down = ([b.copy() for b in weights.beta] for _ in range(2))
            up[layer][j] += h
            down[layer][j] -= h
            slope = (loss(weights.M, up) - loss(weights.M, down)) / (2 * h)
            assert by_mu[layer][:, j].sum() == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_errors_and_flow_at_rest_are_those_of_the_closed_form_of_a_linear_network(rng):
    """eps^n = r S^-1 ("Energy at rest") and the recursion at rest; backpropagation has r P_l^T."""
    network, weights, X, Y = network_and_data(rng, nu=(0.7, 1.1, 2.0))
    M, nu = weights.M, network.nu
    output = reference.feedforward(network, X, M, weights.beta)
    P = [M[1] @ M[2], M[2], np.eye(2)]  # from the layers 1, 2 and 3 to the output
    S = sum(nu_l * P_l.T @ P_l for nu_l, P_l in zip(nu, P, strict=True))
    r = Y - output
    top = r @ np.linalg.inv(S)
    state = at_rest(network, weights, X, Y)
    found = compare(network, state)
    x = [X]
    for layer in range(2):  # x^l = mu^l + nu^l eps^l
        x.append(x[-1] @ M[layer] + weights.beta[layer] + nu[layer] * top @ P[layer].T)
    plain = [X, X @ M[0] + weights.beta[0]]
    plain.append(plain[-1] @ M[1] + weights.beta[1])
    for layer in range(3):
        eps, descent = nu[2] * top @ P[layer].T, r @ P[layer].T
        assert found.error_angle[layer] == pytest.approx(degrees(eps, descent), abs=1e-5)
        assert found.error_size[layer] == pytest.approx(
            np.linalg.norm(eps) / np.linalg.norm(descent), rel=1e-9
        )
        flow, descent = x[layer].T @ eps, plain[layer].T @ descent
        assert found.flow_angle[layer] == pytest.approx(degrees(flow, descent), abs=1e-5)
        assert found.flow_size[layer] == pytest.approx(
            np.linalg.norm(flow) / np.linalg.norm(descent), rel=1e-9
        )


def test_errors_and_flow_approach_backpropagation_to_first_order_in_one_over_the_output_variance(rng):
    """Fact 2, with its sign: an angle of 0 and not of 180 degrees, and a relative size of 1."""
    network, weights, X, Y = network_and_data(rng, "tanh")
    found = {}
    for nu in (1e2, 1e3, 1e4):
        stiff = pcode.Network(**network.to_dict() | {"nu": [1.0, 1.0, nu]})
        found[nu] = compare(stiff, at_rest(stiff, weights, X, Y))
    for kind in ("error", "flow"):
        turned = {nu: getattr(one, f"{kind}_angle") for nu, one in found.items()}
        off = {nu: np.abs(getattr(one, f"{kind}_size") - 1.0) for nu, one in found.items()}
        assert turned[1e4].max() < 0.01
        assert off[1e4].max() < 1e-3
        for small, large in ((1e2, 1e3), (1e3, 1e4)):
            assert turned[large].max() == pytest.approx(turned[small].max() / 10.0, rel=0.1)
            assert off[large].max() == pytest.approx(off[small].max() / 10.0, rel=0.1)


def test_the_angle_of_arrays_is_right_from_the_tiniest_to_the_opposite(rng):
    a = rng.standard_normal((3, 4))
    b = rng.standard_normal((3, 4))
    assert angle(a, b) == pytest.approx(degrees(a, b), rel=1e-12)
    assert angle(a, -2.0 * a) == pytest.approx(180.0, abs=1e-6)
    across = b - a * (a * b).sum() / (a * a).sum()
    across *= np.linalg.norm(a) / np.linalg.norm(across)
    assert angle(a, a + 1e-9 * across) == pytest.approx(np.degrees(1e-9), rel=1e-6)


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(3)
    network, weights, X, Y = network_and_data(rng, "tanh", feedback="learned", sizes=(3, 4, 2))
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=500.0),
        pcode.Phase("test", {0: X}, learn=False, duration=10.0),
    ]
    return pcode.simulate(network, phases, weights=weights, save=pcode.Save(60, 60), rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_along_a_run_the_nodes_lag_behind_rest_in_proportion_to_tau_over_delta(run):
    answer = backprop(run, ratios=[4e-3, 1e-3, 2.5e-4])
    assert answer.ratios.tolist() == [4e-3, 1e-3, 2.5e-4]
    lag = answer.ratio_lag
    np.testing.assert_allclose(lag[1] / lag[0], 0.25, rtol=0.1)
    np.testing.assert_allclose(lag[2] / lag[1], 0.25, rtol=0.1)


def test_the_last_phase_with_both_ends_clamped_is_asked_about(run):
    answer = ask(run, "backprop", {"variances": [1.0, 100.0], "ratios": []})
    assert (answer.phase, answer.samples, answer.t) == ("train", 5, 500.0)
    assert answer.times[0] == 0.0
    assert answer.times[-1] == 500.0
    assert answer.course.flow_angle.shape == (answer.times.size, 2)
    # By then the nodes are at rest but for what the weights' drift leaves.
    np.testing.assert_allclose(answer.now.flow_angle, answer.rest.flow_angle, atol=1.0)
    np.testing.assert_allclose(answer.course.flow_angle[-1], answer.now.flow_angle)
    assert answer.by_variance.flow_angle[1].max() < answer.by_variance.flow_angle[0].max()
    # Learned feedback that starts at the transpose stays there (docs/model.md, "Feedback that learns").
    np.testing.assert_allclose(answer.rest.feedback_angle, 0.0, atol=1e-5)
    values = answer.to_dict()
    assert values["question"] == "backprop"
    assert values["rest"]["flow_angle"] == answer.rest.flow_angle.tolist()
    assert "within" in str(answer).splitlines()[0]


def test_a_run_that_never_trains_has_no_target(run):
    network = run.network
    held = pcode.Phase("test", {0: np.ones((1, 3))}, learn=False, duration=1.0)
    tested = pcode.simulate(network, [held], weights=run.weights, save=pcode.Save(5, 5))
    with pytest.raises(InputError, match="phase: none has both ends clamped, so there is no target"):
        backprop(tested)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"phase": "test"}, "phase: there is no target: layer 2 is not clamped in 'test'; choose a phase"),
        ({"variances": 3.0}, r"variances: must be list\[float\], not 3.0"),
        ({"variances": [0.0]}, "variances: must be positive numbers"),
        ({"ratios": [-1.0]}, "ratios: must be positive numbers"),
        ({"points": 1}, "points: must be 2 or more, not 1"),
        ({"ratio": [1.0]}, "ratio: the question backprop has no such option; it takes phase, time"),
        ({"time": "soon"}, "time: must be a number, or a time with a unit such as \"10 ms\", not 'soon'"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_line(run, options, told):
    with pytest.raises(InputError, match=told):
        ask(run, "backprop", options)


def test_a_flow_that_ascends_is_not_told_as_within_an_angle():
    """1-1-1 with W = -M^T and y above the output: eps^1 and with it M^0's flow point up the gradient."""
    network = pcode.Network((1, 1, 1), "identity", nu=(1.0, 100.0), feedback="fixed")
    weights = pcode.Weights(([[0.5]], [[0.5]]), ([[-0.5]], [[-0.5]]), ([0.0], [0.0]))
    phase = pcode.Phase("held", {0: [[1.0]], 2: [[1.0]]}, duration=1.0, learn=False)
    answer = ask(pcode.simulate(network, [phase], weights=weights), "backprop")
    assert answer.rest.flow_angle.tolist() == pytest.approx([180.0, 0.0])
    told = "at rest the weights' flow is up to 180 degrees off the gradient's descent, the errors up to 180 "
    assert answer.lines()[0].startswith(told)
    assert "the weights are held; their flow is the one that they would follow" in answer.notes

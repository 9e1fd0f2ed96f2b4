"""Nodes at the kinks of relu and its like: Filippov's solution, by every method, and what is asked of it."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import brentq

import pcode
from benchmarks.agreement import BOUND, draw, errors, kinds
from pcode import InputError
from pcode.analysis import ask
from pcode.model import activations
from pcode.model.activation import Activation
from pcode.model.state import State
from pcode.solvers.gradients import final_unknowns
from pcode.system import kinks
from pcode.system.problem import make_problem
from pcode.system.rest import nodes_at_rest
from tests.conftest import STRUCTURED, XOR_X, XOR_Y

METHODS = [name for name in pcode.METHODS if name != "auto"]
TIMES = np.linspace(0.0, 8.0, 41)


def smallest(activation="relu", target=-5.0, drive=1.0, nodes="feedforward", **options):
    """1-1-1, identity then an activation, all weights 1, both ends clamped, weights held."""
    network = pcode.Network(sizes=(1, 1, 1), activation=("identity", activation), feedback="tied")
    weights = network.check_weights(pcode.Weights(M=([[1.0]], [[1.0]]), W=None, beta=([0.0], [0.0])))
    phase = pcode.Phase("held", {0: [[drive]], 2: [[target]]}, duration=8.0, learn=False)
    save = pcode.Save(nodes=41, spacing="linear")
    return (
        network,
        phase,
        weights,
        lambda **more: pcode.simulate(
            network, [phase], weights=weights, nodes=nodes, save=save, **options, **more
        ),
    )


def sliding():
    """Filippov's solution of `smallest`, as x, eps1, eps2 at TIMES: linear pieces, put together by hand."""
    # While x > 0 with s = (x, eps1, eps2): dx = eps2 - eps1, deps1 = x - 1 - eps1, deps2 = -5 - x - eps2.
    A = np.array([[0.0, -1.0, 1.0], [1.0, -1.0, 0.0], [-1.0, 0.0, -1.0]])
    rest = np.linalg.solve(A, [0.0, 1.0, 5.0])
    start = np.array([1.0, 0.0, 0.0])

    def above(t):
        return rest + expm(A * t) @ (start - rest)

    hit = brentq(lambda t: above(t)[0], 1e-3, 2.0)
    there = above(hit)
    assert -there[1] > 0.0 > there[2] - there[1]  # both sides push onto the kink, and go on doing so

    def held(t):  # x = 0: deps1 = -1 - eps1, deps2 = -5 - eps2
        end = np.array([-1.0, -5.0])
        return np.array([0.0, *(end + np.exp(-(t - hit)) * (there[1:] - end))])

    return np.array([above(t) if t < hit else held(t) for t in TIMES])


@pytest.mark.parametrize("method", [*METHODS, STRUCTURED], indirect=True)
def test_a_node_slides_along_its_kink_as_filippovs_closed_form_says(method):
    run = smallest()[3](method=method)
    got = np.column_stack([run.data[name].to_numpy()[:, 0, 0] for name in ("x1", "eps1", "eps2")])
    assert np.abs(got - sliding()).max() < 50e-6
    assert run.state.x[1] == 0.0


def test_at_rest_a_held_node_mixes_both_sides_of_its_kink():
    network, phase, weights, _ = smallest()
    state = State(([[1.0]], [[0.0]], [[-5.0]]), (np.array([[-1.0]]), np.array([[-5.0]])), weights)
    state = state._replace(x=tuple(map(np.array, state.x)))
    problem = make_problem(network, phase, state, reduce=False)
    alpha = kinks.mixes(problem.system, 0.0, problem.y0)[1]
    assert float(alpha[0, 0]) == pytest.approx(0.2, abs=1e-12)
    assert np.abs(problem.rhs(0.0, problem.y0)).max() < 1e-15


@pytest.mark.parametrize("step", [1.0, np.inf])
@pytest.mark.parametrize("x", [-2.0, -0.3, 0.5, 3.0])
def test_nodes_at_rest_finds_the_held_node_from_either_side(x, step):
    network, phase, weights, _ = smallest()
    state = State(tuple(np.array([[v]]) for v in (1.0, x, -5.0)), (np.zeros((1, 1)),) * 2, weights)
    rest = nodes_at_rest(make_problem(network, phase, state, reduce=False), step=step)
    assert rest.found
    assert rest.state.x[1] == 0.0
    assert np.allclose(np.ravel(rest.state.eps), [-1.0, -5.0], rtol=0.0, atol=1e-11)


def test_the_value_of_a_held_node_is_no_unknown_in_the_spectrum_but_its_error_is():
    run = smallest()[3](method="cvode", rtol=1e-9, atol=1e-12)
    found = ask(run, "equilibrium", {"starts": 0})
    assert found.kind == "stable"
    assert found.rightmost == pytest.approx(-1.0)  # eps1 and eps2 alone are left, each with rate nu / tau
    values = ask(run, "spectrum", {}).nodes.values
    assert np.allclose(values, -1.0)
    assert values.size == 2


def test_leaky_relu_holds_a_node_by_a_mix_of_its_own_slopes():
    """At rest eps1 = -1 and h = -5, so that sigma' = 1/5 = 0.01 + 0.99 alpha."""
    network, phase, weights, _ = smallest("leaky_relu")
    state = State(tuple(np.array([[v]]) for v in (1.0, 2.0, -5.0)), (np.zeros((1, 1)),) * 2, weights)
    rest = nodes_at_rest(make_problem(network, phase, state, reduce=False), step=1.0)
    assert rest.found
    problem = make_problem(network, phase, rest.state, reduce=False)
    alpha = float(kinks.mixes(problem.system, 0.0, problem.y0)[1][0, 0])
    assert alpha == pytest.approx((0.2 - 0.01) / 0.99, abs=1e-10)


@pytest.fixture
def hard_tanh():
    """A sigma with two kinks, at -1 and 1, whose derivatives are JAX's own."""
    return Activation(
        lambda x: jnp.clip(x, -1.0, 1.0),
        name="hard_tanh",
        df=lambda x: jnp.where(jnp.abs(x) < 1.0, 1.0, 0.0),
        d2f=jnp.zeros_like,
        kinks=(-1.0, 1.0),
    )


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("method", ["cvode", "Radau", "Tsit5"])
def test_a_node_is_held_at_each_of_two_kinks(side, method, hard_tanh):
    """mu^1 = 0.5, target 5: at x = 1, eps1 = 0.5 and h = 4, between 1 h - eps1 > 0 and -eps1 < 0."""
    run = smallest(hard_tanh, 5.0 * side, 0.5 * side)[3](method=method)
    assert run.state.x[1] == side
    assert np.allclose(np.ravel(run.state.eps), [0.5 * side, 4.0 * side], atol=1e-2)  # after 8 tau: exp(-7)


def test_within_a_piece_sigma_goes_on_along_its_tangent():
    relu = activations.by_name("relu")
    x = jnp.array([-0.5, 0.5, -0.5, 0.5])
    mode = jnp.array([0.0, 0.0, 2.0, 2.0])
    assert np.allclose(relu.within(mode).f(x), [0.0, 0.0, -0.5, 0.5])
    assert np.allclose(relu.within(mode).df(x), [0.0, 0.0, 1.0, 1.0])
    assert np.allclose(relu.within(jnp.full(4, -1.0)).f(x), [0.0, 0.5, 0.0, 0.5])
    assert tuple(map(float, relu.slopes(0.0))) == (0.0, 1.0)
    assert tuple(map(float, activations.by_name("leaky_relu").slopes(0.0))) == (0.01, 1.0)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_network_shown_inputs_comes_from_zero_to_rest_at_the_feedforward_pass(activation):
    network = pcode.Network(sizes=(3, 6, 5, 2), activation=activation, feedback="tied")
    rng = np.random.default_rng(3)
    weights = network.init_weights(rng)
    weights = weights._replace(beta=tuple(0.3 * rng.standard_normal(b.shape) for b in weights.beta))
    inputs = rng.standard_normal((5, 3))
    phase = pcode.Phase(
        "test", {0: inputs}, duration=500.0, learn=False, until="equilibrium", settle_tol=1e-7
    )
    run = pcode.simulate(
        network, [phase], weights=weights, nodes="zero", method="cvode", rtol=1e-8, atol=1e-11
    )
    assert run.status == "equilibrium"
    slope = 0.0 if activation == "relu" else 0.01
    x = inputs
    for M, beta in zip(weights.M, weights.beta, strict=True):
        x = np.where(x > 0.0, x, slope * x) @ M + beta
    assert np.allclose(run.state.x[-1], x, atol=1e-5)


@pytest.mark.parametrize("W", ["transpose", "independent"])
@pytest.mark.parametrize("feedback", ["tied", "learned"])
def test_relu_learns_xor_within_five_times_the_steps_of_tanh(feedback, W):
    steps = {}
    for activation in ("tanh", "relu"):
        network = pcode.Network((2, 8, 1), activation, delta=1000.0, feedback=feedback)
        weights = network.init_weights(4, scale=1.5, W=W)
        train = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=2e5)
        test = pcode.Phase("test", {0: XOR_X}, learn=False, until="equilibrium", duration=500.0)
        run = pcode.simulate(network, [train, test], weights=weights, method="cvode")
        assert not run.status.failed
        assert np.abs(run.state.x[2] - XOR_Y).max() < 0.05
        steps[activation] = run.phases[0].stats.steps
    assert steps["relu"] <= 5 * steps["tanh"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", range(6))
def test_random_networks_agree_with_numpy_whatever_the_method(kind):
    # Two networks for each method; `python -m benchmarks.agreement` takes every one by all.
    methods = ["cvode", *METHODS[1 + kind % 3 :: 3]]
    rng = np.random.default_rng(11 + kind)
    made = None
    while made is None:
        made = errors(draw(list(kinds(6))[kind], rng), methods)
    assert max(made.values()) < BOUND, made


@pytest.mark.parametrize("method", ["Dopri8", "Kvaerno5", "DOP853", "cvode"])
def test_a_node_that_goes_over_its_kink_and_back_within_a_step_is_not_missed(method):
    """A random network whose second sample does so from t = 2.87 to 3.16, less than a step of Dopri8."""
    network = pcode.Network(
        (1, 2, 2, 1), ("tanh", "relu", "leaky_relu"), 1.2124780862232483, 118.64638525634876,
        (0.3692747606931836, 0.6519337862346647, 0.9453510235800147), feedback="fixed",
    )  # fmt: skip
    M = (
        np.array([[1.17053489, -0.33650756]]),
        np.array([[-0.78286756, 0.85165879], [-0.53818025, -0.56656249]]),
        np.array([[0.10280371], [-0.9117361]]),
    )
    beta = (
        np.array([-0.19922974, -0.54014935]),
        np.array([-0.56973125, -0.00371041]),
        np.array([-0.06316199]),
    )
    weights = pcode.Weights(M, tuple(m.T for m in M), beta)
    clamp = {0: [[1.2541123], [1.80437386]], 3: [[0.27333905], [0.41171114]]}
    made = errors((network, pcode.Phase("held", clamp, duration=20.0, learn=False), weights), [method])
    assert made[method] < BOUND


@pytest.mark.parametrize("method", ["Radau", "Tsit5", "Kvaerno5", "cvode"])
def test_nodes_that_stand_on_their_kinks_at_the_start_go_the_same_way_by_every_method(method):
    """All of relu sees nothing of the sample (-1, -1): its hidden nodes start at x = 0 with eps = 0."""
    network = pcode.Network((2, 8, 1), "relu", delta=1000.0, feedback="tied")
    weights = network.init_weights(0, scale=1.5)
    phase = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=10.0)
    save = pcode.Save(nodes=21, spacing="linear")
    found = [
        pcode.simulate(network, [phase], weights=weights, method=name, rtol=rtol, atol=1e-3 * rtol, save=save)
        for name, rtol in ((method, 1e-7), ("DOP853", 1e-10))
    ]
    assert np.abs(found[0].data["x1"] - found[1].data["x1"]).max() < 50e-7


def test_with_relu_too_the_weights_come_near_the_singular_limit_to_first_order():
    """Fact 8: the distance falls with tau/delta to first order."""
    network = pcode.Network((2, 8, 1), "relu", delta=1000.0, feedback="tied")
    train = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=4e3)
    run = pcode.simulate(network, [train], weights=network.init_weights(0, scale=1.5), method="cvode")
    found = ask(run, "separation", {"ratios": [500.0, 2000.0]})
    assert found.order == pytest.approx(1.0, abs=0.05)
    assert found.own_distance < 0.01


def test_a_held_node_stays_held_where_the_next_phase_begins():
    network, phase, weights, _ = smallest()
    run = pcode.simulate(network, [phase, phase], weights=weights, method="cvode")
    second = run.data.isel(time=np.flatnonzero(run.data["phase"].to_numpy() == 1))
    assert (second["x1"] == 0.0).all()
    assert run.phases[1].stats.steps < run.phases[0].stats.steps


def test_the_slope_of_a_sliding_node_is_drawn_as_the_mix_that_holds_it():
    """While it is held sigma' = eps1 / eps2, at rest 1/5; once the target is above -1 it is let go."""
    network, _, weights, _ = smallest()
    target = pcode.TimeSeries([0.0, 20.0, 40.0], [[[-5.0]], [[-5.0]], [[3.0]]])
    phase = pcode.Phase("pulled", {0: [[1.0]], 2: target}, duration=40.0, learn=False)
    save = pcode.Save(nodes=81, spacing="linear")
    run = pcode.simulate(network, [phase], weights=weights, method="cvode", save=save)
    slopes = run.plot.activation_slopes(1).lines[0].get_ydata()
    t = run.data["time"].to_numpy()
    assert slopes[np.searchsorted(t, 15.0)] == pytest.approx(0.2, abs=1e-4)
    held = (t > 1.0) & (t < 28.0)
    ratio = (run.data["eps1"] / run.data["eps2"]).to_numpy().ravel()
    assert np.allclose(slopes[held], ratio[held])
    assert (slopes[t > 35.0] == 1.0).all()


def test_derivatives_of_a_solution_are_refused_where_nodes_may_pass_kinks():
    network, phase, weights, _ = smallest()
    state = State(tuple(np.ones((1, 1)) for _ in range(3)), (np.zeros((1, 1)),) * 2, weights)
    problem = make_problem(network, phase, state, reduce=False)
    with pytest.raises(InputError, match="kinks of relu"):
        final_unknowns(problem.structure, problem.parameters, problem.y0, 1.0)


@pytest.mark.parametrize(("u", "x", "rate"), [(-0.25, -0.25, -0.3), (0.25, 0.0, -0.1), (1.25, 0.25, 0.5)])
def test_with_room_for_held_nodes_the_rate_is_that_of_the_slope_that_the_coordinate_says(u, x, rate):
    """dx = alpha eps2 - eps1 with alpha = 0 below the kink, u on it, 1 above: 0.8 alpha - 0.3."""
    network, phase, weights, _ = smallest()
    values, errors_ = ([[1.0]], [[0.1]], [[-5.0]]), ([[0.3]], [[0.8]])
    state = State(tuple(map(np.array, values)), tuple(map(np.array, errors_)), weights)
    problem = make_problem(network, phase, state, reduce=False)
    y, rates = kinks.folded(problem.system, jnp.array([u, 0.3, 0.8]))
    np.testing.assert_allclose(y, [x, 0.3, 0.8])
    assert rates[0] == pytest.approx(rate)

"""Predictions that are fixed at the forward pass of the present weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from flow import reference
from methods import DETERMINISTIC
from small_scenario import SMALL, load, refused

import pcode
from pcode import InputError, plotting
from pcode.analysis import ask
from pcode.analysis.spectra.modes import node_eigenvalues
from pcode.model.network import Array
from pcode.run.identities import settling_off, slaved_off
from pcode.simulation.fingerprint import of_phase
from pcode.solvers.linear import solve_coupled
from pcode.system.elimination import ChainElimination
from pcode.system.problem import Problem, make_problem
from pcode.system.rest import nodes_at_rest

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(3, 2)), 0.6 * RNG.normal(size=(3, 1))
SIZES = (2, 3, 3, 1)
TIGHT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10}
FIRST = {"tied": 0.3, "learned": 0.0}  # tau_eps by feedback


def fixed(**options: Any) -> pcode.Phase:
    given = {"clamp": {0: X, 3: Y}, "duration": 20.0, "predictions": "fixed"} | options
    return pcode.Phase("train", **given)


def network(feedback: str = "learned", **options: Any) -> pcode.Network:
    given = {"nu": (0.5, 1.0, 2.0), "delta": 20.0, "feedback": feedback}
    return pcode.Network(SIZES, **given | options)


def ends(run: pcode.Run) -> tuple[Array, ...]:
    """x, eps, M, W and beta at the end of a run."""
    W = run.weights.W or ()
    return (*run.state.x, *run.state.eps, *run.weights.M, *W, *run.weights.beta)


def forward(net: pcode.Network, weights: pcode.Weights, x: Array) -> list[Array]:
    """x^0..x^n of the forward pass."""
    found = [x]
    for sigma, M, beta in zip(net.sigma, weights.M, weights.beta, strict=True):
        found.append(np.asarray(sigma.f(found[-1])) @ M + beta)
    return found


def by_scipy(net: pcode.Network, phase: pcode.Phase, weights: pcode.Weights) -> tuple[Array, ...]:
    """The end of a run by the oracle, from the feedforward pass with errors 0."""
    begin = phase.clamp_at(0, 0.0)
    x = [*forward(net, weights, begin)[:-1], phase.clamp[3]]
    eps = [np.zeros_like(x_l) for x_l in x[1:]]
    found = reference(net, phase, weights, x, eps, [phase.duration])[-1]
    W = found[3] if net.feedback != "tied" else ()
    return (*found[0], *found[1], *found[2], *W, *found[4])


@cache
def learning(feedback: str) -> tuple[pcode.Network, pcode.Weights, tuple[Array, ...]]:
    net = network(feedback, tau_eps=FIRST[feedback], weight_decay=0.02, node_decay=0.1)
    weights = net.init_weights(2, scale=1.5, **({} if feedback == "tied" else {"W": "independent"}))
    return net, weights, by_scipy(net, fixed(), weights)


@pytest.mark.parametrize("activation", ["tanh", "logistic", "softplus", "relu", "leaky_relu", "identity"])
def test_errors_at_rest_are_backpropagations_at_any_variance(activation: str) -> None:
    net = pcode.Network((3, 4, 4, 4, 2), activation=activation, nu=(0.3, 1.0, 2.0, 0.7), feedback="tied")
    weights = net.init_weights(1)
    x, y = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))
    phase = pcode.Phase("any", {0: x, 4: y}, duration=1.0, learn=False, predictions="fixed")
    start = pcode.State(
        tuple(np.zeros((5, k)) for k in net.sizes), tuple(np.ones((5, k)) for k in net.sizes[1:]), weights
    )
    rest = nodes_at_rest(make_problem(net, phase, start, reduce=False))

    def loss(M: Any, offsets: Any) -> Any:
        out = x
        for sigma, m, offset in zip(net.sigma, M, offsets, strict=True):
            out = sigma.f(out) @ m + offset
        return 0.5 * jnp.sum((y - out) ** 2)

    nothing = tuple(jnp.zeros((5, k)) for k in net.sizes[1:])
    by_M, by_mu = jax.grad(loss, argnums=(0, 1))(tuple(map(jnp.asarray, weights.M)), nothing)
    for mine, gradient in zip(rest.state.eps, by_mu, strict=True):
        np.testing.assert_allclose(0.7 * mine, -gradient, atol=1e-12, rtol=0.0)
    learns = make_problem(net, replace(phase, learn=True), rest.state, reduce=False)
    rates = learns.layout.views(learns.rhs(0.0, learns.y0))
    for k, gradient in enumerate(by_M):
        np.testing.assert_allclose(0.7 * net.deltas[k] * rates[f"M{k}"], -gradient / 5, atol=1e-12, rtol=0.0)


@pytest.mark.parametrize(
    ("feedback", "method"),
    [("learned", method) for method in DETERMINISTIC] + [("tied", "cvode"), ("tied", "BDF")],
)
def test_a_learning_run_is_that_of_scipy_by_every_method(feedback: str, method: str) -> None:
    net, weights, exact = learning(feedback)
    run = pcode.simulate(net, [fixed()], weights=weights, method=method, **TIGHT)
    for mine, right in zip(ends(run), exact, strict=True):
        np.testing.assert_allclose(mine, right, atol=1e-6, rtol=0.0)


def test_a_moving_input_and_a_clamped_hidden_node_enter_the_forward_pass() -> None:
    net = network("learned")
    weights = net.init_weights(3)
    moving = pcode.TimeSeries([0.0, 10.0], np.stack([X, -X]))
    hidden = np.full((3, 3), np.nan)
    hidden[:, 1] = [0.5, -1.0, 0.2]
    phase = fixed(clamp={0: moving, 1: hidden, 3: Y}, duration=10.0)
    x = list(forward(net, weights, X))
    x[1] = np.where(np.isnan(hidden), x[1], hidden)
    x[2] = np.tanh(x[1]) @ weights.M[1] + weights.beta[1]
    x[3] = Y
    exact = reference(net, phase, weights, x, [np.zeros_like(x_l) for x_l in x[1:]], [10.0])[-1]
    run = pcode.simulate(net, [phase], weights=weights, **TIGHT)
    for mine, right in zip(ends(run), [part for parts in exact for part in parts], strict=True):
        np.testing.assert_allclose(mine, right, atol=1e-6, rtol=0.0)


def posed(learn: bool = True, whole: int = 1_000_000) -> Problem:
    """A problem in a random state."""
    net = network("learned", weight_decay=0.1, node_decay=0.2, tau_eps=0.4)
    rng = np.random.default_rng(6)
    state = pcode.State(
        tuple(rng.normal(size=(3, k)) for k in SIZES),
        tuple(rng.normal(size=(3, k)) for k in SIZES[1:]),
        net.init_weights(1, W="independent"),
    )
    problem = make_problem(net, fixed(learn=learn), state, reduce=False)
    structure = problem.structure._replace(elimination=ChainElimination(whole))
    return replace(problem, system=replace(problem.system, structure=structure))


def differences(problem: Problem) -> Array:
    """The Jacobian by central differences."""
    y, h = problem.y0, 1e-5
    pairs = [(problem.rhs(0.0, y + h * e), problem.rhs(0.0, y - h * e)) for e in np.eye(y.size)]
    return np.array([(up - down) / (2.0 * h) for up, down in pairs]).T


def test_the_jacobian_is_that_of_finite_differences() -> None:
    for learn in (True, False):
        problem = posed(learn)
        J = differences(problem)
        np.testing.assert_allclose(problem.jacobian(0.0, problem.y0), J, atol=1e-8)
        if not learn:
            np.testing.assert_allclose(problem.sparse_jacobian(0.0, problem.y0).toarray(), J, atol=1e-8)


@pytest.mark.parametrize("whole", [0, 1_000_000])
def test_the_structured_solve_is_that_of_a_dense_matrix(whole: int) -> None:
    for learn, a in ((False, 0.7), (True, 5.0)):
        problem = posed(learn, whole)
        size = problem.y0.size
        r = np.random.default_rng(2).normal(size=size)
        exact = np.linalg.solve(np.eye(size) - a * differences(problem), r)
        solve = problem.factor(0.0, problem.y0, a)
        found = solve_coupled(problem, solve, a, r, np.ones(size), 1e-12)
        np.testing.assert_allclose(found, exact, atol=1e-6)


def test_nodes_of_relu_networks_follow_the_matrix_exponential_whatever_their_signs() -> None:
    net = network("tied", activation="relu", nu=1.0)
    weights = net.init_weights(4, scale=2.0)
    at, n = forward(net, weights, X), net.n
    slopes = [(x > 0.0).astype(float) for x in at]
    count = sum(SIZES[1:])
    run = pcode.simulate(net, [fixed(learn=False, duration=5.0)], weights=weights, **TIGHT)
    begin = np.cumsum([0, *SIZES[1:]])
    for b in range(3):
        # d(x, eps)/dt for x^1, x^2, eps^1..eps^3, with x^3 at its clamp.
        A, c = np.zeros((2 * count, 2 * count)), np.zeros(2 * count)
        for k in range(1, n + 1):
            x, e = slice(begin[k - 1], begin[k]), slice(count + begin[k - 1], count + begin[k])
            A[e, e], A[e, x], c[e] = -np.eye(SIZES[k]), np.eye(SIZES[k]), -at[k][b]
            if k < n:
                above = slice(count + begin[k], count + begin[k + 1])
                A[x, e], A[x, above] = -np.eye(SIZES[k]), slopes[k][b][:, None] * weights.M[k]
        start = np.concatenate([*(x[b] for x in at[1:-1]), Y[b], np.zeros(count)])
        affine = np.block([[A, c[:, None]], [np.zeros((1, 2 * count + 1))]])
        end = scipy.linalg.expm(5.0 * affine) @ [*start, 1.0]
        mine = np.concatenate([*(x[b] for x in run.state.x[1:]), *(e[b] for e in run.state.eps)])
        np.testing.assert_allclose(mine, end[:-1], atol=1e-6)


@pytest.mark.parametrize("method", ["cvode", "Tsit5", "DOP853"])
def test_weights_carry_the_forward_pass_of_relu_over_its_kink(method: str) -> None:
    net = network("tied", activation="relu", delta=4.0, nu=1.0)
    rng = np.random.default_rng(4)
    weights = net.init_weights(4, scale=1.5)
    # Biases, so that no node of the forward pass starts exactly at the kink.
    weights = weights._replace(beta=tuple(0.5 * rng.normal(size=beta.shape) for beta in weights.beta))
    long = fixed(clamp={0: X, 3: 2.0 * Y}, duration=20.0)
    run = pcode.simulate(net, [long], weights=weights, method=method, rtol=1e-10, atol=1e-12)
    before, after = (np.concatenate(forward(net, w, X)[1:3], axis=1) > 0.0 for w in (weights, run.weights))
    assert (before != after).any()
    for mine, right in zip(ends(run), by_scipy(net, long, weights), strict=True):
        np.testing.assert_allclose(mine, right, atol=1e-5, rtol=0.0)


def test_every_node_rings_by_itself_where_its_variance_is_below_two() -> None:
    net = network("tied", nu=(0.5, 1.0, 3.0))
    run = pcode.simulate(net, [fixed(learn=False)], weights=net.init_weights(1), rtol=1e-5)
    problem = make_problem(net, fixed(learn=False), run.state, reduce=False)
    pairs = [np.roots([1.0, nu, 1.0]) for nu in (0.5, 1.0) for _ in range(3)]
    expected = np.sort_complex(np.concatenate([*pairs, [-3.0]] * 3))
    found = np.sort_complex(np.round(node_eigenvalues(problem).values, 12))
    # A triangular matrix with repeated eigenvalues: they are good to a root of rounding.
    np.testing.assert_allclose(found.sum(), expected.sum(), atol=1e-9)
    assert max(np.abs(value - expected).min() for value in found) < 1e-2


def test_the_distance_from_backpropagation_halves_with_tau_and_is_none_at_the_limit() -> None:
    apart = {}
    for tau in (0.4, 0.2, 0.0):
        net = network("tied", tau=tau, delta=20.0)
        run = pcode.simulate(net, [fixed(duration=40.0)], weights=net.init_weights(5), **TIGHT)
        apart[tau] = pcode.twin(run).flow_distance.max()
    assert apart[0.4] / apart[0.2] == pytest.approx(2.0, rel=0.1)
    assert apart[0.0] < 1e-6


def test_samples_in_turn_are_phases_written_by_hand() -> None:
    net = network("learned")
    weights = net.init_weights(2)
    shown = pcode.Presentation(size=1, hold=3.0, passes=4, order="given", nodes="feedforward")
    probes = {"angle": pcode.Probe("gradient_angle", presentations=12)}
    in_turn = fixed(duration=None, presentation=shown)
    run = pcode.simulate(net, [in_turn], weights=weights, method="Tsit5", probes=probes, **TIGHT)
    alike: Any = {"duration": 3.0, "nodes": "feedforward"}
    one = [fixed(clamp={0: X[[k]], 3: Y[[k]]}, samples=[k], **alike) for k in (0, 1, 2) * 4]
    hand = pcode.simulate(net, one, weights=weights, method="cvode", **TIGHT)
    for mine, right in zip(ends(run), ends(hand), strict=True):
        np.testing.assert_allclose(mine, right, atol=1e-6)
    assert run.data["energy_slaved"][-1].to_numpy() == pytest.approx(
        hand.data["energy_slaved"][-1].to_numpy(), abs=1e-6
    )
    # The flow of the weights is that of sigma at the forward pass.
    at = forward(net, run.weights, X[[2]])
    flow = np.tanh(at[1]).T @ run.state.eps[1]

    def loss(M1: Any) -> Any:
        return 0.5 * jnp.sum((Y[2] - jnp.tanh(jnp.tanh(at[1]) @ M1 + run.weights.beta[1]) @ run.weights.M[2]
                              - run.weights.beta[2]) ** 2)  # fmt: skip

    descent = -np.asarray(jax.grad(loss)(jnp.asarray(run.weights.M[1])))
    cosine = (flow * descent).sum() / np.linalg.norm(flow) / np.linalg.norm(descent)
    assert run.data["angle"].to_numpy()[-1][1] == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-3)


def test_a_member_of_an_ensemble_is_the_run_alone() -> None:
    net = network("learned")
    many = pcode.simulate_many(net, [fixed()], seeds=[0, 1], **TIGHT)
    alone = pcode.simulate(net, [fixed()], weights=net.init_weights(1), **TIGHT)
    for mine, right in zip(ends(many.member(1)), ends(alone), strict=True):
        np.testing.assert_allclose(mine, right, atol=1e-6)
    assert many.member(1).phases[0].predictions == "fixed"
    slaved = (part.data["energy_slaved"][-1].to_numpy() for part in (many.member(1), alone))
    np.testing.assert_allclose(*slaved, atol=1e-6)


def test_the_slaved_energy_is_of_the_forward_pass_and_files_keep_that(
    tmp_path: Path,
) -> None:
    net = network("tied")
    run = pcode.simulate(net, [fixed()], weights=net.init_weights(1), **TIGHT)
    mu = forward(net, run.weights, X)
    terms = [
        0.5 * ((x - m) ** 2).sum(axis=1).mean() / nu
        for x, m, nu in zip(run.state.x[1:], mu[1:], net.nu, strict=True)
    ]
    np.testing.assert_allclose(run.data["energy_slaved"][-1], terms, rtol=1e-9)
    assert (
        plotting.energy_remark(run) == r"$F$ may rise: $\varepsilon$ lags behind $x$, predictions are fixed"
    )
    run.save(tmp_path / "run.nc")
    again = pcode.Run.load(tmp_path / "run.nc")
    assert again.phases[0].predictions == "fixed"
    assert ask(again, "backprop").rest.flow_angle.max() < 1e-5
    assert ask(again, "backprop").rest.flow_size == pytest.approx(np.ones(3), abs=1e-9)


def test_a_checkpoint_of_free_predictions_is_not_gone_on_with() -> None:
    assert of_phase(fixed()) != of_phase(fixed(predictions="free"))


def test_the_certificate_knows_the_energy_at_rest_of_linear_networks() -> None:
    net = network("tied", activation="identity")
    hold = fixed(learn=False, until="equilibrium", settle_tol=1e-9, duration=500.0)
    run = pcode.simulate(net, [hold], weights=net.init_weights(1), **TIGHT)
    checks = {check.name: check for check in ask(run, "certificate").checks}
    assert checks["energy"].verdict == "pass"
    assert ask(run, "convergence").phases[0].lyapunov is None


def test_what_has_no_forward_pass_is_refused_and_so_is_a_dense_jacobian_too_large(monkeypatch: Any) -> None:
    net = network()
    some = np.where(np.eye(3, 2) > 0.0, np.nan, X)
    for clamp in ({3: Y}, {0: some, 3: Y}):
        with pytest.raises(InputError, match=r"predictions.*clamp all of layer 0"):
            pcode.simulate(net, [fixed(clamp=clamp)], weights=net.init_weights(0))
    with pytest.raises(InputError, match=r"predictions: must be free or fixed"):
        fixed(predictions="frozen")
    monkeypatch.setattr("pcode.solvers.scipy.LARGEST_DENSE", 20)
    with pytest.raises(InputError, match=r"BDF.*predictions are fixed and weights learn.*use cvode"):
        pcode.simulate(net, [fixed()], weights=net.init_weights(0), method="BDF")


def test_a_scenario_says_so_and_a_free_input_is_refused_by_the_key(tmp_path: Path) -> None:
    said = f'{SMALL}predictions = "fixed"\n'
    assert load(tmp_path, said).phases[0].predictions == "fixed"
    assert load(tmp_path, SMALL).phases[0].predictions == "free"
    assert "phase.0.predictions" in str(refused(tmp_path, said.replace('"both"', '"output"')))


def test_saved_energies_are_judged_by_the_forward_pass_and_settling_is_not_judged() -> None:
    net = network("tied", activation="identity", nu=0.2)
    shown = pcode.Presentation(size=1, hold=2.0, order="given")
    in_turn = fixed(duration=None, presentation=shown)
    phases = [fixed(learn=False), in_turn]
    run = pcode.simulate(net, phases, weights=net.init_weights(1, scale=2.0), **TIGHT)
    assert slaved_off(run) < 1e-12
    # Free nodes of this network obey an inequality of their rates that these do not.
    assert "free predictions" in settling_off(run)

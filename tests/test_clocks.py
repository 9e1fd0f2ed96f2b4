"""Nodes with clocks of their own: tau for each layer, tau_eps of the errors, and errors slaved to values."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from flow import reference

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.analysis.planes.plane import phase_plane
from pcode.analysis.spectra.jacobians import NodeSystem
from pcode.model.network import Array
from pcode.system.problem import make_problem
from tests.methods import DETERMINISTIC

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(2, 2)), 0.7 * RNG.normal(size=(2, 1))
TIGHT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10}
CLOCKS = {
    "slaved": {"tau_eps": 0.0},
    "one layer slaved": {"tau": 0.7, "tau_eps": [0.3, 0.0]},
    "each its own": {"tau": [1.0, 0.5, 2.0], "tau_eps": [0.2, 0.8]},
}


def both_ends(**options: Any) -> pcode.Phase:
    return pcode.Phase("train", **{"clamp": {0: X, 2: Y}, "duration": 30.0} | options)


def ends(run: pcode.Run) -> tuple[Array, ...]:
    """x, eps, M, W and beta at the end of a run."""
    return (*run.state.x, *run.state.eps, *run.weights.M, *run.weights.feedback, *run.weights.beta)


def by_scipy(net: pcode.Network, phase: pcode.Phase, weights: pcode.Weights) -> tuple[Array, ...]:
    """The same by the oracle, from the feedforward pass with errors 0."""
    hidden = np.asarray(net.sigma[0].f(X)) @ weights.M[0] + weights.beta[0]
    start = (X, hidden, Y), (np.zeros_like(hidden), np.zeros_like(Y))
    x, eps, M, W, beta = reference(net, phase, weights, *start, [phase.duration])[-1]
    return (*x, *eps, *M, *W, *beta)


@pytest.mark.parametrize(
    ("clocks", "method"),
    [("one layer slaved", method) for method in DETERMINISTIC]
    + [(clocks, method) for clocks in ("slaved", "each its own") for method in ("cvode", "BDF", "Tsit5")],
)
def test_a_learning_run_is_that_of_scipy_by_every_method(clocks: str, method: str) -> None:
    net = pcode.Network((2, 3, 1), delta=20.0, nu=[0.5, 1.0], weight_decay=0.02, **CLOCKS[clocks])
    weights = net.init_weights(2, W="independent")
    run = pcode.simulate(net, [both_ends()], weights=weights, method=method, **TIGHT)
    for mine, exact in zip(ends(run), by_scipy(net, both_ends(), weights), strict=True):
        np.testing.assert_allclose(mine, exact, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("feedback", ["tied", "fixed"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "softplus", "square"])
def test_so_it_is_for_other_activations_and_feedback_with_slaved_errors(
    activation: str, feedback: str
) -> None:
    net = pcode.Network((2, 3, 1), activation, delta=20.0, nu=0.8, feedback=feedback, tau_eps=0.0)  # type: ignore[arg-type]
    weights = net.init_weights(4)._replace(beta=(np.array([0.3, -0.2, 0.1]), np.array([0.1])))
    run = pcode.simulate(net, [both_ends()], weights=weights, **TIGHT)
    exact = by_scipy(net, both_ends(), weights)
    for mine, other in zip((*run.state.x, *run.state.eps, *run.weights.M), exact, strict=False):
        np.testing.assert_allclose(mine, other, atol=1e-6, rtol=0.0)


def test_wide_inputs_and_held_weights_with_slaved_errors_are_those_of_dynamic_ones_at_the_limit() -> None:
    """More inputs than samples, so that M0 is reduced; against tau_eps = 1e-7, by first order that near."""
    rng = np.random.default_rng(1)
    phase = pcode.Phase("train", {0: rng.normal(size=(3, 12)), 3: rng.normal(size=(3, 2))}, duration=40.0)
    found = []
    for tau_eps in (0.0, 1e-7):
        net = pcode.Network((12, 5, 4, 2), delta=10.0, tau_eps=tau_eps)
        run = pcode.simulate(net, [phase], weights=net.init_weights(0), **TIGHT)
        found.append(np.concatenate([np.ravel(a) for a in ends(run)]))
    np.testing.assert_allclose(*found, atol=1e-6)


def linear(tau: Any, tau_eps: Any, nu: float = 0.9, node_decay: float = 0.0) -> tuple[Any, ...]:
    """A linear 2-3-2-2 with W = M^T and its node matrix D = d(x - mu)/dx_free, shape (free, errors)."""
    rng = np.random.default_rng(3)
    net = pcode.Network(
        (2, 3, 2, 2), "identity", tau=tau, tau_eps=tau_eps, nu=nu, node_decay=node_decay, feedback="tied"
    )
    weights = net.init_weights(7)
    D = np.zeros((5, 7))
    D[:3, :3], D[:3, 3:5] = np.eye(3), -weights.M[1]
    D[3:, 3:5], D[3:, 5:] = np.eye(2), -weights.M[2]
    clamp = {0: rng.normal(size=(1, 2)), 3: rng.normal(size=(1, 2))}
    return net, weights, pcode.Phase("held", clamp, duration=6.0, learn=False), D


@pytest.mark.parametrize("method", ["cvode", "Kvaerno5", "DOP853"])
def test_slaved_errors_of_a_linear_network_follow_the_matrix_exponential(method: str) -> None:
    """tau dx/dt = -(x - mu) (1/nu) D^T for rows, from the feedforward pass."""
    net, weights, phase, D = linear([1.0, 0.5, 2.0, 1.0], 0.0, node_decay=0.1)
    run = pcode.simulate(net, [phase], weights=weights, method=method, rtol=1e-10, atol=1e-12)
    tau = np.repeat([0.5, 2.0], [3, 2])
    A = -(D @ D.T / 0.9 + 0.1 * np.eye(5)) / tau  # for rows: dx/dt = x A + b, columns over tau
    x = np.concatenate([run.data["x1"].values, run.data["x2"].values], axis=2)[:, 0]
    eps0 = np.concatenate([run.data[f"eps{k}"].values[0, 0] for k in (1, 2, 3)])
    first = (-eps0 @ D.T - 0.1 * x[0]) / tau
    rest = x[0] - np.linalg.solve(A.T, first)
    for t, row in zip(run.data["time"].values, x, strict=True):
        np.testing.assert_allclose(row, rest + (x[0] - rest) @ scipy.linalg.expm(A * t), atol=1e-8)


@pytest.mark.parametrize("tau_eps", [0.02, 1.0, 30.0])
def test_nodes_ring_where_theory_with_tau_eps_says(tau_eps: float) -> None:
    """Fact 4: (-nu +- sqrt(nu^2 - 4 s^2 tau_eps/tau)) / (2 tau_eps), and -nu/tau_eps beside."""
    nu, tau = 0.9, 2.0
    net, weights, phase, D = linear(tau, tau_eps, nu)
    run = pcode.simulate(net, [phase], weights=weights)
    blocks = NodeSystem(make_problem(net, phase, run.state, reduce=False)).blocks()
    found = np.linalg.eigvals(np.asarray(blocks)[0])
    s = np.linalg.svd(D, compute_uv=False)
    root = np.sqrt(nu**2 - 4.0 * s**2 * tau_eps / tau + 0j)
    expected = np.concatenate(
        [(-nu + root) / (2 * tau_eps), (-nu - root) / (2 * tau_eps), [-nu / tau_eps] * 2]
    )
    for value in expected:
        assert np.abs(found - value).min() < 1e-8 * np.abs(expected).max()
    rings = ask(run, "spectrum").rates.ring_period is not None
    assert rings == bool((s > nu / 2.0 * np.sqrt(tau / tau_eps)).any())


def test_the_lyapunov_function_with_clocks_of_their_own_loses_what_theory_says() -> None:
    """Fact 3: V = sum tau/2 |x - x*|^2 + tau_eps/2 |eps - eps*|^2 loses sum nu |eps - eps*|^2; here / tau."""
    net, weights, phase, _ = linear([1.0, 0.5, 2.0, 1.0], [0.1, 0.4, 0.0], nu=0.6)
    held = pcode.Phase("held", phase.clamp, duration=80.0, learn=False)
    run = pcode.simulate(net, [held], weights=weights, **TIGHT)
    found = ask(run, "convergence", {"points": 2000}).phases[0]
    V = found.lyapunov
    assert (np.diff(V) <= 1e-9 * V[0]).all()
    lost = 0.6 * np.sum(found.error_distance**2, axis=1) / 2.0
    assert V[0] - V[-1] == pytest.approx(np.trapezoid(lost, found.times), rel=2e-3)


def test_slaved_value_nodes_descend_the_energy_of_each_sample() -> None:
    """Fact 10: tau dx_b/dt is minus the gradient of F_b + lambda_x/2 |x_b|^2, here by JAX."""
    net = pcode.Network(
        (2, 4, 3, 1), tau=[1.0, 0.3, 2.0, 1.0], tau_eps=0.0, nu=[0.5, 1.0, 2.0], node_decay=0.3
    )
    weights = net.init_weights(5)
    phase = pcode.Phase("held", {0: X, 3: Y}, duration=1.0, learn=False)
    x = (X, RNG.normal(size=(2, 4)), RNG.normal(size=(2, 3)), Y)
    eps = tuple(np.full((2, size), 7.0) for size in net.sizes[1:])  # not used
    problem = make_problem(net, phase, pcode.State(x, eps, weights), reduce=False)

    def energy(x1: Any, x2: Any) -> Any:
        layers = (X, x1, x2, Y)
        mu = [jnp.tanh(layers[k]) @ weights.M[k] + weights.beta[k] for k in range(3)]
        terms = [((layers[k + 1] - mu[k]) ** 2).sum() / net.nu[k] for k in range(3)]
        return 0.5 * sum(terms) + 0.15 * (x1**2).sum() + 0.15 * (x2**2).sum()

    rates = problem.layout.views(problem.rhs(0.0, problem.y0))
    assert set(rates) == {"x1", "x2"}
    for name, tau, gradient in zip(("x1", "x2"), (0.3, 2.0), jax.grad(energy, (0, 1))(*x[1:3]), strict=True):
        np.testing.assert_allclose(tau * rates[name], -gradient, rtol=1e-12, atol=1e-12)


def test_with_slaved_errors_the_two_energies_are_one_and_fall_throughout() -> None:
    net = pcode.Network((2, 4, 1), tau=[1.0, 0.2, 1.0], tau_eps=0.0, nu=0.3, delta=50.0)
    run = pcode.simulate(net, [both_ends(duration=200.0)], weights=net.init_weights(1), **TIGHT)
    F = run.data["energy"].sum("layer").values
    np.testing.assert_allclose(F, run.data["energy_slaved"].sum("layer").values, rtol=1e-12)
    assert (np.diff(F) <= 1e-7 * F[0]).all()
    mu = np.tanh(run.data["x0"].values) @ run.weights.M[0] + run.weights.beta[0]
    saved = run.data["eps1"].values[-1]
    np.testing.assert_allclose(saved, ((run.data["x1"].values - mu) / 0.3)[-1], rtol=1e-10, atol=1e-12)
    assert ask(run, "convergence").phases[0].energy.rise == 0.0


def backpropagated(net: pcode.Network, weights: pcode.Weights) -> list[Array]:
    """g^l, l = 1..n, by the chain rule written out, at the forward pass."""
    x = [X]
    for M, beta in zip(weights.M, weights.beta, strict=True):
        x.append(np.tanh(x[-1]) @ M + beta)
    g = [Y - x[-1]]
    for k in range(net.n - 1, 0, -1):
        g.insert(0, (1.0 - np.tanh(x[k]) ** 2) * (g[0] @ weights.M[k].T))
    return g


@pytest.mark.parametrize(("tau_eps", "power"), [(0.0, lambda k: k), (1.0, lambda k: 2 * k + 1)])
def test_the_first_instants_are_the_powers_of_time_that_theory_says(tau_eps: float, power: Any) -> None:
    """Fact 11: eps^{n-k} -> g^{n-k} (t/tau)^p / p!, p = k for slaved errors and 2 k + 1 for dynamic ones."""
    net = pcode.Network((2, 4, 3, 1), tau_eps=tau_eps)
    weights, t = net.init_weights(6), 0.01
    phase = pcode.Phase("held", {0: X, 3: Y}, duration=t, learn=False)
    run = pcode.simulate(net, [phase], weights=weights, method="DOP853", rtol=1e-12, atol=1e-18)
    g = backpropagated(net, weights)
    for k in range(3):
        p = power(k)
        law = g[2 - k] * t**p / math.factorial(p)
        assert np.linalg.norm(run.state.eps[2 - k] - law) < 0.02 * np.linalg.norm(law)


def test_separation_finds_the_first_order_in_which_errors_become_slaved() -> None:
    """The distances are those of runs of their own at both tau_eps, at the last time compared."""
    runs = {}
    for tau_eps in (0.05, 0.0):
        net = pcode.Network((2, 3, 1), tau_eps=tau_eps, delta=100.0)
        phase = both_ends(duration=100.0)
        runs[tau_eps] = pcode.simulate(net, [phase], weights=net.init_weights(2), rtol=1e-10, atol=1e-12)
    found = ask(runs[0.05], "separation", {"pair": "errors", "ratios": [400.0, 800.0, 1600.0, 3200.0]})
    assert found.order == pytest.approx(1.0, abs=0.02)
    assert found.own_ratio == pytest.approx(20.0)
    x, slaved = (np.ravel(runs[tau_eps].state.x[1]) for tau_eps in (0.05, 0.0))
    moved = np.linalg.norm(runs[0.0].data["x1"].values - runs[0.0].data["x1"].values[0], axis=(1, 2)).max()
    at = int(np.argmin(np.abs(found.ratios - 20.0)))
    assert found.distance[at, -1] == pytest.approx(np.linalg.norm(x - slaved) / moved, rel=0.02)
    assert "the values stay within" in str(found) or "the values depart" in str(found)
    limit = ask(runs[0.0], "separation", {"pair": "errors", "ratios": [400.0, 800.0, 1600.0, 3200.0]})
    assert limit.own_ratio is None
    assert "slaved" in str(limit)
    assert limit.order == pytest.approx(1.0, abs=0.02)  # from errors that begin at their slaved values


def test_the_singular_limit_is_that_of_slaved_errors_too() -> None:
    phase = both_ends(duration=100.0)
    found = []
    for clocks in ({"tau": 0.0}, {"tau": 0.0, "tau_eps": 0.0}, {"tau": 1e-5, "tau_eps": 0.0}):
        net = pcode.Network((2, 3, 1), delta=20.0, **clocks)
        run = pcode.simulate(net, [phase], weights=net.init_weights(2), **TIGHT)
        found.append(np.concatenate([np.ravel(M) for M in run.weights.M]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2], atol=2e-6)


def test_samples_in_turn_with_slaved_errors_are_phases_written_by_hand() -> None:
    net = pcode.Network((2, 3, 1), delta=20.0, tau_eps=0.0)
    weights = net.init_weights(2)
    shown = pcode.Presentation(hold=4.0, passes=2, nodes="feedforward")
    in_turn = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)
    run = pcode.simulate(net, [in_turn], weights=weights, method="Tsit5", **TIGHT)
    by_hand = weights
    for k in (0, 1, 0, 1):
        one = pcode.Phase("one", {0: X[[k]], 2: Y[[k]]}, duration=4.0)
        by_hand = pcode.simulate(net, [one], weights=by_hand, **TIGHT).weights
    for mine, other in zip(run.weights.M, by_hand.M, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-7)


def test_members_of_an_ensemble_have_clocks_of_their_own() -> None:
    net = pcode.Network((2, 3, 1), delta=20.0)
    over = {"tau_eps": [0.1, 2.0], "tau": [0.5, 1.0]}
    many = pcode.simulate_many(net, [both_ends()], seeds=[3, 3], over=over, method="Tsit5", **TIGHT)
    for k in range(2):
        one = pcode.Network((2, 3, 1), delta=20.0, tau=over["tau"][k], tau_eps=over["tau_eps"][k])
        assert many.network_of(k) == one
        exact = by_scipy(one, both_ends(), one.init_weights(3))
        for mine, other in zip(many.weights(k).M, exact[5:7], strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-6)
    with pytest.raises(InputError, match=r"over\[tau_eps\]: is 0 in some members"):
        pcode.simulate_many(net, [both_ends()], seeds=[1, 2], over={"tau_eps": [0.0, 1.0]}, method="Tsit5")


def test_rest_is_judged_by_each_nodes_own_clock_and_times_begin_with_the_fastest() -> None:
    net = pcode.Network((2, 3, 1), tau=2.0, tau_eps=[1e-4, 2.0])
    phase = both_ends(learn=False, until="equilibrium", duration=500.0)
    run = pcode.simulate(net, [phase], weights=net.init_weights(2))
    assert run.status == "equilibrium"
    for scale, name in zip((1e-4, 2.0), ("eps1", "eps2"), strict=True):
        mu = np.tanh(run.state.x[int(name[-1]) - 1]) @ run.weights.M[int(name[-1]) - 1]
        left = run.state.x[int(name[-1])] - mu - run.state.eps[int(name[-1]) - 1]
        assert np.abs(left / (1.0 + np.abs(run.state.eps[int(name[-1]) - 1]))).max() <= 1e-6, scale
    assert run.data["time"].values[1] == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tau_eps": -1.0}, "tau_eps: must be 0 .errors slaved. or more, not -1"),
        ({"tau_eps": [1.0]}, r"tau_eps: has 1 values; give one, or one for each of the layers 1\.\.2"),
        ({"tau": [1.0, 1.0]}, r"tau: has 2 values; give one, or one for each of the layers 0\.\.2"),
        ({"tau": [0.0, 1.0, 1.0]}, "tau: must be 0 in all layers"),
        ({"tau": 0.0, "tau_eps": 1.0}, "tau_eps: must be 0, or left out, with tau = 0"),
        ({"tau": 0.0, "tau_eps": [0.0, 0.1]}, "tau_eps: must be 0, or left out, with tau = 0"),
        ({"tau": "10 ms", "delta": "1 s", "tau_eps": 3.0}, "tau_eps: 3 has no unit"),
    ],
)
def test_clocks_that_make_no_sense_are_refused_with_what_would_be_right(given: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        pcode.Network((2, 3, 1), **given)


def test_clocks_are_kept_told_and_scaled_together() -> None:
    net = pcode.Network((2, 3, 1), tau=["1 ms", "2 ms", "4 ms"], tau_eps="10 us", delta="1 s")
    assert (net.taus, net.taus_eps, net.deltas) == ((1.0, 2.0, 4.0), (0.01, 0.01), (1000.0, 1000.0))
    assert pcode.Network(**net.to_dict()) == net
    assert "tau_eps=0.0" in repr(pcode.Network((2, 3, 1), tau_eps=0.0))
    assert net.with_longest_tau(8.0).taus_eps == (0.02, 0.02)
    assert net.with_errors_faster(100.0).taus_eps == (0.02, 0.02)
    assert pcode.Network((2, 3, 1), tau=[1.0, 2.0, 2.0], tau_eps=[1.0, 1.0]).errors_faster == 2.0
    assert net.with_errors_faster(np.inf).slaved == (1, 2)


def test_a_plane_of_slaved_errors_is_refused_and_one_of_values_has_their_flow() -> None:
    net = pcode.Network((2, 3, 1), tau_eps=0.0)
    run = pcode.simulate(net, [both_ends(learn=False)], weights=net.init_weights(2))
    with pytest.raises(InputError, match=r"eps1\[0\] has no equation of its own: its errors are slaved"):
        phase_plane(run, x="x1[0]", y="eps1[0]")


@pytest.mark.parametrize("method", ["cvode", "RK45", "Tsit5", "Kvaerno5"])
def test_where_all_values_are_clamped_slaved_errors_follow_from_them_at_once(method: str) -> None:
    net = pcode.Network((2, 1), tau_eps=0.0, nu=0.4)
    weights = net.init_weights(0)
    held = [
        both_ends(clamp={0: X, 1: Y}, duration=3.0, learn=False, until=until)
        for until in (None, "equilibrium")
    ]
    run = pcode.simulate(net, held, weights=weights, method=method)
    assert [record.status for record in run.phases] == ["success", "equilibrium"]
    np.testing.assert_allclose(run.state.eps[0], (Y - np.tanh(X) @ weights.M[0]) / 0.4, rtol=1e-14)

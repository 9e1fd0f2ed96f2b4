"""The vector field: against the equations written out plainly, and against the energy's gradient."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

import pcode
from pcode.model.state import State
from pcode.system.problem import make_problem
from tests import reference
from tests.situations import situations, smooth_around


def clamped_values(phase, layer, t):
    """The clamp at time t, worked out here: NaN where the node is free, None for a free layer."""
    value = phase.clamp.get(layer)
    if isinstance(value, pcode.TimeSeries):
        return value.values[0] + (value.values[1] - value.values[0]) * t / 2.0
    return value


@settings(max_examples=60, deadline=None)
@given(situations())
def test_the_vector_field_is_the_equations_written_out(situation):
    network, phase, state, t = situation
    problem = make_problem(network, phase, state, reduce=False)
    rates = problem.layout.views(problem.rhs(t, problem.y0))

    x, free = [], []
    for layer, values in enumerate(state.x):
        clamp = clamped_values(phase, layer, t)
        free.append(np.ones(values.shape, bool) if clamp is None else np.isnan(clamp))
        x.append(values if clamp is None else np.where(np.isnan(clamp), values, clamp))
    M, W, beta = state.weights
    W = W if W is not None else [m.T for m in M]
    dx, deps, dM, dW, dbeta = reference.rates(network, x, [None, *state.eps], M, W, [None, *beta])

    expected = {f"x{k}": dx[k] * free[k] for k in range(network.n + 1) if free[k].any()}
    expected |= {f"eps{k}": deps[k] for k in range(1, network.n + 1) if network.taus_eps[k - 1] > 0.0}
    if phase.learn:
        learning = {f"M{k}": dM[k] for k in range(network.n)}
        if network.feedback == "learned":
            learning |= {f"W{k}": dW[k] for k in range(network.n)}
        if network.bias:
            learning |= {f"beta{k}": dbeta[k] for k in range(1, network.n + 1)}
        names = learning if phase.learn is True else phase.learn
        expected |= {name: learning[name] for name in names}
    assert rates.keys() == expected.keys()
    for name, rate in rates.items():
        np.testing.assert_allclose(rate, expected[name], rtol=1e-11, atol=1e-11, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(situations())
def test_the_jacobian_and_its_action_are_the_rate_s_finite_differences(situation):
    network, phase, state, t = situation
    assume(smooth_around(network, state))
    problem = make_problem(network, phase, state, reduce=False)
    y, h = problem.y0, 1e-6
    rng = np.random.default_rng(0)
    v = rng.standard_normal(y.size)
    slope = (problem.rhs(t, y + h * v) - problem.rhs(t, y - h * v)) / (2 * h)
    scale = 1.0 + np.abs(slope).max(initial=0.0)
    np.testing.assert_allclose(problem.jacobian_action(t, y, v), slope, atol=1e-6 * scale)
    np.testing.assert_allclose(problem.jacobian(t, y) @ v, slope, atol=1e-6 * scale)


def slaved_energy(network, x, M, beta):
    """F(x, M, beta) as model and README define it, in plain NumPy."""
    total = 0.0
    for k in range(1, network.n + 1):
        f = np.vectorize(reference.SIGMA[network.activation[k - 1]][0])
        mu = f(x[k - 1]) @ M[k - 1] + beta[k - 1]
        total += 0.5 * ((x[k] - mu) ** 2).sum(axis=1).mean() / network.nu[k - 1]
    return total


@pytest.mark.parametrize("activation", ["identity", "tanh", "logistic", "softplus", "square"])
def test_the_slaved_flow_descends_the_slaved_energy(activation, rng):
    network = pcode.Network(
        sizes=(3, 4, 2), activation=activation, tau=0.7, delta=30.0, nu=(0.5, 2.0), feedback="tied"
    )
    B = 3
    x = [rng.standard_normal((B, size)) for size in network.sizes]
    M = [rng.standard_normal(link) for link in network.links]
    beta = [rng.standard_normal(size) for size in network.sizes[1:]]
    f = np.vectorize(reference.SIGMA[activation][0])
    mu = [f(x[k]) @ M[k] + beta[k] for k in range(2)]
    eps = tuple((x[k + 1] - mu[k]) / network.nu[k] for k in range(2))

    state = State(tuple(x), eps, pcode.Weights(tuple(M), None, tuple(beta)))
    phase = pcode.Phase("free", {}, duration=1.0, samples=range(B))
    problem = make_problem(network, phase, state, reduce=False)
    rates = problem.layout.views(problem.rhs(0.0, problem.y0))

    def gradient(arrays, k):
        slope, h = np.zeros_like(arrays[k]), 1e-6
        for index in np.ndindex(slope.shape):
            kept = arrays[k][index]
            arrays[k][index] = kept + h
            above = slaved_energy(network, x, M, beta)
            arrays[k][index] = kept - h
            below = slaved_energy(network, x, M, beta)
            arrays[k][index] = kept
            slope[index] = (above - below) / (2 * h)
        return slope

    for k in range(3):
        np.testing.assert_allclose(network.tau * rates[f"x{k}"], -B * gradient(x, k), rtol=1e-6, atol=1e-7)
    for k in range(2):
        np.testing.assert_allclose(network.delta * rates[f"M{k}"], -gradient(M, k), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(
            network.delta * rates[f"beta{k + 1}"], -gradient(beta, k), rtol=1e-6, atol=1e-7
        )


@settings(max_examples=20, deadline=None)
@given(situations())
def test_both_energies_are_their_definitions(situation):
    network, phase, state, _ = situation
    problem = make_problem(network, phase, state, reduce=False)
    clamped = [clamped_values(phase, layer, 0.0) for layer in range(network.n + 1)]
    x = [v if c is None else np.where(np.isnan(c), v, c) for v, c in zip(state.x, clamped, strict=True)]
    dynamic, slaved = problem.energies(0.0, problem.y0)
    beta = (None, *state.weights.beta)
    for k in range(1, network.n + 1):
        own = k not in network.slaved
        eps = state.eps[k - 1] if own else reference.slaved(network, k, x, state.weights.M, beta)
        term = 0.5 * network.nu[k - 1] * (eps**2).sum(axis=1).mean()
        assert dynamic[k - 1] == pytest.approx(term, rel=1e-12)
    assert slaved.sum() == pytest.approx(
        slaved_energy(network, x, state.weights.M, state.weights.beta), rel=1e-11
    )


def test_no_sweep_over_numbers_traces_anything_again(xor):
    from pcode.system import problem as module

    network, [train], weights = xor

    def evaluate(tau, delta, nu, decay, scale):
        changed = pcode.Network(
            sizes=network.sizes, tau=tau, delta=delta, nu=nu, weight_decay=decay, node_decay=decay
        )
        clamp = {layer: scale * values for layer, values in train.clamp.items()}
        phase = pcode.Phase("train", clamp, duration=10.0)
        state = State(
            tuple(np.full((4, s), scale) for s in network.sizes),
            tuple(np.full((4, s), scale) for s in network.sizes[1:]),
            weights,
        )
        problem = make_problem(changed, phase, state, reduce=False)
        problem.rhs(0.0, problem.y0)
        problem.jacobian_action(0.5, problem.y0, problem.y0)

    evaluate(1.0, 100.0, 1.0, 0.0, 1.0)
    traced = module._RHS.traced, module._ACTION.traced
    assert min(traced) > 0
    evaluate(0.3, 1e6, (0.1, 2.0), 0.01, -0.5)
    assert (module._RHS.traced, module._ACTION.traced) == traced

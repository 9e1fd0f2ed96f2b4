"""The structured solve, against dense linear algebra on the finite-difference Jacobian."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax.extend.core import jaxprs_in_params

import pcode
from pcode.model.state import State
from pcode.solvers.linear import solve_coupled
from pcode.system.coupled import System
from pcode.system.elimination import ChainElimination
from pcode.system.problem import make_problem
from tests.situations import situations, smooth_around


def finite_difference_jacobian(problem, t):
    y, h = problem.y0, 1e-6
    columns = [(problem.rhs(t, y + h * e) - problem.rhs(t, y - h * e)) / (2 * h) for e in np.eye(y.size)]
    return np.array(columns).T


# Nodes are eliminated at once, or layer by layer.
ELIMINATIONS = st.sampled_from([ChainElimination(), ChainElimination(whole=0)])


def posed(situation, a, elimination):
    """The problem of a situation, (I - a J) by finite differences, and a right-hand side."""
    network, phase, state, t = situation
    assume(smooth_around(network, state))
    problem = make_problem(network, phase, state, reduce=False)
    structure = problem.structure._replace(elimination=elimination)
    problem = replace(problem, system=System(structure, problem.parameters))
    A = np.eye(problem.y0.size) - a * finite_difference_jacobian(problem, t)
    return problem, A, np.random.default_rng(1).standard_normal(problem.y0.size)


def with_slaved_errors(situation, problem, a):
    """The same with slaved errors as unknowns, in rows 0 = x - mu - nu eps; and which are not slaved."""
    network, phase, state, t = situation
    clocks = [own or tau for own, tau in zip(network.taus_eps, network.taus[1:], strict=True)]
    dynamic = replace(network, tau_eps=clocks)
    begun = state._replace(eps=problem.state(t, problem.y0).eps)
    whole = make_problem(dynamic, phase, begun, reduce=False)
    own = np.ones(whole.y0.size, bool)
    for layer in network.slaved:
        own[whole.layout.slices[f"eps{layer}"]] = False
    A = np.diag(own.astype(float)) - a * finite_difference_jacobian(whole, t)
    return whole, A, np.where(own, np.random.default_rng(1).standard_normal(own.size), 0.0), own


@settings(max_examples=60, deadline=None)
@given(situations(), st.floats(-4.0, 3.0), ELIMINATIONS)
def test_it_solves_all_but_the_weight_borne_coupling_exactly(situation, log_a, elimination):
    a = 10.0**log_a
    problem, A, r = posed(situation, a, elimination)
    network, _, _, t = situation
    whole, A, r, own = (
        with_slaved_errors(situation, problem, a) if network.slaved else (problem, A, r, slice(None))
    )
    k = whole.layout.node_count
    nodes, weights = slice(0, k), slice(k, None)
    # Weights without what the nodes send them, then nodes, then weights with it.
    links = [(int(name[-1]) - name.startswith("beta"), name) for name in problem.layout.weight_names]
    counts = [math.prod(problem.layout.shapes[name]) for _, name in links]
    deltas = np.repeat([network.deltas[link] for link, _ in links], counts)
    c = 1.0 / (1.0 + a * network.weight_decay / deltas)
    expected = np.empty_like(r)
    well_posed = np.linalg.cond(A[nodes, nodes]) < 1e6
    expected[nodes] = np.linalg.solve(A[nodes, nodes], r[nodes] - A[nodes, weights] @ (c * r[weights]))
    expected[weights] = c * (r[weights] - A[weights, nodes] @ expected[nodes])

    found = np.asarray(problem.factor(t, problem.y0, a)(r[own]))
    assert np.isfinite(found).all()
    if well_posed:
        scale = 1.0 + np.abs(expected).max()
        np.testing.assert_allclose(found, expected[own], atol=2e-5 * scale)


@settings(max_examples=30, deadline=None)
@given(situations(), st.floats(-3.0, 2.0), ELIMINATIONS)
def test_with_the_weight_borne_coupling_it_solves_exactly(situation, log_a, elimination):
    a = 10.0**log_a
    problem, A, r = posed(situation, a, elimination)
    k = problem.layout.node_count
    assume(k > 0)
    assume(max(np.linalg.cond(A[:k, :k]), np.linalg.cond(A)) < 1e6)
    solve = problem.factor(situation[3], problem.y0, a)
    found = solve_coupled(problem, solve, a, r, np.ones_like(r), 1e-10)
    expected = np.linalg.solve(A, r)
    left = np.abs(A @ (found - expected)).max() / (1.0 + np.abs(expected).max())
    assert left < 1e-6


def largest_array(jaxpr):
    """Numbers in the largest array that a traced computation makes, calls within it included."""
    sizes = [math.prod(v.aval.shape) for equation in jaxpr.eqns for v in equation.outvars]
    inner = [largest_array(part) for equation in jaxpr.eqns for part in jaxprs_in_params(equation.params)]
    return max([*sizes, *inner])


@pytest.mark.parametrize("sizes", [(60, 7, 3), (3, 7, 60), (40, 5, 40), (5, 40, 5), (4, 9, 50, 9, 4)])
@pytest.mark.parametrize("ends", [True, False])
def test_no_array_is_larger_than_the_weights_or_the_smaller_of_two_joined_layers_asks_for(sizes, ends):
    batch = 6
    network = pcode.Network(sizes=sizes)
    rows = {layer: np.zeros((batch, sizes[layer])) for layer in ((0, len(sizes) - 1) if ends else (0,))}
    phase = pcode.Phase("any", rows, duration=1.0)
    state = State(
        tuple(np.zeros((batch, size)) for size in sizes),
        tuple(np.zeros((batch, size)) for size in sizes[1:]),
        network.init_weights(rng=0),
    )
    problem = make_problem(network, phase, state, reduce=False)
    layers = problem.structure._replace(elimination=ChainElimination(whole=0))  # as where nodes are many
    system = System(layers, problem.parameters)

    def newton_step(y, r):
        return system.solve(system.factor(system.linearise(0.0, y), 3.0), r)

    traced = jax.make_jaxpr(newton_step)(problem.y0, problem.y0)
    most = max(lower * min(lower, upper) for lower, upper in network.links)
    assert largest_array(traced.jaxpr) <= max(problem.y0.size, batch * most)


def test_a_wide_last_layer_is_solved_as_exactly_as_any():
    """3-5-9, its last layer partly clamped: Woodbury's identity against dense algebra."""
    rng = np.random.default_rng(2)
    network = pcode.Network((3, 5, 9), nu=(0.3, 2.0), node_decay=0.1, feedback="fixed")
    Y = rng.standard_normal((2, 9))
    Y[0, :4] = np.nan
    x = (rng.standard_normal((2, 3)), rng.standard_normal((2, 5)), np.nan_to_num(Y, nan=0.3))
    eps = (rng.standard_normal((2, 5)), rng.standard_normal((2, 9)))
    state = pcode.State(x, eps, network.init_weights(1, W="independent"))
    phase = pcode.Phase("any", {0: x[0], 2: Y}, duration=1.0, learn=False)
    problem = make_problem(network, phase, state, reduce=False)
    for a in (0.1, 3.0, 100.0):
        A = np.eye(problem.y0.size) - a * finite_difference_jacobian(problem, 0.0)
        r = rng.standard_normal(problem.y0.size)
        found = np.asarray(problem.factor(0.0, problem.y0, a)(r))
        np.testing.assert_allclose(found, np.linalg.solve(A, r), rtol=1e-6, atol=1e-7)

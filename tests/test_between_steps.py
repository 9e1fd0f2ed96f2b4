"""Saved values keep what the steps keep, whether few or many are due within a step."""

import numpy as np
import pytest
import scipy

import pcode
from pcode.model.state import State
from pcode.solvers import METHODS, Settings, diffrax
from pcode.solvers.dense_output import INNER
from pcode.system.problem import make_problem
from tests.reference import rates


def logistic(rng):
    """4-3, tied, its weights held; at rtol 1e-4 explicit steps are several tau long."""
    network = pcode.Network((4, 3), activation="logistic", feedback="tied")
    weights = network.init_weights(rng)
    clamp = {0: rng.standard_normal((1, 4)), 1: rng.standard_normal((1, 3))}
    phase = pcode.Phase("train", clamp, duration=200.0)
    network = pcode.Network((4, 3), activation="logistic", feedback="tied", delta=100.0)
    x = (clamp[0], clamp[1])
    return network, make_problem(network, phase, State(x, (np.zeros((1, 3)),), weights), reduce=False)


def exact(network, problem, times):
    """By SciPy at 1e-12, on the equations written node by node."""
    layout = problem.layout

    def rhs(t, y):
        state = problem.state(0.0, y)
        M, _, beta = state.weights
        _, deps, dM, _, dbeta = rates(
            network, state.x, (None, *state.eps), M, tuple(m.T for m in M), (None, *beta)
        )
        weights = pcode.Weights(M=tuple(dM), W=None, beta=tuple(dbeta[1:]))
        return layout.pack(State(state.x, tuple(deps[1:]), weights))

    span = (0.0, problem.duration)
    found = scipy.integrate.solve_ivp(
        rhs, span, problem.y0, "DOP853", times, rtol=1e-12, atol=1e-13, max_step=0.5
    )
    return found.y.T


def saved(problem, method, times, rtol):
    kept = np.empty((times.size, problem.y0.size))

    def save(k, t, y):
        kept[k] = y

    solution = METHODS[method].solve(
        problem, times, Settings(rtol, 1e-3 * rtol), save, lambda t, step, y: False
    )
    return solution.steps[:, :2], kept


@pytest.mark.parametrize("many", [1, 15])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "auto"])
def test_between_steps_values_are_as_exact_as_at_their_ends(method, many, rng):
    network, problem = logistic(rng)
    rtol = 1e-5
    steps, _ = saved(problem, method, np.array([problem.duration]), rtol)
    ends, sizes = steps[:: max(1, len(steps) // 30)].T
    inner = ends[:, None] - sizes[:, None] * np.linspace(0.1, 0.9, many)
    times = np.unique(np.concatenate([ends, inner.ravel()]))
    again, values = saved(problem, method, times, rtol)
    np.testing.assert_array_equal(again, steps)  # which do not depend on what is saved
    reference = exact(network, problem, times)
    error = (np.abs(values - reference) / (1.0 + np.abs(reference))).max(axis=1) / rtol
    at_ends = np.isin(times, ends)
    assert error[~at_ends].max() < 3.0 * max(error[at_ends].max(), 0.05)


def test_a_shorter_step_that_is_rejected_is_taken_all_the_same(rng, monkeypatch):
    _, problem = logistic(rng)
    times = np.linspace(1.0, problem.duration, 40)
    _, values = saved(problem, "Kvaerno5", times, 1e-5)
    burst, asked = diffrax._Stepper._burst, []

    def rejected(self, carry, until, most):
        if most > 1:  # as many steps as there may be
            return burst(self, carry, until, most)
        asked.append(until)
        return carry

    monkeypatch.setattr(diffrax._Stepper, "_burst", rejected)
    _, again = saved(problem, "Kvaerno5", times, 1e-5)
    assert np.isin(times, asked).any()
    np.testing.assert_allclose(again, values, rtol=1e-9, atol=1e-12)


def test_methods_that_are_stepped_to_a_time_are_known_ones():
    assert set(INNER) <= set(METHODS)

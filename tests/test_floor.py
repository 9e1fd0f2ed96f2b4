"""Phases that settle where the tolerances keep up the rates: ended at the equilibrium, or told why not."""

import numpy as np
import pytest

import pcode
from pcode.base.status import Status
from tests.reference import rates


def unstable_by_oscillation(m, activation="identity"):
    """1-1-1-1, ends clamped at 0, W = -M^T: stable for |m| < 1/sqrt(2) ("Unstable feedback")."""
    network = pcode.Network((1, 1, 1, 1), activation=activation, feedback="fixed")
    weights = pcode.Weights(M=([[m]],) * 3, W=([[-m]],) * 3, beta=([0.0],) * 3)
    one, zero = np.array([[1e-3]]), np.zeros((1, 1))
    return network, weights, pcode.State((zero, one, one, zero), (zero,) * 3, weights)


def settle(network, weights, clamp, method, settle_tol, duration=2000.0, learn=False, **options):
    phase = pcode.Phase(
        "p", clamp, duration=duration, learn=learn, until="equilibrium", settle_tol=settle_tol
    )
    save = pcode.Save(nodes=3, weights=2)
    return pcode.simulate(network, [phase], weights=weights, method=method, save=save, **options)


@pytest.mark.parametrize("method", ["BDF", "LSODA", "RK45", "DOP853", "Tsit5", "cvode"])
def test_rates_that_the_tolerances_keep_up_end_at_the_equilibrium(method):
    rng = np.random.default_rng(1)
    network = pcode.Network((3, 4, 6), activation="tanh", feedback="tied", nu=(0.5, 1.3))
    weights = network.init_weights(2)
    clamp = {0: 2.0 * rng.standard_normal((2, 3)), 2: 2.0 * rng.standard_normal((2, 6))}
    run = settle(network, weights, clamp, method, 1e-9)
    assert run.status is Status.EQUILIBRIUM
    assert run.phases[0].t_end < 1000.0
    x, eps = run.state.x, run.state.eps
    dx, deps, *_ = rates(
        network, x, (None, *eps), weights.M, tuple(m.T for m in weights.M), (None, *weights.beta)
    )
    scaled = [
        np.abs(dx[1]) / (1 + np.abs(x[1])),
        *(np.abs(d) / (1 + np.abs(e)) for d, e in zip(deps[1:], eps, strict=True)),
    ]
    assert max(part.max() for part in scaled) < 1.01e-9


@pytest.mark.parametrize(("duration", "status"), [(2000.0, Status.EQUILIBRIUM), (45.0, Status.NOT_SETTLED)])
def test_a_last_step_far_longer_than_tau_ends_at_the_equilibrium_and_a_phase_too_short_does_not(
    duration, status
):
    """At t = 45 the rates, whose slowest falls by exp(-t/4) or so, are far above settle_tol."""
    rng = np.random.default_rng(0)
    network = pcode.Network((3, 4, 6), activation="identity", feedback="tied", nu=(0.5, 1.3))
    clamp = {0: rng.standard_normal((4, 3)), 2: rng.standard_normal((4, 6))}
    run = settle(network, network.init_weights(0), clamp, "cvode", 1e-13, duration)
    assert run.status is status
    M, W = run.state.weights.M, tuple(m.T for m in run.state.weights.M)
    dx, deps, *_ = rates(network, run.state.x, (None, *run.state.eps), M, W, (None, *run.state.weights.beta))
    largest = max(np.abs(part).max() for part in (dx[1], *deps[1:]))
    assert (largest < 2e-13) == (status is Status.EQUILIBRIUM)


@pytest.mark.parametrize("method", ["cvode", "BDF", "DOP853", "Tsit5"])
@pytest.mark.parametrize("m", [0.72, 1.0])
def test_an_oscillation_that_goes_on_is_never_called_rest(m, method):
    network, weights, start = unstable_by_oscillation(m, "tanh")
    clamp = {0: [[0.0]], 3: [[0.0]]}
    run = settle(network, weights, clamp, method, 1e-8, 120.0, nodes=start, rtol=1e-4, atol=1e-4)
    assert run.status is Status.NOT_SETTLED
    assert run.phases[0].t_end == 120.0


@pytest.mark.parametrize("method", ["cvode", "BDF", "RK45"])
def test_a_slow_passage_of_a_saddle_is_not_rest(method):
    """1-1-1, m w = -1 - 1e-3: the rest at 0 repels at the rate 1e-3 or so, from within the tolerances."""
    network = pcode.Network((1, 1, 1), activation="tanh", feedback="fixed")
    weights = pcode.Weights(M=([[1.0]], [[1.0]]), W=([[1.0]], [[-1.05]]), beta=([0.0], [0.0]))
    zero, off = np.zeros((1, 1)), np.array([[1e-7]])
    start = pcode.State((zero, off, zero), (zero, zero), weights)
    run = settle(network, weights, {0: zero, 2: zero}, method, 1e-12, 100.0, nodes=start)
    assert run.status is Status.NOT_SETTLED


@pytest.mark.parametrize("method", ["cvode", "LSODA", "DOP853"])
def test_a_settle_tol_below_rounding_is_said_to_be_so(method):
    rng = np.random.default_rng(0)
    network = pcode.Network((3, 4, 6), activation="identity", feedback="tied", nu=(0.5, 1.3))
    clamp = {0: rng.standard_normal((2, 3)), 2: rng.standard_normal((2, 6))}
    run = settle(network, network.init_weights(0), clamp, method, 1e-18, 5000.0)
    assert run.status is Status.NOT_SETTLED
    assert "rounding" in run.message
    assert "still moving" not in run.message


def test_weights_that_the_tolerances_keep_moving_are_told_which_to_set():
    """The weights' rest needs rates of 1e-9, far below an rtol of 1e-4."""
    rng = np.random.default_rng(0)
    network = pcode.Network((3, 4, 6), activation="tanh", feedback="tied", delta=10.0, weight_decay=0.3)
    clamp = {0: rng.standard_normal((2, 3)), 2: rng.standard_normal((2, 6))}
    weights = network.init_weights(0)
    run = settle(network, weights, clamp, "RK45", 1e-10, 3000.0, learn=True, rtol=1e-4, atol=1e-6)
    assert run.status is Status.NOT_SETTLED
    assert "rtol" in run.message
    assert "still moving" not in run.message

"""Inputs that a network generates, and weights of minimum norm, against linear algebra written out here."""

from __future__ import annotations

import numpy as np
import pytest

import pcode

RNG = np.random.default_rng(3)
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def generated(network: pcode.Network, M: tuple[np.ndarray, ...], y: np.ndarray) -> tuple[np.ndarray, ...]:
    """The value nodes at rest with the output clamped to `y`, from zero."""
    weights = pcode.Weights(M, None, tuple(np.zeros(m.shape[1]) for m in M))
    phase = pcode.Phase(
        "generate",
        {network.n: y},
        learn=False,
        until="equilibrium",
        settle_tol=1e-11,
        duration=1e4,
        nodes="zero",
    )
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(2, 2), **TIGHT)
    assert run.status == "equilibrium"
    return run.state.x


@pytest.mark.parametrize("decay", [0.05, 0.5])
def test_one_linear_link_generates_the_input_of_the_closed_form(decay: float) -> None:
    nu, M, y = 0.7, RNG.normal(size=(5, 2)), RNG.normal(size=(3, 2))
    network = pcode.Network((5, 2), "identity", nu=nu, node_decay=decay, feedback="tied")
    expected = y @ np.linalg.inv(M.T @ M + decay * nu * np.eye(2)) @ M.T
    np.testing.assert_allclose(generated(network, (M,), y)[0], expected, atol=1e-8)


def test_two_linear_links_generate_the_least_of_energy_and_decay() -> None:
    """The least of |x1 - x0 M0|^2/nu1 + |y - x1 M1|^2/nu2 + decay (|x0|^2 + |x1|^2), as least squares."""
    nu, decay = (0.4, 1.5), 0.2
    M = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2))
    y = RNG.normal(size=(3, 2))
    network = pcode.Network((4, 3, 2), "identity", nu=nu, node_decay=decay, feedback="tied")
    x = generated(network, M, y)
    # Rows (x0, x1) times A should be b: the two errors, then the decays.
    A = np.zeros((7, 3 + 2 + 7))
    A[:4, :3], A[4:, :3] = -M[0] / np.sqrt(nu[0]), np.eye(3) / np.sqrt(nu[0])
    A[4:, 3:5] = M[1] / np.sqrt(nu[1])
    A[:, 5:] = np.sqrt(decay) * np.eye(7)
    for row in range(3):
        b = np.concatenate([np.zeros(3), y[row] / np.sqrt(nu[1]), np.zeros(7)])
        least = np.linalg.lstsq(A.T, b, rcond=None)[0]
        np.testing.assert_allclose(np.concatenate([x[0][row], x[1][row]]), least, atol=1e-8)


def test_without_decay_what_no_weight_reaches_stays_where_it_started() -> None:
    """From zero the input stays in the span of M's columns: of all that predict y, that of least norm."""
    M, y = RNG.normal(size=(6, 2)), RNG.normal(size=(2, 2))
    network = pcode.Network((6, 2), "identity", feedback="tied")
    np.testing.assert_allclose(generated(network, (M,), y)[0], y @ np.linalg.pinv(M), atol=1e-7)


def test_as_their_decay_goes_to_0_the_weights_go_to_the_least_squares_solution_of_minimum_norm() -> None:
    """At rest mean[x^T eps] = lambda M with eps = (y - x M)/nu: ridge regression; bias and all."""
    X, Y, nu = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 2)), 0.8
    extended = np.hstack([X, np.ones((3, 1))])  # the bias is the weight of an input that is 1
    apart = []
    for decay in (1e-1, 1e-2, 1e-3):
        network = pcode.Network((5, 2), "identity", tau=0.1, delta=1.0, nu=nu, weight_decay=decay)
        phase = pcode.Phase(
            "train", {0: X, 1: Y}, until="equilibrium", settle_tol=1e-10, duration=100.0 / decay
        )
        start = network.init_weights(1)
        run = pcode.simulate(network, [phase], weights=start, save=pcode.Save(2, 2), **TIGHT)
        found = np.vstack([run.weights.M[0], run.weights.beta[0]])
        ridge = np.linalg.solve(extended.T @ extended / 3 + decay * nu * np.eye(6), extended.T @ Y / 3)
        np.testing.assert_allclose(found, ridge, atol=1e-6)
        apart.append(np.abs(found - np.linalg.pinv(extended) @ Y).max())
    # Of first order in the decay.
    assert 5.0 < apart[1] / apart[2] < 11.0
    assert apart[2] < 0.02

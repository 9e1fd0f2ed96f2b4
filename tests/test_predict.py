"""The outputs of a network for given inputs: nodes at rest, and the feedforward pass."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.optimize import fsolve

import pcode
from pcode import InputError, Network, Weights, predict
from pcode.run import predict as module

RNG = np.random.default_rng(7)
SIZES = (3, 5, 4, 2)
M = tuple(RNG.normal(size=pair) / np.sqrt(pair[0]) for pair in pairwise(SIZES))
BETA = tuple(RNG.normal(size=size) for size in SIZES[1:])
INPUTS = RNG.normal(size=(6, 3))


def network(**changes: Any) -> Network:
    return Network(SIZES, ("tanh", "logistic", "tanh"), **{"feedback": "tied", "nu": 0.5} | changes)


def written_out(x: np.ndarray) -> np.ndarray:
    hidden = np.tanh(x) @ M[0] + BETA[0]
    hidden = 1.0 / (1.0 + np.exp(-hidden)) @ M[1] + BETA[1]
    return np.tanh(hidden) @ M[2] + BETA[2]


WEIGHTS = Weights(M, None, BETA)


@pytest.mark.parametrize("method", ["feedforward", "equilibrium"])
def test_without_node_decay_both_are_the_pass_of_the_equations(method: Any) -> None:
    np.testing.assert_allclose(
        predict(network(), WEIGHTS, INPUTS, method=method), written_out(INPUTS), rtol=1e-12
    )


def test_with_node_decay_the_output_is_at_the_rest_that_an_independent_solver_finds() -> None:
    decay, nu = 0.3, 0.5
    found = predict(network(node_decay=decay), WEIGHTS, INPUTS)
    assert np.abs(found - written_out(INPUTS)).max() > 0.05

    def rates(free: np.ndarray, x0: np.ndarray) -> np.ndarray:
        """-grad of 1/2 sum |x - mu|^2 / nu + decay/2 |x|^2, in the values of layers 1 to 3."""
        x1, x2, x3 = np.split(free, [5, 9])
        s0, s1, s2 = np.tanh(x0), 1.0 / (1.0 + np.exp(-x1)), np.tanh(x2)
        e1, e2, e3 = (
            (x - s @ m - b) / nu for x, s, m, b in zip((x1, x2, x3), (s0, s1, s2), M, BETA, strict=True)
        )
        return np.concatenate(
            [
                s1 * (1 - s1) * (e2 @ M[1].T) - e1 - decay * x1,
                (1 - s2**2) * (e3 @ M[2].T) - e2 - decay * x2,
                -e3 - decay * x3,
            ]
        )

    for row, x0 in enumerate(INPUTS):
        free = fsolve(rates, np.zeros(11), args=(x0,), xtol=1e-13)
        np.testing.assert_allclose(found[row], free[-2:], atol=1e-10)


def test_it_is_where_a_simulation_with_the_weights_held_ends() -> None:
    net = network(node_decay=0.1)
    phase = pcode.Phase(
        "test", {0: INPUTS}, learn=False, until="equilibrium", settle_tol=1e-9, duration=500.0
    )
    run = pcode.simulate(net, [phase], weights=WEIGHTS, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(run.state.x[-1], predict(run, INPUTS), atol=1e-7)


def test_neither_tau_nor_the_kind_of_feedback_matters_without_decay() -> None:
    for changes in ({"tau": 0.0}, {"feedback": "fixed"}, {"feedback": "learned", "delta": 7.0}):
        W = None if "feedback" not in changes else tuple(RNG.normal(size=m.T.shape) for m in M)
        found = predict(network(**changes), WEIGHTS._replace(W=W), INPUTS)
        np.testing.assert_allclose(found, written_out(INPUTS), rtol=1e-12)


def test_many_samples_go_in_blocks_that_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(node_decay=0.2)
    whole = predict(net, WEIGHTS, INPUTS)
    asked: list[tuple[int, int]] = []
    of_block = module._at_rest

    def noted(net: Network, weights: Weights, first: int, inputs: np.ndarray) -> np.ndarray:
        asked.append((first, len(inputs)))
        return of_block(net, weights, first, inputs)

    monkeypatch.setattr(module, "_at_rest", noted)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 4)
    np.testing.assert_allclose(predict(net, WEIGHTS, INPUTS), whole, atol=1e-11)
    assert asked == [(0, 4), (2, 4)]


def test_the_sample_without_a_rest_is_told_with_what_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    # Feedback far from M^T, and a square: from an input that is not 0 the nodes run away.
    net = Network((1, 1, 1, 1), ("identity", "square", "identity"), nu=0.1, node_decay=0.2, feedback="fixed")
    ones = (np.ones((1, 1)),) * 3
    weights = Weights(ones, tuple(-40.0 * w for w in ones), (np.zeros(1),) * 3)
    inputs = np.array([[0.0], [0.0], [2.0]])
    with pytest.raises(InputError, match=r"for sample 2 .*method = \"feedforward\".*node_decay") as caught:
        predict(net, weights, inputs)
    assert caught.value.where == "inputs"
    assert np.isfinite(predict(net, weights, inputs, method="feedforward")).all()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "run: must be a pcode.Run and inputs"),
        ((3, INPUTS), "run: must be a pcode.Run and inputs"),
        ((network(), WEIGHTS), "inputs: is missing"),
        ((network(),), "weights: is missing"),
        ((network(), None, INPUTS), "weights: must be Weights"),
        ((network(), WEIGHTS._replace(M=M[:2]), INPUTS), "weights.M"),
        ((network(), WEIGHTS, INPUTS[0]), r"inputs: has shape \(3,\); must be \(samples, 3\)"),
        ((network(), WEIGHTS, INPUTS[:, :2]), r"inputs: has shape \(6, 2\)"),
        ((network(), WEIGHTS, INPUTS[:0]), r"inputs: has shape \(0, 3\)"),
        ((network(), WEIGHTS, [[0.0, np.nan, 0.0]]), "value 1 of sample 0 is nan"),
        ((network(), WEIGHTS, INPUTS, 1), "followed by something else"),
    ],
)
def test_odd_arguments_are_named(given: tuple[Any, ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        predict(*given)


def test_a_method_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="method: must be equilibrium or feedforward"):
        predict(network(), WEIGHTS, INPUTS, method="forward")  # type: ignore[call-overload]

"""Accuracy and error of a network, where there are targets to judge by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pcode
from pcode import Phase, State, TimeSeries, Weights
from pcode.model.data import Data
from pcode.model.network import Network
from pcode.scenario import probes

NET = Network((2, 3, 2), ("tanh", "identity"), feedback="tied")
RNG = np.random.default_rng(4)
WEIGHTS = Weights(
    (RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2))), None, (RNG.normal(size=3), RNG.normal(size=2))
)
INPUTS = RNG.normal(size=(4, 2))
# The pass written out: sigma of layer 0 is tanh, of layer 1 the identity.
OUTPUTS = (np.tanh(INPUTS) @ WEIGHTS.M[0] + WEIGHTS.beta[0]) @ WEIGHTS.M[1] + WEIGHTS.beta[1]


def state(output: Any) -> State:
    samples = len(output)
    return State((INPUTS[:samples], np.zeros((samples, 3)), np.array(output, dtype=float)), (), WEIGHTS)


def test_the_feedforward_pass_is_that_of_the_equations() -> None:
    output = pcode.predict(NET, WEIGHTS, INPUTS, method="feedforward")
    np.testing.assert_allclose(output, OUTPUTS, rtol=1e-12)


def test_accuracy_is_the_share_of_samples_whose_largest_output_is_their_class() -> None:
    data = Data(INPUTS, np.eye(2)[[0, 1, 1, 0]])
    judge = probes(NET, data)
    assert list(judge) == ["accuracy"]
    phase = Phase("test", {0: INPUTS}, duration=1.0, samples=range(4))
    assert judge["accuracy"](state([[2, 1], [0, 1], [3, 1], [0.2, 0.1]]), phase) == 0.75


def test_error_is_the_largest_distance_from_a_target() -> None:
    judge = probes(NET, Data(INPUTS, [[0, 0], [0, 0], [0.5, 0], [0, 0]]))
    assert list(judge) == ["error"]
    phase = Phase("test", {0: INPUTS[1:3]}, duration=1.0, samples=(1, 2))
    assert judge["error"](state([[0.1, 0], [0, 0.2]]), phase) == 0.5


def test_where_the_output_is_clamped_the_feedforward_pass_is_judged() -> None:
    judge = probes(NET, Data(INPUTS, OUTPUTS + np.array([[0, 0], [0, 0], [0, 0.25], [0, 0]])))
    phase = Phase("train", {0: INPUTS, 2: OUTPUTS}, duration=1.0, samples=range(4))
    assert judge["error"](state(np.zeros((4, 2))), phase) == pytest.approx(0.25, abs=1e-12)


def test_a_phase_that_shows_no_inputs_of_the_data_is_not_judged() -> None:
    judge = probes(NET, Data(INPUTS, np.zeros((4, 2))))["error"]
    for clamp in ({}, {2: np.zeros((4, 2))}, {0: INPUTS + 1.0}, {0: TimeSeries([0.0], [INPUTS])}):
        phase = Phase("other", clamp, duration=1.0, samples=range(4))
        assert judge(state(np.zeros((4, 2))), phase) is None
    assert probes(NET, Data(INPUTS)) == {}
    assert probes(NET, None) == {}

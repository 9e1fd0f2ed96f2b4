"""Weights from a PyTorch state_dict: by names and shapes, without PyTorch."""

from __future__ import annotations

from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest

import pcode
from pcode import InputError, Weights


class Tensor:
    """What a torch.Tensor offers, with its refusals: no NumPy while it has a gradient or is on a device."""

    def __init__(self, array, attached: bool = True, far: bool = True) -> None:
        self.array, self.attached, self.far = np.asarray(array), attached, far

    def detach(self) -> Tensor:
        return Tensor(self.array, False, self.far)

    def cpu(self) -> Tensor:
        return Tensor(self.array, self.attached, False)

    def double(self) -> Tensor:
        return Tensor(self.array.astype(np.float64), self.attached, self.far)

    def numpy(self) -> np.ndarray:
        if self.attached or self.far:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad, or is not on the CPU")
        if self.array.dtype == ml_dtypes.bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.numpy()


def sequential(rng: np.random.Generator, sizes=(2, 8, 3, 1), bias: bool = True) -> dict[str, np.ndarray]:
    """As of nn.Sequential(Linear, Tanh, Linear, Tanh, Linear), whose layers are 0, 2 and 4."""
    held = {}
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        held[f"{2 * k}.weight"] = rng.normal(size=(outputs, inputs))
        if bias:
            held[f"{2 * k}.bias"] = rng.normal(size=outputs)
    return held


def forward(state_dict, x):
    """The model's output, by PyTorch's formula x A^T + b, tanh between the layers."""
    for k in (0, 2, 4):
        x = x @ state_dict[f"{k}.weight"].T + state_dict[f"{k}.bias"]
        x = np.tanh(x) if k < 4 else x
    return x


def test_the_network_settles_at_the_output_of_the_model(rng) -> None:
    state_dict, X = sequential(rng), rng.normal(size=(5, 2))
    network = pcode.Network((2, 8, 3, 1), activation=["identity", "tanh", "tanh"])
    weights = Weights.from_torch({name: Tensor(array) for name, array in state_dict.items()}, network)
    test = pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=500.0, settle_tol=1e-9)
    run = pcode.simulate(network, [test], weights=weights)
    np.testing.assert_allclose(run.state.x[3], forward(state_dict, X), atol=1e-6)


def test_weights_are_transposed_and_feedback_is_the_transpose_of_them(rng) -> None:
    state_dict = sequential(rng)
    weights = Weights.from_torch(state_dict)
    np.testing.assert_array_equal(weights.M[1], state_dict["2.weight"].T)
    np.testing.assert_array_equal(weights.W[1], state_dict["2.weight"])
    np.testing.assert_array_equal(weights.beta[2], state_dict["4.bias"])
    tied = pcode.Network((2, 8, 3, 1), feedback="tied")
    assert Weights.from_torch(state_dict, tied).W is None
    given = [np.ones((8, 2)), np.ones((3, 8)), np.ones((1, 3))]
    np.testing.assert_array_equal(Weights.from_torch(state_dict, W=given).W[0], 1.0)


def test_layers_without_biases_have_none(rng) -> None:
    weights = Weights.from_torch(sequential(rng, bias=False))
    assert [beta.tolist() for beta in weights.beta] == [[0.0] * 8, [0.0] * 3, [0.0]]


@pytest.mark.parametrize("prefix", ["", "model.", "module.net.fc1."])
def test_a_single_layer_may_have_any_name(prefix, rng) -> None:
    weight = rng.normal(size=(3, 2))
    weights = Weights.from_torch({f"{prefix}weight": weight, f"{prefix}bias": np.ones(3)})
    np.testing.assert_array_equal(weights.M[0], weight.T)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
def test_short_floats_keep_their_values(dtype) -> None:
    values = np.array([[0.5, -1.25], [3.0, 0.125]])  # that all of them can hold
    for held in (values.astype(dtype), Tensor(values.astype(dtype))):
        weights = Weights.from_torch({"weight": held})
        assert weights.M[0].dtype == np.float64
        np.testing.assert_array_equal(weights.M[0], values.T)


LINEAR = {"fc.weight": np.ones((3, 2)), "fc.bias": np.ones(3)}


@pytest.mark.parametrize(
    ("state_dict", "told"),
    [
        (
            LINEAR
            | {"conv.weight": np.ones((4, 1, 3, 3)), "bn.running_mean": np.ones(4), "bn.weight": np.ones(4)},
            r"holds conv\.weight of shape \(4, 1, 3, 3\), bn\.running_mean of shape \(4,\), bn\.weight",
        ),
        (LINEAR | {"out.bias": np.ones(1)}, r"out\.bias without a weight"),
        (
            {"a.weight": np.ones((3, 2)), "b.weight": np.ones((1, 4))},
            r"b\.weight .* takes 4 inputs, but .* 3 outputs",
        ),
        (
            {"a.weight": np.ones((3, 2)), "a.bias": np.ones(2), "b.weight": np.ones((1, 4))},
            r"a\.bias has shape \(2,\); it must be \(3,\); b\.weight",
        ),
        ({"a.weight": np.array([[np.nan]])}, r"a\.weight has entries that are not finite"),
        ({"a.weight": "many"}, r"a\.weight holds text"),
        ({}, "holds no layers"),
        ({"epoch": 3, "state_dict": LINEAR}, 'is a checkpoint; give its entry "state_dict"'),
        ([np.ones((2, 3))], "must be a state_dict"),
    ],
)
def test_what_is_no_chain_of_layers_is_refused_by_name(state_dict, told) -> None:
    with pytest.raises(InputError, match=told) as caught:
        Weights.from_torch(state_dict)
    assert caught.value.where == "state_dict"


def test_a_model_itself_is_refused_with_what_to_give() -> None:
    class Module:
        def state_dict(self):
            return LINEAR

    with pytest.raises(InputError, match=r"give model\.state_dict\(\)"):
        Weights.from_torch(Module())


def test_a_network_of_other_sizes_is_told_of_every_array(rng) -> None:
    with pytest.raises(InputError) as caught:
        Weights.from_torch(sequential(rng), pcode.Network((2, 8, 4, 1)))
    for told in (r"M1", "(8, 3); it must be (8, 4)", "M2", "W1", "W2", "beta2"):
        assert told in str(caught.value)


def test_feedback_that_is_no_list_is_refused():
    with pytest.raises(InputError, match="W: must be a list"):
        Weights.from_torch({"0.weight": np.ones((1, 2))}, W=5)

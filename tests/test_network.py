"""Networks and weights: what is kept, what is drawn, what is refused."""

import numpy as np
import pytest

import pcode
from pcode import InputError, Network, Weights


def test_one_value_serves_all_layers():
    network = Network((3, 4, 2), activation="relu", nu=0.5)
    assert network.activation == ("relu", "relu")
    assert network.nu == (0.5, 0.5)
    assert network.n == 2
    assert Network(**network.to_dict()) == network


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sizes": (3,)}, "sizes: must list the numbers of nodes of two layers at least"),
        ({"sizes": (3, 0)}, "sizes: must be whole numbers of 1 or more, not 0"),
        ({"sizes": (3, 2.5)}, "sizes: must be whole numbers"),
        ({"sizes": "32"}, "sizes: must list"),
        ({"sizes": (10**6, 10**6)}, r"sizes: ask for 1\.0e\+12 weights, 8000 GB a copy; use smaller layers"),
        ({"tau": -1.0}, r"tau: must be 0 \(nodes always at rest\) or more, not -1"),
        ({"delta": -5}, "delta: must be positive, not -5"),
        ({"delta": "slow"}, "delta: must be a number, or a time with a unit such as \"10 ms\", not 'slow'"),
        ({"delta": True}, "delta: must be a number, not True"),
        ({"nu": 0.0}, "nu: variances must be positive, not 0"),
        ({"nu": (1.0, 1.0, 1.0)}, r"nu: has 3 values; give one, or one for each of the layers 1\.\.2"),
        ({"nu": float("inf")}, "nu: must be finite"),
        ({"weight_decay": -0.1}, r"weight_decay: must be 0 or more, not -0\.1"),
        ({"node_decay": -0.1}, r"node_decay: must be 0 or more, not -0\.1"),
        ({"activation": "sine"}, "activation: no activation 'sine'; there are identity, tanh, logistic"),
        (
            {"activation": ("tanh",)},
            r"activation: has 1 names; give one, or one for each of the layers 0\.\.1",
        ),
        ({"feedback": "none"}, "feedback: must be tied, learned or fixed, not 'none'"),
    ],
)
def test_a_network_that_makes_no_sense_is_refused_with_what_would(arguments, said):
    with pytest.raises(InputError, match=said):
        Network(**{"sizes": (3, 4, 2)} | arguments)


def test_normal_weights_have_the_promised_spread():
    weights = Network((400, 100, 50)).init_weights(rng=3, scale=2.0)
    for M, fan_in in zip(weights.M, (400, 100), strict=True):
        assert M.std() == pytest.approx(2.0 / np.sqrt(fan_in), rel=0.03)
    for M, W in zip(weights.M, weights.W, strict=True):
        np.testing.assert_array_equal(W, M.T)
    assert all((beta == 0.0).all() for beta in weights.beta)


def test_uniform_weights_stay_within_their_bounds():
    weights = Network((400, 100)).init_weights(rng=3, init="uniform", scale=2.0, W="independent")
    assert 0.99 * 0.1 < np.abs(weights.M[0]).max() <= 0.1
    assert 0.99 * 0.2 < np.abs(weights.W[0]).max() <= 0.2  # the fan-in of W is the layer above


def test_a_seed_is_one_set_of_weights_and_another_seed_another():
    network = Network((3, 4, 2), feedback="fixed")
    first, again, other = (network.init_weights(rng, W="independent") for rng in (1, 1, 2))
    np.testing.assert_array_equal(first.W[1], again.W[1])
    assert (first.M[0] != other.M[0]).all()


def test_tied_feedback_has_no_weights_of_its_own():
    weights = Network((3, 4, 2), feedback="tied").init_weights(rng=0)
    assert weights.W is None
    np.testing.assert_array_equal(weights.feedback[1], weights.M[1].T)


GOOD = Weights(([[1.0, 2.0]],), ([[1.0], [2.0]],), ([0.0, 0.0],))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (GOOD._replace(M=([[1.0]],)), r"M0: has shape \(1, 1\); it must be \(1, 2\)"),
        (GOOD._replace(M=()), "M: has 0 arrays; this network needs 1"),
        (GOOD._replace(W=([[1.0, 2.0]],)), r"W0: has shape \(1, 2\); it must be \(2, 1\)"),
        (GOOD._replace(W=None), "W: is missing; learned feedback needs one W a link"),
        (GOOD._replace(beta=([0.0],)), r"beta1: has shape \(1,\); it must be \(2,\)"),
        (GOOD._replace(M=([[1.0, np.nan]],)), "M0: has entries that are not finite"),
        (GOOD._replace(M=([[1.0, "x"]],)), "M0: holds text; it must be real numbers in a regular array"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(weights, said):
    with pytest.raises(InputError, match=said):
        Network((1, 2)).check_weights(weights)


def test_feedback_weights_given_to_a_tied_network_are_refused():
    with pytest.raises(InputError, match="tied feedback has no W"):
        Network((1, 2), feedback="tied").check_weights(GOOD)


@pytest.mark.parametrize("arguments", [{"init": "xavier"}, {"W": "random"}, {"scale": -1.0}])
def test_a_way_to_start_that_does_not_exist_is_refused(arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        Network((1, 2)).init_weights(0, **arguments)


def test_importing_the_package_imports_neither_jax_nor_matplotlib():
    import subprocess
    import sys

    code = "import sys, pcode; print([m for m in ('jax', 'matplotlib', 'scipy') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in pcode.__all__:
        assert getattr(pcode, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pcode.nothing


def test_all_that_is_wrong_with_weights_is_told_at_once():
    network = Network((2, 3, 1))
    weights = Weights(M=(np.ones((3, 2)), np.full((3, 1), np.nan)), W=None, beta=(np.ones(3),))
    with pytest.raises(InputError) as caught:
        network.check_weights(weights)
    assert str(caught.value) == (
        "M0: has shape (3, 2); it must be (2, 3); M1 has entries that are not finite; "
        "W is missing; learned feedback needs one W a link; beta has 1 arrays; this network needs 2"
    )

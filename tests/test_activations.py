"""The activations' derivatives, against finite differences."""

import numpy as np
import pytest

from pcode import InputError
from pcode.model.activations import ACTIVATIONS, by_name

POINTS = np.array([-30.0, -2.0, -0.7, 0.3, 1.1, 2.5, 30.0])  # relu's kink at 0 left out


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_agree_with_finite_differences(name):
    sigma, h = by_name(name), 1e-5
    for function, derivative in ((sigma.f, sigma.df), (sigma.df, sigma.d2f)):
        slope = (np.asarray(function(POINTS + h)) - np.asarray(function(POINTS - h))) / (2 * h)
        np.testing.assert_allclose(np.asarray(derivative(POINTS)), slope, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("identity", 0.7, 0.7),
        ("tanh", 0.7, 0.6043677771171636),
        ("logistic", 0.7, 0.6681877721681662),
        ("relu", -0.7, 0.0),
        ("softplus", 0.7, 1.1031860488854579),
        ("square", 0.7, 0.49),
    ],
)
def test_activations_have_their_tabulated_values(name, at, value):
    assert float(by_name(name).f(np.array(at))) == pytest.approx(value, rel=1e-14)


def test_nothing_overflows_far_from_zero():
    for name in ("tanh", "logistic", "relu", "softplus"):
        sigma = by_name(name)
        for function in (sigma.f, sigma.df, sigma.d2f):
            assert np.isfinite(np.asarray(function(np.array([-1e4, 1e4])))).all()


def test_an_unknown_activation_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"no activation 'sine'; there are identity, tanh"):
        by_name("sine")

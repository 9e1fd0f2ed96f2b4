"""The activations' derivatives, against finite differences and closed forms."""

import numpy as np
import pytest

from pcode import InputError
from pcode.base._jax import jnp
from pcode.model.activation import Activation
from pcode.model.activations import ACTIVATIONS, by_name

POINTS = np.array([-30.0, -2.0, -0.7, 0.3, 1.1, 2.5, 30.0])  # relu's kink at 0 left out


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_agree_with_finite_differences(name):
    sigma, h = by_name(name), 1e-5
    for function, derivative in ((sigma.f, sigma.df), (sigma.df, sigma.d2f)):
        slope = (np.asarray(function(POINTS + h)) - np.asarray(function(POINTS - h))) / (2 * h)
        np.testing.assert_allclose(np.asarray(derivative(POINTS)), slope, rtol=1e-7, atol=1e-9)


FAR = np.array([-30.0, -2.0, 0.3, 2.5, 30.0, 300.0])


@pytest.mark.parametrize(
    ("name", "slope", "bend"),
    [
        ("identity", lambda x: np.ones_like(x), lambda x: np.zeros_like(x)),
        ("tanh", lambda x: np.cosh(x) ** -2, lambda x: -2 * np.tanh(x) * np.cosh(x) ** -2),
        (
            "logistic",
            lambda x: 0.25 * np.cosh(x / 2) ** -2,
            lambda x: -0.25 * np.tanh(x / 2) / np.cosh(x / 2) ** 2,
        ),
        ("relu", lambda x: np.heaviside(x, 0), lambda x: np.zeros_like(x)),
        ("leaky_relu", lambda x: np.where(x > 0, 1.0, 0.01), lambda x: np.zeros_like(x)),
        ("softplus", lambda x: 1 / (1 + np.exp(-x)), lambda x: 0.25 * np.cosh(x / 2) ** -2),
        ("square", lambda x: 2 * x, lambda x: np.full_like(x, 2)),
    ],
)
def test_derivatives_have_their_closed_forms_far_out_as_well(name, slope, bend):
    sigma = by_name(name)
    # tanh' is a difference from 1 of what is 1 but for rounding.
    digits = {"rtol": 1e-12, "atol": 1e-15 if name == "tanh" else 1e-300}
    np.testing.assert_allclose(np.asarray(sigma.df(FAR)), slope(FAR), **digits)
    np.testing.assert_allclose(np.asarray(sigma.d2f(FAR)), bend(FAR), **digits)


@pytest.mark.parametrize("name", [name for name, sigma in ACTIVATIONS.items() if sigma.kinks])
def test_at_a_kink_the_slope_is_that_from_below_and_nan_is_never_hidden(name):
    sigma = by_name(name)
    (kink,) = sigma.kinks
    for at in (kink, -kink):  # 0 has two signs
        assert float(sigma.df(np.array(at))) == float(sigma.df(np.array(kink - 1.0)))
        assert float(sigma.d2f(np.array(at))) == 0.0
    assert np.isnan(float(sigma.f(np.array(np.nan))))


def test_derivatives_that_are_left_out_are_those_of_f():
    sigma = Activation(jnp.sin, name="sine")
    np.testing.assert_allclose(np.asarray(sigma.df(POINTS)), np.cos(POINTS), rtol=1e-14)
    np.testing.assert_allclose(np.asarray(sigma.d2f(POINTS)), -np.sin(POINTS), rtol=1e-14)


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

"""Activations of the user's own: what they may be, and that they give what shipped ones give."""

from __future__ import annotations

import copy
import functools
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.model.activations import ACTIVATIONS
from pcode.model.probing import kinks_of
from tests.conftest import XOR_X, XOR_Y
from tests.methods import DETERMINISTIC

METHODS = [name for name in DETERMINISTIC if name != "auto"]
POINTS = np.array([-30.0, -2.0, -0.7, 0.0, 0.3, 1.1, 2.5, 30.0])


def softsign(v):
    return v / (1.0 + jnp.abs(v))


def softplus_by_hand(v):
    return jnp.maximum(v, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(v)))


class Scaled:
    """A method to be used as an activation."""

    def sine(self, v):
        return jnp.sin(v)


def test_derivatives_are_the_closed_forms() -> None:
    sigma = pcode.Activation(softsign)
    np.testing.assert_allclose(np.asarray(sigma.f(POINTS)), POINTS / (1 + np.abs(POINTS)), rtol=1e-14)
    np.testing.assert_allclose(np.asarray(sigma.df(POINTS)), (1 + np.abs(POINTS)) ** -2.0, rtol=1e-13)
    away = POINTS[POINTS != 0.0]
    bend = -2.0 * np.sign(away) * (1 + np.abs(away)) ** -3.0
    np.testing.assert_allclose(np.asarray(sigma.d2f(away)), bend, rtol=1e-12)


@pytest.mark.parametrize("kinked", [jax.nn.relu, lambda v: jnp.maximum(v, 0.0), lambda v: v * (v > 0.0)])
def test_at_a_kink_all_derivatives_are_those_from_below(kinked) -> None:
    sigma = pcode.Activation(kinked, kinks=[0.0])
    at = jnp.array([-1.0, 0.0, -0.0, 1.0])
    assert np.asarray(sigma.df(at)).tolist() == [0.0, 0.0, 0.0, 1.0]
    assert np.asarray(sigma.d2f(at)).tolist() == [0.0, 0.0, 0.0, 0.0]
    assert np.asarray(jax.grad(lambda x: sigma.f(x).sum())(at)).tolist() == [0.0, 0.0, 0.0, 1.0]
    assert tuple(map(float, sigma.slopes(0.0))) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("f", "told"),
    [
        (np.sin, r"cannot be traced by JAX .*use jax\.numpy\.sin"),
        (math.tanh, r"cannot be traced by JAX .*use jax\.numpy\.tanh"),
        (np.vectorize(lambda v: v), r"cannot be traced by JAX .*jax\.numpy"),
        (lambda v: v if v > 0 else 0.0, r"cannot be traced by JAX .*jnp\.where in place of if"),
        (lambda v, w: v, r"cannot be traced by JAX .*'w'"),
        (jax.nn.softmax, "softmax is not elementwise"),
        (lambda v: v - v.mean(), "not elementwise"),
        (jnp.sort, "not elementwise"),
        (lambda v: v.sum(), r"gives shape \(\) for an array of shape \(2, 3\)"),
        (lambda v: 1.0, "shape"),
        (lambda v: (v, v), "type tuple"),
        (lambda v: v > 0, "gives bool"),
        (lambda v: v.astype(int), "gives int"),
        (lambda v: v.astype(jnp.float32), "gives float32"),
        (lambda v: v + 1j, "gives complex128"),
        (jnp.log, "log is -inf at x = 0"),
        (lambda v: v / v, "is nan at x = 0"),
        (lambda v: jnp.sqrt(jnp.abs(v)), r"sigma' of .* is inf at x = 0"),
        (jnp.sign, "jumps at x = 0; an activation must be continuous"),
        (lambda v: jnp.where(v > 0.5, 1.0, 0.0), "jumps at x = 0.5"),
    ],
)
def test_what_is_no_activation_is_refused_with_the_reason(f, told) -> None:
    with pytest.raises(InputError, match=told) as caught:
        pcode.Activation(f)
    assert caught.value.where == "f"
    with pytest.raises(InputError, match=told) as caught:
        pcode.Network((2, 3, 1), activation=["tanh", f])
    assert caught.value.where == "activation"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("f", "kinks", "told"),
    [
        (jnp.tanh, [0.0], r"does not jump at 0, it is 1 on both sides; leave it out"),
        (lambda v: jnp.maximum(v - 0.3, 0.0), [0.0], r"does not jump at 0.*it jumps at 0\.3"),
        (jax.nn.relu, [0.0, 0.0], "must differ"),
        (jax.nn.relu, 0.0, "must be a list of the values of x"),
        (jax.nn.relu, ["0"], "must be a number"),
        (jax.nn.relu, [np.nan], "must be finite"),
    ],
)
def test_kinks_that_are_none_are_refused_with_those_there_are(f, kinks, told) -> None:
    with pytest.raises(InputError, match=told) as caught:
        pcode.Activation(f, kinks=kinks)
    assert caught.value.where == "kinks"


def test_a_derivative_given_by_hand_must_be_the_derivative() -> None:
    assert pcode.Activation(jnp.tanh, df=lambda v: 1.0 - jnp.tanh(v) ** 2).name == "tanh"
    with pytest.raises(InputError, match=r"df: is not the derivative: at x = 1\.27"):
        pcode.Activation(jnp.tanh, df=lambda v: 1.0 + jnp.tanh(v) ** 2)
    with pytest.raises(InputError, match="d2f: is not the derivative"):
        pcode.Activation(jnp.tanh, d2f=jnp.zeros_like)


@pytest.mark.parametrize(
    ("f", "there"),
    [
        (jax.nn.relu, (0.0,)),
        (lambda v: jnp.clip(v, -1.0, 1.0), (-1.0, 1.0)),
        (lambda v: jnp.maximum(v - 0.3, 0.0), (0.3,)),
        (jnp.abs, (0.0,)),
        (jnp.tanh, ()),
        (jnp.exp, ()),
        (softsign, ()),
        (lambda v: v**3, ()),
        (lambda v: jnp.tanh(50.0 * v), ()),
    ],
)
def test_kinks_are_found_where_the_slope_jumps(f, there) -> None:
    assert kinks_of(pcode.Activation(f, kinks=()).df) == pytest.approx(there, abs=1e-12)
    assert pcode.Activation(f).kinks == pytest.approx(there, abs=1e-12)


def test_networks_are_equal_by_the_functions_themselves() -> None:
    one, again = (pcode.Network((2, 3, 1), activation=softsign) for _ in range(2))
    assert one == again
    assert hash(one) == hash(again)
    assert one != pcode.Network((2, 3, 1), activation=lambda v: softsign(v))
    assert pcode.Activation(softsign) != pcode.Activation(softsign, name="mine")
    assert pcode.Activation(jax.nn.relu, kinks=()) != pcode.Activation(jax.nn.relu, kinks=[0.0])
    assert pcode.Activation(jax.nn.relu) == pcode.Activation(jax.nn.relu, kinks=[0.0])
    scaled = Scaled()
    assert pcode.Activation(scaled.sine) == pcode.Activation(scaled.sine) != pcode.Activation(Scaled().sine)
    assert pcode.Network(**one.to_dict()) == one
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one


def test_names_and_functions_go_together_and_a_shipped_one_stays_a_name() -> None:
    network = pcode.Network((2, 3, 2, 1), activation=["identity", softsign, ACTIVATIONS["relu"]])
    assert [str(one) for one in network.activation] == ["identity", "softsign", "relu"]
    assert network.activation[2] == "relu"
    assert [one.name for one in network.sigma] == ["identity", "softsign", "relu"]
    leaky = functools.partial(jax.nn.leaky_relu, negative_slope=0.2)
    assert [str(one) for one in pcode.Network((1, 1), activation=leaky).activation] == ["leaky_relu"]


def learned(activation, feedback="learned", method="auto", delta=50.0, duration=300.0):
    """XOR, learned and tested; the states and weights at the ends of both phases."""
    network = pcode.Network((2, 4, 1), activation, delta=delta, feedback=feedback)
    train = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=duration)
    test = pcode.Phase("test", {0: XOR_X}, learn=False, until="equilibrium", duration=200.0)
    weights = network.init_weights(rng=3, scale=1.5)
    return pcode.simulate(network, [train, test], weights=weights, method=method)


def agree(one, other, tolerance=1e-5) -> None:
    """The runs have the same values at all saved times."""
    for name in ("x1", "eps2", "M0", "M1"):
        a, b = (run.data[name].to_numpy() for run in (one, other))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_own_tanh_learns_as_the_shipped_one_by_every_method(method) -> None:
    kwargs = {"method": method, "duration": 60.0}
    agree(learned(jnp.tanh, **kwargs), learned("tanh", **kwargs))


@pytest.mark.parametrize("feedback", ["learned", "tied", "fixed"])
@pytest.mark.parametrize(
    ("own", "shipped"),
    [
        (pcode.Activation(lambda v: jnp.maximum(v, 0.0), name="mine", kinks=[0.0]), "relu"),
        (softplus_by_hand, "softplus"),
    ],
)
def test_own_functions_learn_as_the_shipped_ones_with_every_feedback(own, shipped, feedback) -> None:
    one, other = (learned(sigma, feedback) for sigma in (own, shipped))
    assert one.status == other.status == pcode.Status.EQUILIBRIUM
    agree(one, other)


def test_own_tanh_is_the_shipped_one_in_the_singular_limit() -> None:
    runs = []
    for sigma in (jnp.tanh, "tanh"):
        network = pcode.Network((2, 3, 1), sigma, tau=0.0, delta=50.0)
        train = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=100.0)
        runs.append(pcode.simulate(network, [train], weights=network.init_weights(rng=0)))
    agree(*runs)


def test_own_sine_follows_the_equations_written_with_numpy() -> None:
    """1-1-1, ends clamped, weights held: x, eps1, eps2 by SciPy from the README's equations."""
    network = pcode.Network((1, 1, 1), ["identity", jnp.sin], nu=0.5, feedback="tied")
    weights = pcode.Weights(M=([[1.5]], [[0.8]]), W=None, beta=([0.1], [-0.2]))
    phase = pcode.Phase("held", {0: [[0.7]], 2: [[1.0]]}, duration=6.0, learn=False)
    save = pcode.Save(nodes=31, spacing="linear")
    run = pcode.simulate(
        network, [phase], weights=network.check_weights(weights), save=save, rtol=1e-9, atol=1e-12
    )

    def rates(t, s):
        x, eps1, eps2 = s
        return [
            np.cos(x) * eps2 * 0.8 - eps1,
            x - (0.7 * 1.5 + 0.1) - 0.5 * eps1,
            1.0 - (np.sin(x) * 0.8 - 0.2) - 0.5 * eps2,
        ]

    times = run.data["time"].to_numpy()
    right = solve_ivp(rates, (0.0, 6.0), [1.15, 0.0, 0.0], t_eval=times, rtol=1e-10, atol=1e-12).y
    found = np.stack([run.data[name].to_numpy()[:, 0, 0] for name in ("x1", "eps1", "eps2")])
    np.testing.assert_allclose(found, right, atol=1e-7)


@pytest.mark.parametrize("method", ["cvode", "Tsit5", "Radau"])
def test_a_kink_elsewhere_is_treated_as_that_of_relu_at_0(method) -> None:
    """With sigma(v) = relu(v - 1/2) in layer 1 and beta^1 + 1/2 only x^1 is other than with relu, by 1/2."""
    shifted = pcode.Activation(lambda v: jax.nn.relu(v - 0.5), name="shifted", kinks=[0.5])
    runs = []
    for sigma, shift in (("relu", 0.0), (shifted, 0.5)):
        network = pcode.Network((1, 1, 1), ["identity", sigma], feedback="tied")
        weights = network.check_weights(pcode.Weights(M=([[1.0]], [[1.0]]), W=None, beta=([shift], [0.0])))
        phase = pcode.Phase("held", {0: [[1.0]], 2: [[-5.0]]}, duration=12.0, learn=False)
        runs.append(pcode.simulate(network, [phase], weights=weights, method=method))
    one, other = (run.data for run in runs)
    np.testing.assert_allclose(other["x1"], one["x1"] + 0.5, atol=1e-5)
    np.testing.assert_allclose(other["eps1"], one["eps1"], atol=1e-5)
    np.testing.assert_allclose(other["eps2"], one["eps2"], atol=1e-5)
    assert (other["x1"][-50:] == 0.5).all()  # held there ("Activations with kinks"), with alpha = 1/5
    slopes = runs[1].plot.activation_slopes(1).lines[0].get_ydata()
    assert slopes[-1] == pytest.approx(0.2, abs=1e-4)


def test_a_kink_that_is_denied_is_noted() -> None:
    network = pcode.Network((1, 1, 1), ["identity", pcode.Activation(jax.nn.relu, kinks=())])
    phase = pcode.Phase("held", {0: [[1.0]]}, duration=1.0, learn=False)
    run = pcode.simulate(network, [phase], weights=network.init_weights(rng=0))
    assert run.notes == (
        "the slope of relu jumps at 0, which its kinks do not tell: nodes there are not followed exactly; "
        "with pcode.Activation(f, kinks=[0]) they are",
    )


def test_a_kink_that_is_found_needs_no_word() -> None:
    """A node is pushed onto a kink of clip and held there, at x = 1, with a slope between 0 and 1."""
    network = pcode.Network((1, 1, 1), ["identity", lambda v: jnp.clip(v, -1.0, 1.0)], feedback="tied")
    weights = pcode.Weights((np.eye(1), 2.0 * np.eye(1)), None, (np.zeros(1), np.zeros(1)))
    phase = pcode.Phase("held", {0: [[0.2]], 2: [[5.0]]}, duration=60.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, method="cvode")
    assert run.notes == ()
    assert run.phases[0].stats.steps < 1000
    # Held at 1 the errors rest at x - mu: eps1 = 1 - 0.2 and eps2 = 5 - 2, and alpha = eps1/(2 eps2).
    assert run.state.x[1].item() == 1.0
    assert run.state.eps[0].item() == pytest.approx(0.8, abs=1e-5)
    assert run.state.eps[1].item() == pytest.approx(3.0, abs=1e-5)


def test_the_same_function_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # However much memory the tests before have taken, nothing is dropped between the two runs.
    monkeypatch.setattr("pcode.base.programs.ROOM", 1e12)
    traced = []

    def counted(v):
        if isinstance(v, jax.core.Tracer):
            traced.append(v)
        return jnp.sin(v)

    def run() -> None:
        network = pcode.Network((1, 2, 1), activation=counted)
        phase = pcode.Phase("train", {0: [[1.0]], 2: [[0.5]]}, duration=1.0)
        pcode.simulate(network, [phase], weights=network.init_weights(rng=0), method="cvode")

    run()
    before = len(traced)
    run()
    assert len(traced) == before


def test_questions_take_own_functions() -> None:
    run = learned(["identity", softsign])
    answer = ask(run, "backprop")
    shipped = ask(learned(["identity", "tanh"]), "backprop")
    assert set(answer.to_dict()) == set(shipped.to_dict())
    assert "stable" in str(ask(run, "equilibrium"))


def test_reverse_derivatives_are_finite_where_a_branch_not_taken_has_none() -> None:
    """Of x exp(-1/x) for x > 0, else 0, whose branch for x > 0 has no derivative at 0."""
    sigma = pcode.Activation(lambda v: jnp.where(v > 0.0, v * jnp.exp(-1.0 / v), 0.0))
    at = np.array([-1.0, 0.0, 2.0])
    found = np.asarray(jax.grad(lambda x: sigma.f(x).sum())(jnp.asarray(at)))
    np.testing.assert_allclose(found, [0.0, 0.0, np.exp(-0.5) * 1.5], rtol=1e-14)

"""Functions of JAX evaluated by NumPy, against JAX itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from pcode.base import evaluated, plain
from pcode.base.evaluated import Evaluated, Spent, Static
from pcode.base.plain import PlainFunction, UnsupportedError
from pcode.base.vectors import largest

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 5))
V, STACK = RNG.standard_normal(4), RNG.standard_normal((4, 3, 3))
P = np.abs(A) + 0.1


def loop(x, y):
    return jax.lax.while_loop(
        lambda c: (c[0] < 7) & (c[1].sum() < 1e6), lambda c: (c[0] + 1, c[1] * 1.5 + y.sum()), (0, x)
    )


def choose(x, y):
    return jax.lax.cond(x.sum() > y.sum(), lambda x, y: x @ y, lambda x, y: -(x @ y), x, y)


def scanned(x, y):
    def step(carry, row):
        return carry + row.sum(), (row * carry, carry)

    return jax.lax.scan(step, 0.5, x, reverse=True)


def switched(x, y):
    return [jax.lax.switch(k, [lambda: x, lambda: 2.0 * x, lambda: x - 1.0]) for k in (0, 1, 2)]


def nested(x, y):
    def body(k, total):
        return jax.lax.cond(k % 2 == 0, lambda t: t + x[k % 4].sum(), lambda t: t - 1.0, total)

    return jax.lax.fori_loop(0, 6, body, 0.0)


def rows_set(x, y):
    def body(k, kept):
        return kept.at[k].set(x[k] * 2.0)

    return jax.lax.fori_loop(0, 3, body, jnp.zeros_like(x))


FUNCTIONS = {
    "arithmetic": lambda x, y: (x + 1.0, 2.0 - x, x * x / 3.0, -x, x**2, x**3, x**-1, x**-2, 1.0 / x),
    "comparisons": lambda x, y: (x < 0.0, x <= V[0], x > x.T[0, 0], x >= 0.0, x == x, x != 1.0, ~(x > 0.0)),
    "elementary": lambda x, y: (jnp.tanh(x), jnp.exp(x), jnp.log1p(x**2), jnp.sin(x), jnp.cos(x), jnp.abs(x)),
    "sigmoids": lambda x, y: (jax.nn.sigmoid(x), jax.nn.softplus(x), jax.nn.relu(x), jax.nn.elu(x)),
    "error function": lambda x, y: (jax.nn.gelu(x, approximate=False), jax.scipy.special.erf(x)),
    "rounding": lambda x, y: (
        jnp.floor(x),
        jnp.ceil(x),
        jnp.sign(x),
        jnp.clip(x, -0.5, 0.5),
        jnp.maximum(x, 0),
    ),
    "roots": lambda x, y: (jnp.sqrt(x**2 + 1.0), jax.lax.rsqrt(x**2 + 1.0), jnp.hypot(x, 1.0)),
    "products": lambda x, y: (
        x @ y,
        (x @ y).T @ x,
        x[0] @ y,
        x @ y[:, 0],
        x[0] @ x[1],
        jnp.outer(x[0], y[0]),
    ),
    "stacks": lambda x, y: (
        jnp.einsum("bi,bij->bj", x, STACK),
        jnp.einsum("bij,bj->bi", STACK, x),
        STACK @ STACK,
        jnp.einsum("bi,bi->b", x, x),
        jnp.einsum("bij,bkj->bik", STACK, STACK),
        jnp.einsum("ij,jk,lk->il", x, y, y.T @ y),
    ),
    "sums": lambda x, y: (x.sum(), x.sum(axis=0), x.mean(axis=1), x.max(), x.min(axis=0), (x > 0.0).all()),
    "shapes": lambda x, y: (x.ravel(), x.reshape(2, 6), x.T, x[:, None, :] * y.T[None], jnp.squeeze(x[:1])),
    "parts": lambda x, y: (x[1:3], x[::2, 1], jnp.split(x, [1, 2], axis=1), x.at[1].set(0.0)),
    "joined": lambda x, y: (jnp.concatenate([x, y.T]), jnp.concatenate([x, x], axis=1), jnp.stack([x, x])),
    "choices": lambda x, y: (jnp.where(x > 0.0, x, 0.0), jnp.where(x > 0.0, 1.0, jnp.nan), jnp.isnan(x)),
    "broadcasts": lambda x, y: (
        jnp.broadcast_to(x[0], (4, 3)) + x,
        jnp.ones((4, 1)) * x,
        jnp.full((2, 2), x[0, 0]),
    ),
    "numbers": lambda x, y: (jnp.eye(3), jnp.arange(4), x[0, 0] + 1.0, jnp.zeros(3), jnp.cumsum(x, axis=0)),
    "whole numbers": lambda x, y: [jax.lax.div(jnp.arange(-4, 4), jnp.array([3, -3] * 4))],
    "a place in a list": lambda x, y: jnp.searchsorted(
        jnp.array(np.sort(B[0])), x[0, 0], method="scan_unrolled"
    ),
    "matrices": lambda x, y: (jnp.linalg.inv(STACK + x[0]), jnp.linalg.solve(STACK, STACK * x[0, 0])),
    "single precision": lambda x, y: (x.astype(jnp.float32) * 2.0, jnp.float32(x) @ jnp.float32(y)),
    "derivatives": lambda x, y: (
        jax.jvp(lambda z: jnp.tanh(z @ y), (x,), (x * 2.0,))[1],
        jax.grad(lambda z: (jnp.tanh(z @ y) ** 2).sum())(x),
        jax.vmap(lambda row: row @ y)(x),
    ),
    "a while loop": loop,
    "a condition": choose,
    "several conditions": switched,
    "a scan": scanned,
    "a condition in a loop": nested,
    "rows that are set": rows_set,
}


def run_plain(function, *arguments):
    return PlainFunction(function).program(*arguments).bind(arguments[0])(*arguments[1:])


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("fixed", [True, False])
def test_it_gives_what_jax_gives(name, fixed):
    function = FUNCTIONS[name]
    if fixed:  # all that depends on the first argument alone is computed before
        found, expected = run_plain(function, A, B), function(jnp.array(A), jnp.array(B))
    else:
        found = run_plain(lambda _, x, y: function(x, y), 0.0, A, B)
        expected = function(jnp.array(A), jnp.array(B))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.shape(one) == other.shape
        tolerance = 1e-5 if other.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(np.asarray(one), other, rtol=tolerance, atol=tolerance)


def test_shipped_activations_and_their_derivatives_are_those_of_scipy():
    def slopes(x):
        return jax.nn.sigmoid(x), jax.vmap(jax.grad(jax.nn.softplus))(x)

    x = np.linspace(-30.0, 30.0, 101)
    logistic, slope = run_plain(slopes, x)
    np.testing.assert_allclose(logistic, scipy.special.expit(x), rtol=1e-14)
    np.testing.assert_allclose(slope, scipy.special.expit(x), rtol=1e-12)


def test_an_operation_without_a_rule_is_refused_and_the_function_compiled():
    def sorted_sum(x, y):
        return jnp.sort(x) @ y

    with pytest.raises(UnsupportedError):
        run_plain(sorted_sum, V, V)
    function = Evaluated(sorted_sum)
    assert function.program(V, V) is None
    np.testing.assert_allclose(function(V, V), np.sort(V) @ V, rtol=1e-14)
    np.testing.assert_allclose(function.bind(V, Spent())(V), np.sort(V) @ V, rtol=1e-14)


def test_a_singular_matrix_gives_nan_for_its_own_sample_only():
    matrices = STACK.copy()
    matrices[2] = 0.0
    found = run_plain(jnp.linalg.inv, matrices)
    assert np.isnan(found[2]).all()
    np.testing.assert_allclose(found[[0, 1, 3]], np.linalg.inv(matrices[[0, 1, 3]]))


def test_what_depends_on_the_first_argument_alone_is_computed_once():
    calls = []

    def function(x, y):
        return jnp.tanh(x) @ y + jnp.tanh(x) @ y

    program = PlainFunction(function).program(A, B)
    inside = program.source[program.source.index("def run") :]
    assert "tanh" in program.source
    assert "tanh" not in inside
    assert inside.count("@") == 1  # nothing twice
    np.testing.assert_allclose(program.bind(A)(B), 2.0 * np.tanh(A) @ B)
    assert not calls


def set_calls(monkeypatch, count):
    """Have a product and its tanh compiled after so many calls."""
    monkeypatch.setattr(plain, "CALL", 0.0)
    program = Evaluated(lambda x, y: jnp.tanh(x @ y)).program(A, B)
    compiling = evaluated.EACH * program.size + evaluated.PAIRS * program.size**2
    monkeypatch.setattr(evaluated, "PART", (count + 0.5) * program.lost / compiling)


def test_when_a_function_is_compiled_depends_on_the_number_of_calls_and_on_nothing_else(monkeypatch):
    def turns():
        """The calls at which it was NumPy's, and not JAX's, array that came back."""
        bound = Evaluated(lambda x, y: jnp.tanh(x @ y)).bind(A, Spent())
        return [isinstance(bound(B), np.ndarray) for _ in range(40)]

    set_calls(monkeypatch, 10)
    assert turns() == turns() == [True] * 10 + [False] * 30


def test_an_integration_that_goes_on_with_another_argument_goes_on_counting(monkeypatch):
    function, spent = Evaluated(lambda x, y: jnp.tanh(x @ y)), Spent()
    set_calls(monkeypatch, 5)
    first = function.bind(A, spent)
    for _ in range(5):
        assert isinstance(first(B), np.ndarray)
    second = function.bind(2.0 * A, spent)
    np.testing.assert_allclose(second(B), np.tanh(2.0 * A @ B), rtol=1e-14)
    assert not isinstance(second(B), np.ndarray)


def test_static_arguments_choose_what_is_traced():
    function = Evaluated(lambda how, x: jnp.tanh(x) if how.value == "tanh" else x)
    np.testing.assert_array_equal(function(Static("identity"), V), V)
    np.testing.assert_allclose(function(Static("tanh"), V), np.tanh(V))


@pytest.mark.parametrize("shape", [(), (2,), (2, 4), (3, 5)])
def test_arrays_for_jax_keep_their_shapes_types_and_bits(shape):
    values = RNG.standard_normal(shape)
    given = {
        "a": values,
        "negative": -values,
        "zero": np.zeros(shape),
        "minus zero": -np.zeros(shape),
        "nan": np.full(shape, np.nan),
        "whole": np.zeros(shape, dtype=np.int64),
        "turned": np.asarray(np.transpose(values)),
        "nothing": None,
        "there": jnp.asarray(values),
    }
    found = evaluated.on_device(given)
    assert found.keys() == given.keys()
    assert found["nothing"] is None
    for name in given.keys() - {"nothing"}:
        assert isinstance(found[name], jax.Array)
        here = np.asarray(found[name])
        assert (here.shape, here.dtype) == (np.shape(given[name]), given[name].dtype)
        np.testing.assert_array_equal(here, np.asarray(given[name]))
        if here.dtype == float:
            np.testing.assert_array_equal(np.signbit(here), np.signbit(np.asarray(given[name])))


def test_an_array_that_changes_later_does_not_change_what_jax_was_given():
    given = np.array([1.0, 2.0])
    found = evaluated.on_device(given)
    given[0] = 5.0
    np.testing.assert_array_equal(np.asarray(found), [1.0, 2.0])
    np.testing.assert_array_equal(np.asarray(evaluated.on_device(given)), [5.0, 2.0])


def test_the_largest_value_leaves_out_nan_and_is_zero_of_nothing():
    assert largest(np.array([[1.0, -3.0], [np.nan, 2.0]]), np.array(2.5)) == 3.0
    assert largest(np.array([-np.inf, 1.0])) == np.inf
    assert largest(np.full(3, np.nan)) == 0.0
    assert largest(np.empty((0, 4))) == 0.0

"""What is computed side by side, in lanes, is what one after another would be."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pcode.solvers.lanes import calls_lapack, side_by_side
from pcode.system.inverse import written_out


def dots(function, *args) -> int:
    """How many products XLA is given as such."""
    return str(jax.make_jaxpr(function)(*args)).count("dot_general")


def test_a_batch_of_small_products_is_written_out_and_others_stay(rng) -> None:
    small, large = rng.normal(size=(5, 3, 4)), rng.normal(size=(5, 40, 40))
    assert dots(side_by_side(lambda a: a @ a.transpose(0, 2, 1), 5), small) == 0
    assert dots(side_by_side(lambda a: a @ a, 5), large) == 1
    assert dots(side_by_side(lambda a: a[0] @ a[1].T, 5), small) == 1


def test_products_along_any_axes_keep_their_values(rng) -> None:
    a, b = rng.normal(size=(2, 5, 3, 4)), rng.normal(size=(4, 5, 6, 2))
    laws = ("pbij,jbkp->pbik", "pbij,jbkp->bik", "pbij,jbkp->pik", "pbij,jbkp->b", "pbij,jbkp->kpbi")
    for law, members in itertools.product(laws, (2, 4, 5, 6)):
        found = jax.jit(side_by_side(lambda a, b, law=law: jnp.einsum(law, a, b), members))(a, b)
        np.testing.assert_allclose(found, np.einsum(law, a, b), rtol=1e-12, atol=1e-12)


def test_loops_branches_and_functions_with_rules_of_their_own_are_followed(rng) -> None:
    a = 0.3 * rng.normal(size=(5, 3, 3))

    def inside(x):
        x = jax.lax.fori_loop(0, 3, lambda k, v: v @ x, x)
        x, each = jax.lax.scan(lambda c, v: (c @ v, c), x, jnp.stack([x, x]))
        x = jax.lax.cond(x[0, 0] > 10.0, lambda v: v, lambda v: v @ v, x)
        return jax.lax.map(lambda v: v @ x, each).sum() + jax.nn.softplus(jax.jit(jnp.dot)(x, x)).sum()

    plain = jax.vmap(inside)
    assert dots(plain, a) > 0
    assert dots(side_by_side(plain, 5), a) == 0
    np.testing.assert_allclose(jax.jit(side_by_side(plain, 5))(a), plain(a), rtol=1e-12)


def test_trees_go_in_and_come_out(rng) -> None:
    a = rng.normal(size=(2, 3, 3))
    function = side_by_side(lambda d: {"twice": (d["a"] @ d["a"], None), "as it was": d["b"]}, 2)
    found = function({"a": a, "b": 1.0})
    np.testing.assert_allclose(found["twice"][0], a @ a, rtol=1e-12)
    assert found["twice"][1] is None
    assert found["as it was"] == 1.0


def test_operations_on_axes_and_within_arrays_keep_their_values(rng) -> None:
    a, order, k = rng.normal(size=(5, 4, 3)), rng.permutation(5), np.array(1)

    def operations(a, k):
        a = jnp.asarray(a)
        yield from (a.transpose(axes) for axes in itertools.permutations(range(3)))
        yield from (jnp.sum(a, axes) for axes in (0, 1, (0, 2), (0, 1, 2)))
        yield from (a.reshape(shape) for shape in ((5, 12), (4, 5, 3), (60,), (5, 2, 6)))
        yield from (jnp.concatenate([a, 2.0 * a], axis) for axis in range(3))
        yield from (a[1:4:2], a[:, ::-1], a[:, None, 2], a[order], a[:, :, k], a.at[:, k].set(7.0))
        yield jax.lax.dynamic_slice(a, (k, k, 0), (2, 2, 3))
        yield jax.lax.dynamic_update_slice(a, a[:, :1] ** 2, (0, k, 0))
        yield from (
            a[:, 0, 0, None, None] + a[0],
            a[:, 0, 0] * a[..., 0].T,
            jnp.broadcast_to(a[0], (5, 5, 4, 3)),
        )
        yield from (jnp.sort(a, axis=1), jnp.cumsum(a, axis=0), jnp.argmax(a, axis=1))
        yield jnp.where(a[:, 0, 0] > 0.0, a.T, -a.T)

    plain = [np.asarray(one) for one in operations(a, k)]
    for members in (1, 2, 3, 4, 5):
        found = jax.jit(side_by_side(lambda a, k: list(operations(a, k)), members))(a, k)
        for one, other in zip(found, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_inverses_without_lapack_are_inverses_whatever_the_order_of_their_pivots(rng, n: int) -> None:
    matrices = rng.normal(size=(5, 3, n, n))
    matrices[0, 0] = np.roll(np.eye(n), 1, axis=0)
    found = jax.jit(side_by_side(jax.vmap(written_out), 5))(matrices)
    np.testing.assert_allclose(found @ matrices, np.broadcast_to(np.eye(n), matrices.shape), atol=1e-10)
    assert not calls_lapack(written_out, matrices)
    assert not np.isfinite(written_out(jnp.zeros((n, n)))).all()

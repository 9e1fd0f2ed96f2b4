"""Batches of small products written out as elementwise code are the products that they were."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pcode.solvers.products import fused


def dots(function, *args) -> int:
    """How many products XLA is given as such."""
    return str(jax.make_jaxpr(function)(*args)).count("dot_general")


def test_a_batch_of_small_products_is_written_out_and_others_stay(rng) -> None:
    small, large = rng.normal(size=(5, 3, 4)), rng.normal(size=(5, 40, 40))
    assert dots(fused(lambda a: a @ a.transpose(0, 2, 1)), small) == 0
    assert dots(fused(lambda a: a @ a), large) == 1
    assert dots(fused(lambda a: a[0] @ a[1].T), small) == 1


def test_products_along_any_axes_keep_their_values(rng) -> None:
    a, b = rng.normal(size=(2, 5, 3, 4)), rng.normal(size=(4, 5, 6, 2))
    for law in ("pbij,jbkp->pbik", "pbij,jbkp->bik", "pbij,jbkp->pik", "pbij,jbkp->b"):
        found = jax.jit(fused(lambda a, b, law=law: jnp.einsum(law, a, b)))(a, b)
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
    assert dots(fused(plain), a) == 0
    np.testing.assert_allclose(jax.jit(fused(plain))(a), plain(a), rtol=1e-12)


def test_trees_go_in_and_come_out(rng) -> None:
    a = rng.normal(size=(2, 3, 3))
    found = fused(lambda d: {"twice": (d["a"] @ d["a"], None), "as it was": d["b"]})({"a": a, "b": 1.0})
    np.testing.assert_allclose(found["twice"][0], a @ a, rtol=1e-12)
    assert found["twice"][1] is None
    assert found["as it was"] == 1.0

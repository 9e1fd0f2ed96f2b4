"""Batches of small matrix products, as elementwise code.

XLA calls a library for each product of a batch on a processor. With matrices of a few rows that takes longer
than the arithmetic, and no neighbouring code is fused with it. Written as products and sums they are compiled
into the code around them. Accelerators do this by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from jax import lax
from jax.extend.core import ClosedJaxpr, Literal

from ..base._jax import jax, jnp

# Products of at most this many multiplications each are written out.
SMALL = 2_000


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with its batches of small matrix products as elementwise code, on a processor.

    It is traced anew where it is called; what it returns is the same up to rounding.
    """

    def rewritten(*args: Any) -> Any:
        if jax.default_backend() != "cpu":
            return function(*args)
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        found = _evaluated(traced, *jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return rewritten


# What XLA has LAPACK do on a processor.
LAPACK = {"lu", "triangular_solve", "cholesky", "geqrf", "householder_product", "eig", "eigh", "svd"}


def calls_lapack(function: Callable[..., Any], *args: Any) -> bool:
    """Whether `function` calls LAPACK, so that no other compiled code should run meanwhile; see `Alone`."""
    return not LAPACK.isdisjoint(_operations(jax.make_jaxpr(function)(*args).jaxpr))


def _operations(jaxpr: Any) -> Iterator[str]:
    """The names of all operations, also of those inside of others."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _operations(inner)


def _evaluated(closed: ClosedJaxpr, *args: Any) -> list[Any]:
    """The results of a traced function, each of its operations rewritten."""
    jaxpr = closed.jaxpr
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    known |= dict(zip(jaxpr.invars, args, strict=True))

    def value(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        found = _applied(equation, [value(atom) for atom in equation.invars])
        known |= dict(zip(equation.outvars, found, strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _applied(equation: Any, args: list[Any]) -> list[Any]:
    """The results of one operation; what is inside of loops and branches is rewritten too."""
    name, params = equation.primitive.name, equation.params
    if name == "dot_general" and _small(equation):
        return [_written_out(*args, *params["dimension_numbers"])]
    if name in ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat2"):
        inner = next(v for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if (v := params.get(k)) is not None)
        closed = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, [])
        return _evaluated(closed, *args)
    if name == "while":
        return _loop(params, args)
    if name == "cond":
        branches = [partial(_listed, branch) for branch in params["branches"]]
        return list(lax.switch(args[0], branches, *args[1:]))
    if name == "scan":
        return _scan(params, args)
    found = equation.primitive.bind(*args, **equation.primitive.get_bind_params(params))
    return list(found) if equation.primitive.multiple_results else [found]


def _listed(closed: ClosedJaxpr, *args: Any) -> tuple[Any, ...]:
    return tuple(_evaluated(closed, *args))


def _loop(params: dict[str, Any], args: list[Any]) -> list[Any]:
    cond, body = params["cond_jaxpr"], params["body_jaxpr"]
    a, b = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    return list(
        lax.while_loop(
            lambda carry: _evaluated(cond, *args[:a], *carry)[0],
            lambda carry: tuple(_evaluated(body, *args[a:b], *carry)),
            tuple(args[b:]),
        )
    )


def _scan(params: dict[str, Any], args: list[Any]) -> list[Any]:
    consts, carried = params["num_consts"], params["num_consts"] + params["num_carry"]

    def body(carry: Any, x: Any) -> Any:
        found = _evaluated(params["jaxpr"], *args[:consts], *carry, *x)
        return tuple(found[: params["num_carry"]]), tuple(found[params["num_carry"] :])

    carry, stacked = lax.scan(
        body,
        tuple(args[consts:carried]),
        tuple(args[carried:]),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*carry, *stacked]


def _small(equation: Any) -> bool:
    """Whether a product is one of a batch of small ones."""
    left, right = (v.aval.shape for v in equation.invars)
    (along, _), (batch, _) = equation.params["dimension_numbers"]
    count = math.prod(left[k] for k in batch)
    work = math.prod(equation.outvars[0].aval.shape) * math.prod(left[k] for k in along)
    return bool(batch) and count > 0 and work <= SMALL * count and len(right) > 0


def _written_out(left: Any, right: Any, along: Any, batch: Any) -> Any:
    """The product as a sum of elementwise products; axes as for `lax.dot_general`."""
    own, other = (
        [k for k in range(a.ndim) if k not in (*summed, *shared)]
        for a, summed, shared in ((left, along[0], batch[0]), (right, along[1], batch[1]))
    )
    left, right = left.transpose(*batch[0], *own, *along[0]), right.transpose(*batch[1], *other, *along[1])
    shared, first = len(batch[0]), len(batch[0]) + len(own)
    left = jnp.expand_dims(left, tuple(range(first, first + len(other))))
    right = jnp.expand_dims(right, tuple(range(shared, first)))
    product = left * right
    return product.sum(axis=tuple(range(first + len(other), product.ndim)))

"""Members side by side, as lanes of a processor's vector instructions.

What `jax.vmap` makes has the axis of the members first, so that XLA's innermost loops are over a few nodes,
and it has XLA call a library for each product of a batch of small matrices; no neighbouring code is fused
with that. On a processor both take longer than the arithmetic. Here the same operations are traced anew, with
arrays kept such that their first axis is the last one in memory, if it is as long as there are members, and
small products written out as products and sums. Accelerators do without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jax import lax
from jax.extend.core import ClosedJaxpr, Literal

from ..base._jax import jax, jnp

# Products of at most this many multiplications each are written out.
SMALL = 2_000

# Operations on entries, each on its own: they take arrays in whatever order.
# fmt: off
ENTRYWISE = {
    "abs", "add", "add_any", "and", "atan2", "cbrt", "ceil", "clamp", "convert_element_type", "copy",
    "copy_p", "cos", "cosh", "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge",
    "gt", "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne",
    "neg", "nextafter", "not", "or", "pow", "rem", "round", "rsqrt", "select_n", "sign", "sin", "sinh",
    "sqrt", "square", "stop_gradient", "sub", "tan", "tanh", "xor",
}
# fmt: on
REDUCTIONS = {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"}
CALLS = {"jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat2"}

# What XLA has LAPACK do on a processor.
LAPACK = {"lu", "triangular_solve", "cholesky", "geqrf", "householder_product", "eig", "eigh", "svd"}


def side_by_side(function: Callable[..., Any], members: int) -> Callable[..., Any]:
    """`function` with arrays whose first axis has `members` entries as lanes, on a processor.

    It is traced anew where it is called; what it returns is the same up to rounding.
    """

    def rewritten(*args: Any) -> Any:
        if jax.default_backend() != "cpu":
            return function(*args)
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        found = _Lanes(members).call(traced, *map(jnp.asarray, jax.tree.leaves(args)))
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return rewritten


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


def _ordered(array: Any, order: Sequence[int], wanted: Sequence[int]) -> Any:
    """An array whose axes are those of `order`, with these as `wanted`."""
    return array if list(order) == list(wanted) else array.transpose([list(order).index(k) for k in wanted])


class _Lanes:
    """Operations on arrays that are kept with their first axis last if it has `members` entries.

    In what follows axes have the numbers that they have in the traced code, and the *order* of an array tells
    which of them comes first, second and so on in what is kept. It depends on the shape alone.
    """

    def __init__(self, members: int) -> None:
        self.members = members

    def order(self, shape: Sequence[int]) -> list[int]:
        """The axes of an array of this shape, as it is kept."""
        axes = list(range(len(shape)))
        return [*axes[1:], 0] if len(shape) > 1 and shape[0] == self.members > 1 else axes

    def keep(self, array: Any) -> Any:
        """An array with its axes in turn, as it is kept."""
        return _ordered(array, range(array.ndim), self.order(array.shape))

    def plain(self, array: Any, shape: Sequence[int]) -> Any:
        """A kept array of this shape with its axes in turn."""
        return _ordered(array, self.order(shape), range(len(shape)))

    def call(self, closed: ClosedJaxpr, *args: Any) -> list[Any]:
        """The results of a traced function; arguments and results have their axes in turn."""
        found = self.evaluated(closed, *map(self.keep, args))
        return [self.plain(a, v.aval.shape) for a, v in zip(found, closed.jaxpr.outvars, strict=True)]

    def evaluated(self, closed: ClosedJaxpr, *args: Any) -> list[Any]:
        """The results of a traced function; arguments and results are as they are kept."""
        jaxpr = closed.jaxpr
        known: dict[Any, Any] = dict(
            zip(jaxpr.constvars, map(self.keep, map(jnp.asarray, closed.consts)), strict=True)
        )
        known |= dict(zip(jaxpr.invars, args, strict=True))

        def value(atom: Any) -> Any:
            return self.keep(jnp.asarray(atom.val)) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            found = self._applied(equation, [value(atom) for atom in equation.invars])
            known |= dict(zip(equation.outvars, found, strict=True))
        return [value(atom) for atom in jaxpr.outvars]

    def _applied(self, equation: Any, args: list[Any]) -> list[Any]:
        """The results of one operation; what is inside of loops and branches is rewritten too."""
        name, params = equation.primitive.name, equation.params
        if name in CALLS:
            inner = next(v for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if (v := params.get(k)) is not None)
            return self.evaluated(inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, []), *args)
        if name == "while":
            return self._loop(params, args)
        if name == "cond":
            branches = [lambda *a, branch=b: tuple(self.evaluated(branch, *a)) for b in params["branches"]]
            return list(lax.switch(args[0], branches, *args[1:]))
        if name == "scan":
            return self._scan(equation, args)
        shapes = [v.aval.shape for v in equation.invars]
        out = equation.outvars[0].aval.shape
        if name in ENTRYWISE and all(shape in ((), out) for shape in shapes):
            return self._bound(equation, args)
        if name == "dot_general" and _small(equation):
            return [self._written_out(args, shapes, params["dimension_numbers"], out)]
        rule = getattr(self, f"_{name}", self._reduced if name in REDUCTIONS else None)
        if rule is not None:
            array, order = rule(equation, args, shapes)
            return [_ordered(array, order, self.order(out))]
        found = self._bound(equation, [self.plain(a, shape) for a, shape in zip(args, shapes, strict=True)])
        return [self.keep(array) for array in found]

    @staticmethod
    def _bound(equation: Any, args: list[Any]) -> list[Any]:
        found = equation.primitive.bind(*args, **equation.primitive.get_bind_params(equation.params))
        return list(found) if equation.primitive.multiple_results else [found]

    # Operations on the axes: each returns an array and the order of its axes.

    def _broadcast_in_dim(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        shape, to = equation.params["shape"], equation.params["broadcast_dimensions"]
        order = self.order(shape)
        own = sorted(range(len(to)), key=lambda k: order.index(to[k]))
        array = _ordered(args[0], self.order(shapes[0]), own)
        where = [order.index(to[k]) for k in own]
        return lax.broadcast_in_dim(array, [shape[k] for k in order], where), order

    def _reshape(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        shape = equation.params["new_sizes"]
        order = self.order(shape)
        if shape and shapes[0] and shape[0] == shapes[0][0] == self.members:
            return args[0].reshape([shape[k] for k in order]), order
        return self.plain(args[0], shapes[0]).reshape(shape), list(range(len(shape)))

    def _transpose(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        permutation = list(equation.params["permutation"])
        return args[0], [permutation.index(k) for k in self.order(shapes[0])]

    def _squeeze(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        order, gone = self.order(shapes[0]), equation.params["dimensions"]
        return lax.squeeze(args[0], [order.index(k) for k in gone]), _without(order, gone)

    def _reduced(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        order, gone = self.order(shapes[0]), equation.params["axes"]
        params = equation.params | {"axes": tuple(sorted(order.index(k) for k in gone))}
        return equation.primitive.bind(args[0], **params), _without(order, gone)

    def _concatenate(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        order = self.order(equation.outvars[0].aval.shape)
        parts = [_ordered(a, self.order(shape), order) for a, shape in zip(args, shapes, strict=True)]
        return lax.concatenate(parts, order.index(equation.params["dimension"])), order

    def _slice(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        order, params = self.order(shapes[0]), equation.params
        each = (params["start_indices"], params["limit_indices"], params["strides"])
        return lax.slice(args[0], *(part and [part[k] for k in order] for part in each)), order

    def _dynamic_slice(self, equation: Any, args: list[Any], shapes: list[Any]) -> tuple[Any, list[int]]:
        order, sizes = self.order(shapes[0]), equation.params["slice_sizes"]
        return lax.dynamic_slice(args[0], [args[1 + k] for k in order], [sizes[k] for k in order]), order

    def _dynamic_update_slice(
        self, equation: Any, args: list[Any], shapes: list[Any]
    ) -> tuple[Any, list[int]]:
        order = self.order(shapes[0])
        update = _ordered(args[1], self.order(shapes[1]), order)
        return lax.dynamic_update_slice(args[0], update, [args[2 + k] for k in order]), order

    def _written_out(self, args: list[Any], shapes: list[Any], numbers: Any, out: Any) -> Any:
        """A product as a sum of elementwise products, as it is kept; axes as for `lax.dot_general`."""
        along, batch = numbers
        own, other = (
            [k for k in range(len(shape)) if k not in (*summed, *shared)]
            for shape, summed, shared in zip(shapes, along, batch, strict=True)
        )
        count, order = len(out), self.order(out)
        # Axes of the product: those of the result in turn, then those along which it is summed.
        shared = list(range(len(batch[0])))
        first = [*range(len(shared), len(shared) + len(own))]
        second = [*range(count - len(other), count)]
        last = [*range(count, count + len(along[0]))]
        wanted = [*order[:-1], *last, order[-1]] if order != sorted(order) else [*order, *last]
        axes = [*batch[0], *own, *along[0]], [*batch[1], *other, *along[1]]
        places = [*shared, *first, *last], [*shared, *second, *last]
        left, right = (self._spread(*side, wanted) for side in zip(args, shapes, axes, places, strict=True))
        product = left * right
        return product.sum(axis=tuple(wanted.index(k) for k in last))

    def _spread(self, array: Any, shape: Any, axes: list[int], places: list[int], wanted: list[int]) -> Any:
        """A kept array, with `axes` at `places` of a product whose axes are those `wanted`."""
        there = sorted(range(len(axes)), key=lambda k: wanted.index(places[k]))
        array = _ordered(array, self.order(shape), [axes[k] for k in there])
        return jnp.expand_dims(array, [k for k, axis in enumerate(wanted) if axis not in places])

    # Loops: what they carry is as it is kept.

    def _loop(self, params: dict[str, Any], args: list[Any]) -> list[Any]:
        cond, body = params["cond_jaxpr"], params["body_jaxpr"]
        a, b = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        return list(
            lax.while_loop(
                lambda carry: self.evaluated(cond, *args[:a], *carry)[0],
                lambda carry: tuple(self.evaluated(body, *args[a:b], *carry)),
                tuple(args[b:]),
            )
        )

    def _scan(self, equation: Any, args: list[Any]) -> list[Any]:
        params = equation.params
        consts, carried = params["num_consts"], params["num_consts"] + params["num_carry"]
        along = zip(args[carried:], equation.invars[carried:], strict=True)

        def body(carry: Any, x: Any) -> Any:
            inner = params["jaxpr"]
            found = self.evaluated(inner, *args[:consts], *carry, *map(self.keep, x))
            outer = zip(found, inner.jaxpr.outvars, strict=True)
            ys = [self.plain(a, v.aval.shape) for a, v in list(outer)[params["num_carry"] :]]
            return tuple(found[: params["num_carry"]]), tuple(ys)

        carry, stacked = lax.scan(
            body,
            tuple(args[consts:carried]),
            tuple(self.plain(a, v.aval.shape) for a, v in along),
            length=params["length"],
            reverse=params["reverse"],
            unroll=params["unroll"],
        )
        return [*carry, *map(self.keep, stacked)]


def _without(order: Sequence[int], gone: Sequence[int]) -> list[int]:
    """The order of the axes that are left, with the numbers that they then have."""
    left = [k for k in range(len(order)) if k not in gone]
    return [left.index(k) for k in order if k in left]


def _small(equation: Any) -> bool:
    """Whether a product is one of a batch of small ones."""
    left, right = (v.aval.shape for v in equation.invars)
    (along, _), (batch, _) = equation.params["dimension_numbers"]
    count = math.prod(left[k] for k in batch)
    work = math.prod(equation.outvars[0].aval.shape) * math.prod(left[k] for k in along)
    return bool(batch) and count > 0 and work <= SMALL * count and len(right) > 0

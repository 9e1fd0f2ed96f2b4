"""JAX's primitives in NumPy, as lines of Python source; see `pcode.base.plain`.

A rule is called with the `Writer`, the equation and its operands, and returns its results. Arrays that JAX
broadcasts are left as small as they are for as long as NumPy's own broadcasting does it: a `Value` has the
shape that it stands for, and the shape that it is held in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.special

Shape = tuple[int, ...]


# Seconds by which NumPy takes longer for a small matrix: it calls LAPACK for one after another.
MATRIX = 3e-6


class UnsupportedError(NotImplementedError):
    """A primitive, or a use of it, for which there is no rule."""


class Value(NamedTuple):
    """An array of a program.

    Attributes
    ----------
    name : str
        The expression for it: a name, or a number.
    shape : tuple of int
        The shape that it stands for.
    held : tuple of int
        The shape that it has, which broadcasts to `shape`.
    dtype : dtype
    live : bool
        Whether it depends on arguments that change from call to call.
    number : bool, int, float or None
        Its value, if that is a number in the source.
    """

    name: str
    shape: Shape
    held: Shape
    dtype: Any
    live: bool
    number: Any = None


Rule = Callable[[Any, Any, list[Value]], list[Value]]


def full(value: Any, shape: Shape, kind: Any) -> Any:
    """`value` with all entries of `shape`."""
    whole = np.empty(shape, kind)
    whole[...] = value
    return whole


def set_row(array: Any, k: Any, row: Any) -> Any:
    """A copy of `array` with entry `k` of its first axis replaced, if there is one."""
    array = array.copy()
    if 0 <= k < len(array):
        array[k] = row
    return array


def part(array: Any, starts: Sequence[Any], sizes: Shape) -> Any:
    """The part of `array` of these sizes, moved inwards if it would reach beyond its end."""
    begin = [min(max(int(at), 0), n - size) for at, n, size in zip(starts, array.shape, sizes, strict=True)]
    return array[tuple(slice(at, at + size) for at, size in zip(begin, sizes, strict=True))]


def with_part(array: Any, new: Any, starts: Sequence[Any]) -> Any:
    """A copy of `array` with a part of it replaced, moved inwards if it would reach beyond its end."""
    array = array.copy()
    part(array, starts, new.shape)[...] = new
    return array


def quotient(a: Any, b: Any) -> Any:
    """The quotient of whole numbers, rounded towards 0 as in XLA."""
    size = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -size, size)


def inverse(matrices: Any) -> Any:
    """The inverses; NaN where a matrix is singular."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        return _each(np.linalg.inv, matrices)


def solution(matrices: Any, right: Any) -> Any:
    """The x with matrices x = right; NaN where a matrix is singular."""
    try:
        return np.linalg.solve(matrices, right)
    except np.linalg.LinAlgError:
        return _each(np.linalg.solve, matrices, right)


def _each(function: Callable[..., Any], *stacks: Any) -> Any:
    found = np.full(stacks[-1].shape, np.nan, stacks[-1].dtype)
    for k in np.ndindex(stacks[-1].shape[:-2]):
        try:
            found[k] = function(*(stack[k] for stack in stacks))
        except np.linalg.LinAlgError:
            continue
    return found


# What the source of programs refers to.
NAMES: dict[str, Any] = {
    "full": full,
    "set_row": set_row,
    "part": part,
    "with_part": with_part,
    "inverse": inverse,
    "quotient": quotient,
    "solution": solution,
    "where": np.where,
    "concatenate": np.concatenate,
    "total": np.add.reduce,
    "highest": np.maximum.reduce,
    "lowest": np.minimum.reduce,
    "every": np.logical_and.reduce,
    "some": np.logical_or.reduce,
    "product_of": np.multiply.reduce,
    "stack": np.stack,
    "rem": np.fmod,
    "expit": scipy.special.expit,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "nan": math.nan,
    "inf": math.inf,
    **{
        name: getattr(np, name)
        for name in [
            "tanh",
            "exp",
            "exp2",
            "arcsinh",
            "arccosh",
            "arctanh",
            "expm1",
            "log",
            "log1p",
            "sqrt",
            "cbrt",
            "sin",
            "cos",
            "tan",
            "arcsin",
            "arccos",
            "arctan",
            "arctan2",
            "sinh",
            "cosh",
            "abs",
            "sign",
            "floor",
            "ceil",
            "rint",
            "maximum",
            "minimum",
            "isfinite",
            "square",
            "copysign",
            "nextafter",
            "cumsum",
            "einsum",
            "array",
        ]
    },
}

_OPERATORS = {
    "add": "{} + {}", "add_any": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "neg": "-{}",
    "max": "maximum({}, {})", "min": "minimum({}, {})", "pow": "{} ** {}", "atan2": "arctan2({}, {})",
    "lt_to": "{} < {}", "le_to": "{} <= {}", "eq": "{} == {}", "ne": "{} != {}",
    "lt": "{} < {}", "le": "{} <= {}", "gt": "{} > {}", "ge": "{} >= {}",
    "and": "{} & {}", "or": "{} | {}", "xor": "{} ^ {}", "not": "~{}",
    "tanh": "tanh({})", "exp": "exp({})", "expm1": "expm1({})", "log": "log({})", "log1p": "log1p({})",
    "sqrt": "sqrt({})", "rsqrt": "1.0 / sqrt({})", "cbrt": "cbrt({})", "sin": "sin({})", "cos": "cos({})",
    "tan": "tan({})", "asin": "arcsin({})", "acos": "arccos({})", "atan": "arctan({})", "sinh": "sinh({})",
    "cosh": "cosh({})", "abs": "abs({})", "sign": "sign({})", "floor": "floor({})", "ceil": "ceil({})",
    "square": "square({})", "logistic": "expit({})", "erf": "erf({})", "erfc": "erfc({})", "exp2": "exp2({})",
    "asinh": "arcsinh({})", "acosh": "arccosh({})", "atanh": "arctanh({})", "is_finite": "isfinite({})",
    "rem": "rem({}, {})", "nextafter": "nextafter({}, {})",
}  # fmt: skip


def _elementwise(template: str) -> Rule:
    def rule(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
        held = np.broadcast_shapes(*(value.held for value in operands))
        expression = template.format(*(value.name for value in operands))
        return [writer.value(expression, equation.outvars[0].aval, operands, held)]

    return rule


def _div(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    if not np.issubdtype(operands[0].dtype, np.floating):
        return _elementwise("quotient({}, {})")(writer, equation, operands)
    return _elementwise("{} / {}")(writer, equation, operands)


def _power(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    power = equation.params["y"]
    template = {2: "square({})", 1: "+{}", -1: "1.0 / {}", -2: "1.0 / square({})"}.get(
        power, f"{{}} ** ({power})"
    )
    return _elementwise(template)(writer, equation, operands)


def _clamp(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    low, x, high = operands
    return _elementwise("minimum(maximum({}, {}), {})")(writer, equation, [x, low, high])


def _select(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    if len(operands) != 3 or operands[0].dtype != np.bool_:
        raise UnsupportedError("select_n of more than two cases")
    which, no, yes = operands
    return _elementwise("where({}, {}, {})")(writer, equation, [which, yes, no])


def _convert(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    (value,), kind = operands, np.dtype(equation.params["new_dtype"])
    if value.dtype == kind:
        return operands
    expression = f"{writer.kind(kind)}.type({value.name})" if value.held == () else (
        f"{value.name}.astype({writer.kind(kind)})"
    )  # fmt: skip
    return [writer.value(expression, equation.outvars[0].aval, operands, value.held)]


def _same(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    return operands


def _broadcast(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    value, shape = operands[0], tuple(equation.params["shape"])
    axes = equation.params["broadcast_dimensions"]
    given = (1,) * (len(value.shape) - len(value.held)) + value.held
    held = [1] * len(shape)
    for axis, size in zip(axes, given, strict=True):
        held[int(axis)] = size
    if math.prod(held) == 1 and value.held == ():
        return [value._replace(shape=shape)]
    trailing = tuple(axes) == tuple(range(len(shape) - len(axes), len(shape)))
    if trailing:  # NumPy aligns the last axes itself
        return [value._replace(shape=shape)]
    return [
        writer.value(f"{value.name}.reshape({tuple(held)})", equation.outvars[0].aval, operands, tuple(held))
    ]


def _reshape(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    shape = tuple(equation.outvars[0].aval.shape)
    if operands[0].held == ():  # it may be a number of Python
        return [operands[0]._replace(shape=shape)]
    value = writer.exact(operands[0])
    if value.shape == shape:
        return [value]
    expression = f"{value.name}.ravel()" if len(shape) == 1 else f"{value.name}.reshape({shape})"
    return [writer.value(expression, equation.outvars[0].aval, [value])]


def _squeeze(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    value, shape = operands[0], tuple(equation.outvars[0].aval.shape)
    if value.held == ():
        return [value._replace(shape=shape)]
    value = writer.exact(value)
    expression = f"{value.name}[{', '.join(['0'] * len(value.shape))}]" if shape == () else (
        f"{value.name}.reshape({shape})"
    )  # fmt: skip
    return [writer.value(expression, equation.outvars[0].aval, [value])]


def _transpose(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    value, order = writer.exact(operands[0]), tuple(map(int, equation.params["permutation"]))
    if order == tuple(range(len(order))):
        return [value]
    expression = f"{value.name}.T" if order == (1, 0) else f"{value.name}.transpose({order})"
    return [writer.value(expression, equation.outvars[0].aval, [value])]


def _reduce(name: str) -> Rule:
    def rule(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
        value, axes = writer.exact(operands[0]), tuple(map(int, equation.params["axes"]))
        if not axes:
            return [value]
        axis = axes[0] if len(axes) == 1 else axes
        if name in ("highest", "lowest") and math.prod(value.shape) == 0:
            raise UnsupportedError("the largest of no numbers")
        return [writer.value(f"{name}({value.name}, {axis})", equation.outvars[0].aval, [value])]

    return rule


def _concatenate(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    values = [writer.exact(value) for value in operands]
    names, axis = ", ".join(value.name for value in values), equation.params["dimension"]
    if len(values) == 1:
        return values
    text = f"concatenate(({names}))" if axis == 0 else f"concatenate(({names}), {axis})"
    return [writer.value(text, equation.outvars[0].aval, values)]


def _stack(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    values = [writer.exact(value) for value in operands]
    text = f"stack(({', '.join(value.name for value in values)},), {equation.params['axis']})"
    return [writer.value(text, equation.outvars[0].aval, values)]


def _slice(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    value, p = writer.exact(operands[0]), equation.params
    strides = p["strides"] or (1,) * len(p["start_indices"])
    parts = []
    for begin, end, step, size in zip(
        p["start_indices"], p["limit_indices"], strides, value.shape, strict=True
    ):
        whole = begin == 0 and end == size and step == 1
        parts.append(":" if whole else f"{begin}:{end}" + (f":{step}" if step != 1 else ""))
    while parts and parts[-1] == ":":
        parts.pop()
    if not parts:
        return [value]
    return [writer.value(f"{value.name}[{', '.join(parts)}]", equation.outvars[0].aval, [value])]


def _split(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    value, axis, at, found = writer.exact(operands[0]), equation.params["axis"], 0, []
    for out, size in zip(equation.outvars, equation.params["sizes"], strict=True):
        text = f"{value.name}[{':, ' * axis}{at}:{at + size}]"
        found.append(writer.value(text, out.aval, [value]))
        at += size
    return found


def _tuple(values: Sequence[Value]) -> str:
    return f"({', '.join(value.name for value in values)},)" if values else "()"


def _dynamic_slice(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    array, *starts = map(writer.exact, operands)
    sizes = tuple(equation.params["slice_sizes"])
    text = f"part({array.name}, {_tuple(starts)}, {sizes})"
    return [writer.value(text, equation.outvars[0].aval, [array, *starts])]


def _dynamic_update(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    array, new, *starts = map(writer.exact, operands)
    text = f"with_part({array.name}, {new.name}, {_tuple(starts)})"
    return [writer.value(text, equation.outvars[0].aval, [array, new, *starts])]


def _scatter(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    array, index, row = map(writer.exact, operands)
    numbers = equation.params["dimension_numbers"]
    first_row = (
        numbers.inserted_window_dims == (0,)
        and numbers.scatter_dims_to_operand_dims == (0,)
        and index.shape == (1,)
        and row.shape == array.shape[1:]
        and equation.params.get("update_jaxpr") is None
    )
    if not first_row:
        raise UnsupportedError("scatter of more than one row")
    text = f"set_row({array.name}, {index.name}[0], {row.name})"
    return [writer.value(text, equation.outvars[0].aval, [array, index, row])]


def _iota(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    p = equation.params
    shape, axis = tuple(p["shape"]), p["dimension"]
    made = np.broadcast_to(
        np.arange(shape[axis], dtype=p["dtype"]).reshape([-1 if k == axis else 1 for k in range(len(shape))]),
        shape,
    )
    return [Value(writer.constant(np.ascontiguousarray(made)), shape, shape, made.dtype, False)]


def _dot(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    a, b = map(writer.exact, operands)
    (over_a, over_b), (batch_a, batch_b) = equation.params["dimension_numbers"]
    over_a, over_b, batch_a, batch_b = (tuple(map(int, axes)) for axes in (over_a, over_b, batch_a, batch_b))
    aval, kind = equation.outvars[0].aval, [a, b]
    if not batch_a and len(over_a) == 1 and len(a.shape) <= 2 and len(b.shape) <= 2:
        left = f"{a.name}.T" if over_a == (0,) and len(a.shape) == 2 else a.name
        right = f"{b.name}.T" if over_b == (1,) else b.name
        return [writer.value(f"{left} @ {right}", aval, kind)]
    count, leading = len(batch_a), tuple(range(len(batch_a)))
    plain = count > 0 and batch_a == leading and batch_b == leading and len(over_a) == 1
    if plain and len(a.shape) <= count + 2 and len(b.shape) <= count + 2:
        left, right = a.name, b.name
        if len(a.shape) == count + 2 and over_a == (count,):
            left = f"{left}.swapaxes(-1, -2)"
        if len(b.shape) == count + 2 and over_b == (count + 1,):
            right = f"{right}.swapaxes(-1, -2)"
        alone = len(a.shape) == count + 1, len(b.shape) == count + 1
        left = f"{left}[..., None, :]" if alone[0] else left
        right = f"{right}[..., None]" if alone[1] else right
        drop = {(True, True): "[..., 0, 0]", (True, False): "[..., 0, :]", (False, True): "[..., 0]"}.get(
            alone, ""
        )
        text = f"({left} @ {right}){drop}" if drop else f"{left} @ {right}"
        return [writer.value(text, aval, kind)]
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    of_a = [next(letters) for _ in a.shape]
    of_b = [next(letters) for _ in b.shape]
    for i, j in (*zip(batch_a, batch_b, strict=True), *zip(over_a, over_b, strict=True)):
        of_b[j] = of_a[i]
    out = [of_a[i] for i in batch_a]
    out += [one for i, one in enumerate(of_a) if i not in batch_a + over_a]
    out += [one for j, one in enumerate(of_b) if j not in batch_b + over_b]
    text = f"einsum('{''.join(of_a)},{''.join(of_b)}->{''.join(out)}', {a.name}, {b.name})"
    return [writer.value(text, aval, kind)]


def _cumsum(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
    value = writer.exact(operands[0])
    if equation.params["reverse"]:
        raise UnsupportedError("cumsum from the end")
    text = f"cumsum({value.name}, {equation.params['axis']})"
    return [writer.value(text, equation.outvars[0].aval, [value])]


RULES: dict[str, Rule] = {
    **{name: _elementwise(template) for name, template in _OPERATORS.items()},
    "div": _div,
    "integer_pow": _power,
    "clamp": _clamp,
    "select_n": _select,
    "convert_element_type": _convert,
    "stop_gradient": _same,
    "copy": _same,
    "copy_p": _same,
    "optimization_barrier": _same,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "reduce_sum": _reduce("total"),
    "reduce_max": _reduce("highest"),
    "reduce_min": _reduce("lowest"),
    "reduce_and": _reduce("every"),
    "reduce_or": _reduce("some"),
    "reduce_prod": _reduce("product_of"),
    "concatenate": _concatenate,
    "stack": _stack,
    "slice": _slice,
    "split": _split,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
    "scatter": _scatter,
    "iota": _iota,
    "dot_general": _dot,
    "cumsum": _cumsum,
}


def _matrix_function(name: str) -> Rule:
    def rule(writer: Any, equation: Any, operands: list[Value]) -> list[Value]:
        values = [writer.exact(value) for value in operands]
        text, shape = f"{name}({', '.join(value.name for value in values)})", equation.outvars[0].aval.shape
        writer.loses(MATRIX * math.prod(shape[:-2]), any(value.live for value in values))
        return [writer.value(text, equation.outvars[0].aval, values)]

    return rule


# Functions of jax.numpy that are not taken apart.
WHOLE: dict[str, Rule] = {"inv": _matrix_function("inverse"), "solve": _matrix_function("solution")}

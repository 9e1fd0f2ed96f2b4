"""Functions of JAX evaluated by NumPy, without a compiler.

To compile a function for a new shape takes XLA a tenth of a second to seconds. A function that is needed some
hundred times on small arrays is done sooner without. `PlainFunction` traces the function as JAX does, and
writes what was traced as Python source with one line for each operation on arrays: nothing twice, and what
depends on the first argument alone is computed once for each such argument. Its results are those of the
compiled function to rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from ._jax import jax
from .primitives import NAMES, RULES, WHOLE, Shape, UnsupportedError, Value

__all__ = ["PlainFunction", "UnsupportedError"]

# Seconds by which NumPy takes longer than compiled code: for an operation, and for each entry of its result.
# A call of a compiled function takes CALL seconds besides. A loop is guessed to run LOOPS times.
EACH, ENTRY, CALL, LOOPS = 4.5e-7, 5e-10, 2e-5, 10.0

INLINED = ("jaxpr", "call_jaxpr", "fun_jaxpr")


class PlainFunction:
    """A pure function of pytrees of arrays, evaluated by NumPy.

    Parameters
    ----------
    function : callable
        Pure, and such that JAX can trace it. Its first argument is expected to stay the same for many calls.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._programs: dict[Any, Program] = {}

    @property
    def traced(self) -> int:
        """Number of programs."""
        return len(self._programs)

    def program(self, *arguments: Any) -> Program:
        """The function traced for arguments with the structure, shapes and types of these.

        Raises
        ------
        UnsupportedError
            If it uses a primitive for which there is no rule.
        """
        leaves, tree = jax.tree.flatten(arguments)
        key = (tree, tuple(map(_kind, leaves)))
        found = self._programs.get(key)
        if found is None:
            found = self._programs[key] = Program(self._function, arguments)
        return found

    def forget(self) -> None:
        """Drop all programs; those that are bound go on."""
        self._programs = {}


def _kind(leaf: Any) -> tuple[Shape, Any]:
    kind = getattr(leaf, "dtype", None)
    return np.shape(leaf), np.asarray(leaf).dtype if kind is None else kind


class Program:
    """A function traced for certain shapes.

    Attributes
    ----------
    lost : float
        Seconds that a call takes longer than one of the compiled function, roughly: estimated from the
        shapes, so that it never depends on a clock. Not positive where NumPy is no slower.
    size : int
        Number of operations, those inside loops counted once.
    source : str
        The Python source.
    """

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        arguments = jax.tree.map(np.asarray, arguments)
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        self._out: Any = jax.tree.structure(shape)
        fixed = len(jax.tree.leaves(arguments[0]))
        self._others: list[Any] = [jax.tree.structure(one) for one in arguments[1:]]
        writer = Writer()
        self.source = writer.write(closed, fixed)
        self.lost, self.size = writer.lost - CALL, writer.size
        namespace: dict[str, Any] = {**NAMES, **writer.constants}
        exec(compile(self.source, "<pcode.base.plain>", "exec"), namespace)
        self._prepare = namespace["prepare"]

    def bind(self, first: Any) -> Callable[..., Any]:
        """The function of the other arguments, for this first one."""
        run = self._prepare(*map(np.asarray, jax.tree.leaves(first)))
        leaves, out = jax.tree.leaves, self._out
        simple = all(tree == _LEAF for tree in self._others)
        single = out == _LEAF

        def call(*others: Any) -> Any:
            found = run(*(others if simple else leaves(others)))
            return found[0] if single else out.unflatten(found)

        return call


_LEAF: Any = jax.tree.structure(0.0)


class Writer:
    """Writes a traced function as Python source.

    Lines of `prepare` depend on the fixed arguments only; those of `run`, inside it, on others too.
    """

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {}
        self.lost, self.size = 0.0, 0
        self._often = 1.0
        self._numbers = itertools.count()
        self._fixed: list[str] = []
        self._lines: list[str] = []
        # The names of expressions, in the blocks that enclose the present one.
        self._known: list[dict[str, str]] = [{}]
        self._depth = 0

    def write(self, closed: ClosedJaxpr, fixed: int) -> str:
        """The source of ``prepare(*fixed)``, which returns ``run(*others)``."""
        jaxpr = closed.jaxpr
        names = [f"a{k}" for k in range(len(jaxpr.invars))]
        given = [
            Value(name, var.aval.shape, var.aval.shape, var.aval.dtype, k >= fixed)
            for k, (name, var) in enumerate(zip(names, jaxpr.invars, strict=True))
        ]
        found = [self.exact(value) for value in self.inline(closed, given)]
        out = f"return ({', '.join(value.name for value in found)}{',' * (len(found) == 1)})"
        return "\n".join([
            f"def prepare({', '.join(names[:fixed])}):",
            *(f"    {line}" for line in self._fixed),
            f"    def run({', '.join(names[fixed:])}):",
            *(f"        {line}" for line in self._lines),
            f"        {out}",
            "    return run",
        ])  # fmt: skip

    def kind(self, dtype: Any) -> str:
        """The name of a type of numbers."""
        kind = np.dtype(dtype)
        self.constants[kind.name] = kind
        return str(kind.name)

    def constant(self, value: Any) -> str:
        """The name of an object."""
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def value(self, text: str, aval: Any, operands: Sequence[Value], held: Shape | None = None) -> Value:
        """The result of an expression, written unless it was before."""
        live = any(value.live for value in operands)
        shape = tuple(aval.shape)
        known = next((names[text] for names in self._known if text in names), None)
        if known is None:
            known = self._line(text, live)
            self.loses(EACH + ENTRY * math.prod(shape), live)
        return Value(known, shape, shape if held is None else tuple(held), aval.dtype, live)

    def _line(self, text: str, live: bool) -> str:
        name = f"v{next(self._numbers)}"
        if live or self._depth:
            self._lines.append("    " * self._depth + f"{name} = {text}")
            self._known[-1][text] = name
            self.size += 1
        else:
            self._fixed.append(f"{name} = {text}")
            self._known[0][text] = name
        return name

    def loses(self, seconds: float, live: bool) -> None:
        """Add to what a call takes longer than one of the compiled function."""
        if live or self._depth:
            self.lost += seconds * self._often

    def exact(self, value: Value) -> Value:
        """The same, held in the shape that it stands for."""
        if value.held == value.shape:
            return value
        if value.number is not None:
            name = self.constant(np.full(value.shape, value.number, value.dtype))
            return value._replace(name=name, held=value.shape, number=None)
        made = jax.ShapeDtypeStruct(value.shape, value.dtype)
        return self.value(f"full({value.name}, {value.shape}, {self.kind(value.dtype)})", made, [value])

    def inline(self, closed: Any, given: Sequence[Value]) -> list[Value]:
        """Write the lines of a traced function; return its results."""
        jaxpr = getattr(closed, "jaxpr", closed)
        known: dict[Any, Value] = dict(zip(jaxpr.invars, given, strict=True))
        for var, constant in zip(jaxpr.constvars, getattr(closed, "consts", ()), strict=True):
            array = np.asarray(constant)
            known[var] = Value(self.constant(array), array.shape, array.shape, array.dtype, False)

        def read(atom: Any) -> Value:
            return _number(atom) if isinstance(atom, Literal) else known[atom]

        for equation in _needed(jaxpr):
            found = self._equation(equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, found, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[Value]) -> list[Value]:
        name, params = equation.primitive.name, equation.params
        if name in RULES:
            return RULES[name](self, equation, operands)
        if params.get("name") in WHOLE:
            return WHOLE[params["name"]](self, equation, operands)
        if name in _BLOCKS:
            return _BLOCKS[name](self, equation, operands)
        inner = next((params[key] for key in INLINED if key in params), None)
        if inner is None:
            raise UnsupportedError(name)
        return self.inline(inner, operands)

    @contextmanager
    def block(self, head: str, often: float = 1.0) -> Iterator[None]:
        """Lines inside a statement, executed so `often`; names given in them are not known after it."""
        self._lines.append("    " * self._depth + head)
        self._depth += 1
        self._known.append({})
        self._often *= often
        try:
            yield
        finally:
            self._known.pop()
            self._depth -= 1
            self._often /= often

    def name(self, names: Sequence[str], values: Sequence[Value]) -> None:
        """Give `values` these names."""
        if names:
            given = ", ".join(self.exact(value).name for value in values)
            self._lines.append("    " * self._depth + f"{', '.join(names)} = {given}")
        elif self._depth:
            self._lines.append("    " * self._depth + "pass")

    def state(self, text: str) -> None:
        """Write a line that is not an expression."""
        self._lines.append("    " * self._depth + text)

    def fresh(self, avals: Sequence[Any]) -> list[Value]:
        """New names for values that the lines of a block change."""
        made = ((f"v{next(self._numbers)}", tuple(aval.shape), aval.dtype) for aval in avals)
        return [Value(name, shape, shape, kind, True) for name, shape, kind in made]


def _number(literal: Any) -> Value:
    """A number in the source. NumPy's arrays keep their type beside a number of Python."""
    kind = literal.aval.dtype
    number = np.asarray(literal.val).item()
    text = repr(number) if (number == number and number >= 0) or isinstance(number, bool) else f"({number!r})"
    return Value(text, literal.aval.shape, (), kind, False, number)


def _needed(jaxpr: Any) -> list[Any]:
    """The equations on which the results depend."""
    needed = {atom for atom in jaxpr.outvars if not isinstance(atom, Literal)}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if not needed.isdisjoint(equation.outvars):
            kept.append(equation)
            needed.update(atom for atom in equation.invars if not isinstance(atom, Literal))
    return kept[::-1]


def _while(writer: Writer, equation: Any, operands: list[Value]) -> list[Value]:
    p = equation.params
    split = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    for_cond, for_body, begin = operands[: split[0]], operands[split[0] : split[1]], operands[split[1] :]
    carry = writer.fresh([var.aval for var in equation.outvars])
    names = [value.name for value in carry]
    writer.name(names, begin)
    with writer.block("while True:", LOOPS):
        (going,) = writer.inline(p["cond_jaxpr"], [*for_cond, *carry])
        writer.state(f"if not {going.name}: break")
        writer.name(names, writer.inline(p["body_jaxpr"], [*for_body, *carry]))
    return carry


def _cond(writer: Writer, equation: Any, operands: list[Value]) -> list[Value]:
    which, *given = operands
    found = writer.fresh([var.aval for var in equation.outvars])
    branches = equation.params["branches"]
    for k, branch in enumerate(branches):
        head = "else:" if k == len(branches) - 1 else f"{'el' if k else ''}if {which.name} <= {k}:"
        with writer.block(head):
            writer.name([value.name for value in found], writer.inline(branch, given))
    return found


def _scan(writer: Writer, equation: Any, operands: list[Value]) -> list[Value]:
    p = equation.params
    constants, carried = p["num_consts"], p["num_carry"]
    fixed, begin = operands[:constants], operands[constants : constants + carried]
    rows = [writer.exact(value) for value in operands[constants + carried :]]
    carry = writer.fresh([var.aval for var in equation.outvars[:carried]])
    outs = equation.outvars[carried:]
    lists = [value.name for value in writer.fresh([var.aval for var in outs])]
    if carry:
        writer.name([value.name for value in carry], begin)
    if not p["length"]:
        raise UnsupportedError("a scan over nothing")
    for name in lists:
        writer.state(f"{name} = []")
    order = f"range({p['length'] - 1}, -1, -1)" if p["reverse"] else f"range({p['length']})"
    index = writer.fresh([jax.ShapeDtypeStruct((), np.int64)])[0]
    with writer.block(f"for {index.name} in {order}:", p["length"]):
        each = [
            writer.value(
                f"{row.name}[{index.name}]", jax.ShapeDtypeStruct(row.shape[1:], row.dtype), [row, index]
            )
            for row in rows
        ]
        found = writer.inline(p["jaxpr"], [*fixed, *carry, *each])
        for name, value in zip(lists, found[carried:], strict=True):
            writer.state(f"{name}.append({writer.exact(value).name})")
        if carry:
            writer.name([value.name for value in carry], found[:carried])
    back = "[::-1]" if p["reverse"] else ""
    stacked = []
    for name, var in zip(lists, outs, strict=True):
        made = writer.fresh([var.aval])[0]
        writer.state(f"{made.name} = stack({name}{back})")
        stacked.append(made)
    return [*carry, *stacked]


_BLOCKS = {"while": _while, "cond": _cond, "scan": _scan}

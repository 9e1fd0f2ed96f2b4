"""Functions of time written as text, such as ``sin(2*pi*t/50)``.

The text is parsed by Python's parser but never executed: only the names and operators listed below are
allowed, and it becomes a short list of operations on JAX arrays (in postfix order). All numbers are floats.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from numbers import Real
from typing import Any

from ..base import checks
from ..base._jax import jnp
from ..base.errors import InputError

# Most characters of an expression; longer ones are refused before parsing.
LONGEST = 2_000

CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}

# Each function with its number of arguments.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "sin": (jnp.sin, 1),
    "cos": (jnp.cos, 1),
    "tan": (jnp.tan, 1),
    "tanh": (jnp.tanh, 1),
    "exp": (jnp.exp, 1),
    "log": (jnp.log, 1),
    "sqrt": (jnp.sqrt, 1),
    "abs": (jnp.abs, 1),
    "step": (lambda v: jnp.where(v < 0.0, 0.0, 1.0), 1),
    "minimum": (jnp.minimum, 2),
    "maximum": (jnp.maximum, 2),
}

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: jnp.add,
    ast.Sub: jnp.subtract,
    ast.Mult: jnp.multiply,
    ast.Div: jnp.divide,
    ast.Pow: jnp.power,
    ast.USub: jnp.negative,
    ast.UAdd: jnp.positive,
}

KNOWN = f"known are t, {', '.join((*CONSTANTS, *FUNCTIONS))} and + - * / **"

# Push a number (or, for None, the time) onto the stack; or apply a function to its last entries.
Operation = float | None | tuple[Callable[..., Any], int]


@dataclass(frozen=True)
class Expression:
    """A clamp as a function of the phase's own time t, written as text; the same for all samples.

    Parameters
    ----------
    text : str or sequence of str or float
        One expression for all nodes of a layer, or an expression or number for each node; NaN leaves a node
        free. Allowed are ``t``, ``pi``, ``e``, numbers, ``+ - * / **``, parentheses, and the functions
        ``sin``, ``cos``, ``tan``, ``tanh``, ``exp``, ``log``, ``sqrt``, ``abs``, ``step(v)`` (0 for v < 0,
        else 1), ``minimum(a, b)`` and ``maximum(a, b)``.

    Raises
    ------
    InputError
        If it cannot be parsed as such.
    """

    text: str | tuple[str | float, ...]
    _operations: tuple[tuple[Operation, ...], ...] = field(compare=False, repr=False)

    def __init__(self, text: str | Sequence[str | float]) -> None:
        right = "an expression, or a list of one expression or number for each node"
        kept = text if isinstance(text, str) else tuple(map(_entry, checks.listed("text", text, right)))
        if not kept and not isinstance(kept, str):
            raise InputError("", "must have one expression or number for each node")
        entries = (kept,) if isinstance(kept, str) else kept
        object.__setattr__(self, "text", kept)
        object.__setattr__(self, "_operations", tuple(map(_read, entries)))

    # Compared by repr, because NaN, which marks a free node, is not equal to itself.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and repr(self.text) == repr(other.text)

    def __hash__(self) -> int:
        return hash(repr(self.text))

    @property
    def nodes(self) -> int | None:
        """Number of nodes; None if one expression serves for all."""
        return None if isinstance(self.text, str) else len(self.text)

    @property
    def free(self) -> tuple[bool, ...]:
        """Whether each entry leaves its node free."""
        return tuple(len(entry) == 1 and entry[0] != entry[0] for entry in self._operations)

    def at(self, t: Any) -> Any:
        """Values at time `t` of the phase, shape (n_l,), or (1,) if one expression serves for all nodes."""
        return jnp.stack([_value(entry, t) for entry in self._operations])


def _entry(entry: Any) -> str | float:
    if isinstance(entry, str):
        return str(entry)
    given = checks.plain(entry)
    try:
        if isinstance(given, Real) and not isinstance(given, bool):
            return float(given)
    except OverflowError:
        raise InputError("", "must have numbers that a float can hold, at most 1.8e308") from None
    what = f"must have an expression or a number for each node, not {checks.shown(entry)}"
    raise InputError("", what)


def _value(operations: Sequence[Operation], t: Any) -> Any:
    stack: list[Any] = []
    for operation in operations:
        if isinstance(operation, tuple):
            function, count = operation
            arguments = stack[-count:]
            del stack[-count:]
            stack.append(function(*arguments))
        else:
            stack.append(jnp.asarray(t if operation is None else operation, float))
    return stack[0]


def _read(entry: str | float) -> tuple[Operation, ...]:
    """The operations that compute `entry`, in postfix order."""
    if isinstance(entry, float):
        return (entry,)
    if len(entry) > LONGEST:
        raise InputError("", f"is an expression of {len(entry):,} characters; must have {LONGEST:,} at most")
    try:
        with warnings.catch_warnings(action="ignore"):  # the parser warns of texts like "2sin(t)"
            tree = ast.parse(entry.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        what = f"{_shown(entry)} cannot be read as an expression; write such as sin(2*pi*t/50); {KNOWN}"
        raise InputError("", what) from None
    # Each node is listed before its parts, the last part first, so that reversed an operation follows its
    # arguments. No recursion, so depth is not limited.
    found: list[Operation] = []
    todo: list[ast.expr] = [tree.body]
    while todo:
        operation, parts = _operation(todo.pop(), entry)
        found.append(operation)
        todo.extend(parts)
    return tuple(reversed(found))


def _operation(node: ast.expr, entry: str) -> tuple[Operation, list[ast.expr]]:
    """The operation of a node of the syntax tree, and the nodes of its arguments."""
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    ):
        return _number(node.value, entry), []
    if isinstance(node, ast.Name):
        if node.id == "t" or node.id in CONSTANTS:
            return CONSTANTS.get(node.id), []
        raise _unknown(node.id, entry)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return (OPERATORS[type(node.op)], 2), [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
        return (OPERATORS[type(node.op)], 1), [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        name = node.func.id
        if name not in FUNCTIONS:
            raise _unknown(name, entry)
        function, count = FUNCTIONS[name]
        if len(node.args) != count:
            numbers = "one argument" if count == 1 else f"{count} arguments"
            raise InputError("", f"{_shown(entry)}: {name} takes {numbers}, not {len(node.args)}")
        return (function, count), node.args
    instead = (
        "write ** for powers; " if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor) else ""
    )
    part = ast.get_source_segment(entry.strip(), node) or "it"
    raise InputError("", f"{_shown(entry)}: {_shown(part)} is not known; {instead}{KNOWN}")


def _number(value: float, entry: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError("", f"{_shown(entry)} has a number that is too large") from None


def _unknown(name: str, entry: str) -> InputError:
    known = ("t", *CONSTANTS, *FUNCTIONS)
    longer = [function for function in FUNCTIONS if len(name) > 1 and function.startswith(name.lower())]
    close = longer or get_close_matches(name.lower(), known, n=1, cutoff=0.7)
    hint = f"did you mean {close[0]}?" if close else KNOWN
    return InputError("", f"{_shown(entry)}: there is no {name[:40]}; {hint}")


def _shown(text: str) -> str:
    """`text` in quotes, on one line, shortened if long."""
    text = " ".join(text.split())
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'

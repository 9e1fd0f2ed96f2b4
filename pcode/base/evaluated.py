"""Functions of arrays that are evaluated by NumPy at first, and compiled once they are called often.

For a new shape XLA takes a tenth of a second to seconds to compile a function, and then evaluates it up to
three times faster than NumPy; where arrays are small NumPy is as fast. So an integration begins with NumPy,
and a function is compiled when that has cost some part of the time that compiling takes. Both give the same
numbers but for rounding. So that a result never depends on how fast a machine is or on what was compiled
before, the time is estimated from the shapes of the arrays and the number of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakSet

import numpy as np

from ._jax import compiled, jax
from .memory import keep_freed_memory
from .plain import PlainFunction, Program, UnsupportedError

# A function is compiled when NumPy has taken longer, in an integration, by this part of the time that XLA
# needs to compile it. That is small, since the next integration begins with NumPy again. For a function of n
# operations XLA needs about EACH n + PAIRS n^2 seconds.
PART, EACH, PAIRS = 0.03, 4e-3, 2e-5

keep_freed_memory()


@jax.tree_util.register_static
@dataclass(frozen=True)
class Static:
    """An argument that is no array, and on whose value what is traced depends."""

    value: Any


_all: WeakSet[Evaluated] = WeakSet()


def forget() -> None:
    """Drop the programs of all functions that were traced for NumPy."""
    for one in list(_all):
        one.forget()


class Evaluated:
    """A pure function of pytrees of arrays, written with JAX.

    Called directly, it is evaluated by NumPy. Results may share memory with arguments.

    Parameters
    ----------
    function : callable
        Its first argument is expected to stay the same for many calls.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.compiled = compiled()(function)
        self._plain = PlainFunction(function)
        _all.add(self)

    def __call__(self, *arguments: Any) -> Any:
        """The results, by NumPy if possible; part of what is traced if an argument is."""
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments)):
            return self.function(*arguments)
        program = self.program(*arguments)
        if program is None:
            return self.compiled(*arguments)
        with np.errstate(all="ignore"):
            return program.bind(arguments[0])(*arguments[1:])

    def program(self, *arguments: Any) -> Program | None:
        """The function for NumPy, for arguments of these shapes; None if it can only be compiled."""
        try:
            return self._plain.program(*arguments)
        except UnsupportedError:
            return None

    @property
    def traced(self) -> int:
        """For how many structures, shapes and types of arguments it was traced for NumPy."""
        return self._plain.traced

    def forget(self) -> None:
        """Drop what was traced for NumPy."""
        self._plain.forget()

    def bind(self, first: Any, spent: Spent, there: Callable[[], Any] | None = None) -> Bound:
        """The function of all arguments but the first; `there` returns that with arrays of JAX."""
        return Bound(self, first, spent, there)


class Spent:
    """How much longer the functions of an integration took by NumPy than compiled, in estimated seconds.

    Attributes
    ----------
    counts : bool
        Whether calls are counted.
    """

    def __init__(self) -> None:
        self._by_key: dict[Any, list[float]] = {}
        self.counts = True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Calls are not counted: those for values that are looked at must not decide how a run goes on."""
        before, self.counts = self.counts, False
        try:
            yield
        finally:
            self.counts = before

    def on(self, key: Any) -> list[float]:
        """The seconds of a program, or of whatever `key` stands for: a list of one number, to be added to."""
        return self._by_key.setdefault(key, [0.0])


class Bound:
    """A function of all arguments but the first, by NumPy or compiled; see `Evaluated`.

    Attributes
    ----------
    size : int
        `Program.size`, once it was called; 0 if NumPy cannot evaluate it.
    """

    def __init__(
        self, evaluated: Evaluated, first: Any, spent: Spent, there: Callable[[], Any] | None
    ) -> None:
        self._evaluated, self._first, self._there = evaluated, first, there
        self._counter, self._spent = spent, [0.0]
        self._lost = self._budget = 0.0
        self.size = 0
        self._plain: Callable[..., Any] | None = None
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *others: Any) -> Any:
        """The results for these other arguments."""
        if self._compiled is not None:
            return self._compiled(*others)
        if self._plain is None and not self._prepared(*others):
            return self._compile()(*others)
        if self._counter.counts:
            self._spent[0] += self._lost
            if self._spent[0] > self._budget:
                return self._compile()(*others)
        assert self._plain is not None
        with np.errstate(all="ignore"):
            return self._plain(*others)

    def _prepared(self, *others: Any) -> bool:
        program = self._evaluated.program(self._first, *others)
        if program is None:
            return False
        self._spent = self._counter.on(program)
        self._lost, self.size = program.lost, program.size
        self._budget = PART * (EACH * self.size + PAIRS * self.size**2)
        if self._spent[0] > self._budget:
            return False
        with np.errstate(all="ignore"):
            self._plain = program.bind(self._first)
        return True

    @property
    def first(self) -> Any:
        """The first argument, with arrays of JAX."""
        return on_device(self._first) if self._there is None else self._there()

    def _compile(self) -> Callable[..., Any]:
        first, compiled = self.first, self._evaluated.compiled
        self._plain = None
        self._compiled = lambda *others: compiled(first, *others)
        return self._compiled


def on_device(tree: Any) -> Any:
    """The same with arrays of JAX, which need not be converted at each call of a compiled function."""
    leaves, structure = jax.tree.flatten(tree)
    few = [isinstance(leaf, np.ndarray) and leaf.size <= FEW for leaf in leaves]
    others = iter(_identity([leaf for leaf, is_few in zip(leaves, few, strict=True) if not is_few]))
    there = [
        _few_on_device(leaf.shape, leaf.dtype.str, leaf.tobytes()) if is_few else next(others)
        for leaf, is_few in zip(leaves, few, strict=True)
    ]
    return jax.tree.unflatten(structure, there)


# Arrays of so few numbers are nearly always constants of a network, the same in many problems. To hand one
# to JAX takes longer than to find it again.
FEW = 8


@lru_cache(maxsize=1024)
def _few_on_device(shape: tuple[int, ...], dtype: str, data: bytes) -> Any:
    return jax.device_put(np.frombuffer(data, dtype).reshape(shape))


# Takes half the time of `jax.device_put`, where it is compiled.
_identity = jax.jit(lambda tree: tree)

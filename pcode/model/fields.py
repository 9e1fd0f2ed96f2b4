"""Fields of `Network`, each declared once with its default and its bounds, which check assigned values.

A field is a data descriptor, so that a dataclass takes its default from it, and type checkers know both the
types that it accepts and the type that it stores. The schema of scenario files reads the same declarations.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar, overload

import numpy as np

from ..base import checks, units
from ..base.errors import InputError
from .activation import Activation
from .activations import Entry, entry_of
from .masks import LinkMask, link_mask
from .saved_activation import SavedActivation

# Smallest time constant: rates are divided by tau and delta, and must not overflow.
SHORTEST = 1e-150

# Most weights: one copy of more would take over 80 GB.
MOST_WEIGHTS = 10**10

# What a network takes as an activation.
Activatable = str | Callable[[Any], Any] | Activation | SavedActivation

Given = TypeVar("Given")
Kept = TypeVar("Kept")


class Layered(Protocol):
    """The owner of a field: an object with layers 0..n."""

    @property
    def n(self) -> int:
        """Number of the last layer."""

    @property
    def links(self) -> tuple[tuple[int, int], ...]:
        """Shapes (n_l, n_{l+1}) of the links 0..n-1."""


class Field(Generic[Given, Kept]):
    """A field of a dataclass; `checked` converts and checks its values.

    Parameters
    ----------
    default : object, optional
        None if the field is required.
    """

    name = ""

    def __init__(self, default: Given | None = None) -> None:
        self.default = default

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is None

    @abstractmethod
    def checked(self, owner: Layered, value: Given) -> Kept:
        """`value` as it is stored.

        Raises
        ------
        InputError
            If it is of the wrong type, out of range or of the wrong length.
        """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, owner: None, kind: type) -> Given: ...
    @overload
    def __get__(self, owner: object, kind: type) -> Kept: ...
    def __get__(self, owner: object | None, kind: type) -> Any:
        if owner is not None:
            return owner.__dict__[self.name]
        if self.default is None:  # dataclasses take this to mean that there is no default
            raise AttributeError(f"{self.name} has no default")
        return self.default

    def __set__(self, owner: Any, value: Given) -> None:
        owner.__dict__[self.name] = self.checked(owner, value)


class Bounded(Field[Given, float]):
    """A finite number within bounds.

    Parameters
    ----------
    default : float, optional
    above, least : float, optional
        Exclusive or inclusive lower bound.
    means : str
        What the smallest value means, for error messages.
    """

    def __init__(
        self,
        default: Given | None = None,
        *,
        above: float | None = None,
        least: float | None = None,
        means: str = "",
    ) -> None:
        super().__init__(default)
        self.above, self.least, self.means = above, least, means

    def checked(self, owner: Layered, value: Given) -> float:
        """`value` as a float."""
        kept = checks.number(self.name, value, above=self.above)
        if self.least is not None and kept < self.least:
            least = f"{self.least:g} ({self.means})" if self.means else f"{self.least:g}"
            raise InputError(self.name, f"must be {least} or more, not {kept:g}")
        return kept


class Number(Bounded[float]):
    """A finite number within bounds."""


class TimeConstant(Bounded["units.TimeLike"]):
    """A time that rates are divided by: not so small that they overflow, or 0 if its bounds allow 0.

    One that is given with a unit is kept as it is, until the owner assigns it as a number.
    """

    def checked(self, owner: Layered, value: units.TimeLike) -> Any:
        """`value` as a float, or as a `Time`."""
        time = units.time(self.name, value)
        if isinstance(time, units.Time):
            return time
        kept = super().checked(owner, time)
        if 0.0 < kept < SHORTEST:
            what = f"must be {SHORTEST:g} or more, not {kept:g}: rates would overflow"
            raise InputError(self.name, what)
        return kept


class TimeConstants(TimeConstant):
    """A time constant for each of the links 0..n-1 or of a range of layers, or one for all.

    It is kept as a tuple only where several are given, until the owner makes one number of equal ones.

    Parameters
    ----------
    default, above, least, means
        See `Bounded`.
    first : int, optional
        There is one for each of the layers from this one to n; where left out, one for each link.
    """

    def __init__(self, default: Any = None, *, first: int | None = None, **bounds: Any) -> None:
        super().__init__(default, **bounds)
        self.first = first

    def places(self, owner: Layered) -> tuple[int, str]:
        """How many there are, and what they belong to in words."""
        if self.first is None:
            return owner.n, f"links 0..{owner.n - 1}"
        return owner.n + 1 - self.first, f"layers {self.first}..{owner.n}"

    def checked(self, owner: Layered, value: Any) -> Any:
        """A float or a `Time`, or one of these for each link or layer."""
        if units.is_quantity(value) and np.ndim(value.magnitude):
            numbers, own = units.times(self.name, value)
            value = [units.Time(float(one), str(own)) for one in numbers]
        if isinstance(value, units.Time) or not checks.is_many(value):
            return super().checked(owner, value)
        given = tuple(value)
        count, places = self.places(owner)
        if len(given) != count:
            raise InputError(self.name, f"has {len(given)} values; give one, or one for each of the {places}")
        return tuple(super(TimeConstants, self).checked(owner, one) for one in given)


class OptionalTimeConstants(TimeConstants):
    """The same, or None."""

    required = False

    def __get__(self, owner: object | None, kind: type) -> Any:
        return None if owner is None else owner.__dict__[self.name]

    def __set__(self, owner: Any, value: Any) -> None:
        super().__set__(owner, value)

    def checked(self, owner: Layered, value: Any) -> Any:
        """As for `TimeConstants`, or None."""
        return None if value is None else super().checked(owner, value)


class Flag(Field[bool, bool]):
    """True or false."""

    def checked(self, owner: Layered, value: bool) -> bool:
        """`value` as a bool."""
        return checks.flag(self.name, value)


class Masks(Field[Any, "tuple[LinkMask | None, ...] | None"]):
    """For each of the links 0..n-1 which connections there are, or None for a dense one; None if all are."""

    required = False

    def __get__(self, owner: object | None, kind: type) -> Any:
        return None if owner is None else owner.__dict__[self.name]

    def checked(self, owner: Layered, value: Any) -> tuple[LinkMask | None, ...] | None:
        """One mask a link."""
        if value is None:
            return None
        given = checks.listed(self.name, value, "a list of an array of 0 and 1, or None, for each link")
        if len(given) != owner.n:
            raise InputError(self.name, f"has {len(given)} entries; give one for each of the {owner.n} links")
        links = enumerate(zip(given, owner.links, strict=True))
        kept = tuple(link_mask(f"{self.name}[{k}]", one, shape) for k, (one, shape) in links)
        return kept if any(one is not None for one in kept) else None


class TimeUnit(Field["str | None", "str | None"]):
    """The short name of a unit of time, or None."""

    required = False

    def __get__(self, owner: object | None, kind: type) -> str | None:
        return None if owner is None else owner.__dict__[self.name]

    def checked(self, owner: Layered, value: str | None) -> str | None:
        """The short name of the unit that `value` names."""
        return None if value is None else units.unit(self.name, value)


class PerLayer(Field[float | Sequence[float], tuple[float, ...]]):
    """A positive number for each of the layers 1..n, or one for all.

    Parameters
    ----------
    default : float, optional
    plural : str
        What to call the numbers in error messages.
    """

    above = 0.0

    def __init__(self, default: float | None = None, *, plural: str) -> None:
        super().__init__(default)
        self.plural = plural

    def checked(self, owner: Layered, value: float | Sequence[float]) -> tuple[float, ...]:
        """One number a layer."""
        values = tuple(value) if checks.is_many(value) else (value,) * owner.n  # type: ignore[arg-type]
        if len(values) != owner.n:
            what = f"has {len(values)} values; give one, or one for each of the layers 1..{owner.n}"
            raise InputError(self.name, what)
        kept = tuple(checks.number(self.name, one) for one in values)
        if min(kept) <= self.above:
            raise InputError(self.name, f"{self.plural} must be positive, not {min(kept):g}")
        return kept


class Choice(Field[Kept, Kept]):
    """One of some words.

    Parameters
    ----------
    default : str
    words : tuple of str
    """

    def __init__(self, default: Kept, words: tuple[str, ...]) -> None:
        super().__init__(default)
        self.words = words

    def checked(self, owner: Layered, value: Any) -> Any:
        """`value`, if it is one of the words."""
        return checks.word(self.name, value, self.words)


class Activations(Field[Activatable | Sequence[Activatable], tuple[Entry, ...]]):
    """An activation for each of the layers 0..n-1, or one for all: a name or a function."""

    def checked(self, owner: Layered, value: Any) -> tuple[Entry, ...]:
        """One entry a layer."""
        last = owner.n - 1
        right = f"a name or a function, or a list of one for each of the layers 0..{last}"
        if not checks.is_many(value):
            return (entry_of(self.name, value, right),) * owner.n
        given = tuple(value)
        if len(given) != owner.n:
            what = f"has {len(given)} names; give one, or one for each of the layers 0..{last}"
            raise InputError(self.name, what)
        return tuple(entry_of(self.name, one, right) for one in given)


class Sizes(Field[Sequence[int], tuple[int, ...]]):
    """Numbers of nodes of the layers 0..n."""

    least, shortest = 1, 2

    def checked(self, owner: Layered, value: Sequence[int]) -> tuple[int, ...]:
        """One whole number a layer."""
        where = self.name
        given = tuple(value) if checks.is_many(value) else ()
        if len(given) < self.shortest:
            raise InputError(where, "must list the numbers of nodes of two layers at least")
        try:
            kept = tuple(checks.whole(where, size, least=self.least) for size in given)
        except InputError as error:
            raise InputError(where, error.what.replace("a whole number", "whole numbers")) from None
        if max(kept) > MOST_WEIGHTS:
            what = f"ask for a layer of more than {MOST_WEIGHTS:.0e} nodes; use smaller layers"
            raise InputError(where, what)
        weights = sum(a * b for a, b in pairwise(kept))
        if weights > MOST_WEIGHTS:
            what = f"ask for {weights:.1e} weights, {weights * 8 / 1e9:.0f} GB a copy; use smaller layers"
            raise InputError(where, what)
        return kept

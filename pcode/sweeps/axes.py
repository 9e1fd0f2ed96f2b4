"""The axes of a sweep: keys of a scenario and the values that they take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..scenario import parse_change

EXAMPLE = "network.delta=1e1:1e6:11:log or weights.seed=0:9"
RANGES = "a:b (whole numbers), a:b:n, a:b:n:log, or a list parted by ;"

# A range of more values than this is a slip of the pen.
MOST_VALUES = 1_000_000

# Values of a logarithmic range as near to a whole number as this are that number.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Axis:
    """An axis of a sweep: one key, or several that change together.

    Attributes
    ----------
    keys : tuple of str
        Dotted keys of the scenario, as for ``--set``.
    values : tuple of tuple
        For each place along the axis one value a key.
    """

    keys: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def name(self) -> str:
        """Its dimension's name: the first key."""
        return self.keys[0]

    def to_dict(self) -> dict[str, Any]:
        """The axis as plain values, for JSON."""
        return {"keys": list(self.keys), "values": [list(row) for row in self.values]}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Axis:
        """The axis that `to_dict` has told."""
        return cls(tuple(kept["keys"]), tuple(tuple(row) for row in kept["values"]))

    @classmethod
    def parse(cls, over: str, where: str = "--over") -> Axis:
        """An axis from a text such as ``network.delta=1e1:1e6:11:log``.

        Parameters
        ----------
        over : str
            ``KEY=RANGE``; several, parted by ``,,``, change together. A range is ``a:b`` (whole numbers, both
            included), ``a:b:n`` (n values, both ends included), ``a:b:n:log``, or a list of TOML values
            parted by ``;``.
        where : str
            The option or key to name in errors.

        Raises
        ------
        InputError
            If it is none of these, or an empty range; or if keys that change together have different numbers
            of values.
        """
        found: dict[str, Sequence[Any]] = {}
        for part in split(checks.text(where, over), ",,"):
            key, equals, written = part.partition("=")
            key = ".".join(word.strip() for word in key.split("."))
            if not equals or not all(key.split(".")):
                raise InputError(where, f"must be KEY=RANGE, such as {EXAMPLE}, not {part.strip()!r}")
            if key in found:
                raise InputError(where, f"{key}: is there twice; give each key once")
            try:
                found[key] = values_of(written)
            except InputError as error:
                raise InputError(where, f"{key}: {error.what}") from None
        return cls.of(found, where)

    @classmethod
    def of(cls, given: Mapping[str, Sequence[Any]], where: str = "over") -> Axis:
        """An axis of keys that change together, from the values of each.

        Raises
        ------
        InputError
            If there are no values, or not the same number of each.
        """
        counts = {key: len(values) for key, values in given.items()}
        empty = next((key for key, count in counts.items() if not count), None)
        if empty is not None or not counts:
            raise InputError(where, f"{empty or 'an axis'}: has no values; give one at least")
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{key} has {count}" for key, count in counts.items())
            raise InputError(where, f"keys that change together need as many values each: {told}")
        return cls(tuple(given), tuple(zip(*given.values(), strict=True)))


def axes_of(over: Any, where: str = "over") -> tuple[Axis, ...]:
    """The axes that a user gives.

    Parameters
    ----------
    over : sequence or mapping
        Texts as `Axis.parse` takes them, or mappings from keys to their values (a sequence, an array, or a
        range as text); keys of one mapping change together. Or one mapping, each key of which is an axis.
    where : str
        The argument to name in errors.

    Raises
    ------
    InputError
        If one is wrong, there is none, or a key is in two of them.
    """
    if isinstance(over, str):
        over = [over]
    if isinstance(over, Mapping):
        over = [{key: values} for key, values in over.items()]
    entries = checks.listed(where, over, f"a list of texts such as {EXAMPLE}")
    axes = tuple(
        _of_values(entry, where) if isinstance(entry, Mapping) else Axis.parse(entry, where)
        for entry in entries
    )
    if not axes:
        raise InputError(where, f"names no axis; give one at least, such as {EXAMPLE}")
    keys = [key for axis in axes for key in axis.keys]
    for k, key in enumerate(keys):
        for other in keys[:k]:
            if f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}."):
                both = f"{other} and {key} set the same" if key != other else f"{key} is there twice"
                raise InputError(where, f"{both}; let one axis change it")
    return axes


def _of_values(given: Mapping[str, Any], where: str) -> Axis:
    found = {}
    for key, values in given.items():
        name = checks.text(where, key)
        try:
            many = values_of(values) if isinstance(values, str) else _plain_list(values)
        except InputError as error:
            raise InputError(where, f"{name}: {error.what}") from None
        found[name] = many
    return Axis.of(found, where)


def _plain_list(values: Any) -> list[Any]:
    listed = checks.listed("", values, "a list of values, or a range as text")
    return [_plain(value) for value in listed]


def _plain(value: Any) -> Any:
    """`value` as JSON and TOML hold it."""
    given = checks.plain(value)
    if isinstance(given, np.ndarray | list | tuple):
        return [_plain(entry) for entry in given]
    if isinstance(given, Mapping):
        return {str(key): _plain(entry) for key, entry in given.items()}
    if not isinstance(given, str | bool | int | float):
        raise InputError("", f"has a value that is no number, text or list of these: {checks.shown(value)}")
    return given


def values_of(written: str) -> list[Any]:
    """The values of a range: ``a:b``, ``a:b:n``, ``a:b:n:log`` or a list parted by ``;``.

    Raises
    ------
    InputError
        If it is none of these, or empty.
    """
    entries = [entry.strip() for entry in split(written, ";")]
    if len(entries) > 1 or not _looks_like_range(written):
        if not all(entries):
            raise InputError("", f"has an empty place, in {written.strip()!r}; give {RANGES}")
        return [parse_change(f"key={entry}")[1] for entry in entries]
    first, last, *more = (part.strip() for part in written.split(":"))
    ends = [_number(end, written) for end in (first, last)]
    if not more:
        return _whole_numbers(ends, written)
    if len(more) > 2 or (len(more) == 2 and more[1] != "log"):
        raise InputError("", f"{written.strip()!r} is no range; give {RANGES}")
    return _spaced(ends, more[0], len(more) == 2, written)


def _looks_like_range(written: str) -> bool:
    """Whether it has colons, outside of quotes, and begins with a number."""
    return len(split(written, ":")) > 1 and re.match(r"\s*[-+.\d]", written) is not None


def _number(word: str, written: str) -> int | float:
    value = parse_change(f"key={word}")[1]
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError("", f"{written.strip()!r} is no range: {word!r} is no number; give {RANGES}")
    return value


def _whole_numbers(ends: Sequence[int | float], written: str) -> list[Any]:
    first, last = ends
    if not isinstance(first, int) or not isinstance(last, int):
        right = "a:b counts whole numbers, so both must be; a:b:n has n values between any two"
        raise InputError("", f"{written.strip()!r}: {right}")
    if last < first:
        raise InputError("", f"{written.strip()!r} is empty; the first number must not be above the last")
    if last - first >= MOST_VALUES:
        raise InputError("", f"{written.strip()!r} has more than {MOST_VALUES:,} values; give fewer")
    return list(range(first, last + 1))


def _spaced(ends: Sequence[int | float], count: str, log: bool, written: str) -> list[Any]:
    told = written.strip()
    number = parse_change(f"key={count}")[1]
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError("", f"{told!r}: the number of values must be a whole number, not {count!r}")
    if number < 1:
        raise InputError("", f"{told!r} is empty; the number of values must be 2 or more")
    if number > MOST_VALUES:
        raise InputError("", f"{told!r} has more than {MOST_VALUES:,} values; give fewer")
    if number == 1 and ends[0] != ends[1]:
        raise InputError("", f"{told!r}: both ends are included, so the number of values must be 2 or more")
    if log and min(ends) <= 0:
        raise InputError("", f"{told!r}: with log both ends must be more than 0")
    first, last = ends
    array = np.geomspace(first, last, number) if log else np.linspace(first, last, number)
    values: list[Any] = array.tolist()
    if not all(isinstance(end, int) for end in ends):
        return values
    # Between whole numbers whole values stay so: sizes and seeds take no others.
    near = [round(value) for value in values]
    whole = all(abs(v - k) <= ROUNDING * abs(k) for v, k in zip(values, near, strict=True))
    return near if whole else values


def split(written: str, mark: str) -> list[str]:
    """Parts of a text between marks that stand outside of quotes."""
    return list(_parts(written, mark))


def _parts(written: str, mark: str) -> Iterator[str]:
    quote, start, k = "", 0, 0
    while k < len(written):
        letter = written[k]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif written.startswith(mark, k):
            yield written[start:k]
            k += len(mark)
            start = k
            continue
        k += 1
    yield written[start:]

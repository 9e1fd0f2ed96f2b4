"""What a file of TOML or JSON holds: checked once, so that whoever takes values out of it can rely on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .errors import InputError, cut, unsafe

# Most levels of tables and lists in a document. Nothing that is read needs more than ten.
DEEPEST = 32

# The whole numbers that TOML has to have, and that files and arrays can hold.
LEAST_WHOLE, MOST_WHOLE = -(2**63), 2**63 - 1


def from_json(text: str | bytes) -> Any:
    """The value in a text of JSON; NaN and Infinity are numbers.

    Raises
    ------
    InputError
        If it is not JSON, or holds something `odd`, with the place.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # among them numbers of thousands of digits
        raise InputError("", f"is not JSON that can be read ({cut(str(error), 80)})") from None
    check(value)
    return value


def check(value: Any, where: str = "") -> None:
    """Raise InputError for the first place at which a document is `odd`."""
    for place, what in odd(value, where):
        raise InputError(place, what)


def odd(value: Any, where: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """The places of a document that nothing can be made of, and what is wrong there.

    These are whole numbers of more than 64 bits, texts with characters that do something to a terminal, and
    what is nested too deeply.
    """
    if isinstance(value, int) and not LEAST_WHOLE <= value <= MOST_WHOLE:
        yield where, f"must be a whole number of at most 64 bits, not one of {_digits(value)} digits"
    elif isinstance(value, str):
        yield from _odd_characters(where, value)
    elif isinstance(value, list | dict) and depth == DEEPEST:
        yield cut(where, 40), f"is nested too deeply: {DEEPEST} levels are read at most"
    elif isinstance(value, list):
        for k, one in enumerate(value):
            if type(one) is not float:
                yield from odd(one, f"{where}.{k}" if where else str(k), depth + 1)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _odd_characters(where or "a key", key)
            yield from odd(one, f"{where}.{key}" if where else key, depth + 1)


def _digits(value: int) -> int:
    return int(value.bit_length() * 0.30103) + 1


def _odd_characters(where: str, text: str) -> Iterator[tuple[str, str]]:
    found = unsafe(text)
    if found == "\0":
        yield where, "has a NUL character, which cannot be stored in a file; leave it out"
    elif found:
        yield where, f"has the character {found!a}, which can do something to a terminal; leave it out"

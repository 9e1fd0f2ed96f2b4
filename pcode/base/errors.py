"""The exception that pcode raises for wrong input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# Characters of a whole message; of the file and of the key in it, where it would be longer; and of each of
# several that are told at once.
MOST, MOST_PLACE, MOST_EACH = 290, 90, 120

# Characters that a terminal or a figure takes as commands, or that no text can have: control characters,
# those that turn the direction of writing, and halves of surrogate pairs.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# Tabs and ends of lines, which may stand in a text all the same.
_SPACES = str.maketrans("\t\n\r", "   ")


class InputError(ValueError):
    """Wrong input, described in one line.

    Parameters
    ----------
    where : str
        The argument, or the key in a file, that is wrong, e.g. ``"network.tau"``.
    what : str
        What is wrong with it, and what would be right.
    source : str, optional
        The file that it comes from.
    """

    def __init__(self, where: str, what: str, source: str | None = None) -> None:
        self.where = where
        self.what = what
        self.source = source
        super().__init__(where, what, source)

    def __str__(self) -> str:
        parts = [visible(part) for part in (self.source, self.where, self.what) if part]
        if sum(map(len, parts)) + 2 * len(parts) <= MOST:
            return ": ".join(parts)
        *places, what = parts
        told = "".join(f"{cut(place, MOST_PLACE, 0.7)}: " for place in places)
        return told + cut(what, MOST - len(told))

    def within(self, where: str) -> InputError:
        """The same error with ``where`` in front of the key, as in ``network.tau``."""
        return InputError(f"{where}.{self.where}" if self.where else where, self.what, self.source)

    def in_file(self, source: str) -> InputError:
        """The same error, naming the file that it comes from."""
        return InputError(self.where, self.what, source)


class ComputationError(InputError):
    """What was given cannot be computed with: a function of the user's raised, or there is no more memory.

    Parameters
    ----------
    why : str
    """

    def __init__(self, why: str) -> None:
        super().__init__("", why)

    def __reduce__(self) -> Any:
        return type(self), (self.what,)


def together(errors: Sequence[InputError]) -> InputError:
    """Several errors as one, at the place of the first."""
    first, *others = errors
    told = [first.what, *(cut(f"{error.where} {error.what}", MOST_EACH) for error in others)]
    return InputError(first.where, "; ".join(told), first.source)


def visible(text: str) -> str:
    """`text` in one line, with characters that would do something to a terminal written as escapes."""
    return UNSAFE.sub(_escaped, " ".join(text.split()))


def unsafe(text: str) -> str:
    """The first character of a text for which `visible` would write an escape; empty if there is none."""
    if text.isascii() and text.isprintable():
        return ""
    found = UNSAFE.search(text.translate(_SPACES))
    return found[0] if found else ""


def cut(text: str, most: int = MOST, tail: float = 0.3) -> str:
    """`text` of at most so many characters, with its middle left out where it is longer.

    Parameters
    ----------
    text : str
    most : int
    tail : float
        The part of what is kept that is of its end.
    """
    if len(text) <= most:
        return text
    end = int(tail * (most - 5))
    return f"{text[: most - 5 - end]} ... {text[len(text) - end :]}"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")

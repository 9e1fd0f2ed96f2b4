"""The exception that pcode raises for wrong input."""

from __future__ import annotations

from collections.abc import Sequence


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
        parts = (self.source, self.where, self.what)
        return " ".join(": ".join(part for part in parts if part).split())

    def within(self, where: str) -> InputError:
        """The same error with ``where`` in front of the key, as in ``network.tau``."""
        return InputError(f"{where}.{self.where}" if self.where else where, self.what, self.source)

    def in_file(self, source: str) -> InputError:
        """The same error, naming the file that it comes from."""
        return InputError(self.where, self.what, source)


def together(errors: Sequence[InputError]) -> InputError:
    """Several errors as one, at the place of the first."""
    first, *others = errors
    told = [first.what, *(f"{error.where} {error.what}" for error in others)]
    return InputError(first.where, "; ".join(told), first.source)

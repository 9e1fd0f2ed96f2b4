"""What pcode raises when it is asked for something it cannot do."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be simulated, said in one line.

    Parameters
    ----------
    where : str
        The argument or the key of the file that is wrong, e.g. ``"network.tau"``.
    what : str
        What is wrong with it, and what would be right.
    source : str, optional
        The file it stands in, where there is one.
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
        """The same error, seen from outside: ``where`` goes in front of the key."""
        return InputError(f"{where}.{self.where}" if self.where else where, self.what, self.source)

    def in_file(self, source: str) -> InputError:
        """The same error, with the file it stands in."""
        return InputError(self.where, self.what, source)

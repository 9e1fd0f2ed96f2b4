"""What went wrong without ending a run."""

from __future__ import annotations


class Notes:
    """Messages on what went wrong, one line each, without duplicates."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, line: str) -> None:
        """Add a line, if it is new."""
        self._lines[line] = None

    @property
    def lines(self) -> list[str]:
        """The lines, in the order in which they were added."""
        return list(self._lines)

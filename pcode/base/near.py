"""The word that was probably meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(given: object, known: Iterable[str]) -> str | None:
    """The one of the `known` words that `given` is probably meant to be, whatever its case; or None."""
    if not isinstance(given, str):
        return None
    by_small = {word.lower(): word for word in known}
    close = get_close_matches(given.strip().lower(), by_small, n=1)
    return by_small[close[0]] if close else None


def did_you_mean(given: object, known: Iterable[str], otherwise: str = "") -> str:
    """A question for the end of an error: whether the nearest of the `known` words was meant.

    Parameters
    ----------
    given : object
        What is not known.
    known : iterable of str
    otherwise : str
        What to say if no word is near.
    """
    close = nearest(given, known)
    return f"did you mean {close}?" if close else otherwise


def hint(given: object, known: Iterable[str]) -> str:
    """The same after a semicolon, to be added to an error; empty if no word is near."""
    question = did_you_mean(given, known)
    return f"; {question}" if question else ""

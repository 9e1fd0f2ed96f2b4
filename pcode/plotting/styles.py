"""What a user says of the artists of a plot, each by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from matplotlib.artist import Artist
from matplotlib.cbook import normalize_kwargs

from ..base import checks
from ..base.errors import InputError
from ..model.variables import parsed_entry

# By name of an artist: keywords of Matplotlib, or False to leave it out.
StylesOption = Mapping[str, Mapping[str, Any] | bool] | None

# The artists that a function draws, by name; the class says which short names keywords have.
Artists = Mapping[str, type[Artist]]

# The name that stands for every curve named like the unknown that it shows, such as "x1[0]".
ENTRIES = "x1[0]"

F = TypeVar("F", bound=Callable[..., Any])


def draws(artists: Artists) -> Callable[[F], F]:
    """Decorate a plotting function with the names of its artists, as the attribute ``artists``."""

    def decorate(function: F) -> F:
        function.artists = dict(artists)  # type: ignore[attr-defined]
        return function

    return decorate


class Styles:
    """How each artist of a plot is to look: the defaults, and over them what the user says.

    ``"run" in styles`` says whether an artist is drawn at all, and ``styles.of("run", color="black")``
    has its keywords. Curves that show one unknown go by its name as well: ``styles.of("lines", "x1[0]")``.

    Parameters
    ----------
    given : mapping of str to mapping or bool, or None
        By the name of an artist its keywords of Matplotlib, or False to leave it out.
    artists : mapping of str to class
        The names that there are, each with the class of its artist.
    **keywords : mapping of str to value
        By the name of an artist, keywords that the user gave directly; `given` goes before them.

    Raises
    ------
    InputError
        If `given` is no such mapping, or names an artist that there is not.
    """

    def __init__(self, given: StylesOption, artists: Artists, **keywords: Mapping[str, Any]) -> None:
        self._artists = artists
        self._left_out: set[str] = set()
        self._keywords = {name: self._long(name, values) for name, values in keywords.items()}
        for name, value in _checked(given, artists).items():
            if isinstance(value, bool):
                self._left_out |= set() if value else {name}
            else:
                self._keywords[name] = self._keywords.get(name, {}) | self._long(name, value)

    def __contains__(self, name: str) -> bool:
        return name not in self._left_out

    def of(self, *names: str, **defaults: Any) -> dict[str, Any]:
        """Keywords of an artist: the `defaults`, and over them what the user says of each of its names."""
        keywords = self._long(names[0], defaults)
        for name in names:
            keywords |= self._keywords.get(name, {})
        return keywords

    def _long(self, name: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
        """`keywords` with their long names, so that ``lw`` and ``linewidth`` are one."""
        kind = self._artists.get(name) or self._artists.get(ENTRIES)
        try:
            return normalize_kwargs(dict(keywords), kind) if kind is not None else dict(keywords)
        except TypeError as error:
            raise InputError("styles", f"{name}: {error}") from None


def styles_for(styles: StylesOption, *functions: Callable[..., Any]) -> list[dict[str, Any]]:
    """For each of the `functions` that `draws` describes, the part of `styles` that names artists of it.

    For recipes, which draw with several functions.

    Raises
    ------
    InputError
        If `styles` is no mapping, or an artist is none of any of them.
    """
    names = [function.artists for function in functions]  # type: ignore[attr-defined]
    given = _checked(styles, {name: kind for one in names for name, kind in one.items()})
    return [{name: value for name, value in given.items() if _known(name, one)} for one in names]


def _known(name: str, artists: Artists) -> bool:
    return name in artists or (ENTRIES in artists and parsed_entry(name) is not None)


def _checked(given: Any, artists: Artists) -> dict[str, Any]:
    if given is None:
        return {}
    listed = ", ".join(name for name in artists if name != ENTRIES)
    if ENTRIES in artists:
        listed += f', and single curves, such as "{ENTRIES}"'
    if not isinstance(given, Mapping):
        what = "must map names of artists to keywords of Matplotlib, or to false"
        raise InputError("styles", f"{what}, not {checks.shown(given)}; there are {listed}")
    checked = {}
    for name, value in given.items():
        if not isinstance(name, str) or not _known(name, artists):
            raise InputError("styles", f"there is no artist {checks.shown(name)} here; there are {listed}")
        if not isinstance(value, bool) and not _is_keywords(value):
            what = "must be keywords of Matplotlib, such as {'color': 'black'}, or false to leave it out"
            raise InputError("styles", f"{name}: {what}, not {checks.shown(value)}")
        checked["".join(name.split())] = value
    return checked


def _is_keywords(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)

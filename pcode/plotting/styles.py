"""What a user says of the artists of a plot, each by its name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from matplotlib.artist import Artist

from ..base import checks, near
from ..base.errors import InputError
from ..model.variables import parsed_entry
from ..run.result import Run
from .properties import called, known_keywords, long_names, refused

# By name of an artist: keywords of Matplotlib, or False to leave it out.
StylesOption = Mapping[str, Mapping[str, Any] | bool] | None

# The artists that a function draws, by name; the class says which keywords there are.
Artists = Mapping[str, type]

# The name that stands for every curve named like the unknown that it shows, such as "x1[0]".
ENTRIES = "x1[0]"

F = TypeVar("F", bound=Callable[..., Any])


class UnknownKeywordError(InputError):
    """A keyword of a function that no artist takes which such keywords go to."""


def draws(artists: Artists) -> Callable[[F], F]:
    """Decorate a plotting function with the names of its artists, as the attribute ``artists``.

    Of a keyword that is none, its errors then name the function's own options; styles of curves that the run
    does not have are refused.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def drawing(*args: Any, **kwargs: Any) -> Any:
            if args and isinstance(args[0], Run):
                _check_entries(args[0], kwargs.get("styles"))
            try:
                return function(*args, **kwargs)
            except UnknownKeywordError as error:
                raise InputError(error.where, error.what + _own_options(function, error.where)) from None

        drawing.artists = dict(artists)  # type: ignore[attr-defined]
        return drawing  # type: ignore[return-value]

    return decorate


def _check_entries(run: Run, styles: Any) -> None:
    """Raise InputError if `styles` names a node, a sample or a weight that `run` does not have."""
    sizes, n = run.network.sizes, run.network.n
    samples = sorted({sample for record in run.phases for sample in record.samples})
    for name in styles if isinstance(styles, Mapping) else ():
        entry = parsed_entry(name)
        if entry is None:
            continue
        variable, layer, indices = entry
        if layer not in variable.layers(n):
            there = ", ".join(f"{variable}{k}" for k in variable.layers(n))
            raise InputError("styles", f"there is no {name} in this run; there are {there}")
        counts = (sizes[layer],) if variable.of_nodes else variable.shape(sizes, layer, 0)
        for index, count in zip(indices, counts, strict=False):
            if index >= count:
                what = f"there is no {name} in this run; {variable}{layer} has indices 0..{count - 1}"
                raise InputError("styles", what)
        if variable.of_nodes and len(indices) == 2 and indices[1] not in samples:
            shown = checks.shown(samples)
            raise InputError("styles", f"{name}: the run does not show sample {indices[1]}, only {shown}")


def _own_options(function: Callable[..., Any], keyword: str) -> str:
    """What to say of the options of a function to one who gave it a `keyword` that is none."""
    parameters = inspect.signature(function).parameters.values()
    own = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY and one.name != "ax"]
    return f"; {function.__name__} itself has {', '.join(own)}"


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
        If `given` is no such mapping, or names an artist that there is not, or a keyword is none that the
        artist takes, or has a value that it cannot have.
    """

    def __init__(self, given: StylesOption, artists: Artists, **keywords: Mapping[str, Any]) -> None:
        self._artists = artists
        self._left_out: set[str] = set()
        self._keywords: dict[str, dict[str, Any]] = {}
        for name, values in keywords.items():
            self._keywords[name] = self._long(name, values)
            self._check(name, self._keywords[name], direct=True)
        for name, value in _checked(given, artists).items():
            if isinstance(value, bool):
                self._left_out |= set() if value else {name}
            else:
                said = self._long(name, value)
                self._check(name, said)
                self._keywords[name] = self._keywords.get(name, {}) | said

    def __contains__(self, name: str) -> bool:
        return name not in self._left_out

    def of(self, *names: str, **defaults: Any) -> dict[str, Any]:
        """Keywords of an artist: the `defaults`, and over them what the user says of each of its names."""
        keywords = self._long(names[0], defaults)
        for name in names:
            keywords |= self._keywords.get(name, {})
        return keywords

    def _kind(self, name: str) -> type:
        return self._artists.get(name, self._artists.get(ENTRIES, Artist))

    def _long(self, name: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return long_names(keywords, self._kind(name))
        except TypeError as error:
            raise InputError("styles", f"{name}: {error}") from None

    def _check(self, name: str, keywords: Mapping[str, Any], direct: bool = False) -> None:
        """Raise InputError unless the artist takes these keywords, given by `styles` or `direct`."""
        kind = self._kind(name)
        known = known_keywords(kind)
        for keyword, value in keywords.items():
            if keyword not in known:
                hint = near.hint(keyword, known)
                if direct:
                    what = f"is neither an option nor a keyword of {name} ({called(kind)}){hint}"
                    raise UnknownKeywordError(keyword, what)
                raise InputError("styles", f"{name} ({called(kind)}) has no keyword {keyword!r}{hint}")
            wrong = refused(keyword, value, kind)
            if wrong:
                where, what = (keyword, "") if direct else ("styles", f"{name}: {keyword}: ")
                raise InputError(where, f"{what}cannot be {checks.shown(value)}: {wrong}")


def styles_for(styles: StylesOption, *functions: Callable[..., Any]) -> list[dict[str, Any]]:
    """For each of the `functions` that `draws` describes, the part of `styles` that names artists of it.

    For recipes, which draw with several functions.

    Raises
    ------
    InputError
        If `styles` is no mapping, or an artist is none of any of them, or does not take a keyword.
    """
    names = [function.artists for function in functions]  # type: ignore[attr-defined]
    given = _checked(styles, {name: kind for one in names for name, kind in one.items()})
    parts = [{name: value for name, value in given.items() if _known(name, one)} for one in names]
    for part, one in zip(parts, names, strict=True):
        Styles(part, one)  # before the first of them draws
    return parts


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

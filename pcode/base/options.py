"""Options that a user gives by name, checked against the function that takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from . import checks, near
from .errors import InputError


def checked_options(
    function: Callable[..., Any], options: Mapping[str, Any], called: str, source: str | None = None
) -> dict[str, Any]:
    """`options`, converted to the types that the hints of `function` give.

    Parameters
    ----------
    function : callable
        All its arguments but the first are options.
    options : mapping of str to value
    called : str
        What to call the function in errors.
    source : str, optional
        The file to name in errors.

    Raises
    ------
    InputError
        If the function has no such option, or a value is of the wrong type.
    """
    return {
        str(name): _checked(function, str(name), checks.plain(value), called, source)
        for name, value in options.items()
    }


def _checked(function: Callable[..., Any], name: str, value: Any, called: str, source: str | None) -> Any:
    # Imported here because pydantic is slow to import and not needed unless an option is given.
    from pydantic import ConfigDict, TypeAdapter, ValidationError
    from pydantic.errors import PydanticUserError

    parameters = list(inspect.signature(function).parameters.values())
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [parameter.name for parameter in parameters[1:] if parameter.kind in named]
    if name not in known:
        if inspect.Parameter.VAR_KEYWORD in [parameter.kind for parameter in parameters]:
            return value
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        what = f"{called} has no such option; {takes}{near.hint(name, known)}"
        raise InputError(name, what, source)
    try:
        hint = get_type_hints(function)[name]
        adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except (KeyError, NameError, TypeError, PydanticUserError):
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError:
        if get_origin(hint) is Literal:
            try:
                checks.word(name, value, map(str, get_args(hint)))
            except InputError as error:
                raise error.in_file(source) if source else error from None
        raise InputError(name, f"must be {_named(hint)}, not {checks.shown(value)}", source) from None


def _named(hint: Any) -> str:
    """A type in words for users of the command line, who cannot pass None."""
    parts = [one for one in get_args(hint) if one is not NoneType] if _is_union(hint) else [hint]
    if not any(get_origin(one) is Literal or one is bool or _is_table(one) for one in parts):
        return (hint.__name__ if isinstance(hint, type) else str(hint)).removesuffix(" | None")
    words = [word for one in parts for word in _words(one)]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _words(hint: Any) -> list[str]:
    """What a value of a type can be, word by word."""
    if get_origin(hint) is Literal:
        return [str(word) for word in get_args(hint)]
    return ["true", "false"] if hint is bool else ["a table" if _is_table(hint) else _named(hint)]


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _is_table(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, Mapping)

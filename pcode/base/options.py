"""Options that a user gives by name, checked against the function that takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

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
    if get_origin(hint) is Literal:
        *most, last = map(str, get_args(hint))
        return f"{', '.join(most)} or {last}" if most else last
    name = (hint.__name__ if isinstance(hint, type) else str(hint)).removesuffix(" | None")
    return "true or false" if name == "bool" else name

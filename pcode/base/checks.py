"""Checks of a user's input: convert it to the number, array, word or list it must be, or raise InputError.

Every value that enters pcode passes through here, so that the same things are accepted everywhere: NumPy's
and JAX's scalars and 0-d arrays wherever a number is, any iterable wherever a list is. A value is refused if
its conversion to float64 would lose something (an imaginary part, a mask, a unit of time).
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, unsafe
from .near import hint

F = TypeVar("F", bound=Callable[..., Any])

# NumPy's dtype kinds that are real numbers.
REAL = "fiu"

_WHY = {
    "c": "complex numbers, whose imaginary part would be lost",
    "M": "dates, which are no numbers",
    "m": "lengths of time with a unit, which are no plain numbers",
    "U": "text",
    "S": "text",
    "O": "objects that are no numbers",
    "V": "records that are no numbers",
}


def shown(value: object) -> str:
    """`value` as one short line for an error message."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a failing repr must not hide the error to report
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain(value: Any) -> Any:
    """A NumPy or JAX scalar, or a 0-d array, as a Python number; anything else unchanged."""
    if getattr(value, "shape", None) != () or not hasattr(value, "dtype"):
        return value
    array = _array(value)
    if array is None or np.ma.is_masked(value):
        return value
    if _small_float(array.dtype):
        return float(array)
    return array.item() if array.dtype.kind in REAL + "bc" else value


def number(
    where: str,
    value: object,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> float:
    """`value` as a finite float.

    Parameters
    ----------
    where : str
        The argument to name in errors.
    value : object
    above, least, most : float, optional
        Exclusive lower bound, inclusive lower bound and inclusive upper bound.

    Raises
    ------
    InputError
        If it is not a real number, not finite, or out of bounds.
    """
    given = plain(value)
    if not _is_real(given):
        raise InputError(where, f"must be a number, not {shown(value)}")
    try:
        found = float(given)
    except OverflowError:
        raise InputError(where, "must be a number that a float can hold, at most 1.8e308") from None
    if not math.isfinite(found):
        raise InputError(where, f"must be finite, not {found}")
    if above is not None and not found > above:
        right = "positive" if above == 0.0 else f"more than {above:g}"
        raise InputError(where, f"must be {right}, not {found:g}")
    if least is not None and found < least:
        raise InputError(where, f"must be {least:g} or more, not {found:g}")
    if most is not None and found > most:
        raise InputError(where, f"must be at most {most:g}, not {found:g}")
    return found


def whole(where: str, value: object, *, least: int | None = None, most: int | None = None) -> int:
    """`value` as an int.

    Parameters
    ----------
    where : str
        The argument to name in errors.
    value : object
    least, most : int, optional
        Inclusive bounds.

    Raises
    ------
    InputError
        If it is not an integer (the float 5.0 is not), or out of bounds.
    """
    bounds = "" if least is None else f" of {least} or more"
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        found = None
    if found is None or isinstance(plain(value), bool) or (least is not None and found < least):
        raise InputError(where, f"must be a whole number{bounds}, not {shown(value)}")
    if most is not None and found > most:
        raise InputError(where, f"must be a whole number of at most {most:,}, not {shown(value)}")
    return found


def flag(where: str, value: object) -> bool:
    """`value` as a bool.

    Raises
    ------
    InputError
        If it is neither true nor false.
    """
    given = plain(value)
    if not isinstance(given, bool):
        raise InputError(where, f"must be true or false, not {shown(value)}")
    return given


def word(where: str, value: object, words: Iterable[str]) -> str:
    """`value`, if it is one of `words`.

    Raises
    ------
    InputError
        If it is none of them.
    """
    known = tuple(words)
    if not isinstance(value, str) or value not in known:
        raise InputError(where, f"must be {any_of(known)}, not {shown(value)}{hint(value, known)}")
    return str(value)


def any_of(words: Sequence[str]) -> str:
    """The words as a list in a sentence: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def text(where: str, value: object) -> str:
    """`value`, if it is a str that files can hold.

    Raises
    ------
    InputError
        If it is empty or not a str, or has a character that UTF-8 or NetCDF cannot hold, or that does
        something to a terminal.
    """
    if not isinstance(value, str) or not value:
        raise InputError(where, f"must be a text, not {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(where, f"has characters that UTF-8 has not: {shown(value)}") from None
    if "\0" in value:
        raise InputError(where, f"has a NUL character, which files cannot hold: {shown(value)}")
    if unsafe(value):
        what = "has a control character, which can do something to a terminal"
        raise InputError(where, f"{what}: {shown(value)}; leave {unsafe(value)!a} out")
    return str(value)


def listed(where: str, value: Any, right: str) -> tuple[Any, ...]:
    """The entries of `value`, any ordered iterable, as a tuple.

    Parameters
    ----------
    where : str
        The argument to name in errors.
    value : object
    right : str
        What it must be, for the error message.

    Raises
    ------
    InputError
        If it is not iterable or has no order. A str counts as one value.
    """
    if not is_many(value):
        raise InputError(where, f"must be {right}, not {shown(value)}")
    return tuple(value)


def is_many(value: object) -> bool:
    """Whether `value` is an ordered iterable; a str and a 0-d array count as one value."""
    other = isinstance(value, str | bytes | Mapping | AbstractSet) or getattr(value, "ndim", None) == 0
    return isinstance(value, Iterable) and not other


def function(where: str, value: object, call: str = "") -> None:
    """Raise InputError unless `value` can be called; `call` shows how, such as ``probe(state, phase)``."""
    if not callable(value):
        right = f"must be a function, to be called as {call}" if call else "must be a function"
        raise InputError(where, f"{right}, not {shown(value)}")


def instance(where: str, value: object, kind: type | tuple[type, ...], right: str) -> None:
    """Raise InputError unless `value` is of this `kind`; `right` says for the message what it must be."""
    if not isinstance(value, kind):
        raise InputError(where, f"must be {right}, not {shown(value)}")


def first_is(kind: type | tuple[type, ...], right: str) -> Callable[[F], F]:
    """Decorate functions whose first argument must be of `kind`; `right` is as for `instance`."""

    def decorate(checked: F) -> F:
        where = next(iter(inspect.signature(checked).parameters))

        @functools.wraps(checked)
        def called(*args: Any, **kwargs: Any) -> Any:
            if args or where in kwargs:
                instance(where, args[0] if args else kwargs[where], kind, right)
            return checked(*args, **kwargs)

        return cast("F", called)

    return decorate


def path(where: str, value: Any) -> Path:
    """`value` as a path, with a leading ``~`` expanded.

    Raises
    ------
    InputError
        If it is not a path, or there is no such home folder.
    """
    try:
        given = os.fsdecode(value)
        os.fsencode(given)
        if not given or "\0" in given:
            raise ValueError
        return Path(given).expanduser()
    except (TypeError, ValueError):
        raise InputError(where, f"must be the path of a file, not {shown(value)}") from None
    except RuntimeError:
        raise InputError(where, f"{given} names a home that is not there; give a whole path") from None


def real_array(where: str, value: Any) -> NDArray[np.float64]:
    """`value` as a new float64 array that holds the same numbers.

    Raises
    ------
    InputError
        If it is ragged, or holds anything but real numbers: complex numbers, dates, text, objects, None, or
        masked entries.
    """
    if masked(value):
        raise _not_real(where, "masked entries, whose mask would be lost")
    array = _array(value)
    if array is None:
        raise _not_real(where, "rows of different lengths, or something else than numbers")
    if array.dtype.kind == "O" and not _real_objects(array, value):
        raise _not_real(where, _WHY["O"])
    if array.dtype.kind not in REAL + "bO" and not _small_float(array.dtype):
        raise _not_real(where, _WHY.get(array.dtype.kind, f"{array.dtype}"))
    try:
        with np.errstate(over="ignore"):  # too large a number becomes infinite, and callers refuse that
            return np.array(array, dtype=np.float64)
    except OverflowError:
        raise InputError(where, "holds a number that a float cannot hold, beyond 1.8e308") from None
    except MemoryError:
        what = f"has shape {array.shape}, {array.size * 8 / 1e9:.3g} GB, more than the memory holds"
        raise InputError(where, what) from None


def _not_real(where: str, held: str) -> InputError:
    return InputError(where, f"holds {held}; it must be real numbers in a regular array")


def _array(value: Any) -> np.ndarray[Any, np.dtype[Any]] | None:
    """`value` as an array of its own dtype; None where NumPy cannot make one."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None


def masked(value: Any, depth: int = 8) -> bool:
    """Whether `value`, an array or nested lists of arrays, has masked entries."""
    if isinstance(value, list | tuple):
        return depth > 0 and any(masked(entry, depth - 1) for entry in value)
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.is_masked(value))


def _real_objects(array: np.ndarray[Any, np.dtype[Any]], value: Any) -> bool:
    """Whether an object array made from lists holds numbers only, such as integers beyond 64 bits."""
    return isinstance(value, list | tuple) and all(map(_is_real, array.flat))


def _is_real(value: object) -> bool:
    # NumPy registers timedelta64 as an integer type.
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)


def _small_float(dtype: np.dtype[Any]) -> bool:
    """Whether it is one of JAX's short floats, such as bfloat16, which NumPy sees as raw data."""
    return dtype.names is None and dtype.kind == "V" and bool(np.can_cast(dtype, np.float64))

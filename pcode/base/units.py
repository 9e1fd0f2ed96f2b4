"""Units of time: a time such as "10 ms" or pint's ``10 * ureg.ms``, and its conversion to another unit.

Everything below the user's arguments computes with plain numbers in one unit, that of the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import checks
from .errors import InputError

if TYPE_CHECKING:
    from pint import Quantity, UnitRegistry

# What may be given for a time: a number, a text such as "10 ms", or a quantity of pint's.
TimeLike: TypeAlias = "float | str | Time | Quantity[Any]"

_TEXT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]+)\s*")

UNITS = "use ms, s, min or h, for instance"
EXAMPLE = 'a number, or a time with a unit such as "10 ms"'


class Time(NamedTuple):
    """A time with its unit.

    Attributes
    ----------
    value : float
    unit : str
        Its short name, such as ms.
    """

    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"


def time(where: str, value: Any) -> float | Time:
    """A number as it is given, or a `Time` where it has a unit.

    Parameters
    ----------
    where : str
        The argument to name in errors.
    value : float, str or pint.Quantity

    Raises
    ------
    InputError
        If it is neither a number nor a time.
    """
    if isinstance(value, Time):
        return value
    if isinstance(value, str):
        read = _TEXT.fullmatch(value)
        if read is None:
            raise InputError(where, f"must be {EXAMPLE}, not {checks.shown(value)}")
        name = _short(read[2])
        if name is None:
            what = f"has the unit {read[2]!r}, which is not one of time; {UNITS}"
            raise InputError(where, what)
        return Time(float(read[1]), name)
    if is_quantity(value):
        numbers, own = _apart(where, value)
        return Time(checks.number(where, numbers), own)
    return checks.number(where, value)


def times(where: str, values: Any) -> tuple[NDArray[np.float64], str | None]:
    """Times as an array, with the unit that they are given in; None where they have none.

    Parameters
    ----------
    where : str
    values : array_like, pint.Quantity, or sequence of what `time` takes
        Of several units the first counts. A mix of times with and without a unit is refused; 0 needs none.

    Raises
    ------
    InputError
        If they are no times, or some of them have a unit and others have none.
    """
    if is_quantity(values):
        numbers, own = _apart(where, values)
        return checks.real_array(where, numbers), own
    with_unit = checks.is_many(values) and not hasattr(values, "dtype")
    listed = tuple(values) if with_unit else ()
    if not any(isinstance(value, str | Time) or is_quantity(value) for value in listed):
        return checks.real_array(where, listed if with_unit else values), None
    given = {f"{where}[{k}]": time(f"{where}[{k}]", value) for k, value in enumerate(listed)}
    first, found = common(None, given, "give all of them with a unit, or none")
    return np.array(list(found.values())), first


def unit(where: str, value: Any) -> str:
    """The short name of a unit of time, such as ms for millisecond.

    Raises
    ------
    InputError
        If it is not the name of a unit of time.
    """
    name = str(value) if hasattr(value, "dimensionality") else checks.text(where, value)
    found = _short(name.strip())
    if found is None:
        raise InputError(where, f"is {name!r}, which is not a unit of time; {UNITS}")
    return found


def converted(value: Any, given: str, into: str) -> Any:
    """`value`, a float or an array, from the unit `given` into another one."""
    ratio = _ratio(given, into)
    # Of a factor and its inverse one is a whole number, as a rule: then only the result is rounded.
    return value * float(ratio) if ratio >= 1 else value / float(1 / ratio)


def common(
    own: str | None, given: Mapping[str, float | Time], right: str
) -> tuple[str | None, dict[str, float]]:
    """Numbers in one unit.

    Parameters
    ----------
    own : str or None
        The unit, in which numbers without one are given too; None: that of the first time that has one.
    given : mapping of str to float or Time
        By the names that errors use.
    right : str
        What to do about a mix, for the error.

    Returns
    -------
    unit : str or None
        None where no time has a unit.
    times : dict of str to float

    Raises
    ------
    InputError
        If, with no unit of their own, some times have a unit and others have none; 0 needs none.
    """
    with_unit = {name: value for name, value in given.items() if isinstance(value, Time)}
    if own is None and with_unit:
        first, one = next(iter(with_unit.items()))
        own = one.unit
        for name, value in given.items():
            if not isinstance(value, Time) and value != 0.0:
                raise InputError(name, f"{value:g} has no unit, but {first} = {one} has one; {right}")
    numbers = {
        name: converted(value.value, value.unit, str(own)) if isinstance(value, Time) else value
        for name, value in given.items()
    }
    return own, numbers


# From the shortest; a result with a larger unit of its own is shown in the longer ones too.
_SHORT, _LONG = ("ns", "µs", "ms", "s"), ("min", "h", "d", "a")


def readable(extent: float, own: str) -> str:
    """The unit in which to show times up to `extent`, given in the unit `own`: the largest not beyond it."""
    long = _LONG[: _LONG.index(own) + 1] if own in _LONG else ()
    fitting = [name for name in (*_SHORT, *long) if converted(abs(extent), own, name) >= 1.0]
    return fitting[-1] if fitting else _SHORT[0]


def text(t: float, own: str | None) -> str:
    """A time in words: a number, with a unit that suits if it is given in the unit `own`."""
    if own is None or t == 0.0:
        return f"{t:g}"
    name = readable(t, own)
    return f"{converted(t, own, name):.6g} {name}"


def suffix(own: str | None) -> str:
    """What to write after a number in the unit `own`."""
    return "" if own is None else f" {own}"


def is_quantity(value: Any) -> bool:
    """Whether it is a quantity of pint's, of any registry."""
    return hasattr(value, "magnitude") and hasattr(value, "dimensionality")


def _apart(where: str, quantity: Any) -> tuple[Any, str]:
    """The number or numbers of a quantity, and its unit."""
    if not quantity.check("[time]"):
        raise InputError(where, f"must be a time, not {checks.shown(quantity)}")
    name = _short(str(quantity.units))
    if name is not None:
        return quantity.magnitude, name
    return quantity.to("second").magnitude, "s"


@cache
def _registry() -> UnitRegistry[Any]:
    # Imported where the first unit is met, since that takes half a second.
    import pint

    return pint.UnitRegistry(non_int_type=Decimal)


@cache
def _short(name: str) -> str | None:
    """The short name of a unit of time; None if it is not one."""
    import pint

    if not name.isalpha():
        return None
    try:
        found = _registry().parse_units(name)
    except pint.UndefinedUnitError:
        return None
    return f"{found:~}" if found.dimensionality == {"[time]": 1} else None


@cache
def _ratio(given: str, into: str) -> Decimal:
    """How many of the unit `into` make one of the unit `given`."""
    if given == into:
        return Decimal(1)
    ratio: Decimal = _registry().Quantity(Decimal(1), given).to(into).magnitude
    return ratio

"""What a file keeps of an activation of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..base import checks
from ..base.errors import InputError


@dataclass(frozen=True)
class SavedActivation:
    """An activation of the user's own as a file knows it: its function is not imported.

    Attributes
    ----------
    name : str
    function : str or None
        Its import path ``module:name``; None if it has none, as lambdas and functions of scripts.
    kinks : tuple of float
    values : tuple of float or None
        Its values at a few points, see `pcode.model.probing`.
    """

    name: str
    function: str | None
    kinks: tuple[float, ...]
    values: tuple[float | None, ...]

    @classmethod
    def from_dict(cls, where: str, given: Mapping[str, Any]) -> SavedActivation:
        """The inverse of `to_dict`.

        Raises
        ------
        InputError
            If it is something else.
        """
        try:
            function = given["function"]
            kept = cls(
                checks.text(where, given["name"]),
                None if function is None else checks.text(where, function),
                tuple(checks.number(where, kink) for kink in given["kinks"]),
                tuple(None if v is None else checks.number(where, v) for v in given["values"]),
            )
        except (KeyError, TypeError, InputError):
            what = "must be a name, a function, or what a file keeps of one"
            raise InputError(where, f"{what}, not {checks.shown(given)}") from None
        return kept

    def to_dict(self) -> dict[str, Any]:
        """It as plain values for JSON."""
        return {
            "name": self.name,
            "function": self.function,
            "kinks": list(self.kinks),
            "values": list(self.values),
        }

    def __str__(self) -> str:
        return self.name

    def not_loaded(self) -> InputError:
        """The error for whoever wants to compute with it."""
        if self.function is None:
            why = "cannot be imported (it is a lambda, or of a script or notebook)"
            how = "give Run.load activation=f, or keep it in a module (--allow-code imports that)"
        else:
            why = "is not imported on opening"
            how = (
                f"give Run.load activation={self.name}, or allow_code=True (--allow-code) to import "
                f"{self.function}"
            )
        return InputError("activation", f"the run's function {self.name} {why}; to compute with it, {how}")

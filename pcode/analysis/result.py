"""What an answer is: a few lines to read, tables, plain values for scripts, and a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..base import checks
from ..base.errors import InputError
from ..base.html import table
from ..base.lazy import loaded
from ..base.tables import Column, Table, chosen, per


@dataclass(frozen=True, repr=False)
class Result:
    """Answer to a question about a run; each question has a subclass of its own.

    Attributes
    ----------
    question : str
        The name of the question, as in `pcode.analysis.QUESTIONS`; of the class.
    time_unit : str
        The unit of all times, that of the run; `ask` sets it.
    """

    question: ClassVar[str] = ""

    time_unit: str = field(default="unit of tau", kw_only=True)

    def __init_subclass__(cls) -> None:
        # Set here, or the decorator `dataclass` of the subclass would make one that shows all arrays.
        if "__repr__" not in vars(cls):
            cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    def lines(self) -> list[str]:
        """The answer in a few plain lines; the first one alone says the most."""
        raise NotImplementedError

    def legend(self) -> tuple[str, ...]:
        """What figures in the lines are, where they do not say so themselves; printed below them."""
        return (f"times in {self.time_unit}, rates in {self.rate_unit}",) if self.after_time else ()

    def tables(self) -> dict[str, Table]:
        """The answer as tables by name, the most important first.

        By default there is one, with a row and a column for each number, text and flag.
        """
        named = {one.name: checks.plain(getattr(self, one.name)) for one in fields(self)}
        kept = {k: v for k, v in named.items() if isinstance(v, str | float | int) and k != "time_unit"}
        columns = tuple(Column(name, [value], name.replace("_", " ")) for name, value in kept.items())
        return {"answer": Table(f"answer to the question {self.question}", columns)}

    def to_dataframe(self, table: str | None = None) -> pd.DataFrame:
        """The answer as a tidy table.

        Parameters
        ----------
        table : str, optional
            The name of a table, see `tables`; the first by default.

        Returns
        -------
        pandas.DataFrame
            One row each of what ``attrs["about"]`` says. Columns that have a unit are in ``attrs["units"]``.

        Raises
        ------
        InputError
            If there is no such table.
        """
        return chosen(self.tables(), table).to_dataframe()

    def to_csv(self, table: str | None = None) -> str:
        """The answer as a table in CSV, with units in the headings; see `to_dataframe`."""
        return chosen(self.tables(), table).to_csv()

    def to_latex(self, table: str | None = None) -> str:
        """The answer as a table in LaTeX, with the rules of the package booktabs.

        Parameters
        ----------
        table : str, optional
            As for `to_dataframe`.

        Raises
        ------
        InputError
            If there is no such table, or it has too many columns for a page.
        """
        return chosen(self.tables(), table).to_latex()

    @property
    def after_time(self) -> str:
        """What to write after a time: its unit, if the run has one."""
        return "" if self.time_unit.startswith("unit of") else f" {self.time_unit}"

    @property
    def rate_unit(self) -> str:
        """The unit of all rates."""
        return per(self.time_unit)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, for JSON; what is not finite is None."""
        values: dict[str, Any] = plain({one.name: getattr(self, one.name) for one in fields(self)})
        return {"question": self.question} | values

    def plot(self, ax: Any = None, **kwargs: Any) -> Any:
        """Draw the answer on one Axes; see the function of this question in `pcode.plotting`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            One on a new figure where left out.
        **kwargs
            Options of the plotting function, and keywords of Matplotlib.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If the question has no figure.
        """
        figures: Mapping[str, Callable[..., Any]] = loaded("figures of answers")
        if self.question not in figures:
            have = ", ".join(sorted(figures))
            raise InputError("question", f"there is no figure of {self.question}; there are those of {have}")
        return figures[self.question](self, ax=ax, **kwargs)

    def __repr__(self) -> str:
        return "\n".join([*self.lines(), *self.legend()])

    def _repr_html_(self) -> str:
        """The answer as a small table, for notebooks: a row for each line."""
        rows = [(line.strip(),) for line in (*self.lines(), *self.legend())]
        return table(f"Answer to the question {self.question}", (), rows)


# For functions whose first argument must be an answer.
of_answer = checks.first_is(Result, "an answer, as pcode.analysis.ask gives it")


def plain(value: Any) -> Any:
    """`value` as JSON can hold it.

    Arrays and tuples become lists, results and dataclasses dictionaries, complex numbers pairs
    [real, imaginary]; None stands where a number is not finite.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple) and not hasattr(value, "_asdict"):
        return [plain(item) for item in value]
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "__dataclass_fields__"):
        return plain({one.name: getattr(value, one.name) for one in fields(value)})
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    return None if isinstance(value, float) and not math.isfinite(value) else value

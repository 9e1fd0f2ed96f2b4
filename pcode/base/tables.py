"""Tables of results: columns with units, as pandas data frames, CSV files and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import pandas as pd

from . import checks
from .errors import InputError

# Significant digits of numbers in LaTeX: settling times, the least exact figures, are right to 1e-3.
DIGITS = 4

# Most rows and columns of a table in LaTeX. Of more rows the first and last ones are printed.
MOST_ROWS, MOST_COLUMNS = 60, 20

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        # At the start of a row these would be arguments of the command before it.
        "[": "{[}",
        "*": "{*}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
        Its name in data frames and CSV files.
    values : sequence
        Numbers, texts or flags; NaN or None where there is none.
    head : str
        Its heading in LaTeX, without the unit.
    unit : str
        Empty if dimensionless.
    typeset : callable, optional
        Typesets a value in LaTeX; by default numbers are rounded and texts escaped.
    align : str
        Its alignment in LaTeX, such as ``p{5cm}``; by default numbers to the right, texts to the left.
    """

    name: str
    values: Sequence[Any]
    head: str
    unit: str = ""
    typeset: Callable[[Any], str] | None = None
    align: str = ""

    @property
    def shown_unit(self) -> str:
        """The unit in brackets; empty if the column has none, or no more than "unit of tau"."""
        return f" ({self.unit})" if self.unit and "unit of" not in self.unit else ""

    def series(self) -> Any:
        """The values for a data frame; whole numbers stay whole where some are missing."""
        known = [value for value in self.values if not _missing(value)]
        whole = bool(known) and all(isinstance(v, Integral) and not _flag(v) for v in known)
        gaps = len(known) < len(self.values)
        return pd.array(list(self.values), dtype="Int64") if whole and gaps else list(self.values)

    def cells(self) -> list[str]:
        """The values in LaTeX."""
        return [_typeset(value) if self.typeset is None else self.typeset(value) for value in self.values]

    @property
    def of_numbers(self) -> bool:
        """Whether it holds numbers, apart from what is missing."""
        known = [value for value in self.values if not _missing(value)]
        return self.typeset is None and all(isinstance(v, Real) and not _flag(v) for v in known)

    @property
    def empty(self) -> bool:
        """Whether no value is known."""
        return all(map(_missing, self.values))


@dataclass(frozen=True)
class Table:
    """A table of results, one row each.

    Attributes
    ----------
    about : str
        What a row is, in a few words.
    columns : tuple of Column
        All of the same length.
    """

    about: str
    columns: tuple[Column, ...]

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.columns[0].values) if self.columns else 0

    def to_dataframe(self) -> pd.DataFrame:
        """The table as a data frame, its units in ``attrs["units"]``, by column."""
        frame = pd.DataFrame({column.name: column.series() for column in self.columns})
        frame.attrs["about"] = self.about
        frame.attrs["units"] = {column.name: column.unit for column in self.columns if column.unit}
        return frame

    def to_csv(self) -> str:
        """The table as CSV, with units in the headings, such as ``settling_time (ms)``."""
        heads = {column.name: f"{column.name}{column.shown_unit}" for column in self.columns}
        return str(self.to_dataframe().rename(columns=heads).to_csv(index=False, lineterminator="\n"))

    def to_latex(self) -> str:
        r"""The table as a ``tabular`` with rules of the LaTeX package booktabs.

        Columns without any value are left out, and of many rows those in the middle.

        Raises
        ------
        InputError
            If there are more columns than a page can hold.
        """
        count = self.row_count
        if not self.columns:
            raise InputError("table", "has no columns; choose another table")
        columns = [column for column in self.columns if not (count and column.empty)]
        if len(columns) > MOST_COLUMNS:
            what = f"has {len(columns)} columns, more than a page holds (at most {MOST_COLUMNS})"
            raise InputError("table", f"{what}; write it as CSV, or choose another table")
        cells = {
            f"{column.head}{column.shown_unit.translate(_ESCAPES)}": column.cells() for column in columns
        }
        if count > MOST_ROWS:
            ends = MOST_ROWS // 2
            cells = {head: [*v[:ends], r"$\vdots$", *v[-ends:]] for head, v in cells.items()}
        align = "".join(column.align or ("r" if column.of_numbers else "l") for column in columns)
        styler = pd.DataFrame(cells, dtype=object).style.hide(axis="index")
        tabular = str(styler.to_latex(hrules=True, column_format=align))
        left_out = f", the first and last {MOST_ROWS // 2} of {count:,}" if count > MOST_ROWS else ""
        units = {column.unit for column in columns if "unit of" in column.unit and "/" not in column.unit}
        times = "".join(f"; times in the {unit}" for unit in sorted(units))
        note = " ".join(f"{self.about}{left_out}{times}".split())
        return f"% {note}. Needs \\usepackage{{booktabs}}.\n{tabular.rstrip()}\n"


def escaped(text: str) -> str:
    """A text as LaTeX prints it, with its special characters escaped."""
    return " ".join(text.split()).translate(_ESCAPES)


def per(unit: str) -> str:
    """The unit of a rate, given that of time."""
    return f"1/({unit})" if " " in unit else f"1/{unit}"


def chosen(tables: dict[str, Table], name: str | None, where: str = "table") -> Table:
    """The table called `name`, or the first.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name is None:
        return next(iter(tables.values()))
    return tables[checks.word(where, name, tables)]


def _flag(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ == "bool"


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, Real) and math.isnan(float(value)))


def _typeset(value: object) -> str:
    """A value in LaTeX: a number in mathematics, with few digits; anything else as text."""
    if _missing(value):
        return "--"
    if _flag(value):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"${int(value)}$"
    if not isinstance(value, Real):
        return escaped(str(value))
    number = float(value)
    if math.isinf(number):
        return r"$-\infty$" if number < 0.0 else r"$\infty$"
    whole = abs(number) < 1e6 and number.is_integer()
    text = f"{int(number)}" if whole else f"{number:.{DIGITS}g}"
    mantissa, _, exponent = text.partition("e")
    return f"${mantissa} \\times 10^{{{int(exponent)}}}$" if exponent else f"${mantissa}$"

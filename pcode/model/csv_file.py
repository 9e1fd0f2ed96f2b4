"""Tables of numbers from ``.csv`` files, with errors that name line and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..base.errors import InputError, unsafe
from ..base.reading import MOST_TABLE, UnreadableError, read_text

# Other characters between columns, and what to call them.
SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}

# A number with commas in it: a decimal comma, or commas between thousands.
COMMA = re.compile(r"[+-]?\d[\d.]*,[\d.,]*\d(?:[eE][+-]?\d+)?")

# Most names of columns that an error lists.
MOST_NAMES = 20

Line = tuple[int, list[str]]


class Places(NamedTuple):
    """Where the numbers of a table stand in its file.

    Attributes
    ----------
    columns : mapping of str to sequence of str
        The names of the columns of `inputs` and of `targets`.
    lines : sequence of int
        The line of each sample.
    """

    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]


def read_csv(
    path: Path,
    inputs: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    texts: Collection[str] = (),
) -> tuple[dict[str, list[list[Any]]], Places]:
    """Samples from a ``.csv`` file.

    Parameters
    ----------
    path : Path
    inputs, targets : sequence of str, optional
        Names of columns. Without `inputs`, columns whose names begin with ``input`` and ``target``.
    texts : collection of {"inputs", "targets"}
        What may be text: a cell that is no number is then left as it is.

    Returns
    -------
    dict
        Rows of numbers of ``inputs`` and, if there are any, of ``targets``; NaN for an empty cell.
    Places

    Raises
    ------
    InputError
        If the file cannot be read, or a cell of these columns is no number.
    """
    header, lines = _header_and_lines(path, "sample")
    columns = _by_convention(path, header) if inputs is None else _by_name(path, header, inputs, targets)
    _check_widths(path, header, lines)
    table = {
        kind: [
            [
                row[k] if kind in texts and _is_text(row[k]) else _cell(path, number, header[k], row[k])
                for k in chosen
            ]
            for number, row in lines
        ]
        for kind, chosen in columns.items()
    }
    names = {kind: [header[k] for k in chosen] for kind, chosen in columns.items()}
    return table, Places(names, [number for number, _ in lines])


def read_columns(path: Path) -> tuple[list[str], list[list[float]]]:
    """The names of all columns of a ``.csv`` file, and its rows of numbers; NaN for an empty cell.

    Raises
    ------
    InputError
        If the file cannot be read, or a cell is no number.
    """
    header, lines = _header_and_lines(path, "time")
    _check_widths(path, header, lines)
    rows = [
        [_cell(path, number, name, cell) for name, cell in zip(header, row, strict=True)]
        for number, row in lines
    ]
    return header, rows


def _header_and_lines(path: Path, each: str) -> tuple[list[str], list[Line]]:
    lines = _lines(path, _text(path))
    if not lines:
        raise InputError("file", f"{path} is empty; it must have a header and a line for each {each}")
    return [name.strip() for name in lines[0][1]], lines[1:]


def _check_widths(path: Path, header: Sequence[str], lines: Sequence[Line]) -> None:
    for number, row in lines:
        if len(row) != len(header):
            more = "; a decimal comma? write 1.5, not 1,5" if len(row) > len(header) else ""
            what = f"line {number} of {path} has {len(row)} cells; the header has {len(header)}{more}"
            raise InputError("file", what)


def _text(path: Path) -> str:
    try:
        return read_text(path, MOST_TABLE)
    except UnreadableError as error:
        raise error.of_key("file", "give a .csv file, saved in UTF-8") from None


def _lines(path: Path, text: str) -> list[Line]:
    """The lines that are not blank, with their numbers; Excel's line ``sep=,`` is left out."""
    _check_characters(path, text)
    _check_separator(path, text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        lines = [(reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip()]
    except csv.Error as error:
        what = f"line {reader.line_num} of {path} cannot be read ({error}); look at its quotes"
        raise InputError("file", what) from None
    if lines and lines[0][1][0].lower().startswith("sep="):
        lines = lines[1:]
    while lines and len(lines[0][1]) > 1 and all(row and not row[-1].strip() for _, row in lines):
        lines = [(number, row[:-1]) for number, row in lines]  # commas at the ends of all lines
    return lines


def _check_characters(path: Path, text: str) -> None:
    """Raise InputError if the text has characters that no table has, such as those that steer a terminal."""
    odd = unsafe(text)
    if odd:
        line = text.count("\n", 0, text.index(odd)) + 1
        what = f"line {line} of {path} has the character {odd!a}, which no table has; leave it out"
        raise InputError("file", what)


def _check_separator(path: Path, text: str) -> None:
    """Raise InputError if something else than a comma is between the columns."""
    lines = [(k, line) for k, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        return
    number, first = lines[0]
    asked = re.match(r"sep=(.)", first, re.IGNORECASE)
    plain = re.sub(r'"[^"]*"', "", first)
    found = asked[1] if asked else next((s for s in SEPARATORS if s in plain and "," not in plain), ",")
    if found == ",":
        return
    told = (
        f"uses {SEPARATORS.get(found, repr(found))} between columns (line {number}: {first.strip()[:40]!r})"
    )
    right = "save it with ',' between columns"
    for k, line in lines[1:]:
        decimal = re.search(r"\d+,\d+", line)
        if decimal:
            told += f" and a decimal comma ({decimal[0]} in line {k})"
            right += " and '.' in numbers"
            break
    raise InputError("file", f"{path} {told}; {right}")


def _by_convention(path: Path, header: Sequence[str]) -> dict[str, list[int]]:
    """The columns whose names begin with input and target; all must."""
    kinds = [next((kind for kind in ("input", "target") if name.startswith(kind)), None) for name in header]
    if "input" not in kinds or None in kinds:
        right = "a header of input0, input1, ..., target0, ..."
        found = _told(header)
        if all(map(_is_number, header)):
            raise InputError("file", f"{path} has no header: it begins with {found}; put {right} above")
        what = f"{path} must begin with {right}, not {found}"
        raise InputError("file", f'{what}; or name its columns: inputs = ["..."], targets = ["..."]')
    return {
        f"{kind}s": [k for k, one in enumerate(kinds) if one == kind]
        for kind in ("input", "target")
        if kind in kinds
    }


def _by_name(
    path: Path, header: Sequence[str], inputs: Sequence[str], targets: Sequence[str] | None
) -> dict[str, list[int]]:
    """The columns of these names."""
    wanted = {"inputs": inputs} | ({} if targets is None else {"targets": targets})
    missing = {kind: [name for name in names if name not in header] for kind, names in wanted.items()}
    lost = list(dict.fromkeys(name for names in missing.values() for name in names))
    if lost:
        where = next(kind for kind, names in missing.items() if names)
        what = f"{path} has no column {' nor '.join(map(repr, lost))}; its columns are {_told(header)}"
        no_header = all(map(_is_number, header))
        raise InputError(where, f"{what} (a header is missing?)" if no_header else what)
    for kind, names in wanted.items():
        for name in names:
            if header.count(name) > 1:
                raise InputError(
                    kind, f"{path} has {header.count(name)} columns {name!r}; rename all but one"
                )
            if list(names).count(name) > 1:
                raise InputError(kind, f"names {name!r} twice; name each column once")
    return {kind: [header.index(name) for name in names] for kind, names in wanted.items()}


def _told(header: Sequence[str]) -> str:
    more = ", ..." if len(header) > MOST_NAMES else ""
    return ", ".join(name[:40] for name in header[:MOST_NAMES]) + more


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_text(cell: str) -> bool:
    return bool(cell.strip()) and not _is_number(cell)


def _cell(path: Path, line: int, column: str, cell: str) -> float:
    try:
        if "_" in cell:  # float() accepts 1_000, which no table means
            raise ValueError
        return float(cell) if cell.strip() else np.nan
    except ValueError:
        what = f"{column} in line {line} of {path}"
        number = cell.strip()[:40]
        if COMMA.fullmatch(number):
            decimal = number.count(",") == 1 and "." not in number
            told = f"has a decimal comma: {number}" if decimal else f"has a comma in a number: {number}"
            right = "write numbers with a decimal point and without other marks"
            raise InputError("file", f"{what} {told}; {right}") from None
        raise InputError("file", f"{what} must be a number, not {cell[:40]!r}") from None

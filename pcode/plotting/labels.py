"""Axis labels, from what the dataset says of its variables."""

from __future__ import annotations

import re
import textwrap

import xarray as xr

from ..model.variables import parsed_entry

# Letters in a line: about the height of a small panel.
LINE = 26


def label_of(variable: xr.DataArray, symbol: str, change: str = "") -> str:
    """Join a variable's long name, symbol and unit, in lines short enough for a small panel.

    Parameters
    ----------
    variable : xarray.DataArray
        With the attributes `long_name` and, where it has one, `units`.
    symbol : str
        In mathtext, without the dollar signs.
    change : str
        Words to go before the long name.
    """
    name = f"{change} {variable.attrs.get('long_name', '')}".strip()
    unit = variable.attrs.get("units", "")
    lines = textwrap.wrap(name, LINE)
    tail = f"${symbol}$" + (f" ({unit})" if unit not in ("", "1", "dimensionless") else "")
    # The symbol may stand on the last line, or on one of its own; mathtext is never broken.
    if lines and len(lines[-1]) < LINE - 6:
        return "\n".join([*lines[:-1], f"{lines[-1]}, {tail}"])
    return "\n".join([*lines, tail])


def node_symbol(name: str, sample: bool = False) -> str:
    """The symbol of a node's name such as x1[0,3], in mathtext; with its `sample` where asked for."""
    entry = parsed_entry(name)
    assert entry is not None
    variable, layer, (unit, *rest) = entry
    of = f" of sample {rest[0]}" if sample and rest else ""
    return f"${variable.label(layer, (unit,))}${of}"


def symbol_of(label: str) -> str:
    """The last symbol of a label, for a panel too small for the words; the label itself where it has none."""
    symbols = re.findall(r"\$[^$]*\$", label)
    return symbols[-1] if symbols else label


def in_lines(label: str, letters: int = 22) -> str:
    """A label in lines of about so many `letters`; mathtext and what is in parentheses stay whole."""
    lines: list[str] = []
    length = 0
    for part in re.findall(r"(?:\([^)]*\)|\$[^$]*\$|[^\s$(])+", label):
        size = len(re.sub(r"\\[a-zA-Z]+|\\.|[${}^_]", "", part)) + part.count("\\")
        if lines and length + size < letters:
            lines[-1] += f" {part}"
            length += size + 1
        else:
            lines.append(part)
            length = size
    return "\n".join(lines)

"""Small HTML tables for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in HTML.

    Parameters
    ----------
    caption : str
        Plain text, set above the table.
    head : sequence of str
        Names of the columns; empty for a table without a header.
    rows : sequence of sequence of object
        Cells, shown as plain text.

    Returns
    -------
    str
        Without colours or borders of its own, so that it looks like the tables around it.
    """
    parts = [f'<table><caption style="text-align: left">{escape(caption)}</caption>']
    if head:
        parts.append("<thead>" + _row("th", head) + "</thead>")
    parts += ["<tbody>", *(_row("td", row) for row in rows), "</tbody></table>"]
    return "".join(parts)


def _row(tag: str, cells: Sequence[object]) -> str:
    look = ' style="text-align: left"'
    return "<tr>" + "".join(f"<{tag}{look}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

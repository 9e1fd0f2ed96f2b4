"""A document as a text of TOML: the tables of a scenario, each value in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(document: Mapping[str, Any]) -> str:
    """The text of a document, as `tomllib` reads it: what stands alone, then its tables."""
    tables = {key: value for key, value in document.items() if _tables(value)}
    lines = list(_lines({key: value for key, value in document.items() if key not in tables}))
    for key, value in tables.items():
        head = f"[{_key(key)}]" if isinstance(value, dict) else f"[[{_key(key)}]]"
        for table in [value] if isinstance(value, dict) else value:
            lines += ["", head, *_lines(table)]
    return "\n".join(lines) + "\n"


def _tables(value: Any) -> bool:
    """Whether a value is a table, or a list of tables, with a heading of its own."""
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
    )


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_key(key)} = {_value(value)}" for key, value in table.items())


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # JSON's escapes are TOML's, but for the pairs that JSON makes of what is beyond 16 bits, and for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(_lines(value)) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else str(value)

"""The text of a scenario: reading TOML, and changing single keys of it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base.errors import InputError


def read(path: Path) -> str:
    """The text of a scenario file.

    Raises
    ------
    InputError
        If it is not there or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("", "there is no such file", str(path)) from None
    except UnicodeDecodeError:
        raise InputError("", "is not a text in UTF-8; give a scenario file in TOML", str(path)) from None
    except OSError as error:
        what = f"cannot be read ({error.strerror}); give a scenario file that you may read"
        raise InputError("", what, str(path)) from None


def parse(text: str) -> dict[str, Any]:
    """The document in a text of TOML.

    Raises
    ------
    InputError
        If it is not TOML, with the place of the fault.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError("", f"is not TOML: {error}") from None
    except RecursionError:
        raise InputError("", "is not TOML that can be read: it is nested too deeply") from None


def parse_change(change: str, example: str = "network.delta=1e4") -> tuple[list[str], Any]:
    """Key and value of a change such as ``network.delta=1e4``.

    Parameters
    ----------
    change : str
        A dotted key, ``=``, and a TOML value. What is no TOML value is taken as a text, so that
        ``solver.method=BDF`` needs no quotes.
    example : str
        What a right change looks like, for the error.

    Raises
    ------
    InputError
        If there is no key or no ``=``.
    """
    key, equals, value = change.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        raise InputError("--set", f"must be key=value, such as {example}, not {change!r}")
    try:
        document = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        document = {}
    return path, document["value"] if list(document) == ["value"] else value.strip()


def title(path: Path) -> str:
    """The title of a scenario file; empty where it cannot be read."""
    try:
        return str(parse(read(path)).get("title", ""))
    except InputError:
        return ""


def apply(text: str, changes: Sequence[str]) -> str:
    """`text` with `changes` (see `parse_change`) made to it, comments kept.

    Raises
    ------
    InputError
        If a change leads to a place that is not there.
    """
    if not changes:
        return text
    import tomlkit

    plain, styled = parse(text), tomlkit.parse(text)
    for change in changes:
        path, value = parse_change(change)
        _put(plain, path, value)
        _put(styled, path, value)
    changed = tomlkit.dumps(styled)
    # Comments are worth keeping, but the meaning goes first should an unusual layout come out wrong.
    try:
        kept = repr(tomllib.loads(changed)) == repr(plain)
    except tomllib.TOMLDecodeError:
        kept = False
    return changed if kept else tomlkit.dumps(plain)


def _put(node: Any, path: list[str], value: Any) -> None:
    """Set the value at `path` of a document, adding the tables that are not there."""
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(node, list):
            where = ".".join(path[: depth + 1])
            if not key.isdecimal() or int(key) >= len(node):
                here = ".".join(path[:depth])
                counted = f"0..{len(node) - 1}" if node else "there are none"
                meant = ".".join([here, *_entry(node, path[depth:])]) if node else ""
                hint = f"; did you mean {meant}?" if node and not key.isdecimal() else ""
                what = f"is not there; {here} is a list, give an index ({counted}){hint}"
                raise InputError(where, what, "--set")
            index: Any = int(key)
        elif isinstance(node, dict):
            index = key
            if not last and key not in node:
                node[key] = {}
        else:
            where = ".".join(path[:depth])
            raise InputError(".".join(path), f"is not there; {where} is a single value", "--set")
        if last:
            node[index] = value
        else:
            node = node[index]


def _entry(listed: list[Any], path: list[str]) -> list[str]:
    """The path from a list that was probably meant: to the entry that is named, or in the first."""
    named = [k for k, one in enumerate(listed) if isinstance(one, dict) and one.get("name") == path[0]]
    return [str(named[0]), *path[1:]] if named else ["0", *path]

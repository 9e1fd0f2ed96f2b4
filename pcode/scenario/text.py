"""The text of a scenario: reading TOML, and changing single keys of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base import documents
from ..base.documents import DEEPEST
from ..base.errors import InputError, cut
from ..base.reading import UnreadableError, read_text

# Characters of a text from which on its comments are not kept when it is changed, for the time that takes.
COMMENTED = 300_000

# Texts and comments of a document, and dotted keys in what is left.
_QUOTED = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"""|'
    + r"'''(?:[^']|'(?!''))*+'''|"
    + r'"(?:[^"\\\n]|\\.)*+"|'
    + r"'[^'\n]*+'|#[^\n]*+",
    re.DOTALL,
)
_DOTTED = re.compile(rf"(?<![\w.-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{DEEPEST}}}")


def read(path: Path) -> str:
    """The text of a scenario file.

    Raises
    ------
    InputError
        If it is not there or cannot be read.
    """
    try:
        return read_text(path)
    except UnreadableError as error:
        right = "" if error.missing else "; give a scenario file in TOML, which you may read"
        raise InputError("", f"{error.what}{right}", str(path)) from None


def parse(text: str) -> dict[str, Any]:
    """The document in a text of TOML.

    Raises
    ------
    InputError
        If it is not TOML, with the place of the fault; or it is nested deeper, or has a larger whole number,
        than a scenario can have, or a character that no name of something can have, with its key.
    """
    if _DOTTED.search(_QUOTED.sub("q", text)):
        raise InputError("", f"has a key of more than {DEEPEST} parts; no key of a scenario has so many")
    document = _loaded(text)
    documents.check(document)
    return document


def _loaded(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError("", f"is not TOML: {error}") from None
    except RecursionError:
        raise InputError("", "is not TOML that can be read: it is nested too deeply") from None
    except ValueError:  # Python converts no numbers of thousands of digits
        raise InputError(
            "", "has a number of thousands of digits; TOML's whole numbers have 64 bits"
        ) from None


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
        If there is no key or no ``=``, or the value is one that no key can have, such as a number of
        hundreds of digits.
    """
    key, equals, value = change.partition("=")
    path = [part.strip() for part in key.split(".", DEEPEST)]
    if not equals or not all(path):
        raise InputError("--set", f"must be key=value, such as {example}, not {cut(repr(change), 80)}")
    if len(path) > DEEPEST:
        raise InputError("--set", f"has a key of more than {DEEPEST} parts, {cut(key, 40)}; none has so many")
    where = cut(".".join(path), 80)
    try:
        document = _loaded(f"value = {value}")
    except InputError as error:
        if "is not TOML:" not in error.what:
            raise InputError(where, error.what, "--set") from None
        document = {}
    found = document["value"] if list(document) == ["value"] else value.strip()
    try:
        documents.check(found, where)
    except InputError as error:
        raise error.in_file("--set") from None
    return path, found


def title(path: Path) -> str:
    """The title of a scenario file; empty where it cannot be read."""
    try:
        return str(parse(read(path)).get("title", ""))
    except InputError:
        return ""


def apply(text: str, changes: Sequence[str]) -> str:
    """`text` with `changes` (see `parse_change`) made to it, comments kept where it is not very long.

    Raises
    ------
    InputError
        If a change leads to a place that is not there.
    """
    if not changes:
        return text
    plain = parse(text)
    parsed = [parse_change(change) for change in changes]
    for path, value in parsed:
        _put(plain, path, value)
    import tomli_w

    return (_styled(text, parsed, plain) if len(text) <= COMMENTED else None) or tomli_w.dumps(plain)


def _styled(text: str, changes: Sequence[tuple[list[str], Any]], plain: dict[str, Any]) -> str | None:
    """`text` with changes, comments kept; None where it does not come out as the document `plain`."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    # Comments are worth keeping, but the meaning goes first should an unusual layout come out wrong.
    try:
        styled = tomlkit.parse(text)
        for path, value in changes:
            _put(styled, path, value)
        changed = tomlkit.dumps(styled)
        return changed if repr(tomllib.loads(changed)) == repr(plain) else None
    except (TOMLKitError, InputError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _put(node: Any, path: list[str], value: Any) -> None:
    """Set the value at `path` of a document, adding the tables that are not there."""
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(node, list):
            where = ".".join(path[: depth + 1])
            if not (key.isascii() and key.isdecimal() and len(key) < 9) or int(key) >= len(node):
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

"""Errors of the schema, said in one line: the key, what is wrong with it, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..base.errors import InputError
from ..base.near import did_you_mean, hint, nearest
from .schema import ScenarioFile

_MUST_BE = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "finite",
    "string_type": "a text in quotes",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
# Of many phases the first ones are suggested.
MOST_PHASES = 3

# For each kind of bound its key in the error, and how to say it.
_LIMITS = {
    "greater_than": ("gt", "more than {:g}"),
    "greater_than_equal": ("ge", "{:g} or more"),
    "less_than": ("lt", "less than {:g}"),
    "less_than_equal": ("le", "at most {:g}"),
}


def one_line(error: ValidationError, document: dict[str, Any]) -> InputError:
    """The most telling of the errors that the schema found in `document`."""
    details = min(error.errors(include_url=False), key=_rank)
    path = _path(details["loc"], document)
    return InputError(_dotted(path), _what(details, path))


def suggest(word: str, known: Sequence[str]) -> str:
    """What to write instead of `word`: the known word that is near, or all of them."""
    return did_you_mean(word, known, f"known are {', '.join(known)}")


def check_change(path: Sequence[str], document: Mapping[str, Any]) -> None:
    """Raise InputError, with the keys that may be meant, unless the key of a change begins with a table.

    Parameters
    ----------
    path : sequence of str
        The parts of a dotted key.
    document : mapping
        The scenario that is to be changed.

    Raises
    ------
    InputError
    """
    if path[0] in ScenarioFile.model_fields:
        return
    meant = _with_table(path, document) if len(path) > 1 else _with_key(path[0], document)
    known = f"known are {', '.join(ScenarioFile.model_fields)}"
    hint = f"did you mean {' or '.join(meant)}?" if meant else known
    raise InputError(_dotted(path), f"unknown key; {hint}", "--set")


def _with_key(key: str, document: Mapping[str, Any]) -> list[str]:
    """The dotted keys that a key without its table may stand for."""
    # Those of [probes] stand one level deeper.
    tables = {name: _model([name]) for name in ScenarioFile.model_fields if name != "probes"}
    places = {f"{name}.": list(table.model_fields) for name, table in tables.items() if table}
    of_phase = places.pop("phase.")
    places |= {f"phase.{k}.": of_phase for k in range(min(len(_phases(document)), MOST_PHASES))}
    places[""] = list(ScenarioFile.model_fields)
    every = [one for known in places.values() for one in known]
    meant = key if key in every else nearest(key, every)
    return [f"{place}{meant}" for place, known in places.items() if meant in known]


def _with_table(path: Sequence[str], document: Mapping[str, Any]) -> list[str]:
    """The dotted keys that a key with an unknown table may stand for; a phase may be meant by its name."""
    called = [one.get("name") if isinstance(one, dict) else None for one in _phases(document)]
    named = [f"phase.{k}" for k, name in enumerate(called) if name == path[0]]
    close = nearest(path[0], ScenarioFile.model_fields)
    return [_dotted([home, *path[1:]]) for home in named or ([close] if close else [])]


def _phases(document: Mapping[str, Any]) -> list[Any]:
    """The phases of a document that has not been checked; none where it is no list."""
    phases = document.get("phase")
    return phases if isinstance(phases, list) else []


def shown(value: Any) -> str:
    """`value` as the file has it, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _rank(details: ErrorDetails) -> int:
    """A misspelt key explains the one that is missing, so it goes first."""
    return {"extra_forbidden": 0, "missing": 2}.get(details["type"], 1)


def _what(details: ErrorDetails, path: list[str | int]) -> str:
    kind, value = details["type"], details["input"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {_known(str(path[-1]), path[:-1])}"
    if kind == "missing":
        return _missing(path)
    if kind in ("too_short", "string_too_short"):
        return "must have one [[phase]] at least" if path == ["phase"] else _too_short(context)
    if path == ["phase"]:
        return "must be a list of tables: begin each phase with [[phase]]"
    if kind == "string_pattern_mismatch":
        return f"must be a table from layers, which are whole numbers, to values, not {shown(value)}"
    if kind == "literal_error":
        names = str(context["expected"]).replace("'", '"')
        words = re.findall('"(.*?)"', names)
        return f"must be {names}, not {shown(value)}{hint(value, words)}"
    if kind in _LIMITS:
        key, bound = _LIMITS[kind]
        return f"must be {bound.format(context[key])}, not {shown(value)}"
    if kind in _MUST_BE:
        return f"must be {_MUST_BE[kind]}, not {shown(value)}"
    message = details["msg"] if kind == "either" else details["msg"][:1].lower() + details["msg"][1:]
    return f"{message}, not {shown(value)}"


def _too_short(context: dict[str, Any]) -> str:
    least = context.get("min_length", 1)
    return f"must have {least} {'entry' if least == 1 else 'entries'} at least"


def _missing(path: list[str | int]) -> str:
    if path == ["phase"]:
        return "is missing; add one [[phase]] at least"
    model = _model(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    about = " ".join((field.description or "").split()).rstrip(".") if field else ""
    return f"is missing; add it: {about[:1].lower()}{about[1:]}" if about else "is missing"


def _known(word: str, path: list[str | int]) -> str:
    model = _model(path)
    known = list(model.model_fields) if model else []
    homes = [name for name, table in _tables() if word in table.model_fields and table is not model]
    if homes and (nearest(word, known) is None or not path):
        return f"it belongs in {' or '.join(homes)}"
    return suggest(word, known)


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    for name in ScenarioFile.model_fields:
        table = _model([name])
        if table:
            yield ("[[phase]]" if name == "phase" else f"[{name}]"), table


def _model(path: Sequence[str | int]) -> type[BaseModel] | None:
    """The schema's table at `path`."""
    model: type[BaseModel] | None = ScenarioFile
    for key in path:
        if isinstance(key, str) and model is not None and key in model.model_fields:
            model = _table_in(model.model_fields[key].annotation)
    return model


def _table_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_table_in, get_args(annotation))), None)


def _path(loc: tuple[str | int, ...], document: Any) -> list[str | int]:
    """`loc` without the marks that pydantic puts in for the forms a value may have."""
    path: list[str | int] = []
    for key in loc:
        inside = isinstance(document, dict) and key in document
        if inside or (isinstance(document, list) and isinstance(key, int) and key < len(document)):
            document = document[key]
            path.append(key)
        elif (
            key == loc[-1]
            and isinstance(document, dict)
            and key not in ("text", "list", "rows", "table", "number", "[key]")
        ):
            path.append(key)
    return path


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))

"""What `pcode list` prints: the names that there are, or all about one of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

from .. import solvers
from ..analysis import QUESTIONS
from ..base import shipped
from ..base.errors import InputError
from ..base.near import did_you_mean
from ..model.activations import ACTIVATIONS
from ..model.data_sets import DATA
from ..plotting.recipes import Recipe, caption, docstring
from ..scenario import title

_SINGULAR = {"studies": "study"}

# The entries of the section "Parameters" of a numpydoc docstring.
_PARAMETERS = re.compile(r"\nParameters\n-+\n(.*?)(?:\n\n\w+\n-+\n|\Z)", re.DOTALL)


def sections() -> dict[str, dict[str, str]]:
    """All names by kind, with a few words about each."""
    return {
        "scenarios": {name: title(path) for name, path in shipped.names("scenarios").items()},
        "recipes": {name: caption(path) for name, path in shipped.names("plots").items()},
        "questions": {name: question.about for name, question in QUESTIONS.items()},
        "methods": {name: solvers.about(name) for name in solvers.METHODS},
        "data": {name: known.about for name, known in DATA.items()},
        "activations": dict.fromkeys(ACTIVATIONS, ""),
        "studies": {name: caption(path) for name, path in shipped.names("docs/studies").items()},
        "pages": {name: _heading(path) for name, path in shipped.names("docs").items()},
    }


def names() -> list[str]:
    """Every name, a line each, by kind."""
    lines = []
    for section, entries in sections().items():
        width = max(map(len, entries), default=0)
        lines += [section, *(f"  {name:<{width}}  {about}".rstrip() for name, about in entries.items())]
    return [*lines, "pcode list NAME tells the options of a recipe or a question, and more of the others"]


def about(name: str) -> list[str]:
    """All about what is called `name`: a question and a recipe may share a name.

    Raises
    ------
    InputError
        If nothing is called so.
    """
    kinds = {kind: entries for kind, entries in sections().items() if name in entries}
    if not kinds:
        every = [known for entries in sections().values() for known in entries]
        hint = did_you_mean(name, every, "pcode list without a name shows what there is")
        raise InputError("NAME", f"nothing is called {name!r}; {hint}")
    lines: list[str] = []
    for kind, entries in kinds.items():
        lines += [*([""] if lines else []), f"{_SINGULAR.get(kind, kind.removesuffix('s'))} {name}"]
        lines += _DETAILS[kind](name) if kind in _DETAILS else [f"  {entries[name]}".rstrip()]
    return lines


def _heading(page: Path) -> str:
    """The second paragraph of a page, after its title: what it is about, in one line."""
    return " ".join(page.read_text(encoding="utf-8").split("\n\n")[1].split()).partition(". ")[0].rstrip(".")


def _page(name: str) -> list[str]:
    path = shipped.names("docs")[name]
    return [f"  {path}", *_indented(path.read_text(encoding="utf-8").strip())]


def _scenario(name: str) -> list[str]:
    path = shipped.names("scenarios")[name]
    return [f"  {title(path)}", f"  {path}", *_indented(path.read_text(encoding="utf-8").strip())]


def _study(name: str) -> list[str]:
    path = shipped.names("docs/studies")[name]
    return [f"  to run it: python {path} -o FOLDER", *_indented(docstring(path))]


def _recipe(name: str) -> list[str]:
    path = shipped.names("plots")[name]
    return [*_indented(docstring(path)), *_options(Recipe.load(name).figure)]


def _question(name: str) -> list[str]:
    function = QUESTIONS[name].load()
    tables = inspect.getdoc(get_type_hints(function)["return"].tables) or ""
    named = re.findall(r"`(\w+)`", tables)
    explained = inspect.getdoc(inspect.getmodule(function)) or ""
    return [
        *_indented(explained),
        *_options(function),
        f"  tables (--csv, --latex, --table NAME; the first by default): {', '.join(named)}",
    ]


def _options(function: Callable[..., Any]) -> list[str]:
    """The options of a recipe or a question, from its docstring: all arguments but the run."""
    found = _PARAMETERS.search(f"{inspect.getdoc(function) or ''}")
    entries = re.split(r"\n(?=\S)", found[1].strip("\n")) if found else []
    kept = [entry for entry in entries if not re.match(r"run\b", entry)]
    return ["  options (--set OPTION=VALUE):", *_indented("\n".join(kept), 4)] if kept else ["  no options"]


def _indented(text: str, by: int = 2) -> list[str]:
    return [f"{' ' * by}{line}".rstrip() for line in text.splitlines()]


_DETAILS: dict[str, Callable[[str], list[str]]] = {
    "scenarios": _scenario,
    "recipes": _recipe,
    "questions": _question,
    "studies": _study,
    "pages": _page,
}

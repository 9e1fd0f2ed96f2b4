"""The questions, by name: a module is one where it says what it asks. It is imported when it is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..base import checks
from ..base.errors import InputError
from ..base.near import did_you_mean
from ..base.options import checked_options
from ..run.dataset import time_units
from ..run.result import Run
from ..run.select import of_run
from .result import Result


@dataclass(frozen=True)
class Question:
    """A question that can be asked of a run.

    Attributes
    ----------
    name : str
        Also the name of its module in `pcode.analysis` and of the function there,
        ``name(run, **options) -> Result``. Its figure, if it has one, is the function
        ``name(answer, ax=None, **options) -> Axes`` in the module of this name in `pcode.plotting`.
    about : str
        What it asks, in one line: the constant ``ASKS`` of its module.
    """

    name: str
    about: str

    def load(self) -> Callable[..., Result]:
        """The function that answers it."""
        function: Callable[..., Result] = getattr(import_module(f".{self.name}", __package__), self.name)
        return function


_ASKS = re.compile(r'^ASKS = "(.+)"$', re.MULTILINE)


def _found() -> dict[str, Question]:
    """The modules in this folder that have a line ``ASKS = "..."``; none of them is imported for that."""
    questions = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        asks = _ASKS.search(file.read_text(encoding="utf-8"))
        if asks:
            questions[file.stem] = Question(file.stem, asks[1])
    return questions


QUESTIONS: dict[str, Question] = _found()


def by_name(name: str) -> Question:
    """The question called `name`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if not isinstance(name, str) or name not in QUESTIONS:
        hint = did_you_mean(name, QUESTIONS, f"there are {', '.join(QUESTIONS)}")
        raise InputError("question", f"no question {checks.shown(name)}; {hint}")
    return QUESTIONS[name]


@of_run
def ask(run: Run, question: str, options: Mapping[str, Any] | None = None) -> Result:
    """Answer a question about `run`.

    Parameters
    ----------
    run : Run
    question : str
        One of `QUESTIONS`.
    options : mapping of str to value, optional
        What the question takes besides the run.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If there is no such question or option, or it cannot be answered of this run.
    """
    given = {} if options is None else options
    checks.instance("options", given, Mapping, "a mapping from names to values")
    answer = by_name(question).load()
    checked = checked_options(answer, given, f"the question {question}")
    # What overflows in a run that grew beyond bounds shows in the answer; NumPy need not warn of it.
    with np.errstate(all="ignore"):
        return replace(answer(run, **checked), time_unit=time_units(run.network))

"""What `pcode analyse` does: answer a question about a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from ..analysis import ask
from ..base.errors import InputError
from ..run.result import Run
from .loading import load_run


def analyse_run(
    question: str,
    file: Path,
    options: Mapping[str, Any],
    as_json: bool,
    picture: Path | None,
    allow_code: bool = False,
) -> None:
    """Print the answer to `question` about the run in `file`; draw it where a `picture` is wanted.

    Raises
    ------
    InputError
        With the file's name, where the question cannot be answered of this run.
    """
    run = load_run(file, allow_code)
    try:
        result = ask(run, question, options)
    except InputError as error:
        raise (error if error.source else error.in_file(str(file))) from None
    if picture is not None:
        from ..plotting import save_figure

        save_figure(result.plot().figure, picture)
    typer.echo(json.dumps(result.to_dict(), indent=2, allow_nan=False) if as_json else str(result))
    if picture is not None:
        typer.echo(str(picture), err=as_json)


def answers(run: Run, questions: Sequence[str]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Answer the questions of a scenario.

    Returns
    -------
    dict
        The answers by question, as plain values; ``{"error": ...}`` for one that has none.
    list of str
        What to print of them.
    list of str
        Why some have no answer.
    """
    values: dict[str, Any] = {}
    told: list[str] = []
    unanswered: list[str] = []
    for question in questions:
        try:
            result = ask(run, question)
        except InputError as error:
            values[question] = {"error": str(error)}
            unanswered.append(f"analysis.questions: {question}: {error}")
        else:
            values[question] = result.to_dict()
            told.append(f"  {question}: {result.lines()[0]}")
    return values, told, unanswered

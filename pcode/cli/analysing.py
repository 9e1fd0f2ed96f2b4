"""What `pcode analyse` does: answer a question about a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..analysis import Result, ask
from ..base.errors import InputError
from ..base.files import replacing
from ..base.tables import chosen
from ..run.result import Run
from .ending import say
from .loading import load_run
from .paths import PICTURES, check_target
from .sizes import asked_dpi, asked_style


@dataclass(frozen=True)
class Outputs:
    """What to make of an answer besides printing it.

    Attributes
    ----------
    as_json : bool
        Print it as JSON.
    picture, csv, latex : Path or None
        Files for its figure and for one of its tables.
    table : str or None
        The name of that table; the first by default.
    size, font_size, dpi : optional
        Of the figure, as for `pcode plot`.
    """

    as_json: bool = False
    picture: Path | None = None
    csv: Path | None = None
    latex: Path | None = None
    table: str | None = None
    size: str | None = None
    font_size: float | None = None
    dpi: float | None = None

    @property
    def files(self) -> list[Path]:
        """The files that are written."""
        return [path for path in (self.picture, self.csv, self.latex) if path is not None]

    def check(self) -> None:
        """Raise InputError where a file cannot be written, before anything is computed."""
        if self.picture is not None:
            check_target(self.picture, "-o", PICTURES)
            asked_dpi(self.dpi, self.picture)
            asked_style(self.size, self.font_size)
        looks = {"--size": self.size, "--font-size": self.font_size, "--dpi": self.dpi}
        for option, value in looks.items() if self.picture is None else ():
            if value is not None:
                raise InputError(option, "is of the picture that -o draws; give that too")
        if self.csv is not None:
            check_target(self.csv, "--csv", (".csv",))
        if self.latex is not None:
            check_target(self.latex, "--latex", (".tex",))
        if self.table is not None and self.csv is None and self.latex is None:
            raise InputError("--table", "chooses what --csv or --latex writes; give one of them too")

    def write(self, result: Result) -> None:
        """Write the files; nothing is written where one of them cannot be made."""
        csv = latex = ""
        if self.csv is not None or self.latex is not None:
            try:
                check_filled(result, self.table)
                csv = result.to_csv(self.table)
                latex = "" if self.latex is None else result.to_latex(self.table)
            except InputError as error:
                raise InputError("--table", error.what) from None
        with asked_style(self.size, self.font_size):
            figure: Any = None if self.picture is None else result.plot().figure
        for path, text, option in ((self.csv, csv, "--csv"), (self.latex, latex, "--latex")):
            if path is not None:
                with replacing(path, option) as temporary:
                    temporary.write_text(text, encoding="utf-8")
        if self.picture is not None:
            from ..plotting import save_figure

            save_figure(figure, self.picture, dpi=self.dpi)


def check_filled(result: Result, table: str | None) -> None:
    """Raise InputError if the answer has no such table, or nothing to fill it."""
    tables = result.tables()
    wanted = chosen(tables, table)
    if wanted.row_count:
        return
    filled = [name for name, other in tables.items() if other.row_count]
    name = next(name for name, other in tables.items() if other is wanted)
    what = f"there is nothing in the table {name} of this answer; there is in {', '.join(filled) or 'none'}"
    raise InputError("table", f"{what} (`pcode list {result.question}` tells of options)")


def analyse_run(
    question: str,
    file: Path,
    options: Mapping[str, Any],
    outputs: Outputs,
    allow_code: bool = False,
    presentation: int | None = None,
) -> None:
    """Print the answer to `question` about the run in `file`, and write what `outputs` asks for.

    Raises
    ------
    InputError
        With the file's name, where the question cannot be answered of this run.
    """
    run = load_run(file, allow_code, presentation)
    try:
        result = ask(run, question, options)
    except InputError as error:
        raise (error if error.source else error.in_file(str(file))) from None
    outputs.write(result)
    as_json = outputs.as_json
    say(json.dumps(result.to_dict(), indent=2, allow_nan=False) if as_json else str(result))
    for path in outputs.files:
        say(str(path), err=as_json)


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

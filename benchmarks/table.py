"""The table: for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from .case import SHELL, Case
from .goals import Verdict, fastest
from .measure import Bench
from .measurement import Measurement

COLUMNS = (
    "case", "N", "delta/tau", "method", "seconds", "best generic / this", "steps", "error",
    "peak MB", "target", "found", "reached",
)  # fmt: skip
RIGHT = {"N", "delta/tau", "seconds", "best generic / this", "steps", "error", "peak MB"}

OURS = ("cvode", "Kvaerno5", "Kvaerno3", "auto")

Row = tuple[str, ...]


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1.0 else f"{value:.3g}"


def _steps(made: Measurement) -> str:
    if made.steps is None:
        return "-"
    return f"{made.steps:,}" + (f" +{made.rejected:,}" if made.rejected else "")


def _verdict_cells(verdict: Verdict | None) -> Row:
    if verdict is None:
        return "", "", ""
    return verdict.target, verdict.found, {True: "yes", False: "NO", None: "-"}[verdict.reached]


def _ratio(made: Measurement, generic: list[Measurement]) -> str:
    best, seconds, longer = fastest(generic)
    if best is None or made.seconds is None:
        return "-"
    return f"{'>' if longer else ''}{seconds / made.seconds:.3g}"


def _measured_cells(made: Measurement, case: Case, generic: list[Measurement]) -> Row:
    method = made.method + (f" = {made.picked}" if made.picked else "")
    if made.rtol != case.rtol:
        method += f", rtol {made.rtol:.1e}"
    seconds = made.reason if made.seconds is None else _seconds(made.seconds)
    return (
        case.name,
        f"{case.unknowns:,}",
        f"{case.ratio:.0e}".replace("e+0", "e"),
        method,
        seconds,
        _ratio(made, generic),
        _steps(made),
        "-" if made.error is None else f"{made.error:.1e}",
        "-" if made.peak_mb is None else f"{made.peak_mb:,.0f}",
    )


def case_rows(bench: Bench, case: Case, verdicts: Sequence[tuple[str, Verdict]]) -> list[Row]:
    """The rows of one case; what a method is to reach stands beside it, and below."""
    measured = [made for made in bench.measured(case) if made.status != "absent"]
    generic = [made for made in measured if made.method not in OURS]
    rows: list[Row] = []
    for made in measured:
        mine: list[Verdict | None] = []
        if made.rtol == case.rtol:
            mine += [verdict for method, verdict in verdicts if method == made.method]
        cells = _measured_cells(made, case, generic)
        for k, verdict in enumerate(mine or [None]):
            rows.append((cells if k == 0 else ("",) * len(cells)) + _verdict_cells(verdict))
    return rows


def across_row(name: str, method: str, verdict: Verdict) -> Row:
    """The row of a target over several cases."""
    return (name, "", "", method, *("",) * 5, *_verdict_cells(verdict))


def shell_row(made: Measurement, most: float) -> Row:
    """The row of ``pcode run xor``."""
    seconds = made.reason if made.seconds is None else _seconds(made.seconds)
    verdict = Verdict(f"{most:g} s", seconds, made.seconds is not None and made.seconds <= most)
    cells = ("-", "-", "second start", seconds, *("-",) * 4)
    return (SHELL, *cells, *_verdict_cells(verdict))


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the table as wide as it needs to be."""
    table = Table(header_style="bold", pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=True)
    before = ""
    for row in rows:
        if row[0] and row[0] != before:
            table.add_section()
        table.add_row(*("" if k == 0 and cell == before else cell for k, cell in enumerate(row)))
        before = row[0] or before
    # Cells are not to be cut short: a terminal that is too narrow wraps the lines, a file keeps them whole.
    console.width = max(
        console.width, console.measure(table, options=console.options.update(width=999)).maximum
    )
    console.print(table)


def markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table."""
    rule = ["--:" if name in RIGHT else "---" for name in COLUMNS]
    lines = (COLUMNS, rule, *rows)
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)

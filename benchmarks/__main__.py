"""The command: ``python -m benchmarks [--quick] [--case NAME] [--list] [--json FILE] [--markdown FILE]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console

from . import cases, learning, noise, table
from .case import LEARNING, NOISE, SHELL, Case
from .cases import Suite
from .goals import Verdict
from .measure import Bench

# Seconds that `pcode run xor` may take from the shell.
SHELL_SECONDS = 5.0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two tiny networks, to prove that it runs")
    parser.add_argument("--case", action="append", help="only cases whose names begin so; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the cases and their methods")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument(
        "--limit", type=float, default=600.0, metavar="SECONDS", help="give a method up after this (600)"
    )
    parser.add_argument(
        "--reference-limit",
        type=float,
        default=900.0,
        metavar="SECONDS",
        help="the same for a reference (900)",
    )
    return parser.parse_args(argv)


def _list(console: Console, suite: Suite) -> None:
    for case in suite.cases:
        console.print(f"{case.name:<24} N = {case.unknowns:>9,}  {', '.join(case.methods)}", soft_wrap=True)
    if suite.learning:
        console.print(f"{LEARNING:<24} {', '.join(learning.JOBS)}", soft_wrap=True)
    if suite.noise:
        console.print(f"{NOISE:<24} {', '.join(noise.JOBS)}", soft_wrap=True)
    if suite.shell:
        console.print(f"{SHELL:<24} second start, figures included")


def measure_all(bench: Bench, suite: Suite) -> tuple[list[table.Row], list[dict[str, Any]]]:
    """Measure and judge everything; the rows of the table, and the same for JSON."""
    rows: list[table.Row] = []
    told: list[dict[str, Any]] = []
    named: dict[str, Case] = {case.name: case for case in suite.cases}

    def note(case: str, method: str, verdict: Verdict) -> None:
        told.append({"case": case, "method": method} | asdict(verdict))

    for case in suite.cases:
        for method in case.methods:
            bench.get(case, method)
        verdicts = [(goal.method, goal.judge(bench, case)) for goal in case.goals]
        for method, verdict in verdicts:
            note(case.name, method, verdict)
        rows += table.case_rows(bench, case, verdicts)
    for goal in suite.across:
        verdict = goal.judge(bench, [named[name] for name in goal.cases])
        name = f"{goal.cases[0]} to {goal.cases[-1]}"
        note(name, goal.method, verdict)
        rows.append(table.across_row(name, goal.method, verdict))
    for name, module, asked in ((LEARNING, learning, suite.learning), (NOISE, noise, suite.noise)):
        if asked:
            more, found = module.rows(partial(bench.job, module.__name__.rpartition(".")[2]))
            rows += more
            for what, verdict in found:
                note(name, what, verdict)
    if suite.shell:
        rows.append(table.shell_row(bench.shell(), SHELL_SECONDS))
    return rows, told


def _versions() -> dict[str, str]:
    packages = ("numpy", "scipy", "jax", "jaxlib", "diffrax", "scikit-sundae")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in packages}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 if something could not be measured that should have been, 2 for misuse."""
    asked = _arguments(argv)
    console, notes = Console(), Console(stderr=True)
    suite = cases.quick() if asked.quick else cases.full()
    if asked.case:
        suite = suite.only(asked.case)
    if not (suite.cases or suite.shell or suite.learning or suite.noise):
        notes.print("no case is called so; --list names them")
        return 2
    if asked.list:
        _list(console, suite)
        return 0
    bench = Bench(asked.limit, asked.reference_limit, lambda what: notes.print(what, style="dim"))
    rows, verdicts = measure_all(bench, suite)
    table.show(console, rows)
    measured = [made for case in suite.cases for made in bench.measured(case)]
    measured += [bench.shell()] if suite.shell else []
    if asked.markdown:
        asked.markdown.write_text(table.markdown(rows))
    if asked.json:
        machine = {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()}
        document = {"machine": machine, "versions": _versions(), "targets": verdicts}
        document["measurements"] = [asdict(made) for made in measured]
        asked.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(any(made.status == "failed" for made in measured))


if __name__ == "__main__":
    raise SystemExit(main())

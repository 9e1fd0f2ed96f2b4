"""Progress bars for terminals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..simulation import Progress

# Probes beside a bar; of more, the first ones.
MOST_PROBES = 4


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """A function to tell the progress of a run to; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=24),
        TextColumn(
            "t = {task.fields[t]:<9.4g} step {task.fields[step]:<9.2e} F = {task.fields[energy]:<10.4g}"
            "{task.fields[more]}"
        ),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[int, object] = {}

        def tell(now: Progress) -> None:
            fields: dict[str, Any] = {"t": now.t, "step": now.step, "energy": now.energy, "more": _more(now)}
            if now.phase not in tasks:
                tasks[now.phase] = bars.add_task(now.name, total=now.duration, **fields)
                for finished in bars.tasks[:-1]:
                    bars.stop_task(finished.id)
            bars.update(bars.tasks[-1].id, completed=now.t, **fields)

        yield tell


def _more(now: Progress) -> str:
    """Which presentation is shown, and the latest values of probes."""
    words = [f"{name} = {value:.3g}" for name, value in list(now.probes.items())[:MOST_PROBES]]
    if now.presentation is not None:
        words.insert(0, f"{now.presentation + 1:,}/{now.presentations:,}")
    return "".join(f" {word}" for word in words)


@contextmanager
def counting_bar(name: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """A function to tell how many of `total` are done; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(name, total=total)

        def tell(done: int) -> None:
            bars.update(task, completed=done)

        yield tell

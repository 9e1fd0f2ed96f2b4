"""Progress bars for terminals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..simulation import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

# Letters of a line that the name of a phase and the time that has passed take; and the width of a terminal
# from which on a bar has its full length.
BESIDE, WIDE = 22, 100


@contextmanager
def on_terminal(bars: Bars) -> Iterator[Bars]:
    """Show `bars`. Where the terminal goes away, that is all that is lost."""
    with suppress(OSError):
        bars.start()
    try:
        yield bars
    finally:
        with suppress(OSError):
            bars.stop()


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """A function to tell the progress of a run to; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    bar = 24 if console.width >= WIDE else 12
    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=bar),
        TextColumn("{task.fields[told]}", markup=False),
        TimeElapsedColumn(),
    )
    with on_terminal(Bars(*columns, console=console)) as bars:
        tasks: dict[int, object] = {}

        def tell(now: Progress) -> None:
            fields: dict[str, Any] = {"told": _told(now, console.width - bar - BESIDE)}
            if now.phase not in tasks:
                tasks[now.phase] = bars.add_task(now.name, total=now.duration, **fields)
                for finished in bars.tasks[:-1]:
                    bars.stop_task(finished.id)
            bars.update(bars.tasks[-1].id, completed=now.t, **fields)

        yield tell


def _told(now: Progress, room: int) -> str:
    """What stands beside a bar: time, step and energy; of probes and presentations what there is room for."""
    told = f"t = {now.t:<9.4g}"
    more = [] if now.presentation is None else [f"{now.presentation + 1:,}/{now.presentations:,}"]
    more += [f"{name} = {value:<6.3g}" for name, value in now.probes.items()]
    if not more:
        return f"{told} step {now.step:<9.2e} F = {now.energy:<10.4g}"
    for word in more:
        if len(told) + 1 + len(word) > room:
            break
        told += f" {word}"
    return told


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
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with on_terminal(Bars(*columns, console=Console(stderr=True))) as bars:
        task = bars.add_task(name, total=total)

        def tell(done: int) -> None:
            bars.update(task, completed=done)

        yield tell

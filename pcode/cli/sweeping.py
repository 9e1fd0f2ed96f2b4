"""What `pcode sweep` and `pcode resume` do: run the points, draw the figures, and say what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..base.errors import InputError
from ..base.files import NotSavedError
from ..plotting import save_figure
from ..plotting.recipes import Outline, Recipe, outline
from ..run.sweep import Sweep
from ..scenario import Scenario
from ..sweeps import (
    SweepFolder,
    SweepProgress,
    WorkersLostError,
    ask_for,
    check_points,
    points_of,
    resume_sweep,
    sweep,
)
from .ending import BAD_INPUT, DONE, FAILED, complain, say
from .signals import Signals
from .sweep_progress import sweep_bar

T = TypeVar("T", Recipe, Outline)

# Points that the line about failures names.
MOST_NAMED = 5


@dataclass(frozen=True)
class Ways:
    """How to run a sweep: the options of the command.

    Attributes
    ----------
    workers, scheduler, timeout, retries
        As for `pcode.sweep`.
    signals : Signals
    """

    workers: int | None
    scheduler: str | None
    timeout: float
    retries: int
    signals: Signals


def sweep_scenario(
    scenario: Scenario, over: Sequence[str] | None, folder: Path, keep_runs: bool, force: bool, ways: Ways
) -> int:
    """Run a sweep, write everything to `folder`, and say so; return the exit code."""
    ask_for(scenario, list(over) if over else None, where="--over")

    def run(tell: Callable[[SweepProgress], None]) -> Sweep:
        return sweep(
            scenario,
            list(over) if over else None,
            out=folder,
            workers=ways.workers,
            scheduler=ways.scheduler,
            timeout=ways.timeout,
            retries=ways.retries,
            keep_runs=keep_runs,
            force=force,
            progress=tell,
            stop=ways.signals.stop,
        )

    return _carried_out(run, scenario, folder, ways.signals)


def go_on_with_sweep(folder: Path, ways: Ways, allow_code: bool = False) -> int:
    """Go on with the sweep in `folder`; return the exit code."""
    scenario = SweepFolder(folder).read_asked(allow_code).scenario

    def run(tell: Callable[[SweepProgress], None]) -> Sweep:
        return resume_sweep(
            folder,
            workers=ways.workers,
            scheduler=ways.scheduler,
            timeout=ways.timeout,
            retries=ways.retries,
            allow_code=allow_code,
            progress=tell,
            stop=ways.signals.stop,
        )

    return _carried_out(run, scenario, folder, ways.signals)


def _carried_out(
    run: Callable[[Callable[[SweepProgress], None]], Sweep],
    scenario: Scenario,
    folder: Path,
    signals: Signals,
) -> int:
    figures = figures_of(scenario)
    goes_on = f"pcode resume {folder} goes on"
    try:
        with signals.keeping(), sweep_bar() as tell:
            swept = run(tell)
    except WorkersLostError as error:
        return complain(f"{folder}: {error}; what is done is kept, {goes_on}", FAILED)
    except OSError as error:
        told = error if isinstance(error, NotSavedError) else f"{error.filename}: {error.strerror}"
        return complain(f"{told}; {goes_on}", FAILED)
    if not (folder / "sweep.nc").exists():
        return DONE  # stopped before anything ran
    say(f"{swept.data.attrs['title']}: {_told(swept)}")
    say(str(folder / "sweep.nc"))
    if signals.stop():
        return complain(f"{folder}: stopped; {goes_on}", DONE)
    undone = []
    for name, recipe, options in figures:
        try:
            save_figure(recipe.draw(swept, options), folder / f"{name}.png")
            say(str(folder / f"{name}.png"))
        except InputError as error:
            undone.append(str(error))
        except OSError as error:
            undone.append(f"{error.filename or name}: {error.strerror or error}")
    return _verdict(swept, folder, undone)


def _told(swept: Sweep) -> str:
    counts = ", ".join(f"{count} {status or 'not done'}" for status, count in swept.statuses.items())
    size = swept.data["status"].size
    return f"{size} point{'s' * (size != 1)}: {counts}"


def _verdict(swept: Sweep, folder: Path, undone: Sequence[str]) -> int:
    """The exit code, with one line on stderr where there is something to say."""
    data = swept.data
    lost = data["status"].to_numpy().ravel() == "error"
    if lost.any():
        numbers = data["point"].to_numpy().ravel()[lost].tolist()
        first = str(data["message"].to_numpy().ravel()[lost][0])
        named = ", ".join(map(str, numbers[:MOST_NAMED])) + ", ..." * (len(numbers) > MOST_NAMED)
        what = f"{len(numbers)} of {lost.size} points have no run: {named} ({first})"
        return complain(
            f"{folder}: {what}; pcode resume {folder} tries again", FAILED if lost.all() else DONE
        )
    if undone:
        more = f" (and {len(undone) - 1} more)" if len(undone) > 1 else ""
        return complain(f"{undone[0]}{more}; the sweep itself is in {folder}", BAD_INPUT)
    return DONE


def figures_of(scenario: Scenario) -> list[tuple[str, Recipe, dict[str, object]]]:
    """The figures that the scenario's table [sweep] asks for: their names, recipes and options.

    Raises
    ------
    InputError
        As for `check_figures`; or if a recipe cannot be loaded.
    """
    check_figures(scenario)
    return _each_figure(scenario, Recipe.load)


def check_figures(scenario: Scenario) -> None:
    """Check the figures that the table [sweep] asks for by the texts of their recipes; none is run.

    Raises
    ------
    InputError
        If there is no such recipe, it is code that is not allowed, it does not draw sweeps, or two figures
        would have one name.
    """
    _each_figure(scenario, outline)


def _each_figure(scenario: Scenario, read: Callable[..., T]) -> list[tuple[str, T, dict[str, object]]]:
    found: list[tuple[str, T, dict[str, object]]] = []
    for k, table in enumerate(scenario.file.sweep.figure if scenario.file.sweep else ()):
        where, source = f"sweep.figure.{k}", str(scenario.path)
        try:
            recipe = read(table.recipe, scenario.path.parent, allow_code=scenario.allow_code)
        except InputError as error:
            what = ": ".join(part for part in (error.source, error.where, error.what) if part)
            raise InputError(f"{where}.recipe", what, source) from None
        if recipe.draws != "sweep":
            what = f"{recipe.name} draws a run, not a sweep; give a recipe of sweeps, such as sweep_lines"
            raise InputError(f"{where}.recipe", what, source)
        name = table.name or recipe.name
        if name in [other for other, *_ in found]:
            raise InputError(f"{where}.name", f"there are two figures {name}; name one of them else", source)
        found.append((name, recipe, dict(table.options)))
    return found


def described(scenario: Scenario) -> list[str]:
    """What the table [sweep] asks for, in lines, with all points checked; none where there is no table."""
    if scenario.file.sweep is None:
        return []
    asked = ask_for(scenario)
    points = points_of(asked.axes)
    structures = check_points(scenario, points)
    check_figures(scenario)
    count = len(set(structures.values()))
    axes = ", ".join(f"{' with '.join(axis.keys)} ({len(axis)})" for axis in asked.axes)
    return [f"sweep    {len(points):,} points, {count} structure{'s' * (count != 1)}, over {axes}"]

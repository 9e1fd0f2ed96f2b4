"""What `pcode run`, `check` and `plot` do: run a scenario, describe it, draw its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..base import checks
from ..base.errors import InputError
from ..base.reading import told_size
from ..base.status import Status
from ..base.units import suffix
from ..model.data import Data
from ..plotting import save_figure
from ..plotting.recipes import Outline, Recipe, check_allowed, outline
from ..run.invariants import violations
from ..run.result import Run
from ..run.sweep import Sweep
from ..scenario import Scenario, report
from ..scenario.resuming import CHECKPOINT, Unfinished
from ..simulation import EVERY, Checkpoint, Probe
from .analysing import answers
from .ending import BAD_INPUT, DONE, FAILED, complain, say
from .output import Output
from .progress import progress_bar
from .signals import Signals

T = TypeVar("T")

# As many classes are told one by one.
FEW_CLASSES = 5


def run_scenario(
    scenario: Scenario, folder: Path, force: bool, signals: Signals, ways: Ways | None = None
) -> int:
    """Simulate `scenario`, write everything to `folder`, and say so; return the exit code."""
    ways = Ways() if ways is None else ways
    scenario.check()
    recipes = recipes_of(scenario)
    formats = scenario.file.plots.formats
    pictures = {recipe: [f"{recipe.name}.{suffix}" for suffix in formats] for recipe in recipes}
    names = ["run.nc", "report.json", *(name for group in pictures.values() for name in group)]
    with Output(folder, [*names, CHECKPOINT], force) as output:
        if ways.resume is None:
            (folder / CHECKPOINT).unlink(missing_ok=True)  # of an earlier run
        most = scenario.plan.result_bytes + _bytes_of(scenario.data)
        tight = output.check_room(most, scenario.least_bytes, checkpoints=ways.every is not None)
        if tight:
            complain(tight, DONE)
        with signals.keeping():
            run = _computed(scenario, folder, ways, signals)
            unsaved = _unsaved(run, output, signals)
        if unsaved:
            return complain(unsaved, FAILED, whole=True)  # it says where the result is
        (folder / CHECKPOINT).unlink(missing_ok=True)
        answered, undone = _answer(scenario, run, output, signals)
        if not signals.stop():
            undone += _draw_all(pictures, run, folder)
        say("\n".join([*summary(scenario, run), *answered]))
        for name in names:
            if (folder / name).exists():
                say(str(folder / name))
        return _verdict(scenario, run, folder, undone)


def _computed(scenario: Scenario, folder: Path, ways: Ways, signals: Signals) -> Run:
    with progress_bar() as progress:
        return ways.simulate(scenario, folder, progress, signals)


def _unsaved(run: Run, output: Output, signals: Signals) -> str:
    """Save the result; if it had to be kept elsewhere, why and where."""
    try:
        output.save(run.to_bytes(), report(run), signals.held)
    except (InputError, OSError) as error:
        return str(error)
    return ""


def _bytes_of(data: Data | None) -> int:
    return 0 if data is None else data.inputs.nbytes + (0 if data.targets is None else data.targets.nbytes)


def _draw_all(pictures: Mapping[Recipe, Sequence[str]], run: Run, folder: Path) -> list[str]:
    """Draw the figures of a run; why some could not be drawn."""
    undone = []
    for recipe, targets in pictures.items():
        try:
            draw(recipe, run, [folder / target for target in targets])
        except InputError as error:
            undone.append(str(error))
        except OSError as error:
            undone.append(f"{error.filename or recipe.name}: {error.strerror or error}")
    return undone


@dataclass(frozen=True)
class Ways:
    """How to run a scenario.

    Attributes
    ----------
    every : float or None
        Seconds between two checkpoints; None for none.
    resume : Path or None
        The file of the run to go on with.
    """

    every: float | None = EVERY
    resume: Path | None = None

    def simulate(self, scenario: Scenario, folder: Path, progress: Any, signals: Signals) -> Run:
        """Run it, with checkpoints in the `folder`."""
        checkpoint = None if self.every is None else Checkpoint(folder / CHECKPOINT, self.every)
        return scenario.simulate(progress, signals.stop, checkpoint=checkpoint, resume=self.resume)


def resume_run(folder: Path, every: float | None, allow_code: bool, signals: Signals) -> int:
    """Go on with the run in `folder`, and write everything as `run_scenario`; return the exit code."""
    found = Unfinished.find(folder, allow_code=allow_code)
    return run_scenario(found.scenario, folder, True, signals, Ways(every, found.file))


def _answer(scenario: Scenario, run: Run, output: Output, signals: Signals) -> tuple[list[str], list[str]]:
    """Answer the scenario's questions, in the report; what to print of them, and why some have no answer."""
    if not scenario.questions or signals.stop():
        return [], []
    if run.status.failed:
        why = f"not asked, since the run failed ({run.status}); pcode analyse asks of what was reached"
        values: dict[str, Any] = {question: {"error": why} for question in scenario.questions}
        told: list[str] = []
        unanswered: list[str] = []
    else:
        values, told, unanswered = answers(run, scenario.questions)
    try:
        with signals.keeping():
            output.write_json("report.json", report(run) | {"analysis": values})
    except (InputError, OSError) as error:
        unanswered.append(str(error))
    return told, unanswered


def _verdict(scenario: Scenario, run: Run, folder: Path, undone: Sequence[str]) -> int:
    """The exit code, with one line on stderr where there is something to say."""
    status = run.status
    notes = [*run.notes, *violations(run)]
    noted = "".join(f"; {note}" for note in notes)
    if status.failed:
        more = f"pcode resume {folder} goes on" if status is Status.INTERRUPTED else f"see {folder}"
        return complain(f"{scenario.path}: {status}: {run.message}; {more}{noted}", FAILED)
    if undone:
        more = f" (and {len(undone) - 1} more)" if len(undone) > 1 else ""
        return complain(f"{undone[0]}{more}; the run itself is in {folder}", BAD_INPUT)
    if status is Status.NOT_SETTLED:
        return complain(f"{scenario.path}: {status}: {run.message}{noted}", DONE)
    return complain(f"{scenario.path}: {'; '.join(notes)}", DONE) if noted else DONE


def recipes_of(scenario: Scenario) -> list[Recipe]:
    """The recipes that `scenario` asks for, loaded, which runs their files.

    Raises
    ------
    InputError
        As for `check_recipes`; or if one cannot be loaded. None has been run where one is not allowed.
    """
    _each_recipe(scenario, check_allowed)
    found = _each_recipe(scenario, Recipe.load)
    _check_together(scenario, found)
    return found


def check_recipes(scenario: Scenario) -> None:
    """Check the recipes that `scenario` asks for by their texts; none is run.

    Raises
    ------
    InputError
        If there is no such recipe, it is code that is not allowed, or two would write the same file.
    """
    _check_together(scenario, _each_recipe(scenario, outline))


def _each_recipe(scenario: Scenario, read: Callable[..., T]) -> list[T]:
    found = []
    for k, wanted in enumerate(scenario.file.plots.recipes):
        try:
            found.append(read(wanted, scenario.path.parent, allow_code=scenario.allow_code))
        except InputError as error:
            what = ": ".join(part for part in (error.source, error.where, error.what) if part)
            raise InputError(f"plots.recipes.{k}", what, str(scenario.path)) from None
    return found


def _check_together(scenario: Scenario, recipes: Sequence[Recipe | Outline]) -> None:
    for k, recipe in enumerate(recipes):
        if recipe.draws != "run":
            what = f"{recipe.name} draws sweeps; name it under [[sweep.figure]]"
            raise InputError(f"plots.recipes.{k}", what, str(scenario.path))
        if recipe.name in [other.name for other in recipes[:k]]:
            what = f"there are two recipes {recipe.name}, whose pictures would have one name; keep one"
            raise InputError(f"plots.recipes.{k}", what, str(scenario.path))


def draw(
    recipe: Recipe,
    run: Run | Sweep,
    targets: Sequence[Path],
    options: Mapping[str, Any] | None = None,
    dpi: float | None = None,
) -> None:
    """Draw the figure of `recipe` of a run, or of a sweep, and save it as each of `targets`."""
    figure = recipe.draw(run, options)
    for target in targets:
        try:
            save_figure(figure, target, dpi=dpi)
        except (InputError, OSError, MemoryError):
            raise
        except Exception as error:
            # Parts of a figure are drawn only now, such as texts whose mathematics is wrong.
            what = f"gives a figure that cannot be drawn: {checks.shown(error)}"
            raise InputError("", what, str(recipe.path)) from error


def summary(scenario: Scenario, run: Run) -> list[str]:
    """What became of each phase."""
    lines = [f"{scenario.file.title or scenario.name}: {run.status}"]
    unit = suffix(run.network.time_unit)
    width = max(len(record.name) for record in run.phases)
    for record in run.phases:
        judged = "".join(
            f", {name} {value:.4g}" for name, value in record.probes.items() if isinstance(value, int | float)
        )
        seconds = record.stats.compile_seconds + record.stats.solve_seconds
        lines.append(
            f"  {record.name:<{width}}  {record.status}, t = {record.t_start:g} to {record.t_end:g}{unit}, "
            f"{record.told}{record.stats.steps} steps in {seconds:.1f} s{judged}"
        )
    return lines


def describe(scenario: Scenario) -> list[str]:
    """What a scenario will solve and keep, line by line."""
    network, plan, solver = scenario.network, scenario.plan, scenario.file.solver
    unit = suffix(network.time_unit)
    names = dict.fromkeys(map(str, network.activation))
    sigma = next(iter(names)) if len(names) == 1 else ", ".join(map(str, network.activation))
    lines = [
        f"{scenario.path}: {scenario.file.title or 'no title'}",
        f"network  {'-'.join(map(str, network.sizes))}, {sigma}, {network.feedback} feedback, "
        f"tau = {network.tau_text}{unit}, delta = {network.delta_text}{unit}",
    ]
    if scenario.data is not None:
        lines.append(f"data     {told_balance(scenario.data)}")
    if network.mask is not None:
        there = ", ".join("all" if mask is None else f"{100.0 * mask.density:.3g}%" for mask in network.masks)
        lines.append(f"masks    connections of each link that there are: {there}")
    for k, (phase, layout) in enumerate(zip(scenario.phases, plan.layouts, strict=True)):
        samples = f"{layout.batch} sample{'s' * (layout.batch != 1)}"
        if phase.presentation is not None:
            count, of = phase.presentation.count(phase.batch or 1), phase.batch
            samples = f"{samples} at a time of {of}, {count:,} presentation{'s' * (count != 1)}"
        held = ", ".join(str(layer) for layer in sorted(phase.clamp)) or "none"
        weights = "learn" if phase.learn else "held"
        weights = f"held but {', '.join(phase.learn)}" if isinstance(phase.learn, tuple) else weights
        until = "" if phase.until is None else f" at most, until {phase.until}"
        counts = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in layout.shapes.items())
        lines += [
            f"phase {k}  {phase.name}: {samples}, clamped layers: {held}, weights {weights}, "
            f"duration {phase.duration:g}{unit}{until}",
            f"         N = {layout.size:,} unknowns: {counts or 'none, the nodes are at rest at once'}",
        ]
    lines += _described(scenario.probes)
    used, allowed = plan.result_bytes, scenario.save.memory
    lines += [
        f"memory   {told_size(used)} for the result at most; {told_size(allowed)} allowed (save.memory_gb)",
        f"method   {solver.method}, rtol = {solver.rtol:g}, atol = {solver.atol:g}",
    ]
    return lines


def told_balance(data: Data) -> str:
    """How many samples there are, and of each class, in words; of many classes only the extremes."""
    counts = {"train": data.train, "test": len(data) - data.train}
    parts = {part: count for part, count in counts.items() if count}
    told = f"{len(data):,} samples: {', '.join(f'{count:,} to {part}' for part, count in parts.items())}"
    if not data.classes:
        return told
    balance = data.balance()
    if len(balance) <= FEW_CLASSES:
        each = (f"{name} {' + '.join(str(of[part]) for part in parts)}" for name, of in balance.items())
        return f"{told}; classes: {', '.join(each)}"
    spans = []
    for part in parts:
        least, most = (find(of[part] for of in balance.values()) for find in (min, max))
        spans.append(f"{least}{f' to {most}' * (most > least)} of each to {part}")
    return f"{told}; {len(balance)} classes, {', '.join(spans)}"


def _described(probes: Mapping[str, Any]) -> list[str]:
    """A line for each probe: what it looks at, and when."""
    lines: list[str] = []
    for name, probe in probes.items():
        if isinstance(probe, Probe):
            what = probe.what if isinstance(probe.what, str) else "a function"
            judged = "" if probe.data is None else f" on {len(probe.data.inputs):,} samples"
            lines.append(f"{'' if lines else 'probes':<8} {name}: {what}{judged}, {probe.when}")
    return lines

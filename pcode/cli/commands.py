"""The commands of `pcode`. What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import __version__
from ..base.errors import InputError
from .ending import BAD_INPUT, DONE, complain, imports_done, say
from .signals import Signals

if TYPE_CHECKING:
    from ..scenario import Scenario

app = typer.Typer(
    name="pcode",
    help="Simulate predictive coding networks in continuous time.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a shipped scenario.")
]
MethodOption = Annotated[
    str | None, typer.Option("--method", metavar="NAME", help="The solver, as `pcode list` names it.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of the scenario: network.delta=1e4, phase.0.duration=10. As often as you like.",
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="Width, or width x height, of the picture: 85mm, 85x60mm, 3.3in, one-column or two-columns.",
    ),
]
FontSizeOption = Annotated[
    float | None,
    typer.Option("--font-size", metavar="PT", help="Size of text in points; tick labels have 7/8 of it."),
]
DpiOption = Annotated[
    float | None,
    typer.Option("--dpi", metavar="N", help="Dots an inch of a .png, 20 to 2400; 160 if not given."),
]
PresentationOption = Annotated[
    int | None,
    typer.Option(
        "--presentation", metavar="K", help="Take presentation K of the run alone, as a phase of its own."
    ),
]
CheckpointOption = Annotated[
    str,
    typer.Option(
        "--checkpoint-every",
        metavar="SECONDS",
        help="How often to keep the run so far in checkpoint.nc, for `pcode resume`; 0 or off for never.",
    ),
]
AllowCodeOption = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Run code that the file names: an activation or a probe module:name, a recipe by its path. "
        "For files that you trust.",
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        say(f"pcode {__version__}")
        raise typer.Exit


@app.callback()
def _pcode(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Simulate predictive coding networks in continuous time."""


@app.command()
def run(
    context: typer.Context,
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write to; results/NAME if not given.")
    ] = None,
    method: MethodOption = None,
    changes: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing result.")] = False,
    checkpoint: CheckpointOption = "60",
    allow_code: AllowCodeOption = False,
) -> int:
    """Simulate a scenario: writes run.nc, report.json and its figures. Given a run.nc it repeats that run."""
    from .running import Ways, run_scenario

    imports_done()
    every = checkpoint_every(checkpoint)
    loaded = load(scenario, method, changes, allow_code)
    signals = context.obj if isinstance(context.obj, Signals) else Signals()
    return run_scenario(loaded, out or Path("results") / loaded.name, force, signals, Ways(every))


@app.command()
def plot(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or a path to one.")
    ],
    run_file: Annotated[
        Path,
        typer.Argument(metavar="RUN.nc", help="The run.nc of a run, sweep.nc of a sweep, or its folder."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="The picture: .png, .svg or .pdf; RECIPE.png beside the run if not given."
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="OPTION=VALUE", help="Set an option; `pcode list RECIPE` tells of them."
        ),
    ] = None,
    size: SizeOption = None,
    font_size: FontSizeOption = None,
    dpi: DpiOption = None,
    presentation: PresentationOption = None,
    allow_code: AllowCodeOption = False,
) -> int:
    """Draw a figure of a run, or of a sweep."""
    from ..plotting.recipes import Recipe
    from .loading import load_drawn
    from .paths import PICTURES, check_target, found_run
    from .running import draw
    from .sizes import asked_dpi, asked_style

    imports_done()
    chosen = _options(options, "log_time=true")
    loaded = Recipe.load(recipe, allow_code=True)  # named on the user's own command line
    if out is not None:
        check_target(out, "-o", PICTURES)
    run_file = found_run(run_file, loaded.draws)
    target = out or run_file.parent / f"{loaded.name}.png"
    dots = asked_dpi(dpi, target)
    with asked_style(size, font_size):
        draw(loaded, load_drawn(loaded, run_file, allow_code, presentation), [target], chosen, dots)
    say(str(target))
    return DONE


@app.command()
def animate(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.nc", help="The run.nc of a run, or its folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="The film: .mp4 (by ffmpeg) or .gif; animation.mp4, or .gif, beside the run."
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="OPTION=VALUE", help="Set x, y (such as x1[0]), rest, phase or sample."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="How long the film is, in seconds.")
    ] = 8.0,
    fps: Annotated[int, typer.Option("--fps", metavar="N", help="Pictures a second.")] = 10,
    presentation: PresentationOption = None,
    allow_code: AllowCodeOption = False,
) -> int:
    """Film a run: its phase plane as the weights learn, its energy and the network."""
    from .filming import film_run
    from .paths import found_run

    imports_done()
    run_file = found_run(run_file)
    say(str(film_run(run_file, out, _options(options, "phase=0"), seconds, fps, allow_code, presentation)))
    return DONE


@app.command()
def analyse(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="What to ask, as `pcode list` names it.")
    ],
    run_file: Annotated[Path, typer.Argument(metavar="RUN.nc", help="The run.nc of a run, or its folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Draw the answer as well: .png, .svg or .pdf.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write a table of the answer to this .csv file."),
    ] = None,
    latex: Annotated[
        Path | None, typer.Option("--latex", help="Write it in LaTeX, with booktabs, to this .tex file.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NAME", help="Which table; `pcode list QUESTION` tells of them."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="OPTION=VALUE", help="Set an option; `pcode list QUESTION` tells of them."
        ),
    ] = None,
    size: SizeOption = None,
    font_size: FontSizeOption = None,
    dpi: DpiOption = None,
    presentation: PresentationOption = None,
    allow_code: AllowCodeOption = False,
) -> int:
    """Answer a question about a run."""
    from ..analysis.registry import by_name
    from .analysing import Outputs, analyse_run
    from .paths import found_run

    imports_done()
    by_name(question)
    outputs = Outputs(as_json, out, csv, latex, table, size, font_size, dpi)
    outputs.check()
    analyse_run(
        question, found_run(run_file), _options(options, "phase=0"), outputs, allow_code, presentation
    )
    return DONE


@app.command()
def check(
    scenario: ScenarioArgument,
    method: MethodOption = None,
    changes: SetOption = None,
    allow_code: AllowCodeOption = False,
) -> int:
    """Check a scenario and tell what it will solve, without running it, or any recipe that it names."""
    from .running import check_recipes, describe
    from .sweeping import described

    loaded = load(scenario, method, changes, allow_code)
    notes = loaded.check()
    check_recipes(loaded)
    say("\n".join([*describe(loaded), *described(loaded)]))
    return complain(f"{loaded.path}: {'; '.join(notes)}", DONE) if notes else DONE


@app.command(hidden=True)
def gallery(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An empty folder, or an older gallery.")],
    also: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.py", help="Keep FILE.png, and show it with the docstring of FILE.py."),
    ] = None,
) -> int:
    """Draw every shipped recipe for the scenarios it suits, with a page of them all."""
    from ..base import shipped
    from ..base.claims import claimed
    from ..base.files import clear_left
    from .gallery import INDEX, Gallery

    imports_done()
    signals = context.obj if isinstance(context.obj, Signals) else Signals()
    with claimed(folder, ""):
        made = Gallery(folder, shipped.names("scenarios"), shipped.names("plots"), say, also or ())
        clear_left(folder, ())
        made.make(signals)
    if made.failures:
        more = f" (and {len(made.failures) - 1} more)" if len(made.failures) > 1 else ""
        return complain(f"{made.failures[0]}{more}", BAD_INPUT)
    say(str(folder / INDEX))
    return DONE


@app.command("list")
def list_(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Tell all about this one: its options, among others.")
    ] = None,
) -> int:
    """List the scenarios, recipes, questions, methods, data sets and activations; or tell about one."""
    from .listing import about, names

    say("\n".join(names() if name is None else about(name)))
    return DONE


@app.command()
def new(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write, such as my.toml; not one there is.")
    ],
) -> int:
    """Write a commented scenario to start from."""
    from ..base.files import replacing
    from ..scenario.template import TEMPLATE

    if os.path.lexists(file):
        raise InputError("", "is there already; give the name of a new file", str(file))
    with replacing(file, "") as temporary:
        temporary.write_text(TEMPLATE, encoding="utf-8")
    say(f"{file}: edit it, then: pcode run {file}")
    return DONE


@app.command()
def schema() -> int:
    """Print the JSON Schema of scenario files, for editors."""
    import json

    from ..scenario import json_schema

    say(json.dumps(json_schema(), indent=2))
    return DONE


def load(scenario: str, method: str | None, changes: list[str] | None, allow_code: bool) -> Scenario:
    """The scenario that a command is given, with the changes of its options."""
    from ..scenario import Scenario

    chosen = [f'solver.method="{method}"'] if method is not None else []
    if scenario.endswith(".nc"):
        from ..scenario.resuming import repeated

        return repeated(Path(scenario), [*(changes or ()), *chosen], allow_code=allow_code)
    return Scenario.load(scenario, [*(changes or ()), *chosen], allow_code=allow_code)


def checkpoint_every(given: str) -> float | None:
    """Seconds between two checkpoints; None for none.

    Raises
    ------
    InputError
        If it is neither a number of 0 or more nor off.
    """
    from ..base import checks

    try:
        seconds = 0.0 if given.strip().lower() == "off" else float(given)
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        right = "must be a number of seconds, such as 60, or off"
        raise InputError("--checkpoint-every", f"{right}, not {checks.shown(given)}")
    return seconds or None


def _options(options: list[str] | None, example: str) -> dict[str, Any]:
    """What ``--set OPTION=VALUE`` says, by name."""
    from ..scenario import parse_change

    parsed = [parse_change(option, example) for option in options or ()]
    return {".".join(path): value for path, value in parsed}

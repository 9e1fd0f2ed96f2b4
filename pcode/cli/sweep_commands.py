"""The commands `pcode sweep` and `pcode resume`, beside those of `commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .commands import (
    AllowCodeOption,
    CheckpointOption,
    MethodOption,
    ScenarioArgument,
    SetOption,
    app,
    checkpoint_every,
    load,
)
from .ending import imports_done
from .signals import Signals

__all__ = ["app"]

WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", help="Processes of this machine, one thread each; one a core if not given."
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="ADDRESS", help="A Dask scheduler to use instead, such as tcp://host:8786."
    ),
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", metavar="S", help="Seconds that the scheduler has to answer.")
]
RetriesOption = Annotated[
    int, typer.Option("--retries", metavar="N", help="How often a point that fails is tried again.")
]


@app.command()
def sweep(
    context: typer.Context,
    scenario: ScenarioArgument,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=RANGE",
            help="An axis: weights.seed=0:9 (both ends), network.delta=1e1:1e6:11:log (11 values), or a list "
            "parted by ; such as 'network.sizes=[2,8,1];[2,8,8,1]'. Keys parted by ,, change together. As "
            "often as you like; if not given, the scenario's table [sweep] says it.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write to; results/NAME-sweep if not given.")
    ] = None,
    method: MethodOption = None,
    changes: SetOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    timeout: TimeoutOption = 10.0,
    retries: RetriesOption = 1,
    keep_runs: Annotated[
        bool, typer.Option("--keep-runs", help="Keep the run of each point: run.nc and report.json.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing sweep.")] = False,
    allow_code: AllowCodeOption = False,
) -> int:
    """Simulate a scenario at many points: writes sweep.nc, its figures, and a folder for each point."""
    from .sweeping import Ways, sweep_scenario

    loaded = load(scenario, method, changes, allow_code)
    folder = out or Path("results") / f"{loaded.name}-sweep"
    ways = Ways(workers, scheduler, timeout, retries, _signals(context))
    imports_done()
    return sweep_scenario(loaded, over, folder, keep_runs, force, ways)


@app.command()
def resume(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run or of a sweep.")],
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    timeout: TimeoutOption = 10.0,
    retries: RetriesOption = 1,
    checkpoint: CheckpointOption = "60",
    allow_code: AllowCodeOption = False,
) -> int:
    """Go on with a run or a sweep that was interrupted; of a sweep what is done is not run again."""
    from ..sweeps.folder import ASKED
    from .running import resume_run
    from .sweeping import Ways, go_on_with_sweep

    imports_done()
    every, signals = checkpoint_every(checkpoint), _signals(context)
    if not (folder / ASKED).exists():
        return resume_run(folder, every, allow_code, signals)
    return go_on_with_sweep(folder, Ways(workers, scheduler, timeout, retries, signals), allow_code)


def _signals(context: typer.Context) -> Signals:
    return context.obj if isinstance(context.obj, Signals) else Signals()

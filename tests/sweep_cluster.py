"""A Dask scheduler and workers, each a process of its own on the loopback address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

from pcode.sweeps.cluster import capped

ROOT = Path(__file__).parents[1]

# What the tests sweep: 1-1-1, and a phase that takes few steps.
TINY = """\
title = "tiny"
[network]
sizes = [1, 1, 1]
delta = 10.0
[data]
inputs = [[1.0]]
targets = [[0.5]]
[[phase]]
name = "train"
clamp = "both"
duration = 20.0
[[phase]]
name = "test"
clamp = "input"
learn = false
until = "equilibrium"
duration = 100.0
[solver]
method = "cvode"
[save]
nodes = 5
weights = 3
[plots]
recipes = []
"""


def environment(**more: str) -> dict[str, str]:
    """Of a process with one thread that imports this checkout."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**capped(os.environ), "PYTHONPATH": path, **more}


@contextmanager
def processes(folder: Path, workers: int, **more: str) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """The address of a scheduler, and its process with those of `workers` workers."""
    file = folder / "scheduler.json"
    options = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    started = [_started("scheduler", [*options, "--port", "0"], folder, more)]
    options = ["--scheduler-file", str(file), "--no-dashboard", "--no-nanny", "--nthreads", "1"]
    options += ["--local-directory", str(folder), "--death-timeout", "60"]
    started += [_started("worker", options, folder, more) for _ in range(workers)]
    try:
        with Client(scheduler_file=str(file), set_as_default=False, timeout=60) as client:
            client.wait_for_workers(workers, timeout=60)
        yield json.loads(file.read_text())["address"], started
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def _started(what: str, options: list[str], folder: Path, more: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
    with (folder / f"{what}.log").open("ab") as log:
        return subprocess.Popen(command, env=environment(**more), stdout=log, stderr=log)

"""Scenario files changed at random, each checked by the command: it is right, or refused in one line.

Some of those that are right are run as well.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import tomli_w

import pcode
from pcode.base import shipped
from pcode.cli import main
from pcode.scenario import Scenario

from . import mutations
from .tally import Tally, check_line

# Of those that are right, the part that is run too; seconds after which such a run is stopped, and that the
# case may take; the most unknowns, and bytes that are saved, of those that are run.
RUN, STOPPED_AFTER, TO_RUN = 0.1, 5.0, 60.0
MOST_UNKNOWNS, MOST_BYTES = 2_000, 2e7

# Kept small: what is looked for is how files are read, and a large network says no more of that.
EXTRA = """
title = "everything"
[network]
sizes = [2, 3, 1]
activation = ["identity", "tanh"]
tau = "1 ms"
time_unit = "ms"
delta = [200.0, 100.0]
nu = [0.5, 1.0]
weight_decay = 0.01
node_decay = 0.1
mask = { density = 1.0, seed = 1 }
[weights]
init = "given"
M = [[[1, 2, 3], [4, 5, 6]], [[1], [2], [3]]]
W = "independent"
beta = [[0.0, 0.1, 0.2], [0.3]]
[data]
inputs = [[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]
targets = [[0.0], [1.0], [0.0]]
train = 2
test = 1
one_hot = false
image_shape = [1, 2]
[start]
nodes = "zero"
[[phase]]
name = "moving"
clamp = { 0 = "input", 1 = [[0.5, nan, nan], [0.5, nan, nan]], 2 = ["sin(2*pi*t/50)"] }
duration = "2 ms"
learn = ["M0", "beta1"]
[[phase]]
clamp = { 0 = { t = [0.0, 1.0], values = [[[0.0, 1.0]], [[1.0, 0.0]]], kind = "linear" } }
data = "test"
until = "equilibrium"
duration = 5.0
settle_tol = 1e-5
[[phase]]
clamp = "both"
presentation = { size = 1, hold = 0.5, passes = 2, order = "shuffled", seed = 3, ramp = 0.1, nodes = "carry" }
[solver]
method = "DOP853"
rtol = 1e-5
atol = 1e-8
max_steps = 1000
[save]
nodes = 10
weights = 5
spacing = "linear"
presentations = [0, 2]
presentation_nodes = "full"
memory_gb = 0.5
[probes]
loss = "loss"
mine = { what = "norms", deltas = 1.0, label = "sizes" }
[plots]
recipes = ["energy"]
formats = ["png", "svg"]
[analysis]
questions = ["convergence"]
[sweep]
over = ["network.nu=[0.1,0.2];[0.3,0.4]", "weights.seed=0:2"]
figure = [{ recipe = "sweep_lines", options = { x = "nu" } }]
"""


def scenarios(count: int, seed: int) -> Tally:
    """So many scenario files, changed by values or by bytes, and of some single keys by ``--set``."""
    tally = Tally()
    texts = [path.read_text(encoding="utf-8") for path in shipped.names("scenarios").values()]
    texts = [text for text in texts if len(text) < 4000 and "digits" not in text]
    with tempfile.TemporaryDirectory(prefix="pcode-soak-") as name:
        folder, before = Path(name), os.getcwd()
        os.chdir(folder)
        try:
            for k in range(count):
                rng = random.Random(f"{seed}-{k}")
                given = EXTRA if rng.random() < 0.5 else rng.choice(texts)
                case = f"{seed}-{k}"
                data, more = changed(rng, given)
                (folder / "case.toml").write_bytes(data)
                right = tally.outcomes["right"]
                tally.case(case, lambda more=more: checked(["check", "case.toml", *more], "case.toml"))
                if tally.outcomes["right"] > right and rng.random() < RUN:
                    tally.case(f"{case}, run", lambda more=more: ran(folder, more), TO_RUN)
                    shutil.rmtree(folder / "out", ignore_errors=True)
                strange = sorted(path.name for path in folder.iterdir() if path.name != "case.toml")
                if strange:
                    tally.fail(f"{case}: wrote {strange}")
        finally:
            os.chdir(before)
    return tally


def ran(folder: Path, more: list[str]) -> str:
    """What becomes of a scenario that is right when it is run, and stopped by SIGINT where it takes longer.

    Raises
    ------
    ValueError, AssertionError
        If it ends otherwise than it should, or its result cannot be read or says something else.
    """
    given = Scenario.load("case.toml", more[1:])
    unknowns = sum(layout.size for layout in given.plan.layouts)
    if unknowns > MOST_UNKNOWNS or given.plan.result_bytes > MOST_BYTES:
        return "too large to be run"
    plain = ["--set", "plots.recipes=[]", "--set", "analysis.questions=[]"]
    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGINT, lambda *_: None)  # should it come when the run is done
    timer = threading.Timer(STOPPED_AFTER, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["run", "case.toml", "--out", "out", *more, *plain])
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert code in (0, 1, 2, 128 + signal.SIGINT), (code, err.getvalue()[:200])
    assert "Traceback" not in out.getvalue() + err.getvalue(), err.getvalue()[-200:]
    if err.getvalue():
        check_line(err.getvalue())
    assert code not in (1, 2) or err.getvalue(), code
    if not (folder / "out" / "run.nc").exists():
        assert code in (2, 128 + signal.SIGINT), code
        return f"run: exit code {code}, nothing computed"
    status = pcode.Run.load(folder / "out" / "run.nc").status
    assert json.loads((folder / "out" / "report.json").read_text())["status"] == str(status)
    # SIGINT may come when all is computed.
    assert code > 2 or status.failed == (code == 1), (code, status)
    return f"run: {status}"


def changed(rng: random.Random, text: str) -> tuple[bytes, list[str]]:
    """A scenario file, and options of the command."""
    kind, more = rng.random(), []
    if kind < 0.25:
        return mutations.damaged(rng, text.encode()), more
    document = tomllib.loads(text)
    if kind < 0.35:
        place = rng.choice(
            ("network.tau", "phase.0.duration", "weights.seed", "title", "solver.rtol", "a.b.c")
        )
        more = ["--set", f"{place}={rng.choice(mutations.WORDS)}".replace("\0", "0")]
    else:
        document = mutations.document(rng, document, rng.choice((1, 1, 1, 2, 4)))
    try:
        return tomli_w.dumps(document).encode("utf-8", "surrogatepass"), more
    except (RecursionError, ValueError):  # deeper, or longer, than can be written
        return b"x = " + b"[" * 1500, more


def checked(command: list[str], *names: str) -> str:
    """What became of a command: it exits with 0, or with 2 and one line that has these names in it."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(command)
    if code not in (0, 2) or (code == 2) != (bool(err.getvalue()) and not out.getvalue()):
        raise ValueError(f"exit code {code}, {out.getvalue()[:80]!a}, {err.getvalue()[:200]!a}")
    for line in out.getvalue().splitlines():
        check_line(f"{line[:200]} ")
    if code == 2:
        check_line(err.getvalue(), *(() if "--set" in err.getvalue() else names))
    return "refused" if code else "right"

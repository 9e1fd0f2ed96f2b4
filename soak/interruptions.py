"""Commands that are stopped, killed, run twice and short of room, at many instants and sizes.

`interruptions` goes through all of it, tests/test_interruptions.py through a few. The other functions raise
AssertionError with what was seen.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import pcode

from .tally import Tally

SCENARIO = """\
title = "short"
[network]
sizes = [2, 8, 1]
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
duration = 40.0
[plots]
recipes = ["energy"]
"""

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(pcode.__file__).parents[1])}

# Seconds in which Python itself starts, where the system does not tell whether a process answers to signals.
START = 1.0

# Seconds after which a command that was stopped counts as hanging.
PATIENCE = 60.0

# Seconds that a case may take: several commands, one after another.
SECONDS = 120.0

COMPLETE = ["energy.png", "report.json", "run.nc"]


# What a process does first, so that nothing has to be done between fork and exec of one with threads.
FIRST = "import os, resource, signal, sys; {first}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


def command(*arguments: str, folder: Path, first: str = "") -> subprocess.Popen[str]:
    """A command in `folder`, which does what `first` says, in Python, before it starts."""
    (folder / "short.toml").write_text(SCENARIO, encoding="utf-8")
    before = [sys.executable, "-c", FIRST.format(first=first)] if first else [sys.executable]
    return subprocess.Popen(
        [*before, "-m", "pcode", *arguments],
        cwd=folder,
        env=ENVIRONMENT | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_answers(process: subprocess.Popen[str]) -> None:
    """Wait until a process catches SIGTERM, which Python by itself does not: the command has begun."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        time.sleep(START)
        return
    caught = 0
    while not caught >> (signal.SIGTERM - 1) & 1 and process.poll() is None:
        (mask,) = re.findall(r"^SigCgt:\s*(\w+)$", status.read_text(), re.MULTILINE) or ["0"]
        caught = int(mask, 16)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code, and what it said on stderr."""
    _, err = process.communicate(timeout=PATIENCE)
    return process.returncode, err


@cache
def whole_run() -> tuple[float, dict[str, bytes]]:
    """Seconds that a run of the scenario takes, with compiled code at hand, and the files it writes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(2):
            began = time.monotonic()
            assert ended(command("run", "short.toml", "--force", folder=folder)) == (0, "")
        files = {path.name: path.read_bytes() for path in (folder / "results/short").iterdir()}
        return time.monotonic() - began, files


def with_result(folder: Path) -> Path:
    """The folder of a run that has been done in `folder`."""
    out = folder / "results/short"
    out.mkdir(parents=True)
    for name, content in whole_run()[1].items():
        (out / name).write_bytes(content)
    return out


def check_folder(out: Path, *before: dict[str, bytes]) -> str:
    """What is in the folder of a run: nothing, or a result whose files belong together, or one of before."""
    if not out.exists():
        return "none"
    found = {path.name: path.read_bytes() for path in sorted(out.iterdir())}
    assert not [name for name in found if name.startswith(".")], list(found)
    if found in before:
        return "as before"
    assert {"run.nc", "report.json"} <= set(found) <= set(COMPLETE), list(found)
    status = pcode.Run.load(out / "run.nc").status
    assert json.loads(found["report.json"])["status"] == str(status)
    return str(status)


def stop_once(signum: int, count: int, seed: int) -> Counter[str]:
    """Send one signal at random instants of a run."""
    return _stopped([signum], 0.0, count, seed)


def stop_thrice(count: int, seed: int) -> Counter[str]:
    """Send three SIGINTs 20 ms apart at random instants of a run."""
    return _stopped([signal.SIGINT] * 3, 0.02, count, seed)


def _stopped(signals: Sequence[int], apart: float, count: int, seed: int) -> Counter[str]:
    rng, seen = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder, code = Path(name), 128 + signals[0]
        out, (whole, kept) = with_result(folder), whole_run()
        for k in range(count):
            anew = k % 2 == 0
            target = folder / f"results/new{k}" if anew else out
            process = command("run", "short.toml", "--force", "--out", str(target), folder=folder)
            at = rng.uniform(0.0, whole)
            await_answers(process)
            time.sleep(at)
            for signum in signals:
                with suppress(ProcessLookupError):
                    process.send_signal(signum)
                time.sleep(apart)
            found, err = ended(process)
            told = f"{at:.3f} s of {whole:.2f}: exit code {found}, {err!r}"
            assert "Traceback" not in err, told
            assert len(err.splitlines()) <= 1, told
            if found != code:  # it was done
                assert found == 0, told
            state = check_folder(target, kept)
            assert found == code or state == "success", told
            assert anew or state != "none", told
            assert not list(folder.glob("pcode-*")), told
            if not anew:
                kept = {path.name: path.read_bytes() for path in out.iterdir()}
            seen[f"{found}, {state}"] += 1
    return seen


def kill(count: int, seed: int) -> Counter[str]:
    """Kill a run at random instants, and start it again in the same folder."""
    rng, seen = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out, (whole, _) = with_result(folder), whole_run()
        for _ in range(count):
            process = command("run", "short.toml", "--force", folder=folder)
            # Most of it where files are being written.
            time.sleep(rng.uniform(0.5 * whole, whole))
            process.kill()
            ended(process)
            left = [path.name for path in out.iterdir() if path.name.startswith(".")]
            assert all(re.fullmatch(r"\.(run|report|energy)-\w+\.part\.\w+", one) for one in left), left
            pcode.Run.load(out / "run.nc")
            seen[f"{len(left)} left"] += 1
            code, err = ended(command("run", "short.toml", "--force", folder=folder))
            assert (code, err) == (0, ""), err
            assert sorted(os.listdir(out)) == COMPLETE
    return seen


def run_twice(count: int, seed: int) -> Counter[str]:
    """Start two runs into one folder, each of them first in half of the cases."""
    rng, seen = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for k in range(count):
            out = folder / f"results/two{k}"
            run = ("run", "short.toml", "--out", str(out))
            first = command(*run, folder=folder)
            time.sleep(rng.choice([0.0, 0.05, 0.3, 0.7]))
            both = [ended(process) for process in (first, command(*run, folder=folder))]
            assert sorted(code for code, _ in both) == [0, 2], both
            (told,) = [err for code, err in both if code == 2]
            assert len(told.splitlines()) == 1, told
            assert "another process writes there" in told or "already" in told, told
            assert sorted(os.listdir(out)) == COMPLETE
            seen["already" if "already" in told else "at once"] += 1
    return seen


def run_short_of_room(sizes: Sequence[int]) -> Counter[str]:
    """Run with limits on the size of files, in bytes; what is reached is there whole, or kept in pieces."""
    seen = Counter[str]()
    for limit in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            out = folder / "results/short"
            limited = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
            code, err = ended(command("run", "short.toml", folder=folder, first=limited))
            told = f"{limit} bytes: exit code {code}, {err!r}"
            assert len(err.splitlines()) <= 1, told
            hidden = [path for path in folder.rglob(".*") if path.is_file()]
            assert not hidden, told
            if code == 2 and not out.exists():  # known before anything was computed
                seen["refused"] += 1
            elif code == 1:
                assert not out.exists() or not os.listdir(out), told
                (kept,) = folder.glob("pcode-*")
                assert str(kept) in err, told
                pieces = sorted(kept.glob("run.nc*"))
                (folder / "whole.nc").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
                assert pcode.Run.load(folder / "whole.nc").status == "success", told
                seen["kept elsewhere"] += 1
            else:  # a figure may still be too large
                assert code in (0, 2), told
                assert pcode.Run.load(out / "run.nc").status == "success", told
                seen["done" if code == 0 else "done, without a figure"] += 1
    return seen


def stop_sweeps(count: int, seed: int) -> Counter[str]:
    """Stop sweeps at random instants; they go on, and there is nothing hidden in their folders."""
    rng, seen = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sweep = ("sweep", "short.toml", "--over", "weights.seed=0:3", "--workers", "1")
        for k in range(count):
            out = folder / f"sweep{k}"
            signum = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
            process = command(*sweep, "--out", str(out), folder=folder)
            await_answers(process)
            time.sleep(rng.uniform(0.0, 8.0))
            process.send_signal(signum)
            code, err = ended(process)
            assert code in (0, 128 + signum, -signum), (code, err)
            assert "Traceback" not in err, err
            if signum != signal.SIGKILL:
                assert not list(out.rglob(".*")), list(out.rglob(".*"))
                assert not out.exists() or os.listdir(out)
            seen[f"{signal.Signals(signum).name}: {code}"] += 1
            if (out / "sweep.json").exists():
                code, err = ended(command("resume", str(out), "--workers", "1", folder=folder))
                assert code == 0, err
                assert pcode.Sweep.load(out).statuses == {"success": 4}
                assert not list(out.rglob(".*"))
    return seen


def interruptions(count: int, seed: int) -> Tally:
    """Of each way of stopping so many cases."""
    tally = Tally()
    ways: dict[str, Callable[[int], Counter[str]]] = {
        "SIGINT": lambda k: stop_once(signal.SIGINT, 1, k),
        "SIGTERM": lambda k: stop_once(signal.SIGTERM, 1, k),
        "SIGHUP": lambda k: stop_once(signal.SIGHUP, 1, k),
        "three SIGINTs": lambda k: stop_thrice(1, k),
        "SIGKILL": lambda k: kill(1, k),
        "two runs": lambda k: run_twice(1, k),
        "short of room": lambda k: run_short_of_room([round(2000 * 1.32 ** ((k - seed) % 20))]),
        "sweeps": lambda k: stop_sweeps(1, k),
    }
    for name, way in ways.items():
        for k in range(seed, seed + count):

            def act(name: str = name, way: Callable[[int], Counter[str]] = way, k: int = k) -> str:
                return f"{name}: {', '.join(way(k))}"

            tally.case(f"{name} {k}", act, SECONDS)
    return tally

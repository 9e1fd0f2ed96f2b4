"""The command as a process: signals, pipes, and what it imports."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_cli import QUICK, here, report

import pcode
from pcode.cli import main
from pcode.cli.signals import Signals, Stopped

__all__ = ["here"]

ENDLESS = """\
[network]
sizes = [2, 8, 1]
delta = 1e9
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
duration = 1e8
[solver]
method = "RK45"
max_steps = 1000000000
[plots]
recipes = []
"""


# So that a checkout that is not installed is found from any folder.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(pcode.__file__).parents[1])}


def command(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "pcode", *arguments], env=ENVIRONMENT, **options)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["nonsense"]])
def test_help_answers_without_importing_jax(arguments: list[str]) -> None:
    program = (
        "import sys; from pcode.cli import main; main(sys.argv[1:]); "
        "sys.exit([m for m in ('jax', 'numpy', 'matplotlib') if m in sys.modules] or 0)"
    )
    python = [sys.executable, "-c", program]
    done = subprocess.run([*python, *arguments], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert (pcode.__version__ if "--version" in arguments else "pcode") in done.stdout + done.stderr


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_run_and_keeps_what_was_reached(here: Path, name: str, code: int) -> None:
    (here / "endless.toml").write_text(ENDLESS)
    terminal, end = pty.openpty()
    process = command("run", "endless.toml", stdout=subprocess.PIPE, stderr=end)
    os.close(end)
    seen = b""
    while seen.count(b"F =") < 3:  # the progress bar tells that it computes
        seen += os.read(terminal, 4096)
    process.send_signal(getattr(signal, name))
    out, _ = process.communicate()
    while chunk := rest_of(terminal):
        seen += chunk
    assert process.returncode == code
    assert b"Traceback" not in seen
    last = seen.decode().strip().splitlines()[-1]
    assert "endless.toml: interrupted" in last
    folder = here / "results/endless"
    assert f"{folder.relative_to(here) / 'run.nc'}" in out.decode()
    assert report(folder)["status"] == "interrupted"
    run = pcode.Run.load(folder / "run.nc")
    assert run.status == "interrupted"
    assert 0.0 < run.phases[0].t_end < 1e8


def rest_of(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        os.close(terminal)
        return b""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_a_figure_is_drawn_ends_without_a_traceback(here: Path, name: str, code: int) -> None:
    (here / "slow.py").write_text(
        "import signal\ndef figure(run):\n    print('drawing', flush=True)\n    signal.pause()\n"
    )
    (here / "quick.toml").write_text(QUICK.replace('"energy"', '"slow.py"'))
    process = command("run", "quick.toml", "--allow-code", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"drawing\n"
    process.send_signal(getattr(signal, name))
    _, err = process.communicate()
    assert (process.returncode, err) == (code, b"")
    assert report(here / "results/quick")["status"] == "equilibrium"
    assert sorted(path.name for path in (here / "results/quick").iterdir()) == ["report.json", "run.nc"]


def test_a_first_signal_waits_for_what_is_to_be_kept_and_is_raised_where_nothing_is() -> None:
    with Signals() as signals:
        with signals.keeping():
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.stop()
        assert signals.received == signal.SIGTERM
    with Signals() as signals:
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT


class Closing:
    """Does something when it is thrown away, where no exception can be raised."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __del__(self) -> None:
        self.action()
        signal.sigpending()  # so that a handler runs here


def test_a_signal_that_cannot_be_raised_where_it_comes_is_remembered_and_other_errors_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: shown.append(error.exc_type))
    with Signals() as signals:
        del [Closing(lambda: os.kill(os.getpid(), signal.SIGTERM))][0]
        assert (signals.received, shown) == (signal.SIGTERM, [])
        del [Closing(lambda: 1 / 0)][0]
    assert shown == [ZeroDivisionError]


def test_signals_are_handled_as_before_once_the_command_is_done() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert main(["--version"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    process = command("list", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_quiet_in_a_pipe(here: Path) -> None:
    process = command("run", "quick.toml", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"\x1b" not in out

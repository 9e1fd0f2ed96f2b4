"""Folders held by one process, and commands stopped or killed at any instant."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pcode import InputError, Run
from pcode.base import claims
from pcode.base.claims import claimed
from pcode.sweeps import SweepFolder
from soak import interruptions as soak_signals
from soak.interruptions import COMPLETE, check_folder, command, ended

ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and locks of POSIX")

pytestmark = ON_POSIX

HOLDS = """\
import sys; from pathlib import Path; from pcode.base.claims import claimed
with claimed(Path(sys.argv[1])): print("held", flush=True); sys.stdin.read()
"""


def holding(folder: Path) -> subprocess.Popen[str]:
    """A process that holds `folder`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    python = [sys.executable, "-c", HOLDS, str(folder)]
    process = subprocess.Popen(python, env=soak_signals.ENVIRONMENT, **pipes)
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_a_folder_is_held_until_its_process_ends(how, tmp_path):
    out = tmp_path / "new" / "out"
    with holding(out) as process:
        told = "--out: another process writes there; wait for it, or give another folder"
        with pytest.raises(InputError, match=told), claimed(out):
            pass
        assert os.listdir(out) == []
        if how == "is killed":
            process.kill()
        process.stdin.close()
        process.wait()
        assert out.exists() == (how == "is killed")
    with claimed(out):
        (out / "file").write_text("x")
    assert os.listdir(out) == ["file"]


def test_a_folder_that_its_holder_takes_away_is_made_again(tmp_path, monkeypatch):
    out, locks, flock = tmp_path / "out", [], claims.fcntl.flock

    def taken_away(handle, how):
        locks.append(handle)
        if len(locks) == 1:  # between its opening and its lock
            out.rmdir()
        elif len(locks) == 2:
            out.rename(tmp_path / "moved")
            out.mkdir()
        flock(handle, how)

    monkeypatch.setattr(claims.fcntl, "flock", taken_away)
    with claimed(out):
        assert len(locks) == 3
        with pytest.raises(InputError, match="another process"), claimed(out):
            pass


def test_where_a_file_system_has_no_locks_folders_are_written_without(tmp_path, monkeypatch):
    def refused(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(claims.fcntl, "flock", refused)
    with claimed(tmp_path), claimed(tmp_path):
        assert os.listdir(tmp_path) == []


def test_where_folders_cannot_be_locked_a_file_stands_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "fcntl", None)
    with claimed(tmp_path / "out"):
        with pytest.raises(InputError, match="another process writes there"), claimed(tmp_path / "out"):
            pass
        assert os.listdir(tmp_path / "out") == [claims.MARK]
    assert os.listdir(tmp_path) == []


def test_a_run_and_a_sweep_are_refused_a_folder_that_is_held_and_leave_it_as_it_is(tmp_path):
    with holding(tmp_path / "out") as process:
        sweep = ("sweep", "short.toml", "--over", "weights.seed=0:1", "--workers", "1")
        for arguments in (("run", "short.toml"), sweep):
            code, err = ended(command(*arguments, "--out", "out", folder=tmp_path))
            assert (code, err) == (2, "pcode: out: --out: another process writes there; wait for it, "
                                      "or give another folder\n")  # fmt: skip
        process.stdin.close()
    with SweepFolder(tmp_path / "out").locked():
        assert os.listdir(tmp_path / "out") == []


def test_of_two_runs_into_one_folder_one_is_done_and_the_other_refused():
    assert soak_signals.run_twice(2, seed=1).total() == 2


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_any_instant_leaves_a_result_or_none(signum):
    assert soak_signals.stop_once(signum, 2, seed=int(signum)).total() == 2


def test_three_signals_at_any_instant_are_no_traceback():
    assert soak_signals.stop_thrice(4, seed=3).total() == 4


def test_what_a_killed_run_leaves_is_taken_away_by_the_next():
    assert soak_signals.kill(1, seed=4).total() == 1


@pytest.mark.slow
def test_sweeps_are_stopped_and_killed_at_any_instant_and_go_on():
    assert soak_signals.stop_sweeps(1, seed=5).total() == 1


# A recipe the parts of whose figure send signals to the process while the picture is being written.
STOPS = '''\
"""Signals."""
import os, signal
from matplotlib.artist import Artist
from matplotlib.figure import Figure

class Stop(Artist):
    def draw(self, renderer):
        names = os.listdir(os.environ["OUT"])
        open("seen", "w").write(" ".join(names))
        for signum in {signals}:
            os.kill(os.getpid(), signum)

def figure(run):
    made = Figure()
    made.add_artist(Stop())
    return made
'''


@pytest.mark.parametrize("signals", [[1], [15, 15], [9]])
def test_a_signal_while_a_picture_is_written_leaves_nothing_of_it_but_sigkill_does(signals, tmp_path):
    (tmp_path / "stops.py").write_text(STOPS.format(signals=signals))
    out, change = tmp_path / "out", 'plots.recipes=["stops.py"]'
    environment = soak_signals.ENVIRONMENT | {"OUT": str(out)}
    (tmp_path / "short.toml").write_text(soak_signals.SCENARIO)
    arguments = [sys.executable, "-m", "pcode", "run", "short.toml", "--out", "out", "--set", change]
    arguments.append("--allow-code")
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
    (hidden,) = (name for name in (tmp_path / "seen").read_text().split() if name.startswith("."))
    assert hidden.startswith(".stops-")
    assert done.stderr == ""
    left = sorted(os.listdir(out))
    if signals == [9]:
        assert (done.returncode, left) == (-9, [hidden, "report.json", "run.nc"])
        code, err = ended(command("run", "short.toml", "--out", "out", "--force", folder=tmp_path))
        assert (code, err, sorted(os.listdir(out))) == (0, "", COMPLETE)
    else:
        assert (done.returncode, left) == (128 + signals[0], ["report.json", "run.nc"])
        assert check_folder(out) == "success"


# A probe that sends signals late in a run.
PROBE = """\
import os, signal

left = {signals}

def late(state, context):
    while left and context.t > 20.0:
        os.kill(os.getpid(), left.pop(0))
    return 1.0
"""


@pytest.mark.parametrize(
    ("signals", "code", "kept"),
    [([1], 129, True), ([2], 130, True), ([2, 2], 130, False), ([15, 1], 143, False)],
)
def test_a_first_signal_saves_what_was_reached_and_a_second_one_ends_at_once(signals, code, kept, tmp_path):
    (tmp_path / "probing.py").write_text(PROBE.format(signals=signals))
    (tmp_path / "short.toml").write_text(
        f"{soak_signals.SCENARIO}[probes]\nlate = {{ what = 'probing:late', deltas = 0.01 }}\n"
    )
    arguments = [sys.executable, "-m", "pcode", "run", "short.toml", "--allow-code", "--out", "new/out"]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=soak_signals.ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert (tmp_path / "new").exists() == kept
    if kept:
        assert "interrupted" in done.stderr
        assert check_folder(tmp_path / "new/out") == "interrupted"
        assert Run.load(tmp_path / "new/out/run.nc").phases[0].t_end >= 20.0
    else:
        assert done.stderr == ""


def test_a_run_that_is_to_outlive_its_terminal_does(tmp_path):
    as_nohup = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = command("run", "short.toml", folder=tmp_path, first=as_nohup)
    while process.poll() is None and not (tmp_path / "results").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    assert ended(process) == (0, "")
    assert check_folder(tmp_path / "results/short") == "success"

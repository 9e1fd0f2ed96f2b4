"""Films of a run: which moments they show, what each picture says, and what becomes of the file."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_runs import TRAIN, Stage, synthetic_run

import pcode
from pcode import InputError, Status, plotting
from pcode.cli import main
from pcode.plotting import animation
from pcode.plotting.film import Film

ROOT = str(Path(pcode.__file__).parents[1])


@pytest.fixture(scope="module")
def run():
    """1-1-1 that learns; tau = 1, delta = 100."""
    network = pcode.Network(sizes=(1, 1, 1), delta=100.0)
    weights = pcode.Weights(M=([[0.5]], [[0.5]]), W=([[0.5]], [[0.5]]), beta=([0.0], [0.0]))
    train = pcode.Phase("learn", {0: [[1.0]], 2: [[0.8]]}, duration=1000.0)
    return pcode.simulate(network, [train], weights=weights, save=pcode.Save(nodes=400, weights=60))


@pytest.fixture
def saved(run, tmp_path):
    run.save(tmp_path / "run.nc")
    return tmp_path / "run.nc"


def test_moments_start_fast_and_go_on_evenly_in_slow_time(run):
    times = np.array(plotting.film_moments(run, 101))
    assert times[0] == 0.0
    assert times[-1] == 1000.0
    assert (np.diff(times) >= 0.0).all()
    assert set(times) <= set(run.data["time"].to_numpy())
    settling = (times > 0.0) & (times <= 20.0)
    assert 25 <= settling.sum() <= 35
    slow = times[times > 21.0]
    # Saved times are 3% of the time apart: an even spread is met up to that.
    even = np.linspace(20.0, 1000.0, slow.size + 1)[1:]
    np.testing.assert_allclose(slow, even, rtol=0.03)
    log = np.array(plotting.film_moments(run, 5, slow="log"))
    np.testing.assert_allclose(log[1:], np.geomspace(20.0, 1000.0, 4), rtol=0.05)


def test_moments_of_a_phase_that_holds_its_weights_are_logarithmic():
    held = synthetic_run((1, 1, 1), (Stage(samples=(0,), learn=False, duration=100.0),), nodes=400)
    times = np.array(plotting.film_moments(held, 4))
    np.testing.assert_allclose(times, [0.0, 0.1, np.sqrt(10.0), 100.0], rtol=0.05)


def test_the_phase_shown_is_the_first_that_learns():
    stages = Stage("look", 10.0, learn=False), TRAIN, Stage("more")
    assert plotting.film_phase(synthetic_run((2, 3, 1), stages)) == 1
    assert plotting.film_phase(synthetic_run((2, 3, 1), stages), "more") == 2
    with pytest.raises(InputError, match="no phase"):
        plotting.film_phase(synthetic_run((2, 3, 1), stages), 7)


def crossing(ax):
    """Where the two nullclines cross, by the nearest of their vertices."""
    first, second = (
        np.concatenate([line.get_xydata() for line in ax.get_lines() if line.get_color() == color])
        for color in ("#0072B2", "#D55E00")
    )
    gaps = np.linalg.norm(first[:, None] - second[None], axis=-1)
    i, j = np.unravel_index(gaps.argmin(), gaps.shape)
    return 0.5 * (first[i] + second[j])


def test_nullclines_cross_where_the_nodes_would_rest_with_the_weights_of_the_moment(run):
    film = Film(run)
    crossings = []
    for time in (0.0, 1000.0):
        film.show(time)
        now = run.data.sel(weight_time=time, method="nearest")
        m0, b1, m1, w1, b2 = (float(now[k].squeeze()) for k in ("M0", "beta1", "M1", "W1", "beta2"))
        # Oracle: x = mu1 + eps1, eps1 = sigma'(x) eps2 W, eps2 = y - mu2, by bisection.
        mu1 = np.tanh(1.0) * m0 + b1

        def gap(x, mu1=mu1, m1=m1, w1=w1, b2=b2):
            return x - mu1 - (1.0 - np.tanh(x) ** 2) * w1 * (0.8 - np.tanh(x) * m1 - b2)

        low, high = -2.0, 2.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if gap(middle) < 0.0 else (low, middle)
        width = np.diff(film.figure.axes[0].get_xlim()).item()
        crossings.append(crossing(film.figure.axes[0]))
        assert crossings[-1][0] == pytest.approx(low, abs=0.02 * width)
    assert np.linalg.norm(crossings[1] - crossings[0]) > 0.1


def test_every_picture_has_the_same_window_and_its_time(run):
    film = Film(run)
    plane = film.figure.axes[0]
    windows, titles, marks = set(), [], []
    for time in (0.0, run.data["time"].to_numpy()[200].item(), 1000.0):
        film.show(time)
        windows.add((*plane.get_xlim(), *plane.get_ylim()))
        titles.append(film.figure.get_suptitle())
        marks += [
            line.get_xdata()[0]
            for ax in film.figure.axes
            for line in ax.get_lines()
            if line.get_gid() == "now"
        ]
    assert len(windows) == 1
    assert titles[0] == "learn: $t$ = 0"
    assert titles[2] == r"learn: $t$ = 10 $\delta$"
    assert marks == [0.0, run.data["time"].to_numpy()[200], 1000.0]


def test_the_run_has_its_mark_in_every_picture_the_last_one_included(run):
    film = Film(run)
    plane = film.figure.axes[0]
    for time in (0.0, 50.0, 1000.0):
        film.show(time)
        (mark,) = [line for line in plane.get_lines() if line.get_label() == "run at this moment"]
        row = int(np.abs(run.data["time"].to_numpy() - time).argmin())
        values = [run.data[name].to_numpy()[row, 0, 0] for name in ("x1", "eps2")]
        np.testing.assert_allclose(np.ravel(mark.get_xydata()), values)


def test_a_gif_has_its_pictures_speed_and_size(run, tmp_path):
    told = []
    plotting.animate(run, tmp_path / "film.gif", seconds=0.6, fps=10, tell=told.append)
    with Image.open(tmp_path / "film.gif") as image:
        assert image.n_frames == 6
        assert image.size == (864, 480)
        assert image.info["duration"] == 100
    assert told == list(range(1, 7))
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]


def test_an_mp4_is_handed_to_ffmpeg_picture_by_picture(run, tmp_path, monkeypatch):
    """A stand-in for ffmpeg counts the bytes that it is given."""
    program = tmp_path / "ffmpeg"
    program.write_text(
        f"#!{sys.executable}\nimport sys\ndata = sys.stdin.buffer.read()\n"
        "open(sys.argv[-1], 'w').write(f'{len(data)} {sys.argv[1:]}')\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    plotting.animate(run, tmp_path / "film.mp4", seconds=0.3, fps=10)
    size, arguments = (tmp_path / "film.mp4").read_text().split(" ", 1)
    assert int(size) == 3 * 864 * 480 * 4
    assert "'10'" in arguments
    assert "864x480" in arguments


def test_a_film_that_is_stopped_leaves_the_old_one_whole(run, tmp_path):
    (tmp_path / "film.gif").write_bytes(b"old")

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plotting.animate(run, tmp_path / "film.gif", seconds=0.5, fps=10, tell=stop)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"film.gif": b"old"}


def test_the_command_films_beside_the_run(saved, capsys, monkeypatch):
    monkeypatch.setattr(animation.shutil, "which", lambda _: None)
    assert (
        main(["animate", str(saved.parent), "--seconds", "0.3", "--set", "x=x1[0]", "--set", "y=eps1[0]"])
        == 0
    )
    assert capsys.readouterr().out == f"{saved.parent / 'animation.gif'}\n"
    assert (saved.parent / "animation.gif").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "film.avi"], ".mp4 or .gif"),
        (["-o", "film"], ".mp4 or .gif"),
        (["-o", "nowhere/film.gif"], "no such folder"),
        (["-o", "film.mp4"], "needs ffmpeg"),
        (["--seconds", "0"], "--seconds"),
        (["--seconds", "nan"], "--seconds"),
        (["--fps", "0"], "--fps"),
        (["--fps", "x"], "--fps"),
        (["--set", "color=1"], "no such option"),
        (["--set", "phase=7"], "no phase"),
        (["--set", "sample=3"], "sample 3"),
        (["--set", "x=x1[0]"], "must be given too"),
        (["--set", "x=x9[0]", "--set", "y=x1[0]"], "x9"),
        (["--set", "rest=lying"], "rest"),
    ],
)
def test_what_cannot_be_filmed_is_told_in_one_line(saved, capsys, monkeypatch, words, said):
    monkeypatch.chdir(saved.parent)
    monkeypatch.setattr(animation.shutil, "which", lambda _: None)
    assert main(["animate", "run.nc", "--seconds", "0.2", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert [path.name for path in saved.parent.iterdir()] == ["run.nc"]


def test_a_run_that_failed_is_filmed_as_far_as_it_came_and_an_instant_is_refused(tmp_path):
    failed = synthetic_run((2, 3, 1), (Stage(status=Status.MAX_STEPS, rows=20, samples=(0, 1)),))
    failed.data["x1"][-1, 0, 0] = np.nan
    plotting.animate(failed, tmp_path / "film.gif", seconds=0.2)
    assert (tmp_path / "film.gif").exists()
    instant = synthetic_run((2, 3, 1), (Stage(rows=1),))
    with pytest.raises(InputError, match="no time passed"):
        plotting.animate(instant, tmp_path / "other.gif")


def test_a_signal_ends_filming_and_leaves_nothing_half_written(saved):
    command = [sys.executable, "-c", WAITING, "animate", str(saved), "-o", str(saved.parent / "film.gif")]
    environment = os.environ | {"PYTHONPATH": ROOT}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"filming\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, b"")
    assert [path.name for path in saved.parent.iterdir()] == ["run.nc"]


# The command, which says when its second picture is due.
WAITING = """
import signal, sys
from pcode.plotting.film import Film
from pcode.cli import main
show, shown = Film.show, []
def telling(self, time):
    shown.append(time)
    if len(shown) == 4:
        print("filming", flush=True)
        signal.pause()
    show(self, time)
Film.show = telling
sys.exit(main(sys.argv[1:]))
"""

"""Sweeps: points are single runs, kept one by one, whatever happens to the processes that run them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from sweep_cluster import TINY, environment, processes

import pcode
from pcode import InputError, Sweep
from pcode.base import shipped
from pcode.cli import main
from pcode.sweeps import WorkersLostError

OVER = ["network.delta=5:20:2", "weights.seed=0:3"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a scheduler with two workers."""
    with processes(tmp_path_factory.mktemp("cluster"), 2, POINT_FAILS="yes") as (address, _):
        yield address


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def kept(folder):
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("runs/*/point.json")}


@pytest.fixture(scope="module")
def swept(cluster, tmp_path_factory):
    """A sweep of eight points, with the run of each, and its folder."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "tiny.toml").write_text(TINY)
    out = folder / "out"
    return pcode.sweep(folder / "tiny.toml", OVER, out=out, scheduler=cluster, keep_runs=True), out


def test_points_are_single_runs_bit_by_bit(swept, tiny, tmp_path):
    sweep, out = swept
    command = [sys.executable, "-m", "pcode", "run", str(tiny), "--out", str(tmp_path / "one")]
    changes = ["--set", "network.delta=20", "--set", "weights.seed=3"]
    subprocess.run([*command, *changes], env=environment(), check=True, capture_output=True)
    with (
        xr.open_dataset(tmp_path / "one/run.nc", decode_times=False) as single,
        xr.open_dataset(out / "runs/0007/run.nc", decode_times=False) as point,
    ):
        single, point = single.load(), point.load()
    xr.testing.assert_equal(point, single)
    assert {name: one.dtype for name, one in point.items()} == {n: one.dtype for n, one in single.items()}
    assert point.attrs["scenario"] == single.attrs["scenario"]
    report = json.loads((tmp_path / "one/report.json").read_text())
    told = json.loads((out / "runs/0007/report.json").read_text())
    for document in (report, told):
        for phase in document["phases"]:
            del phase["compile_seconds"], phase["solve_seconds"]
    assert told == report
    last = sweep.data.isel({"network.delta": 1, "weights.seed": 3})
    assert last["energy_final"] == report["energy_final"]
    assert last["error"].to_numpy().tolist() == [phase["error"] for phase in report["phases"]]
    assert last["steps"] == sum(phase["steps"] for phase in report["phases"])


def test_the_dataset_has_the_swept_values_as_dimensions(swept):
    sweep, out = swept
    data = sweep.data
    assert data["status"].dims == ("network.delta", "weights.seed")
    assert data["network.delta"].to_numpy().tolist() == [5, 20]
    assert data["weights.seed"].to_numpy().tolist() == [0, 1, 2, 3]
    assert data["point"].to_numpy().tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert set(data["status"].to_numpy().ravel()) == {"equilibrium"}
    assert data["phase"].to_numpy().tolist() == ["train", "test"]
    settling = data["settling_time"]
    assert np.isnan(settling.sel(phase="train")).all()
    assert (settling.sel(phase="test") == data["t_end"] - 20.0).all()
    assert data["energy_layer"].sum("layer").to_numpy() == pytest.approx(data["energy_final"].to_numpy())
    loaded = Sweep.load(out)
    xr.testing.assert_identical(loaded.data, data)
    assert repr(loaded).splitlines() == [
        "<pcode.Sweep of 8 points: 8 equilibrium>",
        "  network.delta: 2 values, 5 to 20",
        "  weights.seed: 4 values, 0 to 3",
    ]


def test_the_data_frame_has_a_row_a_point(swept):
    sweep, _ = swept
    frame = sweep.to_dataframe()
    assert len(frame) == 8
    assert frame["network.delta"].tolist() == [5] * 4 + [20] * 4
    assert frame["weights.seed"].tolist() == [0, 1, 2, 3] * 2
    assert frame["error[test]"].tolist() == sweep.data["error"].sel(phase="test").to_numpy().ravel().tolist()
    assert frame["energy_layer[2]"].notna().all()


def test_keys_that_change_together_are_coordinates_of_one_dimension(cluster, tiny, tmp_path):
    over = ["network.tau=0.5;1,,network.sizes=[1,1,1];[1,1,1,1]"]
    sweep = pcode.sweep(tiny, over, out=tmp_path / "out", scheduler=cluster)
    assert sweep.axes == (("network.tau", "network.sizes"),)
    assert sweep.data["network.sizes"].dims == ("network.tau",)
    assert sweep.data["network.sizes"].to_numpy().tolist() == ["1-1-1", "1-1-1-1"]
    layers = sweep.data["energy_layer"].notnull().to_numpy()
    assert layers.tolist() == [[True, True, False], [True, True, True]]


def test_a_killed_worker_costs_its_points_in_flight(tiny, tmp_path):
    with processes(tmp_path, 2) as (address, (_, first, _)):

        def kill(now):
            if now.done == 3:
                first.kill()

        over = ["network.delta=5:20:2", "weights.seed=0:9"]
        sweep = pcode.sweep(tiny, over, out=tmp_path / "out", scheduler=address, progress=kill)
    assert sweep.statuses == {"equilibrium": 20}
    assert len(kept(tmp_path / "out")) == 20


def test_a_sweep_whose_scheduler_was_killed_is_resumed(cluster, tiny, tmp_path):
    out = tmp_path / "out"
    with processes(tmp_path, 1) as (address, (scheduler, _)):

        def kill(now):
            if now.done == 2:
                scheduler.kill()

        with pytest.raises(WorkersLostError, match="does not answer any more"):
            pcode.sweep(tiny, OVER, out=out, scheduler=address, progress=kill)
    before = kept(out)
    assert 2 <= len(before) < 8
    assert Sweep.load(out).statuses == {"equilibrium": len(before), "": 8 - len(before)}
    assert np.isnan(Sweep.load(out).data["energy_final"]).sum() == 8 - len(before)
    told = []
    sweep = pcode.resume(out, scheduler=cluster, progress=told.append)
    assert (told[0].done, told[0].point, told[-1].done) == (len(before), None, 8)
    ran = [now.point.number for now in told[1:]]
    assert sorted(ran) == sorted(set(range(8)) - set(map(int, before)))
    after = kept(out)
    assert {name: after[name] for name in before} == before
    assert sweep.statuses == {"equilibrium": 8}


def test_a_stopped_sweep_keeps_what_is_done_and_a_finished_one_has_nothing_to_resume(cluster, tiny, tmp_path):
    done = []
    out = tmp_path / "out"
    pcode.sweep(tiny, OVER, out=out, scheduler=cluster, progress=done.append, stop=lambda: len(done) > 3)
    assert len(kept(out)) == 3
    sweep = pcode.resume(out, scheduler=cluster)
    assert sweep.statuses == {"equilibrium": 8}
    again = pcode.resume(out, scheduler="tcp://127.0.0.1:1")  # asked for nothing
    xr.testing.assert_identical(again.data, sweep.data)


def test_a_point_that_raises_is_tried_again_then_recorded(cluster, tiny, tmp_path):
    (tmp_path / "own_f.py").write_text(
        "import os\nfrom pathlib import Path\n"
        "if os.environ.get('POINT_FAILS'):\n"
        f"    with Path({str(tmp_path / 'tries')!r}).open('a') as tries:\n"
        "        tries.write('x')\n"
        "    raise OSError('no luck')\n"
        "def f(v):\n    return v\n"
    )
    sweep = pcode.sweep(
        tiny, "network.activation=own_f:f;tanh", out=tmp_path / "out", scheduler=cluster, allow_code=True
    )
    assert sweep.data["status"].to_numpy().tolist() == ["error", "equilibrium"]
    assert "no luck" in str(sweep.data["message"].to_numpy()[0])
    assert np.isnan(sweep.data["energy_final"]).to_numpy().tolist() == [True, False]
    assert (tmp_path / "tries").read_text() == "xx"
    assert list(kept(tmp_path / "out")) == ["0000", "0001"]


def test_a_run_that_fails_has_its_status(cluster, tiny, tmp_path):
    sweep = pcode.sweep(tiny, "solver.max_steps=3;100000", out=tmp_path / "out", scheduler=cluster)
    assert sweep.data["status"].to_numpy().tolist() == ["max_steps", "equilibrium"]


def test_answers_of_questions_are_numbers_of_the_sweep(cluster, tiny, tmp_path):
    changes = ["analysis.questions=['spectrum', 'classification']"]
    sweep = pcode.sweep(tiny, "network.nu=0.1;4.0", out=tmp_path / "out", scheduler=cluster, changes=changes)
    run = pcode.scenario.Scenario.load(tiny, ["network.nu=0.1"]).simulate()
    rates = pcode.analysis.ask(run, "spectrum").rates
    found = sweep.data["spectrum.rates.node_slowest"].to_numpy()
    assert found[0] == pytest.approx(rates.node_slowest, rel=1e-6)
    # 1-1-1 rings where nu < 2 s, s the singular value of 1 - the slope's weight; with nu = 4 it does not.
    rings = np.isfinite(sweep.data["spectrum.rates.ring_period"].to_numpy())
    assert rings.tolist() == [True, False]
    assert not [name for name in sweep.numbers if name.startswith("classification")]
    assert "classification: data: has targets that name no classes" in str(
        sweep.data["unanswered"].to_numpy()[0]
    )


# --- the command --------------------------------------------------------------------------------------


def test_the_command_says_what_became_of_the_points(cluster, tiny, tmp_path, capsys):
    arguments = ["sweep", str(tiny), "--over", "weights.seed=0:2", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--scheduler", cluster]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == ["tiny: 3 points: 3 equilibrium", str(tmp_path / "out/sweep.nc")]
    assert told.err.startswith("pcode: 3 of 3 points to run, 2 workers")
    assert main([*arguments, "--scheduler", cluster]) == 2
    assert "pcode resume" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "out")]) == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_sweep_with_what_is_done(cluster, tiny, tmp_path, signum, code):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pcode", "sweep", str(tiny), "--out", str(out)]
    command += ["--scheduler", cluster, "--over", "weights.seed=0:499"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert "500 of 500 points to run" in process.stderr.readline()
        process.send_signal(signum)
        assert "stopped; pcode resume" in process.stderr.read()
    assert process.returncode == code
    counts = Sweep.load(out).statuses
    assert counts[""] > 0
    assert counts.get("equilibrium", 0) == len(kept(out))


@pytest.mark.parametrize("what", ["progress", "stop"])
def test_a_function_that_raises_does_not_lose_the_sweep(what, cluster, tiny, tmp_path):
    def fails(*_):
        raise ValueError("boom")

    with pytest.warns(RuntimeWarning, match=rf"{what} raised ValueError\('boom'\)"):
        made = pcode.sweep(
            tiny, ["weights.seed=0:1"], out=tmp_path / "out", scheduler=cluster, **{what: fails}
        )
    done = {"progress": {"equilibrium": 2}, "stop": {"": 2}}
    assert made.statuses == done[what]


def test_workers_of_this_machine_are_started_and_gone_afterwards(tiny, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pcode", "sweep", str(tiny), "--workers", "1", "--out", str(out)]
    done = subprocess.run(
        [*command, "--over", "weights.seed=0:1"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 worker, dashboard http://127.0.0.1:" in done.stderr
    assert sorted(path.name for path in out.iterdir() if path.suffix) == [
        "scenario.toml", "sweep.json", "sweep.nc",
    ]  # fmt: skip
    assert sorted(path.name for path in out.glob("runs/*/*")) == ["point.json"] * 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--over", "network.dleta=1:3"], "point 0 (network.dleta=1): network.dleta: unknown key; did you"),
        (["--over", "weights.seed=3:1"], "--over: weights.seed: '3:1' is empty"),
        (["--over", "network.delta=10;-1"], "point 1 (network.delta=-1): network.delta: must be more than 0"),
        (["--over", "network.sizes=[1,1,1];[2,1,1]"], "point 1 (network.sizes=[2, 1, 1]): data.inputs: "),
        (["--over", "phase.2.duration=1:2"], "point 0 (phase.2.duration=1): phase.2: is not there"),
        ([], "--over: names no axis"),
        (["--over", "weights.seed=0:1", "--scheduler", "tcp://127.0.0.1:1", "--timeout", "0.5"],
         "--scheduler: no scheduler answers at tcp://127.0.0.1:1 within 0.5 s"),
        (["--over", "weights.seed=0:1", "--scheduler", "no address"], "--scheduler: no scheduler answers at"),
        (["--over", "weights.seed=0:1", "--workers", "0"], "workers: must be a whole number of 1 or more"),
        (["--over", "weights.seed=0:1", "--retries", "-1"], "retries: must be a whole number of 0 or more"),
        (["--over", "weights.seed=0:1", "--timeout", "0"], "timeout: must be positive"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_before_anything_runs(arguments, told, tiny, tmp_path, capsys):
    assert main(["sweep", str(tiny), "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_server_that_says_nothing_counts_as_no_scheduler(tiny, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and never answers
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        options = ["--over", "weights.seed=0:1", "--scheduler", address, "--timeout", "0.5"]
        assert main(["sweep", str(tiny), "--out", str(tmp_path / "out"), *options]) == 2
    assert f"no scheduler answers at {address} within 0.5 s" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_sweep_is_not_resumed(tmp_path, capsys):
    assert main(["resume", str(tmp_path)]) == 2
    assert "holds no sweep; give the folder of a sweep" in capsys.readouterr().err
    (tmp_path / "sweep.json").write_text("{}")
    (tmp_path / "scenario.toml").write_text(TINY)
    assert main(["resume", str(tmp_path)]) == 2
    assert "holds no sweep that can be read" in capsys.readouterr().err


def test_without_dask_one_line_says_how_to_install_it(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pcode.sweeps.cluster.find_spec", lambda _: None)
    assert main(["sweep", str(tiny), "--over", "weights.seed=0:1", "--out", str(tmp_path / "out")]) == 2
    assert "pip install 'pcode-sim[sweep]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_dask_is_not_imported_before_a_sweep_runs():
    code = "import sys, pcode; pcode.sweep; pcode.Sweep; print({'dask', 'distributed'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_two_processes_do_not_write_to_one_folder(swept):
    from pcode.sweeps import SweepFolder

    _, out = swept
    with SweepFolder(Path(out)).locked(), pytest.raises(InputError, match="another process writes there"):
        pcode.resume(out)


# --- the table [sweep] ---------------------------------------------------------------------------------


def with_table(path, table):
    path.write_text(f"{TINY}[sweep]\n{table}\n")
    return path


def test_the_table_says_the_axes_where_no_option_does(cluster, tiny, tmp_path):
    with_table(tiny, 'over = ["weights.seed=0:2"]')
    sweep = pcode.sweep(tiny, out=tmp_path / "out", scheduler=cluster)
    assert sweep.dims == ("weights.seed",)
    other = pcode.sweep(tiny, "network.nu=1;2", out=tmp_path / "other", scheduler=cluster)
    assert other.dims == ("network.nu",)


def test_check_tells_of_the_sweep_and_refuses_what_it_cannot_do(tiny, capsys):
    with_table(tiny, 'over = ["network.sizes=[1,1,1];[1,2,1]", "weights.seed=0:2"]')
    assert main(["check", str(tiny)]) == 0
    out = capsys.readouterr().out
    assert "sweep    6 points, 2 structures, over network.sizes (2), weights.seed (3)" in out
    for table, told in {
        'over = ["weights.seed=3:1"]': "tiny.toml: sweep.over: weights.seed: '3:1' is empty",
        'over = ["weights.sed=1:3"]': "weights.sed: unknown key; did you mean seed?",
        "over = []": "sweep.over: must have 1 entry at least",
        "keep_runs = true": "sweep.over: is missing",
        'over = ["weights.seed=1:3"]\n[[sweep.figure]]\nrecipe = "energy"': "draws a run, not a sweep",
        'over = ["weights.seed=1:3"]\n[[sweep.figure]]\nrecipe = "sweeplines"': "did you mean",
    }.items():
        assert main(["check", str(with_table(tiny, table))]) == 2
        assert told in capsys.readouterr().err


# --- what ships ------------------------------------------------------------------------------------------

SHIPPED = ["sweep_cost", "sweep_separation", "sweep_settling"]


def test_there_is_a_section_with_a_figure_for_each_shipped_sweep():
    named = {name for name, path in shipped.names("scenarios").items() if "\n[sweep]" in path.read_text()}
    assert named == set(SHIPPED)
    docs = Path(__file__).parents[1] / "docs"
    page = (docs / "sweeps.md").read_text(encoding="utf-8")
    for name in SHIPPED:
        assert f"pcode sweep {name}`" in page
        assert f"(studies/{name}.png)" in page
        assert (docs / "studies" / f"{name}.png").stat().st_size < 200_000


@pytest.mark.parametrize("name", SHIPPED)
def test_all_points_of_a_shipped_sweep_can_be_run(name, capsys):
    assert main(["check", name]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    count = int(last.split()[1])
    text = " ".join(shipped.find("scenarios", name).read_text().split()).replace("# ", "")
    assert f"{count} points" in text


def test_the_figures_of_a_scenario_are_drawn_of_its_sweep(cluster, tmp_path, capsys):
    """Three points of a shipped one, in which the distance falls as tau/delta does."""
    over = ["--over", "network.tau=2e-3:5e-4:3:log", "--over", "weights.seed=3"]
    command = ["sweep", "sweep_separation", *over, "--out", str(tmp_path), "--scheduler", cluster]
    assert main(command) == 0
    assert str(tmp_path / "separation.png") in capsys.readouterr().out
    distances = Sweep.load(tmp_path).data["separation.own_distance"].to_numpy().ravel()
    # First order in tau/delta, up to the second.
    assert distances[0] / distances[2] == pytest.approx(4.0, rel=0.05)

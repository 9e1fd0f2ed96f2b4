"""What a run, its report, `pcode run`, `pcode check` and the progress bar print, number by number."""

import io
import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pcode
from pcode import Run
from pcode.base.reading import told_size
from pcode.cli import main
from pcode.cli.gallery import Gallery
from pcode.cli.progress import counting_bar, progress_bar
from pcode.cli.running import _verdict, describe, summary
from pcode.model.state import State
from pcode.scenario import report
from pcode.simulation import callbacks
from pcode.simulation.plan import plan
from tests import reference
from tests.conftest import XOR_X, XOR_Y
from tests.small_scenario import SMALL, load
from tests.synthetic_runs import synthetic_run

TEST = '[[phase]]\nname = "test it"\nclamp = "input"\nlearn = false\nduration = 2.5\n'


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A scenario of two phases, its run, and how long that took."""
    scenario = load(
        tmp_path_factory.mktemp("small"),
        SMALL + TEST,
        "network.nu=[0.5, 2.0]",
        "save.nodes=40",
        "save.weights=5",
    )
    began = time.perf_counter()
    run = scenario.simulate()
    return scenario, run, time.perf_counter() - began


def steps_of(run, k):
    """How many steps a run kept of a phase."""
    return int((run.solver["step_phase"].values == k).sum())


def error_of(output):
    return np.abs(output - XOR_Y).max()


# --- report.json and the summary ------------------------------------------------------------------


def test_the_report_has_the_numbers_of_the_run(done):
    _, run, wall = done
    told = report(run)
    train, test = told["phases"]
    assert (train["t_start"], train["t_end"], test["t_start"], test["t_end"]) == (0.0, 1.0, 1.0, 3.5)
    assert (train["samples"], test["samples"]) == (4, 4)
    # Train: x^1, eps^1, eps^2, and M, W, beta; test: x^1, x^2, eps^1, eps^2.
    assert (train["unknowns"], test["unknowns"]) == (4 * 7 + 2 * 9 + 4, 4 * 8)
    assert told["unknowns"] == 50
    assert [phase["steps"] for phase in told["phases"]] == [steps_of(run, k) for k in range(2)]
    last = run.data.isel(time=-1)
    F = sum(0.5 * nu * (last[f"eps{k}"].values ** 2).sum(axis=1).mean() for k, nu in ((1, 0.5), (2, 2.0)))
    assert told["energy_final"] == pytest.approx(F, rel=1e-12)
    assert test["error"] == pytest.approx(error_of(last["x2"].values))
    M, _, beta = run.weights
    assert train["error"] == pytest.approx(error_of(reference.feedforward(run.network, XOR_X, M, beta)))
    total = json.loads(run.data.attrs["solver_statistics"])
    assert total["steps"] == train["steps"] + test["steps"]
    assert total["solve_seconds"] == pytest.approx(train["solve_seconds"] + test["solve_seconds"])
    seconds = sum(phase[key] for phase in told["phases"] for key in ("compile_seconds", "solve_seconds"))
    assert 0.0 < seconds < wall


def test_the_summary_tells_times_steps_seconds_and_the_error_of_each_phase(done):
    scenario, run, _ = done
    stats = replace(run.phases[0].stats, compile_seconds=1.25, solve_seconds=2.17)
    records = [replace(run.phases[0], stats=stats), *run.phases[1:]]
    data = run.data.copy()
    data.attrs = run.data.attrs | {"phases": json.dumps([record.to_dict() for record in records])}
    lines = summary(scenario, Run(data))
    M, _, beta = run.weights
    trained = error_of(reference.feedforward(run.network, XOR_X, M, beta))
    assert lines[0] == "small: success"
    assert lines[1] == (
        f"  train    success, t = 0 to 1, {steps_of(run, 0)} steps in 3.4 s, error {trained:.4g}"
    )
    assert lines[2].startswith(f"  test it  success, t = 1 to 3.5, {steps_of(run, 1)} steps in ")
    assert lines[2].endswith(f" s, error {error_of(run.data['x2'].values[-1]):.4g}")


@pytest.mark.parametrize(("count", "more"), [(1, ""), (2, " (and 1 more)"), (3, " (and 2 more)")])
def test_what_could_not_be_done_is_counted(done, capsys, count, more):
    scenario, run, _ = done
    _verdict(scenario, run, Path("results"), [f"figure {k}: no" for k in range(count)])
    assert f"figure 0: no{more}; the run itself is in results" in capsys.readouterr().err


def test_what_the_gallery_could_not_draw_is_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        Gallery, "make", lambda self, signals: self.failures.extend(["a: no", "b: no", "c: no"])
    )
    assert main(["gallery", str(tmp_path)]) != 0
    assert "a: no (and 2 more)" in capsys.readouterr().err


def test_the_message_of_a_phase_tells_the_time_of_the_run_that_it_reached():
    network = pcode.Network((1, 1, 1), delta=50.0)
    phases = [
        pcode.Phase("train", {0: [[1.0]], 2: [[0.5]]}, duration=7.0),
        pcode.Phase("test", {0: [[1.0]]}, duration=0.25, learn=False, until="equilibrium", settle_tol=1e-9),
    ]
    run = pcode.simulate(network, phases, weights=network.init_weights(0), save=pcode.Save(5, 5))
    assert run.phases[0].message.startswith("phase 'train', to t = 7: ")
    assert run.message.startswith("phase 'test', to t = 7.25: ")
    assert repr(run) == (
        "<pcode.Run 1-1-1, 1 sample: not_settled>\n"
        f"  train: success, t = 0 to 7, {steps_of(run, 0)} steps ({run.phases[0].method})\n"
        f"  test: not_settled, t = 7 to 7.25, {steps_of(run, 1)} steps ({run.phases[1].method})"
    )


@pytest.mark.parametrize("method", ["cvode", "RK45", "Tsit5", "auto"])
def test_seconds_are_those_that_passed(method):
    """auto with tau = 0, where another solver is chosen than those by name."""
    network = pcode.Network((1, 1, 1), "identity", tau=0.0 if method == "auto" else 1.0, delta=50.0)
    phase = pcode.Phase("train", {0: [[1.0]], 2: [[0.5]]}, duration=20.0)
    weights = network.init_weights(0)
    began = time.perf_counter()
    run = pcode.simulate(network, [phase], weights=weights, method=method, save=pcode.Save(5, 5))
    wall = time.perf_counter() - began
    stats = run.phases[0].stats
    assert min(stats.compile_seconds, stats.solve_seconds) > 0.0
    assert 0.02 * wall < stats.compile_seconds + stats.solve_seconds < wall


def test_a_table_of_a_run_tells_its_phases():
    run = synthetic_run(tau=0.5, delta=1250.0)
    records = [record.to_dict() for record in run.phases]
    records[0]["stats"]["steps"] = 12345
    run.data.attrs["phases"] = json.dumps(records)
    assert repr(Run(run.data)).startswith("<pcode.Run 2-8-1, 4 samples: ")
    html = Run(run.data)._repr_html_()
    assert "Run of a network 2-8-1, 4 samples, tau = 0.5, delta = 1250, learned feedback: " in html
    assert re.findall(r">(\d+ to \d+)<", html) == ["0 to 4000", "4000 to 4050"]
    assert re.findall(r">([\d,]+)</td></tr>", html) == ["12,345", "10"]


# --- pcode check ----------------------------------------------------------------------------------


def test_check_tells_unknowns_durations_tolerances_and_memory(tmp_path):
    changes = (
        "network.delta=250.0",
        "network.tau=0.5",
        "save.nodes=40",
        "save.weights=5",
        "save.memory_gb=0.125",
    )
    scenario = load(tmp_path, SMALL + TEST, *changes, "solver.rtol=2e-5", "solver.atol=3e-8")
    lines = describe(scenario)
    # Rows: 40 a phase; 5, and 2 where weights are held. A row of nodes: 4 samples of 6 values and 4 errors
    # with their numbers, and 2 energies of 2 layers; of weights: M, W and beta.
    size = 8 * (2 * 40 * (4 * (6 + 4 + 1) + 2 * 2) + (5 + 2) * (2 * 9 + 4))
    assert lines[1:] == [
        "network  2-3-1, tanh, learned feedback, tau = 0.5, delta = 250",
        "data     4 samples: 4 to train",
        "phase 0  train: 4 samples, clamped layers: 0, 2, weights learn, duration 1",
        "         N = 50 unknowns: x1 4 x 3, eps1 4 x 3, eps2 4 x 1, M0 2 x 3, M1 3 x 1, W0 3 x 2, W1 1 x 3, "
        "beta1 3, beta2 1",
        "phase 1  test it: 4 samples, clamped layers: 0, weights held, duration 2.5",
        "         N = 32 unknowns: x1 4 x 3, x2 4 x 1, eps1 4 x 3, eps2 4 x 1",
        f"memory   {size / 1000:.3g} kB for the result at most; 125 MB allowed (save.memory_gb)",
        "method   auto, rtol = 2e-05, atol = 3e-08",
    ]


def test_the_memory_that_check_tells_is_that_of_the_result(done):
    scenario, run, _ = done
    kept = [*run.data.data_vars, "sample_number"]
    nodes = sum(run.data[name].nbytes for name in kept if "time" in run.data[name].dims)
    weights = sum(run.data[name].nbytes for name in kept if "weight_time" in run.data[name].dims)
    assert scenario.plan.result_bytes == nodes + weights


@pytest.mark.parametrize(
    ("count", "told"),
    [(999, "0.999 kB"), (123456, "123 kB"), (1.234e6, "1.23 MB"), (9.876e8, "988 MB"), (2.5e9, "2.5 GB")],
)
def test_a_size_in_memory_is_told_with_its_unit(count, told):
    assert told_size(count) == told


def test_a_result_that_is_too_large_is_refused_with_what_it_would_take():
    network = pcode.Network((100, 50, 10))
    phase = pcode.Phase("train", {0: np.zeros((20, 100)), 2: np.zeros((20, 10))}, duration=1.0)
    for_nodes, for_weights = 8 * 8998 * (20 * 221 + 4), 8 * 1000 * (2 * 5500 + 60)
    told = (
        f"save.nodes: the result would take {(for_nodes + for_weights) / 1e9:.3g} GB, more than the 0.2 GB "
        f"allowed ({for_nodes / 1e9:.3g} GB for nodes, {for_weights / 1e9:.3g} GB for weights); save "
        f"fewer times "
        "(now 8998 a phase), or allow more memory"
    )
    with pytest.raises(pcode.InputError, match=re.escape(told)):
        plan(network, [phase], pcode.Save(8998, 1000, memory=2e8))


# --- progress -------------------------------------------------------------------------------------


def test_progress_tells_the_phase_the_time_the_step_and_the_energy(monkeypatch):
    monkeypatch.setattr(callbacks, "REPORT_EVERY", 0.0)
    network = pcode.Network((1, 1, 1), "identity", nu=(0.5, 2.0), delta=50.0)
    phases = [
        pcode.Phase(name, {0: [[1.0], [2.0]], 2: [[0.5], [1.0]]}, duration=d)
        for name, d in (("one", 3.0), ("two", 4.0))
    ]
    weights = network.init_weights(0)
    x = ([[1.0], [2.0]], [[0.25], [0.5]], [[0.5], [1.0]])
    start = State(tuple(map(np.array, x)), (np.array([[3.0], [1.0]]), np.array([[-2.0], [0.5]])), weights)
    seen = []
    run = pcode.simulate(
        network,
        phases,
        weights=weights,
        nodes=start,
        method="cvode",
        progress=seen.append,
        save=pcode.Save(400, 5),
    )
    first = [now for now in seen if now.phase == 0]
    assert {(now.phase, now.phases, now.name, now.duration) for now in seen} == {
        (0, 2, "one", 3.0),
        (1, 2, "two", 4.0),
    }
    assert first[0].t == 0.0
    assert first[0].energy == pytest.approx(0.5 * 0.5 * (9.0 + 1.0) / 2 + 0.5 * 2.0 * (4.0 + 0.25) / 2)
    ends = run.solver["step_time"].values[run.solver["step_phase"].values == 0]
    np.testing.assert_allclose([now.t for now in first[1:]], ends[: len(first) - 1])
    np.testing.assert_allclose([now.step for now in first[2:]], np.diff(ends)[: len(first) - 2])
    eps = [run.data[f"eps{k}"].values[:, :, 0] for k in (1, 2)]
    F = 0.25 * (eps[0] ** 2).mean(axis=1) + 1.0 * (eps[1] ** 2).mean(axis=1)
    here = run.data["phase"].values == 0
    expected = np.interp([now.t for now in first], run.data["time"].values[here], F[here])
    np.testing.assert_allclose([now.energy for now in first], expected, rtol=1e-2)
    # Of the second phase: time since its own start.
    assert next(now.t for now in seen if now.phase == 1) == 0.0
    assert max(now.t for now in seen if now.phase == 1) <= 4.0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, bar, *told):
    """What `bar` writes to a terminal, without its colours."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with bar as tell:
            tell(*told)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_the_progress_bar_shows_time_step_and_energy(monkeypatch):
    now = pcode.Progress(0, 2, "train", 12.3456, 50.0, 0.0123456, 3.14159)
    assert re.search(
        r"train +\S+ t = 12.35 +step 1.23e-02 +F = 3.142 ", shown(monkeypatch, progress_bar(), now)
    )


def test_the_counting_bar_shows_how_many_are_done(monkeypatch):
    assert re.search(r"pictures \S+ 37/80 ", shown(monkeypatch, counting_bar("pictures", 80), 37))

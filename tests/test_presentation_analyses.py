"""Questions about runs that show samples one after another, of one presentation each, and their tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shown_runs as shown
from flow import reference

import pcode
from pcode.analysis import Snapshot, ask
from pcode.cli import main
from pcode.run.snapshot import as_phase
from pcode.scenario.report import report


@pytest.fixture(scope="module")
def full() -> pcode.Run:
    return shown.run_of("full")


@pytest.fixture(scope="module")
def ends() -> pcode.Run:
    return shown.run_of("ends")


@pytest.fixture(scope="module")
def ramped() -> pcode.Run:
    return shown.run_of("full", size=3, ramp=1.5)


def as_plain(one: pcode.Run) -> pcode.Run:
    """The presentation simulated by itself, as a plain phase from the state in which it started."""
    record, start = one.phases[0], Snapshot.start(one)
    clamp = {0: shown.X[list(record.samples)], 2: shown.Y[list(record.samples)]}
    phase = pcode.Phase("alone", clamp, duration=shown.HOLD)
    save = pcode.Save(nodes=25, weights=12)
    given: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-11, "method": "DOP853", "save": save}
    return pcode.simulate(one.network, [phase], weights=start.state.weights, nodes=start.state, **given)


def test_a_presentation_is_the_plain_phase_from_its_start(full: pcode.Run) -> None:
    one = full.presentation(6)
    plain = as_plain(one)
    assert one.phases[0].name == "train, presentation 6"
    assert one.phases[0].t_end - one.phases[0].t_start == pytest.approx(shown.HOLD)
    assert one.data.sizes["time"] == plain.data.sizes["time"]
    for name in ("x1", "eps1", "eps2", "energy", "energy_slaved"):
        np.testing.assert_allclose(one.data[name], plain.data[name], rtol=0.0, atol=2e-6)
    for mine, other in zip(one.weights.M, plain.weights.M, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0.0, atol=2e-6)


def test_a_presentation_with_ramps_is_integrated_from_the_clamps_before(ramped: pcode.Run) -> None:
    rows = ramped.phases[0].presentation.rows(4)  # type: ignore[union-attr]
    one = ramped.presentation(5)
    start, before, now = Snapshot.start(one), rows[4], rows[5]
    assert now.size == 1  # three of four, then the one that is left
    old = [*before[: now.size]]
    times = [0.0, 1.5]
    clamp = {k: pcode.TimeSeries(times, np.stack([D[old], D[now]])) for k, D in ((0, shown.X), (2, shown.Y))}
    phase = pcode.Phase("one", clamp, duration=shown.HOLD)  # type: ignore[arg-type]
    state = start.state
    x, eps, M, *_ = reference(shown.NET, phase, state.weights, state.x, state.eps, [shown.HOLD])[-1]
    for mine, other in zip([*one.state.x, *one.state.eps, *one.weights.M], [*x, *eps, *M], strict=True):
        np.testing.assert_allclose(mine, other, rtol=0.0, atol=1e-6)
    assert start.moving
    assert ask(ramped, "certificate").to_dict()["passed"]


@pytest.mark.parametrize("question", ["spectrum", "equilibrium", "convergence", "backprop"])
def test_answers_are_those_of_the_plain_phase(ends: pcode.Run, question: str) -> None:
    plain = as_plain(ends.presentation(11))
    given = {"phase": "train"}
    if question == "backprop":
        given["ratios"] = [0.1]  # type: ignore[assignment]
    of_run = ask(ends, question, given).tables()
    of_plain = ask(plain, question, given | {"phase": 0}).tables()
    checked = 0
    for name, table in of_plain.items():
        if name in ("distances", "course", "weights"):  # at moments of their own
            continue
        for mine, other in zip(of_run[name].columns, table.columns, strict=True):
            if mine.name in ("phase", "sample", "t_start", "status", "largest_at", "rises_at"):
                continue
            a, b = (np.asarray(column.values) for column in (mine, other))
            if a.dtype.kind in "fc" and b.dtype.kind in "fc":
                np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4, err_msg=f"{name}.{mine.name}")
                checked += 1
    assert checked


def test_answers_name_their_presentation_the_last_kept_or_that_of_the_time(ends: pcode.Run) -> None:
    for question in ("spectrum", "backprop", "certificate", "separation"):
        assert "'train, presentation 11'" in str(ask(ends, question)), question
    assert "to 1% of their largest distance from rest: train, presentation 11: " in str(
        ask(ends, "convergence")
    )
    assert "'train, presentation 5'" in str(ask(ends, "spectrum", {"time": 5.4 * shown.HOLD}))
    one, index, t = as_phase(ends, None, 5.9 * shown.HOLD)
    assert (one.phases[index].name, t) == ("train, presentation 5", pytest.approx(6 * shown.HOLD))
    assert Snapshot.of(ends).record.name == "test"


def test_a_presentation_alone_is_a_run_that_can_be_saved(full: pcode.Run, tmp_path: Path) -> None:
    one = full.presentation(5, "train")
    one.save(tmp_path / "one.nc")
    again = pcode.Run.load(tmp_path / "one.nc")
    assert again.phases == one.phases
    assert str(ask(again, "spectrum")) == str(ask(one, "spectrum"))
    steps = full.solver["step_size"].to_numpy()[full.solver["step_phase"].to_numpy() == 0]
    assert again.solver["step_size"].to_numpy() == pytest.approx(steps[5:6])


def test_what_is_no_presentation_is_said_in_one_line(full: pcode.Run) -> None:
    for given, line in (
        ((3,), "presentation: the nodes of 3 of 'train' were not kept; those of 0, 5, 6, 11 were"),
        ((0, "test"), "phase: 'test' shows its samples all at once, and has no presentations"),
        ((1.5,), "presentation: must be a whole number"),
    ):
        with pytest.raises(pcode.InputError) as error:
            full.presentation(*given)  # type: ignore[arg-type]
        assert str(error.value).startswith(line)
    with pytest.raises(pcode.InputError, match="no phase of this run shows samples one after another"):
        as_plain(full.presentation(0)).presentation()


def test_how_a_presentation_ended_is_told_by_how_long_it_lasted() -> None:
    until = pcode.Presentation(hold="equilibrium", limit=12.0)
    phase = pcode.Phase("train", {0: shown.X, 2: shown.Y}, presentation=until, learn=False, settle_tol=1e-2)
    save = pcode.Save(presentations=4)
    run = pcode.simulate(shown.NET, [phase], weights=shown.NET.init_weights(rng=2), save=save, method="Tsit5")
    ended = [run.presentation(k).phases[0] for k in range(4)]
    lasted = [one.t_end - one.t_start for one in ended]
    assert [str(one.status) for one in ended] == [
        "equilibrium" if time < 11.999 else "not_settled" for time in lasted
    ]
    assert run.phases[0].at_limit == sum(time >= 11.999 for time in lasted)
    assert run.phases[0].t_end == pytest.approx(sum(lasted))


def test_tables_have_a_column_of_presentations(ends: pcode.Run) -> None:
    nodes = ends.to_dataframe("nodes", phase="train")
    assert nodes["presentation"].tolist() == [k for k in shown.KEPT for _ in range(2)]
    rows = ends.phases[0].presentation.rows(4)  # type: ignore[union-attr]
    assert nodes["sample"].tolist() == [int(rows[k][0]) for k in shown.KEPT for _ in range(2)]
    assert set(ends.to_dataframe("nodes", phase="test")["presentation"]) == {-1}
    assert set(ends.to_dataframe("energy")["presentation"]) == {-1, *shown.KEPT}
    assert set(ends.to_dataframe("weights")["presentation"]) == {-1, *shown.KEPT}
    phases = ends.to_dataframe("phases")
    assert phases[["presented", "at_limit"]].to_numpy().tolist() == [[12, 0], [0, 0]]
    assert "presented" not in as_plain(ends.presentation(0)).to_dataframe("phases")


def test_runs_and_reports_count_presentations(ends: pcode.Run) -> None:
    assert "<pcode.Run 2-3-1, 4 samples" in repr(ends)
    assert "train: success, t = 0 to 72, 12 presentations, " in repr(ends)
    assert "12 presentations" in ends._repr_html_()
    train, test = report(ends)["phases"]
    assert (train["presentations"], train["at_limit"], train["samples"]) == (12, 0, 4)
    assert "presentations" not in test


def test_the_commands_take_one_presentation(
    ends: pcode.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends.save(tmp_path / "run.nc")
    assert main(["analyse", "spectrum", str(tmp_path), "--json", "--presentation", "5"]) == 0
    assert json.loads(capsys.readouterr().out)["phase"] == "train, presentation 5"
    assert main(["plot", "network", str(tmp_path), "--presentation", "2"]) == 2
    assert "presentation: the nodes of 2 of 'train' were not kept" in capsys.readouterr().err

"""Checkpoints, runs that are gone on with, and results that are repeated."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import pcode
from pcode.cli import main
from pcode.run.invariants import checks_of, violations
from soak.resumes import RTOL, Case, Stops, X, Y, cases, check_same, interrupted, limit, network, resumes
from tests.methods import DETERMINISTIC

TRAIN = pcode.Phase("train", {0: X, 2: Y}, duration=10.0)
SHORT = Case("short", network(), [TRAIN])

SCENARIO = """\
title = "small"
[network]
sizes = [2, 3, 1]
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
duration = 20.0
[[phase]]
name = "test"
clamp = "input"
learn = false
duration = 5.0
"""


@pytest.fixture
def renewed(monkeypatch):
    """Integrations begin anew so often that a short one can be gone on with from many places."""
    monkeypatch.setattr("pcode.solvers.base.RENEWED", 20)


@pytest.mark.parametrize("method", ["cvode", "DOP853"])
def test_a_run_that_was_interrupted_twice_is_the_uninterrupted_one(renewed, method, tmp_path):
    case = next(cases(method))
    check_same(interrupted(case, [25, 30], tmp_path / "run.nc"), case.simulate())


def test_a_shuffled_pass_with_ramps_goes_on_in_its_middle(renewed, tmp_path):
    case = next(one for one in cases("cvode") if one.name == "presentations with ramps")
    check_same(interrupted(case, [100, 100], tmp_path / "run.nc"), case.simulate())


def test_the_limit_goes_on(renewed, tmp_path):
    case = next(limit("DOP853"))
    check_same(interrupted(case, [3], tmp_path / "run.nc"), case.simulate())


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in DETERMINISTIC if name != "auto"])
def test_every_method_goes_on_with_every_kind_of_phase(renewed, method, tmp_path):
    # All kinds by one method of each family, some by its relatives; the soak has all.
    every = {"cvode": 1, "RK45": 1, "Tsit5": 1, "Kvaerno5": 3, "Kvaerno3": 3, "Dopri8": 3}.get(method, 2)
    chosen = list(cases(method))[::every]
    for case in chosen:
        check_same(interrupted(case, [12, 40], tmp_path / "run.nc"), case.simulate())


@pytest.mark.slow
def test_runs_go_on_from_random_instants(tmp_path):
    tally = resumes(3, 0)
    assert not tally.failures
    assert tally.outcomes.total() == 3


def test_checkpoints_do_not_change_a_result(renewed, tmp_path):
    file = tmp_path / "checkpoint.nc"
    kept, plain = SHORT.simulate(checkpoint=pcode.Checkpoint(file, every=1e-6)), SHORT.simulate()
    assert file.exists()
    for name, values in plain.data.variables.items():
        np.testing.assert_array_equal(kept.data[name], values)
    assert kept.solver.identical(plain.solver)


def test_a_run_whose_process_was_killed_goes_on_from_its_checkpoint(renewed, tmp_path):
    (tmp_path / "s.toml").write_text(SCENARIO)
    code = """\
    import os, pcode, pcode.simulation.checkpoint, pcode.solvers.base, sys
    from pcode.scenario import Scenario
    pcode.solvers.base.RENEWED = 20
    pcode.simulation.checkpoint.SHARE = 1e9  # one after every step, however long that takes
    left = [60]
    def stop():
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
    Scenario.load("s.toml").simulate(stop=stop, checkpoint=pcode.Checkpoint("checkpoint.nc", 1e-6))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=False)
    assert done.returncode == 9
    kept = pcode.Run.load(tmp_path / "checkpoint.nc")
    assert kept.status == "interrupted"
    run = pcode.resume(tmp_path / "checkpoint.nc")
    whole = pcode.scenario.Scenario.load(tmp_path / "s.toml").simulate()
    assert kept.phases[-1].t_end > 0.0  # it goes on in the middle of a phase
    check_same(run, whole)


def stopped(tmp_path, case=SHORT):
    file = tmp_path / "run.nc"
    run = case.simulate(stop=Stops(5))
    assert run.status == "interrupted"
    run.save(file)
    return file


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (Case("", network(nu=0.4), [TRAIN]), "the network is another one"),
        (Case("", network(), [TRAIN], "BDF"), "the method is BDF, which was cvode"),
        (Case("", network(), [TRAIN], more={"rtol": 1e-5}), "rtol is 1e-05, which was 1e-06"),
        (Case("", network(), [TRAIN, TRAIN]), "there are 2 phases, and there were 1"),
        (Case("", network(), [pcode.Phase("train", {0: X, 2: Y}, duration=11.0)]), "phase 0 is another one"),
        (
            Case("", network(), [pcode.Phase("train", {0: X, 2: 1 - Y}, duration=10.0)]),
            "layer 2 is clamped to other values in phase 0",
        ),
        (
            Case("", network(), [TRAIN], more={"weights": network().init_weights(1)}),
            "the weights that it starts with are others",
        ),
    ],
)
def test_what_a_file_does_not_fit_is_named(case, said, tmp_path):
    with pytest.raises(pcode.InputError, match="is of another run: " + said):
        case.simulate(resume=stopped(tmp_path))


def test_a_run_that_has_ended_is_not_gone_on_with(tmp_path):
    SHORT.simulate().save(tmp_path / "run.nc")
    with pytest.raises(pcode.InputError, match=r"complete .*there is nothing to resume"):
        SHORT.simulate(resume=tmp_path / "run.nc")


def test_a_file_of_another_format_is_refused(tmp_path):
    file = stopped(tmp_path)
    run = pcode.Run.load(file)
    run.groups["reached"].attrs["format"] = 99
    run.save(file)
    with pytest.raises(pcode.InputError, match="in format 99"):
        SHORT.simulate(resume=file)


def test_an_empty_folder_has_nothing_to_resume(tmp_path, capsys):
    assert main(["resume", str(tmp_path)]) == 2
    assert "there is nothing to resume" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["-1", "often", "nan"])
def test_seconds_between_checkpoints_are_a_number_or_off(given, capsys):
    assert main(["run", "xor", "--checkpoint-every", given]) == 2
    assert "must be a number of seconds, such as 60, or off" in capsys.readouterr().err


def test_a_result_is_repeated_from_itself_with_the_same_bits(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(SCENARIO)
    first, second = tmp_path / "a", tmp_path / "b"
    assert main(["run", str(tmp_path / "s.toml"), "--out", str(first)]) == 0
    (tmp_path / "s.toml").unlink()
    assert main(["run", str(first / "run.nc"), "--out", str(second)]) == 0
    one, other = (pcode.Run.load(folder / "run.nc") for folder in (first, second))
    assert one.data.equals(other.data)
    assert one.solver.identical(other.solver)
    assert not (first / "checkpoint.nc").exists()
    capsys.readouterr()


def test_checks_hold_and_tell_of_what_does_not():
    run = SHORT.simulate()
    found = checks_of(run)
    assert {"finite", "clamps", "feedback"} <= {name for name, one in found.items() if "holds" in one}
    assert all(one.get("holds", True) for one in found.values())
    assert found["feedback"]["off"] < RTOL
    run.data["x0"][3] += 0.5
    run.data["W0"][-1] += 0.5
    assert [line.split()[1] for line in violations(run)] == ["clamps", "feedback"]

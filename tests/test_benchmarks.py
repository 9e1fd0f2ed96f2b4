import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cases, goals
from benchmarks.case import Case
from benchmarks.measure import EQUATIONS, difference
from benchmarks.measurement import Measurement

ROOT = Path(__file__).resolve().parents[1]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


@pytest.mark.slow
def test_the_quick_benchmark_measures_every_case_and_finds_the_solutions_right(tmp_path):
    done = command("--quick", "--json", str(tmp_path / "q.json"), "--markdown", str(tmp_path / "q.md"))
    assert done.returncode == 0, done.stderr
    measured = json.loads((tmp_path / "q.json").read_text())["measurements"]
    table = (tmp_path / "q.md").read_text()
    for case in cases.quick().cases:
        assert case.name in done.stdout
        mine = [m for m in measured if m["case"] == case.name and m["status"] != "absent"]
        assert {"cvode", "GMRES(30)"} <= {m["method"] for m in mine}
        assert all(m["status"] == "ok" and 0.0 < m["seconds"] < 60.0 for m in mine), mine
        assert all(m["error"] < 100 * m["rtol"] for m in mine), mine
        assert table.count(f"| {case.name} |") == len(mine)


def test_unknowns_are_counted_as_the_measured_table_has_them():
    unknowns = {case.name: case.unknowns for case in cases.full().cases}
    assert unknowns["8-16-8-4@1e4"] == 812
    assert unknowns["64-32-10@1e2"] == 7_146
    assert unknowns["784-128-10@1e6"] == 220_426
    assert unknowns["digits@1e3"] == 111_116
    family = [n for name, n in unknowns.items() if name.startswith("family")]
    assert min(family) == pytest.approx(1e4, rel=0.1)
    assert max(family) == pytest.approx(1e6, rel=0.1)


def test_an_error_is_relative_to_one_plus_the_largest_value_of_its_variable(tmp_path):
    exact = {"x1": np.array([0.0, 3.0]), "M0": np.array([1.0, 1.0])}
    np.savez(tmp_path / "exact.npz", **exact)
    np.savez(tmp_path / "mine.npz", x1=exact["x1"] + [0.0, 0.04], M0=exact["M0"] - [0.006, 0.0])
    assert difference(tmp_path / "mine.npz", tmp_path / "exact.npz") == pytest.approx(0.01)
    np.savez(tmp_path / "mine.npz", x1=exact["x1"] * np.nan, M0=exact["M0"])
    assert difference(tmp_path / "mine.npz", tmp_path / "exact.npz") == np.inf


class Told:
    """A bench that knows its measurements beforehand."""

    def __init__(self, *measured):
        self._measured = {(m.case, m.method, m.rtol): m for m in measured}

    def get(self, case, method, rtol=None):
        return self._measured[case.name, method, rtol or case.rtol]


def case_of(name, *methods):
    return Case(name, (8, 16, 8, 4), 4, 1e4, methods)


def made(method, seconds, error=None, rtol=1e-6, status="ok", reason=""):
    return Measurement("c", method, rtol, status, reason, seconds, error=error)


def test_a_less_accurate_result_is_judged_at_a_tighter_tolerance():
    case, goal = case_of("c", "cvode", "b"), goals.Faster("cvode", ("b",), 10.0)
    theirs = made("b", 10.0, 1e-6)
    first = [made("cvode", 0.5, 1e-5), made("cvode", 0.7, 5e-6, 1e-6 * 10**-0.5)]
    slow, quick = (made("cvode", seconds, 1e-6, 1e-7) for seconds in (2.0, 0.8))
    assert goal.judge(Told(theirs, *first, quick), case).reached
    assert goal.judge(Told(theirs, *first, slow), case).reached is False
    assert goal.judge(Told(theirs, made("cvode", 0.9, 2e-6)), case).reached
    assert goal.judge(Told(theirs, made("cvode", 1.1, 2e-6)), case).reached is False


def test_a_contender_that_was_given_up_counts_with_its_limit():
    case, goal = case_of("c", "cvode", "b"), goals.Faster("cvode", ("b",), 400.0)
    given_up = made("b", None, status="timeout", reason=">600 s")
    assert goal.judge(Told(given_up, made("cvode", 1.0)), case).reached
    verdict = goal.judge(Told(given_up, made("cvode", 2.0)), case)
    assert verdict.reached is None
    assert verdict.found == "over 300x"
    refused = made("b", None, status="refused", reason="no memory: 389 GB")
    assert goal.judge(Told(refused, made("cvode", 1.0)), case).reached is None


def test_growth_is_the_exponent_of_a_power_law():
    family = [Case(str(n), (n, n), 1, 1.0, ("cvode",)) for n in (10, 100, 1000)]
    measured = [Measurement(c.name, "cvode", c.rtol, "ok", "", 1e-6 * c.unknowns**1.2) for c in family]
    for exponent, reached in ((1.1, False), (1.3, True)):
        verdict = goals.Growth("cvode", tuple(c.name for c in family), exponent).judge(
            Told(*measured), family
        )
        assert verdict.reached is reached
        assert verdict.found.startswith("N^1.20")


def test_what_a_reference_depends_on_is_there():
    for pattern in EQUATIONS:
        assert list((ROOT / "pcode").glob(pattern))


def test_what_is_not_to_be_found_is_told():
    assert command("--case", "no-such-case").returncode == 2
    listed = command("--list")
    assert listed.returncode == 0
    assert all(case.name in listed.stdout for case in cases.full().cases)

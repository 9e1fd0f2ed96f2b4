"""The short form of the soak: files changed at random are read, or refused in one line."""

import random

import pytest

from soak import mutations
from soak.__main__ import PARTS
from soak.files import inputs, results
from soak.scenarios import EXTRA, checked, scenarios
from soak.tally import Tally, check_line


@pytest.mark.timeout(300)
def test_changed_scenario_files_are_read_or_refused_in_one_line():
    tally = scenarios(150, seed=1)
    assert tally.failures == []
    assert (
        tally.outcomes["right"] + tally.outcomes["refused"] == 150
    )  # some of the right ones are run as well


@pytest.mark.timeout(300)
def test_changed_data_and_weights_are_read_or_refused_in_one_line():
    tally = inputs(80, seed=1)
    assert tally.failures == []
    assert {"refused", "right"} == set(tally.outcomes)


@pytest.mark.timeout(400)
def test_changed_results_are_refused_when_they_are_read_or_can_be_used():
    tally = results(30, seed=1)
    assert tally.failures == []
    assert tally.outcomes["refused"] > 5


def test_the_scenario_that_is_changed_is_right_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "case.toml").write_text(EXTRA)
    assert checked(["check", "case.toml"]) == "right"


def test_a_case_that_raises_or_does_not_end_is_a_failure():
    tally = Tally()
    tally.case("raises", lambda: str(1 / 0))
    tally.case("does not end", _endless, seconds=0.2)
    assert [failure.partition(":")[0] for failure in tally.failures] == ["raises", "does not end"]
    assert "ZeroDivisionError" in tally.failures[0]


def _endless() -> str:
    while True:
        pass


@pytest.mark.parametrize("line", ["", "a\nb", "x" * 302, "a\x1b[31m", "\u202e"])
def test_a_line_that_is_none_is_found(line):
    with pytest.raises(ValueError, match=r"not one line|letters|control"):
        check_line(line)


def test_the_same_seed_makes_the_same_changes():
    def made() -> list[bytes]:
        return [mutations.damaged(random.Random(k), bytes(range(256))) for k in range(20)]

    assert made() == made()
    assert len(set(made())) > 15
    assert set(PARTS) >= {"scenarios", "inputs", "results", "memory"}

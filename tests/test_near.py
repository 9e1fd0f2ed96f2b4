"""The word that was probably meant by one that is not known: everywhere where words are taken."""

from __future__ import annotations

import re

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.base import checks
from pcode.base.near import did_you_mean, nearest
from pcode.plotting.recipes import Recipe
from pcode.scenario import Scenario
from tests.small_scenario import SMALL, refused


def test_a_word_is_near_whatever_its_case_and_one_that_is_not_near_gets_no_hint():
    assert nearest("bdf", ["cvode", "BDF"]) == "BDF"
    assert nearest(" Feedforwrd ", ["feedforward", "zero"]) == "feedforward"
    assert nearest("euler", ["cvode", "BDF"]) is None
    assert nearest(3, ["3"]) is None
    assert did_you_mean("zero", ["one"], "there is one") == "there is one"


def test_a_refused_word_is_told_with_the_words_there_are_and_the_one_that_is_near():
    told = "init: must be normal or zeros, not 'norml'; did you mean normal?"
    with pytest.raises(pcode.InputError, match=f"^{re.escape(told)}$"):
        checks.word("init", "norml", ["normal", "zeros"])
    with pytest.raises(pcode.InputError, match=r"^table: must be checks, not 'x'$"):
        checks.word("table", "x", ["checks"])


@pytest.fixture(scope="module")
def run():
    network = pcode.Network(sizes=(1, 1, 1))
    phase = pcode.Phase("train", {0: [[1.0]], 2: [[0.5]]}, duration=5.0)
    return pcode.simulate(network, [phase], weights=network.init_weights(rng=0), save=pcode.Save(5, 5))


def simulated(**options):
    network = pcode.Network(sizes=(1, 1))
    phase = pcode.Phase("train", {0: [[1.0]]}, duration=1.0)
    return pcode.simulate(network, [phase], **{"weights": network.init_weights(rng=0)} | options)


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda run: pcode.Network(sizes=(1, 1), feedback="learnt"), "learned"),
        (lambda run: pcode.Network(sizes=(1, 1)).init_weights(0, "gaussian normal"), None),
        (lambda run: pcode.Network(sizes=(1, 1)).init_weights(0, "norm"), "normal"),
        (lambda run: pcode.Network(sizes=(1, 1)).init_weights(0, W="transposed"), "transpose"),
        (lambda run: pcode.TimeSeries([0.0], np.zeros((1, 1, 1)), kind="liner"), "linear"),
        (lambda run: pcode.Save(spacing="logarithmic"), None),
        (lambda run: pcode.Save(spacing="Log"), "log"),
        (lambda run: simulated(method="cvodes"), "cvode"),
        (lambda run: simulated(nodes="equilibrum"), "equilibrium"),
        (lambda run: ask(run, "spectra"), "spectrum"),
        (lambda run: ask(run, "spectrum", {"phase": "trian"}), "train"),
        (lambda run: ask(run, "spectrum", {"phse": "train"}), "phase"),
        (lambda run: ask(run, "spectrum", {"at": "states"}), "state"),
        (lambda run: ask(run, "equilibrium", {"start": "feedforwrd"}), "feedforward"),
        (lambda run: ask(run, "stability", {"against": "negate"}), "negated"),
        (lambda run: ask(run, "spectrum").to_dataframe("eigenvalue"), "eigenvalues"),
        (lambda run: run.to_dataframe("weight"), "weights"),
        (lambda run: run.plot.value_nodes(1, how="line"), "lines"),
        (lambda run: Recipe.load("energie"), "the shipped energy"),
        (lambda run: Recipe.load("energy").draw(run, {"log-time": True}), "log_time"),
    ],
)  # fmt: skip
def test_errors_suggest_the_word_that_is_near(run, call, meant):
    with pytest.raises(pcode.InputError) as error:
        call(run)
    assert str(error.value).endswith(f"did you mean {meant}?") is (meant is not None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            SMALL.replace('"xor"', '"XOR"'),
            '"breast_cancer" or "two_moons", not "XOR"; did you mean xor?',
        ),
        (SMALL.replace("[[phase]]", "[[phases]]"), "phases: unknown key; did you mean phase?"),
        (f"rtol = 1e-3\n{SMALL}", "rtol: unknown key; it belongs in [solver]"),
        (SMALL.replace('"both"', '"bth"'), "phase.0.clamp: "),
        (f'{SMALL}[solver]\nmethod = "radau"\n', "did you mean Radau?"),
    ],
)
def test_keys_and_words_of_a_scenario_are_told_as_the_file_has_them(tmp_path, text, told):
    assert told in str(refused(tmp_path, text))


@pytest.mark.parametrize("change", ["delta=3", "abc.duration=1"])
def test_a_change_to_a_scenario_whose_phases_are_no_list_is_refused_in_one_line(tmp_path, change):
    (tmp_path / "s.toml").write_text("phase = 5\n[network]\nsizes = [1, 1]\n")
    with pytest.raises(InputError):
        Scenario.load(tmp_path / "s.toml", [change])

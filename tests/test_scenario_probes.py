"""The table [probes] of a scenario file."""

from __future__ import annotations

import json
import re
import sys

import jsonschema
import numpy as np
import pytest
from small_scenario import SMALL, load

import pcode
from pcode import InputError
from pcode.cli import main
from pcode.cli.progress import progress_bar
from pcode.scenario import Scenario, json_schema

DIGITS = SMALL.replace('"xor"', '"digits"\ntrain = 20\ntest = 10').replace("[2, 3, 1]", "[64, 4, 10]")


def with_probes(table, text=DIGITS):
    return f"{text}[probes]\n{table}\n[plots]\nrecipes = []\n"


def test_a_word_or_a_table_is_a_probe_by_its_name(tmp_path):
    table = """
loss = "loss"
on_train = { what = "loss", data = "train", presentations = 3 }
F = { what = "energy", at = "weights", label = "the energy" }
"""
    scenario = load(tmp_path, with_probes(table))
    probes = {name: one for name, one in scenario.probes.items() if isinstance(one, pcode.Probe)}
    assert list(probes) == ["loss", "on_train", "F"]
    assert len(probes["loss"].data.inputs) == 10  # those to test on
    assert len(probes["on_train"].data.inputs) == 20
    np.testing.assert_array_equal(probes["on_train"].data.inputs, scenario.data.inputs[:20])
    assert probes["on_train"].presentations == 3
    assert (probes["F"].at, probes["F"].label) == ("weights", "the energy")
    assert probes["on_train"].label == "train"
    run = scenario.simulate()
    assert {"loss", "on_train", "F", "accuracy"} <= set(run.data.data_vars)
    assert run.phases[0].probes["F"] == pytest.approx(float(run.data["energy"][-1].sum()), rel=1e-12)


def test_a_probe_called_accuracy_takes_the_place_of_that_of_the_phases(tmp_path):
    run = load(tmp_path, with_probes('accuracy = { what = "accuracy", data = "train" }')).simulate()
    assert run.groups["probe_samples"]["inputs0"].shape == (20, 64)
    assert run.data["accuracy"].size == 2


def test_a_function_of_ones_own_needs_leave_to_be_imported(tmp_path, monkeypatch):
    (tmp_path / "own_probe.py").write_text("def middle(state, context):\n    return state.x[1].mean()\n")
    monkeypatch.delitem(sys.modules, "own_probe", raising=False)
    text = with_probes('mine = { what = "own_probe:middle", deltas = 0.001 }')
    with pytest.raises(InputError) as error:
        load(tmp_path, text).check()
    told = 'probes.mine.what: "own_probe:middle" is code outside of this file; with --allow-code'
    assert told in str(error.value)
    run = Scenario.load(tmp_path / "small.toml", allow_code=True).simulate()
    assert run.data["mine"].size == 6
    monkeypatch.delitem(sys.modules, "own_probe", raising=False)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('p = "los"', "probes.p: must be one of accuracy, loss, "),
        ('p = "los"', "did you mean loss?"),
        ('p = { what = "los" }', "probes.p.what: must be one of"),
        ("p = 3", "probes.p: must be what to look at"),
        ("p = { deltas = 1.0 }", "probes.p.what: is missing"),
        ('p = { what = "loss", every = 3 }', "probes.p.every: unknown key; known are what, data"),
        ('p = { what = "loss", data = "valid" }', 'probes.p.data: must be "train", "test" or "all"'),
        ('p = { what = "norms", data = "test" }', "probes.p.data: goes with accuracy, loss, error only"),
        ('p = { what = "loss", deltas = 1, at = "ends" }', "probes.p.at: does not go with deltas"),
        ('p = { what = "loss", presentations = 0 }', "probes.p.presentations: must be 1 or more"),
        ('p = { what = "loss", deltas = 0 }', "probes.p.deltas: must be more than 0"),
        ('x1 = "norms"', "probes.x1: is the name of a variable, a dimension or a group of the result"),
        ('energy = "energy"', "probes.energy: is the name of a variable"),
    ],
)
def test_a_wrong_probe_is_told_by_its_key(tmp_path, capsys, table, told):
    (tmp_path / "s.toml").write_text(with_probes(table))
    assert main(["check", str(tmp_path / "s.toml")]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "table", "told"),
    [
        ("[data]", 'p = { what = "loss", data = "test" }', "probes.p.data: there are no test samples"),
        ("[data]", 'p = "accuracy"', None),
        ("inputs", 'p = "loss"', "probes.p.data: the data have no targets to judge by"),
        ("none", 'p = "loss"', "probes.p.data: there is no [data]"),
    ],
)
def test_samples_that_are_not_there_are_told(tmp_path, data, table, told):
    text = SMALL
    if data != "[data]":
        given = "" if data == "none" else "[data]\ninputs = [[1.0, 2.0]]\n"
        text = SMALL.replace('[data]\nname = "xor"\n', given).replace('clamp = "both"', 'clamp = "none"')
    scenario = load(tmp_path, with_probes(table, text))
    if told is None:
        scenario.check()
    else:
        with pytest.raises(InputError) as error:
            scenario.check()
        assert told in str(error.value)


def test_check_tells_what_is_looked_at_and_when_and_the_report_has_it(tmp_path, capsys):
    table = 'acc = { what = "accuracy", deltas = 0.001 }\nF = "energy"'
    (tmp_path / "s.toml").write_text(with_probes(table))
    assert main(["check", str(tmp_path / "s.toml")]) == 0
    out = capsys.readouterr().out
    assert "probes   acc: accuracy on 10 samples, every 0.001 delta\n" in out
    assert "         F: energy, at the ends of phases and passes\n" in out
    assert main(["run", str(tmp_path / "s.toml"), "--out", str(tmp_path / "out")]) == 0
    assert re.search(r"train +success, .*, acc [01]\S*, F 0\.\d+", capsys.readouterr().out)
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert found["probes"]["acc"]["times"] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert found["phases"][0]["acc"] == found["probes"]["acc"]["values"][-1]


def test_the_schema_knows_the_words():
    schema = json_schema()
    base = {"network": {"sizes": [1, 1]}, "phase": [{"duration": 1.0}]}
    for good in ("loss", "mymodule:f", {"what": "energy", "deltas": 2.0}):
        jsonschema.validate(base | {"probes": {"p": good}}, schema)
    for wrong in ("los", 3, {"what": "energies"}, {"what": "energy", "every": 3}, {"deltas": 1.0}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(base | {"probes": {"p": wrong}}, schema)


def test_the_progress_bar_shows_the_presentation_and_the_latest_values(monkeypatch):
    from test_printed_run import shown

    now = pcode.Progress(
        0, 2, "train", 12.3456, 50.0, 0.0123456, 3.14159, 41, 1437, {"acc": 0.9328, "loss": 0.0123}
    )
    told = shown(monkeypatch, progress_bar(), now)
    assert "42/1,437" in told
    assert "acc = 0.933" in told

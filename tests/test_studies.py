"""The scripts in docs/studies run and write what they say; settings are small, and numbers mean nothing."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

STUDIES = Path(__file__).parents[1] / "docs" / "studies"

SMALL = {
    "generation": {
        "train": 40,
        "test": 20,
        "learned_for": 2e3,
        "generated_for_at_most": 20.0,
        "seeds": [0],
        "sizes": [64, 4, 10],
    },
    "memory": {"stored_for": 2e3, "recalled_for_at_most": 20.0, "sizes": [8, 4, 64]},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_study_writes_a_figure_numbers_and_a_table(name, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(STUDIES))
    monkeypatch.setattr(sys, "argv", [name, "-o", str(tmp_path / "out")])
    study = importlib.import_module(name)
    for key, value in SMALL[name].items():
        assert key in study.SETTINGS
        monkeypatch.setitem(study.SETTINGS, key, value)
    study.main()
    document = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    assert document["settings"]["sizes"] == SMALL[name]["sizes"]
    assert len(document["results"]) == 4
    table = (tmp_path / "out" / f"{name}.md").read_text()
    assert table == capsys.readouterr().out
    assert len(table.splitlines()) == 2 + 4
    assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000

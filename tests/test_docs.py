"""The pages in docs/ are true: their examples run, and what messages refer to is there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pcode.cli import main
from pcode.scenario import Scenario

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
MODEL = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")


def test_the_files_of_the_example_are_read_by_a_scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall("```python\n(.*?)```", FILES, re.DOTALL)
    names = {}
    exec(code, names)
    (phase,) = re.findall("```toml\n(.*?)```", FILES, re.DOTALL)
    tables = '[network]\nsizes = [2, 3, 1]\n[weights]\ninit = "file"\nfile = "w.npz"\n'
    text = f'{tables}[data]\nfile = "samples.npz"\n[[phase]]\nclamp = "both"\nduration = 1.0\n'
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    scenario = Scenario.load("s.toml")
    np.testing.assert_array_equal(scenario.weights.M[0], names["M0"])
    assert scenario.phases[0].batch == 2
    (tmp_path / "t.toml").write_text(f"[network]\nsizes = [1, 1]\n{phase}", encoding="utf-8")
    np.testing.assert_array_equal(Scenario.load("t.toml").phases[0].clamp_at(0, 4.0), [[0.8]])


def test_the_data_of_the_example_are_read(tmp_path):
    table = re.search(r"\n((?:      .*\n)+)", FILES)[1]
    (tmp_path / "d.csv").write_text("\n".join(line.strip() for line in table.splitlines()), encoding="utf-8")
    text = '[network]\nsizes = [2, 1]\n[data]\nfile = "d.csv"\n[[phase]]\nclamp = "both"\nduration = 1.0\n'
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(Scenario.load(tmp_path / "s.toml").data.targets, [[-1.0], [1.0]])


def test_the_sweep_of_the_example_runs_as_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    (code,) = re.findall("```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["sweep"].data["status"].shape == (2, 2)
    assert np.isfinite(names["sweep"].data["energy_final"]).all()
    assert capsys.readouterr().out.startswith("<pcode.Sweep of 4 points")
    (table,) = re.findall("```toml\n(.*?)```", page, re.DOTALL)
    text = (ROOT / "scenarios" / "xor.toml").read_text(encoding="utf-8")
    (tmp_path / "s.toml").write_text(f"{text}\n{table}", encoding="utf-8")
    assert main(["check", "s.toml"]) == 0
    assert "25 points, 1 structure" in capsys.readouterr().out


def sources():
    return [path for folder in ("pcode", "plots", "scenarios") for path in (ROOT / folder).rglob("*.*")
            if path.suffix in (".py", ".toml")]  # fmt: skip


def test_every_section_that_code_refers_to_is_in_the_page():
    sections = set(re.findall(r"^## (.*)$", MODEL, re.MULTILINE))
    found = []
    for path in sources():
        text = " ".join(path.read_text(encoding="utf-8").split())
        found += re.findall(r"docs/model\.md,\s+[\"'](.*?)[\"']", text)
    assert found
    assert set(found) <= sections


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/model.md", "docs/files.md"])
def test_no_page_and_no_message_refers_to_facts_by_number(page):
    for path in (ROOT / page, *sources(), *(ROOT / "tests").glob("*.py")):
        assert not re.search(r"\bfacts? \d", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("page", ["model", "files", "solvers", "sweeps"])
def test_a_page_is_printed_by_its_name(page, capsys):
    assert main(["list", page]) == 0
    out = capsys.readouterr().out
    first, *_, last = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").strip().splitlines()
    assert first in out
    assert last in out

"""Changes to single keys of a scenario, as `--set` makes them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from small_scenario import SMALL, load, refused

from pcode.scenario.text import apply


def test_a_change_takes_toml_values_and_bare_words(tmp_path: Path) -> None:
    changes = (
        "network.delta=1e4",
        "network.nu=[0.1, 0.2]",
        "solver.method=BDF",
        "phase.0.duration=10",
        "phase.0.learn=false",
        'title="a=b"',
    )
    file = load(tmp_path, SMALL, *changes).file
    assert (file.network.delta, file.network.nu, file.solver.method) == (1e4, [0.1, 0.2], "BDF")
    assert (file.phase[0].duration, file.phase[0].learn, file.title) == (10.0, False, "a=b")


def test_the_text_kept_is_the_one_in_force_with_its_comments(tmp_path: Path) -> None:
    scenario = load(tmp_path, SMALL, "network.delta=1e4", "phase.0.duration=10", "save.nodes=7")
    kept = tomllib.loads(scenario.text)
    assert (kept["network"]["delta"], kept["phase"][0]["duration"], kept["save"]["nodes"]) == (1e4, 10, 7)
    assert "# a comment" in scenario.text
    assert load(tmp_path, scenario.text).file == scenario.file


def test_without_changes_the_text_kept_is_the_file_as_it_stands(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL).text == SMALL


@pytest.mark.parametrize(
    "text",
    [
        "a.b.c = 1\na.b.d = [1, 2]\n[[p]]\nx = 1\n",
        "a = { b = { c = 1, d = [1, 2] } }\np = [{ x = 1 }]\n",
        "[[p]]\nx = 1\n[a.b]\nc = 1\nd = [1, 2]\n",
        "[a]\n[[p]]\nx = 1\n[a.b]\nc = 1\nd = [\n  1,  # one\n  2,\n]\n[[p]]\nx = 2\n",
        "[a.b]\nc = nan\nd = [1, 2]\n[[p]]\n# nothing\nx.y = 1\n",
        "p = []\n[a]\nb = { c = 1, d = [1, 2] }\n",
    ],
)
@pytest.mark.parametrize(
    "change", ["a.b.c=5", "a.b.d.1=5", "a.b.e.f=5", "a.g=5", "h=5", "p=[]", "a.b={d=[7]}"]
)
def test_a_change_changes_that_key_and_no_other_whatever_the_layout(text: str, change: str) -> None:
    expected = tomllib.loads(text)
    *inner, last = change.partition("=")[0].split(".")
    node: Any = expected
    for key in inner:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    value = tomllib.loads(f"v = {change.partition('=')[2]}")["v"]
    node[int(last) if isinstance(node, list) else last] = value
    assert repr_sorted(tomllib.loads(apply(text, [change]))) == repr_sorted(expected)


def repr_sorted(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("nonsense", "--set: must be key=value"),
        ("=3", "--set: must be key=value"),
        ("network..tau=3", "--set: must be key=value"),
        ("phase.1.duration=3", "phase.1: is not there; phase is a list, give an index (0..0)"),
        ("phase.first.duration=3", "phase.first: is not there"),
        ("title.x=3", "title is a single value"),
        ("network.tua=3", "network.tua: unknown key; did you mean tau?"),
        (
            "network.tau=fast",
            "network.tau: must be a number, or a time with a unit such as \"10 ms\", not 'fast'",
        ),
        ("network.sizes=[2, 3", "network.sizes: must be a list"),
        ("delta=10", "with --set delta=10: delta: unknown key; did you mean network.delta?"),
        ("Delta=10", "Delta: unknown key; did you mean network.delta?"),
        ("seed=3", "seed: unknown key; did you mean weights.seed or data.seed or solver.seed?"),
        ("nodes=3", "nodes: unknown key; did you mean start.nodes or save.nodes or phase.0.nodes?"),
        ("rtol=1e-3", "rtol: unknown key; did you mean solver.rtol?"),
        ("titel=x", "titel: unknown key; did you mean title?"),
        ("duration=3", "duration: unknown key; did you mean phase.0.duration?"),
        ("phases.0.duration=3", "phases.0.duration: unknown key; did you mean phase.0.duration?"),
        ("wieghts.seed=1", "wieghts.seed: unknown key; did you mean weights.seed?"),
        ("train.duration=3", "train.duration: unknown key; did you mean phase.0.duration?"),
        ("phase.train.duration=3", "phase.train: is not there; phase is a list, give an index (0..0); did"),
        ("phase.train.duration=3", "did you mean phase.0.duration?"),
        ("phase.duration=3", "did you mean phase.0.duration?"),
        ("zzz=3", "zzz: unknown key; known are title, network, weights, data, start, phase, solver, save, "),
    ],
)
def test_a_wrong_change_is_refused_and_named(tmp_path: Path, change: str, told: str) -> None:
    line = str(refused(tmp_path, SMALL, change))
    assert told in line
    assert "--set" in line

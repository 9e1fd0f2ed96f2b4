"""The commands: what they write, what they say, and how they end."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import pcode
from pcode.base import shipped
from pcode.cli import main

QUICK = """\
title = "quick"
[network]
sizes = [2, 3, 1]
feedback = "tied"
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
duration = 5.0
[[phase]]
name = "test"
clamp = "input"
learn = false
until = "equilibrium"
settle_tol = 1e-3
duration = 100.0
[save]
nodes = 8
weights = 4
[plots]
recipes = ["energy"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the scenario quick.toml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text(QUICK)
    return tmp_path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of quick.toml."""
    folder = tmp_path_factory.mktemp("result")
    (folder / "quick.toml").write_text(QUICK)
    assert main(["run", str(folder / "quick.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


def report(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return told


# --- run ----------------------------------------------------------------------------------------


def test_run_writes_result_report_and_figures_and_says_where(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "quick.toml"]) == 0
    folder = Path("results/quick")
    assert sorted(path.name for path in folder.iterdir()) == ["energy.png", "report.json", "run.nc"]
    out, err = capsys.readouterr()
    assert err == ""
    for name in ("run.nc", "report.json", "energy.png"):
        assert str(folder / name) in out.splitlines()
    told = report(folder)
    assert [phase["name"] for phase in told["phases"]] == ["train", "test"]
    assert told["status"] == "equilibrium"
    assert {"accuracy", "error"} & set(told["phases"][1]) == {"error"}
    run = pcode.Run.load(folder / "run.nc")
    assert run.data.attrs["scenario"] == QUICK
    assert (run.data.phase == 0).sum() == 8
    assert (folder / "energy.png").read_bytes().startswith(b"\x89PNG")


def test_options_choose_folder_method_and_single_keys(here: Path) -> None:
    arguments = [
        "--out",
        "a/b",
        "--method",
        "BDF",
        "--set",
        "phase.0.duration=2",
        "--set",
        "plots.formats=['svg']",
    ]
    assert main(["run", "quick.toml", *arguments]) == 0
    told = report(here / "a/b")
    assert (told["method"], told["phases"][0]["t_end"]) == ("BDF", 2.0)
    assert sorted(path.name for path in (here / "a/b").iterdir()) == ["energy.svg", "report.json", "run.nc"]
    kept = tomllib.loads(pcode.Run.load(here / "a/b/run.nc").data.attrs["scenario"])
    assert (kept["solver"]["method"], kept["phase"][0]["duration"]) == ("BDF", 2)


def test_a_result_is_overwritten_with_force_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["run", "quick.toml", "--set", "plots.recipes=[]"]
    assert main([*short, "--set", "phase.0.duration=1"]) == 0
    assert main([*short, "--set", "phase.0.duration=2"]) == 2
    assert report(here / "results/quick")["phases"][0]["t_end"] == 1.0
    assert main([*short, "--set", "phase.0.duration=2", "--force"]) == 0
    assert report(here / "results/quick")["phases"][0]["t_end"] == 2.0


def test_a_phase_that_does_not_settle_is_told_in_one_line_and_is_no_failure(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["--set", "phase.1.duration=0.1", "--set", "plots.recipes=[]"]
    assert main(["run", "quick.toml", *changes]) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "quick.toml: not_settled: phase 'test'" in err
    assert report(here / "results/quick")["status"] == "not_settled"


def test_a_run_that_fails_is_kept_and_drawn_as_far_as_it_came(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["--set", "solver.max_steps=12", "--set", "network.delta=100"]
    assert main(["run", "quick.toml", "--method", "RK45", *changes]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "quick.toml: max_steps: phase 'train'" in err
    folder = here / "results/quick"
    told = report(folder)
    assert (told["status"], len(told["phases"]), told["phases"][0]["steps"]) == ("max_steps", 1, 12)
    run = pcode.Run.load(folder / "run.nc")
    assert run.status == "max_steps"
    assert 0.0 < float(run.data.time[-1]) < 5.0
    assert (folder / "energy.png").exists()


def test_a_recipe_of_ones_own_stands_beside_the_scenario(here: Path, tmp_path: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub/mine.py").write_text(
        "from matplotlib.figure import Figure\n"
        "def figure(run, height=2.0):\n"
        "    fig = Figure(figsize=(3, height))\n"
        "    fig.add_subplot().plot(run.data.time, run.data.energy.sum('layer'))\n"
        "    return fig\n"
    )
    (here / "sub/own.toml").write_text(QUICK.replace('"energy"', '"mine.py"'))
    assert main(["run", "sub/own.toml", "--allow-code"]) == 0
    assert (here / "results/own/mine.png").exists()
    assert sorted(path.name for path in (here / "sub").iterdir()) == ["mine.py", "own.toml"]


def test_a_recipe_that_names_what_it_suits_is_drawn_for_any_run(here: Path) -> None:
    (here / "mine.py").write_text(
        "from matplotlib.figure import Figure\n"
        "SUITS = {'xor': {'height': 3.0}}\n"
        "def figure(run, height: float = 2.0):\n"
        "    return Figure(figsize=(3, height))\n"
    )
    (here / "quick.toml").write_text(QUICK.replace('"energy"', '"mine.py"'))
    assert main(["run", "quick.toml", "--allow-code"]) == 0
    assert (here / "results/quick/mine.png").exists()


def test_a_recipe_that_cannot_draw_the_run_leaves_the_run_and_the_other_figures(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "broken.py").write_text("def figure(run):\n    return run.data.nothing\n")
    (here / "quick.toml").write_text(QUICK.replace('["energy"]', '["broken.py", "energy"]'))
    assert main(["run", "quick.toml", "--allow-code"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "broken.py: cannot draw this run: AttributeError" in err
    assert "(line 2)" in err
    names = sorted(path.name for path in (here / "results/quick").iterdir())
    assert names == ["energy.png", "report.json", "run.nc"]


def test_an_old_picture_does_not_stay_beside_a_run_that_it_does_not_show(here: Path) -> None:
    assert main(["run", "quick.toml"]) == 0
    held = ["--set", "phase.0.learn=false", "--set", "plots.recipes=['weight_drift']"]
    (here / "results/quick/weight_drift.png").write_text("old")
    (here / "results/quick/notes.png").write_text("mine")
    assert main(["run", "quick.toml", "--force", *held]) == 2
    assert not (here / "results/quick/weight_drift.png").exists()
    assert (here / "results/quick/notes.png").read_text() == "mine"


# --- plot, check, list, new, schema ---------------------------------------------------------------


def test_plot_writes_beside_the_run_or_where_it_is_told(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", "node_convergence", str(result / "run.nc")]) == 0
    assert capsys.readouterr().out == f"{result / 'node_convergence.png'}\n"
    assert (result / "node_convergence.png").exists()
    assert main(["plot", "energy", str(result / "run.nc"), "-o", str(tmp_path / "e.pdf")]) == 0
    assert (tmp_path / "e.pdf").read_bytes().startswith(b"%PDF")


def test_plot_told_the_result_before_the_recipe_says_which_comes_first(
    result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(result / "run.nc"), "energy"]) == 2
    assert "is a result, not a recipe; name the recipe first" in capsys.readouterr().err


def test_plot_gives_a_recipe_its_options(result: Path, tmp_path: Path) -> None:
    recipe, picture = tmp_path / "mine.py", tmp_path / "mine.svg"
    recipe.write_text(
        "from __future__ import annotations\n"
        "from matplotlib.figure import Figure\n"
        "def figure(run, words: str = 'none', many: int | list[int] = 1):\n"
        "    fig = Figure()\n"
        "    fig.suptitle(f'{words} {many}')\n"
        "    return fig\n"
    )
    options = ["--set", "words=hello there", "--set", "many=[1, 2]"]
    assert main(["plot", str(recipe), str(result / "run.nc"), "-o", str(picture), *options]) == 0
    assert "hello there [1, 2]" in picture.read_text()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("colour=red", "colour: the recipe has no such option; it takes grid, layers"),
        ("grid=perhaps", "grid: must be true or false, not 'perhaps'"),
        ("layers=[1.5]", "layers: must be int | list[int], not [1.5]"),
    ],
)
def test_plot_refuses_options_that_a_recipe_does_not_take(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, told: str
) -> None:
    recipe, picture = tmp_path / "mine.py", tmp_path / "e.png"
    recipe.write_text("def figure(run, grid: bool | None = None, layers: 'int | list[int]' = 1): ...\n")
    assert main(["plot", str(recipe), str(result / "run.nc"), "-o", str(picture), "--set", option]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert told in err
    assert not picture.exists()


def test_check_tells_the_unknowns_memory_and_method_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "quick.toml", "--method", "Radau"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    # Train: values of layer 1, errors of layers 1 and 2, 4 samples each; M and beta (W is tied).
    assert (
        f"N = {4 * 3 + 4 * 3 + 4 * 1 + 6 + 3 + 3 + 1} unknowns: x1 4 x 3, eps1 4 x 3, eps2 4 x 1, M0 2 x 3"
        in out
    )
    # Test: the output is free as well, and the weights are held.
    assert f"N = {4 * 3 + 4 * 1 + 4 * 3 + 4 * 1} unknowns" in out
    assert "kB" in out
    assert "Radau" in out
    assert [path.name for path in here.iterdir()] == ["quick.toml"]


def test_list_names_everything_that_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    names = [
        *shipped.names("scenarios"),
        *shipped.names("plots"),
        *pcode.METHODS,
        *pcode.ACTIVATIONS,
        "digits",
    ]
    listed = {line.split()[0] for line in out.splitlines()}
    assert set(names) <= listed
    assert "XOR, learned by the coupled flow" in out
    assert "Weights drift" in out


def test_new_writes_a_scenario_that_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine.toml"]) == 0
    assert main(["check", "mine.toml"]) == 0
    changes = ["--set", "phase.0.duration=5", "--set", "phase.1.settle_tol=1e-2", "--set", "save.nodes=5"]
    assert main(["run", "mine.toml", *changes]) == 0
    assert (here / "results/mine/overview.png").exists()
    assert capsys.readouterr().err == ""


def test_schema_prints_a_json_schema_that_the_scenario_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(tomllib.loads(QUICK))


def test_numbers_without_json_form_become_null() -> None:
    from pcode.analysis.result import plain

    values = {"a": [1.0, np.nan, {"b": np.inf}], "c": "nan", "d": 2}
    assert plain(values) == {"a": [1.0, None, {"b": None}], "c": "nan", "d": 2}

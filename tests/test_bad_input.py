"""Bad input: exit code 2, one line that names file, key and what is right, and nothing touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcode.cli import main

GOOD = """\
title = "good"
[network]
sizes = [2, 3, 1]
[data]
name = "xor"
[[phase]]
clamp = "both"
duration = 1.0
[plots]
recipes = []
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder, files with what they hold."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}


def one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], folder: Path) -> str:
    """The line on stderr of a command that is refused and touches nothing."""
    before = contents(folder)
    assert main(arguments) == 2
    assert contents(folder) == before
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pcode: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    return err


def test_the_scenario_that_the_others_are_made_from_is_good(here: Path) -> None:
    (here / "bad.toml").write_text(GOOD)
    assert main(["check", "bad.toml"]) == 0


SCENARIOS: dict[str, tuple[tuple[str, str], str, str]] = {
    "an unknown key": (("sizes", "tua = 1.0\nsizes"), "network.tua", "did you mean tau?"),
    "an unknown table": (("[plots]", "[plot]"), "plot", "did you mean plots?"),
    "a text for a number": (("sizes", 'tau = "1"\nsizes'), "network.tau", "must be a number"),
    "a number for a list": (("[2, 3, 1]", "3"), "network.sizes", "must be a list"),
    "true for a number": (("1.0", "true"), "phase.0.duration", "must be a number"),
    "inputs that do not fit": (
        ("[2, 3, 1]", "[5, 3, 1]"),
        "data.name",
        "2 values a sample, but layer 0 has 5",
    ),
    "targets that do not fit": (
        ("[2, 3, 1]", "[2, 3, 4]"),
        "data.name",
        "1 values a sample, but layer 2 has 4",
    ),
    "rows that differ in number": (
        ('name = "xor"', "inputs = [[1, 2], [3, 4]]\ntargets = [[1]]"),
        "data.targets",
        "has 1 samples where inputs has 2",
    ),
    "nan in a sample to be shown": (
        ('name = "xor"', "inputs = [[1, nan]]\ntargets = [[1]]"),
        "data.inputs",
        "must be finite",
    ),
    "a negative tau": (("sizes", "tau = -1.0\nsizes"), "network.tau", "0 or more"),
    "a delta that is not positive in a list": (
        ("sizes", "delta = [5, -5]\nsizes"),
        "network.delta.1",
        "more than 0",
    ),
    "deltas for other links": (
        ("sizes", "delta = [5, 5, 5]\nsizes"),
        "network.delta",
        "one for each of the links 0..1",
    ),
    "a density beyond 1": (
        ("sizes", "mask = { density = 1.5 }\nsizes"),
        "network.mask.density",
        "at most 1",
    ),
    "densities for other links": (
        ("sizes", "mask = { density = [0.5, 0.5, 0.5] }\nsizes"),
        "network.mask.density",
        "one for each of the links 0..1",
    ),
    "a mask of nothing": (("sizes", "mask = { seed = 1 }\nsizes"), "network.mask", "density and file"),
    "a mask that is no table": (("sizes", "mask = 0.3\nsizes"), "network.mask", "must be"),
    "a mask file that is not there": (
        ("sizes", 'mask = { file = "none.npz" }\nsizes'),
        "network.mask.file",
        "there is no file none.npz",
    ),
    "biases that are no flag": (("sizes", 'bias = "no"\nsizes'), "network.bias", "true or false"),
    "weights that are not there to learn": (
        ("duration = 1.0", 'duration = 1.0\nlearn = ["M2"]'),
        "phase.0.learn",
        "there are M0, M1, W0, W1, beta1, beta2",
    ),
    "nothing to learn": (("duration = 1.0", "duration = 1.0\nlearn = []"), "phase.0.learn", ""),
    "a name for a list of what learns": (
        ("duration = 1.0", 'duration = 1.0\nlearn = "M1"'),
        "phase.0.learn",
        "true or false, or a list",
    ),
    "a negative delta": (("sizes", "delta = -5\nsizes"), "network.delta", "more than 0"),
    "an activation that does not exist": (
        ("sizes", 'activation = "tan"\nsizes'),
        "network.activation",
        "there are identity, tanh",
    ),
    "a clamp on a layer that is not there": (
        ('clamp = "both"', 'clamp = { 3 = "input" }'),
        "phase.0.clamp.3",
        "the layers are 0..2",
    ),
    "duration 0": (("duration = 1.0", "duration = 0"), "phase.0.duration", "more than 0"),
    "no duration": (("duration = 1.0\n", ""), "phase.0.duration", "is missing"),
    "no phase": (('[[phase]]\nclamp = "both"\nduration = 1.0\n', ""), "phase", "add one [[phase]]"),
    "no network": (("[network]\nsizes = [2, 3, 1]\n", ""), "network", "is missing"),
    "layers that no memory can hold": (
        ("[2, 3, 1]", "[2, 10000000, 10000000, 1]"),
        "network.sizes",
        "smaller layers",
    ),
    "layers that would take more than is allowed": (
        ("[2, 3, 1]", "[2, 20000, 20000, 1]"),
        "save.weights",
        "save fewer times",
    ),
    "a time that is no time": (("sizes", "delta = nan\nsizes"), "network.delta", "finite"),
    "a weights file that is not there": (
        ("[data]", '[weights]\ninit = "file"\nfile = "none.npz"\n[data]'),
        "weights.file",
        "there is no file none.npz",
    ),
    "a data file that is not there": (
        ('name = "xor"', 'file = "none.csv"'),
        "data.file",
        "there is no file none.csv",
    ),
    "a method that does not exist": (
        ("[plots]", '[solver]\nmethod = "euler"\n[plots]'),
        "solver.method",
        "cvode",
    ),
    "a recipe that does not exist": (
        ("[]", '["overwiew"]'),
        "plots.recipes.0",
        "did you mean the shipped overview?",
    ),
    "a relative tolerance that bounds nothing": (
        ("[plots]", "[solver]\nrtol = 0.9\n[plots]"),
        "solver.rtol",
        "from 2.2e-14 to 0.01",
    ),
    "a relative tolerance below rounding": (
        ("[plots]", "[solver]\nrtol = 1e-15\n[plots]"),
        "solver.rtol",
        "from 2.2e-14 to 0.01",
    ),
    "an absolute tolerance that bounds nothing": (
        ("[plots]", "[solver]\natol = 0.5\n[plots]"),
        "solver.atol",
        "at most 0.01",
    ),
    "more steps than any run takes": (
        ("[plots]", "[solver]\nmax_steps = 10000000000000000\n[plots]"),
        "solver.max_steps",
        "at most",
    ),
    "more saved times than any memory holds": (
        ("[plots]", "[save]\nnodes = 10000000000000000\n[plots]"),
        "save.nodes",
        "at most",
    ),
    "memory without a bound": (("[plots]", "[save]\nmemory_gb = 1e305\n[plots]"), "save.memory_gb", "finite"),
    "a clamp that holds nothing": (
        ('clamp = "both"', "clamp = { 0 = [[nan, nan]] }"),
        "phase.0.clamp.0",
        "leave the layer out",
    ),
    "a clamp series that holds nothing": (
        ('clamp = "both"', "clamp = { 0 = { t = [0, 1], values = [[[nan, nan]], [[nan, nan]]] } }"),
        "phase.0.clamp.0",
        "leave the layer out",
    ),
    "a clamp that is not finite": (
        ('clamp = "both"', "clamp = { 0 = [[inf, 1]] }"),
        "phase.0.clamp.0",
        "must be finite",
    ),
    "a title that no file can hold": (('"good"', '"a\\u0000b"'), "title", "cannot be stored"),
    "a name that no file can hold": (
        ('clamp = "both"', 'name = "a\\u0000b"\nclamp = "both"'),
        "phase.0.name",
        "NUL",
    ),
    "weights beyond all bounds": (
        ("[data]", "[weights]\nscale = 1e300\n[data]"),
        "weights.scale",
        "at most 1e+150",
    ),
    "weights that are not finite": (
        ("[data]", '[weights]\ninit = "given"\nM = [[[nan,1,1],[1,1,1]],[[1],[1],[1]]]\n[data]'),
        "weights.M0",
        "not finite",
    ),
    "a time constant for which rates overflow": (
        ("sizes", "tau = 1e-310\nsizes"),
        "network.tau",
        "rates would overflow",
    ),
    "an old-fashioned table": (("[[phase]]", "[phase]"), "phase", "[[phase]]"),
}


@pytest.mark.parametrize("what", SCENARIOS)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_scenario_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, what: str
) -> None:
    (old, new), key, right = SCENARIOS[what]
    assert old in GOOD
    (here / "bad.toml").write_text(GOOD.replace(old, new, 1))
    line = one_line(capsys, [command, "bad.toml"], here)
    assert f" bad.toml: {key}: " in line
    assert right in line


@pytest.mark.parametrize("command", ["run", "check"])
def test_what_is_only_odd_is_said_in_one_line_and_done(
    here: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (here / "odd.toml").write_text(GOOD.replace("sizes", "tau = 2.0\ndelta = 1.0\nsizes"))
    assert main([command, "odd.toml"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("pcode: odd.toml: delta = 1 is less than tau = 2: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("written", "right"),
    [
        (b"sizes = [1, 2", "is not TOML"),
        (b"hello", "is not TOML"),
        (b"title = 'a'\ntitle = 'b'\n", "is not TOML"),
        (b"title = '\xff'", "UTF-8"),
        (b"x = " + b"[" * 5000, "is not TOML"),
        (b"", "network: is missing"),
    ],
)
def test_a_file_that_is_not_toml_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], written: bytes, right: str
) -> None:
    (here / "bad.toml").write_bytes(written)
    line = one_line(capsys, ["run", "bad.toml"], here)
    assert "bad.toml" in line
    assert right in line


def test_a_file_that_is_not_there_is_refused_with_the_shipped_names(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = one_line(capsys, ["run", "nothing.toml"], here)
    assert "nothing.toml: there is no such scenario" in line
    assert "textbook" in line
    assert "did you mean the shipped xor?" in one_line(capsys, ["run", "xor.toml"], here)


def test_a_folder_is_no_scenario(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "folder").mkdir()
    assert "folder: is a folder" in one_line(capsys, ["run", "folder"], here)


def test_a_file_that_may_not_be_read_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.toml").write_text(GOOD)
    (here / "bad.toml").chmod(0)
    if os.access(here / "bad.toml", os.R_OK):
        pytest.skip("this user may read everything")
    before = sorted(here.iterdir())
    assert main(["run", "bad.toml"]) == 2
    assert sorted(here.iterdir()) == before
    assert "bad.toml: cannot be read (Permission denied)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"M1": None}, "has no array M1, which must have shape (3, 1)"),
        ({"M0": np.ones((3, 2))}, "array M0 in w.npz has shape (3, 2); it must be (2, 3)"),
        ({"M0": np.array([[{}] * 3] * 2, dtype=object)}, "w.npz is not an .npz file of plain numbers"),
    ],
)
def test_a_weights_file_at_fault_is_refused_with_its_array(
    here: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], told: str
) -> None:
    arrays: dict[str, Any] = {
        "M0": np.ones((2, 3)),
        "M1": np.ones((3, 1)),
        "W0": np.ones((3, 2)),
        "W1": np.ones((1, 3)),
        "beta1": np.ones(3),
        "beta2": np.ones(1),
    }
    text = GOOD.replace("[data]", '[weights]\ninit = "file"\nfile = "w.npz"\n[data]')
    (here / "bad.toml").write_text(text)
    np.savez(here / "w.npz", **arrays)
    assert main(["check", "bad.toml"]) == 0
    capsys.readouterr()
    np.savez(here / "w.npz", **{k: v for k, v in (arrays | change).items() if v is not None})
    line = one_line(capsys, ["run", "bad.toml"], here)
    assert "bad.toml: weights.file: " in line
    assert told in line


def test_an_output_folder_that_cannot_be_written_is_refused_before_the_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "good.toml").write_text(GOOD)
    (here / "file").write_text("not a folder")
    for out in ("file", "file/below", "/proc/nowhere/results"):
        line = one_line(capsys, ["run", "good.toml", "--out", out], here)
        assert f"pcode: {out}: --out: cannot be written" in line


@pytest.mark.parametrize("there", ["run.nc", "report.json", "energy.png"])
def test_what_stands_in_the_output_folder_is_not_overwritten(
    here: Path, capsys: pytest.CaptureFixture[str], there: str
) -> None:
    (here / "good.toml").write_text(GOOD.replace("[]", '["energy"]'))
    (here / "results/good").mkdir(parents=True)
    (here / "results/good" / there).write_text("precious")
    line = one_line(capsys, ["run", "good.toml"], here)
    assert f"results/good: --out: holds {there} already; give --force" in line


def test_two_recipes_of_one_name_would_overwrite_each_other(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "energy.py").write_text("def figure(run): ...\n")
    (here / "bad.toml").write_text(GOOD.replace("[]", '["energy", "energy.py"]'))
    command = ["run", "bad.toml", "--allow-code"]
    assert "plots.recipes.1: there are two recipes energy" in one_line(capsys, command, here)


def test_a_recipe_that_cannot_be_loaded_is_refused_before_the_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, told in {
        "def figure(run:\n": "SyntaxError",
        "import nothing_of_that_name\n": "ModuleNotFoundError",
        "\nx = 1 / 0\n": "ZeroDivisionError: division by zero (line 2)",
        "picture = 3\n": "needs a function figure(run)",
    }.items():
        (here / "mine.py").write_text(text)
        (here / "bad.toml").write_text(GOOD.replace("[]", '["mine.py"]'))
        assert told in one_line(capsys, ["run", "bad.toml", "--allow-code"], here)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "command"),
        (["runn"], "runn"),
        (["run"], "SCENARIO"),
        (["run", "xor", "extra"], "extra"),
        (["run", "xor", "--fast"], "--fast"),
        (["run", "xor", "--out"], "--out"),
        (["run", "xor", "--set", "delta"], "key=value"),
        (["run", "xor", "--set", "network.tua=3"], "did you mean tau?"),
        (["run", "xor", "--method", "euler"], "there are cvode"),
        (["check", "nothing"], "give a path, or one of"),
        (["plot", "energy"], "RUN.nc"),
        (["plot", "energy", "none.nc"], "none.nc"),
        (["plot", "enrgy", "none.nc"], "did you mean the shipped energy?"),
        (["plot", "energy", "none.nc", "-o", "picture.txt"], "must end in .png, .svg or .pdf"),
        (["plot", "energy", "none.nc", "-o", "none.nc"], "must end in .png, .svg or .pdf"),
        (["plot", "energy", "none.nc", "-o", "nowhere/e.png"], "nowhere"),
        (["plot", "energy", "none.nc", "--set", "log_time"], "log_time=true"),
        (["new"], "FILE"),
        (["new", "nowhere/new.toml"], "nowhere/new.toml"),
    ],
)
def test_wrong_usage_is_told_in_one_plain_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert told in one_line(capsys, arguments, here)


def test_a_file_that_holds_no_run_cannot_be_drawn(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "run.nc").write_text("no netcdf")
    line = one_line(capsys, ["plot", "energy", "run.nc"], here)
    assert "run.nc: run: cannot be read" in line


def test_new_does_not_overwrite(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine.toml").write_text("precious")
    assert "mine.toml: is there already" in one_line(capsys, ["new", "mine.toml"], here)


COLUMNS = 'file = "d.csv"\ninputs = ["age", "dose"]\ntargets = ["response"]'


def test_columns_of_a_csv_file_are_named_in_the_scenario(here: Path) -> None:
    (here / "d.csv").write_text("who,age,dose,response\nAnn,1,2,3\nBo,4,5,6\n")
    (here / "good.toml").write_text(GOOD.replace('name = "xor"', COLUMNS))
    assert main(["check", "good.toml"]) == 0


@pytest.mark.parametrize(
    ("data", "key", "told"),
    [
        (COLUMNS.replace("age", "ages"), "data.inputs", "has no column 'ages'; its columns are who, age"),
        (
            COLUMNS.replace("response", "who"),
            "data.file",
            "who in line 2 of d.csv must be a number, not 'Ann'",
        ),
        (COLUMNS, "data.file", "dose in line 3 of d.csv is nan (an empty cell)"),
        ('name = "xor"\ninputs = ["age"]', "data.inputs", "goes with file"),
        ('inputs = ["age"]', "data.inputs", "goes with file"),
        ('file = "d.csv"\ntargets = ["response"]', "data.inputs", "is missing; targets names columns"),
        ('file = "d.csv"\ninputs = "age"', "data.inputs", "a list of names of its columns"),
        ('file = "d.csv"\ninputs = ["age", 3]', "data.inputs.1", "a text in quotes"),
    ],
)
def test_columns_that_are_wrong_are_told_with_key_line_and_column(
    here: Path, capsys: pytest.CaptureFixture[str], data: str, key: str, told: str
) -> None:
    (here / "d.csv").write_text("who,age,dose,response\nAnn,1,2,3\nBo,4,,6\n")
    (here / "bad.toml").write_text(GOOD.replace('name = "xor"', data))
    line = one_line(capsys, ["check", "bad.toml"], here)
    assert f"bad.toml: {key}: " in line
    assert told in line

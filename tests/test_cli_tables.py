"""Tables from the command line, what `pcode list NAME` tells, and paths that are not there."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

import pcode
from pcode.analysis import QUESTIONS
from pcode.base import shipped
from pcode.cli import main
from tests.small_scenario import SMALL


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("result")
    text = SMALL.replace("duration = 1.0", "duration = 20.0") + "[plots]\nrecipes = []\n"
    (folder / "small.toml").write_text(text, encoding="utf-8")
    assert main(["run", str(folder / "small.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_one_call_writes_a_figure_and_both_tables_and_prints_json(result, tmp_path, capsys):
    files = {
        option: tmp_path / name
        for option, name in [("-o", "a.pdf"), ("--csv", "a.csv"), ("--latex", "a.tex")]
    }
    options = [part for option, path in files.items() for part in (option, str(path))]
    capsys.readouterr()
    assert main(["analyse", "convergence", str(result), "--json", *options]) == 0
    out, err = capsys.readouterr()
    phase = json.loads(out)["phases"][0]
    assert err.split() == [str(path) for path in files.values()]
    assert files["-o"].read_bytes().startswith(b"%PDF")
    frame = pd.read_csv(io.StringIO(files["--csv"].read_text()))
    assert frame["variable"].tolist() == ["x1", "eps1", "eps2"]
    assert frame["settling_time"].tolist()[1:] == pytest.approx(
        [float("nan") if t is None else t for t in phase["error_settling"]], nan_ok=True
    )
    assert r"\toprule" in files["--latex"].read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.pdf", "a.tex"]


def test_settling_times_and_eigenvalues_are_one_command_each_and_overwrite_what_was_there(result, tmp_path):
    for question, head in [("convergence", "settle"), ("spectrum", r"\lambda")]:
        path = tmp_path / f"{question}.tex"
        path.write_text("old", encoding="utf-8")
        assert main(["analyse", question, str(result), "--latex", str(path)]) == 0
        assert head in path.read_text(encoding="utf-8")


def test_another_table_is_chosen_by_name(result, tmp_path, capsys):
    path = tmp_path / "t.csv"
    assert main(["analyse", "convergence", str(result), "--csv", str(path), "--table", "energies"]) == 0
    assert path.read_text(encoding="utf-8").startswith("phase,energy,first,largest,")
    capsys.readouterr()
    assert main(["analyse", "convergence", str(result), "--csv", str(path), "--table", "energy"]) == 2
    told = (
        "--table: must be nodes, phases, weights, energies or distances, not 'energy'; did you mean energies?"
    )
    assert capsys.readouterr().err == f"pcode: {told}\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--csv", "t.txt"], "t.txt: --csv: must end in .csv, not '.txt'"),
        (["--latex", "t"], "t: --latex: must end in .tex, not 'nothing'"),
        (["--csv", "none/t.csv"], "none: --csv: there is no such folder to write to"),
        (["--latex", "folder.tex"], "folder.tex: --latex: is a folder; give the name of a file in it"),
        (["--table", "nodes"], "--table: chooses what --csv or --latex writes"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_before_anything_is_computed(
    result, tmp_path, monkeypatch, capsys, options, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.tex").mkdir()
    monkeypatch.setattr("pcode.cli.analysing.ask", None)  # would raise if it were called
    assert main(["analyse", "convergence", str(result), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"pcode: {told}")
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder.tex"]


def test_a_table_too_wide_for_a_page_is_refused_and_nothing_is_written(tmp_path, capsys):
    network = pcode.Network(sizes=(30, 1))
    phase = pcode.Phase("look", {0: [[0.0] * 30]}, duration=1.0, learn=False)
    pcode.simulate(network, [phase], weights=network.init_weights(0)).save(tmp_path / "run.nc")
    files = ["--csv", str(tmp_path / "t.csv"), "--latex", str(tmp_path / "t.tex")]
    assert main(["analyse", "equilibrium", str(tmp_path), *files]) == 2
    assert "--table: has 33 columns, more than a page holds" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run.nc"]
    assert main(["analyse", "equilibrium", str(tmp_path), *files, "--table", "samples"]) == 0


def test_a_table_with_nothing_in_it_is_not_written_and_the_others_are_named(result, tmp_path, capsys):
    path = tmp_path / "t.csv"
    asked = ["analyse", "spectrum", str(result), "--csv", str(path), "--table", "course"]
    capsys.readouterr()
    assert main(asked) == 2
    err = capsys.readouterr().err
    assert (
        "--table: there is nothing in the table course of this answer; there is in eigenvalues, both" in err
    )
    assert not path.exists()
    assert main([*asked, "--set", "moments=3"]) == 0
    assert len(pd.read_csv(path)) == 3


@pytest.mark.parametrize("command", [["plot", "energy"], ["analyse", "backprop"], ["animate"]])
def test_a_run_that_is_not_there_is_named_and_no_option_is_blamed(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "results" / "xor").mkdir(parents=True)
    (tmp_path / "results" / "xor" / "run.nc").touch()
    right = "give the run.nc of a run, or its folder"
    for given, told in {
        "nowhere": f"there is no such file; {right}",
        "nowhere/run.nc": f"there is no such file; {right}",
        "empty": f"is a folder without a run.nc; {right}",
        "xor": "there is no such file; did you mean results/xor?",
    }.items():
        assert main([*command, given]) == 2
        assert capsys.readouterr().err == f"pcode: {given}: run: {told}\n"


# --- list ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_list_tells_the_options_and_tables_of_a_question(capsys, name):
    assert main(["list", name]) == 0
    out = capsys.readouterr().out
    assert f"question {name}" in out
    assert "options (--set OPTION=VALUE):" in out
    assert "tables (--csv, --latex, --table NAME; the first by default): " in out
    assert "    run : Run" not in out


def test_the_tables_that_list_tells_are_those_of_the_answer(result, capsys):
    run = pcode.Run.load(result / "run.nc")
    for name in QUESTIONS:
        if name in ("classification", "stationary", "twin"):  # not of this run; see their own tests
            continue
        capsys.readouterr()
        assert main(["list", name]) == 0
        told = capsys.readouterr().out.splitlines()[-1].partition("default): ")[2].split(", ")
        assert told == list(pcode.analysis.ask(run, name).tables())


def test_list_tells_of_every_name_and_of_one_that_is_near(capsys):
    for name in (*shipped.names("scenarios"), *shipped.names("plots"), "BDF", "auto", "digits", "tanh"):
        assert main(["list", name]) == 0
        assert name in capsys.readouterr().out.splitlines()[0]
    assert main(["list", "spectrm"]) == 2
    assert capsys.readouterr().err == "pcode: NAME: nothing is called 'spectrm'; did you mean spectrum?\n"


def test_auto_is_called_neither_implicit_nor_explicit(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (auto,) = [line for line in lines if line.startswith("  auto ")]
    assert "chooses an explicit or an implicit method for each phase" in auto
    assert any(line.split() == ["BDF", "implicit"] for line in lines)

"""`pcode analyse`, and the questions of a scenario."""

import json

import pytest
from PIL import Image

from pcode.analysis import QUESTIONS
from pcode.cli import main
from pcode.scenario import json_schema
from tests.small_scenario import SMALL, load, refused

ASKED = f"""{SMALL}
[save]
nodes = 20
weights = 20
[plots]
recipes = []
[analysis]
questions = ["convergence"]
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("result")
    (folder / "small.toml").write_text(ASKED, encoding="utf-8")
    assert main(["run", str(folder / "small.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_the_answers_of_a_scenario_stand_in_its_report(result):
    report = json.loads((result / "report.json").read_text(encoding="utf-8"))
    answer = report["analysis"]["convergence"]
    assert answer["question"] == "convergence"
    assert [phase["phase"] for phase in answer["phases"]] == ["train"]


def test_an_answer_is_printed_for_people_and_as_json(result, capsys):
    assert main(["analyse", "convergence", str(result / "run.nc")]) == 0
    assert capsys.readouterr().out.startswith("nodes, to 1% of their largest distance from rest")
    assert main(["analyse", "convergence", str(result), "--json", "--set", "fraction=0.5"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["fraction"] == 0.5
    assert err == ""


def test_an_answer_is_drawn_where_a_picture_is_wanted(result, capsys, tmp_path):
    picture = tmp_path / "answer.svg"
    assert main(["analyse", "convergence", str(result / "run.nc"), "-o", str(picture)]) == 0
    assert "distance from rest" in picture.read_text(encoding="utf-8")
    assert capsys.readouterr().out.splitlines()[-1] == str(picture)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["why", "{run}"], "pcode: question: no question 'why'; there are backprop, "),
        (["backprob", "{run}"], "pcode: question: no question 'backprob'; did you mean backprop?"),
        (["backprop", "no.nc"], "pcode: no.nc: run: there is no such file; give the run.nc of a run"),
        (["backprop", "{run}", "--set", "phase=3"], "pcode: {run}: phase: there is no phase 3 in this run"),
        (
            ["backprop", "{run}", "--set", "nu=3"],
            "pcode: {run}: nu: the question backprop has no such option",
        ),
        (["backprop", "{run}", "--set", "nu"], "pcode: --set: must be key=value, such as phase=0, not 'nu'"),
        (["backprop", "{run}", "-o", "a.gif"], "pcode: a.gif: -o: must end in .png, .svg or .pdf"),
    ],
)
def test_a_wrong_question_is_told_in_one_line(result, capsys, arguments, told):
    run = str(result / "run.nc")
    assert main(["analyse", *(argument.replace("{run}", run) for argument in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith(told.replace("{run}", run))


def test_a_question_of_a_scenario_that_has_no_answer_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "small.toml").write_text(ASKED, encoding="utf-8")
    changes = ["--set", 'analysis.questions=["backprop"]', "--set", 'phase.0.clamp="input"']
    assert main(["run", str(tmp_path / "small.toml"), "--out", str(tmp_path / "out"), *changes]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "analysis.questions: backprop: phase: none has both ends clamped, so there is no target" in err
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert "there is no target" in report["analysis"]["backprop"]["error"]


def test_questions_of_a_scenario_whose_run_fails_stand_in_the_report_with_the_reason(tmp_path, capsys):
    (tmp_path / "small.toml").write_text(ASKED, encoding="utf-8")
    changes = ["--method", "RK45", "--set", "solver.max_steps=1", "--set", "phase.0.duration=50"]
    assert main(["run", str(tmp_path / "small.toml"), "--out", str(tmp_path / "out"), *changes]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["analysis"]["convergence"]["error"].startswith(
        "not asked, since the run failed (max_steps)"
    )


def test_a_scenario_with_a_question_that_is_not_there_is_refused_before_it_runs(tmp_path, capsys):
    path = tmp_path / "small.toml"
    path.write_text(ASKED.replace('["convergence"]', '["convergence", "backprob"]'), encoding="utf-8")
    for command in ("run", "check"):
        assert main([command, str(path)]) == 2
        told = "analysis.questions.1: no question 'backprob'; did you mean backprop?"
        assert capsys.readouterr().err == f"pcode: {path}: {told}\n"
    assert "analysis.questions" in refused(tmp_path, f"{SMALL}[analysis]\nquestions = 3\n").where
    assert load(tmp_path, SMALL).questions == ()


def test_the_schema_and_the_list_name_the_questions(capsys):
    schema = json_schema()["$defs"]["AnalysisTable"]["properties"]["questions"]
    assert schema["items"]["enum"] == list(QUESTIONS)
    assert main(["list"]) == 0
    assert set(QUESTIONS) <= {line.split()[0] for line in capsys.readouterr().out.splitlines()}


def test_the_picture_of_an_answer_has_the_size_and_the_dots_that_are_asked_for(result, capsys, tmp_path):
    picture = tmp_path / "answer.png"
    base = ["analyse", "convergence", str(result / "run.nc")]
    look = ["--size", "85x60mm", "--font-size", "8", "--dpi", "254"]
    assert main([*base, "-o", str(picture), *look]) == 0
    with Image.open(picture) as image:
        assert image.size == pytest.approx((850, 600), abs=1)
    capsys.readouterr()
    for bad, option in (
        (["-o", str(picture), "--size", "85"], "--size"),
        (["-o", str(picture), "--font-size", "500"], "--font-size"),
        (["-o", str(picture), "--dpi", "0"], "--dpi"),
        (["--size", "85mm"], "--size"),
        (["--dpi", "300"], "--dpi"),
    ):
        assert main([*base, *bad]) == 2
        out, err = capsys.readouterr()
        assert option in err
        assert err.count("\n") == 1
        assert out == ""


def test_a_png_has_the_dots_an_inch_that_are_asked_for(result, capsys, tmp_path):
    base = ["plot", "energy", str(result / "run.nc"), "--size", "50.8x50.8mm"]
    for dpi, dots in (([], 320), (["--dpi", "300"], 600), (["--dpi", "72.5"], 145)):
        picture = tmp_path / "energy.png"
        assert main([*base, "-o", str(picture), *dpi]) == 0
        with Image.open(picture) as image:
            assert image.size == (dots, dots)
            assert image.info["dpi"][0] == pytest.approx(dots / 2.0, abs=0.01)
    capsys.readouterr()
    for dpi, file in (
        ("0", "a.png"),
        ("-300", "a.png"),
        ("1e9", "a.png"),
        ("nan", "a.png"),
        ("300", "a.pdf"),
    ):
        assert main([*base, "-o", str(tmp_path / file), f"--dpi={dpi}"]) == 2
        err = capsys.readouterr().err
        assert "--dpi" in err
        assert err.count("\n") == 1
        assert not (tmp_path / file).exists()

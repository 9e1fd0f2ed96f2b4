"""Tables: their cells in LaTeX, what data frames and CSV files hold, and the tables of each answer."""

from __future__ import annotations

import io
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

import pcode
from pcode import InputError
from pcode.analysis import QUESTIONS, ask
from pcode.base.tables import MOST_ROWS, Column, Table

HARD = r"50% of a_b & c#1 \ {x} ~ ^ $ <|>"


def rows_of(latex):
    """The cells of each row between the rules, and those of the heading."""
    lines = latex.splitlines()
    assert lines[0].startswith("% ")
    assert lines[0].endswith(r"Needs \usepackage{booktabs}.")
    assert lines[2:3] + lines[4:5] + lines[-2:] == [
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert all(line.endswith(r" \\") for line in (lines[3], *lines[5:-2]))
    cells = [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in (lines[3], *lines[5:-2])]
    return [[cell.strip() for cell in row] for row in cells]


def check_compilable(latex):
    """Every row has as many cells as the format, braces close, and what is not mathematics is escaped."""
    rows = rows_of(latex)
    align = re.sub(r"p\{[^}]*\{?[^}]*\}?[^}]*\}", "p", re.search(r"\\begin\{tabular\}\{(.*)\}", latex)[1])
    assert all(len(row) == len(align) for row in rows)
    for row in rows:
        for cell in row:
            text = cell.replace(r"\{", "").replace(r"\}", "").replace(r"\$", "")
            assert text.count("{") == text.count("}")
            assert text.count("$") % 2 == 0
            outside = re.sub(r"\$[^$]*\$", "", text)
            outside = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum|text\w+)\{\}", "", outside)
            assert not re.search(r"(?<!\\)[%#_^~<>|]", outside), cell
        assert not row[0].startswith(("[", "*"))
    return rows


def test_cells_are_rounded_and_escaped_and_what_is_missing_is_a_dash():
    table = Table(
        "row",
        (
            Column("text", [HARD, "[0]", "*"], "text"),
            Column("number", [1.23456789e-7, -0.5, np.nan], r"$t$", "ms"),
            Column("whole", [3, None, 12], "$n$"),
            Column("flag", [True, False, np.bool_(True)], "flag"),
            Column("empty", [None, np.nan, None], "empty"),
        ),
    )
    head, *rows = check_compilable(table.to_latex())
    assert head == ["text", "$t$ (ms)", "$n$", "flag"]
    assert rows[0][1:] == [r"$1.235 \times 10^{-7}$", "$3$", "yes"]
    assert rows[1] == ["{[}0]", "$-0.5$", "--", "no"]
    assert rows[2] == ["{*}", "--", "$12$", "yes"]
    assert r"\begin{tabular}{lrrl}" in table.to_latex()
    frame = table.to_dataframe()
    assert frame["whole"].dtype == "Int64"
    assert frame.attrs["units"] == {"number": "ms"}
    assert frame["number"][0] == 1.23456789e-7


def test_a_number_without_fraction_is_printed_whole_and_an_infinite_one_as_such():
    column = Column("v", [200000.0, 2e7, np.inf, -np.inf, 0.0, -0.0], "v")
    assert column.cells() == ["$200000$", r"$2 \times 10^{7}$", r"$\infty$", r"$-\infty$", "$0$", "$0$"]


def test_csv_has_units_in_its_header_and_reads_back_as_it_was():
    table = Table(
        "row", (Column("time", [0.1, 1 / 3], "$t$", "ms"), Column("phase", ["a,b", 'c"d'], "phase"))
    )
    read = pd.read_csv(io.StringIO(table.to_csv()))
    assert list(read) == ["time (ms)", "phase"]
    np.testing.assert_array_equal(read.to_numpy(), table.to_dataframe().to_numpy())


def test_of_many_rows_the_first_and_last_are_printed_and_too_many_columns_are_refused():
    long = Table("row", (Column("k", list(range(1000)), "$k$"),))
    cells = [row[0] for row in rows_of(long.to_latex())[1:]]
    assert len(cells) == MOST_ROWS + 1
    assert (cells[0], cells[MOST_ROWS // 2], cells[-1]) == ("$0$", r"$\vdots$", "$999$")
    assert "the first and last 30 of 1,000" in long.to_latex()
    wide = Table("row", tuple(Column(f"c{k}", [1.0], f"c{k}") for k in range(21)))
    with pytest.raises(pcode.InputError, match="table: has 21 columns, more than a page holds"):
        wide.to_latex()


# --- answers ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def linear():
    """Linear 1-1-1, weights held at 1 and 2, then learning; time in ms."""
    network = pcode.Network(
        sizes=(1, 1, 1), activation="identity", feedback="tied", tau=1.0, delta=50.0, time_unit="ms"
    )
    weights = pcode.Weights(M=([[1.0]], [[2.0]]), W=None, beta=([0.0], [0.0]))
    clamp = {0: [[1.0], [0.5]], 2: [[1.0], [-1.0]]}
    phases = [
        pcode.Phase("settle_it", clamp, duration=40.0, learn=False),
        pcode.Phase("learn", clamp, duration=200.0),
    ]
    return pcode.simulate(network, phases, weights=weights)


@pytest.mark.parametrize(
    "question", [name for name in QUESTIONS if name not in ("classification", "stationary")]
)
def test_every_answer_has_tables_of_one_row_each_that_latex_can_set(linear, question):
    answer = ask(linear, question, {"moments": 3} if question == "spectrum" else {})
    for name, table in answer.tables().items():
        frame = answer.to_dataframe(name)
        assert len({len(column.values) for column in table.columns}) == 1
        assert len(frame) > 0
        assert set(frame.attrs["units"]) <= set(frame)
        assert not any("unit of" in unit for unit in frame.attrs["units"].values())
        check_compilable(answer.to_latex(name))
    with pytest.raises(pcode.InputError, match=f"table: must be {next(iter(answer.tables()))}"):
        answer.to_dataframe("nothing")


def test_eigenvalues_are_those_of_the_closed_form_with_their_settling_times(linear):
    """1-1-1, nu = tau = 1: s^2 = 1 + 4 in the direction that moves, and -nu/tau for the other error."""
    frame = ask(linear, "spectrum", {"phase": "settle_it"}).to_dataframe()
    found = frame["real"].to_numpy() + 1j * frame["imaginary"].to_numpy()
    pair = (-1.0 + np.sqrt(1.0 - 20.0 + 0j)) / 2.0
    expected = [pair, pair.conjugate(), -1.0]
    for sample in (0, 1):
        mine = frame["sample"] == sample
        np.testing.assert_allclose(np.sort_complex(found[mine]), np.sort_complex(expected), atol=1e-9)
    settle = np.where(np.abs(frame["imaginary"]) > 0, 2.0 * np.log(100.0), np.log(100.0))
    np.testing.assert_allclose(frame["settling_time"], settle)
    rings = frame["period"].notna()
    np.testing.assert_allclose(frame["period"][rings], 2.0 * np.pi / np.sqrt(4.75))
    assert frame.attrs["units"]["real"] == "1/ms"
    assert frame.attrs["units"]["settling_time"] == "ms"


def test_the_tables_of_convergence_hold_the_figures_of_its_answer(linear):
    answer = ask(linear, "convergence")
    nodes = answer.to_dataframe()
    assert nodes["phase"].tolist() == ["settle_it"] * 3 + ["learn"] * 3
    assert nodes["variable"].tolist() == ["x1", "eps1", "eps2"] * 2
    first = answer.phases[0]
    expected = [first.value_settling[1], *first.error_settling]
    np.testing.assert_array_equal(nodes["settling_time"][:3], expected)
    assert answer.to_dataframe("phases")["settling_time"][0] == max(expected)
    drift = answer.to_dataframe("weights")
    assert drift["variable"].tolist() == ["M0", "M1"]
    for k, change in enumerate(drift["change"]):
        M = linear.data[f"M{k}"].to_numpy()
        np.testing.assert_allclose(change, np.linalg.norm(M[-1] - M[0]))


def test_a_table_names_variables_by_their_symbols_in_latex(linear):
    _, *rows = check_compilable(ask(linear, "convergence").to_latex())
    phase = r"settle\_it"
    symbols = ["$x^{1}$", r"$\varepsilon^{1}$", r"$\varepsilon^{2}$"]
    assert [row[:2] for row in rows[:3]] == [[phase, symbol] for symbol in symbols]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_tables_compile(linear, tmp_path):
    tables = [ask(linear, question).to_latex() for question in ("convergence", "spectrum", "certificate")]
    body = "\n\n".join(tables)
    text = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{body}\\end{{document}}"
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


# --- runs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run():
    """Two phases that show different numbers of samples, the second those of rows 1 and 2."""
    network = pcode.Network(sizes=(2, 3, 1), tau=1.0, delta=20.0)
    X, Y = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0]]), np.array([[-1.0], [1.0], [1.0]])
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=20.0),
        pcode.Phase("test", {0: X[1:]}, duration=5.0, learn=False, samples=[1, 2]),
    ]
    save = pcode.Save(nodes=7, weights=5)
    return pcode.simulate(network, phases, weights=network.init_weights(rng=0), save=save)


def test_nodes_have_a_row_for_each_saved_time_and_sample_shown(run):
    frame = run.to_dataframe()
    assert len(frame) == 7 * 3 + 7 * 2
    assert list(frame)[:4] == ["time", "phase", "phase_name", "sample"]
    entries = [f"x0[{k}]" for k in range(2)] + [f"x1[{k}]" for k in range(3)] + ["x2[0]"]
    entries += [f"eps1[{k}]" for k in range(3)] + ["eps2[0]"]
    assert list(frame)[4:] == entries
    assert not frame.isna().any(axis=None)
    last = frame[(frame["phase_name"] == "test") & (frame["sample"] == 2)].iloc[-1]
    assert last["time"] == run.data.time[-1]
    np.testing.assert_array_equal(last[["x1[0]", "x1[1]", "x1[2]"]].to_numpy(float), run.state.x[1][1])
    assert frame.attrs["units"] == {"time": "unit of tau"}


def test_nodes_can_be_chosen_by_phase_layer_and_sample(run):
    frame = run.to_dataframe("nodes", phase="train", layers=1, samples=[2, 0])
    assert sorted(set(frame["sample"])) == [0, 2]
    assert set(frame["phase_name"]) == {"train"}
    assert list(frame)[4:] == [f"{kind}1[{k}]" for kind in ("x", "eps") for k in range(3)]


def test_weights_have_a_row_for_each_of_their_times(run):
    frame = run.to_dataframe("weights")
    assert len(frame) == run.data.sizes["weight_time"]
    last = frame.iloc[-1]
    for k in range(2):
        M, W = run.weights.M[k], run.weights.W[k]
        for (i, j), value in np.ndenumerate(M):
            assert last[f"M{k}[{i},{j}]"] == value
        for (i, j), value in np.ndenumerate(W):
            assert last[f"W{k}[{i},{j}]"] == value
        for i, value in enumerate(run.weights.beta[k]):
            assert last[f"beta{k + 1}[{i}]"] == value


def test_energies_are_tidy_and_phases_have_a_row_each(run):
    frame = run.to_dataframe("energy")
    wide = frame.pivot(index="time", columns="layer", values="energy_slaved")
    np.testing.assert_array_equal(wide.to_numpy(), run.data["energy_slaved"].to_numpy())
    phases = run.to_dataframe("phases")
    assert phases["phase_name"].tolist() == ["train", "test"]
    assert phases["steps"].tolist() == [record.stats.steps for record in run.phases]
    assert phases["samples"].tolist() == [3, 2]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"what": "node"}, "what: must be nodes, weights, energy, probes or phases, not 'node'"),
        ({"what": "weights", "samples": 0}, "samples: goes with nodes only"),
        ({"what": "phases", "layers": 0}, "layers: goes with nodes, weights and energy only"),
        ({"phase": "tets"}, "phase: there is no phase 'tets' in this run"),
        ({"samples": 7}, "samples: sample 7 is not shown here"),
        ({"layers": 3}, "layers: must be a layer from 0 to 2"),
    ],
)
def test_a_part_that_is_not_there_is_refused(run, options, told):
    with pytest.raises(pcode.InputError) as error:
        run.to_dataframe(**options)
    assert str(error.value).startswith(told)


def test_a_data_frame_that_would_be_huge_is_refused_with_what_to_do(run, monkeypatch):
    monkeypatch.setattr("pcode.run.frames.MOST_BYTES", 1000.0)
    with pytest.raises(pcode.InputError, match=r"GB allowed; choose phases, layers or samples"):
        run.to_dataframe()
    assert len(run.to_dataframe(phase="test", layers=2)) == 14


def test_a_probe_does_not_stand_in_the_place_of_a_column_of_the_phases():
    names = ("status", "unknowns", "steps", "method")
    network = pcode.Network((1, 1))
    phase = pcode.Phase("p", {0: [[1.0]]}, duration=1.0)
    probes = {name: lambda state, phase: -7.0 for name in names}
    run = pcode.simulate(network, [phase], weights=network.init_weights(rng=0), probes=probes)
    (row,) = run.to_dataframe("phases").to_dict("records")
    assert (row["status"], row["unknowns"]) == ("success", run.phases[0].unknowns)
    assert row["method"] == run.phases[0].method
    assert row["steps"] == run.phases[0].stats.steps
    assert [row[f"probe_{name}"] for name in names] == [-7.0] * 4


def test_a_table_without_columns_is_refused_in_latex():
    with pytest.raises(InputError, match="has no columns"):
        Table("nothing", ()).to_latex()

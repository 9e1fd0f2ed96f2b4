"""A file from a stranger runs nothing, is waited on by nobody, and is refused in one line where it is bad."""

import io
import json
import os
import re
import socket
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import pcode
from pcode.base.errors import InputError, visible
from pcode.base.reading import MOST_TEXT, read_bytes
from pcode.cli import main
from pcode.plotting.recipes import Recipe
from pcode.run.result import Run
from pcode.run.sweep import Sweep
from pcode.scenario import Scenario
from pcode.sweeps import SweepFolder

GOOD = """
title = "good"
[network]
sizes = [2, 3, 1]
[data]
inputs = [[0.0, 1.0], [1.0, 0.0]]
targets = [[1.0], [0.0]]
[[phase]]
clamp = "both"
duration = 0.5
[save]
nodes = 5
weights = 3
[solver]
method = "DOP853"
[plots]
recipes = []
"""

# Leaves a mark where it is run.
MARKING = "open('MARK', 'w').close()\ndef figure(run): ...\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.toml").write_text(GOOD)
    return tmp_path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("saved") / "run.nc"
    Scenario.parse(GOOD, Path("good.toml")).simulate().save(path)
    return path.read_bytes()


def line(capsys: pytest.CaptureFixture[str], command: list[str]) -> str:
    """The line in which a command refuses what it is given."""
    assert main(command) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert len(told.err) <= 301
    return told.err


@pytest.mark.parametrize("name", ["mine.py", "./energy", "sub/../mine.py"])
def test_a_recipe_named_by_path_in_a_scenario_runs_only_where_code_is_allowed(here, capsys, name):
    (here / "sub").mkdir()
    for file in ("mine.py", "energy"):
        (here / file).write_text(MARKING)
    (here / "s.toml").write_text(GOOD.replace("[]", f'["{name}"]'))
    for command in ("check", "run"):
        told = line(capsys, [command, "s.toml"])
        assert "s.toml: plots.recipes.0:" in told
        assert "--allow-code" in told
    assert not (here / "results").exists()
    assert main(["check", "s.toml", "--allow-code"]) == 0
    assert not (here / "MARK").exists()  # a check runs no recipe, allowed or not
    main(["run", "s.toml", "--allow-code"])
    assert (here / "MARK").exists()


def test_a_recipe_of_a_sweep_named_by_path_is_not_run_by_a_check(here, capsys):
    (here / "mine.py").write_text(MARKING.replace("(run)", "(sweep)"))
    table = '[sweep]\nover = ["weights.seed=0:1"]\nfigure = [{ recipe = "mine.py" }]\n'
    (here / "s.toml").write_text(GOOD + table)
    assert "sweep.figure.0.recipe" in line(capsys, ["check", "s.toml"])
    assert main(["check", "s.toml", "--allow-code"]) == 0
    assert not (here / "MARK").exists()


def test_the_name_of_a_shipped_recipe_means_that_one_whatever_lies_beside_the_scenario(here):
    (here / "energy").write_text(MARKING)
    (here / "s.toml").write_text(GOOD.replace("[]", '["energy"]'))
    assert main(["run", "s.toml"]) == 0
    assert (here / "results/s/energy.png").exists()
    assert not (here / "MARK").exists()


def test_a_recipe_on_the_users_own_command_line_needs_no_flag(here, saved):
    (here / "run.nc").write_bytes(saved)
    (here / "mine.py").write_text(
        "from matplotlib.figure import Figure\ndef figure(run):\n    return Figure()\n"
    )
    assert main(["plot", "mine.py", "run.nc"]) == 0
    assert (here / "mine.png").exists()


def test_in_python_a_recipe_by_path_is_run_only_where_code_is_allowed(here):
    (here / "mine.py").write_text(MARKING)
    with pytest.raises(InputError, match=r"mine\.py: is code.*allow_code=True"):
        Recipe.load("mine.py")
    assert not (here / "MARK").exists()
    assert Recipe.load("mine.py", allow_code=True).name == "mine"


def test_a_folder_of_a_sweep_cannot_allow_code_by_itself(here):
    (here / "sweep.json").write_text(
        json.dumps(
            {
                "scenario": str(here / "s.toml"),
                "axes": [{"keys": ["weights.seed"], "values": [[0]]}],
                "allow_code": True,
            }
        )
    )
    (here / "scenario.toml").write_text(GOOD)
    assert not SweepFolder(here).read_asked().scenario.allow_code
    assert SweepFolder(here).read_asked(allow_code=True).scenario.allow_code


def odd_files(folder: Path) -> list[str]:
    """Names of files that would be waited on, or read for ever."""
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "to_zero").symlink_to("/dev/zero")
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.close()
    return ["pipe", "dangling", "to_zero", "socket", "/dev/zero", "/dev/null", "."]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
@pytest.mark.timeout(60)
def test_only_ordinary_files_are_opened_whoever_names_them(here, capsys, saved):
    (here / "sub").mkdir()
    (here / "sub/run.nc").write_bytes(saved)
    weights = GOOD + '[weights]\ninit = "file"\nfile = "{}"\n'
    for file in odd_files(here):
        line(capsys, ["check", file])
        line(capsys, ["plot", "energy", file])
        line(capsys, ["plot", file, "sub"])
        line(capsys, ["analyse", "convergence", file])
        line(capsys, ["resume", file])
        (here / "s.toml").write_text(weights.format(file))
        assert "weights.file" in line(capsys, ["check", "s.toml"])
    for suffix in ("csv", "npz"):
        os.mkfifo(here / f"d.{suffix}")
        given = f'file = "d.{suffix}"\n'
        (here / "s.toml").write_text(GOOD.replace("inputs =", f"{given}#").replace("targets =", "#"))
        assert f"data.file: d.{suffix} is no ordinary file" in line(capsys, ["check", "s.toml"])


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="there is no /proc")
def test_of_a_file_no_more_is_read_than_its_size_says():
    assert read_bytes("/proc/version") == b""


def test_a_run_is_not_saved_over_a_device(here, saved):
    os.mkfifo(here / "pipe")
    (here / "run.nc").write_bytes(saved)
    run = Run.load("run.nc")
    for file in ("pipe", "/dev/null"):
        with pytest.raises(InputError, match="no ordinary file"):
            run.save(file)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_sizes_are_bounded_before_anything_is_read(here, capsys, saved):
    with (here / "long.toml").open("wb") as file:
        file.truncate(MOST_TEXT + 1)
    assert "long.toml: has 4 MB, more than the 4 MB that are read" in line(capsys, ["check", "long.toml"])
    with h5py.File(here / "big.nc", "w") as file:
        file.create_dataset("x0", shape=(10**6, 10**6), dtype=float, chunks=(100, 100), compression="gzip")
    assert "would unpack to 8 TB; a file of its size may to 250 MB" in line(
        capsys, ["plot", "energy", "big.nc"]
    )
    with h5py.File(here / "chunk.nc", "w") as file:
        file.create_dataset("x0", shape=(10,), maxshape=(None,), dtype=float, chunks=(10**8,))
    assert "in chunks of 800 MB; at most 64 MB are read" in line(capsys, ["plot", "energy", "chunk.nc"])


def npz(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def npy(array: object) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), allow_pickle=True)
    return out.getvalue()


def promising(count: int, data: bytes) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({count},), }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


BAD_NPZ = {
    "one file more": (
        npz(**{"inputs.npy": npy(np.eye(2)), "README.txt": b"hello"}),
        "'README.txt'.* no array",
    ),
    "a promise": (
        npz(**{"inputs.npy": promising(10**12, b"")}),
        "inputs in d.npz promises 8,000,000,000,000",
    ),
    "a bomb": (npz(**{"inputs.npy": promising(4 * 10**7, bytes(32 * 10**7))}), "unpack to 320 MB.*250 MB"),
    "objects": (npz(**{"inputs.npy": npy([{}, None])}), "not an .npz file of plain numbers"),
    "texts": (npz(**{"inputs.npy": npy(["a", "b"])}), "array inputs in d.npz holds text"),
    "complex": (npz(**{"inputs.npy": npy(np.eye(2) * 1j)}), "imaginary part would be lost"),
    "records": (npz(**{"inputs.npy": npy(np.zeros(2, "f8,f4"))}), "holds records"),
    "no table": (b"PK\x03\x04" + bytes(100), "not an .npz file"),
}


@pytest.mark.parametrize("kind", BAD_NPZ)
def test_an_npz_file_that_holds_something_else_is_refused_with_the_key(here, capsys, kind):
    content, told = BAD_NPZ[kind]
    (here / "d.npz").write_bytes(content)
    (here / "s.toml").write_text(GOOD.replace("inputs =", 'file = "d.npz"\n#').replace("targets =", "#"))
    assert re.search(f"s.toml: data.file: .*{told}", line(capsys, ["check", "s.toml"]))


@pytest.mark.parametrize(
    "change", ["astype('>f4')", "astype(bool)", "astype('f2')", "astype('g')", "T.copy().T"]
)
def test_an_npz_file_may_hold_any_kind_of_real_numbers(here, change):
    given = eval(f"array.{change}", {"array": np.array([[0.0, 1.0], [1.0, 0.0]])})
    np.savez(here / "d.npz", inputs=given, targets=np.asfortranarray([[1.0], [0.0]]))
    assert pcode.Data.load("d.npz").inputs.tolist() == [[0.0, 1.0], [1.0, 0.0]]


BAD_CHANGES = {
    "nested": "network.tau=" + "[" * 1500,
    "nested and closed": "network.tau=" + "[" * 400 + "]" * 400,
    "many parts": ".".join("a" * 5000) + "=1",
    "400 digits": "weights.seed=" + "9" * 400,
    "5,000 digits": "weights.seed=" + "9" * 5000,
    "half a character": "title=\udcff",
    "a control character": 'title="a\\u001b[31m"',
    "a very long word": "network.activation=" + "tanh" * 50_000,
}


@pytest.mark.parametrize("kind", BAD_CHANGES)
@pytest.mark.timeout(20)
def test_a_change_that_no_scenario_can_take_is_refused_in_one_short_line(here, capsys, kind):
    assert "--set" in line(capsys, ["check", "good.toml", "--set", BAD_CHANGES[kind]])


@pytest.mark.parametrize(
    "text",
    ["x=" + "[" * 5000, ".".join("a" * 100_000) + "=1", "x=" + "9" * 400, "x=" + "{a=" * 60 + "1" + "}" * 60,
     '"\\u001b"=1', "x='\u202e'", "x=1e", "\ufeff", "[network]\nsizes=[2,1" + "0" * 400 + "]"],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_a_text_that_is_no_scenario_is_refused_in_one_short_line(here, capsys, text):
    (here / "s.toml").write_text(text, encoding="utf-8")
    assert "s.toml: " in line(capsys, ["check", "s.toml"])


def test_names_that_look_like_math_and_are_none_are_drawn_as_they_are(here, capsys):
    name = 'title = "$\\\\bad{ [b] %s"'
    text = GOOD.replace('title = "good"', name).replace("[]", '["energy", "node_convergence"]')
    (here / "s.toml").write_text(text.replace("[[phase]]", '[[phase]]\nname = "$\\\\frac{$ [/red]"'))
    assert main(["run", "s.toml"]) == 0
    assert capsys.readouterr().err == ""
    assert (here / "results/s/energy.png").exists()


def test_memory_that_is_too_large_a_number_is_told_by_its_key(here, capsys):
    assert "save.memory_gb: must be finite" in line(
        capsys, ["check", "good.toml", "--set", "save.memory_gb=1e300"]
    )


def test_a_changed_scenario_of_an_odd_layout_means_the_same(here):
    long = GOOD + "# " + "x" * 400_000
    for text in (GOOD, long):
        changed = Scenario.parse(text, Path("s.toml"), ["network.sizes=[2,4,1]", "phase.0.name=a b"])
        again = Scenario.parse(changed.text, Path("s.toml"))
        assert again.file == changed.file
        assert again.network.sizes == (2, 4, 1)


def test_control_characters_are_shown_as_escapes():
    assert visible("a\x1b[31m\tb\nc\u202e\udcff") == "a\\x1b[31m b c\\u202e\\udcff"
    error = InputError("key", "is \x1b]0;x\x07", "file\x1b")
    assert str(error) == "file\\x1b: key: is \\x1b]0;x\\x07"


def test_a_long_error_keeps_the_file_the_key_and_both_ends():
    told = str(InputError("k" * 500, f"begins{'x' * 9000}ends", f"{'d/' * 500}name.toml"))
    assert len(told) <= 290
    for part in ("name.toml: ", "kkk: begins", "ends"):
        assert part in told


def test_control_characters_in_a_table_are_refused_with_their_line(here, capsys):
    (here / "d.csv").write_text("input0,input1,target0\n1,2,3\n1,\x1b[31m,2\n")
    (here / "s.toml").write_text(GOOD.replace("inputs =", 'file = "d.csv"\n#').replace("targets =", "#"))
    assert "line 3 of d.csv has the character '\\x1b'" in line(capsys, ["check", "s.toml"])


def changed_run(path: Path, saved: bytes, change: str) -> None:
    path.write_bytes(saved)
    with h5py.File(path, "r+") as file:
        exec(change, {"file": file, "np": np, "h5py": h5py})


BAD_RUNS = {
    "file.attrs['phases'] = '[5]'": "phases.0",
    "file.attrs['phases'] = '[' * 5000": "phases: is not JSON",
    "file.attrs['phases'] = 7": "phases: must be a text",
    "file.attrs['network'] = '[]'": "network",
    "file.attrs['network'] = file.attrs['network'].replace('[2, 3, 1]', '[2, 9, 1]')": "unit1",
    "file.attrs['network'] = file.attrs['network'].replace('[2, 3', '[2, 1%s' % ('0' * 400))": "network",
    "file.attrs['status'] = 'fine'": "status",
    "file.attrs['rtol'] = 'small'": "rtol",
    "file.attrs['title'] = 'a\\x1b[31m'": "title",
    "file.attrs['message'] = np.arange(3.0)": "message",
    "del file['x1']": "x1: is missing",
    "del file['energy']": "energy: is missing",
    "file['time'][1] = -5.0": "time: must be finite, and increase",
    "file['phase'][2] = 9": "phase: must be the indices",
    "file['sample_number'][0, 0] = 77": "sample_number: must be the samples",
    "file['x1'][2, 0, 0] = np.nan": "x1: must be finite",
    "file['layer'][0] = 5": "layer: must be 1 to 2",
    "file['time'].attrs['units'] = 5": "time.units",
    "del file['solver/step_size']": "step_size: is missing",
    "file['other'] = h5py.ExternalLink('/etc/passwd', '/')": "a link 'other' to something elsewhere",
    "file['again'] = file['/']": "in groups",
}


@pytest.mark.parametrize("change", BAD_RUNS)
def test_a_result_that_contradicts_itself_is_refused_with_the_place(here, capsys, saved, change):
    changed_run(here / "run.nc", saved, change)
    told = line(capsys, ["plot", "energy", "run.nc"])
    assert "run.nc: run: " in told
    assert BAD_RUNS[change] in told


def test_a_result_whose_numbers_are_in_another_file_is_refused(here, saved):
    (here / "secret").write_bytes(bytes(800))
    with h5py.File(here / "run.nc", "w") as file:
        file.create_dataset("x0", shape=(100,), dtype="f8", external=[(str(here / "secret"), 0, 800)])
    with pytest.raises(InputError, match="whose numbers are in another file"):
        Run.load("run.nc")


def test_a_sweep_that_contradicts_itself_is_refused(here):
    with h5py.File(here / "sweep.nc", "w") as file:
        file.attrs["sweep_axes"] = "[[5]]"
    with pytest.raises(
        InputError, match=r"sweep\.nc: sweep: holds no sweep .*sweep_axes: must be lists of keys"
    ):
        Sweep.load(here)


def run_closed(here: Path, redirect: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m pcode check {redirect}"
    return subprocess.run(["sh", "-c", command], cwd=here, capture_output=True, text=True, check=False)


def test_closed_standard_files_change_nothing_but_what_is_printed(here):
    done = run_closed(here, "good.toml >&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run_closed(here, "none.toml 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    done = run_closed(here, "good.toml <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device")
def test_a_full_disk_under_stdout_is_told_in_one_line(here):
    done = run_closed(here, "good.toml > /dev/full")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr

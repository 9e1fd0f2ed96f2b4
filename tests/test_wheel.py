"""What the built wheel holds, and that it works outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("pcode_sim-*.whl")
    return path


def test_the_wheel_ships_every_scenario_and_recipe_and_installs_only_pcode(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"pcode", "pcode_sim"}
    for pattern in ("scenarios/*.toml", "plots/*.py", "docs/*.md", "docs/studies/*.py"):
        for file in ROOT.glob(pattern):
            assert f"pcode/_shipped/{file.relative_to(ROOT)}" in names
    assert {"pcode/py.typed", "pcode/plotting/pcode.mplstyle"} <= names
    assert not [name for name in names if name.endswith(".png")]


def test_the_wheel_finds_its_own_content_outside_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    told = {}
    for words in (["check", "xor"], ["list"], ["list", "feedback"]):
        command = [sys.executable, "-m", "pcode", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        told[words[-1]] = done.stdout
    assert "125" in told["xor"]  # unknowns of 2-8-1, four samples: 32 + 36 + 24 + 24 + 9
    assert "node_convergence" in told["list"]
    assert f"python {tmp_path}/site/pcode/_shipped/docs/studies/feedback.py" in told["feedback"]
    where = subprocess.run(
        [sys.executable, "-c", "import pcode; print(pcode.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(tmp_path))

"""The notebooks in docs/notebooks run from top to bottom, and show what they are meant to show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"

EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=60).execute()
nbformat.write(notebook, sys.argv[2])
"""


def executed(name: str, tmp_path: Path) -> list:
    """The code cells of a notebook, run in a fresh kernel in an empty folder.

    By a process of its own: widgets of one notebook can keep the client of the next waiting.
    """
    done = tmp_path / "done.ipynb"
    command = [sys.executable, "-c", EXECUTE, str(NOTEBOOKS / f"{name}.ipynb"), str(done)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=240, capture_output=True)
    notebook = nbformat.read(done, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell, kind: str) -> list[str]:
    """What a cell shows as `kind`, such as image/png."""
    return [output["data"][kind] for output in cell.outputs if kind in output.get("data", {})]


def test_own_parts_show_their_pictures_once_and_their_tables(tmp_path):
    cells = executed("own_parts", tmp_path)
    images = [len(shown(cell, "image/png")) for cell in cells]
    assert images == [0, 0, 0, 0, 1, 1, 0, 0]
    assert all(shown(cells[k], "text/html") for k in (2, 6, 7))
    (difference,) = shown(cells[3], "text/plain")
    assert float(difference.removeprefix("np.float64(").removesuffix(")")) < 1e-5


@pytest.mark.slow
def test_the_lecture_shows_its_pictures_and_a_slider(tmp_path):
    cells = executed("lecture", tmp_path)
    images = [len(shown(cell, "image/png")) for cell in cells]
    assert images[:4] == [0, 1, 1, 1]
    assert shown(cells[4], "text/html")
    assert shown(cells[5], "application/vnd.jupyter.widget-view+json")

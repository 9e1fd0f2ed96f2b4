"""The notebooks in docs/notebooks run from top to bottom, and show what they are meant to show."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"


def executed(name: str, tmp_path: Path) -> list:
    """The code cells of a notebook, run in a fresh kernel in an empty folder."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
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


def test_the_lecture_shows_its_pictures_and_a_slider(tmp_path):
    cells = executed("lecture", tmp_path)
    images = [len(shown(cell, "image/png")) for cell in cells]
    assert images[:4] == [0, 1, 1, 1]
    assert shown(cells[4], "text/html")
    assert shown(cells[5], "application/vnd.jupyter.widget-view+json")

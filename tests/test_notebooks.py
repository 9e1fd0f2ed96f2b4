"""Figures and tables in notebooks, executed, and in scripts that use pyplot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from synthetic_runs import TEST, TRAIN, synthetic_run

import pcode

# Of ZeroMQ and Jupyter, whose event loops and sockets are closed after the test; none are of pcode.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(zmq|jupyter_client|nbclient|nbformat).*"),
]

ROOT = str(Path(pcode.__file__).parents[1])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebook") / "run.nc"
    synthetic_run((2, 3, 1), (TRAIN, TEST)).save(path)
    return path


@pytest.fixture(scope="module")
def environment():
    """That of a user, who has set no backend."""
    kept = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return kept | {"PYTHONPATH": os.pathsep.join([ROOT, kept.get("PYTHONPATH", "")])}


def outputs(cell, mime):
    return [one for one in cell.outputs if mime in one.get("data", {})]


def test_each_cell_of_a_notebook_shows_its_figure_once(saved, environment, monkeypatch):
    cells = {
        f"import pcode\nrun = pcode.Run.load({str(saved)!r})\nrun": 0,
        "from pcode.plotting.recipes import Recipe\nRecipe.load('weight_drift').draw(run)": 1,
        "run.plot.value_nodes(1)": 1,
        "ax = run.plot.error_nodes(1)": 1,
        "run.plot.value_nodes(1)\nrun.plot.energy()": 2,
        "for k in range(25):\n    run.plot.weight_norms()": 25,
        "import matplotlib.pyplot as plt\nfig, (a, b) = plt.subplots(1, 2)\n"
        "run.plot.value_nodes(1, ax=a)\nrun.plot.energy(ax=b)": 1,
        "plt.figure(figsize=(3, 2))\nax = run.plot.energy()\nassert ax.figure.get_figwidth() == 3": 1,
        "plt.subplot(1, 2, 1)\na = run.plot.energy()\nplt.subplot(1, 2, 2)\nb = run.plot.value_nodes(1)\n"
        "assert a.figure is b.figure": 1,
        "with pcode.plotting.style(size='85mm', font_size=8):\n    run.plot.weight_drift(0)": 1,
        "assert plt.get_fignums() == [], [plt.figure(k) for k in plt.get_fignums()]": 0,
    }
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    monkeypatch.setattr(os, "environ", environment)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    shown = [len(outputs(cell, "image/png")) for cell in notebook.cells]
    assert shown == list(cells.values())
    assert not [one for cell in notebook.cells for one in cell.outputs if one.get("name") == "stderr"]
    (table,) = outputs(notebook.cells[0], "text/html")
    assert "<table" in table["data"]["text/html"]


SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
import pcode
run = pcode.Run.load(sys.argv[1])
"""


@pytest.mark.parametrize(
    "lines",
    [
        # Without pyplot none is imported, and figures go when nobody holds them.
        "import gc, weakref\n"
        "figures = [weakref.ref(run.plot.energy().figure) for _ in range(5)]\n"
        "gc.collect()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert not any(one() for one in figures)",
        # With pyplot the last figure is pyplot's.
        "import matplotlib.pyplot as plt\n"
        "ax = run.plot.value_nodes(1)\n"
        "assert plt.gcf() is ax.figure\n"
        "plt.savefig(sys.argv[2])",
        # Any number can be drawn: pyplot neither warns nor holds more than one.
        "import matplotlib.pyplot as plt\n"
        "for _ in range(30):\n"
        "    run.plot.energy().figure.savefig(sys.argv[2])\n"
        "assert len(plt.get_fignums()) == 1",
        # Axes that hold something are never drawn over.
        "import matplotlib.pyplot as plt\n"
        "fig, ax = plt.subplots()\n"
        "ax.plot([0, 1])\n"
        "assert run.plot.energy().figure is not fig\n"
        "plt.savefig(sys.argv[2])",
    ],
    ids=["no pyplot", "the current figure", "thirty figures", "axes in use"],
)
def test_a_script_with_pyplot_finds_the_figure_there_and_one_without_leaves_none(
    lines, saved, environment, tmp_path
):
    picture = tmp_path / "figure.png"
    command = [sys.executable, "-c", SCRIPT + lines, str(saved), str(picture)]
    backend = {"MPLBACKEND": "agg"}
    subprocess.run(command, check=True, timeout=300, env=environment | backend)
    assert picture.exists() == ("argv[2]" in lines)


def test_pyplot_shows_every_figure_where_it_has_windows(saved, environment, tmp_path):
    # A backend with windows that are lists: what show() finds is what a user sees.
    (tmp_path / "windows.py").write_text(
        "from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas\n"
        "from matplotlib._pylab_helpers import Gcf\n"
        "def show(*args, **kwargs):\n"
        "    print(len(Gcf.get_all_fig_managers()))\n"
    )
    lines = "import matplotlib.pyplot as plt\nrun.plot.value_nodes(1)\nrun.plot.energy()\nplt.show()"
    env = environment | {"MPLBACKEND": "module://windows"}
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), env["PYTHONPATH"]])
    command = [sys.executable, "-c", SCRIPT + lines, str(saved)]
    told = subprocess.run(command, check=True, timeout=300, env=env, capture_output=True, text=True)
    assert told.stdout.strip() == "2"

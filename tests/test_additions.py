"""The additions that CONTRIBUTING.md describes: each made to a copy of the package, and run from there.

What is added are the blocks of CONTRIBUTING.md and the files it links to, so that what it says stays true.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ADDITIONS = ROOT / "docs" / "additions"
BLOCK = re.compile(r"^```diff\n\+\+\+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\(docs/additions/(\S+)\)")


@dataclass(frozen=True)
class Addition:
    """What a section of CONTRIBUTING.md adds: new files, and hunks for files that are there."""

    new: dict[str, str]
    changed: dict[str, list[str]]

    @classmethod
    def of(cls, heading):
        """Of the section with this heading, which ends with a number of files."""
        section = re.search(rf"^### {heading}: (\w+) files?\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
        new = {file: (ADDITIONS / file).read_text() for file in LINK.findall(section[2])}
        changed = {file: hunks.split("@@\n") for file, hunks in BLOCK.findall(section[2])}
        made = cls(new, changed)
        assert len(made.files) == {"one": 1, "two": 2, "three": 3}[section[1]]
        return made

    @property
    def files(self):
        return [*self.new, *self.changed]

    @property
    def lines(self):
        """How many lines are new."""
        added = [line for hunks in self.changed.values() for hunk in hunks for line in hunk.splitlines()]
        return sum(map(len, map(str.splitlines, self.new.values()))) + sum(line[0] == "+" for line in added)

    def apply(self, folder):
        for file, text in self.new.items():
            assert not (folder / file).exists(), f"{file} is there already"
            (folder / file).write_text(text)
        for file, hunks in self.changed.items():
            text = (folder / file).read_text()
            for hunk in hunks:
                lines = hunk.splitlines()
                before = "\n".join(line[1:] for line in lines if line[0] in " -")
                after = "\n".join(line[1:] for line in lines if line[0] in " +")
                assert text.count(before) == 1, f"{file} has not, or not once:\n{before}"
                text = text.replace(before, after)
            (folder / file).write_text(text)


@pytest.fixture
def house(tmp_path):
    """A copy of the package and of what ships with it."""
    for folder in ("pcode", "plots", "scenarios"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


HEAD = """
import sys
house = {!r}
sys.path.insert(0, house)
import numpy as np, pcode
from pcode.cli import main
assert pcode.__file__.startswith(house)
"""


def run_in(house, code, **files):
    """Run Python code in the copy, in a folder of its own; what it prints."""
    work = house / "work"
    work.mkdir()
    for name, text in files.items():
        (work / f"{name}.toml").write_text(text)
    command = [sys.executable, "-c", HEAD.format(str(house)) + code]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


SCENARIO = """
[network]
sizes = {sizes}
activation = "{activation}"
feedback = "tied"
[weights]
init = "given"
M = {M}
[data]
inputs = [[0.5]]
targets = [[2.0]]
[[phase]]
name = "hold"
clamp = "{clamp}"
learn = false
until = "equilibrium"
settle_tol = 1e-10
duration = 500.0
[solver]
method = "{method}"
rtol = 1e-9
atol = 1e-12
[plots]
recipes = {recipes}
[analysis]
questions = {questions}
"""


def scenario(**given):
    chain = {"sizes": [1, 1, 1], "M": [[[1.2]], [[0.7]]], "activation": "identity", "method": "cvode"}
    return SCENARIO.format(**chain | {"clamp": "both", "recipes": [], "questions": []} | given)


def test_every_file_that_contributing_names_is_there():
    added = {str(file.relative_to(ADDITIONS)) for file in ADDITIONS.rglob("*.py")}
    assert added == set(LINK.findall(TEXT))
    named = set(re.findall(r"(?:pcode|plots|tests|scenarios|docs)/[\w/.]+\.\w+", TEXT)) - added
    assert len(named) > 20
    assert [file for file in sorted(named) if not (ROOT / file).exists()] == []


def test_every_room_has_its_line(house):
    rooms = {path.name for path in (house / "pcode").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) == rooms


def test_an_activation(house):
    """At rest of 1-1-1 with both ends held: eps^1 = sigma'(x^1) M^1 eps^2, with sigma' written out."""
    addition = Addition.of("An activation")
    addition.apply(house)
    assert addition.lines == 1
    run_in(
        house,
        """
assert main(["run", "gauss.toml", "--out", "out"]) == 0
end = pcode.Run.load("out/run.nc").data.isel(time=-1)
x0, x1, x2 = (float(end[f"x{k}"].squeeze()) for k in range(3))
M = 1.2, 0.7
eps1 = x1 - np.exp(-x0**2) * M[0]
eps2 = x2 - np.exp(-x1**2) * M[1]
assert abs(eps1) > 0.1
assert abs(eps1 - -2 * x1 * np.exp(-x1**2) * M[1] * eps2) < 1e-8
assert abs(float(end.eps1.squeeze()) - eps1) < 1e-8
sigma, x = pcode.ACTIVATIONS["gauss"], np.linspace(-3, 3, 25)
np.testing.assert_allclose(sigma.df(x), -2 * x * np.exp(-x**2), atol=1e-14)
np.testing.assert_allclose(sigma.d2f(x), (4 * x**2 - 2) * np.exp(-x**2), atol=1e-14)
""",
        gauss=scenario(activation="gauss"),
    )


def test_a_solver(house):
    """Linear 1-1 with the input held: two linear equations, solved by the matrix exponential."""
    addition = Addition.of("A solver")
    addition.apply(house)
    assert addition.files == ["pcode/solvers/bs23.py", "pcode/solvers/__init__.py"]
    assert addition.lines < 100
    told = run_in(
        house,
        """
import scipy.linalg
assert main(["run", "linear.toml", "--out", "out", "--set", "save.nodes=30"]) == 0
run = pcode.Run.load("out/run.nc")
assert run.phases[0].status == "equilibrium"
assert run.data.attrs["method"] == "BS23"
t, mu = run.data.time.values, 0.5 * 1.2
A = np.array([[0.0, -1.0], [1.0, -1.0]])  # of (x - mu, eps), tau = nu = 1
z0 = [float(run.data.x1[0, 0, 0]) - mu, float(run.data.eps1[0, 0, 0])]
assert z0 == [0.0, 0.0]
weights = pcode.Weights(M=[[[1.2]]], W=None, beta=[[0.0]])
network = pcode.Network((1, 1), "identity", feedback="tied")
phase = pcode.Phase("fall", {0: [[0.5]]}, learn=False, duration=8.0)
given = dict(weights=weights, nodes="zero", save=pcode.Save(nodes=30, weights=2))
run = pcode.simulate(network, [phase], method="BS23", rtol=1e-8, atol=1e-10, **given)
exact = np.array([scipy.linalg.expm(A * t) @ [-mu, 0.0] for t in run.data.time.values])
np.testing.assert_allclose(run.data.x1.values[:, 0, 0] - mu, exact[:, 0], atol=3e-7)
np.testing.assert_allclose(run.data.eps1.values[:, 0, 0], exact[:, 1], atol=3e-7)
assert main(["list"]) == 0
""",
        linear=scenario(sizes=[1, 1], M=[[[1.2]]], method="BS23", clamp="input"),
    )
    assert "  BS23       explicit" in told


def test_an_elementwise_term(house):
    """Linear 1-1-1 with both ends held: at rest 0 = M^1 eps^2 - eps^1 - kappa (x^1)^3, a cubic equation."""
    addition = Addition.of("An elementwise term")
    addition.apply(house)
    assert addition.files == ["pcode/model/network.py", "pcode/model/dynamics.py"]
    assert addition.lines <= 5
    told = run_in(
        house,
        """
roots = np.roots([0.3, 0.0, 1 + 0.7**2, -(1.2 * 0.5 + 0.7 * 2.0)])
(root,) = roots[abs(roots.imag) < 1e-9].real
for method in ("cvode", "Kvaerno5", "DOP853"):
    given = ["--set", "network.cubic_decay=0.3", "--method", method, "--out", method]
    assert main(["run", "cubic.toml", *given]) == 0
    run = pcode.Run.load(f"{method}/run.nc")
    assert run.network.cubic_decay == 0.3
    assert run.phases[0].status == "equilibrium"
    assert abs(float(run.data.x1.isel(time=-1).squeeze()) - root) < 1e-8
assert main(["run", "cubic.toml", "--out", "wrong", "--set", "network.cubic_decay=-1"]) == 2

from pcode.system.problem import make_problem
rng, h, a = np.random.default_rng(0), 1e-6, 7.0
network = pcode.Network((3, 5, 4, 2), nu=(0.5, 1.0, 2.0), cubic_decay=0.4)
x, *eps = ([rng.standard_normal((3, n)) for n in network.sizes[k:]] for k in (0, 1))
phase = pcode.Phase("any", {0: x[0], 3: x[3]}, duration=1.0)
state = pcode.State(tuple(x), tuple(eps[0]), network.init_weights(0))
problem = make_problem(network, phase, state, reduce=False)
y = problem.y0
J = np.array([(problem.rhs(0, y + h * e) - problem.rhs(0, y - h * e)) / (2 * h) for e in np.eye(y.size)]).T
np.testing.assert_allclose(problem.sparse_jacobian(0, y).toarray(), J, atol=1e-7)
held, k = problem.hold(), problem.layout.node_count
r = rng.standard_normal(k)
d = held.factor(0, y[:k], a)(r)
np.testing.assert_allclose(d, np.linalg.solve(np.eye(k) - a * J[:k, :k], r), atol=1e-6)
assert main(["schema"]) == 0
""",
        cubic=scenario(),
    )
    assert "Decay of the value nodes with their cube." in told


def test_a_new_kind_of_variable(house):
    """1-2, both ends held: biases become the targets' means, variances theirs (Bogacz 2017, exercise 5)."""
    addition = Addition.of("A new kind of variable")
    addition.apply(house)
    assert addition.files == [f"pcode/model/{name}.py" for name in ("variables", "network", "dynamics")]
    assert addition.lines <= 17
    run_in(
        house,
        """
rng = np.random.default_rng(0)
Y = rng.normal([5.0, -1.0], [2.0**0.5, 0.5], (120, 2))
network = pcode.Network((1, 2), "identity", delta=20.0, delta_nu=30.0)
train = pcode.Phase("train", {0: np.zeros((120, 1)), 1: Y}, duration=3000.0)
weights, save = network.init_weights(0), pcode.Save(nodes=5, weights=5)
for method in ("cvode", "Kvaerno5", "BDF", "DOP853"):
    run = pcode.simulate(network, [train], weights=weights, method=method, save=save)
    assert run.phases[0].unknowns > 199  # so that linear systems are not solved by dense matrices
    np.testing.assert_allclose(np.exp(run.weights.lnnu[0]), Y.var(axis=0), rtol=1e-4)
    np.testing.assert_allclose(run.weights.beta[0], Y.mean(axis=0), rtol=1e-4)
run.save("run.nc")
run = pcode.Run.load("run.nc")
np.testing.assert_allclose(np.exp(run.weights.lnnu[0]), Y.var(axis=0), rtol=1e-4)
np.testing.assert_allclose(run.weights.beta[0], Y.mean(axis=0), rtol=1e-4)
from pcode.analysis import ask
assert ask(run, "equilibrium").lines()
assert main(["run", "timescales", "--out", "given", "--set", "plots.recipes=[]"]) == 0  # given weights
assert run.data.lnnu1.dims == ("weight_time", "unit1")
assert run.data.lnnu1.long_name == "log variances of layer 1, relative to nu"
""",
    )


def test_a_question_with_its_figure(house):
    """Linear 1-1 with both ends held: at rest eps^1 = (x^1 - M x^0) / nu, here 2 - 1.2 x 0.5."""
    addition = Addition.of("A question with its figure")
    addition.apply(house)
    assert addition.files == ["pcode/analysis/errors.py", "pcode/plotting/errors.py"]
    assert addition.lines < 80
    told = run_in(
        house,
        """
import json
assert main(["run", "asked.toml", "--out", "out"]) == 0
answer = json.load(open("out/report.json"))["analysis"]["errors"]
assert answer["phases"] == ["hold"]
assert abs(answer["sizes"][0][0] - 1.4) < 1e-8
assert main(["analyse", "errors", "out/run.nc", "-o", "errors.png"]) == 0
assert open("errors.png", "rb").read(4) == b"\\x89PNG"
from pcode.analysis import ask
(line,) = ask(pcode.Run.load("out/run.nc"), "errors").plot().get_lines()
assert (line.get_label(), line.get_xdata().tolist()) == ("hold", [1])
assert abs(line.get_ydata()[0] - 1.4) < 1e-8
assert main(["list"]) == main(["schema"]) == 0
""",
        asked=scenario(sizes=[1, 1], M=[[[1.2]]], questions=["errors"]),
    )
    assert "how large the errors of each layer are at the end of every phase" in told
    assert '"errors"' in told


def test_a_figure_recipe(house):
    """F = 1/2 sum_l nu^l |eps^l|^2, taken from the saved errors."""
    addition = Addition.of("A figure recipe")
    addition.apply(house)
    assert addition.files == ["plots/total_energy.py"]
    assert addition.lines < 30
    told = run_in(
        house,
        """
assert main(["run", "drawn.toml", "--out", "out"]) == 0
assert open("out/total_energy.png", "rb").read(4) == b"\\x89PNG"
run = pcode.Run.load("out/run.nc")
from pcode.plotting.recipes import Recipe
(ax,) = Recipe.load("total_energy").draw(run, {"log_y": False}).axes
(line,) = ax.get_lines()
F = 0.5 * sum((run.data[f"eps{k}"].values ** 2).sum(axis=(1, 2)) for k in (1, 2))
np.testing.assert_allclose(line.get_ydata(), F, rtol=1e-12, atol=1e-300)
np.testing.assert_allclose(line.get_xdata(), run.data.time)
assert ax.get_yscale() == "linear"
assert main(["list"]) == 0
""",
        drawn=scenario(recipes=["total_energy"]),
    )
    assert "The energy of the whole network against time, in units of tau." in told

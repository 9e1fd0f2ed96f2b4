"""Activations of the user's own in files: nothing is imported by opening one, and how it is computed with."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.cli import main
from pcode.plotting.recipes import Recipe
from pcode.scenario import Scenario, json_schema

MODULE = """\
import pathlib
import jax.numpy as jnp
import pcode

pathlib.Path(__file__).with_name("imported").touch()

def softsign(v):
    return v / (1.0 + jnp.abs(v))

hard = pcode.Activation(lambda v: jnp.clip(v, -1.0, 1.0), name="hard", kinks=[-1.0, 1.0])
number = 3
"""
SCENARIO = """\
[network]
sizes = [2, 3, 1]
activation = ["identity", "{module}:softsign"]
delta = 50.0
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
duration = 20.0
[save]
nodes = 20
weights = 5
[plots]
recipes = []
"""
DRAWN = ("energy", "node_convergence", "overview", "trajectories", "weight_drift", "weights", "solver")
COMPUTED = ("phase_plane", "spectrum", "separation", "backprop")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with a module of its own name, and a scenario that uses it."""
    monkeypatch.chdir(tmp_path)
    name = module_of(tmp_path)
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / "own.toml").write_text(SCENARIO.format(module=name))
    yield tmp_path
    for module in (name, "broken", "leaving", "needy"):
        sys.modules.pop(module, None)


def module_of(folder: Path) -> str:
    """A name that no other test's module has."""
    return "own_" + "".join(letter for letter in folder.name if letter.isalnum())


def forget(folder: Path) -> None:
    """As in a new process: the module of `folder` is not imported, and has left no trace."""
    sys.modules.pop(module_of(folder), None)
    (folder / "imported").unlink(missing_ok=True)


@pytest.fixture
def saved(here: Path) -> Path:
    """The run of the scenario, in its folder, with the module forgotten again."""
    Scenario.load("own.toml", allow_code=True).simulate().save(here / "run.nc")
    forget(here)
    return here / "run.nc"


def simulated(*activation: object) -> pcode.Run:
    """A short run of a network with these activations, one a layer."""
    network = pcode.Network((2, *[3] * (len(activation) - 1), 1), activation, delta=50.0)
    X, Y = np.array([[-1.0, 1.0]]), np.array([[1.0]])
    phase = pcode.Phase("train", {0: X, network.n: Y}, duration=5.0)
    return pcode.simulate(network, [phase], weights=network.init_weights(rng=0), save=pcode.Save(5, 3))


def test_opening_a_file_imports_nothing_and_has_all_that_is_saved(saved: Path, here: Path) -> None:
    run = pcode.Run.load(saved)
    kept = run.network.activation[1]
    assert (str(kept), kept.function) == ("softsign", f"{module_of(here)}:softsign")
    assert "2-3-1" in repr(run)
    assert "2-3-1" in run._repr_html_()
    assert np.isfinite(run.data["x1"]).all()
    for name in DRAWN:
        Recipe.load(name).draw(run)
    assert not (here / "imported").exists()
    assert module_of(here) not in sys.modules


def test_what_must_compute_says_how_to_load_the_function(saved: Path, here: Path) -> None:
    run = pcode.Run.load(saved)
    told = rf"activation=softsign.*allow_code=True \(--allow-code\).*{module_of(here)}:softsign"
    for compute in (
        lambda: run.network.sigma,
        lambda: ask(run, "equilibrium"),
        lambda: pcode.simulate(run.network, [], weights=run.weights),
        *(lambda name=name: Recipe.load(name).draw(run) for name in COMPUTED),
    ):
        with pytest.raises(InputError, match=told) as caught:
            compute()
        assert caught.value.where == "activation"
    assert not (here / "imported").exists()


def test_a_run_is_computed_with_by_import_path_or_by_the_function(
    saved: Path, here: Path, monkeypatch
) -> None:
    def again(v):
        return v / (1.0 + abs(v))

    by_hand = ask(pcode.Run.load(saved, activation=again), "equilibrium")
    assert not (here / "imported").exists()
    monkeypatch.syspath_prepend(str(here))
    imported = pcode.Run.load(saved, allow_code=True)
    assert (here / "imported").exists()
    assert str(ask(imported, "equilibrium")) == str(by_hand)
    imported.save(here / "again.nc")
    assert json.loads(pcode.Run.load(here / "again.nc").data.attrs["network"]) == json.loads(
        pcode.Run.load(saved).data.attrs["network"]
    )


@pytest.mark.parametrize(
    ("activation", "told"),
    [
        (jnp.tanh, r"not the run's softsign: at x = 1\.27 it is 0\.853\d*, and was 0\.559"),
        ("tanh", "not the run's softsign"),
        (3, "must be a function"),
        (np.sin, "cannot be traced"),
        (["identity"], "has 1 entries; give one for each of the layers 0..1, as in identity, softsign"),
        (["tanh", lambda v: v / (1 + abs(v))], "must be 'identity' in layer 0, as in the run, not 'tanh'"),
        (
            pcode.Activation(jnp.abs, kinks=[0.0]),
            "given for the run's softsign has kinks at 0, and had no kinks",
        ),
    ],
)
def test_another_function_than_that_of_the_run_is_refused(saved: Path, activation, told) -> None:
    with pytest.raises(InputError, match=told) as caught:
        pcode.Run.load(saved, activation=activation)
    assert (caught.value.where, caught.value.source) == ("activation", str(saved))


def test_a_lambda_is_kept_by_its_name_alone(here: Path) -> None:
    run = simulated("identity", lambda v: jnp.sin(v))
    assert run.network.sigma[1].name == "<lambda>"
    run.save("run.nc")
    for allow in (False, True):  # nothing can be imported, and data need nothing
        loaded = pcode.Run.load("run.nc", allow_code=allow)
        assert loaded.network.activation[1].function is None
        with pytest.raises(InputError, match=r"<lambda> cannot be imported .*give Run.load activation=f"):
            ask(loaded, "spectrum")
    whole = pcode.Run.load("run.nc", activation=jnp.sin)
    assert str(ask(whole, "spectrum")) == str(ask(run, "spectrum"))


def test_kinks_come_from_the_file(here: Path) -> None:
    simulated("identity", pcode.Activation(lambda v: jnp.maximum(v, 0.0), kinks=[0.0])).save("run.nc")
    run = pcode.Run.load("run.nc", activation=lambda v: jnp.where(v > 0.0, v, 0.0))
    assert run.network.sigma[1].kinks == (0.0,)


def test_several_functions_are_given_one_a_layer(here: Path) -> None:
    own = ("identity", jnp.sin, lambda v: v / (1 + abs(v)))
    simulated(*own).save("run.nc")
    with pytest.raises(InputError, match="this run has 2 functions of its own; give one entry a layer"):
        pcode.Run.load("run.nc", activation=jnp.sin)
    run = pcode.Run.load("run.nc", activation=own)
    assert [sigma.name for sigma in run.network.sigma] == ["identity", "sin", "<lambda>"]


def test_a_run_of_shipped_activations_takes_no_function(here: Path) -> None:
    simulated("identity", "tanh").save("run.nc")
    assert pcode.Run.load("run.nc", allow_code=True).network.activation == ("identity", "tanh")
    with pytest.raises(InputError, match=r"this run has none of its own \(identity, tanh\)"):
        pcode.Run.load("run.nc", activation=jnp.tanh)


def test_functions_of_jax_have_their_public_paths() -> None:
    for f, path in ((jnp.sin, "jax.numpy:sin"), (jnp.arctan, "jax.numpy:arctan")):
        assert pcode.Activation(f).to_dict()["function"] == path


def one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The line on stderr of a command that is refused."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_commands_import_only_with_allow_code(saved: Path, here: Path, capsys, monkeypatch) -> None:
    commands = (
        ["plot", "phase_plane", "run.nc", "-o", "plane.png"],
        ["analyse", "spectrum", "run.nc"],
        ["animate", "run.nc", "--seconds", "0.2", "--fps", "10", "-o", "film.gif"],
    )
    for command in commands:
        assert "--allow-code" in one_line(capsys, command)
        assert not (here / "imported").exists()
    assert main(["plot", "energy", "run.nc", "-o", "energy.png"]) == 0
    assert not (here / "imported").exists()
    capsys.readouterr()
    for command in commands:
        forget(here)
        assert main([*command, "--allow-code"]) == 0
        assert (here / "imported").exists()
        capsys.readouterr()
    assert str(here) not in sys.path


def test_a_scenario_imports_only_with_allow_code(here: Path, capsys) -> None:
    for command in (["check", "own.toml"], ["run", "own.toml", "--out", "out"]):
        line = one_line(capsys, command)
        assert "own.toml: network.activation:" in line
        assert "--allow-code" in line
        assert not (here / "imported").exists()
        assert not (here / "out").exists()
        assert main([*command, "--allow-code"]) == 0
        assert (here / "imported").exists()
        capsys.readouterr()
        forget(here)
    assert str(pcode.Run.load("out/run.nc").network.activation[1]) == "softsign"


@pytest.mark.parametrize(
    ("activation", "told"),
    [
        ("none_such:f", "there is no module none_such"),
        ("{own}:nothing", "module {own} has no nothing"),
        ("{own}:", "must be module:name, such as mymodule:softsign"),
        ("{own}:number", "must be a name or a function"),
        ("broken:f", r"module broken cannot be imported \(ZeroDivisionError: division by zero\)"),
        ("leaving:f", r"module leaving cannot be imported \(SystemExit: 7\)"),
        ("needy:f", "module needy cannot be imported .*none_such"),
        ("numpy:sin", "use jax.numpy.sin"),
        ("sigmoid", "did you mean logistic"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_line(here: Path, capsys, activation, told) -> None:
    (here / "broken.py").write_text("1 / 0\n")
    (here / "leaving.py").write_text("raise SystemExit(7)\n")
    (here / "needy.py").write_text("import none_such\n")
    own = module_of(here)
    change = f"network.activation={activation.format(own=own)}"
    line = one_line(capsys, ["check", "own.toml", "--allow-code", "--set", change])
    assert re.search(told.format(own=own), line), line


def test_an_activation_object_of_a_module_keeps_its_kinks(here: Path) -> None:
    name = module_of(here)
    run = Scenario.load("own.toml", [f"network.activation={name}:hard"], allow_code=True).simulate()
    assert run.network.sigma[0].kinks == (-1.0, 1.0)
    run.save("run.nc")
    assert pcode.Run.load("run.nc").network.activation[0].function == f"{name}:hard"


def test_the_schema_for_editors_knows_names_and_import_paths() -> None:
    forms = json_schema()["$defs"]["NetworkTable"]["properties"]["activation"]["oneOf"]
    text = next(form for form in forms if form["type"] == "string")
    assert "tanh" in text["anyOf"][0]["enum"]
    assert "module:f" not in text["anyOf"][0]["enum"]
    assert re.search(text["anyOf"][1]["pattern"], "package.module:f")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sigmoid", "did you mean logistic"),
        ("ReLU", "did you mean relu"),
        ("linear", "did you mean identity"),
        ("Leaky-ReLU", "did you mean leaky_relu"),
        ("soft_plus", "did you mean softplus"),
        ("tahn", "did you mean tanh"),
        ("gelu", "jax.nn.gelu"),
        ("sin", "jax.numpy.sin"),
        ("mymodule:f", "in Python give the function itself"),
    ],
)
def test_other_words_for_an_activation_are_understood_as_hints(name, told) -> None:
    with pytest.raises(InputError, match=told):
        pcode.Network((2, 3, 1), activation=name)


def test_a_module_of_the_same_name_in_another_folder_is_not_taken_for_it(tmp_path: Path) -> None:
    text = '[network]\nsizes = [1, 1]\nactivation = "twofold:f"\n[[phase]]\nduration = 1.0\n'
    for folder, factor in (("a", 1), ("b", 3)):
        (tmp_path / folder).mkdir()
        code = f"import jax.numpy as jnp\ndef f(v):\n    return {factor} * jnp.tanh(v)\n"
        (tmp_path / folder / "twofold.py").write_text(code)
        (tmp_path / folder / "s.toml").write_text(text)
    first = Scenario.load(tmp_path / "a" / "s.toml", allow_code=True).network
    assert float(first.sigma[0].f(1.0)) == pytest.approx(np.tanh(1.0))
    with pytest.raises(InputError, match=r"module twofold is meant to be .*b/twofold.py, but .*a/twofold.py"):
        _ = Scenario.load(tmp_path / "b" / "s.toml", allow_code=True).network
    del sys.modules["twofold"]


def test_the_shipped_activations_cannot_be_replaced() -> None:
    with pytest.raises(TypeError):
        pcode.ACTIVATIONS["tanh"] = pcode.ACTIVATIONS["relu"]  # type: ignore[index]


def test_a_callable_that_cannot_be_hashed_is_an_activation_too() -> None:
    class Scaled:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, v):  # type: ignore[no-untyped-def]
            return 2.0 * jnp.tanh(v)

    network = pcode.Network((1, 1), activation=Scaled())
    assert float(network.sigma[0].f(1.0)) == pytest.approx(2.0 * np.tanh(1.0))

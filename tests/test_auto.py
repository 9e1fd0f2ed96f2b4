"""The choice of a method, what it says of it, and the cache of compiled code."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

import pcode
from pcode.solvers.auto import STABLE_STEP, explicit, fastest_rate
from pcode.system.problem import make_problem
from tests.conftest import STRUCTURED, XOR_X, XOR_Y


def problem_of(network, phase, weights):
    batch = phase.batch
    x = tuple(np.zeros((batch, size)) for size in network.sizes)
    return make_problem(network, phase, pcode.State(x, x[1:], network.check_weights(weights)))


def test_the_fastest_rate_is_the_largest_eigenvalue(xor):
    network, [train], weights = xor
    problem = problem_of(network, train, weights)
    exact = np.abs(np.linalg.eigvals(problem.jacobian(0.0, problem.y0))).max()
    assert fastest_rate(problem) == pytest.approx(exact, rel=0.2)


def test_a_phase_goes_to_cvode_and_the_weights_alone_to_an_explicit_method():
    network = pcode.Network((2, 8, 1), delta=1e5)
    train = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=1e6)
    test = pcode.Phase("test", {0: XOR_X}, duration=500.0, learn=False, until="equilibrium")
    run = pcode.simulate(network, [train, test], weights=network.init_weights(rng=0))
    assert [record.method for record in run.phases] == ["cvode", "cvode"]
    assert run.data.attrs["method"] == "cvode"
    assert run.data.attrs["method_asked"] == "auto"
    assert "explicit at first, implicit where stiff" in run.data.attrs["method_reason"]
    slow = pcode.simulate(replace(network, tau=0.0), [train], weights=network.init_weights(rng=0))
    assert slow.phases[0].method == "DOP853"
    assert slow.phases[0].method_reason.startswith("tau = 0")


@pytest.mark.parametrize(
    ("hold", "passes", "method"),
    [(20.0, 5, "Tsit5"), (20.0, 4, "cvode"), (1e5, 5, "cvode")],
    ids=["many short ones", "few", "long ones"],
)
def test_many_presentations_of_few_explicit_steps_go_in_one_loop(hold, passes, method):
    network, shown = pcode.Network((2, 8, 1), delta=1e3), pcode.Presentation(hold=hold, passes=passes)
    phase = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, presentation=shown)
    record = pcode.simulate(network, [phase], weights=network.init_weights(rng=0)).phases[0]
    assert record.method == method
    if passes == 5:
        assert record.method_reason.startswith(f"each lasts {hold:.3g}, rates up to ")


def test_the_same_method_is_taken_whatever_was_compiled_before(tmp_path):
    network, shown = pcode.Network((2, 5, 1), delta=1e3), pcode.Presentation(hold=10.0, passes=6)
    phase = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, presentation=shown)

    def taken():
        run = pcode.simulate(network, [phase], weights=network.init_weights(rng=0))
        return run.phases[0].method, run.phases[0].method_reason, run.weights.M[0].tobytes()

    jax.clear_caches()
    first = taken()
    assert taken() == first


@pytest.mark.parametrize("method", ["DOP853", "Tsit5"])
def test_as_many_steps_are_expected_as_an_explicit_method_takes(method):
    network = pcode.Network((2, 8, 1))
    hold = pcode.Phase("hold", {0: XOR_X, 2: XOR_Y}, duration=2000.0, learn=False)  # rates stay as they are
    weights = network.init_weights(rng=0)
    taken = pcode.simulate(network, [hold], weights=weights, method=method, rtol=1e-4).phases[0].stats.steps
    rate = fastest_rate(problem_of(network, hold, weights))
    assert hold.duration * rate / STABLE_STEP[method] == pytest.approx(taken, rel=0.4)


@pytest.mark.parametrize(("size", "most"), [(3_000, 1500), (3_001, 600)])
def test_larger_problems_are_allowed_fewer_explicit_steps(size, most):
    just, beyond = (explicit(factor * most * STABLE_STEP["Tsit5"], size) for factor in (0.999, 1.001))
    assert (just[0], beyond[0]) == ("Tsit5", None)
    assert just[1] == pytest.approx(0.999 * most)


def test_auto_finds_the_solution_that_the_fixed_choices_find(xor):
    network, phases, weights = xor
    chosen = pcode.simulate(network, phases, weights=weights)
    fixed = pcode.simulate(network, phases, weights=weights, method="Radau", rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(chosen.weights.M[0], fixed.weights.M[0], atol=1e-4)


def test_a_method_that_is_asked_for_is_the_method_taken(textbook):
    network, phases, weights = textbook
    run = pcode.simulate(network, phases, weights=weights, method="LSODA")
    assert run.phases[0].method == run.data.attrs["method"] == "LSODA"
    assert run.phases[0].method_reason == "asked for"


def compiled_files(folder, setting):
    """Cache files after a process that compiles something, told PCODE_CACHE = `setting`."""
    code = "import pcode.model.dynamics; from pcode.base._jax import jax, jnp; jax.jit(jnp.sin)(1.0)"
    environment = os.environ | {"PCODE_CACHE": setting, "XDG_CACHE_HOME": str(folder / "home")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return [path for path in folder.rglob("*") if path.is_file()]


def test_compiled_code_is_kept_where_the_user_says_or_not_at_all(tmp_path):
    assert not compiled_files(tmp_path, "off")
    kept = compiled_files(tmp_path, str(tmp_path / "here"))
    assert kept
    assert all(path.is_relative_to(tmp_path / "here") for path in kept)


def test_the_report_of_a_run_tells_what_was_taken_and_why(textbook):
    from pcode.scenario import report

    network, phases, weights = textbook
    told = json.loads(json.dumps(report(pcode.simulate(network, phases, weights=weights))))
    assert told["method"] in pcode.METHODS
    assert told["method_reason"].startswith("perceive: its steps are explicit at first")


@pytest.fixture
def compiled():
    """What JAX has compiled since the test began: functions, with the types of their arguments."""
    told = []

    class Listener(logging.Handler):
        def emit(self, record):
            if (text := record.getMessage()).startswith("Compiling jit("):
                told.append(text)

    jax.clear_caches()
    listener, logger = Listener(), logging.getLogger("jax")
    logger.addHandler(listener)
    with jax.log_compiles():
        yield told
    logger.removeHandler(listener)


@pytest.mark.parametrize("method", ["cvode", STRUCTURED, "Kvaerno5", "Tsit5", "BDF", "DOP853"], indirect=True)
def test_other_numbers_on_the_same_network_compile_nothing_again(method, compiled):
    def run(tau, delta, nu, scale, seed):
        network = pcode.Network((2, 3, 1), tau=tau, delta=delta, nu=nu)
        phase = pcode.Phase("train", {0: scale * XOR_X, 2: XOR_Y}, duration=3.0 * delta)
        save = pcode.Save(nodes=11, weights=3)
        pcode.simulate(network, [phase], weights=network.init_weights(rng=seed), method=method, save=save)

    run(1.0, 50.0, 1.0, 1.0, 0)
    first = list(compiled)
    assert first or method in ("cvode", "BDF", "DOP853")  # so short a run is left to NumPy
    # To JAX a number of Python and one of NumPy are of different types.
    assert len({text.replace(", weak_type=True", "") for text in first}) == len(set(first))
    run(0.5, 200.0, 0.7, -0.5, 1)
    if method in ("cvode", "BDF", "DOP853"):  # they compile what a longer run calls often, but nothing twice
        assert len(compiled) == len(set(compiled))
    else:
        assert compiled == first

"""A certificate passes what is right and fails what is not."""

import jax.numpy as jnp
import numpy as np
import pytest

import pcode
from pcode import InputError, Run
from pcode.analysis import Snapshot, ask
from pcode.analysis.certificate import certificate, equilibrium_energy

X, Y = (np.random.default_rng(12).standard_normal((4, size)) for size in (3, 2))


def linear(nu=(0.5, 1.5, 2.0), **options):
    """3-4-3-2, linear, with biases."""
    network = pcode.Network((3, 4, 3, 2), "identity", nu=nu, delta=100.0, **options)
    weights = network.init_weights(4)
    rng = np.random.default_rng(13)  # its own, so that no test's data depend on which ran before
    return network, weights._replace(beta=tuple(0.2 * rng.standard_normal(b.shape) for b in weights.beta))


@pytest.fixture(scope="module")
def run():
    network, weights = linear(weight_decay=0.05)
    weights = weights._replace(W=tuple(W + 0.1 for W in weights.W))
    phases = [
        pcode.Phase("train", {0: X, 3: Y}, duration=60.0),
        pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=500.0),
    ]
    return pcode.simulate(network, phases, weights=weights, save=pcode.Save(50, 20), method="cvode")


@pytest.fixture(scope="module")
def settled():
    network, weights = linear(feedback="tied")
    phase = pcode.Phase("hold", {0: X, 3: Y}, learn=False, until="equilibrium", duration=500.0)
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(50, 20))


def verdicts(answer):
    return {check.name: check.verdict for check in answer.checks}


def test_the_closed_form_of_the_energy_is_the_least_one_over_all_hidden_values(settled):
    """The slaved energy is a sum of squares, linear in x^1 and x^2: least squares finds its minimum."""
    snapshot = Snapshot.of(settled)
    M, _, beta = snapshot.state.weights
    nu = snapshot.network.nu
    rows = np.block(
        [
            [np.eye(4) / np.sqrt(nu[0]), -M[1] / np.sqrt(nu[1]), np.zeros((4, 2))],
            [np.zeros((3, 4)), np.eye(3) / np.sqrt(nu[1]), -M[2] / np.sqrt(nu[2])],
        ]
    )  # (x^1, x^2) times this, less `given`, are the errors times sqrt(nu)
    energies = []
    for x0, y in zip(X, Y, strict=True):
        parts = [x0 @ M[0] + beta[0], beta[1], beta[2] - y]
        given = np.concatenate([part / np.sqrt(nu_l) for part, nu_l in zip(parts, nu, strict=True)])
        hidden = np.linalg.lstsq(rows.T, given, rcond=None)[0]
        energies.append(0.5 * np.sum((hidden @ rows - given) ** 2))
    assert equilibrium_energy(snapshot) == pytest.approx(np.mean(energies), rel=1e-10)


def test_a_good_run_passes_every_check_that_applies(run, settled):
    found = verdicts(certificate(run))
    assert found.pop("energy") == "not applicable"  # the last training moment has W far from M^T
    assert set(found.values()) == {"pass"}
    found = verdicts(certificate(settled))
    assert found.pop("feedback") == "not applicable"
    assert set(found.values()) == {"pass"}


@pytest.mark.parametrize("method", [pytest.param("Kvaerno3", marks=pytest.mark.slow), "BDF", "DOP853"])
def test_the_second_solver_is_not_of_the_library_of_the_first(method):
    network, weights = linear(feedback="tied")
    phase = pcode.Phase("train", {0: X, 3: Y}, duration=5.0)
    answer = certificate(pcode.simulate(network, [phase], weights=weights, method=method))
    checks = {check.name: check for check in answer.checks}
    assert checks["solver"].about.endswith("beside cvode")
    assert checks["tolerance"].about.endswith(f"beside {method} at a tenth of the tolerance")
    assert answer.passed


def test_values_that_were_tampered_with_fail(settled):
    data = settled.data.copy(deep=True)
    data["x1"][20:, 0, 0] += 0.01
    answer = certificate(Run(data))
    assert not answer.passed
    found = verdicts(answer)
    assert {found[name] for name in ("equilibrium", "tolerance", "solver")} == {"fail"}
    data = settled.data.copy(deep=True)
    data["eps3"][-1] *= 1.01
    assert verdicts(certificate(Run(data)))["energy"] in ("fail", "not applicable")


def test_a_run_that_is_not_as_good_as_its_tolerance_fails(run):
    data = run.data.copy()
    data.attrs = run.data.attrs | {"rtol": 1e-11, "atol": 1e-13}
    found = verdicts(certificate(Run(data)))
    assert found["tolerance"] == found["solver"] == "fail"


def test_a_run_that_diverged_fails_and_is_not_integrated_again():
    network = pcode.Network((1, 1, 1), "identity", feedback="fixed")
    weights = pcode.Weights(([[1.0]], [[2.0]]), ([[1.0]], [[-2.0]]), ([0.0], [0.0]))
    phase = pcode.Phase("hold", {0: [[1.0]], 2: [[0.0]]}, learn=False, duration=1e3)
    answer = certificate(pcode.simulate(network, [phase], weights=weights))
    found = verdicts(answer)
    assert found["status"] == "fail"
    assert found["tolerance"] == found["solver"] == "not applicable"
    assert str(answer).startswith("FAILED: ")


def test_a_phase_whose_clamp_is_a_function_cannot_be_integrated_again():
    network, weights = linear(feedback="tied")
    phase = pcode.Phase("move", {0: lambda t: (1.0 - t) * X}, duration=3.0)
    answer = certificate(pcode.simulate(network, [phase], weights=weights))
    checks = {check.name: check for check in answer.checks}
    assert checks["solver"].verdict == "not applicable"
    why = "in 'move' layer 0 follows a function, of which a run keeps the values at its saved times only"
    assert checks["solver"].about == why
    assert answer.passed


def test_a_run_in_the_singular_limit_is_integrated_again_by_another_order():
    network, weights = linear()
    network = pcode.Network(**network.to_dict() | {"tau": 0.0})
    phase = pcode.Phase("train", {0: X, 3: Y}, duration=100.0)
    answer = certificate(pcode.simulate(network, [phase], weights=weights, save=pcode.Save(20, 10)))
    checks = {check.name: check for check in answer.checks}
    assert checks["solver"].about.endswith("beside RK45")
    # At the end nodes are at rest, and learned W is M^T: the closed form of "Energy at rest" applies.
    assert {checks[name].verdict for name in ("energy", "tolerance", "solver", "feedback")} == {"pass"}


def test_a_part_of_a_phase_is_compared_where_something_was_saved(run):
    answer = ask(run, "certificate", {"span": 10.0, "method": "Tsit5"})
    times = run.data["time"].values
    assert not answer.whole
    assert answer.span in times
    assert abs(answer.span - 10.0) == np.abs(times - 10.0).min()
    assert answer.to_dict()["passed"] is True


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"span": 1e4}, "span: must be more than 0 and at most 60, how long the phase lasted"),
        ({"method": "Euler"}, "method: no method 'Euler'; there are cvode"),
        ({"phase": "x"}, "phase: there is no phase 'x' in this run"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(run, options, told):
    with pytest.raises(InputError, match=told):
        ask(run, "certificate", options)


def test_where_no_check_has_a_number_there_is_nothing_to_draw():
    """The status passes with 0 of 0: told in the lines, but not to be placed on a logarithm."""
    network = pcode.Network((1, 2, 1), "identity")
    phase = pcode.Phase("sine", {0: lambda t: jnp.stack([jnp.sin(t)]), 2: [[1.0]]}, duration=5.0)
    answer = certificate(pcode.simulate(network, [phase], weights=network.init_weights(4)))
    assert answer.lines()[0].startswith("passed: 1 of 1 checks pass, 5 not applicable")
    with pytest.raises(InputError, match="no check has a number to draw beside a threshold"):
        answer.plot()

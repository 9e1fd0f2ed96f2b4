"""What must hold of any result is checked, and a result that was tampered with fails."""

import numpy as np
import pytest

import pcode
from pcode.run.invariants import checks_of, violations

X, Y = np.array([[0.3, -0.7], [1.1, 0.2], [-0.4, 0.9]]), np.array([[0.5], [-1.0], [0.25]])


def linear_run(W="transpose", **options):
    network = pcode.Network((2, 3, 1), "identity", **{"tau": 1.0, "delta": 30.0, "nu": (0.3, 0.8)} | options)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=20.0),
        pcode.Phase("settle", {0: X[::-1], 2: Y}, duration=60.0, learn=False),
    ]
    return pcode.simulate(network, phases, weights=network.init_weights(3, W=W), save=pcode.Save(40, 15))


def failed(run):
    return {name for name, one in checks_of(run).items() if not one.get("holds", True)}


@pytest.mark.parametrize("options", [{}, {"node_decay": 0.2, "weight_decay": 0.01}, {"feedback": "tied"}])
def test_all_checks_hold_of_a_linear_run_with_figures(options):
    found = checks_of(linear_run(**options))
    assert found.pop("finite") == {"holds": True}
    tied = options.get("feedback") == "tied"
    assert {name for name, one in found.items() if "why" in one} == ({"feedback"} if tied else set())
    assert all(one["holds"] for one in found.values() if "off" in one)
    assert max(found[name]["off"] for name in ("energy", "energy_slaved")) < 1e-13


@pytest.mark.parametrize(("name", "at"), [("eps1", 3), ("eps2", -1)])
def test_error_nodes_that_do_not_belong_to_their_energy_are_found(name, at):
    run = linear_run()
    run.data[name][at, 1, 0] += 1e-3
    assert "energy" in failed(run)
    assert any("F is not that of the error nodes" in line for line in violations(run))


def test_an_energy_of_another_row_is_found():
    run = linear_run()
    run.data["energy"][5] = run.data["energy"].to_numpy()[6]
    assert failed(run) == {"energy"}


def test_weights_that_are_not_those_of_their_time_are_found_by_the_slaved_energy():
    run = linear_run()
    run.data["M1"][-2:] += 1e-4  # held weights, at both ends of the last phase
    run.data["W1"][-2:] += 1e-4
    assert failed(run) == {"energy_slaved"}


def test_nodes_that_leave_the_flow_of_a_linear_network_are_found_though_their_energies_fit():
    run = linear_run()
    row = int(np.flatnonzero(run.data["phase"].to_numpy() == 1)[-2])
    run.data["x1"][row, 0, 0] += 1e-2
    x, M, beta = (run.data[f"{name}"].to_numpy() for name in ("x1", "M1", "beta2"))
    x0, M0, beta1 = (run.data[name].to_numpy() for name in ("x0", "M0", "beta1"))
    residuals = (x[row] - x0[row] @ M0[-1] - beta1[-1], Y - x[row] @ M[-1] - beta[-1])
    slaved = [0.5 * (r**2).sum(axis=1).mean() / nu for r, nu in zip(residuals, (0.3, 0.8), strict=True)]
    run.data["energy_slaved"][row] = slaved
    assert failed(run) == {"settling"}


def test_the_rates_of_a_linear_network_fall_as_its_matrix_says():
    # In the oracle tau d/dt (x^1, eps^1, eps^2) = A (...) + const, 1-1-1, M = (a, b), nu = (p, q).
    a, b, p, q = 0.8, -1.3, 0.4, 0.9
    A = np.array([[0.0, -1.0, b], [1.0, -p, 0.0], [-b, 0.0, -q]])
    assert np.linalg.eigvalsh(A + A.T).max() <= 1e-15  # so that the sum of squares of the rates never rises
    network = pcode.Network((1, 1, 1), "identity", tau=2.0, nu=(p, q))
    M = ([[a]], [[b]])
    weights = pcode.Weights(M=M, W=M, beta=([0.0], [0.0]))
    phase = pcode.Phase("settle", {0: [[1.0]], 2: [[2.0]]}, duration=30.0, learn=False)
    found = checks_of(pcode.simulate(network, [phase], weights=weights))["settling"]
    assert found["holds"]
    assert found["off"] < 1e-5


def test_what_is_not_known_of_a_run_says_why():
    network = pcode.Network((2, 3, 1), "tanh", tau=1.0, delta=30.0, nu=0.5)
    phase = pcode.Phase("train", {0: X, 2: pcode.Expression("sin(t)")}, duration=5.0)
    found = checks_of(pcode.simulate(network, [phase], weights=network.init_weights(0)))
    assert found["settling"] == {"why": "the network is not linear"}
    assert found["energy"]["holds"]
    assert found["energy_slaved"]["holds"]
    apart = checks_of(linear_run(W="independent"))
    assert "W = M^T" in apart["settling"]["why"]
    assert apart["energy_slaved"]["holds"]


def test_samples_in_turn_have_their_energies_checked_too():
    network = pcode.Network((2, 3, 1), "tanh", tau=1.0, delta=30.0, nu=0.5)
    shown = pcode.Presentation(size=2, hold=2.0, passes=2, order="shuffled")
    phase = pcode.Phase("shown", {0: X, 2: Y}, presentation=shown)
    save = pcode.Save(20, 8, presentations=3, presentation_nodes="full")
    run = pcode.simulate(network, [phase], weights=network.init_weights(0), save=save)
    found = checks_of(run)
    assert found["energy"]["off"] < 1e-13
    assert found["energy_slaved"]["off"] < 1e-9
    run.data["energy_slaved"][:] += 1e-6
    assert failed(run) == {"energy_slaved"}

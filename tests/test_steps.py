"""The solver's steps in the result: all of them, as the solver took them, and not too many."""

from __future__ import annotations

import numpy as np
import pytest
import sksundae.cvode
from scipy.integrate import solve_ivp

import pcode
from pcode.simulation.start import starting_state
from pcode.solvers.steps import MOST, StepLog, thinned
from pcode.solvers.sundials import adams_gammas
from pcode.system.problem import make_problem

X, Y = np.array([[-1.0, -1.0], [-1.0, 1.0]]), np.array([[-1.0], [1.0]])
NETWORK = pcode.Network(sizes=(2, 3, 1), tau=1.0, delta=100.0, nu=1.0)
TRAIN = pcode.Phase("train", {0: X, 2: Y}, duration=20.0)
TEST = pcode.Phase("test", {0: X}, duration=200.0, learn=False, until="equilibrium")
FEW = pcode.Save(5, 3)


def steps_of(run, phase):
    data = run.solver.isel(step=np.flatnonzero(run.solver["step_phase"].to_numpy() == phase))
    return tuple(data[f"step_{name}"].to_numpy() for name in ("time", "size", "order"))


def simulate(phases, method, network=NETWORK):
    return pcode.simulate(network, phases, weights=network.init_weights(0), method=method, save=FEW)


@pytest.mark.parametrize("method", ["cvode", "BDF", "LSODA", "DOP853", "Kvaerno3"])
def test_every_step_is_there_and_one_begins_where_the_other_ended(method):
    run = simulate([TRAIN, TEST], method)
    for k, record in enumerate(run.phases):
        time, size, order = steps_of(run, k)
        assert len(time) == record.stats.steps
        np.testing.assert_allclose(record.t_start + np.cumsum(size), time, rtol=1e-9)
        assert (size > 0.0).all()
        bounds = {"DOP853": (8, 8), "Kvaerno3": (3, 3), "LSODA": (1, 0), "cvode": (1, 6), "BDF": (1, 5)}
        known = set(np.arange(bounds[method][0], bounds[method][1] + 1.0))
        assert set(order[np.isfinite(order)]) <= known
        assert np.isfinite(order).any() == (method != "LSODA")
    assert steps_of(run, 0)[0][-1] == pytest.approx(20.0)
    # The last step may lead beyond the moment at which all was at rest.
    time, size, _ = steps_of(run, 1)
    assert time[-1] - size[-1] <= run.phases[1].t_end <= time[-1]


@pytest.mark.parametrize("method", ["RK45", "BDF"])
def test_steps_are_those_that_scipy_takes_by_itself(method):
    weights = NETWORK.init_weights(0)
    state = starting_state(NETWORK, TRAIN, (0, 1), "feedforward", weights, None, ())
    problem = make_problem(NETWORK, TRAIN, state)
    jacobian = {"jac": problem.jacobian} if method == "BDF" else {}
    alone = solve_ivp(
        problem.rhs, (0.0, 20.0), problem.y0, method, rtol=1e-6, atol=1e-9, **jacobian
    )  # fmt: skip
    time, size, _ = steps_of(simulate([TRAIN], method), 0)
    np.testing.assert_allclose(time, alone.t[1:], rtol=1e-8)
    np.testing.assert_allclose(size, np.diff(alone.t), rtol=1e-8)


@pytest.mark.parametrize("most", [1, 3])
def test_the_order_of_cvode_is_at_most_what_it_is_allowed(monkeypatch, most):
    unbounded = sksundae.cvode.CVODE

    def bounded(*arguments, **options):
        return unbounded(*arguments, **options | {"max_order": most})

    monkeypatch.setattr(sksundae.cvode, "CVODE", bounded)
    _, _, order = steps_of(simulate([TRAIN], "cvode"), 0)
    known = order[np.isfinite(order)]
    assert known.size > 0.8 * order.size
    assert known.max() == most


def test_gamma_tells_the_order_of_adams_methods():
    # The coefficients of f at the new end, for steps of one length (Hairer, Norsett and Wanner 1993, III.1).
    published = [1, 1 / 2, 5 / 12, 3 / 8, 251 / 720, 95 / 288]
    np.testing.assert_allclose(
        adams_gammas(5.0, np.array([-np.inf, 4.0, 3.0, 2.0, 1.0, 0.0])), published, rtol=1e-14
    )
    # For steps of 1 and then 2, those that integrate 1, t and t^2 over the last exactly.
    exact = np.linalg.solve(np.vander([-1.0, 0.0, 2.0], increasing=True).T, [2.0, 2.0, 8.0 / 3.0])
    of_two = adams_gammas(2.0, np.array([-np.inf, 0.0, -1.0, -np.inf]))
    np.testing.assert_allclose(of_two[:3], [1.0, 0.5, exact[2] / 2.0], rtol=1e-14)


def test_cvode_follows_the_nodes_with_adams_methods_and_the_weights_with_bdf(monkeypatch):
    families, plain = [], sksundae.cvode.CVODE

    def noted(*arguments, method, **options):
        families.append(method)
        return plain(*arguments, method=method, **options)

    monkeypatch.setattr(sksundae.cvode, "CVODE", noted)
    stiff = pcode.Network(sizes=(2, 3, 1), tau=1.0, delta=1e5, nu=1.0)
    _, size, _ = steps_of(simulate([pcode.Phase("both", {0: X, 2: Y}, duration=1e6)], "cvode", stiff), 0)
    assert families[:2] == ["Adams", "BDF"]
    assert set(families[2:]) <= {"BDF"}
    # The nodes' rates are about 1: of Adams' methods none of an order above 2 is stable for a step over 6.
    assert size.max() > 1e4
    families.clear()
    simulate([pcode.Phase("nodes", {0: X, 2: Y}, duration=5.0)], "cvode", stiff)
    assert families == ["Adams"]


def test_steps_go_on_in_time_over_the_breakpoints_of_a_clamp():
    moving = pcode.TimeSeries([0.0, 5.0, 5.0, 20.0], np.stack([X, X, -X, -X]))
    run = simulate([pcode.Phase("follow", {0: moving}, duration=20.0, learn=False)], "RK45")
    time, size, _ = steps_of(run, 0)
    assert 5.0 in time
    np.testing.assert_allclose(np.cumsum(size), time, rtol=1e-9)
    assert time[-1] == pytest.approx(20.0)


def test_the_singular_limit_has_steps_of_the_weights():
    limit = pcode.Network(sizes=(2, 3, 1), tau=0.0, delta=1.0, nu=1.0)
    run = simulate([TRAIN], "auto", limit)
    time, _, order = steps_of(run, 0)
    assert len(time) == run.phases[0].stats.steps
    assert set(order) == {8.0}
    assert run.solver["step_time"].attrs["units"] == run.data["time"].attrs["units"]


def test_all_variables_of_the_steps_say_what_they_are(tmp_path):
    simulate([TRAIN], "RK45").save(tmp_path / "run.nc")
    run = pcode.Run.load(tmp_path / "run.nc")
    for name in ("step_time", "step_size", "step_order", "step_phase"):
        assert run.solver[name].dims == ("step",)
        assert "step" in run.solver[name].attrs["long_name"]


def test_thinned_steps_keep_their_order_their_ends_and_the_extremes():
    rng = np.random.default_rng(3)
    sizes = 10.0 ** rng.uniform(-9.0, 3.0, size=100_003)
    steps = np.stack([np.cumsum(sizes), sizes, np.ones(sizes.size)], axis=1)
    kept = thinned(steps, 1_000)
    assert 500 <= len(kept) <= 1_000
    assert {tuple(row) for row in kept} <= {tuple(row) for row in steps}
    assert (np.diff(kept[:, 0]) > 0.0).all()
    assert kept[:, 1].min() == sizes.min()
    assert kept[:, 1].max() == sizes.max()
    np.testing.assert_array_equal(kept[[0, -1]], steps[[0, -1]])
    np.testing.assert_array_equal(thinned(steps[:1_000], 1_000), steps[:1_000])


def test_a_log_of_many_steps_stays_bounded():
    log = StepLog()
    for k in range(3 * MOST):
        log.add(k + 1.0, 1e-6 if k == 777 else 1.0, None)
    assert len(log.steps) < 2 * MOST
    assert log.steps[:, 1].min() == 1e-6
    assert log.steps[-1, 0] == 3 * MOST
    assert np.isnan(log.steps[:, 2]).all()

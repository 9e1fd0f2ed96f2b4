"""Ensembles: members that are integrated together are what single runs make of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pcode

X = np.array([[0.5, -1.0], [1.0, 0.3]])
Y = np.array([[0.2], [-0.7]])
SEEDS = range(3)
FEW = pcode.Save(nodes=6, weights=4)


def train(duration: float = 60.0, **given) -> pcode.Phase:
    return pcode.Phase("train", {0: X, 2: Y}, duration=duration, **given)


def small(**given) -> pcode.Network:
    return pcode.Network((2, 3, 1), delta=20.0, **given)


def assert_same_run(one: pcode.Run, other: pcode.Run, tolerance: float) -> None:
    assert set(one.data.data_vars) == set(other.data.data_vars)
    for name in one.data.data_vars:
        a, b = one.data[name].to_numpy(), other.data[name].to_numpy()
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)
    for time in ("time", "weight_time"):
        np.testing.assert_allclose(one.data[time], other.data[time], rtol=1e-3)


@pytest.mark.parametrize(
    ("method", "feedback"),
    [
        ("Kvaerno5", "learned"),
        ("Tsit5", "tied"),
        ("Tsit5", "fixed"),
        *(
            pytest.param(*both, marks=pytest.mark.slow)
            for both in [
                ("Kvaerno5", "tied"),
                ("Kvaerno5", "fixed"),
                ("Tsit5", "learned"),
                ("Kvaerno3", "learned"),
                ("Dopri8", "learned"),
            ]
        ),
    ],
)
def test_members_are_the_runs_that_a_tight_cvode_makes_one_by_one(method: str, feedback: str) -> None:
    net = small(feedback=feedback, weight_decay=0.01)
    phases = [
        train(),
        pcode.Phase("test", {0: X}, learn=False, until="equilibrium", settle_tol=1e-3, duration=200.0),
    ]
    init = {"W": "transpose" if feedback == "tied" else "independent", "scale": 0.5}
    many = pcode.simulate_many(
        net, phases, seeds=SEEDS, init=init, method=method, rtol=1e-6, atol=1e-9, save=FEW
    )
    assert many.data.attrs["method"] == method
    for k in SEEDS:
        single = pcode.simulate(
            net, phases, weights=net.init_weights(k, **init), method="cvode", rtol=1e-9, atol=1e-12, save=FEW
        )
        assert many.status[k] is single.status
        assert_same_run(many.member(k), single, 50 * 1e-6)


@pytest.mark.parametrize("method", ["Kvaerno5", "Tsit5"])
def test_errors_relax_at_the_rate_nu_over_tau_of_each_member(method: str) -> None:
    """Both ends clamped and the weights held, tau deps/dt = r - nu eps: eps = r/nu (1 - exp(-nu t/tau))."""
    net = pcode.Network((1, 1), activation="identity")
    tau, nu, m = np.array([0.5, 1.0, 3.0]), np.array([2.0, 0.3, 1.0]), 0.7
    weights = [pcode.Weights(M=(np.array([[m]]),), W=(np.array([[m]]),), beta=(np.zeros(1),))] * 3
    hold = pcode.Phase("hold", {0: [[1.5]], 1: [[2.0]]}, duration=4.0, learn=False)
    many = pcode.simulate_many(
        net,
        [hold],
        weights=weights,
        over={"tau": tau, "nu": nu},
        method=method,
        rtol=1e-8,
        atol=1e-12,
        save=pcode.Save(nodes=9, spacing="linear"),
    )
    t = many.data["time"].to_numpy()
    expected = (2.0 - 1.5 * m) / nu[:, None] * (1.0 - np.exp(-nu[:, None] * t / tau[:, None]))
    np.testing.assert_allclose(many.data["eps1"][:, :, 0, 0], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(many.data["tau"], tau)
    assert many.network_of(2).tau == 3.0


def test_feedback_aligns_at_the_rate_of_decay_over_delta_of_each_member() -> None:
    """delta d(W - M^T)/dt = -lambda (W - M^T)."""
    delta, decay = [5.0, 20.0, [5.0, 40.0]], [0.1, 0.3, 0.2]
    net = small()
    many = pcode.simulate_many(
        net,
        [train(30.0)],
        seeds=SEEDS,
        init={"W": "independent"},
        over={"delta": delta, "weight_decay": decay},
        rtol=1e-7,
        save=FEW,
    )
    each = np.array([[5.0, 5.0], [20.0, 20.0], [5.0, 40.0]])
    for k in SEEDS:
        first, last = net.init_weights(k, W="independent"), many.weights(k)
        for link in range(2):
            shrunk = np.exp(-decay[k] * 30.0 / each[k, link])
            apart = first.W[link] - first.M[link].T
            np.testing.assert_allclose(last.W[link] - last.M[link].T, shrunk * apart, rtol=1e-5, atol=1e-7)


def test_generated_inputs_are_the_minimum_norm_solutions_of_each_node_decay() -> None:
    """x^0 = y (M^T M + lambda_x nu I)^-1 M^T for one linear layer."""
    net = pcode.Network((3, 2), activation="identity", nu=0.5, feedback="tied")
    decay, y = [0.05, 0.2], np.array([[1.0, -2.0]])
    phase = pcode.Phase("generate", {1: y}, learn=False, until="equilibrium", settle_tol=1e-9, duration=2e4)
    many = pcode.simulate_many(
        net, [phase], seeds=[3, 3], over={"node_decay": decay}, method="Kvaerno5", rtol=1e-9, atol=1e-12
    )
    assert [str(status) for status in many.status] == ["equilibrium"] * 2
    M = net.init_weights(3).M[0]
    for k in range(2):
        expected = y @ np.linalg.inv(M.T @ M + decay[k] * 0.5 * np.eye(2)) @ M.T
        np.testing.assert_allclose(many.member(k).state.x[0], expected, rtol=1e-5, atol=1e-7)


def test_a_member_that_diverges_has_its_status_and_the_others_go_on() -> None:
    """Linear 1-1-1-1, W = -M^T: stable for |m| < 1/sqrt(2)."""
    net = pcode.Network((1, 1, 1, 1), activation="identity", feedback="fixed")

    def weights(m: float) -> pcode.Weights:
        M = (np.array([[m]]),) * 3
        return pcode.Weights(M=M, W=tuple(-one for one in M), beta=(np.zeros(1),) * 3)

    hold = pcode.Phase("hold", {0: [[1.0]], 3: [[0.5]]}, duration=300.0, learn=False)
    given = {"method": "Tsit5", "rtol": 1e-6, "save": pcode.Save(nodes=5)}
    many, stable = (
        pcode.simulate_many(net, [hold, hold], weights=[weights(m) for m in each], **given)
        for each in ((0.3, 2.0, 0.5), (0.3, 0.6, 0.5))
    )
    assert [str(one) for one in many.status] == ["success", "diverged", "success"]
    assert many.data["status"][1].values.tolist() == ["diverged", ""]
    assert np.isnan(many.data["x1"][1, -1]).all()
    np.testing.assert_array_equal(many.data["x1"][::2], stable.data["x1"][::2])
    run = many.member(1)
    assert run.status is pcode.Status.DIVERGED
    assert run.phases[0].t_end == run.data["time"][-1] < 300.0


def test_each_member_comes_to_rest_at_the_time_at_which_it_would_alone() -> None:
    net, nu = small(), [0.5, 1.0, 2.0]
    phases = [pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=500.0), train(5.0)]
    many = pcode.simulate_many(
        net, phases, seeds=[0] * 3, nodes="zero", over={"nu": nu}, rtol=1e-7, method="Tsit5"
    )
    for k in range(3):
        one = pcode.Network((2, 3, 1), delta=20.0, nu=nu[k])
        single = pcode.simulate(
            one, phases, weights=one.init_weights(0), nodes="zero", method="cvode", rtol=1e-9, atol=1e-13
        )
        ended = many.data["t_end"][k].to_numpy()
        np.testing.assert_allclose(ended, [record.t_end for record in single.phases], rtol=1e-3)
        np.testing.assert_allclose(many.data["member_time"][k, -1], ended[-1])
    assert len({*many.data["t_end"][:, 0].values.tolist()}) == 3


def test_a_phase_that_is_too_short_to_settle_says_so() -> None:
    test = pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=1.0)
    many = pcode.simulate_many(small(), [test], seeds=[0], nodes="zero", method="Tsit5")
    assert many.status == (pcode.Status.NOT_SETTLED,)


def test_clamps_that_move_and_jump_are_followed() -> None:
    t, first, second = [0.0, 2.0, 2.0, 5.0], X, X[::-1]
    moving = pcode.TimeSeries(t, np.stack([first, 0.5 * first, second, first]))
    phase = pcode.Phase("moving", {0: moving, 2: Y}, duration=8.0)
    net, save = small(), pcode.Save(nodes=9, weights=5, spacing="linear")
    many = pcode.simulate_many(net, [phase], seeds=SEEDS, rtol=1e-7, method="Tsit5", save=save)
    for k in SEEDS:
        single = pcode.simulate(net, [phase], weights=net.init_weights(k), rtol=1e-9, atol=1e-12, save=save)
        assert_same_run(many.member(k), single, 5e-6)


def test_members_beyond_the_first_slots_and_chunks_take_their_turn() -> None:
    net, phases = small(), [train(5.0)]
    many = pcode.simulate_many(net, phases, seeds=range(300), method="Tsit5", rtol=1e-5)
    assert many.status == (pcode.Status.SUCCESS,) * 300
    for k in (0, 7, 8, 127, 128, 299):
        alone = pcode.simulate_many(net, phases, seeds=[k], method="Tsit5", rtol=1e-5)
        np.testing.assert_allclose(many.weights(k).M[0], alone.weights(0).M[0], rtol=1e-12)
        assert many.data["steps"][k] == alone.data["steps"][0]


def test_a_member_without_enough_steps_fails_alone() -> None:
    net = small()
    given = {"seeds": SEEDS, "over": {"tau": [1.0, 1e-4, 1.0]}, "method": "Tsit5"}
    many = pcode.simulate_many(net, [train(20.0)], max_steps=2000, **given)
    assert [str(one) for one in many.status] == ["success", "max_steps", "success"]
    assert many.data["steps"][1, 0] == 2000


def test_the_method_is_implicit_where_a_member_needs_it() -> None:
    net = small(weight_decay=0.01)
    given = {"seeds": SEEDS, "init": {"W": "independent"}, "save": FEW}
    fast = pcode.simulate_many(net, [train()], **given)
    stiff = pcode.simulate_many(net, [train()], **given, over={"tau": [1.0, 1e-4, 1.0]})
    assert fast.data.attrs["method"] == "Tsit5"
    assert stiff.data.attrs["method"] == "Kvaerno5"
    assert "more work than an implicit method" in stiff.data.attrs["method_reason"]


def test_an_ensemble_is_saved_loaded_and_put_into_data_frames(tmp_path) -> None:
    net = small()
    many = pcode.simulate_many(net, [train(5.0)], seeds=[4, 5], over={"nu": [1.0, [1.0, 2.0]]}, save=FEW)
    many.save(tmp_path / "many.nc")
    back = pcode.Ensemble.load(tmp_path / "many.nc")
    assert back.data.identical(many.data) or back.data.equals(many.data)
    assert back.status == many.status
    assert back.network_of(1).nu == (1.0, 2.0)
    assert json.loads(back.member(1).data.attrs["network"])["nu"] == [1.0, 2.0]
    frame = back.to_dataframe()
    assert frame["seed"].tolist() == [4, 5]
    assert frame["status"].tolist() == ["success"] * 2
    np.testing.assert_allclose(frame["energy"], many.data["energy"][:, -1].sum("layer"))
    weights = back.to_dataframe("weights", members=[1])
    assert weights["member"].unique().tolist() == [1]
    assert weights["M0[1,2]"].iloc[-1] == many.weights(1).M[0][1, 2]
    assert repr(back) == "<pcode.Ensemble 2-3-1, 2 members: 2 success>"


def test_where_no_member_can_go_on_the_phases_that_were_not_reached_are_empty() -> None:
    """Linear 1-1-1-1 with W = -M^T, m > 1/sqrt(2): nodes reach no equilibrium."""
    net = pcode.Network((1, 1, 1, 1), activation="identity", feedback="fixed")
    M = (np.array([[2.0]]),) * 3
    unstable = pcode.Weights(M=M, W=tuple(-one for one in M), beta=(np.zeros(1),) * 3)
    hold = pcode.Phase("hold", {0: [[1.0]], 3: [[0.5]]}, duration=300.0, learn=False)
    many = pcode.simulate_many(net, [hold, hold], weights=[unstable] * 2, method="Tsit5")
    assert many.status == (pcode.Status.DIVERGED,) * 2
    assert many.data["status"][:, 1].values.tolist() == ["", ""]
    assert len(many.member(0).phases) == 1
    none = pcode.simulate_many(net, [hold], weights=[unstable] * 2, nodes="equilibrium")
    assert none.status == (pcode.Status.NONLINEAR_FAILURE,) * 2
    assert "no equilibrium was reached" in none.data["detail"].values[0, 0]
    with pytest.raises(pcode.InputError, match=r"1 has no saved row: .*no equilibrium was reached"):
        none.member(1)


@pytest.mark.slow
def test_a_member_that_gets_nowhere_does_not_hold_up_the_others() -> None:
    """Weights of 1e30 need steps of 1e-60: hopeless, as it is alone."""
    net = pcode.Network((1, 1, 1, 1), activation="identity", feedback="fixed")
    each = [
        pcode.Weights(M=(np.array([[m]]),) * 3, W=(np.array([[-m]]),) * 3, beta=(np.zeros(1),) * 3)
        for m in (0.3, 1e30, 1e100, 0.5)
    ]
    hold = pcode.Phase("hold", {0: [[1.0]], 3: [[0.5]]}, duration=300.0, learn=False)
    many = pcode.simulate_many(net, [hold], weights=each, method="Tsit5")
    assert [str(one) for one in many.status] == ["success", "step_too_small", "diverged", "success"]
    for k, weights in enumerate(each):
        assert pcode.simulate(net, [hold], weights=weights, method="Tsit5").status is many.status[k]


shown = pcode.Phase("turns", {0: X, 2: Y}, presentation=pcode.Presentation(hold=1.0))
one = small().init_weights(0)


@pytest.mark.parametrize(
    ("net", "given", "where", "what"),
    [
        (small(), {}, "weights, seeds", "neither is given; give one of them"),
        (small(), {"seeds": [0], "weights": [one]}, "weights, seeds", "both are given; give one"),
        (small(), {"seeds": []}, "seeds", "has 0 entries"),
        (small(), {"seeds": range(10**12)}, "seeds", "1 to 10,000,000 members"),
        (small(), {"seeds": 3}, "seeds", "whole numbers of 0 or more, one a member, such as range(100)"),
        (small(), {"seeds": [0, -1]}, "seeds[1]", "0 or more"),
        (small(), {"weights": one}, "weights", "these are of one member"),
        (small(), {"weights": [one, 3]}, "weights[1]", "Weights"),
        (small(), {"weights": [one], "init": {"scale": 2.0}}, "init", "goes with seeds"),
        (small(), {"seeds": [0], "init": {"scael": 2.0}}, "init", "did you mean scale?"),
        (small(), {"seeds": [0], "init": {"scale": -2.0}}, "init.scale", "0 or more"),
        (small(), {"seeds": [0, 1], "over": {"tau": [1.0]}}, "over[tau]", "1 values and there are 2 seeds"),
        (small(), {"seeds": [0], "over": {"taau": [1.0]}}, "over", "did you mean tau?"),
        (small(), {"seeds": [0], "over": {"sizes": [3]}}, "over", "there are tau, tau_eps, delta, nu"),
        (small(), {"seeds": [0, 1], "over": {"nu": [1.0, -1.0]}}, "over[nu][1]", "-1"),
        (small(), {"seeds": [0], "over": {"tau": [0.0]}}, "tau", "must be above 0 here"),
        (small(), {"seeds": [0], "method": "cvode"}, "method", "at a time; there are auto, Kvaerno5"),
        (small(), {"seeds": [0], "method": "Kvearno5"}, "method", "did you mean Kvaerno5?"),
        (small(), {"seeds": SEEDS, "save": pcode.Save(2, 2, memory=2e3)}, "save", "allow more memory"),
        (small(), {"seeds": [0], "phases": [shown]}, "phases[0].presentation", "one member at a time"),
        (small(), {"seeds": [0], "phases": []}, "phases", "there is none"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_that_names_what_is_wrong(net, given, where: str, what: str) -> None:
    given = {"phases": [train()], **given}
    with pytest.raises(pcode.InputError) as caught:
        pcode.simulate_many(net, **given)
    assert caught.value.where == where
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("activation", "method"),
    [("relu", "Kvaerno5"), pytest.param("leaky_relu", "Tsit5", marks=pytest.mark.slow)],
)
def test_nodes_pass_and_stay_at_kinks_as_in_a_tight_cvode(activation: str, method: str) -> None:
    net = small(activation=activation, feedback="tied", nu=0.5)
    turned = pcode.TimeSeries([0.0, 20.0, 20.0, 60.0], np.stack([X, X, X[::-1], X[::-1]]))
    phases = [
        pcode.Phase("train", {0: turned, 2: Y}, duration=60.0),
        pcode.Phase("rest", {0: X, 2: Y}, learn=False, until="equilibrium", settle_tol=1e-3, duration=200.0),
    ]
    seeds = range(6)
    many = pcode.simulate_many(net, phases, seeds=seeds, method=method, rtol=1e-6, atol=1e-9, save=FEW)
    held = 0
    for k in seeds:
        weights = net.init_weights(k)
        single = pcode.simulate(net, phases, weights=weights, rtol=1e-9, atol=1e-12, save=FEW)
        assert many.status[k] is single.status
        one = many.member(k)
        for name in ("x1", "eps2", "M1"):
            phase = "weight_phase" if name == "M1" else "phase"
            a, b = (run.data[name].to_numpy()[run.data[phase].to_numpy() == 0] for run in (one, single))
            np.testing.assert_allclose(a, b, rtol=50 * 1e-6, atol=50 * 1e-6, err_msg=name)
        # Where they come to rest, the nodes of both are as near to it as was asked for.
        np.testing.assert_allclose(one.state.x[1], single.state.x[1], atol=10 * 1e-3)
        held += int((single.data["x1"].to_numpy() == 0.0).sum())
    assert held > 0  # some nodes were held at the kink


@pytest.mark.timeout(300)  # two programs that call LAPACK at once have waited for each other for ever
def test_many_members_of_several_layers_come_to_an_end() -> None:
    rng = np.random.default_rng(0)
    net = pcode.Network((2, 5, 4, 1), delta=20.0, feedback="tied")
    phase = pcode.Phase(
        "train", {0: rng.standard_normal((5, 2)), 3: rng.standard_normal((5, 1))}, duration=5.0
    )
    many = pcode.simulate_many(net, [phase], seeds=range(24), method="Kvaerno5", save=FEW)
    assert {str(one) for one in many.status} == {"success"}

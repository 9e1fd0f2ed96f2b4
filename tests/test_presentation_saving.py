"""What a run keeps of samples in turn, what observers see, and how such a phase ends early."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pcode
from pcode.model.presentation import Presentation

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(7, 2)), 0.5 * RNG.normal(size=(7, 1))
NET = pcode.Network((2, 3, 1), tau=1.0, delta=50.0, nu=0.5)
WEIGHTS = NET.init_weights(1)
SHOWN = Presentation(size=3, hold=2.0, passes=10, order="shuffled", seed=4)  # 3 a pass, the last of 1


def simulated(method: str = "Tsit5", shown: Presentation = SHOWN, **options: Any) -> pcode.Run:
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)
    return pcode.simulate(NET, [phase], weights=WEIGHTS, method=method, rtol=1e-6, atol=1e-8, **options)


@pytest.fixture(scope="module")
def run() -> pcode.Run:
    return simulated(save=pcode.Save(weights=12, presentations=5))


def test_of_the_presentations_asked_for_both_ends_are_kept_with_their_samples(run: pcode.Run) -> None:
    data, rows = run.data, SHOWN.rows(7)
    kept = [0, 7, 14, 22, 29]  # evenly spread over 0..29
    np.testing.assert_array_equal(data["presentation"], np.repeat(kept, 2))
    times = np.array([[2.0 * k, 2.0 * (k + 1)] for k in kept]).ravel()
    np.testing.assert_allclose(data["time"], times, rtol=1e-15)
    for row, k in enumerate(np.repeat(kept, 2)):
        numbers = data["sample_number"][row].to_numpy()
        np.testing.assert_array_equal(numbers[numbers >= 0], rows[k])
        np.testing.assert_array_equal(data["x0"][row, : len(rows[k])], X[rows[k]])
        assert np.isnan(data["x0"][row, len(rows[k]) :]).all()
    assert run.samples_at(-1) == tuple(rows[-1])
    np.testing.assert_array_equal(run.state.x[2], Y[rows[-1]])


def test_what_is_saved_does_not_change_the_run() -> None:
    many = simulated(save=pcode.Save(weights=200, presentations=2))
    few = simulated(save=pcode.Save(weights=2, presentations=30, presentation_nodes="full"))
    for mine, other in zip(many.weights.M, few.weights.M, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_size_of_a_result_does_not_depend_on_the_number_of_presentations() -> None:
    save = pcode.Save(weights=30, presentations=4)
    sizes = []
    for passes in (40, 400):
        shown = Presentation(size=1, hold=0.5, passes=passes)
        data = simulated(shown=shown, save=save).data
        sizes.append((data.sizes["time"], data.sizes["weight_time"]))
    assert sizes[0] == sizes[1]
    assert sizes[0][0] == 2 * 4
    assert sizes[0][1] <= 30 + 2 * 4


def test_a_list_of_presentations_is_kept_in_full_as_phases_of_their_own_would_be() -> None:
    save = pcode.Save(nodes=25, weights=5, presentations=[2, 4], presentation_nodes="full")
    data = simulated(save=save).data
    rows = SHOWN.rows(7)
    np.testing.assert_array_equal(np.unique(data["presentation"]), [2, 4, 29])  # and the last
    one = pcode.Simulation(
        NET, weights=WEIGHTS, method="Tsit5", rtol=1e-6, atol=1e-8, save=pcode.Save(nodes=25)
    )
    for k in rows[:3]:
        one.advance(pcode.Phase("one", {0: X[k], 2: Y[k]}, duration=2.0, samples=range(len(k))))
    last = one.result.data.isel(time=one.result.data["phase"] == 2)
    there = data.isel(time=data["presentation"] == 2)
    assert there.sizes["time"] == 25
    for name in ("x1", "eps1", "eps2", "energy"):
        mine = there[name].to_numpy()
        mine = mine if name == "energy" else mine[:, : len(rows[2])]
        own = last[name].to_numpy()
        own = own if name == "energy" else own[:, : len(rows[2])]
        np.testing.assert_allclose(mine, own, atol=1e-9)


def test_weights_are_those_reached_at_the_ends_of_presentations(run: pcode.Run) -> None:
    times, M1 = run.data["weight_time"].to_numpy(), run.data["M1"].to_numpy()
    assert times[-1] == 60.0
    assert (np.diff(times) > 0.0).all()
    one = pcode.Simulation(
        NET, weights=WEIGHTS, method="Tsit5", rtol=1e-6, atol=1e-8, save=pcode.Save(nodes=2)
    )
    for k, rows in enumerate(SHOWN.rows(7)[:10], start=1):
        one.advance(pcode.Phase("one", {0: X[rows], 2: Y[rows]}, duration=2.0, samples=range(len(rows))))
        there = np.flatnonzero(np.abs(times - 2.0 * k) < 1e-9)
        if there.size:
            np.testing.assert_allclose(M1[there[0]], one.weights.M[1], atol=1e-9)


def test_a_saved_run_is_the_run_again(run: pcode.Run, tmp_path: Any) -> None:
    run.save(tmp_path / "run.nc")
    again = pcode.Run.load(tmp_path / "run.nc")
    assert again.data.identical(run.data)
    assert again.phases[0].presentation == SHOWN
    assert again.phases == run.phases
    rows = again.phases[0].clamp[0].rows
    np.testing.assert_array_equal(rows, X)


class Watcher:
    """Notes when it is called."""

    def __init__(self, times: list[float], ends: list[int]) -> None:
        self.asked, self.ends = times, ends
        self.seen: list[tuple[float, int, tuple[int, ...]]] = []
        self.x: list[Any] = []

    def times(self, phase: pcode.Phase) -> list[float]:
        return self.asked

    def presentations(self, phase: pcode.Phase) -> list[int]:
        return self.ends

    def observe(self, moment: pcode.Moment) -> None:
        assert moment.presentation is not None
        self.seen.append((round(moment.elapsed, 9), moment.presentation, moment.samples))
        self.x.append(moment.x[1].copy())

    def dataset(self) -> None:
        return None


@pytest.mark.parametrize("method", ["Tsit5", "cvode"])
def test_observers_are_called_at_their_times_and_presentations_and_change_no_bit(method: str) -> None:
    plain = simulated(method)
    watcher = Watcher([0.0, 3.0, 4.0, 31.7, 60.0], [0, 5, 29])
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=SHOWN)
    simulation = pcode.Simulation(
        NET, weights=WEIGHTS, method=method, rtol=1e-6, atol=1e-8, observers={"w": watcher}
    )
    looked = simulation.run([phase])
    assert looked.notes == ()
    rows = SHOWN.rows(7)
    expected = [(0.0, 0), (2.0, 0), (3.0, 1), (4.0, 1), (12.0, 5), (31.7, 15), (60.0, 29)]
    assert [(t, k) for t, k, _ in watcher.seen] == expected
    assert [samples for *_, samples in watcher.seen] == [tuple(rows[k].tolist()) for _, k in expected]
    for name in plain.data.data_vars:
        np.testing.assert_array_equal(plain.data[name], looked.data[name])
    np.testing.assert_array_equal(watcher.x[-1], looked.state.x[1])


@pytest.mark.parametrize("method", ["Tsit5", "cvode"])
def test_a_run_that_is_stopped_holds_what_it_reached_and_can_go_on(method: str) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 3

    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=SHOWN)
    few = pcode.Save(weights=2, presentations=1)
    simulation = pcode.Simulation(NET, weights=WEIGHTS, method=method, save=few, stop=stop)
    run = simulation.run([phase])
    record = run.phases[0]
    assert run.status is pcode.Status.INTERRUPTED
    assert record.presented < 30
    assert record.t_end < 60.0
    assert float(run.data["time"][-1]) == float(run.data["weight_time"][-1]) == record.t_end
    assert simulation.state is not None
    own, reached = run.state, simulation.state
    for mine, other in zip(own.x + own.weights.M, reached.x + reached.weights.M, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("method", ["Tsit5", "cvode"])
def test_a_run_that_is_stopped_at_once_holds_its_start(method: str) -> None:
    run = simulated(method, stop=lambda: True)
    assert (run.status, run.phases[0].t_end) == (pcode.Status.INTERRUPTED, 0.0)
    np.testing.assert_array_equal(run.state.weights.M[0], WEIGHTS.M[0])


def test_links_with_a_clock_each_learn_in_the_singular_limit_too() -> None:
    net = pcode.Network((2, 3, 1), tau=0.0, delta=(50.0, 80.0))
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=Presentation(hold=2.0))
    run = pcode.simulate(net, [phase], weights=WEIGHTS)
    assert run.status is pcode.Status.SUCCESS


@pytest.mark.parametrize("method", ["Tsit5", "cvode"])
def test_a_network_that_diverges_in_a_presentation_says_in_which(method: str) -> None:
    weights = pcode.Weights(
        (np.ones((2, 3)), np.ones((3, 1))), (np.ones((3, 2)), -40.0 * np.ones((1, 3))), WEIGHTS.beta
    )
    net = pcode.Network((2, 3, 1), "identity", delta=1e6, nu=0.1, feedback="fixed")
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=Presentation(hold=20.0), learn=False)
    run = pcode.simulate(net, [phase], weights=weights, method=method)
    assert run.status.failed
    assert "presentation 0 of 7" in run.message or "presentation 1 of 7" in run.message


def test_most_steps_count_for_each_presentation() -> None:
    few = simulated(max_steps=40)
    assert few.status is pcode.Status.SUCCESS
    assert few.phases[0].stats.steps > 40
    assert simulated(max_steps=4).status is pcode.Status.MAX_STEPS


def test_samples_of_the_last_presentation_go_on_in_the_next_phase_and_others_start_anew() -> None:
    shown = Presentation(hold=30.0)
    train = pcode.Phase("train", {0: X, 2: Y}, presentation=shown, learn=False)
    for nodes in (None, "feedforward"):
        test = pcode.Phase("test", {0: X}, duration=1.0, learn=False, samples=range(7), nodes=nodes)
        run = pcode.simulate(NET, [train, test], weights=WEIGHTS, save=pcode.Save(nodes=2, weights=2))
        begin = run.data.isel(time=run.data["phase"] == 1).isel(time=0)
        assert np.abs(begin["eps1"].to_numpy()[:6]).max() == 0.0
        carried = np.abs(begin["eps1"].to_numpy()[6]).max()
        assert (carried > 1e-3) == (nodes is None)


@pytest.mark.parametrize(
    ("changes", "where", "right"),
    [
        ({"hold": 0.0}, "hold", "positive"),
        ({"hold": -1.0}, "hold", "positive"),
        ({"passes": 0}, "passes", "1 or more"),
        ({"order": "random"}, "order", "given or shuffled"),
        ({"nodes": "rest"}, "nodes", "carry, feedforward, zero or equilibrium"),
        ({"ramp": 3.0}, "ramp", "at most 2"),
        ({"limit": 3.0}, "limit", "leave it out"),
        ({"hold": "equilibrium"}, "limit", "longest time"),
        ({"size": 0}, "size", "1 or more"),
        ({"size": 8}, "presentation.size", "at most the number of samples, 7"),
    ],
)
def test_a_presentation_that_cannot_be_is_refused_by_its_key(
    changes: dict[str, Any], where: str, right: str
) -> None:
    with pytest.raises(pcode.InputError, match=right) as refused:
        pcode.Phase("train", {0: X, 2: Y}, presentation=Presentation(**{"hold": 2.0} | changes))
    assert refused.value.where == where


@pytest.mark.parametrize(
    ("arguments", "where", "right"),
    [
        ({"clamp": {}}, "presentation", "no data to show"),
        ({"clamp": {0: pcode.TimeSeries([0.0, 1.0], [X, X])}}, "clamp[0]", "changes in time"),
        ({"clamp": {0: pcode.Expression("sin(t)")}}, "clamp[0]", "changes in time"),
        ({"duration": 3.0}, "duration", "leave it out"),
        ({"until": "equilibrium"}, "until", 'hold = "equilibrium"'),
        ({"presentation": {"hold": 2.0}}, "presentation", "pcode.Presentation"),
        ({"nodes": "carry"}, "nodes", "feedforward, zero or equilibrium"),
    ],
)
def test_a_phase_with_a_presentation_refuses_what_does_not_go_with_it(
    arguments: dict[str, Any], where: str, right: str
) -> None:
    given: dict[str, Any] = {"clamp": {0: X, 2: Y}, "presentation": SHOWN} | arguments
    with pytest.raises(pcode.InputError, match=right.replace(".", r"\.")) as refused:
        pcode.Phase("train", **given)
    assert refused.value.where == where


def test_each_pass_shows_every_sample_once_in_an_order_of_its_own() -> None:
    rows = SHOWN.rows(7)
    assert [len(k) for k in rows] == [3, 3, 1] * 10
    orders = [np.concatenate(rows[3 * k : 3 * k + 3]) for k in range(10)]
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert len({tuple(order) for order in orders}) > 5
    again = Presentation(size=3, hold=2.0, passes=2, order="shuffled", seed=4).rows(7)
    assert all(np.array_equal(a, b) for a, b in zip(again, rows, strict=False))
    other = Presentation(size=3, hold=2.0, passes=10, order="shuffled", seed=5).rows(7)
    assert any(not np.array_equal(a, b) for a, b in zip(other, rows, strict=True))


def test_times_of_a_presentation_have_units_of_their_own() -> None:
    net = pcode.Network((2, 3, 1), tau="10 ms", delta="0.5 s", nu=0.5, time_unit="s")
    shown = Presentation(hold="20 ms", ramp="5 ms", passes=2)
    plain = pcode.Network((2, 3, 1), tau=0.01, delta=0.5, nu=0.5)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, presentation=one)
        for one in (shown, Presentation(hold=0.02, ramp=0.005, passes=2))
    ]
    runs = [pcode.simulate(n, [p], weights=WEIGHTS) for n, p in zip((net, plain), phases, strict=True)]
    assert runs[0].phases[0].t_end == pytest.approx(0.28)
    np.testing.assert_array_equal(runs[0].data["M0"], runs[1].data["M0"])

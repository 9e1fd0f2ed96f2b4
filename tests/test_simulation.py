"""A simulation that goes on: phase after phase, from lists and from generators."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import pcode
from pcode import InputError, Phase, Save, Simulation, Status

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
Y = np.array([[-1.0], [1.0], [1.0], [-1.0]])
NETWORK = pcode.Network(sizes=(2, 3, 1), delta=50.0, nu=0.5)
WEIGHTS = NETWORK.init_weights(0)
FEW = Save(nodes=8, weights=4)
PHASES = [
    Phase("train", {0: X[:2], 2: Y[:2]}, duration=10.0),
    Phase("others", {0: X[1:], 2: Y[1:]}, duration=5.0, samples=[1, 2, 3]),
    Phase("test", {0: X[1:]}, duration=300.0, learn=False, until="equilibrium"),
    Phase("more", {0: X[:2], 2: Y[:2]}, duration=7.0),
]
# What tells when and on which machine a run was made.
TIMED = ("compile_seconds", "solve_seconds")


def simulation(**options):
    return Simulation(NETWORK, **{"weights": WEIGHTS, "save": FEW} | options)


def without_times(attributes):
    phases = json.loads(attributes["phases"])
    total = json.loads(attributes["solver_statistics"])
    for stats in (total, *(phase["stats"] for phase in phases)):
        for name in TIMED:
            stats.pop(name)
    return attributes | {"phases": phases, "solver_statistics": total}


def assert_same(one, other):
    """Two runs are equal in all but the seconds that they took."""
    assert without_times(one.data.attrs) == without_times(other.data.attrs)
    xr.testing.assert_equal(one.data, other.data)
    assert set(one.groups) == set(other.groups)
    for name in one.groups:
        xr.testing.assert_equal(one.groups[name], other.groups[name])


@pytest.fixture(scope="module")
def whole():
    return pcode.simulate(NETWORK, PHASES, weights=WEIGHTS, save=FEW)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_run_that_goes_on_is_the_run_of_all_phases(whole, cut):
    begun = simulation()
    first = begun.run(PHASES[:cut])
    assert len(first.phases) == cut
    assert_same(begun.run(PHASES[cut:]), whole)
    # What was had before is still what it was.
    assert_same(first, pcode.simulate(NETWORK, PHASES[:cut], weights=WEIGHTS, save=FEW))


def test_phases_one_by_one_are_the_run_of_all_phases(whole):
    begun = simulation()
    assert (begun.t, begun.state, begun.phases) == (0.0, None, ())
    assert begun.weights.M[0].tolist() == WEIGHTS.M[0].tolist()
    for phase in PHASES:
        record = begun.advance(phase)
        assert record == begun.phases[-1]
        assert begun.t == record.t_end
    assert_same(begun.result, whole)
    np.testing.assert_array_equal(begun.state.x[1], whole.state.x[1])
    np.testing.assert_array_equal(begun.weights.M[1], whole.weights.M[1])


def test_a_generator_may_look_at_the_state_between_phases(whole):
    begun, seen = simulation(), []

    def coming():
        for phase in PHASES:
            seen.append((len(begun.phases), begun.t, begun.state))
            yield phase

    assert_same(begun.run(coming()), whole)
    assert [count for count, _, _ in seen] == [0, 1, 2, 3]
    assert [t for _, t, _ in seen] == [0.0, *(record.t_end for record in whole.phases[:-1])]
    rows = [int(np.flatnonzero(whole.data["phase"] == k)[-1]) for k in range(3)]
    for (_, _, state), row in zip(seen[1:], rows, strict=True):
        shown = len(state.x[1])
        np.testing.assert_array_equal(state.x[1], whole.data["x1"][row, :shown])


def test_a_generator_ends_the_run_when_a_condition_is_met():
    begun = simulation()

    def until_small():
        while begun.state is None or begun.state.x[0].shape[0] < 3:
            yield PHASES[0]
            yield PHASES[1]

    assert len(begun.run(until_small()).phases) == 2


def test_an_error_in_a_later_phase_of_a_generator_loses_nothing(whole):
    begun = simulation()
    bad = Phase("bad", {0: np.ones((1, 5))}, duration=1.0)
    with pytest.raises(InputError, match=r"phases\[2\]\.clamp\[0\]: has 5 values a sample"):
        begun.run(iter([*PHASES[:2], bad]))
    assert_same(begun.result, pcode.simulate(NETWORK, PHASES[:2], weights=WEIGHTS, save=FEW))
    assert_same(begun.run(PHASES[2:]), whole)


def test_an_error_of_the_generator_itself_is_passed_on_and_loses_nothing(whole):
    begun = simulation()

    def broken():
        yield from PHASES[:2]
        raise ZeroDivisionError("no more data")

    with pytest.raises(ZeroDivisionError, match="no more data"):
        begun.run(broken())
    assert len(begun.result.phases) == 2
    assert_same(begun.run(PHASES[2:]), whole)


def test_an_error_in_the_middle_of_a_phase_loses_that_phase_only(whole, monkeypatch):
    begun = simulation(stop=lambda: False)
    begun.run(PHASES[:2])

    def stopped():
        raise KeyboardInterrupt  # as a second Ctrl-C does

    with monkeypatch.context() as patch:
        patch.setattr(begun._callbacks, "_stop", stopped)
        with pytest.raises(KeyboardInterrupt):
            begun.advance(PHASES[2])
    assert len(begun.result.phases) == 2
    assert int(begun.result.data["phase"].max()) == 1
    assert_same(begun.run(PHASES[2:]), whole)


def test_a_list_is_checked_as_a_whole_before_anything_is_computed():
    begun = simulation()
    bad = Phase("bad", {3: np.ones((1, 1))}, duration=1.0)
    with pytest.raises(InputError, match=r"phases\[2\]\.clamp\[3\]"):
        begun.run([*PHASES[:2], bad])
    assert begun.phases == ()
    with pytest.raises(InputError, match=r"phase: must be a pcode\.Phase"):
        begun.advance("train")
    with pytest.raises(InputError, match=r"phase\.clamp\[3\]"):
        begun.advance(bad)


def test_a_phase_that_fails_ends_a_run_and_keeps_what_was_reached():
    begun = simulation(max_steps=5, method="DOP853")
    run = begun.run(phase for phase in PHASES)
    assert [record.status for record in run.phases] == [Status.MAX_STEPS]
    assert run.data["time"][-1] == run.phases[0].t_end == begun.t


def test_without_a_phase_there_is_no_run():
    for none in ([], iter([])):
        with pytest.raises(InputError, match="phases: there is none"):
            simulation().run(none)
    with pytest.raises(InputError, match="phases: there is none"):
        _ = simulation().result


def test_memory_is_checked_as_phases_come():
    row = 8 * (1 * (6 + 4 + 1) + 2 * 2)
    weight_row = 8 * (2 * 9 + 4)
    room = 3 * (8 * row + 2 * weight_row)
    phases = [Phase(str(k), {0: X[k : k + 1]}, duration=1.0, learn=False, samples=[k]) for k in range(4)]
    begun = simulation(save=Save(nodes=8, weights=4, memory=room))
    with pytest.raises(InputError, match=r"save\.nodes: the result would take"):
        begun.run(phase for phase in phases)
    assert len(begun.result.phases) == 3
    data = begun.result.data
    assert sum(data[name].nbytes for name in [*data.data_vars, "sample_number"]) == room
    with pytest.raises(InputError, match=r"save\.nodes: the result would take"):
        simulation(save=Save(nodes=8, weights=4, memory=room)).run(phases)


def test_samples_not_seen_before_are_counted_over_all_runs():
    begun = simulation()
    for batch, shown in ((2, (0, 1)), (3, (2, 3, 4)), (3, (2, 3, 4)), (1, (5,))):
        assert begun.advance(Phase("p", {0: np.ones((batch, 2))}, duration=0.1)).samples == shown


def test_how_many_phases_there_are_is_told_where_it_is_known():
    seen = []
    begun = simulation(progress=lambda now: seen.append((now.phase, now.phases)))
    begun.run(PHASES[:2])
    begun.run(iter(PHASES[:1]))
    begun.run([PHASES[1]])
    assert sorted(set(seen), key=lambda one: one[0]) == [(0, 2), (1, 2), (2, None), (3, 4)]


@pytest.mark.parametrize("method", ["cvode", "BDF", "RK45", "DOP853", "Kvaerno5", "Tsit5"])
def test_every_method_can_go_on(method):
    begun = simulation(method=method)
    begun.run(PHASES[:1])
    assert_same(
        begun.run(PHASES[1:2]),
        pcode.simulate(NETWORK, PHASES[:2], weights=WEIGHTS, save=FEW, method=method),
    )


def test_the_singular_limit_can_go_on():
    network = pcode.Network(sizes=(2, 3, 1), tau=0.0, delta=50.0, nu=0.5)
    begun = Simulation(network, weights=WEIGHTS, save=FEW)
    begun.run(PHASES[:1])
    assert_same(begun.run(PHASES[1:3]), pcode.simulate(network, PHASES[:3], weights=WEIGHTS, save=FEW))


def test_thousands_of_short_phases_weigh_what_is_saved(tmp_path):
    """The nodes of a phase of one sample take two rows of one column."""
    network, count = pcode.Network(sizes=(4, 3, 2), delta=1e4), 300
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((count, 1, 4)), rng.standard_normal((count, 1, 2))
    phases = (Phase("p", {0: inputs[k], 2: targets[k]}, duration=0.5, samples=[k]) for k in range(count))
    run = Simulation(network, weights=network.init_weights(0), save=Save(2, 2)).run(phases)
    units = {"unit0": 4, "unit1": 3, "unit2": 2}
    rows = {"time": 2 * count, "weight_time": 2 * count}
    assert dict(run.data.sizes) == {"sample": 1, "layer": 2} | rows | units
    assert run.sample_count == count
    run.save(tmp_path / "run.nc")
    loaded = pcode.Run.load(tmp_path / "run.nc")
    xr.testing.assert_identical(loaded.data, run.data)
    np.testing.assert_array_equal(loaded.data["x0"][::2, 0], inputs[:, 0])


@pytest.mark.timeout(300)  # two programs that call LAPACK at once have waited for each other for ever
def test_runs_in_four_threads_are_those_of_one():
    rng = np.random.default_rng(0)
    clamp = {0: rng.standard_normal((60, 2)), 3: rng.standard_normal((60, 1))}
    network = pcode.Network((2, 5, 4, 1), delta=50.0, feedback="tied")

    def run(seed):
        phase, save = pcode.Phase("train", clamp, duration=100.0), pcode.Save(nodes=3, weights=3)
        return pcode.simulate(
            network, [phase], weights=network.init_weights(seed), method="Kvaerno5", save=save
        )

    alone = [run(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, range(4)))
    for one, other in zip(alone, together, strict=True):
        xr.testing.assert_equal(one.data, other.data)

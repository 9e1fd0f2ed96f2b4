"""A moment of a run: everything needed to go on from it is there again."""

import json

import numpy as np
import pytest

import pcode
from pcode import InputError, Run
from pcode.analysis import QUESTIONS, Snapshot, ask
from pcode.run.result import pack_mask, unpack_mask
from pcode.run.snapshot import last_phase, weights_at


@pytest.fixture(scope="module")
def phases():
    rng = np.random.default_rng(11)
    X, Y = rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
    holes = rng.standard_normal((3, 4))
    holes[0, 1] = holes[1, :3] = np.nan
    return [
        pcode.Phase("train", {0: X, 2: Y}, duration=30.0, settle_tol=1e-7),
        pcode.Phase("complete", {0: X, 1: holes}, duration=5.0, learn=False),
        pcode.Phase("follow", {0: pcode.TimeSeries([0.0, 4.0], np.stack([X, -X]))}, duration=4.0),
    ]


@pytest.fixture(scope="module")
def run(phases):
    network = pcode.Network(sizes=(2, 4, 2), delta=20.0, nu=(0.5, 1.0))
    return pcode.simulate(
        network, phases, weights=network.init_weights(rng=2), save=pcode.Save(nodes=40, weights=30)
    )


def same(a, b):
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_phases_of_a_run_are_rebuilt_as_they_were_asked_for(run, phases):
    for asked in phases[:2]:
        snapshot = Snapshot.of(run, asked.name)
        rebuilt = snapshot.phase
        assert (rebuilt.name, rebuilt.duration, rebuilt.learn) == (asked.name, asked.duration, asked.learn)
        assert (rebuilt.until, rebuilt.settle_tol) == (asked.until, asked.settle_tol)
        assert rebuilt.clamp.keys() == asked.clamp.keys()
        same(rebuilt.clamp.values(), asked.clamp.values())
        assert not snapshot.moving


def test_a_phase_simulated_again_from_its_start_comes_out_as_before(run):
    start = Snapshot.start(run, "train")
    again = pcode.simulate(start.network, [start.phase], weights=start.state.weights, nodes=start.state)
    end = Snapshot.of(run, "train")
    for one, other in zip(
        (*again.state.x, *again.weights.M), (*end.state.x, *end.state.weights.M), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_clamp_that_moves_is_held_where_it_is_at_the_moment(run, phases):
    begin = run.phases[2].t_start
    snapshot = Snapshot.of(run, "follow", begin + 3.0)
    expected = phases[2].clamp[0].at(snapshot.t - begin)
    np.testing.assert_allclose(snapshot.phase.clamp[0], expected, rtol=1e-12)
    with pytest.raises(InputError, match="phase: x needs a phase with constant clamps; in 'follow' layer 0"):
        snapshot.require_constant("x")


def test_weights_between_saved_times_are_those_of_the_run(run):
    """The oracle is the same run with weights saved at all times of the nodes."""
    fine = pcode.simulate(
        run.network,
        [Snapshot.start(run, 0).phase],
        weights=Snapshot.start(run, 0).state.weights,
        save=pcode.Save(nodes=40, weights=40),
        rtol=1e-9,
        atol=1e-11,
    )
    moved = np.abs(fine.data["M0"].values[-1] - fine.data["M0"].values[0]).max()
    for row in range(0, 40, 3):
        t = float(fine.data["weight_time"][row])
        between = weights_at(run, 0, t)
        # Later on saved times are further apart than the nodes ring.
        np.testing.assert_allclose(
            between.M[0], fine.data["M0"][row], atol=(2e-5 if t < 2.0 else 1e-2) * moved, rtol=0.0
        )


def test_the_moment_is_the_saved_one_nearest_to_the_time_asked_for(run):
    times = run.data["time"].values
    assert Snapshot.of(run, time=12.3).t == times[np.abs(times - 12.3).argmin()]
    assert Snapshot.of(run).t == times[-1]
    assert Snapshot.of(run).record.name == "follow"
    assert Snapshot.start(run, 1).t == run.phases[1].t_start
    same(Snapshot.of(run).state.x, run.state.x)


def test_phases_are_found_by_what_they_clamp(run):
    assert last_phase(run) == 2
    assert last_phase(run, (0, 2)) == 0
    assert last_phase(run, (0, 1)) is None  # layer 1 is clamped in part only
    assert last_phase(run, learn=False) == 1


def test_what_cannot_be_found_is_told_in_one_line(run):
    with pytest.raises(InputError, match=r"phase: there is no phase 'x' in this run; it has 0 \(train\), 1"):
        Snapshot.of(run, "x")
    with pytest.raises(InputError, match="time: phase 'train' lasts from 0 to 30, and has no t = 31"):
        Snapshot.of(run, 0, 31.0)
    with pytest.raises(InputError, match="time: the run lasts from 0 to 39, and has no t = 40"):
        Snapshot.of(run, time=40.0)
    with pytest.raises(InputError, match="phase: there is no target: layer 2 is not clamped in 'complete'"):
        _ = Snapshot.of(run, "complete").targets
    with pytest.raises(InputError, match=r"run: holds no weights M1; give the run\.nc as it was written"):
        Snapshot.of(Run(run.data.drop_vars("M1")))


def test_a_file_of_before_the_masks_still_loads_and_says_what_it_lacks(run, phases):
    data = run.data.copy()
    records = json.loads(data.attrs["phases"])
    for record in records:
        for new in ("settle_tol", "clamped_nodes", "method_reason"):
            del record[new]
    data.attrs["phases"] = json.dumps(records)
    old = Run(data)
    assert old.phases[0].settle_tol == 1e-6
    same(Snapshot.of(old, "train").phase.clamp.values(), phases[0].clamp.values())
    with pytest.raises(InputError, match="run: does not tell which nodes of layer 1 were clamped"):
        Snapshot.of(old, "complete")


@pytest.mark.parametrize("alike", [False, True])
def test_a_mask_is_unpacked_as_it_was_packed(alike, rng):
    mask = rng.random((2, 3)) < 0.5
    large = np.broadcast_to(rng.random((1, 784)) < 0.5, (500, 784)) if alike else rng.random((500, 784)) < 0.5
    for one in (mask, large):
        np.testing.assert_array_equal(unpack_mask(pack_mask(one), one.shape), one)
    assert len(pack_mask(large)) < (200 if alike else 70_000)


def test_a_question_that_is_not_there_is_refused_with_what_is(run):
    with pytest.raises(InputError, match="question: no question 'backprob'; did you mean backprop"):
        ask(run, "backprob")
    with pytest.raises(InputError, match=f"no question 'why'; there are {', '.join(QUESTIONS)}"):
        ask(run, "why")

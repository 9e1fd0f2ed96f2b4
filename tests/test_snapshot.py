"""A moment of a run: everything needed to go on from it is there again."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import pcode
from pcode import Expression, InputError, Run, TimeSeries
from pcode.analysis import QUESTIONS, Snapshot, ask
from pcode.run.clamps import ClampArrays, clamp_records
from pcode.run.snapshot import last_phase, resting_moments
from pcode.run.weights import weights_at


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
    assert snapshot.moving
    assert snapshot.notes == (f"layer 0 follows a time series: held at its value of t = {snapshot.t:g}",)


def test_which_nodes_are_free_is_asked_of_a_snapshot_whatever_the_clamp(clamped):
    """Of the three samples; layer 1 is held in part, layers 0 and 2 wholly or not at all."""
    run, phases = clamped
    for k, phase in enumerate(phases):
        snapshot = Snapshot.start(run, k)
        for layer, size in enumerate(run.network.sizes):
            expected = np.ones((3, size), bool)
            if layer in phase.clamp:
                expected[:] = np.isnan(phase.clamp_at(layer, 0.0))
            np.testing.assert_array_equal(snapshot.free(layer), expected)
            assert snapshot.clamped(layer) == (not expected.any())


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


@pytest.fixture(scope="module")
def clamped(phases):
    """A run of phases with clamps of every kind, in part or wholly, saved and loaded."""
    nan, X = float("nan"), phases[0].clamp[0]
    column = np.tile([1.0, 2.0, nan, 4.0], (3, 1)) * [[1.0], [-1.0], [0.5]]
    all_kinds = [
        *phases,
        pcode.Phase("column", {0: X, 1: column}, duration=1.0, learn=False),
        pcode.Phase(
            "express", {0: Expression("sin(t)"), 1: Expression(["t/2", nan, 0.5, nan])}, duration=2.0
        ),
        pcode.Phase(
            "curve",
            {1: TimeSeries([0.0, 1.0, 1.0, 2.0], np.stack([column, -column, column, 0.0 * column]), "cubic")},
            duration=2.0,
        ),
        pcode.Phase("call", {0: lambda t: jnp.stack([jnp.sin(t), jnp.nan + t])}, duration=1.0),
    ]
    network = pcode.Network(sizes=(2, 4, 2), delta=20.0, nu=(0.5, 1.0))
    weights = network.init_weights(rng=2)
    return pcode.simulate(network, all_kinds, weights=weights, save=pcode.Save(nodes=9, weights=5)), all_kinds


def test_from_the_file_of_a_run_its_clamps_are_made_again_as_they_were(clamped, tmp_path):
    run, phases = clamped
    run.save(tmp_path / "run.nc")
    loaded = Run.load(tmp_path / "run.nc")
    assert loaded.phases == run.phases
    assert len({repr(record.clamp) for record in loaded.phases}) == len(phases)
    for k, asked in enumerate(phases[:-1]):
        again = Snapshot.start(loaded, k).phase_as_run("x")
        assert (again.name, again.duration, again.learn) == (asked.name, asked.duration, asked.learn)
        assert again.clamp.keys() == asked.clamp.keys()
        for layer, given in asked.clamp.items():
            made = again.clamp[layer]
            assert type(made) is type(given)
            if isinstance(given, TimeSeries):
                assert made.kind == given.kind
                same((made.t, made.values), (given.t, given.values))
            for t in np.linspace(0.0, asked.duration, 7):
                for side in ("left", "right"):
                    expected = np.broadcast_to(asked.clamp_at(layer, t, side), (3, run.network.sizes[layer]))
                    found = np.broadcast_to(again.clamp_at(layer, t, side), expected.shape)
                    np.testing.assert_array_equal(found, expected)


def test_a_function_cannot_be_had_again_and_that_is_said(clamped):
    run, _ = clamped
    snapshot = Snapshot.of(run, "call")
    assert not snapshot.reproducible
    what = (
        r"phase: x needs the phase as it was, but in 'call' layer 0 follows a function, of which a run keeps "
        r"the values at its saved times only; choose another phase, or run it with a time series or an expr"
    )
    with pytest.raises(InputError, match=what):
        snapshot.phase_as_run("x")
    np.testing.assert_allclose(snapshot.phase.clamp[0], np.tile([np.sin(1.0), np.nan], (3, 1)), rtol=1e-12)


def test_between_saved_times_of_the_nodes_a_clamp_has_its_own_value_there():
    """Few times of the nodes and many of the weights: the clamp is that of the weights' time."""
    t = np.array([0.0, 1.0, 1.0, 3.0])
    series = TimeSeries(t, np.array([[[1.0]], [[2.0]], [[-1.0]], [[0.0]]]))
    network = pcode.Network((1, 1, 1), delta=20.0)
    phase = pcode.Phase("p", {0: series, 2: Expression("cos(t)")}, duration=3.0)
    run = pcode.simulate(
        network,
        [phase],
        weights=network.init_weights(1),
        save=pcode.Save(nodes=2, weights=13, spacing="linear"),
    )
    moments = resting_moments(run, 0, 13)
    np.testing.assert_allclose([m.t for m in moments], np.linspace(0.0, 3.0, 13), atol=1e-12)
    line = [1.0 + m.t if m.t <= 1.0 else -1.5 + 0.5 * m.t for m in moments]
    np.testing.assert_allclose([m.inputs[0, 0] for m in moments], line, atol=1e-12)
    np.testing.assert_allclose([m.phase.clamp[0][0, 0] for m in moments], line, atol=1e-12)
    np.testing.assert_allclose([m.targets[0, 0] for m in moments], np.cos([m.t for m in moments]), atol=1e-12)


def test_clamps_that_many_phases_share_are_kept_once(tmp_path):
    """400 phases with the same mask and series weigh little more than 4, and each has them."""
    rng = np.random.default_rng(3)
    network = pcode.Network((30, 2), feedback="tied")
    picture = rng.standard_normal((20, 30))
    picture[rng.random(picture.shape) < 0.5] = np.nan
    values = rng.standard_normal((50, 20, 2))
    sizes = []
    for count in (4, 400):
        phases = [
            pcode.Phase("p", {0: picture, 1: TimeSeries(np.arange(50.0), values.copy())}, duration=1.0)
            for _ in range(count)
        ]
        records = [clamp_records(phase, network.sizes, 20) for phase in phases]
        arrays = ClampArrays()
        told = [[one.to_dict(arrays) for one in record.values()] for record in records]
        assert all(one == told[0] for one in told)
        sizes.append(arrays.dataset().nbytes)
    assert sizes[0] == sizes[1] == 20 * 30 + 8 * (50 + 50 * 20 * 2)


def test_different_clamps_of_one_shape_are_one_variable_of_the_file():
    """So that thousands of phases, each with a mask of its own, do not make thousands of variables."""
    masks = np.random.default_rng(4).random((50, 3, 5)) < 0.5
    arrays = ClampArrays()
    places = [arrays.put_mask(1, mask) for mask in masks]
    dataset = arrays.dataset()
    assert len(dataset.data_vars) == 1
    kept = ClampArrays(dataset)
    for place, mask in zip(places, masks, strict=True):
        np.testing.assert_array_equal(kept.mask(place), mask)


OLDER = Path(__file__).parent / "data" / "clamps_in_words.nc"


def test_a_file_in_which_clamps_were_words_is_read_as_what_it_was():
    """Written by the version before, see the phases' names; masks as texts, of a series but its kind."""
    run = Run.load(OLDER)
    rng, nan = np.random.default_rng(11), float("nan")
    X, Y, holes = rng.standard_normal((3, 2)), rng.standard_normal((3, 2)), rng.standard_normal((3, 4))
    holes[0, 1] = holes[1, :3] = nan
    column = rng.standard_normal((3, 4))
    column[:, 2] = nan
    expected = {
        "train": {0: X, 2: Y},
        "complete": {0: X, 1: holes},
        "column": {0: X, 1: column},
        "express": {0: Expression("sin(t)"), 1: Expression(["t/2", nan, 0.5, nan]), 2: Y},
    }
    for name, clamp in expected.items():
        again = Snapshot.of(run, name).phase_as_run("x").clamp
        assert again.keys() == clamp.keys()
        for layer, given in clamp.items():
            if isinstance(given, Expression):
                assert again[layer] == given
            else:
                np.testing.assert_array_equal(again[layer], given)
    follow = Snapshot.of(run, "follow")
    assert (follow.record.clamp[0].kind, follow.record.clamp[0].series) == ("time series", None)
    with pytest.raises(InputError, match="of which a run by an older version keeps the values at its"):
        follow.phase_as_run("x")
    np.testing.assert_allclose(follow.inputs, 0.0, atol=1e-12)  # from X at 0 to -X at 4, at 2


def test_a_file_of_before_the_masks_still_loads_and_says_what_it_lacks(tmp_path):
    with xr.open_dataset(OLDER, engine="h5netcdf", decode_times=False) as opened:
        data = opened.load()
    records = json.loads(data.attrs["phases"])
    for record in records:
        for new in ("settle_tol", "clamped_nodes", "method_reason"):
            del record[new]
    data.attrs["phases"] = json.dumps(records)
    data.to_netcdf(tmp_path / "older.nc", engine="h5netcdf")
    old = Run.load(tmp_path / "older.nc")
    assert old.phases[0].settle_tol == 1e-6
    X = np.random.default_rng(11).standard_normal((3, 2))
    np.testing.assert_array_equal(Snapshot.of(old, "train").phase.clamp[0], X)
    with pytest.raises(InputError, match="run: does not tell which nodes of layer 1 were clamped"):
        Snapshot.of(old, "complete")


def test_a_question_that_is_not_there_is_refused_with_what_is(run):
    with pytest.raises(InputError, match="question: no question 'backprob'; did you mean backprop"):
        ask(run, "backprob")
    with pytest.raises(InputError, match=f"no question 'why'; there are {', '.join(QUESTIONS)}"):
        ask(run, "why")


def test_every_saved_time_can_be_asked_for_also_where_a_phase_ended_at_once():
    network = pcode.Network((2, 3, 1))
    inputs = np.ones((1, 2))
    held = pcode.Phase("held", {0: inputs}, duration=2.0, learn=False)
    at_once = pcode.Phase("rest", {0: inputs}, duration=5.0, learn=False, until="equilibrium")
    run = pcode.simulate(network, [held, at_once], weights=network.init_weights(0), nodes="equilibrium")
    assert run.phases[1].t_end == run.phases[1].t_start == 2.0
    for t in run.data["time"].to_numpy().tolist():
        assert Snapshot.of(run, time=t).t == pytest.approx(t, rel=1e-15)

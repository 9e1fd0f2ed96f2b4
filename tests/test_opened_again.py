"""What is saved can be opened again, also where a run ended before it had much to save."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import pcode
from pcode.run.dataset import with_both_numbers
from pcode.run.ensemble import Ensemble
from pcode.run.result import Run
from soak.faults import SIGMA, Fault, faulty
from soak.resumes import Stops, X, Y


def opened(result, tmp_path, **how):
    """The result as it comes out of its file, which holds the same."""
    result.save(tmp_path / "one.nc")
    again = type(result).load(tmp_path / "one.nc", **how)
    xr.testing.assert_identical(again.data, result.data)
    assert again.status == result.status
    return again


def test_a_run_whose_last_phase_was_never_begun_can_be_opened(tmp_path):
    network = pcode.Network((2, 4, 1), SIGMA, delta=20.0, nu=0.5)
    first = pcode.Phase("short", {0: X, 2: Y}, duration=1.0)
    never = pcode.Phase("never", {0: X}, duration=1.0, learn=False, nodes="equilibrium")

    def simulated(*phases):
        return pcode.simulate(network, phases, weights=network.init_weights(0), method="RK45")

    simulated(first)
    with faulty(Fault()) as none:
        simulated(first)
    # From the first evaluation after that phase on, which is the one that looks for where the next starts.
    with faulty(Fault("ValueError", none.count + 1, lasts=True)):
        run = simulated(first, never)
    assert [record.status for record in run.phases] == ["success", "nonlinear_failure"]
    assert "was not begun" in run.message
    assert set(run.data["phase"].to_numpy().tolist()) == {0}
    again = opened(run, tmp_path, activation=SIGMA)
    assert [record.name for record in again.phases] == ["short", "never"]


def test_a_run_that_ends_at_any_moment_within_its_presentations_can_be_opened(tmp_path):
    network = pcode.Network((2, 4, 1), "tanh", tau=1.0, delta=20.0, nu=0.5)
    shown = pcode.Presentation(size=1, hold=0.5, passes=1)
    phase = pcode.Phase("shown", {0: X, 2: Y}, presentation=shown)
    save = pcode.Save(nodes=8, weights=3, presentations=[0, 3])
    for after in (0, 1, 2, 5, 9, 20):
        stop = Stops(after)
        run = pcode.simulate(network, [phase], weights=network.init_weights(0), save=save, stop=stop)
        assert run.status == "interrupted"
        opened(run, tmp_path)


def test_rows_of_the_nodes_alone_have_both_numbers_of_presentations(tmp_path):
    network = pcode.Network((2, 4, 1), "tanh", tau=1.0, delta=20.0, nu=0.5)
    shown = pcode.Presentation(size=2, hold=0.5, passes=1)
    phase = pcode.Phase("shown", {0: X, 2: Y}, presentation=shown)
    whole = pcode.simulate(network, [phase], weights=network.init_weights(0), save=pcode.Save(8, 3))
    numbers = whole.data["weight_presentation"]
    data = with_both_numbers(whole.data.drop_vars("weight_presentation"))
    assert data["weight_presentation"].dims == ("weight_time",)
    assert (data["weight_presentation"] == -1).all()
    assert data["weight_presentation"].attrs == numbers.attrs
    opened(Run(data, whole.groups, network), tmp_path)
    neither = whole.data.drop_vars(["presentation", "weight_presentation"])
    assert with_both_numbers(neither) is neither
    assert with_both_numbers(whole.data) is whole.data


@pytest.mark.parametrize("seeds", [[0, 2**63 - 1], [0, 2**63], [2**64 + 3, 7]])
def test_an_ensemble_with_seeds_of_any_size_can_be_opened(seeds, tmp_path):
    network = pcode.Network((2, 3, 1), "tanh", delta=20.0)
    phases = [pcode.Phase("train", {0: X, 2: Y}, duration=2.0)]
    many = pcode.simulate_many(network, phases, seeds=seeds, save=pcode.Save(nodes=4, weights=2))
    many.save(tmp_path / "many.nc")
    again = Ensemble.load(tmp_path / "many.nc")
    assert [int(seed) for seed in again.data["seed"].to_numpy()] == seeds
    for k, seed in enumerate(seeds):
        own = network.init_weights(seed)
        np.testing.assert_array_equal(again.member(k).data["M0"].to_numpy()[0], own.M[0])

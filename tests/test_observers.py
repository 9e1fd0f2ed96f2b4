"""Observers: looked at their own times, without any change to the run or to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import xarray as xr

import pcode
from pcode import InputError, Phase, Save, Simulation
from tests.methods import DETERMINISTIC

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
Y = np.array([[-1.0], [1.0], [1.0], [-1.0]])
NETWORK = pcode.Network(sizes=(2, 3, 1), delta=50.0, nu=(0.5, 2.0))
WEIGHTS = NETWORK.init_weights(0)
FEW = Save(nodes=8, weights=4)
TRAIN = Phase("train", {0: X, 2: Y}, duration=10.0)
TEST = Phase("test", {0: X[:2]}, duration=500.0, learn=False, until="equilibrium", samples=[0, 1])


@dataclass
class Energy:
    """Keeps F at evenly spaced times."""

    step: float
    t: list[float] = field(default_factory=list)
    F: list[float] = field(default_factory=list)

    def times(self, phase):
        return np.arange(0.0, phase.duration + self.step, self.step)

    def observe(self, moment):
        self.t.append(moment.t)
        self.F.append(moment.energies[0].sum())

    def dataset(self):
        return xr.Dataset({"F": ("t", self.F, {"long_name": "energy F"})}, {"t": self.t})


class Output:
    """Keeps the output layer alone, at the end of each phase."""

    def __init__(self):
        self.kept = []

    def times(self, phase):
        return [phase.duration]

    def observe(self, moment):
        rows = zip(moment.samples, moment.x[-1], strict=True)
        self.kept += [(moment.t, sample, *row) for sample, row in rows]

    def dataset(self):
        kept = np.array(self.kept)
        return xr.Dataset(
            {"output": (("row", "unit"), kept[:, 2:])},
            {"t": ("row", kept[:, 0]), "sample_number": ("row", kept[:, 1].astype(int))},
        )


class Everything:
    """Keeps the moments themselves."""

    def __init__(self, count=5):
        self.count, self.moments = count, []

    def times(self, phase):
        return np.linspace(0.0, phase.duration, self.count)

    def observe(self, moment):
        self.moments.append(moment)

    def dataset(self):
        return None


def run_with(observers, phases=(TRAIN, TEST), **options):
    simulation = Simulation(NETWORK, **{"weights": WEIGHTS, "save": FEW, "observers": observers} | options)
    return simulation.run(list(phases))


def test_an_observer_records_the_energy_at_its_own_times():
    """F = 1/2 sum_l nu^l mean_b |eps^l|^2, from the errors saved at the same times."""
    run = run_with({"energy": Energy(0.5)}, [TRAIN], save=Save(nodes=21, weights=2, spacing="linear"))
    kept = run.groups["energy"]
    np.testing.assert_allclose(kept["t"], np.linspace(0.0, 10.0, 21), rtol=1e-15)
    eps = [run.data[f"eps{k}"].to_numpy() for k in (1, 2)]
    squares = [(layer**2).sum(axis=2).mean(axis=1) for layer in eps]
    np.testing.assert_allclose(kept["F"], 0.5 * (0.5 * squares[0] + 2.0 * squares[1]), rtol=1e-12)


@pytest.mark.parametrize("name", ["energy", "time", "x1", "sample", "unit0", "others", "M0"])
def test_an_observer_may_have_the_name_of_a_variable_or_dimension_of_the_run(name, tmp_path):
    run = run_with({name: Energy(0.5)})
    run.save(tmp_path / "run.nc")
    loaded = pcode.Run.load(tmp_path / "run.nc")
    assert set(loaded.groups) == {"solver", name}
    xr.testing.assert_identical(loaded.groups[name], run.groups[name])
    xr.testing.assert_identical(loaded.data, run.data)


def test_the_run_so_far_can_be_had_from_within_a_phase_and_loses_nothing():
    """It holds the phases that have ended; the run itself goes on as if it had not been asked for."""
    seen = []

    class Asking(Energy):
        def observe(self, moment):
            if moment.index:
                seen.append(simulation.result)
            super().observe(moment)

    plain = run_with(None)
    simulation = Simulation(NETWORK, weights=WEIGHTS, save=FEW, observers={"asking": Asking(0.5)})
    run = simulation.run([TRAIN, TEST])
    assert run.notes == plain.notes
    xr.testing.assert_equal(run.data, plain.data)
    assert len(run.phases) == 2
    np.testing.assert_array_equal(run.state.x[2], plain.state.x[2])
    assert seen
    for so_far in seen:
        assert len(so_far.phases) == 1
        assert set(so_far.data["phase"].to_numpy()) == {0}
        assert set(so_far.data["weight_phase"].to_numpy()) == {0}


def test_an_observer_keeps_only_the_output_layer_and_it_stands_in_the_file(tmp_path):
    run = run_with({"output": Output()})
    kept = run.groups["output"]
    assert kept["sample_number"].to_numpy().tolist() == [0, 1, 2, 3, 0, 1]
    np.testing.assert_array_equal(kept["output"][4:], run.state.x[2])
    assert set(kept["t"].to_numpy()) == {record.t_end for record in run.phases}
    run.save(tmp_path / "run.nc")
    xr.testing.assert_identical(pcode.Run.load(tmp_path / "run.nc").groups["output"], kept)


def test_a_moment_has_what_the_result_has():
    seen = Everything(8)
    run = run_with({"all": seen}, save=Save(nodes=8, weights=8, spacing="linear"))
    assert "all" not in run.groups  # it kept nothing
    ends = [record.t_end for record in run.phases]
    for k in (0, 1):
        rows = np.flatnonzero(run.data["phase"] == k)
        moments = [moment for moment in seen.moments if moment.index == k]
        assert len(moments) == len(rows)
        assert moments[-1].t == ends[k]
        for row, moment in zip(rows, moments, strict=True):
            assert moment.phase.name == run.phases[k].name
            assert moment.samples == run.phases[k].samples
            assert moment.elapsed == pytest.approx(moment.t - run.phases[k].t_start)
            own = slice(len(moment.samples))
            for layer in (0, 1, 2):
                np.testing.assert_array_equal(moment.x[layer], run.data[f"x{layer}"][row, own])
                np.testing.assert_array_equal(moment.state.x[layer], run.data[f"x{layer}"][row, own])
            for layer in (1, 2):
                np.testing.assert_array_equal(moment.eps[layer - 1], run.data[f"eps{layer}"][row, own])
            np.testing.assert_array_equal(moment.energies[0], run.data["energy"][row])
            np.testing.assert_array_equal(moment.energies[1], run.data["energy_slaved"][row])
    learning = [moment.weights.M[0] for moment in seen.moments if moment.index == 0]
    np.testing.assert_array_equal(learning, run.data["M0"][run.data["weight_phase"] == 0])


@pytest.mark.parametrize("method", [name for name in DETERMINISTIC if name != "auto"])
def test_no_observer_changes_the_result_of_another(method):
    alone = run_with({"energy": Energy(0.37)}, method=method)
    bare = run_with(None, method=method)
    beside = run_with({"all": Everything(1000), "energy": Energy(0.37), "output": Output()}, method=method)
    for run in (bare, beside):
        for record, other in zip(run.phases, alone.phases, strict=True):
            assert (record.stats.steps, record.t_end) == (other.stats.steps, other.t_end)
        xr.testing.assert_equal(run.solver, alone.solver)
        xr.testing.assert_equal(run.data, alone.data)
    xr.testing.assert_equal(beside.groups["energy"], alone.groups["energy"])


def test_what_lies_beyond_the_end_is_not_shown_and_the_end_is_shown_whenever_it_comes():
    late = Everything()
    late.times = lambda phase: [-1.0, 0.0, 3.0, 100.0, 1e9, np.nan]
    end = Output()
    run = run_with({"late": late, "end": end})
    t_start = run.phases[1].t_start
    assert run.phases[1].status == "equilibrium"
    assert run.phases[1].t_end - t_start < 100.0
    assert [moment.t for moment in late.moments] == [0.0, 3.0, t_start, t_start + 3.0]
    assert {t for t, *_ in end.kept} == {record.t_end for record in run.phases}


def test_a_moment_may_be_kept_and_cannot_be_changed():
    seen = Everything()
    run = run_with({"all": seen})
    first = seen.moments[0]
    for array in (first.x[0], first.x[1], first.eps[0], first.weights.M[0], first.energies[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    np.testing.assert_array_equal(first.x[1], run.data["x1"][0])


class Raising(Everything):
    def __init__(self, where):
        super().__init__()
        self.where = where

    def times(self, phase):
        self.fail("times")
        return super().times(phase)

    def observe(self, moment):
        if len(self.moments) == 2:
            self.fail("observe")
        super().observe(moment)

    def dataset(self):
        self.fail("dataset")

    def fail(self, where):
        if self.where == where:
            raise ZeroDivisionError(where)


@pytest.mark.parametrize("where", ["times", "observe", "dataset"])
def test_what_an_observer_raises_costs_nothing_and_is_noted_once(where):
    raising = Raising(where)
    run = run_with({"bad": raising, "energy": Energy(0.5)})
    assert len(run.notes) == 1
    assert "observer 'bad'" in run.notes[0]
    assert f"ZeroDivisionError('{where}')" in run.notes[0]
    xr.testing.assert_equal(run.data, run_with(None).data)
    assert run.groups["energy"].sizes["t"] > 20
    # It is not shown more once it has raised.
    assert len(raising.moments) == {"times": 0, "observe": 2, "dataset": 7}[where]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda phase: "soon", "in its times of phase 'train': holds text"),
        (lambda phase: [[0.0, 1.0]], "it must be a list of times"),
        (lambda phase: None, "holds objects that are no numbers"),
    ],
)
def test_times_that_are_none_are_noted(wrong, said):
    observer = Everything()
    observer.times = wrong
    run = run_with({"wrong": observer})
    assert len(run.notes) == 1
    assert said in run.notes[0]
    assert observer.moments == []


def test_a_dataset_that_is_none_is_noted():
    observer = Everything()
    observer.dataset = lambda: {"x": 1}
    run = run_with({"wrong": observer})
    told = "observer 'wrong' must give an xarray.Dataset or None, not {'x': 1}; nothing is kept"
    assert run.notes == (told,)


@pytest.mark.parametrize(
    ("observers", "said"),
    [
        ([Everything()], "observers: must be a mapping from names to observers"),
        ({"e": lambda t: t}, r"observers\[e\]: must be an observer, with methods times\(phase\)"),
        ({"solver": Everything()}, r"observers\[solver\]: is no name for an observer"),
        ({"a/b": Everything()}, r"observers\[a/b\]: is no name for an observer"),
        ({"": Everything()}, "observers: must be a text"),
    ],
)
def test_what_is_no_observer_is_refused(observers, said):
    with pytest.raises(InputError, match=said):
        Simulation(NETWORK, weights=WEIGHTS, observers=observers)


def test_an_observer_goes_on_with_the_simulation():
    energy = Energy(1.0)
    simulation = Simulation(NETWORK, weights=WEIGHTS, save=FEW, observers={"energy": energy})
    simulation.run([TRAIN])
    assert simulation.result.groups["energy"].sizes["t"] == 11
    simulation.run([TRAIN])
    assert simulation.result.groups["energy"].sizes["t"] == 22
    np.testing.assert_array_equal(simulation.result.groups["energy"]["t"][11:], np.arange(10.0, 21.0))


def test_a_probe_is_called_once_at_the_end_of_each_phase():
    calls = []

    def probe(state, phase):
        calls.append((phase.name, phase.samples))
        state.x[1][...] = np.nan  # its own copy
        return state.x[2]

    run = run_with(None, probes={"output": probe})
    assert calls == [("train", (0, 1, 2, 3)), ("test", (0, 1))]
    np.testing.assert_array_equal(run.phases[1].probes["output"], run.state.x[2])
    assert np.isfinite(run.state.x[1]).all()

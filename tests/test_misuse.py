"""Odd values for every argument end in an InputError that names it, or are right; nothing reached is lost."""

from __future__ import annotations

import math
import os
import re
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

import pcode
from pcode import InputError, Network, Phase, Run, Save, TimeSeries
from pcode.analysis import ask
from pcode.model.data import Data
from pcode.plotting import animate, energy, save_figure, spectrum
from pcode.scenario import Scenario

NETWORK = Network((2, 3, 1), delta=5.0)
WEIGHTS = NETWORK.init_weights(0)
X, Y = [[0.1, 0.2]], [[0.3]]
PHASE = Phase("train", {0: X, 2: Y}, duration=0.5)
STATE = pcode.State(
    (np.zeros((1, 2)), np.zeros((1, 3)), np.zeros((1, 1))), (np.zeros((1, 3)), np.zeros((1, 1))), WEIGHTS
)


class Unprintable:
    """A value that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no words for it")


def endless_list():
    inside: list[object] = []
    inside.append(inside)
    return inside


ODD = {
    "None": lambda: None,
    "no text": lambda: "",
    "a number as text": lambda: "1",
    "bytes": lambda: b"x",
    "NUL": lambda: "a\0b",
    "half a surrogate pair": lambda: "\ud800",
    "an empty list": list,
    "a mapping": lambda: {0: 1},
    "a set": lambda: {1, 2},
    "an object": object,
    "an unprintable object": Unprintable,
    "a type": lambda: int,
    "true": lambda: True,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-1": lambda: -1,
    "10**400": lambda: 10**400,
    "-10**5000": lambda: -(10**5000),
    "complex": lambda: 1j,
    "NumPy's complex": lambda: np.complex128(1.0),
    "a date": lambda: np.datetime64("2024-01-01"),
    "a length of time": lambda: np.timedelta64(5, "s"),
    "masked": lambda: np.ma.masked,
    "a masked array": lambda: np.ma.array([[1.0, 2.0]], mask=[[False, True]]),
    "a list of masked arrays": lambda: [np.ma.array([1.0, 2.0], mask=[False, True])],
    "a complex array": lambda: np.ones((1, 2)) + 0j,
    "JAX's complex array": lambda: jnp.ones((1, 2)) + 0j,
    "dates": lambda: np.array([["2024-01-01", "2024-01-02"]], dtype="M8[D]"),
    "texts": lambda: np.array([["1", "2"]]),
    "objects": lambda: np.array([[1.0, 2.0]], dtype=object),
    "None among numbers": lambda: [[None, 1.0]],
    "all NaN": lambda: [[math.nan, math.nan]],
    "beyond a float": lambda: [[10**400, 0]],
    "rows of different lengths": lambda: [[1.0], [1.0, 2.0]],
    "more than any memory": lambda: np.broadcast_to(0.0, (10**3, 10**13)),
    "a generator of nothing": lambda: (x for x in ()),
    "an empty array": lambda: np.zeros(0),
    "three zeros": lambda: np.zeros(3),
    "too many dimensions": lambda: [[[[1.0]]]],
    "a list in itself": endless_list,
}

# What each argument takes of these (besides what it is made for).
TAKES = {
    "rng": ("10**400",),
    "phase name": ("a number as text",),
    "clamp": ("None",),
    "until": ("None",),
    "samples": ("None",),
    "learn": ("true",),
    "save": ("None",),
    "probes": ("None",),
    "attributes": ("None",),
    "progress": ("None", "a type"),
    "stop": ("None", "a type"),
    "inputs": ("all NaN",),
    "targets": ("None", "all NaN"),
    "seed": ("10**400",),
    "changes": ("an empty list", "a generator of nothing", "an empty array"),
    "train": ("None",),
    "origin": ("None",),
    "options": ("None",),
    "probe": ("a type",),
}


def prepared(**changes):
    """All that `simulate` does before it computes."""
    arguments = {"network": NETWORK, "phases": [PHASE], "weights": WEIGHTS} | changes
    network, phases = arguments.pop("network"), arguments.pop("phases")
    simulation = pcode.Simulation(network, **arguments)
    simulation.check(phases)
    return simulation


def in_phase(**changes):
    return prepared(phases=[Phase(**{"name": "p", "clamp": {0: X, 2: Y}, "duration": 0.5} | changes)])


def started(**parts):
    return pcode.simulate(NETWORK, [PHASE], weights=WEIGHTS, nodes=STATE._replace(**parts))


CALLS = {
    "sizes": lambda v: Network(sizes=v),
    "activation": lambda v: Network((2, 1), activation=v),
    "tau": lambda v: Network((2, 1), tau=v),
    "delta": lambda v: Network((2, 1), delta=v),
    "nu": lambda v: Network((2, 1), nu=v),
    "weight_decay": lambda v: Network((2, 1), weight_decay=v),
    "node_decay": lambda v: Network((2, 1), node_decay=v),
    "feedback": lambda v: Network((2, 1), feedback=v),
    "rng": lambda v: NETWORK.init_weights(v),
    "init": lambda v: NETWORK.init_weights(0, init=v),
    "scale": lambda v: NETWORK.init_weights(0, scale=v),
    "W": lambda v: NETWORK.init_weights(0, W=v),
    "weights": lambda v: prepared(weights=v),
    "M": lambda v: prepared(weights=WEIGHTS._replace(M=v)),
    "weights.W": lambda v: prepared(weights=WEIGHTS._replace(W=v)),
    "beta": lambda v: prepared(weights=WEIGHTS._replace(beta=v)),
    "M0": lambda v: NETWORK.check_weights(WEIGHTS._replace(M=(v, WEIGHTS.M[1]))),
    "phase name": lambda v: in_phase(name=v),
    "clamp": lambda v: in_phase(clamp=v),
    "clamp[0]": lambda v: in_phase(clamp={0: v}),
    "duration": lambda v: in_phase(duration=v),
    "learn": lambda v: in_phase(learn=v),
    "until": lambda v: in_phase(until=v),
    "settle_tol": lambda v: in_phase(settle_tol=v),
    "samples": lambda v: in_phase(samples=v),
    "t": lambda v: TimeSeries(v, np.zeros((2, 1, 2))),
    "values": lambda v: TimeSeries([0.0, 1.0], v),
    "nodes": lambda v: prepared(nodes=v),
    "nodes.x": lambda v: started(x=v),
    "nodes.eps": lambda v: started(eps=v),
    "nodes.x[0]": lambda v: started(x=(v, *STATE.x[1:])),
    "save": lambda v: prepared(save=v),
    "save nodes": lambda v: Save(nodes=v),
    "save weights": lambda v: Save(weights=v),
    "spacing": lambda v: Save(spacing=v),
    "memory": lambda v: Save(memory=v),
    "network": lambda v: prepared(network=v),
    "phases": lambda v: prepared(phases=v),
    "method": lambda v: prepared(method=v),
    "rtol": lambda v: prepared(rtol=v),
    "atol": lambda v: prepared(atol=v),
    "max_steps": lambda v: prepared(max_steps=v),
    "probes": lambda v: prepared(probes=v),
    "probe": lambda v: prepared(probes={"probe": v}),
    "attributes": lambda v: prepared(attributes=v),
    "progress": lambda v: prepared(progress=v),
    "stop": lambda v: prepared(stop=v),
    "data": lambda v: Run(v),
    "inputs": lambda v: Data(v),
    "targets": lambda v: Data(X, v),
    "train": lambda v: Data(X).split(train=v),
    "origin": lambda v: Data(X, origin=v),
    "seed": lambda v: Data(X).split(train=1, seed=v),
    "changes": lambda v: Scenario.load("xor", v),
    "run": lambda v: ask(v, "spectrum"),
    "a run to draw": lambda v: energy(v),
    "a run to film": lambda v: animate(v, "film.gif"),
    "answer": lambda v: spectrum(v),
    "fig": lambda v: save_figure(v, "figure.png"),
}
NAMED = {"phase name": "name", "weights.W": "W", "save nodes": "nodes", "save weights": "weights"}
NAMED |= {"nodes.x[0]": "nodes.x", "a run to draw": "run", "a run to film": "run"}


@pytest.mark.parametrize("argument", CALLS)
def test_an_odd_value_is_refused_by_the_name_of_its_argument(argument, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told, taken = {}, []
    for name, make in ODD.items():
        try:
            CALLS[argument](make())
            taken.append(name)
        except InputError as error:
            told[name] = error
    unnamed = [str(error) for error in told.values() if NAMED.get(argument, argument) not in error.where]
    assert not unnamed
    assert not [str(error) for error in told.values() if len(str(error)) > 400]
    assert sorted(taken) == sorted(TAKES.get(argument, ()))
    assert not list(tmp_path.iterdir())


ONE = {
    "float": 1.0,
    "int": 1,
    "np.float32": np.float32(1.0),
    "np.int64": np.int64(1),
    "NumPy, no dimensions": np.array(1.0),
    "JAX": jnp.asarray(1.0),
    "JAX, whole": jnp.asarray(1),
    "JAX, short": jnp.bfloat16(1.0),
}


@pytest.mark.parametrize("one", ONE.values(), ids=ONE)
def test_a_number_is_a_number_of_whatever_library(one):
    network = Network((2, 1), tau=one, delta=one, nu=one, weight_decay=one, node_decay=one)
    assert network == Network((2, 1), tau=1.0, delta=1.0, nu=1.0, weight_decay=1.0, node_decay=1.0)
    assert all(type(value) is float for value in (network.tau, network.delta, *network.nu))
    assert Network((2, 1, 1), nu=[one, 2.0]).nu == (1.0, 2.0)
    phase = Phase("p", duration=one, settle_tol=one)
    assert (phase.duration, phase.settle_tol) == (1.0, 1.0)
    assert Save(memory=one).memory == 1.0
    made, expected = network.init_weights(0, scale=one), network.init_weights(0)
    np.testing.assert_array_equal(made.M[0], expected.M[0])
    small = np.asarray(one, dtype=np.float64)[()] * np.float32(2.0**-10)
    assert prepared(rtol=small, atol=small).settings.rtol == 2.0**-10


FIVE = {"int": 5, "np.int64": np.int64(5), "np.uint8": np.uint8(5), "0-d": np.array(5), "JAX": jnp.asarray(5)}


@pytest.mark.parametrize("five", FIVE.values(), ids=FIVE)
def test_a_whole_number_is_one_of_whatever_library(five):
    assert Network((five, five)).sizes == (5, 5)
    saved = Save(nodes=five, weights=five)
    assert (saved.nodes, saved.weights) == (5, 5)
    assert type(saved.nodes) is int
    assert prepared(max_steps=five).settings.max_steps == 5
    assert Phase("p", duration=1.0, samples=[five]).samples == (5,)
    assert list(Phase("p", {five.item() if hasattr(five, "item") else five: X}, duration=1.0).clamp) == [5]
    np.testing.assert_array_equal(NETWORK.init_weights(five).M[0], NETWORK.init_weights(5).M[0])
    assert len(Data(np.eye(9)).split(train=five)) == 5


@pytest.mark.parametrize("no", [False, np.bool_(False), np.array(False), jnp.asarray(False)])
def test_a_truth_is_one_of_whatever_library(no):
    assert Phase("p", duration=1.0, learn=no).learn is False


def test_lists_are_any_iterables():
    assert Network(iter((2, 3, 1))) == Network(np.array([2, 3, 1])) == Network(jnp.asarray([2, 3, 1]))
    assert Network((2, 3, 1), (n for n in ("tanh", "relu"))).activation == ("tanh", "relu")
    made = pcode.simulate(NETWORK, (phase for phase in [PHASE, PHASE]), weights=WEIGHTS)
    assert len(made.phases) == 2


def test_whole_numbers_beyond_64_bits_are_numbers():
    assert Data([[10**20, 1]]).inputs.tolist() == [[1e20, 1.0]]


LOSING = {
    "complex": (np.ones((1, 2)) * 1j, "complex"),
    "dates": (np.array([["2024-01-01", "2024-01-02"]], dtype="M8[s]"), "dates"),
    "masked": (np.ma.array([[1.0, 2.0]], mask=[[0, 1]]), "masked"),
    "text": (np.array([["1", "2"]]), "text"),
    "objects": (np.array([[1.0, None]], dtype=object), "objects"),
}


@pytest.mark.parametrize(("array", "told"), LOSING.values(), ids=LOSING)
@pytest.mark.parametrize("argument", ["clamp[0]", "values", "inputs", "targets", "M0", "nodes.x[0]"])
def test_what_would_lose_something_on_the_way_is_refused_in_the_same_words(argument, array, told):
    with pytest.raises(InputError, match=rf"holds {told}.*; it must be real numbers in a regular array"):
        CALLS[argument](array)


@pytest.mark.parametrize("held", [np.ones((2, 2)) * 1j, np.array([["2024-01-01"] * 2] * 2, dtype="M8[D]")])
def test_what_a_file_holds_is_refused_in_the_same_words(held, tmp_path):
    np.savez(tmp_path / "d.npz", inputs=held)
    with pytest.raises(InputError, match=r"array inputs in .*d\.npz holds .*; it must be real numbers"):
        Data.load(tmp_path / "d.npz")


@pytest.mark.parametrize("cell", ["1+2j", "2024-01-01", "1_000", "one"])
def test_a_cell_that_is_no_number_is_refused(cell, tmp_path):
    (tmp_path / "d.csv").write_text(f"input0\n{cell}\n")
    with pytest.raises(InputError, match=r"input0 in line 2 of .*d\.csv must be a number"):
        Data.load(tmp_path / "d.csv")


@pytest.mark.parametrize("rtol", [0.9, 0.05, 1e-15, 0.0])
@pytest.mark.parametrize("method", ["cvode", "Radau", "Tsit5", "auto"])
def test_tolerances_that_bound_nothing_are_refused_whatever_the_method(rtol, method):
    with pytest.raises(InputError, match=r"rtol: must be from 2\.2e-14 to 0\.01, not"):
        prepared(rtol=rtol, method=method)


@pytest.fixture(scope="module")
def short():
    """A run that is quickly done."""
    return pcode.simulate(NETWORK, [PHASE], weights=WEIGHTS, method="DOP853", save=Save(3, 3))


def simulated(**changes):
    two = [PHASE, Phase("test", {0: X}, duration=0.5, learn=False)]
    return pcode.simulate(NETWORK, two, weights=WEIGHTS, method="DOP853", save=Save(3, 3), **changes)


def fail(*_):
    raise ValueError("boom")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.array(2.0), 2.0),
        (jnp.asarray(3), 3.0),
        (np.bool_(True), 1.0),
        (np.array([[1.0, 2.0]]), [[1.0, 2.0]]),
        (jnp.arange(3), [0.0, 1.0, 2.0]),
        ([1, 2], [1.0, 2.0]),
        (None, None),
    ],
)
def test_a_probe_may_return_numbers_and_arrays_of_whatever_library(value, kept, tmp_path):
    run = simulated(probes={"p": lambda state, phase: value})
    run.save(tmp_path / "run.nc")
    for found in (run, Run.load(tmp_path / "run.nc")):
        assert [record.probes.get("p") for record in found.phases] == [kept, kept]
        assert found.notes == ()


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        (fail, r"probe 'p' at the end of phase 'train' raised ValueError\('boom'\); no value is kept"),
        (lambda state, phase: "text", "probe 'p' at the end of phase 'train': holds text"),
        (lambda state, phase: 1j, "probe 'p' at the end of phase 'train': holds complex numbers"),
        (lambda state: 1.0, "probe 'p' at the end of phase 'train' raised TypeError"),
    ],
)
def test_a_probe_at_fault_costs_its_value_and_not_the_run(probe, told, tmp_path):
    run = simulated(probes={"p": probe, "q": lambda state, phase: 1.0})
    assert run.status == "success"
    assert [record.probes for record in run.phases] == [{"q": 1.0}, {"q": 1.0}]
    assert len(run.notes) == 2  # of each phase
    assert re.search(told, run.notes[0])
    assert f"note: {run.notes[0]}" in repr(run)
    run.save(tmp_path / "run.nc")
    assert Run.load(tmp_path / "run.nc").notes == run.notes


def test_what_a_probe_does_to_its_arguments_does_not_reach_the_run():
    def meddle(state, phase):
        for array in (*state.x, *state.eps, *state.weights.M):
            array[:] = 7.0

    meddled, left = simulated(probes={"p": meddle}), simulated()
    np.testing.assert_array_equal(meddled.weights.M[0], left.weights.M[0])
    np.testing.assert_array_equal(meddled.state.x[1], left.state.x[1])


def test_a_progress_that_raises_is_not_called_again_and_the_run_goes_on():
    calls = []

    def progress(now):
        calls.append(now)
        fail()

    run = simulated(progress=progress)
    assert run.status == "success"
    assert len(calls) == 1
    assert run.notes == ("progress raised ValueError('boom') in phase 'train'; it was not called again",)


@pytest.mark.parametrize("answer", [fail, lambda: np.ones(3)])
def test_a_stop_that_raises_or_gives_no_answer_ends_the_run_with_what_was_reached(answer):
    run = simulated(stop=answer)
    assert run.status == "interrupted"
    assert np.isfinite(run.state.x[1]).all()
    assert "stop raised ValueError" in run.notes[0]


@pytest.mark.parametrize("answer", [np.bool_(False), np.array(0), jnp.asarray(False), None])
def test_a_stop_may_answer_in_whatever_library(answer):
    run = simulated(stop=lambda: answer)
    assert (run.status, run.notes) == ("success", ())


@pytest.mark.parametrize(
    "value", [None, {}, True, "a\0b", "\ud800", 10**30, np.datetime64("2024-01-01"), object(), [1, "a"]]
)
def test_an_attribute_that_no_file_can_hold_is_refused_before_the_run(value):
    with pytest.raises(
        InputError, match=r"attributes\[a\]: (cannot be stored in a NetCDF|has the character)"
    ):
        prepared(attributes={"a": value})


@pytest.mark.parametrize("name", ["network", "status", "phases", "notes", "rtol"])
def test_an_attribute_does_not_take_the_place_of_the_runs_own(name, short):
    assert name in short.data.attrs
    with pytest.raises(InputError, match=rf"attributes\[{name}\]: is the name of one of the run's own"):
        prepared(attributes={name: "x"})


def test_all_attributes_of_a_run_are_known_as_its_own(short):
    from pcode.run.result import OWN

    assert set(short.data.attrs) == set(OWN) - {"time_unit", "of_presentation"}  # see tests/test_units.py


def test_attributes_may_be_numbers_of_whatever_library(tmp_path):
    given = {"a": jnp.asarray(2.0), "b": np.array(3), "c": np.float32(0.5), "d": [1, 2], "e": ""}
    run = pcode.simulate(NETWORK, [PHASE], weights=WEIGHTS, method="DOP853", attributes=given)
    run.save(tmp_path / "run.nc")
    back = Run.load(tmp_path / "run.nc").data.attrs
    assert (back["a"], back["b"], back["c"], list(back["d"]), back["e"]) == (2.0, 3, 0.5, [1, 2], "")


def test_a_tilde_is_the_home(short, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    short.save("~/x.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["x.nc"]
    assert Run.load("~/x.nc").status == "success"
    save_figure(Figure(), "~/f.png")
    np.savez(tmp_path / "d.npz", inputs=np.ones((1, 1)))
    assert len(Data.load("~/d.npz")) == 1


WRITERS = {
    "save": lambda run, path: run.save(path),
    "save_figure": lambda run, path: save_figure(Figure(), path),
    "animate": lambda run, path: animate(run, path, seconds=0.2),
}


@pytest.mark.parametrize(("writer", "suffix"), [("save", "nc"), ("save_figure", "png"), ("animate", "gif")])
def test_a_place_that_cannot_be_written_is_told_by_its_own_name(writer, suffix, short, tmp_path, monkeypatch):
    write, target = WRITERS[writer], tmp_path / f"x.{suffix}"
    with pytest.raises(InputError, match="there is no"):
        write(short, tmp_path / "none" / f"x.{suffix}")
    target.mkdir()
    with pytest.raises(InputError, match=rf"x\.{suffix}: path: is a folder; give the name of a file in it"):
        write(short, target)
    for bad in (None, 5, "", "a\0b"):
        with pytest.raises(InputError, match="path: must be the path of a file"):
            write(short, bad)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(("writer", "suffix"), [("save", "nc"), ("save_figure", "png"), ("animate", "gif")])
def test_a_device_or_a_pipe_is_not_replaced(writer, suffix, short, tmp_path):
    pipe = tmp_path / f"x.{suffix}"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=rf"x\.{suffix}: path: is no ordinary file; give the name of one"):
        WRITERS[writer](short, pipe)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_fault_while_writing_names_the_file_that_was_asked_for(short, tmp_path, monkeypatch):
    def fails(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    for write in (short.save, lambda path: save_figure(Figure(), path)):
        with pytest.raises(OSError, match="No space left") as caught:
            write(tmp_path / "x.png")
        assert caught.value.filename == str(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_a_name_as_long_as_the_system_allows_can_be_written(short, tmp_path):
    short.save(tmp_path / f"{'x' * 252}.nc")


def test_a_folder_and_a_file_of_something_else_are_no_runs(tmp_path, short):
    with pytest.raises(InputError, match=r"run: is a folder; give the run\.nc in it"):
        Run.load(tmp_path)
    broken = short.data.copy()
    broken.attrs["phases"] = "no JSON"
    broken.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"x\.nc: run: holds no run that this version of pcode can read"):
        Run.load(tmp_path / "x.nc")


def test_an_odd_network_is_noted_and_an_ordinary_one_is_not(short):
    slow = Network((2, 3, 1), tau=2.0, delta=1.0)
    run = pcode.simulate(slow, [PHASE], weights=WEIGHTS, method="DOP853")
    assert run.notes[0].startswith("delta = 1 is less than tau = 2")
    assert short.notes == ()
    held = Phase("test", {0: X}, duration=0.5, learn=False)
    assert pcode.simulate(slow, [held], weights=WEIGHTS, method="DOP853").notes == ()


def test_options_of_a_question_may_be_numbers_of_whatever_library(short):
    plain = ask(short, "spectrum", {"phase": 0, "time": 0.25})
    assert ask(short, "spectrum", {"phase": jnp.asarray(0), "time": np.array(0.25)}).lines() == plain.lines()
    with pytest.raises(InputError, match="phase"):
        ask(short, "spectrum", {"phase": 1j})


@pytest.mark.parametrize("method", ["DOP853", "BDF"])
def test_what_overflows_is_told_by_the_status_and_by_no_warning(method):
    network = Network((2, 3, 1), activation="square")
    weights = network.init_weights(0, scale=1e3)
    phase = Phase("train", {0: np.multiply(X, 1e3), 2: Y}, duration=5.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = pcode.simulate(network, [phase], weights=weights, method=method, max_steps=300)
    assert run.status != "success"


@pytest.mark.parametrize(
    ("question", "option", "value"),
    [("equilibrium", "starts", 10**30), ("backprop", "variances", []), ("spectrum", "moments", -1)],
)
def test_an_option_beyond_all_bounds_is_refused(question, option, value, short):
    with pytest.raises(InputError, match=f"{option}: must be"):
        ask(short, question, {option: value})

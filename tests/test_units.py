"""Times with a unit: in networks, phases, series, scenarios, results and on axes.

Expectations are conversions done by hand, and runs of the same network in plain numbers.
"""

import json

import numpy as np
import pint
import pytest
import xarray as xr

import pcode
from pcode import InputError, Network, Phase, TimeSeries
from pcode.cli import main
from pcode.plotting.recipes import Recipe
from pcode.run.result import OWN

ureg = pint.UnitRegistry()
SIZES = (1, 2, 1)
CLAMP = {0: [[0.8]], 2: [[-0.5]]}


@pytest.mark.parametrize(
    ("tau", "delta", "unit", "numbers"),
    [
        ("10 ms", "5 s", "ms", (10.0, 5000.0)),
        ("0.01s", "5s", "s", (0.01, 5.0)),
        (10 * ureg.ms, ureg.Quantity(5, "second"), "ms", (10.0, 5000.0)),
        ("3 us", "2.5e1 microseconds", "µs", (3.0, 25.0)),
        (ureg.Quantity(0.1, "1/kHz"), "1 min", "s", (1e-4, 60.0)),
        (0, "2 h", "h", (0.0, 2.0)),
    ],
)
def test_time_constants_are_kept_in_the_unit_of_the_first_that_has_one(tau, delta, unit, numbers):
    network = Network(SIZES, tau=tau, delta=delta)
    assert network.time_unit == unit
    assert (network.tau, network.delta) == numbers


def test_a_unit_of_its_own_takes_plain_numbers_and_converts_the_others():
    network = Network(SIZES, tau=10.0, delta="5 s", time_unit="milliseconds")
    assert (network.time_unit, network.tau, network.delta) == ("ms", 10.0, 5000.0)
    assert Network(**network.to_dict()) == network


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tau": "10 ms"}, r"^delta: 200 has no unit, but tau = 10 ms has one"),
        ({"tau": 10.0, "delta": "5 s"}, r"^tau: 10 has no unit, but delta = 5 s has one"),
        ({"tau": "10 m", "delta": "5 s"}, r"^tau: has the unit 'm', which is not one of time; use ms"),
        ({"tau": "10", "delta": "5 s"}, r"^tau: must be a number, or a time with a unit"),
        ({"tau": "9**9 ms", "delta": "5 s"}, r"^tau: must be a number, or a time with a unit"),
        ({"tau": "-10 ms", "delta": "5 s"}, r"^tau: must be 0 \(nodes always at rest\) or more, not -10"),
        ({"tau": "10 ms", "delta": "0 s"}, r"^delta: must be positive"),
        ({"tau": 3 * ureg.m, "delta": "5 s"}, r"^tau: must be a time, not"),
        ({"time_unit": "furlong"}, r"^time_unit: is 'furlong', which is not a unit of time"),
        ({"time_unit": 3}, r"^time_unit: must be a text, not 3"),
    ],
)
def test_a_mix_and_what_is_no_time_are_refused_naming_the_argument(arguments, said):
    with pytest.raises(InputError, match=said):
        Network(SIZES, **arguments)


def _run(network, duration, series_times, **phase):
    drive = TimeSeries(series_times, [[[0.2]], [[1.0]], [[-0.4]]])
    phases = [
        Phase("train", clamp=CLAMP, duration=duration, **phase),
        Phase("follow", clamp={0: drive}, duration=duration, learn=False),
    ]
    return pcode.simulate(network, phases, weights=network.init_weights(rng=3), method="cvode")


def test_a_run_with_units_is_the_run_of_the_plain_numbers():
    run = _run(Network(SIZES, tau="10 ms", delta="0.5 s"), 0.3 * ureg.s, ["0 s", "0.1 s", "250 ms"])
    plain = _run(Network(SIZES, tau=10.0, delta=500.0), 300.0, [0.0, 100.0, 250.0])
    xr.testing.assert_equal(run.data.drop_attrs(), plain.data.drop_attrs())
    assert [(p.t_start, p.t_end) for p in run.phases] == [(0.0, 300.0), (300.0, 600.0)]


def test_phases_and_series_are_converted_into_the_unit_of_the_network():
    times = [0.0, ureg.Quantity(100.0, "ms"), "0.25 s"]
    in_seconds = Network(SIZES, tau="0.01 s", delta="0.5 s")
    run = _run(in_seconds, "300 ms", times)
    plain = _run(Network(SIZES, tau=0.01, delta=0.5), 0.3, [0.0, 0.1, 0.25])
    xr.testing.assert_equal(run.data.drop_attrs(), plain.data.drop_attrs())


@pytest.mark.parametrize(
    ("network", "phase", "said"),
    [
        ({"tau": "10 ms", "delta": "5 s"}, {"duration": 100.0}, r"^phases\[0\].duration: has no unit, but"),
        ({}, {"duration": "5 s"}, r"^phases\[0\].duration: has a unit \(s\), but tau and delta have none"),
        (
            {"tau": "10 ms", "delta": "5 s"},
            {"duration": "1 s", "clamp": {0: TimeSeries([0.0, 5.0], np.zeros((2, 1, 1)))}},
            r"^phases\[0\].clamp\[0\].t: has no unit",
        ),
        (
            {},
            {"duration": 1.0, "clamp": {0: TimeSeries(["0 s", "5 s"], np.zeros((2, 1, 1)))}},
            r"^phases\[0\].clamp\[0\].t: has a unit \(s\)",
        ),
        (
            {"tau": "10 ms", "delta": "5 s"},
            {"duration": "1 s", "clamp": {0: pcode.Expression("1/(t - 500)")}},
            r"^phases\[0\].clamp\[0\]: is inf at t = 500",
        ),
    ],
)
def test_a_mix_of_a_network_with_its_phases_is_refused_before_anything_runs(network, phase, said):
    made = Network(SIZES, **network)
    with pytest.raises(InputError, match=said):
        pcode.simulate(made, [Phase("p", **phase)], weights=made.init_weights(rng=0))


def test_a_network_that_names_its_unit_takes_phases_in_plain_numbers():
    made = Network(SIZES, tau=10.0, delta=5000.0, time_unit="ms")
    run = pcode.simulate(made, [Phase("p", clamp=CLAMP, duration=50.0)], weights=made.init_weights(rng=0))
    assert run.phases[0].t_end == 50.0


@pytest.mark.parametrize("t", [["0 s", 5.0], [3.0, "5 s"], [1.0, 2.0 * ureg.s]])
def test_a_mix_within_a_series_is_refused(t):
    with pytest.raises(InputError, match=r"^t\[\d\]: \d has no unit, but t\[\d\] = "):
        TimeSeries(t, np.zeros((2, 1, 1)))


def test_the_time_of_an_expression_is_in_the_unit_of_the_network():
    made = Network((1, 1), tau="10 ms", delta="5 s")
    phase = Phase("p", clamp={0: pcode.Expression("t")}, duration="0.2 s", learn=False)
    run = pcode.simulate(made, [phase], weights=made.init_weights(rng=0))
    assert float(run.data.x0[-1, 0, 0]) == 200.0


@pytest.fixture(scope="module")
def in_ms():
    return _run(Network(SIZES, tau="10 ms", delta="0.5 s"), "5 s", ["0 s", "0.1 s", "250 ms"])


def test_the_result_names_its_unit_and_other_readers_keep_numbers(in_ms, tmp_path):
    in_ms.save(tmp_path / "run.nc")
    for decode in (None, True):
        with xr.open_dataset(tmp_path / "run.nc", decode_timedelta=decode) as data:
            assert data.attrs["time_unit"] == "ms"
            assert set(data.attrs) == set(OWN) - {"of_presentation"} - {"of_presentation"}
            for name in ("time", "weight_time"):
                assert data[name].dtype == np.float64
                assert (data[name].attrs.get("units") or data[name].encoding["units"]) == "ms"
            assert float(data["time"][-1]) == 10_000.0
        with xr.open_dataset(tmp_path / "run.nc", group="solver", decode_timedelta=decode) as steps:
            assert steps["step_time"].dtype == np.float64
    loaded = pcode.Run.load(tmp_path / "run.nc")
    assert loaded.network == in_ms.network
    assert "t = 0 to 5000 ms" in repr(loaded)


def test_moments_may_be_named_with_their_unit(in_ms):
    from pcode.analysis import Snapshot, ask

    assert Snapshot.of(in_ms, time="2.5 s").t == Snapshot.of(in_ms, time=2500.0).t
    assert ask(in_ms, "spectrum", {"time": "2.5 s"}).t == ask(in_ms, "spectrum", {"time": 2500}).t
    with pytest.raises(InputError, match="lasts from 0 to 10000 ms, and has no t = 60000"):
        Snapshot.of(in_ms, time="1 min")


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("convergence", "t = 0 to 5000 ms"),
        ("spectrum", "t = 5000 ms"),
        ("equilibrium", "t = 5000 ms"),
        ("backprop", "t = 5000 ms"),
        ("stability", "t = 5000 ms"),
    ],
)
def test_answers_name_the_unit_of_their_times_and_rates(in_ms, question, line):
    from pcode.analysis import ask

    told = str(ask(in_ms, question, {"phase": "train"}))
    assert line in told
    assert question == "backprop" or "times in ms, rates in 1/ms" in told


def test_each_clock_has_axes_in_a_unit_of_its_own(in_ms):
    nodes = in_ms.plot.value_nodes(1, phase="train", log_time=True)
    assert nodes.get_xlabel() == "time, $t$ (ms)"
    assert nodes.get_xlim()[1] == 5000.0
    drift = in_ms.plot.weight_drift(0)
    assert drift.get_xlabel() == "time, $t$ (s)"
    assert drift.get_xlim()[1] == 10.0
    assert in_ms.plot.value_nodes(1).get_xlabel() == "time, $t$ (s)"  # evenly spaced, over ten seconds


@pytest.mark.parametrize(("clock", "label", "end"), [
    ("time", "time, $t$ (s)", 10.0),
    ("ms", "time, $t$ (ms)", 10_000.0),
    ("min", "time, $t$ (min)", 1.0 / 6.0),
    ("tau", r"time, $t / \tau$", 1_000.0),
    ("delta", r"time, $t / \delta$", 20.0),
])  # fmt: skip
def test_a_clock_may_be_asked_for(in_ms, clock, label, end):
    ax = in_ms.plot.weight_drift(0, clock=clock)
    assert ax.get_xlabel() == label
    np.testing.assert_allclose(ax.get_xlim()[1], end, rtol=1e-15)


@pytest.mark.parametrize("recipe", ["overview", "node_convergence", "weight_drift", "energy", "solver"])
def test_every_time_axis_of_a_recipe_says_a_unit_of_time(in_ms, recipe):
    figure = Recipe.load(recipe).draw(in_ms)
    labels = [ax.get_xlabel() for ax in figure.axes if "time" in ax.get_xlabel()]
    assert labels
    assert all(label.endswith(("(ms)", "(s)")) for label in labels)


SCENARIO = """
[network]
sizes = [1, 2, 1]
tau = "10 ms"
delta = "5 s"
[data]
inputs = [[0.8]]
targets = [[-0.5]]
[[phase]]
name = "train"
clamp = "both"
duration = "2 s"
[[phase]]
name = "follow"
clamp = { 0 = { t = ["0 s", "50 ms"], values = [[[0.0]], [[1.0]]] } }
learn = false
duration = "100 ms"
[plots]
recipes = []
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(SCENARIO)
    return path


def test_a_scenario_takes_times_with_units_and_the_report_says_the_unit(scenario, tmp_path):
    out = tmp_path / "r"
    assert main(["run", str(scenario), "--out", str(out), "--set", "phase.0.duration=1 s"]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["time_unit"] == "ms"
    assert [phase["t_end"] for phase in report["phases"]] == [1000.0, 1100.0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("network.delta=200", "network.delta: 200 has no unit, but tau = 10 ms has one"),
        ("network.tau=10 apples", "network.tau: has the unit 'apples'"),
        ("phase.0.duration=10", "phase.0.duration: has no unit"),
        ("phase.0.duration=-1 s", "phase.0.duration: must be positive"),
        ("phase.1.clamp.0.t=[0, 50]", "phase.1.clamp.0.t: has no unit"),
        ('phase.1.clamp.0.t=[1, "50 ms"]', "phase.1.clamp.0.t.0: 1 has no unit"),
        ("phase.1.duration=[1]", "phase.1.duration: must be a number, or a time with a unit"),
    ],
)
def test_a_mix_in_a_scenario_is_refused_naming_the_key(scenario, capsys, change, said):
    assert main(["check", str(scenario), "--set", change]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


DRIVE = """\
t (ms),left,right
0,0.5,-1
100,1.5,1
100,0,0
1e3,0,0.25
"""


def test_a_time_series_is_read_from_a_file_with_the_unit_of_its_header(tmp_path):
    (tmp_path / "drive.csv").write_text(DRIVE)
    series = TimeSeries.load(tmp_path / "drive.csv", samples=2)
    assert series.time_unit == "ms"
    np.testing.assert_array_equal(series.t, [0.0, 100.0, 100.0, 1000.0])
    np.testing.assert_array_equal(series.at(50.0), [[1.0, 0.0], [1.0, 0.0]])  # half way, for both samples
    np.savez(tmp_path / "drive.npz", t=series.t, values=series.values)
    again = TimeSeries.load(tmp_path / "drive.npz", time_unit="ms")
    np.testing.assert_array_equal(again.values, series.values)
    np.testing.assert_array_equal(TimeSeries.load(tmp_path / "drive.csv", time_unit="s").t, [0, 0.1, 0.1, 1])
    with pytest.raises(InputError, match="time_unit: is 'kg'"):
        TimeSeries.load(tmp_path / "drive.csv", time_unit="kg")


FROM_FILE = """
[network]
sizes = [2, 1]
tau = "10 ms"
delta = "5 s"
[[phase]]
clamp = { 0 = { file = "drive.csv" } }
learn = false
duration = "0.5 s"
[plots]
recipes = []
"""


def test_a_scenario_takes_a_time_series_from_a_file(tmp_path):
    (tmp_path / "drive.csv").write_text(DRIVE)
    (tmp_path / "s.toml").write_text(FROM_FILE)
    assert main(["run", str(tmp_path / "s.toml"), "--out", str(tmp_path / "r")]) == 0
    run = pcode.Run.load(tmp_path / "r" / "run.nc")
    x0, t = run.data.x0.to_numpy()[:, 0], run.data.time.to_numpy()
    early = t < 100.0
    np.testing.assert_allclose(x0[early, 0], 0.5 + t[early] / 100.0, rtol=1e-12)
    assert x0[-1].tolist() == pytest.approx([0.0, 0.25 * 400.0 / 900.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("left,right\n0,1\n", "must have a column t of times"),
        ("t\n0\n", "must have a column t of times and one for each node"),
        ("t (kg),left,right\n0,0,0\n", "is 'kg', which is not a unit of time"),
        ("t,left,right\n0,0,0\n5,0,0\n", "clamp.0.t: has no unit"),
        ("t (ms),left,right\n5,0,0\n0,0,0\n", "t must be finite and never decrease"),
        ("t (ms),left,right\n,0,0\n0,0,0\n", "t must be finite"),
        ("t (ms),left,right\n0,a,0\n", "left in line 2"),
        ("t (ms);left;right\n0;1,5;0\n", "uses ';' between columns"),
        ("t (ms),left\n0,0\n", "has 1 values a sample; layer 0 has 2 nodes"),
    ],
)
def test_a_file_that_holds_no_time_series_is_refused_with_its_name(tmp_path, capsys, text, said):
    (tmp_path / "drive.csv").write_text(text)
    (tmp_path / "s.toml").write_text(FROM_FILE)
    assert main(["check", str(tmp_path / "s.toml")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "phase.0.clamp" in err
    assert err.count("\n") == 1

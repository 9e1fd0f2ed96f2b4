"""Numbers that figures write, in labels, notes and legends: as put in, or worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import pcode
from pcode import plotting
from pcode.model.network import Network
from pcode.plotting.marks import number, round_times, time_marks
from pcode.plotting.moments import moment_text
from pcode.plotting.network import clock_text
from tests.artists import legend_texts
from tests.synthetic_runs import Stage, single, synthetic_run
from tests.test_printed_answers import BACKPROP, CERTIFICATE, EQUILIBRIUM, NAN, SEPARATION
from tests.test_printed_spectra import RATES, SPECTRUM
from tests.test_recipes import load


def texts(ax):
    return [text.get_text() for text in ax.texts]


def line_of(ax, label):
    return next(line for line in ax.get_lines() if str(line.get_label()).startswith(label))


# --- answers --------------------------------------------------------------------------------------


def test_the_picture_of_separation_writes_slope_tolerance_and_ratios():
    answer = replace(SEPARATION, tolerance=0.025)
    ax = plotting.separation(answer)
    assert legend_texts(ax) == ["full flow", r"slope $0.988 \pm 0.012$"]
    assert texts(ax) == ["2.5% allowed", "this run"]
    lines = {tuple(np.unique(line.get_xdata())) for line in ax.get_lines() if len(line.get_xdata()) == 2}
    assert (1.0 / 200.0,) in lines  # the run's own tau/delta, upright
    ax = plotting.separation(answer, "time")
    assert legend_texts(ax) == [rf"$\delta/\tau = {ratio}$" for ratio in (50, 200, 800)]
    assert texts(ax) == ["2.5% allowed"]


def test_the_picture_of_the_spectrum_writes_the_longest_stable_steps_in_units_of_tau():
    """Of all moments the least step: 0.25 for Euler and 0.5 for RK45, with tau = 2."""
    earlier = replace(RATES, step_euler=0.25, step_rk45=0.5)
    ax = plotting.spectrum(replace(SPECTRUM, tau=2.0, course=(earlier, RATES)))
    labels = legend_texts(ax)
    assert r"stable for Euler, $h = 0.12\,\tau$" in labels
    assert r"stable for RK45, $h = 0.25\,\tau$" in labels
    # |1 + h lambda| <= 1 down to h lambda = -2; Dormand and Prince's method down to -3.3066.
    assert line_of(ax, "stable for Euler").get_xdata().min() == pytest.approx(-2.0 / 0.125, rel=1e-3)
    assert line_of(ax, "stable for RK45").get_xdata().min() == pytest.approx(-3.3066 / 0.25, rel=1e-3)
    assert sorted(line_of(ax, "nodes").get_xdata()) == pytest.approx([-2.0 * 4.321, -2.0 * 0.5])


def test_the_picture_of_a_course_of_spectra_tells_of_how_many_moments(monkeypatch):
    course = replace(SPECTRUM, times=np.array([0.0, 1.0, 5.0]), course=(RATES,) * 3)
    monkeypatch.setattr(pcode.analysis, "ask", lambda run, question, options: course)
    fig = load("spectrum").figure(synthetic_run((2, 3, 1), nodes=5, weights=5), moments=3)
    assert fig.get_suptitle() == "phase train, 3 moments"


def test_the_pictures_of_backprop_certificate_and_equilibrium_stand_at_their_numbers():
    ax = plotting.backprop(BACKPROP, "variance")
    assert [0.25, 0.25] in [list(line.get_xdata()) for line in ax.get_lines()]  # the run's own variance
    ax = plotting.certificate(CERTIFICATE)
    points = [
        tuple(map(float, np.ravel(line.get_data()))) for line in ax.get_lines() if len(line.get_xdata()) == 1
    ]
    assert points == [(0.012345, 0.0), (3.21e-6, 1.0)]  # tolerance and solver; their threshold is the same
    bars = [line.get_xdata() for line in ax.get_lines() if line.get_linewidth() == 2.0]
    np.testing.assert_allclose(bars, 1e-4)
    found = pcode.analysis.equilibrium.Found(5, (np.zeros(2), np.ones(1)), "stable")
    ax = plotting.equilibrium(replace(EQUILIBRIUM, equilibria=(found, replace(found, kind="neutral"))))
    assert legend_texts(ax) == ["equilibrium 1: stable", "equilibrium 2: neutral"]
    assert ax.get_xlabel() == "value nodes, by layer (sample 5)"


# --- times and numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "told"),
    [
        (0.0, "$t$ = 0"),
        (1.0, r"$t$ = 0.5 $\tau$"),
        (49.0, r"$t$ = 24.5 $\tau$"),
        (50.0, r"$t$ = 1 $\delta$"),
        (61728.0, r"$t$ = 1230 $\delta$"),
    ],
)
def test_a_moment_is_told_in_units_of_tau_and_from_one_delta_on_of_delta(t, told):
    """tau = 2 and delta = 50."""
    assert clock_text(single(), t) == told


def test_a_moment_of_a_film_counts_from_the_start_of_its_phase():
    run = synthetic_run(tau=0.5, delta=1000.0)
    assert moment_text(run, 1, 4012.5) == r"$t$ = 25 $\tau$"
    assert moment_text(run, 0, 2500.0) == r"$t$ = 2.5 $\delta$"
    # A phase after the first is saved from the next number after the end of the one before.
    assert moment_text(run, 1, np.nextafter(run.phases[1].t_start, np.inf)) == "$t$ = 0"


def test_without_a_time_constant_of_the_nodes_moments_are_told_in_delta():
    run = synthetic_run((2, 3, 1), tau=0.5, delta=1000.0, nodes=5, weights=5)
    run.data.attrs["network"] = json.dumps(Network((2, 3, 1), tau=0.0, delta=1000.0).to_dict())
    assert clock_text(pcode.Run(run.data), 125.0) == r"$t$ = 0.125 $\delta$"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.5, "0.5"),
        (1e-3, "0.001"),
        (1234.56, "1235"),
        (9999.0, "9999"),
        (1e4, "10^{4}"),
        (2.5e-5, r"2.5\times 10^{-5}"),
        (123456.0, r"1.23\times 10^{5}"),
    ],
)
def test_a_number_in_a_label(value, told):
    assert number(value) == told


def test_round_times_are_where_a_path_is_at_about_equal_parts_of_its_length():
    """Of a path with t = length^2, at 1/6 to 5/6 of 60: 100, 400, 900, 1600 and 2500, to round numbers."""
    length = np.linspace(0.0, 60.0, 601)
    assert round_times(length**2, length) == [100.0, 400.0, 1000.0, 1500.0, 3000.0]
    assert round_times(1e-3 * length**2, length, 1) == [1.0]  # half of it: 0.9


def test_marks_stand_where_the_path_is_at_their_time():
    ax = Figure().subplots()
    ax.set(xlim=(0.0, 10.0), ylim=(0.0, 10.0))
    t = np.linspace(0.0, 9.0, 4)
    time_marks(ax, np.column_stack([t, 9.0 - t]), t, [2.0, 5.0, 50.0], r"\tau", "black")
    assert texts(ax) == [r"$2\,\tau$", r"$5\,\tau$"]
    assert [tuple(np.ravel(line.get_data())) for line in ax.get_lines()] == [(2.0, 7.0), (5.0, 4.0)]


# --- runs -----------------------------------------------------------------------------------------


def test_the_work_of_a_run_is_written_beside_its_bars():
    run = synthetic_run(nodes=5, weights=5)
    records = [record.to_dict() for record in run.phases]
    counts = [(12345, 67890, 321), (7, None, 0)]
    for record, (steps, evaluations, jacobians) in zip(records, counts, strict=True):
        record["stats"] |= {"steps": steps, "rhs_evaluations": evaluations, "jacobian_evaluations": jacobians}
    run.data.attrs["phases"] = json.dumps(records)
    ax = pcode.Run(run.data).plot.solver_work()
    assert texts(ax) == ["12,345", "7", "67,890", "not told", "321", "0"]
    widths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_array_equal(widths, [12345.0, 7.0, 67890.0, NAN, 321.0, NAN])


def test_components_are_told_with_their_share_of_the_variance():
    """Of the variance of all nodes about their means over the saved times, by NumPy's singular values."""
    run = synthetic_run((2, 3, 1), (Stage(samples=(0,)),), nodes=60)
    ax = run.plot.trajectory()
    data = run.data.isel(sample=0)
    points = np.concatenate([data[name].values for name in ("x0", "x1", "x2", "eps1", "eps2")], axis=1)
    s = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    told = [f"PC {k + 1}: {100 * s[k] / s.sum():.3g}% of variance" for k in range(2)]
    assert [ax.get_xlabel(), ax.get_ylabel()] == told


def test_bands_are_named_by_the_quantiles_that_they_are():
    run = synthetic_run((2, 60, 1), nodes=30, weights=5)
    ax = run.plot.value_nodes(1)
    told = [label for label in legend_texts(ax) if "%" in label]
    assert told == ["25% to 75%", "5% to 95%"]
    wide, narrow = (collection.get_paths()[0].vertices for collection in reversed(ax.collections[:2]))
    values = run.data["x1"].values
    k = 20
    t = run.data["time"].values[k] / run.network.tau
    for band, low, high in ((wide, 0.05, 0.95), (narrow, 0.25, 0.75)):
        at = band[np.isclose(band[:, 0], t), 1]
        expected = np.nanquantile(values[k], [low, high])
        np.testing.assert_allclose([at.min(), at.max()], expected)


def test_the_title_of_the_overview_tells_the_network_and_its_constants():
    run = synthetic_run((2, 3, 1), tau=0.5, delta=1250.0, nu=0.25)
    title = load("overview").figure(run).get_suptitle()
    assert title == r"2-3-1, 4 samples:  $\tau$ = 0.5,  $\delta$ = 1250,  $\nu$ = 0.25"
    run.data.attrs["network"] = json.dumps(Network((2, 3, 1), delta=100.0, nu=(2.0, 0.5)).to_dict())
    one = pcode.Run(run.data.isel(sample=[0]))
    records = [record.to_dict() | {"samples": [0]} for record in one.phases]
    one.data.attrs["phases"] = json.dumps(records)
    title = load("overview").figure(pcode.Run(one.data)).get_suptitle()
    assert title == r"2-3-1, 1 sample:  $\tau$ = 1,  $\delta$ = 100,  $\nu$ = 0.5 to 2"


def test_a_block_of_a_drawing_tells_the_sizes_of_its_layers():
    run = synthetic_run((2, 30, 25, 1), nodes=5, weights=5)
    words = texts(plotting.network(run))
    assert "layer 1\n30 nodes" in words
    assert "layer 2\n25 nodes" in words
    assert "$M^{1}$\n30 $\\times$ 25" in words


def test_the_slow_manifold_tells_when_and_at_which_ratio():
    network = pcode.Network(sizes=(1, 1, 1), delta=300.0)
    phase = pcode.Phase("learn", {0: [[1.0]], 2: [[0.8]]}, duration=1234.5)
    weights = pcode.Weights(([[0.5]], [[0.5]]), ([[0.5]], [[0.5]]), ([0.0], [0.0]))
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=80, weights=40))
    ax = run.plot.slow_manifold(ratios=[30.0, 20000.0])
    assert ax.get_title("left") == "other weights held as at t = 1234.5"
    assert {r"$\delta/\tau = 30$", r"$\delta/\tau = 2\times 10^{4}$"} <= set(legend_texts(ax))

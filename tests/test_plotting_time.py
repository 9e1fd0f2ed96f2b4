"""Time axes of the plots: clocks, phases, and logarithmic time over several phases."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from artists import curves, drawn, legend_texts, phase_names
from matplotlib.figure import Figure
from synthetic_runs import AT_ONCE, TEST, TRAIN, Stage, single, synthetic_run, xor

from pcode import Status, plotting
from pcode.run.select import times_of

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("clock", ["tau", "delta", "time"])
def test_the_clock_sets_the_unit_of_time(clock):
    unit = {"tau": 2.0, "delta": 50.0, "time": 1.0}[clock]
    ax = plotting.value_nodes(single(), 1, clock=clock)
    t, _ = drawn(curves(ax)[0])
    np.testing.assert_allclose(t, single().data["time"] / unit)
    assert ax.get_xlim() == pytest.approx((0.0, float(single().data["time"][-1]) / unit))
    assert {"tau": r"\tau", "delta": r"\delta", "time": "unit of"}[clock] in ax.get_xlabel()


def test_nodes_are_on_the_fast_clock_and_weights_on_the_slow_one():
    assert plotting.value_nodes(single(), 1).get_xlabel() == r"time, $t / \tau$"
    assert plotting.weight_drift(single(), 0).get_xlabel() == r"time, $t / \delta$"


def test_phases_are_named_and_their_boundary_is_marked():
    ax = plotting.value_nodes(xor(), 1)
    assert phase_names(ax) == ["train", "test"]
    marks = [line for line in ax.get_lines() if len(line.get_xdata()) == 2]
    assert [line.get_xdata()[0] for line in marks] == [4000.0]
    assert phase_names(plotting.value_nodes(xor(), 1, phase_names=False)) == []


def test_names_of_phases_do_not_overlap_even_where_a_phase_is_short():
    ax = plotting.value_nodes(xor(), 1)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_a_phase_that_failed_says_so():
    run = synthetic_run((2, 3, 1), (Stage(status=Status.DIVERGED, rows=50),))
    assert phase_names(plotting.value_nodes(run, 1)) == ["train (diverged)"]


@pytest.mark.parametrize("phase", [1, -1, "test", ["test"], [1]])
def test_one_phase_can_be_chosen_by_index_or_name(phase):
    ax = plotting.value_nodes(xor(), 2, phase=phase)
    rows = xor().data["phase"] == 1
    t, values = drawn(curves(ax)[0])
    np.testing.assert_allclose(t, xor().data["time"][rows])
    np.testing.assert_array_equal(values, xor().data["x2"][rows, 0, 0])
    assert phase_names(ax) == ["test"]


def test_a_logarithmic_axis_gives_a_decade_the_same_width_in_every_phase():
    ax = plotting.value_nodes(xor(), 1, log_time=True)
    starts = [record.t_start for record in xor().phases]

    def position(t):
        return ax.transData.transform([(t, 0.0)])[0, 0]

    widths = [position(t + 10 * a) - position(t + a) for t in starts for a in (0.1, 1.0)]
    np.testing.assert_allclose(widths, widths[0], rtol=1e-6)
    assert widths[0] > 0


@pytest.mark.parametrize("phase", [None, 0, [0, 2], [0, 3]])
def test_a_logarithmic_axis_rises_everywhere_and_can_be_inverted(phase):
    run = synthetic_run((2, 3, 1), (TRAIN, TEST, TRAIN, AT_ONCE))
    ax = plotting.value_nodes(run, 1, log_time=True, phase=phase)
    saved = np.unique(np.concatenate([times_of(run, k) for k in range(4)]))
    t = np.sort(np.concatenate([saved, np.linspace(-1.0, 9000.0, 1001)]))
    scale = ax.xaxis.get_transform()
    u = scale.transform(t)
    assert (np.diff(u)[np.diff(t) > 0] > 0).all()
    np.testing.assert_allclose(scale.inverted().transform(u), t, rtol=1e-9, atol=1e-9)


def test_ticks_of_a_logarithmic_axis_say_the_time_since_the_start_of_their_phase():
    ax = plotting.value_nodes(xor(), 1, log_time=True)
    assert "since start of phase" in ax.get_xlabel()
    starts = np.array([record.t_start for record in xor().phases])
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert len(labels) >= 6
    for t, label in zip(ax.get_xticks(), labels, strict=True):
        since = t - starts[starts <= t].max()
        assert label == "0" if since == 0 else label == f"$10^{{{round(np.log10(since))}}}$"


@pytest.mark.parametrize("ratio", [10.0, 1e6])
@pytest.mark.parametrize("width", [2.0, 7.0])
def test_tick_labels_do_not_overlap_however_many_decades_there_are(ratio, width):
    stages = Stage(duration=10.0 * ratio), Stage("test", 30.0, learn=False)
    run = synthetic_run((1, 2, 1), stages, delta=ratio, nodes=60)
    ax = Figure(figsize=(width, 2.0), layout="constrained").add_subplot()
    plotting.value_nodes(run, 1, log_time=True, legend=False, ax=ax)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.get_xticklabels() if text.get_text()]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("log_time", [False, True])
def test_a_phase_that_ends_as_it_begins_shows_dots(log_time):
    run = synthetic_run((2, 3, 1), (TRAIN, AT_ONCE))
    ax = plotting.value_nodes(run, 2, log_time=log_time)
    ax.figure.draw_without_rendering()
    dots = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    assert sorted(line.get_ydata()[0] for line in dots) == sorted(run.data["x2"][-1, :, 0].to_numpy())
    assert all(line.get_xdata()[0] == 4000.0 < ax.get_xlim()[1] for line in dots)
    assert phase_names(ax) == ["train", "test"]
    assert len(legend_texts(ax)) == 4


@pytest.mark.parametrize("where", ["left", "center", "right"])
def test_a_title_set_before_or_after_stands_above_the_names_of_phases(where):
    after = plotting.value_nodes(xor(), 1)
    after.set_title("Title", loc=where)
    before = Figure(figsize=(4.0, 3.0), layout="constrained").add_subplot()
    before.set_title("Title", loc=where)
    plotting.energy(xor(), ax=before, remark=False)
    bare = plotting.value_nodes(xor(), 1, phase_names=False)
    bare.set_title("Title", loc=where)
    for ax, named in ((after, True), (before, True), (bare, False)):
        ax.figure.draw_without_rendering()
        title = {"left": ax._left_title, "center": ax.title, "right": ax._right_title}[where]
        box, names = title.get_window_extent(), [text for text in ax.texts if text.get_gid() == "phase"]
        assert bool(names) is named
        assert not any(box.overlaps(name.get_window_extent()) for name in names)
        assert box.y1 <= ax.figure.bbox.y1
        if not named:  # right above the Axes, as ever
            assert box.y0 - ax.bbox.y1 < 0.15 * ax.figure.dpi


def test_the_remark_of_the_energy_stands_between_the_names_and_nothing():
    ax = plotting.energy(xor(), remark=True)
    ax.figure.draw_without_rendering()
    names = [text.get_window_extent() for text in ax.texts if text.get_gid() == "phase"]
    assert ax._left_title.get_window_extent().y0 >= max(name.y1 for name in names) - 1.0


@pytest.mark.parametrize("size", [(9.0, 6.0), (6.4, 4.8), (9.0, 4.0)])
def test_the_label_of_the_energy_is_no_longer_than_its_axis_in_a_figure_of_four(size):
    fig = Figure(figsize=size, layout="constrained")
    for ax in fig.subplots(2, 2).flat:
        plotting.energy(xor(), "slaved", ax=ax)
    fig.draw_without_rendering()
    for ax in fig.axes:
        assert ax.yaxis.label.get_window_extent().height <= 1.02 * ax.bbox.height
        assert "$" in ax.get_ylabel()

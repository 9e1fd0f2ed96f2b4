"""The drawing of a network: what stands where, and what its colours say."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from synthetic_runs import TRAIN, Stage, single, synthetic_run, wide, xor

import pcode
from pcode import InputError, Status, plotting
from pcode.plotting.diagram import columns, half_discs


def nodes(ax):
    """Collections of the nodes, and how thick their outlines are."""
    return [artist for artist in ax.collections if isinstance(artist, PolyCollection)]


def links(ax):
    return [artist for artist in ax.collections if isinstance(artist, LineCollection)]


def axes():
    return Figure().add_subplot()


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 8, 1), (8, 16, 8, 4), (64, 32, 10), (784, 128, 10)])
def test_no_two_nodes_overlap_and_layers_stand_from_left_to_right(sizes):
    cols = columns(sizes)
    assert [c.block for c in cols] == [size > 20 for size in sizes]
    assert all(a.x + a.half < b.x - b.half for a, b in pairwise(cols))
    for column in cols:
        assert column.points.shape == (column.size, 2)
        assert column.y.mean() == pytest.approx(0.0, abs=1e-12)
        if not column.block and column.size > 1:
            assert (-np.diff(column.y) > 2.0 * column.half).all()


def test_two_halves_make_a_circle():
    upper, lower = (half_discs(np.zeros((1, 2)), lower)[0] for lower in (False, True))
    for half in (upper, lower):
        assert np.hypot(*half.T) == pytest.approx(np.hypot(*upper[0]))
    assert upper[:, 1].min() >= -1e-12
    assert lower[:, 1].max() <= 1e-12


def test_halves_have_the_values_and_errors_of_the_sample_at_the_time():
    run = xor()
    ax = plotting.network(run, phase="train", sample=2, ax=axes())
    row = int(np.flatnonzero(run.data["phase"].to_numpy() == 0)[-1])
    names = ["x0", "x1", "eps1", "x2", "eps2"]
    shown = [np.asarray(collection.get_array()) for collection in nodes(ax)]
    assert len(shown) == len(names)
    for name, values in zip(names, shown, strict=True):
        np.testing.assert_array_equal(values, run.data[name][row, 2])
    assert "sample 2" in ax.get_title()
    assert "train" in ax.get_title()


def test_a_time_between_the_saved_ones_means_the_nearest():
    run = xor()
    times = run.data["time"].to_numpy()
    ax = plotting.network(run, time=float(times[30]) * 1.001, ax=axes())
    np.testing.assert_array_equal(np.asarray(nodes(ax)[1].get_array()), run.data["x1"][30, 0])


def test_lines_are_the_weights_and_the_strongest_is_the_widest_and_on_top():
    run = xor()
    ax = plotting.network(run, phase="train", ax=axes())
    last = int(np.flatnonzero(run.data["weight_phase"].to_numpy() == 0)[-1])
    assert len(links(ax)) == 2
    for k, lines in enumerate(links(ax)):
        M = run.data[f"M{k}"][last].to_numpy()
        values = np.asarray(lines.get_array())
        np.testing.assert_allclose(np.sort(values), np.sort(M.ravel()))
        assert (np.diff(np.abs(values)) >= 0.0).all()
        assert (np.diff(lines.get_linewidth()) >= 0.0).all()
    cols = columns((2, 8, 1))
    lines = links(ax)[0]
    for segment, value in zip(lines.get_segments(), np.asarray(lines.get_array()), strict=True):
        i = int(np.abs(cols[0].y - segment[0, 1]).argmin())
        j = int(np.abs(cols[1].y - segment[1, 1]).argmin())
        assert value == pytest.approx(float(run.data["M0"][last, i, j]))


def test_colours_mean_the_same_at_all_times_of_a_run():
    run = xor()
    largest = max(float(np.nanmax(np.abs(run.data[f"x{k}"]))) for k in range(3))
    for time in (0.0, 10.0, 4000.0):
        ax = plotting.network(run, time=time, ax=axes())
        assert nodes(ax)[0].norm.vmax == pytest.approx(largest)
        assert nodes(ax)[0].norm.vmin == pytest.approx(-largest)


def test_feedback_has_lines_of_its_own_in_small_networks_or_on_request():
    small = synthetic_run((1, 1, 1), (Stage(samples=(0,)),), feedback="fixed")
    ax = plotting.network(small, ax=axes())
    assert len(links(ax)) == 4
    shown = sorted(float(lines.get_array()[0]) for lines in links(ax))
    weights = small.weights
    assert shown == pytest.approx(sorted(float(w.item()) for w in (*weights.M, *weights.W)))
    assert len(links(plotting.network(small, feedback=False, ax=axes()))) == 2
    assert len(links(plotting.network(xor(), feedback=True, ax=axes()))) == 4
    tied = synthetic_run((1, 1, 1), (Stage(samples=(0,)),), feedback="tied")
    assert len(links(plotting.network(tied, ax=axes()))) == 2
    with pytest.raises(InputError, match="tied"):
        plotting.network(tied, feedback=True, ax=axes())


def test_clamped_values_have_a_thick_outline_and_are_named():
    ax = plotting.network(xor(), phase="test", ax=axes())
    widths = [np.max(collection.get_linewidth()) for collection in nodes(ax)]
    assert widths[0] > widths[1] == widths[2] == widths[3] == widths[4]
    words = [text.get_text() for text in ax.texts if text.get_gid() == "layer"]
    assert words == ["layer 0\nclamped", "layer 1", "layer 2"]


def test_single_clamped_nodes_are_counted():
    network = pcode.Network(sizes=(3, 2), delta=10.0)
    phase = pcode.Phase("complete", {0: [[1.0, np.nan, 0.5]], 1: [[0.2, -0.2]]}, duration=1.0, learn=False)
    run = pcode.simulate(network, [phase], weights=network.init_weights(0))
    ax = run.plot.network(ax=axes())
    assert ax.texts[0].get_text() == "layer 0\n2 of 3\nclamped"
    thick = np.asarray(nodes(ax)[0].get_linewidth())
    assert (thick > thick.min()).tolist() == [True, False, True]


def test_layers_of_more_than_20_nodes_are_strips_and_their_weights_a_picture():
    run = wide()
    ax = plotting.network(run, phase="train", ax=axes())
    data = [np.asarray(image.get_array()) for image in ax.images]
    assert [values.shape for values in data] == [(500, 1), (500, 1), (4, 500), (500, 10)]
    row = int(np.flatnonzero(run.data["phase"].to_numpy() == 0)[-1])
    np.testing.assert_array_equal(data[0][:, 0], run.data["x1"][row, 0])
    np.testing.assert_array_equal(data[1][:, 0], run.data["eps1"][row, 0])
    assert not links(ax)
    assert "500 nodes" in ax.texts[1].get_text()


def test_a_network_by_itself_is_drawn_without_colours():
    net = pcode.Network(sizes=(2, 3, 1))
    ax = plotting.network(net, ax=axes())
    assert ax.get_title() == "2-3-1"
    assert all(collection.get_array() is None for collection in nodes(ax))
    assert len(ax.child_axes) == 0
    weighed = plotting.network(net, weights=net.init_weights(0), ax=axes())
    assert np.isfinite(np.asarray(links(weighed)[0].get_array())).all()
    assert len(weighed.child_axes) == 1


def test_numbers_that_are_none_are_grey_and_a_runaway_does_not_set_the_colours():
    run = synthetic_run((2, 3, 1), (Stage(status=Status.DIVERGED),))
    usual = float(np.nanmedian(np.abs(run.data["x1"])))
    run.data["x1"][-1, 0, 0] = np.nan
    run.data["x1"][-1, 0, 1] = 1e300
    run.data["x1"][-2, 0, 1] = 1e30
    ax = plotting.network(run, ax=axes())
    assert nodes(ax)[1].norm.vmax < 1e4 * usual
    ax.figure.draw_without_rendering()
    colours = nodes(ax)[1].get_facecolor()
    np.testing.assert_allclose(colours[0], mpl.colors.to_rgba("0.8"))
    np.testing.assert_allclose(colours[1], mpl.colors.to_rgba("0.8"))


def test_the_key_has_a_bar_each_for_values_errors_and_weights():
    ax = plotting.network_key(single(), ax=axes())
    labels = [bar.get_xlabel() for bar in ax.child_axes]
    assert [label.split()[0] for label in labels] == ["value", "error", "weights"]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"phase": "nap"}, "phase"),
        ({"time": 1e9}, "time"),
        ({"sample": 9}, "samples"),
        ({"feedback": "yes"}, "feedback"),
        ({"bars": 1}, "bars"),
        ({"weights": "those"}, "weights"),
    ],
)
def test_wrong_options_are_named(options, where):
    with pytest.raises(InputError) as caught:
        plotting.network(xor(), ax=axes(), **options)
    assert caught.value.where == where


def test_what_belongs_to_a_run_is_refused_for_a_network():
    with pytest.raises(InputError, match="belongs to a run"):
        plotting.network(pcode.Network(sizes=(1, 1)), time=1.0)


def test_a_run_of_which_nothing_was_saved_is_refused_in_one_line():
    run = synthetic_run((2, 3, 1), (TRAIN,))
    empty = pcode.Run(run.data.isel(time=slice(0, 0)))
    with pytest.raises(InputError, match="no saved times"):
        plotting.network(empty)

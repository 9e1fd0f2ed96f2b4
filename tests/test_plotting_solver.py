"""The solver's figure: lengths and orders of steps, and the work of each phase."""

from __future__ import annotations

import numpy as np
import pytest
from artists import drawn, legend_texts, phase_names
from synthetic_runs import TEST, TRAIN, Stage, synthetic_run, xor

from pcode import InputError, Run, Status, plotting

pytestmark = pytest.mark.filterwarnings("error")


def steps_line(ax):
    (line,) = [line for line in ax.get_lines() if line.get_drawstyle() == "steps-pre"]
    return line


def test_lengths_of_steps_stand_at_their_ends_in_units_of_the_clock():
    """The synthetic steps double from one to the next."""
    run = synthetic_run((2, 3, 1), (TRAIN,), tau=2.0, delta=50.0)
    for clock, unit in (("tau", 2.0), ("delta", 50.0), ("time", 1.0)):
        t, h = drawn(steps_line(run.plot.step_sizes(clock=clock)))
        expected = 4000.0 * 2.0 ** np.arange(10) / 1023.0
        np.testing.assert_allclose(h, expected / unit)
        np.testing.assert_allclose(t, np.cumsum(expected) / unit)


def test_time_constants_are_marked_where_steps_are_near_them():
    ax = synthetic_run((2, 3, 1), (TRAIN,), tau=0.001, delta=50.0).plot.step_sizes(clock="time")
    assert [text.get_text() for text in ax.texts if text.get_gid() is None] == [r"$\delta$"]


def test_phases_and_the_ends_of_those_that_came_to_rest_are_marked():
    ax = xor().plot.step_sizes(log_time=True)
    assert phase_names(ax) == ["train", "test"]
    assert legend_texts(ax) == ["at rest"]
    (star,) = [line for line in ax.get_lines() if line.get_marker() == "*"]
    assert list(star.get_xdata()) == [4050.0]
    assert ax.get_yscale() == "log"
    assert legend_texts(xor().plot.step_sizes(phase="train")) == []


def test_orders_are_drawn_where_they_are_known():
    run = synthetic_run((2, 3, 1), (TRAIN,))
    _, order = drawn(steps_line(run.plot.step_orders()))
    np.testing.assert_array_equal(order, np.full(10, 2.0))
    assert plotting.knows_order(run)
    run.solver["step_order"].to_numpy()[:] = np.nan
    assert not plotting.knows_order(run)
    with pytest.raises(InputError, match="does not tell"):
        run.plot.step_orders()


def test_bars_are_the_numbers_of_the_record():
    run = xor()
    ax = run.plot.solver_work()
    widths = [bar.get_width() for bar in ax.patches]
    assert widths[:2] == [10, 10]
    assert np.isnan(widths[2:]).all()  # no evaluations were counted
    assert [label.get_text() for label in ax.get_yticklabels()] == ["train\n(cvode)", "test\n(cvode)"]
    assert sorted({text.get_text() for text in ax.texts}) == ["0", "10"]


def test_a_phase_that_failed_is_named_so():
    stages = (TRAIN, Stage("more", status=Status.MAX_STEPS, rows=9))
    assert phase_names(synthetic_run((2, 3, 1), stages).plot.step_sizes())[-1] == "more (max_steps)"


def test_a_file_without_steps_is_told_in_one_line():
    run = synthetic_run((2, 3, 1), (TRAIN, TEST))
    old = Run(run.data)
    for draw in (old.plot.step_sizes, old.plot.step_orders):
        with pytest.raises(InputError, match="run it anew"):
            draw()
    assert not plotting.knows_order(old)

"""Rates fitted to distances that are known in closed form: from where to where, and of how few points."""

import numpy as np
import pytest

from pcode.analysis.settling.measures import decay_of


def test_a_rate_is_fitted_from_a_twentieth_of_the_largest_distance_down_to_a_hundred_thousandth():
    """Of exp(-t), t = 0, 0.1, ..: from ln 20 = 2.996 on, until ln 1e5 = 11.51."""
    t = np.linspace(0.0, 30.0, 301)
    found = decay_of(t, np.exp(-t))
    assert found.rate == pytest.approx(1.0, rel=1e-9)
    assert (found.start, found.end) == pytest.approx((3.0, 11.5))
    assert found.height == pytest.approx(np.exp(-3.0), rel=1e-9)


def test_of_a_distance_that_rings_three_peaks_give_a_rate():
    """At t = 2, 3 and 4; that at 1 is above half of the largest. All are apart from those by the same."""
    t = np.linspace(0.0, 4.4, 4401)
    found = decay_of(t, np.exp(-0.6 * t) * (0.6 + 0.4 * np.cos(2.0 * np.pi * t)))
    assert found.rate == pytest.approx(0.6, rel=1e-3)
    assert (found.start, found.end) == pytest.approx((2.0, 4.0), abs=0.05)
    assert found.period == pytest.approx(2.0, rel=1e-3)  # of the node, whose distance has two peaks in each


def test_three_points_of_a_distance_that_does_not_ring_give_none():
    t = np.arange(5.0)
    assert np.isnan(decay_of(t[:4], np.exp(-1.5 * t[:4])).rate)
    assert decay_of(t, np.exp(-1.5 * t)).rate == pytest.approx(1.5, rel=1e-9)

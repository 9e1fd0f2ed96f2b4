"""Clamped nodes that cross a kink of their activation: every method, beside a reference that stops there."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

import pcode
from benchmarks.agreement import BOUND, RTOL
from pcode.system.crossings import crossings
from tests.conftest import STRUCTURED
from tests.flow import Flow
from tests.methods import DETERMINISTIC

METHODS = [name for name in DETERMINISTIC if name != "auto"]
DURATION = 20.0
TIMES = np.linspace(0.0, DURATION, 23)
T = np.arange(0.0, 21.0, 4.0)


def learner(drive):
    """4-3, relu, tied: its input swings faster and further each time, and crosses 0 between breakpoints."""
    rng = np.random.default_rng(5)
    network = pcode.Network((4, 3), "relu", delta=30.0, nu=0.7, feedback="tied", node_decay=0.1)
    weights = network.init_weights(rng, scale=0.9)
    output = 2.0 * rng.standard_normal((3, 3))
    return network, weights, output, pcode.Phase("p", {0: drive, 1: output}, duration=DURATION)


def swings():
    return 2.0 * np.random.default_rng(6).standard_normal((3, 4)) * np.array(
        [(-1) ** k * (1.0 + 0.3 * k) for k in range(T.size)]
    )[:, None, None]  # fmt: skip


def exact(network, weights, output, drive, stops):
    """The reference at TIMES, integrated from one of `stops` to the next, between which `drive` is smooth."""
    flow = Flow(network, {0: drive, 1: lambda t: output}, 3, True)
    x = [drive(0.0), output]
    y = flow.join(x, [x[1] - np.maximum(x[0], 0.0) @ weights.M[0]], weights.M, (), weights.beta)
    y[flow.ends[2] : flow.ends[3]] = 0.0  # eps
    rows, edges = [], [0.0, *stops, DURATION]
    for t0, t1 in pairwise(edges):
        inside = [t for t in TIMES[1:] if t0 < t <= t1]
        found, y = flow.solve(y, t0, t1, inside)
        rows += [flow.split(row) for row in found]
    return np.stack([row[1][0] for row in rows]), np.stack([row[2][0] for row in rows])


def lines():
    values = swings()
    zero = T[:-1, None, None] + 4.0 * values[:-1] / (values[:-1] - values[1:])  # each swing changes its sign
    at = [np.interp(TIMES, T, values[:, b, i]) for b in range(3) for i in range(4)]
    assert np.shape(at) == (12, TIMES.size)

    def drive(t):
        return np.array([[np.interp(t, T, values[:, b, i]) for i in range(4)] for b in range(3)])

    return pcode.TimeSeries(T, values), drive, np.unique([*zero.ravel(), *T[1:-1]])


def sines():
    phases = np.random.default_rng(7).uniform(0.0, 6.0, (3, 4))
    zero = [(k * np.pi - p) for p in phases.ravel() for k in range(1, 10)]
    made = (lambda t: 3.0 * jnp.sin(t + phases)), (lambda t: 3.0 * np.sin(t + phases))
    return *made, np.array(sorted(t for t in zero if 0.0 < t < DURATION))


@pytest.mark.parametrize("made", [lines, sines])
@pytest.mark.parametrize("method", [*METHODS, STRUCTURED], indirect=True)
def test_a_clamp_that_crosses_a_kink_is_followed_within_the_tolerance(made, method):
    clamp, drive, stops = made()
    network, weights, output, phase = learner(clamp)
    run = pcode.simulate(network, [phase], weights=weights, method=method, save=pcode.Save(23, 23, "linear"))
    eps, M = exact(network, weights, output, drive, stops)
    for values, true in ((run.data["eps1"], eps), (run.data["M0"], M)):
        assert np.abs(values.to_numpy()[1:] - true).max() < BOUND * RTOL * (1.0 + np.abs(true).max())


def test_the_crossings_of_a_cubic_series_are_the_splines_roots_of_clamped_nodes_alone():
    values = swings()
    values[:, 1, 2] = np.nan
    found = np.sort(crossings(*learner(pcode.TimeSeries(T, values, kind="cubic"))[::3]))
    spline, fine = CubicSpline(T, np.nan_to_num(values, nan=1.0)), np.linspace(0.0, DURATION, 4001)
    roots = [
        brentq(lambda t, b=b, i=i: spline(t)[b, i], fine[k], fine[k + 1])
        for b in range(3) for i in range(4)
        for k in np.flatnonzero(np.diff(np.sign(spline(fine)[:, b, i])))
    ]  # fmt: skip
    np.testing.assert_allclose(found, np.sort(roots), atol=1e-10)


def test_a_smooth_activation_has_none_nor_has_a_constant():
    network, _, _, phase = learner(pcode.TimeSeries(T, swings()))
    assert crossings(network, phase).size > 0
    assert crossings(pcode.Network((4, 3), "tanh"), phase).size == 0
    assert crossings(network, learner(swings()[0])[3]).size == 0

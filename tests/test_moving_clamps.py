"""Questions about phases whose clamps move: with their values of a moment, or simulated again."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pcode
from pcode import Expression, InputError, TimeSeries
from pcode.analysis import ask
from pcode.analysis.manifolds.manifold import critical_manifold
from pcode.analysis.manifolds.trajectory import trajectory
from pcode.analysis.planes.coordinates import Coordinate
from pcode.analysis.planes.plane import phase_plane

NET = pcode.Network((2, 3, 2), "tanh", delta=40.0, nu=(0.5, 1.0))
Y = np.array([[0.8, -0.2], [-0.3, 0.5]])
T = np.array([0.0, 10.0, 10.0, 30.0])
VALUES = np.random.default_rng(6).standard_normal((4, 2, 2))
CLAMPS = {
    "a time series": TimeSeries(T, VALUES),
    "an expression": Expression(["sin(t/5)", "cos(t/7)"]),
    "a function": lambda t: jnp.stack([jnp.sin(t / 5), jnp.cos(t / 7)]),
}


def driven(kind, t):
    """The input at time `t`, by NumPy alone."""
    if kind != "a time series":
        return np.tile([np.sin(t / 5), np.cos(t / 7)], (2, 1))
    k = 0 if t <= 10.0 else 2  # at the step, what was saved is before it
    share = (t - T[k]) / (T[k + 1] - T[k])
    return (1.0 - share) * VALUES[k] + share * VALUES[k + 1]


@pytest.fixture(scope="module", params=CLAMPS)
def moved(request):
    """What the input follows, and a run."""
    phase = pcode.Phase("learn", {0: CLAMPS[request.param], 2: Y}, duration=30.0)
    save = pcode.Save(31, 31, "linear")
    return request.param, pcode.simulate(NET, [phase], weights=NET.init_weights(5), save=save)


def stopped(run, kind, t):
    """A run from the state at `t` on, for an instant, with the input held at its value there."""
    row = int(np.flatnonzero(run.data["time"].values == t)[0])
    there = run.data.isel(time=row, weight_time=row)
    arrays = {name: tuple(there[f"{name}{k}"].values for k in range(a, b)) for name, a, b in
              (("x", 0, 3), ("eps", 1, 3), ("M", 0, 2), ("W", 0, 2), ("beta", 1, 3))}  # fmt: skip
    weights = pcode.Weights(arrays["M"], arrays["W"], arrays["beta"])
    phase = pcode.Phase("learn", {0: driven(kind, t), 2: Y}, duration=1e-9)
    nodes = pcode.State(arrays["x"], arrays["eps"], weights)
    return pcode.simulate(NET, [phase], weights=weights, nodes=nodes, save=pcode.Save(2, 2))


@pytest.mark.parametrize("t", [0.0, 10.0, 23.0])
def test_at_a_moment_the_answer_is_that_of_a_constant_clamp_of_the_same_value(moved, t):
    kind, run = moved
    held = stopped(run, kind, t)
    note = f"note: layer 0 follows {kind}: held at its value of t = {t:g}"
    at, begin = {"time": t, "phase": 0}, {"time": 0.0, "phase": 0}

    def both(question, **options):
        found, expected = ask(run, question, options | at), ask(held, question, options | begin)
        assert note in found.lines()
        assert not any("follows" in line for line in expected.lines())
        return found, expected

    found, expected = both("equilibrium", starts=2)
    assert found.kind == expected.kind == "stable"
    nodes = [(*answer.state.x, *answer.state.eps) for answer in (found, expected)]
    for one, other in zip(*nodes, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert found.rightmost == pytest.approx(expected.rightmost, abs=1e-8)

    found, expected = both("spectrum")
    for part in ("nodes", "weights", "full"):
        values = [np.sort_complex(getattr(answer, part).values) for answer in (found, expected)]
        np.testing.assert_allclose(*values, atol=1e-7)

    found, expected = both("backprop", variances=[1.0, 100.0])
    for name in ("rest", "now", "by_variance"):
        for one, other in zip(getattr(found, name), getattr(expected, name), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)

    found, expected = both("stability", gains=[1.0], mixes=[0.0, 0.5, 1.0, 1.5], check=False)
    np.testing.assert_array_equal(found.kinds, expected.kinds)
    np.testing.assert_allclose(found.growth, expected.growth, atol=1e-7)
    assert [point.mix for point in found.border] == pytest.approx([point.mix for point in expected.border])


def test_planes_and_manifolds_are_those_of_a_constant_clamp_of_the_same_value(moved):
    kind, run = moved
    held, t = stopped(run, kind, 23.0), 23.0
    for x, y, rest in (("x1[0]", "eps1[0]", "held"), ("M1[0,0]", "M1[1,0]", "slaved")):
        options = {"rest": rest, "phase": 0, "xlim": (-1.0, 1.0), "ylim": (-1.0, 1.5), "resolution": 11}
        found, expected = (
            phase_plane(run, x, y, time=t, **options),
            phase_plane(held, x, y, time=0.0, **options),
        )
        np.testing.assert_allclose(found.rates, expected.rates, atol=1e-8)
        assert found.rest.endswith("weights and moving clamps held as at t = 23")
        assert "clamps" not in expected.rest
    found = critical_manifold(run, "M1[0,0]", "x1[0]", time=t, limits=(-1.0, 1.0))
    expected = critical_manifold(held, "M1[0,0]", "x1[0]", time=0.0, limits=(-1.0, 1.0))
    assert (found.held, expected.held) == ("other weights and moving clamps", "other weights")
    (branch,), (other,) = found.branches, expected.branches
    order, other_order = np.argsort(branch.weight), np.argsort(other.weight)
    where = np.linspace(-0.9, 0.9, 7)
    curves = [np.interp(where, b.weight[o], b.node[o]) for b, o in ((branch, order), (other, other_order))]
    np.testing.assert_allclose(*curves, atol=1e-4)
    title = run.plot.slow_manifold("M1[0,0]", "x1[0]", time=t, limits=(-1.0, 1.0)).get_title(loc="left")
    assert title == "other weights and moving clamps held as at t = 23"


# From here on 1-1-1, linear, tied, both ends held, two samples; delta = 50.
DELTA, NU, TARGET = 50.0, (0.7, 1.6), np.array([0.8, 0.3])
BEGIN = [0.6, -0.4, 0.1, 0.2]
STEPS = TimeSeries([0.0, 40.0, 40.0, 80.0, 200.0], np.array([[1.0, -0.5], [2.0, 0.0], [-1.0, 0.5], [0.5, 1.0],
                                                              [1.5, -1.0]])[:, :, None])  # fmt: skip
SINE = Expression("1 + sin(t/20)")


def u(kind, t):
    if kind == "an expression":
        return np.full(2, 1.0 + np.sin(t / 20.0))
    k = 0 if t < 40.0 else 2 if t < 80.0 else 3
    values, share = STEPS.values[:, :, 0], (t - STEPS.t[k]) / (STEPS.t[k + 1] - STEPS.t[k])
    return (1.0 - share) * values[k] + share * values[k + 1]


def at_rest(kind, t, w):
    """x^1 and the errors at rest, by the linear equations of "Backpropagation"."""
    m0, m1, b1, b2 = w
    mu = m0 * u(kind, t) + b1
    x = (mu / NU[0] + m1 * (TARGET - b2) / NU[1]) / (1.0 / NU[0] + m1**2 / NU[1])
    return x, (x - mu) / NU[0], (TARGET - m1 * x - b2) / NU[1]


def learning(kind, t, x, e1, e2):
    return np.array([np.mean(u(kind, t) * e1), np.mean(x * e2), np.mean(e1), np.mean(e2)]) / DELTA


def in_pieces(rates, z, times, **how):
    """Solved up to the step of the series, and from there on; shape (entries, T)."""
    found, begin = [], 0.0
    for end in (40.0, 200.0):
        inside = times[(times > begin) & (times <= end)]
        part = solve_ivp(rates, (begin, end), z, t_eval=np.union1d(inside, [end]), **how).y
        found.append(part[:, : inside.size])
        z, begin = part[:, -1], end
    return np.concatenate(found, axis=1)


def full_flow(kind, tau, times, learn=True, start=None):
    def rates(t, z):
        x, e1, e2, (m0, m1, b1, b2) = z[:2], z[2:4], z[4:6], z[6:]
        nodes = [m1 * e2 - e1, x - m0 * u(kind, t) - b1 - NU[0] * e1, TARGET - m1 * x - b2 - NU[1] * e2]
        return np.concatenate([*(np.array(nodes) / tau), learn * learning(kind, t, x, e1, e2)])

    z = np.concatenate([0.6 * u(kind, 0.0) + 0.1, np.zeros(4), BEGIN]) if start is None else start
    return in_pieces(rates, z, times, method="Radau", rtol=1e-9, atol=1e-12)


def limit(kind, times):
    def rates(t, w):
        return learning(kind, t, *at_rest(kind, t, w))

    return in_pieces(rates, BEGIN, times, method="DOP853", rtol=1e-10, atol=1e-12)


@pytest.fixture(scope="module", params=["a time series", "an expression"])
def chain(request):
    """What the input follows, and a run."""
    network = pcode.Network((1, 1, 1), "identity", tau=0.5, delta=DELTA, nu=NU, feedback="tied")
    weights = pcode.Weights(([[0.6]], [[-0.4]]), None, ([0.1], [0.2]))
    clamp = {0: STEPS if request.param == "a time series" else SINE, 2: TARGET[:, None]}
    phases = [
        pcode.Phase("learn", clamp, duration=200.0),
        pcode.Phase("hold", clamp, duration=200.0, learn=False),
        pcode.Phase("call", {0: lambda t: jnp.stack([jnp.sin(t)]), 2: TARGET[:, None]}, duration=60.0),
    ]
    how = {"save": pcode.Save(100, 100), "rtol": 1e-9, "atol": 1e-11}
    return request.param, pcode.simulate(network, phases, weights=weights, **how)


def test_the_distance_from_the_limit_is_that_of_equations_solved_alone_and_falls_to_first_order(chain):
    kind, run = chain
    answer = ask(run, "separation", {"phase": "learn", "ratios": [200.0, 400.0, 800.0]})
    times = DELTA * answer.slow_time
    slow = limit(kind, times)
    path = np.linalg.norm(slow - np.array(BEGIN)[:, None], axis=0).max()
    for ratio, distance in zip(answer.ratios, answer.distance, strict=True):
        expected = np.linalg.norm(full_flow(kind, DELTA / ratio, times)[6:] - slow, axis=0) / path
        seen = np.isfinite(distance)
        assert seen[-1]
        np.testing.assert_allclose(distance[seen], expected[seen], rtol=5e-3, atol=1e-7)
    assert answer.order == pytest.approx(1.0, abs=0.05)


def test_a_second_solver_agrees_on_the_same_clamps_and_on_no_others(chain):
    kind, run = chain
    answer = ask(run, "certificate", {"phase": "hold"})
    checks = {check.name: check for check in answer.checks}
    assert answer.whole
    assert checks["tolerance"].verdict == checks["solver"].verdict == "pass"
    # The record of the clamps is what is integrated: another one gives another run.
    if kind == "a time series":
        clamps = run.groups["clamps"].copy(deep=True)
        clamps["series0"][:] = 1.001 * clamps["series0"]
        other = pcode.Run(run.data, run.groups | {"clamps": clamps})
    else:
        attrs = run.data.attrs | {"phases": run.data.attrs["phases"].replace("sin(t/20)", "sin(t/20.02)")}
        other = pcode.Run(run.data.assign_attrs(attrs), run.groups)
    checks = {check.name: check for check in ask(other, "certificate", {"phase": "hold"}).checks}
    assert checks["tolerance"].verdict == checks["solver"].verdict == "fail"


def test_nodes_are_measured_from_the_rest_that_moves_with_the_clamp(chain):
    """The distances of layers 1 (values) and 1, 2 (errors), at the times that the answer shows."""
    kind, run = chain
    (found,) = ask(run, "convergence", {"phase": "hold"}).phases
    assert found.moving
    assert found.notes == (
        f"layer 0 follows {kind}: no settling time is told, for the nodes' rest moves with it",
    )
    first = run.data.isel(time=run.data["phase"].values == 1).isel(time=0)
    row = int(np.flatnonzero(run.data["weight_phase"].values == 1)[0])
    w = [run.data[name].values[row].item() for name in ("M0", "M1", "beta1", "beta2")]
    start = np.concatenate([*(first[name].values[:, 0] for name in ("x1", "eps1", "eps2")), w])
    times = found.times[1:]
    z = full_flow(kind, 0.5, times, learn=False, start=start)
    rest = np.array([at_rest(kind, t, w) for t in times])  # (T, 3, 2)
    off = z[:6].reshape(3, 2, -1).transpose(2, 0, 1) - rest
    expected = np.sqrt((off**2).mean(axis=2))
    away = np.abs(times - 40.0) > 1.0  # at the step itself, one row stands for both sides
    given = np.column_stack([found.value_distance[1:, 1], found.error_distance[1:]])
    np.testing.assert_allclose(given[away], expected[away], rtol=2e-3, atol=2e-5)


def test_other_ratios_see_the_clamps_move_beside_the_weights_as_they_did(chain):
    """After one delta: |flow - flow at rest| / |flow at rest| of M^0 and M^1, from nodes at rest."""
    kind, run = chain
    answer = ask(run, "backprop", {"phase": "learn", "variances": [1.0], "ratios": [0.05, 0.01]})
    for ratio, lag in zip(answer.ratios, answer.ratio_lag, strict=True):
        start = np.concatenate([*at_rest(kind, 0.0, BEGIN), BEGIN])
        z = full_flow(kind, ratio * DELTA, np.array([DELTA]), start=start)[:, 0]
        flow = learning(kind, DELTA, *z[:6].reshape(3, 2))[:2]
        rest = learning(kind, DELTA, *at_rest(kind, DELTA, z[6:]))[:2]
        np.testing.assert_allclose(lag, np.abs(flow - rest) / np.abs(rest), rtol=2e-3)


def test_a_trajectory_at_another_ratio_is_that_of_the_same_clamps(chain):
    kind, run = chain
    found = trajectory(run, Coordinate.parse("", "M0[0,0]"), Coordinate.parse("", "x1[0]"), 500.0, "learn")
    z = full_flow(kind, DELTA / 500.0, np.array([100.0, 200.0]))
    t = found.t * DELTA / 500.0
    np.testing.assert_allclose(np.interp([100.0, 200.0], t, found.weight), z[6], atol=1e-3)
    np.testing.assert_allclose(np.interp([100.0, 200.0], t, found.node), z[0], atol=1e-3)


def test_along_a_run_nodes_rest_for_the_weights_and_the_clamps_of_each_time(chain):
    kind, run = chain
    manifold = critical_manifold(run, "M1[0,0]", "x1[0]", phase="learn")
    rows = np.flatnonzero(run.data["weight_phase"].values == 0)
    t = run.data["weight_time"].values[rows]
    w = np.array([run.data[name].values[rows].ravel() for name in ("M0", "M1", "beta1", "beta2")])
    rest = np.array([at_rest(kind, time, w[:, k])[0][0] for k, time in enumerate(t)])
    assert len(manifold.along) > 20
    for weight, node in manifold.along:
        (k,) = np.flatnonzero(w[1] == weight)
        assert node == pytest.approx(rest[k], abs=1e-8)


@pytest.mark.parametrize(
    ("question", "options", "what"),
    [
        ("separation", {}, "separation needs the phase as it was, but in 'call' layer 0 follows a function"),
        ("backprop", {"ratios": [0.1]}, "a simulation with another tau/delta needs the phase as it was"),
    ],
)
def test_what_needs_a_function_again_is_refused_with_the_reason(chain, question, options, what):
    with pytest.raises(InputError, match=what):
        ask(chain[1], question, options | {"phase": "call"})


def test_of_a_function_nodes_are_measured_at_saved_times_and_that_is_said(chain):
    (found,) = ask(chain[1], "convergence", {"phase": "call"}).phases
    assert found.notes[1].startswith(
        "layer 0 follows a function, of which a run keeps the values at its saved times"
    )

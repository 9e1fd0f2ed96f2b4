"""Clamps that move: time series by lines and splines, callables and expressions, for every method."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy

import pcode
from pcode import Expression, InputError, Phase, Save, TimeSeries
from pcode.simulation import integration
from pcode.system import limit as singular
from pcode.system import problem
from tests.methods import DETERMINISTIC

# 1-2-1, linear, weights held, both ends clamped: the free nodes obey a linear equation.
M0, M1 = np.array([[0.8, -0.5]]), np.array([[0.6], [0.9]])
NU, TAU = (0.5, 1.5), 2.0
STEPS = [[0.0, 1.0, 1.0, 3.0, 3.01, 6.0, 6.0, 8.0], [0.0, 1.0, -2.0, -2.0, 1.0, 0.0, 0.5, 0.5]]


def linear_network(tau=TAU):
    network = pcode.Network((1, 2, 1), "identity", tau=tau, nu=NU, feedback="tied")
    return network, pcode.Weights((M0, M1), None, (np.zeros(2), np.zeros(1)))


def system():
    """A and b of z' = A z + b u for z = (x^1, eps^1, eps^2) and the input u, from the equations."""
    A, b = np.zeros((5, 5)), np.zeros(5)
    A[:2, 2:4] = -np.eye(2)  # tau dx^1 = eps^2 W^1 - eps^1, W = M^T
    A[:2, 4] = M1[:, 0]
    A[2:4, :2] = np.eye(2)  # tau deps^1 = x^1 - u M^0 - nu^1 eps^1
    A[2:4, 2:4] = -NU[0] * np.eye(2)
    b[2:4] = -M0[0]
    A[4, :2] = -M1[:, 0]  # tau deps^2 = 0 - x^1 M^1 - nu^2 eps^2
    A[4, 4] = -NU[1]
    return A / TAU, b / TAU


def simulate(drive, duration, method="auto", tau=TAU, save=None, **options):
    network, weights = linear_network(tau)
    phase = Phase("drive", {0: drive, 2: [[0.0]]}, duration=duration, learn=False, **options)
    save = save or Save(200, spacing="linear")
    return pcode.simulate(
        network, [phase], weights=weights, nodes="zero", method=method, rtol=1e-9, atol=1e-11, save=save
    )


def nodes(run):
    """Free nodes over time, shape (T, 5)."""
    return np.concatenate([run.data[name].values[:, 0] for name in ("x1", "eps1", "eps2")], axis=1)


def exact(times, t, u):
    """z at `times`, from 0, for an input that is linear between the points (t, u): by matrix exponentials."""
    A, b = system()
    found, z = np.zeros((times.size, 5)), np.zeros(5)
    for start, end, u0, u1 in zip(t, t[1:], u, u[1:], strict=False):
        if end == start:
            continue
        whole = np.zeros((7, 7))  # of (z, u, du/dt)
        whole[:5, :5], whole[:5, 5], whole[5, 6] = A, b, 1.0
        begin = np.array([*z, u0, (u1 - u0) / (end - start)])
        for k in np.flatnonzero((times >= start) & (times <= end)):
            found[k] = (scipy.linalg.expm(whole * (times[k] - start)) @ begin)[:5]
        z = (scipy.linalg.expm(whole * (end - start)) @ begin)[:5]
    return found


@pytest.mark.parametrize("method", DETERMINISTIC)
def test_every_method_follows_lines_with_kinks_and_steps_as_the_matrix_exponential_does(method):
    t, u = STEPS
    run = simulate(TimeSeries(t, np.reshape(u, (-1, 1, 1))), 8.0, method)
    np.testing.assert_allclose(nodes(run), exact(run.data["time"].values, t, u), atol=5e-8)


@pytest.mark.parametrize(
    "drive",
    [Expression("sin(2*pi*t/5)"), lambda t: jnp.sin(2 * jnp.pi * t / 5)[None]],
    ids=["text", "callable"],
)
@pytest.mark.parametrize("method", ["auto", "cvode"])
def test_a_linear_network_answers_a_sine_by_its_frequency_response(drive, method):
    A, b = system()
    w = 2 * np.pi / 5
    H = np.linalg.solve(1j * w * np.eye(5) - A, b)
    slowest = np.linalg.eigvals(A).real.max()
    begin = np.log(1e-9) / slowest  # by then what the start left has died out
    run = simulate(drive, begin + 20.0, method, save=Save(2000, spacing="linear"))
    times = run.data["time"].values
    late = times > begin
    expected = np.imag(H * np.exp(1j * w * times[late, None]))
    np.testing.assert_allclose(nodes(run)[late], expected, atol=1e-6 * np.abs(H).max())
    basis = np.stack([np.cos(w * times[late]), np.sin(w * times[late])], axis=1)
    size = np.linalg.norm(np.linalg.lstsq(basis, nodes(run)[late], rcond=None)[0], axis=0)
    np.testing.assert_allclose(size, np.abs(H), rtol=1e-6)


@pytest.mark.parametrize("method", ["cvode", "BDF", "DOP853", "Kvaerno5"])
def test_a_cubic_series_is_scipys_spline_on_either_side_of_a_step(method):
    t = np.array([0.0, 1.0, 2.0, 2.5, 4.0, 4.0, 5.0, 7.0, 8.0])
    u = np.array([0.0, 2.0, -1.0, 1.0, 0.5, -2.0, 0.0, 1.0, 0.3])
    splines = [scipy.interpolate.CubicSpline(t[part], u[part]) for part in (slice(0, 5), slice(5, 9))]
    held = [lambda s: splines[0](s), lambda s: splines[1](min(s, 8.0))]
    A, b = system()
    run = simulate(TimeSeries(t, u[:, None, None], kind="cubic"), 10.0, method)
    times, found = run.data["time"].values, nodes(run)
    z = np.zeros(5)
    for u_of, (start, end) in zip(held, [(0.0, 4.0), (4.0, 10.0)], strict=True):
        solution = scipy.integrate.solve_ivp(
            lambda s, z, u_of=u_of: A @ z + b * u_of(s), (start, end), z, "DOP853", max_step=0.05,
            rtol=1e-11, atol=1e-13, dense_output=True,
        )  # fmt: skip
        rows = (times >= start) & (times <= end)
        np.testing.assert_allclose(found[rows], solution.sol(times[rows]).T, atol=1e-7)
        inner = rows & (times > start)
        np.testing.assert_allclose(
            run.data["x0"].values[inner, 0, 0], [u_of(s) for s in times[inner]], atol=1e-12
        )
        z = solution.y[:, -1]


def test_series_hold_beyond_their_ends_and_steps_have_two_sides():
    for kind in ("linear", "cubic"):
        series = TimeSeries([1.0, 2.0, 2.0, 3.0], np.reshape([4.0, 5.0, 7.0, 8.0], (4, 1, 1)), kind)
        values = [series.at(s)[0, 0] for s in (0.0, 1.5, 2.0, 2.5, 9.0)]
        np.testing.assert_allclose(values, [4.0, 4.5, 7.0, 7.5, 8.0], rtol=1e-14)
        assert series.at(2.0, "left")[0, 0] == pytest.approx(5.0)


@pytest.mark.parametrize("method", ["auto", "cvode", "LSODA", "Tsit5"])
def test_nothing_is_made_or_chosen_anew_where_a_phase_goes_on(method, monkeypatch):
    made = []
    monkeypatch.setattr(
        integration, "make_problem", lambda *a, **k: made.append(a) or problem.make_problem(*a, **k)
    )
    t = np.linspace(0.0, 30.0, 301)
    run = simulate(TimeSeries(t, np.sin(t)[:, None, None]), 30.0, method, save=Save(2))
    assert len(made) == 1
    assert ";" not in run.phases[0].method_reason
    np.testing.assert_allclose(nodes(run)[-1], exact(np.array([30.0]), t, np.sin(t))[0], atol=5e-8)


@pytest.mark.parametrize("method", ["cvode", "Radau", "DOP853", "Kvaerno5"])
def test_a_short_pulse_of_a_function_late_in_a_quiet_phase_is_not_stepped_over(method):
    run = simulate(Expression("100*exp(-(t - 501)**2)"), 1000.0, method, save=Save(2001, spacing="linear"))
    A, b = system()
    pulse = scipy.integrate.solve_ivp(
        lambda s, z: A @ z + b * 100 * np.exp(-((s - 501) ** 2)), (480.0, 560.0), np.zeros(5), "DOP853",
        rtol=1e-9, atol=1e-12, max_step=0.2, dense_output=True,
    )  # fmt: skip
    times = run.data["time"].values
    seen = (times > 495.0) & (times < 550.0)
    np.testing.assert_allclose(nodes(run)[seen], pulse.sol(times[seen]).T, atol=1e-5)


def test_with_tau_0_the_nodes_are_at_rest_for_the_clamp_of_every_instant(monkeypatch):
    A, b = system()
    times_settled = []
    plain = singular.settled

    def counted(given):
        times_settled.append(given.start)
        return plain(given)

    monkeypatch.setattr(singular, "settled", counted)
    t, u = STEPS
    series = TimeSeries(t, np.reshape(u, (-1, 1, 1)))
    for drive, steps in ((series, [1.0, 6.0]), (Expression("sin(t)"), []), (lambda t: jnp.cos(t)[None], [])):
        times_settled.clear()
        run = simulate(drive, 8.0, tau=0.0)
        x0 = run.data["x0"].values[:, 0]
        np.testing.assert_allclose(nodes(run), -x0 * np.linalg.solve(A, b), atol=1e-8)
        assert times_settled == steps


def test_with_tau_0_learning_weights_follow_a_sine_as_those_of_a_small_tau_do():
    def reached(tau):
        network = pcode.Network((1, 2, 1), tau=tau, delta=20.0)
        phase = Phase("p", {0: Expression("sin(t/5)"), 2: [[0.5]]}, duration=40.0)
        run = pcode.simulate(network, [phase], weights=network.init_weights(1), rtol=1e-8, atol=1e-10)
        return np.concatenate([m.ravel() for m in run.weights.M])

    limit = reached(0.0)
    far, near = (np.linalg.norm(reached(tau) - limit) for tau in (0.04, 0.02))
    assert far / near == pytest.approx(2.0, rel=0.1)


def test_a_phase_settles_once_its_clamps_have_stopped():
    run = simulate(Expression("minimum(t/10, 1)"), 1e4, until="equilibrium")
    assert run.status == "equilibrium"
    assert 10.0 < run.phases[0].t_end < 200.0
    assert simulate(Expression("sin(t)"), 100.0, until="equilibrium").status == "not_settled"
    late = TimeSeries([0.0, 50.0, 50.0], [[[0.0]], [[0.0]], [[1.0]]])
    run = simulate(late, 1e4, until="equilibrium")
    assert run.status == "equilibrium"
    assert run.phases[0].t_end > 50.0


def test_nodes_that_a_function_leaves_free_stay_free():
    network, weights = linear_network()
    for drive in (Expression([float("nan"), "sin(t)"]), lambda t: jnp.stack([jnp.nan + t, jnp.sin(t)])):
        phase = Phase("p", {0: [[1.0]], 1: drive}, duration=5.0, learn=False)
        run = pcode.simulate(network, [phase], weights=weights)
        x1, time = run.data["x1"].values[:, 0], run.data["time"].values
        np.testing.assert_allclose(x1[:, 1], np.sin(time), atol=1e-12)
        assert np.ptp(x1[:, 0]) > 1e-3
        np.testing.assert_array_equal(run.phases[0].clamp[1].mask, [[False, True]])


def test_a_callable_may_give_each_sample_its_own_values():
    def drive(t):
        return jnp.array([[1.0], [2.0]]) * jnp.sin(t)

    network, weights = linear_network()
    phase = Phase("p", {0: drive}, duration=3.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights)
    x0, time = run.data["x0"].values[:, :, 0], run.data["time"].values
    np.testing.assert_allclose(x0, np.sin(time)[:, None] * [1.0, 2.0], atol=1e-12)
    assert {k: one.kind for k, one in run.phases[0].clamp.items()} == {0: "function"}


def test_the_same_text_is_traced_once():
    network, weights = linear_network()
    sizes = []
    for _ in range(2):
        phase = Phase("p", {0: Expression("sin(t) + 1/7")}, duration=1.0, learn=False)
        pcode.simulate(network, [phase], weights=weights, method="RK45")
        sizes.append(problem._RHS.traced)
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2**2 + 3*t/4", -4 + 2.25),
        ("2**3**2", 512.0),
        ("(1 + t)*(t - 1)", 8.0),
        ("sin(t)+cos(t)+tan(t)", np.sin(3) + np.cos(3) + np.tan(3)),
        ("tanh(t)*exp(-t)*log(t)*sqrt(t)", np.tanh(3) * np.exp(-3) * np.log(3) * np.sqrt(3)),
        ("abs(-t) + step(t - 4) + 10*step(t - 3)", 13.0),
        ("minimum(t, pi) - maximum(e, t)", 0.0),
    ],
)
def test_an_expression_has_the_value_that_it_is_written_for(text, value):
    np.testing.assert_allclose(Expression(text).at(3.0), [value], rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "t.real", "(lambda: 1)()", "[t][0]", "t if t else 1", "t > 1",
        "sin(x=t)", "sin(*t)", "open('x')", "'t'", "1j", "True", "t; t", "", "sin(t", "t := 1", "f'{t}'",
        "(" * 900 + "t" + ")" * 900, "t + " * 3000 + "t", "sin(t, t)", "minimum(t)", "2^t", "x0", "9" * 1500,
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused_in_one_line(text):
    with pytest.raises(InputError) as caught:
        Expression(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "given", [None, 5, b"t", {}, [], ["t", None], ["t", True], [10**400], ["t", ["t"]], [1j], object()]
)
def test_what_is_neither_text_nor_a_list_of_texts_and_numbers_is_refused(given):
    with pytest.raises(InputError, match=r"must (be|have) .*expression|must have numbers"):
        Expression(given)


def test_numbers_among_expressions_are_those_of_any_library():
    given = Expression(np.array(["t", "2*t"])), Expression([np.float32(0.5), jnp.asarray(2.0)])
    assert [one.text for one in given] == [("t", "2*t"), (0.5, 2.0)]


@pytest.mark.parametrize(
    ("text", "told"), [("min(t, 1)", "did you mean minimum?"), ("nan", "known are"), ("Sin(t)", "mean sin?")]
)
def test_an_unknown_name_is_answered_by_what_was_meant_or_by_all_that_is_known(text, told):
    with pytest.raises(InputError) as caught:
        Expression(text)
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["-" * 1900 + "t", "t" + "+t" * 900, "abs(" * 150 + "t" + ")" * 150])
def test_a_deep_expression_that_can_be_read_has_its_value(text):
    np.testing.assert_allclose(Expression(text).at(2.0), [1802.0 if "+" in text else 2.0])


@pytest.mark.parametrize(
    ("drive", "said"),
    [
        (Expression("log(t)"), r"clamp\[0\]: is -inf at t = 0"),
        (Expression("1/(t - 5)"), r"clamp\[0\]: is inf at t = 5"),
        (Expression("1/(t - pi)"), r"clamp\[0\]: grows beyond all bounds near t = 3.14"),
        (Expression("tan(pi*t/10)"), r"clamp\[0\]: grows beyond all bounds near t = 5"),  # 1.6e16 at 5
        (Expression("9**9**9**9"), r"clamp\[0\]: is inf at t = 0"),
        (Expression("sqrt(5 - t)"), r"clamp\[0\]: is nan at t = 5"),
        (Expression(["t", "t"]), r"clamp\[0\]: has 2 values a sample; layer 0 has 1 nodes"),
        (lambda t: jnp.where(t > 5, jnp.nan, t)[None], r"clamp\[0\]: is nan at t = 5"),
        (lambda t: jnp.where(t < 5, jnp.nan, t)[None], r"clamp\[0\]: leaves another node free at t = 5"),
        (lambda t: jnp.stack([t, t]), r"clamp\[0\]: has 2 values a sample"),
        (lambda t: t, r"clamp\[0\]: returns shape \(\)"),
        (lambda t: jnp.zeros((1, 1, 1)), r"clamp\[0\]: returns shape \(1, 1, 1\)"),
        (lambda t: [float(t)], r"clamp\[0\]: fails when JAX traces it \(ConcretizationTypeError"),
        (
            lambda t: np.sin(np.asarray(t)),
            r"clamp\[0\]: fails when JAX traces it \(TracerArrayConversionError",
        ),
        (lambda t: 1 / 0, r"clamp\[0\]: fails when JAX traces it \(ZeroDivisionError: division by zero\)"),
        (lambda t: None, r"clamp\[0\]: fails when JAX traces it"),
        (lambda t: jnp.array([1j]) * t, r"clamp\[0\]: returns complex128"),
        (lambda: 1.0, r"clamp\[0\]: fails when JAX traces it \(TypeError"),
        (lambda t: jnp.ones((2, 1)) * t, r"clamp\[0\]: has 2 samples where this phase has 1"),
    ],
)
def test_a_function_that_cannot_be_followed_is_refused_before_anything_runs(drive, said):
    network, weights = linear_network()

    def attempt():
        phase = Phase("p", {0: drive, 2: [[0.0]]}, duration=10.0, samples=[0])
        pcode.simulate(network, [phase], weights=weights)

    with pytest.raises(InputError, match=said) as caught:
        attempt()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
@pytest.mark.parametrize(("t", "u"), [([0.0, 1.0, 2.0], [1e308, -1e308, 1e308]), ([0, 1e-310, 1], [0, 1, 2])])
def test_a_series_that_overflows_between_its_points_is_refused(t, u, kind):
    with pytest.raises(InputError, match="values: overflow between t = "):
        TimeSeries(t, np.reshape(u, (3, 1, 1)), kind)


def test_a_series_has_no_other_kind():
    with pytest.raises(InputError, match="kind: must be linear or cubic, not 'quadratic'"):
        TimeSeries([0.0, 1.0], np.zeros((2, 1, 1)), kind="quadratic")


def test_a_clamp_that_goes_beyond_all_bounds_never_ends_in_success():
    """To 1e160 within the unit of time, whose square, an energy, is no number: ended long before."""
    run = simulate(TimeSeries([0.0, 1.0], [[[0.0]], [[1e160]]]), 10.0)
    assert run.status == "diverged"
    assert "a value grew beyond all bounds" in run.message
    assert run.phases[0].t_end < 1.0
    assert np.isfinite(run.data["energy"].values).all()

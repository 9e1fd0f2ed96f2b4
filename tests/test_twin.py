"""The twin: gradient flow against SciPy on a gradient in NumPy, SGD against a loop, both beside a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pcode
from pcode.model.network import Array, Weights

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2))
SIZES, NU, DECAY = (3, 4, 2), (0.7, 1.8), 0.03


def gradient(M: list[Array], beta: list[Array], x: Array, y: Array) -> tuple[list[Array], list[Array]]:
    """dL/dM and dL/dbeta of L = mean 1/2 |y - f(x)|^2 for tanh before each link, by the chain rule."""
    s0 = np.tanh(x)
    hidden = s0 @ M[0] + beta[0]
    s1 = np.tanh(hidden)
    out = (s1 @ M[1] + beta[1] - y) / len(x)
    back = (out @ M[1].T) * (1.0 - s1**2)
    return [s0.T @ back, s1.T @ out], [back.sum(axis=0), out.sum(axis=0)]


def split(w: Array) -> tuple[list[Array], list[Array]]:
    parts = np.split(w, np.cumsum([12, 8, 4]))
    return [parts[0].reshape(3, 4), parts[1].reshape(4, 2)], [parts[2], parts[3]]


def joined(M: Any, beta: Any) -> Array:
    return np.concatenate([np.ravel(part) for part in (*M, *beta)])


def rate(w: Array, x: Array, y: Array, deltas: Array) -> Array:
    M, beta = split(w)
    by_M, by_beta = gradient(M, beta, x, y)
    return joined(
        [-(g / NU[-1] + DECAY * m) / d for g, m, d in zip(by_M, M, deltas, strict=True)],
        [-(g / NU[-1] + DECAY * b) / d for g, b, d in zip(by_beta, beta, deltas, strict=True)],
    )


def test_the_gradient_of_this_test_is_that_of_finite_differences() -> None:
    w = RNG.normal(size=26)

    def loss(w: Array) -> float:
        M, beta = split(w)
        out = np.tanh(np.tanh(X) @ M[0] + beta[0]) @ M[1] + beta[1]
        return 0.5 * float(((Y - out) ** 2).sum() / len(X))

    steps = 1e-6 * np.eye(26)
    numeric = np.array([(loss(w + h) - loss(w - h)) / 2e-6 for h in steps])
    np.testing.assert_allclose(joined(*gradient(*split(w), X, Y)), numeric, atol=1e-8)


def trained(shown: pcode.Presentation | None, **changes: Any) -> pcode.Run:
    network = pcode.Network(SIZES, delta=(30.0, 50.0), nu=NU, weight_decay=DECAY)
    how: dict[str, Any] = {"duration": 40.0} if shown is None else {"presentation": shown}
    phase = pcode.Phase("train", {0: X, 2: Y}, **how | changes)
    probes = {"cost": pcode.Probe("loss", data=(X, Y), presentations=2), "sizes": pcode.Probe("norms")}
    if shown is None:
        probes = {"cost": pcode.Probe("loss", data=(X, Y), deltas=0.2)}
    return pcode.simulate(
        network, [phase], weights=network.init_weights(1), rtol=1e-8, atol=1e-10, probes=probes
    )


SHOWN = pcode.Presentation(size=3, hold=4.0, passes=4, order="shuffled", seed=2)


def by_scipy(rows: list[Any], lasts: Any, start: Weights) -> Array:
    w = joined(start.M, start.beta)
    for k, last in zip(rows, lasts, strict=True):
        found = solve_ivp(
            lambda t, w, k=k: rate(w, X[k], Y[k], (30.0, 50.0)),
            (0.0, last),
            w,
            "DOP853",
            rtol=1e-11,
            atol=1e-13,
        )
        w = found.y[:, -1]
    return w


def test_the_gradient_flow_is_that_of_scipy_through_the_same_samples() -> None:
    run = trained(SHOWN)
    start = run.network.init_weights(1)
    answer = pcode.twin(run)
    exact = by_scipy(SHOWN.rows(7), [4.0] * 12, start)
    flow = answer.weights["flow"]
    np.testing.assert_allclose(joined(flow.M, flow.beta), exact, atol=1e-7)
    assert list(answer.tables()) == ["curves", "links"]
    (curve,) = [one for one in answer.curves if one.name == "cost"]
    M, beta = split(exact)
    out = np.tanh(np.tanh(X) @ M[0] + beta[0]) @ M[1] + beta[1]
    assert curve.flow[-1] == pytest.approx(0.5 * ((Y - out) ** 2).sum() / 7, abs=1e-7)
    assert curve.flow[0] == curve.sgd[0] == curve.run[0]
    assert curve.t.size == curve.flow.size == 7  # the start, every second of 12, and the end with the last


def test_sgd_takes_one_step_for_each_presentation_as_long_as_it_was_shown() -> None:
    answer = pcode.twin(trained(SHOWN))
    start = trained(SHOWN).network.init_weights(1)
    w = joined(start.M, start.beta)
    for k in SHOWN.rows(7):
        w = w + 4.0 * rate(w, X[k], Y[k], (30.0, 50.0))
    sgd = answer.weights["sgd"]
    np.testing.assert_allclose(joined(sgd.M, sgd.beta), w, atol=1e-12)


def test_a_phase_that_shows_all_at_once_has_a_gradient_flow_and_no_sgd() -> None:
    run = trained(None)
    answer = pcode.twin(run)
    exact = by_scipy([np.arange(7)], [40.0], run.network.init_weights(1))
    flow = answer.weights["flow"]
    np.testing.assert_allclose(joined(flow.M, flow.beta), exact, atol=1e-7)
    (curve,) = answer.curves
    assert np.isnan(curve.sgd).all()
    halfway = by_scipy([np.arange(7)], [float(curve.t[2])], run.network.init_weights(1))
    M, beta = split(halfway)
    out = np.tanh(np.tanh(X) @ M[0] + beta[0]) @ M[1] + beta[1]
    assert curve.flow[2] == pytest.approx(0.5 * ((Y - out) ** 2).sum() / 7, abs=1e-7)
    assert any("no SGD" in note for note in answer.notes)


def test_what_does_not_learn_in_the_run_does_not_in_its_twin() -> None:
    answer = pcode.twin(trained(SHOWN, learn=["M1", "W1"]))
    start = answer.weights["flow"]
    first = trained(SHOWN).network.init_weights(1)
    np.testing.assert_array_equal(start.M[0], first.M[0])
    np.testing.assert_array_equal(start.beta[1], first.beta[1])
    assert np.abs(start.M[1] - first.M[1]).max() > 1e-3


def test_the_twin_learns_what_the_run_learns_where_the_variance_of_the_output_is_large() -> None:
    """At rest nu^n times the flow comes near to minus the gradient as nu^n grows (Whittington and Bogacz)."""
    angles = []
    for nu in (1.0, 10.0, 100.0):
        network = pcode.Network(SIZES, delta=1e4 / nu, nu=(1.0, nu))
        shown = pcode.Presentation(hold=40.0, nodes="feedforward")
        phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)
        run = pcode.simulate(network, [phase], weights=network.init_weights(1), rtol=1e-7, atol=1e-9)
        angles.append(pcode.twin(run).flow_angle.max())
    assert angles[2] < angles[1] < angles[0]
    assert angles[2] < 2.0


def test_a_saved_run_has_the_same_twin_and_its_figure_three_curves(tmp_path: Any) -> None:
    run = trained(SHOWN)
    run.save(tmp_path / "run.nc")
    again = pcode.twin(pcode.Run.load(tmp_path / "run.nc"))
    np.testing.assert_array_equal(again.curves[0].flow, pcode.twin(run).curves[0].flow)
    ax = again.plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "predictive coding", "gradient flow", "SGD",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "right"),
    [
        (pcode.Phase("test", {0: X}, duration=5.0, learn=False), "no phase in which weights learn"),
        (pcode.Phase("train", {0: X}, duration=5.0), "layer 2 was not held"),
    ],
)
def test_runs_without_a_twin_are_told_why(phase: pcode.Phase, right: str) -> None:
    network = pcode.Network(SIZES)
    run = pcode.simulate(network, [phase], weights=network.init_weights(0))
    with pytest.raises(pcode.InputError, match=right):
        pcode.twin(run)

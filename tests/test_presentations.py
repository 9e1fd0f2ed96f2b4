"""Phases that show samples one after another, against SciPy on NumPy, and against phases written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from flow import reference

import pcode
from pcode.model.network import Array, Weights
from tests.methods import DETERMINISTIC

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(5, 2)), 0.5 * RNG.normal(size=(5, 1))
FEW = pcode.Save(nodes=2, weights=2, presentations=1)
TIGHT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10, "save": FEW}


def network(activation: str = "tanh", **changes: Any) -> pcode.Network:
    given = {"tau": 1.0, "delta": 20.0, "nu": 0.5, "weight_decay": 0.02} | changes
    return pcode.Network((2, 3, 1), activation, **given)


def start(net: pcode.Network) -> Weights:
    return net.init_weights(2, W="transpose" if net.feedback == "tied" else "independent")


def clamps(k: Array, before: Array | None, ramp: float) -> dict[int, Any]:
    """The clamps of the presentation of rows `k` after one of rows `before`, on its own clock."""
    if before is None or ramp == 0.0:
        return {0: X[k], 2: Y[k]}
    old = [*before[: len(k)], *k[len(before) :]]
    return {layer: pcode.TimeSeries([0.0, ramp], [D[old], D[k]]) for layer, D in ((0, X), (2, Y))}


def by_scipy(net: pcode.Network, weights: Weights, shown: pcode.Presentation) -> tuple[Any, ...]:
    """x, eps, M, W, beta at the end of all presentations; nodes carry, each from row k to row k."""
    x = eps = before = None
    for rows in shown.rows(len(X)):
        phase = pcode.Phase("one", clamps(rows, before, shown.ramp), duration=shown.hold)
        if x is None:
            hidden = np.asarray(net.sigma[0].f(X[rows])) @ weights.M[0] + weights.beta[0]
            x, eps = (X[rows], hidden, Y[rows]), (np.zeros_like(hidden), np.zeros_like(Y[rows]))
        x, eps, M, W, beta = reference(net, phase, weights, x, eps, [shown.hold])[-1]
        weights = Weights(M, None if net.feedback == "tied" else W, beta)
        before = rows
    return x, eps, weights


def agree(run: pcode.Run, reached: tuple[Any, ...], within: float) -> None:
    x, eps, weights = reached
    own, other = [*run.state.x, *run.state.eps], [*x, *eps]
    own += [a for part in run.weights if part is not None for a in part]
    other += [a for part in weights if part is not None for a in part]
    for mine, exact in zip(own, other, strict=True):
        np.testing.assert_allclose(mine, exact, atol=within, rtol=0.0)


ACTIVATIONS = ("identity", "logistic", "relu", "leaky_relu", "softplus", "square")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("feedback", ["learned"])
def test_samples_in_turn_follow_the_equations_for_every_activation(activation: str, feedback: str) -> None:
    net = network(activation, feedback=feedback)
    shown = pcode.Presentation(hold=2.5, passes=2, order="shuffled", seed=1)
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)
    run = pcode.simulate(net, [phase], weights=start(net), method="Tsit5", **TIGHT)
    assert run.phases[0].presented == 10
    agree(run, by_scipy(net, start(net), shown), 3e-7)


@pytest.mark.parametrize("feedback", ["learned", "tied", "fixed"])
@pytest.mark.parametrize(
    "shown",
    [
        pcode.Presentation(size=1, hold=2.0),
        pcode.Presentation(size=5, hold=1.5, ramp=0.4, passes=3),
        pcode.Presentation(size=1, hold=1.5, ramp=1.5),
    ],
    ids=["one", "all, with ramps", "one, ramps as long as the hold"],
)
def test_samples_in_turn_follow_the_equations_for_every_feedback(
    feedback: str, shown: pcode.Presentation
) -> None:
    net = network(feedback=feedback)
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)
    run = pcode.simulate(net, [phase], weights=start(net), method="Tsit5", **TIGHT)
    agree(run, by_scipy(net, start(net), shown), 3e-7)


@pytest.mark.parametrize("method", [name for name in DETERMINISTIC if name not in ("Tsit5", "Radau")])
def test_samples_in_turn_follow_the_equations_by_every_method(method: str) -> None:
    net = network()
    shown = pcode.Presentation(size=1, hold=2.0)
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)
    run = pcode.simulate(net, [phase], weights=start(net), method=method, **TIGHT)
    agree(run, by_scipy(net, start(net), shown), 2e-6)


def by_hand(net: pcode.Network, shown: pcode.Presentation, method: str, learn: bool) -> Iterator[Any]:
    """Simulations of the same phases written out, one state after each."""
    simulation = pcode.Simulation(net, weights=start(net), method=method, **TIGHT)
    before = None
    for k, rows in enumerate(shown.rows(len(X))):
        nodes = None if shown.nodes == "carry" or k == 0 else shown.nodes
        # Row k stands for sample k, so that it goes on from row k of the phase before.
        phase = pcode.Phase(
            f"{k}",
            clamps(rows, before, shown.ramp),
            duration=shown.longest,
            learn=learn,
            until=shown.until,
            samples=range(len(rows)),
            nodes=nodes,
        )
        before = rows
        simulation.advance(phase)
        yield simulation


@pytest.mark.parametrize("method", ["Tsit5", "cvode"])
@pytest.mark.parametrize(
    ("shown", "learn"),
    [
        (pcode.Presentation(size=2, hold=2.0, passes=2, order="shuffled", ramp=0.5), True),
        (pcode.Presentation(size=3, hold=2.0, nodes="zero"), True),
        (pcode.Presentation(size=1, hold=2.0, nodes="feedforward"), True),
        (pcode.Presentation(size=2, hold=2.0, nodes="equilibrium"), True),
        (pcode.Presentation(size=1, hold="equilibrium", limit=300.0), False),
        (pcode.Presentation(size=2, hold="equilibrium", limit=12.0), False),
    ],
    ids=["uneven, ramps", "zero", "feedforward", "equilibrium", "until rest", "until rest or a limit"],
)
def test_samples_in_turn_are_the_phases_written_out(
    method: str, shown: pcode.Presentation, learn: bool
) -> None:
    net = network()
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown, learn=learn)
    run = pcode.simulate(net, [phase], weights=start(net), method=method, **TIGHT)
    (*_, simulation) = by_hand(net, shown, method, learn)
    assert simulation.state is not None
    agree(run, simulation.state, 1e-9)
    record, phases = run.phases[0], simulation.phases
    assert record.t_end == pytest.approx(simulation.t, rel=1e-7)
    # A step of either may end a rounding error earlier.
    assert record.stats.steps == pytest.approx(sum(one.stats.steps for one in phases), rel=0.02)
    if shown.until:
        late = sum(one.status is pcode.Status.NOT_SETTLED for one in phases)
        assert record.at_limit == late
        assert (record.status is pcode.Status.NOT_SETTLED) == (late > 0)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_implicit_methods_take_samples_in_turn_in_the_loop_too(activation: str) -> None:
    net = network(activation, delta=200.0)
    shown = pcode.Presentation(hold=30.0)
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)
    run = pcode.simulate(net, [phase], weights=start(net), method="Kvaerno3", **TIGHT)
    (*_, simulation) = by_hand(net, shown, "DOP853", True)
    assert simulation.state is not None
    agree(run, simulation.state, 1e-6)


@pytest.mark.parametrize(("activation", "ramp"), [("relu", 0.0), ("relu", 0.5), ("leaky_relu", 0.0)])
def test_kinks_are_met_in_the_loop_as_in_phases_of_their_own(activation: str, ramp: float) -> None:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    net = pcode.Network((3, 4, 2), activation, tau=1.0, delta=20.0, nu=0.5)
    shown = pcode.Presentation(size=2, hold=3.0, passes=3, order="shuffled", ramp=ramp)
    phase = pcode.Phase("train", {0: inputs, 2: targets}, presentation=shown)
    runs = [
        pcode.simulate(net, [phase], weights=net.init_weights(0), method=method, rtol=rtol, atol=1e-3 * rtol)
        for method, rtol in (("Tsit5", 1e-7), ("DOP853", 1e-10))
    ]
    for mine, exact in zip(runs[0].weights.M, runs[1].weights.M, strict=True):
        np.testing.assert_allclose(mine, exact, atol=1e-7, rtol=0.0)
    stats = runs[0].phases[0].stats
    assert (stats.rejected or 0) < 0.1 * stats.steps  # a kink within a step would be met by rejections


def test_a_node_that_is_free_in_some_samples_only_moves_in_these() -> None:
    net = network()
    partly = X.copy()
    partly[1, 0] = np.nan
    shown = pcode.Presentation(hold=3.0)
    phase = pcode.Phase("train", {0: partly, 2: Y}, presentation=shown)
    save = pcode.Save(nodes=2, weights=2, presentations=5)
    run = pcode.simulate(net, [phase], weights=start(net), method="Tsit5", **TIGHT | {"save": save})
    values = run.data["x0"].to_numpy()[:, 0, 0]
    assert values[2] != values[3]  # free: it goes on from where it was
    np.testing.assert_array_equal(values[[0, 1, 4, 5]], X[[0, 0, 2, 2], 0])
    one = pcode.Simulation(net, weights=start(net), method="DOP853", **TIGHT)
    for row in range(5):
        one.advance(pcode.Phase("one", {0: partly[[row]], 2: Y[[row]]}, duration=3.0, samples=[0]))
    assert one.state is not None
    agree(run, one.state, 1e-6)


def test_in_the_singular_limit_nodes_are_at_rest_from_one_sample_to_the_next() -> None:
    """The full flow comes near to it to first order in tau / delta, the switches included."""
    shown = pcode.Presentation(hold=0.3, passes=2)
    phase = pcode.Phase("train", {0: X, 2: Y}, presentation=shown)

    def learned(tau: float) -> Array:
        net = network(tau=tau, delta=1.0)
        run = pcode.simulate(net, [phase], weights=net.init_weights(2), **TIGHT)
        return np.concatenate([np.ravel(M) for M in run.weights.M])

    limit = learned(0.0)
    distances = [float(np.abs(learned(tau) - limit).max()) for tau in (2e-3, 1e-3, 5e-4)]
    assert distances[0] / distances[1] == pytest.approx(2.0, rel=0.1)
    assert distances[1] / distances[2] == pytest.approx(2.0, rel=0.05)

"""What objects show of themselves: a few words, never thousands of numbers."""

from __future__ import annotations

import numpy as np
import pytest

import pcode
from pcode.analysis import QUESTIONS, ask
from pcode.base.short import summary
from pcode.run.snapshot import Snapshot
from pcode.scenario import Scenario


@pytest.fixture(scope="module")
def run():
    """300 samples, so that all arrays are long."""
    network = pcode.Network(sizes=(6, 5, 4), tau=1.0, delta=50.0)
    rng = np.random.default_rng(0)
    phase = pcode.Phase(
        "train",
        {0: rng.normal(size=(300, 6)), 2: rng.normal(size=(300, 4))},
        duration=40.0,
        samples=range(300),
    )
    return pcode.simulate(network, [phase], weights=network.init_weights(rng=0), save=pcode.Save(4, 4))


def test_a_network_shows_the_arguments_that_make_it_and_what_all_layers_share_once():
    network = pcode.Network(sizes=(2, 8, 1), tau=0.0, nu=(1.0, 0.5), node_decay=0.1)
    assert repr(network) == (
        "Network(sizes=(2, 8, 1), activation='tanh', tau=0.0, delta=200.0, nu=(1.0, 0.5), node_decay=0.1, "
        "feedback='learned')"
    )
    assert eval(repr(network), {"Network": pcode.Network}) == network
    timed = pcode.Network(sizes=(1, 1), tau="10 ms", delta="5 s")
    assert eval(repr(timed), {"Network": pcode.Network}) == timed


def test_weights_and_states_show_the_shapes_of_their_arrays(run):
    assert repr(run.weights) == "Weights(M=<6x5, 5x4>, W=<5x6, 4x5>, beta=<5, 4>)"
    tied = pcode.Network(sizes=(2, 1), feedback="tied").init_weights(rng=0)
    assert repr(tied) == "Weights(M=<2x1>, beta=<1>)"
    assert repr(run.state) == (
        "State(x=<300x6, 300x5, 300x4>, eps=<300x5, 300x4>, "
        "weights=Weights(M=<6x5, 5x4>, W=<5x6, 4x5>, beta=<5, 4>))"
    )


def test_a_phase_shows_what_it_clamps():
    phase = pcode.Phase(
        "look", {0: np.zeros((40, 2)), 1: pcode.Expression("sin(t)")}, duration=5.0, learn=False
    )
    shown = repr(phase)
    assert shown.startswith("Phase(name='look', clamp={0: <40x2>, 1: Expression(")
    assert "duration=5.0, learn=False" in shown
    assert "None" not in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.zeros((4, 2)), "<4x2>"),
        (np.array([0.5, 1.0]), "[0.5, 1.0]"),
        (np.arange(1000), "<1000>"),
        (tuple(range(1437)), "<1,437 entries>"),
        ((1, 2), "(1, 2)"),
        ((1,), "(1,)"),
        ([np.zeros((2, 3))] * 9, "<2x3, 2x3, ..., 2x3>"),
        ({0: np.zeros((4, 2))}, "{0: <4x2>}"),
        (np.float64(0.5), "0.5"),
        ("x" * 100, "'" + "x" * 76 + "..."),
    ],
)
def test_values_are_shown_in_few_letters(value, shown):
    assert summary(value) == shown


def test_nothing_that_a_user_meets_shows_thousands_of_numbers(run):
    simulation = pcode.Simulation(run.network, weights=run.weights)
    shown = [run, run.network, run.weights, run.state, run.phases[0], run.phases, run.plot, simulation]
    shown += [Snapshot.of(run), pcode.Data.named("digits"), Scenario.load("digits")]
    shown += [pcode.TimeSeries(np.arange(500.0), np.zeros((500, 3, 2)))]
    for one in shown:
        assert len(repr(one)) < 1200, type(one)
        assert " at 0x" not in repr(one), type(one)


@pytest.mark.parametrize(
    "question", [name for name in QUESTIONS if name not in ("classification", "stationary")]
)
def test_an_answer_shows_its_lines(run, question):
    answer = ask(run, question)
    assert repr(answer).splitlines()[: len(answer.lines())] == answer.lines()
    assert str(answer) == repr(answer)
    assert len(repr(answer)) < 3000


def test_what_answers_hold_is_short_too(run):
    for part in (ask(run, "spectrum").nodes, ask(run, "convergence").phases, ask(run, "backprop").rest):
        assert len(repr(part)) < 2000
    assert repr(ask(run, "spectrum").nodes).startswith("Eigenvalues(values=<")


def test_the_figures_of_backprop_are_explained_where_they_are_printed(run):
    told = repr(ask(run, "backprop"))
    for words in ("angle in degrees", "length", "nodes at rest", "as they are", "-B dL/dmu^l", "-dL/dM^l"):
        assert words in told

"""The exact reductions: fewer unknowns, the same solution."""

import numpy as np
import pytest

import pcode
from pcode.model.state import State
from pcode.solvers import METHODS, Settings
from pcode.system.problem import make_problem

TIMES = np.array([1.0, 7.0, 20.0, 60.0])


def situation(rng, sizes=(7, 4, 2), B=3, learn=True, W="independent", clamp_input=True, beta=0.0, **options):
    """A network with more inputs than samples."""
    density = options.pop("density", None)
    if density is not None:
        options["mask"] = pcode.random_masks(sizes, density, 3)
    network = pcode.Network(sizes, **{"delta": 20.0, "weight_decay": 0.3, "nu": 1.0} | options)
    weights = network.init_weights(rng, W=W)
    if beta and network.bias:
        weights = weights._replace(beta=tuple(beta * rng.standard_normal(b.shape) for b in weights.beta))
    clamp = {len(sizes) - 1: rng.standard_normal((B, sizes[-1]))}
    if clamp_input:
        clamp[0] = rng.standard_normal((B, sizes[0]))
    phase = pcode.Phase("train", clamp, duration=60.0, learn=learn)
    x = tuple(rng.standard_normal((B, size)) for size in sizes)
    eps = tuple(0.1 * rng.standard_normal((B, size)) for size in sizes[1:])
    return network, phase, State(x, eps, weights)


def states(problem):
    """The full state at TIMES."""
    found = []
    METHODS["DOP853"].solve(
        problem,
        TIMES,
        Settings(1e-10, 1e-12),
        lambda k, t, y: found.append(problem.state(t, y)),
        lambda t, step, y: False,
    )
    return found


CASES = {
    "learned, W apart from the transpose, with decay": {},
    "learned, W apart from the transpose": {"weight_decay": 0.0},
    "learned, W at the transpose": {"W": "transpose"},
    "tied": {"feedback": "tied", "W": "transpose"},
    "fixed": {"feedback": "fixed"},
    "three layers of weights": {"sizes": (7, 4, 3, 2)},
    "held weights": {"learn": False},
    "a free input": {"clamp_input": False, "node_decay": 0.1},
    "as many samples as inputs": {"B": 7},
    "a single sample": {"B": 1},
    "a single sample, a mask": {"B": 1, "density": 0.5},
    "a single sample, tied, a mask on the first link only": {
        "B": 1,
        "density": (0.4, 1.0),
        "feedback": "tied",
        "W": "transpose",
    },
    "several samples, a mask": {"density": 0.5},
    "several samples, a mask on the last link only": {"density": (1.0, 0.5)},
    "no biases": {"bias": False},
    "a clock for each link": {"delta": (20.0, 5.0)},
    "a clock for each link, a single sample": {"delta": (5.0, 20.0), "B": 1},
    "M and W of the first link": {"learn": ["M0", "W0"]},
    "M and W of the first link, a single sample, a mask": {"learn": ["M0", "W0"], "B": 1, "density": 0.5},
    "M and W of every link, no bias": {"learn": ["M0", "W0", "M1", "W1"]},
    "M without W": {"learn": ["M0", "M1", "beta1"]},
    "W without M": {"learn": ["W0", "W1", "beta2"]},
    "M and W of one, M of another": {"sizes": (7, 4, 3, 2), "learn": ["M0", "M1", "W1", "beta1"]},
    "W and M of one, W of another": {
        "sizes": (7, 4, 3, 2),
        "learn": ["M1", "W1", "W2"],
        "delta": (9.0, 20.0, 5.0),
    },
    "all but the first weights": {"learn": ["M1", "W1", "beta2"]},
    "all but the first weights, a single sample": {"learn": ["M1", "W1", "beta2"], "B": 1, "density": 0.5},
    "the first biases": {"learn": ["beta1"]},
    "the first biases, a single sample, a mask": {"learn": ["beta1", "M1"], "B": 1, "density": 0.5},
    "everything": {
        "sizes": (7, 4, 3, 2),
        "learn": ["M0", "W0", "M1", "W2", "M2"],
        "B": 1,
        "density": (0.5, 0.7, 1.0),
        "delta": (9.0, 20.0, 5.0),
        "bias": False,
    },
    "every activation": {"sizes": (7, 4, 3, 2), "activation": ("logistic", "softplus", "tanh")},
}


@pytest.mark.parametrize("case", CASES)
def test_the_full_state_is_the_same_with_and_without(case, rng):
    network, phase, state = situation(rng, beta=0.1, **CASES[case])
    reduced, full = (make_problem(network, phase, state, reduce=reduce) for reduce in (True, False))
    assert reduced.layout.size <= full.layout.size
    for a, b in zip(states(reduced), states(full), strict=True):
        assert (a.weights.W is None) == (b.weights.W is None)
        pairs = [*zip(a.x, b.x, strict=True), *zip(a.eps, b.eps, strict=True)]
        for name in ("M", "W", "beta"):
            pairs += zip(getattr(a.weights, name) or (), getattr(b.weights, name) or (), strict=True)
        for one, other in pairs:
            np.testing.assert_allclose(one, other, atol=1e-8)


def test_the_unknowns_are_as_few_as_promised(rng):
    network, phase, state = situation(rng)  # 7-4-2, three samples, learned
    full = make_problem(network, phase, state, reduce=False)
    reduced = make_problem(network, phase, state)
    nodes = 3 * 4 + 3 * (4 + 2)
    assert full.layout.size == nodes + 2 * (7 * 4 + 4 * 2) + 6
    assert reduced.layout.size == nodes + (3 * 4 + 4 * 2) + 6  # no W; M^0 in the span of three samples


@pytest.mark.parametrize("case", CASES)
def test_the_unknowns_stand_for_all_variables_of_the_model(case, rng):
    network, phase, state = situation(rng, **CASES[case])
    reduced, full = (make_problem(network, phase, state, reduce=reduce) for reduce in (True, False))
    missing = 0  # weights that a mask leaves out, which are nothing to be strict about
    for name, (variable, layer) in full.layout.arrays.items():
        mask = network.masks[layer] if variable.name in ("M", "W") else None
        there = np.ones(full.layout.shapes[name]) if mask is None else np.asarray(mask, float)
        there = there.T if mask is not None and variable.name == "W" else there
        np.testing.assert_array_equal(full.stands_for[full.layout.slices[name]], there.ravel())
        missing += int((there == 0.0).sum())
    assert reduced.stands_for.sum() == pytest.approx(full.layout.size - missing, rel=1e-12)


@pytest.mark.parametrize("method", ["Kvaerno3", "Kvaerno5", "Tsit5"])
def test_what_is_left_out_does_not_change_how_many_steps_diffrax_takes(method, rng):
    """Their error norm is over the variables of the model, not over those that happen to be unknowns."""
    network, phase, state = situation(rng)
    steps = []
    for reduce in (True, False):
        problem = make_problem(network, phase, state, reduce=reduce)
        found = METHODS[method].solve(
            problem, TIMES, Settings(1e-7, 1e-10), lambda k, t, y: None, lambda t, step, y: False
        )
        steps.append(found.stats.steps)
    assert steps[0] == pytest.approx(steps[1], rel=0.02)


def test_nothing_is_reduced_where_it_would_not_be_the_same(rng):
    network, phase, state = situation(rng)
    moving = pcode.TimeSeries([0.0, 60.0], np.stack([phase.clamp[0], 2.0 * phase.clamp[0]]))
    partly = np.where(np.eye(3, 7) > 0.0, np.nan, phase.clamp[0])
    settling = {"until": "equilibrium"}
    for clamp, options, sizes in (
        ({0: moving, 2: phase.clamp[2]}, {}, (7, 4, 2)),
        ({0: partly, 2: phase.clamp[2]}, {}, (7, 4, 2)),
        (phase.clamp, settling, (7, 4, 2)),
    ):
        changed = pcode.Phase("p", clamp, duration=60.0, **options)
        assert make_problem(network, changed, state).layout.sizes == sizes


def test_a_single_sample_takes_one_unknown_a_node_of_the_first_hidden_layer_for_its_weights(rng):
    for options in ({}, {"density": 0.5}, {"learn": ["M0", "beta1"]}):
        network, phase, state = situation(rng, B=1, **options)
        layout = make_problem(network, phase, state).layout
        assert layout.shapes["M0"] == (1, 4)
        assert "W0" not in layout.shapes


def test_what_is_held_keeps_its_bits(rng):
    network, phase, state = situation(rng, learn=["M0", "W1"], B=1, density=0.5)
    run = pcode.simulate(network, [phase], weights=state.weights)
    for name, one in (("M", 1), ("W", 0), ("beta", 0), ("beta", 1)):
        np.testing.assert_array_equal(getattr(run.weights, name)[one], getattr(state.weights, name)[one])
    for name, one in (("M", 0), ("W", 1)):
        assert (getattr(run.weights, name)[one] != getattr(state.weights, name)[one]).any()
    there = network.masks[0].there
    assert (run.data["M0"].values[:, ~there] == 0.0).all()


def test_an_input_of_zeros_teaches_nothing(rng):
    """sigma(x^0) = 0: the span of the sample is empty, and M^0 decays at most."""
    for options in ({}, {"density": 0.5}):
        network, phase, state = situation(rng, B=1, **options)
        phase = pcode.Phase("train", {**phase.clamp, 0: np.zeros((1, 7))}, duration=60.0)
        run = pcode.simulate(network, [phase], weights=state.weights, rtol=1e-9)
        np.testing.assert_allclose(
            run.weights.M[0], np.exp(-0.3 * 60.0 / 20.0) * state.weights.M[0], rtol=1e-12
        )


def test_a_run_with_reductions_saves_what_the_theory_of_decay_says(rng):
    """Inputs orthogonal to all that is shown: their weights decay and do nothing else."""
    network = pcode.Network((4, 3, 1), activation="identity", delta=10.0, weight_decay=0.5)
    X = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    phase = pcode.Phase("train", {0: X, 2: [[1.0], [-1.0]]}, duration=30.0)
    weights = network.init_weights(rng)
    run = pcode.simulate(network, [phase], weights=weights)
    t = run.data["weight_time"].values[:, None, None]
    unseen = run.data["M0"].values[:, 2:]
    np.testing.assert_allclose(unseen, weights.M[0][2:] * np.exp(-0.5 * t / 10.0), rtol=1e-12)


def test_where_nothing_learns_the_first_prediction_is_taken_once_and_for_all(rng):
    network, phase, state = situation(rng, learn=False)
    problem = make_problem(network, phase, state)
    assert problem.layout.sizes == (1, 4, 2)  # of the seven inputs nothing is left but their prediction
    mu = np.tanh(phase.clamp[0]) @ state.weights.M[0] + state.weights.beta[0]
    np.testing.assert_allclose(problem.parameters.held.beta[0], mu, rtol=1e-14)
    again = problem.state(0.0, problem.y0)
    np.testing.assert_array_equal(again.x[0], phase.clamp[0])
    np.testing.assert_array_equal(again.weights.M[0], state.weights.M[0])

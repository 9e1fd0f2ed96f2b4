"""Biases or none, masks, a clock for each link, and lists of what learns: against NumPy, SciPy and theory."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.analysis.backprop import backprop
from pcode.analysis.certificate import certificate
from pcode.analysis.planes.plane import phase_plane
from pcode.analysis.spectra.border import others
from pcode.analysis.spectrum import spectrum
from pcode.analysis.stability import stability
from pcode.run.snapshot import Snapshot
from pcode.system.limit import SlowProblem, settled
from pcode.system.problem import make_problem
from tests.conftest import STRUCTURED
from tests.flow import reference

SIZES = (3, 4, 3, 2)
TIMES = np.array([0.5, 5.0, 20.0, 40.0])

# What is different from the plain network, and what learns.
CASES = {
    "masks": ({"mask": pcode.random_masks(SIZES, 0.5, 1)}, True),
    "masks, tied": ({"mask": pcode.random_masks(SIZES, 0.5, 2), "feedback": "tied"}, True),
    "masks, fixed": ({"mask": pcode.random_masks(SIZES, (0.5, 0.3, 1.0), 3), "feedback": "fixed"}, True),
    "no biases": ({"bias": False}, True),
    "a clock for each link": ({"delta": (10.0, 30.0, 20.0)}, True),
    "M and W of a link": ({}, ["M1", "W1"]),
    "M without W": ({}, ["M0", "M2", "beta1"]),
    "W without M": ({}, ["W1", "W2", "beta3"]),
    "tied, two of three": ({"feedback": "tied"}, ["M0", "M2"]),
    "fixed, biases": ({"feedback": "fixed"}, ["beta1", "beta2"]),
    "all of it": (
        {"mask": pcode.random_masks(SIZES, 0.6, 4), "bias": False, "delta": (15.0, 40.0, 10.0)},
        ["M0", "W0", "M1", "W2"],
    ),
}
METHODS = ["cvode", STRUCTURED, "BDF", "Radau", "LSODA", "DOP853", "Kvaerno5", "Tsit5"]


def posed(options, learn, B=2, seed=0):
    """A network, its phase and weights; W is not the transpose of M, and the biases are not 0."""
    rng = np.random.default_rng(seed)
    network = pcode.Network(SIZES, **{"delta": 20.0, "weight_decay": 0.2, "nu": 0.7} | options)
    weights = network.init_weights(rng, W="independent")
    beta = tuple(0.2 * rng.standard_normal(b.shape) * network.bias for b in weights.beta)
    clamp = {0: rng.standard_normal((B, 3)), 3: rng.standard_normal((B, 2))}
    return network, pcode.Phase("train", clamp, duration=40.0, learn=learn), weights._replace(beta=beta)


@pytest.mark.parametrize("B", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_it_is_the_same_equations_with_those_rates_zeroed_in_numpy(case, B):
    network, phase, weights = posed(*CASES[case], B=B)
    x = [np.zeros((B, size)) for size in SIZES]
    eps = [np.zeros((B, size)) for size in SIZES[1:]]
    run = pcode.simulate(
        network,
        [phase],
        weights=weights,
        nodes=pcode.State(tuple(x), tuple(eps), weights),
        rtol=1e-9,
        atol=1e-11,
    )
    *_, (last_x, last_eps, M, W, beta) = reference(network, phase, weights, x, eps, TIMES)
    for name, arrays in {"M": M, "W": W, "beta": beta}.items():
        kept = run.weights.feedback if name == "W" else getattr(run.weights, name)
        for one, other in zip(kept, arrays, strict=True):
            np.testing.assert_allclose(one, other, atol=2e-7, err_msg=name)
    for one, other in zip((*run.state.x, *run.state.eps), (*last_x, *last_eps), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-7)


@cache
def ends(case):
    """The weights at the end of a case, by DOP853 at tight tolerances."""
    network, phase, weights = posed(*CASES[case])
    run = pcode.simulate(network, [phase], weights=weights, method="DOP853", rtol=1e-10, atol=1e-12)
    return run.weights


@pytest.mark.parametrize("method", METHODS, indirect=True)
@pytest.mark.parametrize("case", ["masks", "all of it", "W without M"])
def test_every_method_gives_the_same(method, case):
    network, phase, weights = posed(*CASES[case])
    found = pcode.simulate(network, [phase], weights=weights, method=method, rtol=1e-7, atol=1e-9).weights
    for name in ("M", "W", "beta"):
        for one, other in zip(getattr(found, name), getattr(ends(case), name), strict=True):
            np.testing.assert_allclose(one, other, atol=3e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_singular_limit_is_what_a_small_tau_comes_near(case):
    options, learn = CASES[case]
    network, phase, weights = posed(options | {"tau": 0.0}, learn)
    W = weights.W and tuple(M.T + 0.05 * W for M, W in zip(weights.M, weights.W, strict=True))  # stable
    weights = weights._replace(W=W)
    limit = pcode.simulate(network, [phase], weights=weights, rtol=1e-8, atol=1e-10).weights
    far = []
    for tau in (1e-2, 1e-3):
        network, *_ = posed(options | {"tau": tau}, learn)
        full = pcode.simulate(network, [phase], weights=weights, rtol=1e-8, atol=1e-10).weights
        pairs = zip((*limit.M, *limit.beta), (*full.M, *full.beta), strict=True)
        far.append(max(float(np.abs(a - b).max()) for a, b in pairs))
    assert far[1] < 1e-3
    assert far[1] < 0.2 * far[0] + 1e-7  # of first order in tau/delta


def test_masked_weights_of_a_regression_follow_their_closed_form():
    """One link, tau = 0: eps = (y - s.M)/nu, so s.M_j goes to its end at the rate (k_j/nu + lambda)/delta."""
    rng = np.random.default_rng(1)
    mask = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0]])
    network = pcode.Network(
        (4, 3), activation="tanh", tau=0.0, delta=50.0, nu=0.5, weight_decay=0.1, bias=False, mask=[mask]
    )
    X, Y = rng.standard_normal((1, 4)), rng.standard_normal((1, 3))
    weights = network.init_weights(3)
    phase = pcode.Phase("train", {0: X, 1: Y}, duration=60.0)
    run = pcode.simulate(network, [phase], weights=weights, rtol=1e-10, atol=1e-12)
    s, M0 = np.tanh(X[0]), weights.M[0]
    k, t = (mask * s[:, None] ** 2).sum(axis=0), run.data["weight_time"].values[:, None]
    rate, m0 = (k / 0.5 + 0.1) / 50.0, s @ M0
    end = (k / 0.5) * Y[0] / (k / 0.5 + 0.1)
    m = end + (m0 - end) * np.exp(-rate * t)
    shrunk = np.exp(-0.1 * t / 50.0)
    A = (m - shrunk * m0) / k
    expected = shrunk[:, :, None] * M0 + mask * s[:, None] * A[:, None, :]
    np.testing.assert_allclose(run.data["M0"].values, expected, atol=1e-9)


@pytest.mark.parametrize("B", [1, 3])
def test_what_a_mask_leaves_out_is_0_at_all_times_and_the_rest_moves_in_the_span_of_the_inputs(B):
    mask = pcode.random_masks((6, 4, 2), 0.5, 0)
    network = pcode.Network((6, 4, 2), delta=20.0, weight_decay=0.3, mask=mask)
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((B, 6)), rng.standard_normal((B, 2))
    weights = network.init_weights(0, W="independent")
    phase = pcode.Phase("train", {0: X, 2: Y}, duration=80.0)
    run = pcode.simulate(network, [phase], weights=weights, rtol=1e-9, atol=1e-12)
    for link, one in enumerate(network.masks):
        assert (run.data[f"M{link}"].values[:, ~one.there] == 0.0).all()
        assert (run.data[f"W{link}"].values[:, ~one.there.T] == 0.0).all()
    moved = run.weights.M[0] - np.exp(-0.3 * 80.0 / 20.0) * weights.M[0]
    sigma = np.tanh(X).T
    for j in range(4):
        there = mask[0].there[:, j]
        part = np.linalg.lstsq(sigma[there], moved[there, j], rcond=None)[0]
        np.testing.assert_allclose(sigma[there] @ part, moved[there, j], atol=1e-8)


# Linear networks.


def test_at_the_origin_of_a_deep_linear_network_weights_leave_a_saddle_by_its_rate():
    """docs/model.md, "What learns": with one output the last weights grow as exp(t mean y^2/delta)."""
    sizes, delta = (2, 3, 2, 1), 100.0
    network = pcode.Network(sizes, activation="identity", tau=0.0, delta=delta, feedback="tied", bias=False)
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((5, 2)), rng.standard_normal((5, 1))
    small = 1e-5
    M = tuple(np.zeros(link) for link in network.links[:-1])
    last = small * rng.standard_normal((2, 1))
    weights = pcode.Weights((*M, last), None, tuple(map(np.zeros, sizes[1:])))
    rate = float((Y**2).mean()) / delta
    phase = pcode.Phase("train", {0: X, 3: Y}, duration=5.0 / rate)
    run = pcode.simulate(network, [phase], weights=weights, rtol=1e-10, atol=1e-16)
    t = run.data["weight_time"].values[:, None, None]
    expected = np.exp(rate * t) * last
    np.testing.assert_allclose(run.data["M2"].values, expected, rtol=1e-4)
    # From zero the gradient of F* vanishes, and its Hessian's least eigenvalue is minus that of mean y^T y.
    found = spectrum(_at_the_origin(sizes, X, Y, delta)).weights
    assert found.exact
    assert found.values.real.max() * delta == pytest.approx(float((Y**2).mean()), rel=1e-8)


def test_with_several_outputs_the_saddle_has_the_largest_eigenvalue_of_their_second_moments():
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    run = _at_the_origin((3, 3, 4, 2), X, Y, 50.0)
    largest = np.linalg.eigvalsh(Y.T @ Y / 6)[-1]
    assert spectrum(run).weights.values.real.max() * 50.0 == pytest.approx(largest, rel=1e-8)


def _at_the_origin(sizes, X, Y, delta):
    network = pcode.Network(sizes, activation="identity", delta=delta, feedback="tied", bias=False)
    zero = network.init_weights(0, "zeros")
    phase = pcode.Phase("train", {0: X, len(sizes) - 1: Y}, duration=100.0)
    return pcode.simulate(network, [phase], weights=zero, nodes="equilibrium")


@pytest.mark.parametrize("masked", [False, True])
def test_as_the_decay_goes_to_0_a_linear_layer_goes_to_the_least_solution(masked):
    """Fewer samples than inputs: the weights end at the pseudo-inverse, of each column's own inputs."""
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((3, 6)), rng.standard_normal((3, 2))
    mask = pcode.random_masks((6, 2), 0.7, 0) if masked else None
    there = mask[0].there if masked else np.ones((6, 2), bool)
    far = []
    for decay in (1e-2, 1e-3):
        network = pcode.Network(
            (6, 2), "identity", tau=0.1, delta=1.0, weight_decay=decay, bias=False, mask=mask
        )
        phase = pcode.Phase("train", {0: X, 1: Y}, duration=30.0 / decay)
        run = pcode.simulate(network, [phase], weights=network.init_weights(0), method="cvode", rtol=1e-8)
        least = np.zeros((6, 2))
        for j in range(2):
            least[there[:, j], j] = np.linalg.pinv(X[:, there[:, j]]) @ Y[:, j]
        far.append(float(np.abs(run.weights.M[0] - least).max()))
    assert far[1] < 0.02
    assert far[1] == pytest.approx(0.1 * far[0], rel=0.3)  # of first order in lambda


# The network itself.


def test_masks_are_kept_small_and_come_back():
    network = pcode.Network((784, 128, 10), mask=pcode.random_masks((784, 128, 10), (0.1, 1.0)))
    text = json.dumps(network.to_dict())
    assert len(text) < 784 * 128 / 8 * 1.4 + 1000
    again = pcode.Network(**json.loads(text))
    assert again == network
    assert hash(again) == hash(network)
    assert network != pcode.Network((784, 128, 10))
    assert network.mask[1] is None
    assert len(repr(network)) < 400


def test_every_node_of_a_random_mask_has_the_same_number_of_inputs_and_one_at_least():
    first, second = pcode.random_masks((10, 30, 4), (0.32, 0.001), seed=5)
    assert (first.there.sum(axis=0) == 3).all()
    assert (second.there.sum(axis=0) == 1).all()
    assert pcode.random_masks((10, 30, 4), (0.32, 0.001), seed=5) == (first, second)
    assert pcode.random_masks((10, 30, 4), (0.32, 0.001), seed=6) != (first, second)
    assert pcode.random_masks((4, 3, 2), 1.0) == (None, None)
    assert not pcode.random_masks((4, 3), 0.0)[0].there.any()


def test_the_fan_in_counts_the_connections_that_there_are():
    mask = np.zeros((400, 300), int)
    mask[:100, 1:] = 1
    network = pcode.Network((400, 300), mask=[mask])
    weights = network.init_weights(0, W="independent")
    there = network.masks[0].there
    assert (weights.M[0][~there] == 0.0).all()
    assert weights.M[0][:100, 1:].std() == pytest.approx(1.0 / np.sqrt(100), rel=0.02)
    assert weights.W[0].T[:100, 1:].std() == pytest.approx(1.0 / np.sqrt(299), rel=0.02)
    assert np.abs(network.init_weights(0, "uniform").M[0]).max() == pytest.approx(0.1, rel=1e-3)
    plain = pcode.Network((400, 300)).init_weights(0)
    np.testing.assert_array_equal(
        pcode.Network((400, 300), mask=[np.ones((400, 300))]).init_weights(0).M, plain.M
    )


def test_a_delta_that_all_links_share_is_one_number():
    assert pcode.Network((2, 3, 1), delta=(50.0, 50.0)).delta == 50.0
    network = pcode.Network((2, 3, 1), tau="10 ms", delta=["1 s", "5000 ms"])
    assert network.delta == network.deltas == (1000.0, 5000.0)
    assert pcode.Network((2, 3, 1), delta=7.0).deltas == (7.0, 7.0)
    assert pcode.Network(**network.to_dict()) == network


WRONG = {
    "mask: other numbers": ({"mask": [np.full((2, 3), 0.5), None]}, "mask[0]", "0 and 1"),
    "mask: another shape": ({"mask": [None, np.ones((2, 3))]}, "mask[1]", "(3, 1)"),
    "mask: too few": ({"mask": [np.ones((2, 3))]}, "mask", "2 links"),
    "mask: one array": ({"mask": 3}, "mask", "must be a list"),
    "delta: too many": ({"delta": [1.0, 2.0, 3.0]}, "delta", "0..1"),
    "delta: not positive": ({"delta": [1.0, -2.0]}, "delta", "positive"),
    "delta: a mix": ({"delta": ["1 s", 5.0], "tau": 0.0}, "delta[1]", "no unit"),
    "bias: no flag": ({"bias": "no"}, "bias", "true or false"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_named(case):
    options, where, what = WRONG[case]
    with pytest.raises(InputError) as error:
        pcode.Network((2, 3, 1), **options)
    assert error.value.where == where
    assert what in error.value.what


def test_weights_where_there_is_no_connection_or_no_bias_are_refused_by_the_first():
    network = pcode.Network((2, 2), mask=[[[1, 0], [1, 1]]], bias=False)
    good = network.init_weights(0)
    for name, value, place in (
        ("M", (np.ones((2, 2)),), "M0[0,1]"),
        ("W", (np.ones((2, 2)),), "W0[1,0]"),
        ("beta", (np.array([0.0, 0.1]),), "beta1[1]"),
    ):
        with pytest.raises(InputError) as error:
            network.check_weights(good._replace(**{name: value}))
        assert error.value.where == place


@pytest.mark.parametrize(
    ("learn", "options", "what"),
    [
        (["M2"], {}, "M0, M1"),
        (["W0"], {"feedback": "tied"}, "no equation of its own with tied feedback"),
        (["W0"], {"feedback": "fixed"}, "no equation of its own with fixed feedback"),
        (["beta1"], {"bias": False}, "no biases"),
        (["m1"], {}, "did you mean M1?"),
        (["M0[0,0]"], {}, "M0, M1"),
        ([], {}, "lists nothing"),
        ("M0", {}, "a list of names"),
        ([3], {}, "must list names"),
        (0.5, {}, "true or false"),
    ],
)
def test_what_cannot_learn_is_named(learn, options, what):
    network = pcode.Network((2, 3, 1), **options)

    def run():
        phase = pcode.Phase("train", {0: [[1.0, 2.0]]}, duration=1.0, learn=learn)
        pcode.simulate(network, [phase], weights=network.init_weights(0))

    with pytest.raises(InputError) as error:
        run()
    assert "learn" in error.value.where
    assert what in error.value.what


# Results and analyses.


@pytest.fixture(scope="module")
def hard():
    """A run with all of it: masks, no biases, a clock for each link, and a list of what learns."""
    network, phase, weights = posed(*CASES["all of it"])
    test = pcode.Phase("test", {0: phase.clamp[0]}, learn=False, until="equilibrium", duration=50.0)
    return pcode.simulate(network, [phase, test], weights=weights, rtol=1e-8, atol=1e-10)


def test_a_saved_run_knows_what_learned(hard, tmp_path):
    hard.save(tmp_path / "run.nc")
    again = pcode.Run.load(tmp_path / "run.nc")
    assert again.network == hard.network
    assert again.phases[0].learn == ("M0", "W0", "M1", "W2")
    assert again.phases[1].learn is False


def test_the_certificate_of_a_hard_run_passes(hard):
    found = certificate(hard)
    verdicts = {check.name: check.verdict for check in found.checks}
    assert verdicts["tolerance"] == verdicts["solver"] == verdicts["feedback"] == "pass", verdicts


def test_the_weights_spectrum_is_that_of_the_reduced_flow_where_there_are_connections(hard):
    """Eigenvalues of d(dw/dt)/dw of the singular limit by differences, of those weights that there are."""
    found = spectrum(hard, phase=0)
    snapshot = Snapshot.of(hard, 0)
    limit = replace(snapshot.network, tau=0.0)
    phase = replace(snapshot.phase, until=None)
    rest = settled(make_problem(limit, phase, snapshot.state, reduce=False))
    slow = SlowProblem(make_problem(limit, phase, rest, reduce=False))
    layout, h = slow.layout, 1e-5
    there = np.concatenate([
        np.ravel(snapshot.network.masks[int(name[1])].there.T if name[0] == "W"
                 else snapshot.network.masks[int(name[1])].there)
        for name in layout.shapes
    ])  # fmt: skip
    J = np.array([(slow.rhs(0.0, slow.y0 + h * e) - slow.rhs(0.0, slow.y0 - h * e)) / (2 * h)
                  for e in np.eye(layout.size)[there]]).T[there]  # fmt: skip
    expected = np.linalg.eigvals(J)
    assert found.weights.count + found.left_out == there.sum()
    for value in found.weights.values:
        assert np.abs(expected - value).min() < 1e-6


def test_backprop_compares_where_there_are_connections():
    """tied, without decay: nu^n times the flow goes to the gradient of the masked network as nu^n grows."""
    sizes = (3, 5, 4, 2)
    network = pcode.Network(
        sizes, delta=(40.0, 30.0, 20.0), feedback="tied", mask=pcode.random_masks(sizes, 0.5, 7), bias=False
    )
    rng = np.random.default_rng(0)
    clamp = {0: rng.standard_normal((4, 3)), 3: rng.standard_normal((4, 2))}
    phase = pcode.Phase("train", clamp, duration=30.0, learn=["M0", "M2"])
    run = pcode.simulate(network, [phase], weights=network.init_weights(0))
    found = backprop(run)
    angle = found.by_variance.flow_angle
    assert (angle[-1] < 0.5).all()
    assert (angle[-1] < 0.12 * angle[-2]).all()  # of first order in 1/nu^n
    np.testing.assert_allclose(found.by_variance.flow_size[-1], 1.0, atol=5e-3)
    assert any("M1 is held" in note for note in found.notes)
    assert any("connections" in note for note in found.notes)


def test_random_feedback_to_compare_with_has_the_connections_that_there_are(hard):
    assert np.isfinite(stability(hard, phase=0, against="random", gains=[1.0], check=False).growth).all()
    drawn = others(hard.weights, "random", 0, hard.network.masks)
    for R, M, mask in zip(drawn, hard.weights.M, hard.network.masks, strict=True):
        assert (R[~mask.there.T] == 0.0).all()
        assert np.linalg.norm(R) == pytest.approx(np.linalg.norm(M), rel=1e-12)


def test_a_plane_of_weights_takes_only_those_that_move(hard):
    masks = hard.network.masks

    def entry(name, there):
        return f"{name}[{','.join(map(str, np.argwhere(there)[0]))}]"

    wrong = {
        entry("M2", masks[2].there): "it is held in 'train'",
        "beta1[0]": "no biases",
        entry("M0", ~masks[0].there): "no connection",
    }
    for name, what in wrong.items():
        with pytest.raises(InputError) as error:
            phase_plane(hard, name, entry("M1", masks[1].there), phase=0)
        assert what in error.value.what
    names = entry("M0", masks[0].there), entry("M1", masks[1].there)
    found = phase_plane(hard, *names, rest="held", phase=0, resolution=11)
    assert np.isfinite(found.rates).all()

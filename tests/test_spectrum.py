"""The question `spectrum`: against closed forms of docs/model.md, a Hessian, SciPy's tableau and the flow."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import RK45

import pcode
from pcode import InputError
from pcode.analysis import Snapshot, ask
from pcode.analysis.spectra.modes import node_eigenvalues, slow_eigenvalues
from pcode.analysis.spectra.rates import EULER, stable_step
from pcode.analysis.spectra.rates import RK45 as RK45_POLYNOMIAL
from pcode.plotting.spectrum import spectrum as draw
from tests.test_theory import node_matrix

RAPID = pcode.Save(nodes=5, weights=5)


def linear_run(sizes=(2, 3, 4, 2), nu=0.7, tau=0.8, delta=1e4, duration=2.0, batch=3, learn=True, **options):
    """A linear network with W = M^T, ends clamped."""
    options = {"feedback": "tied"} | options
    network = pcode.Network(sizes, activation="identity", tau=tau, delta=delta, nu=nu, **options)
    rng = np.random.default_rng(5)
    clamp = {
        0: rng.standard_normal((batch, sizes[0])),
        len(sizes) - 1: rng.standard_normal((batch, sizes[-1])),
    }
    phase = pcode.Phase("train", clamp, duration=duration, learn=learn)
    return pcode.simulate(network, [phase], weights=network.init_weights(rng=4), save=RAPID)


def all_found(expected, found, tol):
    """Every one of `expected` is among `found`, as often."""
    left = list(found)
    for value in expected:
        nearest = int(np.argmin(np.abs(np.array(left) - value)))
        assert abs(left.pop(nearest) - value) < tol
    return left


@pytest.mark.parametrize("nu", [0.2, 3.0])
def test_node_eigenvalues_are_those_of_the_closed_form(nu):
    """Fact 4: (-nu +- sqrt(nu^2 - 4 s^2)) / (2 tau), and -nu/tau for the errors beside."""
    run = linear_run(nu=nu, learn=False, batch=1)
    answer = ask(run, "spectrum")
    s = np.linalg.svd(node_matrix(run.network, run.weights)[0], compute_uv=False)
    root = np.sqrt(nu**2 - 4 * s**2 + 0j)
    expected = np.concatenate([(-nu + root) / 2, (-nu - root) / 2, [-nu] * 2]) / 0.8
    assert all_found(expected, answer.nodes.values, 1e-9) == []
    rings = s > nu / 2
    assert (answer.rates.ring_period is not None) == rings.any()
    if rings.any():
        assert answer.rates.ring_decay == pytest.approx(nu / 2 / 0.8)
        assert answer.rates.damping_ratio == pytest.approx(nu / 2 / s.max())
        assert answer.rates.ring_period == pytest.approx(2 * np.pi * 0.8 / np.sqrt(s.max() ** 2 - nu**2 / 4))
    assert answer.rates.node_slowest == pytest.approx(-expected.real.max())
    assert answer.rates.node_fastest == pytest.approx(np.abs(expected).max())
    assert answer.weights is None


def equilibrium_energy(run, w):
    """Fact 7 for a 2-3-2 network, from one vector of M^0, M^1, beta^1, beta^2."""
    X, Y = (run.data[name].values[0] for name in ("x0", "x2"))
    M0, M1, b1, b2 = w[:6].reshape(2, 3), w[6:12].reshape(3, 2), w[12:15], w[15:]
    r = Y - ((X @ M0 + b1) @ M1 + b2)
    S = run.network.nu[1] * np.eye(2) + run.network.nu[0] * M1.T @ M1
    return 0.5 * np.mean(np.sum(r * np.linalg.solve(S, r.T).T, axis=1))


def second_derivative(f, w, h=1e-3):
    """Hessian by central differences of fourth order in each of two directions."""
    steps = [(-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)]
    H = np.zeros((w.size, w.size))
    for i in range(w.size):
        for j in range(i + 1):
            for a, c in steps:
                for b, d in steps:
                    v = w.copy()
                    v[i] += a * h
                    v[j] += b * h
                    H[i, j] += c * d * f(v) / h**2
            H[j, i] = H[i, j]
    return H


def test_weights_on_the_slow_manifold_have_the_hessian_of_the_equilibrium_energy():
    """Fact 8: delta dw/dt = -dF*/dw, so their eigenvalues are those of -Hessian(F*) / delta."""
    run = linear_run(sizes=(2, 3, 2), nu=(0.5, 2.0), duration=1.0, delta=100.0)
    answer = ask(run, "spectrum")
    M, _, beta = run.weights
    w = np.concatenate([a.ravel() for a in (*M, *beta)])
    H = second_derivative(lambda v: equilibrium_energy(run, v), w)
    expected = -np.linalg.eigvalsh(H) / 100.0
    assert answer.weights.exact
    assert all_found(expected, answer.weights.values, 1e-9) == []


def test_the_whole_spectrum_tends_to_its_fast_and_slow_parts_as_delta_grows():
    apart = []
    for delta in (1e2, 1e3):
        answer = ask(linear_run(sizes=(2, 3, 2), delta=delta, duration=0.1), "spectrum")
        slow = np.sort(answer.weights.values.real)[:3]  # the fastest of the slow ones
        apart.append(max(np.abs(answer.full.values - value).min() for value in slow) * delta)
    assert apart[1] < 0.2 * apart[0]
    assert apart[1] < 0.05


@pytest.mark.parametrize("feedback", ["learned", "fixed"])
def test_what_the_reductions_leave_out_makes_up_the_whole_spectrum(feedback):
    """Full and unreduced, by dense algebra: each weight left out decays at lambda/delta exactly."""
    network = pcode.Network((4, 3, 2), delta=20.0, weight_decay=0.3, feedback=feedback)
    rng = np.random.default_rng(1)
    phase = pcode.Phase(
        "train", {0: rng.standard_normal((2, 4)), 2: rng.standard_normal((2, 2))}, duration=1.0
    )
    run = pcode.simulate(network, [phase], weights=network.init_weights(2, W="independent"), save=RAPID)
    answer = ask(run, "spectrum", {"at": "state"})
    problem = Snapshot.of(run).problem()
    J = problem.jacobian(0.0, problem.y0)
    expected = np.linalg.eigvals(J)
    left = all_found(answer.full.values, expected, 1e-5)
    assert len(left) == answer.left_out
    # Multiple eigenvalues, so accurate to the root of the rounding only.
    np.testing.assert_allclose(left, -0.3 / 20.0, atol=1e-5)


def test_eigenvalues_at_the_ends_by_arnoldi_are_those_of_dense_algebra():
    network = pcode.Network((4, 8, 6, 3), nu=(0.5, 1.0, 2.0), feedback="learned", delta=50.0)
    rng = np.random.default_rng(3)
    clamp = {0: rng.standard_normal((3, 4)), 3: rng.standard_normal((3, 3))}
    phase = pcode.Phase("train", clamp, duration=5.0)
    weights = network.init_weights(1, scale=1.5, W="independent")
    problem = Snapshot.of(pcode.simulate(network, [phase], weights=weights, save=RAPID)).problem(reduce=True)
    for question in (node_eigenvalues, slow_eigenvalues):
        every, ends = question(problem), question(problem, most_work=0.0)
        assert every.exact
        assert not ends.exact
        size = np.abs(every.values).max()
        for value in ends.values:
            assert np.abs(every.values - value).min() < 1e-4 * size
        assert ends.values.real.max() == pytest.approx(every.values.real.max(), abs=1e-4 * size)
        assert np.abs(ends.values).max() == pytest.approx(size, rel=1e-4)
    every, ends = node_eigenvalues(problem), node_eigenvalues(problem, most_work=0.0)
    assert np.abs(ends.values).min() == pytest.approx(np.abs(every.values).min(), rel=1e-4)


def spectral_radius_of_a_step(A, h):
    """Of one step of SciPy's RK45 along dy/dt = A y, from its tableau."""
    stages = []
    for row in RK45.A:
        Y = np.eye(len(A)) + h * sum((a * k for a, k in zip(row, stages, strict=False)), np.zeros_like(A))
        stages.append(A @ Y)
    step = np.eye(len(A)) + h * sum(b * k for b, k in zip(RK45.B, stages, strict=True))
    return np.abs(np.linalg.eigvals(step)).max()


def test_the_longest_stable_steps_are_those_at_which_the_methods_stop_damping():
    rng = np.random.default_rng(8)
    A = rng.standard_normal((6, 6)) - 3.5 * np.eye(6)
    values = np.linalg.eigvals(A)
    assert values.real.max() < 0.0
    h = stable_step(values, EULER)
    assert h == pytest.approx((-2 * values.real / np.abs(values) ** 2).min())
    h = stable_step(values, RK45_POLYNOMIAL)
    assert spectral_radius_of_a_step(A, 0.999 * h) < 1.0 < spectral_radius_of_a_step(A, 1.001 * h)


def test_the_real_stability_interval_of_rk45_is_the_published_one():
    """Dormand and Prince's method of order 5 is stable down to h lambda = -3.3066."""
    assert stable_step(np.array([-2.0 + 0j, -0.1]), RK45_POLYNOMIAL) == pytest.approx(3.3066 / 2, rel=1e-4)
    assert stable_step(np.array([0.0 + 0j, 0.3]), RK45_POLYNOMIAL) is None


def test_nodes_settle_in_about_the_time_predicted():
    network = pcode.Network((2, 3, 2), activation="identity", nu=3.0, feedback="tied")
    rng = np.random.default_rng(5)
    clamp = {0: rng.standard_normal((1, 2)), 2: rng.standard_normal((1, 2))}
    settle = pcode.Phase("settle", clamp, duration=1e3, learn=False, until="equilibrium", settle_tol=1e-9)
    weights = network.init_weights(4)
    # From zero, where every mode takes part.
    run = pcode.simulate(network, [settle], weights=weights, nodes="zero", rtol=1e-9, atol=1e-12)
    answer = ask(run, "spectrum", {"fraction": 1e-9})
    assert run.phases[0].t_end == pytest.approx(answer.rates.node_settling, rel=0.15)


def test_unstable_nodes_are_the_first_thing_told():
    """Linear 1-1-1-1, W = -M^T, m = 1: an oscillation grows, as the dense matrix says."""
    network = pcode.Network((1, 1, 1, 1), activation="identity", feedback="fixed")
    M = ([[1.0]],) * 3
    weights = pcode.Weights(M, tuple(-np.array(m) for m in M), ([0.0],) * 3)
    phase = pcode.Phase("held", {0: [[1.0]], 3: [[0.0]]}, duration=2.0, learn=False)
    answer = ask(pcode.simulate(network, [phase], weights=weights, save=RAPID), "spectrum")
    # x1, x2, eps1, eps2, eps3
    A = np.array(
        [[0, 0, -1, -1, 0], [0, 0, 0, -1, -1], [1, 0, -1, 0, 0], [-1, 1, 0, -1, 0], [0, -1, 0, 0, -1]]
    )
    expected = np.linalg.eigvals(A.astype(float))
    worst = expected[np.argmax(expected.real)]
    assert worst.real > 0.0
    assert answer.rates.node_growth == pytest.approx(worst.real)
    assert answer.rates.node_growth_period == pytest.approx(2 * np.pi / abs(worst.imag))
    assert answer.rates.node_settling is None
    assert answer.lines()[0].startswith("the nodes are unstable")


def test_a_rate_of_decay_is_not_taken_for_the_size_of_an_eigenvalue_that_rings():
    """nu = 0.2: all that rings decays at nu/(2 tau) = 0.125, but |lambda| = s/tau."""
    run = linear_run(nu=0.2, learn=False)
    s = np.linalg.svd(node_matrix(run.network, run.weights)[0], compute_uv=False)
    told = f"nodes decay at rates from 0.125 on (largest |lambda| {s.max() / 0.8:.3g})"
    assert ask(run, "spectrum").lines()[0].startswith(told)


def test_rates_along_a_run_are_those_of_its_moments(xor):
    network, phases, weights = xor
    run = pcode.simulate(network, phases, weights=weights, save=RAPID)
    answer = ask(run, "spectrum", {"moments": 3})
    assert answer.times.tolist() == run.data["time"].values[[0, 2, 4]].tolist()
    assert answer.course[-1] == answer.rates
    assert answer.course[0] == ask(run, "spectrum", {"time": 0.0}).rates
    for against in ("plane", "time"):
        labels = [text.get_text() for text in draw(answer, against).get_legend().get_texts()]
        assert {label.split(",")[0] for label in labels} >= {"nodes", "weights"}
    assert answer.to_dict()["rates"]["gap"] == answer.rates.gap
    with pytest.raises(InputError, match="against: has no rates along the run"):
        draw(replace(answer, course=()), "time")


def test_a_part_of_which_no_eigenvalue_was_found_is_not_drawn(xor):
    network, phases, weights = xor
    run = pcode.simulate(network, phases, weights=weights, save=RAPID)
    answer = ask(run, "spectrum", {"moments": 2})
    none = replace(answer.nodes, values=np.zeros(0, complex), samples=np.zeros(0, int))
    labels = [text.get_text() for text in draw(replace(answer, full=none), "plane").get_legend().get_texts()]
    assert "nodes" in labels
    assert "both together" not in labels


def test_wrong_options_are_told_in_one_line(xor):
    network, phases, weights = xor
    run = pcode.simulate(network, phases, weights=weights, save=RAPID)
    for options, told in (
        ({"at": "end"}, "at: "),
        ({"moments": -1}, "moments: must be 0 or more"),
        ({"fraction": 2.0}, "fraction: must be between 0 and 1"),
        ({"time": 1e9}, "time: the run lasts"),
    ):
        with pytest.raises(InputError, match=told):
            ask(run, "spectrum", options)


def test_the_whole_spectrum_of_a_large_network_is_refused_in_one_line_where_it_is_insisted_on():
    network = pcode.Network(sizes=(3, 400, 1))
    clamp = {0: np.ones((2, 3)), 2: np.ones((2, 1))}
    for learn, told in (
        (True, r"exact: 'held' has 3,203 unknowns, too many for all their eigenvalues \(at most 736\)"),
        (False, r"exact: 'held' has 801 unknowns a sample, 2 samples, too many .* \(at most 584\)"),
    ):
        phase = pcode.Phase("held", clamp, duration=0.1, learn=learn)
        run = pcode.simulate(network, [phase], weights=network.init_weights(0), save=RAPID)
        with pytest.raises(InputError, match=f"{told}; leave exact out"):
            ask(run, "spectrum", {"exact": True})
        answer = ask(run, "spectrum")
        assert not (answer.full if learn else answer.nodes).exact
    assert ask(linear_run(), "spectrum", {"exact": True}).full.exact


def test_an_option_that_is_one_of_a_few_words_is_told_with_them(xor):
    network, phases, weights = xor
    run = pcode.simulate(network, phases, weights=weights, save=RAPID)
    with pytest.raises(InputError, match="at: must be rest or state, not 'end'"):
        ask(run, "spectrum", {"at": "end"})

"""The question `stability`: against characteristic polynomials, a discriminant and the plain flow."""

import numpy as np
import pytest
from scipy.optimize import brentq

import pcode
from pcode import InputError
from pcode.analysis import ask
from pcode.analysis.spectra.border import others
from pcode.analysis.stability import oscillation
from pcode.plotting.stability import stability as draw


def chain(links, m=1.0, nu=1.0, tau=1.0, activation="identity", x=1.0, y=0.5):
    """A run of 1-1-...-1 with both ends clamped and W = M^T."""
    sizes = (1,) * (links + 1)
    network = pcode.Network(sizes=sizes, activation=activation, nu=nu, tau=tau, feedback="tied")
    weights = pcode.Weights(([[m]],) * links, None, ([0.0],) * links)
    phase = pcode.Phase("held", {0: [[x]], links: [[y]]}, duration=1.0, learn=False)
    return pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=5, weights=2))


@pytest.fixture(scope="module")
def hopf():
    """The border of 1-1-1-1 towards -M^T; 1 - 2 mix takes the place of -1 in "Unstable feedback"."""
    return ask(chain(3), "stability", {"gains": [0.5, 0.8, 1.0, 1.5], "mixes": np.linspace(0, 1, 8).tolist()})


def test_the_border_of_the_chain_is_where_its_characteristic_polynomial_says(hopf):
    """|gain m| sqrt(2 mix - 1) = 1/sqrt(2), and an angular frequency of 1/sqrt(2) on all of it."""
    assert [point.gain for point in hopf.border] == [0.8, 1.0, 1.5]
    for point in hopf.border:
        assert point.kind == "oscillation"
        assert point.gain * np.sqrt(2 * point.mix - 1) == pytest.approx(np.sqrt(0.5), abs=1e-6)
        assert point.frequency == pytest.approx(np.sqrt(0.5), abs=1e-5)
        assert point.distance == pytest.approx(2 * point.mix)
    for gain, row in zip(hopf.gains, hopf.kinds, strict=True):
        for mix, kind in zip(hopf.mixes, row, strict=True):
            unstable = mix > 0.5 and gain**2 * (2 * mix - 1) > 0.5
            assert kind == ("oscillation" if unstable else "stable")


@pytest.mark.parametrize(("gain", "told"), [(2.0, "up to"), (0.5, "all the way to")])
def test_without_the_runs_own_gain_the_nearest_one_is_told(gain, told):
    """gain sqrt(2 mix - 1) = 1/sqrt(2): at gain 2 that is mix 0.5625, at gain 0.5 no mix up to 1."""
    answer = ask(chain(3), "stability", {"gains": [gain], "mixes": [0.0, 0.5, 1.0], "check": False})
    assert answer.lines()[0].startswith(f"nodes are stable {told} |W - M^T|/|M| = ")
    assert f" at gain {gain:g}" in answer.lines()[0]
    assert [point.mix for point in answer.border] == pytest.approx([0.5625] if gain == 2.0 else [], abs=1e-6)


def test_the_oscillation_on_the_border_is_seen_in_a_simulation(hopf):
    assert hopf.simulated.gain == 1.0
    assert hopf.simulated.mix == pytest.approx(0.75, abs=1e-6)
    assert hopf.simulated.measured == pytest.approx(np.sqrt(0.5), rel=1e-4)
    assert abs(hopf.simulated.growth) < 1e-3


@pytest.mark.parametrize(("m", "nu"), [(1.5, 0.4), (3.0, 2.0)])
def test_two_links_lose_stability_by_a_real_eigenvalue(m, nu):
    """(s + nu)(s^2 + nu s + 1 + m w) with w = (1 - 2 mix) m: at mix = (1 + 1/m^2) / 2."""
    answer = ask(chain(2, m=m, nu=nu), "stability", {"gains": [1.0]})
    [point] = answer.border
    assert point.kind == "real"
    assert point.mix == pytest.approx(0.5 * (1 + 1 / m**2), abs=1e-6)
    assert point.frequency == 0.0
    assert answer.simulated is None
    # growth beyond the border: the root of the polynomial, real
    w = (1 - 2 * answer.mixes[-1]) * m
    assert answer.growth[0, -1] == pytest.approx(np.roots([1, nu, 1 + m * w]).real.max(), rel=1e-6)


def test_where_the_equilibrium_disappears_in_a_fold_that_is_told():
    """v^2 with feedback w: 2 w v^3 + (1 - 4 w) v - 3 = 0 has a double root where its discriminant is 0."""
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="tied")
    weights = pcode.Weights(([[3.0]], [[1.0]]), None, ([0.0], [0.0]))
    phase = pcode.Phase("look", {0: [[1.0]], 2: [[2.0]]}, duration=1.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights)
    answer = ask(run, "stability", {"gains": [1.0], "mixes": [0.0, 0.2, 0.4, 0.5, 0.52, 0.54]})
    w = brentq(lambda w: -8 * w * (1 - 4 * w) ** 3 - 27 * (2 * w) ** 2 * 9, -0.02, -0.001)
    [point] = answer.border
    assert point.mix == pytest.approx((1 - w) / 2, abs=1e-4)
    assert "their equilibrium is gone" in str(answer)


def test_the_border_does_not_hang_on_the_unit_of_time():
    answer = ask(chain(3, tau=0.01), "stability", {"gains": [1.0]})
    assert answer.border[0].mix == pytest.approx(0.75, abs=1e-6)
    assert answer.border[0].frequency == pytest.approx(100 * np.sqrt(0.5), rel=1e-4)
    assert answer.simulated.measured == pytest.approx(100 * np.sqrt(0.5), rel=1e-3)


def test_with_w_as_the_transpose_and_own_feedback_there_is_no_border(xor):
    network, phases, weights = xor
    run = pcode.simulate(network, phases, weights=weights, save=pcode.Save(nodes=5, weights=5))
    answer = ask(run, "stability", {"against": "own", "gains": [1.0], "mixes": [0.0, 0.5, 1.0]})
    assert (answer.kinds == "stable").all()
    assert answer.border == ()
    assert answer.distances.max() < 1e-9
    assert "stable all the way" in str(answer)


def test_the_same_seed_gives_the_same_random_matrix_of_the_norm_of_m(xor):
    network, phases, weights = xor
    run = pcode.simulate(network, phases, weights=weights, save=pcode.Save(nodes=5, weights=5))
    options = {"against": "random", "gains": [1.0, 2.0], "mixes": [0.0, 0.5, 1.0], "check": False}
    one, two, other = (ask(run, "stability", options | {"seed": seed}) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.growth, two.growth)
    assert (one.growth != other.growth).any()
    for m, r in zip(weights.M, others(weights, "random", 1), strict=True):
        assert np.linalg.norm(r) == pytest.approx(np.linalg.norm(m))


def test_frequency_and_growth_are_read_off_an_oscillation():
    t = np.linspace(0.0, 40.0, 2000)
    frequency, growth = oscillation(t, np.exp(0.02 * t) * np.sin(1.3 * t + 0.2))
    assert frequency == pytest.approx(1.3, rel=1e-4)
    assert growth == pytest.approx(np.exp(0.02 * 2 * np.pi / 1.3) - 1, rel=1e-2)


def test_the_map_and_the_ray_are_drawn(hopf):
    ax = draw(hopf)
    assert len(ax.collections) == 1
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "stable",
        "unstable, oscillation",
        "border",
        "simulated",
    }
    ray = ask(chain(3), "stability", {"gains": [1.0], "mixes": [0.0, 0.7, 0.8], "check": False})
    drawn = draw(ray).get_lines()
    np.testing.assert_allclose(drawn[1].get_ydata(), ray.growth[0])


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.0, 1.5])
def test_colours_of_the_map_change_where_the_characteristic_polynomial_says(hopf, gain):
    (mesh,) = draw(hopf).collections
    points, unstable = mesh.get_coordinates(), mesh.get_array() > 0
    centres = 0.25 * (points[1:, 1:] + points[1:, :-1] + points[:-1, 1:] + points[:-1, :-1])
    row = int(np.abs(centres[:, 0, 1] - gain).argmin())
    mixes = centres[row, :, 0]
    away = np.abs(2 * mixes - 1 - 0.5 / gain**2) > 4 * (mixes[1] - mixes[0])
    np.testing.assert_array_equal(unstable[row][away], (2 * mixes - 1 > 0.5 / gain**2)[away])


def test_where_everything_is_stable_the_map_is_of_one_colour():
    answer = ask(chain(2), "stability", {"gains": [0.5, 1.0], "mixes": [0.0, 0.2], "check": False})
    (mesh,) = draw(answer).collections
    assert not mesh.get_array().any()


def test_wrong_options_and_too_many_nodes_are_told_in_one_line():
    run = chain(2)
    for options, told in (
        ({"against": "nothing"}, "against: "),
        ({"against": "own"}, "against: tied feedback has no W of its own"),
        ({"mixes": [0.0, 0.0]}, "mixes: must be numbers that rise"),
        ({"mixes": [0.5]}, "mixes: must be two or more"),
        ({"mixes": [0.5, 1.0]}, "mixes: must be two or more numbers that rise from 0, where W = M"),
        ({"gains": [-1.0]}, "gains: must be positive"),
        ({"against": "random", "seed": -1}, "seed: must be 0 or more, not -1"),
        ({"samples": 2}, "samples: must be from 1 to 1"),
    ):
        with pytest.raises(InputError, match=told):
            ask(run, "stability", options)
    wide = pcode.Network(sizes=(3, 400, 1))
    phase = pcode.Phase("held", {0: np.ones((1, 3)), 2: np.ones((1, 1))}, duration=0.1, learn=False)
    large = pcode.simulate(wide, [phase], weights=wide.init_weights(0), save=pcode.Save(nodes=3, weights=2))
    with pytest.raises(InputError, match="801 nodes a sample, too many"):
        ask(large, "stability")


def test_a_continuum_of_equilibria_does_not_hide_an_oscillation():
    """Layer 0 free and without weights, so two zero eigenvalues, beside the chain of "Unstable feedback"."""
    network = pcode.Network(sizes=(2, 1, 1, 1), activation="identity", feedback="tied")
    M = ([[0.0], [0.0]], [[1.0]], [[1.0]])
    weights = pcode.Weights(M, None, ([0.2], [0.0], [0.0]))
    phase = pcode.Phase("generate", {3: [[0.5]]}, duration=1.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(nodes=5, weights=2))
    answer = ask(run, "stability", {"gains": [1.0]})
    [point] = answer.border
    assert point.kind == "oscillation"
    assert point.mix == pytest.approx(0.75, abs=1e-6)
    assert answer.simulated.measured == pytest.approx(np.sqrt(0.5), rel=1e-3)

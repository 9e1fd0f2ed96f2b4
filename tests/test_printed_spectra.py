"""What `spectrum` and `stability` print: answers made of known figures, lines written out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pcode.analysis.spectra.border import BorderPoint
from pcode.analysis.spectra.modes import Eigenvalues
from pcode.analysis.spectra.rates import Rates, advice
from pcode.analysis.spectrum import Spectrum
from pcode.analysis.stability import Simulated, Stability

# --- spectrum -------------------------------------------------------------------------------------


def eigenvalues(*values, exact=True, count=None, still=1e-9):
    found = np.array(values, dtype=complex)
    return Eigenvalues(found, exact, count or found.size, still, np.zeros(found.size, int))


RATES = Rates(
    node_fastest=4.321,
    node_slowest=0.5,
    weight_fastest=0.0123,
    weight_slowest=0.00045,
    ring_period=6.789,
    ring_decay=0.25,
    damping_ratio=0.123,
    gap=40.65,
    stiffness=9602.0,
    step_euler=0.4567,
    step_rk45=0.7654,
    node_settling=27.6,
    weight_settling=30701.0,
)
SPECTRUM = Spectrum(
    phase="train",
    t=1250.0,
    at="rest",
    tau=1.0,
    delta=100.0,
    duration=1250.0,
    nodes=eigenvalues(-0.5, -4.321),
    weights=eigenvalues(-0.0123, -0.00045),
    full=eigenvalues(-0.5, -4.321, -0.0123, -0.00045),
    left_out=0,
    left_out_rate=0.0,
    rates=RATES,
    fraction=0.01,
    solver="cvode",
    reason="steps and steps",
    times=np.empty(0),
    course=(),
)


def told_by(answer):
    """All but the line of the settling times."""
    return [line for line in answer.lines() if not line.startswith("predicted time")]


def test_spectrum_tells_rates_ringing_the_gap_stiffness_and_stable_steps():
    assert told_by(SPECTRUM) == [
        "nodes decay at rates from 0.5 on (largest |lambda| 4.32); weights at rates from 0.00045 on "
        "(largest |lambda| 0.0123) ('train', t = 1250, nodes at rest)",
        "ringing: period 6.79, decay 0.25, damping ratio 0.12",
        "spectral gap (slowest node over fastest weight) 40.6; stiffness ratio 9.6e+03; longest stable step: "
        "explicit Euler 0.457, RK45 0.765",
        "solver: cvode (steps and steps)",
    ]


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ({"node_growth": 0.1234, "node_growth_period": 7.654},
         ["the nodes are unstable: they leave rest at rate 0.123, as an oscillation of period 7.65 ('train', "
          "t = 1250, nodes at rest)",
          "their other modes decay at rates from 0.5 on (largest |lambda| 4.32); weights at rates "
          "from 0.00045 "
          "on (largest |lambda| 0.0123)"]),
        ({"node_growth": 2.5},
         ["the nodes are unstable: they leave rest at rate 2.5 ('train', t = 1250, nodes at rest)"]),
        ({"weight_growth": 0.00321},
         ["the weights are leaving a saddle of what they learn, at rate 0.00321"]),
        ({"ring_period": None}, ["no ringing"]),
        ({"gap": None, "stiffness": None, "step_euler": None},
         ["stiffness ratio unknown; longest stable step: explicit Euler unknown, RK45 0.765"]),
    ],
)  # fmt: skip
def test_what_spectrum_tells_of_other_rates(rates, told):
    assert set(told) <= set(replace(SPECTRUM, rates=replace(RATES, **rates)).lines())


def test_spectrum_counts_neutral_directions_and_what_arnoldis_method_found():
    """3 of the 4 that were found are within `still`; 21 weights without decay are left out besides."""
    weights = eigenvalues(-0.1, 1e-6, -1e-6, 0.0, exact=False, count=1000, still=2e-6)
    nodes = eigenvalues(-1.0, 0.0, exact=False, count=1300)
    told = replace(SPECTRUM, weights=weights, nodes=nodes, left_out=21).lines()[-3:]
    assert told == [
        "at least 24 of 1,021 directions of the weights are neutral (slower than 2e-06)",
        "neutral of the nodes: at least 1 direction, as of a continuum of equilibria",
        "by Arnoldi's method, at the ends of the spectrum only: nodes (2 of 1,300), weights (4 of 1,000)",
    ]
    whole = replace(weights, exact=True)
    told = replace(SPECTRUM, weights=whole, nodes=eigenvalues(0.0, 0.0, -1.0), left_out=20, left_out_rate=0.1)
    assert told.lines()[-2:] == [
        "3 of 1,020 directions of the weights are neutral (slower than 2e-06)",
        "neutral of the nodes: 2 directions, as of a continuum of equilibria",
    ]
    still = replace(SPECTRUM, left_out=5).lines()[-1]
    assert still == "5 of 7 directions of the weights are neutral"


@pytest.mark.parametrize(
    ("rates", "duration", "told"),
    [
        # Steps of 6 and 3.3 over the fastest rate: 30 * 2 / 6; 1000 * 2 / 3.3; 1e5 * 3 / 3.3.
        (Rates(node_fastest=2.0, weight_fastest=0.5), 30.0,
         ("DOP853", "10 steps of an explicit method cover the phase")),
        (Rates(node_fastest=0.5, weight_fastest=2.0), 1000.0,
         ("Tsit5", "607 steps of an explicit method cover the phase")),
        (Rates(node_fastest=3.0, step_rk45=0.512), 1e5,
         ("cvode", "an explicit method would need 9.1e+04 steps: RK45's are 0.512 at most")),
        (Rates(), 30.0, ("DOP853", "0 steps of an explicit method cover the phase")),
        (Rates(node_fastest=3.0, damping_ratio=0.5), 1e5,
         ("cvode", "an explicit method would need 9.1e+04 steps: RK45's are any length at most")),
        (Rates(node_fastest=3.0, damping_ratio=0.0123), 1e5,
         ("Kvaerno5", "an explicit method would need 9.1e+04 steps: RK45's are any length at most; "
          "the ringing "
          "is hardly damped (ratio 0.012), which a method stable on the whole imaginary axis takes best")),
    ],
)  # fmt: skip
def test_the_solver_that_is_advised_comes_with_how_many_steps_an_explicit_one_takes(rates, duration, told):
    assert advice(rates, duration, 100) == told


# --- stability ------------------------------------------------------------------------------------

KINDS = np.array([["stable"] * 4, ["stable", "stable", "real", "oscillation"], ["stable", "oscillation"] * 2])
STABILITY = Stability(
    phase="held",
    t=2.5,
    samples=(0, 1),
    against="negated",
    mixes=np.array([0.0, 0.3, 0.6, 1.0]),
    distances=np.array([0.0, 0.6, 1.2, 2.0]),
    gains=np.array([0.5, 1.0, 2.0]),
    kinds=KINDS,
    growth=np.zeros((3, 4)),
    border=(
        BorderPoint(mix=0.523456, gain=1.0, distance=1.046912, kind="oscillation", frequency=0.70711),
        BorderPoint(mix=0.2, gain=2.0, distance=0.4, kind="real", frequency=0.0),
    ),
    simulated=Simulated(mix=0.523456, gain=1.0, frequency=0.70711, measured=0.70698, growth=-2.34e-5),
)


def test_stability_tells_the_border_the_shares_and_the_simulated_oscillation():
    """Of 12 weights 8 are stable, 1 is unstable by a real eigenvalue and 3 by an oscillation."""
    assert STABILITY.lines() == [
        "nodes are stable up to |W - M^T|/|M| = 1.047 (mix 0.5235); beyond, an oscillation of "
        "angular frequency "
        "0.7071 grows (Hopf) (W mixed with -M^T; 'held', t = 2.5, 2 samples)",
        "of 12 weights looked at, 67% are stable, 8% unstable by a real eigenvalue, 25% by an "
        "oscillation (Hopf)",
        "oscillation on the border at gain 1, mix 0.52346: angular frequency 0.70711 by its eigenvalue, "
        "0.70698 simulated, amplitude -2.3e-05 a period",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gains": np.array([0.2, 1.6, 3.0]), "border": STABILITY.border[1:]},
         "nodes are stable all the way to |W - M^T|/|M| = 2 at gain 1.6"),
        ({"gains": np.array([2.0, 3.0, 4.0])},
         "nodes are stable up to |W - M^T|/|M| = 0.4 (mix 0.2) at gain 2; beyond, they leave rest "
         "along a real "
         "eigenvector"),
        ({"border": (), "kinds": np.array([["lost", "stable", "stable", "real"]] * 3)},
         "no equilibrium of the nodes was reached at W = M^T"),
        ({"border": (), "kinds": np.array([["real", "stable", "stable", "lost"]] * 3)},
         "nodes are not stable at W = M^T already"),
    ],
)  # fmt: skip
def test_the_headline_of_stability(changes, told):
    assert replace(STABILITY, **changes).lines()[0].split(" (W mixed")[0] == told


def test_stability_tells_of_how_many_weights_the_equilibrium_was_lost():
    kinds = np.where(KINDS == "real", "lost", KINDS)
    assert replace(STABILITY, kinds=kinds).lines()[1] == (
        "of 12 weights looked at, 67% are stable, 0% unstable by a real eigenvalue, 25% by an "
        "oscillation (Hopf); "
        "for 8% the equilibrium was lost"
    )

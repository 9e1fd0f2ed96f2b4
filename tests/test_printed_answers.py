"""What the questions print, number by number: answers made of known figures, lines written out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pcode.analysis.backprop import Backprop
from pcode.analysis.border import BorderPoint
from pcode.analysis.certificate import Certificate, Check
from pcode.analysis.equilibrium import Equilibrium
from pcode.analysis.gradients import Comparison
from pcode.analysis.modes import Eigenvalues
from pcode.analysis.rates import Rates, advice
from pcode.analysis.separation import Separation
from pcode.analysis.spectrum import Spectrum
from pcode.analysis.stability import Simulated, Stability

NAN = float("nan")

# --- separation -----------------------------------------------------------------------------------

SEPARATION = Separation(
    phase="train",
    duration=12.5,
    tolerance=0.01,
    own_ratio=200.0,
    own_distance=0.031234,
    enough=False,
    needed=625.36,
    order=0.98765,
    order_error=0.01234,
    ratios=np.array([50.0, 200.0, 800.0]),
    largest=np.array([NAN, 0.031234, 0.0078125]),
    fitted=np.array([False, True, True]),
    slow_time=np.array([1.0, 2.0]),
    distance=np.full((3, 2), 0.01),
    notes=("mind this",),
)


def test_separation_tells_distances_as_percentages_of_the_path_of_the_weights():
    assert SEPARATION.lines() == [
        "delta/tau = 200 is too small for 1%: the weights depart from the singular limit by up to 3.1% "
        "(delta/tau = 625 would do)",
        "phase 'train', 12.5 delta; distances in parts of how far the weights move:",
        "   delta/tau   largest distance",
        "          50   not told: still in the initial layer",
        "         200   3.12%",
        "         800   0.781%",
        "order in tau/delta: 0.988 +- 0.012 (95%); in theory 1 as it goes to 0",
        "note: mind this",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"enough": True, "own_distance": 0.00456, "needed": 98.76, "tolerance": 0.025},
            "delta/tau = 200 is large enough for 2.5%: the weights stay within 0.46% of the singular limit "
            "(delta/tau = 98.8 would do)",
        ),
        (
            {"own_ratio": None, "own_distance": None},
            "delta/tau = 625 is what it takes for 1% (this run has tau = 0)",
        ),
        (
            {"own_distance": NAN, "enough": None, "needed": 123456.0},
            "delta/tau = 200: the nodes never come to rest in this time; delta/tau = 123000 is what 1% takes",
        ),
    ],
)
def test_the_headline_of_separation(changes, told):
    assert replace(SEPARATION, **changes).lines()[0] == told


def test_an_order_that_was_not_fitted_is_told_as_such():
    told = replace(SEPARATION, order=NAN, order_error=NAN).lines()
    assert told[6] == "order in tau/delta: not fitted, for want of three ratios"


# --- backprop -------------------------------------------------------------------------------------

REST = Comparison(
    *map(np.array, ([1.234, 0.5], [0.987, 1.5], [2.345, 0.125], [1.25, 0.75], [0.0, 45.0], [1.0, 2.5]))
)
NOW = Comparison(
    *map(np.array, ([10.0, 5.5], [0.25, 0.125], [20.0, 99.0], [0.5, 1.75], [3.0, 4.0], [1.0, 1.0]))
)
ANGLES = np.array([[30.0, 3.456], [0.25, 0.0371]])
BACKPROP = Backprop(
    phase="train",
    t=1234.5,
    samples=4,
    nu=0.25,
    loss=0.0123456,
    rest=REST,
    now=NOW,
    residual=1e-12,
    times=np.array([0.0, 1234.5]),
    course=Comparison(*(np.ones((2, 2)) for _ in range(6))),
    variances=np.array([0.25, 250.0]),
    by_variance=Comparison(*([np.ones((2, 2))] * 2), ANGLES, *([np.ones((2, 2))] * 3)),
    ratios=np.array([0.1, 0.01]),
    ratio_angle=np.array([[12.34, 7.0], [NAN, NAN]]),
    ratio_lag=np.array([[0.0123, 0.0456], [NAN, NAN]]),
    notes=("mind this",),
)


def test_backprop_tells_angles_in_degrees_and_the_lag_in_percent():
    assert BACKPROP.lines() == [
        "at rest the weights' flow is within 2.3 degrees of the gradient's descent, the errors within 1.2 "
        "(nu^n = 0.25)",
        "phase 'train', t = 1234.5, 4 samples, loss 0.0123; angle in degrees and relative size, nodes at rest "
        "(as they are):",
        "  layer 1  eps 1.2, 0.99 (10, 0.25)   M0 flow 2.3, 1.2 (20, 0.5)   W0 to M0^T 0, 1",
        "  layer 2  eps 0.5, 1.5 (5.5, 0.12)   M1 flow 0.12, 0.75 (99, 1.8)   W1 to M1^T 45, 2.5",
        "as nu^n grows, largest angle of the flow: 0.25: 30, 250: 0.25",
        "tau/delta = 0.1: after one delta the flow is within 12 degrees of the gradient's descent, and lags "
        "behind that of nodes at rest by 4.6%",
        "tau/delta = 0.01: the simulation failed, or took too many steps",
        "note: mind this",
    ]


def test_backprop_tells_large_angles_in_whole_degrees_and_unknown_ones_as_none():
    flow = np.array([179.6, NAN])
    answer = replace(
        BACKPROP, samples=1, rest=REST._replace(flow_angle=flow, error_angle=np.array([NAN, NAN]))
    )
    told = answer.lines()
    assert told[0].startswith(
        "at rest the weights' flow is up to 180 degrees off the gradient's descent, the "
    )
    assert told[0].endswith("the errors within unknown (nu^n = 0.25)")
    assert " 1 sample, " in told[1]
    assert told[2].startswith("  layer 1  eps none (10, 0.25)   M0 flow 180, 1.2 (20, 0.5)")
    assert "M1 flow none (99, 1.8)" in told[3]


# --- certificate ----------------------------------------------------------------------------------

CERTIFICATE = Certificate(
    phase="train",
    span=123.4,
    whole=False,
    checks=(
        Check("status", "pass", 0.0, 0.0, "phases that ended early"),
        Check("tolerance", "fail", 0.012345, 1e-4, "nodes at saved times"),
        Check("solver", "pass", 3.21e-6, 1e-4, "beside cvode"),
        Check("energy", "not applicable", NAN, NAN, "it is not linear"),
        Check("feedback", "not applicable", NAN, NAN, "W does not learn"),
    ),
)


def test_a_certificate_counts_its_checks_and_tells_each_figure_with_its_threshold():
    assert CERTIFICATE.lines() == [
        "FAILED: 2 of 3 checks pass, 2 not applicable; phase 'train' integrated again (its first 123.4 only)",
        "  pass            status        0, at most 0: phases that ended early",
        "  fail            tolerance     0.012, at most 0.0001: nodes at saved times",
        "  pass            solver        3.2e-06, at most 0.0001: beside cvode",
        "  not applicable  energy        it is not linear",
        "  not applicable  feedback      W does not learn",
    ]
    good = replace(CERTIFICATE, whole=True, checks=(CERTIFICATE.checks[0], CERTIFICATE.checks[2]))
    assert good.lines()[0] == ("passed: 2 of 2 checks pass, 0 not applicable; phase 'train' integrated again")


# --- equilibrium ----------------------------------------------------------------------------------

EQUILIBRIUM = Equilibrium(
    phase="hold",
    t=12.5,
    start="state",
    samples=(3, 5, 8),
    residual=np.array([1e-13, 3.21e-11, 2e-12]),
    tol=1e-10,
    iterations=17,
    kind="stable",
    rightmost=-0.25 + 2.0j,
    exact=True,
    zero_eigenvalues=0,
    continuum=False,
    starts=8,
    distinct=np.array([2, 3, 3]),
    equilibria=(),
    state=None,
)


def test_equilibrium_tells_its_residual_its_eigenvalue_and_how_many_there_are():
    assert EQUILIBRIUM.lines() == [
        "equilibrium, stable (weights of t = 12.5 in phase 'hold', 3 samples; largest residual 3.2e-11, "
        "17 iterations)",
        "rightmost node eigenvalue: -0.25 +- 2i, period 3.14",  # 2 pi / 2
        "from 8 other starts: up to 3 equilibria a sample (so many of 2 samples)",
    ]


@pytest.mark.parametrize(
    ("changes", "row", "told"),
    [
        ({"residual": np.array([1.0, 2e-3, 1e-11])}, 0, "no equilibrium was reached for 2 of the samples "
         "(weights of t = 12.5 in phase 'hold', 3 samples; largest residual 1.0e+00)"),
        ({"rightmost": complex(-0.123456), "exact": False}, 1,
         "rightmost node eigenvalue: -0.1235, of those at the ends of the spectrum"),
        ({"continuum": True, "zero_eigenvalues": 4, "distinct": None}, 2,
         "a continuum of equilibria: 4 zero eigenvalues a sample, for the clamps leave so many directions of "
         "the values open; node_decay > 0 singles one out"),
        ({"continuum": True, "zero_eigenvalues": 4, "exact": False}, 2,
         "a continuum of equilibria: at least 4 zero eigenvalues a sample, for the clamps leave so many "
         "directions of the values open; node_decay > 0 singles one out"),
        ({"zero_eigenvalues": 2}, 2, "degenerate: up to 2 zero eigenvalues a sample"),
        ({"distinct": np.array([1, 1, 1])}, 2, "from 8 other starts: no other equilibrium was found"),
    ],
)  # fmt: skip
def test_what_equilibrium_tells_of_other_cases(changes, row, told):
    assert replace(EQUILIBRIUM, **changes).lines()[row] == told


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
          "their other modes decay at rates from 0.5 on (largest |lambda| 4.32); weights at rates from 0.00045 "
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
    """3 of the 4 that were found are within `still`; 20 weights without decay are left out besides."""
    weights = eigenvalues(-0.1, 1e-6, -1e-6, 0.0, exact=False, count=1000, still=2e-6)
    nodes = eigenvalues(-1.0, 0.0, exact=False, count=1300)
    told = replace(SPECTRUM, weights=weights, nodes=nodes, left_out=20).lines()[-3:]
    assert told == [
        "at least 23 of 1,020 directions of the weights are neutral (slower than 2e-06)",
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
        (Rates(node_fastest=3.0, damping_ratio=0.0123), 1e5,
         ("Kvaerno5", "an explicit method would need 9.1e+04 steps: RK45's are any length at most; the ringing "
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
        "nodes are stable up to |W - M^T|/|M| = 1.047 (mix 0.5235); beyond, an oscillation of angular frequency "
        "0.7071 grows (Hopf) (W mixed with -M^T; 'held', t = 2.5, 2 samples)",
        "of 12 weights looked at, 67% are stable, 8% unstable by a real eigenvalue, 25% by an oscillation (Hopf)",
        "oscillation on the border at gain 1, mix 0.52346: angular frequency 0.70711 by its eigenvalue, "
        "0.70698 simulated, amplitude -2.3e-05 a period",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gains": np.array([0.2, 1.6, 3.0]), "border": STABILITY.border[1:]},
         "nodes are stable all the way to |W - M^T|/|M| = 2 at gain 1.6"),
        ({"gains": np.array([2.0, 3.0, 4.0])},
         "nodes are stable up to |W - M^T|/|M| = 0.4 (mix 0.2) at gain 2; beyond, they leave rest along a real "
         "eigenvector"),
        ({"border": (), "kinds": np.full((3, 4), "lost")},
         "no equilibrium of the nodes was reached at W = M^T"),
        ({"border": (), "kinds": np.full((3, 4), "real")}, "nodes are not stable at W = M^T already"),
    ],
)  # fmt: skip
def test_the_headline_of_stability(changes, told):
    assert replace(STABILITY, **changes).lines()[0].split(" (W mixed")[0] == told


def test_stability_tells_of_how_many_weights_the_equilibrium_was_lost():
    kinds = np.where(KINDS == "real", "lost", KINDS)
    assert replace(STABILITY, kinds=kinds).lines()[1] == (
        "of 12 weights looked at, 67% are stable, 0% unstable by a real eigenvalue, 25% by an oscillation (Hopf); "
        "for 8% the equilibrium was lost"
    )

"""What questions print, number by number: answers made of known figures, lines written out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pcode.analysis.backprop import Backprop
from pcode.analysis.certificate import Certificate, Check
from pcode.analysis.equilibrium import Equilibrium
from pcode.analysis.gradients import Comparison
from pcode.analysis.infinity import Unbounded
from pcode.analysis.separation import Separation

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
    course_at="state",
    t_start=0.0,
    variances=np.array([0.25, 250.0]),
    by_variance=Comparison(*([np.ones((2, 2))] * 2), ANGLES, *([np.ones((2, 2))] * 3)),
    ratios=np.array([0.1, 0.01]),
    ratio_angle=np.array([[NAN, NAN], [12.34, 7.0]]),
    ratio_lag=np.array([[NAN, NAN], [0.0123, 0.0943]]),
    notes=("mind this",),
)


def test_backprop_tells_angles_in_degrees_and_the_lag_in_percent():
    assert BACKPROP.lines() == [
        "at rest the weights' flow is within 2.3 degrees of the gradient's descent, the errors within 1.2 "
        "(nu^n = 0.25)",
        "phase 'train', t = 1234.5, 4 samples, loss 0.0123; angle in degrees and relative size, "
        "nodes at rest "
        "(as they are):",
        "  layer 1  eps 1.2, 0.99 (10, 0.25)   M0 flow 2.3, 1.2 (20, 0.5)   W0 to M0^T 0, 1",
        "  layer 2  eps 0.5, 1.5 (5.5, 0.12)   M1 flow 0.12, 0.75 (99, 1.8)   W1 to M1^T 45, 2.5",
        "as nu^n grows, largest angle of the flow: 0.25: 30, 250: 0.25",
        "tau/delta = 0.1: the simulation failed, or took too many steps",
        "tau/delta = 0.01: after one delta the flow is within 12 degrees of the gradient's descent, and lags "
        "behind that of nodes at rest by 9.4%",
        "note: mind this",
    ]


@pytest.mark.parametrize(
    ("angle", "told"),
    [(89.5, "within 90 degrees of"), (90.0, "within 90 degrees of"), (99.5, "up to 100 degrees off")],
)
def test_an_angle_is_told_as_within_up_to_a_right_one(angle, told):
    one = BACKPROP.by_variance._replace(flow_angle=ANGLES[:1])
    flow = np.array([angle, 1.0])
    answer = replace(
        BACKPROP, rest=REST._replace(flow_angle=flow), variances=np.array([0.25]), by_variance=one
    )
    assert answer.lines()[0].startswith(f"at rest the weights' flow is {told} the gradient's descent, ")
    assert not any("as nu^n grows" in line for line in answer.lines())  # there is but one


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
    unbounded=Unbounded((), np.zeros(3, bool)),
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
        ({"samples": (7,)}, 0, "equilibrium, stable (weights of t = 12.5 in phase 'hold', 1 sample; largest "
         "residual 3.2e-11, 17 iterations)"),
        ({"zero_eigenvalues": 2}, 2, "degenerate: up to 2 zero eigenvalues a sample"),
        ({"distinct": np.array([1, 1, 1])}, 2, "from 8 other starts: no other equilibrium was found"),
    ],
)  # fmt: skip
def test_what_equilibrium_tells_of_other_cases(changes, row, told):
    assert replace(EQUILIBRIUM, **changes).lines()[row] == told

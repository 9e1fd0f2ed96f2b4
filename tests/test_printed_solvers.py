"""Numbers in what solvers say: times, limits, reasons and refusals, beside closed forms and hand counts."""

import re

import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.base.status import SolverStats, Status
from pcode.model.state import Layout
from pcode.simulation.start import starting_state
from pcode.solvers import base, scipy
from pcode.system.abscissa import Abscissa
from pcode.system.limit import instability
from pcode.system.problem import make_problem

# 1-1-1, ends clamped, weights m = 2: free x^1, and eps^1 and eps^2.
M = 2.0


def chain(links=2, m=M, nu=1.0, tau=1.0, feedback="tied", delta=100.0, sign=1.0):
    network = pcode.Network((1,) * (links + 1), "identity", nu=nu, tau=tau, delta=delta, feedback=feedback)
    W = None if feedback == "tied" else ([[sign * m]],) * links
    return network, network.check_weights(pcode.Weights(([[m]],) * links, W, ([0.0],) * links))


def problem_of(clamp, duration=1.0, learn=False, **options):
    network, weights = chain(**options)
    phase = pcode.Phase("held", clamp, duration=duration, learn=learn)
    return make_problem(
        network, phase, starting_state(network, phase, (0,), "feedforward", weights, None, ())
    )


def test_seconds_are_counted_from_where_they_began(monkeypatch):
    monkeypatch.setattr(base.time, "perf_counter", lambda: 112.5)
    solution = base.Solution(Status.SUCCESS, 1.0, np.zeros(2), SolverStats(steps=7)).timed(0.75, 110.0)
    assert (solution.stats.compile_seconds, solution.stats.solve_seconds) == (0.75, 2.5)
    assert solution.stats.steps == 7


@pytest.mark.parametrize(
    ("x", "y", "m", "bound"),
    [(0.5, 0.25, 0.5, 1e8), (-30.0, 7.0, 0.5, 3e9), (1.0, 50.0, 0.5, 5e9), (1.5, 1.0, 4.0, 6e8)],
)
def test_what_has_diverged_is_1e8_times_the_largest_value_at_the_start(x, y, m, bound):
    """Of the clamps, and of the unknowns: the hidden value starts at m x. Never of less than 1."""
    assert base.divergence_bound(problem_of({0: [[x]], 2: [[y]]}, m=m)) == pytest.approx(bound)


def test_a_run_ends_where_a_value_grows_beyond_that():
    """m w = -16: (s + 1)(s^2 + s - 15) has the root 3.4, by which nodes grow from 3e8 to 3e9 in 0.68."""
    network, weights = chain(m=4.0, feedback="fixed", sign=-1.0)
    phase = pcode.Phase("grow", {0: [[30.0]], 2: [[0.0]]}, duration=100.0, learn=False)
    run = pcode.simulate(network, [phase], weights=weights, save=pcode.Save(300, 2, "linear"))
    assert run.status is Status.DIVERGED
    largest = np.max(
        [np.abs(run.data[name].values).max(axis=(1, 2)) for name in ("x1", "eps1", "eps2")], axis=0
    )
    bound = 1e8 * 120.0  # the hidden value starts at 4 * 30
    assert largest[-1] >= bound
    assert (largest[:-1] < bound).all()
    assert largest[-1] < 50.0 * bound


# --- auto -----------------------------------------------------------------------------------------


def node_rates(nu, m=M):
    """Eigenvalues of x^1, eps^1 and eps^2, tau = 1."""
    return np.linalg.eigvals(np.array([[0.0, -1.0, m], [1.0, -nu, 0.0], [-m, 0.0, -nu]]))


def test_auto_tells_how_long_how_fast_and_how_many_steps():
    """nu = 20, so that all eigenvalues are real; steps of 6 over the fastest."""
    problem = problem_of({0: [[1.0]], 2: [[0.5]]}, duration=7.5, nu=20.0)
    fastest = np.abs(node_rates(20.0)).max()
    solver, reason = pcode.METHODS["auto"].choose_for_many(problem, 50)
    assert solver.name == "Tsit5"
    told = re.fullmatch(
        r"each lasts 7.5, rates up to (\S+): (\S+) explicit steps are few, and 50 .* in one loop", reason
    )
    assert float(told[1]) == pytest.approx(fastest, rel=0.02)  # by a few power iterations
    assert float(told[2]) == pytest.approx(7.5 * fastest / 6.0, rel=0.02)


def test_auto_tells_when_nodes_should_settle():
    """By then the slowest of them, here nu / 2 = 0.25, has gone down by exp(-14)."""
    network, weights = chain(nu=0.5)
    phase = pcode.Phase("held", {0: [[1.0]], 2: [[0.5]]}, duration=1e6, learn=False, until="equilibrium")
    start = starting_state(network, phase, (0,), "feedforward", weights, None, ())
    _, reason = pcode.METHODS["auto"].choose_for_many(make_problem(network, phase, start), 50)
    assert reason.startswith("each should settle in 56, rates up to ")


# --- refusals -------------------------------------------------------------------------------------

# x^1 and eps of 3 samples, M and W both ways, beta.
LAYOUT = Layout((20, 30, 10), 3, (False, True, False), True, "learned")
UNKNOWNS = 3 * (30 + 30 + 10) + 2 * (600 + 300) + 40


def test_a_method_that_cannot_take_so_many_unknowns_tells_how_many_and_how_many_it_can():
    told = f"Radau is full: too much for {UNKNOWNS:,} unknowns (at most 2,000); use cvode"
    with pytest.raises(InputError, match=re.escape(told)):
        base.refuse_above("Radau", LAYOUT, 2000, "is full")
    base.refuse_above("Radau", LAYOUT, UNKNOWNS, "is full")


def test_a_sparse_factor_that_is_too_large_is_told_in_millions(monkeypatch):
    """All 50,000 values and errors of 500 samples are coupled where weights learn: 2.5e9 entries."""
    layout = Layout((20, 50, 10), 500, (False, True, False), True, "tied")
    nodes = 500 * (50 + 50 + 10)
    told = (
        f"BDF factors a Jacobian: up to {nodes**2 / 1e6:,.0f} million entries for "
        f"{nodes + 1500 + 60:,} unknowns "
        f"(at most {scipy.LARGEST_FILL // 10**6} million); use cvode"
    )
    with pytest.raises(InputError, match=re.escape(told)):
        pcode.METHODS["BDF"].check(layout)


# --- tau = 0 --------------------------------------------------------------------------------------


def test_with_tau_0_an_instability_is_told_with_its_frequency_and_its_sample():
    told = instability(Abscissa(rate=0.1, frequency=0.707107, sample=3))
    assert told == "by an oscillation (Hopf, angular frequency 0.7071/tau) in sample 3"
    assert instability(Abscissa(0.1, 0.0, 12)).endswith(
        "eigenvalue (a fold, or a branching of equilibria) in sample 12"
    )

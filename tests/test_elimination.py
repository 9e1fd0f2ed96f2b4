"""An elimination that is not exact serves as a preconditioner: what is solved with it is the same."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pytest

import pcode
from pcode.analysis.spectra.jacobians import NodeSystem, SlowSystem
from pcode.solvers import METHODS, Settings
from pcode.system.abscissa import spectral_abscissa, suspects
from pcode.system.limit import SlowProblem
from pcode.system.problem import make_problem
from pcode.system.rest import nodes_at_rest


@dataclass(frozen=True)
class Diagonal:
    """Takes I - a J for its diagonal: what a network that is no chain of layers could always do."""

    exact: bool = False

    def factor(self, system, point, a, one=1.0):
        """The diagonal, shape (N,)."""
        x = tuple(
            jnp.where(f > 0.0, one - a * v.x, 1.0) for v, f in zip(point.value, point.free, strict=True)
        )
        layers = zip(point.error, point.state.eps, strict=True)
        eps = tuple(jnp.broadcast_to(one - a * e.eps, now.shape) for e, now in layers)
        c = system.constants
        held = system.parameters.held
        own = 1.0 + a * c.weight_decay / c.delta
        weights = type(held)(
            *(part and tuple(jnp.full_like(w, o) for w, o in zip(part, own, strict=True)) for part in held)
        )
        return system.layout.pack(point.state._replace(x=x, eps=eps, weights=weights), jnp)

    def solve(self, system, factors, r):
        """`r` over the diagonal."""
        return r / factors


def with_elimination(problem, elimination):
    structure = problem.structure._replace(elimination=elimination)
    return replace(problem, system=replace(problem.system, structure=structure))


def posed(learn=True, sizes=(3, 6, 5, 2), batch=3, scale=1.0):
    rng = np.random.default_rng(5)
    network = pcode.Network(sizes, nu=(0.5, 1.0, 2.0), delta=40.0, node_decay=0.1, feedback="tied")
    clamp = {0: rng.standard_normal((batch, sizes[0])), 3: rng.standard_normal((batch, sizes[-1]))}
    phase = pcode.Phase("any", clamp, duration=5.0, learn=learn)
    x = tuple(rng.standard_normal((batch, size)) for size in sizes)
    eps = tuple(rng.standard_normal((batch, size)) for size in sizes[1:])
    state = pcode.State(x, eps, network.init_weights(1, scale=scale))
    return network, phase, state


def both(learn=True, **kwargs):
    problem = make_problem(*posed(learn, **kwargs), reduce=False)
    return problem, with_elimination(problem, Diagonal())


def test_nodes_come_to_the_same_rest():
    chain, diagonal = (nodes_at_rest(problem) for problem in both(learn=False))
    assert chain.found
    assert diagonal.found
    for a, b in zip(
        (*chain.state.x, *chain.state.eps), (*diagonal.state.x, *diagonal.state.eps), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cvode", "Kvaerno5"])
@pytest.mark.parametrize("learn", [True, False])
def test_a_solution_is_that_with_the_exact_elimination(method, learn):
    problems = both(learn, sizes=(10, 12, 9, 4), batch=5)
    settings, quiet = Settings(1e-9, 1e-11), (lambda k, t, y: None, lambda t, step, y: False)
    chain, diagonal = (METHODS[method].solve(p, np.array([p.duration]), settings, *quiet) for p in problems)
    assert chain.status == diagonal.status == "success"
    assert problems[0].y0.size > 199  # not by a dense matrix
    np.testing.assert_allclose(diagonal.y, chain.y, rtol=0.0, atol=2e-8)


def test_the_singular_limit_has_the_same_rates_and_the_same_stability(monkeypatch):
    network, phase, state = posed()
    rest = nodes_at_rest(make_problem(network, phase, state, reduce=False)).state
    at_rest = make_problem(network, phase, rest, reduce=False)
    chain, diagonal = SlowProblem(at_rest), SlowProblem(with_elimination(at_rest, Diagonal()))
    w = chain.y0 + 0.01
    np.testing.assert_allclose(diagonal.rhs(0.0, w), chain.rhs(0.0, w), atol=1e-10)
    monkeypatch.setattr("pcode.system.abscissa.LARGEST_DENSE", 0)
    for problem in (chain, diagonal):
        assert problem.suspects(0.0, chain.y0).size == 0


def test_the_slow_weights_jacobian_and_its_shifted_inverse_are_the_same():
    network, phase, state = posed()
    rest = nodes_at_rest(make_problem(network, phase, state, reduce=False)).state
    chain = make_problem(network, phase, rest, reduce=False)
    diagonal = with_elimination(chain, Diagonal())
    v = np.random.default_rng(0).standard_normal(SlowSystem(chain).size)
    np.testing.assert_allclose(SlowSystem(diagonal).action(v), SlowSystem(chain).action(v), atol=1e-10)
    r = np.random.default_rng(1).standard_normal(chain.layout.node_count)
    found, known = (NodeSystem(problem).inverse(0.7)(r) for problem in (diagonal, chain))
    np.testing.assert_allclose(found, known, atol=1e-10)


def test_an_unstable_sample_is_found_by_iterations_all_the_same(monkeypatch):
    monkeypatch.setattr("pcode.system.abscissa.LARGEST_DENSE", 0)
    found = []
    problems = both(learn=False, scale=4.0)
    nodes = problems[0].with_unit_clocks()
    rates = [spectral_abscissa(nodes.system, 0.0, nodes.y0, np.array([b])).rate for b in range(3)]
    assert max(rates) > 0.0
    for problem in problems:
        system = problem.with_unit_clocks().system
        samples, vectors = suspects(system, 0.0, problem.y0, None)
        for _ in range(5):
            samples, vectors = suspects(system, 0.0, problem.y0, vectors)
        found.append(samples.tolist())
    assert found[0] == found[1]
    assert [rates[sample] > 0.0 for sample in found[0]] == [True]

"""Derivatives of the solution, against finite differences and against another method."""

import math
import re
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pcode
from pcode import InputError
from pcode.model.state import State
from pcode.solvers import METHODS, Settings
from pcode.solvers.gradients import final_unknowns
from pcode.system.coupled import System
from pcode.system.problem import make_problem


def problem_of(sizes, batch, ratio, duration):
    """A learning network off its rest, both ends clamped, with every term of the equations."""
    rng = np.random.default_rng(0)
    network = pcode.Network(sizes=sizes, delta=ratio, nu=1.0, weight_decay=0.01, node_decay=0.02)
    clamp = {k: rng.standard_normal((batch, sizes[k])) for k in (0, len(sizes) - 1)}
    phase = pcode.Phase("train", clamp, duration=duration)
    x = tuple(clamp.get(k, rng.standard_normal((batch, size))) for k, size in enumerate(sizes))
    eps = tuple(0.3 * rng.standard_normal((batch, size)) for size in sizes[1:])
    state = State(x, eps, network.init_weights(0, W="independent"))
    return make_problem(network, phase, state, reduce=False)


def measure_of(problem, **settings):
    """A random linear function of the unknowns at the end, of those at the start and the parameters."""
    c = np.random.default_rng(1).standard_normal(problem.y0.size)

    def measure(y0, p):
        return c @ final_unknowns(problem.structure, p, y0, problem.duration, **settings)

    return measure, c


def of(p, name):
    """A constant of the parameters, or another of them, by name."""
    return getattr(p.constants if hasattr(p.constants, name) else p, name)


def with_(p, name, value):
    """`p` with another value of it."""
    if hasattr(p.constants, name):
        return p._replace(constants=p.constants._replace(**{name: value}))
    return p._replace(**{name: value})


@pytest.mark.slow
def test_reverse_mode_through_the_structured_solve_agrees_with_finite_differences_at_1033_unknowns():
    problem = problem_of((8, 20, 9, 4), 4, 1e3, 2e3)
    y0, p, slices = problem.y0, problem.parameters, problem.layout.slices
    assert y0.size == 1033
    measure, c = measure_of(problem, rtol=1e-8, atol=1e-11)
    gradient_y, gradient_p = jax.jit(jax.grad(measure, argnums=(0, 1)))(y0, p)
    rng = np.random.default_rng(2)

    def value(y0, p, method="Kvaerno5"):
        changed = replace(problem, y0=y0, system=System(problem.structure, p))
        quiet = (lambda k, t, y: None, lambda t, step, y: False)
        end = METHODS[method].solve(changed, np.array([problem.duration]), Settings(1e-8, 1e-11), *quiet)
        assert end.status == "success"
        return c @ end.y

    assert value(y0, p) == pytest.approx(value(y0, p, "cvode"), abs=1e-5)
    for name in ("x1", "eps3", "M0", "M2", "W1", "beta2"):
        d = np.zeros(y0.size)
        d[slices[name]] = rng.standard_normal(d[slices[name]].size)
        slope = (value(y0 + 1e-3 * d, p) - value(y0 - 1e-3 * d, p)) / 2e-3
        np.testing.assert_allclose(float(gradient_y @ d), slope, rtol=1e-4, atol=1e-5, err_msg=name)
    for name, h in (("tau", 1e-3), ("delta", 1.0), ("nu", 1e-3), ("weight_decay", 1e-4), ("clamp", 1e-3)):
        leaves = of(p, name)
        d = jax.tree.map(lambda a: np.asarray(rng.standard_normal(a.shape)), leaves)
        there, back = (
            value(y0, with_(p, name, jax.tree.map(lambda a, b, s=s: a + s * b, leaves, d))) for s in (h, -h)
        )
        pairs = zip(jax.tree.leaves(of(gradient_p, name)), jax.tree.leaves(d), strict=True)
        found = sum(float(np.nansum(a * b)) for a, b in pairs)
        np.testing.assert_allclose(found, (there - back) / (2 * h), rtol=1e-4, atol=1e-5, err_msg=name)


def test_gradients_map_over_parameters_and_agree_with_those_of_an_explicit_method():
    problem = problem_of((3, 4, 2), 2, 20.0, 30.0)
    p = problem.parameters
    nu, tau = jnp.array([[0.5, 1.0], [1.0, 2.0], [3.0, 0.2]]), jnp.array([1.0, 0.5, 2.0])
    tau = tau[:, None] * jnp.ones(p.constants.tau.size)  # of each layer
    many = with_(with_(p, "nu", nu), "tau", tau)
    axes = with_(with_(jax.tree.map(lambda _: None, p), "nu", 0), "tau", 0)
    found = []
    for method in ("Kvaerno3", "Tsit5"):
        measure, _ = measure_of(problem, method=method, rtol=1e-8, atol=1e-11)
        mapped = jax.vmap(jax.grad(measure, argnums=(0, 1)), in_axes=(None, axes))
        found.append(jax.jit(mapped)(problem.y0, many))
    (implicit_y, implicit_p), (explicit_y, explicit_p) = found
    assert implicit_y.shape == (3, problem.y0.size)
    np.testing.assert_allclose(implicit_y, explicit_y, rtol=1e-5, atol=1e-5)
    for name in ("nu", "tau", "delta"):
        np.testing.assert_allclose(
            of(implicit_p, name), of(explicit_p, name), rtol=1e-5, atol=1e-5, err_msg=name
        )


def test_no_array_of_the_size_of_the_jacobian_is_made_on_the_way_back():
    problem = problem_of((64, 32, 10), 2, 1e3, 2e3)
    measure, _ = measure_of(problem)
    traced = str(jax.make_jaxpr(jax.grad(measure))(problem.y0, problem.parameters))
    shapes = [list(map(int, shape.split(","))) for shape in re.findall(r"f64\[([\d,]+)\]", traced)]
    # The longest: as many copies of the unknowns as there are checkpoints and stages.
    largest = max(math.prod(shape) for shape in shapes)
    assert largest < problem.y0.size**2 / 4, largest


def test_a_method_without_derivatives_is_refused_with_those_that_have_them():
    problem = problem_of((1, 1), 1, 10.0, 1.0)
    with pytest.raises(InputError, match="no differentiable method 'cvode'; there are Kvaerno5"):
        final_unknowns(problem.structure, problem.parameters, problem.y0, 1.0, method="cvode")


@pytest.mark.slow
def test_the_example_of_the_docs_gives_what_finite_differences_of_another_solver_give():
    text = (Path(__file__).parents[1] / "docs" / "solvers.md").read_text()
    (example,) = (
        block for block in re.findall("```python\n(.*?)```", text, re.S) if "final_unknowns" in block
    )
    names = {}
    exec(example, names)
    problem, found = names["problem"], names["by_parameters"]

    def loss(p):
        changed = replace(problem, system=System(problem.structure, p))
        quiet = (lambda k, t, y: None, lambda t, step, y: False)
        times = np.array([problem.duration])
        end = METHODS["DOP853"].solve(changed, times, Settings(1e-11, 1e-13), *quiet)
        return 0.5 * (problem.layout.views(end.y)["eps2"] ** 2).sum()

    p, h = problem.parameters, 1e-4
    for name in ("tau", "tau_eps"):
        at = getattr(p.constants, name)
        for k, found_k in enumerate(getattr(found.constants, name)):
            unit = h * (np.arange(at.size) == k)
            slope = (loss(with_(p, name, at + unit)) - loss(with_(p, name, at - unit))) / (2 * h)
            np.testing.assert_allclose(found_k, slope, rtol=1e-3, atol=1e-9)
    d = np.ones_like(p.clamp[0])
    there, back = (loss(p._replace(clamp=(p.clamp[0] + s * d, *p.clamp[1:]))) for s in (h, -h))
    np.testing.assert_allclose(found.clamp[0].sum(), (there - back) / (2 * h), rtol=1e-3)

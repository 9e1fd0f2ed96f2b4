"""The Krylov method against dense linear algebra."""

import math

import numpy as np
import pytest

from pcode.base._jax import jnp
from pcode.system.krylov import conjugate_residuals, few_iterations, gcr, size_of


@pytest.fixture(params=["room at once", "room when needed"])
def room(request, monkeypatch):
    """Both ways in which the Krylov method makes room for its directions."""
    monkeypatch.setattr(
        "pcode.system.krylov.SMALL", {"room at once": math.inf, "room when needed": 0}[request.param]
    )


@pytest.mark.usefixtures("room")
def test_the_krylov_method_solves_and_keeps_solving_when_directions_run_out():
    rng = np.random.default_rng(5)
    A = np.eye(40) + 0.1 * rng.standard_normal((40, 40))
    b = rng.standard_normal(40)
    weight = jnp.array(rng.uniform(0.5, 2.0, 40))
    for vectors in (40, 6):
        d = gcr(lambda v: A @ v, jnp.array(b), weight, 1e-11, 0.0, vectors, 200)
        np.testing.assert_allclose(d, np.linalg.solve(A, b), atol=1e-9)


@pytest.mark.usefixtures("room")
def test_the_krylov_method_stops_at_its_tolerance_and_stands_still_where_nothing_is_left_to_do():
    A = jnp.diag(jnp.linspace(1.0, 10.0, 30))
    b = jnp.ones(30)
    d = gcr(lambda v: A @ v, b, b, 1e-2, 0.0, 30)
    assert 1e-4 < np.linalg.norm(A @ d - b) / np.linalg.norm(b) <= 1e-2
    assert (np.array(gcr(lambda v: A @ v, 0.0 * b, b, 1e-2, 0.0, 30)) == 0.0).all()
    singular = gcr(lambda v: 0.0 * v, b, b, 1e-2, 0.0, 30)
    assert np.isfinite(np.array(singular)).all()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_few_iterations_leave_the_least_residual_that_the_krylov_space_has(count):
    rng = np.random.default_rng(6)
    A = np.eye(20) + 0.3 * rng.standard_normal((20, 20))
    b, weight = rng.standard_normal(20), rng.uniform(0.5, 2.0, 20)
    d, size = few_iterations(lambda v: A @ v, jnp.array(b), jnp.array(weight), count)
    space = np.stack([np.linalg.matrix_power(A, k) @ b for k in range(count)], axis=1)
    best = np.linalg.lstsq(weight[:, None] * (A @ space), weight * b, rcond=None)[0]
    np.testing.assert_allclose(d, space @ best, rtol=1e-9)
    assert float(size) == pytest.approx(np.sqrt(np.mean((weight * (A @ d - b)) ** 2)), rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_iterations_in_numpy_leave_the_least_residual_that_the_krylov_space_has(count):
    rng = np.random.default_rng(6)
    A = np.eye(20) + 0.3 * rng.standard_normal((20, 20))
    b, weight = rng.standard_normal(20), rng.uniform(0.5, 2.0, 20)
    d = conjugate_residuals(lambda v: A @ v, b, weight, 0.0, 30, count)
    space = np.stack([np.linalg.matrix_power(A, k) @ b for k in range(count)], axis=1)
    best = np.linalg.lstsq(weight[:, None] * (A @ space), weight * b, rcond=None)[0]
    np.testing.assert_allclose(d, space @ best, rtol=1e-9)


@pytest.mark.parametrize("vectors", [30, 5])
def test_iterations_in_numpy_end_at_the_residual_asked_for(vectors):
    rng = np.random.default_rng(7)
    A = np.eye(20) + 0.1 * rng.standard_normal((20, 20))
    b, weight = rng.standard_normal(20), rng.uniform(0.5, 2.0, 20)
    calls = []
    d = conjugate_residuals(lambda v: calls.append(1) or A @ v, b, weight, 1e-6, vectors, 200)
    assert size_of(A @ d - b, weight) <= 1.01e-6
    assert len(calls) < 20
    assert np.isfinite(conjugate_residuals(lambda v: 0.0 * v, b, weight, 1e-6, 30, 3)).all()

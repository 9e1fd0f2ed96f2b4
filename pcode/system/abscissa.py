"""Stability of the nodes' equilibrium: the spectral abscissa of their Jacobian, with the weights held.

The samples of a batch are then uncoupled, so each has a Jacobian of its own. Rates are in units of 1/tau: the
functions take a system of the nodes alone, with tau = 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..base._jax import Alone, jax, jnp
from ..model.network import Array
from ..model.state import Layout
from .coupled import System
from .elimination import solve_exactly

Indices = NDArray[np.int64]

# Dense eigenvalue problems are solved for all samples if samples times nodes^3 is at most this.
LARGEST_DENSE = 3_000_000

# Vectors of each sample in the subspace iteration, and number of iterations: from random vectors, and from
# those of the step before.
DISTURBANCES = 4
FIRST_ITERATIONS, ITERATIONS = 30, 4

# A sample whose vectors grow by more than this factor an iteration may be unstable.
SUSPECT = 1.0 + 1e-7


class Abscissa(NamedTuple):
    """The eigenvalue with the largest real part, which is the spectral abscissa.

    Attributes
    ----------
    rate : float
        Its real part, in units of 1/tau: perturbations decay if it is negative and grow if it is positive.
    frequency : float
        Absolute value of its imaginary part, in units of 1/tau: 0 where they do so without oscillation.
    sample : int
        The sample that has it: index in the batch.
    """

    rate: float
    frequency: float
    sample: int


def nodes_a_sample(layout: Layout) -> int:
    """Number m of unknown nodes of each sample."""
    return layout.node_count // layout.batch


@jax.jit
def jacobians(system: System, t: Any, z: Any, samples: Any) -> jax.Array:
    """Jacobians of the nodes of `samples`, shape (samples, m, m)."""
    layout = system.layout
    m, action = nodes_a_sample(layout), system.action(t, z)

    def column(j: Any) -> Any:
        # One direction serves all samples at once: column j of every sample's Jacobian.
        unit = jnp.broadcast_to(jnp.arange(m) == j, (layout.batch, m)).astype(float)
        return layout.rows(action(layout.flat(unit, jnp)), jnp)[samples]

    columns = jax.lax.map(column, jnp.arange(m), batch_size=32)
    J = jnp.transpose(columns, (1, 2, 0))
    # Clamped nodes of a partly clamped layer, and nodes held at a kink, would add eigenvalues 0; make these
    # -1.
    held = layout.rows(1.0 - system.free_mask(), jnp)[samples]
    own: jax.Array = J - held[:, :, None] * jnp.eye(m)
    return own


def spectral_abscissa(system: System, t: float, z: Array, samples: Indices) -> Abscissa:
    """The eigenvalue with the largest real part among the Jacobians of `samples`.

    Parameters
    ----------
    system : System
        The nodes alone, with the weights held and tau = 1.
    t : float
    z : ndarray
        The unknown nodes, at rest.
    samples : ndarray of int
        Indices in the batch.
    """
    if system.layout.node_count == 0 or samples.size == 0:
        return Abscissa(-np.inf, 0.0, 0)
    if not np.isfinite(z).all():  # there is no equilibrium
        return Abscissa(np.inf, 0.0, int(samples[0]))
    eigenvalues = np.linalg.eigvals(np.asarray(jacobians(system, float(t), z, samples)))
    row, k = np.unravel_index(np.argmax(eigenvalues.real), eigenvalues.shape)
    largest = eigenvalues[row, k]
    return Abscissa(float(largest.real), abs(float(largest.imag)), int(samples[row]))


def suspects(system: System, t: float, z: Array, vectors: Array | None) -> tuple[Indices, Array | None]:
    """Samples whose nodes may be unstable, and vectors to start from at the next step.

    If the Jacobians are small, these are all samples. Otherwise it is the sample with the largest
    eigenvalue of the Cayley transform (I - J)^{-1} (I + J), if that is larger than 1 in magnitude, as it
    is exactly where J has an eigenvalue with positive real part. It is found by subspace iteration
    (Saad 2011, chapter 5) with a few vectors of each sample, which start from those of the step before and so
    converge along a run; an instability may be noticed some steps late.

    Parameters
    ----------
    system, t, z
        As for `spectral_abscissa`.
    vectors : ndarray, shape (B, m, k), optional
        The vectors returned by the previous call.
    """
    layout = system.layout
    m = nodes_a_sample(layout)
    if layout.batch * m**3 <= LARGEST_DENSE:
        return np.arange(layout.batch, dtype=np.int64), None
    iterations = ITERATIONS
    if vectors is None:
        shape = (layout.batch, m, min(DISTURBANCES, m))
        vectors, iterations = np.random.default_rng(0).standard_normal(shape), FIRST_ITERATIONS
    projected, after = _iterate(system, float(t), z, vectors, iterations)
    growth = np.abs(np.linalg.eigvals(np.asarray(projected))).max(axis=1)
    fastest = int(np.argmax(growth))
    found = [fastest] if growth[fastest] > SUSPECT else []
    return np.array(found, dtype=np.int64), np.asarray(after)


@Alone
@jax.jit
def _iterate(system: System, t: Any, z: Any, V: Any, iterations: Any) -> tuple[jax.Array, jax.Array]:
    """The Cayley transform projected on the vectors, shape (B, k, k), and the vectors, shape (B, m, k)."""
    layout = system.layout
    factors = system.factor(system.linearise(t, z), 1.0)
    mask = layout.rows(system.free_mask(), jnp)[:, :, None]

    def transform(V: Any) -> Any:
        """(I - J)^{-1} (I + J) V, for each sample."""

        def solved(column: Any) -> Any:
            flat = layout.flat(column, jnp)
            return layout.rows(solve_exactly(system, t, z, factors, flat, 1.0), jnp)

        return 2.0 * jax.vmap(solved, in_axes=2, out_axes=2)(V) - V

    V = jnp.linalg.qr(mask * V)[0]
    V = jax.lax.fori_loop(0, iterations, lambda _, V: jnp.linalg.qr(transform(V))[0], V)
    return jnp.einsum("bmi,bmj->bij", V, transform(V)), V

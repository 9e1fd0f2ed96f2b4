"""Whether nodes are at rest at a point, and whether they stay."""

from __future__ import annotations

import numpy as np

from ...base._jax import jax, jnp
from ...model.network import Array
from ...system.abscissa import LARGEST_DENSE, nodes_a_sample, spectral_abscissa
from ...system.coupled import System

_residual = jax.jit(System.residual)


def rest_and_abscissa(system: System, z: Array) -> tuple[float, float | None]:
    """How far from rest the nodes `z`, shape (N,), are, and their spectral abscissa.

    Parameters
    ----------
    system : System
        Of the nodes alone, the weights held.
    z : ndarray, shape (N,)

    Returns
    -------
    float
        max |tau dz/dt| / (1 + |z|).
    float or None
        Largest real part of their eigenvalues, in one over the unit of time; None where there are too
        many for that.
    """
    residual = float(_residual(system, 0.0, z))
    layout = system.layout
    if layout.batch * nodes_a_sample(layout) ** 3 > LARGEST_DENSE:
        return residual, None
    samples = np.arange(layout.batch, dtype=np.int64)
    ticking = system.with_constants(tau=jnp.ones(()))
    return residual, spectral_abscissa(ticking, 0.0, z, samples).rate / float(system.constants.tau)

"""Whether nodes are at rest at a point, and whether they stay."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...base._jax import jax, jnp
from ...model.network import Array
from ...system.abscissa import LARGEST_DENSE, dense_growth, nodes_a_sample
from ...system.coupled import Parameters, Structure, unrest


@partial(jax.jit, static_argnames="structure")
def _unrest(z: Any, p: Parameters, structure: Structure) -> Any:
    return unrest(0.0, z, p, structure)


def growth_of_nodes(z: Array, p: Parameters, structure: Structure) -> tuple[float, float | None]:
    """How far from rest the nodes `z`, shape (N,), are, and their fastest growth.

    Parameters
    ----------
    z : ndarray, shape (N,)
    p, structure : Parameters, Structure
        Of the nodes alone, the weights held.

    Returns
    -------
    float
        max |tau dz/dt| / (1 + |z|).
    float or None
        Largest real part of their eigenvalues, in one over the unit of time; None where there are too
        many for that.
    """
    residual = float(_unrest(z, p, structure))
    layout = structure.layout
    if layout.batch * nodes_a_sample(layout) ** 3 > LARGEST_DENSE:
        return residual, None
    tau = float(p.tau)
    samples = np.arange(layout.batch, dtype=np.int64)
    ticking = p._replace(tau=jnp.ones(()))
    return residual, dense_growth(0.0, z, ticking, structure, samples).rate / tau

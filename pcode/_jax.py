"""JAX as pcode uses it: float64 everywhere. The one place where JAX's global state is set."""

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)

__all__ = ["jax", "jnp"]

"""What JAX is set to, and what becomes of a compiler option that a version of XLA does not know."""

import importlib

import jaxlib.version
import numpy as np
import pytest

from pcode.base import _jax
from pcode.base._jax import accepted, jax, jnp


@pytest.fixture
def reloaded(monkeypatch):
    """The module anew, as if it were imported with another version of jaxlib."""

    def load(version, refused):
        monkeypatch.setattr(jaxlib.version, "__version__", version)
        plain = jax.jit

        def jit(function, **options):
            if refused and options.get("compiler_options"):
                options["compiler_options"] = {"xla_no_such_option": "1"}
            return plain(function, **options)

        monkeypatch.setattr(jax, "jit", jit)
        return importlib.reload(_jax)

    yield load
    monkeypatch.undo()
    importlib.reload(_jax)


def test_numbers_are_of_64_bits():
    assert jnp.zeros(1).dtype == jnp.ones(1).dtype == np.float64


def test_this_version_of_xla_knows_the_scheduler_that_runs_kernels_in_order():
    assert _jax.IN_ORDER
    assert accepted(_jax.IN_ORDER)
    double = jax.jit(lambda x: 2.0 * x, compiler_options=_jax.IN_ORDER)
    assert float(double(1.5)) == 3.0


@pytest.mark.parametrize(
    "options", [{"xla_no_such_option": "1"}, {"xla_cpu_scheduler_type": "no such scheduler"}]
)
def test_an_option_that_xla_does_not_know_is_found_out(options):
    assert not accepted(options)


@pytest.mark.parametrize(("refused", "kept"), [(True, False), (False, True)])
def test_in_another_version_the_scheduler_is_asked_for_only_where_it_is_known(reloaded, refused, kept):
    made = reloaded("99.0.0", refused)
    assert bool(made.IN_ORDER) is kept
    assert float(jax.jit(lambda x: 2.0 * x, compiler_options=made.IN_ORDER)(1.5)) == 3.0

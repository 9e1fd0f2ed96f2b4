"""Networks, data and random numbers that several tests share."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

# Most of the time that tests take is XLA's compilation, which takes half with these: fewer of LLVM's passes,
# and no way over MLIR. What is computed is the same but for rounding. Read once, when JAX starts, and passed
# on to processes that tests start. With an empty XLA_FLAGS tests have what users have.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1")

import jax
import numpy as np
import pytest

import pcode
from pcode.solvers import linear

# cvode as it is for large networks.
STRUCTURED = "cvode by structure"

XOR_X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
XOR_Y = np.array([[-1.0], [1.0], [1.0], [-1.0]])


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, short ones last, so that no process is left alone with a long one."""
    tests = Counter(item.path for item in items)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (-slow[item.path], -tests[item.path], item.path))


# Memory areas of one process, of which Linux allows 65,530. Compiled code takes several a function.
MOST_AREAS = 25_000


@pytest.fixture(autouse=True, scope="module")
def let_go_of_compiled_code():
    """Forget what the tests of a file had compiled, before the process has more than the system allows."""
    yield
    areas = Path("/proc/self/maps")
    if areas.exists() and len(areas.read_text().splitlines()) > MOST_AREAS:
        jax.clear_caches()


@pytest.fixture(autouse=True, scope="session")
def what_is_kept_elsewhere(tmp_path_factory):
    """Results that cannot be written where they were to go are kept in a folder of the tests."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("elsewhere"))
    yield
    tempfile.tempdir = before


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture
def method(request, monkeypatch):
    """A solver's name, asked for with ``indirect=True``."""
    if request.param == STRUCTURED:
        monkeypatch.setattr(linear, "SMALL", 0)
        return "cvode"
    return request.param


@pytest.fixture
def xor():
    """A small network with its data, weights and a training phase; every equation takes part."""
    network = pcode.Network(sizes=(2, 8, 1), tau=1.0, delta=100.0, nu=0.5)
    train = pcode.Phase("train", {0: XOR_X, 2: XOR_Y}, duration=300.0)
    return network, [train], network.init_weights(rng=1)


@pytest.fixture
def timescales():
    """1-1-1: the smallest network with something fast and something slow."""
    network = pcode.Network(sizes=(1, 1, 1), tau=1.0, delta=1000.0)
    train = pcode.Phase("train", {0: [[1.0]], 2: [[0.8]]}, duration=3000.0)
    weights = pcode.Weights(M=([[0.5]], [[0.3]]), W=([[0.5]], [[0.3]]), beta=([0.0], [0.0]))
    return network, [train], weights


@pytest.fixture
def textbook():
    """Bogacz 2017, section 2: prior mean 3, observation 2, unit variances, g(v) = v^2."""
    network = pcode.Network(sizes=(1, 1, 1), activation="square", feedback="tied")
    phase = pcode.Phase("perceive", {0: [[1.0]], 2: [[2.0]]}, duration=40.0, learn=False)
    weights = pcode.Weights(M=([[3.0]], [[1.0]]), W=None, beta=([0.0], [0.0]))
    return network, [phase], weights

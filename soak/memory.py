"""Many runs of networks of many sizes in one process: what is compiled for them must not pile up."""

from __future__ import annotations

import numpy as np

import pcode
from pcode.base.programs import resident

from .tally import Tally

# How many sizes there are, and bytes by which the process may grow.
SIZES, GROWTH = 20, 150e6

X, Y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])


def sizes(count: int, seed: int) -> Tally:
    """So many small runs, of networks of 20 sizes in turn, after three of each kind to warm up."""
    tally = Tally()
    for k in range(3):
        _run(3 + 40 * k, seed + k)
    before = resident()
    for k in range(count):
        size = 4 + k * SIZES // count
        tally.case(f"{seed}-{k}", lambda size=size, k=k: _run(size, seed + k), seconds=60.0)
    grown = resident() - before
    tally.outcomes[f"MB more ({grown / 1e6:.0f})"] += 1
    if grown > GROWTH:
        tally.fail(f"{count} runs of {SIZES} sizes: the process has {grown / 1e6:.0f} MB more")
    return tally


def _run(size: int, seed: int) -> str:
    network = pcode.Network((2, size, 1), delta=200.0 + seed % 7, nu=0.1)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=20.0),
        pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=50.0),
    ]
    weights = network.init_weights(seed)
    return str(pcode.simulate(network, phases, weights=weights, save=pcode.Save(nodes=20, weights=10)).status)

"""Runs that show samples one after another, small ones for tests of their figures and analyses."""

from __future__ import annotations

from typing import Any

import numpy as np

import pcode

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
Y = np.array([[-1.0], [1.0], [1.0], [-1.0]])
HOLD, PASSES = 6.0, 3
NET = pcode.Network((2, 3, 1), "tanh", tau=1.0, delta=20.0, nu=0.8)
KEPT = [0, 5, 6, 11]


def run_of(kept: str, size: int = 1, ramp: float = 0.0, **given: Any) -> pcode.Run:
    """XOR in mini-batches of `size`, then a test; of the presentations `KEPT` what `kept` says."""
    shown = pcode.Presentation(size=size, hold=HOLD, passes=PASSES, order="shuffled", seed=1, ramp=ramp)
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, presentation=shown),
        pcode.Phase("test", {0: X}, learn=False, duration=4.0),
    ]
    last = shown.count(len(X)) - 1
    numbers = [k for k in KEPT if k <= last]
    save = pcode.Save(nodes=25, weights=40, presentations=numbers, presentation_nodes=kept)  # type: ignore[arg-type]
    weights = NET.init_weights(rng=2)
    made = {"weights": weights, "save": save, "rtol": 1e-8, "atol": 1e-10, "method": "Tsit5"} | given
    return pcode.simulate(NET, phases, **made)

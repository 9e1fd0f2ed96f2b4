"""What the files in tests/data were made of, so that the same can be run anew.

They were written by the last version whose results saved a joint of two phases at one and the same time, had
a column for every sample of the data, and the solver's steps among the other variables:

    PYTHONPATH=<a checkout of 3e4925a>:tests python -m older_runs
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import pcode

DATA = Path(__file__).parent / "data"

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
Y = np.array([[-1.0], [1.0], [1.0], [-1.0]])


def other_samples() -> pcode.Run:
    """Tied feedback; the second phase shows other samples than the first, and clamps one input of two."""
    network = pcode.Network(sizes=(2, 3, 1), delta=50.0, nu=0.5, feedback="tied")
    given = np.array([[0.5, np.nan], [-0.5, np.nan]])
    phases = [
        pcode.Phase("train", {0: X[:3], 2: Y[:3]}, duration=30.0),
        pcode.Phase("complete", {0: given, 2: Y[:2]}, duration=20.0, learn=False, samples=[3, 4]),
    ]
    return simulated(network, phases)


def same_samples() -> pcode.Run:
    """Learned feedback; all phases show the same samples, and the last ends at once, as it is at rest."""
    network = pcode.Network(sizes=(2, 3, 1), delta=50.0, nu=0.5)
    settle = {"duration": 500.0, "learn": False, "until": "equilibrium"}
    phases = [
        pcode.Phase("train", {0: X, 2: Y}, duration=30.0),
        pcode.Phase("test", {0: X}, settle_tol=1e-6, **settle),
        pcode.Phase("again", {0: X}, settle_tol=2e-6, **settle),
    ]
    return simulated(network, phases)


def simulated(network: pcode.Network, phases: list[pcode.Phase]) -> pcode.Run:
    return pcode.simulate(
        network,
        phases,
        weights=network.init_weights(3),
        method="DOP853",
        rtol=1e-7,
        atol=1e-10,
        save=pcode.Save(nodes=8, weights=4),
        probes={"output": lambda state, phase: float(state.x[-1].mean())},
        attributes={"title": "an older run", "seed": 3},
    )


RUNS = {"other_samples": other_samples, "same_samples": same_samples}

if __name__ == "__main__":
    for name, made in RUNS.items():
        made().save(DATA / f"{name}.nc")

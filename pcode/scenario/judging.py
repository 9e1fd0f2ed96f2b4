"""How good a network's outputs are, where there are targets to judge by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..model.data import Data
from ..model.network import Array, Network
from ..model.phase import Phase
from ..model.state import State
from ..run.predict import predict


def probes(network: Network, data: Data | None) -> dict[str, Callable[[State, Phase], float | None]]:
    """What to note at the end of a phase that is shown inputs for which there are targets.

    The network's output is x^n where it is free, and the feedforward pass of the weights reached
    where it is clamped, or where samples are shown one after another.

    Parameters
    ----------
    network : Network
    data : Data or None

    Returns
    -------
    dict
        ``accuracy``, the share of samples whose largest output is that of their class, where the
        targets name classes; else ``error``, the largest |output - target|. Both give None for a
        phase that cannot be judged.
    """
    if data is None or data.targets is None or data.targets.shape[1] != network.sizes[-1]:
        return {}
    targets = data.targets

    def judged(state: State, phase: Phase) -> tuple[Array, Array] | None:
        rows = list(phase.samples or ())
        clamp = phase.clamp.get(0)
        if not rows or not isinstance(clamp, np.ndarray) or not np.array_equal(clamp, data.inputs[rows]):
            return None
        if not np.isfinite(targets[rows]).all():
            return None
        if network.n not in phase.clamp and len(state.x[-1]) == len(rows):
            return state.x[-1], targets[rows]
        return predict(network, state.weights, clamp, method="feedforward"), targets[rows]

    def accuracy(state: State, phase: Phase) -> float | None:
        pair = judged(state, phase)
        return None if pair is None else float((pair[0].argmax(axis=1) == pair[1].argmax(axis=1)).mean())

    def error(state: State, phase: Phase) -> float | None:
        pair = judged(state, phase)
        return None if pair is None else float(np.abs(pair[0] - pair[1]).max())

    return {"accuracy": accuracy} if data.classes else {"error": error}

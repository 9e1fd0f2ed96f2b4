"""Over which weight the critical manifold of a run tells most, and of which node."""

from __future__ import annotations

import numpy as np

from ...base.errors import InputError
from ...model.variables import EPS, X
from ...run.result import Run
from ...run.snapshot import PhaseOption, Snapshot, last_phase
from ..planes.coordinates import Coordinate


def phase_meant(run: Run, phase: PhaseOption) -> int | str:
    """The phase given; the last that learns where left out, or else the first."""
    if phase is not None:
        return phase
    learning = last_phase(run, learn=True)
    return 0 if learning is None else learning


def telling_pair(
    run: Run, weight: str | None = None, node: str | None = None, phase: PhaseOption = None
) -> tuple[str, str, PhaseOption]:
    """A weight, a node that depends on it, and the phase; what is given is kept.

    The weight is the prediction weight that moves most over the phase; the node the value that it
    predicts, or predicts from, if that is free, else the error between.

    Raises
    ------
    InputError
        If no node that depends on a prediction weight is free.
    """
    phase = phase_meant(run, phase)
    snapshot = Snapshot.of(run, phase)
    if weight is not None:
        coordinate = Coordinate.parse("weight", weight)
        if node is None:
            node = _free_node(snapshot, coordinate) or "eps1[0]"
        return weight, node, phase
    rows = np.flatnonzero(run.data["weight_phase"].to_numpy() == snapshot.index)
    best: tuple[float, str, str] | None = None
    for link in range(run.network.n):
        M = run.data[f"M{link}"].isel(weight_time=rows[[0, -1]]).to_numpy()
        moved = np.nan_to_num(np.abs(M[1] - M[0]))
        i, j = np.unravel_index(int(moved.argmax()), moved.shape)
        name = f"M{link}[{i},{j}]"
        node_there = _free_node(snapshot, Coordinate.parse("weight", name))
        if node_there is not None and (best is None or moved.max() > best[0]):
            best = (float(moved.max()), name, node_there)
    if best is None:
        raise InputError(
            "weight", "no free value node depends on a prediction weight here; name a weight and a node"
        )
    return best[1], node or best[2], phase


def _free_node(snapshot: Snapshot, weight: Coordinate) -> str | None:
    """A node of the moment's first sample that depends on the weight, and is free."""
    if weight.variable is None or weight.variable.of_nodes:
        return None
    link, (first, last) = weight.number, (weight.index[0], weight.index[-1])
    nodes = {
        "M": ((X, link + 1, last), (X, link, first), (EPS, link + 1, last)),
        "W": ((X, link, last),),
        "beta": ((X, link, first), (EPS, link, first)),
    }[weight.kind]
    for variable, layer, unit in nodes:
        there = layer in variable.layers(snapshot.network.n) and unit < snapshot.network.sizes[layer]
        if there and (not variable.clampable or snapshot.free(layer)[0, unit]):
            return f"{variable}{layer}[{unit}]"
    return None

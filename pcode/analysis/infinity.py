"""Nodes whose rest is at infinity: values that grow without bound while their rates fall.

A free layer that nothing pulls back moves by its activation's slope, tau dx^0/dt = sigma'(x^0) * (eps^1 W^0).
Where it saturates, as tanh and the logistic function do, and no finite value gives what is clamped above,
x^0 grows for ever, as the logarithm of time, and its rates fall below any bound: to look at the
rates alone would take where that happens for a rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.short import Short
from ..model.activation import Activation
from ..model.network import Array
from ..run.snapshot import Snapshot
from ..solvers import METHODS
from ..solvers.base import Settings
from ..system.problem import make_problem
from ..system.rest import Rest

Flags = NDArray[np.bool_]

# A slope below this is taken for saturation, and its growth is looked for.
FLAT = 1e-3

# Where an activation's slopes are compared to say whether it saturates on a side.
NEAR, FAR = 2.0, 6.0

# Times, in units of tau, between which |x| grows by more than so much if it grows as a logarithm: from
# one to the next by log(100)/4 at least, as sigma' and the error fall no faster than exp(-2 |x|) each.
TIMES, GROWN = (1e4, 1e6, 1e8), 0.5

SETTINGS = Settings(1e-6, 1e-9, 5000)


@dataclass(frozen=True, eq=False)
class Unbounded(Short):
    """Nodes that go to infinity.

    Attributes
    ----------
    layers : tuple of int
    samples : ndarray of bool, shape (B,)
        Those of the samples in which some do.
    """

    layers: tuple[int, ...]
    samples: Flags

    def __bool__(self) -> bool:
        return bool(self.layers)

    def __str__(self) -> str:
        where = f"layer{'s' * (len(self.layers) > 1)} {', '.join(map(str, self.layers))}"
        some, of = int(self.samples.sum()), self.samples.size
        many = "" if some == of else f" for {some} of {of} samples"
        return (
            f"the values of {where} grow without bound while sigma' vanishes{many}: their rest is at infinity"
        )


def unbounded(snapshot: Snapshot, rest: Rest) -> Unbounded:
    """The free nodes that grow without bound with the weights held; `rest` is what was found for their rest.

    They are followed for a long time where that is none, or lies where an activation has saturated.
    """
    none = Unbounded((), np.zeros(snapshot.batch, bool))
    network = snapshot.network
    free = [snapshot.free(layer) for layer in range(snapshot.n + 1)]
    # What has an error of its own is pulled back to its prediction: it all begins in layer 0.
    if not free[0].any() or network.node_decay > 0.0 or network.limit:
        return none
    sides = [_saturated_sides(sigma) for sigma in network.sigma]
    saturating = [layer for layer, side in enumerate(sides) if any(side) and free[layer].any()]
    suspect = [layer for layer in saturating if not rest.found or _flat(snapshot, rest, layer, free[layer])]
    values = _followed(snapshot) if suspect else None
    if values is None:
        return none
    grows = [
        (np.diff(np.abs(x), axis=0) > GROWN).all(axis=0) & free_nodes
        for x, free_nodes in zip(values, free, strict=True)
    ]
    samples = none.samples
    for layer in suspect:
        positive, negative = sides[layer]
        saturates = grows[layer] & np.where(values[layer][-1] > 0.0, positive, negative)
        samples = samples | saturates.any(axis=1)
    if not samples.any():
        return none
    return Unbounded(tuple(k for k, found in enumerate(grows) if found[samples].any()), samples)


def _saturated_sides(sigma: Activation) -> tuple[bool, bool]:
    """Whether the slope falls towards 0 for large positive and for large negative values."""

    def falls(side: float) -> bool:
        near, far = (abs(float(sigma.df(np.array(side * at)))) for at in (NEAR, FAR))
        return near > 2.0 * far > 0.0

    return falls(1.0), falls(-1.0)


def _flat(snapshot: Snapshot, rest: Rest, layer: int, free: Flags) -> bool:
    slope = np.asarray(snapshot.network.sigma[layer].df(np.asarray(rest.state.x[layer])))
    return bool((np.abs(slope[free]) < FLAT).any())


def _followed(snapshot: Snapshot) -> list[Array] | None:
    """Values of the layers at `TIMES`, shapes (3, B, n_l); None where the nodes cannot be followed so far."""
    times = np.array(TIMES) * snapshot.network.longest_tau
    phase = replace(snapshot.phase, learn=False, until=None, duration=float(times[-1]))
    problem = make_problem(snapshot.network, phase, snapshot.state, reduce=False)
    kept: list[Any] = []
    solution = METHODS["cvode"].solve(
        problem, times, SETTINGS, lambda k, t, y: kept.append(problem.state(t, y).x), lambda *_: False
    )
    if solution.status.failed or len(kept) < len(TIMES):
        return None
    return [np.stack([np.array(layer) for layer in layers]) for layers in zip(*kept, strict=True)]

r"""The Jacobian of the whole system as a sparse matrix.

Its entries are those of the model's equations, each with respect to each variable it names. With
S^l = sigma'(x^l), and f = 1 where a node is free and 0 where it is clamped:

    d(tau dx^l)      f (sigma''(x^l) (eps^{l+1} W^l) - lambda_x) dx^l + f S^l (deps^{l+1} W^l)
                     + f S^l (eps^{l+1} dW^l) - f deps^l
    d(tau deps^l)    f dx^l - nu^l deps^l - (f S^{l-1} dx^{l-1}) M^{l-1} - sigma(x^{l-1}) dM^{l-1} - dbeta^l
    d(delta dM^l)    mean_b[(f S^l dx^l)^T eps^{l+1} + sigma(x^l)^T deps^{l+1}] - lambda dM^l

likewise W; and mean_b[deps^l] - lambda dbeta^l for the biases. A sample's nodes couple to those of
the layers beside, and to all weights between; a weight to the two nodes it joins, in every sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

from .coupled import Parameters, Point, Structure

# Rows, columns and values of a block, of shapes that broadcast against one another.
Block = tuple[Any, Any, Any]


def jacobian(point: Point, p: Parameters, structure: Structure) -> csc_matrix:
    """J, shape (N, N), from a point and parameters in NumPy. Entries that happen to be 0 are kept."""
    blocks = [np.broadcast_arrays(*block) for block in _blocks(point, p, structure)]
    row, column, value = (
        np.concatenate([part.ravel() for part in parts]) for parts in zip(*blocks, strict=True)
    )
    size = structure.layout.size
    return csc_matrix((value, (row, column)), shape=(size, size))


def _blocks(point: Point, p: Parameters, structure: Structure) -> Iterator[Block]:
    """All of J, in blocks that do not overlap."""
    layout = structure.layout
    at = layout.views(np.arange(layout.size))
    for layer in range(layout.n + 1):
        yield from _own(at, point, layer, p)
    for layer in range(layout.n):
        yield from _node_node(at, point, layer, p)
        if layout.learn:
            yield from _node_weight(at, point, layer, p, layout.feedback)
            yield from _weight_node(at, point, layer, p, layout.batch)
    for name, place in at.items():
        if name[0] in "MWb":
            yield place, place, -p.weight_decay / p.delta


def _own(at: dict[str, Any], point: Point, layer: int, p: Parameters) -> Iterator[Block]:
    """What a layer's values and errors do to themselves and to each other."""
    x, eps, f = at.get(f"x{layer}"), at.get(f"eps{layer}"), point.free[layer]
    curvature = point.curvature[layer] if layer < len(point.curvature) else 0.0
    if x is not None:
        yield x, x, (curvature - p.node_decay * f) / p.tau
    if eps is not None:
        yield eps, eps, -p.nu[layer - 1] / p.tau
    if x is not None and eps is not None:
        yield x, eps, -f / p.tau
        yield eps, x, f / p.tau


def _node_node(at: dict[str, Any], point: Point, layer: int, p: Parameters) -> Iterator[Block]:
    """The values of `layer` and the errors of the next, one on the other; indices (b, i, j)."""
    if f"x{layer}" not in at:
        return
    x, eps = at[f"x{layer}"][:, :, None], at[f"eps{layer + 1}"][:, None, :]
    S, weights = point.slope[layer][:, :, None], point.state.weights
    yield x, eps, S * weights.feedback[layer].T / p.tau
    yield eps, x, -S * weights.M[layer] / p.tau


def _node_weight(
    at: dict[str, Any], point: Point, layer: int, p: Parameters, feedback: str
) -> Iterator[Block]:
    """What the weights between `layer` and the next do to the nodes of both; indices (b, i, j)."""
    eps, M = at[f"eps{layer + 1}"], at[f"M{layer}"]
    yield eps[:, None, :], M, -point.sigma[layer][:, :, None] / p.tau
    yield eps, at[f"beta{layer + 1}"], -1.0 / p.tau
    if f"x{layer}" in at and feedback != "fixed":
        W = M if feedback == "tied" else at[f"W{layer}"].T
        heard = point.slope[layer][:, :, None] * point.state.eps[layer][:, None, :]
        yield at[f"x{layer}"][:, :, None], W, heard / p.tau


def _weight_node(at: dict[str, Any], point: Point, layer: int, p: Parameters, batch: int) -> Iterator[Block]:
    """What the nodes of `layer` and the next do to the weights between; indices (b, i, j)."""
    eps, gain = at[f"eps{layer + 1}"], 1.0 / (batch * p.delta)
    yield at[f"beta{layer + 1}"], eps, gain
    learning = [at[f"M{layer}"]]
    if f"W{layer}" in at:
        learning.append(at[f"W{layer}"].T)
    for place in learning:
        yield place, eps[:, None, :], gain * point.sigma[layer][:, :, None]
        if f"x{layer}" in at:
            sent = point.slope[layer][:, :, None] * point.state.eps[layer][:, None, :]
            yield place, at[f"x{layer}"][:, :, None], gain * sent

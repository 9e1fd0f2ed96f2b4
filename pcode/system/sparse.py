r"""The Jacobian of the whole system as a sparse matrix.

Its entries are the derivatives of the model's equations. With those of the nodes' rates v = dx/dt and
e = deps/dt as in `Point`, and S^l = sigma'(x^l) where a node is free, else 0:

    d(dx^l/dt)       v_x dx^l + v_eps deps^l + v_h (deps^{l+1} W^l + eps^{l+1} dW^l)
    d(deps^l/dt)     e_x dx^l + e_eps deps^l + e_mu dmu^l,
                     dmu^l = (S^{l-1} dx^{l-1}) M^{l-1} + sigma(x^{l-1}) dM^{l-1} + dbeta^l
    d(delta dM^l)    mean_b[(S^l dx^l)^T eps^{l+1} + sigma(x^l)^T deps^{l+1}] - lambda dM^l

likewise for W; and mean_b[deps^l] - lambda dbeta^l for the biases. The nodes of a sample couple to those of
the neighbouring layers and to all weights between; a weight couples to the two nodes it joins, in every
sample. With fixed predictions dx does not enter dmu^l; all weights below do, so that J is sparse for held
weights only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix, diags_array

from ..model.dynamics import Constants
from ..model.state import Layout
from .coupled import System
from .derivatives import Point

# Rows, columns and values of a block, of shapes that broadcast against one another.
Block = tuple[Any, Any, Any]


def jacobian(system: System, point: Point) -> csc_matrix:
    """J, shape (N, N), of a system at a point, both of NumPy arrays. Entries that happen to be 0 are kept.

    Slaved errors are eliminated: with the blocks J_ee, which is diagonal, and so on of the system that has
    them as unknowns, J is J_yy - J_ye J_ee^{-1} J_ey.
    """
    layout = system.layout.changed(slaved=())
    blocks = [np.broadcast_arrays(*block) for block in _blocks(layout, system.constants, point)]
    row, column, value = (
        np.concatenate([part.ravel() for part in parts]) for parts in zip(*blocks, strict=True)
    )
    whole = csc_matrix((value, (row, column)), shape=(layout.size, layout.size))
    if not system.layout.slaved:
        return whole
    slaved = np.zeros(layout.size, bool)
    for layer in system.layout.slaved:
        slaved[layout.slices[f"eps{layer}"]] = True
    e, y = np.flatnonzero(slaved), np.flatnonzero(~slaved)
    rows, columns = whole[y], whole[:, y]
    over = diags_array(1.0 / whole.diagonal()[e])
    return csc_matrix(rows[:, y] - rows[:, e] @ (over @ columns[e]))


def _blocks(layout: Layout, c: Constants, point: Point) -> Iterator[Block]:
    """The non-overlapping blocks of J."""
    at = layout.views(np.arange(layout.size))
    for layer in range(layout.n + 1):
        yield from _own(at, point, layer)
    for layer in range(layout.n):
        yield from _node_node(at, point, layer)
        if layout.learn:
            yield from _node_weight(at, point, layer, layout.feedback_moves(layer))
            mask = c.mask[layer] if c.mask else None
            yield from _weight_node(at, point, layer, 1.0 / (layout.batch * c.delta[layer]), mask)
    for name in layout.weight_names:
        variable, layer = layout.arrays[name]
        yield at[name], at[name], -c.weight_decay / c.delta[variable.link(layer)]


def _own(at: dict[str, Any], point: Point, layer: int) -> Iterator[Block]:
    """Derivatives of the rates of a layer's values and errors with respect to themselves and each other."""
    x, eps, v = at.get(f"x{layer}"), at.get(f"eps{layer}"), point.value[layer]
    if x is not None:
        yield x, x, v.x
    if eps is None:
        return
    e = point.error[layer - 1]
    yield eps, eps, e.eps
    if x is not None:
        yield x, eps, v.eps
        yield eps, x, e.x


def _node_node(at: dict[str, Any], point: Point, layer: int) -> Iterator[Block]:
    """Coupling of the values of `layer` and the errors of the next; indices (b, i, j)."""
    if f"x{layer}" not in at:
        return
    x, eps = at[f"x{layer}"][:, :, None], at[f"eps{layer + 1}"][:, None, :]
    S, weights = point.slope[layer][:, :, None], point.state.weights
    yield x, eps, point.value[layer].input[:, :, None] * weights.feedback[layer].T
    if point.forward is not None:
        return
    yield eps, x, point.error[layer].input[:, None, :] * S * weights.M[layer]


def _node_weight(at: dict[str, Any], point: Point, layer: int, feedback: str | None) -> Iterator[Block]:
    """Derivatives of the nodes of `layer` and the next with respect to the weights between; (b, i, j).

    `feedback` names the unknown array that determines W, if any.
    """
    eps, e_mu = at[f"eps{layer + 1}"], point.error[layer].input
    M, beta = f"M{layer}", f"beta{layer + 1}"
    if M in at:
        yield eps[:, None, :], at[M], e_mu[:, None, :] * point.sigma[layer][:, :, None]
    if beta in at:
        yield eps, at[beta], e_mu
    if f"x{layer}" in at and feedback is not None:
        W = at[feedback] if feedback == M else at[feedback].T
        back = point.value[layer].input[:, :, None] * point.state.eps[layer][:, None, :]
        yield at[f"x{layer}"][:, :, None], W, back


def _weight_node(at: dict[str, Any], point: Point, layer: int, own: float, mask: Any) -> Iterator[Block]:
    """Derivatives of the weights between `layer` and the next with respect to their nodes; (b, i, j)."""
    eps, M, W, beta = at[f"eps{layer + 1}"], f"M{layer}", f"W{layer}", f"beta{layer + 1}"
    if beta in at:
        yield at[beta], eps, own
    gain = own if mask is None else own * mask
    for place in [at[name] if name == M else at[name].T for name in (M, W) if name in at]:
        yield place, eps[:, None, :], gain * point.sigma[layer][:, :, None]
        if f"x{layer}" in at:
            sent = point.slope[layer][:, :, None] * point.state.eps[layer][:, None, :]
            yield place, at[f"x{layer}"][:, :, None], gain * sent

"""The slopes sigma' by which the errors above act on value nodes, along a run."""

from __future__ import annotations

import numpy as np

from ..model.network import Array
from ..run.result import Run
from ..run.snapshot import Snapshot


def slopes_along(run: Run, layer: int) -> Array:
    """Sigma' of the nodes of a layer at the run's saved times, shape (time, sample, n_l).

    Columns are those of the result: the samples that each row's phase shows.
    A node that is held at a kink has the mix of both one-sided values at which it stays there: it solves
    sigma' (eps^{l+1} W^l) = eps^l + lambda_x x^l (see `pcode.system.kinks`). With fixed predictions sigma' is
    that of the forward pass. NaN where a sample is not shown.

    Parameters
    ----------
    run : Run
    layer : int
        l, 0..n-1.
    """
    sigma = run.network.sigma[layer]
    found = np.full(run.data[f"x{layer}"].shape, np.nan)
    for row in range(run.data.sizes["time"]):
        moment = Snapshot.at(run, row)
        x = moment.state.x[layer]
        slope = np.array(sigma.df(moment.predicting[layer]))
        for kink in () if moment.fixed else sigma.kinks:
            h = moment.state.eps[layer] @ moment.state.weights.feedback[layer]
            below = moment.state.eps[layer - 1] if layer else np.zeros_like(h)
            with np.errstate(divide="ignore", invalid="ignore"):
                mix = (below + run.network.node_decay * kink) / h
            low, high = sorted(map(float, sigma.slopes(kink)))
            held = (x == kink) & (mix >= low) & (mix <= high)
            slope = np.where(held & moment.free(layer), mix, slope)
        found[row, : len(slope)] = slope
    return found

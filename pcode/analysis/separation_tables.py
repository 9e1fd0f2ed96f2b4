"""The answer to `separation` as tables."""

from __future__ import annotations

from typing import Any

from ..base.tables import Column, Table
from ..model.network import Array
from .separated import Pair


def separation_tables(
    pair: Pair, ratios: Array, largest: Array, fitted: Any, slow_time: Array, distance: Array
) -> dict[str, Table]:
    """The tables by name: one row for each ratio, and one for each of its moments.

    Parameters
    ----------
    pair : Pair
    ratios, largest, fitted : ndarray, shape (K,)
        delta/tau or tau/tau_eps, the largest distance there, and whether it was used for the order.
    slow_time : ndarray, shape (T,)
    distance : ndarray, shape (K, T)
    """
    about = f"ratio of the time constants; distances in parts of how far {pair.compared} move"
    slow, fast = pair.symbols
    ratio, time = f"${slow}/{fast}$", f"$t/{slow}$"
    each, times = ratios.tolist(), slow_time.tolist()
    columns = (
        Column(pair.column, each, ratio),
        Column("largest_distance", largest.tolist(), "largest distance"),
        Column("fitted", fitted.tolist(), "in the fit"),
    )
    curves = (
        Column(pair.column, [one for one in each for _ in times], ratio),
        Column("slow_time", times * len(each), time),
        Column("distance", distance.ravel().tolist(), "distance"),
    )
    return {"ratios": Table(about, columns), "distances": Table(f"moment of each {about}", curves)}

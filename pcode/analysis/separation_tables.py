"""The answer to `separation` as tables."""

from __future__ import annotations

from typing import Any

from ..base.tables import Column, Table
from ..model.network import Array


def separation_tables(
    ratios: Array, largest: Array, fitted: Any, slow_time: Array, distance: Array
) -> dict[str, Table]:
    """The tables by name: one row for each delta/tau, and one for each of its moments.

    Parameters
    ----------
    ratios, largest, fitted : ndarray, shape (K,)
        delta/tau, the largest distance there, and whether it was used for the order.
    slow_time : ndarray, shape (T,)
    distance : ndarray, shape (K, T)
    """
    about = "ratio of the time constants; distances in parts of how far the weights move"
    each, times = ratios.tolist(), slow_time.tolist()
    columns = (
        Column("delta_over_tau", each, r"$\delta/\tau$"),
        Column("largest_distance", largest.tolist(), "largest distance"),
        Column("fitted", fitted.tolist(), "in the fit"),
    )
    curves = (
        Column("delta_over_tau", [one for one in each for _ in times], r"$\delta/\tau$"),
        Column("slow_time", times * len(each), r"$t/\delta$"),
        Column("distance", distance.ravel().tolist(), "distance"),
    )
    return {"ratios": Table(about, columns), "distances": Table(f"moment of each {about}", curves)}

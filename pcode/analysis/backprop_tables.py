"""The answer to `backprop` as tables: angles in degrees, and lengths in parts of backpropagation's."""

from __future__ import annotations

import numpy as np

from ..base.tables import Column, Table
from ..model.network import Array
from .backprop_words import ROUNDING
from .gradients import Comparison

_HEADS = {
    "error_angle": r"$\angle\varepsilon$",
    "error_size": r"$|\varepsilon|$",
    "flow_angle": r"$\angle\dot M$",
    "flow_size": r"$|\dot M|$",
    "feedback_angle": r"$\angle W$",
    "feedback_size": r"$|W|$",
}


def layer_table(rest: Comparison, now: Comparison) -> Table:
    """One row for each layer, with the nodes at rest and as they are."""
    n = len(rest.error_angle)
    both = Comparison(*(np.concatenate(parts) for parts in zip(rest, now, strict=True)))
    return Table(
        "layer l, with its errors and the weights that predict it; angles to what backpropagation has, and "
        "lengths in parts of that",
        (
            Column("layer", list(range(1, n + 1)) * 2, "layer"),
            Column("nodes", ["at rest"] * n + ["as they are"] * n, "nodes"),
            *_columns(both),
        ),
    )


def variance_table(variances: Array, by_variance: Comparison) -> Table:
    """One row for each output variance and layer, nodes at rest."""
    return _layered(
        "output variance and layer, nodes at rest", ("nu", r"$\nu^n$", ""), variances, by_variance
    )


def ratio_table(ratios: Array, angles: Array, lags: Array) -> Table:
    """One row for each tau/delta and layer."""
    count, n = angles.shape
    return Table(
        "tau/delta and layer, after one delta: angle of the flow to the gradient, and its lag",
        (
            Column("tau_over_delta", np.repeat(ratios, n).tolist(), r"$\tau/\delta$"),
            Column("layer", list(range(1, n + 1)) * count, "layer"),
            Column("flow_angle", angles.ravel().tolist(), _HEADS["flow_angle"], "degrees"),
            Column("flow_lag", lags.ravel().tolist(), "lag"),
        ),
    )


def course_table(times: Array, course: Comparison, time: str) -> Table:
    """One row for each saved time and layer; `time` is the unit."""
    return _layered("moment of the phase and layer", ("time", "$t$", time), times, course)


def _layered(about: str, first: tuple[str, str, str], values: Array, of: Comparison) -> Table:
    """One row for each of the `values` and layer; `first` has the name, heading and unit of their column."""
    name, head, unit = first
    count, n = of.error_angle.shape
    return Table(
        about,
        (
            Column(name, np.repeat(values, n).tolist(), head, unit),
            Column("layer", list(range(1, n + 1)) * count, "layer"),
            *_columns(of),
        ),
    )


def _columns(of: Comparison) -> list[Column]:
    columns = []
    for name, head in _HEADS.items():
        values = getattr(of, name).ravel()
        if name.endswith("angle"):
            values = np.where(values < ROUNDING, 0.0, values)
        columns.append(Column(name, values.tolist(), head, "degrees" if name.endswith("angle") else ""))
    return columns
